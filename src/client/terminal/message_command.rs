//! Parses the commands about a message: `/re`, `/edit` and so on, and `s/one/two/`.
//!
//! A message is named by nothing (the newest one that fits), by a number while numbers are shown, or
//! by a piece of its text with `/` behind it, as in `/re lunch/ yes`. `/ ` alone names nothing, so
//! that any text can follow.

use std::path::PathBuf;

use jiff::Zoned;

use super::paths;
use crate::client::{lines, when};
use crate::entry::Condition;
use crate::name::Target;
use crate::wire::request::DueTime;
use crate::wire::rows::condition;

/// The commands, for completion.
pub const NAMES: &[&str] =
    &["at", "del", "edit", "fwd", "get", "later", "marks", "re", "react", "unless"];

/// The usual reaction.
pub const THUMB: &str = "👍";

/// How a message is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageChoice {
    /// The newest one that fits.
    Newest,
    /// The one with this number on the screen, from 1.
    Number(usize),
    /// The newest one that has this in its text.
    Piece(String),
}

/// A parsed command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageCommand {
    Answer(MessageChoice, String),
    Edit(MessageChoice, String),
    Delete(MessageChoice),
    /// With a word, or `-`.
    React(MessageChoice, String),
    Forward(MessageChoice, Target),
    Marks(MessageChoice),
    /// Fetch the file of a message, to this path or, without one, to the folder for downloads.
    Get(MessageChoice, Option<PathBuf>),
    /// Send a text to the current conversation when it is due.
    At(DueTime, String),
    /// Send a text somewhere unless the message is read, or whatever, within so many seconds.
    Unless(MessageChoice, Condition, u64, Target, String),
    /// List what is sent later.
    Later,
    /// Cancel what is sent later under this number.
    Cancel(u64),
}

/// Parses the command `name`, one of [`NAMES`], with what was typed behind it. `is_numbered`:
/// numbers are shown.
///
/// # Errors
/// What was expected.
pub fn parse(
    name: &str,
    rest: &str,
    is_numbered: bool,
    now: &Zoned,
) -> Result<MessageCommand, String> {
    let usage = |usage: &str| Err(format!("usage: {usage}"));
    match name {
        "re" => match before_text(rest, is_numbered) {
            (_, "") => usage("/re TEXT answers the last message; /re PIECE/ TEXT another one"),
            (choice, text) => Ok(MessageCommand::Answer(choice, text.to_owned())),
        },
        "edit" => match before_text(rest, is_numbered) {
            (_, "") => usage("/edit TEXT changes your last message; Alt-E brings it back"),
            (choice, text) => Ok(MessageCommand::Edit(choice, text.to_owned())),
        },
        "del" => Ok(MessageCommand::Delete(choice(rest))),
        "marks" => Ok(MessageCommand::Marks(choice(rest))),
        "get" => Ok(get(rest, is_numbered)),
        "react" => {
            let (which, word) = last_word(rest);
            let word = if word.is_empty() { THUMB } else { word };
            match lines::word(word) {
                Ok(word) => Ok(MessageCommand::React(choice(which), word)),
                Err(why) => Err(format!("/react: {why}")),
            }
        }
        "fwd" => match last_word(rest) {
            (_, "") => usage("/fwd NAME sends the last message on; /fwd PIECE/ NAME another one"),
            (which, to) => {
                let to = target(to).map_err(|why| format!("/fwd: {why}"))?;
                Ok(MessageCommand::Forward(choice(which), to))
            }
        },
        "at" => at(rest, now),
        "unless" => unless(rest, is_numbered),
        _ => match first_word(rest) {
            ("", _) => Ok(MessageCommand::Later),
            ("del", number) if number.parse::<u64>().is_ok() => {
                Ok(MessageCommand::Cancel(number.parse().unwrap_or(0)))
            }
            _ => usage("/later lists what is sent later; /later del N cancels it"),
        },
    }
}

