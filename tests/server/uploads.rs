//! Files on a real disk: where their contents are, what a limit refuses, what is left of an upload that
//! comes to nothing, and what is swept.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use sha2::{Digest, Sha256};

use crate::files::{backup, ends, start};
use crate::narrow::Narrow;
use crate::process::unix::{mode, over};
use crate::process::{Client, Home, Papod};
use papo::entry::{Clock, Millis};
use papo::hub::{Retention, Work};
use papo::store::Maintenance;
use rusqlite::Connection;

const DAY: i64 = 86_400_000;

/// The names in a folder; none if it is not there.
fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes that differ from each other, and for each `seed`.
fn bytes(seed: u8, count: usize) -> Vec<u8> {
    (0..count).map(|n| (n * 31 + n / 256 * 7) as u8 ^ seed).collect()
}

fn put(client: &mut Client, bytes: &[u8]) -> String {
    client.say(&format!("PUT {}", BASE64_STANDARD.encode(bytes)));
    client.line()
}

/// Puts these bytes and sends them; returns the id.
fn send(client: &mut Client, to: &str, bytes: &[u8]) -> u64 {
    assert_eq!(put(client, bytes), format!("OK PUT {}", bytes.len()));
    client.say(&format!("FILE {to} x"));
    let line = client.line();
    let words: Vec<&str> = line.split(' ').collect();
    assert_eq!(words[4..], [&bytes.len().to_string(), &hash(bytes)], "{line}");
    words[2].parse().unwrap()
}

/// The bytes of a file from a byte on.
fn get(client: &mut Client, id: u64, from: usize) -> Vec<u8> {
    client.say(&format!("GET {id} {from}"));
    let mut got = Vec::new();
    loop {
        let line = client.line();
        assert!(line.len() <= 65_536, "a row of {}", line.len());
        let Some(row) = line.strip_prefix("DATA ") else {
            assert!(line.starts_with(&format!("OK GET {id} ")), "{line}");
            return got;
        };
        got.extend(BASE64_STANDARD.decode(row).unwrap());
    }
}

#[test]
fn a_file_comes_back_byte_for_byte_and_is_kept_once() {
    let home = Home::new();
    let papod = home.start();
    let folder = home.path().join("papo.db-files");
    let (mut ana, mut bob) = (papod.register("ana"), papod.register("bob"));
    assert!(!folder.exists(), "without a file there is no folder");
    // Around the length of a row, and of its group of three.
    let mut contents = BTreeSet::new();
    for count in [1, 2, 3, 47_999, 48_000, 48_001, 100_000] {
        let bytes = bytes(1, count);
        for part in bytes.chunks(40_000) {
            assert!(put(&mut ana, part).starts_with("OK PUT "));
        }
        ana.say("FILE bob x");
        let id: u64 = ana.line().split(' ').nth(2).unwrap().parse().unwrap();
        assert!(bob.line().contains(&format!(" file={count} x")));
        assert_eq!(get(&mut bob, id, 0), bytes);
        assert_eq!(get(&mut bob, id, count - 1), bytes[count - 1..]);
        contents.insert(hash(&bytes));
    }
    assert_eq!(names(&folder), contents);
    // The same bytes again, by others, and forwarded.
    send(&mut bob, "ana", &bytes(1, 3));
    bob.say("FWD 3 bob");
    assert!(bob.line().starts_with("OK FWD "));
    assert_eq!(names(&folder), contents);
    assert_eq!(mode(&folder), 0o700);
    assert!(names(&folder).iter().all(|name| mode(&folder.join(name)) == 0o600));
    papod.stop();
}

