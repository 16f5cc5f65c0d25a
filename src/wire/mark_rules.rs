//! The rules of the verbs that send a message, now or later, and of those that do something with one
//! that was sent: answers, changes, reactions. `rules` has all others.

use nom::Parser;
use nom::branch::alt;
use nom::combinator::{cut, eof, map, value};
use nom::sequence::preceded;

use super::fields::*;
use super::request::{ActCommand, Command, DueTime, LaterCommand, Query};
use super::rules::{condition, file_once, second, which};
use crate::entry::Millis;
use crate::limits;
use crate::name;

/// `MSG = target text`
pub(super) fn message(input: &str) -> ParseResult<'_, Command> {
    sent("MSG", None, input).map(act)
}

/// `RE = which text`
pub(super) fn answer(input: &str) -> ParseResult<'_, Command> {
    sent("RE", None, input).map(act)
}

/// `FWD = which target`
pub(super) fn forward(input: &str) -> ParseResult<'_, Command> {
    sent("FWD", None, input).map(act)
}

/// `ONCE = key ("MSG" target text / "RE" which text / "FWD" which target / "FILE" target file-name)`
pub(super) fn once(input: &str) -> ParseResult<'_, Command> {
    const VERBS: &str = "MSG, RE, FWD or FILE";
    let (input, (key, verb)) = (key, field(VERBS, |said| second(VERBS, said))).parse(input)?;
    if verb == "FILE" { file_once(Some(key), input) } else { sent(verb, Some(key), input).map(act) }
}

fn act((rest, command): (&str, ActCommand)) -> (&str, Command) {
    (rest, Command::Act(command))
}

/// The fields of a verb that sends a message, with the key of its `ONCE`.
fn sent<'a>(verb: &str, once: Option<Box<str>>, input: &'a str) -> ParseResult<'a, ActCommand> {
    Ok(match verb {
        "RE" => {
            let (rest, (about, body)) = (which, body).parse(input)?;
            (rest, ActCommand::Answer { about, body, once })
        }
        "FWD" => {
            let (rest, (about, to)) = (which, target).parse(input)?;
            (rest, ActCommand::Forward { about, to, once })
        }
        _ => {
            let (rest, (to, body)) = (target, body).parse(input)?;
            (rest, ActCommand::Send { to, body, once })
        }
    })
}

fn sent_once(input: &str) -> ParseResult<'_, ActCommand> {
    const VERBS: &str = "MSG, RE or FWD";
    let (input, (key, verb)) = (key, field(VERBS, |said| second(VERBS, said))).parse(input)?;
    sent(verb, Some(key), input)
}

/// `EDIT = which text`
pub(super) fn edit(input: &str) -> ParseResult<'_, Command> {
    map((which, body), |(about, body)| Command::Act(ActCommand::Edit { about, body })).parse(input)
}

/// `DEL = which`
pub(super) fn delete(input: &str) -> ParseResult<'_, Command> {
    map(which, |about| Command::Act(ActCommand::Delete { about })).parse(input)
}

/// `REACT = which (word / "-")`
pub(super) fn react(input: &str) -> ParseResult<'_, Command> {
    map((which, reaction), |(about, word)| Command::Act(ActCommand::React { about, word }))
        .parse(input)
}

/// `word = 1*16(any but blank, ",", "=" and "/")`, or `-` for none. An emoji that is joined from
/// several counts as its parts.
fn reaction(input: &str) -> ParseResult<'_, Option<Box<str>>> {
    const LABEL: &str = "a reaction of 1 to 16 characters without blanks , = and /, or -";
    let is_odd = |c: char| {
        matches!(c, ',' | '=' | '/')
            || c.is_whitespace()
            || (name::is_spoofing(c) && !joins_emoji(c))
    };
    field(LABEL, |word| {
        if word == "-" {
            return Some(None);
        }
        let fits = word.chars().count() <= limits::REACTION_MAX && !word.contains(is_odd);
        let shows = word.chars().any(|c| !joins_emoji(c) && !is_unseen(c));
        (fits && shows).then(|| Some(word.into()))
    })
    .parse(input)
}

