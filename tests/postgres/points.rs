//! The leader fails at each exact point of a batch: the batch is there as a whole or not at all, and
//! whoever asks again has its message once, and is shown nothing else.

use std::io::ErrorKind;
use std::time::Instant;

use rustix::process::Signal;

use crate::machines::{Machines, NODES};
use crate::process::{Client, PATIENCE, Papod, id};
use crate::relay::{Relay, Toward};

/// Where a batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Point {
    /// On its way to PostgreSQL.
    Call,
    /// Its rows are written, in a transaction that is open.
    Rows,
    /// The same, and the transaction goes on when the leader has failed.
    Commit,
    /// Its commit waits for the standby.
    Standby,
    /// It is on two disks, and the answer is on its way.
    Answer,
    /// The leader has told its own sessions, and no other node.
    Told,
}

const POINTS: [Point; 6] =
    [Point::Call, Point::Rows, Point::Commit, Point::Standby, Point::Answer, Point::Told];

const IS_AT_STANDBY: &str = "SELECT count(*) > 0 FROM pg_stat_activity
    WHERE application_name = 'papod' AND wait_event = 'SyncRep'";

/// The ways to the database that the others have. While they are cut nobody takes the leader's
/// place, however long it takes to bring it to where it fails.
fn ways_of_others(machines: &Machines, leader: usize) -> impl Iterator<Item = &Relay> {
    let ways = machines.pair.ways.iter().enumerate();
    ways.filter(move |(at, _)| *at != leader).flat_map(|(_, ways)| ways)
}

/// A test of one point.
struct Case<'a> {
    machines: &'a mut Machines,
    point: Point,
    body: String,
    leader: usize,
}

impl Case<'_> {
    /// Brings the leader to where it fails with the message that `author` asks for. `own` is a
    /// session on the leader that is told the message, if anybody is.
    fn reach(&self, author: &mut Client, own: &mut Client) {
        let servers = &self.machines.pair;
        let ways = &servers.ways[self.leader];
        ways_of_others(self.machines, self.leader).for_each(Relay::cut);
        match self.point {
            Point::Call => ways.iter().for_each(|way| way.cut_before(self.body.as_bytes())),
            _ => servers.hold_batches(),
        }
        author.say(&format!("ONCE {} MSG bob {}", self.key(), self.body));
        if self.point == Point::Call {
            ways[0].until_cut();
            return;
        }
        servers.until_one_is_held();
        match self.point {
            Point::Standby => servers.other().stop(),
            Point::Answer => ways.iter().for_each(|way| way.cut_toward(Toward::Client)),
            Point::Told => self.machines.links[self.leader].cut_toward(Toward::Client),
            _ => return,
        }
        servers.let_batches_go();
        match self.point {
            Point::Standby => servers.until(IS_AT_STANDBY),
            Point::Answer => servers.until(&format!("SELECT count(*) = 1 {}", self.rows())),
            _ => drop(own.until("MSG ")),
        }
    }

    fn key(&self) -> String {
        self.body.replace(' ', "-")
    }

    fn rows(&self) -> String {
        format!("FROM entry WHERE body = '{}'", self.body)
    }

    /// The leader fails, and another takes its place.
    fn fail(&mut self, is_killed: bool) {
        if is_killed {
            self.machines.nodes[self.leader].kill();
        } else {
            self.machines.nodes[self.leader].signal(Signal::STOP);
        }
        match self.point {
            Point::Commit => self.machines.pair.let_batches_go(),
            Point::Standby => self.machines.pair.other().go_on(),
            _ => {}
        }
        ways_of_others(self.machines, self.leader).for_each(Relay::mend);
        let began = Instant::now();
        while self.machines.leader() == self.leader {
            assert!(began.elapsed() < PATIENCE, "nobody takes over");
        }
    }

    /// Everything is as it should be again, and what was held up comes now.
    fn mend(&mut self, was_killed: bool) {
        self.machines.pair.ways[self.leader].iter().for_each(Relay::mend);
        self.machines.links[self.leader].mend();
        self.machines.pair.let_batches_go();
        // The next one is not given more time.
        self.machines.pair.run("UPDATE term SET forced = false");
        if was_killed {
            self.machines.nodes[self.leader] = self.machines.papod(self.leader);
        } else {
            self.machines.nodes[self.leader].signal(Signal::CONT);
        }
    }

    /// The id under which the message is there, if it is.
    fn kept(&self) -> Option<u64> {
        let servers = &self.machines.pair;
        let found = format!("SELECT coalesce(string_agg(id::text, ' '), '') {}", self.rows());
        let found = servers.primary().ask(&servers.database, &found).unwrap();
        (!found.is_empty()).then(|| found.parse().expect("it is there once"))
    }

    fn run(mut self, is_killed: bool, author_at: usize) {
        println!("{}: {:?}, killed: {is_killed}, author at {author_at}", self.body, self.point);
        let at = |n: usize| (self.leader + n) % NODES;
        let (near, far) = (at(1), at(2));
        let node = |at: usize| -> &Papod { &self.machines.nodes[at] };
        let mut ana = node(at(author_at)).login_quietly("ana");
        let (mut own, mut elsewhere) = (node(self.leader).login("bob").0, node(far).login("bob").0);
        let before = ana.send("bob", "before");
        for bob in [&mut own, &mut elsewhere] {
            assert_eq!(id(bob.until("MSG ").last().unwrap()), before);
        }
        self.reach(&mut ana, &mut own);
        self.fail(is_killed);
        self.mend(is_killed);
        let kept = self.kept();
        match self.point {
            Point::Call | Point::Rows => assert_eq!(kept, None),
            Point::Commit => {}
            Point::Standby | Point::Answer | Point::Told => assert!(kept.is_some()),
        }
        // It is not said to be there if it is not.
        let said = ana.next_line();
        let is_true = |line: &String| line.starts_with("OK MSG ") && Some(id(line)) == kept;
        assert!(said.as_ref().is_none_or(is_true), "{said:?} of {kept:?}");
        let mut ana = self.machines.nodes[near].login_quietly("ana");
        ana.say(&format!("ONCE {} MSG bob {}", self.key(), self.body));
        let once = id(ana.until("OK MSG ").last().unwrap());
        assert!(kept.is_none_or(|kept| kept == once), "{once} was {kept:?}");
        assert!(once > before);
        assert_eq!(self.kept(), Some(once));
        let after = ana.send("bob", "after");
        assert!(after > once);
        assert_eq!(id(elsewhere.until("MSG ").last().unwrap()), once);
        assert_eq!(id(elsewhere.until("MSG ").last().unwrap()), after);
        elsewhere.has_heard_all();
        let was_told = self.point == Point::Told;
        let rest = if is_killed {
            own.rest()
        } else {
            // It is told the rest by the next leader.
            own.until(&format!("MSG {after} "))
        };
        let told: Vec<u64> =
            rest.iter().filter(|line| line.starts_with("MSG ")).map(|line| id(line)).collect();
        let all = if was_told { vec![after] } else { vec![once, after] };
        assert_eq!(told, if is_killed { Vec::new() } else { all });
        elsewhere.say("READ");
        elsewhere.until("OK READ");
    }
}

