//! SQLite's file: those that must open and those that must not, and what one process leaves to the
//! next.

use crate::bench::{ANA, BIA, Bench, handle};
use papo::chat::Chat;
use papo::entry::{Cursor, EntryId, MoveNumber};
use papo::store::sqlite::Database;
use papo::store::{Cause, Maintenance, Reader, Writer};

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
                indexer: None,
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
    let mut store = Bench { writer, reader, indexer: None, chat, now: 9_000_000 };
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
