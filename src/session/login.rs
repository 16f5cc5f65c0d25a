//! `REG`, `LOGIN` and `PASSWD`: how a session gets an account, and how others are kept out.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Instant;

use smol::channel::{self, Receiver};
use smol::future::FutureExt;

use super::answer::{Answer, Halt};
use super::catchup::{CatchUp, StartingPoint};
use super::intake::CHANGE;
use super::proof::Proof;
use super::warnings::Obstacle;
use super::{End, Extras, Me, Session, tokens};
use crate::chat::{Act, Newcomer, Order};
use crate::config::Registration;
use crate::entry::{AccountId, Key, MoveNumber};
use crate::hub::{self, Entered, Work};
use crate::limits;
use crate::live_limits::Limit;
use crate::name::{DeviceName, DisplayName, Handle, Target};
use crate::rates::TooFast;
use crate::store::WaitingCount;
use crate::wire::refusal::Refusal;
use crate::wire::reply::Reply;
use crate::wire::request::{Events, Secret};
use crate::wire::rows::{Bye, LiveLine};

/// A verified credential, before the hub is asked.
struct Opened {
    account: AccountId,
    key: Key,
    /// The hash of the password when it was verified.
    hash: Option<String>,
    /// The label of the token.
    label: Option<Box<str>>,
    /// The only target that the token may write to.
    only: Option<Target>,
}

impl Opened {
    /// By something else than a token.
    fn new(account: AccountId, key: Key, hash: Option<String>) -> Opened {
        Opened { account, key, hash, label: None, only: None }
    }
}

impl Session {
    fn require_logged_out(&self) -> Result<(), Halt> {
        match &self.me {
            Some(me) => Err(Refusal::AlreadyIn(me.handle.clone()).into()),
            None => Ok(()),
        }
    }

    pub(super) async fn register(
        &mut self,
        handle: Handle,
        password: Secret,
        invitation: Option<Secret>,
        name: Option<DisplayName>,
    ) -> Answer {
        self.require_logged_out()?;
        if self.services.hasher.has_command() {
            return Err(Refusal::KeptElsewhere { makes: true }.into());
        }
        let invitation = match self.services.registration {
            Registration::Closed => return Err(Refusal::Closed.into()),
            Registration::Invite => match invitation {
                Some(invitation) => Some(tokens::invitation_hash(&invitation.0)),
                None => return Err(Refusal::InvitationNeeded.into()),
            },
            // None is needed, so none is used up.
            Registration::Open => None,
        };
        // The hub checks whether the handle is taken only after the rate is spent and the password
        // hashed; otherwise handles could be probed at thousands a second.
        let from = self.origin().rate_key();
        if self.is_limited {
            match self.services.rates.registrations.spend(from, 1, Instant::now()) {
                Ok(wait) => self.pause(wait).await?,
                Err(TooFast(seconds)) => {
                    self.note(Obstacle::Limit("--limit-registrations"));
                    return Err(Refusal::TooFast { seconds }.into());
                }
            }
        }
        let name = name.unwrap_or_else(|| DisplayName::from(&handle));
        let secret = self.hash(password).await?;
        let (answer, answered) = channel::bounded(1);
        self.services.hub.ask(Work::Register {
            session: self.id,
            newcomer: Newcomer { handle: handle.clone(), name, secret, invitation },
            outbox: self.outbox.clone(),
            answer: answer.into(),
        });
        let entered = self.entered(answered).await?;
        if self.is_limited && entered.as_ref().is_err_and(Refusal::is_our_failure) {
            self.services.rates.registrations.give_back(from, 1);
        }
        let entered = entered?;
        let by = invitation.map(|hash| format!(" invitation={}", tokens::invitation_id(&hash)));
        let by = by.unwrap_or_default();
        self.event("register", format_args!("handle={handle}{by}"));
        self.services.counters.registrations.add(1);
        self.begin(&entered, handle.clone(), Key::Password, Events::All, None);
        self.outbox.set_handle(handle.clone());
        self.begin_proof(entered.upto.moves);
        self.say(|out| Reply::Registered(handle).write(out));
        self.say(|out| LiveLine { newest: entered.upto.entries }.write(out));
        Ok(None)
    }

