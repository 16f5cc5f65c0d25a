//! The rows of the lists that operators ask for: all accounts, all groups, all files, all
//! invitations.

use crate::entry::{EntryId, Millis};
use crate::name::{DisplayName, Handle, Target};

/// An account as operators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountRow {
    pub handle: Handle,
    /// Its display name.
    pub name: DisplayName,
    pub created: Millis,
    /// When a session of it last ended, as in [`Account::seen`](super::Account::seen).
    pub seen: Option<Millis>,
    pub standing: AccountState,
}

/// Whether an account may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountState {
    Enabled,
    /// An operator has shut it.
    Disabled,
    Deleted,
}

/// An invitation to create accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "postgres", derive(serde::Serialize, serde::Deserialize))]
pub struct AccountInvitation {
    /// SHA-256 of what whoever is invited has to say.
    pub hash: [u8; 32],
    pub created: Millis,
    /// How many accounts it can still create, at least one.
    pub uses: u32,
    /// When it ends.
    pub until: Millis,
}

/// The file of a message as operators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRow {
    /// The message.
    pub id: EntryId,
    pub time: Millis,
    pub from: Handle,
    pub to: Target,
    pub bytes: u64,
    /// Its name, as it was last edited.
    pub name: Box<str>,
}
