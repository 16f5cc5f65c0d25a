//! Deleted texts and replaced reactions are in no row any more, and in no file of the server's; the
//! views show what holds.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Instant;
use std::{fs, thread};

use papo::chat::Act;
use papo::entry::{AccountId, EntryId};
use papo::store::Maintenance;
use papo::store::postgres::{PgDatabase, PgUrl};

use crate::bench::{ANA, BIA, Bench, CAIO, person};
use crate::cluster::{Cluster, cluster, url};
use crate::lives::{self, World};
use crate::marks::{mark, marked, marks_in};
use crate::process::{Dice, PATIENCE, Papod};

/// The numbers of the texts in the rows of a database, whichever hold.
fn texts(cluster: &Cluster, db: &str) -> BTreeSet<i64> {
    let sql = "SELECT body FROM entry UNION ALL SELECT tags FROM entry WHERE tags IS NOT NULL
               UNION ALL SELECT command FROM later";
    let all = cluster.ask(db, sql).unwrap();
    let all = all.split_whitespace().filter_map(|word| word.strip_prefix("mark"));
    all.map(|number| number.parse().unwrap()).collect()
}

/// A store on a database of this server.
fn open(cluster: &Cluster, db: &str) -> (PgDatabase, Bench) {
    let at = PgUrl::parse(&url(&[cluster], db)).unwrap();
    let (database, writer) = PgDatabase::open(&at).unwrap();
    let store = Bench::new(Box::new(writer), Box::new(database.reader()));
    (database, store)
}

/// Has deleted texts leave the files, for which there is a minute.
fn wipe(store: &mut Bench) {
    let start = Instant::now();
    while !store.writer.wipe().unwrap() {
        assert!(start.elapsed() < 3 * PATIENCE, "deleted texts stay in the files");
        thread::yield_now();
    }
}

/// What is left of a message: the numbers of its texts, and the one of each member's reaction.
struct Left {
    author: AccountId,
    other: AccountId,
    texts: BTreeSet<i64>,
    words: BTreeMap<AccountId, i64>,
}

fn texts_of(left: &BTreeMap<EntryId, Left>) -> BTreeSet<i64> {
    left.values().flat_map(|one| one.texts.iter().chain(one.words.values())).copied().collect()
}

#[test]
fn what_is_deleted_is_in_no_row_and_in_no_file() {
    // Its files are for this test alone.
    let cluster = Cluster::start_with(&["wal_recycle=off"]);
    let db = cluster.make_database();
    let (database, mut store) = open(&cluster, &db);
    store.indexer = Some(Box::new(database.indexer().eager(8)));
    let (mut dice, seed) = Dice::from_environment();
    println!("PAPO_SEED={seed}");
    let mut left: BTreeMap<EntryId, Left> = BTreeMap::new();
    let mut expired = BTreeSet::new();
    for n in 1..=3_000 {
        // Some texts do not fit in a page.
        let length = if dice.below(60) == 0 { dice.below(12_000) } else { dice.below(80) };
        let text = marked(n, length as usize);
        let count = left.len() as u64;
        let which = left.keys().nth(dice.below(count.max(1)) as usize).copied();
        match (dice.below(10), which) {
            (0..3, _) | (_, None) => {
                let (author, other, to) =
                    [(ANA, BIA, "bia"), (BIA, ANA, "ana"), (CAIO, ANA, "ana")]
                        [dice.below(3) as usize];
                store.act(author, Act::Send { to: person(to), body: text, once: None });
                let (texts, words) = (BTreeSet::from([n]), BTreeMap::new());
                left.insert(store.chat.newest().entry, Left { author, other, texts, words });
            }
            (3..6, Some(about)) => {
                let message = left.get_mut(&about).unwrap();
                store.act(message.author, Act::Edit { about, body: text });
                message.texts.insert(n);
            }
            (6..9, Some(about)) => {
                let message = left.get_mut(&about).unwrap();
                let who = [message.author, message.other][dice.below(2) as usize];
                let word = (dice.below(4) > 0).then(|| mark(n));
                match word {
                    Some(_) => message.words.insert(who, n),
                    None => message.words.remove(&who),
                };
                store.act(who, Act::React { about, word: word.map(Into::into) });
            }
            (_, Some(about)) => {
                let message = left.remove(&about).unwrap();
                store.act(message.author, Act::Delete { about });
            }
        }
        if dice.below(20) == 0 {
            store.commit();
        }
        if n % 500 == 250 {
            // Marks of messages that expire are gone with them.
            let floor = left.keys().nth(left.len() / 5).copied().unwrap_or_default();
            store.forget(floor);
            expired.extend(texts_of(&left.extract_if(..=floor, |_, _| true).collect()));
        }
        if n % 250 == 0 {
            store.commit();
            let texts_left = texts_of(&left);
            assert_eq!(texts(&cluster, &db), texts_left, "at {n}");
            wipe(&mut store);
            store.index();
            let there = marks_in(cluster.files().into_iter());
            let deleted = there.difference(&texts_left).filter(|n| !expired.contains(*n));
            assert_eq!(deleted.copied().collect::<Vec<_>>(), [0; 0], "in a file at {n}");
            // Those that compression leaves as they are.
            assert!(there.len() > texts_left.len() / 2, "{} at {n}", there.len());
        }
    }
    assert_eq!(texts(&cluster, &db), texts_of(&left));
    assert_eq!(database.maintenance().check().unwrap(), [""; 0]);
}

