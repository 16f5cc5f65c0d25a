//! The files of a database, and programs that are started beside it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::process::unix::over;
use crate::process::{Home, Papod, papod, run};

/// The files of a folder and what is in them. Of the index beside a database only that it is there:
/// it is memory, not data. No sockets, and nothing of the index for searching, which a papod that runs
/// makes when it gets to it.
pub fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let is_index = name.contains("-search");
        if !is_index && path.symlink_metadata().unwrap().is_file() {
            let bytes = if name.ends_with("-shm") { Vec::new() } else { fs::read(&path).unwrap() };
            found.insert(name, bytes);
        }
    }
    found
}

/// Runs papod with these arguments, which must end with this status. Returns what it said.
pub fn ends(status: i32, db: &Path, arguments: &[&str]) -> String {
    let output = run(papod().args(["--listen", "127.0.0.1:0", "--db"]).arg(db).args(arguments));
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(output.status.code(), Some(status), "{said}");
    said
}

/// Nothing in the folder of the database changes when papod refuses this, in one line.
pub fn refuses(db: &Path, arguments: &[&str]) -> String {
    let folder = db.parent().unwrap();
    let before = files(folder);
    let said = ends(1, db, arguments);
    assert!(files(folder) == before, "it changed something: {said}");
    assert_eq!(said.lines().count(), 1, "one line: {said}");
    assert!(said.starts_with("papod: "), "{said}");
    said
}

/// A papod with a socket for operators.
pub fn start(home: &Home) -> Papod {
    let admin = home.path().join("admin.sock");
    Papod::start_with(&home.db(), ["--admin", admin.to_str().unwrap()])
}

pub fn backup(home: &Home, name: &str) -> PathBuf {
    let path = home.path().join(name);
    let said = over(&home.path().join("admin.sock"), &format!("ADMIN BACKUP {}", path.display()));
    assert!(said[0].starts_with("OK ADMIN BACKUP "), "{said:?}");
    path
}

/// What alice noted, in a papod that is stopped again.
pub fn notes(home: &Home) -> Vec<(u64, String)> {
    let papod = home.start();
    let notes = papod.login_quietly("alice").history("alice", 0);
    papod.stop();
    notes.into_iter().map(|entry| (entry.id, entry.body)).collect()
}

/// The names in a folder that begin so.
pub fn files_named(folder: &Path, start: &str) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with(start)).collect()
}
