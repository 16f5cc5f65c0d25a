//! What the table of verbs is good for: a line is read by the rule of its verb, a slip of the finger
//! is told from it, and `HELP` is made from it, so it lists what works and nothing else.

use std::borrow::Cow;

use nom::Parser;
use nom::sequence::terminated;

use super::refusal::Refusal;
use super::request::{Request, blank, first_word};
use super::rules;
pub use super::verbs::{Place, Served, VERBS, Verb};
use crate::{limits, name};

/// The row of a word said in any letter case, wherever it is served.
pub fn verb(word: &str) -> Option<&'static Verb> {
    VERBS.iter().find(|verb| verb.word.eq_ignore_ascii_case(word))
}

/// The row of a word that is served at a place.
pub fn verb_at(word: &str, place: Place) -> Option<&'static Verb> {
    verb(word).filter(|verb| verb.served.at(place))
}

/// Reads a line whose first word is this verb.
///
/// # Errors
/// What the verb's rule expected, and where.
pub fn read(verb: &Verb, line: &str) -> Result<Request, Refusal> {
    let line = line.trim_end_matches(blank);
    // `first_word` is a part of `line`, so what stands after it is too.
    let blanks = line.len() - line.trim_start_matches(blank).len();
    let from = blanks + first_word(line).len();
    let fields = line[from..].trim_start_matches(blank);
    match terminated(verb.rule, rules::end).parse(fields) {
        Ok((_, request)) => Ok(request),
        Err(nom::Err::Error(e) | nom::Err::Failure(e)) => {
            let byte = line.len() - e.rest.len();
            Err(match e.hidden {
                Some(at) => Refusal::BadText {
                    byte: byte + at + 1,
                    what: "a name takes no control, direction or zero-width characters",
                },
                None => Refusal::BadSyntax {
                    expected: e.label,
                    column: line[..byte].chars().count() + 1,
                },
            })
        }
        // Only the streaming parsers ask for more, and none is used.
        Err(nom::Err::Incomplete(_)) => Err(Refusal::Bug),
    }
}

/// The verb as an `ERR` line says it: in capitals, `-` where there is none that could be said.
pub fn spoken(word: &str) -> Cow<'static, str> {
    if let Some(verb) = verb(word) {
        return Cow::Borrowed(verb.word);
    }
    match word.chars().take(limits::VERB_ECHO + 1).count() {
        1..=limits::VERB_ECHO if !word.contains(name::hidden) => Cow::Owned(word.to_uppercase()),
        _ => Cow::Borrowed("-"),
    }
}

/// The verb that was probably meant: one or two slips away, fewer than it has letters.
pub fn nearest(word: &str, place: Place) -> Option<&'static str> {
    if word.len() > 2 * VERBS.iter().map(|verb| verb.word.len()).max().unwrap_or(0) {
        return None;
    }
    let word = word.to_ascii_uppercase();
    let slips = |verb: &&Verb| strsim::osa_distance(verb.word, &word);
    let near = VERBS.iter().filter(|verb| verb.served.at(place)).min_by_key(slips)?;
    (slips(&near) <= near.word.len().div_euclid(3).clamp(1, 2)).then_some(near.word)
}

/// The lines of `HELP` without a verb: one screen, by subject.
pub fn overview(place: Place) -> Vec<String> {
    let mut lines = Vec::new();
    if place != Place::Admin {
        lines.extend([
            "One line is one command, and each gets one final line, OK or ERR. Start with"
                .to_owned(),
            "  REG ana secret-a      then   MSG bia hello   or   TALK bia   to chat".to_owned(),
        ]);
    }
    let mut last = "";
    for verb in VERBS.iter().filter(|verb| verb.served.at(place)) {
        let subject = if verb.subject == last { "" } else { verb.subject };
        last = verb.subject;
        lines.push(format!("{subject:<10} {}", verb.form));
    }
    if place == Place::Admin {
        lines.push("HELP ADMIN tells more.".to_owned());
        return lines;
    }
    lines.extend([
        "What comes by itself: MSG and GROUP <id> <time> <from> <to> <tags> <text>; ACK and"
            .to_owned(),
        "READ <id> <time> <from> <to> (all up to <id> was received, read); LIVE, BYE.".to_owned(),
        "HELP <verb> tells more of one verb; <to> is a handle or #group.".to_owned(),
    ]);
    lines
}

/// The lines of `HELP` for one verb.
pub fn of(verb: &Verb) -> Vec<String> {
    let mut lines = vec![verb.form.to_owned()];
    lines.extend(verb.does.iter().map(|line| format!("  {line}")));
    lines.push(format!("  for example: {}", verb.example));
    if !verb.errors.is_empty() {
        lines.push(format!("  errors: {}", verb.errors));
    }
    lines
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
