//! The log in one SQLite file: opening it, once it is known to be ours.
//!
//! `schema` holds the tables, `writer` writes, `reader` reads. One papod at a time uses a database:
//! it holds the `lock`. Its `generation` tells, before SQLite opens the file, whether it is the
//! database that was here last and whether the write-ahead log beside it is its own. `backup`
//! copies it, `restore` puts a copy back.

mod about;
mod accounts;
mod backup;
mod chats;
mod check;
mod contents;
#[cfg(test)]
mod cost_tests;
mod count;
pub(in crate::store) mod decode;
mod devices;
mod draft;
mod erasing;
#[cfg(feature = "postgres")]
pub(in crate::store) mod exchange;
mod expire;
mod expired;
mod files;
mod find;
mod gather;
mod generation;
mod groups;
mod id_block;
mod inventory;
mod invitations;
pub(in crate::store) mod later;
mod lists;
mod lock;
mod log_file;
mod main_file;
mod maintenance;
mod marking;
mod merge;
mod orphan;
mod reader;
mod receipts;
mod restore;
mod schema;
mod search;
mod span;
mod spare;
mod statements;
mod survey;
pub(in crate::store) mod tags;
mod visible;
mod write_back;
mod writer;

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use rustix::process::geteuid;

pub use files::files_beside;
use generation::{Inspection, Sidecar};
use lock::Lock;
use main_file::Generation;
use maintenance::ContentsBeside;
use maintenance::Ending;
pub use maintenance::SqliteMaintenance;
pub use reader::SqliteReader;
pub use restore::{Restored, restore};
use search::SearchFile;
pub use search::SqliteIndexer;
use spare::Spare;
pub use survey::survey;
pub use writer::SqliteWriter;

use super::contents::Contents;
use super::{Cause, Error};

/// The busy timeout of every connection, for a tool that holds the database for a moment.
const PATIENCE: Duration = Duration::from_secs(2);

/// `PRAGMA application_id` of our databases: "papo" in ASCII.
const APPLICATION_ID: i32 = 0x7061_706f;

impl From<rusqlite::Error> for Error {
    fn from(e: rusqlite::Error) -> Error {
        if e.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) {
            return Error::of(Cause::Disk, "a query took too long and was stopped");
        }
        let cause = match e.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Cause::Busy,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Cause::Damaged,
            Some(
                ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::PermissionDenied
                | ErrorCode::OutOfMemory
                | ErrorCode::FileLockingProtocolFailed,
            ) => Cause::Disk,
            // A violated constraint, or invalid SQL.
            Some(_) => Cause::Bug,
            // A row or a value that is not what the schema says.
            None => match e {
                rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::QueryReturnedNoRows
                | rusqlite::Error::Utf8Error(..) => Cause::Damaged,
                _ => Cause::Bug,
            },
        };
        Error::of(cause, e)
    }
}

/// A database that this process holds.
pub struct Database {
    /// Held for as long as anyone uses the database.
    lock: Arc<Lock>,
    sidecar: Arc<Sidecar>,
    /// Maximum size of the main file, in MiB.
    limit: Option<u64>,
    ending: Arc<Ending>,
    spare: Arc<Spare>,
    /// Where the contents of files are.
    files: Option<ContentsBeside>,
    search: Arc<SearchFile>,
}

impl Database {
    /// Opens the database at `path`, or creates it, if need be with its folder, and brings its schema
    /// up to date. What that folder is in has to be there: a path of which more is missing is
    /// probably not the one that was meant.
    ///
    /// # Errors
    /// One line that names the file and gives the reason: unreadable, in use by another papod, not
    /// a papo database, beside the write-ahead log of another one, or from a newer version. A
    /// refused file is left as it was, and so are the files beside it.
    pub fn open(path: &Path) -> Result<Database, Error> {
        Database::open_at(path).map_err(|e| {
            let e = e.about(path.display());
            match survey::refused(path) {
                Some(why) if e.cause() == Cause::Disk => Error::new(format_args!("{e}; {why}")),
                _ => e,
            }
        })
    }

