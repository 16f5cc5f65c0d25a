//! The main file of a database and its write-ahead log, read without SQLite, to find out which
//! state of which database they hold. `generation` says what for.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

use memchr::memmem;

/// A number that is never given twice: 128 random bits.
pub(super) type Generation = [u8; 16];

/// How a write-ahead log relates to a main file.
pub(super) enum LogMatch {
    /// No whole transaction is in it.
    Empty,
    /// It continues from the main file.
    Its,
    /// It has no generation: another program began it, after all of the log before was written
    /// back. Whether it continues from the main file is decided by the sidecar.
    Unmarked,
    /// It belongs to another database, or to another state of this one.
    Foreign,
}

/// What the main file says by itself. It may be half written back, so SQLite cannot be asked, but
/// each of its pages is as it was before or after (sqlite.org, "Database File Format").
pub(super) struct MainFile {
    /// The first page of the table `generation`, its only one.
    root: u32,
    pub(super) generation: Option<Generation>,
    pub(super) schema_cookie: u32,
}

impl MainFile {
    pub(super) fn read(file: &File) -> std::io::Result<MainFile> {
        let mut header = [0; 100];
        file.read_exact_at(&mut header, 0)?;
        let size = match u16::from_be_bytes([header[16], header[17]]) {
            1 => 65_536,
            size => usize::from(size),
        };
        // The first table is on the page after the schema's, or one further if there is a pointer
        // map, as in a database with auto_vacuum.
        let root = if word(&header, 52) == 0 { 2 } else { 3 };
        let mut page = vec![0; size];
        let read = unless_ended(file.read_exact_at(&mut page, u64::from(root - 1) * size as u64))?;
        Ok(MainFile {
            root,
            generation: read.and_then(|()| row(&page)),
            schema_cookie: word(&header, 40),
        })
    }

    /// How a log relates to it.
    ///
    /// Reads it as SQLite does ("WAL-mode File Format", 2): a header of 32 bytes, then frames of 24
    /// bytes and a page each, which count up to the first with a wrong salt or checksum.
    pub(super) fn log(&self, log: &Path) -> std::io::Result<LogMatch> {
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
        let (mut is_its, mut is_marked, mut is_empty) = (false, false, true);
        // The schema cookie in the newest copy of the first page: of all frames, and of complete
        // transactions.
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
                is_marked = true;
                is_its |= main.is_some_and(|main| memmem::find(page, &main).is_some());
            }
            // The last frame of a transaction says how many pages the database has after it.
            if word(about, 4) != 0 {
                (is_empty, newest) = (false, seen);
            }
        }
        let is_newer = newest.is_none_or(|newest: u32| newest >= self.schema_cookie);
        Ok(match (is_its, is_marked) {
            _ if is_empty => LogMatch::Empty,
            (true, _) if is_newer => LogMatch::Its,
            (_, false) if is_newer => LogMatch::Unmarked,
            _ => LogMatch::Foreign,
        })
    }
}

/// The generation in the only row of a page: a record whose header has 4 bytes, with a NULL for the
/// row's own number and two blobs of 16 bytes ("Database File Format", 2.1).
fn row(page: &[u8]) -> Option<Generation> {
    let start = memmem::rfind(page, &[4, 0, 44, 44])? + 4;
    page.get(start..start + 16)?.try_into().ok()
}

fn word(of: &[u8], at: usize) -> u32 {
    of.get(at..at + 4).map_or(0, |word| u32::from_be_bytes(word.try_into().unwrap_or_default()))
}

/// `None` at the end of the file.
fn unless_ended(read: std::io::Result<()>) -> std::io::Result<Option<()>> {
    match read {
        Err(e) if e.kind() == ErrorKind::UnexpectedEof => Ok(None),
        read => read.map(Some),
    }
}

/// The checksum of the format, continued over `bytes`, which are big-endian or little-endian words.
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
