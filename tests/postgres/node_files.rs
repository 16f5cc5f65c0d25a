//! Files on several papods on one database: each takes and gives them, they count for all together,
//! and what was confirmed is there whichever node fails. `PAPO_ROUNDS` as in `nodes`.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Instant;

use base64::prelude::{BASE64_STANDARD, Engine};
use papo::store::Maintenance;
use papo::store::contents::Swept;
use papo::store::postgres::{PgDatabase, PgUrl};
use rustix::process::Signal;

use crate::cluster::cluster;
use crate::files::{get, put, random, send};
use crate::machines::start_nodes;
use crate::nodes::rounds;
use crate::process::{Client, Dice, PATIENCE, Papod, id};
use crate::team::{Enough, People, Team};

#[test]
fn any_node_takes_and_gives_files() {
    let db = PathBuf::from(cluster().database());
    let limits = ["--limit-files", "700000"];
    let nodes = start_nodes::<3>(|_| Papod::start_with(&db, limits));
    let mut ana = nodes[1].register("ana");
    let mut bob = nodes[2].register("bob");
    let bytes = random(&mut Dice::new(1), 300_000);
    let id = send(&mut ana, "one", &bytes);
    assert!(get(&mut ana, id) == bytes);
    // What was sent is forgotten: the next one begins anew.
    let next = send(&mut ana, "two", &bytes[..100_000]);
    ana.say("FILE ana three");
    assert!(ana.line().starts_with("ERR FILE no-file "));
    bob.say(&format!("GET {id}"));
    assert!(bob.line().starts_with("ERR GET no-such-message "));
    ana.say(&format!("FWD {next} bob"));
    ana.until("OK FWD ");
    let forwarded = bob.line();
    assert!(get(&mut bob, crate::process::id(&forwarded)) == bytes[..100_000]);
    // Again under a key, through another node.
    put(&mut ana, &bytes[1..]);
    ana.say("ONCE k FILE bob three");
    let first = ana.until("OK FILE ").pop().unwrap();
    let mut again = nodes[0].login_quietly("ana");
    again.say("ONCE k FILE bob three");
    again.expect(&first);
    // 700,000 bytes are for all nodes together, and are there again when a file goes.
    put(&mut bob, &[7]);
    bob.say("PUT CAgI");
    assert!(bob.line().starts_with("ERR PUT storage "));
    bob.say("PUT -");
    bob.until("OK PUT 0");
    put(&mut bob, &[7]);
    bob.say("FILE ana seven");
    bob.until("OK FILE ");
    nodes.into_iter().rev().for_each(Papod::stop);
}

#[test]
fn what_an_account_puts_in_a_day_is_counted_over_all_nodes() {
    let db = PathBuf::from(cluster().database());
    let start = || Papod::start_with(&db, ["--limit-local", "--limit-files-day", "1000"]);
    let mut nodes = start_nodes::<2>(|_| start());
    nodes[1].until_logged("has joined the leader");
    let mut ana = nodes[0].register("ana");
    let mut elsewhere = nodes[1].login_quietly("ana");
    put(&mut elsewhere, &[7; 500]);
    // What is answered after it has come after it.
    drop(nodes[1].register("bob"));
    put(&mut ana, &[7; 400]);
    drop(nodes[1].register("cid"));
    let refused = |client: &mut Client| {
        client.say(&format!("PUT {}", BASE64_STANDARD.encode([7; 200])));
        let said = client.line();
        assert!(said.starts_with("ERR PUT too-fast "), "{said}");
    };
    refused(&mut elsewhere);
    // One that comes is told how much it was.
    nodes[1].kill();
    nodes[1] = start();
    nodes[1].until_logged("has joined the leader");
    refused(&mut nodes[1].login_quietly("ana"));
    // So it is when another leads.
    nodes[0].kill();
    nodes[1].until_logged("this node leads");
    refused(&mut nodes[1].login_quietly("ana"));
}

#[test]
fn an_upload_goes_on_when_the_leader_has_gone() {
    let db = PathBuf::from(cluster().database());
    let mut first = Papod::start(&db);
    first.until_logged("this node leads");
    let second = Papod::start(&db);
    let mut ana = second.register("ana");
    let bytes = random(&mut Dice::new(2), 500_000);
    put(&mut ana, &bytes[..300_000]);
    first.kill();
    put(&mut ana, &bytes[300_000..]);
    // Refused by the next leader, what was put stays.
    ana.say("FILE nobody whole");
    assert!(ana.line().starts_with("ERR FILE no-such-user "));
    ana.say("FILE ana whole");
    let ok = ana.until("OK FILE ").pop().unwrap();
    assert!(get(&mut ana, id(&ok)) == bytes);
    drop(ana);
    second.stop();
}

