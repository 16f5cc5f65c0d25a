//! The queue in front of the rules, and the order in which it is served.
//!
//! Work that fits in one batch is done in the order of its arrival. If more waits, addresses, and
//! the accounts of each, take turns by what they have cost (`flows.rs`): each turn moves them back
//! by the weight of what was done, and the one furthest in front is next. One that comes after a
//! rest starts one turn before those in front. So someone who writes now and then is in the next
//! batch, and someone who sends ten thousand commands waits only for themselves. Within an account,
//! its sessions take turns. The work of one session stays in order; one act over many conversations
//! is done in pieces, and its rest keeps its place. An act that is more than an account's share of a
//! batch and cannot be divided, a "long" one, such as creating a group of hundreds, is prepared in
//! pieces (`acts.rs`), one such act after the other. Each of these batches is followed by an equal
//! time in which everything else goes first. Work that is not a command of a session (logins,
//! operators' orders) is done before all turns.

use std::collections::VecDeque;
use std::sync::mpsc::RecvError;
use std::time::{Duration, Instant};
use std::vec::IntoIter;

use rustc_hash::{FxHashMap, FxHashSet};

use super::Work;
use super::flows::{Flows, Party, PartyTurn, Then};
use super::inbox::InboxReceiver;
use super::step::Step;
use crate::chat::Act;
use crate::entry::{EntryId, SessionId};
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
    parties: FxHashMap<Party, VecDeque<SessionId>>,
    /// The order of their turns.
    flows: Flows,
    /// The weight of each account's work in this batch.
    done: FxHashMap<Party, usize>,
    /// Accounts that have had their share of this batch.
    resting: Vec<PartyTurn>,
    /// The last turn, and its weight so far, until its cost is known.
    turn: Option<(PartyTurn, usize)>,
    /// Sessions with an act of which a piece was done in this batch and a rest is left.
    unfinished: FxHashSet<SessionId>,
    /// Long acts wait until then.
    calm_until: Option<Instant>,
    /// A long act is in this batch.
    has_long: bool,
    /// The account whose long act is being prepared: no other begins before that is done.
    preparing: Option<Party>,
    /// All work that waited for a turn when the batch began fits in it.
    fits: bool,
    /// The weight that a batch has room for: see [`limits::BATCH_TIME`].
    room: usize,
    /// No more work is accepted.
    ended: bool,
}

impl Queue {
    pub(super) fn new(waiting: InboxReceiver) -> Queue {
        Queue {
            waiting,
            late: None,
            first: VecDeque::new(),
            sessions: FxHashMap::default(),
            parties: FxHashMap::default(),
            flows: Flows::new(),
            done: FxHashMap::default(),
            resting: Vec::new(),
            turn: None,
            unfinished: FxHashSet::default(),
            calm_until: None,
            has_long: false,
            preparing: None,
            fits: false,
            room: limits::BATCH,
            ended: false,
        }
    }

    /// The same, where this work comes first.
    #[cfg(feature = "postgres")]
    pub(super) fn with(waiting: InboxReceiver, first: VecDeque<Work>) -> Queue {
        Queue { first, ..Queue::new(waiting) }
    }

    /// Where work arrives, and what has arrived and is not done, each session's in its order; last
    /// the end of papod, if that has begun.
    #[cfg(feature = "postgres")]
    pub(super) fn into_parts(self) -> (InboxReceiver, Vec<Work>) {
        let Queue { waiting, late, first, sessions, ended, .. } = self;
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
        works.extend(ended.then_some(Work::End));
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
        party: impl Fn(SessionId) -> Option<Party>,
    ) -> Result<(), RecvError> {
        self.unfinished.clear();
        self.end_turn();
        self.done.clear();
        self.resting.drain(..).for_each(|turn| self.flows.go_on(turn));
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
        self.flows.begin();
        self.fill(party);
        self.fits = self.all_fits();
        Ok(())
    }

