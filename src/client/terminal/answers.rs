//! Handles answers to commands.

use super::columns::cut;
use super::item::{AboutKind, ScreenItem};
use super::jobs::{Purpose, Ticks};
use super::known::size;
use super::later;
use super::stale::StaleMessage;
use super::style::Tick;
use super::talk::Talk;
use crate::client::connection::Success;
use crate::client::failure::Failure;
use crate::client::{group, lines, own, queries};
use crate::entry::{Clock, Entry, EntryKind};
use crate::wire::reply::{List, Reply as Done};
use crate::wire::rows::{EntryLine, InfoLine, Progress, ServerLine, UserLine};

impl Talk {
    /// A command was carried out.
    pub(super) fn answered(&mut self, purpose: Purpose, reply: &Success) {
        let is_current = |talk: &Talk, name: &String| talk.current.as_ref() == Some(name);
        match purpose {
            Purpose::Send(key) => self.confirmed(&key, reply),
            Purpose::Open(name) if is_current(self, &name) => self.opened(&name, reply),
            Purpose::Older(name) if is_current(self, &name) => {
                self.is_loading = false;
                let items = self.items(&name, reply);
                self.screen.load(items, reply.has_more());
                let room = self.keyboard.room();
                let page = self.screen.older(room).unwrap_or_default();
                self.keyboard.print(page);
                self.fetch_quotes();
                self.ask_ticks(false);
            }
            Purpose::Missed(name) if is_current(self, &name) => self.missed(&name, reply),
            Purpose::Older(_) => self.is_loading = false,
            Purpose::Chats(wanted) => self.listed(wanted, reply),
            Purpose::Last(name, wanted) => self.last_came(&name, wanted, Some(reply)),
            Purpose::Passwd { .. } => self.remark("      the password was changed"),
            Purpose::Ticks(ticks) => self.counted(ticks, reply),
            Purpose::Ack(_) => self.ack_more(true),
            Purpose::Names(answer) => {
                let users = reply.rows.iter().filter_map(|row| UserLine::parse(row));
                let names: Vec<String> = users.map(|user| user.handle.to_string()).collect();
                self.keyboard.names(names.clone());
                let _ = answer.send(names);
            }
            Purpose::Search(search) => self.looked(*search, reply),
            Purpose::Show => self.shown(reply, None),
            Purpose::ShowOr(none) => self.shown(reply, Some(none)),
            Purpose::Joined => {
                if let Ok(Done::Grouped { name, .. }) = reply.done() {
                    self.turn_to(&format!("#{name}"));
                }
            }
            Purpose::Invited(terms) => {
                if let Ok(Done::Invited { name, token: Some(token) }) = reply.done() {
                    let head = format!("      an invitation to #{name}, for {terms}; they type");
                    self.remark(&format!("{head}\n      /join {name} {token}"));
                }
            }
            Purpose::Made => {
                self.shown(reply, None);
                if let Ok(Done::Grouped { name, .. }) = reply.done() {
                    self.remark(&format!(
                        "      #{name} has only you; /group add HANDLE adds people"
                    ));
                }
            }
            Purpose::Refresh(message) => self.refreshed(&message, Some(reply)),
            Purpose::Forward(to) => self.remark(&format!("      forwarded to {to}")),
            Purpose::PutOff(what) => {
                if let Ok(Done::Scheduled { number, time, .. }) = reply.done() {
                    let columns = size().columns;
                    self.remark(&later::row(number, time, &what, &self.zone, columns));
                }
            }
            Purpose::Say(done) => self.remark(&done),
            Purpose::Open(_) | Purpose::Missed(_) | Purpose::Change | Purpose::Tidy => {}
        }
    }

