//! The log in one SQLite file: opening it, and only if it is ours.
//!
//! `schema` holds the tables, `writer` writes, `reader` reads. One papod at a time has a database,
//! held by a `lock`; that it is the file it was, with the log that belongs to it, is known by its
//! `generation`, before SQLite sees it. `backup` copies it, `restore` puts a copy back.

mod backup;
mod chats;
mod check;
mod count;
mod decode;
mod draft;
mod expire;
mod find;
mod gather;
mod generation;
mod id_block;
mod lists;
mod lock;
mod main_file;
mod merge;
mod orphan;
mod reader;
mod receipts;
mod restore;
mod schema;
mod spare;
mod survey;
mod write_back;
mod writer;

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use rustix::process::geteuid;

use generation::{Inspection, Sidecar};
use lock::Lock;
use main_file::Generation;
pub use reader::SqliteReader;
pub use restore::restore;
use spare::Spare;
pub use survey::survey;
pub use writer::SqliteWriter;

use super::{BackupError, Cause, Error, Maintenance};
use crate::limits;

/// For a tool that holds the database for a moment. Everyone waits as long.
const PATIENCE: Duration = Duration::from_secs(2);

/// "papo" in `PRAGMA application_id`: how a file is known to be ours.
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
            // A constraint, or SQL that cannot be.
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
    /// The most that the file may grow to, in MiB.
    limit: Option<u64>,
    ending: Arc<Ending>,
    spare: Arc<Spare>,
}

impl Database {
    /// Opens the database at `path`, or makes it, and brings its schema up to date.
    ///
    /// # Errors
    /// One line that names the file and says why: unreadable, in use by another papod, not a papo
    /// database, with the log of another one beside it, from a newer version. A file that is
    /// refused is left as it was, and so is what lies beside it.
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
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(Error::new)?;
        }
        let path = resolved(path)?;
        let lock = match Lock::take(&path)? {
            Some(lock) if length(&path) > 0 => lock,
            // An empty file is as none.
            _ => create(&path)?,
        };
        let lock = Arc::new(lock);
        check_header(lock.file(), &path)?;
        let found = Inspection::look(lock.file(), &path)?;
        if lock.file().metadata().map_err(Error::new)?.nlink() > 1 {
            log::warn!("the database has a second name; under that one its log would be missed");
        }
        if let Some(warning) = survey::warning(&path) {
            log::warn!("{}: {}", path.display(), warning.trim_start_matches("warning: "));
        }
        let sidecar = Arc::new(Sidecar::open(&path).map_err(Error::new)?);
        // A failure from here on may have written the log back, and nothing else.
        let connection = write_connection(&path)?;
        let before = generation::current(&connection)?;
        schema::migrate(&connection, &lock, &sidecar)?;
        if !found.knows(before) {
            let newest = generation::jump(&connection, &lock, &sidecar)?;
            log::warn!("the database was restored or copied: ids continue above {newest}");
        }
        lock.know(generation::current(&connection)?)?;
        if sidecar.is_in_log() {
            // When this connection is closed the log is written back.
            let current = generation::current(&connection)?;
            sidecar.may_become(current, Generation::default()).map_err(Error::new)?;
        }
        let (ending, spare) = Default::default();
        Ok(Database { lock, sidecar, limit: None, ending, spare })
    }

    /// The same with a limit, in MiB, to which its writer lets the file grow: what does not fit is
    /// not kept, as on a full disk. The write-ahead log beside it is not counted.
    pub fn limited(mut self, mib: Option<u64>) -> Database {
        self.limit = mib;
        self
    }

    /// The writer. There must be one only.
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
        // The writer has the log written back by another thread.
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

    /// What an operator can have done with the database while it is in use.
    pub fn maintenance(&self) -> SqliteMaintenance {
        let (lock, ending, spare) = (&self.lock, &self.ending, &self.spare);
        SqliteMaintenance { lock: lock.clone(), ending: ending.clone(), spare: spare.clone() }
    }
}

/// A connection that may write. It applies the log that lies beside the database, if there is one.
fn write_connection(path: &Path) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    configure(&connection, -8192)?;
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(Error::new("this file system cannot hold a write-ahead log"));
    }
    // FULL syncs the log at each commit, which is what `OK` promises. The log is cut to 64 MB after a
    // burst.
    connection.execute_batch(
        "PRAGMA synchronous = FULL;
         PRAGMA journal_size_limit = 67108864;",
    )?;
    Ok(connection)
}

/// Makes the database under another name and then gives it its own, so that a file with this name
/// is always a whole database.
fn create(path: &Path) -> Result<Lock, Error> {
    let io = |e: std::io::Error| Error::new(e);
    orphan::look(path)?;
    let draft = beside(path, ".new");
    let lock = Lock::draft(&draft, path)?;
    if length(path) > 0 {
        // Another papod was quicker, and has it.
        lock::remove(&draft)?;
        return Err(Error::of(Cause::Busy, "in use by another papod"));
    }
    let connection = Connection::open(&draft)?;
    connection.execute_batch(&format!(
        "PRAGMA page_size = 4096;
         PRAGMA auto_vacuum = INCREMENTAL;
         PRAGMA application_id = {APPLICATION_ID};
         PRAGMA synchronous = FULL;"
    ))?;
    schema::create(&connection)?;
    let generation = generation::current(&connection)?;
    connection.close().map_err(|(_, e)| e)?;
    Sidecar::open(path).and_then(|file| file.is_at_rest(generation)).map_err(io)?;
    fs::rename(&draft, path).map_err(io)?;
    File::open(folder(path)).and_then(|f| f.sync_all()).map_err(io)?;
    Ok(lock)
}

