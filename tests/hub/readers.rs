//! The readers: whoever waits for them does not wait for others, for what nobody wants any more, or
//! for what a bug has stopped.

use std::future::Future;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use crate::narrow::{Narrow, Opens};
use papo::chat::Order;
use papo::counters::Counters;
use papo::entry::{AccountId, Clock, Millis};
use papo::hub::Work;
use papo::limits;
use papo::name::Handle;
use papo::origin::Origin;
use papo::readers::{Asker, Readers, Unanswered};
use papo::store::sqlite::Database;
use papo::store::{Error, Reader};
use smol::future::poll_once;
use smol::{block_on, channel};

const CLOCK: Clock = Clock::Still(Millis(0));
/// Somebody who asks, from a place of their own.
const OTHER: Asker =
    Asker { origin: Origin::User(1), account: Some(AccountId(1_000)), logs_in: false };

/// A question that a reader has begun with, and goes on with until the gate is dropped.
struct Gate {
    _open: Sender<()>,
    answer: Pin<Box<dyn Future<Output = Result<(), Unanswered>>>>,
}

fn gate(readers: &Readers) -> Gate {
    gate_of(readers, OTHER)
}

fn gate_of(readers: &Readers, asker: Asker) -> Gate {
    let (open, opened): (_, Receiver<()>) = mpsc::channel();
    let (begin, begun) = mpsc::channel();
    let readers = readers.clone();
    let asked = async move {
        let question = move |_: &mut dyn Reader| {
            begin.send(()).unwrap();
            let _ = opened.recv();
            Ok(())
        };
        readers.ask(asker, question).await
    };
    let mut answer: Pin<Box<dyn Future<Output = _>>> = Box::pin(asked);
    assert!(block_on(poll_once(&mut answer)).is_none());
    begun.recv().unwrap();
    Gate { _open: open, answer }
}

/// What the other end says, line by line.
fn lines(socket: &TcpStream) -> impl Iterator<Item = String> + use<> {
    BufReader::new(socket.try_clone().unwrap()).lines().map(Result::unwrap)
}

#[test]
fn a_bug_ends_one_question_and_no_reader() {
    let opened = Arc::new(AtomicUsize::new(0));
    let count = opened.clone();
    // The first that are opened after a bug meet one, too.
    let mut narrow = Narrow::with_eyes(CLOCK, |open: Opens| {
        move || {
            let n = count.fetch_add(1, Ordering::SeqCst);
            assert!(n != limits::READERS + 2, "a bug");
            open()
        }
    });
    let readers = narrow.services.readers.clone();
    // Logged in before, or one of the readers that others have would be of help with that.
    let (mut client, session) = narrow.session("REG ana secret-a\n");
    let mut said = lines(&client);
    assert!(said.any(|line| line == "LIVE 0"));
    // One of the two ordinary readers is busy, so all this is the other's.
    let mut gate = gate(&readers);
    let broken = block_on(readers.ask(OTHER, |reader| -> Result<(), _> {
        reader.newest()?;
        panic!("a bug");
    }));
    assert!(matches!(broken, Err(Unanswered::Bug)), "{broken:?}");
    client.write_all(b"FIND ana\nFIND ana\n").unwrap();
    assert_eq!(
        said.take(3).collect::<Vec<_>>(),
        ["ERR FIND bug internal error; see the server's log", "USER ana online - ana", "OK FIND 1"]
    );
    assert_eq!(narrow.counters.panics.get(), 2);
    assert_eq!(opened.load(Ordering::SeqCst), limits::READERS + 4);
    drop(gate._open);
    block_on(&mut gate.answer).unwrap();
    client.write_all(b"QUIT\n").unwrap();
    session.join().unwrap();
}

#[test]
fn log_ins_have_a_reader_that_others_cannot_fill() {
    let mut narrow = Narrow::new(CLOCK);
    let readers = narrow.services.readers.clone();
    let _gates: Vec<Gate> = (0..limits::READERS).map(|_| gate(&readers)).collect();
    let (client, _session) = narrow.session("REG ana secret-a\nQUIT\n");
    let said: Vec<String> = lines(&client).skip(1).collect();
    assert_eq!(said, ["OK REG ana", "LIVE 0", "OK QUIT", "BYE quit"]);
    let (client, _session) = narrow.session("LOGIN ana secret-a\nQUIT\n");
    let said: Vec<String> = lines(&client).skip(1).collect();
    assert_eq!(said, ["OK LOGIN ana 0", "LIVE 0", "OK QUIT", "BYE quit"]);
}

#[test]
fn a_log_in_borrows_a_reader_that_nobody_can_fill() {
    let narrow = Narrow::new(CLOCK);
    let readers = narrow.services.readers.clone();
    let ask = || readers.answer_now(|reader| reader.newest().map(|newest| newest.entry.0));
    assert!(matches!(ask(), Some(Ok(0))));
    // Other questions have readers of their own, and so have logins that ask for much.
    let _others: Vec<Gate> = (0..limits::READERS).map(|_| gate(&readers)).collect();
    let login = Asker { logs_in: true, ..OTHER };
    let _login = gate_of(&readers, login);
    let mut waits = Box::pin(readers.ask(login, |_| Ok(())));
    assert!(block_on(poll_once(&mut waits)).is_none());
    assert!(matches!(ask(), Some(Ok(0))));
    // Only another small question is in its way, and that one is over soon.
    let meanwhile = readers.answer_now(|_| Ok(ask().is_none()));
    assert!(matches!(meanwhile, Some(Ok(true))));
    // Nor is one answered that turns out to be large.
    let large = |reader: &mut dyn Reader| (0..1_000).try_for_each(|_| reader.newest().map(drop));
    assert!(readers.answer_now(large).is_none());
    // A failure is left to the threads, which report it.
    let failed = readers.answer_now(|_| Err::<(), _>(Error::new("no disk")));
    assert!(failed.is_none());
    let broken = readers.answer_now(|_| -> Result<(), _> { panic!("a bug") });
    assert!(matches!(broken, Some(Err(Unanswered::Bug))));
    assert_eq!(narrow.counters.panics.get(), 1);
    assert!(ask().is_some(), "and the reader is there again");
}

