//! contrib/mirror.sh and contrib/demo.sh.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{Place, Running, contrib, ended, hears, printed, until};
use crate::process::{PASSWORD, PATIENCE};

/// Waits until a file has a line that ends so, and gives the line back.
fn line_of(file: &Path, end: &str) -> String {
    let mut found = None;
    until(end, || {
        let text = fs::read_to_string(file).unwrap_or_default();
        found = text.lines().find(|line| line.ends_with(end)).map(str::to_owned);
        found.is_some()
    });
    found.unwrap()
}

#[test]
#[ignore = "needs nc.openbsd (netcat-openbsd)"]
fn mirror_has_a_folder_for_each_conversation() {
    let place = Place::new();
    let chat = place.path("chat");
    let mut bob = place.papod.login("bob").0;
    bob.send("alice", "it waited");
    let start = || {
        let mut command = place.script("mirror.sh", "Alice");
        Running::start(command.arg(&chat).args(["bob", "+later"]))
    };
    let mut mirror = start();
    let out = chat.join("bob/out");
    let line = line_of(&out, "Z <bob> it waited");
    assert_eq!(line.len(), "2026-11-22T11:58:03.214Z <bob> it waited".len());
    bob.until("ACK 1 ");
    // One writer after the other; each line is a message, whatever it says.
    let write = |to: &str, text: &str| {
        let path = chat.join(to).join("in");
        until("the FIFO is there", || path.exists());
        OpenOptions::new().write(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
    };
    write("bob", "C:\\new\n");
    hears(&mut bob, "C:\\\\new");
    write("bob", "QUIT\n\nMSG bob x\n");
    hears(&mut bob, "QUIT");
    hears(&mut bob, "MSG bob x");
    line_of(&out, "<alice> C:\\\\new");
    line_of(&out, "<alice> MSG bob x");
    // What is written elsewhere is mirrored, and a group gets its folder.
    let mut alice = place.papod.login_quietly("alice");
    alice.send("bob", "from the phone");
    line_of(&out, "<alice> from the phone");
    bob.say("GROUP NEW team alice");
    bob.until("OK GROUP NEW ");
    bob.send("#team", "to all");
    line_of(&chat.join("#team/out"), "<bob> to all");
    write("#team", "back\n");
    hears(&mut bob, "back");
    alice.send("alice", "a note");
    line_of(&chat.join("alice/out"), "<alice> a note");
    assert!(chat.join("#later/in").exists());
    // It ends with all that it started, and begins again where it was.
    mirror.terminate();
    assert_ne!(mirror.ends(), Some(0));
    place.is_tidy();
    bob.send("alice", "meanwhile");
    let mut mirror = start();
    line_of(&out, "<bob> meanwhile");
    let text = fs::read_to_string(&out).unwrap();
    assert_eq!(text.matches("it waited").count(), 1, "{text}");
    place.papod.stop();
    mirror.ends();
}

#[test]
#[ignore = "needs nc.openbsd (netcat-openbsd)"]
fn what_stands_in_the_head_mirrors() {
    let place = Place::new();
    let home = place.home.path().display().to_string();
    let mut bob = place.papod.login("bob").0;
    let mut ana = place.papod.register("ana");
    ana.say("GROUP NEW lunch bob");
    ana.until("OK GROUP NEW ");
    bob.send("#lunch", "today at one");
    fs::write(place.path(".papo-secret"), PASSWORD).unwrap();
    let lines = printed("mirror.sh");
    let [mirror, look, write, group] = &lines[..] else { panic!("{lines:?}") };
    let command = |line: &str| {
        let mut command = place.command("sh", "nobody");
        command.args(["-euc", line]).env("HOME", &home).env_remove("PAPO_SECRET");
        command.current_dir(env!("CARGO_MANIFEST_DIR"));
        command
    };
    // In the background of a shell, which passes on that it is ended.
    let stays = |line: &str| command(&format!("{line} trap \"kill $!\" TERM; wait"));
    let mirror = Running::start(&mut stays(mirror));
    let look = Running::start(&mut stays(look));
    for folder in ["chat/bob/in", "chat/#lunch/in"] {
        until(folder, || place.path(folder).exists());
    }
    ended(&mut command(write), 0);
    hears(&mut bob, "lunch at one?");
    assert!(look.line().ends_with("Z <ana> lunch at one?"));
    ended(&mut command(&group.replace("/home/ana/", &format!("{home}/"))), 0);
    hears(&mut bob, "fish again?");
    for mut running in [look, mirror] {
        running.terminate();
        running.ends();
    }
}

#[test]
#[ignore = "needs tmux, script (bsdutils) and nc.openbsd (netcat-openbsd)"]
fn demo_shows_two_people_and_leaves_nothing() {
    let place = Place::new();
    let mut command = place.command("script", "nobody");
    let demo = contrib("demo.sh").display().to_string();
    command.args(["-q", "-e", "-c", &demo, "/dev/null"]).env("TERM", "xterm").env_remove("TMUX");
    command.env("PAPOD", env!("CARGO_BIN_EXE_papod")).env("LC_ALL", "C.UTF-8");
    // Its terminal goes with it if the test fails, and then all that was started does.
    let mut demo = Running::start(command.stdin(Stdio::piped()));
    let tmp = place.path("tmp");
    let mut socket = None;
    until("tmux runs", || {
        let mut folders =
            fs::read_dir(&tmp).unwrap().map(|entry| entry.unwrap().path().join("tmux"));
        socket = folders.find(|path| path.exists());
        socket.is_some()
    });
    let socket = socket.unwrap();
    let tmux = |arguments: &[&str]| {
        let output = Command::new("tmux").arg("-S").arg(&socket).args(arguments).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let shows = |pane: &str, text: &str| {
        until(text, || tmux(&["capture-pane", "-p", "-J", "-t", pane]).contains(text));
    };
    shows(":0.0", "bob: lunch at one?");
    shows(":0.1", "OK LOGIN bob");
    tmux(&["send-keys", "-t", ":0.0", "I sit outside", "Enter"]);
    shows(":0.1", "ana bob - I sit outside");
    tmux(&["send-keys", "-t", ":0.1", "READ", "Enter"]);
    shows(":0.0", "read you: I sit outside");
    tmux(&["kill-session"]);
    // What it draws meanwhile is not looked at.
    while demo.lines.recv_timeout(PATIENCE).is_ok() {}
    demo.ends();
    place.is_tidy();
}
