//! What an unknown command was probably meant to be: a typo, or a word that does the same on IRC,
//! in a messenger or in a shell.

use super::help::{self, ListenerKind, VERBS};
use super::refusal::Suggestion;
use crate::name::Handle;

/// Words in lower case, and what to type instead. They are from IRC (RFC 2812, and the usual
/// clients' commands), from Telegram's and WhatsApp's menus, and from shells.
const ELSEWHERE: [(&[&str], &str); 31] = [
    (
        &["register", "signup", "sign-up", "adduser", "useradd", "account", "user", "/start"],
        "REG <handle> <password> creates an account",
    ),
    (
        &["signin", "sign-in", "auth", "identify", "pass", "su", "connect"],
        "LOGIN <handle> <password> logs in",
    ),
    (
        &["exit", "bye", "logout", "logoff", "disconnect", "close", "stop", "q", ":q"],
        "QUIT closes the session",
    ),
    (&["device", "phones", "clients"], "DEVICES lists your devices"),
    (&["?", "man", "commands", "usage", "info?", "h"], "HELP lists the commands"),
    (
        &["send", "say", "tell", "write", "privmsg", "notice", "query", "dm", "pm", "w", "mail"],
        "MSG <to> <text> sends a message, TALK <to> starts a chat",
    ),
    (&["chat", "open", "enter"], "TALK <to> starts a chat"),
    (&["reply", "answer", "respond", "quote"], "RE <id> <text> answers a message"),
    (
        &["amend", "change", "correct", "modify", "replace", "s"],
        "EDIT <id> <text> gives your message another text",
    ),
    (
        &["delete", "unsend", "retract", "recall", "revoke", "undo", "rm"],
        "DEL <id> deletes a message of yours for everyone",
    ),
    (&["like", "vote", "emoji", "reaction", "reactions"], "REACT <id> <word> reacts to a message"),
    (
        &["ttl", "disappear", "vanish", "ephemeral", "retention"],
        "EXPIRE <to> <seconds> has messages deleted after that time",
    ),
    (
        &["forward", "share", "star", "save", "bookmark"],
        "FWD <id> <to> sends a message on; to yourself, it keeps it",
    ),
    (&["versions", "edits", "original"], "MARKS <id> shows what a message said before"),
    (
        &["schedule", "remind", "reminder", "later", "delay", "timer"],
        "AT +<seconds> MSG <to> <text> sends a message later",
    ),
    (
        &["upload", "attach", "sendfile", "image", "photo", "document", "dcc"],
        "PUT <base64> adds bytes of a file, FILE <to> <name> then sends it",
    ),
    (&["download", "fetch", "wget", "curl"], "GET <id> shows the file of a message"),
    (
        &["who", "names", "members"],
        "GROUP WHO <name> lists a group's members, FIND <text> finds people",
    ),
    (
        &["users", "whois", "whowas", "ison", "contacts", "search", "lookup", "people", "finger"],
        "FIND <text> finds people and says who is online",
    ),
    (&["nick", "rename", "displayname", "setname"], "NAME <display name> changes your name"),
    (&["password", "chpass"], "PASSWD <old> <new> changes your password"),
    (&["channel", "create", "newgroup", "room"], "GROUP NEW <name> [handle ...] creates a group"),
    (
        &["join"],
        "GROUP JOIN <name> joins an open group, which GROUP LIST open shows; GROUP NEW creates one",
    ),
    (&["part", "leave"], "GROUP LEAVE <name> leaves a group"),
    (
        &["invite", "add"],
        "GROUP ADD <name> <handle> adds someone to a group, GROUP INVITE <name> makes an invitation",
    ),
    (&["kick", "ban"], "GROUP REMOVE <name> <handle> removes someone from a group"),
    (&["topic"], "GROUP TOPIC <name> <text> sets a group's topic"),
    (
        &["list", "ls", "inbox", "chats?", "conversations", "groups", "channels", "unread"],
        "CHATS lists your conversations, GROUP LIST your groups",
    ),
    (
        &["history", "log", "tail", "cat", "backlog", "last", "scroll", "show", "less", "more"],
        "HIST <to> shows a conversation",
    ),
    (
        &["mute", "unmute", "silence", "pin", "unpin", "archive"],
        "FLAG <to> mute, pin, archive or unread notes something about a conversation",
    ),
    (&["ignore"], "BLOCK <handle> refuses messages from someone"),
];

