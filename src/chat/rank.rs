//! Where a chat of two stands among all of an account: by what waits, by its newest entry, by its
//! newest move. So a question about all of them looks at the first of them and never at the rest.
//!
//! Under load next to nothing is written here. A chat that goes on is the first of both accounts
//! already. What waits is looked at when a batch ends: a row changes only if something begins to wait
//! where nothing did, and that nothing does any more is written down later, when it is so in many
//! chats. Until then the row says too much: whoever reads it looks at the chat and finds nothing.
//!
//! Groups have no rank: an entry would have to be written to each of their members, and nobody is in
//! so many that they cannot be looked at one by one.

use std::mem::discriminant;

use super::Chat;
use super::stop::Stop;
use crate::entry::{AccountId, ConversationId, EntryId, MoveNumber};
use crate::limits;
use crate::store::{Change, ConversationKind, Fronts, Member, Pair, Rank};

impl Chat {
    /// An entry was added to the chat of these two.
    pub(super) fn rank_by_entry(&mut self, id: ConversationId, pair: Pair, entry: EntryId) {
        for account in [pair.low, pair.high] {
            self.rank(id, account, |fronts| &mut fronts.recent, Rank::Recent(entry));
        }
    }

    /// A cursor moved in a chat of two, and that concerns an account.
    pub(super) fn rank_by_move(&mut self, id: ConversationId, of: AccountId, number: MoveNumber) {
        self.rank(id, of, |fronts| &mut fronts.moved, Rank::Moved(number));
    }

    /// Puts a chat before all others of an account, unless it stands there.
    fn rank(
        &mut self,
        id: ConversationId,
        account: AccountId,
        front: impl FnOnce(&mut Fronts) -> &mut Option<ConversationId>,
        rank: Rank,
    ) {
        // Who acts in a chat of two has looked up both.
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
        }
        self.ranked.push((id, account, rank));
    }

    /// Notes where something waits since this batch, and where nothing does any more. What the batch
    /// touched and added is in order.
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
            let at = self.appended.partition_point(|(of, ..)| *of < id);
            let added = self.appended.get(at).filter(|(of, ..)| *of == id);
            let seq = log.seq;
            for member in &mut log.members {
                let first = match added {
                    _ if !waits(seq, member) => {
                        if member.waits.0 != 0 && self.is_unsettled.insert((id, member.account)) {
                            self.unsettled.push_back((id, member.account));
                        }
                        continue;
                    }
                    // What the batch added is all that waits: nothing did, or it is forgotten.
                    Some((_, first, before)) if member.waits.0 == 0 || *before <= floor => *first,
                    // The store may have let go of it with what was forgotten, and knows of
                    // nothing that waits; what does comes after that.
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

    /// Writes down that nothing waits any more in the chat where that has been so for longest, if
    /// there are many. Returns whether there was one.
    ///
    /// # Errors
    /// What has to be looked up first; nothing has been decided then.
    pub fn clear_wait(&mut self) -> Result<bool, Stop> {
        let Some(waits) = self.plan_settling()? else { return Ok(false) };
        self.settle_next(waits);
        Ok(true)
    }

    /// Whether something waits there.
    fn plan_settling(&self) -> Result<Option<bool>, Stop> {
        if self.unsettled.len() <= limits::UNSETTLED {
            return Ok(None);
        }
        let Some((id, account)) = self.unsettled.front() else { return Ok(None) };
        let log = self.directory.conversation(*id)?;
        let waits = log.member(*account).is_none_or(|member| waits(log.seq, member));
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

    /// What has to be written of all that: the last of each, and nothing of a chat that the batch
    /// begins, since its members are written whole.
    pub(super) fn record_ranks(&mut self) {
        let known = self.recorded.conversation;
        self.ranked.retain(|(id, ..)| id.0 <= known);
        // The last of one kind is its highest.
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

/// Whether something waits for a member of a conversation that has had `seq` entries: more lie above
/// its delivered cursor than do not wait for it (see [`super::talk`]).
fn waits(seq: i64, member: &Member) -> bool {
    seq - member.delivered.seq > member.exempt - member.delivered.exempt
}
