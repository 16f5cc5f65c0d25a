//! `papo expire`: how long a conversation keeps what is said there from now on.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use super::account::Credentials;
use super::caller::Caller;
use super::failure::Failure;
use super::progress::{SERVER, shown};
use super::when;
use crate::entry::{Entry, Millis};
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

/// When a message vanishes, by this machine's clock. `received` is when the server sent it; since it
/// was not gone then, it stays a minute from there, or its whole lifetime if that is shorter: this clock
/// may be ahead of the server's.
pub fn due(entry: &Entry, received: Timestamp) -> Option<Timestamp> {
    let seconds = entry.tags.as_ref()?.exp?;
    due_after(seconds, entry.time, received)
}

/// The same of a message from that time with this lifetime in seconds; `None` if that is beyond all
/// times.
pub fn due_after(seconds: u32, time: Millis, received: Timestamp) -> Option<Timestamp> {
    let lifetime = SignedDuration::from_secs(seconds.into());
    let time = Timestamp::from_millisecond(time.0).ok()?;
    let least = received.checked_add(lifetime.min(SignedDuration::from_secs(60))).ok()?;
    Some(time.checked_add(lifetime).ok()?.max(least))
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
    fn a_message_vanishes_after_its_lifetime_and_not_as_soon_as_it_has_come() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let due = |seconds, received| due_after(seconds, Millis(1_000_000), at(received));
        assert_eq!(due(3_600, 1_000), Some(at(4_600)));
        assert_eq!(due(3_600, 4_599), Some(at(4_659)));
        // This clock is a day ahead.
        assert_eq!(due(3_600, 87_400), Some(at(87_460)));
        assert_eq!(due(1, 87_400), Some(at(87_401)));
        // It is a day behind.
        assert_eq!(due(3_600, -85_400), Some(at(4_600)));
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
