//! What operators change of a server that runs, and what nothing remembers when it ends: addresses
//! that are shut out, limits, the level of the log, and that nothing is written.

use ipnet::IpNet;
use log::LevelFilter;

use super::Session;
use super::answer::Answer;
use super::bans::shown;
use crate::chat::Order;
use crate::entry::Millis;
use crate::live_limits::Limit;
use crate::wire::refusal::Refusal;
use crate::wire::reply::{List, Reply};
use crate::wire::rows::{BanLine, LimitLine};

impl Session {
    /// `ADMIN BAN`
    pub(super) fn ban(&self, net: IpNet, seconds: u64) -> Answer {
        let now = self.services.clock.now();
        // At most a year, as the rule has checked.
        let until = Millis(now.0 + 1_000 * seconds.cast_signed());
        let Some(ended) = self.services.roster.ban(net, until, now) else {
            return Err(Refusal::TooManyOf("bans; ADMIN UNBAN ends one").into());
        };
        let net = shown(net);
        self.event("admin-ban", format_args!("address={net} seconds={seconds} sessions={ended}"));
        Ok(Some(Reply::Banned { net: net.into(), ended: Some(ended) }))
    }

    /// `ADMIN UNBAN`
    pub(super) fn unban(&self, net: IpNet) -> Answer {
        self.services.roster.unban(net);
        let net = shown(net);
        self.event("admin-unban", format_args!("address={net}"));
        Ok(Some(Reply::Banned { net: net.into(), ended: None }))
    }

    /// `ADMIN BANS`
    pub(super) fn list_bans(&mut self) -> Answer {
        let rows = self.services.roster.bans(self.services.clock.now());
        self.say(|out| {
            for (net, until) in &rows {
                BanLine { net: &shown(*net), until: *until }.write(out);
            }
        });
        self.event("admin-bans", format_args!("rows={}", rows.len()));
        Ok(Some(Reply::Counted { list: List::Bans, count: rows.len() }))
    }

    /// `ADMIN READONLY`
    pub(super) async fn set_read_only(&self, on: bool) -> Answer {
        self.order(Order::ReadOnly(on)).await?;
        let state = if on { "on" } else { "off" };
        self.event("admin-readonly", format_args!("state={state}"));
        Ok(Some(Reply::ReadOnly(on)))
    }

    /// `ADMIN LOG`
    pub(super) fn log_level(&self, level: Option<LevelFilter>) -> Answer {
        if let Some(level) = level {
            // Before a level that hides it.
            let name = level.as_str().to_lowercase();
            self.event("admin-log", format_args!("level={name}"));
            log::set_max_level(level);
        }
        let level = log::max_level().as_str().to_lowercase();
        Ok(Some(Reply::LogLevel(level.into())))
    }

    /// `ADMIN LIMIT`
    pub(super) fn list_limits(&mut self) -> Answer {
        let limits = self.services.limits.clone();
        self.say(|out| {
            for limit in Limit::ALL {
                LimitLine { name: limit.name(), value: limits.get(*limit) }.write(out);
            }
        });
        Ok(Some(Reply::Counted { list: List::Limits, count: Limit::ALL.len() }))
    }

    /// `ADMIN LIMIT`, with a value
    pub(super) fn set_limit(&self, limit: Limit, to: u64) -> Answer {
        let was = self.services.limits.get(limit);
        self.services.limits.set(limit, to);
        self.services.rates.set(limit, to);
        let name = limit.name();
        self.event("admin-limit", format_args!("limit={name} value={to} was={was}"));
        Ok(Some(Reply::LimitSet { name: name.into(), value: to }))
    }
}
