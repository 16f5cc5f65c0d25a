//! Who has written in a large group, by their last entries: whoever reads there owes a receipt to
//! those who wrote above the old place of its cursor. To look at each of thousands of members for
//! every `READ` would take longer than everything else about it.

use std::collections::BTreeSet;

use super::Directory;
use crate::entry::{AccountId, ConversationId, EntryId};
use crate::limits;
use crate::store::Conversation;

/// The present members of a conversation who have written something, by their last entries.
pub(super) type Authors = BTreeSet<(EntryId, AccountId)>;

impl Directory {
    /// The present members of a conversation in memory, `me` excepted, who have written something
    /// above `since`.
    pub fn authors_since(
        &mut self,
        id: ConversationId,
        me: AccountId,
        since: EntryId,
    ) -> Vec<AccountId> {
        let Some(log) = self.conversations.get(&id) else { return Vec::new() };
        let newer = |last: EntryId, account: AccountId| last > since && account != me;
        if log.members.len() <= limits::LARGE_GROUP {
            let present = log.present().filter(|m| newer(m.last_own, m.account));
            return present.map(|m| m.account).collect();
        }
        let authors = self.authors.entry(id).or_insert_with(|| authors_of(log));
        let newer = |author: &&(EntryId, AccountId)| newer(author.0, author.1);
        authors
            .iter()
            .rev()
            .take_while(|author| author.0 > since)
            .filter(newer)
            .map(|a| a.1)
            .collect()
    }

    /// Notes that a present member has written an entry; `before` is the last one it wrote before.
    pub fn has_written(
        &mut self,
        id: ConversationId,
        author: AccountId,
        before: EntryId,
        now: EntryId,
    ) {
        if let Some(authors) = self.authors.get_mut(&id) {
            authors.remove(&(before, author));
            authors.insert((now, author));
        }
    }

    /// Notes that a member was added again, or has left.
    pub fn has_moved(&mut self, id: ConversationId) {
        self.authors.remove(&id);
    }
}

fn authors_of(log: &Conversation) -> Authors {
    let wrote = log.present().filter(|member| member.last_own > EntryId(0));
    wrote.map(|member| (member.last_own, member.account)).collect()
}
