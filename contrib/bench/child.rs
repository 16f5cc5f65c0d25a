//! The processes that are measured: papod, and the limits, which are this program under another
//! role, as are those that hold idle sessions. Each stays on the servers' cores, listens on loopback only, ends with this process at the
//! latest, and is ended by its own number.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};

use crate::mark_rows::{self, Kind};
use crate::{Outcome, idle_sessions, limit, machine, rows, tls, wire};

/// The first argument of this program when it plays a role.
pub const ROLE: &str = "--role";
/// Time for papod to start.
const START: Duration = Duration::from_secs(20);
/// Time for a process to end by itself.
const END: Duration = Duration::from_secs(10);

/// A server that runs.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    /// Where papod counts; the limits do not.
    pub metrics: Option<SocketAddr>,
    /// How long it took from its start until it listened.
    pub start: Duration,
    /// What papod has said.
    log: Option<PathBuf>,
}

impl Server {
    /// Starts papod on a database in this folder, a new one unless one is there.
    pub fn papod(
        program: &Path,
        folder: &Path,
        cores: &[usize],
        tls: bool,
        flags: &[&str],
    ) -> Outcome<Server> {
        Server::start(program, folder, folder.join("papo.db").as_os_str(), cores, tls, flags)
    }

    /// Starts papod on the PostgreSQL database at this URL. What it says goes into this folder.
    pub fn papod_on(
        program: &Path,
        folder: &Path,
        url: &str,
        cores: &[usize],
        flags: &[&str],
    ) -> Outcome<Server> {
        Server::start(program, folder, url.as_ref(), cores, false, flags)
    }

