//! Being the leader: the one papod that writes.
//!
//! Who that is only PostgreSQL decides, by the row `leader`. It is taken by compare-and-swap: a new
//! term begins, and what names an older one changes nothing any more, however late it is carried
//! out. Taking it is a barrier, too: its commit waits for the standby, as every commit does, so
//! nothing that was recorded before it can be lost any more.

use std::thread;
use std::time::Instant;

use super::PgError;
use super::protocol::PgConnection;
use super::schema::ONE_DISK;
use super::source::{PgPurpose, Source};
use super::value::{Param, PgRow};
use crate::config::Standby;
use crate::limits;
use crate::store::{BatchId, Cause, Error};

/// The row, and whether the leader's server process is still there; and if so, whether it waits for
/// a standby.
const LOOK: &str = "SELECT l.term, l.batch, l.node, l.host, l.beat, a.pid IS NOT NULL,
        coalesce(a.wait_event = 'SyncRep', false)
    FROM leader l LEFT JOIN pg_stat_activity a ON a.pid = l.pid AND a.backend_start = l.started";

/// Begins a new term after `$1`. Ids and move numbers jump by `$2`, as `$6` says: see [`Jump`]. The
/// server differs if it is not the one of the last term, or its log has branched off since; the last
/// column is whether it does. `$3` and `$4` are the new leader. `$7`: the one before is still
/// connected.
const TAKE: &str = "WITH now AS (
        SELECT (SELECT system_identifier FROM pg_control_system()) || '/'
                   || left(pg_walfile_name(pg_current_wal_lsn()), 8) AS server,
               current_setting('synchronous_standby_names') <> '' AS standby
    ), jump AS (
        SELECT CASE WHEN $6 = 3 OR $6 > 0 AND EXISTS(SELECT FROM term t, now WHERE t.term = $1
                AND t.server <> now.server AND ($6 = 2 OR NOT t.standby))
            THEN $2 ELSE 0 END AS size
    ), new AS (
        UPDATE leader SET term = term + 1, beat = beat + 1, node = $3, host = $4,
            pid = pg_backend_pid(),
            started = (SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()),
            entry = entry + size, moved = moved + size
        FROM jump WHERE one AND term = $1 AND beat = $5
        RETURNING term, batch, entry, size
    )
    INSERT INTO term SELECT term, $3, $4, now(), batch, entry - size, server, standby, $7
        FROM new, now
    RETURNING term, batch_before, standby,
        EXISTS(SELECT FROM term t, now WHERE t.term = $1 AND t.server <> now.server)";

/// Ends the server process of the leader, unless the next term has begun after `$1`.
pub(super) const END_IT: &str = "SELECT pg_terminate_backend(a.pid) FROM leader l
    JOIN pg_stat_activity a ON a.pid = l.pid AND a.backend_start = l.started WHERE l.term = $1";

/// Whether ids and move numbers jump as a term begins, because some that were given, and shown, may
/// be lost, and must not be given again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Jump {
    /// This process has given the last ones itself, and knows that none is lost.
    Never = 0,
    /// A node that has heard of all that was recorded: if the server is another one, some may be
    /// lost only if no standby had to confirm them.
    IfUnguarded = 1,
    /// A process that starts cannot know, if the server is another one, or was restored.
    IfServerDiffers = 2,
    /// Some are lost.
    Always = 3,
}

/// Why a process that was told of batches that are not there can neither lead nor follow.
pub(super) fn lost() -> Error {
    Error::of(
        Cause::Over,
        "it has lost messages that were confirmed: its primary was replaced by a server that did \
         not have all of them, or put back to an older state; papod has to be started again",
    )
}

/// This process as a leader.
pub(super) struct Leadership {
    /// A random number, by which it knows its own rows.
    pub(super) node: String,
    pub(super) host: String,
    /// The last batch that it knows to be recorded.
    pub(super) last: BatchId,
    /// Why it can never write again.
    pub(super) over: Option<Error>,
}

/// A row of `leader`, and its server process.
pub(super) struct Seen {
    pub(super) last: BatchId,
    pub(super) node: String,
    pub(super) host: String,
    beat: i64,
    pub(super) is_there: bool,
    pub(super) waits_for_standby: bool,
}

impl Seen {
    fn look(on: &mut PgConnection) -> Result<Seen, PgError> {
        let rows = on.query(LOOK, &[])?;
        let row = rows.first().ok_or_else(|| PgError::Odd("there is no row of leader".into()))?;
        Seen::of(row)
    }

    /// From the first columns of a row.
    pub(super) fn of(row: &PgRow) -> Result<Seen, PgError> {
        Ok(Seen {
            last: BatchId { term: row.get(0)?, number: row.get(1)? },
            node: row.get(2)?,
            host: row.get(3)?,
            beat: row.get(4)?,
            is_there: row.get(5)?,
            waits_for_standby: row.get(6)?,
        })
    }
}

