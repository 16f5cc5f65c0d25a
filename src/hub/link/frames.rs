//! What nodes say to each other: a node that does not lead is a *door* to its sessions, and hands
//! what they ask for to the leader, which says what they are to be told.
//!
//! All of it is believed: only nodes of one database have a line to each other. It has the form of
//! postcard, and is the same in all papods of one [`VERSION`].

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::chat::{Act, Newcomer, Order};
use crate::entry::{AccountId, Condition, DeviceNumber, EntryId, Key, Millis, MoveNumber, TokenId};
use crate::hub::Entered;
use crate::name::{DeviceName, Handle, Target};
use crate::node_report::{NodeEvent, NodeQuestion, NodeReport};
use crate::origin::Origin;
use crate::outbox::{Outbox, Unspent, Watermark};
use crate::store::BatchId;
use crate::wire::refusal::Refusal;
use crate::wire::request::Events;

/// Of these frames and of everything in them, acts among them: to be raised with every change.
pub(super) const VERSION: u32 = 1;

/// A session as its node numbers it.
pub(super) type SessionNumber = u64;

/// Names a question, for its answer.
pub(super) type Ticket = u64;

/// From a door to the leader. Several make a packet.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum ToLeader {
    /// The first: the sessions that the door has, up to where they were told everything, and the last
    /// batch that the door was told of.
    Hello {
        sessions: Vec<Seated>,
        told: Watermark,
        heard: BatchId,
    },
    Acts {
        session: SessionNumber,
        acts: Vec<Act>,
    },
    /// What the log calls a session that is about to change what opens its account.
    Owner {
        session: SessionNumber,
        handle: Handle,
    },
    Register {
        ticket: Ticket,
        session: SessionNumber,
        newcomer: Newcomer,
        outbox: SourceOutbox,
    },
    Enter {
        ticket: Ticket,
        session: SessionNumber,
        account: AccountId,
        device: Option<DeviceName>,
        key: Key,
        events: Events,
        most: usize,
        outbox: SourceOutbox,
    },
    Used(TokenId),
    Order {
        ticket: Ticket,
        order: Order,
    },
    Watch {
        session: SessionNumber,
        id: EntryId,
        until: Condition,
    },
    Unwatch {
        session: SessionNumber,
    },
    Online {
        ticket: Ticket,
        accounts: Vec<AccountId>,
    },
    CaughtUp {
        ticket: Ticket,
        session: SessionNumber,
        upto: Watermark,
    },
    Leave {
        session: SessionNumber,
        shown: MoveNumber,
    },
    Shown {
        account: AccountId,
        device: Option<DeviceNumber>,
        upto: MoveNumber,
        seen: Option<Millis>,
    },
    /// There was no room for what a session was told: it reads from the log.
    Fell {
        session: SessionNumber,
    },
    Event(NodeEvent),
    /// What do all other nodes answer?
    Ask {
        ticket: Ticket,
        question: NodeQuestion,
    },
    /// The answer of this one.
    Reported {
        inquiry: u64,
        report: NodeReport,
    },
    /// A session has proved that its account was shown the receipts up to this move.
    Proved {
        session: SessionNumber,
        upto: MoveNumber,
    },
}

/// A session that is logged in already.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Seated {
    pub(super) session: SessionNumber,
    pub(super) account: AccountId,
    pub(super) device: Option<DeviceNumber>,
    /// The newest move that was told to it.
    pub(super) due: MoveNumber,
    pub(super) key: Key,
    /// If that is the password, digests of those that may have been used.
    pub(super) secrets: [u64; 2],
    pub(super) events: Events,
    pub(super) online: bool,
    /// It was pushed what the leader pushed to it.
    pub(super) pushes: bool,
    pub(super) proved: MoveNumber,
    pub(super) outbox: SourceOutbox,
}

/// What the leader knows of the outbox that a session has at its node.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct SourceOutbox {
    pub(super) lost_moves: u32,
    pub(super) origin: Origin,
}

impl SourceOutbox {
    pub(super) fn of(outbox: &Outbox) -> SourceOutbox {
        SourceOutbox { lost_moves: outbox.lost_moves(), origin: outbox.origin() }
    }
}

/// From the leader to a door, after each batch.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Packet {
    pub(super) said: Vec<ToDoor>,
    /// Up to where the sessions of the door have been told everything now.
    pub(super) told: Watermark,
    /// The last batch on disk.
    pub(super) batch: BatchId,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum ToDoor {
    /// The first: which of the sessions that were pushed to have missed something, and read it from
    /// the log.
    Welcome(Missed),
    /// The answer to `Register` and `Enter`.
    Entered {
        ticket: Ticket,
        answer: Result<Entered, Refused>,
    },
    Done {
        ticket: Ticket,
        answer: Result<usize, Refused>,
    },
    Online {
        ticket: Ticket,
        answer: Vec<bool>,
    },
    CaughtUp {
        ticket: Ticket,
        answer: Option<Watermark>,
    },
    /// Entries for several sessions, which name it by its place among the blocks of the packet.
    Block {
        lines: ByteBuf,
        last: EntryId,
        from: Handle,
        to: Target,
    },
    /// What does this node answer?
    Report {
        inquiry: u64,
        question: NodeQuestion,
    },
    /// The answers of all others.
    Reports {
        ticket: Ticket,
        answer: Vec<NodeReport>,
    },
    /// What a session put has its message: it forgets it before it is answered.
    Taken(SessionNumber),
    Told(Told),
    /// At another node.
    Event(NodeEvent),
}

