//! Several papods on one database: one of them leads, and its hub serves the sessions of all.
//!
//! Every node serves sockets, checks passwords and reads the log. The hub's thread of a node that
//! does not lead is a *door* (`door`): it hands what its sessions ask for to the leader over one
//! line (`line`, `keys`, `frames`), and puts what that says into their outboxes. To the leader
//! (`leading`) a session of another node is a seat like any other, whose outbox is emptied into the
//! line after each batch.
//!
//! Who leads only the database decides (`store::Candidate`). If the leader goes, a door takes its
//! place: its hub goes on with the sessions that it has, and the other doors seat theirs with it
//! (`joining`). Sessions notice nothing, but that those which have missed something read it from the
//! log (`takeover`); only those with a command under way are ended, since nobody knows what became
//! of it.

mod asking;
mod dial;
mod door;
mod frames;
mod joining;
mod keys;
mod lead;
mod leading;
mod line;
#[cfg(test)]
mod line_tests;
mod listener;
mod reports;
mod standing;
mod step_down;
mod takeover;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::{self, JoinHandle};

use super::inbox::{InboxSender, inbox};
use super::{Answer, Hub, HubState};
use crate::chat::FirstRules;
use crate::counters::Counters;
use crate::entry::{Clock, MoveNumber, SessionId};
use crate::name::Handle;
use crate::node_report::{NodeEvent, NodeQuestion, NodeReport};
use crate::store::{Announced, Candidate, Cause, Error};
use door::{DoorStart, LinkDoor};
use keys::NodeKey;
use lead::DoorEnd;
pub(super) use leading::Doors;
use leading::Joining;
use listener::NodeListener;

/// What nodes ask of each other's hubs.
pub enum LinkWork {
    /// To the leader: a door has come.
    Join(Box<Joining>),
    /// To the leader: the line of a door has ended.
    Gone { node: u64, line: u64 },
    /// To the leader: what the log calls a session.
    Owner { session: SessionId, handle: Handle },
    /// To the leader: a session of a door reads from the log.
    Fell { session: SessionId },
    /// A session has proved that its account was shown the receipts up to this move.
    Proved { session: SessionId, upto: MoveNumber },
    /// Something at this node; to the leader also at another, `from`, of which the rest have to hear.
    Event { event: NodeEvent, from: u64 },
    /// What all nodes answer, but for the one that asks, `from`; 0: this one.
    Ask { question: NodeQuestion, from: u64, answer: Answer<Vec<NodeReport>> },
    /// To the leader: the answer of a node.
    Reported { inquiry: u64, report: NodeReport },
    /// To a door: what came over a line.
    Packet { line: u64, packet: Vec<u8> },
    /// To a door: a line has ended.
    Down { line: u64 },
}

/// What a node does and says when others want it to.
pub struct NodeHooks {
    /// Takes in what has happened at another node.
    pub on_event: Box<dyn Fn(NodeEvent) + Send>,
    /// What a node has to know that joins: events.
    pub known: Box<dyn Fn() -> Vec<NodeEvent> + Send>,
    /// Answers an operator's question about this node.
    pub report: Box<dyn Fn(NodeQuestion) -> NodeReport + Send>,
}

/// What the lines of a node need.
struct Node {
    number: u64,
    secret: Vec<u8>,
    inbox: Arc<InboxSender>,
}

impl Hub {
    /// Starts the thread of a node, which leads or is a door. Other nodes reach it at `address`,
    /// `HOST:PORT`; `None`: at the address by which it reaches the database, on a free port.
    ///
    /// # Errors
    /// It cannot listen there, the database refuses, or the system provides no thread.
    pub fn start_node(
        mut candidate: Box<dyn Candidate>,
        address: Option<&str>,
        clock: Clock,
        counters: Arc<Counters>,
        first: FirstRules,
        hooks: NodeHooks,
    ) -> Result<(Hub, JoinHandle<()>), Error> {
        let key = NodeKey::new()?;
        let local = SocketAddr::new(candidate.local_address(), 0);
        let socket = match address {
            Some(address) => TcpListener::bind(address).map_err(|e| {
                Error::new(format_args!("--node {address}: cannot listen there: {e}"))
            })?,
            None => TcpListener::bind(local).map_err(Error::new)?,
        };
        let bound = socket.local_addr().map_err(Error::new)?;
        let address = match address.and_then(|address| address.rsplit_once(':')) {
            Some((host, _)) => format!("{host}:{}", bound.port()),
            None => bound.to_string(),
        };
        let Announced { number, secret } = candidate.announce(&address, &key.public)?;
        log::info!("node {number}, which other nodes reach at {address}");
        let (inbox, waiting) = inbox();
        let inbox = Arc::new(inbox);
        let is_door = Arc::new(AtomicBool::new(true));
        let hub = Hub { inbox: inbox.clone(), is_door: is_door.clone(), has_nodes: true };
        let node = Arc::new(Node { number, secret, inbox });
        let listener = NodeListener::start(socket, key, node.clone()).map_err(Error::new)?;
        let start = DoorStart {
            candidate,
            node: node.clone(),
            waiting,
            is_door: is_door.clone(),
            hooks,
            counters: counters.clone(),
        };
        let run = move || {
            let _listener = listener;
            let mut door = Some(LinkDoor::new(start));
            while let Some(now) = door.take() {
                let lead = match now.run() {
                    Ok(DoorEnd::Leads(lead)) => *lead,
                    Ok(DoorEnd::Papod) => return,
                    Err(e) => return log::error!("the database is out of reach for good: {e}"),
                };
                let (state, candidate) = match HubState::lead(lead, clock, counters.clone(), first)
                {
                    Ok(both) => both,
                    Err(failed) if failed.0.cause() == Cause::Superseded => {
                        log::warn!("the database: {}", failed.0);
                        let (node, counters) = (node.clone(), counters.clone());
                        door = Some(failed.1.back(node, is_door.clone(), counters));
                        continue;
                    }
                    Err(failed) => {
                        return log::error!("the database cannot be led: {}", failed.0);
                    }
                };
                if let Some((Cause::Superseded, state)) = state.run() {
                    door = state.step_down(candidate, node.clone(), is_door.clone());
                }
            }
        };
        let thread = thread::Builder::new().name("hub".into()).spawn(run).map_err(Error::new)?;
        Ok((hub, thread))
    }
}
