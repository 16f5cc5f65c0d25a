//! `papo --device`: each device catches up by itself, acknowledges in the order of events, and shares
//! its work with others of the same name.

use std::fs;

use crate::place::{Place, Running, done, fails};
use crate::process::{Client, Entry};

/// The devices of ana's: name and place.
fn devices(place: &Place) -> Vec<(String, u64)> {
    let mut ana = place.papod().login_quietly("ana");
    ana.say("DEVICES");
    let mut rows = ana.until("OK DEVICES ");
    rows.pop();
    let row = |row: &String| {
        let mut words = row.split(' ').skip(1);
        (words.next().unwrap().to_owned(), words.next().unwrap().parse().unwrap())
    };
    rows.iter().map(row).collect()
}

/// The next message that somebody is sent: from, to and text.
fn next(client: &mut Client) -> String {
    let Entry { from, to, body, .. } = Entry::parse(&client.until("MSG ").pop().unwrap());
    [from, to, body].join(" ")
}

/// The ids of what `papo tail` shows a device of ana's.
fn tail(place: &Place, device: &str, arguments: &[&str]) -> Vec<String> {
    let all = [&["--device", device, "tail", "--waiting"], arguments].concat();
    let said = place.done("ana", &all);
    let id = |line: &str| line.split(' ').nth(1).unwrap().to_owned();
    said.lines().filter(|line| !line.starts_with("LIVE ")).map(id).collect()
}

#[test]
fn each_device_catches_up_by_itself() {
    let place = Place::with(&["ana", "bob"]);
    let mut bob = place.papod().login_quietly("bob");
    bob.send("ana", "one");
    assert_eq!(tail(&place, "phone", &[]), ["1"]);
    assert!(tail(&place, "tab", &[]).is_empty(), "ana has received it");
    assert_eq!(devices(&place), [("phone".into(), 1), ("tab".into(), 1)]);
    bob.send("ana", "two");
    place.done("ana", &["send", "bob", "three"]);
    assert_eq!(tail(&place, "phone", &[]), ["2"]);
    // Received on the phone, and not here. What ana wrote elsewhere is passed over, and not sent
    // again.
    assert_eq!(tail(&place, "tab", &[]), ["2"]);
    assert_eq!(devices(&place), [("phone".into(), 3), ("tab".into(), 3)]);
    bob.send("ana", "four");
    place.done("ana", &["--device", "tab", "send", "bob", "five"]);
    assert_eq!(tail(&place, "phone", &["--all"]), ["4", "5"]);
    assert_eq!(tail(&place, "tab", &["--all"]), ["4"]);
    fails(&mut place.papo("ana", &["--device", "a b", "chats"]), 2, "error: invalid value 'a b'");
}

#[test]
fn a_login_chooses_a_device_and_a_logout_deletes_it() {
    let place = Place::with(&["ana", "bob"]);
    let saved = || {
        let text = fs::read_to_string(place.config()).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("device "));
        line.map(str::to_owned)
    };
    place.done("ana", &["login"]);
    let host = saved().expect("it is called after the machine");
    assert!(devices(&place).is_empty(), "it is made when it is used");
    done(&mut place.bare(&["send", "bob", "hi"]));
    assert_eq!(devices(&place), [(host.clone(), 0)]);
    // The same again, unless another is named.
    place.done("ana", &["login"]);
    assert_eq!(saved().as_ref(), Some(&host));
    place.done("ana", &["--device", "Desk", "login"]);
    assert_eq!(saved().as_deref(), Some("desk"));
    // Another home on this machine is another device.
    let other = tempfile::tempdir().unwrap();
    let mut login = place.papo("ana", &["login"]);
    done(login.env("XDG_CONFIG_HOME", other.path()));
    let text = fs::read_to_string(other.path().join("papo/config")).unwrap();
    assert!(text.contains(&format!("\ndevice {host}-2\n")), "{text}");
    // A secret that is given is no login's.
    assert_eq!(devices(&place), [(host.clone(), 0)]);
    place.done("ana", &["chats"]);
    assert_eq!(devices(&place), [(host.clone(), 0)]);
    done(&mut place.bare(&["chats"]));
    let mut both = [("desk".into(), 1), (host.clone(), 0)];
    both.sort();
    assert_eq!(devices(&place), both);
    done(&mut place.bare(&["logout"]));
    assert_eq!(saved(), None);
    assert_eq!(devices(&place), [(host, 0)]);
}

