//! Looking: the candidates of a part of the log, from the index or from the log itself, and their
//! texts as one account may see them.
//!
//! The index is read in a transaction of its own, a moment later than the log. If it knows newer
//! entries, those are passed over; if it no longer has a text that was deleted in between, the look
//! counts as a moment later. Whatever is wrong with it, the log alone gives the same answer.

use std::cell::Cell;
use std::cmp::Reverse;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};
use rustc_hash::FxHashMap;

use super::super::about::View;
use super::super::decode::SqliteReader;
use super::super::id_block::{ListKind, above};
use super::super::run;
use super::super::span::span;
use super::super::visible::windows;
use super::file::SearchFile;
use super::index::{Index, SearchScope};
use crate::entry::{AccountId, ConversationId, EntryId};
use crate::limits;
use crate::store::search::{
    FRESH, LOOKUP, SearchCandidate, SearchPart, SearchSource, end_of, kept, look, next_part,
};
use crate::store::walk::Window;
use crate::store::{Cause, Error, SearchPage, SearchQuery, SpanQuery};

/// The index of a reader.
pub(in crate::store::sqlite) struct SearchReader {
    file: Arc<SearchFile>,
    /// The connection, and in which life of the file it was opened.
    open: Option<(u64, Connection)>,
}

impl SearchReader {
    pub(in crate::store::sqlite) fn new(file: Arc<SearchFile>) -> SearchReader {
        SearchReader { file, open: None }
    }

    /// Takes the connection to the file as it is now, if there is one.
    fn take(&mut self) -> Option<(u64, Connection)> {
        let life = self.file.life()?;
        let open = self.open.take().filter(|(of, _)| *of == life);
        open.or_else(|| self.file.reader().ok().map(|connection| (life, connection)))
    }
}

/// The log and the index, for one look.
struct SqliteSource<'a> {
    read: &'a Connection,
    me: AccountId,
    scope: SearchScope,
    /// The longest first, which are likely to be rare.
    words: Vec<&'a str>,
    re: Option<EntryId>,
    floor: EntryId,
    index: Option<Index<'a>>,
    /// Messages whose texts have changed and the index does not know it, by their ids.
    fresh: Vec<SearchCandidate>,
    /// The segment in which the words are so frequent that the log is read.
    frequent: Option<EntryId>,
    windows: FxHashMap<ConversationId, Vec<Window>>,
}

impl SqliteReader {
    /// See [`Reader::search`](crate::store::Reader::search).
    pub(in crate::store::sqlite) fn look(
        &mut self,
        me: AccountId,
        query: &SearchQuery,
    ) -> Result<SearchPage, Error> {
        let open = self.search.as_mut().and_then(SearchReader::take);
        let has_failed = Cell::new(false);
        if let Some((_, on)) = &open {
            let found = look_with(&self.connection, me, query, Some((on, &has_failed)));
            // Whatever became of it, no transaction stays open.
            let ended = on.is_autocommit() || run(on, "ROLLBACK").is_ok();
            if let Some(search) = &mut self.search {
                match &found {
                    Err(e) if has_failed.get() => {
                        log::debug!("the index cannot be read: {e}");
                        if e.cause() == Cause::Damaged {
                            search.file.note_damage();
                        }
                    }
                    _ if ended => search.open = open,
                    _ => {}
                }
            }
            if !has_failed.get() {
                return found;
            }
        }
        look_with(&self.connection, me, query, None)
    }
}

/// Looks, with or without an index.
fn look_with(
    read: &Connection,
    me: AccountId,
    query: &SearchQuery,
    index: Option<(&Connection, &Cell<bool>)>,
) -> Result<SearchPage, Error> {
    let (newest, floor): (i64, i64) = read
        .prepare_cached("SELECT entry, floor FROM newest")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let Some(scope) = scope(read, me, query)? else { return Ok(SearchPage::default()) };
    let mut words: Vec<&str> = query.words.iter().map(|word| kept(word)).collect();
    words.sort_by_key(|word| Reverse(word.len()));
    let mut source = SqliteSource {
        read,
        me,
        scope,
        words,
        re: query.span.re,
        floor: EntryId(floor),
        index: None,
        fresh: Vec::new(),
        frequent: None,
        windows: FxHashMap::default(),
    };
    // Answers to a message are few, and in a list of their own.
    if let Some((on, has_failed)) = index
        && query.span.re.is_none()
    {
        let (index, seen) = Index::begin(on, has_failed)?;
        source.begin(index, seen)?;
    }
    look(&mut source, query, EntryId(newest))
}

