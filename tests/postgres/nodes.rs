//! Several papods on one database: what people on different nodes notice of each other, and that
//! nothing is lost or said twice when nodes and servers fail. `PAPO_ROUNDS` sets how often each part
//! fails, 1 if it is not set.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use papo::config::Standby;
use papo::store::Candidate;
use papo::store::postgres::{PgDatabase, PgUrl};
use rustix::process::Signal;

use crate::cluster::{cluster, url};
use crate::machines::start_nodes;
use crate::process::unix::over;
use crate::process::{Client, Home, PASSWORD, PATIENCE, Papod, id};
use crate::relay::Relay;
use crate::server_pair::ServerPair;
use crate::team::{Enough, People, Team};

/// How many people write at once, and how many sessions read.
const WRITERS: usize = 6;
const READERS: usize = 3;

#[test]
fn people_on_different_nodes_notice_nothing() {
    let db = PathBuf::from(cluster().database());
    let nodes = start_nodes::<3>(|_| Papod::start(&db));
    let mut ana = nodes[0].register("ana");
    let mut bob = nodes[1].register("bob");
    let mut cid = nodes[2].register("cid");
    // To and from the leader, and between two that do not lead.
    for (from, to, name, other) in
        [(0, 1, "ana", "bob"), (1, 0, "bob", "ana"), (1, 2, "bob", "cid"), (2, 1, "cid", "bob")]
    {
        let all = [&mut ana, &mut bob, &mut cid];
        let id = all[from].send(other, "hello");
        let heard = all[to].line();
        assert!(heard.starts_with(&format!("MSG {id} ")) && heard.contains(name), "{heard}");
        all[from].say(&format!("WAIT {id} read 20"));
        all[to].say("READ");
        all[to].until("OK READ");
        let heard = all[from].until("OK WAIT");
        assert!(heard.iter().any(|line| line.starts_with("READ ")), "{heard:?}");
    }
    // Who is online is known everywhere, and not before their time.
    cid.say("FIND ana");
    assert!(cid.line().contains(" online "));
    cid.until("OK FIND");
    drop(ana);
    nodes[0].until_logged("logout");
    cid.say("FIND ana");
    assert!(cid.line().contains(" offline "));
    cid.until("OK FIND");
    // A revoked key ends its sessions, wherever they are.
    bob.say("TOKEN NEW desk");
    let token = bob.until("OK TOKEN NEW").pop().unwrap();
    let token = token.split(' ').nth(4).unwrap().to_owned();
    let mut desk = nodes[2].login_quietly_as("bob", &token);
    let mut other = nodes[0].login_quietly("bob");
    bob.say("TOKEN DEL desk");
    bob.until("OK TOKEN DEL");
    assert_eq!(desk.rest(), ["BYE kicked"]);
    bob.say(&format!("PASSWD {PASSWORD} another-horse"));
    bob.until("OK PASSWD");
    assert_eq!(other.rest(), ["BYE kicked"]);
    bob.has_heard_all();
    let log = nodes[0].log();
    assert!(log.contains("token-del session="), "{log}");
    nodes.into_iter().rev().for_each(Papod::stop);
}

#[test]
fn a_reader_on_another_node_that_does_not_read_misses_nothing() {
    let db = PathBuf::from(cluster().database());
    let nodes = start_nodes::<2>(|_| Papod::start_with(&db, ["--limit-waiting", "4096"]));
    let mut bob = nodes[1].register("bob");
    let mut ana = nodes[0].register("ana");
    let text = "x".repeat(2000);
    let sent: Vec<u64> = (0..1_000).map(|_| ana.send("bob", &text)).collect();
    let told: Vec<u64> = (0..sent.len()).map(|_| id(&bob.until("MSG ").pop().unwrap())).collect();
    assert_eq!(told, sent);
    bob.has_heard_all();
    nodes.into_iter().rev().for_each(Papod::stop);
}

