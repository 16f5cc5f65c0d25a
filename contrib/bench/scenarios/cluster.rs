//! `cluster`: papod on PostgreSQL that waits for a synchronous standby, and on SQLite. The load of
//! `send-plain` and then of `ping-pong`: on SQLite; on the node that leads, while it is the only one;
//! and on another node. And what bare PostgreSQL does with batches as large as papod's were. And how
//! soon another node leads (`takeover`).
//!
//! Everything shares all cores: papod, PostgreSQL and its standby, of which each would have a machine
//! of its own. So it is the ratios that mean something.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use rustix::process::Pid;

use super::Scenario;
use super::ping_pong::play;
use super::send::{PAIRS, Pairs};
use super::takeover::take_over;
use crate::child::Server;
use crate::cluster::{self, Cluster};
use crate::machine::{self, Meter};
use crate::net::Net;
use crate::people::enter;
use crate::report::Subject;
use crate::sharing::metric;
use crate::{Bench, Outcome};

pub const SCENARIO: Scenario =
    Scenario { name: "cluster", about: "PostgreSQL with a synchronous standby", large: false, run };

/// Where the senders are.
const SQLITE: &str = "on SQLite";
const LEADER: &str = "on PostgreSQL";
const OTHER: &str = "through another node";

fn run(bench: &mut Bench) -> Outcome<()> {
    if let Some(why) = lacks(bench) {
        return bench.leave_out(why);
    }
    let cores = bench.all_cores();
    let papod = bench.papod_on(None, &cores)?;
    load(bench, SQLITE, [&papod; 2], &|| vec![("papod", vec![papod.pid()])])?;
    drop(papod);

    let [primary, standby] = servers(bench)?;
    let with_servers = |mut all: Vec<Processes>| {
        all.extend([("PostgreSQL", primary.children()), ("its standby", standby.children())]);
        all
    };
    let new = |name: &str| cluster::url(&[&primary], name);

    // Each begins on a new database, with nothing left to index or to tidy up.
    let alone = primary.make_database();
    let leader = leader_on(bench, &new(&alone))?;
    let processes = || with_servers(vec![("papod", vec![leader.pid()])]);
    let batch = load(bench, LEADER, [&leader; 2], &processes)?;
    drop(leader);
    primary.drop_database(&alone);
    bare(bench, LEADER, &primary, batch)?;

    let shared = primary.make_database();
    let leader = leader_on(bench, &new(&shared))?;
    let other = bench.papod_on(Some(&new(&shared)), &cores)?;
    leader.until_said("has joined")?;
    let processes = || {
        let nodes = [("papod", &leader), ("the other papod", &other)];
        with_servers(nodes.map(|(name, node)| (name, vec![node.pid()])).into())
    };
    let batch = load(bench, OTHER, [&other, &leader], &processes)?;
    // Whoever does not lead ends first, so that nobody takes over.
    drop(other);
    drop(leader);
    primary.drop_database(&shared);
    bare(bench, OTHER, &primary, batch)?;
    take_over(bench, &primary)
}

/// papod that leads on a new database.
pub fn leader_on(bench: &mut Bench, url: &str) -> Outcome<Server> {
    let leader = bench.papod_on(Some(url), &bench.all_cores())?;
    leader.until_said("this node leads")?;
    Ok(leader)
}

/// Notes what PostgreSQL does with batches of this size.
fn bare(bench: &mut Bench, what: &str, primary: &Cluster, batch: usize) -> Outcome<()> {
    if bench.limits().is_empty() {
        return Ok(());
    }
    let name = primary.make_database();
    let url = cluster::url(&[primary], &name);
    let (rate, cpu) = bench.postgres(&url, batch, &bench.all_cores())?;
    bench.note(Subject::Postgres, &confirmed(what), "/s", rate);
    bench.note(Subject::Postgres, &cpu_each(what, "papod"), "µs", cpu * 1e6);
    primary.drop_database(&name);
    Ok(())
}

/// A primary whose commits wait for its standby, both on all cores and with their data on the disk
/// that is measured.
fn servers(bench: &Bench) -> Outcome<[Cluster; 2]> {
    let primary = server(bench, &["synchronous_standby_names=*"])?;
    machine::pin(&bench.all_cores())?;
    let standby = primary.standby();
    machine::pin(&[bench.load_core])?;
    let waits = "SELECT count(*) = 1 FROM pg_stat_replication WHERE sync_state = 'sync'";
    primary.until("postgres", waits);
    Ok([primary, standby])
}

