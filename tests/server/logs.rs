//! The log, as operators, auditors and fail2ban read it: the chapter *Logs* of contrib/OPERATING.md
//! says its form.

use std::fs;
use std::io::Write;
use std::os::unix::net::UnixDatagram;
use std::process::Command;

use crate::process::unix::over;
use crate::process::{
    self, Client, Home, PASSWORD, PATIENCE, Papod, papod, run, tls, with_clean_environment,
};
use rustix::process::Signal;

/// The lines of a log that are events, without time and level.
fn events(papod: &Papod) -> Vec<String> {
    let log = papod.log();
    let said = log.lines().map(|line| line.split_once("] ").map_or(line, |(_, said)| said));
    // When a session has ended depends on its client.
    said.filter(|said| said.contains(" session=") || said.contains(" from="))
        .filter(|said| !said.starts_with("logout "))
        .map(str::to_owned)
        .collect()
}

fn asks(client: &mut Client, line: &str, answer: &str) {
    client.say(line);
    client.until(answer);
}

fn refused(client: &mut Client, line: &str, code: &str) {
    client.say(line);
    let said = client.line();
    assert!(said.starts_with("ERR ") && said.contains(code), "{said}");
}

#[test]
fn each_log_in_each_key_and_each_act_of_an_operator_is_a_line() {
    let home = Home::new();
    let [unix, admin] = ["papo.sock", "admin.sock"].map(|name| home.path().join(name));
    let flags = ["--unix", unix.to_str().unwrap(), "--admin", admin.to_str().unwrap()];
    let papod = Papod::start_with(&home.db(), flags);
    let user = rustix::process::getuid().as_raw();

    let mut ana = papod.connect();
    // Who types both the wrong way round does not find the password in the log.
    refused(&mut ana, "LOGIN hunter-two ana", " wrong-secret ");
    asks(&mut ana, &format!("REG ana {PASSWORD}"), "LIVE ");
    refused(&mut ana, "PASSWD not-the-one another-one", " wrong-secret ");
    asks(&mut ana, &format!("PASSWD {PASSWORD} another-one"), "OK PASSWD");
    ana.say("TOKEN NEW deploy");
    let token = ana.line().split(' ').nth(4).unwrap().to_owned();
    let mut script = papod.connect();
    asks(&mut script, &format!("LOGIN ana {token} quiet"), "OK LOGIN ");
    asks(&mut ana, "TOKEN DEL deploy", "OK TOKEN DEL deploy");
    refused(&mut ana, "TOKEN DEL deploy", " no-such-token ");
    let mut second = papod.connect();
    refused(&mut second, &format!("LOGIN ana {PASSWORD}"), " wrong-secret ");
    asks(&mut second, "LOGIN ana another-one quiet", "OK LOGIN ");
    over(&unix, "LOGIN ana another-one quiet\nUID LINK\nQUIT\n");
    over(&unix, &format!("LOGIN ana - quiet\nUID UNLINK {user}\nQUIT\n"));
    let acts = [
        "ADMIN USER NEW bia secret-b",
        "ADMIN USER PASSWD bia secret-c",
        "ADMIN USER REVOKE bia",
        "ADMIN KICK ana",
        "ADMIN USER DEL bia",
        "ADMIN USER DEL nobody",
        "ADMIN CHECK",
    ];
    over(&admin, &acts.join("\n"));
    let copy = home.path().join("copy.db");
    over(&admin, &format!("ADMIN BACKUP {}", copy.display()));
    let bytes = fs::metadata(&copy).unwrap().len();
    papod.until_logged("admin-backup");
    let expected = format!(
        "wrong-secret session=1 from=127.0.0.1 handle=-
register session=1 from=127.0.0.1 handle=ana
wrong-secret session=1 from=127.0.0.1 handle=ana
passwd session=1 from=127.0.0.1 handle=ana
token-new session=1 from=127.0.0.1 handle=ana label=deploy
login session=2 from=127.0.0.1 handle=ana by=token:deploy
token-del session=1 from=127.0.0.1 handle=ana label=deploy
wrong-secret session=3 from=127.0.0.1 handle=ana
login session=3 from=127.0.0.1 handle=ana by=password
login session=4 from=uid:{user} handle=ana by=password
uid-link session=4 from=uid:{user} handle=ana uid={user}
login session=5 from=uid:{user} handle=ana by=uid:{user}
uid-unlink session=5 from=uid:{user} handle=ana uid={user}
admin-user-new session=6 from=uid:{user} handle=bia
admin-user-passwd session=6 from=uid:{user} handle=bia
admin-user-revoke session=6 from=uid:{user} handle=bia
admin-kick session=6 from=uid:{user} handle=ana sessions=2
admin-user-del session=6 from=uid:{user} handle=bia
admin-check session=6 from=uid:{user} problems=0
admin-backup session=7 from=uid:{user} bytes={bytes} file={}",
        copy.display()
    );
    assert_eq!(events(&papod), expected.lines().collect::<Vec<_>>());
    // Each session of an account says when it ends, and no other one does.
    for session in 1..=5 {
        let from = if session < 4 { "127.0.0.1".to_owned() } else { format!("uid:{user}") };
        papod.until_logged(&format!("logout session={session} from={from} handle=ana\n"));
    }
    assert_eq!(papod.log().matches("logout session=").count(), 5, "{}", papod.log());
    for secret in ["hunter-two", PASSWORD, "not-the-one", "another-one", "secret-b", "papo_"] {
        assert!(!papod.log().contains(secret), "{secret} is in:\n{}", papod.log());
    }
    // All that is promised is there.
    let page = include_str!("../../contrib/OPERATING.md");
    let events = expected.lines().map(|line| line.split(' ').next().unwrap());
    for event in events.chain(["logout"]) {
        assert!(page.contains(&format!("`{event}`")), "OPERATING.md does not name {event}");
    }
    papod.stop();
}

