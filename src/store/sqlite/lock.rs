//! One papod at a time uses a database. It holds a lock (flock) on the database file itself, which
//! also keeps out a papod that opens the file by another name, a symbolic or a hard link.
//!
//! SQLite's own locks are POSIX locks, which do not conflict with it. But a process that closes any
//! descriptor of a file loses its POSIX locks on that file (sqlite.org, "How To Corrupt An SQLite
//! Database File", 2.2). So the descriptor that holds the lock is opened before SQLite's first and
//! closed after its last, and nothing else here opens the file meanwhile.

use std::collections::VecDeque;
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::{AtFlags, CWD, Statx, StatxFlags, statx};

use super::main_file::{Generation, LogMatch, MainFile};
use super::{beside, private};
use crate::store::{Cause, Error};

/// How often a file may be replaced between opening and locking it before that is an error.
const TRIES: u32 = 10;

/// Which file it is, whatever its name: device (major, minor) and inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileId(u32, u32, u64);

/// Only this is asked for: once its times have been asked for, the kernel gives a file exact ones at
/// its next write (multigrain timestamps, Linux 6.13), and each commit would update the inode.
const ASKED: StatxFlags = StatxFlags::INO;

impl FileId {
    /// Of an open file.
    pub(super) fn of(file: impl AsFd) -> io::Result<FileId> {
        Ok(FileId::from(&statx(file, c"", AtFlags::EMPTY_PATH, ASKED)?))
    }

    /// Of the file to which a path leads.
    pub(super) fn at(path: &Path) -> io::Result<FileId> {
        Ok(FileId::from(&statx(CWD, path, AtFlags::empty(), ASKED)?))
    }
}

impl From<&Statx> for FileId {
    fn from(found: &Statx) -> FileId {
        FileId(found.stx_dev_major, found.stx_dev_minor, found.stx_ino)
    }
}

/// A database file that this process has locked.
pub(super) struct Lock {
    /// Its path, with symbolic links resolved.
    path: PathBuf,
    /// The path of its write-ahead log.
    log: PathBuf,
    file: File,
    id: FileId,
    known: Mutex<Identity>,
}

/// How the main file is recognised while it is in use.
#[derive(Default)]
struct Identity {
    /// Generations that it may have, the newest last; empty if nothing is known yet.
    generations: VecDeque<Generation>,
    /// The one in the main file, and the newest that was found in the log.
    schema_cookies: [u32; 2],
    /// It was found overwritten once.
    is_foreign: bool,
}

/// Generations that are remembered; the file has one of the last two or three.
const GENERATIONS: usize = 8;

impl Lock {
    /// Locks the file at `path`; `None` if there is no such file.
    ///
    /// # Errors
    /// Another papod has it, or it cannot be opened.
    pub(super) fn take(path: &Path) -> Result<Option<Lock>, Error> {
        for _ in 0..TRIES {
            let file = match File::open(path) {
                Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
                opened => opened.map_err(Error::new)?,
            };
            if let Some(lock) = Lock::on(file, path)? {
                return Ok(Some(lock));
            }
        }
        Err(Error::new("it keeps being replaced"))
    }

    /// Creates and locks an empty file, which is called `draft` until it gets the name `path`. A
    /// draft left by a papod that was killed is emptied and reused.
    ///
    /// # Errors
    /// Another papod is creating it, or it cannot be created.
    pub(super) fn draft(draft: &Path, path: &Path) -> Result<Lock, Error> {
        for _ in 0..TRIES {
            let mut options = private();
            let file = options.read(true).write(true).create(true).truncate(false).open(draft);
            let Some(mut lock) = Lock::on(file.map_err(Error::new)?, draft)? else { continue };
            lock.file.set_len(0).map_err(Error::new)?;
            remove(&beside(draft, "-journal"))?;
            path.clone_into(&mut lock.path);
            lock.log = beside(path, "-wal");
            return Ok(lock);
        }
        Err(Error::new("it keeps being replaced"))
    }

