//! The server program: logging, signals, exit statuses. The rest is in the library.
#![forbid(unsafe_code)]

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use async_signal::{Signal, Signals};
use log::{Level, LevelFilter};
use papo::config::{
    Config, HttpKeepalive, Limits, PasswordCost, Registration, TlsConfig, UnixConfig,
};
use papo::entry::Clock;
use papo::flags::{self, Flags, StandbyPolicy};
use papo::owner;
use papo::server::{self, Inherited, Server};
use papo::session::Certificates;
use papo::store::sqlite;
use rustix::process::{Pid, geteuid};
use sd_notify::NotifyState;
use smol::future::FutureExt;
use smol::stream::StreamExt;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().collect();
    match flags::with_env_file(&arguments) {
        Ok(None) => {}
        // exec returns only on failure.
        Ok(Some(mut command)) => return failed(&command.exec().to_string(), 1),
        Err(lines) => return failed(&lines.join("\n"), 2),
    }
    let (flags, limits) = match Flags::read(&arguments) {
        Ok(read) => read,
        // The command line or a variable is wrong, which is status 2, or this is help, which is 0.
        Err(e) => {
            let printed = e.print();
            return match (e.use_stderr(), printed) {
                (true, _) => ExitCode::from(2),
                (false, Ok(())) => ExitCode::SUCCESS,
                (false, Err(e)) => failed(&format!("standard output: {e}"), 1),
            };
        }
    };
    start_log(flags.log);
    let done = match flags.reload {
        Some(process) => reload(&flags, process),
        None => run(flags, &limits),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => failed(&reason, 1),
    }
}

fn failed(reason: &str, status: u8) -> ExitCode {
    // If standard error is full or closed, the exit status still reports the failure.
    for line in reason.lines() {
        let _ = writeln!(io::stderr(), "papod: {line}");
    }
    status.into()
}

/// Logs to standard error. For systemd's journal each line begins with its priority (sd-daemon(3))
/// and has no timestamp, since the journal adds one.
fn start_log(level: LevelFilter) {
    let mut log = env_logger::Builder::new();
    // All of them, so that an operator can choose another level later.
    log.filter_level(LevelFilter::Debug).format_target(false);
    if is_journal(io::stderr()) {
        log.format(|out, record| {
            let priority = match record.level() {
                Level::Error => 3,
                Level::Warn => 4,
                Level::Info => 6,
                Level::Debug | Level::Trace => 7,
            };
            writeln!(out, "<{priority}>{}", record.args())
        });
    }
    log.init();
    log::set_max_level(level);
}

/// Whether `stream` is the one that systemd names in `JOURNAL_STREAM` (systemd.exec(5)): whatever
/// started papod may have redirected standard error.
fn is_journal(stream: impl AsFd) -> bool {
    let named = env::var("JOURNAL_STREAM").unwrap_or_default();
    let found = rustix::fs::fstat(stream);
    found.is_ok_and(|found| named == format!("{}:{}", found.st_dev, found.st_ino))
}

/// `--reload`: makes another papod reload its certificate, if that is valid. Any other program, and
/// a papod without a certificate, could be terminated by the signal.
fn reload(flags: &Flags, process: Pid) -> Result<(), String> {
    let id = process.as_raw_nonzero();
    let Some((certificate, key)) = flags.tls_cert.as_ref().zip(flags.tls_key.as_ref()) else {
        let variables = "PAPOD_TLS_CERT and PAPOD_TLS_KEY are not set";
        return Err(format!("nothing to reload: no certificate is set ({variables})"));
    };
    let loaded = Certificates::load(certificate, key)?;
    if let Some(why) = loaded.outside_dates(Clock::System.now()) {
        return Err(why);
    }
    let program = fs::read_link(format!("/proc/{id}/exe"));
    let program = program.map_err(|e| format!("process {id}: {e}"))?;
    // After an upgrade the old program's path ends in " (deleted)".
    let name = program.file_name().map(OsStr::to_string_lossy).unwrap_or_default();
    if name.trim_end_matches(" (deleted)") != "papod" {
        return Err(format!("process {id} is {}, not papod", program.display()));
    }
    rustix::process::kill_process(process, rustix::process::Signal::HUP)
        .map_err(|e| format!("process {id}: {}", io::Error::from(e)))
}

