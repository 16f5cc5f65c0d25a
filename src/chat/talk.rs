//! Writing, and the two cursors: what makes a conversation.

use sha2::{Digest, Sha256};

use super::directory::Need;
use super::{Chat, Tell, Who};
use crate::entry::{
    AccountId, ConversationId, Cursor, EntryId, EntryKind, Millis, MoveNumber, Place, Receipt,
};
use crate::name::Target;
use crate::store::{Change, Conversation, Kind, Member, Move, NewEntry, Once, Pair, Position};
use crate::wire::refusal::Refusal;
use crate::wire::reply::{self, Reply};

impl Chat {
    pub(super) fn send(
        &mut self,
        who: Who,
        to: &Target,
        body: &mut String,
        once: Option<&str>,
        now: Millis,
    ) -> Result<(), Need> {
        let verb = if once.is_some() { "ONCE" } else { "MSG" };
        let mut done = None;
        if let Some(key) = once {
            let digest = Sha256::new().chain_update(to.to_string()).chain_update([0]);
            let digest: [u8; 32] = digest.chain_update(&*body).finalize().into();
            if let Some(first) = self.directory.once(who.account, key)? {
                let answer = if first.digest == digest {
                    Ok(Reply::Sent { id: first.id, time: first.time })
                } else {
                    Err(Refusal::KeyReused(key.into()))
                };
                self.answer(who, verb, answer);
                return Ok(());
            }
            done = Some((key, digest));
        }
        let from = self.directory.account(who.account)?.handle.clone();
        let conversation = match self.way_to(who, to)? {
            Ok(known) => known,
            Err(refusal) => {
                self.answer(who, verb, Err(refusal));
                return Ok(());
            }
        };
        // From here on everything is known, and the decision stands.
        let body = std::mem::take(body).into_boxed_str();
        let (place, at) = self.append(conversation, who.account, EntryKind::Message, body, now);
        if let Some((key, digest)) = done {
            let once = Once { digest, id: place.id, time: now };
            self.directory.learn_once(who.account, key.into(), once.clone());
            self.batch.changes.push(Change::Once { account: who.account, key: key.into(), once });
        }
        self.answer(who, verb, Ok(Reply::Sent { id: place.id, time: now }));
        self.tell(who, Tell::Entry { at, from, to: to.clone() });
        Ok(())
    }

    /// The conversation into which a message to someone goes, which is in the directory then.
    fn way_to(&mut self, who: Who, to: &Target) -> Result<Result<ConversationId, Refusal>, Need> {
        let me = who.account;
        match to {
            Target::Group(name) => {
                let group = self.directory.group_of(me, name)?;
                Ok(group.ok_or_else(|| Refusal::NoSuchGroup(name.clone())))
            }
            Target::Person(handle) => {
                let Some(other) = self.directory.living(handle)? else {
                    return Ok(Err(Refusal::NoSuchUser(handle.clone())));
                };
                if other != me && self.directory.blocked(other, me)? {
                    return Ok(Err(Refusal::Blocked(handle.clone())));
                }
                let pair = Pair::of(me, other);
                Ok(Ok(match self.directory.direct(pair)? {
                    Some(known) => self.directory.conversation(known)?.id,
                    None => self.meet(pair),
                }))
            }
        }
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
        let (kind, head, moved) = (Kind::Direct(pair), EntryId(0), MoveNumber(0));
        self.directory.learn_conversation(Conversation { id, kind, head, seq: 0, moved, members });
        id
    }

