//! Finding the primary among the servers of a URL, and what connections to it have in common.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::PgError;
use super::protocol::PgConnection;
use super::socket::PgSocket;
use super::url::{PgHost, PgUrl};
use crate::config::Standby;
use crate::limits;
use crate::store::{BatchId, Cause, Error};

/// The database, as all connections of this process know it.
pub(super) struct Source {
    pub(super) url: PgUrl,
    /// Whether commits have to wait for a standby.
    pub(super) standby: Standby,
    confirmed: Mutex<Confirmed>,
    changed: Condvar,
    /// The leader confirms a batch each [`limits::PG_BEAT`] at least, and this process hears of it.
    has_beats: AtomicBool,
    /// This process leads: it has the writer.
    leads: AtomicBool,
    /// When a question was asked that a reader asks again and again, since no answer comes.
    unanswered: Mutex<Option<Instant>>,
    /// Since when papod ends.
    ending: Mutex<Option<Instant>>,
    /// Which of the servers is asked first.
    first: AtomicUsize,
}

/// The newest batch that is known to be on as many disks as the database is set to wait for.
#[derive(Default)]
struct Confirmed {
    batch: BatchId,
    /// Since when that is known.
    heard: Option<Instant>,
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PgPurpose {
    /// Writing, and the lookups of the rules. No statement is ever broken off: a commit that waits
    /// for its standby would become visible without being there.
    Write,
    /// Questions of sessions, each of which may take a while at most.
    Read,
    /// Reading everything, by whatever plan the server thinks best.
    Maintain,
}

impl Source {
    pub(super) fn new(url: PgUrl, standby: Standby) -> Source {
        let (confirmed, changed, has_beats, leads) = Default::default();
        let (unanswered, ending, first) = Default::default();
        Source { url, standby, confirmed, changed, has_beats, leads, unanswered, ending, first }
    }

    /// From now on a leader that is not heard may not be the leader any more.
    pub(super) fn expect_beats(&self) {
        self.has_beats.store(true, Ordering::Relaxed);
    }

    /// This server lacks what was recorded, or does not confirm anything: those after it in the URL
    /// are asked before it. Where a standby was promoted, the former primary may still run, and does
    /// not know that.
    pub(super) fn leave(&self, server: usize) {
        self.first.store(server + 1, Ordering::Relaxed);
    }

    /// Whether this process leads, as far as it knows.
    pub(super) fn leads(&self) -> bool {
        self.leads.load(Ordering::Acquire)
    }

