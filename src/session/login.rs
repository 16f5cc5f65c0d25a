//! How a session begins to belong to an account, and what keeps others out: `REG`, `LOGIN`,
//! `PASSWD`.

use std::time::Instant;

use smol::channel;

use super::answer::{Answer, Stop};
use super::catchup::Start;
use super::{Me, Session, tokens};
use crate::chat::Act;
use crate::entry::{AccountId, Key};
use crate::hub::{Entered, Work};
use crate::limits;
use crate::name::{DisplayName, Handle};
use crate::rates::TooFast;
use crate::wire::refusal::Refusal;
use crate::wire::reply::{self, Bye, Reply};
use crate::wire::request::Secret;

/// What a log-in leads to.
struct Opened {
    account: AccountId,
    key: Key,
    /// The hash of the password, as it was then.
    hash: Option<String>,
}

impl Session {
    fn must_be_nobody(&self) -> Result<(), Stop> {
        match &self.me {
            Some(me) => Err(Refusal::AlreadyIn(me.handle.clone()).into()),
            None => Ok(()),
        }
    }

    pub(super) async fn register(
        &mut self,
        handle: Handle,
        password: Secret,
        name: Option<DisplayName>,
    ) -> Answer {
        self.must_be_nobody()?;
        if !self.services.registration {
            return Err(Refusal::Closed.into());
        }
        // No hashing for a handle that is taken anyway; the hub decides.
        let asked = handle.clone();
        if self.ask(move |recall| recall.account(&asked)).await?.is_some() {
            return Err(Refusal::Taken(handle).into());
        }
        if self.is_limited {
            let from = self.origin().counted();
            match self.services.rates.registrations.spend(from, 1, Instant::now()) {
                Ok(wait) => self.pause(wait).await?,
                Err(TooFast(seconds)) => return Err(Refusal::TooFast { seconds }.into()),
            }
        }
        let name = name.unwrap_or_else(|| DisplayName::from(&handle));
        let secret = self.hash(password).await?;
        let (answer, answered) = channel::bounded(1);
        self.services.hub.ask(Work::Register {
            session: self.id,
            handle: handle.clone(),
            name,
            secret,
            outbox: self.outbox.clone(),
            answer,
        });
        let entered: Entered = answered.recv().await.map_err(|_| Refusal::Bug)??;
        log::info!("session {}: registered {handle}", self.id.0);
        self.services.counters.registrations.add(1);
        self.begin(&entered, handle.clone(), Key::Password, false);
        self.say(|out| reply::ok(out, &Reply::Registered(handle)));
        self.say(|out| reply::live(out, entered.upto.entries));
        Ok(None)
    }

    pub(super) async fn login(
        &mut self,
        handle: Handle,
        secret: Option<Secret>,
        quiet: bool,
    ) -> Answer {
        self.must_be_nobody()?;
        let opened = match secret {
            Some(secret) => self.by_secret(&handle, secret).await?,
            None => self.by_user(&handle).await?,
        };
        let Some(Opened { account, key, hash }) = opened else {
            return Err(Refusal::WrongSecret.into());
        };
        let most = if self.is_limited { self.services.limits.sessions } else { 0 };
        let (answer, answered) = channel::bounded(1);
        self.services.hub.ask(Work::Enter {
            session: self.id,
            account,
            key,
            quiet,
            most,
            outbox: self.outbox.clone(),
            answer,
        });
        let entered: Entered = answered.recv().await.map_err(|_| Refusal::Bug)??;
        log::info!("session {}: logged in as {handle}", self.id.0);
        self.begin(&entered, handle.clone(), key, quiet);
        let upto = entered.upto;
        let counted = self
            .ask(move |recall| {
                // What opened the session may have become void while it was looked at.
                let valid = match key {
                    Key::Token(id) => recall.tokens(account)?.iter().any(|token| token.id == id),
                    Key::User(user) => recall.links(account)?.contains(&user),
                    Key::Password => recall.secret(account)? == hash,
                };
                if !valid {
                    return Ok(None);
                }
                let pending = recall.waiting(account, upto.entries)?;
                let shown = match recall.account_by_id(account)? {
                    Some(known) if !entered.company => known.shown,
                    _ => upto.moves,
                };
                let start = (!quiet).then(|| Start::look(recall, account, upto, shown, pending));
                Ok(Some((pending, start.transpose()?)))
            })
            .await;
        let (pending, start) = match counted {
            Ok(Some(known)) => known,
            // Refused: so the session must be nobody's again.
            Ok(None) => {
                self.retreat();
                return Err(Refusal::WrongSecret.into());
            }
            Err(e) => {
                self.retreat();
                return Err(e.into());
            }
        };
        self.services.counters.logins.add(1);
        self.say(|out| reply::ok(out, &Reply::LoggedIn { handle, pending }));
        if let Some(start) = start {
            self.catch_up(upto, start).await?;
        }
        Ok(None)
    }

