//! Invitations to create accounts.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::entry::Millis;
use crate::store::{AccountInvitation, Error};

/// A new invitation. Those that have ended are deleted.
pub(super) fn add(on: &Connection, new: &AccountInvitation) -> Result<(), Error> {
    on.execute("DELETE FROM account_invitation WHERE until <= ?1", [new.created.0])?;
    let sql = "INSERT INTO account_invitation VALUES(?1, ?2, ?3, ?4)";
    on.execute(sql, params![new.hash, new.created.0, new.uses, new.until.0])?;
    Ok(())
}

/// It has created an account.
pub(super) fn used(on: &Connection, hash: &[u8; 32]) -> Result<(), Error> {
    on.prepare_cached("UPDATE account_invitation SET uses = uses - 1 WHERE hash = ?1")?
        .execute([hash])?;
    on.prepare_cached("DELETE FROM account_invitation WHERE hash = ?1 AND uses = 0")?
        .execute([hash])?;
    Ok(())
}

/// There are none any more.
pub(super) fn void(on: &Connection) -> Result<(), Error> {
    on.execute("DELETE FROM account_invitation", [])?;
    Ok(())
}

pub(super) fn find(read: &Connection, hash: &[u8; 32]) -> Result<Option<AccountInvitation>, Error> {
    let sql = "SELECT hash, created, uses, until FROM account_invitation WHERE hash = ?1";
    Ok(read.prepare_cached(sql)?.query_row([hash], invitation).optional()?)
}

pub(super) fn list(read: &Connection, count: usize) -> Result<Vec<AccountInvitation>, Error> {
    let sql =
        "SELECT hash, created, uses, until FROM account_invitation ORDER BY until, hash LIMIT ?1";
    let mut query = read.prepare_cached(sql)?;
    let rows = query.query_map([i64::try_from(count).unwrap_or(i64::MAX)], invitation)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn invitation(row: &Row) -> rusqlite::Result<AccountInvitation> {
    let (created, until) = (Millis(row.get(1)?), Millis(row.get(3)?));
    Ok(AccountInvitation { hash: row.get(0)?, created, uses: row.get(2)?, until })
}
