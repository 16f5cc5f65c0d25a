//! Databases that another store fills, or is filled from.

use std::env;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use rusqlite::Connection;

use super::check::findings;
pub(in crate::store) use super::contents::NewContents;
use super::draft::Draft;
use super::files::{all, missing};
use super::generation::alone;
use super::{backup, beside, check_header, erasing, length, schema};
use crate::entry::FileRef;
use crate::store::{BackupError, Cause, Error};

/// Makes a new database at `path`, which `fill` fills, and beside it the folder of the contents of
/// its files. All of it is on disk under its name when this returns. Returns the size of the database
/// in bytes.
///
/// # Errors
/// See [`BackupError`]. An unfinished one is removed.
pub(in crate::store) fn filled(
    path: &Path,
    fill: impl FnOnce(&Connection, &mut NewContents) -> Result<(), Error>,
) -> Result<u64, BackupError> {
    let path = std::path::absolute(path)?;
    backup::check_free(&path)?;
    let draft = Draft::beside(&path).map_err(Error::new)?;
    let mut contents = NewContents::at(draft.contents());
    fill_draft(&draft, |into| {
        fill(into, &mut contents)?;
        erasing::all(into, || false)
    })?;
    contents.sync()?;
    backup::name(draft, Some(contents), &path)
}

/// The [`findings`] in a database that `fill` fills, in the folder for temporary files.
///
/// # Errors
/// There is no room for it, or `fill` fails.
pub(in crate::store) fn findings_of(
    fill: impl FnOnce(&Connection) -> Result<(), Error>,
) -> Result<Vec<String>, Error> {
    let draft = Draft::beside(&env::temp_dir().join("papo-check")).map_err(Error::new)?;
    fill_draft(&draft, fill)?;
    findings(&alone(draft.path())?)
}

fn fill_draft(
    draft: &Draft,
    fill: impl FnOnce(&Connection) -> Result<(), Error>,
) -> Result<(), Error> {
    let connection = Connection::open(draft.path())?;
    super::lay_out(&connection)?;
    // The draft is synced as a whole when it gets its name.
    connection.execute_batch("PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY;")?;
    schema::create(&connection)?;
    connection.execute_batch("BEGIN")?;
    fill(&connection)?;
    connection.execute_batch("COMMIT")?;
    connection.close().map_err(|(_, e)| e)?;
    Ok(())
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

/// What is missing of the contents of the files of a database, which are in the folder `files`: a line
/// each.
///
/// # Errors
/// The database cannot be read.
pub(in crate::store) fn missing_contents(
    of: &Connection,
    files: &Path,
) -> Result<Vec<String>, Error> {
    missing(of, |content| files.join(content.to_string()), || false)
}

/// Opens each content of the files of a database, in the folder `files`.
///
/// # Errors
/// One cannot be opened, or that of `each`.
pub(in crate::store) fn each_content(
    of: &Connection,
    files: &Path,
    mut each: impl FnMut(FileRef, &mut dyn Read) -> Result<(), Error>,
) -> Result<(), Error> {
    all(of, |_, file| {
        let path = files.join(file.hash.to_string());
        let mut open = File::open(&path).map_err(|e| Error::new(e).about(path.display()))?;
        each(file, &mut open)
    })
}
