//! A server that is unreachable, or has no room, for a while: growing pauses between attempts, and
//! when to give up.
//!
//! Each pause is random, up to a bound that doubles, so that clients cut off together do not all
//! come back together.

use std::time::{Duration, Instant};

use smol::Timer;
use smol::channel::Receiver;
use smol::future::{self, FutureExt};

use super::connection::REACH;
use super::failure::{Failure, report};
use super::lines;

/// Bound of the first pause: a server that restarts is back soon.
const FIRST: Duration = Duration::from_millis(200);

/// Least bound of a pause while the server has no room: 256 passwords in its queue take it four
/// seconds.
const FIRST_BUSY: Duration = Duration::from_secs(1);

/// Longest pause, and so the longest delay until a server's return is noticed.
const LONGEST: Duration = Duration::from_secs(30);

/// How long to retry a server without room, if patience is limited. It answers, so it deserves more
/// than [`REACH`].
pub const BUSY: Duration = Duration::from_secs(30);

/// The notice that the server is back.
pub const BACK: &str = "connected again";

/// Takes notices that the server is gone, and back.
pub type Notify = Box<dyn Fn(String)>;

/// The state of retrying a server.
pub struct Outage {
    /// Time until giving up; `None` is never.
    patience: Option<Duration>,
    /// Notify of every outage and of its end, not only of a full server that is never given up.
    speaks: bool,
    notify: Notify,
    since: Option<Instant>,
    /// Bound of the next pause.
    bound: Duration,
    /// A message here ends a pause early.
    wake: Option<Receiver<()>>,
}

impl Outage {
    /// No outage yet. Gives up after `patience`, or never; notices go to standard error.
    pub fn new(patience: Option<Duration>) -> Outage {
        let notify = Box::new(|what| report(format_args!("papo: {what}")));
        Outage { patience, speaks: false, notify, since: None, bound: FIRST, wake: None }
    }

    /// Sends notices to `notify` instead.
    pub fn told(self, notify: Notify) -> Outage {
        Outage { notify, ..self }
    }

    /// Ends a pause as soon as something arrives on `wake`.
    pub fn woken(self, wake: Receiver<()>) -> Outage {
        Outage { wake: Some(wake), ..self }
    }

    /// Never gives up from now on; `speaks` says whether to notify of every outage.
    pub fn be_patient(&mut self, speaks: bool) {
        (self.patience, self.speaks) = (None, speaks);
    }

    pub fn tell(&self, what: String) {
        (self.notify)(what);
    }

    /// An attempt made at `began` has failed. Returns when it is time for the next.
    ///
    /// # Errors
    /// `failure`, if another attempt would not help or patience has run out.
    pub async fn after(&mut self, failure: Failure, began: Instant) -> Result<(), Failure> {
        let is_busy = match &failure {
            Failure::Lost(_) => false,
            // Unlimited patience includes waiting until somebody fixes it.
            Failure::Wrong(_) if self.patience.is_none() => false,
            Failure::Busy(_) => true,
            Failure::Refused(line) if lines::is_passing(line) => true,
            _ => return Err(failure),
        };
        // Perhaps only a person can make room.
        if self.since.is_none() && (self.speaks || (is_busy && self.patience.is_none())) {
            let why = failure.to_string();
            let why = why.strip_prefix("papo: ").unwrap_or(&why);
            (self.notify)(format!("{why}; trying again"));
        }
        let gone = self.since.get_or_insert(began).elapsed();
        let patience = self.patience.map(|patience| if is_busy { BUSY } else { patience });
        let left = patience.map(|patience| patience.saturating_sub(gone));
        if left == Some(Duration::ZERO) {
            return Err(failure);
        }
        let bound = if is_busy { self.bound.max(FIRST_BUSY) } else { self.bound };
        self.bound = (bound * 2).min(LONGEST);
        let told = match &failure {
            Failure::Refused(line) => lines::seconds(line).map(Duration::from_secs),
            _ => None,
        };
        let pause = match told {
            // Retrying earlier is useless; the random part spreads clients that got the same
            // number.
            Some(told) if left.is_some_and(|left| told > left) => return Err(failure),
            Some(told) => told + random_part(FIRST_BUSY),
            // One last attempt when patience ends.
            None => random_part(bound).min(left.unwrap_or(Duration::MAX)),
        };
        let woken = async {
            let Some(wake) = &self.wake else { return future::pending().await };
            // Discard requests from before the pause.
            while wake.try_recv().is_ok() {}
            if wake.recv().await.is_err() {
                future::pending().await
            }
        };
        let over = async {
            Timer::after(pause).await;
        };
        over.or(woken).await;
        Ok(())
    }

    /// The server has answered.
    pub fn over(&mut self) {
        if self.since.take().is_some() && self.speaks {
            (self.notify)(BACK.to_owned());
        }
        self.bound = FIRST;
    }
}

/// Repeats a short attempt until it succeeds or fails for good: for [`REACH`] if the server is
/// unreachable, for [`BUSY`] if it has no room.
///
/// # Errors
/// That of the last attempt.
pub async fn persist<T>(
    mut attempt: impl AsyncFnMut() -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut outage = Outage::new(Some(REACH));
    loop {
        let began = Instant::now();
        match attempt().await {
            Ok(done) => return Ok(done),
            Err(e) => outage.after(e, began).await?,
        }
    }
}

/// A random part of `whole`, or all of it without random numbers: late is better than never.
fn random_part(whole: Duration) -> Duration {
    let random = getrandom::u32().unwrap_or(u32::MAX);
    whole.mul_f64(f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_differ_and_stay_within_their_bound() {
        let pauses: Vec<Duration> = (0..100).map(|_| random_part(LONGEST)).collect();
        assert!(pauses.iter().all(|pause| *pause <= LONGEST));
        assert!(pauses.windows(2).any(|two| two[0] != two[1]));
    }

    #[test]
    fn what_is_told_to_come_back_too_late_gives_up_at_once() {
        let line = "ERR LOGIN too-fast 31 seconds until the next try".to_owned();
        let mut outage = Outage::new(Some(Duration::from_secs(5)));
        let after = outage.after(Failure::Refused(line), Instant::now());
        assert!(matches!(smol::block_on(after), Err(Failure::Refused(_))));
    }

    #[test]
    fn a_server_that_is_not_what_was_asked_for_is_left_to_the_patient() {
        let wrong = || Failure::Wrong("its certificate has expired".to_owned());
        let after = |patience| {
            let mut outage = Outage::new(patience);
            smol::block_on(outage.after(wrong(), Instant::now()))
        };
        assert!(matches!(after(Some(REACH)), Err(Failure::Wrong(_))));
        assert!(after(None).is_ok());
    }

    #[test]
    fn a_pause_ends_when_somebody_wants_it_to() {
        let (wake, woken) = smol::channel::unbounded();
        let line = "ERR LOGIN too-fast 1000000 seconds until the next try".to_owned();
        let mut outage = Outage::new(None).told(Box::new(|_| ())).woken(woken);
        let after = outage.after(Failure::Refused(line), Instant::now());
        let waking = async { wake.send(()).await.unwrap() };
        let (paused, ()) = smol::block_on(future::zip(after, waking));
        assert!(paused.is_ok());
    }

    #[test]
    fn what_no_other_try_would_mend_is_not_tried_again() {
        let mut outage = Outage::new(None);
        let refused = Failure::Refused("ERR MSG no-such-user bob: …".to_owned());
        let after = outage.after(refused, Instant::now());
        assert!(matches!(smol::block_on(after), Err(Failure::Refused(_))));
    }
}
