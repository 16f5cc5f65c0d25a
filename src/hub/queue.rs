//! The queue in front of the rules, and the order in which it is served.
//!
//! Work that fits in one batch is done in the order of its arrival. If more waits, accounts take
//! turns by what they have cost: each turn moves an account back by the weight of what it did, and
//! the account furthest in front is next ("start-time fair queueing", Goyal, Vin and Cheng, 1996).
//! An account that comes after a rest starts one turn before those in front. So someone who writes
//! now and then is in the next batch, and someone who sends ten thousand commands waits only for
//! themselves. Within an account, its sessions take turns. The work of one session stays in order;
//! one act over many conversations is done in pieces, and its rest keeps its place. An act that is
//! more than a batch and cannot be divided, such as creating a group of thousands, is prepared in
//! pieces (`acts.rs`), one such act after the other. Each of these batches is followed by an equal
//! time in which everything else goes first. Work that is not a command of a session (logins,
//! operators' orders) is done before all turns.

use std::collections::{BTreeMap, VecDeque};
use std::sync::mpsc::RecvError;
use std::time::{Duration, Instant};
use std::vec::IntoIter;

use rustc_hash::{FxHashMap, FxHashSet};

use super::Work;
use super::inbox::InboxReceiver;
use super::step::Step;
use crate::chat::Act;
use crate::entry::{AccountId, EntryId, SessionId};
use crate::limits;

/// See the module documentation.
pub(super) struct Queue {
    waiting: InboxReceiver,
    /// Work that arrived during a batch and was too much for the rest of it.
    late: Option<Work>,
    /// Done before all turns.
    first: VecDeque<Work>,
    /// The work of each session, in its order.
    sessions: FxHashMap<SessionId, VecDeque<Step>>,
    /// The sessions of each account that have work, the next one in front.
    accounts: FxHashMap<AccountId, VecDeque<SessionId>>,
    /// Accounts that have work, in the order of their turns.
    turns: BTreeMap<Standing, AccountId>,
    /// The highest place from which an account has had a turn.
    front: u64,
    /// Where accounts go on that have no work now but had more than those that do.
    ahead: FxHashMap<AccountId, u64>,
    /// How often an account has joined the turns so far.
    joined: u64,
    /// The weight of each account's work in this batch.
    done: FxHashMap<AccountId, usize>,
    /// Accounts that have had their share of this batch, with their places.
    resting: Vec<(Standing, AccountId)>,
    /// The last turn, until its cost is known.
    turn: Option<Turn>,
    /// Sessions with an act of which a piece was done in this batch and a rest is left.
    unfinished: FxHashSet<SessionId>,
    /// Acts that are more than a batch ("long") wait until then.
    calm_until: Option<Instant>,
    /// A long act is in this batch.
    has_long: bool,
    /// The account whose long act is being prepared: no other begins before that is done.
    preparing: Option<AccountId>,
    /// All work that waited for a turn when the batch began fits in it.
    fits: bool,
    /// No more work is accepted.
    ended: bool,
}

/// The place of an account: the weight it has had, on a scale common to all that have work, and as
/// a tie-breaker the order in which they joined.
type Standing = (u64, u64);

/// One account's turn.
struct Turn {
    account: AccountId,
    /// Its place before the turn.
    place: Standing,
    weight: usize,
}

impl Queue {
    pub(super) fn new(waiting: InboxReceiver) -> Queue {
        Queue {
            waiting,
            late: None,
            first: VecDeque::new(),
            sessions: FxHashMap::default(),
            accounts: FxHashMap::default(),
            turns: BTreeMap::new(),
            front: limits::TURN as u64,
            ahead: FxHashMap::default(),
            joined: 0,
            done: FxHashMap::default(),
            resting: Vec::new(),
            turn: None,
            unfinished: FxHashSet::default(),
            calm_until: None,
            has_long: false,
            preparing: None,
            fits: false,
            ended: false,
        }
    }

    /// The same, where this work comes first.
    #[cfg(feature = "postgres")]
    pub(super) fn with(waiting: InboxReceiver, first: VecDeque<Work>) -> Queue {
        Queue { first, ..Queue::new(waiting) }
    }

