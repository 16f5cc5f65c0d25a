//! What is asked of the server, one command after another, and what becomes of the answers.

use std::sync::mpsc;
use std::time::Duration;

use smol::Timer;
use smol::channel::{Receiver, Sender};
use smol::future::{self, FutureExt};

use super::known::Typed;
use crate::client::account::Account;
use crate::client::connection::Reply;
use crate::client::desk::Desk;
use crate::client::failure::Failure;

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
    /// The conversations; somebody wants to see them, or not.
    Chats(bool),
    /// How far a message has come.
    Ticks(Ticks),
    /// Something is acknowledged.
    Mark,
    /// Names are completed.
    Names(mpsc::Sender<Vec<String>>),
    /// Somebody wants to see the rows.
    Show,
}

/// The question of how far a message has come.
pub struct Ticks {
    /// The conversation.
    pub name: String,
    /// The message.
    pub id: u64,
    /// How many earlier ones are asked for at most, where it has not been read by everyone.
    pub earlier: usize,
    /// Somebody has just received or read something.
    pub is_news: bool,
}

impl Purpose {
    /// Whether somebody looks at the screen for the answer.
    pub fn is_waited_for(&self) -> bool {
        matches!(self, Purpose::Open(_) | Purpose::Older(_) | Purpose::Chats(true) | Purpose::Show)
    }
}

/// A command, and why.
pub struct Job {
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
    /// Of the connection.
    Told(String),
    /// A command is answered.
    Answer(Purpose, Result<Reply, Failure>),
    /// A command has not been answered for more than a second.
    Slow,
    /// The process was stopped, and goes on.
    GoesOn,
    /// It cannot go on.
    Over(Failure),
}

/// Does the jobs, one after another, over as many connections as that takes.
pub async fn work(account: &Account, jobs: Receiver<Job>, news: Sender<News>) {
    let tell = news.clone();
    let tell = Box::new(move |what| drop(tell.try_send(News::Told(what))));
    let mut desk = Desk::patient_telling(account, tell);
    while let Ok(Job { command, purpose }) = jobs.recv().await {
        let slow = async {
            Timer::after(SLOW).await;
            let _ = news.try_send(News::Slow);
            future::pending().await
        };
        let answer = async {
            match purpose {
                // Said again it could be done twice.
                Purpose::Show => desk.ask_once(&command).await,
                _ => desk.ask(&command).await,
            }
        };
        let answer = answer.or(slow).await;
        if news.send(News::Answer(purpose, answer)).await.is_err() {
            return;
        }
    }
}
