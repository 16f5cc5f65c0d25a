//! `papo on`: a command for each message, and its output as the reply.
//!
//! Messages of one conversation are dealt with one after another, conversations beside each other.
//! A message is acknowledged when its command has succeeded and its reply is sent, so that one whose
//! command was cut short comes again; its reply has a key made of its id, so that it is sent once
//! even then. No shell is involved unless it is the command.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use smol::channel::{self, Receiver, Sender};
use smol::future::{self, FutureExt};
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::lock::{Mutex, Semaphore, SemaphoreGuardArc};
use smol::process::Command;
use smol::{LocalExecutor, Timer};

use super::account::Account;
use super::desk::Desk;
use super::failure::{Failure, report};
use super::feed::Feed;
use super::lines::{self, Entry};
use crate::limits;
use crate::name::Target;

/// How often a command is tried for one message.
const TRIES: u32 = 10;

/// The longest pause between two tries.
const LONGEST: Duration = Duration::from_secs(300);

/// Commands that run at the same time, each for another conversation.
const RUNNING: usize = 8;

/// Messages that wait in memory. Beyond them nothing is read: the rest waits with the server.
const WAITING: usize = 1_000;

/// A message that waits, and its place among those that may.
type Waiting = (Entry, SemaphoreGuardArc);

/// Runs `command` for each message from others in these conversations; none named means all. The
/// pause before the second try is `pause`, and doubles.
///
/// # Errors
/// `Usage` where there is no such command; `Lost` where the server cannot be reached at first;
/// `Secret`, `Refused`: the account cannot be logged in to.
pub async fn on(
    account: &Account,
    conversations: &[Target],
    command: &[OsString],
    pause: Duration,
) -> Result<(), Failure> {
    let mut feed = Feed::open(account).await?;
    let bot = Bot {
        command,
        pause,
        desk: Mutex::new(Desk::patient(account)),
        running: Semaphore::new(RUNNING),
    };
    let (fail, failed) = channel::bounded(1);
    let room = Arc::new(Semaphore::new(WAITING));
    let executor = LocalExecutor::new();
    let mut queues: HashMap<String, Sender<Waiting>> = HashMap::new();
    // Ids only grow, so what comes again after the connection was lost is not above this.
    let mut newest = 0;
    let reading = async {
        loop {
            let line = match feed.next().await {
                Ok(line) => line,
                Err(e) => return e,
            };
            let Some(entry) = Entry::parse(&line) else { continue };
            let is_mine = entry.from == account.handle.as_str();
            let is_wanted = entry.is_message() && entry.is_in(conversations, &account.handle);
            if is_mine || !is_wanted || entry.id <= newest {
                continue;
            }
            newest = entry.id;
            let place = room.acquire_arc().await;
            let queue = queues.entry(entry.conversation().to_owned()).or_insert_with(|| {
                let (queue, waiting) = channel::unbounded();
                executor.spawn(bot.serve(waiting, fail.clone())).detach();
                queue
            });
            // Its other end is there for as long as this runs.
            let _ = queue.try_send((entry, place));
        }
    };
    let failing = async {
        match failed.recv().await {
            Ok(e) => e,
            // One that could fail is kept here.
            Err(_) => future::pending().await,
        }
    };
    Err(executor.run(failing.or(reading)).await)
}

struct Bot<'a> {
    command: &'a [OsString],
    pause: Duration,
    desk: Mutex<Desk<'a>>,
    running: Semaphore,
}

