//! `papo register`, `login` and `logout`: where secrets come from, where they are kept, and to whom
//! they are shown. And the ways to a server.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::place::{Place, Running, done, fails, input};
use crate::process::{Home, PASSWORD, Papod};

/// A value in the settings.
fn setting(place: &Place, key: &str) -> Option<String> {
    let text = fs::read_to_string(place.config()).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{key} ")));
    line.map(str::to_owned)
}

#[test]
fn an_account_is_made() {
    let place = Place::with(&[]);
    let said = place.done("Ana", &["register", "--name", "Ana Maria"]);
    assert_eq!(said, format!("registered ana at {}\n", place.address()));
    let said = done(place.papo("ana", &["raw", "--quiet"]).stdin(input(b"WHOAMI\nQUIT\n")));
    assert!(said.starts_with("OK WHOAMI ana Ana Maria\n"), "{said}");
    fails(&mut place.papo("ana", &["register"]), 1, "ERR REG taken ");
    assert!(!place.config().exists(), "nothing is kept");
}

#[test]
fn a_token_is_kept_and_the_password_is_not() {
    let place = Place::with(&["ana"]);
    let said = place.done("ana", &["login"]);
    assert!(said.starts_with("logged in as ana, by the token "), "{said}");
    let mode = fs::metadata(place.config()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!fs::read_to_string(place.config()).unwrap().contains(PASSWORD));
    // It is called after the machine.
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    assert_eq!(setting(&place, "label"), Some(host));
    // Nothing else is needed from now on.
    assert_eq!(done(&mut place.bare(&["send", "ana", "a note"])), "1\n");
    // Once more, and the token before opens nothing any more.
    let before = setting(&place, "token").unwrap();
    place.done("ana", &["login"]);
    assert_ne!(setting(&place, "token"), Some(before.clone()));
    let mut old = place.papo("ana", &["chats"]);
    fails(old.env("PAPO_SECRET", &before), 4, "ERR LOGIN wrong-secret ");
    let mut ana = place.papod().login_quietly("ana");
    ana.say("TOKEN LIST");
    assert_eq!(ana.until("OK TOKEN LIST ").pop().unwrap(), "OK TOKEN LIST 1");
}

#[test]
fn logging_out_revokes_the_token_and_forgets_it() {
    let place = Place::with(&["ana"]);
    place.done("ana", &["login"]);
    let token = setting(&place, "token").unwrap();
    done(&mut place.bare(&["logout"]));
    assert_eq!((setting(&place, "token"), setting(&place, "as")), (None, Some("ana".to_owned())));
    let mut old = place.bare(&["chats"]);
    fails(old.env("PAPO_SECRET", &token), 4, "ERR LOGIN wrong-secret ");
    fails(&mut place.bare(&["chats"]), 4, "ERR LOGIN wrong-secret ");
    fails(&mut place.bare(&["logout"]), 1, "papo: not logged in");
    // One that was revoked elsewhere is forgotten, too.
    place.done("ana", &["login"]);
    let mut ana = place.papod().login_quietly("ana");
    let label = setting(&place, "label").unwrap();
    ana.say(&format!("TOKEN DEL {label}"));
    ana.expect(&format!("OK TOKEN DEL {label}"));
    done(&mut place.bare(&["logout"]));
    assert_eq!(setting(&place, "token"), None);
}

#[test]
fn a_token_is_for_its_own_account_and_server_only() {
    let place = Place::with(&["ana", "bob"]);
    place.done("ana", &["login"]);
    fails(&mut place.bare(&["--as", "bob", "chats"]), 4, "ERR LOGIN wrong-secret ");
    let there = place.papod().address.to_string();
    fails(&mut place.bare(&["--server", &there, "chats"]), 2, "papo: no secret: ");
    assert_eq!(done(place.bare(&["--server", &there, "chats"]).env("PAPO_SECRET", PASSWORD)), "");
}

#[test]
fn a_named_file_comes_before_the_environment_and_that_before_what_is_kept() {
    let place = Place::with(&["ana"]);
    place.done("ana", &["login"]);
    let file = place.home.path().join("secret");
    fs::write(&file, format!("{PASSWORD}\n")).unwrap();
    let mut chats = place.bare(&["chats", "--secret-file", file.to_str().unwrap()]);
    done(chats.env("PAPO_SECRET", "wrong-secret"));
    let mut chats = place.bare(&["chats"]);
    fails(chats.env("PAPO_SECRET", "wrong-secret"), 4, "ERR LOGIN wrong-secret ");
}

