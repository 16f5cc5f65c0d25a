//! What the server answers.

use super::item::{Item, Tick};
use super::jobs::Purpose;
use super::talk::{Chat, Talk};
use crate::client::connection::Reply;
use crate::client::failure::Failure;
use crate::client::lines::{self, Entry};
use crate::client::{group, look};

impl Talk {
    /// A command was carried out.
    pub(super) fn answered(&mut self, purpose: Purpose, reply: &Reply) {
        let is_current = |talk: &Talk, name: &String| talk.current.as_ref() == Some(name);
        match purpose {
            Purpose::Send(key) => self.confirmed(&key, reply),
            Purpose::Open(name) if is_current(self, &name) => self.opened(&name, reply),
            Purpose::Older(name) if is_current(self, &name) => {
                self.is_loading = false;
                let items = self.items(reply);
                self.screen.load(items, has_more(reply));
                let size = self.keyboard.room().size;
                let page = self.screen.older(size).unwrap_or_default();
                self.keyboard.print(page);
                self.ask_all_ticks();
            }
            Purpose::Missed(name) if is_current(self, &name) => self.missed(&name, reply),
            Purpose::Older(_) => self.is_loading = false,
            Purpose::Chats(is_shown) => self.listed(is_shown, reply),
            Purpose::Ticks(name, id, earlier) if is_current(self, &name) => {
                self.counted(name, id, earlier, reply);
            }
            Purpose::Mark => self.mark_more(true),
            Purpose::Names(answer) => {
                let rows = reply.rows.iter().filter_map(|row| row.split(' ').nth(1));
                let names: Vec<String> = rows.map(str::to_owned).collect();
                self.keyboard.names(names.clone());
                let _ = answer.send(names.iter().map(|name| format!("{name} ")).collect());
            }
            Purpose::Show => self.shown(reply),
            Purpose::Open(_) | Purpose::Missed(_) | Purpose::Ticks(..) => {}
        }
    }

    /// A command was refused, or nobody knows whether it was carried out.
    pub(super) fn failed(&mut self, purpose: Purpose, failure: &Failure) {
        let why = match failure {
            Failure::Refused(line) => line.splitn(4, ' ').nth(3).unwrap_or(line).to_owned(),
            other => other.to_string(),
        };
        match purpose {
            Purpose::Send(key) => {
                let room = self.keyboard.room();
                self.keyboard.print(self.screen.answered(&key, None, room));
                self.complain(&format!("not sent: {why}"));
                self.is_sent(&key);
            }
            Purpose::Open(_) | Purpose::Show | Purpose::Chats(true) => self.complain(&why),
            Purpose::Older(_) => {
                self.is_loading = false;
                self.complain(&why);
            }
            Purpose::Mark => self.mark_more(true),
            Purpose::Names(_) | Purpose::Ticks(..) | Purpose::Missed(_) | Purpose::Chats(_) => {}
        }
    }

    fn confirmed(&mut self, key: &str, reply: &Reply) {
        let id = reply.word(2).ok().and_then(|id| id.parse().ok());
        let room = self.keyboard.room();
        self.keyboard.print(self.screen.answered(key, id, room));
        if let Some(id) = id {
            self.sent.insert(id);
            // Events of these came long ago.
            if self.sent.len() > 1_000 {
                self.sent.pop_first();
            }
        }
        self.is_sent(key);
    }

    fn items(&self, reply: &Reply) -> Vec<Item> {
        let entries = reply.rows.iter().filter_map(|row| Entry::parse(row));
        entries.map(|entry| Item::entry(&entry, &self.me, &self.zone)).collect()
    }

    fn opened(&mut self, name: &str, reply: &Reply) {
        let mut items = self.items(reply);
        // What came since, by whichever way.
        let last = items.iter().rev().find_map(Item::id).unwrap_or(0);
        items.extend(self.screen.later_than(last));
        let title = if name == self.me.as_str() { "notes to yourself" } else { name };
        let page = self.screen.turn_to(title, items, has_more(reply));
        self.keyboard.print(page);
        let authors = reply.rows.iter().filter_map(|row| row.split(' ').nth(3));
        self.keyboard.names(authors.map(str::to_owned));
        let newest = self.screen.newest().unwrap_or(0);
        let chat = self.chat(name);
        chat.newest = chat.newest.max(newest);
        self.is_seen();
        self.ask_all_ticks();
    }