#[test]
fn a_session_whose_key_was_revoked_while_it_had_no_leader_is_ended() {
    let shared = cluster();
    let name = shared.make_database();
    let db = PathBuf::from(url(&[shared], &name));
    let mut first = Papod::start(&db);
    first.until_logged("this node leads");
    let second = Papod::start(&db);
    let mut ana = second.register("ana");
    let mut bob = second.register("bob");
    // The leader records it, and is gone before it can tell anybody.
    first.signal(Signal::STOP);
    let revoked = "WITH revoked AS (UPDATE account SET secret = 'another' WHERE handle = 'ana')
        UPDATE leader SET batch = batch + 1";
    assert!(shared.run(&name, revoked));
    first.kill();
    assert_eq!(ana.rest(), [""; 0]);
    bob.has_heard_all();
    bob.send("bob", "stays");
    second.stop();
}

#[test]
fn a_leader_that_was_superseded_goes_on() {
    let db = PathBuf::from(cluster().database());
    let first = Papod::start(&db);
    first.until_logged("this node leads");
    let mut second = Papod::start(&db);
    let mut ana = first.register("ana");
    let mut cid = first.register("cid");
    let mut bob = second.register("bob");
    let id = ana.send("bob", "before");
    assert!(bob.line().ends_with(" before"));
    ana.say(&format!("WAIT {id} read 60"));
    // What ana asks comes before this.
    cid.say("FIND ana");
    cid.until("OK FIND");
    first.signal(Signal::STOP);
    second.until_logged("this node leads");
    bob.send("ana", "meanwhile");
    bob.say(&format!("READ {id}"));
    bob.until("OK READ");
    cid.say("MSG bob typed meanwhile");
    first.signal(Signal::CONT);
    // Nobody was connected anew, nothing is missing, and what was typed is done by the new leader.
    let mut heard = Vec::new();
    let wanted = |line: &String| {
        line.starts_with("OK WAIT ") || line.starts_with("READ ") || line.ends_with(" meanwhile")
    };
    while heard.iter().filter(|line| wanted(line)).count() < 3 {
        heard.push(ana.line());
    }
    assert!(cid.line().starts_with("OK MSG "));
    assert!(bob.until("MSG ").pop().unwrap().ends_with(" typed meanwhile"));
    ana.has_heard_all();
    // A password that was changed meanwhile is known.
    let mut desk = second.login_quietly("cid");
    desk.say(&format!("PASSWD {PASSWORD} another-horse"));
    desk.until("OK PASSWD");
    assert_eq!(cid.rest(), ["BYE kicked"]);
    // It leads again when its turn comes.
    second.signal(Signal::TERM);
    assert_eq!(second.wait().code(), Some(0), "{}", second.log());
    ana.send("bob", "after");
    ana.has_heard_all();
    assert_eq!(first.log().matches("this node leads").count(), 2, "{}", first.log());
    drop(ana);
    first.stop();
}

/// Asks an operator's question, and returns the answer.
fn asked(home: &Home, at: usize, what: &str) -> Vec<String> {
    over(&home.path().join(format!("admin{at}.sock")), what)
}

#[test]
fn operators_see_all_nodes() {
    let home = Home::new();
    let db = PathBuf::from(cluster().database());
    let mut nodes = start_nodes::<3>(|at| {
        let admin = home.path().join(format!("admin{at}.sock"));
        Papod::start_with(&db, ["--admin", admin.to_str().unwrap()])
    });
    let mut first = nodes[0].register("w0");
    let _others = [1, 2].map(|at: usize| nodes[at].register(&format!("w{at}")));
    let mut other = nodes[1].login_quietly("w0");
    for at in 0..3 {
        let rows = asked(&home, at, "ADMIN SESSIONS");
        // Their four, and the operator, who is on this one.
        assert_eq!(rows.last().unwrap(), "OK ADMIN SESSIONS 5", "{rows:?}");
        let numbers: BTreeSet<&str> =
            rows[..5].iter().map(|row| row.split(' ').nth(1).unwrap()).collect();
        assert_eq!(numbers.len(), 5, "{rows:?}");
        let of = |handle: &str| rows.iter().filter(|row| row.contains(handle)).count();
        assert_eq!([of(" w0 "), of(" w1 "), of(" w2 "), of(" - ")], [2, 1, 1, 1], "{rows:?}");
        let stats = asked(&home, at, "ADMIN STATS");
        for row in ["STAT registrations 3", "STAT leader 1", "STAT nodes 3", "STAT term 1"] {
            assert!(stats.iter().any(|said| said == row), "{row}: {stats:?}");
        }
        let listed = asked(&home, at, "ADMIN USERS");
        let counts: Vec<&str> = listed.iter().filter_map(|row| row.split(' ').nth(4)).collect();
        assert_eq!(counts, ["2", "1", "1", "end"], "{listed:?}");
        let shown = asked(&home, at, "ADMIN USER SHOW w0");
        let sessions = shown.iter().filter(|row| row.starts_with("SESSION ")).count();
        assert_eq!(sessions, 2, "{shown:?}");
    }
    assert_eq!(asked(&home, 2, "ADMIN KICK w0"), ["OK ADMIN KICK 2"]);
    assert_eq!(other.rest(), ["BYE kicked"]);
    assert_eq!(first.rest(), ["BYE kicked"]);
    // One that does not answer is not waited for for ever.
    nodes[2].signal(Signal::STOP);
    let rows = asked(&home, 1, "ADMIN SESSIONS");
    assert!(rows.last().unwrap().starts_with("OK ADMIN SESSIONS "), "{rows:?}");
    let of = |handle: &str| rows.iter().filter(|row| row.contains(handle)).count();
    assert_eq!([of(" w1 "), of(" w2 ")], [1, 0], "{rows:?}");
    nodes[2].kill();
}

