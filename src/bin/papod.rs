//! The server program: flags, logging, signals, exit statuses. All else is the library's.
#![forbid(unsafe_code)]

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

use async_signal::{Signal, Signals};
use clap::Parser;
use papo::config::{Config, PasswordCost};
use papo::entry::Clock;
use papo::server::Server;
use smol::future::FutureExt;
use smol::stream::StreamExt;

/// The chat server that you can use with netcat.
///
/// Every flag can be given as an environment variable, too. Log lines go to standard error;
/// PAPOD_LOG sets how much is said (error, warn, info, debug).
#[derive(Parser)]
#[command(name = "papod", version)]
struct Flags {
    /// Address to listen on, HOST:PORT; may be given again, and port 0 takes a free one
    #[arg(
        long,
        env = "PAPOD_LISTEN",
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:7276",
        value_delimiter = ','
    )]
    listen: Vec<String>,

    /// Let --listen name addresses other than loopback, where passwords cross the network readable
    #[arg(long, env = "PAPOD_PLAIN_ANYWHERE", value_parser = clap::builder::FalseyValueParser::new())]
    plain_anywhere: bool,

    /// Database file [default: papo/papo.db in the user's data folder]
    #[arg(long, env = "PAPOD_DB", hide_env_values = true, value_name = "FILE")]
    db: Option<PathBuf>,

    /// Memory and passes of Argon2id for new passwords
    #[arg(long, env = "PAPOD_PASSWORD_COST", value_name = "KIB:PASSES", default_value = "19456:2", value_parser = password_cost)]
    password_cost: PasswordCost,

    /// Send a logged-in client away from whom nothing came for so long
    #[arg(long, env = "PAPOD_IDLE", value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    idle: Option<u64>,

    /// The most that the database file may grow to; beyond it nothing is accepted. 0: no limit
    #[arg(long, env = "PAPOD_LIMIT_DB", value_name = "MIB", default_value_t = 0)]
    limit_db: u64,
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
    let mut signals = Signals::new([Signal::Term, Signal::Int]).map_err(|e| e.to_string())?;
    let config = Config {
        listen: flags.listen,
        plain_anywhere: flags.plain_anywhere,
        db,
        password_cost: flags.password_cost,
        idle: flags.idle,
        limit_db: Some(flags.limit_db).filter(|mib| *mib > 0),
        clock: Clock::System,
    };
    let server = Server::start(&config)?;
    log::info!("database {}", config.db.display());
    for address in server.addresses() {
        log::info!("listening on {address}");
    }
    if let Some(address) = server.addresses().first() {
        log::info!("try: nc {} {}, then type HELP", host(address), address.port());
    }
    let failed = async {
        server.failed().await;
        Err("the hub has failed".to_owned())
    };
    let asked = async {
        signals.next().await;
        Ok(())
    };
    let ended = smol::block_on(failed.or(asked));
    if ended.is_ok() {
        log::info!("ending");
        server.stop();
    }
    ended
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
