//! Handles what arrives: messages, changes of groups, receipts, and lost and new connections.

use jiff::Timestamp;

use super::item::ScreenItem;
use super::jobs::{Purpose, Ticks};
use super::later::clock;
use super::notices::{self, Noticed};
use super::stale::StaleMessage;
use super::style::Tick;
use super::talk::{LOADED, Talk};
use crate::client::expire;
use crate::client::feed::PUT_BACK;
use crate::client::harmless::harmless;
use crate::client::lines::{calls, conversation_of, is_message, is_own, is_reminder};
use crate::client::outage::BACK;
use crate::entry::{Cursor, Entry, EntryKind, Receipt};
use crate::name::Target;
use crate::wire::rows::{ReceiptLine, ServerLine};

/// Messages whose notices can be withdrawn.
const NOTICED: usize = 100;

impl Talk {
    /// A line from the server.
    pub(super) fn line(&mut self, line: &str) {
        match ServerLine::parse(line) {
            Some(ServerLine::Entry(known)) => self.entry(known.entry.into_owned()),
            Some(ServerLine::Receipt(ReceiptLine(receipt))) => self.receipt(&receipt),
            Some(ServerLine::Live(_)) => self.live(),
            Some(ServerLine::Notice(notice)) => {
                let clock = clock(notice.time, &self.zone);
                self.remark(&format!(
                    "── {clock}, from the operator: {} ──",
                    harmless(&notice.text)
                ));
                if self.options.bell {
                    self.ring();
                }
            }
            _ => {}
        }
    }

    /// A notice about the connection.
    pub(super) fn told(&mut self, what: &str) {
        if what == BACK {
            // `LIVE` follows when all missed events have come.
            (self.is_live, self.is_offline) = (false, false);
        } else if what.starts_with(PUT_BACK) {
            self.begin_anew(what);
        } else {
            self.is_offline = true;
        }
        self.remark(&format!("── {what} ──"));
    }

    /// The conversation of an entry, as this account calls it.
    pub(super) fn conversation(&self, entry: &Entry) -> String {
        conversation_of(entry, &self.me).to_string()
    }

    /// Whether an entry is the user's own, and so nothing that waits for them.
    fn is_own(&self, entry: &Entry) -> bool {
        is_own(entry, &self.me)
    }

    fn entry(&mut self, entry: Entry) {
        let (id, is_own) = (entry.id.number(), self.is_own(&entry));
        if entry.kind.is_mark() {
            self.marked(&entry);
        } else if !self.is_live {
            // Waiting entries are shown once all have come.
            let (name, me) = (self.conversation(&entry), self.me.clone());
            let chat = self.chat(&name);
            chat.heard(&entry, &me);
            // How many are unread is not known yet.
            chat.is_called |= !is_own && calls(&entry, &me);
            if !is_own || self.is_device {
                self.acknowledge(&name, id, false);
            }
        } else if is_own && !self.unsent.is_empty() {
            self.held.push(entry);
        } else if !self.sent.contains(&id) {
            self.show(&entry);
        }
    }

    /// Shows a new entry.
    pub(super) fn show(&mut self, entry: &Entry) {
        let name = self.conversation(entry);
        let (id, is_own) = (entry.id.number(), self.is_own(entry));
        let is_current = self.current.as_ref() == Some(&name);
        let me = self.me.clone();
        let chat = self.chat(&name);
        chat.heard(entry, &me);
        if !is_own {
            // A list, or a page that was read, may have come before it.
            if id > chat.counted.max(chat.read) {
                chat.counted = id;
                chat.set_unread(chat.unread + 1);
                self.pending_list.note(&name, id);
            }
            self.keyboard.names([entry.from.to_string()]);
        }
        if is_current && !self.screen.has(id) {
            let item = ScreenItem::entry(entry, &self.me, &self.zone);
            // One of the user's that was held stands where it belongs, and may have been read.
            match self.screen.has_later(id) {
                true if self.screen.is_at_end() => {
                    let room = self.keyboard.room();
                    self.keyboard.print(self.screen.merge(vec![item], room));
                }
                _ => self.add(item),
            }
            if is_own && self.chat(&name).receipt >= id {
                self.ask_ticks(true);
            }
            let answers = entry.tags.as_ref().and_then(|tags| tags.re);
            if let Some(re) = answers.map(|id| id.number()).filter(|re| !self.screen.has(*re)) {
                self.refresh(StaleMessage { id: re, name: name.clone(), reaction: None });
            }
        }
        if is_current && entry.kind == EntryKind::Expire {
            // Those that were sent after it and confirmed before it have come vanish, too.
            for id in self.screen.sent_after(id) {
                self.refresh(StaleMessage { id, name: name.clone(), reaction: None });
            }
        }
        let goes =
            !is_message(entry) && ["leave", "remove "].iter().any(|w| entry.body.starts_with(w));
        if is_current && goes {
            // Perhaps only they had not read.
            self.ask_ticks(true);
        }
        if is_own {
            if self.is_device {
                // Else it comes again at the next login.
                self.acknowledge(&name, id, false);
            }
            return;
        }
        if is_current && self.is_there && self.screen.is_at_end() {
            self.is_seen();
        } else {
            self.acknowledge(&name, id, false);
        }
        if is_message(entry) {
            self.call(entry, &name);
        }
    }

