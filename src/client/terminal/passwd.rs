//! `/passwd`: the old password, the new one, and that once more.

use crate::client::lines;
use crate::limits;

/// What was typed of them so far.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Passwd {
    old: Option<String>,
    new: Option<String>,
}

/// What follows from what was typed.
#[derive(Debug, PartialEq, Eq)]
pub enum PasswdStep {
    /// Something is asked for next; a complaint, where it is the same again.
    Ask(Passwd, Option<String>),
    /// The password stays, and why.
    Stays(&'static str),
    /// It is changed, from one to another.
    Change(String, String),
}

impl Passwd {
    /// What is asked for, in the prompt.
    pub fn label(&self) -> &'static str {
        match self {
            Passwd { old: None, .. } => "old",
            Passwd { new: None, .. } => "new",
            _ => "again",
        }
    }

    /// Something was typed, or nothing, which ends it.
    pub fn typed(self, typed: String) -> PasswdStep {
        if typed.is_empty() {
            return PasswdStep::Stays("the password stays as it is");
        }
        // With blanks in it, it would be two words to the server.
        if lines::word(&typed).is_err() {
            return PasswdStep::Ask(self, Some("a password cannot contain spaces".to_owned()));
        }
        let (least, most) = (limits::PASSWORD_MIN, limits::PASSWORD_MAX);
        match (self.old, self.new) {
            (None, _) => PasswdStep::Ask(Passwd { old: Some(typed), new: None }, None),
            (old, None) if !(least..=most).contains(&typed.chars().count()) => {
                let why = format!("a password has {least} to {most} characters");
                PasswdStep::Ask(Passwd { old, new: None }, Some(why))
            }
            (old, None) => PasswdStep::Ask(Passwd { old, new: Some(typed) }, None),
            (Some(old), Some(new)) if new == typed => PasswdStep::Change(old, new),
            (Some(_), Some(_)) => {
                PasswdStep::Stays("the passwords do not match; the old one stays")
            }
        }
    }
}