    /// Whether all accepted work is done.
    pub(super) fn is_empty(&self) -> bool {
        self.late.is_none() && self.first.is_empty() && self.parties.is_empty()
    }

    /// Whether all work that waits for a turn fits in one batch. Then no account has to wait for
    /// another's turn.
    fn all_fits(&self) -> bool {
        let (mut weight, mut bytes) = (0, 0);
        self.sessions.values().flatten().all(|step| {
            let (more, size) = step.size();
            (weight, bytes) = (weight + more, bytes + size);
            weight <= self.room && bytes <= limits::BATCH_BYTES
        })
    }

    /// The most that the current batch may have: weight, and bytes. It is less if more waits, so
    /// that work that arrives meanwhile is soon in the next one.
    pub(super) fn most(&self) -> (usize, usize) {
        let part = if self.parties.is_empty() || self.fits { 1 } else { 2 };
        (self.room / part, limits::BATCH_BYTES / (part * part))
    }

    /// Accepts no more work. What arrived before is still done.
    pub(super) fn end(&mut self) {
        self.ended = true;
        self.first.clear();
        self.late = None;
    }

    /// Accepts the work that has arrived: in the order of its arrival if it fits in a batch and
    /// nothing is left of the one before, else by turns.
    fn fill(&mut self, party: impl Fn(SessionId) -> Option<Party>) {
        let mut come = std::mem::take(&mut self.first);
        let is_crowded = !come.is_empty() || !self.parties.is_empty();
        come.extend(self.late.take());
        if !self.ended {
            come.extend(self.waiting.take());
        }
        let mut size = (0, 0);
        for work in &come {
            let (acts, bytes) = work.size();
            size = (size.0 + acts, size.1 + bytes);
        }
        if !is_crowded && size.0 <= self.room && size.1 <= limits::BATCH_BYTES {
            self.first = come;
            return;
        }
        for work in come {
            match work.session().and_then(|session| Some((session, party(session)?))) {
                Some((session, party)) => self.take_turns(session, party, work),
                None => self.first.push_back(work),
            }
        }
    }

    fn take_turns(&mut self, session: SessionId, party: Party, work: Work) {
        if !work.takes_turns() && !self.sessions.contains_key(&session) {
            return self.first.push_back(work);
        }
        let steps = self.steps(session, party, false);
        match work {
            Work::Acts { acts, .. } => steps.extend(acts.into_iter().map(Step::of)),
            work => steps.push_back(Step::Other(work)),
        }
    }

    /// The work of a session. Its account takes turns from now on, unless it has its turn now, at the
    /// end of which it does.
    fn steps(&mut self, session: SessionId, party: Party, has_turn: bool) -> &mut VecDeque<Step> {
        self.sessions.entry(session).or_insert_with(|| {
            let ring = self.parties.entry(party).or_default();
            if ring.is_empty() && !has_turn {
                self.flows.join(party);
            }
            ring.push_back(session);
            VecDeque::new()
        })
    }

