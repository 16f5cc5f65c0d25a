//! What questions cost in a database with few and with many conversations, in steps of SQLite's
//! virtual machine, so that no clock is asked. What a login and the first page of a list need costs
//! the same in both.

use std::sync::atomic::Ordering;

use tempfile::TempDir;

use super::{Database, SqliteReader};
use crate::entry::MoveNumber;
use crate::entry::{AccountId, ConversationId, Cursor, EntryId, EntryKind, EntryPos, Millis};
use crate::limits;
use crate::name::{DisplayName, Handle};
use crate::store::{
    Added, Change, Effort, Listing, Maintenance, Member, NewEntry, Newest, Pair, Position, Reader,
    SpanQuery, Walk, Writer,
};

const ANA: AccountId = AccountId(1);

/// More conversations than a login counts, and four times as many.
const FEW: i64 = 3_000;
const MANY: i64 = 4 * FEW;

/// A database in which everyone has written to Ana once. Of what the newest have written, so many
/// entries wait for her; the others she has read.
struct Crowd {
    reader: SqliteReader,
    chats: i64,
    _database: Database,
    _folder: TempDir,
}

impl Crowd {
    fn new(chats: i64, waiting: i64) -> Crowd {
        // In memory where there is such a folder.
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let database = Database::open(&folder.path().join("papo.db")).unwrap();
        let mut writer = database.writer().unwrap();
        let mut changes = vec![account(ANA, "ana")];
        for n in 1..=chats {
            changes.push(account(friend(n), &format!("friend{n}")));
            changes.extend(chat(n, n <= chats - waiting));
        }
        changes.push(Change::Newest(Newest {
            entry: EntryId(chats),
            moved: MoveNumber(chats - waiting),
            account: chats + 1,
            conversation: chats,
            token: 0,
            floor: EntryId(0),
        }));
        writer.record(&changes).unwrap();
        let reader = database.reader().unwrap();
        Crowd { reader, chats, _database: database, _folder: folder }
    }

    /// Steps that a question takes, in units of [`limits::STEPS`].
    fn cost<T>(&mut self, ask: impl FnOnce(&mut SqliteReader) -> T) -> i64 {
        self.reader.begin(Effort::Full).unwrap();
        ask(&mut self.reader);
        let left = self.reader.steps.load(Ordering::Relaxed);
        self.reader.end();
        limits::READ_STEPS - left
    }

    /// Of each question what it costs.
    fn costs(&mut self) -> Vec<(&'static str, i64)> {
        let newest = EntryId(self.chats);
        let page = |reader: &mut SqliteReader, from: i64, waiting: bool, rows: usize| {
            let walk = Walk::new(EntryId(from), newest, waiting);
            reader.page(ANA, walk, rows).unwrap().0.len()
        };
        let rows = limits::PAGE_ROWS;
        let some = friend(self.chats / 2);
        let near_the_end = self.chats - 3;
        // She has not been told of the last three moves.
        let upto = MoveNumber((self.reader.newest().unwrap().moved.0 - 3).max(0));
        vec![
            ("what waits is counted", self.cost(|r| r.waiting(ANA, newest).unwrap())),
            ("the first that waits", self.cost(|r| page(r, 0, true, 1))),
            ("a page of what waits", self.cost(|r| page(r, 0, true, rows))),
            ("SYNC from the beginning", self.cost(|r| assert_eq!(page(r, 0, false, rows), rows))),
            ("SYNC at the end", self.cost(|r| assert_eq!(page(r, near_the_end, false, rows), 3))),
            ("a page of CHATS", self.cost(|r| r.chats(ANA, Listing::default()).unwrap())),
            ("receipts", self.cost(|r| r.receipts(ANA, upto, upto).unwrap())),
            (
                "receipts of a friend",
                self.cost(|r| r.receipts(some, MoveNumber(0), MoveNumber(0)).unwrap()),
            ),
            ("groups", self.cost(|r| r.group_names(ANA, ConversationId(0)).unwrap())),
            (
                "HIST",
                self.cost(|r| {
                    let id = r.direct(Pair::of(some, ANA)).unwrap().expect("it is there").id;
                    let query = SpanQuery { count: 50, before: None, after: None, re: None };
                    assert_eq!(r.span(ANA, id, &query).unwrap().ids.len(), 1);
                }),
            ),
            ("FIND of everybody", self.cost(|r| r.find(&["friend".into()], 20).unwrap())),
            (
                "FIND of one",
                self.cost(|r| {
                    assert_eq!(r.find(&["friend2999".into()], 20).unwrap().len(), 1);
                }),
            ),
        ]
    }

