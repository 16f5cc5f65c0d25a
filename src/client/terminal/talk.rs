//! A conversation at a terminal: what is typed, what arrives and what is answered, put together.
//!
//! What is shown of the conversation that somebody has turned to counts as read; all else that arrives
//! is acknowledged as received, and counted in the line at the bottom.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Zoned;
use jiff::tz::TimeZone;
use smol::channel::Sender;

use super::TerminalOptions;
use super::chats::Chats;
use super::editor::Keyboard;
use super::groups;
use super::item::{Said, ScreenItem, Style, Tick};
use super::jobs::{News, PendingCommand, Purpose};
use super::known::Typed;
use super::notices;
use super::passwd::{Passwd, PasswdStep};
use super::screen::Screen;
use super::slash_command::{self, SlashCommand};
use crate::client::failure::Failure;
use crate::client::lines;
use crate::client::send::random_key;
use crate::entry::Entry;
use crate::name::Handle;

/// What is to be acknowledged in a conversation, up to which id; 0 is nothing.
#[derive(Clone, Copy, Default)]
pub struct AckMark {
    pub(super) ack: u64,
    pub(super) read: u64,
}

/// Messages that are loaded at a time.
pub const LOADED: usize = 100;

/// A message that the server has not confirmed.
pub struct Unsent {
    key: String,
    /// To whom.
    pub to: String,
    /// What.
    pub said: Said,
}

impl Unsent {
    /// Whether this is the key that it is sent with.
    pub fn is(&self, key: &str) -> bool {
        self.key == key
    }
}

/// All that is known while it goes on.
pub struct Talk {
    pub(super) me: Handle,
    pub(super) options: TerminalOptions,
    pub(super) keyboard: Keyboard,
    pub(super) screen: Screen,
    pub(super) zone: TimeZone,
    /// With whom; nobody at first.
    pub(super) current: Option<String>,
    /// The one whose messages were on the screen last.
    pub(super) opened: Option<String>,
    /// It is being asked how far messages have come.
    pub(super) is_asking: bool,
    /// And is to be asked again after that; because of news, or not.
    pub(super) asks_again: Option<bool>,
    pub(super) chats: Chats,
    pub(super) jobs: Sender<PendingCommand>,
    /// There is no connection over which anything comes.
    pub(super) is_offline: bool,
    /// Where it is said that a connection is wanted now.
    pub(super) wake: Vec<Sender<()>>,
    /// Where it is told what else happens.
    pub(super) tell: Sender<News>,
    /// What is said when there is a screen that stays.
    pub(super) warning: Option<String>,
    /// In the order in which they were typed.
    pub(super) unsent: Vec<Unsent>,
    /// Entries of one's own that came as events while something was unsent: they may be that.
    pub(super) held: Vec<Entry>,
    /// Ids of what was sent from here.
    pub(super) sent: BTreeSet<u64>,
    /// The server's log was put back, and nothing of what is shown may be in it: what was told of
    /// that.
    pub(super) put_back: Option<String>,
    /// All that waited has come.
    pub(super) is_live: bool,
    /// Whoever sits there has done something since papo turned to a conversation by itself: what is on
    /// the screen is read.
    pub(super) is_there: bool,
    /// The password is being changed.
    pub(super) passwd: Option<Passwd>,
    /// Older entries are on their way.
    pub(super) is_loading: bool,
    pub(super) marks: BTreeMap<String, AckMark>,
    pub(super) is_marking: bool,
    /// Commands whose answers somebody waits for.
    waited_for: usize,
    /// The command before all others has taken more than a second.
    is_slow: bool,
}

impl Talk {
    /// Nothing has happened yet.
    pub fn new(
        me: Handle,
        options: TerminalOptions,
        keyboard: Keyboard,
        style: Style,
        jobs: Sender<PendingCommand>,
        tell: Sender<News>,
    ) -> Talk {
        Talk {
            me,
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
            is_offline: false,
            wake: Vec::new(),
            tell,
            warning: if options.notify { notices::missing() } else { None },
            unsent: Vec::new(),
            held: Vec::new(),
            sent: BTreeSet::new(),
            put_back: None,
            is_live: false,
            is_there: true,
            passwd: None,
            is_loading: false,
            marks: BTreeMap::new(),
            is_marking: false,
            waited_for: 0,
            is_slow: false,
        }
    }

