//! Rates: how much one account or one address may do in a time. A client over its rate is delayed
//! first, and only then refused.
//!
//! Each is a leaky bucket, stored as the moment at which it will be empty again (the "generic cell
//! rate algorithm" of ATM, ITU-T I.371): every action moves that moment on. A refused action costs
//! nothing.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
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
    empty_at: Mutex<Buckets<K>>,
}

/// When each bucket will be empty.
#[derive(Default)]
struct Buckets<K>(HashMap<K, Instant>);

impl<K: Copy + Eq + Hash> Buckets<K> {
    /// When it will be empty, or now.
    fn after(&self, who: &K, now: Instant) -> Instant {
        self.0.get(who).map_or(now, |at| (*at).max(now))
    }

    fn set(&mut self, who: K, at: Instant, now: Instant) {
        let all = &mut self.0;
        if all.len() >= limits::RATED && !all.contains_key(&who) {
            all.retain(|_, at| *at > now);
            // All are in use: an arbitrary one starts afresh.
            if all.len() >= limits::RATED
                && let Some(any) = all.keys().next().copied()
            {
                all.remove(&any);
            }
        }
        all.insert(who, at);
    }
}

/// Too fast: refused, and may be tried again after this many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooFast(pub u64);

impl<K: Copy + Eq + Hash> Rate<K> {
    fn new(most: u64, time: Duration) -> Rate<K> {
        let empty_at = Mutex::new(Buckets(HashMap::new()));
        Rate { most: AtomicU64::new(most), time, empty_at }
    }

    fn empty_at(&self) -> MutexGuard<'_, Buckets<K>> {
        self.empty_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time in which `amount` comes back. What exceeds `most` needs an empty bucket.
    fn cost(&self, amount: u64, most: u64) -> Duration {
        self.time.mul_f64(amount.min(most) as f64 / most as f64)
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
        let mut empty_at = self.empty_at();
        let begun = empty_at.after(&who, now);
        let cost = self.cost(amount, most);
        let wait = (begun + cost).duration_since(now).saturating_sub(self.time);
        if wait > limits::DELAY {
            return Err(TooFast(wait.as_secs() + 1));
        }
        empty_at.set(who, begun + cost, now);
        Ok(wait)
    }

    /// Spends `amount` for something that was done elsewhere, however much it is.
    pub fn note(&self, who: K, amount: u64, now: Instant) {
        let most = self.most();
        if most > 0 {
            let mut empty_at = self.empty_at();
            let begun = empty_at.after(&who, now);
            empty_at.set(who, begun + self.cost(amount, most), now);
        }
    }

    /// At least `amount` was spent.
    pub fn note_spent(&self, who: K, amount: u64, now: Instant) {
        let most = self.most();
        if most > 0 {
            let mut empty_at = self.empty_at();
            let at = empty_at.after(&who, now).max(now + self.cost(amount, most));
            empty_at.set(who, at, now);
        }
    }

    /// What has been spent and has not come back yet.
    pub fn spent(&self, now: Instant) -> Vec<(K, u64)> {
        let most = self.most() as f64;
        let amount = |at: &Instant| {
            (at.saturating_duration_since(now).div_duration_f64(self.time) * most).ceil() as u64
        };
        let all = self.empty_at();
        all.0.iter().map(|(who, at)| (*who, amount(at))).filter(|(_, spent)| *spent > 0).collect()
    }

    /// Spends `amount` for something that is done already, however much it is.
    pub fn owe(&self, who: K, amount: u64, now: Instant) {
        let most = self.most();
        if most > 0
            && let Some(at) = self.empty_at().0.get_mut(&who)
        {
            *at = (*at).max(now) + self.cost(amount, most);
        }
    }

    /// Refunds what was spent on something that the server then failed to do.
    pub fn give_back(&self, who: K, amount: u64) {
        let most = self.most();
        if let Some(at) = self.empty_at().0.get_mut(&who) {
            let cost = self.cost(amount, most.max(1));
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
    fn what_was_done_elsewhere_counts() {
        let [here, there] = [(); 2].map(|()| Rate::new(20, Duration::from_secs(10)));
        let start = Instant::now();
        assert_eq!(here.spend(1, 15, start), Ok(Duration::ZERO));
        there.note(1, 15, start);
        assert_eq!(there.spent(start), [(1, 15)]);
        // Known already.
        here.spent(start).into_iter().for_each(|(who, spent)| there.note_spent(who, spent, start));
        assert_eq!(there.spend(1, 5, start), Ok(Duration::ZERO));
        assert_eq!(there.spend(1, 1, start), Ok(Duration::from_millis(500)));
        assert!(there.spent(start + Duration::from_secs(11)).is_empty());
    }

    #[test]
    fn without_a_limit_nothing_is_counted() {
        let rate = Rate::new(0, Duration::from_secs(1));
        let now = Instant::now();
        assert!((0..1000).all(|_| rate.spend(1, 1, now) == Ok(Duration::ZERO)));
        rate.note(1, 1, now);
        assert!(rate.empty_at().0.is_empty());
    }

    #[test]
    fn the_table_is_bounded() {
        let rate = Rate::new(1, Duration::from_secs(3600));
        let now = Instant::now();
        for who in 0..limits::RATED + 10 {
            assert_eq!(rate.spend(who, 1, now), Ok(Duration::ZERO));
        }
        assert_eq!(rate.empty_at().0.len(), limits::RATED);
    }
}
