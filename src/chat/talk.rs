//! Writing, and the two cursors: what makes a conversation.

use super::directory::Need;
use super::{Chat, Tell, Who};
use crate::entry::{
    AccountId, ConversationId, Cursor, EntryId, Millis, MoveNumber, Place, Receipt,
};
use crate::name::Target;
use crate::store::{Change, Conversation, Member, NewEntry, Pair, Position};
use crate::wire::refusal::Refusal;
use crate::wire::reply::{self, Reply};

impl Chat {
    pub(super) fn send(
        &mut self,
        who: Who,
        to: &Target,
        body: &mut String,
        now: Millis,
    ) -> Result<(), Need> {
        let refused = match to {
            Target::Group(name) => Refusal::NoSuchGroup(name.clone()),
            Target::Person(handle) => match self.directory.handle(handle)? {
                Some(other) => {
                    let pair = Pair::of(who.account, other);
                    let from = self.directory.account(who.account)?.handle.clone();
                    let conversation = match self.directory.direct(pair)? {
                        Some(known) => self.directory.conversation(known)?.id,
                        None => self.meet(pair),
                    };
                    // From here on everything is known, and the decision stands.
                    let (id, at) = self.append(conversation, who.account, body, now);
                    self.answer(who, "MSG", Ok(Reply::Sent { id, time: now }));
                    self.tell(who, Tell::Entry { at, conversation, from, to: to.clone() });
                    return Ok(());
                }
                None => Refusal::NoSuchUser(handle.clone()),
            },
        };
        self.answer(who, "MSG", Err(refused));
        Ok(())
    }

    /// The first word between two people makes their conversation.
    fn meet(&mut self, pair: Pair) -> ConversationId {
        self.newest.conversation += 1;
        let id = ConversationId(self.newest.conversation);
        let mut members = vec![Member::new(pair.low)];
        if pair.high != pair.low {
            members.push(Member::new(pair.high));
        }
        self.touched.extend(members.iter().map(|member| (id, member.account)));
        self.batch.changes.push(Change::Direct { id, pair });
        let (head, moved) = (EntryId(0), MoveNumber(0));
        self.directory.learn_conversation(Conversation { id, pair, head, seq: 0, moved, members });
        id
    }

    /// Adds an entry to a conversation that is in the directory.
    fn append(
        &mut self,
        conversation: ConversationId,
        author: AccountId,
        body: &mut String,
        now: Millis,
    ) -> (EntryId, usize) {
        self.newest.entry.0 += 1;
        let id = self.newest.entry;
        let mut place = Place { conversation, id, seq: 1, author, nth: 1 };
        let mut prev = EntryId(0);
        if let Ok(log) = self.directory.conversation(conversation) {
            prev = log.head;
            place.seq = log.seq + 1;
            log.head = id;
            if let Some(member) = log.members.iter_mut().find(|m| m.account == author) {
                place.nth = member.own + 1;
                for cursor in [Cursor::Delivered, Cursor::Read] {
                    let own = member.own;
                    let at = member.cursor_mut(cursor);
                    // Nothing but entries of one's own lies above: the cursor goes along.
                    if log.seq - at.seq == own - at.own {
                        *at = Position { id, seq: place.seq, own: own + 1, ..*at };
                    }
                }
                member.own = place.nth;
                member.last_own = id;
            }
            log.seq = place.seq;
        }
        self.touched.push((conversation, author));
        self.directory.learn_newest(place);
        let body = std::mem::take(body).into_boxed_str();
        self.batch.changes.push(Change::Entry(NewEntry { place, prev, time: now, body }));
        (id, self.batch.changes.len() - 1)
    }