    /// Logs in, as a device if one is named.
    pub(super) async fn login(
        &mut self,
        (handle, device): (Handle, Option<DeviceName>),
        secret: Option<Secret>,
        events: Events,
    ) -> Answer {
        self.require_logged_out()?;
        let refused = match secret {
            Some(_) => Refusal::WrongSecret,
            None => Refusal::NoSecret { has_user: self.user().is_some() },
        };
        // The credential may be revoked before `open` checks it again. A second attempt then fails
        // as well, but it lets in a user whose password was just rehashed by a concurrent login.
        for _ in 0..2 {
            if self.open((&handle, device.as_ref()), secret.clone(), events, &refused).await? {
                return Ok(None);
            }
        }
        Err(refused.into())
    }

    /// Logs in. Returns false if the credential was revoked or changed meanwhile.
    async fn open(
        &mut self,
        (handle, device): (&Handle, Option<&DeviceName>),
        secret: Option<Secret>,
        asked: Events,
        refused: &Refusal,
    ) -> Result<bool, Halt> {
        let opened = match secret {
            Some(secret) => self.by_secret(handle, secret).await?,
            None => self.by_user(handle).await?,
        };
        let Some(Opened { account, key, hash, label, only }) = opened else {
            return Err(refused.clone().into());
        };
        // A token that may only write shows nothing of the account, however it logs in.
        let only_writes = only.is_some();
        if let (Some(to), Some(_)) = (&only, device) {
            return Err(Refusal::OnlyTo(to.clone()).into());
        }
        let events = if only_writes { Events::Quiet } else { asked };
        let most = if self.is_limited { self.services.limits.size(Limit::Sessions) } else { 0 };
        let (answer, answered) = channel::bounded(1);
        self.services.hub.ask(Work::Enter {
            session: self.id,
            account,
            device: device.cloned(),
            key,
            events,
            most,
            secret: hash.as_deref().map_or(0, hub::digest),
            outbox: self.outbox.clone(),
            answer: answer.into(),
        });
        let entered = self.entered(answered).await?;
        if entered.as_ref().is_err_and(|refusal| *refusal == Refusal::SESSIONS_FULL) {
            self.note(Obstacle::Limit("--limit-sessions"));
        }
        let entered: Entered = entered?;
        self.begin(&entered, handle.clone(), key, events, only);
        let upto = entered.upto;
        let counted = self
            .ask_little(move |reader| {
                // The credential may have been revoked between its check and `Work::Enter`.
                let valid = match key {
                    Key::Token(id) => reader.tokens(account)?.iter().any(|token| token.id == id),
                    Key::User(user) => reader.links(account)?.contains(&user),
                    Key::Password => reader.secret(account)? == hash,
                };
                // The second attempt says why.
                let known = reader.account_by_id(account)?;
                let is_disabled = known.as_ref().is_some_and(|known| known.disabled);
                if !valid || is_disabled {
                    return Ok(None);
                }
                let waiting = if only_writes {
                    WaitingCount::default()
                } else {
                    reader.waiting(account, upto.entries)?
                };
                let Some(from) = StartingPoint::of(reader, &entered)? else { return Ok(None) };
                let start = CatchUp::look(reader, account, upto, from, waiting)?;
                Ok(Some((waiting, from.shown, start)))
            })
            .await;
        let (waiting, shown, start) = match counted {
            Ok(Some(known)) => known,
            // The hub already counts the session as the account's, so that is undone.
            Ok(None) => {
                self.log_out();
                return Ok(false);
            }
            Err(stop) => {
                self.log_out();
                return Err(stop);
            }
        };
        let pending = match self.count_for_device(upto, &start, waiting).await {
            Ok(for_device) => for_device.unwrap_or(waiting.count),
            Err(stop) => {
                self.log_out();
                return Err(stop);
            }
        };
        self.outbox.set_handle(handle.clone());
        self.begin_proof(shown);
        self.services.counters.logins.add(1);
        let by = match (key, label) {
            (Key::Password, _) => "password".to_owned(),
            (Key::Token(_), label) => format!("token:{}", label.unwrap_or_default()),
            (Key::User(user), _) => format!("uid:{user}"),
        };
        match device {
            None => self.event("login", format_args!("handle={handle} by={by}")),
            Some(device) => {
                self.event("login", format_args!("handle={handle} by={by} device={device}"));
            }
        }
        let (handle, device) = (handle.clone(), device.cloned());
        self.say(|out| Reply::LoggedIn { handle, device, pending }.write(out));
        match events {
            Events::All => self.catch_up(upto, start).await?,
            // Nothing that waited is sent.
            _ if asked != Events::Quiet => {
                self.say(|out| LiveLine { newest: upto.entries }.write(out));
                if events == Events::Watch {
                    self.watch(upto).await?;
                }
            }
            _ => {}
        }
        Ok(true)
    }

