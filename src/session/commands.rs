//! The commands that a session carries out itself: everything that is not an act for the hub.
//!
//! Each runs when all before it are answered, so it sees their effect.

use smol::channel;

use super::intake::Held;
use super::{End, Me, Mode, Session};
use crate::chat::Act;
use crate::hub::{Entered, Work};
use crate::name::{DisplayName, Handle, Target};
use crate::outbox::Item;
use crate::password::Failed;
use crate::store::{self, Account, Pair, Recall, SpanQuery};
use crate::wire::refusal::Refusal;
use crate::wire::reply::{self, Bye, Reply};
use crate::wire::request::{Hist, Request, Secret, Setting, Upto};

/// The answer to a command: its final line, unless that is written already.
type Answer = Result<Option<Reply>, Stop>;

/// Why a command has no reply.
enum Stop {
    /// It was refused.
    Refused(Refusal),
    /// The session is over.
    End(End),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Stop {
        Stop::Refused(refusal)
    }
}

impl From<End> for Stop {
    fn from(end: End) -> Stop {
        Stop::End(end)
    }
}

impl From<store::Error> for Stop {
    fn from(e: store::Error) -> Stop {
        log::error!("cannot read the database: {e}");
        Stop::Refused(Refusal::Storage)
    }
}

impl From<Failed> for Stop {
    fn from(failed: Failed) -> Stop {
        Stop::Refused(match failed {
            Failed::Busy => Refusal::TooMany,
            Failed::Broken => {
                log::error!("a password could not be hashed, or its stored hash is damaged");
                Refusal::Bug
            }
        })
    }
}

