//! The two cursors: where they may be moved, and who learns of it.
//!
//! The arithmetic of `seq`, `exempt` and `author_seq` is explained in [`super::messages`].

use smallvec::SmallVec;

use super::stop::{Stop, all, both};
use super::{Chat, Effect, Plan, Who};
use crate::entry::{AccountId, Cursor, EntryId, EntryPos, Millis, MoveNumber, Receipt};
use crate::name::{Handle, Target};
use crate::store::{Change, Conversation, ConversationKind, Member, Move, Position};
use crate::wire::refusal::Refusal;
use crate::wire::reply::{self, Reply};

/// Cursors of one account that can be moved.
pub(super) struct CursorMoves {
    cursor: Cursor,
    /// Whose they are.
    from: Handle,
    steps: SmallVec<[CursorMove; 1]>,
    /// The entry that the reply names; without it none is given.
    answer: Option<EntryId>,
}

/// One conversation in which a cursor can be moved, and up to which entry.
struct CursorMove {
    pos: EntryPos,
    /// How many entries up to there do not wait for the mover.
    exempt: i64,
    /// The other party, or the group.
    to: Target,
    /// With whom, in a chat of two.
    other: Option<AccountId>,
    /// That one must not learn of it: one of the two blocks the other.
    hidden: bool,
}

impl Chat {
    pub(super) fn plan_advance(&self, who: Who, cursor: Cursor, id: EntryId) -> Result<Plan, Stop> {
        let no_message = Refusal::NoSuchMessage(id.0);
        let step = self.plan_step(who.account, id).and_then(|step| Ok(step.ok_or(no_message)?));
        let (step, account) = both(step, self.directory.account(who.account))?;
        let (from, steps) = (account.handle.clone(), SmallVec::from([step]));
        Ok(Plan::Advance(CursorMoves { cursor, from, steps, answer: Some(id) }))
    }

    pub(super) fn plan_advance_all(
        &self,
        who: Who,
        cursor: Cursor,
        ids: &[EntryId],
        answer: Option<EntryId>,
    ) -> Result<Plan, Stop> {
        let steps = ids.iter().filter_map(|id| self.plan_step(who.account, *id).transpose());
        let (account, steps) = both(self.directory.account(who.account), all(ids.len(), steps))?;
        let (from, steps) = (account.handle.clone(), steps.into());
        Ok(Plan::Advance(CursorMoves { cursor, from, steps, answer }))
    }

    /// What moving a cursor to an entry takes, if `me` may see it.
    fn plan_step(&self, me: AccountId, id: EntryId) -> Result<Option<CursorMove>, Stop> {
        let Some((pos, log, member)) = self.visible_place(me, id)? else { return Ok(None) };
        let exempt = self.exempt_upto(log, member, &pos);
        Ok(Some(match &log.kind {
            ConversationKind::Group(name) => {
                let to = Target::Group(name.clone());
                CursorMove { pos, exempt: exempt?, to, other: None, hidden: false }
            }
            ConversationKind::Direct(pair) => {
                let other = pair.other(me);
                let (account, hidden) =
                    both(self.directory.account(other), self.is_hidden(me, other))?;
                let to = Target::Person(account.handle.clone());
                CursorMove { pos, exempt: exempt?, to, other: Some(other), hidden }
            }
        }))
    }

    /// Where an entry stands, if `me` may see it; and its conversation, and `me` in it.
    pub(super) fn visible_place(
        &self,
        me: AccountId,
        id: EntryId,
    ) -> Result<Option<(EntryPos, &Conversation, &Member)>, Stop> {
        // What is forgotten may still be in the directory.
        if id <= self.newest.floor || id > self.newest.entry {
            return Ok(None);
        }
        let Some(pos) = self.directory.entry_pos(id)? else { return Ok(None) };
        // Asked by someone who is not in it, it is not looked up.
        let found = self.directory.conversation_of(me, pos.conversation)?;
        let visible = found.filter(|(_, member)| member.sees(pos.seq));
        Ok(visible.map(|(log, member)| (pos, log, member)))
    }

