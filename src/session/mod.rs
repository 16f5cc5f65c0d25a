//! One connection, one task: bytes in, commands on, replies and events out.
//!
//! The task waits in one place for whichever comes first: something in its outbox, something to
//! read, room to write, a deadline. It reads on while earlier commands wait for their commit, up to
//! a bound, and holds no buffer while nothing happens. Commands that change something go to the hub
//! and are answered in the outbox; every other command waits until those are answered and is
//! carried out here (`commands`), so replies keep the order of the commands. What waited for an
//! account, and what a slow reader missed, is paged from the log (`catchup`). One that has had its turn
//! and finds more to do waits in a `line`.

mod admin;
mod answer;
mod busy_line;
mod catchup;
mod certificates;
mod commands;
mod farewell;
mod intake;
mod links;
mod login;
mod output;
mod proof;
mod questions;
mod roster;
mod secrets;
mod seen;
mod socket;
mod stream;
mod tls;
mod tokens;
mod waiting;
mod warnings;
mod x509;

use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use smol::Timer;
use smol::future::FutureExt;

pub use busy_line::BusyLine;
pub use certificates::Certificates;
pub use roster::Roster;
pub use socket::{Peer, Socket};
pub use stream::Stream;

use crate::chat::Act;
use crate::config::Limits;
use crate::counters::Counters;
use crate::entry::{AccountId, Clock, Key, SessionId};
use crate::hub::{Hub, Work};
use crate::limits;
use crate::name::{Handle, Target};
use crate::origin::Origin;
use crate::outbox::{Outbox, Outgoing, Watermark};
use crate::password::Hasher;
use crate::rates::Rates;
use crate::readers::Readers;
use crate::store::{Maintenance, Walk};
use crate::wire::help::ListenerKind;
use crate::wire::line::Lines;
use crate::wire::refusal::Refusal;
use crate::wire::rows::{Bye, HelloLine};
use crate::wire::telnet::Negotiation;
use intake::{Held, Pause};
use output::Output;
use proof::Proof;
use seen::Seen;
use warnings::Obstacle;

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
    /// What operators can have done with the database.
    pub maintenance: Arc<dyn Maintenance>,
    /// Where secrets are hashed.
    pub hasher: Hasher,
    /// What is counted.
    pub counters: Arc<Counters>,
    /// What time it is.
    pub clock: Clock,
    /// Time without a byte after which a logged-in client is sent away.
    pub idle: Option<Duration>,
    /// Whether `REG` makes accounts.
    pub registration: bool,
    /// How much there may be of what.
    pub limits: Limits,
    /// How fast accounts and addresses may do what.
    pub rates: Rates,
    /// Who is in.
    pub roster: Roster,
    /// Where sessions wait that have had their turn.
    pub line: BusyLine,
}

/// One connection.
pub struct Session {
    id: SessionId,
    services: Arc<Services>,
    stream: Stream,
    /// Which listener it came through, and so what is served.
    listener: ListenerKind,
    origin: Origin,
    /// Limits on what one account or address does apply to it.
    is_limited: bool,
    outbox: Arc<Outbox>,
    lines: Lines,
    telnet: Negotiation,
    output: Output,
    /// The account it belongs to, once it does.
    me: Option<Box<Me>>,
    mode: Mode,
    /// A command that waits until all before it are answered.
    held: Option<Box<Held>>,
    /// Commands that the hub has not answered, and their size in bytes.
    unanswered: usize,
    unanswered_bytes: usize,
    /// While the session waits for others, and with it all later commands.
    patience: Option<Box<Patience>>,
    /// Runs while its account has done too much: no more lines are taken up meanwhile.
    brake: Option<Box<Timer>>,
    /// The client has said that nothing more will come.
    ended: bool,
    deadline: Option<Box<(Timer, Bye)>>,
    /// When its turn among the sessions of its thread began.
    turn: Instant,
}

/// However a session ends, by a bug or with the whole server, its account is given up.
impl Drop for Session {
    fn drop(&mut self) {
        self.leave(false);
        self.services.counters.sessions.dec();
    }
}

/// What a session knows of the account it belongs to.
struct Me {
    account: AccountId,
    handle: Handle,
    /// What is written to the socket counts as delivered.
    auto: bool,
    /// What it was opened with.
    key: Key,
    /// Receipts are wanted.
    receipts: bool,
    /// Moves of cursors that are free, since entries were sent.
    free_moves: usize,
    /// Last entries sent per conversation; `None` until something was sent.
    seen: Option<Box<Seen>>,
    /// Which receipts its account has been shown.
    proof: Proof,
    /// The failures of bare `ACK` and `READ` that the session knows of: see [`Outbox::lost_moves`].
    lost_moves: u32,
    /// Runs after `SET ack auto` could not write down what was delivered.
    retry: Option<Box<Timer>>,
    /// Where the log has to be read on from, and up to where there is something.
    behind: Option<Box<Lag>>,
    /// Where its latest `SYNC` goes on, if there was more.
    sync: Option<Box<Walk>>,
}

/// A session that is served from the log.
struct Lag {
    at: Watermark,
    upto: Watermark,
    /// How it is read on, once that has begun.
    walk: Option<Walk>,
}

