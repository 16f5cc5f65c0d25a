//! What an operator of three hundred people has to do in a year: they come by invitation, one leaves
//! the company, one is a nuisance, the certificate ends, the disk fills, the machine is replaced.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;

use crate::files::ends;
use crate::process::unix::over;
use crate::process::{Client, Home, PASSWORD, Papod, tls};
use rustix::process::Signal;

const PEOPLE: usize = 300;

#[test]
fn three_hundred_people_for_a_year() {
    let home = Home::new();
    let [admin, cert, key] = ["admin.sock", "cert.pem", "key.pem"].map(|f| home.path().join(f));
    let renew = |name: &str| {
        fs::copy(tls::file(&format!("{name}.pem")), &cert).unwrap();
        fs::copy(tls::file(&format!("{name}.key")), &key).unwrap();
    };
    renew("one");
    let [admin_flag, cert_flag, key_flag] = [&admin, &cert, &key].map(|f| f.to_str().unwrap());
    let mut flags = vec!["--admin", admin_flag, "--tls-listen", "127.0.0.1:0", "--limit-db", "3"];
    flags.extend(["--tls-cert", cert_flag, "--tls-key", key_flag, "--registration", "invite"]);
    let papod = Papod::start_with(&home.db(), &flags);
    let by_tls: SocketAddr = papod.way("tls:").parse().unwrap();
    let order = |line: &str| over(&admin, line).pop().unwrap();

    // They come, with one invitation for all of them.
    let said = order(&format!("ADMIN INVITE {PEOPLE}"));
    let invitation = said.strip_prefix("OK ADMIN INVITE ").unwrap();
    let handles: Vec<String> = (0..PEOPLE).map(|n| format!("user{n:03}")).collect();
    let mut people: Vec<Client> = handles.iter().map(|_| papod.connect()).collect();
    // No more at once than passwords may wait to be hashed.
    for (clients, handles) in people.chunks_mut(100).zip(handles.chunks(100)) {
        for (client, handle) in clients.iter_mut().zip(handles) {
            client.say(&format!("REG {handle} {PASSWORD} {invitation}"));
        }
        clients.iter_mut().for_each(|client| drop(client.until("LIVE ")));
    }
    let mut late = papod.connect();
    late.say(&format!("REG late {PASSWORD} {invitation}"));
    assert!(late.line().starts_with("ERR REG closed "));
    assert_eq!(order("ADMIN USERS"), format!("OK ADMIN USERS {PEOPLE} end"));
    people[0].say(&format!("GROUP NEW all {}", handles[1..].join(" ")));
    people[0].until("OK GROUP NEW ");

    // One leaves the company.
    assert_eq!(order("ADMIN USER DEL user001"), "OK ADMIN USER DEL user001");
    people[1].until("BYE kicked");
    assert_eq!(order("ADMIN GROUP WHO all"), format!("OK ADMIN GROUP WHO {}", PEOPLE - 1));

    // One is a nuisance.
    assert_eq!(order("ADMIN USER DISABLE user002"), "OK ADMIN USER DISABLE user002");
    people[2].until("BYE kicked");
    assert!(order("ADMIN BAN 127.0.0.1 3600").starts_with("OK ADMIN BAN 127.0.0.1 "));
    people[3].until("BYE kicked");
    assert_eq!(Client::connect(papod.address).line(), "BYE kicked");
    assert_eq!(order("ADMIN UNBAN 127.0.0.1"), "OK ADMIN UNBAN 127.0.0.1");

    // The certificate ends.
    renew("other");
    papod.signal(Signal::HUP);
    papod.until_logged("certificate reloaded");
    let mut browser = tls::connect(by_tls, "other.pem");
    browser.write_all(b"PING\n").unwrap();
    let lines: Vec<String> = BufReader::new(browser).lines().take(2).map(Result::unwrap).collect();
    assert_eq!(lines[1], "OK PING");

    // The disk fills.
    let mut writer = papod.login_quietly("user003");
    let mut kept = 0;
    let full = loop {
        writer.say(&format!("MSG user004 {kept} {}", "x".repeat(40_000)));
        let said = writer.line();
        if !said.starts_with("OK MSG ") {
            break said;
        }
        kept += 1;
    };
    assert!(full.starts_with("ERR MSG storage ") && kept > 10, "{kept}: {full}");

    // The machine is replaced by a larger one.
    assert_eq!(order("ADMIN READONLY on"), "OK ADMIN READONLY on");
    let copy = home.path().join("copy.db");
    assert!(order(&format!("ADMIN BACKUP {}", copy.display())).starts_with("OK ADMIN BACKUP "));
    papod.stop();
    let new = Home::new();
    ends(0, &new.db(), &["--restore", copy.to_str().unwrap()]);
    let papod = Papod::start_with(&new.db(), ["--admin", admin_flag, "--registration", "invite"]);
    for (handle, n) in handles.iter().zip(0..) {
        let mut client = papod.connect();
        client.say(&format!("LOGIN {handle} {PASSWORD} quiet"));
        let refused = match n {
            1 => "ERR LOGIN wrong-secret ",
            2 => "ERR LOGIN not-allowed ",
            _ => "OK LOGIN ",
        };
        let said = client.line();
        assert!(said.starts_with(refused), "{handle}: {said}");
    }
    let mut writer = papod.login_quietly("user003");
    assert_eq!(writer.history("user004", 0).len(), kept);
    writer.send("user004", "we have moved");
    assert_eq!(order("ADMIN CHECK"), "OK ADMIN CHECK 0");
    assert_eq!(order("ADMIN USERS"), format!("OK ADMIN USERS {PEOPLE} end"));
    papod.stop();
}
