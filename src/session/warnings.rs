//! Warnings that would flood the log one by one: of clients that run into a limit, guess passwords,
//! or speak plain text to a TLS port. Each address and reason gets one line a minute, with the
//! number of times since the last.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::limits;
use crate::origin::Origin;

/// The reason for a warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Obstacle {
    /// A limit, named by its flag.
    Limit(&'static str),
    /// Too many wrong passwords; see [`crate::brake`].
    Guesses,
    /// Plain text on a TLS port.
    NeedTls,
    /// An operator has shut the address out.
    Banned,
}

/// When each was logged last, and how often it happened since. Strangers choose the addresses, so
/// the table is bounded and keeps std's keyed hasher.
#[derive(Default)]
pub struct Warnings {
    rows: Mutex<HashMap<(Obstacle, Option<Origin>), WarningCount>>,
}

struct WarningCount {
    logged: Instant,
    since: u64,
}

/// A line to be logged.
#[derive(Debug, PartialEq, Eq)]
struct DueWarning {
    obstacle: Obstacle,
    /// `None`: all addresses for which the table has no room.
    from: Option<Origin>,
    times: u64,
}

impl Warnings {
    /// Counts an occurrence, and logs a line if one is due.
    pub fn note(&self, obstacle: Obstacle, from: Origin) {
        if let Some(line) = self.due(obstacle, from, Instant::now()) {
            log::warn!("{line}");
        }
    }

    fn due(&self, obstacle: Obstacle, from: Origin, now: Instant) -> Option<DueWarning> {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = |row: &WarningCount| now.duration_since(row.logged) >= limits::WARNING_PAUSE;
        let mut key = (obstacle, Some(from.rate_key()));
        if rows.len() >= limits::WARNINGS && !rows.contains_key(&key) {
            rows.retain(|_, row| !is_over(row));
            if rows.len() >= limits::WARNINGS {
                key.1 = None;
            }
        }
        let (obstacle, from) = key;
        match rows.entry(key) {
            Entry::Vacant(vacant) => {
                vacant.insert(WarningCount { logged: now, since: 0 });
                Some(DueWarning { obstacle, from, times: 1 })
            }
            Entry::Occupied(mut row) if is_over(row.get()) => {
                let times = row.get().since + 1;
                row.insert(WarningCount { logged: now, since: 0 });
                Some(DueWarning { obstacle, from, times })
            }
            Entry::Occupied(mut row) => {
                row.get_mut().since += 1;
                None
            }
        }
    }
}

impl fmt::Display for DueWarning {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let event = match self.obstacle {
            Obstacle::Limit(_) => "limit",
            Obstacle::Guesses => "guesses",
            Obstacle::NeedTls => "need-tls",
            Obstacle::Banned => "banned",
        };
        write!(f, "{event} from=")?;
        match self.from {
            Some(from) => f.write_str(&from.rate_key_text())?,
            None => f.write_str("others")?,
        }
        write!(f, " times={}", self.times)?;
        match self.obstacle {
            Obstacle::Limit(flag) => write!(f, " flag={flag}"),
            Obstacle::Guesses | Obstacle::NeedTls | Obstacle::Banned => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const ADDRESS: Obstacle = Obstacle::Limit("--limit-address");

    fn from(n: u32) -> Origin {
        Origin::of(std::net::Ipv4Addr::from(0xc000_0200 + n).into())
    }

    #[test]
    fn each_address_and_reason_has_a_line_a_minute() {
        let (warnings, start) = (Warnings::default(), Instant::now());
        let said = |obstacle, n, seconds| {
            let now = start + Duration::from_secs(seconds);
            warnings.due(obstacle, from(n), now).map(|line| line.to_string())
        };
        let line = |text: &str| Some(text.to_owned());
        assert_eq!(said(ADDRESS, 7, 0), line("limit from=192.0.2.7 times=1 flag=--limit-address"));
        assert_eq!(said(Obstacle::Guesses, 7, 0), line("guesses from=192.0.2.7 times=1"));
        assert_eq!(said(ADDRESS, 8, 30), line("limit from=192.0.2.8 times=1 flag=--limit-address"));
        assert_eq!((said(ADDRESS, 7, 1), said(ADDRESS, 7, 59)), (None, None));
        assert_eq!(said(ADDRESS, 7, 60), line("limit from=192.0.2.7 times=3 flag=--limit-address"));
        assert_eq!(said(ADDRESS, 7, 61), None);
        let network = Origin::of("2001:db8:7::1".parse().unwrap());
        let line = warnings.due(Obstacle::Guesses, network, start).unwrap().to_string();
        assert_eq!(line, "guesses from=2001:db8:7::/64 times=1");
    }

    #[test]
    fn the_table_is_bounded() {
        let (warnings, now) = (Warnings::default(), Instant::now());
        let room = u32::try_from(limits::WARNINGS).unwrap();
        for n in 0..room {
            assert!(warnings.due(ADDRESS, from(n), now).is_some());
        }
        let others = warnings.due(ADDRESS, from(room), now).unwrap().to_string();
        assert_eq!(others, "limit from=others times=1 flag=--limit-address");
        assert_eq!(warnings.due(ADDRESS, from(room + 1), now), None);
        let later = now + limits::WARNING_PAUSE;
        assert!(warnings.due(ADDRESS, from(room), later).unwrap().from.is_some());
        assert_eq!(warnings.rows.lock().unwrap().len(), 1, "the old ones have gone");
    }
}