/// A PostgreSQL on all cores, with its data on the disk that is measured.
pub fn server(bench: &Bench, settings: &[&str]) -> Outcome<Cluster> {
    let disk = bench.folder.join("postgres");
    fs::create_dir_all(&disk)?;
    cluster::open_to_all(&disk);
    // It may run as another user.
    for folder in bench.folder.ancestors().take(2) {
        fs::set_permissions(folder, Permissions::from_mode(0o711))?;
    }
    machine::pin(&bench.all_cores())?;
    let server = Cluster::start_on_disk(&disk, settings);
    machine::pin(&[bench.load_core])?;
    Ok(server)
}

/// A new database of this server with what is in a file of papo's.
pub fn imported(bench: &Bench, server: &Cluster, file: &Path) -> Outcome<String> {
    let url = cluster::url(&[server], &server.make_database());
    let mut import = Command::new(bench.program);
    let output = import.arg("--import").arg(file).args(["--db", &url]).output()?;
    match output.status.success() {
        true => Ok(url),
        false => Err(String::from_utf8_lossy(&output.stderr).into()),
    }
}

/// Why nothing is measured on PostgreSQL, if nothing is.
pub fn lacks(bench: &Bench) -> Option<&'static str> {
    if bench.subject == Subject::Other && !bench.is_named {
        Some("the other papod may have no PostgreSQL")
    } else if !cfg!(feature = "postgres") {
        Some("this papod has no PostgreSQL: cargo bench --features postgres")
    } else if !cluster::is_installed() {
        Some("PostgreSQL is not installed: apt-get install postgresql")
    } else {
        None
    }
}

/// Puts one message at a time on a node; then the load of `send-plain`, with those who receive on
/// the node that leads. Gives back how many messages were in a commit.
fn load(
    bench: &mut Bench,
    what: &str,
    [node, leader]: [&Server; 2],
    processes: &dyn Fn() -> Vec<Processes>,
) -> Outcome<usize> {
    let failed = |e| format!("{what}: {e}\n{}{}", node.said(), leader.said());
    let game = play(bench, node.address).map_err(failed)?;
    bench.latencies(Subject::Papod, &format!("{what}: one message to OK"), &game.to_ok);
    Ok(pairs(bench, what, [node, leader], processes).map_err(failed)?)
}

fn pairs(
    bench: &mut Bench,
    what: &str,
    [node, leader]: [&Server; 2],
    processes: &dyn Fn() -> Vec<Processes>,
) -> Outcome<usize> {
    let commits = || metric(leader, "papod_commit_duration_seconds_count");
    let mut net = Net::new()?;
    let (from, to) = (bench.handles("from", PAIRS), bench.handles("to", PAIRS));
    enter(&mut net, node.address, &from)?;
    enter(&mut net, leader.address, &to)?;
    let mut pairs = Pairs::new(&to, None);
    pairs.begin(&mut net.out);
    net.drive(&mut pairs, bench.warm_up())?;
    pairs.start_counting();
    let (processes, commits_before) = (processes(), commits()?);
    let before: Vec<f64> = processes.iter().map(spent).collect();
    let meter = Meter::start(leader.pid())?;
    net.drive(&mut pairs, bench.time())?;
    let whole = meter.stop()?;
    let (count, batches) = (pairs.confirmed as f64, commits()? - commits_before);
    bench.note(Subject::Papod, &confirmed(what), "/s", count / whole.seconds);
    for (kind, before) in processes.iter().zip(before) {
        let each = (spent(kind) - before) / count;
        bench.note(Subject::Papod, &cpu_each(what, kind.0), "µs", each * 1e6);
    }
    bench.note(Subject::Papod, &format!("{what}: load CPU"), "%", whole.load / whole.seconds * 1e2);
    bench.note(Subject::Papod, &format!("{what}: messages per commit"), "", count / batches);
    bench.latencies(Subject::Papod, &format!("{what}: send to OK"), &pairs.to_ok);
    Ok(((count / batches).round() as usize).max(1))
}

fn confirmed(what: &str) -> String {
    format!("{what}: messages confirmed")
}

/// What the CPU time of a message is called.
pub fn cpu_each(what: &str, of: &str) -> String {
    format!("{what}: CPU of {of}, each")
}

/// Processes that share one kind of work, and what it is.
pub type Processes = (&'static str, Vec<Pid>);

/// CPU seconds of these processes so far. One that has ended counts no more.
pub fn spent((_, processes): &Processes) -> f64 {
    processes.iter().filter_map(|process| machine::cpu(*process).ok()).sum()
}
