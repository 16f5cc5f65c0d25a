//! Entries and receipts, which the server pushes: how their lines are written and parsed.

use std::borrow::Cow;

use super::columns::{Column, Columns, cursor, put, verb};
use super::tags::Tags;
use super::text;
use crate::entry::{Entry, EntryKind, Receipt};

/// An entry as a line: `MSG <id> <time> <from> <to> <tags> <body>`, `GROUP` with a change in place
/// of the body, or a row of the log, `HIST`, for both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryLine<'a> {
    /// Whether it is a `HIST` row and not an event.
    pub is_row: bool,
    pub entry: Cow<'a, Entry>,
    pub tags: Tags,
}

impl<'a> EntryLine<'a> {
    /// The event for an entry.
    #[inline]
    pub fn event(entry: &'a Entry) -> EntryLine<'a> {
        EntryLine { is_row: false, entry: Cow::Borrowed(entry), tags: Tags::NONE }
    }

    /// The `HIST` row for an entry.
    #[inline]
    pub fn row(entry: &'a Entry) -> EntryLine<'a> {
        let tags = Tags { kind: entry.kind, ..Tags::NONE };
        EntryLine { is_row: true, entry: Cow::Borrowed(entry), tags }
    }

    /// The event for the entry of this row.
    pub fn into_event(self) -> EntryLine<'a> {
        let tags = Tags { kind: EntryKind::Message, ..self.tags };
        EntryLine { is_row: false, tags, ..self }
    }

    /// Writes the line, LF included.
    #[inline]
    pub fn write(&self, out: &mut Vec<u8>) {
        write_entry(out, self.is_row, &self.entry, &self.tags);
    }

    /// Parses a line; `None` if it is of another form.
    pub fn parse(line: &str) -> Option<EntryLine<'static>> {
        let mut columns = Columns::of(line);
        let word = columns.word()?;
        let is_row = word == "HIST";
        if !is_row && !matches!(word, "MSG" | "GROUP") {
            return None;
        }
        let (id, time) = (columns.read()?, columns.read()?);
        let (from, to) = (columns.read()?, columns.read()?);
        let (tags, body): (Tags, Cow<str>) = (columns.read()?, columns.read()?);
        let kind = match word {
            "GROUP" => EntryKind::Group,
            _ => tags.kind,
        };
        let entry = Entry { id, time, from, to, kind, body: body.into(), tags: None };
        Some(EntryLine { is_row, entry: Cow::Owned(entry), tags })
    }
}

/// Takes the parts by reference, so that the server need not build and drop a line for each
/// message.
fn write_entry(out: &mut Vec<u8>, is_row: bool, entry: &Entry, tags: &Tags) {
    let Entry { id, time, from, to, kind, body, .. } = entry;
    put(
        out,
        &[match (is_row, kind) {
            (true, _) => "HIST ",
            (false, EntryKind::Message) => "MSG ",
            (false, EntryKind::Group) => "GROUP ",
            (false, EntryKind::Edit) => "EDIT ",
            (false, EntryKind::Del) => "DEL ",
            (false, EntryKind::React) => "REACT ",
        }],
    );
    id.put(out);
    out.push(b' ');
    time.put(out);
    put(out, &[" ", from.as_str(), " "]);
    to.put(out);
    // The usual case.
    if tags.is_empty() {
        put(out, &[" - "]);
    } else {
        out.push(b' ');
        tags.put(out);
        out.push(b' ');
    }
    text::escape(body, out);
    out.push(b'\n');
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