#[test]
fn a_system_user_who_is_linked_needs_no_secret() {
    let place = Place::with(&["ana"]);
    let mut chats = place.papo("ana", &["chats"]);
    fails(chats.env_remove("PAPO_SECRET"), 4, "ERR LOGIN wrong-secret ");
    done(place.papo("ana", &["raw"]).stdin(input(b"UID LINK\nQUIT\n")));
    done(place.papo("ana", &["send", "ana", "hi"]).env_remove("PAPO_SECRET"));
}

#[test]
fn every_way_in_is_a_way_for_papo() {
    let file = |name| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls").join(name);
    let [one, key, other] = ["one.pem", "one.key", "other.pem"].map(file);
    let home = Home::new();
    let [certificate, key] = [&one, &key].map(|path| path.to_str().unwrap());
    let flags = ["--tls-listen", "127.0.0.1:0", "--tls-cert", certificate, "--tls-key", key];
    let papod = Papod::start_with(&home.db(), flags);
    let port = papod.way("tls:").rsplit(':').next().unwrap().to_owned();
    papod.register("ana");
    let place = Place { papod: Some(papod), home, flags: Vec::new() };
    let plain = place.papod().address.to_string();
    let send = |server: &str, ca: &Path| {
        let mut command = place.papo("ana", &["send", "ana", "hi"]);
        command.env("PAPO_SERVER", server).env("PAPO_CA", ca);
        command
    };
    assert_eq!(done(&mut send(&plain, &one)), "1\n");
    assert_eq!(done(&mut send(&format!("tls:localhost:{port}"), &one)), "2\n");
    assert_eq!(done(&mut send(&format!("tls:127.0.0.1:{port}"), &one)), "3\n");
    // The end of input is passed on through TLS.
    let mut raw = place.papo("ana", &["raw", "--quiet"]);
    raw.env("PAPO_SERVER", format!("tls:localhost:{port}")).env("PAPO_CA", &one);
    assert_eq!(done(raw.stdin(input(b"PING a\nPING b"))), "OK PING a\nOK PING b\n");
    // A server that nobody vouches for is told no secret. Each try goes on for a while.
    let there = format!("tls:localhost:{port}");
    let untrusted = [
        Running::start(&mut send(&there, &other)),
        Running::start(send(&there, &one).env_remove("PAPO_CA")),
        Running::start(&mut send(&there, Path::new("/none"))),
    ];
    for running in untrusted {
        let (status, out, err) = running.finish();
        assert_eq!((status, out.len()), (Some(3), 0));
        assert!(err[0].starts_with(&format!("papo: {there}: ")), "{err:?}");
    }
    assert_eq!(place.bodies("ana", "ana").len(), 3);
}

#[test]
#[ignore = "needs script"]
fn at_a_terminal_the_password_is_asked_for_and_not_shown() {
    let place = Place::with(&["ana"]);
    let mut script = Command::new("script");
    let papo = format!("'{}' chats && echo well", env!("CARGO_BIN_EXE_papo"));
    script.args(["-qec", &papo, "/dev/null"]);
    for (name, value) in place.papo("ana", &[]).get_envs() {
        script.env(name, value.unwrap_or_default());
    }
    for name in ["PAPO_SECRET", "PAPO_CA"] {
        script.env_remove(name);
    }
    script.env("PAPO_SERVER", place.papod().address.to_string());
    script.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = script.spawn().unwrap();
    let (mut keys, mut screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let (mut shown, mut byte) = (Vec::new(), [0]);
    while !shown.ends_with(b"Password of ana: ") {
        assert_eq!(screen.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&shown));
        shown.push(byte[0]);
    }
    keys.write_all(format!("{PASSWORD}\n").as_bytes()).unwrap();
    let mut rest = String::new();
    screen.read_to_string(&mut rest).unwrap();
    assert!(child.wait().unwrap().success() && rest.contains("well"), "{rest}");
    assert!(!rest.contains(PASSWORD), "{rest}");
}
