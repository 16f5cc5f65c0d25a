//! Entries by their ids, of one conversation or of many. Each question is a round trip, so as few are
//! asked as for one entry: what is found in all conversations comes from tens of them.

use rustc_hash::FxHashMap;

use super::PgReader;
use super::expire::{FLOOR, floor_in};
use super::log::{PgLogRow, Shown};
use super::merge::windows;
use super::value::Param;
use crate::entry::{AccountId, ConversationId, Entry, EntryId};
use crate::limits;
use crate::store::{ConversationKind, Error};

/// See [`Reader::entries_of`](crate::store::Reader::entries_of).
pub(super) fn entries(
    reader: &mut PgReader,
    me: AccountId,
    of: &[(ConversationId, EntryId)],
) -> Result<Vec<Entry>, Error> {
    let conversations = distinct(of.iter().map(|(conversation, _)| *conversation));
    let ids: Vec<i64> = conversations.iter().map(|id| id.0).collect();
    let asked = [(FLOOR, Vec::new()), (super::decode::WHOSE, vec![Param::Ints(&ids)])];
    let answers = reader.many(&asked)?;
    let [floor, whose] = answers.as_slice() else { return Ok(Vec::new()) };
    let floor = floor_in(floor)?;
    let whose = super::decode::whose(whose, &conversations)?;
    let of: Vec<(ConversationId, EntryId)> =
        of.iter().filter(|(_, id)| *id > floor).copied().collect();
    let (mut rows, mut rest) = (Vec::<(ConversationId, PgLogRow)>::new(), &*of);
    // A page is empty only if all have expired.
    while rows.is_empty() && !rest.is_empty() {
        let page = &rest[..rest.len().min(limits::PAGE_ROWS)];
        let ids: Vec<i64> = page.iter().map(|(_, id)| id.0).collect();
        let kinds: Vec<ConversationKind> =
            page.iter().filter_map(|(conversation, _)| whose.get(conversation).cloned()).collect();
        let read = reader.log_rows(me, &ids, &kinds, Shown::Now)?;
        let conversations = page.iter().map(|(conversation, _)| *conversation);
        rest = &rest[read.len()..];
        rows = conversations.zip(read).filter(|(_, row)| row.is_shown).collect();
    }
    add_reactions(reader, me, &whose, &mut rows)?;
    reader.named(me, rows.into_iter().map(|(_, row)| row).collect())
}

/// Adds the reactions to messages. Those who have left a group see none.
fn add_reactions(
    reader: &mut PgReader,
    me: AccountId,
    whose: &FxHashMap<ConversationId, ConversationKind>,
    rows: &mut [(ConversationId, PgLogRow)],
) -> Result<(), Error> {
    let changed =
        rows.iter().filter(|(_, row)| row.is_changed).map(|(conversation, _)| *conversation);
    let mut seen_above = FxHashMap::default();
    for conversation in distinct(changed) {
        let is_group = matches!(whose.get(&conversation), Some(ConversationKind::Group(_)));
        let last = windows(reader, me, conversation, is_group)?.pop();
        if let Some((above, EntryId(i64::MAX))) = last {
            seen_above.insert(conversation, above);
        }
    }
    let is_seen = |conversation: &ConversationId, row: &PgLogRow| {
        seen_above.get(conversation).is_some_and(|above| row.id > *above)
    };
    let rows = rows.iter_mut().filter(|(conversation, row)| is_seen(conversation, row));
    reader.add_reactions(me, rows.map(|(_, row)| row))
}

/// Each of them once.
fn distinct(conversations: impl Iterator<Item = ConversationId>) -> Vec<ConversationId> {
    let mut all: Vec<ConversationId> = conversations.collect();
    all.sort_unstable();
    all.dedup();
    all
}
