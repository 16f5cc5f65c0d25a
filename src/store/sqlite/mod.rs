//! The log in one SQLite file: opening it, and only if it is ours.
//!
//! `schema` holds the tables, `pen` writes, `eyes` reads. One papod at a time has a database, held
//! by a lock on a file beside it: a POSIX lock on the database itself would undo SQLite's own
//! (sqlite.org, "How To Corrupt An SQLite Database File", 2.2).

mod backup;
mod chats;
mod check;
mod count;
mod eyes;
mod forget;
mod lists;
mod pen;
mod receipts;
mod rows;
mod schema;
mod stretch;
mod walk;

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::Read;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

pub use eyes::Eyes;
pub use pen::Pen;

use super::{BackupError, Error, Maintain};

/// For a tool that holds the database for a moment. Everyone waits as long.
const PATIENCE: Duration = Duration::from_secs(2);

/// "papo" in `PRAGMA application_id`: how a file is known to be ours.
const APPLICATION_ID: i32 = 0x7061_706f;

impl From<rusqlite::Error> for Error {
    fn from(e: rusqlite::Error) -> Error {
        Error::new(e)
    }
}

/// A database that this process holds.
pub struct Database {
    path: PathBuf,
    /// The most that the file may grow to, in MiB.
    limit: Option<u64>,
    /// It was found good.
    good: bool,
    /// Locked for as long as it is open.
    _lock: File,
}

impl Database {
    /// Opens the database at `path`, or makes it, and brings its schema up to date.
    ///
    /// # Errors
    /// One line that names the file and says why: unreadable, in use by another papod, not a papo
    /// database, from a newer version. A file that is refused is left as it was.
    pub fn open(path: &Path) -> Result<Database, Error> {
        let say = |what: &dyn std::fmt::Display| Error::new(format!("{}: {what}", path.display()));
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|e| say(&e))?;
        }
        let is_there = match fs::metadata(path) {
            Ok(meta) if !meta.is_file() => return Err(say(&"not a file")),
            Ok(meta) => meta.len() > 0,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => false,
            Err(e) => return Err(say(&e)),
        };
        if is_there {
            check_header(path).map_err(|e| say(&e))?;
        }
        let lock = lock(&beside(path, ".lock")).map_err(|e| say(&e))?;
        let mut database =
            Database { path: path.to_owned(), limit: None, good: false, _lock: lock };
        if !is_there {
            database.create().map_err(|e| say(&e))?;
        }
        let mut connection = database.writer().map_err(|e| say(&e))?;
        schema::migrate(&mut connection).map_err(|e| say(&e))?;
        database.good = true;
        Ok(database)
    }

    /// The same with a limit, in MiB, to which its pen lets the file grow: what does not fit is not
    /// kept, as on a full disk. The write-ahead log beside it is not counted.
    pub fn limited(mut self, mib: Option<u64>) -> Database {
        self.limit = mib;
        self
    }

    /// The pen. There must be one only.
    ///
    /// # Errors
    /// SQLite's reason.
    pub fn pen(&self) -> Result<Pen, Error> {
        let writer = self.writer()?;
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
        Ok(Pen::new(writer))
    }

    /// A pair of eyes, with a read-only connection of its own.
    ///
    /// # Errors
    /// SQLite's reason.
    pub fn eyes(&self) -> Result<Eyes, Error> {
        Ok(Eyes::new(self.upkeep().reader()?))
    }

    /// What an operator can have done with the database while it is in use.
    pub fn upkeep(&self) -> Upkeep {
        Upkeep { path: self.path.clone() }
    }

    fn writer(&self) -> Result<Connection, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        settle(&connection, -8192)?;
        let mode: String =
            connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
        if mode != "wal" {
            return Err(Error::new("this file system cannot hold a write-ahead log"));
        }
        // FULL syncs the log at each commit, which is what `OK` promises. A checkpoint each 10,000
        // pages (40 MB) instead of 1,000: rows that change often are written back once, and the
        // slow commits become rare. The file is cut to 64 MB after a burst.
        connection.execute_batch(
            "PRAGMA synchronous = FULL;
             PRAGMA wal_autocheckpoint = 10000;
             PRAGMA journal_size_limit = 67108864;",
        )?;
        Ok(connection)
    }

    /// Makes the database under another name and then gives it its own, so that a file with this
    /// name is always a whole database.
    fn create(&self) -> Result<(), Error> {
        let draft = beside(&self.path, ".new");
        let io = |e: std::io::Error| Error::new(e);
        match fs::remove_file(&draft) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(io(e)),
            _ => {}
        }
        private().create_new(true).write(true).open(&draft).map_err(io)?;
        let connection = Connection::open(&draft)?;
        connection.execute_batch(&format!(
            "PRAGMA page_size = 4096;
             PRAGMA auto_vacuum = INCREMENTAL;
             PRAGMA application_id = {APPLICATION_ID};
             PRAGMA synchronous = FULL;
             PRAGMA user_version = 0;
             VACUUM;"
        ))?;
        connection.close().map_err(|(_, e)| e)?;
        fs::rename(&draft, &self.path).map_err(io)?;
        File::open(folder(&self.path)).and_then(|f| f.sync_all()).map_err(io)
    }
}

