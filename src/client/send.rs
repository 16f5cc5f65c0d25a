//! `papo send`, `re` and `fwd`: send one message exactly once, and wait for its readers or an answer,
//! or have the server tell somebody else if there are none; `papo at`: send it later.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use smol::Timer;
use smol::future::FutureExt;

use super::account::Credentials;
use super::caller::Caller;
use super::connection::ANSWER;
use super::failure::{Failure, report};
use super::input::{self, Fitting};
use super::later;
use super::lines;
use super::marks;
use super::progress::{SERVER, shown};
use super::queries::local;
use super::stdout::print;
use crate::entry::{Condition, Cursor};
use crate::limits;
use crate::name::Target;
use crate::wire::columns::written_time;
use crate::wire::request::{DueTime, Which};
use crate::wire::rows::condition_word;

/// What to send, apart from the text.
#[derive(Clone, Debug)]
pub enum SendCommand {
    /// A text to a conversation.
    Text(Target),
    /// A text that answers a message.
    Reply(Which),
    /// What a message says, to a conversation.
    Forward(Which, Target),
}

/// What becomes of the message.
#[derive(Clone, Debug)]
pub struct SendOptions {
    /// It is sent at most once under this key; `None`: under a random one.
    pub key: Option<String>,
    /// Wait until this has come about, for at most so many seconds, 1 to 86,400.
    pub wait: Option<(Condition, u64)>,
    /// Messages that the server sends if something has not come about.
    pub unless: Vec<Escalation>,
    pub fitting: Fitting,
}

/// A message that the server sends unless another has come to something in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Escalation {
    pub until: Condition,
    /// Seconds after which it is sent.
    pub seconds: u64,
    pub to: Target,
    pub text: String,
}

/// A new random key.
///
/// # Errors
/// `Unfit` if the system has no random numbers.
pub fn random_key() -> Result<String, Failure> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|e| Failure::Unfit(e.to_string()))?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Seconds per `WAIT` command. The server is silent meanwhile, so this plus [`ANSWER`] is also the
/// time after which a vanished server is noticed.
const WAIT: u64 = 60;

/// Sends a message and prints its id; then does what else `options` say. `words` are the text, unless
/// it forwards one.
///
/// # Errors
/// Any; `TimedOut` if what it waits for took longer.
pub async fn send(
    account: &Credentials,
    what: &SendCommand,
    words: &[String],
    options: SendOptions,
) -> Result<(), Failure> {
    let SendOptions { key, wait, unless, fitting } = options;
    let is_new = key.is_none();
    let is_last =
        matches!(what, SendCommand::Reply(Which::Last) | SendCommand::Forward(Which::Last, _));
    if is_last && !is_new {
        let why = "with --key name the id of the message: the next time, last may be another one";
        return Err(Failure::Usage(why.to_owned()));
    }
    let key = key.map_or_else(random_key, Ok)?;
    let mut caller = Caller::hasty(account);
    // Read before anything is looked up, so that a wrong one is no reason to connect.
    let text = match what {
        SendCommand::Text(to) => {
            Some(input::text(words, &format!("ONCE {key} MSG {to}"), fitting)?)
        }
        SendCommand::Reply(_) => {
            Some(input::text(words, &format!("ONCE {key} RE {}", u64::MAX), fitting)?)
        }
        SendCommand::Forward(..) => None,
    };
    let text = text.as_deref();
    let about = match what {
        SendCommand::Text(_) => 0,
        SendCommand::Reply(which) | SendCommand::Forward(which, _) => {
            shown(SERVER, marks::resolve(account, &mut caller, *which)).await?
        }
    };
    let head = match what {
        SendCommand::Text(to) => format!("ONCE {key} MSG {to}"),
        SendCommand::Reply(_) => format!("ONCE {key} RE {about}"),
        SendCommand::Forward(_, to) => format!("ONCE {key} FWD {about} {to}"),
    };
    let command = text.map_or_else(|| Ok(head.clone()), |text| lines::with_text(&head, text))?;
    let follow_up = FollowUp::new(&key, is_new, unless, wait, fitting)?;
    let reply = shown(SERVER, caller.ask(&command)).await;
    let reply = reply.map_err(|e| lines::about_text(e, &command, text.unwrap_or_default()))?;
    let id = reply.sent()?;
    print(&id.to_string())?;
    follow_up.carry_out(&mut caller, id).await
}

/// What is left to do once a message was sent.
pub(super) struct FollowUp {
    /// Each with its key, and its command up to the text.
    unless: Vec<(Escalation, String, String)>,
    /// The keys were made for this message.
    is_new: bool,
    wait: Option<(Condition, u64)>,
}

impl FollowUp {
    /// What options say about the message that is sent under `key`. To be made before the message
    /// goes out, so that what cannot be sent is found out in time.
    ///
    /// # Errors
    /// `Unfit`, `Usage`.
    pub(super) fn new(
        key: &str,
        is_new: bool,
        unless: Vec<Escalation>,
        wait: Option<(Condition, u64)>,
        fitting: Fitting,
    ) -> Result<FollowUp, Failure> {
        Ok(FollowUp { unless: escalations(key, unless, fitting)?, is_new, wait })
    }

