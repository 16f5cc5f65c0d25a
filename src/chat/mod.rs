//! The rules: what an act of an account changes, and who is told. Pure: no I/O, no clock, no
//! waiting.
//!
//! [`Chat::decide`] decides one act from what the directory knows, in two steps that the types keep
//! apart. A *plan* only reads: it returns either everything that carrying out the act takes, or why
//! it cannot be carried out (yet): see [`Stop`]. *Applying* a plan changes things and cannot fail,
//! so nothing is ever half done and nobody is answered twice. Where something has to be looked up,
//! the hub does so and asks again. What is decided gathers in a [`Batch`], which is recorded whole
//! before anyone is told.

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

/// Who acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Who {
    /// By which session.
    pub session: SessionId,
    /// As which account.
    pub account: AccountId,
    /// With which key.
    pub key: Key,
}

/// What an account can do that changes something.
#[derive(Debug)]
pub enum Act {
    /// Writes to someone; under a key, once.
    Send { to: Target, body: String, once: Option<Box<str>> },
    /// Moves a cursor up to an entry, in its conversation.
    Advance { cursor: Cursor, id: EntryId },
    /// Moves a cursor up to each of these entries, which the session was sent, each in its
    /// conversation. `answer` is what the reply says; without it nobody asked and none is given.
    /// `lost_moves` is what the session's outbox said of those when it put the list together.
    AdvanceAll { cursor: Cursor, ids: Vec<EntryId>, answer: Option<EntryId>, lost_moves: u32 },
    /// Takes another display name.
    Rename(DisplayName),
    /// Takes another password, of which this is the hash, if the hash of the old one still is what it was.
    SetSecret { was: String, secret: String },
    /// Changes a group.
    Group { name: Handle, change: GroupChange },
    /// Blocks someone, or not any more.
    Block { whom: Handle, on: bool },
    /// Makes a token, of which this is the hash.
    NewToken { label: Box<str>, token: Box<str>, hash: [u8; 32] },
    /// Revokes a token.
    DropToken { label: Box<str> },
    /// Lets a system user in without a secret, or not any more.
    Link { user: u32, on: bool },
}

impl Act {
    /// What moving a cursor in one of many conversations weighs: each is a row to write, as a message
    /// to a conversation in use is not.
    pub const MOVE: usize = 4;

    /// Bytes of text that weigh as much as another message: half a page of the database.
    const TEXT: usize = 2_048;

    /// What it costs to decide and record, about, in messages of a busy conversation, beside what
    /// has to be looked up for it.
    pub fn weight(&self) -> usize {
        match self {
            Act::Send { body, .. } => 1 + body.len() / Act::TEXT,
            Act::Advance { .. } => 1,
            Act::AdvanceAll { ids, .. } => Act::MOVE * ids.len().max(1),
            Act::Group {
                change: GroupChange::New(handles) | GroupChange::Add(handles), ..
            } => 2 + 2 * handles.len(),
            Act::Group { .. } | Act::Block { .. } => 2,
            // The words by which an account is found are written anew.
            Act::Rename(_) => 8,
            Act::SetSecret { .. }
            | Act::NewToken { .. }
            | Act::DropToken { .. }
            | Act::Link { .. } => 4,
        }
    }

    /// Takes out its text, if it has one.
    fn take_text(&mut self) -> Box<str> {
        match self {
            Act::Send { body, .. } => std::mem::take(body).into_boxed_str(),
            _ => Box::default(),
        }
    }

    /// Bytes of text that it holds on to.
    pub fn bytes(&self) -> usize {
        match self {
            Act::Send { body, .. } => body.len(),
            _ => 0,
        }
    }

    /// Whether it is a command of someone who waits for its final line.
    pub fn is_asked(&self) -> bool {
        !matches!(self, Act::AdvanceAll { answer: None, .. })
    }

