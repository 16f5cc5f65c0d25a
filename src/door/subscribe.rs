//! A subscription: a watching session whose lines are sent as events.
//!
//! Older entries come from the log, by `SYNC`, newer ones as they are pushed. Ids grow, so one number
//! says what has been sent, and entries up to it are skipped. While the log is being read, pushed
//! entries are skipped as well, since the log has them, and reading goes on until it has shown all
//! of them. So there is no gap, nothing comes twice, and nothing has to be buffered.

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use smol::Timer;

use super::answer::{Denial, head as answer_head};
use super::events::{Event, Format, Shown};
use super::link::{Link, final_of};
use super::notice::read_priority;
use super::publish::written_id;
use super::request::Head;
use super::since::{Filter, Since};
use super::topics::{Subject, Topic, fitting};
use super::websocket::{self, Frame, Opcode};
use super::{Fault, HttpConnection, Outcome, who};
use crate::entry::{Cursor, Entry, EntryId, EntryKind, Millis};
use crate::limits;
use crate::name::{Handle, Target};
use crate::session::peer;
use crate::wire::reply::Reply;
use crate::wire::rows::{Bye, EntryLine, LiveLine, ReceiptLine};

/// Checks that the account of a session may read a topic.
///
/// # Errors
/// It may not.
pub async fn check(link: &mut Link, topic: &Topic) -> Result<(), Denial> {
    let command = match &topic.subject {
        Subject::One(target) => format!("HIST {target} 1\n"),
        // What a token for one conversation may not do either.
        Subject::Everything => "WHOAMI\n".to_owned(),
    };
    link.send(command.as_bytes()).await?;
    link.reply().await.map(drop)
}

/// Serves a subscription to its end.
pub(super) async fn run(
    on: &mut HttpConnection,
    head: &Head,
    names: &str,
    format: Format,
) -> Result<Outcome, Fault> {
    let topics = Topic::list(names)?;
    let may_be_asked = matches!(format, Format::Sse | Format::WebSocket);
    let login = who::login(head, may_be_asked, &on.shared.services, on.origin).await?;
    let accepted = match format {
        Format::WebSocket => Some(websocket::accept(head)?),
        _ => None,
    };
    let now = on.shared.services.clock.now();
    let is_poll = head.flag(&["x-poll", "poll", "po"]);
    let (since, filter) = (Since::of(head, is_poll, now)?, Filter::of(head)?);
    let link = Link::log_in(&mut on.admission, &login, "watch").await?;
    let keepalive = on.shared.keepalive;
    let mut stream = Subscription {
        topics,
        names,
        me: login.handle,
        filter,
        format,
        is_chunked: head.is_modern,
        is_poll,
        link,
        upto: EntryId(0),
        newest: EntryId(0),
        floors: Floors::None,
        passed_over: EntryId(0),
        is_live: false,
        sent: VecDeque::new(),
        keepalive: Timer::interval(keepalive.stream),
        ping: Timer::interval(keepalive.ping),
        is_heard: true,
        stalled: None,
        in_a_row: 0,
        on,
    };
    stream.begin().await?;
    let floor = stream.look_up(since).await?;
    match accepted {
        Some(accepted) => stream.on.stream.push(accepted.as_bytes()),
        None => {
            let chunked = if head.is_modern { "Transfer-Encoding: chunked\r\n" } else { "" };
            let more = format!("{chunked}X-Accel-Buffering: no\r\n");
            let begin = answer_head(200, format.kind(), false, &more);
            stream.on.stream.push(begin.as_bytes());
        }
    }
    let ended = stream.serve(floor).await;
    stream.end(ended).await;
    Ok(Outcome::Done)
}

/// Which entries of the log a subscriber wants.
pub(super) enum Floors {
    /// All of them.
    None,
    /// From these on, by conversation.
    Ids(HashMap<Target, EntryId>),
    /// From a time on.
    Time(Millis),
}