/// A path has a `/` in it. Without one, what was typed names the message.
fn get(rest: &str, is_numbered: bool) -> MessageCommand {
    if !rest.contains('/') {
        return MessageCommand::Get(choice(rest), None);
    }
    let (choice, path) = before_text(rest, is_numbered);
    let path = (!path.is_empty()).then(|| paths::expanded(path.trim()));
    MessageCommand::Get(choice, path)
}

fn at(rest: &str, now: &Zoned) -> Result<MessageCommand, String> {
    match first_word(rest) {
        (_, "") => Err("usage: /at 9:00 TEXT, or /at +10m TEXT".to_owned()),
        (time, text) => {
            let due = when::due(time, now).map_err(|why| format!("/at: {why}"))?;
            Ok(MessageCommand::At(due, text.to_owned()))
        }
    }
}

fn unless(rest: &str, is_numbered: bool) -> Result<MessageCommand, String> {
    let usage = || "usage: /unless read 10m NAME TEXT; also delivered, answered".to_owned();
    let (which, rest) = match first_word(rest) {
        (word, _) if condition(word).is_some() => (MessageChoice::Newest, rest),
        _ => before_text(rest, is_numbered),
    };
    let (state, rest) = first_word(rest);
    let (seconds, rest) = first_word(rest);
    let (to, text) = first_word(rest);
    let state = condition(state).ok_or_else(usage)?;
    if text.is_empty() {
        return Err(usage());
    }
    let seconds = seconds.strip_prefix('+').unwrap_or(seconds);
    let seconds = when::seconds(seconds).map_err(|why| format!("/unless: {why}"))?;
    let to = target(to).map_err(|why| format!("/unless: {why}"))?;
    Ok(MessageCommand::Unless(which, state, seconds, to, text.to_owned()))
}

fn target(typed: &str) -> Result<Target, String> {
    lines::target(typed.strip_prefix('@').unwrap_or(typed))
}

/// How a message is named in front of a text, and the text.
fn before_text(rest: &str, is_numbered: bool) -> (MessageChoice, &str) {
    if let Some((piece, text)) = piece(rest) {
        let choice = if piece.is_empty() { MessageChoice::Newest } else { self::choice(piece) };
        return (choice, text);
    }
    let (first, text) = first_word(rest);
    match first.parse() {
        Ok(number) if is_numbered && is_number(first) => (MessageChoice::Number(number), text),
        _ => (MessageChoice::Newest, rest),
    }
}

/// A piece of a text with `/` behind it, in front of a blank, and what follows. The text is named by
/// nothing if its first `/` is elsewhere, as in `and/or`.
fn piece(rest: &str) -> Option<(&str, &str)> {
    let (piece, text) = rest.split_once('/')?;
    let is_end = text.is_empty() || text.starts_with(char::is_whitespace);
    is_end.then(|| (piece.trim(), text.trim_start()))
}

/// A text for the line that begins with `/edit` or `/re`, so that no part of it names a message.
pub fn unnamed(text: &str) -> String {
    if before_text(text, true) == (MessageChoice::Newest, text) {
        text.to_owned()
    } else {
        format!("/ {text}")
    }
}

/// How a message is named where no text follows.
fn choice(typed: &str) -> MessageChoice {
    let typed = typed.trim();
    let piece = typed.strip_suffix('/').unwrap_or(typed).trim();
    match piece.parse() {
        _ if piece.is_empty() => MessageChoice::Newest,
        Ok(number) if typed == piece && is_number(piece) => MessageChoice::Number(number),
        _ => MessageChoice::Piece(piece.to_owned()),
    }
}

/// Whether it is a number as it is shown, and not one such as `+1` or `007`.
fn is_number(word: &str) -> bool {
    word.bytes().all(|b| b.is_ascii_digit()) && !word.starts_with('0')
}

