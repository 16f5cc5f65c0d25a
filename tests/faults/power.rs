//! The power is cut: what was confirmed is there afterwards, whatever the disk had not yet written.
//!
//! A papod runs under strace, which records everything that it does to its files and everything
//! that it says, while people write to each other. Then the recording is played onto a disk of our
//! own and cut at hundreds of moments. At each the files are made as a disk could hold them (see
//! `power/disk.rs`), opened with papod's own store, checked, and held against every line that a
//! client could have read by then. `PAPO_CUTS` says how often, `PAPO_SEED` repeats the cuts.
//!
//! As a control the recording is played as if the last sync had not been made: that must be found.

mod disk;
mod load;
mod trace;

use std::collections::BTreeMap;
use std::env;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use crate::process::{self, Dice, Home, PATIENCE, Papod, USUAL, with_clean_environment};
use disk::Disk;
use load::{PEOPLE, Talk, Typed};
use papo::entry::{EntryId, EntryKind};
use papo::limits;
use papo::name::Handle;
use papo::store::sqlite::{Database, SqliteReader};
use papo::store::{Fact, Maintenance, Need, Reader, Walk};
use rustix::process::Signal;
use trace::SystemCall;

/// Things that each of the people says in each of the two rounds.
const SAID: usize = 100;

/// Starts a papod whose calls are written down. `-D` makes strace the child and papod ours.
fn recorded(home: &Home, into: &Path) -> Papod {
    let mut command = with_clean_environment(Command::new("strace"));
    command.args(["-D", "-f", "-yy", "-s", "1000000", "-e", trace::CALLS, "-o"]).arg(into);
    command.arg(env!("CARGO_BIN_EXE_papod")).args(USUAL).arg("--db").arg(home.db());
    Papod::spawn(command)
}

/// A line that was sent to a client, what it answers if it does, and where its sending began.
struct Said {
    line: String,
    who: &'static str,
    answers: Option<Typed>,
    began: usize,
}

/// All lines that were sent, each with the command that it answers.
fn lines(calls: &[SystemCall], talks: &[Talk]) -> Vec<Said> {
    let mut said = Vec::new();
    for talk in talks {
        let mut typed = talk.typed.iter();
        let mut text = Vec::new();
        let sent = calls.iter().filter(|call| call.name == "sendto" && call.on == talk.connection);
        for call in sent {
            // Where it was killed in the midst of saying something, that may have been heard.
            let all = call.texts[0].len();
            let sent = call.result.map_or(all, |sent| usize::try_from(sent).unwrap_or(0));
            text.extend(&call.texts[0][..sent]);
            while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = text.drain(..=end).collect();
                let line = String::from_utf8(line).unwrap().trim_end().to_owned();
                let answers = line.starts_with("OK ").then(|| typed.next().unwrap().clone());
                said.push(Said { line, who: talk.who, answers, began: call.began });
            }
        }
        assert_eq!(typed.count(), 0, "everything that was typed was answered");
    }
    said.sort_by_key(|said| said.began);
    said
}

/// What a database holds: each entry with its author, its kind and its text.
type Log = BTreeMap<u64, (String, EntryKind, String)>;

fn log(reader: &mut SqliteReader, newest: EntryId) -> Result<Log, papo::store::Error> {
    let mut log = Log::new();
    for who in PEOPLE {
        let Some(account) = reader.account(&Handle::new(who).unwrap())? else {
            continue;
        };
        let mut walk = Walk::new(EntryId(0), newest, false);
        while !walk.done {
            let entries;
            (entries, walk) = reader.page(account.id, walk, limits::PAGE_ROWS)?;
            log.extend(entries.into_iter().map(|entry| {
                let from = entry.from.as_str().to_owned();
                (entry.id.0 as u64, (from, entry.kind, entry.body.into_string()))
            }));
        }
    }
    Ok(log)
}

