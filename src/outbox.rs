//! The lines that wait for one session, in the order in which they will be sent.
//!
//! The hub puts in, the session takes out; neither waits for the other. Entries are encoded once
//! and shared by all recipients. It is bounded: when entries and receipts no longer fit, the
//! session falls *behind* and is served from the log, so that a full outbox costs nobody else
//! anything.

mod block;

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Waker;

use atomic_waker::AtomicWaker;

use crate::entry::{EntryId, MoveNumber};
use crate::limits;
use crate::name::Handle;
use crate::origin::Origin;
use crate::wire::rows::Bye;
pub use block::{Block, Withdrawal};

pub struct Outbox {
    state: Mutex<OutboxState>,
    waker: AtomicWaker,
    /// See [`Outbox::origin`].
    origin: Origin,
    /// Bytes of entries and receipts that may wait.
    room: u32,
    /// See [`Outbox::proved`].
    proved: AtomicI64,
    /// See [`Outbox::lost_moves`].
    lost_moves: AtomicU32,
    /// `OutboxState::deleted` is not empty.
    has_deleted: AtomicBool,
}

impl Default for Outbox {
    /// An outbox of a session of this machine, with room for [`limits::OUTBOX`] bytes.
    fn default() -> Outbox {
        Outbox::new(limits::OUTBOX, Origin::User(0))
    }
}

#[derive(Default)]
struct OutboxState {
    items: Vec<Outgoing>,
    /// Bytes of the entries and receipts, which count against the bound.
    bytes: usize,
    /// Final lines put in since the last [`Outbox::take`].
    answered: u32,
    /// The last message that the session sent, 0 if there is none.
    sent: EntryId,
    behind: Option<Box<Watermark>>,
    rare: Option<Box<Rare>>,
    bye: Option<Bye>,
    /// See [`Outbox::cut`].
    is_cut: bool,
    /// The handle of the session's account, once it has logged in.
    handle: Option<Handle>,
    /// Closed: entries and receipts no longer fit.
    closed: bool,
    /// Something was put in since the last [`Outbox::take`].
    changed: bool,
}

/// What most sessions never have. Apart, since thousands are idle.
#[derive(Default)]
struct Rare {
    /// The session's own entries while it was behind. The log has them, but they are left out when
    /// the session pages it.
    own_entries: Vec<EntryId>,
    /// Likewise its moves of its account's read cursor.
    own_moves: Vec<MoveNumber>,
    unspent: Option<Unspent>,
    /// See [`Drained::forwarded`].
    forwarded: u64,
    /// Messages that were deleted since the session last looked, each with the mark that did it.
    deleted: Vec<(EntryId, EntryId)>,
}

/// A refund to the session's account: its rates were charged when a command came in that could not
/// be recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "postgres", derive(serde::Serialize, serde::Deserialize))]
pub struct Unspent {
    /// Bytes of messages.
    pub bytes: u64,
    /// New groups.
    pub groups: u64,
}

/// Something to be sent.
pub enum Outgoing {
    /// Whole lines of replies.
    Replies(Vec<u8>),
    /// Receipts up to and including the move `upto`.
    Receipts { lines: Vec<u8>, upto: MoveNumber },
    /// Lines from the operator.
    Notices(Vec<u8>),
    /// Entries, shared with other sessions.
    Block(Arc<Block>),
}

impl Outgoing {
    pub fn lines(&self) -> &[u8] {
        match self {
            Outgoing::Replies(lines)
            | Outgoing::Receipts { lines, .. }
            | Outgoing::Notices(lines) => lines,
            Outgoing::Block(block) => &block.lines,
        }
    }

    /// Sets what [`Outgoing::lines`] returns.
    pub fn replace_lines(&mut self, instead: Vec<u8>) {
        match self {
            Outgoing::Replies(lines)
            | Outgoing::Receipts { lines, .. }
            | Outgoing::Notices(lines) => *lines = instead,
            Outgoing::Block(block) => *block = block.with_lines(instead),
        }
    }
}

/// The point from which a session has to be served from the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "postgres", derive(serde::Serialize, serde::Deserialize))]
pub struct Watermark {
    /// It was sent all entries up to this one.
    pub entries: EntryId,
    /// It was sent all receipts up to this move.
    pub moves: MoveNumber,
}

/// The contents of an outbox, as the session takes them out.
#[derive(Default)]
pub struct Drained {
    /// To be sent in this order.
    pub items: Vec<Outgoing>,
    /// How many commands the items answer.
    pub answered: u32,
    /// The session has fallen behind; the log continues where the items end.
    pub behind: Option<Watermark>,
    pub unspent: Option<Unspent>,
    /// Bytes of texts that the session has forwarded, which it could not know.
    pub forwarded: u64,
}

impl Outbox {
    /// The session comes from `origin`, and falls behind once `room` bytes of entries and receipts
    /// are waiting.
    pub fn new(room: usize, origin: Origin) -> Outbox {
        // A connection holds few fields, and small ones: thousands are idle.
        let room = u32::try_from(room).unwrap_or(u32::MAX);
        let (proved, lost_moves) = (AtomicI64::new(0), AtomicU32::new(0));
        Outbox {
            state: Mutex::default(),
            waker: AtomicWaker::new(),
            origin,
            room,
            proved,
            lost_moves,
            has_deleted: AtomicBool::new(false),
        }
    }

