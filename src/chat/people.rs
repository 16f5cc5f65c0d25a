//! Accounts: creating them, and changing a display name, a password, blocks, tokens and linked
//! system users.

use super::stop::Stop;
use super::{Chat, Effect, Plan, Who};
use crate::entry::{AccountId, EntryId, Key, Millis, MoveNumber, TokenId};
use crate::limits;
use crate::name::{DisplayName, Handle, Target};
use crate::preferences::{Circle, Preference, Preferences};
use crate::store::{Account, Change, Fronts, Pair, Token};
use crate::wire::refusal::Refusal;
use crate::wire::reply::Reply;

/// A permitted change of an account.
pub(super) enum AccountPlan {
    Rename { handle: Handle, name: DisplayName },
    Prefer(Preference),
    Secret(String),
    Block { whom: Handle, other: AccountId, on: bool },
    NewToken { label: Box<str>, token: Box<str>, hash: [u8; 32], to: Option<Target> },
    DropToken { label: Box<str>, id: TokenId },
    Link { user: u32, on: bool },
}

/// Somebody who wants an account.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "postgres", derive(serde::Serialize, serde::Deserialize))]
pub struct Newcomer {
    pub handle: Handle,
    pub name: DisplayName,
    /// The hash of the password.
    pub secret: String,
    /// The hash of the invitation, if one is needed.
    pub invitation: Option<[u8; 32]>,
}

impl Chat {
    /// Creates an account for somebody, and uses up the invitation.
    ///
    /// # Errors
    /// The invitation is not valid, the handle is taken, or something has to be looked up first.
    pub fn admit(&mut self, newcomer: &Newcomer, now: Millis) -> Result<AccountId, Stop> {
        let Newcomer { handle, name, secret, invitation } = newcomer;
        if let Some(hash) = invitation {
            let known = self.directory.account_invitation(hash)?;
            if !known.is_some_and(|known| known.uses > 0 && known.until > now) {
                return Err(Refusal::NotInvited.into());
            }
            // Needed before anything changes.
            self.plan_register(handle)?;
            if let Some(known) = self.directory.account_invitation_mut(hash) {
                known.uses -= 1;
            }
            self.batch.changes.push(Change::AccountInvitationUsed { hash: *hash });
        }
        self.register(handle, name, secret, now)
    }

    /// Creates an account. `secret` is the hash of its password.
    ///
    /// # Errors
    /// Its handle is taken, or something has to be looked up first.
    pub fn register(
        &mut self,
        handle: &Handle,
        name: &DisplayName,
        secret: &str,
        now: Millis,
    ) -> Result<AccountId, Stop> {
        self.plan_register(handle)?;
        Ok(self.make_account(handle.clone(), name.clone(), secret.into(), now))
    }

    /// Checks that no account has this handle, or ever had it.
    pub(super) fn plan_register(&self, handle: &Handle) -> Result<(), Stop> {
        match self.directory.handle(handle)? {
            Some(_) => Err(Refusal::Taken(handle.clone()).into()),
            None => Ok(()),
        }
    }

