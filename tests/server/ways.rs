//! The ways in: TLS, Unix sockets, the operators' socket, a proxy, sockets from systemd.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::process::Command;

use crate::process::unix::{mode, over, rest};
use crate::process::{self, Home, PASSWORD, PATIENCE, Papod, USUAL, papod, run, tls};
use rustix::process::Signal;

/// All that came, be the end orderly or not.
fn heard(mut from: impl Read) -> String {
    let mut bytes = Vec::new();
    let _ = from.read_to_end(&mut bytes);
    String::from_utf8(bytes).unwrap()
}

/// The bodies of a conversation with oneself.
fn notes(papod: &Papod, handle: &str) -> Vec<String> {
    let mut client = papod.login_quietly(handle);
    client.history(handle, 0).into_iter().map(|entry| entry.body).collect()
}

#[test]
fn through_tls_the_protocol_is_the_same_from_the_first_byte() {
    let home = Home::new();
    let (papod, address) = tls::start(&home, &tls::file("one.pem"), &tls::file("one.key"));
    let mut ana = tls::connect(address, "one.pem");
    ana.write_all(b"REG ana secret-a\nMSG ana note\nPING\nQUIT\n").unwrap();
    let lines = rest(ana);
    assert!(lines[0].starts_with("HELLO papo/1 "), "{lines:?}");
    assert_eq!(lines[1..3], ["OK REG ana", "LIVE 0"]);
    assert!(lines[3].starts_with("OK MSG 1 "));
    assert_eq!(lines[4..], ["OK PING", "OK QUIT", "BYE quit"]);
    papod.stop();
}

#[test]
fn much_goes_through_tls_in_both_directions() {
    let home = Home::new();
    let (papod, address) = tls::start(&home, &tls::file("one.pem"), &tls::file("one.key"));
    let mut bia = papod.register("bia");
    let mut ana = tls::connect(address, "one.pem");
    let bodies: Vec<String> =
        (0..300).map(|n| format!("{n} {}.", "x".repeat(n * 211 % 60_000))).collect();
    ana.write_all(format!("REG ana {PASSWORD}\nTALK bia raw\n").as_bytes()).unwrap();
    for body in &bodies {
        ana.write_all(format!("{body}\n").as_bytes()).unwrap();
    }
    ana.conn.send_close_notify();
    ana.flush().unwrap();
    let lines = rest(ana);
    assert_eq!(lines.iter().filter(|line| line.starts_with("OK MSG ")).count(), bodies.len());
    // And all of it comes back out.
    let mut reader = tls::connect(address, "one.pem");
    reader.write_all(format!("LOGIN bia {PASSWORD}\nACK\nQUIT\n").as_bytes()).unwrap();
    let lines = rest(reader);
    let entries = lines.iter().filter(|line| line.starts_with("MSG "));
    let got: Vec<String> = entries.map(|line| process::Entry::parse(line).body).collect();
    assert!(got == bodies, "{} came", got.len());
    bia.until("MSG 300 ");
    papod.stop();
}

#[test]
fn an_unfinished_line_counts_where_the_end_of_tls_was_said() {
    let home = Home::new();
    let (papod, address) = tls::start(&home, &tls::file("one.pem"), &tls::file("one.key"));
    papod.register("ana");
    let typed = format!("LOGIN ana {PASSWORD} quiet\nMSG ana whole\nMSG ana half");
    let mut said = tls::connect(address, "one.pem");
    said.write_all(typed.as_bytes()).unwrap();
    said.conn.send_close_notify();
    said.flush().unwrap();
    assert_eq!(rest(said).iter().filter(|line| line.starts_with("OK MSG ")).count(), 2);
    assert_eq!(notes(&papod, "ana"), ["whole", "half"]);
    // Anyone on the way can end a TCP connection.
    let mut cut = tls::connect(address, "one.pem");
    cut.write_all(typed.as_bytes()).unwrap();
    cut.sock.shutdown(Shutdown::Write).unwrap();
    assert_eq!(heard(cut).matches("OK MSG ").count(), 1);
    assert_eq!(notes(&papod, "ana"), ["whole", "half", "whole"]);
    papod.stop();
}

