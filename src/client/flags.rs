//! The command line of `papo`: its flags, its commands and their arguments.
//!
//! clap reports what is wrong with it; its commands are carried out by the other files of this
//! folder. tests/pages/manual.rs generates contrib/man and contrib/completions from it.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::Resettable;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use super::address::Addresses;
use super::expire::{Lifetime, lifetime};
use super::group_flags::GroupVerb;
use super::lines;
use super::message_flags::{SendFlags, TextFlags, due, file_name, key, reaction, which};
use super::numbers;
use super::own_flags::OwnVerb;
use super::text_arguments::with_text_apart;
use super::token_flags::TokenVerb;
use crate::limits;
use crate::name::{DeviceName, FileName, Handle, Target};
use crate::wire::request::{DueTime, Which};

/// The client of papod, the chat server you can use with netcat.
///
/// Without a command, opens a conversation at the terminal, and helps a new user create an account.
///
/// A group is written +team, because a shell takes # for a comment. The secret comes from
/// --secret-file, PAPO_SECRET, the token that `papo login` stored, or a prompt.
///
/// Exit status: 0 done, 1 refused by the server, 2 wrong command line, 3 server not reached or lost,
/// 4 secret refused, 5 timed out.
#[derive(Parser)]
#[command(name = "papo", version, disable_help_subcommand = true, verbatim_doc_comment)]
pub struct CommandLine {
    /// HOST:PORT, tls:HOST:PORT or unix:PATH, or several with commas: the next is tried [default:
    /// that of the last login, else localhost:7276]
    #[arg(long, env = "PAPO_SERVER", value_name = "ADDRESS", global = true)]
    pub server: Option<Addresses>,

    /// The account [default: that of the last login]
    #[arg(long = "as", env = "PAPO_AS", value_name = "HANDLE", global = true, value_parser = lines::handle)]
    pub handle: Option<Handle>,

    /// Log in as this device of the account, whatever name you give it [default: that of the last
    /// login, with its token]
    ///
    /// The server keeps for each device what it has received. So each gets everything, also what was
    /// written or read on another.
    #[arg(long, env = "PAPO_DEVICE", value_name = "NAME", global = true, value_parser = lines::device)]
    pub device: Option<DeviceName>,

    /// File that holds the password or a token
    #[arg(long, value_name = "FILE", global = true)]
    pub secret_file: Option<PathBuf>,

    /// PEM file of certificates to trust instead of the system's: a CA's, or the server's own
    #[arg(long, env = "PAPO_CA", value_name = "FILE", global = true)]
    pub ca: Option<PathBuf>,

    /// Use IPv4 addresses only
    #[arg(short = '4', global = true, conflicts_with = "ipv6")]
    pub ipv4: bool,

    /// Use IPv6 addresses only
    #[arg(short = '6', global = true)]
    pub ipv6: bool,

    /// Ring the bell for new messages, in a conversation at the terminal
    #[arg(long)]
    pub bell: bool,

    /// Show a desktop notification (notify-send) for new messages
    #[arg(long)]
    pub notify: bool,

    /// Show small pictures in a conversation at the terminal: if the terminal says that it can, or
    /// never
    #[arg(long, env = "PAPO_PICTURES", value_name = "WHEN", default_value = "auto")]
    pub pictures: ShowPictures,

    /// What to do.
    #[command(subcommand)]
    pub action: Option<Action>,
}

