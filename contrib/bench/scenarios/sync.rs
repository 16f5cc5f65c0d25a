//! `sync`: pages of `SYNC` for someone in 2,000 conversations: the first two of a device that has
//! nothing, and the last one of a device that was away. A page costs what it shows and how many
//! conversations there are, not how much is stored.

use std::time::Instant;

use super::Scenario;
use crate::large::LARGE;
use crate::net::{Net, Outputs, Peer};
use crate::people::{enter_quietly, register, send, unexpected};
use crate::report::Subject;
use crate::stats::median;
use crate::{Bench, Outcome};

pub const SCENARIO: Scenario =
    Scenario { name: "sync", about: "pages of SYNC in 2,000 conversations", large: true, run };

const CONVERSATIONS: usize = 2_000;
const ENTRIES: usize = 200_000;
/// Rows of a page.
const ROWS: usize = 1_000;
/// Times that each page is asked for.
const TIMES: usize = 5;

fn run(bench: &mut Bench) -> Outcome<()> {
    let server = bench.papod()?;
    let mut net = Net::new()?;
    let (me, last);
    if bench.large.is_some() {
        // One of the authors, so that one entry in so many is theirs.
        me = enter_quietly(&mut net, server.address, &["a1".into()])?[0];
        last = LARGE.entries - ROWS * LARGE.authors;
    } else {
        let people = bench.handles("with", CONVERSATIONS);
        register(&mut net, server.address, &["me".into()])?;
        register(&mut net, server.address, &people)?;
        me = enter_quietly(&mut net, server.address, &["me".into()])?[0];
        last = send(&mut net, me, &people, ENTRIES)? as usize - ROWS;
    }
    let mut page = Page { last: None };
    let mut second = 0;
    for which in ["first", "second", "last"] {
        let from = match which {
            "first" => 0,
            "second" => second,
            _ => last,
        };
        let mut times = Vec::new();
        for _ in 0..TIMES {
            let start = Instant::now();
            net.out.to(me).extend_from_slice(format!("SYNC {from}\n").as_bytes());
            net.until(&mut page, |page| page.last.is_some())?;
            second = page.last.take().unwrap_or_default();
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
        bench.note(Subject::Papod, &format!("{which} page"), "ms", median(&times));
    }
    Ok(())
}

struct Page {
    last: Option<usize>,
}

impl Peer for Page {
    fn line(&mut self, _: usize, _: Instant, line: &[u8], _: &mut Outputs) -> Outcome<()> {
        if let Some(rest) = line.strip_prefix(b"OK SYNC ") {
            let id = rest.split(|b| *b == b' ').next().unwrap_or_default();
            self.last = Some(std::str::from_utf8(id)?.parse()?);
        } else if !line.starts_with(b"HIST ") {
            return unexpected(line);
        }
        Ok(())
    }
}
