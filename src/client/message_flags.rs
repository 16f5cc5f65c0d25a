//! The flags and arguments of the commands about messages, and how their values are parsed.

use clap::{Args, ValueEnum};

use super::input::Fitting;
use super::send::{Escalation, SendOptions};
use super::{lines, numbers, when};
use crate::entry::{Condition, Cursor, EntryId};
use crate::limits;
use crate::name::FileName;
use crate::wire::request::{DueTime, Which};
use crate::wire::rows::condition;

/// What becomes of a message after it was sent.
#[derive(Args)]
pub struct SendFlags {
    /// Wait until everyone has received it (also without a value) or read it, or somebody has answered it
    #[arg(long, value_enum, value_name = "delivered|read|answered", hide_possible_values = true)]
    #[arg(num_args = 0..=1, default_missing_value = "delivered")]
    pub wait: Option<Wait>,
    /// How long to wait, 1 to 86400 [default: 86400]
    #[arg(long, value_name = "SECONDS", requires = "wait", value_parser = numbers::up_to::<u64>(limits::WAIT_MAX))]
    pub timeout: Option<u64>,
    /// Send at most once per KEY, however often the command is run [default: a random one]
    #[arg(long, value_parser = key)]
    pub key: Option<String>,
    /// Unless it is delivered, read or answered by then, have the server send TEXT to a handle or +group
    #[arg(long, value_name = "delivered|read|answered:SECONDS:TO=TEXT", value_parser = escalation)]
    pub unless: Vec<Escalation>,
}

impl SendFlags {
    /// What they say.
    pub fn options(self, fitting: Fitting) -> SendOptions {
        let SendFlags { wait, timeout, key, unless } = self;
        let wait = wait.map(|wait| (wait.condition(), timeout.unwrap_or(limits::WAIT_MAX)));
        SendOptions { key, wait, unless, fitting }
    }
}

/// What is done with a text that cannot be sent as it is.
#[derive(Args)]
pub struct TextFlags {
    /// Send any input: replace what cannot be sent, and cut what is too long
    #[arg(long)]
    lossy: bool,
}

impl TextFlags {
    /// What it says.
    pub fn fitting(&self) -> Fitting {
        if self.lossy { Fitting::Lossy } else { Fitting::Strict }
    }
}

/// What may be waited for.
#[derive(Clone, Copy, ValueEnum)]
pub enum Wait {
    /// Until everyone has received it.
    Delivered,
    /// Until everyone has read it.
    Read,
    /// Until somebody has answered it.
    Answered,
}

impl Wait {
    fn condition(self) -> Condition {
        match self {
            Wait::Delivered => Condition::Reached(Cursor::Delivered),
            Wait::Read => Condition::Reached(Cursor::Read),
            Wait::Answered => Condition::Answered,
        }
    }
}

/// A key or a label.
pub fn key(typed: &str) -> Result<String, String> {
    let key = lines::word(typed)?;
    let fits = key.chars().count() <= limits::KEY_MAX;
    if fits { Ok(key) } else { Err(format!("expected at most {} characters", limits::KEY_MAX)) }
}

/// `read:600:+oncall=nobody reads this`; the time may also be written as `10m`.
fn escalation(typed: &str) -> Result<Escalation, String> {
    const EXPECTED: &str = "expected delivered, read or answered, then :SECONDS:TO=TEXT";
    let parts = || {
        let (until, rest) = typed.split_once(':')?;
        let (seconds, rest) = rest.split_once(':')?;
        let (to, text) = rest.split_once('=')?;
        Some((condition(until)?, seconds, to, text.trim()))
    };
    let (until, seconds, to, text) = parts().ok_or(EXPECTED)?;
    if text.is_empty() {
        return Err("expected a text after =".to_owned());
    }
    let (seconds, to) = (when::seconds(seconds)?, lines::target(to)?);
    Ok(Escalation { until, seconds, to, text: text.to_owned() })
}

/// When to send.
pub fn due(typed: &str) -> Result<DueTime, String> {
    when::due(typed, &jiff::Zoned::now())
}

/// The id of a message, or `last`.
pub fn which(typed: &str) -> Result<Which, String> {
    if typed.eq_ignore_ascii_case("last") {
        return Ok(Which::Last);
    }
    let digits = !typed.is_empty() && typed.bytes().all(|b| b.is_ascii_digit());
    let id = digits.then(|| typed.parse().ok()).flatten();
    id.map(|id| Which::Id(EntryId(id))).ok_or_else(|| "expected an id, or last".to_owned())
}

/// A reaction, or `-`; the server knows the rest of what it may be.
pub fn reaction(typed: &str) -> Result<String, String> {
    lines::word(typed)
}

/// The name of a file.
pub fn file_name(typed: &str) -> Result<FileName, String> {
    FileName::new(typed.trim()).map_err(|_| format!("expected {}", FileName::EXPECTED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escalation_is_parsed() {
        let parsed = escalation("read:600:+oncall=a: b=c").unwrap();
        let expected = Escalation {
            until: Condition::Reached(Cursor::Read),
            seconds: 600,
            to: lines::target("#oncall").unwrap(),
            text: "a: b=c".to_owned(),
        };
        assert_eq!(parsed, expected);
        assert_eq!(escalation("answered:10m:bob=x").unwrap().seconds, 600);
        for wrong in [
            "",
            "read",
            "read:600",
            "read:600:bob",
            "seen:600:bob=x",
            "read:x:bob=x",
            "read:600:b b=x",
            "read:600:bob= ",
            "read:40000000:bob=x",
        ] {
            assert!(escalation(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_message_is_named_by_its_id_or_as_the_last() {
        assert_eq!(which("17"), Ok(Which::Id(EntryId(17))));
        assert_eq!(which("LAST"), Ok(Which::Last));
        for wrong in ["", "-1", "+1", "1x", "9223372036854775808", "17\nDEL 18"] {
            assert!(which(wrong).is_err(), "{wrong:?}");
        }
    }
}
