//! contrib/papo.sh in each shell, with each nc.

use std::fs;
use std::time::Duration;

use rustix::process::Signal;

use super::{Place, Running, contrib, ended, printed, until};
use crate::process::{Entry, PASSWORD, ports};

/// Takes one line, and nobody reads what is printed after it.
const ONE: &str =
    "papo_receive | { IFS= read -r line; exec </dev/null; printf '%s\\n' \"$line\"; }; exit $?";

const TEXT: &str =
    "C:\\new\\\\table\n\nMSG bob injected\nQUIT\n  100% \"$HOME\" `id` \\n é 日本語\n\n\n";
const ESCAPED: &str =
    "C:\\\\new\\\\\\\\table\\n\\nMSG bob injected\\nQUIT\\n  100% \"$HOME\" `id` \\\\n é 日本語";

/// Where `sh` is busybox's, all other programs are, too.
fn place_for(shell: &str) -> Place {
    let mut place = Place::new();
    if shell == "sh" {
        place.with_busybox_alone();
    }
    place
}

/// Everything that a script asks for, and what is refused.
fn sends(shell: &str, nc: &str) {
    let place = place_for(shell);
    let run =
        |lines: &str, status| ended(place.shell(shell, "alice", lines).env("PAPO_NC", nc), status);
    fs::write(place.path("text"), TEXT).unwrap();
    assert_eq!(run("papo_send bob <text", 0).0, "1\n");
    assert_eq!(run("papo_send BOB from  the 'arguments  \\n here'", 0).0, "2\n");
    let arguments = "from the arguments  \\\\n here";
    // As for papo, a lone - is standard input.
    assert_eq!(run("papo_send bob - <text", 0).0, "3\n");
    assert_eq!(place.said("bob", "alice"), [ESCAPED, arguments, ESCAPED]);

    // Scripts in "strict mode" split at line breaks and tabs only.
    let strict = "IFS=$(printf '\\n\\t.'); IFS=${IFS%.}; ";
    let nc_and_time = run(&format!("{strict}papo_send bob of several words"), 0).0;
    assert_eq!(nc_and_time, "4\n");
    assert_eq!(place.said("bob", "alice").last().unwrap(), "of several words");

    // A status says what happened, and the ERR line why.
    let (out, err) = run("papo_send nobody hi", 1);
    assert!(out.is_empty() && err.starts_with("ERR MSG no-such-user "), "{err}");
    assert!(run("papo_send bob ''", 1).1.starts_with("ERR MSG bad-syntax "));
    assert!(
        run("PAPO_SECRET=wrong-horse; papo_send bob hi", 4)
            .1
            .starts_with("ERR LOGIN wrong-secret ")
    );
    run("papo_send 'bob x\nMSG bob' hi", 2);
    assert_eq!(run("papo_send; exit $?", 2).1, "papo: no recipient given\n");
    let unset = "papo: PAPO_AS is not set; it names the account\n";
    assert_eq!(run("unset PAPO_AS; papo_send bob hi", 2).1, unset);
    let others =
        ["localhost", "localhost:", "localhost:papo", "unix:", "a:1,", "a:1,,b:1", "a:1,b"];
    for server in others {
        let (_, err) = run(&format!("PAPO_SERVER={server}; papo_send bob hi"), 2);
        let said = format!("papo: PAPO_SERVER is {server}; expected host:port or unix:/path\n");
        assert_eq!(err, said);
    }
    let none = "unset PAPO_SECRET; papo_send bob hi";
    assert!(run(none, 4).1.starts_with("ERR LOGIN wrong-secret no password was given"));
    run("PAPO_SECRET= PAPO_SECRET_FILE=missing; papo_send bob hi", 2);

    // Once for a key.
    assert_eq!(run("papo_once monday bob done", 0).0, "5\n");
    assert_eq!(run("echo done | papo_once monday bob", 0).0, "5\n");
    assert!(run("papo_once monday bob 'not done'", 1).1.contains(" key-reused "));
    run("papo_once 'a b' bob done", 2);

    // Until it was read.
    assert!(run("papo_wait 5 read 1", 5).1.starts_with("ERR WAIT timeout "));
    let mut bob = place.papod.login("bob").0;
    bob.say("READ");
    bob.until("OK READ 5");
    run("papo_wait 5 delivered 10 && papo_wait 5 read 10", 0);
    for wrong in ["", "3", "3 read", "x read 3", "3 seen 3", "3 read 1s", "'' read 3"] {
        run(&format!("papo_wait {wrong}"), 2);
    }

    // A secret in a file, and a group as a shell likes it.
    fs::write(place.path("secret"), format!("{PASSWORD}\n")).unwrap();
    bob.say("GROUP NEW team alice");
    bob.until("OK GROUP NEW ");
    run("PAPO_SECRET= PAPO_SECRET_FILE=secret; papo_send +team hello", 0);
    assert_eq!(bob.until("MSG ").pop().map(|line| Entry::parse(&line).to), Some("#team".into()));
    // As under `set -eu`.
    run(
        "set -eu; id=$(papo_send bob hi); papo_escape \"$id\" >/dev/null; ! papo_send nobody hi",
        0,
    );

    // Where nobody listens.
    let nobody = format!("127.0.0.1:{}", ports::free(&[]));
    for call in ["papo_send bob hi", "papo_receive"] {
        let (_, err) = run(&format!("PAPO_SERVER={nobody}; {call}"), 3);
        assert!(err.ends_with(&format!(": no answer from {nobody}\n")), "{err}");
    }
    // Of several the first that answers, or none does.
    let several = format!("PAPO_SERVER={nobody},{nobody},{}", place.papod.address);
    run(&format!("{several}; papo_send bob 'by another way'"), 0);
    assert_eq!(place.said("bob", "alice").last().unwrap(), "by another way");
    let (_, err) = run(&format!("PAPO_SERVER={nobody},{nobody}; papo_send bob hi"), 3);
    assert!(err.ends_with(&format!(": no answer from {nobody},{nobody}\n")), "{err}");
    place.is_tidy();
}

