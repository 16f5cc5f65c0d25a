//! What operators see of accounts, groups and files, and an account that is disabled.

use crate::files::start;
use crate::process::unix::over;
use crate::process::{Home, PASSWORD, Papod};

/// The handles of the rows, and the last line.
fn users(lines: &[String]) -> (Vec<&str>, &str) {
    let (last, rows) = lines.split_last().unwrap();
    let handles = rows.iter().map(|row| {
        let row = row.strip_prefix("ACCOUNT ").unwrap();
        row.split(' ').next().unwrap()
    });
    (handles.collect(), last)
}

/// What new accounts begin with, and may change.
#[test]
fn a_server_may_begin_with_who_sees_whom() {
    let home = Home::new();
    let papod = Papod::start_with(&home.db(), ["--seen", "none"]);
    let mut ana = papod.register("ana");
    let _bob = papod.register("bob");
    ana.say("PREF");
    ana.until("PREF seen none");
    ana.until("OK PREF ");
    ana.say("FIND bob");
    ana.expect("USER bob offline - bob");
    ana.until("OK FIND ");
    papod.stop();
}

#[test]
fn lists_come_in_pages() {
    let home = Home::new();
    let papod = start(&home);
    let admin = home.path().join("admin.sock");
    let made: Vec<String> = (0..1_100).map(|n| format!("user{n:04}")).collect();
    let typed: String =
        made.iter().map(|handle| format!("ADMIN USER NEW {handle} {PASSWORD}\n")).collect();
    assert_eq!(over(&admin, &typed).len(), made.len());
    let first = over(&admin, "ADMIN USERS");
    let (rows, last) = users(&first);
    assert_eq!(
        (rows, last),
        (made[..1_000].iter().map(String::as_str).collect(), "OK ADMIN USERS 1000 more")
    );
    let second = over(&admin, "ADMIN USERS after USER0999");
    let (rows, last) = users(&second);
    assert_eq!(
        (rows, last),
        (made[1_000..].iter().map(String::as_str).collect(), "OK ADMIN USERS 100 end")
    );
    // As many as fit, and not one more.
    let exact = over(&admin, "ADMIN USERS after user0099");
    assert_eq!(users(&exact).1, "OK ADMIN USERS 1000 end");
    let mut ana = papod.login_quietly("user0000");
    let typed: String = (0..1_030).map(|n| format!("GROUP NEW g{n:04} user0001\n")).collect();
    ana.write(typed.as_bytes());
    ana.until("OK GROUP NEW #g1029");
    let groups = over(&admin, "ADMIN GROUPS");
    assert_eq!(groups.len(), 1_001);
    assert_eq!(groups[0], "GROUPS #g0000 - 2 -");
    assert_eq!(groups[1_000], "OK ADMIN GROUPS 1000 more");
    let groups = over(&admin, "ADMIN GROUPS after #g0999");
    assert_eq!(groups[30], "OK ADMIN GROUPS 30 end");
    let shown = over(&admin, "ADMIN USER SHOW user0000");
    assert!(shown[0].contains(" 1 enabled user0000"), "{}", shown[0]);
    assert!(shown[1].starts_with("SESSION ") && shown[1].contains(" user0000 "), "{}", shown[1]);
    assert_eq!(shown[2], "GROUPS #g0000 admin 2 -");
    assert_eq!(shown.last().unwrap(), "OK ADMIN USER SHOW 1032");
    papod.until_logged("admin-user-show ");
    assert!(papod.log().contains(" from=uid:"), "{}", papod.log());
    papod.stop();
}

#[test]
fn files_are_listed_as_they_are_called_now() {
    let home = Home::new();
    let papod = start(&home);
    let admin = home.path().join("admin.sock");
    let (mut ana, _bob) = (papod.register("ana"), papod.register("bob"));
    for (to, name) in [("bob", "one.txt"), ("bob", "two.txt"), ("#team", "three.txt")] {
        if to == "#team" {
            ana.say("GROUP NEW team bob");
            ana.until("OK GROUP NEW ");
        }
        ana.write(format!("PUT aGVsbG8K\nFILE {to} {name}\n").as_bytes());
        ana.until("OK FILE ");
    }
    ana.say("EDIT 1 first.txt");
    ana.until("OK EDIT ");
    ana.say("DEL 2");
    ana.until("OK DEL ");
    let lines = over(&admin, "ADMIN FILES\nADMIN FILES after 1\nADMIN FILES after 4");
    assert!(lines[0].starts_with("FILES 1 2") && lines[1].starts_with("FILES 4 2"), "{lines:?}");
    assert_eq!(lines[0].split_once("Z ").unwrap().1, "ana bob 6 first.txt");
    assert_eq!(lines[1].split_once("Z ").unwrap().1, "ana #team 6 three.txt");
    assert_eq!(lines[2], "OK ADMIN FILES 2 end");
    assert_eq!(lines[3], lines[1]);
    assert_eq!(lines[4..], ["OK ADMIN FILES 1 end", "OK ADMIN FILES 0 end"]);
    papod.stop();
}

