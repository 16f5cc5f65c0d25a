//! Counters and gauges for monitoring the server.
//!
//! Any module may count here; nothing is decided by the numbers, but when the index is made. They are
//! relaxed atomics: each is exact by itself, but two that are read together may be a moment apart. The
//! hub updates them once per batch, a session once per read or write. They contain no names of users.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A counter or a gauge.
#[derive(Default)]
pub struct Count(AtomicU64);

impl Count {
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub fn dec(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    pub fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Upper bounds of the buckets for commit times, in microseconds: from a disk that need not sync to
/// one that is about to fail.
const BUCKETS: [u64; 12] =
    [250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000];

/// A histogram of durations.
#[derive(Default)]
pub struct Times {
    /// One for each bound, and one for anything longer.
    buckets: [Count; BUCKETS.len() + 1],
    nanoseconds: Count,
}

impl Times {
    pub fn observe(&self, time: Duration) {
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        // Bounds are inclusive.
        let at = BUCKETS.partition_point(|bound| bound * 1_000 < nanoseconds);
        self.buckets[at].add(1);
        self.nanoseconds.add(nanoseconds);
    }

    /// How many were observed.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(Count::get).sum()
    }
}

/// How the standbys of PostgreSQL do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replication {
    /// Commits wait for one.
    pub has_standby: bool,
    /// How many commits do just now.
    pub waiting: u64,
    /// How many bytes of the log the nearest one that is waited for lacks; `None`: papod may not see
    /// it.
    pub behind: Option<u64>,
}

/// All numbers of a server.
#[derive(Default)]
pub struct Counters {
    /// Connections let in.
    pub connections: Count,
    /// Connections turned away.
    pub refused: Count,
    /// Open connections.
    pub sessions: Count,
    /// Open connections that are logged in.
    pub logged_in: Count,
    /// Logged-in connections that are being served from the log.
    pub behind: Count,
    /// Accounts created.
    pub registrations: Count,
    /// Logins that succeeded.
    pub logins: Count,
    /// `LOGIN`s that were refused.
    pub logins_refused: Count,
    /// Secrets waiting to be hashed now.
    pub secrets: Count,
    /// Questions waiting for a reader now.
    pub questions: Count,
    /// Questions that readers answer now. Not published.
    pub answering: Count,
    /// Commands that the hub has decided: the sum of all batch sizes.
    pub commands: Count,
    /// Messages recorded.
    pub messages: Count,
    /// Edits, deletions and reactions recorded.
    pub marks: Count,
    /// Messages that `EXPIRE` has deleted.
    pub expired: Count,
    /// Entries put into an outbox: a message to three sessions counts three times.
    pub deliveries: Count,
    /// Cursor moves.
    pub receipts: Count,
    /// Commits, by duration.
    pub commits: Times,
    /// Commits that failed.
    pub commits_failed: Count,
    /// 1 while operators have everything refused that writes; see [`Counters::is_read_only`].
    pub read_only: Count,
    /// Requests answered over HTTP, those that begin a stream included.
    pub http_requests: Count,
    /// Subscriptions over HTTP now.
    pub http_streams: Count,
    /// Bytes read from sockets.
    pub received: Count,
    /// Bytes written to sockets.
    pub sent: Count,
    /// Newest entries that are not in the index for searching yet.
    pub search_lag: Count,
    /// Panics caught; each ended one session, question or task.
    pub panics: Count,
    /// When the certificate expires, in seconds since 1970; 0 if there is none.
    pub certificate_ends: Count,
    /// The term of the leader, if several papods may share the database; else 0.
    pub term: Count,
    /// 1 if this papod is the leader.
    pub leads: Count,
    /// Of the leader: how many papods there are, and the logged-in connections of the others.
    pub nodes: Count,
    pub node_sessions: Count,
    /// 1 while nobody is let in, since nothing is confirmed.
    pub unavailable: Count,
    /// With PostgreSQL, as of a moment ago.
    pub replication: Mutex<Option<Replication>>,
    /// Commands that were refused, by the code of their `ERR`.
    refusals: Mutex<BTreeMap<&'static str, u64>>,
    start: StartTime,
}

/// The name of a gauge that exists only with TLS: seconds since 1970.
pub const CERTIFICATE: &str = "certificate_expires_seconds";

/// When counting began.
struct StartTime(Instant);

impl Default for StartTime {
    fn default() -> StartTime {
        StartTime(Instant::now())
    }
}

/// The metric types of Prometheus.
#[derive(Clone, Copy, PartialEq, Eq)]
enum MetricType {
    /// Only grows.
    Counter,
    Gauge,
}

impl Counters {
    /// Runs `work`, catching a panic so that the thread survives it; returns `None` in that case.
    /// `what` names the work in the log. The caller must discard anything the work may have left
    /// half done.
    pub fn caught<T>(&self, what: &str, work: impl FnOnce() -> T) -> Option<T> {
        let done = catch_unwind(AssertUnwindSafe(work));
        if done.is_err() {
            self.panicked(what);
        }
        done.ok()
    }

