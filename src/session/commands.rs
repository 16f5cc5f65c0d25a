//! The commands that a session carries out itself: everything that is not an act for the hub.
//!
//! Each runs when all before it are answered, so it sees their effect.

use smol::channel;

use super::answer::{Answer, Stop};
use super::catchup::Start;
use super::intake::Held;
use super::{End, Me, Mode, Session, tokens};
use crate::chat::Act;
use crate::entry::{AccountId, ConversationId, TokenId};
use crate::hub::{Entered, Work};
use crate::limits;
use crate::name::{DisplayName, Handle, Target};
use crate::store::{self, Account, Member, Pair, Recall};
use crate::wire::help;
use crate::wire::refusal::Refusal;
use crate::wire::reply::{self, Bye, Reply};
use crate::wire::request::{Request, Secret, Setting, Upto};

impl Session {
    /// Carries out what was held.
    pub(super) async fn carry_out(&mut self, held: Held) -> Result<(), End> {
        match held {
            Held::Stranger(bye) => Err(End::Bye(bye)),
            Held::Refused { verb, refusal, sink } => {
                self.say(|out| reply::err(out, &verb, &refusal));
                if sink {
                    self.mode = Mode::Refused(Box::new(refusal));
                }
                Ok(())
            }
            Held::EndOfTalk => {
                self.mode = Mode::Commands;
                self.say(|out| reply::ok(out, &Reply::Talking(None)));
                Ok(())
            }
            Held::Asked(request) => {
                let verb = verb(&request);
                match self.answer(request).await {
                    Ok(Some(answer)) => self.say(|out| reply::ok(out, &answer)),
                    Ok(None) => {}
                    Err(Stop::Refused(refusal)) => self.say(|out| reply::err(out, verb, &refusal)),
                    Err(Stop::End(end)) => return Err(end),
                }
                Ok(())
            }
        }
    }

    async fn answer(&mut self, request: Request) -> Answer {
        match request {
            Request::Quit => {
                self.say(|out| reply::ok(out, &Reply::Quit));
                Err(Stop::End(End::Bye(Bye::Quit)))
            }
            Request::Ping { text } => Ok(Some(Reply::Pong(text))),
            Request::Help { verb: None } => {
                self.say(|out| reply::help(out, None));
                Ok(None)
            }
            Request::Help { verb: Some(word) } => match help::verb(&word) {
                Some(verb) => {
                    self.say(|out| reply::help(out, Some(verb)));
                    Ok(None)
                }
                None => Err(Refusal::BadCommand { nearest: help::nearest(&word) }.into()),
            },
            Request::Register { handle, password, name } => {
                self.register(handle, password, name).await
            }
            Request::Login { handle, secret, quiet } => {
                let answer = self.login(handle, secret, quiet).await;
                if matches!(answer, Err(Stop::Refused(_))) {
                    self.services.counters.logins_refused.add(1);
                }
                answer
            }
            Request::Whoami => {
                let account = self.account().await?;
                Ok(Some(Reply::You { handle: account.handle, name: account.name }))
            }
            Request::Passwd { old, new } => self.passwd(old, new).await,
            Request::Talk { to, raw } => self.talk(to, raw).await,
            Request::Set(setting) => {
                let me = self.me()?;
                match setting {
                    Setting::AckAuto(auto) => me.auto = auto,
                    Setting::Receipts(receipts) => me.receipts = receipts,
                }
                // What was written before counts, too.
                self.acknowledge_automatically();
                Ok(Some(Reply::Set(setting)))
            }
            Request::Hist(hist) => self.hist(hist).await,
            Request::Sync(after) => self.sync(after).await,
            Request::Chats => self.chats().await,
            Request::Info(which) => self.info(which).await,
            Request::Wait { which, cursor, seconds } => self.wait_for(which, cursor, seconds),
            Request::Find { text } => self.find_people(&text).await,
            Request::Groups => self.groups().await,
            Request::Who(name) => self.members(name).await,
            Request::Blocks => self.blocks().await,
            Request::Tokens => self.tokens().await,
            Request::NewToken { label } => self.new_token(label),
            // What the session was sent nothing of.
            Request::Move { upto: Upto::Last(to), .. } => {
                self.find(&to).await?;
                Err(Refusal::NothingSent(to).into())
            }
            Request::Move { cursor, .. } => Ok(Some(Reply::Moved { cursor, id: None })),
            // These are acts.
            Request::Message { .. }
            | Request::Once { .. }
            | Request::Name(_)
            | Request::Group { .. }
            | Request::Block { .. }
            | Request::DropToken { .. } => Err(Refusal::Bug.into()),
        }
    }