#[test]
fn an_upload_that_comes_to_nothing_leaves_nothing() {
    let home = Home::new();
    let mut papod = home.start();
    let folder = home.path().join("papo.db-files");
    let mut ana = papod.register("ana");
    put(&mut ana, b"abc");
    ana.say("PUT -");
    assert_eq!(ana.line(), "OK PUT 0");
    assert_eq!(names(&folder), BTreeSet::new());
    put(&mut ana, b"abc");
    assert_eq!(names(&folder).len(), 1);
    ana.say("FILE nobody x");
    assert!(ana.line().starts_with("ERR FILE no-such-user "));
    assert_eq!(names(&folder), BTreeSet::from([hash(b"abc")]), "it is in its place by now");
    put(&mut ana, b"def");
    let mut bob = papod.register("bob");
    put(&mut bob, b"abc");
    papod.kill();
    assert_eq!(names(&folder).len(), 3, "two uploads, and one in its place");
    let papod = home.start();
    papod.until_logged("files that no message has: 1 deleted");
    assert_eq!(names(&folder), BTreeSet::new());
    papod.stop();
}

#[test]
fn limits_of_files() {
    let home = Home::new();
    let socket = home.path().join("admin.sock");
    let admin = socket.to_str().unwrap();
    let flags = ["--limit-file", "10", "--limit-files", "25", "--admin", admin];
    let papod = Papod::start_with(&home.db(), flags);
    let mut ana = papod.register("ana");
    assert_eq!(put(&mut ana, &[1; 10]), "OK PUT 10");
    assert!(put(&mut ana, &[1]).starts_with("ERR PUT too-long "));
    assert!(put(&mut ana, &[1]).starts_with("ERR PUT no-file "));
    ana.say("FILE ana x");
    assert!(ana.line().starts_with("ERR FILE no-file "));
    assert!(put(&mut ana, &[1; 11]).starts_with("ERR PUT too-long "));
    ana.say("PUT -");
    assert_eq!(ana.line(), "OK PUT 0");
    // 25 bytes in all, what waits included; equal ones count once.
    send(&mut ana, "ana", &[1; 10]);
    send(&mut ana, "ana", &[1; 10]);
    assert!(over(&socket, "ADMIN STATS").contains(&"STAT files_bytes 10".to_owned()));
    assert_eq!(put(&mut ana, &[2; 10]), "OK PUT 10");
    let mut bob = papod.register("bob");
    assert_eq!(put(&mut bob, &[3; 5]), "OK PUT 5");
    assert!(put(&mut bob, &[3]).starts_with("ERR PUT storage "));
    bob.say("PUT -");
    assert_eq!(bob.line(), "OK PUT 0");
    papod.stop();

    let flags = ["--limit-local", "--limit-files-day", "10"];
    let papod = Papod::start_with(&home.db(), flags);
    let mut ana = papod.login("ana").0;
    assert!(put(&mut ana, &[4; 11]).starts_with("ERR PUT too-fast 86400 seconds until"));
    ana.say("PUT -");
    assert_eq!(ana.line(), "OK PUT 0");
    send(&mut ana, "ana", &[4; 6]);
    let refused = put(&mut ana, &[4; 6]);
    let seconds: u64 = refused.split(' ').nth(3).unwrap().parse().unwrap();
    assert!(refused.starts_with("ERR PUT too-fast ") && seconds > 10_000, "{refused}");
    // Others are not concerned.
    let mut bob = papod.login("bob").0;
    send(&mut bob, "bob", &[4; 10]);
    papod.stop();

    // What there is no room for is not counted.
    let papod = Papod::start_with(&home.db(), [&flags[..], &["--limit-files", "16"]].concat());
    let mut bob = papod.login("bob").0;
    for _ in 0..3 {
        assert!(put(&mut bob, &[5; 10]).starts_with("ERR PUT storage "));
        bob.say("PUT -");
        assert_eq!(bob.line(), "OK PUT 0");
    }
    papod.stop();
}

