//! Groups: who is a member, and who may change them. Each command adds one entry to the group's
//! log, and takes effect as a whole or not at all.
//!
//! Members see the entries of their stays and no others: see [`Stay`]. What is written while a
//! member is out never waits for it: when it comes back, those entries are added to its `exempt`,
//! as if it had written them (the counting is explained in [`super::messages`]). A member who joins
//! for the first time, with the entry whose `seq` is 8, begins with `exempt` 7 and both cursors at
//! `seq` 7, so that entry is all that waits.

use rustc_hash::FxHashSet;

use super::devices::tagged;
use super::stop::{Stop, all, both};
use super::{Chat, Effect, Plan, Who};
use crate::entry::{
    AccountId, ConversationId, Cursor, EntryId, EntryKind, EntryPos, Millis, MoveNumber,
};
use crate::group_rules::{GroupRules, Permitted};
use crate::limits;
use crate::name::{Handle, Target};
use crate::store::{
    Change, Conversation, ConversationKind, Invitation, Marks, Member, Position, Stay,
};
use crate::wire::refusal::Refusal;
use crate::wire::reply::Reply;
use crate::wire::request::GroupChange as Group;

/// A permitted change of a group, or its creation.
pub(super) struct GroupPlan {
    pub(super) name: Handle,
    /// The acting account's handle.
    pub(super) from: Handle,
    /// The group; `None` if this creates it.
    pub(super) id: Option<ConversationId>,
    /// The second word of the command, such as `ADD`, which the reply repeats.
    pub(super) word: &'static str,
    /// The text of the entry, such as `add bia leo`.
    pub(super) said: Box<str>,
    pub(super) effect: GroupEffect,
}

/// What a change does besides adding its entry.
pub(super) enum GroupEffect {
    /// These are added.
    Add(Vec<AccountId>),
    /// The acting account itself becomes a member, with this invitation if it needs one.
    Join(Option<Invitation>),
    /// This one leaves, or is `removed` by an admin.
    Leave {
        account: AccountId,
        removed: bool,
    },
    /// This member may change the group, or no longer.
    SetAdmin {
        account: AccountId,
        admin: bool,
    },
    Rules(GroupRules),
    Topic(Box<str>),
}

/// Accounts that can be added to a group, each once, with their handles.
type Invited = Vec<(AccountId, Handle)>;

impl Chat {
    pub(super) fn plan_group(
        &self,
        who: Who,
        name: &Handle,
        change: &Group,
        now: Millis,
    ) -> Result<Plan, Stop> {
        if let Group::New(handles) = change {
            return self.plan_new_group(who.account, name, handles);
        }
        let plan = if let Group::Join { token } = change {
            self.plan_join(who.account, name, token.as_ref(), now)?
        } else {
            if *change == Group::VoidInvitations {
                return self.plan_void(who.account, name);
            }
            let group = self.directory.group_of(who.account, name)?;
            let id = group.ok_or_else(|| Refusal::NoSuchGroup(name.clone()))?;
            self.plan_change(who.account, name, id, change)?
        };
        let word = change.word();
        Ok(plan.map_or_else(
            || Plan::Reply { verb: "GROUP", reply: Reply::Grouped { word, name: name.clone() } },
            Plan::Group,
        ))
    }

    fn plan_new_group(
        &self,
        me: AccountId,
        name: &Handle,
        handles: &[Handle],
    ) -> Result<Plan, Stop> {
        if self.directory.is_group(name)? {
            return Err(Refusal::GroupTaken(name.clone()).into());
        }
        let (account, invited) = both(self.directory.account(me), self.invited(me, None, handles))?;
        Ok(Plan::Group(GroupPlan {
            name: name.clone(),
            from: account.handle.clone(),
            id: None,
            word: "NEW",
            said: said("new", invited.iter().map(|(_, handle)| handle)),
            effect: GroupEffect::Add(accounts(&invited)),
        }))
    }

