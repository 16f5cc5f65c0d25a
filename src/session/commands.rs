//! The commands that a session carries out itself: all that are not acts for the hub.
//!
//! Each runs after all earlier ones have been answered, so it sees their effects.

use super::answer::{Answer, Halt};
use super::intake::Held;
use super::{End, Me, Mode, Session};
use crate::entry::{AccountId, ConversationId};
use crate::group_rules::Permitted;
use crate::name::Target;
use crate::readers::Asker;
use crate::store::{self, Account, Pair, Reader};
use crate::wire::refusal::Refusal;
use crate::wire::reply::{self, Reply};
use crate::wire::request::{Query, SessionCommand, Setting};
use crate::wire::rows::{Bye, ErrLine, HelpLine};
use crate::wire::{help, suggestions};

impl Session {
    pub(super) async fn carry_out(&mut self, held: Held) -> Result<(), End> {
        match held {
            Held::Stranger(bye) => Err(End::Bye(bye)),
            Held::Refused { verb, refusal, sink } => {
                self.services.counters.refuse(refusal.code());
                self.say(|out| ErrLine::write_refusal(out, &verb, &refusal));
                if verb == "PUT" {
                    // A line that could not be read is a hole in the file all the same.
                    self.spoil();
                }
                if sink {
                    self.mode = Some(Box::new(Mode::Refused(refusal)));
                }
                Ok(())
            }
            Held::EndOfTalk => {
                self.mode = None;
                self.say(|out| Reply::Talking(None).write(out));
                Ok(())
            }
            Held::Query { verb, query } => {
                let answer = self.answer_query(query).await;
                self.reply(verb, answer)
            }
            Held::Command { verb, command } => {
                let answer = self.carry_out_command(command).await;
                self.reply(verb, answer)
            }
            Held::Last { verb, act, bytes } => {
                let act = self.resolve(verb, act).map_err(|_| Refusal::NothingSentYet.into());
                let act =
                    act.and_then(|act| self.spend(&act, bytes).map(|()| act).map_err(Halt::from));
                match act {
                    Ok(act) => self.hand_over(vec![act], bytes),
                    Err(halt) => self.reply(verb, Err(halt))?,
                }
                Ok(())
            }
            Held::NothingSent { cursor, to } => {
                let answer = match to {
                    Some(to) => self.nothing_sent(to).await,
                    None => Ok(Some(Reply::Moved { cursor, id: None })),
                };
                self.reply(reply::verb(cursor), answer)
            }
        }
    }

    /// Writes the final line of a command, if `answer` has one.
    fn reply(&mut self, verb: &str, answer: Answer) -> Result<(), End> {
        match answer {
            Ok(Some(reply)) => self.say(|out| reply.write(out)),
            Ok(None) => {}
            Err(Halt::Refused(refusal)) => {
                self.services.counters.refuse(refusal.code());
                self.say(|out| ErrLine::write_refusal(out, verb, &refusal));
            }
            Err(Halt::End(end)) => return Err(end),
        }
        Ok(())
    }

    async fn answer_query(&mut self, query: Query) -> Answer {
        match query {
            Query::Whoami => {
                let account = self.account().await?;
                Ok(Some(Reply::You { handle: account.handle, name: account.name }))
            }
            Query::Hist(hist) => self.hist(hist).await,
            Query::Search(search) => self.search(search).await,
            Query::Sync(after) => self.sync(after).await,
            Query::Chats => self.chats().await,
            Query::Info(which) => self.info(which).await,
            Query::Marks { which, after } => self.marks(which, after).await,
            Query::File { which, from } => self.get(which, from).await,
            Query::Preferences => self.preferences().await,
            Query::Later => self.later().await,
            Query::Find { text } => self.find_people(&text).await,
            Query::Groups => self.groups().await,
            Query::OpenGroups => self.open_groups().await,
            Query::Rules(name) => self.group_rules(name).await,
            Query::Who(name) => self.members(name).await,
            Query::Blocks => self.blocks().await,
            Query::Tokens => self.tokens().await,
            Query::Devices => self.devices().await,
            Query::Links => self.links().await,
        }
    }