    /// What came while there was no connection, in the conversation that is turned to.
    fn missed(&mut self, name: &str, reply: &Reply) {
        if has_more(reply) {
            // There is no end to it: what is newest comes first.
            return self.turn_to(name);
        }
        let of_others = reply.rows.iter().filter_map(|row| Entry::parse(row));
        let of_others = of_others.filter(|entry| entry.from != self.me.as_str()).count();
        if !reply.rows.is_empty() {
            let (items, size) = (self.items(reply), self.keyboard.room().size);
            self.keyboard.print(self.screen.merge(items, size));
            self.chat(name).unread += of_others as u64;
            self.is_seen();
        }
        self.ask_all_ticks();
    }

    fn listed(&mut self, is_shown: bool, reply: &Reply) {
        for row in &reply.rows {
            let words: Vec<&str> = row.split(' ').collect();
            let [_, name, unread, newest, _] = words[..] else { continue };
            let is_current = self.current.as_deref() == Some(name);
            let chat = self.chat(name);
            // What is being read is not counted.
            chat.unread = if is_current { chat.unread } else { unread.parse().unwrap_or(0) };
            chat.newest = newest.parse().unwrap_or(0);
        }
        if is_shown {
            let lines = self.chats.iter().enumerate().map(|(n, chat)| {
                let unread = Some(chat.unread).filter(|unread| *unread > 0);
                let unread = unread.map(|n| format!("{n} unread")).unwrap_or_default();
                format!("{:>6}  {:<20} {unread}", n + 1, chat.name).trim_end().to_owned()
            });
            let lines: Vec<String> = lines.collect();
            let none = "no conversations yet; /to bob begins one";
            self.remark(if lines.is_empty() { none.to_owned() } else { lines.join("\n") }.as_str());
        } else if self.current.is_none() {
            self.begin();
        }
    }

    /// Where one goes first: to what is unread, else to where something was said last.
    fn begin(&mut self) {
        let newest = |chat: &&Chat| (chat.unread > 0, chat.newest);
        if let Some(name) = self.chats.iter().max_by_key(newest).map(|chat| chat.name.clone()) {
            self.turn_to(&name);
        } else {
            self.remark(
                "nobody has written yet. /to bob talks to bob, /find ana looks for people,",
            );
            self.remark("/help has the rest");
        }
    }

    fn counted(&mut self, name: String, id: u64, earlier: usize, reply: &Reply) {
        let states = reply.rows.iter().filter_map(|row| row.split(' ').nth(3));
        let ticks = states.map(|state| match state {
            "read" => Tick::Read,
            "delivered" => Tick::Delivered,
            _ => Tick::Sent,
        });
        let Some(tick) = ticks.min() else { return };
        let room = self.keyboard.room();
        self.keyboard.print(self.screen.reached(id, tick, room));
        let before = self.screen.unread().into_iter().find(|own| *own < id);
        if let (Some(before), true, true) = (before, tick < Tick::Read, earlier > 0) {
            self.ask_ticks(name, before, earlier - 1);
        }
    }

    /// Rows that somebody wants to see.
    fn shown(&mut self, reply: &Reply) {
        let rows = reply.rows.iter().map(|row| {
            let line = match lines::first_word(row) {
                "USER" => look::user(row),
                "INFO" => look::reader(row),
                "GROUPS" => group::one(row),
                "MEMBER" => group::member(row),
                _ => row.split_once(' ').map(|(_, rest)| rest.to_owned()),
            };
            format!("      {}", line.unwrap_or_else(|| row.clone()))
        });
        let rows: Vec<String> = rows.collect();
        let done = reply.ok.strip_prefix("OK ").unwrap_or(&reply.ok);
        if let Some(name) = done.strip_prefix("GROUP NEW ") {
            return self.turn_to(name);
        }
        let is_empty = rows.is_empty() && done.ends_with(" 0");
        let text = match rows.is_empty() {
            _ if is_empty => "      nothing".to_owned(),
            true => format!("      done: {done}"),
            false => rows.join("\n"),
        };
        self.remark(&text);
    }
}

/// Whether there is more than was asked for.
fn has_more(reply: &Reply) -> bool {
    reply.ok.ends_with(" more")
}
