//! The store suite: what any store must do, run against each of them, and for SQLite the files that
//! must open and those that must not.

use crate::bench::{ANA, BIA, Bench, CAIO, every_store, handle, person};
use papo::chat::{Act, Chat};
use papo::entry::{AccountId, Cursor, EntryId, Millis, MoveNumber};
use papo::limits;
use papo::name::{DisplayName, Target};
use papo::store::sqlite::Database;
use papo::store::{Cause, Change, Maintenance, Pair, Reader, SpanQuery, Walk, Writer};
use papo::wire::request::GroupChange;

#[test]
fn accounts_are_found_by_handle_and_number() {
    every_store(|store| {
        let ana = store.reader.account(&handle("ana")).unwrap().unwrap();
        assert_eq!((ana.id, ana.name.as_str()), (ANA, "ana"));
        assert_eq!(store.reader.account_by_id(BIA).unwrap().unwrap().handle, handle("bia"));
        assert_eq!(store.reader.secret(ANA).unwrap().unwrap(), "hash");
        assert!(store.reader.account(&handle("dora")).unwrap().is_none());
        store.act(ANA, Act::Rename(DisplayName::new("Ana Maria").unwrap()));
        store.act(ANA, Act::SetSecret { was: "hash".into(), secret: "other".into() });
        store.commit();
        let ana = store.reader.account(&handle("ana")).unwrap().unwrap();
        assert_eq!(ana.name.as_str(), "Ana Maria");
        assert_eq!(store.reader.secret(ANA).unwrap().unwrap(), "other");
    });
}

#[test]
fn a_batch_is_kept_whole_or_not_at_all() {
    every_store(|store| {
        store.act(ANA, Act::Send { to: person("bia"), body: "kept?".into(), once: None });
        let mut changes = store.chat.finish().changes;
        // A second account of one handle breaks the store's own rule.
        let name = DisplayName::new("x").unwrap();
        let (secret, time) = (String::new(), Millis(0));
        let id = AccountId(9);
        changes.push(Change::Account { id, handle: handle("ana"), name, secret, time });
        let broken = store.writer.record(&changes).unwrap_err();
        assert_eq!(broken.cause(), Cause::Bug, "{broken}");
        store.chat.rollback();
        assert_eq!(store.reader.newest().unwrap().entry, EntryId(0));
        assert!(store.reader.direct(Pair::of(ANA, BIA)).unwrap().is_none());
        // And the next one is kept, with the id that nobody saw.
        assert_eq!(store.send(ANA, "bia", "kept"), EntryId(1));
        assert_eq!(store.pages(BIA, true, EntryId(9)).0, [(1, "kept".into())]);
    });
}

#[test]
fn a_long_conversation_is_paged_whole_and_in_order() {
    every_store(|store| {
        // Three conversations of one account, woven together, far over a page and many blocks.
        for n in 0..700 {
            let (from, to) = [(BIA, "ana"), (CAIO, "ana"), (ANA, "ana"), (BIA, "caio")][n % 4];
            store.act(from, Act::Send { to: person(to), body: format!("{n}"), once: None });
        }
        store.commit();
        let all: Vec<_> =
            (0..700).filter(|n| n % 4 != 3).map(|n| (n + 1, format!("{n}"))).collect();
        let others: Vec<_> = all.iter().filter(|(id, _)| (id - 1) % 4 != 2).cloned().collect();
        let (seen, pages) = store.pages(ANA, true, EntryId(700));
        assert_eq!(seen, others);
        assert_eq!(pages, 2);
        assert_eq!(store.waiting(ANA), 350);
        assert_eq!(store.pages(ANA, false, EntryId(700)).0, all);
        let until = store.pages(ANA, false, EntryId(90)).0;
        assert_eq!(until, all.iter().filter(|(id, _)| *id <= 90).cloned().collect::<Vec<_>>());
        assert_eq!(store.reader.waiting(ANA, EntryId(90)).unwrap().count, 46);
        // A cursor in the middle of one conversation leaves the others alone.
        store.advance(ANA, Cursor::Delivered, EntryId(401));
        let bias = others.iter().filter(|(id, _)| id % 4 == 1 && *id > 401).count();
        assert_eq!(store.waiting(ANA), 175 + bias as u64);
        assert_eq!(store.pages(ANA, true, EntryId(700)).0.len(), 175 + bias);
    });
}

