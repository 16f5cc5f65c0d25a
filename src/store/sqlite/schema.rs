//! The tables, and how older ones become these. A migration, once released, is never changed.
//!
//! - `account`: who there is. `shown` is the newest cursor move whose receipt it has been sent; `gone`
//!   says that it was ended, and has no secret then.
//! - `conversation`: whose it is (`low` and `high`), its newest entry (`head`), how many it has had (`seq`), its newest cursor move.
//! - `entry`: the log of the whole service, in the order of ids, so that writing is appending.
//!   `kind` 0 is a message, 1 a change of a group.
//! - `stretch`: the ids of a conversation, 64 in each row, up to `upto`; those that are no full
//!   stretch yet are the conversation's `tail`. How they are written: `store/ids.rs`.
//! - `member`: two cursors and what makes counting arithmetic. Never a row for each message.
//! - `passed`: what a cursor was at the end of each second in which it moved, but for its newest
//!   position, which stands in `member`. From it any entry's delivery is known to the second.
//! - `room`: what a conversation of a group has more: its name and topic. `stay`: who was in it from
//!   which entry to which.
//! - `skipped`: in a group, up to an entry so many do not wait for a member (its own, and what it may
//!   not see), written down where its cursor stays below. With it, too, counting is arithmetic.
//! - `once`: what was done under a key. `block`, `token`: what they say; a token only as a hash.
//!   `link`: system users who need no secret for an account.
//! - `word`: what `FIND` finds an account by.
//! - `newest`: one row, the numbers given last; and the `floor`: entries up to it are forgotten. Of
//!   what was forgotten of it a conversation knows how many there were (`gone_seq`), and of the last
//!   one the author and its `nth` (`gone_author`, `gone_nth`). The last entries below the floor are
//!   still in `entry`, without their text, and their ids may be in a `stretch` or `tail`.
//! - `stale`: conversations with rows in `passed` and `skipped` about forgotten entries, and the
//!   member from which on they are to be deleted.

use rusqlite::{Connection, Transaction};

use super::Error;
use crate::entry::AccountId;

/// A step from one version to the next: tables, then what only a program can fill them with.
struct Migration {
    sql: &'static str,
    fill: fn(&Transaction) -> Result<(), Error>,
}

/// Each brings the schema from the version that is its index to the next.
const MIGRATIONS: [Migration; 5] = [
    Migration { sql: include_str!("v1.sql"), fill: |_| Ok(()) },
    Migration { sql: include_str!("v2.sql"), fill: find_all },
    Migration { sql: include_str!("v3.sql"), fill: super::stretch::fill },
    Migration { sql: include_str!("v4.sql"), fill: |_| Ok(()) },
    Migration { sql: include_str!("v5.sql"), fill: |_| Ok(()) },
];

/// Makes every account one that can be found.
fn find_all(on: &Transaction) -> Result<(), Error> {
    let mut accounts = on.prepare("SELECT id, handle, name FROM account")?;
    let mut rows = accounts.query([])?;
    while let Some(row) = rows.next()? {
        let (id, handle, name): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        super::pen::index_words(on, AccountId(id), &handle, &name)?;
    }
    Ok(())
}

fn newest() -> i32 {
    i32::try_from(MIGRATIONS.len()).unwrap_or(i32::MAX)
}

/// Whether this program knows a schema of this version.
///
/// # Errors
/// The sentence for the operator, if not.
pub fn check_version(version: i32) -> Result<(), Error> {
    if (0..=newest()).contains(&version) {
        return Ok(());
    }
    Err(Error::new(format!(
        "made by a newer papod (schema {version}, this one knows {}); install that one",
        newest()
    )))
}

/// Brings the schema up to date, each step whole or not at all.
///
/// # Errors
/// A newer schema, or SQLite's reason.
pub fn migrate(connection: &mut Connection) -> Result<(), Error> {
    let version: i32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    check_version(version)?;
    for (from, step) in MIGRATIONS.iter().enumerate().skip(usize::try_from(version).unwrap_or(0)) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(step.sql)?;
        (step.fill)(&transaction)?;
        transaction.pragma_update(None, "user_version", from as i64 + 1)?;
        transaction.commit()?;
    }
    Ok(())
}
