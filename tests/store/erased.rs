//! Deleted texts and replaced reactions are in no file any more, a page reads few rows however many
//! have reacted, and damage to what holds about a message is named.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;
use std::{fs, thread};

use crate::bench::{ANA, BIA, Bench, CAIO, handle, person};
use crate::marks::{mark, marked, marks};
use crate::process::{Dice, PATIENCE};
use papo::chat::Act;
use papo::entry::{AccountId, EntryId, Millis};
use papo::limits;
use papo::name::{DisplayName, Target};
use papo::store::sqlite::Database;
use papo::store::{Maintenance, SpanQuery};
use papo::wire::request::GroupChange;

/// Wipes, once what is being written back is.
fn wipe(store: &mut Bench) {
    let start = Instant::now();
    while !store.writer.wipe().unwrap() {
        assert!(start.elapsed() < PATIENCE, "it is not to be had");
        thread::yield_now();
    }
}

/// The numbers of the texts of a message that are left, and the one of each member's reaction.
struct Left {
    author: AccountId,
    other: AccountId,
    texts: BTreeSet<i64>,
    words: BTreeMap<AccountId, i64>,
}

#[test]
fn what_is_deleted_is_in_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("papo.db");
    let database = Database::open(&db).unwrap();
    let (writer, reader) = (database.writer().unwrap(), database.reader().unwrap());
    let mut store = Bench::new(Box::new(writer), Box::new(reader));
    store.indexer = Some(Box::new(database.maintenance().indexer().unwrap().eager(8)));
    let (mut dice, seed) = Dice::from_environment();
    println!("PAPO_SEED={seed}");
    let mut left: BTreeMap<EntryId, Left> = BTreeMap::new();
    for n in 1..=6_000 {
        // Some texts take pages of their own, so that rows of all lengths lie beside each other.
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
            left.retain(|id, _| *id > floor);
        }
        if n % 500 == 0 {
            store.commit();
            wipe(&mut store);
            store.index();
            let texts = left.values().flat_map(|one| one.texts.iter().chain(one.words.values()));
            let texts: BTreeSet<i64> = texts.copied().collect();
            let there = marks(&db);
            assert_eq!(there.difference(&texts).next(), None, "in a file at {n}");
            assert_eq!(texts.difference(&there).next(), None, "lost at {n}");
        }
    }
    drop(store);
    assert_eq!(database.maintenance().check().unwrap(), [""; 0]);
}

/// More marks than are erased at once: what is left is erased in a backup at once, and after each
/// step the database is sound and can be opened again.
#[test]
fn marks_beyond_the_bound_are_in_no_file_in_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("papo.db");
    let open = || {
        let database = Database::open(&db).unwrap();
        let (writer, reader) = (database.writer().unwrap(), database.reader().unwrap());
        (Bench::new(Box::new(writer), Box::new(reader)), database)
    };
    let (mut store, mut database) = open();
    let about = store.send(ANA, "bia", &marked(0, 40));
    let kept = store.send(ANA, "bia", &marked(90_000, 40));
    let edits = (limits::ERASED + limits::EXPIRE + 100) as i64;
    for n in 1..=edits {
        let length = if n % 100 == 0 { 9_000 } else { 40 };
        store.act(ANA, Act::Edit { about, body: marked(n, length) });
        if n % 50 == 0 {
            store.commit();
        }
    }
    store.act(BIA, Act::React { about, word: Some(mark(95_000).into()) });
    store.act(BIA, Act::React { about: kept, word: Some(mark(95_001).into()) });
    store.commit();
    store.act(ANA, Act::Delete { about });
    store.commit();
    assert!(marks(&db).len() > limits::EXPIRE);
    let rest = BTreeSet::from([90_000, 95_001]);
    let mut steps = 0;
    loop {
        assert_eq!(database.maintenance().check().unwrap(), [""; 0]);
        let copy = folder.path().join(format!("copy{steps}"));
        database.maintenance().backup(&copy).unwrap();
        assert_eq!(marks(&copy), rest);
        assert_eq!(Database::open(&copy).unwrap().maintenance().check().unwrap(), [""; 0]);
        let Some(step) = store.reader.next_expired(Millis(0)).unwrap() else { break };
        store.chat.expire(step);
        store.commit();
        steps += 1;
        drop((store, database));
        (store, database) = open();
    }
    assert_eq!(steps, 2);
    wipe(&mut store);
    assert_eq!(marks(&db), rest);
}