fn first_word(text: &str) -> (&str, &str) {
    let (first, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (first, rest.trim_start())
}

/// What stands before the last word, and that.
fn last_word(text: &str) -> (&str, &str) {
    text.rsplit_once(char::is_whitespace).unwrap_or(("", text))
}

/// `s/one/two/`: in the last message `one` becomes `two`. With `g` behind it, everywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Substitution {
    pub old: String,
    pub new: String,
    is_everywhere: bool,
}

impl Substitution {
    /// Parses a line; `None` if it is of another form. `\/` is a `/`.
    pub fn parse(line: &str) -> Option<Substitution> {
        let mut parts = vec![String::new()];
        let mut rest = line.strip_prefix("s/")?.chars();
        while let Some(c) = rest.next() {
            match (c, rest.as_str().chars().next(), parts.last_mut()) {
                ('\\', Some('/'), Some(part)) => part.extend(rest.next()),
                ('/', ..) => parts.push(String::new()),
                (_, _, Some(part)) => part.push(c),
                (.., None) => {}
            }
        }
        match &*parts {
            [old, new, flags] if !old.is_empty() && matches!(&**flags, "" | "g") => {
                let is_everywhere = flags == "g";
                Some(Substitution { old: old.clone(), new: new.clone(), is_everywhere })
            }
            _ => None,
        }
    }

    /// The changed text; `None` if it does not contain `old`.
    pub fn apply(&self, text: &str) -> Option<String> {
        let most = if self.is_everywhere { usize::MAX } else { 1 };
        text.contains(&self.old).then(|| text.replacen(&self.old, &self.new, most))
    }
}

#[cfg(test)]
mod tests {
    use super::MessageChoice::{Newest, Number, Piece};
    use super::*;
    use crate::entry::Cursor;
    use crate::name::Handle;

    fn parsed(name: &str, rest: &str) -> Result<MessageCommand, String> {
        parse(name, rest, false, &now())
    }

    fn now() -> Zoned {
        "2026-11-22T11:58:00[UTC]".parse().unwrap()
    }

    fn answer(rest: &str, is_numbered: bool) -> (MessageChoice, String) {
        match parse("re", rest, is_numbered, &now()) {
            Ok(MessageCommand::Answer(choice, text)) => (choice, text),
            other => panic!("{rest:?}: {other:?}"),
        }
    }

