//! `kill -9` while commands wait for their time and are carried out: each that was confirmed is
//! carried out, and none twice.

use std::collections::BTreeMap;

use crate::process::{Dice, Home};
use papo::limits;

#[test]
fn what_was_to_be_done_is_done_once_after_kill_9() {
    let (mut dice, seed) = Dice::from_environment();
    println!("PAPO_SEED={seed}");
    let home = Home::new();
    let mut papod = home.start();
    papod.register("ana");
    papod.register("bia");
    let mut confirmed = Vec::new();
    for round in 0..4 {
        let (mut ana, _) = papod.login("ana");
        let texts: Vec<String> = (1..limits::LATER).map(|n| format!("{round}-{n}")).collect();
        let lines = texts.iter().map(|text| format!("AT +1 MSG bia {text}\n"));
        ana.write(lines.collect::<String>().as_bytes());
        // Somewhere between the first `OK` and the last message.
        let mut oks = 0;
        for _ in 0..=dice.below(2 * texts.len() as u64) {
            oks += usize::from(ana.line().starts_with("OK AT "));
        }
        papod.kill();
        confirmed.extend_from_slice(&texts[..oks]);
        papod = home.start();
        // What is due later is done later.
        let (mut ana, _) = papod.login("ana");
        ana.say("AT +2 MSG ana done");
        while !ana.line().ends_with(" done") {}
        ana.say("AT");
        assert_eq!(ana.until("OK AT").last().unwrap(), "OK AT 0");
        ana.say("READ");
        ana.until("OK READ");
    }
    let mut counts = BTreeMap::<String, usize>::new();
    for entry in papod.login_quietly("ana").history("bia", 0) {
        *counts.entry(entry.body).or_default() += 1;
    }
    assert!(counts.values().all(|count| *count == 1), "{counts:?}");
    assert!(confirmed.iter().all(|text| counts.contains_key(text)), "{confirmed:?} {counts:?}");
    println!("{} confirmed, {} carried out", confirmed.len(), counts.len());
    papod.stop();
}
