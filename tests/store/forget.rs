//! Forgetting, in the store: what is old, that it is gone for everyone and from the files, and that a
//! step is small. How the rest is counted then is tried in `counting.rs`.

use std::time::Instant;
use std::{fs, thread};

use crate::bench::{ANA, BIA, Bench, CAIO, handle, person};
use crate::marks::{marked, marks};
use crate::process::{Dice, PATIENCE};
use papo::chat::{Act, Chat};
use papo::entry::{AccountId, Cursor, EntryId, Millis, MoveNumber};
use papo::limits;
use papo::name::{DisplayName, Target};
use papo::store::sqlite::Database;
use papo::store::{Effort, Expire, Fact, Need, Newest, Pair, Reader, SpanQuery, Walk};
use papo::wire::request::GroupChange;
use rusqlite::Connection;

/// A database in a folder, and the rules that write to it.
fn bench(folder: &tempfile::TempDir) -> (Database, Bench) {
    let database = Database::open(&folder.path().join("papo.db")).unwrap();
    let (writer, reader) = (database.writer().unwrap(), database.reader().unwrap());
    let bench = Bench::new(Box::new(writer), Box::new(reader));
    (database, bench)
}

/// Does all that is to be done where nothing is old.
fn tidy(store: &mut Bench) {
    while let Some(step) = store.reader.next_expiry(Millis(i64::MIN), Millis(i64::MAX)).unwrap() {
        assert!(!matches!(step, Expire::Entries { .. }));
        store.chat.expire(step);
        store.commit();
    }
}

#[test]
fn what_is_forgotten_is_in_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let (_database, mut store) = bench(&folder);
    let db = folder.path().join("papo.db");
    let (mut dice, seed) = Dice::from_environment();
    println!("PAPO_SEED={seed}");
    const ENTRIES: i64 = 4_000;
    for n in 1..=ENTRIES {
        // Most are short, so that many share a page; some of the later ones take pages of their own.
        let length = match dice.below(40) {
            0 if n > ENTRIES / 2 => dice.below(12_000),
            _ => dice.below(50),
        };
        let (from, to) = [(ANA, "bia"), (BIA, "ana"), (CAIO, "ana")][dice.below(3) as usize];
        let body = marked(n, length as usize);
        store.act(from, Act::Send { to: person(to), body, once: None });
        if dice.below(30) == 0 {
            store.commit();
        }
    }
    store.commit();
    wipe(&mut store);
    let size = || fs::metadata(&db).unwrap().len();
    let full = size();
    let mut floor = 0;
    while floor < ENTRIES {
        floor = (floor + 1 + dice.below(150) as i64).min(ENTRIES);
        store.forget(EntryId(floor));
        tidy(&mut store);
        wipe(&mut store);
        // Two pages are in it again: the header's, and that of the table `generation`.
        let log = fs::metadata(folder.path().join("papo.db-wal")).unwrap().len();
        assert_eq!(log, 32 + 2 * (24 + 4096));
        let left = marks(&db);
        assert_eq!(left.first().copied(), (floor < ENTRIES).then_some(floor + 1));
        assert_eq!(left.len() as i64, ENTRIES - floor);
    }
    // When the last rows, which are blank, have gone as well, the file has become smaller.
    for _ in 0..limits::BLANK {
        store.act(ANA, Act::Send { to: person("bia"), body: "x".into(), once: None });
    }
    store.commit();
    let newest = store.chat.newest().entry;
    store.forget(newest);
    tidy(&mut store);
    wipe(&mut store);
    assert!(size() < full / 2, "{} bytes of {full}", size());
    assert_eq!(store.send(ANA, "bia", "on"), EntryId(newest.0 + 1));
}

/// Wipes, once what is being written back is.
fn wipe(store: &mut Bench) {
    let start = Instant::now();
    while !store.writer.wipe().unwrap() {
        assert!(start.elapsed() < PATIENCE, "it is not to be had");
        thread::yield_now();
    }
}

