//! Lookups: what the rules need and the directory lacks is read from the store, and they are asked
//! again.
//!
//! If one act lacks something, those after it in the batch probably do as well. So as many of them
//! as the batch has room for are planned ahead, and what they lack is looked up together, in a few
//! rounds if needs depend on each other (a handle, then whether its account has blocked the
//! sender). Each round is one call of the store. If nothing is missing, nothing is planned twice.
//!
//! Planning ahead changes nothing. If an act still lacks something when its turn comes, because an
//! earlier one has changed something, that is looked up for it alone.

use std::collections::HashSet;

use super::HubState;
use crate::chat::{Act, Chat, Stop, Who};
use crate::entry::AccountId;
use crate::limits;
use crate::store::{Cause, Error, Fact, Need};
use crate::wire::refusal::Refusal;

/// The refusal that a client gets for a failure of the store.
pub fn unkept(error: &Error) -> Refusal {
    match error.cause() {
        Cause::Disk | Cause::Over | Cause::Superseded => Refusal::Storage,
        Cause::Busy => Refusal::Held,
        Cause::Damaged | Cause::Gone => Refusal::Broken,
        Cause::Bug => Refusal::Bug,
    }
}

/// What an answer of the store weighs: a large group takes longer to read.
fn weight(fact: &Fact) -> usize {
    match fact {
        Fact::Conversation(log) => limits::LOOK_UP * (1 + log.members.len() / limits::MEMBERS_READ),
        Fact::Message(_) | Fact::Reaction(..) => limits::LOOK_UP_MESSAGE,
        _ => limits::LOOK_UP,
    }
}

/// About what the answers to these needs will weigh.
fn weight_of(needs: &[Need]) -> usize {
    let weights = needs.iter().map(|need| match need {
        Need::Message(_) | Need::Reaction(..) => limits::LOOK_UP_MESSAGE,
        _ => limits::LOOK_UP,
    });
    weights.sum()
}

/// The needs of one call of the store.
#[derive(Default)]
struct Round {
    needs: Vec<Need>,
    /// The account that each need is charged to.
    payers: Vec<AccountId>,
    known: HashSet<Need>,
    /// How many of them, from the first on, the act in hand needs.
    own: usize,
}

impl Round {
    /// Adds those needs that are not in it yet.
    fn add(&mut self, payer: AccountId, needs: Vec<Need>) {
        for need in needs {
            if self.known.insert(need.clone()) {
                self.needs.push(need);
                self.payers.push(payer);
            }
        }
    }
}

impl HubState {
    /// What the work in hand has cost beyond its weight.
    pub(super) fn take_cost(&mut self) -> usize {
        let looked_up = std::mem::take(&mut self.looked_up);
        looked_up + self.chat.take_extra() + self.telling.take()
    }

    /// Asks the rules, looking up what they need until they can decide.
    ///
    /// # Errors
    /// The rules' refusal, or the one for a store that cannot be read.
    pub(super) fn decide<T>(
        &mut self,
        mut ask: impl FnMut(&mut Chat) -> Result<T, Stop>,
    ) -> Result<T, Refusal> {
        loop {
            let needs = match ask(&mut self.chat) {
                Ok(decided) => return Ok(decided),
                Err(Stop::Refused(refusal)) => return Err(refusal),
                Err(Stop::Needs(needs)) => needs,
            };
            let facts = self.writer.reader().and_then(|reader| reader.gather(&needs, needs.len()));
            let facts = facts.map_err(|e| self.unreadable(&e))?;
            self.learn(facts);
        }
    }

    /// Adds what was looked up for the work in hand to the directory.
    pub(super) fn learn(&mut self, facts: Vec<Fact>) {
        for fact in facts {
            self.looked_up += weight(&fact);
            self.chat.directory().learn(fact);
        }
    }

