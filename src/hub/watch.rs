//! `WAIT`: sessions that wait until other members' cursors reach an entry of theirs, or until somebody
//! answers a message of theirs.
//!
//! Each watch counts the members it still awaits: those who are in, may see the entry, and whose
//! cursor is below it. A member whose cursor reaches the entry, who leaves, or who is added again
//! changes that count by one. The watches of a conversation are sorted by their entries, so a
//! receipt costs only those between the cursor's old and new places. In a direct chat, where at
//! most one member is awaited, every receipt that the author may see satisfies all watches up to
//! it. That makes up for moves that were hidden while one party blocked the other.
//!
//! One answer satisfies a watch for answers, whoever gives it. Whether there is one already, only the
//! store knows.

use std::collections::BTreeMap;

use super::{HubState, Pending};
use crate::chat::Awaited;
use crate::entry::{
    AccountId, Condition, ConversationId, Cursor, Entry, EntryId, EntryKind, EntryPos, SessionId,
};
use crate::limits;
use crate::wire::refusal::Refusal;
use crate::wire::reply::Reply;
use crate::wire::rows::ErrLine;

/// The watches of one conversation for one condition.
type ByEntry = BTreeMap<(EntryId, SessionId), Watch>;

/// The watches of one conversation: for the delivered cursor, for the read one, and for answers.
#[derive(Default)]
pub(super) struct Watches([ByEntry; 3]);

impl Watches {
    fn lane(&mut self, until: Condition) -> &mut ByEntry {
        let [delivered, read, answered] = &mut self.0;
        match until {
            Condition::Reached(Cursor::Delivered) => delivered,
            Condition::Reached(Cursor::Read) => read,
            Condition::Answered => answered,
        }
    }
}

/// One session's `WAIT`.
struct Watch {
    author: AccountId,
    /// Where its entry stands.
    pos: EntryPos,
    /// The other party, in a direct chat.
    other: Option<AccountId>,
    awaited: usize,
    /// How many effects were in its batch when it began: those are counted already. 0 once that
    /// batch is on disk.
    begun: usize,
}

/// Where to find a watch.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Awaits {
    conversation: ConversationId,
    pub(super) until: Condition,
    pub(super) id: EntryId,
}

/// Where the cursors of a member stood and stand now.
pub(super) struct Passed {
    /// The index of the effect in its batch.
    pub(super) at: usize,
    pub(super) conversation: ConversationId,
    pub(super) account: AccountId,
    /// For both cursors: the entries passed, above the first id and up to the second.
    pub(super) between: [(EntryId, EntryId); 2],
    /// Whether the member is awaited there again, instead of no longer.
    pub(super) again: bool,
    /// The account that must not learn of it.
    pub(super) hidden_from: Option<AccountId>,
}

impl HubState {
    /// Starts a watch. It is answered after the batch in which nobody is awaited any more.
    pub(super) fn watch(&mut self, session: SessionId, id: EntryId, until: Condition) {
        let Some(seat) = self.seats.get(&session) else { return };
        let who = seat.who(session);
        let awaited = self.decide(|chat| chat.awaited(who, until, id));
        let awaited = match until {
            Condition::Reached(_) => awaited,
            Condition::Answered => {
                awaited.and_then(|awaited| self.unanswered(who.account, awaited))
            }
        };
        match awaited {
            Ok(Awaited { pos, other, count }) => {
                let conversation = pos.conversation;
                self.chat.has_looked_at_members(conversation);
                let awaits = Awaits { conversation, until, id };
                self.pending.push(Pending::Waits(session));
                if count == 0 {
                    self.pending.push(Pending::Waited(session, awaits));
                }
                if let Some(seat) = self.seats.get_mut(&session) {
                    seat.awaits = Some(Box::new(awaits));
                }
                let (author, awaited, begun) = (who.account, count, self.chat.said());
                let watch = Watch { author, pos, other, awaited, begun };
                let watches = self.watches.entry(conversation).or_default();
                watches.lane(until).insert((id, session), watch);
            }
            Err(refusal) => self.answer_watch(session, Err(refusal)),
        }
    }

    /// What a `WAIT` for an answer has to know: nobody is awaited if there is one already.
    ///
    /// # Errors
    /// `timeout` if nobody else can see the message, or the refusal for a store that cannot be read.
    fn unanswered(&mut self, me: AccountId, awaited: Awaited) -> Result<Awaited, Refusal> {
        let answered = self.writer.reader().and_then(|r| r.answered(me, awaited.pos.id));
        self.looked_up += limits::LOOK_UP;
        match answered.map_err(|e| self.unreadable(&e))? {
            Some(true) => Ok(Awaited { count: 0, ..awaited }),
            _ if awaited.count == 0 => Err(Refusal::Timeout),
            _ => Ok(Awaited { count: 1, ..awaited }),
        }
    }