/// Nobody gets in, by whatever they have; nothing of it is lost; and it stays so after a restart.
#[test]
fn a_disabled_account_is_shut_and_kept() {
    let home = Home::new();
    let [admin, unix] = ["admin.sock", "papo.sock"].map(|name| home.path().join(name));
    let flags = ["--admin", admin.to_str().unwrap(), "--unix", unix.to_str().unwrap()];
    let papod = Papod::start_with(&home.db(), flags);
    let (mut ana, mut bob) = (papod.register("ana"), papod.register("bob"));
    ana.say("GROUP NEW team bob");
    ana.until("OK GROUP NEW ");
    let said = over(&unix, &format!("LOGIN ana {PASSWORD} quiet\nTOKEN NEW t\nUID LINK\n"));
    let token = said[1].rsplit(' ').next().unwrap().to_owned();
    let shown = over(&admin, "ADMIN USER SHOW ana");
    assert!(shown[2].starts_with("TOKEN t ") && shown[3].starts_with("UID "), "{shown:?}");
    let mut by_token = papod.login_quietly_as("ana", &token);
    assert_eq!(over(&admin, "ADMIN USER DISABLE ana"), ["OK ADMIN USER DISABLE ana"]);
    ana.expect("BYE kicked");
    by_token.expect("BYE kicked");
    let all = format!("LOGIN ana {PASSWORD}\nLOGIN ana {token}\nLOGIN ana\nLOGIN ana wrong-one\n");
    let shut = |papod: &Papod| {
        let lines = over(&unix, &all);
        let disabled =
            "ERR LOGIN not-allowed this account is disabled; ask whoever runs this server";
        assert_eq!(lines[..3], [disabled; 3]);
        assert_eq!(lines[3], "ERR LOGIN wrong-secret wrong handle or password");
        papod.until_logged("disabled session=");
    };
    shut(&papod);
    bob.send("ana", "hello");
    bob.say("GROUP WHO team");
    bob.until("OK GROUP WHO 2");
    // Again, and with a new password: it stays as it is.
    let typed = "ADMIN USER DISABLE ana\nADMIN USER PASSWD bob secret-new\nADMIN CHECK";
    assert_eq!(over(&admin, typed).last().unwrap(), "OK ADMIN CHECK 0");
    papod.stop();
    let papod = Papod::start_with(&home.db(), flags);
    shut(&papod);
    let typed = "ADMIN USER ENABLE ana\nADMIN USER ENABLE ana\nADMIN USER NAME ana Ana Maria";
    let lines = over(&admin, typed);
    assert_eq!(lines[..2], ["OK ADMIN USER ENABLE ana"; 2]);
    assert_eq!(lines[2], "OK ADMIN USER NAME ana");
    let lines = over(&unix, &format!("LOGIN ana {token} quiet\nWHOAMI\nQUIT\nLOGIN ana - quiet"));
    assert_eq!(lines[..2], ["OK LOGIN ana 1", "OK WHOAMI ana Ana Maria"]);
    assert_eq!(over(&unix, "LOGIN ana - quiet"), ["OK LOGIN ana 1"]);
    for order in ["DISABLE", "ENABLE", "SHOW", "NAME"] {
        let name = if order == "NAME" { " Nobody" } else { "" };
        let lines = over(&admin, &format!("ADMIN USER {order} nobody{name}"));
        assert_eq!(lines, ["ERR ADMIN no-such-user nobody: no such account"]);
    }
    over(&admin, "ADMIN USER DEL ana");
    let lines = over(&admin, "ADMIN USER SHOW ana\nADMIN USER ENABLE ana");
    assert!(lines[0].contains(" 0 deleted Ana Maria"), "{lines:?}");
    assert_eq!(lines[1], "OK ADMIN USER SHOW 1");
    assert!(lines[2].starts_with("ERR ADMIN no-such-user "), "{lines:?}");
    papod.stop();
}
