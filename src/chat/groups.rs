//! Groups: who is in, who may change them. Each command is one entry of the group's log, all or
//! nothing.

use rustc_hash::FxHashSet;

use super::directory::{Need, stays_size};
use super::{Chat, Tell, Who};
use crate::entry::{
    AccountId, ConversationId, Cursor, EntryId, EntryKind, Key, Millis, MoveNumber, Place,
    SessionId,
};
use crate::limits;
use crate::name::{Handle, Target};
use crate::store::{Change, Conversation, Kind, Member, Position, Stay};
use crate::wire::refusal::Refusal;
use crate::wire::reply::Reply;
use crate::wire::request::GroupChange as Group;

impl Chat {
    pub(super) fn group(
        &mut self,
        who: Who,
        name: &Handle,
        change: &Group,
        now: Millis,
    ) -> Result<(), Need> {
        let word = change.word();
        let done = match change {
            Group::New(handles) => self.new_group(who, name, handles, now)?,
            _ => match self.directory.group_of(who.account, name)? {
                None => Err(Refusal::NoSuchGroup(name.clone())),
                Some(room) => self.change_group(who, name, room, change, now)?,
            },
        };
        let entry = match done {
            Ok(entry) => entry,
            Err(refusal) => {
                self.answer(who, "GROUP", Err(refusal));
                return Ok(());
            }
        };
        self.answer(who, "GROUP", Ok(Reply::Grouped { word, name: name.clone() }));
        match entry {
            Some(entry) => self.announce(who, name, entry),
            None => Ok(()),
        }
    }

    /// Tells a group of its change.
    fn announce(&mut self, who: Who, name: &Handle, (_, at): (Place, usize)) -> Result<(), Need> {
        let from = self.directory.account(who.account)?.handle.clone();
        self.tell(who, Tell::Entry { at, from, to: Target::Group(name.clone()) });
        Ok(())
    }

    /// Takes an account out of a group as if it left it. Returns how many members the group has.
    ///
    /// # Errors
    /// What has to be looked up first; nothing has been decided then.
    pub fn leave_group(
        &mut self,
        account: AccountId,
        id: ConversationId,
        now: Millis,
    ) -> Result<usize, Need> {
        let who = Who { session: SessionId(0), account, key: Key::Password };
        self.directory.account(account)?;
        let log = self.directory.conversation(id)?;
        let members = log.members.len();
        let Kind::Room(name) = log.kind.clone() else { return Ok(members) };
        if log.member(account).is_some_and(Member::is_in)
            && let Ok(Some(entry)) = self.change_group(who, &name, id, &Group::Leave, now)?
        {
            self.announce(who, &name, entry)?;
        }
        Ok(members)
    }

    fn new_group(
        &mut self,
        who: Who,
        name: &Handle,
        handles: &[Handle],
        now: Millis,
    ) -> Result<Result<Option<(Place, usize)>, Refusal>, Need> {
        if self.directory.is_group(name)? {
            return Ok(Err(Refusal::GroupTaken(name.clone())));
        }
        self.directory.account(who.account)?;
        let invited = match self.invited(who, None, handles)? {
            Ok(invited) => invited,
            Err(refusal) => return Ok(Err(refusal)),
        };
        self.newest.conversation += 1;
        let id = ConversationId(self.newest.conversation);
        let mut founder = Member::new(who.account);
        founder.admin = true;
        let stay = Stay { since: (EntryId(self.newest.entry.0 + 1), 1), until: None };
        founder.stays.push(stay);
        let (kind, head, moved) = (Kind::Room(name.clone()), EntryId(0), MoveNumber(0));
        let members = vec![founder];
        self.directory.learn_conversation(Conversation { id, kind, head, seq: 0, moved, members });
        self.batch.changes.push(Change::Room { id, name: name.clone() });
        let account = who.account;
        self.batch.changes.push(Change::Stay { conversation: id, account, stay });
        let said = said("new", invited.iter().map(|(_, handle)| handle));
        let entry = self.append(id, who.account, EntryKind::Group, said, now);
        self.join(who, &entry.0, &invited);
        Ok(Ok(Some(entry)))
    }

