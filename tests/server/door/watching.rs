//! What a subscription leaves alone, and what counts as delivered and read.

use super::{as_user, ask, brief, start, subscribe};
use crate::process::{Home, PASSWORD, Papod};

#[test]
fn a_subscriber_is_not_online_and_takes_nothing_from_anyones_client() {
    let home = Home::new();
    let (papod, web) = start(&home, &[]);
    let mut ana = papod.register("ana");
    let mut bob = papod.register("bob");
    bob.send("ana", "for a receipt");
    bob.say("QUIT");
    bob.rest();
    let mut stream = subscribe(web, "/_/json", &as_user("bob"));
    assert_eq!(stream.event()["event"], "open");
    ana.send("bob", "hi");
    assert_eq!(stream.event()["message"], "hi");
    ana.say("READ");
    ana.until("OK READ");
    ana.say("FIND bob");
    assert!(ana.until("USER bob ").pop().unwrap().starts_with("USER bob offline "));
    let (_bob, read) = papod.login("bob");
    assert_eq!(read[0], "OK LOGIN bob 1");
    assert!(read[1].starts_with("MSG 2 ") && read[2].starts_with("READ 1 "), "{read:?}");
}

/// Whether it is pushed what happens or reads it from the log, since it is always behind.
#[test]
fn a_session_that_watches_is_told_of_no_receipts_but_its_own() {
    let home = Home::new();
    let papod = Papod::start_with(&home.db(), ["--limit-waiting", "1"]);
    let (mut ana, bob) = (papod.register("ana"), papod.register("bob"));
    drop(bob);
    let mut watch = papod.connect();
    watch.say(&format!("LOGIN bob {PASSWORD} watch"));
    assert_eq!(watch.until("LIVE "), ["OK LOGIN bob 0", "LIVE 0"]);
    let mut quiet = papod.login_quietly("bob");
    for n in (1..400).step_by(2) {
        assert_eq!(quiet.send("ana", "x"), n);
        ana.say(&format!("READ {n}\nMSG bob y"));
        ana.until("OK MSG ");
        quiet.say(&format!("READ {}", n + 1));
        quiet.until("OK READ ");
    }
    let (mut ids, mut read) = (Vec::new(), 0);
    while read < 400 {
        let line = watch.line();
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["MSG", id, ..] => ids.push(id.parse::<u64>().unwrap()),
            ["READ", id, _, "bob", "ana"] => read = id.parse().unwrap(),
            _ => panic!("{line}"),
        }
    }
    assert!(ids.iter().copied().eq(1..=400), "{ids:?}");
    watch.has_heard_all();
}

#[test]
fn since_an_id_says_what_was_delivered() {
    let home = Home::new();
    let (papod, web) = start(&home, &[]);
    let (mut ana, bob) = (papod.register("ana"), papod.register("bob"));
    let (mut eve, _) = (papod.register("eve"), drop(bob));
    for n in 1..=3 {
        ana.send("bob", &format!("{n}"));
    }
    eve.send("bob", "4");
    let me = as_user("bob");
    let poll = |path: &str| {
        let mut stream = subscribe(web, path, &me);
        while !stream.chunk().is_empty() {}
    };
    // What was written counts as nothing.
    poll("/ana/json?poll=1&since=all");
    ana.has_heard_all();
    // Above the newest nobody can be.
    poll("/ana/json?poll=1&since=000000000005");
    ana.has_heard_all();
    poll("/ana/json?poll=1&since=000000000002");
    assert!(ana.line().starts_with("ACK 2 "));
    // An id of another conversation is one, too.
    poll("/ana/json?poll=1&since=000000000004");
    assert!(ana.line().starts_with("ACK 3 "));
    eve.has_heard_all();
    poll("/bob/json?poll=1&since=000000000004");
    assert!(eve.line().starts_with("ACK 4 "));
    ana.has_heard_all();
}

#[test]
fn read_on_one_device_clears_the_notice_on_the_others() {
    let home = Home::new();
    let (papod, web) = start(&home, &[]);
    let (mut ana, mut bob) = (papod.register("ana"), papod.register("bob"));
    let me = as_user("bob");
    let mut stream = subscribe(web, "/Ana,_/json", &me);
    stream.event();
    for n in 1..=3 {
        ana.send("bob", &format!("{n}"));
        assert_eq!(stream.event()["event"], "message");
    }
    bob.until("MSG 3 ");
    bob.say("READ 2");
    bob.until("OK READ 2");
    for id in [1, 2] {
        let event = stream.event();
        assert_eq!(brief(&event), "message_clear|000000000003|Ana|-|-|-");
        assert_eq!(event["sequence_id"], format!("{id:012}"));
    }
    // And the other way round.
    ana.until("READ 2 ");
    let got = ask(web, "PUT /Ana/000000000003/clear", &me, "");
    assert_eq!(got.status, 200);
    assert_eq!(brief(&got.json()), "message_clear|000000000003|Ana|-|-|-");
    assert_eq!(got.json()["sequence_id"], "000000000003");
    assert!(ana.line().starts_with("READ 3 "));
    assert!(bob.line().starts_with("READ 3 "));
    assert_eq!(stream.event()["sequence_id"], "000000000003");
    assert_eq!(ask(web, "PUT /ana/000000000009/read", &me, "").denied(), (404, 40401));
    assert_eq!(ask(web, "PUT /ana/x/clear", &me, "").denied(), (404, 40401));
}

#[test]
fn a_stream_ends_with_what_opened_it() {
    let home = Home::new();
    let (papod, web) = start(&home, &[]);
    let mut ana = papod.register("ana");
    ana.say("TOKEN NEW phone");
    let token = ana.line().rsplit(' ').next().unwrap().to_owned();
    let mut stream = subscribe(web, "/ana/json", &format!("Authorization: Bearer {token}\r\n"));
    stream.event();
    ana.say("TOKEN DEL phone");
    ana.until("OK TOKEN DEL");
    assert_eq!(stream.chunk(), "");
    assert_eq!(stream.rest(), b"");
}
