//! Looking: the candidates of a part of the log, from the index or from the log itself, and their
//! texts as one account may see them.
//!
//! Index and log are read in one transaction, and see the same state. But the words of a segment that
//! was replaced since it began may be gone; then the log is read in their place.

use std::cmp::Reverse;

use rustc_hash::FxHashMap;

use super::super::PgReader;
use super::super::expire;
use super::super::log::Shown;
use super::super::merge::windows;
use super::super::span::span;
use super::super::value::Param;
use super::fill::segment;
use crate::entry::{AccountId, ConversationId, EntryId, EntryKind};
use crate::limits;
use crate::store::search::{
    FEW, FRESH, LOOKUP, SearchCandidate, SearchPart, SearchSource, Segment, are_neighbours, both,
    end_of, ids_of, kept, key, look, next_part,
};
use crate::store::walk::Window;
use crate::store::{ConversationKind, Error, Reader, SearchPage, SearchQuery, SpanQuery};

/// Messages that edits above `$2` are about, of the conversation `$1`, or of those of the account.
macro_rules! changed {
    ($conversations: literal) => {
        concat!(
            "SELECT e.re, e.conversation FROM ",
            $conversations,
            " AS c CROSS JOIN LATERAL (SELECT re, conversation FROM entry
                 WHERE conversation = c.id AND kind > 1 AND kind = 2 AND id > $2
                 ORDER BY id LIMIT $3) AS e LIMIT $3"
        )
    };
}

/// Messages in a part of the log whose text was changed after their segment was made.
macro_rules! edited {
    ($where: literal) => {
        concat!(
            "SELECT message, conversation FROM search_edited
             WHERE message > $1 AND message <= $2 AND ",
            $where
        )
    };
}

/// The entries of a part of the log, from its lower end or its upper one (`DESC`), each with whether
/// it is a message in a conversation of the account `$4`.
macro_rules! entries {
    ($order: literal) => {
        concat!(
            "SELECT e.id, e.conversation, e.kind = 0 AND m.account IS NOT NULL
             FROM (SELECT id, conversation, kind FROM entry WHERE id > $1 AND id <= $2
                   ORDER BY id ",
            $order,
            " LIMIT $3) AS e
             LEFT JOIN member m ON m.conversation = e.conversation AND m.account = $4
             ORDER BY e.id ",
            $order
        )
    };
}

/// A conversation that messages are searched in: whose it is, and what the account may see of it.
struct Searched {
    of: ConversationKind,
    windows: Vec<Window>,
}

/// The index, for one look.
struct PgIndex {
    segments: Vec<Segment>,
    /// Messages whose texts have changed and the index does not know it, by their ids.
    fresh: Vec<SearchCandidate>,
    /// The conversations that are searched, by their numbers.
    scope: Vec<ConversationId>,
    /// The segment in place of which the log is read: the words are too frequent in it, or gone.
    unused: Option<EntryId>,
}

/// The log, for one look.
struct PgSource<'a> {
    reader: &'a mut PgReader,
    me: AccountId,
    /// `None`: all of the account's.
    one: Option<ConversationId>,
    /// The longest first, which are likely to be rare.
    words: Vec<&'a str>,
    re: Option<EntryId>,
    floor: EntryId,
    known: FxHashMap<ConversationId, Searched>,
    index: Option<PgIndex>,
}

/// See [`Reader::search`].
pub(in super::super) fn search(
    reader: &mut PgReader,
    me: AccountId,
    query: &SearchQuery,
) -> Result<SearchPage, Error> {
    let newest = reader.newest()?.entry;
    let floor = expire::floor(reader)?;
    let mut one = query.conversation;
    if let Some(message) = query.span.re.filter(|_| one.is_none()) {
        // Answers are in the conversation of their message.
        let sql = "SELECT m.conversation FROM entry e
                   JOIN member m ON m.conversation = e.conversation AND m.account = $2
                   WHERE e.id = $1";
        let row = reader.row(sql, &[Param::Int(message.0), Param::Int(me.0)])?;
        let Some(row) = row else { return Ok(SearchPage::default()) };
        one = Some(ConversationId(row.get(0)?));
    }
    let mut words: Vec<&str> = query.words.iter().map(|word| kept(word)).collect();
    words.sort_by_key(|word| Reverse(word.len()));
    let (re, known) = (query.span.re, FxHashMap::default());
    let mut source = PgSource { reader, me, one, words, re, floor, known, index: None };
    // Answers to a message are few, and in a list of their own.
    if re.is_none() {
        source.index = source.begin()?;
    }
    look(&mut source, query, newest)
}