#[test]
fn what_is_no_tls_ends_its_own_connection_only() {
    let home = Home::new();
    let (papod, address) = tls::start(&home, &tls::file("one.pem"), &tls::file("one.key"));
    for typed in ["LOGIN ana secret-a\n", "GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\x00\x05hello"] {
        let mut plain = TcpStream::connect(address).unwrap();
        plain.set_read_timeout(Some(PATIENCE)).unwrap();
        plain.write_all(typed.as_bytes()).unwrap();
        let _ = plain.shutdown(Shutdown::Write);
        let heard = heard(plain);
        if typed.starts_with('\x16') {
            assert!(!heard.contains("BYE"), "{heard:?}");
        } else {
            assert_eq!(heard, "BYE need-tls\n", "{typed:?}");
        }
    }
    // Whole lines before a record that is none are carried out, also where all came at once.
    papod.register("ana");
    let mut broken = tls::connect(address, "one.pem");
    broken.write_all(format!("LOGIN ana {PASSWORD} quiet\n").as_bytes()).unwrap();
    let mut said = BufReader::new(&mut broken);
    let mut line = String::new();
    while !line.starts_with("OK LOGIN ") {
        line.clear();
        said.read_line(&mut line).unwrap();
    }
    broken.conn.writer().write_all(b"MSG ana before\n").unwrap();
    let mut bytes = Vec::new();
    broken.conn.write_tls(&mut bytes).unwrap();
    bytes.extend_from_slice(b"\x17\x03\x03\x00\x20 this is no record of TLS at all ");
    broken.sock.write_all(&bytes).unwrap();
    let _ = broken.sock.read_to_end(&mut Vec::new());
    assert_eq!(notes(&papod, "ana"), ["before"]);
    let mut tls = tls::connect(address, "one.pem");
    tls.write_all(b"PING still\nQUIT\n").unwrap();
    assert_eq!(rest(tls)[1], "OK PING still");
    papod.stop();
}

#[test]
fn sighup_loads_the_certificate_again_and_a_bad_one_changes_nothing() {
    let home = Home::new();
    let [certificate, key] = ["cert.pem", "key.pem"].map(|name| home.path().join(name));
    let install = |name: &str| {
        fs::copy(tls::file(&format!("{name}.pem")), &certificate).unwrap();
        fs::copy(tls::file(&format!("{name}.key")), &key).unwrap();
    };
    install("one");
    let (papod, address) = tls::start(&home, &certificate, &key);
    let mut early = tls::connect(address, "one.pem");
    early.write_all(b"PING 1\n").unwrap();
    early.read_exact(&mut [0; 20]).unwrap();
    install("other");
    papod.signal(Signal::HUP);
    papod.until_logged("certificate reloaded");
    let greeted = |certificate| {
        let mut client = tls::connect(address, certificate);
        client.write_all(b"QUIT\n").is_ok_and(|()| heard(client).contains("BYE quit"))
    };
    assert!(greeted("other.pem"));
    assert!(!greeted("one.pem"), "the old one is not shown any more");
    // The key does not fit the certificate.
    fs::copy(tls::file("one.key"), &key).unwrap();
    papod.signal(Signal::HUP);
    papod.until_logged("the certificate stays as it is: ");
    assert!(greeted("other.pem"));
    early.write_all(b"QUIT\n").unwrap();
    assert!(heard(early).contains("BYE quit"), "who was in stays in");
    papod.stop();
}

