//! The columns of the lines that the server sends: how each kind is written and parsed.
//!
//! Columns are separated by one space and none is empty: `-` means no value. Free text comes last.
//! A parser ignores columns after those it knows, so that a later server may add some.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt::Display;
use std::str::FromStr;

use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::text;
use crate::chat_flags::{ChatFlag, FlagValue};
use crate::entry::{Condition, ContentHash, Cursor, EntryId, FileRef, Millis};
use crate::group_rules::GroupRule;
use crate::name::{DeviceName, Handle, Target};
use crate::preferences::Preference;

/// A type that is written as a column.
pub(super) trait Column<'a>: Sized {
    /// Whether it takes the rest of the line.
    const IS_TEXT: bool = false;

    fn put(&self, out: &mut Vec<u8>);

    /// Parses and consumes it; `None` if it is missing or malformed.
    fn take(columns: &mut Columns<'a>) -> Option<Self>;
}

/// The columns of a line that have not been parsed yet.
#[derive(Clone, Copy)]
pub(super) struct Columns<'a> {
    /// `None` once all have been consumed.
    rest: Option<&'a str>,
}

impl<'a> Columns<'a> {
    /// The columns of a line, its first word included.
    pub fn of(line: &'a str) -> Columns<'a> {
        Columns { rest: Some(line) }
    }

    /// The columns after `words`, if the line begins with them.
    pub fn after(line: &'a str, words: &str) -> Option<Columns<'a>> {
        match line.strip_prefix(words)? {
            "" => Some(Columns { rest: None }),
            rest => rest.strip_prefix(' ').map(|rest| Columns { rest: Some(rest) }),
        }
    }

    /// The next column.
    pub fn word(&mut self) -> Option<&'a str> {
        let rest = self.rest?;
        let (word, rest) = match rest.split_once(' ') {
            Some((word, rest)) => (word, Some(rest)),
            None => (rest, None),
        };
        self.rest = rest;
        Some(word).filter(|word| !word.is_empty())
    }

    /// The rest of the line, still escaped.
    pub fn rest(&mut self) -> Option<&'a str> {
        self.rest.take()
    }

    pub fn read<T: Column<'a>>(&mut self) -> Option<T> {
        T::take(self)
    }

    /// The next column, if it has only digits and fits `T`.
    fn digits<T: FromStr>(&mut self) -> Option<T> {
        let word = self.word()?;
        word.bytes().all(|b| b.is_ascii_digit()).then(|| word.parse().ok()).flatten()
    }
}

/// A word without blanks.
impl<'a> Column<'a> for &'a str {
    fn put(&self, out: &mut Vec<u8>) {
        put(out, &[self]);
    }

    fn take(columns: &mut Columns<'a>) -> Option<&'a str> {
        columns.word()
    }
}

/// Free text, escaped.
impl<'a> Column<'a> for Cow<'a, str> {
    const IS_TEXT: bool = true;

    fn put(&self, out: &mut Vec<u8>) {
        text::escape(self, out);
    }

    fn take(columns: &mut Columns<'a>) -> Option<Cow<'a, str>> {
        columns.rest().map(text::unescape)
    }
}

/// `-` is `None`.
impl<'a, T: Column<'a>> Column<'a> for Option<T> {
    const IS_TEXT: bool = T::IS_TEXT;

    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Some(column) => column.put(out),
            None => out.push(b'-'),
        }
    }

    fn take(columns: &mut Columns<'a>) -> Option<Option<T>> {
        let mut after = *columns;
        let next = if T::IS_TEXT { after.rest() } else { after.word() };
        if next == Some("-") {
            *columns = after;
            return Some(None);
        }
        T::take(columns).map(Some)
    }
}

impl<'a> Column<'a> for Handle {
    fn put(&self, out: &mut Vec<u8>) {
        put(out, &[self.as_str()]);
    }

    fn take(columns: &mut Columns<'a>) -> Option<Handle> {
        Handle::new(columns.word()?)
    }
}

impl<'a> Column<'a> for DeviceName {
    fn put(&self, out: &mut Vec<u8>) {
        put(out, &[self.as_str()]);
    }

    fn take(columns: &mut Columns<'a>) -> Option<DeviceName> {
        DeviceName::new(columns.word()?)
    }
}

impl<'a> Column<'a> for Target {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Target::Person(handle) => put(out, &[handle.as_str()]),
            Target::Group(name) => put(out, &["#", name.as_str()]),
        }
    }

    fn take(columns: &mut Columns<'a>) -> Option<Target> {
        Target::new(columns.word()?)
    }
}

impl<'a> Column<'a> for EntryId {
    fn put(&self, out: &mut Vec<u8>) {
        number(out, self.0);
    }

