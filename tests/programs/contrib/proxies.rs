//! contrib/proxy/: each proxy as its file says, but for addresses and certificates, before a papod.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use super::{Place, Running, contrib, ended, until};
use crate::http::token;
use crate::process::{self, PASSWORD, Papod, USUAL, papod, ports, run};

/// A proxy that runs in the foreground. It is asked to end, since its workers end with it then.
struct Proxy(Child);

impl Drop for Proxy {
    fn drop(&mut self) {
        let id = i32::try_from(self.0.id()).expect("ids are small");
        let id = rustix::process::Pid::from_raw(id).expect("ids are not zero");
        let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
        let _ = self.0.wait();
    }
}

/// The text of a file, in which each of these has to be there to be replaced.
fn adapted(path: &str, changes: &[(&str, &str)]) -> String {
    let mut text = fs::read_to_string(contrib(path)).unwrap();
    for (from, to) in changes {
        assert!(text.contains(from), "{path} has {from}");
        text = text.replace(from, to);
    }
    text
}

fn tls(name: &str) -> String {
    format!("{}/tests/tls/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// An nc that checks the certificate.
fn through_tls() -> String {
    format!("ncat --ssl-verify --ssl-trustfile {}", tls("one.pem"))
}

/// What operators see of who is there.
fn sessions(admin: &Path) -> String {
    let mut operator = UnixStream::connect(admin).unwrap();
    operator.write_all(b"ADMIN SESSIONS\nQUIT\n").unwrap();
    io::read_to_string(operator).unwrap()
}

/// Someone sends a message through it.
fn sends_through(place: &Place, command: &mut Command, port: u16) -> Proxy {
    let proxy = Proxy(command.stdin(Stdio::null()).spawn().expect("it is there"));
    until("the proxy listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    let mut send = place.shell("sh", "alice", "papo_send bob hello");
    ended(send.env("PAPO_NC", through_tls()).env("PAPO_SERVER", format!("localhost:{port}")), 0);
    assert_eq!(place.said("alice", "bob"), ["hello"]);
    proxy
}

#[test]
#[ignore = "needs haproxy and ncat"]
fn haproxy_tells_real_addresses() {
    let mut place = Place::new();
    let admin = place.path("admin.sock");
    place.papod.kill();
    let mut command = papod();
    command.args(USUAL).arg("--db").arg(place.home.db()).arg("--admin").arg(&admin);
    command.args(["--proxy-from", "127.0.0.2/32", "--listen", "127.0.0.1:0"]);
    place.papod = Papod::spawn(command);
    let port = ports::free(&[]);
    let [one, key] = ["one.pem", "one.key"].map(|name| fs::read_to_string(tls(name)).unwrap());
    let pem = place.path("papo.pem");
    fs::write(&pem, one + &key).unwrap();
    let text = adapted(
        "proxy/haproxy.cfg",
        &[
            ("bind :7277", &format!("bind 127.0.0.1:{port}")),
            ("/etc/haproxy/papo.pem", pem.to_str().unwrap()),
            // From an address of its own, so that the test itself needs no header.
            ("127.0.0.1:7276 send-", &format!("{} source 127.0.0.2 send-", place.papod.address)),
        ],
    );
    let file = place.path("haproxy.cfg");
    fs::write(&file, text).unwrap();
    let proxy = sends_through(&place, Command::new("haproxy").arg("-db").arg("-f").arg(file), port);
    // Who stays is known to operators by the address that is not the proxy's.
    let mut receive = place.shell("sh", "bob", "papo_receive");
    receive.env("PAPO_NC", through_tls()).env("PAPO_SERVER", format!("localhost:{port}"));
    let receive = Running::start(&mut receive);
    assert!(receive.line().ends_with(" hello"));
    let sessions = sessions(&admin);
    assert!(sessions.contains(" bob 127.0.0.1:"), "{sessions}");
    drop(proxy);
}

#[test]
#[ignore = "needs nginx with its stream module (libnginx-mod-stream) and ncat"]
fn nginx_ends_tls() {
    let place = Place::new();
    let port = ports::free(&[]);
    let text = adapted(
        "proxy/nginx.conf",
        &[
            ("listen 7277", &format!("listen 127.0.0.1:{port}")),
            ("127.0.0.1:7276;", &format!("{};", place.papod.address)),
            ("/etc/papo/cert.pem", &tls("one.pem")),
            ("/etc/papo/key.pem", &tls("one.key")),
        ],
    );
    let home = place.home.path().display();
    let module = "/usr/lib/nginx/modules/ngx_stream_module.so";
    let rest = format!(
        "load_module {module};\ndaemon off;\nmaster_process off;\npid {home}/nginx.pid;\n\
         error_log {home}/nginx.log;\nevents {{ }}\n"
    );
    let file = place.path("nginx.conf");
    fs::write(&file, rest + &text).unwrap();
    let mut command = Command::new("nginx");
    drop(sends_through(&place, command.arg("-c").arg(file).arg("-p").arg(place.home.path()), port));
}

/// A Caddy before a papod that serves HTTP, its host and port, and its log.
fn caddy(place: &Place, program: &Path, changes: &[(&str, &str)]) -> (Proxy, String, PathBuf) {
    let port = ports::free(&[]);
    let changes = [
        &[
            ("https://:7279 {", &*format!("https://:{port} {{\nbind 127.0.0.1")),
            (
                "reverse_proxy 127.0.0.1:7278",
                &format!("reverse_proxy {}", place.papod.way("http://")),
            ),
            ("/etc/papo/cert.pem", &tls("one.pem")),
            ("/etc/papo/key.pem", &tls("one.key")),
        ],
        changes,
    ];
    let (file, log) = (place.path("Caddyfile"), place.path("caddy.log"));
    fs::write(&file, adapted("proxy/Caddyfile", &changes.concat())).unwrap();
    let mut command = Command::new(program);
    command.args(["run", "--adapter", "caddyfile", "--config"]).arg(file);
    command
        .env("HOME", place.home.path())
        .env_remove("XDG_CONFIG_HOME")
        .env_remove("XDG_DATA_HOME");
    let proxy = command.stdin(Stdio::null()).stderr(fs::File::create(&log).unwrap()).spawn();
    let proxy = Proxy(proxy.expect("it is there"));
    until("Caddy listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    (proxy, format!("localhost:{port}"), log)
}

/// A curl that checks the certificate.
fn curl(arguments: &[&str]) -> Command {
    let mut command = Command::new("curl");
    command.args(["-sSN", "--max-time", "60", "--cacert", &tls("one.pem")]).args(arguments);
    command
}

/// A WebSocket through TLS.
struct Socket {
    child: Child,
    frames: BufReader<ChildStdout>,
}

impl Socket {
    fn open(host: &str, path: &str, login: &str) -> Socket {
        let mut command = Command::new("ncat");
        command.args(["--ssl-verify", "--ssl-trustfile", &tls("one.pem"), "localhost"]);
        command.arg(host.rsplit(':').next().unwrap());
        process::die_with_this_thread(&mut command);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {login}\r\n\
             Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        child.stdin.as_mut().unwrap().write_all(request.as_bytes()).unwrap();
        let mut frames = BufReader::new(child.stdout.take().unwrap());
        let mut head = frames.by_ref().lines().map(Result::unwrap);
        assert!(head.next().unwrap().starts_with("HTTP/1.1 101 "));
        head.find(String::is_empty).expect("the head has an end");
        Socket { child, frames }
    }

    /// The text of the next frame, which is a short one.
    fn text(&mut self) -> String {
        let mut start = [0; 2];
        self.frames.read_exact(&mut start).unwrap();
        assert_eq!(start[0], 0x81, "a text");
        let mut length = u16::from(start[1]);
        if length == 126 {
            let mut more = [0; 2];
            self.frames.read_exact(&mut more).unwrap();
            length = u16::from_be_bytes(more);
        }
        let mut text = vec![0; length.into()];
        self.frames.read_exact(&mut text).unwrap();
        String::from_utf8(text).unwrap()
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
#[ignore = "needs caddy, curl and ncat"]
fn caddy_passes_on_each_event_and_logs_no_secret() {
    let mut place = Place::with(|_| ["--http", "127.0.0.1:0"].map(str::to_owned).into());
    let (_proxy, host, log) = caddy(&place, Path::new("caddy"), &[]);
    let (web, bob) = (format!("https://{host}"), format!("bob:{PASSWORD}"));
    let stream = Running::start(&mut curl(&["-fu", &bob, &format!("{web}/bob/json")]));
    assert!(stream.line().contains(r#""event":"open""#));
    let mut socket = Socket::open(&host, "/bob/ws", &bob);
    assert!(socket.text().contains(r#""event":"open""#));

    let hook = token(&mut place.papod.login_quietly("alice"), "h to bob");
    let (address, key) = (format!("{web}/hook/{hook}"), format!("X-Gotify-Key: {hook}"));
    assert_eq!(ended(&mut curl(&["-fd", "hello", &address]), 0).0, "ok");
    for event in [stream.line(), socket.text()] {
        assert!(event.contains(r#""title":"alice","message":"hello""#), "{event}");
    }
    // A file has an address that works from outside.
    let me = format!("alice:{PASSWORD}");
    let file = ["-fu", &me, "-d", "text", "-H", "Filename: a.txt", &format!("{web}/bob")];
    ended(&mut curl(&file), 0);
    let event = stream.line();
    let (_, url) = event.split_once(r#""url":""#).unwrap();
    let url = url.split('"').next().unwrap();
    assert!(url.starts_with(&web), "{event}");
    assert_eq!(ended(&mut curl(&["-f", url]), 0).0, "text");

    place.papod.kill();
    let message = format!("{web}/message");
    for arguments in [&["-d", "hello", &*address][..], &["-d", "hello", "-H", &key, &message]] {
        // Caddy may reset what it has answered without having read it.
        run(&mut curl(arguments));
    }
    let log = fs::read_to_string(log).unwrap();
    assert_eq!(log.matches("connection refused").count(), 2, "{log}");
    assert!(!log.contains(&hook) && !log.contains(PASSWORD), "{log}");
}

#[test]
#[ignore = "needs the newer Caddy that .ci/run installs, and curl"]
fn caddy_tells_real_addresses() {
    let flags = ["--proxy-from", "127.0.0.2/32", "--http", "127.0.0.1:0", "--admin"];
    let place = Place::with(|home| {
        let admin = home.join("admin.sock").to_str().unwrap().to_owned();
        flags.map(str::to_owned).into_iter().chain([admin]).collect()
    });
    let newer = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/caddy/bin/caddy");
    // From an address of its own, so that the test itself needs no header.
    let change = ("# proxy_protocol v2", "proxy_protocol v2\nlocal_address 127.0.0.2");
    let (_proxy, host, _) = caddy(&place, &newer, &[change]);
    let web = format!("https://{host}/alice/json");
    let streams = [("alice", "127.0.0.3"), ("bob", "127.0.0.4")].map(|(who, from)| {
        let login = format!("{who}:{PASSWORD}");
        let stream = Running::start(&mut curl(&["-fu", &login, "--interface", from, &web]));
        assert!(stream.line().contains(r#""event":"open""#));
        stream
    });
    let sessions = sessions(&place.path("admin.sock"));
    for found in [" alice 127.0.0.3:", " bob 127.0.0.4:"] {
        assert!(sessions.contains(found), "{sessions}");
    }
    drop(streams);
}
