//! What operators say to those who still read the log.

use std::sync::Arc;

use crate::person::{Person, register};
use papo::chat::Order;
use papo::counters::Counters;
use papo::entry::{AccountId, Clock, Key, Millis};
use papo::hub::{Hub, Work};
use papo::limits;
use papo::store::sqlite::Database;
use papo::wire::request::Events;
use smol::channel;

fn say(hub: &Hub, text: &str) -> u64 {
    let (answer, answered) = channel::bounded(1);
    hub.ask(Work::Order { order: Order::Say(text.into()), answer: answer.into() });
    answered.recv_blocking().unwrap().unwrap() as u64
}

/// Everything comes once a session has read the log, up to what may wait for it.
#[test]
fn who_still_reads_the_log_hears_all_of_it_then() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("papo.db")).unwrap();
    let (writer, clock) = (Box::new(database.writer().unwrap()), Clock::Still(Millis(0)));
    let (hub, thread) = Hub::start(writer, clock, Arc::new(Counters::default())).unwrap();
    let _ana = register(&hub, 1, "ana").unwrap();
    let (late, upto) = Person::enter_for(&hub, 2, AccountId(1), Key::Password, Events::Watch);
    let long = "x".repeat(limits::LINE / 2);
    for text in ["one", "two", &long, &long, &long] {
        assert_eq!(say(&hub, text), 2);
    }
    assert_eq!(late.heard(&hub), "");
    let (answer, answered) = channel::bounded(1);
    hub.ask(Work::CaughtUp { session: late.session, upto, answer: answer.into() });
    assert_eq!(answered.recv_blocking().unwrap(), None);
    say(&hub, "three");
    let said = late.heard(&hub);
    let said: Vec<&str> = said.lines().map(|line| line.rsplit_once("Z ").unwrap().1).collect();
    assert_eq!(said, ["one", "two", &long, &long, "three"]);
    hub.ask(Work::Leave { session: late.session, shown: None });
    hub.ask(Work::End);
    thread.join().unwrap();
}