    fn take(columns: &mut Columns<'a>) -> Option<EntryId> {
        columns.digits().map(EntryId)
    }
}

/// Numbers, in decimal digits.
macro_rules! numbers {
    ($($number:ty)*) => {$(
        impl<'a> Column<'a> for $number {
            fn put(&self, out: &mut Vec<u8>) {
                number(out, *self);
            }

            fn take(columns: &mut Columns<'a>) -> Option<$number> {
                columns.digits()
            }
        }
    )*};
}
numbers!(i64 u32 u64 usize);

/// UTC, RFC 3339, always with milliseconds: 24 characters.
impl<'a> Column<'a> for Millis {
    fn put(&self, out: &mut Vec<u8>) {
        stamp(out, *self);
    }

    fn take(columns: &mut Columns<'a>) -> Option<Millis> {
        let time: jiff::Timestamp = columns.word()?.parse().ok()?;
        Some(Millis(time.as_millisecond()))
    }
}

/// A cursor, as the state of the entries that it has reached: `delivered` or `read`.
impl<'a> Column<'a> for Cursor {
    fn put(&self, out: &mut Vec<u8>) {
        put(out, &[state(*self)]);
    }

    fn take(columns: &mut Columns<'a>) -> Option<Cursor> {
        let word = columns.word()?;
        [Cursor::Delivered, Cursor::Read].into_iter().find(|cursor| state(*cursor) == word)
    }
}

/// `delivered`, `read` or `answered`.
impl<'a> Column<'a> for Condition {
    fn put(&self, out: &mut Vec<u8>) {
        put(out, &[condition_word(*self)]);
    }

    fn take(columns: &mut Columns<'a>) -> Option<Condition> {
        condition(columns.word()?)
    }
}

/// The condition with this word, in lower case.
pub fn condition(word: &str) -> Option<Condition> {
    let reached = [Cursor::Delivered, Cursor::Read].map(Condition::Reached);
    let mut all = reached.into_iter().chain([Condition::Answered]);
    all.find(|condition| condition_word(*condition) == word)
}

/// Its word.
pub fn condition_word(condition: Condition) -> &'static str {
    match condition {
        Condition::Reached(cursor) => state(cursor),
        Condition::Answered => "answered",
    }
}

/// A rule of a group: its name and its value.
impl<'a> Column<'a> for GroupRule {
    fn put(&self, out: &mut Vec<u8>) {
        put(out, &[self.name(), " ", self.value()]);
    }

    fn take(columns: &mut Columns<'a>) -> Option<GroupRule> {
        GroupRule::new(columns.word()?, columns.word()?)
    }
}

/// A preference: its name and its value.
impl<'a> Column<'a> for Preference {
    fn put(&self, out: &mut Vec<u8>) {
        put(out, &[self.name(), " ", self.value()]);
    }

    fn take(columns: &mut Columns<'a>) -> Option<Preference> {
        Preference::new(columns.word()?, columns.word()?)
    }
}

impl<'a> Column<'a> for ChatFlag {
    fn put(&self, out: &mut Vec<u8>) {
        put(out, &[self.as_str()]);
    }

    fn take(columns: &mut Columns<'a>) -> Option<ChatFlag> {
        ChatFlag::new(columns.word()?)
    }
}

/// `off`, the time until which it is on, or `-` for no end.
impl<'a> Column<'a> for FlagValue {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            FlagValue::Off => put(out, &["off"]),
            FlagValue::On => put(out, &["-"]),
            FlagValue::Until(end) => end.put(out),
        }
    }

    fn take(columns: &mut Columns<'a>) -> Option<FlagValue> {
        let mut end = *columns;
        match columns.word()? {
            "off" => Some(FlagValue::Off),
            "-" => Some(FlagValue::On),
            _ => end.read().map(FlagValue::Until),
        }
    }
}

/// A command as it was typed, so that nothing in it is escaped once more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypedCommand<'a>(pub Cow<'a, str>);

impl<'a> Column<'a> for TypedCommand<'a> {
    const IS_TEXT: bool = true;

    fn put(&self, out: &mut Vec<u8>) {
        put(out, &[&self.0]);
    }

    fn take(columns: &mut Columns<'a>) -> Option<TypedCommand<'a>> {
        columns.rest().map(|rest| TypedCommand(rest.into()))
    }
}

/// Bytes in Base64 (RFC 4648, section 4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base64<'a>(pub Cow<'a, [u8]>);

impl<'a> Column<'a> for Base64<'a> {
    fn put(&self, out: &mut Vec<u8>) {
        let at = out.len();
        out.resize(at + self.0.len().div_ceil(3) * 4, 0);
        // The room is exact, so this does not fail.
        let written = BASE64_STANDARD.encode_slice(&self.0, &mut out[at..]).unwrap_or(0);
        out.truncate(at + written);
    }

    fn take(columns: &mut Columns<'a>) -> Option<Base64<'a>> {
        BASE64_STANDARD.decode(columns.word()?).ok().map(|bytes| Base64(bytes.into()))
    }
}

