//! The two cursors, delivered and read: where they may be moved, and who gets a receipt.
//!
//! The arithmetic of `seq`, `exempt` and `author_seq` is explained in [`super::messages`].

use smallvec::SmallVec;

use super::stop::{Stop, all, both};
use super::{Act, Chat, Effect, Plan, Who};
use crate::chat_flags::ChatFlag;
use crate::entry::{AccountId, Cursor, EntryId, EntryPos, Millis, MoveNumber, Receipt};
use crate::limits;
use crate::name::{Handle, Target};
use crate::store::{Change, Conversation, ConversationKind, Member, Move, Position};
use crate::wire::refusal::Refusal;
use crate::wire::reply::{self, Reply};

/// Permitted moves of one cursor of an account, in one or more conversations.
pub(super) struct CursorMoves {
    cursor: Cursor,
    /// The account's handle.
    from: Handle,
    steps: SmallVec<[CursorMove; 1]>,
    /// The entry that the reply names; `None`: no reply.
    answer: Option<EntryId>,
    /// Up to where the session's device has received everything; `None`: that does not change.
    place: Option<EntryId>,
}

/// A move in one conversation.
struct CursorMove {
    pos: EntryPos,
    /// How many entries up to `pos` do not wait for the mover.
    exempt: i64,
    /// The other party, or the group.
    to: Target,
    /// The other party's account, in a direct chat.
    other: Option<AccountId>,
    /// The other party must not learn of it: one of the two has blocked the other.
    hidden: bool,
    /// As a `READ` it is private, now and for ever: the mover does not want it to be known. To the
    /// other party it is an `ACK`.
    private: bool,
    /// The other party does not want to know of it now. To that one, too, it is an `ACK`.
    unwanted: bool,
}

impl Chat {
    pub(super) fn plan_advance(
        &self,
        who: Who,
        cursor: Cursor,
        id: EntryId,
        of_all: bool,
    ) -> Result<Plan, Stop> {
        let no_message = Refusal::NoSuchMessage(id.0);
        let step =
            self.plan_step(who.account, id, of_all).and_then(|step| Ok(step.ok_or(no_message)?));
        let (step, account) = both(step, self.directory.account(who.account))?;
        let (from, steps) = (account.handle.clone(), SmallVec::from([step]));
        let place = (cursor == Cursor::Delivered && of_all).then_some(id);
        Ok(Plan::Advance(CursorMoves { cursor, from, steps, answer: Some(id), place }))
    }

    pub(super) fn plan_advance_all(
        &self,
        who: Who,
        cursor: Cursor,
        ids: &[EntryId],
        answer: Option<EntryId>,
    ) -> Result<Plan, Stop> {
        let steps = ids.iter().filter_map(|id| self.plan_step(who.account, *id, false).transpose());
        let (account, steps) = both(self.directory.account(who.account), all(ids.len(), steps))?;
        let (from, steps) = (account.handle.clone(), steps.into());
        // Without a command that names the newest entry, the last of these is it.
        let newest = answer.or(ids.iter().max().copied());
        let place = newest.filter(|_| cursor == Cursor::Delivered);
        Ok(Plan::Advance(CursorMoves { cursor, from, steps, answer, place }))
    }

    /// Plans a move to an entry; `None` if `me` may not see it. A command that has `named` the entry
    /// finds no expired one. All others are about what the session was sent.
    fn plan_step(
        &self,
        me: AccountId,
        id: EntryId,
        named: bool,
    ) -> Result<Option<CursorMove>, Stop> {
        let found = if named { self.visible_place(me, id) } else { self.place_of(me, id) };
        let Some((pos, log, member)) = found? else { return Ok(None) };
        let exempt = self.exempt_upto(log, member, &pos);
        Ok(Some(match &log.kind {
            ConversationKind::Group(name) => {
                let to = Target::Group(name.clone());
                CursorMove {
                    pos,
                    exempt: exempt?,
                    to,
                    other: None,
                    hidden: false,
                    private: false,
                    unwanted: false,
                }
            }
            ConversationKind::Direct(pair) => {
                let other = pair.other(me);
                let accounts = both(self.directory.account(me), self.directory.account(other));
                let ((mine, account), hidden) = both(accounts, self.is_hidden(me, other))?;
                let to = Target::Person(account.handle.clone());
                let is_notes = other == me;
                CursorMove {
                    pos,
                    exempt: exempt?,
                    to,
                    other: Some(other),
                    hidden,
                    private: !mine.preferences.read && !is_notes,
                    unwanted: !account.preferences.read && !is_notes,
                }
            }
        }))
    }