#[test]
fn uploads_at_once() {
    let home = Home::new();
    let papod = home.start();
    drop(papod.register("ana"));
    let mut ana = papod.login_quietly("ana");
    let mut others: Vec<Client> =
        (0..papo::limits::UPLOADS).map(|_| papod.login_quietly("ana")).collect();
    for other in &mut others {
        assert_eq!(put(other, b"abc"), "OK PUT 3");
    }
    assert!(put(&mut ana, b"abc").starts_with("ERR PUT too-many "));
    ana.say("FILE ana x");
    assert!(ana.line().starts_with("ERR FILE no-file "));
    // One that was sent makes room, and so does the end of a session, once that is noticed.
    others[0].say("FILE ana x");
    assert!(others[0].line().starts_with("OK FILE "));
    assert_eq!(put(&mut ana, b"abc"), "OK PUT 3");
    assert!(put(&mut others[0], b"abc").starts_with("ERR PUT too-many "));
    drop(others.pop());
    let is_in = std::iter::repeat_with(|| {
        others[0].say("PUT -");
        assert_eq!(others[0].line(), "OK PUT 0");
        put(&mut others[0], b"abc") == "OK PUT 3"
    });
    assert!(is_in.take(10_000).any(|is_in| is_in));
    papod.stop();
}

/// What is sent at once, in 16 MiB, and what the client at the other end reads.
#[test]
fn a_large_file_takes_little_memory_both_ways() {
    const BYTES: usize = 16 * 1024 * 1024;
    let home = Home::new();
    let papod = home.start();
    let (mut ana, mut bob) = (papod.register("ana"), papod.register("bob"));
    send(&mut ana, "ana", b"so that all threads have run");
    get(&mut ana, 1, 0);
    let before = papod.memory("VmHWM");
    let content = Arc::new(bytes(5, BYTES));
    let typing = ana.socket().try_clone().unwrap();
    let typed = content.clone();
    let typist = thread::spawn(move || {
        let mut typing = typing;
        for part in typed.chunks(36_000) {
            let line = format!("PUT {}\n", BASE64_STANDARD.encode(part));
            typing.write_all(line.as_bytes()).unwrap();
        }
        typing.write_all(b"FILE bob x\n").unwrap();
    });
    let answers = ana.until("OK FILE ");
    typist.join().unwrap();
    assert_eq!(answers.len(), BYTES.div_ceil(36_000) + 1);
    let id = bob.line().split(' ').nth(1).unwrap().parse().unwrap();
    // One asks for it and reads nothing: that costs nobody anything.
    let mut slow = papod.login_quietly("bob");
    slow.say(&format!("GET {id}"));
    assert!(get(&mut bob, id, 0) == *content);
    assert!(get(&mut bob, id, BYTES / 2) == content[BYTES / 2..]);
    let grown = papod.memory("VmHWM") - before;
    assert!(grown < 8 * 1024, "{grown} KiB");
    let first = slow.line();
    assert_eq!(BASE64_STANDARD.decode(&first["DATA ".len()..]).unwrap(), content[..48_000]);
    slow.until("OK GET ");
    papod.stop();
}

/// What a session answers to what is typed, without the greeting.
fn lines(narrow: &mut Narrow, typed: &str) -> Vec<String> {
    let (client, _) = narrow.session(typed);
    BufReader::new(client).lines().skip(1).map(Result::unwrap).collect()
}