/// `limits`: those that differ from the defaults, for the log.
fn run(flags: Flags, limits: &[String]) -> Result<(), String> {
    let is_named = flags.db.is_some();
    let db = match flags.db {
        Some(db) => db,
        None => default_db().ok_or("HOME is not set; --db FILE says where the database goes")?,
    };
    let on_postgres = server::postgres(&db).transpose()?;
    if on_postgres.is_some() {
        if flags.restore.is_some() {
            return Err(
                "--restore is for a database file; --import FILE fills one of PostgreSQL".into()
            );
        }
        if flags.limit_db > 0 {
            return Err("--limit-db is for a database file; it has no effect on PostgreSQL".into());
        }
    } else if is_url(&db) {
        return Err(format!("{}: the database must be a file", scheme(&db)));
    }
    if let Some(file) = &flags.import {
        let into = on_postgres.ok_or("--import needs --db postgres://…, the database to fill")?;
        let entries = server::import(file, flags.files.as_deref(), &db)?;
        println!("{into} is now a copy of {}, with {entries} entries", file.display());
        return Ok(());
    }
    let db = match &on_postgres {
        Some(_) => db,
        None => std::path::absolute(&db).map_err(|e| format!("{}: {e}", db.display()))?,
    };
    if on_postgres.is_some() && flags.files.is_some() {
        return Err("--files is for a database file; PostgreSQL has the files in its tables".into());
    }
    if on_postgres.is_none() && flags.node.is_some() {
        return Err("--node needs --db postgres://…, a database for several papods".into());
    }
    if on_postgres.is_none() && flags.standby != StandbyPolicy::Warn {
        return Err("--standby needs --db postgres://…; a database file has no standby".into());
    }
    let files = match (&on_postgres, flags.files) {
        (Some(_), _) => None,
        (None, Some(files)) => Some(files),
        (None, None) => Some(sqlite::files_beside(&db)),
    };
    if let Some(file) = &flags.restore {
        return restore(file, &db, files.as_deref());
    }
    raise_open_files(flags.limit_connections);
    // Before the server starts, so that no signal is missed.
    let hangup = Hangup::at_start(flags.tls_cert.is_some());
    let mut signals = vec![Signal::Term, Signal::Int];
    signals.extend((hangup != Hangup::Ignored).then_some(Signal::Hup));
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
        http: flags.http,
        https: flags.https,
        http_keepalive: flags.http_keepalive.map_or(HttpKeepalive::DEFAULT, |seconds| {
            let time = Duration::from_secs(seconds);
            HttpKeepalive { stream: time, ping: time }
        }),
        unix: flags
            .unix
            .into_iter()
            .map(|path| UnixConfig { path, mode: flags.unix_mode })
            .collect(),
        admin: flags.admin,
        proxy_from: flags.proxy_from,
        registration: match flags.registration {
            flags::RegistrationMode::Open => Registration::Open,
            flags::RegistrationMode::Invite => Registration::Invite,
            flags::RegistrationMode::Closed => Registration::Closed,
        },
        auth_command: flags.auth_command,
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
            file: flags.limit_file,
            files_day: flags.limit_files_day,
            files: flags.limit_files,
            bytes: flags.limit_bytes,
            local: flags.limit_local,
        },
        metrics: flags.metrics,
        db,
        node: flags.node,
        standby: flags.standby.into(),
        password_cost: flags.password_cost,
        keepalive: Some(Duration::from_secs(flags.keepalive)).filter(|time| !time.is_zero()),
        idle: flags.idle,
        keep: flags.keep,
        keep_files: flags.keep_files,
        files,
        seen: flags.seen,
        amend: Some(flags.amend).filter(|seconds| *seconds > 0),
        limit_db: Some(flags.limit_db).filter(|mib| *mib > 0),
        clock: Clock::System,
    };
    if flags.check {
        return check(&config, &flags.env_file);
    }
    if !is_named {
        // Of somebody whose first program with data this is, not even `~/.local` is there.
        make_folders(&config.db)?;
    }
    let server = Server::start_with(&config, inherited)?;
    log::info!(
        "papod {}, registration {}, limits: {}",
        env!("CARGO_PKG_VERSION"),
        match (&config.auth_command, config.registration) {
            (Some(_), _) => "by --auth-command",
            (None, registration) => registration.as_str(),
        },
        if limits.is_empty() { "the defaults".to_owned() } else { limits.join(" ") }
    );
    let (cost, usual) = (config.password_cost, PasswordCost::DEFAULT);
    if cost.kib < usual.kib || cost.passes < usual.passes {
        let PasswordCost { kib, passes } = usual;
        log::warn!("--password-cost is below {kib}:{passes}; use that for tests only");
    }
    log::info!("database {}", on_postgres.unwrap_or_else(|| config.db.display().to_string()));
    if config.keep > 0 {
        log::info!("entries older than {} days are deleted", config.keep);
    }
    for address in server.metrics() {
        log::info!("metrics at http://{address}/metrics");
    }
    for name in server.names() {
        log::info!("listening on {name}");
    }
    if let Some(address) = server.names().iter().find_map(|name| name.parse().ok()) {
        log::info!("try: nc {} {}, then type HELP", host(&address), address.port());
    }
    notify(&[NotifyState::Ready]);
    let failed = async {
        server.failed().await;
        Err("the hub has failed".to_owned())
    };
    let ended = smol::block_on(failed.or(asked_to_end(signals, hangup, &server)));
    if ended.is_ok() {
        log::info!("stopping");
        server.stop();
        log::info!("stopped");
    }
    ended
}

