//! One connection, one task: bytes in, commands on, replies and events out.
//!
//! The task waits in one place for whichever comes first: something in its outbox, something to
//! read, room to write, a deadline. It keeps reading while earlier commands wait for their commit,
//! up to a bound, and holds no buffer while idle. Commands that change something go to the hub and
//! are answered in the outbox; every other command waits until those are answered and is carried
//! out here (`commands`), so replies keep the order of the commands. Entries that waited for an
//! account, or that a slow reader missed, are paged from the log (`catchup`). A session that has
//! had its turn and has more to do waits in `busy_line`.

mod admin;
mod answer;
mod bans;
mod busy_line;
mod catchup;
mod certificates;
mod commands;
mod devices;
mod farewell;
mod files;
mod freshness;
mod intake;
mod inventory;
mod links;
mod login;
mod me;
mod nodes;
mod output;
mod pipe;
mod proof;
mod questions;
mod roster;
mod running;
mod search;
mod secrets;
mod sent;
#[cfg(test)]
mod size_tests;
mod socket;
mod stream;
mod tls;
mod tokens;
mod waiting;
mod warnings;
mod x509;

use std::cell::RefCell;
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use smol::Timer;
use smol::future::FutureExt;

pub use busy_line::BusyLine;
pub use certificates::Certificates;
pub use files::FileService;
pub use output::peer;
pub use pipe::{PipeEnd, pipe};
pub use roster::Roster;
pub use socket::{Accepted, Peer, Socket};
pub use stream::Stream;
pub use tokens::hash as token_hash;

use crate::chat::Act;
use crate::config::Registration;
use crate::counters::Counters;
use crate::entry::{Clock, SessionId};
use crate::hub::{Hub, Work};
use crate::limits;
use crate::live_limits::{Limit, LiveLimits};
use crate::name::Target;
use crate::origin::Origin;
use crate::outbox::{Outbox, Outgoing};
use crate::password::Hasher;
use crate::rates::Rates;
use crate::readers::Readers;
use crate::store::Maintenance;
use crate::wire::help::ListenerKind;
use crate::wire::line::Lines;
use crate::wire::refusal::Refusal;
use crate::wire::rows::{Bye, HelloLine};
use crate::wire::telnet::Negotiation;
use intake::{Held, Pause};
use me::{Extras, Lag, Me};
use output::Output;
use waiting::TurnStart;
use warnings::Obstacle;

thread_local! {
    /// The buffer of one read or write. One per thread suffices, since nothing stays in it.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; limits::SCRATCH]);
}

/// The services that all sessions share.
pub struct Services {
    /// Decides and records changes.
    pub hub: Hub,
    /// Reads the log.
    pub readers: Readers,
    /// Backups and checks of the database, for operators.
    pub maintenance: Arc<dyn Maintenance>,
    /// Hashes and verifies passwords.
    pub hasher: Hasher,
    pub files: FileService,
    pub counters: Arc<Counters>,
    pub clock: Clock,
    /// Time without input after which a logged-in client is disconnected; `None`: never.
    pub idle: Option<Duration>,
    /// Who may create accounts with `REG`.
    pub registration: Registration,
    pub limits: Arc<LiveLimits>,
    pub rates: Rates,
    /// All connections.
    pub roster: Roster,
    /// Sessions that have had their turn and have more to do.
    pub line: BusyLine,
}

/// One connection.
pub struct Session {
    id: SessionId,
    services: Arc<Services>,
    stream: Stream,
    /// Decides which verbs are served.
    listener: ListenerKind,
    /// Whether the limits on addresses and accounts apply to it.
    is_limited: bool,
    outbox: Arc<Outbox>,
    lines: Lines,
    telnet: Negotiation,
    output: Output,
    /// The account, while logged in.
    me: Option<Box<Me>>,
    /// How lines are parsed; `None`: as commands.
    mode: Option<Box<Mode>>,
    /// A command that waits until all before it are answered.
    held: Option<Box<Held>>,
    /// Commands that the hub has not answered, and the size of their lines in bytes.
    unanswered: u32,
    unanswered_bytes: u32,
    /// Set during a `WAIT`, which holds up all later commands.
    patience: Option<Box<Patience>>,
    /// Runs while the account is over a rate: no more lines are parsed until it expires.
    brake: Option<Box<Timer>>,
    deadline: Option<Box<(Timer, Bye)>>,
    turn: TurnStart,
}

/// However a session ends, even by a panic, the hub is notified that it has left.
impl Drop for Session {
    fn drop(&mut self) {
        self.leave(false);
        self.services.counters.sessions.dec();
    }
}

/// The timers of a `WAIT`.
struct Patience {
    until: Timer,
    /// When to check next whether the client is still connected. Reading does not tell: an ended
    /// input only means that no more commands come.
    look: Timer,
}