    /// Satisfies the watches that an entry answers: those on the message that it answers or reacts
    /// to and, in a direct chat, on all before it.
    pub(super) fn answers(&mut self, pos: &EntryPos, entry: &Entry) {
        let Some(watches) = self.watches.get_mut(&pos.conversation) else { return };
        let re = entry.tags.as_ref().and_then(|tags| tags.re);
        let (says, reacts) = match entry.kind {
            EntryKind::Message => (true, false),
            EntryKind::React => (false, &*entry.body != "-"),
            EntryKind::Group
            | EntryKind::Expire
            | EntryKind::Edit
            | EntryKind::Del
            | EntryKind::Flag => return,
        };
        for ((id, session), watch) in watches.lane(Condition::Answered) {
            let is_answered = (re == Some(*id) && (says || reacts))
                || (says && watch.other.is_some() && pos.id > *id);
            if is_answered && watch.author != pos.author {
                watch.awaited = 0;
                let (conversation, until) = (pos.conversation, Condition::Answered);
                let awaits = Awaits { conversation, until, id: *id };
                self.pending.push(Pending::Waited(*session, awaits));
            }
        }
    }

    /// Ends a session's watch with a refusal, if it has one.
    pub(super) fn end_watch(&mut self, session: SessionId, why: Refusal) {
        if let Some(awaits) = self.seats.get(&session).and_then(|seat| seat.awaits()) {
            self.drop_watch(session, awaits);
            self.answer_watch(session, Err(why));
        }
    }

    /// Removes the watch of a session.
    pub(super) fn drop_watch(&mut self, session: SessionId, awaits: Awaits) {
        let Some(watches) = self.watches.get_mut(&awaits.conversation) else { return };
        watches.lane(awaits.until).remove(&(awaits.id, session));
        if watches.0.iter().all(BTreeMap::is_empty) {
            self.watches.remove(&awaits.conversation);
        }
    }

    /// Updates the watches on entries that a member's cursors have passed.
    pub(super) fn passed(&mut self, passed: &Passed) {
        let conversation = passed.conversation;
        let Some(watches) = self.watches.get_mut(&conversation) else { return };
        for (cursor, (above, upto)) in
            [Cursor::Delivered, Cursor::Read].into_iter().zip(passed.between)
        {
            // In a direct chat from the first entry on: see the module documentation.
            let until = Condition::Reached(cursor);
            let lane = watches.lane(until);
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
                    && self.chat.sees(passed.account, &watch.pos);
                if !counts {
                    continue;
                }
                if passed.again {
                    watch.awaited += 1;
                } else if watch.awaited > 0 {
                    watch.awaited -= 1;
                    if watch.awaited == 0 {
                        let awaits = Awaits { conversation, until, id: *id };
                        self.pending.push(Pending::Waited(*session, awaits));
                    }
                }
            }
        }
    }

    /// Satisfies the watches that await a deleted account in a direct chat. Those in groups follow
    /// as the account leaves them.
    pub(super) fn gone(&mut self, account: AccountId) {
        for (conversation, watches) in &mut self.watches {
            for until in [Cursor::Delivered, Cursor::Read].map(Condition::Reached) {
                for ((id, session), watch) in watches.lane(until) {
                    if watch.other == Some(account) && watch.author != account {
                        watch.awaited = 0;
                        let awaits = Awaits { conversation: *conversation, until, id: *id };
                        self.pending.push(Pending::Waited(*session, awaits));
                    }
                }
            }
        }
    }

    /// To be called when the batch in which a session's watch began is on disk: all later effects
    /// count.
    pub(super) fn watch_stands(&mut self, session: SessionId) {
        let Some(awaits) = self.seats.get(&session).and_then(|seat| seat.awaits()) else { return };
        let watches = self.watches.get_mut(&awaits.conversation);
        let lane = watches.map(|watches| watches.lane(awaits.until));
        if let Some(watch) = lane.and_then(|lane| lane.get_mut(&(awaits.id, session))) {
            watch.begun = 0;
        }
    }

    /// Answers a session whose watch is satisfied.
    pub(super) fn answer_waited(&mut self, session: SessionId, awaits: Awaits) {
        let is_on = self.seats.get(&session).is_some_and(|seat| seat.awaits() == Some(awaits));
        // A member who was added again meanwhile is awaited again, so this may not hold any more.
        if is_on && self.awaited(session, awaits) == Some(0) {
            self.drop_watch(session, awaits);
            let Awaits { id, until, .. } = awaits;
            self.answer_watch(session, Ok(Reply::Waited { id, until }));
        }
    }

    fn awaited(&mut self, session: SessionId, awaits: Awaits) -> Option<usize> {
        let watches = self.watches.get_mut(&awaits.conversation)?;
        watches.lane(awaits.until).get(&(awaits.id, session)).map(|watch| watch.awaited)
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
