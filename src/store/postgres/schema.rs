//! The schema: made at the first start, known by its version afterwards. `schema.sql` has the
//! tables, `record.sql`, `expire.sql`, `files.sql` and `search.sql` the functions that write.

use super::PgError;
use super::protocol::PgConnection;
use crate::store::{Cause, Error};

const TABLES: &str = include_str!("schema.sql");
const FUNCTIONS: [&str; 4] = [
    include_str!("record.sql"),
    include_str!("expire.sql"),
    include_str!("files.sql"),
    include_str!("search.sql"),
];

/// The version that this program creates and uses.
const VERSION: i64 = 1;

/// A warning.
pub(super) const ONE_DISK: &str = "warning: PostgreSQL waits for no standby \
     (synchronous_standby_names is empty), so OK means the disk of one machine";

/// Why papod does not start, or does not write, where a standby is required.
pub(super) const NO_STANDBY: &str = "PostgreSQL waits for no standby (synchronous_standby_names is \
     empty), and --standby required is set";

/// The oldest server that has everything needed here, as `server_version_num`.
const OLDEST: i64 = 140_000;

/// Makes the tables, unless they are there.
///
/// # Errors
/// The server is too old, the schema is of a newer papod, or the server's reason.
pub(super) fn prepare(on: &mut PgConnection) -> Result<(), Error> {
    let version = "SELECT current_setting('server_version_num')::bigint";
    let row = on.query(version, &[])?.pop().ok_or_else(|| PgError::Odd("no answer".into()))?;
    if row.get::<i64>(0)? < OLDEST {
        return Err(Error::new("PostgreSQL is older than 14"));
    }
    if !is_there(on)? {
        make(on)?;
    }
    check(on)
}

/// Whether papo's tables are in the database.
pub(super) fn is_there(on: &mut PgConnection) -> Result<bool, Error> {
    let rows = on.query("SELECT to_regclass('schema_version') IS NOT NULL", &[])?;
    Ok(rows.first().map_or(Ok(false), |row| row.get(0))?)
}

/// Checks that this program knows the schema.
///
/// # Errors
/// It does not; with a sentence for the operator.
pub(super) fn check(on: &mut PgConnection) -> Result<(), Error> {
    let row = on.query("SELECT version FROM schema_version", &[])?.pop();
    match row.map(|row| row.get::<i64>(0)).transpose()? {
        Some(VERSION) => Ok(()),
        Some(newer) => Err(Error::new(format_args!(
            "made by a newer papod (schema {newer}, this one knows {VERSION}); install that one"
        ))),
        None => Err(Error::of(Cause::Damaged, "its schema has no version")),
    }
}

/// Makes them in one transaction. Two papods that start at once take turns: the number of the lock
/// is "papo" in ASCII.
fn make(on: &mut PgConnection) -> Result<(), Error> {
    on.execute("BEGIN; SELECT pg_advisory_xact_lock(1885433967)")?;
    if is_there(on)? {
        return Ok(on.execute("COMMIT")?);
    }
    let functions = FUNCTIONS.concat();
    let made = on.execute(&format!(
        "{TABLES} {functions}
         INSERT INTO schema_version VALUES ({VERSION});
         INSERT INTO leader VALUES (true, 0, 0, 0, '', '', NULL, NULL, 0, 0, 0, 0, 0, 0);
         INSERT INTO content_total VALUES (true, 0);
         COMMIT"
    ));
    if let Err(e) = made {
        // The failure ended the transaction; only its block is still open.
        on.send("ROLLBACK")?;
        return Err(Error::from(e.at_commit()).about("the tables cannot be made"));
    }
    log::info!("made the tables of a new database");
    Ok(())
}
