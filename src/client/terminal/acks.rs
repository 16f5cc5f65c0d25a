//! Acknowledges entries as received or as read.

use super::jobs::Purpose;
use super::talk::{DueAck, Talk};

impl Talk {
    /// Marks the current conversation as read, if its end is on the screen and the user is there.
    pub(super) fn is_seen(&mut self) {
        let is_seen = self.is_there && self.screen.is_at_end();
        let (Some(name), true) = (self.current.clone(), is_seen) else { return };
        let newest = self.screen.newest_to_read().unwrap_or(0);
        let chat = self.chat(&name);
        if newest > chat.read {
            chat.set_unread(0);
            chat.read = newest;
            self.acknowledge(&name, newest, true);
            self.pending_list.doubt();
        }
    }

    /// Acknowledges a conversation up to an id, as received or as read.
    pub(super) fn acknowledge(&mut self, name: &str, id: u64, is_read: bool) {
        let due = self.due_acks.entry(name.to_owned()).or_default();
        let upto = if is_read { &mut due.read } else { &mut due.ack };
        *upto = id.max(*upto);
        self.ack_more(false);
    }

    /// Sends the next acknowledgement; one at a time, so that a burst of messages needs only one.
    pub(super) fn ack_more(&mut self, is_done: bool) {
        self.is_acking &= !is_done;
        if self.is_acking {
            return;
        }
        if let Some((name, due)) = self.due_acks.pop_first() {
            self.is_acking = true;
            let DueAck { ack, read } = due;
            if read > 0 && ack > read {
                self.due_acks.insert(name, DueAck { ack, read: 0 });
            }
            let (verb, id) = if read > 0 { ("READ", read) } else { ("ACK", ack) };
            self.ask(format!("{verb} {id}"), Purpose::Ack(id));
        }
    }
}