    async fn carry_out_command(&mut self, command: SessionCommand) -> Answer {
        match command {
            SessionCommand::Quit => {
                self.say(|out| Reply::Quit.write(out));
                Err(Halt::End(End::Bye(Bye::Quit)))
            }
            SessionCommand::Ping { text } => Ok(Some(Reply::Pong(text))),
            SessionCommand::Help { verb: None } => {
                let (listener, me) = (self.listener, self.me.as_ref().map(|me| me.handle.clone()));
                Ok(Some(self.helped(&help::overview(listener, me.as_ref()))))
            }
            SessionCommand::Help { verb: Some(word) } => match help::of(&word, self.listener) {
                Some(lines) => Ok(Some(self.helped(&lines))),
                None => {
                    let verb = help::verb(&word);
                    let there = verb.and_then(|verb| verb.served.elsewhere(self.listener));
                    let suggest = || suggestions::suggest(&word, self.listener);
                    let unknown = || Refusal::BadCommand { suggestion: suggest() };
                    Err(there.map_or_else(unknown, |there| Refusal::NotHere { there }).into())
                }
            },
            SessionCommand::Register { handle, password, invitation, name } => {
                self.register(handle, password, invitation, name).await
            }
            SessionCommand::Login { handle, device, secret, events } => {
                let answer = self.login((handle, device), secret, events).await;
                if matches!(answer, Err(Halt::Refused(_))) {
                    self.services.counters.logins_refused.add(1);
                }
                answer
            }
            SessionCommand::Passwd { old, new } => self.passwd(old, new).await,
            SessionCommand::Put(bytes) => self.put(bytes).await,
            SessionCommand::SendFile { to, name, once } => self.send_file(to, name, once).await,
            SessionCommand::Talk { to, raw } => self.talk(to, raw).await,
            SessionCommand::Set(setting) => {
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
                // Entries sent before the setting also count as delivered.
                self.acknowledge_automatically();
                Ok(Some(Reply::Set(setting)))
            }
            SessionCommand::Wait { which, until, seconds } => self.wait_for(which, until, seconds),
            SessionCommand::NewToken { label, to } => self.new_token(label, to).await,
            SessionCommand::Invite { name, uses, seconds } => self.invite(name, uses, seconds),
            SessionCommand::Link => self.link(),
            SessionCommand::Admin(asked) => self.administer(asked).await,
        }
    }

    /// Refuses `ACK` or `READ` of a conversation of which this session was sent nothing.
    async fn nothing_sent(&mut self, to: Target) -> Answer {
        self.find(&to).await?;
        Err(Refusal::NothingSent(to).into())
    }

    fn helped(&mut self, lines: &[String]) -> Reply {
        self.say(|out| {
            for text in lines {
                HelpLine { text: text.into() }.write(out);
            }
        });
        Reply::Helped
    }

    pub(super) fn me(&mut self) -> Result<&mut Me, Halt> {
        self.me.as_deref_mut().ok_or(Halt::Refused(Refusal::NeedLogin))
    }

