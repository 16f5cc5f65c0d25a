//! A node: a papod that may become the leader when the one that is goes.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use super::PgError;
use super::leader::{END_IT, Jump, Leadership, Seen, lost};
use super::protocol::PgConnection;
use super::source::{PgPurpose, Source};
use super::value::Param;
use super::writer::PgWriter;
use super::{PgReader, schema};
use crate::config::Standby;
use crate::limits;
use crate::store::{Announced, BatchId, Candidate, Error, LeaderSeen, Writer};

/// The leader's row, whether its server process is there, where it is reached, how many of the last
/// terms began in the last minute because the leader was silent, and whether batch `$2` of term `$1`
/// is missing, in which `$3` led: the next term began without it, or another node led in this one.
const LOOK: &str = "SELECT l.term, l.batch, l.node, l.host, l.beat, a.pid IS NOT NULL,
        coalesce(a.wait_event = 'SyncRep', false), coalesce(n.address, ''),
        coalesce(n.key, ''::bytea),
        (SELECT count(*) FROM term t WHERE t.term > l.term - 4 AND t.forced
             AND t.began > now() - interval '1 minute'),
        EXISTS(SELECT FROM term t WHERE t.term = $1 + 1 AND t.batch_before < $2
             OR t.term = $1 AND t.node <> $3 AND $3 <> '')
    FROM leader l LEFT JOIN pg_stat_activity a ON a.pid = l.pid AND a.backend_start = l.started
    LEFT JOIN node n ON n.name = l.node";

const ANNOUNCE: &str = "INSERT INTO node(name, number, host, address, key)
    VALUES ($1, nextval('node_number'), $2, $3, $4) RETURNING number";

/// Rows of nodes that ended without a word, in the place of which this one comes, or long ago. A
/// node whose row was removed wrongly makes it again when it becomes the leader.
const SWEEP: &str = "DELETE FROM node WHERE name <> (SELECT node FROM leader)
    AND (address = $1 OR began < now() - interval '30 days')";

const SECRET: &str = "INSERT INTO node_secret(secret) VALUES ($1) ON CONFLICT DO NOTHING";

const STILL_KNOWN: &str = "INSERT INTO node(name, number, host, address, key)
    VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";

/// See the module documentation.
pub struct PgNode {
    source: Arc<Source>,
    /// What it looks with, and would write with.
    connection: Option<PgConnection>,
    /// Its name, and that of its machine.
    name: String,
    host: String,
    address: String,
    key: Vec<u8>,
    number: i64,
    seen: Option<Seen>,
    /// The node that has recorded the newest batch that is known here; empty if that is not known.
    recorder: String,
    /// What was seen last lacks that batch.
    lacks: bool,
    /// The server, by its place in the URL, that was last found to lack batches.
    left_behind: Option<usize>,
    /// When it last looked elsewhere.
    looked_elsewhere: Option<Instant>,
}

impl PgNode {
    pub(super) fn connect(source: Arc<Source>) -> Result<PgNode, Error> {
        let mut connection = source.connect(PgPurpose::Write)?;
        schema::prepare(&mut connection)?;
        if source.standby == Standby::Required {
            let sql = "SELECT WHERE current_setting('synchronous_standby_names') = ''";
            if !connection.query(sql, &[])?.is_empty() {
                return Err(Error::new(schema::NO_STANDBY));
            }
        }
        source.expect_beats();
        let Leadership { node: name, host, .. } = Leadership::new()?;
        let (address, key, number, seen) = Default::default();
        let (recorder, lacks, left_behind, looked_elsewhere) = Default::default();
        let connection = Some(connection);
        Ok(PgNode {
            source,
            connection,
            name,
            host,
            address,
            key,
            number,
            seen,
            recorder,
            lacks,
            left_behind,
            looked_elsewhere,
        })
    }

    fn connected(&mut self) -> Result<&mut PgConnection, PgError> {
        if self.connection.is_none() {
            let mut connection = self.source.connect(PgPurpose::Write)?;
            connection.patience(limits::PG_CONNECT)?;
            self.connection = Some(connection);
        }
        self.connection.as_mut().ok_or_else(|| PgError::Lost("not connected".into()))
    }

    fn ask(&mut self) -> Result<LeaderSeen, PgError> {
        let known = self.source.confirmed();
        let recorder = self.recorder.clone();
        let on = self.connected()?;
        let params = [Param::Int(known.term), Param::Int(known.number), Param::Text(&recorder)];
        let (rows, server) = (on.query(LOOK, &params)?, on.server);
        let row = rows.first().ok_or_else(|| PgError::Odd("there is no row of leader".into()))?;
        let seen = Seen::of(row)?;
        let is_behind = seen.last.term < known.term || seen.last.number < known.number;
        let last = std::mem::replace(&mut self.left_behind, is_behind.then_some(server));
        // If it is the only primary, it is asked again, and is believed then.
        if is_behind && last != self.left_behind {
            self.source.leave(server);
            return Err(PgError::Lost("this server lacks what was recorded".into()));
        }
        let found = LeaderSeen {
            last: seen.last,
            node: seen.node.clone(),
            host: seen.host.clone(),
            address: row.get(7)?,
            key: row.get(8)?,
            is_there: seen.is_there,
            waits_for_standby: seen.waits_for_standby,
            forced: u32::try_from(row.get::<i64>(9)?).unwrap_or_default(),
        };
        self.lacks = row.get(10)?;
        self.seen = Some(seen);
        Ok(found)
    }

