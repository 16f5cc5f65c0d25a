//! `kill -9` while files are sent and fetched and backups are made: whatever was confirmed is there
//! with all its bytes, no message is without its file, no bytes stay that no message has, and a backup
//! that has its name is whole. `PAPO_KILLS` says how often each is killed, `PAPO_SEED` repeats a run
//! as far as the threads allow it.

use std::env;
use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use papo::store::sqlite;
use sha2::{Digest, Sha256};

use crate::process::unix::over;
use crate::process::{Client, Dice, Home, PATIENCE, Papod};

/// Who send and who fetch at once.
const SENDERS: usize = 3;
const GETTERS: usize = 2;
/// Files of earlier rounds that are looked at again.
const KEPT: usize = 100;

/// What is under way when papod is killed: so much of it was done before.
#[derive(Clone, Copy, Debug)]
enum Amid {
    Uploads,
    Downloads,
    Backups,
}

impl Amid {
    /// How much of it is done before a kill, at most.
    fn moments(self) -> u64 {
        match self {
            Amid::Uploads => 40,
            Amid::Downloads => 200,
            Amid::Backups => 4,
        }
    }

    /// How the name of a file begins that is there only while it is under way.
    fn draft(self) -> Option<&'static str> {
        match self {
            Amid::Uploads => Some("upload-"),
            Amid::Downloads => None,
            Amid::Backups => Some("papo-draft-"),
        }
    }
}

/// A file that was confirmed: id, bytes and hash.
type Sent = (u64, usize, String);

/// What people see of it.
#[derive(Default)]
struct Seen {
    /// Confirmed, and not deleted.
    sent: Mutex<Vec<Sent>>,
    /// Files confirmed, rows fetched, backups made.
    done: [AtomicU64; 3],
}

impl Seen {
    fn note(&self, what: Amid) {
        self.done[what as usize].fetch_add(1, Ordering::SeqCst);
    }

