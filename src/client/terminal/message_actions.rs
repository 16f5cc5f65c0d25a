//! Carries out the commands about a message, and finds the message that they are about.

use jiff::Zoned;

use super::columns::cut;
use super::item::AboutKind;
use super::jobs::Purpose;
use super::known::size;
use super::later;
use super::message_command::{self, MessageChoice, MessageCommand, Substitution, THUMB, unnamed};
use super::said::Said;
use super::talk::Talk;
use super::transfers::TransferJob;
use crate::client::failure::Failure;
use crate::client::lines;
use crate::client::send::random_key;
use crate::wire::columns::written_time;
use crate::wire::request::DueTime;
use crate::wire::rows::condition_word;

impl Talk {
    /// Carries out a command about a message, with what was typed behind it.
    ///
    /// # Errors
    /// `Unfit` if there is no randomness.
    pub(super) fn about_message(&mut self, name: &str, rest: &str) -> Result<(), Failure> {
        let is_numbered = !self.picked.numbered.is_empty();
        match message_command::parse(name, rest, is_numbered, &Zoned::now()) {
            Ok(command) => self.act(command)?,
            Err(why) => self.complain(&why),
        }
        Ok(())
    }

    fn act(&mut self, command: MessageCommand) -> Result<(), Failure> {
        match command {
            MessageCommand::Answer(choice, text) => {
                if let (Some(id), Some(to)) = (self.chosen_to_answer(&choice), self.current.clone())
                {
                    self.send(to, text, Some(id))?;
                }
            }
            MessageCommand::Edit(choice, text) => {
                if let Some(id) = self.chosen_own(&choice) {
                    self.edit(id, &text);
                }
            }
            MessageCommand::Delete(choice) => {
                let Some(id) = self.chosen_own(&choice) else { return Ok(()) };
                let text = self.screen.said(id).map(|said| said.body.clone()).unwrap_or_default();
                let text = cut(&text, size().columns.saturating_sub(40).max(10));
                let text = format!(
                    "      delete “{text}” for everyone? Enter deletes it, Ctrl-C keeps it"
                );
                self.show_about(id, text, AboutKind::Texts);
                self.picked.deleting = Some(id);
            }
            MessageCommand::React(choice, word) => {
                if let Some(id) = self.chosen_to_answer(&choice) {
                    self.ask(format!("REACT {id} {word}"), Purpose::Change);
                }
            }
            MessageCommand::Forward(choice, to) => {
                if let Some(id) = self.chosen(&choice, Said::is_message) {
                    let key = random_key()?;
                    let done = Purpose::Forward(to.to_string());
                    self.ask(format!("ONCE {key} FWD {id} {to}"), done);
                }
            }
            MessageCommand::Marks(choice) => {
                let is_marked = |said: &Said| {
                    said.is_message() && (said.edit > 0 || !said.reactions.is_empty())
                };
                let is_any = choice == MessageChoice::Newest && !self.screen.has_any(is_marked);
                let fits = if is_any { Said::is_message } else { is_marked };
                if let Some(id) = self.chosen(&choice, fits) {
                    self.ask(format!("MARKS {id}"), Purpose::Show);
                }
            }
            MessageCommand::Get(choice, path) => {
                let is_file = |said: &Said| said.file.is_some();
                let of_others = |said: &Said| said.file.is_some() && said.from.is_some();
                let fits = if self.screen.has_any(of_others) { of_others } else { is_file };
                let fits = if choice == MessageChoice::Newest { fits } else { is_file };
                let named = match &choice {
                    MessageChoice::Piece(piece) => self.screen.find_file(piece),
                    _ => None,
                };
                if let Some(id) = named.or_else(|| self.chosen(&choice, fits)) {
                    self.transfer(TransferJob::Get { id, path });
                }
            }
            MessageCommand::At(due, text) => {
                let Some(to) = self.current.clone() else { return self.without_conversation() };
                let due = match due {
                    DueTime::In(seconds) => format!("+{seconds}"),
                    DueTime::At(time) => written_time(time),
                };
                self.put_off(&format!("AT {due}"), &to, &text, "")?;
            }
            MessageCommand::Unless(choice, state, seconds, to, text) => {
                if let Some(id) = self.chosen_own(&choice) {
                    let head = format!("UNLESS {id} {} {seconds}", condition_word(state));
                    self.put_off(&head, &to.to_string(), &text, &later::unless(state))?;
                }
            }
            MessageCommand::Later => self.ask("AT".to_owned(), Purpose::Show),
            MessageCommand::Cancel(number) => self.ask(format!("AT DEL {number}"), Purpose::Show),
        }
        Ok(())
    }

    /// Has a text sent later; `head` says when, `unless` on what condition.
    fn put_off(&mut self, head: &str, to: &str, text: &str, unless: &str) -> Result<(), Failure> {
        // With a key, so that it cannot be sent twice.
        let head = format!("{head} ONCE {} MSG {to}", random_key()?);
        if let Some(command) = self.with_text(&head, text) {
            self.ask(command, Purpose::PutOff(format!("{unless}to {to}: {text}")));
        }
        Ok(())
    }

    /// A command that ends with a text; complains if that cannot be sent.
    pub(super) fn with_text(&mut self, head: &str, text: &str) -> Option<String> {
        if text.contains(|c: char| c.is_control() && c != '\n' && c != '\t') {
            self.complain(
                "not sent: it contains control characters (colour codes?), which are never sent",
            );
            return None;
        }
        match lines::with_text(head, text) {
            Ok(command) => Some(command),
            Err(failure) => {
                self.complain(failure.to_string().trim_start_matches("papo: "));
                None
            }
        }
    }

