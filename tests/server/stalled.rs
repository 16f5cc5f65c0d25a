//! A reader that takes nothing for a while: what expires or is deleted meanwhile is not sent to it.

use std::io::{BufRead, BufReader, Lines};
use std::net::TcpStream;
use std::sync::atomic::{AtomicI64, Ordering};

use papo::entry::Clock;
use papo::hub::{Retention, Work};

use crate::narrow::Narrow;

/// Messages that expire, of 2,000 bytes each: more than the sockets hold, and less than an outbox.
const SECRETS: usize = 100;

fn lines(narrow: &mut Narrow, typed: &str) -> Lines<BufReader<TcpStream>> {
    let (client, _) = narrow.session(typed);
    BufReader::with_capacity(1_024, client).lines()
}

fn done(narrow: &mut Narrow, typed: &str) {
    let last = lines(narrow, typed).last().unwrap().unwrap();
    assert_eq!(last, "BYE quit");
}

/// Ana writes what expires, edits the last of it, and writes two messages that do not: 104 and 105.
fn write(narrow: &mut Narrow) {
    let secret = format!("MSG bob secret {}\n", "x".repeat(2_000));
    let said = format!(
        "LOGIN ana secret-a\nEXPIRE bob 60\n{}EDIT {} secret, too\nEXPIRE bob -\nMSG bob secret\nMSG bob last\nQUIT\n",
        secret.repeat(SECRETS),
        SECRETS + 1,
    );
    done(narrow, &said);
}

/// What Bob is still sent of the secrets after their time, if he reads `typed`'s first `row` before
/// it and everything to the line that begins with `end` after it.
fn read(typed: &str, row: &str, end: &str, is_live: bool, now: &'static AtomicI64) -> Vec<String> {
    let mut narrow = Narrow::new(Clock::Told(now));
    for typed in ["REG bob secret-b\nQUIT\n", "REG ana secret-a\nQUIT\n"] {
        done(&mut narrow, typed);
    }
    if !is_live {
        write(&mut narrow);
    }
    let mut bob = lines(&mut narrow, typed);
    let mut next = || bob.next().unwrap().unwrap();
    if is_live {
        while !next().starts_with("LIVE ") {}
        write(&mut narrow);
    }
    while !next().starts_with(row) {}
    // While what waits before it is more than the sockets hold.
    done(&mut narrow, "LOGIN ana secret-a\nDEL 104\nQUIT\n");
    now.fetch_add(61_000, Ordering::SeqCst);
    let reader = Box::new(narrow.database.reader().unwrap());
    let mut keeper = Retention::new(narrow.hub.clone(), reader, Clock::Told(now), 0);
    while !keeper.pass().unwrap() {}
    let mut heard = Vec::new();
    while heard.last().is_none_or(|line: &String| !line.starts_with(end)) {
        heard.push(next());
        // Whenever the session began to wait, it has waited long by now.
        now.fetch_add(61_000, Ordering::SeqCst);
    }
    narrow.hub.ask(Work::End);
    heard
}

/// How many of these lines have a secret: those that the sockets had already.
fn secrets(heard: &[String]) -> usize {
    let has_secret = |line: &&String| line.contains(" secret");
    heard.iter().filter(has_secret).count()
}

#[test]
fn nobody_is_sent_what_expires_while_it_waits_for_the_socket() {
    static NOW: AtomicI64 = AtomicI64::new(0);
    for (typed, is_live) in [("LOGIN bob secret-b\n", true), ("LOGIN bob secret-b\n", false)] {
        let end = if is_live { "DEL 106 " } else { "LIVE " };
        let heard = read(typed, "MSG 2 ", end, is_live, &NOW);
        assert!(secrets(&heard) < SECRETS / 2);
        let ends =
            [if is_live { "DEL 106 " } else { "LIVE 105" }, "MSG 105 ", "GONE 104 ", "EXPIRE 103 "];
        for (line, start) in heard.iter().rev().zip(ends) {
            assert!(line.starts_with(start), "{line}");
        }
    }
}

#[test]
fn a_reply_keeps_the_number_of_its_rows() {
    static NOW: AtomicI64 = AtomicI64::new(0);
    let heard =
        read("LOGIN bob secret-b quiet\nHIST ana 200\n", "HIST 2 ", "OK HIST ", false, &NOW);
    assert!(secrets(&heard) < SECRETS / 2);
    let count = heard.len() - 1;
    assert_eq!(heard[count], format!("OK HIST {} end", count + 2), "and the two that came before");
    let time = "1970-01-01T00:00:00.000Z ana bob";
    assert_eq!(heard[count - 1], format!("HIST 105 {time} - last"));
    assert_eq!(heard[count - 2], format!("HIST 104 {time} kind=gone,del=106 -"));
    // Those that were read before and not written.
    assert!(heard.iter().any(|line| line.ends_with(" ana bob - -")));
}

/// A file of more bytes than the sockets hold.
const FILE_BYTES: usize = 1_000_000;

/// What Bob is still sent of a file of Ana's if he takes its first row, and the rest once `ends` has
/// been done to its message: the number of rows, and what follows them.
fn fetch(ends: impl FnOnce(&mut Narrow), now: &'static AtomicI64) -> (usize, String) {
    let mut narrow = Narrow::new(Clock::Told(now));
    for typed in ["REG bob secret-b\nQUIT\n", "REG ana secret-a\nQUIT\n"] {
        done(&mut narrow, typed);
    }
    let put = format!("PUT {}\n", "abcd".repeat(10_000));
    let file = put.repeat(FILE_BYTES / 30_000);
    done(&mut narrow, &format!("LOGIN ana secret-a\nEXPIRE bob 60\n{file}FILE bob a.txt\nQUIT\n"));
    let mut bob = lines(&mut narrow, "LOGIN bob secret-b quiet\nGET 2\n");
    let mut next = || bob.next().unwrap().unwrap();
    while !next().starts_with("DATA ") {}
    ends(&mut narrow);
    let mut rows = 1;
    let last = loop {
        let line = next();
        if !line.starts_with("DATA ") {
            break line;
        }
        rows += 1;
        now.fetch_add(61_000, Ordering::SeqCst);
    };
    narrow.hub.ask(Work::End);
    (rows, last)
}

#[test]
fn the_rest_of_a_file_that_was_deleted_is_not_sent() {
    static NOW: AtomicI64 = AtomicI64::new(0);
    let delete = |narrow: &mut Narrow| done(narrow, "LOGIN ana secret-a\nDEL 2\nQUIT\n");
    let (rows, last) = fetch(delete, &NOW);
    assert!(rows < 4, "{rows} rows of {}", FILE_BYTES / 49_152);
    assert_eq!(last, "ERR GET no-such-message 2: this message was deleted");
    let expire = |narrow: &mut Narrow| {
        NOW.fetch_add(61_000, Ordering::SeqCst);
        let reader = Box::new(narrow.database.reader().unwrap());
        let mut keeper = Retention::new(narrow.hub.clone(), reader, Clock::Told(&NOW), 0);
        while !keeper.pass().unwrap() {}
    };
    let (rows, last) = fetch(expire, &NOW);
    assert!(rows < 4, "{rows} rows of {}", FILE_BYTES / 49_152);
    assert_eq!(last, "ERR GET no-such-message 2: no message of yours has this id");
}
