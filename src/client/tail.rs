//! `papo tail`: what comes, one line each, for a pipe to read.
//!
//! An entry is acknowledged when it is written out and not sooner, so whatever ends this program in
//! between, the entry comes again and is not lost. The server carries nothing out behind a log-in
//! before all that waited was sent, so acknowledgements go over a session of their own.

use std::collections::BTreeMap;
use std::future;
use std::io::{self, BufWriter, Stdout, Write};

use rustix::fs::{FileType, fstat};
use smol::Async;
use smol::future::FutureExt;

use super::account::Account;
use super::desk::Desk;
use super::failure::Failure;
use super::feed::Feed;
use super::json::{self, Object};
use super::lines::{self, Entry};
use crate::name::Target;

/// Lines that are read at most before what was written is acknowledged, where they come without a
/// pause.
const BURST: usize = 100;

/// What is shown, and how.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// These conversations; none named means all.
    pub conversations: Vec<Target>,
    /// Every event, and not only the messages of others.
    pub all: bool,
    /// As JSON.
    pub json: bool,
    /// Nothing of what waited when it began.
    pub live: bool,
}

/// Shows what comes until standard output takes no more.
///
/// # Errors
/// Any; where the reader of standard output has gone, an `Output` of status 0.
pub async fn tail(account: &Account, options: &Options) -> Result<(), Failure> {
    let mut tail = Tail {
        account,
        options,
        out: BufWriter::new(io::stdout()),
        is_live: !options.live,
        newest: 0,
        unacknowledged: BTreeMap::new(),
        burst: 0,
    };
    let mut feed = Feed::open(account).await?;
    let mut desk = Desk::patient(account);
    loop {
        let line = feed.next().or(reader_has_gone()).await?;
        tail.take(&line)?;
        tail.burst += 1;
        if !feed.has_more() || tail.burst >= BURST {
            tail.out.flush().map_err(Failure::Output)?;
            // Even if the reader has gone after it took this: it has it.
            tail.acknowledge(&mut desk).await?;
        }
    }
}

struct Tail<'a> {
    account: &'a Account,
    options: &'a Options,
    out: BufWriter<Stdout>,
    /// What comes now is shown. With `live` it is not so before the first `LIVE`.
    is_live: bool,
    /// The highest id that was shown. Ids only grow, so what comes again is not above it.
    newest: u64,
    /// What is written and not acknowledged: the last id of each conversation.
    unacknowledged: BTreeMap<String, u64>,
    /// Lines read since the last acknowledgement.
    burst: usize,
}

impl Tail<'_> {
    /// Shows an event, if it is one that is wanted.
    fn take(&mut self, line: &str) -> Result<(), Failure> {
        let verb = lines::first_word(line);
        if verb == "LIVE" {
            self.is_live = true;
        }
        if matches!(verb, "MSG" | "GROUP") {
            return Entry::parse(line).map_or(Ok(()), |entry| self.take_entry(line, &entry));
        }
        if !self.options.all || !self.is_live {
            return Ok(());
        }
        if matches!(verb, "ACK" | "READ") {
            let words: Vec<&str> = line.split(' ').collect();
            let [_, _, _, from, to] = words[..] else { return Ok(()) };
            let wanted = &self.options.conversations;
            // In a direct chat a receipt of one's own names the other party in its `to`.
            if !lines::concerns(from, to, wanted, &self.account.handle) {
                return Ok(());
            }
        }
        self.write(&if self.options.json { as_json(line) } else { line.to_owned() })
    }

    fn take_entry(&mut self, line: &str, entry: &Entry) -> Result<(), Failure> {
        let me = &self.account.handle;
        let is_mine = entry.from == me.as_str();
        let is_wanted = self.options.all || (entry.is_message() && !is_mine);
        if !is_wanted || !self.is_live || !entry.is_in(&self.options.conversations, me) {
            return Ok(());
        }
        if entry.id > self.newest {
            self.newest = entry.id;
            if self.options.json {
                let event = Some(entry.verb.as_str()).filter(|_| !entry.is_message());
                self.write(&json::entry(entry, event))?;
            } else {
                self.write(line)?;
            }
        }
        // What came again was not acknowledged, or that was lost with the server.
        if !is_mine {
            self.unacknowledged.insert(entry.conversation().to_owned(), entry.id);
        }
        Ok(())
    }

    fn write(&mut self, line: &str) -> Result<(), Failure> {
        writeln!(self.out, "{line}").map_err(Failure::Output)
    }

    async fn acknowledge(&mut self, desk: &mut Desk<'_>) -> Result<(), Failure> {
        self.burst = 0;
        while let Some((_, id)) = self.unacknowledged.pop_first() {
            match desk.ask(&format!("ACK {id}")).await {
                // Forgotten by the server meanwhile, so it does not come again.
                Ok(_) | Err(Failure::Refused(_)) => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}

/// An event that is no entry.
fn as_json(line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let object = Object::new().text("event", words[0]);
    match words[..] {
        [_, id, time, from, to] => {
            let object = object.bare("id", json::number(id)).text("time", time);
            object.text("from", from).text("to", to)
        }
        ["LIVE", id] => object.bare("id", json::number(id)),
        [_, reason] => object.text("reason", reason),
        _ => object.text("line", line),
    }
    .end()
}

/// Ends when standard output is a pipe that nobody reads any more: `papo tail | head -n 1` is to be
/// over after that line, and not with the next message.
async fn reader_has_gone<T>() -> Result<T, Failure> {
    let is_pipe = fstat(io::stdout())
        .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Fifo);
    // The end that is written to becomes readable only when it is broken.
    if is_pipe
        && let Ok(out) = Async::new_nonblocking(io::stdout())
        && out.readable().await.is_ok()
    {
        return Err(Failure::Output(io::ErrorKind::BrokenPipe.into()));
    }
    future::pending().await
}
