//! Commands for later: in the order in which they are due, each once, whatever happens meanwhile, and
//! without keeping others waiting.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::person::{Person, handle, register};
use papo::chat::{Act, Order};
use papo::entry::{AccountId, Clock, Cursor, EntryId};
use papo::hub::{Hub, Work};
use papo::limits;
use papo::name::Target;
use papo::store::sqlite::Database;
use papo::store::{Reader, Walk};
use papo::wire::help;
use papo::wire::request::{ActCommand, Command, Which, first_word};

/// The act of a line with `AT` or `UNLESS`.
pub fn at(line: &str) -> Act {
    let verb = help::verb(first_word(line)).unwrap();
    match help::read(verb, line).unwrap().command {
        Command::Act(ActCommand::Schedule { due, unless, later }) => {
            let unless = unless.map(|(which, until)| match which {
                Which::Id(id) => (id, until),
                Which::Last => unreachable!("no session has sent anything"),
            });
            Act::schedule(due, unless, &later, None).unwrap()
        }
        other => unreachable!("{other:?}"),
    }
}

fn send(to: &str, body: &str) -> Act {
    Act::Send { to: Target::Person(handle(to)), body: body.into(), once: None }
}

/// All texts that an account may see, in the order of their ids.
fn texts(reader: &mut dyn Reader, account: AccountId) -> Vec<String> {
    let newest = reader.newest().unwrap().entry;
    let mut walk = Walk::new(EntryId(0), newest, false);
    let mut texts = Vec::new();
    while !walk.done {
        let rows;
        (rows, walk) = reader.page(account, walk, limits::PAGE_ROWS).unwrap();
        texts.extend(rows.into_iter().map(|row| row.body.into_string()));
    }
    texts
}

#[test]
fn what_is_due_is_done_in_order_and_at_its_time() {
    static NOW: AtomicI64 = AtomicI64::new(0);
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("papo.db")).unwrap();
    let writer = Box::new(database.writer().unwrap());
    let (hub, thread) = Hub::start(writer, Clock::Told(&NOW), Default::default()).unwrap();
    let ana = register(&hub, 1, "ana").unwrap();
    let bia = register(&hub, 2, "bia").unwrap();
    let lines = ["AT +60 MSG bia three", "AT +30 MSG bia one", "AT +30 MSG bia two"];
    ana.acts(&hub, lines.map(at).into());
    bia.acts(&hub, vec![at("AT +90 MSG ana four")]);
    ana.heard(&hub);
    bia.heard(&hub);
    NOW.store(29_999, Ordering::SeqCst);
    assert_eq!(bia.heard(&hub), "");
    NOW.store(30_000, Ordering::SeqCst);
    let want = "MSG 1 1970-01-01T00:00:30.000Z ana bia late=2 one\n\
                MSG 2 1970-01-01T00:00:30.000Z ana bia late=3 two\n";
    assert_eq!([ana.heard(&hub), bia.heard(&hub)], [want, want]);
    // Long after all that was left, and in the order in which it was due.
    NOW.store(600_000, Ordering::SeqCst);
    let want = "MSG 3 1970-01-01T00:10:00.000Z ana bia late=1 three\n\
                MSG 4 1970-01-01T00:10:00.000Z bia ana late=1 four\n";
    assert_eq!([ana.heard(&hub), bia.heard(&hub)], [want, want]);
    hub.ask(Work::End);
    thread.join().unwrap();
}

/// What a disabled account has put off comes back to it when it is due.
#[test]
fn what_a_disabled_account_put_off_comes_back() {
    static NOW: AtomicI64 = AtomicI64::new(0);
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("papo.db")).unwrap();
    let writer = Box::new(database.writer().unwrap());
    let (hub, thread) = Hub::start(writer, Clock::Told(&NOW), Default::default()).unwrap();
    let ana = register(&hub, 1, "ana").unwrap();
    let bia = register(&hub, 2, "bia").unwrap();
    ana.acts(&hub, vec![at("AT +30 MSG bia one"), at("AT +90 MSG bia two")]);
    ana.heard(&hub);
    let enable = |on| {
        let (answer, answered) = smol::channel::bounded(1);
        let order = Order::Enable { handle: handle("ana"), on };
        hub.ask(Work::Order { order, answer: answer.into() });
        answered.recv_blocking().unwrap().unwrap();
    };
    enable(false);
    NOW.store(60_000, Ordering::SeqCst);
    assert_eq!(bia.heard(&hub), "");
    enable(true);
    NOW.store(90_000, Ordering::SeqCst);
    let want = "MSG 2 1970-01-01T00:01:30.000Z ana bia late=2 two\n";
    assert_eq!(bia.heard(&hub), want);
    let mut reader = database.reader().unwrap();
    let account = reader.account(&handle("ana")).unwrap().unwrap().id;
    let said = "not sent: ERR MSG not-allowed this account is disabled; ask whoever runs this \
                server: MSG bia one";
    assert_eq!(texts(&mut reader, account), [said, "two"]);
    hub.ask(Work::End);
    thread.join().unwrap();
}