/// 200 members react to each of 50 messages, with 20 words.
#[test]
fn a_page_reads_the_words_and_not_the_reactions() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("papo.db");
    let database = Database::open(&db).unwrap();
    let (writer, reader) = (database.writer().unwrap(), database.reader().unwrap());
    let mut store = Bench::new(Box::new(writer), Box::new(reader));
    let people: Vec<_> = (0..200).map(|n| handle(&format!("p{n}"))).collect();
    for person in &people {
        let name = DisplayName::from(person);
        store.decide(|chat| chat.register(person, &name, "hash", Millis(0)));
    }
    store.commit();
    let change = GroupChange::New(people.clone());
    store.act(ANA, Act::Group { name: handle("team"), change });
    for _ in 0..50 {
        let to = Target::Group(handle("team"));
        store.act(ANA, Act::Send { to, body: "how many?".into(), once: None });
        let about = store.chat.newest().entry;
        for n in 0..200 {
            // Their numbers follow those of ana, bia and caio.
            let who = AccountId(4 + n);
            store.act(who, Act::React { about, word: Some(format!("{}", n % 20).into()) });
        }
        store.commit();
    }
    let (team, _) = store.reader.membership(ANA, &handle("team")).unwrap().unwrap();
    let query = SpanQuery { count: 50, before: None, after: None, re: None };
    let span = store.reader.span(AccountId(4), team, &query).unwrap();
    let rows = store.reader.entries(AccountId(4), team, &span.ids).unwrap();
    assert_eq!(rows.len(), 50);
    for tags in rows.iter().map(|row| row.tags.as_ref().unwrap()) {
        let want: Vec<(u64, Box<str>)> = (0..20).map(|n| (10, n.to_string().into())).collect();
        assert_eq!((&tags.react, tags.mine.as_deref()), (&want, Some("0")));
    }
    let tool = rusqlite::Connection::open(&db).unwrap();
    let plan: Vec<String> = {
        let sql = "EXPLAIN QUERY PLAN SELECT t.count, e.body FROM tally t
                   JOIN entry e ON e.id = t.word WHERE t.message = 1";
        let mut query = tool.prepare(sql).unwrap();
        query.query_map([], |row| row.get(3)).unwrap().collect::<Result<_, _>>().unwrap()
    };
    assert!(plan.iter().all(|step| !step.starts_with("SCAN")), "{plan:?}");
    let sql = "SELECT max(n) FROM (SELECT count(*) AS n FROM tally GROUP BY message)";
    assert_eq!(tool.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap(), 20);
}

