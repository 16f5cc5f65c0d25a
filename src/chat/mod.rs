//! The rules: what an act of an account changes, and who is told of it. Pure: no I/O, no clock, no
//! waiting.
//!
//! [`Chat::decide`] decides one act from what is in the directory, in two steps that the types keep
//! apart. Making a *plan* only reads: the result is either everything needed to carry out the act,
//! or the reason why it cannot be carried out (yet): see [`Stop`]. *Applying* a plan changes state
//! and cannot fail, so no act is ever half done and no command is answered twice. If something has
//! to be looked up first, the hub does so and asks again. Decisions accumulate in a [`Batch`],
//! which is recorded as a whole before anyone is told.

mod cache;
pub mod directory;
mod groups;
mod messages;
mod moves;
mod orders;
mod people;
mod rank;
mod stop;

use std::collections::VecDeque;

use directory::Directory;
pub use orders::Order;
use rustc_hash::FxHashSet;
pub use stop::Stop;

use crate::entry::{
    AccountId, ConversationId, Cursor, EntryId, EntryPos, Key, Millis, MoveNumber, Receipt,
    SessionId, TokenId,
};
use crate::name::{DisplayName, Handle, Target};
use crate::store::{Added, Change, ConversationKind, Expire, Member, Need, Newest, Rank};
use crate::wire::refusal::Refusal;
use crate::wire::reply::{self, Reply};
use crate::wire::request::GroupChange;

/// On whose behalf an act is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Who {
    /// The session that asked for it; 0 for the server itself.
    pub session: SessionId,
    /// The account of that session.
    pub account: AccountId,
    /// What the session was opened with.
    pub key: Key,
}

/// Everything an account can do that changes something.
#[derive(Debug)]
pub enum Act {
    /// Sends a message; with a `ONCE` key, at most once under that key.
    Send { to: Target, body: String, once: Option<Box<str>> },
    /// Moves a cursor up to an entry, in the entry's conversation.
    Advance { cursor: Cursor, id: EntryId },
    /// Moves a cursor in several conversations, up to each of these entries, which the session was
    /// sent. `answer` is the id that the reply names; `None` for moves that no command asked for,
    /// which get no reply. `lost_moves` is the session's count of failed moves
    /// (`Outbox::lost_moves`) when it made the list: the list relies on all earlier ones, so it is
    /// refused if the count has changed.
    AdvanceAll { cursor: Cursor, ids: Vec<EntryId>, answer: Option<EntryId>, lost_moves: u32 },
    /// Changes the display name.
    Rename(DisplayName),
    /// Replaces the password hash `was` by `secret`; refused if the account's hash is no longer
    /// `was`.
    SetSecret { was: String, secret: String },
    /// Creates or changes a group.
    Group { name: Handle, change: GroupChange },
    /// Blocks someone (`on`), or unblocks them.
    Block { whom: Handle, on: bool },
    /// Creates a token. `hash` is its SHA-256; `token` goes into the reply and nowhere else. With
    /// `to` it may only write there.
    NewToken { label: Box<str>, token: Box<str>, hash: [u8; 32], to: Option<Target> },
    /// Revokes a token.
    DropToken { label: Box<str> },
    /// Lets a system user log in without a secret (`on`), or no longer.
    Link { user: u32, on: bool },
}

impl Act {
    /// Weight of moving a cursor in one of several conversations. Each move writes a row of its
    /// own, while messages to a busy conversation share its rows.
    pub const MOVE: usize = 4;

    /// Bytes of text that weigh as much as one more message: half a page of the database.
    const TEXT: usize = 2_048;

    /// Approximate cost of deciding and recording it, in short messages to a busy conversation.
    /// Lookups are charged separately (`limits::LOOK_UP`).
    pub fn weight(&self) -> usize {
        match self {
            Act::Send { body, .. } => 1 + body.len() / Act::TEXT,
            Act::Advance { .. } => 1,
            Act::AdvanceAll { ids, .. } => Act::MOVE * ids.len().max(1),
            Act::Group {
                change: GroupChange::New(handles) | GroupChange::Add(handles), ..
            } => 2 + 2 * handles.len(),
            Act::Group { .. } | Act::Block { .. } => 2,
            // The account's words in the search index are written anew.
            Act::Rename(_) => 8,
            Act::SetSecret { .. }
            | Act::NewToken { .. }
            | Act::DropToken { .. }
            | Act::Link { .. } => 4,
        }
    }

    /// Takes out a message's text; empty for all other acts.
    fn take_text(&mut self) -> Box<str> {
        match self {
            Act::Send { body, .. } => std::mem::take(body).into_boxed_str(),
            _ => Box::default(),
        }
    }

    /// Bytes of message text in it.
    pub fn bytes(&self) -> usize {
        match self {
            Act::Send { body, .. } => body.len(),
            _ => 0,
        }
    }

    /// Whether it is a command, whose sender waits for a final line. Automatic acknowledgements are
    /// not.
    pub fn is_asked(&self) -> bool {
        !matches!(self, Act::AdvanceAll { answer: None, .. })
    }

