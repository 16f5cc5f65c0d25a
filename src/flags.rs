//! The command line of `papod`: its flags and what they take.
//!
//! The program makes a [`crate::config::Config`] of it, and tests/manual.rs the manual page and the
//! completions of contrib/.

use std::env;
use std::ffi::{OsStr, OsString};
use std::net::IpAddr;
use std::path::PathBuf;

use clap::builder::{BoolishValueParser, Resettable};
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Command, CommandFactory, FromArgMatches, Parser, ValueEnum};
use ipnet::IpNet;
use log::LevelFilter;
use rustix::process::Pid;

use crate::config::{Limits, PasswordCost};
use crate::limits;

/// The chat server that you can use with netcat.
///
/// Every flag can be given as an environment variable, too; one that is empty is as one that is not
/// set. Log lines go to standard error.
#[derive(Parser)]
#[command(name = "papod", version)]
pub struct Flags {
    /// Address to listen on, HOST:PORT; may be given again, and port 0 takes a free one [default:
    /// 127.0.0.1:7276, unless systemd passes sockets on]
    #[arg(long, env = "PAPOD_LISTEN", value_name = "HOST:PORT", value_delimiter = ',', value_parser = host_port)]
    pub listen: Vec<String>,

    /// Let --listen name addresses other than loopback, where passwords cross the network readable
    #[arg(long, env = "PAPOD_PLAIN_ANYWHERE", value_parser = BoolishValueParser::new())]
    pub plain_anywhere: bool,

    /// Address to speak TLS on, HOST:PORT (port 7277 by custom); may be given again
    #[arg(long, env = "PAPOD_TLS_LISTEN", value_name = "HOST:PORT", value_delimiter = ',', value_parser = host_port, requires_all = ["tls_cert", "tls_key"])]
    pub tls_listen: Vec<String>,

    /// Chain of certificates for TLS, the server's own first, PEM; loaded again on SIGHUP
    #[arg(long, env = "PAPOD_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,

    /// Its private key, PEM
    #[arg(long, env = "PAPOD_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,

    /// Have the papod with this process id load its certificate again, if the one named here is good, and
    /// end; status 1 and a reason otherwise
    #[arg(long, value_name = "PID", value_parser = process)]
    pub reload: Option<Pid>,

    /// Unix socket to listen on; may be given again
    #[arg(long, env = "PAPOD_UNIX", value_name = "PATH", value_delimiter = ',')]
    pub unix: Vec<PathBuf>,

    /// Mode of the Unix sockets: who may connect
    #[arg(long, env = "PAPOD_UNIX_MODE", value_name = "MODE", default_value = "0660", value_parser = mode)]
    pub unix_mode: u32,

    /// Unix socket for those who administer, mode 0600
    #[arg(long, env = "PAPOD_ADMIN", value_name = "PATH")]
    pub admin: Option<PathBuf>,

    /// Network whose connections begin with a PROXY v2 header, ADDRESS/BITS; may be given again
    #[arg(long, env = "PAPOD_PROXY_FROM", value_name = "NET", value_delimiter = ',', value_parser = network)]
    pub proxy_from: Vec<IpNet>,

