//! Every `ERR` there is: its code, and the sentence that says what to type instead.
//!
//! A refusal is a peer's mistake and an ordinary answer; the session goes on.

use std::fmt;

use crate::limits;
use crate::name::{Handle, Target};

/// Why a command was not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No such verb; perhaps this one was meant.
    BadCommand { nearest: Option<&'static str> },
    /// The verb's form was not kept.
    BadSyntax { expected: &'static str, column: usize },
    /// The line, or a name in it, has a byte (counted from 1) that may not stand there.
    BadText { byte: usize, what: &'static str },
    /// The line is over [`limits::LINE`].
    TooLong,
    /// Only an account may say this.
    NeedLogin,
    /// This session belongs to an account already.
    AlreadyIn(Handle),
    /// Unknown handle or wrong secret: deliberately the same.
    WrongSecret,
    /// The handle has been given away.
    Taken(Handle),
    /// No account of that name.
    NoSuchUser(Handle),
    /// No group of that name, or not the asker's.
    NoSuchGroup(Handle),
    /// No entry of that id that the asker may see.
    NoSuchMessage(i64),
    /// This session was sent nothing of that conversation.
    NothingSent(Target),
    /// Too many secrets wait to be hashed.
    TooMany,
    /// The disk is full or failing.
    Storage,
    /// Our own mistake.
    Bug,
}

impl Refusal {
    /// The word that programs go by.
    pub fn code(&self) -> &'static str {
        match self {
            Refusal::BadCommand { .. } => "bad-command",
            Refusal::BadSyntax { .. } => "bad-syntax",
            Refusal::BadText { .. } => "bad-text",
            Refusal::TooLong => "too-long",
            Refusal::NeedLogin => "need-login",
            Refusal::AlreadyIn(_) => "already-in",
            Refusal::WrongSecret => "wrong-secret",
            Refusal::Taken(_) => "taken",
            Refusal::NoSuchUser(_) => "no-such-user",
            Refusal::NoSuchGroup(_) => "no-such-group",
            Refusal::NoSuchMessage(_) | Refusal::NothingSent(_) => "no-such-message",
            Refusal::TooMany => "too-many",
            Refusal::Storage => "storage",
            Refusal::Bug => "bug",
        }
    }
}

/// The sentence for a person.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Refusal::BadCommand { nearest: Some(verb) } => {
                write!(f, "no such command; {verb} is near it, and HELP lists all")
            }
            Refusal::BadCommand { nearest: None } => f.write_str(
                "no such command; a message is sent with MSG <to> <text>, and HELP lists all",
            ),
            Refusal::BadSyntax { expected, column } => {
                write!(f, "column {column}: expected {expected}")
            }
            Refusal::BadText { byte, what } => write!(f, "byte {byte}: {what}"),
            Refusal::TooLong => write!(
                f,
                "a line has at most {} bytes; send the text in parts",
                limits::LINE
            ),
            Refusal::NeedLogin => f.write_str(
                "log in first: LOGIN <handle> <password>, or REG <handle> <password> for a new account",
            ),
            Refusal::AlreadyIn(handle) => {
                write!(f, "this session is {handle}; open another connection for another account")
            }
            Refusal::WrongSecret => f.write_str("no account has this handle and this password"),
            Refusal::Taken(handle) => write!(f, "{handle}: this handle is taken, choose another"),
            Refusal::NoSuchUser(handle) => write!(f, "{handle}: no such account"),
            Refusal::NoSuchGroup(name) => {
                write!(f, "#{name}: no such group, or you are not in it")
            }
            Refusal::NoSuchMessage(id) => write!(f, "{id}: no message of yours has this id"),
            Refusal::NothingSent(to) => {
                write!(f, "{to}: this session was sent nothing from there; HIST {to} shows the last")
            }
            Refusal::TooMany => f.write_str("too many are logging in; try again in a few seconds"),
            Refusal::Storage => {
                f.write_str("the server cannot write to its disk; nothing was kept, try again")
            }
            Refusal::Bug => f.write_str("the server made a mistake; its log says more"),
        }
    }
}
