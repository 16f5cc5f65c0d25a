//! The queue in front of the rules, and in which order it is served.
//!
//! What fits in one batch is decided as it came. Where more waits, accounts take turns: each has a
//! share of a batch, and within it its sessions take turns, so that who sends ten thousand commands
//! waits for itself. What a session asked for stays in its order, and one act over many
//! conversations is done in pieces, the rest of which keep its place. Everything that is not a
//! command of a session (log-ins, operators' orders) goes first.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvError};
use std::vec::IntoIter;

use rustc_hash::{FxHashMap, FxHashSet};

use super::Work;
use crate::chat::Act;
use crate::entry::{AccountId, Cursor, EntryId, SessionId};
use crate::limits;

/// See the module's text.
pub(super) struct Queue {
    waiting: Receiver<Work>,
    /// What came within a batch and is too much for the rest of it.
    late: Option<Work>,
    /// Served before all turns.
    first: VecDeque<Work>,
    /// What sessions wait for, each in its order.
    sessions: FxHashMap<SessionId, VecDeque<Step>>,
    /// The sessions of an account that wait for something, the next one in front.
    accounts: FxHashMap<AccountId, VecDeque<SessionId>>,
    /// Accounts whose sessions wait for something, the next one in front.
    turns: VecDeque<AccountId>,
    /// How many of those have their turn in this batch, and how much of it each may do.
    round: usize,
    share: usize,
    /// What is left of the share of the one whose turn it is.
    left: usize,
    /// Sessions whose act was begun in this batch and is not done.
    unfinished: FxHashSet<SessionId>,
    /// A batch ended early: what is left of it takes turns, too.
    crowded: bool,
    /// Nothing more is taken over.
    ended: bool,
}

/// One thing that a session waits for.
enum Step {
    Act(Act),
    /// What is left of a cursor's move in many conversations.
    Rest {
        cursor: Cursor,
        ids: IntoIter<EntryId>,
        answer: Option<EntryId>,
        lost_moves: u32,
    },
    /// Anything else, which comes after its acts.
    Other(Work),
}

impl Queue {
    pub(super) fn new(waiting: Receiver<Work>) -> Queue {
        Queue {
            waiting,
            late: None,
            first: VecDeque::new(),
            sessions: FxHashMap::default(),
            accounts: FxHashMap::default(),
            turns: VecDeque::new(),
            round: 0,
            share: 0,
            left: 0,
            unfinished: FxHashSet::default(),
            crowded: false,
            ended: false,
        }
    }

    /// Begins a batch with what has come. Where nothing waits at all and the hub is not `busy` with
    /// something of its own, it waits.
    ///
    /// # Errors
    /// There is nothing, and nobody is left who could ask for anything.
    pub(super) fn begin(
        &mut self,
        busy: bool,
        account: impl Fn(SessionId) -> Option<AccountId>,
    ) -> Result<(), RecvError> {
        self.unfinished.clear();
        if self.left < self.share && !self.turns.is_empty() {
            // Whose turn the last batch broke off has had it.
            self.turns.rotate_left(1);
        }
        if self.is_empty() && !busy && !self.ended {
            self.late = Some(self.waiting.recv()?);
        }
        self.fill(account);
        self.round = self.turns.len();
        self.share = (limits::BATCH / self.round.max(1)).clamp(limits::TURN, limits::SHARE);
        self.left = self.share;
        Ok(())
    }

    /// Nothing has been taken over that is not done.
    pub(super) fn is_empty(&self) -> bool {
        self.late.is_none() && self.first.is_empty() && self.turns.is_empty()
    }

    /// What came before is still done, and what comes after is not.
    pub(super) fn end(&mut self) {
        self.ended = true;
        self.first.clear();
        self.late = None;
    }

    /// Takes over what has come: as it came if it fits in a batch, else by turns.
    fn fill(&mut self, account: impl Fn(SessionId) -> Option<AccountId>) {
        let before = self.first.len();
        let mut come = std::mem::take(&mut self.first);
        come.extend(self.late.take());
        if !self.ended {
            come.extend(self.waiting.try_iter());
        }
        let mut size = (0, 0);
        for work in &come {
            let (acts, bytes) = work.size();
            size = (size.0 + acts, size.1 + bytes);
        }
        let crowded = std::mem::take(&mut self.crowded);
        if !crowded
            && self.turns.is_empty()
            && size.0 <= limits::BATCH
            && size.1 <= limits::BATCH_BYTES
        {
            self.first = come;
            return;
        }
        for (n, work) in come.into_iter().enumerate() {
            let session = work.session();
            match session.and_then(|session| Some((session, account(session)?))) {
                Some((session, account)) if n >= before || crowded => {
                    self.take_turns(session, account, work)
                }
                // What was to be done in the batch before stays in front.
                _ => self.first.push_back(work),
            }
        }
    }

    fn take_turns(&mut self, session: SessionId, account: AccountId, work: Work) {
        if !matches!(work, Work::Acts { .. }) && !self.sessions.contains_key(&session) {
            return self.first.push_back(work);
        }
        let steps = self.sessions.entry(session).or_insert_with(|| {
            let ring = self.accounts.entry(account).or_default();
            if ring.is_empty() {
                self.turns.push_back(account);
            }
            ring.push_back(session);
            VecDeque::new()
        });
        match work {
            Work::Acts { acts, .. } => steps.extend(acts.into_iter().map(Step::of)),
            work => steps.push_back(Step::Other(work)),
        }
    }

