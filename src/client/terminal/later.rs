//! How what is sent later looks: `⏲ 09:00  to bob: stand-up  (/later del 3)`.

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use super::columns::{cut, width};
use crate::client::later::summary;
use crate::entry::{Condition, Millis};
use crate::wire::rows::{AtLine, condition_word};

/// Columns before each row.
const INDENT: &str = "      ";

/// What waits, in `columns`.
pub fn row(number: u64, time: Millis, what: &str, zone: &TimeZone, columns: usize) -> String {
    let (head, tail) =
        (format!("{INDENT}⏲ {}  ", clock(time, zone)), format!("  (/later del {number})"));
    let room = columns.saturating_sub(1 + width(&head) + width(&tail)).max(10);
    format!("{head}{}{tail}", cut(what, room))
}

/// What a row of `AT` says.
pub fn what(row: &AtLine) -> String {
    let unless = row.unless.map(unless).unwrap_or_default();
    format!("{unless}{}", summary(&row.command.0))
}

/// The condition of an `UNLESS`, in front of what it does.
pub fn unless(condition: Condition) -> String {
    format!("unless {}, ", condition_word(condition))
}

/// A time of the day, with the day unless it is today.
pub fn clock(time: Millis, zone: &TimeZone) -> String {
    let time = Timestamp::from_millisecond(time.0).unwrap_or_else(|_| Timestamp::now());
    let time = time.to_zoned(zone.clone());
    let today = Zoned::now().with_time_zone(zone.clone()).date();
    let form = match () {
        () if time.date() == today => "%H:%M",
        () if time.year() == today.year() => "%-d %b %H:%M",
        () => "%-d %b %Y %H:%M",
    };
    time.strftime(form).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_when_what_and_how_it_is_cancelled() {
        let shown = |line: &str, columns| {
            let at = AtLine::parse(line).unwrap();
            row(at.number, at.time, &what(&at), &TimeZone::UTC, columns)
        };
        let line = r"AT 3 2020-11-22T09:00:00.000Z - - ONCE k MSG bob stand-up\nin room 2";
        assert_eq!(
            shown(line, 80),
            "      ⏲ 22 Nov 2020 09:00  to bob: stand-up in room 2  (/later del 3)"
        );
        assert_eq!(shown(line, 60), "      ⏲ 22 Nov 2020 09:00  to bob: stand-u…  (/later del 3)");
        let line = "AT 12 2020-11-22T09:00:00.000Z 7 read msg #ops db1 is full";
        assert_eq!(
            shown(line, 80),
            "      ⏲ 22 Nov 2020 09:00  unless read, to #ops: db1 is full  (/later del 12)"
        );
        assert_eq!(summary("FWD 17 cid"), "17 forwarded to cid");
        assert_eq!(summary("once k re 17 yes"), "re 17: yes");
    }
}