/// Machines with two accounts, whose batches can be held.
fn machines() -> Machines {
    let machines = Machines::start();
    ["ana", "bob"].iter().for_each(|name| drop(machines.nodes[0].register(name)));
    machines.pair.can_hold_batches();
    machines
}

fn at_all_points(is_killed: bool) {
    let mut machines = machines();
    let cases = POINTS.iter().flat_map(|point| [(*point, 0), (*point, 1)]);
    for (n, (point, author_at)) in cases.enumerate() {
        let (leader, body) = (machines.leader(), format!("stop {n}"));
        Case { machines: &mut machines, point, body, leader }.run(is_killed, author_at);
    }
    machines.stop();
}

#[test]
fn the_leader_is_killed_at_each_point_of_a_batch() {
    at_all_points(true);
}

#[test]
fn the_leader_is_stopped_at_each_point_of_a_batch() {
    at_all_points(false);
}

#[test]
fn what_only_a_failed_primary_has_is_never_shown() {
    let mut machines = machines();
    let leader = machines.leader();
    let mut ana = machines.nodes[leader].login_quietly("ana");
    let others = (1..NODES).map(|n| (leader + n) % NODES);
    let mut readers: Vec<Client> =
        others.map(|at| machines.nodes[at].login_quietly("bob")).collect();
    let before = ana.send("bob", "before");
    ways_of_others(&machines, leader).for_each(Relay::cut);
    let servers = &mut machines.pair;
    servers.hold_batches();
    ana.say("MSG bob stop here");
    servers.until_one_is_held();
    // From here on no other disk has it, whatever happens.
    servers.other().detach();
    servers.let_batches_go();
    servers.until(IS_AT_STANDBY);
    machines.nodes[leader].kill();
    servers.primary_mut().kill();
    servers.primary_mut().start_again();
    servers.until("SELECT count(*) = 1 FROM entry WHERE body = 'stop here'");
    readers.iter_mut().for_each(|bob| bob.say("HIST ana"));
    servers.ways.iter().flatten().for_each(Relay::mend);
    // One of the others wants to lead, and cannot. Neither can it if its commit is broken off.
    servers.until(IS_AT_STANDBY);
    let cancel = "SELECT count(pg_cancel_backend(pid)) > 0 FROM pg_stat_activity
        WHERE application_name = 'papod' AND wait_event = 'SyncRep'";
    servers.until(cancel);
    servers.until(IS_AT_STANDBY);
    for bob in &readers {
        let socket = bob.socket();
        socket.set_nonblocking(true).unwrap();
        let said = socket.peek(&mut [0]).map_err(|e| e.kind());
        assert_eq!(said, Err(ErrorKind::WouldBlock), "something was answered");
        socket.set_nonblocking(false).unwrap();
    }
    servers.primary_mut().kill();
    servers.promote();
    servers.new_standby();
    for bob in &mut readers {
        let rows = bob.until("OK HIST ");
        assert!(rows.len() == 2 && id(&rows[0]) == before, "{rows:?}");
    }
    assert_eq!(ana.rest(), [""; 0]);
    machines.nodes[leader] = machines.papod(leader);
    let mut ana = machines.nodes[leader].login_quietly("ana");
    let after = ana.send("bob", "after");
    for bob in &mut readers {
        let ids: Vec<u64> = bob.history("ana", 0).iter().map(|entry| entry.id).collect();
        assert_eq!(ids, [before, after]);
    }
    machines.stop();
}
