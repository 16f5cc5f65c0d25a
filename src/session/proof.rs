//! Which receipts an account has certainly been shown.
//!
//! What is written to a socket may never be read: its reader is stopped, its machine is gone. So a
//! receipt counts as shown once a line has come that was sent after the receipt was written, or once
//! the client has ended in order. Until then it comes again with the next login.

use memchr::memrchr;

use super::Session;
use crate::entry::{Millis, MoveNumber};
use crate::hub::Work;
use crate::limits;

/// How far a session was written its account's receipts, and how far it proved that they came.
pub(super) struct Proof {
    /// The account has been shown all receipts up to this move.
    proved: MoveNumber,
    /// The first receipts that are not proved; the same as `last` where all are.
    first: Written,
    /// The last receipts that were written.
    last: Written,
    /// The session did not want them at some time, so those after `last` count as not written.
    is_withheld: bool,
    /// When the store last learned of `proved`.
    stored: Millis,
}

/// All receipts up to a move were written.
#[derive(Clone, Copy)]
struct Written {
    upto: MoveNumber,
    /// Bytes that had come by then and were not read: what stands in them proves nothing.
    stale: usize,
}

impl Proof {
    /// For a session whose account has been shown the receipts up to a move.
    pub(super) fn new(shown: MoveNumber, now: Millis) -> Proof {
        let written = Written { upto: shown, stale: 0 };
        let (first, last) = (written, written);
        Proof { proved: shown, first, last, is_withheld: false, stored: now }
    }

    /// All receipts up to this move were written.
    pub(super) fn upto(&self) -> MoveNumber {
        self.last.upto
    }

    /// Whether receipts were withheld from it.
    pub(super) fn is_withheld(&self) -> bool {
        self.is_withheld
    }

    /// Withholds receipts from now on.
    pub(super) fn withhold(&mut self) {
        self.is_withheld = true;
    }

    fn is_owed(&self) -> bool {
        self.first.upto > self.proved
    }

    /// Receipts up to a move were written, before which this many bytes were unread.
    pub(super) fn note_written(&mut self, upto: MoveNumber, unread: usize) {
        if !self.is_withheld {
            self.last = Written { upto, stale: unread };
            if !self.is_owed() {
                self.first = self.last;
            }
        }
    }

    /// All receipts up to a move are written, since there was none after the last.
    pub(super) fn note_none_upto(&mut self, upto: MoveNumber) {
        self.note_written(upto, self.last.stale);
    }

    /// All that had come was read.
    fn note_drained(&mut self) {
        (self.first.stale, self.last.stale) = (0, 0);
    }

    /// Bytes were read. Returns up to where receipts are proved, if that is new.
    fn note_read(&mut self, bytes: &[u8]) -> Option<MoveNumber> {
        if !self.is_owed() {
            return None;
        }
        let lines = memrchr(b'\n', bytes).map_or(0, |end| end + 1);
        let proved = [self.last, self.first].into_iter().find(|written| lines > written.stale);
        for written in [&mut self.first, &mut self.last] {
            written.stale = written.stale.saturating_sub(bytes.len());
        }
        let Written { upto, .. } = proved?;
        self.proved = upto;
        self.first = self.last;
        Some(upto)
    }
}

impl Session {
    /// Bytes that have come and are not read, if receipts are about to be written.
    pub(super) fn unread(&self) -> usize {
        if self.output.has_receipts() { self.stream.unread() } else { 0 }
    }

    /// What was read may prove receipts.
    pub(super) fn prove(&mut self, bytes: &[u8]) {
        let Some(me) = &mut self.me else { return };
        let proved = me.proof.note_read(bytes);
        // Through TLS more than there were may have been taken for stale.
        if me.proof.last.stale > 0 && self.stream.unread() == 0 {
            me.proof.note_drained();
        }
        let Some(upto) = proved else { return };
        self.outbox.prove(upto);
        // The session's end writes it down. Now and then is enough until then: after a crash of the
        // server, receipts of a few minutes come twice, and not those of a year.
        let now = self.services.clock.now();
        // A clock that was set back must not put it off.
        if now.0.abs_diff(me.proof.stored.0) >= limits::SHOWN_MILLIS {
            me.proof.stored = now;
            self.services.hub.ask(Work::Shown { account: me.account, upto });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proof() -> Proof {
        Proof::new(MoveNumber(1), Millis(0))
    }

    fn read(proof: &mut Proof, bytes: &str) -> Option<i64> {
        proof.note_read(bytes.as_bytes()).map(|upto| upto.0)
    }

    #[test]
    fn a_whole_line_after_receipts_proves_them_once() {
        let mut proof = proof();
        assert_eq!(read(&mut proof, "PING\n"), None, "nothing was written");
        proof.note_written(MoveNumber(5), 0);
        assert_eq!(read(&mut proof, "PI"), None);
        assert_eq!(read(&mut proof, "NG\nPI"), Some(5));
        assert_eq!(read(&mut proof, "NG\n"), None);
        proof.note_written(MoveNumber(7), 0);
        assert_eq!(read(&mut proof, "\n"), Some(7));
    }

    #[test]
    fn bytes_that_came_before_the_receipts_prove_nothing() {
        let mut proof = proof();
        proof.note_written(MoveNumber(5), 10);
        assert_eq!(read(&mut proof, "PING\n"), None);
        // The first line ends where the stale bytes do.
        assert_eq!(read(&mut proof, "PING\nPI"), None);
        assert_eq!(read(&mut proof, "NG\n"), Some(5));
    }

    #[test]
    fn each_line_proves_what_was_written_before_it() {
        let mut proof = proof();
        proof.note_written(MoveNumber(5), 0);
        // A line is on its way while more receipts are written, again and again.
        for upto in 6..20 {
            proof.note_written(MoveNumber(upto), 5);
            assert_eq!(read(&mut proof, "PING\n"), Some(upto - 1));
        }
        assert_eq!(read(&mut proof, "PING\n"), Some(19));
        proof.note_written(MoveNumber(30), 0);
        proof.note_written(MoveNumber(31), 5);
        assert_eq!(read(&mut proof, "PING\nPING\n"), Some(31), "both at once");
    }

    #[test]
    fn after_some_were_withheld_nothing_more_is_proved() {
        let mut proof = proof();
        proof.note_written(MoveNumber(5), 0);
        proof.withhold();
        proof.note_written(MoveNumber(9), 0);
        proof.note_none_upto(MoveNumber(10));
        assert_eq!(read(&mut proof, "PING\n"), Some(5));
        assert_eq!(read(&mut proof, "PING\n"), None);
        assert_eq!(proof.upto(), MoveNumber(5));
    }
}