/// What is to be searched; `None` if that is nothing.
fn scope(
    read: &Connection,
    me: AccountId,
    query: &SearchQuery,
) -> Result<Option<SearchScope>, Error> {
    if let Some(one) = query.conversation {
        return Ok(Some(SearchScope::One(one)));
    }
    if let Some(message) = query.span.re {
        // Answers are in the conversation of their message.
        let sql = "SELECT m.conversation FROM entry e
                   JOIN member m ON m.conversation = e.conversation AND m.account = ?2
                   WHERE e.id = ?1";
        let mut found = read.prepare_cached(sql)?;
        let one = found.query_row([message.0, me.0], |row| row.get(0)).optional()?;
        return Ok(one.map(|one| SearchScope::One(ConversationId(one))));
    }
    let sql = "SELECT conversation FROM member WHERE account = ?1";
    let mut all = read.prepare_cached(sql)?;
    let rows = all.query_map([me.0], |row| row.get(0).map(ConversationId))?;
    let mut all: Vec<ConversationId> = rows.collect::<Result<_, _>>()?;
    all.sort_unstable();
    Ok(Some(SearchScope::All(all)))
}

impl<'a> SqliteSource<'a> {
    /// Uses an index that knows of changes up to the entry `seen`.
    fn begin(&mut self, index: Index<'a>, seen: EntryId) -> Result<(), Error> {
        let mut fresh = Vec::new();
        match &self.scope {
            SearchScope::One(one) => changed(self.read, *one, seen, &mut fresh)?,
            SearchScope::All(_) => {
                let sql = "SELECT c.id FROM member m JOIN conversation c ON c.id = m.conversation
                           WHERE m.account = ?1 AND c.marked > ?2";
                let mut query = self.read.prepare_cached(sql)?;
                let mut rows = query.query([self.me.0, seen.0])?;
                while let Some(row) = rows.next()?.filter(|_| fresh.len() < FRESH) {
                    changed(self.read, ConversationId(row.get(0)?), seen, &mut fresh)?;
                }
            }
        }
        fresh.sort_unstable();
        fresh.dedup();
        self.index = (fresh.len() < FRESH).then_some(index);
        self.fresh = fresh;
        Ok(())
    }

    fn is_mine(&self, conversation: ConversationId) -> bool {
        match &self.scope {
            SearchScope::One(one) => *one == conversation,
            SearchScope::All(all) => all.binary_search(&conversation).is_ok(),
        }
    }

    /// The messages themselves, as far as one part goes.
    fn scan(&mut self, within: Window, upwards: bool) -> Result<SearchPart, Error> {
        let all = match &self.scope {
            SearchScope::One(one) => {
                let one = *one;
                return self.scan_one(one, within, upwards);
            }
            SearchScope::All(all) => all,
        };
        let sql = match upwards {
            true => {
                "SELECT id, conversation, kind FROM entry WHERE id > ?1 AND id <= ?2
                     ORDER BY id LIMIT ?3"
            }
            false => {
                "SELECT id, conversation, kind FROM entry WHERE id > ?1 AND id <= ?2
                      ORDER BY id DESC LIMIT ?3"
            }
        };
        let mut query = self.read.prepare_cached(sql)?;
        let keys = params![within.0.0, within.1.0, limits::SEARCH_SCAN as i64];
        let mut rows = query.query(keys)?;
        let (mut candidates, mut steps, mut last) = (Vec::new(), 0, None);
        while let Some(row) = rows.next()? {
            let (id, conversation) = (EntryId(row.get(0)?), ConversationId(row.get(1)?));
            steps += 1;
            last = Some(id);
            if row.get::<_, i64>(2)? == 0 && all.binary_search(&conversation).is_ok() {
                candidates.push(SearchCandidate { id, conversation });
            }
        }
        let last = last.filter(|_| steps == limits::SEARCH_SCAN);
        Ok(SearchPart { end: last.unwrap_or(end_of(within, upwards)), candidates, steps })
    }

    /// The same in one conversation, or of the answers to a message there.
    fn scan_one(
        &mut self,
        conversation: ConversationId,
        within: Window,
        upwards: bool,
    ) -> Result<SearchPart, Error> {
        let seen = self.windows(conversation)?.to_vec();
        let cut = |(above, upto): &Window| ((*above).max(within.0), (*upto).min(within.1));
        let seen: Vec<Window> = seen.iter().map(cut).filter(|(low, high)| low < high).collect();
        let query = SpanQuery {
            count: limits::SEARCH_SCAN,
            before: (!upwards).then_some(EntryId(within.1.0.saturating_add(1))),
            after: Some(within.0),
            re: self.re,
        };
        let found = span(self.read, conversation, &seen, &query)?;
        let mut ids = found.ids;
        if !upwards {
            ids.reverse();
        }
        let last = ids.last().filter(|_| found.more).copied();
        let steps = ids.len();
        let candidates = ids.into_iter().map(|id| SearchCandidate { id, conversation }).collect();
        Ok(SearchPart { end: last.unwrap_or(end_of(within, upwards)), candidates, steps })
    }

