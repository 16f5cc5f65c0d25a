//! What the rules decide from: accounts, conversations, and where the newest entries stand.
//!
//! A cache that never guesses: a lookup that it cannot answer returns the [`Need`] as an `Err`. It
//! is bounded in items and in bytes. Unused items are evicted between two batches, the only time
//! when no plan relies on them.
//!
//! A request about a conversation by somebody who is not in it costs one row, not the conversation:
//! see [`Directory::group_of`] and [`Directory::conversation_of`].
//!
//! Maps with our own numbers as keys use a fast hash. Maps with names as keys, which clients
//! choose, use one that withstands keys chosen to collide.

mod authors;
mod groups;
mod recent;

use std::collections::{HashMap, HashSet};

use rustc_hash::{FxHashMap, FxHashSet};

use super::account_lists::{Devices, LaterNumbers};
use super::cache::Cache;
use crate::entry::{AccountId, ConversationId, EntryId, EntryPos, Millis};
use crate::limits;
use crate::name::Handle;
use crate::store::{
    Account, AccountInvitation, Conversation, ConversationKind, Fact, Invitation, Member,
    MessageState, Need, Once, Pair, Token,
};

/// A reaction that holds: its mark, the time of that, and its word; `None`: there is none.
pub type Reaction = Option<(EntryId, Millis, Box<str>)>;

/// See the module documentation.
#[derive(Default)]
pub struct Directory {
    accounts: Cache<AccountId, Account>,
    handles: HashMap<Handle, AccountId>,
    conversations: Cache<ConversationId, Conversation>,
    /// Of large ones, those who have written: made when first asked for.
    authors: FxHashMap<ConversationId, authors::Authors>,
    direct: FxHashMap<Pair, ConversationId>,
    groups: HashMap<Handle, ConversationId>,
    /// Bytes of all conversations: see [`Conversation::bytes`].
    bytes: usize,
    /// Bytes of the conversations that this batch has looked up.
    looked_up: usize,
    blocked: Cache<(AccountId, AccountId), bool>,
    /// The newest entries.
    recent: recent::Recent,
    /// Older entries that this batch asked about.
    older: FxHashMap<EntryId, EntryPos>,
    /// Messages that acts of this batch are about, as it has left them.
    messages: FxHashMap<EntryId, MessageState>,
    /// The reactions to those, likewise.
    reactions: FxHashMap<(EntryId, AccountId), Reaction>,
    /// Texts of messages for accounts that may not see the last edit.
    texts: FxHashMap<(AccountId, EntryId), Box<str>>,
    /// What was sent under `ONCE` keys that this batch used or asked about.
    once: HashMap<(AccountId, Box<str>), Once>,
    /// Exempt marks that this batch asked about.
    exempt_marks: HashMap<(ConversationId, AccountId, i64), i64>,
    /// Tokens of the accounts whose tokens this batch changes.
    tokens: HashMap<AccountId, Vec<Token>>,
    /// Linked system users of the accounts whose links this batch changes.
    links: HashMap<AccountId, Vec<u32>>,
    /// The commands for later of the accounts where this batch changes them.
    later: HashMap<AccountId, LaterNumbers>,
    /// Invitations that this batch uses, and those that it makes.
    pub(super) account_invitations: HashMap<[u8; 32], AccountInvitation>,
    /// This batch has voided all that the store has.
    pub(super) has_voided_invitations: bool,
    /// The devices of the accounts that log in as one in this batch, or delete one.
    devices: HashMap<AccountId, Devices>,
    /// Hashes of the passwords that this batch changes.
    secrets: HashMap<AccountId, String>,
    /// Names that this batch asked about and groups have.
    taken: HashSet<Handle>,
    /// Groups that this batch asked about on behalf of an account; `None` if it is not in that
    /// group.
    memberships: HashMap<(AccountId, Handle), Option<ConversationId>>,
    /// Groups that an account asked to join in this batch; `None` if it cannot.
    entrances: HashMap<groups::Entrance, Option<ConversationId>>,
    /// The invitations to the groups where this batch makes or uses some.
    invitations: HashMap<ConversationId, Vec<Invitation>>,
    /// Conversations that this batch asked about on behalf of an account, and whether it is or was
    /// a member.
    members: FxHashMap<(AccountId, ConversationId), bool>,
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

    /// The account of a handle, if there is one and it was not deleted.
    pub fn living(&self, handle: &Handle) -> Result<Option<AccountId>, Need> {
        let Some(id) = self.handle(handle)? else { return Ok(None) };
        let account = self.accounts.get(&id).ok_or(Need::Account(id))?;
        Ok(Some(id).filter(|_| !account.gone))
    }

