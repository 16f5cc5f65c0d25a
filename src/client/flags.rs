//! The command line of `papo`: its flags, its commands and what they take.
//!
//! Whatever a wrong one is answered is clap's; what a right one does is in the files beside this one.
//! contrib/man and contrib/completions are made of it, too, by tests/pages/manual.rs.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::Resettable;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use super::address::Address;
use super::lines;
use crate::limits;
use crate::name::{Handle, Target};

/// The client of papod, the chat server that you can use with netcat.
///
/// Without a command it is a conversation at the terminal, and helps a newcomer make an account.
///
/// A group is written +team, since a shell takes # for a comment. The secret comes from
/// --secret-file, PAPO_SECRET, what `papo login` has kept, or a prompt.
///
/// Exit status: 0 done, 1 refused by the server, 2 wrong command line, 3 server not reached,
/// 4 secret refused, 5 timed out.
#[derive(Parser)]
#[command(name = "papo", version, disable_help_subcommand = true, verbatim_doc_comment)]
pub struct CommandLine {
    /// HOST:PORT, tls:HOST:PORT or unix:PATH [default: that of the last login, else localhost:7276]
    #[arg(long, env = "PAPO_SERVER", value_name = "ADDRESS", global = true)]
    pub server: Option<Address>,

    /// The account [default: that of the last login]
    #[arg(long = "as", env = "PAPO_AS", value_name = "HANDLE", global = true, value_parser = lines::handle)]
    pub handle: Option<Handle>,

    /// File that holds the password or a token
    #[arg(long, value_name = "FILE", global = true)]
    pub secret_file: Option<PathBuf>,

    /// Certificates to trust in place of the system's, PEM: authorities', or the server's own
    #[arg(long, env = "PAPO_CA", value_name = "FILE", global = true)]
    pub ca: Option<PathBuf>,

    /// Use IPv4 addresses only
    #[arg(short = '4', global = true, conflicts_with = "ipv6")]
    pub ipv4: bool,

    /// Use IPv6 addresses only
    #[arg(short = '6', global = true)]
    pub ipv6: bool,

    /// Ring when a message comes, in a conversation at the terminal
    #[arg(long)]
    pub bell: bool,

    /// Show a notice on the desktop when a message comes, by notify-send
    #[arg(long)]
    pub notify: bool,

    /// What to do.
    #[command(subcommand)]
    pub action: Option<Action>,
}

impl CommandLine {
    /// The command line, with what follows a `<to>` as the text that it is: `papo send bob --help`
    /// sends a text. Where it is wrong, or asks for help, the program ends here.
    pub fn read(arguments: impl IntoIterator<Item = OsString>) -> CommandLine {
        // A variable that is set and empty counts as not set.
        let mut command = CommandLine::command().mut_args(|arg| {
            let is_empty = |name| env::var_os(name).is_some_and(|value| value.is_empty());
            if arg.get_env().is_some_and(is_empty) { arg.env(Resettable::Reset) } else { arg }
        });
        let arguments = with_text_apart(&command, arguments);
        let matches = command.try_get_matches_from_mut(&arguments);
        let flags = matches.and_then(|matches| CommandLine::from_arg_matches(&matches));
        flags.unwrap_or_else(|e| {
            // Its usage would show what variables say as if it had to be given.
            let mut bare = CommandLine::command().mut_args(|arg| arg.env(Resettable::Reset));
            let e = match bare.try_get_matches_from_mut(arguments) {
                Err(other) if other.use_stderr() && other.kind() == e.kind() => other,
                _ => e,
            };
            // Help that nobody could read was not given.
            let status = if e.print().is_err() { 1 } else { e.exit_code() };
            std::process::exit(status)
        })
    }
}

