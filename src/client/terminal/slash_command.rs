//! Parses a typed line: a text to send, or a command that begins with `/`.

use std::path::PathBuf;

use super::super::expire::{self, Lifetime};
use super::super::lines;
use super::groups;
use super::message_command;
use super::paths;
use crate::chat_flags::ChatFlag;

/// The commands, for completion.
pub const NAMES: &[&str] = &[
    "archive", "at", "back", "block", "chats", "del", "devices", "edit", "expire", "file", "find",
    "fwd", "get", "group", "help", "info", "invite", "join", "later", "marks", "more", "mute",
    "name", "passwd", "pin", "pref", "quit", "re", "react", "rules", "search", "to", "unblock",
    "unless", "unread", "who", "whoami",
];

/// The words that may follow a command, for completion.
pub fn arguments(command: &str) -> &'static [&'static str] {
    match command {
        "/group" => groups::VERBS,
        "/unless" => &["answered", "delivered", "read"],
        "/later" | "/devices" => &["del"],
        "/mute" | "/pin" | "/archive" | "/unread" | "/expire" | "/invite" => &["off"],
        "/rules" | "/group rules" => &["add", "join", "write"],
        "/rules add" | "/rules write" | "/group rules add" | "/group rules write" => {
            &["admins", "all"]
        }
        "/rules join" | "/group rules join" => &["closed", "open"],
        "/pref" => &["add", "read", "seen"],
        "/pref read" => &["off", "on"],
        "/pref add" | "/pref seen" => &["all", "chats", "none"],
        "/help" => &["messages"],
        "/search" => &["all"],
        _ => &[],
    }
}

/// The text of `/help`.
pub const HELP: &str = "\
Enter sends what you typed, Alt-Enter begins a new line in it.
  /to bob      talk to somebody; /to +team talks to a group
  /chats       list conversations and their numbers; /chats all if many
  /2           switch to number 2; /2 hi sends hi there; Alt-N: next unread
  /find ana    find people; /search tea finds messages here, Ctrl-R too;
               /search all tea: everywhere; /more shows older ones
  /who, /info  who is there; who has received and read your last message here
  /group new team bob   create a group; /group alone lists what else there is
  /join team   join an open group; /invite lets others in; /rules: who may what
  /re yes      answer the last message; /help messages: edit, delete, react, …
  /file PATH   send a file; /get fetches the last one
  /mute 8h     ring only for @you here; off ends it; so /pin, /archive, /unread
  /expire 8h   have what is said here from now on vanish after that time; off
  /block bob   refuse messages from somebody; /unblock bob
  /name Ana    change your display name; /passwd: change your password
  /quit        leave, as Ctrl-D does; /quit now leaves without asking
PageUp (/back) and PageDown scroll, Tab completes, Up recalls what you typed.
The line at the bottom says where something is unread: 4:#team(3) is 3 in /4.
✓ stored on the server, ✓✓ received by everyone, read: read by everyone.
To send a text that begins with /, type //.";

/// The text of `/help messages`.
pub const MESSAGES: &str = "\
With the last message that fits:
  /re yes          answer that of somebody else; Alt-R too
  /edit new text   change yours; Alt-E brings it back; s/old/new/
  /del             delete yours for everyone, after Enter
  /react ok        react to it; alone: 👍; - takes it back
  /fwd bob         send it on; your own name keeps it among your notes
  /marks           its earlier texts, and who has reacted
  /get             fetch a file, to where downloads go; /get photo/ ~/x.jpg
Another one is named by a piece of its text: /re lunch/ yes, /del lunch.
Or by a number: Alt-M shows them, /re 3 yes uses one, Alt-1 to Alt-9 react.
  /at 9:00 tea     send a text here later, or /at +10m; a reminder in notes
  /unless read 10m +oncall text
                   send that if yours is not read by then; also delivered,
                   answered
  /later           what waits to be sent; /later del 3 cancels it
@bob in a group calls bob, @all everyone if you are an admin.";

