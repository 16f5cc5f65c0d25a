//! Writing: what adds an entry to a conversation.
//!
//! How many entries wait for a member is never counted one by one. A conversation has had `seq`
//! entries. Of those, `exempt` ([`Member::exempt`]) do not wait for the member: it wrote them
//! itself, or it may not see them. A cursor ([`Position`]) knows both numbers as they were at the
//! entry where it stands. So above it there wait
//!
//! ```text
//! (conversation.seq - cursor.seq) - (member.exempt - cursor.exempt)
//! ```
//!
//! To place a cursor at an entry, one has to know `exempt` as it was there ([`Chat::exempt_upto`]).
//! In a chat of two each entry tells: it is the `author_seq` of its author, so of the first `seq`
//! entries the author wrote `author_seq` and the other member `seq - author_seq`. In a group that is
//! not enough, and what cannot be derived is written down: see [`Change::ExemptMark`].
//!
//! `src/ARCHITECTURE.md` has an example with numbers.

use sha2::{Digest, Sha256};

use super::stop::{Stop, both};
use super::{Chat, Effect, Plan, Who};
use crate::entry::{
    AccountId, ConversationId, Cursor, EntryId, EntryKind, EntryPos, Millis, MoveNumber,
};
use crate::name::{Handle, Target};
use crate::store::{
    Change, Conversation, ConversationKind, Member, NewEntry, Once, Pair, Position,
};
use crate::wire::refusal::Refusal;
use crate::wire::reply::Reply;

/// A message that can be written; its text is with the act.
pub(super) struct Message {
    from: Handle,
    to: Target,
    destination: Destination,
    /// Its `ONCE` key, and the digest of what was asked for under it.
    once: Option<(Box<str>, [u8; 32])>,
}