    /// Counts and logs a caught panic; the panic hook has printed its location to standard error.
    pub fn panicked(&self, what: &str) {
        self.panics.add(1);
        log::error!("{what}: panicked");
    }

    /// Every number except the commit times: name, type, help text, value.
    fn table(&self) -> [(&'static str, MetricType, &'static str, u64); 25] {
        use MetricType::{Counter, Gauge};
        let of = Count::get;
        let uptime = self.start.0.elapsed().as_secs();
        [
            ("uptime_seconds", Gauge, "Time since papod started.", uptime),
            ("connections", Counter, "Connections let in.", of(&self.connections)),
            ("connections_refused", Counter, "Connections not let in.", of(&self.refused)),
            ("sessions", Gauge, "Connections now.", of(&self.sessions)),
            ("sessions_logged_in", Gauge, "Logged-in connections now.", of(&self.logged_in)),
            (
                "sessions_behind",
                Gauge,
                "Logged-in connections still being sent what waited.",
                of(&self.behind),
            ),
            ("registrations", Counter, "Accounts made.", of(&self.registrations)),
            ("logins", Counter, "Logins that succeeded.", of(&self.logins)),
            ("logins_refused", Counter, "Logins refused.", of(&self.logins_refused)),
            ("secrets_waiting", Gauge, "Secrets waiting to be hashed.", of(&self.secrets)),
            ("questions_waiting", Gauge, "Questions waiting for a reader.", of(&self.questions)),
            ("commands", Counter, "Commands decided.", of(&self.commands)),
            ("messages", Counter, "Messages recorded.", of(&self.messages)),
            ("marks", Counter, "Edits, deletions and reactions recorded.", of(&self.marks)),
            ("expired", Counter, "Messages deleted by EXPIRE.", of(&self.expired)),
            ("deliveries", Counter, "Entries pushed to connections.", of(&self.deliveries)),
            ("receipts", Counter, "Receipts recorded.", of(&self.receipts)),
            (
                "search_lag",
                Gauge,
                "Newest entries not in the index for searching yet.",
                of(&self.search_lag),
            ),
            ("commits_failed", Counter, "Transactions that failed.", of(&self.commits_failed)),
            ("read_only", Gauge, "1 if whatever writes is refused.", of(&self.read_only)),
            ("http_requests", Counter, "HTTP requests answered.", of(&self.http_requests)),
            ("http_streams", Gauge, "Subscriptions over HTTP now.", of(&self.http_streams)),
            ("received_bytes", Counter, "Bytes read from clients.", of(&self.received)),
            ("sent_bytes", Counter, "Bytes written to clients.", of(&self.sent)),
            ("panics", Counter, "Bugs that ended one session, question or task.", of(&self.panics)),
        ]
    }

    /// What there is only with several papods.
    fn nodes(&self) -> Vec<(&'static str, &'static str, u64)> {
        if self.term.get() == 0 {
            return Vec::new();
        }
        let of = Count::get;
        let mut rows = vec![
            ("term", "The term of the leader.", of(&self.term)),
            ("leader", "Whether this papod leads.", of(&self.leads)),
            ("nodes", "Papods together, if this one leads.", of(&self.nodes)),
            (
                "nodes_sessions",
                "Logged-in connections at the other papods, if this one leads.",
                of(&self.node_sessions),
            ),
            (
                "unavailable",
                "Whether this papod lets nobody in, since nothing is confirmed.",
                of(&self.unavailable),
            ),
        ];
        let replication = *self.replication.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Replication { has_standby, waiting, behind }) = replication {
            rows.push(("standby", "Whether commits wait for a standby.", has_standby.into()));
            rows.push(("standby_waits", "Commits that wait for a standby now.", waiting));
            let help = "Bytes of PostgreSQL's log that the nearest standby lacks.";
            rows.extend(behind.map(|bytes| ("standby_behind_bytes", help, bytes)));
        }
        rows
    }

    /// Whether everything that writes is to be refused, as on a full disk.
    pub fn is_read_only(&self) -> bool {
        self.read_only.get() > 0
    }

    /// Counts a command refused with this code.
    pub fn refuse(&self, code: &'static str) {
        // No panic can leave a count half changed, so poisoning is ignored.
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        *refusals.entry(code).or_default() += 1;
    }

    fn certificate(&self) -> Option<u64> {
        Some(self.certificate_ends.get()).filter(|ends| *ends > 0)
    }

    /// Names and values, as `ADMIN STATS` shows them.
    pub fn rows(&self) -> Vec<(&'static str, u64)> {
        let mut rows: Vec<_> =
            self.table().iter().map(|(name, _, _, value)| (*name, *value)).collect();
        rows.extend(self.certificate().map(|ends| (CERTIFICATE, ends)));
        rows.extend(self.nodes().iter().map(|(name, _, value)| (*name, *value)));
        rows.push(("commits", self.commits.count()));
        rows.push(("commit_microseconds", self.commits.nanoseconds.get() / 1_000));
        rows
    }

    /// Writes every number in Prometheus' text format
    /// (prometheus.io, "Exposition formats", version 0.0.4).
    pub fn prometheus(&self, out: &mut String) {
        for (name, kind, help, value) in self.table() {
            match kind {
                MetricType::Gauge => gauge(out, name, help, value),
                MetricType::Counter => {
                    let name = format!("papod_{name}_total");
                    begin(out, &name, "counter", help);
                    line(out, &name, value);
                }
            }
        }
        let name = "papod_refusals_total";
        begin(out, name, "counter", "Commands refused, by the code of their ERR.");
        for (code, count) in &*self.refusals.lock().unwrap_or_else(PoisonError::into_inner) {
            line(out, &format!("{name}{{code=\"{code}\"}}"), count);
        }
        if let Some(ends) = self.certificate() {
            gauge(out, CERTIFICATE, "When the certificate expires, in seconds since 1970.", ends);
        }
        for (name, help, value) in self.nodes() {
            gauge(out, name, help, value);
        }
        let name = "papod_commit_duration_seconds";
        begin(out, name, "histogram", "Time that a transaction took to be on disk.");
        // Buckets are cumulative. The count is the last bucket's, even if a commit is counted
        // meanwhile.
        let mut count = 0;
        let bounds = BUCKETS.iter().map(|bound| seconds(*bound * 1_000).to_string());
        for (bucket, bound) in self.commits.buckets.iter().zip(bounds.chain(["+Inf".into()])) {
            count += bucket.get();
            line(out, &format!("{name}_bucket{{le=\"{bound}\"}}"), count);
        }
        line(out, &format!("{name}_sum"), seconds(self.commits.nanoseconds.get()));
        line(out, &format!("{name}_count"), count);
    }
}

