//! What the server sends later: how it is put off (`AT`, `UNLESS`), and `papo later`.
//!
//! What is put off has a key of its own: it is sent as `ONCE <key> …`. So a command whose answer was
//! lost may be given again. If it turns out to wait already it is not; and if it was put off twice
//! all the same, one message is sent.

use super::account::Credentials;
use super::caller::Caller;
use super::connection::ANSWER;
use super::failure::Failure;
use super::json::Object;
use super::progress::{SERVER, shown};
use super::queries::{local, show};
use crate::entry::{Condition, Millis};
use crate::name::Target;
use crate::wire::help;
use crate::wire::reply::Reply as Done;
use crate::wire::request::{ActCommand, Command, Which, first_word};
use crate::wire::rows::{AtLine, ServerLine, condition_word};

/// Puts off a command that has `key`, and returns its number and when it is due. It is not put off
/// again if one with this key waits already. `is_new`: the key was never used before.
///
/// # Errors
/// As [`Caller::ask`].
pub async fn put_off(
    caller: &mut Caller<'_>,
    command: &str,
    key: &str,
    is_new: bool,
) -> Result<(u64, Millis), Failure> {
    let mut is_new = is_new;
    loop {
        if !is_new && let Some(known) = waiting(caller, command, key).await? {
            return Ok(known);
        }
        if let Some(answered) = caller.attempt(command, ANSWER).await? {
            return match answered.done()? {
                Done::Scheduled { number, time, .. } => Ok((number, time)),
                _ => Err(answered.unexpected()),
            };
        }
        is_new = false;
    }
}

/// The command that waits under this key, if there is one. It must say the same as `command`.
async fn waiting(
    caller: &mut Caller<'_>,
    command: &str,
    key: &str,
) -> Result<Option<(u64, Millis)>, Failure> {
    let ours = command.find("ONCE ").and_then(|at| LaterMessage::parse(&command[at..]));
    let reply = caller.ask("AT").await?;
    for row in reply.rows.iter().filter_map(|row| AtLine::parse(row)) {
        let there = LaterMessage::parse(&row.command.0);
        if there.as_ref().is_none_or(|there| there.key.as_deref() != Some(key)) {
            continue;
        }
        if there != ours {
            let number = row.number;
            return Err(Failure::Unfit(format!(
                "number {number} waits under this key, and says something else; use a new key"
            )));
        }
        return Ok(Some((row.number, row.time)));
    }
    Ok(None)
}

/// Shows what is sent later, what is due first at the top.
///
/// # Errors
/// Any.
pub async fn list(account: &Credentials, as_json: bool) -> Result<(), Failure> {
    show(account, "AT", |row| {
        let ServerLine::At(row) = row else { return None };
        Some(if as_json { json(&row) } else { line(&row) })
    })
    .await
    .map(drop)
}

/// Cancels what is to be sent later under this number.
///
/// # Errors
/// Any.
pub async fn cancel(account: &Credentials, number: u64) -> Result<(), Failure> {
    let mut caller = Caller::hasty(account);
    shown(SERVER, caller.ask_once(&format!("AT DEL {number}"))).await.map(drop)
}

/// What a command that waits says.
#[derive(PartialEq, Eq)]
struct LaterMessage {
    verb: &'static str,
    key: Option<Box<str>>,
    /// The message that it answers or forwards.
    about: Option<u64>,
    to: Option<Target>,
    text: Option<String>,
}

impl LaterMessage {
    /// Parses a command as it was typed; `None` if it is none that is known.
    fn parse(typed: &str) -> Option<LaterMessage> {
        let number = |which| match which {
            Which::Id(id) => Some(id.number()),
            // Known only to the server.
            Which::Last => None,
        };
        let verb = help::verb(first_word(typed))?;
        Some(match help::read(verb, typed).ok()?.command {
            Command::Act(ActCommand::Send { to, body, once: key }) => {
                LaterMessage { verb: "MSG", key, about: None, to: Some(to), text: Some(body) }
            }
            Command::Act(ActCommand::Answer { about, body, once: key }) => {
                let about = number(about);
                LaterMessage { verb: "RE", key, about, to: None, text: Some(body) }
            }
            Command::Act(ActCommand::Forward { about, to, once: key }) => {
                let about = number(about);
                LaterMessage { verb: "FWD", key, about, to: Some(to), text: None }
            }
            _ => return None,
        })
    }

    /// What it does, for people.
    fn summary(&self) -> String {
        let about = self.about.map_or("last".to_owned(), |id| id.to_string());
        match (&self.to, &self.text) {
            (Some(to), None) => format!("{about} forwarded to {to}"),
            (Some(to), Some(text)) => format!("to {to}: {text}"),
            (None, text) => format!("re {about}: {}", text.as_deref().unwrap_or_default()),
        }
    }
}

/// What a command that waits does, for people: the command itself, if it is none that is known.
pub fn summary(typed: &str) -> String {
    LaterMessage::parse(typed).map_or_else(|| typed.to_owned(), |what| what.summary())
}

/// Formats a command that waits for people.
fn line(row: &AtLine) -> String {
    let head = format!("{:>6}  {}  ", row.number, local(row.time));
    let unless = match (row.about, row.unless) {
        (Some(id), Some(state)) => {
            format!("unless {} is {}, ", id.number(), condition_word(state))
        }
        _ => String::new(),
    };
    // Later lines of a text are indented, so that none looks like another row.
    let margin = format!("\n{}", " ".repeat(head.len()));
    let what = summary(&row.command.0).replace('\n', &margin);
    format!("{head}{unless}{what}")
}

/// Formats it as JSON.
fn json(row: &AtLine) -> String {
    let or_null = |number: Option<u64>| number.map_or("null".to_owned(), |n| n.to_string());
    let state = row.unless.map(|state: Condition| condition_word(state));
    let object = Object::new().bare("n", row.number).time("time", row.time);
    let object = object.text_or_null("unless", state);
    let object = object.bare("unless_id", or_null(row.about.map(|id| id.number())));
    let what = LaterMessage::parse(&row.command.0);
    let Some(LaterMessage { verb, key, about, to, text }) = what else {
        return object.text("command", &row.command.0).end();
    };
    let object = object.text("verb", verb).text_or_null("key", key.as_deref());
    let to = to.map(|to| to.to_string());
    let object = object.text_or_null("to", to.as_deref()).bare("about", or_null(about));
    object.text_or_null("text", text.as_deref()).end()
}