/// `--restore`: replaces the database and prints what happened to the files.
fn restore(from: &Path, db: &Path, files: Option<&Path>) -> Result<(), String> {
    let files = files.map_or_else(|| sqlite::files_beside(db), Path::to_owned);
    let done = sqlite::restore(from, db, &files).map_err(|e| e.to_string())?;
    let sqlite::Restored { aside, missing } = done;
    println!("{} is now a copy of {}; ids continue far above", db.display(), from.display());
    if let Some(aside) = aside {
        println!("the old database is now {}, with the files that belong to it", aside.display());
    }
    if missing > 0 {
        let s = if missing == 1 { "" } else { "s" };
        let folder = sqlite::files_beside(from);
        println!("{missing} file{s} that it names: not in {}", folder.display());
    }
    if geteuid().is_root() && fs::metadata(db).is_ok_and(|meta| meta.uid() == 0) {
        let folder = db.parent().unwrap_or(db).display();
        println!("it belongs to root; if papod runs as another user: chown -R USER {folder}");
    }
    Ok(())
}

/// `--check`: remarks go to standard output; the error has a line for each problem.
fn check(config: &Config, env_files: &[PathBuf]) -> Result<(), String> {
    let mut found = server::check(config);
    // Root may read anything, but papod will run as the owner of the database.
    let user = owner::of(&config.db).filter(|user| geteuid().is_root() && *user != 0);
    if let Some(user) = user {
        let name = owner::name(user);
        let tls = config.tls.as_ref();
        let tls = tls.into_iter().flat_map(|tls| [&tls.certificate, &tls.key]);
        let files: Vec<&PathBuf> = tls.chain(env_files).collect();
        let closed: Vec<_> = files.iter().filter(|file| owner::is_kept_from(user, file)).collect();
        if closed.is_empty() && !files.is_empty() {
            found.remarks.push(format!("{name}, who owns the database, can read the files"));
        }
        found.problems.extend(closed.iter().filter_map(|file| {
            let whose = owner::whose(file, &fs::metadata(file).ok()?);
            Some(format!("{whose}; {name}, who owns the database, cannot read it"))
        }));
    }
    for remark in &found.remarks {
        writeln!(io::stdout(), "{remark}").map_err(|e| format!("standard output: {e}"))?;
    }
    if found.problems.is_empty() { Ok(()) } else { Err(found.problems.join("\n")) }
}