    /// Asks a reader thread and waits for the answer, or until the session must end. Then waits for
    /// this session's turn.
    pub(super) async fn ask<T: Send + 'static>(
        &mut self,
        question: impl FnOnce(&mut dyn Reader) -> Result<T, store::Error> + Send + 'static,
    ) -> Result<T, Halt> {
        self.ask_as(false, question).await
    }

    /// The same for logins, which have a reader of their own.
    pub(super) async fn ask_at_login<T: Send + 'static>(
        &mut self,
        question: impl FnOnce(&mut dyn Reader) -> Result<T, store::Error> + Send + 'static,
    ) -> Result<T, Halt> {
        self.ask_as(true, question).await
    }

    /// The same for questions of a login that are small as a rule: those that are, and for which
    /// nobody has to wait, are answered without a thread.
    pub(super) async fn ask_little<T: Send + 'static>(
        &mut self,
        question: impl Fn(&mut dyn Reader) -> Result<T, store::Error> + Send + 'static,
    ) -> Result<T, Halt> {
        if let Some(answer) = self.services.readers.answer_now(&question) {
            self.give_way().await;
            return Ok(answer?);
        }
        self.ask_at_login(question).await
    }

    async fn ask_as<T: Send + 'static>(
        &mut self,
        logs_in: bool,
        question: impl FnOnce(&mut dyn Reader) -> Result<T, store::Error> + Send + 'static,
    ) -> Result<T, Halt> {
        let services = self.services.clone();
        let account = self.me.as_ref().map(|me| me.account);
        let asker = Asker { origin: self.origin(), account, logs_in };
        let answer = self.or_end(services.readers.ask(asker, question)).await??;
        self.queue_up().await;
        Ok(answer)
    }

    pub(super) async fn account(&mut self) -> Result<Account, Halt> {
        let id = self.me()?.account;
        let found = self.ask(move |reader| reader.account_by_id(id)).await?;
        Ok(found.ok_or(Refusal::Bug)?)
    }

    /// The conversation with a target, if there is one yet. Refused if the target is unknown, or a
    /// group that the account was never in.
    pub(super) async fn find(&mut self, to: &Target) -> Result<Option<ConversationId>, Halt> {
        let me = self.me()?.account;
        let asked = to.clone();
        Ok(self.ask(move |reader| find(reader, me, &asked)).await??)
    }

    /// Refuses if no message can be sent to the target.
    pub(super) async fn may_write(&mut self, to: &Target) -> Result<(), Halt> {
        let me = self.me()?.account;
        let asked = to.clone();
        let refused = self.ask(move |reader| match asked {
            Target::Group(name) => {
                let Some((id, true)) = reader.membership(me, &name)? else {
                    return Ok(Some(Refusal::NoSuchGroup(name)));
                };
                if reader.group_rules(id)?.write == Permitted::All {
                    return Ok(None);
                }
                let row = reader.group_rows(me, &[id])?.rows.pop();
                let is_admin = row.is_some_and(|row| row.admin == Some(true));
                Ok((!is_admin).then_some(Refusal::OnlyAdminsWrite(name)))
            }
            Target::Person(handle) => match reader.account(&handle)? {
                None => Ok(Some(Refusal::NoSuchUser(handle))),
                Some(other) if other.gone => Ok(Some(Refusal::NoSuchUser(handle))),
                Some(other) if reader.blocked(other.id, me)? => Ok(Some(Refusal::Blocked(handle))),
                Some(_) => Ok(None),
            },
        });
        refused.await?.map_or(Ok(()), |refusal| Err(refusal.into()))
    }

    async fn talk(&mut self, to: Target, raw: bool) -> Answer {
        match self.may_write(&to).await {
            Ok(()) => {
                let mode = if raw { Mode::Raw } else { Mode::Talk };
                self.mode = Some(Box::new(mode(to.clone())));
                Ok(Some(Reply::Talking(Some(to))))
            }
            Err(Halt::Refused(refusal)) => {
                // A script's `TALK $to raw` with an empty variable becomes a TALK with someone
                // called raw.
                if raw || matches!(&to, Target::Person(handle) if handle.as_str() == "raw") {
                    self.mode = Some(Box::new(Mode::Refused(refusal.clone())));
                }
                Err(refusal.into())
            }
            Err(end) => Err(end),
        }
    }
}

/// As [`Session::find`], on a reader thread.
pub(super) fn find(
    reader: &mut dyn Reader,
    me: AccountId,
    to: &Target,
) -> Result<Result<Option<ConversationId>, Refusal>, store::Error> {
    Ok(match to {
        Target::Group(name) => {
            let known = reader.membership(me, name)?;
            known.map(|(id, _)| Some(id)).ok_or_else(|| Refusal::NoSuchGroup(name.clone()))
        }
        Target::Person(handle) => match reader.account(handle)? {
            Some(other) => Ok(reader.direct(Pair::of(me, other.id))?.map(|direct| direct.id)),
            None => Err(Refusal::NoSuchUser(handle.clone())),
        },
    })
}