/// A restored database leaves ids out: as many blank rows stay as where there is no gap.
#[test]
fn a_gap_in_the_ids_makes_forgetting_no_less_thorough() {
    const GAP: i64 = 1_000_000_000_000;
    let folder = tempfile::tempdir().unwrap();
    let (_database, mut store) = bench(&folder);
    let db = folder.path().join("papo.db");
    for n in 1..=2_000 {
        if n == 1_500 {
            store.commit();
            let newest = store.chat.newest();
            store.chat = Chat::new(Newest { entry: EntryId(newest.entry.0 + GAP), ..newest });
        }
        store.act(ANA, Act::Send { to: person("bia"), body: marked(n, 30), once: None });
    }
    store.commit();
    for (n, floor) in [(700, 700), (1_499, 1_499 + GAP / 2), (1_510, 1_510 + GAP)] {
        store.forget(EntryId(floor));
        tidy(&mut store);
        wipe(&mut store);
        let left = marks(&db);
        assert_eq!((left.first(), left.len() as i64), (Some(&(n + 1)), 2_000 - n));
        let tool = Connection::open(&db).unwrap();
        let sql = "SELECT count(*) FROM entry WHERE id <= (SELECT floor FROM newest)";
        let blank: i64 = tool.query_row(sql, [], |row| row.get(0)).unwrap();
        assert_eq!(blank, n.min(limits::BLANK));
    }
    assert_eq!(store.waiting(BIA), 490);
}

#[test]
fn the_log_beside_the_database_is_not_wiped_while_somebody_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    let (database, mut store) = bench(&folder);
    store.send(ANA, "bia", "a");
    let mut reader = database.reader().unwrap();
    reader.begin(Effort::Full).unwrap();
    reader.newest().unwrap();
    store.send(ANA, "bia", "b");
    assert!(!store.writer.wipe().unwrap());
    reader.end();
    wipe(&mut store);
    store.send(ANA, "bia", "c");
}

