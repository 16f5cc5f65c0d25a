//! Carries out what is typed: a text to send, or a command.

use super::groups;
use super::item::ScreenItem;
use super::jobs::Purpose;
use super::passwd::Passwd;
use super::said::Said;
use super::slash_command::SlashCommand;
use super::talk::{Talk, Unsent};
use crate::client::failure::Failure;
use crate::client::send::random_key;

impl Talk {
    /// Carries out a typed line.
    ///
    /// # Errors
    /// `Unfit` if there is no randomness.
    pub(super) fn order(&mut self, order: SlashCommand) -> Result<(), Failure> {
        let before_it = self.picked.unmatched.take();
        match order {
            SlashCommand::Text(text) => {
                // In nc this would be a command.
                let is_verb = ["HELP", "QUIT", "READ", "ACK", "CHATS"].contains(&&*text);
                let before = self.unsent.len();
                let Some(to) = self.current.clone() else {
                    self.complain("to whom? /to bob, then write");
                    return Ok(());
                };
                if self.substitute(&text, before_it.as_deref()) {
                    return Ok(());
                }
                self.send(to, text, None)?;
                if is_verb && self.unsent.len() > before {
                    self.remark("      sent as text; /help lists the commands");
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
                    self.send(to, text, None)?;
                }
            }
            SlashCommand::Chats(is_all) => {
                self.ask("CHATS".to_owned(), Purpose::Chats(Some(is_all)))
            }
            SlashCommand::Passwd => {
                self.remark("      type your current password; Enter alone cancels");
                self.passwd = Some(Passwd::default());
                self.keyboard.ask_secret(true);
            }
            SlashCommand::Back => self.older(),
            SlashCommand::Help(help) => self.remark(help),
            SlashCommand::Message(name, rest) => self.about_message(&name, &rest)?,
            SlashCommand::Group(typed) => {
                let is_mine = |name: &str| self.chats.names().any(|known| known == name);
                match groups::command(&typed, self.current.as_deref(), is_mine) {
                    Ok(command) => {
                        let purpose = groups::purpose(&command);
                        self.ask(command, purpose);
                    }
                    Err(usage) => self.complain(&usage),
                }
            }
            SlashCommand::Flag(flag, typed) => self.set_flag(flag, &typed),
            SlashCommand::Expire(lifetime) => self.expire(lifetime),
            SlashCommand::Search(typed) => self.search(&typed),
            SlashCommand::More => self.search_on(),
            SlashCommand::Command(command) => self.ask(command, Purpose::Show),
            SlashCommand::Unclear(why) => self.complain(&why),
            SlashCommand::Files(paths) => self.send_files(&paths)?,
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

    /// Sends a text, which may answer a message.
    ///
    /// # Errors
    /// `Unfit` if there is no randomness.
    pub(super) fn send(
        &mut self,
        to: String,
        text: String,
        re: Option<u64>,
    ) -> Result<(), Failure> {
        let key = random_key()?;
        let head = match re {
            Some(id) => format!("ONCE {key} RE {id}"),
            None => format!("ONCE {key} MSG {to}"),
        };
        let Some(command) = self.with_text(&head, &text) else { return Ok(()) };
        let said = Said { re, ..Said::typed(key.clone(), text) };
        if self.current.as_ref() == Some(&to) {
            self.add(ScreenItem::Said(Box::new(said.clone())));
        }
        self.unsent.push(Unsent { key: key.clone(), to, said });
        self.keyboard.may_leave(false);
        self.ask(command, Purpose::Send(key));
        Ok(())
    }
}
