//! Everything about other conversations than the current one: their list, their numbers, and the
//! line at the bottom.

use jiff::Timestamp;

use super::activity::{self, Activity};
use super::jobs::Purpose;
use super::known::{self, size};
use super::listed_chat::ListedChat;
use super::listed_flags::ListedFlags;
use super::prompt;
use super::talk::{LOADED, Talk};
use crate::chat_flags::FlagValue;
use crate::client::connection::Success;
use crate::client::lines::{calls, is_own};
use crate::wire::rows::{ChatLine, EntryLine, FlagsLine};

/// Conversations whose last line is fetched, by a command each, for the list of all.
const ASKED: usize = 100;

impl Talk {
    /// A conversation in the list, added at its end if it is new.
    pub(super) fn chat(&mut self, name: &str) -> &mut ListedChat {
        let (chat, is_new) = self.chats.chat(name);
        if is_new {
            self.keyboard.names([name.to_owned()]);
        }
        chat
    }

    /// The conversation of a number, from 1.
    pub(super) fn numbered(&mut self, number: usize) -> Option<String> {
        let name = self.chats.numbered(number);
        if name.is_none() {
            self.complain(&format!("there is no conversation {number}: see /chats"));
        }
        name
    }

    /// The same for sending: only a number that was shown can be known.
    pub(super) fn shown_number(&mut self, number: usize) -> Option<String> {
        let name = self.numbered(number)?;
        if !self.chats.is_numbered(number) {
            self.complain(&format!(
                "not sent: /{number} is {name} now; if you meant that, repeat it"
            ));
            self.chats.show_numbers([number].into_iter());
            return None;
        }
        Some(name)
    }

    /// Switches to the next unread conversation.
    pub(super) fn next(&mut self) {
        match self.chats.next_unread(self.current.as_deref()) {
            Some(name) => self.turn_to(&name),
            None => self.remark("      nothing is unread; /chats lists the conversations"),
        }
    }

    /// The server's list has come. `wanted`: show all (true), the first (false), or nothing.
    pub(super) fn listed(&mut self, wanted: Option<bool>, reply: &Success) {
        for row in &reply.rows {
            if let Some(FlagsLine { to, flag, until }) = FlagsLine::parse(row) {
                let value = until.map_or(FlagValue::On, FlagValue::Until);
                self.chat(&to.to_string()).flags.set(flag, value);
                continue;
            }
            let Some(ChatLine { to, unread, last, time }) = ChatLine::parse(row) else { continue };
            let name = to.to_string();
            let is_current = self.current.as_ref() == Some(&name);
            let last = last.number();
            let later = self.pending_list.later_than(&name, last);
            let chat = self.chat(&name);
            chat.flags = ListedFlags::default();
            if later == 0 {
                chat.newest = last;
                chat.time = Timestamp::from_millisecond(time.0).ok();
            }
            chat.counted = chat.counted.max(last);
            // The current conversation is being read.
            if !is_current {
                chat.set_unread(unread.unsigned_abs() + later);
            }
        }
        self.pending_list.came();
        let Some(is_all) = wanted else {
            self.seek_calls();
            if self.current.is_none() {
                self.begin();
            }
            return;
        };
        let most = if is_all { ASKED } else { size().rows };
        let behind = self.chats.behind(most);
        let Some((last, others)) = behind.split_last() else { return self.show_list(is_all) };
        for name in others {
            self.ask(format!("HIST {name} 1"), Purpose::Last(name.clone(), None));
        }
        self.ask(format!("HIST {last} 1"), Purpose::Last(last.clone(), Some(is_all)));
    }

    /// Asks for the list, if it is wanted and none is on its way.
    pub(super) fn list_again(&mut self) {
        let may_ask = self.is_live && self.pending_list.on_their_way == 0;
        if may_ask && std::mem::take(&mut self.pending_list.is_wanted) {
            self.ask("CHATS".to_owned(), Purpose::Chats(None));
        }
    }

    /// Looks whether what is unread in muted or archived groups calls the user: the server counts it
    /// only.
    fn seek_calls(&mut self) {
        let is_silent = |chat: &&ListedChat| chat.unread > 0 && !chat.is_told();
        let groups = self.chats.all().iter().filter(|chat| chat.name.starts_with('#'));
        let silent = groups.filter(is_silent).take(ASKED);
        let silent: Vec<_> = silent.map(|chat| (chat.name.clone(), chat.unread)).collect();
        for (name, unread) in silent {
            let command = format!("HIST {name} {}", unread.min(LOADED as u64));
            self.ask(command, Purpose::Last(name, None));
        }
    }

    /// The last entries of a conversation have come; `wanted` shows the list then.
    pub(super) fn last_came(&mut self, name: &str, wanted: Option<bool>, reply: Option<&Success>) {
        let me = self.me.clone();
        let rows = reply.iter().flat_map(|reply| &reply.rows);
        for row in rows.filter_map(|row| EntryLine::parse(row)) {
            let chat = self.chat(name);
            chat.heard(&row.entry, &me);
            let is_called = !is_own(&row.entry, &me) && calls(&row.entry, &me);
            chat.is_called |= is_called && chat.unread > 0;
        }
        if let Some(is_all) = wanted {
            self.show_list(is_all);
        }
    }

    fn show_list(&mut self, is_all: bool) {
        let list = self.chats.list(size(), is_all, &self.zone);
        let none = "no conversations yet; /to bob begins one";
        self.remark(if list.is_empty() { none } else { &list });
    }

    /// Opens the first conversation: unread if there is one, else the newest. The user has not
    /// chosen it, so it counts as read only after a key.
    fn begin(&mut self) {
        match self.chats.first() {
            Some(name) => {
                self.is_there = false;
                self.keyboard.await_key();
                self.turn_to(&name);
            }
            None => {
                self.remark("nobody has written yet: /to bob talks to bob, /help has the rest");
                self.warn();
            }
        }
    }

    /// Updates the prompt and the line at the bottom.
    pub(super) fn say_where(&mut self) {
        let current = self.current.as_deref().unwrap_or_default();
        let label = match &self.passwd {
            Some(passwd) => passwd.label().to_owned(),
            None if self.picked.deleting.is_some() => "delete?".to_owned(),
            None => activity::shortened(current, prompt::NAME, self.chats.names()),
        };
        // The conversation on the screen is not announced.
        let shown = self.current.as_deref().filter(|_| self.screen.is_at_end());
        let activity = Activity { is_offline: self.is_offline, ..self.chats.activity(shown) };
        self.chats.show_numbers(activity.numbers(known::line_below()));
        self.keyboard.say(label, activity);
    }
}
