//! The hub: one thread that owns the rules and the pen. Decide, record, tell.
//!
//! It takes all that waits in its queue up to a bound, asks the rules about each in order, records
//! the batch in one transaction, and only then tells: replies in order, entries in blocks, each
//! touched session woken once. While one commit runs the next batch gathers, so commits are shared
//! without a timer. One owner, so one order and no locks. No socket is known here.

mod keep;
mod lookup;
mod seats;
mod tally;
mod tell;
mod watch;

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use smol::channel::Sender;

use crate::chat::{Act, Batch, Chat, Order, Who};
use crate::counters::Counters;
use crate::entry::{
    AccountId, Clock, ConversationId, Cursor, EntryId, Key, Millis, MoveNumber, SessionId, TokenId,
};
use crate::limits;
use crate::name::{DisplayName, Handle};
use crate::outbox::{Behind, Outbox};
use crate::store::{Cause, Error, Forget, Record};
use crate::wire::refusal::Refusal;
pub use keep::Keeper;
pub use lookup::unkept;
use seats::Unkept;
use tally::Tally;
use watch::Watch;

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
    CaughtUp { session: SessionId, upto: Behind, answer: Sender<Option<Behind>> },
    /// A session has ended. `shown`: up to where its account has been shown the receipts; `None`:
    /// all that were put in its outbox.
    Leave { session: SessionId, shown: Option<MoveNumber> },
    /// An account has been shown the receipts up to this move.
    Shown { account: AccountId, upto: MoveNumber },
    /// A step of forgetting; the answer says whether it is on disk.
    Forget { step: Forget, answer: Sender<bool> },
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
    pub upto: Behind,
    /// Sessions that go on prove that the account was shown the receipts up to this move.
    pub shown: MoveNumber,
}

