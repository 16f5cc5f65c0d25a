//! Bare SQLite: the rows that papod writes for a message, an edit and a reaction, in batches of one
//! size, with nothing around them. What a mark costs beside a message cannot be less than what its
//! rows do.
//!
//! The tables have the shape of papod's at the time of writing; they are not shared with it.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{CachedStatement, Connection, TransactionBehavior, params};
use rustix::process::getpid;

use crate::{Outcome, machine};

/// Sessions that each have sent some messages, and now change them one after the other.
const SESSIONS: i64 = 50;
/// Messages of each.
const EACH: i64 = 20_000;
const ALL: i64 = SESSIONS * EACH;
/// The same settings as papod's writer.
const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA secure_delete = ON;
    PRAGMA wal_autocheckpoint = 10000;
    PRAGMA cache_size = -8192;
    CREATE TABLE entry(id INTEGER PRIMARY KEY, conversation INTEGER, seq INTEGER, author INTEGER,
        author_seq INTEGER, time INTEGER, kind INTEGER, body TEXT, re INTEGER, tags TEXT,
        changed INTEGER NOT NULL DEFAULT 0) STRICT;
    CREATE TABLE about(message INTEGER, kind INTEGER, account INTEGER, mark INTEGER,
        PRIMARY KEY(message, kind, account, mark)) STRICT, WITHOUT ROWID;
    CREATE TABLE tally(message INTEGER, word INTEGER, count INTEGER,
        PRIMARY KEY(message, word)) STRICT, WITHOUT ROWID;";

/// What is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Message,
    Edit,
    Reaction,
}

/// Writes for a while, then prints how many per second and the CPU seconds of each. A mark is about
/// a message that has none.
pub fn run(file: &Path, batch: usize, time: Duration, kind: Kind) -> Outcome<()> {
    let mut on = Connection::open(file)?;
    on.execute_batch(SCHEMA)?;
    if kind != Kind::Message {
        let mut messages = 0..ALL;
        while !messages.is_empty() {
            write(&mut on, messages.by_ref().take(batch), Kind::Message)?;
        }
    }
    let (start, spent) = (Instant::now(), machine::cpu(getpid())?);
    let mut numbers = 0..ALL;
    while start.elapsed() < time && !numbers.is_empty() {
        write(&mut on, numbers.by_ref().take(batch), kind)?;
    }
    let count = numbers.start as f64;
    let rate = count / start.elapsed().as_secs_f64();
    println!("{rate} {}", (machine::cpu(getpid())? - spent) / count);
    Ok(())
}

/// A batch.
fn write(
    on: &mut Connection,
    numbers: impl Iterator<Item = i64>,
    kind: Kind,
) -> rusqlite::Result<()> {
    let transaction = on.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let entry = "INSERT INTO entry(id, conversation, seq, author, author_seq, time, kind, body, re)
                 VALUES(?1, ?2, ?3, ?2, ?3, 0, ?4, ?5, ?6)";
    let mut rows = Rows {
        entry: transaction.prepare_cached(entry)?,
        about: transaction.prepare_cached("INSERT INTO about VALUES(?1, ?2, ?3, ?4)")?,
        tally: transaction.prepare_cached("INSERT INTO tally VALUES(?1, ?2, 1)")?,
        flag: transaction.prepare_cached("UPDATE entry SET changed = 1 WHERE id = ?1")?,
    };
    for n in numbers {
        rows.write(kind, n)?;
    }
    drop(rows);
    transaction.commit()
}

struct Rows<'c> {
    entry: CachedStatement<'c>,
    about: CachedStatement<'c>,
    tally: CachedStatement<'c>,
    flag: CachedStatement<'c>,
}

impl Rows<'_> {
    /// The `n`-th act: the sessions speak in turn.
    fn write(&mut self, kind: Kind, n: i64) -> rusqlite::Result<()> {
        let (session, seq) = (n % SESSIONS, n / SESSIONS);
        let (message, body) = (session * EACH + seq + 1, "x".repeat(100));
        let mark = ALL + n + 1;
        match kind {
            Kind::Message => {
                self.entry.execute(params![n + 1, session, seq, 0, body, rusqlite::types::Null])?;
                return Ok(());
            }
            Kind::Edit => {
                self.entry.execute(params![mark, session, seq, 2, body, message])?;
                self.about.execute([message, 2, 0, mark])?;
            }
            Kind::Reaction => {
                self.entry.execute(params![mark, session, seq, 4, "+1", message])?;
                self.about.execute([message, 4, session, mark])?;
                self.tally.execute([message, mark])?;
            }
        }
        self.flag.execute([message])?;
        Ok(())
    }
}
