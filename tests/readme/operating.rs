//! contrib/OPERATING.md: its blocks are run by contrib/debian/try.sh, in a Debian with systemd; that
//! they are, and that what it names is there, is seen here.

use std::collections::BTreeSet;
use std::path::Path;

use crate::papod::papod;

const PAGE: &str = include_str!("../../contrib/OPERATING.md");
const TRY: &str = include_str!("../../contrib/debian/try.sh");

/// The words of the page that start so and go on in capitals, small letters, digits or `_`.
fn words(start: &str) -> BTreeSet<&'static str> {
    let begins = PAGE.match_indices(start).map(|(at, _)| at);
    begins
        .filter(|at| !PAGE[..*at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
        .map(|at| {
            let word = &PAGE[at..];
            let end = word.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            &word[..end.unwrap_or(word.len())]
        })
        .collect()
}

#[test]
fn each_block_of_the_operators_page_is_run() {
    let fences: Vec<&str> = PAGE.lines().filter_map(|line| line.strip_prefix("```")).collect();
    assert_eq!(fences.len() % 2, 0, "a fence is not closed");
    let mut names = BTreeSet::new();
    for fence in fences.iter().step_by(2).filter(|fence| **fence != "text") {
        let name = fence.strip_prefix("shell ").unwrap_or_else(|| panic!("nothing runs {fence:?}"));
        assert!(names.insert(name), "two blocks are named {name}");
        let call = format!("block {name}");
        assert!(
            TRY.lines().any(|line| line.trim_start().starts_with(&call)),
            "no {call} in try.sh"
        );
    }
    assert!(names.len() > 10, "{names:?}");
}

#[test]
fn what_the_operators_page_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for link in PAGE.split("](").skip(1).map(|text| text.split(')').next().unwrap()) {
        let (path, heading) = link.split_once('#').unwrap_or((link, ""));
        let text = std::fs::read_to_string(root.join("contrib").join(path));
        let text = text.unwrap_or_else(|e| panic!("{link}: {e}"));
        let headed = |line: &str| {
            let title = line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
            line.starts_with('#') && title == heading
        };
        assert!(heading.is_empty() || text.lines().any(headed), "{link}: no such heading");
    }
    let help = papod().arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    for variable in words("PAPOD_") {
        assert!(help.contains(&format!("{variable}=")), "{variable}");
    }
    let metrics = std::fs::read_to_string(root.join("src/metrics.rs")).unwrap();
    let alerts = std::fs::read_to_string(root.join("contrib/prometheus/alerts.yml")).unwrap();
    for metric in words("papod_") {
        assert!(metrics.contains(metric) || alerts.contains(metric), "{metric}");
    }
    let script = include_str!("../../contrib/backup/papo-backup.sh");
    let manual = include_str!("../../contrib/backup/papo-backup.8");
    for variable in words("PAPO_BACKUP_") {
        assert!(script.contains(variable) && manual.contains(variable), "{variable}");
    }
}
