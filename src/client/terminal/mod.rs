//! `papo` and nothing else: a conversation on a terminal.
//!
//! Three things go on at once. A thread reads what is typed, and prints above it (`editor`, with its
//! `keys`, its `prompt` and the lines that it has `recalled`; `device` makes text of the bytes, without
//! the `sequences` that are no keys). One connection brings what happens, and another takes commands,
//! one after another, over and over until they are answered (`jobs`). All of it becomes one queue of
//! news, which `talk` takes from; `events`, `answers`, `marks` and `elsewhere` are parts of that. What
//! it looks like is up to `screen`, `pages`, `item`, `columns`, and `activity` for the line at the
//! bottom; what a `/` begins, to `order` and `groups`; `notices` go to the desktop; and `welcome` leads
//! whoever is new.

mod activity;
mod answers;
mod chats;
mod columns;
mod device;
mod editor;
mod elsewhere;
mod events;
mod groups;
mod item;
mod jobs;
mod keys;
mod known;
mod marks;
mod notices;
mod pages;
mod passwd;
mod prompt;
mod recalled;
mod screen;
#[cfg(test)]
mod screen_tests;
mod sequences;
mod slash_command;
mod talk;
mod welcome;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::env;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use async_signal::{Signal, Signals};
use smol::channel::{Receiver, Sender, bounded, unbounded};
use smol::future::FutureExt;
use smol::stream::StreamExt;
use smol::{LocalExecutor, Timer};

use super::account::{Credentials, Named};
use super::failure::{Failure, report};
use super::feed::Feed;
use super::lines;
use super::progress::shown;
use crate::entry::EntryId;
use crate::wire::rows::{EntryLine, LiveLine};
pub use columns::width;
use editor::Keyboard;
use item::Style;
use jobs::News;
use known::Typed;
use talk::{Talk, Unsent};

/// For how long answers are waited for at the end.
const DRAIN_TIME: Duration = Duration::from_secs(1);

/// What a person at a terminal asks for.
#[derive(Clone, Copy, Debug, Default)]
pub struct TerminalOptions {
    /// Ring when a message comes.
    pub bell: bool,
    /// Show a notice on the desktop when a message comes.
    pub notify: bool,
}

/// Talks until whoever sits there leaves.
///
/// # Errors
/// `Usage` where there is no terminal; any of the log-in's; `Lost` where something was left unsent.
pub async fn talk(named: &Named, options: TerminalOptions) -> Result<(), Failure> {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        let why = "papo needs a terminal; for scripts see papo --help";
        return Err(Failure::Usage(why.to_owned()));
    }
    // The editor knows these, and can do nothing on them.
    let kind = env::var("TERM").unwrap_or_default();
    if ["", "dumb", "cons25", "emacs"].contains(&kind.as_str()) {
        let why = format!("this terminal cannot move its cursor (TERM={kind})");
        return Err(Failure::Usage(format!("{why}; use papo tail and papo send")));
    }
    conversation(named, options).await.map_err(|failure| match failure {
        Failure::Secret(line) if !lines::code(&line).is_empty() => {
            Failure::Secret(format!("papo: {}", lines::why(&line)))
        }
        other => other,
    })
}

async fn conversation(named: &Named, options: TerminalOptions) -> Result<(), Failure> {
    let (account, first) = welcome::account(named).await?;
    let (over, unsent) = match converse(&account, options, first).await {
        Err(Failure::Secret(_)) if account.may_ask() => {
            welcome::say(&format!("papo: {}.", account.locked_out()))?;
            let account = welcome::with_password(named).await?;
            converse(&account, options, None).await?
        }
        conversed => conversed?,
    };
    for Unsent { to, said, .. } in &unsent {
        report(format_args!("papo: not confirmed, to {to}: {}", said.body));
    }
    over?;
    match unsent.len() {
        0 => Ok(()),
        n => Err(Failure::Lost(format!("left with {n} unsent"))),
    }
}

