//! How far each conversation was sent to a session: what `ACK` and `READ` without an id refer to.

use std::collections::HashMap;

use crate::entry::{Cursor, EntryId};
use crate::name::Target;

/// Conversations by the other party's name; only allocated once something was sent.
#[derive(Default)]
pub struct SentUpto {
    /// The last entry of each that was sent as an event.
    sent: HashMap<Target, LastSent>,
    /// Those with entries that no bare `ACK` has covered.
    unacked: Vec<Target>,
    /// Those with entries that no bare `READ` has covered.
    unread: Vec<Target>,
    /// The newest entry sent as an event, of all conversations.
    newest: EntryId,
    /// The last entry of each in the latest `HIST` or `SYNC`.
    listed: HashMap<Target, EntryId>,
}

#[derive(Default)]
struct LastSent {
    last: EntryId,
    unacked: bool,
    unread: bool,
}

impl SentUpto {
    /// Records an entry that was sent as an event.
    pub fn note(&mut self, peer: Target, id: EntryId) {
        let sent = self.sent.entry(peer.clone()).or_default();
        sent.last = id;
        if !std::mem::replace(&mut sent.unacked, true) {
            self.unacked.push(peer.clone());
        }
        if !std::mem::replace(&mut sent.unread, true) {
            self.unread.push(peer);
        }
        self.newest = self.newest.max(id);
    }

    /// Forgets the previous `HIST` or `SYNC`.
    pub fn begin_list(&mut self) {
        self.listed = HashMap::new();
    }

    /// Records an entry that was sent as a row.
    pub fn note_row(&mut self, peer: Target, id: EntryId) {
        self.listed.insert(peer, id);
    }

    /// The last entry of a conversation that was sent or listed.
    pub fn last(&self, peer: &Target) -> Option<EntryId> {
        let sent = self.sent.get(peer).map(|sent| sent.last);
        sent.max(self.listed.get(peer).copied())
    }

    /// The newest entry sent as an event, of all conversations.
    pub fn newest(&self) -> Option<EntryId> {
        (self.newest > EntryId(0)).then_some(self.newest)
    }

    /// After a failure to record moves: no entry counts as covered any more.
    pub fn uncover(&mut self) {
        for (peer, sent) in &mut self.sent {
            if !std::mem::replace(&mut sent.unacked, true) {
                self.unacked.push(peer.clone());
            }
            if !std::mem::replace(&mut sent.unread, true) {
                self.unread.push(peer.clone());
            }
        }
    }

    /// The last sent entry of each conversation with uncovered ones; all count as covered from now
    /// on.
    pub fn cover(&mut self, cursor: Cursor) -> Vec<EntryId> {
        let mut ids = Vec::new();
        let peers = match cursor {
            Cursor::Delivered => &mut self.unacked,
            Cursor::Read => &mut self.unread,
        };
        for peer in std::mem::take(peers) {
            let Some(sent) = self.sent.get_mut(&peer) else { continue };
            ids.push(sent.last);
            match cursor {
                Cursor::Delivered => sent.unacked = false,
                Cursor::Read => sent.unread = false,
            }
        }
        // Ordered by id, so that the order of receipts is defined.
        ids.sort_unstable();
        ids
    }
}
