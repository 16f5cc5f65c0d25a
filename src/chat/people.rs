//! Accounts: making one, its display name, its password.

use super::directory::Need;
use super::{Chat, Tell, Who};
use crate::entry::{AccountId, Key, Millis, MoveNumber, TokenId};
use crate::limits;
use crate::name::{DisplayName, Handle};
use crate::store::{Account, Change, Fronts, Token};
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
            gone: false,
            leaving: false,
            fronts: Fronts::default(),
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

    pub(super) fn set_secret(&mut self, who: Who, was: &str, secret: &str) -> Result<(), Need> {
        // It was looked at before the new one was hashed, and may be another one by now.
        if self.directory.secret(who.account)? != was {
            self.answer(who, "PASSWD", Err(Refusal::WrongOld));
            return Ok(());
        }
        self.directory.learn_secret(who.account, secret.to_owned());
        let change = Change::Secret { account: who.account, secret: secret.into() };
        self.batch.changes.push(change);
        self.answer(who, "PASSWD", Ok(Reply::PasswordChanged));
        self.tell(who, Tell::HangUp { key: Key::Password });
        Ok(())
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
        let answer = if matches!(who.key, Key::Token(_)) {
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
        let has_token = matches!(who.key, Key::Token(_));
        match at.map(|at| (at, tokens[at].id)) {
            // A token learns nothing of the others, not even their labels.
            Some((_, id)) if has_token && who.key != Key::Token(id) => {
                self.answer(who, "TOKEN", Err(Refusal::NotAllowed));
            }
            None if has_token => self.answer(who, "TOKEN", Err(Refusal::NotAllowed)),
            None => self.answer(who, "TOKEN", Err(Refusal::NoSuchToken(label.into()))),
            Some((at, id)) => {
                tokens.remove(at);
                self.batch.changes.push(Change::NoToken { id });
                self.answer(who, "TOKEN", Ok(Reply::TokenDropped(label.into())));
                self.tell(who, Tell::HangUp { key: Key::Token(id) });
            }
        }
        Ok(())
    }

    pub(super) fn link(&mut self, who: Who, user: u32, on: bool) -> Result<(), Need> {
        let users = self.directory.links(who.account)?;
        let at = users.iter().position(|known| *known == user);
        let answer = match (on, at) {
            _ if matches!(who.key, Key::Token(_)) => Err(Refusal::NotAllowed),
            (true, Some(_)) => Ok(Reply::Linked { user, on }),
            (true, None) if users.len() >= limits::LINKS => {
                Err(Refusal::TooManyOf("system users; UID UNLINK takes one away"))
            }
            (false, None) => Err(Refusal::NotLinked(user)),
            _ => {
                match at {
                    Some(at) => drop(users.remove(at)),
                    None => users.push(user),
                }
                self.batch.changes.push(Change::Link { account: who.account, user, on });
                Ok(Reply::Linked { user, on })
            }
        };
        let ends = !on && answer.is_ok();
        self.answer(who, "UID", answer);
        if ends {
            self.tell(who, Tell::HangUp { key: Key::User(user) });
        }
        Ok(())
    }
}
