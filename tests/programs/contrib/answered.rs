//! Bots that answer each message once, whatever is killed: contrib/papo.py, and the one that
//! PROTOCOL.md shows for bash.

use std::collections::HashMap;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};

use super::{Place, Running, contrib, ended, hears, until};
use crate::process::{Client, PATIENCE, Papod, ports};

/// A sequence that looks random and is the same in each run (Knuth's MMIX constants).
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// The part of PROTOCOL.md that is a bot.
fn bash_bot() -> String {
    let text = include_str!("../../../PROTOCOL.md");
    let (_, text) = text.split_once("```bash\n").expect("PROTOCOL.md has a bot for bash");
    text.split_once("```").expect("and it ends").0.to_owned()
}

/// A way to a server on which the worst happens: a connection breaks after a reply has gone out and
/// before its answer comes back, and the bot is killed before it marks the message as read.
struct Relay {
    address: SocketAddr,
    server: Arc<Mutex<SocketAddr>>,
    bot: Arc<Mutex<Option<Pid>>>,
}

impl Relay {
    fn start(server: SocketAddr) -> Relay {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = Arc::new(Mutex::new(server));
        let (to, chance) = (server.clone(), Arc::new(Mutex::new(Chance(7))));
        let bot = Arc::new(Mutex::new(None));
        let victim = bot.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let server = *to.lock().unwrap();
                let Ok(server) = TcpStream::connect(server) else { continue };
                let (mut from, mut back) =
                    (server.try_clone().unwrap(), client.try_clone().unwrap());
                thread::spawn(move || {
                    let _ = io::copy(&mut from, &mut back);
                    let _ = back.shutdown(Shutdown::Both);
                });
                let (chance, victim) = (chance.clone(), victim.clone());
                thread::spawn(move || pass_on(&client, server, &chance, &victim));
            }
        });
        Relay { address, server, bot }
    }

    /// The bot is this process from now on.
    fn victim(&self, bot: &Running) {
        let pid = i32::try_from(bot.child.id()).unwrap();
        *self.bot.lock().unwrap() = Pid::from_raw(pid);
    }
}

/// Passes on lines of a bot until one of them is its last or breaks the connection.
fn pass_on(
    client: &TcpStream,
    mut server: TcpStream,
    chance: &Mutex<Chance>,
    bot: &Mutex<Option<Pid>>,
) {
    for line in BufReader::new(client).lines().map_while(Result::ok) {
        let breaks = chance.lock().unwrap().below(4) == 0;
        if breaks && line.starts_with("READ ") {
            // Taken, so that no other process is ever killed in its place.
            if let Some(pid) = bot.lock().unwrap().take() {
                let _ = kill_process(pid, Signal::KILL);
            }
            break;
        }
        if server.write_all(format!("{line}\n").as_bytes()).is_err() {
            break;
        }
        if breaks && line.starts_with("ONCE ") {
            break;
        }
    }
    let _ = server.shutdown(Shutdown::Write);
    let _ = client.shutdown(Shutdown::Both);
}

/// Sends messages while connections break, and bot and server are killed; each has to be answered
/// once. A bot that ends is started again.
fn is_right(start: impl Fn(&Place, SocketAddr) -> Running, text: impl Fn(usize) -> String) {
    let mut place = Place::new();
    drop(place.papod.register("echo"));
    let mut alice = place.papod.login("alice").0;
    alice.say("GROUP NEW team echo");
    alice.until("OK GROUP NEW ");
    let relay = Relay::start(place.papod.address);
    let mut bot = start(&place, relay.address);
    relay.victim(&bot);
    let again = |place: &Place, bot: &mut Running| {
        if bot.child.try_wait().unwrap().is_some() {
            *bot = start(place, relay.address);
            relay.victim(bot);
        }
    };
    for n in 0..30 {
        let to = if n % 3 == 0 { "#team" } else { "echo" };
        alice.send(to, &text(n));
        again(&place, &mut bot);
        if n % 10 == 5 {
            place.papod.kill();
            place.papod = Papod::start(&place.home.db());
            *relay.server.lock().unwrap() = place.papod.address;
            alice = place.papod.login("alice").0;
        }
    }
    let answers = |place: &Place| {
        let mut client = place.papod.login_quietly("alice");
        let mut said = count(&mut client, "echo");
        said.extend(count(&mut client, "#team"));
        said
    };
    until("all is answered", || {
        again(&place, &mut bot);
        answers(&place).len() == 30
    });
    // All that was answered is marked as read in the end, and nothing comes a second time.
    until("all is read", || {
        again(&place, &mut bot);
        let mut client = place.papod.login_quietly("echo");
        client.say("CHATS");
        let chats = client.until("OK CHATS");
        chats
            .iter()
            .filter(|row| row.starts_with("CHAT "))
            .all(|row| row.split(' ').nth(2) == Some("0"))
    });
    for (answer, count) in answers(&place) {
        assert_eq!(count, 1, "{answer}");
    }
    drop(bot);
    place.papod.stop();
}

