//! `papo on`: a command for each message, and its output as the reply.
//!
//! Messages of one conversation are dealt with one after another, conversations beside each other.
//! A message is acknowledged when its command has succeeded and its reply is sent, so that one whose
//! command was cut short comes again; its reply has a key made of its id, so that it is sent once
//! even then. No shell is involved unless it is the command.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::os::unix::process::CommandExt;
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process_group};
use smol::channel::{self, Receiver, Sender};
use smol::future::{self, FutureExt};
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::lock::{Mutex, Semaphore, SemaphoreGuardArc};
use smol::process::{ChildStdout, Command};
use smol::{LocalExecutor, Timer};

use super::account::Credentials;
use super::acks::Acks;
use super::caller::Caller;
use super::failure::{Failure, report};
use super::feed::Feed;
use super::lines;
use super::signals;
use crate::entry::Entry;
use crate::limits;
use crate::name::Target;
use crate::wire::columns::written_time;
use crate::wire::rows::EntryLine;

/// How often a command is tried for one message.
const TRIES: u32 = 10;

/// The longest pause between two tries.
const LONGEST: Duration = Duration::from_secs(300);

/// Commands that run at the same time, each for another conversation.
const RUNNING: usize = 8;

/// Messages that wait in memory. Beyond them nothing is read: the rest waits with the server.
const WAITING: usize = 1_000;

/// Bytes of output that are read: more than the longest message is no reply.
const MOST: usize = limits::LINE * 4;

/// What a command has to end in order, once it was told to.
const GRACE: Duration = Duration::from_secs(5);

/// A message that waits, how often the log had been put back when it came, and its place among those
/// that may wait.
type WaitingMessage = (Entry, u64, SemaphoreGuardArc);

/// What is run, and how.
#[derive(Clone, Debug)]
pub struct OnOptions {
    /// For messages of these conversations; none named means all.
    pub conversations: Vec<Target>,
    /// The command and its arguments.
    pub command: Vec<OsString>,
    /// The pause before the second try, which doubles before each further one.
    pub pause: Duration,
    /// What takes longer is ended, and has failed.
    pub limit: Option<Duration>,
}

/// Runs the command for each message from others.
///
/// # Errors
/// `Usage` where there is no such command; `Lost` where the server cannot be reached at first;
/// `Secret`, `Refused`: the account cannot be logged in to any more; `Signal`.
pub async fn on(account: &Credentials, options: &OnOptions) -> Result<(), Failure> {
    let (acks, since) = Acks::open(account).await?;
    acks.know(&options.conversations).await?;
    let mut feed = Feed::open(account, since).await?;
    let bot = Bot {
        options,
        acks: &acks,
        caller: Mutex::new(Caller::patient(account)),
        running: Semaphore::new(RUNNING),
        groups: RefCell::new(BTreeSet::new()),
        put_back: Cell::new(0),
    };
    let (fail, failed) = channel::bounded(1);
    let room = Arc::new(Semaphore::new(WAITING));
    let executor = LocalExecutor::new();
    let mut queues: HashMap<String, Sender<WaitingMessage>> = HashMap::new();
    let reading = async {
        loop {
            let line = feed.next().await?;
            if bot.put_back.replace(feed.put_back()) != feed.put_back() {
                acks.forget();
            }
            let Some(known) = EntryLine::parse(&line) else { continue };
            let (entry, me) = (known.entry.into_owned(), &account.handle);
            let is_in = lines::concerns(&entry.from, &entry.to, &options.conversations, me);
            if entry.from == *me || !is_in || !lines::is_message(&entry) {
                continue;
            }
            let place = room.acquire_arc().await;
            let queue =
                queues.entry(lines::conversation(&entry).to_string()).or_insert_with(|| {
                    let (queue, waiting) = channel::unbounded();
                    executor.spawn(bot.serve(waiting, fail.clone())).detach();
                    queue
                });
            // Its other end is there for as long as this runs.
            let _ = queue.try_send((entry, feed.put_back(), place));
        }
    };
    let failing = async {
        match failed.recv().await {
            Ok(e) => Err(e),
            // One that could fail is kept here.
            Err(_) => future::pending().await,
        }
    };
    let mut acknowledging = pin!(acks.run());
    let over = failing.or(reading).or(signals::ended(true)).or(acknowledging.as_mut());
    let ended = executor.run(over).await;
    bot.end_all();
    if !matches!(ended, Err(Failure::Secret(_) | Failure::Refused(_))) {
        let _ = acks.settle().or(acknowledging).await;
    }
    ended
}

