//! A part of `cluster`: the leader is killed, and the sessions on the other nodes go on. How long after
//! that one on each node gets its first `OK`, for what it says as soon as its node knows; and until
//! all are seated with the new leader, and live; with few sessions and with many. Nodes are as many
//! as it takes, since each may have only so many files, and so are the processes that hold the
//! sessions.

use std::thread;
use std::time::{Duration, Instant};

use super::cluster::{Processes, imported, leader_on, spent};
use crate::child::Server;
use crate::cluster::Cluster;
use crate::crowd::{self, actor, token};
use crate::idle_sessions::IdleSessions;
use crate::machine;
use crate::net::{Net, Outputs, Peer};
use crate::people::{ask, connect, message};
use crate::report::Subject;
use crate::sharing::together;
use crate::{Bench, Outcome};

const FEW: usize = 10;
const MANY: usize = 100_000;
const MANY_IF_QUICK: usize = 2_000;
/// Nodes beside the leader: two at least, so that one leads and one joins it.
const NODES: (usize, usize) = (2, 8);
/// Sessions of a node at most: papod lets in 20,000 by default, and has files beside them.
const AT_A_NODE: usize = 19_000;
const OTHER_FILES: usize = 200;
/// Time for all sessions to be live again.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked whether they are.
const LOOK: Duration = Duration::from_millis(5);

/// Kills leaders of a new database each.
pub fn take_over(bench: &mut Bench, primary: &Cluster) -> Outcome<()> {
    let many = if bench.quick { MANY_IF_QUICK } else { MANY };
    for (what, wanted) in [("few sessions", FEW), ("many sessions", many)] {
        let most = AT_A_NODE.min(bench.open_files.saturating_sub(OTHER_FILES)).max(1);
        let nodes = wanted.div_ceil(most).clamp(NODES.0, NODES.1);
        let each = wanted.div_ceil(nodes).min(most);
        if nodes * each < wanted {
            eprintln!("bench: {} sessions only; see ulimit -n", nodes * each);
        }
        go_on(bench, primary, what, nodes, each)?;
    }
    Ok(())
}

