//! The hub: one thread that owns the rules and the writer. Decide, record, tell.
//!
//! It takes all that waits in its queue up to a bound, asks the rules about each in order, records
//! the batch in one transaction, and only then tells: replies in order, entries in blocks, each
//! touched session woken once. While one commit runs the next batch gathers, so commits are shared
//! without a timer. One owner, so one order and no locks. No socket is known here.

mod commit;
mod lookup;
mod orders;
mod pending;
mod queue;
mod retention;
mod seats;
mod tally;
mod tell;
mod watch;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use smol::channel::Sender;

use crate::chat::{Act, Chat, Effect, Order, Who};
use crate::counters::Counters;
use crate::entry::{
    AccountId, Clock, ConversationId, Cursor, EntryId, Key, Millis, MoveNumber, SessionId, TokenId,
};
use crate::limits;
use crate::name::{DisplayName, Handle};
use crate::outbox::{Outbox, Watermark};
use crate::store::{Error, Expire, Writer};
use crate::wire::refusal::Refusal;
pub use lookup::unkept;
use orders::Leaving;
use queue::Queue;
pub use retention::Retention;
use seats::Unkept;
use tally::Tally;
use watch::{Awaits, Watches};

/// The queue in front of the hub's thread.
#[derive(Clone)]
pub struct Hub {
    queue: mpsc::Sender<Work>,
}

/// What the hub can be asked for.
pub enum Work {
    /// Acts of a session, in order; each is answered in its outbox.
    Acts { session: SessionId, acts: Vec<Act> },
    /// A new account, and the session that belongs to it from then on.
    Register {
        session: SessionId,
        handle: Handle,
        name: DisplayName,
        secret: String,
        outbox: Arc<Outbox>,
        answer: Sender<Result<Entered, Refusal>>,
    },
    /// A session belongs to this account from now on.
    Enter {
        session: SessionId,
        account: AccountId,
        key: Key,
        quiet: bool,
        /// How many sessions the account may have, 0 for as many as it likes.
        most: usize,
        outbox: Arc<Outbox>,
        answer: Sender<Result<Entered, Refusal>>,
    },
    /// A token was used, and that is to be written down.
    Used(TokenId),
    /// An operator's order.
    Order { order: Order, answer: Sender<Done> },
    /// A session waits until everyone else's cursor has come to this message of its own; it is
    /// answered in its outbox. At most one at a time.
    Watch { session: SessionId, id: EntryId, cursor: Cursor },
    /// It waits no longer.
    Unwatch { session: SessionId },
    /// Which of these accounts are online.
    Online { accounts: Vec<AccountId>, answer: Sender<Vec<bool>> },
    /// A session has been sent everything up to here. It is live from now on, unless there is
    /// more by now: then the answer says up to where.
    CaughtUp { session: SessionId, upto: Watermark, answer: Sender<Option<Watermark>> },
    /// A session has ended. `shown`: up to where its account has been shown the receipts; `None`:
    /// all that were put in its outbox.
    Leave { session: SessionId, shown: Option<MoveNumber> },
    /// An account has been shown the receipts up to this move.
    Shown { account: AccountId, upto: MoveNumber },
    /// A step of forgetting; the answer says whether it is on disk.
    Expire { step: Expire, answer: Sender<bool> },
    /// What was forgotten leaves what the store keeps beside the log, too; the answer says whether
    /// it has.
    Wipe { answer: Sender<bool> },
    /// Ends the thread, once what came before is done.
    End,
}

/// What became of an order: how many sessions the account had.
pub type Done = Result<usize, Refusal>;

/// What a session learns when it begins to belong to an account.
#[derive(Clone, Copy, Debug)]
pub struct Entered {
    /// The account.
    pub account: AccountId,
    /// Where the log stood at that moment: what is newer comes after `LIVE`.
    pub upto: Watermark,
    /// Sessions that go on prove that the account was shown the receipts up to this move.
    pub shown: MoveNumber,
}

impl Hub {
    /// Starts the thread. It ends after [`Work::End`], or by a panic.
    ///
    /// # Errors
    /// The store's, or the system's if it gives no thread.
    pub fn start(
        mut writer: Box<dyn Writer>,
        clock: Clock,
        counters: Arc<Counters>,
    ) -> Result<(Hub, JoinHandle<()>), Error> {
        let newest = writer.reader()?.newest()?;
        writer.record(&[])?;
        let (queue, waiting) = mpsc::channel();
        let state = HubState {
            queue: Queue::new(waiting),
            chat: Chat::new(newest),
            writer,
            clock,
            now: clock.now(),
            seats: FxHashMap::default(),
            online: FxHashMap::default(),
            watches: FxHashMap::default(),
            pending: Vec::new(),
            leaving: VecDeque::new(),
            revoked: Vec::new(),
            covering: Vec::new(),
            unkept: Unkept::default(),
            told: Watermark { entries: newest.entry, moves: newest.moved },
            lines: Vec::new(),
            to_wake: Vec::new(),
            looked_up: 0,
            owed: FxHashMap::default(),
            gathered: 0,
            room: 0,
            failing: false,
            lost: Refusal::Storage,
            tally: Tally::new(counters),
        };
        let run = move || state.run();
        let thread = thread::Builder::new().name("hub".into()).spawn(run).map_err(Error::new)?;
        Ok((Hub { queue }, thread))
    }

