//! What is done to a message after it was sent: it is edited, deleted, and people react to it.
//!
//! An edit, a deletion and a reaction are *marks*: entries about an earlier message, with an id like
//! any other and no `seq` of their own. So they are never counted, and all arithmetic of
//! [`super::messages`] stays as it is: a mark stands where the conversation stood when it was
//! written.
//!
//! A mark says how a message is, not what to do with it. A mark that is said again changes nothing:
//! it makes no entry, and the reply names the one that made it so.

use super::devices::tagged;
use super::stop::{Stop, both};
use super::subject::Subject;
use super::{Chat, Effect, Plan, Who};
use crate::entry::{
    AccountId, Call, ConversationId, Cursor, EntryId, EntryKind, EntryPos, EntryTags, Millis,
};
use crate::limits;
use crate::name::{FileName, Handle, Target};
use crate::store::{
    Change, ConversationKind, MessageState, NewEntry, NewReaction, Position, Tallied, WordCount,
};
use crate::wire::refusal::Refusal;
use crate::wire::reply::Reply;

/// A mark that may be made. The text of an edit stays in the act.
pub(super) struct Mark {
    about: EntryPos,
    /// Who makes it; for an operator's deletion the author of the message.
    author: AccountId,
    from: Handle,
    to: Target,
    verb: &'static str,
    kind: MarkKind,
    tags: Box<EntryTags>,
}

enum MarkKind {
    Edit,
    Delete,
    /// `word` is `None` if the reaction is taken back. `was` is the one that it replaces.
    React {
        word: Option<Box<str>>,
        was: Option<(EntryId, Box<str>)>,
    },
}

impl Chat {
    /// Plans another text for a message of `me`.
    pub(super) fn plan_edit(
        &self,
        who: Who,
        about: EntryId,
        body: &str,
        now: Millis,
    ) -> Result<Plan, Stop> {
        let me = who.account;
        let subject = self.subject(me, about)?.standing()?;
        let place = self.place(me, subject.log, subject.member);
        let (author, place) = both(self.directory.account(subject.pos.author), place)?;
        if subject.pos.author != me {
            let author = author.handle.clone();
            return Err(Refusal::NotYours { id: about.0, author }.into());
        }
        place.writable()?;
        let Subject { pos, message, .. } = subject;
        if *message.body == *body {
            let (id, time) = message.edit.unwrap_or((pos.id, message.time));
            return Ok(Plan::Reply { verb: "EDIT", reply: Reply::Sent { verb: "EDIT", id, time } });
        }
        if message.tags.as_ref().is_some_and(|tags| tags.file.is_some())
            && FileName::new(body).is_err()
        {
            return Err(Refusal::NotAFileName.into());
        }
        self.amendable(&message, now)?;
        let tags = EntryTags { re: Some(about), ..EntryTags::default() };
        Ok(Plan::Mark(Box::new(Mark {
            about: pos,
            author: me,
            from: author.handle.clone(),
            to: place.to,
            verb: "EDIT",
            kind: MarkKind::Edit,
            tags: Box::new(tags),
        })))
    }

    /// Plans the deletion of a message, by its author or by an admin of its group. Taking back is
    /// never refused to someone who was blocked.
    pub(super) fn plan_delete(&self, who: Who, about: EntryId, now: Millis) -> Result<Plan, Stop> {
        let me = who.account;
        let subject = self.subject(me, about)?;
        let accounts = both(self.directory.account(me), self.directory.account(subject.pos.author));
        let ((from, author), place) = both(accounts, self.place(me, subject.log, subject.member))?;
        let Subject { pos, member, message, .. } = subject;
        let is_admin = matches!(place.to, Target::Group(_)) && member.admin;
        if pos.author != me && !is_admin {
            let group = match &place.to {
                Target::Group(name) => Some(name.clone()),
                Target::Person(_) => None,
            };
            let author = author.handle.clone();
            return Err(Refusal::NotYoursToDelete { id: about.0, author, group }.into());
        }
        if let Some((id, time)) = message.gone {
            return Ok(Plan::Reply { verb: "DEL", reply: Reply::Sent { verb: "DEL", id, time } });
        }
        if !is_admin {
            self.amendable(&message, now)?;
        }
        let calls = match pos.author == me {
            true => Vec::new(),
            false => vec![Call::Handle(author.handle.clone())],
        };
        let tags = EntryTags { re: Some(about), calls, ..EntryTags::default() };
        Ok(Plan::Mark(Box::new(Mark {
            about: pos,
            author: me,
            from: from.handle.clone(),
            to: place.to,
            verb: "DEL",
            kind: MarkKind::Delete,
            tags: Box::new(tags),
        })))
    }