#[test]
fn a_content_leaves_with_the_last_message_that_has_it() {
    let mut narrow = Narrow::new(Clock::Still(Millis(DAY)));
    let contents = narrow.services.files.contents.clone();
    let path = narrow.folder.path().join("papo.db-files");
    let eyes = |narrow: &Narrow| Box::new(narrow.database.reader().unwrap());
    let keeper = |narrow: &Narrow, now, keep, keep_files| {
        let clock = Clock::Still(Millis(now));
        Retention::new(narrow.hub.clone(), eyes(narrow), clock, keep)
            .with_files(Some(contents.clone()), keep_files)
    };
    let mut usual = keeper(&narrow, DAY, 0, 0);
    lines(&mut narrow, "REG ana secret-a\nPUT aGVs\nFILE ana a\nPUT bG8K\nFILE ana b\nQUIT\n");
    lines(&mut narrow, "LOGIN ana secret-a\nFWD 1 ana\nQUIT\n");
    let (one, two) = (hash(b"hel"), hash(b"lo\n"));
    assert!(usual.pass().unwrap());
    assert_eq!(names(&path), BTreeSet::from([one.clone(), two.clone()]));
    lines(&mut narrow, "LOGIN ana secret-a\nDEL 1\nDEL 2\nQUIT\n");
    // During a backup nothing is taken away.
    let pin = contents.pin();
    assert!(!usual.pass().unwrap());
    assert_eq!(names(&path).len(), 2);
    drop(pin);
    assert!(usual.pass().unwrap());
    assert_eq!(names(&path), BTreeSet::from([one.clone()]), "the third message has it, too");
    assert_eq!(contents.bytes(), 3);
    // Its bytes are forgotten by age before the message.
    let mut early = keeper(&narrow, 3 * DAY, 30, 1);
    assert!(early.pass().unwrap());
    assert_eq!(names(&path), BTreeSet::new());
    let said = lines(&mut narrow, "LOGIN ana secret-a quiet\nGET 3\nFWD 3 ana\nHIST ana 1\nQUIT\n");
    assert_eq!(said[1], "ERR GET no-file 3: the server has deleted this file by its age");
    assert_eq!(said[2], "ERR FWD no-file 3: the server has deleted this file by its age");
    assert!(said[3].ends_with(" file=3,fwd=1 a"), "{}", said[3]);
    // With the message, by age.
    lines(&mut narrow, "LOGIN ana secret-a\nPUT aGVs\nFILE ana c\nQUIT\n");
    assert_eq!(names(&path), BTreeSet::from([one]));
    assert!(keeper(&narrow, 3 * DAY, 1, 0).pass().unwrap());
    assert_eq!(names(&path), BTreeSet::new());
    assert_eq!(contents.bytes(), 0);
    assert_eq!(narrow.database.maintenance().check().unwrap(), [] as [&str; 0]);
    narrow.hub.ask(Work::End);
}

/// Whoever has sent it, or has put it again, may stay.
#[test]
fn a_content_leaves_though_its_sender_stays() {
    let mut narrow = Narrow::new(Clock::Still(Millis(DAY)));
    let contents = narrow.services.files.contents.clone();
    let path = narrow.folder.path().join("papo.db-files");
    let eyes = Box::new(narrow.database.reader().unwrap());
    let mut keeper = Retention::new(narrow.hub.clone(), eyes, Clock::Still(Millis(DAY)), 0)
        .with_files(Some(contents.clone()), 0);
    let typed = "REG ana secret-a\nPUT aGVs\nFILE ana a\nDEL last\n\
                 PUT bG8K\nONCE k FILE ana b\nDEL last\nPUT bG8K\nONCE k FILE ana b\n";
    let (client, _) = narrow.session(typed);
    let mut said = BufReader::new(client).lines().map(Result::unwrap);
    assert!(said.by_ref().filter(|line| line.starts_with("OK FILE ")).nth(2).is_some());
    assert!(keeper.pass().unwrap());
    assert_eq!(names(&path), BTreeSet::new());
    assert_eq!(contents.bytes(), 0);
    drop(said);
    narrow.hub.ask(Work::End);
}

