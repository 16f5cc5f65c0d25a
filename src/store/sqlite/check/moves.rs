//! Checks the histories of cursors: the lists have to be complete, in order, and below where the
//! cursor stands. Also checks the order of direct chats by their newest moves.

use rusqlite::{Connection, params};

use super::Findings;
use crate::entry::{ConversationId, Cursor, EntryId, MoveNumber};
use crate::limits::MOVES;
use crate::store::sqlite::decode::member_at;
use crate::store::sqlite::writer::cursor_number;
use crate::store::{Error, Member, Move, Moves};

pub(super) fn moves(read: &Connection, found: &mut Findings) -> Result<(), Error> {
    let mut members = read.prepare("SELECT * FROM member ORDER BY conversation, account")?;
    let mut rows = members.query([])?;
    while let Some(row) = rows.next()? {
        let (conversation, member) = (ConversationId(row.get(0)?), member_at(row, 0)?);
        for cursor in [Cursor::Delivered, Cursor::Read] {
            if found.are_enough() {
                return Ok(());
            }
            if !are_sound(read, conversation, &member, cursor)? {
                let (account, conversation) = (member.account.0, conversation.0);
                found.say(format!(
                    "the moves of account {account} in conversation {conversation} are damaged"
                ));
            }
        }
    }
    order(read, found)
}

/// Whether the moves of a cursor are complete and ascending, and end below its newest.
fn are_sound(
    read: &Connection,
    conversation: ConversationId,
    member: &Member,
    cursor: Cursor,
) -> Result<bool, Error> {
    let mut full = read.prepare_cached(
        "SELECT upto, moves FROM cursor_history WHERE conversation = ?1 AND account = ?2 AND cursor = ?3
         ORDER BY upto",
    )?;
    let keys = params![conversation.0, member.account.0, cursor_number(cursor)];
    let mut rows = full.query(keys)?;
    let mut last = Move::default();
    let mut are_sound = true;
    while let Some(row) = rows.next()? {
        let list = Moves::new(row.get_ref(1)?.as_blob().unwrap_or_default());
        are_sound &= follows(&list, &mut last) == Some(MOVES) && last.id == EntryId(row.get(0)?);
    }
    let newer = member.history(cursor);
    are_sound &= follows(newer, &mut last).is_some_and(|count| count < MOVES);
    let newest = member.cursor(cursor);
    let is_below = last.id < newest.told && last.number < newest.number;
    Ok(are_sound && (is_below || last.number == MoveNumber(0)))
}

/// How many moves a list has; the last one becomes `last`. `None` if they do not ascend from
/// `last`, or if the list is not encoded as it would be written.
fn follows(list: &Moves, last: &mut Move) -> Option<usize> {
    let (mut again, mut bytes, mut count) = (Moves::default(), Vec::new(), 0);
    for one in list.iter() {
        if one.id <= last.id || one.number <= last.number {
            return None;
        }
        if let Some(full) = again.push(one) {
            bytes.extend_from_slice(full.bytes());
        }
        *last = one;
        count += 1;
    }
    bytes.extend_from_slice(again.bytes());
    (bytes == list.bytes()).then_some(count)
}

/// Checks that a chat's newest move lies below the rank of the chat before it. That holds for moves
/// that concern the account: its own reading always does, while the other's cursor may have passed
/// nothing of its.
fn order(read: &Connection, found: &mut Findings) -> Result<(), Error> {
    let sql = "SELECT format('account %d has conversation %d not in its place by its moves',
                             account, conversation)
               FROM (SELECT m.account, m.conversation, m.moved, m.read_number, c.moved AS newest,
                            lag(m.moved) OVER (PARTITION BY m.account ORDER BY m.moved DESC) AS before
                     FROM member m JOIN conversation c ON c.id = m.conversation WHERE m.recent > 0)
               WHERE moved > newest OR (moved IS NULL AND read_number > 0)
                  OR (moved IS NOT NULL AND read_number >= before)";
    super::each(read, found, sql)
}
