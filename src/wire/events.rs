//! Entries and receipts, which the server pushes: how their lines are written and parsed.

use std::borrow::Cow;

use super::columns::{Column, Columns, cursor, put, verb};
use super::tags::{self, EntryForm, OtherTags};
use super::text;
use crate::chat_flags::{ChatFlag, FlagValue};
use crate::entry::{Entry, EntryKind, EntryTags, Receipt};
use crate::name::Target;

/// An entry as a line: `MSG <id> <time> <from> <to> <tags> <body>`; the other events and the rows
/// differ in their first word and, for a row, in `kind=`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryLine<'a> {
    pub form: EntryForm,
    pub entry: Cow<'a, Entry>,
    /// Tags that are not known here.
    pub others: OtherTags,
}

impl<'a> EntryLine<'a> {
    fn new(form: EntryForm, entry: &'a Entry) -> EntryLine<'a> {
        EntryLine { form, entry: Cow::Borrowed(entry), others: Vec::new() }
    }

    /// The event for an entry.
    #[inline]
    pub fn event(entry: &'a Entry) -> EntryLine<'a> {
        EntryLine::new(EntryForm::Event, entry)
    }

    /// The row for an entry in `HIST` and `SYNC`.
    #[inline]
    pub fn row(entry: &'a Entry) -> EntryLine<'a> {
        let form = if entry.kind.is_mark() { EntryForm::Mark } else { EntryForm::Hist };
        EntryLine::new(form, entry)
    }

    /// The row for an entry in `MARKS`: a message stands for its first text.
    pub fn mark(entry: &'a Entry) -> EntryLine<'a> {
        EntryLine::new(EntryForm::Mark, entry)
    }

    /// The event for the entry of this row.
    pub fn into_event(self) -> EntryLine<'a> {
        EntryLine { form: EntryForm::Event, ..self }
    }

    /// Its first word.
    pub fn word(&self) -> &'static str {
        word(self.form, &self.entry)
    }

    /// Its tags, in the order in which they are written.
    pub fn tags(&self) -> Vec<(String, String)> {
        let mut column = Vec::new();
        let Entry { kind, tags, .. } = &*self.entry;
        tags::write(&mut column, self.form, *kind, tags.as_deref(), &self.others);
        let column = String::from_utf8_lossy(&column);
        let pairs = column.split(',').filter_map(|tag| tag.split_once('='));
        pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    /// Writes the line, LF included.
    #[inline]
    pub fn write(&self, out: &mut Vec<u8>) {
        write_entry(out, self.form, &self.entry, &self.others);
    }

    /// Parses a line; `None` if it is of another form, or a mark of an unknown kind.
    pub fn parse(line: &str) -> Option<EntryLine<'static>> {
        let mut columns = Columns::of(line);
        let word = columns.word()?;
        let (form, kind) = match word {
            "HIST" => (EntryForm::Hist, None),
            "MARK" => (EntryForm::Mark, None),
            "GONE" => (EntryForm::Event, Some(EntryKind::Message)),
            _ => (EntryForm::Event, KINDS.into_iter().find(|kind| event_word(*kind) == word)),
        };
        if (form, kind) == (EntryForm::Event, None) {
            return None;
        }
        let (id, time) = (columns.read()?, columns.read()?);
        let (from, to) = (columns.read()?, columns.read()?);
        let (known, body) = (tags::parse(form, columns.word()?), columns.read::<Cow<str>>()?);
        if (form, known.kind) == (EntryForm::Mark, None)
            || (word == "GONE" && known.tags.gone.is_none())
        {
            return None;
        }
        let kind = kind.or(known.kind).unwrap_or(EntryKind::Message);
        let tags = Some(known.tags).filter(|tags| *tags != EntryTags::default()).map(Box::new);
        let entry = Entry { id, time, from, to, kind, tags, body: body.into() };
        Some(EntryLine { form, entry: Cow::Owned(entry), others: known.others })
    }
}

/// The kinds of entries that have an event.
const KINDS: [EntryKind; 7] = [
    EntryKind::Message,
    EntryKind::Group,
    EntryKind::Expire,
    EntryKind::Edit,
    EntryKind::Del,
    EntryKind::React,
    EntryKind::Flag,
];

fn word(form: EntryForm, entry: &Entry) -> &'static str {
    match (form, entry.kind) {
        (EntryForm::Hist, _) => "HIST",
        (EntryForm::Mark, _) => "MARK",
        (EntryForm::Event, EntryKind::Message) if entry.is_gone() => "GONE",
        (EntryForm::Event, kind) => event_word(kind),
    }
}

fn event_word(kind: EntryKind) -> &'static str {
    match kind {
        EntryKind::Message => "MSG",
        EntryKind::Group => "GROUP",
        EntryKind::Expire => "EXPIRE",
        EntryKind::Edit => "EDIT",
        EntryKind::Del => "DEL",
        EntryKind::React => "REACT",
        EntryKind::Flag => "FLAG",
    }
}