/// The conversation that a message goes into.
enum Destination {
    /// One that exists.
    Known(ConversationId),
    /// The one of these two, which their first message opens.
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
        let is_new = match once.map(|key| (key, self.directory.once(me, key))) {
            Some((_, Ok(Some(first)))) if first.digest == digest(to, body) => {
                let reply = Reply::Sent { id: first.id, time: first.time };
                return Ok(Plan::Reply { verb: "ONCE", reply });
            }
            Some((key, Ok(Some(_)))) => return Err(Refusal::KeyReused(key.into()).into()),
            Some((_, Err(need))) => Err(need),
            Some((_, Ok(None))) | None => Ok(()),
        };
        let from = both(self.directory.account(me), self.conversation_for(me, to));
        let ((), (from, destination)) = both(is_new, from)?;
        let once = once.map(|key| (key.into(), digest(to, body)));
        let from = from.handle.clone();
        Ok(Plan::Send(Message { from, to: to.clone(), destination, once }))
    }

    /// The conversation that a message of `me` to someone goes into.
    fn conversation_for(&self, me: AccountId, to: &Target) -> Result<Destination, Stop> {
        match to {
            Target::Group(name) => match self.directory.group_of(me, name)? {
                Some(group) => Ok(Destination::Known(group)),
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

    /// Whether the first has blocked the second. Nobody blocks themselves.
    pub(super) fn has_blocked(&self, by: AccountId, whom: AccountId) -> Result<bool, Stop> {
        if by == whom { Ok(false) } else { Ok(self.directory.blocked(by, whom)?) }
    }

    /// Whether two accounts see nothing of each other's cursors: one of them has blocked the other.
    pub(super) fn is_hidden(&self, me: AccountId, other: AccountId) -> Result<bool, Stop> {
        let (by_me, by_other) = both(self.has_blocked(me, other), self.has_blocked(other, me))?;
        Ok(by_me || by_other)
    }

    pub(super) fn send(&mut self, who: Who, message: Message, text: Box<str>, now: Millis) {
        let Message { from, to, destination, once } = message;
        let conversation = match destination {
            Destination::Known(conversation) => conversation,
            Destination::New(pair) => self.open_direct(pair),
        };
        let verb = if once.is_some() { "ONCE" } else { "MSG" };
        let (pos, at) = self.append(conversation, who.account, EntryKind::Message, text, now);
        if let Some((key, digest)) = once {
            let once = Once { digest, id: pos.id, time: now };
            self.directory.learn_once(who.account, key.clone(), once.clone());
            self.batch.changes.push(Change::Once { account: who.account, key, once });
        }
        self.answer(who, verb, Ok(Reply::Sent { id: pos.id, time: now }));
        self.tell(who, Effect::Entry { at, from, to });
    }

    /// Opens the conversation of two people, or of one with itself.
    fn open_direct(&mut self, pair: Pair) -> ConversationId {
        self.newest.conversation += 1;
        let id = ConversationId(self.newest.conversation);
        let mut members = vec![Member::new(pair.low)];
        if pair.high != pair.low {
            members.push(Member::new(pair.high));
        }
        self.touched.extend(members.iter().map(|member| (id, member.account)));
        self.batch.changes.push(Change::Direct { id, pair });
        let (kind, head, moved) = (ConversationKind::Direct(pair), EntryId(0), MoveNumber(0));
        self.directory.learn_conversation(Conversation { id, kind, head, seq: 0, moved, members });
        id
    }

    /// Adds an entry to a conversation that a plan has looked up. Returns its place, and its index
    /// in the changes.
    pub(super) fn append(
        &mut self,
        conversation: ConversationId,
        author: AccountId,
        kind: EntryKind,
        body: Box<str>,
        now: Millis,
    ) -> (EntryPos, usize) {
        self.newest.entry.0 += 1;
        let id = self.newest.entry;
        let mut pos = EntryPos { conversation, id, seq: 1, author, author_seq: 1 };
        let (mut after, mut of_two) = (EntryId(0), None);
        if let Some(log) = self.directory.conversation_mut(conversation) {
            after = log.head;
            pos.seq = log.seq + 1;
            let before = log.seq;
            log.head = id;
            log.seq = pos.seq;
            if let ConversationKind::Direct(pair) = log.kind {
                of_two = Some(pair);
            }
            if let Some(member) = log.member_mut(author) {
                let mut stays = false;
                for cursor in [Cursor::Delivered, Cursor::Read] {
                    let exempt = member.exempt;
                    let at = member.cursor_mut(cursor);
                    // As many lie above the cursor as do not wait, so nothing waits there: the
                    // author has seen everything up to its own entry, and the cursor goes along.
                    // It is not a move: nobody is told, and `told` and `number` stay.
                    if before - at.seq == exempt - at.exempt {
                        *at = Position { id, seq: pos.seq, exempt: exempt + 1, ..*at };
                    } else {
                        stays = true;
                    }
                }
                member.exempt += 1;
                member.last_own = id;
                pos.author_seq = member.exempt;
                // In a chat of two, `author_seq` and `seq` tell both members' entries apart. In a
                // group, where a cursor that stays below may come to any entry later, `exempt` as
                // it is here has to be written down.
                if stays && of_two.is_none() {
                    let (seq, count) = (pos.seq, member.exempt);
                    self.exempt_marks.push((conversation, author, seq, count));
                    let change = Change::ExemptMark { conversation, account: author, seq, count };
                    self.batch.changes.push(change);
                }
            }
        }
        if let Some(pair) = of_two {
            self.rank_by_entry(conversation, pair, id);
        }
        self.touched.push((conversation, author));
        self.appended.push((conversation, id, after));
        self.directory.learn_newest(pos);
        self.batch.changes.push(Change::Entry(NewEntry { pos, time: now, kind, body }));
        (pos, self.batch.changes.len() - 1)
    }
}

/// By which two `ONCE` under one key are told to be the same.
fn digest(to: &Target, body: &str) -> [u8; 32] {
    let digest = Sha256::new().chain_update(to.to_string()).chain_update([0]);
    digest.chain_update(body).finalize().into()
}
