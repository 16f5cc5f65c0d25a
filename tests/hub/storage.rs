//! A disk that fails: everyone in the batch is told `storage`, nobody is shown anything, nothing is
//! half kept, and the hub goes on as soon as writing works again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use crate::later::at;
use crate::person::{Person, handle, register};
use papo::chat::Act;
use papo::counters::{Count, Counters};
use papo::entry::{AccountId, Clock, Cursor, EntryId, Key, Millis, MoveNumber, TokenId};
use papo::hub::{Hub, Work};
use papo::name::Target;
use papo::store::sqlite::{Database, SqliteWriter};
use papo::store::{Cause, Change, Error, Expire, Reader, Writer};
use papo::wire::refusal::Refusal;
use smol::channel;

/// A writer whose disk can be taken away.
struct Faulty {
    writer: SqliteWriter,
    broken: Arc<AtomicBool>,
}

impl Writer for Faulty {
    fn record(&mut self, changes: &[Change]) -> Result<(), Error> {
        if self.broken.load(Ordering::SeqCst) {
            // What was looked up for the batch ends with it.
            self.writer.record(&[])?;
            return Err(Error::new("no space left on device"));
        }
        self.writer.record(changes)
    }

    fn reader(&mut self) -> Result<&mut dyn Reader, Error> {
        self.writer.reader()
    }
}

fn send(to: &str, body: &str) -> Act {
    Act::Send { to: Target::Person(handle(to)), body: body.into(), once: None }
}

#[test]
fn a_failed_commit_is_told_to_everyone_and_shown_to_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("papo.db")).unwrap();
    let broken = Arc::new(AtomicBool::new(false));
    let writer = Faulty { writer: database.writer().unwrap(), broken: broken.clone() };
    let clock = Clock::Still(Millis(0));
    let counters = Arc::new(Counters::default());
    let (hub, thread) = Hub::start(Box::new(writer), clock, counters.clone()).unwrap();
    let ana = register(&hub, 1, "ana").unwrap();
    let bia = register(&hub, 2, "bia").unwrap();
    ana.acts(&hub, vec![send("bia", "one")]);
    assert_eq!(ana.heard(&hub), "OK MSG 1 1970-01-01T00:00:00.000Z\n");
    assert_eq!(bia.heard(&hub), "MSG 1 1970-01-01T00:00:00.000Z ana bia - one\n");

    broken.store(true, Ordering::SeqCst);
    let lost = "storage the server cannot write to disk; nothing was saved, try again later";
    ana.acts(&hub, vec![send("bia", "two"), send("nobody", "x"), send("ana", "note")]);
    bia.acts(&hub, vec![Act::Advance { cursor: Cursor::Read, id: EntryId(1) }]);
    // Nobody of that name, as far as was decided: but a refusal may rest on what was not kept.
    assert_eq!(ana.heard(&hub), format!("ERR MSG {lost}\n").repeat(3));
    assert_eq!(bia.heard(&hub), format!("ERR READ {lost}\n"));
    assert_eq!(register(&hub, 3, "caio").err(), Some(Refusal::Storage));
    assert!(counters.commits_failed.get() >= 2);
    assert_eq!((counters.messages.get(), counters.receipts.get()), (1, 0), "nothing was kept");

    broken.store(false, Ordering::SeqCst);
    let caio = register(&hub, 4, "caio").unwrap();
    bia.acts(&hub, vec![Act::Advance { cursor: Cursor::Read, id: EntryId(1) }]);
    caio.acts(&hub, vec![send("bia", "three")]);
    assert_eq!(caio.heard(&hub), "OK MSG 2 1970-01-01T00:00:00.000Z\n");
    assert_eq!(ana.heard(&hub), "READ 1 1970-01-01T00:00:00.000Z bia ana\n");
    let said = bia.heard(&hub);
    assert_eq!(said, "OK READ 1\nMSG 2 1970-01-01T00:00:00.000Z caio bia - three\n");
    hub.ask(Work::End);
    thread.join().unwrap();
    let counted = [&counters.messages, &counters.deliveries, &counters.receipts];
    assert_eq!(counted.map(Count::get), [2, 2, 1]);
    assert_eq!((counters.logged_in.get(), counters.behind.get()), (3, 0));
}