impl Bot<'_> {
    /// Deals with the messages of one conversation, one after another.
    async fn serve(&self, waiting: Receiver<Waiting>, fail: Sender<Failure>) {
        while let Ok((entry, place)) = waiting.recv().await {
            if let Err(e) = self.deal_with(&entry).await {
                let _ = fail.try_send(e);
                return;
            }
            drop(place);
        }
    }

    async fn deal_with(&self, entry: &Entry) -> Result<(), Failure> {
        let mut pause = self.pause;
        for attempt in 1..=TRIES {
            match self.run(entry).await? {
                Ok(output) => {
                    self.answer(entry, output).await?;
                    break;
                }
                Err(why) if attempt == TRIES => {
                    let (id, from) = (entry.id, &entry.from);
                    report(format_args!(
                        "papo: message {id} from {from} is passed over after {TRIES} tries: {why}"
                    ));
                }
                Err(_) => {
                    Timer::after(pause).await;
                    pause = (pause * 2).min(LONGEST);
                }
            }
        }
        match self.desk.lock().await.ask(&format!("ACK {}", entry.id)).await {
            // Forgotten by the server meanwhile, so it does not come again.
            Ok(_) | Err(Failure::Refused(_)) => Ok(()),
            Err(e) => Err(e),
        }
    }

    /// Runs the command once: its output, or why it did not succeed. A failure is one that no other
    /// try would mend.
    async fn run(&self, entry: &Entry) -> Result<Result<Vec<u8>, String>, Failure> {
        let _turn = self.running.acquire().await;
        let [program, arguments @ ..] = self.command else {
            return Err(Failure::Usage("no command is given".to_owned()));
        };
        let mut command = Command::new(program);
        command.args(arguments);
        command.env("PAPO_ID", entry.id.to_string()).env("PAPO_FROM", &entry.from);
        command.env("PAPO_TO", &entry.to).env("PAPO_TIME", &entry.time);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = match command.spawn() {
            Ok(child) => child,
            // Messages are not to be passed over because of a slip in typing.
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied) => {
                return Err(Failure::Usage(format!("{}: {e}", program.display())));
            }
            Err(e) => return Ok(Err(e.to_string())),
        };
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let give = async {
            if let Some(mut stdin) = stdin {
                // It need not read what it does not want.
                let _ = stdin.write_all(entry.body.as_bytes()).await;
            }
        };
        // More than the longest message is no reply; a command that goes on writing is cut off.
        let most = limits::LINE as u64 * 4;
        let take = async {
            let mut output = Vec::new();
            let Some(stdout) = stdout else { return Ok(output) };
            let read = stdout.take(most).read_to_end(&mut output).await;
            read.map(|_| output).map_err(|e| e.to_string())
        };
        let ((), output) = future::zip(give, take).await;
        let status = child.status().await.map_err(|e| e.to_string());
        Ok(output.and_then(|output| status.and_then(|status| succeeded(status, output))))
    }

    /// Sends the output of the command, if there is any, to where the message came from.
    async fn answer(&self, entry: &Entry, output: Vec<u8>) -> Result<(), Failure> {
        let id = entry.id;
        let Ok(mut text) = String::from_utf8(output) else {
            report(format_args!("papo: the reply to message {id} is not sent: it is no UTF-8"));
            return Ok(());
        };
        text.truncate(text.trim_end_matches('\n').len());
        if text.trim().is_empty() {
            return Ok(());
        }
        let command = match lines::once(&format!("papo-on-{id}"), entry.conversation(), &text) {
            Ok(command) => command,
            Err(e) => {
                report(format_args!("papo: the reply to message {id} is not sent: {e}"));
                return Ok(());
            }
        };
        let mut pause = self.pause;
        for attempt in 1..=TRIES {
            match self.desk.lock().await.ask(&command).await {
                Ok(_) => break,
                Err(Failure::Refused(line)) => match lines::code(&line) {
                    // It was answered before, with another text, and died before it could say so.
                    "key-reused" => break,
                    _ if attempt < TRIES && lines::is_passing(&line) => {}
                    _ => {
                        report(format_args!("papo: the reply to message {id} is refused: {line}"));
                        break;
                    }
                },
                Err(e) => return Err(e),
            }
            Timer::after(pause).await;
            pause = (pause * 2).min(LONGEST);
        }
        Ok(())
    }
}

fn succeeded(status: ExitStatus, output: Vec<u8>) -> Result<Vec<u8>, String> {
    if status.success() { Ok(output) } else { Err(status.to_string()) }
}