    /// open or closed: whether REG makes accounts, or only ADMIN USER NEW does
    #[arg(
        long,
        env = "PAPOD_REGISTRATION",
        value_enum,
        default_value = "open",
        hide_possible_values = true,
        value_name = "STATE"
    )]
    pub registration: Registration,

    /// Program that knows the passwords in place of papod: it gets the handle and the password as two
    /// lines of standard input and exits with 0 where they are right. A path and arguments, split at
    /// blanks; no shell
    #[arg(long, env = "PAPOD_AUTH_COMMAND", value_name = "CMD")]
    pub auth_command: Option<String>,

    /// Connections in all
    #[arg(long, env = "PAPOD_LIMIT_CONNECTIONS", value_name = "N", default_value_t = Limits::DEFAULT.connections as u64, value_parser = clap::value_parser!(u64).range(1..))]
    pub limit_connections: u64,

    /// Seconds in which a connection has to log in
    #[arg(long, env = "PAPOD_LIMIT_LOGIN", value_name = "SECONDS", default_value_t = Limits::DEFAULT.login, value_parser = clap::value_parser!(u64).range(1..))]
    pub limit_login: u64,

    /// Commands of one session that may be unconfirmed; it is not read from meanwhile
    #[arg(long, env = "PAPOD_LIMIT_UNCONFIRMED", value_name = "N", default_value_t = Limits::DEFAULT.unconfirmed as u64, value_parser = clap::value_parser!(u64).range(1..))]
    pub limit_unconfirmed: u64,

    /// Bytes that may wait for one session; beyond them it is served from the disk
    #[arg(long, env = "PAPOD_LIMIT_WAITING", value_name = "BYTES", default_value_t = Limits::DEFAULT.waiting as u64, value_parser = clap::value_parser!(u64).range(1..))]
    pub limit_waiting: u64,

    /// Passwords that may wait to be hashed
    #[arg(long, env = "PAPOD_LIMIT_SECRETS", value_name = "N", default_value_t = Limits::DEFAULT.secrets as u64, value_parser = clap::value_parser!(u64).range(1..))]
    pub limit_secrets: u64,

    /// Connections of one address; 0 is no limit, here and below
    #[arg(long, env = "PAPOD_LIMIT_ADDRESS", value_name = "N", default_value_t = Limits::DEFAULT.address)]
    pub limit_address: usize,

    /// Sessions of one account
    #[arg(long, env = "PAPOD_LIMIT_SESSIONS", value_name = "N", default_value_t = Limits::DEFAULT.sessions)]
    pub limit_sessions: usize,

    /// New accounts from one address in an hour
    #[arg(long, env = "PAPOD_LIMIT_REGISTRATIONS", value_name = "N", default_value_t = Limits::DEFAULT.registrations)]
    pub limit_registrations: u64,

    /// Messages of one account in a second, on average
    #[arg(long, env = "PAPOD_LIMIT_MESSAGES", value_name = "N", default_value_t = Limits::DEFAULT.messages)]
    pub limit_messages: u64,

    /// Other changes by one account in a second, on average; costly ones count as several
    #[arg(long, env = "PAPOD_LIMIT_COMMANDS", value_name = "N", default_value_t = Limits::DEFAULT.commands)]
    pub limit_commands: u64,

    /// New groups of one account in a day
    #[arg(long, env = "PAPOD_LIMIT_GROUPS", value_name = "N", default_value_t = Limits::DEFAULT.groups)]
    pub limit_groups: u64,

    /// Bytes of messages of one account in a day
    #[arg(long, env = "PAPOD_LIMIT_BYTES", value_name = "N", default_value_t = Limits::DEFAULT.bytes)]
    pub limit_bytes: u64,

    /// Let the limits of addresses and accounts apply to loopback and Unix sockets, too
    #[arg(long, env = "PAPOD_LIMIT_LOCAL", value_parser = BoolishValueParser::new())]
    pub limit_local: bool,

    /// Database file [default: papo/papo.db in the user's data folder]
    #[arg(long, env = "PAPOD_DB", hide_env_values = true, value_name = "FILE")]
    pub db: Option<PathBuf>,

    /// Put the backup FILE in the place of the database, keep what was there under another name, and
    /// end; no papod may be using it
    #[arg(long, value_name = "FILE", conflicts_with = "check")]
    pub restore: Option<PathBuf>,

    /// Look at all settings and through the database, start nothing, say what is there and what is wrong,
    /// and end
    #[arg(long)]
    pub check: bool,

    /// Memory and passes of Argon2id for new passwords
    #[arg(long, env = "PAPOD_PASSWORD_COST", value_name = "KIB:PASSES", default_value = "19456:2", value_parser = password_cost)]
    pub password_cost: PasswordCost,

    /// Serve numbers for Prometheus at http://HOST:PORT/metrics, to whoever can connect there
    #[arg(long, env = "PAPOD_METRICS", value_name = "HOST:PORT", value_parser = host_port)]
    pub metrics: Option<String>,

    /// Probe a TCP client that has been silent for this long, and end its session after twice as long;
    /// 0 never does
    #[arg(long, env = "PAPOD_KEEPALIVE", value_name = "SECONDS", default_value_t = limits::KEEPALIVE.as_secs(), value_parser = clap::value_parser!(u64).range(..=limits::KEEPALIVE_MAX))]
    pub keepalive: u64,

    /// Send a logged-in client away from whom nothing came for so long
    #[arg(long, env = "PAPOD_IDLE", value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub idle: Option<u64>,

    /// Forget entries older than so many days; 0 never does
    #[arg(long, env = "PAPOD_KEEP", value_name = "DAYS", default_value = "0", value_parser = clap::value_parser!(u64).range(..=limits::KEEP_MAX))]
    pub keep: u64,

    /// The most that the database file may grow to; beyond it nothing is accepted. 0: no limit
    #[arg(long, env = "PAPOD_LIMIT_DB", value_name = "MIB", default_value_t = 0)]
    pub limit_db: u64,

    /// How much is logged: error, warn, info or debug
    #[arg(long, env = "PAPOD_LOG", value_name = "LEVEL", default_value = "info", value_parser = level)]
    pub log: LevelFilter,
}

