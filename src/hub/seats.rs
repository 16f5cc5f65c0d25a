//! Seats: sessions that log in, catch up and leave, and what is undone if a batch is not recorded.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

#[cfg(feature = "postgres")]
use super::Work;
use super::flows::Party;
use super::watch::Awaits;
use super::{Entered, HubState, Presence, Seat, SeatedDevice};
use crate::chat::{Act, Batch, Effect, Who};
use crate::entry::{
    AccountId, DeviceNumber, EntryKind, Key, Millis, MoveNumber, SessionId, TokenId,
};
use crate::name::DeviceName;
use crate::outbox::{Outbox, Unspent, Watermark};
use crate::store::{Change, DeviceChange, NewEntry};
use crate::wire::refusal::Refusal;
use crate::wire::request::{Events, GroupChange};

/// Changes from failed batches that no command waits for. The next batch that writes anything
/// writes them as well. At most one for each account, each device
/// and each token.
#[derive(Default)]
pub(super) struct Unkept {
    shown: FxHashMap<(AccountId, Option<DeviceNumber>), (MoveNumber, Option<Millis>)>,
    used: FxHashMap<TokenId, Millis>,
}

impl Unkept {
    pub(super) fn note(&mut self, change: &Change) {
        let mut shown = |of, upto: MoveNumber, seen: Option<Millis>| {
            let known = self.shown.entry(of).or_default();
            *known = (known.0.max(upto), seen.or(known.1));
        };
        match change {
            Change::Shown { account, upto, seen } => shown((*account, None), *upto, *seen),
            Change::Device { account, change: DeviceChange::Shown(number, upto, seen) } => {
                shown((*account, Some(*number)), *upto, *seen);
            }
            Change::TokenUsed { id, time } => {
                self.used.insert(*id, *time);
            }
            _ => {}
        }
    }

    /// Adds them to a batch, unless it is empty: while the disk fails, a batch that only reads need
    /// not fail as well.
    pub(super) fn retry(&mut self, changes: &mut Vec<Change>) {
        if changes.is_empty() {
            return;
        }
        let shown = self.shown.drain();
        changes.extend(shown.map(|((account, device), (upto, seen))| match device {
            None => Change::Shown { account, upto, seen },
            Some(number) => {
                let change = DeviceChange::Shown(number, upto, seen);
                Change::Device { account, change }
            }
        }));
        changes.extend(self.used.drain().map(|(id, time)| Change::TokenUsed { id, time }));
    }

    /// The same for another leader.
    #[cfg(feature = "postgres")]
    pub(super) fn works(self) -> impl Iterator<Item = Work> {
        let shown = self.shown.into_iter().map(|((account, device), (upto, seen))| Work::Shown {
            account,
            device,
            upto,
            seen,
        });
        shown.chain(self.used.into_keys().map(Work::Used))
    }
}

impl HubState {
    /// Logs a session in, unless the account has `most` (0: no limit) already, or is to have too
    /// many devices.
    pub(super) fn log_in(
        &mut self,
        session: SessionId,
        (account, device): (AccountId, Option<DeviceName>),
        opened: (Key, Events),
        most: usize,
        outbox: Arc<Outbox>,
    ) -> Result<Entered, Refusal> {
        let others = self.online.get(&account).map_or(0, |p| p.sessions.len());
        if most > 0 && others >= most {
            return Err(Refusal::SESSIONS_FULL);
        }
        let place = self.told.entries;
        let device = match device {
            Some(name) => Some(self.decide(|chat| chat.device(account, &name, place))?),
            None => None,
        };
        Ok(self.enter(session, account, device, opened, outbox))
    }

