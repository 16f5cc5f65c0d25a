//! A disk, or a database, that is full: every command that writes is told so and leaves nothing
//! behind, reading goes on, nobody is sent away, and writing begins again by itself when there is
//! room. What was confirmed is there after a restart.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::process::{self, Client, Entry, Home, PASSWORD, Papod, USUAL, id};
use papo::store::sqlite::Database;
use papo::store::{BackupError, Maintenance};
use tempfile::TempDir;

const FULL: &str = "storage the server cannot write to disk; nothing was saved, try again later";

/// Says a line, and gives back its answer.
fn answer(client: &mut Client, line: &str) -> String {
    client.say(line);
    next_answer(client)
}

/// The next answer; rows and events before it are passed over.
fn next_answer(client: &mut Client) -> String {
    loop {
        let said = client.line();
        if said.starts_with("OK ") || said.starts_with("ERR ") {
            return said;
        }
    }
}

/// Says a line, with each `#` replaced by a number, until it is refused for want of room. Gives
/// back the ids and texts of what was confirmed.
fn fill(client: &mut Client, line: &str) -> Vec<(u64, String)> {
    let mut kept = Vec::new();
    for n in 0.. {
        let line = line.replace('#', &n.to_string());
        let said = answer(client, &line);
        if said.ends_with(FULL) {
            break;
        }
        assert!(said.starts_with("OK "), "{said}");
        if let Some(("MSG", text)) = line.split_once(' ') {
            kept.push((id(&said), text.split_once(' ').unwrap().1.to_owned()));
        }
    }
    kept
}

/// The messages that two have exchanged, with their ids.
fn talk(papod: &Papod, me: &str, peer: &str) -> Vec<(u64, String)> {
    let log = papod.login_quietly(me).history(peer, 0);
    log.into_iter().map(|Entry { id, body, .. }| (id, body)).collect()
}

/// A small file system of its own, in memory.
struct Small(TempDir);

/// Runs a command as root, which is needed for mounting.
fn as_root(command: &[&str]) {
    let is_root = rustix::process::getuid().is_root();
    let with: &[&str] = if is_root { &[] } else { &["sudo", "-n"] };
    let all: Vec<&&str> = with.iter().chain(command).collect();
    let status = Command::new(all[0]).args(&all[1..]).status().expect("it starts");
    assert!(status.success(), "{command:?}");
}