    fn sent<T>(&self, look: impl FnOnce(&mut Vec<Sent>) -> T) -> T {
        look(&mut self.sent.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn pick(&self, dice: &mut Dice, takes: bool) -> Option<Sent> {
        self.sent(|sent| {
            let at = dice.below(sent.len().max(1) as u64) as usize;
            if takes && at < sent.len() {
                return Some(sent.swap_remove(at));
            }
            sent.get(at).cloned()
        })
    }
}

/// Sends files until the server is gone, and deletes some.
fn pour(mut client: Client, mut dice: Dice, seen: &Seen) {
    loop {
        // Few different ones, so that some are equal.
        let long = if dice.below(8) == 0 { 300_000 } else { 0 };
        let length = 1 + dice.below(3) as usize * 30_000 + long;
        let bytes = vec![dice.below(6) as u8; length];
        let mut typed = String::new();
        for part in bytes.chunks(30_000) {
            typed += &format!("PUT {}\n", BASE64_STANDARD.encode(part));
        }
        typed += "FILE ana x";
        client.say(&typed);
        let answer = loop {
            match client.next_line() {
                None => return,
                Some(line) if line.starts_with("OK PUT ") => {}
                Some(line) => break line,
            }
        };
        let words: Vec<&str> = answer.split(' ').collect();
        assert_eq!(words[..2], ["OK", "FILE"], "{answer}");
        let file = (words[2].parse().unwrap(), bytes.len(), words[5].to_owned());
        seen.sent(|sent| sent.push(file));
        seen.note(Amid::Uploads);
        if dice.below(3) == 0
            && let Some((id, ..)) = seen.pick(&mut dice, true)
        {
            client.say(&format!("DEL {id}"));
            match client.next_line() {
                None => return,
                Some(line) => assert!(line.starts_with("OK DEL "), "{line}"),
            }
        }
    }
}

/// The bytes of a file, as far as they come, and whether they all did; `None`: it was deleted.
fn fetch(client: &mut Client, (id, bytes, hash): &Sent, seen: &Seen) -> (Option<Vec<u8>>, bool) {
    client.say(&format!("GET {id}"));
    let mut got = Vec::new();
    while let Some(line) = client.next_line() {
        match line.strip_prefix("DATA ") {
            Some(row) => got.extend(BASE64_STANDARD.decode(row).unwrap()),
            None if line.starts_with("ERR GET ") => {
                assert!(line.contains(" no-such-message "), "{line}");
                return (None, true);
            }
            None => {
                assert_eq!(line, format!("OK GET {id} {bytes} {hash}"));
                return (Some(got), true);
            }
        }
        seen.note(Amid::Downloads);
    }
    (Some(got), false)
}

fn is_whole((_, bytes, hash): &Sent, got: &[u8]) -> bool {
    let found: String = Sha256::digest(got).iter().map(|byte| format!("{byte:02x}")).collect();
    got.len() == *bytes && found == *hash
}

/// Fetches files until the server is gone.
fn drain(mut client: Client, mut dice: Dice, seen: &Seen) {
    loop {
        let Some(file) = seen.pick(&mut dice, false) else {
            thread::yield_now();
            client.say("PING");
            if client.next_line().is_none() {
                return;
            }
            continue;
        };
        let (got, has_ended) = fetch(&mut client, &file, seen);
        if !has_ended {
            return;
        }
        assert!(got.is_none_or(|got| is_whole(&file, &got)), "{file:?}");
    }
}

/// Makes backups until the server is gone.
fn back_up(admin: &Path, into: &Path, seen: &Seen) {
    for n in 0.. {
        let order = format!("ADMIN BACKUP {}\n", into.join(n.to_string()).display());
        // It may be cut off anywhere.
        let mut said = String::new();
        let _ = UnixStream::connect(admin).and_then(|mut socket| {
            socket.write_all(order.as_bytes())?;
            socket.shutdown(Shutdown::Write)?;
            socket.read_to_string(&mut said)
        });
        match said.lines().find(|line| line.contains(" ADMIN BACKUP ")) {
            Some(line) => assert!(line.starts_with("OK "), "{line}"),
            None => return,
        }
        seen.note(Amid::Backups);
    }
}

/// Whether a file is there whose name begins so.
fn has_file(folder: &Path, beginning: &str) -> bool {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    files.map(|file| file.file_name()).any(|name| name.to_string_lossy().starts_with(beginning))
}

fn kills_amid(amid: Amid) {
    let kills = env::var("PAPO_KILLS").ok();
    let kills: u32 = kills.map_or(3, |n| n.parse().expect("PAPO_KILLS is a number"));
    let (mut dice, seed) = Dice::from_environment();
    println!("PAPO_SEED={seed}");
    let home = Home::new();
    let admin = home.path().join("admin.sock");
    let start = || Papod::start_with(&home.db(), ["--admin", admin.to_str().unwrap()]);
    let folder = home.path().join("papo.db-files");
    let mut papod = start();
    drop(papod.register("ana"));
    let mut before: Vec<Sent> = Vec::new();
    for n in 0..kills {
        let backups = home.path().join(format!("backups-{n}"));
        fs::create_dir(&backups).unwrap();
        let seen = Seen { sent: Mutex::new(std::mem::take(&mut before)), ..Seen::default() };
        let moment = dice.below(amid.moments());
        thread::scope(|scope| {
            for at in 0..SENDERS + GETTERS {
                let client = papod.login_quietly("ana");
                let (dice, seen) = (Dice::new(dice.below(u64::MAX)), &seen);
                scope.spawn(move || match at < SENDERS {
                    true => pour(client, dice, seen),
                    false => drain(client, dice, seen),
                });
            }
            scope.spawn(|| back_up(&admin, &backups, &seen));
            let in_folder = if matches!(amid, Amid::Backups) { &backups } else { &folder };
            let until = Instant::now() + 4 * PATIENCE;
            let is_now = || {
                seen.done[amid as usize].load(Ordering::SeqCst) >= moment
                    && amid.draft().is_none_or(|draft| has_file(in_folder, draft))
            };
            while !is_now() && Instant::now() < until {
                thread::yield_now();
            }
            papod.kill();
            assert!(Instant::now() < until, "the moment to be killed in does not come");
        });
        papod = start();
        assert_eq!(over(&admin, "ADMIN CHECK"), ["OK ADMIN CHECK 0"]);
        let mut ana = papod.login_quietly("ana");
        before = seen.sent(std::mem::take);
        for file in &before {
            let (got, _) = fetch(&mut ana, file, &seen);
            assert!(got.is_some_and(|got| is_whole(file, &got)), "{file:?}");
        }
        // Those of many rounds are looked at no longer.
        before.drain(..before.len().saturating_sub(KEPT));
        // Those that are under their names, whether anybody was told so or not.
        let mut whole = 0;
        for backup in fs::read_dir(&backups).unwrap().flatten() {
            if backup.file_name().to_string_lossy().bytes().all(|b| b.is_ascii_digit()) {
                let found = sqlite::survey(&backup.path(), &sqlite::files_beside(&backup.path()));
                assert_eq!(found.problems, [""; 0], "{}", backup.path().display());
                whole += 1;
            }
        }
        assert!(whole >= seen.done[Amid::Backups as usize].load(Ordering::SeqCst));
        fs::remove_dir_all(&backups).unwrap();
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

#[test]
fn no_message_is_without_its_file_after_a_kill_amid_uploads() {
    kills_amid(Amid::Uploads);
}

#[test]
fn what_was_sent_can_be_fetched_after_a_kill_amid_downloads() {
    kills_amid(Amid::Downloads);
}

#[test]
fn what_was_confirmed_is_there_after_a_kill_amid_backups() {
    kills_amid(Amid::Backups);
}