    /// What all pages of `CHATS` cost.
    fn whole_list(&mut self) -> i64 {
        let mut list = Listing::default();
        let mut cost = 0;
        while !list.done {
            let from = std::mem::take(&mut list);
            cost += self.cost(|reader| list = reader.chats(ANA, from).unwrap().1);
        }
        cost
    }
}

fn friend(n: i64) -> AccountId {
    AccountId(n + 1)
}

fn account(id: AccountId, handle: &str) -> Change {
    Change::Account {
        id,
        handle: Handle::new(handle).unwrap(),
        name: DisplayName::new(handle).unwrap(),
        secret: "hash".into(),
        time: Millis(0),
    }
}

/// The `n`-th chat: its one entry has its number.
fn chat(n: i64, is_read: bool) -> Vec<Change> {
    let (conversation, id, time) = (ConversationId(n), EntryId(n), Millis(n));
    let pos = EntryPos {
        conversation,
        id,
        seq: 1,
        author: friend(n),
        author_seq: 1,
        about: EntryId(0),
        expired: false,
    };
    let (kind, body) = (EntryKind::Message, "hello".into());
    let (mut from, mut ana) = (Member::new(friend(n)), Member::new(ANA));
    for cursor in [Cursor::Delivered, Cursor::Read] {
        let at = from.cursor_mut(cursor);
        *at = Position { id, seq: 1, exempt: 1, ..*at };
        if is_read {
            let number = MoveNumber(n);
            *ana.cursor_mut(cursor) = Position { id, seq: 1, exempt: 0, told: id, time, number };
        }
    }
    (from.exempt, from.last_own) = (1, id);
    let moved = MoveNumber(if is_read { n } else { 0 });
    for member in [&mut from, &mut ana] {
        (member.recent, member.moved) = (id, moved);
    }
    ana.waits = if is_read { EntryId(0) } else { id };
    let added = Added { after: EntryId(0), ids: vec![id] };
    let member = |member| Change::Member { conversation, member: Box::new(member) };
    vec![
        Change::Direct { id: conversation, pair: Pair::of(friend(n), ANA), begun: EntryId(n - 1) },
        Change::Entry(NewEntry { pos, time, kind, body, tags: None }),
        Change::Head { conversation, head: id, seq: 1, moved, added },
        member(from),
        member(ana),
    ]
}

#[test]
fn a_login_and_first_pages_cost_the_same_among_few_and_many_conversations() {
    for waiting in [|_| 0, |_| 10, |chats| chats] {
        let [mut few, mut many] = [FEW, MANY].map(|chats| Crowd::new(chats, waiting(chats)));
        for ((what, of_few), (_, of_many)) in few.costs().into_iter().zip(many.costs()) {
            println!("{what}: {of_few} of few, {of_many} of many");
            assert!(of_many <= of_few + of_few / 4 + 1, "{what}: {of_few}, and {of_many} of many");
        }
        // Costs that do grow are seen to.
        let (of_few, of_many) = (few.whole_list(), many.whole_list());
        assert!(of_many > 3 * of_few, "{of_few}, and {of_many} of many");
        assert_eq!(many._database.maintenance().check().unwrap(), [""; 0]);
    }
}

#[test]
fn a_question_that_takes_more_steps_than_it_may_fails_and_the_next_is_answered() {
    let mut crowd = Crowd::new(FEW, 0);
    let (reader, mut list) = (&mut crowd.reader, Listing::default());
    reader.begin(Effort::Small).unwrap();
    let failed = loop {
        match reader.chats(ANA, std::mem::take(&mut list)) {
            Ok((_, next)) => list = next,
            Err(failed) => break failed,
        }
        assert!(!list.done, "all pages are no small question");
    };
    reader.end();
    assert!(failed.to_string().contains("took too long"), "{failed}");
    reader.begin(Effort::Small).unwrap();
    assert_eq!(reader.newest().unwrap().entry, EntryId(FEW));
    reader.end();
}
