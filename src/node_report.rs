//! What papods on one database tell each other beside what is recorded: operators' questions and
//! their answers, and what limits are counted by.

use crate::brake::Guess;
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

/// What papods count of something that they share, so that the greatest number is the right one; all
/// else is added up.
const SHARED: [&str; 6] =
    ["uptime_seconds", "term", "read_only", "standby", "standby_waits", "standby_behind_bytes"];

/// Adds what other papods count to what this one does.
pub fn add_up(rows: &mut [(String, u64)], others: &[NodeReport]) {
    for (name, value) in rows {
        let same = others.iter().flat_map(|other| &other.stats).filter(|(of, _)| of == name);
        let is_shared = SHARED.contains(&&**name);
        *value =
            same.fold(
                *value,
                |all, (_, more)| {
                    if is_shared { all.max(*more) } else { all.saturating_add(*more) }
                },
            );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shared_is_not_added() {
        let row = |name: &str, value| (name.to_owned(), value);
        let other = |term, logins| NodeReport {
            stats: vec![row("term", term), row("logins", logins), row("unknown", 7)],
            ..NodeReport::default()
        };
        let mut rows = vec![row("term", 3), row("logins", 10), row("here", 1)];
        add_up(&mut rows, &[other(3, 5), other(2, 6)]);
        assert_eq!(rows, [row("term", 3), row("logins", 21), row("here", 1)]);
    }
}
