//! Parses the server's lines and builds a client's commands. Nothing is sent here.

use std::borrow::Cow;
use std::fmt;

use super::failure::Failure;
use crate::entry::{Call, Entry, EntryId, EntryKind};
use crate::limits;
use crate::name::{DeviceName, Handle, Target};
use crate::wire::rows::ErrLine;
use crate::wire::text;

/// The code of an `ERR` line; empty for any other line.
pub fn code(line: &str) -> &str {
    ErrLine::parse(line).map_or("", |refused| refused.code)
}

/// The sentence of an `ERR` line, without its column: nobody here typed that line.
pub fn why(line: &str) -> Cow<'_, str> {
    let Some(ErrLine { text, .. }) = ErrLine::parse(line) else { return line.into() };
    let bare = text.strip_prefix("column ").and_then(|rest| rest.split_once(": "));
    let bare = bare.map(|(_, text)| text.to_owned());
    bare.map_or(text, Cow::Owned)
}

/// Whether an `ERR` line is temporary, so that the command may be repeated later.
pub fn is_passing(line: &str) -> bool {
    matches!(code(line), "storage" | "too-fast" | "too-many")
}

/// Seconds until the next attempt, if an `ERR` line names them.
pub fn seconds(line: &str) -> Option<u64> {
    ErrLine::parse(line)?.seconds()
}

/// What `write` writes, without the line end.
pub fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut line = Vec::new();
    write(&mut line);
    line.pop();
    // Always valid UTF-8.
    String::from_utf8_lossy(&line).into_owned()
}

/// Whether an entry is a message with a text, and not a change of a group, a mark, or deleted.
pub fn is_message(entry: &Entry) -> bool {
    entry.kind == EntryKind::Message && !entry.is_gone()
}

/// Whether an entry is a late message of `me` to themselves, which waits for them.
pub fn is_reminder(entry: &Entry, me: &Handle) -> bool {
    let is_late = entry.tags.as_ref().is_some_and(|tags| tags.late.is_some());
    is_late && entry.from == *me && entry.to == Target::Person(me.clone())
}

/// Whether an entry is the own one of `me`, and so nothing that waits for them.
pub fn is_own(entry: &Entry, me: &Handle) -> bool {
    entry.from == *me && !is_reminder(entry, me)
}

/// The message that an entry answers or, of a mark, is about.
pub fn about(entry: &Entry) -> Option<u64> {
    entry.tags.as_ref()?.re.map(EntryId::number)
}

/// The text of a message as people are shown it.
pub fn text_of(entry: &Entry) -> &str {
    if entry.is_gone() { "(deleted)" } else { &entry.body }
}

/// The conversation of an entry as `me` names it.
pub fn conversation_of(entry: &Entry, me: &Handle) -> Target {
    if entry.from == *me { entry.to.clone() } else { conversation(entry) }
}

/// The conversation of an entry as anyone but its author names it: where an answer goes.
pub fn conversation(entry: &Entry) -> Target {
    match &entry.to {
        Target::Group(_) => entry.to.clone(),
        Target::Person(_) => Target::Person(entry.from.clone()),
    }
}

/// Whether an entry or a receipt with this `from` and `to` belongs to one of these conversations of
/// `me`; an empty list means all.
pub fn concerns(from: &Handle, to: &Target, conversations: &[Target], me: &Handle) -> bool {
    // A direct chat is named after the one who is not `me`.
    let is_it = |one: &Target| match (to, one) {
        (Target::Person(_), Target::Person(other)) if from != me => other == from,
        _ => one == to,
    };
    conversations.is_empty() || conversations.iter().any(is_it)
}

/// Parses a conversation: a handle, `#group`, or `+group`, since `#` begins a comment in a shell.
///
/// # Errors
/// What was expected.
pub fn target(typed: &str) -> Result<Target, String> {
    let group = typed.strip_prefix(['#', '+']);
    match group {
        Some(name) => Handle::new(name).map(Target::Group),
        None => Handle::new(typed).map(Target::Person),
    }
    .ok_or_else(|| "expected a handle, #group or +group".to_owned())
}