/// A parsed line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SlashCommand {
    /// Send this text.
    Text(String),
    /// Switch to a conversation, by its name in the protocol.
    To(String),
    /// Switch to the conversation of this number, from 1.
    Number(usize),
    /// Send a text to the conversation of this number.
    Say(usize, String),
    /// List the conversations: all (true), or the first of them.
    Chats(bool),
    Passwd,
    Back,
    /// Show this.
    Help(&'static str),
    /// A command about a message, and what was typed behind it.
    Message(String, String),
    /// Send these files.
    Files(Vec<PathBuf>),
    /// Who is in this group.
    Who,
    /// How far a message of the user's has come: this one, or the last.
    Info(Option<u64>),
    /// Set a flag of the current conversation: what was typed after its name.
    Flag(ChatFlag, String),
    /// Set how long the current conversation keeps messages, or show that (`None`).
    Expire(Option<Lifetime>),
    /// What was typed after `/group`.
    Group(String),
    /// Search for these words, behind `all` perhaps.
    Search(String),
    /// What the last search finds further on.
    More,
    /// A command of the protocol, whose rows are shown.
    Command(String),
    /// Not understood, for this reason.
    Unclear(String),
}

/// Whether a line asks to leave; true if at once, even with messages unsent.
pub fn leaves(line: &str) -> Option<bool> {
    let line = line.to_lowercase();
    let mut words = line.split_whitespace();
    let is_quit = ["/quit", "/exit", "/q"].contains(&words.next()?);
    is_quit.then(|| words.next() == Some("now"))
}