impl PgSource<'_> {
    /// The index, if there is one that is of use.
    fn begin(&mut self) -> Result<Option<PgIndex>, Error> {
        let sql = "SELECT id, after, upto, size, seen FROM papo_search_segments()";
        let rows = self.reader.rows(sql, &[])?;
        let Some(first) = rows.first() else { return Ok(None) };
        let seen: i64 = first.get(4)?;
        let segments: Vec<Segment> = rows.iter().map(segment).collect::<Result<_, _>>()?;
        if !are_neighbours(&segments) {
            return Ok(None);
        }
        let (scope, sql, of) = match self.one {
            Some(one) => (vec![one], changed!("(SELECT $1 AS id)"), one.0),
            None => {
                let sql = "SELECT conversation FROM member WHERE account = $1";
                let rows = self.reader.rows(sql, &[Param::Int(self.me.0)])?;
                let all = rows.iter().map(|row| Ok(ConversationId(row.get(0)?)));
                let mut all: Vec<ConversationId> = all.collect::<Result<_, Error>>()?;
                all.sort_unstable();
                let sql = changed!(
                    "(SELECT c.id FROM member m JOIN conversation c ON c.id = m.conversation
                      WHERE m.account = $1 AND c.marked > $2)"
                );
                (all, sql, self.me.0)
            }
        };
        let mut fresh = self.candidates_of(sql, &[of, seen, FRESH as i64].map(Param::Int))?;
        if fresh.len() >= FRESH {
            return Ok(None);
        }
        fresh.sort_unstable();
        fresh.dedup();
        Ok(Some(PgIndex { segments, fresh, scope, unused: None }))
    }

    /// Candidates from rows that name them.
    fn candidates_of(
        &mut self,
        sql: &'static str,
        params: &[Param],
    ) -> Result<Vec<SearchCandidate>, Error> {
        let rows = self.reader.rows(sql, params)?;
        let one = rows.iter().map(|row| {
            let (id, conversation) = (EntryId(row.get(0)?), ConversationId(row.get(1)?));
            Ok(SearchCandidate { id, conversation })
        });
        one.collect()
    }

    /// Messages in a segment that have had all of the words, in no order, and the work that was.
    /// `Err`: they cannot be had from the index, which has cost so much work.
    fn candidates(
        &mut self,
        of: Segment,
        within: Window,
    ) -> Result<Result<(Vec<SearchCandidate>, usize), usize>, Error> {
        const TOO_MUCH: usize = limits::SEARCH_SEGMENT_STEPS;
        let Some(PgIndex { scope, .. }) = &self.index else { return Ok(Err(LOOKUP)) };
        let mut steps = 0;
        let conversations = match self.one {
            Some(one) => vec![one],
            None => {
                let sql = "SELECT conversations FROM search_segment WHERE id = $1";
                let row = self.reader.row(sql, &[Param::Int(of.id.0)])?;
                let Some(row) = row else { return Ok(Err(LOOKUP)) };
                let Some(both) = both(&row.get::<Vec<u8>>(0)?, scope) else {
                    return Ok(Err(LOOKUP));
                };
                steps += both.len();
                both
            }
        };
        let mut ids: Vec<Option<Vec<EntryId>>> = vec![None; conversations.len()];
        for word in &self.words {
            let is_asked =
                |ids: &Option<Vec<EntryId>>| ids.as_ref().is_none_or(|it| it.len() > FEW);
            let asked: Vec<usize> =
                ids.iter().enumerate().filter_map(|(n, it)| is_asked(it).then_some(n)).collect();
            steps += LOOKUP * asked.len();
            if steps > TOO_MUCH {
                return Ok(Err(TOO_MUCH));
            }
            let keys: Vec<Vec<u8>> = asked.iter().map(|n| key(conversations[*n], word)).collect();
            let keys: Vec<&[u8]> = keys.iter().map(|key| &key[..]).collect();
            let most = (TOO_MUCH - steps + 1) as i64;
            let sql = "SELECT place, ids FROM papo_search_words($1, $2, $3)";
            let params = [Param::Int(of.id.0), Param::Blobs(&keys), Param::Int(most)];
            let rows = self.reader.rows(sql, &params)?;
            steps += rows.len();
            let (mut found, mut count) = (vec![Vec::new(); asked.len()], 0);
            for row in &rows {
                let (place, list): (i64, Option<Vec<u8>>) = (row.get(0)?, row.get(1)?);
                let place = usize::try_from(place - 1).ok();
                let into = place.and_then(|place| found.get_mut(place));
                let (Some(into), Some(list)) = (into, list) else { return Ok(Err(LOOKUP)) };
                let before = into.len();
                if ids_of(&list, of.after, within, into).is_none() {
                    return Ok(Err(LOOKUP));
                }
                count += into.len() - before;
                if steps + count / 16 > TOO_MUCH {
                    return Ok(Err(TOO_MUCH));
                }
            }
            steps += count / 16;
            for (n, mut these) in asked.into_iter().zip(found) {
                these.sort_unstable();
                these.dedup();
                if let Some(before) = &ids[n] {
                    these.retain(|id| before.binary_search(id).is_ok());
                }
                ids[n] = Some(these);
            }
        }
        let found = conversations.into_iter().zip(ids).flat_map(|(conversation, ids)| {
            let ids = ids.into_iter().flatten();
            ids.map(move |id| SearchCandidate { id, conversation })
        });
        Ok(Ok((found.collect(), steps)))
    }

    /// Looks up those of these conversations that are not known yet.
    fn learn(&mut self, ids: impl Iterator<Item = ConversationId>) -> Result<(), Error> {
        let mut new: Vec<ConversationId> = ids.filter(|id| !self.known.contains_key(id)).collect();
        new.sort_unstable();
        new.dedup();
        if new.is_empty() {
            return Ok(());
        }
        for (id, of) in self.reader.whose_all(&new)? {
            let is_group = matches!(of, ConversationKind::Group(_));
            let windows = windows(self.reader, self.me, id, is_group)?;
            self.known.insert(id, Searched { of, windows });
        }
        Ok(())
    }

    fn known(&mut self, id: ConversationId) -> Result<&Searched, Error> {
        self.learn(std::iter::once(id))?;
        self.known.get(&id).ok_or_else(|| Error::damaged("a conversation is gone"))
    }

    /// The messages of one conversation, or the answers to one of them.
    fn part_of(
        &mut self,
        conversation: ConversationId,
        within: Window,
        upwards: bool,
    ) -> Result<(Vec<SearchCandidate>, Option<EntryId>), Error> {
        let query = SpanQuery {
            count: limits::SEARCH_SCAN,
            before: (!upwards).then_some(EntryId(within.1.0.saturating_add(1))),
            after: Some(within.0),
            re: self.re,
        };
        let cut = |(above, upto): &Window| ((*above).max(within.0), (*upto).min(within.1));
        let seen: Vec<Window> = self.known(conversation)?.windows.iter().map(cut).collect();
        let mut found = span(self.reader, conversation, &seen, &query)?;
        if !upwards {
            found.ids.reverse();
        }
        let last = found.ids.last().filter(|_| found.more).copied();
        Ok((found.ids.into_iter().map(|id| SearchCandidate { id, conversation }).collect(), last))
    }

    /// The messages themselves, as far as one part goes.
    fn scan(&mut self, within: Window, upwards: bool) -> Result<SearchPart, Error> {
        let (candidates, last, steps);
        if let Some(one) = self.one {
            (candidates, last) = self.part_of(one, within, upwards)?;
            steps = candidates.len();
        } else {
            let most = limits::SEARCH_SCAN as i64;
            let params = [within.0.0, within.1.0, most, self.me.0].map(Param::Int);
            let sql = if upwards { entries!("") } else { entries!("DESC") };
            let rows = self.reader.rows(sql, &params)?;
            let mut all = Vec::new();
            for row in &rows {
                let (id, conversation) = (EntryId(row.get(0)?), ConversationId(row.get(1)?));
                all.push((SearchCandidate { id, conversation }, row.get::<bool>(2)?));
            }
            let is_full = all.len() == limits::SEARCH_SCAN;
            last = all.last().filter(|_| is_full).map(|(last, _)| last.id);
            steps = all.len();
            candidates =
                all.into_iter().filter_map(|(one, is_mine)| is_mine.then_some(one)).collect();
        }
        let end = last.unwrap_or(end_of(within, upwards));
        Ok(SearchPart { end, candidates, steps })
    }
}