    /// Plans a reaction of `me` to a message, or to take it back.
    pub(super) fn plan_react(
        &self,
        who: Who,
        about: EntryId,
        word: Option<&str>,
    ) -> Result<Plan, Stop> {
        let me = who.account;
        let (subject, was) = both(self.subject(me, about), self.reaction(about, me))?;
        let subject = subject.standing()?;
        let place = self.place(me, subject.log, subject.member);
        let accounts = both(self.directory.account(me), self.directory.account(subject.pos.author));
        let ((from, author), place) = both(accounts, place)?;
        place.open()?;
        let Subject { pos, message, .. } = subject;
        let was = was.as_ref().map(|(id, time, was)| (*id, *time, &**was));
        if word == was.map(|(.., was)| was) {
            let (id, time) = was.map_or((pos.id, message.time), |(id, time, _)| (id, time));
            let reply = Reply::Sent { verb: "REACT", id, time };
            return Ok(Plan::Reply { verb: "REACT", reply });
        }
        if let Some(word) = word {
            let counts = |one: &str| message.tally.iter().any(|known| *known.word == *one);
            // The word that it replaces may have been the only one of its kind.
            let freed = was.is_some_and(|(.., was)| {
                message.tally.iter().any(|known| *known.word == *was && known.by.count == 1)
            });
            let different = message.tally.len() - usize::from(freed);
            if !counts(word) && different >= limits::REACTIONS {
                return Err(Refusal::TooManyOf("different reactions to one message").into());
            }
        }
        let calls = match pos.author == me {
            true => Vec::new(),
            false => vec![Call::Handle(author.handle.clone())],
        };
        let was = was.map(|(id, _, was)| (id, was.into()));
        let tags = EntryTags { re: Some(about), calls, ..EntryTags::default() };
        Ok(Plan::Mark(Box::new(Mark {
            about: pos,
            author: me,
            from: from.handle.clone(),
            to: place.to,
            verb: "REACT",
            kind: MarkKind::React { word: word.map(Into::into), was },
            tags: Box::new(tags),
        })))
    }

    /// Plans the deletion of a message on an operator's order, in the name of its author. Returns
    /// that, and no mark if the message was deleted already.
    pub(super) fn plan_drop(&self, about: EntryId) -> Result<(AccountId, Option<Box<Mark>>), Stop> {
        let no_message = || Refusal::NoMessageHasId(about.0);
        if about <= self.newest.floor || about > self.newest.entry {
            return Err(no_message().into());
        }
        let pos = self.directory.entry_pos(about)?.ok_or_else(no_message)?;
        let message = match self.message_at(pos) {
            // It has expired, and its place is still known.
            Err(Stop::Refused(Refusal::NoSuchMessage(_))) => return Err(no_message().into()),
            found => found?,
        };
        if message.gone.is_some() {
            return Ok((pos.author, None));
        }
        let log = self.directory.conversation(pos.conversation);
        let (author, log) = both(self.directory.account(pos.author), log)?;
        let to = match &log.kind {
            ConversationKind::Group(name) => Target::Group(name.clone()),
            ConversationKind::Direct(pair) => {
                let other = self.directory.account(pair.other(pos.author))?;
                Target::Person(other.handle.clone())
            }
        };
        let re = Some(about);
        let tags = EntryTags { re, by_operator: true, ..EntryTags::default() };
        let mark = Mark {
            about: pos,
            author: pos.author,
            from: author.handle.clone(),
            to,
            verb: "DEL",
            kind: MarkKind::Delete,
            tags: Box::new(tags),
        };
        Ok((pos.author, Some(Box::new(mark))))
    }

    /// Refused if the operator's time for changing a message (`--amend`) is over.
    fn amendable(&self, message: &MessageState, now: Millis) -> Result<(), Refusal> {
        let age = now.0.saturating_sub(message.time.0).div_euclid(1000);
        match self.first.amend {
            Some(seconds) if i64::try_from(seconds).is_ok_and(|seconds| age >= seconds) => {
                Err(Refusal::TooLate { id: message.pos.id.0, seconds })
            }
            _ => Ok(()),
        }
    }

    /// Makes a mark.
    pub(super) fn mark(&mut self, who: Who, mark: Mark, text: Box<str>, now: Millis) {
        let Mark { about, author, from, to, verb, kind, tags } = mark;
        let message = about.id;
        let (entry_kind, body) = match &kind {
            MarkKind::Edit => (EntryKind::Edit, text),
            MarkKind::Delete => (EntryKind::Del, "-".into()),
            MarkKind::React { word, .. } => {
                (EntryKind::React, word.clone().unwrap_or_else(|| "-".into()))
            }
        };
        let tags = tagged(who, Some(tags));
        let (id, at) = self.append_mark(
            about.conversation,
            message,
            author,
            (entry_kind, body.clone()),
            tags,
            now,
        );
        if self.directory.message(message).is_err()
            && let Some(unrecorded) = self.unrecorded(message)
        {
            self.directory.learn_message(unrecorded);
        }
        let change = self.learn_mark(about.id, (id, author, now), kind, body);
        self.batch.changes.push(change);
        self.answer(who, verb, Ok(Reply::Sent { verb, id, time: now }));
        self.tell(who, Effect::Entry { at, from, to });
    }

