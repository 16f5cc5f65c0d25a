//! `papo expire`: how long a conversation keeps what is said there from now on.

use std::fmt;

use super::account::Credentials;
use super::caller::Caller;
use super::failure::Failure;
use super::progress::{SERVER, shown};
use super::when;
use crate::limits;
use crate::name::Target;

/// How long messages are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// Until somebody deletes them.
    Unlimited,
    /// For so many seconds, [`limits::TTL_MIN`] to [`limits::TTL_MAX`].
    Seconds(u32),
}

impl Lifetime {
    /// That of an `EXPIRE` with this text: seconds, or `-`. `None` if it is neither.
    pub fn of_entry(body: &str) -> Option<Lifetime> {
        match body {
            "-" => Some(Lifetime::Unlimited),
            _ => body.parse().ok().map(Lifetime::Seconds),
        }
    }
}

/// As the protocol writes it.
impl fmt::Display for Lifetime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lifetime::Unlimited => f.write_str("-"),
            Lifetime::Seconds(seconds) => seconds.fmt(f),
        }
    }
}

/// Parses `off` or a duration.
///
/// # Errors
/// What was expected.
pub fn lifetime(typed: &str) -> Result<Lifetime, String> {
    if typed.eq_ignore_ascii_case("off") {
        return Ok(Lifetime::Unlimited);
    }
    let seconds = when::seconds(typed).ok().and_then(|seconds| u32::try_from(seconds).ok());
    let seconds = seconds.filter(|it| (limits::TTL_MIN..=limits::TTL_MAX).contains(it));
    let why = "expected off, seconds, or a duration like 8h or 7d, from 60 seconds to 365 days";
    seconds.map(Lifetime::Seconds).ok_or_else(|| why.to_owned())
}

/// The command that sets how long a conversation keeps its messages.
pub fn command(to: impl fmt::Display, lifetime: Lifetime) -> String {
    format!("EXPIRE {to} {lifetime}")
}

/// What an `EXPIRE` with this text does, behind the name of its author.
pub fn in_words(body: &str) -> String {
    match Lifetime::of_entry(body) {
        Some(Lifetime::Unlimited) => "set messages here to stay".to_owned(),
        Some(Lifetime::Seconds(seconds)) => {
            format!("set messages here to vanish after {}", when::duration(seconds.into()))
        }
        None => body.to_owned(),
    }
}

/// Sets how long a conversation keeps what is said there from now on. Sent once: each time it would
/// be another entry.
///
/// # Errors
/// Any; `Lost` if the connection broke before the answer.
pub async fn expire(account: &Credentials, to: &Target, lifetime: Lifetime) -> Result<(), Failure> {
    let mut caller = Caller::hasty(account);
    shown(SERVER, caller.ask_once(&command(to, lifetime))).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_are_durations_or_off() {
        assert_eq!(lifetime("Off"), Ok(Lifetime::Unlimited));
        for (typed, seconds) in
            [("60", 60), ("8h", 28_800), ("7d", 604_800), ("31536000", 31_536_000), ("1m", 60)]
        {
            assert_eq!(lifetime(typed), Ok(Lifetime::Seconds(seconds)), "{typed}");
        }
        for odd in ["", "-", "on", "59", "0", "31536001", "366d", "soon"] {
            assert!(lifetime(odd).unwrap_err().starts_with("expected off, seconds,"), "{odd}");
        }
    }

    #[test]
    fn an_entry_is_a_sentence() {
        let said = |seconds: u32| in_words(&Lifetime::Seconds(seconds).to_string());
        assert_eq!(said(86_400), "set messages here to vanish after 1 day");
        assert_eq!(said(5_400), "set messages here to vanish after 1 hour 30 minutes");
        assert_eq!(in_words("-"), "set messages here to stay");
        assert_eq!(in_words("of a later protocol"), "of a later protocol");
    }
}
