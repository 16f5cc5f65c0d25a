//! The metrics that papod serves only on PostgreSQL.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::machines::start_nodes;
use crate::process::{PATIENCE, Papod};
use crate::server_pair::ServerPair;

/// The names of metrics that are no counters.
fn gauges(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" gauge"))
}

/// Waits until these lines are among the metrics.
fn until_served(papod: &Papod, lines: &[&str]) -> String {
    let began = Instant::now();
    loop {
        let served = papod.metrics();
        if lines.iter().all(|line| served.lines().any(|it| it == *line)) {
            return served;
        }
        assert!(began.elapsed() < PATIENCE, "{lines:?} are not all in\n{served}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn each_papod_says_whether_it_leads_and_what_of_the_others() {
    let servers = ServerPair::start(1);
    let db = servers.url(0);
    let nodes = start_nodes::<2>(|_| Papod::start_with(&db, ["--metrics", "127.0.0.1:0"]));
    let ana = nodes[1].register("ana");
    let of_both = ["papod_term 1", "papod_standby 1", "papod_standby_waits 0"];
    let of_first =
        ["papod_leader 1", "papod_nodes 2", "papod_nodes_sessions 1", "papod_sessions_logged_in 0"];
    let of_second = ["papod_leader 0", "papod_nodes 0", "papod_sessions_logged_in 1"];
    let served = until_served(&nodes[0], &[&of_both[..], &of_first].concat());
    until_served(&nodes[1], &[&of_both[..], &of_second].concat());
    // The dashboard shows each of them.
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let dashboard = fs::read_to_string(root.join("contrib/prometheus/dashboard.json")).unwrap();
    for name in gauges(&served).filter(|name| name.starts_with("papod_")) {
        assert!(dashboard.contains(&format!("{name}{{")), "{name}");
    }
    drop(ana);
    let [first, second] = nodes;
    second.stop();
    first.stop();
}
