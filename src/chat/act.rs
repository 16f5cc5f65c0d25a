//! What an account can ask for that changes something, and what it costs.

use std::sync::Arc;

use memchr::memchr_iter;

use super::once::OnceKey;
use crate::chat_flags::ChatFlag;
use crate::entry::{Condition, Cursor, EntryId};
use crate::limits;
use crate::name::{DeviceName, DisplayName, Handle, Target};
use crate::preferences::Preference;
use crate::store::placed::PlacedFile;
use crate::wire::reply;
use crate::wire::request::{DueTime, FlagSetting, GroupChange};

/// Everything an account can do that changes something.
#[derive(Debug)]
#[cfg_attr(feature = "postgres", derive(serde::Serialize, serde::Deserialize))]
pub enum Act {
    /// Sends a message; with a `ONCE` key, at most once under that key.
    Send { to: Target, body: String, once: Option<Box<str>> },
    /// Answers a message in its conversation, with or without a `ONCE` key.
    Answer { about: EntryId, body: String, once: Option<Box<str>> },
    /// Sends a file: what was put, unless that was said again under a `ONCE` key.
    SendFile {
        to: Target,
        name: Box<str>,
        once: Option<Box<str>>,
        #[cfg_attr(feature = "postgres", serde(with = "crate::store::placed::reference"))]
        put: Option<Arc<PlacedFile>>,
    },
    /// Says a message again in another conversation.
    Forward { about: EntryId, to: Target, once: Option<Box<str>> },
    /// Carries out an act that makes an entry, at most once under a key: for HTTP, whose keys hold
    /// for more than `ONCE`.
    Once { once: OnceKey, act: Box<Act> },
    /// Gives a message of its own another text.
    Edit { about: EntryId, body: String },
    /// Deletes a message.
    Delete { about: EntryId },
    /// Reacts to a message with a word; `None`: takes the reaction back.
    React { about: EntryId, word: Option<Box<str>> },
    /// Has what is said there from now on deleted after `seconds`; `None`: no longer.
    Expire { to: Target, seconds: Option<u32> },
    /// Puts a command off until it is due: `act`, stored as `command`. With `unless` it is carried
    /// out only if that has not come about for this message by then.
    Schedule {
        due: DueTime,
        unless: Option<(EntryId, Condition)>,
        act: Box<Act>,
        command: Box<str>,
    },
    /// Strikes a command that was put off.
    Unschedule { number: u64 },
    /// Moves a cursor up to an entry, in the entry's conversation. If it is the delivered one, the
    /// session's device has received everything up to there, in all conversations.
    Advance { cursor: Cursor, id: EntryId },
    /// The same, and the device says nothing about other conversations.
    AdvanceIn { cursor: Cursor, id: EntryId },
    /// Moves a cursor in several conversations, up to each of these entries, which the session was
    /// sent. `answer` is the id that the reply names; `None` for moves that no command asked for,
    /// which get no reply. `lost_moves` is the session's count of failed moves
    /// (`Outbox::lost_moves`) when it made the list: the list relies on all earlier ones, so it is
    /// refused if the count has changed.
    AdvanceAll { cursor: Cursor, ids: Vec<EntryId>, answer: Option<EntryId>, lost_moves: u32 },
    /// Changes a preference.
    Prefer(Preference),
    /// Sets a flag of a conversation, or takes it away.
    Flag { to: Target, flag: ChatFlag, set: FlagSetting },
    /// Changes the display name.
    Rename(DisplayName),
    /// Replaces the password hash `was` by `secret`; refused if the account's hash is no longer
    /// `was`.
    SetSecret { was: String, secret: String },
    /// Creates or changes a group.
    Group { name: Handle, change: GroupChange },
    /// Makes an invitation to a group. `hash` is the SHA-256 of `token`, which goes into the reply
    /// and nowhere else.
    Invite { name: Handle, token: Box<str>, hash: [u8; 32], uses: u32, seconds: u64 },
    /// Blocks someone (`on`), or unblocks them.
    Block { whom: Handle, on: bool },
    /// Creates a token. `hash` is its SHA-256; `token` goes into the reply and nowhere else. With
    /// `to` it may only write there.
    NewToken { label: Box<str>, token: Box<str>, hash: [u8; 32], to: Option<Target> },
    /// Revokes a token.
    DropToken { label: Box<str> },
    /// Lets a system user log in without a secret (`on`), or no longer.
    Link { user: u32, on: bool },
    /// Deletes a device.
    DropDevice(DeviceName),
}

impl Act {
    /// Weight of moving a cursor in one of several conversations. Each move writes a row of its
    /// own, while messages to a busy conversation share its rows.
    pub const MOVE: usize = 4;

    /// Weight of a mark: it writes its own row, one that says what holds, and its message's.
    pub const MARK: usize = 3;

    /// Bytes of text that weigh as much as one more message: each page of the database that they
    /// fill is copied into the write-ahead log.
    const TEXT: usize = 800;

    /// Names after `@` that weigh as much as one more message.
    const CALLS: usize = 4;

