//! Another node has taken the leader's place, because this one was frozen or cut off for a while: it
//! goes on as a door, with the sessions that it has.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustc_hash::FxHashMap;

use super::door::{DoorStart, LinkDoor};
use super::lead::Lead;
use super::leading::{DoorParts, InHand};
use super::standing::{DoorSession, Left};
use super::{LinkWork, Node};
use crate::counters::Counters;
use crate::entry::SessionId;
use crate::hub::pending::Pending;
use crate::hub::{Answer, HubState, Work};
use crate::store::Candidate;
use crate::wire::refusal::Refusal;

impl HubState {
    /// The door that this hub becomes. What it has decided last is not on disk, and nobody was told.
    /// Sessions that have asked for it end without a word; all others stay, and what they have asked
    /// for since waits for the next leader.
    pub(super) fn step_down(
        mut self,
        candidate: Box<dyn Candidate>,
        node: Arc<Node>,
        is_door: Arc<AtomicBool>,
    ) -> Option<LinkDoor> {
        is_door.store(true, Ordering::Release);
        let DoorParts { in_hand, mut secrets, hooks } = self.doors.take()?.into_parts();
        let mut held: VecDeque<Work> = std::mem::take(&mut self.pending)
            .into_iter()
            .filter_map(|pending| match pending {
                Pending::Online { accounts, answer } => Some(Work::Online { accounts, answer }),
                Pending::Expired(answer, _) | Pending::Wipe(answer) => {
                    answer.give(false);
                    None
                }
                Pending::Deleted(leaving) => {
                    leaving.give_up(&Refusal::Storage);
                    None
                }
                // Nobody knows what became of it, and whoever has asked is not answered.
                _ => None,
            })
            .collect();
        self.leaving.drain(..).for_each(|leaving| leaving.give_up(&Refusal::Storage));
        for InHand { session, is_asked } in in_hand {
            let Some(seat) = self.seats.get(&session) else { continue };
            if is_asked {
                seat.outbox.cut();
                seat.outbox.wake();
                self.seats.remove(&session);
            } else {
                seat.outbox.lose_moves();
            }
        }
        let own = std::mem::take(&mut self.seats).into_iter().filter(|(id, _)| id.node() == 0);
        let mut sessions = FxHashMap::<SessionId, DoorSession>::default();
        let mut watches = Vec::new();
        for (session, seat) in own {
            let mut standing = DoorSession {
                account: seat.account,
                device: seat.device(),
                due: seat.device.as_ref().map_or_else(
                    || self.online.get(&seat.account).map_or(self.told.moves, |it| it.due),
                    |device| device.due,
                ),
                key: seat.key,
                secrets: secrets.remove(&session).unwrap_or_default(),
                events: seat.events,
                outbox: seat.outbox,
                pushes: seat.pushes,
                online: seat.online,
                unanswered: 0,
                watch: seat.awaits.as_ref().map(|awaits| (awaits.id, awaits.until)),
                has_unasked: false,
                put: None,
            };
            if let Left::Stays(watch) = standing.lose_leader(session) {
                watches.extend(watch);
                sessions.insert(session, standing);
            }
        }
        held.extend(watches);
        held.extend(std::mem::take(&mut self.unkept).works());
        let told = self.told;
        self.to_wake.drain(..).for_each(|outbox| outbox.wake());
        self.tally.leads_no_more();
        let counters = self.tally.counters();
        let (waiting, works) = self.queue.into_parts();
        held.extend(works.into_iter().filter_map(|work| of_here(work, &node)));
        held.retain(is_of_here);
        log::info!("another node leads; this one goes on, sessions: {}", sessions.len());
        let start = DoorStart { candidate, node, waiting, is_door, hooks, counters };
        Some(LinkDoor::new(start).with(sessions, held, told))
    }
}

impl Lead {
    /// The door again, which was superseded before it began.
    pub(super) fn back(
        self,
        node: Arc<Node>,
        is_door: Arc<AtomicBool>,
        counters: Arc<Counters>,
    ) -> LinkDoor {
        is_door.store(true, Ordering::Release);
        // What it has heard last is not known any more: keys are looked up again.
        let Lead { candidate, waiting, sessions, works, told, hooks, .. } = self;
        let start = DoorStart { candidate, node, waiting, is_door, hooks, counters };
        LinkDoor::new(start).with(sessions, works, told)
    }
}

/// Work that somebody of this node waits for.
fn of_here(work: Work, node: &Node) -> Option<Work> {
    match work {
        Work::Expire { answer, .. } | Work::Wipe { answer } => {
            answer.give(false);
            None
        }
        // Whoever comes believes that this node leads.
        Work::Link(LinkWork::Join(joining)) => {
            joining.line.close();
            None
        }
        // So that it comes after what is before it.
        Work::End => {
            node.inbox.send(Work::End);
            None
        }
        work => Some(work),
    }
}

/// Whether work comes from this node: what others have asked for they ask the next leader.
fn is_of_here(work: &Work) -> bool {
    match work {
        Work::Link(LinkWork::Event { from, .. } | LinkWork::Ask { from, .. }) => *from == 0,
        Work::Link(LinkWork::Proved { session, .. }) => session.node() == 0,
        Work::Link(_)
        | Work::Online { answer: Answer::There(_), .. }
        | Work::Order { answer: Answer::There(_), .. } => false,
        work => work.session().is_none_or(|session| session.node() == 0),
    }
}
