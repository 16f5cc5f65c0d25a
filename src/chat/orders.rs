//! Operators' orders: creating and deleting accounts, setting passwords, revoking what opens an
//! account, disconnecting sessions. Also changes that the server itself makes to an account that
//! may have no session.
//!
//! An order comes from no session of an account, so its result is returned to the caller and does
//! not go into an outbox.

use super::marks::Mark;
use super::stop::{Stop, both};
use super::{Chat, Effect, Who};
use crate::entry::{AccountId, EntryId, Millis, TokenId};
use crate::name::{DisplayName, Handle};
use crate::store::{AccountInvitation, Change};
use crate::wire::refusal::Refusal;

/// An order by an operator, or by the server itself.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "postgres", derive(serde::Serialize, serde::Deserialize))]
pub enum Order {
    /// Creates an account. `secret` is the hash of its password.
    NewUser { handle: Handle, name: DisplayName, secret: String },
    /// Sets the hash of an account's password, and does what `Revoke` does.
    SetSecret { handle: Handle, secret: String },
    /// Stores a new hash of the same password, made at another cost, if the hash is still `was`. No
    /// session is disconnected.
    Rehash { account: AccountId, was: String, secret: String },
    /// Revokes the tokens and linked users of an account, and disconnects its sessions.
    Revoke(Handle),
    /// Deletes an account: nobody can log in to it any more, and it leaves its groups, in separate
    /// steps ([`Chat::leave_group`], [`Chat::left_groups`]). Its messages stay, and its handle is
    /// never given to another account.
    DropUser(Handle),
    /// Lets everybody into an account again, or with `on` unset nobody, and then disconnects its
    /// sessions. Its password, tokens and linked users stay.
    Enable { handle: Handle, on: bool },
    /// Sets the display name of an account.
    Rename { handle: Handle, name: DisplayName },
    /// Makes an invitation to create accounts.
    Invite(AccountInvitation),
    /// Voids all invitations.
    VoidInvitations,
    /// Disconnects the sessions of an account.
    Kick(Handle),
    /// Has the hub record nothing, or all again. The rules have no part in it.
    ReadOnly(bool),
    /// Has the hub tell everybody who is connected. The rules have no part in it.
    Say(Box<str>),
    /// Deletes a message.
    DropMessage(EntryId),
}

/// An order that can be carried out.
enum OrderPlan {
    NewUser {
        handle: Handle,
        name: DisplayName,
        secret: String,
    },
    Secret {
        account: AccountId,
        secret: String,
    },
    SecretAndRevoke {
        secret: String,
        revoked: Revoked,
    },
    Revoke(Revoked),
    Delete(AccountId),
    /// Continues a deletion that was interrupted.
    GoOn(AccountId),
    /// Whether it changes, and whether to `on`.
    Enable {
        account: AccountId,
        on: bool,
        changes: bool,
    },
    Rename {
        account: AccountId,
        handle: Handle,
        name: DisplayName,
    },
    Nothing,
    Invite(AccountInvitation),
    VoidInvitations,
    Kick(AccountId),
    /// Of this author; no mark if it was deleted already.
    DropMessage(AccountId, Option<Box<Mark>>),
}

/// No account has this number.
const NOBODY: AccountId = AccountId(0);

/// Everything that opens an account except its password.
struct Revoked {
    account: AccountId,
    tokens: Vec<TokenId>,
    users: Vec<u32>,
}

impl Chat {
    /// Carries out an order. Returns the account it is about; 0 if it is about none.
    ///
    /// # Errors
    /// Why it is refused, or what has to be looked up first.
    pub fn order(&mut self, order: &Order, now: Millis) -> Result<AccountId, Stop> {
        let plan = self.plan_order(order)?;
        Ok(self.carry_out_order(plan, now))
    }

    fn plan_order(&self, order: &Order) -> Result<OrderPlan, Stop> {
        Ok(match order {
            Order::NewUser { handle, name, secret } => {
                self.plan_register(handle)?;
                let (handle, name, secret) = (handle.clone(), name.clone(), secret.clone());
                OrderPlan::NewUser { handle, name, secret }
            }
            Order::Rehash { account, was, secret } => {
                if self.directory.secret(*account)? != was {
                    return Err(Refusal::WrongOld.into());
                }
                OrderPlan::Secret { account: *account, secret: secret.clone() }
            }
            Order::SetSecret { handle, secret } => {
                let revoked = self.plan_revoke(self.living(handle)?)?;
                OrderPlan::SecretAndRevoke { secret: secret.clone(), revoked }
            }
            Order::Revoke(handle) => OrderPlan::Revoke(self.plan_revoke(self.living(handle)?)?),
            Order::Enable { handle, on } => {
                let account = self.living(handle)?;
                let changes = self.directory.account(account)?.disabled == *on;
                OrderPlan::Enable { account, on: *on, changes }
            }
            Order::Rename { handle, name } => {
                let account = self.living(handle)?;
                OrderPlan::Rename { account, handle: handle.clone(), name: name.clone() }
            }
            Order::ReadOnly(_) | Order::Say(_) => OrderPlan::Nothing,
            Order::Invite(new) => OrderPlan::Invite(new.clone()),
            Order::VoidInvitations => OrderPlan::VoidInvitations,
            Order::Kick(handle) => OrderPlan::Kick(self.living(handle)?),
            Order::DropMessage(id) => {
                let (author, mark) = self.plan_drop(*id)?;
                OrderPlan::DropMessage(author, mark)
            }
            Order::DropUser(handle) => {
                let known = self.directory.handle(handle)?;
                let known = known.ok_or_else(|| Refusal::NoSuchUser(handle.clone()))?;
                let account = self.directory.account(known)?;
                match (account.gone, account.leaving) {
                    (false, _) => OrderPlan::Delete(known),
                    (true, true) => OrderPlan::GoOn(known),
                    (true, false) => return Err(Refusal::NoSuchUser(handle.clone()).into()),
                }
            }
        })
    }

