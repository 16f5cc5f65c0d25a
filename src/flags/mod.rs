//! The command line of `papod`: its flags and what they take.
//!
//! The program makes a [`crate::config::Config`] of it, and tests/pages/manual.rs the manual
//! page and the completions of contrib/.

mod env_file;
mod values;
mod variables;

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process;

use clap::builder::Resettable;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, CommandFactory, FromArgMatches, Parser, ValueEnum};
use ipnet::IpNet;
use log::LevelFilter;
use rustix::process::Pid;

use crate::config::{Limits, PasswordCost, Standby};
use crate::limits;
use crate::preferences::Circle;

/// The chat server you can use with netcat.
///
/// Most flags can also be given as environment variables; an empty one counts as not set. The log goes
/// to standard error.
#[derive(Parser)]
#[command(name = "papod", version)]
pub struct Flags {
    /// Plaintext address to listen on; repeatable, and port 0 takes a free one [default: 127.0.0.1:7276,
    /// unless systemd passes sockets]
    #[arg(long, env = "PAPOD_LISTEN", value_name = "HOST:PORT", value_delimiter = ',', value_parser = values::host_port)]
    pub listen: Vec<String>,

    /// Let --listen and --http name other addresses than loopback; passwords and messages then cross the network readable
    #[arg(long, env = "PAPOD_PLAIN_ANYWHERE", value_parser = values::boolean)]
    pub plain_anywhere: bool,

    /// TLS address to listen on (port 7277 is customary); repeatable
    #[arg(long, env = "PAPOD_TLS_LISTEN", value_name = "HOST:PORT", value_delimiter = ',', value_parser = values::host_port, requires_all = ["tls_cert", "tls_key"])]
    pub tls_listen: Vec<String>,

    /// Plaintext address to serve HTTP on, for programs that notify or are notified as by ntfy (port 7278
    /// is customary); repeatable. Like --listen it takes only loopback unless --plain-anywhere is given
    #[arg(long, env = "PAPOD_HTTP", value_name = "HOST:PORT", value_delimiter = ',', value_parser = values::host_port)]
    pub http: Vec<String>,

    /// Address to serve HTTPS on, with the certificate of --tls-cert (ports 443 or 7279 are customary);
    /// repeatable
    #[arg(long, env = "PAPOD_HTTPS", value_name = "HOST:PORT", value_delimiter = ',', value_parser = values::host_port, requires_all = ["tls_cert", "tls_key"])]
    pub https: Vec<String>,

    /// Send an HTTP stream a keepalive, and a WebSocket a Ping, each SECONDS [default: 55 and 180]
    #[arg(long, env = "PAPOD_HTTP_KEEPALIVE", value_name = "SECONDS", value_parser = values::from_one)]
    pub http_keepalive: Option<u64>,

    /// Certificate chain for TLS, PEM, the server's own certificate first; SIGHUP loads it again
    #[arg(long, env = "PAPOD_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,

    /// Its private key, PEM
    #[arg(long, env = "PAPOD_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,

    /// Tell the papod with this process id to load its certificate again, if the one named here is good
    /// and within its dates, and exit; status 1 and a reason otherwise
    #[arg(long, value_name = "PID", value_parser = values::process)]
    pub reload: Option<Pid>,

    /// Unix socket to listen on; repeatable
    #[arg(long, env = "PAPOD_UNIX", value_name = "PATH", value_delimiter = ',')]
    pub unix: Vec<PathBuf>,

    /// Mode of the Unix sockets, which says who may connect
    #[arg(long, env = "PAPOD_UNIX_MODE", value_name = "MODE", default_value = "0660", value_parser = values::mode)]
    pub unix_mode: u32,

    /// Unix socket for operators, mode 0600
    #[arg(long, env = "PAPOD_ADMIN", value_name = "PATH")]
    pub admin: Option<PathBuf>,

    /// Network whose connections begin with a PROXY v2 header, ADDRESS/BITS; repeatable
    #[arg(long, env = "PAPOD_PROXY_FROM", value_name = "NET", value_delimiter = ',', value_parser = values::network)]
    pub proxy_from: Vec<IpNet>,

