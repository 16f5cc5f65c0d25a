//! Cuts between machines that are far from each other: what one sends to another is lost, and nobody
//! is told. Three nodes, a primary, its standby and a server in reserve have a network namespace
//! each; the people are at the router, and reach all nodes all the time. Prints how long each cut
//! kept a message from its `OK`. `PAPO_ROUNDS` sets how often all of them happen.

use std::collections::BTreeMap;
use std::io::Write;
use std::ops::Range;
use std::thread;
use std::time::{Duration, Instant};

use super::events::lasts;
use super::people::{World, WrittenMessage};
use super::{PATIENCE, history, people_on};
use crate::cluster::Cluster;
use crate::machines::{leader_of, stop_all};
use crate::network::{Network, address};
use crate::nodes::rounds;
use crate::process::{self, Dice, PASSWORD, Papod};
use crate::server_pair::{IS_SYNC, WAIT_FOR_STANDBY};
use crate::team::{People, greeted};

/// The machines that papods are on, and those that servers are on.
const NODES: Range<usize> = 0..3;
const SERVERS: Range<usize> = 3..6;

/// Whoever asks whether a node serves.
const PROBE: &str = "probe";

/// All machines, and what has happened to the network.
struct Site<'a> {
    network: Network,
    nodes: Vec<Papod>,
    /// By their machines.
    servers: BTreeMap<usize, Cluster>,
    primary: usize,
    standby: usize,
    reserve: usize,
    people: &'a People,
    cuts: Vec<Cut>,
}

/// A cut.
struct Cut {
    name: &'static str,
    begun: Instant,
    healed: Instant,
    /// All nodes served.
    whole: Instant,
}

/// Starts a server on a machine, with settings of contrib/cluster.
fn serve(network: &Network, at: usize, start: impl FnOnce(&[&str]) -> Cluster) -> Cluster {
    let listen = format!("listen_addresses={}", address(at));
    let timeouts = ["wal_sender_timeout=5s", "wal_receiver_timeout=5s"];
    let settings = [&*listen, "wal_retrieve_retry_interval=500ms", timeouts[0], timeouts[1]];
    network.on(at, || start(&settings))
}

/// Starts a standby on a machine.
fn follow(network: &Network, at: usize, primary: (usize, &Cluster)) -> Cluster {
    let (host, primary) = (address(primary.0).to_string(), primary.1);
    let standby = serve(network, at, |settings| primary.standby_over(&host, settings));
    primary.until("postgres", IS_SYNC);
    standby
}

/// The papod of a machine.
fn papod(network: &Network, at: usize, database: &str) -> Papod {
    let servers: Vec<String> = SERVERS.map(|at| address(at).to_string()).collect();
    let database = format!("postgres://papo@{}/{database}?sslmode=disable", servers.join(","));
    let mut papod = process::papod();
    papod.args(["--listen", &format!("{}:0", address(at)), "--db", &database]);
    papod.args(["--plain-anywhere", "--password-cost", "8:1"]);
    papod.args(["--limit-registrations", "1000000"]);
    network.on(at, || Papod::spawn(papod))
}

