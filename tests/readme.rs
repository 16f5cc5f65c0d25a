//! README.md cannot lie: what can be run in it is run here, and its tables are held against the
//! program.
//!
//! Its `tour` blocks are typed into real sockets of a real papod and compared line for line; its
//! scripts run as they stand, but for the address. Nothing here sleeps: what has to be waited for
//! is a line or an end, for [`PATIENCE`] at most, so that a failure does not hang.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

const PATIENCE: Duration = Duration::from_secs(20);

const README: &str = include_str!("../README.md");
const CHANGELOG: &str = include_str!("../CHANGELOG.md");
const LICENSE: &str = include_str!("../LICENSE");

// ---- What is in README.md

/// A fenced block: the word behind its fence, and its lines.
struct Fenced {
    kind: &'static str,
    text: &'static str,
}

fn blocks() -> Vec<Fenced> {
    let parts: Vec<&str> = README.split("\n```").collect();
    assert_eq!(parts.len() % 2, 1, "a fence is not closed");
    let inside = parts.iter().skip(1).step_by(2);
    inside
        .map(|part| {
            let (kind, text) = part.split_once('\n').unwrap();
            Fenced { kind, text }
        })
        .collect()
}

fn of_kind(kind: &str) -> Vec<&'static str> {
    blocks().iter().filter(|block| block.kind == kind).map(|block| block.text).collect()
}

/// Everything between backticks outside the fenced blocks.
fn quoted() -> Vec<&'static str> {
    let text = README.split("\n```").step_by(2);
    text.flat_map(|text| text.split('`').skip(1).step_by(2)).collect()
}

/// The cells of the table whose first cell is headed so, without its head.
fn table(head: &str) -> Vec<Vec<&'static str>> {
    let start = format!("| {head} |");
    let lines = README.lines().skip_while(|line| !line.starts_with(&start));
    let rows = lines.skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

#[test]
fn every_block_is_of_a_kind_that_is_tried() {
    for block in blocks() {
        let tried = ["tour", "sh", "bash", "console", "text"].contains(&block.kind);
        assert!(tried, "nothing tries a block of the kind {:?}", block.kind);
    }
    // What `cargo run` starts cannot be tried from inside `cargo test`; that it is papod can.
    let commands: Vec<&str> = of_kind("console")
        .iter()
        .flat_map(|text| text.lines())
        .map(|line| line.split('#').next().unwrap().trim())
        .collect();
    assert_eq!(commands, ["$ cargo run --release", "$ cargo test"]);
    assert!(include_str!("../Cargo.toml").contains("default-run = \"papod\""));
    assert!(README.contains(concat!("Rust ", env!("CARGO_PKG_RUST_VERSION"), " or newer")));
}

// ---- A papod and those who talk to it

/// The lines of a pipe, each waited for with patience; `None` is its end.
struct Pipe(Receiver<String>);

impl Pipe {
    fn new(pipe: Option<impl Read + Send + 'static>) -> Pipe {
        let lines = BufReader::new(pipe.unwrap()).lines();
        let (line, received) = mpsc::channel();
        // It reads to the end even when nobody listens any more, so that its writer can go on.
        thread::spawn(move || lines.map_while(Result::ok).for_each(|text| drop(line.send(text))));
        Pipe(received)
    }

    fn next(&self) -> Option<String> {
        match self.0.recv_timeout(PATIENCE) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("no line and no end in {PATIENCE:?}"),
        }
    }

    fn rest(&self) -> String {
        std::iter::from_fn(|| self.next()).map(|line| line + "\n").collect()
    }
}

struct Papod {
    child: Child,
    log: Pipe,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

/// A command of papod that nothing in the environment has a say in.
fn papod() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_papod"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PAPOD_") {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    command
}

impl Papod {
    fn start() -> Papod {
        let folder = tempfile::tempdir().unwrap();
        let mut command = papod();
        command.args(["--listen", "127.0.0.1:0", "--password-cost", "8:1", "--db"]);
        command.arg(folder.path().join("papo.db"));
        Papod::spawn(command, folder)
    }

    /// Starts a papod whose first address is of interest.
    fn spawn(mut command: Command, folder: tempfile::TempDir) -> Papod {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let log = Pipe::new(child.stderr.take());
        let mut papod = Papod { child, log, address: ([127, 0, 0, 1], 0).into(), _folder: folder };
        while let Some(line) = papod.log.next() {
            if let Some((_, address)) = line.split_once("listening on ") {
                papod.address = address.parse().unwrap();
                return papod;
            }
        }
        panic!("papod did not start");
    }

