//! `expire`: messages that expire in 100,000 conversations, one in each, on SQLite and on PostgreSQL:
//! a look of the keeper that finds nothing to delete, and steps of several sizes that delete some, each
//! in a commit of its own. Nothing else goes on.

use std::time::Instant;

use papo::entry::{EntryId, Millis};
use papo::limits;
use papo::store::sqlite::Database;
use papo::store::{Change, Effort, Expire, Reader, Writer};

use super::{Scenario, cluster};
use crate::report::Subject;
use crate::stats::Latencies;
use crate::{Bench, Outcome, crowd};

pub const SCENARIO: Scenario =
    Scenario { name: "expire", about: "messages that expire", large: false, run };

const CONVERSATIONS: usize = 100_000;
const LOOKS: usize = 2_000;
/// Messages in a step; papod's own is among them.
const SIZES: [usize; 4] = [0, 8, limits::EXPIRED, 4 * limits::EXPIRED];
const STEPS: usize = 200;

fn run(bench: &mut Bench) -> Outcome<()> {
    if bench.subject == Subject::Other {
        eprintln!("bench: expire is left out: it measures the store of this papod");
        return Ok(());
    }
    let folder = bench.next_folder();
    *bench.starts += 1;
    std::fs::create_dir(&folder)?;
    let file = folder.join("papo.db");
    crowd::make_expiring(&file, CONVERSATIONS)?;
    let missing = cluster::lacks(bench);
    let postgres = if missing.is_none() { Some(cluster::server(bench, &[])?) } else { None };
    let url =
        postgres.as_ref().map(|server| cluster::imported(bench, server, &file)).transpose()?;
    let database = Database::open(&file)?;
    measure(bench, "SQLite", &mut database.reader()?, &mut database.writer()?)?;
    match url {
        Some(url) => on_postgres(bench, &url),
        None => {
            eprintln!("bench: expire on PostgreSQL is left out: {}", missing.unwrap_or_default());
            Ok(())
        }
    }
}

#[cfg(feature = "postgres")]
fn on_postgres(bench: &mut Bench, url: &str) -> Outcome<()> {
    use papo::store::postgres::{PgDatabase, PgUrl};
    let (database, mut writer) = PgDatabase::open(&PgUrl::parse(url)?)?;
    measure(bench, "PostgreSQL", &mut database.reader(), &mut writer)
}

#[cfg(not(feature = "postgres"))]
fn on_postgres(_: &mut Bench, _: &str) -> Outcome<()> {
    Ok(())
}

fn measure(
    bench: &mut Bench,
    on: &str,
    reader: &mut dyn Reader,
    writer: &mut dyn Writer,
) -> Outcome<()> {
    let mut times = Latencies::default();
    for _ in 0..LOOKS {
        let begun = Instant::now();
        reader.begin(Effort::Full)?;
        let step = reader.next_expired(Millis(0))?;
        reader.end();
        times.add(begun.elapsed());
        if step.is_some() {
            return Err("something is due".into());
        }
    }
    bench.latencies(Subject::Papod, &format!("{on}: a look, nothing due"), &times);
    let mut next = 1..;
    for size in SIZES {
        let mut times = Latencies::default();
        for _ in 0..STEPS {
            let due = next.by_ref().take(size).map(|id| (crowd::due(EntryId(id)), EntryId(id)));
            let step = Expire::Messages(due.collect());
            let begun = Instant::now();
            writer.record(&[Change::Expire(step)])?;
            times.add(begun.elapsed());
        }
        bench.latencies(Subject::Papod, &format!("{on}: a commit of {size}"), &times);
    }
    // All of them are gone, and none else.
    reader.begin(Effort::Full)?;
    let step = reader.next_expired(Millis(i64::MAX))?;
    reader.end();
    let deleted = STEPS * SIZES.iter().sum::<usize>();
    match step {
        Some(Expire::Messages(due)) if due[0].1 == EntryId(deleted as i64 + 1) => Ok(()),
        other => Err(format!("{deleted} were deleted, and then: {other:?}").into()),
    }
}
