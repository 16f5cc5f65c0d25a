//! What a command that a session carries out itself comes to: a final line, a refusal, or the end.

use super::End;
use crate::hub;
use crate::password::Failed;
use crate::rates::TooFast;
use crate::readers::Unanswered;
use crate::store;
use crate::wire::refusal::Refusal;
use crate::wire::reply::Reply;

/// The answer to a command: its final line, unless that is written already.
pub(super) type Answer = Result<Option<Reply>, Stop>;

/// Why a command has no reply.
pub(super) enum Stop {
    /// It was refused.
    Refused(Refusal),
    /// The session is over.
    End(End),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Stop {
        Stop::Refused(refusal)
    }
}

impl From<End> for Stop {
    fn from(end: End) -> Stop {
        Stop::End(end)
    }
}

impl From<store::Error> for Stop {
    fn from(e: store::Error) -> Stop {
        log::error!("cannot read the database: {e}");
        Stop::Refused(hub::unkept(&e))
    }
}

impl From<Unanswered> for Stop {
    fn from(unanswered: Unanswered) -> Stop {
        match unanswered {
            Unanswered::Store(e) => e.into(),
            Unanswered::Bug => Stop::Refused(Refusal::Bug),
        }
    }
}

impl From<TooFast> for Stop {
    fn from(TooFast(seconds): TooFast) -> Stop {
        Stop::Refused(Refusal::TooFast { seconds })
    }
}

impl From<Failed> for Stop {
    fn from(failed: Failed) -> Stop {
        Stop::Refused(match failed {
            Failed::Busy => Refusal::TooMany,
            Failed::Braked(wait) => {
                // Rounded up: who comes back on the second is not too early.
                let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                Refusal::TooFast { seconds }
            }
            Failed::Unknown => Refusal::NotToldNow,
            Failed::Broken => {
                log::error!("a password could not be hashed, or its stored hash is damaged");
                Refusal::Bug
            }
        })
    }
}
