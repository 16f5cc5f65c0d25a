//! The text of a command: the words of the command line, or standard input.

use std::io::{self, IsTerminal, Read};

use super::failure::{Failure, report};
use super::lines;
use super::lossy::{Lossy, MORE};
use crate::limits;

/// What is to be done with a text that cannot be sent as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fitting {
    /// It is refused.
    Strict,
    /// What cannot be sent is replaced, and what is too long is cut.
    Lossy,
}

/// The text for a command that consists of `head` and of it: the words, or standard input if there
/// are none or a lone `-`. Line breaks at the end of standard input are dropped: a file ends with
/// one, and no message needs it.
///
/// # Errors
/// `Unfit` if standard input cannot be read or, unless it is made to fit, is not UTF-8 or far longer
/// than a message.
pub fn text(words: &[String], head: &str, fitting: Fitting) -> Result<String, Failure> {
    let is_given = !words.is_empty() && words != ["-"];
    if !is_given && io::stdin().is_terminal() {
        report("papo: type the text; Ctrl-D on an empty line sends it");
    }
    match (is_given, fitting) {
        (true, Fitting::Strict) => Ok(words.join(" ")),
        (true, Fitting::Lossy) => Ok(lossy(&words.join(" "), head)),
        (false, Fitting::Strict) => all_input(),
        (false, Fitting::Lossy) => lossy_input(head),
    }
}

/// The text with whatever cannot be sent replaced, and cut to fit behind `head`.
pub fn lossy(text: &str, head: &str) -> String {
    let mut lossy = Lossy::new(room(head));
    lossy.add(text.as_bytes());
    lossy.text()
}

/// Bytes that a text may take, escaped, in the line that begins with `head`.
fn room(head: &str) -> usize {
    // A blank before it, and the line end.
    limits::LINE - head.len() - 2
}

fn all_input() -> Result<String, Failure> {
    // Bounded, so that an endless stream is rejected before it fills memory.
    let most = limits::LINE * 4;
    let mut bytes = Vec::new();
    let unfit = |why: String| Failure::Unfit(format!("standard input: {why}"));
    let input = io::stdin().lock();
    input.take(most as u64 + 1).read_to_end(&mut bytes).map_err(|e| unfit(e.to_string()))?;
    if bytes.len() > most {
        return Err(lines::too_long(&format!("more than {}", lines::grouped(most))));
    }
    let mut text = String::from_utf8(bytes).map_err(|e| {
        unfit(format!("not valid UTF-8 at byte {}", e.utf8_error().valid_up_to() + 1))
    })?;
    text.truncate(text.trim_end_matches('\n').len());
    Ok(text)
}

fn lossy_input(head: &str) -> Result<String, Failure> {
    let mut lossy = Lossy::new(room(head));
    let mut some = vec![0; MORE];
    let mut input = io::stdin().lock();
    loop {
        match input.read(&mut some) {
            Ok(0) => return Ok(lossy.text()),
            Ok(n) => lossy.add(&some[..n]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(Failure::Unfit(format!("standard input: {e}"))),
        }
    }
}

/// Warns if the text begins with what was perhaps meant as a flag.
pub fn warn_of_flag(words: &[String]) {
    let first = words.first().map_or("", String::as_str);
    let name = first.split('=').next().unwrap_or_default();
    let flags = [
        "--wait",
        "--timeout",
        "--key",
        "--unless",
        "--lossy",
        "--as",
        "--server",
        "--secret-file",
        "--help",
    ];
    if flags.contains(&name) {
        report(format_args!("papo: {name} is sent as text; flags go before the handle or id"));
    }
}
