//! The table of verbs: how each is typed, what it does, where it is served, and the rule that
//! parses it.
//!
//! A new verb is a row here, beside the others of its subject; `src/ARCHITECTURE.md` has all the
//! steps.

use super::fields::ParseResult;
use super::request::Command;
use super::rules;

/// To whom a verb is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// To everyone, on every listener.
    Everyone,
    /// To everyone, but not on the operators' listener.
    Strangers,
    /// To sessions that are logged in.
    Accounts,
    /// To sessions that are logged in over a Unix socket.
    UnixAccounts,
    /// On the operators' listener only.
    Operators,
}

/// Which listener a session came through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListenerKind {
    /// A TCP socket, with TLS or without.
    Network,
    /// A Unix socket, where the peer's uid is known.
    Unix,
    /// The operators' socket, `--admin`.
    Admin,
}

impl Served {
    /// Whether such a verb is served on this listener at all.
    pub fn at(self, listener: ListenerKind) -> bool {
        match self {
            Served::Everyone => true,
            Served::Strangers | Served::Accounts => listener != ListenerKind::Admin,
            Served::UnixAccounts => listener == ListenerKind::Unix,
            Served::Operators => listener == ListenerKind::Admin,
        }
    }

    pub fn needs_login(self) -> bool {
        matches!(self, Served::Accounts | Served::UnixAccounts)
    }
}

pub struct Verb {
    /// Its heading in `HELP`; verbs of one subject are adjacent.
    pub subject: &'static str,
    /// The word, in capitals.
    pub word: &'static str,
    /// Its syntax as `HELP` shows it.
    pub form: &'static str,
    /// What it does, in lines of a terminal's width.
    pub does: &'static [&'static str],
    /// An example that can be typed as it stands.
    pub example: &'static str,
    /// The `ERR` codes it may get, except those that any command may.
    pub errors: &'static str,
    pub served: Served,
    pub(super) rule: fn(&str) -> ParseResult<'_, Command>,
}

