//! `papo on`: runs a command for each message, and sends its output as the reply; for reactions, too,
//! if that is wanted.
//!
//! Messages of one conversation are handled one after another, conversations in parallel. A message
//! is acknowledged once its command has succeeded and its reply is sent, so an interrupted one
//! comes again; the reply's key contains the message's id, so it is sent only once even then. No
//! shell is involved unless it is the command. Several of the same on one machine share the work:
//! see [`sharing`].

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
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
use super::waiting_entries::{WaitingEntries, WaitingEntry};
use super::{sharing, signals};
use crate::entry::{Entry, EntryKind};
use crate::limits;
use crate::name::Target;
use crate::wire::columns::written_time;
use crate::wire::rows::EntryLine;

/// Attempts per message.
const TRIES: u32 = 10;

/// Longest pause between attempts.
const LONGEST: Duration = Duration::from_secs(300);

/// Commands running at once, each for another conversation.
const RUNNING: usize = 8;

/// Messages queued in memory. Beyond this nothing is read: the rest waits on the server.
const WAITING: usize = 1_000;

/// Bytes of output to read, more than the longest message: beyond that it is no reply.
const MOST: usize = limits::LINE * 4;

/// Time between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(5);

/// The id of an entry, how often the log had been put back when it came, and its slot of [`WAITING`].
type WaitingPlace = (u64, u64, SemaphoreGuardArc);

/// What to run, and how.
#[derive(Clone, Debug)]
pub struct OnOptions {
    /// Only for messages of these conversations; empty means all.
    pub conversations: Vec<Target>,
    /// For reactions, too.
    pub reactions: bool,
    /// The command and its arguments.
    pub command: Vec<OsString>,
    /// Pause before the second attempt; it doubles before each further one.
    pub pause: Duration,
    /// Time limit of a command; when it is over the command is terminated, and has failed.
    pub limit: Option<Duration>,
}

impl OnOptions {
    /// What several that share their work have in common.
    fn work(&self) -> Vec<Vec<u8>> {
        let mut work: Vec<Vec<u8>> =
            self.conversations.iter().map(|name| name.to_string().into_bytes()).collect();
        work.sort();
        work.push(vec![u8::from(self.reactions)]);
        work.extend(self.command.iter().map(|word| word.as_bytes().to_vec()));
        work
    }
}