    /// What of a conversation the account may see.
    fn windows(&mut self, conversation: ConversationId) -> Result<&[Window], Error> {
        if !self.windows.contains_key(&conversation) {
            let sql = "SELECT low IS NULL FROM conversation WHERE id = ?1";
            let mut query = self.read.prepare_cached(sql)?;
            let is_group = query.query_row([conversation.0], |row| row.get(0)).optional()?;
            let seen = match is_group {
                Some(is_group) => windows(self.read, self.me, conversation, is_group)?,
                None => Vec::new(),
            };
            self.windows.insert(conversation, seen);
        }
        Ok(self.windows.get(&conversation).map_or(&[], |seen| &seen[..]))
    }
}

impl SearchSource for SqliteSource<'_> {
    fn part(&mut self, within: Window, upwards: bool) -> Result<SearchPart, Error> {
        let Some(index) = &self.index else { return self.scan(within, upwards) };
        let (within, segment) = next_part(&index.segments, within, upwards);
        let Some(segment) = segment.filter(|segment| self.frequent != Some(segment.upto)) else {
            return self.scan(within, upwards);
        };
        let found = index.candidates(segment, within, &self.scope, &self.words)?;
        let Some((mut candidates, mut steps)) = found else {
            self.frequent = Some(segment.upto);
            let mut part = self.scan(within, upwards)?;
            part.steps += limits::SEARCH_SEGMENT_STEPS;
            return Ok(part);
        };
        let mut edited = index.done(index.edited(within, &self.scope))?;
        let from = self.fresh.partition_point(|one| one.id <= within.0);
        let fresh = self.fresh[from..].iter().take_while(|one| one.id <= within.1);
        edited.extend(fresh);
        steps += edited.len();
        candidates.extend(edited.into_iter().filter(|one| self.is_mine(one.conversation)));
        candidates.sort_unstable();
        candidates.dedup();
        if !upwards {
            candidates.reverse();
        }
        Ok(SearchPart { end: end_of(within, upwards), candidates, steps: steps + LOOKUP })
    }

    fn texts(&mut self, of: &[SearchCandidate]) -> Result<Vec<Option<Box<str>>>, Error> {
        let (mut texts, mut bytes) = (Vec::with_capacity(of.len()), 0);
        for one in of {
            if bytes >= limits::PAGE_BYTES {
                break;
            }
            let text = self.text(*one)?;
            bytes += text.as_ref().map_or(0, |text| text.len());
            texts.push(text);
        }
        Ok(texts)
    }
}

impl SqliteSource<'_> {
    /// The text of a message, if the account may see it.
    fn text(&mut self, of: SearchCandidate) -> Result<Option<Box<str>>, Error> {
        let floor = self.floor;
        let is_seen = |(above, upto): &Window| *above < of.id && of.id <= *upto;
        if of.id <= floor || !self.windows(of.conversation)?.iter().any(is_seen) {
            return Ok(None);
        }
        let sql =
            "SELECT body, changed FROM entry WHERE id = ?1 AND conversation = ?2 AND kind = 0";
        let mut query = self.read.prepare_cached(sql)?;
        let found = query.query_row([of.id.0, of.conversation.0], |row| {
            Ok((row.get::<_, Box<str>>(0)?, row.get::<_, bool>(1)?))
        });
        let Some((body, is_changed)) = found.optional()? else { return Ok(None) };
        if !is_changed {
            return Ok(Some(body));
        }
        let windows = self.windows.get(&of.conversation).map_or(&[][..], |seen| &seen[..]);
        View { read: self.read, windows, floor }.text(of.id, body)
    }
}

/// Adds the messages of a conversation that edits above `seen` are about.
fn changed(
    read: &Connection,
    conversation: ConversationId,
    mut seen: EntryId,
    into: &mut Vec<SearchCandidate>,
) -> Result<(), Error> {
    let sql = "SELECT re FROM entry WHERE id = ?1 AND kind = 2";
    let mut query = read.prepare_cached(sql)?;
    let marked = "SELECT marked > ?2 FROM conversation WHERE id = ?1";
    let has_marks = read
        .prepare_cached(marked)?
        .query_row([conversation.0, seen.0], |row| row.get(0))
        .optional()?;
    while has_marks == Some(true) && into.len() < FRESH {
        let (ids, whole) = above(read, ListKind::Marks, conversation, seen)?;
        for mark in ids.filter(|mark| *mark > seen).collect::<Vec<_>>() {
            let message = query.query_row([mark.0], |row| row.get(0).map(EntryId)).optional()?;
            into.extend(message.map(|id| SearchCandidate { id, conversation }));
            seen = mark;
        }
        if whole {
            break;
        }
    }
    Ok(())
}
