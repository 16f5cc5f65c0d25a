//! `papo` without a command: a conversation at the terminal.
//!
//! Three things run at once. A thread reads what is typed and prints above it (`editor`, with its
//! `keys`, its `prompt` and the lines it has `recalled`; `device` turns the bytes into text and
//! drops `sequences` that are no keys). One connection brings events; another runs commands, one
//! after another, repeating them until they are answered (`jobs`). All of this becomes one queue of
//! news for `talk`, whose parts are `orders`, `message_actions` and `file_actions` for what is typed, `events`,
//! `changes` and `acks` for what comes, and `answers`, `elsewhere` and `search`. `screen` and `repaint` show
//! it; `pages`, `item`, `said` and `columns` lay it out, `activity` the line at the bottom.
//! `slash_command`, `message_command`, `groups` and `passwd` parse what begins with `/`, `later` is
//! about what is sent later, `flags` about what is muted or pinned,
//! `expiring` about messages that vanish; `picture`, `gallery` and `illustrate` show pictures;
//! `transfers` sends and fetches files, whose `paths` are typed; `notices` go to the desktop; and
//! `welcome` guides newcomers.

mod acks;
mod activity;
mod answers;
mod changes;
mod chats;
mod columns;
mod device;
mod editor;
mod elsewhere;
mod events;
mod expiring;
mod file_actions;
mod flags;
mod gallery;
#[cfg(test)]
mod gallery_tests;
mod groups;
mod illustrate;
mod item;
mod jobs;
mod keys;
mod known;
mod later;
mod listed_chat;
mod listed_flags;
mod message_actions;
mod message_command;
mod notices;
mod orders;
mod pages;
mod passwd;
mod paths;
mod pending_list;
mod picked;
mod picture;
mod prompt;
mod recalled;
mod repaint;
#[cfg(test)]
mod repaint_tests;
mod said;
mod screen;
#[cfg(test)]
mod screen_tests;
mod search;
mod sequences;
mod slash_command;
mod stale;
mod style;
mod talk;
mod transfers;
mod typed_search;
mod vanish;
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
use crate::name::Handle;
use crate::wire::rows::{EntryLine, LiveLine};
pub use columns::width;
use editor::Keyboard;
use gallery::Gallery;
use jobs::News;
use known::Typed;
use picture::abilities::questions;
use picture::fetch;
use style::Style;
use talk::{Talk, Unsent};
use transfers::Transferred;

/// Time limit for outstanding answers when leaving.
const DRAIN_TIME: Duration = Duration::from_secs(1);

/// The flags of a conversation.
#[derive(Clone, Copy, Debug, Default)]
pub struct TerminalOptions {
    /// Ring when a message comes.
    pub bell: bool,
    /// Show a desktop notification when a message comes.
    pub notify: bool,
    /// Show pictures, if the terminal says that it can.
    pub pictures: bool,
}

/// Runs the conversation until the user leaves.
///
/// # Errors
/// `Usage` if there is no terminal; any of the login's; `Lost` if something was left unsent.
pub async fn talk(named: &Named, options: TerminalOptions) -> Result<(), Failure> {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        let why = "papo needs a terminal; for scripts see papo --help";
        return Err(Failure::Usage(why.to_owned()));
    }
    // The editor has no line editing on these.
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
    let (over, unsent, unconfirmed) = match converse(&account, options, first).await {
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
    if unconfirmed > 0 {
        let s = if unconfirmed == 1 { "" } else { "s" };
        report(format_args!("papo: not confirmed: {unconfirmed} change{s} of messages"));
    }
    over?;
    match unsent.len() + unconfirmed {
        0 => Ok(()),
        n => Err(Failure::Lost(format!("left with {n} unsent"))),
    }
}

