//! The scripts of README.md do what it says of them.

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use super::blocks::README;
use super::papod::{Client, Papod, Pipe, entry};

/// A script of README.md for this server, found by what its comment says it is used like.
fn script(kind: &str, name: &str, address: SocketAddr) -> String {
    let name = format!("\n# {name}: ");
    let text =
        README.of_kind(kind).into_iter().find(|text| text.contains(&name)).expect("the script");
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    let there = text
        .replace("nc localhost 7276", &format!("nc {host} {port}"))
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
        README.of_kind(kind).into_iter().map(comment).collect()
    };
    assert_eq!(names("sh"), ["send", "lines", "deploy", "nightly", "approve", "clock"]);
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
    // Nothing is said where it is done: cron mails what is.
    assert!(done && out.is_empty() && err.is_empty(), "{out}{err}");
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
        assert!(!done && out.is_empty() && err.starts_with(with), "{out}{err}");
        assert_eq!(err.lines().count(), 1, "{err}");
    };
    refused("bob", "secret-ana", "hi\n", "ERR MSG no-such-user ");
    refused("ana", "secret-bob", "hi\n", "ERR LOGIN wrong-secret ");
    refused("ana", "secret-ana", "", "ERR MSG bad-syntax ");
    refused("ana", "secret-ana", "\x1b[31mred\n", "ERR MSG bad-text ");
    drop(papod);
    let (done, out, err) = Running::start("sh", &send, "ana", "ana", "secret-ana").finish("hi\n");
    assert!(!done && out.is_empty() && err.ends_with("no answer\n"), "{out}{err}");
}

#[test]
#[ignore = "needs nc"]
fn lines_makes_each_line_a_message_whatever_it_says() {
    let papod = Papod::start();
    papod.account("ana");
    papod.account("bob");
    let lines = script("sh", "lines", papod.address);
    let running = Running::start("sh", &lines, "bob", "ana", "secret-ana");
    let (done, out, err) = running.finish("first\n/QUIT\nQUIT\n\n \nC:\\new\nlast");
    assert!(done && out.is_empty() && err.is_empty(), "{out}{err}");
    let (_, waited) = papod.login("bob");
    let texts: Vec<&str> = waited.lines().skip(1).map(|line| entry(line).1).collect();
    assert_eq!(texts, ["first", "/QUIT", "QUIT", r"C:\\new", "last"]);
}

#[test]
#[ignore = "needs nc"]
fn lines_says_so_and_fails_where_a_line_was_lost() {
    let start = |papod: &Papod, to: &str| {
        Running::start("sh", &script("sh", "lines", papod.address), to, "ana", "secret-ana")
    };
    let killed = |papod: &mut Papod| {
        papod.child.kill().unwrap();
        papod.child.wait().unwrap();
    };
    for end in
        [&killed, &|papod: &mut Papod| assert!(papod.end().success())] as [&dyn Fn(&mut Papod); 2]
    {
        let mut papod = Papod::start();
        papod.account("ana");
        papod.account("bob");
        let (done, _, err) = start(&papod, "nobody").finish("one\ntwo\n");
        assert!(!done && err.starts_with("ERR MSG no-such-user "), "{err}");
        let (done, _, err) = start(&papod, "bob").finish("one\nred \u{1b}[31m\ntwo\n");
        assert!(!done && err.starts_with("ERR MSG bad-text ") && err.lines().count() == 1, "{err}");
        // The server ends between two lines.
        let (mut bob, _) = papod.login("bob");
        let mut running = start(&papod, "bob");
        running.child.stdin.as_mut().unwrap().write_all(b"before\n").unwrap();
        while !bob.line().ends_with(" before") {}
        end(&mut papod);
        let (done, _, err) = running.finish("after\n");
        assert!(!done && err.ends_with("not all was sent\n"), "{err}");
        // Nobody listens.
        let (done, _, err) = start(&papod, "bob").finish("one\n");
        assert!(!done && err.ends_with("not all was sent\n"), "{err}");
    }
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
    // It ends with the server, and says so.
    assert!(papod.end().success());
    assert_eq!(running.finish(""), (false, String::new(), "the server is gone\n".to_owned()));
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

/// Someone who has logged in, and nothing waited.
fn login(papod: &Papod, handle: &str) -> Client {
    papod.login(handle).0
}

/// A token of an account.
fn token(papod: &Papod, handle: &str) -> String {
    let mut client = login(papod, handle);
    client.say("TOKEN NEW script");
    let said = client.line();
    said.strip_prefix("OK TOKEN NEW script ").unwrap_or_else(|| panic!("{said}")).to_owned()
}

#[test]
#[ignore = "needs nc"]
fn lines_goes_to_a_group_as_to_a_person() {
    let papod = Papod::start();
    papod.account("ana");
    papod.account("bob");
    let mut bob = login(&papod, "bob");
    bob.say("GROUP NEW ops ana");
    assert_eq!(bob.line(), "OK GROUP NEW #ops");
    let lines = script("sh", "lines", papod.address);
    let running = Running::start("sh", &lines, "#ops", "ana", "secret-ana");
    let (done, _, err) = running.finish("disk full\nGROUP LEAVE ops\n");
    assert!(done, "{err}");
    assert_eq!(entry(&bob.line()), ("ana", "disk full"));
    assert_eq!(entry(&bob.line()), ("ana", "GROUP LEAVE ops"));
}

#[test]
#[ignore = "needs nc"]
fn deploy_goes_on_when_its_message_was_read() {
    let papod = Papod::start();
    papod.account("ana");
    papod.account("bob");
    let token = token(&papod, "ana");
    let mut bob = login(&papod, "bob");
    let deploy = script("sh", "deploy", papod.address);
    let running = Running::start("sh", &deploy, "bob", "ana", &token);
    assert_eq!(entry(&bob.line()), ("ana", "a new version goes out"));
    bob.say("ACK");
    assert_eq!(bob.line(), "OK ACK 1");
    bob.say("READ");
    assert_eq!(bob.line(), "OK READ 1");
    let (done, out, err) = running.finish("");
    assert!(done, "{err}");
    assert_eq!(out, "OK WAIT 1 read\n");
}

#[test]
#[ignore = "needs nc"]
fn deploy_does_not_go_on_where_nobody_was_told() {
    let papod = Papod::start();
    papod.account("ana");
    let deploy = script("sh", "deploy", papod.address);
    let refused = |to: &str, secret: &str, with: &str| {
        let (done, out, err) = Running::start("sh", &deploy, to, "ana", secret).finish("");
        assert!(!done && out.starts_with(with), "{out}{err}");
    };
    refused("bob", "secret-ana", "ERR MSG no-such-user ");
    refused("ana", "no-secret", "ERR LOGIN wrong-secret ");
}
