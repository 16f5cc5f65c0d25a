//! The machines of the histories: three papods, and a primary and its standby, with a way from each
//! papod to each server and to each papod that can be cut and slowed down; and all that happens to
//! them.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::cluster::Cluster;
use crate::process::{Dice, Papod};
use crate::relay::{Goal, Relay, Toward};
use crate::team::People;

const NODES: usize = 3;

/// See the module documentation.
pub struct Machines {
    /// The primary is at `primary`, its standby at the other place.
    servers: [Cluster; 2],
    primary: usize,
    /// From each node to each server.
    ways: [[Relay; 2]; NODES],
    /// From the others to each node.
    links: [Relay; NODES],
    /// Where each node waits for the others.
    doors: [SocketAddr; NODES],
    pub nodes: Vec<Papod>,
    database: String,
    /// How often each of these has happened.
    pub happened: [usize; EVENTS.len()],
}

/// Everything that happens, in turn.
pub const EVENTS: [&str; 13] = [
    "a node killed",
    "the leader killed",
    "the leader ended",
    "a node frozen",
    "the leader frozen",
    "a node cut off its database",
    "a node cut off its database one way",
    "the leader cut off the others",
    "the leader cut off the others one way",
    "everything slow",
    "the primary killed",
    "the primary frozen, and there again beside the next one",
    "the standby killed",
];

/// Tells PostgreSQL to wait for any standby, a server that becomes a standby from it too.
const WAIT_FOR_STANDBY: &str = "ALTER SYSTEM SET synchronous_standby_names = '*'";

const IS_SYNC: &str = "SELECT count(*) > 0 FROM pg_stat_replication WHERE sync_state = 'sync'";

/// How one node is known to the others: not where it listens, but where the way to it begins.
fn detour(doors: &[SocketAddr], links: &[Relay]) -> String {
    let pairs =
        doors.iter().zip(links).map(|(door, link)| format!("('{door}', '{}')", link.address));
    let pairs: Vec<String> = pairs.collect();
    format!(
        "CREATE SCHEMA detour;
         CREATE TABLE detour.way(door text PRIMARY KEY, via text NOT NULL);
         INSERT INTO detour.way VALUES {};
         CREATE FUNCTION detour.take() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             NEW.address := coalesce(
                 (SELECT via FROM detour.way WHERE door = NEW.address), NEW.address);
             RETURN NEW;
         END $$;
         CREATE TRIGGER detour BEFORE INSERT OR UPDATE ON node
             FOR EACH ROW EXECUTE FUNCTION detour.take()",
        pairs.join(", ")
    )
}

impl Machines {
    pub fn start() -> Machines {
        let primary = Cluster::start();
        assert!(primary.run("postgres", WAIT_FOR_STANDBY));
        let standby = primary.standby();
        assert!(primary.run("postgres", "SELECT pg_reload_conf()"));
        primary.until("postgres", IS_SYNC);
        let database = primary.make_database();
        let ways = [(); NODES].map(|()| [Relay::to(&primary), Relay::to(&standby)]);
        let sockets = [(); NODES].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let doors = sockets.each_ref().map(|socket| socket.local_addr().unwrap());
        drop(sockets);
        let links = doors.map(|door| Relay::toward(Goal::Port(door)));
        let servers = [primary, standby];
        let (nodes, happened) = Default::default();
        let mut machines =
            Machines { servers, primary: 0, ways, links, doors, nodes, database, happened };
        // It makes the tables.
        machines.papod(0).stop();
        let made = detour(&machines.doors, &machines.links);
        assert!(machines.servers[0].run(&machines.database, &made));
        machines.nodes = (0..NODES).map(|at| machines.papod(at)).collect();
        machines
    }

    fn papod(&self, at: usize) -> Papod {
        let [first, second] = &self.ways[at];
        let hosts = format!("{},{}", first.address, second.address);
        let url = PathBuf::from(format!("postgres://papo@{hosts}/{}", self.database));
        Papod::start_with(&url, ["--node", &self.doors[at].to_string()])
    }

    /// The node that has begun the newest term.
    fn leader(&self) -> usize {
        let term = |node: &Papod| {
            let log = node.log();
            let said = log.lines().filter_map(|line| line.split_once("this node leads, term "));
            let term = |(_, term): (&str, &str)| term.split(',').next()?.parse::<u64>().ok();
            said.filter_map(term).max()
        };
        let newest = self.nodes.iter().enumerate().max_by_key(|(_, node)| term(node));
        newest.expect("there are nodes").0
    }

