//! PostgreSQL under Patroni with the settings of contrib/cluster, and two papods on it: primaries
//! fail and are replaced, and nothing that was confirmed is lost or there twice. Needs patroni and
//! etcd-server to be installed.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::cluster::{found, open_to_all, program};
use crate::machines::start_nodes;
use crate::ports;
use crate::process::{self, Client, Papod, id};
use crate::team::People;

/// How many people write at once.
const WRITERS: usize = 4;

/// Nothing takes longer than this: a machine that is lost is noticed after 20 s.
const PATIENCE: Duration = Duration::from_secs(90);

/// Everybody's password in PostgreSQL.
const SECRET: &str = "SECRET";

/// A machine's PostgreSQL, and the Patroni that keeps it.
struct Member {
    name: String,
    folder: PathBuf,
    port: u16,
    /// Where Patroni answers by HTTP.
    rest: u16,
    patroni: Child,
}

/// Three machines with PostgreSQL, and etcd.
struct Members {
    etcd: Child,
    members: Vec<Member>,
    /// A shell that ends the PostgreSQL of each, which outlives its Patroni, and removes the files,
    /// once this process has ended or says so.
    keeper: Child,
}

/// Starts something whose standard output and error are in a file.
fn start(command: &mut Command, log: &Path) -> Child {
    let log = fs::File::create(log).unwrap();
    command.stdout(log.try_clone().unwrap()).stderr(log).spawn().expect("setpriv is installed")
}

fn etcd(folder: &Path, port: u16) -> Child {
    let (own, peers) =
        (format!("http://127.0.0.1:{port}"), format!("http://127.0.0.1:{}", ports::free(&[])));
    let mut etcd = program("etcd");
    etcd.arg("--data-dir").arg(folder.join("etcd"));
    etcd.args(["--listen-client-urls", &own, "--advertise-client-urls", &own]);
    etcd.args(["--listen-peer-urls", &peers, "--initial-advertise-peer-urls", &peers]);
    etcd.args(["--initial-cluster", &format!("default={peers}")]);
    start(&mut etcd, &folder.join("etcd.log"))
}

impl Member {
    /// Starts the Patroni of a machine, with the files of contrib/cluster in a folder.
    fn start(folder: &Path, number: usize, etcd: u16) -> Member {
        let contrib = Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib/cluster");
        let name = format!("db{number}");
        let (folder, port, rest) = (folder.join(&name), ports::free(&[]), ports::free(&[]));
        let settings = folder.join("papo.yml");
        fs::create_dir_all(&settings).unwrap();
        open_to_all(&folder);
        fs::copy(contrib.join("patroni.yml"), settings.join("patroni.yml")).unwrap();
        let mut own = fs::read_to_string(contrib.join("node.yml")).unwrap();
        let bin = found("postgres").expect("PostgreSQL is Debian's");
        for (from, to) in [
            ("name: db1", format!("name: {name}")),
            ("10.0.0.1:2379,10.0.0.2:2379,10.0.0.3:2379", format!("127.0.0.1:{etcd}")),
            ("10.0.0.1:8008", format!("127.0.0.1:{rest}")),
            ("10.0.0.1:5432", format!("127.0.0.1:{port}")),
            ("/usr/lib/postgresql/15/bin", bin.parent().unwrap().display().to_string()),
            ("/var/lib/postgresql/15/papo", folder.join("data").display().to_string()),
            ("/var/lib/postgresql", folder.display().to_string()),
            ("/run/postgresql", folder.display().to_string()),
        ] {
            assert!(own.contains(from), "{from} is not in node.yml");
            own = own.replace(from, &to);
        }
        fs::write(settings.join("node.yml"), own).unwrap();
        let mut patroni = program("patroni");
        patroni.arg(&settings).env("HOME", &folder).current_dir(&folder);
        let patroni = start(&mut patroni, &folder.join("log"));
        Member { name, folder, port, rest, patroni }
    }

    /// Runs SQL; returns what it says, or `None` if it fails.
    fn ask(&self, sql: &str) -> Option<String> {
        let mut psql = program("psql");
        psql.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", "postgres", "-qAt"]);
        psql.args(["-c", sql, "postgres"]).env("PGPASSWORD", SECRET);
        psql.env("PGCONNECT_TIMEOUT", "5");
        let output = psql.output().expect("psql runs");
        let said = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        output.status.success().then_some(said)
    }

