//! What arrives: messages, changes of groups, receipts, and the end and the beginning of a
//! connection.

use smol::process::{Command, Stdio};

use super::item::{self, Item, Tick};
use super::jobs::{Purpose, Ticks};
use super::known::size;
use super::talk::{LOADED, Talk};
use crate::client::feed::PUT_BACK;
use crate::client::lines::{self, Entry};
use crate::client::outage::BACK;

impl Talk {
    /// A line of the server's.
    pub(super) fn line(&mut self, line: &str) {
        match lines::first_word(line) {
            "MSG" | "GROUP" => {
                if let Some(entry) = Entry::parse(line) {
                    self.entry(entry);
                }
            }
            "ACK" => self.receipt(line, Tick::Delivered),
            "READ" => self.receipt(line, Tick::Read),
            "LIVE" => self.live(),
            "BYE" => self.remark(&format!("── the server says: {} ──", line[3..].trim())),
            _ => {}
        }
    }

    /// Something about the connection.
    pub(super) fn told(&mut self, what: &str) {
        if what == BACK {
            // What was missed comes first, and then a line that says so.
            self.is_live = false;
        } else if what.starts_with(PUT_BACK) {
            self.put_back();
        }
        self.remark(&format!("── {what} ──"));
    }

    /// The conversation of an entry, as this account calls it.
    pub(super) fn conversation(&self, entry: &Entry) -> String {
        let is_mine = entry.from == self.me.as_str();
        if is_mine { entry.to.clone() } else { entry.conversation().to_owned() }
    }

    fn entry(&mut self, entry: Entry) {
        let is_mine = entry.from == self.me.as_str();
        if !self.is_live {
            // What waited is shown when all of it has come.
            if !is_mine {
                let name = self.conversation(&entry);
                self.mark(&name, entry.id, false);
            }
        } else if is_mine && !self.unsent.is_empty() {
            self.held.push(entry);
        } else if !self.sent.contains(&entry.id) {
            self.show(&entry);
        }
    }

    /// Shows an entry that is new.
    pub(super) fn show(&mut self, entry: &Entry) {
        let name = self.conversation(entry);
        let is_mine = entry.from == self.me.as_str();
        let is_current = self.current.as_ref() == Some(&name);
        let chat = self.chat(&name);
        chat.newest = chat.newest.max(entry.id);
        if !is_mine {
            chat.unread += 1;
            self.keyboard.names([entry.from.clone()]);
        }
        if is_current && !self.screen.has(entry.id) {
            self.add(Item::entry(entry, &self.me, &self.zone));
        } else if !is_current && !is_mine {
            self.announce(&name, entry);
        }
        let goes =
            !entry.is_message() && ["leave", "remove "].iter().any(|w| entry.body.starts_with(w));
        if is_current && goes {
            // Perhaps it was only they who had not read.
            self.ask_ticks(true);
        }
        if is_mine {
            return;
        }
        if is_current && self.screen.is_at_end() {
            self.is_seen();
        } else {
            self.mark(&name, entry.id, false);
        }
        if entry.is_message() {
            self.call(&entry.from);
        }
    }

    /// A line about what was said in another conversation.
    fn announce(&mut self, name: &str, entry: &Entry) {
        let number = self.chats.iter().position(|chat| chat.name == name).map_or(0, |n| n + 1);
        let place = if name.starts_with('#') { format!("{name} ") } else { String::new() };
        let sign = if entry.is_message() { ":" } else { " *" };
        let body = if entry.is_message() { entry.body.clone() } else { item::change(&entry.body) };
        let line = format!("      [/{number}] {place}{}{sign} {body}", entry.from);
        let width = size().columns.saturating_sub(2);
        self.remark(&item::cut(&line, width));
    }

    /// Calls whoever sits there, in the ways that were asked for.
    fn call(&mut self, from: &str) {
        if self.options.bell {
            // A line end is printed behind it, so it goes up by one first.
            self.keyboard.print("\x07\x1b[A\n".to_owned());
        }
        if self.options.notify {
            // Arguments can be read by all users of the machine, so the text is not among them.
            let mut notice = Command::new("notify-send");
            notice.args(["--app-name=papo", "papo"]).arg(format!("a message from {from}"));
            notice.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            if let Err(e) = notice.spawn() {
                self.options.notify = false;
                self.complain(&format!("--notify: notify-send cannot be run: {e}"));
            }
        }
    }

    fn receipt(&mut self, line: &str, tick: Tick) {
        let words: Vec<&str> = line.split(' ').collect();
        let [_, id, _, from, to] = words[..] else { return };
        let Ok(id) = id.parse::<u64>() else { return };
        let is_mine = from == self.me.as_str();
        let name = if to.starts_with('#') || is_mine { to } else { from };
        let is_current = self.current.as_deref() == Some(name);
        if is_mine {
            // Read on another device.
            let chat = self.chat(name);
            if tick == Tick::Read {
                chat.read = chat.read.max(id);
                if !is_current && id >= chat.newest {
                    chat.unread = 0;
                }
            }
        } else if is_current && name.starts_with('#') {
            // What one has received, not all have.
            self.ask_ticks(true);
        } else if is_current {
            let room = self.keyboard.room();
            self.keyboard.print(self.screen.reached(id, tick, true, room));
        }
    }

    /// Finds out how far what one has said has come. While that is going on, it is begun anew at
    /// most once, however much happens.
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

    /// All that waited has come.
    fn live(&mut self) {
        self.is_live = true;
        self.ask("CHATS".to_owned(), Purpose::Chats(false));
        let current = self.current.clone();
        if let (Some(name), true) = (&current, std::mem::take(&mut self.is_put_back)) {
            self.turn_to(name);
        } else if let Some(name) = current {
            let after = self.screen.newest_heard().unwrap_or(0);
            self.ask(format!("HIST {name} {LOADED} after {after}"), Purpose::Missed(name));
        }
    }
}