async fn converse(
    account: &Credentials,
    options: TerminalOptions,
    first: Option<String>,
) -> Result<(Result<(), Failure>, Vec<Unsent>, usize), Failure> {
    let (tell, news) = unbounded();
    let told = tell.clone();
    let told = Box::new(move |what| drop(told.try_send(News::Told(what))));
    let connecting = format!("connecting to {}", account.server.addresses);
    // One for each connection.
    let [(wake_feed, feed_woken), (wake_desk, desk_woken)] = [unbounded(), unbounded()];
    let mut feed = shown(&connecting, Feed::open_telling(account, told, feed_woken)).await?;
    // Waiting entries arrive before there is a screen: they are counted, not shown.
    let waiting =
        shown("fetching waiting messages", until_live(&mut feed, &account.handle)).await?;

    // Drop notices of outages: the connection is up now.
    while news.try_recv().is_ok() {}
    let style =
        Style { colour: env::var_os("NO_COLOR").is_none_or(|it| it.is_empty()), canvas: None };
    let questions = match options.pictures {
        true => questions(|name| env::var(name).ok()),
        false => None,
    };
    let typed = tell.clone();
    let keyboard = Keyboard::open(style, questions, move |typed_now| {
        let _ = typed.try_send(News::Typed(typed_now));
    })?;
    let (jobs, to_do) = unbounded();
    // Scroll earlier output away rather than draw over it.
    let _ = write!(io::stdout(), "{}", "\n".repeat(known::size().rows));
    let (transfers, to_transfer) = unbounded();
    let as_whom = (account.handle.clone(), account.device.is_some());
    let mut talk = Talk::new(as_whom, options, keyboard, style, jobs, transfers, tell.clone());
    talk.wake = vec![wake_feed, wake_desk];
    let (to_fetch, wanted) = unbounded();
    talk.gallery = Gallery::new(to_fetch);
    if let Some(first) = first {
        talk.turn_to(&first);
        talk.remark("      Enter sends what you type; /help explains, Ctrl-D leaves");
    }
    for line in &waiting {
        talk.line(line);
    }

    let executor = LocalExecutor::new();
    let work = executor.spawn(jobs::work(account, to_do, tell.clone(), desk_woken));
    let (busy, transferred) = (tell.clone(), tell.clone());
    let busy = move |what| drop(busy.try_send(News::Busy(what)));
    let transferred = move |done| drop(transferred.try_send(News::Transferred(done)));
    let transfer = executor.spawn(transfers::work(account, to_transfer, busy, transferred));
    let fetched = tell.clone();
    let fetched = move |id, raster| drop(fetched.try_send(News::Fetched(id, raster)));
    let fetch = executor.spawn(fetch::work(account, wanted, fetched));
    let (stay, left) = bounded::<()>(1);
    let listen = executor.spawn(listen(feed, tell.clone(), left));
    let signals = executor.spawn(until_signal(tell));
    let over = executor.run(async {
        let over = loop {
            let due = async { Ok(expiring::until(talk.next_due()).await) };
            let Ok(one) = news.recv().or(due).await else { break Ok(()) };
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
        // The feed leaves within a second.
        drop(stay);
        listen.await;
        over
    });
    let over = match over.await {
        Err(Failure::Secret(_)) => Err(Failure::Secret(format!("papo: {}", account.locked_out()))),
        over => over,
    };
    drop((work, transfer, fetch, signals));
    Ok((over, talk.unsent, talk.unconfirmed))
}

/// Waits for the last acknowledgements and confirmations.
async fn drain(talk: &mut Talk, news: &Receiver<News>) {
    while !talk.is_settled()
        && let Ok(one) = news.recv().await
    {
        match one {
            News::Answer(purpose, Ok(_)) => talk.answered_late(&purpose),
            News::Transferred(Transferred::Sent(_, _, Ok(()))) => talk.transferred_late(),
            _ => {}
        }
    }
}

/// Reads up to `LIVE`. Returns the last message of each conversation, the newest first, the last
/// that calls `me`, the last mark if it is newer, and `LIVE`: acknowledging an entry covers all
/// before it.
async fn until_live(feed: &mut Feed<'_>, me: &Handle) -> Result<Vec<String>, Failure> {
    let (mut said, mut marks) = (BTreeMap::new(), BTreeMap::new());
    let mut called = BTreeMap::new();
    loop {
        let line = feed.next().await?;
        if LiveLine::parse(&line).is_some() {
            let mut said: Vec<(EntryId, String)> = said.into_values().collect();
            said.sort_unstable_by_key(|(id, _)| Reverse(*id));
            let said = said.into_iter().map(|(_, line)| line);
            let said = said.chain(called.into_values()).chain(marks.into_values());
            return Ok(said.chain([line]).collect());
        }
        if let Some(EntryLine { entry, .. }) = EntryLine::parse(&line) {
            let name = lines::conversation(&entry).to_string();
            if entry.kind.is_mark() {
                marks.insert(name, line);
            } else {
                marks.remove(&name);
                if lines::calls(&entry, me) {
                    called.insert(name.clone(), line.clone());
                }
                said.insert(name, (entry.id, line));
            }
        }
    }
}

/// Passes events on until `left` is closed or the feed fails.
async fn listen(mut feed: Feed<'_>, news: Sender<News>, left: Receiver<()>) {
    loop {
        let leaving = async {
            // Nothing is ever sent there; it is only closed.
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

const SIGNALS: [Signal; 6] =
    [Signal::Winch, Signal::Cont, Signal::Term, Signal::Hup, Signal::Int, Signal::Quit];

/// Redraws a terminal whose size changes, and on signals that end papo leaves the terminal as it
/// was found. The editor installs signal handlers of its own, so this starts after it.
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
