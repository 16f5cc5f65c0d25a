//! `AT` and `UNLESS`: commands that are put off, and carried out when they are due, as if their account
//! had typed them then.
//!
//! The hub asks for those that are due ([`super::Chat::carry_out_later`]). A message that is sent in
//! this way says so with its tag `late`. It comes from no session, so every session of its author
//! is sent it; in one's own notes it waits like one from somebody else.

use super::messages::NewMessage;
use super::stop::{Stop, both};
use super::{Act, Awaited, Chat, Plan, Who};
use crate::entry::{AccountId, Condition, ConversationId, EntryId, EntryKind, Millis};
use crate::limits;
use crate::name::Target;
use crate::store::{Change, ConversationKind, Later, Need};
use crate::wire::refusal::Refusal;
use crate::wire::reply::Reply;
use crate::wire::request::{ActCommand, Command, DueTime, LaterCommand, Which};
use crate::wire::rows::ErrLine;
use crate::wire::{help, request, text};

/// A change of what an account has carried out later.
pub(super) enum LaterPlan {
    /// The command itself stays in the act.
    Schedule {
        verb: &'static str,
        number: u64,
        due: Millis,
        unless: Option<(EntryId, Condition)>,
    },
    Strike {
        number: u64,
    },
}

/// Whether a command that is due is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// It is.
    Yes,
    /// What it waited for has come about, or cannot any more.
    No,
    /// It is unless this message has been answered.
    Unanswered(EntryId),
}

impl Act {
    /// An act that puts a command off. `last` is the message that the command calls so, if it does.
    ///
    /// # Errors
    /// The command cannot be read.
    pub fn schedule(
        due: DueTime,
        unless: Option<(EntryId, Condition)>,
        later: &LaterCommand,
        last: Option<EntryId>,
    ) -> Result<Act, Refusal> {
        // In this form it is stored.
        let command = match last {
            Some(last) => format!("{} {}", last.0, later.typed).into(),
            None => later.typed.clone(),
        };
        let act = Box::new(Act::stored(&command)?);
        Ok(Act::Schedule { due, unless, act, command })
    }

    /// The act of a stored command.
    ///
    /// # Errors
    /// It cannot be read, for example by another version of papod than the one that stored it.
    pub fn stored(command: &str) -> Result<Act, Refusal> {
        let (last, typed) = typed(command);
        let verb = help::verb(request::first_word(typed)).ok_or(Refusal::Bug)?;
        let which = |which| match which {
            Which::Id(id) => Ok(id),
            Which::Last => last.ok_or(Refusal::NothingSentYet),
        };
        match help::read(verb, typed)?.command {
            Command::Act(ActCommand::Send { to, body, once }) => Ok(Act::Send { to, body, once }),
            Command::Act(ActCommand::Answer { about, body, once }) => {
                Ok(Act::Answer { about: which(about)?, body, once })
            }
            Command::Act(ActCommand::Forward { about, to, once }) => {
                Ok(Act::Forward { about: which(about)?, to, once })
            }
            _ => Err(Refusal::Bug),
        }
    }
}

/// A stored command as it was typed, and the message that it calls `last`, if it does: the id of that
/// stands before it.
pub fn typed(command: &str) -> (Option<EntryId>, &str) {
    let split = command.split_once(' ').and_then(|(id, typed)| Some((id.parse().ok()?, typed)));
    split.map_or((None, command), |(id, typed)| (Some(EntryId(id)), typed))
}

impl Chat {
    /// Plans to put a command off. What can be refused already is refused.
    pub(super) fn plan_schedule(
        &self,
        who: Who,
        due: DueTime,
        unless: Option<(EntryId, Condition)>,
        act: &Act,
        now: Millis,
    ) -> Result<Plan, Stop> {
        let due = due.from(now)?;
        let own: Result<(), Stop> = unless.map_or(Ok(()), |(id, _)| {
            let subject = self.subject(who.account, id)?.standing()?;
            if subject.pos.author != who.account {
                return Err(Refusal::NoSuchMessage(id.0).into());
            }
            Ok(())
        });
        let known = self.directory.later(who.account);
        let ((), (kept, _)) = both(own, both(known, self.plan(who, act, now).map(drop)))?;
        if kept.waiting.len() >= limits::LATER {
            return Err(Refusal::TooManyOf("commands waiting; AT shows them").into());
        }
        let verb = if unless.is_some() { "UNLESS" } else { "AT" };
        let number = kept.newest + 1;
        Ok(Plan::Later(LaterPlan::Schedule { verb, number, due, unless }))
    }