/// What is printed, what is acknowledged, and each way in which it ends.
fn receives(shell: &str, nc: &str) {
    let place = place_for(shell);
    let receive = |lines: &str| Running::start(place.shell(shell, "bob", lines).env("PAPO_NC", nc));
    let mut alice = place.papod.login("alice").0;
    let waited = alice.send("bob", "it \\n waited \\\\");
    let mut printed = receive("papo_receive; exit $?");
    let line = printed.line();
    assert!(line.starts_with(&format!("MSG {waited} 2")), "{line}");
    assert!(line.ends_with("Z alice bob - it \\n waited \\\\"), "{line}");
    alice.until(&format!("ACK {waited} "));
    // Its own are not for it; it stays when nothing comes for longer than it waits for a sign.
    let mut bob = place.papod.login_quietly("bob");
    bob.send("alice", "from elsewhere");
    let news = alice.send("bob", "news");
    assert_eq!(Entry::parse(&printed.line()).id, news);
    alice.until(&format!("ACK {news} "));
    // What is a change of a group is no message, but it does not wait for ever.
    alice.say("GROUP NEW team bob");
    alice.until("OK GROUP NEW ");
    let last = alice.send("#team", "to all");
    assert_eq!(Entry::parse(&printed.line()).id, last);
    alice.until(&format!("ACK {last} "));
    // A reminder is none of its own.
    bob.say("AT +0 MSG bob tea");
    bob.until("OK AT ");
    assert_eq!(Entry::parse(&printed.line()).body, "tea");
    printed.terminate();
    assert_ne!(printed.ends(), Some(0));

    // With `live`, what waited is acknowledged and not printed; with `own`, its own are.
    let passed = alice.send("bob", "passed over");
    let mut printed = receive("papo_receive live own; exit $?");
    alice.until(&format!("ACK {passed} "));
    let note = bob.send("alice", "own");
    assert_eq!(Entry::parse(&printed.line()).id, note);

    // A server that does not answer any more, as one that lost its power.
    place.papod.signal(Signal::STOP);
    assert_eq!(printed.ends(), Some(3));
    place.papod.signal(Signal::CONT);
    place.is_tidy();

    // One that says goodbye.
    let mut printed = receive("papo_receive; exit $?");
    let seen = alice.send("bob", "seen");
    assert_eq!(Entry::parse(&printed.line()).id, seen);
    let Place { home, papod, path } = place;
    papod.stop();
    assert_eq!(printed.ends(), Some(3));

    // One that is killed.
    let mut place = Place { papod: home.start(), home, path };
    let mut alice = place.papod.login("alice").0;
    let receive = |lines: &str| Running::start(place.shell(shell, "bob", lines).env("PAPO_NC", nc));
    let mut printed = receive("papo_receive; exit $?");
    alice.send("bob", "before");
    while Entry::parse(&printed.line()).body != "before" {}
    place.papod.kill();
    assert_eq!(printed.ends(), Some(3));
    place.is_tidy();
}

