//! Who has something to say at which moment, where that is not when something came in.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use crate::large::Dice;

/// Moments in their order, one for each who waits.
pub struct Moments {
    waiting: BinaryHeap<Reverse<(Instant, usize)>>,
    pub dice: Dice,
}

impl Moments {
    /// The same seed brings the same moments.
    pub fn new(seed: u64) -> Moments {
        Moments { waiting: BinaryHeap::new(), dice: Dice(seed) }
    }

    pub fn add(&mut self, at: Instant, who: usize) {
        self.waiting.push(Reverse((at, who)));
    }

    /// Who is due, and since when.
    pub fn due(&mut self, now: Instant) -> Option<(Instant, usize)> {
        let Reverse((at, _)) = self.waiting.peek()?;
        if *at > now {
            return None;
        }
        self.waiting.pop().map(|Reverse(due)| due)
    }

    /// The next moment.
    pub fn next(&self) -> Option<Instant> {
        self.waiting.peek().map(|Reverse((at, _))| *at)
    }

    /// A pause of any length below twice this.
    pub fn pause(&mut self, mean: Duration) -> Duration {
        mean * 2 * self.dice.below(RESOLUTION) as u32 / RESOLUTION as u32
    }

    /// The pause between two things that happen so often on average, and at moments of which none
    /// depends on another (a Poisson process).
    pub fn gap(&mut self, mean: Duration) -> Duration {
        let part = (self.dice.below(RESOLUTION) + 1) as f64 / RESOLUTION as f64;
        mean.mul_f64(-part.ln())
    }
}

/// Lengths that are told apart.
const RESOLUTION: usize = 1_024;