    /// The hub's answer to a login or a registration. If nobody is let in any more, the hub does not
    /// do it; or it takes it back, if it has.
    async fn entered(
        &self,
        answered: Receiver<Result<Entered, Refusal>>,
    ) -> Result<Result<Entered, Refusal>, End> {
        let entered = self.answered(&answered).await;
        if entered.is_err() {
            // From here on it cannot be answered.
            answered.close();
            if let Ok(Ok(_)) = answered.try_recv() {
                let shown = Some(self.outbox.proved());
                self.services.hub.ask(Work::Leave { session: self.id, shown });
            }
        }
        entered
    }

    /// What the hub answers, unless nobody is let in any more.
    pub(super) async fn answered<T>(&self, answered: &Receiver<T>) -> Result<T, End> {
        let turned_away = poll_fn(|cx| {
            self.outbox.register(cx.waker());
            match self.outbox.bye() {
                Some(Bye::Unavailable) => Poll::Ready(Err(End::Bye(Bye::Unavailable))),
                _ => Poll::Pending,
            }
        });
        let answer = async { answered.recv().await.map_err(|_| End::hub_lost()) };
        answer.or(turned_away).await
    }

    /// Verifies a password or token. `None` if it is wrong.
    async fn by_secret(&mut self, handle: &Handle, secret: Secret) -> Result<Option<Opened>, Halt> {
        let asked = handle.clone();
        let hashed = tokens::hash(&secret.0);
        let now = self.services.clock.now();
        let known = self
            .ask_little(move |reader| {
                let Some(account) = reader.account(&asked)?.filter(|account| !account.gone) else {
                    return Ok(None);
                };
                let token = match hashed {
                    Some(hash) => reader.token(&hash)?.filter(|t| t.account == account.id),
                    None => None,
                };
                let secret = reader.secret(account.id)?;
                Ok(secret.map(|secret| ((account.id, account.disabled), (secret, token))))
            })
            .await?;
        let (known, keys) = known.unzip();
        let (account, disabled) = known.unzip();
        let (hash, token) = keys.unzip();
        let is_disabled = disabled == Some(true);
        if let (Some(account), Some(token)) = (account, token.flatten()) {
            if is_disabled {
                return Err(self.disabled(handle));
            }
            if token.used.is_none_or(|used| now.0 - used.0 >= limits::TOKEN_USED_MILLIS) {
                self.services.hub.ask(Work::Used(token.id));
            }
            let (key, label, only) = (Key::Token(token.id), Some(token.label), token.to);
            return Ok(Some(Opened { account, key, hash, label, only }));
        }
        let right = self.verify(handle, secret.clone(), hash.clone()).await?;
        // Only handles that exist are logged: a user may have swapped handle and password.
        let command = self.services.hasher.has_command();
        match account {
            None if right => self.first_login(handle).await,
            Some(_) if right && is_disabled => Err(self.disabled(handle)),
            Some(account) if right => {
                let hash =
                    if command { hash } else { self.hashed_anew(account, secret, hash).await? };
                Ok(Some(Opened::new(account, Key::Password, hash)))
            }
            Some(_) => {
                self.event("wrong-secret", format_args!("handle={handle}"));
                Ok(None)
            }
            None => {
                self.event("wrong-secret", format_args!("handle=-"));
                Ok(None)
            }
        }
    }

    /// Creates the account of a handle whose password the `--auth-command` program has accepted.
    /// Its stored password is random: without the program, only one set by an operator works.
    async fn first_login(&mut self, handle: &Handle) -> Result<Option<Opened>, Halt> {
        let password = tokens::new().ok_or(Refusal::Bug)?;
        let secret = self.hash(Secret(password)).await?;
        let (handle, name) = (handle.clone(), DisplayName::from(handle));
        let order = Order::NewUser { handle: handle.clone(), name, secret };
        match self.order(order).await {
            Ok(_) => {
                self.event("register", format_args!("handle={handle}"));
                self.services.counters.registrations.add(1);
            }
            // Just created by another session, or the account was deleted and the handle stays
            // taken.
            Err(Halt::Refused(Refusal::Taken(_))) => {}
            Err(stop) => return Err(stop),
        }
        let asked = handle.clone();
        let known = self.ask(move |reader| {
            let Some(account) = reader.account(&asked)?.filter(|account| !account.gone) else {
                return Ok(None);
            };
            Ok(Some((account.id, reader.secret(account.id)?)))
        });
        let Some((account, hash)) = known.await? else {
            self.event("wrong-secret", format_args!("handle=-"));
            return Ok(None);
        };
        Ok(Some(Opened::new(account, Key::Password, hash)))
    }