/// ZWJ and the tag characters, of which emoji are made (UTS #51).
fn joins_emoji(c: char) -> bool {
    matches!(c, '\u{200D}' | '\u{E0020}'..='\u{E007F}')
}

/// Variation selectors, and letters and a pattern without ink (Unicode, `Default_Ignorable_Code_Point`
/// and Braille): a word of these alone shows nothing.
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}')
        || matches!(c, '\u{115F}' | '\u{1160}' | '\u{3164}' | '\u{FFA0}' | '\u{2800}')
}

/// `EXPIRE = target (seconds / "-")`, with 60 to 31536000 seconds
pub(super) fn expire(input: &str) -> ParseResult<'_, Command> {
    const LABEL: &str = "60 to 31536000 seconds, or -";
    let seconds = field(LABEL, |word| {
        if word == "-" {
            return Some(None);
        }
        let digits = word.bytes().all(|b| b.is_ascii_digit());
        let seconds = digits.then(|| word.parse().ok()).flatten();
        seconds.filter(|n| (limits::TTL_MIN..=limits::TTL_MAX).contains(n)).map(Some)
    });
    map((target, seconds), |(to, seconds)| Command::Act(ActCommand::Expire { to, seconds }))
        .parse(input)
}

/// `MARKS = which ["after" id]`
pub(super) fn marks(input: &str) -> ParseResult<'_, Command> {
    let after = opt_field(preceded(keyword("after"), cut(id)));
    let after = labelled_at_start("after <id> or the end of the line", after);
    map((which, after), |(which, after)| Command::Query(Query::Marks { which, after })).parse(input)
}

/// `AT = [due later / "DEL" n]`
pub(super) fn at(input: &str) -> ParseResult<'_, Command> {
    let number = field("the number of a command, as AT shows it", |word: &str| word.parse().ok());
    let unschedule = map(number, |number| ActCommand::Unschedule { number });
    let schedule = map((due, cut(later)), |(due, later)| {
        let unless = None;
        ActCommand::Schedule { due, unless, later }
    });
    let acts = alt((preceded(keyword("DEL"), cut(unschedule)), schedule));
    alt((
        value(Command::Query(Query::Later), eof),
        map(labelled_at_start(DueTime::EXPECTED, acts), Command::Act),
    ))
    .parse(input)
}

/// `UNLESS = which condition seconds later`
pub(super) fn unless(input: &str) -> ParseResult<'_, Command> {
    let seconds = field("a number of seconds from 0 to 31536000", later_seconds);
    map((which, condition, seconds, later), |(which, condition, seconds, later)| {
        let (due, unless) = (DueTime::In(seconds), Some((which, condition)));
        Command::Act(ActCommand::Schedule { due, unless, later })
    })
    .parse(input)
}

/// `due = time / "+" seconds`, with the time as in RFC 3339
fn due(input: &str) -> ParseResult<'_, DueTime> {
    field(DueTime::EXPECTED, |word| match word.strip_prefix('+') {
        Some(seconds) => later_seconds(seconds).map(DueTime::In),
        None => {
            let time: jiff::Timestamp = word.parse().ok()?;
            Some(DueTime::At(Millis(time.as_millisecond())))
        }
    })
    .parse(input)
}

fn later_seconds(word: &str) -> Option<u64> {
    let digits = word.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| word.parse().ok()).flatten().filter(|n| *n <= limits::LATER_SECONDS)
}

/// `later = "MSG" target text / "RE" which text / "FWD" which target / "ONCE" key later`, with one
/// `ONCE` at most
fn later(input: &str) -> ParseResult<'_, LaterCommand> {
    const VERBS: &str = "MSG, RE, FWD or ONCE";
    let (fields, verb) = field(VERBS, |said| second(VERBS, said)).parse(input)?;
    let (rest, command) =
        if verb == "ONCE" { sent_once(fields)? } else { sent(verb, None, fields)? };
    // It is shown in a row, which has to be one line wherever it is read.
    let typed = input.replace(['\u{2028}', '\u{2029}'], "\\n").into();
    Ok((rest, LaterCommand { verb, command: Box::new(command), typed }))
}