impl Hub {
    /// Starts the thread. It ends after [`Work::End`], or by a panic.
    ///
    /// # Errors
    /// The store's, or the system's if it gives no thread.
    pub fn start(
        mut record: Box<dyn Record>,
        clock: Clock,
        counters: Arc<Counters>,
    ) -> Result<(Hub, JoinHandle<()>), Error> {
        let newest = record.recall()?.newest()?;
        record.record(&[])?;
        let (queue, waiting) = mpsc::channel();
        let desk = Desk {
            chat: Chat::new(newest),
            record,
            clock,
            now: clock.now(),
            seats: FxHashMap::default(),
            online: FxHashMap::default(),
            watches: FxHashMap::default(),
            new_watches: Vec::new(),
            fulfilled: false,
            asked_online: Vec::new(),
            ordered: Vec::new(),
            voided: Vec::new(),
            covering: Vec::new(),
            unkept: Unkept::default(),
            forgetting: Vec::new(),
            wiping: None,
            told: Behind { entries: newest.entry, moves: newest.moved },
            lines: Vec::new(),
            stirred: Vec::new(),
            failing: false,
            lost: Refusal::Storage,
            tally: Tally::new(counters),
        };
        let run = move || desk.run(&waiting);
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
    live: bool,
    /// It has been sent `LIVE`, so its account is online.
    here: bool,
    /// Where it waits for others' cursors.
    watches: Option<ConversationId>,
    /// What opened it is void: it is about to be ended, and may do nothing more.
    void: bool,
}

impl Seat {
    /// It has to be sent what it can only read from the log.
    fn is_behind(&self) -> bool {
        !self.live && !self.quiet
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

/// What a session that comes in is told after the commit: what it reads from the store then is no
/// older than the answer.
struct Welcome {
    session: SessionId,
    answer: Sender<Result<Entered, Refusal>>,
    entered: Result<Entered, Refusal>,
    /// Its account is part of the batch.
    is_new: bool,
}

/// All that the thread owns.
struct Desk {
    chat: Chat,
    record: Box<dyn Record>,
    clock: Clock,
    /// When this batch began.
    now: Millis,
    seats: FxHashMap<SessionId, Seat>,
    online: FxHashMap<AccountId, Presence>,
    /// Who waits for whom, by conversation.
    watches: FxHashMap<ConversationId, Vec<Watch>>,
    /// Those who began to in this batch.
    new_watches: Vec<SessionId>,
    /// Someone waits for nobody any more.
    fulfilled: bool,
    /// Who asked in this batch who is online. Answered after it, so that what the store says of
    /// those who are not is no older.
    asked_online: Vec<(Vec<AccountId>, Sender<Vec<bool>>)>,
    /// Orders of this batch, answered after it.
    ordered: Vec<(Sender<Done>, Done)>,
    /// Who asked in this batch for a step of forgetting.
    forgetting: Vec<Sender<bool>>,
    /// Who asked for a wipe, which is done when the batch is told.
    wiping: Option<Sender<bool>>,
    /// Sessions whose key became void in this batch.
    voided: Vec<SessionId>,
    /// Sessions of which this batch has a bare `ACK` or `READ`.
    covering: Vec<SessionId>,
    /// What nobody is answered for and a batch that failed was to write.
    unkept: Unkept,
    /// How far everything has been told.
    told: Behind,
    /// The lines of the entries that are about to be told.
    lines: Vec<u8>,
    /// Outboxes whose sessions are to be woken.
    stirred: Vec<Arc<Outbox>>,
    /// The last commit failed, and that was logged.
    failing: bool,
    /// What is told of what could not be kept.
    lost: Refusal,
    tally: Tally,
}

impl Desk {
    fn run(mut self, waiting: &Receiver<Work>) {
        let mut ended = false;
        while !ended {
            let Ok(first) = waiting.recv() else { return };
            // What is decided together happened at one moment.
            self.now = self.clock.now();
            let mut welcomes: Vec<Welcome> = Vec::new();
            let (mut acts, mut bytes) = (0, 0);
            let mut next = Some(first);
            while let Some(work) = next {
                match work {
                    Work::End => ended = true,
                    work => {
                        let (more, size) = self.decide(work, &mut welcomes);
                        acts += more;
                        bytes += size;
                    }
                }
                let full = acts >= limits::BATCH || bytes >= limits::BATCH_BYTES;
                next = if full || ended { None } else { waiting.try_recv().ok() };
            }
            let mut batch = self.chat.finish();
            self.unkept.retry(&mut batch.changes);
            let kept = self.keep(&batch);
            if kept {
                self.voided.clear();
                self.covering.clear();
            } else {
                self.take_back(&batch);
            }
            self.tell(batch, kept);
            self.answer_watches(kept);
            self.answer_online();
            self.answer_orders(kept);
            self.tally.end(acts, self.seats.len());
            for Welcome { session, answer, mut entered, is_new } in welcomes {
                if is_new && !kept {
                    // Of an account that is not there, nothing is written down.
                    self.vacate(session);
                    entered = Err(self.lost.clone());
                }
                // A session that has gone needs no answer.
                let _ = answer.try_send(entered);
            }
            for outbox in self.stirred.drain(..) {
                outbox.wake();
            }
            self.answer_keeper(kept);
        }
    }

    /// Decides one piece of work. Gives back how many acts it was, and their size in bytes.
    fn decide(&mut self, work: Work, welcomes: &mut Vec<Welcome>) -> (usize, usize) {
        match work {
            Work::Acts { session, acts } => {
                let Some(seat) = self.seats.get(&session) else {
                    return (0, 0);
                };
                let who = Who { session, account: seat.account, key: seat.key };
                let count = acts.len();
                let mut bytes = 0;
                for mut act in acts {
                    if let Act::Send { body, .. } = &act {
                        bytes += body.len();
                    }
                    self.decide_act(who, &mut act);
                }
                return (count, bytes);
            }
            Work::Register { session, handle, name, secret, outbox, answer } => {
                let now = self.now;
                let made = self.known(|chat| chat.register(&handle, &name, &secret, now));
                let entered = match made {
                    Err(e) => Err(unkept(&e)),
                    Ok(Err(refusal)) => Err(refusal),
                    Ok(Ok(account)) => {
                        let entered = self.enter(session, account, Key::Password, false, outbox);
                        // A new account has nothing to catch up with.
                        if let Some(seat) = self.seats.get_mut(&session) {
                            (seat.live, seat.here) = (true, true);
                            self.tally.behind -= 1;
                        }
                        Ok(entered)
                    }
                };
                welcomes.push(Welcome { session, answer, entered, is_new: true });
                return (1, 0);
            }
            Work::Enter { session, account, key, quiet, most, outbox, answer } => {
                let others = self.online.get(&account).map_or(0, |p| p.sessions.len());
                let entered = if most > 0 && others >= most {
                    Err(Refusal::TooManyOf("sessions of this account; QUIT one of them"))
                } else {
                    Ok(self.enter(session, account, key, quiet, outbox))
                };
                welcomes.push(Welcome { session, answer, entered, is_new: false });
            }
            Work::CaughtUp { session, upto, answer } => {
                let _ = answer.try_send(self.caught_up(session, upto));
            }
            Work::Leave { session, shown } => self.leave(session, shown),
            Work::Shown { account, upto } => self.shown(account, upto, None),
            Work::Used(token) => self.chat.used(token, self.now),
            Work::Order { order, answer } => {
                let now = self.now;
                let done = self.known(|chat| chat.ordered(&order, now));
                let done = done.unwrap_or_else(|e| Err(unkept(&e)));
                let sessions = |a| self.online.get(&a).map_or(0, |p| p.sessions.len());
                self.ordered.push((answer, done.map(sessions)));
                self.void();
            }
            Work::Watch { session, id, cursor } => self.watch(session, id, cursor),
            Work::Unwatch { session } => self.end_watch(session, Refusal::Timeout),
            Work::Online { accounts, answer } => self.asked_online.push((accounts, answer)),
            Work::Forget { step, answer } => {
                self.chat.let_go(step);
                self.forgetting.push(answer);
                return (limits::FORGET, 0);
            }
            Work::Wipe { answer } => self.wiping = Some(answer),
            Work::End => {}
        }
        (0, 0)
    }

    fn decide_act(&mut self, who: Who, act: &mut Act) {
        let Some(seat) = self.seats.get(&who.session) else { return };
        if seat.void {
            return self.refuse(who, act, Refusal::NeedLogin);
        }
        if let Act::AdvanceAll { lost_moves, .. } = act {
            if seat.outbox.lost_moves() != *lost_moves {
                return self.refuse(who, act, Refusal::Storage);
            }
            self.covering.push(who.session);
        }
        let now = self.now;
        if let Err(e) = self.known(|chat| chat.asked(who, act, now)) {
            if !std::mem::replace(&mut self.failing, true) {
                log::error!("cannot read the database, nothing is accepted: {e}");
            }
            if let Act::AdvanceAll { .. } = act {
                self.lose_moves(who.session);
            }
            self.give_back(who.session, seats::charged(act));
            self.refuse(who, act, unkept(&e));
        }
        self.void();
    }

    fn refuse(&mut self, who: Who, act: &Act, refusal: Refusal) {
        // An act of the session's own has no answer.
        if !matches!(act, Act::AdvanceAll { answer: None, .. }) {
            self.chat.answer(who, act.verb(), Err(refusal));
        }
    }

    fn answer_online(&mut self) {
        let is_here = |s: &SessionId| self.seats.get(s).is_some_and(|seat| seat.here);
        let online =
            |a: &AccountId| self.online.get(a).is_some_and(|p| p.sessions.iter().any(is_here));
        for (accounts, answer) in &self.asked_online {
            let _ = answer.try_send(accounts.iter().map(online).collect());
        }
        self.asked_online.clear();
    }

    fn answer_orders(&mut self, kept: bool) {
        for (answer, done) in self.ordered.drain(..) {
            let _ = answer.try_send(if kept { done } else { Err(self.lost.clone()) });
        }
    }

    /// Records a batch. Gives back whether it is on disk.
    fn keep(&mut self, batch: &Batch) -> bool {
        let start = Instant::now();
        let done = self.record.record(&batch.changes);
        if batch.changes.is_empty() {
            // It only ended what was looked up, and says nothing of what can be written.
            if let Err(e) = done {
                log::debug!("a look at the database could not be ended: {e}");
            }
            return true;
        }
        match done {
            Ok(()) => {
                self.tally.kept(start.elapsed());
                if std::mem::take(&mut self.failing) {
                    log::info!("the database can be written to again");
                }
                true
            }
            Err(e) => {
                self.tally.lost();
                self.lost = unkept(&e);
                if e.cause() == Cause::Bug {
                    log::error!("a bug: what was decided cannot be written: {e}");
                } else if !std::mem::replace(&mut self.failing, true) {
                    log::error!("cannot write to the database, nothing is accepted: {e}");
                }
                self.chat.forget();
                false
            }
        }
    }
}