    /// `device`: its number, and whether it was just made.
    pub(super) fn enter(
        &mut self,
        session: SessionId,
        account: AccountId,
        device: Option<(DeviceNumber, bool)>,
        (key, events): (Key, Events),
        outbox: Arc<Outbox>,
    ) -> Entered {
        let upto = self.told;
        let presence = self.online.entry(account).or_insert_with(|| Presence {
            sessions: SmallVec::new(),
            newest: upto.entries,
            moved: upto.moves,
            due: upto.moves,
        });
        // A new device begins with what the account was shown.
        let number = device.map(|(number, _)| number);
        let alike = device.filter(|(_, is_new)| !is_new).map(|(number, _)| number);
        let here = presence.sessions.iter().filter_map(|s| self.seats.get(s));
        let here = here.filter(|seat| seat.online && seat.device() == alike);
        let shown = here.map(|seat| seat.shown(seat.outbox.proved(), presence.due, upto.moves));
        let shown = shown.max().unwrap_or_default();
        presence.sessions.push(session);
        let seat = Seat {
            account,
            outbox,
            key,
            device: number.map(|number| Box::new(SeatedDevice { number, due: upto.moves })),
            events,
            pushes: false,
            online: false,
            awaits: None,
            revoked: false,
        };
        self.tally.behind += u64::from(seat.is_behind());
        self.seats.insert(session, Box::new(seat));
        #[cfg(feature = "postgres")]
        if let Some(doors) = &mut self.doors {
            doors.note(session);
        }
        Entered { account, upto, shown, device }
    }

    pub(super) fn caught_up(&mut self, session: SessionId, upto: Watermark) -> Option<Watermark> {
        let seat = self.seats.get_mut(&session)?;
        seat.online = seat.events == Events::All;
        let presence = self.online.get(&seat.account)?;
        // What this batch decides is told afterwards, when the session is live.
        if presence.newest <= upto.entries && presence.moved <= upto.moves {
            self.tally.behind -= u64::from(seat.is_behind());
            seat.pushes = true;
            // Its own entries and moves from while it was behind need not be noted any more. They
            // are dropped here and not by the session, which may fall behind again before it looks.
            seat.outbox.take_authored();
            seat.outbox.take_moved();
            if let Some(notices) = self.notices.remove(&session) {
                seat.outbox.push_notices(&notices, upto);
                self.to_wake.push(seat.outbox.clone());
            }
            return None;
        }
        Some(self.told)
    }

    pub(super) fn leave(&mut self, session: SessionId, shown: Option<MoveNumber>) {
        let presence = self.seats.get(&session).and_then(|seat| self.online.get(&seat.account));
        let due = presence.map_or(self.told.moves, |presence| presence.due);
        let Some(seat) = self.vacate(session).filter(|seat| seat.online) else { return };
        // A session that fell behind was sent less than was told, and may not have noticed.
        let fell = seat.outbox.fell_behind().filter(|_| !seat.pushes).map(|at| at.moves);
        let upto = match shown {
            Some(upto) => seat.shown(upto, due, self.told.moves),
            None => self.told.moves,
        };
        let upto = fell.map_or(upto, |fell| fell.min(upto));
        self.shown(seat.account, seat.device(), upto, Some(self.now));
    }

    /// Removes a session's seat, its `WAIT` and its presence.
    pub(super) fn vacate(&mut self, session: SessionId) -> Option<Box<Seat>> {
        let seat = self.seats.remove(&session)?;
        self.prepared.remove(&session);
        self.notices.remove(&session);
        self.tally.behind -= u64::from(seat.is_behind());
        if let Some(presence) = self.online.get_mut(&seat.account) {
            presence.sessions.retain(|s| *s != session);
            if presence.sessions.is_empty() {
                self.online.remove(&seat.account);
                self.owed.remove(&seat.account);
            }
        }
        #[cfg(feature = "postgres")]
        if let Some(doors) = &mut self.doors {
            doors.forget(session);
        }
        if let Some(awaits) = seat.awaits() {
            self.drop_watch(session, awaits);
        }
        Some(seat)
    }

    /// Records that an account, or a device of it, has been shown the receipts up to a move.
    pub(super) fn shown(
        &mut self,
        account: AccountId,
        device: Option<DeviceNumber>,
        upto: MoveNumber,
        seen: Option<Millis>,
    ) {
        // Merged with a record that could not be written before: with two records for one account,
        // the older one might be written last.
        let (before, ended) = self.unkept.shown.remove(&(account, device)).unwrap_or_default();
        self.chat.shown(account, device, upto.max(before), seen.or(ended));
    }

