//! Carrying out the acts of a session, one after the other.
//!
//! One act may be about a thousand accounts, of which each has to be looked up. That is done in
//! pieces, between which the hub serves others; only what is decided and recorded has to be so as a
//! whole.

use super::{HubState, seats};
use crate::chat::{Act, Effect, Who};
use crate::entry::SessionId;
use crate::wire::refusal::Refusal;

impl HubState {
    /// Does acts of a session. Returns how many commands they were.
    pub(super) fn acts(&mut self, session: SessionId, acts: Vec<Act>) -> usize {
        let Some(seat) = self.seats.get(&session) else {
            return 0;
        };
        let (who, party) = (seat.who(session), seat.party());
        self.looked_up += self.owed.remove(&who.account).unwrap_or_default();
        let mut count = 0;
        let mut acts = acts.into_iter();
        while let Some(mut act) = acts.next() {
            if act.is_long() && !self.is_prepared(who, &act) {
                self.queue.put_off(session, party, act, acts);
                break;
            }
            count += usize::from(act.is_asked());
            self.act(who, &mut act, acts.as_slice());
            let Some(next) = acts.as_slice().first() else { break };
            let is_told_much = self.telling.weight >= self.room && !goes_on(&act, next);
            if is_told_much || self.chat.directory().has_enough() {
                self.queue.put_back(session, acts.collect());
                break;
            }
        }
        count
    }

    /// Drops the rest of an act of which a piece was done in this batch. Returns the answer to it,
    /// if it was a command.
    pub(super) fn abandon(&mut self, session: SessionId) -> Option<(Who, Effect)> {
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
        self.count_telling();
        self.carry_out_at_once();
        self.revoke();
    }

    fn refuse(&mut self, who: Who, act: &Act, refusal: Refusal) {
        // An automatic acknowledgement has no answer.
        if act.is_asked() {
            self.chat.answer(who, act.verb(), Err(refusal));
        }
    }
}

/// Whether `next` is told together with `act`: a message to the same group.
fn goes_on(act: &Act, next: &Act) -> bool {
    match (act, next) {
        (Act::Send { to, .. }, Act::Send { to: next, .. }) => to == next,
        _ => false,
    }
}