#[test]
fn what_fell_due_meanwhile_is_done_at_the_start() {
    static NOW: AtomicI64 = AtomicI64::new(0);
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("papo.db")).unwrap();
    let start = || {
        let writer = Box::new(database.writer().unwrap());
        Hub::start(writer, Clock::Told(&NOW), Default::default()).unwrap()
    };
    let (hub, thread) = start();
    let ana = register(&hub, 1, "ana").unwrap();
    register(&hub, 2, "bia").unwrap();
    let lines = [
        "AT +60 MSG bia two",
        "AT +30 MSG bia one",
        "AT +90 MSG bia three",
        "AT +600 MSG bia four",
    ];
    ana.acts(&hub, lines.map(at).into());
    ana.heard(&hub);
    hub.ask(Work::End);
    thread.join().unwrap();
    let mut reader = database.reader().unwrap();
    let account = reader.account(&handle("ana")).unwrap().unwrap().id;
    assert_eq!(texts(&mut reader, account), [""; 0], "an end carries nothing out");
    NOW.store(90_000, Ordering::SeqCst);
    let (hub, thread) = start();
    // Before whoever comes first.
    let caio = register(&hub, 3, "caio").unwrap();
    caio.acts(&hub, vec![send("ana", "hello")]);
    caio.heard(&hub);
    assert_eq!(texts(&mut reader, account), ["one", "two", "three", "hello"]);
    assert_eq!(reader.later(account).unwrap().len(), 1);
    hub.ask(Work::End);
    thread.join().unwrap();
}

#[test]
fn many_that_are_due_at_once_keep_nobody_waiting() {
    static NOW: AtomicI64 = AtomicI64::new(0);
    const ACCOUNTS: usize = 100;
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("papo.db")).unwrap();
    let writer = Box::new(database.writer().unwrap());
    let (hub, thread) = Hub::start(writer, Clock::Told(&NOW), Default::default()).unwrap();
    let people: Vec<Person> =
        (0..ACCOUNTS).map(|n| register(&hub, n as u64 + 1, &format!("user{n}")).unwrap()).collect();
    let other = register(&hub, ACCOUNTS as u64 + 1, "other").unwrap();
    for (n, person) in people.iter().enumerate() {
        let acts = (0..limits::LATER).map(|_| at(&format!("AT +60 MSG user{n} tea")));
        person.acts(&hub, acts.collect());
        // One too many.
        person.acts(&hub, vec![at("AT +60 MSG other tea")]);
        let last = person.heard(&hub).lines().last().map(str::to_owned).unwrap();
        assert_eq!(last, "ERR AT too-many too many commands waiting; AT shows them");
    }
    NOW.store(60_000, Ordering::SeqCst);
    let done = || {
        let heard = |person: &Person| person.heard(&hub).matches(" late=").count();
        people.iter().map(heard).sum::<usize>()
    };
    other.acts(&hub, vec![send("other", "hello")]);
    assert_eq!(other.heard(&hub).matches("OK MSG ").count(), 1);
    let mut reader = database.reader().unwrap();
    let left = reader.next_due(usize::MAX).unwrap().len();
    assert!(left > 0, "it was served before all that was due");
    let mut sum = 0;
    while sum < ACCOUNTS * limits::LATER {
        sum += done();
    }
    assert_eq!((sum, done()), (ACCOUNTS * limits::LATER, 0), "each once");
    assert!(reader.next_due(1).unwrap().is_empty());
    hub.ask(Work::End);
    thread.join().unwrap();
}

/// What it takes to do them is more than a batch looks up.
#[test]
fn long_texts_that_are_due_are_done_as_well() {
    static NOW: AtomicI64 = AtomicI64::new(0);
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("papo.db")).unwrap();
    let writer = Box::new(database.writer().unwrap());
    let (hub, thread) = Hub::start(writer, Clock::Told(&NOW), Default::default()).unwrap();
    let ana = register(&hub, 1, "ana").unwrap();
    let count = 3 * limits::LOOKED_UP / 60_000;
    for n in 1..=count {
        ana.acts(&hub, vec![send("ana", &format!("{n} {}", "x".repeat(60_000)))]);
    }
    let mut reader = database.reader().unwrap();
    while reader.newest().unwrap().entry < EntryId(count as i64) {
        ana.heard(&hub);
    }
    ana.acts(&hub, (1..=count).map(|n| at(&format!("AT +60 FWD {n} ana"))).collect());
    ana.heard(&hub);
    while reader.next_due(usize::MAX).unwrap().len() < count {
        ana.heard(&hub);
    }
    NOW.store(60_000, Ordering::SeqCst);
    while !reader.next_due(1).unwrap().is_empty() {
        ana.heard(&hub);
    }
    let account = reader.account(&handle("ana")).unwrap().unwrap().id;
    let texts = texts(&mut reader, account);
    let (said, late) = texts.split_at(count);
    assert_eq!(said, late, "in order, each once");
    hub.ask(Work::End);
    thread.join().unwrap();
}

