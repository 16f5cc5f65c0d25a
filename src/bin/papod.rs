//! The server program: flags, logging, signals, exit statuses. All else is the library's.
#![forbid(unsafe_code)]

use std::env;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use async_signal::{Signal, Signals};
use clap::{Parser, ValueEnum};
use ipnet::IpNet;
use papo::config::{Config, Limits, PasswordCost, TlsConfig, UnixConfig};
use papo::entry::Clock;
use papo::limits;
use papo::server::{Inherited, Server};
use sd_notify::NotifyState;
use smol::future::FutureExt;
use smol::stream::StreamExt;

/// The chat server that you can use with netcat.
///
/// Every flag can be given as an environment variable, too. Log lines go to standard error;
/// PAPOD_LOG sets how much is said (error, warn, info, debug).
#[derive(Parser)]
#[command(name = "papod", version)]
struct Flags {
    /// Address to listen on, HOST:PORT; may be given again, and port 0 takes a free one [default:
    /// 127.0.0.1:7276, unless systemd passes sockets on]
    #[arg(long, env = "PAPOD_LISTEN", value_name = "HOST:PORT", value_delimiter = ',', value_parser = host_port)]
    listen: Vec<String>,

    /// Let --listen name addresses other than loopback, where passwords cross the network readable
    #[arg(long, env = "PAPOD_PLAIN_ANYWHERE", value_parser = clap::builder::FalseyValueParser::new())]
    plain_anywhere: bool,

    /// Address to speak TLS on, HOST:PORT (port 7277 by custom); may be given again
    #[arg(long, env = "PAPOD_TLS_LISTEN", value_name = "HOST:PORT", value_delimiter = ',', value_parser = host_port, requires_all = ["tls_cert", "tls_key"])]
    tls_listen: Vec<String>,

    /// Chain of certificates for TLS, the server's own first, PEM; loaded again on SIGHUP
    #[arg(long, env = "PAPOD_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,

    /// Its private key, PEM
    #[arg(long, env = "PAPOD_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,

    /// Unix socket to listen on; may be given again
    #[arg(long, env = "PAPOD_UNIX", value_name = "PATH", value_delimiter = ',')]
    unix: Vec<PathBuf>,

    /// Mode of the Unix sockets: who may connect
    #[arg(long, env = "PAPOD_UNIX_MODE", value_name = "MODE", default_value = "0660", value_parser = mode)]
    unix_mode: u32,

    /// Unix socket for those who administer, mode 0600
    #[arg(long, env = "PAPOD_ADMIN", value_name = "PATH")]
    admin: Option<PathBuf>,

    /// Network whose connections begin with a PROXY v2 header, ADDRESS/BITS; may be given again
    #[arg(long, env = "PAPOD_PROXY_FROM", value_name = "NET", value_delimiter = ',', value_parser = network)]
    proxy_from: Vec<IpNet>,

