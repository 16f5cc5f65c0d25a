//! Copies of the contents of files, beside copies of a database: for backups, and back again.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::{ended, files, give};
use crate::entry::ContentHash;
use crate::store::Error;

/// A folder of contents, which is made for the first of them. It is removed with all that is in it if
/// it is dropped before it is kept.
pub(in crate::store) struct NewContents {
    path: PathBuf,
    is_made: bool,
    is_kept: bool,
}

impl NewContents {
    /// The one that is to be at `path`, where nothing is yet.
    pub(super) fn at(path: PathBuf) -> NewContents {
        NewContents { path, is_made: false, is_kept: false }
    }

    /// The path of a content, in the folder.
    fn path_for(&mut self, content: ContentHash) -> Result<PathBuf, Error> {
        if !self.is_made {
            DirBuilder::new().mode(0o700).create(&self.path).map_err(here(&self.path))?;
            self.is_made = true;
        }
        Ok(self.path.join(content.to_string()))
    }

    /// Adds a content, whose parts come from `parts`. It is on disk when this returns.
    ///
    /// # Errors
    /// The system's reason, or that of `parts`.
    #[cfg(feature = "postgres")]
    pub(in crate::store) fn add(
        &mut self,
        content: ContentHash,
        mut parts: impl FnMut() -> Result<Option<Vec<u8>>, Error>,
    ) -> Result<(), Error> {
        use std::io::Write;
        let path = self.path_for(content)?;
        let mut file = new_file(&path).map_err(here(&path))?;
        while let Some(part) = parts()? {
            file.write_all(&part).map_err(here(&path))?;
        }
        file.sync_all().map_err(here(&path))
    }

    /// Takes back the last one, which is not whole.
    #[cfg(feature = "postgres")]
    pub(in crate::store) fn drop_last(&self, content: ContentHash) {
        // It may not have been begun.
        let _ = fs::remove_file(self.path.join(content.to_string()));
    }

    /// Has the folder on disk when it returns.
    pub(super) fn sync(&self) -> Result<(), Error> {
        if self.is_made { sync(&self.path) } else { Ok(()) }
    }

    /// Renames it. If nothing is there yet, it will be.
    ///
    /// # Errors
    /// The system's reason.
    pub(super) fn rename(&mut self, path: PathBuf) -> io::Result<()> {
        if self.is_made {
            fs::rename(&self.path, &path)?;
        }
        self.path = path;
        Ok(())
    }

    pub(super) fn keep(mut self) {
        self.is_kept = true;
    }
}

impl Drop for NewContents {
    fn drop(&mut self) {
        if self.is_made
            && !self.is_kept
            && let Err(e) = fs::remove_dir_all(&self.path)
        {
            log::warn!("{}: cannot remove this folder: {e}", self.path.display());
        }
    }
}

/// Puts links to the contents that a database names, or copies of them, into the new folder `into`.
/// They are on disk when this returns. If it names none, there is no folder.
///
/// # Errors
/// The folder exists, the system's reason, or that papod ends.
pub(super) fn linked(
    of: &Connection,
    from: impl Fn(ContentHash) -> PathBuf,
    into: PathBuf,
    has_ended: impl Fn() -> bool,
) -> Result<NewContents, Error> {
    let mut new = NewContents::at(into.clone());
    files::all(of, |_, file| {
        if has_ended() {
            return Err(ended());
        }
        let from = from(file.hash);
        match link_or_copy(&from, &new.path_for(file.hash)?) {
            // A check says so as well. The rest is worth having.
            Err(e) if e.kind() == ErrorKind::NotFound => {
                log::error!("{}: {e}; the backup is made without it", from.display());
                Ok(())
            }
            done => done.map_err(here(&into)),
        }
    })?;
    new.sync()?;
    Ok(new)
}

/// Copies the contents that a database names from one folder to another, those that are not there.
/// Returns how many are in neither.
///
/// # Errors
/// The system's reason.
pub(super) fn fetch(of: &Connection, from: &Path, into: &Path) -> Result<u64, Error> {
    let mut missing = 0;
    let mut is_there = into.exists();
    files::all(of, |_, file| {
        let name = file.hash.to_string();
        let (source, target) = (from.join(&name), into.join(&name));
        if files::verify(&target, file).is_ok() {
            return Ok(());
        }
        if files::verify(&source, file).is_err() {
            missing += 1;
            return Ok(());
        }
        if !is_there {
            DirBuilder::new().mode(0o700).create(into).map_err(here(into))?;
            give(&File::open(into).map_err(here(into))?, super::folder(into))
                .map_err(here(into))?;
            is_there = true;
        }
        // Under the name of an upload, which papod removes if this is interrupted.
        let draft = into.join("upload-restored");
        match fs::remove_file(&draft) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(here(into)(e)),
            _ => {}
        }
        copy(&source, &draft).map_err(here(into))?;
        give(&File::open(&draft).map_err(here(into))?, into).map_err(here(into))?;
        fs::rename(&draft, &target).map_err(here(into))
    })?;
    if is_there {
        sync(into)?;
        sync(super::folder(into))?;
    }
    Ok(missing)
}

/// Puts links to everything in the folder `from`, or copies of it, into the new folder `into`.
///
/// # Errors
/// The system's reason.
pub(super) fn set_aside(from: &Path, into: &Path) -> Result<(), Error> {
    DirBuilder::new().mode(0o700).create(into).map_err(here(into))?;
    give(&File::open(into).map_err(here(into))?, from).map_err(here(into))?;
    for entry in fs::read_dir(from).map_err(here(from))? {
        let entry = entry.map_err(here(from))?;
        if ContentHash::parse(&entry.file_name().to_string_lossy()).is_some() {
            link_or_copy(&entry.path(), &into.join(entry.file_name())).map_err(here(into))?;
        }
    }
    sync(into)
}

fn here(path: &Path) -> impl Fn(io::Error) -> Error + '_ {
    move |e| Error::new(e).about(path.display())
}

fn sync(folder: &Path) -> Result<(), Error> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(here(folder))
}

/// Contents never change, so two names for one do no harm. A link fails as if there were no file
/// while the file is replaced by another, as a content is that is sent once more.
fn link_or_copy(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Err(e) if e.kind() != ErrorKind::AlreadyExists => copy(from, to),
        done => done,
    }
}

fn new_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let mut from = File::open(from)?;
    let mut to = new_file(to)?;
    io::copy(&mut from, &mut to)?;
    to.sync_all()
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_content_that_is_replaced_meanwhile_is_linked() {
        let folder = tempfile::tempdir().unwrap();
        let [content, upload] = ["content", "upload"].map(|name| folder.path().join(name));
        fs::write(&content, "the same").unwrap();
        thread::scope(|scope| {
            let replaces = scope.spawn(|| {
                for _ in 0..4_000 {
                    fs::write(&upload, "the same").unwrap();
                    fs::rename(&upload, &content).unwrap();
                }
            });
            let mut n = 0;
            while !replaces.is_finished() {
                let link = folder.path().join(n.to_string());
                link_or_copy(&content, &link).unwrap();
                assert_eq!(fs::read(&link).unwrap(), b"the same");
                fs::remove_file(&link).unwrap();
                n += 1;
            }
        });
    }
}
