//! A hub without sockets, and people who ask it for things.

use std::sync::Arc;

use papo::chat::{Act, Newcomer};
use papo::entry::{AccountId, Key, SessionId};
use papo::hub::{Entered, Hub, Work};
use papo::name::{DisplayName, Handle};
use papo::outbox::{Outbox, Outgoing, Watermark};
use papo::wire::refusal::Refusal;
use papo::wire::request::Events;
use smol::channel;

pub struct Person {
    pub session: SessionId,
    pub outbox: Arc<Outbox>,
}

pub fn handle(name: &str) -> Handle {
    Handle::new(name).unwrap()
}

pub fn register(hub: &Hub, number: u64, name: &str) -> Result<Person, Refusal> {
    let (answer, answered) = channel::bounded(1);
    let (session, outbox) = (SessionId(number), Arc::new(Outbox::default()));
    let (handle, name) = (handle(name), DisplayName::new(name).unwrap());
    let (secret, kept) = ("hash".into(), outbox.clone());
    let newcomer = Newcomer { handle, name, secret, invitation: None };
    hub.ask(Work::Register { session, newcomer, outbox: kept, answer: answer.into() });
    let entered: Result<Entered, Refusal> = answered.recv_blocking().unwrap();
    entered.map(|_| Person { session, outbox })
}

impl Person {
    pub fn acts(&self, hub: &Hub, acts: Vec<Act>) {
        hub.ask(Work::Acts { session: self.session, acts });
    }

    /// What was said since it was last asked; the hub has done all that was asked before.
    pub fn heard(&self, hub: &Hub) -> String {
        // Whoever comes in is answered after everything before it was told.
        let (answer, answered) = channel::bounded(1);
        let (session, account) = (SessionId(0), AccountId(0));
        hub.ask(Work::Enter {
            session,
            account,
            device: None,
            key: Key::Password,
            events: Events::Quiet,
            most: 0,
            secret: 0,
            outbox: Arc::default(),
            answer: answer.into(),
        });
        answered.recv_blocking().unwrap().unwrap();
        hub.ask(Work::Leave { session, shown: None });
        let lines = |item: &Outgoing| String::from_utf8(item.lines().to_vec()).unwrap();
        self.outbox.take().items.iter().map(lines).collect()
    }

    /// A further session of somebody's account, opened with this key.
    pub fn enter(hub: &Hub, number: u64, account: AccountId, key: Key) -> Person {
        Person::enter_for(hub, number, account, key, Events::Quiet).0
    }

    /// One that gets these events, and up to where it is to read the log first.
    pub fn enter_for(
        hub: &Hub,
        number: u64,
        account: AccountId,
        key: Key,
        events: Events,
    ) -> (Person, Watermark) {
        let (answer, answered) = channel::bounded(1);
        let (session, outbox) = (SessionId(number), Arc::new(Outbox::default()));
        let (most, secret, kept) = (0, 0, outbox.clone());
        hub.ask(Work::Enter {
            session,
            account,
            device: None,
            key,
            events,
            most,
            secret,
            outbox: kept,
            answer: answer.into(),
        });
        let entered = answered.recv_blocking().unwrap().unwrap();
        (Person { session, outbox }, entered.upto)
    }
}