impl CommandLine {
    /// Parses the command line. Everything after a `<to>` is text: `papo send bob --help` sends it.
    /// Exits if it is wrong or asks for help.
    pub fn read(arguments: impl IntoIterator<Item = OsString>) -> CommandLine {
        // An empty variable counts as unset.
        let mut command = CommandLine::command().mut_args(|arg| {
            let is_empty = |name| env::var_os(name).is_some_and(|value| value.is_empty());
            if arg.get_env().is_some_and(is_empty) { arg.env(Resettable::Reset) } else { arg }
        });
        let arguments = with_text_apart(&command, arguments);
        let matches = command.try_get_matches_from_mut(&arguments);
        let flags = matches.and_then(|matches| CommandLine::from_arg_matches(&matches));
        flags.unwrap_or_else(|e| {
            // Parsed again without variables: else clap's usage shows flags set by variables as
            // required.
            let mut bare = CommandLine::command().mut_args(|arg| arg.env(Resettable::Reset));
            let e = match bare.try_get_matches_from_mut(arguments) {
                Err(other) if other.use_stderr() && other.kind() == e.kind() => other,
                _ => e,
            };
            // Help that could not be printed is a failure.
            let is_lost = e.print().is_err() && !e.use_stderr();
            std::process::exit(if is_lost { 1 } else { e.exit_code() })
        })
    }
}

/// When pictures are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ShowPictures {
    Auto,
    Never,
}