    /// Where work arrives, and what has arrived and is not done, each session's in its order.
    #[cfg(feature = "postgres")]
    pub(super) fn into_parts(self) -> (InboxReceiver, Vec<Work>) {
        let Queue { waiting, late, first, sessions, .. } = self;
        let mut works: Vec<Work> = first.into();
        for (session, steps) in sessions {
            works.extend(steps.into_iter().map(|step| match step {
                Step::Act(act) => Work::Acts { session, acts: vec![act] },
                Step::Rest { cursor, ids, answer, lost_moves } => {
                    let ids = ids.collect();
                    let act = Act::AdvanceAll { cursor, ids, answer, lost_moves };
                    Work::Acts { session, acts: vec![act] }
                }
                Step::Other(work) => work,
            }));
        }
        works.extend(late);
        (waiting, works)
    }

    /// Begins a batch with the work that has arrived. If there is none, and the hub is not `busy`
    /// with work of its own, waits for some, for this time at most.
    ///
    /// # Errors
    /// There is no work, and nobody is left who could send any.
    pub(super) fn begin(
        &mut self,
        busy: bool,
        time: Option<Duration>,
        account: impl Fn(SessionId) -> Option<AccountId>,
    ) -> Result<(), RecvError> {
        self.unfinished.clear();
        self.end_turn();
        self.done.clear();
        self.turns.extend(self.resting.drain(..));
        self.has_long = false;
        if self.is_empty() && !busy && !self.ended {
            self.late = self.waiting.recv(time)?;
        } else if !busy
            && self.late.is_none()
            && let Some(calm) = self.calm()
        {
            let time = time.map_or(calm, |time| time.min(calm));
            self.late = self.waiting.recv(Some(time)).unwrap_or_default();
        }
        if self.accounts.is_empty() {
            // No account has work, so there is nobody to be ahead of.
            self.ahead.clear();
        } else {
            let start = self.start();
            self.ahead.retain(|_, at| *at > start);
        }
        self.fill(account);
        self.fits = self.all_fits();
        Ok(())
    }

    /// Whether all accepted work is done.
    pub(super) fn is_empty(&self) -> bool {
        self.late.is_none() && self.first.is_empty() && self.accounts.is_empty()
    }

    /// Whether all work that waits for a turn fits in one batch. Then no account has to wait for
    /// another's turn.
    fn all_fits(&self) -> bool {
        let (mut weight, mut bytes) = (0, 0);
        self.sessions.values().flatten().all(|step| {
            let (more, size) = step.size();
            (weight, bytes) = (weight + more, bytes + size);
            weight <= limits::BATCH && bytes <= limits::BATCH_BYTES
        })
    }

    /// The most that the current batch may have: weight, and bytes. It is less if more waits, so
    /// that work that arrives meanwhile is soon in the next one.
    pub(super) fn most(&self) -> (usize, usize) {
        let part = if self.accounts.is_empty() || self.fits { 1 } else { 2 };
        (limits::BATCH / part, limits::BATCH_BYTES / (part * part))
    }

    /// Accepts no more work. What arrived before is still done.
    pub(super) fn end(&mut self) {
        self.ended = true;
        self.first.clear();
        self.late = None;
    }

    /// Accepts the work that has arrived: in the order of its arrival if it fits in a batch and
    /// nothing is left of the one before, else by turns.
    fn fill(&mut self, account: impl Fn(SessionId) -> Option<AccountId>) {
        let mut come = std::mem::take(&mut self.first);
        let is_crowded = !come.is_empty() || !self.accounts.is_empty();
        come.extend(self.late.take());
        if !self.ended {
            come.extend(self.waiting.take());
        }
        let mut size = (0, 0);
        for work in &come {
            let (acts, bytes) = work.size();
            size = (size.0 + acts, size.1 + bytes);
        }
        if !is_crowded && size.0 <= limits::BATCH && size.1 <= limits::BATCH_BYTES {
            self.first = come;
            return;
        }
        for work in come {
            match work.session().and_then(|session| Some((session, account(session)?))) {
                Some((session, account)) => self.take_turns(session, account, work),
                None => self.first.push_back(work),
            }
        }
    }