    fn replace(&mut self, at: usize, people: &People) {
        self.nodes[at] = self.papod(at);
        people.addresses.lock().unwrap()[at] = self.nodes[at].address;
    }

    /// Has something happen, and everything is as it should be after it.
    pub fn happen(&mut self, event: usize, people: &People, dice: &mut Dice) {
        let leader = self.leader();
        let some = dice.below(NODES as u64) as usize;
        let time = Duration::from_millis(300 + dice.below(3_000));
        eprintln!("{}, {time:?}", EVENTS[event]);
        self.happened[event] += 1;
        match EVENTS[event] {
            "a node killed" => self.kill(some, people),
            "the leader killed" => self.kill(leader, people),
            "the leader ended" => {
                self.nodes[leader].signal(Signal::TERM);
                let status = self.nodes[leader].wait();
                assert_eq!(status.code(), Some(0), "{}", self.nodes[leader].log());
                self.replace(leader, people);
            }
            "a node frozen" => self.freeze(some, time),
            "the leader frozen" => self.freeze(leader, time),
            "a node cut off its database" => {
                self.ways[some].iter().for_each(Relay::cut);
                lasts(time);
                self.mend_ways(some, dice);
            }
            "a node cut off its database one way" => {
                let toward = one_of(dice);
                self.ways[some].iter().for_each(|way| way.cut_toward(toward));
                lasts(time);
                self.mend_ways(some, dice);
            }
            "the leader cut off the others" => {
                self.links[leader].cut();
                lasts(time);
                self.mend_link(leader, dice);
            }
            "the leader cut off the others one way" => {
                self.links[leader].cut_toward(one_of(dice));
                lasts(time);
                self.mend_link(leader, dice);
            }
            "everything slow" => {
                let delay = Duration::from_millis(1 + dice.below(30));
                let all = || self.ways.iter().flatten().chain(&self.links);
                all().for_each(|way| way.delay(delay));
                lasts(time);
                all().for_each(Relay::mend);
            }
            "the primary killed" => {
                self.servers[self.primary].kill();
                self.promote();
                self.new_standby();
            }
            "the primary frozen, and there again beside the next one" => {
                let old = self.primary;
                self.servers[old].signal(Signal::STOP);
                self.promote();
                self.servers[old].signal(Signal::CONT);
                lasts(time);
                self.servers[old].kill();
                self.new_standby();
            }
            "the standby killed" => {
                self.servers[1 - self.primary].kill();
                lasts(time);
                self.new_standby();
            }
            other => unreachable!("{other}"),
        }
        people.progress(20);
        for node in &mut self.nodes {
            assert!(node.runs(), "{}", node.log());
        }
    }

    fn kill(&mut self, at: usize, people: &People) {
        self.nodes[at].kill();
        self.replace(at, people);
    }

    fn freeze(&self, at: usize, time: Duration) {
        self.nodes[at].signal(Signal::STOP);
        lasts(time);
        self.nodes[at].signal(Signal::CONT);
    }

    fn mend_ways(&self, at: usize, dice: &mut Dice) {
        for way in &self.ways[at] {
            if dice.below(2) == 0 {
                way.reset();
            }
            way.mend();
        }
    }

    fn mend_link(&self, at: usize, dice: &mut Dice) {
        if dice.below(2) == 0 {
            self.links[at].reset();
        }
        self.links[at].mend();
    }

    /// The standby becomes the primary. Nothing is confirmed until it has a standby.
    fn promote(&mut self) {
        self.primary = 1 - self.primary;
        assert!(self.servers[self.primary].run("postgres", "SELECT pg_promote()"));
    }

    /// The primary has another standby, in the place of one that is gone.
    fn new_standby(&mut self) {
        let at = 1 - self.primary;
        self.servers[at] = self.servers[self.primary].standby();
        for ways in &self.ways {
            ways[at].reset();
            ways[at].lead(Goal::Socket(self.servers[at].socket()));
        }
        self.servers[self.primary].until("postgres", IS_SYNC);
    }

    /// Ends the nodes in good order.
    pub fn stop(&mut self) {
        let leader = self.leader();
        let last = self.nodes.remove(leader);
        self.nodes.drain(..).for_each(Papod::stop);
        last.stop();
    }
}

fn one_of(dice: &mut Dice) -> Toward {
    if dice.below(2) == 0 { Toward::Server } else { Toward::Client }
}

/// What happens lasts for a while.
fn lasts(time: Duration) {
    thread::sleep(time);
}
