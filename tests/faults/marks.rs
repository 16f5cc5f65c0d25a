//! Random lives, after which no deleted text is in a file of the database.

use std::fs;

use crate::lives::{self, World};
use crate::process::{Dice, Home};

#[test]
fn copies_show_what_the_history_shows() {
    let (mut dice, seed) = Dice::from_environment();
    println!("PAPO_SEED={seed}");
    for flags in lives::all() {
        let home = Home::new();
        let deleted = World::new(&home.db(), flags).lives(&mut dice);
        for file in home.path().read_dir().unwrap() {
            let bytes = fs::read(file.unwrap().path()).unwrap();
            for text in &deleted {
                let is_there = memchr::memmem::find(&bytes, text.as_bytes()).is_some();
                assert!(!is_there, "{text:?} is on disk");
            }
        }
    }
}