    /// Makes an account and leaves.
    fn account(&self, handle: &str) {
        let mut client = Client::new(self.address);
        client.say(&format!("REG {handle} secret-{handle}"));
        client.say("QUIT");
        assert!(client.rest().starts_with(&format!("OK REG {handle}\n")));
    }

    /// Someone who has logged in and been told what waited, which is given back.
    fn login(&self, handle: &str) -> (Client, String) {
        let mut client = Client::new(self.address);
        client.say(&format!("LOGIN {handle} secret-{handle}"));
        let mut lines = String::new();
        loop {
            let line = client.line();
            if line.starts_with("LIVE ") {
                return (client, lines);
            }
            lines.push_str(&line);
            lines.push('\n');
        }
    }

    /// Asks it to end, and waits until it has.
    fn end(&mut self) -> ExitStatus {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        // Its log ends with it.
        self.log.rest();
        self.child.wait().unwrap()
    }
}

impl Drop for Papod {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Client {
    lines: BufReader<TcpStream>,
}

impl Client {
    /// Connects, without looking at the greeting.
    fn connect(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Client { lines: BufReader::new(stream) }
    }

    fn new(address: SocketAddr) -> Client {
        let mut client = Client::connect(address);
        assert!(client.line().starts_with("HELLO papo/1 "));
        client
    }

    fn say(&mut self, line: &str) {
        self.lines.get_mut().write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        let n = self.lines.read_line(&mut line).expect("a line from papod");
        assert!(n > 0, "papod has closed the connection");
        line.trim_end_matches('\n').to_owned()
    }

    /// What comes until the server closes.
    fn rest(&mut self) -> String {
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).expect("the end of the connection");
        rest
    }

    /// Goes, as when Ctrl-C ends nc; the server has noticed when this returns.
    fn leave(&mut self) {
        // After `BYE` the server may have closed already.
        let _ = self.lines.get_mut().shutdown(Shutdown::Write);
        assert_eq!(self.rest(), "", "it was sent more than README.md shows");
    }
}

/// A line in the columns of an entry: its author, and its text as it was escaped.
fn entry(line: &str) -> (&str, &str) {
    let columns: Vec<&str> = line.splitn(7, ' ').collect();
    assert_eq!(columns[0], "MSG", "{line}");
    (columns[3], columns[6])
}

// ---- The tour

const TOUR_PEOPLE: [&str; 2] = ["ANA", "BOB"];

/// The two columns of a line of a tour. The left one may reach into the right one's place, but no
/// line of the protocol has two blanks in a row there.
fn columns(line: &str, right: usize) -> [&str; 2] {
    match line.get(right..) {
        Some(rest) if line[..right].ends_with("  ") => [line[..right].trim_end(), rest],
        _ => [line, ""],
    }
}

/// Replaces the name and version of the server.
fn without_version(line: &str) -> String {
    let word =
        |word: &str| if word.starts_with("papod/") { "papod/…".into() } else { word.into() };
    line.split(' ').map(word).collect::<Vec<String>>().join(" ")
}

fn is_time(word: &str) -> bool {
    let shape = |c: char| if c.is_ascii_digit() { '0' } else { c };
    word.chars().map(shape).eq("0000-00-00T00:00:00.000Z".chars())
}

/// Compares two lines but for their times, and notes which real time stands for which shown one.
fn compare(shown: &str, real: &str, times: &mut BTreeMap<String, String>) -> Result<(), String> {
    let (shown, real) = (without_version(shown), without_version(real));
    let differ = || Err(format!("README.md: {shown}\nthe server: {real}"));
    if shown.split(' ').count() != real.split(' ').count() {
        return differ();
    }
    for (shown, real) in shown.split(' ').zip(real.split(' ')) {
        if is_time(shown) && is_time(real) {
            let known = times.entry(shown.to_owned()).or_insert_with(|| real.to_owned());
            if known != real {
                return Err(format!("{shown} stands for {known} and for {real}"));
            }
        } else if shown != real {
            return differ();
        }
    }
    Ok(())
}

/// The id and the time of an entry, in a line that says both.
fn entry_time(line: &str) -> Option<(&str, &str)> {
    let mut words = line.strip_prefix("OK ").unwrap_or(line).split(' ');
    let says = matches!(words.next(), Some("MSG" | "HIST"));
    says.then(|| words.next().zip(words.next())).flatten().filter(|(_, time)| is_time(time))
}