async fn converse(
    account: &Credentials,
    options: TerminalOptions,
    first: Option<String>,
) -> Result<(Result<(), Failure>, Vec<Unsent>), Failure> {
    let (tell, news) = unbounded();
    let told = tell.clone();
    let told = Box::new(move |what| drop(told.try_send(News::Told(what))));
    let connecting = format!("connecting to {}", account.server.address);
    // One for each connection that may be waited for.
    let [(wake_feed, feed_woken), (wake_desk, desk_woken)] = [unbounded(), unbounded()];
    let mut feed = shown(&connecting, Feed::open_telling(account, told, feed_woken)).await?;
    // All that waits comes before there is anything to look at: it is counted, not shown.
    let waiting = shown("fetching what waits", until_live(&mut feed)).await?;

    // What was told meanwhile is over: the last word was that all has come.
    while news.try_recv().is_ok() {}
    let style = Style { colour: env::var_os("NO_COLOR").is_none_or(|it| it.is_empty()) };
    let typed = tell.clone();
    let keyboard = Keyboard::open(style, move |typed_now| {
        let _ = typed.try_send(News::Typed(typed_now));
    })?;
    let (jobs, to_do) = unbounded();
    // What stood there is not drawn over.
    let _ = write!(io::stdout(), "{}", "\n".repeat(known::size().rows));
    let mut talk = Talk::new(account.handle.clone(), options, keyboard, style, jobs, tell.clone());
    talk.wake = vec![wake_feed, wake_desk];
    if let Some(first) = first {
        talk.turn_to(&first);
        talk.remark("      what you type is sent by Enter; /help explains, Ctrl-D leaves");
    }
    for line in &waiting {
        talk.line(line);
    }

    let executor = LocalExecutor::new();
    let work = executor.spawn(jobs::work(account, to_do, tell.clone(), desk_woken));
    let (stay, left) = bounded::<()>(1);
    let listen = executor.spawn(listen(feed, tell.clone(), left));
    let signals = executor.spawn(until_signal(tell));
    let over = executor.run(async {
        let over = loop {
            let Ok(one) = news.recv().await else { break Ok(()) };
            match talk.take(one) {
                Ok(false) => {}
                Ok(true) => break Ok(()),
                Err(failure) => break Err(failure),
            }
        };
        let limit = async {
            Timer::after(DRAIN_TIME).await;
        };
        drain(&mut talk, &news).or(limit).await;
        // It leaves within a second.
        drop(stay);
        listen.await;
        over
    });
    let over = match over.await {
        Err(Failure::Secret(_)) => Err(Failure::Secret(format!("papo: {}", account.locked_out()))),
        over => over,
    };
    drop((work, signals));
    Ok((over, talk.unsent))
}

/// What was read last is still acknowledged, and what was sent last is confirmed.
async fn drain(talk: &mut Talk, news: &Receiver<News>) {
    while !talk.is_settled()
        && let Ok(one) = news.recv().await
    {
        if let News::Answer(purpose, Ok(_)) = one {
            talk.answered_late(&purpose);
        }
    }
}

/// Reads up to the line that says that all that waited has come. Of each conversation only the last
/// line is needed: it is acknowledged, and all before it. The newest conversation comes first.
async fn until_live(feed: &mut Feed<'_>) -> Result<Vec<String>, Failure> {
    let mut last = BTreeMap::new();
    loop {
        let line = feed.next().await?;
        if LiveLine::parse(&line).is_some() {
            let mut last: Vec<(EntryId, String)> = last.into_values().collect();
            last.sort_unstable_by_key(|(id, _)| Reverse(*id));
            return Ok(last.into_iter().map(|(_, line)| line).chain([line]).collect());
        }
        if let Some(EntryLine { entry, .. }) = EntryLine::parse(&line) {
            last.insert(lines::conversation(&entry).to_string(), (entry.id, line));
        }
    }
}

/// Passes on what happens until everybody has `left`, or nothing can happen any more.
async fn listen(mut feed: Feed<'_>, news: Sender<News>, left: Receiver<()>) {
    loop {
        let leaving = async {
            // Nothing is ever sent there.
            let _ = left.recv().await;
            None
        };
        let said = match leaving.or(async { Some(feed.next().await) }).await {
            None => return feed.leave().await,
            Some(Ok(line)) => News::Line(line),
            Some(Err(failure)) => News::Over(failure),
        };
        let is_over = matches!(said, News::Over(_));
        if news.send(said).await.is_err() || is_over {
            return;
        }
    }
}

/// The signals that are listened for.
const SIGNALS: [Signal; 6] =
    [Signal::Winch, Signal::Cont, Signal::Term, Signal::Hup, Signal::Int, Signal::Quit];

/// A terminal of another size is drawn anew; and it is left as it was found when papo is told to
/// end, too. The editor listens to signals of its own, so this begins after it.
async fn until_signal(news: Sender<News>) {
    let Ok(mut signals) = Signals::new(SIGNALS) else {
        return;
    };
    while let Some(Ok(signal)) = signals.next().await {
        let said = match signal {
            Signal::Winch => News::Typed(Typed::Redraw),
            Signal::Cont => News::GoesOn,
            _ => News::Over(Failure::Unfit("ended by a signal".to_owned())),
        };
        if news.send(said).await.is_err() {
            return;
        }
    }
}
