//! Groups by their names, and who may join them.

use super::{Directory, found};
use crate::entry::{AccountId, ConversationId};
use crate::name::Handle;
use crate::store::{Invitation, Member, Need};

/// Who wants to join which group, and the hash of the invitation.
pub(super) type Entrance = (AccountId, Handle, Option<[u8; 32]>);

impl Directory {
    /// Whether there is a group of this name.
    pub fn is_group(&self, name: &Handle) -> Result<bool, Need> {
        if self.groups.contains_key(name) || self.taken.contains(name) {
            return Ok(true);
        }
        Ok(self.lacks::<()>(Need::Group(name.clone()))?.is_some())
    }

    /// The conversation of a group, if `me` is in it. For all others there is no such group, and
    /// finding that out costs one lookup, the same whether the group exists, is in memory, or is
    /// large.
    pub fn group_of(&self, me: AccountId, name: &Handle) -> Result<Option<ConversationId>, Need> {
        let known = self.groups.get(name).copied();
        let log = known.and_then(|id| self.conversations.get(&id));
        if log.is_some_and(|log| log.member(me).is_some_and(Member::is_in)) {
            return Ok(known);
        }
        match self.memberships.get(&(me, name.clone())) {
            None => Err(Need::Membership(me, name.clone())),
            // The conversation in memory may be ahead of the store.
            Some(_) if log.is_some() => Ok(None),
            Some(None) => Ok(None),
            Some(Some(id)) => Err(Need::Conversation(*id)),
        }
    }

    /// The conversation of a group that `me` wants to join, perhaps with an invitation of this hash,
    /// and whether the store would let it in. For a group that is not in memory, `None` if it would
    /// not. As above, that costs one lookup, whether the group exists or not.
    pub fn entrance(
        &self,
        me: AccountId,
        name: &Handle,
        hash: Option<[u8; 32]>,
    ) -> Result<Option<(ConversationId, bool)>, Need> {
        let known = self.groups.get(name).copied();
        let known = known.filter(|id| self.conversations.get(id).is_some());
        match (self.entrances.get(&(me, name.clone(), hash)), known) {
            (None, _) => Err(Need::Entrance(me, name.clone(), hash)),
            // The conversation in memory may be ahead of the store.
            (Some(found), Some(id)) => Ok(Some((id, found.is_some()))),
            (Some(None), None) => Ok(None),
            (Some(Some(id)), None) => Err(Need::Conversation(*id)),
        }
    }

    /// The invitations to a group.
    pub fn invitations(&self, id: ConversationId) -> Result<&[Invitation], Need> {
        self.invitations.get(&id).map(Vec::as_slice).ok_or(Need::Invitations(id))
    }

    /// The same, which a plan has looked up, to be changed: see `found`.
    pub fn invitations_mut(&mut self, id: ConversationId) -> Option<&mut Vec<Invitation>> {
        found(self.invitations.get_mut(&id))
    }
}