#[test]
fn the_tour_is_what_happens() {
    let papod = Papod::start();
    let mut people: [Option<Client>; 2] = [None, None];
    let mut times = BTreeMap::new();
    let mut written = BTreeMap::new();
    let tour = of_kind("tour");
    assert!(!tour.is_empty());
    for block in tour {
        let (head, lines) = block.split_once('\n').unwrap();
        let right = head.find(TOUR_PEOPLE[1]).unwrap();
        assert_eq!(columns(head, right), TOUR_PEOPLE);
        for line in lines.lines() {
            for (cell, person) in columns(line, right).iter().zip(&mut people) {
                if cell.is_empty() {
                } else if *cell == "$ nc localhost 7276" {
                    *person = Some(Client::connect(papod.address));
                } else if *cell == "^C" {
                    person.take().unwrap().leave();
                } else if let Some(typed) = cell.strip_prefix("> ") {
                    person.as_mut().unwrap().say(typed);
                } else {
                    let shown = cell.strip_prefix("  ").expect("a line of the server is indented");
                    let real = person.as_mut().unwrap().line();
                    compare(shown, &real, &mut times).unwrap_or_else(|e| panic!("{line}\n{e}"));
                    if let Some((id, time)) = entry_time(shown) {
                        assert_eq!(*written.entry(id).or_insert(time), time, "{line}");
                    }
                    if shown.starts_with("BYE ") {
                        person.take().unwrap().leave();
                    }
                }
            }
        }
    }
    // Nothing else was said to those who are still there.
    for person in people.iter_mut().flatten() {
        person.say("PING the end");
        assert_eq!(person.line(), "OK PING the end");
    }
    // The times shown follow each other as the real ones did.
    let real: Vec<&String> = times.values().collect();
    assert!(real.is_sorted(), "{times:#?}");
}

// ---- The scripts

/// A script of README.md for this server, found by what its comment says it is used like.
fn script(kind: &str, name: &str, address: SocketAddr) -> String {
    let name = format!("\n# {name}: ");
    let text = of_kind(kind).into_iter().find(|text| text.contains(&name)).expect("the script");
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    let there = text
        .replace("nc localhost 7276", &format!("nc {host} {port}"))
        .replace("nc -N localhost 7276", &format!("nc -N {host} {port}"))
        .replace("/dev/tcp/localhost/7276", &format!("/dev/tcp/{host}/{port}"));
    assert!(!there.contains("localhost"), "{there}");
    there
}

/// A shell that carries out a script in a folder of its own as an account, ended on drop.
struct Running {
    child: Child,
    out: Pipe,
    err: Pipe,
    _folder: tempfile::TempDir,
}

