//! contrib/fail2ban/: what papod logs of who guesses is found there.

use std::fs;
use std::process::Command;

use super::{contrib, ended};
use crate::process::{Home, Papod};

#[test]
fn the_jail_is_the_filters() {
    let filter = fs::read_to_string(contrib("fail2ban/filter.conf")).unwrap();
    let jail = fs::read_to_string(contrib("fail2ban/jail.conf")).unwrap();
    // A jail without a filter takes the one of its own name.
    assert!(jail.contains("\n[papod]\n") && !jail.contains("\nfilter"));
    assert!(filter.contains("contrib/fail2ban/filter.conf /etc/fail2ban/filter.d/papod.conf"));
    assert!(filter.contains("contrib/fail2ban/jail.conf /etc/fail2ban/jail.d/papod.conf"));
}

#[test]
#[ignore = "needs fail2ban"]
fn who_guesses_is_found_and_nobody_else() {
    let home = Home::new();
    let papod = Papod::start_with(&home.db(), ["--limit-local"]);
    papod
        .register("ana")
        .say("TOKEN NEW wrong-secret\u{a0}session=1\u{a0}from=192.0.2.1\u{a0}handle=ana");
    papod.until_logged("token-new ");
    let mut stranger = papod.connect();
    for handle in ["ana", "nobody"] {
        stranger.say(&format!("LOGIN {handle} not-the-one"));
        assert!(stranger.line().starts_with("ERR LOGIN wrong-secret "));
    }
    papod.until_logged("handle=-");
    let log = home.path().join("papod.log");
    // As papod wrote it, as the journal shows it, and the line of the brake.
    let wrote = papod.log();
    let shown = wrote.lines().filter_map(|line| line.split_once("] "));
    let shown: String =
        shown.map(|(_, said)| format!("Nov 28 16:00:00 host papod[7]: {said}\n")).collect();
    let guesses =
        |from: &str| format!("[2026-11-28T16:00:00Z WARN ] guesses from={from} times=9\n");
    let brake = guesses("2001:db8:7::/64") + &guesses("192.0.2.7") + &guesses("others");
    fs::write(&log, format!("{wrote}{shown}{brake}")).unwrap();
    let mut command = Command::new("fail2ban-regex");
    let said = ended(command.arg(&log).arg(contrib("fail2ban/filter.conf")), 0).0;
    assert!(said.contains("Failregex: 6 total"), "{said}");
    // A network is banned as one.
    let mut command = Command::new("fail2ban-regex");
    command.args(["-o", "ip"]).arg(&log).arg(contrib("fail2ban/filter.conf"));
    let banned = ended(&mut command, 0).0;
    assert!(banned.contains("2001:db8:7::/64\n") && banned.contains("192.0.2.7\n"), "{banned}");
    papod.stop();
}
