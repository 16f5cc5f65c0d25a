//! What the rules ask of the store before they decide, and what it answers: single rows, as many at
//! a time as a batch needs.

use super::{Account, Conversation, Once, Pair, Token};
use crate::entry::{AccountId, ConversationId, EntryId, EntryPos};
use crate::name::Handle;

/// Something that has to be looked up.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Need {
    /// The account of this handle.
    Handle(Handle),
    /// The account of this number, which exists.
    Account(AccountId),
    /// The conversation of these two.
    Direct(Pair),
    /// The conversation of this number, which exists.
    Conversation(ConversationId),
    /// Where this entry stands, unless it is forgotten.
    EntryPos(EntryId),
    /// Whether there is a group of this name.
    Group(Handle),
    /// Whether this account is in the group of this name. That costs the same however large the group
    /// is, and the same where there is none.
    Membership(AccountId, Handle),
    /// Whether this account is or was a member of a conversation.
    Member(AccountId, ConversationId),
    /// Whether the first has blocked the second.
    Blocked(AccountId, AccountId),
    /// What an account did under a `ONCE` key.
    Once(AccountId, Box<str>),
    /// How many of this member's entries up to this `seq` do not wait for it, where that was written
    /// down.
    ExemptMark(ConversationId, AccountId, i64),
    /// The tokens of an account.
    Tokens(AccountId),
    /// The system users who need no secret for an account.
    Links(AccountId),
    /// The hash of an account's password.
    Secret(AccountId),
}

/// The answer to a [`Need`].
#[derive(Clone, Debug)]
pub enum Fact {
    /// An account.
    Account(Account),
    /// A conversation with its members.
    Conversation(Conversation),
    /// Where an entry stands.
    EntryPos(EntryPos),
    /// There is a group of this name.
    Group(Handle),
    /// The conversation of the group of this name, where the account is in it.
    Membership(AccountId, Handle, Option<ConversationId>),
    /// Whether the account is or was a member of the conversation.
    Member(AccountId, ConversationId, bool),
    /// Whether the first has blocked the second.
    Blocked(AccountId, AccountId, bool),
    /// What the account did under the key.
    Once(AccountId, Box<str>, Once),
    /// How many of the member's entries up to the `seq` do not wait for it.
    ExemptMark(ConversationId, AccountId, i64, i64),
    /// The tokens of the account.
    Tokens(AccountId, Vec<Token>),
    /// The system users who need no secret for the account.
    Links(AccountId, Vec<u32>),
    /// The hash of the account's password; empty if it has none.
    Secret(AccountId, String),
    /// The store does not have it.
    Absent(Need),
}
