//! What a new leader has to know of the time before it and of its first moments, so that doors which
//! have missed nothing go on at once: their sessions are not let in anew, and read nothing from the log.

use std::time::Instant;

use rustc_hash::FxHashSet;

use super::frames::{Missed, Seated, SessionNumber};
use crate::entry::{AccountId, EntryPos};
use crate::hub::HubState;
use crate::limits;
use crate::outbox::Watermark;
use crate::store::BatchId;

/// A term, from its beginning on.
pub(in crate::hub) struct Takeover {
    /// The term, and the last batch before it.
    before: BatchId,
    /// What was told before it.
    told: Watermark,
    /// A key, a device or an account was taken away since.
    has_revoked: bool,
    /// Who has been told something since, or would have been; `None`: nobody knows any more.
    told_since: Option<FxHashSet<AccountId>>,
    began: Instant,
}

/// Whether a door that has heard of this batch last has heard of all before a term: `before` names the
/// term, and the last batch before it.
pub(super) fn is_next(heard: BatchId, before: BatchId) -> bool {
    heard.term + 1 == before.term && heard.number == before.number
}

impl Takeover {
    pub(super) fn at(told: Watermark, before: BatchId) -> Takeover {
        let told_since = Some(FxHashSet::default());
        Takeover { before, told, has_revoked: false, told_since, began: Instant::now() }
    }

    /// These are told something, whether or not they have a session here.
    fn note_told(&mut self, accounts: impl Iterator<Item = AccountId>) {
        let Some(since) = &mut self.told_since else { return };
        since.extend(accounts.take(limits::TAKEOVER_ACCOUNTS + 1));
        if since.len() > limits::TAKEOVER_ACCOUNTS || self.began.elapsed() > limits::TAKEOVER {
            self.told_since = None;
        }
    }

    /// Whether all sessions of a door that has heard of this batch last would still be let in.
    pub(super) fn lets_all_in(&self, heard: BatchId) -> bool {
        !self.has_revoked && is_next(heard, self.before)
    }

    /// Which sessions of a door that were told everything up to `told` have missed something, if now
    /// everything up to `now` is told. These are not pushed to any more.
    pub(super) fn missed(
        &self,
        sessions: &mut [Seated],
        told: Watermark,
        now: Watermark,
    ) -> Missed {
        match &self.told_since {
            _ if told == now => Missed::Only(Vec::new()),
            Some(since) if told == self.told => {
                let missed =
                    sessions.iter_mut().filter(|it| it.pushes && since.contains(&it.account));
                Missed::Only(missed.map(fall_behind).collect())
            }
            _ => {
                sessions.iter_mut().for_each(|it| it.pushes = false);
                Missed::All
            }
        }
    }
}

fn fall_behind(session: &mut Seated) -> SessionNumber {
    session.pushes = false;
    session.session
}

impl HubState {
    /// Something of an account was taken away that had let it in.
    pub(in crate::hub) fn note_revoked(&mut self) {
        if let Some(doors) = &mut self.doors {
            doors.takeover.has_revoked = true;
        }
    }

    /// An entry is told. Of a large group it is not counted whom that concerns.
    pub(in crate::hub) fn note_readers(&mut self, pos: EntryPos, is_large: bool) {
        let Some(doors) = &mut self.doors else { return };
        match is_large {
            true => doors.takeover.told_since = None,
            false => doors.takeover.note_told(self.chat.readers(pos)),
        }
    }

    /// A receipt is told to these, or would be.
    pub(in crate::hub) fn note_receipt(&mut self, readers: &[AccountId]) {
        if let Some(doors) = &mut self.doors {
            doors.takeover.note_told(readers.iter().copied());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::{EntryId, Key, MoveNumber};
    use crate::hub::link::frames::SourceOutbox;
    use crate::origin::Origin;
    use crate::wire::request::Events;

    const BEFORE: BatchId = BatchId { term: 5, number: 70 };

    fn told(entry: i64, moved: i64) -> Watermark {
        Watermark { entries: EntryId(entry), moves: MoveNumber(moved) }
    }

    /// Sessions of the accounts of the same numbers.
    fn sessions() -> Vec<Seated> {
        let outbox = SourceOutbox { lost_moves: 0, origin: Origin::User(0) };
        let seated = |session: u64| Seated {
            session,
            account: AccountId(session as i64),
            device: None,
            due: MoveNumber(0),
            key: Key::Password,
            secrets: [0; 2],
            events: Events::All,
            online: true,
            pushes: session != 3,
            proved: MoveNumber(0),
            outbox,
        };
        (1..=3).map(seated).collect()
    }

    /// The sessions that have missed something; all: whoever was not pushed to before as well.
    fn missed(takeover: &Takeover, at: Watermark, now: Watermark) -> Option<Vec<SessionNumber>> {
        let mut all = sessions();
        let missed = takeover.missed(&mut all, at, now);
        let behind: Vec<_> = all.iter().filter(|it| !it.pushes).map(|it| it.session).collect();
        match missed {
            Missed::All => {
                assert_eq!(behind, [1, 2, 3]);
                None
            }
            Missed::Only(these) => {
                assert_eq!(behind, [&these[..], &[3]].concat());
                Some(these)
            }
        }
    }

    #[test]
    fn only_those_who_were_told_something_since_have_missed_it() {
        let mut takeover = Takeover::at(told(9, 4), BEFORE);
        assert_eq!(missed(&takeover, told(9, 4), told(9, 4)), Some(vec![]));
        takeover.note_told([2, 3, 7].map(AccountId).into_iter());
        assert_eq!(missed(&takeover, told(9, 4), told(10, 4)), Some(vec![2]));
        // What was told before the term began is not known here.
        assert_eq!(missed(&takeover, told(8, 4), told(10, 4)), None);
        assert_eq!(missed(&takeover, told(9, 3), told(10, 4)), None);
        // The line of a door that was told all has ended, and begins again.
        assert_eq!(missed(&takeover, told(10, 4), told(10, 4)), Some(vec![]));
    }

    #[test]
    fn whom_it_concerns_is_counted_up_to_a_bound() {
        let most = limits::TAKEOVER_ACCOUNTS as i64;
        let mut takeover = Takeover::at(told(9, 4), BEFORE);
        takeover.note_told((10..10 + most).map(AccountId));
        assert_eq!(missed(&takeover, told(9, 4), told(10, 4)), Some(vec![]));
        takeover.note_told([AccountId(1)].into_iter());
        assert_eq!(missed(&takeover, told(9, 4), told(11, 4)), None);
        let mut takeover = Takeover::at(told(9, 4), BEFORE);
        takeover.began -= limits::TAKEOVER;
        takeover.note_told([AccountId(1)].into_iter());
        assert_eq!(missed(&takeover, told(9, 4), told(10, 4)), None);
    }

    #[test]
    fn keys_hold_if_the_last_batch_of_the_term_before_was_heard_of() {
        let mut takeover = Takeover::at(told(9, 4), BEFORE);
        assert!(takeover.lets_all_in(BatchId { term: 4, number: 70 }));
        for (term, number) in [(4, 69), (4, 71), (3, 70), (5, 70), (0, 0)] {
            assert!(!takeover.lets_all_in(BatchId { term, number }), "{term} {number}");
        }
        takeover.has_revoked = true;
        assert!(!takeover.lets_all_in(BatchId { term: 4, number: 70 }));
    }
}