    /// Rehashes a password whose stored hash has another cost than new ones. Returns the stored
    /// hash; if the new one cannot be stored, the old one stays.
    async fn hashed_anew(
        &mut self,
        account: AccountId,
        secret: Secret,
        hash: Option<String>,
    ) -> Result<Option<String>, End> {
        let Some(was) = hash.clone().filter(|hash| !self.services.hasher.is_current(hash)) else {
            return Ok(hash);
        };
        let secret = match self.hash(secret).await {
            Ok(secret) => secret,
            Err(Halt::End(end)) => return Err(end),
            Err(Halt::Refused(_)) => return Ok(hash),
        };
        let rehash = Order::Rehash { account, was, secret: secret.clone() };
        Ok(if self.order(rehash).await.is_ok() { Some(secret) } else { hash })
    }

    /// Logs in the peer's system user, if linked to the account.
    async fn by_user(&mut self, handle: &Handle) -> Result<Option<Opened>, Halt> {
        let Some(user) = self.user() else { return Ok(None) };
        let asked = handle.clone();
        let known = self.ask_little(move |reader| {
            let Some(account) = reader.account(&asked)?.filter(|account| !account.gone) else {
                return Ok(None);
            };
            let is_linked = reader.links(account.id)?.contains(&user);
            Ok(is_linked.then_some((account.id, account.disabled)))
        });
        let (account, disabled) = known.await?.unzip();
        if disabled == Some(true) {
            return Err(self.disabled(handle));
        }
        if account.is_none() {
            // Not an attempt at a secret, and too cheap to be worth a warning.
            log::debug!("session {}: uid {user} is not linked to the requested account", self.id.0);
        }
        Ok(account.map(|account| Opened::new(account, Key::User(user), None)))
    }

    /// The refusal for somebody who has what opens a disabled account.
    fn disabled(&self, handle: &Handle) -> Halt {
        self.event("disabled", format_args!("handle={handle}"));
        Refusal::Disabled.into()
    }

    fn begin(
        &mut self,
        entered: &Entered,
        handle: Handle,
        key: Key,
        events: Events,
        only: Option<Target>,
    ) {
        self.deadline = None;
        if let Some(time) = self.services.idle {
            self.set_deadline(time, Bye::Idle);
        }
        let device = entered.device.map(|(number, _)| number);
        let extras = (device.is_some() || only.is_some()).then(|| {
            let only = only.map(Box::new);
            Extras { device, only, ..Extras::default() }
        });
        self.me = Some(Box::new(Me {
            account: entered.account,
            handle,
            key,
            auto: false,
            events,
            receipts: events != Events::Quiet,
            free_moves: 0,
            sent: None,
            proof: Proof::new(MoveNumber(0), self.services.clock.now()),
            lost_moves: self.outbox.lost_moves(),
            behind: None,
            extras: extras.map(Box::new),
        }));
    }

    /// Starts from the receipts that the account was shown before this session: all up to `shown`.
    fn begin_proof(&mut self, shown: MoveNumber) {
        self.outbox.prove(shown);
        if let Some(me) = &mut self.me {
            me.proof = Proof::new(shown, self.services.clock.now());
            if me.events != Events::All {
                me.proof.withhold();
            }
        }
    }

    pub(super) async fn passwd(&mut self, old: Secret, new: Secret) -> Answer {
        self.must_have_password()?;
        if self.services.hasher.has_command() {
            return Err(Refusal::KeptElsewhere { makes: false }.into());
        }
        let me = self.me()?;
        let (id, handle) = (me.account, me.handle.clone());
        let known = self.ask(move |reader| reader.secret(id)).await?;
        if !self.verify(&handle, old, known.clone()).await? {
            self.event("wrong-secret", format_args!("handle={handle}"));
            return Err(Refusal::WrongOld.into());
        }
        let secret = self.hash(new).await?;
        self.charge(CHANGE)?;
        let was = known.unwrap_or_default();
        self.hand_over(vec![Act::SetSecret { was, secret }], 0);
        Ok(None)
    }

    /// Refuses sessions opened with a token.
    pub(super) fn must_have_password(&mut self) -> Result<(), Halt> {
        match self.me()?.key {
            Key::Token(_) => Err(Refusal::NotAllowed.into()),
            Key::Password | Key::User(_) => Ok(()),
        }
    }
}
