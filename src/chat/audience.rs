//! Who may see an entry, and what a `WAIT` for one of one's own has to know.

use super::stop::{self, Stop};
use super::{Chat, Who};
use crate::entry::{AccountId, Condition, ConversationId, Cursor, EntryId, EntryPos};
use crate::limits;
use crate::store::{ConversationKind, Member};
use crate::wire::refusal::Refusal;

/// What a `WAIT` has to know: how many members have yet to receive, read or answer an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Awaited {
    /// Where the entry stands.
    pub pos: EntryPos,
    /// The other party, in a direct chat.
    pub other: Option<AccountId>,
    /// Members whose cursor is still below the entry; for an answer, all who may give one.
    pub count: usize,
}

impl Chat {
    /// The accounts that may see an entry. Its conversation must be in memory, as all conversations
    /// of the batch are.
    pub fn readers(&self, pos: EntryPos) -> impl Iterator<Item = AccountId> {
        let members = self.directory.cached(pos.conversation).map_or(&[][..], |c| &c.members);
        members.iter().filter(move |m| m.sees(&pos)).map(|m| m.account)
    }

    /// The present members of a conversation in memory.
    pub fn members(&self, id: ConversationId) -> impl Iterator<Item = AccountId> {
        self.directory.cached(id).into_iter().flat_map(|log| log.present().map(|m| m.account))
    }

    /// How many members a conversation in memory has, past ones included.
    pub fn member_count(&self, id: ConversationId) -> usize {
        self.directory.cached(id).map_or(0, |log| log.members.len())
    }

    /// Notes that all members of a conversation were looked at, which costs more than the weight of
    /// what it was for if they are many.
    pub fn has_looked_at_members(&mut self, id: ConversationId) {
        self.extra += self.member_count(id) / limits::MEMBERS_SEEN;
    }

    /// Counts the members whose cursor is still below an entry or, if an answer is awaited, who may
    /// give one: of those who may see it and have not left, all but its author.
    ///
    /// # Errors
    /// `who` is not its author, or something has to be looked up first.
    pub fn awaited(&self, who: Who, until: Condition, id: EntryId) -> Result<Awaited, Stop> {
        let me = who.account;
        let own = |pos: &EntryPos| pos.author == me;
        let Some((pos, log, _)) = self.visible_place(me, id)?.filter(|(pos, ..)| own(pos)) else {
            return Err(Refusal::NoSuchMessage(id.0).into());
        };
        if until == Condition::Answered {
            self.message_at(pos)?;
        }
        // If one party has blocked the other, neither learns how far the other is, so a hidden
        // cursor counts as below the entry. Nobody waits for a deleted account.
        // Likewise what the other party has read, if one of the two does not want that to be known.
        let (mut hidden, mut gone, mut unwanted) = (false, false, false);
        let other = match log.kind {
            ConversationKind::Direct(pair) => Some(pair.other(me)),
            ConversationKind::Group(_) => None,
        };
        if let Some(other) = other.filter(|other| *other != me) {
            let accounts = stop::both(self.directory.account(me), self.directory.account(other));
            let ((mine, account), is_hidden) = stop::both(accounts, self.is_hidden(me, other))?;
            (gone, hidden) = (account.gone, is_hidden);
            unwanted = until == Condition::Reached(Cursor::Read) && !mine.preferences.read;
        }
        let late = |m: &&Member| {
            let has_come = match until {
                Condition::Reached(cursor) => m.shown_upto(cursor) >= id && !hidden && !unwanted,
                Condition::Answered => false,
            };
            m.account != me && m.sees(&pos) && !has_come && !gone
        };
        let count = log.present().filter(late).count();
        Ok(Awaited { pos, other, count })
    }

    /// Whether an account may see an entry, whose conversation must be in memory.
    pub fn sees(&self, account: AccountId, pos: &EntryPos) -> bool {
        let log = self.directory.cached(pos.conversation);
        log.and_then(|log| log.member(account)).is_some_and(|member| member.sees(pos))
    }
}