/// The name of a file without symbolic links, also where there is no file yet.
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

/// A database's maintenance: what reads all of it at once, on any thread, beside the writer.
#[derive(Clone)]
pub struct SqliteMaintenance {
    lock: Arc<Lock>,
    ending: Arc<Ending>,
    spare: Arc<Spare>,
}

/// How maintenance is ended.
#[derive(Default)]
struct Ending {
    has_begun: AtomicBool,
    /// Read for as long as something is under way.
    under_way: RwLock<()>,
}

impl Maintenance for SqliteMaintenance {
    fn backup(&self, path: &Path) -> Result<u64, BackupError> {
        self.copy(path)
    }

    fn check(&self) -> Result<Vec<String>, Error> {
        if let Err(e) = self.lock.verify(None) {
            return Ok(vec![e.to_string()]);
        }
        let found = self.until_ended(check::findings);
        if self.has_ended() { Err(ended()) } else { found }
    }

    fn sizes(&self) -> (u64, u64) {
        // The file that is in use, also where another has its name by now.
        let size = self.lock.file().metadata().map_or(0, |meta| meta.len());
        (size, length(&beside(self.lock.path(), "-wal")))
    }

    fn end(&self) {
        self.ending.has_begun.store(true, Ordering::SeqCst);
        drop(self.ending.under_way.write().unwrap_or_else(PoisonError::into_inner));
    }
}

impl SqliteMaintenance {
    /// Does something on a read-only connection of its own, whose statements break off when
    /// maintenance is ended.
    fn until_ended<T, E: From<Error>>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        let ending = &self.ending.under_way;
        let _under_way = ending.read().unwrap_or_else(PoisonError::into_inner);
        let mut connection = read_connection(self.lock.path())?;
        self.breaks_off(&mut connection)?;
        work(&connection)
    }

    /// The same on the connection that was opened while the file was there.
    fn with_spare<T, E: From<Error>>(
        &self,
        otherwise: E,
        work: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        let ending = &self.ending.under_way;
        let _under_way = ending.read().unwrap_or_else(PoisonError::into_inner);
        let mut spare = self.spare.get();
        let Some(connection) = spare.as_mut() else { return Err(otherwise) };
        self.breaks_off(connection)?;
        work(connection)
    }

    fn breaks_off(&self, connection: &mut Connection) -> Result<(), Error> {
        let ending = self.ending.clone();
        let has_ended = move || ending.has_begun.load(Ordering::SeqCst);
        // Some milliseconds' work.
        Ok(connection.progress_handler(10_000, Some(has_ended))?)
    }

    /// A reader, with a read-only connection of its own.
    ///
    /// # Errors
    /// SQLite's reason.
    pub fn reader(&self) -> Result<SqliteReader, Error> {
        SqliteReader::bounded(read_connection(self.lock.path())?, limits::READ_STEPS)
    }

    /// What is under way is to break off.
    fn has_ended(&self) -> bool {
        self.ending.has_begun.load(Ordering::SeqCst)
    }
}

/// Why something was broken off.
fn ended() -> Error {
    Error::new("papod ends")
}

/// A read-only connection.
fn read_connection(path: &Path) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    // Half a MiB holds the inner pages of all trees; leaves come from the system's cache.
    configure(&connection, -512)?;
    Ok(connection)
}

/// Bytes of the database at `path` and of its write-ahead log, as far as they are there.
pub fn sizes(path: &Path) -> (u64, u64) {
    (length(path), length(&beside(path, "-wal")))
}

/// At rest the database is one file: the last connection to close has to be one that may write, or
/// the write-ahead log stays beside it.
impl Drop for Database {
    fn drop(&mut self) {
        self.spare.close();
        // Another file of this name is none of ours.
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
            log::warn!("the write-ahead log is not written back: {e}");
        }
    }
}

/// What every connection is told. Deleted text really leaves the file.
fn configure(connection: &Connection, cache: i32) -> Result<(), Error> {
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

/// Gives a new file to whom `like` belongs, where that is somebody else: who administers as root
/// must not take the database away from papod.
fn give(file: &File, like: &Path) -> std::io::Result<()> {
    let (ours, meta) = (file.metadata()?, fs::metadata(like)?);
    if (ours.uid(), ours.gid()) == (meta.uid(), meta.gid()) || !geteuid().is_root() {
        return Ok(());
    }
    fchown(file, Some(meta.uid()), Some(meta.gid()))
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

/// Carries out a statement that is used again and again.
fn run(on: &Connection, sql: &str) -> Result<(), Error> {
    on.prepare_cached(sql)?.execute([])?;
    Ok(())
}

/// Looks at the first page's header (sqlite.org, "Database File Format", 1.3) without SQLite, which
/// would take hold of the file.
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
    // Pages and their size, as the header counts them. A log that was not written back may hold
    // what the file lacks; without one the file is whole or damaged.
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
