//! Runs commands on the server, one after another, and passes their answers on.

use std::sync::mpsc;
use std::time::Duration;

use smol::Timer;
use smol::channel::{Receiver, Sender};
use smol::future::{self, FutureExt};

use super::known::Typed;
use super::picture::Raster;
use super::stale::StaleMessage;
use super::style::Tick;
use super::transfers::Transferred;
use super::typed_search::TypedSearch;
use crate::client::account::Credentials;
use crate::client::caller::Caller;
use crate::client::connection::Success;
use crate::client::failure::Failure;

/// Time without a command after which the server is sent a `PING`.
const IDLE: Duration = Duration::from_secs(60);

/// Time after which an outstanding answer is announced.
const SLOW: Duration = Duration::from_secs(1);

/// What a command is for.
pub enum Purpose {
    /// A message, sent with this key.
    Send(String),
    /// Switch to this conversation.
    Open(String),
    /// Scroll back to older entries of this conversation.
    Older(String),
    /// Entries of this conversation missed while disconnected.
    Missed(String),
    /// Update the conversations; then list all (true), the first (false), or none.
    Chats(Option<bool>),
    /// Fetch the last entries of a conversation for that list, and list them as above after the last.
    Last(String, Option<bool>),
    /// Change the password.
    Passwd { old: String, new: String },
    /// Find out how far messages have come.
    Ticks(Ticks),
    /// Acknowledge everything up to this id.
    Ack(u64),
    /// Complete a name.
    Names(mpsc::Sender<Vec<String>>),
    /// Make a group without other members.
    Made,
    /// Join a group.
    Joined,
    /// Make an invitation to a group, good for so many people and so long.
    Invited(String),
    /// Change a message of the user's, or react to one: the event shows it.
    Change,
    /// Forward a message to this conversation.
    Forward(String),
    /// Send this later.
    PutOff(String),
    /// Fetch what holds of a message.
    Refresh(StaleMessage),
    /// Search for messages.
    Search(Box<TypedSearch>),
    /// Show the rows to the user.
    Show,
    /// Show the rows to the user, or this if there are none.
    ShowOr(&'static str),
    /// Show this to the user, once it is done.
    Say(String),
    /// What nobody asked for; the event shows what became of it.
    Tidy,
}

/// A binary search for how far the messages of a conversation have come: none has come farther than
/// those before it, so a few queries settle all.
pub struct Ticks {
    pub name: String,
    /// The messages, ascending.
    pub ids: Vec<u64>,
    /// The search is for the last message with this tick.
    pub wanted: Tick,
    /// The part of `ids` still to be searched.
    pub range: (usize, usize),
    /// Somebody has just received or read something.
    pub is_news: bool,
}

impl Ticks {
    /// The index to query next: the newest first, which often settles it.
    pub fn middle(&self) -> Option<usize> {
        let (low, high) = self.range;
        match low == high {
            true => None,
            false if high == self.ids.len() => Some(high - 1),
            false => Some((low + high) / 2),
        }
    }
}

impl Purpose {
    /// Whether a refused secret is one of a password change, not this session's.
    pub fn is_passwd(&self) -> bool {
        matches!(self, Purpose::Passwd { .. })
    }

    /// Whether the answer may have texts of messages, for the screen or the list of conversations.
    pub fn is_load(&self) -> bool {
        use Purpose::{Last, Missed, Older, Open, Search, Show, ShowOr};
        matches!(self, Open(_) | Older(_) | Missed(_) | Last(..) | Search(_) | Show | ShowOr(_))
    }

    /// Whether the answer is the list of conversations.
    pub fn is_list(&self) -> bool {
        matches!(self, Purpose::Chats(_))
    }

    /// Whether the user has done something to a message that would be lost if it were not carried
    /// out.
    pub fn is_done_to_a_message(&self) -> bool {
        matches!(self, Purpose::Change | Purpose::Forward(_) | Purpose::PutOff(_))
    }