impl SearchSource for PgSource<'_> {
    fn part(&mut self, within: Window, upwards: bool) -> Result<SearchPart, Error> {
        let Some(index) = &self.index else { return self.scan(within, upwards) };
        let (within, segment) = next_part(&index.segments, within, upwards);
        let Some(segment) = segment.filter(|segment| index.unused != Some(segment.upto)) else {
            return self.scan(within, upwards);
        };
        let (mut candidates, mut steps) = match self.candidates(segment, within)? {
            Ok(found) => found,
            Err(steps) => {
                if let Some(index) = &mut self.index {
                    index.unused = Some(segment.upto);
                }
                let mut part = self.scan(within, upwards)?;
                part.steps += steps;
                return Ok(part);
            }
        };
        let bounds = [within.0.0, within.1.0].map(Param::Int);
        let mut edited = match self.one {
            Some(one) => {
                let params = [bounds[0], bounds[1], Param::Int(one.0)];
                self.candidates_of(edited!("conversation = $3"), &params)?
            }
            None => self.candidates_of(edited!("true"), &bounds)?,
        };
        if let Some(index) = &self.index {
            let from = index.fresh.partition_point(|one| one.id <= within.0);
            let fresh = index.fresh[from..].iter().take_while(|one| one.id <= within.1);
            edited.extend(fresh);
            steps += edited.len();
            let is_mine =
                |one: &SearchCandidate| index.scope.binary_search(&one.conversation).is_ok();
            candidates.extend(edited.into_iter().filter(is_mine));
        }
        candidates.sort_unstable();
        candidates.dedup();
        if !upwards {
            candidates.reverse();
        }
        Ok(SearchPart { end: end_of(within, upwards), candidates, steps: steps + LOOKUP })
    }

    fn texts(&mut self, of: &[SearchCandidate]) -> Result<Vec<Option<Box<str>>>, Error> {
        self.learn(of.iter().map(|one| one.conversation))?;
        let (mut ids, mut whose, mut seen) = (Vec::new(), Vec::new(), Vec::new());
        for one in of {
            let floor = self.floor;
            let known = self.known(one.conversation)?;
            let is_in = |(above, upto): &Window| *above < one.id && one.id <= *upto;
            let is_seen = one.id > floor && known.windows.iter().any(is_in);
            seen.push(is_seen);
            if is_seen {
                ids.push(one.id.0);
                whose.push(known.of.clone());
            }
        }
        let rows = self.reader.log_rows(self.me, &ids, &whose, Shown::Now)?;
        let (mut rows, mut texts) = (rows.into_iter(), Vec::with_capacity(of.len()));
        for is_seen in seen {
            if !is_seen {
                texts.push(None);
                continue;
            }
            // A page is full.
            let Some(row) = rows.next() else { break };
            let is_gone = row.tags.as_ref().is_some_and(|tags| tags.gone.is_some());
            texts.push((row.kind == EntryKind::Message && !is_gone).then_some(row.body));
        }
        Ok(texts)
    }
}