#[test]
fn what_is_refused_by_then_comes_back_as_a_message() {
    static NOW: AtomicI64 = AtomicI64::new(0);
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("papo.db")).unwrap();
    let writer = Box::new(database.writer().unwrap());
    let (hub, thread) = Hub::start(writer, Clock::Told(&NOW), Default::default()).unwrap();
    let ana = register(&hub, 1, "ana").unwrap();
    let bia = register(&hub, 2, "bia").unwrap();
    ana.acts(&hub, vec![send("bia", "one"), send("bia", "two")]);
    let lines = [
        r"AT +60 RE 1 C:\temp\nnext",
        "AT +60 ONCE k FWD 2 bia",
        "UNLESS 1 read 60 MSG bia deleted",
        "UNLESS 2 read 60 MSG bia unread",
        "UNLESS 2 delivered 60 MSG bia not received",
        "UNLESS 2 answered 60 MSG bia not answered",
    ];
    ana.acts(&hub, lines.map(at).into());
    ana.acts(&hub, vec![Act::Delete { about: EntryId(1) }]);
    bia.acts(&hub, vec![Act::Advance { cursor: Cursor::Delivered, id: EntryId(2) }]);
    bia.acts(&hub, vec![Act::Block { whom: handle("ana"), on: true }]);
    ana.heard(&hub);
    bia.heard(&hub);
    NOW.store(60_000, Ordering::SeqCst);
    let heard = ana.heard(&hub);
    let blocked = "ERR MSG blocked bia does not accept messages from you";
    let want = [
        r"late=1 not sent: ERR RE no-such-message 1: this message was deleted: RE 1 C:\\temp\nnext",
        "late=2 not sent: ERR ONCE blocked bia does not accept messages from you: ONCE k FWD 2 bia",
        // Since the block, ana does not learn what bia has received.
        &format!("late=4 not sent: {blocked}: MSG bia unread"),
        &format!("late=5 not sent: {blocked}: MSG bia not received"),
        &format!("late=6 not sent: {blocked}: MSG bia not answered"),
    ];
    let heard: Vec<&str> =
        heard.lines().map(|line| line.split_once("ana ana ").unwrap().1).collect();
    assert_eq!(heard, want);
    assert_eq!(bia.heard(&hub), "");
    hub.ask(Work::End);
    thread.join().unwrap();
}

/// Each condition, come about in time and not.
#[test]
fn unless_acts_only_if_it_did_not_come_about() {
    static NOW: AtomicI64 = AtomicI64::new(0);
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("papo.db")).unwrap();
    let writer = Box::new(database.writer().unwrap());
    let (hub, thread) = Hub::start(writer, Clock::Told(&NOW), Default::default()).unwrap();
    let ana = register(&hub, 1, "ana").unwrap();
    let bia = register(&hub, 2, "bia").unwrap();
    let advance = |cursor| move |id| vec![Act::Advance { cursor, id: EntryId(id) }];
    let react = |word: Option<&'static str>| {
        move |id| vec![Act::React { about: EntryId(id), word: word.map(Into::into) }]
    };
    type Does<'a> = &'a dyn Fn(i64) -> Vec<Act>;
    let cases: [(&str, Does, bool); 8] = [
        ("delivered", &|_| vec![], true),
        ("delivered", &advance(Cursor::Delivered), false),
        ("read", &advance(Cursor::Delivered), true),
        ("read", &advance(Cursor::Read), false),
        ("answered", &advance(Cursor::Read), true),
        ("answered", &react(Some("ok")), false),
        (
            "answered",
            &|id| react(Some("ok"))(id).into_iter().chain(react(None)(id)).collect(),
            true,
        ),
        ("answered", &|_| vec![send("ana", "yes")], false),
    ];
    for (round, (until, does, acts)) in (0..).zip(cases) {
        let now = round * 60_000;
        NOW.store(now, Ordering::SeqCst);
        ana.acts(&hub, vec![send("bia", "alert")]);
        let heard = ana.heard(&hub);
        let sent = heard.lines().last().unwrap().split(' ').nth(2).unwrap();
        let id: i64 = sent.parse().unwrap();
        ana.acts(&hub, vec![at(&format!("UNLESS {id} {until} 60 MSG ana escalate"))]);
        bia.acts(&hub, does(id));
        ana.heard(&hub);
        NOW.store(now + 59_999, Ordering::SeqCst);
        assert!(!ana.heard(&hub).contains("late="), "too early: {until}");
        NOW.store(now + 60_000, Ordering::SeqCst);
        assert_eq!(ana.heard(&hub).contains(" escalate"), acts, "round {round}: {until}");
    }
    hub.ask(Work::End);
    thread.join().unwrap();
}
