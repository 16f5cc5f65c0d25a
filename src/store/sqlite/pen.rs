//! The pen on SQLite: a batch is one transaction, synced before it is answered.

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use crate::entry::Cursor;
use crate::limits::MARK_EVERY;
use crate::store::{Change, Error, NewEntry, Record};

/// The one writing connection.
pub struct Pen {
    connection: Connection,
}

impl Pen {
    pub(super) fn new(connection: Connection) -> Pen {
        Pen { connection }
    }
}

impl Record for Pen {
    fn record(&mut self, changes: &[Change]) -> Result<(), Error> {
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut rest = changes;
        while let [first, after @ ..] = rest {
            rest = match first {
                // Entries come in runs, and most changes are entries: one statement for a run.
                Change::Entry(_) => entries(&transaction, rest)?,
                change => {
                    write(&transaction, change)?;
                    after
                }
            };
        }
        Ok(transaction.commit()?)
    }
}

/// Writes the entries at the beginning of `changes` and gives back what follows them.
fn entries<'a>(on: &Transaction, changes: &'a [Change]) -> Result<&'a [Change], Error> {
    let mut insert = on.prepare_cached(
        "INSERT INTO entry(id, conversation, seq, prev, author, nth, time, kind, body)
         VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8)",
    )?;
    for (at, change) in changes.iter().enumerate() {
        let Change::Entry(NewEntry { place, prev, time, body }) = change else {
            return Ok(&changes[at..]);
        };
        insert.execute(params![
            place.id.0,
            place.conversation.0,
            place.seq,
            prev.0,
            place.author.0,
            place.nth,
            time.0,
            body,
        ])?;
        if place.seq % MARK_EVERY == 0 {
            on.prepare_cached("INSERT INTO mark(conversation, id) VALUES(?1, ?2)")?
                .execute(params![place.conversation.0, place.id.0])?;
        }
    }
    Ok(&[])
}

fn write(on: &Transaction, change: &Change) -> Result<(), Error> {
    match change {
        // Written in runs by `entries`.
        Change::Entry(_) => 0,
        Change::Account { id, handle, name, secret, time } => on
            .prepare_cached(
                "INSERT INTO account(id, handle, name, secret, created, shown)
                 VALUES(?1, ?2, ?3, ?4, ?5, 0)",
            )?
            .execute(params![id.0, handle.as_str(), name.as_str(), secret, time.0])?,
        Change::Name { account, name } => on
            .prepare_cached("UPDATE account SET name = ?2 WHERE id = ?1")?
            .execute(params![account.0, name.as_str()])?,
        Change::Secret { account, secret } => on
            .prepare_cached("UPDATE account SET secret = ?2 WHERE id = ?1")?
            .execute(params![account.0, secret])?,
        Change::Shown { account, upto } => on
            .prepare_cached("UPDATE account SET shown = max(shown, ?2) WHERE id = ?1")?
            .execute(params![account.0, upto.0])?,
        Change::Direct { id, pair } => on
            .prepare_cached(
                "INSERT INTO conversation(id, low, high, head, seq, moved)
                 VALUES(?1, ?2, ?3, 0, 0, 0)",
            )?
            .execute(params![id.0, pair.low.0, pair.high.0])?,
        Change::Passed { conversation, account, cursor, was } => on
            .prepare_cached(
                "INSERT INTO passed(conversation, account, cursor, id, time, number)
                 VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                conversation.0,
                account.0,
                cursor_number(*cursor),
                was.told.0,
                was.time.0,
                was.number.0,
            ])?,
        Change::Member { conversation, member } => {
            let (d, r) = (&member.delivered, &member.read);
            // An update leaves the index by account alone; replacing would write it each time.
            on.prepare_cached(
                "INSERT INTO member VALUES
                 (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
                 ON CONFLICT DO UPDATE SET own = ?3, last_own = ?4,
                     delivered = ?5, delivered_seq = ?6, delivered_own = ?7,
                     delivered_told = ?8, delivered_time = ?9, delivered_number = ?10,
                     read = ?11, read_seq = ?12, read_own = ?13,
                     read_told = ?14, read_time = ?15, read_number = ?16",
            )?
            .execute(params![
                conversation.0,
                member.account.0,
                member.own,
                member.last_own.0,
                d.id.0,
                d.seq,
                d.own,
                d.told.0,
                d.time.0,
                d.number.0,
                r.id.0,
                r.seq,
                r.own,
                r.told.0,
                r.time.0,
                r.number.0,
            ])?
        }
        Change::Head { conversation, head, seq, moved } => on
            .prepare_cached(
                "UPDATE conversation SET head = ?2, seq = ?3, moved = ?4 WHERE id = ?1",
            )?
            .execute(params![conversation.0, head.0, seq, moved.0])?,
        Change::Newest(newest) => on
            .prepare_cached(
                "UPDATE newest SET entry = ?1, moved = ?2, account = ?3, conversation = ?4",
            )?
            .execute(params![
                newest.entry.0,
                newest.moved.0,
                newest.account,
                newest.conversation,
            ])?,
    };
    Ok(())
}

/// How `passed` names a cursor.
pub(super) fn cursor_number(cursor: Cursor) -> i64 {
    match cursor {
        Cursor::Delivered => 0,
        Cursor::Read => 1,
    }
}