/// What is due stays, is told to nobody before it is on disk, and is done once.
#[test]
fn what_is_due_waits_for_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("papo.db")).unwrap();
    let broken = Arc::new(AtomicBool::new(false));
    let writer = Faulty { writer: database.writer().unwrap(), broken: broken.clone() };
    let counters = Arc::new(Counters::default());
    static NOW: AtomicI64 = AtomicI64::new(0);
    let (hub, thread) = Hub::start(Box::new(writer), Clock::Told(&NOW), counters.clone()).unwrap();
    let ana = register(&hub, 1, "ana").unwrap();
    ana.acts(&hub, vec![at("AT +1 MSG ana one"), at("AT +1 MSG ana two")]);
    ana.heard(&hub);
    broken.store(true, Ordering::SeqCst);
    ana.acts(&hub, vec![at("AT +0 MSG ana three")]);
    assert!(ana.heard(&hub).starts_with("ERR AT storage "));
    NOW.store(1_000, Ordering::SeqCst);
    let failed = counters.commits_failed.get();
    while counters.commits_failed.get() == failed {
        assert_eq!(ana.heard(&hub), "");
    }
    broken.store(false, Ordering::SeqCst);
    let mut heard = String::new();
    while heard.is_empty() {
        heard = ana.heard(&hub);
    }
    let want = "MSG 1 1970-01-01T00:00:01.000Z ana ana late=1 one\n\
                MSG 2 1970-01-01T00:00:01.000Z ana ana late=2 two\n";
    assert_eq!(heard, want);
    hub.ask(Work::End);
    thread.join().unwrap();
}

/// A bare `ACK` covers what it was about until it fails: then the next one covers that again, and one
/// that was on its way already and relied on it fails as well, in whichever batch it is.
#[test]
fn a_bare_ack_that_was_not_kept_takes_those_after_it_along() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("papo.db")).unwrap();
    let broken = Arc::new(AtomicBool::new(false));
    let writer = Faulty { writer: database.writer().unwrap(), broken: broken.clone() };
    let (hub, thread) =
        Hub::start(Box::new(writer), Clock::Still(Millis(0)), Arc::default()).unwrap();
    let ana = register(&hub, 1, "ana").unwrap();
    let bia = register(&hub, 2, "bia").unwrap();
    ana.acts(&hub, vec![send("bia", "one")]);
    bia.heard(&hub);
    let bare = |ids: &[i64], answer: Option<i64>, lost_moves| {
        let ids = ids.iter().copied().map(EntryId).collect();
        let (cursor, answer) = (Cursor::Delivered, answer.map(EntryId));
        let acts = vec![Act::AdvanceAll { cursor, ids, answer, lost_moves }];
        bia.acts(&hub, acts);
    };
    broken.store(true, Ordering::SeqCst);
    bare(&[1], Some(1), 0);
    assert!(bia.heard(&hub).starts_with("ERR ACK storage "));
    assert_eq!(bia.outbox.lost_moves(), 1);
    broken.store(false, Ordering::SeqCst);
    // Its session did not know of the failure yet.
    bare(&[], Some(1), 0);
    assert!(bia.heard(&hub).starts_with("ERR ACK storage "));
    bare(&[1], Some(1), 1);
    assert_eq!(bia.heard(&hub), "OK ACK 1\n");
    assert_eq!(ana.heard(&hub).lines().last(), Some("ACK 1 1970-01-01T00:00:00.000Z bia ana"));

    // What the session does of its own accord has no answer, and fails in the same way.
    ana.acts(&hub, vec![send("bia", "two")]);
    bia.heard(&hub);
    broken.store(true, Ordering::SeqCst);
    bare(&[2], None, 1);
    assert_eq!(bia.heard(&hub), "");
    assert_eq!(bia.outbox.lost_moves(), 2);
    broken.store(false, Ordering::SeqCst);
    bare(&[2], None, 1);
    ana.heard(&hub);
    bare(&[2], None, 2);
    assert_eq!(bia.heard(&hub), "");
    assert_eq!(ana.heard(&hub), "ACK 2 1970-01-01T00:00:00.000Z bia ana\n");
    hub.ask(Work::End);
    thread.join().unwrap();
}

