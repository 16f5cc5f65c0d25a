//! A subscription: a watching session whose lines are sent as events.
//!
//! Older entries come from the log, by `SYNC`, newer ones as they are pushed. Ids grow, so one number
//! says what has been sent, and entries up to it are skipped. While the log is being read, pushed
//! entries are skipped as well, since the log has them, and reading goes on until it has shown all
//! of them. So there is no gap, nothing comes twice, and nothing has to be buffered.

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use smol::Timer;

use super::answer::{Denial, head as answer_head};
use super::events::{Event, Format};
use super::link::{Link, final_of};
use super::since::Filter;
use super::stream_request::StreamRequest;
use super::topics::{Scope, Topic};
use super::websocket::{self, Frame, Opcode};
use super::{Fault, HttpConnection};
use crate::counters::Counters;
use crate::entry::{EntryId, Millis};
use crate::limits;
use crate::name::{Handle, Target};
use crate::wire::reply::Reply;
use crate::wire::rows::{Bye, EntryLine, LiveLine};

/// Checks that the account of a session may read a topic.
///
/// # Errors
/// It may not.
pub async fn check(link: &mut Link, topic: &Topic) -> Result<(), Denial> {
    let command = match &topic.scope {
        Scope::One(target) => format!("HIST {target} 1\n"),
        // What a token for one conversation may not do either.
        Scope::Everything => "WHOAMI\n".to_owned(),
    };
    link.send(command.as_bytes()).await?;
    link.reply().await.map(drop)
}

/// Serves the subscription to its end.
///
/// # Errors
/// It was refused before it began, or the peer is gone.
pub(super) async fn serve(asked: Box<StreamRequest>, on: &mut HttpConnection) -> Result<(), Fault> {
    // Boxed, both of them: what a stream takes to begin, it does not need any more then.
    let (mut stream, floor) = Box::pin(Subscription::open(on, asked)).await?;
    let open = OpenStream::new(stream.on.shared.services.counters.clone());
    let ended = stream.serve(floor).await;
    drop(open);
    stream.end(ended).await;
    Ok(())
}

/// Counts a subscription for as long as it is open.
struct OpenStream(Arc<Counters>);

impl OpenStream {
    fn new(counters: Arc<Counters>) -> OpenStream {
        counters.http_streams.add(1);
        OpenStream(counters)
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.http_streams.dec();
    }
}

/// Which entries of the log a subscriber wants.
pub(super) enum Floors {
    /// From these on, by conversation.
    Ids(HashMap<Target, EntryId>),
    /// From a time on.
    Time(Millis),
}

/// Why a stream ends.
enum StreamEnd {
    /// The peer is gone.
    Gone,
    /// The peer broke the rules.
    Broken,
    /// The peer has closed a WebSocket.
    Closed,
    /// The session has ended.
    Bye,
    /// Nothing more is to come.
    Finished,
}

impl From<Option<Bye>> for StreamEnd {
    fn from(_: Option<Bye>) -> StreamEnd {
        StreamEnd::Bye
    }
}

impl From<Denial> for StreamEnd {
    fn from(_: Denial) -> StreamEnd {
        StreamEnd::Bye
    }
}

/// What a subscription woke up for.
enum Occasion {
    /// A line of the session.
    Line(String),
    /// The peer has sent something.
    Input,
    /// A keepalive is due.
    Keepalive,
    /// A Ping is due.
    Ping,
}

