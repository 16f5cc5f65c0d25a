//! Where the database of a server under test is.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::cluster::{cluster, url};

/// The databases of servers, each with the folder of its server.
static USED: Mutex<Vec<(PathBuf, String)>> = Mutex::new(Vec::new());

/// The name of the database that was made for the server in this folder.
pub fn name_of(folder: &Path) -> String {
    let used = USED.lock().unwrap();
    let name = used.iter().find(|(of, _)| of == folder).map(|(_, name)| name.clone());
    name.expect("a database was made for it")
}

/// A new database, which is removed some time after the folder.
pub fn database(folder: &Path) -> PathBuf {
    let name = cluster().make_database();
    let path = url(&[cluster()], &name).into();
    let mut used = USED.lock().unwrap();
    let unused = used.extract_if(.., |(folder, _)| !folder.exists());
    unused.for_each(|(_, name)| cluster().drop_database(&name));
    used.push((folder.to_owned(), name));
    path
}
