//! What waits for one session, in the order in which it is to be sent.
//!
//! The hub puts in, the session takes out; neither waits for the other. Entries are encoded once
//! and shared by all who read them. It is bounded: where entries and receipts no longer fit, the
//! session falls *behind* and is served from the log, so that a full outbox costs nobody anything.

use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Waker;

use atomic_waker::AtomicWaker;

use crate::entry::{EntryId, MoveNumber};
use crate::limits;
use crate::name::{Handle, Target};
use crate::wire::rows::Bye;

/// One session's outbox.
pub struct Outbox {
    state: Mutex<OutboxState>,
    waker: AtomicWaker,
    /// Bytes that may wait.
    room: usize,
    /// See [`Outbox::proved`].
    proved: AtomicI64,
    /// See [`Outbox::lost_moves`].
    lost_moves: AtomicU32,
}

impl Default for Outbox {
    /// One with the usual room.
    fn default() -> Outbox {
        Outbox::new(limits::OUTBOX)
    }
}

#[derive(Default)]
struct OutboxState {
    items: Vec<Outgoing>,
    /// Of the items that count against the bound.
    bytes: usize,
    /// Commands whose final line was put in since it was last asked.
    answered: usize,
    /// The last message that the session sent, 0 if there is none.
    sent: EntryId,
    behind: Option<Box<Watermark>>,
    /// What it did itself while it was behind, if it did something.
    own: Option<Box<Own>>,
    unspent: Option<Box<Unspent>>,
    bye: Option<Bye>,
    /// See [`Outbox::owner`].
    owner: Box<str>,
    /// The session has ended.
    closed: bool,
    /// Something was put in since the session last looked.
    changed: bool,
}

/// What a session did itself while it was behind: the log will show it, the session is not to be.
#[derive(Default)]
struct Own {
    entries: Vec<EntryId>,
    /// Of its read cursor.
    moves: Vec<MoveNumber>,
}

/// What a session's account is not charged for after all: its rates were charged when it asked, and it
/// was not kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unspent {
    /// Bytes of messages.
    pub bytes: u64,
    /// New groups.
    pub groups: u64,
}

/// Something to be sent.
pub enum Outgoing {
    /// Whole lines that answer commands.
    Replies(Vec<u8>),
    /// Receipts, up to this move.
    Receipts { lines: Vec<u8>, upto: MoveNumber },
    /// Entries that others may be sent too.
    Block(Arc<Block>),
}

impl Outgoing {
    /// The lines to be sent.
    pub fn lines(&self) -> &[u8] {
        match self {
            Outgoing::Replies(lines) | Outgoing::Receipts { lines, .. } => lines,
            Outgoing::Block(block) => &block.lines,
        }
    }
}

/// Entries that one session wrote into one conversation, as lines.
pub struct Block {
    /// The lines.
    pub lines: Vec<u8>,
    /// The last of the entries.
    pub last: EntryId,
    /// Who wrote them.
    pub from: Handle,
    /// Where to.
    pub to: Target,
}

/// From where on a session has to be served from the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watermark {
    /// It was sent all entries up to this one.
    pub entries: EntryId,
    /// It was sent all receipts up to this move.
    pub moves: MoveNumber,
}

/// What a session takes out at once.
#[derive(Default)]
pub struct Drained {
    /// To be sent, in this order.
    pub items: Vec<Outgoing>,
    /// How many of its commands have been answered.
    pub answered: usize,
    /// It has fallen behind; the log continues where the items end.
    pub behind: Option<Watermark>,
    /// What its account is not charged for.
    pub unspent: Option<Unspent>,
}

impl Outbox {
    /// One in which so many bytes may wait before the session falls behind.
    pub fn new(room: usize) -> Outbox {
        let (proved, lost_moves) = (AtomicI64::new(0), AtomicU32::new(0));
        Outbox { state: Mutex::default(), waker: AtomicWaker::new(), room, proved, lost_moves }
    }

    /// Whose the session is and where it comes from, for the log: fields as in `from=192.0.2.7 handle=ana`.
    pub fn owner(&self) -> Box<str> {
        self.state().owner.clone()
    }

    /// Says whose it is from now on.
    pub fn set_owner(&self, fields: String) {
        self.state().owner = fields.into();
    }

    fn state(&self) -> MutexGuard<'_, OutboxState> {
        // No code that holds the lock can panic half-way through a change.
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Puts in the final line of a command, of one that sent a message with its id. Gives back
    /// whether the session has to be woken.
    pub fn answer(&self, sent: Option<EntryId>, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        let mut state = self.state();
        state.answered += 1;
        state.sent = sent.unwrap_or(state.sent);
        if !matches!(state.items.last(), Some(Outgoing::Replies(_))) {
            // A few lines fit; it is gone once it is sent.
            state.items.push(Outgoing::Replies(Vec::with_capacity(256)));
        }
        if let Some(Outgoing::Replies(lines)) = state.items.last_mut() {
            write(lines);
        }
        state.mark_changed()
    }

    /// Puts in entries, if they fit; else the session falls behind at `at`.
    pub fn push(&self, block: &Arc<Block>, at: Watermark) -> Pushed {
        let mut state = self.state();
        if !state.has_room(self.room, at) {
            return Pushed::Behind;
        }
        state.bytes += block.lines.len();
        state.items.push(Outgoing::Block(block.clone()));
        Pushed::In { wake: state.mark_changed() }
    }

