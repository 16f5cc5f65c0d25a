//! Bare SQLite: the rows that papod writes for the `send` scenario, in batches of one size, with
//! nothing around them. What is left of the rate above this line is what the disk and SQLite allow.
//!
//! The tables have the shape of papod's at the time of writing; they are not shared with it.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, Transaction, TransactionBehavior, params};
use rustix::process::getpid;

use crate::{Outcome, machine};

/// Conversations over which the rows are spread, one author and one reader each.
const PAIRS: i64 = 50;
/// Ids that share a row.
const ID_BLOCK: i64 = 64;
/// The same settings as papod's writer, which say what an `OK` promises.
const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA wal_autocheckpoint = 10000;
    PRAGMA journal_size_limit = 67108864;
    PRAGMA cache_size = -8192;
    CREATE TABLE entry(id INTEGER PRIMARY KEY, conversation INTEGER, seq INTEGER, author INTEGER,
        author_seq INTEGER, time INTEGER, body TEXT) STRICT;
    CREATE TABLE conversation(id INTEGER PRIMARY KEY, head INTEGER, seq INTEGER, tail BLOB) STRICT;
    CREATE TABLE id_block(conversation INTEGER, upto INTEGER, ids BLOB,
        PRIMARY KEY(conversation, upto)) STRICT, WITHOUT ROWID;
    CREATE TABLE member(conversation INTEGER, account INTEGER, exempt INTEGER, last_own INTEGER,
        delivered INTEGER, delivered_seq INTEGER, time INTEGER,
        PRIMARY KEY(conversation, account)) STRICT, WITHOUT ROWID;
    CREATE TABLE newest(id INTEGER PRIMARY KEY, entry INTEGER) STRICT;
    INSERT INTO newest VALUES(1, 0);";

/// Writes for a while, then prints rows per second and CPU seconds per row.
pub fn run(file: &Path, batch: usize, time: Duration) -> Outcome<()> {
    let mut connection = Connection::open(file)?;
    connection.set_prepared_statement_cache_capacity(16);
    connection.execute_batch(SCHEMA)?;
    for pair in 0..PAIRS {
        connection.execute("INSERT INTO conversation VALUES(?1, 0, 0, x'')", [pair])?;
        for account in [2 * pair, 2 * pair + 1] {
            let sql = "INSERT INTO member VALUES(?1, ?2, 0, 0, 0, 0, 0)";
            connection.execute(sql, [pair, account])?;
        }
    }
    let body = "x".repeat(100);
    let pairs = vec![(0, Vec::new()); PAIRS as usize];
    let mut log = Log { last: 0, pairs, body: &body };
    let (start, spent) = (Instant::now(), machine::cpu(getpid())?);
    while start.elapsed() < time {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        log.write(&transaction, batch)?;
        transaction.commit()?;
    }
    let rows = log.last as f64;
    let rate = rows / start.elapsed().as_secs_f64();
    println!("{rate} {}", (machine::cpu(getpid())? - spent) / rows);
    Ok(())
}

struct Log<'a> {
    last: i64,
    /// How many entries each conversation has, and its newest ids.
    pairs: Vec<(i64, Vec<u8>)>,
    body: &'a str,
}

impl Log<'_> {
    /// A batch: each pair's messages in a run, as they come from its connection, and for each pair
    /// that has some its head, its author's row and its reader's cursor.
    fn write(&mut self, on: &Transaction, batch: usize) -> rusqlite::Result<()> {
        let mut insert =
            on.prepare_cached("INSERT INTO entry VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
        let mut id_block = on.prepare_cached("INSERT INTO id_block VALUES(?1, ?2, ?3)")?;
        let mut head =
            on.prepare_cached("UPDATE conversation SET head=?2, seq=?3, tail=?4 WHERE id=?1")?;
        let mut wrote = on.prepare_cached(
            "UPDATE member SET exempt=?3, last_own=?4 WHERE conversation=?1 AND account=?2",
        )?;
        let mut moved = on.prepare_cached(
            "UPDATE member SET delivered=?3, delivered_seq=?4, time=?5
             WHERE conversation=?1 AND account=?2",
        )?;
        let run = batch.div_ceil(PAIRS as usize);
        let mut left = batch;
        for pair in 0..PAIRS {
            let (seq, tail) = &mut self.pairs[pair as usize];
            for _ in 0..run.min(left) {
                self.last += 1;
                *seq += 1;
                insert.execute(params![self.last, pair, *seq, 2 * pair, *seq, 0, self.body])?;
                // As wide as the step from one id to the next mostly is.
                tail.extend_from_slice(&(self.last as u16).to_le_bytes());
                if *seq % ID_BLOCK == 0 {
                    id_block.execute(params![pair, self.last, &*tail])?;
                    tail.clear();
                }
                left -= 1;
            }
            head.execute(params![pair, self.last, *seq, &*tail])?;
            wrote.execute(params![pair, 2 * pair, *seq, self.last])?;
            moved.execute(params![pair, 2 * pair + 1, self.last, *seq, 0])?;
            if left == 0 {
                break;
            }
        }
        on.prepare_cached("UPDATE newest SET entry=?1")?.execute([self.last])?;
        Ok(())
    }
}