    /// A command was refused, or its outcome is unknown.
    pub(super) fn failed(&mut self, purpose: Purpose, failure: &Failure) {
        let why = match failure {
            Failure::Refused(line) => as_typed_here(&lines::why(line)),
            other => other.to_string(),
        };
        match purpose {
            Purpose::Send(key) => {
                let room = self.keyboard.room();
                self.keyboard.print(self.screen.answered(&key, None, room));
                let to = self.unsent.iter().find(|unsent| unsent.is(&key));
                let elsewhere = to.filter(|unsent| Some(&unsent.to) != self.current.as_ref());
                let place = elsewhere.map(|unsent| format!(" to {}", unsent.to));
                self.complain(&format!("not sent{}: {why}", place.unwrap_or_default()));
                self.is_sent(&key);
            }
            Purpose::Open(name) if self.current.as_ref() == Some(&name) => {
                self.chats.forget(&name);
                self.keyboard.forget_name(&name);
                // While the user types, do not redirect the text to another conversation.
                match self.opened.clone().filter(|it| *it != name && !self.keyboard.is_typing()) {
                    Some(before) => self.turn_to(&before),
                    None => {
                        self.current = None;
                        self.keyboard.turn_to("");
                    }
                }
                self.complain(&why);
            }
            Purpose::Open(_) | Purpose::Made | Purpose::Joined | Purpose::Chats(Some(_)) => {
                self.complain(&why);
            }
            Purpose::Invited(_) | Purpose::Show | Purpose::ShowOr(_) => self.complain(&why),
            Purpose::Change | Purpose::Forward(_) | Purpose::Search(_) | Purpose::Say(_) => {
                self.complain(&why);
            }
            Purpose::PutOff(_) => {
                let is_lost = matches!(failure, Failure::Lost(_) | Failure::Busy(_));
                let hint = if is_lost { "; /later shows whether it waits" } else { "" };
                self.complain(&format!("{why}{hint}"));
            }
            Purpose::Refresh(message) => self.refreshed(&message, None),
            Purpose::Last(name, wanted) => self.last_came(&name, wanted, None),
            Purpose::Passwd { .. } => {
                let is_wrong = matches!(failure, Failure::Secret(_));
                let why = if is_wrong { "that is not the old password" } else { &why };
                self.complain(&format!("the password stays as it is: {why}"));
            }
            Purpose::Older(_) => {
                self.is_loading = false;
                self.complain(&why);
            }
            Purpose::Ack(_) => self.ack_more(true),
            Purpose::Ticks(ticks) => {
                let range = (0, 0);
                self.go_on_asking(Ticks { range, ..ticks });
            }
            Purpose::Names(_) | Purpose::Missed(_) | Purpose::Chats(_) | Purpose::Tidy => {}
        }
    }

    fn confirmed(&mut self, key: &str, reply: &Success) {
        let id = reply.sent().ok();
        let room = self.keyboard.room();
        self.keyboard.print(self.screen.answered(key, id, room));
        if let Some(id) = id {
            let time = match reply.done() {
                Ok(Done::Sent { time, .. } | Done::FileSent { time, .. }) => time,
                _ => Clock::System.now(),
            };
            let unsent = self.unsent.iter().find(|unsent| unsent.is(key));
            if let Some((to, body)) = unsent.map(|it| (it.to.clone(), it.said.body.clone())) {
                let due = self.chat(&to).due(id, time);
                self.screen.vanishes(id, due.unwrap_or_default());
                self.chat(&to).sent(id, &body, due.unwrap_or_default());
                let is_current = self.current.as_ref() == Some(&to);
                if due.is_err() && is_current {
                    self.refresh(StaleMessage { id, name: to.clone(), reaction: None });
                }
                if is_current && self.chat(&to).receipt >= id {
                    // It was read before this answer, which comes over another connection.
                    self.ask_ticks(true);
                }
                if !is_current {
                    self.remark(&format!("      ✓ to {to}: {}", cut(&body, size().columns / 2)));
                }
            }
            self.sent.insert(id);
            // Events for the oldest came long ago.
            if self.sent.len() > 1_000 {
                self.sent.pop_first();
            }
        }
        self.is_sent(key);
    }

    /// The entries of a conversation, with their known ticks.
    fn items(&mut self, name: &str, reply: &Success) -> Vec<ScreenItem> {
        let rows = reply.rows.iter().filter_map(|row| EntryLine::parse(row));
        let items = rows.map(|row| ScreenItem::entry(&row.entry, &self.me, &self.zone));
        let mut items: Vec<ScreenItem> = items.collect();
        let chat = self.chat(name);
        for item in &mut items {
            if let ScreenItem::Said(said) = item
                && let (None, Some(id)) = (&said.from, said.id)
            {
                said.tick = chat.tick(id);
            }
        }
        items
    }