/// How lines are parsed that are no commands.
enum Mode {
    /// As a text for this target, unless it begins with a slash.
    Talk(Target),
    /// As a text for this target, whatever it contains.
    Raw(Target),
    /// As a text that is refused for this reason: lines after a refused `TALK … raw` were never
    /// meant as commands.
    Refused(Refusal),
}

enum End {
    /// The connection is lost.
    Lost(io::Error),
    /// The client has ended its input and been sent everything pending.
    Finished,
    /// The server closes the connection with `BYE`.
    Bye(Bye),
}

impl End {
    /// What the hub was asked for has no answer, and may have been done: only the end of the
    /// connection says nothing that is wrong.
    fn hub_lost() -> End {
        End::Lost(io::Error::new(io::ErrorKind::ConnectionReset, "the hub did not answer"))
    }
}

impl From<io::Error> for End {
    fn from(e: io::Error) -> End {
        End::Lost(e)
    }
}

impl Session {
    /// A session for a connection that [`Roster::enter`] gave this id.
    pub fn new(
        id: SessionId,
        services: Arc<Services>,
        stream: Stream,
        listener: ListenerKind,
        outbox: Arc<Outbox>,
    ) -> Box<Session> {
        let is_limited = services.roster.is_limited(id);
        // One that is only told that it is not let in does not count as let in.
        services.counters.connections.add(u64::from(outbox.bye().is_none()));
        services.counters.sessions.add(1);
        Box::new(Session {
            id,
            services,
            stream,
            listener,
            is_limited,
            outbox,
            lines: Lines::default(),
            telnet: Negotiation::default(),
            output: Output::default(),
            me: None,
            mode: None,
            held: None,
            unanswered: 0,
            unanswered_bytes: 0,
            patience: None,
            brake: None,
            deadline: None,
            turn: TurnStart::at(Instant::now()),
        })
    }

    /// Serves the connection to its end. Boxed, so that what holds the future stays small.
    pub fn run(self: Box<Self>) -> impl Future<Output = ()> + Send {
        // Not an async fn: that holds its argument twice, as passed and as moved.
        let mut session = self;
        async move { session.serve_to_the_end().await }
    }

    /// The same as a task of its own: a panic ends only this session, and it leaves the roster.
    pub fn run_apart(self: Box<Self>) -> impl Future<Output = ()> + Send {
        let mut session = self;
        async move {
            let done = AssertUnwindSafe(session.serve_to_the_end()).catch_unwind().await;
            let (services, id) = (session.services.clone(), session.id);
            if done.is_err() {
                services.counters.panicked(&format!("session {}", id.0));
            }
            // Before the socket is closed: who has seen the end of its connection is in no list.
            session.leave(false);
            services.roster.leave(id);
        }
    }

    #[expect(clippy::manual_async_fn, reason = "one holds its arguments twice")]
    fn serve_to_the_end(&mut self) -> impl Future<Output = ()> + Send {
        async move {
            // What looks for `HELLO` before it sends somebody here looks elsewhere.
            if self.outbox.bye() != Some(Bye::Unavailable) {
                self.say(|out| HelloLine::OURS.write(out));
            }
            let Err(end) = self.serve().await;
            Box::pin(self.part(end)).await;
        }
    }

    /// What is done and said at the end of the connection.
    async fn part(&mut self, end: End) {
        match end {
            End::Lost(e) => {
                if e.get_ref().is_some_and(|e| e.is::<tls::Plain>()) {
                    self.note(Obstacle::NeedTls);
                }
                log::debug!("session {}: connection lost: {e}", self.id.0);
            }
            End::Finished => {
                // A cut connection does not prove that the client received everything.
                let in_order = !self.lines.is_cut_off();
                let left = self.leave(in_order);
                self.known_to_have_left(left.map(|(account, ..)| account)).await;
                if self.stream.is_tls() {
                    // An error means that the connection is gone, which is fine here.
                    let _ = self.stream.finish();
                }
            }
            // What it has asked for may have been done or not.
            End::Bye(_) if self.outbox.is_cut() => {}
            End::Bye(bye) => {
                log::debug!("session {}: bye {}", self.id.0, bye.as_str());
                self.farewell(bye).await;
            }
        }
    }

    #[expect(clippy::manual_async_fn, reason = "one holds its arguments twice")]
    fn serve(&mut self) -> impl Future<Output = Result<std::convert::Infallible, End>> + Send {
        async move {
            loop {
                if self.is_stale() {
                    Box::pin(self.refresh()).await.map_err(catchup::end_of)?;
                }
                self.write()?;
                let stop = self.work().await?;
                self.write()?;
                // The next command may have been waiting for what was just written.
                if match stop {
                    Pause::Turn => self.unanswered == 0,
                    Pause::Window => self.has_window(),
                    Pause::Input => false,
                } {
                    continue;
                }
                if self.output.is_empty() {
                    if self.me.as_ref().is_some_and(|me| me.behind.is_some())
                        && !self.lines.has_ended()
                    {
                        Box::pin(self.page()).await?;
                        continue;
                    }
                    let done =
                        self.lines.has_ended() && self.held.is_none() && self.unanswered == 0;
                    if done && self.lines.is_empty() {
                        return Err(End::Finished);
                    }
                }
                let ready = self.wait(self.may_read()).await?;
                if let Some(bye) = ready.deadline.or(self.outbox.bye()) {
                    return Err(End::Bye(bye));
                }
                if ready.readable {
                    self.join_line().await;
                    self.read()?;
                }
            }
        }
    }

