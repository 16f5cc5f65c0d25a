//! The store suite: what any store must do, run against each of them, and for SQLite the files that
//! must open and those that must not.

use papo::chat::directory::Need;
use papo::chat::{Act, Chat, Who};
use papo::entry::{AccountId, Cursor, EntryId, Millis, MoveNumber, SessionId};
use papo::limits;
use papo::name::{DisplayName, Handle, Target};
use papo::store::sqlite::Database;
use papo::store::{Change, PageQuery, Pair, Recall, Record, SpanQuery};
use proptest::prelude::*;

/// A store under test, written to by the rules as the hub would.
struct Bench {
    record: Box<dyn Record>,
    recall: Box<dyn Recall>,
    chat: Chat,
    now: i64,
}

const ANA: AccountId = AccountId(1);
const BIA: AccountId = AccountId(2);
const CAIO: AccountId = AccountId(3);

fn handle(name: &str) -> Handle {
    Handle::new(name).unwrap()
}

fn person(name: &str) -> Target {
    Target::Person(handle(name))
}

impl Bench {
    fn new(record: Box<dyn Record>, mut recall: Box<dyn Recall>) -> Bench {
        let chat = Chat::new(recall.newest().unwrap());
        let mut bench = Bench { record, recall, chat, now: 1_000_000 };
        for name in ["ana", "bia", "caio"] {
            let (handle, name) = (handle(name), DisplayName::new(name).unwrap());
            let made = bench.known(|chat| chat.register(&handle, &name, "hash", Millis(0)));
            made.unwrap();
        }
        bench.commit();
        bench
    }

    fn known<T>(&mut self, mut ask: impl FnMut(&mut Chat) -> Result<T, Need>) -> T {
        loop {
            let need = match ask(&mut self.chat) {
                Ok(done) => return done,
                Err(need) => need,
            };
            let (recall, directory) = (&mut self.recall, self.chat.directory());
            let found = match &need {
                Need::Handle(h) => recall.account(h).unwrap().map(|a| directory.learn_account(a)),
                Need::Account(id) => {
                    recall.account_by_id(*id).unwrap().map(|a| directory.learn_account(a))
                }
                Need::Direct(pair) => {
                    recall.direct(*pair).unwrap().map(|c| directory.learn_conversation(c))
                }
                Need::Conversation(id) => {
                    recall.conversation(*id).unwrap().map(|c| directory.learn_conversation(c))
                }
                Need::Place(id) => recall.place(*id).unwrap().map(|p| directory.learn_place(p)),
            };
            if found.is_none() {
                directory.learn_absence(need);
            }
        }
    }

    fn commit(&mut self) {
        let batch = self.chat.finish();
        self.record.record(&batch.changes).unwrap();
        self.chat.settle();
    }

    fn act(&mut self, account: AccountId, mut act: Act) {
        let who = Who { session: SessionId(1), account };
        let now = Millis(self.now);
        self.known(|chat| chat.asked(who, &mut act, now));
    }

    /// Writes and commits; gives back the id.
    fn send(&mut self, from: AccountId, to: &str, body: &str) -> EntryId {
        self.act(from, Act::Send { to: person(to), body: body.into() });
        self.commit();
        self.chat.newest().entry
    }

    fn advance(&mut self, who: AccountId, cursor: Cursor, id: EntryId) {
        self.act(who, Act::Advance { cursor, id });
        self.commit();
    }

    fn waiting(&mut self, who: AccountId) -> u64 {
        self.recall.waiting(who, EntryId(i64::MAX)).unwrap()
    }

    /// All pages of a query, and how many there were.
    fn pages(
        &mut self,
        me: AccountId,
        waiting: bool,
        upto: EntryId,
    ) -> (Vec<(i64, String)>, usize) {
        let (mut seen, mut from, mut pages) = (Vec::new(), EntryId(0), 0);
        loop {
            let page = self.recall.page(me, &PageQuery { from, upto, waiting }).unwrap();
            pages += 1;
            assert!(page.entries.len() <= limits::PAGE_ROWS);
            seen.extend(page.entries.into_iter().map(|e| (e.id.0, e.body.into_string())));
            if page.done {
                return (seen, pages);
            }
            assert!(page.through > from, "a page must lead on");
            from = page.through;
        }
    }

    fn span(&mut self, count: usize, after: Option<i64>, before: Option<i64>) -> (Vec<i64>, bool) {
        let id = self.recall.direct(Pair::of(ANA, BIA)).unwrap().unwrap().id;
        let query = SpanQuery { count, before: before.map(EntryId), after: after.map(EntryId) };
        let span = self.recall.span(id, &query).unwrap();
        (span.ids.into_iter().map(|id| id.0).collect(), span.more)
    }
}

/// Runs a test against every store there is.
fn every_store(test: impl Fn(&mut Bench)) {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("papo.db")).unwrap();
    let (pen, eyes) = (database.pen().unwrap(), database.eyes().unwrap());
    test(&mut Bench::new(Box::new(pen), Box::new(eyes)));
}