#[test]
fn who_is_in_more_conversations_than_a_walk_holds_still_sees_them_in_order() {
    every_store(|store| {
        let others = limits::LANES * 5 / 2;
        for n in 0..others {
            let (handle, name) = (handle(&format!("p{n}")), DisplayName::new("p").unwrap());
            store.decide(|chat| chat.register(&handle, &name, "hash", Millis(0)));
        }
        store.commit();
        // Two rounds, the second backwards, so that what comes next is spread over all of them.
        for n in (0..others).chain((0..others).rev()) {
            let from = AccountId(i64::try_from(n).unwrap() + 4);
            store.act(from, Act::Send { to: person("ana"), body: format!("{n}"), once: None });
            if n % 500 == 0 {
                store.commit();
            }
        }
        store.commit();
        let ids = |store: &mut Bench, waiting| -> Vec<i64> {
            let seen = store.pages(ANA, waiting, EntryId(i64::MAX)).0;
            seen.into_iter().map(|(id, _)| id).collect()
        };
        let all: Vec<i64> = (1..=2 * i64::try_from(others).unwrap()).collect();
        assert_eq!(ids(store, false), all);
        assert_eq!(ids(store, true), all);
    });
}

#[test]
fn a_walk_shows_what_there_was_when_it_began_whatever_is_said_meanwhile() {
    every_store(|store| {
        // A chat that is not a block yet, one that is more, and a group that she leaves and comes
        // back to.
        let group = |change| Act::Group { name: handle("crew"), change };
        store.act(BIA, group(GroupChange::New(vec![handle("ana")])));
        let crew = Target::Group(handle("crew"));
        let say = |store: &mut Bench, n: usize| {
            for (from, to) in [(BIA, person("ana")), (CAIO, person("ana")), (BIA, crew.clone())] {
                if n.is_multiple_of(3) || from != CAIO {
                    store.act(from, Act::Send { to, body: format!("{n}"), once: None });
                }
            }
        };
        let removed = |store: &mut Bench| store.act(BIA, group(GroupChange::Remove(handle("ana"))));
        let added =
            |store: &mut Bench| store.act(BIA, group(GroupChange::Add(vec![handle("ana")])));
        for n in 0..150 {
            say(store, n);
            match n {
                40 | 110 => removed(store),
                70 | 111 => added(store),
                _ => {}
            }
        }
        store.commit();
        let upto = store.chat.newest().entry;
        for waiting in [false, true] {
            let at_once = store.pages(ANA, waiting, upto).0;
            let mut walk = Walk::new(EntryId(0), upto, waiting);
            let mut seen = Vec::new();
            while !walk.done {
                let entries;
                (entries, walk) = store.reader.page(ANA, walk, 7).unwrap();
                seen.extend(entries.into_iter().map(|e| (e.id.0, e.body.into_string())));
                say(store, 3);
                if seen.len().is_multiple_of(5) {
                    removed(store);
                    added(store);
                }
                store.commit();
            }
            assert_eq!(seen, at_once);
        }
    });
}

#[test]
fn a_batch_that_cannot_be_begun_is_not_tried_again_for_each_look() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("papo.db");
    let database = Database::open(&path).unwrap();
    let mut writer = database.writer().unwrap();
    let tool = rusqlite::Connection::open(&path).unwrap();
    tool.execute_batch("BEGIN IMMEDIATE").unwrap();
    let why = writer.reader().err().unwrap();
    assert_eq!(why.cause(), Cause::Busy);
    let why = why.to_string();
    assert!(why.contains("locked"), "{why}");
    tool.execute_batch("COMMIT").unwrap();
    assert_eq!(writer.reader().err().unwrap().to_string(), why, "it waits once for the tool");
    // The batch that could not be looked up for is not kept; the next one is.
    assert!(writer.record(&[]).is_err());
    assert!(writer.reader().unwrap().newest().is_ok());
    writer.record(&[]).unwrap();
}

