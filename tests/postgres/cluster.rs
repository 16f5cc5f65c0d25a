//! A PostgreSQL server of the tests' own: in a temporary folder, on a Unix socket in it, and ended
//! by its process id when the last test has ended.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Signal, geteuid};

/// For how long a server is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server, and the folder of its socket.
pub struct Cluster {
    _folder: tempfile::TempDir,
    socket: PathBuf,
    _server: Child,
}

/// A program of PostgreSQL, which Debian does not put into the usual folders.
fn program(name: &str) -> Command {
    let folders = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let found = folders.map(|folder| folder.path().join("bin").join(name)).find(|it| it.exists());
    let mut command = Command::new(found.unwrap_or_else(|| name.into()));
    command.stdin(Stdio::null());
    if geteuid().is_root() {
        // It refuses to run as root.
        command.uid(65_534).gid(65_534);
    }
    // If the tests are killed, it ends as well.
    let ask = || Ok(rustix::process::set_parent_process_death_signal(Some(Signal::QUIT))?);
    // SAFETY: between fork and exec it makes one system call and allocates nothing.
    unsafe {
        command.pre_exec(ask);
    }
    command
}

fn open_to_all(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o777)).unwrap();
}

impl Cluster {
    /// Makes a cluster and starts its server. How fast a disk is must not matter here.
    pub fn start() -> Cluster {
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        open_to_all(folder.path());
        let data = folder.path().join("data");
        let made = program("initdb")
            .args(["--username=papo", "--auth=trust", "--no-sync", "--encoding=UTF8"])
            .args(["--locale=C", "--pgdata"])
            .arg(&data)
            .output()
            .expect("initdb runs: apt-get install postgresql");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mut server = program("postgres");
        server.arg("-D").arg(&data).arg("-k").arg(folder.path());
        for setting in ["listen_addresses=", "fsync=off", "max_connections=200"] {
            server.arg("-c").arg(setting);
        }
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let server = server.stdout(Stdio::null()).stderr(log).spawn().expect("postgres starts");
        let socket = folder.path().to_owned();
        let cluster = Cluster { _folder: folder, socket, _server: server };
        let begun = Instant::now();
        while !cluster.run("postgres", "SELECT 1") {
            assert!(begun.elapsed() < PATIENCE, "PostgreSQL does not answer");
            thread::sleep(Duration::from_millis(20));
        }
        cluster
    }

    /// Runs SQL; returns whether that worked.
    pub fn run(&self, database: &str, sql: &str) -> bool {
        let mut psql = program("psql");
        psql.arg("-h").arg(&self.socket).args(["-U", "papo", "-q", "-c", sql, database]);
        psql.output().expect("psql runs").status.success()
    }

    /// The URL of a new database.
    pub fn database(&self) -> String {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("papo{}", COUNT.fetch_add(1, Ordering::Relaxed));
        assert!(self.run("postgres", &format!("CREATE DATABASE {name}")));
        let folder = self.socket.display().to_string().replace('/', "%2F");
        format!("postgres://papo@{folder}/{name}")
    }
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
