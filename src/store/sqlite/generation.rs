//! Which state of which database a file is, so that neither a log of another one is applied to it
//! nor an id given twice after a copy was put in its place.
//!
//! The table `generation` holds a random number, renewed with the first transaction of each
//! write-ahead log; that transaction also writes down the number before it. The main file changes
//! only when the log is written back into it. So a log goes with a main file if, and only if, the
//! main file's number is in one of the log's committed frames. (`VACUUM INTO` makes a copy with the
//! same number and other pages, whose schema cookie is one higher than any in the log.) A log that
//! does not is never shown to SQLite, which would apply it.
//!
//! The newest number is also written into a file beside the database, the sidecar, and whether it is
//! in a log or, renewed once more at the end, in the main file. A database whose number is not
//! there, or elsewhere, was restored or copied, or its log was removed: its original may have given
//! ids that this one does not know of, so they go on far above.
//!
//! What cannot be seen: database, log and sidecar put back together, as a snapshot of the disk
//! does; that is what a crash leaves, too. `papod --restore` is for that.

use std::fs::{self, File};
use std::io::{BufReader, ErrorKind, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use memchr::memmem;
use rusqlite::{Connection, OpenFlags};

use super::lock::Lock;
use super::{beside, folder, give, length, private, run};
use crate::entry::{Clock, Millis};
use crate::limits;
use crate::store::{Cause, Error};

/// A number that is not given twice: 128 random bits.
pub(super) type Generation = [u8; 16];

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
        let log = beside(path, "-wal");
        let has_log = length(&log) > 0
            && match main.log(&log).map_err(Error::new)? {
                LogMatch::Empty => false,
                LogMatch::Its => true,
                LogMatch::Foreign => return Err(foreign(&log)),
            };
        if !has_log {
            // Then it has to be whole.
            current(&alone(path)?)?;
        }
        Ok(Inspection { has_log, sidecar: SidecarState::read(path)? })
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

/// What a log is to a main file.
enum LogMatch {
    /// No whole transaction is in it.
    Empty,
    /// It goes on from it.
    Its,
    Foreign,
}

/// What the main file says by itself. It may be half written back, so SQLite cannot be asked; but
/// each of its pages is as it was before or after (sqlite.org, "Database File Format").
struct MainFile {
    /// The first page of the table `generation`, its only one.
    root: u32,
    generation: Option<Generation>,
    schema_cookie: u32,
}

impl MainFile {
    fn read(file: &File) -> std::io::Result<MainFile> {
        let mut header = [0; 100];
        file.read_exact_at(&mut header, 0)?;
        let size = match u16::from_be_bytes([header[16], header[17]]) {
            1 => 65_536,
            size => usize::from(size),
        };
        // The first table is on the page behind the schema's, but for the map of pages that there
        // is where a database can become smaller.
        let root = if word(&header, 52) == 0 { 2 } else { 3 };
        let mut page = vec![0; size];
        let read = unless_ended(file.read_exact_at(&mut page, u64::from(root - 1) * size as u64))?;
        Ok(MainFile {
            root,
            generation: read.and_then(|()| row(&page)),
            schema_cookie: word(&header, 40),
        })
    }

    /// What a log is to it.
    ///
    /// Read as SQLite does ("WAL-mode File Format", 2): a header of 32 bytes, frames of 24 bytes and
    /// a page each, which count up to the first whose salt or checksum is wrong.
    fn log(&self, log: &Path) -> std::io::Result<LogMatch> {
        let mut file = BufReader::with_capacity(1 << 20, File::open(log)?);
        let mut header = [0; 32];
        let Some(()) = unless_ended(file.read_exact(&mut header))? else {
            return Ok(LogMatch::Empty);
        };
        let magic = word(&header, 0);
        let is_big = magic & 1 == 1;
        let size = usize::try_from(word(&header, 8)).unwrap_or(0);
        let mut sum = checksum((0, 0), &header[..24], is_big);
        let is_one = magic & !1 == 0x377f_0682 && (512..=65_536).contains(&size);
        if !is_one || sum != (word(&header, 24), word(&header, 28)) {
            return Ok(LogMatch::Empty);
        }
        let mut frame = vec![0; 24 + size];
        let (mut is_its, mut is_empty) = (false, true);
        // The schema cookie in the newest first page: of all frames, and of whole transactions.
        let (mut seen, mut newest) = (None, None);
        while let Some(()) = unless_ended(file.read_exact(&mut frame))? {
            let (about, page) = frame.split_at(24);
            sum = checksum(checksum(sum, &about[..8], is_big), page, is_big);
            if about[8..16] != header[16..24] || sum != (word(about, 16), word(about, 20)) {
                break;
            }
            let number = word(about, 0);
            if number == 1 {
                seen = Some(word(page, 40));
            } else if number == self.root {
                let main = self.generation;
                is_its |= main.is_some_and(|main| memmem::find(page, &main).is_some());
            }
            // The last frame of a transaction says how many pages the database has after it.
            if word(about, 4) != 0 {
                (is_empty, newest) = (false, seen);
            }
        }
        let is_newer = newest.is_none_or(|newest: u32| newest >= self.schema_cookie);
        Ok(match (is_empty, is_its && is_newer) {
            (true, _) => LogMatch::Empty,
            (false, true) => LogMatch::Its,
            (false, false) => LogMatch::Foreign,
        })
    }
}

/// The number in the only row of a page: a record whose header is of 4 bytes, with a NULL for the
/// row's own number and two blobs of 16 bytes ("Database File Format", 2.1).
fn row(page: &[u8]) -> Option<Generation> {
    let start = memmem::rfind(page, &[4, 0, 44, 44])? + 4;
    page.get(start..start + 16)?.try_into().ok()
}

fn word(of: &[u8], at: usize) -> u32 {
    of.get(at..at + 4).map_or(0, |word| u32::from_be_bytes(word.try_into().unwrap_or_default()))
}

/// `None`: the file has ended.
fn unless_ended(read: std::io::Result<()>) -> std::io::Result<Option<()>> {
    match read {
        Err(e) if e.kind() == ErrorKind::UnexpectedEof => Ok(None),
        read => read.map(Some),
    }
}

/// The checksum of the format, continued over `bytes`, whose words are big endian or little.
fn checksum((mut a, mut b): (u32, u32), bytes: &[u8], is_big: bool) -> (u32, u32) {
    let word = |bytes: &[u8]| {
        let bytes = bytes.try_into().unwrap_or_default();
        if is_big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    };
    for pair in bytes.chunks_exact(8) {
        a = a.wrapping_add(word(&pair[..4])).wrapping_add(b);
        b = b.wrapping_add(word(&pair[4..])).wrapping_add(a);
    }
    (a, b)
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

/// Whether the next transaction may be the first of a log: all that is in the log is written back.
pub(super) fn is_due(on: &Connection) -> Result<bool, Error> {
    let mut log = on.prepare_cached("PRAGMA wal_checkpoint(NOOP)")?;
    Ok(log.query_row([], |row| Ok(row.get::<_, i64>(1)? == row.get::<_, i64>(2)?))?)
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