    /// Plans a change of a group by a member; `None` if it would change nothing.
    fn plan_change(
        &self,
        me: AccountId,
        name: &Handle,
        id: ConversationId,
        change: &Group,
    ) -> Result<Option<GroupPlan>, Stop> {
        let (account, log) = both(self.directory.account(me), self.directory.conversation(id))?;
        let is_admin = || log.member(me).is_some_and(|member| member.admin);
        let is_allowed = match change {
            Group::Leave => true,
            Group::Add(_) => log.rules.add == Permitted::All || is_admin(),
            _ => is_admin(),
        };
        if !is_allowed {
            return Err(Refusal::NotAdmin(name.clone()).into());
        }
        // The member that the command names; refused if it is not in the group now.
        let present = |handle: &Handle| {
            let account = self.directory.handle(handle)?;
            let member = account.and_then(|account| log.member(account)).filter(|m| m.is_in());
            let refusal = || Refusal::NotInGroup(handle.clone(), name.clone());
            member.ok_or_else(|| Stop::from(refusal()))
        };
        let (said, effect) = match change {
            Group::New(handles) | Group::Add(handles) => {
                let invited = self.invited(me, Some(log), handles)?;
                if invited.is_empty() {
                    return Ok(None);
                }
                let said = said("add", invited.iter().map(|(_, handle)| handle));
                (said, GroupEffect::Add(accounts(&invited)))
            }
            Group::Admin(handle) => {
                let member = present(handle)?;
                if member.admin {
                    return Ok(None);
                }
                let account = member.account;
                (said("admin", [handle]), GroupEffect::SetAdmin { account, admin: true })
            }
            Group::Member(handle) => {
                let member = present(handle)?;
                if !member.admin {
                    return Ok(None);
                }
                if log.present().filter(|member| member.admin).count() == 1 {
                    return Err(Refusal::LastAdmin(name.clone()).into());
                }
                let account = member.account;
                (said("member", [handle]), GroupEffect::SetAdmin { account, admin: false })
            }
            Group::Rule(rule) => {
                let rules = log.rules.with(*rule);
                if rules == log.rules {
                    return Ok(None);
                }
                let said = format!("rule {} {}", rule.name(), rule.value());
                (said.into(), GroupEffect::Rules(rules))
            }
            Group::Remove(handle) => {
                let account = present(handle)?.account;
                (said("remove", [handle]), GroupEffect::Leave { account, removed: true })
            }
            Group::Leave => ("leave".into(), GroupEffect::Leave { account: me, removed: false }),
            // `plan_join` and `plan_void` are asked.
            Group::Join { .. } | Group::VoidInvitations => return Ok(None),
            Group::Topic(topic) => {
                (format!("topic {topic}").into(), GroupEffect::Topic(topic.as_str().into()))
            }
        };
        let (name, from, word) = (name.clone(), account.handle.clone(), change.word());
        Ok(Some(GroupPlan { name, from, id: Some(id), word, said, effect }))
    }

    /// Which of these handles can be added: those not yet in the group or, in a new group (no
    /// `log`), all but `me`. Refused if one is unknown, has blocked `me` or is not to be added by
    /// `me`, if they are too many at once, or if the group would get too large.
    fn invited(
        &self,
        me: AccountId,
        log: Option<&Conversation>,
        handles: &[Handle],
    ) -> Result<Invited, Stop> {
        if handles.len() > limits::GROUP_NAMES {
            return Err(Refusal::TOO_MANY_NAMES.into());
        }
        let mut named = FxHashSet::default();
        let invited = handles.iter().filter_map(|handle| {
            let mut one = || {
                let account = self.directory.living(handle)?;
                let account = account.ok_or_else(|| Refusal::NoSuchUser(handle.clone()))?;
                let is_in = match log {
                    Some(log) => log.member(account).is_some_and(Member::is_in),
                    None => account == me,
                };
                if is_in || !named.insert(account) {
                    return Ok(None);
                }
                if self.has_blocked(account, me)? {
                    return Err(Refusal::Blocked(handle.clone()).into());
                }
                let circle = self.directory.account(account)?.preferences.add;
                if !self.is_in_circle(circle, account, me)? {
                    return Err(Refusal::NotAddedByAll(handle.clone()).into());
                }
                Ok(Some((account, handle.clone())))
            };
            one().transpose()
        });
        let invited = all(handles.len(), invited)?;
        let present = log.map_or(1, |log| log.present().count());
        if present + invited.len() > limits::GROUP_MEMBERS {
            return Err(Refusal::TooManyOf("members for one group").into());
        }
        Ok(invited)
    }

