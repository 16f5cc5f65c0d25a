//! `/search`, `/search all` and `/more`: messages by the beginnings of their words.

use jiff::Timestamp;

use super::item::{FoundMessage, ScreenItem};
use super::jobs::Purpose;
use super::later::clock;
use super::talk::Talk;
use super::typed_search::TypedSearch;
use crate::client::connection::Success;
use crate::client::expire::due;
use crate::client::lines;
use crate::client::search::{command, next};
use crate::entry::Entry;
use crate::wire::rows::EntryLine;

/// Messages that are shown at a time.
const ROWS: usize = 10;

impl Talk {
    /// Searches for what was typed: here, or everywhere.
    pub(super) fn search(&mut self, typed: &str) {
        let (first, rest) = typed.split_once(char::is_whitespace).unwrap_or((typed, ""));
        let (to, words) = match first.eq_ignore_ascii_case("all") && !rest.trim().is_empty() {
            true => ("-".to_owned(), rest.trim()),
            false => (self.current.clone().unwrap_or_else(|| "-".to_owned()), typed),
        };
        let words = words.to_owned();
        self.look(TypedSearch { to, words, before: None, left: ROWS, found: Vec::new() });
    }

    /// Shows what the last search finds further on.
    pub(super) fn search_on(&mut self) {
        match self.searched.take() {
            Some(search) => self.look(TypedSearch { left: ROWS, found: Vec::new(), ..search }),
            None => self.complain("nothing more; /search WORDS looks for messages"),
        }
    }

    fn look(&mut self, search: TypedSearch) {
        let command = command(&search.to, search.left, search.before, &search.words);
        self.ask(command, Purpose::Search(Box::new(search)));
    }

    /// A look has ended.
    pub(super) fn looked(&mut self, mut search: TypedSearch, reply: &Success) {
        let entries = reply.rows.iter().filter_map(|row| EntryLine::parse(row));
        let rows: Vec<FoundMessage> =
            entries.map(|line| self.found(&line.entry, search.to == "-")).collect();
        search.left = search.left.saturating_sub(rows.len());
        search.found.splice(0..0, rows);
        search.before = next(reply);
        if search.left > 0 && search.before.is_some() {
            return self.look(search);
        }
        let found = std::mem::take(&mut search.found);
        let (more, is_empty) = (search.before.is_some(), found.is_empty());
        found.into_iter().for_each(|message| self.add(ScreenItem::Found(message)));
        if more {
            self.remark("      /more shows older ones");
        } else if is_empty {
            self.remark("      nothing found");
        }
        self.searched = more.then_some(search);
    }

    /// A message that was found.
    fn found(&self, entry: &Entry, with_place: bool) -> FoundMessage {
        let who = if entry.from == self.me { "you" } else { entry.from.as_str() };
        let to = entry.to.to_string();
        let place = match with_place {
            true if to == self.me.as_str() => " to you".to_owned(),
            true => format!(" to {to}"),
            false => String::new(),
        };
        FoundMessage {
            id: entry.id.number(),
            due: due(entry, Timestamp::now()),
            head: format!("      {}  {who}{place}: ", clock(entry.time, &self.zone)),
            text: Some(lines::text_of(entry).to_owned()),
            file: entry.tags.as_ref().and_then(|tags| tags.file),
        }
    }
}
