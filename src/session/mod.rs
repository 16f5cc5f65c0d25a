//! One connection, one task: bytes in, commands on, replies and events out.
//!
//! The task waits in one place for whichever comes first: something in its outbox, something to
//! read, room to write, a deadline. It reads on while earlier commands wait for their commit, up to
//! a bound, and holds no buffer while nothing happens. Commands that change something go to the hub
//! and are answered in the outbox; every other command waits until those are answered and is
//! carried out here (`commands`), so replies keep the order of the commands. What waited for an
//! account, and what a slow reader missed, is paged from the log (`catchup`).

mod answer;
mod catchup;
mod commands;
mod intake;
mod output;
mod questions;
mod secrets;
mod seen;
mod stream;
mod tokens;

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use smol::Timer;
use smol::future::FutureExt;

pub use stream::Stream;

use crate::chat::Act;
use crate::counters::Counters;
use crate::entry::{AccountId, Clock, MoveNumber, SessionId, TokenId};
use crate::hub::{Hub, Work};
use crate::limits;
use crate::name::{Handle, Target};
use crate::origin::Origin;
use crate::outbox::{Behind, Item, Outbox};
use crate::password::Hasher;
use crate::readers::Readers;
use crate::store::Walk;
use crate::wire::line::Lines;
use crate::wire::refusal::Refusal;
use crate::wire::reply::{self, Bye};
use intake::{Held, Stop};
use output::Output;
use seen::Seen;

thread_local! {
    /// What is read or written in one go. It belongs to the thread, since nothing stays in it.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; limits::SCRATCH]);
}

/// What all sessions share.
pub struct Services {
    /// Where changes are decided.
    pub hub: Hub,
    /// Where the log is read.
    pub readers: Readers,
    /// Where secrets are hashed.
    pub hasher: Hasher,
    /// What is counted.
    pub counters: Arc<Counters>,
    /// What time it is.
    pub clock: Clock,
    /// Time without a byte after which a logged-in client is sent away.
    pub idle: Option<Duration>,
}

/// One connection.
pub struct Session {
    id: SessionId,
    services: Arc<Services>,
    stream: Stream,
    /// Where it comes from.
    origin: Origin,
    outbox: Arc<Outbox>,
    lines: Lines,
    output: Output,
    /// The account it belongs to, once it does.
    me: Option<Box<Me>>,
    mode: Mode,
    /// A command that waits until all before it are answered.
    held: Option<Box<Held>>,
    /// Commands that the hub has not answered, and their size in bytes.
    unanswered: usize,
    unanswered_bytes: usize,
    /// Runs while the session waits for others, and with it all later commands.
    patience: Option<Box<Timer>>,
    /// The client has said that nothing more will come.
    ended: bool,
    deadline: Option<Box<(Timer, Bye)>>,
}

/// However a session ends, by a bug or with the whole server, its account is given up.
impl Drop for Session {
    fn drop(&mut self) {
        self.leave();
        self.services.counters.sessions.take();
    }
}

/// What a session knows of the account it belongs to.
struct Me {
    account: AccountId,
    handle: Handle,
    /// What is written to the socket counts as delivered.
    auto: bool,
    /// The token it was opened with, if not the password.
    token: Option<TokenId>,
    /// Receipts are wanted.
    receipts: bool,
    /// What it was shown, once it was shown something.
    seen: Option<Box<Seen>>,
    /// All receipts up to this move were sent.
    moves: MoveNumber,
    /// Where the log has to be read on from, and up to where there is something.
    behind: Option<Box<Lag>>,
}

/// A session that is served from the log.
struct Lag {
    at: Behind,
    upto: Behind,
    /// How it is read on, once that has begun.
    walk: Option<Walk>,
}

/// How a line is understood.
enum Mode {
    /// As a command.
    Commands,
    /// As a text for someone, unless it begins with a slash.
    Talk(Target),
    /// As a text for someone, whatever it says.
    Raw(Target),
    /// As a text that cannot be sent, for this reason: what follows a refused `TALK … raw` was
    /// never meant as commands.
    Refused(Box<Refusal>),
}

/// Why a session is over.
enum End {
    /// The connection is gone.
    Lost(io::Error),
    /// The client has ended its input and been sent all that was due.
    Finished,
    /// The server ends it.
    Bye(Bye),
}

impl From<io::Error> for End {
    fn from(e: io::Error) -> End {
        End::Lost(e)
    }
}

/// What a session waited for.
#[derive(Default)]
struct Ready {
    readable: bool,
    deadline: Option<Bye>,
}

