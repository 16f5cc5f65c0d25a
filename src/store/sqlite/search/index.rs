//! The index as one look sees it, in one read transaction: which messages of a segment have had some
//! words.

use std::cell::Cell;

use rusqlite::{Connection, params};

use super::super::run;
use super::file::{seen, segments};
use crate::entry::{ConversationId, EntryId};
use crate::limits;
use crate::store::Error;
use crate::store::search::{FEW, LOOKUP, SearchCandidate, Segment, both, ids_of, key};
use crate::store::walk::Window;

/// What is searched.
pub(super) enum SearchScope {
    One(ConversationId),
    /// By their numbers.
    All(Vec<ConversationId>),
}

/// The index as one look sees it.
pub(super) struct Index<'a> {
    on: &'a Connection,
    pub(super) segments: Vec<Segment>,
    has_failed: &'a Cell<bool>,
}

impl<'a> Index<'a> {
    /// Begins to read. Also returns up to which entry it knows of changes.
    pub(super) fn begin(
        on: &'a Connection,
        has_failed: &'a Cell<bool>,
    ) -> Result<(Index<'a>, EntryId), Error> {
        let mut index = Index { on, segments: Vec::new(), has_failed };
        if !on.is_autocommit() {
            index.done(run(on, "ROLLBACK"))?;
        }
        index.done(run(on, "BEGIN"))?;
        index.segments = index.done(segments(on))?;
        let seen = index.done(seen(on))?;
        Ok((index, seen))
    }

    /// Notes a failure as one of the index.
    pub(super) fn done<T, E: Into<Error>>(&self, done: Result<T, E>) -> Result<T, Error> {
        done.map_err(|e| {
            self.has_failed.set(true);
            e.into()
        })
    }

    /// Messages in a segment that have had all of the words, in no order, and the work that was.
    /// `None`: it was too much.
    pub(super) fn candidates(
        &self,
        segment: Segment,
        within: Window,
        scope: &SearchScope,
        words: &[&str],
    ) -> Result<Option<(Vec<SearchCandidate>, usize)>, Error> {
        let (mut found, mut steps) = (Vec::new(), 0);
        let its;
        let conversations = match scope {
            SearchScope::One(one) => std::slice::from_ref(one),
            SearchScope::All(all) => {
                its = self.done(self.conversations(segment, all))?;
                steps += its.len();
                &its[..]
            }
        };
        let sql = format!("SELECT ids FROM words_{} WHERE key >= ?1 AND key < ?2", segment.id.0);
        let mut query = self.done(self.on.prepare_cached(&sql))?;
        for conversation in conversations {
            let mut ids: Option<Vec<EntryId>> = None;
            for word in words {
                if ids.as_ref().is_some_and(|ids| ids.len() <= FEW) {
                    break;
                }
                let mut these = Vec::new();
                let low = key(*conversation, word);
                // No byte of a text is this high.
                let high = [&low[..], &[0xff]].concat();
                let mut rows = self.done(query.query(params![low, high]))?;
                steps += LOOKUP;
                while let Some(row) = self.done(rows.next())? {
                    let list = self.done(row.get_ref(0).map_err(Error::from))?;
                    let read = list.as_blob().ok();
                    let read =
                        read.and_then(|list| ids_of(list, segment.after, within, &mut these));
                    self.done(read.ok_or_else(|| Error::damaged("the index has a bad list")))?;
                    steps += 1;
                    if steps + these.len() / 16 > limits::SEARCH_SEGMENT_STEPS {
                        return Ok(None);
                    }
                }
                steps += these.len() / 16;
                these.sort_unstable();
                these.dedup();
                if let Some(before) = &ids {
                    these.retain(|id| before.binary_search(id).is_ok());
                }
                ids = Some(these);
            }
            let conversation = *conversation;
            let ids = ids.into_iter().flatten();
            found.extend(ids.map(|id| SearchCandidate { id, conversation }));
        }
        Ok(Some((found, steps)))
    }

    /// Those of the conversations that a segment has; both lists are sorted.
    fn conversations(
        &self,
        segment: Segment,
        all: &[ConversationId],
    ) -> Result<Vec<ConversationId>, Error> {
        let sql = "SELECT conversations FROM segment WHERE id = ?1";
        let list: Vec<u8> =
            self.on.prepare_cached(sql)?.query_row([segment.id.0], |row| row.get(0))?;
        both(&list, all).ok_or_else(|| Error::damaged("the index has a bad list"))
    }

    /// Messages in a window whose texts have changed since their segment was made.
    pub(super) fn edited(
        &self,
        within: Window,
        scope: &SearchScope,
    ) -> Result<Vec<SearchCandidate>, Error> {
        let one = match scope {
            SearchScope::One(one) => Some(one.0),
            SearchScope::All(_) => None,
        };
        let mut query = self.on.prepare_cached(match one {
            Some(_) => {
                "SELECT message, conversation FROM edited
                        WHERE message > ?1 AND message <= ?2 AND conversation = ?3"
            }
            None => {
                "SELECT message, conversation FROM edited
                     WHERE message > ?1 AND message <= ?2 AND ?3 IS NULL"
            }
        })?;
        let rows = query.query_map(params![within.0.0, within.1.0, one], |row| {
            Ok(SearchCandidate {
                id: EntryId(row.get(0)?),
                conversation: ConversationId(row.get(1)?),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