/// Notifies the service manager, if there is one that asked for it.
fn notify(state: &[NotifyState]) {
    if let Err(e) = sd_notify::notify(state) {
        log::warn!("cannot notify the service manager: {e}");
    }
}

fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// What SIGHUP does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hangup {
    /// Nothing: papod was started by nohup(1), and has no certificate to reload.
    Ignored,
    /// The terminal was closed: papod stops, as any program does.
    Ends,
    /// Reloads the certificate, unless the terminal that papod was started at has been closed.
    ReloadsAtTerminal,
    /// Reloads the certificate: there is a service manager, or at least no terminal.
    Reloads,
}

impl Hangup {
    fn at_start(has_certificate: bool) -> Hangup {
        match (is_hangup_ignored(), has_terminal(), has_certificate) {
            (true, _, false) => Hangup::Ignored,
            (true, _, true) | (_, false, _) => Hangup::Reloads,
            (_, _, true) => Hangup::ReloadsAtTerminal,
            (_, _, false) => Hangup::Ends,
        }
    }

    fn ends(self) -> bool {
        self == Hangup::Ends || (self == Hangup::ReloadsAtTerminal && !has_terminal())
    }
}

/// Whether papod was started with SIGHUP ignored (proc_pid_status(5): signal 1 is the lowest bit).
fn is_hangup_ignored() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_some_and(|mask| mask & 1 == 1)
}

/// Whether papod has a controlling terminal; it loses it when the terminal is closed (tty(4)).
fn has_terminal() -> bool {
    File::open("/dev/tty").is_ok()
}

/// Waits for SIGTERM, SIGINT or a SIGHUP that stops papod; any other SIGHUP reloads the
/// certificate.
async fn asked_to_end(mut signals: Signals, hangup: Hangup, server: &Server) -> Result<(), String> {
    while let Some(Ok(Signal::Hup)) = signals.next().await {
        if hangup.ends() {
            break;
        }
        let since_boot = NotifyState::monotonic_usec_now();
        notify(&[vec![NotifyState::Reloading], since_boot.into_iter().collect()].concat());
        let status = match server.reload() {
            Some(Ok(())) => {
                log::info!("certificate reloaded");
                String::new()
            }
            Some(Err(e)) => {
                log::error!("the certificate stays as it is: {e}");
                format!("the certificate could not be reloaded: {e}")
            }
            None => {
                log::info!("SIGHUP: nothing to reload without TLS");
                String::new()
            }
        };
        notify(&[NotifyState::Ready, NotifyState::Status(&status)]);
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

/// Makes the folders that a file is in.
fn make_folders(file: &Path) -> Result<(), String> {
    let Some(folder) = file.parent() else { return Ok(()) };
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|e| format!("{}: {e}", folder.display()))
}

fn is_url(path: &std::path::Path) -> bool {
    path.to_str().is_some_and(|text| text.contains("://"))
}

/// The scheme of a URL: the rest may hold a password.
fn scheme(path: &std::path::Path) -> String {
    let text = path.to_string_lossy();
    let scheme = text.split("://").next().unwrap_or_default();
    format!("{scheme}://")
}

/// The host to type for this address.
fn host(address: &std::net::SocketAddr) -> String {
    if address.ip().is_loopback() || address.ip().is_unspecified() {
        return "localhost".into();
    }
    address.ip().to_string()
}

/// Raises the limit on open files, one per connection, as far as the system allows, and warns if
/// that is too low for `connections`.
fn raise_open_files(connections: u64) {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(e) = setrlimit(Resource::Nofile, limit) {
        log::warn!("cannot raise the limit on open files: {e}");
    }
    if let Some(most) = limit.maximum.filter(|most| *most < connections) {
        log::warn!(
            "the system allows {most} open files, and --limit-connections is {connections}; \
             LimitNOFILE= in the unit or ulimit -Hn raises that"
        );
    }
}
