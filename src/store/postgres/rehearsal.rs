//! What a new connection is asked before there is any question: one of each kind that people wait
//! for.
//!
//! The server has a process for each connection. It looks up each table when it first meets it, each
//! function, and how to go about each statement; and a search meets the tables of all segments. A
//! first search takes four times what it takes from then on.

use super::PgReader;
use super::value::PgRow;
use crate::entry::{AccountId, ConversationId, EntryId, MoveNumber};
use crate::store::{Effort, Error, Listing, Reader, SearchQuery, SpanQuery};

/// Rows that are asked for.
const ROWS: usize = 8;

/// No word begins with it, so all segments of the index are looked through.
const NO_WORD: &str = " ";

/// Connects, and asks about the newest entry, as its author would.
///
/// # Errors
/// Those of any question.
pub(super) fn rehearse(reader: &mut PgReader) -> Result<(), Error> {
    reader.begin(Effort::Full)?;
    let done = ask(reader);
    reader.end();
    done
}

fn ask(reader: &mut PgReader) -> Result<(), Error> {
    let newest = "SELECT conversation, author FROM entry ORDER BY id DESC LIMIT 1";
    let Some(row): Option<PgRow> = reader.row(newest, &[])? else { return Ok(()) };
    let (id, me) = (ConversationId(row.get(0)?), AccountId(row.get(1)?));
    let span = SpanQuery { count: ROWS, before: None, after: None, re: None };
    let found = reader.span(me, id, &span)?;
    reader.entries(me, id, &found.ids)?;
    for conversation in [Some(id), None] {
        let words = vec![NO_WORD.to_owned()];
        reader.search(me, &SearchQuery { conversation, span, words })?;
    }
    reader.chats(me, Listing::default())?;
    // A login.
    if let Some(account) = reader.account_by_id(me)? {
        reader.account(&account.handle)?;
    }
    reader.secret(me)?;
    reader.waiting(me, EntryId(i64::MAX))?;
    reader.receipts(me, MoveNumber(i64::MAX), MoveNumber(i64::MAX))?;
    Ok(())
}