    pub(super) fn make_account(
        &mut self,
        handle: Handle,
        name: DisplayName,
        secret: String,
        time: Millis,
    ) -> AccountId {
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
            disabled: false,
            fronts: Fronts::default(),
            preferences: Preferences::default(),
        });
        self.batch.changes.push(Change::Account { id, handle, name, secret, time });
        if self.first.preferences != Preferences::default() {
            self.set_preferences(id, self.first.preferences);
        }
        id
    }

    pub(super) fn plan_rename(&self, who: Who, name: &DisplayName) -> Result<Plan, Stop> {
        let handle = self.directory.account(who.account)?.handle.clone();
        Ok(Plan::Account(AccountPlan::Rename { handle, name: name.clone() }))
    }

    pub(super) fn plan_prefer(&self, who: Who, preference: Preference) -> Result<Plan, Stop> {
        let known = self.directory.account(who.account)?.preferences;
        if known.with(preference) == known {
            return Ok(Plan::Reply { verb: "PREF", reply: Reply::Preferred(preference) });
        }
        Ok(Plan::Account(AccountPlan::Prefer(preference)))
    }

    fn set_preferences(&mut self, account: AccountId, preferences: Preferences) {
        if let Some(known) = self.directory.account_mut(account) {
            known.preferences = preferences;
        }
        self.batch.changes.push(Change::Preferences { account, preferences });
    }

    /// Whether an account lets another do what it lets this circle do.
    pub(super) fn is_in_circle(
        &self,
        circle: Circle,
        of: AccountId,
        other: AccountId,
    ) -> Result<bool, Stop> {
        if of == other {
            return Ok(true);
        }
        match circle {
            Circle::All => Ok(true),
            Circle::None => Ok(false),
            Circle::Chats => {
                let Some(id) = self.directory.direct(Pair::of(of, other))? else {
                    return Ok(false);
                };
                let log = self.directory.conversation(id)?;
                Ok(log.member(of).is_some_and(|member| member.last_own > EntryId(0)))
            }
        }
    }

    pub(super) fn plan_secret(&self, who: Who, was: &str, secret: &str) -> Result<Plan, Stop> {
        // The old password was checked before the new one was hashed, and may have changed since.
        if self.directory.secret(who.account)? != was {
            return Err(Refusal::WrongOld.into());
        }
        Ok(Plan::Account(AccountPlan::Secret(secret.to_owned())))
    }

    pub(super) fn plan_block(&self, who: Who, whom: &Handle, on: bool) -> Result<Plan, Stop> {
        let other = self.directory.handle(whom)?;
        let other = other.ok_or_else(|| Refusal::NoSuchUser(whom.clone()))?;
        if other == who.account {
            let verb = if on { "BLOCK" } else { "UNBLOCK" };
            let expected = "the handle of someone else";
            return Err(Refusal::BadSyntax { expected, column: verb.len() + 2 }.into());
        }
        Ok(Plan::Account(AccountPlan::Block { whom: whom.clone(), other, on }))
    }

    pub(super) fn plan_new_token(
        &self,
        who: Who,
        label: &str,
        token: &str,
        hash: [u8; 32],
        to: Option<&Target>,
    ) -> Result<Plan, Stop> {
        let tokens = self.directory.tokens(who.account)?;
        if matches!(who.key, Key::Token(_)) {
            return Err(Refusal::NotAllowed.into());
        }
        if tokens.iter().any(|known| &*known.label == label) {
            return Err(Refusal::LabelTaken(label.into()).into());
        }
        if tokens.len() >= limits::TOKENS {
            return Err(Refusal::TooManyOf("tokens; TOKEN DEL revokes one").into());
        }
        let (label, token, to) = (label.into(), token.into(), to.cloned());
        Ok(Plan::Account(AccountPlan::NewToken { label, token, hash, to }))
    }

    pub(super) fn plan_drop_token(&self, who: Who, label: &str) -> Result<Plan, Stop> {
        let tokens = self.directory.tokens(who.account)?;
        let id = tokens.iter().find(|known| &*known.label == label).map(|known| known.id);
        let has_token = matches!(who.key, Key::Token(_));
        match id {
            // A session opened with a token learns nothing of other tokens, not even their labels.
            Some(id) if has_token && who.key != Key::Token(id) => Err(Refusal::NotAllowed.into()),
            None if has_token => Err(Refusal::NotAllowed.into()),
            None => Err(Refusal::NoSuchToken(label.into()).into()),
            Some(id) => Ok(Plan::Account(AccountPlan::DropToken { label: label.into(), id })),
        }
    }

    pub(super) fn plan_link(&self, who: Who, user: u32, on: bool) -> Result<Plan, Stop> {
        let users = self.directory.links(who.account)?;
        if matches!(who.key, Key::Token(_)) {
            return Err(Refusal::NotAllowed.into());
        }
        match (on, users.contains(&user)) {
            (true, true) => Ok(Plan::Reply { verb: "UID", reply: Reply::Linked { user, on } }),
            (true, false) if users.len() >= limits::LINKS => {
                Err(Refusal::TooManyOf("linked system users; UID UNLINK removes one").into())
            }
            (false, false) => Err(Refusal::NotLinked(user).into()),
            _ => Ok(Plan::Account(AccountPlan::Link { user, on })),
        }
    }

    pub(super) fn change_account(&mut self, who: Who, plan: AccountPlan, now: Millis) {
        let account = who.account;
        match plan {
            AccountPlan::Rename { handle, name } => {
                self.rename(account, handle, name);
                self.answer(who, "NAME", Ok(Reply::Named));
            }
            AccountPlan::Prefer(preference) => {
                let known = self.directory.account_mut(account).map(|known| known.preferences);
                self.set_preferences(account, known.unwrap_or_default().with(preference));
                self.answer(who, "PREF", Ok(Reply::Preferred(preference)));
            }
            AccountPlan::Secret(secret) => {
                self.change_secret(account, secret);
                self.answer(who, "PASSWD", Ok(Reply::PasswordChanged));
                self.tell(who, Effect::Disconnect { key: Key::Password });
            }
            AccountPlan::Block { whom, other, on } => {
                self.directory.learn_blocked(account, other, on);
                self.batch.changes.push(Change::Block { by: account, whom: other, on });
                let verb = if on { "BLOCK" } else { "UNBLOCK" };
                self.answer(who, verb, Ok(Reply::Blocked { whom, on }));
            }
            AccountPlan::NewToken { label, token, hash, to } => {
                self.newest.token += 1;
                let id = TokenId(self.newest.token);
                let (created, used) = (now, None);
                let made = Token { id, account, label: label.clone(), hash, created, used, to };
                if let Some(tokens) = self.directory.tokens_mut(account) {
                    tokens.push(made.clone());
                }
                self.batch.changes.push(Change::Token { account, token: made });
                self.answer(who, "TOKEN", Ok(Reply::TokenMade { label, token }));
            }
            AccountPlan::DropToken { label, id } => {
                if let Some(tokens) = self.directory.tokens_mut(account) {
                    tokens.retain(|token| token.id != id);
                }
                self.batch.changes.push(Change::NoToken { id });
                self.answer(who, "TOKEN", Ok(Reply::TokenDropped(label)));
                self.tell(who, Effect::Disconnect { key: Key::Token(id) });
            }
            AccountPlan::Link { user, on } => {
                if let Some(users) = self.directory.links_mut(account) {
                    users.retain(|known| *known != user);
                    users.extend(on.then_some(user));
                }
                self.batch.changes.push(Change::Link { account, user, on });
                self.answer(who, "UID", Ok(Reply::Linked { user, on }));
                if !on {
                    self.tell(who, Effect::Disconnect { key: Key::User(user) });
                }
            }
        }
    }

    /// Sets an account's display name.
    pub(super) fn rename(&mut self, account: AccountId, handle: Handle, name: DisplayName) {
        if let Some(known) = self.directory.account_mut(account) {
            known.name = name.clone();
        }
        self.batch.changes.push(Change::Name { account, handle, name });
    }

    /// Sets the hash of an account's password.
    pub(super) fn change_secret(&mut self, account: AccountId, secret: String) {
        self.directory.learn_secret(account, secret.clone());
        self.batch.changes.push(Change::Secret { account, secret });
    }
}