    fn edit(&mut self, id: u64, text: &str) {
        if let Some(command) = self.with_text(&format!("EDIT {id}"), text) {
            self.ask(command, Purpose::Change);
        }
    }

    /// Handles a line like `s/one/two/`. Returns false if it is a text after all: it was typed
    /// before and changed nothing.
    pub(super) fn substitute(&mut self, line: &str, before: Option<&str>) -> bool {
        let Some(substitution) = Substitution::parse(line).filter(|_| before != Some(line)) else {
            return false;
        };
        let last = self.screen.newest(Said::is_own);
        if last.is_some_and(|said| said.id.is_none()) {
            self.complain("your last message is not on the server yet; try again in a moment");
            return true;
        }
        let changed = last.and_then(|said| Some((said.id?, substitution.apply(&said.body)?)));
        match changed {
            Some((_, text)) if text.trim().is_empty() => {
                self.complain("nothing would be left of it; /del deletes it");
            }
            Some((id, text)) => self.edit(id, &text),
            None => {
                self.complain(&format!(
                    "your last message has no “{}”; the same line again is sent as it is",
                    cut(&substitution.old, 30)
                ));
                self.picked.unmatched = Some(line.to_owned());
            }
        }
        true
    }

    /// Deletes the message that the user was asked about.
    pub(super) fn delete(&mut self, id: u64) {
        self.ask(format!("DEL {id}"), Purpose::Change);
    }

    /// Shows numbers beside the messages on the screen, or takes them away.
    pub(super) fn toggle_numbers(&mut self) {
        if !self.picked.numbered.is_empty() {
            return self.take_numbers_away();
        }
        let room = self.keyboard.room();
        let (numbered, text) = self.screen.number(room);
        self.keyboard.print(text);
        if numbered.is_empty() {
            self.remark("      there is no message on the screen");
        }
        self.picked.numbered = numbered;
    }

    pub(super) fn take_numbers_away(&mut self) {
        if !self.picked.numbered.is_empty() {
            self.picked.numbered.clear();
            let room = self.keyboard.room();
            self.keyboard.print(self.screen.unnumber(room));
        }
    }

    /// Alt and a digit: the usual reaction to the message of this number, or takes it back.
    pub(super) fn react_to(&mut self, number: usize) {
        if let Some(id) = self.chosen(&MessageChoice::Number(number), Said::is_message) {
            let mine = self.screen.said(id).and_then(|said| said.mine.as_deref());
            let word = if mine == Some(THUMB) { "-" } else { THUMB };
            self.ask(format!("REACT {id} {word}"), Purpose::Change);
        }
    }

    /// What Alt-R puts in front of the line; it answers the message that fits now.
    pub(super) fn offer_answer(&mut self) -> Option<String> {
        self.picked.offered = None;
        self.picked.offered = self.chosen_to_answer(&MessageChoice::Newest);
        self.picked.offered.map(|_| "/re ".to_owned())
    }

    /// The line with which Alt-E changes the user's last message.
    pub(super) fn offer_edit(&mut self) -> Option<String> {
        self.picked.offered = None;
        let id = self.chosen_own(&MessageChoice::Newest)?;
        self.picked.offered = Some(id);
        let text = unnamed(&self.screen.said(id)?.body);
        Some(format!("/edit {text}"))
    }

    /// A message of others, or if there is none any.
    fn chosen_to_answer(&mut self, choice: &MessageChoice) -> Option<u64> {
        let of_others = |said: &Said| said.is_message() && said.from.is_some();
        let has_others = self.screen.has_any(of_others);
        let fits = if has_others { of_others } else { Said::is_message };
        self.offered(choice, fits).or_else(|| self.chosen(choice, fits))
    }

    /// A message of the user's.
    fn chosen_own(&mut self, choice: &MessageChoice) -> Option<u64> {
        self.offered(choice, Said::is_own).or_else(|| self.chosen(choice, Said::is_own))
    }

    /// The message that stood there when Alt-R or Alt-E was pressed, if it still fits.
    fn offered(&mut self, choice: &MessageChoice, fits: fn(&Said) -> bool) -> Option<u64> {
        let MessageChoice::Newest = choice else { return None };
        let offered = self.picked.offered.take()?;
        self.screen.said(offered).is_some_and(fits).then_some(offered)
    }

    /// The message that is meant; complains if there is none.
    fn chosen(&mut self, choice: &MessageChoice, fits: fn(&Said) -> bool) -> Option<u64> {
        if self.current.is_none() {
            let _ = self.without_conversation();
            return None;
        }
        let numbered = &self.picked.numbered;
        let why = match choice {
            MessageChoice::Number(_) if numbered.is_empty() => {
                "Alt-M shows the numbers of the messages".to_owned()
            }
            MessageChoice::Number(n) => match n.checked_sub(1).and_then(|n| numbered.get(n)) {
                Some(id) => return Some(*id),
                None => format!("no message on the screen has the number {n}"),
            },
            MessageChoice::Piece(piece) => match self.screen.find(piece, fits) {
                Some(id) => return Some(id),
                None => {
                    format!("no message here has “{}”; PageUp loads older ones", cut(piece, 30))
                }
            },
            MessageChoice::Newest => match self.screen.newest(fits) {
                Some(Said { id: Some(id), .. }) => return Some(*id),
                Some(_) => "it is not on the server yet; try again in a moment".to_owned(),
                None => "there is no such message here yet".to_owned(),
            },
        };
        self.complain(&why);
        None
    }

    fn without_conversation(&mut self) -> Result<(), Failure> {
        self.complain("to whom? /to bob, then write");
        Ok(())
    }
}