/// Runs the command for each message from others.
///
/// # Errors
/// `Usage` if the command cannot be run; `Lost` if the server cannot be reached at first; `Secret`,
/// `Refused`: the account can no longer log in; `Signal`.
pub async fn on(account: &Credentials, options: &OnOptions) -> Result<(), Failure> {
    let _turn = sharing::turn(account, &options.work()).or(signals::ended(true)).await?;
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
        waiting: WaitingEntries::default(),
    };
    let (fail, failed) = channel::bounded(1);
    let room = Arc::new(Semaphore::new(WAITING));
    let executor = LocalExecutor::new();
    let mut queues: HashMap<String, Sender<WaitingPlace>> = HashMap::new();
    let reading = async {
        loop {
            let line = feed.next().await?;
            if bot.put_back.replace(feed.put_back()) != feed.put_back() {
                acks.forget();
                bot.waiting.forget();
            }
            let Some(known) = EntryLine::parse(&line) else { continue };
            let (waiting, me) = (WaitingEntry::new(known), &account.handle);
            let entry = &waiting.entry;
            bot.waiting.hear(entry);
            let is_in = lines::concerns(&entry.from, &entry.to, &options.conversations, me);
            if !is_in {
                continue;
            }
            if lines::is_own(entry, me) {
                if acks.is_device() {
                    acks.add(&lines::conversation_of(entry, me).to_string(), entry.id.number());
                }
                continue;
            }
            let (id, name) = (entry.id.number(), lines::conversation(entry).to_string());
            acks.begin(id);
            let place = room.acquire_arc().await;
            let queue = queues.entry(name).or_insert_with_key(|name| {
                let (queue, places) = channel::unbounded();
                executor.spawn(bot.serve(name.clone(), places, fail.clone())).detach();
                queue
            });
            let is_reaction = entry.kind == EntryKind::React && options.reactions;
            if lines::is_message(entry) || is_reaction {
                bot.waiting.add(waiting);
            }
            // Its receiver lives as long as this runs.
            let _ = queue.try_send((id, feed.put_back(), place));
        }
    };
    let failing = async {
        match failed.recv().await {
            Ok(e) => Err(e),
            // A sender is kept here.
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
    /// The process groups of running commands.
    groups: RefCell<BTreeSet<i32>>,
    /// How often the server's log was put back.
    put_back: Cell<u64>,
    /// What the command has to be run for.
    waiting: WaitingEntries,
}

impl Bot<'_> {
    /// Handles the messages of one conversation, one after another.
    async fn serve(&self, name: String, places: Receiver<WaitingPlace>, fail: Sender<Failure>) {
        while let Ok((id, put_back, place)) = places.recv().await {
            // What nothing is run for is dealt with when its turn comes: else it would come again
            // at each login.
            if let Err(e) = self.deal_with(id).await {
                let _ = fail.try_send(e);
                return;
            }
            self.waiting.remove(id);
            // If the log was put back meanwhile, the id may belong to another message.
            if put_back == self.put_back.get() {
                self.acks.add(&name, id);
            }
            drop(place);
        }
    }

    /// Runs the command until it succeeds, or what it is for does not hold any more.
    async fn deal_with(&self, id: u64) -> Result<(), Failure> {
        let mut pause = self.options.pause;
        for attempt in 1..=TRIES {
            let turn = self.running.acquire().await;
            let Some(waiting) = self.waiting.get(id) else { break };
            let entry = &waiting.entry;
            let ran = self.run(&waiting).await?;
            drop(turn);
            match ran {
                Ok(output) => {
                    self.answer(entry, output).await?;
                    break;
                }
                Err(why) if attempt == TRIES => {
                    let from = &entry.from;
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

    /// Runs the command once: its output, or why the attempt failed. `Err` if no other attempt
    /// could succeed.
    async fn run(&self, waiting: &WaitingEntry) -> Result<Result<Vec<u8>, String>, Failure> {
        let entry = &waiting.entry;
        let [program, arguments @ ..] = &self.options.command[..] else {
            return Err(Failure::Usage("no command is given".to_owned()));
        };
        let mut command = std::process::Command::new(program);
        command.args(arguments);
        command.env("PAPO_ID", entry.id.number().to_string());
        command.env("PAPO_FROM", entry.from.as_str()).env("PAPO_TO", entry.to.to_string());
        command.env("PAPO_TIME", written_time(entry.time)).env("PAPO_TAGS", &waiting.tags);
        let re = lines::about(entry).map(|id| id.to_string()).unwrap_or_default();
        let is_reaction = entry.kind == EntryKind::React;
        let word = if is_reaction { &*entry.body } else { "" };
        command.env("PAPO_RE", re).env("PAPO_REACT", word);
        // A process group of its own, so that its children can be terminated with it.
        command.process_group(0);
        let mut command = Command::from(command);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(e) if cannot_be_mended(&e) => {
                // A typo must not make messages be skipped.
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
                    // The command need not read its input.
                    let _ = stdin.write_all(entry.body.as_bytes()).await;
                }
                future::pending().await
            };
            let take = async {
                if let Some(stdout) = &mut stdout {
                    read(stdout, &mut output).await?;
                }
                // Closed, so SIGPIPE ends a command that goes on writing.
                stdout = None;
                future::pending().await
            };
            let status = async { child.status().await.map_err(|e| e.to_string()) };
            // What counts is that it exits: a child may hold its output open forever.
            status.or(give).or(take).or(self.too_long(group, &is_late)).await
        };
        self.groups.borrow_mut().remove(&group);
        if let (true, Some(limit)) = (is_late.get(), self.options.limit) {
            // Its children may have outlived it.
            end(group, Signal::KILL);
            return Ok(Err(format!("it took more than {} seconds", limit.as_secs_f64())));
        }
        let status = match ended {
            Ok(status) => status,
            Err(why) => return Ok(Err(why)),
        };
        // Read what it wrote before it exited.
        if let Some(stdout) = &mut stdout {
            let _ = future::poll_once(read(stdout, &mut output)).await;
        }
        Ok(succeeded(status, output))
    }

    /// Terminates a command that exceeds its time limit, and kills it 5 seconds later.
    async fn too_long<T>(&self, group: i32, is_late: &Cell<bool>) -> T {
        let Some(limit) = self.options.limit else { return future::pending().await };
        Timer::after(limit).await;
        is_late.set(true);
        end(group, Signal::TERM);
        Timer::after(GRACE).await;
        end(group, Signal::KILL);
        future::pending().await
    }

    /// Terminates all running commands.
    fn end_all(&self) {
        self.groups.borrow().iter().for_each(|group| end(*group, Signal::TERM));
    }

    /// Sends the command's output, if any, to the conversation of the message.
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
                report(format_args!("{e}; it was the reply to message {id}"));
                return Ok(());
            }
        };
        let mut pause = self.options.pause;
        for attempt in 1..=TRIES {
            match self.caller.lock().await.ask(&command).await {
                Ok(_) => break,
                Err(Failure::Refused(line)) => match lines::code(&line) {
                    // It was answered before, with another text, and interrupted before it was
                    // acknowledged.
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

/// Reads to the end, or about [`MOST`] bytes.
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

/// Whether the command itself cannot be run, now or later.
fn cannot_be_mended(e: &io::Error) -> bool {
    let code = e.raw_os_error().map(Errno::from_raw_os_error);
    matches!(e.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied)
        || matches!(code, Some(Errno::NOEXEC | Errno::NOTDIR | Errno::LOOP | Errno::ISDIR))
}

/// Signals a process group, if it still exists.
fn end(group: i32, signal: Signal) {
    if let Some(group) = Pid::from_raw(group) {
        let _ = kill_process_group(group, signal);
    }
}
