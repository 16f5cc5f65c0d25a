//! Messages: planning and sending them, and appending an entry to a conversation.
//!
//! How many entries wait for a member is never counted one by one. A conversation has had `seq`
//! entries. Of those, `exempt` ([`Member::exempt`]) do not wait for the member: it wrote them
//! itself, or may not see them. A cursor ([`Position`]) knows both numbers as they were at the
//! entry where it stands. So the number of entries waiting above it is
//!
//! ```text
//! (conversation.seq - cursor.seq) - (member.exempt - cursor.exempt)
//! ```
//!
//! To place a cursor at an entry, one has to know `exempt` as it was there ([`Chat::exempt_upto`]).
//! In a direct chat the entry itself says so: it is its author's `author_seq`-th, so of the first
//! `seq` entries the author wrote `author_seq` and the other member `seq - author_seq`. In a group
//! that is not enough, and what cannot be derived is written down when it happens: see
//! [`Change::ExemptMark`].
//!
//! `src/ARCHITECTURE.md` has an example with numbers.

use std::sync::Arc;

use memchr::memchr;

use super::devices::tagged;
use super::once::OnceKey;
use super::stop::{Stop, both};
use super::{Act, Chat, Effect, Plan, Who};
use crate::entry::{
    AccountId, ConversationId, Cursor, EntryId, EntryKind, EntryPos, EntryTags, FileRef, Millis,
    MoveNumber,
};
use crate::group_rules::GroupRules;
use crate::name::{Handle, Target};
use crate::store::placed::PlacedFile;
use crate::store::{
    Change, Conversation, ConversationKind, Marks, Member, NewEntry, Once, Pair, Position,
};
use crate::wire::refusal::Refusal;
use crate::wire::reply::Reply;

/// A message that may be sent; its text stays in the act, if the act has it.
pub(super) struct NewMessage {
    pub(super) verb: &'static str,
    pub(super) from: Handle,
    pub(super) to: Target,
    pub(super) destination: Destination,
    pub(super) once: Option<OnceKey>,
    pub(super) tags: Option<Box<EntryTags>>,
    /// The text, if the act does not have it.
    pub(super) text: Option<Box<str>>,
    /// Its file.
    pub(super) file: Option<NewFile>,
}

/// The file of a message that may be sent.
pub(super) struct NewFile {
    pub(super) file: FileRef,
    /// It was put for this message.
    pub(super) put: Option<Arc<PlacedFile>>,
}

/// The conversation that a message goes into.
pub(super) enum Destination {
    /// An existing one.
    Known(ConversationId),
    /// The direct chat of these two, which this first message opens.
    New(Pair),
}

impl Chat {
    pub(super) fn plan_send(
        &self,
        who: Who,
        to: &Target,
        body: &str,
        once: Option<&str>,
    ) -> Result<Plan, Stop> {
        let me = who.account;
        let once = once.map(|key| OnceKey::new(key, &to.to_string(), body));
        let is_new = match self.first_sent(me, once.as_ref(), "MSG") {
            Ok(Some(plan)) => return Ok(plan),
            Err(Stop::Refused(refusal)) => return Err(refusal.into()),
            Err(needs) => Err(needs),
            Ok(None) => Ok(()),
        };
        let from = both(self.directory.account(me), self.conversation_for(me, to));
        let ((), (from, destination)) = both(is_new, from)?;
        let tags = match (to, &destination) {
            (Target::Group(_), Destination::Known(id))
                if memchr(b'@', body.as_bytes()).is_some() =>
            {
                let calls = self.calls(me, self.directory.conversation(*id)?, None, body)?;
                let is_call = !calls.is_empty();
                is_call.then(|| Box::new(EntryTags { calls, ..EntryTags::default() }))
            }
            _ => None,
        };
        let (from, to) = (from.handle.clone(), to.clone());
        let verb = "MSG";
        Ok(Plan::Send(NewMessage {
            verb,
            from,
            to,
            destination,
            once,
            tags,
            text: None,
            file: None,
        }))
    }

