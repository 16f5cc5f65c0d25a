//! A session's output: the items it took from its outbox, and how far they are written.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::time::Instant;

use smol::Timer;

use super::freshness::Freshness;
use super::intake::Held;
use super::{Lag, SCRATCH, Session};
use crate::chat::Act;
use crate::entry::{Cursor, EntryId};
use crate::limits;
use crate::name::{Handle, Target};
use crate::outbox::Outgoing;
use crate::wire::request::SessionCommand;
use crate::wire::rows::Bye;
use crate::wire::withdrawal::{entries, withdrawn, without, without_file};

/// Items waiting to be written, in order.
#[derive(Default)]
pub struct Output {
    items: VecDeque<Outgoing>,
    /// Bytes of the first item already written.
    written: usize,
    /// Bytes of all items not written yet.
    left: usize,
    /// Set once they wait for the socket, until nothing waits any more.
    pub(super) freshness: Option<Box<Freshness>>,
}

impl Output {
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub fn len(&self) -> usize {
        self.left
    }

    pub fn items(&self) -> impl Iterator<Item = &Outgoing> {
        self.items.iter()
    }

    pub fn has_receipts(&self) -> bool {
        self.items.iter().any(|item| matches!(item, Outgoing::Receipts { .. }))
    }

    pub fn push(&mut self, item: Outgoing) {
        if !item.lines().is_empty() {
            self.left += item.lines().len();
            self.items.push_back(item);
        }
    }

    /// Keeps only replies, and the rest of an item that is half written; `taken` further bytes are
    /// on their way, see `Stream::taken`.
    pub fn drop_events(&mut self, taken: usize) {
        let begun = self.written + taken;
        let mut at = 0;
        self.items.retain(|item| {
            let is_begun = at < begun;
            at += item.lines().len();
            matches!(item, Outgoing::Replies(_)) || is_begun
        });
        self.left = self.items.iter().map(|item| item.lines().len()).sum::<usize>() - self.written;
    }

    /// Takes out the text of a message that `mark` has deleted, except in a line that is half
    /// written; `taken` further bytes are on their way.
    fn withdraw(&mut self, taken: usize, message: EntryId, mark: EntryId) {
        self.rewrite(taken, |lines, from| withdrawn(lines, from, message, mark));
    }

    /// The same for entries that are no longer in the log.
    pub(super) fn take_out(&mut self, taken: usize, gone: &BTreeSet<EntryId>) {
        self.rewrite(taken, |lines, from| without(lines, from, gone));
    }

    /// The same for rows of a file.
    pub(super) fn take_out_file(&mut self, taken: usize) {
        self.rewrite(taken, without_file);
    }

    /// The entries that are not begun to be written.
    pub(super) fn entries(&self, taken: usize) -> BTreeSet<EntryId> {
        let (begun, mut at) = (self.written + taken, 0);
        let of = |item: &Outgoing| {
            let from = begun.saturating_sub(at);
            at += item.lines().len();
            entries(item.lines(), from)
        };
        self.items.iter().flat_map(of).collect()
    }

    /// Puts other lines in place of those of each item, which begin to be open at the given byte.
    fn rewrite(&mut self, taken: usize, other: impl Fn(&[u8], usize) -> Option<Vec<u8>>) {
        let (begun, mut at) = (self.written + taken, 0);
        for item in &mut self.items {
            let from = begun.saturating_sub(at);
            let length = item.lines().len();
            at += length;
            if let Some(lines) = other(item.lines(), from) {
                self.left = self.left + lines.len() - length;
                item.replace_lines(lines);
            }
        }
        self.items.retain(|item| !item.lines().is_empty());
    }

    /// Counts `n` more bytes as written. Returns the events (not replies) that are complete with
    /// them.
    fn advance(&mut self, n: usize) -> Vec<Outgoing> {
        let mut whole = Vec::new();
        self.written += n;
        self.left -= n;
        while let Some(length) = self.items.front().map(|item| item.lines().len()) {
            if self.written < length {
                break;
            }
            self.written -= length;
            match self.items.pop_front() {
                Some(Outgoing::Replies(_)) | None => {}
                Some(event) => whole.push(event),
            }
        }
        if self.items.is_empty() {
            // An idle session keeps no buffer.
            self.items = VecDeque::new();
            if let Some(freshness) = &mut self.freshness {
                freshness.written();
            }
        }
        whole
    }
}

