//! A store under test, written to by the rules as the hub would.

use papo::chat::{Act, Chat, Stop, Who};
use papo::entry::{AccountId, Cursor, EntryId, Key, Millis, SessionId};
use papo::limits;
use papo::name::{DisplayName, Handle, Target};
use papo::store::{ChatRow, Expire, Indexer, Listing, Need, Reader, Walk, Writer};
use papo::wire::request::GroupChange;

/// Runs a test against a store: SQLite in tests/store, PostgreSQL in tests/postgres.
pub use crate::stores::every_store;

/// A store under test, written to by the rules as the hub would.
pub struct Bench {
    pub writer: Box<dyn Writer>,
    pub reader: Box<dyn Reader>,
    /// Fills the store's index for searching, if it has one.
    pub indexer: Option<Box<dyn Indexer>>,
    pub chat: Chat,
    pub now: i64,
}

pub const ANA: AccountId = AccountId(1);
pub const BIA: AccountId = AccountId(2);
pub const CAIO: AccountId = AccountId(3);

pub fn handle(name: &str) -> Handle {
    Handle::new(name).unwrap()
}

pub fn person(name: &str) -> Target {
    Target::Person(handle(name))
}

impl Bench {
    /// With the three accounts, if it has none.
    pub fn new(writer: Box<dyn Writer>, mut reader: Box<dyn Reader>) -> Bench {
        let chat = Chat::new(reader.newest().unwrap());
        let is_new = chat.newest().account == 0;
        let mut bench = Bench { writer, reader, indexer: None, chat, now: 1_000_000 };
        if !is_new {
            return bench;
        }
        for name in ["ana", "bia", "caio"] {
            let (handle, name) = (handle(name), DisplayName::new(name).unwrap());
            bench.decide(|chat| chat.register(&handle, &name, "hash", Millis(0)));
        }
        bench.commit();
        bench
    }

    pub fn decide<T>(&mut self, mut ask: impl FnMut(&mut Chat) -> Result<T, Stop>) -> T {
        loop {
            match ask(&mut self.chat) {
                Ok(done) => return done,
                Err(Stop::Needs(needs)) => self.look_up(&needs),
                Err(Stop::Refused(refusal)) => panic!("{refusal:?}"),
            }
        }
    }

    /// As the hub does: in the transaction that then writes.
    fn look_up(&mut self, needs: &[Need]) {
        for fact in self.writer.reader().unwrap().gather(needs, needs.len()).unwrap() {
            self.chat.directory().learn(fact);
        }
    }

    pub fn commit(&mut self) {
        let batch = self.chat.finish();
        self.writer.record(&batch.changes).unwrap();
        self.chat.committed();
    }

    pub fn act(&mut self, account: AccountId, mut act: Act) {
        let who = Who { session: SessionId(1), account, key: Key::Password, device: None };
        let now = Millis(self.now);
        self.decide(|chat| chat.decide(who, &mut act, now).map_err(Stop::Needs));
    }

    /// A group of an account and all of these, however many.
    pub fn group(&mut self, admin: AccountId, name: &str, members: &[Handle]) {
        let group = |change| Act::Group { name: handle(name), change };
        self.act(admin, group(GroupChange::New(Vec::new())));
        for some in members.chunks(limits::GROUP_NAMES) {
            self.act(admin, group(GroupChange::Add(some.to_vec())));
        }
        self.commit();
    }

    /// Forgets everything up to an entry, and deletes the rows about it.
    pub fn forget(&mut self, upto: EntryId) {
        self.commit();
        let after = self.chat.newest().floor;
        for step in [Expire::Entries { after, upto }, Expire::Rows] {
            self.chat.expire(step);
            self.commit();
        }
    }

    /// Writes and commits; returns the id.
    pub fn send(&mut self, from: AccountId, to: &str, body: &str) -> EntryId {
        self.act(from, Act::Send { to: person(to), body: body.into(), once: None });
        self.commit();
        self.chat.newest().entry
    }

    /// Indexes all that is to be indexed.
    pub fn index(&mut self) {
        while self.indexer.as_mut().is_some_and(|indexer| indexer.pass(&|_| true).unwrap()) {}
    }

    pub fn advance(&mut self, who: AccountId, cursor: Cursor, id: EntryId) {
        self.act(who, Act::Advance { cursor, id });
        self.commit();
    }

    pub fn waiting(&mut self, who: AccountId) -> u64 {
        self.reader.waiting(who, EntryId(i64::MAX)).unwrap().count
    }

    /// All rows of `CHATS`.
    pub fn chats(&mut self, me: AccountId) -> Vec<ChatRow> {
        let (mut found, mut list) = (Vec::new(), Listing::default());
        while !list.done {
            let rows;
            (rows, list) = self.reader.chats(me, list).unwrap();
            found.extend(rows);
        }
        found
    }

    /// All pages of a query, and how many there were.
    pub fn pages(
        &mut self,
        me: AccountId,
        waiting: bool,
        upto: EntryId,
    ) -> (Vec<(i64, String)>, usize) {
        let (mut seen, mut pages) = (Vec::new(), 0);
        let mut walk = Walk::new(EntryId(0), upto, waiting);
        loop {
            let from = walk.at;
            let (entries, next) = self.reader.page(me, walk, limits::PAGE_ROWS).unwrap();
            pages += 1;
            assert!(entries.len() <= limits::PAGE_ROWS);
            seen.extend(entries.into_iter().map(|e| (e.id.0, e.body.into_string())));
            if next.done {
                return (seen, pages);
            }
            assert!(next.at > from, "a page must lead on");
            walk = next;
        }
    }
}