/// What is done to the database, and what is said of it.
const DAMAGE: [(&str, &str); 24] = [
    ("DELETE FROM marking", "conversation 1: the list of its marks is gone"),
    ("UPDATE marking SET tail = x''", "conversation 1: a list of its marks is damaged"),
    ("UPDATE marking SET other = 6", "its marks end with 12, and before that by others 8"),
    ("UPDATE conversation SET marked = 11", "its marks end with 12, and before that by others 8"),
    ("DELETE FROM entry WHERE id = 4", "conversation 1: the mark 4 is missing"),
    ("UPDATE entry SET kind = 0 WHERE id = 4", "conversation 1: entry 4 is no mark of it"),
    ("UPDATE entry SET re = 2 WHERE id = 5", "the mark 5 is about 2, no message for it"),
    ("UPDATE entry SET seq = 2 WHERE id = 4", "the mark 4 is said to be at 2, and is at 3"),
    ("UPDATE entry SET author_seq = 9 WHERE id = 4", "the mark 4 is said to be at 3"),
    ("DELETE FROM about WHERE mark = 5", "the mark 5 holds, and is not known to"),
    ("DELETE FROM about WHERE message = 3", "the mark 10 holds, and is not known to"),
    ("UPDATE about SET mark = 3 WHERE mark = 5", "what holds about entry 1 is no mark: 3"),
    ("INSERT INTO about VALUES(3, 2, 0, 4)", "entry 3 was deleted, and more holds about it"),
    ("INSERT INTO erasing VALUES(1)", "entry 1 are being erased, and it was not deleted"),
    ("INSERT INTO about VALUES(1, 4, 2, 6)", "account 2 has more than one reaction to entry 1"),
    ("UPDATE entry SET body = 'back' WHERE id = 3", "entry 3 was deleted, and has a text"),
    ("UPDATE entry SET changed = 0 WHERE id = 1", "what holds about entry 1 is said of no message"),
    ("UPDATE tally SET count = 3 WHERE word = 6", "the reactions to entry 1 are counted wrong"),
    ("UPDATE entry SET body = 'hm' WHERE id = 6", "the reactions to entry 1 are counted wrong"),
    ("DELETE FROM reply", "entry 9 answers 2, and is not known to"),
    ("UPDATE reply SET author = 2", "entry 9 answers 2, and is not known to"),
    ("INSERT INTO reply VALUES(1, 9, 1)", "entry 9 is said to answer 1"),
    ("UPDATE member SET marked = NULL", "has conversation 1 not in its place by its marks"),
    ("UPDATE member SET waits = NULL WHERE account = 2", "the mark 4 waits for account 2"),
];

#[test]
fn damage_to_marks_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("papo.db");
    let database = Database::open(&db).unwrap();
    let (writer, reader) = (database.writer().unwrap(), database.reader().unwrap());
    let mut store = Bench::new(Box::new(writer), Box::new(reader));
    for (from, to) in [(ANA, "bia"), (BIA, "ana"), (ANA, "bia")] {
        store.act(from, Act::Send { to: person(to), body: "text".into(), once: None });
    }
    let (first, second, third) = (EntryId(1), EntryId(2), EntryId(3));
    let react = |about, word: &str| Act::React { about, word: (word != "-").then(|| word.into()) };
    for (who, act) in [
        (ANA, Act::Edit { about: first, body: "4".into() }),
        (ANA, Act::Edit { about: first, body: "5".into() }),
        (BIA, react(first, "ok")),
        (ANA, react(first, "ok")),
        // 6 keeps the word for 7.
        (BIA, react(first, "no")),
        (ANA, Act::Answer { about: second, body: "9".into(), once: None }),
        (ANA, Act::Delete { about: third }),
        (ANA, react(second, "11")),
        (ANA, react(second, "-")),
    ] {
        store.act(who, act);
    }
    store.commit();
    assert_eq!(store.chat.newest().entry, EntryId(12));
    drop(store);
    drop(database);
    let sound = fs::read(&db).unwrap();
    assert_eq!(Database::open(&db).unwrap().maintenance().check().unwrap(), [""; 0]);
    for (done, said) in DAMAGE {
        fs::write(&db, &sound).unwrap();
        let tool = rusqlite::Connection::open(&db).unwrap();
        assert!(tool.execute(done, []).unwrap() > 0, "nothing is changed by {done}");
        tool.close().unwrap();
        let found = Database::open(&db).unwrap().maintenance().check().unwrap();
        assert!(found.iter().any(|line| line.contains(said)), "{done}:\n{}", found.join("\n"));
        // One fault is not a hundred, so that a person finds it.
        assert!(found.len() <= 8, "{done}:\n{}", found.join("\n"));
    }
}
