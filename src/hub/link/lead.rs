//! A door becomes the leader: its sessions are the first seats of the hub.

use std::collections::VecDeque;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::NodeHooks;
use super::leading::Doors;
use super::standing::DoorSession;
use super::takeover::{Takeover, is_next};
use crate::chat::FirstRules;
use crate::counters::Counters;
use crate::entry::{Clock, Millis, SessionId};
use crate::hub::inbox::InboxReceiver;
use crate::hub::queue::Queue;
use crate::hub::{HubState, Work};
use crate::outbox::Watermark;
use crate::store::{BatchId, Candidate, Error, Newest, Writer};

/// Why a door is none any more.
pub(super) enum DoorEnd {
    /// It leads now.
    Leads(Box<Lead>),
    /// Papod ends.
    Papod,
}

/// What a door leaves to the hub that it becomes.
pub(super) struct Lead {
    /// For when it does not lead any more.
    pub(super) candidate: Box<dyn Candidate>,
    pub(super) writer: Box<dyn Writer>,
    pub(super) waiting: InboxReceiver,
    pub(super) sessions: FxHashMap<SessionId, DoorSession>,
    pub(super) works: VecDeque<Work>,
    /// Up to where its sessions were told everything.
    pub(super) told: Watermark,
    /// The last batch that the door was told of.
    pub(super) heard: BatchId,
    pub(super) hooks: NodeHooks,
    /// The node's.
    pub(super) number: u64,
}

/// A hub that leads, and the candidate that its node was.
type Leading = (HubState, Box<dyn Candidate>);

impl HubState {
    /// The hub of a node that leads from now on, and the candidate that it was.
    ///
    /// # Errors
    /// The database's reason; and nothing is lost.
    pub(super) fn lead(
        mut lead: Lead,
        clock: Clock,
        counters: Arc<Counters>,
        first: FirstRules,
    ) -> Result<Leading, Box<(Error, Lead)>> {
        let begin = match Beginning::read(&mut *lead.writer, lead.heard, &lead.sessions) {
            Ok(begin) => begin,
            Err(e) => return Err(Box::new((e, lead))),
        };
        let Lead { candidate, writer, waiting, sessions, works, told, hooks, number, .. } = lead;
        let Beginning { before, not_before, newest, due, valid } = begin;
        let queue = Queue::with(waiting, works);
        let mut state = HubState::with(writer, (newest, due), queue, clock, counters, first);
        state.doors = Some(Doors::new(hooks, number, Takeover::at(state.told, before)));
        state.not_before = Some(not_before);
        let count = sessions.len();
        state.adopt(sessions, &valid, told);
        log::info!("this node leads, term {}, sessions: {count}", before.term);
        Ok((state, candidate))
    }
}

/// What a new leader has to know.
struct Beginning {
    /// The term, and the last batch before it.
    before: BatchId,
    not_before: Millis,
    newest: Newest,
    due: Option<Millis>,
    /// Which of its sessions would still be let in, in the order of the map.
    valid: Vec<bool>,
}

impl Beginning {
    fn read(
        writer: &mut dyn Writer,
        heard: BatchId,
        sessions: &FxHashMap<SessionId, DoorSession>,
    ) -> Result<Beginning, Error> {
        let not_before = writer.latest()?;
        let newest = writer.reader()?.newest()?;
        let due = writer.reader()?.next_due(1)?.first().map(|(_, later)| later.due);
        let before = writer.last();
        let valid = match is_next(heard, before) {
            true => vec![true; sessions.len()],
            false => {
                let keys: Vec<_> = sessions.values().map(DoorSession::opened_by).collect();
                writer.let_in(&keys)?
            }
        };
        writer.record(&[])?;
        Ok(Beginning { before, not_before, newest, due, valid })
    }
}
