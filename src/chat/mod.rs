//! The rules: what an act of an account changes, and who is told of it. Pure: no I/O, no clock, no
//! waiting.
//!
//! [`Chat::decide`] decides one act from what is in the directory, in two steps that the types keep
//! apart. Making a *plan* only reads: the result is either everything needed to carry out the act,
//! or the reason why it cannot be carried out (yet): see [`Stop`]. *Applying* a plan changes state
//! and cannot fail, so no act is ever half done and no command is answered twice. If something has
//! to be looked up first, the hub does so and asks again. Decisions accumulate in a [`Batch`],
//! which is recorded as a whole before anyone is told.

mod account_lists;
mod act;
mod answers;
mod audience;
mod cache;
mod calls;
mod devices;
pub mod directory;
mod expire;
mod files;
mod flags;
mod groups;
mod invitations;
mod joining;
pub mod later;
mod marks;
mod messages;
mod moves;
mod once;
mod orders;
mod people;
mod rank;
mod stop;
mod subject;

use std::collections::VecDeque;
use std::iter::Peekable;
use std::sync::Arc;

pub use act::Act;
pub use audience::Awaited;
use directory::Directory;
pub use once::OnceKey;
pub use orders::Order;
pub use people::Newcomer;
use rustc_hash::{FxHashMap, FxHashSet};
pub use stop::Stop;

use crate::entry::{
    AccountId, ConversationId, DeviceNumber, EntryId, Key, Millis, MoveNumber, Receipt, SessionId,
    TokenId,
};
use crate::name::{DeviceName, Handle, Target};
use crate::preferences::Preferences;
use crate::store::placed::PlacedFile;
use crate::store::{Added, Change, Later, Need, NewEntry, Newest, Rank};
use crate::wire::refusal::Refusal;
use crate::wire::reply::Reply;

/// On whose behalf an act is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Who {
    /// The session that asked for it; 0 for the server itself.
    pub session: SessionId,
    /// The account of that session.
    pub account: AccountId,
    /// What the session was opened with.
    pub key: Key,
    /// The device as which it logged in.
    pub device: Option<DeviceNumber>,
}

impl Who {
    /// For what no session of the account asks for. No session has the number 0, so nobody gets the
    /// answer, and none is left out.
    fn without_session(account: AccountId) -> Who {
        Who { session: SessionId(0), account, key: Key::Password, device: None }
    }
}