    /// The conversation that a message from `me` goes into; refused if there is no such target, or
    /// if it has blocked `me`, or if only admins may write there.
    pub(super) fn conversation_for(&self, me: AccountId, to: &Target) -> Result<Destination, Stop> {
        match to {
            Target::Group(name) => match self.directory.group_of(me, name)? {
                Some(group) if self.directory.conversation(group)?.may_write(me) => {
                    Ok(Destination::Known(group))
                }
                Some(_) => Err(Refusal::OnlyAdminsWrite(name.clone()).into()),
                None => Err(Refusal::NoSuchGroup(name.clone()).into()),
            },
            Target::Person(handle) => {
                let Some(other) = self.directory.living(handle)? else {
                    return Err(Refusal::NoSuchUser(handle.clone()).into());
                };
                let pair = Pair::of(me, other);
                let is_blocked = self.has_blocked(other, me);
                let (is_blocked, known) = both(is_blocked, self.directory.direct(pair))?;
                if is_blocked {
                    return Err(Refusal::Blocked(handle.clone()).into());
                }
                Ok(known.map_or(Destination::New(pair), Destination::Known))
            }
        }
    }

    /// Whether `by` has blocked `whom`. Nobody can block themselves, so that is not looked up.
    pub(super) fn has_blocked(&self, by: AccountId, whom: AccountId) -> Result<bool, Stop> {
        if by == whom { Ok(false) } else { Ok(self.directory.blocked(by, whom)?) }
    }

    /// Whether two accounts must not see each other's cursors, since one has blocked the other.
    pub(super) fn is_hidden(&self, me: AccountId, other: AccountId) -> Result<bool, Stop> {
        let (by_me, by_other) = both(self.has_blocked(me, other), self.has_blocked(other, me))?;
        Ok(by_me || by_other)
    }

    pub(super) fn send(&mut self, who: Who, message: NewMessage, text: Box<str>, now: Millis) {
        let NewMessage { verb, from, to, destination, once, tags, text: own, file } = message;
        let conversation = match destination {
            Destination::Known(conversation) => conversation,
            Destination::New(pair) => self.open_direct(pair),
        };
        let asked = if once.is_some() { "ONCE" } else { verb };
        let about = tags.as_ref().and_then(|tags| tags.re);
        let (kind, text) = (EntryKind::Message, own.unwrap_or(text));
        let mut tags = tagged(who, tags);
        let ttl = self.directory.cached(conversation).and_then(|log| log.ttl);
        if ttl.is_some() {
            tags.get_or_insert_default().exp = ttl;
            // When it expires is a row as well.
            self.extra += 1;
        }
        let (pos, at) = self.append(conversation, who.account, kind, tags, text, now);
        if let Some(message) = about {
            let (reply, author) = (pos.id, who.account);
            self.batch.changes.push(Change::Replied { message, reply, author });
        }
        let content = file.as_ref().map(|file| file.file);
        if let Some(file) = content {
            self.batch.changes.push(Change::File { entry: pos.id, file });
        }
        if let Some(OnceKey { key, digest }) = once {
            // Only a `FILE` said again needs it.
            let file = content.filter(|_| verb == "FILE");
            self.learn_once(who, key, Once { digest, file, id: pos.id, time: now });
        }
        let reply = match content {
            Some(file) if verb == "FILE" => Reply::FileSent { id: pos.id, time: now, file },
            _ => Reply::Sent { verb, id: pos.id, time: now },
        };
        self.placed(who, file.and_then(|file| file.put));
        self.answer(who, asked, Ok(reply));
        self.tell(who, Effect::Entry { at, from, to });
    }