    fn take_turns(&mut self, session: SessionId, account: AccountId, work: Work) {
        if !work.takes_turns() && !self.sessions.contains_key(&session) {
            return self.first.push_back(work);
        }
        let steps = self.steps(session, account, false);
        match work {
            Work::Acts { acts, .. } => steps.extend(acts.into_iter().map(Step::of)),
            work => steps.push_back(Step::Other(work)),
        }
    }

    /// The work of a session. Its account takes turns from now on, unless it has its turn now, at the
    /// end of which it does.
    fn steps(
        &mut self,
        session: SessionId,
        account: AccountId,
        has_turn: bool,
    ) -> &mut VecDeque<Step> {
        let start = self.start();
        self.sessions.entry(session).or_insert_with(|| {
            let ring = self.accounts.entry(account).or_default();
            if ring.is_empty() && !has_turn {
                let at = self.ahead.remove(&account).unwrap_or_default().max(start);
                self.joined += 1;
                self.turns.insert((at, self.joined), account);
            }
            ring.push_back(session);
            VecDeque::new()
        })
    }

    /// Where an account starts after a rest: one turn before those that have work, which may all
    /// stand at the same place.
    fn start(&self) -> u64 {
        self.front.saturating_sub(limits::TURN as u64)
    }

    /// The next work of this batch, if there is any.
    pub(super) fn next(&mut self) -> Option<Work> {
        if let Some(work) = self.first.pop_front() {
            return Some(work);
        }
        if self.accounts.is_empty() {
            // No account waits for a turn, so work that arrives meanwhile joins the batch.
            if self.late.is_none() && !self.ended {
                self.late = self.waiting.try_recv();
            }
            return self.late.take_if(|work| work.size().0 <= limits::SHARE);
        }
        self.end_turn();
        let (place, account) = self.next_turn()?;
        // Many accounts may come after a rest at once, most of them with little work.
        let turn = if place.0 < self.front { limits::FIRST_TURN } else { limits::TURN };
        self.front = self.front.max(place.0);
        let session = self.accounts.get(&account)?.front().copied()?;
        let done = self.done.get(&account).copied().unwrap_or_default();
        let room = turn.min(limits::SHARE.saturating_sub(done));
        let room = if self.fits { limits::BATCH } else { room };
        let (work, weight) = self.take(session, room)?;
        self.turn = Some(Turn { account, place, weight });
        self.rotate(account, session);
        Some(work)
    }

    /// The acts that are likely to come next, in about this order. Acts that are done in pieces are
    /// left out, since each piece is many at once already.
    pub(super) fn ahead(&self) -> impl Iterator<Item = (SessionId, &Act)> {
        let first = self.first.iter().filter_map(|work| match work {
            Work::Acts { session, acts } => Some((*session, acts)),
            _ => None,
        });
        let first = first.flat_map(|(session, acts)| acts.iter().map(move |act| (session, act)));
        let turns = self.turns.values().filter_map(|account| {
            let session = *self.accounts.get(account)?.front()?;
            Some((session, self.sessions.get(&session)?))
        });
        let turns = turns.flat_map(|(session, steps)| {
            let acts = steps.iter().map_while(|step| match step {
                Step::Act(act) => Some(act),
                _ => None,
            });
            acts.take(limits::TURN).map(move |act| (session, act))
        });
        first.chain(turns)
    }

    /// The account whose turn it is. Those with a long act next are put aside until `calm_until`,
    /// and while another's is being prepared.
    fn next_turn(&mut self) -> Option<(Standing, AccountId)> {
        let is_calm = !self.ended && self.calm_until.is_some_and(|until| Instant::now() < until);
        let preparing = self.preparing.filter(|account| self.is_long(*account));
        while let Some((place, account)) = self.turns.pop_first() {
            if !self.is_long(account) {
                return Some((place, account));
            }
            if !is_calm && preparing.is_none_or(|preparing| preparing == account) {
                (self.has_long, self.preparing) = (true, None);
                return Some((place, account));
            }
            self.resting.push((place, account));
        }
        None
    }

    /// Whether the next act of an account is more than a batch.
    fn is_long(&self, account: AccountId) -> bool {
        let session = self.accounts.get(&account).and_then(|ring| ring.front());
        let steps = session.and_then(|session| self.sessions.get(session));
        let next = steps.and_then(|steps| steps.front());
        matches!(next, Some(Step::Act(act)) if act.is_long())
    }