impl Small {
    fn new(mib: u32) -> Small {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap();
        let options = format!("size={mib}m,mode=0777");
        as_root(&["mount", "-t", "tmpfs", "-o", &options, "papo", path]);
        Small(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        as_root(&["umount", self.path().to_str().unwrap()]);
    }
}

/// What writes, whoever says it; all of it is in order while there is room.
const WRITES: [&str; 15] = [
    "MSG bia two",
    "MSG ana a note",
    "ONCE key MSG bia three",
    "ACK 1",
    "READ 1",
    "NAME Ana Maria",
    "PASSWD correct-horse other-horse",
    "BLOCK caio",
    "UNBLOCK dora",
    "GROUP NEW crew bia",
    "GROUP TOPIC team tea",
    "GROUP ADD team caio",
    "GROUP REMOVE team bia",
    "TOKEN NEW laptop",
    "TOKEN DEL phone",
];

/// What only reads, and how its answer begins.
const READS: [(&str, &str); 10] = [
    ("WHOAMI", "OK WHOAMI ana "),
    ("HIST bia 3", "OK HIST 3 more"),
    ("SYNC 0", "OK SYNC "),
    ("CHATS", "OK CHATS 2"),
    ("INFO 1", "OK INFO 1"),
    ("FIND bia", "OK FIND 1"),
    ("GROUP LIST", "OK GROUP LIST 1"),
    ("GROUP WHO team", "OK GROUP WHO 2"),
    ("TOKEN LIST", "OK TOKEN LIST 1"),
    ("BLOCK", "OK BLOCK 1"),
];

#[test]
#[ignore = "needs root"]
fn a_full_disk_is_told_to_everyone_and_is_over_when_there_is_room() {
    // With the filler gone there is room for a copy beside the database and its log.
    let small = Small::new(28);
    let (db, filler) = (small.path().join("papo.db"), small.path().join("filler"));
    fs::write(&filler, vec![7; 20 << 20]).unwrap();
    let mut papod = Papod::start(&db);
    let [mut ana, mut bia, mut caio, _dora] =
        ["ana", "bia", "caio", "dora"].map(|who| papod.register(who));
    assert_eq!(bia.send("ana", "one"), 1);
    for line in ["GROUP NEW team bia", "TOKEN NEW phone", "BLOCK dora"] {
        assert!(answer(&mut ana, line).starts_with("OK "));
    }
    // To the last page: the longest first, and at the end what is a page of its own.
    let mut kept = vec![(1, "one".to_owned())];
    for line in [format!("MSG bia # {}", "x".repeat(20_000)), "MSG bia #".into()] {
        kept.extend(fill(&mut ana, &line));
    }
    fill(&mut ana, "NAME Ana #");
    fill(&mut ana, &format!("PASSWD {PASSWORD} {PASSWORD}"));

    for line in WRITES {
        let verb = line.split(' ').next().unwrap();
        assert_eq!(answer(&mut ana, line), format!("ERR {verb} {FULL}"), "{line}");
    }
    assert_eq!(answer(&mut bia, "GROUP LEAVE team"), format!("ERR GROUP {FULL}"));
    let mut stranger = papod.connect();
    let reg = format!("REG emil {PASSWORD}");
    assert_eq!(answer(&mut stranger, &reg), format!("ERR REG {FULL}"));
    caio.say("TALK bia");
    caio.expect("OK TALK bia");
    caio.say("a text");
    caio.expect(&format!("ERR MSG {FULL}"));
    caio.say("/");
    caio.expect("OK TALK -");
    caio.has_heard_all();
    for (line, start) in READS {
        let said = answer(&mut ana, line);
        assert!(said.starts_with(start), "{line}: {said}");
    }
    assert_eq!(talk(&papod, "ana", "bia"), kept);
    let (mut again, _) = papod.login("bia");
    again.has_heard_all();
    // Who was refused an account is not in, and may try again.
    assert!(answer(&mut stranger, "WHOAMI").starts_with("ERR WHOAMI need-login"));
    papod.until_logged("cannot write to the database; refusing writes");

    // There is room, and nobody has to do anything.
    fs::remove_file(&filler).unwrap();
    let after = ana.send("bia", "after");
    assert_eq!(after, kept.last().unwrap().0 + 1, "no id was used up by what was not kept");
    kept.push((after, "after".into()));
    assert!(again.until("MSG ").pop().unwrap().ends_with(" ana bia - after"));
    stranger.say(&reg);
    stranger.expect("OK REG emil");
    for line in WRITES.into_iter().filter(|line| !line.contains("MSG") && !line.contains("PASSWD"))
    {
        let said = answer(&mut ana, line);
        assert!(said.starts_with("OK "), "{line}: {said}");
    }
    papod.until_logged("the database can be written to again");

    // The same once more, and then the server dies of it. It starts on the full disk, too.
    let _ = fs::write(&filler, vec![7; 28 << 20]);
    kept.extend(fill(&mut ana, &format!("MSG bia # {}", "y".repeat(20_000))));
    papod.kill();
    let mut papod = Papod::start(&db);
    assert_eq!(talk(&papod, "ana", "bia"), kept);
    papod.kill();

    // A backup that finds no room leaves nothing behind, one that finds some is whole.
    let database = Database::open(&db).unwrap();
    let copy = small.path().join("copy");
    let failed = database.maintenance().backup(&copy);
    assert!(matches!(&failed, Err(BackupError::Failed(_))), "{failed:?}");
    let names = fs::read_dir(small.path()).unwrap().map(|e| e.unwrap().file_name());
    assert!(!names.into_iter().any(|name| name.to_str().unwrap().starts_with("copy")));
    drop(database);
    fs::remove_file(&filler).unwrap();
    let database = Database::open(&db).unwrap();
    database.maintenance().backup(&copy).unwrap();
    assert_eq!(Database::open(&copy).unwrap().maintenance().check().unwrap(), [""; 0]);
    drop(database);
    let papod = Papod::start(&db);
    assert_eq!(talk(&papod, "ana", "bia"), kept);
    papod.stop();
}

#[test]
fn a_database_that_has_reached_its_limit_is_as_a_full_disk() {
    let home = Home::new();
    let papod = Papod::start_with(&home.db(), ["--limit-db", "1"]);
    let [mut ana, mut bia] = ["ana", "bia"].map(|who| papod.register(who));
    let mut kept = Vec::new();
    for length in [3_000, 200, 0] {
        kept.extend(fill(&mut ana, &format!("MSG bia # {}.", "x".repeat(length))));
    }
    // Many at once, of which a part does not fit: each answer says what became of its own.
    let text = |n: usize| format!("{n} {}.", "y".repeat(n * 20));
    let lines: String = (0..200).map(|n| format!("MSG ana {}\n", text(n))).collect();
    bia.write(lines.as_bytes());
    let mut refused = 0;
    for n in 0..200 {
        let said = next_answer(&mut bia);
        if said.starts_with("OK MSG ") {
            kept.push((id(&said), text(n)));
        } else {
            assert_eq!(said, format!("ERR MSG {FULL}"));
            refused += 1;
        }
    }
    assert!(refused > 0);
    kept.sort();
    assert_eq!(talk(&papod, "ana", "bia"), kept);
    bia.has_heard_all();
    let (mut again, _) = papod.login("ana");
    again.has_heard_all();
    papod.stop();
    let size = || fs::metadata(home.db()).unwrap().len();
    assert!((1 << 19..=1 << 20).contains(&size()), "{}", size());

    // A higher limit, and it goes on.
    let mut command = process::papod();
    command.args(USUAL).arg("--db").arg(home.db()).env("PAPOD_LIMIT_DB", "2");
    let papod = Papod::spawn(command);
    let mut ana = papod.login_quietly("ana");
    for n in 0..20 {
        kept.push((ana.send("bia", &"z".repeat(30_000 + n)), "z".repeat(30_000 + n)));
    }
    assert_eq!(talk(&papod, "ana", "bia"), kept);
    papod.stop();
    assert!(size() > 1 << 20);
    // A lower one takes nothing away.
    let papod = Papod::start_with(&home.db(), ["--limit-db", "1"]);
    papod.until_logged("above its limit of 1 MiB");
    assert_eq!(talk(&papod, "bia", "ana"), kept);
    papod.stop();
    assert_eq!(Database::open(&home.db()).unwrap().maintenance().check().unwrap(), [""; 0]);
}