    /// Notes in memory what a mark makes of its message. Returns what the store has to note.
    fn learn_mark(
        &mut self,
        message: EntryId,
        (mark, author, now): (EntryId, AccountId, Millis),
        kind: MarkKind,
        body: Box<str>,
    ) -> Change {
        if let MarkKind::Delete = kind {
            self.directory.delete(message);
        }
        let mut known = self.directory.message_mut(message);
        let first =
            known.as_mut().is_some_and(|known| !std::mem::replace(&mut known.changed, true));
        match kind {
            MarkKind::Edit => {
                if let Some(known) = known {
                    (known.edit, known.body) = (Some((mark, now)), body);
                }
                Change::Edited { message, mark, first }
            }
            MarkKind::Delete => {
                let mut file = true;
                if let Some(known) = known {
                    (known.gone, known.edit) = (Some((mark, now)), None);
                    file = known.file.take().is_some();
                    (known.body, known.tags) = (Box::default(), None);
                    known.tally.clear();
                }
                Change::Deleted { message, mark, first, file }
            }
            MarkKind::React { word, was } => {
                let (replaced, was) = was.unzip();
                let (mut uncounted, mut counted) = (None, None);
                if let Some(known) = known {
                    uncounted = was.and_then(|was| uncount(&mut known.tally, &was));
                    counted = word.as_deref().map(|word| count(&mut known.tally, word, mark));
                }
                let holds = word.clone().map(|word| (mark, now, word));
                self.directory.learn_reaction(message, author, holds);
                Change::Reacted(NewReaction {
                    message,
                    author,
                    mark,
                    first,
                    word,
                    replaced,
                    uncounted,
                    counted,
                })
            }
        }
    }

    /// Appends a mark to a conversation, which a plan has looked up. `about` is its message, 0 if it
    /// is about none. Returns its id, and the index of its [`Change::Entry`] in the batch.
    ///
    /// The mark stands where the conversation stands: its `seq` is that of the last counted entry,
    /// its `author_seq` what its author's `exempt` is. So a cursor may be moved to a mark like to
    /// any entry.
    pub(super) fn append_mark(
        &mut self,
        conversation: ConversationId,
        about: EntryId,
        author: AccountId,
        (kind, body): (EntryKind, Box<str>),
        tags: Option<Box<EntryTags>>,
        now: Millis,
    ) -> (EntryId, usize) {
        self.newest.entry.0 += 1;
        let id = self.newest.entry;
        let mut pos =
            EntryPos { conversation, id, seq: 0, author, author_seq: 0, about, expired: false };
        let (mut after, mut of_two) = (EntryId(0), None);
        if let Some(log) = self.directory.conversation_mut(conversation) {
            (pos.seq, after) = (log.seq, log.marks.newest);
            if let ConversationKind::Direct(pair) = log.kind {
                of_two = Some(pair);
            }
            let (seq, foreign) = (log.seq, log.marks.by_others(author));
            if let Some(member) = log.member_mut(author) {
                let exempt = member.exempt;
                pos.author_seq = exempt;
                // As with an entry of one's own, the cursors go along if nothing else waits. The
                // author of a message that an operator deletes may have left.
                let cursors = [Cursor::Delivered, Cursor::Read];
                let is_in = member.is_in();
                for cursor in cursors.into_iter().filter(|_| is_in) {
                    let at = member.cursor_mut(cursor);
                    if seq - at.seq == exempt - at.exempt && at.id >= foreign {
                        *at = Position { id, seq, exempt, ..*at };
                    }
                }
            }
            log.marks.add(id, author);
        }
        if let Some(pair) = of_two {
            self.rank_by_mark(conversation, pair, id);
        }
        self.touched.push((conversation, author));
        self.marked.push((conversation, id, after));
        self.directory.learn_newest(pos, false);
        self.batch.changes.push(Change::Entry(NewEntry { pos, time: now, kind, body, tags }));
        (id, self.batch.changes.len() - 1)
    }
}

/// Counts one less for a word. Returns its count from now on; `None` if it was not counted.
fn uncount(tally: &mut Vec<Tallied>, word: &str) -> Option<WordCount> {
    let at = tally.iter().position(|known| *known.word == *word)?;
    let by = &mut tally[at].by;
    by.count = by.count.saturating_sub(1);
    let left = *by;
    if left.count == 0 {
        tally.remove(at);
    }
    Some(left)
}

/// Counts one more for a word, which the reaction `mark` says. Returns its count from now on.
fn count(tally: &mut Vec<Tallied>, word: &str, mark: EntryId) -> WordCount {
    if let Some(known) = tally.iter_mut().find(|known| *known.word == *word) {
        known.by.count += 1;
        return known.by;
    }
    let by = WordCount { keeper: mark, count: 1 };
    tally.push(Tallied { word: word.into(), by });
    by
}
