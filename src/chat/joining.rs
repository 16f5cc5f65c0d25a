//! Joining a group by oneself: an open one, or with an invitation.
//!
//! An invitation is a random token, of which only the hash is kept. Whoever has it may join, as often
//! as it has uses. To everyone else a group that is not open looks as if it did not exist.

use sha2::{Digest, Sha256};

use super::groups::{GroupEffect, GroupPlan};
use super::stop::{Stop, both};
use super::{Chat, Plan, Who};
use crate::entry::{AccountId, ConversationId, Millis};
use crate::group_rules::Permitted;
use crate::limits;
use crate::name::Handle;
use crate::store::{Change, Invitation, Member};
use crate::wire::refusal::Refusal;
use crate::wire::reply::Reply;
use crate::wire::request::{GroupChange, Secret};

/// Changes of the invitations to a group.
pub(super) struct InvitationPlan {
    id: ConversationId,
    name: Handle,
    /// The new one, and its token.
    new: Option<(Invitation, Box<str>)>,
    /// These are void from now on.
    void: Vec<Invitation>,
}

impl Chat {
    /// Plans that `me` joins a group; `None` if it is in it. What is refused tells nobody whether
    /// there is such a group, unless it could be joined.
    pub(super) fn plan_join(
        &self,
        me: AccountId,
        name: &Handle,
        token: Option<&Secret>,
        now: Millis,
    ) -> Result<Option<GroupPlan>, Stop> {
        let refusal = || Stop::from(Refusal::NotOpen(name.clone()));
        let hash = token.map(|token| <[u8; 32]>::from(Sha256::digest(&*token.0)));
        let entrance = self.directory.entrance(me, name, hash)?;
        let (id, is_let_in) = entrance.ok_or_else(refusal)?;
        let (account, log) = both(self.directory.account(me), self.directory.conversation(id))?;
        let member = log.member(me);
        if member.is_some_and(Member::is_in) {
            return Ok(None);
        }
        let mut invitation = None;
        if !log.rules.open {
            let invitations = match self.directory.invitations(id) {
                Ok(invitations) => invitations,
                Err(need) if is_let_in => return Err(need.into()),
                // The store has none of this hash, and neither has the batch.
                Err(_) => &[],
            };
            let of_hash = |one: &&Invitation| Some(one.hash) == hash && one.is_good(now);
            let good = invitations.iter().find(of_hash).ok_or_else(refusal)?;
            invitation = Some(Invitation { uses: good.uses - 1, ..*good });
        }
        if member.is_some_and(Member::is_removed) {
            return Err(Refusal::Removed(name.clone()).into());
        }
        if log.present().count() >= limits::GROUP_MEMBERS {
            return Err(Refusal::TooManyOf("members for one group").into());
        }
        Ok(Some(GroupPlan {
            name: name.clone(),
            from: account.handle.clone(),
            id: Some(id),
            word: GroupChange::JOIN,
            said: "join".into(),
            effect: GroupEffect::Join(invitation),
        }))
    }

    /// Plans an invitation, whose token the session has made.
    pub(super) fn plan_invite(
        &self,
        who: Who,
        name: &Handle,
        (token, hash): (&str, [u8; 32]),
        (uses, seconds): (u32, u64),
        now: Millis,
    ) -> Result<Plan, Stop> {
        let (id, known) = self.invitable(who.account, name)?;
        let (good, void): (Vec<Invitation>, _) = known.iter().partition(|one| one.is_good(now));
        if good.len() >= limits::INVITATIONS {
            let what = "invitations; GROUP INVITE <name> - makes all of them void";
            return Err(Refusal::TooManyOf(what).into());
        }
        let milliseconds = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000);
        let expires = Millis(now.0.saturating_add(milliseconds));
        let new = Some((Invitation { hash, uses, expires }, token.into()));
        Ok(Plan::Invitation(InvitationPlan { id, name: name.clone(), new, void }))
    }

    /// Plans that all invitations to a group are void.
    pub(super) fn plan_void(&self, me: AccountId, name: &Handle) -> Result<Plan, Stop> {
        let (id, known) = self.invitable(me, name)?;
        let void = known.to_vec();
        Ok(Plan::Invitation(InvitationPlan { id, name: name.clone(), new: None, void }))
    }

    /// A group to which `me` may invite, and the invitations to it.
    fn invitable(
        &self,
        me: AccountId,
        name: &Handle,
    ) -> Result<(ConversationId, &[Invitation]), Stop> {
        let id = self.directory.group_of(me, name)?;
        let id = id.ok_or_else(|| Refusal::NoSuchGroup(name.clone()))?;
        let log = self.directory.conversation(id)?;
        if log.rules.add != Permitted::All && !log.member(me).is_some_and(|member| member.admin) {
            return Err(Refusal::NotAdmin(name.clone()).into());
        }
        Ok((id, self.directory.invitations(id)?))
    }

    pub(super) fn change_invitations(&mut self, who: Who, plan: InvitationPlan) {
        let InvitationPlan { id, name, new, void } = plan;
        self.extra += void.len();
        for invitation in void {
            self.use_invitation(id, Invitation { uses: 0, ..invitation });
        }
        let (invitation, token) = new.unzip();
        if let Some(invitation) = invitation {
            if let Some(known) = self.directory.invitations_mut(id) {
                known.push(invitation);
            }
            self.batch.changes.push(Change::Invitation { id, invitation });
        }
        self.answer(who, "GROUP", Ok(Reply::Invited { name, token }));
    }

    /// Leaves an invitation with these uses; without any it is void.
    pub(super) fn use_invitation(&mut self, id: ConversationId, invitation: Invitation) {
        if let Some(known) = self.directory.invitations_mut(id) {
            known.retain(|one| one.hash != invitation.hash);
            if invitation.uses > 0 {
                known.push(invitation);
            }
        }
        self.batch.changes.push(Change::Invitation { id, invitation });
    }
}
