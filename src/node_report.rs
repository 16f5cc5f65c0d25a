//! What papods on one database tell each other beside what is recorded: operators' questions and
//! their answers, and what limits are counted by.

use crate::brake::Guess;
use crate::counters::CERTIFICATE;
use crate::entry::{AccountId, Millis};
use crate::name::Handle;

/// A question to each of them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "postgres", derive(serde::Serialize, serde::Deserialize))]
pub enum NodeQuestion {
    Sessions,
    /// How many sessions have the accounts from this handle to that one.
    Accounts(Handle, Handle),
    Stats,
}

/// Something that counts at all of them, wherever it happens.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "postgres", derive(serde::Serialize, serde::Deserialize))]
pub enum NodeEvent {
    /// A guess at a password, and whether it was right.
    Guessed { guess: Guess, is_right: bool },
    /// An account has put so many bytes of files.
    FileBytes { account: AccountId, bytes: u64 },
    /// An account has used at least so many bytes of what it may put in a day.
    FilesDay { account: AccountId, bytes: u64 },
    /// Operators have everything refused that writes, or nothing any more.
    ReadOnly(bool),
}

/// A connection, as `ADMIN SESSIONS` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "postgres", derive(serde::Serialize, serde::Deserialize))]
pub struct SessionReport {
    /// Its number at its papod.
    pub number: u64,
    pub handle: Option<Handle>,
    pub address: String,
    pub since: Millis,
}

/// The answer of one papod; what was not asked is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "postgres", derive(serde::Serialize, serde::Deserialize))]
pub struct NodeReport {
    /// The number of its node.
    pub node: u64,
    pub sessions: Vec<SessionReport>,
    /// Accounts that have sessions, and how many.
    pub accounts: Vec<(Handle, usize)>,
    /// What it counts.
    pub stats: Vec<(String, u64)>,
}

/// What papods count of something that they share, so that the greatest number is the right one.
/// Most else is added up.
const SHARED: [&str; 6] =
    ["uptime_seconds", "term", "read_only", "standby", "standby_waits", "standby_behind_bytes"];

/// Adds what other papods count to what this one does.
pub fn add_up(rows: &mut [(String, u64)], others: &[NodeReport]) {
    for (name, value) in rows {
        let of_all: fn(u64, u64) -> u64 = match &**name {
            name if SHARED.contains(&name) => u64::max,
            // Of several certificates the one that expires first.
            CERTIFICATE => u64::min,
            _ => u64::saturating_add,
        };
        let same = others.iter().flat_map(|other| &other.stats).filter(|(of, _)| of == name);
        *value = same.fold(*value, |all, (_, more)| of_all(all, *more));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_added_is_not() {
        let row = |name: &str, value| (name.to_owned(), value);
        let rows = |term, logins, ends| {
            vec![row("term", term), row("logins", logins), row(CERTIFICATE, ends)]
        };
        let other = |term, logins, ends| NodeReport {
            stats: [rows(term, logins, ends), vec![row("unknown", 7)]].concat(),
            ..NodeReport::default()
        };
        let mut all = [rows(3, 10, 2_000), vec![row("here", 1)]].concat();
        add_up(&mut all, &[other(3, 5, 3_000), other(2, 6, 1_000)]);
        assert_eq!(all, [rows(3, 21, 1_000), vec![row("here", 1)]].concat());
    }
}
