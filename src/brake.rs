//! The brake on password guessing: how long the next attempt at an account has to wait.
//!
//! Consecutive failures are counted per handle and origin (those of tokens per origin), so that an attacker does not lock out
//! the owner at another address. Unknown handles are counted like any other. It has no clock and
//! never blocks: callers pass the time and do the waiting.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::limits;
use crate::name::Handle;
use crate::origin::Origin;

/// Whose secret is tried, and from where: what failures are counted by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "postgres", derive(serde::Serialize, serde::Deserialize))]
pub struct Guess {
    /// `None`: a token, which does not say whose it is.
    handle: Option<Handle>,
    origin: Origin,
}

impl Guess {
    /// Reduces `origin` to its [`Origin::rate_key`]: for IPv6, the /64 network.
    pub fn new(handle: Handle, origin: Origin) -> Guess {
        Guess { handle: Some(handle), origin: origin.rate_key() }
    }

    /// A token that came without a handle.
    pub fn at_token(origin: Origin) -> Guess {
        Guess { handle: None, origin: origin.rate_key() }
    }

    /// The handle as given; there may be no such account.
    pub fn handle(&self) -> Option<&Handle> {
        self.handle.as_ref()
    }

    /// The rate key, not the full address.
    pub fn origin(&self) -> Origin {
        self.origin
    }
}

/// Recent failures. Strangers choose the keys, so the map keeps std's keyed hasher.
#[derive(Default)]
pub struct Brake {
    failures: HashMap<Guess, Failures>,
}

struct Failures {
    /// Consecutive failures.
    count: u32,
    last: Instant,
}

impl Failures {
    /// The pause between the last failure and the next attempt.
    fn pause(&self) -> Duration {
        let Some(beyond) = self.count.checked_sub(limits::GUESSES) else {
            return Duration::ZERO;
        };
        let doubled = 2_u32.saturating_pow(beyond);
        limits::GUESS_PAUSE.saturating_mul(doubled).min(limits::GUESS_PAUSE_MAX)
    }
}

impl Brake {
    /// How long from `now` an attempt has to wait; zero if it may start at once.
    pub fn wait(&self, guess: &Guess, now: Instant) -> Duration {
        self.failures.get(guess).map_or(Duration::ZERO, |failures| {
            failures.pause().saturating_sub(now.saturating_duration_since(failures.last))
        })
    }

    /// Starts an attempt. It counts as a failure until [`Brake::succeeded`] or [`Brake::withdraw`]
    /// is called for it.
    ///
    /// # Errors
    /// The remaining wait; nothing was counted.
    pub fn begin(&mut self, guess: &Guess, now: Instant) -> Result<(), Duration> {
        let wait = self.wait(guess, now);
        if !wait.is_zero() {
            return Err(wait);
        }
        self.failed(guess.clone(), now);
        Ok(())
    }

    /// Counts a failure.
    pub fn failed(&mut self, guess: Guess, now: Instant) {
        if self.failures.len() >= limits::GUESSERS && !self.failures.contains_key(&guess) {
            self.forget_oldest();
        }
        let failures = self.failures.entry(guess).or_insert(Failures { count: 0, last: now });
        if now.saturating_duration_since(failures.last) >= limits::GUESS_MEMORY {
            failures.count = 0;
        }
        failures.count = failures.count.saturating_add(1);
        failures.last = now;
    }

    /// Clears the count after a correct secret.
    pub fn succeeded(&mut self, guess: &Guess) {
        self.failures.remove(guess);
    }

    /// Takes back an attempt that proved neither right nor wrong; earlier failures still count.
    pub fn withdraw(&mut self, guess: &Guess) {
        if let Some(failures) = self.failures.get_mut(guess) {
            failures.count = failures.count.saturating_sub(1);
        }
    }