    pub(super) fn advance(
        &mut self,
        who: Who,
        cursor: Cursor,
        id: EntryId,
        now: Millis,
    ) -> Result<(), Need> {
        let place = self.mine(who, id)?;
        let verb = reply::verb(cursor);
        // The mover learns that it is done before anyone else learns that it happened.
        match place {
            None => self.answer(who, verb, Err(Refusal::NoSuchMessage(id.0))),
            Some(place) => {
                self.answer(who, verb, Ok(Reply::Moved { cursor, id: Some(id) }));
                self.move_cursor(who, cursor, place, now)?;
            }
        }
        Ok(())
    }

    pub(super) fn advance_all(
        &mut self,
        who: Who,
        cursor: Cursor,
        ids: &[EntryId],
        answer: Option<EntryId>,
        now: Millis,
    ) -> Result<(), Need> {
        // All is looked up before the first cursor moves.
        let mut places = Vec::with_capacity(ids.len());
        for id in ids {
            places.extend(self.mine(who, *id)?);
        }
        if let Some(id) = answer {
            let reply = Reply::Moved { cursor, id: Some(id) };
            self.answer(who, reply::verb(cursor), Ok(reply));
        }
        for place in places {
            self.move_cursor(who, cursor, place, now)?;
        }
        Ok(())
    }

    /// Where an entry stands, if the asker is a member of its conversation; both are in the
    /// directory then, with the handles of everyone in it.
    fn mine(&mut self, who: Who, id: EntryId) -> Result<Option<Place>, Need> {
        if id <= EntryId(0) || id > self.newest.entry {
            return Ok(None);
        }
        let Some(place) = self.directory.place(id)? else {
            return Ok(None);
        };
        let pair = self.directory.conversation(place.conversation)?.pair;
        if pair.low != who.account && pair.high != who.account {
            return Ok(None);
        }
        self.directory.account(pair.low)?;
        self.directory.account(pair.high)?;
        Ok(Some(place))
    }

    /// Moves a cursor up to an entry, never back, and tells those whose entries it passed over.
    fn move_cursor(
        &mut self,
        who: Who,
        cursor: Cursor,
        place: Place,
        now: Millis,
    ) -> Result<(), Need> {
        let me = who.account;
        let log = self.directory.conversation(place.conversation)?;
        let other = log.pair.other(me);
        let Some(member) = log.members.iter_mut().find(|m| m.account == me) else {
            return Ok(());
        };
        let old = *member.cursor(cursor);
        if place.id <= old.id {
            return Ok(());
        }
        self.newest.moved.0 += 1;
        let number = self.newest.moved;
        // Of two members' entries those that are not the author's are the other's.
        let own = if place.author == me { place.nth } else { place.seq - place.nth };
        let (id, seq) = (place.id, place.seq);
        let new = Position { id, seq, own, told: id, time: now, number };
        // What is read has been received.
        let moving: &[Cursor] = match cursor {
            Cursor::Delivered => &[Cursor::Delivered],
            Cursor::Read => &[Cursor::Delivered, Cursor::Read],
        };
        for cursor in moving {
            let at = member.cursor_mut(*cursor);
            if new.id <= at.id {
                continue;
            }
            // Moves within a second share one record: the newest, which stands in the member.
            if at.number != MoveNumber(0) && !at.time.same_second(now) {
                self.batch.changes.push(Change::Passed {
                    conversation: place.conversation,
                    account: me,
                    cursor: *cursor,
                    was: *at,
                });
            }
            *at = new;
        }
        log.moved = number;
        let mut readers: Vec<AccountId> = log
            .members
            .iter()
            .filter(|m| m.account != me && m.last_own > old.id)
            .map(|m| m.account)
            .collect();
        if cursor == Cursor::Read {
            readers.push(me);
        }
        self.touched.push((place.conversation, me));
        let from = self.directory.account(me)?.handle.clone();
        let to = Target::Person(self.directory.account(other)?.handle.clone());
        let receipt = Receipt { cursor, id, time: now, from, to };
        self.tell(who, Tell::Receipt { receipt, number, readers });
        Ok(())
    }
}