    /// Does it for the message `id`.
    ///
    /// # Errors
    /// Any; `TimedOut` if what it waits for took longer.
    pub(super) async fn carry_out(self, caller: &mut Caller<'_>, id: u64) -> Result<(), Failure> {
        for (Escalation { until, seconds, text, .. }, key, head) in self.unless {
            let until = condition_word(until);
            let command =
                lines::with_text(&format!("UNLESS {id} {until} {seconds} {head}"), &text)?;
            let put_off = later::put_off(caller, &command, &key, self.is_new);
            shown(SERVER, put_off).await.map_err(|e| lines::about_text(e, &command, &text))?;
        }
        match self.wait {
            Some((until, seconds)) => wait_for(caller, id, until, seconds).await,
            None => Ok(()),
        }
    }
}

/// Each escalation with a text that fits, with its key, and with its command up to that text. The
/// keys are made from that of the message.
fn escalations(
    key: &str,
    unless: Vec<Escalation>,
    fitting: Fitting,
) -> Result<Vec<(Escalation, String, String)>, Failure> {
    let with_key = |(n, mut escalation): (usize, Escalation)| {
        let key = format!("{key}-unless{}", n + 1);
        if key.chars().count() > limits::KEY_MAX {
            let most = limits::KEY_MAX - "-unless".len() - (n + 1).to_string().len();
            let why = format!("with --unless a key has at most {most} characters");
            return Err(Failure::Usage(why));
        }
        let head = format!("ONCE {key} MSG {}", escalation.to);
        let longest = format!("UNLESS {} delivered {} {head}", u64::MAX, limits::LATER_SECONDS);
        if fitting == Fitting::Lossy {
            escalation.text = input::lossy(&escalation.text, &longest);
        }
        lines::with_text(&longest, &escalation.text)?;
        Ok((escalation, key, head))
    };
    unless.into_iter().enumerate().map(with_key).collect()
}

/// Waits until a message has come to `until`, for at most `seconds`.
async fn wait_for(
    caller: &mut Caller<'_>,
    id: u64,
    until: Condition,
    seconds: u64,
) -> Result<(), Failure> {
    let what = match until {
        Condition::Reached(Cursor::Delivered) => "waiting until everyone has received it",
        Condition::Reached(Cursor::Read) => "waiting until everyone has read it",
        Condition::Answered => "waiting until somebody answers it",
    };
    let word = condition_word(until);
    let end = Instant::now() + Duration::from_secs(seconds);
    let waiting = async {
        loop {
            let began = Instant::now();
            let left = end.saturating_duration_since(began).as_millis().div_ceil(1_000);
            let part = u64::try_from(left).unwrap_or(WAIT).clamp(1, WAIT);
            let command = format!("WAIT {id} {word} {part}");
            match caller.ask_for(&command, Duration::from_secs(part) + ANSWER).await {
                Err(Failure::Refused(line)) if lines::code(&line) == "timeout" => {
                    // At once: it cannot come about.
                    let is_early = began.elapsed() < Duration::from_secs(part) / 2;
                    if until == Condition::Answered && is_early {
                        let why = "nobody else can see the message".to_owned();
                        return Err(Failure::TimedOut(why));
                    }
                }
                waited => return waited.map(drop),
            }
        }
    };
    // One second more, for the answer to the last `WAIT`.
    let limit = async {
        Timer::at(end + Duration::from_secs(1)).await;
        Err(Failure::not_within(seconds, &format!("not {word}")))
    };
    shown(what, waiting.or(limit)).await
}

/// Sends a message later, prints its number and, at a terminal, says when that is. With a `key` it
/// is sent at most once, however often this is called.
///
/// # Errors
/// Any.
pub async fn at(
    account: &Credentials,
    due: DueTime,
    to: &Target,
    words: &[String],
    key: Option<String>,
    fitting: Fitting,
) -> Result<(), Failure> {
    let is_new = key.is_none();
    let key = key.map_or_else(random_key, Ok)?;
    let due = match due {
        DueTime::In(seconds) => format!("+{seconds}"),
        DueTime::At(time) => written_time(time),
    };
    let head = format!("AT {due} ONCE {key} MSG {to}");
    let text = input::text(words, &head, fitting)?;
    let command = lines::with_text(&head, &text)?;
    let mut caller = Caller::hasty(account);
    let put_off = shown(SERVER, later::put_off(&mut caller, &command, &key, is_new)).await;
    let (number, time) = put_off.map_err(|e| lines::about_text(e, &command, &text))?;
    print(&number.to_string())?;
    if io::stderr().is_terminal() {
        let when = local(time);
        report(format_args!("papo: due {when}; papo later --del {number} cancels it"));
    }
    Ok(())
}