#[test]
fn a_page_is_bounded_in_bytes() {
    every_store(|store| {
        let body = "x".repeat(60_000);
        for _ in 0..10 {
            store.act(BIA, Act::Send { to: person("ana"), body: body.clone(), once: None });
        }
        store.commit();
        let walk = Walk::new(EntryId(0), EntryId(10), true);
        let (entries, walk) = store.reader.page(ANA, walk, limits::PAGE_ROWS).unwrap();
        assert_eq!((entries.len(), walk.at, walk.done), (2, EntryId(2), false));
        assert_eq!(store.pages(ANA, true, EntryId(10)).0.len(), 10);
        let ids: Vec<_> = (1..=10).map(EntryId).collect();
        let id = store.reader.direct(Pair::of(ANA, BIA)).unwrap().unwrap().id;
        assert_eq!(store.reader.entries(ANA, id, &ids).unwrap().len(), 2);
    });
}

/// A part of the conversation of Ana and Bia.
fn span(
    store: &mut Bench,
    count: usize,
    after: Option<i64>,
    before: Option<i64>,
) -> (Vec<i64>, bool) {
    let id = store.reader.direct(Pair::of(ANA, BIA)).unwrap().unwrap().id;
    let query =
        SpanQuery { count, before: before.map(EntryId), after: after.map(EntryId), re: None };
    let span = store.reader.span(ANA, id, &query).unwrap();
    (span.ids.into_iter().map(|id| id.0).collect(), span.more)
}

#[test]
fn spans_keep_their_bounds() {
    every_store(|store| {
        // Odd ids are of the conversation that is asked about.
        for n in 0..400 {
            let to = if n % 2 == 0 { "bia" } else { "caio" };
            store.act(ANA, Act::Send { to: person(to), body: "x".into(), once: None });
        }
        store.commit();
        let all: Vec<i64> = (1..400).step_by(2).collect();
        let (after, before) = (Some(100), Some(300));
        assert_eq!(span(store, 1000, None, None), (all.clone(), false));
        assert_eq!(span(store, 3, None, None), (vec![395, 397, 399], true));
        assert_eq!(span(store, 3, after, None), (vec![101, 103, 105], true));
        assert_eq!(span(store, 3, None, before), (vec![295, 297, 299], true));
        assert_eq!(span(store, 3, after, before), (vec![295, 297, 299], true));
        assert_eq!(span(store, 1000, after, before), (all[50..150].to_vec(), false));
        assert_eq!(span(store, 3, Some(395), None), (vec![397, 399], false));
        assert_eq!(span(store, 3, None, Some(4)), (vec![1, 3], false));
        assert_eq!(span(store, 3, None, Some(1)), (vec![], false));
        assert_eq!(span(store, 3, Some(399), None), (vec![], false));
        assert_eq!(span(store, 3, None, Some(i64::MAX)), (vec![395, 397, 399], true));
        assert_eq!(span(store, 3, Some(i64::MAX), None), (vec![], false));
        assert_eq!(span(store, 3, Some(i64::MAX), Some(0)), (vec![], false));
    });
}

