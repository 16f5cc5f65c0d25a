//! A file that is being fetched. It has its name only when it is whole, and takes no other's place.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::iter;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::failure::Failure;

/// A file beside its future place. If it is dropped, it is gone.
pub struct Download {
    part: PathBuf,
    path: PathBuf,
    file: File,
}

impl Download {
    /// Begins the file that shall be at `path`.
    ///
    /// # Errors
    /// `Unfit`: something is there already, or it cannot be made.
    pub fn begin(path: &Path) -> Result<Download, Failure> {
        if path.symlink_metadata().is_ok() {
            return Err(taken(path));
        }
        let random = getrandom::u64().map_err(|e| Failure::Unfit(e.to_string()))?;
        let part = path.with_file_name(format!(".papo-{random:016x}.part"));
        let file = OpenOptions::new().write(true).create_new(true).open(&part);
        let file = file.map_err(|e| unfit(path, e))?;
        Ok(Download { part, path: path.to_owned(), file })
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// `Unfit`.
    pub fn add(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.file.write_all(bytes).map_err(|e| unfit(&self.path, e))
    }

    /// Gives it its name. Returns its path.
    ///
    /// # Errors
    /// `Unfit`: something is there by now, or it cannot be done. Then it is gone.
    pub fn finish(self) -> Result<PathBuf, Failure> {
        match self.rename() {
            Ok(()) => Ok(self.path.clone()),
            Err(e) if e.kind() == ErrorKind::AlreadyExists => Err(taken(&self.path)),
            Err(e) => Err(unfit(&self.path, e)),
        }
    }

    fn rename(&self) -> io::Result<()> {
        match renameat_with(CWD, &self.part, CWD, &self.path, RenameFlags::NOREPLACE) {
            // Not on this file system.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
                fs::hard_link(&self.part, &self.path)
            }
            renamed => Ok(renamed?),
        }
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        // It is not there any more if it was renamed.
        let _ = fs::remove_file(&self.part);
    }
}

/// A path at which nothing is yet: this one, or `photo (2).jpg` and so on.
pub fn free(path: PathBuf) -> PathBuf {
    let part = |part: Option<&OsStr>| {
        part.map(|part| part.to_string_lossy().into_owned()).unwrap_or_default()
    };
    let (stem, extension) = (part(path.file_stem()), part(path.extension()));
    let dot = if extension.is_empty() { "" } else { "." };
    let numbered = (2_u32..).map(|n| path.with_file_name(format!("{stem} ({n}){dot}{extension}")));
    let mut paths = iter::once(path.clone()).chain(numbered);
    paths.find(|path| path.symlink_metadata().is_err()).unwrap_or(path)
}

fn taken(path: &Path) -> Failure {
    Failure::Unfit(format!("{}: already exists; name another path", path.display()))
}

fn unfit(path: &Path, e: io::Error) -> Failure {
    Failure::Unfit(format!("{}: {e}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_takes_no_others_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        let names = || fs::read_dir(folder.path()).unwrap().count();
        let begun = || {
            let mut new = Download::begin(&path).unwrap();
            new.add(b"hello").unwrap();
            new
        };
        drop(begun());
        assert_eq!(names(), 0);
        let (one, two) = (begun(), begun());
        assert_eq!(one.finish().unwrap(), path);
        assert!(matches!(two.finish(), Err(Failure::Unfit(_))));
        assert!(Download::begin(&path).is_err());
        assert_eq!((fs::read(&path).unwrap(), names()), (b"hello".to_vec(), 1));
    }

    #[test]
    fn a_free_name_keeps_its_extension() {
        let folder = tempfile::tempdir().unwrap();
        let name = |typed: &str| {
            let path = free(folder.path().join(typed));
            File::create(&path).unwrap();
            path.file_name().unwrap().to_str().unwrap().to_owned()
        };
        assert_eq!(["a.jpg"; 3].map(name), ["a.jpg", "a (2).jpg", "a (3).jpg"]);
        assert_eq!(["b"; 2].map(name), ["b", "b (2)"]);
    }
}