/// How often the bot has said what.
fn count(client: &mut Client, to: &str) -> HashMap<String, usize> {
    let mut said = HashMap::new();
    for entry in client.history(to, 0).into_iter().filter(|entry| entry.from == "echo") {
        *said.entry(entry.body).or_default() += 1;
    }
    said
}

#[test]
#[ignore = "needs python3"]
fn papo_py_answers_each_message_once() {
    let start = |place: &Place, server: SocketAddr| {
        let mut command = place.command("python3", "echo");
        command.env("PAPO_SERVER", server.to_string()).arg("-B").arg(contrib("papo.py"));
        Running::start(&mut command)
    };
    is_right(start, |n| format!("n{n}"));
}

/// What comes while a bot reads what waits for it is no less answered than what came before.
#[test]
#[ignore = "needs python3"]
fn papo_py_reads_what_waits_while_more_comes() {
    let place = Place::new();
    drop(place.papod.register("echo"));
    let mut alice = place.papod.login("alice").0;
    alice.send("echo", "waits");
    let (mut late, server) = (place.papod.login_quietly("alice"), place.papod.address);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (asked, asks) = mpsc::channel();
    let (said, sent) = mpsc::channel();
    let sent = Arc::new(Mutex::new(sent));
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let mut server = TcpStream::connect(server).unwrap();
            let (mut from, mut back) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            thread::spawn(move || io::copy(&mut from, &mut back));
            let (asked, sent) = (asked.clone(), sent.clone());
            thread::spawn(move || {
                for line in BufReader::new(client).lines().map_while(Result::ok) {
                    if line.starts_with("HIST ") && asked.send(()).is_ok() {
                        sent.lock().unwrap().recv().unwrap();
                    }
                    server.write_all(format!("{line}\n").as_bytes()).unwrap();
                }
            });
        }
    });
    let mut command = place.command("python3", "echo");
    command.env("PAPO_SERVER", address.to_string()).arg("-B").arg(contrib("papo.py"));
    let _bot = Running::start(&mut command);
    asks.recv_timeout(PATIENCE).expect("it reads what waits");
    late.send("echo", "comes");
    drop(asks);
    said.send(()).unwrap();
    hears(&mut alice, "waits");
    hears(&mut alice, "comes");
}

#[test]
#[ignore = "needs python3"]
fn papo_py_says_what_it_misses_and_that_it_waits() {
    let place = Place::new();
    let bot = |changes: &[(&str, &str)]| {
        let mut command = place.command("python3", "alice");
        command.arg("-B").arg(contrib("papo.py")).envs(changes.iter().copied());
        command
    };
    for (name, value, said) in [
        ("PAPO_AS", "", "papo: PAPO_AS is not set; it is the account\n"),
        ("PAPO_SECRET", "", "papo: PAPO_SECRET is not set; it is its password or a token\n"),
        (
            "PAPO_SERVER",
            "localhost",
            "papo: the server is localhost; expected HOST:PORT, tls:HOST:PORT or unix:PATH\n",
        ),
    ] {
        assert_eq!(ended(&mut bot(&[(name, value)]), 2).1, said);
    }
    assert!(ended(&mut bot(&[("PAPO_SECRET", "wrong")]), 1).1.starts_with("papo: ERR LOGIN "));
    let nobody = format!("127.0.0.1:{}", ports::free(&[]));
    let mut waits = bot(&[("PAPO_SERVER", &nobody)]);
    let mut waits = waits.stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(waits.stderr.take().unwrap()).read_line(&mut line).unwrap();
    waits.kill().unwrap();
    waits.wait().unwrap();
    assert!(line.starts_with(&format!("papo: {nobody}: ")), "{line}");
    assert!(line.ends_with("; trying again\n"), "{line}");
}

const SEARCHING: &str = r#"
import asyncio, papo
async def main():
    found = await papo.Bot().search("tea", count=1500)
    print(len(found), found[0].id, found[-1].id)
asyncio.run(main())
"#;

/// A server gives at most 1,000 rows a call.
#[test]
#[ignore = "needs python3"]
fn papo_py_searches_page_by_page() {
    let place = Place::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut command = place.command("python3", "alice");
    command.env("PAPO_SERVER", listener.local_addr().unwrap().to_string());
    command.args(["-B", "-c", SEARCHING]).env("PYTHONPATH", contrib(""));
    let running = Running::start(&mut command);
    let (socket, _) = listener.accept().unwrap();
    let mut lines = BufReader::new(&socket).lines().map(|line| line.unwrap());
    let row = |id: u64| format!("HIST {id} 2026-01-01T00:00:00.000Z bob alice - tea\n");
    let rows = |ids: std::ops::Range<u64>| ids.map(row).collect::<String>();
    assert!(lines.next().unwrap().starts_with("LOGIN alice "));
    (&socket).write_all(b"OK LOGIN alice 0\n").unwrap();
    assert_eq!(lines.next().unwrap(), "HIST - 1000 with tea");
    let page = rows(1001..2001) + "OK HIST 1000 more 1001\n";
    (&socket).write_all(page.as_bytes()).unwrap();
    assert_eq!(lines.next().unwrap(), "HIST - 500 before 1001 with tea");
    let page = rows(501..1001) + "OK HIST 500 more 501\n";
    (&socket).write_all(page.as_bytes()).unwrap();
    assert_eq!(running.line(), "1500 501 2000");
}