/// Puts `--` between the first argument of a command that takes a text and the text.
fn with_text_apart(
    command: &clap::Command,
    arguments: impl IntoIterator<Item = OsString>,
) -> Vec<OsString> {
    let mut arguments = arguments.into_iter();
    let mut apart: Vec<OsString> = arguments.next().into_iter().collect();
    let mut verb = command;
    let mut flags: Vec<&clap::Arg> = command.get_opts().collect();
    while let Some(argument) = arguments.next() {
        let text = argument.to_str().unwrap_or_default();
        let is_first_word = text == "-" || !text.starts_with('-');
        let takes_value = |flag: &clap::Arg| {
            let is_it = flag.get_long().is_some_and(|name| Some(name) == text.strip_prefix("--"));
            is_it && flag.get_action().takes_values()
        };
        let is_end = text == "--";
        let has_value = flags.iter().any(|flag| takes_value(flag));
        let inner = verb.find_subcommand(text).filter(|_| is_first_word);
        apart.push(argument);
        if has_value {
            apart.extend(arguments.next());
        } else if let Some(inner) = inner {
            verb = inner;
            flags.extend(inner.get_opts());
        } else if is_end {
            break;
        } else if is_first_word {
            let text = verb.get_positionals().nth(1).filter(|arg| arg.is_trailing_var_arg_set());
            let rest: Vec<OsString> = arguments.by_ref().collect();
            let is_apart = rest.first().is_none_or(|next| next == "--");
            apart.extend(text.filter(|_| !is_apart).map(|_| "--".into()));
            apart.extend(rest);
        }
    }
    apart.extend(arguments);
    apart
}

/// The commands.
#[derive(Subcommand)]
pub enum Action {
    /// Send a message and print its id
    ///
    /// Flags stand before the handle; all that follows it is the text.
    Send {
        /// A handle, or +group
        #[arg(value_parser = lines::target)]
        to: Target,
        /// The text, whatever it begins with; standard input where there is none, or -
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        text: Vec<String>,
        /// Wait until everyone has received it, or read it
        #[arg(long, value_enum, value_name = "delivered|read", hide_possible_values = true)]
        wait: Option<Wait>,
        /// For how long to wait, 1 to 86400 [default: 86400]
        #[arg(long, value_name = "SECONDS", requires = "wait", value_parser = clap::value_parser!(u64).range(1..=limits::WAIT_MAX))]
        timeout: Option<u64>,
        /// Send it at most once for this key, however often this is run [default: a random one]
        #[arg(long, value_parser = key)]
        key: Option<String>,
        /// Send the text whatever is in it: replace what cannot be sent, leave out what is too long
        #[arg(long)]
        lossy: bool,
    },
    /// Send a message, wait for the next one from there, and print its text
    ///
    /// Flags stand before the handle; all that follows it is the text.
    Ask {
        /// A handle, or +group
        #[arg(value_parser = lines::target)]
        to: Target,
        /// The text, whatever it begins with; - is standard input
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        text: Vec<String>,
        /// For how long to wait [default: for ever]
        #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
        timeout: Option<u64>,
    },
    /// Print the messages of others as they come, one line each
    ///
    /// A line is MSG ID TIME FROM TO TAGS TEXT; in the text \n is a line break and \\ a backslash. TO
    /// is #NAME in a group, TAGS is - where there are none.
    ///
    /// Each is acknowledged when the reader has taken it. It runs until its output is closed.
    Tail {
        /// Handles and +groups [default: all]
        #[arg(value_parser = lines::target)]
        to: Vec<Target>,
        /// Print all events
        #[arg(long)]
        all: bool,
        /// One JSON object for each line
        #[arg(long)]
        json: bool,
        /// Skip what waited
        #[arg(long)]
        live: bool,
        /// End after N lines
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
        count: Option<u64>,
        /// End when everything that waited is printed
        #[arg(long, conflicts_with = "live")]
        waiting: bool,
        /// End after this time, with status 5
        #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=limits::WAIT_MAX))]
        timeout: Option<u64>,
    },
    /// Run a command for each message from others, and send its output back
    ///
    /// The text is its standard input; PAPO_ID, PAPO_FROM, PAPO_TO and PAPO_TIME are in its
    /// environment. When it fails it is tried again, 10 times in all. It is over when it exits, even
    /// if a process that it has started keeps its output open.
    ///
    /// One `papo on` for each conversation: two of the same account run everything twice.
    On {
        /// Handles and +groups [default: all]
        #[arg(value_parser = lines::target)]
        to: Vec<Target>,
        /// Pause before the second try, which doubles before each further one
        #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
        pause: Duration,
        /// End a command that takes longer, which counts as a failure [default: never]
        #[arg(long, value_name = "SECONDS", value_parser = limit)]
        limit: Option<Duration>,
        /// The command and its arguments
        #[arg(last = true, required = true, value_name = "CMD")]
        command: Vec<OsString>,
    },
    /// Show the last messages of a conversation
    Hist {
        /// A handle, or +group
        #[arg(value_parser = lines::target)]
        to: Target,
        /// How many, 1 to 1000 [default: 50]
        #[arg(value_parser = clap::value_parser!(u16).range(1..=limits::HIST_MAX as i64))]
        n: Option<u16>,
        /// Only those before this id
        #[arg(long, value_name = "ID", value_parser = id())]
        before: Option<u64>,
        /// Only those after this id
        #[arg(long, value_name = "ID", value_parser = id())]
        after: Option<u64>,
        /// One JSON object for each line
        #[arg(long)]
        json: bool,
    },
    /// Show the conversations, and what is unread in them
    Chats {
        /// One JSON object for each line
        #[arg(long)]
        json: bool,
    },
    /// Look for people by the beginnings of their names
    Find {
        /// Words that names begin with
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        text: Vec<String>,
        /// One JSON object for each line
        #[arg(long)]
        json: bool,
    },
    /// Show groups and change them
    #[command(subcommand)]
    Group(GroupVerb),
    /// Show who has received and read a message
    Info {
        /// Its id
        #[arg(value_parser = id())]
        id: u64,
        /// One JSON object for each line
        #[arg(long)]
        json: bool,
    },
    /// Make the account that --as names
    Register {
        /// What people are shown [default: the handle]
        #[arg(long, value_name = "DISPLAY NAME")]
        name: Option<String>,
    },
    /// Keep a token, so that the password is not asked for again
    Login,
    /// Revoke the token and forget it
    Logout,
    /// Change the password
    ///
    /// At a terminal the new one is asked for, else it is the first line of standard input. The old
    /// one comes from where secrets come from. Tokens stay.
    Passwd,
    /// Show the tokens of the account and change them
    ///
    /// A token logs in where the password would, as PAPO_SECRET of a script for example. Making one
    /// takes the password.
    #[command(subcommand)]
    Token(TokenVerb),
    /// Log in, and speak the protocol on standard input and output
    Raw {
        /// Replies only, no events
        #[arg(long)]
        quiet: bool,
    },
}

