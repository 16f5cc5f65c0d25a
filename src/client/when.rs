//! When something is due, as people and scripts write it: a time or a duration. Nothing is sent
//! here.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Span, SpanRelativeTo, Timestamp, Zoned};

use crate::entry::Millis;
use crate::limits;
use crate::wire::request::DueTime;

const EXPECTED: &str = "expected +10m, +600, 9:00, 2026-01-01T09:00 or 2026-01-01T09:00:00Z";

/// Parses when something is due: `+600` (seconds), `+10m`, `+2h`, `+1d12h`; `9:00`, the next such
/// time of the day; `2026-01-01T09:00`; these in the time zone of `now`. With an offset, as in RFC
/// 3339, it is a time of that; `@1767258000` are seconds since 1970.
///
/// # Errors
/// What was expected.
pub fn due(typed: &str, now: &Zoned) -> Result<DueTime, String> {
    if let Some(span) = typed.strip_prefix('+') {
        return seconds(span).map(DueTime::In);
    }
    let time = if let Some(seconds) = typed.strip_prefix('@') {
        seconds.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok())
    } else if let Ok(time) = typed.parse::<Timestamp>() {
        Some(time)
    } else {
        local(typed, now)
    };
    let time = time.ok_or_else(|| EXPECTED.to_owned())?;
    Ok(DueTime::At(Millis(time.as_millisecond())))
}

/// Parses a duration: seconds, or numbers with units, as in `90`, `10m`, `1h30m`, `2d`. A day has 24
/// hours. Returns seconds, rounded up.
///
/// # Errors
/// What was expected; at most a year.
pub fn seconds(typed: &str) -> Result<u64, String> {
    let expected = "expected seconds or a duration like 10m, 2h or 1d, at most a year";
    let is_number = !typed.is_empty() && typed.bytes().all(|b| b.is_ascii_digit());
    let seconds: Option<u64> = if is_number {
        typed.parse().ok()
    } else {
        let span = typed.parse::<Span>().ok();
        let days = SpanRelativeTo::days_are_24_hours();
        let length = span.and_then(|span| span.to_duration(days).ok());
        length
            .and_then(|length| u64::try_from(length.as_millis()).ok())
            .map(|ms| ms.div_ceil(1_000))
    };
    let fits = seconds.filter(|seconds| *seconds <= limits::LATER_SECONDS);
    fits.ok_or_else(|| expected.to_owned())
}

/// A duration in words: `1 day`, `8 hours`, `1 hour 30 minutes`.
pub fn duration(seconds: u64) -> String {
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
    let (mut rest, mut words) = (seconds, Vec::new());
    for (length, unit) in units {
        let count = rest / length;
        rest %= length;
        if count > 0 || (length == 1 && words.is_empty()) {
            words.push(format!("{count} {unit}{}", if count == 1 { "" } else { "s" }));
        }
    }
    words.join(" ")
}

/// A time without an offset from UTC.
fn local(typed: &str, now: &Zoned) -> Option<Timestamp> {
    let zone = now.time_zone();
    if let Some(time) = time_of_day(typed) {
        // A time that a change of the clocks leaves out is as much later.
        let at = |day: Date| instant(day.to_datetime(time), zone);
        let today = at(now.date())?;
        return if today > now.timestamp() {
            Some(today)
        } else {
            at(now.date().tomorrow().ok()?)
        };
    }
    let (day, time) = typed.split_once(['T', ' '])?;
    let day: Date = day.parse().ok()?;
    instant(day.to_datetime(time_of_day(time)?), zone)
}

fn instant(time: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    zone.to_timestamp(time).ok()
}

/// `9:00`, `09:00` or `09:00:30`.
fn time_of_day(typed: &str) -> Option<Time> {
    let mut parts = typed.split(':');
    let mut part = || {
        let digits = parts.next()?;
        let is_it = (1..=2).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        is_it.then(|| digits.parse().ok()).flatten()
    };
    let (hour, minute) = (part()?, part()?);
    let second = if typed.matches(':').count() == 2 { part()? } else { 0 };
    if typed.matches(':').count() > 2 {
        return None;
    }
    Time::new(hour, minute, second, 0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now(zone: &str) -> Zoned {
        format!("2026-03-28T10:00:00[{zone}]").parse().unwrap()
    }

    fn at(typed: &str, zone: &str) -> String {
        match due(typed, &now(zone)).unwrap() {
            DueTime::At(time) => Timestamp::from_millisecond(time.0).unwrap().to_string(),
            DueTime::In(seconds) => format!("+{seconds}"),
        }
    }

    #[test]
    fn durations_are_words() {
        for (seconds, words) in [
            (0, "0 seconds"),
            (60, "1 minute"),
            (604_800, "7 days"),
            (90_061, "1 day 1 hour 1 minute 1 second"),
        ] {
            assert_eq!(duration(seconds), words);
        }
    }

    #[test]
    fn durations_are_seconds() {
        for (typed, expected) in [
            ("+0", "+0"),
            ("+600", "+600"),
            ("+10m", "+600"),
            ("+2h", "+7200"),
            ("+1h30m", "+5400"),
            ("+1d", "+86400"),
            ("+2w", "+1209600"),
            ("+1500ms", "+2"),
            ("+365d", "+31536000"),
        ] {
            assert_eq!(at(typed, "UTC"), expected, "{typed}");
        }
    }

    #[test]
    fn a_time_of_the_day_is_the_next_one() {
        for (typed, expected) in [
            ("11:00", "2026-03-28T11:00:00Z"),
            ("9:00", "2026-03-29T09:00:00Z"),
            ("09:00:30", "2026-03-29T09:00:30Z"),
            // Now is over.
            ("10:00", "2026-03-29T10:00:00Z"),
            ("0:00", "2026-03-29T00:00:00Z"),
        ] {
            assert_eq!(at(typed, "UTC"), expected, "{typed}");
        }
        // The night has an hour less, and 2:30 does not exist in it.
        assert_eq!(at("9:00", "Europe/Berlin"), "2026-03-29T07:00:00Z");
        assert_eq!(at("2:30", "Europe/Berlin"), "2026-03-29T01:30:00Z");
    }

    #[test]
    fn a_day_may_stand_before_it_and_an_offset_behind() {
        for (typed, expected) in [
            ("2026-12-24T09:00", "2026-12-24T08:00:00Z"),
            ("2026-12-24 9:00", "2026-12-24T08:00:00Z"),
            ("2026-06-01T09:00:05", "2026-06-01T07:00:05Z"),
            ("2026-12-24T09:00:00Z", "2026-12-24T09:00:00Z"),
            ("2026-12-24T09:00:00-05:00", "2026-12-24T14:00:00Z"),
            ("2020-01-01T00:00:00Z", "2020-01-01T00:00:00Z"),
            ("@1767258000", "2026-01-01T09:00:00Z"),
        ] {
            assert_eq!(at(typed, "Europe/Berlin"), expected, "{typed}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for wrong in [
            "",
            "+",
            "+x",
            "-10m",
            "+-10m",
            "10m",
            "600",
            "9",
            "9:",
            "9:0:0:0",
            "24:00",
            "9:60",
            "9:00x",
            "+9:00",
            "noon",
            "2026-13-01T09:00",
            "2026-01-01",
            "@",
            "@x",
            "+366d",
            "+31536001",
            "+1mo",
            "2026-12-24  9:00",
            "2026-12-24T09:00\nMSG",
        ] {
            assert!(due(wrong, &now("UTC")).is_err(), "{wrong:?}");
        }
    }
}
