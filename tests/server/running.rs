//! What operators change while papod runs: addresses that are shut out, limits, the level of the log,
//! and that nothing is written.

use crate::files::start;
use crate::process::unix::over;
use crate::process::{Client, Home, Papod};

#[test]
fn an_address_that_is_shut_out_is_ended_and_kept_out() {
    let home = Home::new();
    let papod = start(&home);
    let admin = home.path().join("admin.sock");
    let mut ana = papod.register("ana");
    let mut stranger = papod.connect();
    stranger.say("PING");
    stranger.expect("OK PING");
    let lines = over(&admin, "ADMIN BAN 127.0.0.9/8 60\nADMIN BAN 2001:db8::/32 60\nADMIN BANS");
    assert_eq!(lines[..2], ["OK ADMIN BAN 127.0.0.0/8 2", "OK ADMIN BAN 2001:db8::/32 0"]);
    assert!(lines[2].starts_with("BAN 127.0.0.0/8 2") && lines[3].starts_with("BAN 2001:"));
    assert_eq!(lines[4], "OK ADMIN BANS 2");
    for client in [&mut ana, &mut stranger] {
        client.expect("BYE kicked");
        assert!(client.next_line().is_none());
    }
    let mut again = Client::connect(papod.address);
    assert_eq!(again.line(), "BYE kicked");
    assert!(again.next_line().is_none());
    papod.until_logged("banned from=127.0.0.1 times=1");
    papod.until_logged("admin-ban session=");
    let lines = over(&admin, "ADMIN UNBAN 127.0.0.1/8\nADMIN UNBAN 192.0.2.1\nADMIN BANS");
    assert_eq!(lines[..2], ["OK ADMIN UNBAN 127.0.0.0/8", "OK ADMIN UNBAN 192.0.2.1"]);
    assert_eq!(lines[3], "OK ADMIN BANS 1");
    papod.login_quietly("ana").has_heard_all();
    papod.stop();
}

/// As on a full disk: whatever writes is refused, nothing is lost, and all else goes on.
#[test]
fn a_server_that_is_read_only_answers_and_writes_nothing() {
    let home = Home::new();
    let papod = start(&home);
    let admin = home.path().join("admin.sock");
    let (mut ana, mut bob) = (papod.register("ana"), papod.register("bob"));
    ana.say("SET ack auto");
    ana.expect("OK SET ack auto");
    bob.send("ana", "before");
    ana.until("MSG 1 ");
    bob.until("ACK 1 ");
    assert_eq!(over(&admin, "ADMIN READONLY on"), ["OK ADMIN READONLY on"]);
    let text =
        "storage the server is read-only for maintenance; nothing was saved, try again later";
    let refused = [
        ("MSG ana hello", "MSG"),
        ("REACT 1 ok", "REACT"),
        ("GROUP NEW team", "GROUP"),
        ("AT +60 MSG ana later", "AT"),
        ("PUT aGVsbG8K", "PUT"),
        ("NAME Bob", "NAME"),
        ("TOKEN NEW t", "TOKEN"),
        ("ONCE k MSG ana hello", "ONCE"),
    ];
    for (line, verb) in refused {
        bob.say(line);
        bob.expect(&format!("ERR {verb} {text}"));
    }
    let mut stranger = papod.connect();
    stranger.say("REG cid secret-c");
    stranger.expect(&format!("ERR REG {text}"));
    let lines = over(&admin, "ADMIN USER NEW cid secret-c\nADMIN USER DISABLE ana\nADMIN STATS");
    assert_eq!(lines[..2], [format!("ERR ADMIN {text}"), format!("ERR ADMIN {text}")]);
    assert!(lines.contains(&"STAT read_only 1".to_owned()), "{lines:?}");
    assert!(lines.contains(&"STAT commits_failed 0".to_owned()), "{lines:?}");
    // Reading, logging in and copying go on.
    bob.say("HIST ana");
    assert_eq!(bob.until("OK HIST ").len(), 2);
    let (mut more, _) = papod.login("ana");
    more.has_heard_all();
    let copy = home.path().join("copy.db");
    let lines = over(&admin, &format!("ADMIN BACKUP {}\nADMIN READONLY off", copy.display()));
    assert!(lines[0].starts_with("OK ADMIN BACKUP "), "{lines:?}");
    assert_eq!(lines[1], "OK ADMIN READONLY off");
    // Nothing of what was refused is there, and its numbers were not given.
    bob.say("ONCE k MSG ana hello");
    bob.until("OK MSG ");
    bob.say("MSG ana after");
    bob.until("OK MSG ");
    let bodies: Vec<String> = bob.history("ana", 0).into_iter().map(|row| row.body).collect();
    assert_eq!(bodies, ["before", "hello", "after"]);
    assert_eq!(over(&admin, "ADMIN CHECK"), ["OK ADMIN CHECK 0"]);
    papod.stop();
    let papod = Papod::start(&home.db());
    papod.register("cid").send("ana", "hello");
    papod.stop();
}

