//! Input: lines are parsed in order, as far as earlier ones allow.
//!
//! All acts in the bytes of one read go to the hub at once. A command that the session carries out
//! itself waits until everything before it has been answered.

use std::borrow::Cow;
use std::time::Instant;

use smol::Timer;

use super::warnings::Obstacle;
use super::{End, Mode, Session};
use crate::chat::Act;
use crate::entry::Cursor;
use crate::limits;
use crate::name::Target;
use crate::rates::TooFast;
use crate::wire::help::ListenerKind;
use crate::wire::line::{self, Next};
use crate::wire::refusal::{Refusal, Suggestion};
use crate::wire::request::{
    self, ActCommand, Command, GroupChange, Query, Request, SessionCommand, Upto, Which,
};
use crate::wire::rows::Bye;
use crate::wire::{help, reply, suggestions, telnet, text};

/// Cost of a change of an account, its tokens or its linked users, in `ACK`s.
pub(super) const CHANGE: usize = 10;

/// A line that the session answers itself, once everything before it has been answered.
pub enum Held {
    /// A question to the readers.
    Query { verb: &'static str, query: Query },
    /// A command for the session itself.
    Command { verb: &'static str, command: SessionCommand },
    /// A bare `ACK` or `READ`, or one with a name, of a session that was sent nothing: in this
    /// conversation, or at all.
    NothingSent { cursor: Cursor, to: Option<Target> },
    /// A command about the last message that this session sent, which may be among those before it.
    Last { verb: &'static str, act: ActCommand, bytes: usize },
    /// A lone `/` in `TALK`.
    EndOfTalk,
    /// A line that cannot be carried out. `sink`: it was a `TALK … raw`, so the lines after it were
    /// never meant as commands.
    Refused { verb: Cow<'static, str>, refusal: Refusal, sink: bool },
    /// The client speaks HTTP or TLS and is sent `BYE`.
    Stranger(Bye),
}

/// Why no more lines are parsed for now.
pub enum Pause {
    /// No complete line is left.
    Input,
    /// A command waits until earlier ones are answered.
    Turn,
    /// Too many commands or replies are under way, or the account is delayed.
    Window,
}

enum Parsed {
    /// An act for the hub.
    Act { verb: &'static str, act: ActCommand },
    /// A line for the session itself.
    Held(Held),
    /// A blank line.
    Nothing,
}

impl Session {
    /// Carries out the lines received so far, until one has to wait.
    #[expect(clippy::manual_async_fn, reason = "one holds its arguments twice")]
    pub(super) fn work(&mut self) -> impl Future<Output = Result<Pause, End>> + Send {
        async move {
            loop {
                // The rest of the input is dropped: the session's credential may have been revoked.
                if let Some(bye) = self.outbox.bye() {
                    return Err(End::Bye(bye));
                }
                self.give_way().await;
                if !self.hand_over_lines() {
                    continue;
                }
                if self.held.is_none() {
                    return Ok(if self.has_window() { Pause::Input } else { Pause::Window });
                }
                if self.unanswered > 0 {
                    return Ok(Pause::Turn);
                }
                // Earlier answers and events go out first, so a bare `ACK` covers them.
                self.write()?;
                if self.outbox.bye().is_none()
                    && let Some(held) = self.held.take()
                {
                    Box::pin(self.carry_out(*held)).await?;
                }
            }
        }
    }

    /// Hands over the acts of the next lines. False: there may be more.
    fn hand_over_lines(&mut self) -> bool {
        let (acts, bytes) = self.take_acts();
        let is_all = acts.len() < limits::TAKEN;
        self.hand_over(acts, bytes);
        is_all
    }

    /// Parses lines until one has to wait, the window is full, or none is left; at most
    /// [`limits::TAKEN`] acts. Returns them and the size of their lines in bytes.
    fn take_acts(&mut self) -> (Vec<Act>, usize) {
        let (mut acts, mut all_bytes) = (Vec::new(), 0);
        while self.held.is_none()
            && acts.len() < limits::TAKEN
            && self.has_window_beside(acts.len(), all_bytes)
        {
            let (known, listener) = (self.me.is_some(), self.listener);
            let (mode, has_ended) = (self.mode.as_deref(), self.lines.has_ended());
            let (parsed, bytes) = match self.lines.next_line() {
                Next::Line(line) => (parse(line, mode, known, listener), line.len()),
                Next::TooLong(line) => (too_long(line, mode), 0),
                Next::Tls => (Parsed::Held(Held::Stranger(Bye::NotTls)), 0),
                Next::Partial if has_ended => match self.lines.rest() {
                    Some(line) => (parse(&line, mode, known, listener), line.len()),
                    None => break,
                },
                Next::Partial => break,
            };
            let only = self.me.as_ref().and_then(|me| me.only());
            let parsed = match only {
                Some(only) => only_to(only, parsed),
                None => parsed,
            };
            let held = match parsed {
                Parsed::Nothing => continue,
                Parsed::Held(held) => held,
                Parsed::Act { verb, act } if is_about_last(&act) => Held::Last { verb, act, bytes },
                Parsed::Act { verb, act } => match self.resolve(verb, act) {
                    Ok(act) => match self.spend(&act, bytes) {
                        Ok(()) => {
                            all_bytes += bytes;
                            acts.push(match self.stream.take_once() {
                                Some(once) => Act::Once { once, act: Box::new(act) },
                                None => act,
                            });
                            continue;
                        }
                        Err(TooFast(seconds)) => {
                            let refusal = Refusal::TooFast { seconds };
                            Held::Refused { verb: verb.into(), refusal, sink: false }
                        }
                    },
                    Err(held) => held,
                },
            };
            self.held = Some(Box::new(held));
        }
        (acts, all_bytes)
    }

    /// Charges an act to its account's rates. If one is exceeded by little, the session parses no
    /// more lines for a while.
    pub(super) fn spend(&mut self, act: &Act, bytes: usize) -> Result<(), TooFast> {
        let (true, Some(me)) = (self.is_limited, &mut self.me) else {
            return Ok(());
        };
        let cost: usize = match act {
            Act::Send { .. }
            | Act::Answer { .. }
            | Act::Forward { .. }
            | Act::Once { .. }
            | Act::Edit { .. }
            | Act::Delete { .. }
            | Act::React { .. }
            | Act::Flag { .. }
            | Act::Expire { .. }
            | Act::SendFile { .. }
            | Act::Schedule { .. } => 0,
            Act::Group {
                change: GroupChange::New(handles) | GroupChange::Add(handles), ..
            } => handles.len() / 4,
            Act::Group { .. } => 0,
            Act::Advance { .. } | Act::AdvanceIn { .. } => 1,
            Act::AdvanceAll { ids, .. } => ids.len().max(1),
            Act::Block { .. } | Act::Unschedule { .. } => 2,
            Act::Rename(_)
            | Act::Prefer(_)
            | Act::SetSecret { .. }
            | Act::NewToken { .. }
            | Act::Invite { .. }
            | Act::DropToken { .. }
            | Act::Link { .. }
            | Act::DropDevice(_) => CHANGE,
        };
        let free = match act {
            Act::Advance { .. } | Act::AdvanceIn { .. } | Act::AdvanceAll { .. } => {
                cost.min(me.free_moves as usize)
            }
            _ => 0,
        };
        me.free_moves -= u32::try_from(free).unwrap_or(u32::MAX);
        let cost = cost - free;
        let is_entry = matches!(
            act,
            Act::Send { .. }
                | Act::Answer { .. }
                | Act::Forward { .. }
                | Act::Once { .. }
                | Act::Edit { .. }
                | Act::Delete { .. }
                | Act::React { .. }
                | Act::Flag { .. }
                | Act::Expire { .. }
                | Act::SendFile { .. }
                | Act::Schedule { .. }
                | Act::Group { .. }
        );
        if !is_entry {
            return match self.charge(cost) {
                // Its entries already count as covered, so it is delayed instead of refused.
                Err(TooFast(_)) if matches!(act, Act::AdvanceAll { .. }) => {
                    self.brake = Some(Box::new(Timer::after(limits::DELAY)));
                    Ok(())
                }
                charged => charged,
            };
        }
        let (account, rates, now) = (me.account, &self.services.rates, Instant::now());
        let makes_group = matches!(act, Act::Group { change: GroupChange::New(_), .. });
        // If the first refuses, nothing is spent; if a later one does, one message of the rate is.
        let this = &*self;
        let over = |flag| move |_: &TooFast| this.note(Obstacle::Limit(flag));
        let messages = rates.messages.spend(account, 1, now);
        let mut wait = messages.inspect_err(over("--limit-messages"))?;
        let bytes = rates.bytes.spend(account, bytes as u64, now);
        wait = wait.max(bytes.inspect_err(over("--limit-bytes"))?);
        if makes_group {
            let groups = rates.groups.spend(account, 1, now);
            wait = wait.max(groups.inspect_err(over("--limit-groups"))?);
        }
        if cost > 0 {
            let commands = rates.commands.spend(account, cost as u64, now);
            wait = wait.max(commands.inspect_err(over("--limit-commands"))?);
        }
        if !wait.is_zero() {
            self.brake = Some(Box::new(Timer::after(wait)));
        }
        Ok(())
    }

    /// Charges `cost`, in `ACK`s, to the account's rate of commands.
    pub(super) fn charge(&mut self, cost: usize) -> Result<(), TooFast> {
        if let (true, Some(me), 1..) = (self.is_limited, &self.me, cost) {
            let wait = self.services.rates.commands.spend(me.account, cost as u64, Instant::now());
            let over = |_: &TooFast| self.note(Obstacle::Limit("--limit-commands"));
            let wait = wait.inspect_err(over)?;
            if !wait.is_zero() {
                self.brake = Some(Box::new(Timer::after(wait)));
            }
        }
        Ok(())
    }

    /// Turns a command into an act. A bare `ACK` or `READ`, or one with a name, is resolved to the
    /// ids that this session was sent; if it was sent none, it is held and answered here.
    pub(super) fn resolve(&mut self, verb: &'static str, command: ActCommand) -> Result<Act, Held> {
        let refused = |refusal| Held::Refused { verb: verb.into(), refusal, sink: false };
        let which = |which| self.which(which).map_err(refused);
        Ok(match command {
            ActCommand::Answer { about, body, once } => {
                Act::Answer { about: which(about)?, body, once }
            }
            ActCommand::Forward { about, to, once } => {
                Act::Forward { about: which(about)?, to, once }
            }
            ActCommand::Edit { about, body } => Act::Edit { about: which(about)?, body },
            ActCommand::Delete { about } => Act::Delete { about: which(about)? },
            ActCommand::Schedule { due, unless, later } => {
                let unless = unless.map(|(id, until)| Ok((which(id)?, until))).transpose()?;
                let is_about_last = is_about_last(&later.command);
                let last = is_about_last.then(|| which(Which::Last)).transpose()?;
                Act::schedule(due, unless, &later, last).map_err(refused)?
            }
            ActCommand::Unschedule { number } => Act::Unschedule { number },
            ActCommand::React { about, word } => Act::React { about: which(about)?, word },
            ActCommand::Expire { to, seconds } => Act::Expire { to, seconds },
            ActCommand::Send { to, body, once } => Act::Send { to, body, once },
            ActCommand::Rename(name) => Act::Rename(name),
            ActCommand::Prefer(preference) => Act::Prefer(preference),
            ActCommand::Flag { to, flag, set } => Act::Flag { to, flag, set },
            ActCommand::Group { name, change } => Act::Group { name, change },
            ActCommand::Block { whom, on } => Act::Block { whom, on },
            ActCommand::DropDevice(name) => Act::DropDevice(name),
            ActCommand::DropToken { label } => Act::DropToken { label },
            ActCommand::Unlink { user } => Act::Link { user, on: false },
            ActCommand::Move { cursor, upto: Upto::Id(id) } => Act::Advance { cursor, id },
            ActCommand::Move { cursor, upto: Upto::Last(to) } => {
                let sent = self.me.as_ref().and_then(|me| me.sent.as_ref());
                match sent.and_then(|sent| sent.last(&to)) {
                    Some(id) => Act::AdvanceIn { cursor, id },
                    None => return Err(Held::NothingSent { cursor, to: Some(to) }),
                }
            }
            ActCommand::Move { cursor, upto: Upto::Everything } => {
                let lost_moves = self.me.as_ref().map_or(0, |me| me.lost_moves);
                let sent = self.me.as_mut().and_then(|me| me.sent.as_mut());
                match sent.map(|sent| (sent.newest(), sent)) {
                    Some((answer @ Some(_), sent)) => {
                        Act::AdvanceAll { cursor, ids: sent.cover(cursor), answer, lost_moves }
                    }
                    _ => return Err(Held::NothingSent { cursor, to: None }),
                }
            }
        })
    }
}

/// Whether a command is about the last message that its session sent.
fn is_about_last(act: &ActCommand) -> bool {
    match act {
        ActCommand::Answer { about, .. }
        | ActCommand::Forward { about, .. }
        | ActCommand::Edit { about, .. }
        | ActCommand::Delete { about }
        | ActCommand::React { about, .. } => *about == Which::Last,
        ActCommand::Schedule { unless: Some((Which::Last, _)), .. } => true,
        ActCommand::Schedule { later, .. } => is_about_last(&later.command),
        _ => false,
    }
}

fn parse(line: &[u8], mode: Option<&Mode>, known: bool, listener: ListenerKind) -> Parsed {
    let line = &*telnet::typed(line);
    if line.iter().all(|b| matches!(b, b' ' | b'\t')) {
        return Parsed::Nothing;
    }
    let Some(mode) = mode else {
        return command(line, known, listener);
    };
    let to = match mode {
        Mode::Talk(_) if is_slash(line) => {
            let line = &line[1..];
            if line.iter().all(|b| matches!(b, b' ' | b'\t')) {
                return Parsed::Held(Held::EndOfTalk);
            }
            let mut parsed = command(line, known, listener);
            if let Parsed::Held(Held::Refused {
                refusal: Refusal::BadCommand { suggestion }, ..
            }) = &mut parsed
            {
                *suggestion = Suggestion::Slash(Box::new(suggestion.clone()));
            }
            return parsed;
        }
        Mode::Talk(to) | Mode::Raw(to) => to,
        Mode::Refused(refusal) => return refused("MSG", Refusal::clone(refusal)),
    };
    match line::text(line) {
        Err(refusal) => refused("MSG", refusal),
        Ok(said) => {
            // `//` at the start stands for one slash.
            let said = match (mode, said.strip_prefix("//")) {
                (Mode::Talk(_), Some(_)) => &said[1..],
                _ => said,
            };
            let body = text::with_plain_breaks(text::trim(said)).into_owned();
            let act = ActCommand::Send { to: Target::clone(to), body, once: None };
            Parsed::Act { verb: "MSG", act }
        }
    }
}

/// Whether a line in `TALK` is a command.
fn is_slash(line: &[u8]) -> bool {
    line.starts_with(b"/") && !line.starts_with(b"//")
}

/// Parses a line, which is not blank, as a command.
fn command(line: &[u8], known: bool, listener: ListenerKind) -> Parsed {
    let said = match line::text(line) {
        Ok(said) => said,
        Err(refusal) => {
            let (verb, sink) = (verb_of(line), is_unreadable_raw(line));
            return Parsed::Held(Held::Refused { verb, refusal, sink });
        }
    };
    let word = request::first_word(said);
    let Some(verb) = help::verb(word) else {
        if request::is_http(said) {
            return Parsed::Held(Held::Stranger(Bye::NotHttp));
        }
        let suggestion = suggestions::suggest(word, listener);
        return refused(help::display_verb(word), Refusal::BadCommand { suggestion });
    };
    // Two verbs of ours are methods of HTTP.
    if matches!(verb.word, "GET" | "PUT") && request::is_http(said) {
        return Parsed::Held(Held::Stranger(Bye::NotHttp));
    }
    if let Some(there) = verb.served.elsewhere(listener) {
        return refused(verb.word, Refusal::NotHere { there });
    }
    let refused = |refusal| {
        let sink = verb.word == "TALK" && request::is_raw(said);
        Parsed::Held(Held::Refused { verb: verb.word.into(), refusal, sink })
    };
    if !known && verb.served.needs_login() {
        return refused(Refusal::NeedLogin);
    }
    match help::read(verb, said) {
        Ok(Request { verb, command: Command::Act(act) }) => Parsed::Act { verb, act },
        Ok(Request { verb, command: Command::Query(query) }) => {
            Parsed::Held(Held::Query { verb, query })
        }
        Ok(Request { verb, command: Command::Session(command) }) => {
            Parsed::Held(Held::Command { verb, command })
        }
        Err(refusal) => refused(refusal),
    }
}

/// Refuses what a token for one target may not do: all but `MSG` to it, `PING` and `QUIT`.
fn only_to(only: &Target, parsed: Parsed) -> Parsed {
    let (verb, sink) = match parsed {
        Parsed::Act { act: ActCommand::Send { ref to, .. }, .. } if to == only => return parsed,
        Parsed::Held(Held::Command {
            command: SessionCommand::Quit | SessionCommand::Ping { .. },
            ..
        })
        | Parsed::Held(Held::Refused { .. } | Held::Stranger(_))
        | Parsed::Nothing => return parsed,
        // Its text was never meant as commands.
        Parsed::Held(Held::Command { verb, command: SessionCommand::Talk { raw, .. } }) => {
            (verb, raw)
        }
        Parsed::Held(
            Held::Query { verb, .. } | Held::Command { verb, .. } | Held::Last { verb, .. },
        )
        | Parsed::Act { verb, .. } => (verb, false),
        Parsed::Held(Held::NothingSent { cursor, .. }) => (reply::verb(cursor), false),
        Parsed::Held(Held::EndOfTalk) => ("TALK", false),
    };
    let refusal = Refusal::OnlyTo(only.clone());
    Parsed::Held(Held::Refused { verb: verb.into(), refusal, sink })
}

fn too_long(line: &[u8], mode: Option<&Mode>) -> Parsed {
    let line = &*telnet::typed(line);
    // Whether it ends in `raw` is not known, so the text of a pipe may follow.
    let command = |line: &[u8]| {
        let verb = verb_of(line);
        let sink = verb == "TALK";
        Parsed::Held(Held::Refused { verb, refusal: Refusal::TooLong, sink })
    };
    match mode {
        None => command(line),
        Some(Mode::Talk(_)) if is_slash(line) => command(&line[1..]),
        Some(Mode::Refused(refusal)) => refused("MSG", Refusal::clone(refusal)),
        _ => refused("MSG", Refusal::TooLong),
    }
}

/// Whether a line with invalid bytes or control characters would be a `TALK … raw` without them.
fn is_unreadable_raw(line: &[u8]) -> bool {
    let mut said = String::from_utf8_lossy(line).into_owned();
    said.retain(|c| !c.is_control() || c == '\t');
    let verb = help::verb(request::first_word(&said));
    verb.is_some_and(|verb| verb.word == "TALK") && request::is_raw(&said)
}

/// The verb of a line that is too long or not valid text.
fn verb_of(line: &[u8]) -> Cow<'static, str> {
    let blank = |b: &u8| matches!(b, b' ' | b'\t');
    let start = line.iter().position(|b| !blank(b)).unwrap_or(line.len());
    // Enough bytes for any verb that `ERR` repeats, at four bytes a character.
    let line = &line[start..line.len().min(start + 4 * (limits::VERB_ECHO + 1))];
    let word = line.split(blank).next().unwrap_or_default();
    line::text(word).map_or(Cow::Borrowed("-"), help::display_verb)
}

fn refused(verb: impl Into<Cow<'static, str>>, refusal: Refusal) -> Parsed {
    Parsed::Held(Held::Refused { verb: verb.into(), refusal, sink: false })
}
