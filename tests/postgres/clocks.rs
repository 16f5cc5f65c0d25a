//! Nodes whose clocks differ by hours, or are set: times never fall as ids grow, whoever leads, and
//! nothing is lost or done twice.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};

use papo::config::{Config, PasswordCost};
use papo::entry::Clock;
use papo::server::Server;

use crate::cluster::cluster;
use crate::process::{Client, PASSWORD, id};

/// 2026-01-01T12:00:00.000Z, in milliseconds since 1970.
const NOON: i64 = 1_767_268_800_000;

const HOUR: i64 = 3_600_000;

/// A papod in this process, with a clock of its own.
struct Node {
    server: Server,
    clock: &'static AtomicI64,
}

impl Node {
    /// Starts one whose clock stands at so many hours after noon.
    fn start(db: &Path, hour: i64) -> Node {
        let clock: &AtomicI64 = Box::leak(Box::new(AtomicI64::new(NOON + hour * HOUR)));
        let config = Config {
            listen: vec!["127.0.0.1:0".to_owned()],
            password_cost: PasswordCost { kib: 8, passes: 1 },
            clock: Clock::Told(clock),
            ..Config::new(db.to_owned())
        };
        Node { server: Server::start(&config).unwrap(), clock }
    }

    /// Ends the leader, and waits for the next one: what is asked for in between may end a session.
    fn hand_over(self, db: &Path) {
        let name = db.to_str().unwrap().rsplit('/').next().unwrap();
        let term = cluster().ask(name, "SELECT term FROM leader").unwrap();
        self.server.stop();
        cluster().until(name, &format!("SELECT term > {term} FROM leader"));
    }

    /// Its clock goes on by so many hours.
    fn pass(&self, hours: i64) {
        self.clock.fetch_add(hours * HOUR, Ordering::SeqCst);
    }

    fn connect(&self) -> Client {
        Client::connect(self.server.addresses()[0])
    }

    fn register(&self, handle: &str) -> Client {
        let mut client = self.connect();
        client.say(&format!("REG {handle} {PASSWORD}"));
        client.until("LIVE ");
        client
    }

    fn log_in(&self, handle: &str) -> Client {
        let mut client = self.connect();
        client.say(&format!("LOGIN {handle} {PASSWORD} quiet"));
        client.until("OK LOGIN ");
        client
    }
}

/// Sends a message. Returns the hour of its time.
fn send(client: &mut Client, line: &str) -> (u64, String) {
    client.say(line);
    let answer = client.until("OK MSG ").pop().unwrap();
    (id(&answer), hour(answer.split(' ').nth(3).unwrap()))
}

/// The hour of a time.
fn hour(time: &str) -> String {
    let (_, time) = time.split_once('T').unwrap();
    time[..2].to_owned()
}

#[test]
fn times_do_not_fall_with_another_leader() {
    let db = PathBuf::from(cluster().database());
    let right = Node::start(&db, 0);
    let mut bob = right.register("bob");
    let behind = Node::start(&db, -1);
    let mut ana = behind.register("ana");
    let mut sent = vec![send(&mut ana, "MSG bob by the first leader")];
    bob.say("READ");
    bob.until("OK READ ");
    drop(bob);
    right.hand_over(&db);
    // Its clock is an hour behind that, and then an hour ahead.
    let once = "ONCE key MSG bob by the next";
    sent.push(send(&mut ana, once));
    behind.pass(2);
    sent.push(send(&mut ana, "MSG bob later"));
    let ahead = Node::start(&db, 3);
    let mut bob = ahead.log_in("bob");
    drop(ana);
    behind.hand_over(&db);
    sent.push(send(&mut bob, "MSG ana by one that is ahead"));
    let right = Node::start(&db, 1);
    drop(bob);
    ahead.hand_over(&db);
    let mut ana = right.log_in("ana");
    sent.push(send(&mut ana, "MSG bob by one that is right"));
    let hours: Vec<&str> = sent.iter().map(|(_, hour)| &**hour).collect();
    assert_eq!(hours, ["12", "12", "13", "15", "15"]);
    assert!(sent.is_sorted_by(|a, b| a.0 < b.0), "{sent:?}");
    // A key is known however much time is said to have passed.
    assert_eq!(send(&mut ana, once), sent[1]);
    // What was read is read, and was so before it was said that it was.
    ana.say(&format!("INFO {}", sent[0].0));
    let rows = ana.until("OK INFO ");
    let read = rows.iter().find(|row| row.starts_with("INFO ") && row.contains(" bob ")).unwrap();
    assert!(read.contains(" read ") && read.contains("T12:00:00"), "{read}");
    // And the log says the same.
    ana.say("HIST bob 100");
    let rows = ana.until("OK HIST ");
    let times = rows.iter().filter(|row| row.starts_with("HIST "));
    let times: Vec<&str> = times.map(|row| row.split(' ').nth(2).unwrap()).collect();
    assert!(times.len() == 5 && times.is_sorted(), "{times:?}");
    drop(ana);
    right.server.stop();
}

