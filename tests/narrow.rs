//! A session on a narrow connection.

#[path = "narrow/mod.rs"]
mod narrow;

use std::io::Read;

use narrow::Narrow;
use papo::entry::{Clock, Millis};
use papo::hub::Work;

/// Serves one narrow connection to its end. What is typed is sent at once, what comes is read
/// little by little.
fn served(typed: &str) -> String {
    let mut served = Narrow::new(Clock::Still(Millis(0)));
    let (mut client, session) = served.session(typed);
    let (mut read, mut some) = (Vec::new(), [0; 1_024]);
    loop {
        match client.read(&mut some).expect("the connection is ended well") {
            0 => break,
            n => read.extend_from_slice(&some[..n]),
        }
    }
    session.join().unwrap();
    served.hub.ask(Work::End);
    // Each byte was counted, however it was cut.
    let counters = &served.counters;
    assert_eq!(counters.sent.get(), read.len() as u64);
    assert_eq!(counters.received.get(), typed.len() as u64);
    assert_eq!((counters.connections.get(), counters.sessions.get()), (1, 0));
    String::from_utf8(read).unwrap()
}

#[test]
fn quit_comes_after_all_that_was_asked_for() {
    const ROWS: usize = 100;
    let body = "x".repeat(3_000);
    let notes = format!("MSG ana {body}\n").repeat(ROWS);
    let read = served(&format!("REG ana secret-a\n{notes}HIST ana {ROWS}\nQUIT\n"));
    let lines: Vec<&str> = read.lines().collect();
    let end = ["OK HIST 100 end", "OK QUIT", "BYE quit"];
    assert_eq!(lines[lines.len() - 3..], end, "the last line is whole");
    assert_eq!(lines.iter().filter(|line| line.starts_with("HIST ")).count(), ROWS);
    assert_eq!(lines.len(), "HELLO REG LIVE".split(' ').count() + 2 * ROWS + end.len());
}
