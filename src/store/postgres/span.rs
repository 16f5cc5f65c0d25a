//! The ids of a part of one conversation, within what an account may see of it.

use super::PgReader;
use super::expire;
use super::value::Param;
use crate::entry::{ConversationId, EntryId};
use crate::store::walk::Window;
use crate::store::{Error, Span, SpanQuery};

/// The entries of a conversation between two others, the lowest or the highest (`DESC`) first.
macro_rules! entries {
    ($order: literal) => {
        concat!(
            "SELECT id FROM entry WHERE conversation = $1 AND kind BETWEEN -1 AND 1 AND id > $2 AND id <= $3
             ORDER BY id ",
            $order,
            " LIMIT $4"
        )
    };
}

/// The same, only replies to a message of the conversation.
macro_rules! replies {
    ($order: literal) => {
        concat!(
            "SELECT r.reply FROM entry m JOIN reply r ON r.message = m.id
             WHERE m.id = $5 AND m.conversation = $1 AND m.kind <> -2 AND r.reply > $2 AND r.reply <= $3
             ORDER BY r.reply ",
            $order,
            " LIMIT $4"
        )
    };
}

/// The ids of a conversation within the windows and the bounds of a query, without expired ones.
pub(super) fn span(
    reader: &mut PgReader,
    conversation: ConversationId,
    windows: &[Window],
    query: &SpanQuery,
) -> Result<Span, Error> {
    // One more than asked for tells whether there are more.
    let wanted = query.count.saturating_add(1);
    let floor = expire::floor(reader)?;
    let mut ids: Vec<EntryId> = Vec::new();
    let from_the_first = query.after.is_some() && query.before.is_none();
    let mut windows = windows.to_vec();
    if !from_the_first {
        windows.reverse();
    }
    let sql = match (query.re, from_the_first) {
        (None, true) => entries!(""),
        (None, false) => entries!("DESC"),
        (Some(_), true) => replies!(""),
        (Some(_), false) => replies!("DESC"),
    };
    for (above_this, upto) in windows {
        let above = query.after.unwrap_or_default().max(above_this).max(floor);
        let top = query.before.map_or(upto, |before| upto.min(EntryId((before.0 - 1).max(0))));
        if above >= top || ids.len() >= wanted {
            continue;
        }
        let left = i64::try_from(wanted - ids.len()).unwrap_or(i64::MAX);
        let mut bounds = [conversation.0, above.0, top.0, left].map(Param::Int).to_vec();
        bounds.extend(query.re.map(|message| Param::Int(message.0)));
        for row in reader.rows(sql, &bounds)? {
            ids.push(EntryId(row.get(0)?));
        }
    }
    let more = ids.len() > query.count;
    ids.truncate(query.count);
    if !from_the_first {
        ids.reverse();
    }
    Ok(Span { ids, more })
}