    /// Puts in a receipt, if it fits; else the session falls behind at `at`.
    pub fn push_receipt(&self, line: &[u8], number: MoveNumber, at: Watermark) -> Pushed {
        let mut state = self.state();
        if !state.has_room(self.room, at) {
            return Pushed::Behind;
        }
        state.bytes += line.len();
        match state.items.last_mut() {
            Some(Outgoing::Receipts { lines, upto }) => {
                lines.extend_from_slice(line);
                *upto = number;
            }
            _ => state.items.push(Outgoing::Receipts { lines: line.to_vec(), upto: number }),
        }
        Pushed::In { wake: state.mark_changed() }
    }

    /// Notes an entry that the session wrote while it was behind: the log will hold it, and the
    /// session is not to be shown it.
    pub fn authored(&self, id: EntryId) {
        self.state().own.get_or_insert_default().entries.push(id);
    }

    /// Ends the session once all that is in has been sent. The first reason stays.
    pub fn hang_up(&self, bye: Bye) {
        self.state().bye.get_or_insert(bye);
        self.waker.wake();
    }

    /// Wakes the session.
    pub fn wake(&self) {
        self.waker.wake();
    }

    /// Has `waker` woken when something is put in. Gives back whether something already was.
    pub fn register(&self, waker: &Waker) -> bool {
        self.waker.register(waker);
        self.state().changed
    }

    /// The last message that the session sent.
    pub fn last_sent(&self) -> Option<EntryId> {
        Some(self.state().sent).filter(|id| *id > EntryId(0))
    }

    /// Whether something was put in since it was last taken out.
    pub fn has_changed(&self) -> bool {
        self.state().changed
    }

    /// Takes out everything.
    pub fn take(&self) -> Drained {
        let mut state = self.state();
        state.changed = false;
        state.bytes = 0;
        Drained {
            items: std::mem::take(&mut state.items),
            answered: std::mem::take(&mut state.answered),
            behind: state.behind.take().map(|at| *at),
            unspent: state.unspent.take().map(|unspent| *unspent),
        }
    }

    /// Takes out the entries that the session wrote itself while it was behind.
    pub fn take_authored(&self) -> Vec<EntryId> {
        self.state().own.as_mut().map(|own| std::mem::take(&mut own.entries)).unwrap_or_default()
    }

    /// Notes a move that the session asked for while it was behind: it is not to be told of it.
    pub fn moved(&self, number: MoveNumber) {
        self.state().own.get_or_insert_default().moves.push(number);
    }

    /// Takes out the moves that the session asked for itself while it was behind.
    pub fn take_moved(&self) -> Vec<MoveNumber> {
        self.state().own.as_mut().map(|own| std::mem::take(&mut own.moves)).unwrap_or_default()
    }

    /// The session's account has been shown all receipts up to this move. The session says so; the
    /// hub reads it when another session of the account begins, without asking this one.
    pub fn proved(&self) -> MoveNumber {
        MoveNumber(self.proved.load(Ordering::Acquire))
    }

    /// Sets what [`Outbox::proved`] returns.
    pub fn prove(&self, upto: MoveNumber) {
        self.proved.store(upto.0, Ordering::Release);
    }

    /// How often a bare `ACK` or `READ` of the session was not kept. One that was handed over
    /// before the session knew of the last failure may rely on the one that failed, and is refused.
    pub fn lost_moves(&self) -> u32 {
        self.lost_moves.load(Ordering::Acquire)
    }

    /// Counts one that was not kept. The session has to be woken.
    pub fn lose_moves(&self) {
        self.lost_moves.fetch_add(1, Ordering::AcqRel);
        self.state().mark_changed();
    }

    /// Gives back what was charged for something that was not kept.
    pub fn give_back(&self, Unspent { bytes, groups }: Unspent) {
        let mut state = self.state();
        let unspent = state.unspent.get_or_insert_default();
        unspent.bytes += bytes;
        unspent.groups += groups;
    }

    /// Why the session is to end, if it is.
    pub fn bye(&self) -> Option<Bye> {
        self.state().bye
    }

    /// Where the session fell behind, if it has not noticed.
    pub fn fell_behind(&self) -> Option<Watermark> {
        self.state().behind.as_deref().copied()
    }

    /// Lets things in again, for a session that is nobody's.
    pub fn reopen(&self) {
        self.state().closed = false;
    }

    /// Takes out everything for the last time: nothing fits in any more.
    pub fn close(&self) -> Drained {
        self.state().closed = true;
        self.take()
    }
}

impl OutboxState {
    fn mark_changed(&mut self) -> bool {
        !std::mem::replace(&mut self.changed, true)
    }

    fn has_room(&mut self, room: usize, at: Watermark) -> bool {
        if self.bytes < room && !self.closed {
            return true;
        }
        self.behind = Some(Box::new(at));
        self.mark_changed();
        false
    }
}

/// What became of a push.
pub enum Pushed {
    /// It is in; the session has to be woken if `wake`.
    In { wake: bool },
    /// There was no room: the session is behind now.
    Behind,
}
