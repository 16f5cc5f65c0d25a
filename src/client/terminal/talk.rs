//! A conversation at a terminal: combines what is typed, what arrives and what is answered.
//!
//! What is shown of the current conversation counts as read; everything else that arrives is
//! acknowledged as received, and counted in the line at the bottom.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use smol::channel::Sender;

use super::TerminalOptions;
use super::chats::Chats;
use super::editor::Keyboard;
use super::gallery::Gallery;
use super::item::ScreenItem;
use super::jobs::{News, PendingCommand, Purpose};
use super::known::Typed;
use super::notices::{self, Noticed};
use super::passwd::{Passwd, PasswdStep};
use super::pending_list::PendingList;
use super::picked::Picked;
use super::said::Said;
use super::screen::Screen;
use super::slash_command;
use super::stale::{Stale, StaleMessage};
use super::style::Style;
use super::transfers::TransferJob;
use super::typed_search::TypedSearch;
use crate::client::failure::Failure;
use crate::client::lines;
use crate::client::progress::SERVER;
use crate::entry::Entry;
use crate::name::Handle;

/// Acknowledgements due in a conversation, up to these ids; 0 is none.
#[derive(Clone, Copy, Default)]
pub struct DueAck {
    pub(super) ack: u64,
    pub(super) read: u64,
}

/// Entries to load at a time.
pub const LOADED: usize = 100;

/// A message that the server has not confirmed.
pub struct Unsent {
    pub(super) key: String,
    pub to: String,
    pub said: Said,
}

impl Unsent {
    /// Whether it is sent with this key.
    pub fn is(&self, key: &str) -> bool {
        self.key == key
    }
}

/// The state of the terminal.
pub struct Talk {
    pub(super) me: Handle,
    /// It logs in as a device, which acknowledges its account's own entries from elsewhere as well.
    pub(super) is_device: bool,
    pub(super) options: TerminalOptions,
    pub(super) keyboard: Keyboard,
    pub(super) screen: Screen,
    pub(super) zone: TimeZone,
    /// The current conversation; none at first.
    pub(super) current: Option<String>,
    /// The last conversation whose messages were shown.
    pub(super) opened: Option<String>,
    /// A search for ticks is running.
    pub(super) is_asking: bool,
    /// Search again after that; true if because of news.
    pub(super) asks_again: Option<bool>,
    pub(super) chats: Chats,
    pub(super) jobs: Sender<PendingCommand>,
    pub(super) transfers: Sender<TransferJob>,
    pub gallery: Gallery,
    /// The connection for events is down.
    pub(super) is_offline: bool,
    /// Make connections retry now.
    pub(super) wake: Vec<Sender<()>>,
    /// For news from other threads.
    pub(super) tell: Sender<News>,
    /// Shown once, on the first screen that stays.
    pub(super) warning: Option<String>,
    /// In the order in which they were typed.
    pub(super) unsent: Vec<Unsent>,
    /// Edits, deletions, files and the like that the server has not confirmed.
    pub(super) unconfirmed: usize,
    /// The user's entries that came as events while something was unsent: perhaps the same
    /// messages.
    pub(super) held: Vec<Entry>,
    /// Ids of messages sent from here.
    pub(super) sent: BTreeSet<u64>,
    /// The notice that the server's log was put back; what is shown may not be in it.
    pub(super) put_back: Option<String>,
    /// All waiting entries have come.
    pub(super) is_live: bool,
    /// The user has pressed a key since papo itself chose the conversation, so the screen counts as
    /// read.
    pub(super) is_there: bool,
    /// The password is being changed.
    pub(super) passwd: Option<Passwd>,
    /// Messages picked for the next line.
    pub(super) picked: Picked,
    /// Messages whose rows are to be fetched.
    pub(super) stale: Stale,
    /// Messages with a notice on the desktop.
    pub(super) noticed: BTreeMap<u64, Noticed>,
    /// The last search, if it can be gone on with.
    pub(super) searched: Option<TypedSearch>,
    /// Older entries are on their way.
    pub(super) is_loading: bool,
    pub(super) due_acks: BTreeMap<String, DueAck>,
    pub(super) is_acking: bool,
    /// Commands whose answers the user waits for.
    waited_for: usize,
    /// The first of the commands has taken more than a second.
    is_slow: bool,
    pub(super) pending_list: PendingList,
}

