//! Key bindings beyond the editor's own.

use std::io::{Write, stdout};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use rustix::process::{Signal, kill_current_process_group};
use rustyline::{
    Cmd, ConditionalEventHandler, Editor, Event, EventContext, EventHandler, KeyCode, KeyEvent,
    Modifiers, Movement, RepeatCount,
};

use super::device::TerminalDevice;
use super::known::{Known, Out, Typed, lock};
use super::message_command;
use super::prompt::Typing;
use super::recalled::Recalled;
use super::sequences::digit_key;
use super::slash_command;

/// Lines kept for the arrow keys in a conversation.
const RECALLED: usize = 500;

/// Time within which all threads of a process are stopped.
const STOPPING: Duration = Duration::from_millis(100);

/// Time limit for names that only the server knows.
const NAMES: Duration = Duration::from_secs(1);

/// Time limit for what Alt-R and Alt-E offer, which is known on this side.
const OFFERED: Duration = Duration::from_secs(1);

/// A key and what it does here.
struct KeyBinding {
    known: Arc<Mutex<Known>>,
    device: Arc<TerminalDevice>,
    typed: Out,
    /// Notified when the process continues after it was stopped.
    goes_on: Arc<Mutex<mpsc::Receiver<()>>>,
    does: Does,
}

#[derive(Clone, Copy)]
enum Does {
    End,
    Complete,
    Earlier,
    Later,
    Older,
    Newer,
    Interrupt,
    Leave,
    Redraw,
    Next,
    Numbers,
    React(usize),
    Answer,
    Edit,
    Search,
    Stop,
    Hide,
}

impl ConditionalEventHandler for KeyBinding {
    fn handle(&self, event: &Event, _: RepeatCount, _: bool, ctx: &EventContext) -> Option<Cmd> {
        let line = ctx.line();
        if std::mem::take(&mut lock(&self.known).is_awaited) {
            (self.typed)(Typed::Here);
        }
        let is_secret = lock(&self.known).secret.is_some();
        match self.does {
            Does::Hide => return self.hide(event),
            Does::Complete | Does::Earlier | Does::Later if is_secret => {}
            Does::End => return Some(self.end(line)),
            Does::Complete => return Some(self.complete(&line[..ctx.pos()])),
            Does::Earlier | Does::Later => return self.recall(line),
            Does::Interrupt if !line.is_empty() => {
                (self.typed)(Typed::Cleared);
                return Some(replace(String::new()));
            }
            // Deletes what is under the cursor.
            Does::Leave if !line.is_empty() => return None,
            Does::Leave if lock(&self.known).may_leave() => return Some(Cmd::EndOfFile),
            Does::Leave => (self.typed)(Typed::Leave),
            Does::Older => (self.typed)(Typed::Older),
            Does::Newer => (self.typed)(Typed::Newer),
            Does::Interrupt => (self.typed)(Typed::Interrupt),
            Does::Redraw => (self.typed)(Typed::Redraw),
            // The unfinished line is meant for the current conversation.
            Does::Next if is_secret || !line.is_empty() => (self.typed)(Typed::Busy),
            Does::Next => (self.typed)(Typed::Next),
            Does::Numbers | Does::React(_) | Does::Answer | Does::Edit | Does::Search
                if is_secret => {}
            Does::Numbers => (self.typed)(Typed::Numbers),
            Does::React(number) => (self.typed)(Typed::React(number)),
            // What is typed already becomes the answer, unless it is a command.
            Does::Answer if line.starts_with('/') => {}
            Does::Answer => return self.offered(Typed::Answer, &message_command::unnamed(line)),
            Does::Edit if !line.is_empty() => (self.typed)(Typed::Busy),
            Does::Edit => return self.offered(Typed::Edit, ""),
            // So are the words to search for.
            Does::Search if line.starts_with('/') => {}
            Does::Search => {
                lock(&self.known).recalled = Some(format!("/search {line}"));
                return Some(Cmd::PreviousHistory);
            }
            Does::Stop => {
                self.stop();
                // Other programs have written to the terminal meanwhile.
                (self.typed)(Typed::Redraw);
            }
        }
        Some(Cmd::Noop)
    }
}