/// The commands.
#[derive(Subcommand)]
pub enum Action {
    /// Send a message and print its id
    ///
    /// Flags go before the handle; everything after it is the text.
    Send {
        /// A handle, or +group
        #[arg(value_parser = lines::target)]
        to: Target,
        /// The text, even if it begins with a dash; without one, or with -, standard input
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        text: Vec<String>,
        #[command(flatten)]
        flags: SendFlags,
        #[command(flatten)]
        input: TextFlags,
    },
    /// Send a message, wait for an answer, and print its text
    ///
    /// An answer is a reaction to the message or a reply to it, or any other message from there. In a
    /// group, a reply to another message does not count. It is marked as read, unless earlier messages
    /// from there are waiting, which would count as read, too.
    ///
    /// Flags go before the handle; everything after it is the text.
    Ask {
        /// A handle, or +group
        #[arg(value_parser = lines::target)]
        to: Target,
        /// The text, even if it begins with a dash; - is standard input
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        text: Vec<String>,
        /// How long to wait [default: forever]
        #[arg(long, value_name = "SECONDS", value_parser = numbers::from_one)]
        timeout: Option<u64>,
    },
    /// Answer a message, and print the id of the answer
    ///
    /// Flags go before the id; everything after it is the text.
    Re {
        /// The id of the message, or last: your newest one
        #[arg(value_parser = which)]
        id: Which,
        /// The text, even if it begins with a dash; without one, or with -, standard input
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        text: Vec<String>,
        #[command(flatten)]
        flags: SendFlags,
        #[command(flatten)]
        input: TextFlags,
    },
    /// Forward a message, and print the id of the new one
    Fwd {
        /// The id of the message, or last: your newest one
        #[arg(value_parser = which)]
        id: Which,
        /// A handle, or +group
        #[arg(value_parser = lines::target)]
        to: Target,
        #[command(flatten)]
        flags: SendFlags,
    },
    /// Send files, and print the id of each
    ///
    /// With several, --wait and --unless are about the last one.
    File {
        /// A handle, or +group
        #[arg(value_parser = lines::target)]
        to: Target,
        /// The files; - is standard input, which needs --name
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<PathBuf>,
        /// Send it under this name, not under its own
        #[arg(long, value_parser = file_name)]
        name: Option<FileName>,
        #[command(flatten)]
        flags: SendFlags,
    },
    /// Fetch the file of a message, and print where it is
    ///
    /// No file is ever overwritten.
    Get {
        /// The id of the message, or last: your newest one
        #[arg(value_parser = which)]
        id: Which,
        /// A file or a folder [default: the name that it was sent under, here]; - is standard output
        path: Option<PathBuf>,
    },
    /// Give a message of yours another text
    ///
    /// Flags go before the id; everything after it is the text. `papo marks` shows the earlier ones.
    Edit {
        /// The id of the message, or last: your newest one
        #[arg(value_parser = which)]
        id: Which,
        /// The text, even if it begins with a dash; without one, or with -, standard input
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        text: Vec<String>,
        #[command(flatten)]
        input: TextFlags,
    },
    /// Delete a message of yours for everyone; as the admin of a group, anyone's
    Del {
        /// The id of the message, or last: your newest one
        #[arg(value_parser = which)]
        id: Which,
    },
    /// React to a message, with one word or emoji
    React {
        /// The id of the message, or last: your newest one
        #[arg(value_parser = which)]
        id: Which,
        /// At most 16 characters, in place of your earlier reaction; - takes that back
        #[arg(value_parser = reaction, allow_hyphen_values = true)]
        word: String,
    },
    /// Show the earlier texts of a message, and who has reacted to it
    Marks {
        /// The id of the message, or last: your newest one
        #[arg(value_parser = which)]
        id: Which,
        /// Print one JSON object per line
        #[arg(long)]
        json: bool,
    },
    /// Have the server send a message later, and print the number under which it waits
    ///
    /// WHEN is a duration, as in +600 (seconds), +10m, +2h or +1d; a local time, as in 9:00 (the next
    /// one) or 2026-01-01T09:00; or a time with its offset, as in 2026-01-01T09:00:00Z. It is at most
    /// a year ahead.
    ///
    /// Flags go before the handle; everything after it is the text.
    At {
        /// A time, or + and a duration
        #[arg(value_parser = due)]
        when: DueTime,
        /// A handle, or +group
        #[arg(value_parser = lines::target)]
        to: Target,
        /// The text, even if it begins with a dash; without one, or with -, standard input
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        text: Vec<String>,
        /// Send at most once per KEY, however often the command is run [default: a random one]
        #[arg(long, value_parser = key)]
        key: Option<String>,
        #[command(flatten)]
        input: TextFlags,
    },
    /// List what is to be sent later, or cancel it
    Later {
        /// Cancel what waits under this number
        #[arg(long, value_name = "N", value_parser = numbers::from_one)]
        del: Option<u64>,
        /// Print one JSON object per line
        #[arg(long, conflicts_with = "del")]
        json: bool,
    },
    /// Have messages vanish some time after they were sent
    ///
    /// This holds for what anybody sends to that conversation from now on. Nobody is told when a
    /// message goes, and its text leaves the server's disk. In a group only admins can set this.
    Expire {
        /// A handle, or +group
        #[arg(value_parser = lines::target)]
        to: Target,
        /// How long they stay, as in 8h, 7d or 600 (seconds); off: until somebody deletes them
        #[arg(value_parser = lifetime)]
        how: Lifetime,
    },
    /// Print messages from others as they come, one line each
    ///
    /// A line is MSG ID TIME FROM TO TAGS TEXT; in TEXT, \n is a line break and \\ a backslash. TO is
    /// #NAME in a group; TAGS is - if there are none.
    ///
    /// Each message is acknowledged once its reader has taken it. papo runs until its output is closed.
    Tail {
        /// Handles and +groups [default: all]
        #[arg(value_parser = lines::target)]
        to: Vec<Target>,
        /// Print all events: your own messages, edits, deletions, reactions and receipts, too
        #[arg(long)]
        all: bool,
        /// Print one JSON object per line
        #[arg(long)]
        json: bool,
        /// Skip messages that were waiting, and acknowledge none; without --all, you do not appear online
        #[arg(long)]
        live: bool,
        /// Stop after N lines
        #[arg(long, value_name = "N", value_parser = numbers::from_one)]
        count: Option<u64>,
        /// Stop when everything that was waiting is printed
        #[arg(long, conflicts_with = "live")]
        waiting: bool,
        /// Stop after this time, with status 5
        #[arg(long, value_name = "SECONDS", value_parser = numbers::up_to::<u64>(limits::WAIT_MAX))]
        timeout: Option<u64>,
    },
    /// Run a command for each message from others, and send its output back
    ///
    /// The command gets the text on standard input, and PAPO_ID, PAPO_FROM, PAPO_TO, PAPO_TIME,
    /// PAPO_TAGS and PAPO_RE (the id of the message that it answers) in its environment. If it fails
    /// it is run again, up to 10 times in all. It is done when it exits, even if a process that it
    /// started keeps its output open.
    ///
    /// Run one `papo on` per conversation: two with the same account run everything twice.
    On {
        /// Handles and +groups [default: all]
        #[arg(value_parser = lines::target)]
        to: Vec<Target>,
        /// Run it for reactions, too, with the word in PAPO_REACT, or - for one taken back
        #[arg(long)]
        react: bool,
        /// Pause before the second try; it doubles before each further one
        #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
        pause: Duration,
        /// Stop a command that takes longer, and count that as a failure [default: never]
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
        #[arg(value_parser = numbers::up_to::<u16>(limits::HIST_MAX as u64))]
        n: Option<u16>,
        /// Only those before this id
        #[arg(long, value_name = "ID", value_parser = numbers::id)]
        before: Option<u64>,
        /// Only those after this id
        #[arg(long, value_name = "ID", value_parser = numbers::id)]
        after: Option<u64>,
        /// Only the replies to this message
        #[arg(long, value_name = "ID", value_parser = numbers::id)]
        re: Option<u64>,
        /// Print one JSON object per line
        #[arg(long)]
        json: bool,
    },
    /// Search messages by the beginnings of their words
    ///
    /// Letter case and accents do not matter, and all of the words must be there. Flags go before the
    /// words.
    Search {
        /// Beginnings of words in the text, or in the name of a file
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<String>,
        /// Only in the conversation with a handle or +group [default: in all]
        #[arg(long, value_name = "TO", value_parser = lines::target)]
        to: Option<Target>,
        /// How many, the newest, 1 to 1000 [default: 50]
        #[arg(short, value_name = "N", value_parser = numbers::up_to::<u16>(limits::HIST_MAX as u64))]
        n: Option<u16>,
        /// Only those before this id
        #[arg(long, value_name = "ID", value_parser = numbers::id)]
        before: Option<u64>,
        /// Print one JSON object per line
        #[arg(long)]
        json: bool,
    },
    /// List your conversations, and what is unread in them
    Chats {
        /// Print one JSON object per line
        #[arg(long)]
        json: bool,
    },
    /// Find people by the beginnings of their names
    Find {
        /// Beginnings of words in the name or handle
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        text: Vec<String>,
        /// Print one JSON object per line
        #[arg(long)]
        json: bool,
    },
    /// Show and change groups
    #[command(subcommand)]
    Group(GroupVerb),
    /// Show who has received and read a message
    Info {
        /// The id of the message, or last: your newest one
        #[arg(value_parser = which)]
        id: Which,
        /// Print one JSON object per line
        #[arg(long)]
        json: bool,
    },
    /// What only concerns this account
    #[command(flatten)]
    Own(OwnVerb),
    /// Create the account named by --as
    Register {
        /// The name that others see [default: the handle]
        #[arg(long, value_name = "DISPLAY NAME")]
        name: Option<String>,
        /// An invitation, where the operator asks for one
        #[arg(long, env = "PAPO_INVITATION", hide_env_values = true, value_name = "INVITATION")]
        invitation: Option<String>,
    },
    /// Store a token, so that the password is not asked for again
    Login,
    /// Revoke the stored token and delete it
    Logout,
    /// Change the password
    ///
    /// At a terminal papo asks for the new one; otherwise it is the first line of standard input. The
    /// old one comes from --secret-file, PAPO_SECRET or a prompt. Tokens stay valid.
    Passwd,
    /// List, create and revoke tokens
    ///
    /// A token logs in in place of the password, for example as PAPO_SECRET of a script. To create
    /// one takes the password.
    #[command(subcommand)]
    Token(TokenVerb),
    /// Log in, and speak the protocol on standard input and output
    Raw {
        /// Get replies only, no events
        #[arg(long)]
        quiet: bool,
    },
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
