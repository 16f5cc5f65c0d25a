//! `papo register`, `login` and `logout`: where secrets come from, where they are kept, and to whom
//! they are shown. And the ways to a server.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use papo::limits;

use crate::place::{Place, Running, done, fails, input, stderr};
use crate::process::unix::over;
use crate::process::{Home, PASSWORD, Papod, run, tls};

/// A value in the settings.
fn setting(place: &Place, key: &str) -> Option<String> {
    let text = fs::read_to_string(place.config()).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{key} ")));
    line.map(str::to_owned)
}

#[test]
fn an_account_is_made_with_an_invitation() {
    let folder = Home::new();
    let admin = folder.path().join("admin.sock");
    let flags = ["--admin", admin.to_str().unwrap(), "--registration", "invite"];
    let place = Place::with_flags(&[], &flags);
    fails(&mut place.papo("ana", &["register"]), 1, "ERR REG closed ");
    let made = over(&admin, "ADMIN INVITE 2");
    let invitation = made[0].strip_prefix("OK ADMIN INVITE ").unwrap();
    done(place.papo("ana", &["register"]).env("PAPO_INVITATION", invitation));
    place.done("bob", &["register", "--invitation", invitation]);
    let mut third = place.papo("caio", &["register", "--invitation", invitation]);
    fails(&mut third, 1, "ERR REG closed ");
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
    assert!(said.starts_with("logged in as ana; the token \""), "{said}");
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
fn a_login_after_the_token_was_revoked_keeps_one_that_is_valid() {
    let place = Place::with(&["ana"]);
    place.done("ana", &["login"]);
    let label = setting(&place, "label").unwrap();
    place.done("ana", &["token", "del", &label]);
    let mut chats = place.bare(&["chats"]);
    let output = run(&mut chats);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(4));
    let why = format!("\npapo: the token kept in {} is no longer", place.config().display());
    assert!(said.starts_with("ERR LOGIN wrong-secret ") && said.contains(&why), "{said}");
    // The new one is called like the old one.
    place.done("ana", &["login"]);
    assert_eq!(setting(&place, "label").as_ref(), Some(&label));
    done(&mut place.bare(&["chats"]));
    // Nor is another home's revoked, which has that label by now.
    let other = tempfile::tempdir().unwrap();
    let elsewhere = |arguments: &[&str]| {
        let mut command = place.papo("ana", arguments);
        command.env("XDG_CONFIG_HOME", other.path());
        command
    };
    place.done("ana", &["token", "del", &label]);
    done(&mut elsewhere(&["login"]));
    place.done("ana", &["login"]);
    assert_eq!(setting(&place, "label"), Some(format!("{label}-2")));
    done(elsewhere(&["chats"]).env_remove("PAPO_SECRET"));
    done(&mut place.bare(&["chats"]));
}

#[test]
fn logging_out_revokes_the_token_and_forgets_it() {
    let place = Place::with(&["ana"]);
    place.done("ana", &["login"]);
    let token = setting(&place, "token").unwrap();
    assert_eq!(done(&mut place.bare(&["logout"])), "logged out; the token for ana was revoked\n");
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
    let said = done(&mut place.bare(&["logout"]));
    assert_eq!(said, "logged out; the token for ana was no longer valid\n");
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
    // A server that nobody vouches for is told no secret, and which of the two it speaks is said.
    let there = format!("tls:localhost:{port}");
    let here = place.papod().address.port();
    let failing = [
        (Running::start(&mut send(&there, &other)), there.clone(), "it is signed by another key"),
        (
            Running::start(send(&there, &one).env_remove("PAPO_CA")),
            there.clone(),
            "its certificate ",
        ),
        (
            Running::start(&mut send(&there, Path::new("/none"))),
            there.clone(),
            "/none: No such file",
        ),
        (
            Running::start(&mut send(&format!("localhost:{port}"), &one)),
            format!("localhost:{port}"),
            &*format!("the server speaks TLS; use tls:localhost:{port}"),
        ),
        (
            Running::start(&mut send(&format!("tls:localhost:{here}"), &one)),
            format!("tls:localhost:{here}"),
            &*format!("it does not speak TLS there; localhost:{here}, without tls:"),
        ),
    ];
    for (running, address, why) in failing {
        let (status, out, err) = running.finish();
        assert_eq!((status, out.len()), (Some(3), 0));
        assert!(
            err[0].starts_with(&format!("papo: {address}: ")) && err[0].contains(why),
            "{err:?}"
        );
    }
    assert_eq!(place.bodies("ana", "ana").len(), 3);
}