    /// Where the session comes from.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// The handle of the session's account, also after the session has left it.
    pub fn owner(&self) -> Option<Handle> {
        self.state().handle.clone()
    }

    /// The same while the session is logged in.
    pub fn handle(&self) -> Option<Handle> {
        let state = self.state();
        state.handle.clone().filter(|_| !state.closed)
    }

    /// Whether the session is logged in.
    pub fn has_handle(&self) -> bool {
        let state = self.state();
        state.handle.is_some() && !state.closed
    }

    /// Sets what [`Outbox::owner`] returns.
    pub fn set_handle(&self, handle: Handle) {
        self.state().handle = Some(handle);
    }

    fn state(&self) -> MutexGuard<'_, OutboxState> {
        // No code that holds the lock can panic halfway through a change.
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Puts in the final line of a command; `sent` is the id of the message if it sent one. Returns
    /// whether the session has to be woken.
    pub fn answer(&self, sent: Option<EntryId>, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        let mut state = self.state();
        state.answered += 1;
        state.sent = sent.unwrap_or(state.sent);
        if !matches!(state.items.last(), Some(Outgoing::Replies(_))) {
            // Room for a few lines; freed once they are sent.
            state.items.push(Outgoing::Replies(Vec::with_capacity(256)));
        }
        if let Some(Outgoing::Replies(lines)) = state.items.last_mut() {
            write(lines);
        }
        state.mark_changed()
    }

    /// Puts in entries if they fit; otherwise the session falls behind at `at`.
    pub fn push(&self, block: &Arc<Block>, at: Watermark) -> Pushed {
        let mut state = self.state();
        if !state.has_room(self.room, at) {
            return Pushed::Behind;
        }
        state.bytes += block.lines.len();
        state.items.push(Outgoing::Block(block.clone()));
        Pushed::In { wake: state.mark_changed() }
    }

    /// Puts in a receipt if it fits; otherwise the session falls behind at `at`.
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

    /// Puts in lines from operators if they fit; otherwise the session falls behind at `at`.
    pub fn push_notices(&self, lines: &[u8], at: Watermark) -> Pushed {
        let mut state = self.state();
        if !state.has_room(self.room, at) {
            return Pushed::Behind;
        }
        state.bytes += lines.len();
        state.items.push(Outgoing::Notices(lines.to_vec()));
        Pushed::In { wake: state.mark_changed() }
    }

    /// Puts in what another node's outbox of this session had: final lines to so many commands, and,
    /// if there is room and the session is not `behind` already, entries and receipts. Otherwise it
    /// falls behind at `at`. Returns whether it has.
    pub fn deliver(
        &self,
        drained: Drained,
        sent: Option<EntryId>,
        behind: bool,
        at: Watermark,
    ) -> bool {
        let is_reply = |item: &Outgoing| matches!(item, Outgoing::Replies(_));
        let mut state = self.state();
        state.answered += drained.answered;
        state.sent = sent.unwrap_or(state.sent);
        if drained.forwarded > 0 {
            state.rare().forwarded += drained.forwarded;
        }
        if let Some(Unspent { bytes, groups }) = drained.unspent {
            let unspent = state.rare().unspent.get_or_insert_default();
            unspent.bytes += bytes;
            unspent.groups += groups;
        }
        let has_events = !drained.items.iter().all(is_reply);
        let falls = !behind && has_events && !state.has_room(self.room, at);
        for item in drained.items {
            if is_reply(&item) {
                state.items.push(item);
            } else if !behind && !falls {
                state.bytes += item.lines().len();
                state.items.push(item);
            }
        }
        state.mark_changed();
        falls
    }

    /// The session falls behind at `at`, though there is room.
    pub fn fall_behind(&self, at: Watermark) {
        let mut state = self.state();
        state.behind = Some(Box::new(at));
        state.mark_changed();
    }

    /// Takes the text of a message that was deleted out of what waits here, and has the
    /// session do so with what it has taken. Returns whether the session has to be woken.
    pub fn withdraw(&self, withdrawal: &mut Withdrawal) -> bool {
        let mut state = self.state();
        let OutboxState { items, bytes, .. } = &mut *state;
        for item in items {
            let Outgoing::Block(block) = item else { continue };
            if let Some(instead) = withdrawal.instead_of(block) {
                *bytes = *bytes - block.lines.len() + instead.lines.len();
                *block = instead;
            }
        }
        state.rare().deleted.push((withdrawal.message, withdrawal.mark));
        self.has_deleted.store(true, Ordering::Release);
        state.mark_changed()
    }

    /// Takes out the messages that were deleted since this was last called, each with the mark that
    /// did it.
    pub fn take_deleted(&self) -> Vec<(EntryId, EntryId)> {
        if !self.has_deleted.load(Ordering::Acquire) {
            return Vec::new();
        }
        let mut state = self.state();
        self.has_deleted.store(false, Ordering::Release);
        state.rare.as_mut().map(|rare| std::mem::take(&mut rare.deleted)).unwrap_or_default()
    }

