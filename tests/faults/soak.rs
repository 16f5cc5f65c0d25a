//! Ten rounds of the same work by a few dozen accounts: the last cost what the early ones cost, and
//! everyone has got everything in order.
//!
//! `PAPO_SOAK` says for how many seconds, 60 if it is not set. What a round takes is printed and
//! not judged; what it leaves behind (memory, descriptors, threads, sessions, the write-ahead log)
//! is.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpStream;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use crate::process::{Client, Entry, Home, PASSWORD, PATIENCE, Papod, id};
use rustix::net::sockopt::{set_socket_linger, set_socket_recv_buffer_size};

/// Teams that work at the same time, each in its own thread, and the accounts of each.
const TEAMS: usize = 4;
const MEMBERS: usize = 8;
const ROUNDS: usize = 10;
/// The rounds, counted from 0, that the last ones are held against: by then every cache that fills
/// up has been filled.
const EARLY: std::ops::Range<usize> = 2..5;
const LATE: std::ops::Range<usize> = 7..10;
/// KiB by which memory may differ between them: what an allocator keeps of a busy moment, and what is
/// remembered of groups whose members change. In a minute five rounds have some 15,000 sessions, so
/// 200 bytes that each leaves behind are found.
const SLACK: u64 = 2 * 1_024;
/// Bytes of the write-ahead log: it is written back each 40 MB, cut to 64 MiB after a burst, and
/// one batch more may have been on its way.
const LOG: u64 = 80 << 20;
/// Bytes sent to who does not read: more than the kernel's buffers and an outbox.
const FLOOD: usize = 8_000_000;

/// An account, and what is known of it.
struct Account {
    handle: String,
    /// What its sessions were sent as events, by its id.
    heard: Mutex<BTreeMap<u64, Entry>>,
    /// What was confirmed to it.
    sent: Mutex<Vec<Entry>>,
}

/// One session of an account.
struct Person<'a> {
    account: &'a Account,
    client: Client,
    /// The last entry that it was sent.
    last: u64,
}

