//! What a session knows of the account that it is logged in to. Thousands of sessions are idle, so
//! what few of them need is apart.

use smol::Timer;

use super::files::Put;
use super::proof::Proof;
use super::sent::SentUpto;
use crate::entry::{AccountId, DeviceNumber, EntryId, Key};
use crate::limits;
use crate::name::{Handle, Target};
use crate::outbox::Watermark;
use crate::store::Walk;
use crate::wire::request::Events;

/// A session's account, and what has been sent for it.
pub(super) struct Me {
    pub(super) account: AccountId,
    pub(super) handle: Handle,
    /// `SET ack auto`: entries written to the socket count as delivered.
    pub(super) auto: bool,
    pub(super) key: Key,
    /// What `LOGIN` asked for.
    pub(super) events: Events,
    /// Whether receipts are sent: `SET receipts`, and not `LOGIN … quiet`.
    pub(super) receipts: bool,
    /// Free `ACK`s and `READ`s left; see [`limits::FREE_MOVES`].
    pub(super) free_moves: u32,
    /// Last entries sent per conversation; `None` until something was sent.
    pub(super) sent: Option<Box<SentUpto>>,
    pub(super) proof: Proof,
    /// [`lost_moves`](crate::outbox::Outbox::lost_moves), as far as the session has noticed.
    pub(super) lost_moves: u32,
    /// Set while the session is served from the log.
    pub(super) behind: Option<Box<Lag>>,
    /// What most sessions never have; made when it is first needed.
    pub(super) extras: Option<Box<Extras>>,
}

/// What few sessions need. Apart, since thousands are idle.
#[derive(Default)]
pub(super) struct Extras {
    /// The device as which it logged in.
    pub(super) device: Option<DeviceNumber>,
    /// The only target that the token which opened the session may write to; then nothing else is
    /// served but `PING` and `QUIT`.
    pub(super) only: Option<Box<Target>>,
    /// Runs after `SET ack auto` failed to store what was delivered.
    pub(super) retry: Option<Box<Timer>>,
    /// Where the latest `SYNC` continues, if there was more.
    pub(super) sync: Option<Box<Walk>>,
    /// What was put.
    pub(super) put: Option<Box<Put>>,
    /// The message whose file a `GET` shows, while it may.
    pub(super) shows: Option<EntryId>,
}

impl Me {
    pub(super) fn extras(&mut self) -> &mut Extras {
        self.extras.get_or_insert_default()
    }

    pub(super) fn device(&self) -> Option<DeviceNumber> {
        self.extras.as_ref()?.device
    }

    /// See [`Extras::only`].
    pub(super) fn only(&self) -> Option<&Target> {
        self.extras.as_ref()?.only.as_deref()
    }

    /// See [`Extras::retry`].
    pub(super) fn retry(&mut self) -> Option<&mut Timer> {
        self.extras.as_mut()?.retry.as_deref_mut()
    }

    /// See [`Extras::shows`].
    pub(super) fn shows(&self) -> Option<EntryId> {
        self.extras.as_ref()?.shows
    }

    /// It was sent so many entries, whose `ACK`s and `READ`s are free.
    pub(super) fn may_move(&mut self, entries: usize) {
        let free = u32::try_from(entries * limits::FREE_MOVES).unwrap_or(u32::MAX);
        self.free_moves = self.free_moves.saturating_add(free);
    }
}

/// How far a session that is served from the log has come.
pub(super) struct Lag {
    pub(super) at: Watermark,
    pub(super) upto: Watermark,
    /// The position in the log, once reading has begun.
    pub(super) walk: Option<Walk>,
}