    fn open_at(path: &Path) -> Result<Database, Error> {
        let within = folder(path);
        match DirBuilder::new().mode(0o700).create(within) {
            Err(_) if within.is_dir() => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                let missing = folder(within).display();
                return Err(Error::new(format_args!("there is no folder {missing}")));
            }
            made => made.map_err(Error::new)?,
        }
        let path = resolved(path)?;
        let lock = match Lock::take(&path)? {
            Some(lock) if length(&path) > 0 => lock,
            // An empty file counts as missing.
            _ => create(&path)?,
        };
        let lock = Arc::new(lock);
        check_header(lock.file(), &path)?;
        let found = Inspection::look(lock.file(), &path)?;
        if lock.file().metadata().map_err(Error::new)?.nlink() > 1 {
            log::warn!("the database has a second name, by which its write-ahead log is not found");
        }
        if let Some(warning) = survey::warning(&path) {
            log::warn!("{}: {}", path.display(), warning.trim_start_matches("warning: "));
        }
        let sidecar = Arc::new(Sidecar::open(&path).map_err(Error::new)?);
        let search = Arc::new(SearchFile::of(&path));
        // If anything fails from here on, at most the write-ahead log has been written back.
        let connection = write_connection(&path)?;
        let before = generation::current(&connection)?;
        schema::migrate(&connection, &lock, &sidecar)?;
        if !found.knows(before) {
            let newest = generation::jump(&connection, &lock, &sidecar)?;
            log::warn!("the database was restored or copied: ids continue above {newest}");
            // It may lack texts that are back, and have others.
            search.remove()?;
        }
        let cookie = connection.query_row("PRAGMA schema_version", [], |row| row.get(0))?;
        lock.know(generation::current(&connection)?, cookie)?;
        if sidecar.is_in_log() {
            // When this connection is closed, the log is written back.
            let current = generation::current(&connection)?;
            sidecar.may_become(current, Generation::default()).map_err(Error::new)?;
        }
        let (ending, spare) = Default::default();
        Ok(Database { lock, sidecar, limit: None, ending, spare, files: None, search })
    }

    /// The same database with a maximum size of its main file, in MiB. A write that does not fit
    /// fails as on a full disk. The write-ahead log is not counted.
    pub fn limited(mut self, mib: Option<u64>) -> Database {
        self.limit = mib;
        self
    }

    /// The same database with the contents of its files, which are in this folder, for backups and
    /// checks.
    ///
    /// # Errors
    /// The current folder is gone.
    pub fn with_files(mut self, folder: &Path, contents: Arc<Contents>) -> io::Result<Database> {
        let folder = std::path::absolute(folder)?;
        self.files = Some(ContentsBeside { folder, contents });
        Ok(self)
    }

    /// The writer. To be called once.
    ///
    /// # Errors
    /// SQLite's reason.
    pub fn writer(&self) -> Result<SqliteWriter, Error> {
        let writer = write_connection(self.lock.path())?;
        if let Some(mib) = self.limit {
            let size: i64 = writer.query_row("PRAGMA page_size", [], |row| row.get(0))?;
            // SQLite counts pages, 2^32 - 2 at most.
            let bytes = i64::try_from(mib).unwrap_or(i64::MAX).saturating_mul(1 << 20);
            let pages = (bytes / size.max(1)).clamp(1, 0xffff_fffe);
            let sql = format!("PRAGMA max_page_count = {pages}");
            if writer.query_row(&sql, [], |row| row.get::<_, i64>(0))? > pages {
                log::warn!("the database is above its limit of {mib} MiB and cannot grow");
            }
        }
        // Another thread writes the log back: see `write_back`.
        writer.pragma_update(None, "wal_autocheckpoint", 0)?;
        self.spare.open(self.lock.path())?;
        Ok(SqliteWriter::new(writer, self.lock.clone(), self.sidecar.clone()))
    }

    /// A reader, with a read-only connection of its own.
    ///
    /// # Errors
    /// SQLite's reason.
    pub fn reader(&self) -> Result<SqliteReader, Error> {
        self.maintenance().reader()
    }

    /// Backup and check of the database while it is in use.
    pub fn maintenance(&self) -> SqliteMaintenance {
        let (lock, ending, spare) = (self.lock.clone(), self.ending.clone(), self.spare.clone());
        let (files, search) = (self.files.clone(), self.search.clone());
        SqliteMaintenance { lock, ending, spare, files, search }
    }
}

/// A connection that may write. Opening it recovers the write-ahead log beside the database, if
/// there is one.
fn write_connection(path: &Path) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    configure(&connection, -8192)?;
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(Error::new("this file system cannot hold a write-ahead log"));
    }
    // FULL syncs the log at each commit, which is what `OK` promises. The log is cut to 64 MiB
    // after a burst.
    connection.execute_batch(
        "PRAGMA synchronous = FULL;
         PRAGMA journal_size_limit = 67108864;",
    )?;
    Ok(connection)
}

/// Creates the database under another name and then renames it, so that a file of this name is
/// always a complete database.
fn create(path: &Path) -> Result<Lock, Error> {
    let io = |e: std::io::Error| Error::new(e);
    orphan::look(path)?;
    let draft = beside(path, ".new");
    let lock = Lock::draft(&draft, path)?;
    if length(path) > 0 {
        // Another papod was faster, and has it.
        lock::remove(&draft)?;
        return Err(Error::of(Cause::Busy, "in use by another papod"));
    }
    let connection = Connection::open(&draft)?;
    lay_out(&connection)?;
    schema::create(&connection)?;
    let generation = generation::current(&connection)?;
    connection.close().map_err(|(_, e)| e)?;
    Sidecar::open(path).and_then(|file| file.is_at_rest(generation)).map_err(io)?;
    fs::rename(&draft, path).map_err(io)?;
    File::open(folder(path)).and_then(|f| f.sync_all()).map_err(io)?;
    Ok(lock)
}

/// Settings that a database keeps from its first page on.
fn lay_out(connection: &Connection) -> Result<(), Error> {
    Ok(connection.execute_batch(&format!(
        "PRAGMA page_size = 4096;
         PRAGMA auto_vacuum = INCREMENTAL;
         PRAGMA application_id = {APPLICATION_ID};
         PRAGMA synchronous = FULL;"
    ))?)
}

