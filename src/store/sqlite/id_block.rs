//! The ids of the entries of a conversation, and those of its marks. They are kept in blocks of 64,
//! one row for each block; the rest, the tail, is in the row of the conversation, which is written
//! with each batch anyway; of marks, in a row of `marking`.
//!
//! The alternatives, as measured: an index of all entries by conversation costs a further page to
//! write for each message in a quiet conversation; a pointer from each entry to the one before it
//! costs a lookup for each step, and merging many conversations takes many of those.

use rusqlite::{Connection, OptionalExtension, params};

use crate::entry::{ConversationId, EntryId};
use crate::limits::ID_BLOCK;
use crate::store::Error;
use crate::store::change::Added;
use crate::store::ids::{Ids, encode, encode_upto};

/// Which of the two lists of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ListKind {
    Entries,
    Marks,
}

/// SQL that names the table of the blocks of a list.
macro_rules! of_blocks {
    ($list: expr, $before: literal, $after: literal) => {
        match $list {
            ListKind::Entries => concat!($before, " id_block ", $after),
            ListKind::Marks => concat!($before, " mark_block ", $after),
        }
    };
}

/// Records entries (or marks) that were added to a conversation, which has had `count` of them now.
/// Returns the encoded ids for its tail, and whether they replace the tail or are appended to it.
///
/// Each block is for 64 of those that there have been: entries that expire leave their places empty.
/// So which block is theirs follows from `count`, and nothing is read for most.
pub(super) fn append(
    on: &Connection,
    of: ListKind,
    conversation: ConversationId,
    count: i64,
    added: &Added,
) -> Result<(Vec<u8>, bool), Error> {
    let held = usize::try_from(count).unwrap_or(0).saturating_sub(added.ids.len()) % ID_BLOCK;
    if held + added.ids.len() < ID_BLOCK {
        let after = if held == 0 { EntryId(0) } else { added.after };
        return Ok((encode(after, &added.ids), false));
    }
    // The first marks of a conversation may be as many, and then it has no row with a tail yet.
    let before = if held == 0 { Ids::default() } else { tail(on, of, conversation)? };
    let mut ids: Vec<EntryId> = before.collect();
    if ids.len() > held || (of == ListKind::Marks && ids.len() < held) {
        // Damage to older ids is no reason to refuse new entries.
        log::error!("{}", lost(conversation));
    }
    let (first, new) = added.ids.split_at(ID_BLOCK - held);
    ids.extend(first);
    let sql = of_blocks!(of, "INSERT INTO", "VALUES(?1, ?2, ?3)");
    let mut insert = on.prepare_cached(sql)?;
    let id_blocks = new.chunks_exact(ID_BLOCK);
    let rest = encode(EntryId(0), id_blocks.remainder());
    for id_block in std::iter::once(&*ids).chain(id_blocks) {
        let upto = id_block.last().map_or(0, |id| id.0);
        insert.execute(params![conversation.0, upto, encode(EntryId(0), id_block)])?;
    }
    Ok((rest, true))
}

/// Takes entries, whose ids are in ascending order, out of the lists of their conversation.
pub(super) fn remove(
    on: &Connection,
    conversation: ConversationId,
    mut ids: &[EntryId],
) -> Result<(), Error> {
    let mut find = on.prepare_cached(
        "SELECT upto, ids FROM id_block WHERE conversation = ?1 AND upto >= ?2 ORDER BY upto LIMIT 1",
    )?;
    let mut drop =
        on.prepare_cached("DELETE FROM id_block WHERE conversation = ?1 AND upto = ?2")?;
    let mut insert = on.prepare_cached("INSERT INTO id_block VALUES(?1, ?2, ?3)")?;
    while let Some(first) = ids.first() {
        let block = find.query_row([conversation.0, first.0], |row| {
            Ok((row.get::<_, i64>(0)?, Ids::new(row.get_ref(1)?.as_blob()?)))
        });
        let Some((upto, list)) = block.optional()? else { break };
        let (here, after) = ids.split_at(ids.partition_point(|id| id.0 <= upto));
        let left: Vec<EntryId> = list.filter(|id| here.binary_search(id).is_err()).collect();
        drop.execute([conversation.0, upto])?;
        if let Some(last) = left.last() {
            insert.execute(params![conversation.0, last.0, encode(EntryId(0), &left)])?;
        }
        ids = after;
    }
    if ids.is_empty() {
        return Ok(());
    }
    let list = tail(on, ListKind::Entries, conversation)?;
    let end = list.end();
    let left: Vec<EntryId> = list.filter(|id| ids.binary_search(id).is_err()).collect();
    on.prepare_cached("UPDATE conversation SET tail = ?2 WHERE id = ?1")?
        .execute(params![conversation.0, encode_upto(&left, end)])?;
    Ok(())
}

/// The block with the first id above `floor`, or the tail if there is no such block; and whether it
/// is the tail.
pub(super) fn above(
    read: &Connection,
    of: ListKind,
    conversation: ConversationId,
    floor: EntryId,
) -> Result<(Ids, bool), Error> {
    let sql = of_blocks!(
        of,
        "SELECT ids FROM",
        "WHERE conversation = ?1 AND upto > ?2 ORDER BY upto LIMIT 1"
    );
    match list(read, sql, conversation, floor)? {
        // Callers repeat until they find an id, so this would go on forever.
        Some(ids) if ids.clone().seek(floor).is_none() => Err(lost(conversation)),
        Some(ids) => Ok((ids, false)),
        None => Ok((tail(read, of, conversation)?, true)),
    }
}

/// The last block that ends at `top` or below.
pub(super) fn below(
    read: &Connection,
    conversation: ConversationId,
    top: EntryId,
) -> Result<Option<Ids>, Error> {
    let sql = "SELECT ids FROM id_block WHERE conversation = ?1 AND upto <= ?2
               ORDER BY upto DESC LIMIT 1";
    match list(read, sql, conversation, top)? {
        // Callers go on below what they find, so this would go on forever.
        Some(ids) if ids.clone().next().is_none_or(|id| id > top) => Err(lost(conversation)),
        found => Ok(found),
    }
}

fn lost(conversation: ConversationId) -> Error {
    Error::damaged(format!("conversation {} has lost entries", conversation.0))
}

fn list(
    read: &Connection,
    sql: &str,
    conversation: ConversationId,
    bound: EntryId,
) -> Result<Option<Ids>, Error> {
    let mut query = read.prepare_cached(sql)?;
    let row = query.query_row(params![conversation.0, bound.0], |row| {
        Ok(Ids::new(row.get_ref(0)?.as_blob()?))
    });
    Ok(row.optional()?)
}

fn tail(read: &Connection, of: ListKind, conversation: ConversationId) -> Result<Ids, Error> {
    let mut query = read.prepare_cached(match of {
        ListKind::Entries => "SELECT tail FROM conversation WHERE id = ?1",
        ListKind::Marks => "SELECT tail FROM marking WHERE conversation = ?1",
    })?;
    Ok(query.query_row([conversation.0], |row| Ok(Ids::new(row.get_ref(0)?.as_blob()?)))?)
}