/// Which step comes next for entries of these times, if entries from before 1,000 are old and it
/// is 2,000 now.
fn next(times: impl IntoIterator<Item = i64>, body: &str) -> Option<EntryId> {
    let folder = tempfile::tempdir().unwrap();
    let (_database, mut store) = bench(&folder);
    for time in times {
        store.now = time;
        store.act(ANA, Act::Send { to: person("bia"), body: body.into(), once: None });
    }
    store.commit();
    match store.reader.next_expiry(Millis(1_000), Millis(2_000)).unwrap() {
        Some(Expire::Entries { after, upto }) => {
            assert_eq!(after, EntryId(0));
            Some(upto)
        }
        None => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn entries_are_old_by_their_order_and_their_time() {
    let (old, new, future) = (500, 1_500, 9_000);
    let times = |times: &[(i64, usize)]| -> Vec<i64> {
        times.iter().flat_map(|(time, count)| std::iter::repeat_n(*time, *count)).collect()
    };
    let of = |list: &[(i64, usize)]| next(times(list), "x").map(|id| id.0);
    assert_eq!(of(&[]), None);
    assert_eq!(of(&[(new, 3)]), None);
    assert_eq!(of(&[(999, 2), (1_000, 1)]), Some(2));
    assert_eq!(of(&[(old, 3)]), Some(3));
    // A step is bounded in entries.
    assert_eq!(of(&[(old, limits::EXPIRE + 9)]), Some(limits::EXPIRE as i64));
    // The clock was ahead: what an old one follows is old.
    assert_eq!(of(&[(future, 3), (old, 2), (future, 2), (new, 1)]), Some(5));
    assert_eq!(of(&[(future, 3), (new, 1), (old, 1)]), None);
    assert_eq!(of(&[(future, 3)]), None);
    // However long it was.
    assert_eq!(of(&[(future, 3 * limits::EXPIRE), (old, 2_000)]), Some(limits::EXPIRE as i64));
    assert_eq!(of(&[(future, 3 * limits::EXPIRE), (new, 2_000)]), None);
    // The clock was not set yet: what was said before is not old.
    assert_eq!(of(&[(old, 2), (new, 3), (0, 1), (new, 1)]), Some(2));
    // And in bytes.
    let long = "x".repeat(60_000);
    let count = limits::BATCH_BYTES.div_ceil(long.len());
    assert_eq!(next(times(&[(old, 2 * count)]), &long), Some(EntryId(count as i64)));
}

#[test]
fn what_is_forgotten_is_no_message_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let (_database, mut store) = bench(&folder);
    for n in 1..=5 {
        store.send(ANA, "bia", &format!("{n}"));
    }
    let note = store.send(CAIO, "caio", "note");
    store.forget(EntryId(3));
    let pair = Pair::of(ANA, BIA);
    let direct = store.reader.direct(pair).unwrap().unwrap().id;
    let all = SpanQuery { count: 10, before: None, after: None, re: None };
    let span = |store: &mut Bench, query| store.reader.span(BIA, direct, &query).unwrap();
    assert_eq!(span(&mut store, all).ids, [EntryId(4), EntryId(5)]);
    // There are no more of them, from either end.
    let one = SpanQuery { count: 1, before: Some(EntryId(5)), after: None, re: None };
    assert!(!span(&mut store, one).more);
    let two = SpanQuery { count: 2, before: None, after: Some(EntryId(0)), re: None };
    assert_eq!(span(&mut store, two).ids, [EntryId(4), EntryId(5)]);
    assert_eq!(store.waiting(BIA), 2);
    assert_eq!(store.reader.waiting(BIA, EntryId(4)).unwrap().count, 1);
    for id in 1..=5 {
        let is_left = id > 3;
        let place = store.reader.gather(&[Need::EntryPos(EntryId(id))], 1).unwrap();
        assert_eq!(matches!(place[..], [Fact::EntryPos(_)]), is_left);
        assert_eq!(store.reader.info(ANA, EntryId(id), AccountId(0)).unwrap().is_some(), is_left);
    }
    // What the rules still had in mind is none, either, and moves nothing.
    store.advance(BIA, Cursor::Read, EntryId(3));
    assert_eq!(store.reader.direct(pair).unwrap().unwrap().member(BIA).unwrap().read.id.0, 0);
    store.advance(BIA, Cursor::Read, EntryId(4));
    assert_eq!(store.waiting(BIA), 1);
    // A conversation of which nothing is left is not shown, but goes on.
    store.forget(note);
    for who in [ANA, BIA, CAIO] {
        assert_eq!(store.chats(who), []);
        assert_eq!(store.pages(who, false, EntryId(i64::MAX)).0, []);
    }
    assert_eq!(store.waiting(BIA), 0);
    assert_eq!(span(&mut store, all).ids, []);
    let next = store.send(BIA, "ana", "on");
    assert_eq!(store.chats(ANA).iter().map(|row| row.last).collect::<Vec<_>>(), [next]);
    assert_eq!(span(&mut store, all).ids, [next]);
    assert_eq!((store.waiting(ANA), store.waiting(BIA)), (1, 0));
}

#[test]
fn what_was_noted_before_a_cursor_is_not_counted_again() {
    let folder = tempfile::tempdir().unwrap();
    let (_database, mut store) = bench(&folder);
    let team = || Target::Group(handle("team"));
    let say = |store: &mut Bench, who| {
        store.act(who, Act::Send { to: team(), body: "x".into(), once: None });
        store.commit();
        store.chat.newest().entry
    };
    let change = GroupChange::New(vec![handle("bia")]);
    store.act(ANA, Act::Group { name: handle("team"), change });
    // Bia writes while something waits for her, which is noted; later while nothing does.
    say(&mut store, BIA);
    let read = say(&mut store, ANA);
    store.advance(BIA, Cursor::Read, read);
    say(&mut store, BIA);
    let gone = say(&mut store, ANA);
    store.forget(gone);
    say(&mut store, BIA);
    assert_eq!(store.waiting(BIA), 0);
    say(&mut store, ANA);
    assert_eq!(store.waiting(BIA), 1);
}

#[test]
fn nobody_is_told_of_receipts_for_what_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let (_database, mut store) = bench(&folder);
    let first = store.send(ANA, "bia", "1");
    store.advance(BIA, Cursor::Read, first);
    let receipts = |store: &mut Bench| {
        let missed = store.reader.receipts(ANA, MoveNumber(0), MoveNumber(9)).unwrap();
        missed.list.into_iter().map(|(_, r)| r.id).collect::<Vec<_>>()
    };
    assert_eq!(receipts(&mut store), [first]);
    store.forget(first);
    assert_eq!(receipts(&mut store), []);
    let second = store.send(ANA, "bia", "2");
    store.advance(BIA, Cursor::Read, second);
    assert_eq!(receipts(&mut store), [second]);
}

