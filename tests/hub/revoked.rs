//! Keys that were revoked: whoever holds one can do nothing more from that moment on, not even what
//! was typed before, was not carried out yet, and would make another key.

use std::sync::Arc;

use crate::person::{Person, handle, register};
use papo::chat::{Act, Order};
use papo::entry::{AccountId, Clock, Key, Millis};
use papo::hub::{Hub, Work};
use papo::name::Target;
use papo::store::Maintenance;
use papo::store::sqlite::Database;
use papo::wire::refusal::Refusal;
use papo::wire::request::GroupChange;
use papo::wire::rows::Bye;
use smol::channel;

const ANA: AccountId = AccountId(1);
const LOGIN: &str = "need-login log in first: LOGIN <handle> <password>, or REG <handle> <password> \
                     for a new account\n";

/// A hub, and what it holds.
fn start() -> (Hub, Database, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("papo.db")).unwrap();
    let writer = Box::new(database.writer().unwrap());
    let (hub, _) = Hub::start(writer, Clock::Still(Millis(0)), Arc::default()).unwrap();
    (hub, database, folder)
}

fn new_token() -> Act {
    Act::NewToken { label: "evil".into(), token: "papo_evil".into(), hash: [7; 32], to: None }
}

fn passwd(was: &str) -> Act {
    Act::SetSecret { was: was.into(), secret: "new hash".into() }
}

fn order(hub: &Hub, order: Order) {
    let (answer, answered) = channel::bounded(1);
    hub.ask(Work::Order { order, answer: answer.into() });
    answered.recv_blocking().unwrap().unwrap();
}

fn note() -> Act {
    Act::Send { to: Target::Person(handle("ana")), body: "note".into(), once: None }
}

#[test]
fn whoever_used_the_old_password_makes_no_token_with_it() {
    let (hub, _database, _folder) = start();
    let ana = register(&hub, 1, "ana").unwrap();
    let thief = Person::enter(&hub, 2, ANA, Key::Password);
    ana.acts(&hub, vec![passwd("hash")]);
    thief.acts(&hub, vec![new_token(), note()]);
    assert_eq!(ana.heard(&hub), "OK PASSWD\n");
    assert_eq!(thief.heard(&hub), format!("ERR TOKEN {LOGIN}ERR MSG {LOGIN}"));
    assert_eq!(thief.outbox.bye(), Some(Bye::Kicked));
    ana.acts(&hub, vec![note()]);
    assert!(ana.heard(&hub).starts_with("OK MSG 1 "), "who changed it goes on");
    hub.ask(Work::End);
}

#[test]
fn an_unlinked_user_does_not_link_itself_again() {
    let (hub, _database, _folder) = start();
    let ana = register(&hub, 1, "ana").unwrap();
    ana.acts(&hub, vec![Act::Link { user: 7, on: true }]);
    let linked = Person::enter(&hub, 2, ANA, Key::User(7));
    ana.acts(&hub, vec![Act::Link { user: 7, on: false }]);
    linked.acts(&hub, vec![Act::Link { user: 7, on: true }]);
    assert_eq!(ana.heard(&hub), "OK UID LINK 7\nOK UID UNLINK 7\n");
    assert_eq!(linked.heard(&hub), format!("ERR UID {LOGIN}"));
    hub.ask(Work::End);
}

#[test]
fn who_was_kicked_says_nothing_more() {
    let (hub, _database, _folder) = start();
    let ana = register(&hub, 1, "ana").unwrap();
    order(&hub, Order::Kick(handle("ana")));
    ana.acts(&hub, vec![note()]);
    assert_eq!(ana.heard(&hub), format!("ERR MSG {LOGIN}"));
    hub.ask(Work::End);
}

#[test]
fn a_password_that_was_changed_meanwhile_is_not_changed_back() {
    let (hub, _database, _folder) = start();
    let ana = register(&hub, 1, "ana").unwrap();
    let linked = Person::enter(&hub, 2, ANA, Key::User(7));
    let rehash = |was: &str, secret: &str| {
        let (was, secret) = (was.into(), secret.into());
        Order::Rehash { account: ANA, was, secret }
    };
    order(&hub, rehash("hash", "hashed anew"));
    // Both looked at the old one before.
    linked.acts(&hub, vec![passwd("hash"), passwd("hashed anew"), passwd("hashed anew")]);
    let wrong = "ERR PASSWD wrong-secret wrong current password\n";
    assert_eq!(linked.heard(&hub), format!("{wrong}OK PASSWD\n{wrong}"));
    let (answer, answered) = channel::bounded(1);
    hub.ask(Work::Order { order: rehash("hashed anew", "another"), answer: answer.into() });
    assert_eq!(answered.recv_blocking().unwrap(), Err(Refusal::WrongOld));
    drop(ana);
    // An operator's password ends whoever got in by a link, too, whose acts were under way.
    order(&hub, Order::SetSecret { handle: handle("ana"), secret: "the operator's".into() });
    linked.acts(&hub, vec![passwd("new hash"), Act::Link { user: 8, on: true }]);
    assert_eq!(linked.heard(&hub), format!("ERR PASSWD {LOGIN}ERR UID {LOGIN}"));
    hub.ask(Work::End);
}

#[test]
fn an_ended_account_leaves_also_what_it_has_just_come_into() {
    let (hub, database, _folder) = start();
    let ana = register(&hub, 1, "ana").unwrap();
    let bob = register(&hub, 2, "bob").unwrap();
    // Whether or not they share a batch, and some of them do.
    for n in 0..50 {
        let name = handle(&format!("own{n}"));
        ana.acts(&hub, vec![Act::Group { name, change: GroupChange::New(Vec::new()) }]);
    }
    let change = GroupChange::New(vec![handle("ana")]);
    bob.acts(&hub, vec![Act::Group { name: handle("team"), change }]);
    order(&hub, Order::DropUser(handle("ana")));
    ana.acts(&hub, vec![Act::Group { name: handle("late"), change: GroupChange::New(Vec::new()) }]);
    assert!(ana.heard(&hub).ends_with(&format!("ERR GROUP {LOGIN}")));
    assert_eq!(database.maintenance().check().unwrap(), [""; 0], "nobody who is gone is in");
    hub.ask(Work::End);
}
