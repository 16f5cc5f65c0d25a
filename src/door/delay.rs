//! When a message should be said: `At`, `In` and `Delay`, as the time that `AT` takes.

use super::answer::Denial;
use crate::entry::Millis;
use crate::limits;
use crate::wire::columns::written_time;

/// Parses a Unix time, an RFC 3339 time, or a span such as `30m`, `1h30m` or `2 days`, into the time
/// of an `AT`. Hours of a day and names of days have no meaning without a time zone, which a request
/// does not have.
///
/// # Errors
/// It is none of these, has passed, or is too far ahead.
pub fn parse(said: &str, now: Millis) -> Result<String, Denial> {
    let invalid = || {
        let text = "invalid delay: a span such as 30m or 2 days, a Unix time, or an RFC 3339 time";
        Denial::new(40004, text)
    };
    let said = said.trim();
    let time = if !said.is_empty() && said.bytes().all(|b| b.is_ascii_digit()) {
        said.parse().ok().and_then(|seconds: i64| seconds.checked_mul(1_000))
    } else if let Ok(time) = said.parse::<jiff::Timestamp>() {
        Some(time.as_millisecond())
    } else {
        let seconds = span(said).ok_or_else(invalid)?;
        if seconds <= limits::LATER_SECONDS {
            return if seconds > 0 { Ok(format!("+{seconds}")) } else { Err(too_soon()) };
        }
        return Err(too_far());
    };
    match time.ok_or_else(invalid)? {
        time if time <= now.0 => Err(too_soon()),
        time if time - now.0 > 1_000 * limits::LATER_SECONDS.cast_signed() => Err(too_far()),
        time => Ok(written_time(Millis(time))),
    }
}

fn too_soon() -> Denial {
    Denial::new(40005, "invalid delay: this time has passed")
}

fn too_far() -> Denial {
    Denial::new(40006, "invalid delay: at most a year ahead")
}

/// The seconds of a span: numbers, each with its unit.
fn span(said: &str) -> Option<u64> {
    let (mut seconds, mut rest) = (0_u64, said);
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number: u64 = rest[..digits].parse().ok()?;
        let after = rest[digits..].trim_start();
        let letters =
            after.len() - after.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
        let unit = match &*after[..letters].to_ascii_lowercase() {
            "s" | "sec" | "secs" | "second" | "seconds" => 1,
            "m" | "min" | "mins" | "minute" | "minutes" => 60,
            "h" | "hour" | "hours" => 3_600,
            "d" | "day" | "days" => 86_400,
            _ => return None,
        };
        seconds = seconds.checked_add(number.checked_mul(unit)?)?;
        rest = after[letters..].trim_start();
    }
    (!said.is_empty()).then_some(seconds)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn nothing_makes_it_panic(said in "[0-9smhdayinT:.Z +-]{0,24}|\\PC{0,12}") {
            let _ = parse(&said, Millis(1_000));
        }
    }

    #[test]
    fn times_and_spans_are_those_of_at() {
        let now = Millis(1_795_873_373_000);
        let due = |said: &str| parse(said, now);
        assert_eq!(due("30m"), Ok("+1800".into()));
        assert_eq!(due(" 1h30m "), Ok("+5400".into()));
        assert_eq!(due("2 Days"), Ok("+172800".into()));
        assert_eq!(due("1 min 5 secs"), Ok("+65".into()));
        assert_eq!(due("1795873400"), Ok("2026-11-28T13:43:20.000Z".into()));
        assert_eq!(due("2026-11-28T14:00:00+01:00"), due("2026-11-28T13:00:00Z"));
        let code = |said: &str| due(said).unwrap_err().code;
        for bad in ["", "tomorrow", "10am", "m", "5", "5w", "1.5h", "-5m", "5m!", "é"] {
            let expected = if bad == "5" { 40005 } else { 40004 };
            assert_eq!(code(bad), expected, "{bad}");
        }
        for early in ["0s", "1795873373", "2001-01-01T00:00:00Z"] {
            assert_eq!(code(early), 40005, "{early}");
        }
        for late in ["366d", "4000000000", "99999999999999999999d"] {
            assert!(matches!(code(late), 40004 | 40006), "{late}");
        }
    }
}