    /// Something happens. Gives back whether it is over.
    ///
    /// # Errors
    /// Any that ends it.
    pub fn take(&mut self, news: News) -> Result<bool, Failure> {
        match news {
            News::Typed(Typed::End(None)) => return Ok(true),
            News::Typed(Typed::Leave) if self.unsent.is_empty() => return Ok(true),
            News::Typed(Typed::End(Some(why))) => {
                return Err(Failure::Unfit(format!("the terminal: {why}")));
            }
            News::Over(failure) => return Err(failure),
            News::Unnoticed(why) => {
                // It would fail each time.
                if std::mem::take(&mut self.options.notify) {
                    self.complain(&why);
                }
            }
            News::GoesOn => self.keyboard.go_on(),
            News::Typed(typed) => self.typed(typed)?,
            News::Line(line) => self.line(&line),
            News::Told(what) => self.told(&what),
            News::Busy(what) => self.remark(&format!("── {what} ──")),
            News::Answer(purpose, answer) => {
                self.is_slow = false;
                self.waited_for -= usize::from(purpose.is_waited_for());
                match answer {
                    Ok(reply) => self.answered(purpose, &reply),
                    Err(failure @ Failure::Secret(_)) if !purpose.is_passwd() => {
                        return Err(failure);
                    }
                    Err(failure) => self.failed(purpose, &failure),
                }
            }
            News::Slow => {
                self.is_slow = true;
                if self.waited_for > 0 {
                    self.remark("waiting for the server");
                }
            }
        }
        self.say_where();
        self.keyboard.refresh();
        Ok(false)
    }

