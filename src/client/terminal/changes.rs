//! Handles marks: what is done to a message after it was said, edits, deletions and reactions; and
//! fetches rows that show what holds.
//!
//! The event of an edit or a deletion says all; it is applied at once. That of a reaction does not
//! say what it replaces, so the message's row is fetched, which has the counts.

use super::columns::cut;
use super::item::{AboutKind, AboutMessage, ScreenItem};
use super::jobs::Purpose;
use super::known::size;
use super::notices::{self, Noticed};
use super::said::{Said, UNSEEN};
use super::stale::{Reaction, StaleMessage};
use super::talk::Talk;
use crate::client::connection::Success;
use crate::entry::{Call, Entry, EntryKind, EntryTags};
use crate::wire::rows::EntryLine;

/// Columns before a remark.
const INDENT: &str = "      ";

impl Talk {
    /// A mark has come.
    pub(super) fn marked(&mut self, mark: &Entry) {
        if mark.kind == EntryKind::Flag {
            return self.flagged(mark);
        }
        let name = self.conversation(mark);
        let is_mine = mark.from == self.me;
        if !is_mine || self.is_device {
            self.acknowledge(&name, mark.id.number(), false);
        }
        let Some(EntryTags { re: Some(about), calls, .. }) = mark.tags.as_deref() else { return };
        let about = about.number();
        match mark.kind {
            EntryKind::React => {
                let is_to_me = calls.contains(&Call::Handle(self.me.clone()));
                let is_news = is_to_me && self.is_live && *mark.body != *"-";
                let reaction =
                    Reaction { from: mark.from.to_string(), word: mark.body.to_string() };
                let is_current = self.current.as_ref() == Some(&name);
                if is_news || is_current && (self.screen.has(about) || self.is_loading_rows()) {
                    let reaction = Some(reaction).filter(|_| is_news);
                    self.refresh(StaleMessage { id: about, name, reaction });
                }
            }
            EntryKind::Edit => self.edited(&name, about, mark),
            EntryKind::Del => {
                let author = match &**calls {
                    [Call::Handle(author), ..] => author.to_string(),
                    _ => mark.from.to_string(),
                };
                self.deleted(&name, about, &author);
            }
            EntryKind::Message | EntryKind::Group | EntryKind::Expire | EntryKind::Flag => {}
        }
    }

    fn edited(&mut self, name: &str, about: u64, mark: &Entry) {
        let (id, body) = (mark.id.number(), &*mark.body);
        self.stale.note(about, name);
        self.chats.changed(name, about, body);
        for held in self.held.iter_mut().filter(|held| held.id.number() == about) {
            held.body = body.into();
            held.tags.get_or_insert_default().edit = Some(mark.id);
        }
        let room = self.keyboard.room();
        self.keyboard.print(self.screen.found_again(about, body, room));
        if self.current.as_deref() == Some(name) {
            let quote = format!("{}: {body}", self.called(mark.from.as_str()));
            self.change(about, &quote, AboutKind::Texts, |said| said.change(id, body));
        }
    }

    fn deleted(&mut self, name: &str, about: u64, author: &str) {
        self.stale.note(about, name);
        self.chats.changed(name, about, "(deleted)");
        if let Some(Noticed { number: Some(notice), .. }) = self.noticed.remove(&about) {
            notices::withdraw(notice);
        }
        for held in self.held.iter_mut().filter(|held| held.id.number() == about) {
            held.body = "-".into();
            held.tags.get_or_insert_default().gone = Some(held.id);
        }
        self.gallery.forget(about);
        if self.picked.deleting == Some(about) {
            self.picked.deleting = None;
        }
        let room = self.keyboard.room();
        self.keyboard.print(self.screen.forget(about, room));
        if self.current.as_deref() == Some(name) {
            let quote = format!("{}: (deleted)", self.called(author));
            self.change(about, &quote, AboutKind::Deletion, Said::delete);
        }
    }

    /// Changes a message of the current conversation. If it is not on the screen a remark says so,
    /// with `quote`, its author and its text.
    fn change(&mut self, id: u64, quote: &str, kind: AboutKind, change: impl FnOnce(&mut Said)) {
        let room = self.keyboard.room();
        let (is_known, is_shown) = match self.screen.change(id, change, room) {
            Some((text, is_shown)) => {
                self.keyboard.print(text);
                (true, is_shown)
            }
            None => {
                self.keyboard.print(self.screen.quote(id, quote, room));
                (false, false)
            }
        };
        let is_told = !is_shown && self.is_live;
        // The row of a message says when it vanishes, and the remark with it.
        if self.is_loading_rows() || is_told && !is_known {
            let name = self.current.clone().unwrap_or_default();
            self.refresh(StaleMessage { id, name, reaction: None });
        }
        if is_told {
            let text = cut(&format!("✎ {quote}"), size().columns.saturating_sub(8));
            self.show_about(id, format!("{INDENT}{text}"), kind);
        }
    }

