//! What is counted of a hub and its sessions: who is there, what was recorded and pushed, and who is
//! served from the log.

use std::sync::Arc;

use crate::person::{Person, register};
use papo::chat::Act;
use papo::counters::Counters;
use papo::entry::{AccountId, Clock, EntryId, Key, Millis, SessionId};
use papo::hub::{Hub, Work};
use papo::limits;
use papo::name::{Handle, Target};
use papo::outbox::Watermark;
use papo::store::sqlite::Database;
use papo::wire::request::Events;
use smol::channel;

const ANA: AccountId = AccountId(1);

/// One more session of ana's. All that was asked before has been counted when this returns.
fn enter(hub: &Hub, number: u64, events: Events) -> Watermark {
    Person::enter_for(hub, number, ANA, Key::Password, events).1
}

fn leave(hub: &Hub, number: u64) {
    hub.ask(Work::Leave { session: SessionId(number), shown: None });
}

#[test]
fn the_hub_counts_what_it_does() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("papo.db")).unwrap();
    let counters = Arc::new(Counters::default());
    let (writer, clock) = (Box::new(database.writer().unwrap()), Clock::Still(Millis(0)));
    let (hub, thread) = Hub::start(writer, clock, counters.clone()).unwrap();
    let here = || (counters.logged_in.get(), counters.behind.get());
    let _ana = register(&hub, 1, "ana").unwrap();
    let bia = register(&hub, 2, "bia").unwrap().outbox;
    assert_eq!(here(), (2, 0));
    // Who comes in is served from the log first, unless it wants nothing.
    enter(&hub, 3, Events::All);
    assert_eq!(here(), (3, 1));
    enter(&hub, 4, Events::Quiet);
    assert_eq!(here(), (4, 1));
    leave(&hub, 3);
    leave(&hub, 4);

    // Who does not read is, too, as soon as its outbox is full.
    let body = "x".repeat(60_000);
    let room = limits::OUTBOX.div_ceil(60_000) as u64;
    let send = || Act::Send {
        to: Target::Person(Handle::new("bia").unwrap()),
        body: body.clone(),
        once: None,
    };
    for _ in 0..room + 3 {
        hub.ask(Work::Acts { session: SessionId(1), acts: vec![send()] });
        // One batch for each, so that each is pushed by itself.
        enter(&hub, 5, Events::Quiet);
        leave(&hub, 5);
    }
    let upto = enter(&hub, 6, Events::Quiet);
    assert_eq!(here(), (3, 1));
    assert_eq!(counters.messages.get(), room + 3);
    assert_eq!(counters.deliveries.get(), room);
    assert_eq!(counters.commands.get(), 2 + room + 3);
    let taken = bia.take();
    assert_eq!(taken.behind.map(|at| at.entries), Some(EntryId(room as i64)));
    let (answer, answered) = channel::bounded(1);
    hub.ask(Work::CaughtUp { session: SessionId(2), upto, answer: answer.into() });
    assert_eq!(answered.recv_blocking().unwrap(), None);
    leave(&hub, 2);
    leave(&hub, 1);
    hub.ask(Work::End);
    thread.join().unwrap();
    assert_eq!(here(), (1, 0));
    let rows = counters.rows();
    let commits = rows.iter().find(|row| row.0 == "commits").unwrap().1;
    assert!(commits >= 2 + room + 3, "each is a batch of its own: {commits}");
}
