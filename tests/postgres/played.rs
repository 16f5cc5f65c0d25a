//! The transcripts: what people typed and what they got is the same on every store.

use std::path::{Path, PathBuf};

use crate::transcript::play::{Stage, Typing, play_on};
use crate::transcript::script::Script;

#[test]
fn transcripts_hold() {
    hold(1);
}

/// Wherever a client is, it is told the same: each comes to the next node.
#[test]
fn transcripts_hold_on_three_nodes() {
    hold(3);
}

fn hold(nodes: usize) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = root.join("tests/transcripts").read_dir().unwrap();
    let mut files: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|e| e == "txt"));
    files.sort();
    let mut scripts: Vec<Script> = files.iter().map(|file| Script::open(file)).collect();
    scripts.extend(Script::blocks(&root.join("PROTOCOL.md")));
    assert!(scripts.len() > 20, "{}", scripts.len());
    let played = |script| play_on(script, Typing::Lines, Stage::open_nodes(nodes)).err();
    let wrong: Vec<String> = scripts.iter().filter_map(played).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