    /// Puts work in the queue. If the hub has ended, so will papod in a moment: the work is lost.
    pub fn ask(&self, work: Work) {
        let _ = self.queue.send(work);
    }
}

/// A session as the hub sees it.
struct Seat {
    account: AccountId,
    outbox: Arc<Outbox>,
    /// What opened it.
    key: Key,
    /// It gets replies only.
    quiet: bool,
    /// Entries and receipts are pushed to it; else it reads them from the log.
    pushes: bool,
    /// It has been sent `LIVE`, so its account is online.
    online: bool,
    /// Where it waits for others' cursors.
    awaits: Option<Awaits>,
    /// What opened it is revoked: it is about to be ended, and may do nothing more.
    revoked: bool,
}

impl Seat {
    fn who(&self, session: SessionId) -> Who {
        Who { session, account: self.account, key: self.key }
    }

    /// It has to be sent what it can only read from the log.
    fn is_behind(&self) -> bool {
        !self.pushes && !self.quiet
    }
}

/// An account that has sessions.
struct Presence {
    /// Most have one, which costs no memory of its own.
    sessions: SmallVec<[SessionId; 2]>,
    /// The newest entry that was told to it.
    newest: EntryId,
    /// The newest move that was told to it.
    moved: MoveNumber,
    /// The newest of those that was not its own.
    due: MoveNumber,
}

/// An answer that waits for the end of its batch.
enum Pending {
    /// A session belongs to an account from now on, or does not. `is_new`: the account itself is
    /// part of the batch.
    Entered {
        session: SessionId,
        answer: Sender<Result<Entered, Refusal>>,
        entered: Result<Entered, Refusal>,
        is_new: bool,
    },
    /// Which of these accounts are online.
    Online { accounts: Vec<AccountId>, answer: Sender<Vec<bool>> },
    /// What became of an order.
    Order { answer: Sender<Done>, done: Done },
    /// An account is deleted, and leaves its groups in later batches.
    Deleted(Leaving),
    /// The deletion that is under way left some groups, and goes on.
    LeftSome,
    /// A session has begun to wait for others' cursors.
    Waits(SessionId),
    /// Nobody is awaited there any more, unless somebody was added again since.
    Waited(SessionId, Awaits),
    /// A step of forgetting is recorded.
    Forgotten(Sender<bool>),
    /// What was forgotten leaves what the store keeps beside the log.
    Wipe(Sender<bool>),
}

/// All that the thread owns.
struct HubState {
    queue: Queue,
    chat: Chat,
    writer: Box<dyn Writer>,
    clock: Clock,
    /// When this batch began.
    now: Millis,
    seats: FxHashMap<SessionId, Seat>,
    online: FxHashMap<AccountId, Presence>,
    /// Who waits for whom, by conversation.
    watches: FxHashMap<ConversationId, Watches>,
    /// What is answered when this batch is over.
    pending: Vec<Pending>,
    /// Accounts that are deleted and leave their groups, one after the other.
    leaving: VecDeque<Leaving>,
    /// Sessions whose key was revoked in this batch.
    revoked: Vec<SessionId>,
    /// Sessions of which this batch has a bare `ACK` or `READ`.
    covering: Vec<SessionId>,
    /// What nobody is answered for and a batch that failed was to write.
    unkept: Unkept,
    /// How far everything has been told.
    told: Watermark,
    /// The lines of the entries that are about to be told.
    lines: Vec<u8>,
    /// Outboxes whose sessions are to be woken.
    to_wake: Vec<Arc<Outbox>>,
    /// What had to be looked up for the work in hand.
    looked_up: usize,
    /// What was looked up ahead for accounts whose acts are still to come.
    owed: FxHashMap<AccountId, usize>,
    /// For how many acts, from the next one on, what they lack was looked up together.
    gathered: usize,
    /// How much more this batch may weigh.
    room: usize,
    /// The last commit failed, and that was logged.
    failing: bool,
    /// What is told of what could not be kept.
    lost: Refusal,
    tally: Tally,
}

