//! papo's wire by itself: so many lines of one kind are parsed, or rendered, and nothing else.
//!
//! It is made for a counter of instructions, whose number is the same on every machine of a kind
//! and does not depend on what else runs there: see instructions.sh.

use std::hint::black_box;

use papo::entry::{Cursor, Entry, EntryId, EntryKind, Millis, Receipt};
use papo::limits::SCRATCH;
use papo::name::{Handle, Target};
use papo::wire::line::{self, Lines, Next};
use papo::wire::reply::Reply;
use papo::wire::rows::{EntryLine, ReceiptLine};
use papo::wire::{help, request, telnet};

use crate::{Outcome, people};

/// What clients say, and what is said to them.
const PARSED: [&str; 5] = ["MSG", "ACK", "READ", "HIST", "PING"];
const RENDERED: [&str; 7] =
    ["OK-MSG", "OK-ACK", "OK-PING", "MSG-event", "ACK-event", "READ-event", "HIST-row"];
/// A moment, from which on a hundred lines share a millisecond.
const MOMENT: i64 = 1_767_225_600_000;

/// Prints the kinds of lines.
pub fn list() -> Outcome<()> {
    for kind in PARSED.iter().chain(&RENDERED) {
        println!("{kind}");
    }
    Ok(())
}

/// Parses or renders this many lines of a kind.
pub fn run(kind: &str, count: usize) -> Outcome<()> {
    match kind {
        "MSG" => parse(&people::message("bob"), count),
        "ACK" => parse(b"ACK 1234567\n", count),
        "READ" => parse(b"READ 1234567\n", count),
        "HIST" => parse(b"HIST bob 50 before 1234567\n", count),
        "PING" => parse(b"PING\n", count),
        _ => render(kind, count),
    }
}

/// From the bytes of a read to requests, as a session does it.
fn parse(line: &[u8], count: usize) -> Outcome<()> {
    let whole = line.repeat(SCRATCH / line.len());
    let mut lines = Lines::default();
    let mut left = count;
    while left > 0 {
        let some = left.min(SCRATCH / line.len());
        lines.push(&whole[..some * line.len()]);
        left -= some;
        while let Next::Line(line) = lines.next_line() {
            let typed = telnet::typed(line);
            let said = line::text(&typed).map_err(|e| e.code())?;
            let verb = help::verb(request::first_word(said)).ok_or("no verb")?;
            black_box(help::read(verb, said).map_err(|e| e.code())?);
        }
    }
    Ok(())
}

/// From an answer or an event to bytes.
fn render(kind: &str, count: usize) -> Outcome<()> {
    let handle = |name| Handle::new(name).ok_or("not a handle");
    let (ana, bob) = (handle("ana")?, handle("bob")?);
    let mut entry = Entry {
        id: EntryId(1_234_567),
        time: Millis(MOMENT),
        from: ana.clone(),
        to: Target::Person(bob.clone()),
        kind: EntryKind::Message,
        tags: None,
        body: "x".repeat(100).into(),
    };
    let cursor = if kind == "READ-event" { Cursor::Read } else { Cursor::Delivered };
    let mut receipt =
        Receipt { cursor, id: entry.id, time: entry.time, from: bob, to: Target::Person(ana) };
    let mut out = Vec::with_capacity(2 * SCRATCH);
    for n in 0..count {
        let (id, time) = (EntryId(entry.id.0 + 1), Millis(MOMENT + n as i64 / 100));
        (entry.id, entry.time, receipt.id, receipt.time) = (id, time, id, time);
        match kind {
            "OK-MSG" => Reply::Sent { verb: "MSG", id, time }.write(&mut out),
            "OK-ACK" => Reply::Moved { cursor, id: Some(id) }.write(&mut out),
            "OK-PING" => Reply::Pong(String::new()).write(&mut out),
            "MSG-event" => EntryLine::event(&entry).write(&mut out),
            "ACK-event" | "READ-event" => ReceiptLine::event(&receipt).write(&mut out),
            "HIST-row" => EntryLine::row(&entry).write(&mut out),
            _ => return Err(format!("no line is called {kind}").into()),
        }
        if out.len() > SCRATCH {
            black_box(&out);
            out.clear();
        }
    }
    black_box(out);
    Ok(())
}