/// Another try would end like the first one.
#[test]
fn a_server_that_does_not_speak_tls_is_asked_once() {
    let place = Place::with(&["ana"]);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let times = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let count = times.clone();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let _ = client.unwrap().write_all(b"HELLO papo/1 other type HELP\n");
        }
    });
    let mut send = place.papo("ana", &["send", "ana", "hi"]);
    let (status, _, err) =
        Running::start(send.env("PAPO_SERVER", format!("tls:{address}"))).finish();
    assert_eq!(status, Some(3), "{err:?}");
    assert!(err[0].contains("it does not speak TLS there"), "{err:?}");
    assert_eq!(times.load(std::sync::atomic::Ordering::SeqCst), 1);
}

#[test]
fn a_certificate_as_openssl_makes_it_serves_whoever_has_it() {
    let home = Home::new();
    let [certificate, key] = ["made.pem", "made.key"].map(tls::file);
    let (papod, address) = tls::start(&home, &certificate, &key);
    papod.register("ana");
    let place = Place { papod: Some(papod), home, flags: Vec::new() };
    let mut send = place.papo("ana", &["-4", "send", "ana", "hi", "-6"]);
    send.env("PAPO_SERVER", format!("tls:localhost:{}", address.port()));
    assert_eq!(done(send.env("PAPO_CA", &certificate)), "1\n");
    assert_eq!(place.bodies("ana", "ana"), ["hi -6"]);
}

#[test]
fn an_address_of_the_other_kind_is_not_used() {
    let place = Place::with(&["ana"]);
    let there = place.papod().address.to_string();
    done(place.papo("ana", &["chats", "-4"]).env("PAPO_SERVER", &there));
    let mut six = place.papo("ana", &["-6", "chats"]);
    fails(six.env("PAPO_SERVER", &there), 3, &format!("papo: {there}: no address of this family"));
}

#[test]
fn settings_that_cannot_be_read_are_no_matter_where_all_is_said() {
    let place = Place::with(&["ana"]);
    let folder = place.config();
    let all: &[(&str, &dyn Fn())] = &[
        ("a folder", &|| fs::create_dir_all(&folder).unwrap()),
        ("no text", &|| {
            fs::remove_dir(&folder).unwrap();
            fs::write(&folder, b"server caf\xe9\n").unwrap();
        }),
        ("a bad line", &|| fs::write(&folder, "server no where\nas x\n").unwrap()),
    ];
    for (what, make) in all {
        make();
        done(&mut place.papo("ana", &["chats"]));
        done(place.papo("ana", &["token", "list"]).env("PAPO_SECRET", PASSWORD));
        // What it may say is not guessed.
        let start = format!("papo: {}: ", folder.display());
        fails(place.papo("ana", &["chats"]).env_remove("PAPO_SERVER"), 2, &start);
        fails(place.papo("ana", &["chats"]).env_remove("PAPO_AS"), 2, &start);
        println!("{what}");
    }
    for home in ["/dev/null", "/nowhere", ""] {
        done(place.papo("ana", &["chats"]).env_remove("XDG_CONFIG_HOME").env("HOME", home));
    }
}

#[test]
fn an_empty_variable_is_as_one_that_is_not_set() {
    let place = Place::with(&["ana"]);
    let mut chats = place.papo("ana", &["--server", &place.address(), "--as", "ana", "chats"]);
    for name in ["PAPO_SERVER", "PAPO_AS", "PAPO_CA"] {
        chats.env(name, "");
    }
    done(chats.env("PAPO_SECRET", format!("{PASSWORD}\r\n")));
    let mut none = place.papo("ana", &["chats"]);
    fails(
        none.env("PAPO_SECRET", "\n").env("PAPO_SERVER", place.papod().address.to_string()),
        2,
        "papo: no secret: ",
    );
}

