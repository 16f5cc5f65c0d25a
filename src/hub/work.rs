//! What is asked of the hub, and the way in which it answers.

use std::sync::Arc;

use smol::channel::{self, Receiver, Sender};

use super::Hub;
#[cfg(feature = "postgres")]
use super::link::LinkWork;
use crate::chat::{Act, Newcomer, Order};
use crate::entry::{
    AccountId, Condition, DeviceNumber, EntryId, Key, Millis, MoveNumber, SessionId, TokenId,
};
use crate::limits;
use crate::name::DeviceName;
use crate::node_report::{NodeQuestion, NodeReport};
use crate::outbox::{Outbox, Watermark};
use crate::store::Expire;
use crate::wire::{refusal::Refusal, request::Events};

/// Work for the hub.
pub enum Work {
    /// Acts of a session, in order; each is answered in its outbox.
    Acts { session: SessionId, acts: Vec<Act> },
    /// Creates an account and logs the session in to it.
    Register {
        session: SessionId,
        newcomer: Newcomer,
        outbox: Arc<Outbox>,
        answer: Answer<Result<Entered, Refusal>>,
    },
    /// Logs a session in to an account.
    Enter {
        session: SessionId,
        account: AccountId,
        /// The device as which it logs in. It is made if there is none of this name.
        device: Option<DeviceName>,
        key: Key,
        events: Events,
        /// Most sessions that the account may have; 0: no limit.
        most: usize,
        /// The digest of the password's hash, if that was used: see [`digest`].
        secret: u64,
        outbox: Arc<Outbox>,
        answer: Answer<Result<Entered, Refusal>>,
    },
    /// Records that a token was used.
    Used(TokenId),
    /// An operator's order.
    Order { order: Order, answer: Answer<Done> },
    /// Starts a `WAIT`: the session is answered in its outbox once this holds for an entry of its
    /// account. At most one per session.
    Watch { session: SessionId, id: EntryId, until: Condition },
    /// Ends the session's `WAIT` with a timeout.
    Unwatch { session: SessionId },
    /// Asks which of these accounts are online. The answer, in their order, is sent when the batch is
    /// over, so what is read after it is no older.
    Online { accounts: Vec<AccountId>, answer: Answer<Vec<bool>> },
    /// A session has been sent everything up to `upto`. It is live from now on, unless there is
    /// more by now: then the answer says up to where.
    CaughtUp { session: SessionId, upto: Watermark, answer: Answer<Option<Watermark>> },
    /// A session has ended. `shown` is the move up to which its account, or its device, has been
    /// shown the receipts; `None`: all that were put into its outbox.
    Leave { session: SessionId, shown: Option<MoveNumber> },
    /// An account, or a device of it, has been shown the receipts up to this move. `seen`: when a
    /// session of it ended, unless that is recorded already.
    Shown {
        account: AccountId,
        device: Option<DeviceNumber>,
        upto: MoveNumber,
        seen: Option<Millis>,
    },
    /// Does one step of expiry; the answer says whether it is on disk.
    Expire { step: Expire, answer: Answer<bool> },
    /// Removes expired and deleted text from the write-ahead log, if there may be any; the answer says
    /// whether that is done. See [`Writer::wipe`](crate::store::Writer::wipe).
    Wipe { answer: Answer<bool> },
    /// Something that another node of the same database asks for, or says.
    #[cfg(feature = "postgres")]
    Link(LinkWork),
    /// Ends the thread once all earlier work is done.
    End,
}

impl Work {
    /// How much of a batch it takes: weight, and bytes of text.
    pub(super) fn size(&self) -> (usize, usize) {
        match self {
            Work::Acts { acts, .. } => acts
                .iter()
                .fold((0, 0), |(weight, bytes), act| (weight + act.weight(), bytes + act.bytes())),
            Work::Register { .. } | Work::Order { .. } | Work::Watch { .. } => (1, 0),
            Work::Expire { .. } => (limits::EXPIRE, 0),
            _ => (0, 0),
        }
    }

