//! Backup and check of the database while it is in use, and what `papod --check` says of it.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use super::export::Files;
use super::source::{PgPurpose, Source};
use super::url::PgUrl;
use super::{PgError, export, schema};
use crate::config::Standby;
use crate::counters::Replication;
use crate::store::sqlite::exchange;
use crate::store::{BackupError, BatchId, Error, Maintenance, Survey};

/// Whether commits wait for a standby, how many do just now, and by how many bytes the nearest one is
/// behind: what a role may not see is `NULL`.
const REPLICATION: &str = "SELECT current_setting('synchronous_standby_names') <> '',
        (SELECT count(*) FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event = 'SyncRep'),
        (SELECT min(pg_wal_lsn_diff(pg_current_wal_lsn(), flush_lsn))::bigint
         FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum'))";

/// Operations that read the whole database, on any thread.
pub(super) struct PgMaintenance {
    source: Arc<Source>,
    is_ending: AtomicBool,
    /// Locked for reading while an operation is under way.
    under_way: RwLock<()>,
}

impl PgMaintenance {
    pub(super) fn new(source: Arc<Source>) -> PgMaintenance {
        PgMaintenance { source, is_ending: AtomicBool::new(false), under_way: RwLock::default() }
    }
}

impl Maintenance for PgMaintenance {
    /// The copy is a SQLite database, which any papod can open.
    fn backup(&self, path: &Path) -> Result<u64, BackupError> {
        let _under_way = self.under_way.read().unwrap_or_else(PoisonError::into_inner);
        exchange::filled(path, |into, contents| {
            export::fill(&self.source, &self.is_ending, into, Files::Copied(contents))
        })
    }

    /// Copies the database into the folder for temporary files, and checks the copy by the rules for
    /// SQLite.
    fn check(&self) -> Result<Vec<String>, Error> {
        let _under_way = self.under_way.read().unwrap_or_else(PoisonError::into_inner);
        let mut missing = Vec::new();
        let mut found = exchange::findings_of(|into| {
            export::fill(&self.source, &self.is_ending, into, Files::Checked(&mut missing))
        })?;
        found.append(&mut missing);
        Ok(found)
    }

    fn sizes(&self) -> (u64, u64) {
        let size = self.source.connect(PgPurpose::Maintain).and_then(|mut on| {
            let rows = on.query("SELECT pg_database_size(current_database())", &[])?;
            rows.first().map_or(Ok(0), |row| row.get::<i64>(0))
        });
        (size.ok().and_then(|size| u64::try_from(size).ok()).unwrap_or(0), 0)
    }

    fn replication(&self) -> Option<Replication> {
        let look = || -> Result<Option<Replication>, PgError> {
            let rows = self.source.connect(PgPurpose::Maintain)?.query(REPLICATION, &[])?;
            let Some(row) = rows.first() else { return Ok(None) };
            let count = |at| row.get::<i64>(at).map(i64::unsigned_abs);
            let behind = row.get::<Option<i64>>(2)?.map(i64::unsigned_abs);
            Ok(Some(Replication { has_standby: row.get(0)?, waiting: count(1)?, behind }))
        };
        look().inspect_err(|e| log::debug!("cannot look at the standbys: {e}")).ok().flatten()
    }

    fn confirmed(&self) -> Option<BatchId> {
        Some(self.source.confirmed())
    }

    fn unanswered_since(&self) -> Option<Instant> {
        self.source.unanswered_since()
    }

    fn end(&self) {
        self.is_ending.store(true, Ordering::SeqCst);
        self.source.end();
        drop(self.under_way.write().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Looks at the database at `url`, even while a papod uses it, and changes nothing.
pub fn survey(url: &PgUrl, standby: Standby) -> Survey {
    let mut found = look_at(url, standby)
        .unwrap_or_else(|e| Survey { problems: vec![e.to_string()], ..Survey::default() });
    for line in found.problems.iter_mut().chain(&mut found.remarks) {
        *line = format!("{url}: {line}");
    }
    found
}

fn look_at(url: &PgUrl, standby: Standby) -> Result<Survey, Error> {
    let source = Source::new(url.clone(), standby);
    let mut on = source.connect(PgPurpose::Maintain)?;
    if !schema::is_there(&mut on)? {
        let line = "no tables there; they would be made".to_owned();
        return Ok(Survey { problems: Vec::new(), remarks: vec![line] });
    }
    schema::check(&mut on)?;
    let sql = "SELECT (SELECT count(*) FROM account WHERE gone = 0),
                      (SELECT count(*) FROM entry WHERE kind = 0), entry,
                      current_setting('synchronous_standby_names') <> ''
               FROM leader";
    let rows = on.query(sql, &[])?;
    let row = rows.first().ok_or_else(|| PgError::Odd("there is no row of leader".into()))?;
    let (accounts, messages, newest): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
    let (mut remarks, mut lacking) = (Vec::new(), None);
    match standby {
        _ if row.get::<bool>(3)? => {}
        Standby::Required => lacking = Some(schema::NO_STANDBY.to_owned()),
        Standby::Warn => remarks.push(schema::ONE_DISK.to_owned()),
        Standby::Trust => {}
    }
    // Nobody tells this process what is confirmed; what is there is looked at as it is.
    source.confirm(BatchId { term: i64::MAX, number: 0 });
    let never = AtomicBool::new(false);
    let mut missing = Vec::new();
    let mut problems = exchange::findings_of(|into| {
        export::fill(&source, &never, into, Files::Checked(&mut missing))
    })?;
    problems.append(&mut missing);
    problems.extend(lacking);
    if problems.is_empty() {
        let counted = |n: i64, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        let (accounts, messages) = (counted(accounts, "account"), counted(messages, "message"));
        remarks.push(format!("sound; {accounts}, {messages}, newest id {newest}"));
    }
    Ok(Survey { problems, remarks })
}