    fn opened(&mut self, name: &str, reply: &Success) {
        let mut items = self.items(name, reply);
        // Keep what came since the request.
        let last = items.iter().rev().find_map(ScreenItem::id).unwrap_or(0);
        items.extend(self.screen.later_than(last));
        let unread = self.chat(name).unread;
        if let Some(first) = first_unread(&items, unread).filter(|n| *n > 0) {
            items.insert(first, ScreenItem::Remark("── new ──".to_owned()));
        }
        let title = self.title(name);
        let room = self.keyboard.room();
        self.keyboard.print(self.screen.turn_to(&title, items, reply.has_more(), room));
        let rows = reply.rows.iter().filter_map(|row| EntryLine::parse(row));
        self.keyboard.names(rows.map(|row| row.entry.from.to_string()));
        let (newest, me) = (self.screen.newest_heard().unwrap_or(0), self.me.clone());
        let rows = reply.rows.iter().filter_map(|row| EntryLine::parse(row));
        let chat = self.chat(name);
        chat.newest = chat.newest.max(newest);
        rows.for_each(|row| chat.heard(&row.entry, &me));
        self.is_seen();
        self.is_opened();
        self.fetch_quotes();
        self.ask_ticks(false);
        self.opened = Some(name.to_owned());
        self.warn();
    }

    /// Entries of the current conversation that came while disconnected.
    fn missed(&mut self, name: &str, reply: &Success) {
        if reply.has_more() {
            // Too many: load the newest instead.
            return self.turn_to(name);
        }
        if !reply.rows.is_empty() {
            let (items, room) = (self.items(name, reply), self.keyboard.room());
            self.keyboard.print(self.screen.merge(items, room));
            self.is_seen();
            self.fetch_quotes();
        }
        self.ask_ticks(false);
    }