    /// Undoes what was changed here for a batch that is not on disk.
    pub(super) fn take_back(&mut self, batch: &Batch) {
        for session in std::mem::take(&mut self.revoked) {
            // The batch was not recorded, so the key is still valid.
            if let Some(seat) = self.seats.get_mut(&session) {
                seat.revoked = false;
            }
        }
        for session in std::mem::take(&mut self.covering) {
            self.lose_moves(session);
        }
        for change in &batch.changes {
            self.unkept.note(change);
        }
        for (who, effect) in &batch.effects {
            if let Effect::Entry { at, .. } = effect
                && let Some(Change::Entry(NewEntry { pos, kind, body, tags, .. })) =
                    batch.changes.get(*at)
            {
                let is_forwarded = tags.as_ref().is_some_and(|tags| tags.fwd > 0);
                let unspent = match kind {
                    EntryKind::Message if is_forwarded => Unspent::default(),
                    EntryKind::Message | EntryKind::Edit => {
                        Unspent { bytes: body.len() as u64, groups: 0 }
                    }
                    EntryKind::Group => Unspent { bytes: 0, groups: u64::from(pos.seq == 1) },
                    EntryKind::Expire | EntryKind::Del | EntryKind::React | EntryKind::Flag => {
                        Unspent::default()
                    }
                };
                self.give_back(who.session, unspent);
            }
        }
    }

    /// Refunds what a session's account was charged for something that was not recorded.
    pub(super) fn give_back(&mut self, session: SessionId, unspent: Unspent) {
        if let Some(seat) = self.seats.get(&session)
            && unspent != Unspent::default()
        {
            seat.outbox.give_back(unspent);
        }
    }

    /// Lets a session know that a bare `ACK` or `READ` of it was not recorded.
    pub(super) fn lose_moves(&mut self, session: SessionId) {
        if let Some(seat) = self.seats.get(&session) {
            seat.outbox.lose_moves();
            self.to_wake.push(seat.outbox.clone());
        }
    }
}

/// What an act counts towards its account's daily limits.
pub(super) fn charged(act: &Act) -> Unspent {
    let is_new_group = matches!(act, Act::Group { change: GroupChange::New(_), .. });
    Unspent { bytes: act.bytes() as u64, groups: u64::from(is_new_group) }
}

impl Seat {
    pub(super) fn party(&self) -> Party {
        Party { origin: self.outbox.origin().rate_key(), account: self.account }
    }

    pub(super) fn who(&self, session: SessionId) -> Who {
        Who { session, account: self.account, key: self.key, device: self.device() }
    }

    pub(super) fn awaits(&self) -> Option<Awaits> {
        self.awaits.as_deref().copied()
    }

    pub(super) fn device(&self) -> Option<DeviceNumber> {
        self.device.as_ref().map(|device| device.number)
    }

    /// Whether it is noted what the session does itself: it has to leave that out of what it reads
    /// from the log. Of a session of another node only that node knows whether it reads.
    pub(super) fn notes_own(&self, session: SessionId) -> bool {
        session.node() > 0 || self.is_behind()
    }

    /// Whether it has to read from the log what it is not pushed.
    pub(super) fn is_behind(&self) -> bool {
        !self.pushes && self.events != Events::Quiet
    }

    /// The move up to which its account has been shown the receipts, if this session has proved
    /// those up to `proved`, the newest that the account was due is `due`, and the newest of all is
    /// `told`. If it has proved all that the account was due, no later move had a receipt for the
    /// account. A device is due more: what other sessions of its account have read.
    fn shown(&self, proved: MoveNumber, due: MoveNumber, told: MoveNumber) -> MoveNumber {
        let due = self.device.as_ref().map_or(due, |device| device.due);
        if self.pushes && proved >= due { told } else { proved }
    }
}
