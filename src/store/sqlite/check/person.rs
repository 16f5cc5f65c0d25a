//! A member of a conversation during the check: its row, and what has been counted for it so far.

use crate::entry::{EntryId, MoveNumber};
use crate::store::{Member, Position, Stay};

/// A member, and what the pass has counted for it.
pub(super) struct Person {
    pub(super) member: Member,
    /// `until_seq` of its row.
    pub(super) until_seq: Option<i64>,
    /// Number of entries that it wrote.
    pub(super) written: i64,
    pub(super) last_own: EntryId,
    /// In a direct chat: the first entry that waits for it.
    pub(super) waits: Option<EntryId>,
    /// The log's `lost` when `written` was last known. It is known now if both are equal.
    pub(super) known_at: i64,
    /// Number of entries that it saw in past stays, and the index of the first stay not among them.
    seen: i64,
    stay: usize,
}

impl Person {
    pub(super) fn new(member: Member, until_seq: Option<i64>) -> Person {
        let (last_own, written, known_at, seen, stay) = (EntryId(0), 0, 0, 0, 0);
        Person { member, until_seq, written, last_own, waits: None, known_at, seen, stay }
    }

    /// What is wrong with its row and its stays, whatever the entries are.
    pub(super) fn faults(&self, is_group: bool, moved: MoveNumber) -> Vec<&'static str> {
        let member = &self.member;
        let (stays, d, r) = (&member.stays, &member.delivered, &member.read);
        let ends = stays.iter().map(|stay| stay.until.map_or(i64::MAX, |(_, seq)| seq));
        let after = stays.iter().skip(1).map(|stay| stay.since.1);
        let in_order = ends.clone().zip(after).all(|(end, since)| end < since)
            && stays.iter().zip(ends).all(|(stay, end)| stay.since.1 <= end);
        let left = stays.last().and_then(|stay| stay.until).map(|(_, seq)| seq);
        let is_named = |at: &Position| {
            at.told <= at.id && (at.told == EntryId(0)) == (at.number == MoveNumber(0))
        };
        let faults = [
            (is_group == stays.is_empty(), "has no stay in the group, or one without a group"),
            (!in_order, "has stays that are not in their order"),
            (left != self.until_seq, "left elsewhere than where its last stay ends"),
            (r.id > d.id, "has read more than it has received"),
            (
                member.shown_read.is_some_and(|shown| {
                    is_group || shown.id >= r.told || shown.number >= r.number
                }),
                "has read privately what it has not read",
            ),
            (
                d.number.max(r.number) > moved,
                "has moved a cursor later than the conversation knows",
            ),
            (!is_named(d) || !is_named(r), "has a cursor that is not where its last move led"),
            (
                left.is_some_and(|left| d.seq > left || member.admin),
                "is out of the group, and its cursor or its rights are not",
            ),
        ];
        faults.into_iter().filter(|(is_so, _)| *is_so).map(|(_, said)| said).collect()
    }

    /// How many entries up to the `seq`-th do not wait for it. Calls must have ascending `seq`.
    pub(super) fn exempt(&mut self, seq: i64) -> i64 {
        let stays = &self.member.stays;
        if stays.is_empty() {
            return self.written;
        }
        while let Some(Stay { since, until: Some((_, until)), .. }) = stays.get(self.stay)
            && *until < seq
        {
            self.seen += until - since.1 + 1;
            self.stay += 1;
        }
        let now = stays.get(self.stay).map_or(0, |stay| (seq - stay.since.1 + 1).max(0));
        seq - self.seen - now + self.written
    }
}
