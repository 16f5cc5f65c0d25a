//! Parsed requests, and what can be told from a line before its verb is known.
//!
//! Whether a request can be carried out is not checked here. `rules` parses it, `verbs` has the
//! table of verbs.

use std::path::Path;

use ipnet::IpNet;
use log::LevelFilter;

use super::refusal::Refusal;
use super::text;
use crate::chat_flags::{ChatFlag, FlagValue};
use crate::entry::{Condition, Cursor, EntryId, Millis};
use crate::group_rules::GroupRule;
use crate::limits;
use crate::live_limits::Limit;
use crate::name::{DeviceName, DisplayName, FileName, Handle, Target};
use crate::preferences::Preference;

/// A parsed line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The verb, in capitals, with which it is answered.
    pub verb: &'static str,
    pub command: Command,
}

/// A command, by who answers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Changes what is stored. It goes to the hub at once, and several may be under way.
    Act(ActCommand),
    /// Reads what is stored and changes nothing.
    Query(Query),
    /// Concerns the session, or needs work by the session before it can change anything.
    Session(SessionCommand),
}

/// A command that changes what is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActCommand {
    /// `MSG`, or `ONCE` with a key.
    Send { to: Target, body: String, once: Option<Box<str>> },
    /// `RE`, or `ONCE` with a key.
    Answer { about: Which, body: String, once: Option<Box<str>> },
    /// `FWD`, or `ONCE` with a key.
    Forward { about: Which, to: Target, once: Option<Box<str>> },
    /// `EDIT`
    Edit { about: Which, body: String },
    /// `DEL`
    Delete { about: Which },
    /// `REACT`; no word takes the reaction back.
    React { about: Which, word: Option<Box<str>> },
    /// `EXPIRE`; no seconds: what is said from then on stays.
    Expire { to: Target, seconds: Option<u32> },
    /// `AT`, and `UNLESS` with a condition.
    Schedule { due: DueTime, unless: Option<(Which, Condition)>, later: LaterCommand },
    /// `AT DEL`
    Unschedule { number: u64 },
    /// `ACK` and `READ`
    Move { cursor: Cursor, upto: Upto },
    /// `NAME`
    Rename(DisplayName),
    /// `PREF` with a value
    Prefer(Preference),
    /// `FLAG`
    Flag { to: Target, flag: ChatFlag, set: FlagSetting },
    /// `GROUP`, except for its lists
    Group { name: Handle, change: GroupChange },
    /// `BLOCK` and `UNBLOCK`
    Block { whom: Handle, on: bool },
    /// `TOKEN DEL`
    DropToken { label: Box<str> },
    /// `DEVICES DEL`
    DropDevice(DeviceName),
    /// `UID UNLINK`
    Unlink { user: u32 },
}

/// A command that reads what is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// `WHOAMI`
    Whoami,
    /// `HIST`
    Hist(Hist),
    Search(Search),
    /// `SYNC`
    Sync(EntryId),
    /// `CHATS`
    Chats,
    /// `INFO`
    Info(Which),
    /// `MARKS`; only marks with larger ids than `after`.
    Marks {
        which: Which,
        after: Option<EntryId>,
    },
    /// `GET`, from a byte on
    File {
        which: Which,
        from: u64,
    },
    /// `PREF` without a value
    Preferences,
    /// `AT` without a time
    Later,
    /// `FIND`
    Find {
        text: String,
    },
    /// `GROUP LIST`
    Groups,
    /// `GROUP LIST open`
    OpenGroups,
    /// `GROUP RULE` without a rule
    Rules(Handle),
    /// `GROUP WHO`
    Who(Handle),
    /// `BLOCK` without a handle
    Blocks,
    /// `TOKEN LIST`
    Tokens,
    /// `DEVICES`
    Devices,
    /// `UID LIST`
    Links,
}

