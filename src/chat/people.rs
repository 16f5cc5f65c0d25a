//! Accounts: making one, its display name, its password.

use super::directory::Need;
use super::{Chat, Tell, Who};
use crate::entry::{AccountId, Millis, MoveNumber, TokenId};
use crate::limits;
use crate::name::{DisplayName, Handle};
use crate::store::{Account, Change, Token};
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
            seen: None,
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
        let account = self.directory.account(who.account)?;
        account.name = name.clone();
        let handle = account.handle.clone();
        let change = Change::Name { account: who.account, handle, name: name.clone() };
        self.batch.changes.push(change);
        self.answer(who, "NAME", Ok(Reply::Named));
        Ok(())
    }

    pub(super) fn set_secret(&mut self, who: Who, secret: &str) {
        let change = Change::Secret { account: who.account, secret: secret.into() };
        self.batch.changes.push(change);
        self.answer(who, "PASSWD", Ok(Reply::PasswordChanged));
        self.tell(who, Tell::HangUp { token: None });
    }

    pub(super) fn block(&mut self, who: Who, whom: &Handle, on: bool) -> Result<(), Need> {
        let verb = if on { "BLOCK" } else { "UNBLOCK" };
        let answer = match self.directory.handle(whom)? {
            None => Err(Refusal::NoSuchUser(whom.clone())),
            Some(other) if other == who.account => {
                let expected = "the handle of someone else";
                Err(Refusal::BadSyntax { expected, column: verb.len() + 2 })
            }
            Some(other) => {
                self.directory.learn_blocked(who.account, other, on);
                self.batch.changes.push(Change::Block { by: who.account, whom: other, on });
                Ok(Reply::Blocked { whom: whom.clone(), on })
            }
        };
        self.answer(who, verb, answer);
        Ok(())
    }

    pub(super) fn new_token(
        &mut self,
        who: Who,
        label: &str,
        token: &str,
        hash: [u8; 32],
        now: Millis,
    ) -> Result<(), Need> {
        let tokens = self.directory.tokens(who.account)?;
        let answer = if who.token.is_some() {
            Err(Refusal::NotAllowed)
        } else if tokens.iter().any(|known| &*known.label == label) {
            Err(Refusal::LabelTaken(label.into()))
        } else if tokens.len() >= limits::TOKENS {
            Err(Refusal::TooManyOf("tokens; TOKEN DEL takes one away"))
        } else {
            self.newest.token += 1;
            let made = Token {
                id: TokenId(self.newest.token),
                account: who.account,
                label: label.into(),
                hash,
                created: now,
                used: None,
            };
            tokens.push(made.clone());
            self.batch.changes.push(Change::Token { account: who.account, token: made });
            Ok(Reply::TokenMade { label: label.into(), token: token.into() })
        };
        self.answer(who, "TOKEN", answer);
        Ok(())
    }

    pub(super) fn drop_token(&mut self, who: Who, label: &str) -> Result<(), Need> {
        let tokens = self.directory.tokens(who.account)?;
        let at = tokens.iter().position(|known| &*known.label == label);
        let allowed = |id| who.token.is_none_or(|own| own == id);
        match at.map(|at| (at, tokens[at].id)) {
            // A token learns nothing of the others, not even their labels.
            Some((_, id)) if !allowed(id) => self.answer(who, "TOKEN", Err(Refusal::NotAllowed)),
            None if who.token.is_some() => self.answer(who, "TOKEN", Err(Refusal::NotAllowed)),
            None => self.answer(who, "TOKEN", Err(Refusal::NoSuchToken(label.into()))),
            Some((at, id)) => {
                tokens.remove(at);
                self.batch.changes.push(Change::NoToken { id });
                self.answer(who, "TOKEN", Ok(Reply::TokenDropped(label.into())));
                self.tell(who, Tell::HangUp { token: Some(id) });
            }
        }
        Ok(())
    }
}