impl Talk {
    pub fn new(
        (me, is_device): (Handle, bool),
        options: TerminalOptions,
        keyboard: Keyboard,
        style: Style,
        jobs: Sender<PendingCommand>,
        transfers: Sender<TransferJob>,
        tell: Sender<News>,
    ) -> Talk {
        Talk {
            me,
            is_device,
            options,
            screen: Screen::new(keyboard.room(), style),
            keyboard,
            zone: TimeZone::system(),
            current: None,
            opened: None,
            is_asking: false,
            asks_again: None,
            chats: Chats::default(),
            jobs,
            transfers,
            gallery: Gallery::default(),
            is_offline: false,
            wake: Vec::new(),
            tell,
            warning: if options.notify { notices::missing() } else { None },
            unsent: Vec::new(),
            unconfirmed: 0,
            held: Vec::new(),
            searched: None,
            sent: BTreeSet::new(),
            put_back: None,
            is_live: false,
            is_there: true,
            passwd: None,
            picked: Picked::default(),
            stale: Stale::default(),
            noticed: BTreeMap::new(),
            is_loading: false,
            due_acks: BTreeMap::new(),
            is_acking: false,
            waited_for: 0,
            is_slow: false,
            pending_list: PendingList::default(),
        }
    }

    /// Handles one piece of news. Returns whether the conversation is over.
    ///
    /// # Errors
    /// Any that ends it.
    pub fn take(&mut self, news: News) -> Result<bool, Failure> {
        match news {
            News::Typed(Typed::End(None)) => return Ok(true),
            News::Typed(Typed::Leave) if self.is_all_sent() => return Ok(true),
            News::Typed(Typed::End(Some(why))) => {
                return Err(Failure::Unfit(format!("the terminal: {why}")));
            }
            News::Over(failure) => return Err(failure),
            News::Unnoticed(why) => {
                // Turned off, as each one would fail.
                if std::mem::take(&mut self.options.notify) {
                    self.complain(&why);
                }
            }
            News::Noticed(id, notice) => self.noticed(id, notice),
            News::Due => self.vanish(Timestamp::now()),
            News::GoesOn => self.keyboard.go_on(),
            News::Typed(typed) => self.typed(typed)?,
            News::Line(line) => self.line(&line),
            News::Told(what) => self.told(&what),
            News::Busy(what) => self.remark(&format!("── {what} ──")),
            News::Answer(purpose, answer) => {
                if std::mem::take(&mut self.is_slow) {
                    let room = self.keyboard.room();
                    self.keyboard.print(self.screen.withdraw(SERVER, room));
                }
                self.waited_for -= usize::from(purpose.is_waited_for());
                self.stale.loads -= usize::from(purpose.is_load());
                self.pending_list.on_their_way -= usize::from(purpose.is_list());
                if purpose.is_done_to_a_message() {
                    self.confirmed_one();
                }
                match answer {
                    Ok(reply) => self.answered(purpose, &reply),
                    Err(failure @ Failure::Secret(_)) if !purpose.is_passwd() => {
                        return Err(failure);
                    }
                    Err(failure) => self.failed(purpose, &failure),
                }
                self.list_again();
                for (id, name) in self.stale.take_changed() {
                    self.refresh(StaleMessage { id, name, reaction: None });
                }
            }
            News::Transferred(done) => self.transferred(done)?,
            News::Fetched(id, raster) => self.gallery.fetched(id, raster),
            News::Slow => {
                self.is_slow = true;
                if self.waited_for > 0 {
                    self.remark(SERVER);
                }
            }
        }
        self.show_pictures();
        self.say_where();
        self.keyboard.refresh();
        Ok(false)
    }

    /// The server has confirmed an edit, a file and the like, or refused it.
    pub(super) fn confirmed_one(&mut self) {
        self.unconfirmed -= 1;
        self.keyboard.may_leave(self.is_all_sent());
    }