/// Parses a line, which is not blank.
pub fn read(line: &str) -> SlashCommand {
    let Some(rest) = line.strip_prefix('/') else { return SlashCommand::Text(line.to_owned()) };
    if rest.starts_with('/') {
        return SlashCommand::Text(rest.to_owned());
    }
    let (name, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let (name, rest) = (&*name.to_lowercase(), rest.trim());
    let unclear = |what: &str| SlashCommand::Unclear(what.to_owned());
    match (name, rest) {
        ("to", "") => unclear("/to whom? A handle or +group"),
        ("to", _) if rest.contains(char::is_whitespace) => {
            unclear("/to takes one name; to write to somebody: /to bob, and then the text")
        }
        ("to", _) => match lines::target(rest.strip_prefix('@').unwrap_or(rest)) {
            Ok(target) => SlashCommand::To(target.to_string()),
            Err(why) => unclear(&format!("/to: {why}")),
        },
        (number, text) if number.parse::<usize>().is_ok() => {
            let number = number.parse().unwrap_or(0);
            if text.is_empty() {
                SlashCommand::Number(number)
            } else {
                SlashCommand::Say(number, text.to_owned())
            }
        }
        ("chats", _) => SlashCommand::Chats(rest.eq_ignore_ascii_case("all")),
        ("passwd", _) => SlashCommand::Passwd,
        ("back", _) => SlashCommand::Back,
        ("help", "message" | "messages") => SlashCommand::Help(MESSAGES),
        ("help" | "", _) => SlashCommand::Help(HELP),
        (name, rest) if message_command::NAMES.contains(&name) => {
            SlashCommand::Message(name.to_owned(), rest.to_owned())
        }
        ("file", "") => unclear("usage: /file PATH sends a file"),
        ("file", _) => match paths::split(rest) {
            Ok(paths) => SlashCommand::Files(paths),
            Err(why) => unclear(&format!("/file: {why}")),
        },
        ("who", _) => SlashCommand::Who,
        ("invite" | "join" | "rules", _) => SlashCommand::Group(format!("{name} {rest}")),
        ("msg" | "query", _) => unclear("to talk to somebody: /to bob, and then write"),
        ("info", "") => SlashCommand::Info(None),
        ("info", _) => rest.parse().map_or_else(
            |_| unclear("/info: expected the number of a message"),
            |id| SlashCommand::Info(Some(id)),
        ),
        ("search", "") => unclear("usage: /search WORDS, or /search all WORDS"),
        ("search", _) => SlashCommand::Search(rest.to_owned()),
        ("more", _) => SlashCommand::More,
        ("find", "") => unclear("usage: /find NAME (or its beginning)"),
        ("find" | "name", _) => SlashCommand::Command(
            format!("{} {}", name.to_uppercase(), lines::escaped(rest)).trim().into(),
        ),
        ("group", _) => SlashCommand::Group(rest.to_owned()),
        ("mute" | "pin" | "archive" | "unread", _) => match ChatFlag::new(name) {
            Some(flag) => SlashCommand::Flag(flag, rest.to_owned()),
            None => unclear("there is no such flag"),
        },
        ("expire", "") => SlashCommand::Expire(None),
        ("expire", _) => match expire::lifetime(rest) {
            Ok(lifetime) => SlashCommand::Expire(Some(lifetime)),
            Err(why) => unclear(&format!("/expire: {why}")),
        },
        ("block" | "unblock" | "pref" | "devices" | "whoami", _) => SlashCommand::Command(
            format!("{} {}", name.to_uppercase(), lines::escaped(rest)).trim().into(),
        ),
        _ => SlashCommand::Unclear(format!(
            "there is no /{name}; /help lists the commands, //{name} sends that text"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_begins_an_order_and_two_a_text() {
        assert_eq!(read("hello /to"), SlashCommand::Text("hello /to".into()));
        assert_eq!(read("//etc/passwd"), SlashCommand::Text("/etc/passwd".into()));
        assert!(matches!(read("/etc/passwd"), SlashCommand::Unclear(why) if why.contains("//etc")));
        assert_eq!(read("/to +Team"), SlashCommand::To("#team".into()));
        assert_eq!(read("/TO bob"), SlashCommand::To("bob".into()));
        assert!(matches!(read("/to"), SlashCommand::Unclear(_)));
        assert!(
            matches!(read("/msg bob hi"), SlashCommand::Unclear(why) if why.contains("/to bob"))
        );
        assert!(matches!(read("/to two words"), SlashCommand::Unclear(_)));
        assert_eq!(read("/12"), SlashCommand::Number(12));
        assert_eq!(read("/12 monkeys "), SlashCommand::Say(12, "monkeys".into()));
        assert_eq!(read("/to @bob"), SlashCommand::To("bob".into()));
        assert_eq!(
            (read("/chats"), read("/chats ALL")),
            (SlashCommand::Chats(false), SlashCommand::Chats(true))
        );
        assert_eq!(
            (leaves("/quit"), leaves("/Quit  NOW"), leaves("/q bye")),
            (Some(false), Some(true), Some(false))
        );
        assert_eq!((leaves("quit"), leaves("/quitter"), leaves("")), (None, None, None));
        let lifetime = Some(Lifetime::Seconds(28_800));
        assert_eq!(read("/expire 8h"), SlashCommand::Expire(lifetime));
        assert_eq!(read("/Expire OFF"), SlashCommand::Expire(Some(Lifetime::Unlimited)));
        assert_eq!(read("/expire"), SlashCommand::Expire(None));
        assert!(matches!(read("/expire 5"), SlashCommand::Unclear(why) if why.contains("60 s")));
        assert_eq!(read("/info"), SlashCommand::Info(None));
        assert!(matches!(read("/info x"), SlashCommand::Unclear(_)));
    }

    #[test]
    fn a_command_is_one_line_whatever_is_typed() {
        let command = |line| match read(line) {
            SlashCommand::Command(command) => command,
            other => panic!("{other:?}"),
        };
        assert_eq!(command("/find a\nQUIT"), r"FIND a\nQUIT");
        assert_eq!(command("/block"), "BLOCK");
        assert_eq!(command("/name Ana  B."), "NAME Ana  B.");
    }

    #[test]
    fn help_fits_a_small_terminal() {
        for line in HELP.lines().chain(MESSAGES.lines()) {
            assert!(crate::client::terminal::columns::width(line) < 80, "{line}");
        }
    }

    #[test]
    fn every_order_is_known_and_explained() {
        assert!(message_command::NAMES.iter().all(|name| NAMES.contains(name)));
        for name in NAMES {
            assert!(
                !matches!(read(&format!("/{name} x")), SlashCommand::Unclear(why) if why.contains("there is no"))
                    || *name == "quit"
            );
        }
    }
}
