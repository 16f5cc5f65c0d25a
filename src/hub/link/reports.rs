//! Operators' questions to all nodes: the leader asks every door, and answers when all have, or have
//! gone.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::hub::Answer;
use crate::node_report::NodeReport;

/// The questions that are under way.
#[derive(Default)]
pub(super) struct Inquiries {
    last: u64,
    open: FxHashMap<u64, Inquiry>,
}

struct Inquiry {
    reports: Vec<NodeReport>,
    /// The nodes that have not answered.
    awaited: FxHashSet<u64>,
    answer: Answer<Vec<NodeReport>>,
}

impl Inquiries {
    /// Begins one, to these nodes; `own` is the leader's own answer. Returns its number.
    pub(super) fn begin(
        &mut self,
        own: Option<NodeReport>,
        awaited: FxHashSet<u64>,
        answer: Answer<Vec<NodeReport>>,
    ) -> u64 {
        self.last += 1;
        let reports = own.into_iter().collect();
        self.open.insert(self.last, Inquiry { reports, awaited, answer });
        self.end_those_done();
        self.last
    }

    /// A node has answered.
    pub(super) fn reported(&mut self, inquiry: u64, report: NodeReport) {
        if let Some(open) = self.open.get_mut(&inquiry)
            && open.awaited.remove(&report.node)
        {
            open.reports.push(report);
        }
        self.end_those_done();
    }

    /// A node has gone.
    pub(super) fn forget(&mut self, node: u64) {
        for open in self.open.values_mut() {
            open.awaited.remove(&node);
        }
        self.end_those_done();
    }

    fn end_those_done(&mut self) {
        let done = self.open.extract_if(|_, open| open.awaited.is_empty());
        done.for_each(|(_, Inquiry { mut reports, answer, .. })| {
            reports.sort_by_key(|report| report.node);
            answer.give(reports);
        });
    }
}