impl Session {
    /// Writes pending output, including the outbox, as far as the socket accepts it.
    pub(super) fn write(&mut self) -> io::Result<()> {
        loop {
            // Output before `OK QUIT` goes out with it.
            let waits = self.is_quitting();
            if !waits {
                self.write_output()?;
            }
            if !(waits || self.output.is_empty()) {
                return Ok(());
            }
            if !self.outbox.has_changed() {
                if self.output.is_empty() {
                    self.output.freshness = None;
                }
                return Ok(());
            }
            self.take();
        }
    }

    /// Whether the next command to be carried out is `QUIT`.
    fn is_quitting(&self) -> bool {
        let quits =
            |held: &Held| matches!(held, Held::Command { command: SessionCommand::Quit, .. });
        self.unanswered == 0 && self.held.as_deref().is_some_and(quits)
    }

    /// Moves the contents of the outbox to the output.
    fn take(&mut self) {
        let taken = self.outbox.take();
        if let Some(freshness) = &mut self.output.freshness {
            freshness.taken(self.services.clock.now());
        }
        // Saturating: `farewell` sets it to 0, and answers may still come.
        self.unanswered = self.unanswered.saturating_sub(taken.answered);
        if self.unanswered == 0 {
            self.patience = None;
            self.unanswered_bytes = 0;
        }
        let receipts = self.me.as_ref().is_some_and(|me| me.receipts);
        for item in taken.items {
            if receipts || !matches!(item, Outgoing::Receipts { .. }) {
                self.output.push(item);
            }
        }
        let Some(me) = &mut self.me else { return };
        if let (true, Some(unspent)) = (self.is_limited, taken.unspent) {
            let rates = &self.services.rates;
            rates.bytes.give_back(me.account, unspent.bytes);
            rates.groups.give_back(me.account, unspent.groups);
        }
        if self.is_limited && taken.forwarded > 0 {
            let now = Instant::now();
            self.services.rates.bytes.owe(me.account, taken.forwarded, now);
        }
        if let Some(at) = taken.behind {
            // `upto` equals `at`, so the hub is asked at once how far the log goes.
            me.behind = Some(Box::new(Lag { at, upto: at, walk: None }));
        }
        let lost = self.outbox.lost_moves();
        if std::mem::replace(&mut me.lost_moves, lost) != lost {
            me.sent.iter_mut().for_each(|sent| sent.uncover());
            // The store is failing, so not at once.
            if me.auto {
                me.extras().retry = Some(Box::new(Timer::after(limits::ACK_PAUSE)));
            }
        }
    }

    /// Writes the output as far as the socket accepts it, all waiting items in one write. If it has
    /// got stale, only what is on its way already is: see [`Session::refresh`].
    pub(super) fn write_output(&mut self) -> io::Result<()> {
        self.stream.flush()?;
        for (message, mark) in self.outbox.take_deleted() {
            self.output.withdraw(self.stream.taken(), message, mark);
            if self.me.as_ref().is_some_and(|me| me.shows() == Some(message)) {
                self.stop_file();
            }
        }
        if self.is_stale() {
            return Ok(());
        }
        while !self.output.is_empty() {
            let unread = self.unread();
            let Some(n) = SCRATCH.with_borrow_mut(|scratch| self.write_some(scratch))? else {
                if !self.deadline.as_ref().is_some_and(|d| d.1 != Bye::Idle) {
                    self.set_deadline(limits::STALLED_TIME, Bye::Stalled);
                }
                let now = self.services.clock.now();
                self.output.freshness.get_or_insert_default().waits(now);
                return Ok(());
            };
            self.services.counters.sent.add(n as u64);
            if self.deadline.as_ref().is_some_and(|d| d.1 == Bye::Stalled) {
                self.deadline = None;
                self.set_idle_deadline();
            }
            for item in self.output.advance(n) {
                self.note_sent(&item, unread);
            }
            self.acknowledge_automatically();
        }
        Ok(())
    }