/// A command that the session itself carries out or prepares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionCommand {
    /// `REG`
    Register {
        handle: Handle,
        password: Secret,
        invitation: Option<Secret>,
        name: Option<DisplayName>,
    },
    /// `LOGIN`; no secret if it is missing, or `-` before `quiet` or `watch`.
    Login { handle: Handle, device: Option<DeviceName>, secret: Option<Secret>, events: Events },
    /// `QUIT`
    Quit,
    /// `PING`
    Ping { text: String },
    /// `HELP`, of one verb or of all.
    Help { verb: Option<Box<str>> },
    /// `PASSWD`
    Passwd { old: Secret, new: Secret },
    /// `PUT`; `None` drops what was put.
    Put(Option<Box<[u8]>>),
    /// `FILE`, or `ONCE` with a key.
    SendFile { to: Target, name: FileName, once: Option<Box<str>> },
    /// `TALK`
    Talk { to: Target, raw: bool },
    /// `SET`
    Set(Setting),
    /// `WAIT`
    Wait { which: Which, until: Condition, seconds: u64 },
    /// `TOKEN NEW`; with `to`, of a token that may only write there.
    NewToken { label: Box<str>, to: Option<Target> },
    /// `GROUP INVITE`, of an invitation with these uses, for so many seconds.
    Invite { name: Handle, uses: u32, seconds: u64 },
    /// `UID LINK`, of the system user at the other end.
    Link,
    /// `ADMIN`
    Admin(Admin),
}

/// A command of `ADMIN`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admin {
    /// `STATS`
    Stats,
    /// `SESSIONS`
    Sessions,
    /// `KICK`
    Kick(Handle),
    /// `USERS`; only handles after this one.
    Users { after: Option<Handle> },
    /// `GROUPS`; only names after this one.
    Groups { after: Option<Handle> },
    /// `GROUP WHO`
    GroupWho(Handle),
    /// `FILES`; only of messages with larger ids.
    Files { after: EntryId },
    /// `USER NEW`
    NewUser { handle: Handle, password: Secret, name: Option<DisplayName> },
    /// `USER PASSWD`
    SetPassword { handle: Handle, password: Secret },
    /// `USER REVOKE`
    Revoke(Handle),
    /// `USER SHOW`
    ShowUser(Handle),
    /// `USER DISABLE`, and with `on` `USER ENABLE`
    EnableUser { handle: Handle, on: bool },
    /// `USER NAME`
    NameUser { handle: Handle, name: DisplayName },
    /// `USER DEL`
    DropUser(Handle),
    /// `INVITE`: an invitation for so many accounts and seconds
    Invite { uses: u32, seconds: u64 },
    /// `INVITE -`
    VoidInvitations,
    /// `INVITES`
    Invitations,
    /// `BAN`, of a network for so many seconds
    Ban { net: IpNet, seconds: u64 },
    /// `UNBAN`
    Unban(IpNet),
    /// `BANS`
    Bans,
    /// `SAY`, to everybody
    Say(Box<str>),
    /// `READONLY on`, `READONLY off`
    ReadOnly(bool),
    /// `LOG`; the level to set, if one is.
    Log(Option<LevelFilter>),
    /// `LIMIT`: all
    Limits,
    /// `LIMIT`, with a value
    SetLimit { limit: Limit, to: u64 },
    /// `DEL`, of a message
    DropMessage(EntryId),
    /// `BACKUP`
    Backup(Box<Path>),
    /// `CHECK`
    Check,
}

/// The message that a command is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    Id(EntryId),
    /// The last message that this session sent.
    Last,
}

/// What `FLAG` does with a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "postgres", derive(serde::Serialize, serde::Deserialize))]
pub enum FlagSetting {
    Off,
    /// Until it is taken away.
    On,
    /// For so many seconds, at most [`FLAG_SECONDS_MAX`](limits::FLAG_SECONDS_MAX).
    For(u64),
}

