//! Counting: latencies in a small table, and medians.

use std::time::Duration;

/// Steps per doubling: a value is known to within 1.6 %.
const STEPS: u64 = 64;

/// Latencies, counted by size. Its own size does not grow.
#[derive(Default)]
pub struct Latencies {
    counts: Vec<u64>,
    all: u64,
}

impl Latencies {
    pub fn add(&mut self, time: Duration) {
        let at = index(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
        if self.counts.len() <= at {
            self.counts.resize(at + 1, 0);
        }
        self.counts[at] += 1;
        self.all += 1;
    }

    /// The latency in µs that this part of all does not exceed, 0 where there is none.
    pub fn micros(&self, part: f64) -> f64 {
        let wanted = (self.all as f64 * part).ceil() as u64;
        let mut seen = 0;
        let found = self.counts.iter().position(|count| {
            seen += count;
            seen >= wanted.max(1)
        });
        found.map_or(0.0, |at| nanos(at) as f64 / 1_000.0)
    }
}

/// Small values count one by one, others by their leading bits.
fn index(nanos: u64) -> usize {
    if nanos < STEPS {
        return nanos as usize;
    }
    let doublings = u64::from(nanos.ilog2() - STEPS.ilog2());
    (doublings * STEPS + (nanos >> doublings)) as usize
}

/// The smallest value of an index.
fn nanos(index: usize) -> u64 {
    let index = index as u64;
    if index < 2 * STEPS {
        return index;
    }
    let doublings = index / STEPS - 1;
    (index - doublings * STEPS) << doublings
}

/// The middle value; of an even number the mean of the two.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match (sorted.len(), sorted.len() / 2) {
        (0, _) => f64::NAN,
        (n, half) if n % 2 == 0 => (sorted[half - 1] + sorted[half]) / 2.0,
        (_, half) => sorted[half],
    }
}