/// What an unknown first word was probably meant to be.
pub fn suggest(word: &str, listener: ListenerKind) -> Suggestion {
    let operator = listener == ListenerKind::Admin;
    // In other programs commands begin with a slash.
    let bare = word.strip_prefix('/').filter(|bare| !bare.is_empty()).unwrap_or(word);
    if let Some(verb) = help::verb_at(bare, listener) {
        return Suggestion::Verb(verb.word);
    }
    if operator {
        return nearest(bare, listener)
            .map_or(Suggestion::Instead("HELP lists the commands"), Suggestion::Verb);
    }
    let lower = [word, bare].map(str::to_ascii_lowercase);
    let known = |words: &[&str]| lower.iter().any(|word| words.contains(&word.as_str()));
    if let Some((_, instead)) = ELSEWHERE.iter().find(|(words, _)| known(words)) {
        return Suggestion::Instead(instead);
    }
    if let Some(name) = word
        .strip_prefix(['@', '#', '+'])
        .and_then(|name| Handle::new(name.trim_end_matches([':', ','])))
    {
        let sign = if word.starts_with('@') { "" } else { "#" };
        return Suggestion::Talk(format!("{sign}{name}").into());
    }
    nearest(bare, listener).map_or(Suggestion::Text, Suggestion::Verb)
}

/// The nearest verb that is within one typo, or two for a verb of six letters or more. Two letters
/// are near too many words.
fn nearest(word: &str, listener: ListenerKind) -> Option<&'static str> {
    if word.len() > 2 * VERBS.iter().map(|verb| verb.word.len()).max().unwrap_or(0) {
        return None;
    }
    let word = word.to_ascii_uppercase();
    let slips = |verb: &&help::Verb| strsim::osa_distance(verb.word, &word);
    let is_near = |verb: &&help::Verb| slips(verb) <= verb.word.len().div_euclid(3).min(2);
    let served = VERBS.iter().filter(|verb| verb.served.at(listener));
    served.filter(is_near).min_by_key(slips).map(|near| near.word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_other_places_name_the_verb() {
        for (word, verb) in [
            ("register", "REG"),
            ("EXIT", "QUIT"),
            ("/quit", "QUIT"),
            ("?", "HELP"),
            ("who", "GROUP WHO"),
            ("users", "FIND"),
            ("/nick", "NAME"),
            ("join", "GROUP NEW"),
            ("/msg", "MSG"),
            ("send", "MSG"),
            ("LIST", "CHATS"),
            ("@bob", "MSG bob"),
            ("#team:", "TALK #team"),
            ("+team", "MSG #team"),
            ("/start", "REG"),
            ("reply", "RE"),
            ("unsend", "DEL"),
            ("/forward", "FWD"),
            ("remind", "AT"),
            ("eidt", "EDIT"),
            ("upload", "FILE"),
            ("/download", "GET"),
        ] {
            let suggestion = suggest(word, ListenerKind::Network);
            let said = crate::wire::refusal::Refusal::BadCommand { suggestion }.to_string();
            assert!(said.contains(verb), "{word}: {said}");
        }
    }

    #[test]
    fn a_verb_of_two_letters_is_near_nothing() {
        assert_eq!(suggest("me", ListenerKind::Network), Suggestion::Text);
        assert_eq!(suggest("act", ListenerKind::Network), Suggestion::Verb("ACK"));
    }

    #[test]
    fn every_hint_begins_with_a_verb_and_no_word_is_a_verb() {
        for (words, instead) in ELSEWHERE {
            let first = instead.split(' ').next().unwrap_or_default();
            assert!(help::verb(first).is_some(), "{instead}");
            for word in words {
                assert!(help::verb(word).is_none(), "{word} is a verb");
                assert_eq!(*word, word.to_ascii_lowercase());
            }
        }
    }
}