    /// open, invite or closed: whether REG creates accounts for everyone, for whoever has an
    /// invitation by ADMIN INVITE, or for nobody, so that only ADMIN USER NEW does
    #[arg(
        long,
        env = "PAPOD_REGISTRATION",
        value_enum,
        default_value = "open",
        hide_possible_values = true,
        value_name = "STATE"
    )]
    pub registration: RegistrationMode,

    /// Program that checks passwords instead of papod: it reads the handle and the password, one per
    /// line, on standard input, and exits with 0 if they are right. A path and arguments, split at
    /// blanks; no shell
    #[arg(long, env = "PAPOD_AUTH_COMMAND", value_name = "CMD")]
    pub auth_command: Option<String>,

    /// Total connections
    #[arg(long, env = "PAPOD_LIMIT_CONNECTIONS", value_name = "N", default_value_t = Limits::DEFAULT.connections as u64, value_parser = values::from_one)]
    pub limit_connections: u64,

    /// Seconds that a connection has to log in
    #[arg(long, env = "PAPOD_LIMIT_LOGIN", value_name = "SECONDS", default_value_t = Limits::DEFAULT.login, value_parser = values::from_one)]
    pub limit_login: u64,

    /// Unconfirmed commands per session; beyond that it is not read until some are confirmed
    #[arg(long, env = "PAPOD_LIMIT_UNCONFIRMED", value_name = "N", default_value_t = Limits::DEFAULT.unconfirmed as u64, value_parser = values::from_one)]
    pub limit_unconfirmed: u64,

    /// Bytes waiting for a session; beyond that it is served from disk
    #[arg(long, env = "PAPOD_LIMIT_WAITING", value_name = "BYTES", default_value_t = Limits::DEFAULT.waiting as u64, value_parser = values::from_one)]
    pub limit_waiting: u64,

    /// Passwords waiting to be hashed
    #[arg(long, env = "PAPOD_LIMIT_SECRETS", value_name = "N", default_value_t = Limits::DEFAULT.secrets as u64, value_parser = values::from_one)]
    pub limit_secrets: u64,

    /// Connections per address; 0 is unlimited, here and below
    #[arg(long, env = "PAPOD_LIMIT_ADDRESS", value_name = "N", default_value_t = Limits::DEFAULT.address, value_parser = values::number::<usize>)]
    pub limit_address: usize,

    /// Sessions per account
    #[arg(long, env = "PAPOD_LIMIT_SESSIONS", value_name = "N", default_value_t = Limits::DEFAULT.sessions, value_parser = values::number::<usize>)]
    pub limit_sessions: usize,

    /// New accounts per address in an hour
    #[arg(long, env = "PAPOD_LIMIT_REGISTRATIONS", value_name = "N", default_value_t = Limits::DEFAULT.registrations, value_parser = values::number::<u64>)]
    pub limit_registrations: u64,

    /// Messages per account in a second, on average
    #[arg(long, env = "PAPOD_LIMIT_MESSAGES", value_name = "N", default_value_t = Limits::DEFAULT.messages, value_parser = values::number::<u64>)]
    pub limit_messages: u64,

    /// Other changes per account in a second, on average; costly ones count as several
    #[arg(long, env = "PAPOD_LIMIT_COMMANDS", value_name = "N", default_value_t = Limits::DEFAULT.commands, value_parser = values::number::<u64>)]
    pub limit_commands: u64,

    /// New groups per account in a day
    #[arg(long, env = "PAPOD_LIMIT_GROUPS", value_name = "N", default_value_t = Limits::DEFAULT.groups, value_parser = values::number::<u64>)]
    pub limit_groups: u64,

    /// Bytes in a file
    #[arg(long, env = "PAPOD_LIMIT_FILE", value_name = "BYTES", default_value_t = Limits::DEFAULT.file, value_parser = values::number::<u64>)]
    pub limit_file: u64,

    /// Bytes of files per account in a day
    #[arg(long, env = "PAPOD_LIMIT_FILES_DAY", value_name = "BYTES", default_value_t = Limits::DEFAULT.files_day, value_parser = values::number::<u64>)]
    pub limit_files_day: u64,

    /// Bytes of all files together
    #[arg(long, env = "PAPOD_LIMIT_FILES", value_name = "BYTES", default_value_t = Limits::DEFAULT.files, value_parser = values::number::<u64>)]
    pub limit_files: u64,

    /// Bytes of messages per account in a day
    #[arg(long, env = "PAPOD_LIMIT_BYTES", value_name = "N", default_value_t = Limits::DEFAULT.bytes, value_parser = values::number::<u64>)]
    pub limit_bytes: u64,

    /// Apply the limits per address and per account to loopback and Unix sockets too
    #[arg(long, env = "PAPOD_LIMIT_LOCAL", value_parser = values::boolean)]
    pub limit_local: bool,

    /// Database file, or postgres://USER@HOST/DATABASE if papod was built with PostgreSQL
    /// [default: papo/papo.db in the user's data folder]
    #[arg(long, env = "PAPOD_DB", hide_env_values = true, value_name = "FILE")]
    pub db: Option<PathBuf>,

    /// Where other papods on the same PostgreSQL database reach this one [default: the address by which
    /// it reaches the database, a free port]
    #[arg(long, env = "PAPOD_NODE", value_name = "HOST:PORT")]
    pub node: Option<String>,

    /// Whether PostgreSQL has to wait for a synchronous standby
    #[arg(long, env = "PAPOD_STANDBY", value_enum, value_name = "POLICY", default_value = "warn")]
    pub standby: StandbyPolicy,

    /// Folder for the contents of files, which no other database may use [default: the database's name
    /// with -files]
    #[arg(long, env = "PAPOD_FILES", value_name = "DIR")]
    pub files: Option<PathBuf>,

    /// Put the backup FILE in the place of the database, keep the old one under another name, and exit;
    /// no papod may be using it
    #[arg(long, value_name = "FILE", conflicts_with = "check")]
    pub restore: Option<PathBuf>,

    /// Fill the new PostgreSQL database that --db names with what is in the database file FILE, which no
    /// papod may be using, and exit
    #[arg(long, value_name = "FILE", conflicts_with_all = ["check", "restore"])]
    pub import: Option<PathBuf>,

    /// Check all settings and the database, print what is there and what is wrong, start nothing, and exit
    #[arg(long)]
    pub check: bool,

    /// Read variables from FILE first, one NAME=VALUE per line, as systemd does; but a line that systemd
    /// would ignore, or an unknown variable, is an error
    #[arg(long, value_name = "FILE")]
    pub env_file: Vec<PathBuf>,

    /// Memory and passes of Argon2id for new passwords
    #[arg(long, env = "PAPOD_PASSWORD_COST", value_name = "KIB:PASSES", default_value = "19456:2", value_parser = values::password_cost)]
    pub password_cost: PasswordCost,

    /// Serve Prometheus metrics at http://HOST:PORT/metrics, without authentication
    #[arg(long, env = "PAPOD_METRICS", value_name = "HOST:PORT", value_parser = values::host_port)]
    pub metrics: Option<String>,

    /// Probe a TCP client that has been silent for this long, and end its session after twice as long if
    /// it has vanished; 0 never does
    #[arg(long, env = "PAPOD_KEEPALIVE", value_name = "SECONDS", default_value_t = limits::KEEPALIVE.as_secs(), value_parser = values::keepalive)]
    pub keepalive: u64,

    /// Disconnect a logged-in client after SECONDS without input
    #[arg(long, env = "PAPOD_IDLE", value_name = "SECONDS", value_parser = values::from_one)]
    pub idle: Option<u64>,

    /// Delete entries older than DAYS; 0 keeps everything
    #[arg(long, env = "PAPOD_KEEP", value_name = "DAYS", default_value = "0", value_parser = values::days)]
    pub keep: u64,

    /// Delete the contents of files after DAYS, and keep the messages; 0 keeps them as long as these
    #[arg(long, env = "PAPOD_KEEP_FILES", value_name = "DAYS", default_value = "0", value_parser = values::days)]
    pub keep_files: u64,

    /// Let authors edit and delete a message for SECONDS after it was sent; 0 sets no limit
    #[arg(long, env = "PAPOD_AMEND", value_name = "SECONDS", default_value_t = 0, value_parser = values::number::<u64>)]
    pub amend: u64,

    /// To whom FIND shows when a new account is online: all, chats (those to whom it has written) or none
    #[arg(long, env = "PAPOD_SEEN", value_name = "WHO", default_value = "all", value_parser = values::circle)]
    pub seen: Circle,

    /// Maximum size of the database file in MiB; beyond it writes fail. 0 is unlimited
    #[arg(long, env = "PAPOD_LIMIT_DB", value_name = "MIB", default_value_t = 0, value_parser = values::mib)]
    pub limit_db: u64,

    /// Log level: error, warn, info or debug
    #[arg(long, env = "PAPOD_LOG", value_name = "LEVEL", default_value = "info", value_parser = values::level)]
    pub log: LevelFilter,
}

