//! The sessions of a door, as far as the door has to know them: to keep them when the leader goes,
//! and to seat them with the next one.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::frames::{Item, Seated, SourceOutbox, Told};
use crate::entry::{AccountId, Condition, DeviceNumber, EntryId, Key, MoveNumber, SessionId};
use crate::hub::{Entered, HubState, Work};
use crate::outbox::{Block, Drained, Outbox, Outgoing, Watermark, Withdrawal};
use crate::store::OpenedBy;
use crate::store::placed::PlacedFile;
use crate::wire::request::Events;
use crate::wire::rows::Bye;

/// A session of a door.
pub(super) struct DoorSession {
    pub(super) account: AccountId,
    pub(super) device: Option<DeviceNumber>,
    /// The newest move that was told to it.
    pub(super) due: MoveNumber,
    pub(super) key: Key,
    /// Digests of the hashes of passwords that may have opened it.
    pub(super) secrets: [u64; 2],
    pub(super) events: Events,
    pub(super) outbox: Arc<Outbox>,
    /// It is pushed what the leader pushes to it; else it reads from the log.
    pub(super) pushes: bool,
    /// It has been sent `LIVE`.
    pub(super) online: bool,
    /// Final lines that the leader owes it, that of its `WAIT` included.
    pub(super) unanswered: u32,
    /// Its `WAIT`, if it has one.
    pub(super) watch: Option<(EntryId, Condition)>,
    /// It has handed over acts that get no answer.
    pub(super) has_unasked: bool,
    /// What its `FILE` that is under way sends: as long as it is here, this node holds it.
    pub(super) put: Option<Arc<PlacedFile>>,
}

/// What became of a session whose leader has gone.
pub(super) enum Left {
    /// It was ended: nobody knows what became of a command of its.
    Cut,
    /// It goes on, and has to ask again for this.
    Stays(Option<Work>),
}

impl DoorSession {
    /// One that has just logged in. A new account has nothing to catch up with.
    pub(super) fn new(
        entered: &Entered,
        is_new: bool,
        (key, secret): (Key, u64),
        events: Events,
        outbox: Arc<Outbox>,
    ) -> DoorSession {
        DoorSession {
            account: entered.account,
            device: entered.device.map(|(number, _)| number),
            due: entered.upto.moves,
            key,
            secrets: [secret; 2],
            events,
            outbox,
            pushes: is_new,
            online: is_new,
            unanswered: 0,
            watch: None,
            has_unasked: false,
            put: None,
        }
    }

    /// Puts in what the leader says to it. `told` is up to where it was told everything before.
    /// Returns whether it has fallen behind with this.
    pub(super) fn tell(
        &mut self,
        told: Told,
        blocks: &[Arc<Block>],
        before: Watermark,
        withdrawal: &mut Option<((EntryId, EntryId), Withdrawal)>,
    ) -> bool {
        let outbox = &self.outbox;
        let items = told.items.into_iter().filter_map(|item| {
            Some(match item {
                Item::Replies(lines) => Outgoing::Replies(lines.into_vec()),
                Item::Receipts { lines, upto } => {
                    self.due = upto;
                    Outgoing::Receipts { lines: lines.into_vec(), upto }
                }
                Item::Notices(lines) => Outgoing::Notices(lines.into_vec()),
                Item::Block(at) => Outgoing::Block(blocks.get(at)?.clone()),
            })
        });
        let drained = Drained {
            items: items.collect(),
            answered: told.answered,
            behind: None,
            unspent: told.unspent,
            forwarded: told.forwarded,
        };
        self.unanswered = self.unanswered.saturating_sub(told.answered);
        if self.unanswered == 0 {
            (self.watch, self.put) = (None, None);
        }
        (0..told.lost_moves).for_each(|_| outbox.lose_moves());
        let falls = outbox.deliver(drained, told.sent, !self.pushes, before);
        self.pushes &= !falls;
        if !self.pushes && self.events != Events::Quiet {
            // The log has them, and it was told of them already.
            told.entries.into_iter().for_each(|id| outbox.authored(id));
            told.moves.into_iter().for_each(|number| outbox.moved(number));
        }
        for of in told.deleted {
            if withdrawal.as_ref().is_none_or(|(known, _)| *known != of) {
                *withdrawal = Some((of, Withdrawal::new(of.0, of.1)));
            }
            if let Some((_, withdrawal)) = withdrawal {
                outbox.withdraw(withdrawal);
            }
        }
        if let Some(bye) = told.bye.as_deref().and_then(Bye::new) {
            outbox.hang_up(bye);
        }
        if told.cut {
            outbox.cut();
        }
        outbox.wake();
        falls
    }

