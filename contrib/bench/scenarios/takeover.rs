//! A part of `cluster`: the leader is killed, and sessions on two other nodes go on. How long after
//! that one on each of them gets its first `OK`, for what it says as soon as its node knows, with few
//! sessions there and with as many as this process may have.

use std::time::{Duration, Instant};

use super::cluster::leader_on;
use crate::child::Server;
use crate::cluster::{self, Cluster};
use crate::net::{Net, Outputs, Peer};
use crate::people::{enter, message};
use crate::report::Subject;
use crate::{Bench, Outcome};

const FEW: usize = 10;
const MANY: usize = 100_000;
const MANY_IF_QUICK: usize = 2_000;

/// Kills leaders of a new database each.
pub fn take_over(bench: &mut Bench, primary: &Cluster) -> Outcome<()> {
    let many = bench.connections(if bench.quick { MANY_IF_QUICK } else { MANY }) / 2 * 2;
    for (what, count) in [("few sessions", FEW), ("many sessions", many)] {
        let name = primary.make_database();
        let [first, last] = go_on(bench, &cluster::url(&[primary], &name), count)?;
        primary.drop_database(&name);
        let what = format!("leader killed, {what}");
        bench.note(Subject::Papod, &format!("{what}: number of them"), "", count as f64);
        for (place, time) in [("first OK", first), ("first OK at the other node", last)] {
            let time = time.as_secs_f64() * 1e3;
            bench.note(Subject::Papod, &format!("{what}: {place}"), "ms", time);
        }
    }
    Ok(())
}

/// Kills the leader under so many sessions on two other nodes, and returns when one of each was
/// answered.
fn go_on(bench: &mut Bench, url: &str, sessions: usize) -> Outcome<[Duration; 2]> {
    let leader = leader_on(bench, url)?;
    let node = |bench: &mut Bench| -> Outcome<Server> {
        let node = bench.papod_on(Some(url), &bench.all_cores())?;
        node.until_said("has joined")?;
        Ok(node)
    };
    let nodes = [node(bench)?, node(bench)?];
    let mut net = Net::new()?;
    let (mut asking, mut all) = ([0; 2], Vec::new());
    for (node, asking) in nodes.iter().zip(&mut asking) {
        let people = bench.handles(&format!("on{}.", all.len()), sessions / 2);
        *asking = enter(&mut net, node.address, &people)?[0];
        all.extend(people);
    }
    let began = Instant::now();
    leader.kill();
    // Whoever had a command under way with the leader may lose the connection.
    for node in &nodes {
        node.until_said("has lost the leader")?;
    }
    for at in asking {
        // To somebody on the second node.
        net.out.to(at).extend(message(&all[sessions - 1]));
    }
    let mut waiting = Waiting { asking, began, answered: Vec::new() };
    net.until(&mut waiting, |waiting| waiting.answered.len() == 2)?;
    let [first, last] = *waiting.answered else { return Err("two were asked".into()) };
    Ok([first, last])
}

struct Waiting {
    asking: [usize; 2],
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
