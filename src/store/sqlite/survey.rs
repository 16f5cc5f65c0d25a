//! Looking at a database without serving it, for `papod --check`: whether it is sound, what is in
//! it, and what an operator should know.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use jiff::Timestamp;
use rusqlite::Connection;

use super::check::findings;
use super::files::missing;
use super::generation::{Inspection, alone};
use super::lock::Lock;
use super::{beside, check_header, folder, lock, orphan, read_connection, resolved};
use crate::owner;
use crate::store::{Cause, Error, Survey};

/// Looks at the database at `path`, even while a papod uses it, and changes nothing. A missing
/// database is no problem; an empty file is one. `files` is the folder of the contents of its files.
pub fn survey(path: &Path, files: &Path) -> Survey {
    let mut found = look_at(path, files).unwrap_or_else(|e| {
        let denied = refused(path).filter(|_| e.cause() == Cause::Disk);
        let denied = denied.map(|why| format!("; {why}")).unwrap_or_default();
        Survey { problems: vec![format!("{e}{denied}")], ..Survey::default() }
    });
    for line in found.problems.iter_mut().chain(&mut found.remarks) {
        *line = format!("{}: {line}", path.display());
    }
    found
}

fn look_at(path: &Path, files: &Path) -> Result<Survey, Error> {
    if fs::metadata(folder(path)).is_err_and(|e| e.kind() == io::ErrorKind::NotFound) {
        return Ok(none());
    }
    let path = &*resolved(path)?;
    let lock = match Lock::take(path) {
        Ok(Some(lock)) => lock,
        Ok(None) => return orphan::look(path).map(|()| none()),
        // A papod uses it, which does not keep readers out.
        Err(e) if e.cause() == Cause::Busy => {
            if !beside(path, "-wal").exists() {
                return Err(e.about("open under another name; check it under that one"));
            }
            return of(&read_connection(path)?, path, files);
        }
        Err(e) => return Err(e),
    };
    if lock.file().metadata().map_err(Error::new)?.len() == 0 {
        orphan::look(path)?;
        return Err(Error::of(Cause::Damaged, "an empty file, not a database"));
    }
    check_header(lock.file(), path)?;
    if !Inspection::look(lock.file(), path)?.has_log {
        return of(&alone(path)?, path, files);
    }
    // Reading the log takes an index of it, the `-shm` file. If there was none, it is removed
    // again.
    let index = beside(path, "-shm");
    let is_new = !index.exists();
    let found = read_connection(path).and_then(|connection| of(&connection, path, files));
    if is_new {
        lock::remove(&index)?;
    }
    found
}

/// There is no database.
fn none() -> Survey {
    let line = "no database there; a new one would be created".to_owned();
    Survey { problems: Vec::new(), remarks: vec![line] }
}

/// The survey of a database that can be read.
fn of(connection: &Connection, path: &Path, files: &Path) -> Result<Survey, Error> {
    let mut problems = findings(connection)?;
    if problems.is_empty() {
        problems = missing(connection, |content| files.join(content.to_string()), || false)?;
    }
    let mut remarks: Vec<String> = warning(path).into_iter().collect();
    if problems.is_empty() {
        // An older schema may have other tables.
        remarks.extend(contents(connection).ok().map(|what| format!("sound; {what}")));
    }
    Ok(Survey { problems, remarks })
}

/// The contents of a database: `3 accounts since 2026-11-28T16:00:00.000Z, 340 messages, newest id
/// 345`. Of two states of one database, both have the same first time, and the later one has no
/// lower id.
fn contents(read: &Connection) -> Result<String, Error> {
    let number = |sql: &str| read.query_row(sql, [], |row| row.get::<_, i64>(0));
    let accounts = number("SELECT count(*) FROM account WHERE gone = 0")?;
    let messages = number("SELECT count(*) FROM entry WHERE kind = 0")?;
    let newest = number("SELECT entry FROM newest")?;
    let first: Option<i64> =
        read.query_row("SELECT min(created) FROM account", [], |row| row.get(0))?;
    let since = first.and_then(|first| Timestamp::from_millisecond(first).ok());
    let since = since.map(|at| at.strftime(" since %Y-%m-%dT%H:%M:%S.%3fZ").to_string());
    let counted = |n: i64, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    Ok(format!(
        "{}{}, {}, newest id {newest}",
        counted(accounts, "account"),
        since.unwrap_or_default(),
        counted(messages, "message"),
    ))
}

/// A warning if other users of this machine may read the file, and with it its log, which gets the
/// same mode.
pub(super) fn warning(path: &Path) -> Option<String> {
    let mode = fs::metadata(path).ok()?.mode() & 0o777;
    let who = match (mode & 0o007, mode & 0o070) {
        (0, 0) => return None,
        (0, _) => "its group",
        _ => "everybody on this machine",
    };
    Some(format!("warning: mode {mode:04o} opens it to {who}; chmod 600 {}*", path.display()))
}

/// Which of a database's files, or its folder, this process may not read and write, and whose it
/// is; `None` if it may use them all.
pub(super) fn refused(path: &Path) -> Option<String> {
    let folder = folder(path);
    let files = ["", "-wal", "-shm", ".generation"].map(|ending| beside(path, ending));
    let there = files.into_iter().filter(|file| file.symlink_metadata().is_ok());
    let closed = there.into_iter().find(|file| !owner::may_write(file));
    match closed {
        Some(file) => Some(owner::denied(&file)),
        None if folder.exists() && !owner::may_write(folder) => Some(owner::denied(folder)),
        // A folder further up denies access.
        None if path.symlink_metadata().is_err_and(is_denied) => Some(owner::denied(path)),
        None => None,
    }
}

fn is_denied(e: io::Error) -> bool {
    e.kind() == io::ErrorKind::PermissionDenied
}
