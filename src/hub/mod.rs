//! The hub: one thread that owns the rules and the writer. Decide, record, tell.
//!
//! It takes what waits in its queue, up to a bound, has the rules decide each piece in order,
//! records the batch in one transaction, and only then tells: replies in order, entries in blocks,
//! each session woken once. While a commit runs, work for the next batch gathers, so commits are
//! shared without a timer. A single owner means a single order and no locks. Nothing here knows
//! sockets, but `link`, over which other nodes of the same database take part.

mod acts;
mod commit;
mod flows;
mod inbox;
mod later;
#[cfg(feature = "postgres")]
mod link;
mod lookup;
mod orders;
mod pending;
mod queue;
mod retention;
mod seats;
mod step;
mod tally;
mod tell;
mod telling;
mod watch;
mod work;

use std::collections::VecDeque;
use std::sync::Arc;
#[cfg(feature = "postgres")]
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;
use rustix::time::{ClockId, clock_gettime};
use smallvec::SmallVec;

use crate::chat::{Chat, FirstRules};
use crate::counters::Counters;
use crate::entry::{
    AccountId, Clock, ConversationId, DeviceNumber, EntryId, Key, Millis, MoveNumber, SessionId,
};
use crate::node_report::NodeEvent;
use crate::outbox::{Outbox, Watermark};
use crate::store::{Cause, Error, Newest, Writer};
use crate::wire::{refusal::Refusal, request::Events};
use inbox::{InboxSender, inbox};
use later::Agenda;
#[cfg(feature = "postgres")]
pub use link::NodeHooks;
pub use lookup::unkept;
use orders::Leaving;
use pending::Pending;
use queue::Queue;
pub use retention::Retention;
use seats::Unkept;
use tally::Tally;
use telling::Telling;
use watch::{Awaits, Watches};
pub use work::{Answer, Done, Entered, Work, digest};

/// A handle that queues work for the hub's thread.
#[derive(Clone)]
pub struct Hub {
    inbox: Arc<InboxSender>,
    /// Another node leads.
    #[cfg(feature = "postgres")]
    is_door: Arc<AtomicBool>,
    /// There may be other nodes.
    #[cfg(feature = "postgres")]
    has_nodes: bool,
}

impl Hub {
    /// Starts the thread. It ends after [`Work::End`], or by a panic.
    ///
    /// # Errors
    /// The store cannot be read, or the system provides no thread.
    pub fn start(
        writer: Box<dyn Writer>,
        clock: Clock,
        counters: Arc<Counters>,
    ) -> Result<(Hub, JoinHandle<()>), Error> {
        Hub::start_with(writer, clock, counters, FirstRules::default())
    }

    /// The same, with what the operator sets.
    ///
    /// # Errors
    /// As [`Hub::start`].
    pub fn start_with(
        writer: Box<dyn Writer>,
        clock: Clock,
        counters: Arc<Counters>,
        first: FirstRules,
    ) -> Result<(Hub, JoinHandle<()>), Error> {
        let (inbox, waiting) = inbox();
        let state = HubState::new(writer, Queue::new(waiting), clock, counters, first)?;
        let run = move || drop(state.run());
        let thread = thread::Builder::new().name("hub".into()).spawn(run).map_err(Error::new)?;
        let hub = Hub {
            inbox: Arc::new(inbox),
            #[cfg(feature = "postgres")]
            is_door: Arc::default(),
            #[cfg(feature = "postgres")]
            has_nodes: false,
        };
        Ok((hub, thread))
    }

    /// Whether another papod leads the database, and this one hands it its work.
    pub fn is_door(&self) -> bool {
        #[cfg(feature = "postgres")]
        return self.is_door.load(Ordering::Acquire);
        #[cfg(not(feature = "postgres"))]
        false
    }

    /// Queues work. If the hub has ended the work is lost, and papod ends in a moment as well.
    pub fn ask(&self, work: Work) {
        self.inbox.send(work);
    }

    /// A session has proved that its account was shown the receipts up to this move. Its outbox says
    /// so, which only a hub of this process can read.
    pub fn prove(&self, _session: SessionId, _upto: MoveNumber) {
        #[cfg(feature = "postgres")]
        if self.is_door() {
            let (session, upto) = (_session, _upto);
            self.ask(Work::Link(link::LinkWork::Proved { session, upto }));
        }
    }

