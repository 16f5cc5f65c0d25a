//! What was measured of fairness, as README.md shows it: a row for each attack.

use std::fmt::Write;

use super::probes::ASKED;
use crate::report::{Results, Subject, number};

/// How much longer than on the quiet server each of what is asked may take, in ms at p99.
const TARGETS: [f64; 3] = [20.0, 100.0, 100.0];
const PARTS: [&str; 3] = ["p50", "p99", "max"];

/// The table of one subject, in Markdown; nothing where it was not measured. What misses its
/// target stands in bold type.
pub fn table(results: &Results, subject: Subject) -> Option<String> {
    let value = |attack: &str, what: &str, part: &str| {
        let measure = format!("{attack}: {what}, {part}");
        let mut lines = results.lines.iter().filter(|line| line.scenario == super::SCENARIO.name);
        lines.find(|line| line.measure == measure)?.median(subject)
    };
    let quiet = ASKED.map(|what| value("quiet", what, "p99"));
    let mut rows = String::new();
    let last = format!(": {}, max", ASKED[2]);
    for attack in results.lines.iter().filter_map(|line| line.measure.strip_suffix(&*last)) {
        let mut row = format!("| {attack} |");
        for ((what, target), quiet) in ASKED.iter().zip(TARGETS).zip(quiet) {
            let found = PARTS.map(|part| value(attack, what, part));
            let [Some(p50), Some(p99), Some(max)] = found else { continue };
            let star = if quiet.is_some_and(|quiet| p99 > quiet + target) { "**" } else { "" };
            let (p50, p99, max) = (number(p50), number(p99), number(max));
            let _ = write!(row, " {p50} / {star}{p99}{star} / {max} |");
        }
        // A row without values is an attack that this subject did not see.
        if row.matches('|').count() > 2 {
            let _ = writeln!(rows, "{row}");
        }
    }
    let heads = ASKED.map(|what| format!(" {what} p50 / p99 / max, ms |")).concat();
    (!rows.is_empty()).then(|| format!("| attack |{heads}\n|---|---|---|---|\n{rows}"))
}
