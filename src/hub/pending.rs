//! Answers that are due when a batch is over: when it is on disk and told, or could not be
//! recorded.
//!
//! All of them wait in one list: first those caused by telling the batch, then the rest in the
//! order in which they were decided. A session that reads from the store after such an answer sees
//! at least the state that the answer is about. Final lines of commands are not among them: they
//! are told with the rest of the batch.

use super::orders::Leaving;
use super::watch::Awaits;
use super::{Answer, Done, Entered, HubState};
use crate::entry::{AccountId, SessionId};
use crate::store::Expire;
use crate::wakeups;
use crate::wire::refusal::Refusal;

/// What has to be done or answered when a batch is over.
pub(super) enum Pending {
    /// The answer to a login or a registration. `is_new`: the account, or the device, was created in
    /// this batch.
    Entered {
        session: SessionId,
        answer: Answer<Result<Entered, Refusal>>,
        entered: Result<Entered, Refusal>,
        is_new: bool,
    },
    /// The answer to the question which of these accounts are online.
    Online { accounts: Vec<AccountId>, answer: Answer<Vec<bool>> },
    /// The result of an order.
    Order { answer: Answer<Done>, done: Done },
    /// An account was deleted, and leaves its groups in later batches.
    Deleted(Leaving),
    /// The deletion under way has left some groups, and goes on.
    LeftSome,
    /// A session has started a `WAIT`.
    Waits(SessionId),
    /// A `WAIT` is satisfied, unless a member was added again since.
    Waited(SessionId, Awaits),
    /// The answer to a step of expiry, which deletes this many messages.
    Expired(Answer<bool>, usize),
    /// Expired text has to be removed from the write-ahead log.
    Wipe(Answer<bool>),
}

impl HubState {
    /// Has a step of expiry recorded with this batch.
    pub(super) fn expire(&mut self, step: Expire, answer: Answer<bool>) {
        self.needs_wipe |= step.deletes_text();
        let messages = if let Expire::Messages(due) = &step { due.len() } else { 0 };
        self.chat.expire(step);
        self.pending.push(Pending::Expired(answer, messages));
    }

    /// Gives all answers that wait for the end of this batch, and wakes the sessions it concerned.
    pub(super) fn answer_pending(&mut self, committed: bool) {
        // Each wake-up of a thread on the way may interrupt this one, so they come at the end.
        let wipe = wakeups::together(|| self.answer_and_wake(committed));
        // This may take a while, so it comes after all other answers.
        if let Some(answer) = wipe {
            if self.needs_wipe && !self.tally.is_read_only() {
                let wiped = self.writer.wipe().unwrap_or_else(|e| {
                    log::error!("cannot truncate the write-ahead log after deleting text: {e}");
                    false
                });
                self.needs_wipe = !wiped;
            }
            answer.give(!self.needs_wipe);
        }
    }

    /// The same but for [`Pending::Wipe`], which it returns.
    fn answer_and_wake(&mut self, committed: bool) -> Option<Answer<bool>> {
        let mut wipe = None;
        for pending in std::mem::take(&mut self.pending) {
            // If a receiver is gone, nobody needs the answer, so the results are ignored.
            match pending {
                Pending::Entered { session, answer, mut entered, is_new } => {
                    if is_new && !committed {
                        // The account does not exist, so nothing is recorded about it.
                        self.vacate(session);
                        entered = Err(self.lost.clone());
                    }
                    let is_in = entered.is_ok();
                    if !answer.reaches(entered) && is_in {
                        // It was turned away meanwhile.
                        self.vacate(session);
                    }
                }
                Pending::Online { accounts, answer } => {
                    let online = accounts.iter().map(|account| self.is_online(*account));
                    answer.give(online.collect());
                }
                Pending::Order { answer, done } => {
                    answer.give(if committed { done } else { Err(self.lost.clone()) });
                }
                Pending::Deleted(leaving) if committed => self.leaving.push_back(leaving),
                Pending::Deleted(leaving) => leaving.give_up(&self.lost),
                Pending::LeftSome if committed => {}
                Pending::LeftSome => {
                    if let Some(leaving) = self.leaving.pop_front() {
                        leaving.give_up(&self.lost);
                    }
                }
                Pending::Waits(session) if committed => self.watch_stands(session),
                // Its count may rest on changes that were not recorded.
                Pending::Waits(session) => self.end_watch(session, self.lost.clone()),
                Pending::Waited(session, awaits) => self.answer_waited(session, awaits),
                Pending::Expired(answer, messages) => {
                    if committed {
                        self.tally.expired(messages);
                    }
                    answer.give(committed);
                }
                Pending::Wipe(answer) => wipe = Some(answer),
            }
        }
        for outbox in self.to_wake.drain(..) {
            outbox.wake();
        }
        #[cfg(feature = "postgres")]
        self.tell_doors();
        wipe
    }

    fn is_online(&self, account: AccountId) -> bool {
        let sessions = self.online.get(&account).map_or(&[][..], |presence| &presence.sessions);
        sessions.iter().any(|s| self.seats.get(s).is_some_and(|seat| seat.online))
    }
}
