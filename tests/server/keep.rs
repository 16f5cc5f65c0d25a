//! `--keep`: a server forgets while it serves. Sessions pass over what is forgotten under them, and a
//! kill leaves a whole database.

use std::io::{BufRead, BufReader, Write};
use std::thread;
use std::time::Instant;

use crate::marks::{mark, marked, marks};
use crate::narrow::Narrow;
use crate::process::{Dice, Home, PATIENCE, Papod, id};
use papo::entry::{Clock, EntryId, Millis};
use papo::hub::{Retention, Work};
use papo::store::{Effort, Expire, Reader};
use rusqlite::Connection;
use smol::channel;

const DAY: i64 = 86_400_000;

/// What a narrow connection reads, as the caller takes it.
fn lines(narrow: &mut Narrow, typed: &str) -> impl Iterator<Item = String> + use<> {
    let (client, _) = narrow.session(typed);
    BufReader::with_capacity(1_024, client).lines().map(Result::unwrap)
}

fn ask(narrow: &Narrow, work: impl FnOnce(channel::Sender<bool>) -> Work) -> bool {
    let (answer, answered) = channel::bounded(1);
    narrow.hub.ask(work(answer));
    answered.recv_blocking().unwrap()
}

#[test]
fn a_session_passes_over_what_is_forgotten_while_it_reads() {
    let mut narrow = Narrow::new(Clock::Still(Millis(DAY)));
    const ENTRIES: usize = 600;
    let body = "x".repeat(2_000);
    let sent = format!("MSG bob {body}\n").repeat(ENTRIES);
    let bob = lines(&mut narrow, "REG bob secret-b\nQUIT\n").last();
    assert_eq!(bob.as_deref(), Some("BYE quit"));
    let ana = lines(&mut narrow, &format!("REG ana secret-a\n{sent}QUIT\n")).last();
    assert_eq!(ana.as_deref(), Some("BYE quit"));

    // Each has read a line when everything up to some entry is forgotten, and reads on.
    let hist = format!("LOGIN bob secret-b quiet\nHIST ana {ENTRIES}\nQUIT\n");
    let sync = "LOGIN bob secret-b quiet\nSYNC 0\nQUIT\n".to_owned();
    let login = "LOGIN bob secret-b\nQUIT\n".to_owned();
    let mut floor = 0;
    for (typed, row, end) in
        [(login, "MSG ", "LIVE "), (hist, "HIST ", "OK HIST "), (sync, "HIST ", "OK SYNC ")]
    {
        let mut lines = lines(&mut narrow, &typed);
        let first = lines.find(|line| line.starts_with(row)).unwrap();
        assert_eq!(id(&first), floor + 1);
        let after = EntryId(floor as i64);
        floor += 180;
        let step = Expire::Entries { after, upto: EntryId(floor as i64) };
        assert!(ask(&narrow, |answer| Work::Expire { step, answer: answer.into() }));
        let mut ids = vec![id(&first)];
        let end = lines.find(|line| {
            assert!(!line.starts_with("ERR ") && !line.starts_with("BYE "), "{line}");
            if line.starts_with(row) {
                ids.push(id(line));
            }
            line.starts_with(end)
        });
        let end = end.unwrap();
        assert!(ids.is_sorted(), "in the order of ids");
        // What was on its way came; what was forgotten before it was read did not.
        assert!(ids.len() < ENTRIES - after.0 as usize, "{end}");
        assert!(ids.contains(&(floor + 1)) && ids.last() == Some(&(ENTRIES as u64)));
        if end.starts_with("OK HIST ") {
            assert_eq!(end, format!("OK HIST {} end", ids.len()));
        }
        assert_eq!(lines.last().as_deref(), Some("BYE quit"));
    }
    narrow.hub.ask(Work::End);
}