/// Who reads it may go, and so may the script.
fn ends_with_its_readers(shell: &str) {
    let place = place_for(shell);
    let mut alice = place.papod.login("alice").0;
    alice.send("bob", "one");
    let nc = if shell == "sh" { "nc" } else { "nc.openbsd" };
    let receive = |lines: &str| Running::start(place.shell(shell, "bob", lines).env("PAPO_NC", nc));
    let mut printed = receive(ONE);
    assert_eq!(Entry::parse(&printed.line()).body, "one");
    alice.until("ACK 1 ");
    // It is told so when it prints the next.
    let unread = alice.send("bob", "two");
    assert_eq!(printed.ends(), Some(0));
    let mut printed = receive("papo_receive | cat; exit");
    assert_eq!(Entry::parse(&printed.line()).id, unread);
    printed.child.kill().unwrap();
    printed.ends();
    // A wrong secret ends it at once.
    let mut refused = receive("PAPO_SECRET=wrong-horse; papo_receive; exit $?");
    assert_eq!(refused.ends(), Some(4));
    place.is_tidy();
}

#[test]
#[ignore = "needs dash and nc.openbsd (netcat-openbsd)"]
fn dash_with_openbsd_nc() {
    sends("dash", "nc.openbsd");
    receives("dash", "nc.openbsd");
    ends_with_its_readers("dash");
}

#[test]
#[ignore = "needs bash and nc.openbsd (netcat-openbsd)"]
fn bash_with_openbsd_nc() {
    sends("bash", "nc.openbsd");
    receives("bash", "nc.openbsd");
    ends_with_its_readers("bash");
}

#[test]
#[ignore = "needs busybox"]
fn busybox_with_its_own_nc() {
    sends("sh", "nc");
    receives("sh", "nc");
    ends_with_its_readers("sh");
}

#[test]
#[ignore = "needs dash and nc.traditional (netcat-traditional)"]
fn dash_with_traditional_nc() {
    sends("dash", "nc.traditional");
    receives("dash", "nc.traditional");
}

#[test]
#[ignore = "needs dash and ncat"]
fn dash_with_ncat() {
    sends("dash", "ncat");
    receives("dash", "ncat");
}

#[test]
#[ignore = "needs dash, nc.openbsd (netcat-openbsd) and ncat"]
fn over_a_unix_socket_and_through_tls() {
    let tls = |name: &str| format!("{}/tests/tls/{name}", env!("CARGO_MANIFEST_DIR"));
    let place = Place::with(|home| {
        let unix = home.join("papo.sock").display().to_string();
        let flags = ["--unix", &unix, "--tls-listen", "127.0.0.1:0", "--tls-cert"];
        let files = [&tls("one.pem"), "--tls-key", &tls("one.key")];
        flags.into_iter().chain(files).map(str::to_owned).collect()
    });
    let unix = format!("unix:{}", place.path("papo.sock").display());
    for nc in ["nc.openbsd", "ncat"] {
        let mut command = place.shell("dash", "alice", "papo_send bob hello");
        ended(command.env("PAPO_NC", nc).env("PAPO_SERVER", &unix), 0);
    }
    // A linked user needs no secret there.
    let link =
        "printf 'LOGIN alice %s\\nUID LINK\\nQUIT\\n' \"$PAPO_SECRET\" | nc.openbsd -U papo.sock";
    ended(&mut place.shell("dash", "alice", link), 0);
    for lines in ["papo_send bob hello", ONE] {
        let mut command = place.shell("dash", "alice", lines);
        let mut running =
            Running::start(command.env_remove("PAPO_SECRET").env("PAPO_SERVER", &unix));
        let mut bob = place.papod.login_quietly("bob");
        bob.send("alice", "one");
        running.line();
        bob.send("alice", "two");
        assert_eq!(running.ends(), Some(0));
    }
    let address = place.papod.way("tls:").replace("127.0.0.1", "localhost");
    let nc = format!("ncat --ssl-verify --ssl-trustfile {}", tls("one.pem"));
    let mut command = place.shell("dash", "alice", "papo_send bob hello");
    ended(command.env("PAPO_NC", nc).env("PAPO_SERVER", address), 0);
    place.is_tidy();
}