    fn on(file: File, path: &Path) -> Result<Option<Lock>, Error> {
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::of(Cause::Busy, "in use by another papod"));
            }
            Err(TryLockError::Error(e)) => {
                return Err(Error::new(format!("cannot be locked: {e}")));
            }
        }
        // The last holder of the lock may have replaced the file.
        let id = FileId::of(&file).map_err(Error::new)?;
        let is_it = FileId::at(path).is_ok_and(|named| named == id);
        let (path, log) = (path.to_owned(), beside(path, "-wal"));
        let lock = Lock { path, log, file, id, known: Mutex::default() };
        Ok(Some(lock).filter(|_| is_it))
    }

    /// The path of the file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The path of its write-ahead log.
    pub(super) fn log(&self) -> &Path {
        &self.log
    }

    /// The file. It must not be cloned: see the module documentation.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Checks that the path still leads to the locked file, and that `log`, if given, is still the
    /// write-ahead log beside it.
    ///
    /// # Errors
    /// [`Cause::Gone`]: one of them was removed or replaced.
    pub(super) fn verify(&self, log: Option<FileId>) -> Result<(), Error> {
        let gone = |what: &str, rescue: &str| {
            let path = self.path.display();
            Err(Error::of(
                Cause::Gone,
                format!("{path}: {what} was removed or replaced while in use; {rescue}"),
            ))
        };
        if self.known().is_foreign {
            return Err(self.foreign());
        }
        match FileId::at(&self.path) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(Error::new(e)),
            Ok(named) if named == self.id => {}
            _ => {
                let rescue = "what was confirmed is lost when papod ends, so first save it with \
                              ADMIN BACKUP, then end papod and put that back with papod --restore";
                return gone("the file", rescue);
            }
        }
        if log.is_some() && log != FileId::at(&self.log).ok() {
            return gone("its log", "end papod with SIGTERM, which writes back what was in it");
        }
        Ok(())
    }

    fn known(&self) -> MutexGuard<'_, Identity> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records what the main file is now, and the generation and schema cookie that it will have
    /// once the log is written back.
    pub(super) fn know(&self, next: Generation, schema_cookie: u32) -> Result<(), Error> {
        let main = MainFile::read(&self.file).map_err(Error::new)?;
        let mut known = self.known();
        known.generations.extend(main.generation);
        known.generations.push_back(next);
        known.schema_cookies = [main.schema_cookie, schema_cookie];
        Ok(())
    }

    /// Records another generation that the main file may have.
    pub(super) fn renewed(&self, next: Generation) {
        let mut known = self.known();
        known.generations.push_back(next);
        if known.generations.len() > GENERATIONS {
            known.generations.pop_front();
        }
    }

    /// Checks that the main file, into which the log is to be written back, was not overwritten
    /// with another one.
    ///
    /// # Errors
    /// [`Cause::Gone`]: it was, now or before.
    pub(super) fn verify_main(&self) -> Result<(), Error> {
        let is_as_known = self.is_as_known()?;
        let mut known = self.known();
        known.is_foreign |= !is_as_known;
        if known.is_foreign { Err(self.foreign()) } else { Ok(()) }
    }

    /// The same for readers, at any time. While the log is being written back they may see half of
    /// each state, so nothing is remembered.
    ///
    /// # Errors
    /// [`Cause::Gone`]: it was, now or before.
    pub(super) fn look_at_main(&self) -> Result<(), Error> {
        let is_known = !self.known().is_foreign && self.is_as_known()?;
        if is_known { Ok(()) } else { Err(self.foreign()) }
    }

    /// Why the database cannot be used, if this is what was found out: one that looks damaged may be
    /// another one.
    pub(super) fn explained(&self, found: Error) -> Error {
        match self.look_at_main() {
            Err(e) if found.cause() == Cause::Damaged && e.cause() == Cause::Gone => e,
            _ => found,
        }
    }

    fn is_as_known(&self) -> Result<bool, Error> {
        let main = MainFile::read(&self.file).map_err(Error::new)?;
        let mut known = self.known();
        if known.generations.is_empty() {
            return Ok(true);
        }
        let is_known = main.generation.is_some_and(|g| known.generations.contains(&g));
        if is_known && !known.schema_cookies.contains(&main.schema_cookie) {
            // Another program has changed the schema, which was written back; or it is a copy.
            let log = main.log(&self.log).map_err(Error::new)?;
            if !matches!(log, LogMatch::Its) {
                return Ok(false);
            }
            known.schema_cookies[1] = main.schema_cookie;
        }
        Ok(is_known)
    }

    fn foreign(&self) -> Error {
        let text = format!(
            "{}: the file was overwritten while in use; end papod and put a backup back with papod \
             --restore FILE; what came since is in the log beside it",
            self.path.display()
        );
        Error::of(Cause::Gone, text)
    }
}

/// Removes a file, if it is there.
pub(super) fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => {
            Err(Error::new(format!("{}: {e}", path.display())))
        }
        _ => Ok(()),
    }
}