/// When a session ended, and what its account was shown, is written once the disk works again.
#[test]
fn what_nobody_is_answered_for_is_written_later() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("papo.db")).unwrap();
    let broken = Arc::new(AtomicBool::new(false));
    let writer = Faulty { writer: database.writer().unwrap(), broken: broken.clone() };
    let (hub, thread) =
        Hub::start(Box::new(writer), Clock::Still(Millis(7)), Arc::default()).unwrap();
    let ana = register(&hub, 1, "ana").unwrap();
    let bia = register(&hub, 2, "bia").unwrap();
    ana.acts(&hub, vec![send("bia", "one")]);
    bia.acts(&hub, vec![Act::Advance { cursor: Cursor::Read, id: EntryId(1) }]);
    bia.heard(&hub);
    let (label, token, hash, to) = ("desk".into(), "token".into(), [1; 32], None);
    bia.acts(&hub, vec![Act::NewToken { label, token, hash, to }]);
    bia.heard(&hub);
    broken.store(true, Ordering::SeqCst);
    hub.ask(Work::Leave { session: ana.session, shown: None });
    hub.ask(Work::Used(TokenId(1)));
    bia.acts(&hub, vec![send("ana", "lost")]);
    assert!(bia.heard(&hub).starts_with("ERR MSG storage "));
    broken.store(false, Ordering::SeqCst);
    bia.acts(&hub, vec![send("ana", "kept")]);
    assert!(bia.heard(&hub).starts_with("OK MSG 2 "));
    let mut reader = database.reader().unwrap();
    let known = reader.account_by_id(AccountId(1)).unwrap().unwrap();
    assert_eq!((known.shown, known.seen), (MoveNumber(1), Some(Millis(7))));
    assert_eq!(reader.tokens(AccountId(2)).unwrap()[0].used, Some(Millis(7)));
    hub.ask(Work::End);
    thread.join().unwrap();
}

#[test]
fn what_cannot_be_written_is_not_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("papo.db")).unwrap();
    let broken = Arc::new(AtomicBool::new(false));
    let writer = Faulty { writer: database.writer().unwrap(), broken: broken.clone() };
    let (hub, thread) =
        Hub::start(Box::new(writer), Clock::Still(Millis(0)), Arc::default()).unwrap();
    let ana = register(&hub, 1, "ana").unwrap();
    let notes = || vec![send("ana", "one"), send("ana", "two")];
    ana.acts(&hub, notes());
    ana.heard(&hub);
    let step = Expire::Entries { after: EntryId(0), upto: EntryId(1) };
    let forget = || {
        let (answer, answered) = channel::bounded(1);
        hub.ask(Work::Expire { step: step.clone(), answer: answer.into() });
        answered.recv_blocking().unwrap()
    };
    let read = |id| {
        ana.acts(&hub, vec![Act::Advance { cursor: Cursor::Read, id: EntryId(id) }]);
        ana.heard(&hub)
    };
    broken.store(true, Ordering::SeqCst);
    assert!(!forget());
    broken.store(false, Ordering::SeqCst);
    assert_eq!(read(1), "OK READ 1\n");
    assert!(forget());
    assert!(read(1).starts_with("ERR READ no-such-message "));
    assert_eq!(read(2), "OK READ 2\n");
    hub.ask(Work::End);
    thread.join().unwrap();
}

