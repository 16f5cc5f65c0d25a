//! A door becomes the leader: its sessions are the first seats of the hub.

use std::collections::VecDeque;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::NodeHooks;
use super::leading::Doors;
use super::standing::DoorSession;
use crate::chat::FirstRules;
use crate::counters::Counters;
use crate::entry::{Clock, SessionId};
use crate::hub::inbox::InboxReceiver;
use crate::hub::queue::Queue;
use crate::hub::{HubState, Work};
use crate::store::{Candidate, Error, Writer};

/// What a door leaves to the hub that it becomes.
pub(super) struct Lead {
    /// For when it does not lead any more.
    pub(super) candidate: Box<dyn Candidate>,
    pub(super) writer: Box<dyn Writer>,
    pub(super) waiting: InboxReceiver,
    pub(super) sessions: FxHashMap<SessionId, DoorSession>,
    pub(super) works: VecDeque<Work>,
    pub(super) hooks: NodeHooks,
    /// The node's.
    pub(super) number: u64,
}

impl HubState {
    /// The hub of a node that leads from now on, and the candidate that it was.
    ///
    /// # Errors
    /// The database's reason.
    pub(super) fn lead(
        lead: Lead,
        clock: Clock,
        counters: Arc<Counters>,
        first: FirstRules,
    ) -> Result<(HubState, Box<dyn Candidate>), Error> {
        let Lead { candidate, mut writer, waiting, sessions, works, hooks, number } = lead;
        let not_before = writer.latest()?;
        let mut state = HubState::new(writer, Queue::with(waiting, works), clock, counters, first)?;
        state.doors = Some(Doors::new(hooks, number));
        state.not_before = not_before;
        state.adopt(&sessions)?;
        log::info!(
            "this node leads, term {}, sessions: {}",
            state.writer.last().term,
            sessions.len()
        );
        Ok((state, candidate))
    }
}
