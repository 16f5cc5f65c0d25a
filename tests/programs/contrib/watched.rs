//! contrib/prometheus/: what is asked for there is what papod serves.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use serde_json::Value;

use super::{contrib, ended};
use crate::process::{Home, Papod, tls};

/// What is served only with PostgreSQL; see tests/postgres/watched.rs.
const OF_POSTGRES: [&str; 8] = [
    "papod_term",
    "papod_leader",
    "papod_nodes",
    "papod_nodes_sessions",
    "papod_unavailable",
    "papod_standby",
    "papod_standby_waits",
    "papod_standby_behind_bytes",
];

/// The names of papod's metrics in a text.
fn names(text: &str) -> BTreeSet<&str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(|c| !is_name(c)).filter(|word| word.starts_with("papod_")).collect()
}

/// What a papod serves that has just started, and has a certificate.
fn metrics() -> String {
    let home = Home::new();
    let [certificate, key] =
        ["one.pem", "one.key"].map(|name| tls::file(name).display().to_string());
    let flags = ["--metrics", "127.0.0.1:0", "--tls-cert", &certificate, "--tls-key", &key];
    Papod::start_with(&home.db(), flags).metrics()
}

/// Everything that this text asks for is served.
fn are_served(text: &str) {
    let answer = metrics();
    let served = names(&answer);
    assert!(served.len() > 15, "{served:?}");
    let asked = names(text);
    assert!(asked.len() > 5, "{asked:?}");
    let missing = asked.difference(&served).filter(|name| !OF_POSTGRES.contains(name));
    let missing: Vec<_> = missing.collect();
    assert!(missing.is_empty(), "papod does not serve {missing:?}");
}

#[test]
fn alerts_speak_of_metrics_that_are_served() {
    let alerts = fs::read_to_string(contrib("prometheus/alerts.yml")).unwrap();
    are_served(&alerts);
    // Each alert has what it watches and what it says.
    let count = |what: &str| alerts.matches(what).count();
    assert_eq!(count("- alert: "), count("expr: "));
    assert_eq!(count("- alert: "), count("summary: "));

    // The job that alerts name, and the address that the operators' guide has.
    let scrape = fs::read_to_string(contrib("prometheus/scrape.yml")).unwrap();
    assert!(scrape.contains("job_name: papod") && alerts.contains("job=\"papod\""));
    assert!(scrape.contains("\"127.0.0.1:7280\"") && scrape.contains("- alerts.yml"));
    assert!(include_str!("../../../contrib/OPERATING.md").contains("PAPOD_METRICS=127.0.0.1:7280"));
}

/// A string of a value, which has to be there and to say something.
fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    let text = value[key].as_str().filter(|text| !text.is_empty());
    text.unwrap_or_else(|| panic!("no {key} in {value}"))
}

#[test]
fn the_dashboard_shows_metrics_that_are_served() {
    let json = fs::read_to_string(contrib("prometheus/dashboard.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&json).unwrap();
    assert!(text(&dashboard, "description").contains("Import"));
    let panels = dashboard["panels"].as_array().unwrap();
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let source = format!("${{{}}}", text(&variables[0], "name"));
    let mut asked = text(&variables[1]["query"], "query").to_owned();
    let mut places = BTreeSet::new();
    for panel in panels {
        text(panel, "title");
        text(panel, "description");
        let mut letters = BTreeSet::new();
        for target in panel["targets"].as_array().unwrap() {
            assert_eq!(target["datasource"]["uid"], *source);
            assert!(letters.insert(text(target, "refId")), "{panel}");
            text(target, "legendFormat");
            asked.push_str(text(target, "expr"));
            asked.push('\n');
        }
        assert!(!letters.is_empty(), "{panel}");
        // No panel hides another, and their numbers are their own.
        let [x, y] = ["x", "y"].map(|side| panel["gridPos"][side].as_u64().unwrap());
        assert!(x + 8 <= 24 && places.insert((x, y)), "{panel}");
        let [width, height] = ["w", "h"].map(|side| panel["gridPos"][side].as_u64().unwrap());
        assert_eq!((x % 8, y % 8, width, height), (0, 0, 8, 8), "{panel}");
    }
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len());
    are_served(&asked);
    // Every number that papod serves is shown.
    let served = metrics();
    let kinds = served.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    for name in kinds.map(|line| line.split(' ').next().unwrap()) {
        assert!(asked.contains(name), "the dashboard does not show {name}");
    }
}

#[test]
#[ignore = "needs promtool (prometheus)"]
fn prometheus_takes_both_files_and_what_the_dashboard_asks() {
    let promtool = |arguments: &[&str]| {
        let mut command = Command::new("promtool");
        ended(command.args(arguments).current_dir(contrib("prometheus")), 0).0
    };
    // The first names the second.
    let said = promtool(&["check", "config", "scrape.yml"]);
    let alerts = fs::read_to_string(contrib("prometheus/alerts.yml")).unwrap();
    let count = alerts.matches("- alert: ").count();
    assert!(said.contains(&format!("SUCCESS: {count} rules found")), "{said}");

    // What the dashboard asks is made into a file of rules, as Grafana fills it in.
    let json = fs::read_to_string(contrib("prometheus/dashboard.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&json).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    let rules: Vec<Value> = targets
        .enumerate()
        .map(|(n, target)| {
            let expr = text(target, "expr").replace("$__rate_interval", "1m");
            serde_json::json!({"record": format!("asked:{n}"), "expr": expr})
        })
        .collect();
    let home = Home::new();
    let file = home.path().join("rules.json");
    let groups = serde_json::json!({"groups": [{"name": "dashboard", "rules": rules}]});
    fs::write(&file, groups.to_string()).unwrap();
    let said = promtool(&["check", "rules", file.to_str().unwrap()]);
    assert!(said.contains(&format!("SUCCESS: {} rules found", rules.len())), "{said}");
}