struct Bot<'a> {
    options: &'a OnOptions,
    acks: &'a Acks<'a>,
    caller: Mutex<Caller<'a>>,
    running: Semaphore,
    /// The process groups of the commands that run, by the ids of their first processes.
    groups: RefCell<BTreeSet<i32>>,
    /// How often the server's log was put back.
    put_back: Cell<u64>,
}

impl Bot<'_> {
    /// Deals with the messages of one conversation, one after another.
    async fn serve(&self, waiting: Receiver<WaitingMessage>, fail: Sender<Failure>) {
        while let Ok((entry, put_back, place)) = waiting.recv().await {
            if let Err(e) = self.deal_with(&entry).await {
                let _ = fail.try_send(e);
                return;
            }
            // In a log that was put back its id may be that of another message.
            if put_back == self.put_back.get() {
                let name = lines::conversation(&entry).to_string();
                self.acks.add(&name, entry.id.number());
            }
            drop(place);
        }
    }

    async fn deal_with(&self, entry: &Entry) -> Result<(), Failure> {
        let mut pause = self.options.pause;
        for attempt in 1..=TRIES {
            match self.run(entry).await? {
                Ok(output) => {
                    self.answer(entry, output).await?;
                    break;
                }
                Err(why) if attempt == TRIES => {
                    let (id, from) = (entry.id.number(), &entry.from);
                    report(format_args!(
                        "papo: message {id} from {from} was skipped after {TRIES} tries: {why}"
                    ));
                }
                Err(_) => {
                    Timer::after(pause).await;
                    pause = (pause * 2).min(LONGEST);
                }
            }
        }
        Ok(())
    }

    /// Runs the command once: its output, or why it did not succeed. A failure is one that no other
    /// try would mend.
    async fn run(&self, entry: &Entry) -> Result<Result<Vec<u8>, String>, Failure> {
        let _turn = self.running.acquire().await;
        let [program, arguments @ ..] = &self.options.command[..] else {
            return Err(Failure::Usage("no command is given".to_owned()));
        };
        let mut command = std::process::Command::new(program);
        command.args(arguments);
        command.env("PAPO_ID", entry.id.number().to_string());
        command.env("PAPO_FROM", entry.from.as_str()).env("PAPO_TO", entry.to.to_string());
        command.env("PAPO_TIME", written_time(entry.time));
        // A group of its own, so that whatever it has begun can be ended with it.
        command.process_group(0);
        let mut command = Command::from(command);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(e) if cannot_be_mended(&e) => {
                // Messages are not to be passed over because of a slip in typing.
                let is_script = e.raw_os_error() == Some(Errno::NOEXEC.raw_os_error());
                let hint =
                    if is_script { "; a script begins with #!/bin/sh or the like" } else { "" };
                return Err(Failure::Usage(format!("{}: {e}{hint}", program.display())));
            }
            Err(e) => return Ok(Err(e.to_string())),
        };
        let group = i32::try_from(child.id()).unwrap_or(0);
        self.groups.borrow_mut().insert(group);
        let (mut stdin, mut stdout) = (child.stdin.take(), child.stdout.take());
        let mut output = Vec::new();
        let is_late = Cell::new(false);
        let ended = {
            let give = async {
                if let Some(mut stdin) = stdin.take() {
                    // It need not read what it does not want.
                    let _ = stdin.write_all(entry.body.as_bytes()).await;
                }
                future::pending().await
            };
            let take = async {
                if let Some(stdout) = &mut stdout {
                    read(stdout, &mut output).await?;
                }
                // Nobody reads on, so a command that goes on writing is ended by that.
                stdout = None;
                future::pending().await
            };
            let status = async { child.status().await.map_err(|e| e.to_string()) };
            // Its end is what counts: something that it has begun may keep its output open for ever.
            status.or(give).or(take).or(self.too_long(group, &is_late)).await
        };
        self.groups.borrow_mut().remove(&group);
        if let (true, Some(limit)) = (is_late.get(), self.options.limit) {
            // What it has begun may have outlived it.
            end(group, Signal::KILL);
            return Ok(Err(format!("it took more than {} seconds", limit.as_secs_f64())));
        }
        let status = match ended {
            Ok(status) => status,
            Err(why) => return Ok(Err(why)),
        };
        // What it wrote before its end is there.
        if let Some(stdout) = &mut stdout {
            let _ = future::poll_once(read(stdout, &mut output)).await;
        }
        Ok(succeeded(status, output))
    }

    /// Ends a command that takes longer than it may: it is told so, and killed 5 seconds after.
    async fn too_long<T>(&self, group: i32, is_late: &Cell<bool>) -> T {
        let Some(limit) = self.options.limit else { return future::pending().await };
        Timer::after(limit).await;
        is_late.set(true);
        end(group, Signal::TERM);
        Timer::after(GRACE).await;
        end(group, Signal::KILL);
        future::pending().await
    }

    /// Ends all commands that run.
    fn end_all(&self) {
        self.groups.borrow().iter().for_each(|group| end(*group, Signal::TERM));
    }

    /// Sends the output of the command, if there is any, to where the message came from.
    async fn answer(&self, entry: &Entry, output: Vec<u8>) -> Result<(), Failure> {
        let (id, there) = (entry.id.number(), lines::conversation(entry));
        let Ok(mut text) = String::from_utf8(output) else {
            report(format_args!(
                "papo: the reply to message {id} is not sent: it is not valid UTF-8"
            ));
            return Ok(());
        };
        text.truncate(text.trim_end_matches('\n').len());
        if text.trim().is_empty() {
            return Ok(());
        }
        let command = match lines::once(&format!("papo-on-{id}"), &there, &text) {
            Ok(command) => command,
            Err(e) => {
                report(format_args!("papo: the reply to message {id} is not sent: {e}"));
                return Ok(());
            }
        };
        let mut pause = self.options.pause;
        for attempt in 1..=TRIES {
            match self.caller.lock().await.ask(&command).await {
                Ok(_) => break,
                Err(Failure::Refused(line)) => match lines::code(&line) {
                    // It was answered before, with another text, and died before it could say so.
                    "key-reused" => break,
                    _ if attempt < TRIES && lines::is_passing(&line) => {}
                    _ => {
                        let line = lines::in_text(&line, &command, &text);
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

/// Reads up to the end, or as much as no message can hold.
async fn read(stdout: &mut ChildStdout, output: &mut Vec<u8>) -> Result<(), String> {
    let mut some = [0; 8_192];
    while output.len() < MOST {
        match stdout.read(&mut some).await.map_err(|e| e.to_string())? {
            0 => break,
            n => output.extend_from_slice(&some[..n]),
        }
    }
    Ok(())
}

/// Whether it is the command itself that cannot be run, now or later.
fn cannot_be_mended(e: &io::Error) -> bool {
    let code = e.raw_os_error().map(Errno::from_raw_os_error);
    matches!(e.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied)
        || matches!(code, Some(Errno::NOEXEC | Errno::NOTDIR | Errno::LOOP | Errno::ISDIR))
}

/// Sends a signal to a group of processes. One that is there no more needs none.
fn end(group: i32, signal: Signal) {
    if let Some(group) = Pid::from_raw(group) {
        let _ = kill_process_group(group, signal);
    }
}
