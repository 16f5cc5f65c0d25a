//! Every `ERR` there is: its code, and the sentence that says what to type instead.
//!
//! A refusal is an ordinary answer; the session goes on.

use std::fmt;

use crate::entry::EntryId;
use crate::limits;
use crate::name::{DeviceName, FileName, Handle, Target};

/// What to type instead of an unknown command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Suggestion {
    /// This verb, a typo or two away.
    Verb(&'static str),
    /// A sentence that names the verb.
    Instead(&'static str),
    /// The line begins with `@handle` or `#group`, as messages do in other programs.
    Talk(Box<str>),
    /// No verb is near: it may be a text.
    Text,
    /// In `TALK`: the line may be a text that begins with a slash.
    Slash(Box<Suggestion>),
}

/// Why a command was not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No such verb.
    BadCommand { suggestion: Suggestion },
    /// The verb is not served on this listener; `there` is the sentence about where.
    NotHere { there: &'static str },
    /// The line does not have the verb's form; `column` is in characters, from 1.
    BadSyntax { expected: &'static str, column: usize },
    /// The line, or a name in it, has something not allowed at `byte`, counted from 1.
    BadText { byte: usize, what: &'static str },
    /// The line is over [`limits::LINE`].
    TooLong,
    /// The verb needs a login.
    NeedLogin,
    /// The session is already logged in.
    AlreadyIn(Handle),
    /// Unknown handle or wrong secret: deliberately not distinguished.
    WrongSecret,
    /// No secret was given, and the peer's system user, if known, is not linked. The same whether
    /// the account exists or not.
    NoSecret { has_user: bool },
    /// The handle is taken.
    Taken(Handle),
    /// No account with this handle.
    NoSuchUser(Handle),
    /// The same, to an operator, who has no `FIND`.
    NoSuchAccount(Handle),
    /// No such group, or the asker is not in it.
    NoSuchGroup(Handle),
    /// The same, to an operator, who is in no group.
    NoGroupHasName(Handle),
    /// No entry with this id that the asker may see.
    NoSuchMessage(i64),
    /// The same, to an operator, who has no messages.
    NoMessageHasId(i64),
    /// The entry is no message: a mark about the message `about`, or a change of a group.
    NotAMessage { id: i64, about: Option<i64> },
    /// The id is that of an `EXPIRE`.
    NotAMessageButExpire(i64),
    /// The message was deleted.
    Gone(i64),
    /// Nothing was put that could be sent.
    NothingPut,
    /// A `PUT` was refused, and with it all that was put.
    Spoiled,
    /// The message is no file.
    NoFile(i64),
    /// The bytes of the message's file were deleted by age.
    FileForgotten(i64),
    /// The bytes of the file of this message are missing, or cannot be read.
    FileLost(i64),
    /// The file has only so many bytes.
    BeyondFile { bytes: u64 },
    /// A file may have so many bytes at most.
    FileTooLong { bytes: u64 },
    /// All files together have as many bytes as they may.
    FilesFull,
    /// The message is a file, and this is no name for one.
    NotAFileName,
    /// The account has no command for later with this number.
    NothingLater(u64),
    /// Another's message cannot be changed; `author` can.
    NotYours { id: i64, author: Handle },
    /// Another's message can be deleted by `author` and, in this group, by an admin.
    NotYoursToDelete { id: i64, author: Handle, group: Option<Handle> },
    /// The message is older than `--amend` allows, in seconds.
    TooLate { id: i64, seconds: u64 },
    /// This session was sent nothing of that conversation.
    NothingSent(Target),
    /// This session has sent no message.
    NothingSentYet,
    /// The current password is wrong.
    WrongOld,
    /// Only an admin of this group may do it.
    NotAdmin(Handle),
    /// Only an admin may write in this group.
    OnlyAdminsWrite(Handle),
    /// The group would have no admin.
    LastAdmin(Handle),
    /// No such group, or one that the asker cannot join: deliberately not distinguished.
    NotOpen(Handle),
    /// An admin has removed the asker from this group.
    Removed(Handle),
    /// The account (first) is not in the group (second).
    NotInGroup(Handle, Handle),
    /// The group name is or was in use.
    GroupTaken(Handle),
    /// The account has a token with this label.
    LabelTaken(Box<str>),
    /// No token with this label.
    NoSuchToken(Box<str>),
    /// No device of this name.
    NoSuchDevice(DeviceName),
    /// A session opened with a token may only delete the device that it is.
    NotThisDevice,
    /// The peer's uid stands for many system users.
    UserUnknown,
    /// No such system user is linked.
    NotLinked(u32),
    /// The file for the backup exists.
    FileTaken(Box<str>),
    /// The backup could not be written, for this reason.
    NoBackup(Box<str>),
    /// Registration is closed.
    Closed,
    /// Registration is by invitation, and none was given.
    InvitationNeeded,
    /// The invitation is not valid, or not any more.
    NotInvited,
    /// The `--auth-command` program keeps the passwords. `makes`: an account was to be created,
    /// rather than a password changed.
    KeptElsewhere { makes: bool },
    /// That program failed to check a password.
    NotToldNow,
    /// An operator has disabled the account. Only told to those who have proved that it is theirs.
    Disabled,
    /// Not allowed in a session opened with a token.
    NotAllowed,
    /// The session was opened with a token that may only write to this target.
    OnlyTo(Target),
    /// This account has blocked the asker.
    Blocked(Handle),
    /// This account has not let everyone add it to groups.
    NotAddedByAll(Handle),
    /// Something else was sent under this key. 0: it was no message.
    KeyReused { key: Box<str>, message: EntryId },
    /// The `WAIT` timed out.
    Timeout,
    /// A rate is exceeded; a retry is allowed after `seconds`.
    TooFast { seconds: u64 },
    /// Too many secrets are waiting to be hashed.
    TooMany,
    /// The limit on the number of these is reached.
    TooManyOf(&'static str),
    /// The disk is full or failing.
    Storage,
    /// An operator has set the server to read only.
    ReadOnly,
    /// Another program holds the database.
    Held,
    /// The database is damaged, or its file is gone.
    Broken,
    /// A bug in papod.
    Bug,
}

impl Refusal {
    /// The account has as many sessions as it may have.
    pub const SESSIONS_FULL: Refusal =
        Refusal::TooManyOf("sessions of this account; close one with QUIT");
    /// The account has as many devices as it may have.
    pub const DEVICES_FULL: Refusal = Refusal::TooManyOf("devices; DEVICES DEL removes one");

    /// One command names more people than it may.
    pub const TOO_MANY_NAMES: Refusal = Refusal::TooManyOf(
        "names in one command; name at most 1,000, and the others with GROUP ADD",
    );

    /// Whether the server failed, rather than the command being wrong.
    pub fn is_our_failure(&self) -> bool {
        matches!(
            self,
            Refusal::Storage
                | Refusal::ReadOnly
                | Refusal::Held
                | Refusal::Broken
                | Refusal::FileLost(_)
                | Refusal::Bug
        )
    }

    /// The code in `ERR <VERB> <code>`, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Refusal::BadCommand { .. } | Refusal::NotHere { .. } => "bad-command",
            Refusal::BadSyntax { .. } | Refusal::BeyondFile { .. } | Refusal::NotAFileName => {
                "bad-syntax"
            }
            Refusal::BadText { .. } => "bad-text",
            Refusal::TooLong | Refusal::FileTooLong { .. } => "too-long",
            Refusal::NeedLogin => "need-login",
            Refusal::AlreadyIn(_) => "already-in",
            Refusal::WrongSecret | Refusal::NoSecret { .. } | Refusal::WrongOld => "wrong-secret",
            Refusal::Taken(_) => "taken",
            Refusal::NoSuchUser(_) | Refusal::NoSuchAccount(_) => "no-such-user",
            Refusal::NoSuchGroup(_) | Refusal::NotOpen(_) | Refusal::NoGroupHasName(_) => {
                "no-such-group"
            }
            Refusal::NoSuchMessage(_)
            | Refusal::NoMessageHasId(_)
            | Refusal::NotAMessage { .. }
            | Refusal::NotAMessageButExpire(_)
            | Refusal::Gone(_)
            | Refusal::NothingLater(_)
            | Refusal::NothingSent(_)
            | Refusal::NothingSentYet => "no-such-message",
            Refusal::NothingPut
            | Refusal::Spoiled
            | Refusal::NoFile(_)
            | Refusal::FileForgotten(_) => "no-file",
            Refusal::FilesFull => "storage",
            Refusal::NotYours { .. } | Refusal::NotYoursToDelete { .. } => "not-yours",
            Refusal::TooLate { .. } => "too-late",
            Refusal::NotAdmin(_) | Refusal::OnlyAdminsWrite(_) => "not-admin",
            Refusal::NotInGroup(..) => "no-such-user",
            Refusal::GroupTaken(_) | Refusal::LabelTaken(_) => "taken",
            Refusal::NoSuchToken(_) => "no-such-token",
            Refusal::NotLinked(_) => "no-such-uid",
            Refusal::FileTaken(_) => "taken",
            Refusal::InvitationNeeded | Refusal::NotInvited => "closed",
            Refusal::Closed | Refusal::KeptElsewhere { makes: true } => "closed",
            Refusal::KeptElsewhere { makes: false } => "not-allowed",
            Refusal::NotToldNow => "storage",
            Refusal::NoSuchDevice(_) => "no-such-message",
            Refusal::NotThisDevice
            | Refusal::Disabled
            | Refusal::NotAllowed
            | Refusal::OnlyTo(_)
            | Refusal::UserUnknown
            | Refusal::LastAdmin(_)
            | Refusal::Removed(_) => "not-allowed",
            Refusal::Blocked(_) | Refusal::NotAddedByAll(_) => "blocked",
            Refusal::KeyReused { .. } => "key-reused",
            Refusal::Timeout => "timeout",
            Refusal::TooFast { .. } => "too-fast",
            Refusal::TooMany | Refusal::TooManyOf(_) => "too-many",
            Refusal::Storage
            | Refusal::ReadOnly
            | Refusal::Held
            | Refusal::Broken
            | Refusal::FileLost(_)
            | Refusal::NoBackup(_) => "storage",
            Refusal::Bug => "bug",
        }
    }
}

impl fmt::Display for Suggestion {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Suggestion::Verb(verb) => write!(f, "did you mean {verb}? HELP lists the commands"),
            Suggestion::Instead(what) => f.write_str(what),
            Suggestion::Talk(to) => {
                write!(f, "MSG {to} <text> sends a message, TALK {to} starts a chat")
            }
            Suggestion::Text => {
                f.write_str("MSG <to> <text> sends a message, and HELP lists the commands")
            }
            Suggestion::Slash(inner) => {
                f.write_str("// begins a text with a slash, / alone ends TALK")?;
                match &**inner {
                    Suggestion::Text => Ok(()),
                    other => write!(f, "; {other}"),
                }
            }
        }
    }
}