    /// How long to do nothing, if all accounts with work have a long act next.
    fn calm(&self) -> Option<Duration> {
        let rest = self.calm_until?.checked_duration_since(Instant::now())?;
        let only_long = self.first.is_empty()
            && self.accounts.keys().all(|account| self.is_long(*account))
            && !self.ended;
        only_long.then_some(rest)
    }

    /// Notes how long the batch took. If a long act was in it, no other follows for the same time,
    /// at most [`limits::CALM`]: those that had to wait for it are served first.
    pub(super) fn took(&mut self, time: Duration) {
        if self.has_long {
            self.calm_until = Some(Instant::now() + time.min(limits::CALM));
        }
    }

    /// Adds to the weight of the last turn.
    pub(super) fn charge(&mut self, weight: usize) {
        if let Some(turn) = &mut self.turn {
            turn.weight += weight;
        }
    }

    /// Moves the account of the last turn back by the weight of that turn.
    fn end_turn(&mut self) {
        let Some(Turn { account, place, weight }) = self.turn.take() else { return };
        let place = (place.0 + weight as u64, place.1);
        let done = self.done.entry(account).or_default();
        *done += weight;
        if !self.accounts.contains_key(&account) {
            self.ahead.insert(account, place.0);
        } else if self.fits || *done < limits::SHARE {
            self.turns.insert(place, account);
        } else {
            self.resting.push((place, account));
        }
    }

    /// Puts back acts that the batch has no room for, before all other work of their session.
    pub(super) fn put_back(&mut self, session: SessionId, acts: Vec<Act>) {
        match self.sessions.get_mut(&session) {
            Some(steps) => acts.into_iter().rev().for_each(|act| steps.push_front(Step::of(act))),
            None => self.first.push_front(Work::Acts { session, acts }),
        }
    }

    /// Puts a long act of which a piece has been prepared back before the rest of what was taken, to
    /// be gone on with in a later batch. What it weighs is charged when it is done.
    pub(super) fn put_off(
        &mut self,
        session: SessionId,
        account: AccountId,
        act: Act,
        rest: IntoIter<Act>,
    ) {
        let weight = rest.as_slice().iter().fold(act.weight(), |sum, act| sum + act.weight());
        let turn = self.turn.as_mut().filter(|turn| turn.account == account);
        let has_turn = turn.is_some();
        if let Some(turn) = turn {
            turn.weight = turn.weight.saturating_sub(weight);
        }
        self.preparing = Some(account);
        let steps = self.steps(session, account, has_turn);
        rest.rev().for_each(|act| steps.push_front(Step::of(act)));
        steps.push_front(Step::of(act));
        if let Some(ring) = self.accounts.get_mut(&account) {
            ring.retain(|one| *one != session);
            ring.push_front(session);
        }
    }

    /// Takes a piece of a session's work, at most of weight `room` but at least one act. Returns it
    /// with its weight.
    fn take(&mut self, session: SessionId, mut room: usize) -> Option<(Work, usize)> {
        let steps = self.sessions.get_mut(&session)?;
        let (mut acts, mut taken) = (Vec::new(), 0);
        while let Some(step) = steps.pop_front() {
            let weight = match step {
                Step::Other(work) if acts.is_empty() => {
                    let weight = work.size().0;
                    return Some((work, weight));
                }
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
                        taken += weight;
                        break;
                    }
                    self.unfinished.remove(&session);
                    weight
                }
            };
            taken += weight;
            room = room.saturating_sub(weight);
            if room == 0 {
                break;
            }
        }
        Some((Work::Acts { session, acts }, taken))
    }

    /// Brings the next session of an account to the front, or removes the account if it has no more
    /// work.
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
        }
    }

    /// Removes the act of a session of which a piece was done in this batch. Returns its rest.
    pub(super) fn abandon(&mut self, session: SessionId) -> Option<Act> {
        if !self.unfinished.remove(&session) {
            return None;
        }
        // The session stays in the ring of its account, so what follows is served.
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

    /// The sessions with an act of which a piece was done in this batch and a rest is left.
    pub(super) fn unfinished(&self) -> Vec<SessionId> {
        self.unfinished.iter().copied().collect()
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
