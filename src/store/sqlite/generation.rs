//! Which state of which database a file is, so that neither a log of another one is applied to it
//! nor an id given twice after a copy was put in its place.
//!
//! The table `generation` holds a random number, renewed with the first transaction of each
//! write-ahead log; that transaction also writes down the number before it. The main file changes
//! only when the log is written back into it. So a log goes with a main file if, and only if, the
//! main file's number is in one of the log's committed frames. (`VACUUM INTO` makes a copy with the
//! same number and other pages, whose schema cookie is one higher than any in the log.) A log that
//! does not is never shown to SQLite, which would apply it. (Another program that writes begins a log
//! without a number, where all of the one before was written back. Then the main file's is the newest
//! that there was.)
//!
//! The newest number is also written into a file beside the database, the sidecar, and whether it is
//! in a log or, renewed once more at the end, in the main file. A database whose number is not
//! there, or elsewhere, was restored or copied, or its log was removed: its original may have given
//! ids that this one does not know of, so they go on far above.
//!
//! What cannot be seen: database, log and sidecar put back together, as a snapshot of the disk
//! does; that is what a crash leaves, too. `papod --restore` is for that.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::{Connection, OpenFlags};

use super::lock::Lock;
use super::main_file::{Generation, LogMatch, MainFile};
use super::{beside, folder, give, length, private, run};
use crate::entry::{Clock, Millis};
use crate::limits;
use crate::store::{Cause, Error};

/// What the files say, before SQLite has looked at them.
pub(super) struct Inspection {
    /// There is a log with something in it that is not written back.
    pub(super) has_log: bool,
    sidecar: Option<SidecarState>,
}

impl Inspection {
    /// Looks at the database at `path`, and changes nothing.
    ///
    /// # Errors
    /// It is damaged, or what lies beside it belongs to another one.
    pub(super) fn look(file: &File, path: &Path) -> Result<Inspection, Error> {
        let main = MainFile::read(file).map_err(Error::new)?;
        let sidecar = SidecarState::read(path)?;
        // Of two that are known, the second was never in this log, nor in one that is written back.
        let is_newest = main.generation.is_some_and(|newest| {
            sidecar.as_ref().is_some_and(|said| said.known.contains(&newest))
        });
        let log = beside(path, "-wal");
        let has_log = length(&log) > 0
            && match main.log(&log).map_err(Error::new)? {
                LogMatch::Empty => false,
                LogMatch::Its => true,
                LogMatch::Unmarked if is_newest => true,
                LogMatch::Unmarked | LogMatch::Foreign => return Err(foreign(&log)),
            };
        if !has_log {
            // Then it has to be whole.
            current(&alone(path)?)?;
        }
        Ok(Inspection { has_log, sidecar })
    }

    /// Whether a database with this number is the one that was here last.
    pub(super) fn knows(&self, generation: Generation) -> bool {
        let knows = |said: &SidecarState| {
            let [known, next] = said.known;
            let is_settled = known == next;
            said.known.contains(&generation) && (!is_settled || said.in_log == self.has_log)
        };
        self.sidecar.as_ref().is_some_and(knows)
    }
}

fn foreign(beside: &Path) -> Error {
    let text = format!(
        "{} is of another database, and nothing was changed; papod --restore FILE puts a copy back \
         and keeps all that is there",
        beside.display()
    );
    Error::of(Cause::Damaged, text)
}

/// A connection to the main file alone: it neither looks for a log nor takes locks, and writes
/// nothing.
pub(super) fn alone(path: &Path) -> Result<Connection, Error> {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' => uri.push(char::from(*byte)),
            byte if byte.is_ascii_alphanumeric() => uri.push(char::from(*byte)),
            byte => uri += &format!("%{byte:02X}"),
        }
    }
    uri += "?immutable=1";
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Ok(Connection::open_with_flags(uri, flags)?)
}

/// The number that a connection sees.
pub(super) fn current(on: &Connection) -> Result<Generation, Error> {
    Ok(on.query_row("SELECT current FROM generation", [], |row| row.get(0))?)
}

/// What the sidecar says.
struct SidecarState {
    /// The number is in a log; else the log was written back at the end, and is empty.
    in_log: bool,
    /// The newest number, and the one that it may become. Where they differ it is not certain
    /// either in which file it is.
    known: [Generation; 2],
}

impl SidecarState {
    fn read(path: &Path) -> Result<Option<SidecarState>, Error> {
        match fs::read(beside(path, ".generation")) {
            Ok(text) => Ok(str::from_utf8(&text).ok().and_then(SidecarState::parse)),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(Error::new(e)),
        }
    }

    fn parse(text: &str) -> Option<SidecarState> {
        let mut lines = text.lines();
        let in_log = lines.next()? == OPEN;
        let mut number = || {
            let line = lines.next().filter(|line| line.len() == 32)?;
            u128::from_str_radix(line, 16).ok().map(u128::to_be_bytes)
        };
        Some(SidecarState { in_log, known: [number()?, number()?] })
    }
}