impl<'a> Person<'a> {
    fn enter(papod: &Papod, account: &'a Account) -> Person<'a> {
        Person::over(TcpStream::connect(papod.address).unwrap(), account)
    }

    /// Logs in and reads all that waited.
    fn over(socket: TcpStream, account: &'a Account) -> Person<'a> {
        let mut person = Person { account, client: Client::of(socket), last: 0 };
        let read = person.ask(&format!("LOGIN {} {PASSWORD}", account.handle));
        let pending: usize = read[0].rsplit(' ').next().unwrap().parse().unwrap();
        let mut waited = 0;
        loop {
            let line = person.client.line();
            if line.starts_with("LIVE ") {
                break;
            }
            waited += usize::from(person.hear(&line));
        }
        assert!(pending <= waited, "{waited} came: {read:?}");
        person
    }

    /// Logs in to get replies only.
    fn enter_quietly(papod: &Papod, account: &'a Account, secret: &str) -> Person<'a> {
        let mut person = Person { account, client: papod.connect(), last: 0 };
        person.ask(&format!("LOGIN {} {secret} quiet", account.handle));
        person
    }

    /// Notes an event. Gives back whether it was an entry.
    fn hear(&mut self, line: &str) -> bool {
        if !line.starts_with("MSG ") && !line.starts_with("GROUP ") {
            assert!(line.starts_with("ACK ") || line.starts_with("READ "), "{line}");
            return false;
        }
        let entry = Entry::parse(line);
        assert!(entry.id > self.last, "{} comes after {}", entry.id, self.last);
        self.last = entry.id;
        let before = self.account.heard.lock().unwrap().insert(entry.id, entry.clone());
        assert!(before.is_none_or(|before| before == entry), "twice, and not the same: {line}");
        true
    }

    /// The next line that is no event.
    fn reply(&mut self) -> String {
        loop {
            let line = self.client.line();
            let word = line.split(' ').next().unwrap_or_default();
            match word {
                "MSG" | "GROUP" | "ACK" | "READ" => drop(self.hear(&line)),
                _ => return line,
            }
        }
    }

    /// Says a command, and gives back its rows and its `OK`.
    fn ask(&mut self, command: &str) -> Vec<String> {
        self.client.say(command);
        let mut read = Vec::new();
        loop {
            read.push(self.reply());
            let last = &read[read.len() - 1];
            assert!(!last.starts_with("ERR "), "{command}: {last}");
            if last.starts_with("OK ") {
                return read;
            }
        }
    }

    /// Notes the `OK` of a message.
    fn confirmed(&mut self, answer: &str, to: &str, body: &str) -> u64 {
        assert!(answer.starts_with("OK MSG "), "{answer}");
        let (id, from) = (id(answer), self.account.handle.clone());
        let entry = Entry { id, from, to: to.into(), body: body.into() };
        self.account.sent.lock().unwrap().push(entry);
        id
    }

    fn send(&mut self, to: &str, body: &str) -> u64 {
        let answer = self.ask(&format!("MSG {to} {body}")).remove(0);
        self.confirmed(&answer, to, body)
    }

    /// Reads until it was sent this entry.
    fn hear_of(&mut self, id: u64) {
        while self.last < id {
            let line = self.client.line();
            self.hear(&line);
        }
    }

    /// Reads to the end of the connection, whose last line must be this.
    fn hear_out(mut self, end: &str) {
        let mut last = String::new();
        while let Some(line) = self.client.next_line() {
            if matches!(line.split(' ').next(), Some("MSG" | "GROUP" | "ACK" | "READ")) {
                self.hear(&line);
            } else {
                last = line;
            }
        }
        assert_eq!(last, end);
    }

    fn quit(mut self) {
        self.client.say("QUIT");
        self.hear_out("BYE quit");
    }
}

/// What one team does again and again. Gives back how long a message took to its `OK`.
fn shift(papod: &Papod, all: &[Account], team: usize, n: usize) -> Vec<Duration> {
    let of = |team: usize, member: usize| &all[team % TEAMS * MEMBERS + member];
    let my = |member: usize| of(team, member);
    let there = &of(team + 1 + n % 3, 5).handle;
    let group = format!("#team{team}");
    let mut ana = Person::enter(papod, my(0));
    let mut bia = Person::enter(papod, my(1));
    // Takes what comes, and says nothing.
    let mut caio = Person::enter(papod, my(2));
    caio.ask("SET ack auto");
    let mut times = Vec::new();
    for k in 0..20 {
        let begun = Instant::now();
        let id = ana.send(&my(1).handle, &format!("{k} of {n}, and a few words more"));
        times.push(begun.elapsed());
        bia.hear_of(id);
    }
    bia.ask("ACK");
    bia.ask("READ");
    ana.ask("WAIT last read 20");
    ana.ask("INFO last");
    // Many at once, to someone who is away.
    let lines: Vec<String> = (0..50).map(|k| format!("{k} at once\\nof {n}")).collect();
    let typed = lines.iter().map(|line| format!("MSG {there} {line}\n"));
    ana.client.write(typed.collect::<String>().as_bytes());
    for line in &lines {
        let answer = ana.reply();
        ana.confirmed(&answer, there, line);
    }
    let once = format!("ONCE shift-{n} MSG {there} once in shift {n}");
    let answers = [ana.ask(&once).remove(0), ana.ask(&once).remove(0)];
    assert_eq!(answers[0], answers[1]);
    ana.confirmed(&answers[0], there, &format!("once in shift {n}"));
    let newest = ana.last.max(10) - 10;
    for command in [
        "WHOAMI",
        "NAME Ana Maria",
        "HELP",
        "HELP MSG",
        "PING",
        "CHATS",
        "FIND user",
        "BLOCK",
        "SET receipts off",
        "SET receipts on",
        "TOKEN LIST",
        "GROUP LIST",
        &format!("HIST {} 20", my(1).handle),
        &format!("SYNC {newest}"),
        &format!("BLOCK {}", my(6).handle),
        &format!("UNBLOCK {}", my(6).handle),
    ] {
        ana.ask(command);
    }
    // A group whose members come and go: one is removed, one leaves.
    ana.ask(&format!("GROUP ADD {group} {} {} {there}", my(3).handle, my(4).handle));
    ana.ask(&format!("GROUP TOPIC {group} shift {n}"));
    let id = ana.send(&group, &format!("all of you in shift {n}"));
    caio.hear_of(id);
    ana.ask(&format!("GROUP WHO {group}"));
    ana.ask(&format!("GROUP REMOVE {group} {}", my(3).handle));
    let mut left = Person::enter_quietly(papod, my(4), PASSWORD);
    left.ask(&format!("GROUP LEAVE {group}"));
    left.quit();
    // A token, and what ends with it; a password, and what ends with that.
    let mut owner = Person::enter(papod, my(6));
    let token = owner.ask(&format!("TOKEN NEW of-shift-{n}")).remove(0);
    let token = token.rsplit(' ').next().unwrap_or_default();
    let script = Person::enter_quietly(papod, my(6), token);
    owner.ask(&format!("TOKEN DEL of-shift-{n}"));
    script.hear_out("BYE kicked");
    owner.quit();
    let mut owner = Person::enter(papod, my(7));
    let script = Person::enter_quietly(papod, my(7), PASSWORD);
    owner.ask(&format!("PASSWD {PASSWORD} another-one"));
    script.hear_out("BYE kicked");
    owner.ask(&format!("PASSWD another-one {PASSWORD}"));
    owner.quit();
    // A pipe whose input ends in the middle of a line, and one that is reset there.
    let mut pipe = Person::enter_quietly(papod, my(3), PASSWORD);
    pipe.ask(&format!("TALK {there} raw"));
    pipe.client.write(format!("from a pipe in {n}\nQUIT").as_bytes());
    pipe.client.finish();
    for body in [&format!("from a pipe in {n}"), "QUIT"] {
        let answer = pipe.reply();
        pipe.confirmed(&answer, there, body);
    }
    assert_eq!(pipe.client.next_line(), None);
    let mut gone = Person::enter(papod, my(3));
    gone.client.write(b"MSG nobody will be sent this");
    set_socket_linger(gone.client.socket(), Some(Duration::ZERO)).unwrap();
    drop(gone);
    for (said, end) in [
        (&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..], Some("BYE not-http")),
        (b"\x16\x03\x01\x02", Some("BYE not-tls")),
        (b"\xff\xfd\x06\0\0\0", None),
        (b"", None),
    ] {
        let mut stranger = papod.connect();
        stranger.write(said);
        if let Some(end) = end {
            assert_eq!(stranger.rest(), [end]);
        }
    }
    caio.client.finish();
    caio.hear_out("");
    bia.quit();
    ana.quit();
    times
}

/// Someone logs in, takes nothing while much is sent, and comes back to all of it.
fn stall(papod: &Papod, slow: &Account, flood: &Account, work: impl FnOnce()) {
    let socket = TcpStream::connect(papod.address).unwrap();
    set_socket_recv_buffer_size(&socket, 16_384).unwrap();
    socket.set_nodelay(true).unwrap();
    let mut reader = Person::over(socket, slow);
    let mut writer = Person::enter_quietly(papod, flood, PASSWORD);
    let body = "0123456789 abcdefghijklmnopqrst ".repeat(1_000);
    let ids = (0..FLOOD / body.len()).map(|_| writer.send(&slow.handle, body.trim_end()));
    let last = ids.last().expect("it is a flood");
    work();
    reader.hear_of(last);
    reader.ask("READ");
    reader.quit();
    writer.quit();
}

/// What a round leaves behind.
struct Left {
    memory: u64,
    descriptors: usize,
    threads: usize,
    log: u64,
}

/// Sockets and descriptors that papod has open.
fn open(papod: &Papod) -> (usize, usize) {
    let all = fs::read_dir(format!("/proc/{}/fd", papod.id())).expect("it runs");
    // One may be closed while they are looked at.
    let all: Vec<_> = all.flatten().map(|fd| fs::read_link(fd.path())).collect();
    let is_socket = |to: &&std::io::Result<std::path::PathBuf>| {
        to.as_ref().is_ok_and(|to| to.as_os_str().as_encoded_bytes().starts_with(b"socket:"))
    };
    (all.iter().filter(is_socket).count(), all.len())
}

/// Looks at what is left once every session has ended: `sockets` are papod's own.
fn look(papod: &Papod, home: &Home, sockets: usize) -> Left {
    let begun = Instant::now();
    while open(papod).0 != sockets {
        assert!(begun.elapsed() < PATIENCE, "sessions are left: {}", open(papod).0 - sockets);
        thread::yield_now();
    }
    let tasks = fs::read_dir(format!("/proc/{}/task", papod.id())).expect("it runs");
    let log = fs::metadata(home.path().join("papo.db-wal")).expect("there is one");
    Left {
        memory: papod.memory("VmRSS"),
        descriptors: open(papod).1,
        threads: tasks.count(),
        log: log.len(),
    }
}

/// Everything that an account may see is what it was sent and what it said, in order.
fn check(papod: &Papod, account: &Account, confirmed: &BTreeMap<u64, Entry>) -> usize {
    let mut client = papod.login_quietly(&account.handle);
    let mut rows: BTreeMap<u64, Entry> = BTreeMap::new();
    loop {
        let last = rows.last_key_value().map_or(0, |(id, _)| *id);
        client.say(&format!("SYNC {last}"));
        let mut read = client.until("OK SYNC ");
        let end = read.pop().expect("there is that line");
        for row in read {
            let entry = Entry::parse(&row);
            let before = rows.last_key_value().map_or(0, |(id, _)| *id);
            assert!(entry.id > before, "{} comes after {before}", entry.id);
            rows.insert(entry.id, entry);
        }
        if end.ends_with(" end") {
            break;
        }
    }
    let heard = account.heard.lock().unwrap();
    for (id, row) in rows.iter().filter(|(_, row)| row.from != account.handle) {
        assert_eq!(heard.get(id), Some(row), "{} was not sent it", account.handle);
    }
    let is_here = |e: &&Entry| e.from == account.handle || e.to == account.handle;
    for entry in confirmed.values().filter(is_here) {
        assert_eq!(rows.get(&entry.id), Some(entry), "lost to {}", account.handle);
    }
    rows.len()
}

#[test]
#[ignore = "takes a minute"]
fn the_last_rounds_leave_what_the_early_ones_left() {
    let seconds = std::env::var("PAPO_SOAK").ok().and_then(|s| s.parse().ok()).unwrap_or(60.0);
    let home = Home::new();
    let papod = home.start();
    let own = open(&papod).0;
    let account = |n| {
        let handle = format!("user{n}");
        papod.register(&handle);
        Account { handle, heard: Mutex::default(), sent: Mutex::default() }
    };
    let all: Vec<Account> = (0..TEAMS * MEMBERS).map(account).collect();
    let (slow, flood) = (account(100), account(101));
    for team in 0..TEAMS {
        let members = &all[team * MEMBERS..];
        let mut admin = Person::enter(&papod, &members[0]);
        admin.ask(&format!("GROUP NEW team{team} {} {}", members[1].handle, members[2].handle));
        admin.quit();
    }
    // So many shifts a round that all rounds take about the time that was asked for.
    let mut shifts = 4;
    let mut done = 0;
    let mut left = Vec::new();
    println!(
        "round  seconds  messages  OK p50, µs  p99, µs  memory, KiB  descriptors  threads  log, KiB"
    );
    for round in 0..=ROUNDS {
        let begun = Instant::now();
        let before: usize = all.iter().map(|a| a.sent.lock().unwrap().len()).sum();
        let mut times = Vec::new();
        let mut worked = 0.0;
        stall(&papod, &slow, &flood, || {
            let begun = Instant::now();
            thread::scope(|scope| {
                let (papod, all) = (&papod, &all);
                let work =
                    move |team| (done..done + shifts).flat_map(move |n| shift(papod, all, team, n));
                let teams: Vec<_> = (0..TEAMS)
                    .map(|team| scope.spawn(move || work(team).collect::<Vec<_>>()))
                    .collect();
                times = teams.into_iter().flat_map(|team| team.join().unwrap()).collect();
            });
            worked = begun.elapsed().as_secs_f64();
        });
        done += shifts;
        for account in &all {
            let mut person = Person::enter(&papod, account);
            person.ask("READ");
            person.quit();
        }
        let took = begun.elapsed().as_secs_f64();
        let now = look(&papod, &home, own);
        let messages = all.iter().map(|a| a.sent.lock().unwrap().len()).sum::<usize>() - before;
        times.sort();
        let part = |p: usize| times[times.len() * p / 100].as_micros();
        println!(
            "{round:>5}  {took:>7.2}  {messages:>8}  {:>10}  {:>7}  {:>11}  {:>11}  {:>7}  {:>8}",
            part(50),
            part(99),
            now.memory,
            now.descriptors,
            now.threads,
            now.log / 1_024
        );
        // The first says how long it takes, and is not held against anything.
        match round {
            0 => {
                let left = seconds / ROUNDS as f64 - (took - worked);
                shifts = ((shifts as f64 * left / worked) as usize).max(1);
            }
            _ => left.push(now),
        }
    }
    for late in &left[LATE] {
        let early = &left[EARLY];
        let most = |of: fn(&Left) -> u64| early.iter().map(of).max().expect("there are some");
        let memory = most(|left| left.memory);
        assert!(late.memory <= memory + SLACK, "{} KiB after {memory}", late.memory);
        assert!(late.descriptors as u64 <= most(|left| left.descriptors as u64));
        assert!(late.threads as u64 <= most(|left| left.threads as u64));
        assert!(late.log <= LOG, "{} bytes of log", late.log);
    }
    let everyone: Vec<&Account> = all.iter().chain([&slow, &flood]).collect();
    let said = everyone.iter().flat_map(|account| account.sent.lock().unwrap().clone());
    let confirmed: BTreeMap<u64, Entry> = said.map(|entry| (entry.id, entry)).collect();
    let rows: usize = everyone.iter().map(|account| check(&papod, account, &confirmed)).sum();
    println!("{} messages confirmed, {rows} rows in all inboxes", confirmed.len());
    assert!(!papod.log().contains("ERROR"), "{}", papod.log());
    papod.stop();
}