/// Kills the leader while each of so many other nodes has so many sessions.
fn go_on(
    bench: &mut Bench,
    primary: &Cluster,
    what: &str,
    count: usize,
    each: usize,
) -> Outcome<()> {
    let (all, cores) = (count * each, bench.all_cores());
    *bench.starts += 1;
    let file = bench.folder.join(format!("actors-{}.db", bench.starts));
    crowd::make_actors(&file, all)?;
    let url = imported(bench, primary, &file)?;
    let leader = leader_on(bench, &url)?;
    let mut nodes = Vec::with_capacity(count);
    for _ in 0..count {
        let node = bench.papod_on(Some(&url), &cores)?;
        node.until_said("has joined")?;
        nodes.push(node);
    }
    let first = |node: usize| actor(node * each);
    let mut net = Net::new()?;
    let mut asking = Vec::with_capacity(count);
    for (at, node) in nodes.iter().enumerate() {
        let slots = connect(&mut net, node.address, 1)?;
        ask(
            &mut net,
            &slots,
            |_| format!("LOGIN {0} {1}\n", first(at), token(&first(at))),
            "LIVE",
        )?;
        asking.extend(slots);
    }
    let mut servers = vec![&leader];
    servers.extend(&nodes);
    let memory = |server: &&Server| machine::rss(server.pid());
    let before = servers.iter().map(memory).collect::<Outcome<Vec<_>>>()?;
    let mut idle = Vec::with_capacity(count);
    for (at, node) in nodes.iter().enumerate() {
        idle.push(IdleSessions::start(node.address, at * each + 1, each - 1, &cores)?);
    }
    idle.iter_mut().try_for_each(IdleSessions::until_in)?;
    let after = servers.iter().map(memory).collect::<Outcome<Vec<_>>>()?;
    let grown: Vec<f64> = after.iter().zip(&before).map(|(after, before)| after - before).collect();
    let at_nodes: f64 = grown[1..].iter().sum();

    // What was in the log of the import, and of the logins, is on the disk by then.
    thread::sleep(Duration::from_secs(1));
    let papods: Processes = ("papods", nodes.iter().map(Server::pid).collect());
    let cpu = spent(&papods);
    net.wait_anew();
    let began = Instant::now();
    leader.kill();
    let mut waiting = Waiting { asking, asked: vec![false; count], began, answered: Vec::new() };
    let standing = thread::scope(|scope| {
        let watching = scope.spawn(|| watch(&nodes, all, began).map_err(|e| e.to_string()));
        while waiting.answered.len() < count {
            for (at, node) in nodes.iter().enumerate() {
                // Whoever had a command under way with the leader may lose the connection.
                if !waiting.asked[at] && node.has_said("has lost the leader") {
                    waiting.asked[at] = true;
                    // To somebody on the next node.
                    let to = message(&first((at + 1) % count));
                    net.out.to(waiting.asking[at]).extend(to);
                }
            }
            net.turn(&mut waiting, Duration::from_millis(1))?;
        }
        watching.join().map_err(|_| "the thread that watches has ended")?.map_err(Into::into)
    });
    let said = || nodes.iter().map(Server::said).collect::<String>();
    let [seated, live] =
        standing.map_err(|e: Box<dyn std::error::Error>| format!("{e}\n{}", said()))?;
    let cpu = spent(&papods) - cpu;
    let kept: usize = idle.iter_mut().map(IdleSessions::count).sum::<Outcome<usize>>()?;
    if kept + count != all {
        return Err(format!("{} sessions were lost", all - count - kept).into());
    }

    let what = format!("leader killed, {what}");
    let (firsts, lasts) = (waiting.answered.first(), waiting.answered.last());
    let (Some(first), Some(last)) = (firsts, lasts) else { return Err("all were asked".into()) };
    let mut note = |of: &str, unit, value| {
        bench.note(Subject::Papod, &format!("{what}: {of}"), unit, value);
    };
    note("number of them", "", all as f64);
    note("nodes beside it", "", count as f64);
    let times = [
        ("first OK", *first),
        ("first OK at every node", *last),
        ("all with the new leader", seated),
        ("all live again", live),
    ];
    for (of, time) in times {
        note(of, "ms", time.as_secs_f64() * 1e3);
    }
    note("CPU of papods until then", "ms", cpu * 1e3);
    if all > FEW {
        note("memory of a session at its node", "KiB", at_nodes / (all - count) as f64);
        note("memory of a session at the leader", "KiB", grown[0] / (all - count) as f64);
    }
    drop(idle);
    drop(nodes);
    primary.drop_database(url.rsplit('/').next().unwrap_or_default());
    Ok(())
}

/// How long it takes until all are seated with the node that leads now, and until all are live.
fn watch(nodes: &[Server], all: usize, began: Instant) -> Outcome<[Duration; 2]> {
    let names = [
        "papod_leader",
        "papod_sessions_logged_in",
        "papod_nodes_sessions",
        "papod_sessions_behind",
    ];
    let mut seated = None;
    while began.elapsed() < PATIENCE {
        if let Some(leader) = nodes.iter().find(|node| node.has_said("this node leads")) {
            let [leads, own, others, behind] = together(leader, names)?;
            let now = began.elapsed();
            if leads > 0.0 && (own + others) as usize == all {
                let seated = *seated.get_or_insert(now);
                if behind == 0.0 {
                    return Ok([seated, now]);
                }
            }
        }
        thread::sleep(LOOK);
    }
    Err("not all sessions are live again".into())
}

struct Waiting {
    /// The session of each node that asks, and whether it has.
    asking: Vec<usize>,
    asked: Vec<bool>,
    began: Instant,
    answered: Vec<Duration>,
}

impl Peer for Waiting {
    fn line(&mut self, at: usize, now: Instant, line: &[u8], _: &mut Outputs) -> Outcome<()> {
        if self.asking.contains(&at) && line.starts_with(b"OK MSG ") {
            self.answered.push(now - self.began);
        }
        Ok(())
    }
}