impl Flags {
    /// Reads a command line and the environment. Returns with them the limits that are not the usual
    /// ones, as flags, for the log.
    ///
    /// # Errors
    /// One of the two is wrong, or asks for help or the version.
    pub fn read(arguments: &[OsString]) -> Result<(Flags, Vec<String>), clap::Error> {
        let mut command = Flags::command().mut_args(|arg| {
            let is_empty = |name| env::var_os(name).is_some_and(|value| value.is_empty());
            if arg.get_env().is_some_and(is_empty) { arg.env(Resettable::Reset) } else { arg }
        });
        // Of all that there are, since those that are empty are known, too.
        let all = Flags::command();
        let known = names(&all);
        let flags: Vec<_> = all.get_arguments().filter_map(Arg::get_long).collect();
        for (name, value) in env::vars_os() {
            let (name, value) = (name.to_string_lossy(), value.to_string_lossy());
            if let Some(why) = variables::unknown(&name, &value, &known, &flags) {
                return Err(command.error(ErrorKind::UnknownArgument, why));
            }
        }
        let mut matches = command
            .try_get_matches_from_mut(arguments)
            .map_err(|e| variables::named(e, &mut command, arguments))?;
        let limits = unusual_limits(&command, &matches);
        Ok((Flags::from_arg_matches_mut(&mut matches)?, limits))
    }
}

