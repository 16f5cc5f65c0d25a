//! contrib/cron/.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::{Place, ended, hears, printed};
use crate::process::PASSWORD;

#[test]
#[ignore = "needs nc.openbsd (netcat-openbsd)"]
fn tell_speaks_of_failures_only() {
    let mut place = Place::new();
    let tell = |place: &Place, lines: &str, status| {
        let mut command = place.script("cron/tell.sh", "alice");
        ended(command.args(["bob", "sh", "-c", lines]), status)
    };
    assert_eq!(tell(&place, "echo fine", 0), (String::new(), String::new()));
    let noisy = "seq 100; printf ' 10%%\\r100%%\\n\\033[31mred\\033[0m \\\\n\\377\\n' >&2; exit 7";
    assert_eq!(tell(&place, noisy, 7), (String::new(), String::new()));
    let said = place.said("bob", "alice");
    let [body] = &said[..] else { panic!("{said:?}") };
    assert!(body.contains(": status 7\\n63\\n64\\n"), "{body}");
    assert!(body.ends_with("\\n100\\n100%\\nred \\\\n"), "{body}");
    // Much on one line, cut in the middle of a character.
    tell(&place, "printf '%09999d\\303\\251' 0 | sed 's/0/\\xc3\\xa9/g'; exit 1", 1);
    assert_eq!(place.said("bob", "alice").len(), 2);
    // What is missing is a failure, too.
    let mut command = place.script("cron/tell.sh", "alice");
    ended(command.args(["bob", "no-such-program"]), 127);
    assert!(place.said("bob", "alice")[2].contains("no-such-program: status 127"));
    // Nothing, another character set, a bell, more than goes into a message, and no room for it.
    for (n, job) in [
        "exit 1",
        "printf 'caf\\351 \\007\\000\\n'; exit 2",
        "printf '%0200000d' 0 | sed 's/0/\\\\/g'; exit 3",
        "printf '\\355\\240\\200 \\364\\220\\200\\200 \\370\\210\\200\\200\\200\\n'; exit 4",
    ]
    .iter()
    .enumerate()
    {
        let status = i32::try_from(n).unwrap() + 1;
        assert_eq!(tell(&place, job, status), (String::new(), String::new()));
        let said = place.said("bob", "alice");
        let (head, _) = said[3 + n].split_once("status ").unwrap();
        assert!(head.ends_with(&format!(": sh -c {job}: ").replace('\\', r"\\")), "{head}");
    }
    let mut command = place.script("cron/tell.sh", "alice");
    command.env("TMPDIR", "/nowhere");
    let (_, err) = ended(command.args(["bob", "sh", "-c", "echo x; exit 5"]), 5);
    assert!(err.contains("mktemp"), "{err}");
    assert!(place.said("bob", "alice")[7].ends_with("exit 5: status 5"));
    // Where it cannot be sent, cron mails it.
    place.papod.kill();
    let (out, err) = tell(&place, "echo lost; exit 3", 3);
    assert!(out.is_empty() && err.ends_with("lost\n"), "{err}");
    place.is_tidy();
}

#[test]
#[ignore = "needs nc.openbsd (netcat-openbsd)"]
fn escalate_has_the_second_told_if_the_first_does_not_answer() {
    let mut place = Place::new();
    let mut carol = place.papod.register("carol");
    let escalate = |place: &Place, seconds: &str, first: &str| {
        let mut command = place.script("cron/escalate.sh", "alice");
        command.args([first, "carol", seconds, "the disk", "is \\ full"]);
        ended(&mut command, 0)
    };
    escalate(&place, "0", "bob");
    hears(&mut carol, "bob has not answered this in 0 seconds:\\nthe disk is \\\\ full");
    escalate(&place, "600", "nobody");
    hears(&mut carol, "nobody could not be told this:\\nthe disk is \\\\ full");
    // The time is none: then it is told at once.
    let (_, err) = escalate(&place, "40000000", "bob");
    assert!(err.starts_with("ERR UNLESS bad-syntax "), "{err}");
    let why = "bob has been told this, and nobody will be if there is no answer:\\nthe disk";
    hears(&mut carol, why);
    let mut command = place.script("cron/escalate.sh", "alice");
    ended(command.args(["nobody", "carol", "1", "caf\u{1b}[31m\x07"]), 0);
    hears(&mut carol, "nobody could not be told this:\\ncaf");
    // To read is no answer. The script has ended, and the server ends for a moment.
    escalate(&place, "2", "bob");
    let mut bob = place.papod.login("bob").0;
    bob.say("READ");
    bob.until("OK READ ");
    place.papod.kill();
    place.papod = place.home.start();
    let (mut carol, waited) = place.papod.login("carol");
    let told = "bob has not answered this in 2 seconds:\\nthe disk is \\\\ full";
    if !waited.iter().any(|line| line.ends_with(told)) {
        hears(&mut carol, told);
    }
    carol.has_heard_all();
}