    pub(super) fn plan_unschedule(&self, who: Who, number: u64) -> Result<Plan, Stop> {
        match self.directory.later(who.account)?.waiting.contains(&number) {
            true => Ok(Plan::Later(LaterPlan::Strike { number })),
            false => Err(Refusal::NothingLater(number).into()),
        }
    }

    pub(super) fn change_later(
        &mut self,
        who: Who,
        plan: LaterPlan,
        command: Box<str>,
        now: Millis,
    ) {
        let account = who.account;
        match plan {
            LaterPlan::Schedule { verb, number, due, unless } => {
                if let Some(kept) = self.directory.later_mut(account) {
                    kept.newest = number;
                    kept.waiting.push(number);
                }
                let later = Later { number, due, unless, command };
                if due <= now {
                    self.at_once = Some((account, later.clone()));
                } else {
                    self.soonest = self.soonest.into_iter().chain([due]).min();
                }
                self.batch.changes.push(Change::Later { account, later });
                let reply = Reply::Scheduled { verb, number, time: due };
                self.answer(who, verb, Ok(reply));
            }
            LaterPlan::Strike { number } => {
                self.strike(account, number);
                self.answer(who, "AT", Ok(Reply::Unscheduled { number }));
            }
        }
    }

    /// The command that was just put off, if it is due already.
    pub fn take_at_once(&mut self) -> Option<(AccountId, Later)> {
        self.at_once.take()
    }

    fn strike(&mut self, account: AccountId, number: u64) {
        if let Some(kept) = self.directory.later_mut(account) {
            kept.waiting.retain(|waiting| *waiting != number);
        }
        self.batch.changes.push(Change::LaterDone { account, number });
    }

    /// When the first of the commands is due that were put off since this was last asked.
    pub fn soonest(&mut self) -> Option<Millis> {
        self.soonest.take()
    }

    /// Whether a command that is due is to be carried out.
    ///
    /// # Errors
    /// What has to be looked up first.
    pub fn is_due(&self, account: AccountId, later: &Later) -> Result<Due, Stop> {
        let Some((id, until)) = later.unless else { return Ok(Due::Yes) };
        let awaited = self.subject(account, id).and_then(|subject| {
            let awaited = self.awaited(Who::without_session(account), until, id)?;
            Ok((subject.message.gone.is_some(), awaited))
        });
        match awaited {
            Err(Stop::Refused(_)) | Ok((true, _)) => Ok(Due::No),
            Err(needs) => Err(needs),
            Ok((false, Awaited { pos, .. })) if until == Condition::Answered => {
                let is_answered = self.is_answered(account, id, pos.conversation);
                Ok(if is_answered { Due::No } else { Due::Unanswered(id) })
            }
            Ok((false, Awaited { count, .. })) => Ok(if count > 0 { Due::Yes } else { Due::No }),
        }
    }

    /// Whether this batch has answered a message: the store does not know of that yet.
    fn is_answered(&self, author: AccountId, id: EntryId, of: ConversationId) -> bool {
        let log = self.directory.cached(of);
        let direct = log.is_some_and(|log| matches!(log.kind, ConversationKind::Direct(_)));
        self.batch.changes.iter().any(|change| match change {
            Change::Entry(new) if new.pos.author != author && new.pos.conversation == of => {
                let re = new.tags.as_ref().and_then(|tags| tags.re);
                match new.kind {
                    EntryKind::Message => re == Some(id) || (direct && new.pos.id > id),
                    EntryKind::React => re == Some(id) && &*new.body != "-",
                    _ => false,
                }
            }
            _ => false,
        })
    }

    /// Strikes a command that is due and not to be carried out.
    ///
    /// # Errors
    /// What has to be looked up first.
    pub fn drop_later(&mut self, account: AccountId, number: u64) -> Result<(), Stop> {
        if self.directory.later(account)?.waiting.contains(&number) {
            self.strike(account, number);
        }
        Ok(())
    }