#[test]
fn who_runs_into_a_limit_is_named_with_its_flag() {
    let home = Home::new();
    let flags = ["--limit-local", "--limit-address", "1", "--limit-registrations", "1"];
    let papod = Papod::start_with(&home.db(), flags);
    let mut ana = papod.connect();
    for _ in 0..3 {
        papod.connect().expect("BYE too-many");
    }
    papod.until_logged("limit from=127.0.0.1 times=1 flag=--limit-address\n");
    asks(&mut ana, "REG ana secret-a", "LIVE ");
    drop(ana);
    let log = papod.log();
    assert_eq!(log.matches("--limit-address\n").count(), 1, "a line a minute: {log}");
    papod.stop();
}

#[test]
fn a_client_without_tls_is_named() {
    let home = Home::new();
    let (papod, address) = tls::start(&home, &tls::file("one.pem"), &tls::file("one.key"));
    let mut plain = std::net::TcpStream::connect(address).unwrap();
    plain.write_all(b"HELP\n").unwrap();
    papod.until_logged("need-tls from=127.0.0.1 times=1");
    papod.stop();
}

#[test]
fn in_the_journal_lines_have_a_priority_and_no_time() {
    let home = Home::new();
    // As systemd names the stream that it has made standard error of.
    let script = r#"JOURNAL_STREAM=$(stat -L -c %d:%i /dev/fd/2) exec "$0" "$@""#;
    let mut command = with_clean_environment(Command::new("sh"));
    command.args(["-c", script, env!("CARGO_BIN_EXE_papod")]).args(process::USUAL);
    let papod = Papod::spawn({
        command.arg("--db").arg(home.db());
        command
    });
    papod.register("ana");
    papod.until_logged("<6>register session=1 ");
    let log = papod.log();
    assert!(
        log.starts_with("<6>papod ") && log.contains("\n<4>--password-cost is below "),
        "{log}"
    );
    assert!(log.lines().all(|line| line.starts_with('<')), "{log}");
    papod.stop();
    // Elsewhere, whatever the variable says.
    let mut command = papod_with_usual(&home);
    command.env("JOURNAL_STREAM", "8:12345");
    let papod = Papod::spawn(command);
    assert!(papod.log().starts_with('['), "{}", papod.log());
    papod.stop();
}

