//! Commands to carry out later: in the order in which they are due, and in no file once they are
//! done.

use std::collections::BTreeSet;

use crate::bench::{ANA, BIA, Bench, every_store};
use crate::marks::{marked, marks};
use papo::entry::{AccountId, Condition, Cursor, EntryId, Millis};
use papo::limits;
use papo::store::sqlite::Database;
use papo::store::{Change, Fact, Later, Need};

fn later(number: u64, due: i64, unless: Option<Condition>, command: &str) -> Later {
    let unless = unless.map(|condition| (EntryId(7), condition));
    Later { number, due: Millis(due), unless, command: command.into() }
}

#[test]
fn what_is_due_next_comes_first() {
    every_store(|store| {
        let read = Some(Condition::Reached(Cursor::Read));
        let all = [
            (ANA, later(1, 500, None, "MSG bia one")),
            (ANA, later(2, 300, read, "MSG bia two")),
            (BIA, later(1, 300, Some(Condition::Answered), "MSG ana three")),
            (ANA, later(3, 500, Some(Condition::Reached(Cursor::Delivered)), "RE 7 four")),
        ];
        let made = all.clone().map(|(account, later)| Change::Later { account, later });
        store.writer.record(&made).unwrap();
        let [first, second, third, fourth] = all;
        let want = [second.clone(), third, first.clone(), fourth.clone()];
        assert_eq!(store.reader.next_due(9).unwrap(), want);
        assert_eq!(store.reader.next_due(3).unwrap(), want[..3]);
        assert_eq!(store.reader.later(ANA).unwrap(), [second.1, first.1, fourth.1.clone()]);
        let done = [1, 2].map(|number| Change::LaterDone { account: ANA, number });
        store.writer.record(&done).unwrap();
        assert_eq!(store.reader.later(ANA).unwrap(), std::slice::from_ref(&fourth.1));
        // No number is given twice, even if none waits.
        store.writer.record(&[Change::LaterDone { account: ANA, number: 3 }]).unwrap();
        let facts = store.reader.gather(&[Need::Later(ANA), Need::Later(AccountId(3))], 2).unwrap();
        let [Fact::Later(ANA, 3, list), Fact::Later(_, 0, none)] = &facts[..] else {
            panic!("{facts:?}")
        };
        assert!(list.is_empty() && none.is_empty());
        assert_eq!(store.reader.next_due(9).unwrap().len(), 1);
        // An account that is deleted sends nothing.
        store.writer.record(&[Change::Gone { account: BIA, leaving: false }]).unwrap();
        assert_eq!(store.reader.next_due(9).unwrap(), []);
    });
}

#[test]
fn what_is_done_is_in_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("papo.db");
    let database = Database::open(&db).unwrap();
    let (writer, reader) = (database.writer().unwrap(), database.reader().unwrap());
    let mut store = Bench::new(Box::new(writer), Box::new(reader));
    let count = 3 * limits::BLANK;
    let mut left = BTreeSet::new();
    for n in 1..=count {
        // Due in another order than they were made in, and of all lengths.
        let command = marked(n, (n * 37 % 200) as usize);
        let later = later(n as u64, n * 7_919 % count, None, &command);
        store.writer.record(&[Change::Later { account: ANA, later }]).unwrap();
        left.insert(n);
        if n % 3 != 0 {
            let number = store.reader.next_due(1).unwrap()[0].1.number;
            store.writer.record(&[Change::LaterDone { account: ANA, number }]).unwrap();
            left.remove(&(number as i64));
        }
    }
    while !store.writer.wipe().unwrap() {
        std::thread::yield_now();
    }
    assert_eq!(marks(&db), left);
    for number in left {
        let number = number as u64;
        store.writer.record(&[Change::LaterDone { account: ANA, number }]).unwrap();
    }
    while !store.writer.wipe().unwrap() {
        std::thread::yield_now();
    }
    assert_eq!(marks(&db), BTreeSet::new());
    let tool = rusqlite::Connection::open(&db).unwrap();
    let rows: i64 = tool.query_row("SELECT count(*) FROM later", [], |row| row.get(0)).unwrap();
    assert!(rows < limits::BLANK + 128, "{rows} rows are left");
}
