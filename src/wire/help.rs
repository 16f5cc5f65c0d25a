//! The table of verbs: how each is said, what it does, and the rule that reads it. A line is read by
//! the rule of its verb; `HELP` is made from the table, so it lists what works and nothing else.

use std::borrow::Cow;

use nom::Parser;
use nom::sequence::terminated;

use super::refusal::Refusal;
use super::request::{Request, blank, first_word};
use super::rules::{self, Parsed};
use crate::{limits, name};

/// One row of the table.
pub struct Verb {
    /// What it is about: verbs of one subject stand together.
    pub subject: &'static str,
    /// The word, in capitals.
    pub word: &'static str,
    /// Its form.
    pub form: &'static str,
    /// What it does, in lines of a terminal's width.
    pub does: &'static [&'static str],
    /// An example that can be typed as it stands.
    pub example: &'static str,
    /// The codes it is refused with, but for those that any command may get.
    pub errors: &'static str,
    /// Served before login.
    pub open: bool,
    pub(super) rule: fn(&str) -> Parsed<'_, Request>,
}

impl PartialEq for Verb {
    fn eq(&self, other: &Verb) -> bool {
        self.word == other.word
    }
}
impl Eq for Verb {}

impl std::fmt::Debug for Verb {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str(self.word)
    }
}