/// The sentence for a person.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Refusal::BadCommand { suggestion } => write!(f, "no such command; {suggestion}"),
            Refusal::NotHere { there } => write!(f, "not available here; {there}"),
            Refusal::BadSyntax { expected, column } => {
                write!(f, "column {column}: expected {expected}")
            }
            Refusal::BadText { byte, what } => write!(f, "byte {byte}: {what}"),
            Refusal::TooLong => write!(
                f,
                "a line may have at most {} bytes; send the text in parts",
                limits::LINE
            ),
            Refusal::NeedLogin => f.write_str(
                "log in first: LOGIN <handle> <password>, or REG <handle> <password> for a new account",
            ),
            Refusal::AlreadyIn(handle) => {
                write!(f, "already logged in as {handle}; open another connection for another account")
            }
            Refusal::WrongSecret => f.write_str("wrong handle or password"),
            Refusal::NoSecret { has_user } => {
                let user = if *has_user { ", and your system user is not linked to this account" } else { "" };
                write!(f, "no password was given{user}: LOGIN <handle> <password or token>")
            }
            Refusal::Taken(handle) => write!(f, "{handle}: this handle is taken; choose another"),
            Refusal::NoSuchUser(handle) => {
                write!(f, "{handle}: no such account; FIND {handle} looks for one")
            }
            Refusal::NoSuchAccount(handle) => write!(f, "{handle}: no such account"),
            Refusal::NoSuchGroup(name) => {
                write!(f, "#{name}: no such group, or you are not in it")
            }
            Refusal::NoGroupHasName(name) => write!(f, "#{name}: no such group"),
            Refusal::NoSuchMessage(id) => write!(f, "{id}: no message of yours has this id"),
            Refusal::NoMessageHasId(id) => write!(f, "{id}: no message has this id"),
            Refusal::NotAMessage { id, about: Some(about) } => {
                write!(f, "{id}: not a message, but about one; use {about}, its message")
            }
            Refusal::NotAMessage { id, about: None } => {
                write!(f, "{id}: not a message, but a change of a group or a flag; use a message's id")
            }
            Refusal::NotAMessageButExpire(id) => {
                write!(f, "{id}: not a message, but an EXPIRE; use a message's id")
            }
            Refusal::Gone(id) => write!(f, "{id}: this message was deleted"),
            Refusal::NothingPut => f.write_str("nothing was put yet; PUT <base64> adds bytes"),
            Refusal::Spoiled => {
                f.write_str("a PUT was refused, so the file is not whole; PUT - begins a new one")
            }
            Refusal::NoFile(id) => write!(f, "{id}: this message is no file"),
            Refusal::FileLost(id) => write!(
                f,
                "{id}: the bytes of this file are missing or damaged, and the server's operator has to put \
                 them back"
            ),
            Refusal::FileForgotten(id) => {
                write!(f, "{id}: the server has deleted this file by its age")
            }
            Refusal::BeyondFile { bytes } => write!(f, "the file has {bytes} bytes only"),
            Refusal::FileTooLong { bytes } => write!(f, "a file may have at most {bytes} bytes"),
            Refusal::FilesFull => {
                f.write_str("the server has no room for this file; nothing was saved")
            }
            Refusal::NotAFileName => write!(f, "the message is a file; expected {}", FileName::EXPECTED),
            Refusal::NothingLater(number) => {
                write!(f, "{number}: nothing waits under this number; AT shows what does")
            }
            Refusal::NotYours { id, author } => {
                write!(f, "{id}: only {author} may change this; RE {id} <text> answers it")
            }
            Refusal::NotYoursToDelete { id, author, group: None } => {
                write!(f, "{id}: only {author} may delete this")
            }
            Refusal::NotYoursToDelete { id, author, group: Some(group) } => {
                write!(f, "{id}: only {author} or an admin of #{group} may delete this")
            }
            Refusal::TooLate { id, seconds } => {
                let s = if *seconds == 1 { "" } else { "s" };
                write!(f, "{id}: too old; messages may be changed here for {seconds} second{s} only")
            }
            Refusal::NothingSent(to) => {
                write!(f, "{to}: this session has received nothing from there yet; HIST {to} shows the history")
            }
            Refusal::NothingSentYet => f.write_str("this session has sent no message yet"),
            Refusal::WrongOld => f.write_str("wrong current password"),
            Refusal::NotAdmin(name) => {
                write!(f, "#{name}: only its admins may do this; GROUP WHO {name} shows them")
            }
            Refusal::OnlyAdminsWrite(name) => {
                write!(f, "#{name}: only its admins may write here; REACT is open to all")
            }
            Refusal::LastAdmin(name) => {
                write!(f, "#{name}: a group needs an admin; GROUP ADMIN {name} <handle> makes another")
            }
            Refusal::NotOpen(name) => {
                write!(f, "#{name}: no such group, or not one that you can join; ask there for an invitation")
            }
            Refusal::Removed(name) => {
                write!(f, "#{name}: an admin has removed you; an admin can add you again")
            }
            Refusal::NotInGroup(handle, name) => {
                write!(f, "{handle}: not in #{name}; GROUP WHO {name} shows who is")
            }
            Refusal::GroupTaken(name) => {
                write!(f, "#{name}: this name is or was in use; choose another")
            }
            Refusal::LabelTaken(label) => {
                write!(f, "{label}: a token with this label exists; TOKEN DEL {label} revokes it")
            }
            Refusal::NoSuchToken(label) => {
                write!(f, "{label}: no token has this label; TOKEN LIST shows yours")
            }
            Refusal::NoSuchDevice(name) => {
                write!(f, "{name}: no device has this name; DEVICES shows yours")
            }
            Refusal::NotThisDevice => f.write_str(
                "logged in with a token, you can only delete the device of this session; log in with the password",
            ),
            Refusal::UserUnknown => f.write_str(
                "your system user cannot be identified here (a uid shared by many); log in with a password or token",
            ),
            Refusal::NotLinked(user) => {
                write!(f, "{user}: this system user is not linked; UID LIST shows who is")
            }
            Refusal::FileTaken(path) => write!(f, "{path}: already exists; choose another file"),
            Refusal::NoBackup(why) => write!(f, "backup failed: {why}"),
            Refusal::Closed => {
                f.write_str("registration is closed; ask whoever runs this server for an account")
            }
            Refusal::InvitationNeeded => f.write_str(
                "registration is by invitation; ask whoever runs this server for one, then REG \
                 <handle> <password> <invitation>",
            ),
            Refusal::NotInvited => f.write_str(
                "this invitation is not valid, or not any more; ask whoever runs this server for another",
            ),
            Refusal::KeptElsewhere { makes: true } => f.write_str(
                "accounts are not created here; LOGIN with the handle and password that you already have",
            ),
            Refusal::KeptElsewhere { makes: false } => {
                f.write_str("this server does not keep passwords; change yours where it is kept")
            }
            Refusal::NotToldNow => {
                f.write_str("passwords cannot be checked at the moment; try again later, or use a token")
            }
            Refusal::Disabled => {
                f.write_str("this account is disabled; ask whoever runs this server")
            }
            Refusal::NotAllowed => {
                f.write_str("not allowed when logged in with a token; log in with the password")
            }
            Refusal::OnlyTo(to) => write!(f, "this token is only for MSG {to}"),
            Refusal::Blocked(handle) => write!(f, "{handle} does not accept messages from you"),
            Refusal::NotAddedByAll(handle) => {
                write!(f, "{handle} lets only some add them to groups, or nobody; ask {handle}")
            }
            // Programs parse the number.
            Refusal::KeyReused { key, message: EntryId(0) } => {
                write!(f, "{key} was used for something else; use a new key")
            }
            Refusal::KeyReused { key, message } => write!(
                f,
                "message {} was sent under {key}, and this is another; use a new key",
                message.0
            ),
            Refusal::Timeout => f.write_str("not yet; WAIT again, or INFO shows who is missing"),
            // The number comes first, so that programs can parse it.
            Refusal::TooFast { seconds } => {
                let s = if *seconds == 1 { "" } else { "s" };
                write!(f, "{seconds} second{s} until the next try; that was too much at once")
            }
            Refusal::TooManyOf(what) => write!(f, "too many {what}"),
            Refusal::TooMany => f.write_str(
                "the server is busy checking passwords; try again in a few seconds, or use a token, \
                 which does not wait",
            ),
            Refusal::Storage => {
                f.write_str("the server cannot write to disk; nothing was saved, try again later")
            }
            Refusal::ReadOnly => f.write_str(
                "the server is read-only for maintenance; nothing was saved, try again later",
            ),
            Refusal::Held => f.write_str(
                "another program holds the server's database; nothing was saved, try again later",
            ),
            Refusal::Broken => f.write_str(
                "the server's database is damaged or gone, and its operator has to repair it; nothing \
                 was saved",
            ),
            Refusal::Bug => f.write_str("internal error; see the server's log"),
        }
    }
}
