//! What it will take to tell a large group what is decided, so that a batch is full when that is
//! much. To tell thousands takes a hundred times as long as to record a message.

use rustc_hash::FxHashMap;

use super::HubState;
use crate::entry::{ConversationId, EntryKind, SessionId};
use crate::limits;

/// See the module documentation. Counted anew in each batch.
#[derive(Default)]
pub(super) struct Telling {
    /// Its weight so far.
    pub(super) weight: usize,
    /// How many members of large groups are online.
    online: FxHashMap<ConversationId, usize>,
    /// Up to where the effects of the batch have been counted.
    counted: usize,
    /// Whose message was the last entry, and where. What one session says in a row is told at once.
    last: Option<(SessionId, ConversationId)>,
}

impl Telling {
    /// Takes out what has been added since this was last asked.
    pub(super) fn take(&mut self) -> usize {
        std::mem::take(&mut self.weight)
    }
}

impl HubState {
    /// Counts what was just decided, if it is an entry of a large group.
    pub(super) fn count_telling(&mut self) {
        let before = std::mem::replace(&mut self.telling.counted, self.chat.said());
        let Some((who, new)) = self.chat.latest_entry() else { return };
        let (here, kind) = ((who.session, new.pos.conversation), new.kind);
        if self.telling.counted == before {
            return;
        }
        let group = here.1;
        let is_message = kind == EntryKind::Message;
        let goes_on = is_message && self.telling.last == Some(here);
        self.telling.last = is_message.then_some(here);
        if goes_on || self.chat.member_count(group) <= limits::LARGE_GROUP {
            return;
        }
        let (chat, online) = (&self.chat, &self.online);
        let told = *self.telling.online.entry(group).or_insert_with(|| {
            self.telling.weight += chat.member_count(group) / limits::MEMBERS_SEEN;
            chat.members(group).filter(|account| online.contains_key(account)).count()
        });
        // What is deleted is also taken out of what waits for them.
        let times = if kind == EntryKind::Del { 3 } else { 1 };
        self.telling.weight += times * told / limits::TOLD;
    }
}
