//! Three papods on a primary and its standby, with a way from each papod to each server and to each
//! papod that can be cut and slowed down, and a clock for each that can be set. Needs libfaketime.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Mutex;

use tempfile::TempDir;

use crate::ports;
use crate::process::{self, Papod};
use crate::relay::{Goal, Relay};
use crate::server_pair::ServerPair;

pub const NODES: usize = 3;

/// See the module documentation.
pub struct Machines {
    pub pair: ServerPair,
    /// From the others to each node.
    pub links: [Relay; NODES],
    /// Where each node waits for the others.
    doors: [SocketAddr; NODES],
    /// How far each node's clock is off, in a file for each.
    clocks: TempDir,
    pub nodes: Vec<Papod>,
    /// The process ids of all nodes there have been.
    ids: Mutex<Vec<u32>>,
}

/// What has a program see another time.
fn faketime() -> PathBuf {
    let folders = fs::read_dir("/usr/lib").unwrap().flatten();
    let mut files = folders.map(|it| it.path().join("faketime/libfaketimeMT.so.1"));
    files.find(|file| file.exists()).expect("libfaketime is there: apt-get install faketime")
}

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

/// Starts nodes, one after another. The first leads before there is another.
pub fn start_nodes<const N: usize>(start: impl Fn(usize) -> Papod) -> [Papod; N] {
    std::array::from_fn(|at| {
        let node = start(at);
        if at == 0 {
            node.until_logged("this node leads");
        }
        node
    })
}

/// Which of these has begun the newest term, by what they have logged.
pub fn leader_of(nodes: &[Papod]) -> usize {
    let term = |node: &Papod| {
        let log = node.log();
        let said = log.lines().filter_map(|line| line.split_once("this node leads, term "));
        let term = |(_, term): (&str, &str)| term.split(',').next()?.parse::<u64>().ok();
        said.filter_map(term).max()
    };
    let newest = nodes.iter().enumerate().max_by_key(|(_, node)| term(node));
    newest.expect("there are nodes").0
}

/// Ends nodes in good order, the leader last.
pub fn stop_all(nodes: &mut Vec<Papod>) {
    let last = nodes.remove(leader_of(nodes));
    nodes.drain(..).for_each(Papod::stop);
    last.stop();
}

impl Machines {
    pub fn start() -> Machines {
        let pair = ServerPair::start(NODES);
        let doors = [(); NODES].map(|()| SocketAddr::from(([127, 0, 0, 1], ports::free(&[]))));
        let links = doors.map(|door| Relay::toward(Goal::Port(door)));
        let clocks = tempfile::tempdir().unwrap();
        let (nodes, ids) = Default::default();
        let mut machines = Machines { pair, links, doors, clocks, nodes, ids };
        (0..NODES).for_each(|at| machines.set_clock(at, 0));
        // It makes the tables.
        machines.papod(0).stop();
        machines.pair.run(&detour(&machines.doors, &machines.links));
        machines.nodes = start_nodes::<NODES>(|at| machines.papod(at)).into();
        machines
    }

    /// A papod in this place.
    pub fn papod(&self, at: usize) -> Papod {
        let mut papod = process::papod();
        papod.args(process::USUAL).arg("--db").arg(self.pair.url(at));
        papod.args(["--node", &self.doors[at].to_string(), "--limit-registrations", "1000000"]);
        papod.env("LD_PRELOAD", faketime());
        papod.env("FAKETIME_TIMESTAMP_FILE", self.clock(at));
        // It looks each time. How long something takes, and the times of files, stay what they are.
        for set in ["FAKETIME_NO_CACHE", "FAKETIME_DONT_FAKE_MONOTONIC", "NO_FAKE_STAT"] {
            papod.env(set, "1");
        }
        let papod = Papod::spawn(papod);
        self.ids.lock().unwrap().push(papod.id());
        papod
    }

    fn clock(&self, at: usize) -> PathBuf {
        self.clocks.path().join(at.to_string())
    }

    /// From now on a node's clock is so many seconds ahead.
    pub fn set_clock(&self, at: usize, seconds: i64) {
        // The file is always whole.
        let new = self.clocks.path().join("new");
        fs::write(&new, format!("{seconds:+}\n")).unwrap();
        fs::rename(&new, self.clock(at)).unwrap();
    }

    /// The node that has begun the newest term.
    pub fn leader(&self) -> usize {
        leader_of(&self.nodes)
    }

    /// All ways of a node: to the servers, and from the other nodes.
    pub fn ways_of(&self, at: usize) -> impl Iterator<Item = &Relay> + Clone {
        self.pair.ways[at].iter().chain([&self.links[at]])
    }

    pub fn stop(&mut self) {
        stop_all(&mut self.nodes);
    }
}

impl Drop for Machines {
    fn drop(&mut self) {
        // What libfaketime leaves in memory of a process that was killed.
        for id in self.ids.get_mut().unwrap().drain(..) {
            for name in ["faketime_shm", "sem.faketime_sem"] {
                let _ = fs::remove_file(format!("/dev/shm/{name}_{id}"));
            }
        }
    }
}