    /// Adds an entry to a conversation that is in the directory; gives back its place and its index
    /// in the changes.
    pub(super) fn append(
        &mut self,
        conversation: ConversationId,
        author: AccountId,
        kind: EntryKind,
        body: Box<str>,
        now: Millis,
    ) -> (Place, usize) {
        self.newest.entry.0 += 1;
        let id = self.newest.entry;
        let mut place = Place { conversation, id, seq: 1, author, nth: 1 };
        let (mut after, mut of_two) = (EntryId(0), None);
        if let Ok(log) = self.directory.conversation(conversation) {
            after = log.head;
            place.seq = log.seq + 1;
            let before = log.seq;
            log.head = id;
            log.seq = place.seq;
            if let Kind::Direct(pair) = log.kind {
                of_two = Some(pair);
            }
            if let Some(member) = log.member_mut(author) {
                let mut stays = false;
                for cursor in [Cursor::Delivered, Cursor::Read] {
                    let own = member.own;
                    let at = member.cursor_mut(cursor);
                    // Nothing that waits lies above: the cursor goes along.
                    if before - at.seq == own - at.own {
                        *at = Position { id, seq: place.seq, own: own + 1, ..*at };
                    } else {
                        stays = true;
                    }
                }
                member.own += 1;
                member.last_own = id;
                place.nth = member.own;
                // Of two, one's entries and the other's are told apart by counting; of many, what
                // does not wait above a cursor has to be written down.
                if stays && of_two.is_none() {
                    let (seq, count) = (place.seq, member.own);
                    self.skipped.push((conversation, author, seq, count));
                    let change = Change::Skipped { conversation, account: author, seq, count };
                    self.batch.changes.push(change);
                }
            }
        }
        if let Some(pair) = of_two {
            self.rank_by_entry(conversation, pair, id);
        }
        self.touched.push((conversation, author));
        self.appended.push((conversation, id, after));
        self.directory.learn_newest(place);
        self.batch.changes.push(Change::Entry(NewEntry { place, time: now, kind, body }));
        (place, self.batch.changes.len() - 1)
    }