    fn write_some(&mut self, scratch: &mut [u8]) -> io::Result<Option<usize>> {
        let mut rest = self.output.written;
        let mut filled = 0;
        for item in &self.output.items {
            let lines = &item.lines()[rest..];
            rest = 0;
            if filled == 0 && lines.len() >= scratch.len() {
                return self.stream.write(lines);
            }
            let n = lines.len().min(scratch.len() - filled);
            scratch[filled..filled + n].copy_from_slice(&lines[..n]);
            filled += n;
            if filled == scratch.len() {
                break;
            }
        }
        self.stream.write(&scratch[..filled])
    }

    /// Records that an event was sent, when `unread` bytes had arrived unread.
    fn note_sent(&mut self, item: &Outgoing, unread: usize) {
        let Some(me) = &mut self.me else { return };
        match item {
            Outgoing::Replies(_) | Outgoing::Notices(_) => {}
            Outgoing::Receipts { upto, .. } => me.proof.note_written(*upto, unread),
            Outgoing::Block(block) => {
                let peer = peer(&me.handle, &block.from, &block.to);
                me.sent.get_or_insert_default().note(peer, block.last);
                let entries = memchr::memchr_iter(b'\n', &block.lines).count();
                me.may_move(entries);
            }
        }
    }

    /// With `SET ack auto`, acknowledges what has been written.
    pub(super) fn acknowledge_automatically(&mut self) {
        let Some(me) = &mut self.me else { return };
        if !me.auto || me.retry().is_some() {
            return;
        }
        let ids = me.sent.as_mut().map_or(Vec::new(), |sent| sent.cover(Cursor::Delivered));
        if !ids.is_empty() {
            let (cursor, answer, lost_moves) = (Cursor::Delivered, None, me.lost_moves);
            self.hand_over(vec![Act::AdvanceAll { cursor, ids, answer, lost_moves }], 0);
        }
    }

    /// Called when the pause after a failure is over.
    pub(super) fn retry_automatically(&mut self) {
        if let Some(me) = &mut self.me {
            me.extras().retry = None;
        }
        self.acknowledge_automatically();
    }
}

/// The name by which `me` knows a conversation: the other party, or the group.
pub fn peer(me: &Handle, from: &Handle, to: &Target) -> Target {
    match to {
        Target::Person(_) if from != me => Target::Person(from.clone()),
        to => to.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_half_written_is_sent_to_its_end() {
        let time = "2026-01-01T00:00:00.000Z";
        let line = |text: &str| text.replace(" T", &format!(" {time}")).into_bytes();
        let lines = [line("MSG 1 T ana bob - x\n"), line("EDIT 2 T ana bob re=1 x\n")];
        let first = lines[0].len();
        let gone = line("GONE 1 T ana bob del=3 -\n");
        // How much is written and on its way, and what is then left of the two lines.
        for (written, taken, left) in [
            (0, 0, gone.clone()),
            (1, 0, lines[0].clone()),
            (0, 1, lines[0].clone()),
            (first - 1, 1, lines[0].clone()),
            (first - 1, 2, lines.concat()),
        ] {
            let mut output = Output::default();
            lines.iter().for_each(|line| output.push(Outgoing::Replies(line.clone())));
            output.advance(written);
            output.withdraw(taken, EntryId(1), EntryId(3));
            let all: Vec<u8> = output.items().flat_map(|item| item.lines()).copied().collect();
            assert_eq!(all, left, "{written} and {taken}");
            assert_eq!(output.len(), all.len() - written);
        }
        let mut output = Output::default();
        output.push(Outgoing::Replies([&lines[1][..], &lines[0]].concat()));
        output.advance(lines[1].len());
        output.withdraw(0, EntryId(1), EntryId(3));
        assert_eq!(output.len(), gone.len(), "of an item that is almost written");
        let mut output = Output::default();
        output.push(Outgoing::Replies(lines[1].clone()));
        output.withdraw(0, EntryId(1), EntryId(3));
        assert_eq!((output.is_empty(), output.len()), (true, 0));
    }
}
