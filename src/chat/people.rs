//! Accounts: making one, its display name, its password.

use super::directory::Need;
use super::{Chat, Tell, Who};
use crate::entry::{AccountId, Millis, MoveNumber};
use crate::name::{DisplayName, Handle};
use crate::store::{Account, Change};
use crate::wire::refusal::Refusal;
use crate::wire::reply::Reply;

impl Chat {
    /// Makes an account.
    ///
    /// # Errors
    /// What has to be looked up first.
    pub fn register(
        &mut self,
        handle: &Handle,
        name: &DisplayName,
        secret: &str,
        now: Millis,
    ) -> Result<Result<AccountId, Refusal>, Need> {
        if self.directory.handle(handle)?.is_some() {
            return Ok(Err(Refusal::Taken(handle.clone())));
        }
        self.newest.account += 1;
        let id = AccountId(self.newest.account);
        self.directory.learn_account(Account {
            id,
            handle: handle.clone(),
            name: name.clone(),
            shown: MoveNumber(0),
        });
        self.batch.changes.push(Change::Account {
            id,
            handle: handle.clone(),
            name: name.clone(),
            secret: secret.into(),
            time: now,
        });
        Ok(Ok(id))
    }

    pub(super) fn rename(&mut self, who: Who, name: &DisplayName) -> Result<(), Need> {
        self.directory.account(who.account)?.name = name.clone();
        let change = Change::Name { account: who.account, name: name.clone() };
        self.batch.changes.push(change);
        self.answer(who, "NAME", Ok(Reply::Named));
        Ok(())
    }

    pub(super) fn set_secret(&mut self, who: Who, secret: &str) {
        let change = Change::Secret { account: who.account, secret: secret.into() };
        self.batch.changes.push(change);
        self.answer(who, "PASSWD", Ok(Reply::PasswordChanged));
        self.tell(who, Tell::HangUp);
    }
}