    pub(super) fn advance(
        &mut self,
        who: Who,
        cursor: Cursor,
        id: EntryId,
        now: Millis,
    ) -> Result<(), Need> {
        let verb = reply::verb(cursor);
        match self.mine(who, id)? {
            None => self.answer(who, verb, Err(Refusal::NoSuchMessage(id.0))),
            Some(place) => {
                let own = self.own_upto(who.account, &place)?;
                // The mover learns that it is done before anyone else learns that it happened.
                self.answer(who, verb, Ok(Reply::Moved { cursor, id: Some(id) }));
                self.move_cursor(who, cursor, place, own, now)?;
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
        // All is looked up before the first cursor moves, and what is missing at once: each look
        // begins this anew.
        let missing: Vec<Need> =
            ids.iter().filter_map(|id| self.known_to(who, *id).err()).collect();
        if !missing.is_empty() {
            return Err(Need::All(missing));
        }
        let mut places = Vec::with_capacity(ids.len());
        for id in ids {
            if let Some(place) = self.mine(who, *id)? {
                places.push((place, self.own_upto(who.account, &place)?));
            }
        }
        if let Some(id) = answer {
            let reply = Reply::Moved { cursor, id: Some(id) };
            self.answer(who, reply::verb(cursor), Ok(reply));
        }
        for (place, own) in places {
            self.move_cursor(who, cursor, place, own, now)?;
        }
        Ok(())
    }

    /// Where an entry stands, if the asker may see it; its conversation is in the directory then,
    /// with all that moving a cursor in it needs.
    pub(super) fn mine(&mut self, who: Who, id: EntryId) -> Result<Option<Place>, Need> {
        let me = who.account;
        // What is forgotten may still be in the directory.
        if id <= self.newest.floor || id > self.newest.entry {
            return Ok(None);
        }
        let Some(place) = self.directory.place(id)? else {
            return Ok(None);
        };
        // Asked by someone who is not in it, it is not looked up.
        let Some((log, member)) = self.directory.conversation_of(me, place.conversation)? else {
            return Ok(None);
        };
        if !member.sees(place.seq) {
            return Ok(None);
        }
        let direct = match log.kind {
            Kind::Direct(pair) => Some(pair.other(me)),
            Kind::Room(_) => None,
        };
        self.directory.account(me)?;
        if let Some(other) = direct {
            self.directory.account(other)?;
            if other != me {
                self.directory.blocked(me, other)?;
                self.directory.blocked(other, me)?;
            }
        }
        Ok(Some(place))
    }

    /// Whether all is known that moving a cursor to an entry takes.
    fn known_to(&mut self, who: Who, id: EntryId) -> Result<(), Need> {
        if let Some(place) = self.mine(who, id)? {
            self.own_upto(who.account, &place)?;
        }
        Ok(())
    }

    /// How many entries up to a place do not wait for a member.
    fn own_upto(&mut self, me: AccountId, place: &Place) -> Result<i64, Need> {
        let log = self.directory.conversation(place.conversation)?;
        let Some(member) = log.member(me) else { return Ok(0) };
        if let Kind::Direct(_) = log.kind {
            // Of two members' entries those that are not the author's are the other's.
            return Ok(if place.author == me { place.nth } else { place.seq - place.nth });
        }
        let joined = member.stays.last().map_or(0, |stay| stay.since.1);
        if place.id >= member.last_own && place.seq >= joined {
            return Ok(member.own);
        }
        let (id, least) = (place.conversation, member.delivered.own.min(member.read.own));
        let batch = self.skipped.iter().rev();
        let mut here = batch.filter(|s| s.0 == id && s.1 == me && s.2 <= place.seq);
        match here.next() {
            Some((.., count)) => Ok(*count),
            // Nothing was written down up to there: nothing was skipped above the lower cursor.
            None => Ok(self.directory.skipped(id, me, place.seq)?.unwrap_or(least).max(least)),
        }
    }

    /// Moves a cursor up to an entry, never back, and tells those whose entries it passed over.
    fn move_cursor(
        &mut self,
        who: Who,
        cursor: Cursor,
        place: Place,
        own: i64,
        now: Millis,
    ) -> Result<(), Need> {
        let me = who.account;
        let conversation = place.conversation;
        let floor = self.newest.floor;
        let from = self.directory.account(me)?.handle.clone();
        let log = self.directory.conversation(conversation)?;
        let Some(member) = log.member_mut(me) else {
            return Ok(());
        };
        let old = *member.cursor(cursor);
        // Nobody waits for one who is out.
        let was = member.is_in().then(|| member.cursors());
        if place.id <= old.id {
            return Ok(());
        }
        self.newest.moved.0 += 1;
        let number = self.newest.moved;
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
            let was = std::mem::replace(at, new);
            // Moves within a second share one record: the newest, which stands in the member.
            if was.number == MoveNumber(0) || was.time.same_second(now) {
                continue;
            }
            let (cursor, upto) = (*cursor, was.told);
            let was = Move { id: upto, time: was.time, number: was.number };
            if let Some(moves) = member.passed_mut(cursor).push(was) {
                let account = me;
                let change = Change::Passed { conversation, account, cursor, upto, moves };
                self.batch.changes.push(change);
            }
        }
        log.moved = number;
        // What is forgotten needs no receipt.
        let since = old.id.max(floor);
        let wrote = |m: &&Member| m.account != me && m.last_own > since;
        let mut readers: Vec<AccountId> = log.present().filter(wrote).map(|m| m.account).collect();
        let kind = log.kind.clone();
        let mut hidden_from = None;
        let to = match kind {
            Kind::Room(name) => Target::Group(name),
            Kind::Direct(pair) => {
                let other = pair.other(me);
                let passes = |m: &Member| m.last_own > old.id;
                if other != me && log.member(other).is_some_and(passes) {
                    self.rank_by_move(conversation, other, number);
                }
                if cursor == Cursor::Read {
                    self.rank_by_move(conversation, me, number);
                }
                let to = Target::Person(self.directory.account(other)?.handle.clone());
                let directory = &self.directory;
                if other != me && (directory.blocked(me, other)? || directory.blocked(other, me)?) {
                    readers.clear();
                    hidden_from = Some(other);
                }
                to
            }
        };
        if cursor == Cursor::Read {
            readers.push(me);
        }
        self.touched.push((conversation, me));
        let receipt = Receipt { cursor, id, time: now, from, to };
        self.tell(who, Tell::Receipt { receipt, conversation, number, readers, was, hidden_from });
        Ok(())
    }
}
