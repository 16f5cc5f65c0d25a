//! What sessions were told outlives a change of leaders: receipts do not come again because of one.

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use crate::cluster::{cluster, url};
use crate::machines::start_nodes;
use crate::played::TAKE_PLACE;
use crate::process::{Client, PATIENCE, Papod};

/// Two nodes, the first of which leads, and the name of their database.
fn two_nodes() -> (String, [Papod; 2]) {
    let name = cluster().make_database();
    let db = PathBuf::from(url(&[cluster()], &name));
    let nodes = start_nodes::<2>(|_| Papod::start(&db));
    nodes[1].until_logged("has joined the leader");
    (name, nodes)
}

/// How often a node has found out who leads.
fn found_leader(node: &Papod) -> usize {
    let log = node.log();
    log.matches("this node leads").count() + log.matches("has joined the leader").count()
}

/// Takes the leader's place from it, and waits until both nodes have found the next one.
fn move_leader(name: &str, nodes: &[Papod; 2]) {
    let before = nodes.each_ref().map(found_leader);
    assert!(cluster().run(name, &format!("BEGIN; {TAKE_PLACE} COMMIT")));
    let began = Instant::now();
    while nodes.iter().zip(before).any(|(node, before)| found_leader(node) == before) {
        assert!(began.elapsed() < PATIENCE, "{}{}", nodes[0].log(), nodes[1].log());
        thread::sleep(Duration::from_millis(1));
    }
}

fn quit(mut client: Client) {
    client.say("QUIT");
    client.until("BYE quit");
}

/// A device is not told what it has read itself, though another node leads when its session ends, and
/// the session has missed nothing.
#[test]
fn a_device_knows_what_it_read_under_another_leader() {
    let (name, nodes) = two_nodes();
    let mut bob = nodes[0].register("bob");
    for (at, node) in nodes.iter().enumerate() {
        let ana = format!("ana{at}");
        drop(node.register(&ana));
        let mut phone = node.login(&format!("{ana}/phone")).0;
        let id = bob.send(&ana, "hello");
        phone.until("MSG ");
        for verb in ["ACK", "READ"] {
            phone.say(&format!("{verb} {id}"));
            phone.until(&format!("OK {verb} "));
            bob.until(&format!("{verb} "));
        }
        move_leader(&name, &nodes);
        quit(phone);
        let (_phone, shown) = node.login(&format!("{ana}/phone"));
        assert_eq!(shown, [format!("OK LOGIN {ana}/phone 0"), format!("LIVE {id}")]);
    }
    drop(bob);
    nodes.into_iter().for_each(Papod::stop);
}

/// Nor is anybody told of what others have read that was not from them.
#[test]
fn a_move_that_concerned_nobody_does_not_under_another_leader() {
    let (name, nodes) = two_nodes();
    let mut others = ["bob", "cid"].map(|handle| nodes[0].register(handle));
    for (at, node) in nodes.iter().enumerate() {
        let (ana, team) = (format!("ana{at}"), format!("#team{at}"));
        let mut client = node.register(&ana);
        client.say(&format!("GROUP NEW team{at} bob cid"));
        client.until("OK GROUP ");
        others.iter_mut().for_each(|other| drop(other.until("GROUP ")));
        let [bob, cid] = &mut others;
        bob.say("READ");
        bob.until("OK READ ");
        client.until("READ ");
        cid.send(&team, "hi");
        for (reader, handle) in [(&mut client, &*ana), (bob, "bob")] {
            reader.until("MSG ");
            reader.say("READ");
            reader.until("OK READ ");
            assert!(cid.until("READ ").last().unwrap().contains(&format!(" {handle} {team}")));
        }
        move_leader(&name, &nodes);
        quit(client);
        let id = node.login_quietly(&ana).send(&team, "three");
        let (_client, shown) = node.login(&ana);
        assert_eq!(shown, [format!("OK LOGIN {ana} 0"), format!("LIVE {id}")]);
        others.iter_mut().for_each(|other| drop(other.until("MSG ")));
    }
    drop(others);
    nodes.into_iter().for_each(Papod::stop);
}

/// The leader's place is taken while it records that a session has ended.
#[test]
fn what_a_session_was_shown_is_known_to_the_next_leader() {
    let (name, nodes) = two_nodes();
    drop(nodes[0].register("ana"));
    let mut bob = nodes[0].register("bob");
    let mut phone = nodes[0].login("ana/phone").0;
    let id = phone.send("bob", "hello");
    bob.say(&format!("READ {id}"));
    phone.until("READ ");
    let mut ping = || {
        phone.say("PING");
        phone.until("OK PING");
    };
    // With the second it is known that the first was answered after the receipt.
    ping();
    ping();
    // The place is taken, and nobody knows it until the lock is free.
    let lock = cluster().session(&name, "SELECT pg_advisory_lock(7)");
    let is_asked_for = |is_granted: bool| {
        let sql = format!(
            "SELECT count(*) = 1 FROM pg_locks l JOIN pg_database d ON d.oid = l.database
             WHERE d.datname = '{name}' AND locktype = 'advisory' AND objid = 7
                 AND granted = {is_granted}"
        );
        cluster().until(&name, &sql);
    };
    is_asked_for(true);
    let take = format!("BEGIN; {TAKE_PLACE} SELECT pg_advisory_xact_lock(7); COMMIT");
    let taking = cluster().session(&name, &take);
    is_asked_for(false);
    quit(phone);
    let leader_waits = "SELECT wait_event_type = 'Lock' FROM pg_stat_activity
        JOIN leader USING(pid)";
    cluster().until(&name, leader_waits);
    drop(lock);
    nodes[0].until_logged("another node leads");
    drop(taking);
    let (phone, shown) = nodes[0].login("ana/phone");
    assert_eq!(shown, ["OK LOGIN ana/phone 0".to_owned(), format!("LIVE {id}")]);
    drop((phone, bob));
    nodes.into_iter().for_each(Papod::stop);
}