impl Session {
    /// A session on a connection that was accepted.
    pub fn new(
        id: SessionId,
        services: Arc<Services>,
        stream: Stream,
        origin: Origin,
        outbox: Arc<Outbox>,
    ) -> Box<Session> {
        services.counters.connections.add(1);
        services.counters.sessions.add(1);
        Box::new(Session {
            id,
            services,
            stream,
            origin,
            outbox,
            lines: Lines::default(),
            output: Output::default(),
            me: None,
            mode: Mode::Commands,
            held: None,
            unanswered: 0,
            unanswered_bytes: 0,
            patience: None,
            ended: false,
            deadline: None,
        })
    }

    /// Serves the connection to its end. Boxed, since a future holds what it is given twice.
    pub async fn run(mut self: Box<Self>) {
        self.set_deadline(limits::LOGIN_TIME, Bye::LoginTimeout);
        self.say(reply::hello);
        let Err(end) = self.serve().await;
        match end {
            End::Lost(e) => {
                log::debug!("session {}: connection lost: {e}", self.id.0);
            }
            End::Finished => {}
            End::Bye(bye) => {
                log::debug!("session {}: bye {}", self.id.0, bye.reason());
                let farewell = Box::pin(self.farewell(bye));
                let time = limits::FAREWELL_TIME + limits::LINGER_TIME;
                let late = async {
                    Timer::after(time).await;
                };
                farewell.or(late).await;
            }
        }
    }

    async fn serve(&mut self) -> Result<std::convert::Infallible, End> {
        loop {
            self.write()?;
            let stop = self.work().await?;
            self.write()?;
            // What was just written may have been what the next command waited for.
            if match stop {
                Stop::Turn => self.unanswered == 0,
                Stop::Window => self.has_window(),
                Stop::Input => false,
            } {
                continue;
            }
            if self.output.is_empty() {
                if self.me.as_ref().is_some_and(|me| me.behind.is_some()) && !self.ended {
                    Box::pin(self.page()).await?;
                    continue;
                }
                let done = self.ended && self.held.is_none() && self.unanswered == 0;
                if done && self.lines.is_empty() {
                    return Err(End::Finished);
                }
            }
            let may_read = !self.ended && self.held.is_none() && self.has_window();
            let ready = self.wait(may_read).await?;
            if let Some(bye) = ready.deadline.or(self.outbox.bye()) {
                return Err(End::Bye(bye));
            }
            if ready.readable {
                self.read()?;
            }
        }
    }

    /// Whether another command may be taken on.
    fn has_window(&self) -> bool {
        self.patience.is_none()
            && self.unanswered < limits::UNCONFIRMED
            && self.unanswered_bytes < limits::UNCONFIRMED_BYTES
            && self.output.len() < limits::OUTBOX
    }

    /// The one place where a session waits for the world.
    async fn wait(&mut self, read: bool) -> io::Result<Ready> {
        poll_fn(|cx| {
            let mut ready = Ready::default();
            // What was put in matters once what was taken before is written, a goodbye at once.
            let stirred = self.outbox.register(cx.waker());
            let mut woken = (stirred && self.output.is_empty()) || self.outbox.bye().is_some();
            if read && self.stream.poll_readable(cx)?.is_ready() {
                ready.readable = true;
                woken = true;
            }
            if !self.output.is_empty() && self.stream.poll_writable(cx)?.is_ready() {
                woken = true;
            }
            if let Some(deadline) = &mut self.deadline
                && Pin::new(&mut deadline.0).poll(cx).is_ready()
            {
                ready.deadline = Some(deadline.1);
                woken = true;
            }
            if let Some(patience) = &mut self.patience
                && Pin::new(&mut **patience).poll(cx).is_ready()
            {
                // The answer comes through the outbox, as that of any other act.
                self.services.hub.ask(Work::Unwatch { session: self.id });
                **patience = Timer::never();
            }
            if woken { Poll::Ready(Ok(ready)) } else { Poll::Pending }
        })
        .await
    }

    fn read(&mut self) -> Result<(), End> {
        let read = SCRATCH.with_borrow_mut(|scratch| -> io::Result<Option<usize>> {
            let read = self.stream.read(scratch)?;
            if let Some(n) = read {
                self.lines.push(&scratch[..n]);
            }
            Ok(read)
        })?;
        match read {
            None => {}
            Some(0) => self.ended = true,
            Some(n) => {
                self.services.counters.received.add(n as u64);
                if let (Some(time), Some(_)) = (self.services.idle, &self.me) {
                    self.set_deadline(time, Bye::Idle);
                }
            }
        }
        Ok(())
    }

    fn set_deadline(&mut self, time: Duration, bye: Bye) {
        self.deadline = Some(Box::new((Timer::after(time), bye)));
    }

