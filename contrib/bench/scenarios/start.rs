//! `start`: from starting papod to the line that says it listens.

use super::Scenario;
use crate::report::Subject;
use crate::stats::median;
use crate::{Bench, Outcome};

pub const SCENARIO: Scenario =
    Scenario { name: "start", about: "starting on a database", large: true, run };

const TIMES: usize = 5;

fn run(bench: &mut Bench) -> Outcome<()> {
    // It may have to be made first.
    drop(bench.papod()?);
    let mut times = Vec::new();
    for _ in 0..TIMES {
        times.push(bench.papod_again()?.start.as_secs_f64() * 1e3);
    }
    bench.note(Subject::Papod, "time until it listens", "ms", median(&times));
    Ok(())
}