    /// It begins to lead, or ends.
    pub(super) fn set_leads(&self, leads: bool) {
        self.leads.store(leads, Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, Confirmed> {
        self.confirmed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest batch that is known to be on as many disks as the database is set to wait for.
    pub(super) fn confirmed(&self) -> BatchId {
        self.lock().batch
    }

    /// A batch is confirmed.
    pub(super) fn confirm(&self, batch: BatchId) {
        let mut confirmed = self.lock();
        if batch > confirmed.batch {
            *confirmed = Confirmed { batch, heard: Some(Instant::now()) };
        }
        self.changed.notify_all();
    }

    /// Waits until a batch that was read is confirmed, for [`limits::PG_ANSWER`] at most. Until
    /// then it could be lost again: what a primary shows after a crash may not have reached its
    /// standby.
    ///
    /// And until something was confirmed a moment ago, in the same term: else the standby of this
    /// server may have become the primary, and what was read is no longer all there is. Whoever leads
    /// there confirms nothing before that moment is over: see [`Source::let_leases_end`].
    pub(super) fn is_confirmed(&self, batch: BatchId) -> bool {
        let has_beats = self.has_beats.load(Ordering::Relaxed);
        let is_stale = |it: &Confirmed| {
            has_beats && it.heard.is_none_or(|heard| heard.elapsed() > limits::PG_LEASE)
        };
        let wait = self.changed.wait_timeout_while(self.lock(), limits::PG_ANSWER, |it| {
            it.batch < batch || is_stale(it)
        });
        let (it, waited) = wait.unwrap_or_else(PoisonError::into_inner);
        let is_newer = has_beats && it.batch.term > batch.term;
        !waited.timed_out() && !is_newer
    }

    /// Waits until nobody answers questions any more because of what the leader before has confirmed.
    /// `is_known`: it has confirmed nothing since this process has heard of it last.
    pub(super) fn let_leases_end(&self, is_known: bool) {
        if !self.has_beats.load(Ordering::Relaxed) {
            return;
        }
        let heard = self.lock().heard.filter(|_| is_known);
        let since = heard.map_or(Duration::ZERO, |heard| heard.elapsed());
        thread::sleep(limits::PG_LEASE_WAIT.saturating_sub(since));
    }

    fn unanswered(&self) -> MutexGuard<'_, Option<Instant>> {
        self.unanswered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// See [`Maintenance::unanswered_since`](crate::store::Maintenance::unanswered_since).
    pub(super) fn unanswered_since(&self) -> Option<Instant> {
        *self.unanswered()
    }

    /// A question has no answer that was asked then, and is asked again.
    pub(super) fn note_unanswered(&self, asked: Instant) {
        self.unanswered().get_or_insert(asked);
    }

    /// A question was answered.
    pub(super) fn note_answered(&self) {
        *self.unanswered() = None;
    }

    /// Papod ends: what waits for the database gives up when no session is left that could be told
    /// something wrong.
    pub(super) fn end(&self) {
        self.ending.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(Instant::now);
    }

    pub(super) fn has_ended(&self) -> bool {
        let since = *self.ending.lock().unwrap_or_else(PoisonError::into_inner);
        let last = limits::FAREWELL_TIME + limits::LINGER_TIME;
        since.is_some_and(|since| since.elapsed() > last)
    }

    /// Connects to the primary.
    ///
    /// # Errors
    /// None was found; with what each server said.
    pub(super) fn connect(&self, purpose: PgPurpose) -> Result<PgConnection, PgError> {
        let (mut said, mut is_final) = (Vec::new(), None);
        let first = self.first.load(Ordering::Relaxed) % self.url.hosts.len().max(1);
        let servers = self.url.hosts.iter().enumerate();
        for (server, host) in servers.clone().skip(first).chain(servers.take(first)) {
            match self.connect_to(host, purpose) {
                Ok(mut connection) => {
                    connection.server = server;
                    self.first.store(server, Ordering::Relaxed);
                    return Ok(connection);
                }
                // Nothing that time heals. But another may be the primary, and have a database that
                // has not reached this one yet.
                Err(e) if e.is_final() => {
                    let why = format!("{host}: {}", in_words(&e, &self.url));
                    is_final = Some(match e {
                        PgError::Refused { code, .. } => PgError::Refused { code, message: why },
                        e => e,
                    });
                }
                Err(e) => said.push(format!("{host}: {e}")),
            }
        }
        is_final.map_or(Ok(()), Err)?;
        Err(PgError::Lost(format!("no primary found: {}", said.join("; "))))
    }

    fn connect_to(&self, host: &PgHost, purpose: PgPurpose) -> Result<PgConnection, PgError> {
        let password = self.url.password(host).map_err(PgError::Lost)?;
        let socket = PgSocket::open(host, &self.url.tls(host), limits::PG_CONNECT);
        let socket = socket.map_err(PgError::lost)?;
        let mut settings = vec![
            ("user", self.url.user.as_str()),
            ("database", &self.url.database),
            ("application_name", "papod"),
            ("client_encoding", "UTF8"),
            ("synchronous_commit", "on"),
            // That a commit was not waited for a standby comes as a warning.
            ("client_min_messages", "warning"),
            ("statement_timeout", "0"),
            ("idle_in_transaction_session_timeout", "0"),
            // A server whose machine or network is gone must not be what holds the leader's row.
            ("tcp_keepalives_idle", "5"),
            ("tcp_keepalives_interval", "5"),
            ("tcp_keepalives_count", "3"),
            ("tcp_user_timeout", "20000"),
        ];
        if purpose != PgPurpose::Maintain {
            // Every statement finds its rows by an index. The planner, which knows how large the
            // tables were a while ago, would now and then read one from its beginning to its end.
            settings.extend(
                ["enable_seqscan", "enable_hashjoin", "enable_mergejoin", "jit"]
                    .map(|it| (it, "off")),
            );
        }
        if purpose == PgPurpose::Read {
            settings.push(("statement_timeout", limits::PG_QUESTION));
        }
        let mut connection = PgConnection::start(socket, &settings, password.as_deref())?;
        let standby = connection.query("SELECT pg_is_in_recovery()", &[])?;
        if standby.first().ok_or(PgError::Odd("no answer".into()))?.get(0)? {
            return Err(PgError::Lost("is a standby".into()));
        }
        let patience =
            if purpose == PgPurpose::Maintain { limits::PG_PART } else { limits::PG_ANSWER };
        connection.patience(patience)?;
        Ok(connection)
    }

    /// The same, again and again for [`limits::PG_ANSWER`] at most: a server that has no room for
    /// another connection, or a failover, is not what whoever asks should be told of.
    ///
    /// # Errors
    /// The last one.
    pub(super) fn connect_soon(&self, purpose: PgPurpose) -> Result<PgConnection, PgError> {
        let begun = Instant::now();
        loop {
            let may_wait = !self.has_ended() && begun.elapsed() < limits::PG_ANSWER;
            match self.connect(purpose) {
                Err(e) if may_wait && !e.is_final() => {
                    log::debug!("cannot connect to the database: {e}");
                    thread::sleep(limits::PG_LOOK);
                }
                done => return done,
            }
        }
    }

    /// The same, for as long as it takes. Says once that it waits, and again when that is over.
    ///
    /// # Errors
    /// Papod ends.
    pub(super) fn connect_patiently(&self, purpose: PgPurpose) -> Result<PgConnection, Error> {
        let begun = Instant::now();
        let mut said = String::new();
        loop {
            match self.connect(purpose) {
                Ok(connection) => {
                    if !said.is_empty() && purpose == PgPurpose::Write {
                        log::info!("the database answers again, after {:.1?}", begun.elapsed());
                    }
                    return Ok(connection);
                }
                Err(e) => {
                    self.still_wanted(&e)?;
                    if purpose == PgPurpose::Read {
                        self.note_unanswered(begun);
                    }
                    let why = e.to_string();
                    if purpose == PgPurpose::Write
                        && begun.elapsed() > limits::PG_SILENCE
                        && said != why
                    {
                        log::error!("waiting for the database: {why}");
                        said = why;
                    }
                }
            }
            thread::sleep(limits::PG_LOOK);
        }
    }

    /// Fails if papod ends, because of this failure.
    pub(super) fn still_wanted(&self, e: &PgError) -> Result<(), Error> {
        if self.has_ended() {
            return Err(Error::of(Cause::Over, format_args!("papod ends, and the database: {e}")));
        }
        Ok(())
    }
}

/// Why a server does not let papod in, for an operator.
fn in_words(e: &PgError, url: &PgUrl) -> String {
    match e {
        e if e.is("28P01") => format!(
            "the password for {} is wrong; papod takes it from PGPASSWORD, or from the file that \
             PGPASSFILE names",
            url.user
        ),
        e if e.is("3D000") => format!(
            "there is no database {}; createdb -O {} {} makes it",
            url.database, url.user, url.database
        ),
        PgError::Refused { message, .. } => message.clone(),
        e => e.to_string(),
    }
}