    fn start(
        program: &Path,
        folder: &Path,
        db: &OsStr,
        cores: &[usize],
        tls: bool,
        flags: &[&str],
    ) -> Outcome<Server> {
        fs::create_dir_all(folder)?;
        let log = folder.join("papod.log");
        // A file, not a pipe: nobody would read a pipe while the load runs.
        let output = File::create(&log)?;
        let start = Instant::now();
        let mut command = role("papod", cores)?;
        command.arg(program);
        if tls {
            let [certificate, key] = tls::files();
            command.args(["--tls-listen", "127.0.0.1:0", "--tls-cert"]).arg(certificate);
            command.arg("--tls-key").arg(key);
        }
        let child = command
            .args(["--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--db"])
            .arg(db)
            .args(flags)
            .stdout(Stdio::null())
            .stderr(output)
            .spawn()?;
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let log = Some(log);
        let mut server = Server { child, address, metrics: None, start: Duration::ZERO, log };
        loop {
            let way = if tls { "listening on tls:" } else { "listening on " };
            let said = server.said();
            if let Some(address) = address_after(way, &said) {
                if tls {
                    tls::is_spoken_at(address)?;
                } else {
                    tls::is_not_spoken_at(address);
                }
                (server.address, server.start) = (address, start.elapsed());
                server.metrics = address_after("metrics at http://", &said);
                return Ok(server);
            }
            if server.child.try_wait()?.is_some() || start.elapsed() > START {
                return Err(format!("papod does not start:\n{}", server.said()).into());
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Starts the bare relay. With a journal it syncs before it confirms.
    pub fn limit(journal: Option<&Path>, cores: &[usize]) -> Outcome<Server> {
        let mut command = role("limit", cores)?;
        command.args(journal).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        let address = line.trim().parse()?;
        tls::is_not_spoken_at(address);
        Ok(Server { child, address, metrics: None, start: Duration::ZERO, log: None })
    }

    /// Where papod serves HTTP, if it was told to.
    pub fn http(&self) -> Outcome<SocketAddr> {
        let begun = Instant::now();
        while begun.elapsed() < START {
            if let Some(address) = address_after("listening on http://", &self.log()) {
                tls::is_not_spoken_at(address);
                return Ok(address);
            }
            thread::sleep(Duration::from_millis(1));
        }
        Err(format!("papod does not serve HTTP:\n{}", self.said()).into())
    }

    /// Whether papod has said this.
    pub fn has_said(&self, words: &str) -> bool {
        self.log().contains(words)
    }

    /// Waits until papod has said this.
    pub fn until_said(&self, words: &str) -> Outcome<()> {
        let begun = Instant::now();
        while begun.elapsed() < START {
            if self.has_said(words) {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(1));
        }
        Err(format!("papod does not say {words:?}:\n{}", self.said()).into())
    }

    /// Ends it at once, whatever it is doing.
    pub fn kill(mut self) {
        let _ = self.child.kill();
    }

    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// All that papod has said.
    fn log(&self) -> String {
        let text = self.log.as_ref().map(fs::read).and_then(Result::ok);
        String::from_utf8_lossy(&text.unwrap_or_default()).into_owned()
    }

    /// The last lines that papod has said, for an error.
    pub fn said(&self) -> String {
        let text = self.log();
        let first = text.lines().count().saturating_sub(8);
        text.lines().skip(first).map(|line| format!("  {line}\n")).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that has ended already needs nothing.
        let _ = kill_process(self.pid(), Signal::TERM);
        let start = Instant::now();
        while start.elapsed() < END {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The first address that papod has said after these words.
fn address_after(words: &str, log: &str) -> Option<SocketAddr> {
    let line = |line: &str| line.rsplit_once(words)?.1.split('/').next()?.trim().parse().ok();
    log.lines().find_map(line)
}

/// Has bare SQLite or PostgreSQL write rows for a while. Gives back rows per second and CPU seconds
/// of this process per row.
pub fn rows(
    of: &str,
    db: &OsStr,
    batch: usize,
    time: Duration,
    cores: &[usize],
) -> Outcome<(f64, f64)> {
    let output = role(of, cores)?
        .arg(db)
        .args([batch.to_string(), time.as_millis().to_string()])
        .stderr(Stdio::inherit())
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    let (rate, cpu) = text.trim().split_once(' ').ok_or_else(|| format!("bare {of} failed"))?;
    Ok((rate.parse()?, cpu.parse()?))
}

/// This program in a role.
pub fn role(name: &str, cores: &[usize]) -> Outcome<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    let cores: Vec<_> = cores.iter().map(usize::to_string).collect();
    command.args([ROLE, name, &cores.join(",")]).stdin(Stdio::null());
    Ok(command)
}

/// Plays a role: what this program does when it was started by itself.
pub fn play(arguments: &[String]) -> Outcome<()> {
    let [name, cores, arguments @ ..] = arguments else {
        return Err("a role has a name and cores".into());
    };
    // No server outlives the benchmark, whatever becomes of that. It outlives the exec below.
    set_parent_process_death_signal(Some(Signal::TERM))?;
    let cores: Result<Vec<usize>, _> = cores.split(',').map(str::parse).collect();
    machine::pin(&cores?)?;
    machine::raise_open_files()?;
    match (name.as_str(), arguments) {
        // Gives back only where it fails.
        ("papod", [program, flags @ ..]) => Err(Command::new(program).args(flags).exec().into()),
        ("limit", []) => limit::run(None),
        ("limit", [journal]) => limit::run(Some(Path::new(journal))),
        ("sqlite", [file, batch, time]) => {
            let time = Duration::from_millis(time.parse()?);
            rows::run(Path::new(file), batch.parse()?, time)
        }
        (kind @ ("messages" | "edits" | "reactions"), [file, batch, time]) => {
            let kind = match kind {
                "messages" => Kind::Message,
                "edits" => Kind::Edit,
                _ => Kind::Reaction,
            };
            let time = Duration::from_millis(time.parse()?);
            mark_rows::run(Path::new(file), batch.parse()?, time, kind)
        }
        #[cfg(feature = "postgres")]
        ("postgres", [url, batch, time]) => {
            let time = Duration::from_millis(time.parse()?);
            crate::pg_rows::run(url, batch.parse()?, time)
        }
        ("idle-sessions", [server, first, count]) => {
            idle_sessions::run(server.parse()?, first.parse()?, count.parse()?)
        }
        ("wire", []) => wire::list(),
        ("wire", [kind, count]) => wire::run(kind, count.parse()?),
        _ => Err(format!("unknown role {name}").into()),
    }
}
