//! `papo send` and `papo ask`: one message goes out, and once; and what is waited for then.

use std::io::{self, IsTerminal, Read, Write};
use std::time::Duration;

use smol::Timer;
use smol::future::FutureExt;

use super::account::Account;
use super::connection::ANSWER;
use super::desk::Desk;
use super::failure::{Failure, report};
use super::feed::Feed;
use super::lines::{self, Entry};
use super::progress::{SERVER, shown};
use crate::limits;
use crate::name::Target;

/// What may be waited for after a message was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Everyone has received it.
    Delivered,
    /// Everyone has read it.
    Read,
}

/// The text that is meant: the words of the command line, or standard input where there are none or
/// a lone `-`. Of standard input the line breaks at the very end are dropped: a file ends with one,
/// and no message needs it.
///
/// # Errors
/// `Unfit` where standard input cannot be read, is not UTF-8, or is far longer than a message.
pub fn text(words: &[String]) -> Result<String, Failure> {
    if !words.is_empty() && words != ["-"] {
        return Ok(words.join(" "));
    }
    if io::stdin().is_terminal() {
        report("papo: type the text; Ctrl-D on an empty line sends it");
    }
    // Whoever pipes an endless stream in learns that it is too long, and no memory is filled.
    let most = limits::LINE * 4;
    let mut bytes = Vec::new();
    let unfit = |why: String| Failure::Unfit(format!("standard input: {why}"));
    let input = io::stdin().lock();
    input.take(most as u64 + 1).read_to_end(&mut bytes).map_err(|e| unfit(e.to_string()))?;
    if bytes.len() > most {
        return Err(unfit("the text is too long, nothing was sent".to_owned()));
    }
    let mut text = String::from_utf8(bytes)
        .map_err(|e| unfit(format!("no UTF-8 at byte {}", e.utf8_error().valid_up_to() + 1)))?;
    text.truncate(text.trim_end_matches('\n').len());
    Ok(text)
}

/// A key that nobody has used.
///
/// # Errors
/// `Unfit` where the system has no random numbers.
pub fn random_key() -> Result<String, Failure> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|e| Failure::Unfit(e.to_string()))?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Sends a message, prints its id, and waits for its readers if that is asked for, for `seconds` at
/// most (1 to 86,400).
///
/// # Errors
/// Any; `TimedOut` where the readers took longer.
pub async fn send(
    account: &Account,
    to: &Target,
    text: &str,
    key: Option<String>,
    wait: Option<(Until, u64)>,
) -> Result<(), Failure> {
    let key = key.map_or_else(random_key, Ok)?;
    let command = lines::once(&key, to, text)?;
    let mut desk = Desk::hasty(account);
    let reply = shown(SERVER, desk.ask(&command)).await?;
    let id = reply.word(2)?;
    print(id)?;
    let Some((until, seconds)) = wait else { return Ok(()) };
    let (until, what) = match until {
        Until::Delivered => ("delivered", "waiting until everyone has received it"),
        Until::Read => ("read", "waiting until everyone has read it"),
    };
    let command = format!("WAIT {id} {until} {seconds}");
    let time = Duration::from_secs(seconds);
    // It is the server that says when time is up, unless it was away in between and began anew.
    let limit = async {
        Timer::after(time + Duration::from_secs(1)).await;
        Err(Failure::TimedOut(format!("not {until} after {seconds} seconds")))
    };
    let waiting = desk.ask_for(&command, time + ANSWER).or(limit);
    match shown(what, waiting).await {
        Err(Failure::Refused(line)) if lines::code(&line) == "timeout" => {
            Err(Failure::TimedOut(format!("not {until} after {seconds} seconds")))
        }
        waited => waited.map(drop),
    }
}

/// Sends a message, waits for the next one from there, prints its text and marks it as read.
///
/// # Errors
/// Any; `TimedOut` where nothing came within `seconds`.
pub async fn ask(
    account: &Account,
    to: &Target,
    text: &str,
    seconds: Option<u64>,
) -> Result<(), Failure> {
    let command = lines::once(&random_key()?, to, text)?;
    let answered = async {
        // Before the question, so that no answer is too quick.
        let mut feed = shown(SERVER, Feed::open(account)).await?;
        let mut desk = Desk::hasty(account);
        let reply = shown(SERVER, desk.ask(&command)).await?;
        let asked: u64 = reply.word(2)?.parse().unwrap_or_default();
        let is_answer = |entry: &Entry| {
            let is_from_there = entry.is_in(std::slice::from_ref(to), &account.handle);
            let is_mine = entry.from == account.handle.as_str();
            entry.is_message() && entry.id > asked && is_from_there && !is_mine
        };
        let answer = async {
            loop {
                let line = feed.next().await?;
                let found = if lines::first_word(&line) == "LIVE" {
                    // What came while the server was lost, and was acknowledged on another device, is
                    // not sent again.
                    let reply = desk.ask(&format!("HIST {to} 1000 after {asked}")).await?;
                    reply.rows.iter().filter_map(|row| Entry::parse(row)).find(is_answer)
                } else {
                    Entry::parse(&line).filter(is_answer)
                };
                if let Some(answer) = found {
                    return Ok(answer);
                }
            }
        };
        let answer: Entry = shown(&format!("waiting for what {to} says"), answer).await?;
        print(&answer.body)?;
        match desk.ask(&format!("READ {}", answer.id)).await {
            // Forgotten meanwhile: it was read all the same.
            Ok(_) | Err(Failure::Refused(_)) => Ok(()),
            Err(e) => Err(e),
        }
    };
    let limit = async {
        let Some(seconds) = seconds else { return smol::future::pending().await };
        Timer::after(Duration::from_secs(seconds)).await;
        Err(Failure::TimedOut(format!("no answer after {seconds} seconds")))
    };
    answered.or(limit).await
}

/// Writes a line to standard output, all the way.
///
/// # Errors
/// `Output`.
pub fn print(line: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(Failure::Output)
}