#[test]
fn a_pass_forgets_what_is_old_and_nothing_else() {
    let mut narrow = Narrow::new(Clock::Still(Millis(DAY)));
    let notes = "MSG ana note\n".repeat(1_500);
    lines(&mut narrow, &format!("REG ana secret-a\n{notes}QUIT\n")).last();
    let retention = |narrow: &Narrow, now| {
        let reader = Box::new(narrow.database.reader().unwrap());
        Retention::new(narrow.hub.clone(), reader, Clock::Still(Millis(now)), 1)
    };
    let mut reader = narrow.database.reader().unwrap();
    // A day old is not older than a day.
    assert!(retention(&narrow, 2 * DAY).pass().unwrap());
    assert_eq!(reader.newest().unwrap().floor, EntryId(0));
    assert!(retention(&narrow, 2 * DAY + 1).pass().unwrap());
    assert_eq!(reader.newest().unwrap().floor, EntryId(1_500));
    let asked = "LOGIN ana secret-a\nHIST ana\nCHATS\nSYNC 0\nREAD 1500\nMSG ana on\nQUIT\n";
    let said: Vec<String> = lines(&mut narrow, asked).skip(1).collect();
    assert_eq!(
        said,
        [
            "OK LOGIN ana 0",
            "LIVE 1500",
            "OK HIST 0 end",
            "OK CHATS 0",
            "OK SYNC 1500 end",
            "ERR READ no-such-message 1500: no message of yours has this id",
            "OK MSG 1501 1970-01-02T00:00:00.000Z",
            "OK QUIT",
            "BYE quit",
        ]
    );
    // Whoever reads the log beside the database is not waited for; the next pass sees to it.
    reader.begin(Effort::Full).unwrap();
    reader.newest().unwrap();
    lines(&mut narrow, "LOGIN ana secret-a\nMSG ana on\nQUIT\n").last();
    let mut late = retention(&narrow, 2 * DAY + 1);
    assert!(!late.pass().unwrap());
    reader.end();
    assert!(late.pass().unwrap());
    narrow.hub.ask(Work::End);
    assert!(!retention(&narrow, 3 * DAY).pass().unwrap(), "the hub has ended");
}

