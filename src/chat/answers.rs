//! Answers and forwarded messages: messages that come from an earlier one.

use super::messages::{Destination, NewFile, NewMessage};
use super::once::OnceKey;
use super::stop::{Stop, both};
use super::subject::Subject;
use super::{Chat, Plan, Who};
use crate::entry::{EntryId, EntryKind, EntryTags};
use crate::name::Target;
use crate::store::{Change, Member, NewEntry};
use crate::wire::refusal::Refusal;

impl Chat {
    /// Plans an answer to a message, in its conversation.
    pub(super) fn plan_answer(
        &self,
        who: Who,
        about: EntryId,
        body: &str,
        once: Option<&str>,
    ) -> Result<Plan, Stop> {
        let me = who.account;
        let once = once.map(|key| OnceKey::new(key, &format!("RE {}", about.0), body));
        if let Some(plan) = self.first_sent(me, once.as_ref(), "RE")? {
            return Ok(plan);
        }
        let (pos, log, member) = self.answerable(me, about)?;
        let (from, place) = both(self.directory.account(me), self.place(me, log, member))?;
        if let (Target::Person(handle), true) = (&place.to, place.gone) {
            return Err(Refusal::NoSuchUser(handle.clone()).into());
        }
        place.writable()?;
        let mut calls = Vec::new();
        if let Target::Group(_) = place.to {
            calls = self.calls(me, log, Some(pos.author).filter(|author| *author != me), body)?;
        }
        let tags = EntryTags { re: Some(about), calls, ..EntryTags::default() };
        Ok(Plan::Send(NewMessage {
            from: from.handle.clone(),
            to: place.to,
            destination: Destination::Known(pos.conversation),
            once,
            verb: "RE",
            tags: Some(Box::new(tags)),
            text: None,
            file: None,
        }))
    }

    /// Plans to say a message again in another conversation, with the text that `me` sees.
    pub(super) fn plan_forward(
        &self,
        who: Who,
        about: EntryId,
        to: &Target,
        once: Option<&str>,
    ) -> Result<Plan, Stop> {
        let me = who.account;
        let once = once.map(|key| OnceKey::new(key, &format!("FWD {} {to}", about.0), ""));
        if let Some(plan) = self.first_sent(me, once.as_ref(), "FWD")? {
            return Ok(plan);
        }
        let subject = self.subject(me, about)?.standing()?;
        let Subject { member, message, .. } = &subject;
        let text = match message.edit {
            Some((edit, _)) if !member.was_in(edit) => self.text_before(member, about),
            _ => Ok(&*message.body),
        };
        let destination = self.conversation_for(me, to);
        let (text, (from, destination)) =
            both(text, both(self.directory.account(me), destination))?;
        let bytes = message.tags.as_ref().and_then(|tags| tags.file);
        if bytes.is_some() && message.file.is_none() {
            return Err(Refusal::FileForgotten(about.0).into());
        }
        let file = message.file.map(|file| NewFile { file, put: None });
        let fwd = message.tags.as_ref().map_or(0, |tags| tags.fwd).saturating_add(1);
        let tags = EntryTags { fwd, file: bytes, ..EntryTags::default() };
        Ok(Plan::Send(NewMessage {
            from: from.handle.clone(),
            to: to.clone(),
            destination,
            once,
            verb: "FWD",
            tags: Some(Box::new(tags)),
            text: Some(text.into()),
            file,
        }))
    }

    /// The text that a message had when `member` was last in its group.
    fn text_before(&self, member: &Member, about: EntryId) -> Result<&str, Stop> {
        // The store does not have what this batch has written yet.
        let of_batch = self.batch.changes.iter().rev().find_map(|change| match change {
            Change::Entry(NewEntry { pos, kind: EntryKind::Edit, body, .. })
                if pos.about == about && member.was_in(pos.id) =>
            {
                Some(&**body)
            }
            Change::Entry(NewEntry { pos, body, .. }) if pos.id == about => Some(&**body),
            _ => None,
        });
        if let Some(text) = of_batch {
            return Ok(text);
        }
        let text = self.directory.text_for(member.account, about)?;
        Ok(text.ok_or(Refusal::NoSuchMessage(about.0))?)
    }
}