    /// Makes an account leave a group, if it is in it.
    ///
    /// # Errors
    /// What has to be looked up first; the batch is unchanged.
    pub fn leave_group(
        &mut self,
        account: AccountId,
        id: ConversationId,
        now: Millis,
    ) -> Result<(), Stop> {
        let log = self.directory.conversation(id)?;
        let is_in = log.member(account).is_some_and(Member::is_in);
        let plan = match &log.kind {
            ConversationKind::Group(name) if is_in => {
                self.plan_change(account, name, id, &Group::Leave)?
            }
            _ => None,
        };
        if let Some(plan) = plan {
            self.change_group(Who::without_session(account), plan, now);
        }
        Ok(())
    }

    /// Creates or changes a group, and tells its members.
    pub(super) fn change_group(&mut self, who: Who, plan: GroupPlan, now: Millis) {
        let GroupPlan { name, from, id, word, said, effect } = plan;
        let conversation = id.unwrap_or_else(|| self.found(who.account, &name));
        if let GroupEffect::Join(invitation) = &effect {
            if let Some(invitation) = invitation {
                self.use_invitation(conversation, *invitation);
            }
            // Its own entry is the first that it sees, so it is a member before that is written.
            let id = EntryId(self.newest.entry.0 + 1);
            let seq = self.directory.cached(conversation).map_or(1, |log| log.seq + 1);
            self.join(who, conversation, (id, seq), &[who.account]);
        }
        // To look for an admin, or to put one in its place, takes a look at all of them.
        self.extra += self.member_count(conversation) / limits::MEMBERS_SEEN;
        let (kind, tags) = (EntryKind::Group, tagged(who, None));
        let (pos, at) = self.append(conversation, who.account, kind, tags, said, now);
        let here = (pos.id, pos.seq);
        match effect {
            GroupEffect::Topic(topic) => {
                self.batch.changes.push(Change::Topic { id: conversation, topic });
            }
            GroupEffect::Rules(rules) => {
                if let Some(log) = self.directory.conversation_mut(conversation) {
                    log.rules = rules;
                }
                self.batch.changes.push(Change::Rules { id: conversation, rules });
            }
            GroupEffect::SetAdmin { account, admin } => {
                self.set_admin(conversation, account, admin);
            }
            GroupEffect::Leave { account, removed } => self.leave(who, &pos, account, removed),
            GroupEffect::Add(accounts) => self.join(who, conversation, here, &accounts),
            GroupEffect::Join(_) => {}
        }
        self.answer(who, "GROUP", Ok(Reply::Grouped { word, name: name.clone() }));
        self.tell(who, Effect::Entry { at, from, to: Target::Group(name) });
    }

    /// Creates a group. Its founder is a member and an admin from the next entry on.
    fn found(&mut self, founder: AccountId, name: &Handle) -> ConversationId {
        self.newest.conversation += 1;
        let id = ConversationId(self.newest.conversation);
        let mut member = Member::new(founder);
        member.admin = true;
        let since = (EntryId(self.newest.entry.0 + 1), 1);
        let stay = Stay { since, until: None, removed: false };
        member.stays.push(stay);
        let (kind, head, moved) =
            (ConversationKind::Group(name.clone()), EntryId(0), MoveNumber(0));
        let members = vec![member];
        let (marks, rules) = (Marks::default(), GroupRules::default());
        let log = Conversation { id, kind, head, seq: 0, moved, marks, rules, ttl: None, members };
        self.directory.learn_conversation(log);
        self.batch.changes.push(Change::Group { id, name: name.clone() });
        self.batch.changes.push(Change::Stay { conversation: id, account: founder, stay });
        id
    }

