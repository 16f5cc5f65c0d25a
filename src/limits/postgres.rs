//! The limits of PostgreSQL, and of several papods on one database.

use std::time::Duration;

/// Time to reach one of the servers of PostgreSQL. In one network it is a millisecond, so one that
/// takes this long is down, and the next one is tried.
pub const PG_CONNECT: Duration = Duration::from_secs(1);
/// Time after which an answer of PostgreSQL is given up, and with it the connection. A batch takes
/// milliseconds; a standby that is restarted takes a few seconds, for which a commit waits.
pub const PG_ANSWER: Duration = Duration::from_secs(5);
/// Milliseconds that a statement of a question may take: as long as
/// [`READ_STEPS`](super::READ_STEPS) allow with SQLite.
pub const PG_QUESTION: &str = "4500";
/// Pause between two looks for a primary, or whether the leader is gone.
pub const PG_LOOK: Duration = Duration::from_millis(20);
/// How long no primary is found before the log says so: a connection that was cut is replaced
/// within that, which is no news.
pub const PG_SILENCE: Duration = Duration::from_millis(250);
/// How long a papod that starts waits for the one before it to be gone from the database.
pub const PG_HANDOVER: Duration = Duration::from_secs(5);
/// The same for a part of a copy of everything, at most [`PG_COPY`] rows; and a papod that ends waits
/// for as long as this.
pub const PG_PART: Duration = Duration::from_secs(60);
/// The same for VACUUM, which reads only pages that have changed since the last one; and for a
/// checkpoint.
pub const PG_VACUUM: Duration = Duration::from_secs(600);
/// Pages from which deleted text is removed at once. Each takes about 0.2 ms, and 8 kB of the
/// write-ahead log.
pub const PG_OVERWRITE: i64 = 4_096;
/// How often VACUUM is run for them: some pages get their turn only after others.
pub const PG_ROUNDS: usize = 8;
/// How often an idle papod makes sure that it still is the leader of a PostgreSQL database.
pub const PG_BEAT: Duration = LINK_BEAT;
/// How long after a batch was confirmed questions are answered: a leader that confirms nothing may
/// have been replaced. It records something each [`PG_BEAT`].
pub const PG_LEASE: Duration = Duration::from_millis(500);
/// How long a leader on another server than the one before confirms nothing: [`PG_LEASE`], and what a
/// packet is on its way. Less than [`LEADER_SILENCE`], or another would take its place.
pub const PG_LEASE_WAIT: Duration = Duration::from_millis(600);
/// Rows that are copied from PostgreSQL at once, some 2 MB of messages.
pub const PG_COPY: i64 = 8_192;
/// Bytes that may wait for a node. Beyond it its line is cut, and it asks the database.
pub const LINK_WAITING: usize = 64 * 1024 * 1024;
/// Silence after which a node is taken for gone. Each says something four times a second.
pub const LINK_SILENCE: Duration = Duration::from_secs(3);
/// How often a node says something at least.
pub const LINK_BEAT: Duration = Duration::from_millis(250);
/// How long a leader may record nothing before another node takes its place. It records something
/// each [`LINK_BEAT`]. Twice as long for each time that this has happened in the last minute, up to
/// eight times as long.
pub const LEADER_SILENCE: Duration = Duration::from_secs(1);
/// How long nothing may be confirmed before a node lets nobody in any more. A leader that is cut off
/// is replaced sooner, also where that takes eight times [`LEADER_SILENCE`]; and a client waits for
/// the answer to a login for 15 seconds, so it learns before that it has to go to another node. A
/// failover of PostgreSQL can take longer, on all nodes: those who come meanwhile come again.
pub const CUT_OFF: Duration = Duration::from_secs(12);
/// Time to connect to another node, and for it to prove that it is one.
pub const LINK_CONNECT: Duration = Duration::from_secs(1);
/// Pause before a node that could not reach the leader tries again.
pub const LINK_PAUSE: Duration = Duration::from_millis(100);
/// Connections to a node that have not proved yet to come from one.
pub const LINK_STRANGERS: usize = 16;
/// For how long a new leader knows whom it has told something, so that the sessions of doors which
/// come meanwhile need not all look into the log. Most come within a few milliseconds.
pub const TAKEOVER: Duration = Duration::from_secs(10);
/// How many accounts these may be: 160 KB.
pub const TAKEOVER_ACCOUNTS: usize = 10_000;
/// Bytes of a file in one row. A whole one is in memory for each upload, and for those that read.
pub const PG_PIECE: usize = 256 * 1024;
/// Readers that keep a piece for their next row of a `GET`: 16 MiB. Others read it again.
pub const PG_PIECES: usize = 64;