    fn typed(&mut self, typed: Typed) -> Result<(), Failure> {
        match typed {
            Typed::Line(line) => {
                self.keyboard.takes_line();
                self.go_to_end();
                let deleting = self.picked.deleting.take();
                if !line.is_empty() {
                    self.order(slash_command::read(&line))?;
                } else if let Some(id) = deleting {
                    self.delete(id);
                } else if self.is_offline {
                    for wake in &self.wake {
                        let _ = wake.try_send(());
                    }
                }
                self.picked.offered = None;
                self.take_numbers_away();
            }
            Typed::Secret(secret) => self.secret(secret),
            Typed::Bytes => self.complain(
                "what you typed is not UTF-8 and became \u{fffd}: set your terminal to UTF-8",
            ),
            Typed::Here => {
                self.is_there = true;
                self.is_seen();
                self.is_opened();
            }
            Typed::Older => self.older(),
            Typed::Newer if self.screen.is_at_end() => {}
            Typed::Newer => {
                let room = self.keyboard.room();
                self.keyboard.print(self.screen.newer(room));
                self.is_seen();
            }
            Typed::Next => self.next(),
            Typed::Busy => self.complain("Enter sends what you have typed, Ctrl-C clears it"),
            Typed::Leave => {
                let (n, what, leaves) = match self.unsent.len() {
                    0 => (self.unconfirmed, "change", "leave without"),
                    n => (n, "message", "leave without sending"),
                };
                let (s, them) = if n == 1 { ("", "it") } else { ("s", "them") };
                self.complain(&format!(
                    "{n} {what}{s} not sent yet; press Ctrl-D again to {leaves} {them}"
                ));
                self.keyboard.may_leave(true);
            }
            Typed::Numbers => self.toggle_numbers(),
            Typed::React(number) => self.react_to(number),
            Typed::Answer(answer) => drop(self.offer_answer().map(|line| answer.send(line))),
            Typed::Edit(answer) => drop(self.offer_edit().map(|line| answer.send(line))),
            Typed::Cleared => self.picked.offered = None,
            Typed::Interrupt if self.picked.deleting.take().is_some() => {
                self.remark("      it is not deleted");
            }
            Typed::Interrupt if self.passwd.is_some() => self.secret(String::new()),
            Typed::Interrupt => self.remark("Ctrl-D or /quit leaves"),
            Typed::Redraw => {
                let room = self.keyboard.room();
                self.keyboard.print(self.screen.again(room));
                self.is_seen();
            }
            Typed::Names(begin, answer) => {
                self.ask(format!("FIND {}", lines::escaped(&begin)), Purpose::Names(answer));
            }
            Typed::Answered(abilities) => self.may_draw(abilities),
            Typed::Ways(ways) => self.remark(&format!("      {}", ways.join("  "))),
            Typed::End(_) => {}
        }
        Ok(())
    }

    /// Takes one input of a password change.
    fn secret(&mut self, typed: String) {
        let Some(passwd) = self.passwd.take() else { return };
        match passwd.typed(typed) {
            PasswdStep::Ask(passwd, complaint) => {
                self.passwd = Some(passwd);
                if let Some(why) = complaint {
                    self.complain(&why);
                }
                return;
            }
            PasswdStep::Stays(why) => self.remark(&format!("      {why}")),
            PasswdStep::Change(old, new) => self.ask(String::new(), Purpose::Passwd { old, new }),
        }
        self.keyboard.ask_secret(false);
    }

    fn go_to_end(&mut self) {
        if !self.screen.is_at_end() {
            let room = self.keyboard.room();
            self.keyboard.print(self.screen.draw_newest(room));
            self.is_seen();
        }
    }

    /// Switches to a conversation. What is typed goes there from now on.
    pub(super) fn turn_to(&mut self, name: &str) {
        self.current = Some(name.to_owned());
        self.picked = Picked::default();
        self.stale.clear();
        self.keyboard.turn_to(name);
        self.say_where();
        // Gives it a number.
        self.chat(name);
        let title = self.title(name);
        let unsent = self.unsent.iter().filter(|unsent| unsent.to == name);
        let unsent = unsent.map(|unsent| ScreenItem::Said(Box::new(unsent.said.clone()))).collect();
        let room = self.keyboard.room();
        self.keyboard.print(self.screen.turn_to(&title, unsent, false, room));
        self.ask(format!("HIST {name} {LOADED}"), Purpose::Open(name.to_owned()));
    }