/// One that comes after many others without rows, as when old messages have expired.
#[test]
fn a_page_without_rows_is_filled() {
    let cluster = Cluster::start_with(&["wal_recycle=off"]);
    let db = cluster.make_database();
    let (_database, mut store) = open(&cluster, &db);
    let sent: Vec<EntryId> = (1..=300).map(|n| store.send(ANA, "bia", &marked(n, 1_000))).collect();
    store.act(ANA, Act::Delete { about: sent[200] });
    store.forget(sent[298]);
    let noted = "SELECT min(page) > 20 FROM overwritten WHERE page >= 0";
    assert_eq!(cluster.ask(&db, noted).unwrap(), "t");
    wipe(&mut store);
    let there = marks_in(cluster.files().into_iter());
    assert!(!there.contains(&201) && there.contains(&300), "{there:?}");
}

/// Where the last slot of a page is the beginning of a row that is elsewhere, its room looks larger than
/// it is: here as if the smallest row would just fit.
#[test]
fn a_page_with_less_room_than_it_seems_is_filled() {
    let db = cluster().make_database();
    drop(PgDatabase::open(&PgUrl::parse(&url(&[cluster()], &db)).unwrap()).unwrap());
    let run = |sql: &str| assert!(cluster().run(&db, sql), "{sql}");
    let vacuum = || run("VACUUM (TRUNCATE false, INDEX_CLEANUP) entry");
    let fill = |from: i64, upto: i64, length: usize| {
        let body = format!("'{}' FROM generate_series({from}, {upto}) AS n", "x".repeat(length));
        run(&format!("INSERT INTO entry SELECT n, 1, 1, 1, 1, 0, 0, {body}"));
    };
    // A row of 160 bytes, and 79 of 96.
    fill(1, 1, 70);
    fill(2, 80, 1);
    run("UPDATE entry SET changed = true WHERE id = 80");
    vacuum();
    fill(81, 81, 1);
    run("DELETE FROM entry WHERE id IN (5, 6)");
    vacuum();
    run("UPDATE entry SET changed = true WHERE id = 81");
    vacuum();
    fill(82, 82, 1);
    assert_eq!(cluster().ask(&db, "SELECT ctid FROM entry WHERE id = 81").unwrap(), "(0,5)");
    assert_eq!(cluster().ask(&db, "SELECT max(ctid) FROM entry").unwrap(), "(0,81)");
    let is_filled = || {
        vacuum();
        cluster().ask(&db, "SELECT 0 = ANY(filled) FROM papo_overwrite(0, 80)").unwrap() == "t"
    };
    assert!(!is_filled());
    assert!(is_filled());
}