impl Running {
    fn start(shell: &str, script: &str, argument: &str, me: &str, secret: &str) -> Running {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("script");
        fs::write(&file, script).unwrap();
        let mut command = Command::new(shell);
        command.arg(&file).arg(argument).env("me", me).env("secret", secret);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|e| panic!("{shell}: {e}"));
        let (out, err) = (Pipe::new(child.stdout.take()), Pipe::new(child.stderr.take()));
        Running { child, out, err, _folder: folder }
    }

    /// Gives it its input, and waits for its end: status, output, error output.
    fn finish(mut self, input: &str) -> (bool, String, String) {
        let mut stdin = self.child.stdin.take().unwrap();
        // It may end without reading.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        let (out, err) = (self.out.rest(), self.err.rest());
        (self.child.wait().unwrap().success(), out, err)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn every_script_is_tried() {
    let names = |kind: &str| -> Vec<String> {
        let comment = |text: &str| {
            let line = text.lines().nth(1).unwrap().strip_prefix("# ").unwrap();
            line.split_once(':').unwrap().0.to_owned()
        };
        of_kind(kind).into_iter().map(comment).collect()
    };
    assert_eq!(names("sh"), ["send", "lines"]);
    assert_eq!(names("bash"), ["receive"]);
}

#[test]
#[ignore = "needs nc"]
fn send_makes_its_input_one_message_whatever_it_says() {
    let papod = Papod::start();
    papod.account("ana");
    papod.account("bob");
    let send = script("sh", "send", papod.address);
    let text = "the second line is no command\nQUIT\n\nC:\\new $HOME `id` %s \\\n";
    let (done, out, err) = Running::start("sh", &send, "bob", "ana", "secret-ana").finish(text);
    assert!(done, "{out}{err}");
    assert!(out.starts_with("OK MSG 1 ") && out.lines().count() == 1, "{out}");
    let (_, waited) = papod.login("bob");
    let message = waited.lines().nth(1).unwrap();
    let body = r"the second line is no command\nQUIT\n\nC:\\new $HOME `id` %s \\";
    assert_eq!(entry(message), ("ana", body));
}

#[test]
#[ignore = "needs nc"]
fn send_says_so_and_fails_where_nothing_was_sent() {
    let papod = Papod::start();
    papod.account("ana");
    let send = script("sh", "send", papod.address);
    let refused = |to: &str, secret: &str, text: &str, with: &str| {
        let (done, out, err) = Running::start("sh", &send, to, "ana", secret).finish(text);
        assert!(!done && out.starts_with(with), "{out}{err}");
    };
    refused("bob", "secret-ana", "hi\n", "ERR MSG no-such-user ");
    refused("ana", "secret-bob", "hi\n", "ERR LOGIN wrong-secret ");
    refused("ana", "secret-ana", "", "ERR MSG bad-syntax ");
    refused("ana", "secret-ana", "\x1b[31mred\n", "ERR MSG bad-text ");
    drop(papod);
    let (done, out, _) = Running::start("sh", &send, "ana", "ana", "secret-ana").finish("hi\n");
    assert!(!done && out.is_empty(), "{out}");
}

#[test]
#[ignore = "needs nc"]
fn lines_makes_each_line_a_message_whatever_it_says() {
    let papod = Papod::start();
    papod.account("ana");
    papod.account("bob");
    let lines = script("sh", "lines", papod.address);
    let running = Running::start("sh", &lines, "bob", "ana", "secret-ana");
    let (_, out, err) = running.finish("first\n/QUIT\nQUIT\n\nC:\\new\nlast");
    assert_eq!(out.lines().filter(|line| line.starts_with("OK MSG ")).count(), 5, "{out}{err}");
    let (_, waited) = papod.login("bob");
    let texts: Vec<&str> = waited.lines().skip(1).map(|line| entry(line).1).collect();
    assert_eq!(texts, ["first", "/QUIT", "QUIT", r"C:\\new", "last"]);
}

#[test]
#[ignore = "needs bash"]
fn receive_prints_and_acknowledges_what_others_write() {
    let mut papod = Papod::start();
    papod.account("ana");
    papod.account("bob");
    let (mut ana, _) = papod.login("ana");
    ana.say(r"MSG bob it waited\nC:\\new");
    assert!(ana.line().starts_with("OK MSG 1 "));
    let receive = script("bash", "receive", papod.address);
    let running = Running::start("bash", &receive, "", "bob", "secret-bob");
    assert_eq!(running.out.next().unwrap(), "ana: it waited");
    assert_eq!(running.out.next().unwrap(), "C:\\new");
    assert!(ana.line().starts_with("READ 1 "));
    // It passes over what bob writes elsewhere.
    let (mut phone, _) = papod.login("bob");
    phone.say("MSG ana from my phone");
    assert!(phone.line().starts_with("OK MSG 2 "));
    assert_eq!(entry(&ana.line()), ("bob", "from my phone"));
    ana.say("MSG bob it came");
    assert!(ana.line().starts_with("OK MSG 3 "));
    assert_eq!(running.out.next().unwrap(), "ana: it came");
    assert!(ana.line().starts_with("READ 3 "));
    // It ends with the server.
    assert!(papod.end().success());
    assert_eq!(running.finish("").1, "");
}

#[test]
#[ignore = "needs bash"]
fn receive_says_so_where_it_cannot_log_in() {
    let papod = Papod::start();
    let receive = script("bash", "receive", papod.address);
    let (done, out, err) = Running::start("bash", &receive, "", "bob", "secret-bob").finish("");
    assert!(!done && out.is_empty());
    assert!(err.starts_with("LOGIN wrong-secret "), "{err}");
}

// ---- The program

/// What stands behind `start` up to `end`, wherever it does.
fn between<'a>(text: &'a str, start: &str, end: char) -> Option<&'a str> {
    text.split_once(start)?.1.split(end).next()
}

/// The flags of `papod --help`: name, form, variable, default.
fn flags_of_help() -> BTreeMap<String, [Option<String>; 3]> {
    let output = papod().arg("--help").output().unwrap();
    assert!(output.status.success());
    let help = String::from_utf8(output.stdout).unwrap();
    let starts = |line: &str| line.starts_with("      --") || line.starts_with("  -");
    let mut flags: Vec<String> = Vec::new();
    for line in help.lines() {
        if starts(line) {
            flags.push(String::new());
        }
        if let Some(flag) = flags.last_mut() {
            flag.push_str(line);
            flag.push('\n');
        }
    }
    let owned = |text: Option<&str>| text.map(str::to_owned);
    flags
        .iter()
        .map(|flag| {
            let name = flag[flag.find("--").unwrap()..].split_whitespace().next().unwrap();
            let first = flag.lines().next().unwrap();
            let value = between(first, "<", '>');
            let variable = between(flag, "[env: ", '=');
            let default = between(flag, "[default: ", ']');
            (name.to_owned(), [owned(value), owned(variable), owned(default)])
        })
        .collect()
}