impl FlagSetting {
    /// What a flag says that is set now.
    pub fn from(self, now: Millis) -> FlagValue {
        match self {
            FlagSetting::Off => FlagValue::Off,
            FlagSetting::On => FlagValue::On,
            // Few enough, as the rule has checked.
            FlagSetting::For(seconds) => {
                let millis = seconds.saturating_mul(1000).cast_signed();
                FlagValue::Until(Millis(now.0.saturating_add(millis)))
            }
        }
    }
}

/// When a command is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "postgres", derive(serde::Serialize, serde::Deserialize))]
pub enum DueTime {
    /// At this time, which may have passed.
    At(Millis),
    /// After so many seconds, at most [`LATER_SECONDS`](limits::LATER_SECONDS).
    In(u64),
}

impl DueTime {
    /// The time of a command that is given now.
    ///
    /// # Errors
    /// `bad-syntax` if it is more than a year ahead.
    pub fn from(self, now: Millis) -> Result<Millis, Refusal> {
        const YEAR: i64 = limits::LATER_SECONDS as i64 * 1000;
        match self {
            DueTime::At(time) if time.0.saturating_sub(now.0) > YEAR => {
                // Behind `AT `: of the two verbs only this one has a time.
                Err(Refusal::BadSyntax { expected: DueTime::EXPECTED, column: 4 })
            }
            DueTime::At(time) => Ok(time),
            // At most a year, as the rule has checked.
            DueTime::In(seconds) => Ok(Millis(now.0 + (seconds as i64).saturating_mul(1000))),
        }
    }

    /// The form of a due time, as errors name it.
    pub(super) const EXPECTED: &str =
        "a time like 2026-01-01T09:00:00Z or +600 seconds, at most a year ahead";
}

/// A command that waits for its time: `MSG`, `RE`, `FWD`, or `ONCE` with one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaterCommand {
    /// The verb with which it is answered.
    pub verb: &'static str,
    /// [`ActCommand::Send`], [`Answer`](ActCommand::Answer) or [`Forward`](ActCommand::Forward).
    pub command: Box<ActCommand>,
    /// As it was typed; [`help::read`](super::help::read) parses it again.
    pub typed: Box<str>,
}

/// A change of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "postgres", derive(serde::Serialize, serde::Deserialize))]
pub enum GroupChange {
    New(Vec<Handle>),
    Add(Vec<Handle>),
    Remove(Handle),
    Admin(Handle),
    /// An admin becomes a plain member.
    Member(Handle),
    Rule(GroupRule),
    Topic(String),
    /// With the token of an invitation, if it has one.
    Join {
        token: Option<Secret>,
    },
    /// All invitations to the group are void.
    VoidInvitations,
    Leave,
}

impl GroupChange {
    pub const JOIN: &str = "JOIN";
    pub const INVITE: &str = "INVITE";

    /// The second words of the commands that are answered with [`Reply::Grouped`].
    ///
    /// [`Reply::Grouped`]: super::reply::Reply::Grouped
    pub const WORDS: [&str; 9] =
        ["NEW", "ADD", "REMOVE", "ADMIN", "MEMBER", "RULE", "TOPIC", "JOIN", "LEAVE"];

    /// The second word of the command.
    pub fn word(&self) -> &'static str {
        match self {
            GroupChange::New(_) => "NEW",
            GroupChange::Add(_) => "ADD",
            GroupChange::Remove(_) => "REMOVE",
            GroupChange::Admin(_) => "ADMIN",
            GroupChange::Member(_) => "MEMBER",
            GroupChange::Rule(_) => "RULE",
            GroupChange::Topic(_) => "TOPIC",
            GroupChange::Join { .. } => GroupChange::JOIN,
            GroupChange::VoidInvitations => GroupChange::INVITE,
            GroupChange::Leave => "LEAVE",
        }
    }
}

/// How far to move a cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upto {
    /// Over everything that this session was sent as events.
    Everything,
    /// Up to this entry, in its conversation.
    Id(EntryId),
    /// Up to the last entry of this conversation that this session was sent.
    Last(Target),
}

