//! Numbers that look random, and can be had again.

use std::env;

/// Numbers for a test to vary with, xorshift64*. The seed is said by who makes one, so that a run
/// that failed can be had again.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// From `PAPO_SEED`, else from the clock.
    pub fn from_environment() -> (Dice, u64) {
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed();
        let now = now.map_or(0, |now| u64::from(now.subsec_nanos()));
        let seed = env::var("PAPO_SEED").ok();
        let seed = seed.and_then(|seed| seed.parse().ok()).unwrap_or(now);
        (Dice::new(seed), seed)
    }

    /// A number from 0 up to, and without, `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % n
    }
}