#[test]
#[ignore = "needs nc.openbsd (netcat-openbsd)"]
fn status_changes_its_message() {
    let place = Place::new();
    let mut bob = place.papod.login("bob").0;
    let status = |lines: &str, status| {
        let mut command = place.script("cron/status.sh", "alice");
        ended(command.args(["bob", "id", "sh", "-c", lines]), status)
    };
    status("echo up", 0);
    let id = hears(&mut bob, "up");
    status("echo up", 0);
    status("printf '\\033[31mdown\\033[0m \\\\\\n\\n'; exit 7", 0);
    let line = bob.line();
    assert!(line.ends_with(&format!(" alice bob re={id} down \\\\\\n\\nstatus 7")), "{line}");
    status("true", 0);
    assert!(bob.line().ends_with(" (empty)"));
    // Its message was deleted: there is a new one.
    place.papod.login_quietly("alice").say(&format!("DEL {id}"));
    bob.until("DEL ");
    assert!(status("echo new", 0).1.starts_with("ERR EDIT no-such-message "));
    let next = hears(&mut bob, "new");
    status("echo newer", 0);
    assert!(bob.line().ends_with(&format!(" re={next} newer")));
    // Where the server is not there, it goes on with it another time.
    let mut place = place;
    place.papod.kill();
    let mut command = place.script("cron/status.sh", "alice");
    ended(command.args(["bob", "id", "echo", "lost"]), 3);
    assert_eq!(fs::read_to_string(place.path("id")).unwrap(), format!("{next}\n"));
    place.is_tidy();
}

/// A line of the head of a script, as `who`, where `backup` is a job that fails.
fn as_printed(place: &Place, who: &str, line: &str) -> Command {
    let folder = place.path("bin");
    fs::create_dir_all(&folder).unwrap();
    if !folder.join("backup").exists() {
        let mut make = Command::new("sh");
        make.args(["-c", r#"printf '#!/bin/sh\necho "$@"; exit 9\n' >backup && chmod +x backup"#]);
        ended(make.current_dir(&folder), 0);
    }
    let papo = Path::new(env!("CARGO_BIN_EXE_papo")).parent().unwrap();
    let path = env::var("PATH").unwrap();
    let mut command = place.command("sh", who);
    command.args(["-euc", line]).current_dir(env!("CARGO_MANIFEST_DIR"));
    command.env("PATH", format!("{}:{}:{path}", folder.display(), papo.display()));
    command.env("CI_JOB_URL", "https://ci.example.org/jobs/7");
    command
}

#[test]
#[ignore = "needs nc.openbsd (netcat-openbsd)"]
fn what_stands_in_the_heads_does_it() {
    let place = Place::new();
    drop(place.papod.register("cron"));
    let mut ana = place.papod.register("ana");
    let mut bob = place.papod.login("bob").0;
    bob.say("GROUP NEW ops alice");
    bob.until("OK GROUP NEW ");

    let [job, shell, client] = &printed("cron/tell.sh")[..] else { panic!("three lines") };
    let job = job.strip_prefix("17 3 * * *  ").expect("every night");
    let secret = place.path("cron.secret");
    fs::write(&secret, PASSWORD).unwrap();
    let job = job.replace("/etc/papo/cron.secret", secret.to_str().unwrap());
    let mut command = as_printed(&place, "alice", &job);
    ended(command.env_remove("PAPO_SECRET"), 9);
    assert!(place.said("ana", "cron")[0].ends_with(": backup --all: status 9\\n--all"));
    for line in [shell, client] {
        ended(&mut as_printed(&place, "alice", line), 0);
        hears(&mut bob, "the build failed: https://ci.example.org/jobs/7");
    }

    let [arguments, input] = &printed("cron/escalate.sh")[..] else { panic!("two lines") };
    for (line, text) in [(arguments, "the disk of db1 is full"), (input, "Filesystem ")] {
        ended(&mut as_printed(&place, "alice", line), 0);
        hears(&mut ana, text);
    }
    bob.has_heard_all();
    // Where the first is not there any more, those that it names in the second place are told.
    let nobody = input.replace(" ana ", " nobody ");
    ended(&mut as_printed(&place, "alice", &nobody), 0);
    hears(&mut bob, "nobody could not be told this:\\nFilesystem ");

    let [line] = &printed("cron/status.sh")[..] else { panic!("one line") };
    let line = line.strip_prefix("* * * * *  ").expect("every minute");
    let line = line.replace("/etc/papo/cron.secret", secret.to_str().unwrap());
    let line = line.replace("/var/lib/", &format!("{}/", place.home.path().display()));
    bob.say("GROUP ADD ops cron");
    bob.until("OK GROUP ADD ");
    for _ in 0..2 {
        let mut command = as_printed(&place, "alice", &line);
        ended(command.env_remove("PAPO_SECRET"), 0);
    }
    hears(&mut bob, "Filesystem ");
}
