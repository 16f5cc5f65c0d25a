//! Acknowledges entries as received or as read.

use super::jobs::Purpose;
use super::talk::{AckMark, Talk};

impl Talk {
    /// Marks the current conversation as read, if its end is on the screen and the user is there.
    pub(super) fn is_seen(&mut self) {
        let is_seen = self.is_there && self.screen.is_at_end();
        let (Some(name), true) = (self.current.clone(), is_seen) else { return };
        let newest = self.screen.newest_of_others().unwrap_or(0);
        let chat = self.chat(&name);
        if newest > chat.read {
            chat.set_unread(0);
            chat.read = newest;
            self.mark(&name, newest, true);
        }
    }

    /// Acknowledges a conversation up to an id, as received or as read.
    pub(super) fn mark(&mut self, name: &str, id: u64, is_read: bool) {
        let mark = self.marks.entry(name.to_owned()).or_default();
        let upto = if is_read { &mut mark.read } else { &mut mark.ack };
        *upto = id.max(*upto);
        self.mark_more(false);
    }

    /// Sends the next acknowledgement; one at a time, so that a burst of messages needs only one.
    pub(super) fn mark_more(&mut self, is_done: bool) {
        self.is_marking &= !is_done;
        if self.is_marking {
            return;
        }
        if let Some((name, mark)) = self.marks.pop_first() {
            self.is_marking = true;
            let AckMark { ack, read } = mark;
            if read > 0 && ack > read {
                self.marks.insert(name, AckMark { ack, read: 0 });
            }
            let (verb, id) = if read > 0 { ("READ", read) } else { ("ACK", ack) };
            self.ask(format!("{verb} {id}"), Purpose::Mark(id));
        }
    }
}