    /// Shows a remark with texts of a message.
    pub(super) fn show_about(&mut self, id: u64, text: String, kind: AboutKind) {
        if !self.screen.ends_with(&text) {
            let due = self.screen.due_of(id);
            let about = AboutMessage { id, due, text, kind };
            self.add(ScreenItem::About(about));
        }
    }

    /// A person, as the user calls them.
    fn called<'a>(&self, handle: &'a str) -> &'a str {
        if handle == self.me.as_str() { "you" } else { handle }
    }

    /// Entries are on their way that may be older than what comes as an event now.
    fn is_loading_rows(&self) -> bool {
        self.stale.loads > 0 || !self.unsent.is_empty()
    }

    /// Fetches the row of a message.
    pub(super) fn refresh(&mut self, message: StaleMessage) {
        self.stale.add(message);
        self.refresh_next();
    }

    fn refresh_next(&mut self) {
        if let Some(message) = self.stale.next() {
            let StaleMessage { id, name, .. } = &message;
            // Exactly this entry: ids are whole numbers.
            let command = format!("HIST {name} 1 before {} after {}", id + 1, id.saturating_sub(1));
            self.ask(command, Purpose::Refresh(message));
        }
    }

    /// Fetches what the messages on the screen answer, where it is not known.
    pub(super) fn fetch_quotes(&mut self) {
        let Some(name) = self.current.clone() else { return };
        let ids: Vec<u64> = self.screen.unquoted().collect();
        for id in ids {
            self.stale.add(StaleMessage { id, name: name.clone(), reaction: None });
        }
        self.refresh_next();
    }

    /// The row of a message has come; `None` if it was refused.
    pub(super) fn refreshed(&mut self, message: &StaleMessage, reply: Option<&Success>) {
        self.stale.answered();
        let StaleMessage { id, name, reaction } = message;
        let row = reply.and_then(|reply| EntryLine::parse(reply.rows.first()?));
        let said = row.map(|row| Said::entry(&row.entry, &self.me, &self.zone));
        let mut is_shown = false;
        let room = self.keyboard.room();
        if self.current.as_ref() == Some(name) {
            // Somebody who came later does not see what is answered.
            let quote = said.as_ref().map_or(UNSEEN.to_owned(), Said::as_quote);
            let now = said.clone();
            let change = |old: &mut Said| now.into_iter().for_each(|now| old.renew(now));
            let text = match self.screen.change(*id, change, room) {
                Some((text, shown)) => {
                    is_shown = shown;
                    text
                }
                None => self.screen.quote(*id, &quote, room),
            };
            self.screen.quote_until(*id, said.as_ref().and_then(|said| said.due));
            self.keyboard.print(text);
        }
        match &said {
            None if reply.is_some() => {
                self.keyboard.print(self.screen.drop_remarks(*id, room));
            }
            Some(said) if said.is_gone => {
                self.chats.changed(name, *id, "(deleted)");
                self.keyboard.print(self.screen.forget(*id, room));
            }
            Some(said) if said.edit > 0 => {
                self.chats.changed(name, *id, &said.body);
                self.keyboard.print(self.screen.found_again(*id, &said.body, room));
            }
            _ => {}
        }
        if let (Some(Reaction { from, word }), Some(said), false) = (reaction, said, is_shown)
            && !said.is_gone
        {
            let group = Some(name).filter(|name| name.starts_with('#'));
            let group = group.filter(|_| self.current.as_ref() != Some(name));
            let place = group.map(|group| format!(" in {group}")).unwrap_or_default();
            let text = format!("{} {from}{place}: “{}", cut(word, 32), said.body);
            let text = format!("{INDENT}{}”", cut(&text, size().columns.saturating_sub(9)));
            let kind = AboutKind::Reaction;
            let about = AboutMessage { id: *id, due: said.due, text, kind };
            self.keyboard.print(self.screen.reacted(about, room));
        }
        self.refresh_next();
    }
}
