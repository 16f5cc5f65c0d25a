//! contrib/bots/.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

use super::{Place, Running, ended, hears, printed, until};
use crate::process::{Client, Entry, PASSWORD, PATIENCE};

/// Waits until a bot listens: it has taken what waited.
fn listens(alice: &mut Client, to: &str) {
    let id = alice.send(to, "are you there?");
    alice.until(&format!("ACK {id} "));
}

#[test]
#[ignore = "needs nc.openbsd (netcat-openbsd)"]
fn echo_answers_where_it_is_asked() {
    let place = Place::new();
    drop(place.papod.register("robot"));
    let mut alice = place.papod.login("alice").0;
    // Older than the bot: not answered.
    alice.send("robot", "!echo old");
    let mut bot = Running::start(&mut place.script("bots/echo.sh", "robot"));
    listens(&mut alice, "robot");
    alice.send("robot", "!echo two\\nlines, C:\\\\new and -n $HOME");
    hears(&mut alice, "two\\nlines, C:\\\\new and -n $HOME");
    alice.say("GROUP NEW team robot bob");
    alice.until("OK GROUP NEW ");
    alice.send("#team", "!echo to all");
    let said = alice.until("MSG ").pop().unwrap();
    let entry = Entry::parse(&said);
    assert_eq!((&*entry.to, &*entry.body), ("#team", "to all"));
    // Not to itself, from wherever it is written.
    place.papod.login_quietly("robot").send("#team", "!echo self");
    hears(&mut alice, "!echo self");
    alice.send("#team", "!echo last");
    let said = alice.until("MSG ").pop().unwrap();
    assert_eq!(Entry::parse(&said).body, "last");
    assert_eq!(place.said("alice", "robot").iter().filter(|body| *body == "old").count(), 0);
    place.papod.stop();
    bot.ends();
}

#[test]
#[ignore = "needs nc.openbsd (netcat-openbsd)"]
fn remind_reminds_once_and_later() {
    let mut place = Place::new();
    drop(place.papod.register("robot"));
    let mut alice = place.papod.login("alice").0;
    let start = |place: &Place| {
        Running::start(place.script("bots/remind.sh", "robot").arg(place.path("later")))
    };
    let mut bot = start(&place);
    // One that was asked for before it listens counts, too.
    alice.send("robot", "!remind 1s tea \\\\ milk");
    hears(&mut alice, "alice: tea \\\\ milk");
    for wrong in
        ["!remind", "!remind 10 tea", "!remind 010m tea", "!remind 5m", "!remind $((1))s a"]
    {
        alice.send("robot", wrong);
        hears(&mut alice, "try: !remind 10m tea");
    }
    let asked = alice.send("robot", "!remind 9d dentist");
    alice.until(&format!("ACK {asked} "));
    until("it is noted", || fs::read_dir(place.path("later")).unwrap().count() == 1);
    // The bot and the server go; what becomes due meanwhile is said when they are back.
    place.papod.kill();
    bot.ends();
    let kept = fs::read_dir(place.path("later")).unwrap().next().unwrap().unwrap().path();
    let id = kept.extension().unwrap().to_owned();
    fs::rename(&kept, kept.with_file_name("1000").with_extension(id)).unwrap();
    place.papod = place.home.start();
    let mut alice = place.papod.login("alice").0;
    let mut bot = start(&place);
    hears(&mut alice, "alice: dentist");
    until("it is done", || fs::read_dir(place.path("later")).unwrap().count() == 0);
    let said = place.said("alice", "robot");
    assert_eq!(said.iter().filter(|body| body.starts_with("alice: ")).count(), 2, "{said:?}");
    place.papod.stop();
    bot.ends();
}

