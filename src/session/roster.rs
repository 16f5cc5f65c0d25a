//! The list of connections, each from when it is let in until it is gone, and the limits on their
//! number.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ipnet::IpNet;

use super::bans::Bans;
use super::socket::{Peer, Way};
use super::warnings::{Obstacle, Warnings};
use crate::entry::{Millis, SessionId};
use crate::limits;
use crate::live_limits::{Limit, LiveLimits};
use crate::name::Handle;
use crate::node_report::SessionReport;
use crate::origin::Origin;
use crate::outbox::Outbox;
use crate::wire::help::ListenerKind;
use crate::wire::rows::Bye;

pub struct Roster {
    allowed: Arc<LiveLimits>,
    connections: Mutex<Connections>,
    began: Instant,
    /// Notified when the list is empty after [`Roster::close`].
    emptied: Condvar,
    warnings: Warnings,
}

#[derive(Default)]
struct Connections {
    bans: Bans,
    last: u64,
    /// Up to this id, nobody is waited for any more by [`Roster::end_logins`].
    timed: u64,
    list: HashMap<SessionId, Guest>,
    /// Connections of each origin ([`Origin::rate_key`]), if that is limited.
    of: HashMap<Origin, usize>,
    /// How many in the list are only there to be told that they are not let in.
    refused: usize,
    /// Nobody is let in but operators: the database is not reached.
    is_unavailable: bool,
    closed: bool,
}

/// A connection. Small: a third of the list's slots is empty.
struct Guest {
    outbox: Arc<Outbox>,
    way: Way,
    since: Millis,
    /// When it was let in, in tenths of a second since the roster began, rounded up.
    entered: u32,
    /// It need not log in.
    is_operator: bool,
    /// Whether `of` counts it.
    counted: bool,
    refused: bool,
}

impl Guest {
    fn peer(&self) -> Peer {
        Peer { origin: self.outbox.origin(), way: self.way }
    }

    fn is_waited_for(&self) -> bool {
        !self.is_operator && !self.outbox.has_handle()
    }
}

impl Roster {
    pub fn new(allowed: Arc<LiveLimits>) -> Roster {
        Roster {
            allowed,
            connections: Mutex::default(),
            began: Instant::now(),
            emptied: Condvar::new(),
            warnings: Warnings::default(),
        }
    }

    fn connections(&self) -> MutexGuard<'_, Connections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the limits on addresses and accounts apply to a connection.
    pub fn is_limited(&self, id: SessionId) -> bool {
        let connections = self.connections();
        connections.list.get(&id).is_none_or(|guest| self.limits(guest.peer()))
    }

    fn limits(&self, peer: Peer) -> bool {
        self.allowed.local || !peer.is_local()
    }