    /// The next work of this batch, if there is any.
    pub(super) fn next(&mut self) -> Option<Work> {
        if let Some(work) = self.first.pop_front() {
            return Some(work);
        }
        if self.parties.is_empty() {
            // No account waits for a turn, so work that arrives meanwhile joins the batch.
            if self.late.is_none() && !self.ended {
                self.late = self.waiting.try_recv();
            }
            return self.late.take_if(|work| work.size().0 <= limits::SHARE);
        }
        self.end_turn();
        let turn = self.next_turn()?;
        // Many may come after a rest at once, most of them with little work.
        let most = if self.flows.serve(&turn) { limits::FIRST_TURN } else { limits::TURN };
        let party = turn.party;
        let session = self.parties.get(&party)?.front().copied()?;
        let done = self.done.get(&party).copied().unwrap_or_default();
        let room = most.min(limits::SHARE.saturating_sub(done));
        let room = if self.fits { self.room } else { room };
        let (work, weight) = self.take(session, room)?;
        self.turn = Some((turn, weight));
        self.rotate(party, session);
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
        let turns = self.flows.ahead().filter_map(|party| {
            let session = *self.parties.get(&party)?.front()?;
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
    fn next_turn(&mut self) -> Option<PartyTurn> {
        let is_calm = !self.ended && self.calm_until.is_some_and(|until| Instant::now() < until);
        let preparing = self.preparing.filter(|party| self.is_long(*party));
        while let Some(mut turn) = self.flows.next() {
            if !self.is_long(turn.party) {
                return Some(turn);
            }
            if !is_calm && preparing.is_none_or(|preparing| preparing == turn.party) {
                (self.has_long, self.preparing) = (true, None);
                return Some(turn);
            }
            self.flows.end(&mut turn, 0, Then::Rests);
            self.resting.push(turn);
        }
        None
    }

    /// Whether the next act of an account is long.
    fn is_long(&self, party: Party) -> bool {
        let session = self.parties.get(&party).and_then(|ring| ring.front());
        let steps = session.and_then(|session| self.sessions.get(session));
        let next = steps.and_then(|steps| steps.front());
        matches!(next, Some(Step::Act(act)) if act.is_long())
    }

    /// How long to do nothing, if all accounts with work have a long act next.
    fn calm(&self) -> Option<Duration> {
        let rest = self.calm_until?.checked_duration_since(Instant::now())?;
        let only_long = self.first.is_empty()
            && self.parties.keys().all(|party| self.is_long(*party))
            && !self.ended;
        only_long.then_some(rest)
    }

    /// Notes how long the batch took. If a long act was in it, no other follows for the same time,
    /// at most [`limits::CALM`]: those that had to wait for it are served first. By its CPU time and
    /// its weight, the next batch has more room or less; a long act is no measure.
    pub(super) fn took(&mut self, time: Duration, cpu: Duration, weight: usize) {
        if self.has_long {
            self.calm_until = Some(Instant::now() + time.min(limits::CALM));
        } else if cpu > limits::BATCH_TIME {
            self.room = (self.room / 2).max(limits::LEAST_BATCH);
        } else if cpu < limits::BATCH_TIME / 2 && weight >= self.most().0 {
            self.room = (self.room * 2).min(limits::BATCH);
        }
    }

    /// Adds to the weight of the last turn.
    pub(super) fn charge(&mut self, weight: usize) {
        if let Some((_, so_far)) = &mut self.turn {
            *so_far += weight;
        }
    }

    /// Ends the last turn, by what it weighed.
    fn end_turn(&mut self) {
        let Some((mut turn, weight)) = self.turn.take() else { return };
        let done = self.done.entry(turn.party).or_default();
        *done += weight;
        let then = if !self.parties.contains_key(&turn.party) {
            Then::Leaves
        } else if self.fits || *done < limits::SHARE {
            Then::GoesOn
        } else {
            Then::Rests
        };
        self.flows.end(&mut turn, weight, then);
        if then == Then::Rests {
            self.resting.push(turn);
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
        party: Party,
        act: Act,
        rest: IntoIter<Act>,
    ) {
        let weight = rest.as_slice().iter().fold(act.weight(), |sum, act| sum + act.weight());
        let turn = self.turn.as_mut().filter(|(turn, _)| turn.party == party);
        let has_turn = turn.is_some();
        if let Some((_, so_far)) = turn {
            *so_far = so_far.saturating_sub(weight);
        }
        self.preparing = Some(party);
        let steps = self.steps(session, party, has_turn);
        rest.rev().for_each(|act| steps.push_front(Step::of(act)));
        steps.push_front(Step::of(act));
        if let Some(ring) = self.parties.get_mut(&party) {
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
    fn rotate(&mut self, party: Party, session: SessionId) {
        let Some(ring) = self.parties.get_mut(&party) else { return };
        ring.pop_front();
        if self.sessions.get(&session).is_some_and(|steps| !steps.is_empty()) {
            ring.push_back(session);
        } else {
            self.sessions.remove(&session);
        }
        if ring.is_empty() {
            self.parties.remove(&party);
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