#[test]
#[ignore = "needs nc.openbsd (netcat-openbsd)"]
fn poll_counts_reactions() {
    let mut place = Place::new();
    drop([place.papod.register("robot"), place.papod.register("cid")]);
    let mut alice = place.papod.login("alice").0;
    let start = |place: &Place| Running::start(place.script("bots/poll.sh", "robot").arg("polls"));
    let mut bot = start(&place);
    alice.say("GROUP NEW team robot bob cid");
    alice.until("OK GROUP NEW ");
    alice.send("#team", "!result");
    alice.send("#team", "!poll only a question");
    hears(&mut alice, "try: !poll ");
    alice.send("#team", "!poll 7. Where\\nto eat? / fish & chips/  $(pizza) / C:\\\\new ");
    let list = "7. Where to eat?\\n1. fish & chips\\n2. $(pizza)\\n3. C:\\\\new\\nvote by ";
    let poll = hears(&mut alice, list);
    alice.send("#team", "!result");
    let none = "7. Where to eat?\\n1. fish & chips: 0\\n2. $(pizza): 0\\n3. C:\\\\new: 0";
    hears(&mut alice, none);
    // Votes are taken while the bot is away, and only the last of each counts.
    place.papod.kill();
    bot.ends();
    place.papod = place.home.start();
    let mut alice = place.papod.login("alice").0;
    let votes = [("bob", "1"), ("alice", "2"), ("bob", "x"), ("robot", "3"), ("bob", "2")];
    // What only looks like so many votes is none.
    for (who, word) in votes.into_iter().chain([("cid", "99*1")]) {
        let mut voter = place.papod.login_quietly(who);
        voter.say(&format!("REACT {poll} {word}"));
        voter.until("OK REACT ");
    }
    let mut bot = start(&place);
    alice.send("#team", "!result");
    let said = alice.until("MSG ").pop().unwrap();
    assert!(said.contains(&format!(" robot #team re={poll}")), "{said}");
    assert!(said.ends_with("1. fish & chips: 0\\n2. $(pizza): 2\\n3. C:\\\\new: 1"), "{said}");
    place.papod.login_quietly("bob").send("#team", "!poll Again? / yes / no");
    hears(&mut alice, "Again?\\n1. yes\\n2. no\\n");
    alice.send("#team", "!result");
    hears(&mut alice, "Again?\\n1. yes: 0\\n2. no: 0");
    // To the bot alone it is nothing.
    alice.send("robot", "!poll Again? / yes / no");
    place.papod.stop();
    bot.ends();
}

#[test]
#[ignore = "needs nc.openbsd (netcat-openbsd)"]
fn logtail_says_new_lines_without_colours() {
    let mut place = Place::new();
    let log = place.path("app.log");
    fs::write(&log, "ERROR old\n").unwrap();
    let append = |text: &[u8]| {
        OpenOptions::new().append(true).open(&log).unwrap().write_all(text).unwrap();
    };
    let mut bob = place.papod.login("bob").0;
    let mut command = place.script("bots/logtail.sh", "alice");
    let mut tail = Running::start(command.args(["bob", "app.log", "ERROR|PANIC|start"]));
    // Until it reads, nothing is new to it.
    bob.socket().set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    until("it follows the file", || {
        append(b"start\n");
        bob.socket().peek(&mut [0]).is_ok()
    });
    bob.socket().set_read_timeout(Some(PATIENCE)).unwrap();
    append(b"\x1b[31mERROR\x1b[0m one\r\nfine\nPANIC C:\\new \xff\n");
    let id = hears(&mut bob, "ERROR one");
    hears(&mut bob, "PANIC C:\\\\new");
    assert!(id > 0 && place.said("bob", "alice").iter().all(|body| !body.contains("old")));
    // Rotated.
    fs::rename(&log, place.path("app.log.1")).unwrap();
    File::create(&log).unwrap().write_all(b"ERROR two\n").unwrap();
    hears(&mut bob, "ERROR two");
    tail.terminate();
    assert_ne!(tail.ends(), Some(0));
    place.is_tidy();
    place.papod.kill();
}

const MAIL: &str = "From ana@example.org Mon Nov 23 10:00:00 2026\r
Received: from a by b;\r
\tMon, 23 Nov 2026 10:00:00 +0000\r
From: Ana <ana@example.org>\r
Message-ID: <1@example.org>\r
SUBJECT: a long\r
  subject: folded\r
\r
Dear Bob,\r
\r
From: is no header here. C:\\new\r
";