impl Verb {
    /// What it does, briefly: its explanation up to the first semicolon.
    pub fn brief(&self) -> &'static str {
        self.does.first().and_then(|line| line.split(';').next()).unwrap_or_default()
    }
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
pub static VERBS: [Verb; 26] = [
    Verb {
        subject: "account",
        word: "REG",
        form: "REG <handle> <password> [display name]",
        does: &[
            "creates an account and logs in; a handle has 2 to 32 characters: a letter a-z,",
            "then letters a-z, digits, . _ -; a password has 6 to 128 characters without",
            "blanks, and quotes around it would be part of it",
        ],
        example: "REG ana secret-a Ana Maria",
        errors: "taken closed too-fast already-in too-many",
        served: Served::Strangers,
        rule: rules::register,
    },
    Verb {
        subject: "account",
        word: "LOGIN",
        form: "LOGIN <handle> <password or token> [quiet|watch]",
        does: &[
            "logs in; waiting messages follow, then LIVE; with quiet you get replies only,",
            "for scripts; with watch only what happens from now on, and you do not appear",
            "online; without a login the session ends after 120 seconds",
        ],
        example: "LOGIN ana secret-a",
        errors: "wrong-secret too-fast already-in too-many",
        served: Served::Strangers,
        rule: rules::login,
    },
    Verb {
        subject: "account",
        word: "WHOAMI",
        form: "WHOAMI",
        does: &["shows your handle and your display name"],
        example: "WHOAMI",
        errors: "",
        served: Served::Accounts,
        rule: rules::whoami,
    },
    Verb {
        subject: "account",
        word: "NAME",
        form: "NAME <display name>",
        does: &["changes your display name, 1 to 64 characters"],
        example: "NAME Ana M.",
        errors: "storage",
        served: Served::Accounts,
        rule: rules::name,
    },
    Verb {
        subject: "account",
        word: "PASSWD",
        form: "PASSWD <old> <new>",
        does: &[
            "changes your password; other sessions opened with the old one end with BYE",
            "kicked; tokens stay; a password has 6 to 128 characters without blanks",
        ],
        example: "PASSWD secret-a better-secret-a",
        errors: "wrong-secret too-fast too-many storage",
        served: Served::Accounts,
        rule: rules::passwd,
    },
    Verb {
        subject: "account",
        word: "TOKEN",
        form: "TOKEN NEW <label> [to <to>] | TOKEN LIST | TOKEN DEL <label>",
        does: &[
            "creates a token (shown once) that works as a password in LOGIN, with to only",
            "for MSG to one handle or #group; lists your tokens; revokes one and closes",
            "its sessions",
        ],
        example: "TOKEN NEW laptop",
        errors: "taken no-such-token no-such-user not-allowed too-many storage",
        served: Served::Accounts,
        rule: rules::token,
    },
    Verb {
        subject: "account",
        word: "UID",
        form: "UID LINK | UID LIST | UID UNLINK <uid>",
        does: &[
            "lets your system user LOGIN <handle> without a secret on this socket; lists",
            "linked users; unlinks one and closes its sessions",
        ],
        example: "UID LINK",
        errors: "not-allowed no-such-uid too-many storage",
        served: Served::UnixAccounts,
        rule: rules::uid,
    },
    Verb {
        subject: "writing",
        word: "MSG",
        form: "MSG <to> <text>",
        does: &[
            "sends a message; OK with its id means that it is on disk; in the text, backslash",
            "n is a line break and two backslashes are one; blanks at both ends are removed;",
            "<to> may be yourself",
        ],
        example: "MSG bia hello, how are you?",
        errors: "no-such-user no-such-group blocked storage",
        served: Served::Accounts,
        rule: rules::message,
    },
    Verb {
        subject: "writing",
        word: "TALK",
        form: "TALK <to> [raw]",
        does: &[
            "sends each following line to <to> as a message, even HELP and QUIT, until a line",
            "with only a /; /HELP and the like are commands; // begins a text with a slash;",
            "backslashes are literal, and blanks at both ends are removed; with raw every",
            "line until the end of input is text: safe for pipes",
        ],
        example: "TALK bia",
        errors: "no-such-user no-such-group",
        served: Served::Accounts,
        rule: rules::talk,
    },
    Verb {
        subject: "writing",
        word: "ONCE",
        form: "ONCE <key> MSG <to> <text>",
        does: &[
            "sends at most once per key, ever; repeating it returns the first answer, so a",
            "script can simply retry; a key has 1 to 64 characters without blanks",
        ],
        example: "ONCE backup-2026-01-01 MSG bia backup done",
        errors: "key-reused and those of MSG",
        served: Served::Accounts,
        rule: rules::once,
    },
    Verb {
        subject: "receiving",
        word: "ACK",
        form: "ACK [<id> | <to>]",
        does: &[
            "confirms that messages were received: up to <id>, up to the last from <to>, or",
            "everything this session was sent; the authors are told",
        ],
        example: "ACK",
        errors: "no-such-message no-such-user no-such-group storage",
        served: Served::Accounts,
        rule: rules::ack,
    },
    Verb {
        subject: "receiving",
        word: "READ",
        form: "READ [<id> | <to>]",
        does: &[
            "confirms that messages were read, and so received: up to <id>, up to the last",
            "from <to>, or everything this session was sent; the authors are told",
        ],
        example: "READ bia",
        errors: "no-such-message no-such-user no-such-group storage",
        served: Served::Accounts,
        rule: rules::read_upto,
    },
    Verb {
        subject: "receiving",
        word: "INFO",
        form: "INFO <id>|last",
        does: &["shows who has received and read a message, and when"],
        example: "INFO last",
        errors: "no-such-message",
        served: Served::Accounts,
        rule: rules::info,
    },
    Verb {
        subject: "receiving",
        word: "WAIT",
        form: "WAIT <id>|last delivered|read <seconds>",
        does: &[
            "waits until everyone has received or read your message; last is the last one",
            "this session sent; later commands wait for the answer",
        ],
        example: "WAIT last read 600",
        errors: "timeout no-such-message",
        served: Served::Accounts,
        rule: rules::wait,
    },
    Verb {
        subject: "history",
        word: "HIST",
        form: "HIST <to> [n] [before <id>] [after <id>]",
        does: &[
            "shows the last n messages of a conversation (1 to 1000, or else 50), before and",
            "after these ids if given; with only after, the first n after it",
        ],
        example: "HIST bia 10",
        errors: "no-such-user no-such-group",
        served: Served::Accounts,
        rule: rules::hist,
    },
    Verb {
        subject: "history",
        word: "SYNC",
        form: "SYNC <id>",
        does: &[
            "shows everything in all your conversations after <id>, at most 1000 rows; pass",
            "the id in OK SYNC to the next call; start with SYNC 0",
        ],
        example: "SYNC 0",
        errors: "",
        served: Served::Accounts,
        rule: rules::sync,
    },
    Verb {
        subject: "history",
        word: "CHATS",
        form: "CHATS",
        does: &[
            "lists your conversations, newest first: with whom, how many unread, the last",
            "id and its time",
        ],
        example: "CHATS",
        errors: "",
        served: Served::Accounts,
        rule: rules::chats,
    },
    Verb {
        subject: "groups",
        word: "GROUP",
        form: "GROUP NEW|ADD|REMOVE|ADMIN|TOPIC|LEAVE|LIST|WHO ...",
        does: &[
            "GROUP NEW <name> [handle ...]    creates a group, with you as its admin",
            "GROUP ADD <name> <handle> ...    adds members; admins only, like the next three",
            "GROUP REMOVE <name> <handle>     removes a member",
            "GROUP ADMIN <name> <handle>      makes a member an admin",
            "GROUP TOPIC <name> <text>        sets its topic",
            "GROUP LEAVE <name>               leaves it",
            "GROUP LIST                       lists your groups",
            "GROUP WHO <name>                 lists its members",
        ],
        example: "GROUP NEW team bia caio",
        errors: "no-such-group no-such-user not-admin taken blocked too-many storage",
        served: Served::Accounts,
        rule: rules::group,
    },
    Verb {
        subject: "people",
        word: "FIND",
        form: "FIND <text>",
        does: &[
            "finds people: each word must begin a word of the name or handle; case and",
            "accents are ignored; shows at most 20",
        ],
        example: "FIND ana m",
        errors: "",
        served: Served::Accounts,
        rule: rules::find,
    },
    Verb {
        subject: "people",
        word: "BLOCK",
        form: "BLOCK [<handle>]",
        does: &["refuses messages from someone; without a handle, lists whom you have blocked"],
        example: "BLOCK caio",
        errors: "no-such-user storage",
        served: Served::Accounts,
        rule: rules::block,
    },
    Verb {
        subject: "people",
        word: "UNBLOCK",
        form: "UNBLOCK <handle>",
        does: &["accepts messages from someone again"],
        example: "UNBLOCK caio",
        errors: "no-such-user storage",
        served: Served::Accounts,
        rule: rules::unblock,
    },
    Verb {
        subject: "operator",
        word: "ADMIN",
        form: "ADMIN STATS|SESSIONS|KICK|USER|BACKUP|CHECK ...",
        does: &[
            "ADMIN STATS                                   what is going on, in numbers",
            "ADMIN SESSIONS                                who is connected, from where, since when",
            "ADMIN KICK <handle>                           closes its sessions; it may log in again",
            "ADMIN USER NEW <handle> <password> [name]     creates an account",
            "ADMIN USER PASSWD <handle> <new>              sets its password, and revokes as REVOKE does",
            "ADMIN USER REVOKE <handle>                    revokes its tokens and linked users, and kicks it",
            "ADMIN USER DEL <handle>                       deletes it; its messages stay",
            "ADMIN BACKUP <absolute path>                  copies the whole database",
            "ADMIN CHECK                                   verifies the database",
        ],
        example: "ADMIN KICK caio",
        errors: "no-such-user taken storage",
        served: Served::Operators,
        rule: rules::admin,
    },
    Verb {
        subject: "session",
        word: "SET",
        form: "SET ack auto|manual, SET receipts on|off",
        does: &[
            "for this session: whether messages sent to you count as received at once (auto)",
            "or when you acknowledge them (manual, the default); whether you get ACK and READ",
            "events (on by default)",
        ],
        example: "SET ack auto",
        errors: "",
        served: Served::Accounts,
        rule: rules::set,
    },
    Verb {
        subject: "session",
        word: "PING",
        form: "PING [text]",
        does: &["is answered with OK PING and the same text, in turn"],
        example: "PING 1",
        errors: "",
        served: Served::Everyone,
        rule: rules::ping,
    },
    Verb {
        subject: "session",
        word: "HELP",
        form: "HELP [verb]",
        does: &[
            "lists the verbs, or explains one, with an example and its errors; also explains",
            "the first word of any line from the server",
        ],
        example: "HELP MSG",
        errors: "",
        served: Served::Everyone,
        rule: rules::help,
    },
    Verb {
        subject: "session",
        word: "QUIT",
        form: "QUIT",
        does: &["closes the session"],
        example: "QUIT",
        errors: "",
        served: Served::Everyone,
        rule: rules::quit,
    },
];
