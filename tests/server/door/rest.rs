//! The rest of ntfy's API that programs ask for, and TLS.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::Command;
use std::sync::Arc;

use rustix::process::Signal;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::{as_user, ask, basic, start};
use crate::process::{self, Home, PATIENCE, Papod, tls};

#[test]
fn what_programs_ask_first_is_answered() {
    let home = Home::new();
    let (papod, web) = start(&home, &[]);
    let mut ana = papod.register("ana");
    papod.register("bob");
    ana.say("GROUP NEW ops");
    ana.until("OK GROUP");
    let me = as_user("ana");
    let get = |path: &str, lines: &str| ask(web, &format!("GET {path}"), lines, "");
    assert_eq!(get("/bob,_ops,_/auth", &me).body, "{\"success\":true}\n");
    assert_eq!(get("/bob/auth", "").denied(), (403, 40301));
    assert_eq!(get("/bob/auth", &basic("ana", "wrong-one")).denied(), (401, 40101));
    assert_eq!(get("/nobody/auth", &me).denied(), (403, 40301));
    assert_eq!(get("/bob,_none/auth", &me).denied(), (403, 40301));
    assert_eq!(get("/v1/health", "").body, "{\"healthy\":true}\n");
    assert_eq!(get("/v1/stats", "").body, "{\"messages\":0,\"messages_rate\":0.0}\n");
    assert_eq!(get("/v1/account", "").json()["username"], "*");
    let account = get("/v1/account", &me).json();
    assert_eq!((&account["username"], &account["role"]), (&"ana".into(), &"user".into()));
    assert_eq!(
        (&account["stats"]["messages"], &account["limits"]["messages"]),
        (&0.into(), &0.into())
    );
    assert_eq!(get("/v1/account", &basic("ana", "wrong-one")).denied(), (401, 40101));
    let about = get("/", "");
    assert_eq!((about.status, about.body.lines().count()), (200, 1));
    assert!(
        about.body.contains("curl")
            && about.header("content-type").unwrap().starts_with("text/plain")
    );
    for path in [
        "/bob",
        "/bob?up=1",
        "/_matrix/push/v1/notify",
        "/file/x.png",
        "/config.js",
        "/v1/x",
        "/v1",
    ] {
        assert_eq!(get(path, &me).denied(), (404, 40401), "{path}");
    }
    let mut head = super::Web::connect(web);
    head.write("HEAD /v1/health HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    assert_eq!(head.head().0, 200);
    assert_eq!(head.rest(), b"");
}

#[test]
fn a_program_gets_a_token_of_its_own_for_the_password() {
    let home = Home::new();
    let (papod, web) = start(&home, &[]);
    let mut ana = papod.register("ana");
    let me = as_user("ana");
    let token = |lines: &str, body: &str| ask(web, "POST /v1/account/token", lines, body);
    let first = token(&me, r#"{"label":"Home Assistant"}"#).json();
    let second = token(&me, r#"{"label":"Home Assistant"}"#).json();
    assert_eq!(
        (&first["label"], &second["label"]),
        (&"Home-Assistant".into(), &"Home-Assistant-2".into())
    );
    let secret = first["token"].as_str().unwrap();
    assert_eq!(
        ask(web, "PUT /ana", &format!("Authorization: Bearer {secret}\r\n"), "x").status,
        200
    );
    assert_eq!(token(&basic("ana", secret), "{}").denied(), (403, 40301));
    assert_eq!(token(&me, "{").denied(), (400, 40017));
    assert_eq!(token("", "{}").denied(), (403, 40301));
    ana.until("MSG ");
    ana.say("TOKEN LIST");
    assert_eq!(ana.until("OK TOKEN LIST").len(), 3);
}

/// A connection that trusts this certificate only, and offers these protocols (ALPN).
fn connect(address: SocketAddr, certificate: &str, protocols: &[&[u8]]) -> tls::Tls {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(tls::file(certificate)).unwrap()).unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots);
    let mut config = config.with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    let name = "localhost".try_into().unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    StreamOwned::new(connection, socket)
}

#[test]
fn https_is_http_over_the_same_certificate() {
    let home = Home::new();
    let [certificate, key] =
        ["one.pem", "one.key"].map(|name| tls::file(name).display().to_string());
    let flags = ["--https", "127.0.0.1:0", "--tls-cert", &certificate, "--tls-key", &key];
    let papod = Papod::start_with(&home.db(), flags);
    let address: SocketAddr = papod.way("https://").parse().unwrap();
    papod.register("ana");
    for protocols in [&[][..], &[&b"h2"[..], b"http/1.1"]] {
        let mut one = connect(address, "one.pem", protocols);
        let me = as_user("ana");
        let body = "x".repeat(50_000);
        let request = format!(
            "PUT /ana HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{me}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        one.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        one.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains(&body), "{answer}");
        let agreed = one.conn.alpn_protocol().map(<[u8]>::to_vec);
        assert_eq!(agreed, (!protocols.is_empty()).then(|| b"http/1.1".to_vec()));
    }
    let mut other = connect(address, "one.pem", &[b"h2"]);
    assert!(other.write_all(b"x").and_then(|()| other.flush()).is_err(), "no protocol in common");
}

#[test]
fn a_new_certificate_is_loaded_for_https_too() {
    let home = Home::new();
    let [certificate, key] = ["cert.pem", "key.pem"].map(|name| home.path().join(name));
    let replace = |from: &str| {
        fs::copy(tls::file(&format!("{from}.pem")), &certificate).unwrap();
        fs::copy(tls::file(&format!("{from}.key")), &key).unwrap();
    };
    replace("one");
    let [certificate_flag, key_flag] = [&certificate, &key].map(|path| path.to_str().unwrap());
    let flags = ["--https", "127.0.0.1:0", "--tls-cert", certificate_flag, "--tls-key", key_flag];
    let papod = Papod::start_with(&home.db(), flags);
    let address: SocketAddr = papod.way("https://").parse().unwrap();
    let health = |trusted: &str| {
        let mut one = connect(address, trusted, &[]);
        let request = b"GET /v1/health HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
        let mut answer = String::new();
        one.write_all(request).and_then(|()| one.read_to_string(&mut answer)).map(|_| answer)
    };
    assert!(health("one.pem").unwrap().ends_with("{\"healthy\":true}\n"));
    replace("other");
    papod.signal(Signal::HUP);
    papod.until_logged("certificate reloaded");
    assert!(health("one.pem").is_err());
    assert!(health("other.pem").unwrap().ends_with("{\"healthy\":true}\n"));
}

#[test]
fn a_socket_from_systemd_is_named_for_what_it_speaks() {
    let home = Home::new();
    let [chat, http] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let address = http.local_addr().unwrap();
    let mut command = process::with_clean_environment(Command::new("sh"));
    let script =
        r#"LISTEN_PID=$$ exec "$0" --password-cost 8:1 --db "$1" 3<&0 4<&1 </dev/null >&2"#;
    command.args(["-c", script, env!("CARGO_BIN_EXE_papod")]).arg(home.db());
    command.env("LISTEN_FDS", "2").env("LISTEN_FDNAMES", "chat:http");
    command.stdin(OwnedFd::from(chat)).stdout(OwnedFd::from(http));
    let papod = Papod::spawn(command);
    assert_eq!(papod.way("http://"), address.to_string());
    assert_eq!(ask(address, "GET /v1/health", "", "").status, 200);
    papod.stop();
}
