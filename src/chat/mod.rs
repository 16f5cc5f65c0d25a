//! The rules: what an act of an account changes, and who is told. Pure: no I/O, no clock, no
//! waiting.
//!
//! [`Chat::asked`] decides one act from what the directory knows. Where something is not known it
//! says what it needs, before it has changed anything; the hub looks it up and asks again. What is
//! decided gathers in a [`Batch`], which is recorded whole before anyone is told.

pub mod directory;
mod people;
mod talk;

use directory::{Directory, Need};

use crate::entry::{
    AccountId, ConversationId, Cursor, EntryId, Millis, MoveNumber, Receipt, SessionId,
};
use crate::name::{DisplayName, Handle, Target};
use crate::store::{Change, Newest};
use crate::wire::refusal::Refusal;
use crate::wire::reply::{self, Reply};

/// Who acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Who {
    /// By which session.
    pub session: SessionId,
    /// As which account.
    pub account: AccountId,
}

/// What an account can do that changes something.
#[derive(Debug)]
pub enum Act {
    /// Writes to someone.
    Send { to: Target, body: String },
    /// Moves a cursor up to an entry, in its conversation.
    Advance { cursor: Cursor, id: EntryId },
    /// Moves a cursor up to each of these entries, which the session was sent, each in its
    /// conversation. `answer` is what the reply says; without it nobody asked and none is given.
    AdvanceAll { cursor: Cursor, ids: Vec<EntryId>, answer: Option<EntryId> },
    /// Takes another display name.
    Rename(DisplayName),
    /// Takes another password, of which this is the hash.
    SetSecret(String),
}

impl Act {
    /// The verb under which it is answered.
    pub fn verb(&self) -> &'static str {
        match self {
            Act::Send { .. } => "MSG",
            Act::Advance { cursor, .. } | Act::AdvanceAll { cursor, .. } => reply::verb(*cursor),
            Act::Rename(_) => "NAME",
            Act::SetSecret(_) => "PASSWD",
        }
    }
}

/// What is to be said once the batch is recorded.
#[derive(Debug)]
pub enum Tell {
    /// To the session that acted: the final line of its command.
    Answer { verb: &'static str, answer: Result<Reply, Refusal> },
    /// To all members but the acting session: the entry that stands at this index of the changes.
    Entry { at: usize, conversation: ConversationId, from: Handle, to: Target },
    /// To these accounts but the acting session: a cursor moved.
    Receipt { receipt: Receipt, number: MoveNumber, readers: Vec<AccountId> },
    /// The account's other sessions that were opened with its password end.
    HangUp,
}

/// What was decided and is neither recorded nor told yet.
#[derive(Debug, Default)]
pub struct Batch {
    /// To be recorded, in this order.
    pub changes: Vec<Change>,
    /// To be said then, in this order.
    pub tells: Vec<(Who, Tell)>,
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
        }
    }

    /// Decides an act.
    ///
    /// # Errors
    /// What has to be looked up first; nothing has been decided then.
    pub fn asked(&mut self, who: Who, act: &mut Act, now: Millis) -> Result<(), Need> {
        match act {
            Act::Send { to, body } => self.send(who, to, body, now),
            Act::Advance { cursor, id } => self.advance(who, *cursor, *id, now),
            Act::AdvanceAll { cursor, ids, answer } => {
                self.advance_all(who, *cursor, ids, *answer, now)
            }
            Act::Rename(name) => self.rename(who, name),
            Act::SetSecret(secret) => {
                self.set_secret(who, secret);
                Ok(())
            }
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

    /// The members of a conversation that the batch speaks of.
    pub fn members(&self, id: ConversationId) -> impl Iterator<Item = AccountId> {
        self.directory.known(id).into_iter().flat_map(|c| c.members.iter().map(|m| m.account))
    }

    /// Notes that an account has been shown the receipts up to a move.
    pub fn shown(&mut self, account: AccountId, upto: MoveNumber) {
        self.batch.changes.push(Change::Shown { account, upto });
    }

    /// What has been decided, whole: to be recorded and then told.
    pub fn finish(&mut self) -> Batch {
        self.touched.sort_unstable();
        self.touched.dedup();
        let mut last = None;
        for (id, account) in self.touched.drain(..) {
            let Some(conversation) = self.directory.known(id) else {
                continue;
            };
            if last != Some(id) {
                last = Some(id);
                self.batch.changes.push(Change::Head {
                    conversation: id,
                    head: conversation.head,
                    seq: conversation.seq,
                    moved: conversation.moved,
                });
            }
            if let Some(member) = conversation.members.iter().find(|m| m.account == account) {
                let change = Change::Member { conversation: id, member: *member };
                self.batch.changes.push(change);
            }
        }
        if self.newest != self.recorded {
            self.batch.changes.push(Change::Newest(self.newest));
        }
        std::mem::take(&mut self.batch)
    }

    /// The batch is on disk, and its audience has been told.
    pub fn settle(&mut self) {
        self.recorded = self.newest;
        self.directory.tidy();
    }

    /// The batch could not be recorded: what was decided in it never was.
    pub fn forget(&mut self) {
        self.newest = self.recorded;
        self.batch = Batch::default();
        self.touched.clear();
        self.directory = Directory::default();
    }

    fn tell(&mut self, who: Who, tell: Tell) {
        self.batch.tells.push((who, tell));
    }

    /// Says the final line of an act.
    pub fn answer(&mut self, who: Who, verb: &'static str, answer: Result<Reply, Refusal>) {
        self.tell(who, Tell::Answer { verb, answer });
    }
}

#[cfg(test)]
mod tests;
