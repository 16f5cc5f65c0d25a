//! Uses of the table of verbs: lines are parsed by the rules in it, and `HELP` is made from it, so
//! `HELP` lists exactly the verbs that work.

use std::borrow::Cow;

use nom::Parser;
use nom::sequence::terminated;

use super::fields;
pub use super::line_forms::{Class, LINE_FORMS, LineForm};
use super::refusal::Refusal;
use super::request::{Request, blank, first_word};
pub use super::verb_table::VERBS;
pub use super::verbs::{ListenerKind, Served, Verb};
use crate::limits;
use crate::name::{self, Handle};

/// The verb of a word in any letter case, wherever it is served.
pub fn verb(word: &str) -> Option<&'static Verb> {
    VERBS.iter().find(|verb| verb.word.eq_ignore_ascii_case(word))
}

/// The same, if it is served on this listener.
pub fn verb_at(word: &str, listener: ListenerKind) -> Option<&'static Verb> {
    verb(word).filter(|verb| verb.served.at(listener))
}

/// Parses a line whose first word is this verb.
///
/// # Errors
/// What the verb's rule expected, and where.
pub fn read(verb: &Verb, line: &str) -> Result<Request, Refusal> {
    let line = line.trim_end_matches(blank);
    // In bounds, since `first_word` returns a part of `line`.
    let blanks = line.len() - line.trim_start_matches(blank).len();
    let from = blanks + first_word(line).len();
    let fields = line[from..].trim_start_matches(blank);
    match terminated(verb.rule, fields::end).parse(fields) {
        Ok((_, command)) => Ok(Request { verb: verb.word, command }),
        Err(nom::Err::Error(e) | nom::Err::Failure(e)) => {
            let byte = line.len() - e.rest.len();
            Err(match e.hidden {
                Some(at) => Refusal::BadText {
                    byte: byte + at + 1,
                    what: "names may not contain control, bidirectional or zero-width characters",
                },
                None => Refusal::BadSyntax {
                    expected: e.label,
                    column: line[..byte].chars().count() + 1,
                },
            })
        }
        // Only nom's streaming parsers return this, and none is used.
        Err(nom::Err::Incomplete(_)) => Err(Refusal::Bug),
    }
}

/// The verb as an `ERR` line shows it: in capitals, or `-` if it is empty, too long, or has
/// characters that cannot be shown.
pub fn display_verb(word: &str) -> Cow<'static, str> {
    if let Some(verb) = verb(word) {
        return Cow::Borrowed(verb.word);
    }
    match word.chars().take(limits::VERB_ECHO + 1).count() {
        1..=limits::VERB_ECHO if !word.contains(name::is_spoofing) => {
            Cow::Owned(word.to_uppercase())
        }
        _ => Cow::Borrowed("-"),
    }
}

/// Characters of a `HELP` line after its first word, on a terminal of 80 columns.
const COLUMNS: usize = 75;

/// The lines of `HELP` without a verb: at most a screen of 24 lines, with what to type first at the
/// end, where it stays in sight.
pub fn overview(listener: ListenerKind, me: Option<&Handle>) -> Vec<String> {
    let mut lines = Vec::new();
    if listener == ListenerKind::Admin {
        lines.extend(by_subject(listener, |verb| verb.form));
        lines.push("type HELP ADMIN for the operators' commands".to_owned());
        return lines;
    }
    lines.push("One line is one command; each is answered by one final line, OK or ERR.".into());
    let Some(me) = me else {
        for verb in VERBS.iter().filter(|verb| verb.served == Served::Strangers) {
            lines.push(format!("  {:<43} {}", verb.form, verb.brief()));
        }
        lines.push(format!("  {:<43} explains one verb", "HELP <verb>"));
        lines.push("The verbs, by subject:".to_owned());
        lines.extend(by_subject(listener, |verb| verb.word));
        let seconds = limits::LOGIN_TIME.as_secs();
        lines.push(
            "Start with an account, a message to yourself, and a look at it; without a".into(),
        );
        lines.push(format!(
            "login, the session ends after {seconds} seconds with BYE login-timeout:"
        ));
        lines.push("  REG ana secret-a".to_owned());
        lines.push("  MSG ana hello".to_owned());
        lines.push("  HIST ana".to_owned());
        return lines;
    };
    lines.extend(by_subject(listener, |verb| verb.form));
    lines.extend([
        "Pushed to you: MSG and GROUP <id> <time> <from> <to> <tags> <text>; ACK and".to_owned(),
        "READ <id> <time> <from> <to> (all up to <id> was received, read); LIVE, BYE".to_owned(),
        "HELP <word> explains a verb or an event; <to> is a handle or #group.".to_owned(),
        format!("Try: MSG {me} hello (to yourself), HIST {me}, FIND <name>, and then"),
        "TALK <handle>, after which each line is a message, until one with only a /".to_owned(),
    ]);
    lines
}

/// The verbs served on a listener, each as `shown` has it, grouped by subject.
fn by_subject(listener: ListenerKind, shown: impl Fn(&Verb) -> &'static str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut last = "";
    for verb in VERBS.iter().filter(|verb| verb.served.at(listener)) {
        let item = shown(verb);
        match lines.last_mut() {
            Some(line) if verb.subject == last && line.len() + 3 + item.len() <= COLUMNS => {
                line.push_str("   ");
                line.push_str(item);
            }
            _ => {
                let subject = if verb.subject == last { "" } else { verb.subject };
                lines.push(format!("  {subject:<10} {item}"));
            }
        }
        last = verb.subject;
    }
    lines
}

/// The lines of `HELP <word>`, for a verb served on this listener or the first word of a line sent
/// there; `None` if it is neither.
pub fn of(word: &str, listener: ListenerKind) -> Option<Vec<String>> {
    match verb(word) {
        Some(verb) => verb.served.at(listener).then(|| of_verb(verb)),
        None => of_sent(word, listener),
    }
}

/// Adds a text, wrapped to [`COLUMNS`].
fn wrap(text: &str, lines: &mut Vec<String>) {
    let mut line = " ".to_owned();
    for word in text.split(' ') {
        if line.len() + 1 + word.len() > COLUMNS {
            lines.push(std::mem::replace(&mut line, "   ".to_owned()));
        }
        line.push(' ');
        line.push_str(word);
    }
    lines.push(line);
}

fn of_sent(word: &str, listener: ListenerKind) -> Option<Vec<String>> {
    let sent = LINE_FORMS.iter().find(|sent| sent.word.eq_ignore_ascii_case(word))?;
    let verbs = sent.class.verbs();
    if !verbs.is_empty() && !verbs.iter().any(|word| verb_at(word, listener).is_some()) {
        return None;
    }
    let mut lines = vec![sent.form.to_owned()];
    lines.extend(verbs.iter().map(|verb| format!("  sent in reply to {verb}")));
    lines.extend(sent.says.iter().map(|line| format!("  {line}")));
    Some(lines)
}

fn of_verb(verb: &Verb) -> Vec<String> {
    let mut lines = vec![verb.form.to_owned()];
    lines.extend(verb.does.iter().map(|line| format!("  {line}")));
    for sent in LINE_FORMS.iter().filter(|sent| sent.class.verbs().contains(&verb.word)) {
        let class = if matches!(sent.class, Class::Row(_)) { "rows" } else { "comes as" };
        wrap(&format!("{class}: {}", sent.form), &mut lines);
    }
    lines.push(format!("  for example: {}", verb.example));
    if !verb.errors.is_empty() {
        wrap(&format!("errors: {}", verb.errors), &mut lines);
    }
    lines
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