/// Every verb that is served, in the order in which a newcomer meets them.
pub static VERBS: [Verb; 24] = [
    Verb {
        subject: "account",
        word: "REG",
        form: "REG <handle> <password> [display name]",
        does: &[
            "makes an account and logs in; a handle is a letter, then letters, digits,",
            ". _ -, 2 to 32 in all; a password has 6 to 128 characters without blanks",
        ],
        example: "REG ana secret-a Ana Maria",
        errors: "taken already-in too-many",
        open: true,
        rule: rules::register,
    },
    Verb {
        subject: "account",
        word: "LOGIN",
        form: "LOGIN <handle> <password or token> [quiet]",
        does: &[
            "logs in; what waited follows, then LIVE; with quiet only replies follow,",
            "for a script that sends or asks",
        ],
        example: "LOGIN ana secret-a",
        errors: "wrong-secret too-fast already-in too-many",
        open: true,
        rule: rules::login,
    },
    Verb {
        subject: "account",
        word: "WHOAMI",
        form: "WHOAMI",
        does: &["says the handle and the display name of this session"],
        example: "WHOAMI",
        errors: "",
        open: false,
        rule: rules::whoami,
    },
    Verb {
        subject: "account",
        word: "NAME",
        form: "NAME <display name>",
        does: &["changes the display name, 1 to 64 characters"],
        example: "NAME Ana M.",
        errors: "storage",
        open: false,
        rule: rules::name,
    },
    Verb {
        subject: "account",
        word: "PASSWD",
        form: "PASSWD <old> <new>",
        does: &["changes the password; other sessions opened with the old one end"],
        example: "PASSWD secret-a better-secret-a",
        errors: "wrong-secret too-fast too-many storage",
        open: false,
        rule: rules::passwd,
    },
    Verb {
        subject: "account",
        word: "TOKEN",
        form: "TOKEN NEW <label> | TOKEN LIST | TOKEN DEL <label>",
        does: &[
            "makes a token, shown once, that stands for the password in LOGIN; lists them;",
            "makes one void and ends its sessions",
        ],
        example: "TOKEN NEW laptop",
        errors: "taken not-allowed too-many storage",
        open: false,
        rule: rules::token,
    },
    Verb {
        subject: "writing",
        word: "MSG",
        form: "MSG <to> <text>",
        does: &[
            "sends a message; OK says its id once it is on disk; in the text a backslash",
            "and an n are a line break, two backslashes are one",
        ],
        example: "MSG bia hello, how are you?",
        errors: "no-such-user no-such-group blocked storage",
        open: false,
        rule: rules::message,
    },
    Verb {
        subject: "writing",
        word: "TALK",
        form: "TALK <to> [raw]",
        does: &[
            "makes each following line a message to <to>; /VERB is a command, // starts",
            "a text with a slash, / alone ends it; with raw every line up to the end of",
            "input is text: the safe end of a pipe",
        ],
        example: "TALK bia",
        errors: "no-such-user no-such-group",
        open: false,
        rule: rules::talk,
    },
    Verb {
        subject: "writing",
        word: "ONCE",
        form: "ONCE <key> MSG <to> <text>",
        does: &[
            "sends at most once for this key, for ever: said again it gives the first answer,",
            "so a script that lost the answer just says it again; a key has 1 to 64",
            "characters without blanks",
        ],
        example: "ONCE backup-2026-01-01 MSG bia backup done",
        errors: "key-reused and those of MSG",
        open: false,
        rule: rules::once,
    },
    Verb {
        subject: "receiving",
        word: "ACK",
        form: "ACK [<id> | <to>]",
        does: &[
            "says that everything up to <id>, up to the last from <to>, or all that came",
            "was received; its authors learn so",
        ],
        example: "ACK",
        errors: "no-such-message no-such-user no-such-group storage",
        open: false,
        rule: rules::ack,
    },
    Verb {
        subject: "receiving",
        word: "READ",
        form: "READ [<id> | <to>]",
        does: &["says likewise that it was read"],
        example: "READ bia",
        errors: "no-such-message no-such-user no-such-group storage",
        open: false,
        rule: rules::read_upto,
    },
    Verb {
        subject: "receiving",
        word: "INFO",
        form: "INFO <id>|last",
        does: &["shows who has received and read a message, and when"],
        example: "INFO last",
        errors: "no-such-message",
        open: false,
        rule: rules::info,
    },
    Verb {
        subject: "receiving",
        word: "WAIT",
        form: "WAIT <id>|last delivered|read <seconds>",
        does: &[
            "waits until everyone has received or read my message; last is the one this",
            "session sent last; later commands wait behind it",
        ],
        example: "WAIT last read 600",
        errors: "timeout no-such-message",
        open: false,
        rule: rules::wait,
    },
    Verb {
        subject: "history",
        word: "HIST",
        form: "HIST <to> [n] [before <id>] [after <id>]",
        does: &[
            "shows the last n (50) of a conversation, 1 to 1000, within the bounds; with",
            "after alone the first n after it",
        ],
        example: "HIST bia 10",
        errors: "no-such-user no-such-group",
        open: false,
        rule: rules::hist,
    },
    Verb {
        subject: "history",
        word: "SYNC",
        form: "SYNC <id>",
        does: &[
            "shows everything in all my conversations after <id>, at most 1000 rows; the id",
            "in OK SYNC is for the next call, SYNC 0 begins at the beginning",
        ],
        example: "SYNC 0",
        errors: "",
        open: false,
        rule: rules::sync,
    },
    Verb {
        subject: "history",
        word: "CHATS",
        form: "CHATS",
        does: &[
            "lists my conversations, the newest first: with whom, how many are unread, the",
            "last id and its time",
        ],
        example: "CHATS",
        errors: "",
        open: false,
        rule: rules::chats,
    },
    Verb {
        subject: "groups",
        word: "GROUP",
        form: "GROUP NEW|ADD|REMOVE|ADMIN|TOPIC|LEAVE|LIST|WHO ...",
        does: &[
            "GROUP NEW <name> [handle ...]    makes a group, of which I am the admin",
            "GROUP ADD <name> <handle> ...    adds members; admins only, as the next three",
            "GROUP REMOVE <name> <handle>     takes one out",
            "GROUP ADMIN <name> <handle>      makes one an admin",
            "GROUP TOPIC <name> <text>        says what it is about",
            "GROUP LEAVE <name>               leaves it",
            "GROUP LIST                       lists my groups",
            "GROUP WHO <name>                 lists its members",
        ],
        example: "GROUP NEW team bia caio",
        errors: "no-such-group no-such-user not-admin taken blocked too-many storage",
        open: false,
        rule: rules::group,
    },
    Verb {
        subject: "people",
        word: "FIND",
        form: "FIND <text>",
        does: &[
            "finds people: each word begins a word of the name or the handle; letter case and",
            "accents do not matter; at most 20",
        ],
        example: "FIND ana m",
        errors: "",
        open: false,
        rule: rules::find,
    },
    Verb {
        subject: "people",
        word: "BLOCK",
        form: "BLOCK [<handle>]",
        does: &["takes nothing more from someone; without a handle lists whom I have blocked"],
        example: "BLOCK caio",
        errors: "no-such-user storage",
        open: false,
        rule: rules::block,
    },
    Verb {
        subject: "people",
        word: "UNBLOCK",
        form: "UNBLOCK <handle>",
        does: &["takes messages from someone again"],
        example: "UNBLOCK caio",
        errors: "no-such-user storage",
        open: false,
        rule: rules::unblock,
    },
    Verb {
        subject: "session",
        word: "SET",
        form: "SET ack auto|manual, SET receipts on|off",
        does: &[
            "for this session: count what is sent to it as received, or only what it",
            "acknowledges (manual at first); get ACK and READ events or not (on at first)",
        ],
        example: "SET ack auto",
        errors: "",
        open: false,
        rule: rules::set,
    },
    Verb {
        subject: "session",
        word: "PING",
        form: "PING [text]",
        does: &["is answered at once, after what was asked before it"],
        example: "PING 1",
        errors: "",
        open: true,
        rule: rules::ping,
    },
    Verb {
        subject: "session",
        word: "HELP",
        form: "HELP [verb]",
        does: &["shows the verbs, or one of them with an example and its errors"],
        example: "HELP MSG",
        errors: "",
        open: true,
        rule: rules::help,
    },
    Verb {
        subject: "session",
        word: "QUIT",
        form: "QUIT",
        does: &["ends the session"],
        example: "QUIT",
        errors: "",
        open: true,
        rule: rules::quit,
    },
];