/// Sessions of a door that have missed something, while it had no leader.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Missed {
    /// Perhaps all.
    All,
    /// Only these.
    Only(Vec<SessionNumber>),
}

/// What one session is told.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Told {
    pub(super) session: SessionNumber,
    pub(super) items: Vec<Item>,
    /// Final lines among the items.
    pub(super) answered: u32,
    /// The last message that it has sent.
    pub(super) sent: Option<EntryId>,
    /// What it has done itself.
    pub(super) entries: Vec<EntryId>,
    pub(super) moves: Vec<MoveNumber>,
    pub(super) unspent: Option<Unspent>,
    pub(super) forwarded: u64,
    /// Messages that were deleted, with the marks that did it.
    pub(super) deleted: Vec<(EntryId, EntryId)>,
    /// How many more of its moves were not recorded.
    pub(super) lost_moves: u32,
    /// Why it ends: the word after `BYE`.
    pub(super) bye: Option<String>,
    /// It ends without a word.
    pub(super) cut: bool,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Item {
    Replies(ByteBuf),
    Receipts { lines: ByteBuf, upto: MoveNumber },
    Notices(ByteBuf),
    Block(usize),
}

/// The refusals of logins, registrations and orders.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Refused {
    Taken(Handle),
    NoSuchUser(Handle),
    NoSuchMessage(i64),
    NoMessageHasId(i64),
    NotAMessage { id: i64, about: Option<i64> },
    NotAMessageButExpire(i64),
    Gone(i64),
    WrongOld,
    NotInvited,
    TooManySessions,
    TooManyDevices,
    Storage,
    Held,
    Broken,
    Bug,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Refused {
        match refusal {
            Refusal::Taken(handle) => Refused::Taken(handle),
            Refusal::NoSuchUser(handle) => Refused::NoSuchUser(handle),
            Refusal::NoSuchMessage(id) => Refused::NoSuchMessage(id),
            Refusal::NoMessageHasId(id) => Refused::NoMessageHasId(id),
            Refusal::NotAMessage { id, about } => Refused::NotAMessage { id, about },
            Refusal::NotAMessageButExpire(id) => Refused::NotAMessageButExpire(id),
            Refusal::Gone(id) => Refused::Gone(id),
            Refusal::WrongOld => Refused::WrongOld,
            Refusal::NotInvited => Refused::NotInvited,
            refusal if refusal == Refusal::SESSIONS_FULL => Refused::TooManySessions,
            refusal if refusal == Refusal::DEVICES_FULL => Refused::TooManyDevices,
            Refusal::Storage => Refused::Storage,
            Refusal::Held => Refused::Held,
            Refusal::Broken => Refused::Broken,
            Refusal::Bug => Refused::Bug,
            other => {
                log::error!("bug: no other node can be told: {other}");
                Refused::Bug
            }
        }
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Refusal {
        match refused {
            Refused::Taken(handle) => Refusal::Taken(handle),
            Refused::NoSuchUser(handle) => Refusal::NoSuchUser(handle),
            Refused::NoSuchMessage(id) => Refusal::NoSuchMessage(id),
            Refused::NoMessageHasId(id) => Refusal::NoMessageHasId(id),
            Refused::NotAMessage { id, about } => Refusal::NotAMessage { id, about },
            Refused::NotAMessageButExpire(id) => Refusal::NotAMessageButExpire(id),
            Refused::Gone(id) => Refusal::Gone(id),
            Refused::WrongOld => Refusal::WrongOld,
            Refused::NotInvited => Refusal::NotInvited,
            Refused::TooManySessions => Refusal::SESSIONS_FULL,
            Refused::TooManyDevices => Refusal::DEVICES_FULL,
            Refused::Storage => Refusal::Storage,
            Refused::Held => Refusal::Held,
            Refused::Broken => Refusal::Broken,
            Refused::Bug => Refusal::Bug,
        }
    }
}

/// A packet.
pub(super) fn encode<T: Serialize>(frames: &T) -> Vec<u8> {
    postcard::to_stdvec(frames).unwrap_or_else(|e| {
        // Everything in them has a form in postcard.
        log::error!("bug: what is for another node cannot be encoded: {e}");
        Vec::new()
    })
}

/// What is in a packet, if it makes sense.
pub(super) fn decode<T: DeserializeOwned>(packet: &[u8]) -> Option<T> {
    postcard::from_bytes(packet).inspect_err(|e| log::error!("a packet of a node: {e}")).ok()
}
