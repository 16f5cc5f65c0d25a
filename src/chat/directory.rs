//! What the rules decide from: accounts, conversations, and where the newest entries stand.
//!
//! A cache that never guesses: a question it cannot answer is an `Err` with the [`Need`]. It is
//! bounded by forgetting everything, which is always safe between two batches.
//!
//! Maps by numbers of ours use a fast hash; maps by names, which strangers choose, one that cannot be
//! attacked by choosing them.

use std::collections::{HashMap, HashSet, VecDeque};

use rustc_hash::FxHashMap;

use crate::entry::{AccountId, ConversationId, EntryId, Place};
use crate::limits;
use crate::name::Handle;
use crate::store::{Account, Conversation, Kind, Once, Pair, Token};

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
    /// The group of this name.
    Room(Handle),
    /// Whether the first has blocked the second.
    Blocked(AccountId, AccountId),
    /// What an account did under a key.
    Once(AccountId, Box<str>),
    /// How many entries of this member up to this one do not wait.
    Skipped(ConversationId, AccountId, i64),
    /// The tokens of an account.
    Tokens(AccountId),
    /// The system users who need no secret for an account.
    Links(AccountId),
    /// The groups that an account is in.
    Groups(AccountId),
    /// The hash of an account's password.
    Secret(AccountId),
    /// All of these.
    All(Vec<Need>),
}

/// See the module's text.
#[derive(Default)]
pub struct Directory {
    accounts: FxHashMap<AccountId, Account>,
    handles: HashMap<Handle, AccountId>,
    conversations: FxHashMap<ConversationId, Conversation>,
    direct: FxHashMap<Pair, ConversationId>,
    rooms: HashMap<Handle, ConversationId>,
    /// How many members all conversations have.
    members: usize,
    blocked: FxHashMap<(AccountId, AccountId), bool>,
    /// The newest entries, by their ids, which may have gaps.
    recent: VecDeque<Place>,
    /// Older ones that this batch asked about.
    older: HashMap<EntryId, Place>,
    /// What this batch did under keys, or asked about.
    once: HashMap<(AccountId, Box<str>), Once>,
    /// What this batch asked about.
    skipped: HashMap<(ConversationId, AccountId, i64), i64>,
    /// The tokens of accounts that this batch makes or drops.
    tokens: HashMap<AccountId, Vec<Token>>,
    /// The system users linked to accounts that this batch links or unlinks.
    links: HashMap<AccountId, Vec<u32>>,
    /// The hashes of passwords that this batch changes.
    secrets: HashMap<AccountId, String>,
    /// The groups of accounts that this batch ends.
    groups: HashMap<AccountId, Vec<Handle>>,
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