#[test]
fn receipts_are_found_by_whom_they_concern() {
    every_store(|store| {
        let receipts = |store: &mut Bench, me, after| -> Vec<(Cursor, i64)> {
            let found = store.reader.receipts(me, after, MoveNumber(i64::MAX)).unwrap();
            assert_eq!(found.through, store.chat.newest().moved);
            found.list.into_iter().map(|(_, r)| (r.cursor, r.id.0)).collect()
        };
        let start = MoveNumber(0);
        store.send(ANA, "bia", "1");
        store.send(ANA, "bia", "2");
        store.advance(BIA, Cursor::Delivered, EntryId(1));
        assert_eq!(receipts(store, ANA, start), [(Cursor::Delivered, 1)]);
        assert_eq!(receipts(store, BIA, start), [], "one's own moves are no receipts");
        assert_eq!(receipts(store, CAIO, start), []);
        store.now += 5_000;
        store.advance(BIA, Cursor::Read, EntryId(1));
        assert_eq!(receipts(store, ANA, start), [(Cursor::Read, 1)], "a READ says ACK too");
        store.advance(BIA, Cursor::Delivered, EntryId(2));
        let both = [(Cursor::Read, 1), (Cursor::Delivered, 2)];
        assert_eq!(receipts(store, ANA, start), both);
        let shown = store.chat.newest().moved;
        assert_eq!(receipts(store, ANA, shown), []);
        // What bia writes takes her cursors along, and names no other entry than her move did.
        store.advance(BIA, Cursor::Read, EntryId(2));
        store.send(BIA, "ana", "3");
        assert_eq!(receipts(store, ANA, shown), [(Cursor::Read, 2)]);
        // Bia's own entry is the only one she passes: nobody is concerned.
        let shown = store.chat.newest().moved;
        store.now += 5_000;
        store.send(ANA, "bia", "4");
        store.send(BIA, "ana", "5");
        store.advance(BIA, Cursor::Read, EntryId(4));
        let crossed = store.chat.newest().moved;
        store.now += 5_000;
        store.advance(BIA, Cursor::Read, EntryId(5));
        assert_eq!(receipts(store, ANA, shown), [(Cursor::Read, 5)]);
        assert_eq!(receipts(store, ANA, crossed), [], "no entry of ana's was passed after that");
    });
}

#[test]
fn numbers_are_never_given_twice() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("papo.db");
    for round in 0..3 {
        let database = Database::open(&path).unwrap();
        let (writer, mut reader) = (database.writer().unwrap(), database.reader().unwrap());
        let newest = reader.newest().unwrap();
        assert_eq!(newest.entry.0, round * 2);
        let mut store = if round == 0 {
            Bench::new(Box::new(writer), Box::new(reader))
        } else {
            Bench {
                chat: Chat::new(newest),
                writer: Box::new(writer),
                reader: Box::new(reader),
                now: 0,
            }
        };
        store.send(ANA, "bia", "x");
        store.advance(BIA, Cursor::Read, store.chat.newest().entry);
        store.send(BIA, "bia", "note");
    }
}

/// What was made by the first release must open for ever: from then on `tests/store/v1.sql` is never
/// changed. Until then it is today's schema, and `PAPO_REWRITE=1` writes it anew.
#[test]
fn the_first_schema_still_opens() {
    let frozen = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/store/v1.sql");
    if std::env::var("PAPO_REWRITE").is_ok_and(|value| value == "1") {
        std::fs::write(frozen, first_log()).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("papo.db");
    let old = rusqlite::Connection::open(&path).unwrap();
    old.execute_batch(&std::fs::read_to_string(frozen).unwrap()).unwrap();
    assert_eq!(schema(&old), schema(&rusqlite::Connection::open(made(folder.path())).unwrap()));
    old.close().unwrap();
    let database = Database::open(&path).unwrap();
    let (writer, reader) = (database.writer().unwrap(), database.reader().unwrap());
    let (writer, mut reader): (Box<dyn Writer>, Box<dyn Reader>) =
        (Box::new(writer), Box::new(reader));
    let chat = Chat::new(reader.newest().unwrap());
    let mut store = Bench { writer, reader, chat, now: 9_000_000 };
    assert_eq!(store.waiting(BIA), 1);
    assert_eq!(store.pages(BIA, true, EntryId(i64::MAX)).0, [(2, "dois\nlinhas".into())]);
    assert_eq!(store.pages(ANA, false, EntryId(i64::MAX)).0.len(), 3);
    let receipts = store.reader.receipts(ANA, MoveNumber(0), MoveNumber(0)).unwrap().list;
    assert_eq!(receipts.len(), 1);
    assert_eq!((receipts[0].1.cursor, receipts[0].1.id), (Cursor::Read, EntryId(1)));
    let next = store.send(BIA, "ana", "4");
    assert!(next > EntryId(3));
    store.advance(ANA, Cursor::Read, next);
    assert_eq!(store.waiting(ANA), 0);
    assert_eq!(database.maintenance().check().unwrap(), [""; 0]);
}

/// A new database in a folder, with a short log.
fn made(folder: &std::path::Path) -> std::path::PathBuf {
    let path = folder.join("made.db");
    let database = Database::open(&path).unwrap();
    let (writer, reader) = (database.writer().unwrap(), database.reader().unwrap());
    let mut store = Bench::new(Box::new(writer), Box::new(reader));
    store.send(ANA, "bia", "1");
    store.send(ANA, "bia", "dois\nlinhas");
    store.send(ANA, "ana", "3");
    store.advance(BIA, Cursor::Read, EntryId(1));
    path
}

/// The tables, indexes and views of a database, as they were made.
fn schema(of: &rusqlite::Connection) -> Vec<String> {
    let sql = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid";
    let mut query = of.prepare(sql).unwrap();
    query.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// The short log as SQL.
fn first_log() -> String {
    let folder = tempfile::tempdir().unwrap();
    let from = rusqlite::Connection::open(made(folder.path())).unwrap();
    let number = |pragma: &str| -> i64 {
        from.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0)).unwrap()
    };
    let mut out = format!(
        "PRAGMA auto_vacuum = INCREMENTAL;\nPRAGMA application_id = {};\nPRAGMA user_version = {};\n",
        number("application_id"),
        number("user_version")
    );
    schema(&from).iter().for_each(|sql| out += &format!("{sql};\n"));
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
    let mut tables = from.prepare(sql).unwrap();
    let tables = tables.query_map([], |row| row.get::<_, String>(0)).unwrap().map(Result::unwrap);
    for table in tables {
        let mut rows = from.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns: Vec<String> =
            rows.column_names().map(|name| format!("quote({name})")).collect();
        let sql = format!("SELECT {} FROM {table}", columns.join(" || ', ' || "));
        rows = from.prepare(&sql).unwrap();
        let rows = rows.query_map([], |row| row.get::<_, String>(0)).unwrap();
        rows.map(Result::unwrap)
            .for_each(|row| out += &format!("INSERT INTO {table} VALUES({row});\n"));
    }
    out
}