/// Whether a file of the database has this text.
fn is_on_disk(narrow: &Narrow, text: &str) -> bool {
    let mut files = narrow.folder.path().read_dir().unwrap().map(|file| file.unwrap().path());
    files.any(|file| {
        let bytes = std::fs::read(file).unwrap();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

#[test]
fn a_deleted_text_leaves_the_disk_where_all_is_kept() {
    let mut narrow = Narrow::new(Clock::Still(Millis(DAY)));
    for typed in ["REG ana secret-a\nMSG ana my pin is 4711", "EDIT 1 my pin is 4712", "DEL 1"] {
        let login = if typed.starts_with("REG") { "" } else { "LOGIN ana secret-a\n" };
        lines(&mut narrow, &format!("{login}{typed}\nQUIT\n")).last();
    }
    assert!(is_on_disk(&narrow, "my pin"), "the write-ahead log has it");
    let mut reader = narrow.database.reader().unwrap();
    reader.begin(Effort::Full).unwrap();
    reader.newest().unwrap();
    let eyes = Box::new(narrow.database.reader().unwrap());
    let mut retention = Retention::new(narrow.hub.clone(), eyes, Clock::Still(Millis(DAY)), 0);
    // A reader that is in the way is not waited for; the next pass sees to it.
    assert!(!retention.pass().unwrap());
    reader.end();
    assert!(retention.pass().unwrap());
    assert!(!is_on_disk(&narrow, "my pin"));
    let shown: Vec<String> =
        lines(&mut narrow, "LOGIN ana secret-a quiet\nHIST ana\nQUIT\n").skip(2).collect();
    assert_eq!(shown[0], "HIST 1 1970-01-02T00:00:00.000Z ana ana kind=gone,del=3 -");
    narrow.hub.ask(Work::End);
}

/// Makes everything up to an entry two days older, while no papod runs.
fn age(home: &Home, upto: u64) {
    let db = Connection::open(home.db()).unwrap();
    let upto = i64::try_from(upto).unwrap();
    db.execute("UPDATE entry SET time = time - ?2 WHERE id <= ?1", [upto, 2 * DAY]).unwrap();
}

/// The floor, and the ids of what is shown.
fn shown(home: &Home) -> (i64, Vec<i64>) {
    let db = Connection::open(home.db()).unwrap();
    let floor = db.query_row("SELECT floor FROM newest", [], |row| row.get(0)).unwrap();
    let mut ids = db.prepare("SELECT id FROM messages ORDER BY id").unwrap();
    let ids = ids.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    (floor, ids)
}

#[test]
fn papod_forgets_while_it_runs() {
    let home = Home::new();
    let papod = home.start();
    papod.register("bob");
    let mut ana = papod.register("ana");
    ana.say("GROUP NEW team bob");
    ana.until("OK GROUP NEW");
    let once = format!("ONCE key MSG bob {} once", mark(2));
    ana.say(&once);
    let first = ana.until("OK MSG ").pop().unwrap();
    for n in 3..=40 {
        ana.send(if n % 2 == 0 { "bob" } else { "#team" }, &marked(n, 3_000));
    }
    let left = marks(&home.db());
    assert_eq!(left.len(), 39);
    papod.stop();
    age(&home, 30);
    let papod = Papod::start_with(&home.db(), ["--keep", "1"]);
    let (mut bob, _) = papod.login("bob");
    // It begins at once, and all of it is one step.
    loop {
        bob.say("HIST ana 1 before 31");
        if bob.until("OK HIST ").len() == 1 {
            break;
        }
    }
    let began = Instant::now();
    loop {
        let found = marks(&home.db());
        if found.first() == Some(&31) {
            assert_eq!(found.len(), 10);
            break;
        }
        assert!(began.elapsed() < PATIENCE, "{found:?} are in the files");
        bob.has_heard_all();
    }
    bob.say("CHATS");
    let chats = bob.until("OK CHATS 2");
    assert!(chats[0].starts_with("CHAT ana 5 40 ") && chats[1].starts_with("CHAT #team 5 39 "));
    bob.say("SYNC 0");
    let rows = bob.until("OK SYNC 40 end");
    let ids: Vec<u64> = rows[..rows.len() - 1].iter().map(|row| id(row)).collect();
    assert_eq!(ids, (31..=40).collect::<Vec<_>>());
    for command in ["ACK 30", "READ 2", "INFO 30"] {
        bob.say(command);
        let verb = command.split(' ').next().unwrap();
        assert!(bob.line().starts_with(&format!("ERR {verb} no-such-message ")));
    }
    // A key is remembered for ever.
    let mut ana = papod.login_quietly("ana");
    ana.say(&once);
    ana.expect(&first);
    ana.say("WAIT last read 1");
    assert!(ana.line().starts_with("ERR WAIT no-such-message "));
    papod.stop();
    // What is forgotten is so without the flag, too.
    let papod = home.start();
    let (_bob, read) = papod.login("bob");
    assert_eq!(read[0], "OK LOGIN bob 10");
    assert_eq!(read.len(), 12);
    assert_eq!(shown(&home), (30, (31..=40).collect()));
}

#[test]
fn a_kill_while_it_forgets_leaves_a_whole_database() {
    let home = Home::new();
    const OLD: i64 = 6_000;
    {
        let papod = home.start();
        papod.register("bob");
        let mut ana = papod.register("ana");
        let typed = "MSG bob mark\nMSG ana note\n".repeat(OLD as usize / 2);
        let mut typist = ana.socket().try_clone().unwrap();
        let typing = thread::spawn(move || typist.write_all(typed.as_bytes()).unwrap());
        ana.until(&format!("OK MSG {OLD} "));
        typing.join().unwrap();
        let last = ana.send("bob", "new");
        assert_eq!(last as i64, OLD + 1);
        papod.stop();
    }
    age(&home, OLD as u64);
    let (mut dice, seed) = Dice::from_environment();
    println!("PAPO_SEED={seed}");
    let mut floor = 0;
    let mut kills = 0;
    while floor < OLD {
        let mut papod = Papod::start_with(&home.db(), ["--keep", "1"]);
        let mut client = papod.connect();
        for n in 0..dice.below(40) {
            client.say(&format!("PING {n}"));
            client.expect(&format!("OK PING {n}"));
        }
        papod.kill();
        kills += 1;
        let (now, ids) = shown(&home);
        assert!(now >= floor && now <= OLD);
        floor = now;
        assert_eq!(ids, (floor + 1..=OLD + 1).collect::<Vec<_>>());
        let db = Connection::open(home.db()).unwrap();
        let check: String = db.query_row("PRAGMA integrity_check", [], |r| r.get(0)).unwrap();
        assert_eq!(check, "ok");
    }
    println!("{kills} kills");
    // What is left is what it was.
    let papod = home.start();
    let (mut bob, read) = papod.login("bob");
    assert_eq!(read[0], "OK LOGIN bob 1");
    assert!(read[1].starts_with(&format!("MSG {} ", OLD + 1)) && read.len() == 3);
    bob.say("CHATS");
    assert!(bob.line().starts_with(&format!("CHAT ana 1 {} ", OLD + 1)));
    bob.expect("OK CHATS 1");
}
