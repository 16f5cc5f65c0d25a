//! Commands to carry out later: what waits in each account, and what is due next.
//!
//! Rows are only appended, overwritten in place, and deleted from the first on, as those of `entry`
//! are: the text of a command may be that of a message that is deleted later.

use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};

use crate::entry::{AccountId, Condition, Cursor, EntryId, Millis};
use crate::limits;
use crate::store::{Error, Later};

/// The columns of a command, from the first on.
macro_rules! select {
    ($rest: literal) => {
        concat!("SELECT number, due, message, condition, command, account FROM later ", $rest)
    };
}

/// Overwrites commands of an account.
macro_rules! done {
    ($which: literal) => {
        concat!(
            "UPDATE later SET done = 1, command = CAST(zeroblob(octet_length(command)) AS TEXT)
             WHERE account = ?1 AND done = 0",
            $which,
            " RETURNING id"
        )
    };
}

/// Adds a command.
pub(super) fn add(on: &Connection, account: AccountId, later: &Later) -> Result<(), Error> {
    let (message, condition) = later.unless.map(|(id, c)| (id.0, condition_number(c))).unzip();
    on.prepare_cached(
        "INSERT INTO later(account, number, due, message, condition, command)
         VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        account.0,
        number(later)?,
        later.due.0,
        message,
        condition,
        later.command
    ])?;
    on.prepare_cached("UPDATE account SET later = max(later, ?2) WHERE id = ?1")?
        .execute([account.0, number(later)?])?;
    Ok(())
}

/// Overwrites a command, or all of an account, and deletes rows that are not needed any more.
pub(super) fn done(on: &Connection, account: AccountId, number: Option<u64>) -> Result<(), Error> {
    // Of all of an account, the index is searched for the account alone: two statements.
    let (all, one) = (done!(""), done!(" AND number = ?2"));
    let numbered = number.map(u64::cast_signed);
    let mut done = on.prepare_cached(if numbered.is_some() { one } else { all })?;
    let keys = [Some(account.0), numbered];
    let keys = params_from_iter(keys.into_iter().flatten());
    let ids = done.query_map(keys, |row| row.get(0))?.collect::<Result<Vec<i64>, _>>()?;
    // Now and then, and so that enough blank rows stay before the first with a text: see `expire`.
    if ids.iter().any(|id| id % 64 == 0) {
        on.prepare_cached(
            "DELETE FROM later WHERE id <= (
                 SELECT id FROM later
                 WHERE id < coalesce((SELECT min(id) FROM later WHERE done = 0), id + 1)
                 ORDER BY id DESC LIMIT 1 OFFSET ?1)",
        )?
        .execute([limits::BLANK])?;
    }
    Ok(())
}

/// The commands of an account, the soonest first.
pub(super) fn of(read: &Connection, account: AccountId) -> Result<Vec<Later>, Error> {
    let sql = select!("WHERE account = ?1 AND done = 0 ORDER BY due, number");
    let mut query = read.prepare_cached(sql)?;
    let mut rows = query.query([account.0])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(later(row)?);
    }
    Ok(found)
}

/// The numbers of the commands of an account.
pub(super) fn numbers(read: &Connection, account: AccountId) -> Result<Vec<u64>, Error> {
    let sql = "SELECT number FROM later WHERE account = ?1 AND done = 0";
    let mut query = read.prepare_cached(sql)?;
    let numbers = query.query_map([account.0], |row| row.get(0).map(i64::unsigned_abs))?;
    Ok(numbers.collect::<Result<_, _>>()?)
}

/// The commands that are due next.
pub(super) fn next_due(read: &Connection, count: usize) -> Result<Vec<(AccountId, Later)>, Error> {
    let sql = select!("WHERE done = 0 ORDER BY due, account, number LIMIT ?1");
    let mut query = read.prepare_cached(sql)?;
    let mut rows = query.query([i64::try_from(count).unwrap_or(i64::MAX)])?;
    let (mut found, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let later = later(row)?;
        bytes += later.command.len();
        found.push((AccountId(row.get(5)?), later));
        if bytes >= limits::PAGE_BYTES {
            break;
        }
    }
    Ok(found)
}

/// The highest number given in an account.
pub(super) fn newest(read: &Connection, account: AccountId) -> Result<u64, Error> {
    let mut query = read.prepare_cached("SELECT later FROM account WHERE id = ?1")?;
    let newest: Option<i64> = query.query_row([account.0], |row| row.get(0)).optional()?;
    Ok(newest.unwrap_or(0).unsigned_abs())
}

fn later(row: &Row) -> Result<Later, Error> {
    let unless = unless(row.get(2)?, row.get(3)?)?;
    let number: i64 = row.get(0)?;
    let number = number.unsigned_abs();
    Ok(Later { number, due: Millis(row.get(1)?), unless, command: row.get(4)? })
}

fn number(later: &Later) -> Result<i64, Error> {
    i64::try_from(later.number).map_err(|_| Error::damaged("a number is too high"))
}

/// The condition of a command, from the columns `message` and `condition`.
pub(in crate::store) fn unless(
    message: Option<i64>,
    condition: Option<i64>,
) -> Result<Option<(EntryId, Condition)>, Error> {
    let condition = match condition {
        None => None,
        Some(0) => Some(Condition::Reached(Cursor::Delivered)),
        Some(1) => Some(Condition::Reached(Cursor::Read)),
        Some(2) => Some(Condition::Answered),
        Some(other) => return Err(Error::damaged(format!("{other} is no condition"))),
    };
    Ok(message.map(EntryId).zip(condition))
}

pub(in crate::store) fn condition_number(condition: Condition) -> i64 {
    match condition {
        Condition::Reached(Cursor::Delivered) => 0,
        Condition::Reached(Cursor::Read) => 1,
        Condition::Answered => 2,
    }
}