    /// Lets a connection in, and makes its outbox. One that is not let in gets an id only to be told
    /// so; `None` if even of those there are [`limits::REFUSED`] already.
    pub fn enter(
        &self,
        peer: Peer,
        listener: ListenerKind,
        now: Millis,
    ) -> Option<(SessionId, Arc<Outbox>)> {
        let origin = peer.origin;
        let outbox = Arc::new(Outbox::new(self.allowed.size(Limit::Waiting), origin));
        let most_of_this = self.allowed.size(Limit::Address);
        let counted = Some(origin.rate_key()).filter(|_| most_of_this > 0 && self.limits(peer));
        let mut connections = self.connections();
        if connections.closed {
            // It was accepted before the end, so it is sent `BYE shutdown`.
            outbox.hang_up(Bye::Shutdown);
        }
        let of_this = counted.and_then(|origin| connections.of.get(&origin).copied()).unwrap_or(0);
        let inside = connections.list.len() - connections.refused;
        // Operators get in even when the server is full.
        let limit = if listener == ListenerKind::Admin {
            None
        } else if connections.bans.has(origin, now) {
            Some(Obstacle::Banned)
        } else if inside >= self.allowed.size(Limit::Connections) {
            Some(Obstacle::Limit("--limit-connections"))
        } else if counted.is_some() && of_this >= most_of_this {
            Some(Obstacle::Limit("--limit-address"))
        } else {
            None
        };
        let bye = match limit {
            Some(Obstacle::Banned) => Some(Bye::Kicked),
            Some(_) => Some(Bye::TooMany),
            None if listener == ListenerKind::Admin => None,
            None => Some(Bye::Unavailable).filter(|_| connections.is_unavailable),
        };
        if let Some(obstacle) = limit {
            self.note(obstacle, origin);
        }
        let refused = bye.is_some();
        if let Some(bye) = bye {
            if connections.refused >= limits::REFUSED {
                return None;
            }
            connections.refused += 1;
            outbox.hang_up(bye);
        }
        let counted = counted.filter(|_| !refused);
        if let Some(origin) = counted {
            *connections.of.entry(origin).or_default() += 1;
        }
        connections.last += 1;
        let id = SessionId(connections.last);
        let counted = counted.is_some();
        let is_operator = listener == ListenerKind::Admin;
        let entered = u32::try_from(self.began.elapsed().as_millis().div_ceil(100));
        let entered = entered.unwrap_or(u32::MAX);
        let (way, since, held) = (peer.way, now, outbox.clone());
        let guest = Guest { outbox: held, way, since, entered, is_operator, counted, refused };
        connections.list.insert(id, guest);
        Some((id, outbox))
    }

    /// Logs a warning, at most once a minute for each address and obstacle.
    pub(super) fn note(&self, obstacle: Obstacle, from: Origin) {
        self.warnings.note(obstacle, from);
    }

    /// Sends `BYE login-timeout` to those who were let in `time` ago and have not logged in.
    /// Returns when to look again; zero if this was only a part.
    ///
    /// Ids are given in the order of entry, so nothing else has to be kept of whose time ends when,
    /// and a connection needs no timer of its own.
    pub fn end_logins(&self, time: Duration) -> Duration {
        let mut connections = self.connections();
        let now = self.began.elapsed();
        for _ in 0..limits::LOGINS_LOOK {
            if connections.timed == connections.last {
                // Those to come have all of it.
                return time;
            }
            let next = SessionId(connections.timed + 1);
            let guest = connections.list.get(&next);
            if let Some(guest) = guest.filter(|guest| guest.is_waited_for()) {
                let entered = Duration::from_millis(u64::from(guest.entered) * 100);
                let left = time.saturating_sub(now.saturating_sub(entered));
                if !left.is_zero() {
                    return left;
                }
                guest.outbox.hang_up(Bye::LoginTimeout);
            }
            connections.timed += 1;
        }
        Duration::ZERO
    }

    /// From now on, or until now, nobody is let in but operators; those who have not logged in are
    /// sent `BYE unavailable`. Returns whether that is new.
    #[cfg(feature = "postgres")]
    pub fn set_unavailable(&self, is_unavailable: bool) -> bool {
        let mut connections = self.connections();
        let was = std::mem::replace(&mut connections.is_unavailable, is_unavailable);
        if is_unavailable && !was {
            let waiting = connections.list.values().filter(|guest| guest.is_waited_for());
            waiting.for_each(|guest| guest.outbox.hang_up(Bye::Unavailable));
        }
        was != is_unavailable
    }

    /// Removes a connection.
    pub fn leave(&self, id: SessionId) {
        let mut connections = self.connections();
        let Some(guest) = connections.list.remove(&id) else { return };
        connections.refused -= usize::from(guest.refused);
        let origin = guest.outbox.origin().rate_key();
        if guest.counted
            && let Some(count) = connections.of.get_mut(&origin)
        {
            *count -= 1;
            if *count == 0 {
                connections.of.remove(&origin);
            }
        }
        if connections.closed && connections.list.is_empty() {
            self.emptied.notify_all();
        }
    }