    /// The verb in its final line.
    pub fn verb(&self) -> &'static str {
        match self {
            Act::Send { once: Some(_), .. } => "ONCE",
            Act::Send { .. } => "MSG",
            Act::Advance { cursor, .. } | Act::AdvanceAll { cursor, .. } => reply::verb(*cursor),
            Act::Rename(_) => "NAME",
            Act::SetSecret { .. } => "PASSWD",
            Act::Group { .. } => "GROUP",
            Act::Block { on: true, .. } => "BLOCK",
            Act::Block { on: false, .. } => "UNBLOCK",
            Act::NewToken { .. } | Act::DropToken { .. } => "TOKEN",
            Act::Link { .. } => "UID",
        }
    }
}

/// Whom to notify of what once the batch is on disk.
#[derive(Debug)]
pub enum Effect {
    /// To the session that acted: the final line of its command.
    Answer { verb: &'static str, answer: Result<Reply, Refusal> },
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
}

/// What a `WAIT` has to know: how many members have yet to receive or read an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Awaited {
    /// The entry's conversation.
    pub conversation: ConversationId,
    /// The entry's `seq` there.
    pub seq: i64,
    /// The other party, in a direct chat.
    pub other: Option<AccountId>,
    /// Members whose cursor is still below the entry.
    pub count: usize,
}

