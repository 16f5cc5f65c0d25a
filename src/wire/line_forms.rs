//! The table of the lines that the server sends, whose first words `HELP` explains as well.

pub struct LineForm {
    /// Its first word, in capitals.
    pub word: &'static str,
    /// Its form, as in PROTOCOL.md.
    pub form: &'static str,
    pub class: Class,
    /// Its explanation, in lines of a terminal's width.
    pub says: &'static [&'static str],
}

/// The kind of a line, and the verbs it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Belongs to no verb.
    Own,
    /// An event, explained with this verb.
    Event(&'static str),
    /// A row of the replies to these verbs.
    Row(&'static [&'static str]),
}

impl Class {
    /// The verbs whose help shows it.
    pub fn verbs(&self) -> &[&'static str] {
        match self {
            Class::Own => &[],
            Class::Event(verb) => std::slice::from_ref(verb),
            Class::Row(verbs) => verbs,
        }
    }
}

const fn own(word: &'static str, form: &'static str, says: &'static [&'static str]) -> LineForm {
    LineForm { word, form, class: Class::Own, says }
}

/// An event with the name of the verb that causes it.
const fn event(word: &'static str, form: &'static str) -> LineForm {
    LineForm { word, form, class: Class::Event(word), says: &[] }
}

const fn row(word: &'static str, form: &'static str, verbs: &'static [&'static str]) -> LineForm {
    LineForm { word, form, class: Class::Row(verbs), says: &[] }
}

/// Every form of line that the server sends.
pub static LINE_FORMS: [LineForm; 41] = [
    own(
        "HELLO",
        "HELLO papo/1 <server> type HELP",
        &["the greeting; without a login the session ends after 120 seconds"],
    ),
    own(
        "OK",
        "OK <VERB> ...",
        &["the last line of a reply: it is done, and what it has changed is on disk"],
    ),
    own(
        "ERR",
        "ERR <VERB> <code> <text for a person>",
        &["the last line of a reply: nothing was done; the text says what to type instead"],
    ),
    event("MSG", "MSG <id> <time> <from> <to> <tags> <body>"),
    event("GROUP", "GROUP <id> <time> <from> <#group> <tags> <change>"),
    event("EXPIRE", "EXPIRE <id> <time> <from> <to> - <seconds or ->"),
    event("EDIT", "EDIT <id> <time> <from> <to> re=<id> <new text>"),
    event("DEL", "DEL <id> <time> <from> <to> re=<id> -"),
    event("REACT", "REACT <id> <time> <from> <to> re=<id>[,at=<author>] <word or ->"),
    event("FLAG", "FLAG <id> <time> <you> <you> - <to> <flag> <until, - or off>"),
    own(
        "GONE",
        "GONE <id> <time> <from> <to> del=<id> -",
        &["in place of a message that was deleted before it could be sent"],
    ),
    event("ACK", "ACK <id> <time> <from> <to>"),
    event("READ", "READ <id> <time> <from> <to>"),
    own(
        "LIVE",
        "LIVE <id>",
        &["once after a login: all that was waiting has been sent; higher ids are new"],
    ),
    own("NOTICE", "NOTICE <time> <text>", &["from the operator, to everybody who is connected"]),
    own(
        "BYE",
        "BYE <reason>",
        &[
            "the last line before the server closes",
            "quit: you asked for it",
            "shutdown: the server is stopped; come back later",
            "kicked: an operator did it, or the password, token, linked user or device of",
            "  this session was changed, revoked or deleted, perhaps by you elsewhere",
            "login-timeout: there was no login within 120 seconds",
            "idle: you sent nothing for too long",
            "stalled: you read nothing for 15 minutes, and something was waiting",
            "too-many: there are too many connections, in total or from your address",
            "unavailable: the server does not reach its database; use another, or come back later",
            "not-http, not-tls, need-tls: not a web server; no TLS on this port; TLS only",
        ],
    ),
    row("HIST", "HIST <id> <time> <from> <to> <tags> <body>", &["HIST", "SYNC"]),
    row(
        "MARK",
        "MARK <id> <time> <from> <to> kind=<edit|del|react|flag|text>[,re=<id>] <body>",
        &["MARKS", "SYNC"],
    ),
    row("DATA", "DATA <base64>", &["GET"]),
    row("AT", "AT <n> <time> <id or -> <delivered|read|answered or -> <command>", &["AT"]),
    row("CHAT", "CHAT <to> <unread> <last id> <last time>", &["CHATS"]),
    row("FLAGS", "FLAGS <to> <flag> <until or ->", &["CHATS"]),
    row(
        "INFO",
        "INFO <id> <handle> <sent|delivered|read|left> <delivered time or -> <read time or ->",
        &["INFO"],
    ),
    row("USER", "USER <handle> <online|offline> <last seen or -> <display name>", &["FIND"]),
    row("GROUPS", "GROUPS <#group> <member|admin|-> <members> <topic or ->", &["GROUP", "ADMIN"]),
    row("MEMBER", "MEMBER <#group> <handle> <member|admin>", &["GROUP", "ADMIN"]),
    row("RULE", "RULE <#group> <write|add|join> <value>", &["GROUP"]),
    row("PREF", "PREF <read|seen|add> <value>", &["PREF"]),
    row("BLOCKED", "BLOCKED <handle>", &["BLOCK"]),
    row("TOKEN", "TOKEN <label> <created> <last used or -> <target or ->", &["TOKEN", "ADMIN"]),
    row("DEVICE", "DEVICE <device> <id> <last seen or ->", &["DEVICES"]),
    row("UID", "UID <uid>", &["UID", "ADMIN"]),
    row("STAT", "STAT <name> <value>", &["ADMIN"]),
    row("SESSION", "SESSION <n> <handle or -> <address> <since>", &["ADMIN"]),
    row(
        "ACCOUNT",
        "ACCOUNT <handle> <created> <last seen or -> <sessions> <enabled|disabled|deleted> <name>",
        &["ADMIN"],
    ),
    row("FILES", "FILES <id> <time> <from> <to> <bytes> <name>", &["ADMIN"]),
    row("INVITATION", "INVITATION <id> <created> <uses> <until>", &["ADMIN"]),
    row("BAN", "BAN <address> <until>", &["ADMIN"]),
    row("LIMIT", "LIMIT <name> <value>", &["ADMIN"]),
    row("PROBLEM", "PROBLEM <text>", &["ADMIN"]),
    row("HELP", "HELP <text>", &["HELP"]),
];