    /// Waits until the output is written, or the session is to end.
    async fn flush(&mut self) -> Result<(), End> {
        loop {
            self.write_output()?;
            if self.output.is_empty() {
                return Ok(());
            }
            let ready = poll_fn(|cx| match self.poll_over(cx) {
                Some(bye) => Poll::Ready(Err(End::Bye(bye))),
                None => self.stream.poll_writable(cx).map(|ready| ready.map_err(End::Lost)),
            });
            ready.await?;
        }
    }

    /// Why the session is to end while it waits for one thing only, if it is. Wakes for that, too.
    fn poll_over(&mut self, cx: &mut Context) -> Option<Bye> {
        self.outbox.register(cx.waker());
        let deadline = self.deadline.as_deref_mut();
        let late =
            |(timer, bye): &mut (Timer, Bye)| Pin::new(timer).poll(cx).is_ready().then_some(*bye);
        self.outbox.bye().or_else(|| deadline.and_then(late))
    }

    /// Sends what is still due, says goodbye, and lets the last lines arrive.
    async fn farewell(&mut self, bye: Bye) {
        self.lines.clear();
        self.held = None;
        self.deadline = None;
        if self.patience.take().is_some() {
            self.services.hub.ask(Work::Unwatch { session: self.id });
        }
        let is_reply = |item: &Item| matches!(item, Item::Replies(_));
        // Where only replies wait, they go with the last line.
        let due =
            self.unanswered > 0 || self.outbox.is_stirred() || !self.output.items().all(is_reply);
        let until = Instant::now() + limits::FAREWELL_TIME;
        let late = async |is_written| {
            Timer::at(until).await;
            is_written
        };
        // A peer that takes nothing is told nothing.
        if bye != Bye::Stalled && due {
            Box::pin(self.drain()).or(late(false)).await;
        }
        // From here on the account counts as away: who reads `BYE` can rely on it.
        self.leave();
        self.unanswered = 0;
        self.say(|out| reply::bye(out, bye));
        let is_written = match bye {
            Bye::Stalled => {
                let _ = self.write_output();
                false
            }
            _ => Box::pin(self.drain()).or(late(false)).await,
        };
        if !is_written || self.stream.finish().is_err() {
            return;
        }
        let linger = async {
            while let Ok(()) = poll_fn(|cx| self.stream.poll_readable(cx)).await {
                let read = SCRATCH.with_borrow_mut(|scratch| self.stream.read(scratch));
                if matches!(read, Ok(Some(0)) | Err(_)) {
                    break;
                }
            }
        };
        let late = async {
            Timer::after(limits::LINGER_TIME).await;
        };
        linger.or(late).await;
    }

    /// Writes all that is due. Gives back whether the connection took it.
    async fn drain(&mut self) -> bool {
        loop {
            if self.write().is_err() {
                return false;
            }
            if self.unanswered == 0 && self.output.is_empty() {
                return true;
            }
            if self.wait_for_room().await.is_err() {
                return false;
            }
        }
    }

    /// Waits for answers, or for room for those that are there.
    async fn wait_for_room(&mut self) -> io::Result<()> {
        poll_fn(|cx| {
            let stirred = self.outbox.register(cx.waker());
            match (self.output.is_empty(), stirred) {
                (true, true) => Poll::Ready(Ok(())),
                (true, false) => Poll::Pending,
                (false, _) => self.stream.poll_writable(cx),
            }
        })
        .await
    }

    /// Gives the account up. What could not be sent is pending again.
    fn leave(&mut self) {
        let Some(me) = self.me.take() else { return };
        let left = self.outbox.close();
        let is_receipt = |item: &Item| matches!(item, Item::Receipts { .. });
        let unsent = self.output.items().chain(&left.items).any(is_receipt);
        let behind = me.behind.map(|lag| lag.at.moves).or(left.behind.map(|at| at.moves));
        let unsent = if unsent { Some(me.moves) } else { behind };
        self.output.drop_events();
        self.services.hub.ask(Work::Leave { session: self.id, unsent });
    }

    /// Gives the account up and goes on as nobody's session.
    fn retreat(&mut self) {
        self.leave();
        self.outbox.reopen();
        self.set_deadline(limits::LOGIN_TIME, Bye::LoginTimeout);
    }

    /// Puts lines of one's own behind what is waiting to be written.
    fn say(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let mut lines = Vec::new();
        write(&mut lines);
        self.output.push(Item::Replies(lines));
    }

    /// Hands acts to the hub; they are answered in the outbox.
    fn act(&mut self, acts: Vec<Act>) {
        if !acts.is_empty() {
            self.services.hub.ask(Work::Acts { session: self.id, acts });
        }
    }
}