    /// The account of a handle, if there is one that was not ended.
    pub fn living(&self, handle: &Handle) -> Result<Option<AccountId>, Need> {
        let Some(id) = self.handle(handle)? else { return Ok(None) };
        let account = self.accounts.get(&id).ok_or(Need::Account(id))?;
        Ok(Some(id).filter(|_| !account.gone))
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

    /// The conversation of a group, if there is one of this name.
    pub fn room(&self, name: &Handle) -> Result<Option<ConversationId>, Need> {
        match self.rooms.get(name) {
            Some(id) => Ok(Some(*id)),
            None => self.lacks(Need::Room(name.clone())),
        }
    }

    /// Whether the first has blocked the second.
    pub fn blocked(&self, by: AccountId, whom: AccountId) -> Result<bool, Need> {
        self.blocked.get(&(by, whom)).copied().ok_or(Need::Blocked(by, whom))
    }

    /// What an account did under a key.
    pub fn once(&self, account: AccountId, key: &str) -> Result<Option<&Once>, Need> {
        let key = (account, key.into());
        match self.once.get(&key) {
            Some(once) => Ok(Some(once)),
            None => self.lacks(Need::Once(key.0, key.1)),
        }
    }

    /// How many entries of a member up to this one do not wait, where that was written down.
    pub fn skipped(
        &self,
        id: ConversationId,
        account: AccountId,
        seq: i64,
    ) -> Result<Option<i64>, Need> {
        match self.skipped.get(&(id, account, seq)) {
            Some(count) => Ok(Some(*count)),
            None => self.lacks(Need::Skipped(id, account, seq)),
        }
    }

    /// The tokens of an account.
    pub fn tokens(&mut self, account: AccountId) -> Result<&mut Vec<Token>, Need> {
        self.tokens.get_mut(&account).ok_or(Need::Tokens(account))
    }

    /// The system users who need no secret for an account.
    pub fn links(&mut self, account: AccountId) -> Result<&mut Vec<u32>, Need> {
        self.links.get_mut(&account).ok_or(Need::Links(account))
    }

    /// The hash of an account's password; nothing where it has none.
    pub fn secret(&self, account: AccountId) -> Result<&str, Need> {
        self.secrets.get(&account).map(String::as_str).ok_or(Need::Secret(account))
    }

    /// The groups that an account was in when the batch began.
    pub fn groups(&self, account: AccountId) -> Result<&[Handle], Need> {
        self.groups.get(&account).map(Vec::as_slice).ok_or(Need::Groups(account))
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
        let recent = self.recent.binary_search_by_key(&id, |place| place.id).ok();
        let recent = recent.and_then(|at| self.recent.get(at));
        if let Some(place) = recent.or(self.older.get(&id)) {
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
        match &conversation.kind {
            Kind::Direct(pair) => {
                self.direct.insert(*pair, conversation.id);
            }
            Kind::Room(name) => {
                self.rooms.insert(name.clone(), conversation.id);
            }
        }
        self.members += conversation.members.len();
        self.conversations.entry(conversation.id).or_insert(conversation);
    }

    /// Takes note of whether the first has blocked the second.
    pub fn learn_blocked(&mut self, by: AccountId, whom: AccountId, on: bool) {
        self.blocked.insert((by, whom), on);
    }

    /// Takes note of what an account did under a key.
    pub fn learn_once(&mut self, account: AccountId, key: Box<str>, once: Once) {
        self.once.insert((account, key), once);
    }

    /// Takes note of how many entries of a member up to one do not wait.
    pub fn learn_skipped(&mut self, at: (ConversationId, AccountId, i64), count: i64) {
        self.skipped.insert(at, count);
    }

    /// Takes note of the tokens of an account.
    pub fn learn_tokens(&mut self, account: AccountId, tokens: Vec<Token>) {
        self.tokens.insert(account, tokens);
    }

    /// Takes note of the system users who need no secret for an account.
    pub fn learn_links(&mut self, account: AccountId, users: Vec<u32>) {
        self.links.insert(account, users);
    }

    /// Takes note of the hash of an account's password.
    pub fn learn_secret(&mut self, account: AccountId, secret: String) {
        self.secrets.insert(account, secret);
    }

    /// Takes note of the groups that an account is in.
    pub fn learn_groups(&mut self, account: AccountId, groups: Vec<Handle>) {
        self.groups.insert(account, groups);
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
    /// much. The maps keep their size: where that much is in use, it soon is again.
    pub fn tidy(&mut self) {
        self.older.clear();
        self.absent.clear();
        self.once.clear();
        self.skipped.clear();
        self.tokens.clear();
        self.links.clear();
        self.groups.clear();
        self.secrets.clear();
        if self.blocked.len() > limits::DIRECTORY {
            self.blocked.clear();
        }
        if self.accounts.len() > limits::DIRECTORY {
            self.accounts.clear();
            self.handles.clear();
        }
        if self.conversations.len() > limits::DIRECTORY || self.members > limits::DIRECTORY_MEMBERS
        {
            self.conversations.clear();
            self.direct.clear();
            self.rooms.clear();
            self.members = 0;
        }
    }
}
