//! The schema, and migrations from older ones. Tables and columns are explained in `schema.sql`,
//! which creates a new database. A migration, once released, is never changed.

use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;

use rusqlite::Connection;
use sd_notify::NotifyState;

use super::generation::{self, Sidecar};
use super::lock::Lock;
use super::{Error, backup, beside};
use crate::limits;
use crate::store::Cause;

/// The schema of a new database. Its version is one more than there are migrations.
const SCHEMA: &str = include_str!("schema.sql");

/// The step at index `n` takes a database from version `n + 1` to the next.
const MIGRATIONS: Steps = &[];

/// SQL that takes a database from one version to the next, from version 1 on.
pub(super) type Steps = &'static [&'static str];

fn newest(steps: Steps) -> i32 {
    i32::try_from(steps.len() + 1).unwrap_or(i32::MAX)
}

/// The version that this program creates and uses.
pub(super) fn today() -> i32 {
    newest(MIGRATIONS)
}

/// Checks that this program knows a schema of this version.
///
/// # Errors
/// It does not; with a sentence for the operator.
pub(super) fn check_version(version: i32) -> Result<(), Error> {
    if (1..=today()).contains(&version) {
        return Ok(());
    }
    if version == 0 {
        return Err(Error::of(Cause::Damaged, "it was never finished: it has no tables"));
    }
    Err(Error::new(format!(
        "made by a newer papod (schema {version}, this one knows {}); install that one",
        today()
    )))
}

/// Creates the tables of a new database.
///
/// # Errors
/// SQLite's reason.
pub(super) fn create(connection: &Connection) -> Result<(), Error> {
    let version = today();
    connection
        .execute_batch(&format!("BEGIN; {SCHEMA} PRAGMA user_version = {version}; COMMIT"))?;
    Ok(())
}

/// Brings the schema up to date, with all steps in one transaction. Before that, the database is
/// copied to a file beside it, which is named after the old version and is kept.
///
/// # Errors
/// There is no room for the copy, or SQLite's reason.
pub(super) fn migrate(connection: &Connection, lock: &Lock, to: &Sidecar) -> Result<(), Error> {
    migrate_by(MIGRATIONS, connection, lock, to)
}

fn migrate_by(
    steps: Steps,
    connection: &Connection,
    lock: &Lock,
    to: &Sidecar,
) -> Result<(), Error> {
    let version: i32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let newest = newest(steps);
    if version >= newest {
        return Ok(());
    }
    patiently(|| {
        let copy = copy_name(lock, version);
        log::info!("migrating from schema {version} to {newest}; backup: {}", copy.display());
        backup::keep_copy(connection, &copy)?;
        let from = usize::try_from(version - 1).unwrap_or(0);
        let done = generation::in_transaction(connection, |on| {
            generation::renew(on, to)?;
            for step in steps.iter().skip(from) {
                on.execute_batch(step)?;
            }
            Ok(on.pragma_update(None, "user_version", newest)?)
        });
        done.map_err(|e| e.about(format_args!("it stays at schema {version}")))?;
        log::info!("migrated to schema {newest}; {} may be deleted", copy.display());
        Ok(())
    })
}

fn copy_name(lock: &Lock, version: i32) -> PathBuf {
    beside(lock.path(), &format!(".schema-{version}"))
}

/// Does `work`, which may take long, and meanwhile asks the service manager for more time
/// (sd_notify(3), `EXTEND_TIMEOUT_USEC`).
fn patiently<T>(work: impl FnOnce() -> T) -> T {
    thread::scope(|scope| {
        let (done, is_done) = mpsc::channel::<()>();
        scope.spawn(move || {
            let time = limits::MIGRATION_BEAT * 3;
            let usec = u32::try_from(time.as_micros()).unwrap_or(u32::MAX);
            loop {
                if let Err(e) = sd_notify::notify(&[NotifyState::ExtendTimeoutUsec(usec)]) {
                    log::warn!("cannot ask the service manager for more time: {e}");
                }
                if is_done.recv_timeout(limits::MIGRATION_BEAT) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        });
        let result = work();
        drop(done);
        result
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::store::sqlite::{Database, write_connection};

    const GOOD: Steps = &[
        "CREATE TABLE badge(account INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;
         INSERT INTO badge SELECT id, 'new' FROM account",
        "ALTER TABLE badge ADD COLUMN colour TEXT",
    ];
    /// The second step fails in its middle.
    const BAD: Steps = &[GOOD[0], "DELETE FROM badge; INSERT INTO badge VALUES(1, NULL)"];

    fn names(folder: &std::path::Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name());
        let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
        names.retain(|name| !name.ends_with("-shm") && !name.ends_with("-wal"));
        names.sort();
        names
    }

    #[test]
    fn all_steps_are_done_or_none_and_the_old_database_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("papo.db");
        let database = Database::open(&path).unwrap();
        let connection = write_connection(&path).unwrap();
        let account =
            "INSERT INTO account VALUES(7, 'ana', 'Ana', '', 0, 0, NULL, 0, 0, 0, 0, 0, 0, 0)";
        connection.execute(account, []).unwrap();
        let number = |sql: &str, of: &Connection| -> i64 {
            of.query_row(sql, [], |row| row.get(0)).unwrap()
        };
        let version = |of: &Connection| number("PRAGMA user_version", of);
        let migrate = |steps| migrate_by(steps, &connection, &database.lock, &database.sidecar);

        let failed = migrate(BAD).unwrap_err();
        assert_eq!(failed.cause(), Cause::Bug);
        assert!(failed.to_string().contains("it stays at schema 1"), "{failed}");
        let tables = "SELECT count(*) FROM sqlite_schema WHERE name = 'badge'";
        assert_eq!((version(&connection), number(tables, &connection)), (1, 0));
        let all = ["papo.db", "papo.db.generation", "papo.db.schema-1"];
        assert_eq!(names(folder.path()), all);

        // A later attempt copies the database as it is by then.
        let sql = "UPDATE account SET id = 8; UPDATE newest SET account = 8;
                   INSERT INTO word VALUES('ana', 8)";
        connection.execute_batch(sql).unwrap();
        migrate(GOOD).unwrap();
        assert_eq!(version(&connection), 3);
        let badge = "SELECT account FROM badge WHERE text = 'new' AND colour IS NULL";
        assert_eq!(number(badge, &connection), 8);
        assert_eq!(names(folder.path()), all);
        let kept = Connection::open(folder.path().join("papo.db.schema-1")).unwrap();
        assert_eq!(version(&kept), 1);
        assert_eq!(number("SELECT id FROM account", &kept), 8);
        drop(kept);
        // Done once; and what an older program may not open, it does not.
        migrate(GOOD).unwrap();
        drop((connection, database));
        assert!(Database::open(&path).err().unwrap().to_string().contains("newer papod"));
        // The way back.
        let back = folder.path().join("papo.db.schema-1");
        fs::copy(back, &path).unwrap();
        Database::open(&path).unwrap();
    }
}