    /// Makes these accounts members from an entry on, whose id and `seq` are `since`.
    fn join(
        &mut self,
        who: Who,
        conversation: ConversationId,
        since: (EntryId, i64),
        accounts: &[AccountId],
    ) {
        let stay = Stay { since, until: None, removed: false };
        let before_id = EntryId(since.0.0 - 1);
        let Some(log) = self.directory.conversation_mut(conversation) else { return };
        let (before, marks) = (log.members.capacity(), log.marks);
        // The first `hidden` entries are from before they joined, and do not wait for them.
        let hidden = since.1 - 1;
        let (mut new, mut grown) = (Vec::new(), 0);
        let mut accounts = accounts.to_vec();
        accounts.sort_unstable();
        for account in accounts.iter().copied() {
            match log.member_mut(account) {
                None => new.push(Member::joining(account, since)),
                Some(member) => {
                    // It was in up to the entry whose `seq` is `left`. The entries after that and
                    // before this one were written while it was out, and are added to `exempt`.
                    let left = member.stays.last().and_then(|stay| stay.until);
                    let left = left.map_or(0, |(_, seq)| seq);
                    let before = member.exempt;
                    member.exempt += hidden - left;
                    let mut stays = false;
                    for cursor in [Cursor::Delivered, Cursor::Read] {
                        let exempt = member.exempt;
                        let at = member.cursor_mut(cursor);
                        // Nothing waited when it left, so the cursor skips what it cannot see. A mark
                        // from while it was out may keep it back, which does no harm.
                        let marks = marks.by_others(account);
                        if left - at.seq == before - at.exempt && at.id >= marks {
                            *at = Position { id: before_id, seq: hidden, exempt, ..*at };
                        } else {
                            stays = true;
                        }
                    }
                    // Something from an earlier stay still waits, so a cursor may be moved to an
                    // entry of this stay from below: `exempt` as it is just before this stay is
                    // written down.
                    if stays && hidden > left {
                        let (seq, count) = (hidden, member.exempt);
                        self.exempt_marks.push((conversation, account, seq, count));
                        let change = Change::ExemptMark { conversation, account, seq, count };
                        self.batch.changes.push(change);
                    }
                    let group = member.stays_bytes();
                    member.stays.push(stay);
                    grown += member.stays_bytes() - group;
                    let was = member.cursors();
                    let effect = Effect::Present { conversation, account, was, on: true };
                    self.batch.effects.push((who, effect));
                    self.batch.changes.push(Change::Stay { conversation, account, stay });
                    self.touched.push((conversation, account));
                }
            }
        }
        let is_back = new.len() < accounts.len();
        let accounts: Vec<AccountId> = new.iter().map(|member| member.account).collect();
        if !accounts.is_empty() {
            self.batch.changes.push(Change::Joined { conversation, accounts, since });
        }
        log.add_members(new);
        grown += (log.members.capacity() - before) * size_of::<Member>();
        self.directory.grew(grown);
        if is_back {
            self.directory.has_moved(conversation);
        }
    }

    /// Ends a member's stay: the entry at `pos` is the last it sees. If no admin is left, whoever
    /// has been in the longest becomes one.
    fn leave(&mut self, who: Who, pos: &EntryPos, account: AccountId, removed: bool) {
        let conversation = pos.conversation;
        let Some(log) = self.directory.conversation_mut(conversation) else { return };
        let Some(member) = log.member_mut(account) else { return };
        member.admin = false;
        if let Some(stay) = member.stays.last_mut() {
            (stay.until, stay.removed) = (Some((pos.id, pos.seq)), removed);
            let stay = *stay;
            self.batch.changes.push(Change::Stay { conversation, account, stay });
        }
        self.touched.push((conversation, account));
        let was = member.cursors();
        self.batch.effects.push((who, Effect::Present { conversation, account, was, on: false }));
        if !log.present().any(|m| m.admin) {
            let since = |m: &&Member| m.stays.last().map(|stay| stay.since);
            let eldest = log.present().min_by_key(since).map(|m| m.account);
            if let Some(eldest) = eldest {
                self.set_admin(conversation, eldest, true);
            }
        }
        self.directory.has_moved(conversation);
    }

    fn set_admin(&mut self, conversation: ConversationId, account: AccountId, admin: bool) {
        let Some(log) = self.directory.conversation_mut(conversation) else { return };
        if let Some(member) = log.member_mut(account) {
            member.admin = admin;
            self.touched.push((conversation, account));
        }
    }
}

fn accounts(invited: &Invited) -> Vec<AccountId> {
    invited.iter().map(|(account, _)| *account).collect()
}

/// The text of a change's entry: a word, and the handles it is about.
fn said<'a>(word: &str, handles: impl IntoIterator<Item = &'a Handle>) -> Box<str> {
    let mut said = String::from(word);
    for handle in handles {
        said.push(' ');
        said.push_str(handle.as_str());
    }
    said.into()
}
