//! Files that a missing database has left behind. A new database in its place would hide that it is
//! missing, and the next backup would be of the new one.

use std::path::Path;

use super::{beside, length};
use crate::store::{Cause, Error};

/// Looks for files of a missing database: its write-ahead log, which holds what was confirmed last,
/// or its `.generation` file, which it has from the beginning.
///
/// # Errors
/// There are some; nothing was changed.
pub(super) fn look(path: &Path) -> Result<(), Error> {
    for ending in ["-wal", "-journal"] {
        let left = beside(path, ending);
        if length(&left) > 0 {
            return Err(gone(format_args!("its log {} is", left.display()), ""));
        }
    }
    let known = beside(path, ".generation");
    // The first database of this name is being created, or that was interrupted: nothing was ever
    // in it. If `path` is not empty, another papod has just finished creating it.
    let is_known = known.exists();
    let is_begun = beside(path, ".new").exists() || length(path) > 0;
    if is_known && !is_begun {
        let anew = format!(", or remove {} to begin with an empty one", known.display());
        return Err(gone(format_args!("{} is, so there was one", known.display()), &anew));
    }
    Ok(())
}

fn gone(what: std::fmt::Arguments<'_>, otherwise: &str) -> Error {
    let text = format!(
        "is not there, but {what}; put the file back, or a backup with papod --restore \
         FILE{otherwise}; nothing was changed"
    );
    Error::of(Cause::Gone, text)
}