impl Session {
    /// Carries out what was held.
    pub(super) async fn carry_out(&mut self, held: Held) -> Result<(), End> {
        match held {
            Held::Stranger(bye) => Err(End::Bye(bye)),
            Held::Refused { verb, refusal } => {
                self.say(|out| reply::err(out, &verb, &refusal));
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
            Request::Help { verb } => {
                self.say(|out| reply::help(out, verb));
                Ok(None)
            }
            Request::Register { handle, password, name } => {
                self.register(handle, password, name).await
            }
            Request::Login { handle, secret, quiet } => self.login(handle, secret, quiet).await,
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
            // What the session was sent nothing of.
            Request::Move { cursor, upto: Upto::Last(to) } => {
                self.find(&to).await?;
                let _ = cursor;
                Err(Refusal::NothingSent(to).into())
            }
            Request::Move { cursor, .. } => Ok(Some(Reply::Moved { cursor, id: None })),
            // These are acts.
            Request::Message { .. } | Request::Name(_) => Err(Refusal::Bug.into()),
        }
    }

    fn me(&mut self) -> Result<&mut Me, Stop> {
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

    /// The account of a target that is a person.
    async fn find(&mut self, to: &Target) -> Result<Account, Stop> {
        match to {
            Target::Group(name) => Err(Refusal::NoSuchGroup(name.clone()).into()),
            Target::Person(handle) => {
                let asked = handle.clone();
                let found = self.ask(move |recall| recall.account(&asked)).await?;
                Ok(found.ok_or_else(|| Refusal::NoSuchUser(handle.clone()))?)
            }
        }
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
        if self.find(&Target::Person(handle.clone())).await.is_ok() {
            return Err(Refusal::Taken(handle).into());
        }
        let name = name.unwrap_or_else(|| DisplayName::from(&handle));
        let secret = self.services.hasher.hash(password.0).await?;
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
        self.begin(&entered, handle.clone(), false);
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
        let known = self
            .ask(move |recall| {
                let Some(account) = recall.account(&asked)? else {
                    return Ok(None);
                };
                Ok(recall.secret(account.id)?.map(|secret| (account.id, secret)))
            })
            .await?;
        let (account, hash) = known.unzip();
        let right = self.services.hasher.verify(secret.0, hash.clone()).await?;
        let Some(account) = account.filter(|_| right) else {
            log::info!("session {}: wrong secret for {handle}", self.id.0);
            return Err(Refusal::WrongSecret.into());
        };
        let (answer, answered) = channel::bounded(1);
        self.services.hub.ask(Work::Enter {
            session: self.id,
            account,
            quiet,
            outbox: self.outbox.clone(),
            answer,
        });
        let entered: Entered = answered.recv().await.map_err(|_| Refusal::Bug)??;
        log::info!("session {}: logged in as {handle}", self.id.0);
        self.begin(&entered, handle.clone(), quiet);
        let upto = entered.upto.entries;
        let counted = self
            .ask(move |recall| {
                let shown = recall.account_by_id(account)?.map(|account| account.shown);
                let hash = recall.secret(account)?;
                Ok((recall.waiting(account, upto)?, shown.unwrap_or_default(), hash))
            })
            .await;
        let (pending, shown) = match counted {
            Ok((pending, shown, now)) if now == hash => (pending, shown),
            // Refused: so the session must be nobody's again.
            Ok(_) => {
                self.retreat();
                return Err(Refusal::WrongSecret.into());
            }
            Err(e) => {
                self.retreat();
                return Err(e.into());
            }
        };
        self.say(|out| reply::ok(out, &Reply::LoggedIn { handle, pending }));
        if !quiet {
            let shown = if entered.company { entered.upto.moves } else { shown };
            self.catch_up(entered.upto, shown).await?;
        }
        Ok(None)
    }

    fn begin(&mut self, entered: &Entered, handle: Handle, quiet: bool) {
        self.deadline = None;
        if let Some(time) = self.services.idle {
            self.set_deadline(time, Bye::Idle);
        }
        self.me = Some(Box::new(Me {
            account: entered.account,
            handle,
            auto: false,
            receipts: !quiet,
            sent: Default::default(),
            unacked: Vec::new(),
            unread: Vec::new(),
            newest: None,
            listed: None,
            moves: entered.upto.moves,
            behind: None,
        }));
    }

    async fn passwd(&mut self, old: Secret, new: Secret) -> Answer {
        let id = self.me()?.account;
        let known = self.ask(move |recall| recall.secret(id)).await?;
        if !self.services.hasher.verify(old.0, known).await? {
            return Err(Refusal::WrongSecret.into());
        }
        let secret = self.services.hasher.hash(new.0).await?;
        self.unanswered += 1;
        self.act(vec![Act::SetSecret(secret)]);
        Ok(None)
    }

    async fn talk(&mut self, to: Target, raw: bool) -> Answer {
        match self.find(&to).await {
            Ok(_) => {
                self.mode = if raw { Mode::Raw(to.clone()) } else { Mode::Talk(to.clone()) };
                Ok(Some(Reply::Talking(Some(to))))
            }
            Err(Stop::Refused(refusal)) => {
                if raw {
                    self.mode = Mode::Refused(refusal.clone());
                }
                Err(refusal.into())
            }
            Err(end) => Err(end),
        }
    }

    /// Rows go out page by page, and no event comes between them: the outbox waits meanwhile.
    async fn hist(&mut self, hist: Hist) -> Answer {
        let me = self.me()?.account;
        let other = self.find(&hist.to).await?.id;
        let query = SpanQuery { count: hist.count, before: hist.before, after: hist.after };
        let span = self
            .ask(move |recall| match recall.direct(Pair::of(me, other))? {
                Some(conversation) => recall.span(conversation.id, &query),
                None => Ok(store::Span::default()),
            })
            .await?;
        let count = span.ids.len();
        self.me()?.listed = span.ids.last().map(|id| (hist.to, *id));
        let mut ids = span.ids;
        while !ids.is_empty() {
            let wanted = ids.clone();
            let rows = self.ask(move |recall| recall.entries(me, &wanted)).await?;
            if rows.is_empty() {
                return Err(Refusal::Bug.into());
            }
            ids.drain(..rows.len());
            let mut lines = Vec::new();
            for row in &rows {
                reply::hist(&mut lines, row);
            }
            self.output.push(Item::Replies(lines));
            if !ids.is_empty() {
                self.flush().await?;
            }
        }
        Ok(Some(Reply::Listed { count, more: span.more }))
    }
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
    }
}