    /// Alerts the user in the ways asked for; with the bell in any case if the message calls them,
    /// and not at all if it does not and its conversation is muted or archived.
    fn call(&mut self, entry: &Entry, name: &str) {
        let is_called = calls(entry, &self.me);
        let chat = self.chat(name);
        chat.is_called |= is_called && chat.unread > 0;
        if !is_called && chat.flags.are_silent() {
            return;
        }
        if self.options.bell || is_called {
            self.ring();
        }
        if self.options.notify {
            let id = entry.id.number();
            let due = expire::due(entry, Timestamp::now());
            self.noticed.insert(id, Noticed { number: None, due });
            // The oldest have been seen, or never will be.
            if self.noticed.len() > NOTICED {
                self.noticed.pop_first();
            }
            let place = Some(name).filter(|name| name.starts_with('#'));
            let place = place.map(|group| format!(" in {group}")).unwrap_or_default();
            let what = match (is_reminder(entry, &self.me), is_called) {
                (true, _) => "a reminder".to_owned(),
                (_, true) => format!("{} calls you{place}", entry.from),
                _ => format!("a message from {}{place}", entry.from),
            };
            notices::show(id, what, self.tell.clone());
        }
    }

    fn ring(&mut self) {
        // Printing adds a line end, so go up by one first.
        self.keyboard.print("\x07\x1b[A\n".to_owned());
    }

    /// A notice is shown under this number. It is withdrawn if its message was deleted or
    /// has vanished meanwhile.
    pub(super) fn noticed(&mut self, id: u64, notice: u32) {
        match self.noticed.get_mut(&id) {
            Some(known) => known.number = Some(notice),
            None => notices::withdraw(notice),
        }
    }

    fn receipt(&mut self, receipt: &Receipt) {
        let Receipt { cursor, id, time, from, to } = receipt;
        let tick = match cursor {
            Cursor::Delivered => Tick::Delivered,
            Cursor::Read => Tick::Read,
        };
        let (id, is_mine) = (id.number(), *from == self.me);
        let is_group = matches!(to, Target::Group(_));
        let name = &*if is_group || is_mine { to.to_string() } else { from.to_string() };
        let is_current = self.current.as_deref() == Some(name);
        if is_mine {
            // Read on another device.
            let chat = self.chat(name);
            if tick == Tick::Read {
                chat.read = chat.read.max(id);
                chat.flags.read_at(*time);
                match (is_current, id >= chat.newest) {
                    (false, true) => chat.set_unread(0),
                    // What came after it may be the user's own, or be read, too.
                    (false, false) if chat.unread > 0 => self.pending_list.is_wanted = true,
                    _ => {}
                }
                self.pending_list.doubt();
                self.list_again();
            }
            return;
        }
        let chat = self.chat(name);
        chat.receipt = chat.receipt.max(id);
        if is_group {
            // Other members may not have received it.
            if is_current {
                self.ask_ticks(true);
            }
        } else {
            chat.reached(id, tick);
            if !is_current {
                return;
            }
            let room = self.keyboard.room();
            self.keyboard.print(self.screen.reached(id, tick, true, room));
        }
    }

    /// Finds out how far the user's messages have come. During a search, news starts at most one
    /// more, however much there is.
    pub(super) fn ask_ticks(&mut self, is_news: bool) {
        let ids = self.screen.unread();
        let Some(name) = self.current.clone().filter(|_| !ids.is_empty()) else { return };
        if self.is_asking {
            self.asks_again = Some(is_news || self.asks_again == Some(true));
            return;
        }
        let range = (0, ids.len());
        self.go_on_asking(Ticks { name, ids, wanted: Tick::Delivered, range, is_news });
    }

    pub(super) fn go_on_asking(&mut self, ticks: Ticks) {
        match ticks.middle() {
            Some(middle) => {
                self.is_asking = true;
                self.ask(format!("INFO {}", ticks.ids[middle]), Purpose::Ticks(ticks));
            }
            None => {
                self.is_asking = false;
                if let Some(is_news) = self.asks_again.take() {
                    self.ask_ticks(is_news);
                }
            }
        }
    }

    /// All waiting entries have come.
    fn live(&mut self) {
        self.is_live = true;
        self.ask("CHATS".to_owned(), Purpose::Chats(None));
        let current = self.current.clone();
        if let (Some(name), Some(told)) = (&current, self.put_back.take()) {
            self.turn_to(name);
            // Switching has just cleared it.
            self.remark(&format!("── {told} ──"));
        } else if let Some(name) = current {
            let after = self.screen.newest_heard().unwrap_or(0);
            self.ask(format!("HIST {name} {LOADED} after {after}"), Purpose::Missed(name));
        }
    }
}