/// Opens what is in a folder as papod does, and compares it with what was said.
fn verify(folder: &Path, said: &[&Said]) -> Result<(), String> {
    let plain = |e: papo::store::Error| e.to_string();
    let database = Database::open(&folder.join("papo.db")).map_err(plain)?;
    let found = database.maintenance().check().map_err(plain)?;
    if !found.is_empty() {
        return Err(found.join("\n"));
    }
    let mut reader = database.reader().map_err(plain)?;
    let newest = reader.newest().map_err(plain)?.entry;
    let log = log(&mut reader, newest).map_err(plain)?;
    let mut changes = 0;
    for Said { line, who, answers, .. } in said {
        let lost = |what: &str| format!("{what} is lost: {line}");
        let account = reader.account(&Handle::new(who).unwrap()).map_err(plain)?;
        let account = account.ok_or_else(|| lost("the account"));
        match answers {
            None if line.starts_with("MSG ") || line.starts_with("GROUP ") => {
                let shown = process::Entry::parse(line);
                let (from, _, body) = log.get(&shown.id).ok_or_else(|| lost("what was shown"))?;
                if (&**from, &**body) != (&*shown.from, &*shown.body) {
                    return Err(lost("what was shown, as it was,"));
                }
            }
            None => {}
            Some(Typed::Enter) => drop(account?),
            Some(Typed::Message { body, key, .. }) => {
                let id = process::id(line);
                let kept = log.get(&id).is_some_and(|(from, _, text)| from == who && text == body);
                if !kept {
                    return Err(lost("the message"));
                }
                if let Some(key) = key {
                    let need = Need::Once(account?.id, key.as_str().into());
                    let once = reader.gather(&[need], 1).map_err(plain)?;
                    let is_kept = |once: &Fact| matches!(once, Fact::Once(.., once) if once.id.0 as u64 == id);
                    if !once.iter().all(is_kept) {
                        return Err(lost("the key"));
                    }
                }
            }
            Some(Typed::Move { cursor, id }) => {
                let place =
                    reader.gather(&[Need::EntryPos(EntryId(*id as i64))], 1).map_err(plain)?;
                let [Fact::EntryPos(place)] = place[..] else { return Err(lost("the entry")) };
                let need = Need::Conversation(place.conversation);
                let conversation = reader.gather(&[need], 1).map_err(plain)?;
                let account = account?.id;
                let member = match &conversation[..] {
                    [Fact::Conversation(conversation)] => conversation.member(account),
                    _ => None,
                };
                if member.is_none_or(|member| member.cursor(*cursor).id < place.id) {
                    return Err(lost("the cursor"));
                }
            }
            Some(Typed::Change(_)) => changes += 1,
        }
    }
    // The group's changes have no number in their answer; all of them are of one person, in order.
    let kept = log.values().filter(|(_, kind, _)| *kind == EntryKind::Group).count();
    if kept < changes {
        return Err(format!("of {changes} changes of the group {kept} are kept"));
    }
    Ok(())
}

/// Plays the recording up to each of these lines, the lowest first, and cuts the power there. What
/// the sync `ignored` covered is not on the disk by it. Gives back what was found at each.
fn play(
    home: &Home,
    calls: &[SystemCall],
    said: &[Said],
    cuts: &[usize],
    ignored: Option<usize>,
    mut of_a_hundred: impl FnMut() -> u64,
    dice: &mut Dice,
) -> Vec<Result<(), String>> {
    // Of each call that it begins, and that it is done.
    let mut moments: Vec<(usize, bool, usize)> = Vec::new();
    for (number, call) in calls.iter().enumerate() {
        moments.push((call.began, false, number));
        moments.push((call.done, true, number));
    }
    moments.sort_unstable();
    let mut moments = moments.into_iter().peekable();
    let mut disk = Disk::new(home.path());
    cuts.iter()
        .map(|cut| {
            while let Some((_, is_end, number)) = moments.next_if(|(line, ..)| line < cut) {
                match is_end {
                    false => disk.begins(number, &calls[number]),
                    true if ignored == Some(number) => {}
                    true => disk.ends(number, &calls[number]),
                }
            }
            // In memory where there is such a folder: no disk is tested but the one that is played.
            let memory = tempfile::tempdir_in("/dev/shm");
            let folder = memory.or_else(|_| tempfile::tempdir()).unwrap();
            disk.cut(folder.path(), dice, of_a_hundred());
            let before: Vec<&Said> = said.iter().take_while(|said| said.began < *cut).collect();
            verify(folder.path(), &before)
        })
        .collect()
}