impl HubState {
    fn run(mut self) {
        let mut ended = false;
        while !(ended && self.queue.is_empty()) {
            let (busy, seats) = (!self.leaving.is_empty(), &self.seats);
            if self.queue.begin(busy, |s| seats.get(&s).map(|seat| seat.account)).is_err() {
                return;
            }
            let began = Instant::now();
            // What is decided together happened at one moment.
            self.now = self.clock.now();
            let (mut weight, mut bytes, mut commands) = (0, 0, 0);
            self.leave_groups();
            (self.looked_up, self.gathered) = (0, 0);
            let (most, most_bytes) = self.queue.most();
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
                let cost = std::mem::take(&mut self.looked_up) * limits::LOOK_UP;
                weight += cost;
                self.queue.charge(cost);
            }
            self.clear_waits();
            let mut batch = self.chat.finish();
            self.unkept.retry(&mut batch.changes);
            let committed = self.commit(&batch);
            if committed {
                self.revoked.clear();
                self.covering.clear();
            } else {
                self.take_back(&batch);
                for session in self.queue.unfinished() {
                    // What was done of it in earlier batches stays; the rest is not to be done.
                    batch.effects.extend(self.abandon(session));
                }
            }
            let decided = std::mem::take(&mut self.pending);
            self.tell(batch, committed);
            // Sessions that waited for what has just been told are answered before all others.
            self.pending.extend(decided);
            self.tally.end(commands, self.seats.len());
            self.answer_pending(committed);
            self.queue.took(began.elapsed());
        }
    }

    /// Does one piece of work. Returns how many commands that was.
    fn take_up(&mut self, work: Work) -> usize {
        match work {
            Work::Acts { session, acts } => {
                let Some(seat) = self.seats.get(&session) else {
                    return 0;
                };
                let who = seat.who(session);
                self.looked_up += self.owed.remove(&who.account).unwrap_or_default();
                let mut count = 0;
                let mut acts = acts.into_iter();
                while let Some(mut act) = acts.next() {
                    count += usize::from(act.is_asked());
                    self.act(who, &mut act, acts.as_slice());
                    if acts.len() > 0 && self.chat.directory().has_enough() {
                        self.queue.put_back(session, acts.collect());
                        break;
                    }
                }
                return count;
            }
            Work::Register { session, handle, name, secret, outbox, answer } => {
                let now = self.now;
                let made = self.decide(|chat| chat.register(&handle, &name, &secret, now));
                let entered = made.map(|account| {
                    let entered = self.enter(session, account, Key::Password, false, outbox);
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
            Work::Enter { session, account, key, quiet, most, outbox, answer } => {
                let others = self.online.get(&account).map_or(0, |p| p.sessions.len());
                let entered = if most > 0 && others >= most {
                    Err(Refusal::TooManyOf("sessions of this account; close one with QUIT"))
                } else {
                    Ok(self.enter(session, account, key, quiet, outbox))
                };
                self.pending.push(Pending::Entered { session, answer, entered, is_new: false });
            }
            Work::CaughtUp { session, upto, answer } => {
                let _ = answer.try_send(self.caught_up(session, upto));
            }
            Work::Leave { session, shown } => self.leave(session, shown),
            Work::Shown { account, upto } => self.shown(account, upto, None),
            Work::Used(token) => self.chat.used(token, self.now),
            Work::Order { order, answer } => self.order(&order, answer),
            Work::Watch { session, id, cursor } => self.watch(session, id, cursor),
            Work::Unwatch { session } => self.end_watch(session, Refusal::Timeout),
            Work::Online { accounts, answer } => {
                self.pending.push(Pending::Online { accounts, answer });
            }
            Work::Expire { step, answer } => {
                self.chat.expire(step);
                self.pending.push(Pending::Forgotten(answer));
            }
            Work::Wipe { answer } => self.pending.push(Pending::Wipe(answer)),
            Work::End => {}
        }
        0
    }

    /// Writes down where nothing waits any more, as often as that begins to be so.
    fn clear_waits(&mut self) {
        while let Ok(true) = self.decide(Chat::clear_wait) {}
    }

    /// Gives up what is left of an act that was begun; what is said of it, if it was asked for.
    fn abandon(&mut self, session: SessionId) -> Option<(Who, Effect)> {
        let act = self.queue.abandon(session).filter(Act::is_asked)?;
        let seat = self.seats.get(&session)?;
        let who = seat.who(session);
        Some((who, Effect::Answer { verb: act.verb(), answer: Err(self.lost.clone()) }))
    }

    fn act(&mut self, who: Who, act: &mut Act, rest: &[Act]) {
        let Some(seat) = self.seats.get(&who.session) else { return };
        if seat.revoked {
            return self.refuse(who, act, Refusal::NeedLogin);
        }
        if let Act::AdvanceAll { lost_moves, .. } = act {
            if seat.outbox.lost_moves() != *lost_moves {
                return self.refuse(who, act, Refusal::Storage);
            }
            if self.covering.last() != Some(&who.session) {
                self.covering.push(who.session);
            }
        }
        if let Err(refusal) = self.decide_ahead(who, act, rest) {
            if let Act::AdvanceAll { .. } = act {
                self.lose_moves(who.session);
            }
            self.give_back(who.session, seats::charged(act));
            if act.is_asked() {
                self.refuse(who, act, refusal);
            } else if let Some((_, Effect::Answer { verb, .. })) = self.abandon(who.session) {
                self.chat.answer(who, verb, Err(refusal));
            }
        }
        self.revoke();
    }

    fn refuse(&mut self, who: Who, act: &Act, refusal: Refusal) {
        // An act of the session's own has no answer.
        if act.is_asked() {
            self.chat.answer(who, act.verb(), Err(refusal));
        }
    }
}