    /// Whether another command may be parsed.
    fn has_window(&self) -> bool {
        self.has_window_beside(0, 0)
    }

    /// The same, counting also acts about to be handed to the hub and the size of their lines.
    fn has_window_beside(&self, acts: usize, bytes: usize) -> bool {
        self.patience.is_none()
            && self.brake.is_none()
            && self.unanswered as usize + acts < self.services.limits.size(Limit::Unconfirmed)
            && self.unanswered_bytes as usize + bytes < limits::UNCONFIRMED_BYTES
            && self.output.len() < self.room()
    }

    /// Whether to read from the socket. Also during a `WAIT`, up to a line's length that is parsed
    /// afterwards: a Telnet client may be interrupted meanwhile, and needs its answer.
    fn may_read(&self) -> bool {
        let waits = self.patience.is_some() && self.lines.len() < limits::LINE;
        !self.lines.has_ended() && (waits || (self.held.is_none() && self.has_window()))
    }

    /// Bytes of pending output at which no more commands are parsed.
    fn room(&self) -> usize {
        let room = self.services.limits.size(Limit::Waiting);
        if self.me.is_some() { room } else { room.min(limits::STRANGER) }
    }

    fn read(&mut self) -> Result<(), End> {
        let read = SCRATCH.with_borrow_mut(|scratch| -> io::Result<Option<usize>> {
            let read = self.stream.read(&mut scratch[..limits::READ])?;
            if let Some(n) = read {
                self.prove(&scratch[..n]);
                self.lines.push(&scratch[..n]);
                let asked = self.telnet.read(&scratch[..n]);
                // Queued after whole lines, never inside one.
                if !asked.refusals.is_empty() {
                    self.output.push(Outgoing::Replies(asked.refusals));
                }
                if asked.are_you_there {
                    self.say(|out| HelloLine::OURS.write(out));
                }
            }
            Ok(read)
        });
        match read {
            Ok(None) => {}
            Ok(Some(0)) => self.lines.end(),
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
                self.lines.cut_off();
                self.lines.end();
            }
            Err(e) => return Err(e.into()),
            Ok(Some(n)) => {
                self.services.counters.received.add(n as u64);
                // A client that sends but accepts nothing is not idle, but still stalled.
                if !self.deadline.as_ref().is_some_and(|d| d.1 == Bye::Stalled) {
                    self.set_idle_deadline();
                }
            }
        }
        Ok(())
    }

    pub(super) fn set_idle_deadline(&mut self) {
        if let (Some(time), Some(_)) = (self.services.idle, &self.me) {
            self.set_deadline(time, Bye::Idle);
        }
    }

    fn set_login_deadline(&mut self) {
        let time = Duration::from_secs(self.services.limits.get(Limit::Login));
        self.set_deadline(time, Bye::LoginTimeout);
    }

    fn set_deadline(&mut self, time: Duration, bye: Bye) {
        self.deadline = Some(Box::new((Timer::after(time), bye)));
    }

    fn origin(&self) -> Origin {
        self.outbox.origin()
    }

    /// Warns of an obstacle that this connection ran into.
    fn note(&self, obstacle: Obstacle) {
        self.services.roster.note(obstacle, self.origin());
    }

    /// Logs an event for operators in the format documented in contrib/OPERATING.md (*Logs*):
    /// event, session, origin, and further fields, none of which may be a secret.
    fn event(&self, event: &str, fields: std::fmt::Arguments<'_>) {
        log::info!("{event} session={} from={} {fields}", self.id.0, self.origin());
    }

    /// Queues lines of the session's own after the output that is already waiting.
    fn say(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let mut lines = Vec::new();
        write(&mut lines);
        self.output.push(Outgoing::Replies(lines));
    }

    /// Hands acts to the hub, which answers them in the outbox; `bytes` is the size of their lines.
    fn hand_over(&mut self, acts: Vec<Act>, bytes: usize) {
        if !acts.is_empty() {
            let asked = acts.iter().filter(|act| act.is_asked()).count();
            self.hand_over_work(Work::Acts { session: self.id, acts }, asked, bytes);
        }
    }

    /// Hands work to the hub, which answers it in the outbox with `answers` final lines.
    fn hand_over_work(&mut self, work: Work, answers: usize, bytes: usize) {
        let sum = |sum: u32, more| sum.saturating_add(u32::try_from(more).unwrap_or(u32::MAX));
        self.unanswered = sum(self.unanswered, answers);
        self.unanswered_bytes = sum(self.unanswered_bytes, bytes);
        self.services.hub.ask(work);
    }
}