    fn typed(&mut self, typed: Typed) -> Result<(), Failure> {
        match typed {
            Typed::Line(line) => {
                self.keyboard.takes_line();
                self.go_to_end();
                if !line.is_empty() {
                    self.order(slash_command::read(&line))?;
                } else if self.is_offline {
                    for wake in &self.wake {
                        let _ = wake.try_send(());
                    }
                }
            }
            Typed::Secret(secret) => self.secret(secret),
            Typed::Bytes => self.complain(
                "what you typed is not UTF-8, so \u{fffd} stands for it: set your terminal to UTF-8",
            ),
            Typed::Here => {
                self.is_there = true;
                self.is_seen();
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
                let n = self.unsent.len();
                let (s, them) = if n == 1 { ("", "it") } else { ("s", "them") };
                self.complain(&format!(
                    "{n} message{s} not sent yet; press Ctrl-D again to leave without sending {them}"
                ));
                self.keyboard.may_leave(true);
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
            Typed::Ways(ways) => self.remark(&format!("      {}", ways.join("  "))),
            Typed::End(_) => {}
        }
        Ok(())
    }

    fn order(&mut self, order: SlashCommand) -> Result<(), Failure> {
        match order {
            SlashCommand::Text(text) => {
                // In nc it would have been a command.
                let is_verb = ["HELP", "QUIT", "READ", "ACK", "CHATS"].contains(&&*text);
                let before = self.unsent.len();
                let Some(to) = self.current.clone() else {
                    self.complain("to whom? /to bob, then write");
                    return Ok(());
                };
                self.send(to, text)?;
                if is_verb && self.unsent.len() > before {
                    self.remark("      sent as a text; /help shows what papo knows");
                }
            }
            SlashCommand::To(name) => self.turn_to(&name),
            SlashCommand::Number(n) => {
                if let Some(name) = self.numbered(n) {
                    self.turn_to(&name);
                }
            }
            SlashCommand::Say(n, text) => {
                if let Some(to) = self.shown_number(n) {
                    self.send(to, text)?;
                }
            }
            SlashCommand::Chats(is_all) => {
                self.ask("CHATS".to_owned(), Purpose::Chats(Some(is_all)))
            }
            SlashCommand::Passwd => {
                self.remark("      the password that you have now; Enter alone leaves it as it is");
                self.passwd = Some(Passwd::default());
                self.keyboard.ask_secret(true);
            }
            SlashCommand::Back => self.older(),
            SlashCommand::Help => self.remark(slash_command::HELP),
            SlashCommand::Group(typed) => {
                let is_mine = |name: &str| self.chats.names().any(|known| known == name);
                match groups::command(&typed, self.current.as_deref(), is_mine) {
                    // Nobody else is in it.
                    Ok(made) if made.starts_with("GROUP NEW ") && made.split(' ').count() == 3 => {
                        self.ask(made, Purpose::Made);
                    }
                    Ok(command) => self.ask(command, Purpose::Show),
                    Err(usage) => self.complain(&usage),
                }
            }
            SlashCommand::Command(command) => self.ask(command, Purpose::Show),
            SlashCommand::Unclear(why) => self.complain(&why),
            SlashCommand::Who => match self.current.clone() {
                Some(name) if name.starts_with('#') => {
                    self.ask(format!("GROUP WHO {name}"), Purpose::Show);
                }
                Some(name) => self.ask(format!("FIND {name}"), Purpose::Show),
                None => self.complain("nobody to write to yet: try /to bob"),
            },
            SlashCommand::Info(id) => match id.or(self.screen.newest_own()) {
                Some(id) => self.ask(format!("INFO {id}"), Purpose::Show),
                None => self.complain("you have not written here yet"),
            },
        }
        Ok(())
    }

    /// Something of a change of the password was typed.
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
            self.keyboard.print(self.screen.newest(room));
            self.is_seen();
        }
    }

    /// Turns to a conversation. What is typed from now on goes there.
    pub(super) fn turn_to(&mut self, name: &str) {
        self.current = Some(name.to_owned());
        self.keyboard.turn_to(name);
        self.say_where();
        // It has a number from now on.
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

    fn older(&mut self) {
        let room = self.keyboard.room();
        if let Some(page) = self.screen.older(room) {
            self.keyboard.print(page);
        } else if let (Some(name), Some(oldest), false) =
            (&self.current, self.screen.oldest(), self.is_loading)
        {
            self.is_loading = true;
            let (command, purpose) =
                (format!("HIST {name} {LOADED} before {oldest}"), Purpose::Older(name.clone()));
            self.ask(command, purpose);
        }
    }

    fn send(&mut self, to: String, text: String) -> Result<(), Failure> {
        if text.contains(|c: char| c.is_control() && c != '\n' && c != '\t') {
            self.complain(
                "not sent: it contains control characters (colour codes?), which are never sent",
            );
            return Ok(());
        }
        let key = random_key()?;
        let command = match lines::once(&key, &to, &text) {
            Ok(command) => command,
            Err(failure) => {
                self.complain(failure.to_string().trim_start_matches("papo: "));
                return Ok(());
            }
        };
        let said = Said {
            id: None,
            key: Some(key.clone()),
            time: Zoned::now(),
            from: None,
            body: text,
            is_change: false,
            tick: Tick::Waiting,
        };
        if self.current.as_ref() == Some(&to) {
            self.add(ScreenItem::Said(Box::new(said.clone())));
        }
        self.unsent.push(Unsent { key: key.clone(), to, said });
        self.keyboard.may_leave(false);
        self.ask(command, Purpose::Send(key));
        Ok(())
    }

    /// Forgets that something is unsent, as the server has answered. What came as events meanwhile
    /// and is not that was written elsewhere.
    pub(super) fn is_sent(&mut self, key: &str) {
        self.unsent.retain(|unsent| unsent.key != key);
        if self.unsent.is_empty() {
            self.keyboard.may_leave(true);
            for entry in std::mem::take(&mut self.held) {
                if !self.sent.contains(&entry.id.number()) {
                    self.show(&entry);
                }
            }
        }
    }

    /// The server's log was put back: its ids mean other entries than before.
    pub(super) fn begin_anew(&mut self, told: &str) {
        (self.is_live, self.put_back) = (false, Some(told.to_owned()));
        self.marks.clear();
        self.sent.clear();
        self.held.clear();
        for chat in self.chats.all_mut() {
            chat.put_back();
        }
    }

    /// Nothing is being acknowledged or sent.
    pub fn is_settled(&self) -> bool {
        !self.is_marking && self.unsent.is_empty()
    }

    /// A command is answered after the end, when nothing is shown any more.
    pub fn answered_late(&mut self, purpose: &Purpose) {
        match purpose {
            Purpose::Mark(_) => self.mark_more(true),
            Purpose::Send(key) => self.unsent.retain(|unsent| unsent.key != *key),
            _ => {}
        }
    }

    pub(super) fn ask(&mut self, command: String, purpose: Purpose) {
        if purpose.is_waited_for() {
            self.waited_for += 1;
            if self.is_slow {
                self.remark("waiting for the server");
            }
        }
        // It is without bounds, and closed when all is over.
        let _ = self.jobs.try_send(PendingCommand { command, purpose });
    }

    /// Warns, once.
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
        // What is asked for again and again stands there once.
        if !self.screen.ends_with(text) {
            self.add(ScreenItem::Remark(text.to_owned()));
        }
    }

    /// Somebody is to see it, so the end of the conversation is turned to.
    pub(super) fn complain(&mut self, text: &str) {
        self.go_to_end();
        self.add(ScreenItem::Complaint(text.to_owned()));
    }
}