    fn is_primary(&self) -> bool {
        self.ask("SELECT NOT pg_is_in_recovery()").as_deref() == Some("t")
    }

    /// Whether all Patronis know that it is the one to wait for.
    fn is_synchronous(&self) -> bool {
        let ask = || {
            let mut socket = TcpStream::connect(("127.0.0.1", self.rest)).ok()?;
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            socket.write_all(b"GET /synchronous HTTP/1.0\r\n\r\n").ok()?;
            let mut answer = String::new();
            socket.read_to_string(&mut answer).ok()?;
            Some(answer.split(' ').nth(1)? == "200")
        };
        ask().unwrap_or(false)
    }

    /// `kill -9` of its PostgreSQL.
    fn kill_postgres(&self) {
        let file = fs::read_to_string(self.folder.join("data/postmaster.pid")).unwrap();
        let pid = Pid::from_raw(file.lines().next().unwrap().parse().unwrap()).unwrap();
        kill_process(pid, Signal::KILL).unwrap();
    }
}

impl Members {
    fn start() -> Members {
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let folder = folder.keep();
        open_to_all(&folder);
        let script = "trap '' INT TERM; cat
            for file in \"$1\"/*/data/postmaster.pid; do
                if [ -e \"$file\" ]; then kill -QUIT \"$(head -n 1 \"$file\")\"; fi
            done
            while ! rm -rf \"$1\"; do :; done";
        let mut keeper = Command::new("sh");
        keeper.args(["-c", script, "sh"]).arg(&folder).stdin(Stdio::piped());
        let keeper = keeper.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("sh runs");
        let port = ports::free(&[]);
        let etcd = etcd(&folder, port);
        let members = (1..=3).map(|number| Member::start(&folder, number, port)).collect();
        let members = Members { etcd, members, keeper };
        members.until_whole();
        members
    }

    /// Waits until something is there.
    fn until<T>(&self, what: &str, is_there: impl Fn() -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            if let Some(it) = is_there() {
                return it;
            }
            let log = |it: &Member| fs::read_to_string(it.folder.join("log")).unwrap();
            let logs = || self.members.iter().map(log).collect::<String>();
            assert!(began.elapsed() < PATIENCE, "{what}:\n{}", logs());
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Waits until there is a primary with two standbys, of which Patroni has chosen one to wait
    /// for. Returns which is the primary.
    fn until_whole(&self) -> usize {
        let all = "SELECT count(*) = 2 FROM pg_stat_replication
            WHERE application_name LIKE 'db%' AND state = 'streaming'";
        self.until("not whole", || {
            let standby = self.members.iter().position(Member::is_synchronous)?;
            let primary = self.members.iter().position(Member::is_primary)?;
            let is_whole = self.members[primary].ask(all)? == "t" && primary != standby;
            is_whole.then_some(primary)
        })
    }

    /// Waits until another is the primary.
    fn until_primary_is_not(&self, former: usize) {
        let others = || self.members.iter().enumerate().filter(|(at, _)| *at != former);
        self.until("no other primary", || others().find(|(_, it)| it.is_primary()));
    }

    /// Has Patroni make the standby that is waited for the primary.
    fn switch_over(&self, from: usize) {
        let from = &self.members[from];
        self.until("no switchover", || {
            // It may have become another one.
            let to = self.members.iter().find(|it| it.is_synchronous())?;
            let mut patronictl = program("patronictl");
            patronictl.arg("-c").arg(from.folder.join("papo.yml")).args(["switchover", "papo"]);
            patronictl.args(["--leader", &from.name, "--candidate", &to.name, "--force"]);
            // Python wants to know how text is encoded.
            patronictl.env("HOME", &from.folder).env("LC_ALL", "C.UTF-8");
            let said = patronictl.output().expect("patronictl runs").stdout;
            String::from_utf8_lossy(&said).contains("Successfully switched over").then_some(())
        });
    }

    /// A papod that knows all of them.
    fn papod(&self) -> Papod {
        let hosts = self.members.iter().map(|it| format!("127.0.0.1:{}", it.port));
        let hosts: Vec<String> = hosts.collect();
        let mut papod = process::papod();
        papod.args(process::USUAL).args(["--standby", "required", "--db"]);
        papod.arg(format!("postgres://papo@{}/papo", hosts.join(",")));
        papod.env("PGPASSWORD", SECRET);
        Papod::spawn(papod)
    }
}

impl Drop for Members {
    fn drop(&mut self) {
        let patronis = self.members.iter_mut().map(|member| &mut member.patroni);
        for child in patronis.chain([&mut self.etcd]) {
            // It may have been killed.
            let _ = child.kill();
            let _ = child.wait();
        }
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// What a session of bob's hears that lasts all the time.
fn listen(mut bob: Client) -> Vec<u64> {
    let mut heard = Vec::new();
    loop {
        let line = bob.line();
        if line.ends_with(" that is all") {
            return heard;
        }
        if line.starts_with("MSG ") {
            heard.push(id(&line));
        }
    }
}

/// Lets those who write end if something fails.
struct Over<'a>(&'a People);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.enough.store(true, Ordering::SeqCst);
    }
}

#[test]
#[ignore = "needs patroni and etcd-server"]
fn patroni_fails_over_and_nothing_is_lost() {
    let mut members = Members::start();
    let primary = members.until_whole();
    let make = ["CREATE ROLE papo LOGIN PASSWORD 'SECRET'", "CREATE DATABASE papo OWNER papo"];
    assert!(make.iter().all(|sql| members.members[primary].ask(sql).is_some()));
    let nodes = start_nodes::<2>(|_| members.papod());
    nodes[1].until_logged("has joined the leader");
    (0..WRITERS).for_each(|n| drop(nodes[n % 2].register(&format!("w{n}"))));
    drop(nodes[0].register("bob"));
    let bobs = nodes.each_ref().map(|node| node.login("bob").0);
    let addresses = Mutex::new(nodes.each_ref().map(|node| node.address).into());
    let (enough, confirmed) = Default::default();
    let people = &People { addresses, enough, confirmed, patience: PATIENCE };
    let (written, heard) = thread::scope(|scope| {
        let _over = Over(people);
        let listeners = bobs.map(|bob| {
            bob.socket().set_read_timeout(Some(PATIENCE)).unwrap();
            scope.spawn(move || listen(bob))
        });
        let writers: Vec<_> = (0..WRITERS).map(|n| scope.spawn(move || people.write(n))).collect();
        people.progress(200);
        // Before each, all is whole.
        let mut happens = |what: &str, event: &dyn Fn(&mut Members, usize)| {
            let primary = members.until_whole();
            let before = people.count();
            event(&mut members, primary);
            members.until_primary_is_not(primary);
            people.progress(200);
            println!("{what}: {:.1?} without OK", people.progress_from(before, 0));
        };
        happens("PostgreSQL of the primary killed", &|members, primary| {
            members.members[primary].kill_postgres();
        });
        happens("patronictl switchover", &|members, primary| {
            members.switch_over(primary);
        });
        // The former primary runs on beside the next one, and nobody tells it so.
        happens("Patroni of the primary killed", &|members, primary| {
            members.members[primary].patroni.kill().unwrap();
        });
        people.enough.store(true, Ordering::SeqCst);
        let written: Vec<_> = writers.into_iter().map(|it| it.join().unwrap()).collect();
        people.log_in(&mut 0, "w0", " quiet").send("bob", "that is all");
        (written, listeners.map(|it| it.join().unwrap()))
    });
    // Both were told of each once, in the order of ids.
    let all: BTreeSet<u64> = written.iter().flatten().map(|(id, _)| *id).collect();
    let all: Vec<u64> = all.into_iter().collect();
    assert!(heard.iter().all(|heard| *heard == all), "{all:?} {heard:?}");
    let mut bob = nodes[1].login_quietly("bob");
    for (n, written) in written.iter().enumerate() {
        let log = bob.history(&format!("w{n}"), 0).into_iter();
        let mut log: Vec<_> = log.map(|entry| (entry.id, entry.body)).collect();
        log.retain(|(_, body)| body != "that is all");
        assert_eq!(log, *written, "of w{n}");
    }
    let logins = |node: &Papod| node.log().matches(" login ").count();
    let again = nodes.iter().map(logins).sum::<usize>() - WRITERS - 4;
    println!("{} messages, {again} sessions logged in again", all.len());
    drop(bob);
    nodes.into_iter().rev().for_each(Papod::stop);
}
