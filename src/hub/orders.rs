//! Operators' orders. One of them is long: an account that is deleted leaves its groups in steps that
//! share batches with what people do.
//!
//! From the first step on nobody can log in to the account, write to it or add it to a group. A step
//! begins where the one before it ended, so all together look at each conversation once. Should
//! papod end between two of them, the same order goes on with it.

use smol::channel::Sender;

use super::{Done, HubState, Pending};
use crate::chat::{Act, Order};
use crate::entry::{AccountId, ConversationId};
use crate::limits;
use crate::wire::refusal::Refusal;

/// An account that is deleted and leaves its groups.
pub(super) struct Leaving {
    account: AccountId,
    /// It has left all up to this one.
    after: ConversationId,
    /// How many sessions it had.
    sessions: usize,
    answer: Sender<Done>,
}

impl HubState {
    pub(super) fn order(&mut self, order: &Order, answer: Sender<Done>) {
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

    /// One step of the deletion that is under way, if one is.
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

    /// Leaves the next groups after a conversation. Returns up to where, unless these were the last.
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
                // What grows with a group is reading its members.
                let members = self.decide(|chat| chat.leave_group(account, *id, now))?;
                let looked_up = std::mem::take(&mut self.looked_up);
                weight += Act::MOVE + members / 4 + looked_up * limits::LOOK_UP;
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
    /// Answers that it is not gone on with; the same order does so.
    pub(super) fn give_up(self, why: &Refusal) {
        let _ = self.answer.try_send(Err(why.clone()));
    }
}