    /// Tries to begin a term. `None`: somebody was faster.
    fn begin(&mut self, seen: &Seen, jump: Jump) -> Result<Option<Leadership>, PgError> {
        let source = self.source.clone();
        let (address, key, number) = (self.address.clone(), self.key.clone(), self.number);
        let mut leadership = Leadership::again(&self.name, &self.host);
        let on = self.connected()?;
        if seen.is_there {
            on.query(END_IT, &[Param::Int(seen.last.term)])?;
        }
        let row = [
            Param::Text(&leadership.node),
            Param::Int(number),
            Param::Text(&leadership.host),
            Param::Text(&address),
            Param::Bytes(&key),
        ];
        on.query(STILL_KNOWN, &row)?;
        on.patience(limits::PG_ANSWER)?;
        let begun = leadership.take(on, &source, seen, jump)?;
        Ok(begun.then_some(leadership))
    }
}

impl Candidate for PgNode {
    fn local_address(&self) -> IpAddr {
        let unknown = IpAddr::from([127, 0, 0, 1]);
        self.connection.as_ref().map_or(unknown, PgConnection::local_address)
    }

    fn announce(&mut self, address: &str, key: &[u8]) -> Result<Announced, Error> {
        (self.address, self.key) = (address.to_owned(), key.to_owned());
        let (node, host) = (self.name.clone(), self.host.clone());
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(Error::new)?;
        let on = self.connected()?;
        on.query(SWEEP, &[Param::Text(address)])?;
        on.query(SECRET, &[Param::Bytes(&random)])?;
        let secret = on.query("SELECT secret FROM node_secret", &[])?;
        let row = [Param::Text(&node), Param::Text(&host), Param::Text(address), Param::Bytes(key)];
        let number = on.query(ANNOUNCE, &row).map_err(PgError::at_commit)?;
        on.patience(limits::PG_CONNECT)?;
        let (Some(secret), Some(number)) = (secret.first(), number.first()) else {
            return Err(Error::damaged("the row of a node was not made"));
        };
        self.number = number.get(0)?;
        Ok(Announced { number: self.number.unsigned_abs(), secret: secret.get(0)? })
    }

    fn look(&mut self) -> Result<LeaderSeen, Error> {
        let looked = self.ask();
        if looked.is_err() {
            (self.connection, self.seen) = (None, None);
        }
        Ok(looked?)
    }

    fn look_elsewhere(&mut self) {
        if self.looked_elsewhere.is_some_and(|at| at.elapsed() < limits::PG_ANSWER) {
            return;
        }
        self.looked_elsewhere = Some(Instant::now());
        self.connection.take().inspect(|connection| self.source.leave(connection.server));
    }

    fn take(&mut self) -> Result<Option<Box<dyn Writer>>, Error> {
        let Some(seen) = self.seen.take() else { return Ok(None) };
        let confirmed = self.source.confirmed();
        let is_lost = self.lacks || seen.last.number < confirmed.number;
        let jump = match confirmed == BatchId::default() {
            _ if is_lost => Jump::Always,
            true => Jump::IfServerDiffers,
            false => Jump::IfUnguarded,
        };
        match self.begin(&seen, jump) {
            Ok(Some(_)) if is_lost => Err(lost()),
            Ok(Some(leadership)) => {
                let Some(connection) = self.connection.take() else { return Ok(None) };
                self.recorder.clone_from(&self.name);
                let reader = PgReader::leading(self.source.clone(), connection, leadership);
                Ok(Some(Box::new(PgWriter::new(reader))))
            }
            Ok(None) => Ok(None),
            Err(e) => {
                // Whatever it has done, the next look will show.
                log::debug!("could not begin a term: {e}");
                self.connection.take().inspect(|connection| self.source.leave(connection.server));
                Ok(None)
            }
        }
    }

    fn check(&mut self, leaders: BatchId) -> Result<(), Error> {
        let known = self.source.confirmed();
        let seen = self.seen.as_ref();
        let is_behind = leaders.term < known.term || leaders.number < known.number;
        if is_behind || self.lacks && seen.is_some_and(|seen| seen.last.term == leaders.term) {
            return Err(lost());
        }
        if leaders.term > known.term {
            // Whoever was seen last is who says it.
            self.recorder = seen.map(|seen| seen.node.clone()).unwrap_or_default();
        }
        Ok(())
    }

    fn confirm(&self, batch: BatchId) {
        self.source.confirm(batch);
    }

    fn leave(&mut self) {
        let row = [Param::Text(&self.name)];
        let Some(on) = &mut self.connection else { return };
        if let Err(e) = on.query("DELETE FROM node WHERE name = $1", &row) {
            log::debug!("the row of this node stays: {e}");
        }
    }
}