impl KeyBinding {
    /// Takes the line out of the editor.
    fn end(&self, line: &str) -> Cmd {
        let line = line.trim();
        let mut known = lock(&self.known);
        if let Some(secret) = &mut known.secret {
            let secret = std::mem::take(secret);
            drop(known);
            (self.typed)(Typed::Secret(secret));
            return Cmd::Noop;
        }
        let known = &mut *known;
        let lines = known.lines.entry(known.with.clone()).or_default();
        if !line.is_empty() && lines.last().is_none_or(|last| last != line) {
            lines.push(line.to_owned());
            if lines.len() > RECALLED {
                lines.remove(0);
            }
        }
        known.place = lines.len();
        match slash_command::leaves(line) {
            Some(at_once) if at_once || known.may_leave() => return Cmd::AcceptLine,
            Some(_) => (self.typed)(Typed::Leave),
            None => {
                known.untaken += 1;
                (self.typed)(Typed::Line(line.to_owned()));
            }
        }
        replace(String::new())
    }

    /// Replaces the line by what is offered, with `rest` behind it.
    fn offered(&self, ask: fn(mpsc::Sender<String>) -> Typed, rest: &str) -> Option<Cmd> {
        let (answer, offered) = mpsc::channel();
        (self.typed)(ask(answer));
        // If there is nothing, the user is told why.
        let Ok(offered) = offered.recv_timeout(OFFERED) else { return Some(Cmd::Noop) };
        // A line that is recalled has the cursor at its end.
        lock(&self.known).recalled = Some(format!("{offered}{rest}"));
        Some(Cmd::PreviousHistory)
    }

    /// Keeps a key of a secret from the editor, which would show it and could bring it back.
    fn hide(&self, event: &Event) -> Option<Cmd> {
        let mut known = lock(&self.known);
        let secret = known.secret.as_mut()?;
        match event.get(0) {
            Some(key) if *key == KeyEvent::ctrl('u') => secret.clear(),
            Some(KeyEvent(KeyCode::Backspace, _)) => drop(secret.pop()),
            Some(KeyEvent(KeyCode::Char(c), held)) if (*held - Modifiers::SHIFT).is_empty() => {
                secret.push(*c);
            }
            // Among others the marks of a paste, whose text follows key by key.
            _ => {}
        }
        Some(Cmd::Noop)
    }

    /// Recalls lines typed before. In input of several rows the keys move the cursor instead.
    fn recall(&self, line: &str) -> Option<Cmd> {
        let mut known = lock(&self.known);
        let (place, end) = (known.place, known.typed_here().len());
        let recalled = known.typed_here().get(place).is_some_and(|recalled| recalled == line);
        if line.contains('\n') && !recalled {
            return None;
        }
        let next = match self.does {
            Does::Earlier => place.checked_sub(1),
            _ => Some(place + 1).filter(|next| *next <= end),
        };
        let Some(next) = next else { return Some(Cmd::Noop) };
        if place == end {
            known.draft = line.to_owned();
        }
        known.place = next;
        known.recalled = Some(known.typed_here().get(next).unwrap_or(&known.draft).clone());
        Some(Cmd::PreviousHistory)
    }

    /// Stops the process, as the key does in a shell, which finds the terminal as it was.
    fn stop(&self) {
        let Ok(goes_on) = self.goes_on.lock() else { return };
        while goes_on.try_recv().is_ok() {}
        self.device.be_as_found(true);
        let _ = kill_current_process_group(Signal::TSTP);
        // All threads stop, but not at once; none does if there is no shell to return to.
        let _ = goes_on.recv_timeout(STOPPING);
        let _ = self.device.be_raw();
        let _ = write!(stdout(), "\x1b[?2004h");
        let _ = stdout().flush();
    }

