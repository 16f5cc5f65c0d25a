//! Writing accounts: that they are there, how they are called, whether they may be used.

use rusqlite::{Connection, params};

use super::decode::{LEAVING, circle_number};
use super::later;
use crate::entry::{AccountId, Millis};
use crate::fold;
use crate::name::{DisplayName, Handle};
use crate::preferences::Preferences;
use crate::store::Error;

/// A new account.
pub(super) fn add(
    on: &Connection,
    id: AccountId,
    handle: &Handle,
    name: &DisplayName,
    secret: &str,
    time: Millis,
) -> Result<(), Error> {
    index_words(on, id, handle, name)?;
    on.prepare_cached(
        "INSERT INTO account(id, handle, name, secret, created, shown)
         VALUES(?1, ?2, ?3, ?4, ?5, 0)",
    )?
    .execute(params![id.0, handle.as_str(), name.as_str(), secret, time.0])?;
    Ok(())
}

/// Other preferences.
pub(super) fn prefer(
    on: &Connection,
    id: AccountId,
    preferences: Preferences,
) -> Result<(), Error> {
    let Preferences { read, seen, add } = preferences;
    let (seen, add) = (circle_number(seen), circle_number(add));
    on.prepare_cached(
        "UPDATE account SET read_off = ?2, seen_by = ?3, added_by = ?4 WHERE id = ?1",
    )?
    .execute(params![id.0, !read, seen, add])?;
    Ok(())
}

/// Another display name.
pub(super) fn rename(
    on: &Connection,
    id: AccountId,
    handle: &Handle,
    name: &DisplayName,
) -> Result<(), Error> {
    on.prepare_cached("DELETE FROM word WHERE account = ?1")?.execute([id.0])?;
    index_words(on, id, handle, name)?;
    on.prepare_cached("UPDATE account SET name = ?2 WHERE id = ?1")?
        .execute(params![id.0, name.as_str()])?;
    Ok(())
}

/// An operator has disabled it, or enabled it again.
pub(super) fn disable(on: &Connection, id: AccountId, disabled: bool) -> Result<(), Error> {
    on.execute("UPDATE account SET disabled = ?2 WHERE id = ?1", params![id.0, disabled])?;
    Ok(())
}

/// It was deleted; while it is `leaving`, it may still be in groups.
pub(super) fn gone(on: &Connection, id: AccountId, leaving: bool) -> Result<(), Error> {
    later::done(on, id, None)?;
    for table in ["token", "link", "word", "device"] {
        on.execute(&format!("DELETE FROM {table} WHERE account = ?1"), [id.0])?;
    }
    let gone = if leaving { LEAVING } else { 1 };
    on.execute("UPDATE account SET gone = ?2, secret = '' WHERE id = ?1", [id.0, gone])?;
    Ok(())
}

/// Writes the words by which `FIND` finds an account.
fn index_words(
    on: &Connection,
    id: AccountId,
    handle: &Handle,
    name: &DisplayName,
) -> Result<(), Error> {
    let mut insert = on.prepare_cached("INSERT INTO word VALUES(?1, ?2)")?;
    for word in fold::words(handle.as_str(), name.as_str()) {
        insert.execute(params![word, id.0])?;
    }
    Ok(())
}
