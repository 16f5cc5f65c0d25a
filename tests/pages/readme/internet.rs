//! The lines of contrib/OPERATING.md that put papod on the internet, run as they stand. Two things are done for them: the
//! folders of the system are folders of the test, and what systemd would do is done here, by what
//! the unit and its sockets say.

use std::fs;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::blocks::OPERATING;

/// Runs lines of the block in a system that is a folder.
fn run(lines: &str, system: &Path) {
    let root = system.display();
    let moved = ["/etc/", "/usr/local/bin/", "/run/"]
        .iter()
        .fold(lines.to_owned(), |text, folder| text.replace(folder, &format!("{root}{folder}")))
        .replace("target/dist/papod", env!("CARGO_BIN_EXE_papod"))
        // Only root has users made, and gives files to them.
        .replace("systemd-sysusers", "true")
        .replace("-g papo ", "")
        .replace("chgrp papo", "true");
    let mut shell = Command::new("sh");
    shell.args(["-euc", &moved]).current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = shell.env("HOST", "localhost").env("secret", "secret-a").output().unwrap();
    assert!(output.status.success(), "{moved}\n{}", String::from_utf8_lossy(&output.stderr));
    if lines.contains("ADMIN") {
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains("OK ADMIN USER NEW ana\n"), "{said}");
    }
}

/// A process that is ended with the test, however that ends.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "needs openssl and nc"]
fn the_lines_that_put_papod_on_the_internet() {
    let [block] = OPERATING.of_kind("sh internet")[..] else { panic!("one block of its kind") };
    let folder = tempfile::tempdir().unwrap();
    let system = folder.path();
    for part in ["etc/systemd/system", "etc/sysusers.d", "usr/local/bin", "run", "var/lib/papo"] {
        fs::create_dir_all(system.join(part)).unwrap();
    }
    let (before, rest) = block.split_once("systemctl ").unwrap();
    let (_, after) = rest.split_once('\n').unwrap();
    run(before, system);
    // What systemd does: it listens as the sockets say, and starts what the unit says.
    let units = system.join("etc/systemd/system");
    let setting = |unit: &str, key: &str| {
        let text = fs::read_to_string(units.join(unit)).unwrap();
        let value = text.lines().find_map(|line| line.strip_prefix(&format!("{key}=")));
        value.unwrap_or_else(|| panic!("{unit} has no {key}")).to_owned()
    };
    let under = |path: &str| system.join(path.strip_prefix('/').unwrap());
    let tls = TcpListener::bind("127.0.0.1:0").unwrap();
    assert_eq!(setting("papod-tls.socket", "ListenStream"), "7277");
    let port = tls.local_addr().unwrap().port();
    let admin = under(&setting("papod-admin.socket", "ListenStream"));
    let admin = UnixListener::bind(admin).unwrap();
    assert_eq!(setting("papod-admin.socket", "SocketMode"), "0600");
    let names = ["papod-tls.socket", "papod-admin.socket"];
    let names = names.map(|unit| setting(unit, "FileDescriptorName")).join(":");
    let start = setting("papod.service", "ExecStart");
    // By its name alone, it is found where the lines have put it.
    let program = under("/usr/local/bin").join(start.split(' ').next().unwrap());
    let words = start.split(' ').skip(1).map(|word| match word {
        path if path.starts_with('/') => under(path).display().to_string(),
        word => word.to_owned(),
    });
    let script = r#"LISTEN_PID=$$ exec "$0" "$@" --password-cost 8:1 3<&0 4<&1 </dev/null >&2"#;
    let mut command = Command::new("sh");
    command.args(["-c", script]).arg(program).args(words);
    command.env("LISTEN_FDS", "2").env("LISTEN_FDNAMES", names);
    let (tls, admin): (std::os::fd::OwnedFd, std::os::fd::OwnedFd) = (tls.into(), admin.into());
    command.stdin(tls).stdout(admin).stderr(Stdio::null());
    let mut papod = Ended(command.spawn().unwrap());
    run(after, system);
    // And the client that is named.
    let certificate = under("/etc/papo/cert.pem");
    let script = r#"printf 'LOGIN ana secret-a\nMSG ana hi\nQUIT\n' |
        openssl s_client -quiet -verify_return_error -CAfile "$0" -connect "localhost:$1""#;
    let mut papo = Command::new(env!("CARGO_BIN_EXE_papo"));
    papo.args(["--as", "ana", "--server", &format!("tls:localhost:{port}"), "--ca"])
        .arg(&certificate);
    papo.args(["send", "ana", "a note"]).env("PAPO_SECRET", "secret-a").env("HOME", system);
    let sent = papo.output().unwrap();
    assert!(sent.stdout == b"1\n", "{}", String::from_utf8_lossy(&sent.stderr));
    let mut client = Command::new("sh");
    let client = client.args(["-c", script]).arg(&certificate).arg(port.to_string()).output();
    let said = String::from_utf8(client.unwrap().stdout).unwrap();
    // And papo, which refuses a CA's certificate.
    let mut papo = Command::new(env!("CARGO_BIN_EXE_papo"));
    papo.args(["--server", &format!("tls:localhost:{port}"), "--as", "ana", "send", "ana", "hi"]);
    papo.env("SSL_CERT_FILE", &certificate).env("PAPO_SECRET", "secret-a").env("HOME", system);
    let sent = papo.stdin(Stdio::null()).output().unwrap();
    assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
    let papod_id = rustix::process::Pid::from_child(&papod.0);
    rustix::process::kill_process(papod_id, rustix::process::Signal::TERM).unwrap();
    assert!(papod.0.wait().unwrap().success());
    assert!(said.contains("OK LOGIN ana 0\n") && said.contains("OK MSG 2 "), "{said}");
    assert!(said.ends_with("BYE quit\n"), "{said}");
}
