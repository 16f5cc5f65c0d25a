//! What the fuzzer has kept, played through its checks: no fuzzer is needed, and nothing is searched.
//! `contrib/fuzz/README.md` says how the corpus is made.

use std::fs;
use std::path::Path;

use crate::checks::{self, http::WebWorld, session::World};

/// The inputs of a target, by their names.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib/fuzz/corpus").join(target);
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<_> = files.collect();
    files.sort();
    assert!(!files.is_empty());
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

#[test]
fn lines_come_whole_whatever_they_hold() {
    for input in corpus("lines") {
        checks::lines::check(&input);
    }
}

#[test]
fn sessions_answer_whatever_is_typed() {
    // A start takes longer than an input, and what many leave behind would slow the last ones down.
    for some in corpus("session").chunks(10) {
        let mut world = World::new();
        for input in some {
            if !world.play(input) {
                world = World::new();
                assert!(world.play(input), "nobody can have changed a password yet");
            }
        }
    }
}

#[test]
fn http_answers_whatever_is_asked() {
    let world = WebWorld::new();
    for input in corpus("http") {
        world.play(&input);
    }
}

/// A check that finds nothing wrong with anything would be worse than none.
#[test]
fn an_input_says_what_it_is_meant_to() {
    use crate::checks::Step::{Bytes, Finish, Reset, Settle, Turn};
    let said = checks::steps(b"a\x01\x01b\x01,c\x012d\x01w\x01f\x01r\x01\x82e\x01");
    let long = [&b"x".repeat(2_048)[..], b"e"].concat();
    let bytes = |text: &[u8]| Bytes(text.to_vec());
    let expected =
        [bytes(b"a\x01b"), bytes(b"c"), Turn(2), bytes(b"d"), Settle, Finish, Reset, bytes(&long)];
    assert_eq!(said, expected);
}