    pub(super) fn title(&self, name: &str) -> String {
        let is_mine = name == self.me.as_str();
        if is_mine { "notes to yourself".to_owned() } else { name.to_owned() }
    }

    pub(super) fn older(&mut self) {
        let room = self.keyboard.room();
        if let Some(page) = self.screen.older(room) {
            self.keyboard.print(page);
        } else if let (Some(name), false) = (&self.current, self.is_loading) {
            self.is_loading = true;
            // All that was loaded may have vanished.
            let before = self.screen.oldest().map(|id| format!(" before {id}"));
            let command = format!("HIST {name} {LOADED}{}", before.unwrap_or_default());
            self.ask(command, Purpose::Older(name.clone()));
        }
    }

    /// The server has answered for this key. Held events that were not sent from here are shown.
    pub(super) fn is_sent(&mut self, key: &str) {
        self.unsent.retain(|unsent| unsent.key != key);
        self.keyboard.may_leave(self.is_all_sent());
        if self.unsent.is_empty() {
            for entry in std::mem::take(&mut self.held) {
                let (id, name) = (entry.id.number(), self.conversation(&entry));
                if self.sent.contains(&id) {
                    continue;
                }
                self.show(&entry);
                if self.current.as_ref() == Some(&name) {
                    // Somebody may have reacted meanwhile.
                    self.refresh(StaleMessage { id, name, reaction: None });
                }
            }
        }
    }

    /// The server's log was put back: ids mean other entries now.
    pub(super) fn begin_anew(&mut self, told: &str) {
        (self.is_live, self.put_back) = (false, Some(told.to_owned()));
        self.due_acks.clear();
        self.sent.clear();
        self.held.clear();
        self.stale.forget();
        self.pending_list.forget();
        self.noticed.clear();
        self.gallery.retain(|_| false);
        for chat in self.chats.all_mut() {
            chat.put_back();
        }
    }

    /// The server has confirmed all that was typed.
    fn is_all_sent(&self) -> bool {
        self.unsent.is_empty() && self.unconfirmed == 0
    }

    /// Nothing is being acknowledged or sent.
    pub fn is_settled(&self) -> bool {
        !self.is_acking && self.is_all_sent()
    }

    /// A command was answered after the screen was closed.
    pub fn answered_late(&mut self, purpose: &Purpose) {
        match purpose {
            Purpose::Ack(_) => self.ack_more(true),
            Purpose::Send(key) => self.unsent.retain(|unsent| unsent.key != *key),
            purpose if purpose.is_done_to_a_message() => self.unconfirmed -= 1,
            _ => {}
        }
    }

    /// A file was sent after the screen was closed.
    pub fn transferred_late(&mut self) {
        self.unconfirmed -= 1;
    }

    pub(super) fn ask(&mut self, command: String, purpose: Purpose) {
        if purpose.is_waited_for() {
            self.waited_for += 1;
            if self.is_slow {
                self.remark(SERVER);
            }
        }
        self.stale.loads += usize::from(purpose.is_load());
        self.pending_list.on_their_way += usize::from(purpose.is_list());
        if purpose.is_done_to_a_message() {
            self.unconfirmed += 1;
            self.keyboard.may_leave(false);
        }
        // Unbounded, and closed only at the end.
        let _ = self.jobs.try_send(PendingCommand { command, purpose });
    }

    /// Shows the pending warning, if any.
    pub(super) fn warn(&mut self) {
        if let Some(warning) = self.warning.take() {
            self.options.notify = false;
            self.complain(&warning);
        }
    }

    pub(super) fn add(&mut self, item: ScreenItem) {
        let room = self.keyboard.room();
        self.keyboard.print(self.screen.add(item, room));
    }

    pub(super) fn remark(&mut self, text: &str) {
        // Repeated remarks are shown once.
        if !self.screen.ends_with(text) {
            self.add(ScreenItem::Remark(text.to_owned()));
        }
    }

    /// Shows a complaint, at the end of the conversation so that it is seen.
    pub(super) fn complain(&mut self, text: &str) {
        self.go_to_end();
        self.add(ScreenItem::Complaint(text.to_owned()));
    }
}
