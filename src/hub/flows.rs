//! The order of turns: addresses take turns by what they have cost, and so do the accounts of each
//! address ("start-time fair queueing", Goyal, Vin and Cheng, 1996, in two levels).
//!
//! So two hundred accounts from one address, each of which has little to ask for, delay others no
//! more than one account with as much to ask for does.

use std::collections::BTreeMap;
use std::collections::btree_map::Values;
use std::hash::Hash;

use rustc_hash::FxHashMap;

use crate::entry::AccountId;
use crate::limits;
use crate::origin::Origin;

/// An account, as far as it asks from one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Party {
    /// As limits count it ([`Origin::rate_key`]).
    pub(super) origin: Origin,
    pub(super) account: AccountId,
}

/// The place of one who takes turns: the weight that it has had, on a scale common to all that have
/// work, and as a tie-breaker the order in which they joined.
type Standing = (u64, u64);

/// One whose turn it is.
#[derive(Clone, Copy)]
pub(super) struct PartyTurn {
    pub(super) party: Party,
    /// The place of the account among those of its address.
    place: Standing,
}

/// What becomes of an account after its turn.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    GoesOn,
    /// It takes no turns until [`Flows::go_on`].
    Rests,
    /// It has no more work.
    Leaves,
}

/// One level: all addresses, or the accounts of one.
struct Level<K> {
    /// Those that have work, in order.
    turns: BTreeMap<Standing, K>,
    /// The highest place from which one has had a turn.
    front: u64,
    /// Where those go on that have no work now but had more than those that do.
    ahead: FxHashMap<K, u64>,
    /// How many have joined so far.
    joined: u64,
}

impl<K: Copy + Eq + Hash> Level<K> {
    fn new() -> Level<K> {
        let (turns, ahead) = (BTreeMap::new(), FxHashMap::default());
        Level { turns, front: limits::TURN as u64, ahead, joined: 0 }
    }

    /// Where one starts after a rest: one turn before those that have work, which may all stand at
    /// the same place.
    fn start(&self) -> u64 {
        self.front.saturating_sub(limits::TURN as u64)
    }

    /// The place of one that joins.
    fn join(&mut self, key: K) -> Standing {
        let at = self.ahead.remove(&key).unwrap_or_default().max(self.start());
        self.joined += 1;
        (at, self.joined)
    }

    /// Notes a turn from this place. Returns whether whoever has it comes after a rest.
    fn serve(&mut self, place: Standing) -> bool {
        let is_first = place.0 < self.front;
        self.front = self.front.max(place.0);
        is_first
    }

    /// Forgets who is not ahead of the others any more.
    fn forget(&mut self, is_idle: bool) {
        if is_idle {
            // None has work, so there is nobody to be ahead of.
            self.ahead.clear();
        } else {
            let start = self.start();
            self.ahead.retain(|_, at| *at > start);
        }
    }
}

/// An address some of whose accounts have work.
struct ActiveOrigin {
    place: Standing,
    accounts: Level<AccountId>,
    /// How many of them have work, those that rest and have their turn included.
    busy: usize,
}

/// See the module documentation.
pub(super) struct Flows {
    origins: Level<Origin>,
    sources: FxHashMap<Origin, ActiveOrigin>,
}

impl Flows {
    pub(super) fn new() -> Flows {
        Flows { origins: Level::new(), sources: FxHashMap::default() }
    }

    /// Begins a batch: addresses that have no work leave.
    pub(super) fn begin(&mut self) {
        let ahead = &mut self.origins.ahead;
        self.sources.retain(|origin, source| {
            source.accounts.forget(source.busy == 0);
            if source.busy == 0 {
                ahead.insert(*origin, source.place.0);
            }
            source.busy > 0
        });
        self.origins.forget(self.sources.is_empty());
    }

    /// An account has work and takes turns from now on.
    pub(super) fn join(&mut self, Party { origin, account }: Party) {
        let origins = &mut self.origins;
        let source = self.sources.entry(origin).or_insert_with(|| {
            let (place, accounts) = (origins.join(origin), Level::new());
            ActiveOrigin { place, accounts, busy: 0 }
        });
        source.busy += 1;
        let place = source.accounts.join(account);
        source.accounts.turns.insert(place, account);
        origins.turns.insert(source.place, origin);
    }

    /// The next turn. It has to be ended before another one is taken.
    pub(super) fn next(&mut self) -> Option<PartyTurn> {
        let origin = *self.origins.turns.first_key_value()?.1;
        let source = self.sources.get_mut(&origin)?;
        let (place, account) = source.accounts.turns.pop_first()?;
        Some(PartyTurn { party: Party { origin, account }, place })
    }

    /// Begins a turn. Returns whether the account, or its address among others, comes after a rest.
    pub(super) fn serve(&mut self, turn: &PartyTurn) -> bool {
        let Some(source) = self.sources.get_mut(&turn.party.origin) else { return false };
        let is_early = self.origins.serve(source.place) && self.origins.turns.len() > 1;
        source.accounts.serve(turn.place) || is_early
    }

    /// Ends a turn, which moves the account and its address back by `weight`.
    pub(super) fn end(&mut self, turn: &mut PartyTurn, weight: usize, then: Then) {
        let Party { origin, account } = turn.party;
        turn.place.0 += weight as u64;
        let Some(source) = self.sources.get_mut(&origin) else { return };
        self.origins.turns.remove(&source.place);
        source.place.0 += weight as u64;
        match then {
            Then::GoesOn => {
                source.accounts.turns.insert(turn.place, account);
            }
            Then::Rests => {}
            Then::Leaves => {
                source.busy -= 1;
                source.accounts.ahead.insert(account, turn.place.0);
            }
        }
        if !source.accounts.turns.is_empty() {
            self.origins.turns.insert(source.place, origin);
        }
    }

    /// Lets one that rested take turns again, where it stood.
    pub(super) fn go_on(&mut self, turn: PartyTurn) {
        let Party { origin, account } = turn.party;
        if let Some(source) = self.sources.get_mut(&origin) {
            source.accounts.turns.insert(turn.place, account);
            self.origins.turns.insert(source.place, origin);
        }
    }

    /// Those that have work and neither rest nor have their turn, in about the order in which they
    /// will: as if all turns cost the same. Of no more addresses than a batch has turns for.
    pub(super) fn ahead(&self) -> impl Iterator<Item = Party> {
        let origins = self.origins.turns.values().take(limits::BATCH / limits::FIRST_TURN);
        let mut rows: Vec<(Origin, Values<Standing, AccountId>)> = origins
            .filter_map(|origin| Some((*origin, self.sources.get(origin)?.accounts.turns.values())))
            .collect();
        let mut at = 0;
        std::iter::from_fn(move || {
            while !rows.is_empty() {
                at %= rows.len();
                let (origin, accounts) = &mut rows[at];
                if let Some(account) = accounts.next() {
                    at += 1;
                    return Some(Party { origin: *origin, account: *account });
                }
                drop(rows.remove(at));
            }
            None
        })
    }
}