#[test]
fn whose_key_would_have_become_void_goes_on_where_that_was_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("papo.db")).unwrap();
    let broken = Arc::new(AtomicBool::new(false));
    let writer = Faulty { writer: database.writer().unwrap(), broken: broken.clone() };
    let clock = Clock::Still(Millis(0));
    let (hub, thread) = Hub::start(Box::new(writer), clock, Arc::default()).unwrap();
    let ana = register(&hub, 1, "ana").unwrap();
    let other = Person::enter(&hub, 2, AccountId(1), Key::Password);
    broken.store(true, Ordering::SeqCst);
    // What the other one asks for in the same batch is not refused for that either.
    ana.acts(&hub, vec![Act::SetSecret { was: "hash".into(), secret: "new".into() }]);
    other.acts(&hub, vec![send("ana", "at once")]);
    assert!(ana.heard(&hub).starts_with("ERR PASSWD storage "));
    assert!(other.heard(&hub).starts_with("ERR MSG storage "));
    broken.store(false, Ordering::SeqCst);
    other.acts(&hub, vec![send("ana", "still here")]);
    assert_eq!(other.heard(&hub), "OK MSG 1 1970-01-01T00:00:00.000Z\n");
    assert_eq!(other.outbox.bye(), None);
    hub.ask(Work::End);
    thread.join().unwrap();
}

/// A store that somebody else has taken over, or of which nobody knows what it has written: not
/// even a login is answered, which has nothing to write.
#[test]
fn a_store_that_is_over_ends_the_hub_without_an_answer() {
    struct Over(SqliteWriter, bool);
    impl Writer for Over {
        fn record(&mut self, changes: &[Change]) -> Result<(), Error> {
            self.0.record(changes)?;
            // The first is the hub's, as it starts.
            match std::mem::replace(&mut self.1, true) {
                false => Ok(()),
                true => Err(Error::of(Cause::Over, "for this test")),
            }
        }
        fn reader(&mut self) -> Result<&mut dyn Reader, Error> {
            self.0.reader()
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("papo.db")).unwrap();
    let writer = Box::new(Over(database.writer().unwrap(), false));
    let (hub, thread) = Hub::start(writer, Clock::Still(Millis(0)), Arc::default()).unwrap();
    let (answer, answered) = channel::bounded(1);
    hub.ask(Work::Online { accounts: vec![AccountId(1)], answer: answer.into() });
    assert!(answered.recv_blocking().is_err());
    thread.join().unwrap();
}

/// Whose fault it is decides what a client is told, and what it can do.
#[test]
fn a_client_is_told_what_kind_of_failure_it_was() {
    struct Failing(SqliteWriter, Cause);
    impl Writer for Failing {
        fn record(&mut self, changes: &[Change]) -> Result<(), Error> {
            self.0.record(&[])?;
            if changes.is_empty() { Ok(()) } else { Err(Error::of(self.1, "for this test")) }
        }
        fn reader(&mut self) -> Result<&mut dyn Reader, Error> {
            self.0.reader()
        }
    }
    for (cause, told) in [
        (
            Cause::Disk,
            "storage the server cannot write to disk; nothing was saved, try again later",
        ),
        (
            Cause::Busy,
            "storage another program holds the server's database; nothing was saved, try again later",
        ),
        (
            Cause::Damaged,
            "storage the server's database is damaged or gone, and its operator has to repair it; nothing was saved",
        ),
        (
            Cause::Gone,
            "storage the server's database is damaged or gone, and its operator has to repair it; nothing was saved",
        ),
        (Cause::Bug, "bug internal error; see the server's log"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("papo.db")).unwrap();
        let mut writer = database.writer().unwrap();
        let clock = Clock::Still(Millis(0));
        let (hub, thread) = Hub::start(Box::new(writer), clock, Arc::default()).unwrap();
        register(&hub, 1, "ana").unwrap();
        hub.ask(Work::End);
        thread.join().unwrap();
        writer = database.writer().unwrap();
        let (hub, thread) =
            Hub::start(Box::new(Failing(writer, cause)), clock, Arc::default()).unwrap();
        let ana = Person::enter(&hub, 2, AccountId(1), Key::Password);
        ana.acts(&hub, vec![send("ana", "note")]);
        assert_eq!(ana.heard(&hub), format!("ERR MSG {told}\n"));
        hub.ask(Work::End);
        thread.join().unwrap();
    }
}