/// VACUUM leaves a page alone that somebody uses.
#[test]
fn a_page_in_use_is_not_taken_for_wiped() {
    let cluster = Cluster::start_with(&["wal_recycle=off"]);
    let db = cluster.make_database();
    let (_database, mut store) = open(&cluster, &db);
    for n in 1..=30 {
        store.act(ANA, Act::Send { to: person("bia"), body: marked(n, 60), once: None });
    }
    store.commit();
    let about = store.chat.newest().entry;
    store.act(ANA, Act::Delete { about });
    store.commit();
    let mut psql = cluster.psql(&db);
    let mut reading = psql.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let read = b"BEGIN; DECLARE all_of_it CURSOR FOR SELECT author FROM entry; FETCH all_of_it;\n";
    reading.stdin.as_ref().unwrap().write_all(read).unwrap();
    let mut first = String::new();
    BufReader::new(reading.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert_eq!(first, "1\n");
    assert!(cluster.run(&db, "VACUUM (TRUNCATE false) entry"));
    let overwrite = "SELECT 0 = ANY(filled) FROM papo_overwrite(0, 80)";
    assert_eq!(cluster.ask(&db, overwrite).unwrap(), "f");
    reading.kill().unwrap();
    reading.wait().unwrap();
    wipe(&mut store);
    let there = marks_in(cluster.files().into_iter());
    assert!(there.contains(&29) && !there.contains(&30), "{there:?}");
}

#[test]
fn copies_show_what_the_history_shows() {
    let cluster = Cluster::start_with(&["wal_recycle=off"]);
    let (mut dice, seed) = Dice::from_environment();
    println!("PAPO_SEED={seed}");
    for flags in lives::all() {
        let name = cluster.make_database();
        let db = PathBuf::from(url(&[&cluster], &name));
        let deleted = World::new(&db, flags).lives(&mut dice);
        // What a papod that has ended left to do, the next one does first.
        let papod = Papod::start(&db);
        cluster.until(&name, "SELECT NOT EXISTS(SELECT FROM overwritten)");
        papod.stop();
        for file in cluster.files() {
            let bytes = fs::read(&file).unwrap_or_default();
            for text in &deleted {
                let is_there = memchr::memmem::find(&bytes, text.as_bytes()).is_some();
                assert!(!is_there, "{text:?} is in {}", file.display());
            }
        }
        let at = PgUrl::parse(db.to_str().unwrap()).unwrap();
        let (database, _writer) = PgDatabase::open(&at).unwrap();
        assert_eq!(database.maintenance().check().unwrap(), [""; 0]);
        cluster.drop_database(&name);
    }
}

/// The role of most: it owns the database, and nothing else.
#[test]
fn a_role_without_rights_does_what_it_may() {
    let cluster = cluster();
    let db = cluster.make_database();
    let made = format!("CREATE ROLE plain LOGIN; ALTER DATABASE {db} OWNER TO plain");
    assert!(cluster.run("postgres", &made));
    let at = PgUrl::parse(&url(&[cluster], &db).replace("papo@", "plain@")).unwrap();
    let (database, writer) = PgDatabase::open(&at).unwrap();
    let mut store = Bench::new(Box::new(writer), Box::new(database.reader()));
    let id = store.send(ANA, "bia", "text");
    store.act(ANA, Act::Delete { about: id });
    store.commit();
    assert_eq!(cluster.ask(&db, "SELECT count(*) FROM overwritten").unwrap(), "1");
    wipe(&mut store);
    assert_eq!(cluster.ask(&db, "SELECT count(*) FROM overwritten").unwrap(), "0");
}

#[test]
fn views_show_what_holds() {
    let db = cluster().make_database();
    let (_database, mut store) = open(cluster(), &db);
    let ids = [1, 2, 3].map(|n| store.send(ANA, "bia", &format!("text {n}")));
    let [first, second, third] = ids;
    let react = |about, word: &str| Act::React { about, word: Some(word.into()) };
    for (who, act) in [
        (ANA, Act::Edit { about: first, body: "text 4".into() }),
        (ANA, Act::Edit { about: first, body: "text 5".into() }),
        (BIA, react(first, "ok")),
        (ANA, react(first, "ok")),
        (BIA, Act::Answer { about: second, body: "text 8".into(), once: None }),
        (ANA, Act::Delete { about: third }),
    ] {
        store.act(who, act);
    }
    store.commit();
    for (sql, said) in [
        (
            "SELECT id, sender, recipient, body, re, edited, deleted FROM messages ORDER BY id",
            "1|ana|bia|text 5||5|\n2|ana|bia|text 2|||\n3|ana|bia||||9\n8|bia|ana|text 8|2||",
        ),
        (
            "SELECT id, sender, kind, message, body FROM marks ORDER BY id",
            "4|ana|edit|1|text 4\n5|ana|edit|1|text 5\n6|bia|react|1|ok\n7|ana|react|1|ok\n\
             9|ana|del|3|-",
        ),
        ("SELECT message, word, count FROM reactions", "1|ok|2"),
    ] {
        assert_eq!(cluster().ask(&db, sql).unwrap(), said);
    }
}
