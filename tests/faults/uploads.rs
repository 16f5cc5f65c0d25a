//! `kill -9` while files are sent: whatever was confirmed is there with all its bytes, no message is
//! without its file, and no bytes stay that no message has. `PAPO_KILLS` says how often,
//! `PAPO_SEED` repeats a run as far as the threads allow it.

use std::env;
use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use sha2::{Digest, Sha256};

use crate::process::unix::over;
use crate::process::{Client, Dice, Home, Papod};

/// Who send at once.
const SENDERS: u64 = 4;

/// Sends files until the server is gone, and deletes some. Returns those that were confirmed and not
/// deleted: id, bytes and hash.
fn pour(mut client: Client, mut dice: Dice, confirmed: &AtomicU64) -> Vec<(u64, usize, String)> {
    let mut sent: Vec<(u64, usize, String)> = Vec::new();
    loop {
        // Few different ones, so that some are equal.
        let bytes = vec![dice.below(6) as u8; 1 + dice.below(3) as usize * 30_000];
        let mut typed = String::new();
        for part in bytes.chunks(30_000) {
            typed += &format!("PUT {}\n", BASE64_STANDARD.encode(part));
        }
        typed += "FILE ana x";
        client.say(&typed);
        let answer = loop {
            match client.next_line() {
                None => return sent,
                Some(line) if line.starts_with("OK PUT ") => {}
                Some(line) => break line,
            }
        };
        let words: Vec<&str> = answer.split(' ').collect();
        assert_eq!(words[..2], ["OK", "FILE"], "{answer}");
        sent.push((words[2].parse().unwrap(), bytes.len(), words[5].to_owned()));
        confirmed.fetch_add(1, Ordering::SeqCst);
        if dice.below(3) == 0 {
            let at = dice.below(sent.len() as u64) as usize;
            let (id, ..) = sent.swap_remove(at);
            client.say(&format!("DEL {id}"));
            match client.next_line() {
                None => return sent,
                Some(line) => assert!(line.starts_with("OK DEL "), "{line}"),
            }
        }
    }
}

#[test]
fn no_message_is_without_its_file_after_a_kill() {
    let kills = env::var("PAPO_KILLS").ok();
    let kills: u32 = kills.map_or(6, |n| n.parse().expect("PAPO_KILLS is a number"));
    let (mut dice, seed) = Dice::from_environment();
    println!("PAPO_SEED={seed}");
    let home = Home::new();
    let admin = home.path().join("admin.sock");
    let start = || Papod::start_with(&home.db(), ["--admin", admin.to_str().unwrap()]);
    let folder = home.path().join("papo.db-files");
    let mut papod = start();
    drop(papod.register("ana"));
    for _ in 0..kills {
        let (confirmed, moment) = (AtomicU64::new(0), dice.below(60));
        let sent = thread::scope(|scope| {
            let senders: Vec<_> = (0..SENDERS)
                .map(|_| {
                    let client = papod.login_quietly("ana");
                    let (dice, confirmed) = (Dice::new(dice.below(u64::MAX)), &confirmed);
                    scope.spawn(move || pour(client, dice, confirmed))
                })
                .collect();
            while confirmed.load(Ordering::SeqCst) < moment {
                thread::yield_now();
            }
            papod.kill();
            senders.into_iter().flat_map(|sender| sender.join().unwrap()).collect::<Vec<_>>()
        });
        papod = start();
        assert_eq!(over(&admin, "ADMIN CHECK"), ["OK ADMIN CHECK 0"]);
        let mut ana = papod.login_quietly("ana");
        for (id, bytes, hash) in sent {
            ana.say(&format!("GET {id}"));
            let rows = ana.until("OK GET ");
            let (last, rows) = rows.split_last().unwrap();
            assert_eq!(*last, format!("OK GET {id} {bytes} {hash}"));
            let got: Vec<u8> =
                rows.iter().flat_map(|row| BASE64_STANDARD.decode(&row[5..]).unwrap()).collect();
            let found: String =
                Sha256::digest(&got).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!((got.len(), found), (bytes, hash));
        }
    }
    papod.stop();
    // Contents that no message has are swept by the next papod, before it has ended.
    let papod = start();
    let is_swept = || {
        let db = rusqlite::Connection::open(home.db()).unwrap();
        let sql = "SELECT count(DISTINCT content) FROM file";
        let used: i64 = db.query_row(sql, [], |row| row.get(0)).unwrap();
        fs::read_dir(&folder).unwrap().count() as i64 == used
    };
    assert!(std::iter::repeat_with(is_swept).take(100_000).any(|is_swept| is_swept));
    papod.stop();
}
