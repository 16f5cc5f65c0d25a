//! The leader's own process in PostgreSQL is frozen, with a batch in hand: whoever goes on without it,
//! what it does when it thaws changes nothing.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::cluster::Cluster;
use crate::machines::{Machines, NODES};
use crate::process::{Client, PATIENCE, Papod, id, signals};

const LINE: &str = "ONCE key MSG ana stop here";

/// The server process of the leader, and one that is frozen thaws when this is dropped.
struct Backend(Pid);

impl Backend {
    fn of(server: &Cluster, database: &str) -> Backend {
        let found = server.ask(database, "SELECT pid FROM leader").unwrap();
        Backend(Pid::from_raw(found.parse().unwrap()).unwrap())
    }

    fn freeze(&self) {
        signals::send(self.0, Signal::STOP).unwrap();
    }

    /// The same between two transactions: one that has begun holds the leader's row, and nobody takes
    /// over then.
    fn freeze_idle(&self, server: &Cluster) {
        let id = self.0.as_raw_nonzero();
        let state = format!("SELECT state FROM pg_stat_activity WHERE pid = {id}");
        let began = Instant::now();
        loop {
            self.freeze();
            if server.ask("postgres", &state).unwrap() == "idle" {
                return;
            }
            kill_process(self.0, Signal::CONT).unwrap();
            assert!(began.elapsed() < PATIENCE, "it is always busy");
        }
    }

    /// It goes on, and ends: somebody has asked it to.
    fn thaw(&self, server: &Cluster) {
        kill_process(self.0, Signal::CONT).unwrap();
        let id = self.0.as_raw_nonzero();
        let gone = format!("SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = {id}");
        server.until("postgres", &gone);
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        // It has ended, if all went well.
        let _ = kill_process(self.0, Signal::CONT);
    }
}

/// The message is there once, under this id.
fn is_there_once(client: &mut Client, id: u64) {
    let ids: Vec<u64> = client.history("ana", 0).iter().map(|entry| entry.id).collect();
    assert_eq!(ids, [id]);
}

#[test]
fn one_papod_goes_on_with_another_process() {
    let server = Cluster::start();
    let name = server.make_database();
    let papod = Papod::start(Path::new(&crate::cluster::url(&[&server], &name)));
    let mut ana = papod.register("ana");
    let backend = Backend::of(&server, &name);
    backend.freeze_idle(&server);
    ana.say(LINE);
    let sent = id(ana.until("OK MSG ").last().unwrap());
    papod.until_logged("writing again, in term 2");
    backend.thaw(&server);
    is_there_once(&mut ana, sent);
    assert!(ana.send("ana", "after") > sent);
    papod.stop();
}

/// Somebody says the line again, on a node that is not this one.
fn say_again(machines: &Machines, not_at: usize) -> (Client, u64) {
    let mut ana = machines.nodes[(not_at + 1) % NODES].login_quietly("ana");
    ana.say(LINE);
    let sent = id(ana.until("OK MSG ").last().unwrap());
    (ana, sent)
}

fn another_leads(machines: &Machines, leader: usize) {
    let began = Instant::now();
    while machines.leader() == leader {
        assert!(began.elapsed() < PATIENCE, "nobody takes over");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn another_node_leads_and_a_late_call_does_nothing() {
    let mut machines = Machines::start();
    let leader = machines.leader();
    let mut ana = machines.nodes[leader].register("ana");
    let servers = &machines.pair;
    let backend = Backend::of(servers.primary(), &servers.database);
    backend.freeze_idle(servers.primary());
    ana.say(LINE);
    another_leads(&machines, leader);
    let (mut again, sent) = say_again(&machines, leader);
    backend.thaw(servers.primary());
    // Cut off, since nobody knows what became of the line; unless a batch of nobody's came to the
    // process after it froze, and the line waited for the next leader.
    while let Some(line) = ana.next_line() {
        if line.starts_with("OK MSG ") {
            assert_eq!(id(&line), sent);
            break;
        }
    }
    is_there_once(&mut again, sent);
    assert_eq!(id(machines.nodes[leader].login("ana").1.last().unwrap()), sent);
    drop(again);
    machines.stop();
}

#[test]
fn nobody_leads_while_a_frozen_process_holds_the_row() {
    let mut machines = Machines::start();
    machines.pair.can_hold_batches();
    let leader = machines.leader();
    let mut ana = machines.nodes[leader].register("ana");
    let servers = &machines.pair;
    let backend = Backend::of(servers.primary(), &servers.database);
    servers.hold_batches();
    ana.say(LINE);
    servers.until_one_is_held();
    backend.freeze();
    servers.let_batches_go();
    // Another wants to lead, and has to wait for the row.
    servers.until(
        "SELECT count(*) > 0 FROM pg_stat_activity
         WHERE application_name = 'papod' AND wait_event_type = 'Lock'",
    );
    assert_eq!(machines.leader(), leader);
    backend.thaw(servers.primary());
    another_leads(&machines, leader);
    let (mut again, sent) = say_again(&machines, leader);
    assert_eq!(ana.rest(), [""; 0]);
    is_there_once(&mut again, sent);
    drop(again);
    machines.stop();
}
