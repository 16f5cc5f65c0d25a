//! What is going on at all papods on one database, for `ADMIN STATS`, `SESSIONS` and `USERS`.

use std::collections::HashMap;
#[cfg(feature = "postgres")]
use std::time::Instant;

use smol::Timer;
use smol::future::FutureExt as _;

use super::answer::{Answer, Halt};
use super::{End, Services, Session};
use crate::entry::SessionId;
use crate::limits;
use crate::name::Handle;
#[cfg(feature = "postgres")]
use crate::node_report::NodeEvent;
use crate::node_report::{NodeQuestion, NodeReport, SessionReport, add_up};
use crate::wire::reply::{List, Reply};
use crate::wire::rows::{SessionLine, StatLine};

impl Services {
    /// What this papod answers when others ask.
    pub(crate) fn report(&self, question: NodeQuestion) -> NodeReport {
        let counted = |(name, value): (&str, u64)| (name.to_owned(), value);
        match question {
            NodeQuestion::Sessions => {
                NodeReport { sessions: self.roster.list(), ..NodeReport::default() }
            }
            NodeQuestion::Accounts(first, last) => {
                let accounts = self.roster.sessions_by_handle(&(first..=last));
                NodeReport { accounts: accounts.into_iter().collect(), ..NodeReport::default() }
            }
            NodeQuestion::Stats => {
                let stats = self.counters.rows().into_iter().map(counted).collect();
                NodeReport { stats, ..NodeReport::default() }
            }
        }
    }
}

#[cfg(feature = "postgres")]
impl Services {
    /// Something has happened at another node.
    pub(crate) fn note_elsewhere(&self, event: NodeEvent) {
        let (files, now) = (&self.rates.files, Instant::now());
        match event {
            NodeEvent::Guessed { guess, is_right } => self.hasher.note_elsewhere(guess, is_right),
            NodeEvent::FileBytes { account, bytes } => files.note(account, bytes, now),
            NodeEvent::FilesDay { account, bytes } => files.note_spent(account, bytes, now),
            NodeEvent::ReadOnly(on) => self.counters.read_only.set(on.into()),
        }
    }

    /// What a node that joins has to know: what accounts have used of what they may put in a day, and
    /// whether anything may be written.
    pub(crate) fn known_to_nodes(&self) -> Vec<NodeEvent> {
        let event = |(account, bytes)| NodeEvent::FilesDay { account, bytes };
        let spent = self.rates.files.spent(Instant::now()).into_iter().map(event);
        spent.chain([NodeEvent::ReadOnly(self.counters.is_read_only())]).collect()
    }
}

impl Session {
    /// What the other papods answer; nothing if they do not soon, as when none of them leads.
    async fn ask_others(&self, question: NodeQuestion) -> Result<Vec<NodeReport>, Halt> {
        let asked = self.services.hub.ask_nodes(question);
        let answered = async { asked.recv().await.map_err(|_| End::hub_lost().into()) };
        let late = async {
            Timer::after(limits::REPORT_WAIT).await;
            Ok(Vec::new())
        };
        answered.or(late).await
    }

    /// All connections: those of this papod first, then those of the others, whose numbers begin with
    /// that of their node.
    pub(super) async fn all_sessions(&self) -> Result<Vec<SessionReport>, Halt> {
        let mut all = self.services.report(NodeQuestion::Sessions).sessions;
        for NodeReport { node, sessions, .. } in self.ask_others(NodeQuestion::Sessions).await? {
            let of_node = |number| SessionId::of_node(node, number).0;
            let number = |it: SessionReport| SessionReport { number: of_node(it.number), ..it };
            all.extend(sessions.into_iter().map(number));
        }
        Ok(all)
    }

    /// How many sessions the accounts from one handle to another have, of those that have any.
    pub(super) async fn sessions_of_accounts(
        &self,
        first: Handle,
        last: Handle,
    ) -> Result<HashMap<Handle, usize>, Halt> {
        let question = NodeQuestion::Accounts(first, last);
        let here = self.services.report(question.clone());
        let mut counts = HashMap::new();
        for report in self.ask_others(question).await?.into_iter().chain([here]) {
            for (handle, count) in report.accounts {
                *counts.entry(handle).or_default() += count;
            }
        }
        Ok(counts)
    }

    /// `ADMIN SESSIONS`
    pub(super) async fn list_sessions(&mut self) -> Answer {
        let all = self.all_sessions().await?;
        self.say(|out| all.iter().for_each(|session| session_line(session).write(out)));
        self.event("admin-sessions", format_args!("rows={}", all.len()));
        Ok(Some(Reply::Counted { list: List::Sessions, count: all.len() }))
    }

    /// `ADMIN STATS`
    pub(super) async fn show_stats(&mut self) -> Answer {
        let mut rows = self.services.report(NodeQuestion::Stats).stats;
        add_up(&mut rows, &self.ask_others(NodeQuestion::Stats).await?);
        let maintenance = self.services.maintenance.clone();
        let (database, log) = smol::unblock(move || maintenance.sizes()).await;
        let files = self.services.files.contents.bytes();
        let sizes =
            [("database_bytes", database), ("database_log_bytes", log), ("files_bytes", files)];
        rows.extend(sizes.map(|(name, bytes)| (name.to_owned(), bytes)));
        self.say(|out| {
            for (name, value) in &rows {
                StatLine { name, value: *value }.write(out);
            }
        });
        Ok(Some(Reply::Counted { list: List::Stats, count: rows.len() }))
    }
}

/// The row of a connection.
pub(super) fn session_line(session: &SessionReport) -> SessionLine<'_> {
    let SessionReport { number, handle, address, since } = session;
    SessionLine { id: SessionId(*number), handle: handle.clone(), address, since: *since }
}