    /// Lets the other nodes of the same database know.
    pub fn tell_nodes(&self, _event: NodeEvent) {
        #[cfg(feature = "postgres")]
        if self.has_nodes {
            self.ask(Work::Link(link::LinkWork::Event { event: _event, from: 0 }));
        }
    }

    /// Runs a pass of a thread that serves sessions: the hub is woken once, at its end, for all work
    /// that was queued in it.
    pub fn pass<T>(&self, run: impl FnOnce() -> T) -> T {
        self.inbox.pass(run)
    }

    /// Wakes the hub if work queued in the current pass has waited for
    /// [`PASS`](crate::limits::PASS). To be called between the sessions that a thread serves.
    pub fn bound_pass(&self, now: Instant) {
        self.inbox.bound_pass(now);
    }
}

/// A session as the hub sees it.
struct Seat {
    account: AccountId,
    outbox: Arc<Outbox>,
    /// What it was opened with.
    key: Key,
    /// The device as which it logged in.
    device: Option<Box<SeatedDevice>>,
    /// Which events it is sent.
    events: Events,
    /// Entries and receipts are pushed to it; else it reads them from the log.
    pushes: bool,
    /// It has been sent `LIVE`, so its account is online. Never set for one that only watches.
    online: bool,
    /// Its `WAIT`, if it has one.
    awaits: Option<Box<Awaits>>,
    /// Its key was revoked: it is about to be disconnected, and its acts are refused.
    revoked: bool,
}

/// The device of a session.
struct SeatedDevice {
    number: DeviceNumber,
    /// The newest move told to it.
    due: MoveNumber,
}

/// An account with sessions.
struct Presence {
    /// Up to two need no allocation; most accounts have one.
    sessions: SmallVec<[SessionId; 2]>,
    /// The newest entry told to the account.
    newest: EntryId,
    /// The newest move told to the account.
    moved: MoveNumber,
    /// The newest of those moves that was not its own.
    due: MoveNumber,
}

/// Everything the thread owns.
struct HubState {
    queue: Queue,
    chat: Chat,
    writer: Box<dyn Writer>,
    clock: Clock,
    /// The time of the newest entry, where times never fall as ids grow: another clock may have told
    /// it, or this one was set back.
    not_before: Option<Millis>,
    /// When this batch began.
    now: Millis,
    /// Boxed, since up to half of the map's slots are empty.
    seats: FxHashMap<SessionId, Box<Seat>>,
    online: FxHashMap<AccountId, Presence>,
    /// Every `WAIT`, by conversation.
    watches: FxHashMap<ConversationId, Watches>,
    /// Done or answered when this batch is over.
    pending: Vec<Pending>,
    /// Deleted accounts that still have to leave groups, one account after the other.
    leaving: VecDeque<Leaving>,
    /// When commands are due.
    agenda: Agenda,
    /// Sessions whose key was revoked in this batch.
    revoked: Vec<SessionId>,
    /// Sessions with a bare `ACK` or `READ` in this batch.
    covering: Vec<SessionId>,
    /// Changes from failed batches that no command waits for; written with a later batch.
    unkept: Unkept,
    /// Up to where entries and moves have been told.
    told: Watermark,
    /// The encoded entries that are about to be told.
    lines: Vec<u8>,
    /// What operators said to sessions while they were not pushed to, up to two lines of the greatest
    /// length.
    notices: FxHashMap<SessionId, Vec<u8>>,
    /// Outboxes whose sessions have to be woken.
    to_wake: Vec<Arc<Outbox>>,
    /// Weight of the lookups for the work in hand.
    looked_up: usize,
    /// The same for those made ahead for acts of these accounts, charged when their turn comes.
    owed: FxHashMap<AccountId, usize>,
    /// How many pieces have been looked up of what a long act of these sessions lacks.
    prepared: FxHashMap<SessionId, usize>,
    /// For this many acts, from the next one on, lookups have been made together.
    gathered: usize,
    /// The weight that this batch has room for: see [`Act::weight`].
    room: usize,
    /// What it takes to tell what this batch has decided.
    telling: Telling,
    /// Expired or deleted text may still be in the write-ahead log.
    needs_wipe: bool,
    /// The last commit failed, and that was logged.
    failing: bool,
    /// The refusal for acts that could not be recorded.
    lost: Refusal,
    tally: Tally,
    /// The other nodes of the same database, while this one leads.
    #[cfg(feature = "postgres")]
    doors: Option<link::Doors>,
}