#[test]
#[ignore = "needs nc.openbsd (netcat-openbsd)"]
fn forward_sends_a_mail_once() {
    let mut place = Place::new();
    let send = |place: &Place, mail: &str, to: &str, status| {
        fs::write(place.path("mail"), mail).unwrap();
        let mut command = place.script("bots/forward.sh", "alice");
        let mail = Stdio::from(File::open(place.path("mail")).unwrap());
        ended(command.arg(to).stdin(mail), status);
    };
    let long = format!("{MAIL}{}", "line\r\n".repeat(5_000));
    send(&place, &long, "bob", 0);
    send(&place, &long, "bob", 0);
    let head = "From: Ana <ana@example.org>\\nSubject: a long subject: folded\\n\\n";
    let text = "Dear Bob,\\n\\nFrom: is no header here. C:\\\\new";
    let expected = format!("{head}{text}{}", "\\nline".repeat(17));
    assert_eq!(place.said("bob", "alice"), [expected]);
    // Without an id, and without a text.
    send(&place, "From: cron\nSubject: nothing\n", "bob", 0);
    assert_eq!(place.said("bob", "alice")[1], "From: cron\\nSubject: nothing");
    send(&place, MAIL, "nobody", 69);
    place.papod.kill();
    send(&place, MAIL, "bob", 75);
}

/// The folders of the system are folders of the test.
#[test]
#[ignore = "needs nc.openbsd (netcat-openbsd)"]
fn what_stands_in_the_heads_starts_them() {
    let place = Place::new();
    let mut alice = place.papod.login("alice").0;
    let mut bots = Vec::new();
    for name in ["echo", "remind", "poll"] {
        drop(place.papod.register(name));
        fs::write(place.path(&format!("{name}.secret")), PASSWORD).unwrap();
        let lines = printed(&format!("bots/{name}.sh"));
        let line = lines.iter().find(|line| line.contains("contrib/bots/")).unwrap();
        let home = place.home.path().display();
        let line = line.replace("/etc/papo/", &format!("{home}/"));
        let line = line.replace("/var/lib/", &format!("{home}/"));
        let mut command = place.command("sh", "nobody");
        command.args(["-euc", &line]).env_remove("PAPO_SECRET");
        bots.push(Running::start(command.current_dir(env!("CARGO_MANIFEST_DIR"))));
        listens(&mut alice, name);
    }
    place.papod.stop();
    for bot in &mut bots {
        bot.ends();
    }
}

#[test]
#[ignore = "needs nc.openbsd (netcat-openbsd)"]
fn what_stands_in_the_heads_tells_of_logs_and_mail() {
    let place = Place::new();
    let home = place.home.path().display().to_string();
    drop((place.papod.register("logs"), place.papod.register("post")));
    let mut ana = place.papod.register("ana");
    ana.say("GROUP NEW ops logs");
    ana.until("OK GROUP NEW ");
    let log = place.path("app.log");
    fs::write(&log, "").unwrap();
    fs::write(place.path("logs.secret"), PASSWORD).unwrap();
    fs::write(place.path(".papo-secret"), PASSWORD).unwrap();
    let command = |line: String| {
        let mut command = place.command("sh", "nobody");
        // So that what is started is what is ended.
        command.args(["-euc", &format!("exec env {line}")]).env_remove("PAPO_SECRET");
        command.current_dir(env!("CARGO_MANIFEST_DIR"));
        command
    };

    let [line] = &printed("bots/logtail.sh")[..] else { panic!("one line") };
    let line = line.replace("/etc/papo/", &format!("{home}/"));
    let mut tail = Running::start(&mut command(line.replace("/var/log/", &format!("{home}/"))));
    ana.socket().set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    until("it follows the file", || {
        let mut file = OpenOptions::new().append(true).open(&log).unwrap();
        file.write_all(b"fine\nPANIC at the disco\n").unwrap();
        ana.socket().peek(&mut [0]).is_ok()
    });
    ana.socket().set_read_timeout(Some(PATIENCE)).unwrap();
    hears(&mut ana, "PANIC at the disco");
    tail.terminate();
    tail.ends();

    let [line] = &printed("bots/forward.sh")[..] else { panic!("one line") };
    let line = line.strip_prefix("\"|env ").unwrap().strip_suffix('"').unwrap();
    let line = line.replace("/home/ana/", &format!("{home}/"));
    fs::write(place.path("mail"), MAIL).unwrap();
    let mail = Stdio::from(File::open(place.path("mail")).unwrap());
    ended(command(line.replace("/usr/local/share/papo/", "contrib/")).stdin(mail), 0);
    hears(&mut ana, "From: Ana <ana@example.org>");
}
