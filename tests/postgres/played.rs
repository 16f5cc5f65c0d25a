//! The transcripts: what people typed and what they got is the same on every store.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Instant;

use crate::cluster::cluster;
use crate::place;
use crate::process::unix::over;
use crate::process::{Dice, PATIENCE};
use crate::transcript::abreast::abreast;
use crate::transcript::play::{Stage, Typing, play_on};
use crate::transcript::script::Script;

#[test]
fn transcripts_hold() {
    hold(|| Stage::open_nodes(1));
}

/// Wherever a client is, it is told the same: each comes to the next node.
#[test]
fn transcripts_hold_on_three_nodes() {
    hold(|| Stage::open_nodes(3));
}

/// Now and then, between two lines of some transcripts, the leader loses its place to another node.
/// With `PAPO_MOVES` in the environment that happens between any two lines of all.
#[test]
fn transcripts_hold_while_the_leader_moves() {
    let (dice, seed) = Dice::from_environment();
    println!("PAPO_SEED={seed}");
    let dice = Rc::new(RefCell::new(dice));
    let always = std::env::var_os("PAPO_MOVES").is_some();
    let moves = Rc::new(Cell::new(0));
    let mut scripts = scripts();
    scripts.retain(|_| always || dice.borrow_mut().below(12) == 0);
    let stage = || {
        let stage = Stage::open_nodes(3);
        let name = place::name_of(stage.folder_of_first());
        let admin = stage.folder_of_first().join("admin.sock");
        let (dice, moves) = (dice.clone(), moves.clone());
        stage.disturbed(move |next| {
            // Whoever is on another node is not online until that has come to the next leader.
            let asks_who_is_online = next.starts_with(b"FIND");
            if !asks_who_is_online && (always || dice.borrow_mut().below(4) == 0) {
                move_leader(&name, &admin);
                moves.set(moves.get() + 1);
            }
        })
    };
    let played = |script| play_on(script, Typing::Lines, stage()).err();
    holds(scripts.iter().map(played).collect());
    println!("the leader was moved {} times", moves.get());
    assert!(moves.get() > 0);
}

/// Takes the leader's place from it, as a node would that thinks it gone. In a transaction.
pub const TAKE_PLACE: &str =
    "UPDATE leader SET term = term + 1, beat = beat + 1, node = 'nobody', pid = NULL;
     INSERT INTO term SELECT l.term, l.node, 'nowhere', now(), l.batch, l.entry, t.server, t.standby,
         false FROM leader l JOIN term t ON t.term = l.term - 1;";

/// Takes the leader's place from it, and waits until one of the three has it and the others, the old
/// leader among them, have come to that one.
fn move_leader(db: &str, admin: &Path) {
    assert!(cluster().run(db, &format!("BEGIN; {TAKE_PLACE} COMMIT")));
    let began = Instant::now();
    loop {
        let (stats, now) = (over(admin, "ADMIN STATS"), "SELECT term, node FROM leader");
        let now = cluster().ask(db, now).unwrap();
        let (term, node) = now.split_once('|').unwrap();
        let wanted = [format!("STAT term {term}"), "STAT nodes 3".into(), "STAT leader 1".into()];
        if node != "nobody" && wanted.iter().all(|row| stats.contains(row)) {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "the nodes do not come together: {now} {stats:?}");
    }
}

/// Plays all, several at a time.
fn hold(stage: impl Fn() -> Stage + Sync) {
    let played = abreast(&scripts(), |script| play_on(script, Typing::Lines, stage()).err());
    holds(played);
}

fn holds(played: Vec<Option<String>>) {
    let wrong: Vec<String> = played.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// All transcripts.
fn scripts() -> Vec<Script> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = root.join("tests/transcripts").read_dir().unwrap();
    let mut files: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|e| e == "txt"));
    files.sort();
    let mut scripts: Vec<Script> = files.iter().map(|file| Script::open(file)).collect();
    scripts.extend(Script::blocks(&root.join("PROTOCOL.md")));
    assert!(scripts.len() > 20, "{}", scripts.len());
    scripts
}