/// The commands behind `papo group`.
#[derive(Subcommand)]
pub enum GroupVerb {
    /// Show the groups this account is in
    List {
        /// One JSON object for each line
        #[arg(long)]
        json: bool,
    },
    /// Show who is in a group
    Who {
        /// With or without its +
        #[arg(value_parser = lines::group)]
        group: Handle,
        /// One JSON object for each line
        #[arg(long)]
        json: bool,
    },
    /// Make a group
    New {
        /// With or without its +
        #[arg(value_parser = lines::group)]
        group: Handle,
        /// Its members
        #[arg(value_name = "HANDLE", value_parser = lines::handle)]
        members: Vec<Handle>,
    },
    /// Add members
    Add {
        /// With or without its +
        #[arg(value_parser = lines::group)]
        group: Handle,
        /// The new members
        #[arg(required = true, value_name = "HANDLE", value_parser = lines::handle)]
        members: Vec<Handle>,
    },
    /// Take a member out
    Remove {
        /// With or without its +
        #[arg(value_parser = lines::group)]
        group: Handle,
        /// The member
        #[arg(value_name = "HANDLE", value_parser = lines::handle)]
        member: Handle,
    },
    /// Make a member an admin
    Admin {
        /// With or without its +
        #[arg(value_parser = lines::group)]
        group: Handle,
        /// The member
        #[arg(value_name = "HANDLE", value_parser = lines::handle)]
        member: Handle,
    },
    /// Say what a group is about
    Topic {
        /// With or without its +
        #[arg(value_parser = lines::group)]
        group: Handle,
        /// What it is about
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        text: Vec<String>,
    },
    /// Leave a group
    Leave {
        /// With or without its +
        #[arg(value_parser = lines::group)]
        group: Handle,
    },
}