/// The row of a word said in any letter case.
pub fn verb(word: &str) -> Option<&'static Verb> {
    VERBS.iter().find(|verb| verb.word.eq_ignore_ascii_case(word))
}

/// Reads a line whose first word is this verb.
///
/// # Errors
/// What the verb's rule expected, and where.
pub fn read(verb: &Verb, line: &str) -> Result<Request, Refusal> {
    let line = line.trim_end_matches(blank);
    // `first_word` is a part of `line`, so what stands after it is too.
    let blanks = line.len() - line.trim_start_matches(blank).len();
    let from = blanks + first_word(line).len();
    let fields = line[from..].trim_start_matches(blank);
    match terminated(verb.rule, rules::end).parse(fields) {
        Ok((_, request)) => Ok(request),
        Err(nom::Err::Error(e) | nom::Err::Failure(e)) => {
            let byte = line.len() - e.rest.len();
            Err(match e.hidden {
                Some(at) => Refusal::BadText {
                    byte: byte + at + 1,
                    what: "a name takes no control, direction or zero-width characters",
                },
                None => Refusal::BadSyntax {
                    expected: e.label,
                    column: line[..byte].chars().count() + 1,
                },
            })
        }
        // Only the streaming parsers ask for more, and none is used.
        Err(nom::Err::Incomplete(_)) => Err(Refusal::Bug),
    }
}

/// The verb as an `ERR` line says it: in capitals, `-` where there is none that could be said.
pub fn spoken(word: &str) -> Cow<'static, str> {
    if let Some(verb) = verb(word) {
        return Cow::Borrowed(verb.word);
    }
    match word.chars().take(limits::VERB_ECHO + 1).count() {
        1..=limits::VERB_ECHO if !word.contains(name::hidden) => Cow::Owned(word.to_uppercase()),
        _ => Cow::Borrowed("-"),
    }
}

/// The verb that was probably meant: one or two slips away, fewer than it has letters.
pub fn nearest(word: &str) -> Option<&'static str> {
    if word.len() > 2 * VERBS.iter().map(|verb| verb.word.len()).max().unwrap_or(0) {
        return None;
    }
    let word = word.to_ascii_uppercase();
    let slips = |verb: &&Verb| strsim::osa_distance(verb.word, &word);
    let near = VERBS.iter().min_by_key(slips)?;
    (slips(&near) <= near.word.len().div_euclid(3).clamp(1, 2)).then_some(near.word)
}

/// The lines of `HELP` without a verb: one screen, by subject.
pub fn overview() -> Vec<String> {
    let mut lines = vec![
        "One line is one command, and each gets one final line, OK or ERR. Start with".to_owned(),
        "  REG ana secret-a      then   MSG bia hello   or   TALK bia   to chat".to_owned(),
    ];
    let mut last = "";
    for verb in &VERBS {
        let subject = if verb.subject == last { "" } else { verb.subject };
        last = verb.subject;
        lines.push(format!("{subject:<10} {}", verb.form));
    }
    lines.extend([
        "What comes by itself: MSG and GROUP <id> <time> <from> <to> <tags> <text>; ACK and"
            .to_owned(),
        "READ <id> <time> <from> <to> (all up to <id> was received, read); LIVE, BYE.".to_owned(),
        "HELP <verb> tells more of one verb; <to> is a handle or #group.".to_owned(),
    ]);
    lines
}

/// The lines of `HELP` for one verb.
pub fn of(verb: &Verb) -> Vec<String> {
    let mut lines = vec![verb.form.to_owned()];
    lines.extend(verb.does.iter().map(|line| format!("  {line}")));
    lines.push(format!("  for example: {}", verb.example));
    if !verb.errors.is_empty() {
        lines.push(format!("  errors: {}", verb.errors));
    }
    lines
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
