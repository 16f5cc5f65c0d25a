//! Lines: what a server's say, and what a client's commands are made of. Nothing here is sent.

use std::fmt;

use super::failure::Failure;
use crate::limits;
use crate::name::{Handle, Target};
use crate::wire::text;

/// The first word of a line.
pub fn first_word(line: &str) -> &str {
    line.split(' ').next().unwrap_or_default()
}

/// The code of an `ERR` line: `ERR <VERB> <code> <text>`.
pub fn code(line: &str) -> &str {
    line.split(' ').nth(2).unwrap_or_default()
}

/// What an `ERR` line says to a person. The column is that of a line that nobody here has typed.
pub fn why(line: &str) -> &str {
    let text = line.splitn(4, ' ').nth(3).unwrap_or(line);
    let bare = text.strip_prefix("column ").and_then(|rest| rest.split_once(": "));
    bare.map_or(text, |(_, text)| text)
}

/// Whether an `ERR` line speaks of something that passes by itself: the same may be said again later.
pub fn is_passing(line: &str) -> bool {
    matches!(code(line), "storage" | "too-fast" | "too-many")
}

/// In how many seconds to try again, where an `ERR` line says so: `too-fast` begins its text with them.
pub fn seconds(line: &str) -> Option<u64> {
    let number = line.split(' ').nth(3).filter(|_| code(line) == "too-fast")?;
    number.parse().ok()
}

/// An entry, as `MSG` and `GROUP` events and `HIST` rows show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The first word of the line.
    pub verb: String,
    /// Its number; ids grow over the whole service.
    pub id: u64,
    /// When it was written: UTC, RFC 3339, to the millisecond.
    pub time: String,
    /// The author's handle.
    pub from: String,
    /// The other party, or `#name`.
    pub to: String,
    /// `key=value` pairs joined by commas, or `-`.
    pub tags: String,
    /// The text, with real line breaks; or the change of a group.
    pub body: String,
}

impl Entry {
    /// Reads the columns of a line; `None` where it has no such columns.
    pub fn parse(line: &str) -> Option<Entry> {
        let columns: Vec<&str> = line.splitn(7, ' ').collect();
        let [verb, id, time, from, to, tags, body] = columns[..] else { return None };
        let id = id.parse().ok()?;
        let [verb, time, from, to, tags] = [verb, time, from, to, tags].map(str::to_owned);
        Some(Entry { verb, id, time, from, to, tags, body: text::unescape(body).into_owned() })
    }

    /// Whether it is a message, and not a change of a group.
    pub fn is_message(&self) -> bool {
        self.verb == "MSG" || (self.verb == "HIST" && !self.tags.contains("kind=group"))
    }

    /// The conversation as `me` names it.
    pub fn conversation_of(&self, me: &Handle) -> &str {
        if self.from == me.as_str() { &self.to } else { self.conversation() }
    }

    /// The conversation as somebody else than its author names it: where an answer goes.
    pub fn conversation(&self) -> &str {
        if self.to.starts_with('#') { &self.to } else { &self.from }
    }

    /// Whether it stands in one of these conversations of `me`; none named means all.
    pub fn is_in(&self, conversations: &[Target], me: &Handle) -> bool {
        concerns(&self.from, &self.to, conversations, me)
    }
}

/// Whether what is from and to these is in one of these conversations of `me`; none means all.
pub fn concerns(from: &str, to: &str, conversations: &[Target], me: &Handle) -> bool {
    // In a direct chat `me` is one of the two, and the other one gives it its name.
    let name = if to.starts_with('#') || from == me.as_str() { to } else { from };
    conversations.is_empty() || conversations.iter().any(|one| one.to_string() == name)
}

/// A conversation as it is typed: a handle, `#group`, or `+group` for a shell, to which `#` begins a
/// comment.
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

/// The name of a group as it is typed: with `#`, with `+`, or bare.
///
/// # Errors
/// What was expected.
pub fn group(typed: &str) -> Result<Handle, String> {
    let name = typed.strip_prefix(['#', '+']).unwrap_or(typed);
    Handle::new(name).ok_or_else(|| "expected the name of a group".to_owned())
}

/// A handle as it is typed.
///
/// # Errors
/// What was expected.
pub fn handle(typed: &str) -> Result<Handle, String> {
    Handle::new(typed).ok_or_else(|| "expected a handle".to_owned())
}