/// At the start of each nc, what the processes of this machine were called with is written down.
/// A reader that takes nothing for longer than a server may be silent is not taken for one.
#[test]
#[ignore = "needs dash and nc.openbsd (netcat-openbsd)"]
fn who_reads_slowly_is_waited_for() {
    let place = Place::new();
    let mut alice = place.papod.login("alice").0;
    // More than a pipe holds, so that it has to wait with the second or third in its hands.
    let ids: Vec<u64> = (0..4).map(|_| alice.send("bob", &"long ".repeat(10_000))).collect();
    let mut command = place.shell("dash", "bob", "papo_receive | { sleep 9; cat; }");
    let mut printed = Running::start(&mut command);
    // In one session: a second one would begin with what was not acknowledged.
    let read: Vec<u64> = ids.iter().map(|_| Entry::parse(&printed.line()).id).collect();
    assert_eq!(read, ids);
    let news = alice.send("bob", "news");
    assert_eq!(Entry::parse(&printed.line()).id, news);
    place.papod.stop();
    printed.ends();
}

#[test]
#[ignore = "needs dash and nc.openbsd (netcat-openbsd)"]
fn no_secret_is_an_argument() {
    let place = Place::new();
    let secret = "known-to-carol-only";
    let mut carol = place.papod.connect();
    carol.say(&format!("REG carol {secret}"));
    carol.until("LIVE ");
    place.papod.login_quietly("bob").send("carol", "hello");
    let nc = place.path("nc");
    let lines = "#!/bin/sh\ncat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' >>seen\nexec nc.openbsd \"$@\"\n";
    fs::write(&nc, lines).unwrap();
    let lines = format!("papo_send bob hi; papo_once key bob hi; papo_wait 2 read 1; {ONE}");
    let mut command = place.shell("dash", "carol", &lines);
    let nc = format!("sh {}", nc.display());
    let running = Running::start(command.env("PAPO_NC", nc).env("PAPO_SECRET", secret));
    assert_eq!([running.line(), running.line()], ["2", "3"]);
    assert!(running.line().ends_with(" hello"));
    // Other programs of this machine are in it, with whatever bytes they were called with.
    let seen = fs::read(place.path("seen")).unwrap();
    let seen = String::from_utf8_lossy(&seen);
    assert!(seen.contains("papo_wait 2 read"), "it sees what is called: {seen}");
    assert!(!seen.contains(secret), "{seen}");
}

