//! Doors come to the leader with the sessions that they have, and go.

use std::sync::Arc;

use super::frames::{Seated, ToDoor, Told};
use super::leading::{Given, Joined, Joining, lock};
use crate::entry::SessionId;
use crate::hub::HubState;
use crate::outbox::Outbox;

impl HubState {
    /// A door has come. Its sessions are let in if they still would be.
    pub(super) fn join(&mut self, joining: Joining) {
        let Joining { node, number, line, given, mut sessions, told, heard } = joining;
        self.part(node);
        let Some(doors) = &mut self.doors else { return line.close() };
        let valid = if doors.takeover.lets_all_in(heard) {
            vec![true; sessions.len()]
        } else {
            let keys: Vec<_> = sessions.iter().map(Seated::opened_by).collect();
            match self.writer.let_in(&keys) {
                Ok(valid) => valid,
                Err(e) => {
                    log::warn!("node {node} could not join: {e}");
                    return line.close();
                }
            }
        };
        let missed = doors.takeover.missed(&mut sessions, told, self.told);
        doors.doors.insert(node, Joined { number, line, given: given.clone() });
        let known = (doors.hooks.known)().into_iter().map(ToDoor::Event);
        lock(&given).said.extend([ToDoor::Welcome(missed)].into_iter().chain(known));
        log::info!("node {node} has joined, sessions: {}", sessions.len());
        for (seated, is_valid) in sessions.into_iter().zip(valid) {
            if !is_valid {
                let told = Told { session: seated.session, cut: true, ..Told::default() };
                lock(&given).said.push(ToDoor::Told(told));
                continue;
            }
            let session = SessionId::of_node(node, seated.session);
            let outbox = Given::seat(&given, session, seated.outbox);
            outbox.prove(seated.proved);
            self.seat_again(session, &seated, outbox);
        }
    }

    /// A session that was logged in before comes to this hub.
    pub(super) fn seat_again(&mut self, session: SessionId, seated: &Seated, outbox: Arc<Outbox>) {
        let device = seated.device.map(|number| (number, false));
        let is_first = !self.online.contains_key(&seated.account);
        self.enter(session, seated.account, device, (seated.key, seated.events), outbox);
        if let Some(seat) = self.seats.get_mut(&session) {
            seat.online = seated.online;
            if seated.pushes {
                self.tally.behind -= u64::from(seat.is_behind());
                seat.pushes = true;
                // It has missed nothing, so no newer move is due to it. If all were that are told, those
                // that do not concern it, such as its own, would come at the next login.
                if seated.online {
                    if let Some(device) = &mut seat.device {
                        device.due = seated.due;
                    }
                    if is_first && let Some(presence) = self.online.get_mut(&seated.account) {
                        presence.due = seated.due;
                    }
                }
            }
        }
        if let Some(doors) = self.doors.as_mut().filter(|_| session.node() == 0) {
            doors.own.secrets.insert(session, seated.secrets);
        }
    }

    /// The line of a door has ended, if it had one: its sessions are gone, for now at least.
    pub(super) fn part(&mut self, node: u64) {
        let Some(door) = self.doors.as_mut().and_then(|doors| doors.doors.remove(&node)) else {
            return;
        };
        door.line.close();
        if let Some(doors) = &mut self.doors {
            doors.inquiries.forget(node);
        }
        let its = self.seats.keys().copied().filter(|session| session.node() == node);
        let its: Vec<SessionId> = its.collect();
        log::info!("node {node} has gone, sessions: {}", its.len());
        for session in its {
            let proved = self.seats.get(&session).map(|seat| seat.outbox.proved());
            self.leave(session, proved);
        }
    }
}