    /// An account by its number, which must exist.
    pub fn account(&self, id: AccountId) -> Result<&Account, Need> {
        self.accounts.get(&id).ok_or(Need::Account(id))
    }

    /// An account that a plan has looked up, to be changed: see `found`.
    pub fn account_mut(&mut self, id: AccountId) -> Option<&mut Account> {
        found(self.accounts.get_mut(&id))
    }

    /// The conversation of two accounts, if they have one.
    pub fn direct(&self, pair: Pair) -> Result<Option<ConversationId>, Need> {
        match self.direct.get(&pair) {
            Some(id) => Ok(Some(self.conversation(*id)?.id)),
            None => self.lacks(Need::Direct(pair)),
        }
    }

    /// A conversation that exists, if `me` is or was a member. For all others it is not looked up.
    pub fn conversation_of(
        &self,
        me: AccountId,
        id: ConversationId,
    ) -> Result<Option<(&Conversation, &Member)>, Need> {
        if let Some(log) = self.conversations.get(&id) {
            return Ok(log.member(me).map(|member| (log, member)));
        }
        match self.members.get(&(me, id)) {
            None => Err(Need::Member(me, id)),
            Some(false) => Ok(None),
            Some(true) => Err(Need::Conversation(id)),
        }
    }

    /// Whether `by` has blocked `whom`.
    pub fn blocked(&self, by: AccountId, whom: AccountId) -> Result<bool, Need> {
        self.blocked.get(&(by, whom)).copied().ok_or(Need::Blocked(by, whom))
    }

    /// What an account sent under a `ONCE` key.
    pub fn once(&self, account: AccountId, key: &str) -> Result<Option<&Once>, Need> {
        let key = (account, key.into());
        match self.once.get(&key) {
            Some(once) => Ok(Some(once)),
            None => self.lacks(Need::Once(key.0, key.1)),
        }
    }

    /// The count of the newest exempt mark of a member up to `seq`, if there is one: see
    /// [`Change::ExemptMark`](crate::store::Change::ExemptMark).
    pub fn exempt_mark(
        &self,
        id: ConversationId,
        account: AccountId,
        seq: i64,
    ) -> Result<Option<i64>, Need> {
        match self.exempt_marks.get(&(id, account, seq)) {
            Some(count) => Ok(Some(*count)),
            None => self.lacks(Need::ExemptMark(id, account, seq)),
        }
    }

    /// The tokens of an account.
    pub fn tokens(&self, account: AccountId) -> Result<&[Token], Need> {
        self.tokens.get(&account).map(Vec::as_slice).ok_or(Need::Tokens(account))
    }

    /// The tokens of an account, which a plan has looked up, to be changed: see `found`.
    pub fn tokens_mut(&mut self, account: AccountId) -> Option<&mut Vec<Token>> {
        found(self.tokens.get_mut(&account))
    }

    /// The system users who need no secret for an account.
    pub fn links(&self, account: AccountId) -> Result<&[u32], Need> {
        self.links.get(&account).map(Vec::as_slice).ok_or(Need::Links(account))
    }

    /// The same, which a plan has looked up, to be changed: see `found`.
    pub fn links_mut(&mut self, account: AccountId) -> Option<&mut Vec<u32>> {
        found(self.links.get_mut(&account))
    }

    /// What an account has carried out later.
    pub fn later(&self, account: AccountId) -> Result<&LaterNumbers, Need> {
        self.later.get(&account).ok_or(Need::Later(account))
    }

    /// The same, which a plan has looked up, to be changed: see `found`.
    pub fn later_mut(&mut self, account: AccountId) -> Option<&mut LaterNumbers> {
        found(self.later.get_mut(&account))
    }

    /// The devices of an account.
    pub fn devices(&self, account: AccountId) -> Result<&Devices, Need> {
        self.devices.get(&account).ok_or(Need::Devices(account))
    }

    /// The same, which a plan has looked up, to be changed: see `found`.
    pub fn devices_mut(&mut self, account: AccountId) -> Option<&mut Devices> {
        found(self.devices.get_mut(&account))
    }

    /// The hash of an account's password; empty if it has none.
    pub fn secret(&self, account: AccountId) -> Result<&str, Need> {
        self.secrets.get(&account).map(String::as_str).ok_or(Need::Secret(account))
    }

    /// A conversation that exists.
    pub fn conversation(&self, id: ConversationId) -> Result<&Conversation, Need> {
        self.conversations.get(&id).ok_or(Need::Conversation(id))
    }

    /// A conversation that a plan has looked up, to be changed: see `found`.
    pub fn conversation_mut(&mut self, id: ConversationId) -> Option<&mut Conversation> {
        found(self.conversations.get_mut(&id))
    }

