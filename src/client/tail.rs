//! `papo tail`: prints events, one per line, for a pipe.
//!
//! An entry is acknowledged only when it has been taken ([`outlet`](super::outlet)), so it comes
//! again if this program dies earlier.

use std::future;
use std::io;
use std::pin::pin;
use std::time::{Duration, Instant};

use smol::future::FutureExt;
use smol::{Async, Timer};

use super::account::Credentials;
use super::acks::Acks;
use super::failure::Failure;
use super::feed::Feed;
use super::json::{self, Object};
use super::lines;
use super::outlet::{EntryRef, Outlet};
use super::{signals, stdout};
use crate::name::Target;
use crate::wire::reply::verb;
use crate::wire::request::first_word;
use crate::wire::rows::{EntryLine, LiveLine, ReceiptLine, ServerLine};

/// What to show, and how.
#[derive(Clone, Debug, Default)]
pub struct TailOptions {
    /// Only these conversations; empty means all.
    pub conversations: Vec<Target>,
    /// Every event, not only the messages of others.
    pub all: bool,
    /// As JSON.
    pub json: bool,
    /// Skip entries that were waiting, and acknowledge nothing: a conversation is acknowledged up to
    /// an entry, with those skipped.
    pub live: bool,
    /// End after this many lines.
    pub count: Option<u64>,
    /// End when all waiting entries were shown.
    pub waiting: bool,
    /// Fail after this many seconds.
    pub timeout: Option<u64>,
}

/// Shows events until standard output is closed, or the options end it.
///
/// # Errors
/// Any; an `Output` of status 0 if the reader of standard output has gone.
pub async fn tail(account: &Credentials, options: &TailOptions) -> Result<(), Failure> {
    let began = Instant::now();
    let begin = async {
        let (acks, since) = Acks::open(account).await?;
        acks.know(&options.conversations).await?;
        // Receipts are shown with all events, and a session that only watches is sent few.
        let feed = match options.live && !options.all {
            true => Feed::open_watching(account, since).await?,
            false => Feed::open(account, since).await?,
        };
        Ok((acks, feed, since))
    };
    let (acks, mut feed, since) = begin.or(time_is_up(options, began)).await?;
    if options.all {
        feed.show_receipts();
    }
    let mut tail =
        Tail { account, options, out: Outlet::new(&acks), is_live: !options.live, since, shown: 0 };
    let mut acknowledging = pin!(acks.run());
    let ended = tail
        .show(&mut feed)
        .or(reader_has_gone())
        .or(time_is_up(options, began))
        .or(signals::ended(false))
        .or(acknowledging.as_mut())
        .await;
    if matches!(ended, Err(Failure::Secret(_) | Failure::Refused(_))) {
        return ended;
    }
    feed.leave().await;
    // A reader that has gone still has what it took.
    tail.out.look();
    ended.and(acks.settle().or(acknowledging).await)
}

struct Tail<'a> {
    account: &'a Credentials,
    options: &'a TailOptions,
    out: Outlet<'a>,
    /// All waiting entries have come, or they are shown as well.
    is_live: bool,
    /// The newest id at the start.
    since: u64,
    /// Number of lines shown.
    shown: u64,
}

