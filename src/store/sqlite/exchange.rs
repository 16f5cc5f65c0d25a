//! Databases that another store fills, or is filled from.

use std::env;
use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

use rusqlite::Connection;

use super::check::findings;
use super::draft::Draft;
use super::generation::alone;
use super::{beside, check_header, length, schema};
use crate::store::{BackupError, Cause, Error};

/// Makes a new database at `path`, which `fill` fills. It is on disk under its name when this
/// returns. Returns its size in bytes.
///
/// # Errors
/// See [`BackupError`]. An unfinished one is removed.
pub(in crate::store) fn filled(
    path: &Path,
    fill: impl FnOnce(&Connection) -> Result<(), Error>,
) -> Result<u64, BackupError> {
    let path = std::path::absolute(path)?;
    for ending in ["", "-journal", "-wal"] {
        if beside(&path, ending).symlink_metadata().is_ok() {
            return Err(BackupError::Exists);
        }
    }
    let draft = filled_draft(&path, fill)?;
    draft.name(&path).map_err(|e| match e.kind() {
        ErrorKind::AlreadyExists => BackupError::Exists,
        _ => e.into(),
    })
}

/// The [`findings`] in a database that `fill` fills, in the folder for temporary files.
///
/// # Errors
/// There is no room for it, or `fill` fails.
pub(in crate::store) fn findings_of(
    fill: impl FnOnce(&Connection) -> Result<(), Error>,
) -> Result<Vec<String>, Error> {
    let draft = filled_draft(&env::temp_dir().join("papo-check"), fill)?;
    findings(&alone(draft.path())?)
}

fn filled_draft(
    path: &Path,
    fill: impl FnOnce(&Connection) -> Result<(), Error>,
) -> Result<Draft, Error> {
    let draft = Draft::beside(path).map_err(Error::new)?;
    let connection = Connection::open(draft.path())?;
    super::lay_out(&connection)?;
    // The draft is synced as a whole when it gets its name.
    connection.execute_batch("PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY;")?;
    schema::create(&connection)?;
    connection.execute_batch("BEGIN")?;
    fill(&connection)?;
    connection.execute_batch("COMMIT")?;
    connection.close().map_err(|(_, e)| e)?;
    Ok(draft)
}

/// Opens a database of papo's for reading, which no papod uses and nothing is wrong with.
///
/// # Errors
/// One line that names the file and gives the reason.
pub(in crate::store) fn sound(path: &Path) -> Result<Connection, Error> {
    let here = |e: Error| e.about(path.display());
    let file = File::open(path).map_err(|e| here(Error::new(e)))?;
    for ending in ["-wal", "-journal"] {
        let log = beside(path, ending);
        if length(&log) > 0 {
            return Err(here(Error::new(format_args!(
                "{} belongs to it; start and stop papod once on that file to merge them",
                log.display()
            ))));
        }
    }
    check_header(&file, path).map_err(here)?;
    let connection = alone(path).map_err(here)?;
    match findings(&connection).map_err(here)?.first() {
        None => Ok(connection),
        Some(first) => Err(here(Error::of(Cause::Damaged, format_args!("damaged: {first}")))),
    }
}