#[test]
#[ignore = "needs strace"]
fn what_is_confirmed_survives_a_power_cut() {
    let cuts = env::var("PAPO_CUTS").ok();
    let cuts: usize = cuts.map_or(300, |n| n.parse().expect("PAPO_CUTS is a number"));
    let (mut dice, seed) = Dice::from_environment();
    println!("PAPO_SEED={seed}");
    let (home, records) = (Home::new(), tempfile::tempdir().unwrap());
    let record = |n: usize| records.path().join(format!("{n}"));

    // A new database, and the server ended in good order: the log is written back and taken away.
    let mut papod = recorded(&home, &record(0));
    let mut talks: Vec<Talk> = PEOPLE.iter().map(|who| Talk::enter(&papod, who, true)).collect();
    talks[0].say(vec![Typed::Change(format!("new {} {}", PEOPLE[1], PEOPLE[2]))]);
    load::talk(&mut talks, &mut dice, 0, SAID);
    papod.signal(Signal::TERM);
    assert_eq!(papod.wait().code(), Some(0), "{}", papod.log());
    // The same database again, and the server killed when the last message is confirmed.
    let mut papod = recorded(&home, &record(1));
    let mut again: Vec<Talk> = PEOPLE.iter().map(|who| Talk::enter(&papod, who, false)).collect();
    load::talk(&mut again, &mut dice, 2 * SAID, SAID);
    let (to, body) = (PEOPLE[1].into(), "the last one".into());
    again[0].say(vec![Typed::Message { to, body, key: None }]);
    papod.kill();
    // Its standard error ends when strace has written all down.
    papod.wait();
    talks.append(&mut again);

    let (mut calls, end) = trace::read(&record(0), 0);
    let (more, end) = trace::read(&record(1), end);
    calls.extend(more);
    let said = lines(&calls, &talks);
    let is_sync = |call: &&SystemCall| call.name == "fdatasync" || call.name == "fsync";
    let syncs = calls.iter().filter(is_sync).count();
    let writes = calls.iter().filter(|call| call.name == "pwrite64").count();

    // Everywhere, and once at the end.
    let mut lines: Vec<usize> = (1..cuts).map(|_| 1 + dice.below(end as u64) as usize).collect();
    lines.push(end);
    lines.sort_unstable();
    let mut chance = Dice::new(seed + 1);
    let of_a_hundred = move || [0, 25, 50, 75, 100][chance.below(5) as usize];
    let found = play(&home, &calls, &said, &lines, None, of_a_hundred, &mut dice);
    for (line, found) in lines.iter().zip(found) {
        assert_eq!(found, Ok(()), "power cut at line {line} of {end}");
    }
    let answers = said.iter().filter(|said| said.answers.is_some()).count();
    println!(
        "{cuts} power cuts among {writes} writes and {syncs} syncs: of {answers} commands and {} \
         lines everything that was said before each was there",
        said.len()
    );

    // The control: the last message is there by the last sync, and by nothing else.
    let is_last = |call: &SystemCall| call.name == "fdatasync" && call.on.ends_with("papo.db-wal");
    let last_sync = calls.iter().rposition(is_last);
    assert!(last_sync.is_some());
    let found = play(&home, &calls, &said, &[end], last_sync, || 0, &mut dice);
    let said_of_it = found[0].as_ref().expect_err("nobody notices that a sync was not made");
    assert!(said_of_it.contains("is lost: "), "{said_of_it}");
}

