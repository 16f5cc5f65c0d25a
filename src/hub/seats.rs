//! Seats: sessions that come, catch up and leave.

use std::sync::Arc;

use smallvec::SmallVec;

use super::{Desk, Entered, Presence, Seat};
use crate::entry::{AccountId, Key, Millis, MoveNumber, SessionId};
use crate::outbox::{Behind, Outbox};

impl Desk {
    pub(super) fn enter(
        &mut self,
        session: SessionId,
        account: AccountId,
        key: Key,
        quiet: bool,
        outbox: Arc<Outbox>,
    ) -> Entered {
        let upto = self.told;
        let presence = self.online.entry(account).or_insert_with(|| Presence {
            sessions: SmallVec::new(),
            newest: upto.entries,
            moved: upto.moves,
            due: upto.moves,
        });
        let here = presence.sessions.iter().filter_map(|s| self.seats.get(s)).filter(|s| s.here);
        let shown = here.map(|seat| seat.shown(seat.outbox.proved(), presence.due, upto.moves));
        let shown = shown.max().unwrap_or_default();
        presence.sessions.push(session);
        let seat = Seat {
            account,
            outbox,
            key,
            quiet,
            live: false,
            here: false,
            watches: None,
            void: false,
        };
        self.tally.behind += u64::from(seat.is_behind());
        self.seats.insert(session, seat);
        Entered { account, upto, shown }
    }

    pub(super) fn caught_up(&mut self, session: SessionId, upto: Behind) -> Option<Behind> {
        let seat = self.seats.get_mut(&session)?;
        seat.here = true;
        let presence = self.online.get(&seat.account)?;
        // What this batch decides is told after it, so to a session that is live by then.
        if presence.newest <= upto.entries && presence.moved <= upto.moves {
            self.tally.behind -= u64::from(seat.is_behind());
            seat.live = true;
            // What it did itself while it was behind needs no note any more. Here and not in the
            // session, since it may fall behind again before that looks.
            seat.outbox.take_authored();
            seat.outbox.take_moved();
            return None;
        }
        Some(self.told)
    }

    pub(super) fn leave(&mut self, session: SessionId, shown: Option<MoveNumber>) {
        let presence = self.seats.get(&session).and_then(|seat| self.online.get(&seat.account));
        let due = presence.map_or(self.told.moves, |presence| presence.due);
        let Some(seat) = self.vacate(session).filter(|seat| seat.here) else { return };
        // One that fell behind was sent less than was told, and may not have noticed.
        let fell = seat.outbox.fell_behind().filter(|_| !seat.live).map(|at| at.moves);
        let upto = match shown {
            Some(upto) => seat.shown(upto, due, self.told.moves),
            None => self.told.moves,
        };
        self.shown(seat.account, fell.map_or(upto, |fell| fell.min(upto)), Some(self.now));
    }

    /// Takes a session off the list.
    pub(super) fn vacate(&mut self, session: SessionId) -> Option<Seat> {
        let seat = self.seats.remove(&session)?;
        self.tally.behind -= u64::from(seat.is_behind());
        if let Some(presence) = self.online.get_mut(&seat.account) {
            presence.sessions.retain(|s| *s != session);
            if presence.sessions.is_empty() {
                self.online.remove(&seat.account);
            }
        }
        if let Some(conversation) = seat.watches {
            self.drop_watch(session, conversation);
        }
        Some(seat)
    }

    /// Notes that an account was shown the receipts up to a move.
    pub(super) fn shown(&mut self, account: AccountId, upto: MoveNumber, seen: Option<Millis>) {
        self.chat.shown(account, upto, seen);
    }
}

impl Seat {
    /// Up to where its account has been shown the receipts if this session proves those up to
    /// `proved`, the newest that the account was due is `due`, and the newest of all is `told`:
    /// where it proves all that the account was due, no later move has a receipt for it.
    fn shown(&self, proved: MoveNumber, due: MoveNumber, told: MoveNumber) -> MoveNumber {
        if self.live && proved >= due { told } else { proved }
    }
}