    /// Creates the conversation of two accounts, or of one with itself.
    pub(super) fn open_direct(&mut self, pair: Pair) -> ConversationId {
        self.newest.conversation += 1;
        let id = ConversationId(self.newest.conversation);
        let mut members = vec![Member::new(pair.low)];
        if pair.high != pair.low {
            members.push(Member::new(pair.high));
        }
        self.touched.extend(members.iter().map(|member| (id, member.account)));
        let begun = self.newest.entry;
        self.batch.changes.push(Change::Direct { id, pair, begun });
        let (kind, head, moved) = (ConversationKind::Direct(pair), EntryId(0), MoveNumber(0));
        let (marks, rules) = (Marks::default(), GroupRules::default());
        let ttl = None;
        let log = Conversation { id, kind, head, seq: 0, moved, marks, rules, ttl, members };
        self.directory.learn_conversation(log);
        id
    }

    /// Appends an entry to a conversation that a plan has looked up. Returns where it stands, and
    /// the index of its [`Change::Entry`] in the batch.
    pub(super) fn append(
        &mut self,
        conversation: ConversationId,
        author: AccountId,
        kind: EntryKind,
        tags: Option<Box<EntryTags>>,
        body: Box<str>,
        now: Millis,
    ) -> (EntryPos, usize) {
        self.newest.entry.0 += 1;
        let id = self.newest.entry;
        let mut pos = EntryPos {
            conversation,
            id,
            seq: 1,
            author,
            author_seq: 1,
            about: EntryId(0),
            expired: false,
        };
        let (mut after, mut of_two, mut last) = (EntryId(0), None, None);
        if let Some(log) = self.directory.conversation_mut(conversation) {
            after = log.head;
            if after <= self.recorded.entry {
                // Its own row, and its author's, are written for this one.
                self.spread += Act::MOVE;
            }
            pos.seq = log.seq + 1;
            let before = log.seq;
            log.head = id;
            log.seq = pos.seq;
            if let ConversationKind::Direct(pair) = log.kind {
                of_two = Some(pair);
            }
            // Notes that come late wait for their author like an entry from somebody else.
            let is_late = tags.as_ref().is_some_and(|tags| tags.late.is_some());
            let is_exempt = i64::from(!(is_late && log.kind.is_notes()));
            let foreign = log.marks.by_others(author);
            if let Some(member) = log.member_mut(author) {
                let mut stays = false;
                for cursor in [Cursor::Delivered, Cursor::Read] {
                    let exempt = member.exempt;
                    let at = member.cursor_mut(cursor);
                    // All entries above the cursor are exempt and all marks the author's own, so
                    // nothing waits there, and the cursor goes along to the author's own new entry.
                    // This is not a move: nobody gets a receipt, and `told` and `number` stay.
                    let nothing_waits = before - at.seq == exempt - at.exempt && at.id >= foreign;
                    if nothing_waits && is_exempt == 1 {
                        *at = Position { id, seq: pos.seq, exempt: exempt + 1, ..*at };
                    } else {
                        stays = true;
                    }
                }
                member.exempt += is_exempt;
                let before = std::mem::replace(&mut member.last_own, id);
                last = member.is_in().then_some(before);
                pos.author_seq = member.exempt;
                // In a direct chat, `seq` and `author_seq` of any entry give the counts of both
                // members. In a group they do not. If a cursor stays behind, it may be moved to
                // this entry or a later one some day, so `exempt` as it is here has to be written
                // down.
                if stays && of_two.is_none() {
                    let (seq, count) = (pos.seq, member.exempt);
                    self.exempt_marks.push((conversation, author, seq, count));
                    let change = Change::ExemptMark { conversation, account: author, seq, count };
                    self.batch.changes.push(change);
                }
            }
        }
        match (of_two, last) {
            (Some(pair), _) => self.rank_by_entry(conversation, pair, id),
            (None, Some(last)) => self.directory.has_written(conversation, author, last, id),
            (None, None) => {}
        }
        self.touched.push((conversation, author));
        self.appended.push((conversation, id, after));
        self.directory.learn_newest(pos, kind == EntryKind::Message);
        self.batch.changes.push(Change::Entry(NewEntry { pos, time: now, kind, body, tags }));
        (pos, self.batch.changes.len() - 1)
    }
}
