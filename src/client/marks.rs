//! `papo edit`, `del`, `react` and `marks`: what is done with a message after it was sent.
//!
//! A mark that is made twice is made once, so these commands are repeated until they are answered.

use super::account::Credentials;
use super::caller::Caller;
use super::failure::{Failure, report};
use super::input::{self, Fitting};
use super::json;
use super::lines;
use super::progress::{SERVER, shown};
use super::queries::row_head;
use super::stdout;
use crate::entry::{Entry, EntryKind};
use crate::limits;
use crate::name::Target;
use crate::wire::reply::Reply as Done;
use crate::wire::request::Which;
use crate::wire::rows::{ChatLine, EntryLine};

/// Conversations in which the last message of an account is looked for, the newest first.
const LOOKED_AT: usize = 100;

/// The id of a message. `last` is the newest one that the account has sent, from anywhere, and that
/// is there; it is looked for in the last 1,000 entries of its 100 newest conversations.
///
/// # Errors
/// `Unfit` if there is none; as [`Caller::ask`].
pub async fn resolve(
    account: &Credentials,
    caller: &mut Caller<'_>,
    which: Which,
) -> Result<u64, Failure> {
    match which {
        Which::Id(id) => Ok(id.number()),
        Which::Last => last(account, caller, lines::is_message).await,
    }
}

/// The newest message of the account that is `wanted`.
async fn last(
    account: &Credentials,
    caller: &mut Caller<'_>,
    wanted: fn(&Entry) -> bool,
) -> Result<u64, Failure> {
    let chats = caller.ask("CHATS").await?;
    let mut newest = 0;
    for chat in chats.rows.iter().filter_map(|row| ChatLine::parse(row)).take(LOOKED_AT) {
        // All that follow are older.
        if chat.last.number() < newest {
            break;
        }
        newest = newest.max(last_in(account, caller, &chat.to, newest, wanted).await?);
    }
    if newest == 0 {
        return Err(Failure::Unfit("no message of yours was found; name its id".to_owned()));
    }
    Ok(newest)
}

/// The id of the account's newest message in a conversation that is `wanted`, or 0 if there is none
/// after `after`.
async fn last_in(
    account: &Credentials,
    caller: &mut Caller<'_>,
    to: &Target,
    after: u64,
    wanted: fn(&Entry) -> bool,
) -> Result<u64, Failure> {
    // Most often it is among the last few.
    for rows in [50, limits::HIST_MAX] {
        let reply = caller.ask(&format!("HIST {to} {rows}")).await?;
        let rows: Vec<EntryLine> = reply.rows.iter().filter_map(|r| EntryLine::parse(r)).collect();
        let is_mine =
            |row: &&EntryLine| lines::is_own(&row.entry, &account.handle) && wanted(&row.entry);
        if let Some(row) = rows.iter().rev().find(is_mine) {
            return Ok(row.entry.id.number());
        }
        let is_over = rows.first().is_none_or(|row| row.entry.id.number() <= after);
        if is_over || !reply.has_more() {
            break;
        }
    }
    Ok(0)
}

/// Gives a message of the account another text.
///
/// # Errors
/// Any.
pub async fn edit(
    account: &Credentials,
    which: Which,
    words: &[String],
    fitting: Fitting,
) -> Result<(), Failure> {
    // Read before anything is looked up, with room for the longest id.
    let text = input::text(words, &format!("EDIT {}", u64::MAX), fitting)?;
    let mut caller = Caller::hasty(account);
    let id = shown(SERVER, resolve(account, &mut caller, which)).await?;
    let command = lines::with_text(&format!("EDIT {id}"), &text)?;
    let edited = shown(SERVER, caller.ask(&command)).await;
    edited.map_err(|e| lines::about_text(e, &command, &text)).map(drop)
}

/// Deletes a message for everyone. `last` is the newest one also if it was deleted: said again, it
/// deletes no other one.
///
/// # Errors
/// Any.
pub async fn del(account: &Credentials, which: Which) -> Result<(), Failure> {
    let mut caller = Caller::hasty(account);
    let done = async {
        let id = match which {
            Which::Id(id) => id.number(),
            Which::Last => {
                last(account, &mut caller, |entry| entry.kind == EntryKind::Message).await?
            }
        };
        caller.ask(&format!("DEL {id}")).await
    };
    shown(SERVER, done).await.map(drop)
}

/// Reacts to a message; `-` takes the reaction back.
///
/// # Errors
/// Any.
pub async fn react(account: &Credentials, which: Which, word: &str) -> Result<(), Failure> {
    let mut caller = Caller::hasty(account);
    let done = async {
        let id = resolve(account, &mut caller, which).await?;
        caller.ask(&format!("REACT {id} {word}")).await
    };
    shown(SERVER, done).await.map(drop)
}

/// Shows what holds about a message: its texts and its reactions, the oldest first.
///
/// # Errors
/// Any.
pub async fn marks(account: &Credentials, which: Which, as_json: bool) -> Result<(), Failure> {
    let mut caller = Caller::hasty(account);
    let id = shown(SERVER, resolve(account, &mut caller, which)).await?;
    let mut command = format!("MARKS {id}");
    let mut count = 0;
    loop {
        let reply = shown(SERVER, caller.ask(&command)).await?;
        let rows: Vec<EntryLine> = reply.rows.iter().filter_map(|r| EntryLine::parse(r)).collect();
        let form = if as_json { |row: &EntryLine| json::entry(row, None) } else { line };
        let text: String = rows.iter().map(|row| form(row) + "\n").collect();
        stdout::write_text(&text)?;
        count += rows.len();
        let is_over = !matches!(reply.done()?, Done::Marked { more: true, .. });
        match rows.last() {
            Some(row) if !is_over => {
                command = format!("MARKS {id} after {}", row.entry.id.number());
            }
            _ => break,
        }
    }
    if count == 0 && !as_json {
        report("papo: it was not changed, and nobody has reacted");
    }
    Ok(())
}

/// Formats a row for people.
fn line(row: &EntryLine) -> String {
    let (entry, head) = (&*row.entry, row_head(&row.entry));
    let body = entry.body.replace('\n', &format!("\n{}", " ".repeat(head.len())));
    let what = match entry.kind {
        EntryKind::React => " reacted:",
        EntryKind::Edit => " (edit):",
        _ => ":",
    };
    format!("{head}{}{what} {body}", entry.from)
}
