//! The commands that a session carries out itself: everything that is not an act for the hub.
//!
//! Each runs when all before it are answered, so it sees their effect.

use super::answer::{Answer, Stop};
use super::intake::Held;
use super::{End, Me, Mode, Session};
use crate::entry::{AccountId, ConversationId};
use crate::name::Target;
use crate::readers::Asker;
use crate::store::{self, Account, Pair, Recall};
use crate::wire::refusal::Refusal;
use crate::wire::reply::{self, Reply};
use crate::wire::request::{Request, Setting, Upto};
use crate::wire::rows::{Bye, ErrLine, HelpLine};
use crate::wire::{help, hints};

impl Session {
    /// Carries out what was held.
    pub(super) async fn carry_out(&mut self, held: Held) -> Result<(), End> {
        match held {
            Held::Stranger(bye) => Err(End::Bye(bye)),
            Held::Refused { verb, refusal, sink } => {
                self.services.counters.refuse(refusal.code());
                self.say(|out| ErrLine::write_refusal(out, &verb, &refusal));
                if sink {
                    self.mode = Mode::Refused(Box::new(refusal));
                }
                Ok(())
            }
            Held::EndOfTalk => {
                self.mode = Mode::Commands;
                self.say(|out| Reply::Talking(None).write(out));
                Ok(())
            }
            Held::Asked(request) => {
                let verb = verb(&request);
                match self.answer(request).await {
                    Ok(Some(answer)) => self.say(|out| answer.write(out)),
                    Ok(None) => {}
                    Err(Stop::Refused(refusal)) => {
                        self.services.counters.refuse(refusal.code());
                        self.say(|out| ErrLine::write_refusal(out, verb, &refusal));
                    }
                    Err(Stop::End(end)) => return Err(end),
                }
                Ok(())
            }
        }
    }

    async fn answer(&mut self, request: Request) -> Answer {
        match request {
            Request::Quit => {
                self.say(|out| Reply::Quit.write(out));
                Err(Stop::End(End::Bye(Bye::Quit)))
            }
            Request::Ping { text } => Ok(Some(Reply::Pong(text))),
            Request::Help { verb: None } => {
                let (place, me) = (self.place, self.me.as_ref().map(|me| me.handle.clone()));
                Ok(Some(self.helped(&help::overview(place, me.as_ref()))))
            }
            Request::Help { verb: Some(word) } => match help::of(&word, self.place) {
                Some(lines) => Ok(Some(self.helped(&lines))),
                None => {
                    let hint = hints::hint(&word, self.place);
                    Err(Refusal::BadCommand { hint }.into())
                }
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
                    Setting::Receipts(receipts) => {
                        me.receipts = receipts;
                        if !receipts {
                            me.proof.withhold();
                        }
                    }
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
            Request::Link { user: None, .. } => self.link(),
            Request::Links => self.links().await,
            Request::Admin(asked) => self.administer(asked).await,
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
            | Request::DropToken { .. }
            | Request::Link { .. } => Err(Refusal::Bug.into()),
        }
    }

    fn helped(&mut self, lines: &[String]) -> Reply {
        self.say(|out| {
            for text in lines {
                HelpLine { text: text.into() }.write(out);
            }
        });
        Reply::Helped
    }

    pub(super) fn me(&mut self) -> Result<&mut Me, Stop> {
        self.me.as_deref_mut().ok_or(Stop::Refused(Refusal::NeedLogin))
    }

    /// Asks a reader thread, and waits for the answer or until the session is to end. The answer is
    /// taken up when it is this session's turn.
    pub(super) async fn ask<T: Send + 'static>(
        &mut self,
        question: impl FnOnce(&mut dyn Recall) -> Result<T, store::Error> + Send + 'static,
    ) -> Result<T, Stop> {
        self.ask_as(false, question).await
    }

    /// The same for what a log-in needs: there is a reader that nothing else can fill.
    pub(super) async fn ask_at_login<T: Send + 'static>(
        &mut self,
        question: impl FnOnce(&mut dyn Recall) -> Result<T, store::Error> + Send + 'static,
    ) -> Result<T, Stop> {
        self.ask_as(true, question).await
    }

    async fn ask_as<T: Send + 'static>(
        &mut self,
        logs_in: bool,
        question: impl FnOnce(&mut dyn Recall) -> Result<T, store::Error> + Send + 'static,
    ) -> Result<T, Stop> {
        let services = self.services.clone();
        let account = self.me.as_ref().map(|me| me.account);
        let asker = Asker { origin: self.origin(), account, logs_in };
        let answer = self.unless_over(services.readers.ask(asker, question)).await??;
        self.queue_up().await;
        Ok(answer)
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
                let is_in = recall.membership(me, &name)?.is_some_and(|(_, is_in)| is_in);
                Ok((!is_in).then_some(Refusal::NoSuchGroup(name)))
            }
            Target::Person(handle) => match recall.account(&handle)? {
                None => Ok(Some(Refusal::NoSuchUser(handle))),
                Some(other) if other.gone => Ok(Some(Refusal::NoSuchUser(handle))),
                Some(other) if recall.blocked(other.id, me)? => Ok(Some(Refusal::Blocked(handle))),
                Some(_) => Ok(None),
            },
        });
        refused.await?.map_or(Ok(()), |refusal| Err(refusal.into()))
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
}

/// The conversation of `me` with a target, if there is one yet.
pub(super) fn find(
    recall: &mut dyn Recall,
    me: AccountId,
    to: &Target,
) -> Result<Result<Option<ConversationId>, Refusal>, store::Error> {
    Ok(match to {
        Target::Group(name) => {
            let known = recall.membership(me, name)?;
            known.map(|(id, _)| Some(id)).ok_or_else(|| Refusal::NoSuchGroup(name.clone()))
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
        Request::Link { .. } | Request::Links => "UID",
        Request::Admin(_) => "ADMIN",
    }
}
