//! Messages that expire: the keeper has the hub delete them, and their texts leave every file.

use std::fs;
use std::sync::atomic::{AtomicI64, Ordering};

use papo::chat::{Act, Order};
use papo::entry::{Clock, Cursor, EntryId};
use papo::hub::{Hub, Retention, Work};
use papo::name::Target;
use papo::store::sqlite::Database;
use papo::wire::refusal::Refusal;

use crate::person::{handle, register};

#[test]
fn what_has_expired_is_in_no_file_and_no_command_finds_it() {
    static NOW: AtomicI64 = AtomicI64::new(0);
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("papo.db")).unwrap();
    let writer = Box::new(database.writer().unwrap());
    let (hub, thread) = Hub::start(writer, Clock::Told(&NOW), Default::default()).unwrap();
    let reader = Box::new(database.reader().unwrap());
    let mut keeper = Retention::new(hub.clone(), reader, Clock::Told(&NOW), 0);
    let ana = register(&hub, 1, "ana").unwrap();
    let bia = register(&hub, 2, "bia").unwrap();
    let to = || Target::Person(handle("bia"));
    let send = |body: &str| Act::Send { to: to(), body: body.into(), once: None };
    let about = EntryId(2);
    ana.acts(&hub, vec![Act::Expire { to: to(), seconds: Some(60) }, send("the word is xyzzy")]);
    ana.acts(&hub, vec![Act::Edit { about, body: "the word is plugh".into() }]);
    bia.acts(&hub, vec![Act::React { about, word: Some("hollow".into()) }]);
    ana.acts(&hub, vec![Act::Expire { to: to(), seconds: None }, send("for good")]);
    let holds = |word: &str| {
        let files = fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().path());
        let mut files = files.filter(|path| path.is_file());
        files.any(|path| fs::read(path).unwrap().windows(word.len()).any(|w| w == word.as_bytes()))
    };
    let words = ["xyzzy", "plugh", "hollow"];
    ana.heard(&hub);
    bia.heard(&hub);
    // Not yet.
    NOW.store(59_999, Ordering::SeqCst);
    assert!(keeper.pass().unwrap());
    assert_eq!(words.map(holds), [true; 3]);
    ana.acts(&hub, vec![Act::Answer { about, body: "hm".into(), once: None }]);
    assert!(ana.heard(&hub).starts_with("OK RE 7 "));
    bia.heard(&hub);
    NOW.store(60_000, Ordering::SeqCst);
    while !keeper.pass().unwrap() {}
    assert_eq!(words.map(holds), [false; 3]);
    assert!(holds("for good"));
    // Nobody is told, and to those who act it never was, even if the hub still knows its place.
    assert_eq!([ana.heard(&hub), bia.heard(&hub)], ["", ""]);
    let body = || "x".to_owned();
    ana.acts(
        &hub,
        vec![
            Act::Answer { about, body: body(), once: None },
            Act::Edit { about, body: body() },
            Act::Delete { about },
            Act::Forward { about, to: to(), once: None },
        ],
    );
    let gone = "no-such-message 2: no message of yours has this id\n";
    let said = ["RE", "EDIT", "DEL", "FWD"].map(|verb| format!("ERR {verb} {gone}"));
    assert_eq!(ana.heard(&hub), said.concat());
    bia.acts(
        &hub,
        vec![
            Act::React { about, word: None },
            Act::Advance { cursor: Cursor::Read, id: about },
            // What the session was sent before.
            Act::AdvanceAll {
                cursor: Cursor::Read,
                ids: vec![about],
                answer: Some(about),
                lost_moves: 0,
            },
        ],
    );
    let said = ["REACT", "READ"].map(|verb| format!("ERR {verb} {gone}"));
    assert_eq!(bia.heard(&hub), format!("{}OK READ 2\n", said.concat()));
    let (answer, answered) = smol::channel::bounded(1);
    hub.ask(Work::Order { order: Order::DropMessage(about), answer: answer.into() });
    let done = answered.recv_blocking().unwrap();
    assert_eq!(done.err(), Some(Refusal::NoMessageHasId(2)));
    hub.ask(Work::End);
    thread.join().unwrap();
}
