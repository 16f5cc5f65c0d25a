//! `sync`: two pages of `SYNC 0` for someone in 2,000 conversations, in a database of 200,000
//! entries and in one of 2,000,000: a page costs what it shows and how many conversations there
//! are, not how much is stored.

use std::time::{Duration, Instant};

use super::Scenario;
use crate::net::{Net, Outputs, Peer};
use crate::people::{enter_quietly, handles, register, send, unexpected};
use crate::report::Subject;
use crate::{Bench, Outcome};

pub const SCENARIO: Scenario =
    Scenario { name: "sync", about: "pages of SYNC in 2,000 conversations", run };

const CONVERSATIONS: usize = 2_000;

fn run(bench: &mut Bench) -> Outcome<()> {
    let server = bench.papod()?;
    let mut net = Net::new()?;
    let people = handles("with", CONVERSATIONS);
    register(&mut net, server.address, &["me".into()])?;
    register(&mut net, server.address, &people)?;
    let me = enter_quietly(&mut net, server.address, &["me".into()])?[0];
    let to: Vec<&str> = people.iter().map(String::as_str).collect();
    let mut stored = 0;
    for entries in [200_000, 2_000_000] {
        send(&mut net, me, &to, entries - stored)?;
        stored = entries;
        let mut page = Page { last: None, failed: None };
        let mut from = 0;
        for which in ["first", "second"] {
            let start = Instant::now();
            net.out.to(me).extend_from_slice(format!("SYNC {from}\n").as_bytes());
            from = page.drive(&mut net)?;
            let measure = format!("{which} page, {entries} entries");
            bench.note(Subject::Papod, &measure, "ms", start.elapsed().as_secs_f64() * 1e3);
        }
    }
    Ok(())
}

struct Page {
    last: Option<u64>,
    failed: Option<String>,
}

impl Page {
    /// Waits for the page, and gives back where the next one begins.
    fn drive(&mut self, net: &mut Net) -> Outcome<u64> {
        loop {
            net.turn(self, Duration::from_secs(1))?;
            match (self.failed.take(), self.last.take()) {
                (Some(why), _) => return Err(why.into()),
                (None, Some(last)) => return Ok(last),
                (None, None) => {}
            }
        }
    }
}

impl Peer for Page {
    fn line(&mut self, _: usize, _: Instant, line: &[u8], _: &mut Outputs) {
        if let Some(rest) = line.strip_prefix(b"OK SYNC ") {
            let id = rest.split(|b| *b == b' ').next().and_then(|id| std::str::from_utf8(id).ok());
            self.last = id.and_then(|id| id.parse().ok());
        } else if !line.starts_with(b"HIST ") {
            self.failed = Some(unexpected(line));
        }
    }
}
