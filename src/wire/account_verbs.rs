//! The verbs about accounts: rows of the table of verbs.

use super::rules;
use super::verbs::{Served, Verb};

pub(super) const REG: Verb = Verb {
    subject: "account",
    word: "REG",
    form: "REG <handle> <password> [invitation] [name]",
    does: &[
        "makes an account and logs in; a handle has 2 to 32 characters: a letter",
        "a-z, then letters a-z, digits, . _ -; a password has 6 to 128 characters",
        "without blanks, and quotes around it would be part of it",
    ],
    example: "REG ana secret-a Ana Maria",
    errors: "taken closed too-fast already-in too-many",
    served: Served::Strangers,
    rule: rules::register,
};

pub(super) const LOGIN: Verb = Verb {
    subject: "account",
    word: "LOGIN",
    form: "LOGIN <handle>[/<device>] <secret> [quiet|watch]",
    does: &[
        "logs in; the secret is your password or a token; waiting messages follow,",
        "then LIVE; with quiet you get replies only, for scripts; with watch only",
        "what happens from now on, and you do not appear online; as a device,",
        "which you may name as you like, also what your other devices received or",
        "sent since this one last acknowledged; without a login the session ends",
        "after 120 seconds",
    ],
    example: "LOGIN ana secret-a",
    errors: "wrong-secret too-fast already-in too-many",
    served: Served::Strangers,
    rule: rules::login,
};

pub(super) const WHOAMI: Verb = Verb {
    subject: "account",
    word: "WHOAMI",
    form: "WHOAMI",
    does: &["shows your handle and your display name"],
    example: "WHOAMI",
    errors: "",
    served: Served::Accounts,
    rule: rules::whoami,
};

pub(super) const NAME: Verb = Verb {
    subject: "account",
    word: "NAME",
    form: "NAME <display name>",
    does: &["changes your display name, 1 to 64 characters"],
    example: "NAME Ana M.",
    errors: "storage",
    served: Served::Accounts,
    rule: rules::name,
};

pub(super) const PASSWD: Verb = Verb {
    subject: "account",
    word: "PASSWD",
    form: "PASSWD <old> <new>",
    does: &[
        "changes your password; other sessions opened with the old one end with",
        "BYE kicked; tokens stay; a password has 6 to 128 characters without",
        "blanks",
    ],
    example: "PASSWD secret-a better-secret-a",
    errors: "wrong-secret not-allowed too-fast too-many storage",
    served: Served::Accounts,
    rule: rules::passwd,
};

pub(super) const TOKEN: Verb = Verb {
    subject: "account",
    word: "TOKEN",
    form: "TOKEN NEW|LIST|DEL ...",
    does: &[
        "TOKEN NEW <label> [to <to>]   creates a token, shown once, that works as",
        "                              a password in LOGIN; with to only for MSG",
        "                              to one handle or #group",
        "TOKEN LIST                    lists your tokens",
        "TOKEN DEL <label>             revokes one and closes its sessions",
    ],
    example: "TOKEN NEW laptop",
    errors: "taken no-such-token not-allowed too-many and those of MSG",
    served: Served::Accounts,
    rule: rules::token,
};

pub(super) const DEVICES: Verb = Verb {
    subject: "account",
    word: "DEVICES",
    form: "DEVICES [DEL ...]",
    does: &[
        "lists your devices, each with the id up to which it has acknowledged",
        "everything; DEVICES DEL <device> deletes one and closes its sessions;",
        "LOGIN makes them",
    ],
    example: "DEVICES",
    errors: "no-such-message not-allowed storage",
    served: Served::Accounts,
    rule: rules::devices,
};

pub(super) const UID: Verb = Verb {
    subject: "account",
    word: "UID",
    form: "UID LINK|LIST|UNLINK [<uid>]",
    does: &[
        "lets your system user LOGIN <handle> without a secret on this socket;",
        "lists linked users; unlinks one and closes its sessions",
    ],
    example: "UID LINK",
    errors: "not-allowed no-such-uid too-many storage",
    served: Served::UnixAccounts,
    rule: rules::uid,
};