    /// open or closed: whether REG makes accounts, or only ADMIN USER NEW does
    #[arg(
        long,
        env = "PAPOD_REGISTRATION",
        value_enum,
        default_value = "open",
        hide_possible_values = true,
        value_name = "STATE"
    )]
    registration: Registration,

    /// Connections in all
    #[arg(long, env = "PAPOD_LIMIT_CONNECTIONS", value_name = "N", default_value_t = Limits::DEFAULT.connections as u64, value_parser = clap::value_parser!(u64).range(1..))]
    limit_connections: u64,

    /// Seconds in which a connection has to log in
    #[arg(long, env = "PAPOD_LIMIT_LOGIN", value_name = "SECONDS", default_value_t = Limits::DEFAULT.login, value_parser = clap::value_parser!(u64).range(1..))]
    limit_login: u64,

    /// Commands of one session that may be unconfirmed; it is not read from meanwhile
    #[arg(long, env = "PAPOD_LIMIT_UNCONFIRMED", value_name = "N", default_value_t = Limits::DEFAULT.unconfirmed as u64, value_parser = clap::value_parser!(u64).range(1..))]
    limit_unconfirmed: u64,

    /// Bytes that may wait for one session; beyond them it is served from the disk
    #[arg(long, env = "PAPOD_LIMIT_WAITING", value_name = "BYTES", default_value_t = Limits::DEFAULT.waiting as u64, value_parser = clap::value_parser!(u64).range(1..))]
    limit_waiting: u64,

    /// Passwords that may wait to be hashed
    #[arg(long, env = "PAPOD_LIMIT_SECRETS", value_name = "N", default_value_t = Limits::DEFAULT.secrets as u64, value_parser = clap::value_parser!(u64).range(1..))]
    limit_secrets: u64,

    /// Connections of one address; 0 is no limit, here and below
    #[arg(long, env = "PAPOD_LIMIT_ADDRESS", value_name = "N", default_value_t = Limits::DEFAULT.address)]
    limit_address: usize,

    /// Sessions of one account
    #[arg(long, env = "PAPOD_LIMIT_SESSIONS", value_name = "N", default_value_t = Limits::DEFAULT.sessions)]
    limit_sessions: usize,

    /// New accounts from one address in an hour
    #[arg(long, env = "PAPOD_LIMIT_REGISTRATIONS", value_name = "N", default_value_t = Limits::DEFAULT.registrations)]
    limit_registrations: u64,

    /// Messages of one account in a second, on average
    #[arg(long, env = "PAPOD_LIMIT_MESSAGES", value_name = "N", default_value_t = Limits::DEFAULT.messages)]
    limit_messages: u64,

    /// New groups of one account in a day
    #[arg(long, env = "PAPOD_LIMIT_GROUPS", value_name = "N", default_value_t = Limits::DEFAULT.groups)]
    limit_groups: u64,

    /// Bytes of messages of one account in a day
    #[arg(long, env = "PAPOD_LIMIT_BYTES", value_name = "N", default_value_t = Limits::DEFAULT.bytes)]
    limit_bytes: u64,

    /// Let the limits of addresses and accounts apply to loopback and Unix sockets, too
    #[arg(long, env = "PAPOD_LIMIT_LOCAL", value_parser = clap::builder::FalseyValueParser::new())]
    limit_local: bool,

    /// Database file [default: papo/papo.db in the user's data folder]
    #[arg(long, env = "PAPOD_DB", hide_env_values = true, value_name = "FILE")]
    db: Option<PathBuf>,

    /// Memory and passes of Argon2id for new passwords
    #[arg(long, env = "PAPOD_PASSWORD_COST", value_name = "KIB:PASSES", default_value = "19456:2", value_parser = password_cost)]
    password_cost: PasswordCost,

    /// Serve numbers for Prometheus at http://HOST:PORT/metrics, to whoever can connect there
    #[arg(long, env = "PAPOD_METRICS", value_name = "HOST:PORT", value_parser = host_port)]
    metrics: Option<String>,

    /// Send a logged-in client away from whom nothing came for so long
    #[arg(long, env = "PAPOD_IDLE", value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    idle: Option<u64>,

    /// Forget entries older than so many days; 0 never does
    #[arg(long, env = "PAPOD_KEEP", value_name = "DAYS", default_value = "0", value_parser = clap::value_parser!(u64).range(..=limits::KEEP_MAX))]
    keep: u64,

    /// The most that the database file may grow to; beyond it nothing is accepted. 0: no limit
    #[arg(long, env = "PAPOD_LIMIT_DB", value_name = "MIB", default_value_t = 0)]
    limit_db: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Registration {
    Open,
    Closed,
}

