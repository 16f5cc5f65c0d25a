//! Texts that are known again in the bytes of a database's files.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The numbers of the marks in a database's files.
pub fn marks(db: &Path) -> BTreeSet<i64> {
    let files = ["", "-wal", "-shm", "-search", "-search-wal", "-search-shm"]
        .map(|ending| format!("{}{ending}", db.display()).into());
    marks_in(files.into_iter())
}

/// The numbers of the marks in these files, as far as they exist: `mark` and nine digits.
pub fn marks_in(files: impl Iterator<Item = PathBuf>) -> BTreeSet<i64> {
    let mut found = BTreeSet::new();
    for file in files {
        let bytes = fs::read(file).unwrap_or_default();
        for at in memchr::memmem::find_iter(&bytes, "mark") {
            let digits = bytes.get(at + 4..at + 13).unwrap_or_default();
            found.extend(str::from_utf8(digits).ok().and_then(|digits| digits.parse::<i64>().ok()));
        }
    }
    found
}

/// The mark of a number, a word. Eight bytes of one, which may be left between two rows of PostgreSQL,
/// are not taken for it: five more would have to follow them by chance.
pub fn mark(n: i64) -> String {
    format!("mark{n:09}")
}

/// A text that is full of the mark of a number. It ends with a whole one: the byte that follows it
/// in a file may be a digit.
pub fn marked(n: i64, length: usize) -> String {
    format!("{} ", mark(n)).repeat(length / 14 + 1)
}