impl HubState {
    /// What the thread begins with.
    fn new(
        mut writer: Box<dyn Writer>,
        queue: Queue,
        clock: Clock,
        counters: Arc<Counters>,
        first: FirstRules,
    ) -> Result<HubState, Error> {
        let newest = writer.reader()?.newest()?;
        let due = writer.reader()?.next_due(1)?.first().map(|(_, later)| later.due);
        writer.record(&[])?;
        Ok(HubState::with(writer, (newest, due), queue, clock, counters, first))
    }

    /// The same, if the newest numbers are known, and when the next command is due.
    fn with(
        mut writer: Box<dyn Writer>,
        (newest, due): (Newest, Option<Millis>),
        queue: Queue,
        clock: Clock,
        counters: Arc<Counters>,
        first: FirstRules,
    ) -> HubState {
        // Perhaps papod was killed before a deleted text had left the write-ahead log.
        let needs_wipe = !writer.wipe().unwrap_or(false);
        HubState {
            queue,
            chat: Chat::new(newest).with(first),
            writer,
            clock,
            not_before: None,
            now: clock.now(),
            seats: FxHashMap::default(),
            online: FxHashMap::default(),
            watches: FxHashMap::default(),
            pending: Vec::new(),
            leaving: VecDeque::new(),
            agenda: Agenda::new(due),
            revoked: Vec::new(),
            covering: Vec::new(),
            unkept: Unkept::default(),
            told: Watermark { entries: newest.entry, moves: newest.moved },
            lines: Vec::new(),
            notices: FxHashMap::default(),
            to_wake: Vec::new(),
            looked_up: 0,
            owed: FxHashMap::default(),
            prepared: FxHashMap::default(),
            gathered: 0,
            room: 0,
            telling: Telling::default(),
            failing: false,
            needs_wipe,
            lost: Refusal::Storage,
            tally: Tally::new(counters),
            #[cfg(feature = "postgres")]
            doors: None,
        }
    }

    /// Runs until papod ends, which returns `None`, or until the database is out of reach: why, and
    /// what is left to do.
    fn run(mut self) -> Option<(Cause, Box<HubState>)> {
        let mut ended = false;
        while !(ended && self.queue.is_empty()) {
            let (busy, seats) = (!self.leaving.is_empty(), &self.seats);
            let time = self.agenda.wait(self.clock.now());
            if self.queue.begin(busy, time, |s| seats.get(&s).map(|seat| seat.party())).is_err() {
                return None;
            }
            if let Some(cause) = self.is_superseded() {
                return Some((cause, Box::new(self)));
            }
            let (began, cpu_before) = (Instant::now(), cpu_time());
            // Everything in a batch has the same time.
            self.now = self.clock.now();
            if let Some(newest) = self.not_before {
                self.now = self.now.max(newest);
            }
            let (mut bytes, mut commands) = (0, 0);
            self.leave_groups();
            (self.looked_up, self.gathered) = (0, 0);
            self.telling = Telling::default();
            let (most, most_bytes) = self.queue.most();
            let due = if ended { 0 } else { self.carry_out_due() };
            let cost = self.take_cost();
            // No account pays for it when its turn comes.
            self.chat.take_spread();
            // However many are due, half of the batch is for other work.
            let mut weight = (due + cost).min(most / 2);
            while weight < most && bytes < most_bytes {
                if self.chat.directory().has_enough() {
                    break;
                }
                let Some(work) = self.queue.next() else { break };
                if let Work::End = work {
                    self.queue.end();
                    ended = true;
                }
                let (more, size) = work.size();
                self.room = most - weight;
                weight += more;
                bytes += size;
                commands += self.take_up(work);
                let cost = self.take_cost();
                weight += cost;
                self.queue.charge(cost + self.chat.take_spread());
            }
            self.clear_waits();
            let mut batch = self.chat.finish();
            self.unkept.retry(&mut batch.changes);
            let committed = match self.commit(&batch) {
                Ok(committed) => committed,
                Err(cause) => {
                    // The next leader records what no command waits for.
                    batch.changes.iter().for_each(|change| self.unkept.note(change));
                    return Some((cause, Box::new(self)));
                }
            };
            self.agenda.add(self.chat.soonest());
            if committed {
                self.revoked.clear();
                self.covering.clear();
            } else {
                self.take_back(&batch);
                self.agenda.failed(self.now);
                for session in self.queue.unfinished() {
                    // Pieces recorded in earlier batches stay; the rest is dropped.
                    batch.effects.extend(self.abandon(session));
                }
            }
            let decided = std::mem::take(&mut self.pending);
            let told = self.told.entries;
            self.tell(batch, committed);
            if let Some(newest) = &mut self.not_before
                && self.told.entries > told
            {
                *newest = self.now;
            }
            // A `WAIT` that this batch has satisfied is answered first.
            self.pending.extend(decided);
            self.tally.end(commands, self.seats.len() - self.seats_elsewhere());
            self.answer_pending(committed);
            let cpu = cpu_time().saturating_sub(cpu_before);
            self.queue.took(began.elapsed(), cpu, weight);
        }
        None
    }