#[test]
fn accounts_are_found_by_handle_and_number() {
    every_store(|store| {
        let ana = store.recall.account(&handle("ana")).unwrap().unwrap();
        assert_eq!((ana.id, ana.name.as_str()), (ANA, "ana"));
        assert_eq!(store.recall.account_by_id(BIA).unwrap().unwrap().handle, handle("bia"));
        assert_eq!(store.recall.secret(ANA).unwrap().unwrap(), "hash");
        assert!(store.recall.account(&handle("dora")).unwrap().is_none());
        store.act(ANA, Act::Rename(DisplayName::new("Ana Maria").unwrap()));
        store.act(ANA, Act::SetSecret("other".into()));
        store.commit();
        let ana = store.recall.account(&handle("ana")).unwrap().unwrap();
        assert_eq!(ana.name.as_str(), "Ana Maria");
        assert_eq!(store.recall.secret(ANA).unwrap().unwrap(), "other");
    });
}

#[test]
fn a_batch_is_kept_whole_or_not_at_all() {
    every_store(|store| {
        store.act(ANA, Act::Send { to: person("bia"), body: "kept?".into() });
        let mut changes = store.chat.finish().changes;
        // A second account of one handle breaks the store's own rule.
        let name = DisplayName::new("x").unwrap();
        let (secret, time) = (String::new(), Millis(0));
        let id = AccountId(9);
        changes.push(Change::Account { id, handle: handle("ana"), name, secret, time });
        assert!(store.record.record(&changes).is_err());
        store.chat.forget();
        assert_eq!(store.recall.newest().unwrap().entry, EntryId(0));
        assert!(store.recall.direct(Pair::of(ANA, BIA)).unwrap().is_none());
        // And the next one is kept, with the id that nobody saw.
        assert_eq!(store.send(ANA, "bia", "kept"), EntryId(1));
        assert_eq!(store.pages(BIA, true, EntryId(9)).0, [(1, "kept".into())]);
    });
}