#[test]
fn times_do_not_fall_while_the_clock_of_the_leader_does() {
    let db = PathBuf::from(cluster().database());
    let node = Node::start(&db, 0);
    let mut ana = node.register("ana");
    let mut sent = Vec::new();
    for hours in [0, 3, -5, 1, 5, -2, 3] {
        node.pass(hours);
        sent.push(send(&mut ana, &format!("MSG ana {hours} hours later")));
    }
    // What was only asked at a time does not count.
    node.pass(5);
    ana.say("FIND ana");
    ana.until("OK FIND ");
    node.pass(-4);
    sent.push(send(&mut ana, "MSG ana after a question"));
    let hours: Vec<&str> = sent.iter().map(|(_, hour)| &**hour).collect();
    // The clock said 12, 15, 10, 11, 16, 14, 17, and 18.
    assert_eq!(hours, ["12", "15", "15", "15", "16", "16", "17", "18"]);
    drop(ana);
    node.server.stop();
}

#[test]
fn what_is_due_is_done_once_by_the_clock_of_whoever_leads() {
    let db = PathBuf::from(cluster().database());
    let right = Node::start(&db, 0);
    let mut bob = right.register("bob");
    let behind = Node::start(&db, -2);
    let mut ana = behind.register("ana");
    let when = ["2026-01-01T11:00:00Z", "2026-01-01T13:00:00Z", "2026-01-01T15:00:00Z"];
    for (n, time) in when.iter().enumerate() {
        ana.say(&format!("AT {time} MSG bob of hour {}", 11 + 2 * n));
        ana.until("OK AT ");
    }
    // That has passed by the clock of the one that leads.
    assert!(bob.until("MSG ").pop().unwrap().ends_with(" of hour 11"));
    drop(bob);
    right.hand_over(&db);
    let mut bob = behind.log_in("bob");
    send(&mut bob, "MSG bob nothing is due at ten, nor at noon");
    let waiting = |client: &mut Client| {
        client.say("AT");
        client.until("OK AT ").len() - 1
    };
    assert_eq!(waiting(&mut ana), 2);
    behind.pass(3);
    assert!(ana.until("MSG ").pop().unwrap().ends_with(" of hour 13"));
    assert_eq!(waiting(&mut ana), 1);
    // One whose clock is ahead does what is due by that as soon as it leads.
    let ahead = Node::start(&db, 4);
    drop((ana, bob));
    behind.hand_over(&db);
    let mut ana = ahead.log_in("ana");
    while waiting(&mut ana) > 0 {}
    let bodies: Vec<String> = ana.history("bob", 0).into_iter().map(|entry| entry.body).collect();
    assert_eq!(bodies, ["of hour 11", "of hour 13", "of hour 15"]);
    drop(ana);
    ahead.server.stop();
}