pub(super) struct Subscription<'a> {
    pub(super) on: &'a mut HttpConnection,
    pub(super) link: Link,
    pub(super) topics: Box<[Topic]>,
    /// The topics, as they were asked for.
    names: Box<str>,
    /// What the addresses of files begin with.
    pub(super) base: Box<str>,
    pub(super) me: Handle,
    pub(super) filter: Option<Box<Filter>>,
    pub(super) format: Format,
    is_chunked: bool,
    is_poll: bool,
    /// Everything up to here has been sent.
    pub(super) upto: EntryId,
    /// The newest entry when the session began.
    pub(super) newest: EntryId,
    /// `None`: all of them.
    pub(super) floors: Option<Box<Floors>>,
    /// The newest event that was passed over, because the log has it.
    pub(super) passed_over: EntryId,
    /// Events are sent as they happen.
    is_live: bool,
    /// The last messages that were sent.
    pub(super) sent: VecDeque<SentNotice>,
    keepalive: Timer,
    /// Of a WebSocket.
    ping: Option<Box<Timer>>,
    /// Something has come from a WebSocket's peer since the last Ping.
    is_heard: bool,
    /// When a peer that takes nothing counts as gone.
    stalled: Option<Box<Timer>>,
    /// Lines taken since the last look for input.
    in_a_row: u8,
}

/// Sends an entry about a file. That is rare, and apart, since each stream would have the memory for
/// it.
pub(super) type FileShown<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// A message that was sent.
pub(super) struct SentNotice {
    pub(super) id: EntryId,
    /// Its conversation.
    pub(super) with: Target,
    /// The topic under which it came.
    pub(super) topic: usize,
    /// The mark that its text is of.
    pub(super) edit: Option<EntryId>,
    /// It is a file.
    pub(super) is_file: bool,
}

/// Lines that are taken before a look for input: a Pong may wait for so many.
const LINES_IN_A_ROW: u8 = 32;