/// Writes one gauge in the same format, with `papod_` put before `name`.
pub fn gauge(out: &mut String, name: &str, help: &str, value: u64) {
    let name = format!("papod_{name}");
    begin(out, &name, "gauge", help);
    line(out, &name, value);
}

/// Writes the metrics that are conventional for a process and its build; `memory` is in bytes.
pub fn process(out: &mut String, memory: u64) {
    let name = "process_resident_memory_bytes";
    begin(out, name, "gauge", "Memory that papod holds.");
    line(out, name, memory);
    let name = "papod_build_info";
    begin(out, name, "gauge", "Always 1; the label is the version.");
    line(out, &format!("{name}{{version=\"{}\"}}", env!("CARGO_PKG_VERSION")), 1);
}

fn begin(out: &mut String, name: &str, kind: &str, help: &str) {
    // Writing to a string cannot fail, here and below.
    let _ = write!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
}

fn line(out: &mut String, name: &str, value: impl std::fmt::Display) {
    let _ = writeln!(out, "{name} {value}");
}

/// Exact to the nanosecond for some hundred days.
fn seconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_fall_into_buckets() {
        let counters = Counters::default();
        let micros = [1, 250, 251, 2_000, 1_000_000, 1_000_001, 3_000_000];
        micros.iter().for_each(|n| counters.commits.observe(Duration::from_micros(*n)));
        let mut text = String::new();
        counters.prometheus(&mut text);
        let (_, histogram) = text.split_once("# TYPE papod_commit_duration_seconds").unwrap();
        let expected = " histogram
papod_commit_duration_seconds_bucket{le=\"0.00025\"} 2
papod_commit_duration_seconds_bucket{le=\"0.0005\"} 3
papod_commit_duration_seconds_bucket{le=\"0.001\"} 3
papod_commit_duration_seconds_bucket{le=\"0.0025\"} 4
papod_commit_duration_seconds_bucket{le=\"0.005\"} 4
papod_commit_duration_seconds_bucket{le=\"0.01\"} 4
papod_commit_duration_seconds_bucket{le=\"0.025\"} 4
papod_commit_duration_seconds_bucket{le=\"0.05\"} 4
papod_commit_duration_seconds_bucket{le=\"0.1\"} 4
papod_commit_duration_seconds_bucket{le=\"0.25\"} 4
papod_commit_duration_seconds_bucket{le=\"0.5\"} 4
papod_commit_duration_seconds_bucket{le=\"1\"} 5
papod_commit_duration_seconds_bucket{le=\"+Inf\"} 7
papod_commit_duration_seconds_sum 5.002502
papod_commit_duration_seconds_count 7
";
        let sum: u64 = micros.iter().sum();
        assert_eq!(histogram, expected.replace("5.002502", &(sum as f64 / 1e6).to_string()));
    }

    #[test]
    fn every_number_has_a_name_of_its_own() {
        let counters = Counters::default();
        counters.messages.add(3);
        counters.sessions.add(2);
        counters.sessions.dec();
        let rows = counters.rows();
        let value = |name| rows.iter().find(|row| row.0 == name).map(|row| row.1);
        assert_eq!((value("messages"), value("sessions")), (Some(3), Some(1)));
        let mut names: Vec<_> = rows.iter().map(|row| row.0).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), rows.len());
        let mut text = String::new();
        counters.prometheus(&mut text);
        assert!(text.contains(
            "# HELP papod_messages_total Messages recorded.\n\
             # TYPE papod_messages_total counter\n\
             papod_messages_total 3\n\
             "
        ));
        assert!(text.contains("# TYPE papod_sessions gauge\npapod_sessions 1\n"));
    }
}
