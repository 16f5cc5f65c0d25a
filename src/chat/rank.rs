//! The order of an account's direct chats: by what waits in them, by their newest entry, and by
//! their newest move (see [`Rank`]). With it, a question about all chats of an account reads the
//! first of them and never the rest.
//!
//! Under load almost nothing is written for this. A chat that goes on already comes first for both
//! accounts. What waits is determined at the end of a batch, and a row changes only if something
//! begins to wait where nothing did. The reverse is written later, when there are many such chats
//! ([`limits::UNSETTLED`]). Until then the store claims too much, which does no harm: a reader
//! looks into the chat and finds nothing that waits.
//!
//! Groups have no rank: each entry would have to be written to the rows of all members, and nobody
//! is in so many groups that they cannot be looked at one by one.

use std::mem::discriminant;

use super::Chat;
use super::stop::Stop;
use crate::entry::{AccountId, ConversationId, EntryId, MoveNumber};
use crate::limits;
use crate::store::{Change, ConversationKind, Fronts, Marks, Member, Pair, Rank};

impl Chat {
    /// To be called when an entry was added to the chat of a pair: it now comes first for both.
    pub(super) fn rank_by_entry(&mut self, id: ConversationId, pair: Pair, entry: EntryId) {
        for account in [pair.low, pair.high] {
            self.rank(id, account, |fronts| &mut fronts.recent, Rank::Recent(entry));
        }
    }

    /// To be called when a cursor moved in a direct chat, for each account that the move concerns.
    pub(super) fn rank_by_move(&mut self, id: ConversationId, of: AccountId, number: MoveNumber) {
        self.rank(id, of, |fronts| &mut fronts.moved, Rank::Moved(number));
    }

    /// To be called when a mark was added to the chat of a pair.
    pub(super) fn rank_by_mark(&mut self, id: ConversationId, pair: Pair, mark: EntryId) {
        for account in [pair.low, pair.high] {
            self.rank(id, account, |fronts| &mut fronts.marked, Rank::Marked(mark));
        }
    }

    /// Puts a chat before all others of an account in one order, unless it comes first already.
    fn rank(
        &mut self,
        id: ConversationId,
        account: AccountId,
        front: impl FnOnce(&mut Fronts) -> &mut Option<ConversationId>,
        rank: Rank,
    ) {
        // An act in a direct chat has looked up both accounts.
        if let Some(known) = self.directory.account_mut(account)
            && front(&mut known.fronts).replace(id) == Some(id)
        {
            return;
        }
        let Some(log) = self.directory.conversation_mut(id) else { return };
        let Some(member) = log.member_mut(account) else { return };
        match rank {
            Rank::Waits(first) => member.waits = first,
            Rank::Recent(entry) => member.recent = entry,
            Rank::Moved(number) => member.moved = number,
            Rank::Marked(mark) => member.marked = mark,
        }
        self.ranked.push((id, account, rank));
    }

    /// Determines in which touched chats something waits since this batch, and in which nothing
    /// does any more. `touched`, `appended` and `marked` must be sorted.
    pub(super) fn rank_by_waiting(&mut self) {
        let floor = self.newest.floor;
        let mut last = None;
        for (id, _) in &self.touched {
            let id = *id;
            if last.replace(id) == Some(id) {
                continue;
            }
            let Some(log) = self.directory.conversation_mut(id) else { continue };
            if !matches!(log.kind, ConversationKind::Direct(_)) {
                continue;
            }
            // The first entry or mark that the batch has added, and the newest one before it.
            let first = |all: &[(ConversationId, EntryId, EntryId)]| {
                let at = all.partition_point(|(of, ..)| *of < id);
                all.get(at).filter(|(of, ..)| *of == id).map(|(_, first, before)| (*first, *before))
            };
            let added = match (first(&self.appended), first(&self.marked)) {
                (Some(entry), Some(mark)) => Some((entry.0.min(mark.0), entry.1.max(mark.1))),
                (Some((first, before)), None) => Some((first, before.max(log.marks.newest))),
                (None, Some((first, before))) => Some((first, before.max(log.head))),
                (None, None) => None,
            };
            let (seq, marks) = (log.seq, log.marks);
            for member in &mut log.members {
                let first = match added {
                    _ if !waits(seq, &marks, member) => {
                        if member.waits.0 != 0 && self.is_unsettled.insert((id, member.account)) {
                            self.unsettled.push_back((id, member.account));
                        }
                        continue;
                    }
                    // The batch's first entry is the first that waits: nothing waited before it, or
                    // only what has expired.
                    Some((first, before)) if member.waits.0 == 0 || before <= floor => first,
                    // The entry it named has expired, and with it the store may have cleared
                    // `waits`. What waits now lies above the floor.
                    _ if member.waits.0 != 0 && member.waits <= floor => EntryId(floor.0 + 1),
                    _ => member.waits,
                };
                if first != member.waits {
                    member.waits = first;
                    self.ranked.push((id, member.account, Rank::Waits(first)));
                }
            }
        }
    }

    /// Records for one chat that nothing waits there any more, if there are more of those than
    /// [`limits::UNSETTLED`]: for the one where that has been so the longest. Returns whether there
    /// was one.
    ///
    /// # Errors
    /// What has to be looked up first; the batch is unchanged.
    pub fn clear_wait(&mut self) -> Result<bool, Stop> {
        let Some(waits) = self.plan_settling()? else { return Ok(false) };
        self.settle_next(waits);
        Ok(true)
    }

    /// Whether something waits in the next chat to be settled; `None` if none has to be yet.
    fn plan_settling(&self) -> Result<Option<bool>, Stop> {
        if self.unsettled.len() <= limits::UNSETTLED {
            return Ok(None);
        }
        let Some((id, account)) = self.unsettled.front() else { return Ok(None) };
        let log = self.directory.conversation(*id)?;
        let waits = log.member(*account).is_none_or(|member| waits(log.seq, &log.marks, member));
        Ok(Some(waits))
    }

    fn settle_next(&mut self, waits: bool) {
        let Some((id, account)) = self.unsettled.pop_front() else { return };
        self.is_unsettled.remove(&(id, account));
        let log = self.directory.conversation_mut(id);
        if let Some(member) = log.and_then(|log| log.member_mut(account))
            && !waits
            && member.waits.0 != 0
        {
            member.waits = EntryId(0);
            self.ranked.push((id, account, Rank::Waits(EntryId(0))));
        }
    }

    /// Adds the changed ranks to the batch: the last of each kind, and none of a chat that the
    /// batch created, whose members are written whole.
    pub(super) fn record_ranks(&mut self) {
        let known = self.recorded.conversation;
        self.ranked.retain(|(id, ..)| id.0 <= known);
        // Within a batch, ranks of one kind only grow, so the last is the highest.
        self.ranked.sort_unstable();
        let mut ranked = self.ranked.drain(..).peekable();
        while let Some((conversation, account, rank)) = ranked.next() {
            let is_again = |(id, of, later): &(ConversationId, AccountId, Rank)| {
                (*id, *of) == (conversation, account) && discriminant(later) == discriminant(&rank)
            };
            if ranked.peek().is_none_or(|later| !is_again(later)) {
                self.batch.changes.push(Change::Rank { conversation, account, rank });
            }
        }
    }
}

/// Whether something waits for a member of a conversation that has had `seq` entries: whether more
/// entries lie above its delivered cursor than are exempt there (see [`super::messages`]), or a mark
/// by somebody else.
fn waits(seq: i64, marks: &Marks, member: &Member) -> bool {
    let at = &member.delivered;
    seq - at.seq > member.exempt - at.exempt || marks.by_others(member.account) > at.id
}