fn papod_with_usual(home: &Home) -> Command {
    let mut command = papod();
    command.args(process::USUAL).arg("--db").arg(home.db());
    command
}

#[test]
fn a_reload_that_fails_is_seen_by_whoever_asks_for_it() {
    let home = Home::new();
    let [certificate, key] = ["cert.pem", "key.pem"].map(|name| home.path().join(name));
    fs::copy(tls::file("one.pem"), &certificate).unwrap();
    fs::copy(tls::file("one.key"), &key).unwrap();
    let notified = home.path().join("notify.sock");
    let manager = UnixDatagram::bind(&notified).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let told = || {
        let mut said = [0; 1_000];
        let n = manager.recv(&mut said).unwrap();
        String::from_utf8(said[..n].to_vec()).unwrap()
    };
    let mut command = papod_with_usual(&home);
    command.args(["--tls-listen", "127.0.0.1:0", "--tls-cert"]).arg(&certificate);
    command.arg("--tls-key").arg(&key).env("NOTIFY_SOCKET", &notified);
    let papod = Papod::spawn(command);
    assert_eq!(told().trim_end(), "READY=1");

    // As the unit does, with the variables of papod.env.
    let unit = include_str!("../../contrib/systemd/papod.service");
    let line = "\nExecReload=papod --env-file /etc/papo/papod.env --reload $MAINPID\n";
    assert!(unit.contains(line));
    let env_file = home.path().join("papod.env");
    let paths = [certificate.display(), key.display()];
    fs::write(&env_file, format!("PAPOD_TLS_CERT={}\nPAPOD_TLS_KEY={}\n", paths[0], paths[1]))
        .unwrap();
    let reload = || {
        let mut command = process::papod();
        command.arg("--env-file").arg(&env_file);
        let output = run(command.args(["--reload", &papod.id().to_string()]));
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(reload(), (Some(0), String::new()));
    papod.until_logged("certificate reloaded");
    assert!(told().starts_with("RELOADING=1\nMONOTONIC_USEC="));
    assert_eq!(told().trim_end(), "READY=1\nSTATUS=");

    fs::copy(tls::file("other.key"), &key).unwrap();
    let (status, reason) = reload();
    assert_eq!(status, Some(1));
    assert!(reason.contains("is not the key of the certificate in"), "{reason}");
    // Who sends the signal nevertheless sees it in `systemctl status`.
    papod.signal(Signal::HUP);
    papod.until_logged("the certificate stays as it is: ");
    assert!(told().starts_with("RELOADING=1\n"));
    assert!(told().starts_with("READY=1\nSTATUS=the certificate could not be reloaded: "));
    papod.stop();

    let mut nobody = process::papod();
    assert_eq!(run(nobody.args(["--reload", "0"])).status.code(), Some(2));
    // Nobody else is sent a signal.
    let refused = |id: u32, with_certificate: bool| {
        let mut command = process::papod();
        if with_certificate {
            command.env("PAPOD_TLS_CERT", tls::file("one.pem"));
            command.env("PAPOD_TLS_KEY", tls::file("one.key"));
        }
        let output = run(command.args(["--reload", &id.to_string()]));
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(refused(std::process::id(), true).contains(", not papod\n"));
    // Without a certificate, a papod at a terminal would end.
    let papod = home.start();
    assert!(refused(papod.id(), false).contains("nothing to reload: no certificate is set"));
    papod.connect().has_heard_all();
    papod.stop();
}