#[test]
fn the_table_of_flags_is_that_of_help() {
    let help = flags_of_help();
    let mut shown = BTreeSet::new();
    for row in table("flag") {
        let [names, variable, default, _] = row[..] else { panic!("{row:?}") };
        for name in names.split(", ") {
            let name = name.trim_matches('`');
            let (name, value) = name.split_once(' ').unwrap_or((name, ""));
            let said = help.get(name).unwrap_or_else(|| panic!("{name} is not in --help"));
            let [form, env, usual] = said.each_ref().map(Option::as_deref);
            assert_eq!(value, form.unwrap_or_default(), "{name}");
            let variable = variable.trim_matches('`').split('=').next().unwrap();
            assert_eq!(variable, env.unwrap_or_default(), "{name}");
            // One that says where a thing is found is a sentence, and README.md has one of its own.
            if let Some(usual) = usual.filter(|usual| !usual.contains(' ')) {
                assert_eq!(default, format!("`{usual}`"), "{name}");
            } else {
                assert!(!default.contains('`'), "{name}");
            }
            assert!(shown.insert(name), "{name} stands there twice");
        }
    }
    let there: BTreeSet<&str> = help.keys().map(String::as_str).collect();
    assert_eq!(shown, there);
}

#[test]
fn variables_work_as_they_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = papod();
    for row in table("flag") {
        // One with a value shows it, since it is not plain what it is.
        if let Some((name, value)) = row[1].trim_matches('`').split_once('=') {
            command.env(name, value);
        }
    }
    command.env("PAPOD_LISTEN", "127.0.0.1:0,127.0.0.1:0").env("PAPOD_IDLE", "9");
    command.env("PAPOD_PASSWORD_COST", "8:1").env("PAPOD_LOG", "info");
    let db = folder.path().join("new/papo.db");
    command.env("PAPOD_DB", &db);
    let mut papod = Papod::spawn(command, folder);
    assert!(papod.log.next().unwrap().contains("listening on 127.0.0.1:"));
    // What to type next.
    let try_this = format!("try: nc localhost {}, then type HELP", papod.address.port());
    assert!(papod.log.next().unwrap().ends_with(&try_this));
    assert!(db.is_file());
    assert!(papod.end().success());
}

#[test]
fn exit_statuses_are_those_of_readme() {
    // 0, and `BYE shutdown` to who is there.
    let mut papod_runs = Papod::start();
    let mut client = Client::new(papod_runs.address);
    assert_eq!(papod_runs.end().code(), Some(0));
    assert_eq!(client.rest(), "BYE shutdown\n");
    // 1, and one line.
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("papo.db");
    fs::write(&db, "shopping: milk, bread").unwrap();
    let output = papod().args(["--listen", "127.0.0.1:0", "--db"]).arg(&db).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8(output.stderr).unwrap().lines().count(), 1);
    // 2.
    let output = papod().arg("--listne").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

// ---- The folder

#[test]
fn what_readme_points_to_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let is_path = |word: &&str| {
        ["src/", "tests/", ".ci/"].iter().any(|folder| word.starts_with(folder))
            || (word.ends_with(".md") && !word.contains(' '))
    };
    let linked = README.split("](").skip(1).map(|text| text.split(')').next().unwrap());
    for path in quoted().into_iter().filter(is_path).chain(linked) {
        assert!(root.join(path).exists(), "README.md points to {path}");
    }
}

#[test]
fn license_has_the_choice_and_both_texts() {
    let choice = env!("CARGO_PKG_LICENSE");
    assert!(LICENSE.contains(choice) && README.contains(choice));
    for needed in [
        "the papo authors",
        "Permission is hereby granted, free of charge",
        "Version 2.0, January 2004",
        "END OF TERMS AND CONDITIONS",
    ] {
        assert!(LICENSE.contains(needed), "{needed}");
    }
}

#[test]
fn this_version_is_in_the_changelog() {
    let section = concat!("\n## [", env!("CARGO_PKG_VERSION"), "]");
    assert!(CHANGELOG.contains(section));
}
