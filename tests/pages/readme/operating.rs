//! contrib/OPERATING.md: its `shell` blocks are run by contrib/debian/try.sh, in a Debian with
//! systemd; that they are, and that what the page names is there, is seen here. `internet` runs the
//! one for systems without the package, `program` reads the tables.

use std::collections::BTreeSet;
use std::path::Path;

use super::blocks::OPERATING;
use super::papod::papod;

const TRY: &str = include_str!("../../../contrib/debian/try.sh");

/// The words of the page that start so and go on in capitals, small letters, digits or `_`.
fn words(start: &str) -> BTreeSet<&'static str> {
    let page = OPERATING.text;
    let begins = page.match_indices(start).map(|(at, _)| at);
    begins
        .filter(|at| !page[..*at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
        .map(|at| {
            let word = &page[at..];
            let end = word.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            &word[..end.unwrap_or(word.len())]
        })
        .collect()
}

#[test]
fn each_block_of_the_operators_page_is_run() {
    let mut names = BTreeSet::new();
    for block in OPERATING.blocks() {
        if let Some(name) = block.kind.strip_prefix("shell ") {
            assert!(names.insert(name), "two blocks are named {name}");
            let call = format!("block {name}");
            assert!(
                TRY.lines().any(|line| line.trim_start().starts_with(&call)),
                "no {call} in try.sh"
            );
        } else {
            assert!(["text", "sh internet"].contains(&block.kind), "nothing runs {:?}", block.kind);
        }
    }
    assert!(names.len() > 10, "{names:?}");
}

#[test]
fn what_the_operators_page_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let help = papod().arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    // The beginning alone stands for all of them.
    for variable in words("PAPOD_").into_iter().filter(|word| *word != "PAPOD_") {
        // One whose value could name a person's folder is shown without it.
        let shown = ['=', ']'].map(|end| format!("[env: {variable}{end}"));
        assert!(shown.iter().any(|shown| help.contains(shown)), "{variable}");
    }
    let metrics = std::fs::read_to_string(root.join("src/metrics.rs")).unwrap();
    let alerts = std::fs::read_to_string(root.join("contrib/prometheus/alerts.yml")).unwrap();
    for metric in words("papod_") {
        assert!(metrics.contains(metric) || alerts.contains(metric), "{metric}");
    }
    let script = include_str!("../../../contrib/backup/papo-backup.sh");
    let manual = include_str!("../../../contrib/backup/papo-backup.8");
    for variable in words("PAPO_BACKUP_") {
        assert!(script.contains(variable) && manual.contains(variable), "{variable}");
    }
}
