//! The command line of `papo`: its flags, its commands and what they take.
//!
//! Whatever a wrong one is answered is clap's; what a right one does is in the files beside this one.
//! contrib/man and contrib/completions are made of it, too, by tests/manual.rs.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};

use super::address::Address;
use super::lines;
use crate::limits;
use crate::name::{Handle, Target};

/// The client of papod, the chat server that you can use with netcat.
///
/// Without a command it is a conversation at the terminal, and leads whoever is new to an account.
///
/// A group is written +team, since a shell takes # for a comment. The secret comes from
/// --secret-file, PAPO_SECRET, what `papo login` has kept, or a prompt.
///
/// Exit status: 0 done, 1 refused by the server, 2 wrong command line, 3 server not reached,
/// 4 secret refused, 5 timed out.
#[derive(Parser)]
#[command(name = "papo", version, disable_help_subcommand = true, verbatim_doc_comment)]
pub struct Flags {
    /// HOST:PORT, tls:HOST:PORT or unix:PATH [default: that of the last login, else localhost:7276]
    #[arg(long, env = "PAPO_SERVER", value_name = "ADDRESS", global = true)]
    pub server: Option<Address>,

    /// The account [default: that of the last login]
    #[arg(long = "as", env = "PAPO_AS", value_name = "HANDLE", global = true, value_parser = lines::handle)]
    pub handle: Option<Handle>,

    /// File that holds the password or a token
    #[arg(long, value_name = "FILE", global = true)]
    pub secret_file: Option<PathBuf>,

    /// Certificates to trust in place of the system's, PEM
    #[arg(long, env = "PAPO_CA", value_name = "FILE", global = true)]
    pub ca: Option<PathBuf>,

    /// Ring when a message comes, in a conversation at the terminal
    #[arg(long)]
    pub bell: bool,

    /// Show a notice on the desktop when a message comes, by notify-send
    #[arg(long)]
    pub notify: bool,

    /// What to do.
    #[command(subcommand)]
    pub verb: Option<Verb>,
}

/// The commands.
#[derive(Subcommand)]
pub enum Verb {
    /// Send a message and print its id
    Send {
        /// A handle, or +group
        #[arg(value_parser = lines::target)]
        to: Target,
        /// The text; standard input where there is none, or -
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
    },
    /// Send a message, wait for the next one from there, and print its text
    Ask {
        /// A handle, or +group
        #[arg(value_parser = lines::target)]
        to: Target,
        /// The text; - is standard input
        #[arg(required = true)]
        text: Vec<String>,
        /// For how long to wait [default: for ever]
        #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
        timeout: Option<u64>,
    },
    /// Print the messages of others as they come, one line each
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
    },
    /// Run a command for each message from others, and send its output back
    ///
    /// The text is its standard input; PAPO_ID, PAPO_FROM, PAPO_TO and PAPO_TIME are in its
    /// environment. When it fails it is tried again, 10 times in all.
    On {
        /// Handles and +groups [default: all]
        #[arg(value_parser = lines::target)]
        to: Vec<Target>,
        /// Pause before the second try, which doubles before each further one
        #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
        pause: Duration,
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
        #[arg(required = true)]
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
        #[arg(required = true)]
        text: Vec<String>,
    },
    /// Leave a group
    Leave {
        /// With or without its +
        #[arg(value_parser = lines::group)]
        group: Handle,
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
    let seconds = typed.parse().ok().and_then(|s| Duration::try_from_secs_f64(s).ok());
    let seconds = seconds.filter(|pause| *pause <= Duration::from_secs(300));
    seconds.ok_or_else(|| "expected seconds, 0 to 300".to_owned())
}

/// An id: what the server stores is signed.
fn id() -> clap::builder::RangedU64ValueParser {
    clap::value_parser!(u64).range(..=i64::MAX as u64)
}
