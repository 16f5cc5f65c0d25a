//! What the server answers.

use super::item::{Item, Tick};
use super::jobs::{Purpose, Ticks};
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
                let room = self.keyboard.room();
                let page = self.screen.older(room).unwrap_or_default();
                self.keyboard.print(page);
                self.ask_ticks(false);
            }
            Purpose::Missed(name) if is_current(self, &name) => self.missed(&name, reply),
            Purpose::Older(_) => self.is_loading = false,
            Purpose::Chats(is_shown) => self.listed(is_shown, reply),
            Purpose::Ticks(ticks) => self.counted(ticks, reply),
            Purpose::Mark(_) => self.mark_more(true),
            Purpose::Names(answer) => {
                let rows = reply.rows.iter().filter_map(|row| row.split(' ').nth(1));
                let names: Vec<String> = rows.map(str::to_owned).collect();
                self.keyboard.names(names.clone());
                let _ = answer.send(names);
            }
            Purpose::Show => self.shown(reply),
            Purpose::Open(_) | Purpose::Missed(_) => {}
        }
    }

    /// A command was refused, or nobody knows whether it was carried out.
    pub(super) fn failed(&mut self, purpose: Purpose, failure: &Failure) {
        let why = match failure {
            // A command is named as it is typed here.
            Failure::Refused(line) => lines::why(line).replace("; FIND ", "; /find "),
            other => other.to_string(),
        };
        match purpose {
            Purpose::Send(key) => {
                let room = self.keyboard.room();
                self.keyboard.print(self.screen.answered(&key, None, room));
                self.complain(&format!("not sent: {why}"));
                self.is_sent(&key);
            }
            Purpose::Open(name) if self.current.as_ref() == Some(&name) => {
                // Somebody may be typing: what is meant for one goes to nobody else.
                self.current = None;
                self.keyboard.prompt("");
                self.complain(&why);
            }
            Purpose::Open(_) | Purpose::Show | Purpose::Chats(true) => self.complain(&why),
            Purpose::Older(_) => {
                self.is_loading = false;
                self.complain(&why);
            }
            Purpose::Mark(_) => self.mark_more(true),
            Purpose::Ticks(ticks) => {
                let range = (0, 0);
                self.go_on_asking(Ticks { range, ..ticks });
            }
            Purpose::Names(_) | Purpose::Missed(_) | Purpose::Chats(_) => {}
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
        let title = self.title(name);
        let room = self.keyboard.room();
        self.keyboard.print(self.screen.turn_to(&title, items, has_more(reply), room));
        let authors = reply.rows.iter().filter_map(|row| row.split(' ').nth(3));
        self.keyboard.names(authors.map(str::to_owned));
        let newest = self.screen.newest_heard().unwrap_or(0);
        let chat = self.chat(name);
        chat.newest = chat.newest.max(newest);
        self.is_seen();
        self.ask_ticks(false);
    }

    /// What came while there was no connection, in the conversation that is turned to.
    fn missed(&mut self, name: &str, reply: &Reply) {
        if has_more(reply) {
            // There is no end to it: what is newest comes first.
            return self.turn_to(name);
        }
        if !reply.rows.is_empty() {
            let (items, room) = (self.items(reply), self.keyboard.room());
            self.keyboard.print(self.screen.merge(items, room));
            self.is_seen();
        }
        self.ask_ticks(false);
    }

    fn listed(&mut self, is_shown: bool, reply: &Reply) {
        let mut has_grown = false;
        for row in &reply.rows {
            let words: Vec<&str> = row.split(' ').collect();
            let [_, name, unread, newest, _] = words[..] else { continue };
            let is_current = self.current.as_deref() == Some(name);
            let chat = self.chat(name);
            let before = chat.unread;
            // What is being read is not counted.
            chat.unread = if is_current { before } else { unread.parse().unwrap_or(0) };
            chat.newest = newest.parse().unwrap_or(0);
            has_grown |= chat.unread > before;
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
        } else if has_grown {
            self.tell_unread();
        }
    }

    /// Says where something is unread.
    fn tell_unread(&mut self) {
        let chats = self.chats.iter().enumerate();
        let unread = chats.filter(|(_, chat)| chat.unread > 0);
        let unread = unread.filter(|(_, chat)| Some(&chat.name) != self.current.as_ref());
        let unread = unread.map(|(n, chat)| format!("[/{}] {} {}", n + 1, chat.name, chat.unread));
        let unread: Vec<String> = unread.collect();
        if !unread.is_empty() {
            self.remark(&format!("      unread: {}", unread.join(", ")));
        }
    }

    /// Where one goes first: to what is unread, else to where something was said last.
    fn begin(&mut self) {
        let newest = |chat: &&Chat| (chat.unread > 0, chat.newest);
        if let Some(name) = self.chats.iter().max_by_key(newest).map(|chat| chat.name.clone()) {
            self.turn_to(&name);
            self.tell_unread();
        } else {
            self.remark("nobody has written yet: /to bob talks to bob, /help has the rest");
        }
    }

    fn counted(&mut self, mut ticks: Ticks, reply: &Reply) {
        let (Some(middle), true) = (ticks.middle(), self.current.as_ref() == Some(&ticks.name))
        else {
            return self.go_on_asking(Ticks { range: (0, 0), ..ticks });
        };
        let states = reply.rows.iter().filter_map(|row| row.split(' ').nth(3));
        // Nobody waits for those who are in the group no more.
        let states = states.filter(|state| *state != "left").map(|state| match state {
            "read" => Tick::Read,
            "delivered" => Tick::Delivered,
            _ => Tick::Sent,
        });
        let tick = states.min();
        if let Some(tick) = tick {
            let room = self.keyboard.room();
            let reached = self.screen.reached(ticks.ids[middle], tick, ticks.is_news, room);
            self.keyboard.print(reached);
        }
        // Where nobody else could see it, it says nothing about those before it.
        match tick.is_none_or(|tick| tick >= ticks.wanted) {
            true => ticks.range.0 = middle + 1,
            false => ticks.range.1 = middle,
        }
        let (low, high) = ticks.range;
        if low == high && ticks.wanted == Tick::Delivered {
            ticks.wanted = Tick::Read;
            ticks.ids.truncate(high);
            ticks.range = (0, high);
        }
        self.go_on_asking(ticks);
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
        // It is an entry of the group, which is on the screen.
        let is_change = done.starts_with("GROUP ") && rows.is_empty();
        if is_change && done.split(' ').next_back() == self.current.as_deref() {
            return;
        }
        let text = match rows.is_empty() {
            true => format!("      {}", in_words(done)),
            false => rows.join("\n"),
        };
        self.remark(&text);
    }
}

/// What was done, or what there is none of.
fn in_words(done: &str) -> String {
    let words: Vec<&str> = done.splitn(3, ' ').collect();
    match words[..] {
        ["BLOCK", "0"] => "you take messages from everybody".to_owned(),
        ["BLOCK", who] => format!("you take nothing more from {who}"),
        ["UNBLOCK", who] => format!("you take messages from {who} again"),
        ["NAME"] => "you are shown by your new name".to_owned(),
        ["WHOAMI", handle, name] => format!("{handle}, {name}"),
        ["GROUP", "LEAVE", name] => format!("you have left {name}"),
        ["GROUP", _, name] if name.starts_with('#') => format!("done, in {name}"),
        ["FIND" | "INFO" | "GROUP", ..] => "nobody".to_owned(),
        _ => done.to_owned(),
    }
}

/// Whether there is more than was asked for.
fn has_more(reply: &Reply) -> bool {
    reply.ok.ends_with(" more")
}
