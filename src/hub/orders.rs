//! Operators' orders. One of them takes long: a deleted account leaves its groups in steps that
//! share batches with other work.
//!
//! From the first step on, nobody can log in to the account, write to it or add it to a group. A
//! step begins where the one before it ended, so together they look at each conversation once. If
//! papod ends in between, repeating the order continues the deletion.

#[cfg(feature = "postgres")]
use super::link::LinkWork;
use super::{Answer, Done, HubState, Pending};
use crate::chat::{Act, Order};
use crate::entry::{AccountId, ConversationId};
use crate::limits;
#[cfg(feature = "postgres")]
use crate::node_report::NodeEvent;
use crate::wire::refusal::Refusal;

/// A deleted account that still has to leave groups.
pub(super) struct Leaving {
    account: AccountId,
    /// It has left all groups up to this conversation.
    after: ConversationId,
    /// How many sessions it had.
    sessions: usize,
    answer: Answer<Done>,
}

impl HubState {
    pub(super) fn order(&mut self, order: &Order, answer: Answer<Done>) {
        // From this batch on, which may be refused for it; the order is done all the same.
        if let Order::ReadOnly(on) = order {
            self.tally.set_read_only(*on);
            // Whoever leads next goes on with it.
            #[cfg(feature = "postgres")]
            self.link(LinkWork::Event { event: NodeEvent::ReadOnly(*on), from: 0 });
            return answer.give(Ok(0));
        }
        if let Order::Say(text) = order {
            return answer.give(Ok(self.announce(text)));
        }
        let now = self.now;
        let done = self.decide(|chat| chat.order(order, now));
        match (done, order) {
            (Ok(account), Order::DropUser(_)) => {
                let sessions = self.sessions_of(account);
                let after = ConversationId(0);
                let leaving = Leaving { account, after, sessions, answer };
                self.pending.push(Pending::Deleted(leaving));
            }
            (done, _) => {
                let done = done.map(|account| self.sessions_of(account));
                self.pending.push(Pending::Order { answer, done });
            }
        }
        self.revoke();
    }

    fn sessions_of(&self, account: AccountId) -> usize {
        self.online.get(&account).map_or(0, |presence| presence.sessions.len())
    }

    /// Does one step of the deletion under way, if there is one.
    pub(super) fn leave_groups(&mut self) {
        let Some(Leaving { account, after, .. }) = self.leaving.front() else { return };
        let next = self.leave_some(*account, *after);
        match (next, self.leaving.front_mut()) {
            (Ok(Some(after)), Some(leaving)) => {
                leaving.after = after;
                self.pending.push(Pending::LeftSome);
            }
            (ended, _) => {
                let Some(Leaving { sessions, answer, .. }) = self.leaving.pop_front() else {
                    return;
                };
                if ended.is_err() {
                    log::error!("a deleted account could not leave all its groups");
                }
                let done = ended.map(|_| sessions);
                self.pending.push(Pending::Order { answer, done });
            }
        }
    }

    /// Leaves the next groups after a conversation. Returns where to go on, or `None` if there are
    /// no more.
    fn leave_some(
        &mut self,
        account: AccountId,
        after: ConversationId,
    ) -> Result<Option<ConversationId>, Refusal> {
        let now = self.now;
        let next = self.writer.reader().and_then(|r| r.memberships(account, after, limits::LEAVE));
        let next = next.map_err(|e| self.unreadable(&e))?;
        let mut weight = 0;
        for (id, is_group) in &next {
            if *is_group {
                self.decide(|chat| chat.leave_group(account, *id, now))?;
                weight += Act::MOVE + self.take_cost();
            }
            if weight >= limits::SHARE {
                return Ok(Some(*id));
            }
        }
        match next.last() {
            Some((last, _)) if next.len() == limits::LEAVE => Ok(Some(*last)),
            _ => {
                self.decide(|chat| chat.left_groups(account))?;
                Ok(None)
            }
        }
    }
}

impl Leaving {
    /// Answers that the deletion was not finished. Repeating the order continues it.
    pub(super) fn give_up(self, why: &Refusal) {
        self.answer.give(Err(why.clone()));
    }
}
