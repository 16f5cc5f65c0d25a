//! How far a session was shown each conversation: what `ACK` and `READ` without an id speak of.

use std::collections::HashMap;

use crate::entry::{Cursor, EntryId};
use crate::name::Target;

/// Conversations by the other party's name. A session that was sent nothing has none of this.
#[derive(Default)]
pub struct Seen {
    /// Of each the last entry that was sent as an event.
    sent: HashMap<Target, LastSent>,
    /// Those that no bare `ACK` has covered.
    unacked: Vec<Target>,
    /// Those that no bare `READ` has covered.
    unread: Vec<Target>,
    /// The newest entry that was sent as an event.
    newest: EntryId,
    /// Of each the last entry that the latest `HIST` or `SYNC` showed.
    listed: HashMap<Target, EntryId>,
}

#[derive(Default)]
struct LastSent {
    last: EntryId,
    unacked: bool,
    unread: bool,
}

impl Seen {
    /// Notes that an entry was sent as an event.
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

    /// Forgets what was listed: a new list begins.
    pub fn begin_list(&mut self) {
        self.listed = HashMap::new();
    }

    /// Notes that an entry was shown as a row.
    pub fn note_row(&mut self, peer: Target, id: EntryId) {
        self.listed.insert(peer, id);
    }

    /// The last entry of a conversation that was sent or listed.
    pub fn last(&self, peer: &Target) -> Option<EntryId> {
        let sent = self.sent.get(peer).map(|sent| sent.last);
        sent.max(self.listed.get(peer).copied())
    }

    /// The newest entry that was sent as an event.
    pub fn newest(&self) -> Option<EntryId> {
        (self.newest > EntryId(0)).then_some(self.newest)
    }

    /// What was covered may not be on disk: nothing counts as covered.
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

    /// The last entry sent of each conversation that no bare `ACK` (or `READ`) has covered; they
    /// are covered now.
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
        // In the order of ids, so that receipts come in an order that can be relied on.
        ids.sort_unstable();
        ids
    }
}