#[test]
fn what_runs_longer_holds_back_what_came_later() {
    let place = Place::with(&["ana", "bob", "cid"]);
    let flag = place.home.path().join("flag");
    let made = std::process::Command::new("mkfifo").arg(&flag).status().unwrap();
    assert!(made.success());
    // So that its place is known.
    place.done("ana", &["--device", "bot", "chats"]);
    let script = r#"if [ "$PAPO_FROM" = bob ]; then cat "$0"; else echo done; fi"#;
    let arguments = ["--device", "bot", "on", "--", "sh", "-c", script, flag.to_str().unwrap()];
    let _on = Running::start(&mut place.papo("ana", &arguments));
    let (mut bob, _) = place.papod().login("bob");
    let (mut cid, _) = place.papod().login("cid");
    bob.send("ana", "slow");
    cid.send("ana", "quick");
    assert_eq!(next(&mut cid), "ana cid done");
    cid.has_heard_all();
    assert_eq!(devices(&place), [("bot".into(), 0)]);
    fs::write(&flag, "over\n").unwrap();
    assert_eq!(next(&mut bob), "ana bob over");
    bob.until("ACK ");
    cid.until("ACK ");
}

/// Each message is run by one of them, and by the other if that one is killed in the middle.
#[test]
fn two_share_the_work() {
    let place = Place::with(&["ana", "bob"]);
    let (mut bob, _) = place.papod().login("bob");
    let (runs, mark) = (place.home.path().join("runs"), place.home.path().join("mark"));
    let made = std::process::Command::new("mkfifo").arg(&mark).status().unwrap();
    assert!(made.success());
    // The first time, a message that says so waits until it is let go.
    let script = r#"read -r text; echo "$text" >> "$0"
        if [ "$text" = wait ] && [ "$(grep -c wait "$0")" = 1 ]; then
            echo > "$1"
            read -r go < "$1"
        fi
        echo "$text done""#;
    let (runs_at, mark_at) = (runs.to_str().unwrap(), mark.to_str().unwrap());
    let arguments = ["--device", "bot", "on", "--", "sh", "-c", script, runs_at, mark_at];
    let start = || Running::start(&mut place.papo("ana", &arguments));
    let waits = "papo: another papo on does this; waiting until it ends";
    let mut first = start();
    bob.send("ana", r"one\n");
    assert_eq!(next(&mut bob), "ana bob one done");
    let second = start();
    assert_eq!(second.complaint(), waits);
    bob.send("ana", r"two\n");
    assert_eq!(next(&mut bob), "ana bob two done");
    bob.until("ACK ");
    bob.send("ana", r"wait\n");
    fs::read(&mark).unwrap();
    // One of ana's other clients receives everything meanwhile.
    let (mut ana, _) = place.papod().login("ana");
    ana.say("ACK");
    ana.until("OK ACK ");
    bob.until("ACK 5 ");
    first.kill();
    // The second one runs it again. What the first one left behind comes too late.
    assert_eq!(next(&mut bob), "ana bob wait done");
    fs::write(&mark, "go\n").unwrap();
    bob.send("ana", r"three\n");
    assert_eq!(next(&mut bob), "ana bob three done");
    let ran = fs::read_to_string(&runs).unwrap();
    assert_eq!(ran.lines().collect::<Vec<_>>(), ["one", "two", "wait", "wait", "three"]);
    // One that does something else does not wait, nor does one without a device.
    let other = ["--device", "bot", "on", "--", "true"];
    let _other = Running::start(&mut place.papo("ana", &other));
    let third = start();
    assert_eq!(third.complaint(), waits);
    drop(second);
}
