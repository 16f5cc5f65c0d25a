//! `HIST … with` on PostgreSQL: the log is looked through from its newer end, a part in each round
//! trip, and the texts of the messages there are compared. There is no index.

use rustc_hash::FxHashMap;

use super::PgReader;
use super::expire;
use super::log::Shown;
use super::merge::windows;
use super::span::span;
use super::value::Param;
use crate::entry::{AccountId, ConversationId, EntryId, EntryKind};
use crate::limits;
use crate::store::search::{SearchCandidate, SearchPart, SearchSource, look};
use crate::store::walk::Window;
use crate::store::{ConversationKind, Error, Reader, SearchPage, SearchQuery, SpanQuery};

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

/// The log, for one look.
struct PgSource<'a> {
    reader: &'a mut PgReader,
    me: AccountId,
    /// `None`: all of the account's.
    one: Option<ConversationId>,
    re: Option<EntryId>,
    floor: EntryId,
    known: FxHashMap<ConversationId, Searched>,
}

/// See [`Reader::search`].
pub(super) fn search(
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
    let (re, known) = (query.span.re, FxHashMap::default());
    look(&mut PgSource { reader, me, one, re, floor, known }, query, newest)
}

impl PgSource<'_> {
    fn known(&mut self, id: ConversationId) -> Result<&Searched, Error> {
        if !self.known.contains_key(&id) {
            let of = self.reader.whose(id)?;
            let is_group = matches!(of, ConversationKind::Group(_));
            let windows = windows(self.reader, self.me, id, is_group)?;
            self.known.insert(id, Searched { of, windows });
        }
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
}

impl SearchSource for PgSource<'_> {
    fn part(&mut self, within: Window, upwards: bool) -> Result<SearchPart, Error> {
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
        let end = if upwards { within.1 } else { EntryId(within.0.0 + 1) };
        Ok(SearchPart { end: last.unwrap_or(end), candidates, steps })
    }

    fn texts(&mut self, of: &[SearchCandidate]) -> Result<Vec<Option<Box<str>>>, Error> {
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