/// The commands behind `papo token`.
#[derive(Subcommand)]
pub enum TokenVerb {
    /// Show the tokens, when each was made and last used
    List {
        /// One JSON object for each line
        #[arg(long)]
        json: bool,
    },
    /// Make a token and print it, once
    New {
        /// A name for it, 1 to 64 characters without blanks
        #[arg(value_parser = key)]
        label: String,
    },
    /// Revoke a token, which ends the sessions that it opened
    Del {
        /// Its name
        #[arg(value_parser = key)]
        label: String,
    },
}

/// What `papo send` may wait for.
#[derive(Clone, Copy, ValueEnum)]
pub enum Wait {
    /// Until everyone has received it.
    Delivered,
    /// Until everyone has read it.
    Read,
}

fn key(typed: &str) -> Result<String, String> {
    let key = lines::word(typed)?;
    let fits = key.chars().count() <= limits::KEY_MAX;
    if fits { Ok(key) } else { Err(format!("expected at most {} characters", limits::KEY_MAX)) }
}

/// Seconds, in decimal.
fn seconds(typed: &str) -> Result<Duration, String> {
    let seconds = decimal(typed).filter(|pause| *pause <= Duration::from_secs(300));
    seconds.ok_or_else(|| "expected seconds, 0 to 300".to_owned())
}

/// Seconds, in decimal, for which a command may run.
fn limit(typed: &str) -> Result<Duration, String> {
    let most = Duration::from_secs(limits::WAIT_MAX);
    let limit = decimal(typed).filter(|limit| !limit.is_zero() && *limit <= most);
    limit.ok_or_else(|| format!("expected seconds, more than 0 and up to {}", limits::WAIT_MAX))
}

fn decimal(typed: &str) -> Option<Duration> {
    typed.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
}

/// An id: what the server stores is signed.
fn id() -> clap::builder::RangedU64ValueParser {
    clap::value_parser!(u64).range(..=i64::MAX as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(line: &[&str]) -> (String, Vec<String>, Option<String>) {
        let arguments = line.iter().map(OsString::from);
        let apart = with_text_apart(&CommandLine::command(), arguments);
        match CommandLine::try_parse_from(apart).map_err(|e| e.to_string()).unwrap().action {
            Some(Action::Send { to, text, key, .. }) => (to.to_string(), text, key),
            Some(Action::Ask { to, text, .. }) => (to.to_string(), text, None),
            Some(Action::Group(GroupVerb::Topic { group, text })) => {
                (group.to_string(), text, None)
            }
            _ => panic!("another command"),
        }
    }

    #[test]
    fn what_follows_a_name_is_text() {
        for (typed, text) in [
            (&["-5", "degrees"][..], &["-5", "degrees"][..]),
            (&["--", "-5"], &["-5"]),
            (&["--help"], &["--help"]),
            (&["--key", "k"], &["--key", "k"]),
            (&["a", "--", "b"], &["a", "--", "b"]),
            (&["--", "--"], &["--"]),
            (&["-"], &["-"]),
            (&[], &[]),
        ] {
            let line = |verb: &[&'static str]| [&["papo"], verb, typed].concat();
            assert_eq!(sent(&line(&["send", "bob"])).1, text, "{typed:?}");
            assert_eq!(sent(&line(&["-4", "send", "--lossy", "bob"])).1, text, "{typed:?}");
            let flags = ["--as", "send", "send", "--key", "ask", "--server=h:1", "bob"];
            assert_eq!(sent(&line(&flags)), ("bob".into(), to_owned(text), Some("ask".into())));
            if !text.is_empty() {
                assert_eq!(sent(&line(&["ask", "--timeout", "9", "bob"])).1, text);
                assert_eq!(sent(&line(&["group", "topic", "team"])).1, text);
            }
        }
    }

    fn to_owned(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn other_commands_are_as_they_are_typed() {
        for line in [
            &["papo", "hist", "bob", "5", "--after", "7"][..],
            &["papo", "tail", "bob", "--all"],
            &["papo", "on", "bob", "--", "cat", "-n"],
            &["papo", "group", "new", "team", "--as", "ana"],
            &["papo", "send", "--", "bob", "-5"],
        ] {
            let apart = with_text_apart(&CommandLine::command(), line.iter().map(OsString::from));
            assert_eq!(apart, line);
        }
    }
}
