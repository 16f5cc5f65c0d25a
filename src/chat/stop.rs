//! What stops a plan, and how the parts of one are put together. Nothing is read or changed here.

use crate::store::Need;
use crate::wire::refusal::Refusal;

/// Why something cannot be carried out. Nothing has been changed then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// These have to be looked up first: all that could be told to be missing, without knowing any
    /// of it.
    Needs(Vec<Need>),
    /// It is not allowed or makes no sense.
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

/// Both, in one look: where both lack something, it is asked for together. Else it is as if the
/// second were only asked about once the first is there.
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

/// All of them, `count` at most, in one look: what any of them lacks is asked for together, and
/// before the first refusal counts.
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