/// How long a session waits for others.
struct Patience {
    until: Timer,
    /// When to look next whether the client is still there: nothing is read from it meanwhile, and
    /// that it has ended its input says only that it will ask for nothing more.
    look: Timer,
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

impl Session {
    /// A session on a connection that was let in under this number.
    pub fn new(
        id: SessionId,
        services: Arc<Services>,
        stream: Stream,
        listener: ListenerKind,
        outbox: Arc<Outbox>,
    ) -> Box<Session> {
        let is_limited = services.roster.is_limited(id);
        let origin = services.roster.origin(id);
        // One that is only there to be told that there are too many was not let in.
        services.counters.connections.add(u64::from(outbox.bye().is_none()));
        services.counters.sessions.add(1);
        Box::new(Session {
            id,
            services,
            stream,
            listener,
            origin,
            is_limited,
            outbox,
            lines: Lines::default(),
            telnet: Negotiation::default(),
            output: Output::default(),
            me: None,
            mode: Mode::Commands,
            held: None,
            unanswered: 0,
            unanswered_bytes: 0,
            patience: None,
            brake: None,
            ended: false,
            deadline: None,
            turn: Instant::now(),
        })
    }

    /// Serves the connection to its end. Boxed, since a future holds what it is given twice.
    pub async fn run(mut self: Box<Self>) {
        // Who administers is known by the socket and need not say a name.
        if self.listener != ListenerKind::Admin {
            self.set_login_deadline();
        }
        self.say(|out| HelloLine::OURS.write(out));
        let Err(end) = self.serve().await;
        match end {
            End::Lost(e) => {
                if e.get_ref().is_some_and(|e| e.is::<tls::Plain>()) {
                    self.note(Obstacle::NeedTls);
                }
                log::debug!("session {}: connection lost: {e}", self.id.0);
            }
            End::Finished => {
                // An end that may be somebody else's proves nothing.
                let in_order = !self.lines.is_cut_off();
                self.leave(in_order);
                if self.stream.is_tls() {
                    // That it is gone already changes nothing.
                    let _ = self.stream.finish();
                }
            }
            End::Bye(bye) => {
                log::debug!("session {}: bye {}", self.id.0, bye.as_str());
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
                Pause::Turn => self.unanswered == 0,
                Pause::Window => self.has_window(),
                Pause::Input => false,
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

    /// Whether another command may be taken on.
    fn has_window(&self) -> bool {
        self.has_window_beside(0, 0)
    }

    /// The same, beside acts that are about to be handed to the hub, and the size of their lines.
    fn has_window_beside(&self, acts: usize, bytes: usize) -> bool {
        self.patience.is_none()
            && self.brake.is_none()
            && self.unanswered + acts < self.services.limits.unconfirmed
            && self.unanswered_bytes + bytes < limits::UNCONFIRMED_BYTES
            && self.output.len() < self.room()
    }

    /// Whether to take in what is there. While it waits for others, too: somebody may interrupt a
    /// Telnet client then. As much as a line is held, and is taken up afterwards.
    fn may_read(&self) -> bool {
        let waits = self.patience.is_some() && self.lines.len() < limits::LINE;
        !self.ended && (waits || (self.held.is_none() && self.has_window()))
    }

    /// Bytes of answers that may wait before no more commands are taken on.
    fn room(&self) -> usize {
        let room = self.services.limits.waiting;
        if self.me.is_some() { room } else { room.min(limits::STRANGER) }
    }

    fn read(&mut self) -> Result<(), End> {
        let read = SCRATCH.with_borrow_mut(|scratch| -> io::Result<Option<usize>> {
            let read = self.stream.read(&mut scratch[..limits::READ])?;
            if let Some(n) = read {
                self.prove(&scratch[..n]);
                self.lines.push(&scratch[..n]);
                let asked = self.telnet.read(&scratch[..n]);
                // Behind whole lines.
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
            Ok(Some(0)) => self.ended = true,
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
                self.lines.cut_off();
                self.ended = true;
            }
            Err(e) => return Err(e.into()),
            Ok(Some(n)) => {
                self.services.counters.received.add(n as u64);
                // Who sends and takes nothing is not idle, and stalls all the same.
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
        let time = Duration::from_secs(self.services.limits.login);
        self.set_deadline(time, Bye::LoginTimeout);
    }

    fn set_deadline(&mut self, time: Duration, bye: Bye) {
        self.deadline = Some(Box::new((Timer::after(time), bye)));
    }

    /// Where it comes from.
    fn origin(&self) -> Origin {
        self.origin
    }

    /// Warns of what this connection ran into.
    fn note(&self, obstacle: Obstacle) {
        self.services.roster.note(obstacle, self.origin());
    }

    /// Logs what operators look for, in the form that contrib/OPERATING.md promises (*Logs*): the
    /// event, the session, where it comes from, and fields of the event, of which none is a secret.
    fn event(&self, event: &str, fields: std::fmt::Arguments<'_>) {
        log::info!("{event} session={} from={} {fields}", self.id.0, self.origin());
    }

    /// Puts lines of one's own behind what is waiting to be written.
    fn say(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let mut lines = Vec::new();
        write(&mut lines);
        self.output.push(Outgoing::Replies(lines));
    }

    /// Hands acts to the hub, which answers them in the outbox. `bytes` is the size of their lines.
    fn hand_over(&mut self, acts: Vec<Act>, bytes: usize) {
        if !acts.is_empty() {
            let asked = acts.iter().filter(|act| act.is_asked()).count();
            self.hand_over_work(Work::Acts { session: self.id, acts }, asked, bytes);
        }
    }

    /// Hands work to the hub, which answers it in the outbox with this many final lines. Until then
    /// they count as unanswered.
    fn hand_over_work(&mut self, work: Work, answers: usize, bytes: usize) {
        self.unanswered += answers;
        self.unanswered_bytes += bytes;
        self.services.hub.ask(work);
    }
}