    /// Records an entry that the session wrote while it was behind, which is left out when it pages
    /// the log.
    pub fn authored(&self, id: EntryId) {
        self.state().rare().own_entries.push(id);
    }

    /// Ends the session once everything in the outbox has been sent. The first reason wins.
    pub fn hang_up(&self, bye: Bye) {
        self.state().bye.get_or_insert(bye);
        self.waker.wake();
    }

    /// Ends the session at once and without a word: it is not known what became of a command.
    pub fn cut(&self) {
        let mut state = self.state();
        state.is_cut = true;
        state.bye.get_or_insert(Bye::Shutdown);
        drop(state);
        self.waker.wake();
    }

    /// Whether the session has to end without a word.
    pub fn is_cut(&self) -> bool {
        self.state().is_cut
    }

    pub fn wake(&self) {
        self.waker.wake();
    }

    /// Wakes `waker` when something is put in. Returns whether something has been since the last
    /// [`Outbox::take`].
    pub fn register(&self, waker: &Waker) -> bool {
        self.waker.register(waker);
        self.state().changed
    }

    /// The id of the last message that the session sent.
    pub fn last_sent(&self) -> Option<EntryId> {
        Some(self.state().sent).filter(|id| *id > EntryId(0))
    }

    /// Whether something was put in since the last [`Outbox::take`].
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
            unspent: state.rare.as_mut().and_then(|rare| rare.unspent.take()),
            forwarded: state.rare.as_mut().map_or(0, |rare| std::mem::take(&mut rare.forwarded)),
        }
    }

    /// Takes out the entries that the session wrote itself while it was behind.
    pub fn take_authored(&self) -> Vec<EntryId> {
        let mut state = self.state();
        state.rare.as_mut().map(|rare| std::mem::take(&mut rare.own_entries)).unwrap_or_default()
    }

    /// Records a move of the read cursor that the session asked for while it was behind, whose
    /// receipt is left out when it catches up.
    pub fn moved(&self, number: MoveNumber) {
        self.state().rare().own_moves.push(number);
    }

    /// Takes out the moves that the session asked for while it was behind.
    pub fn take_moved(&self) -> Vec<MoveNumber> {
        let mut state = self.state();
        state.rare.as_mut().map(|rare| std::mem::take(&mut rare.own_moves)).unwrap_or_default()
    }

    /// The session's account has been shown all receipts up to this move. The session sets it; the
    /// hub reads it when another session of the account begins, without asking this one.
    pub fn proved(&self) -> MoveNumber {
        MoveNumber(self.proved.load(Ordering::Acquire))
    }

    /// Sets what [`Outbox::proved`] returns.
    pub fn prove(&self, upto: MoveNumber) {
        self.proved.store(upto.0, Ordering::Release);
    }

    /// How many bare `ACK`s or `READ`s of the session could not be recorded. One that was handed
    /// over before the session knew of the latest failure may rely on the failed one, and is
    /// refused.
    pub fn lost_moves(&self) -> u32 {
        self.lost_moves.load(Ordering::Acquire)
    }

    /// Counts such a failure. The caller has to wake the session.
    pub fn lose_moves(&self) {
        self.lost_moves.fetch_add(1, Ordering::AcqRel);
        self.state().mark_changed();
    }

    /// Refunds what was charged for something that could not be recorded.
    pub fn give_back(&self, Unspent { bytes, groups }: Unspent) {
        let mut state = self.state();
        let unspent = state.rare().unspent.get_or_insert_default();
        unspent.bytes += bytes;
        unspent.groups += groups;
    }

    /// Notes that the session has forwarded a text of so many bytes.
    pub fn forwarded(&self, bytes: u64) {
        self.state().rare().forwarded += bytes;
    }

    /// Why the session must end, if it must.
    pub fn bye(&self) -> Option<Bye> {
        self.state().bye
    }

    /// Where the session fell behind, if that was since the last [`Outbox::take`].
    pub fn fell_behind(&self) -> Option<Watermark> {
        self.state().behind.as_deref().copied()
    }

    /// Reopens a closed outbox, for a session that logged out again.
    pub fn reopen(&self) {
        let mut state = self.state();
        (state.closed, state.handle) = (false, None);
    }

    /// Takes out everything and closes the outbox: entries and receipts no longer fit.
    pub fn close(&self) -> Drained {
        self.state().closed = true;
        self.take()
    }
}

impl OutboxState {
    fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    fn mark_changed(&mut self) -> bool {
        !std::mem::replace(&mut self.changed, true)
    }

    fn has_room(&mut self, room: u32, at: Watermark) -> bool {
        if self.bytes < room as usize && !self.closed {
            return true;
        }
        self.behind = Some(Box::new(at));
        self.mark_changed();
        false
    }
}

pub enum Pushed {
    /// It fits; the session has to be woken if `wake`.
    In { wake: bool },
    /// It does not fit: the session is behind now.
    Behind,
}