impl Site<'_> {
    fn leader(&self) -> usize {
        leader_of(&self.nodes)
    }

    /// All machines but one.
    fn others(&self, than: usize) -> Vec<usize> {
        (NODES.start..SERVERS.end).filter(|at| *at != than).collect()
    }

    /// The other nodes.
    fn other_nodes(&self, than: usize) -> Vec<usize> {
        NODES.filter(|at| *at != than).collect()
    }

    /// The network is cut until `meanwhile` is over, and then all serve again.
    fn cut(
        &mut self,
        name: &'static str,
        begin: impl FnOnce(&mut Network),
        meanwhile: impl FnOnce(&mut Self),
    ) {
        eprintln!("{name}");
        let begun = Instant::now();
        begin(&mut self.network);
        meanwhile(self);
        self.network.heal();
        let healed = Instant::now();
        NODES.for_each(|at| self.until_served(at));
        self.people.progress(50);
        self.cuts.push(Cut { name, begun, healed, whole: Instant::now() });
    }

    /// Waits until somebody writes something at a node. One that was cut off for longer than it waits
    /// turns people away until it serves again.
    fn until_served(&self, at: usize) {
        let began = Instant::now();
        let write = || {
            let mut client = greeted(self.nodes[at].address)?;
            client.socket().set_read_timeout(Some(PATIENCE)).unwrap();
            let login = format!("LOGIN {PROBE} {PASSWORD} quiet\n");
            client.socket().write_all(login.as_bytes()).ok()?;
            client.next_line().filter(|line| line.starts_with("OK LOGIN "))?;
            client.socket().write_all(format!("MSG {PROBE} hello\n").as_bytes()).ok()?;
            client.next_line().filter(|line| line.starts_with("OK MSG "))
        };
        while write().is_none() {
            assert!(began.elapsed() < PATIENCE, "{}", self.nodes[at].log());
        }
        self.people.confirmed.lock().unwrap().push(Instant::now());
    }

    /// Waits until another node leads, and all but that one serve.
    fn until_replaced(&self, leader: usize) {
        let began = Instant::now();
        while self.leader() == leader {
            assert!(began.elapsed() < PATIENCE, "nobody takes over");
            thread::sleep(Duration::from_millis(1));
        }
        self.other_nodes(leader).into_iter().for_each(|at| self.until_served(at));
    }

    /// Does what the shop's failover does: the standby becomes the primary, and the server in reserve
    /// its standby. The former primary runs, and does not know that.
    fn promote(&mut self) {
        let Site { primary, standby, reserve, .. } = *self;
        (self.primary, self.standby, self.reserve) = (standby, reserve, primary);
        let primary = &self.servers[&self.primary];
        assert!(primary.run("postgres", "SELECT pg_promote()"));
        let standby = follow(&self.network, self.standby, (self.primary, primary));
        self.servers.insert(self.standby, standby);
    }

    /// One cut after the other.
    fn all_cuts(&mut self, dice: &mut Dice) {
        let leader = self.leader();
        let others = self.other_nodes(leader);
        self.cut(
            "a node from the leader",
            |network| network.part(&[leader], &others[..1]),
            |site| {
                lasts(Duration::from_secs(4));
                [leader, others[1]].iter().for_each(|at| site.until_served(*at));
            },
        );
        self.cut(
            "the leader from the other nodes",
            |network| network.part(&[leader], &others),
            |site| {
                lasts(Duration::from_secs(4));
                site.until_served(leader);
            },
        );
        let leader = self.leader();
        self.cut(
            "the leader from the database",
            |network| network.part(&[leader], &SERVERS.collect::<Vec<_>>()),
            |site| site.until_replaced(leader),
        );
        let leader = self.leader();
        let others = self.others(leader);
        self.cut(
            "the leader from all",
            |network| network.part(&[leader], &others),
            |site| site.until_replaced(leader),
        );
        let leader = self.leader();
        let others = self.others(leader);
        // A seed has one of them happen.
        if dice.below(2) == 0 {
            let lose = |network: &mut Network| network.lose(&others, &[leader]);
            self.cut("all to the leader, one way", lose, |site| site.until_replaced(leader));
        } else {
            let lose = |network: &mut Network| network.lose(&[leader], &others);
            self.cut("the leader to all, one way", lose, |site| site.until_replaced(leader));
        }
        let (primary, standby) = (self.primary, self.standby);
        self.cut(
            "the primary from its standby",
            |network| network.part(&[primary], &[standby]),
            // Longer than a batch is waited for.
            |_| lasts(Duration::from_secs(6)),
        );
        let (primary, others) = (self.primary, self.others(self.primary));
        self.cut(
            "the primary from all, and its standby promoted",
            |network| network.part(&[primary], &others),
            |site| {
                site.promote();
                NODES.for_each(|at| site.until_served(at));
            },
        );
        self.servers.remove(&self.reserve);
        let half = [self.leader(), self.primary];
        let others: Vec<usize> = self.others(half[0]);
        let others: Vec<usize> = others.into_iter().filter(|at| *at != half[1]).collect();
        self.cut(
            "the leader and the primary from all, and its standby promoted",
            |network| network.part(&half, &others),
            |site| {
                site.promote();
                site.until_replaced(half[0]);
            },
        );
        self.servers.remove(&self.reserve);
    }

    /// Says how long each cut kept somebody waiting.
    fn report(&self, written: &[WrittenMessage]) {
        let confirmed = self.people.confirmed.lock().unwrap();
        for Cut { name, begun, healed, whole } in &self.cuts {
            let within = confirmed.iter().filter(|at| (begun..=whole).contains(at)).copied();
            let times: Vec<Instant> = [*begun].into_iter().chain(within).collect();
            let silence = times.windows(2).map(|two| two[1].duration_since(two[0])).max();
            let waited = written.iter().filter(|it| it.called < *healed && it.returned > *begun);
            let longest = waited.clone().map(|it| it.returned - it.called).max();
            let last = waited.map(|it| it.returned.duration_since(*healed)).max();
            println!(
                "{name}, for {:.1?}: nothing was confirmed for {:.1?}; a message waited for {:.1?}, \
                 the last one until {:.1?} after it",
                *healed - *begun,
                silence.unwrap_or_default(),
                longest.unwrap_or_default(),
                last.unwrap_or_default(),
            );
        }
    }
}

#[test]
#[ignore = "needs root, and ip (iproute2)"]
fn nothing_is_lost_where_packets_are() {
    let (mut dice, seed) = Dice::from_environment();
    println!("PAPO_SEED={seed}");
    let network = Network::start(SERVERS.end);
    let [primary, standby, reserve] = [0, 1, 2].map(|at| SERVERS.start + at);
    let first = serve(&network, primary, Cluster::start_with);
    assert!(first.run("postgres", WAIT_FOR_STANDBY));
    assert!(first.run("postgres", "SELECT pg_reload_conf()"));
    let second = follow(&network, standby, (primary, &first));
    let database = first.make_database();
    let nodes: Vec<Papod> = NODES.map(|at| papod(&network, at, &database)).collect();
    let people = &people_on(&nodes);
    drop(nodes[0].register(PROBE));
    let servers = BTreeMap::from([(primary, first), (standby, second)]);
    let cuts = Vec::new();
    let mut site = Site { network, nodes, servers, primary, standby, reserve, people, cuts };
    let world = &World::new(people);
    let written = history(world, Dice::new(dice.below(u64::MAX)), || {
        (0..rounds()).for_each(|_| site.all_cuts(&mut dice));
    });
    assert!(site.nodes.iter_mut().all(Papod::runs), "one had to be started again");
    stop_all(&mut site.nodes);
    println!("{} messages", written.len());
    site.report(&written);
}