    /// The account of a handle; refused if there is none or it was deleted.
    fn living(&self, handle: &Handle) -> Result<AccountId, Stop> {
        let living = self.directory.living(handle)?;
        living.ok_or_else(|| Refusal::NoSuchUser(handle.clone()).into())
    }

    fn plan_revoke(&self, account: AccountId) -> Result<Revoked, Stop> {
        let (tokens, users) = both(self.directory.tokens(account), self.directory.links(account))?;
        let tokens = tokens.iter().map(|token| token.id).collect();
        Ok(Revoked { account, tokens, users: users.to_vec() })
    }

    fn carry_out_order(&mut self, plan: OrderPlan, now: Millis) -> AccountId {
        match plan {
            OrderPlan::NewUser { handle, name, secret } => {
                self.make_account(handle, name, secret, now)
            }
            OrderPlan::Secret { account, secret } => {
                self.change_secret(account, secret);
                account
            }
            OrderPlan::SecretAndRevoke { secret, revoked } => {
                let account = self.revoke(revoked);
                self.change_secret(account, secret);
                account
            }
            OrderPlan::Revoke(revoked) => self.revoke(revoked),
            OrderPlan::Delete(account) => {
                if let Some(known) = self.directory.account_mut(account) {
                    (known.gone, known.leaving) = (true, true);
                }
                self.batch.changes.push(Change::Gone { account, leaving: true });
                self.disconnect_all(account, true);
                account
            }
            OrderPlan::GoOn(account) => account,
            OrderPlan::Enable { account, on, changes } => {
                if let Some(known) = self.directory.account_mut(account) {
                    known.disabled = !on;
                }
                if changes {
                    self.batch.changes.push(Change::Disabled { account, on: !on });
                }
                if !on {
                    self.disconnect_all(account, false);
                }
                account
            }
            OrderPlan::Rename { account, handle, name } => {
                self.rename(account, handle, name);
                account
            }
            OrderPlan::Nothing => NOBODY,
            OrderPlan::Invite(new) => {
                self.directory.learn_account_invitation(new.clone());
                self.batch.changes.push(Change::AccountInvitation(new));
                NOBODY
            }
            OrderPlan::VoidInvitations => {
                self.directory.void_account_invitations();
                self.batch.changes.push(Change::NoAccountInvitations);
                NOBODY
            }
            OrderPlan::Kick(account) => {
                self.disconnect_all(account, false);
                account
            }
            OrderPlan::DropMessage(account, mark) => {
                if let Some(mark) = mark {
                    self.mark(Who::without_session(account), *mark, Box::default(), now);
                }
                account
            }
        }
    }

    /// Revokes everything that opens an account except its password, and disconnects its sessions.
    fn revoke(&mut self, revoked: Revoked) -> AccountId {
        let Revoked { account, tokens, users } = revoked;
        self.directory.learn_tokens(account, Vec::new());
        self.directory.learn_links(account, Vec::new());
        self.batch.changes.extend(tokens.into_iter().map(|id| Change::NoToken { id }));
        let unlinked = users.into_iter().map(|user| Change::Link { account, user, on: false });
        self.batch.changes.extend(unlinked);
        self.disconnect_all(account, false);
        account
    }

    fn disconnect_all(&mut self, account: AccountId, gone: bool) {
        self.tell(Who::without_session(account), Effect::DisconnectAll { gone });
    }

    /// To be called once a deleted account has left all its groups.
    ///
    /// # Errors
    /// What has to be looked up first.
    pub fn left_groups(&mut self, account: AccountId) -> Result<(), Stop> {
        if self.directory.account(account)?.leaving {
            self.end_leaving(account);
        }
        Ok(())
    }

    fn end_leaving(&mut self, account: AccountId) {
        if let Some(known) = self.directory.account_mut(account) {
            known.leaving = false;
        }
        self.batch.changes.push(Change::Gone { account, leaving: false });
    }
}
