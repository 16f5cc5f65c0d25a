//! `papo send` and `papo ask`: one message goes out, and once; and what is waited for then.

use std::io::{self, IsTerminal, Read};
use std::time::{Duration, Instant};

use smol::Timer;
use smol::future::FutureExt;

use super::account::Credentials;
use super::caller::Caller;
use super::connection::ANSWER;
use super::failure::{Failure, report};
use super::feed::Feed;
use super::lines;
use super::lossy::{Lossy, MORE};
use super::progress::{SERVER, shown};
use super::stdout::print;
use crate::entry::Entry;
use crate::limits;
use crate::name::Target;
use crate::wire::rows::EntryLine;

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
    if is_given(words) {
        return Ok(words.join(" "));
    }
    ask_for_input();
    // Whoever pipes an endless stream in learns that it is too long, and no memory is filled.
    let most = limits::LINE * 4;
    let mut bytes = Vec::new();
    let unfit = |why: String| Failure::Unfit(format!("standard input: {why}"));
    let input = io::stdin().lock();
    input.take(most as u64 + 1).read_to_end(&mut bytes).map_err(|e| unfit(e.to_string()))?;
    if bytes.len() > most {
        return Err(lines::too_long(&format!("more than {}", lines::grouped(most))));
    }
    let mut text = String::from_utf8(bytes).map_err(|e| {
        unfit(format!("not valid UTF-8 at byte {}", e.utf8_error().valid_up_to() + 1))
    })?;
    text.truncate(text.trim_end_matches('\n').len());
    Ok(text)
}

/// The same, where nothing but an unreadable standard input is a failure: whatever cannot be sent as
/// it is becomes something that can, in a message to `to` with `key`.
///
/// # Errors
/// `Unfit` where standard input cannot be read.
pub fn lossy_text(words: &[String], key: &str, to: &Target) -> Result<String, Failure> {
    let room = limits::LINE - lines::command(key, to, "").len() - 1;
    let mut lossy = Lossy::new(room);
    if is_given(words) {
        lossy.add(words.join(" ").as_bytes());
        return Ok(lossy.text());
    }
    ask_for_input();
    let mut some = vec![0; MORE];
    let mut input = io::stdin().lock();
    loop {
        match input.read(&mut some) {
            Ok(0) => return Ok(lossy.text()),
            Ok(n) => lossy.add(&some[..n]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(Failure::Unfit(format!("standard input: {e}"))),
        }
    }
}

/// Says so where a text begins with a flag, which was perhaps meant to be one.
pub fn warn_of_flag(words: &[String]) {
    let first = words.first().map_or("", String::as_str);
    let name = first.split('=').next().unwrap_or_default();
    let flags =
        ["--wait", "--timeout", "--key", "--lossy", "--as", "--server", "--secret-file", "--help"];
    if flags.contains(&name) {
        report(format_args!("papo: {name} is sent as text; flags go before the handle"));
    }
}

/// Whether the text stands on the command line.
fn is_given(words: &[String]) -> bool {
    !words.is_empty() && words != ["-"]
}

fn ask_for_input() {
    if io::stdin().is_terminal() {
        report("papo: type the text; Ctrl-D on an empty line sends it");
    }
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

/// Seconds that a server is asked to wait for readers at a time. It says nothing meanwhile, so this is
/// also after how long, and the time for an answer, one that has gone without a word is noticed.
const WAIT: u64 = 60;

/// Sends a message, prints its id, and waits for its readers if that is asked for, for `seconds` at
/// most (1 to 86,400).
///
/// # Errors
/// Any; `TimedOut` where the readers took longer.
pub async fn send(
    account: &Credentials,
    to: &Target,
    text: &str,
    key: &str,
    wait: Option<(Until, u64)>,
) -> Result<(), Failure> {
    let command = lines::once(key, to, text)?;
    let mut caller = Caller::hasty(account);
    let reply = shown(SERVER, caller.ask(&command)).await;
    let reply = reply.map_err(|e| in_text(e, &command, text))?;
    let id = reply.sent()?;
    print(&id.to_string())?;
    let Some((until, seconds)) = wait else { return Ok(()) };
    let (until, what) = match until {
        Until::Delivered => ("delivered", "waiting until everyone has received it"),
        Until::Read => ("read", "waiting until everyone has read it"),
    };
    let end = Instant::now() + Duration::from_secs(seconds);
    let waiting = async {
        loop {
            let left = end.saturating_duration_since(Instant::now()).as_millis().div_ceil(1_000);
            let part = u64::try_from(left).unwrap_or(WAIT).clamp(1, WAIT);
            let command = format!("WAIT {id} {until} {part}");
            match caller.ask_for(&command, Duration::from_secs(part) + ANSWER).await {
                Err(Failure::Refused(line)) if lines::code(&line) == "timeout" => {}
                waited => return waited.map(drop),
            }
        }
    };
    // With time for the answer to the last of these.
    let limit = async {
        Timer::at(end + Duration::from_secs(1)).await;
        Err(Failure::not_within(seconds, &format!("not {until}")))
    };
    shown(what, waiting.or(limit)).await
}

/// A refusal, as one of the message and the text: nobody has typed the command.
fn in_text(failure: Failure, command: &str, text: &str) -> Failure {
    match failure {
        Failure::Refused(line) => Failure::Refused(lines::in_text(&line, command, text)),
        other => other,
    }
}

/// Sends a message, waits for the next one from there, prints its text and marks it as read.
///
/// # Errors
/// Any; `TimedOut` where nothing came within `seconds`.
pub async fn ask(
    account: &Credentials,
    to: &Target,
    text: &str,
    seconds: Option<u64>,
) -> Result<(), Failure> {
    let command = lines::once(&random_key()?, to, text)?;
    let answered = async {
        // Before the question, so that no answer is too quick.
        let mut caller = Caller::hasty(account);
        let since = shown(SERVER, caller.newest()).await?;
        let mut feed = shown(SERVER, Feed::open(account, since)).await?;
        let reply = shown(SERVER, caller.ask(&command)).await;
        let reply = reply.map_err(|e| in_text(e, &command, text))?;
        let asked = reply.sent()?;
        let answer = async {
            loop {
                let line = feed.next().await?;
                if feed.put_back() > 0 {
                    let why = "the question may be missing from the server's log as it is now";
                    return Err(Failure::Lost(why.to_owned()));
                }
                let me = &account.handle;
                let is_answer = |entry: &Entry| {
                    let there = std::slice::from_ref(to);
                    let is_from_there = lines::concerns(&entry.from, &entry.to, there, me);
                    let is_later = entry.id.number() > asked;
                    lines::is_message(entry) && is_later && is_from_there && entry.from != *me
                };
                let entry = EntryLine::parse(&line).map(|line| line.entry.into_owned());
                if let Some(answer) = entry.filter(is_answer) {
                    return Ok(answer);
                }
            }
        };
        let answer: Entry = shown(&format!("waiting for what {to} says"), answer).await?;
        print(&answer.body)?;
        match caller.ask(&format!("READ {}", answer.id.number())).await {
            // Forgotten meanwhile: it was read all the same.
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