#[test]
fn old_rows_about_entries_go_with_them() {
    let folder = tempfile::tempdir().unwrap();
    let (_database, mut store) = bench(&folder);
    let rows = |table: &str| -> i64 {
        let db = Connection::open(folder.path().join("papo.db")).unwrap();
        db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    };
    let change = GroupChange::New(vec![handle("bia")]);
    store.act(ANA, Act::Group { name: handle("team"), change });
    for _ in 0..100 {
        // Each move is in a second of its own, and each entry of hers is skipped.
        for who in [ANA, BIA] {
            let to = Target::Group(handle("team"));
            store.act(who, Act::Send { to, body: "x".into(), once: None });
        }
        store.commit();
        store.now += 2_000;
        store.advance(BIA, Cursor::Read, EntryId(store.chat.newest().entry.0 - 1));
    }
    // Of each cursor 99, of which the last three are no full list.
    let lists = 2 * 99 / limits::MOVES as i64;
    assert_eq!((rows("cursor_history"), rows("id_block")), (lists, 3));
    let skipped = rows("exempt_mark");
    assert!(skipped >= 100);
    // Half a block is not worth it.
    store.forget(EntryId(50));
    assert_eq!(
        (rows("cursor_history"), rows("exempt_mark"), rows("id_block")),
        (lists, skipped, 3)
    );
    store.forget(EntryId(150));
    let left = lists - 2 * 75 / limits::MOVES as i64;
    assert_eq!((rows("cursor_history"), rows("id_block")), (left, 1));
    assert!(rows("exempt_mark") <= skipped / 2);
    assert_eq!(rows("stale"), 0);
    // So do the entries, some time later.
    assert_eq!(rows("entry"), 201);
    for _ in 0..limits::BLANK {
        store.act(ANA, Act::Send { to: person("ana"), body: "x".into(), once: None });
    }
    store.forget(EntryId(limits::BLANK + 100));
    assert_eq!(rows("entry"), limits::BLANK + 101);
}

