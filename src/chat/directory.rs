//! What the rules decide from: accounts, conversations, and where the newest entries stand.
//!
//! A cache that never guesses: a question it cannot answer is an `Err` with the [`Need`]. It is
//! bounded by forgetting everything, which is always safe between two batches.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::entry::{AccountId, ConversationId, EntryId, Place};
use crate::limits;
use crate::name::Handle;
use crate::store::{Account, Conversation, Pair};

/// Something that has to be looked up in the store.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Need {
    /// The account of this handle.
    Handle(Handle),
    /// The account of this number.
    Account(AccountId),
    /// The conversation of these two.
    Direct(Pair),
    /// The conversation of this number.
    Conversation(ConversationId),
    /// Where this entry stands.
    Place(EntryId),
}

/// See the module's text.
#[derive(Default)]
pub struct Directory {
    accounts: HashMap<AccountId, Account>,
    handles: HashMap<Handle, AccountId>,
    conversations: HashMap<ConversationId, Conversation>,
    direct: HashMap<Pair, ConversationId>,
    /// The newest entries, without a gap.
    recent: VecDeque<Place>,
    /// Older ones that this batch asked about.
    older: HashMap<EntryId, Place>,
    /// What this batch asked about and the store does not have.
    absent: HashSet<Need>,
}

impl Directory {
    /// The account of a handle, if there is one.
    pub fn handle(&self, handle: &Handle) -> Result<Option<AccountId>, Need> {
        match self.handles.get(handle) {
            Some(id) => Ok(Some(*id)),
            None => self.lacks(Need::Handle(handle.clone())),
        }
    }

    /// An account that exists.
    pub fn account(&mut self, id: AccountId) -> Result<&mut Account, Need> {
        self.accounts.get_mut(&id).ok_or(Need::Account(id))
    }

    /// The conversation of two accounts, if they have one.
    pub fn direct(&self, pair: Pair) -> Result<Option<ConversationId>, Need> {
        match self.direct.get(&pair) {
            Some(id) => Ok(Some(*id)),
            None => self.lacks(Need::Direct(pair)),
        }
    }

    /// A conversation that exists.
    pub fn conversation(&mut self, id: ConversationId) -> Result<&mut Conversation, Need> {
        self.conversations.get_mut(&id).ok_or(Need::Conversation(id))
    }

    /// A conversation, if it is in memory.
    pub fn known(&self, id: ConversationId) -> Option<&Conversation> {
        self.conversations.get(&id)
    }

    /// Where an entry stands, if there is one of this id.
    pub fn place(&self, id: EntryId) -> Result<Option<Place>, Need> {
        let first = self.recent.front().map_or(i64::MAX, |place| place.id.0);
        let at = usize::try_from(id.0.saturating_sub(first)).ok();
        if let Some(place) = at.and_then(|at| self.recent.get(at)).or(self.older.get(&id)) {
            return Ok(Some(*place));
        }
        self.lacks(Need::Place(id))
    }

    fn lacks<T>(&self, need: Need) -> Result<Option<T>, Need> {
        if self.absent.contains(&need) { Ok(None) } else { Err(need) }
    }

    /// Takes note that the store does not have something.
    pub fn learn_absence(&mut self, need: Need) {
        self.absent.insert(need);
    }

    /// Takes note of an account.
    pub fn learn_account(&mut self, account: Account) {
        self.handles.insert(account.handle.clone(), account.id);
        self.accounts.insert(account.id, account);
    }

    /// Takes note of a conversation. One that is in memory stays: it may be ahead of the store.
    pub fn learn_conversation(&mut self, conversation: Conversation) {
        self.direct.insert(conversation.pair, conversation.id);
        self.conversations.entry(conversation.id).or_insert(conversation);
    }

    /// Takes note of where an older entry stands.
    pub fn learn_place(&mut self, place: Place) {
        self.older.insert(place.id, place);
    }

    /// Takes note of the newest entry.
    pub fn learn_newest(&mut self, place: Place) {
        if self.recent.len() == limits::RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(place);
    }

    /// Between two batches: forgets what was looked up for one, and everything where it is too
    /// much.
    pub fn tidy(&mut self) {
        self.older.clear();
        self.absent.clear();
        if self.accounts.len() > limits::DIRECTORY {
            self.accounts = HashMap::new();
            self.handles = HashMap::new();
        }
        if self.conversations.len() > limits::DIRECTORY {
            self.conversations = HashMap::new();
            self.direct = HashMap::new();
        }
    }
}