/// Which events a session is sent: the word after the secret in `LOGIN`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "postgres", derive(serde::Serialize, serde::Deserialize))]
pub enum Events {
    /// What waits, then all that happens. Its account is online.
    All,
    /// `quiet`: none.
    Quiet,
    /// `watch`: what happens from now on, and of receipts only the `READ`s of its own account,
    /// which stays as online as it is without it.
    Watch,
}

/// `SET`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// Whether an entry counts as delivered once it is written to the socket.
    AckAuto(bool),
    /// Whether this session gets receipts.
    Receipts(bool),
}

impl Setting {
    pub const ALL: [Setting; 4] = [
        Setting::AckAuto(true),
        Setting::AckAuto(false),
        Setting::Receipts(true),
        Setting::Receipts(false),
    ];

    /// The words after the verb.
    pub fn words(self) -> &'static str {
        match self {
            Setting::AckAuto(true) => "ack auto",
            Setting::AckAuto(false) => "ack manual",
            Setting::Receipts(true) => "receipts on",
            Setting::Receipts(false) => "receipts off",
        }
    }
}

/// The part of a conversation that `HIST` shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hist {
    pub to: Target,
    /// Maximum rows, 1 to [`HIST_MAX`](crate::limits::HIST_MAX).
    pub count: usize,
    /// Only entries with smaller ids.
    pub before: Option<EntryId>,
    /// Only entries with larger ids.
    pub after: Option<EntryId>,
    /// Only answers to this message.
    pub re: Option<Which>,
}

/// What `HIST … with` looks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// The conversation; `None`: all of the account's.
    pub to: Option<Target>,
    /// As in [`Hist`], and so the three after this.
    pub count: usize,
    pub before: Option<EntryId>,
    pub after: Option<EntryId>,
    pub re: Option<Which>,
    /// As [`fold::runs`](crate::fold::runs) returns them: 1 to
    /// [`SEARCH_WORDS`](crate::limits::SEARCH_WORDS).
    pub words: Vec<String>,
}

/// The beginning of every invitation, by which it is told from a display name.
pub const INVITATION: &str = "invite_";
/// Hexadecimal digits after that: 128 random bits.
pub const INVITATION_DIGITS: usize = 32;

/// A password or token. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "postgres", derive(serde::Serialize, serde::Deserialize))]
pub struct Secret(pub Box<str>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// The first word of a line, empty if it is blank.
pub fn first_word(line: &str) -> &str {
    line.trim_start_matches(blank).split(blank).next().unwrap_or("")
}

/// Whether the last word of a line is `raw`.
pub fn is_raw(line: &str) -> bool {
    let words = line.split(blank).filter(|word| !word.is_empty()).skip(1);
    words.last().is_some_and(|word| word.eq_ignore_ascii_case("raw"))
}

/// Whether a line whose first word is not a verb is an HTTP request line (RFC 9112, section 3) or a
/// `Host:` header. Then a web page has made a browser connect here, and may have chosen what it
/// sends next.
pub fn is_http(line: &str) -> bool {
    let line = text::trim(line);
    let is_host = line.as_bytes().get(..5).is_some_and(|b| b.eq_ignore_ascii_case(b"host:"));
    let is_request = || {
        // From its end: a `PUT` may have tens of thousands of letters.
        let version =
            memchr::memrchr2(b' ', b'\t', line.as_bytes()).map_or(line, |at| &line[at + 1..]);
        let number = version.as_bytes().get(..5).filter(|b| b.eq_ignore_ascii_case(b"http/"));
        let digits = number.and_then(|_| version.get(5..)).unwrap_or("");
        let dotted = |b: u8| b.is_ascii_digit() || b == b'.';
        let words = || line.split(blank).filter(|word| !word.is_empty()).count();
        !digits.is_empty() && digits.bytes().all(dotted) && words() >= 3
    };
    is_host || is_request()
}

/// Whether a character separates fields.
pub(super) fn blank(c: char) -> bool {
    c == ' ' || c == '\t'
}
