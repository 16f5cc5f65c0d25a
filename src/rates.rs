//! Rates: how much one account or one address may do in a time. A client over its rate is delayed
//! first, and only then refused.
//!
//! Each is a leaky bucket, stored as the moment at which it will be empty again (the "generic cell
//! rate algorithm" of ATM, ITU-T I.371): every action moves that moment on. A refused action costs
//! nothing.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::config::Limits;
use crate::entry::AccountId;
use crate::limits;
use crate::live_limits::Limit;
use crate::origin::Origin;

pub struct Rates {
    /// New accounts of an address.
    pub registrations: Rate<Origin>,
    /// Entries that an account writes.
    pub messages: Rate<AccountId>,
    /// Bytes of these entries.
    pub bytes: Rate<AccountId>,
    /// Other commands of an account, weighted by their cost.
    pub commands: Rate<AccountId>,
    /// Bytes of files that an account puts.
    pub files: Rate<AccountId>,
    /// New groups of an account.
    pub groups: Rate<AccountId>,
}

impl Rates {
    pub fn new(allowed: &Limits) -> Rates {
        let hour = Duration::from_secs(60 * 60);
        let day = 24 * hour;
        let burst = limits::MESSAGES_BURST;
        Rates {
            registrations: Rate::new(allowed.registrations, hour),
            messages: Rate::new(allowed.messages.saturating_mul(burst.as_secs()), burst),
            bytes: Rate::new(allowed.bytes, day),
            commands: Rate::new(allowed.commands.saturating_mul(burst.as_secs()), burst),
            files: Rate::new(allowed.files_day, day),
            groups: Rate::new(allowed.groups, day),
        }
    }

    /// Sets the rate that a limit bounds, if it bounds one. What was spent stays spent, as the time
    /// that it takes to come back.
    pub fn set(&self, limit: Limit, to: u64) {
        let burst = limits::MESSAGES_BURST.as_secs();
        let (rate, to) = match limit {
            Limit::Registrations => (&self.registrations.most, to),
            Limit::Messages => (&self.messages.most, to.saturating_mul(burst)),
            Limit::Commands => (&self.commands.most, to.saturating_mul(burst)),
            Limit::Bytes => (&self.bytes.most, to),
            Limit::FilesDay => (&self.files.most, to),
            Limit::Groups => (&self.groups.most, to),
            _ => return,
        };
        rate.store(to, Ordering::Relaxed);
    }
}

/// A rate for each of many keys: an amount `most` per `time`.
pub struct Rate<K> {
    /// The amount that may be spent at once after a long rest; 0 means unlimited.
    most: AtomicU64,
    /// The time after which `most` may be spent again.
    time: Duration,
    /// When each bucket will be empty; empty ones may be missing.
    empty_at: Mutex<HashMap<K, Instant>>,
}

/// Too fast: refused, and may be tried again after this many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooFast(pub u64);

impl<K: Copy + Eq + Hash> Rate<K> {
    fn new(most: u64, time: Duration) -> Rate<K> {
        Rate { most: AtomicU64::new(most), time, empty_at: Mutex::default() }
    }

    fn most(&self) -> u64 {
        self.most.load(Ordering::Relaxed)
    }

    /// Spends `amount`. Returns how long to wait before doing more, at most [`limits::DELAY`].
    ///
    /// # Errors
    /// The wait would be longer; nothing was spent.
    pub fn spend(&self, who: K, amount: u64, now: Instant) -> Result<Duration, TooFast> {
        let most = self.most();
        if most == 0 {
            return Ok(Duration::ZERO);
        }
        let mut empty_at = self.empty_at.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = empty_at.get(&who).map_or(now, |at| (*at).max(now));
        // A single action may exceed `most`; it then needs an empty bucket.
        let amount = amount.min(most);
        let cost = self.time.mul_f64(amount as f64 / most as f64);
        let wait = (begun + cost).duration_since(now).saturating_sub(self.time);
        if wait > limits::DELAY {
            return Err(TooFast(wait.as_secs() + 1));
        }
        if empty_at.len() >= limits::RATED && !empty_at.contains_key(&who) {
            empty_at.retain(|_, at| *at > now);
            // All are in use: an arbitrary one starts afresh.
            if empty_at.len() >= limits::RATED
                && let Some(any) = empty_at.keys().next().copied()
            {
                empty_at.remove(&any);
            }
        }
        empty_at.insert(who, begun + cost);
        Ok(wait)
    }

    /// Spends `amount` for something that is done already, however much it is.
    pub fn owe(&self, who: K, amount: u64, now: Instant) {
        let most = self.most();
        if most > 0 {
            let mut empty_at = self.empty_at.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(at) = empty_at.get_mut(&who) {
                let cost = self.time.mul_f64(amount.min(most) as f64 / most as f64);
                *at = (*at).max(now) + cost;
            }
        }
    }

    /// Refunds what was spent on something that the server then failed to do.
    pub fn give_back(&self, who: K, amount: u64) {
        let most = self.most();
        let mut empty_at = self.empty_at.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = empty_at.get_mut(&who) {
            let cost = self.time.mul_f64(amount.min(most) as f64 / most.max(1) as f64);
            *at = at.checked_sub(cost).unwrap_or(*at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_delays_first_and_then_refuses() {
        let rate = Rate::new(20, Duration::from_secs(10));
        let start = Instant::now();
        for _ in 0..20 {
            assert_eq!(rate.spend(1, 1, start), Ok(Duration::ZERO));
        }
        for n in 1..=10 {
            assert_eq!(rate.spend(1, 1, start), Ok(Duration::from_millis(500 * n)));
        }
        assert_eq!(rate.spend(1, 1, start), Err(TooFast(6)));
        assert_eq!(rate.spend(2, 1, start), Ok(Duration::ZERO), "others are not concerned");
        let later = start + Duration::from_secs(6);
        assert_eq!(rate.spend(1, 1, later), Ok(Duration::ZERO), "what was refused used nothing");
    }

    #[test]
    fn what_is_given_back_was_not_used() {
        let rate = Rate::new(20, Duration::from_secs(10));
        let start = Instant::now();
        for _ in 0..100 {
            assert_eq!(rate.spend(1, 20, start), Ok(Duration::ZERO));
            rate.give_back(1, 20);
        }
        rate.give_back(2, 20);
        assert_eq!(rate.spend(2, 20, start), Ok(Duration::ZERO));
        assert_eq!(rate.spend(2, 1, start), Ok(Duration::from_millis(500)), "no more than that");
    }

    #[test]
    fn without_a_limit_nothing_is_counted() {
        let rate = Rate::new(0, Duration::from_secs(1));
        let now = Instant::now();
        assert!((0..1000).all(|_| rate.spend(1, 1, now) == Ok(Duration::ZERO)));
        assert!(rate.empty_at.lock().unwrap().is_empty());
    }

    #[test]
    fn the_table_is_bounded() {
        let rate = Rate::new(1, Duration::from_secs(3600));
        let now = Instant::now();
        for who in 0..limits::RATED + 10 {
            assert_eq!(rate.spend(who, 1, now), Ok(Duration::ZERO));
        }
        assert_eq!(rate.empty_at.lock().unwrap().len(), limits::RATED);
    }
}