    fn change_group(
        &mut self,
        who: Who,
        name: &Handle,
        room: ConversationId,
        change: &Group,
        now: Millis,
    ) -> Result<Result<Option<(Place, usize)>, Refusal>, Need> {
        let me = who.account;
        self.directory.account(me)?;
        let log = self.directory.conversation(room)?;
        let may = log.member(me).is_some_and(|m| m.admin);
        if !may && *change != Group::Leave {
            return Ok(Err(Refusal::NotAdmin(name.clone())));
        }
        // Who has to be in for the change to make sense.
        let subject = match change {
            Group::Remove(handle) | Group::Admin(handle) => {
                let account = self.directory.handle(handle)?;
                let log = self.directory.conversation(room)?;
                let member = account.and_then(|account| log.member(account));
                match member.filter(|m| m.is_in()) {
                    Some(member) => (member.account, member.admin),
                    None => return Ok(Err(Refusal::NotInGroup(handle.clone(), name.clone()))),
                }
            }
            _ => (me, may),
        };
        let mut invited = Vec::new();
        let said = match change {
            Group::New(_) => return Ok(Err(Refusal::Bug)),
            Group::Add(handles) => {
                invited = match self.invited(who, Some(room), handles)? {
                    Ok(invited) => invited,
                    Err(refusal) => return Ok(Err(refusal)),
                };
                if invited.is_empty() {
                    return Ok(Ok(None));
                }
                said("add", invited.iter().map(|(_, handle)| handle))
            }
            Group::Admin(_) if subject.1 => return Ok(Ok(None)),
            Group::Admin(handle) => said("admin", [handle]),
            Group::Remove(handle) => said("remove", [handle]),
            Group::Leave => "leave".into(),
            Group::Topic(topic) => format!("topic {topic}").into(),
        };
        let entry = self.append(room, me, EntryKind::Group, said, now);
        match change {
            Group::Topic(topic) => {
                let change = Change::Topic { id: room, topic: topic.as_str().into() };
                self.batch.changes.push(change);
            }
            Group::Admin(_) => self.make_admin(room, subject.0),
            Group::Remove(_) | Group::Leave => self.part(who, &entry.0, subject.0),
            _ => self.join(who, &entry.0, &invited),
        }
        Ok(Ok(Some(entry)))
    }

    /// The accounts of handles that are not in yet, each once.
    fn invited(
        &mut self,
        who: Who,
        room: Option<ConversationId>,
        handles: &[Handle],
    ) -> Result<Result<Vec<(AccountId, Handle)>, Refusal>, Need> {
        if handles.len() > limits::GROUP_MEMBERS {
            return Ok(Err(Refusal::TooManyOf("members for one group")));
        }
        // All that is missing is looked up at once, since each look begins this anew.
        let missing = handles.iter().filter_map(|handle| match self.directory.living(handle) {
            Ok(Some(account)) => self.directory.blocked(account, who.account).err(),
            known => known.err(),
        });
        let missing: Vec<Need> = missing.collect();
        if !missing.is_empty() {
            return Err(Need::All(missing));
        }
        let mut invited: Vec<(AccountId, Handle)> = Vec::new();
        let mut named = FxHashSet::default();
        for handle in handles {
            let Some(account) = self.directory.living(handle)? else {
                return Ok(Err(Refusal::NoSuchUser(handle.clone())));
            };
            let is_in = match room {
                Some(room) => {
                    let log = self.directory.conversation(room)?;
                    log.member(account).is_some_and(Member::is_in)
                }
                None => account == who.account,
            };
            if is_in || !named.insert(account) {
                continue;
            }
            if self.directory.blocked(account, who.account)? {
                return Ok(Err(Refusal::Blocked(handle.clone())));
            }
            invited.push((account, handle.clone()));
        }
        let present = match room {
            Some(room) => self.directory.conversation(room)?.present().count(),
            None => 1,
        };
        if present + invited.len() > limits::GROUP_MEMBERS {
            return Ok(Err(Refusal::TooManyOf("members for one group")));
        }
        Ok(Ok(invited))
    }