    /// Carries out a command that is due, and strikes it. `act` is what it says. If it is refused,
    /// its account gets a message to itself.
    ///
    /// # Errors
    /// What has to be looked up first.
    pub fn carry_out_later(
        &mut self,
        account: AccountId,
        later: &Later,
        act: &mut Result<Act, Refusal>,
        now: Millis,
    ) -> Result<(), Stop> {
        let who = Who::without_session(account);
        if let Some(mut message) = self.plan_later(who, later, act, now)? {
            message.tags.get_or_insert_default().late = Some(later.number);
            let text = act.as_mut().map_or(Box::default(), Act::take_text);
            self.send(who, message, text, now);
        }
        self.strike(account, later.number);
        Ok(())
    }

    /// What has to be looked up before a command that is due can be carried out.
    pub fn missing_later(
        &self,
        account: AccountId,
        later: &Later,
        act: &Result<Act, Refusal>,
        now: Millis,
    ) -> Vec<Need> {
        let plan = self.plan_later(Who::without_session(account), later, act, now).map(drop);
        match both(self.is_due(account, later), plan) {
            Err(Stop::Needs(needs)) => needs,
            Ok(_) | Err(Stop::Refused(_)) => Vec::new(),
        }
    }

    /// The message that a command sends, or that says why it does not; `None`: there is nothing to do.
    fn plan_later(
        &self,
        who: Who,
        later: &Later,
        act: &Result<Act, Refusal>,
        now: Millis,
    ) -> Result<Option<NewMessage>, Stop> {
        let is_disabled = self.directory.account(who.account)?.disabled;
        let planned = match act {
            Ok(_) if is_disabled => Err(Refusal::Disabled.into()),
            Ok(act) => self.plan(who, act, now),
            Err(refusal) => Err(refusal.clone().into()),
        };
        // Whoever strikes it in this batch has to know that it is done.
        let kept = self.directory.later(who.account);
        let refusal = match both(kept, planned) {
            Ok((kept, _)) if !kept.waiting.contains(&later.number) => return Ok(None),
            Ok((_, Plan::Send(message))) => return Ok(Some(message)),
            // It was sent before under the same key.
            Ok(_) => return Ok(None),
            Err(Stop::Refused(refusal)) => refusal,
            Err(needs) => return Err(needs),
        };
        let me = self.directory.account(who.account)?;
        let to = Target::Person(me.handle.clone());
        let destination = match self.conversation_for(who.account, &to) {
            Ok(destination) => destination,
            // The account was deleted.
            Err(Stop::Refused(_)) => return Ok(None),
            Err(needs) => return Err(needs),
        };
        let verb = act.as_ref().map_or("AT", Act::verb);
        let from = me.handle.clone();
        let (tags, once) = (None, None);
        let text = Some(notice(verb, &refusal, &later.command));
        let file = None;
        Ok(Some(NewMessage { verb: "MSG", from, to, destination, once, tags, text, file }))
    }
}

/// The text of the message that says why a command was not carried out.
fn notice(verb: &str, refusal: &Refusal, command: &str) -> Box<str> {
    let mut line = Vec::new();
    ErrLine::write_refusal(&mut line, verb, refusal);
    let line = String::from_utf8_lossy(&line);
    // In a message the command looks as it was typed.
    let typed = text::unescape(typed(command).1);
    format!("not sent: {}: {typed}", line.trim_end()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_command_is_shown_as_it_was_typed() {
        assert_eq!(typed("MSG bob 17 x"), (None, "MSG bob 17 x"));
        assert_eq!(typed("17 RE last x"), (Some(EntryId(17)), "RE last x"));
        let act = Act::stored("17 ONCE k RE last x").unwrap();
        assert!(matches!(act, Act::Answer { about: EntryId(17), .. }), "{act:?}");
        assert_eq!(Act::stored("RE last x").unwrap_err(), Refusal::NothingSentYet);
        assert_eq!(Act::stored("DEL 1").unwrap_err(), Refusal::Bug);
    }

    #[test]
    fn a_notice_shows_the_refusal_and_the_command() {
        let refusal = Refusal::NoSuchMessage(17);
        assert_eq!(
            &*notice("RE", &refusal, r"17 RE last a\nb"),
            "not sent: ERR RE no-such-message 17: no message of yours has this id: RE last a\nb"
        );
    }
}