    /// The next thing that is to be done in this batch.
    pub(super) fn next(&mut self) -> Option<Work> {
        if let Some(work) = self.first.pop_front() {
            return Some(work);
        }
        if self.turns.is_empty() {
            // Nobody waits for a turn, so what comes meanwhile shares the batch.
            if self.late.is_none() && !self.ended {
                self.late = self.waiting.try_recv().ok();
            }
            return self.late.take_if(|work| work.size().0 <= limits::SHARE);
        }
        while self.round > 0 {
            let account = *self.turns.front()?;
            let session = self.accounts.get(&account)?.front().copied()?;
            if self.left == 0 {
                self.end_turn();
                continue;
            }
            let work = self.take(session);
            self.rotate(account, session);
            return work;
        }
        None
    }

    /// Puts back acts that a batch has no room for any more, before all else of their session.
    pub(super) fn put_back(&mut self, session: SessionId, acts: Vec<Act>) {
        match self.sessions.get_mut(&session) {
            Some(steps) => acts.into_iter().rev().for_each(|act| steps.push_front(Step::of(act))),
            None => {
                self.first.push_front(Work::Acts { session, acts });
                self.crowded = true;
            }
        }
    }

    /// A piece of what a session waits for.
    fn take(&mut self, session: SessionId) -> Option<Work> {
        let steps = self.sessions.get_mut(&session)?;
        let (mut acts, mut room) = (Vec::new(), self.left.min(limits::TURN));
        while let Some(step) = steps.pop_front() {
            let weight = match step {
                Step::Other(work) if acts.is_empty() => return Some(work),
                Step::Other(work) => {
                    steps.push_front(Step::Other(work));
                    break;
                }
                Step::Act(act) => {
                    let weight = act.weight();
                    acts.push(act);
                    weight
                }
                Step::Rest { cursor, mut ids, answer, lost_moves } => {
                    let piece: Vec<EntryId> =
                        ids.by_ref().take((room / Act::MOVE).max(1)).collect();
                    let (weight, more) = (piece.len() * Act::MOVE, ids.len() > 0);
                    let said = if more { None } else { answer };
                    acts.push(Act::AdvanceAll { cursor, ids: piece, answer: said, lost_moves });
                    if more {
                        steps.push_front(Step::Rest { cursor, ids, answer, lost_moves });
                        self.unfinished.insert(session);
                        self.left = self.left.saturating_sub(weight);
                        break;
                    }
                    self.unfinished.remove(&session);
                    weight
                }
            };
            self.left = self.left.saturating_sub(weight);
            room = room.saturating_sub(weight);
            if room == 0 {
                break;
            }
        }
        Some(Work::Acts { session, acts })
    }

    /// The next session of an account is in front now, or the turn of its account is over.
    fn rotate(&mut self, account: AccountId, session: SessionId) {
        let Some(ring) = self.accounts.get_mut(&account) else { return };
        ring.pop_front();
        if self.sessions.get(&session).is_some_and(|steps| !steps.is_empty()) {
            ring.push_back(session);
        } else {
            self.sessions.remove(&session);
        }
        if ring.is_empty() {
            self.accounts.remove(&account);
            self.turns.pop_front();
            self.round -= 1;
            self.left = self.share;
        }
    }

    fn end_turn(&mut self) {
        self.turns.rotate_left(1);
        self.round -= 1;
        self.left = self.share;
    }

    /// Gives up the act of a session of which a piece was done in this batch; returns its rest.
    pub(super) fn abandon(&mut self, session: SessionId) -> Option<Act> {
        if !self.unfinished.remove(&session) {
            return None;
        }
        // The session stays in its ring, where what follows is served.
        let steps = self.sessions.get_mut(&session)?;
        match steps.pop_front()? {
            Step::Rest { cursor, ids, answer, lost_moves } => {
                Some(Act::AdvanceAll { cursor, ids: ids.collect(), answer, lost_moves })
            }
            other => {
                steps.push_front(other);
                None
            }
        }
    }

    /// The sessions whose act was begun in this batch and is not done.
    pub(super) fn unfinished(&self) -> Vec<SessionId> {
        self.unfinished.iter().copied().collect()
    }
}

impl Step {
    fn of(act: Act) -> Step {
        match act {
            Act::AdvanceAll { cursor, ids, answer, lost_moves } => {
                Step::Rest { cursor, ids: ids.into_iter(), answer, lost_moves }
            }
            act => Step::Act(act),
        }
    }
}

impl Work {
    /// How much of a batch it takes: weight of acts, and bytes.
    pub(super) fn size(&self) -> (usize, usize) {
        match self {
            Work::Acts { acts, .. } => acts
                .iter()
                .fold((0, 0), |(weight, bytes), act| (weight + act.weight(), bytes + act.bytes())),
            Work::Register { .. } | Work::Order { .. } => (1, 0),
            Work::Forget { .. } => (limits::FORGET, 0),
            _ => (0, 0),
        }
    }

    /// The session whose order it keeps.
    fn session(&self) -> Option<SessionId> {
        match self {
            Work::Acts { session, .. }
            | Work::Register { session, .. }
            | Work::Enter { session, .. }
            | Work::Watch { session, .. }
            | Work::Unwatch { session }
            | Work::CaughtUp { session, .. }
            | Work::Leave { session, .. } => Some(*session),
            _ => None,
        }
    }
}
