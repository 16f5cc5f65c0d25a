//! Nodes that are cut off from the database, and that people still reach: they let nobody in who could
//! go to another node, and keep those who are logged in.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Output};
use std::thread;
use std::time::Instant;

use papo::store::postgres::{PgDatabase, PgUrl};
use papo::store::{Effort, Maintenance, Reader};

use crate::cluster::cluster;
use crate::machines::start_nodes;
use crate::process::unix::over;
use crate::process::{Client, Home, PASSWORD, PATIENCE, Papod, id, run, with_clean_environment};
use crate::relay::Relay;

const AWAY: &str = "newcomers are turned away";
const IN_AGAIN: &str = "newcomers are let in";

/// Three nodes, each with a way of its own to the database.
struct Nodes {
    home: Home,
    ways: [Relay; 3],
    nodes: [Papod; 3],
}

impl Nodes {
    /// The first leads.
    fn start() -> Nodes {
        let (home, database) = (Home::new(), cluster().make_database());
        let ways = [(); 3].map(|()| Relay::to(cluster()));
        let start = |at: usize| {
            let admin = home.path().join(format!("admin{at}.sock"));
            let more = ["--http", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--admin"];
            let more = more.into_iter().chain(admin.to_str());
            Papod::start_with(&ways[at].url(&database), more)
        };
        let nodes = start_nodes::<3>(start);
        (1..3).for_each(|at| nodes[at].until_logged("has joined the leader"));
        Nodes { home, ways, nodes }
    }

    /// What a new connection to a node reads up to its end.
    fn turned_away(&self, at: usize) -> String {
        let mut socket = TcpStream::connect(self.nodes[at].address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut said = String::new();
        socket.read_to_string(&mut said).unwrap();
        said
    }

    /// A command of papo for bob, who knows these nodes.
    fn papo(&self, nodes: &[usize], arguments: &[&str]) -> Command {
        let addresses = nodes.iter().map(|at| self.nodes[*at].address.to_string());
        let addresses: Vec<String> = addresses.collect();
        let mut papo = with_clean_environment(Command::new(env!("CARGO_BIN_EXE_papo")));
        papo.env("PAPO_SERVER", addresses.join(",")).env("PAPO_AS", "bob");
        papo.env("PAPO_SECRET", PASSWORD).env("XDG_CONFIG_HOME", self.home.path());
        papo.args(arguments);
        papo
    }

    fn asked(&self, at: usize, what: &str) -> Vec<String> {
        over(&self.home.path().join(format!("admin{at}.sock")), what)
    }

    /// It says once that it lets nobody in, and once that it does again.
    fn has_said_both_once(&self, at: usize) {
        self.nodes[at].until_logged(IN_AGAIN);
        let log = self.nodes[at].log();
        assert_eq!([AWAY, IN_AGAIN].map(|said| log.matches(said).count()), [1, 1], "{log}");
    }

    fn stop(self) {
        self.nodes.into_iter().for_each(Papod::stop);
    }
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_leader_that_is_cut_off_sends_newcomers_to_other_nodes() {
    let all = Nodes::start();
    let (mut ana, _bob) = (all.nodes[0].register("ana"), all.nodes[1].register("bob"));
    let http = all.nodes[0].way("http://");
    let [mut waits, mut registers, mut silent] = [(); 3].map(|()| all.nodes[0].connect());
    all.ways[0].cut();
    waits.say(&format!("LOGIN bob {PASSWORD}"));
    registers.say(&format!("REG cid {PASSWORD}"));
    all.nodes[0].until_logged(AWAY);
    for client in [&mut waits, &mut registers, &mut silent] {
        assert_eq!(client.rest(), ["BYE unavailable"]);
    }
    // Not even `HELLO`, so that what looks for that sends nobody here.
    assert_eq!(all.turned_away(0), "BYE unavailable\n");
    let mut socket = TcpStream::connect(http).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.write_all(b"GET /v1/health HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("\nRetry-After: "), "{answer}");
    // Operators get in.
    let stats = all.asked(0, "ADMIN STATS\n");
    assert!(stats.contains(&"STAT unavailable 1".to_owned()), "{stats:?}");
    assert!(all.asked(0, "ADMIN SESSIONS\n").iter().any(|row| row.contains(" ana ")));
    // The client goes on to the next address.
    let sent = said(&run(&mut all.papo(&[0, 1, 2], &["send", "ana", "from elsewhere"])));
    // Who is logged in stays, and misses nothing.
    all.ways[0].mend();
    let heard = ana.until("MSG ").pop().unwrap();
    assert_eq!(id(&heard).to_string(), sent.trim());
    all.has_said_both_once(0);
    ana.send("bob", "back again");
    // What was not answered was not done.
    drop(all.nodes[0].register("cid"));
    let stats = all.asked(0, "ADMIN STATS\n");
    assert!(stats.contains(&"STAT unavailable 0".to_owned()), "{stats:?}");
    drop(ana);
    all.stop();
}

#[test]
fn a_door_that_hears_the_leader_and_not_the_database_does_so_too() {
    let all = Nodes::start();
    let (mut ana, mut bob) = (all.nodes[0].register("ana"), all.nodes[1].register("bob"));
    all.ways[1].cut();
    // A login that waits already goes on to the next address as well.
    let sending = all.papo(&[1, 0], &["send", "ana", "by a detour"]);
    let sent = thread::scope(|scope| {
        let sending = scope.spawn(|| said(&run(&mut { sending })));
        all.nodes[1].until_logged(AWAY);
        assert_eq!(all.turned_away(1), "BYE unavailable\n");
        sending.join().unwrap()
    });
    assert_eq!(id(&ana.until("MSG ").pop().unwrap()).to_string(), sent.trim());
    // The leader serves those who are there.
    ana.send("bob", "still here?");
    for text in [" by a detour", " still here?"] {
        assert!(bob.until("MSG ").pop().unwrap().ends_with(text));
    }
    bob.send("ana", "yes");
    all.ways[1].mend();
    all.has_said_both_once(1);
    drop(all.nodes[1].login_quietly("bob"));
    assert!(!all.nodes[0].log().contains(AWAY));
    drop((ana, bob));
    all.stop();
}

/// How many connections were turned away by a node.
fn refused(node: &Papod) -> u64 {
    let metrics = node.metrics();
    let of = |line: &str| line.strip_prefix("papod_connections_refused_total ")?.parse().ok();
    metrics.lines().find_map(of).unwrap()
}

#[test]
fn where_all_are_cut_off_for_a_while_sessions_stay_and_clients_come_again() {
    let all = Nodes::start();
    let names = ["ana", "bob", "cid"];
    let mut people: Vec<Client> = (0..3).map(|at| all.nodes[at].register(names[at])).collect();
    all.ways.iter().for_each(Relay::cut);
    all.nodes.iter().for_each(|node| node.until_logged(AWAY));
    (0..3).for_each(|at| assert_eq!(all.turned_away(at), "BYE unavailable\n"));
    let before: u64 = all.nodes.iter().map(refused).sum();
    let sent = thread::scope(|scope| {
        let sending =
            scope.spawn(|| said(&run(&mut all.papo(&[0, 1, 2], &["send", "ana", "hello"]))));
        // It was at each of them, and comes again.
        let began = Instant::now();
        while all.nodes.iter().map(refused).sum::<u64>() < before + 3 {
            assert!(began.elapsed() < PATIENCE, "it does not try them all");
        }
        all.ways.iter().for_each(Relay::mend);
        sending.join().unwrap()
    });
    assert_eq!(id(&people[0].until("MSG ").pop().unwrap()).to_string(), sent.trim());
    (0..3).for_each(|at| all.has_said_both_once(at));
    for at in 0..3 {
        people[at].send(names[(at + 1) % 3], "still here");
    }
    drop(people);
    all.stop();
}

#[test]
fn only_a_question_that_is_asked_again_has_no_answer() {
    let way = Relay::to(cluster());
    let url = way.url(&cluster().make_database());
    let url = PgUrl::parse(url.to_str().unwrap()).unwrap();
    let (database, _writer) = PgDatabase::open(&url).unwrap();
    let (maintenance, mut reader) = (database.maintenance(), database.reader());
    reader.begin(Effort::Full).unwrap();
    reader.newest().unwrap();
    way.reset();
    // Broken off halfway, it has failed.
    assert!(reader.newest().is_err());
    assert_eq!(maintenance.unanswered_since(), None);
    way.cut();
    thread::scope(|scope| {
        let asking = scope.spawn(|| reader.begin(Effort::Full).unwrap());
        let began = Instant::now();
        while maintenance.unanswered_since().is_none() {
            assert!(began.elapsed() < PATIENCE, "it is not known that nothing comes");
            thread::yield_now();
        }
        way.mend();
        asking.join().unwrap();
    });
    assert_eq!(maintenance.unanswered_since(), None);
}
