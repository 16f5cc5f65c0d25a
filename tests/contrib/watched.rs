//! contrib/prometheus/: what is asked for there is what papod serves.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

use super::contrib;
use crate::process::{Home, PATIENCE, Papod};

/// The names of papod's metrics in a text.
fn names(text: &str) -> BTreeSet<&str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(|c| !is_name(c)).filter(|word| word.starts_with("papod_")).collect()
}

#[test]
fn alerts_speak_of_metrics_that_are_served() {
    let home = Home::new();
    let papod = Papod::start_with(&home.db(), ["--metrics", "127.0.0.1:0"]);
    let log = papod.log();
    let address = log.split_once("metrics at http://").unwrap().1.split('/').next().unwrap();
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    let served = names(&answer);
    assert!(served.len() > 15, "{served:?}");

    let alerts = fs::read_to_string(contrib("prometheus/alerts.yml")).unwrap();
    let asked = names(&alerts);
    assert!(asked.len() > 5, "{asked:?}");
    let missing: Vec<_> = asked.difference(&served).collect();
    assert!(missing.is_empty(), "papod does not serve {missing:?}");
    // Each alert has what it watches and what it says.
    let count = |what: &str| alerts.matches(what).count();
    assert_eq!(count("- alert: "), count("expr: "));
    assert_eq!(count("- alert: "), count("summary: "));

    // The job that alerts name, and the address that README has.
    let scrape = fs::read_to_string(contrib("prometheus/scrape.yml")).unwrap();
    assert!(scrape.contains("job_name: papod") && alerts.contains("job=\"papod\""));
    assert!(scrape.contains("\"127.0.0.1:7280\"") && scrape.contains("- alerts.yml"));
    assert!(include_str!("../../README.md").contains("--metrics 127.0.0.1:7280"));
}
