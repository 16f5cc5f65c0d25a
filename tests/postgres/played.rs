//! The transcripts: what people typed and what they got is the same on every store.

use std::path::{Path, PathBuf};

use crate::transcript::play::{Typing, play};
use crate::transcript::script::Script;

#[test]
fn transcripts_hold() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = root.join("tests/transcripts").read_dir().unwrap();
    let mut files: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|e| e == "txt"));
    files.sort();
    let mut scripts: Vec<Script> = files.iter().map(|file| Script::open(file)).collect();
    scripts.extend(Script::blocks(&root.join("PROTOCOL.md")));
    assert!(scripts.len() > 20, "{}", scripts.len());
    let wrong: Vec<String> =
        scripts.iter().filter_map(|script| play(script, Typing::Lines).err()).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