/// Whom to notify of what once the batch is on disk.
#[derive(Debug)]
pub enum Effect {
    /// To the session that acted: the final line of its command.
    Answer { verb: &'static str, answer: Result<Reply, Refusal> },
    /// A placed file has its entry, or is not needed.
    Placed(Arc<PlacedFile>),
    /// To all who may see it, except the acting session: the new entry, at index `at` of the
    /// changes.
    Entry { at: usize, from: Handle, to: Target },
    /// To `readers`, except the acting session: a cursor moved.
    Receipt {
        receipt: Receipt,
        conversation: ConversationId,
        number: MoveNumber,
        readers: Vec<AccountId>,
        /// Where the mover's cursors (delivered, read) stood before; `None` if it has left the
        /// group.
        was: Option<[EntryId; 2]>,
        /// The other party, if one of the two has blocked the other: it must not learn of the move,
        /// not even through `WAIT`.
        hidden_from: Option<AccountId>,
    },
    /// To sessions in a `WAIT`: a member left a group or, with `on`, was added again. `was` is
    /// where its cursors (delivered, read) stand.
    Present { conversation: ConversationId, account: AccountId, was: [EntryId; 2], on: bool },
    /// Disconnects the account's sessions that were opened with `key`. If that is the password, the
    /// acting session stays: it has the new one.
    Disconnect { key: Key },
    /// Disconnects all sessions of the account. If it is `gone` (deleted), nobody waits for it any
    /// more.
    DisconnectAll { gone: bool },
    /// Disconnects all sessions of a device, which was deleted.
    DisconnectDevice(DeviceNumber),
}

/// A plan for one act. The message text stays in the act, so that no plan copies a long text.
enum Plan {
    /// Nothing changes; only this answer is given.
    Reply { verb: &'static str, reply: Reply },
    /// Nothing changes, and what was put is not needed.
    FileReply { reply: Reply, put: Option<Arc<PlacedFile>> },
    /// It is carried out, and noted under a key.
    Once(Box<(OnceKey, Plan)>),
    /// A message is written.
    Send(messages::NewMessage),
    /// A mark is made.
    Mark(Box<marks::Mark>),
    /// A flag is set or taken away.
    Flag(Box<flags::FlagPlan>),
    /// How long messages are kept.
    Expire(expire::ExpirePlan),
    /// A command is put off, or struck.
    Later(later::LaterPlan),
    /// Cursors move.
    Advance(moves::CursorMoves),
    /// A group is created or changed.
    Group(groups::GroupPlan),
    /// Invitations to a group are made or void.
    Invitation(joining::InvitationPlan),
    /// The account itself changes.
    Account(people::AccountPlan),
    /// A device is deleted.
    DropDevice(DeviceName, DeviceNumber),
}

/// Decisions that are neither recorded nor told yet.
#[derive(Debug, Default)]
pub struct Batch {
    /// Recorded first, in this order.
    pub changes: Vec<Change>,
    /// Told after that, in this order.
    pub effects: Vec<(Who, Effect)>,
}

/// What the operator sets.
#[derive(Clone, Copy, Debug, Default)]
pub struct FirstRules {
    /// Seconds after a message in which its author may edit or delete it; `None`: always.
    pub amend: Option<u64>,
    /// The preferences of new accounts.
    pub preferences: Preferences,
}

/// The rules, and the state they decide from.
pub struct Chat {
    directory: Directory,
    newest: Newest,
    /// What `newest` was when the batch began.
    recorded: Newest,
    batch: Batch,
    first: FirstRules,
    /// When the first command is due that was put off since the hub last asked.
    soonest: Option<Millis>,
    /// A command that was due already when it was put off.
    at_once: Option<(AccountId, Later)>,
    /// What was decided since the hub last asked has cost this much beyond its weight.
    extra: usize,
    /// See [`Chat::take_spread`].
    spread: usize,
    /// Members that the batch has changed.
    touched: Vec<(ConversationId, AccountId)>,
    /// Entries that the batch has added, each with the one before it in its conversation.
    appended: Vec<(ConversationId, EntryId, EntryId)>,
    /// Marks that the batch has added, likewise.
    marked: Vec<(ConversationId, EntryId, EntryId)>,
    /// The exempt marks of this batch, which the store does not have yet: conversation, member,
    /// `seq` and count, as in [`Change::ExemptMark`].
    exempt_marks: Vec<(ConversationId, AccountId, i64, i64)>,
    /// Up to where devices have received everything, as this batch says.
    places: FxHashMap<(AccountId, DeviceNumber), EntryId>,
    /// Messages that expire with this batch; the store still has them.
    expired: FxHashSet<EntryId>,
    /// Ranks of direct chats that this batch has changed.
    ranked: Vec<(ConversationId, AccountId, Rank)>,
    /// Members of direct chats of whom the store says that something waits while nothing does any
    /// more: the oldest first in the queue, and again as a set. See [`Chat::clear_wait`].
    unsettled: VecDeque<(ConversationId, AccountId)>,
    is_unsettled: FxHashSet<(ConversationId, AccountId)>,
}

impl Chat {
    /// The rules for a log whose newest numbers are `newest`.
    pub fn new(newest: Newest) -> Chat {
        Chat {
            directory: Directory::default(),
            newest,
            recorded: newest,
            batch: Batch::default(),
            first: FirstRules::default(),
            soonest: None,
            at_once: None,
            extra: 0,
            spread: 0,
            touched: Vec::new(),
            appended: Vec::new(),
            marked: Vec::new(),
            exempt_marks: Vec::new(),
            places: FxHashMap::default(),
            expired: FxHashSet::default(),
            ranked: Vec::new(),
            unsettled: VecDeque::new(),
            is_unsettled: FxHashSet::default(),
        }
    }

    /// The same rules as the operator has set them.
    pub fn with(self, first: FirstRules) -> Chat {
        Chat { first, ..self }
    }

    /// Decides an act, and adds what follows from it and its answer to the batch.
    ///
    /// # Errors
    /// What has to be looked up first; the batch is unchanged.
    pub fn decide(&mut self, who: Who, act: &mut Act, now: Millis) -> Result<(), Vec<Need>> {
        match self.plan(who, act, now) {
            Ok(plan) => self.apply(who, plan, act.take_text(), now),
            Err(Stop::Refused(refusal)) => self.answer(who, act.verb(), Err(refusal)),
            Err(Stop::Needs(needs)) => return Err(needs),
        }
        Ok(())
    }