/// Puts `bytes` and sends them to bob. `None`: the connection was lost.
fn try_file(client: &mut Client, key: &str, bytes: &[u8]) -> Option<u64> {
    let mut lines: Vec<String> = bytes
        .chunks(48_000)
        .map(|part| format!("PUT {}\n", BASE64_STANDARD.encode(part)))
        .collect();
    lines.push(format!("ONCE {key} FILE bob {key}\n"));
    for line in lines {
        std::io::Write::write_all(&mut client.socket(), line.as_bytes()).ok()?;
        let answer = client.next_line()?;
        if answer.starts_with("OK FILE ") {
            return Some(id(&answer));
        }
        if !answer.starts_with("OK PUT ") {
            assert!(answer.starts_with("BYE "), "{answer}");
            return None;
        }
    }
    None
}

/// Sends files until it is enough. Returns what was confirmed.
fn send_files(people: &People, n: usize, mut dice: Dice) -> Vec<(u64, Vec<u8>)> {
    let (handle, mut next) = (format!("w{n}"), n);
    let mut client = people.log_in(&mut next, &handle, " quiet");
    let mut sent = Vec::new();
    while !people.enough.load(Ordering::SeqCst) {
        let length = 1 + dice.below(400_000) as usize;
        // Now and then what another one sends at the same time.
        let bytes = match dice.below(4) {
            0 => vec![sent.len() as u8; 1_000],
            _ => random(&mut dice, length),
        };
        let key = format!("f{}", sent.len());
        let id = loop {
            if let Some(id) = try_file(&mut client, &key, &bytes) {
                break id;
            }
            client = people.log_in(&mut next, &handle, " quiet");
        };
        sent.push((id, bytes));
        people.confirmed.lock().unwrap().push(Instant::now());
    }
    sent
}

#[test]
fn files_outlive_their_nodes() {
    let db = cluster().database();
    let path = Path::new(&db);
    let (mut dice, seed) = Dice::from_environment();
    println!("PAPO_SEED={seed}");
    let nodes = Vec::from(start_nodes::<3>(|_| Papod::start(path)));
    drop(nodes[0].register("bob"));
    (0..3).for_each(|n| drop(nodes[n].register(&format!("w{n}"))));
    let addresses = Mutex::new(nodes.iter().map(|node| node.address).collect());
    let (enough, confirmed) = Default::default();
    let people = &People { addresses, enough, confirmed, patience: PATIENCE };
    let mut team = Team { urls: vec![path.to_owned(); 3], nodes, people };
    let sent: Vec<(u64, Vec<u8>)> = thread::scope(|scope| {
        let dices: Vec<Dice> = (0..3).map(|_| Dice::new(dice.below(u64::MAX))).collect();
        let start = |(n, dice)| scope.spawn(move || send_files(people, n, dice));
        let writers: Vec<_> = dices.into_iter().enumerate().map(start).collect();
        let enough = Enough(&people.enough);
        for _ in 0..rounds() {
            people.progress(10);
            let at = team.leader(cluster());
            team.nodes[at].kill();
            people.progress(10);
            team.replace(at);
            let at = team.leader(cluster());
            let began = Instant::now();
            team.nodes[at].signal(Signal::STOP);
            while team.leader(cluster()) == at {
                assert!(began.elapsed() < PATIENCE, "nobody takes over");
            }
            team.nodes[at].signal(Signal::CONT);
            people.progress(10);
            let at = (team.leader(cluster()) + 1) % 3;
            team.nodes[at].kill();
            people.progress(10);
            team.replace(at);
        }
        people.progress(10);
        drop(enough);
        writers.into_iter().flat_map(|it| it.join().unwrap()).collect()
    });
    let mut bob = people.log_in(&mut 0, "bob", " quiet");
    for (id, bytes) in &sent {
        assert!(get(&mut bob, *id) == *bytes, "{id}");
    }
    drop(bob);
    std::mem::take(&mut team.nodes).into_iter().rev().for_each(Papod::stop);
    // Nothing else is left, once it is known that nobody comes back for it.
    let name = db.rsplit('/').next().unwrap();
    let aged = "UPDATE upload SET renewed = now() - interval '61 minutes'";
    assert!(cluster().run(name, aged));
    let (database, _writer) = PgDatabase::open(&PgUrl::parse(&db).unwrap()).unwrap();
    assert_eq!(database.maintenance().check().unwrap(), [""; 0]);
    let contents = database.contents(0).unwrap();
    contents.renew(true).unwrap();
    for content in contents.take_released() {
        assert_eq!(contents.sweep(content, || Ok(false)).unwrap(), Swept::Deleted);
    }
    let left = "SELECT (SELECT count(*) FROM upload),
            (SELECT count(*) FROM content WHERE hash NOT IN (SELECT content FROM file)),
            (SELECT count(*) FROM piece WHERE upload NOT IN (SELECT upload FROM content)),
            (SELECT bytes FROM content_total) - (SELECT coalesce(sum(bytes), 0) FROM content)";
    assert_eq!(cluster().ask(name, left).unwrap(), "0|0|0|0");
    println!("{} files", sent.len());
}
