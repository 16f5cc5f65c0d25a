//! The messages that acts are about: how an account sees them, and who else is there.
//!
//! A message is looked up with all that holds about it once in a batch, and then changed in memory
//! with each act. So acts of one batch about one message see each other.

use std::borrow::Cow;

use super::stop::{Stop, both};
use super::{Chat, directory};
use crate::entry::{AccountId, EntryId, EntryKind, EntryPos};
use crate::name::Target;
use crate::store::{Change, Conversation, ConversationKind, Member, MessageState, NewEntry};
use crate::wire::refusal::Refusal;

/// A message that an act is about, as `me` sees it.
pub(super) struct Subject<'a> {
    pub(super) pos: EntryPos,
    pub(super) log: &'a Conversation,
    pub(super) member: &'a Member,
    pub(super) message: Cow<'a, MessageState>,
}

impl Subject<'_> {
    /// Refused if the message was deleted.
    pub(super) fn standing(self) -> Result<Self, Stop> {
        match self.message.gone {
            None => Ok(self),
            Some(_) => Err(Refusal::Gone(self.pos.id.0).into()),
        }
    }
}

/// Where the other members stand to an act about a message.
pub(super) struct Place {
    /// The other party, or the group.
    pub(super) to: Target,
    /// The other party was deleted.
    pub(super) gone: bool,
    /// The other party has blocked `me`.
    pub(super) blocked: bool,
    /// Only admins of the group may write there, and `me` is none.
    pub(super) silent: bool,
}

impl Place {
    /// Refused if `me` may not write there.
    pub(super) fn writable(&self) -> Result<(), Refusal> {
        match &self.to {
            Target::Group(name) if self.silent => Err(Refusal::OnlyAdminsWrite(name.clone())),
            _ => self.open(),
        }
    }

    /// Refused if the other party has blocked `me`.
    pub(super) fn open(&self) -> Result<(), Refusal> {
        match &self.to {
            Target::Person(handle) if self.blocked => Err(Refusal::Blocked(handle.clone())),
            _ => Ok(()),
        }
    }
}

impl Chat {
    /// The message that an act of `me` is about; refused if `me` may not see it, or if it is no
    /// message.
    pub(super) fn subject(&self, me: AccountId, id: EntryId) -> Result<Subject<'_>, Stop> {
        let no_message = || Refusal::NoSuchMessage(id.0);
        // What is looked up about a message has its place too.
        let is_recorded = self.newest.floor < id && id <= self.recorded.entry;
        if is_recorded && self.directory.entry_pos(id).is_err() {
            self.directory.message(id)?.ok_or_else(no_message)?;
        }
        let (pos, log, member) = self.visible_place(me, id)?.ok_or_else(no_message)?;
        let message = self.message_at(pos)?;
        Ok(Subject { pos, log, member, message })
    }

    /// Where a message stands that `me` answers: refused as [`Chat::subject`] is, and if it was
    /// deleted. Its text is not needed, so a recent one is not looked up.
    pub(super) fn answerable(
        &self,
        me: AccountId,
        id: EntryId,
    ) -> Result<(EntryPos, &Conversation, &Member), Stop> {
        if self.directory.stands(id) {
            return Ok(self.visible_place(me, id)?.ok_or(Refusal::NoSuchMessage(id.0))?);
        }
        let Subject { pos, log, member, .. } = self.subject(me, id)?.standing()?;
        Ok((pos, log, member))
    }

    /// The message of an entry; refused if the entry is none.
    pub(super) fn message_at(&self, pos: EntryPos) -> Result<Cow<'_, MessageState>, Stop> {
        let id = pos.id.0;
        if pos.about != EntryId(0) {
            return Err(Refusal::NotAMessage { id, about: Some(pos.about.0) }.into());
        }
        let message = self.message(pos.id)?.ok_or(Refusal::NoSuchMessage(id))?;
        if message.kind == EntryKind::Expire {
            return Err(Refusal::NotAMessageButExpire(id).into());
        }
        if message.kind != EntryKind::Message {
            return Err(Refusal::NotAMessage { id, about: None }.into());
        }
        Ok(message)
    }

    /// Who else is in the conversation of a message; refused if `me` has left that group.
    pub(super) fn place(
        &self,
        me: AccountId,
        log: &Conversation,
        member: &Member,
    ) -> Result<Place, Stop> {
        match &log.kind {
            ConversationKind::Group(name) if member.is_in() => {
                let to = Target::Group(name.clone());
                let silent = !log.may_write(me);
                Ok(Place { to, gone: false, blocked: false, silent })
            }
            ConversationKind::Group(name) => Err(Refusal::NoSuchGroup(name.clone()).into()),
            ConversationKind::Direct(pair) => {
                let other = pair.other(me);
                let (account, blocked) =
                    both(self.directory.account(other), self.has_blocked(other, me))?;
                let (to, gone) = (Target::Person(account.handle.clone()), account.gone);
                Ok(Place { to, gone, blocked, silent: false })
            }
        }
    }

    /// A message of this id, as the batch has left it; `None` if there is none.
    pub(super) fn message(&self, id: EntryId) -> Result<Option<Cow<'_, MessageState>>, Stop> {
        match self.directory.message(id) {
            Ok(known) => Ok(known.map(Cow::Borrowed)),
            // The store does not have those of this batch yet.
            Err(_) if id > self.recorded.entry => Ok(self.unrecorded(id).map(Cow::Owned)),
            Err(need) => Err(need.into()),
        }
    }

    /// A message that this batch has sent. Few batches have acts about those, so they are looked for
    /// where they are and not noted with each message.
    pub(super) fn unrecorded(&self, id: EntryId) -> Option<MessageState> {
        let new = self.batch.changes.iter().rev().find_map(|change| match change {
            Change::Entry(new) if new.pos.id == id => Some(new),
            _ => None,
        })?;
        let is_file = new.tags.as_ref().is_some_and(|tags| tags.file.is_some());
        let mut latest = self.batch.changes.iter().rev().filter(|_| is_file);
        let file = latest.find_map(|change| match change {
            Change::File { entry, file } if *entry == id => Some(*file),
            _ => None,
        });
        let NewEntry { pos, time, kind, body, tags } = new.clone();
        Some(MessageState {
            pos,
            time,
            kind,
            gone: None,
            edit: None,
            body,
            tags,
            file,
            tally: Vec::new(),
            changed: false,
        })
    }

    /// The reaction of an account to a message, if one holds.
    pub(super) fn reaction(
        &self,
        id: EntryId,
        account: AccountId,
    ) -> Result<&directory::Reaction, Stop> {
        match self.directory.reaction(id, account) {
            Ok(known) => Ok(known),
            Err(_) if id > self.recorded.entry => Ok(&None),
            // Nobody reacts to it.
            Err(_) if matches!(self.directory.message(id), Ok(Some(known)) if known.tally.is_empty()) => {
                Ok(&None)
            }
            Err(need) => Err(need.into()),
        }
    }
}
