//! A server that cannot be reached, or has no room, for a while: pauses that grow, and when to give
//! up.
//!
//! Each pause is random, between none and a bound that doubles, so that those who were all cut off in
//! the same moment do not all come back in the same moment.

use std::time::{Duration, Instant};

use smol::Timer;
use smol::channel::Receiver;
use smol::future::{self, FutureExt};

use super::connection::REACH;
use super::failure::{Failure, report};
use super::lines;

/// The bound of the first pause. A server that is restarted is back soon.
const FIRST: Duration = Duration::from_millis(200);

/// The least bound of a pause where the server is there and has no room: one that has 256 passwords
/// to check needs four seconds for them.
const FIRST_BUSY: Duration = Duration::from_secs(1);

/// The longest pause: how late one notices at most that the server is back.
const LONGEST: Duration = Duration::from_secs(30);

/// For how long a server without room is asked again by those who do not wait for ever. It answers,
/// so it is worth more patience than one that does not.
pub const BUSY: Duration = Duration::from_secs(30);

/// What is told when the server is there again.
pub const BACK: &str = "connected again";

/// Where it is told that the server is gone, and back.
pub type Notify = Box<dyn Fn(String)>;

/// What is going on with a server that should be there.
pub struct Outage {
    /// After how long it is given up; `None` is never.
    patience: Option<Duration>,
    /// Whether anything is told.
    speaks: bool,
    notify: Notify,
    since: Option<Instant>,
    /// The bound of the next pause.
    bound: Duration,
    /// What ends a pause early.
    wake: Option<Receiver<()>>,
}

impl Outage {
    /// None yet. It is given up after `patience`, or never. What there is to tell goes to standard
    /// error.
    pub fn new(patience: Option<Duration>) -> Outage {
        let notify = Box::new(|what| report(format_args!("papo: {what}")));
        Outage { patience, speaks: false, notify, since: None, bound: FIRST, wake: None }
    }

    /// The same, told elsewhere.
    pub fn told(self, notify: Notify) -> Outage {
        Outage { notify, ..self }
    }

    /// The same, where a pause ends as soon as something comes here.
    pub fn woken(self, wake: Receiver<()>) -> Outage {
        Outage { wake: Some(wake), ..self }
    }

    /// It is never given up any more, and told.
    pub fn be_patient(&mut self, speaks: bool) {
        (self.patience, self.speaks) = (None, speaks);
    }

    /// Tells something, wherever that is told.
    pub fn tell(&self, what: String) {
        (self.notify)(what);
    }

    /// A try that began at `began` has failed with this. Returns when it is time for the next.
    ///
    /// # Errors
    /// The failure itself, where another try would not help, or where patience has run out.
    pub async fn after(&mut self, failure: Failure, began: Instant) -> Result<(), Failure> {
        let is_busy = match &failure {
            Failure::Lost(_) => false,
            // Whoever waits for ever waits until it is mended, too.
            Failure::Wrong(_) if self.patience.is_none() => false,
            Failure::Busy(_) => true,
            Failure::Refused(line) if lines::is_passing(line) => true,
            _ => return Err(failure),
        };
        // That there is no room may be something that only a person can change.
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
            // Sooner is no use, and later is after all who were told the same.
            Some(told) if left.is_some_and(|left| told > left) => return Err(failure),
            Some(told) => told + random_part(FIRST_BUSY),
            // Where patience ends there is one more try.
            None => random_part(bound).min(left.unwrap_or(Duration::MAX)),
        };
        let woken = async {
            let Some(wake) = &self.wake else { return future::pending().await };
            // What came before the pause was not about it.
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

    /// The server is there.
    pub fn over(&mut self) {
        if self.since.take().is_some() && self.speaks {
            (self.notify)(BACK.to_owned());
        }
        self.bound = FIRST;
    }
}

/// Tries something that is over soon until it succeeds, or fails in a way that no other try would
/// mend: a server that is not there for 5 seconds is given up, and one that has no room after 30.
///
/// # Errors
/// The last one.
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

/// Between nothing and all of it. Without random numbers it is all: late is better than never.
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
