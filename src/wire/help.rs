//! The table of verbs: how each is said, what it does, and the rule that reads it. `HELP` is made
//! from it, so `HELP` lists what works and nothing else.

use super::request::{self, Parsed, Request};

/// One row of the table.
pub struct Verb {
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
pub static VERBS: [Verb; 14] = [
    Verb {
        word: "REG",
        form: "REG <handle> <password> [display name]",
        does: &[
            "makes an account and logs in; a handle is a letter, then letters, digits,",
            ". _ -, 2 to 32 in all; a password has 6 to 128 characters without blanks",
        ],
        example: "REG ana secret-a Ana Maria",
        errors: "taken already-in too-many",
        open: true,
        rule: request::register,
    },
    Verb {
        word: "LOGIN",
        form: "LOGIN <handle> <password> [quiet]",
        does: &[
            "logs in; what waited follows, then LIVE; with quiet only replies follow,",
            "for a script that sends or asks",
        ],
        example: "LOGIN ana secret-a",
        errors: "wrong-secret already-in too-many",
        open: true,
        rule: request::login,
    },
    Verb {
        word: "MSG",
        form: "MSG <to> <text>",
        does: &[
            "sends a message; OK says its id once it is on disk; in the text a backslash",
            "and an n are a line break, two backslashes are one",
        ],
        example: "MSG bia hello, how are you?",
        errors: "no-such-user no-such-group storage",
        open: false,
        rule: request::message,
    },
    Verb {
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
        rule: request::talk,
    },
    Verb {
        word: "ACK",
        form: "ACK [<id> | <to>]",
        does: &[
            "says that everything up to <id>, up to the last from <to>, or all that came",
            "was received; its authors learn so",
        ],
        example: "ACK",
        errors: "no-such-message no-such-user no-such-group storage",
        open: false,
        rule: request::ack,
    },
    Verb {
        word: "READ",
        form: "READ [<id> | <to>]",
        does: &["says likewise that it was read"],
        example: "READ bia",
        errors: "no-such-message no-such-user no-such-group storage",
        open: false,
        rule: request::read_upto,
    },
    Verb {
        word: "HIST",
        form: "HIST <to> [n] [before <id>] [after <id>]",
        does: &[
            "shows the last n (50) of a conversation, 1 to 1000, within the bounds; with",
            "after alone the first n after it",
        ],
        example: "HIST bia 10",
        errors: "no-such-user no-such-group",
        open: false,
        rule: request::hist,
    },
    Verb {
        word: "SET",
        form: "SET ack auto|manual, SET receipts on|off",
        does: &[
            "for this session: count what is sent to it as received, or only what it",
            "acknowledges (manual at first); get ACK and READ events or not (on at first)",
        ],
        example: "SET ack auto",
        errors: "",
        open: false,
        rule: request::set,
    },
    Verb {
        word: "WHOAMI",
        form: "WHOAMI",
        does: &["says the handle and the display name of this session"],
        example: "WHOAMI",
        errors: "",
        open: false,
        rule: request::whoami,
    },
    Verb {
        word: "NAME",
        form: "NAME <display name>",
        does: &["changes the display name, 1 to 64 characters"],
        example: "NAME Ana M.",
        errors: "storage",
        open: false,
        rule: request::name,
    },
    Verb {
        word: "PASSWD",
        form: "PASSWD <old> <new>",
        does: &["changes the password; other sessions opened with the old one end"],
        example: "PASSWD secret-a better-secret-a",
        errors: "wrong-secret too-many storage",
        open: false,
        rule: request::passwd,
    },
    Verb {
        word: "PING",
        form: "PING [text]",
        does: &["is answered at once, after what was asked before it"],
        example: "PING 1",
        errors: "",
        open: true,
        rule: request::ping,
    },
    Verb {
        word: "HELP",
        form: "HELP [verb]",
        does: &["shows the verbs, or one of them with an example and its errors"],
        example: "HELP MSG",
        errors: "",
        open: true,
        rule: request::help,
    },
    Verb {
        word: "QUIT",
        form: "QUIT",
        does: &["ends the session"],
        example: "QUIT",
        errors: "",
        open: true,
        rule: request::quit,
    },
];

/// The row of a word said in any letter case.
pub fn verb(word: &str) -> Option<&'static Verb> {
    VERBS.iter().find(|verb| verb.word.eq_ignore_ascii_case(word))
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

/// The lines of `HELP` without a verb: one screen.
pub fn overview() -> Vec<String> {
    let mut lines = vec![
        "One line is one command; each gets one final line, OK or ERR. Start so:".to_owned(),
        "  REG ana secret-a      then    MSG bia hello    then    READ".to_owned(),
    ];
    lines.extend(VERBS.iter().map(|verb| format!("  {}", verb.form)));
    lines.extend([
        "What comes by itself: MSG <id> <time> <from> <to> <tags> <text>; ACK and READ".to_owned(),
        "<id> <time> <from> <to> (everything up to <id> was received, read); LIVE, BYE.".to_owned(),
        "HELP <verb> tells more of one verb.".to_owned(),
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
