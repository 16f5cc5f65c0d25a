//! Why a plan cannot be made, and how the results of several lookups are combined.

use crate::store::Need;
use crate::wire::refusal::Refusal;

/// Why something cannot be carried out. Nothing has been changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// These have to be looked up first. They are all that is known to be missing by now; the
    /// answers may lead to more.
    Needs(Vec<Need>),
    /// It is not allowed, or impossible.
    Refused(Refusal),
}

impl From<Need> for Stop {
    fn from(need: Need) -> Stop {
        Stop::Needs(vec![need])
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Stop {
        Stop::Refused(refusal)
    }
}

/// Combines two results. If both lack something, both needs are looked up together; otherwise the
/// first error counts, as if the second had not been tried before the first succeeded.
pub(super) fn both<A, B>(
    first: Result<A, impl Into<Stop>>,
    second: Result<B, impl Into<Stop>>,
) -> Result<(A, B), Stop> {
    match (first, second) {
        (Ok(first), Ok(second)) => Ok((first, second)),
        (Ok(_), Err(stop)) => Err(stop.into()),
        (Err(stop), Ok(_)) => Err(stop.into()),
        (Err(first), Err(second)) => match (first.into(), second.into()) {
            (Stop::Needs(mut needs), Stop::Needs(more)) => {
                needs.extend(more);
                Err(Stop::Needs(needs))
            }
            (first, _) => Err(first),
        },
    }
}

/// Combines results, at most `count` of them. All their needs are looked up together; a refusal
/// counts only once nothing is missing, and then the first one.
pub(super) fn all<T>(
    count: usize,
    each: impl Iterator<Item = Result<T, Stop>>,
) -> Result<Vec<T>, Stop> {
    let (mut done, mut missing, mut refused) = (Vec::with_capacity(count), Vec::new(), None);
    for one in each {
        match one {
            Ok(one) => done.push(one),
            Err(Stop::Needs(needs)) => missing.extend(needs),
            Err(Stop::Refused(refusal)) => refused = refused.or(Some(refusal)),
        }
    }
    match refused {
        _ if !missing.is_empty() => Err(Stop::Needs(missing)),
        Some(refusal) => Err(refusal.into()),
        None => Ok(done),
    }
}