    /// A conversation, if it is in memory.
    pub fn cached(&self, id: ConversationId) -> Option<&Conversation> {
        self.conversations.get(&id)
    }

    /// Where an entry stands, if there is one of this id.
    pub fn entry_pos(&self, id: EntryId) -> Result<Option<EntryPos>, Need> {
        let message = || self.messages.get(&id).map(|message| &message.pos);
        if let Some(pos) = self.recent.place(id).or(self.older.get(&id)).or_else(message) {
            return Ok(Some(*pos));
        }
        self.lacks(Need::EntryPos(id))
    }

    /// Whether an entry is known to be a message that was not deleted: only of the newest ones.
    pub fn stands(&self, id: EntryId) -> bool {
        self.recent.stands(id)
    }

    /// Records that a message was deleted.
    pub fn delete(&mut self, id: EntryId) {
        self.recent.delete(id);
    }

    /// A message or another entry of this id with all that holds about it, if there is one.
    pub fn message(&self, id: EntryId) -> Result<Option<&MessageState>, Need> {
        match self.messages.get(&id) {
            Some(message) => Ok(Some(message)),
            None => self.lacks(Need::Message(id)),
        }
    }

    /// A message in memory, to be changed.
    pub fn message_mut(&mut self, id: EntryId) -> Option<&mut MessageState> {
        found(self.messages.get_mut(&id))
    }

    /// The reaction of an account to a message, if one holds.
    pub fn reaction(&self, id: EntryId, account: AccountId) -> Result<&Reaction, Need> {
        self.reactions.get(&(id, account)).ok_or(Need::Reaction(id, account))
    }

    /// The text of a message that an account may see, if there is one.
    pub fn text_for(&self, account: AccountId, id: EntryId) -> Result<Option<&str>, Need> {
        match self.texts.get(&(account, id)) {
            Some(text) => Ok(Some(text)),
            None => self.lacks(Need::TextFor(account, id)),
        }
    }

    pub(super) fn lacks<T>(&self, need: Need) -> Result<Option<T>, Need> {
        if self.absent.contains(&need) { Ok(None) } else { Err(need) }
    }

    /// Caches an answer of the store.
    pub fn learn(&mut self, fact: Fact) {
        match fact {
            Fact::Account(account) => self.learn_account(account),
            Fact::Conversation(conversation) => self.learn_conversation(conversation),
            Fact::EntryPos(pos) => drop(self.older.insert(pos.id, pos)),
            Fact::Message(message) => {
                self.looked_up += message.body.len();
                self.messages.entry(message.pos.id).or_insert(*message);
            }
            Fact::Reaction(id, account, reaction) => {
                self.reactions.entry((id, account)).or_insert(reaction);
            }
            Fact::TextFor(account, id, text) => drop(self.texts.insert((account, id), text)),
            Fact::Group(name) => drop(self.taken.insert(name)),
            Fact::Membership(me, name, id) => drop(self.memberships.insert((me, name), id)),
            Fact::Entrance(me, name, hash, id) => {
                self.entrances.insert((me, name, hash), id);
            }
            Fact::Invitations(id, list) => {
                self.invitations.entry(id).or_insert(list);
            }
            Fact::Member(me, id, on) => drop(self.members.insert((me, id), on)),
            Fact::Blocked(by, whom, on) => self.learn_blocked(by, whom, on),
            Fact::Once(account, key, once) => self.learn_once(account, key, once),
            Fact::ExemptMark(id, account, seq, count) => {
                self.exempt_marks.insert((id, account, seq), count);
            }
            Fact::Tokens(account, tokens) => self.learn_tokens(account, tokens),
            Fact::Links(account, users) => self.learn_links(account, users),
            Fact::Later(account, newest, waiting) => {
                self.later.entry(account).or_insert(LaterNumbers { newest, waiting });
            }
            Fact::Devices(account, newest, list) => {
                self.devices.entry(account).or_insert(Devices { newest, list });
            }
            Fact::Secret(account, secret) => self.learn_secret(account, secret),
            Fact::AccountInvitation(known) => self.learn_account_invitation(known),
            Fact::Absent(need) => drop(self.absent.insert(need)),
        }
    }

    /// Caches an account.
    pub fn learn_account(&mut self, account: Account) {
        self.handles.insert(account.handle.clone(), account.id);
        self.accounts.insert(account.id, account);
    }