#[test]
fn tokens_are_made_listed_and_revoked() {
    let place = Place::with(&["ana"]);
    let token = place.done("ana", &["token", "new", "ci"]);
    let token = token.trim();
    assert_eq!(done(place.papo("ana", &["send", "ana", "hi"]).env("PAPO_SECRET", token)), "1\n");
    let listed = place.done("ana", &["token", "list"]);
    assert!(
        listed.starts_with("ci                    made ") && listed.contains("  used 20"),
        "{listed}"
    );
    place.done("ana", &["token", "new", "desk"]);
    let listed = place.done("ana", &["token", "list", "--json"]);
    assert_eq!(listed.lines().filter(|line| line.starts_with(r#"{"label":""#)).count(), 2);
    assert!(listed.contains(r#""label":"desk""#) && listed.contains(r#""used":null}"#), "{listed}");
    fails(&mut place.papo("ana", &["token", "new", "ci"]), 1, "ERR TOKEN taken ");
    let mut by_token = place.papo("ana", &["token", "new", "more"]);
    fails(by_token.env("PAPO_SECRET", token), 1, "ERR TOKEN not-allowed ");
    assert_eq!(place.done("ana", &["token", "del", "ci"]), "");
    fails(place.papo("ana", &["chats"]).env("PAPO_SECRET", token), 4, "ERR LOGIN wrong-secret ");
    fails(&mut place.papo("ana", &["token", "del", "ci"]), 1, "ERR TOKEN no-such-token ");
    fails(&mut place.papo("ana", &["token", "new", "two words"]), 2, "error: ");
}

#[test]
fn a_token_for_one_conversation_sends_there_and_nothing_else() {
    let place = Place::with(&["ana", "bia"]);
    let bell = place.done("ana", &["token", "new", "bell", "--to", "bia"]);
    let by_bell = |arguments: &[&str]| {
        let mut papo = place.papo("ana", arguments);
        papo.env("PAPO_SECRET", bell.trim());
        papo
    };
    assert_eq!(done(&mut by_bell(&["send", "bia", "hi"])), "1\n");
    fails(&mut by_bell(&["send", "ana", "hi"]), 1, "ERR MSG not-allowed ");
    fails(&mut by_bell(&["chats"]), 1, "ERR CHATS not-allowed ");
    let listed = place.done("ana", &["token", "list"]);
    assert!(listed.trim_end().ends_with("only to bia"), "{listed}");
    let listed = place.done("ana", &["token", "list", "--json"]);
    assert!(listed.trim_end().ends_with(r#""to":"bia"}"#), "{listed}");
    fails(
        &mut place.papo("ana", &["token", "new", "x", "--to", "+none"]),
        1,
        "ERR TOKEN no-such-group ",
    );
}

#[test]
fn a_password_is_changed_and_tokens_stay() {
    let place = Place::with(&["ana"]);
    place.done("ana", &["login"]);
    let mut passwd = place.papo("ana", &["passwd"]);
    assert_eq!(done(passwd.stdin(input(b"new-secret\n"))), "the password of ana was changed\n");
    fails(&mut place.papo("ana", &["chats"]), 4, "ERR LOGIN wrong-secret ");
    done(place.papo("ana", &["chats"]).env("PAPO_SECRET", "new-secret"));
    done(&mut place.bare(&["chats"]));
    for unfit in [&b""[..], b"two words\n", b"\n"] {
        let mut passwd = place.papo("ana", &["passwd"]);
        let passwd = passwd.env("PAPO_SECRET", "new-secret").stdin(input(unfit));
        fails(passwd, 2, "papo: the new password, on standard input: ");
    }
    let mut short = place.papo("ana", &["passwd"]);
    fails(short.env("PAPO_SECRET", "new-secret").stdin(input(b"x\n")), 1, "ERR PASSWD bad-syntax ");
}

#[test]
fn where_there_is_no_room_for_a_token_it_is_said_what_to_do() {
    let place = Place::with(&["ana"]);
    let home = tempfile::tempdir().unwrap();
    let login = |n: usize| {
        let mut login = place.papo("ana", &["login"]);
        login.env("XDG_CONFIG_HOME", home.path().join(n.to_string())).env_remove("CI");
        login
    };
    done(&mut login(0));
    let mut ana = place.papod().login_quietly("ana");
    for n in 1..limits::TOKENS {
        ana.say(&format!("TOKEN NEW one-{n}"));
        ana.until("OK TOKEN NEW ");
    }
    let output = run(&mut login(1));
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said.starts_with("ERR TOKEN too-many ") && said.contains("\npapo: papo token list "),
        "{said}"
    );
    // One that has become free is taken, whatever numbers are in use.
    place.done("ana", &["token", "del", "one-7"]);
    let said = run(login(1).env("CI", "true"));
    assert!(said.status.success() && stderr(&said).contains("PAPO_SECRET"), "{said:?}");
}

#[test]
fn settings_that_are_a_link_stay_one() {
    let place = Place::with(&["ana"]);
    let kept = place.home.path().join("dotfiles");
    fs::create_dir(&kept).unwrap();
    fs::create_dir_all(place.config().parent().unwrap()).unwrap();
    std::os::unix::fs::symlink("../dotfiles/papo", place.config()).unwrap();
    for _ in 0..2 {
        place.done("ana", &["login"]);
        assert!(fs::symlink_metadata(place.config()).unwrap().is_symlink());
        let mode = fs::metadata(kept.join("papo")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    done(&mut place.bare(&["logout"]));
    assert!(fs::symlink_metadata(place.config()).unwrap().is_symlink());
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