/// What a server would refuse is taken out, and nothing else.
fn strips(shell: &str) {
    let place = Place::new();
    let cases: [(&[u8], &str); 10] = [
        (b"\x1b[31;1merror\x1b[0m: \x1b[Kno\n", "error: no\n"),
        (b" 10%\r 50%\r100%\r\n", "100%\n"),
        (b"a\tb  c\n\nd", "a\tb  c\n\nd"),
        (b"bell\x07 null\x00 del\x7f back\x08\n", "bell null del back\n"),
        (b"\x1b]0;title\x07\x1b]8;;http://a\x1b\\link\x1b]8;;\x1b\\\n", "link\n"),
        ("C1 \u{9b}31m, é 日本 😀\n".as_bytes(), "C1 31m, é 日本 😀\n"),
        (b"latin \xe9\xff\n", "latin \n"),
        (
            b"out \xf4\x90\x80\x80\xed\xa0\x80\xf8\x88\x80\x80\x80\xc0\xaf of Unicode\n",
            "out  of Unicode\n",
        ),
        (b"\x1bMup \x1b(Bascii\n", "up (Bascii\n"),
        (b"back\\slash /[0-9]*.$^ &\n", "back\\slash /[0-9]*.$^ &\n"),
    ];
    for (given, plain) in cases {
        fs::write(place.path("given"), given).unwrap();
        let (out, _) = ended(&mut place.shell(shell, "alice", "papo_plain <given"), 0);
        assert_eq!(out.trim_end_matches('\n'), plain.trim_end_matches('\n'), "{given:?}");
    }
    // Whatever it is, it is sent.
    for given in [&b""[..], b" \n\t\n", b"caf\xe9\x07", "\\é\n".repeat(100_000).as_bytes()] {
        fs::write(place.path("given"), given).unwrap();
        let send = "papo_lossy <given | papo_send bob";
        let (_, err) = ended(&mut place.shell(shell, "alice", send), 0);
        assert_eq!(err, "");
    }
    let said = place.said("bob", "alice");
    assert_eq!(said[..3], ["(empty)", "(empty)", "caf"]);
    assert!(said[3].starts_with(r"\\é\n") && said[3].ends_with(r"\\é"), "{:?}", said[3].len());
    assert!(said[3].contains(r"\n[... 369999 bytes left out ...]\n"));
    fs::write(place.path("given"), TEXT).unwrap();
    let (out, _) = ended(&mut place.shell(shell, "alice", "papo_escape <given"), 0);
    assert_eq!(out, ESCAPED);
    fs::write(place.path("escaped"), format!("{out}\nsecond \\\\n")).unwrap();
    let (out, _) = ended(&mut place.shell(shell, "alice", "papo_unescape <escaped"), 0);
    assert_eq!(out, format!("{}\nsecond \\n\n", TEXT.trim_end_matches('\n')));
}

#[test]
#[ignore = "needs dash, bash and busybox"]
fn texts_in_each_shell() {
    ["dash", "bash", "busybox sh"].into_iter().for_each(strips);
}

#[test]
#[ignore = "needs busybox"]
fn without_iconv_what_is_not_ascii_is_left_out() {
    let mut place = Place::new();
    place.with_busybox_alone();
    let iconv = place.path("busybox").join("iconv");
    assert!(!iconv.exists() || fs::remove_file(iconv).is_ok());
    let lines = "printf 'caf\\303\\251 \\377\\n' | papo_lossy";
    assert_eq!(ended(&mut place.shell("sh", "alice", lines), 0), ("caf \n".into(), String::new()));
}

#[test]
fn it_is_read_and_not_run() {
    let text = fs::read_to_string(contrib("papo.sh")).unwrap();
    assert!(text.starts_with("# shellcheck shell=sh\n# papo.sh: "));
}

#[test]
#[ignore = "needs nc.openbsd (netcat-openbsd)"]
fn what_stands_in_the_head_sends_and_receives() {
    let place = Place::new();
    drop(place.papod.register("ana"));
    fs::write(place.path(".papo-secret"), PASSWORD).unwrap();
    let lines = printed("papo.sh");
    let [read, who, send, receive] = &lines[..4] else { panic!("{lines:?}") };
    // As in a shell of one's own, where nothing is exported. What is done with a message is left open.
    let receive = receive.replace("do …; done", r#"do echo "$from: $body"; done"#);
    let script = format!("{read}\n{who}\n{send}\n{receive}\n");
    let mut command = place.command("sh", "nobody");
    command.args(["-euc", &script]).current_dir(contrib("")).env("HOME", place.home.path());
    command.env_remove("PAPO_AS").env_remove("PAPO_SECRET");
    let running = Running::start(&mut command);
    assert_eq!(running.line(), "1");
    assert!(place.said("bob", "ana")[0].starts_with("Filesystem "));
    // Until it is there, nothing is new to it.
    let mut bob = place.papod.login("bob").0;
    let mut heard = None;
    until("it listens", || {
        bob.send("ana", "thanks");
        heard = running.lines.recv_timeout(Duration::from_millis(200)).ok();
        heard.is_some()
    });
    assert_eq!(heard.unwrap(), "bob: thanks");
    place.papod.stop();
}
