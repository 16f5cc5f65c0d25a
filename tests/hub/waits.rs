//! `WAIT` counts: whoever comes to the entry, leaves, or is added again changes by one how many are
//! awaited, whatever else shares the batch.

use std::sync::Arc;

use crate::person::{Person, handle, register};
use papo::chat::Act;
use papo::entry::{Clock, Condition, Cursor, EntryId, Millis};
use papo::hub::{Hub, Work};
use papo::name::Target;
use papo::store::sqlite::Database;
use papo::wire::request::GroupChange;

struct House {
    hub: Hub,
    people: Vec<Person>,
    _database: Database,
    _folder: tempfile::TempDir,
}

/// Ana, Bia, Caio and Dora.
fn house() -> House {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("papo.db")).unwrap();
    let writer = Box::new(database.writer().unwrap());
    let (hub, _) = Hub::start(writer, Clock::Still(Millis(0)), Arc::default()).unwrap();
    let names = ["ana", "bia", "caio", "dora"];
    let people = (1..).zip(names).map(|(n, name)| register(&hub, n, name).unwrap()).collect();
    House { hub, people, _database: database, _folder: folder }
}

impl House {
    fn acts(&self, who: usize, acts: Vec<Act>) {
        self.people[who].acts(&self.hub, acts);
    }

    fn group(&self, who: usize, change: GroupChange) {
        self.acts(who, vec![Act::Group { name: handle("team"), change }]);
    }

    fn moves(&self, who: usize, cursor: Cursor, id: i64) {
        self.acts(who, vec![Act::Advance { cursor, id: EntryId(id) }]);
    }

    /// Another session of Ana's waits for what she wrote.
    fn wait(&self, id: i64, cursor: Cursor) {
        self.hub.ask(Work::Watch {
            session: self.people[0].session,
            id: EntryId(id),
            until: Condition::Reached(cursor),
        });
    }

    /// What Ana heard of her waiting, if it is over.
    fn waited(&self) -> Option<String> {
        let heard = self.people[0].heard(&self.hub);
        heard.lines().find(|line| line.contains(" WAIT ")).map(str::to_owned)
    }

    fn say(&self, to: Target) {
        self.acts(0, vec![Act::Send { to, body: "hello".into(), once: None }]);
    }
}

fn team() -> Target {
    Target::Group(handle("team"))
}

fn all() -> GroupChange {
    GroupChange::New(vec![handle("bia"), handle("caio"), handle("dora")])
}

#[test]
fn each_who_comes_or_goes_counts_once() {
    let house = house();
    house.group(0, all());
    house.say(team());
    house.moves(1, Cursor::Read, 2);
    house.wait(2, Cursor::Read);
    assert_eq!(house.waited(), None);
    // She has read it already, so that she leaves changes nothing; and so do a receipt that says
    // less, and a second one.
    house.group(1, GroupChange::Leave);
    house.moves(2, Cursor::Delivered, 2);
    house.moves(2, Cursor::Read, 1);
    house.moves(2, Cursor::Read, 2);
    house.moves(2, Cursor::Read, 3);
    assert_eq!(house.waited(), None);
    house.group(0, GroupChange::Remove(handle("dora")));
    assert_eq!(house.waited(), Some("OK WAIT 2 read".into()));
    house.hub.ask(Work::End);
}

#[test]
fn one_who_comes_back_unread_is_awaited_again() {
    let house = house();
    house.group(0, all());
    house.say(team());
    house.wait(2, Cursor::Read);
    house.moves(1, Cursor::Read, 2);
    house.group(2, GroupChange::Leave);
    // Out of the group, it is read all the same: that counts no second time.
    house.moves(2, Cursor::Read, 2);
    house.group(0, GroupChange::Add(vec![handle("caio")]));
    house.group(3, GroupChange::Leave);
    house.group(0, GroupChange::Add(vec![handle("dora")]));
    assert_eq!(house.waited(), None, "dora has not read it");
    house.moves(3, Cursor::Read, 2);
    assert_eq!(house.waited(), Some("OK WAIT 2 read".into()));
    house.hub.ask(Work::End);
}

#[test]
fn what_a_batch_did_before_the_wait_is_counted_once() {
    let house = house();
    house.group(0, all());
    house.say(team());
    // Whether or not they share a batch, and some of them do.
    for round in 0..30 {
        let id = 2 + round;
        house.moves(1, Cursor::Read, id);
        house.moves(2, Cursor::Delivered, id);
        house.wait(id, Cursor::Delivered);
        house.moves(2, Cursor::Read, id);
        assert_eq!(house.waited(), None, "dora has not received {id}");
        house.moves(3, Cursor::Delivered, id);
        assert_eq!(house.waited(), Some(format!("OK WAIT {id} delivered")));
        house.say(team());
    }
    house.hub.ask(Work::End);
}

#[test]
fn what_a_block_hid_is_made_up_for_by_the_next_receipt() {
    let house = house();
    let bia = || Target::Person(handle("bia"));
    house.say(bia());
    house.acts(1, vec![Act::Block { whom: handle("ana"), on: true }]);
    house.moves(1, Cursor::Read, 1);
    house.wait(1, Cursor::Read);
    assert_eq!(house.waited(), None);
    house.acts(1, vec![Act::Block { whom: handle("ana"), on: false }]);
    house.say(bia());
    assert_eq!(house.waited(), None, "nothing has moved since");
    house.moves(1, Cursor::Delivered, 2);
    assert_eq!(house.waited(), Some("OK WAIT 1 read".into()));
    house.hub.ask(Work::End);
}