#[test]
fn limits_are_set_without_a_restart() {
    let home = Home::new();
    let admin = home.path().join("admin.sock");
    let flags = ["--admin", admin.to_str().unwrap(), "--limit-local", "--limit-address", "3"];
    let papod = Papod::start_with(&home.db(), flags);
    let lines = over(&admin, "ADMIN LIMIT");
    assert_eq!(lines[0], "LIMIT connections 20000");
    assert!(lines.contains(&"LIMIT address 3".to_owned()), "{lines:?}");
    assert_eq!(lines.last().unwrap(), &format!("OK ADMIN LIMIT {}", lines.len() - 1));
    let mut ana = papod.register("ana");
    let mut two: Vec<Client> = (0..2).map(|_| papod.connect()).collect();
    let mut beyond = Client::connect(papod.address);
    assert_eq!(beyond.line(), "BYE too-many");
    assert_eq!(over(&admin, "ADMIN LIMIT Address 4"), ["OK ADMIN LIMIT address 4"]);
    two.push(papod.connect());
    // A rate, and a size.
    let lines = over(&admin, "ADMIN LIMIT groups 1\nADMIN LIMIT file 5");
    assert_eq!(lines, ["OK ADMIN LIMIT groups 1", "OK ADMIN LIMIT file 5"]);
    ana.say("GROUP NEW one");
    ana.expect("OK GROUP NEW #one");
    ana.say("GROUP NEW two");
    ana.until("ERR GROUP too-fast ");
    ana.say("PUT aGVsbG8K");
    ana.expect("ERR PUT too-long a file may have at most 5 bytes");
    assert_eq!(over(&admin, "ADMIN LIMIT groups 0"), ["OK ADMIN LIMIT groups 0"]);
    ana.say("GROUP NEW two");
    ana.expect("OK GROUP NEW #two");
    papod.until_logged("limit=groups value=0 was=1");
    papod.stop();
}

#[test]
fn the_log_says_more_and_less_without_a_restart() {
    let home = Home::new();
    let papod = start(&home);
    let admin = home.path().join("admin.sock");
    assert_eq!(
        over(&admin, "ADMIN LOG\nADMIN LOG debug"),
        ["OK ADMIN LOG info", "OK ADMIN LOG debug"]
    );
    papod.connect().say("QUIT");
    papod.until_logged("bye quit");
    assert_eq!(over(&admin, "ADMIN LOG warn\nADMIN LOG"), ["OK ADMIN LOG warn"; 2]);
    papod.until_logged("admin-log session=");
    let before = papod.log();
    papod.register("ana").has_heard_all();
    over(&admin, "ADMIN LOG error");
    assert!(!papod.log()[before.len()..].contains("handle=ana"), "{}", papod.log());
    papod.stop();
}

#[test]
fn what_is_said_to_everybody_is_one_line_of_the_log_and_none_on_disk() {
    let home = Home::new();
    let papod = start(&home);
    let admin = home.path().join("admin.sock");
    let mut ana = papod.register("ana");
    // It needs no write.
    let said = "ADMIN READONLY on\nADMIN SAY at six:\\n  a \"pause\"";
    assert_eq!(over(&admin, said), ["OK ADMIN READONLY on", "OK ADMIN SAY 1"]);
    let notice = ana.until("NOTICE ").pop().unwrap();
    assert!(notice.ends_with(r#"Z at six:\n  a "pause""#), "{notice}");
    papod.until_logged(r#" sessions=1 text="at six:\\n  a \"pause\"""#);
    papod.stop();
}