/// Takes the parts by reference, so that the server need not build and drop a line for each
/// message.
fn write_entry(out: &mut Vec<u8>, form: EntryForm, entry: &Entry, others: &[(Box<str>, Box<str>)]) {
    let Entry { id, time, from, to, kind, tags, body } = entry;
    put(out, &[word(form, entry), " "]);
    id.put(out);
    out.push(b' ');
    time.put(out);
    put(out, &[" ", from.as_str(), " "]);
    to.put(out);
    // The usual case.
    let has_kind = match form {
        EntryForm::Event => false,
        EntryForm::Hist => *kind != EntryKind::Message,
        EntryForm::Mark => true,
    };
    if tags.is_none() && others.is_empty() && !has_kind {
        put(out, &[" - "]);
    } else {
        out.push(b' ');
        tags::write(out, form, *kind, tags.as_deref(), others);
        out.push(b' ');
    }
    // Of a deleted message nothing is left.
    text::escape(if body.is_empty() { "-" } else { body }, out);
    out.push(b'\n');
}

/// The text of a flag's entry: `<to> <flag> <until, - or off>`.
pub fn flag_text(to: &Target, flag: ChatFlag, value: FlagValue) -> String {
    let mut text = Vec::new();
    to.put(&mut text);
    put(&mut text, &[" ", flag.as_str(), " "]);
    value.put(&mut text);
    String::from_utf8(text).unwrap_or_default()
}

/// Parses the text of a flag's entry.
pub fn parse_flag_text(text: &str) -> Option<(Target, ChatFlag, FlagValue)> {
    let mut columns = Columns::of(text);
    Some((columns.read()?, columns.read()?, columns.read()?))
}

/// A receipt: `ACK <id> <time> <from> <to>`, likewise `READ`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptLine<'a>(pub Cow<'a, Receipt>);

impl<'a> ReceiptLine<'a> {
    /// The event for a receipt.
    pub fn event(receipt: &'a Receipt) -> ReceiptLine<'a> {
        ReceiptLine(Cow::Borrowed(receipt))
    }

    /// Writes the line, LF included.
    pub fn write(&self, out: &mut Vec<u8>) {
        let Receipt { cursor, id, time, from, to } = &*self.0;
        put(out, &[verb(*cursor), " "]);
        id.put(out);
        out.push(b' ');
        time.put(out);
        put(out, &[" ", from.as_str(), " "]);
        to.put(out);
        out.push(b'\n');
    }

    /// Parses a line; `None` if it is of another form.
    pub fn parse(line: &str) -> Option<ReceiptLine<'static>> {
        let mut columns = Columns::of(line);
        let cursor = cursor(columns.word()?)?;
        let (id, time) = (columns.read()?, columns.read()?);
        let (from, to) = (columns.read()?, columns.read()?);
        Some(ReceiptLine(Cow::Owned(Receipt { cursor, id, time, from, to })))
    }
}
