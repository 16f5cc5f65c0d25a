//! Has deleted text leave PostgreSQL's files.
//!
//! A row that was deleted or overwritten stays until VACUUM. After that its bytes are in the unused
//! part of its page until something is put there, so that part is filled (`papo_overwrite` in
//! record.sql). And the write-ahead log has all that was ever written, until a checkpoint removes it.
//!
//! All this may take a while, so a thread does it, with a connection of its own. What it has to do is
//! in the table `overwritten`, and so survives a papod that is killed.

use std::sync::{Arc, Once};
use std::thread::{self, JoinHandle};

use rustc_hash::FxHashSet;

use super::protocol::PgConnection;
use super::source::{PgPurpose, Source};
use super::value::Param;
use super::{PgError, PgReader};
use crate::limits;
use crate::store::Error;

/// Small tables, which are written anew if a row was deleted, and what that is noted as.
const SMALL: [(i64, &str); 2] = [(-2, "VACUUM FULL content"), (-1, "VACUUM FULL later")];

/// Leaves a page as it is that somebody uses at that moment.
const VACUUM: &str = "VACUUM (TRUNCATE false) entry";
/// Waits for whoever uses a page, and clears the slots that indexes refer to, for which it reads all
/// indexes.
const THOROUGH: &str = "VACUUM (FREEZE, TRUNCATE false, INDEX_CLEANUP) entry";
/// Bytes that may be missing of a page in which nothing is left that was deleted: after `VACUUM`,
/// fewer than the smallest row has, and after `THOROUGH` the slots of a whole page.
const LOST: [i64; 2] = [80, 2_400];

/// Begins, and knows whether it has been done.
pub(super) struct Erasure {
    source: Arc<Source>,
    thread: Option<JoinHandle<Result<(), PgError>>>,
}

impl Erasure {
    pub(super) fn new(source: Arc<Source>) -> Erasure {
        Erasure { source, thread: None }
    }

    /// Whether no deleted text is left, as far as papod can see to that. If some is, it begins.
    ///
    /// # Errors
    /// What the last attempt failed with, or that the system provides no thread.
    pub(super) fn is_done(&mut self, on: &mut PgReader) -> Result<bool, Error> {
        if self.thread.as_ref().is_some_and(|thread| !thread.is_finished()) {
            return Ok(false);
        }
        let ended = self.thread.take().map(JoinHandle::join);
        if !on.exists("SELECT FROM overwritten LIMIT 1", &[])? {
            return Ok(true);
        }
        let source = self.source.clone();
        let thread = thread::Builder::new().name("eraser".into());
        self.thread = Some(thread.spawn(move || erase(&source)).map_err(Error::new)?);
        match ended {
            // Something else has the table: it is tried again.
            Some(Ok(Err(e))) if !e.is("55P03") => Err(e.into()),
            _ => Ok(false),
        }
    }
}

/// Has what is noted leave the files, and then notes it no longer. Does nothing if there is an older
/// transaction, such as that of a backup: VACUUM removes nothing that this could see.
fn erase(source: &Source) -> Result<(), PgError> {
    let mut on = source.connect(PgPurpose::Maintain)?;
    on.patience(limits::PG_VACUUM)?;
    // Who waits for a lock of a table has all wait who come after.
    on.execute("SET lock_timeout = 200")?;
    let batch = number(&mut on, "SELECT batch FROM leader")?;
    for sql in
        ["INSERT INTO removable VALUES (1)", "DELETE FROM removable", "VACUUM (TRUNCATE) removable"]
    {
        on.execute(sql)?;
    }
    if number(&mut on, "SELECT pg_relation_size('removable')")? > 0 {
        return Ok(());
    }
    let noted = "SELECT page FROM overwritten WHERE batch <= $1 ORDER BY page LIMIT $2";
    let noted = on.query(noted, &[Param::Int(batch), Param::Int(limits::PG_OVERWRITE)])?;
    let mut left = noted.iter().map(|row| row.get(0)).collect::<Result<Vec<i64>, _>>()?;
    let mut done = Vec::new();
    for (note, vacuum) in SMALL {
        if left.first() == Some(&note) {
            done.push(left.remove(0));
            on.execute(vacuum)?;
        }
    }
    for round in 0..limits::PG_ROUNDS {
        if left.is_empty() || source.has_ended() {
            break;
        }
        let is_last = round + 1 == limits::PG_ROUNDS;
        let (how, lost) = if is_last { (THOROUGH, LOST[1]) } else { (VACUUM, LOST[0]) };
        on.execute(how)?;
        let (mut filled, mut spoiled) = (FxHashSet::default(), FxHashSet::default());
        for page in &left {
            if !filled.contains(page) && !spoiled.contains(page) {
                let sql = "SELECT filled, spoiled FROM papo_overwrite($1, $2)";
                for row in on.query(sql, &[Param::Int(*page), Param::Int(lost)])? {
                    filled.extend(row.get::<Vec<i64>>(0)?);
                    spoiled.extend(row.get::<Vec<i64>>(1)?);
                }
            }
        }
        done.extend(left.extract_if(.., |page| filled.contains(page)));
    }
    empty_log(&mut on)?;
    // One at a time: a batch may note some of them again meanwhile.
    for page in done {
        let sql = "DELETE FROM overwritten WHERE page = $1 AND batch <= $2";
        on.query(sql, &[Param::Int(page), Param::Int(batch)])?;
    }
    Ok(())
}

fn number(on: &mut PgConnection, sql: &'static str) -> Result<i64, PgError> {
    on.query(sql, &[])?.first().map_or(Ok(0), |row| row.get(0))
}

/// Has the write-ahead log up to here removed, and everything else written to the files.
fn empty_log(on: &mut PgConnection) -> Result<(), PgError> {
    static SAID: Once = Once::new();
    for sql in ["SELECT pg_switch_wal()", "CHECKPOINT"] {
        match on.execute(sql) {
            Err(e) if e.is("42501") => SAID.call_once(|| {
                log::warn!(
                    "PostgreSQL has deleted text in its write-ahead log, and papod may not have it \
                     removed ({e}): see the operators' guide"
                );
            }),
            done => done?,
        }
    }
    Ok(())
}