#[test]
fn a_long_conversation_is_paged_whole_and_in_order() {
    every_store(|store| {
        // Three conversations of one account, woven together, far over a page and many marks.
        for n in 0..700 {
            let (from, to) = [(BIA, "ana"), (CAIO, "ana"), (ANA, "ana"), (BIA, "caio")][n % 4];
            store.act(from, Act::Send { to: person(to), body: format!("{n}") });
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
        assert_eq!(store.recall.waiting(ANA, EntryId(90)).unwrap(), 46);
        // A cursor in the middle of one conversation leaves the others alone.
        store.advance(ANA, Cursor::Delivered, EntryId(401));
        let bias = others.iter().filter(|(id, _)| id % 4 == 1 && *id > 401).count();
        assert_eq!(store.waiting(ANA), 175 + bias as u64);
        assert_eq!(store.pages(ANA, true, EntryId(700)).0.len(), 175 + bias);
    });
}

#[test]
fn a_page_is_bounded_in_bytes() {
    every_store(|store| {
        let body = "x".repeat(60_000);
        for _ in 0..10 {
            store.act(BIA, Act::Send { to: person("ana"), body: body.clone() });
        }
        store.commit();
        let query = PageQuery { from: EntryId(0), upto: EntryId(10), waiting: true };
        assert_eq!(store.recall.page(ANA, &query).unwrap().entries.len(), 2);
        assert_eq!(store.pages(ANA, true, EntryId(10)).0.len(), 10);
        let ids: Vec<_> = (1..=10).map(EntryId).collect();
        assert_eq!(store.recall.entries(ANA, &ids).unwrap().len(), 2);
    });
}

#[test]
fn spans_keep_their_bounds() {
    every_store(|store| {
        // Odd ids are of the conversation that is asked about.
        for n in 0..400 {
            let to = if n % 2 == 0 { "bia" } else { "caio" };
            store.act(ANA, Act::Send { to: person(to), body: "x".into() });
        }
        store.commit();
        let all: Vec<i64> = (1..400).step_by(2).collect();
        let (after, before) = (Some(100), Some(300));
        assert_eq!(store.span(1000, None, None), (all.clone(), false));
        assert_eq!(store.span(3, None, None), (vec![395, 397, 399], true));
        assert_eq!(store.span(3, after, None), (vec![101, 103, 105], true));
        assert_eq!(store.span(3, None, before), (vec![295, 297, 299], true));
        assert_eq!(store.span(3, after, before), (vec![295, 297, 299], true));
        assert_eq!(store.span(1000, after, before), (all[50..150].to_vec(), false));
        assert_eq!(store.span(3, Some(395), None), (vec![397, 399], false));
        assert_eq!(store.span(3, None, Some(4)), (vec![1, 3], false));
        assert_eq!(store.span(3, None, Some(1)), (vec![], false));
        assert_eq!(store.span(3, Some(399), None), (vec![], false));
        assert_eq!(store.span(3, None, Some(i64::MAX)), (vec![395, 397, 399], true));
        assert_eq!(store.span(3, Some(i64::MAX), None), (vec![], false));
        assert_eq!(store.span(3, Some(i64::MAX), Some(0)), (vec![], false));
    });
}

#[test]
fn receipts_are_found_by_whom_they_concern() {
    every_store(|store| {
        let receipts = |store: &mut Bench, me, after| -> Vec<(Cursor, i64)> {
            let found = store.recall.receipts(me, after).unwrap();
            assert_eq!(found.through, store.chat.newest().moved);
            found.list.into_iter().map(|r| (r.cursor, r.id.0)).collect()
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
        let (pen, mut eyes) = (database.pen().unwrap(), database.eyes().unwrap());
        let newest = eyes.newest().unwrap();
        assert_eq!(newest.entry.0, round * 2);
        let mut store = if round == 0 {
            Bench::new(Box::new(pen), Box::new(eyes))
        } else {
            Bench { chat: Chat::new(newest), record: Box::new(pen), recall: Box::new(eyes), now: 0 }
        };
        store.send(ANA, "bia", "x");
        store.advance(BIA, Cursor::Read, store.chat.newest().entry);
        store.send(BIA, "bia", "note");
    }
}

/// What was made by the first release must open for ever. `tests/store/v1.sql` is never changed.
#[test]
fn the_first_schema_still_opens() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("papo.db");
    let old = rusqlite::Connection::open(&path).unwrap();
    old.execute_batch(include_str!("store/v1.sql")).unwrap();
    old.close().unwrap();
    let database = Database::open(&path).unwrap();
    let (pen, eyes) = (database.pen().unwrap(), database.eyes().unwrap());
    let (pen, mut eyes): (Box<dyn Record>, Box<dyn Recall>) = (Box::new(pen), Box::new(eyes));
    let chat = Chat::new(eyes.newest().unwrap());
    let mut store = Bench { record: pen, recall: eyes, chat, now: 9_000_000 };
    assert_eq!(store.waiting(BIA), 1);
    assert_eq!(store.pages(BIA, true, EntryId(9)).0, [(2, "dois\nlinhas".into())]);
    assert_eq!(store.pages(ANA, false, EntryId(9)).0.len(), 3);
    let receipts = store.recall.receipts(ANA, MoveNumber(0)).unwrap().list;
    assert_eq!(receipts.len(), 1);
    assert_eq!((receipts[0].cursor, receipts[0].id), (Cursor::Read, EntryId(1)));
    assert_eq!(store.send(BIA, "ana", "4"), EntryId(4));
    store.advance(ANA, Cursor::Read, EntryId(4));
    assert_eq!(store.waiting(ANA), 0);
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

/// One step of a random conversation of two.
#[derive(Clone, Debug)]
enum Step {
    Send(bool),
    Move(bool, Cursor, u8),
    Tick,
}

fn step() -> impl Strategy<Value = Step> {
    let cursor = prop_oneof![Just(Cursor::Delivered), Just(Cursor::Read)];
    prop_oneof![
        4 => any::<bool>().prop_map(Step::Send),
        3 => (any::<bool>(), cursor, any::<u8>()).prop_map(|(who, c, id)| Step::Move(who, c, id)),
        1 => Just(Step::Tick),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Counting by arithmetic gives what counting by looking at every entry would.
    #[test]
    fn counts_are_what_a_scan_would_count(steps in prop::collection::vec(step(), 1..60)) {
        every_store(|store| {
            let mut authors = Vec::new();
            let mut delivered = [0i64; 2];
            let index = |who: bool| usize::from(who);
            for step in &steps {
                match *step {
                    Step::Tick => store.now += 1_500,
                    Step::Send(who) => {
                        let others = |d: i64| authors.iter().skip(d as usize).any(|a| *a != who);
                        if !others(delivered[index(who)]) {
                            delivered[index(who)] = authors.len() as i64 + 1;
                        }
                        let (from, to) = if who { (BIA, "ana") } else { (ANA, "bia") };
                        store.act(from, Act::Send { to: person(to), body: "x".into() });
                        authors.push(who);
                    }
                    Step::Move(who, cursor, id) => {
                        let me = if who { BIA } else { ANA };
                        let id = i64::from(id) % (authors.len() as i64 + 1);
                        store.act(me, Act::Advance { cursor, id: EntryId(id) });
                        delivered[index(who)] = delivered[index(who)].max(id);
                    }
                }
            }
            store.commit();
            for (who, me) in [(false, ANA), (true, BIA)] {
                let scan = authors.iter().skip(delivered[index(who)] as usize).filter(|a| **a != who);
                let count = scan.count();
                assert_eq!(store.waiting(me), count as u64);
                assert_eq!(store.pages(me, true, EntryId(i64::MAX)).0.len(), count);
            }
        });
    }
}