/// A plan for one act. The message text stays in the act, so that no plan copies a long text.
enum Plan {
    /// Nothing changes; only this answer is given.
    Reply { verb: &'static str, reply: Reply },
    /// A message is written.
    Send(messages::Message),
    /// Cursors move.
    Advance(moves::CursorMoves),
    /// A group is created or changed.
    Group(groups::GroupPlan),
    /// The account itself changes.
    Account(people::AccountPlan),
}

/// Decisions that are neither recorded nor told yet.
#[derive(Debug, Default)]
pub struct Batch {
    /// Recorded first, in this order.
    pub changes: Vec<Change>,
    /// Told after that, in this order.
    pub effects: Vec<(Who, Effect)>,
}

/// The rules, and the state they decide from.
pub struct Chat {
    directory: Directory,
    newest: Newest,
    /// What `newest` was when the batch began.
    recorded: Newest,
    batch: Batch,
    /// Members that the batch has changed.
    touched: Vec<(ConversationId, AccountId)>,
    /// Entries that the batch has added, each with the one before it in its conversation.
    appended: Vec<(ConversationId, EntryId, EntryId)>,
    /// The exempt marks of this batch, which the store does not have yet: conversation, member,
    /// `seq` and count, as in [`Change::ExemptMark`].
    exempt_marks: Vec<(ConversationId, AccountId, i64, i64)>,
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
            touched: Vec::new(),
            appended: Vec::new(),
            exempt_marks: Vec::new(),
            ranked: Vec::new(),
            unsettled: VecDeque::new(),
            is_unsettled: FxHashSet::default(),
        }
    }

    /// Decides an act, and adds what follows from it and its answer to the batch.
    ///
    /// # Errors
    /// What has to be looked up first; the batch is unchanged.
    pub fn decide(&mut self, who: Who, act: &mut Act, now: Millis) -> Result<(), Vec<Need>> {
        match self.plan(who, act) {
            Ok(plan) => self.apply(who, plan, act.take_text(), now),
            Err(Stop::Refused(refusal)) => self.answer(who, act.verb(), Err(refusal)),
            Err(Stop::Needs(needs)) => return Err(needs),
        }
        Ok(())
    }

    /// What has to be looked up before an act can be decided: empty if nothing is known to be
    /// missing. Answers may lead to further needs.
    pub fn missing(&self, who: Who, act: &Act) -> Vec<Need> {
        match self.plan(who, act) {
            Err(Stop::Needs(needs)) => needs,
            Ok(_) | Err(Stop::Refused(_)) => Vec::new(),
        }
    }

    /// Plans an act.
    ///
    /// # Errors
    /// What has to be looked up first, or why the act is refused.
    fn plan(&self, who: Who, act: &Act) -> Result<Plan, Stop> {
        match act {
            Act::Send { to, body, once } => self.plan_send(who, to, body, once.as_deref()),
            Act::Advance { cursor, id } => self.plan_advance(who, *cursor, *id),
            Act::AdvanceAll { cursor, ids, answer, .. } => {
                self.plan_advance_all(who, *cursor, ids, *answer)
            }
            Act::Rename(name) => self.plan_rename(who, name),
            Act::SetSecret { was, secret } => self.plan_secret(who, was, secret),
            Act::Group { name, change } => self.plan_group(who, name, change),
            Act::Block { whom, on } => self.plan_block(who, whom, *on),
            Act::NewToken { label, token, hash, to } => {
                self.plan_new_token(who, label, token, *hash, to.as_ref())
            }
            Act::DropToken { label } => self.plan_drop_token(who, label),
            Act::Link { user, on } => self.plan_link(who, *user, *on),
        }
    }

    /// Carries out a plan. Nothing may have been decided since it was made.
    fn apply(&mut self, who: Who, plan: Plan, text: Box<str>, now: Millis) {
        match plan {
            Plan::Reply { verb, reply } => self.answer(who, verb, Ok(reply)),
            Plan::Send(message) => self.send(who, message, text, now),
            Plan::Advance(moves) => self.advance(who, moves, now),
            Plan::Group(plan) => self.change_group(who, plan, now),
            Plan::Account(plan) => self.change_account(who, plan, now),
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

    /// The accounts that may see the `seq`-th entry of a conversation. It must be in memory, as all
    /// conversations of the batch are.
    pub fn readers(&self, id: ConversationId, seq: i64) -> impl Iterator<Item = AccountId> {
        let members = self.directory.cached(id).map_or(&[][..], |c| &c.members);
        members.iter().filter(move |m| m.sees(seq)).map(|m| m.account)
    }

    /// Counts the members whose `cursor` is still below an entry: of those who may see it and have
    /// not left, all but its author.
    ///
    /// # Errors
    /// `who` is not its author, or something has to be looked up first.
    pub fn awaited(&self, who: Who, cursor: Cursor, id: EntryId) -> Result<Awaited, Stop> {
        let me = who.account;
        let own = |pos: &EntryPos| pos.author == me;
        let Some((pos, log, _)) = self.visible_place(me, id)?.filter(|(pos, ..)| own(pos)) else {
            return Err(Refusal::NoSuchMessage(id.0).into());
        };
        // If one party has blocked the other, neither learns how far the other is, so a hidden
        // cursor counts as below the entry. Nobody waits for a deleted account.
        let (mut hidden, mut gone) = (false, false);
        let other = match log.kind {
            ConversationKind::Direct(pair) => Some(pair.other(me)),
            ConversationKind::Group(_) => None,
        };
        if let Some(other) = other.filter(|other| *other != me) {
            let (account, is_hidden) =
                stop::both(self.directory.account(other), self.is_hidden(me, other))?;
            (gone, hidden) = (account.gone, is_hidden);
        }
        let late = |m: &&Member| {
            let has_come = m.cursor(cursor).id >= id && !hidden;
            m.account != me && m.sees(pos.seq) && !has_come && !gone
        };
        let count = log.present().filter(late).count();
        Ok(Awaited { conversation: pos.conversation, seq: pos.seq, other, count })
    }

    /// Whether an account may see the `seq`-th entry of a conversation, which must be in memory.
    pub fn sees(&self, id: ConversationId, account: AccountId, seq: i64) -> bool {
        let member = self.directory.cached(id).and_then(|log| log.member(account));
        member.is_some_and(|member| member.sees(seq))
    }

    /// Number of effects in the batch so far.
    pub fn said(&self) -> usize {
        self.batch.effects.len()
    }

    /// Records that an account has been shown the receipts up to a move and, if a session of it has
    /// ended, when (`seen`).
    pub fn shown(&mut self, account: AccountId, upto: MoveNumber, seen: Option<Millis>) {
        self.batch.changes.push(Change::Shown { account, upto, seen });
    }

    /// Records that a token was used.
    pub fn used(&mut self, id: TokenId, now: Millis) {
        self.batch.changes.push(Change::TokenUsed { id, time: now });
    }

    /// Records a step of expiry, unless it was planned for another state of the log.
    pub fn expire(&mut self, step: Expire) {
        if let Expire::Entries { after, upto } = step {
            if after != self.newest.floor || upto <= after || upto > self.newest.entry {
                return;
            }
            self.newest.floor = upto;
        }
        self.batch.changes.push(Change::Expire(step));
    }

    /// Completes the batch and returns it, to be recorded and then told. Each touched conversation
    /// and member is written once, however often the batch changed it.
    pub fn finish(&mut self) -> Batch {
        self.touched.sort_unstable();
        self.touched.dedup();
        self.appended.sort_unstable();
        self.rank_by_waiting();
        let mut appended = self.appended.drain(..).peekable();
        let mut last = None;
        for (id, account) in self.touched.drain(..) {
            let Some(conversation) = self.directory.cached(id) else {
                continue;
            };
            if last != Some(id) {
                last = Some(id);
                let mut added = Added::default();
                while let Some((_, entry, after)) = appended.next_if(|(of, ..)| *of == id) {
                    if added.ids.is_empty() {
                        added.after = after;
                    }
                    added.ids.push(entry);
                }
                self.batch.changes.push(Change::Head {
                    conversation: id,
                    head: conversation.head,
                    seq: conversation.seq,
                    moved: conversation.moved,
                    added,
                });
            }
            if let Some(member) = conversation.member(account) {
                let member = Box::new(member.clone());
                let change = Change::Member { conversation: id, member };
                self.batch.changes.push(change);
            }
        }
        drop(appended);
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
        self.directory.tidy();
    }

    /// To be called if the batch could not be recorded. The directory, which holds its changes, is
    /// emptied and read again from the store.
    pub fn rollback(&mut self) {
        self.newest = self.recorded;
        self.batch = Batch::default();
        self.touched.clear();
        self.appended.clear();
        self.exempt_marks.clear();
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

#[cfg(test)]
mod tests;