#[test]
fn what_is_read_only_stays_so_whoever_leads() {
    let home = Home::new();
    let db = PathBuf::from(cluster().database());
    let start = |at: usize| {
        let admin = home.path().join(format!("admin{at}.sock"));
        Papod::start_with(&db, ["--admin", admin.to_str().unwrap()])
    };
    let mut first = start(0);
    first.until_logged("this node leads");
    let mut second = start(1);
    let mut bob = second.register("bob");
    let refused = |client: &mut Client, what: &str| {
        client.say(what);
        let answer = client.line();
        assert!(answer.contains(" storage the server is read-only "), "{answer}");
    };
    assert_eq!(asked(&home, 1, "ADMIN READONLY on"), ["OK ADMIN READONLY on"]);
    refused(&mut bob, "PUT AAAA");
    // One that comes later knows it, and so do those that remain.
    let third = start(2);
    let mut late = third.login_quietly("bob");
    refused(&mut late, "PUT AAAA");
    // What is on its way to a leader that is killed ends its session.
    let until = |node: &Papod, says: &str, times: usize| {
        let began = Instant::now();
        while node.log().matches(says).count() < times {
            assert!(began.elapsed() < PATIENCE, "{says}: {}", node.log());
            thread::sleep(Duration::from_millis(1));
        }
    };
    first.kill();
    until(&second, "has lost the leader", 1);
    refused(&mut bob, "MSG bob hello");
    first = start(0);
    let mut here = first.login_quietly("bob");
    // One of the two others leads by now.
    let leads = second.log().contains("this node leads");
    if leads {
        until(&third, "has joined the leader", 2);
    }
    second.kill();
    until(&third, "has lost the leader", 1 + usize::from(leads));
    refused(&mut late, "MSG bob hello");
    assert_eq!(asked(&home, 2, "ADMIN READONLY off"), ["OK ADMIN READONLY off"]);
    late.send("bob", "hello");
    here.send("bob", "hello again");
    drop(bob);
    first.stop();
    third.stop();
}

#[test]
fn guesses_are_counted_over_all_nodes() {
    let db = PathBuf::from(cluster().database());
    let nodes = start_nodes::<3>(|_| Papod::start(&db));
    drop(nodes[0].register("ana"));
    // Six may be wrong in a row. With the seventh it is asked to wait.
    let guess = |at: usize| {
        let mut client = nodes[at % 3].connect();
        let began = Instant::now();
        client.say("LOGIN ana wrong-horse");
        assert!(client.line().starts_with("ERR LOGIN wrong-secret"));
        // Each node has heard of it when this is answered.
        drop(nodes[at % 3].register(&format!("next{at}")));
        began.elapsed()
    };
    let waits: Vec<Duration> = (0..10).map(guess).collect();
    let least: Duration = waits[6..].iter().sum();
    assert!(least > Duration::from_millis(250 + 500 + 1000), "{waits:?}");
}

