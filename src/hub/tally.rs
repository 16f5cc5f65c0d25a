//! What a batch came to, added up for the counters that all share: they are touched once for it.

use std::sync::Arc;
use std::time::Duration;

use crate::counters::Counters;

/// Numbers of the batch that is under way.
pub(super) struct Tally {
    counters: Arc<Counters>,
    pub(super) messages: u64,
    pub(super) deliveries: u64,
    pub(super) receipts: u64,
    /// Sessions that are served from the log, now and not in this batch only.
    pub(super) behind: u64,
}

impl Tally {
    pub(super) fn new(counters: Arc<Counters>) -> Tally {
        Tally { counters, messages: 0, deliveries: 0, receipts: 0, behind: 0 }
    }

    /// A commit has taken so long, and is on disk.
    pub(super) fn kept(&self, time: Duration) {
        self.counters.commits.observe(time);
    }

    /// A commit has failed.
    pub(super) fn lost(&self) {
        self.counters.commits_failed.add(1);
    }

    /// A command was refused with this code.
    pub(super) fn refused(&self, code: &'static str) {
        self.counters.refuse(code);
    }

    /// The batch is through: so many commands, and so many sessions now.
    pub(super) fn end(&mut self, commands: usize, sessions: usize) {
        let counters = &self.counters;
        counters.commands.add(commands as u64);
        counters.messages.add(std::mem::take(&mut self.messages));
        counters.deliveries.add(std::mem::take(&mut self.deliveries));
        counters.receipts.add(std::mem::take(&mut self.receipts));
        counters.logged_in.set(sessions as u64);
        counters.behind.set(self.behind);
    }
}
