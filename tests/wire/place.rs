//! Where the database of a server under test is.

use std::path::{Path, PathBuf};

/// A new file in the folder.
pub fn database(folder: &Path) -> PathBuf {
    folder.join("papo.db")
}