/// The path of a file with symbolic links resolved, even if there is no file yet.
fn resolved(path: &Path) -> Result<PathBuf, Error> {
    match fs::metadata(path) {
        Ok(meta) if !meta.is_file() => Err(Error::new("not a file")),
        Ok(meta) if meta.len() > 0 => fs::canonicalize(path).map_err(Error::new),
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::new(e)),
        Err(_) if path.symlink_metadata().is_ok() => {
            Err(Error::new("a symbolic link to a file that is not there"))
        }
        _ => {
            let folder = fs::canonicalize(folder(path)).map_err(Error::new)?;
            Ok(folder.join(path.file_name().unwrap_or_default()))
        }
    }
}

/// A read-only connection.
fn read_connection(path: &Path) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    // Half a MiB holds the inner pages of all trees; leaves come from the system's cache.
    configure(&connection, -512)?;
    Ok(connection)
}

/// Bytes of the database at `path` and of its write-ahead log, 0 for a missing file.
pub fn sizes(path: &Path) -> (u64, u64) {
    (length(path), length(&beside(path, "-wal")))
}

/// Leaves the database as a single file. For that the last connection to close has to be one that
/// may write, or the write-ahead log stays beside it.
impl Drop for Database {
    fn drop(&mut self) {
        self.spare.close();
        self.search.settle();
        // If another file has this name by now, it is not ours to write to.
        let is_ours = self.lock.verify(None).and_then(|()| self.lock.verify_main());
        let written_back = is_ours.and_then(|()| {
            let connection = write_connection(self.lock.path())?;
            if !self.sidecar.is_in_log() {
                // Nothing was ever written.
                return Ok(());
            }
            let last = generation::renew_alone(&connection, &self.sidecar)?;
            let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
            if connection.query_row(sql, [], |row| row.get(0))? {
                return Err(Error::of(Cause::Busy, "another program is reading it"));
            }
            self.sidecar.is_at_rest(last).map_err(Error::new)
        });
        if let Err(e) = written_back {
            log::warn!("the write-ahead log was not written back: {e}");
        }
    }
}

/// Settings of every connection. With `secure_delete`, deleted text is overwritten in the file.
fn configure(connection: &Connection, cache: i32) -> Result<(), Error> {
    connection.busy_timeout(PATIENCE)?;
    connection.set_prepared_statement_cache_capacity(64);
    // Query plans must not depend on bound values. Otherwise SQLite looks at those and prepares a
    // cached statement anew at each use: half of what a login cost.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.execute_batch(&format!(
        "PRAGMA secure_delete = ON; PRAGMA foreign_keys = OFF; PRAGMA cache_size = {cache};"
    ))?;
    Ok(())
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Gives a new file the owner of `like`, if that is somebody else: an operator who runs this as
/// root must not take the database away from papod.
fn give(file: &File, like: &Path) -> std::io::Result<()> {
    let (ours, meta) = (file.metadata()?, fs::metadata(like)?);
    if (ours.uid(), ours.gid()) == (meta.uid(), meta.gid()) || !geteuid().is_root() {
        return Ok(());
    }
    fchown(file, Some(meta.uid()), Some(meta.gid()))
}

/// The folder of a file.
fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |meta| meta.len())
}

/// Options for files that only their owner may read.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

/// Runs a statement that is used again and again, and so is cached.
fn run(on: &Connection, sql: &str) -> Result<(), Error> {
    on.prepare_cached(sql)?.execute([])?;
    Ok(())
}

/// Checks the first page's header (sqlite.org, "Database File Format", 1.3) without SQLite, which
/// would lock the file.
fn check_header(file: &File, path: &Path) -> Result<(), Error> {
    let mut header = [0; 100];
    let size = file.metadata().map_err(Error::new)?.len();
    let ours = Error::of(Cause::Damaged, "not a papo database");
    if size < 100 {
        return Err(ours);
    }
    file.read_exact_at(&mut header, 0).map_err(Error::new)?;
    let word = |at: usize| -> i32 {
        header.get(at..at + 4).map_or(0, |b| i32::from_be_bytes(b.try_into().unwrap_or_default()))
    };
    if !header.starts_with(b"SQLite format 3\0") || word(68) != APPLICATION_ID {
        return Err(ours);
    }
    schema::check_version(word(60))?;
    // Number of pages and their size, from the header. What the file lacks may be in a write-ahead
    // log that was not written back. Without one, a file that is too short is damaged.
    let page = u64::from(u16::from_be_bytes([header[16], header[17]]));
    let pages = u64::try_from(word(28)).unwrap_or(0);
    let whole = pages * if page == 1 { 65_536 } else { page };
    if length(&beside(path, "-wal")) == 0 && size < whole {
        return Err(Error::of(
            Cause::Damaged,
            format!("damaged: it has {size} bytes of {whole}; restore a complete copy"),
        ));
    }
    Ok(())
}

/// The failure of an operation that was broken off.
fn ended() -> Error {
    Error::new("papod is shutting down")
}
