//! Writing to PostgreSQL: a batch is one call, on disk when it returns.
//!
//! If the connection is lost meanwhile, it is not known whether the batch was recorded. Then a new
//! term is begun first: from there on the call can do nothing any more, wherever it still is. And
//! then the row of the leader tells whether the batch is there; if not, it is recorded again, with
//! the same ids. So to the rest of papod a primary that fails and is replaced is a pause.
//!
//! A batch without changes is recorded as well: that shows that nobody else has become the leader,
//! and without it a papod that was cut off would go on answering logins.

use std::thread;

use super::erasure::Erasure;
use super::schema::NO_STANDBY;
use super::steps::{BatchParams, RECORD, RECORD_GUARDED, flags, tags, words};
use super::{PgReader, let_in};
use crate::config::Standby;
use crate::entry::Millis;
use crate::limits;
use crate::store::{BatchId, Change, Error, OpenedBy, Reader, Writer};

/// The writer, whose connection the lookups of the rules use as well: so none of them is answered
/// by a server that is not the primary any more.
pub struct PgWriter {
    reader: PgReader,
    erasure: Erasure,
}

impl PgWriter {
    pub(super) fn new(reader: PgReader) -> PgWriter {
        let erasure = Erasure::new(reader.source.clone());
        reader.source.set_leads(true);
        PgWriter { reader, erasure }
    }
}

impl Drop for PgWriter {
    fn drop(&mut self) {
        self.reader.source.set_leads(false);
    }
}

impl Writer for PgWriter {
    fn record(&mut self, changes: &[Change]) -> Result<(), Error> {
        let words = words(changes);
        let tags = tags(changes);
        let flags = flags(changes);
        let steps = BatchParams::of(changes, &words, &tags, &flags);
        let is_guarded = self.reader.source.standby == Standby::Required && !changes.is_empty();
        let record: &str = if is_guarded { &RECORD_GUARDED } else { RECORD };
        let mut in_doubt = None;
        loop {
            let connected = self.reader.connect();
            let Some((connection, leadership)) = self.reader.as_leader() else {
                return connected;
            };
            if in_doubt.is_some_and(|batch| leadership.last.number >= batch) {
                return Ok(());
            }
            connected?;
            let Some(connection) = connection else { continue };
            let mut next = leadership.last;
            next.number += 1;
            match connection.query(record, &steps.params(next.term, next.number)) {
                // A warning says that the commit was not waited for a standby.
                Ok(rows) if is_guarded && rows.is_empty() => {
                    // The refusal may be told, once it is known that this is still the leader.
                    self.record(&[])?;
                    return Err(Error::new(NO_STANDBY));
                }
                Ok(_) if !connection.was_warned() => {
                    leadership.last = next;
                    self.reader.source.confirm(next);
                    return Ok(());
                }
                Ok(_) => log::warn!("a commit was not waited for a standby; it is made sure of"),
                Err(e) if e.is_lost() => log::warn!("lost the connection to the database: {e}"),
                // Another term has begun.
                Err(e) if e.is("PA001") => log::warn!("the database: {e}"),
                // What is answered in a batch without changes is true only if this is still the
                // leader, so it is not answered before that is known.
                Err(e) if changes.is_empty() => {
                    log::warn!("the database: {e}");
                    thread::sleep(limits::PG_LOOK);
                }
                Err(e) => {
                    // The refusal may be told, once it is known that this is still the leader.
                    self.record(&[])?;
                    return Err(e.into());
                }
            }
            self.reader.disconnect();
            in_doubt = Some(next.number);
        }
    }

    fn last(&mut self) -> BatchId {
        self.reader.as_leader().map(|(_, leadership)| leadership.last).unwrap_or_default()
    }

    fn latest(&mut self) -> Result<Millis, Error> {
        let sql = "SELECT time FROM entry ORDER BY id DESC LIMIT 1";
        let row = self.reader.row(sql, &[])?;
        Ok(Millis(row.map_or(Ok(0), |row| row.get(0))?))
    }

    fn let_in(&mut self, sessions: &[OpenedBy]) -> Result<Vec<bool>, Error> {
        let_in::let_in(&mut self.reader, sessions)
    }

    fn wipe(&mut self) -> Result<bool, Error> {
        self.erasure.is_done(&mut self.reader)
    }

    fn reader(&mut self) -> Result<&mut dyn Reader, Error> {
        Ok(&mut self.reader)
    }
}