/// Parses the name of a group: with `#`, with `+`, or bare.
///
/// # Errors
/// What was expected.
pub fn group(typed: &str) -> Result<Handle, String> {
    let name = typed.strip_prefix(['#', '+']).unwrap_or(typed);
    Handle::new(name).ok_or_else(|| "expected the name of a group".to_owned())
}

/// Whether an entry calls somebody: by the handle, or as everyone.
pub fn calls(entry: &Entry, whom: &Handle) -> bool {
    let calls = entry.tags.as_ref().map_or(&[][..], |tags| &tags.calls);
    calls.iter().any(|call| match call {
        Call::All => true,
        Call::Handle(handle) => handle == whom,
    })
}

/// Parses a handle.
///
/// # Errors
/// What was expected.
pub fn handle(typed: &str) -> Result<Handle, String> {
    Handle::new(typed).ok_or_else(|| "expected a handle".to_owned())
}

/// Parses the name of a device.
///
/// # Errors
/// What was expected.
pub fn device(typed: &str) -> Result<DeviceName, String> {
    let why = "expected a device of 1 to 32 characters: letters a-z, digits, . _ -";
    DeviceName::new(typed).ok_or_else(|| why.to_owned())
}

/// Checks a key or a secret, which goes onto the wire unescaped.
///
/// # Errors
/// It is empty or contains a blank or a control character, which would end it on the wire.
pub fn word(typed: &str) -> Result<String, String> {
    if typed.is_empty() || typed.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err("expected a word without blanks".to_owned());
    }
    Ok(typed.to_owned())
}

/// Free text, escaped for the wire.
pub fn escaped(plain: &str) -> String {
    let mut out = Vec::with_capacity(plain.len());
    text::escape(plain, &mut out);
    // Always valid UTF-8, so nothing is replaced.
    String::from_utf8_lossy(&out).into_owned()
}

/// Rewrites an `ERR` line about the `ONCE` of a command, which nobody has typed, as one about what
/// it sends: `MSG`, `RE` or `FWD`. The byte that it names becomes that of the text, with which the
/// command ends.
pub fn in_text(line: &str, command: &str, plain: &str) -> String {
    let Some(mut refused) = ErrLine::parse(line) else { return line.to_owned() };
    let sent = command.strip_prefix("ONCE ").and_then(|rest| rest.split(' ').nth(1));
    // Only this code is about the key.
    if let Some(verb) = sent.filter(|_| refused.verb == "ONCE" && refused.code != "key-reused") {
        refused.verb = verb;
    }
    let is_bad_text = refused.code == "bad-text";
    let place = refused.text.strip_prefix("byte ").filter(|_| is_bad_text).and_then(|rest| {
        let (number, why) = rest.split_once(": ")?;
        let before = command.len().checked_sub(escaped(plain).len())?;
        let at = number.parse::<usize>().ok()?.checked_sub(before + 1)?;
        // Positions on the wire count escapes, which take two bytes instead of one.
        let mut escaped_length = 0;
        let found = plain.char_indices().find(|(_, c)| {
            let next = escaped_length + escaped(c.encode_utf8(&mut [0; 4])).len();
            std::mem::replace(&mut escaped_length, next) <= at && at < next
        });
        Some(format!("byte {}: {why}", found?.0 + 1))
    });
    if let Some(place) = place {
        refused.text = place.into();
    }
    written(|out| refused.write(out))
}

/// Applies [`in_text`] to a refusal.
pub fn about_text(failure: Failure, command: &str, plain: &str) -> Failure {
    match failure {
        Failure::Refused(line) => Failure::Refused(in_text(&line, command, plain)),
        other => other,
    }
}

/// The command that sends a message at most once.
///
/// # Errors
/// `Unfit` if it is too long for a server, or blank.
pub fn once(key: &str, to: impl fmt::Display, plain: &str) -> Result<String, Failure> {
    with_text(&format!("ONCE {key} MSG {to}"), plain)
}

