//! `WAIT`: who waits until how many cursors have come where.
//!
//! What is still awaited is a number: of the members who are in, may see the entry and have not come
//! to it, whoever comes to it, goes, or is added again changes it by one. The watches of a
//! conversation stand in the order of their entries, so a receipt costs only those that lie between
//! where the cursor was and where it is. In a direct chat, where at most one is awaited, every
//! receipt that its author may learn of answers the watches below it: what was hidden while one
//! blocked the other is then made up for.

use std::collections::BTreeMap;

use super::{HubState, Pending};
use crate::chat::Awaited;
use crate::entry::{AccountId, ConversationId, Cursor, EntryId, SessionId};
use crate::wire::refusal::Refusal;
use crate::wire::reply::Reply;
use crate::wire::rows::ErrLine;

/// Those of one conversation that wait for the same cursor.
type ByEntry = BTreeMap<(EntryId, SessionId), Watch>;

/// Those of one conversation: for the delivered cursor, and for the read one.
#[derive(Default)]
pub(super) struct Watches([ByEntry; 2]);

impl Watches {
    fn lane(&mut self, cursor: Cursor) -> &mut ByEntry {
        let [delivered, read] = &mut self.0;
        match cursor {
            Cursor::Delivered => delivered,
            Cursor::Read => read,
        }
    }
}

/// One session that waits.
struct Watch {
    author: AccountId,
    /// The place of its entry in the conversation.
    seq: i64,
    /// With whom, in a direct chat.
    other: Option<AccountId>,
    awaited: usize,
    /// What the batch in which it began said before it, which is counted already.
    begun: usize,
}

/// Where a watch stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Awaits {
    conversation: ConversationId,
    cursor: Cursor,
    id: EntryId,
}

/// How the cursors of a member stood and stand, for those who wait.
pub(super) struct Passed {
    /// The place of this among what the batch says.
    pub(super) at: usize,
    pub(super) conversation: ConversationId,
    pub(super) account: AccountId,
    /// Of both cursors: from above the first, up to the second.
    pub(super) between: [(EntryId, EntryId); 2],
    /// The member is awaited there from now on, and not no longer.
    pub(super) again: bool,
    /// Who is not to learn of it.
    pub(super) hidden_from: Option<AccountId>,
}

impl HubState {
    /// Begins a watch. It is answered after the batch, when nobody is awaited any more.
    pub(super) fn watch(&mut self, session: SessionId, id: EntryId, cursor: Cursor) {
        let Some(seat) = self.seats.get(&session) else { return };
        let who = seat.who(session);
        match self.decide(|chat| chat.awaited(who, cursor, id)) {
            Ok(Awaited { conversation, seq, other, count }) => {
                let awaits = Awaits { conversation, cursor, id };
                self.pending.push(Pending::Waits(session));
                if count == 0 {
                    self.pending.push(Pending::Waited(session, awaits));
                }
                if let Some(seat) = self.seats.get_mut(&session) {
                    seat.awaits = Some(awaits);
                }
                let (author, awaited, begun) = (who.account, count, self.chat.said());
                let watch = Watch { author, seq, other, awaited, begun };
                let watches = self.watches.entry(conversation).or_default();
                watches.lane(cursor).insert((id, session), watch);
            }
            Err(refusal) => self.answer_watch(session, Err(refusal)),
        }
    }

    /// Ends a session's watch without success, if it has one.
    pub(super) fn end_watch(&mut self, session: SessionId, why: Refusal) {
        if let Some(awaits) = self.seats.get(&session).and_then(|seat| seat.awaits) {
            self.drop_watch(session, awaits);
            self.answer_watch(session, Err(why));
        }
    }

    /// Removes the watch of a session.
    pub(super) fn drop_watch(&mut self, session: SessionId, awaits: Awaits) {
        let Some(watches) = self.watches.get_mut(&awaits.conversation) else { return };
        watches.lane(awaits.cursor).remove(&(awaits.id, session));
        if watches.0.iter().all(BTreeMap::is_empty) {
            self.watches.remove(&awaits.conversation);
        }
    }

