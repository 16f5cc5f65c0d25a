//! `papo ask`: sends a message exactly once, and waits for an answer.

use std::time::Duration;

use smol::Timer;
use smol::future::FutureExt;

use super::account::Credentials;
use super::caller::Caller;
use super::failure::Failure;
use super::feed::Feed;
use super::lines;
use super::progress::{SERVER, shown};
use super::send::random_key;
use super::stdout::print;
use crate::entry::{Entry, EntryKind};
use crate::name::{Handle, Target};
use crate::wire::rows::EntryLine;

/// Sends a message, waits for an answer to it, prints that and marks it as read. Of a reaction the
/// word is printed.
///
/// A conversation is read up to an entry, so the answer stays unread if messages before it are
/// waiting which nobody was shown: they would count as read, too.
///
/// # Errors
/// Any; `TimedOut` if nothing came within `seconds`.
pub async fn ask(
    account: &Credentials,
    to: &Target,
    text: &str,
    seconds: Option<u64>,
) -> Result<(), Failure> {
    let command = lines::once(&random_key()?, to, text)?;
    let answered = async {
        // Opened before the question is sent, so that no answer is missed.
        let mut caller = Caller::hasty(account);
        let since = shown(SERVER, caller.newest()).await?;
        let mut feed = shown(SERVER, Feed::open(account, since)).await?;
        let reply = shown(SERVER, caller.ask(&command)).await;
        let reply = reply.map_err(|e| lines::about_text(e, &command, text))?;
        let asked = reply.sent()?;
        let mut is_last_waiting = true;
        let answer = async {
            loop {
                let line = feed.next().await?;
                if feed.put_back() > 0 {
                    let why = "the question may be missing from the server's log as it is now";
                    return Err(Failure::Lost(why.to_owned()));
                }
                let entry = EntryLine::parse(&line).map(|line| line.entry.into_owned());
                let Some(entry) = entry else { continue };
                if is_answer(&entry, asked, to, &account.handle) {
                    return Ok(entry);
                }
                is_last_waiting &= !is_passed_over(&entry, to, &account.handle);
            }
        };
        let answer: Entry = shown(&format!("waiting for {to} to answer"), answer).await?;
        print(&answer.body)?;
        if !is_last_waiting {
            return Ok(());
        }
        match caller.ask(&format!("READ {}", answer.id.number())).await {
            // Refused if the message was deleted meanwhile: it was read all the same.
            Ok(_) | Err(Failure::Refused(_)) => Ok(()),
            Err(e) => Err(e),
        }
    };
    let limit = async {
        let Some(seconds) = seconds else { return smol::future::pending().await };
        Timer::after(Duration::from_secs(seconds)).await;
        Err(Failure::not_within(seconds, "no answer"))
    };
    answered.or(limit).await
}

/// Whether an entry answers the message `asked`, which `me` has sent to `to`: a reaction to it that
/// is not taken back, a reply to it, or any other message from there. In a group a reply to another
/// message is none.
fn is_answer(entry: &Entry, asked: u64, to: &Target, me: &Handle) -> bool {
    let there = std::slice::from_ref(to);
    let is_from_there = lines::concerns(&entry.from, &entry.to, there, me);
    if entry.id.number() <= asked || !is_from_there || entry.from == *me {
        return false;
    }
    let about = lines::about(entry);
    match entry.kind {
        EntryKind::React => about == Some(asked) && &*entry.body != "-",
        _ if !lines::is_message(entry) => false,
        _ => matches!(to, Target::Person(_)) || about.is_none_or(|id| id == asked),
    }
}

/// Whether an entry that is no answer is a message to `me` in the conversation with `to`. Those of
/// others who have been waiting come before the answer.
fn is_passed_over(entry: &Entry, to: &Target, me: &Handle) -> bool {
    let is_from_there = lines::concerns(&entry.from, &entry.to, std::slice::from_ref(to), me);
    is_from_there && lines::is_message(entry) && !lines::is_own(entry, me)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_told_from_what_is_none() {
        let me = Handle::new("ana").unwrap();
        let answers = |line: &str, to: &str| {
            let entry = EntryLine::parse(line).unwrap().entry.into_owned();
            is_answer(&entry, 5, &lines::target(to).unwrap(), &me)
        };
        let time = "2026-01-01T00:00:00.000Z";
        for (verb, rest, direct, group) in [
            ("MSG 6", "- yes", true, true),
            ("MSG 4", "- yes", false, false),
            ("MSG 6", "re=5 yes", true, true),
            ("MSG 6", "re=3 yes", true, false),
            ("REACT 6", "re=5,at=ana yes", true, true),
            ("REACT 6", "re=5,at=ana -", false, false),
            ("REACT 6", "re=3,at=ana yes", false, false),
            ("EDIT 6", "re=3 yes", false, false),
            ("DEL 6", "re=3 -", false, false),
            ("GONE 6", "del=7 -", false, false),
        ] {
            let line = |to: &str| format!("{verb} {time} bob {to} {rest}");
            assert_eq!(answers(&line("ana"), "bob"), direct, "{verb} {rest}");
            assert_eq!(answers(&line("#team"), "+team"), group, "{verb} {rest}");
            assert!(!answers(&line("ana"), "cid") && !answers(&line("#team"), "bob"));
        }
        assert!(!answers(&format!("MSG 6 {time} ana #team re=5 me"), "+team"));
    }
}