/// What is to be run in place of a command line with `--env-file`: the same with the variables of that
/// file in its environment. `None`: there is none, or this is what was run.
///
/// # Errors
/// What is wrong with the file, a line each.
pub fn with_env_file(arguments: &[OsString]) -> Result<Option<process::Command>, Vec<String>> {
    env_file::replacement(arguments, &names(&Flags::command()))
}

/// The variables that are flags.
fn names(command: &Command) -> Vec<&str> {
    command.get_arguments().filter_map(|arg| arg.get_env()?.to_str()).collect()
}

/// The limits that were set to something else than usual.
fn unusual_limits(command: &Command, matches: &ArgMatches) -> Vec<String> {
    let mut unusual = Vec::new();
    for arg in command.get_arguments() {
        let (id, Some(flag)) = (arg.get_id().as_str(), arg.get_long()) else { continue };
        let is_set = matches.value_source(id).is_some_and(|from| from != ValueSource::DefaultValue);
        if !is_set || !flag.starts_with("limit-") {
            continue;
        }
        if !arg.get_action().takes_values() {
            unusual.extend(matches.get_flag(id).then(|| format!("--{flag}")));
            continue;
        }
        let values: Vec<_> = matches.get_raw(id).into_iter().flatten().collect();
        let usual = arg.get_default_values().iter().map(AsRef::<OsStr>::as_ref);
        if !values.iter().copied().eq(usual) {
            let values: Vec<_> = values.iter().map(|value| value.to_string_lossy()).collect();
            unusual.push(format!("--{flag} {}", values.join(",")));
        }
    }
    unusual
}

/// What papod thinks of a PostgreSQL that waits for no standby.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StandbyPolicy {
    /// Papod does not start then, and refuses to write.
    Required,
    /// It warns.
    Warn,
    /// It says nothing, as for a service that copies what is written in another way.
    Trust,
}

impl From<StandbyPolicy> for Standby {
    fn from(policy: StandbyPolicy) -> Standby {
        match policy {
            StandbyPolicy::Required => Standby::Required,
            StandbyPolicy::Warn => Standby::Warn,
            StandbyPolicy::Trust => Standby::Trust,
        }
    }
}

/// Who makes accounts.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RegistrationMode {
    /// Everyone, by `REG`.
    Open,
    /// Whoever has an invitation, by `REG`.
    Invite,
    /// Operators alone.
    Closed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_that_differ_are_told() {
        let limits = |typed: &str| {
            let mut command = Flags::command();
            let matches = command.try_get_matches_from_mut(typed.split(' ')).unwrap();
            unusual_limits(&command, &matches).join(" ")
        };
        assert_eq!(limits("papod --keep 7 --registration closed"), "");
        assert_eq!(limits("papod --limit-sessions 50 --limit-db 0"), "", "they are the usual ones");
        let typed = "papod --limit-address 20 --limit-local --limit-bytes 0";
        assert_eq!(limits(typed), "--limit-address 20 --limit-bytes 0 --limit-local");
    }
}