    /// Cursors have passed entries that someone may wait for.
    pub(super) fn passed(&mut self, passed: &Passed) {
        let conversation = passed.conversation;
        let Some(watches) = self.watches.get_mut(&conversation) else { return };
        for (cursor, (above, upto)) in
            [Cursor::Delivered, Cursor::Read].into_iter().zip(passed.between)
        {
            // In a direct chat from the beginning on: see the module's text.
            let lane = watches.lane(cursor);
            let is_direct = lane.values().next().is_some_and(|watch| watch.other.is_some());
            let above = if is_direct { EntryId(0) } else { above };
            if above >= upto {
                continue;
            }
            let range = (EntryId(above.0 + 1), SessionId(0))..=(upto, SessionId(u64::MAX));
            for ((id, session), watch) in lane.range_mut(range) {
                let counts = passed.at >= watch.begun
                    && watch.author != passed.account
                    && passed.hidden_from != Some(watch.author)
                    && self.chat.sees(conversation, passed.account, watch.seq);
                if !counts {
                    continue;
                }
                if passed.again {
                    watch.awaited += 1;
                } else if watch.awaited > 0 {
                    watch.awaited -= 1;
                    if watch.awaited == 0 {
                        let awaits = Awaits { conversation, cursor, id: *id };
                        self.pending.push(Pending::Waited(*session, awaits));
                    }
                }
            }
        }
    }

    /// An account is gone for ever: who waits for it in their direct chat does so no more. Its
    /// groups it leaves one after the other.
    pub(super) fn gone(&mut self, account: AccountId) {
        for (conversation, watches) in &mut self.watches {
            for cursor in [Cursor::Delivered, Cursor::Read] {
                for ((id, session), watch) in watches.lane(cursor) {
                    if watch.other == Some(account) && watch.author != account {
                        watch.awaited = 0;
                        let awaits = Awaits { conversation: *conversation, cursor, id: *id };
                        self.pending.push(Pending::Waited(*session, awaits));
                    }
                }
            }
        }
    }

    /// The batch in which a session began to wait is on disk: from now on all that is told counts.
    pub(super) fn watch_stands(&mut self, session: SessionId) {
        let Some(awaits) = self.seats.get(&session).and_then(|seat| seat.awaits) else { return };
        let watches = self.watches.get_mut(&awaits.conversation);
        let lane = watches.map(|watches| watches.lane(awaits.cursor));
        if let Some(watch) = lane.and_then(|lane| lane.get_mut(&(awaits.id, session))) {
            watch.begun = 0;
        }
    }

    /// Answers a session that waits for nobody any more.
    pub(super) fn answer_waited(&mut self, session: SessionId, awaits: Awaits) {
        let is_on = self.seats.get(&session).is_some_and(|seat| seat.awaits == Some(awaits));
        // A member who was added again meanwhile is awaited again.
        if is_on && self.awaited(session, awaits) == Some(0) {
            self.drop_watch(session, awaits);
            let Awaits { id, cursor, .. } = awaits;
            self.answer_watch(session, Ok(Reply::Waited { id, cursor }));
        }
    }

    fn awaited(&mut self, session: SessionId, awaits: Awaits) -> Option<usize> {
        let watches = self.watches.get_mut(&awaits.conversation)?;
        watches.lane(awaits.cursor).get(&(awaits.id, session)).map(|watch| watch.awaited)
    }

    fn answer_watch(&mut self, session: SessionId, answer: Result<Reply, Refusal>) {
        let Some(seat) = self.seats.get_mut(&session) else { return };
        seat.awaits = None;
        if let Err(refusal) = &answer {
            self.tally.refused(refusal.code());
        }
        let wake = seat.outbox.answer(None, |out| match &answer {
            Ok(reply) => reply.write(out),
            Err(refusal) => ErrLine::write_refusal(out, "WAIT", refusal),
        });
        if wake {
            self.to_wake.push(seat.outbox.clone());
        }
    }
}