    /// The verb under which it is answered.
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

/// What is to be said once the batch is recorded.
#[derive(Debug)]
pub enum Effect {
    /// To the session that acted: the final line of its command.
    Answer { verb: &'static str, answer: Result<Reply, Refusal> },
    /// To all who may see it but the acting session: the entry that stands at this index of the
    /// changes.
    Entry { at: usize, from: Handle, to: Target },
    /// To these accounts but the acting session: a cursor moved.
    Receipt {
        receipt: Receipt,
        conversation: ConversationId,
        number: MoveNumber,
        readers: Vec<AccountId>,
        /// Where the mover's cursors stood, delivered and read, if it is in the conversation.
        was: Option<[EntryId; 2]>,
        /// Who is not to learn of it, even by waiting for it: one of the two blocks the other.
        hidden_from: Option<AccountId>,
    },
    /// To those who wait: someone is not in a group any more, or is again. Their cursors, delivered
    /// and read, stand here.
    Present { conversation: ConversationId, account: AccountId, was: [EntryId; 2], on: bool },
    /// The account's sessions that were opened with this key end, but with the password the acting
    /// one stays.
    Disconnect { key: Key },
    /// All sessions of the account end; nobody waits for it any more if it is `gone`.
    DisconnectAll { gone: bool },
}

/// Of whom the author of an entry waits that they receive or read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Awaited {
    /// Its conversation.
    pub conversation: ConversationId,
    /// Its place there.
    pub seq: i64,
    /// With whom, in a direct chat.
    pub other: Option<AccountId>,
    /// How many have not yet.
    pub count: usize,
}

/// What an act comes to. Its text is not in it, so that a plan copies nothing long.
enum Plan {
    /// Nothing changes, and this is the answer.
    Reply { verb: &'static str, reply: Reply },
    /// A message is written.
    Send(messages::Message),
    /// Cursors move.
    Advance(moves::CursorMoves),
    /// A group is founded or changed.
    Group(groups::GroupPlan),
    /// The account itself changes.
    Account(people::AccountPlan),
}

/// What was decided and is neither recorded nor told yet.
#[derive(Debug, Default)]
pub struct Batch {
    /// To be recorded, in this order.
    pub changes: Vec<Change>,
    /// To be said then, in this order.
    pub effects: Vec<(Who, Effect)>,
}

/// The rules and what they decide from.
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
    /// What the batch wrote down of entries that do not wait: of whom, up to which, how many.
    exempt_marks: Vec<(ConversationId, AccountId, i64, i64)>,
    /// Where chats of two stand since the batch.
    ranked: Vec<(ConversationId, AccountId, Rank)>,
    /// For whom nothing waits any more in a chat of which the store still says so, oldest first, and
    /// the same in no order.
    unsettled: VecDeque<(ConversationId, AccountId)>,
    is_unsettled: FxHashSet<(ConversationId, AccountId)>,
}

impl Chat {
    /// The rules for a log that stands at `newest`.
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

    /// Decides an act and answers it.
    ///
    /// # Errors
    /// What has to be looked up first; nothing has been decided then.
    pub fn decide(&mut self, who: Who, act: &mut Act, now: Millis) -> Result<(), Vec<Need>> {
        match self.plan(who, act) {
            Ok(plan) => self.apply(who, plan, act.take_text(), now),
            Err(Stop::Refused(refusal)) => self.answer(who, act.verb(), Err(refusal)),
            Err(Stop::Needs(needs)) => return Err(needs),
        }
        Ok(())
    }

    /// What has to be looked up before an act can be decided; empty if all is known, as far as that
    /// can be told.
    pub fn missing(&self, who: Who, act: &Act) -> Vec<Need> {
        match self.plan(who, act) {
            Err(Stop::Needs(needs)) => needs,
            Ok(_) | Err(Stop::Refused(_)) => Vec::new(),
        }
    }