impl Leadership {
    /// Becomes the leader when papod starts. If the database has one, waits for
    /// [`limits::PG_HANDOVER`] that it goes.
    ///
    /// # Errors
    /// Another papod is the leader and stays it, or the server's reason.
    pub(super) fn begin(on: &mut PgConnection, source: &Source) -> Result<Leadership, Error> {
        let mut leadership = Leadership::new()?;
        let begun = Instant::now();
        loop {
            let seen = Seen::look(on)?;
            let is_taken = seen.is_there && seen.node != leadership.node;
            let mut why = format!("in use by another papod, on {}", seen.host);
            if !is_taken {
                match leadership.take(on, source, &seen, Jump::IfServerDiffers) {
                    Ok(true) => return Ok(leadership),
                    Ok(false) => {}
                    Err(e) if e.is("55P03") => why = format!("its row of leader is in use: {e}"),
                    Err(e) => return Err(e.into()),
                }
            }
            if begun.elapsed() > limits::PG_HANDOVER {
                return Err(Error::of(Cause::Busy, why));
            }
            thread::sleep(limits::PG_LOOK);
        }
    }

    /// This process, when it does not lead, under the name that it has already.
    pub(super) fn again(node: &str, host: &str) -> Leadership {
        let (node, host) = (node.to_owned(), host.to_owned());
        Leadership { node, host, last: BatchId::default(), over: None }
    }

    /// A process that does not lead yet.
    ///
    /// # Errors
    /// The system has no random bytes.
    pub(super) fn new() -> Result<Leadership, Error> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(Error::new)?;
        let node: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Ok(Leadership::again(&node, &host))
    }

    /// Tries to begin the next term. `false`: somebody was faster.
    pub(super) fn take(
        &mut self,
        on: &mut PgConnection,
        source: &Source,
        seen: &Seen,
        jump: Jump,
    ) -> Result<bool, PgError> {
        let params = [
            Param::Int(seen.last.term),
            Param::Int(limits::JUMP),
            Param::Text(&self.node),
            Param::Text(&self.host),
            Param::Int(seen.beat),
            Param::Int(jump as i64),
            Param::Bool(seen.is_there && seen.node != self.node),
        ];
        // Whoever holds the row may be frozen.
        on.execute("SET lock_timeout = 500")?;
        let taken = on.query(TAKE, &params).map_err(PgError::at_commit)?;
        // The warning says that the commit was not waited for a standby.
        if on.was_warned() {
            return Err(PgError::Lost("no standby has confirmed what was written".into()));
        }
        on.execute("SET lock_timeout = 0")?;
        let Some(row) = taken.first() else { return Ok(false) };
        self.last = BatchId { term: row.get(0)?, number: row.get(1)? };
        if row.get(3)? {
            // The former primary may still be there, and nodes that are cut off with it.
            let is_own = seen.node == self.node;
            source.let_leases_end(is_own || seen.last == source.confirmed());
        }
        source.confirm(self.last);
        if !row.get::<bool>(2)? && source.standby == Standby::Warn {
            log::warn!("{}", ONE_DISK.trim_start_matches("warning: "));
        }
        Ok(true)
    }

    /// Becomes the leader again after the connection was lost. Returns the new connection; whether
    /// the batch after the last known one was recorded shows in [`Leadership::last`].
    ///
    /// # Errors
    /// Another papod has become the leader, the database has lost batches, or papod ends.
    pub(super) fn resume(&mut self, source: &Source) -> Result<PgConnection, Error> {
        let begun = Instant::now();
        let mut has_said = false;
        loop {
            if let Some(over) = &self.over {
                return Err(over.clone());
            }
            let mut on = source.connect_patiently(PgPurpose::Write)?;
            match self.try_to_resume(&mut on, source) {
                Ok(true) => {
                    log::info!("writing again, in term {}", self.last.term);
                    return Ok(on);
                }
                Ok(false) => {}
                Err(e) => {
                    source.leave(on.server);
                    log::debug!("could not begin a new term: {e}");
                    source.still_wanted(&e)?;
                    if begun.elapsed() > limits::PG_ANSWER && !has_said {
                        log::error!("waiting for the database: {e}");
                        has_said = true;
                    }
                }
            }
            thread::sleep(limits::PG_LOOK);
        }
    }

    fn try_to_resume(&mut self, on: &mut PgConnection, source: &Source) -> Result<bool, PgError> {
        let seen = Seen::look(on)?;
        if seen.last.number < self.last.number && seen.node == self.node {
            // What was lost has been told, so its numbers are not given again.
            let last = self.last;
            if self.take(on, source, &seen, Jump::Always)? {
                self.last = last;
                self.over = Some(lost());
            }
            return Ok(false);
        }
        if seen.node != self.node {
            // What the batch in doubt became stands in the row of the term that followed ours.
            let sql = "SELECT batch_before FROM term WHERE term = $1 + 1";
            let rows = on.query(sql, &[Param::Int(self.last.term)])?;
            let kept = rows.first().map(|row| row.get(0)).transpose()?;
            self.last.number = kept.unwrap_or(self.last.number);
            self.over = Some(Error::of(
                Cause::Superseded,
                format_args!("another papod, on {}, has taken the database over", seen.host),
            ));
            return Ok(false);
        }
        if seen.is_there && !seen.waits_for_standby {
            // It is our own, and nobody listens to it any more.
            on.query(END_IT, &[Param::Int(seen.last.term)])?;
        }
        self.take(on, source, &seen, Jump::Never)
    }
}