#[test]
fn a_session_that_is_to_end_does_not_wait_for_its_question() {
    let mut narrow = Narrow::new(CLOCK);
    let readers = narrow.services.readers.clone();
    let gates: Vec<Gate> = (0..limits::READERS).map(|_| gate(&readers)).collect();
    // The question waits behind the gates, and the client has nothing to hear until it is ended.
    let (client, session) = narrow.session("REG ana secret-a\nWHOAMI\n");
    let mut lines = lines(&client).skip(1);
    assert_eq!(lines.next().unwrap(), "OK REG ana");
    assert_eq!(lines.next().unwrap(), "LIVE 0");
    narrow.services.roster.close();
    assert_eq!(lines.next().unwrap(), "BYE shutdown");
    drop(client);
    session.join().unwrap();
    drop(gates);
}

#[test]
fn a_session_that_is_ended_before_its_page_is_read_loses_no_receipt() {
    let mut narrow = Narrow::new(CLOCK);
    let readers = narrow.services.readers.clone();
    let (mut bob, _bobs) = narrow.session("REG bob secret-b\n");
    let mut said = lines(&bob);
    assert!(said.any(|line| line == "LIVE 0"));
    let (ana, anas) = narrow.session("REG ana secret-a\nMSG bob hi\n");
    let mut heard = lines(&ana);
    assert!(heard.any(|line| line.starts_with("OK MSG 1 ")));
    // More than is kept for a session that does not read; then a receipt, which it cannot be sent.
    for _ in 0..12 {
        writeln!(bob, "MSG ana {}", "x".repeat(60_000)).unwrap();
    }
    bob.write_all(b"READ 1\n").unwrap();
    assert!(said.any(|line| line == "OK READ 1"));
    let gates: Vec<Gate> = (0..limits::READERS).map(|_| gate(&readers)).collect();
    let ending = thread::spawn(move || heard.last());
    // It has sent what it had, and waits for the next page.
    while narrow.counters.questions.get() == 0 {
        thread::yield_now();
    }
    let (answer, kicked) = channel::bounded(1);
    narrow.hub.ask(Work::Order {
        order: Order::Kick(Handle::new("ana").unwrap()),
        answer: answer.into(),
    });
    assert_eq!(block_on(kicked.recv()).unwrap(), Ok(1));
    assert_eq!(ending.join().unwrap().unwrap(), "BYE kicked");
    anas.join().unwrap();
    drop(gates);
    let (ana, _anas) = narrow.session("LOGIN ana secret-a\nACK\nQUIT\n");
    let told: Vec<String> = lines(&ana).filter(|line| line.starts_with("READ ")).collect();
    assert_eq!(told, ["READ 1 1970-01-01T00:00:00.000Z bob ana"]);
}

#[test]
fn at_the_end_no_question_is_waited_for_that_was_not_begun() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("papo.db")).unwrap();
    let maintenance = database.maintenance();
    let open = move || Ok(Box::new(maintenance.reader()?) as Box<dyn Reader>);
    let (readers, threads) = Readers::start(open, Arc::new(Counters::default())).unwrap();
    let gates: Vec<Gate> = (0..limits::READERS).map(|_| gate(&readers)).collect();
    let asked = Arc::new(AtomicUsize::new(0));
    let ask = || {
        let (readers, asked) = (readers.clone(), asked.clone());
        let question = move |_: &mut dyn Reader| {
            asked.fetch_add(1, Ordering::SeqCst);
            Ok(())
        };
        let mut asking = Box::pin(async move { readers.ask(OTHER, question).await });
        assert!(block_on(poll_once(&mut asking)).is_none());
        asking
    };
    // A thousand sessions have asked; papod's end is theirs.
    let crowd: Vec<_> = (0..1_000).map(|_| ask()).collect();
    drop(crowd);
    drop(readers);
    drop(gates);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[test]
fn what_a_session_asked_that_has_ended_is_not_answered() {
    let narrow = Narrow::new(CLOCK);
    let readers = narrow.services.readers.clone();
    let gates: Vec<Gate> = (0..limits::READERS).map(|_| gate(&readers)).collect();
    let asked = Arc::new(AtomicUsize::new(0));
    let ask = || {
        let asked = asked.clone();
        readers.ask(OTHER, move |_| Ok(asked.fetch_add(1, Ordering::SeqCst)))
    };
    let mut gone = Box::pin(ask());
    let mut stays = Box::pin(ask());
    assert!(block_on(poll_once(&mut gone)).is_none());
    assert!(block_on(poll_once(&mut stays)).is_none());
    drop(gone);
    drop(gates);
    assert_eq!(block_on(stays).unwrap(), 0, "nothing was counted before it");
}
