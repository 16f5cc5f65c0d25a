//! PostgreSQL servers of the tests' own, and the benchmark's: each in a temporary folder, on a Unix
//! socket in it, and ended by its process id with the thread that started it.

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, geteuid, kill_process};

use crate::{ports, signals};

/// The user that has no files, and its group.
const NOBODY: u32 = 65_534;

/// For how long a server is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server, and the folder of its socket.
pub struct Cluster {
    folder: Folder,
    settings: Vec<String>,
    server: Child,
    pub port: u16,
}

/// A folder that is removed with its last process, however the tests end: a server may outlive
/// them by a moment, and what it has in memory counts.
struct Folder {
    path: PathBuf,
    /// What the server stores: in it, or in a folder of its own on this disk.
    data: PathBuf,
    disk: Option<PathBuf>,
    /// A shell that removes it once this process has ended.
    keeper: Child,
}

/// The usual port, which names a socket in a folder as well.
const PORT: u16 = 5432;

/// A session between two statements: it has no snapshot, so what others replace can be removed.
pub struct IdleSession(Child);

impl Drop for IdleSession {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// Where a program of PostgreSQL is, if it is not in the usual folders: Debian's are not.
pub fn found(name: &str) -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut files = folders.map(|folder| folder.path().join("bin").join(name));
    files.find(|file| file.exists())
}

/// Whether PostgreSQL is installed.
pub fn is_installed() -> bool {
    let runs = |name| Command::new(name).arg("--version").output().is_ok();
    found("postgres").is_some() || runs("postgres")
}

/// A program of PostgreSQL. If the tests are killed, it ends as well.
pub fn program(name: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "QUIT"]).stdin(Stdio::null());
    if geteuid().is_root() {
        // It refuses to run as root.
        let (user, group) = (format!("--reuid={NOBODY}"), format!("--regid={NOBODY}"));
        command.args([&user, &group, "--clear-groups"]);
    }
    command.arg("--").arg(found(name).unwrap_or_else(|| name.into()));
    command
}

/// Lets everybody use a folder, the user among them that servers run as.
pub fn open_to_all(folder: &Path) {
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o777)).unwrap();
}

/// New folders that the server may use, in memory but for what it stores on a disk: how fast one is
/// must not matter to the tests.
fn folder(disk: Option<&Path>) -> Folder {
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap().keep();
    let store = match disk {
        Some(disk) => tempfile::tempdir_in(disk).unwrap().keep(),
        None => folder.clone(),
    };
    open_to_all(&folder);
    open_to_all(&store);
    let script = "trap '' INT TERM; cat; while ! rm -rf \"$@\"; do :; done";
    let mut keeper = Command::new("sh");
    keeper.args(["-c", script, "sh"]).args([&folder, &store]).stdin(Stdio::piped());
    let keeper = keeper.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("sh runs");
    Folder { path: folder, data: store.join("data"), disk: disk.map(Path::to_owned), keeper }
}

impl Folder {
    fn path(&self) -> &Path {
        &self.path
    }