impl Flags {
    /// Reads a command line and the environment. Returns with them the limits that are not the usual
    /// ones, as flags, for the log.
    ///
    /// # Errors
    /// One of the two is wrong, or asks for help or the version.
    pub fn read(
        arguments: impl IntoIterator<Item = OsString>,
    ) -> Result<(Flags, Vec<String>), clap::Error> {
        let mut command = Flags::command().mut_args(|arg| {
            let is_empty = |name| env::var_os(name).is_some_and(|value| value.is_empty());
            if arg.get_env().is_some_and(is_empty) { arg.env(Resettable::Reset) } else { arg }
        });
        // Of all that there are, since those that are empty are known, too.
        let known = Flags::command();
        let known: Vec<_> =
            known.get_arguments().filter_map(|arg| arg.get_env()?.to_str()).collect();
        for (name, value) in env::vars_os() {
            let (name, value) = (name.to_string_lossy(), value.to_string_lossy());
            if let Some(why) = unknown(&name, &value, &known) {
                return Err(command.error(ErrorKind::UnknownArgument, why));
            }
        }
        let mut matches = command.try_get_matches_from_mut(arguments)?;
        let limits = unusual_limits(&command, &matches);
        Ok((Flags::from_arg_matches_mut(&mut matches)?, limits))
    }
}

/// Why a variable is none of papod's, if it looks like one. A slip must not be passed over: it may have
/// been meant to close registration.
fn unknown(name: &str, value: &str, known: &[&str]) -> Option<String> {
    let rest = name.strip_prefix("PAPOD_")?;
    if known.contains(&name) || is_of_a_service(rest, value) {
        return None;
    }
    let nearest = known.iter().min_by_key(|known| strsim::osa_distance(known, name))?;
    Some(format!("the variable {name} is none of papod's; {nearest} is the nearest that there is"))
}

/// Kubernetes tells every program of a service called papod by such variables, as Docker did of links.
fn is_of_a_service(rest: &str, value: &str) -> bool {
    let is_port = |rest: &str| rest.starts_with(|first: char| first.is_ascii_digit());
    rest.starts_with("SERVICE_HOST")
        || rest.starts_with("SERVICE_PORT")
        || rest.strip_prefix("PORT_").is_some_and(is_port)
        || (rest == "PORT" && value.contains("://"))
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

/// Who makes accounts.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Registration {
    /// Everyone, by `REG`.
    Open,
    /// Operators alone.
    Closed,
}

fn level(text: &str) -> Result<LevelFilter, String> {
    text.parse().map_err(|_| "expected error, warn, info or debug".to_owned())
}

fn process(text: &str) -> Result<Pid, String> {
    let id = text.parse().ok().filter(|id| *id > 0).and_then(Pid::from_raw);
    id.ok_or_else(|| "expected a process id".to_owned())
}

fn mode(text: &str) -> Result<u32, String> {
    let mode = u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o777);
    mode.ok_or_else(|| "expected an octal number up to 0777".to_owned())
}

/// What can be an address to listen on; whether it is one shows when it is listened on.
fn host_port(text: &str) -> Result<String, String> {
    let is_one = text
        .rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    if is_one { Ok(text.to_owned()) } else { Err("expected HOST:PORT".to_owned()) }
}

/// A network, or a single address.
fn network(text: &str) -> Result<IpNet, String> {
    let network = text.parse().or_else(|_| text.parse().map(|address: IpAddr| address.into()));
    network.map_err(|_| "expected ADDRESS/BITS, 10.0.0.0/8 for example".to_owned())
}

fn password_cost(text: &str) -> Result<PasswordCost, String> {
    let parts = text.split_once(':').and_then(|(kib, passes)| {
        Some(PasswordCost { kib: kib.parse().ok()?, passes: passes.parse().ok()? })
    });
    parts
        .filter(|cost| (8..=1_048_576).contains(&cost.kib) && (1..=100).contains(&cost.passes))
        .ok_or_else(|| "expected KIB:PASSES, 8 to 1048576 and 1 to 100".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_in_a_variable_is_told_from_one_of_somebody_else() {
        let known = ["PAPOD_REGISTRATION", "PAPOD_DB", "PAPOD_LIMIT_ADDRESS"];
        let why = |name, value| unknown(name, value, &known);
        for (slip, meant) in [
            ("PAPOD_REGISTRATIONS", "PAPOD_REGISTRATION"),
            ("PAPOD_registration", "PAPOD_REGISTRATION"),
            ("PAPOD_LIMIT_ADRESS", "PAPOD_LIMIT_ADDRESS"),
            ("PAPOD_PORT", "PAPOD_DB"),
        ] {
            let why = why(slip, "7276").unwrap();
            assert!(
                why.contains(&format!(" {slip} ")) && why.contains(&format!(" {meant} ")),
                "{why}"
            );
        }
        for (name, value) in [
            ("PAPOD_DB", "x"),
            ("PAPO_SERVER", "x"),
            ("PATH", "x"),
            ("PAPOD_PORT", "tcp://10.0.0.1:7276"),
            ("PAPOD_PORT_7276_TCP_ADDR", "10.0.0.1"),
            ("PAPOD_SERVICE_HOST", "10.0.0.1"),
            ("PAPOD_SERVICE_PORT_CHAT", "7276"),
        ] {
            assert_eq!(why(name, value), None);
        }
    }

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
