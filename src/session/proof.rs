//! Tracks which receipts an account has certainly been shown.
//!
//! Bytes written to a socket may never be read: the client is stopped, its machine is gone. So a
//! receipt counts as shown once a line arrives that was sent after the receipt was written, or once
//! the client has ended its input properly. Until then it is sent again at the next login.

use memchr::memrchr;

use super::Session;
use crate::entry::{Millis, MoveNumber};
use crate::hub::Work;
use crate::limits;

/// How far receipts were written to a session, and how far it proved that they arrived.
pub(super) struct Proof {
    /// The account has been shown all receipts up to this move.
    proved: MoveNumber,
    /// The first receipts that are not proved; the same as `last` if all are.
    first: MoveNumber,
    /// The last receipts that were written.
    last: MoveNumber,
    /// Bytes that had arrived when `first` and `last` were written, but were not read: lines that
    /// end in them prove nothing.
    stale: StaleBytes,
    /// The session had receipts switched off at some time, so those after `last` count as not
    /// written.
    is_withheld: bool,
    /// When `proved` was last stored, in seconds since 1970.
    stored: u32,
}

/// See [`Proof::stale`].
#[derive(Clone, Copy, Default)]
struct StaleBytes {
    first: u32,
    last: u32,
}

impl Proof {
    /// For a session whose account has been shown all receipts up to `shown`.
    pub(super) fn new(shown: MoveNumber, now: Millis) -> Proof {
        let (stale, stored) = (StaleBytes::default(), seconds(now));
        Proof { proved: shown, first: shown, last: shown, stale, is_withheld: false, stored }
    }

    /// All receipts up to this move were written.
    pub(super) fn upto(&self) -> MoveNumber {
        self.last
    }

    pub(super) fn is_withheld(&self) -> bool {
        self.is_withheld
    }

    /// Receipts are not sent from now on; they must come again at a later login.
    pub(super) fn withhold(&mut self) {
        self.is_withheld = true;
    }

    fn is_owed(&self) -> bool {
        self.first > self.proved
    }

    /// Records that all receipts up to `upto` were written, when `unread` bytes had arrived unread.
    pub(super) fn note_written(&mut self, upto: MoveNumber, unread: usize) {
        if !self.is_withheld {
            (self.last, self.stale.last) = (upto, unread.try_into().unwrap_or(u32::MAX));
            if !self.is_owed() {
                self.begin_with_last();
            }
        }
    }

    /// What was written before the last is proved.
    fn begin_with_last(&mut self) {
        (self.first, self.stale.first) = (self.last, self.stale.last);
    }

    /// Records that there are no receipts between the last written one and `upto`.
    pub(super) fn note_none_upto(&mut self, upto: MoveNumber) {
        self.note_written(upto, self.stale.last as usize);
    }

    /// Records that nothing is left unread.
    fn note_drained(&mut self) {
        self.stale = StaleBytes::default();
    }

    /// Records bytes that were read. Returns up to where receipts are proved, if that is new.
    fn note_read(&mut self, bytes: &[u8]) -> Option<MoveNumber> {
        if !self.is_owed() {
            return None;
        }
        let lines = memrchr(b'\n', bytes).map_or(0, |end| end + 1);
        let written = [(self.last, self.stale.last), (self.first, self.stale.first)];
        let proved = written.into_iter().find(|(_, stale)| lines > *stale as usize);
        let read = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        for stale in [&mut self.stale.first, &mut self.stale.last] {
            *stale = stale.saturating_sub(read);
        }
        let (upto, _) = proved?;
        self.proved = upto;
        self.begin_with_last();
        Some(upto)
    }
}

impl Session {
    /// Bytes that have arrived unread, if receipts are about to be written; otherwise 0.
    pub(super) fn unread(&self) -> usize {
        if self.output.has_receipts() { self.stream.unread() } else { 0 }
    }

    /// Checks whether bytes that were read prove receipts.
    pub(super) fn prove(&mut self, bytes: &[u8]) {
        let Some(me) = &mut self.me else { return };
        let proved = me.proof.note_read(bytes);
        // With TLS the unread bytes are an upper bound, so too many may count as stale.
        if me.proof.stale.last > 0 && self.stream.unread() == 0 {
            me.proof.note_drained();
        }
        let Some(upto) = proved else { return };
        self.outbox.prove(upto);
        self.services.hub.prove(self.id, upto);
        // The end of the session stores it. Until then storing it now and then is enough: after a
        // server crash, receipts of the last minutes are sent again, not those of a year.
        let now = seconds(self.services.clock.now());
        // `abs_diff`: a clock set back must not delay this.
        if u64::from(now.abs_diff(me.proof.stored)) >= limits::SHOWN_SECONDS {
            me.proof.stored = now;
            let (account, device) = (me.account, me.device());
            self.services.hub.ask(Work::Shown { account, device, upto, seen: None });
        }
    }
}

/// A time in whole seconds: eight bytes of each idle session would say more than is needed.
fn seconds(time: Millis) -> u32 {
    u32::try_from(time.0 / 1_000).unwrap_or_default()
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
