//! Servers that fail while people write: nothing that was confirmed is lost, nothing is there twice,
//! and no session ends.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::cluster::{Cluster, url};
use crate::process::{Client, PATIENCE, Papod};
use crate::team::Enough;

/// How many people write at once.
const WRITERS: usize = 6;

/// A session's messages with the ids that were confirmed.
type Confirmed = Vec<(u64, String)>;

/// What the people of one test have done so far.
#[derive(Default)]
struct Progress {
    confirmed: AtomicUsize,
    enough: AtomicBool,
}

impl Progress {
    /// Waits until as many more were confirmed.
    fn wait_for(&self, more: usize) {
        let until = Instant::now() + PATIENCE;
        let upto = self.confirmed.load(Ordering::SeqCst) + more;
        while self.confirmed.load(Ordering::SeqCst) < upto {
            assert!(Instant::now() < until, "nothing is confirmed any more");
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Has people write to bob until `meanwhile` returns, and checks what has become of it: on one
/// papod that runs all the time, whose sessions all last.
fn under_load(papod: &Papod, meanwhile: impl FnOnce(&Progress)) {
    let mut bob = papod.register("bob");
    let writers: Vec<Client> = (0..WRITERS).map(|n| papod.register(&format!("w{n}"))).collect();
    let progress = Progress::default();
    let done: Vec<(Client, Confirmed)> = thread::scope(|scope| {
        let progress = &progress;
        let start = |(n, client)| scope.spawn(move || write(client, n, progress));
        let all: Vec<_> = writers.into_iter().enumerate().map(start).collect();
        let enough = Enough(&progress.enough);
        meanwhile(progress);
        drop(enough);
        all.into_iter().map(|writer| writer.join().unwrap()).collect()
    });
    // Its live session was told each of them once, in the order of ids.
    let expected: usize = done.iter().map(|(_, confirmed)| confirmed.len()).sum();
    let told: Vec<u64> =
        (0..expected).map(|_| crate::process::id(&bob.until("MSG ").pop().unwrap())).collect();
    assert!(told.is_sorted_by(|a, b| a < b), "{told:?}");
    bob.has_heard_all();
    for (n, (mut client, confirmed)) in done.into_iter().enumerate() {
        client.has_heard_all();
        // Each is in the log once, where it was confirmed, and nothing else is.
        let log = bob.history(&format!("w{n}"), 0);
        let log: Confirmed = log.into_iter().map(|entry| (entry.id, entry.body)).collect();
        assert_eq!(log, confirmed, "of w{n}");
        assert!(confirmed.iter().all(|(id, _)| told.contains(id)));
    }
}

fn write(mut client: Client, n: usize, progress: &Progress) -> (Client, Confirmed) {
    let mut confirmed = Vec::new();
    while !progress.enough.load(Ordering::SeqCst) {
        let body = format!("{n} says {}", confirmed.len());
        confirmed.push((client.send("bob", &body), body));
        progress.confirmed.fetch_add(1, Ordering::SeqCst);
    }
    (client, confirmed)
}

#[test]
fn a_primary_is_killed_and_its_standby_promoted() {
    let mut primary = Cluster::start_with(&["synchronous_standby_names=*"]);
    let standby = primary.standby();
    let sync = "SELECT count(*) > 0 FROM pg_stat_replication WHERE sync_state = 'sync'";
    primary.until("postgres", sync);
    let name = primary.make_database();
    let papod = Papod::start(Path::new(&url(&[&standby, &primary], &name)));
    assert!(!papod.log().contains("one machine"), "{}", papod.log());
    under_load(&papod, |progress| {
        progress.wait_for(300);
        primary.kill();
        assert!(standby.run("postgres", "SELECT pg_promote()"));
        progress.wait_for(300);
    });
    papod.until_logged("writing again");
    papod.stop();
}

#[test]
fn connections_are_cut_in_the_middle_of_batches() {
    let server = Cluster::start();
    let papod = Papod::start(Path::new(&server.database()));
    let cut = "SELECT count(pg_terminate_backend(pid)) > 0 FROM pg_stat_activity
               WHERE application_name = 'papod'";
    under_load(&papod, |progress| {
        for _ in 0..20 {
            progress.wait_for(20);
            server.until("postgres", cut);
        }
        progress.wait_for(100);
    });
    papod.stop();
}

#[test]
fn a_standby_that_is_gone_for_a_while_is_waited_for() {
    let primary = Cluster::start_with(&["synchronous_standby_names=*"]);
    let standby = primary.standby();
    let papod = Papod::start(Path::new(&{
        let sync = "SELECT count(*) > 0 FROM pg_stat_replication WHERE sync_state = 'sync'";
        primary.until("postgres", sync);
        primary.database()
    }));
    under_load(&papod, |progress| {
        progress.wait_for(100);
        standby.stop();
        let waits = "SELECT count(*) > 0 FROM pg_stat_activity
                     WHERE application_name = 'papod' AND wait_event = 'SyncRep'";
        primary.until("postgres", waits);
        // A commit whose wait is cancelled is visible and on one machine only. It is not confirmed.
        let cancel = "SELECT count(pg_cancel_backend(pid)) > 0 FROM pg_stat_activity
                      WHERE application_name = 'papod' AND wait_event = 'SyncRep'";
        primary.until("postgres", cancel);
        primary.until("postgres", waits);
        standby.go_on();
        progress.wait_for(100);
    });
    papod.stop();
}

#[test]
fn a_primary_that_lacks_what_was_confirmed_ends_papod() {
    // The standby is not waited for, and is stopped before the last messages.
    let mut primary = Cluster::start();
    let standby = primary.standby();
    let name = primary.make_database();
    let db = url(&[&primary, &standby], &name);
    let mut papod = Papod::start(Path::new(&db));
    let mut ana = papod.register("ana");
    ana.send("ana", "is replicated");
    let upto = primary.ask("postgres", "SELECT pg_current_wal_lsn()").unwrap();
    standby.until("postgres", &format!("SELECT pg_last_wal_replay_lsn() >= '{upto}'"));
    standby.detach();
    let lost = ana.send("ana", "is lost");
    primary.kill();
    assert!(standby.run("postgres", "SELECT pg_promote()"));
    ana.say("MSG ana never confirmed");
    assert_eq!(ana.rest(), [""; 0]);
    assert_eq!(papod.wait().code(), Some(1));
    assert!(papod.log().contains("has lost messages that were confirmed"), "{}", papod.log());
    // Ids go on above all that were shown.
    let papod = Papod::start(Path::new(&db));
    let mut ana = papod.login("ana").0;
    assert_eq!(ana.history("ana", 0).len(), 1);
    assert!(ana.send("ana", "goes on") > lost);
    papod.stop();
}

#[test]
fn a_papod_that_ends_without_its_database_says_nothing_of_what_is_in_doubt() {
    let mut server = Cluster::start();
    let mut papod = Papod::start(Path::new(&server.database()));
    let mut ana = papod.register("ana");
    ana.send("ana", "is confirmed");
    server.kill();
    ana.say("MSG ana is in doubt");
    // The hub has it in hand when it looks for its database.
    papod.until_logged("lost the connection to the database");
    papod.signal(Signal::TERM);
    let said = ana.rest();
    assert!(said.iter().all(|line| line.starts_with("BYE ")), "{said:?}");
    assert_eq!(papod.wait().code(), Some(0), "{}", papod.log());
}

/// Another papod takes the database over, and is never heard of again.
#[test]
fn a_papod_that_was_superseded_leads_again() {
    let server = Cluster::start();
    let name = server.make_database();
    let papod = Papod::start(Path::new(&url(&[&server], &name)));
    let _ana = papod.register("ana");
    let taken = "UPDATE leader SET term = term + 1, beat = beat + 1, node = 'other', host = 'other', pid = NULL";
    assert!(server.run(&name, taken));
    let mut late = papod.connect();
    late.say(&format!("LOGIN ana {}", crate::process::PASSWORD));
    // In a batch that cannot be recorded it ends without a word; else it is answered later.
    let answer = late.next_line();
    assert!(answer.as_deref().is_none_or(|line| line == "OK LOGIN ana 0"), "{answer:?}");
    papod.until_logged("on other, has taken the database over");
    papod.until_logged("this node leads, term 3");
    papod.login("ana").0.send("ana", "after");
    papod.stop();
}
