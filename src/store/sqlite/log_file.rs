//! The file of the write-ahead log, beside SQLite's own use of it: which log is in it, and room for
//! what comes next.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, OpenOptionsExt};

use rustix::fs::OFlags;

use super::lock::{self, FileId, Lock};
use crate::limits;

/// Two words in a log's header, which differ each time the log is begun anew.
pub(super) type Salt = [u8; 8];

/// Sizes in bytes, and where the salt is (sqlite.org, "WAL-mode File Format", 2.1).
const HEADER: u64 = 32;
const SALT: u64 = 16;
/// A page and its header.
const FRAME: u64 = 24 + 4_096;

/// The file of a write-ahead log.
pub(super) struct LogFile {
    file: File,
    id: FileId,
    /// How long it is, unless it was cut since; in bytes.
    length: u64,
}

impl LogFile {
    /// Opens the log of a database that is in use.
    ///
    /// To read from it leaves its time of access alone: a commit would have to write its inode for
    /// that. Only the owner of a file may ask for this.
    pub(super) fn open(lock: &Lock) -> io::Result<LogFile> {
        let open = |flags: OFlags| {
            let flags = flags.bits().cast_signed();
            OpenOptions::new().read(true).write(true).custom_flags(flags).open(lock.log())
        };
        let file = match open(OFlags::NOATIME) {
            Err(e) if e.kind() == ErrorKind::PermissionDenied => open(OFlags::empty())?,
            opened => opened?,
        };
        let id = FileId::of(&file)?;
        Ok(LogFile { file, id, length: 0 })
    }

    pub(super) fn id(&self) -> FileId {
        self.id
    }

    /// Its salt, if it has been begun.
    pub(super) fn salt(&self) -> Option<Salt> {
        let mut salt = Salt::default();
        self.file.read_exact_at(&mut salt, SALT).ok().map(|()| salt)
    }

    /// Adds zeros if it ends soon after its first `frames`. A commit into blocks that the file
    /// already has needs to write neither its inode nor the list of its blocks, which takes as long
    /// as the frames do. To SQLite, zeros after the last frame are like the rest of an earlier log.
    ///
    /// To be called inside of a writing transaction: then nobody else writes to the log.
    pub(super) fn make_room(&mut self, frames: i64) {
        let used = HEADER + u64::try_from(frames).unwrap_or(0) * FRAME;
        if used + limits::LOG_ROOM / 2 > self.length
            // If this fails, as on a full disk, the commit says so, or there is enough left for it.
            && let Err(e) = self.grow(used + limits::LOG_ROOM)
        {
            log::debug!("the write-ahead log was not extended: {e}");
        }
    }

    fn grow(&mut self, length: u64) -> io::Result<()> {
        self.length = lock::length(&self.file)?;
        // Its header is SQLite's to write.
        if self.length >= HEADER && self.length < length {
            let zeros = vec![0; usize::try_from(length - self.length).unwrap_or(0)];
            self.file.write_all_at(&zeros, self.length)?;
            self.length = length;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rusqlite::Connection;

    use super::*;

    const ROWS: i64 = 200;

    fn rows(db: &std::path::Path) -> i64 {
        let db = Connection::open(db).expect("open");
        db.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).expect("count")
    }

    #[test]
    fn log_is_longer_than_its_frames_and_whole() {
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("papo.db");
        fs::write(&path, "").expect("database");
        let lock = Lock::take(&path).expect("lock").expect("there");
        let db = Connection::open(&path).expect("open");
        let begin = "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t(x)";
        db.execute_batch(begin).expect("WAL");
        let mut log = LogFile::open(&lock).expect("log");
        let (mut lengths, mut frames) = (vec![], 0);
        for row in 1..=ROWS {
            db.execute_batch("BEGIN IMMEDIATE").expect("BEGIN");
            log.make_room(frames);
            db.execute("INSERT INTO t VALUES(?1)", [row]).expect("INSERT");
            db.execute_batch("COMMIT").expect("COMMIT");
            frames = db
                .query_row("PRAGMA wal_checkpoint(NOOP)", [], |row| row.get(1))
                .expect("length of the log");
            let used = HEADER + u64::try_from(frames).expect("frames") * FRAME;
            let length = lock::length(&log.file).expect("length");
            assert!(length + 2 * FRAME >= used + limits::LOG_ROOM / 2, "{row}: {used}, {length}");
            lengths.push(length);
        }
        lengths.dedup();
        assert!(lengths.len() <= 8, "{lengths:?}");
        // As after a crash: the log is read from its file.
        let copy = dir.path().join("copy.db");
        for ending in ["", "-wal"] {
            let [from, to] = [&path, &copy].map(|db| super::super::beside(db, ending));
            fs::copy(from, to).expect("copy");
        }
        assert_eq!(rows(&copy), ROWS);
        // What was known of its length is forgotten once it is cut.
        db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").expect("TRUNCATE");
        db.execute_batch("BEGIN IMMEDIATE").expect("BEGIN");
        log.make_room(frames + 100);
        assert_eq!(lock::length(&log.file).expect("length"), 0);
        db.execute_batch("INSERT INTO t VALUES(0); COMMIT").expect("COMMIT");
        assert_eq!(rows(&path), ROWS + 1);
    }
}
