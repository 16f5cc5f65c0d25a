//! What is asked of the server, one command after another, and what becomes of the answers.

use std::sync::mpsc;
use std::time::Duration;

use smol::Timer;
use smol::channel::{Receiver, Sender};
use smol::future::{self, FutureExt};

use super::item::Tick;
use super::known::Typed;
use crate::client::account::Credentials;
use crate::client::caller::Caller;
use crate::client::connection::Success;
use crate::client::failure::Failure;

/// After how long without a command the server is asked whether it is still there.
const IDLE: Duration = Duration::from_secs(60);

/// After how long whoever waits is told so.
const SLOW: Duration = Duration::from_secs(1);

/// Why something is asked.
pub enum Purpose {
    /// It is a message, sent with this key.
    Send(String),
    /// A conversation is turned to.
    Open(String),
    /// Older entries of this conversation are scrolled to.
    Older(String),
    /// What was missed in this conversation while there was no connection.
    Missed(String),
    /// The conversations; somebody wants to see them, all or not, or nobody does.
    Chats(Option<bool>),
    /// The last entry of a conversation, for that list, which is shown then or not yet.
    Last(String, Option<bool>),
    /// The password is changed from one to another.
    Passwd {
        /// As it was.
        old: String,
        /// As it will be.
        new: String,
    },
    /// How far a message has come.
    Ticks(Ticks),
    /// Everything up to this id is acknowledged.
    Mark(u64),
    /// Names are completed.
    Names(mpsc::Sender<Vec<String>>),
    /// A group is made in which nobody else is.
    Made,
    /// Somebody wants to see the rows.
    Show,
}

/// The question of how far the messages of a conversation have come. None of them has come farther
/// than those before it, so it is halved: a few are asked for, and all are known.
pub struct Ticks {
    /// The conversation.
    pub name: String,
    /// The messages, in their order.
    pub ids: Vec<u64>,
    /// What is looked for: the last one that has come so far.
    pub wanted: Tick,
    /// It is not among those before the first of these, nor from the second on.
    pub range: (usize, usize),
    /// Somebody has just received or read something.
    pub is_news: bool,
}

impl Ticks {
    /// Which one is asked for next: the newest first, which often is all there is to ask.
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
    /// Whether it is about another password, which may be wrong without being this session's.
    pub fn is_passwd(&self) -> bool {
        matches!(self, Purpose::Passwd { .. })
    }

    /// Whether somebody looks at the screen for the answer.
    pub fn is_waited_for(&self) -> bool {
        use Purpose::{Chats, Last, Made, Older, Open, Passwd, Show};
        matches!(
            self,
            Open(_) | Older(_) | Chats(Some(_)) | Last(_, Some(_)) | Passwd { .. } | Made | Show
        )
    }
}

/// A command, and why.
pub struct PendingCommand {
    /// The command.
    pub command: String,
    /// Why.
    pub purpose: Purpose,
}

/// What happens.
pub enum News {
    /// At the keyboard.
    Typed(Typed),
    /// The server says something.
    Line(String),
    /// Of the connection over which everything comes.
    Told(String),
    /// Of the one for commands.
    Busy(String),
    /// A command is answered.
    Answer(Purpose, Result<Success, Failure>),
    /// A command has not been answered for more than a second.
    Slow,
    /// A notice could not be shown on the desktop, and why.
    Unnoticed(String),
    /// The process was stopped, and goes on.
    GoesOn,
    /// It cannot go on.
    Over(Failure),
}

/// Does the jobs, one after another, over as many connections as that takes.
///
/// `wake` lets it try again at once where there is no connection.
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
            // A router that forgets the connection would let the next message wait.
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
            if let Purpose::Mark(id) = purpose {
                // Where the log was put back there is nothing to acknowledge.
                caller.acknowledge(|| vec![(id, command.clone())]).await?;
                return Ok(Success { rows: Vec::new(), ok: "OK".to_owned() });
            }
            if !is_change(&command) {
                return caller.ask(&command).await;
            }
            // Said again it could be done twice; so it is said where somebody listens.
            caller.ask("PING").await?;
            caller.ask_once(&command).await
        };
        let answer = answer.or(slow).await;
        if news.send(News::Answer(purpose, answer)).await.is_err() {
            return;
        }
    }
}

/// Whether a command makes an entry each time that it is carried out.
fn is_change(command: &str) -> bool {
    let verb = command.strip_prefix("GROUP ").and_then(|rest| rest.split(' ').next());
    verb.is_some_and(|verb| !["LIST", "WHO", ""].contains(&verb))
}