fn main() -> ExitCode {
    // Ends with status 2 where the command line is wrong.
    let flags = Flags::parse();
    env_logger::Builder::from_env(env_logger::Env::new().filter_or("PAPOD_LOG", "info"))
        .format_target(false)
        .init();
    match run(flags) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("papod: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn run(flags: Flags) -> Result<(), String> {
    let db = match flags.db {
        Some(db) if is_url(&db) => {
            return Err(format!("{}: only a file can be the database", scheme(&db)));
        }
        Some(db) => db,
        None => default_db().ok_or("no HOME is set; --db FILE says where the database goes")?,
    };
    if flags.password_cost.kib < PasswordCost::DEFAULT.kib
        || flags.password_cost.passes < PasswordCost::DEFAULT.passes
    {
        log::warn!(
            "--password-cost is below {}:{}, which is for tests only",
            PasswordCost::DEFAULT.kib,
            PasswordCost::DEFAULT.passes
        );
    }
    let db = std::path::absolute(&db).map_err(|e| format!("{}: {e}", db.display()))?;
    raise_open_files();
    // Before the server starts, so that no signal is missed.
    let signals = [Signal::Term, Signal::Int, Signal::Hup];
    let signals = Signals::new(signals).map_err(|e| e.to_string())?;
    let inherited = Inherited::take()?;
    let mut listen = flags.listen;
    if listen.is_empty() && inherited.is_empty() {
        listen.push("127.0.0.1:7276".to_owned());
    }
    let tls = flags.tls_cert.zip(flags.tls_key);
    let config = Config {
        listen,
        plain_anywhere: flags.plain_anywhere,
        tls: tls.map(|(certificate, key)| TlsConfig { listen: flags.tls_listen, certificate, key }),
        unix: flags
            .unix
            .into_iter()
            .map(|path| UnixConfig { path, mode: flags.unix_mode })
            .collect(),
        admin: flags.admin,
        proxy_from: flags.proxy_from,
        registration: flags.registration == Registration::Open,
        limits: Limits {
            connections: size(flags.limit_connections),
            login: flags.limit_login,
            unconfirmed: size(flags.limit_unconfirmed),
            waiting: size(flags.limit_waiting),
            secrets: size(flags.limit_secrets),
            address: flags.limit_address,
            sessions: flags.limit_sessions,
            registrations: flags.limit_registrations,
            messages: flags.limit_messages,
            groups: flags.limit_groups,
            bytes: flags.limit_bytes,
            local: flags.limit_local,
        },
        metrics: flags.metrics,
        db,
        password_cost: flags.password_cost,
        idle: flags.idle,
        keep: flags.keep,
        limit_db: Some(flags.limit_db).filter(|mib| *mib > 0),
        clock: Clock::System,
    };
    let server = Server::start_with(&config, inherited)?;
    log::info!("database {}", config.db.display());
    if config.keep > 0 {
        log::info!("entries older than {} days are forgotten", config.keep);
    }
    if let Some(address) = server.metrics() {
        log::info!("metrics at http://{address}/metrics");
    }
    for name in server.names() {
        log::info!("listening on {name}");
    }
    if let Some(address) = server.names().iter().find_map(|name| name.parse().ok()) {
        log::info!("try: nc {} {}, then type HELP", host(&address), address.port());
    }
    // Without a service manager that asks for it this does nothing.
    if let Err(e) = sd_notify::notify(&[NotifyState::Ready]) {
        log::warn!("the service manager cannot be told that papod is ready: {e}");
    }
    let failed = async {
        server.failed().await;
        Err("the hub has failed".to_owned())
    };
    let ended = smol::block_on(failed.or(asked_to_end(signals, &server)));
    if ended.is_ok() {
        log::info!("ending");
        server.stop();
    }
    ended
}

fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Waits for SIGTERM or SIGINT. SIGHUP loads the certificates again.
async fn asked_to_end(mut signals: Signals, server: &Server) -> Result<(), String> {
    while let Some(Ok(Signal::Hup)) = signals.next().await {
        match server.reload() {
            Some(Ok(())) => log::info!("the certificate is loaded again"),
            Some(Err(e)) => log::error!("the certificate stays as it is: {e}"),
            None => log::info!("SIGHUP: without TLS there is nothing to load again"),
        }
    }
    Ok(())
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

/// `$XDG_DATA_HOME/papo/papo.db`, else `~/.local/share/papo/papo.db` (XDG Base Directory).
fn default_db() -> Option<PathBuf> {
    let absolute = |path: PathBuf| path.is_absolute().then_some(path);
    let data =
        env::var_os("XDG_DATA_HOME").map(PathBuf::from).and_then(absolute).or_else(|| {
            let home = env::var_os("HOME").map(PathBuf::from).and_then(absolute)?;
            Some(home.join(".local/share"))
        })?;
    Some(data.join("papo/papo.db"))
}

fn is_url(path: &std::path::Path) -> bool {
    path.to_str().is_some_and(|text| text.contains("://"))
}

/// The part of a URL that holds no password.
fn scheme(path: &std::path::Path) -> String {
    let text = path.to_string_lossy();
    let scheme = text.split("://").next().unwrap_or_default();
    format!("{scheme}://")
}

/// How the first address is typed.
fn host(address: &std::net::SocketAddr) -> String {
    if address.ip().is_loopback() || address.ip().is_unspecified() {
        return "localhost".into();
    }
    address.ip().to_string()
}

/// A connection is an open file: takes as many as the system allows.
fn raise_open_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(e) = setrlimit(Resource::Nofile, limit) {
        log::warn!("cannot raise the limit of open files: {e}");
    }
}
