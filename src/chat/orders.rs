//! What an operator orders: accounts made, given another password, ended; sessions ended. And what
//! the server itself does with an account that nobody is logged in to.
//!
//! An order comes from no session of an account, so it is answered to whoever gave it, not told.

use super::directory::Need;
use super::{Chat, Tell, Who};
use crate::entry::{AccountId, Key, Millis, SessionId};
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

impl Chat {
    /// Carries out an order. Gives back the account that it is about.
    ///
    /// # Errors
    /// What has to be looked up first; nothing has been decided then.
    pub fn ordered(
        &mut self,
        order: &Order,
        now: Millis,
    ) -> Result<Result<AccountId, Refusal>, Need> {
        let handle = match order {
            Order::NewUser { handle, name, secret } => {
                return self.register(handle, name, secret, now);
            }
            Order::Rehash { account, was, secret } => return self.rehash(*account, was, secret),
            Order::SetSecret { handle, .. }
            | Order::Revoke(handle)
            | Order::DropUser(handle)
            | Order::Kick(handle) => handle,
        };
        let Some(account) = self.directory.living(handle)? else {
            // One that was cut short is gone on with.
            if let (Order::DropUser(_), Some(id)) = (order, self.directory.handle(handle)?)
                && self.directory.account(id)?.leaving
            {
                return Ok(Ok(id));
            }
            return Ok(Err(Refusal::NoSuchUser(handle.clone())));
        };
        // No session has this number, so none is passed over when all are told.
        let who = Who { session: SessionId(0), account, key: Key::Password };
        match order {
            Order::SetSecret { secret, .. } => {
                let secret = secret.clone();
                self.revoke(who)?;
                self.directory.learn_secret(account, secret.clone());
                self.batch.changes.push(Change::Secret { account, secret });
            }
            Order::Revoke(_) => self.revoke(who)?,
            Order::DropUser(_) => {
                let known = self.directory.account(account)?;
                (known.gone, known.leaving) = (true, true);
                self.batch.changes.push(Change::Gone { account, leaving: true });
                self.tell(who, Tell::Expel { gone: true });
            }
            _ => self.tell(who, Tell::Expel { gone: false }),
        }
        Ok(Ok(account))
    }

    fn rehash(
        &mut self,
        account: AccountId,
        was: &str,
        secret: &str,
    ) -> Result<Result<AccountId, Refusal>, Need> {
        if self.directory.secret(account)? != was {
            return Ok(Err(Refusal::WrongOld));
        }
        self.directory.learn_secret(account, secret.to_owned());
        self.batch.changes.push(Change::Secret { account, secret: secret.into() });
        Ok(Ok(account))
    }

    /// Revokes all that opens an account but its password, and ends its sessions.
    fn revoke(&mut self, who: Who) -> Result<(), Need> {
        let account = who.account;
        // Both are looked up before either is changed.
        self.directory.links(account)?;
        let tokens = std::mem::take(self.directory.tokens(account)?);
        let users = std::mem::take(self.directory.links(account)?);
        let ids = tokens.into_iter().map(|token| token.id);
        self.batch.changes.extend(ids.map(|id| Change::NoToken { id }));
        let unlinked = users.into_iter().map(|user| Change::Link { account, user, on: false });
        self.batch.changes.extend(unlinked);
        self.tell(who, Tell::Expel { gone: false });
        Ok(())
    }

    /// A deleted account has left all its groups.
    ///
    /// # Errors
    /// What has to be looked up first.
    pub fn left_groups(&mut self, account: AccountId) -> Result<(), Need> {
        self.directory.account(account)?.leaving = false;
        self.batch.changes.push(Change::Gone { account, leaving: false });
        Ok(())
    }
}
