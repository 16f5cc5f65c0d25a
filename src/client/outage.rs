//! A server that cannot be reached for a while: pauses that grow, and when to give up.

use std::time::{Duration, Instant};

use smol::Timer;

use super::failure::{Failure, report};
use super::lines;

/// The pause before the second try. A server that is restarted is back soon.
const FIRST: Duration = Duration::from_millis(100);

/// The longest pause: how late one notices at most that the server is back.
const LONGEST: Duration = Duration::from_secs(30);

/// What is told when the server is there again.
pub const BACK: &str = "connected again";

/// Where it is told that the server is gone, and back.
pub type Tell = Box<dyn Fn(String)>;

/// What is going on with a server that should be there.
pub struct Outage {
    /// After how long it is given up; `None` is never.
    patience: Option<Duration>,
    /// Whether anything is told.
    speaks: bool,
    tell: Tell,
    since: Option<Instant>,
    pause: Duration,
}

impl Outage {
    /// None yet. It is given up after `patience`, or never. What there is to tell goes to standard
    /// error.
    pub fn new(patience: Option<Duration>) -> Outage {
        let tell = Box::new(|what| report(format_args!("papo: {what}")));
        Outage { patience, speaks: false, tell, since: None, pause: FIRST }
    }

    /// The same, told elsewhere.
    pub fn told(self, tell: Tell) -> Outage {
        Outage { tell, ..self }
    }

    /// It is never given up any more, and told.
    pub fn be_patient(&mut self) {
        (self.patience, self.speaks) = (None, true);
    }

    /// A try that began at `began` has failed with this. Returns when it is time for the next.
    ///
    /// # Errors
    /// The failure itself, where another try would not help, or where patience has run out.
    pub async fn after(&mut self, failure: Failure, began: Instant) -> Result<(), Failure> {
        let (why, is_told) = match failure {
            Failure::Lost(why) => (why, self.speaks),
            // It is there and has no room for now, which only a person can change.
            Failure::Refused(line) if self.patience.is_none() && lines::is_passing(&line) => {
                (line, true)
            }
            other => return Err(other),
        };
        if self.since.is_none() && is_told {
            (self.tell)(format!("{why}; trying again"));
        }
        let since = *self.since.get_or_insert(began);
        if self.patience.is_some_and(|patience| since.elapsed() + self.pause > patience) {
            return Err(Failure::Lost(why));
        }
        Timer::after(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST);
        Ok(())
    }

    /// The server is there.
    pub fn over(&mut self) {
        if self.since.take().is_some() && self.speaks {
            (self.tell)(BACK.to_owned());
        }
        self.pause = FIRST;
    }
}
