//! Bare PostgreSQL: the statement with which papod records the messages of `send-plain`, in batches
//! of one size, with nothing around it but the rules that say what a message changes.

use std::time::{Duration, Instant};

use papo::chat::{Act, Chat, Stop, Who};
use papo::entry::{AccountId, Key, Millis, SessionId};
use papo::name::{DisplayName, Handle, Target};
use papo::store::Writer;
use papo::store::postgres::{PgDatabase, PgUrl, PgWriter};
use rustix::process::getpid;

use crate::scenarios::send::PAIRS;
use crate::{Outcome, machine};

/// Batches before any is counted.
const WARM_UP: usize = 50;

/// Writes for a while, then prints rows per second and CPU seconds per row.
pub fn run(url: &str, batch: usize, time: Duration) -> Outcome<()> {
    let (_database, mut writer) = PgDatabase::open(&PgUrl::parse(url)?)?;
    let chat = Chat::new(writer.reader()?.newest()?);
    let mut log = Log { chat, writer, now: Millis(0) };
    // The odd ones write to the even ones.
    for n in 1..=2 * PAIRS {
        log.register(&format!("a{n}"))?;
    }
    log.record()?;
    for _ in 0..WARM_UP {
        log.send(batch)?;
    }
    let (start, spent) = (Instant::now(), machine::cpu(getpid())?);
    let mut rows = 0.0;
    while start.elapsed() < time {
        log.send(batch)?;
        rows += batch as f64;
    }
    let rate = rows / start.elapsed().as_secs_f64();
    println!("{rate} {}", (machine::cpu(getpid())? - spent) / rows);
    Ok(())
}

struct Log {
    chat: Chat,
    writer: PgWriter,
    now: Millis,
}

impl Log {
    /// A batch: each pair's messages in a run, as they come from its connection.
    fn send(&mut self, batch: usize) -> Outcome<()> {
        self.now.0 += 1;
        for n in 0..batch {
            let pair = n * PAIRS / batch;
            let (from, to) = (AccountId(2 * pair as i64 + 1), format!("a{}", 2 * pair + 2));
            let who =
                Who { session: SessionId(1), account: from, key: Key::Password, device: None };
            let to = Target::Person(Handle::new(&to).ok_or("a handle")?);
            let mut act = Act::Send { to, body: "x".repeat(100), once: None };
            let now = self.now;
            self.decide(|chat| chat.decide(who, &mut act, now).map_err(Stop::Needs))?;
        }
        self.record()
    }

    fn register(&mut self, name: &str) -> Outcome<()> {
        let handle = Handle::new(name).ok_or("a handle")?;
        let shown = DisplayName::new(name).map_err(|_| "a name")?;
        self.decide(|chat| chat.register(&handle, &shown, "hash", Millis(0)).map(drop))
    }

    fn decide(&mut self, mut ask: impl FnMut(&mut Chat) -> Result<(), Stop>) -> Outcome<()> {
        loop {
            match ask(&mut self.chat) {
                Ok(()) => return Ok(()),
                Err(Stop::Needs(needs)) => {
                    for fact in self.writer.reader()?.gather(&needs, needs.len())? {
                        self.chat.directory().learn(fact);
                    }
                }
                Err(Stop::Refused(refusal)) => return Err(format!("{refusal:?}").into()),
            }
        }
    }

    fn record(&mut self) -> Outcome<()> {
        let batch = self.chat.finish();
        self.writer.record(&batch.changes)?;
        self.chat.committed();
        Ok(())
    }
}