#[test]
fn a_schema_that_is_newer_or_not_ours_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("papo.db");
    drop(Database::open(&path).unwrap());
    let ours = std::fs::read(&path).unwrap();
    let patched = |at: usize, word: u32| {
        let mut bytes = ours.clone();
        bytes[at..at + 4].copy_from_slice(&word.to_be_bytes());
        bytes
    };
    // Offsets of user_version and application_id in the header of the file format.
    for (bytes, why) in [
        (patched(60, 99), "newer papod"),
        (patched(68, 1), "not a papo database"),
        (b"hello".to_vec(), "not a papo database"),
    ] {
        std::fs::write(&path, &bytes).unwrap();
        let said = Database::open(&path).err().unwrap().to_string();
        assert!(said.contains(why) && said.contains("papo.db"), "{said}");
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
    }
    let said = Database::open(folder.path()).err().unwrap().to_string();
    assert!(said.contains("not a file"), "{said}");
}

/// A page that a disk has spoilt is told as such, not as a disk that is full.
#[test]
fn a_damaged_page_is_said_to_be_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = made(folder.path());
    let tool = rusqlite::Connection::open(&path).unwrap();
    let page: i64 = tool
        .query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'account'", [], |row| {
            row.get(0)
        })
        .unwrap();
    drop(tool);
    let mut bytes = std::fs::read(&path).unwrap();
    let start = usize::try_from(page - 1).unwrap() * 4096;
    bytes[start..start + 4096].fill(0xff);
    std::fs::write(&path, bytes).unwrap();
    let database = Database::open(&path).unwrap();
    let damaged = database.reader().unwrap().account(&handle("ana")).err().unwrap();
    assert_eq!(damaged.cause(), Cause::Damaged, "{damaged}");
    let damaged = database.writer().unwrap().reader().unwrap().account_by_id(ANA).err().unwrap();
    assert_eq!(damaged.cause(), Cause::Damaged, "{damaged}");
}

#[test]
fn one_process_has_a_database() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("papo.db");
    let first = Database::open(&path).unwrap();
    let said = Database::open(&path).err().unwrap().to_string();
    assert!(said.contains("in use by another papod"), "{said}");
    drop(first);
    Database::open(&path).unwrap();
}