#[test]
fn over_a_unix_socket_a_linked_user_needs_no_secret() {
    let home = Home::new();
    let path = home.path().join("papo.sock");
    let papod = Papod::start_with(&home.db(), ["--unix", path.to_str().unwrap()]);
    assert_eq!(mode(&path), 0o660);
    papod.register("ana");
    papod.register("bia");
    let me = rustix::process::getuid().as_raw();
    let wrong = "ERR LOGIN wrong-secret wrong handle or password";
    let none = "ERR LOGIN wrong-secret no password was given, and your system user is not linked to \
                this account: LOGIN <handle> <password or token>";
    let tries = "LOGIN ana\nLOGIN nobody\nLOGIN ana - quiet\nUID LINK\n";
    assert_eq!(over(&path, tries)[..3], [none; 3]);
    let lines =
        over(&path, &format!("LOGIN ana {PASSWORD} quiet\nUID LINK\nUID LIST\nUID UNLINK 4"));
    let linked = format!("OK UID LINK {me}");
    assert_eq!(lines[1..4], [linked, format!("UID {me}"), "OK UID LIST 1".to_owned()]);
    assert!(lines[4].starts_with("ERR UID no-such-uid 4: "), "{lines:?}");
    assert_eq!(over(&path, "LOGIN ana - quiet\nWHOAMI")[0], "OK LOGIN ana 0");
    // For this account, from there, and without any secret: nothing else is opened by it.
    assert_eq!(over(&path, "LOGIN bia"), [none]);
    assert_eq!(over(&path, "LOGIN ana -"), [wrong], "a lone second word is a secret");
    let mut tcp = papod.connect();
    tcp.say("LOGIN ana");
    tcp.expect("ERR LOGIN wrong-secret no password was given: LOGIN <handle> <password or token>");
    // A token may not change who is linked; unlinking ends what the link opened.
    let token = over(&path, "LOGIN ana\nTOKEN NEW t")[2].clone();
    let token = token.strip_prefix("OK TOKEN NEW t ").unwrap();
    let lines =
        over(&path, &format!("LOGIN ana {token} quiet\nUID LINK\nUID UNLINK {me}\nUID LIST"));
    assert!(lines[1].starts_with("ERR UID not-allowed "), "{lines:?}");
    assert!(lines[2].starts_with("ERR UID not-allowed "), "{lines:?}");
    assert_eq!(lines.last().unwrap(), "OK UID LIST 1");
    let mut linked = UnixStream::connect(&path).unwrap();
    linked.set_read_timeout(Some(PATIENCE)).unwrap();
    linked.write_all(b"LOGIN ana\n").unwrap();
    let mut lines = BufReader::new(linked).lines().map(Result::unwrap);
    lines.find(|line| line.starts_with("LIVE ")).unwrap();
    over(&path, &format!("LOGIN ana {PASSWORD} quiet\nUID UNLINK {me}"));
    assert_eq!(lines.collect::<Vec<_>>(), ["BYE kicked"]);
    assert_eq!(over(&path, "LOGIN ana"), [none]);
    let mut tcp = papod.login_quietly("ana");
    tcp.say("UID LIST");
    tcp.expect("ERR UID bad-command not available here; UID works on the socket of --unix");
    papod.stop();
    assert!(!path.exists(), "the socket goes away with papod");
}