    /// Caches a conversation. If it is in memory already, that copy stays: it may be ahead of the
    /// store.
    pub fn learn_conversation(&mut self, conversation: Conversation) {
        match &conversation.kind {
            ConversationKind::Direct(pair) => {
                self.direct.insert(*pair, conversation.id);
            }
            ConversationKind::Group(name) => {
                self.groups.insert(name.clone(), conversation.id);
            }
        }
        let id = conversation.id;
        if self.conversations.get(&id).is_none() {
            let size = conversation.bytes();
            self.bytes += size;
            self.looked_up += size;
            self.conversations.insert(id, conversation);
        }
    }

    /// Whether this batch has looked up as much as it may: see [`limits::LOOKED_UP`].
    pub fn has_enough(&self) -> bool {
        self.looked_up >= limits::LOOKED_UP
    }

    /// Approximate bytes of all conversations in memory.
    #[cfg(test)]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Counts the bytes that a conversation has grown by.
    pub fn grew(&mut self, bytes: usize) {
        self.bytes += bytes;
    }

    /// Caches whether `by` has blocked `whom`.
    pub fn learn_blocked(&mut self, by: AccountId, whom: AccountId, on: bool) {
        self.blocked.insert((by, whom), on);
    }

    /// Caches a message.
    pub fn learn_message(&mut self, message: MessageState) {
        self.messages.insert(message.pos.id, message);
    }

    /// Caches the reaction of an account to a message.
    pub fn learn_reaction(&mut self, id: EntryId, account: AccountId, reaction: Reaction) {
        self.reactions.insert((id, account), reaction);
    }

    /// Caches what an account sent under a `ONCE` key.
    pub fn learn_once(&mut self, account: AccountId, key: Box<str>, once: Once) {
        self.once.insert((account, key), once);
    }

    /// Caches the tokens of an account.
    pub fn learn_tokens(&mut self, account: AccountId, tokens: Vec<Token>) {
        self.tokens.insert(account, tokens);
    }

    /// Caches the system users who need no secret for an account.
    pub fn learn_links(&mut self, account: AccountId, users: Vec<u32>) {
        self.links.insert(account, users);
    }

    /// Caches the hash of an account's password.
    pub fn learn_secret(&mut self, account: AccountId, secret: String) {
        self.secrets.insert(account, secret);
    }

    /// Caches the newest entry, and whether it is a message.
    pub fn learn_newest(&mut self, pos: EntryPos, is_message: bool) {
        self.recent.add(pos, is_message);
    }

    /// Records that these messages have expired, and the marks about them.
    pub fn expire(&mut self, messages: &FxHashSet<EntryId>) {
        self.recent.expire(messages);
    }

    /// To be called between two batches. Drops what only one batch needed, and evicts unused items
    /// above the bounds, in a bounded number of steps.
    pub fn tidy(&mut self) {
        self.older.clear();
        self.messages.clear();
        self.reactions.clear();
        self.texts.clear();
        self.absent.clear();
        self.once.clear();
        self.exempt_marks.clear();
        self.tokens.clear();
        self.links.clear();
        self.later.clear();
        self.devices.clear();
        self.taken.clear();
        self.memberships.clear();
        self.entrances.clear();
        self.invitations.clear();
        self.members.clear();
        self.secrets.clear();
        self.account_invitations.clear();
        self.has_voided_invitations = false;
        self.looked_up = 0;
        self.evict();
        self.blocked.next_batch();
        self.accounts.next_batch();
        self.conversations.next_batch();
    }

    fn evict(&mut self) {
        for _ in 0..limits::EVICT {
            let mut full = false;
            if self.blocked.len() > limits::DIRECTORY {
                full = true;
                self.blocked.step();
            }
            if self.accounts.len() > limits::DIRECTORY {
                full = true;
                if let Some(account) = self.accounts.step() {
                    self.handles.remove(&account.handle);
                }
            }
            if self.conversations.len() > limits::DIRECTORY || self.bytes > limits::DIRECTORY_BYTES
            {
                full = true;
                self.evict_conversation();
            }
            if !full {
                return;
            }
        }
    }

    fn evict_conversation(&mut self) {
        let Some(log) = self.conversations.step() else { return };
        self.bytes -= log.bytes().min(self.bytes);
        self.authors.remove(&log.id);
        match &log.kind {
            ConversationKind::Direct(pair) => drop(self.direct.remove(pair)),
            ConversationKind::Group(name) => drop(self.groups.remove(name)),
        }
    }
}

/// Passes on what applying a plan looks for. It is always there: the plan has looked it up, and
/// nothing is evicted within a batch. If that is ever violated, tests panic, and a release build
/// skips one change instead of panicking.
pub(super) fn found<T>(known: Option<T>) -> Option<T> {
    debug_assert!(known.is_some(), "a plan was applied that had not looked up what it changes");
    known
}