    /// From this entry on they are in.
    fn join(&mut self, who: Who, place: &Place, invited: &[(AccountId, Handle)]) {
        let conversation = place.conversation;
        let stay = Stay { since: (place.id, place.seq), until: None };
        let Ok(log) = self.directory.conversation(conversation) else { return };
        let before = log.members.capacity();
        // What was said before does not wait for them.
        let hidden = place.seq - 1;
        let (mut new, mut grown) = (Vec::new(), 0);
        for (account, _) in invited {
            let account = *account;
            match log.member_mut(account) {
                None => {
                    let mut member = Member::new(account);
                    member.own = hidden;
                    let id = EntryId(place.id.0 - 1);
                    for cursor in [Cursor::Delivered, Cursor::Read] {
                        *member.cursor_mut(cursor) =
                            Position { id, seq: hidden, own: hidden, ..Position::default() };
                    }
                    member.stays.push(stay);
                    new.push(member);
                }
                Some(member) => {
                    let left = member.stays.last().and_then(|stay| stay.until);
                    let left = left.map_or(0, |(_, seq)| seq);
                    let before = member.own;
                    member.own += hidden - left;
                    let mut stays = false;
                    for cursor in [Cursor::Delivered, Cursor::Read] {
                        let own = member.own;
                        let at = member.cursor_mut(cursor);
                        if left - at.seq == before - at.own {
                            let id = EntryId(place.id.0 - 1);
                            *at = Position { id, seq: hidden, own, ..*at };
                        } else {
                            stays = true;
                        }
                    }
                    if stays && hidden > left {
                        let (seq, count) = (hidden, member.own);
                        self.skipped.push((conversation, account, seq, count));
                        let change = Change::Skipped { conversation, account, seq, count };
                        self.batch.changes.push(change);
                    }
                    let room = stays_size(member.stays.capacity());
                    member.stays.push(stay);
                    grown += stays_size(member.stays.capacity()) - room;
                    let was = member.cursors();
                    let tell = Tell::Present { conversation, account, was, on: true };
                    self.batch.tells.push((who, tell));
                }
            }
            self.batch.changes.push(Change::Stay { conversation, account, stay });
            self.touched.push((conversation, account));
        }
        log.add_members(new);
        grown += (log.members.capacity() - before) * size_of::<Member>();
        self.directory.grew(grown);
    }

    /// This entry is the last that someone sees.
    fn part(&mut self, who: Who, place: &Place, account: AccountId) {
        let conversation = place.conversation;
        let Ok(log) = self.directory.conversation(conversation) else { return };
        let Some(member) = log.member_mut(account) else { return };
        member.admin = false;
        if let Some(stay) = member.stays.last_mut() {
            stay.until = Some((place.id, place.seq));
            let stay = *stay;
            self.batch.changes.push(Change::Stay { conversation, account, stay });
        }
        self.touched.push((conversation, account));
        let was = member.cursors();
        self.batch.tells.push((who, Tell::Present { conversation, account, was, on: false }));
        if !log.present().any(|m| m.admin) {
            let since = |m: &&Member| m.stays.last().map(|stay| stay.since);
            let eldest = log.present().min_by_key(since).map(|m| m.account);
            if let Some(eldest) = eldest {
                self.make_admin(conversation, eldest);
            }
        }
    }

    fn make_admin(&mut self, conversation: ConversationId, account: AccountId) {
        let Ok(log) = self.directory.conversation(conversation) else { return };
        if let Some(member) = log.member_mut(account) {
            member.admin = true;
            self.touched.push((conversation, account));
        }
    }
}

/// How a change reads.
fn said<'a>(word: &str, handles: impl IntoIterator<Item = &'a Handle>) -> Box<str> {
    let mut said = String::from(word);
    for handle in handles {
        said.push(' ');
        said.push_str(handle.as_str());
    }
    said.into()
}