#[test]
fn a_step_is_small_however_much_there_is() {
    let folder = tempfile::tempdir().unwrap();
    let (_database, mut store) = bench(&folder);
    let tool = Connection::open(folder.path().join("papo.db")).unwrap();
    let number = |sql: &str| -> i64 { tool.query_row(sql, [], |row| row.get(0)).unwrap() };
    let next = |store: &mut Bench| {
        let step = store.reader.next_expiry(Millis(i64::MIN), Millis(i64::MAX)).unwrap()?;
        store.chat.expire(step.clone());
        store.commit();
        Some(step)
    };
    // A group of many, each of whose cursors moved to each of the first entries.
    let names: Vec<_> = (0..60).map(|n| handle(&format!("p{n}"))).collect();
    for name in &names {
        let known = DisplayName::from(name);
        store.decide(|chat| chat.register(name, &known, "hash", Millis(0)));
    }
    store.act(ANA, Act::Group { name: handle("team"), change: GroupChange::New(names) });
    for length in std::iter::repeat_n(8_000, 300).chain(std::iter::repeat_n(10, 1_200)) {
        let (to, body) = (Target::Group(handle("team")), marked(1, length));
        store.act(ANA, Act::Send { to, body, once: None });
    }
    store.commit();
    tool.execute_batch(
        "WITH n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 64)
         INSERT INTO cursor_history SELECT conversation, account, c.column1, n, x''
         FROM member, n, (VALUES(0), (1)) c",
    )
    .unwrap();
    let all = number("SELECT count(*) FROM cursor_history");
    assert!(all > 3 * limits::EXPIRE_ROWS as i64);
    let (after, upto) = (EntryId(0), store.chat.newest().entry);
    store.chat.expire(Expire::Entries { after, upto });
    store.commit();
    let mut left = all;
    while left > 0 {
        assert_eq!(next(&mut store), Some(Expire::Rows));
        let now = number("SELECT count(*) FROM cursor_history");
        assert!(now < left && now >= left - limits::EXPIRE_ROWS as i64 - 128);
        left = now;
    }
    let mut pages = number("PRAGMA page_count");
    let mut steps = 0;
    while let Some(step) = next(&mut store) {
        assert_eq!(step, Expire::Pages);
        let now = number("PRAGMA page_count");
        assert!(now < pages && now >= pages - limits::EXPIRE_PAGES as i64);
        (pages, steps) = (now, steps + 1);
    }
    assert!(steps > 1);
    assert!(number("PRAGMA freelist_count") <= pages / limits::EMPTY_PART);
}

#[test]
fn what_is_forgotten_under_a_reader_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let (_database, mut store) = bench(&folder);
    let count = 4 * limits::PAGE_ROWS as i64 + 1;
    for n in 0..count {
        let to = if n % 3 == 0 { "bia" } else { "caio" };
        store.act(ANA, Act::Send { to: person(to), body: "x".into(), once: None });
    }
    store.commit();
    for waiting in [true, false] {
        let floor = store.chat.newest().floor.0;
        let newest = store.chat.newest().entry;
        let walk = Walk::new(EntryId(0), newest, waiting);
        let (first, walk) = store.reader.page(CAIO, walk, 10).unwrap();
        assert_eq!(first.len(), 10);
        assert!(first[0].id.0 > floor);
        // Up to where the walk has looked ahead already, and further.
        let floor = floor + limits::PAGE_ROWS as i64;
        store.forget(EntryId(floor));
        let (next, mut walk) = store.reader.page(CAIO, walk, 10).unwrap();
        assert!(next.len() == 10 && next[0].id.0 > floor && next[0].id.0 < floor + 3);
        let mut last = next[9].id;
        while !walk.done {
            let entries;
            (entries, walk) = store.reader.page(CAIO, walk, 100).unwrap();
            assert!(entries.iter().all(|entry| entry.id > last));
            last = entries.last().map_or(last, |entry| entry.id);
        }
        assert_eq!(last, newest);
    }
    // The rows of a list that was made before.
    let direct = store.reader.direct(Pair::of(ANA, CAIO)).unwrap().unwrap().id;
    let query = SpanQuery { count: 1_000, before: None, after: None, re: None };
    let ids = store.reader.span(CAIO, direct, &query).unwrap().ids;
    store.forget(ids[ids.len() - 2]);
    let rows = store.reader.entries(CAIO, direct, &ids).unwrap();
    assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), ids[ids.len() - 1..]);
    store.forget(ids[ids.len() - 1]);
    assert_eq!(store.reader.entries(CAIO, direct, &ids).unwrap(), []);
}