    /// Scans the whole table, 2.5 MiB at most, which is cheap next to the 19 MiB that were hashed
    /// for this failure.
    fn forget_oldest(&mut self) {
        let oldest = self.failures.iter().min_by_key(|(_, failures)| failures.last);
        if let Some(oldest) = oldest.map(|(guess, _)| guess.clone()) {
            self.failures.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guess(handle: &str, address: &str) -> Guess {
        Guess::new(Handle::new(handle).unwrap(), Origin::of(address.parse().unwrap()))
    }

    #[test]
    fn each_try_after_the_sixth_waits_twice_as_long() {
        let (mut brake, mut now) = (Brake::default(), Instant::now());
        let ana = guess("ana", "192.0.2.1");
        for _ in 0..6 {
            assert_eq!(brake.wait(&ana, now), Duration::ZERO);
            brake.failed(ana.clone(), now);
        }
        let mut waits = Vec::new();
        for _ in 0..12 {
            let wait = brake.wait(&ana, now);
            waits.push(wait.as_secs_f64());
            now += wait;
            assert_eq!(brake.wait(&ana, now), Duration::ZERO, "it is over when it is over");
            brake.failed(ana.clone(), now);
        }
        let expected = [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 256.0];
        assert_eq!(waits, expected);
        // The pause runs from the last failure, whenever the next attempt is made.
        let wait = brake.wait(&ana, now + Duration::from_secs(200));
        assert_eq!(wait, Duration::from_secs(56));

        brake.succeeded(&ana);
        assert_eq!(brake.wait(&ana, now), Duration::ZERO);
        brake.failed(ana.clone(), now);
        assert_eq!(brake.wait(&ana, now), Duration::ZERO, "it counts from the beginning");
    }

    #[test]
    fn a_try_that_came_to_nothing_does_not_count() {
        let (mut brake, now) = (Brake::default(), Instant::now());
        let ana = guess("ana", "192.0.2.1");
        for _ in 0..5 {
            brake.failed(ana.clone(), now);
        }
        for _ in 0..10 {
            assert_eq!(brake.begin(&ana, now), Ok(()));
            brake.withdraw(&ana);
        }
        // Earlier failures are not taken back.
        brake.failed(ana.clone(), now);
        assert!(brake.wait(&ana, now) > Duration::ZERO);
    }

    #[test]
    fn who_guesses_holds_up_nobody_elsewhere() {
        let (mut brake, now) = (Brake::default(), Instant::now());
        for _ in 0..7 {
            brake.failed(guess("ana", "192.0.2.1"), now);
            brake.failed(guess("ana", "2001:db8::1"), now);
        }
        let wait = |handle, address| brake.wait(&guess(handle, address), now);
        assert!(wait("ana", "192.0.2.1") > Duration::ZERO);
        assert_eq!(wait("ana", "192.0.2.2"), Duration::ZERO);
        assert_eq!(wait("bia", "192.0.2.1"), Duration::ZERO);
        // All addresses of an IPv6 /64 count as one.
        assert!(wait("ana", "2001:db8::ffff") > Duration::ZERO);
        assert_eq!(wait("ana", "2001:db8:0:1::1"), Duration::ZERO);
    }

    #[test]
    fn failures_are_forgotten_in_time_and_for_newer_ones() {
        let (mut brake, start) = (Brake::default(), Instant::now());
        let old = guess("ana", "192.0.2.1");
        for _ in 0..20 {
            brake.failed(old.clone(), start);
        }
        let later = start + limits::GUESS_MEMORY;
        brake.failed(old.clone(), later);
        assert_eq!(brake.wait(&old, later), Duration::ZERO, "one in a row");

        for _ in 0..20 {
            brake.failed(old.clone(), later);
        }
        let after = |n: usize| later + Duration::from_millis(u64::try_from(n).unwrap());
        for n in 1..limits::GUESSERS {
            brake.failed(guess(&format!("u{n}"), "192.0.2.1"), after(n));
        }
        let end = after(limits::GUESSERS);
        assert!(brake.wait(&old, end) > Duration::ZERO, "the table is full, and no more");
        // A guess that is already in the table evicts nothing.
        brake.failed(guess("u1", "192.0.2.1"), end);
        assert!(brake.wait(&old, end) > Duration::ZERO);
        brake.failed(guess("one-more", "192.0.2.1"), end);
        assert_eq!(brake.wait(&old, end), Duration::ZERO, "the oldest has gone");
        assert_eq!(brake.failures.len(), limits::GUESSERS);
    }
}