    /// Everything about an act but its text, ready to be carried out.
    ///
    /// # Errors
    /// Why it cannot be.
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
            Act::NewToken { label, token, hash } => self.plan_new_token(who, label, token, *hash),
            Act::DropToken { label } => self.plan_drop_token(who, label),
            Act::Link { user, on } => self.plan_link(who, *user, *on),
        }
    }

    /// Carries out a plan, which was made a moment ago: nothing has been decided since.
    fn apply(&mut self, who: Who, plan: Plan, text: Box<str>, now: Millis) {
        match plan {
            Plan::Reply { verb, reply } => self.answer(who, verb, Ok(reply)),
            Plan::Send(message) => self.send(who, message, text, now),
            Plan::Advance(moves) => self.advance(who, moves, now),
            Plan::Group(plan) => self.change_group(who, plan, now),
            Plan::Account(plan) => self.change_account(who, plan, now),
        }
    }

    /// The directory, to be told what it lacked.
    pub fn directory(&mut self) -> &mut Directory {
        &mut self.directory
    }

    /// The numbers given last, those of the batch included.
    pub fn newest(&self) -> Newest {
        self.newest
    }

    /// What the last decision says last.
    pub fn latest(&self) -> Option<&(Who, Effect)> {
        self.batch.effects.last()
    }

    /// Who may see an entry that the batch speaks of.
    pub fn readers(&self, id: ConversationId, seq: i64) -> impl Iterator<Item = AccountId> {
        let members = self.directory.cached(id).map_or(&[][..], |c| &c.members);
        members.iter().filter(move |m| m.sees(seq)).map(|m| m.account)
    }

    /// How many cursors have not come to an entry, of those who may see it and are still in, but for
    /// its author's.
    ///
    /// # Errors
    /// The asker is not its author, or something has to be looked up first.
    pub fn awaited(&self, who: Who, cursor: Cursor, id: EntryId) -> Result<Awaited, Stop> {
        let me = who.account;
        let own = |pos: &EntryPos| pos.author == me;
        let Some((pos, log, _)) = self.visible_place(me, id)?.filter(|(pos, ..)| own(pos)) else {
            return Err(Refusal::NoSuchMessage(id.0).into());
        };
        // Between two of whom one blocks the other, nobody learns how far the other is. And nobody
        // waits for someone who is gone.
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

    /// Whether a member of a conversation, which the batch speaks of, may see its `seq`-th entry.
    pub fn sees(&self, id: ConversationId, account: AccountId, seq: i64) -> bool {
        let member = self.directory.cached(id).and_then(|log| log.member(account));
        member.is_some_and(|member| member.sees(seq))
    }

    /// How much the batch says so far.
    pub fn said(&self) -> usize {
        self.batch.effects.len()
    }

    /// Notes that an account was shown the receipts up to a move and, where a session of it has
    /// ended, when that was.
    pub fn shown(&mut self, account: AccountId, upto: MoveNumber, seen: Option<Millis>) {
        self.batch.changes.push(Change::Shown { account, upto, seen });
    }

    /// Notes that a token was used.
    pub fn used(&mut self, id: TokenId, now: Millis) {
        self.batch.changes.push(Change::TokenUsed { id, time: now });
    }

    /// Records a step of forgetting, unless it was decided on another state of the log.
    pub fn expire(&mut self, step: Expire) {
        if let Expire::Entries { after, upto } = step {
            if after != self.newest.floor || upto <= after || upto > self.newest.entry {
                return;
            }
            self.newest.floor = upto;
        }
        self.batch.changes.push(Change::Expire(step));
    }

    /// What has been decided, whole: to be recorded and then told.
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
        // The next batch will be as large, about.
        let next = Batch {
            changes: Vec::with_capacity(self.batch.changes.len()),
            effects: Vec::with_capacity(self.batch.effects.len()),
        };
        std::mem::replace(&mut self.batch, next)
    }

    /// The batch is on disk, and its audience has been told.
    pub fn committed(&mut self) {
        self.recorded = self.newest;
        self.exempt_marks.clear();
        self.directory.tidy();
    }

    /// The batch could not be recorded: what was decided in it never was.
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

    /// Says the final line of an act.
    pub fn answer(&mut self, who: Who, verb: &'static str, answer: Result<Reply, Refusal>) {
        self.tell(who, Effect::Answer { verb, answer });
    }
}

#[cfg(test)]
mod tests;
