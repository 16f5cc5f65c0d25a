//! The server program: logging, signals, exit statuses. All else is the library's.
#![forbid(unsafe_code)]

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

use async_signal::{Signal, Signals};
use clap::Parser;
use papo::config::{Config, Limits, PasswordCost, TlsConfig, UnixConfig};
use papo::entry::Clock;
use papo::flags::{Flags, Registration};
use papo::server::{Inherited, Server};
use sd_notify::NotifyState;
use smol::future::FutureExt;
use smol::stream::StreamExt;

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
            commands: flags.limit_commands,
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