    /// Looks up a piece of what a long act lacks. Returns whether it can be decided now: if it lacks
    /// nothing more, or if too many pieces have not been enough, since what they found was not kept.
    pub(super) fn is_prepared(&mut self, who: Who, act: &Act) -> bool {
        let pieces = self.prepared.entry(who.session).or_default();
        *pieces += 1;
        let is_last = *pieces > limits::PIECES;
        let mut room = limits::PIECE;
        while !is_last && room > 0 {
            let mut needs = self.chat.missing(who, act, self.now);
            if needs.is_empty() {
                break;
            }
            needs.truncate(room);
            room -= needs.len();
            // What cannot be read is reported when the act is decided.
            let Ok(facts) =
                self.writer.reader().and_then(|reader| reader.gather(&needs, needs.len()))
            else {
                break;
            };
            self.learn(facts);
        }
        let is_ready = is_last || room > 0;
        if is_ready {
            self.prepared.remove(&who.session);
        }
        is_ready
    }

    /// Decides an act. `rest` are the acts that its session asked for after it.
    ///
    /// # Errors
    /// The refusal if the store cannot be read.
    pub(super) fn decide_ahead(
        &mut self,
        who: Who,
        act: &mut Act,
        rest: &[Act],
    ) -> Result<(), Refusal> {
        let now = self.now;
        let mut done = Ok(());
        if let Err(needs) = self.chat.decide(who, act, now) {
            if self.gathered == 0
                && let Err(e) = self.gather(who, act, needs, rest)
            {
                // What cannot be read may concern other acts only; each is refused when its turn
                // comes.
                log::debug!("could not look up what several commands need: {e}");
            }
            done = self.decide(|chat| chat.decide(who, act, now).map_err(Stop::Needs));
        }
        self.gathered = self.gathered.saturating_sub(1);
        done
    }

    /// Looks up what an act and those after it in this batch lack.
    fn gather(&mut self, who: Who, act: &Act, needs: Vec<Need>, rest: &[Act]) -> Result<(), Error> {
        let seats = &self.seats;
        let rest = rest.iter().map(|act| (who, act));
        let others = self.queue.ahead().filter_map(|(session, act)| {
            let seat = seats.get(&session).filter(|seat| !seat.revoked)?;
            Some((seat.who(session), act))
        });
        let (mut room, now) = (self.room.saturating_sub(act.weight()), self.now);
        let mut round = Round::default();
        round.add(who.account, needs);
        round.own = round.needs.len();
        let mut lacking = vec![(who, act)];
        self.gathered = 1;
        for (who, act) in rest.chain(others) {
            if room == 0 || act.is_long() {
                break;
            }
            self.gathered += 1;
            let missing = self.chat.missing(who, act, now);
            // Its needs lead to about as many again.
            room = room.saturating_sub(act.weight() + 2 * weight_of(&missing));
            if !missing.is_empty() {
                round.add(who.account, missing);
                lacking.push((who, act));
            }
        }
        while !round.needs.is_empty() {
            let facts = self.writer.reader()?.gather(&round.needs, round.own)?;
            let is_whole = facts.len() == round.needs.len();
            for (fact, payer) in facts.into_iter().zip(round.payers) {
                if payer == who.account {
                    self.looked_up += weight(&fact);
                } else {
                    *self.owed.entry(payer).or_default() += weight(&fact);
                }
                self.chat.directory().learn(fact);
            }
            // No act has to wait while a group of thousands is read for another one. What did not
            // fit is looked up when the act that lacks it is in hand.
            if !is_whole || self.chat.directory().has_enough() {
                break;
            }
            round = Round::default();
            lacking.retain(|(who, one)| {
                let missing = self.chat.missing(*who, one, now);
                let lacks = !missing.is_empty();
                round.add(who.account, missing);
                if std::ptr::eq(*one, act) {
                    round.own = round.needs.len();
                }
                lacks
            });
        }
        Ok(())
    }

    /// The refusal if the store cannot be read. The failure is logged once for as long as it lasts.
    pub(super) fn unreadable(&mut self, error: &Error) -> Refusal {
        if !std::mem::replace(&mut self.failing, true) {
            log::error!("cannot read the database; refusing commands: {error}");
        }
        unkept(error)
    }
}