    #[test]
    fn a_message_is_named_by_nothing_a_number_or_a_piece() {
        let (lunch, at) = (Piece("lunch".into()), Piece("lunch at".into()));
        assert_eq!(answer("yes", false), (Newest, "yes".into()));
        assert_eq!(answer("lunch/ yes", false), (lunch.clone(), "yes".into()));
        assert_eq!(answer("lunch at/ yes\n and no", false), (at, "yes\n and no".into()));
        // What is no name is text.
        for text in ["and/or that", "see https://a.example/ now", "3 o'clock", "/etc/ or /usr/"] {
            assert_eq!(answer(text, false), (Newest, text.into()), "{text}");
        }
        assert_eq!(answer("/ either/ or", false), (Newest, "either/ or".into()));
        assert_eq!(answer("3 o'clock", true), (Number(3), "o'clock".into()));
        assert_eq!(answer("3/ o'clock", true), (Number(3), "o'clock".into()));
        assert_eq!(answer("/ 3 o'clock", true), (Newest, "3 o'clock".into()));
        assert_eq!(answer("007 is here", true), (Newest, "007 is here".into()));
        assert!(parsed("re", "").is_err() && parsed("re", "lunch/").is_err());
        assert_eq!(parsed("del", ""), Ok(MessageCommand::Delete(Newest)));
        assert_eq!(parsed("del", "3"), Ok(MessageCommand::Delete(Number(3))));
        assert_eq!(parsed("del", "lunch"), Ok(MessageCommand::Delete(lunch.clone())));
        assert_eq!(parsed("marks", "lunch/"), Ok(MessageCommand::Marks(lunch.clone())));
        assert_eq!(parsed("marks", "3/"), Ok(MessageCommand::Marks(Piece("3".into()))));
        let get =
            |choice, path: Option<&str>| Ok(MessageCommand::Get(choice, path.map(Into::into)));
        assert_eq!(parsed("get", ""), get(Newest, None));
        assert_eq!(parsed("get", "3"), get(Number(3), None));
        assert_eq!(parsed("get", "photo"), get(Piece("photo".into()), None));
        assert_eq!(parsed("get", "photo/ /tmp/x y"), get(Piece("photo".into()), Some("/tmp/x y")));
        assert_eq!(parsed("get", "./x"), get(Newest, Some("./x")));
        let react = |choice, word: &str| Ok(MessageCommand::React(choice, word.into()));
        assert_eq!(parsed("react", ""), react(Newest, THUMB));
        assert_eq!(parsed("react", "2"), react(Newest, "2"));
        assert_eq!(parsed("react", "2 +1"), react(Number(2), "+1"));
        assert_eq!(parsed("react", "lunch/ -"), react(lunch.clone(), "-"));
        let ops = Target::Group(Handle::new("ops").unwrap());
        assert_eq!(
            parsed("fwd", "lunch +ops"),
            Ok(MessageCommand::Forward(lunch.clone(), ops.clone()))
        );
        assert!(parsed("fwd", "").is_err() && parsed("fwd", "x").is_err());
        let (read, all) = (Condition::Reached(Cursor::Read), "db1: it is full".to_owned());
        assert_eq!(
            parsed("unless", "read 10m +ops db1: it is full"),
            Ok(MessageCommand::Unless(Newest, read, 600, ops.clone(), all.clone()))
        );
        assert_eq!(
            parsed("unless", "lunch/ read +90 #ops db1: it is full"),
            Ok(MessageCommand::Unless(lunch, read, 90, ops, all))
        );
        for wrong in ["", "read", "read 10m +ops", "seen 10m +ops x", "read soon +ops x"] {
            assert!(parsed("unless", wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_sent_later_has_a_time_and_a_text() {
        let at = |due, text: &str| Ok(MessageCommand::At(due, text.into()));
        assert_eq!(parsed("at", "+10m tea  time"), at(DueTime::In(600), "tea  time"));
        assert!(matches!(parsed("at", "9:00 tea"), Ok(MessageCommand::At(DueTime::At(_), _))));
        assert!(parsed("at", "9:00").is_err() && parsed("at", "soon tea").is_err());
        assert_eq!(parsed("later", ""), Ok(MessageCommand::Later));
        assert_eq!(parsed("later", "del 3"), Ok(MessageCommand::Cancel(3)));
        assert!(parsed("later", "del").is_err() && parsed("later", "3").is_err());
    }

    #[test]
    fn what_is_put_into_the_line_is_read_as_it_was() {
        for text in ["yes", "lunch/ at", "3 of us", "/ x", "//x", "and/or", "/"] {
            let (choice, read) = answer(&unnamed(text), true);
            assert_eq!((choice, &*read), (Newest, text));
        }
    }

    #[test]
    fn a_substitution_changes_one_place_or_all() {
        let changed = |line: &str, text| Substitution::parse(line).unwrap().apply(text);
        assert_eq!(changed("s/one/two/", "one or one").as_deref(), Some("two or one"));
        assert_eq!(changed("s/one/two/g", "one or one").as_deref(), Some("two or two"));
        assert_eq!(changed("s/ so//", "so so").as_deref(), Some("so"));
        assert_eq!(changed(r"s/and\/or/and/", "and/or").as_deref(), Some("and"));
        assert_eq!(changed("s/three/two/", "one"), None);
        for text in ["s/one/two", "s/w", "s//x/", "s/a/b/c/", "s/a/b/x", "so/a/b/", "s"] {
            assert_eq!(Substitution::parse(text), None, "{text}");
        }
    }
}
