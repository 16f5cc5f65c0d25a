//! Which state of which database a file holds, so that the write-ahead log of another database is
//! never applied to it, and no id is given twice after the file was replaced by a copy.
//!
//! The table `generation` holds a random number. It is renewed with the first transaction of each
//! write-ahead log, which also stores the number before it. The main file changes only when the log
//! is written back into it. So a log belongs to a main file if, and only if, the main file's number
//! is in one of the log's committed frames. A log that does not belong is never shown to SQLite,
//! which would apply it.
//!
//! There are two special cases. `VACUUM INTO` makes a copy with the same number but other pages: it
//! is recognised by its schema cookie, which is one higher than any in the log. And another program
//! that writes after all of a log was written back begins one without a number: then the main file
//! has the newest number.
//!
//! The newest number is also kept in a file beside the database, the sidecar, which says as well
//! whether that number is in a log or, renewed once more at shutdown, in the main file. If the
//! database's number is not in the sidecar, or not where the sidecar says, the database was
//! restored or copied, or its log was removed. The original may have given ids that this one does
//! not know of, so new ids go on far above: see [`jump`].
//!
//! What goes unnoticed is a database, log and sidecar put back together, as from a snapshot of the
//! disk: they look like the files after a crash. Use `papod --restore` instead.

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

/// What the files say, read before SQLite opens them.
pub(super) struct Inspection {
    /// There is a write-ahead log with something in it that is not written back.
    pub(super) has_log: bool,
    sidecar: Option<SidecarState>,
}

impl Inspection {
    /// Looks at the database at `path`, and changes nothing.
    ///
    /// # Errors
    /// It is damaged, or the log beside it belongs to another database.
    pub(super) fn look(file: &File, path: &Path) -> Result<Inspection, Error> {
        let main = MainFile::read(file).map_err(Error::new)?;
        let sidecar = SidecarState::read(path)?;
        // Either of the sidecar's two numbers will do for a log without numbers: if the second one
        // was ever committed, it is in the main file by now.
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
            // Without a log the main file has to be complete.
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

/// The generation that a connection sees.
pub(super) fn current(on: &Connection) -> Result<Generation, Error> {
    Ok(on.query_row("SELECT current FROM generation", [], |row| row.get(0))?)
}

/// The contents of the sidecar.
struct SidecarState {
    /// The number is in a log; otherwise the log was written back at shutdown.
    in_log: bool,
    /// The newest number, and the one it may have become. If they differ, it is also uncertain
    /// which file has it.
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

/// The first word of the sidecar, for where the number is: in a log, or in the main file. Both have
/// the same length.
const OPEN: &str = "open";
const SHUT: &str = "shut";

/// Bytes of the sidecar: a word of four letters and two numbers of 32 hexadecimal digits, a line
/// each.
const LENGTH: u64 = 5 + 2 * 33;

/// The file beside the database that names its generation. Its length never changes, so it can be
/// written even if the disk is full.
pub(super) struct Sidecar {
    file: File,
    in_log: AtomicBool,
}

impl Sidecar {
    /// Opens it, or creates one that names no generation.
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

    /// Whether a write-ahead log is in use, or was when papod last ended.
    pub(super) fn is_in_log(&self) -> bool {
        self.in_log.load(Ordering::Relaxed)
    }

    /// Records that the number is `known`, in a log or in the main file, and may become `next`.
    pub(super) fn may_become(&self, known: Generation, next: Generation) -> std::io::Result<()> {
        self.write(OPEN, [known, next])
    }

    /// Records that the number is `known`, in a log that is not written back.
    pub(super) fn is_now(&self, known: Generation) -> std::io::Result<()> {
        self.write(OPEN, [known; 2])
    }

    /// Records that the number is `known`, in the main file, and that there is no log.
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

/// Renews the number within the current transaction. Once that is committed, [`Sidecar::is_now`]
/// has to be called; until then the sidecar names both numbers.
pub(super) fn renew(on: &Connection, sidecar: &Sidecar) -> Result<Generation, Error> {
    let sql = "SELECT current, randomblob(16) FROM generation";
    let (known, next): (Generation, Generation) =
        on.prepare_cached(sql)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    sidecar.may_become(known, next).map_err(Error::new)?;
    on.prepare_cached("UPDATE generation SET before = current, current = ?1")?.execute([next])?;
    // The version is written unchanged, to get the first page, with the schema cookie, into the
    // log.
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

/// Does `work` in a transaction, which is committed, or rolled back if anything fails.
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

/// Raises the newest entry id and move number far above any that another copy of this database may
/// have given. Returns the newest entry id.
///
/// They become the microseconds since 1970, which no copy has reached: nobody gives a million ids a
/// second. If the current number is higher, because the clock was set back or once was wrong,
/// [`limits::JUMP`] and a random part are added instead. Either stays far below 2^53, up to which
/// numbers in JSON are exact.
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