/// A bot that reacts, replies, and changes its replies until it is told to stop.
const MARKING: &str = r#"
import asyncio, papo
async def main():
    async with papo.Bot() as bot:
        async for m in bot:
            await m.react("👍")
            for two in ("two words", "one\nMSG alice a second line"):
                try:
                    await m.react(two)
                    raise SystemExit("it was not refused")
                except ValueError:
                    pass
            answer = await m.reply("one moment")
            # What it would have been told comes too late for the next command.
            try:
                await asyncio.wait_for(bot.command("WAIT %d answered 60" % answer, 90), 0.05)
            except asyncio.TimeoutError:
                pass
            await bot.edit(answer, "it answers %s" % m.re)
            if m.text == "end":
                await bot.delete(answer)
                await bot.expire("alice", 3600)
                await bot.flag("alice", "mute", 60)
                await bot.flag("alice", "pin")
                await bot.flag("alice", "mute", on=False)
                await bot.command("READ %d" % m.id)
                break
asyncio.run(main())
"#;

#[test]
#[ignore = "needs python3"]
fn papo_py_reacts_edits_and_deletes() {
    let place = Place::new();
    drop(place.papod.register("echo"));
    let mut alice = place.papod.login("alice").0;
    let first = alice.send("echo", "hi");
    alice.say(&format!("REACT {first} ok"));
    alice.say("EXPIRE echo 60");
    alice.say("EXPIRE echo -");
    alice.say(&format!("RE {first} end"));
    let second = crate::process::id(&alice.until("OK RE ").pop().unwrap());
    let mut command = place.command("python3", "echo");
    command.args(["-B", "-c", MARKING]).env("PYTHONPATH", contrib(""));
    ended(&mut command, 0);
    let said = place.said("alice", "echo");
    assert_eq!(said, ["hi", "60", "-", "end", "it answers None", "-", "3600"]);
    for id in [first, second] {
        alice.say(&format!("MARKS {id}"));
        let marks = alice.until("OK MARKS ");
        assert!(marks.iter().any(|mark| mark.ends_with(" 👍")), "{marks:?}");
    }
    // What the loop never sees does not wait any more.
    let (mut echo, met) = place.papod.login("echo");
    assert_eq!(met[0], "OK LOGIN echo 0");
    echo.say("CHATS");
    let flags: Vec<String> = echo.until("OK CHATS ").into_iter().skip(1).collect();
    assert_eq!(flags[0], "FLAGS alice pin -");
    assert!(flags[1].starts_with("OK CHATS "), "{flags:?}");
}

#[test]
#[ignore = "needs python3"]
fn papo_py_may_stop_waiting_for_a_message() {
    let place = Place::new();
    drop(place.papod.register("echo"));
    let waiting = r#"
import asyncio, papo
async def main():
    async with papo.Bot() as bot:
        for _ in range(3):
            try:
                await asyncio.wait_for(bot.__anext__(), 0.01)
            except asyncio.TimeoutError:
                print("not yet", flush=True)
        async for m in bot:
            print(m.text, flush=True)
asyncio.run(main())
"#;
    let mut command = place.command("python3", "echo");
    command.args(["-B", "-c", waiting]).env("PYTHONPATH", contrib(""));
    let bot = Running::start(&mut command);
    assert_eq!([bot.line(), bot.line(), bot.line()], ["not yet"; 3]);
    let mut alice = place.papod.login("alice").0;
    for n in 0..5 {
        alice.send("echo", &format!("n{n}"));
    }
    assert_eq!((0..5).map(|_| bot.line()).collect::<Vec<_>>(), ["n0", "n1", "n2", "n3", "n4"]);
}

#[test]
#[ignore = "needs bash"]
fn the_bot_for_bash_answers_each_message_once() {
    let start = |place: &Place, server: SocketAddr| {
        let bot = bash_bot().replace("HOST/7276", &format!("{}/{}", server.ip(), server.port()));
        let script = format!("secret={}\n{bot}", crate::process::PASSWORD);
        fs::write(place.path("bot"), script).unwrap();
        Running::start(place.command("bash", "echo").arg("bot"))
    };
    is_right(start, |n| format!("!echo n{n}"));
}