    fn counted(&mut self, mut ticks: Ticks, reply: &Success) {
        let (Some(middle), true) = (ticks.middle(), self.current.as_ref() == Some(&ticks.name))
        else {
            return self.go_on_asking(Ticks { range: (0, 0), ..ticks });
        };
        let rows = reply.rows.iter().filter_map(|row| InfoLine::parse(row));
        let ticks_of_all = rows.filter_map(|row| match row.state {
            Progress::Read => Some(Tick::Read),
            Progress::Delivered => Some(Tick::Delivered),
            Progress::Sent => Some(Tick::Sent),
            // Members who left the group do not count.
            Progress::Left => None,
        });
        let tick = ticks_of_all.min();
        if let Some(tick) = tick {
            self.chat(&ticks.name).reached(ticks.ids[middle], tick);
            let room = self.keyboard.room();
            let reached = self.screen.reached(ticks.ids[middle], tick, ticks.is_news, room);
            self.keyboard.print(reached);
        }
        // An entry without other readers says nothing about earlier ones.
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

    /// Formats a row of `MARKS`.
    fn mark_row(&self, mark: &Entry) -> String {
        let clock = later::clock(mark.time, &self.zone);
        let who = if mark.from == self.me { "you" } else { mark.from.as_str() };
        // Later lines are indented, so that none looks like another row.
        let body = mark.body.replace('\n', &format!("\n{}", " ".repeat(8 + clock.len())));
        match mark.kind {
            EntryKind::React => format!("{clock}  {body} {who}"),
            _ => format!("{clock}  {who}: {body}"),
        }
    }

    /// Shows the answer to a command of the user's; if it has no rows, perhaps this instead.
    fn shown(&mut self, reply: &Success, none: Option<&str>) {
        let rows = reply.rows.iter().map(|row| {
            let line = match ServerLine::parse(row) {
                Some(ServerLine::User(row)) => queries::user(&row),
                Some(ServerLine::Info(row)) => queries::reader(&row),
                Some(ServerLine::Groups(row)) => group::one(&row),
                Some(ServerLine::Member(row)) => group::member(&row),
                Some(ServerLine::Rule(row)) => group::rule(&row),
                Some(ServerLine::Device(row)) => own::device(&row),
                Some(ServerLine::Pref(row)) => own::preference(&row),
                Some(ServerLine::At(row)) => {
                    let (what, columns) = (later::what(&row), size().columns);
                    return later::row(row.number, row.time, &what, &self.zone, columns);
                }
                Some(ServerLine::Entry(row)) => self.mark_row(&row.entry),
                _ => row.split_once(' ').map_or(&**row, |(_, rest)| rest).to_owned(),
            };
            format!("      {line}")
        });
        let rows: Vec<String> = rows.collect();
        if let Ok(Done::Grouped { word, name }) = reply.done() {
            let name = format!("#{name}");
            if word == "NEW" {
                return self.turn_to(&name);
            }
            // The change is an entry on the screen.
            if self.current.as_ref() == Some(&name) {
                return;
            }
        }
        let text = match rows.is_empty() {
            true => format!("      {}", none.map_or_else(|| in_words(reply), str::to_owned)),
            false => rows.join("\n"),
        };
        // Rows of `MARKS` have texts of one message.
        let mark = reply.rows.first().and_then(|row| EntryLine::parse(row));
        match mark.and_then(|mark| mark.entry.tags.as_ref()?.re) {
            Some(about) => self.show_about(about.number(), text, AboutKind::Texts),
            None => self.remark(&text),
        }
    }
}

/// The index of the first of the last `unread` entries by others.
fn first_unread(items: &[ScreenItem], unread: u64) -> Option<usize> {
    let is_to_read =
        |item: &ScreenItem| matches!(item, ScreenItem::Said(said) if said.is_to_read());
    let others = items.iter().enumerate().filter(|(_, item)| is_to_read(item));
    let nth = usize::try_from(unread).ok()?.checked_sub(1)?;
    others.rev().nth(nth).map(|(n, _)| n)
}

/// Rewrites the commands in a refusal as they are typed here.
fn as_typed_here(why: &str) -> String {
    // Nobody here has typed the id of a message.
    let bare = why.split_once(": ").filter(|(id, _)| id.parse::<u64>().is_ok());
    let why = bare.map_or(why, |(_, why)| why);
    let why = match why.split_once("; RE ") {
        Some((why, _)) => format!("{why}; /re answers it"),
        None => why.replace("; AT shows", "; /later shows"),
    };
    let why = why.replace("; FIND ", "; /find ").replace("; HIST ", "; /to ");
    let why = why.replace("; REACT ", "; /react ").replace("; DEVICES ", "; /devices ");
    why.replace("; GROUP WHO ", "; /group who ").replace("; GROUP ADMIN ", "; /group admin ")
}

/// A sentence for an answer without rows.
fn in_words(reply: &Success) -> String {
    use List::{Devices, Find, Groups, Info, Members};
    match reply.done() {
        Ok(Done::Counted { list: List::Blocks, .. }) => "nobody is blocked".to_owned(),
        Ok(Done::Blocked { whom, on: true }) => format!("{whom} is blocked"),
        Ok(Done::Blocked { whom, on: false }) => format!("{whom} is no longer blocked"),
        Ok(Done::Named) => "others now see your new name".to_owned(),
        Ok(Done::You { handle, name }) => format!("{handle}, {}", name.as_str()),
        Ok(Done::Grouped { word: "LEAVE", name }) => format!("you have left #{name}"),
        Ok(Done::Grouped { name, .. }) => format!("#{name}: done"),
        Ok(Done::Invited { name, .. }) => format!("no invitation to #{name} is good any more"),
        Ok(Done::Marked { .. }) => "it was not changed, and nobody has reacted".to_owned(),
        Ok(Done::Counted { list: List::Later, .. }) => "nothing waits to be sent".to_owned(),
        Ok(Done::Unscheduled { .. }) => "cancelled: it will not be sent".to_owned(),
        Ok(Done::Preferred(preference)) => own::in_words(preference).to_owned(),
        Ok(Done::DeviceDropped(device)) => format!("{} is deleted", device.as_str()),
        Ok(Done::Counted { list: Devices, .. }) => {
            "no devices; papo login makes this machine one".to_owned()
        }
        Ok(Done::Counted { list: Groups, .. }) => "you are in no group".to_owned(),
        Ok(Done::Counted { list: Find | Info | Members, .. }) => "nobody found".to_owned(),
        _ => reply.ok.strip_prefix("OK ").unwrap_or(&reply.ok).to_owned(),
    }
}