    /// Completes the word that ends here, as far as it is unambiguous.
    fn complete(&self, before: &str) -> Cmd {
        let word = before.rsplit(char::is_whitespace).next().unwrap_or_default();
        let (start, word) = (before.len() - word.len(), word.to_ascii_lowercase());
        let arguments = slash_command::arguments(before[..start].trim_end());
        let (begin, known) = match word.chars().next() {
            Some('/') if start == 0 => {
                let orders =
                    slash_command::NAMES.iter().filter(|name| name.starts_with(&word[1..]));
                ("/", orders.map(|name| (*name).to_owned()).collect())
            }
            first if !arguments.is_empty() && first != Some('+') => {
                let fitting = arguments.iter().filter(|argument| argument.starts_with(&word));
                ("", fitting.map(|argument| (*argument).to_owned()).collect())
            }
            // A group typed as in a shell.
            Some('+') => {
                let names = self.names(&format!("#{}", &word[1..]));
                ("+", names.iter().map(|name| name[1..].to_owned()).collect())
            }
            // Somebody mentioned in a text.
            Some('@') => ("@", self.names(&word[1..])),
            _ => ("", self.names(&word)),
        };
        let ways: Vec<String> = known.iter().map(|name| format!("{begin}{name}")).collect();
        let Some(first) = ways.first() else { return Cmd::Noop };
        let shared = ways.iter().map(|way| same(first, way)).min().unwrap_or(0);
        let end = if ways.len() == 1 { " " } else { "" };
        match first.get(word.len()..shared) {
            Some(rest) if !rest.is_empty() || ways.len() == 1 => {
                Cmd::Insert(1, format!("{rest}{end}"))
            }
            _ => {
                (self.typed)(Typed::Ways(ways));
                Cmd::Noop
            }
        }
    }

    /// Names with this prefix; if none is known, the server is asked.
    fn names(&self, begin: &str) -> Vec<String> {
        let found: Vec<String> = {
            let known = lock(&self.known);
            let names = known.names.range(begin.to_owned()..);
            let names = names.take_while(|name| !begin.is_empty() && name.starts_with(begin));
            names.take(50).cloned().collect()
        };
        if !found.is_empty() || begin.is_empty() || begin.starts_with('#') {
            return found;
        }
        let (answer, names) = mpsc::channel();
        (self.typed)(Typed::Names(begin.to_owned(), answer));
        let names = names.recv_timeout(NAMES).unwrap_or_default();
        names.into_iter().filter(|name| name.starts_with(begin)).collect()
    }
}

/// Bytes in the common prefix of two names, which are ASCII.
fn same(one: &str, other: &str) -> usize {
    one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count()
}

fn replace(text: String) -> Cmd {
    Cmd::Replace(Movement::WholeBuffer, Some(text))
}

/// Binds the keys.
pub fn bind(
    editor: &mut Editor<Typing, Recalled>,
    known: &Arc<Mutex<Known>>,
    device: &Arc<TerminalDevice>,
    typed: &Out,
    goes_on: mpsc::Receiver<()>,
) {
    let goes_on = Arc::new(Mutex::new(goes_on));
    let mut does_for = |event: Event, does: Does| {
        let (known, device, typed) = (known.clone(), device.clone(), typed.clone());
        let key = KeyBinding { known, device, typed, goes_on: goes_on.clone(), does };
        editor.bind_sequence(event, EventHandler::Conditional(Box::new(key)));
    };
    does_for(Event::Any, Does::Hide);
    let mut does = |key: KeyEvent, does: Does| does_for(key.into(), does);
    let plain = |code| KeyEvent(code, Modifiers::NONE);
    does(plain(KeyCode::Enter), Does::End);
    does(plain(KeyCode::Tab), Does::Complete);
    for (key, control, what) in
        [(KeyCode::Up, 'p', Does::Earlier), (KeyCode::Down, 'n', Does::Later)]
    {
        does(plain(key), what);
        does(KeyEvent::ctrl(control), what);
    }
    does(plain(KeyCode::PageUp), Does::Older);
    does(plain(KeyCode::PageDown), Does::Newer);
    does(KeyEvent::ctrl('c'), Does::Interrupt);
    does(KeyEvent::ctrl('d'), Does::Leave);
    does(KeyEvent::ctrl('l'), Does::Redraw);
    does(KeyEvent::alt('n'), Does::Next);
    does(KeyEvent::alt('m'), Does::Numbers);
    does(KeyEvent::alt('r'), Does::Answer);
    does(KeyEvent::alt('e'), Does::Edit);
    for digit in 1..=9 {
        does(KeyEvent::alt(digit_key(digit)), Does::React(digit));
    }
    does(KeyEvent::ctrl('r'), Does::Search);
    does(KeyEvent::ctrl('z'), Does::Stop);
    // Line breaks in a message. A terminal without bracketed paste sends Ctrl-J for each line of
    // pasted text.
    editor.bind_sequence(KeyEvent(KeyCode::Enter, Modifiers::ALT), Cmd::Newline);
    editor.bind_sequence(KeyEvent::ctrl('j'), Cmd::Newline);
    // There is no history to search.
    editor.bind_sequence(KeyEvent::ctrl('s'), Cmd::Noop);
}