impl Tail<'_> {
    /// Shows events until the options end it and all lines were taken.
    async fn show(&mut self, feed: &mut Feed<'_>) -> Result<(), Failure> {
        let mut put_back = feed.put_back();
        loop {
            let Some(line) = self.next(feed).await? else { continue };
            if feed.put_back() != put_back {
                put_back = feed.put_back();
                self.out.forget();
            }
            let is_live = LiveLine::parse(&line).is_some();
            self.is_live |= is_live;
            self.take(line).await?;
            let is_enough = self.options.count.is_some_and(|count| self.shown >= count);
            if is_enough || (is_live && self.options.waiting) {
                break;
            }
            if !feed.has_more() {
                self.out.flush()?;
            }
        }
        self.out.flush()?;
        self.out.until_taken(0).await;
        Ok(())
    }

    /// The next event; `None` if the reader took all lines first.
    async fn next(&mut self, feed: &mut Feed<'_>) -> Result<Option<String>, Failure> {
        let line = async { feed.next().await.map(Some) };
        if self.out.is_empty() {
            return line.await;
        }
        // Gathered lines must not wait for an event that may never come.
        let taken = async {
            self.out.flush()?;
            self.out.until_taken(0).await;
            Ok(None)
        };
        line.or(taken).await
    }

    /// Shows an event if it is wanted.
    async fn take(&mut self, line: String) -> Result<(), Failure> {
        if let Some(entry) = EntryLine::parse(&line) {
            return self.take_entry(line, &entry).await;
        }
        if !self.options.all || !self.is_live {
            return Ok(());
        }
        if let Some(ReceiptLine(receipt)) = ReceiptLine::parse(&line) {
            let wanted = &self.options.conversations;
            // In a direct chat the account's own receipt names the other person in its `to`.
            if !lines::concerns(&receipt.from, &receipt.to, wanted, &self.account.handle) {
                return Ok(());
            }
        }
        let line = if self.options.json { as_json(&line) } else { line };
        self.write(&line, None).await
    }

    async fn take_entry(&mut self, line: String, known: &EntryLine<'_>) -> Result<(), Failure> {
        let (entry, me) = (&*known.entry, &self.account.handle);
        let (id, is_mine, is_message) =
            (entry.id.number(), lines::is_own(entry, me), lines::is_message(entry));
        let is_wanted = self.options.all || (is_message && !is_mine);
        // After the first `LIVE` everything is news, even in a log that was put back.
        let is_old = self.options.live && !self.is_live && id <= self.since;
        let is_in = lines::concerns(&entry.from, &entry.to, &self.options.conversations, me);
        // A device is sent the account's own entries from elsewhere until it acknowledges them.
        let is_due = !self.options.live && (!is_mine || self.account.device.is_some());
        let mark = is_due.then(|| (lines::conversation_of(entry, me).to_string(), id));
        if is_old || !is_in {
            return Ok(());
        }
        if !is_wanted {
            // Else it would come again at each login.
            if let Some(mark) = mark {
                self.out.pass(mark);
            }
            return Ok(());
        }
        let line = if self.options.json {
            json::entry(known, Some(known.word()).filter(|_| !is_message))
        } else {
            line
        };
        self.write(&line, mark).await
    }

    async fn write(&mut self, line: &str, mark: Option<EntryRef>) -> Result<(), Failure> {
        self.shown += 1;
        self.out.write(line, mark).await
    }
}

async fn time_is_up<T>(options: &TailOptions, began: Instant) -> Result<T, Failure> {
    let Some(seconds) = options.timeout else { return future::pending().await };
    Timer::at(began + Duration::from_secs(seconds)).await;
    let unit = if seconds == 1 { "second" } else { "seconds" };
    Err(Failure::TimedOut(format!("timed out after {seconds} {unit}")))
}

/// The JSON of an event that is no entry.
fn as_json(line: &str) -> String {
    let event = |word| Object::new().text("event", word);
    match ServerLine::parse(line) {
        Some(ServerLine::Receipt(ReceiptLine(receipt))) => {
            let object = event(verb(receipt.cursor)).bare("id", receipt.id.number());
            let object = object.time("time", receipt.time).text("from", receipt.from.as_str());
            object.text("to", &receipt.to.to_string())
        }
        Some(ServerLine::Live(live)) => event("LIVE").bare("id", live.newest.number()),
        Some(ServerLine::Notice(notice)) => {
            event("NOTICE").time("time", notice.time).text("body", &notice.text)
        }
        Some(ServerLine::Bye(bye)) => event("BYE").text("reason", bye.reason),
        _ => event(first_word(line)).text("line", line),
    }
    .end()
}

/// Returns when standard output is a pipe without a reader: `papo tail | head -n 1` should end
/// after that line, not with the next message.
async fn reader_has_gone<T>() -> Result<T, Failure> {
    // The writing end becomes readable only when the pipe is broken.
    if stdout::is_pipe()
        && let Ok(out) = Async::new_nonblocking(io::stdout())
        && out.readable().await.is_ok()
    {
        return Err(Failure::Output(io::ErrorKind::BrokenPipe.into()));
    }
    future::pending().await
}