/// Why a stream ends.
enum Ended {
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

impl From<Option<Bye>> for Ended {
    fn from(_: Option<Bye>) -> Ended {
        Ended::Bye
    }
}

impl From<Denial> for Ended {
    fn from(_: Denial) -> Ended {
        Ended::Bye
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
    on: &'a mut HttpConnection,
    pub(super) link: Link,
    pub(super) topics: Vec<Topic>,
    /// The topics, as they were asked for.
    names: &'a str,
    pub(super) me: Handle,
    filter: Filter,
    format: Format,
    is_chunked: bool,
    is_poll: bool,
    /// Everything up to here has been sent.
    pub(super) upto: EntryId,
    /// The newest entry when the session began.
    pub(super) newest: EntryId,
    pub(super) floors: Floors,
    /// The newest event that was passed over, because the log has it.
    pub(super) passed_over: EntryId,
    /// Events are sent as they happen.
    is_live: bool,
    /// The last messages that were sent: their conversation, and the topic under which they came.
    sent: VecDeque<(EntryId, Target, usize)>,
    keepalive: Timer,
    ping: Timer,
    /// Something has come from a WebSocket's peer since the last Ping.
    is_heard: bool,
    /// When a peer that takes nothing counts as gone.
    stalled: Option<Timer>,
    /// Lines taken since the last look for input.
    in_a_row: usize,
}

/// Lines that are taken before a look for input: a Pong may wait for so many.
const LINES_IN_A_ROW: usize = 32;

impl Subscription<'_> {
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
            if let Subject::One(target) = &self.topics[at].subject {
                let command = format!("HIST {target} 1\n");
                self.link.send(command.as_bytes()).await?;
                self.early_reply("HIST").await??;
            }
        }
        Ok(())
    }

    /// Sends what there is, then what happens.
    async fn serve(&mut self, floor: Option<EntryId>) -> Result<(), Ended> {
        if !self.is_poll {
            self.sign("open");
        }
        let mut reads = floor.is_some();
        while reads || (self.passed_over > self.upto && !self.is_poll) {
            reads = self.read_log().await?;
        }
        if self.is_poll {
            return Err(Ended::Finished);
        }
        self.is_live = true;
        loop {
            let woken = self.wait().await?;
            self.handle(woken).await?;
        }
    }

    /// Sends a page of the log. Returns whether there is more.
    async fn read_log(&mut self) -> Result<bool, Ended> {
        let command = format!("SYNC {}\n", self.upto.0);
        self.link.send(command.as_bytes()).await?;
        loop {
            match self.wait().await? {
                Occasion::Line(line) => match final_of(&line, "SYNC") {
                    Some(Ok(Reply::Synced { last, more })) => {
                        self.upto = self.upto.max(last);
                        return Ok(more);
                    }
                    Some(_) => return Err(Ended::Bye),
                    None if line.starts_with("HIST ") => {
                        if let Some(line) = EntryLine::parse(&line) {
                            self.entry(&line.entry);
                        }
                    }
                    None => self.line(&line),
                },
                woken => self.handle(woken).await?,
            }
        }
    }

    /// Waits for the session, the peer or a timer. While much waits to be sent, no more lines are
    /// taken.
    async fn wait(&mut self) -> Result<Occasion, Ended> {
        self.on.give_way().await;
        poll_fn(|cx| {
            let stream = &mut self.on.stream;
            while stream.pending() > 0 {
                match stream.poll_send(cx) {
                    Poll::Ready(Ok(())) => self.stalled = None,
                    Poll::Ready(Err(_)) => return Poll::Ready(Err(Ended::Gone)),
                    Poll::Pending => break,
                }
            }
            if stream.pending() > 0 {
                let stalled =
                    self.stalled.get_or_insert_with(|| Timer::after(limits::STALLED_TIME));
                if Pin::new(stalled).poll(cx).is_ready() {
                    return Poll::Ready(Err(Ended::Gone));
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
                    Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Err(Ended::Gone)),
                    Poll::Ready(Ok(_)) => return Poll::Ready(Ok(Occasion::Input)),
                    Poll::Pending => {}
                }
            }
            if has_room && ticks(&mut self.keepalive, cx) {
                return Poll::Ready(Ok(Occasion::Keepalive));
            }
            if self.format == Format::WebSocket && ticks(&mut self.ping, cx) {
                return Poll::Ready(Ok(Occasion::Ping));
            }
            if has_room {
                return self.link.poll_line(cx).map(|line| Ok(Occasion::Line(line?)));
            }
            self.link.run(cx);
            // Its last words are not waited for.
            match self.on.admission.bye() {
                Some(_) => Poll::Ready(Err(Ended::Bye)),
                None => Poll::Pending,
            }
        })
        .await
    }

    async fn handle(&mut self, woken: Occasion) -> Result<(), Ended> {
        match woken {
            Occasion::Line(line) => self.line(&line),
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
                    return Err(Ended::Gone);
                }
                self.on.stream.push(&websocket::frame(Opcode::Ping, b""));
            }
        }
        Ok(())
    }

    /// A line of the session that answers no command.
    fn line(&mut self, line: &str) {
        match line.split(' ').next() {
            Some("MSG" | "GROUP") if self.is_live => {
                if let Some(line) = EntryLine::parse(line) {
                    self.entry(&line.entry);
                }
            }
            Some("MSG" | "GROUP") => self.pass_over(line),
            Some("READ") => self.read(line),
            // The answers to `ACK` and `PING`.
            _ => {}
        }
    }

    /// Sends an entry, if it is wanted.
    fn entry(&mut self, entry: &Entry) {
        if entry.id <= self.upto {
            return;
        }
        self.upto = entry.id;
        let with = peer(&self.me, &entry.from, &entry.to);
        let is_wanted = entry.id > self.newest
            || match &self.floors {
                Floors::None => true,
                Floors::Ids(floors) => floors.get(&with).is_some_and(|floor| entry.id >= *floor),
                Floors::Time(time) => entry.time >= *time,
            };
        if entry.kind != EntryKind::Message || !is_wanted {
            return;
        }
        let Some(at) = fitting(&self.topics, &self.me, &with, &entry.from) else { return };
        let topic = &self.topics[at];
        let (priority, text) = read_priority(&entry.body);
        // What I said myself makes no sound, unless it is a note.
        let is_own = entry.from == self.me && with != Target::Person(self.me.clone());
        let priority = if is_own { 1 } else { priority };
        let title = match (&topic.subject, &entry.to) {
            (Subject::Everything, Target::Group(name)) => format!("#{name}: {}", entry.from),
            _ => entry.from.to_string(),
        };
        if !self.filter.wants(&written_id(entry.id), &title, text, priority) {
            return;
        }
        let keep = i64::try_from(self.on.shared.keep).unwrap_or_default();
        let expires = (keep > 0).then(|| Millis(entry.time.0 + keep * 86_400_000));
        let (id, time) = (entry.id, entry.time);
        let topic = &*topic.spelled;
        let shown = Shown { id, time, topic, title: &title, text, priority, expires };
        self.push(&Event::message(&shown));
        if self.format == Format::WebSocket {
            let payload = written_id(id);
            self.on.stream.push(&websocket::frame(Opcode::Ping, payload.as_bytes()));
        }
        self.sent.push_back((id, with, at));
        if self.sent.len() > limits::HTTP_CLEARABLE {
            self.sent.pop_front();
        }
    }

    /// Clears the notices of what was read on another device.
    fn read(&mut self, line: &str) {
        let Some(ReceiptLine(receipt)) = ReceiptLine::parse(line) else { return };
        if receipt.from != self.me || receipt.cursor != Cursor::Read {
            return;
        }
        let is_read =
            |(id, with, _): &(EntryId, Target, usize)| *with == receipt.to && *id <= receipt.id;
        let (read, rest): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut self.sent).into_iter().partition(is_read);
        self.sent = rest;
        for (id, _, at) in read {
            let topic = self.topics[at].spelled.clone();
            self.push(&Event::clear(self.upto, receipt.time, &topic, id));
        }
    }

    fn sign(&mut self, name: &'static str) {
        let now = self.on.shared.services.clock.now();
        self.push(&Event::sign(name, self.upto, now, self.names));
    }

    fn push(&mut self, event: &Event) {
        self.on.stream.push(&event.bytes(self.format, self.is_chunked));
    }

    /// What the peer has sent.
    fn input(&mut self) -> Result<(), Ended> {
        self.is_heard = true;
        if self.format != Format::WebSocket {
            // Nothing more can be asked on this connection.
            self.on.stream.input = Vec::new();
            return Ok(());
        }
        loop {
            match websocket::take(&mut self.on.stream.input) {
                Err(()) => return Err(Ended::Broken),
                Ok(None) => return Ok(()),
                Ok(Some(Frame::Close)) => return Err(Ended::Closed),
                Ok(Some(Frame::Data)) => {}
                Ok(Some(Frame::Ping(payload))) => {
                    // Whoever takes no answers gets none.
                    if self.on.stream.pending() < limits::HTTP_PENDING {
                        self.on.stream.push(&websocket::frame(Opcode::Pong, &payload));
                    }
                }
                Ok(Some(Frame::Pong(payload))) => self.pong(&payload),
            }
        }
    }

    /// A Pong with the id of a message says that the peer has it.
    fn pong(&mut self, payload: &[u8]) {
        let id = str::from_utf8(payload).ok().and_then(|id| id.parse().ok()).map(EntryId);
        let Some(id) = id.filter(|id| *id > EntryId(0) && *id <= self.upto) else { return };
        // Without room for it a later one says the same and more.
        self.link.try_send(format!("ACK {}\n", id.0).as_bytes());
    }

    /// Puts the end of the stream behind what waits to be sent.
    async fn end(&mut self, ended: Result<(), Ended>) {
        let ended = ended.err().unwrap_or(Ended::Finished);
        // What was asked for is sent to the end, however long the peer takes for it.
        if matches!(ended, Ended::Finished) && self.on.stream.flush().await.is_err() {
            return;
        }
        let last = match (self.format, ended) {
            (_, Ended::Gone) => return,
            (Format::WebSocket, Ended::Broken) => websocket::close(websocket::BROKEN),
            (Format::WebSocket, Ended::Bye) => websocket::close(websocket::AWAY),
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
