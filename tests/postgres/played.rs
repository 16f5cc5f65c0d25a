//! The transcripts: what people typed and what they got is the same on every store, but that there are
//! no files on PostgreSQL, and nothing is searched there.

use std::path::{Path, PathBuf};

use crate::transcript::client::Heard;
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
    let is_other = |line: &String| {
        line.contains("> PUT ") || line.contains("> HIST ") && line.contains(" with ")
    };
    scripts.retain(|script| !script.text.iter().any(is_other));
    assert!(scripts.len() > 20, "{}", scripts.len());
    let played = |script| play_on(script, Typing::Lines, Stage::open_nodes(nodes)).err();
    let wrong: Vec<String> = scripts.iter().filter_map(played).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn files_are_refused() {
    let stage = Stage::open();
    let mut ana = stage.connect("ana");
    ana.send(b"REG ana secret-a\nPUT aGVs\nFILE ana x\nONCE k FILE ana x\nGET 1\nPUT -\n");
    let mut heard = Vec::new();
    while heard.len() < 8 {
        match ana.hear() {
            Heard::Line(line) => heard.push(String::from_utf8(line).unwrap()),
            other => panic!("{}", crate::transcript::play::show("ana", &other)),
        }
    }
    let why = "bad-command not available here; this server keeps its messages in PostgreSQL, and no files";
    for (line, verb) in heard[3..].iter().zip(["PUT", "FILE", "ONCE", "GET", "PUT"]) {
        assert_eq!(*line, format!("ERR {verb} {why}"));
    }
    drop(ana);
    stage.close();
}