/// Has people write and read on three nodes until `meanwhile` returns, and checks what has become of
/// it: what was confirmed is in the log once, and nothing else is, and each reader was sent all.
fn under_load(urls: Vec<PathBuf>, meanwhile: impl FnOnce(&mut Team)) {
    let nodes = Vec::from(start_nodes::<3>(|at| Papod::start(&urls[at])));
    drop(nodes[0].register("bob"));
    (0..WRITERS).for_each(|n| drop(nodes[n % 3].register(&format!("w{n}"))));
    let addresses = Mutex::new(nodes.iter().map(|node| node.address).collect());
    let (enough, confirmed) = Default::default();
    let people = &People { addresses, enough, confirmed, patience: PATIENCE };
    let mut team = Team { urls, nodes, people };
    let (written, read) = thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS).map(|n| scope.spawn(move || people.write(n))).collect();
        let readers: Vec<_> = (0..READERS).map(|n| scope.spawn(move || people.read(n))).collect();
        let enough = Enough(&people.enough);
        people.progress(50);
        meanwhile(&mut team);
        people.progress(50);
        drop(enough);
        let written: Vec<_> = writers.into_iter().map(|it| it.join().unwrap()).collect();
        let last = people.log_in(&mut 0, "w0", " quiet").send("bob", "that is all");
        let read: Vec<_> = readers.into_iter().map(|it| it.join().unwrap()).collect();
        (written, read.into_iter().map(|all| (all, last)).collect::<Vec<_>>())
    });
    let mut all = BTreeSet::new();
    let mut bob = people.log_in(&mut 0, "bob", " quiet");
    eprintln!("{} messages were confirmed", people.count());
    for (n, confirmed) in written.into_iter().enumerate() {
        let log = bob.history(&format!("w{n}"), 0).into_iter().map(|entry| (entry.id, entry.body));
        let log: Vec<_> = log.filter(|(_, body)| body != "that is all").collect();
        assert_eq!(log, confirmed, "of w{n}");
        all.extend(confirmed.into_iter().map(|(id, _)| id));
    }
    for (mut seen, last) in read {
        seen.remove(&last);
        assert_eq!(seen, all);
    }
    drop(bob);
    std::mem::take(&mut team.nodes).into_iter().rev().for_each(Papod::stop);
}

/// How often each part fails.
pub fn rounds() -> usize {
    std::env::var("PAPO_ROUNDS").map_or(1, |count| count.parse().expect("a number"))
}

#[test]
fn nodes_are_killed_and_stopped_under_load() {
    let db = PathBuf::from(cluster().database());
    under_load(vec![db; 3], |team| {
        for _ in 0..rounds() {
            let at = team.leader(cluster());
            team.nodes[at].kill();
            let pause = team.people.progress(50);
            eprintln!("leader killed: nothing was confirmed for {pause:.1?}");
            team.replace(at);

            let at = team.leader(cluster());
            let began = Instant::now();
            team.nodes[at].signal(Signal::STOP);
            while team.leader(cluster()) == at {
                assert!(began.elapsed() < PATIENCE, "nobody takes over");
            }
            eprintln!("leader stopped: another leads after {:.1?}", began.elapsed());
            // It was superseded, and goes on. All people may have been there.
            team.nodes[at].signal(Signal::CONT);
            team.people.progress(50);

            let at = (team.leader(cluster()) + 1) % 3;
            team.nodes[at].kill();
            let pause = team.people.progress(50);
            eprintln!("another node killed: for {pause:.1?}");
            team.replace(at);
            team.people.progress(50);

            // In good order.
            let at = team.leader(cluster());
            team.nodes[at].signal(Signal::TERM);
            assert_eq!(team.nodes[at].wait().code(), Some(0), "{}", team.nodes[at].log());
            let pause = team.people.progress(50);
            eprintln!("leader ended: for {pause:.1?}");
            team.replace(at);
        }
    });
}