    pub(super) fn me(&mut self) -> Result<&mut Me, Stop> {
        self.me.as_deref_mut().ok_or(Stop::Refused(Refusal::NeedLogin))
    }

    /// Asks a reader thread.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut dyn Recall) -> Result<T, store::Error> + Send + 'static,
    ) -> Result<T, store::Error> {
        self.services.readers.ask(question).await
    }

    async fn account(&mut self) -> Result<Account, Stop> {
        let id = self.me()?.account;
        let found = self.ask(move |recall| recall.account_by_id(id)).await?;
        Ok(found.ok_or(Refusal::Bug)?)
    }

    /// The conversation with a target, if there is one yet.
    pub(super) async fn find(&mut self, to: &Target) -> Result<Option<ConversationId>, Stop> {
        let me = self.me()?.account;
        let asked = to.clone();
        Ok(self.ask(move |recall| find(recall, me, &asked)).await??)
    }

    /// Whether a message can be sent to a target.
    async fn may_write(&mut self, to: &Target) -> Result<(), Stop> {
        let me = self.me()?.account;
        let asked = to.clone();
        let refused = self.ask(move |recall| match asked {
            Target::Group(name) => {
                let room = recall.room(&name)?;
                let is_in = room.is_some_and(|r| r.member(me).is_some_and(Member::is_in));
                Ok((!is_in).then_some(Refusal::NoSuchGroup(name)))
            }
            Target::Person(handle) => match recall.account(&handle)? {
                None => Ok(Some(Refusal::NoSuchUser(handle))),
                Some(other) if recall.blocked(other.id, me)? => Ok(Some(Refusal::Blocked(handle))),
                Some(_) => Ok(None),
            },
        });
        refused.await?.map_or(Ok(()), |refusal| Err(refusal.into()))
    }

    fn must_be_nobody(&self) -> Result<(), Stop> {
        match &self.me {
            Some(me) => Err(Refusal::AlreadyIn(me.handle.clone()).into()),
            None => Ok(()),
        }
    }

    async fn register(
        &mut self,
        handle: Handle,
        password: Secret,
        name: Option<DisplayName>,
    ) -> Answer {
        self.must_be_nobody()?;
        // No hashing for a handle that is taken anyway; the hub decides.
        let asked = handle.clone();
        if self.ask(move |recall| recall.account(&asked)).await?.is_some() {
            return Err(Refusal::Taken(handle).into());
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
        self.begin(&entered, handle.clone(), None, false);
        self.say(|out| reply::ok(out, &Reply::Registered(handle)));
        self.say(|out| reply::live(out, entered.upto.entries));
        Ok(None)
    }

    async fn login(&mut self, handle: Handle, secret: Option<Secret>, quiet: bool) -> Answer {
        self.must_be_nobody()?;
        let Some(secret) = secret else {
            return Err(Refusal::WrongSecret.into());
        };
        let asked = handle.clone();
        let hashed = tokens::hash(&secret.0);
        let now = self.services.clock.now();
        let known = self
            .ask(move |recall| {
                let Some(account) = recall.account(&asked)? else {
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
        let token = token.flatten();
        let right = match &token {
            Some(_) => true,
            None => self.verify(&handle, secret, hash.clone()).await?,
        };
        let Some(account) = account.filter(|_| right) else {
            // Only a name that exists: who types both the wrong way round must not find the
            // password in the log.
            match account {
                Some(_) => log::info!("session {}: wrong secret for {handle}", self.id.0),
                None => log::info!("session {}: wrong secret, no such account", self.id.0),
            }
            return Err(Refusal::WrongSecret.into());
        };
        if let Some(token) = &token
            && token.used.is_none_or(|used| now.0 - used.0 >= limits::TOKEN_USED_MILLIS)
        {
            self.services.hub.ask(Work::Used(token.id));
        }
        let token = token.map(|token| token.id);
        let (answer, answered) = channel::bounded(1);
        self.services.hub.ask(Work::Enter {
            session: self.id,
            account,
            token,
            quiet,
            outbox: self.outbox.clone(),
            answer,
        });
        let entered: Entered = answered.recv().await.map_err(|_| Refusal::Bug)??;
        log::info!("session {}: logged in as {handle}", self.id.0);
        self.begin(&entered, handle.clone(), token, quiet);
        let upto = entered.upto;
        let counted = self
            .ask(move |recall| {
                // What opened the session may have become void while it was looked at.
                let valid = match token {
                    Some(id) => recall.tokens(account)?.iter().any(|token| token.id == id),
                    None => recall.secret(account)? == hash,
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

    fn begin(&mut self, entered: &Entered, handle: Handle, token: Option<TokenId>, quiet: bool) {
        self.deadline = None;
        if let Some(time) = self.services.idle {
            self.set_deadline(time, Bye::Idle);
        }
        self.me = Some(Box::new(Me {
            account: entered.account,
            handle,
            token,
            auto: false,
            receipts: !quiet,
            seen: None,
            moves: entered.upto.moves,
            behind: None,
        }));
    }

    async fn passwd(&mut self, old: Secret, new: Secret) -> Answer {
        self.must_have_password()?;
        let me = self.me()?;
        let (id, handle) = (me.account, me.handle.clone());
        let known = self.ask(move |recall| recall.secret(id)).await?;
        if !self.verify(&handle, old, known).await? {
            return Err(Refusal::WrongOld.into());
        }
        let secret = self.hash(new).await?;
        self.unanswered += 1;
        self.act(vec![Act::SetSecret(secret)]);
        Ok(None)
    }

    async fn talk(&mut self, to: Target, raw: bool) -> Answer {
        match self.may_write(&to).await {
            Ok(()) => {
                self.mode = if raw { Mode::Raw(to.clone()) } else { Mode::Talk(to.clone()) };
                Ok(Some(Reply::Talking(Some(to))))
            }
            Err(Stop::Refused(refusal)) => {
                // `TALK $to raw` of a script whose variable is empty names someone called raw.
                if raw || matches!(&to, Target::Person(handle) if handle.as_str() == "raw") {
                    self.mode = Mode::Refused(Box::new(refusal.clone()));
                }
                Err(refusal.into())
            }
            Err(end) => Err(end),
        }
    }

    /// What only the password opens.
    pub(super) fn must_have_password(&mut self) -> Result<(), Stop> {
        match self.me()?.token {
            Some(_) => Err(Refusal::NotAllowed.into()),
            None => Ok(()),
        }
    }
}

/// The conversation of `me` with a target, if there is one yet.
pub(super) fn find(
    recall: &mut dyn Recall,
    me: AccountId,
    to: &Target,
) -> Result<Result<Option<ConversationId>, Refusal>, store::Error> {
    Ok(match to {
        Target::Group(name) => {
            let room = recall.room(name)?.filter(|room| room.member(me).is_some());
            room.map(|room| Some(room.id)).ok_or_else(|| Refusal::NoSuchGroup(name.clone()))
        }
        Target::Person(handle) => match recall.account(handle)? {
            Some(other) => Ok(recall.direct(Pair::of(me, other.id))?.map(|direct| direct.id)),
            None => Err(Refusal::NoSuchUser(handle.clone())),
        },
    })
}

/// The verb under which a command that is answered here is refused.
fn verb(request: &Request) -> &'static str {
    match request {
        Request::Register { .. } => "REG",
        Request::Login { .. } => "LOGIN",
        Request::Quit => "QUIT",
        Request::Ping { .. } => "PING",
        Request::Help { .. } => "HELP",
        Request::Whoami => "WHOAMI",
        Request::Name(_) => "NAME",
        Request::Passwd { .. } => "PASSWD",
        Request::Message { .. } => "MSG",
        Request::Talk { .. } => "TALK",
        Request::Move { cursor, .. } => reply::verb(*cursor),
        Request::Set(_) => "SET",
        Request::Hist(_) => "HIST",
        Request::Once { .. } => "ONCE",
        Request::Wait { .. } => "WAIT",
        Request::Sync(_) => "SYNC",
        Request::Chats => "CHATS",
        Request::Info(_) => "INFO",
        Request::Find { .. } => "FIND",
        Request::Group { .. } | Request::Groups | Request::Who(_) => "GROUP",
        Request::Block { on: false, .. } => "UNBLOCK",
        Request::Block { .. } | Request::Blocks => "BLOCK",
        Request::NewToken { .. } | Request::Tokens | Request::DropToken { .. } => "TOKEN",
    }
}
