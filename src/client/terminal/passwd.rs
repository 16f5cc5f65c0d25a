//! `/passwd`: asks for the old password, the new one, and the new one again.

use crate::client::lines;
use crate::limits;

/// What was typed so far.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Passwd {
    old: Option<String>,
    new: Option<String>,
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum PasswdStep {
    /// Ask for the next input; with a complaint, for the same again.
    Ask(Passwd, Option<String>),
    /// Keep the password, for this reason.
    Stays(&'static str),
    /// Change it from the first to the second.
    Change(String, String),
}

impl Passwd {
    /// The input asked for, in the prompt.
    pub fn label(&self) -> &'static str {
        match self {
            Passwd { old: None, .. } => "old",
            Passwd { new: None, .. } => "new",
            _ => "again",
        }
    }

    /// Takes one input; an empty one cancels.
    pub fn typed(self, typed: String) -> PasswdStep {
        if typed.is_empty() {
            return PasswdStep::Stays("the password stays as it is");
        }
        // The server would take two words for two fields.
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