    /// Approximate cost of deciding and recording it, in short messages to a busy conversation.
    /// Lookups are charged separately (`limits::LOOK_UP`), and so is what is known only when it is
    /// decided ([`Chat::take_extra`](super::Chat::take_extra)).
    pub fn weight(&self) -> usize {
        match self {
            Act::Send { to: Target::Group(_), body, .. } => 1 + Act::text(body) + Act::calls(body),
            Act::Send { body, .. } => 1 + Act::text(body),
            Act::Answer { body, .. } => 2 + Act::text(body) + Act::calls(body),
            Act::Edit { body, .. } => Act::MARK + Act::text(body),
            // The text of what is forwarded is not known yet.
            Act::SendFile { .. } => 2,
            Act::Forward { .. } | Act::Delete { .. } | Act::React { .. } | Act::Expire { .. } => {
                Act::MARK
            }
            // It may be due at once.
            Act::Schedule { act, .. } => Act::MARK + act.weight(),
            Act::Once { act, .. } => 1 + act.weight(),
            Act::Unschedule { .. } | Act::Flag { .. } => Act::MARK,
            Act::Advance { .. } | Act::AdvanceIn { .. } => 1,
            Act::AdvanceAll { ids, .. } => Act::MOVE * ids.len().max(1),
            Act::Group {
                change: GroupChange::New(handles) | GroupChange::Add(handles), ..
            } => 2 + 2 * handles.len(),
            Act::Group { .. } | Act::Block { .. } => 2,
            // The account's words in the search index are written anew.
            Act::Rename(_) => 8,
            Act::Prefer(_)
            | Act::SetSecret { .. }
            | Act::NewToken { .. }
            | Act::Invite { .. }
            | Act::DropToken { .. }
            | Act::Link { .. }
            | Act::DropDevice(_) => 4,
        }
    }

    /// The weight of a text.
    fn text(body: &str) -> usize {
        body.len() / Act::TEXT
    }

    /// The weight of looking up whom a text may call.
    fn calls(body: &str) -> usize {
        memchr_iter(b'@', body.as_bytes()).take(limits::CALLS_READ).count() / Act::CALLS
    }

    /// Whether it is about so many people that what it lacks is looked up in pieces, each in a batch
    /// of its own, before it is decided.
    pub fn is_long(&self) -> bool {
        let names_people =
            matches!(self, Act::Group { change: GroupChange::New(_) | GroupChange::Add(_), .. });
        names_people && self.weight() > limits::SHARE
    }

    /// Takes out a message's text, or the command to carry out later; empty for all other acts.
    pub(super) fn take_text(&mut self) -> Box<str> {
        match self {
            Act::Send { body, .. } | Act::Answer { body, .. } | Act::Edit { body, .. } => {
                std::mem::take(body).into_boxed_str()
            }
            Act::Schedule { command: text, .. } | Act::SendFile { name: text, .. } => {
                std::mem::take(text)
            }
            Act::Once { act, .. } => act.take_text(),
            _ => Box::default(),
        }
    }

    /// Bytes of text in it.
    pub fn bytes(&self) -> usize {
        match self {
            Act::Send { body, .. } | Act::Answer { body, .. } | Act::Edit { body, .. } => {
                body.len()
            }
            Act::Schedule { command: text, .. } | Act::SendFile { name: text, .. } => text.len(),
            Act::Once { act, .. } => act.bytes(),
            _ => 0,
        }
    }

    /// Whether it is a command, whose sender waits for a final line. Automatic acknowledgements are
    /// not.
    pub fn is_asked(&self) -> bool {
        !matches!(self, Act::AdvanceAll { answer: None, .. })
    }

    /// The verb in its final line.
    pub fn verb(&self) -> &'static str {
        match self {
            Act::Send { once: Some(_), .. }
            | Act::Answer { once: Some(_), .. }
            | Act::SendFile { once: Some(_), .. }
            | Act::Forward { once: Some(_), .. } => "ONCE",
            Act::Once { act, .. } => act.verb(),
            Act::Send { .. } => "MSG",
            Act::Answer { .. } => "RE",
            Act::SendFile { .. } => "FILE",
            Act::Forward { .. } => "FWD",
            Act::Edit { .. } => "EDIT",
            Act::Delete { .. } => "DEL",
            Act::React { .. } => "REACT",
            Act::Expire { .. } => "EXPIRE",
            Act::Schedule { unless: Some(_), .. } => "UNLESS",
            Act::Schedule { unless: None, .. } | Act::Unschedule { .. } => "AT",
            Act::Advance { cursor, .. }
            | Act::AdvanceIn { cursor, .. }
            | Act::AdvanceAll { cursor, .. } => reply::verb(*cursor),
            Act::Prefer(_) => "PREF",
            Act::Flag { .. } => "FLAG",
            Act::Rename(_) => "NAME",
            Act::SetSecret { .. } => "PASSWD",
            Act::Group { .. } | Act::Invite { .. } => "GROUP",
            Act::Block { on: true, .. } => "BLOCK",
            Act::Block { on: false, .. } => "UNBLOCK",
            Act::NewToken { .. } | Act::DropToken { .. } => "TOKEN",
            Act::Link { .. } => "UID",
            Act::DropDevice(_) => "DEVICES",
        }
    }
}
