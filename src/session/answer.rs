//! The outcome of a command that a session carries out itself: a final line, a refusal, or the end
//! of the session.

use std::time::Duration;

use super::End;
use crate::file_workers::NotDone;
use crate::hub;
use crate::password::Failed;
use crate::rates::TooFast;
use crate::readers::Unanswered;
use crate::store;
use crate::wire::refusal::Refusal;
use crate::wire::reply::Reply;

/// The outcome of a command; `None` if its final line is written or will come through the outbox.
pub(super) type Answer = Result<Option<Reply>, Halt>;

pub(super) enum Halt {
    /// The command is refused; the session goes on.
    Refused(Refusal),
    /// The session is over.
    End(End),
}

impl From<Refusal> for Halt {
    fn from(refusal: Refusal) -> Halt {
        Halt::Refused(refusal)
    }
}

impl From<End> for Halt {
    fn from(end: End) -> Halt {
        Halt::End(end)
    }
}

impl From<store::Error> for Halt {
    fn from(e: store::Error) -> Halt {
        log::error!("cannot read the database: {e}");
        Halt::Refused(hub::unkept(&e))
    }
}

impl From<Unanswered> for Halt {
    fn from(unanswered: Unanswered) -> Halt {
        match unanswered {
            Unanswered::Store(e) => e.into(),
            Unanswered::Bug => Halt::Refused(Refusal::Bug),
        }
    }
}

impl From<NotDone> for Halt {
    fn from(_: NotDone) -> Halt {
        Halt::Refused(Refusal::Bug)
    }
}

impl From<TooFast> for Halt {
    fn from(TooFast(seconds): TooFast) -> Halt {
        Halt::Refused(Refusal::TooFast { seconds })
    }
}

impl From<Failed> for Halt {
    fn from(failed: Failed) -> Halt {
        Halt::Refused(match failed {
            Failed::Busy => Refusal::TooMany,
            Failed::Braked(wait) => Refusal::TooFast { seconds: whole_seconds(wait) },
            Failed::Unknown => Refusal::NotToldNow,
            Failed::Broken => {
                log::error!("cannot hash a password, or its stored hash is damaged");
                Refusal::Bug
            }
        })
    }
}

/// Rounded up, so that a retry after exactly this many seconds is not too early.
pub(super) fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}