    /// Whether it still has to be done: nobody logs in who was turned away meanwhile.
    pub(super) fn is_wanted(&self) -> bool {
        match self {
            Work::Register { answer, .. } | Work::Enter { answer, .. } => answer.is_wanted(),
            _ => true,
        }
    }

    /// Whether it is a command of a session, which takes turns with those of others.
    pub(super) fn takes_turns(&self) -> bool {
        matches!(self, Work::Acts { .. } | Work::Watch { .. })
    }

    /// The session whose work it is kept in order with.
    pub(super) fn session(&self) -> Option<SessionId> {
        match self {
            Work::Acts { session, .. }
            | Work::Register { session, .. }
            | Work::Enter { session, .. }
            | Work::Watch { session, .. }
            | Work::Unwatch { session }
            | Work::CaughtUp { session, .. }
            | Work::Leave { session, .. } => Some(*session),
            _ => None,
        }
    }
}

impl Hub {
    /// What all other nodes of the same database answer to an operator's question, when they have.
    pub fn ask_nodes(&self, _question: NodeQuestion) -> Receiver<Vec<NodeReport>> {
        let (answer, answered) = channel::bounded(1);
        let answer = Answer::from(answer);
        #[cfg(feature = "postgres")]
        if self.has_nodes {
            let question = _question;
            self.ask(Work::Link(LinkWork::Ask { question, from: 0, answer }));
            return answered;
        }
        answer.give(Vec::new());
        answered
    }
}

/// What tells hashes of passwords apart, not to be reversed: the hub of another node looks with it
/// whether a session's password is still the account's.
pub fn digest(hash: &str) -> u64 {
    let digest = ring::digest::digest(&ring::digest::SHA256, hash.as_bytes());
    digest.as_ref().iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

/// The result of an order: how many sessions the account had.
pub type Done = Result<usize, Refusal>;

/// What a session learns when it is logged in.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "postgres", derive(serde::Serialize, serde::Deserialize))]
pub struct Entered {
    /// The account that the session belongs to now.
    pub account: AccountId,
    /// Where the log stood at that moment. Anything newer is sent after `LIVE`.
    pub upto: Watermark,
    /// Other sessions of the account, and of the same device if it is one, have proved that they were
    /// shown the receipts up to this move.
    pub shown: MoveNumber,
    /// The device, and whether this is its first login.
    pub device: Option<(DeviceNumber, bool)>,
}

impl Entered {
    /// Whether the login has made a device.
    pub(super) fn is_new_device(&self) -> bool {
        self.device.is_some_and(|(_, is_new)| is_new)
    }
}

/// Where the answer to some work goes: to a session of this process, or to another node.
pub enum Answer<T> {
    Here(Sender<T>),
    #[cfg(feature = "postgres")]
    There(Box<dyn FnOnce(T) + Send>),
}

impl<T> Answer<T> {
    /// Answers. If nobody waits for it any more, the answer is dropped.
    pub(super) fn give(self, answer: T) {
        self.reaches(answer);
    }

    /// The same. Returns whether somebody waited for it, as far as is known here.
    pub(super) fn reaches(self, answer: T) -> bool {
        match self {
            Answer::Here(to) => to.try_send(answer).is_ok(),
            #[cfg(feature = "postgres")]
            Answer::There(give) => {
                give(answer);
                true
            }
        }
    }

    /// Whether somebody waits for it, as far as is known here.
    fn is_wanted(&self) -> bool {
        match self {
            Answer::Here(to) => !to.is_closed(),
            #[cfg(feature = "postgres")]
            Answer::There(_) => true,
        }
    }
}

impl<T> From<Sender<T>> for Answer<T> {
    fn from(to: Sender<T>) -> Answer<T> {
        Answer::Here(to)
    }
}