    /// How many entries up to a place do not wait for a member: what [`Member::exempt`] was there.
    pub(super) fn exempt_upto(
        &self,
        log: &Conversation,
        member: &Member,
        pos: &EntryPos,
    ) -> Result<i64, Stop> {
        let me = member.account;
        if let ConversationKind::Direct(_) = log.kind {
            // Up to here `author_seq` are its author's, and all others are the other one's.
            return Ok(if pos.author == me { pos.author_seq } else { pos.seq - pos.author_seq });
        }
        // Nothing that does not wait lies above: no entry of its own, and none from before its
        // latest stay, which it may not see. So all of `exempt` lies at or below.
        let joined = member.stays.last().map_or(0, |stay| stay.since.1);
        if pos.id >= member.last_own && pos.seq >= joined {
            return Ok(member.exempt);
        }
        // `exempt` grows only with an entry of the member's own, or when it comes back. Where either
        // happened while something waited above the lower cursor, it was written down; the newest
        // note up to the place holds there. Without one, or if it lies below that cursor, nothing
        // that does not wait lies between the cursor and the place.
        //
        // Say 1, 3 and 5 are mine and 2 and 4 are Bia's, and my cursors stand at 1 (seq 1, exempt 1).
        // Notes were written with 3 (seq 3, count 2) and with 5 (seq 5, count 3). Up to 4 the note
        // of 3 holds: two do not wait. Up to 2 there is no note: one, as at the cursor.
        let (id, least) = (pos.conversation, member.delivered.exempt.min(member.read.exempt));
        let batch = self.exempt_marks.iter().rev();
        let mut here = batch.filter(|s| s.0 == id && s.1 == me && s.2 <= pos.seq);
        match here.next() {
            Some((.., count)) => Ok(*count),
            None => Ok(self.directory.exempt_mark(id, me, pos.seq)?.unwrap_or(least).max(least)),
        }
    }

    pub(super) fn advance(&mut self, who: Who, moves: CursorMoves, now: Millis) {
        let CursorMoves { cursor, from, steps, answer } = moves;
        // The mover learns that it is done before anyone else learns that it happened.
        if answer.is_some() {
            let reply = Reply::Moved { cursor, id: answer };
            self.answer(who, reply::verb(cursor), Ok(reply));
        }
        for step in steps {
            self.move_cursor(who, cursor, step, &from, now);
        }
    }

    /// Moves a cursor up to an entry, never back, and tells those whose entries it passed over.
    fn move_cursor(
        &mut self,
        who: Who,
        cursor: Cursor,
        step: CursorMove,
        from: &Handle,
        now: Millis,
    ) {
        let CursorMove { pos, exempt, to, other, hidden } = step;
        let (me, conversation, floor) = (who.account, pos.conversation, self.newest.floor);
        let Some(log) = self.directory.conversation_mut(conversation) else { return };
        let Some(member) = log.member_mut(me) else { return };
        let old = *member.cursor(cursor);
        // Nobody waits for one who is out.
        let was = member.is_in().then(|| member.cursors());
        if pos.id <= old.id {
            return;
        }
        self.newest.moved.0 += 1;
        let number = self.newest.moved;
        let (id, seq) = (pos.id, pos.seq);
        let new = Position { id, seq, exempt, told: id, time: now, number };
        // What is read has been received.
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
            // Moves within a second share one record: the newest, which stands in the member.
            if was.number == MoveNumber(0) || was.time.same_second(now) {
                continue;
            }
            let (cursor, upto) = (*cursor, was.told);
            let was = Move { id: upto, time: was.time, number: was.number };
            if let Some(moves) = member.history_mut(cursor).push(was) {
                let account = me;
                let change = Change::CursorHistory { conversation, account, cursor, upto, moves };
                self.batch.changes.push(change);
            }
        }
        log.moved = number;
        // An author is concerned if it wrote something above where the cursor was. What is
        // forgotten needs no receipt.
        let since = old.id.max(floor);
        let wrote = |m: &&Member| m.account != me && m.last_own > since;
        let mut readers: Vec<AccountId> = log.present().filter(wrote).map(|m| m.account).collect();
        let mut hidden_from = None;
        if let Some(other) = other {
            let passes = log.member(other).is_some_and(|m| m.last_own > old.id);
            if other != me && passes {
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
        if cursor == Cursor::Read {
            readers.push(me);
        }
        self.touched.push((conversation, me));
        let receipt = Receipt { cursor, id, time: now, from: from.clone(), to };
        self.tell(
            who,
            Effect::Receipt { receipt, conversation, number, readers, was, hidden_from },
        );
    }
}
