//! contrib/proxy/: each proxy as its file says, but for addresses and certificates, before a papod.

use std::fs;
use std::io::{self, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};

use super::{Place, Running, contrib, ended, until};
use crate::process::{Papod, USUAL, papod};

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

/// A port that is free at the moment; a proxy cannot say which one it took.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
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
    let port = free_port();
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
    let mut operator = UnixStream::connect(&admin).unwrap();
    operator.write_all(b"ADMIN SESSIONS\nQUIT\n").unwrap();
    let sessions = io::read_to_string(operator).unwrap();
    assert!(sessions.contains(" bob 127.0.0.1:"), "{sessions}");
    drop(proxy);
}

#[test]
#[ignore = "needs nginx with its stream module (libnginx-mod-stream) and ncat"]
fn nginx_ends_tls() {
    let place = Place::new();
    let port = free_port();
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