    /// Where an entry stands, its conversation, and `me` as a member there; `None` if `me` may not
    /// see it.
    pub(super) fn visible_place(
        &self,
        me: AccountId,
        id: EntryId,
    ) -> Result<Option<(EntryPos, &Conversation, &Member)>, Stop> {
        Ok(self.place_of(me, id)?.filter(|(pos, ..)| !self.has_expired(pos)))
    }

    /// The same, also of an entry that `EXPIRE` has deleted.
    fn place_of(
        &self,
        me: AccountId,
        id: EntryId,
    ) -> Result<Option<(EntryPos, &Conversation, &Member)>, Stop> {
        // Expired entries may still be in the directory.
        if id <= self.newest.floor || id > self.newest.entry {
            return Ok(None);
        }
        let Some(pos) = self.directory.entry_pos(id)? else { return Ok(None) };
        // For an account that was never in it, the conversation is not looked up.
        let found = self.directory.conversation_of(me, pos.conversation)?;
        let visible = found.filter(|(_, member)| member.sees(&pos));
        Ok(visible.map(|(log, member)| (pos, log, member)))
    }

    /// How many entries up to `pos` do not wait for a member: the value [`Member::exempt`] had
    /// there.
    pub(super) fn exempt_upto(
        &self,
        log: &Conversation,
        member: &Member,
        pos: &EntryPos,
    ) -> Result<i64, Stop> {
        let me = member.account;
        if let ConversationKind::Direct(_) = log.kind {
            // Of the entries up to here, `author_seq` are the author's, and the rest the other
            // member's.
            return Ok(if pos.author == me { pos.author_seq } else { pos.seq - pos.author_seq });
        }
        // No exempt entry lies above `pos`: none of the member's own, and none from before its
        // latest stay. So `pos` has all of `exempt`.
        let joined = member.stays.last().map_or(0, |stay| stay.since.1);
        if pos.id >= member.last_own && pos.seq >= joined {
            return Ok(member.exempt);
        }
        // `exempt` grows only when the member writes an entry or comes back to the group. If that
        // happens while something waits above the lower of its two cursors, the new value is
        // written down as a mark. The newest mark at or below `pos` holds at `pos`. If there is
        // none, or if it lies below that cursor, no exempt entry lies between the cursor and `pos`,
        // so the cursor's value holds.
        //
        // Example: entries 1, 3 and 5 are Ana's, 2 and 4 are Bia's, and both of Ana's cursors stand
        // at 1 (seq 1, exempt 1). Entry 3 left the mark (seq 3, count 2), entry 5 the mark (seq 5,
        // count 3). At 4 the mark of 3 holds: 2. At 2 there is no mark, so the cursor's value
        // holds: 1.
        let (id, least) = (pos.conversation, member.delivered.exempt.min(member.read.exempt));
        let batch = self.exempt_marks.iter().rev();
        let mut here = batch.filter(|s| s.0 == id && s.1 == me && s.2 <= pos.seq);
        match here.next() {
            Some((.., count)) => Ok(*count),
            None => Ok(self.directory.exempt_mark(id, me, pos.seq)?.unwrap_or(least).max(least)),
        }
    }

    pub(super) fn advance(&mut self, who: Who, moves: CursorMoves, now: Millis) {
        let CursorMoves { cursor, from, steps, answer, place } = moves;
        if let Some(place) = place {
            self.move_place(who, place);
        }
        // The mover gets the reply before anyone else gets a receipt.
        if answer.is_some() {
            let reply = Reply::Moved { cursor, id: answer };
            self.answer(who, reply::verb(cursor), Ok(reply));
        }
        let is_one = steps.len() == 1;
        for step in steps {
            let log = self.directory.cached(step.pos.conversation);
            if is_one && log.is_some_and(|log| log.moved <= self.recorded.moved) {
                // The rows of its conversation and its member are written for this one. Of moves in
                // several conversations that is in their weight.
                self.spread += Act::MOVE / 2;
            }
            self.move_cursor(who, cursor, step, &from, now);
        }
    }