#[test]
fn nodes_lose_their_way_to_the_database_under_load() {
    let name = cluster().make_database();
    let relays = [(); 3].map(|()| Relay::to(cluster()));
    under_load(relays.iter().map(|relay| relay.url(&name)).collect(), |team| {
        for _ in 0..rounds() {
            let at = team.leader(cluster());
            relays[at].cut();
            let began = Instant::now();
            while team.leader(cluster()) == at {
                assert!(began.elapsed() < PATIENCE, "nobody takes over");
            }
            eprintln!("leader cut off: another leads after {:.1?}", began.elapsed());
            team.people.progress(50);
            relays[at].mend();
            team.people.progress(50);

            // It finds the database again before anybody takes its place, or does not.
            let at = team.leader(cluster());
            relays[at].reset();
            let pause = team.people.progress(50);
            eprintln!("leader reset: nothing was confirmed for {pause:.1?}");

            let at = (team.leader(cluster()) + 1) % 3;
            relays[at].cut();
            team.people.progress(5);
            relays[at].reset();
            relays[at].mend();
            team.people.progress(50);
        }
        // None of them had to be started again.
        assert!(team.nodes.iter_mut().all(Papod::runs));
    });
    cluster().drop_database(&name);
}

#[test]
fn primaries_fail_under_three_nodes() {
    let mut servers = ServerPair::start(1);
    under_load(vec![servers.url(0); 3], |team| {
        let before: Vec<u32> = team.nodes.iter().map(Papod::id).collect();
        for round in 0..rounds() {
            let (is_frozen, from) = (round % 2 == 1, team.people.count());
            if is_frozen {
                servers.primary().signal(Signal::STOP);
            } else {
                servers.primary_mut().kill();
            }
            let began = Instant::now();
            servers.promote();
            let promoted = began.elapsed();
            if is_frozen {
                // It believes that it still is the primary, and ends when there is a new standby.
                servers.other().signal(Signal::CONT);
            }
            servers.new_standby();
            let pause = team.people.progress_from(from, 50);
            let how = if is_frozen { "frozen" } else { "killed" };
            eprintln!("primary {how}, promoted in {promoted:.1?}: for {pause:.1?}");
        }
        assert!(team.nodes.iter_mut().all(Papod::runs));
        assert_eq!(team.nodes.iter().map(Papod::id).collect::<Vec<_>>(), before);
    });
}

/// Whoever promotes the standby has not ended it, and its commits wait for a standby for ever.
#[test]
fn a_primary_that_was_left_behind_still_runs() {
    let mut servers = ServerPair::start(1);
    let mut next = None;
    under_load(vec![servers.url(0); 3], |team| {
        servers.other().detach();
        let from = team.people.count();
        servers.promote();
        next = Some(servers.primary().standby());
        let pause = team.people.progress_from(from, 50);
        eprintln!("primary left behind: for {pause:.1?}");
        // The next leader finds the primary as well.
        let leader = team.leader(servers.primary());
        team.nodes[leader].signal(Signal::STOP);
        team.people.progress(50);
        team.nodes[leader].signal(Signal::CONT);
        team.people.progress(50);
    });
    drop(next);
}

/// And then nobody is told so by the leader, which is frozen.
#[test]
fn a_frozen_leader_on_a_primary_that_was_left_behind_is_replaced() {
    let mut servers = ServerPair::start(1);
    let mut next = None;
    under_load(vec![servers.url(0); 3], |team| {
        let leader = team.leader(servers.primary());
        servers.other().detach();
        let from = team.people.count();
        team.nodes[leader].signal(Signal::STOP);
        servers.promote();
        next = Some(servers.primary().standby());
        let pause = team.people.progress_from(from, 50);
        eprintln!("primary left behind, leader frozen: for {pause:.1?}");
        team.nodes[leader].signal(Signal::CONT);
        team.people.progress(50);
    });
    drop(next);
}

#[test]
fn who_comes_too_late_to_lead_ends_nobody() {
    let url = PgUrl::parse(cluster().database().as_str()).unwrap();
    let (_database, _silent) = PgDatabase::open(&url).unwrap();
    let mut nodes = [(); 2].map(|()| PgDatabase::join(&url, Standby::Warn).unwrap().1);
    for (at, node) in nodes.iter_mut().enumerate() {
        node.announce(&format!("node{at}:1"), b"").unwrap();
        assert!(node.look().unwrap().is_there);
    }
    let [first, late] = &mut nodes;
    let mut leading = first.take().unwrap().unwrap();
    assert!(late.take().unwrap().is_none());
    let term = leading.last().term;
    leading.record(&[]).unwrap();
    assert_eq!(leading.last().term, term, "it had to begin another term");
}