    /// Where a copy of what is stored is.
    fn copy(&self) -> PathBuf {
        self.data.with_file_name("copy")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// Runs a program that makes the data of a server.
fn make(command: &mut Command) {
    let made = command.output().expect("it runs: apt-get install postgresql");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

impl Cluster {
    /// Makes a cluster and starts its server. Nobody needs a password but the role `locked`.
    pub fn start() -> Cluster {
        Cluster::start_with(&[])
    }

    /// The same with these settings.
    pub fn start_with(settings: &[&str]) -> Cluster {
        Cluster::serve(Cluster::made(None), PORT, settings)
    }

    /// The same with its data in a new folder in this one, and synced. Its standbys have theirs
    /// there, too.
    pub fn start_on_disk(disk: &Path, settings: &[&str]) -> Cluster {
        Cluster::serve(Cluster::made(Some(disk)), PORT, settings)
    }

    /// The same on a port of localhost, for connections with TLS only, with this certificate and
    /// its key.
    pub fn start_with_tls(certificate: &Path, key: &Path) -> Cluster {
        let folder = Cluster::made(None);
        for (from, to) in [(certificate, "server.crt"), (key, "server.key")] {
            let to = folder.data.join(to);
            std::fs::copy(from, &to).unwrap();
            std::fs::set_permissions(&to, std::fs::Permissions::from_mode(0o600)).unwrap();
            if geteuid().is_root() {
                std::os::unix::fs::chown(&to, Some(NOBODY), Some(NOBODY)).unwrap();
            }
        }
        // PostgreSQL cannot choose a free one itself.
        Cluster::serve(folder, ports::free(&[]), &["ssl=on", "listen_addresses=127.0.0.1"])
    }

    /// A folder with the data of a new server.
    fn made(disk: Option<&Path>) -> Folder {
        let folder = folder(disk);
        make(
            program("initdb")
                .args(["--username=papo", "--auth=trust", "--no-sync", "--encoding=UTF8"])
                .args(["--locale=C", "--pgdata"])
                .arg(&folder.data),
        );
        // The last two are machines in namespaces of their own.
        let access = "local all locked scram-sha-256\nlocal all all trust\n\
                      local replication all trust\nhostssl all all all trust\n\
                      host all all 10.0.0.0/24 trust\nhost replication all 10.0.0.0/24 trust\n";
        std::fs::write(folder.data.join("pg_hba.conf"), access).unwrap();
        folder
    }

    /// A standby of this server.
    pub fn standby(&self) -> Cluster {
        self.standby_over(self.path(), &[])
    }

    /// The same with these settings. It reaches this server at a host, or in a folder.
    pub fn standby_over(&self, host: impl AsRef<OsStr>, settings: &[&str]) -> Cluster {
        let folder = folder(self.folder.disk.as_deref());
        make(
            program("pg_basebackup")
                .args(["-U", "papo", "--checkpoint=fast", "--no-sync", "-R", "-h"])
                .arg(host)
                .arg("-D")
                .arg(&folder.data),
        );
        Cluster::serve(folder, PORT, settings)
    }

    fn serve(folder: Folder, port: u16, settings: &[&str]) -> Cluster {
        let settings: Vec<String> = settings.iter().map(|it| (*it).to_owned()).collect();
        let server = Cluster::spawn(&folder, port, &settings);
        let cluster = Cluster { folder, settings, server, port };
        cluster.until("postgres", "SELECT true");
        cluster
    }

    /// Serves again what it has stored, after it was killed.
    pub fn start_again(&mut self) {
        self.server = Cluster::spawn(&self.folder, self.port, &self.settings);
        self.until("postgres", "SELECT true");
    }

    /// Copies what it stores, while it does not run.
    pub fn copy(&self) {
        make(Command::new("cp").arg("-a").arg(&self.folder.data).arg(self.folder.copy()));
    }

    /// Stores what it did when it was copied, while it does not run.
    pub fn put_back(&self) {
        std::fs::remove_dir_all(&self.folder.data).unwrap();
        std::fs::rename(self.folder.copy(), &self.folder.data).unwrap();
    }

    fn spawn(folder: &Folder, port: u16, settings: &[String]) -> Child {
        let mut server = program("postgres");
        server.arg("-D").arg(&folder.data).arg("-k").arg(folder.path());
        server.arg("-p").arg(port.to_string());
        // Memory of its processes as files in the folder, so that none is left if it is killed.
        let memory = "dynamic_shared_memory_type=mmap";
        let synced = if folder.disk.is_some() { "fsync=on" } else { "fsync=off" };
        let usual = ["listen_addresses=", synced, "max_connections=500", memory];
        for setting in usual.into_iter().chain(settings.iter().map(String::as_str)) {
            server.arg("-c").arg(setting);
        }
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        server.stdout(Stdio::null()).stderr(log).spawn().expect("postgres starts")
    }

    /// The folder of its socket.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Its socket.
    pub fn socket(&self) -> PathBuf {
        self.path().join(format!(".s.PGSQL.{}", self.port))
    }

    /// All its files, those that may vanish among them.
    pub fn files(&self) -> Vec<PathBuf> {
        let (mut files, mut folders) = (Vec::new(), vec![self.path().to_owned()]);
        while let Some(folder) = folders.pop() {
            for entry in folder.read_dir().into_iter().flatten().flatten() {
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                    Ok(kind) if kind.is_file() => files.push(entry.path()),
                    _ => {}
                }
            }
        }
        files
    }

    /// psql, which says nothing but what it is asked.
    pub fn psql(&self, database: &str) -> Command {
        let mut psql = program("psql");
        psql.arg("-h").arg(self.path()).arg("-p").arg(self.port.to_string());
        psql.args(["-U", "papo", "-qAt", "-d", database]);
        psql
    }

    /// A session that runs SQL and stays until it is dropped.
    pub fn session(&self, database: &str, sql: &str) -> IdleSession {
        let mut psql = self.psql(database);
        let mut psql = psql.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("psql runs");
        let stdin = psql.stdin.as_mut().expect("it was asked for");
        writeln!(stdin, "{sql};").expect("psql reads");
        IdleSession(psql)
    }

    /// Runs SQL; returns what it says, or `None` if it fails.
    pub fn ask(&self, database: &str, sql: &str) -> Option<String> {
        let output = self.psql(database).args(["-c", sql]).output().expect("psql runs");
        let said = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        output.status.success().then_some(said)
    }

    /// Runs SQL; returns whether that worked.
    pub fn run(&self, database: &str, sql: &str) -> bool {
        self.ask(database, sql).is_some()
    }

    /// Waits until a question is answered with true.
    pub fn until(&self, database: &str, sql: &str) {
        let begun = Instant::now();
        while self.ask(database, sql).as_deref() != Some("t") {
            assert!(begun.elapsed() < PATIENCE, "PostgreSQL does not say yes to {sql}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The name of a new database.
    pub fn make_database(&self) -> String {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("papo{}", COUNT.fetch_add(1, Ordering::Relaxed));
        assert!(self.run("postgres", &format!("CREATE DATABASE {name}")));
        name
    }

    /// Removes a database that is no longer used.
    pub fn drop_database(&self, name: &str) {
        assert!(self.run("postgres", &format!("DROP DATABASE {name} WITH (FORCE)")));
    }

    /// The URL of a new database.
    pub fn database(&self) -> String {
        url(&[self], &self.make_database())
    }

    /// Stops receiving the log from its primary, by stopping the process that does.
    pub fn stop(&self) {
        self.signal_receiver(Signal::STOP);
    }

    /// Goes on receiving it.
    pub fn go_on(&self) {
        self.signal_receiver(Signal::CONT);
    }

    fn signal_receiver(&self, signal: Signal) {
        let sql = "SELECT pid FROM pg_stat_wal_receiver";
        let id = self.ask("postgres", sql).and_then(|id| Pid::from_raw(id.parse().ok()?));
        signals::send(id.expect("it receives"), signal).unwrap();
    }

    /// Receives no more from its primary.
    pub fn detach(&self) {
        assert!(self.run("postgres", "ALTER SYSTEM SET primary_conninfo = ''"));
        assert!(self.run("postgres", "SELECT pg_reload_conf()"));
        self.until("postgres", "SELECT count(*) = 0 FROM pg_stat_wal_receiver");
    }

    /// Kills all its processes, as a machine dies that loses power.
    pub fn kill(&mut self) {
        let children = self.children();
        self.server.kill().unwrap();
        for child in children {
            // It may have ended with its parent.
            let _ = kill_process(child, Signal::KILL);
        }
        self.server.wait().unwrap();
    }

    /// Sends all its processes a signal, so that they stop or go on as a machine does.
    pub fn signal(&self, signal: Signal) {
        for process in self.children().into_iter().chain([Pid::from_child(&self.server)]) {
            // It may have ended.
            let _ = signals::send(process, signal);
        }
    }

    /// Its processes but for the first, which has started them.
    pub fn children(&self) -> Vec<Pid> {
        let parent = self.server.id().to_string();
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let child = |process: std::fs::DirEntry| {
            let stat = std::fs::read_to_string(process.path().join("stat")).ok()?;
            // After the name, which is in parentheses: the state, and the parent.
            let of = stat.rsplit_once(") ")?.1.split(' ').nth(1)?;
            let is_child = of == parent;
            is_child.then(|| process.file_name().to_str()?.parse().ok().and_then(Pid::from_raw))?
        };
        processes.filter_map(child).collect()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.server.try_wait().is_ok_and(|ended| ended.is_none()) {
            let _ = kill_process(Pid::from_child(&self.server), Signal::QUIT);
            let _ = self.server.wait();
        }
    }
}

/// The URL of a database on one of these servers.
pub fn url(servers: &[&Cluster], database: &str) -> String {
    let folder = |server: &&Cluster| server.path().display().to_string().replace('/', "%2F");
    let hosts: Vec<String> = servers.iter().map(folder).collect();
    format!("postgres://papo@{}/{database}", hosts.join(","))
}

/// The server that the tests share.
pub fn cluster() -> &'static Cluster {
    static SHARED: OnceLock<Cluster> = OnceLock::new();
    SHARED.get_or_init(|| {
        // The thread that starts it has to live as long as the tests do: the server ends with it.
        let (say, hear) = std::sync::mpsc::channel();
        thread::spawn(move || {
            let _ = say.send(Cluster::start());
            loop {
                thread::park();
            }
        });
        hear.recv().expect("PostgreSQL starts")
    })
}