    /// Whether the user waits for the answer.
    pub fn is_waited_for(&self) -> bool {
        use Purpose::{Change, Chats, Forward, Invited, Joined, Last, Made, Older, Open, Passwd};
        use Purpose::{PutOff, Say, Search, Show, ShowOr};
        matches!(
            self,
            Open(_)
                | Older(_)
                | Search(_)
                | Chats(Some(_))
                | Last(_, Some(_))
                | Passwd { .. }
                | Made
                | Joined
                | Invited(_)
                | Show
                | ShowOr(_)
                | Say(_)
                | Change
                | Forward(_)
                | PutOff(_)
        )
    }
}

/// A command, and what it is for.
pub struct PendingCommand {
    pub command: String,
    pub purpose: Purpose,
}

/// Everything that `Talk` handles.
pub enum News {
    /// Input from the keyboard.
    Typed(Typed),
    /// A line from the server.
    Line(String),
    /// A notice about the connection for events.
    Told(String),
    /// A notice about the connection for commands.
    Busy(String),
    /// A command is answered.
    Answer(Purpose, Result<Success, Failure>),
    /// A file was sent or fetched, or was not.
    Transferred(Transferred),
    /// The picture in the file of a message, if there is one that can be shown.
    Fetched(u64, Option<Raster>),
    /// A command has not been answered for more than a second.
    Slow,
    /// The number of the desktop notification for the message with this id.
    Noticed(u64, u32),
    /// Why a desktop notification could not be shown.
    Unnoticed(String),
    /// A message's time is over.
    Due,
    /// The process continues after it was stopped.
    GoesOn,
    /// The conversation cannot go on.
    Over(Failure),
}

/// Runs the jobs one after another, reconnecting as needed.
///
/// A message on `wake` makes it reconnect at once.
pub async fn work(
    account: &Credentials,
    jobs: Receiver<PendingCommand>,
    news: Sender<News>,
    wake: Receiver<()>,
) {
    let tell = news.clone();
    let tell = Box::new(move |what| drop(tell.try_send(News::Busy(what))));
    let mut caller = Caller::patient_telling(account, tell, wake);
    loop {
        let idle = async {
            Timer::after(IDLE).await;
            Ok(None)
        };
        let job = async { jobs.recv().await.map(Some) }.or(idle).await;
        let Ok(job) = job else { return };
        let Some(PendingCommand { command, purpose }) = job else {
            // Otherwise a router might forget the connection, and the next message would have to
            // wait.
            let _ = caller.ask("PING").await;
            continue;
        };
        let slow = async {
            Timer::after(SLOW).await;
            let _ = news.try_send(News::Slow);
            future::pending().await
        };
        let answer = async {
            if let Purpose::Passwd { old, new } = &purpose {
                return account.change_password(old, new).await;
            }
            if let Purpose::Ack(id) = purpose {
                // Acknowledges nothing if the log was put back.
                caller.acknowledge(|| vec![(id, command.clone())]).await?;
                return Ok(Success { rows: Vec::new(), ok: "OK".to_owned() });
            }
            if !is_change(&command) {
                return caller.ask(&command).await;
            }
            // It cannot be repeated safely, so first make sure that the server answers.
            caller.ask("PING").await?;
            caller.ask_once(&command).await
        };
        let answer = answer.or(slow).await;
        if news.send(News::Answer(purpose, answer)).await.is_err() {
            return;
        }
    }
}

/// Whether a command makes an entry each time it is carried out, or puts something off.
fn is_change(command: &str) -> bool {
    if ["AT ", "UNLESS ", "EXPIRE "].iter().any(|verb| command.starts_with(verb)) {
        return true;
    }
    let words: Vec<&str> = command.split(' ').collect();
    match words[..] {
        // Without a value it shows the rules.
        ["GROUP", "LIST" | "WHO", ..] | ["GROUP", "RULE", _] => false,
        ["GROUP", ..] => true,
        _ => false,
    }
}