impl<'a> Column<'a> for ContentHash {
    fn put(&self, out: &mut Vec<u8>) {
        put(out, &[&self.to_string()]);
    }

    fn take(columns: &mut Columns<'a>) -> Option<ContentHash> {
        ContentHash::parse(columns.word()?)
    }
}

impl<'a> Column<'a> for FileRef {
    fn put(&self, out: &mut Vec<u8>) {
        self.bytes.put(out);
        out.push(b' ');
        self.hash.put(out);
    }

    fn take(columns: &mut Columns<'a>) -> Option<FileRef> {
        let bytes = columns.read()?;
        Some(FileRef { bytes, hash: columns.read()? })
    }
}

/// Whether there is more than was shown: `more` or `end`.
pub(super) struct More(pub bool);

impl<'a> Column<'a> for More {
    fn put(&self, out: &mut Vec<u8>) {
        put(out, &[if self.0 { "more" } else { "end" }]);
    }

    fn take(columns: &mut Columns<'a>) -> Option<More> {
        match columns.word()? {
            "more" => Some(More(true)),
            "end" => Some(More(false)),
            _ => None,
        }
    }
}

/// The verb that moves a cursor, and the first word of its receipts.
pub fn verb(cursor: Cursor) -> &'static str {
    match cursor {
        Cursor::Delivered => "ACK",
        Cursor::Read => "READ",
    }
}

/// The cursor that a verb moves.
pub(super) fn cursor(verb: &str) -> Option<Cursor> {
    [Cursor::Delivered, Cursor::Read].into_iter().find(|cursor| self::verb(*cursor) == verb)
}

/// The state of the entries that a cursor has reached.
fn state(cursor: Cursor) -> &'static str {
    match cursor {
        Cursor::Delivered => "delivered",
        Cursor::Read => "read",
    }
}

/// A time as on the wire.
pub fn written_time(time: Millis) -> String {
    let mut out = Vec::new();
    stamp(&mut out, time);
    String::from_utf8_lossy(&out).into_owned()
}

/// Writes words unescaped.
pub(super) fn put(out: &mut Vec<u8>, words: &[&str]) {
    for word in words {
        out.extend_from_slice(word.as_bytes());
    }
}

pub(super) fn number(out: &mut Vec<u8>, n: impl itoa::Integer + Display) {
    put(out, &[itoa::Buffer::new().format(n)]);
}

fn stamp(out: &mut Vec<u8>, time: Millis) {
    // All entries of a batch have the same time, so the previous stamp nearly always fits.
    thread_local! {
        static LAST: Cell<(i64, [u8; 24])> = const { Cell::new((0, *b"1970-01-01T00:00:00.000Z")) };
    }
    let (mut at, mut written) = LAST.get();
    if at != time.0 {
        let stamp = jiff::Timestamp::from_millisecond(time.0).unwrap_or_default();
        let printed = format!("{stamp:.3}");
        at = time.0;
        // A year outside 0 to 9999 does not fit; a clock that gives one is not believed.
        written = printed.as_bytes().try_into().unwrap_or(*b"1970-01-01T00:00:00.000Z");
        LAST.set((at, written));
    }
    out.extend_from_slice(&written);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_utc_with_milliseconds() {
        let written = |ms| written_time(Millis(ms));
        assert_eq!(written(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(written(1_795_327_451_123), "2026-11-22T06:04:11.123Z");
        assert_eq!(written(1_795_327_451_120), "2026-11-22T06:04:11.120Z");
        assert_eq!(written(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(written(i64::MAX), "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn no_column_is_empty() {
        let mut columns = Columns::after("CHAT  x", "CHAT").unwrap();
        assert_eq!(columns.word(), None);
        assert_eq!(columns.word(), Some("x"));
        assert_eq!(columns.word(), None);
        assert!(Columns::after("CHATS x", "CHAT").is_none());
    }

    #[test]
    fn a_dash_is_nothing_but_may_begin_a_text() {
        let read = |line| Columns::of(line).read::<Option<Cow<str>>>();
        assert_eq!(read("-"), Some(None));
        assert_eq!(read("- x"), Some(Some("- x".into())));
        assert_eq!(Columns::of("- x").read::<Option<&str>>(), Some(None));
    }

    #[test]
    fn numbers_are_digits() {
        for bad in ["+5", "-5", "", "5x", "9223372036854775808"] {
            assert_eq!(Columns::of(bad).read::<EntryId>(), None, "{bad:?}");
        }
        assert_eq!(Columns::of("17 x").read(), Some(EntryId(17)));
    }
}
