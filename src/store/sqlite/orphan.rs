//! What a database that is gone has left beside it. A new database in its place would hide that it is
//! gone, and the next backup would be of the new one.

use std::path::Path;

use super::{beside, length};
use crate::store::{Cause, Error};

/// Looks for files of a database where there is none: its log, which holds what was confirmed last, or
/// the file by which it is known, which is there from its first moment on.
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
    // The first database of this name is being made, or that was cut off: nothing was ever in it. It
    // has been made where the draft has just become the database.
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