/// Messages, and bytes in each, after which the write-ahead log is written back while papod runs.
const LARGE: (usize, usize) = (700, 60_000);

/// In the midst of the work the log is written back into the database and begins anew. Cuts while
/// that is done, and just before and after it.
#[test]
#[ignore = "needs strace"]
fn what_is_confirmed_survives_a_power_cut_while_the_log_is_written_back() {
    let (mut dice, seed) = Dice::from_environment();
    println!("PAPO_SEED={seed}");
    let (home, records) = (Home::new(), tempfile::tempdir().unwrap());
    let record = records.path().join("0");
    let mut papod = recorded(&home, &record);
    let mut talks = vec![Talk::enter(&papod, PEOPLE[0], true)];
    let mut note = |n: usize, length: usize| {
        let body = format!("{n} {}", "x".repeat(length));
        talks[0].say(vec![Typed::Message { to: PEOPLE[0].into(), body, key: None }]);
    };
    // Its header has other numbers then.
    let header = || {
        let mut header = [0; 32];
        let mut log = File::open(home.path().join("papo.db-wal")).expect("there is one");
        log.read_exact(&mut header).map(|()| header).expect("it has a header")
    };
    note(0, 1);
    let before = header();
    (1..LARGE.0).for_each(|n| note(n, LARGE.1));
    // Writing back takes as long as it takes.
    let began = Instant::now();
    let mut n = LARGE.0;
    while header() == before {
        assert!(began.elapsed() < PATIENCE, "the log begins anew");
        note(n, 1);
        n += 1;
    }
    (n..n + 40).for_each(|n| note(n, 1));
    papod.kill();
    papod.wait();

    let (calls, end) = trace::read(&record, 0);
    let said = lines(&calls, &talks);
    // The first page of the database that is written once there are messages, and the next time
    // that the log is written to from its beginning.
    let first = said.iter().find(|said| said.line.starts_with("OK MSG ")).unwrap().began;
    let mut later = calls.iter().filter(|call| call.name == "pwrite64" && call.began > first);
    let back = later.find(|call| call.on.ends_with("papo.db")).expect("it is written back").began;
    let anew = |call: &&SystemCall| call.on.ends_with("papo.db-wal") && call.rest.ends_with(", 0");
    let anew = later.find(anew).expect("the log begins anew").began;
    let mut cuts = Vec::new();
    for (from, to) in [(back - 40, back + 20), (back, anew), (anew - 20, anew + 60), (anew, end)] {
        let many = (to - from) as u64;
        cuts.extend((0..8).map(|_| from + dice.below(many) as usize));
    }
    cuts.sort_unstable();
    let mut chance = Dice::new(seed + 1);
    let of_a_hundred = move || [0, 25, 50, 75, 100][chance.below(5) as usize];
    let found = play(&home, &calls, &said, &cuts, None, of_a_hundred, &mut dice);
    for (line, found) in cuts.iter().zip(found) {
        assert_eq!(found, Ok(()), "power cut at line {line} of {end}");
    }
    // The control: the database is not synced before the log begins anew, and the power is cut
    // before the next sync makes up for it.
    let is_it = |call: &SystemCall| call.name == "fdatasync" && call.on.ends_with("papo.db");
    let sync = calls.iter().rposition(|call| is_it(call) && call.began < anew);
    let next = calls.iter().find(|call| is_it(call) && call.began > anew);
    let cut = next.map_or(end, |call| call.began - 1);
    let found = play(&home, &calls, &said, &[cut], sync, || 0, &mut dice);
    assert!(found[0].is_err(), "nobody notices that a sync was not made");
    println!("{} power cuts around {} lines of writing back", cuts.len(), anew - back);
}