    /// What has to be looked up before an act can be decided: empty if nothing is known to be
    /// missing. Answers may lead to further needs.
    pub fn missing(&self, who: Who, act: &Act, now: Millis) -> Vec<Need> {
        match self.plan(who, act, now) {
            Err(Stop::Needs(needs)) => needs,
            Ok(_) | Err(Stop::Refused(_)) => Vec::new(),
        }
    }

    /// Plans an act.
    ///
    /// # Errors
    /// What has to be looked up first, or why the act is refused.
    fn plan(&self, who: Who, act: &Act, now: Millis) -> Result<Plan, Stop> {
        match act {
            Act::Send { to, body, once } => self.plan_send(who, to, body, once.as_deref()),
            Act::Answer { about, body, once } => {
                self.plan_answer(who, *about, body, once.as_deref())
            }
            Act::SendFile { to, name, once, put } => {
                self.plan_file(who, to, name, once.as_deref(), put.as_ref())
            }
            Act::Forward { about, to, once } => self.plan_forward(who, *about, to, once.as_deref()),
            Act::Once { once, act } => self.plan_once(who, once, act, now),
            Act::Edit { about, body } => self.plan_edit(who, *about, body, now),
            Act::Delete { about } => self.plan_delete(who, *about, now),
            Act::React { about, word } => self.plan_react(who, *about, word.as_deref()),
            Act::Expire { to, seconds } => self.plan_expire(who, to, *seconds),
            Act::Schedule { due, unless, act, .. } => {
                self.plan_schedule(who, *due, *unless, act, now)
            }
            Act::Unschedule { number } => self.plan_unschedule(who, *number),
            Act::Advance { cursor, id } => self.plan_advance(who, *cursor, *id, true),
            Act::AdvanceIn { cursor, id } => self.plan_advance(who, *cursor, *id, false),
            Act::AdvanceAll { cursor, ids, answer, .. } => {
                self.plan_advance_all(who, *cursor, ids, *answer)
            }
            Act::Flag { to, flag, set } => self.plan_flag(who, to, *flag, set.from(now), now),
            Act::Prefer(preference) => self.plan_prefer(who, *preference),
            Act::Rename(name) => self.plan_rename(who, name),
            Act::SetSecret { was, secret } => self.plan_secret(who, was, secret),
            Act::Group { name, change } => self.plan_group(who, name, change, now),
            Act::Invite { name, token, hash, uses, seconds } => {
                self.plan_invite(who, name, (token, *hash), (*uses, *seconds), now)
            }
            Act::Block { whom, on } => self.plan_block(who, whom, *on),
            Act::NewToken { label, token, hash, to } => {
                self.plan_new_token(who, label, token, *hash, to.as_ref())
            }
            Act::DropToken { label } => self.plan_drop_token(who, label),
            Act::Link { user, on } => self.plan_link(who, *user, *on),
            Act::DropDevice(name) => self.plan_drop_device(who, name),
        }
    }

    /// Carries out a plan. Nothing may have been decided since it was made.
    fn apply(&mut self, who: Who, plan: Plan, text: Box<str>, now: Millis) {
        match plan {
            Plan::Reply { verb, reply } => self.answer(who, verb, Ok(reply)),
            Plan::FileReply { reply, put } => {
                self.placed(who, put);
                self.answer(who, "ONCE", Ok(reply));
            }
            Plan::Once(once) => self.once(who, *once, text, now),
            Plan::Send(message) => self.send(who, message, text, now),
            Plan::Mark(mark) => self.mark(who, *mark, text, now),
            Plan::Flag(plan) => self.flag(who, *plan, now),
            Plan::Expire(plan) => self.set_ttl(who, plan, now),
            Plan::Later(plan) => self.change_later(who, plan, text, now),
            Plan::Advance(moves) => self.advance(who, moves, now),
            Plan::Group(plan) => self.change_group(who, plan, now),
            Plan::Invitation(plan) => self.change_invitations(who, plan),
            Plan::Account(plan) => self.change_account(who, plan, now),
            Plan::DropDevice(name, number) => self.drop_device(who, name, number),
        }
    }

    /// The directory, for adding what it lacks.
    pub fn directory(&mut self) -> &mut Directory {
        &mut self.directory
    }

    /// The newest numbers given, including those of the batch.
    pub fn newest(&self) -> Newest {
        self.newest
    }

    /// The last effect in the batch.
    pub fn latest(&self) -> Option<&(Who, Effect)> {
        self.batch.effects.last()
    }

