//! `--registration invite`: whoever has an invitation may create an account.

use crate::process::unix::over;
use crate::process::{Client, Home, Papod};

/// The answer to a line of a stranger.
fn answer(papod: &Papod, line: &str) -> String {
    let mut client = papod.connect();
    client.say(line);
    client.line()
}

fn invitation(line: &str) -> String {
    let invitation = line.strip_prefix("OK ADMIN INVITE ").unwrap();
    assert!(invitation.starts_with("invite_") && invitation.len() == 39, "{line}");
    invitation.to_owned()
}

#[test]
fn an_invitation_is_good_for_so_many_accounts() {
    let home = Home::new();
    let admin = home.path().join("admin.sock");
    let flags = ["--admin", admin.to_str().unwrap(), "--registration", "invite"];
    let papod = Papod::start_with(&home.db(), flags);
    let needed = "ERR REG closed registration is by invitation; ask whoever runs this server for \
                  one, then REG <handle> <password> <invitation>";
    assert_eq!(answer(&papod, "REG ana secret-a"), needed);
    assert_eq!(answer(&papod, "REG ana secret-a Ana Maria"), needed);
    let said = over(&admin, "ADMIN INVITE 2\nADMIN INVITE 5 60\nADMIN INVITE");
    let [two, five, one] = [0, 1, 2].map(|at| invitation(&said[at]));
    let wrong = "ERR REG closed this invitation is not valid, or not any more; ask whoever runs \
                 this server for another";
    let unknown = format!("REG ana secret-a invite_{}", "0".repeat(32));
    assert_eq!(answer(&papod, &unknown), wrong);
    assert_eq!(answer(&papod, &format!("REG ana secret-a {two} Ana Maria")), "OK REG ana");
    // Only whoever is invited learns that a handle is taken, and that uses up nothing.
    assert_eq!(answer(&papod, &unknown), wrong);
    let taken = answer(&papod, &format!("REG ana secret-a {two}"));
    assert!(taken.starts_with("ERR REG taken "), "{taken}");
    papod.stop();
    // They outlive the process.
    let papod = Papod::start_with(&home.db(), flags);
    assert_eq!(answer(&papod, &format!("REG bob secret-b {two}")), "OK REG bob");
    assert_eq!(answer(&papod, &format!("REG cid secret-c {two}")), wrong);
    let rows = over(&admin, "ADMIN INVITES");
    assert_eq!(rows.last().unwrap(), "OK ADMIN INVITES 2");
    assert!(rows[0].starts_with("INVITATION ") && rows[0].contains("Z 5 2"), "{rows:?}");
    assert!(rows[1].contains("Z 1 2"), "{rows:?}");
    papod.until_logged("register session=");
    let id = rows[0].split(' ').nth(1).unwrap().to_owned();
    assert_eq!(answer(&papod, &format!("REG cid secret-c {five}")), "OK REG cid");
    papod.until_logged(&format!(" handle=cid invitation={id}"));
    assert!(!papod.log().contains("invite_"), "{}", papod.log());
    assert_eq!(
        over(&admin, "ADMIN INVITE -\nADMIN INVITES"),
        ["OK ADMIN INVITE -", "OK ADMIN INVITES 0"]
    );
    for void in [five, one] {
        assert_eq!(answer(&papod, &format!("REG dora secret-d {void}")), wrong);
    }
    // Operators need none.
    assert_eq!(over(&admin, "ADMIN USER NEW dora secret-d"), ["OK ADMIN USER NEW dora"]);
    assert_eq!(over(&admin, "ADMIN CHECK"), ["OK ADMIN CHECK 0"]);
    papod.stop();
}

/// Many at once, and one place less than there are people.
#[test]
fn those_who_come_together_share_an_invitation() {
    let home = Home::new();
    let admin = home.path().join("admin.sock");
    let flags = ["--admin", admin.to_str().unwrap(), "--registration", "invite"];
    let papod = Papod::start_with(&home.db(), flags);
    let invitation = invitation(&over(&admin, "ADMIN INVITE 19")[0]);
    let mut clients: Vec<Client> = (0..20).map(|_| papod.connect()).collect();
    for (n, client) in clients.iter_mut().enumerate() {
        client.say(&format!("REG user{n} secret-a {invitation}"));
    }
    let answers = clients.iter_mut().map(Client::line);
    assert_eq!(answers.filter(|line| line.starts_with("OK REG ")).count(), 19);
    let users = over(&admin, "ADMIN USERS");
    assert_eq!(users.last().unwrap(), "OK ADMIN USERS 19 end");
    papod.stop();
}