/// A command that ends with a text: `head` is all before that.
///
/// # Errors
/// `Unfit` if it is too long for a server, or the text is blank.
pub fn with_text(head: &str, plain: &str) -> Result<String, Failure> {
    // The server would accept a lone line break, but it can only be an accident.
    if plain.trim().is_empty() {
        return Err(Failure::Unfit("not sent: the text is empty".to_owned()));
    }
    let command = format!("{head} {}", escaped(plain));
    // Including the line end.
    let (length, most) = (command.len() + 1, limits::LINE);
    if length > most {
        return Err(too_long(&grouped(length)));
    }
    Ok(command)
}

/// The failure for a command of `length` bytes.
pub fn too_long(length: &str) -> Failure {
    let most = grouped(limits::LINE);
    Failure::Unfit(format!("not sent: too long ({length} bytes; the limit is {most})"))
}

/// A number with commas between its thousands.
pub fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_without_what_is_for_programs() {
        let line = "ERR GROUP bad-syntax column 10: expected the name of a group";
        assert_eq!(why(line), "expected the name of a group");
        assert_eq!(why("ERR MSG too-fast try again in 2: seconds"), "try again in 2: seconds");
        assert_eq!(code(line), "bad-syntax");
    }

    #[test]
    fn a_refusal_names_the_byte_that_was_typed() {
        let plain = "é\\two\nlines\u{7}";
        let command = once("some-key", "bob", plain).unwrap();
        let at = command.find('\u{7}').unwrap() + 1;
        let line = format!("ERR ONCE bad-text byte {at}: a control character");
        let at = plain.find('\u{7}').unwrap() + 1;
        assert_eq!(
            in_text(&line, &command, plain),
            format!("ERR MSG bad-text byte {at}: a control character")
        );
        for other in [
            "ERR ONCE bad-text byte 2: x",
            "ERR ONCE bad-text byte 999: x",
            "ERR ONCE no-such-user byte 2: x",
        ] {
            assert_eq!(in_text(other, &command, plain), other.replace("ONCE", "MSG"));
        }
        let reused = "ERR ONCE key-reused some-key: something else";
        assert_eq!(in_text(reused, &command, plain), reused);
        let command = with_text("ONCE some-key RE 17", "x").unwrap();
        let gone = "no-such-message 17: this message was deleted";
        assert_eq!(in_text(&format!("ERR ONCE {gone}"), &command, "x"), format!("ERR RE {gone}"));
        let command = with_text("AT +9 ONCE some-key MSG bob", "a\u{7}").unwrap();
        let at = command.len();
        let refused = format!("ERR AT bad-text byte {at}: a control character");
        let told = "ERR AT bad-text byte 2: a control character";
        assert_eq!(in_text(&refused, &command, "a\u{7}"), told);
    }

    #[test]
    fn conversations_are_told_from_both_sides() {
        let [ana, bob, cid] = ["ana", "bob", "cid"].map(|name| handle(name).unwrap());
        let person = |handle: &Handle| Target::Person(handle.clone());
        let (with_bob, team) = ([person(&bob)], [target("+Team").unwrap()]);
        assert!(concerns(&bob, &person(&ana), &with_bob, &ana));
        assert!(concerns(&ana, &person(&bob), &with_bob, &ana));
        assert!(
            !concerns(&bob, &team[0], &with_bob, &ana) && concerns(&bob, &team[0], &team, &ana)
        );
        assert!(!concerns(&cid, &person(&ana), &with_bob, &ana));
        assert!(concerns(&cid, &person(&ana), &[], &ana));
        assert!(concerns(&ana, &person(&ana), &[person(&ana)], &ana));
    }

    #[test]
    fn nothing_typed_becomes_a_second_command() {
        for bad in ["a b", "ana\nQUIT", "", "+", "#", "a"] {
            assert!(target(bad).is_err() && group(bad).is_err(), "{bad:?}");
        }
        assert!(word("two words").is_err() && word("line\n").is_err() && word("").is_err());
        assert_eq!(once("k", "bob", "a\nQUIT \\").unwrap(), r"ONCE k MSG bob a\nQUIT \\");
    }

    #[test]
    fn a_line_of_the_limit_is_not_too_long() {
        let fits = limits::LINE - "ONCE k MSG bob \n".len();
        assert!(once("k", "bob", &"x".repeat(fits)).is_ok());
        assert!(once("k", "bob", &"x".repeat(fits + 1)).is_err());
    }
}
