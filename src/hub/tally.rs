//! Numbers of one batch, added up so that the shared counters are touched once per batch.

use std::sync::Arc;
use std::time::Duration;

use crate::counters::Counters;

/// Numbers of the batch under way.
pub(super) struct Tally {
    counters: Arc<Counters>,
    pub(super) messages: u64,
    pub(super) marks: u64,
    pub(super) deliveries: u64,
    pub(super) receipts: u64,
    /// Sessions that are served from the log. Unlike the others this is a current value, not reset
    /// with each batch.
    pub(super) behind: u64,
}

impl Tally {
    pub(super) fn new(counters: Arc<Counters>) -> Tally {
        Tally { counters, messages: 0, marks: 0, deliveries: 0, receipts: 0, behind: 0 }
    }

    /// Counts a successful commit and its duration.
    pub(super) fn kept(&self, time: Duration) {
        self.counters.commits.observe(time);
    }

    /// Counts a failed commit.
    pub(super) fn lost(&self) {
        self.counters.commits_failed.add(1);
    }

    /// Counts messages that `EXPIRE` has deleted.
    pub(super) fn expired(&self, messages: usize) {
        self.counters.expired.add(messages as u64);
    }

    /// Lets nothing be recorded, or all again.
    pub(super) fn set_read_only(&self, on: bool) {
        self.counters.read_only.set(on.into());
    }

    /// Whether nothing may be recorded.
    pub(super) fn is_read_only(&self) -> bool {
        self.counters.is_read_only()
    }

    /// Counts a refused command by its code.
    pub(super) fn refused(&self, code: &'static str) {
        self.counters.refuse(code);
    }

    /// Notes how the nodes of a database stand, while this one leads.
    #[cfg(feature = "postgres")]
    pub(super) fn leads(&self, term: i64, others: usize, their_sessions: usize) {
        let counters = &self.counters;
        counters.term.set(term.unsigned_abs());
        counters.leads.set(1);
        counters.nodes.set(1 + others as u64);
        counters.node_sessions.set(their_sessions as u64);
    }

    /// Another node leads.
    #[cfg(feature = "postgres")]
    pub(super) fn leads_no_more(&self) {
        let counters = &self.counters;
        let standing =
            [&counters.leads, &counters.nodes, &counters.node_sessions, &counters.behind];
        standing.into_iter().for_each(|count| count.set(0));
    }

    #[cfg(feature = "postgres")]
    pub(super) fn counters(&self) -> Arc<Counters> {
        self.counters.clone()
    }

    /// Adds a finished batch to the counters. `sessions` is how many of this process
    /// are logged in now.
    pub(super) fn end(&mut self, commands: usize, sessions: usize) {
        let counters = &self.counters;
        counters.commands.add(commands as u64);
        counters.messages.add(std::mem::take(&mut self.messages));
        counters.marks.add(std::mem::take(&mut self.marks));
        counters.deliveries.add(std::mem::take(&mut self.deliveries));
        counters.receipts.add(std::mem::take(&mut self.receipts));
        counters.logged_in.set(sessions as u64);
        counters.behind.set(self.behind);
    }
}