#[test]
fn a_leftover_socket_is_replaced_and_nothing_else_is() {
    let home = Home::new();
    let path = home.path().join("papo.sock");
    let refused = || {
        let mut command = papod();
        command.args(USUAL).arg("--db").arg(home.db()).arg("--unix").arg(&path);
        let output = run(&mut command);
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    fs::write(&path, "somebody's").unwrap();
    assert!(refused().ends_with("exists and is not a socket\n"));
    assert_eq!(fs::read(&path).unwrap(), b"somebody's");
    fs::remove_file(&path).unwrap();
    let live = UnixListener::bind(&path).unwrap();
    assert!(refused().ends_with("in use by another program\n"));
    drop(live);
    let flags = ["--unix", path.to_str().unwrap(), "--unix-mode", "0600"];
    let mut killed = Papod::start_with(&home.db(), flags);
    assert_eq!(mode(&path), 0o600);
    killed.kill();
    assert!(path.exists());
    let papod = Papod::start_with(&home.db(), flags);
    assert_eq!(over(&path, "PING\n"), ["OK PING"]);
    papod.stop();
}

/// A PROXY header, version 2.
fn header(command: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [b"\r\n\r\n\0\r\nQUIT\n", &[0x20 | command, 0x11][..], &length, rest].concat()
}

#[test]
fn a_proxy_says_for_whom_it_speaks() {
    let home = Home::new();
    let path = home.path().join("admin.sock");
    let flags =
        ["--admin", path.to_str().unwrap(), "--proxy-from", "127.0.0.1", "--limit-address", "1"];
    let papod = Papod::start_with(&home.db(), flags);
    let connect = |bytes: &[u8]| {
        let mut socket = TcpStream::connect(papod.address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        // It may come in pieces, and papod may have heard enough before the last.
        let _ = bytes.chunks(5).try_for_each(|some| socket.write_all(some));
        BufReader::new(socket)
    };
    let from = [192, 0, 2, 7, 127, 0, 0, 1, 0x15, 0xb3, 0x1c, 0x6c];
    let mut proxied = connect(&[header(1, &from), b"PING 1\n".to_vec()].concat());
    let mut lines = [String::new(), String::new()];
    for line in &mut lines {
        proxied.read_line(line).unwrap();
    }
    assert_eq!(lines[1], "OK PING 1\n");
    assert!(over(&path, "ADMIN SESSIONS")[0].contains(" - 192.0.2.7:5555 "));
    // A health check is the proxy's own, and counts like anyone's.
    let mut itself = connect(&header(0, &[]));
    itself.read_line(&mut lines[0]).unwrap();
    assert!(lines[0].contains("HELLO papo/1 "));
    lines[0].clear();
    let mut again = connect(&header(0, &[]));
    again.read_line(&mut lines[0]).unwrap();
    again.read_line(&mut lines[0]).unwrap();
    assert!(lines[0].ends_with("\nBYE too-many\n"), "{lines:?}");
    drop((itself, again));
    // Of a client over a Unix socket of the proxy's nothing is known, and it is not let in.
    let mut unknown = header(1, &[0; 216]);
    unknown[13] = 0x31;
    assert_eq!(heard(connect(&[unknown, b"PING 1\n".to_vec()].concat())), "");
    papod.until_logged("refused: the PROXY header names no TCP client");
    // Nobody is on this machine because a proxy says so.
    let local = [127, 0, 0, 1, 127, 0, 0, 1, 0x15, 0xb3, 0x1c, 0x6c];
    let one = loop {
        let mut one = connect(&[header(1, &local), b"PING 1\n".to_vec()].concat());
        one.read_line(&mut lines[0]).unwrap();
        lines[0].clear();
        one.read_line(&mut lines[0]).unwrap();
        // The end of the health check may not have been seen yet.
        if lines[0] == "OK PING 1\n" {
            break one;
        }
    };
    let mut two = connect(&header(1, &local));
    two.read_line(&mut lines[0]).unwrap();
    lines[0].clear();
    two.read_line(&mut lines[0]).unwrap();
    assert_eq!(lines[0], "BYE too-many\n");
    drop(one);
    // Nothing is carried out for whom it does not say.
    assert_eq!(heard(connect(b"REG ana secret-a\nQUIT\n\n\n\n")), "");
    assert_eq!(over(&path, "ADMIN KICK ana").len(), 1);
    papod.stop();
}

#[test]
fn sockets_from_systemd_are_used_as_they_come() {
    let home = Home::new();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = tcp.local_addr().unwrap();
    let path = home.path().join("admin.sock");
    let admin = UnixListener::bind(&path).unwrap();
    let notified = home.path().join("notify.sock");
    let manager = UnixDatagram::bind(&notified).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    // The client comes before papod does, and waits in the queue.
    let mut early = TcpStream::connect(address).unwrap();
    early.set_read_timeout(Some(PATIENCE)).unwrap();
    early.write_all(b"PING early\nQUIT\n").unwrap();
    let mut command = process::with_clean_environment(Command::new("sh"));
    let script =
        r#"LISTEN_PID=$$ exec "$0" --password-cost 8:1 --db "$1" 3<&0 4<&1 </dev/null >&2"#;
    command.args(["-c", script, env!("CARGO_BIN_EXE_papod")]).arg(home.db());
    command.env("LISTEN_FDS", "2").env("LISTEN_FDNAMES", "chat:admin");
    command.env("NOTIFY_SOCKET", &notified);
    let (stdin, stdout): (std::os::fd::OwnedFd, std::os::fd::OwnedFd) = (tcp.into(), admin.into());
    command.stdin(stdin).stdout(stdout);
    let papod = Papod::spawn(command);
    assert_eq!(papod.address, address);
    let mut said = [0; 100];
    let n = manager.recv(&mut said).unwrap();
    assert_eq!(said[..n].trim_ascii_end(), b"READY=1");
    assert_eq!(rest(early)[1..], ["OK PING early", "OK QUIT", "BYE quit"]);
    assert_eq!(over(&path, "ADMIN KICK nobody").len(), 1);
    papod.stop();
    assert!(path.exists(), "what systemd made is systemd's");
}

#[test]
fn an_admin_socket_that_others_may_open_is_none() {
    let home = Home::new();
    let path = home.path().join("admin.sock");
    let admin = UnixListener::bind(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    let mut command = process::with_clean_environment(Command::new("sh"));
    let script = r#"LISTEN_PID=$$ exec "$0" --db "$1" 3<&0 </dev/null"#;
    command.args(["-c", script, env!("CARGO_BIN_EXE_papod")]).arg(home.db());
    command.env("LISTEN_FDS", "1").env("LISTEN_FDNAMES", "admin");
    command.stdin(std::os::fd::OwnedFd::from(admin));
    let output = run(&mut command);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("lets others connect; SocketMode=0600 closes it"), "{said}");
}

#[test]
fn where_registration_is_closed_nobody_registers() {
    let home = Home::new();
    let papod = Papod::start_with(&home.db(), ["--registration", "closed"]);
    let mut stranger = papod.connect();
    stranger.say("REG ana secret-a");
    let closed =
        "ERR REG closed registration is closed; ask whoever runs this server for an account";
    stranger.expect(closed);
    stranger.has_heard_all();
    papod.stop();
}
