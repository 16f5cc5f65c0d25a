//! Where the database of a server under test is.

use std::path::{Path, PathBuf};

use crate::cluster::cluster;

/// A new database, whatever the folder.
pub fn database(_folder: &Path) -> PathBuf {
    cluster().database().into()
}