    /// What a password or a token opens.
    async fn by_secret(&mut self, handle: &Handle, secret: Secret) -> Result<Option<Opened>, Stop> {
        let asked = handle.clone();
        let hashed = tokens::hash(&secret.0);
        let now = self.services.clock.now();
        let known = self
            .ask(move |recall| {
                let Some(account) = recall.account(&asked)?.filter(|account| !account.gone) else {
                    return Ok(None);
                };
                let token = match hashed {
                    Some(hash) => recall.token(&hash)?.filter(|t| t.account == account.id),
                    None => None,
                };
                Ok(recall.secret(account.id)?.map(|secret| (account.id, (secret, token))))
            })
            .await?;
        let (account, keys) = known.unzip();
        let (hash, token) = keys.unzip();
        if let (Some(account), Some(token)) = (account, token.flatten()) {
            if token.used.is_none_or(|used| now.0 - used.0 >= limits::TOKEN_USED_MILLIS) {
                self.services.hub.ask(Work::Used(token.id));
            }
            return Ok(Some(Opened { account, key: Key::Token(token.id), hash }));
        }
        let right = self.verify(handle, secret, hash.clone()).await?;
        // Only a name that exists: who types both the wrong way round must not find the password
        // in the log.
        match account {
            Some(account) if right => Ok(Some(Opened { account, key: Key::Password, hash })),
            Some(_) => {
                log::info!("session {}: wrong secret for {handle}", self.id.0);
                Ok(None)
            }
            None => {
                log::info!("session {}: wrong secret, no such account", self.id.0);
                Ok(None)
            }
        }
    }

    /// What being the system user at the other end opens.
    async fn by_user(&mut self, handle: &Handle) -> Result<Option<Opened>, Stop> {
        let Some(user) = self.user() else { return Ok(None) };
        let asked = handle.clone();
        let known = self.ask(move |recall| {
            let Some(account) = recall.account(&asked)?.filter(|account| !account.gone) else {
                return Ok(None);
            };
            Ok(recall.links(account.id)?.contains(&user).then_some(account.id))
        });
        let account = known.await?;
        if account.is_none() {
            log::debug!("session {}: uid {user} is not linked to the account named", self.id.0);
        }
        Ok(account.map(|account| Opened { account, key: Key::User(user), hash: None }))
    }

    fn begin(&mut self, entered: &Entered, handle: Handle, key: Key, quiet: bool) {
        self.services.roster.name(self.id, Some(handle.clone()));
        self.deadline = None;
        if let Some(time) = self.services.idle {
            self.set_deadline(time, Bye::Idle);
        }
        self.me = Some(Box::new(Me {
            account: entered.account,
            handle,
            key,
            auto: false,
            receipts: !quiet,
            seen: None,
            moves: entered.upto.moves,
            behind: None,
            sync: None,
        }));
    }

    pub(super) async fn passwd(&mut self, old: Secret, new: Secret) -> Answer {
        self.must_have_password()?;
        let me = self.me()?;
        let (id, handle) = (me.account, me.handle.clone());
        let known = self.ask(move |recall| recall.secret(id)).await?;
        if !self.verify(&handle, old, known.clone()).await? {
            return Err(Refusal::WrongOld.into());
        }
        let secret = self.hash(new).await?;
        self.unanswered += 1;
        let was = known.unwrap_or_default();
        self.act(vec![Act::SetSecret { was, secret }]);
        Ok(None)
    }

    /// What only the password opens.
    pub(super) fn must_have_password(&mut self) -> Result<(), Stop> {
        match self.me()?.key {
            Key::Token(_) => Err(Refusal::NotAllowed.into()),
            Key::Password | Key::User(_) => Ok(()),
        }
    }
}