    /// Moves a cursor up to an entry, never back, and sends a receipt to those who wrote something
    /// above its old place. Reading moves the delivered cursor along.
    fn move_cursor(
        &mut self,
        who: Who,
        cursor: Cursor,
        step: CursorMove,
        from: &Handle,
        now: Millis,
    ) {
        let CursorMove { pos, exempt, to, other, hidden, private, unwanted } = step;
        let is_read = cursor == Cursor::Read;
        let (me, conversation, floor) = (who.account, pos.conversation, self.newest.floor);
        let Some(log) = self.directory.conversation_mut(conversation) else { return };
        let Some(member) = log.member_mut(me) else { return };
        let (old, old_delivered) = (*member.cursor(cursor), member.delivered.id);
        // Up to where the other members may know of it.
        let old_shown = member.shown_upto(cursor);
        // Nobody waits for a member who has left.
        let was = member.is_in().then(|| member.cursors());
        if pos.id <= old.id {
            return;
        }
        self.newest.moved.0 += 1;
        let number = self.newest.moved;
        let (id, seq) = (pos.id, pos.seq);
        let new = Position { id, seq, exempt, told: id, time: now, number };
        // An entry that is read counts as received.
        let moving: &[Cursor] = match cursor {
            Cursor::Delivered => &[Cursor::Delivered],
            Cursor::Read => &[Cursor::Delivered, Cursor::Read],
        };
        for cursor in moving {
            let at = member.cursor_mut(*cursor);
            if new.id <= at.id {
                continue;
            }
            let was = std::mem::replace(at, new);
            let mut was = Move { id: was.told, time: was.time, number: was.number };
            if *cursor == Cursor::Read {
                // A private move leaves no trace in the history: what others may know of it is the
                // last one that was not.
                if private {
                    member.shown_read.get_or_insert(was);
                    continue;
                }
                was = member.shown_read.take().unwrap_or(was);
            }
            // Moves within one second share a record. The newest move is in the member's row; only
            // when a move of a later second follows does it go into the history.
            if was.number == MoveNumber(0) || was.time.same_second(now) {
                continue;
            }
            let (cursor, upto) = (*cursor, was.id);
            if let Some(moves) = member.history_mut(cursor).push(was) {
                let account = me;
                let change = Change::CursorHistory { conversation, account, cursor, upto, moves };
                self.batch.changes.push(change);
            }
        }
        let ended = if is_read { member.flags.end(ChatFlag::Unread) } else { None };
        self.batch.changes.extend(ended.map(|mark| Change::Voided { mark }));
        log.moved = number;
        // Authors are members with an entry above the cursor's old place. Expired entries need no
        // receipt.
        let since = old_shown.max(floor);
        let mut readers = self.directory.authors_since(conversation, me, since);
        self.extra += readers.len() / limits::TOLD;
        let Some(log) = self.directory.cached(conversation) else { return };
        let last_own = |other: AccountId| log.member(other).map_or(EntryId(0), |m| m.last_own);
        let last_own = other.map_or(EntryId(0), last_own);
        let as_ack = is_read && (private || unwanted);
        if as_ack {
            // The other party is told what is new to it: that more was delivered.
            let since = old_delivered.max(floor);
            readers.clear();
            readers.extend(other.filter(|_| id > old_delivered && last_own > since));
        }
        let mut hidden_from = None;
        if let Some(other) = other {
            if other != me && last_own > old_shown {
                self.rank_by_move(conversation, other, number);
            }
            if cursor == Cursor::Read {
                self.rank_by_move(conversation, me, number);
            }
            if hidden {
                readers.clear();
                hidden_from = Some(other);
            }
        }
        self.touched.push((conversation, me));
        let mut was = was;
        if as_ack {
            let (cursor, from, to) = (Cursor::Delivered, from.clone(), to.clone());
            let receipt = Receipt { cursor, id, time: now, from, to };
            let (readers, was) = (std::mem::take(&mut readers), was.take());
            let hidden_from = hidden_from.take();
            let effect =
                Effect::Receipt { receipt, conversation, number, readers, was, hidden_from };
            self.tell(who, effect);
        }
        if is_read {
            readers.push(me);
        }
        let receipt = Receipt { cursor, id, time: now, from: from.clone(), to };
        self.tell(
            who,
            Effect::Receipt { receipt, conversation, number, readers, was, hidden_from },
        );
    }
}