    /// The last effect in the batch, if that is an entry to be told.
    pub fn latest_entry(&self) -> Option<(&Who, &NewEntry)> {
        let Some((who, Effect::Entry { at, .. })) = self.latest() else { return None };
        match self.batch.changes.get(*at) {
            Some(Change::Entry(new)) => Some((who, new)),
            _ => None,
        }
    }

    /// Number of effects in the batch so far.
    pub fn said(&self) -> usize {
        self.batch.effects.len()
    }

    /// What was decided since this was last asked has cost this much beyond its weight: see
    /// [`Act::weight`].
    pub fn take_extra(&mut self) -> usize {
        std::mem::take(&mut self.extra)
    }

    /// The same, for what acts in many conversations cost more than as many in one, whose rows they
    /// share. It counts for whose turn is next, and not for how much fits in the batch, which goes by
    /// the time that batches take.
    pub fn take_spread(&mut self) -> usize {
        std::mem::take(&mut self.spread)
    }

    /// Records that a token was used.
    pub fn used(&mut self, id: TokenId, now: Millis) {
        self.batch.changes.push(Change::TokenUsed { id, time: now });
    }

    /// Completes the batch and returns it, to be recorded and then told. Each touched conversation
    /// and member is written once, however often the batch changed it.
    pub fn finish(&mut self) -> Batch {
        self.touched.sort_unstable();
        self.touched.dedup();
        self.appended.sort_unstable();
        self.marked.sort_unstable();
        self.rank_by_waiting();
        let mut appended = self.appended.drain(..).peekable();
        let mut marked = self.marked.drain(..).peekable();
        let mut last = None;
        for (id, account) in self.touched.drain(..) {
            let Some(conversation) = self.directory.cached(id) else {
                continue;
            };
            if last != Some(id) {
                last = Some(id);
                let added = self::added(&mut appended, id);
                // Marks alone leave its head as it is.
                if !added.ids.is_empty() || conversation.moved > self.recorded.moved {
                    self.batch.changes.push(Change::Head {
                        conversation: id,
                        head: conversation.head,
                        seq: conversation.seq,
                        moved: conversation.moved,
                        added,
                    });
                }
                let added = self::added(&mut marked, id);
                if !added.ids.is_empty() {
                    let marks = conversation.marks;
                    self.batch.changes.push(Change::Marked { conversation: id, marks, added });
                }
            }
            if let Some(member) = conversation.member(account) {
                let member = Box::new(member.clone());
                let change = Change::Member { conversation: id, member };
                self.batch.changes.push(change);
            }
        }
        drop((appended, marked));
        self.record_places();
        self.record_ranks();
        if self.newest != self.recorded {
            self.batch.changes.push(Change::Newest(self.newest));
        }
        // The next batch will be about as large.
        let next = Batch {
            changes: Vec::with_capacity(self.batch.changes.len()),
            effects: Vec::with_capacity(self.batch.effects.len()),
        };
        std::mem::replace(&mut self.batch, next)
    }

    /// To be called once the batch is on disk and has been told.
    pub fn committed(&mut self) {
        self.recorded = self.newest;
        self.exempt_marks.clear();
        self.expired.clear();
        self.directory.tidy();
    }

    /// To be called if the batch could not be recorded. The directory, which holds its changes, is
    /// emptied and read again from the store.
    pub fn rollback(&mut self) {
        self.newest = self.recorded;
        self.batch = Batch::default();
        (self.soonest, self.at_once) = (None, None);
        self.expired.clear();
        self.touched.clear();
        self.appended.clear();
        self.marked.clear();
        self.exempt_marks.clear();
        self.places.clear();
        self.ranked.clear();
        self.directory = Directory::default();
    }

    fn tell(&mut self, who: Who, effect: Effect) {
        self.batch.effects.push((who, effect));
    }

    /// Adds the final line of an act to the batch.
    pub fn answer(&mut self, who: Who, verb: &'static str, answer: Result<Reply, Refusal>) {
        self.tell(who, Effect::Answer { verb, answer });
    }
}

/// The next entries in a sorted list that belong to this conversation.
fn added(
    all: &mut Peekable<impl Iterator<Item = (ConversationId, EntryId, EntryId)>>,
    id: ConversationId,
) -> Added {
    let mut added = Added::default();
    while let Some((_, entry, after)) = all.next_if(|(of, ..)| *of == id) {
        if added.ids.is_empty() {
            added.after = after;
        }
        added.ids.push(entry);
    }
    added
}

#[cfg(test)]
mod mark_tests;
#[cfg(test)]
mod tests;
