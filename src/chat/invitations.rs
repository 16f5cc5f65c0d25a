//! Invitations to create accounts, as far as the batch in hand is about them.

use super::directory::{Directory, found};
use crate::store::{AccountInvitation, Need};

impl Directory {
    /// The invitation with a hash, if there is one.
    pub fn account_invitation(&self, hash: &[u8; 32]) -> Result<Option<&AccountInvitation>, Need> {
        match self.account_invitations.get(hash) {
            Some(known) => Ok(Some(known)),
            None if self.has_voided_invitations => Ok(None),
            None => self.lacks(Need::AccountInvitation(*hash)),
        }
    }

    /// The same, which a plan has looked up, to be changed: see `found`.
    pub fn account_invitation_mut(&mut self, hash: &[u8; 32]) -> Option<&mut AccountInvitation> {
        found(self.account_invitations.get_mut(hash))
    }

    /// Caches an invitation.
    pub fn learn_account_invitation(&mut self, invitation: AccountInvitation) {
        self.account_invitations.insert(invitation.hash, invitation);
    }

    /// Forgets all invitations, those of the store included.
    pub fn void_account_invitations(&mut self) {
        self.account_invitations.clear();
        self.has_voided_invitations = true;
    }
}
