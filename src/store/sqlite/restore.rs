//! Putting a copy back, for `papod --restore`.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::check::findings;
use super::contents::{fetch, set_aside};
use super::draft::Draft;
use super::files::files_beside;
use super::generation::alone;
use super::lock::{FileId, Lock};
use super::{beside, check_header, folder, give, length, resolved};
use crate::store::folder as contents_folder;
use crate::store::{Cause, Error};

/// The files of a database, by their suffixes: the main file comes first.
const FILES: [&str; 8] =
    ["", "-wal", "-journal", "-shm", ".generation", "-search", "-search-wal", "-search-shm"];

/// What became of what was there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The new name of the database that was there.
    pub aside: Option<PathBuf>,
    /// How many contents of files are named by the new one, and are in none of the folders.
    pub missing: u64,
}

/// Puts a copy of `from` in the place of the database at `path`, and the contents of its files into
/// the folder `files`. What was there is renamed; links to the contents of its files, or copies of
/// them, are then in the folder of the new name. When papod opens the copy, new ids go on far above.
///
/// # Errors
/// One line that names the file and gives the reason: `from` is not a complete and sound database,
/// or the one at `path` is in use by a papod. Nothing was changed, unless the disk failed half-way;
/// nothing is ever deleted.
pub fn restore(from: &Path, path: &Path, files: &Path) -> Result<Restored, Error> {
    let new = new_folders(path);
    let done = put(from, path, files);
    if done.is_err() {
        // Folders that were created for it and are empty. One that somebody uses by now stays.
        for folder in new {
            let _ = fs::remove_dir(folder);
        }
    }
    done
}

/// The missing folders above a file, the innermost first.
fn new_folders(path: &Path) -> Vec<&Path> {
    let above = path.ancestors().skip(1);
    above.take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists()).collect()
}

fn put(from: &Path, path: &Path, files: &Path) -> Result<Restored, Error> {
    let io = |e: io::Error| Error::new(e).about(path.display());
    DirBuilder::new().recursive(true).mode(0o700).create(folder(path)).map_err(io)?;
    let here = |e: Error| e.about(path.display());
    let path = &*resolved(path).map_err(here)?;
    // Held until this is done, so that no papod opens a database that is half restored.
    let _lock = Lock::take(path).map_err(here)?;
    let there = |e: Error| e.about(files.display());
    let _files = files.exists().then(|| contents_folder::lock(files)).transpose().map_err(there)?;
    let mut draft = copy_of(from, path).map_err(|e| e.about(from.display()))?;
    let is_there = FILES.iter().any(|ending| beside(path, ending).symlink_metadata().is_ok());
    let aside = is_there.then(|| free_name(path));
    // Contents are only added here, so both databases have theirs at any moment. The next papod
    // sweeps those that its database does not name.
    if let Some(aside) = &aside
        && files.exists()
    {
        set_aside(files, &files_beside(aside))?;
    }
    let missing = fetch(&alone(draft.path())?, &files_beside(from), files)?;
    if let Some(aside) = &aside
        && path.symlink_metadata().is_ok()
        && fs::hard_link(path, aside).is_err()
    {
        // A file system without hard links.
        fs::rename(path, aside).map_err(io)?;
    }
    // From here on, a log that is still there does not belong to the database, which papod refuses
    // to open then. So if this is interrupted, it can be done again.
    draft.replace(path).map_err(io)?;
    for ending in &FILES[1..] {
        let (old, new) = (beside(path, ending), aside.as_ref().map(|name| beside(name, ending)));
        if let Some(new) = new
            && old.symlink_metadata().is_ok()
        {
            fs::rename(old, new).map_err(io)?;
        }
    }
    File::open(folder(path)).and_then(|folder| folder.sync_all()).map_err(io)?;
    Ok(Restored { aside, missing })
}

/// A copy of `from` in the folder of `path`, checked.
fn copy_of(from: &Path, path: &Path) -> Result<Draft, Error> {
    let mut file = File::open(from).map_err(Error::new)?;
    let meta = file.metadata().map_err(Error::new)?;
    if !meta.is_file() {
        return Err(Error::new("not a file"));
    }
    let id = FileId::of(&file).map_err(Error::new)?;
    if FileId::at(path).is_ok_and(|there| there == id) {
        return Err(Error::new("this is the database itself"));
    }
    for ending in ["-wal", "-journal"] {
        let log = beside(from, ending);
        if length(&log) > 0 {
            return Err(Error::new(format!(
                "{} belongs to it; start and stop papod once on that file to merge them",
                log.display()
            )));
        }
    }
    check_header(&file, from)?;
    let draft = Draft::beside(path).map_err(Error::new)?;
    io::copy(&mut file, &mut draft.file()).map_err(Error::new)?;
    let owner = if path.exists() { path } else { folder(path) };
    give(draft.file(), owner).map_err(Error::new)?;
    // The copy is checked, not the original: it is what will be used.
    match findings(&alone(draft.path())?)?.as_slice() {
        [] => Ok(draft),
        [first, others @ ..] => Err(Error::of(
            Cause::Damaged,
            match others.len() {
                0 => format!("damaged: {first}"),
                more => format!("damaged: {first}; and {more} more: papod --check --db FILE"),
            },
        )),
    }
}

/// A free name beside the database: no file has it, with any of the suffixes.
fn free_name(path: &Path) -> PathBuf {
    let is_free = |name: &PathBuf| {
        let mut endings = FILES.iter().chain(&["-files"]);
        endings.all(|ending| beside(name, ending).symlink_metadata().is_err())
    };
    let mut names = (1_u64..).map(|n| beside(path, &format!(".aside-{n}")));
    names.find(is_free).unwrap_or_else(|| beside(path, ".aside"))
}