    /// All connections, ordered by id.
    pub fn list(&self) -> Vec<SessionReport> {
        let connections = self.connections();
        let mut rows: Vec<SessionReport> = Vec::with_capacity(connections.list.len());
        for (id, guest) in &connections.list {
            let (handle, since) = (guest.outbox.handle(), guest.since);
            rows.push(SessionReport {
                number: id.0,
                handle,
                address: guest.peer().to_string(),
                since,
            });
        }
        rows.sort_unstable_by_key(|row| row.number);
        rows
    }

    /// How many sessions each of these accounts has, of those that have any.
    pub fn sessions_by_handle(&self, these: &RangeInclusive<Handle>) -> HashMap<Handle, usize> {
        let mut counts = HashMap::new();
        for guest in self.connections().list.values() {
            if let Some(handle) = guest.outbox.handle().filter(|it| these.contains(it)) {
                *counts.entry(handle).or_default() += 1;
            }
        }
        counts
    }

    /// Shuts a network out, and ends its connections, but for those of operators. Returns how many;
    /// `None` if too many networks are shut out already.
    pub fn ban(&self, net: IpNet, until: Millis, now: Millis) -> Option<usize> {
        let mut connections = self.connections();
        if !connections.bans.add(net, until, now) {
            return None;
        }
        let mut ended = 0;
        for guest in connections.list.values() {
            let Origin::Address(address) = guest.outbox.origin() else { continue };
            if !guest.is_operator && net.contains(&address) {
                guest.outbox.hang_up(Bye::Kicked);
                ended += 1;
            }
        }
        Some(ended)
    }

    /// Lets a network in again.
    pub fn unban(&self, net: IpNet) {
        self.connections().bans.remove(net);
    }

    /// The networks that are shut out now, and until when.
    pub fn bans(&self, now: Millis) -> Vec<(IpNet, Millis)> {
        self.connections().bans.list(now)
    }

    /// Sends `BYE shutdown` to all connections, and to any still to come.
    pub fn close(&self) {
        let mut connections = self.connections();
        connections.closed = true;
        for guest in connections.list.values() {
            guest.outbox.hang_up(Bye::Shutdown);
        }
    }

    /// After [`Roster::close`], blocks until all connections are gone, for at most `time`.
    pub fn wait_until_empty(&self, time: Duration) {
        let any = |connections: &mut Connections| !connections.list.is_empty();
        // Empty or timed out, the caller goes on in the same way.
        let _ = self.emptied.wait_timeout_while(self.connections(), time, any);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Limits;

    #[test]
    fn those_who_do_not_log_in_are_ended_in_parts() {
        let allowed = Limits { connections: usize::MAX, ..Limits::DEFAULT };
        let roster = Roster::new(Arc::new(LiveLimits::new(&allowed)));
        let enter = |kind| {
            let peer = Peer::at("127.0.0.1:7276".parse().unwrap());
            roster.enter(peer, kind, Millis(0)).unwrap()
        };
        let time = Duration::from_secs(3600);
        assert_eq!(roster.end_logins(time), time, "nobody is there");
        let (_, anas) = enter(ListenerKind::Network);
        let (_, operators) = enter(ListenerKind::Admin);
        let (left, _) = enter(ListenerKind::Network);
        let silent: Vec<_> =
            (0..=limits::LOGINS_LOOK).map(|_| enter(ListenerKind::Network).1).collect();
        assert!(roster.end_logins(time) <= time);
        anas.set_handle(Handle::new("ana").unwrap());
        roster.leave(left);
        assert!(!roster.end_logins(time).is_zero());
        assert!(silent.iter().all(|outbox| outbox.bye().is_none()), "they have an hour");
        let none = Duration::ZERO;
        assert_eq!(roster.end_logins(none), none, "a part");
        let ended = |outbox: &&Arc<Outbox>| outbox.bye() == Some(Bye::LoginTimeout);
        assert!((1..silent.len()).contains(&silent.iter().filter(ended).count()));
        roster.end_logins(none);
        assert!(silent.iter().all(|outbox| ended(&outbox)));
        assert!(anas.bye().is_none() && operators.bye().is_none());
    }
}
