//! The schema, and how an older one becomes today's. Tables and columns are explained in
//! `schema.sql`, which makes a new database; a migration, once released, is never changed.

use rusqlite::Connection;

use super::Error;

/// The schema of a new database. Its version is one more than there are migrations.
const SCHEMA: &str = include_str!("schema.sql");

/// Each brings a database from the version that is its index plus one to the next.
const MIGRATIONS: [&str; 0] = [];

fn newest() -> i32 {
    i32::try_from(MIGRATIONS.len() + 1).unwrap_or(i32::MAX)
}

/// Whether this program knows a schema of this version. 0 is a database without tables yet.
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

/// Brings the schema up to date: all steps or none.
///
/// # Errors
/// A newer schema, or SQLite's reason.
pub fn migrate(connection: &mut Connection) -> Result<(), Error> {
    let version: i32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    check_version(version)?;
    if version == newest() {
        return Ok(());
    }
    let transaction = connection.transaction()?;
    if version == 0 {
        transaction.execute_batch(SCHEMA)?;
    } else {
        for step in MIGRATIONS.iter().skip(usize::try_from(version - 1).unwrap_or(0)) {
            transaction.execute_batch(step)?;
        }
    }
    transaction.pragma_update(None, "user_version", newest())?;
    transaction.commit()?;
    Ok(())
}