/// The words for where the number is, of one length.
const OPEN: &str = "open";
const SHUT: &str = "shut";

/// A word of four letters and two numbers of 32 hexadecimal digits, each on a line.
const LENGTH: u64 = 5 + 2 * 33;

/// The file beside the database that says by which numbers it is known. Its length never changes, so
/// a full disk does not keep it from being written.
pub(super) struct Sidecar {
    file: File,
    in_log: AtomicBool,
}

impl Sidecar {
    /// Opens it, or makes one that knows nothing.
    pub(super) fn open(path: &Path) -> std::io::Result<Sidecar> {
        let name = beside(path, ".generation");
        let is_new = !name.exists();
        let mut options = private();
        let file = options.read(true).write(true).create(true).truncate(false).open(name)?;
        file.set_len(LENGTH)?;
        if is_new {
            let owner = if path.exists() { path } else { folder(path) };
            give(&file, owner)?;
            File::open(folder(path))?.sync_all()?;
        }
        let mut word = [0; 4];
        file.read_exact_at(&mut word, 0)?;
        Ok(Sidecar { file, in_log: (word == OPEN.as_bytes()).into() })
    }

    /// A log is in use, or was.
    pub(super) fn is_in_log(&self) -> bool {
        self.in_log.load(Ordering::Relaxed)
    }

    /// The number is in a log or in the main file, and is about to become another one.
    pub(super) fn may_become(&self, known: Generation, next: Generation) -> std::io::Result<()> {
        self.write(OPEN, [known, next])
    }

    /// The number is in a log that is not written back.
    pub(super) fn is_now(&self, known: Generation) -> std::io::Result<()> {
        self.write(OPEN, [known; 2])
    }

    /// The number is in the main file, and there is no log.
    pub(super) fn is_at_rest(&self, known: Generation) -> std::io::Result<()> {
        self.write(SHUT, [known; 2])
    }

    fn write(&self, word: &str, known: [Generation; 2]) -> std::io::Result<()> {
        let mut text = format!("{word}\n");
        for generation in known {
            text += &format!("{:032x}\n", u128::from_be_bytes(generation));
        }
        self.file.write_all_at(text.as_bytes(), 0)?;
        self.file.sync_data()?;
        self.in_log.store(word == OPEN, Ordering::Relaxed);
        Ok(())
    }
}

/// Renews the number, within a transaction. When that is committed [`Sidecar::is_now`] is to be
/// told; until then it knows both.
pub(super) fn renew(on: &Connection, sidecar: &Sidecar) -> Result<Generation, Error> {
    let sql = "SELECT current, randomblob(16) FROM generation";
    let (known, next): (Generation, Generation) =
        on.prepare_cached(sql)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    sidecar.may_become(known, next).map_err(Error::new)?;
    on.prepare_cached("UPDATE generation SET before = current, current = ?1")?.execute([next])?;
    // It stays what it is, but the first page is in the log then, with the schema cookie.
    let version: i32 = on.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    on.pragma_update(None, "user_version", version)?;
    Ok(next)
}

/// Renews the number in a transaction of its own.
pub(super) fn renew_alone(on: &Connection, sidecar: &Sidecar) -> Result<Generation, Error> {
    let next = in_transaction(on, |on| renew(on, sidecar))?;
    sidecar.is_now(next).map_err(Error::new)?;
    Ok(next)
}

/// Does something in a transaction, which is committed, or undone where that fails.
pub(super) fn in_transaction<T>(
    on: &Connection,
    work: impl FnOnce(&Connection) -> Result<T, Error>,
) -> Result<T, Error> {
    run(on, "BEGIN IMMEDIATE")?;
    let done = work(on).and_then(|done| run(on, "COMMIT").map(|()| done));
    if done.is_err() && !on.is_autocommit() {
        run(on, "ROLLBACK")?;
    }
    done
}

/// Lets ids and the numbers of cursor moves go on far above all that another life of this database
/// can have given. Returns the newest entry from now on.
///
/// The microseconds since 1970 are above them: nobody gives a million ids a second. Where the clock
/// was set back, or once was wrong, a distance and chance have to do. Either stays far below 2^53,
/// up to where a number of JSON is exact.
pub(super) fn jump(on: &Connection, lock: &Lock, sidecar: &Sidecar) -> Result<i64, Error> {
    lock.verify(None)?;
    let Millis(now) = Clock::System.now();
    let above = |number: i64, chance: i64| {
        let time = now.saturating_mul(1_000);
        if (number..1 << 52).contains(&time) { time } else { number + limits::JUMP + chance }
    };
    in_transaction(on, |on| {
        renew(on, sidecar)?;
        let sql = "SELECT entry, moved, abs(random() % ?1) FROM newest";
        let (entry, moved) = on.query_row(sql, [limits::JUMP], |row| {
            let chance = row.get(2)?;
            Ok((above(row.get(0)?, chance), above(row.get(1)?, chance)))
        })?;
        on.execute("UPDATE newest SET entry = ?1, moved = ?2", [entry, moved])?;
        Ok(entry)
    })
}