/// A word that goes onto the wire as it is: a key or a secret.
///
/// # Errors
/// It is empty, or a blank or a control character stands in it: it would be cut there.
pub fn word(typed: &str) -> Result<String, String> {
    if typed.is_empty() || typed.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err("expected a word without blanks".to_owned());
    }
    Ok(typed.to_owned())
}

/// Free text as it goes onto the wire.
pub fn escaped(plain: &str) -> String {
    let mut out = Vec::with_capacity(plain.len());
    text::escape(plain, &mut out);
    // Only whole characters were written between the escapes, so nothing is replaced here.
    String::from_utf8_lossy(&out).into_owned()
}

/// The command that sends a message at most once, however long it is.
pub fn command(key: &str, to: impl fmt::Display, plain: &str) -> String {
    format!("ONCE {key} MSG {to} {}", escaped(plain))
}

/// The `ERR` line of a command that sends a text once, as that of a message: the command was never
/// typed by anybody. A byte that it names is that of the text.
pub fn in_text(line: &str, command: &str, plain: &str) -> String {
    let line = match line.strip_prefix("ERR ONCE ") {
        // This is about the key.
        Some(rest) if !rest.starts_with("key-reused ") => format!("ERR MSG {rest}"),
        _ => line.to_owned(),
    };
    let place = line.split_once(" bad-text byte ").and_then(|(head, rest)| {
        let (number, why) = rest.split_once(": ")?;
        let before = command.len().checked_sub(escaped(plain).len())?;
        let at = number.parse::<usize>().ok()?.checked_sub(before + 1)?;
        // Each character is as long as it is escaped, which is two bytes instead of one for some.
        let mut escaped_length = 0;
        let found = plain.char_indices().find(|(_, c)| {
            let next = escaped_length + escaped(c.encode_utf8(&mut [0; 4])).len();
            std::mem::replace(&mut escaped_length, next) <= at && at < next
        });
        Some(format!("{head} bad-text byte {}: {why}", found?.0 + 1))
    });
    place.unwrap_or(line)
}

/// The command that sends a message at most once.
///
/// # Errors
/// `Unfit` where it is longer than a server takes, or has nothing but blanks.
pub fn once(key: &str, to: impl fmt::Display, plain: &str) -> Result<String, Failure> {
    // A line break alone is a text to the server, and an accident everywhere else.
    if plain.trim().is_empty() {
        return Err(Failure::Unfit("not sent: the text is empty".to_owned()));
    }
    let command = command(key, to, plain);
    // With its line end.
    let (length, most) = (command.len() + 1, limits::LINE);
    if length > most {
        return Err(too_long(&grouped(length)));
    }
    Ok(command)
}

/// What is said of a text that is so many bytes, as a command.
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
    fn an_entry_is_read_with_its_line_breaks() {
        let line = r"MSG 17 2026-01-01T00:00:00.000Z ana #team - two\nlines \\ and  blanks";
        let entry = Entry::parse(line).unwrap();
        assert_eq!((entry.id, entry.conversation()), (17, "#team"));
        assert_eq!(entry.body, "two\nlines \\ and  blanks");
        assert!(Entry::parse("LIVE 17").is_none() && Entry::parse("MSG x y z a b c").is_none());
    }

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
        let command = command("some-key", "bob", plain);
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
    }

    #[test]
    fn seconds_are_read_where_they_stand() {
        assert_eq!(seconds("ERR LOGIN too-fast 12 seconds until the next try"), Some(12));
        assert_eq!(seconds("ERR LOGIN too-fast try again in 12 seconds"), None);
        assert_eq!(seconds("ERR LOGIN taken 12 seconds"), None);
    }

    #[test]
    fn conversations_are_told_from_both_sides() {
        let ana = Handle::new("ana").unwrap();
        let with_bob = [target("bob").unwrap()];
        let team = [target("+Team").unwrap()];
        assert!(concerns("bob", "ana", &with_bob, &ana) && concerns("ana", "bob", &with_bob, &ana));
        assert!(
            !concerns("bob", "#team", &with_bob, &ana) && concerns("bob", "#team", &team, &ana)
        );
        assert!(!concerns("cid", "ana", &with_bob, &ana) && concerns("cid", "ana", &[], &ana));
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