/// A database's upkeep: what reads all of it at once, on any thread, beside the pen. It knows the
/// file only and does not hold it, so it is of use for as long as its [`Database`] lives.
#[derive(Clone)]
pub struct Upkeep {
    path: PathBuf,
}

impl Maintain for Upkeep {
    fn backup(&self, path: &Path) -> Result<u64, BackupError> {
        self.copy(path)
    }

    fn check(&self) -> Result<Vec<String>, Error> {
        self.findings()
    }
}

impl Upkeep {
    /// A read-only connection of its own.
    fn reader(&self) -> Result<Connection, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        // Half a MiB holds the inner pages of all trees; leaves come from the system's cache.
        settle(&connection, -512)?;
        Ok(connection)
    }
}

/// Bytes of the database at `path` and of its write-ahead log, as far as they are there.
pub fn sizes(path: &Path) -> (u64, u64) {
    (length(path), length(&beside(path, "-wal")))
}

/// At rest the database is one file: the last connection to close has to be one that may write, or
/// the write-ahead log stays beside it.
impl Drop for Database {
    fn drop(&mut self) {
        if !self.good {
            return;
        }
        let written_back = self.writer().and_then(|connection| {
            connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").map_err(Error::from)
        });
        if let Err(e) = written_back {
            log::warn!("the write-ahead log stays beside the database: {e}");
        }
    }
}

/// What every connection is told. Deleted text really leaves the file.
fn settle(connection: &Connection, cache: i32) -> Result<(), Error> {
    connection.busy_timeout(PATIENCE)?;
    connection.set_prepared_statement_cache_capacity(64);
    // Plans do not depend on the values that are bound. Else SQLite looks at them, and a cached
    // statement is prepared anew at each use: half of what a log-in cost.
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

/// The folder in which a file is.
fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |meta| meta.len())
}

/// What people write is nobody else's to read.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

fn lock(path: &Path) -> Result<File, Error> {
    let file = private()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(|e| Error::new(format!("cannot make its lock file: {e}")))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::new("in use by another papod")),
        Err(TryLockError::Error(e)) => Err(Error::new(format!("cannot be locked: {e}"))),
    }
}

/// Looks at the first page's header (sqlite.org, "Database File Format", 1.3) without SQLite, which
/// would take hold of the file.
fn check_header(path: &Path) -> Result<(), Error> {
    let mut header = Vec::new();
    File::open(path)
        .and_then(|file| file.take(100).read_to_end(&mut header))
        .map_err(Error::new)?;
    let word = |at: usize| -> Option<i32> {
        Some(i32::from_be_bytes(header.get(at..at + 4)?.try_into().ok()?))
    };
    if !header.starts_with(b"SQLite format 3\0") || word(68) != Some(APPLICATION_ID) {
        return Err(Error::new("not a papo database"));
    }
    schema::check_version(word(60).unwrap_or(-1))?;
    // Pages and their size, as the header counts them. A log that was not written back may hold
    // what the file lacks; without one the file is whole or damaged.
    let size = header.get(16..18).map_or(0, |b| u64::from(u16::from_be_bytes([b[0], b[1]])));
    let pages = word(28).and_then(|pages| u64::try_from(pages).ok()).unwrap_or(0);
    let whole = pages * if size == 1 { 65_536 } else { size };
    if length(&beside(path, "-wal")) == 0 && length(path) < whole {
        return Err(Error::new(format!(
            "damaged: it has {} bytes of {whole}; put back a copy that is whole",
            length(path)
        )));
    }
    Ok(())
}
