//! The file of the write-ahead log, beside SQLite's own use of it: which log is in it, and room for
//! what comes next.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, OpenOptionsExt};

use rustix::fs::OFlags;

use super::lock::{FileId, Lock};
use crate::limits;

/// Two words in a log's header, which differ each time the log is begun anew.
pub(super) type Salt = [u8; 8];

/// Sizes in bytes, and where the salt is (sqlite.org, "WAL-mode File Format", 2.1).
const HEADER: u64 = 32;
const SALT: u64 = 16;
/// A page of 4,096 bytes, as in every database made here, with its header.
const FRAME: u64 = 24 + 4_096;

/// The file of a write-ahead log.
pub(super) struct LogFile {
    file: File,
    id: FileId,
}

impl LogFile {
    /// Opens the log of a database that is in use.
    ///
    /// Reading from it leaves its time of access alone; otherwise each commit would have to update
    /// its inode. Only the owner of a file may ask for this, and not every file system knows it.
    pub(super) fn open(lock: &Lock) -> io::Result<LogFile> {
        let open = |flags: OFlags| {
            let flags = flags.bits().cast_signed();
            OpenOptions::new().read(true).write(true).custom_flags(flags).open(lock.log())
        };
        let file = open(OFlags::NOATIME).or_else(|_| open(OFlags::empty()))?;
        let id = FileId::of(&file)?;
        Ok(LogFile { file, id })
    }

    pub(super) fn id(&self) -> FileId {
        self.id
    }

    /// Its salt, if it has been begun.
    pub(super) fn salt(&self) -> Option<Salt> {
        let mut salt = Salt::default();
        self.file.read_exact_at(&mut salt, SALT).ok().map(|()| salt)
    }

    /// Appends zeros if the file ends soon after its first `frames`. Where blocks are overwritten in
    /// place (ext4, XFS), a commit into blocks that the file already has needs to write neither its
    /// inode nor the list of its blocks, which takes as long as the frames do. To SQLite, zeros
    /// after the last frame are like the rest of an earlier log.
    ///
    /// To be called inside of a writing transaction: then nobody else writes to the log.
    pub(super) fn make_room(&self, frames: i64) {
        // If this fails, as on a full disk, the commit says so, or there is enough left for it.
        if let Err(e) = self.grow(frames) {
            log::debug!("the write-ahead log was not extended: {e}");
        }
    }

    fn grow(&self, frames: i64) -> io::Result<()> {
        let used = HEADER + u64::try_from(frames).unwrap_or(0) * FRAME;
        let end = (&self.file).seek(SeekFrom::End(0))?;
        // The header is SQLite's to write.
        if end >= HEADER && end < used + limits::LOG_ROOM {
            self.file.write_all_at(&vec![0; limits::LOG_ROOM as usize], end)?;
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
        let log = LogFile::open(&lock).expect("log");
        let end = || (&log.file).seek(SeekFrom::End(0)).expect("length");
        // Returns how many frames there are then.
        let add = |rows: std::ops::RangeInclusive<i64>, mut frames: i64| {
            let mut lengths = vec![];
            for row in rows {
                db.execute_batch("BEGIN IMMEDIATE").expect("BEGIN");
                log.make_room(frames);
                db.execute("INSERT INTO t VALUES(?1)", [row]).expect("INSERT");
                db.execute_batch("COMMIT").expect("COMMIT");
                let frames_now = "PRAGMA wal_checkpoint(NOOP)";
                frames = db.query_row(frames_now, [], |row| row.get(1)).expect("frames");
                lengths.push(end());
            }
            let used = HEADER + u64::try_from(frames).expect("frames") * FRAME;
            let last = lengths[lengths.len() - 1];
            assert!(last + 2 * FRAME >= used + limits::LOG_ROOM, "{used}, {last}");
            lengths.dedup();
            assert!(lengths.len() as u64 <= used / limits::LOG_ROOM + 3, "{lengths:?}");
            frames
        };
        let frames = add(1..=ROWS, 0);
        // As after a crash: the log is read from its file.
        let copy = dir.path().join("copy.db");
        for ending in ["", "-wal"] {
            let [from, to] = [&path, &copy].map(|db| super::super::beside(db, ending));
            fs::copy(from, to).expect("copy");
        }
        assert_eq!(rows(&copy), ROWS);
        // It grows ahead also where it was longer before it was cut.
        db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").expect("TRUNCATE");
        log.make_room(frames);
        assert_eq!(end(), 0, "its header is SQLite's to write");
        add(1..=ROWS, 0);
        assert_eq!(rows(&path), 2 * ROWS);
    }
}
