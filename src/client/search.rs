//! `papo search`: messages by the beginnings of their words, in one conversation or in all.

use super::account::Credentials;
use super::caller::Caller;
use super::connection::Success;
use super::failure::{Failure, report};
use super::json;
use super::lines;
use super::progress::{SERVER, shown};
use super::queries;
use super::stdout;
use crate::limits;
use crate::name::Target;
use crate::wire::reply::Reply;
use crate::wire::rows::EntryLine;

/// What to look for, and where.
#[derive(Clone, Debug)]
pub struct SearchOptions {
    /// `None`: in all conversations.
    pub to: Option<Target>,
    /// At most this many messages, 1 to 1,000; the newest.
    pub rows: Option<u16>,
    /// Only those with smaller ids.
    pub before: Option<u64>,
    pub json: bool,
}

/// The command for a look at what is older than `before`.
pub fn command(to: &str, rows: usize, before: Option<u64>, words: &str) -> String {
    let before = before.map(|id| format!(" before {id}")).unwrap_or_default();
    format!("HIST {to} {rows}{before} with {}", lines::escaped(words))
}

/// Where the next look has to begin; `None`: there is nothing more.
pub fn next(reply: &Success) -> Option<u64> {
    match reply.done() {
        Ok(Reply::Searched { upto, .. }) => Some(upto.number()),
        _ => None,
    }
}

/// Shows the messages with these words, the oldest first. A search that takes the server several
/// looks is gone on with until there are as many as wanted.
///
/// # Errors
/// `Refused`; any of the login's; `Unfit` if nothing can be written.
pub async fn search(
    account: &Credentials,
    words: &str,
    options: &SearchOptions,
) -> Result<(), Failure> {
    let to = options.to.as_ref().map_or("-".to_owned(), Target::to_string);
    let wanted = options.rows.map_or(limits::HIST_DEFAULT, usize::from);
    let mut caller = Caller::hasty(account);
    let (mut pages, mut count, mut before) = (Vec::new(), 0, options.before);
    shown(SERVER, async {
        loop {
            let reply = caller.ask(&command(&to, wanted - count, before, words)).await?;
            let page: Vec<EntryLine> =
                reply.rows.iter().filter_map(|row| EntryLine::parse(row)).collect();
            count += page.len();
            pages.push(page);
            before = next(&reply);
            if before.is_none() || count >= wanted {
                return Ok(());
            }
        }
    })
    .await?;
    let form = |line: &EntryLine| match options.json {
        true => json::entry(line, None),
        false => {
            let place = Some(&line.entry.to).filter(|_| options.to.is_none());
            queries::entry_row(&line.entry, place)
        }
    };
    let rows = pages.iter().rev().flatten();
    let text: String = rows.map(|line| form(line) + "\n").collect();
    stdout::write_text(&text)?;
    match before {
        Some(id) => report(format_args!("papo: there may be more: --before {id}")),
        None if count == 0 => report("papo: nothing found"),
        None => {}
    }
    Ok(())
}