    /// The session asked to be live, since it has read everything up to `upto`, and is.
    pub(super) fn goes_live(&mut self, upto: Watermark) {
        (self.pushes, self.due) = (true, upto.moves);
        self.outbox.take_authored();
        self.outbox.take_moved();
    }

    /// The leader has gone. Whether the session has missed something shows with the next one, so one
    /// that waits for nothing is not woken.
    pub(super) fn lose_leader(&mut self, session: SessionId) -> Left {
        if self.unanswered > u32::from(self.watch.is_some()) {
            self.outbox.cut();
            return Left::Cut;
        }
        if std::mem::take(&mut self.has_unasked) {
            self.outbox.lose_moves();
            self.outbox.wake();
        }
        let again = self.watch.take().map(|(id, until)| Work::Watch { session, id, until });
        (self.unanswered, self.put) = (0, None);
        Left::Stays(again)
    }

    /// It has missed something since it was told everything up to `told`: if it was pushed to, it reads
    /// from the log.
    pub(super) fn has_missed(&mut self, told: Watermark) {
        if std::mem::replace(&mut self.pushes, false) {
            self.outbox.fall_behind(told);
            self.outbox.wake();
        }
    }

    /// Up to where its account has been shown the receipts, when it leaves: `shown`, or all that was
    /// put into its outbox.
    pub(super) fn shown(&self, shown: Option<MoveNumber>, told: Watermark) -> MoveNumber {
        let shown = shown.unwrap_or(told.moves);
        match self.outbox.fell_behind() {
            Some(fell) if !self.pushes => shown.min(fell.moves),
            _ => shown,
        }
    }

    /// What has opened it.
    pub(super) fn opened_by(&self) -> OpenedBy {
        let DoorSession { account, device, key, secrets, .. } = *self;
        OpenedBy { account, device, key, secrets }
    }

    /// How the next leader knows it.
    pub(super) fn seated(&self, session: SessionId) -> Seated {
        Seated {
            session: session.0,
            account: self.account,
            device: self.device,
            due: self.due,
            key: self.key,
            secrets: self.secrets,
            events: self.events,
            online: self.online,
            pushes: self.pushes,
            proved: self.outbox.proved(),
            outbox: SourceOutbox::of(&self.outbox),
        }
    }
}

impl Seated {
    /// What has opened it.
    pub(super) fn opened_by(&self) -> OpenedBy {
        let Seated { account, device, key, secrets, .. } = *self;
        OpenedBy { account, device, key, secrets }
    }
}

impl HubState {
    /// The sessions of this node go on with this hub, since it leads now, but for those whose keys are
    /// not valid any more. They were told everything up to `told`.
    pub(super) fn adopt(
        &mut self,
        sessions: FxHashMap<SessionId, DoorSession>,
        valid: &[bool],
        told: Watermark,
    ) {
        for ((session, mut standing), is_valid) in sessions.into_iter().zip(valid) {
            if *is_valid {
                if told != self.told {
                    standing.has_missed(told);
                }
                self.seat_again(session, &standing.seated(session), standing.outbox.clone());
            } else {
                standing.outbox.cut();
            }
        }
    }
}