impl Subscription<'_> {
    /// Begins a subscription, up to the head of the answer. Returns from where on the log is to be
    /// read, if it is.
    async fn open(
        on: &mut HttpConnection,
        asked: Box<StreamRequest>,
    ) -> Result<(Box<Subscription<'_>>, Option<EntryId>), Denial> {
        let link = on.open_session(&asked.login, "watch").await?;
        let StreamRequest { topics, names, base, login, since, filter, format, .. } = *asked;
        let (is_poll, is_chunked, keepalive) =
            (asked.is_poll, asked.is_chunked, on.shared.keepalive);
        let ping = (format == Format::WebSocket).then(|| Timer::interval(keepalive.ping));
        let mut stream = Box::new(Subscription {
            topics,
            names,
            base,
            me: login.handle,
            filter,
            format,
            is_chunked,
            is_poll,
            link,
            upto: EntryId(0),
            newest: EntryId(0),
            floors: None,
            passed_over: EntryId(0),
            is_live: false,
            sent: VecDeque::new(),
            keepalive: Timer::interval(keepalive.stream),
            ping: ping.map(Box::new),
            is_heard: true,
            stalled: None,
            in_a_row: 0,
            on,
        });
        stream.begin().await?;
        let floor = stream.look_up(since).await?;
        let out = &mut stream.on.stream;
        match asked.accepted {
            Some(accepted) => out.push(accepted.as_bytes()),
            None => {
                let chunked = if is_chunked { "Transfer-Encoding: chunked\r\n" } else { "" };
                let more = format!("{chunked}X-Accel-Buffering: no\r\n");
                out.push(answer_head(200, format.kind(), false, &more).as_bytes());
            }
        }
        out.disarm();
        Ok((stream, floor))
    }

    /// Reads up to `LIVE`, and checks the topics.
    async fn begin(&mut self) -> Result<(), Denial> {
        loop {
            let line = self.link.line().await?;
            if let Some(live) = LiveLine::parse(&line) {
                self.newest = live.newest;
                break;
            }
        }
        self.link.send(b"WHOAMI\n").await?;
        self.early_reply("WHOAMI").await??;
        for at in 0..self.topics.len() {
            if let Scope::One(target) = &self.topics[at].scope {
                let command = format!("HIST {target} 1\n");
                self.link.send(command.as_bytes()).await?;
                self.early_reply("HIST").await??;
            }
        }
        Ok(())
    }

    /// Sends what there is, then what happens.
    async fn serve(&mut self, floor: Option<EntryId>) -> Result<(), StreamEnd> {
        if !self.is_poll {
            self.sign("open");
        }
        let mut reads = floor.is_some();
        while reads || (self.passed_over > self.upto && !self.is_poll) {
            reads = Box::pin(self.read_log()).await?;
        }
        if self.is_poll {
            return Err(StreamEnd::Finished);
        }
        (self.is_live, self.floors) = (true, None);
        loop {
            let woken = self.wait().await?;
            let rest = self.handle(woken)?;
            if let Some(rest) = rest {
                rest.await;
            }
        }
    }

    /// Sends a page of the log. Returns whether there is more.
    async fn read_log(&mut self) -> Result<bool, StreamEnd> {
        let command = format!("SYNC {}\n", self.upto.0);
        self.link.send(command.as_bytes()).await?;
        loop {
            let rest = match self.wait().await? {
                Occasion::Line(line) => match final_of(&line, "SYNC") {
                    Some(Ok(Reply::Synced { last, more })) => {
                        self.upto = self.upto.max(last);
                        return Ok(more);
                    }
                    Some(_) => return Err(StreamEnd::Bye),
                    None if line.starts_with("HIST ") || line.starts_with("MARK ") => {
                        self.entry_line(&line)
                    }
                    None => self.line(&line),
                },
                woken => self.handle(woken)?,
            };
            if let Some(rest) = rest {
                rest.await;
            }
        }
    }

    /// Waits for the session, the peer or a timer. While much waits to be sent, no more lines are
    /// taken.
    async fn wait(&mut self) -> Result<Occasion, StreamEnd> {
        self.on.give_way().await;
        poll_fn(|cx| {
            let stream = &mut self.on.stream;
            while stream.pending() > 0 {
                match stream.poll_send(cx) {
                    Poll::Ready(Ok(())) => self.stalled = None,
                    Poll::Ready(Err(_)) => return Poll::Ready(Err(StreamEnd::Gone)),
                    Poll::Pending => break,
                }
            }
            if stream.pending() > 0 {
                let timer = || Box::new(Timer::after(limits::STALLED_TIME));
                let stalled = self.stalled.get_or_insert_with(timer);
                if Pin::new(stalled).poll(cx).is_ready() {
                    return Poll::Ready(Err(StreamEnd::Gone));
                }
            }
            let has_room = stream.pending() < limits::HTTP_PENDING;
            // To look for input is a system call, so not for each line.
            if self.in_a_row < LINES_IN_A_ROW && has_room {
                self.in_a_row += 1;
                if let Poll::Ready(line) = self.link.poll_line(cx) {
                    return Poll::Ready(Ok(Occasion::Line(line?)));
                }
            }
            self.in_a_row = 0;
            // Of a poll the end is known, so the peer may have ended its side.
            if !self.is_poll {
                match stream.poll_fill(cx) {
                    Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Err(StreamEnd::Gone)),
                    Poll::Ready(Ok(_)) => return Poll::Ready(Ok(Occasion::Input)),
                    Poll::Pending => {}
                }
            }
            if has_room && ticks(&mut self.keepalive, cx) {
                return Poll::Ready(Ok(Occasion::Keepalive));
            }
            if let Some(ping) = &mut self.ping
                && ticks(ping, cx)
            {
                return Poll::Ready(Ok(Occasion::Ping));
            }
            if has_room {
                return self.link.poll_line(cx).map(|line| Ok(Occasion::Line(line?)));
            }
            self.link.run(cx);
            // Its last words are not waited for.
            match self.on.admission.bye() {
                Some(_) => Poll::Ready(Err(StreamEnd::Bye)),
                None => Poll::Pending,
            }
        })
        .await
    }

    /// Not async, as a stream would hold the memory for that. What is returned is to be awaited.
    fn handle(&mut self, woken: Occasion) -> Result<Option<FileShown<'_>>, StreamEnd> {
        match woken {
            Occasion::Line(line) => return Ok(self.line(&line)),
            Occasion::Input => self.input()?,
            Occasion::Keepalive if self.is_poll => {}
            Occasion::Keepalive => {
                // A WebSocket has its Pings.
                if self.format != Format::WebSocket {
                    self.sign("keepalive");
                }
                // So that the session is not idle.
                self.link.try_send(b"PING\n");
            }
            Occasion::Ping => {
                if !std::mem::take(&mut self.is_heard) {
                    return Err(StreamEnd::Gone);
                }
                self.on.stream.push(&websocket::frame(Opcode::Ping, b""));
            }
        }
        Ok(None)
    }

    /// A line of the session that answers no command.
    fn line(&mut self, line: &str) -> Option<FileShown<'_>> {
        match line.split(' ').next() {
            Some("READ") => self.read(line),
            // The answers to `ACK` and `PING`.
            Some("OK" | "ERR") => {}
            _ if !self.is_live => self.pass_over(line),
            _ => return self.entry_line(line),
        }
        None
    }

    /// A line about an entry.
    fn entry_line(&mut self, line: &str) -> Option<FileShown<'_>> {
        self.entry(EntryLine::parse(line)?.entry.into_owned())
    }

    fn sign(&mut self, name: &'static str) {
        let now = self.on.shared.services.clock.now();
        self.push(&Event::sign(name, self.upto, now, &self.names));
    }

    pub(super) fn push(&mut self, event: &Event) {
        self.on.stream.push(&event.bytes(self.format, self.is_chunked));
    }

    /// What the peer has sent.
    fn input(&mut self) -> Result<(), StreamEnd> {
        self.is_heard = true;
        if self.format != Format::WebSocket {
            // Nothing more can be asked on this connection.
            self.on.stream.input = Vec::new();
            return Ok(());
        }
        let mut at = 0;
        while let Some((frame, length)) =
            websocket::parse(&self.on.stream.input[at..]).map_err(|()| StreamEnd::Broken)?
        {
            at += length;
            match frame {
                Frame::Close => return Err(StreamEnd::Closed),
                Frame::Data => {}
                // Whoever takes no answers gets none.
                Frame::Ping(_) if self.on.stream.pending() >= limits::HTTP_PENDING => {}
                Frame::Ping(payload) => {
                    self.on.stream.push(&websocket::frame(Opcode::Pong, &payload));
                }
                Frame::Pong(payload) => self.pong(&payload),
            }
        }
        self.on.stream.input = self.on.stream.input.split_off(at);
        Ok(())
    }

    /// A Pong with the id of a message says that the peer has it.
    fn pong(&mut self, payload: &[u8]) {
        let id = str::from_utf8(payload).ok().and_then(|id| id.parse().ok()).map(EntryId);
        let Some(id) = id.filter(|id| *id > EntryId(0) && *id <= self.upto) else { return };
        // Without room for it a later one says the same and more.
        self.link.try_send(format!("ACK {}\n", id.0).as_bytes());
    }

    /// Puts the end of the stream behind what waits to be sent.
    async fn end(&mut self, ended: Result<(), StreamEnd>) {
        let ended = ended.err().unwrap_or(StreamEnd::Finished);
        // What was asked for is sent to the end, however long the peer takes for it.
        if matches!(ended, StreamEnd::Finished) && self.on.stream.flush().await.is_err() {
            return;
        }
        let last = match (self.format, ended) {
            (_, StreamEnd::Gone) => return,
            (Format::WebSocket, StreamEnd::Broken) => websocket::close(websocket::BROKEN),
            (Format::WebSocket, StreamEnd::Bye) => websocket::close(websocket::AWAY),
            (Format::WebSocket, _) => websocket::close(1000),
            (_, _) if self.is_chunked => b"0\r\n\r\n".to_vec(),
            (_, _) => return,
        };
        self.on.stream.push(&last);
    }
}

/// Whether an interval is over.
fn ticks(timer: &mut Timer, cx: &mut Context) -> bool {
    use smol::stream::Stream;
    Pin::new(timer).poll_next(cx).is_ready()
}
