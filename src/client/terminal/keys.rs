//! The keys, as far as they do more than in every editor.

use std::io::{Write, stdin, stdout};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use rustix::process::{Signal, kill_current_process_group};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use rustyline::{
    Cmd, ConditionalEventHandler, Editor, Event, EventContext, EventHandler, KeyCode, KeyEvent,
    Modifiers, Movement, RepeatCount,
};

use super::known::{Known, Out, Typed, lock};
use super::order;
use super::prompt::Line;
use super::recalled::Recalled;

/// Lines that the arrow keys bring back.
const RECALLED: usize = 500;

/// How long it takes at most until all threads of a process are stopped.
const STOPPING: Duration = Duration::from_millis(100);

/// For how long names are waited for that only the server knows.
const NAMES: Duration = Duration::from_secs(1);

/// What a key does beyond what it does in every editor.
struct Key {
    known: Arc<Mutex<Known>>,
    typed: Out,
    /// Where it is told that the process goes on after it was stopped.
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
    Stop,
}

impl ConditionalEventHandler for Key {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, ctx: &EventContext) -> Option<Cmd> {
        let line = ctx.line();
        match self.does {
            Does::End => return Some(self.end(line)),
            Does::Complete => return Some(self.complete(&line[..ctx.pos()])),
            Does::Earlier | Does::Later => return self.recall(line),
            Does::Interrupt if !line.is_empty() => return Some(replace(String::new())),
            // Deletes what is under the cursor.
            Does::Leave if !line.is_empty() => return None,
            Does::Leave if lock(&self.known).may_leave => return Some(Cmd::EndOfFile),
            Does::Leave => (self.typed)(Typed::Leave),
            Does::Older => (self.typed)(Typed::Older),
            Does::Newer => (self.typed)(Typed::Newer),
            Does::Interrupt => (self.typed)(Typed::Interrupt),
            Does::Redraw => (self.typed)(Typed::Redraw),
            // What is being typed is meant for somebody.
            Does::Next if !line.is_empty() => (self.typed)(Typed::Busy),
            Does::Next => (self.typed)(Typed::Next),
            Does::Stop => {
                self.stop();
                // Others have written to the terminal meanwhile.
                (self.typed)(Typed::Redraw);
            }
        }
        Some(Cmd::Noop)
    }
}

impl Key {
    /// Takes the line out of the editor.
    fn end(&self, line: &str) -> Cmd {
        let mut known = lock(&self.known);
        let line = line.trim();
        if !line.is_empty() && known.lines.last().is_none_or(|last| last != line) {
            known.lines.push(line.to_owned());
            if known.lines.len() > RECALLED {
                known.lines.remove(0);
            }
        }
        known.place = known.lines.len();
        let may_leave = known.may_leave;
        drop(known);
        let is_quit = ["/quit", "/exit", "/q"].contains(&line.to_lowercase().as_str());
        match line {
            _ if is_quit && may_leave => return Cmd::AcceptLine,
            _ if is_quit => (self.typed)(Typed::Leave),
            _ => (self.typed)(Typed::Line(line.to_owned())),
        }
        replace(String::new())
    }

    /// Brings back what was typed before. In a line of several rows the keys move the cursor.
    fn recall(&self, line: &str) -> Option<Cmd> {
        let mut known = lock(&self.known);
        let recalled = known.lines.get(known.place).is_some_and(|recalled| recalled == line);
        if line.contains('\n') && !recalled {
            return None;
        }
        let place = match self.does {
            Does::Earlier => known.place.checked_sub(1),
            _ => Some(known.place + 1).filter(|place| *place <= known.lines.len()),
        };
        let Some(place) = place else { return Some(Cmd::Noop) };
        if known.place == known.lines.len() {
            known.draft = line.to_owned();
        }
        known.place = place;
        known.recalled = Some(known.lines.get(place).unwrap_or(&known.draft).clone());
        Some(Cmd::PreviousHistory)
    }

    /// Stops, as the key does where nobody edits a line: the shell finds the terminal as it was.
    fn stop(&self) {
        let Some(found) = lock(&self.known).found.clone() else { return };
        let Ok(raw) = tcgetattr(stdin()) else { return };
        let Ok(goes_on) = self.goes_on.lock() else { return };
        while goes_on.try_recv().is_ok() {}
        let _ = tcsetattr(stdin(), OptionalActions::Drain, &found);
        let _ = write!(stdout(), "\x1b[?2004l\r\n");
        let _ = stdout().flush();
        let _ = kill_current_process_group(Signal::TSTP);
        // All threads stop, but not at once; and none does where there is no shell to go back to.
        let _ = goes_on.recv_timeout(STOPPING);
        let _ = tcsetattr(stdin(), OptionalActions::Drain, &raw);
        let _ = write!(stdout(), "\x1b[?2004h");
        let _ = stdout().flush();
    }

    /// Completes the word that ends here, as far as there is one way only.
    fn complete(&self, before: &str) -> Cmd {
        let word = before.rsplit(char::is_whitespace).next().unwrap_or_default();
        let (start, word) = (before.len() - word.len(), word.to_ascii_lowercase());
        let (begin, known) = match (word.strip_prefix('/'), word.strip_prefix('+')) {
            (Some(order), _) if start == 0 => {
                let orders = order::NAMES.iter().filter(|name| name.starts_with(order));
                ("/", orders.map(|name| (*name).to_owned()).collect())
            }
            // A group is typed as in a shell, too.
            (_, Some(group)) => {
                let names = self.names(&format!("#{group}"));
                ("+", names.iter().map(|name| name[1..].to_owned()).collect())
            }
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

    /// Names that begin like this; where none is known, the server is asked.
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

/// Bytes at the beginning in which two names are the same. Names are ASCII.
fn same(one: &str, other: &str) -> usize {
    one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count()
}

fn replace(text: String) -> Cmd {
    Cmd::Replace(Movement::WholeBuffer, Some(text))
}

/// Teaches the editor its keys.
pub fn bind(
    editor: &mut Editor<Line, Recalled>,
    known: &Arc<Mutex<Known>>,
    typed: &Out,
    goes_on: mpsc::Receiver<()>,
) {
    let goes_on = Arc::new(Mutex::new(goes_on));
    let mut does = |key: KeyEvent, does: Does| {
        let key_does =
            Key { known: known.clone(), typed: typed.clone(), goes_on: goes_on.clone(), does };
        editor.bind_sequence(key, EventHandler::Conditional(Box::new(key_does)));
    };
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
    does(KeyEvent::ctrl('z'), Does::Stop);
    // A line break in a message. A terminal that does not say that something is pasted sends the
    // second one for each line of it.
    editor.bind_sequence(KeyEvent(KeyCode::Enter, Modifiers::ALT), Cmd::Newline);
    editor.bind_sequence(KeyEvent::ctrl('j'), Cmd::Newline);
    // There is nothing to search in.
    editor.bind_sequence(KeyEvent::ctrl('r'), Cmd::Noop);
    editor.bind_sequence(KeyEvent::ctrl('s'), Cmd::Noop);
}