#[test]
fn a_backup_has_the_files_and_restoring_puts_them_back() {
    let home = Home::new();
    let admin = home.path().join("admin.sock");
    let folder = home.path().join("papo.db-files");
    let papod = start(&home);
    let mut alice = papod.register("alice");
    let one = send(&mut alice, "alice", b"one");
    let saved = backup(&home, "b.db");
    let copies = home.path().join("b.db-files");
    assert_eq!(names(&copies), BTreeSet::from([hash(b"one")]));
    assert_eq!(mode(&copies), 0o700);
    // Nothing is overwritten.
    fs::rename(&saved, home.path().join("c.db")).unwrap();
    let again = over(&admin, &format!("ADMIN BACKUP {}", saved.display()));
    assert!(again[0].starts_with("ERR ADMIN taken "), "{again:?}");
    fs::rename(home.path().join("c.db"), &saved).unwrap();
    let two = send(&mut alice, "alice", b"two");
    // A content that is gone, or not whole, is found.
    let path = folder.join(hash(b"two"));
    for wrong in [b"twx".as_slice(), b"tw"] {
        fs::write(&path, wrong).unwrap();
        let found = over(&admin, "ADMIN CHECK");
        assert!(found[0].starts_with(&format!("PROBLEM the file of entry {two}, ")), "{found:?}");
    }
    alice.say(&format!("GET {two}"));
    let said = alice.line();
    assert!(said.starts_with(&format!("ERR GET storage {two}: the bytes of this file ")), "{said}");
    fs::write(&path, b"two").unwrap();
    assert_eq!(over(&admin, "ADMIN CHECK"), ["OK ADMIN CHECK 0"]);
    papod.stop();

    // Not through the link that the backup has.
    fs::remove_file(folder.join(hash(b"one"))).unwrap();
    fs::write(folder.join(hash(b"one")), b"two").unwrap();
    assert!(ends(1, &home.db(), &["--check"]).contains(&hash(b"one")));
    ends(0, &home.db(), &["--restore", saved.to_str().unwrap()]);
    let aside = home.path().join("papo.db.aside-1-files");
    assert_eq!(names(&aside), BTreeSet::from([hash(b"one"), hash(b"two")]));
    let papod = start(&home);
    assert_eq!(get(&mut papod.login_quietly("alice"), one, 0), b"one");
    assert_eq!(over(&admin, "ADMIN CHECK"), ["OK ADMIN CHECK 0"]);
    papod.stop();
    // Without the folder of the backup it says what is missing, and does the rest.
    fs::remove_dir_all(&copies).unwrap();
    fs::remove_dir_all(&folder).unwrap();
    let said = ends(0, &home.db(), &["--restore", saved.to_str().unwrap()]);
    assert!(said.contains("1 file that it names: not in "), "{said}");
}

/// Makes a database in which nobody is registered.
fn make_empty(db: &Path) {
    Papod::start(db).stop();
}

#[test]
fn another_folder_and_one_in_use() {
    let home = Home::new();
    let folder = home.path().join("elsewhere");
    let flags = ["--files", folder.to_str().unwrap()];
    let papod = Papod::start_with(&home.db(), flags);
    let mut ana = papod.register("ana");
    let id = send(&mut ana, "ana", b"one");
    assert_eq!(names(&folder), BTreeSet::from([hash(b"one")]));
    let other = home.path().join("other.db");
    let said = ends(1, &other, &flags);
    assert!(said.contains("elsewhere: in use by another papod"), "{said}");
    // Nor is a backup put back into it.
    let saved = home.path().join("empty.db");
    make_empty(&saved);
    let said = ends(1, &other, &[&["--restore", saved.to_str().unwrap()], &flags[..]].concat());
    assert!(said.contains("elsewhere: in use by another papod"), "{said}");
    papod.stop();
    // A new database would sweep what it does not know.
    let said = ends(1, &other, &flags);
    assert!(said.contains("elsewhere: it has the files of another database, and "), "{said}");
    assert!(said.contains("nothing was changed"), "{said}");
    let papod = Papod::start_with(&home.db(), flags);
    assert_eq!(get(&mut papod.login_quietly("ana"), id, 0), b"one");
    papod.stop();
    // The view has the name of the file beside the database.
    let db = Connection::open(home.db()).unwrap();
    let sql = "SELECT file, file_bytes FROM messages";
    let row = db.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    assert_eq!(row, (hash(b"one"), 3));
}

/// The session ends while rows of a file go out, and in the middle of a line that is put.
#[test]
fn a_client_that_goes_leaves_nothing_behind() {
    let home = Home::new();
    let papod = home.start();
    let mut ana = papod.register("ana");
    let id = send(&mut ana, "ana", &bytes(7, 40_000));
    for _ in 0..3 {
        let mut gone = papod.login_quietly("ana");
        gone.say(&format!("GET {id}"));
        let mut some = [0; 100];
        gone.read(&mut some);
        drop(gone);
        let mut gone = papod.login_quietly("ana");
        put(&mut gone, b"abc");
        gone.write(b"PUT aGV");
        drop(gone);
    }
    assert_eq!(get(&mut ana, id, 0), bytes(7, 40_000));
    papod.stop();
    assert_eq!(names(&home.path().join("papo.db-files")).len(), 1);
}
