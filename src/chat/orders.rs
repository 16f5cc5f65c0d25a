//! What an operator orders: accounts made, given another password, ended; sessions ended. And what
//! the server itself does with an account that nobody is logged in to.
//!
//! An order comes from no session of an account, so it is answered to whoever gave it, not told.

use super::stop::{Stop, both};
use super::{Chat, Effect, Who};
use crate::entry::{AccountId, Key, Millis, SessionId, TokenId};
use crate::name::{DisplayName, Handle};
use crate::store::Change;
use crate::wire::refusal::Refusal;

/// An order.
#[derive(Debug)]
pub enum Order {
    /// Makes an account; its password is given as a hash.
    NewUser { handle: Handle, name: DisplayName, secret: String },
    /// Gives an account another password, and does what `Revoke` does.
    SetSecret { handle: Handle, secret: String },
    /// Keeps a password under a new hash, if its hash still is what it was: the cost of hashing has
    /// changed, and not the password.
    Rehash { account: AccountId, was: String, secret: String },
    /// Revokes the tokens and linked users of an account and ends its sessions.
    Revoke(Handle),
    /// Deletes an account: nothing opens it any more, and it leaves its groups, those in steps of
    /// their own ([`Chat::leave_group`], [`Chat::left_groups`]). What it said stays, and its handle is
    /// never given again.
    DropUser(Handle),
    /// Ends the sessions of an account.
    Kick(Handle),
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
    /// A deletion that was cut short.
    GoOn(AccountId),
    Kick(AccountId),
}

/// All that opens an account but its password.
struct Revoked {
    account: AccountId,
    tokens: Vec<TokenId>,
    users: Vec<u32>,
}

impl Chat {
    /// Carries out an order. Returns the account that it is about.
    ///
    /// # Errors
    /// It makes no sense, or something has to be looked up first.
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
            Order::Kick(handle) => OrderPlan::Kick(self.living(handle)?),
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

    /// The account of a handle, if it was not deleted.
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
            OrderPlan::Kick(account) => {
                self.disconnect_all(account, false);
                account
            }
        }
    }

    /// Revokes all that opens an account but its password, and ends its sessions.
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
        // No session has this number, so none is passed over when all are told.
        let who = Who { session: SessionId(0), account, key: Key::Password };
        self.tell(who, Effect::DisconnectAll { gone });
    }

    /// A deleted account has left all its groups.
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
