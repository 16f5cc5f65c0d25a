//! What the rules ask of the store before they decide, and its answers: single rows, as many at a
//! time as a batch needs.

use super::{
    Account, AccountInvitation, Conversation, Device, Invitation, MessageState, Once, Pair, Token,
};
use crate::entry::{AccountId, ConversationId, DeviceNumber, EntryId, EntryPos, Millis};
use crate::name::Handle;

/// Something that has to be looked up.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Need {
    /// The account of this handle.
    Handle(Handle),
    /// The account of this number, which exists.
    Account(AccountId),
    /// The direct chat of these two.
    Direct(Pair),
    /// The conversation of this number, which exists.
    Conversation(ConversationId),
    /// Where this entry stands, unless it was deleted by age.
    EntryPos(EntryId),
    /// This entry with all that holds about it, unless it has expired.
    Message(EntryId),
    /// The reaction of an account to a message.
    Reaction(EntryId, AccountId),
    /// The text of a message that an account may see.
    TextFor(AccountId, EntryId),
    /// Whether there is a group of this name.
    Group(Handle),
    /// Whether this account is in the group of this name. The cost does not depend on whether there
    /// is such a group or how large it is.
    Membership(AccountId, Handle),
    /// The group of this name, if it is open, if this account is or was in it, or if it has an
    /// invitation of this hash. The cost is as that of `Membership`.
    Entrance(AccountId, Handle, Option<[u8; 32]>),
    /// The invitations to a group.
    Invitations(ConversationId),
    /// Whether this account is or was a member of a conversation.
    Member(AccountId, ConversationId),
    /// Whether the first account has blocked the second.
    Blocked(AccountId, AccountId),
    /// What an account sent under a `ONCE` key.
    Once(AccountId, Box<str>),
    /// The count of this member's newest exempt mark up to this `seq`: see
    /// [`Change::ExemptMark`](super::Change::ExemptMark).
    ExemptMark(ConversationId, AccountId, i64),
    /// The tokens of an account.
    Tokens(AccountId),
    /// The system users who may log in to an account without a secret.
    Links(AccountId),
    /// The hash of an account's password.
    Secret(AccountId),
    /// The commands that an account has carried out later.
    Later(AccountId),
    /// The invitation with this hash.
    AccountInvitation([u8; 32]),
    /// The devices of an account.
    Devices(AccountId),
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
    /// An entry with all that holds about it.
    Message(Box<MessageState>),
    /// The reaction of the account to the message: its mark, that one's time, and the word; `None`
    /// if it has none, or has taken it back.
    Reaction(EntryId, AccountId, Option<(EntryId, Millis, Box<str>)>),
    /// The text of the message that the account may see.
    TextFor(AccountId, EntryId, Box<str>),
    /// There is a group of this name.
    Group(Handle),
    /// The conversation of the group of this name; `None` if the account is not in it.
    Membership(AccountId, Handle, Option<ConversationId>),
    /// The conversation of the group of this name; `None` if the account can not join it.
    Entrance(AccountId, Handle, Option<[u8; 32]>, Option<ConversationId>),
    /// The invitations to the group, expired ones included.
    Invitations(ConversationId, Vec<Invitation>),
    /// Whether the account is or was a member of the conversation.
    Member(AccountId, ConversationId, bool),
    /// Whether the first account has blocked the second.
    Blocked(AccountId, AccountId, bool),
    /// What the account sent under the `ONCE` key.
    Once(AccountId, Box<str>, Once),
    /// The count (last field) of the member's newest exempt mark up to this `seq`.
    ExemptMark(ConversationId, AccountId, i64, i64),
    /// The tokens of the account.
    Tokens(AccountId, Vec<Token>),
    /// The system users who may log in to the account without a secret.
    Links(AccountId, Vec<u32>),
    /// The hash of the account's password; empty if it has none.
    Secret(AccountId, String),
    /// The highest number given to a command that the account has carried out later, and those of
    /// the commands that wait.
    Later(AccountId, u64, Vec<u64>),
    /// The invitation with its hash.
    AccountInvitation(AccountInvitation),
    /// The highest number given to a device of the account, and its devices.
    Devices(AccountId, DeviceNumber, Vec<Device>),
    /// The store does not have it.
    Absent(Need),
}