    /// How many sessions are those of other nodes.
    fn seats_elsewhere(&self) -> usize {
        #[cfg(feature = "postgres")]
        return self.doors.as_ref().map_or(0, link::Doors::sessions);
        #[cfg(not(feature = "postgres"))]
        0
    }

    /// Does one piece of work. Returns how many commands it was.
    fn take_up(&mut self, work: Work) -> usize {
        if !work.is_wanted() {
            return 0;
        }
        #[cfg(feature = "postgres")]
        if let Some(doors) = &mut self.doors {
            doors.take_up(&work);
        }
        match work {
            Work::Acts { session, acts } => return self.acts(session, acts),
            Work::Register { session, newcomer, outbox, answer } => {
                let now = self.now;
                let made = self.decide(|chat| chat.admit(&newcomer, now));
                let entered = made.map(|account| {
                    let opened = (Key::Password, Events::All);
                    let entered = self.enter(session, account, None, opened, outbox);
                    // A new account has nothing to catch up with.
                    if let Some(seat) = self.seats.get_mut(&session) {
                        (seat.pushes, seat.online) = (true, true);
                        self.tally.behind -= 1;
                    }
                    entered
                });
                self.pending.push(Pending::Entered { session, answer, entered, is_new: true });
                return 1;
            }
            Work::Enter { session, account, device, key, events, most, outbox, answer, .. } => {
                let opened = (key, events);
                let entered = self.log_in(session, (account, device), opened, most, outbox);
                let is_new = entered.as_ref().is_ok_and(|entered| entered.is_new_device());
                self.pending.push(Pending::Entered { session, answer, entered, is_new });
            }
            Work::CaughtUp { session, upto, answer } => {
                answer.give(self.caught_up(session, upto));
            }
            Work::Leave { session, shown } => self.leave(session, shown),
            Work::Shown { account, device, upto, seen } => {
                self.shown(account, device, upto, seen);
            }
            Work::Used(token) => self.chat.used(token, self.now),
            Work::Order { order, answer } => self.order(&order, answer),
            Work::Watch { session, id, until } => self.watch(session, id, until),
            Work::Unwatch { session } => self.end_watch(session, Refusal::Timeout),
            Work::Online { accounts, answer } => {
                self.pending.push(Pending::Online { accounts, answer });
            }
            Work::Expire { step, answer } => {
                self.expire(step, answer);
            }
            Work::Wipe { answer } => self.pending.push(Pending::Wipe(answer)),
            #[cfg(feature = "postgres")]
            Work::Link(work) => self.link(work),
            Work::End => {}
        }
        0
    }

    /// Records in which chats nothing waits any more, if there are too many: see
    /// [`Chat::clear_wait`].
    fn clear_waits(&mut self) {
        while let Ok(true) = self.decide(Chat::clear_wait) {}
    }
}

/// CPU time of this thread so far.
fn cpu_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}
