//! Bots that answer each message once, whatever is killed: contrib/papo.py, and the one that
//! PROTOCOL.md shows for bash.

use std::collections::HashMap;
use std::fs;

use super::{Place, Running, contrib, hears, until};
use crate::process::{Client, Papod};

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
    let text = include_str!("../../PROTOCOL.md");
    let (_, text) = text.split_once("```bash\n").expect("PROTOCOL.md has a bot for bash");
    text.split_once("```").expect("and it ends").0.to_owned()
}

/// Sends `messages` while bot and server are killed at any moment; each has to be answered once.
fn is_right(start: impl Fn(&Place) -> Running, text: impl Fn(usize) -> String) {
    let mut place = Place::new();
    drop(place.papod.register("echo"));
    let mut alice = place.papod.login("alice").0;
    alice.say("GROUP NEW team echo");
    alice.until("OK GROUP NEW ");
    let mut chance = Chance(7);
    let mut bot = start(&place);
    for n in 0..60 {
        let to = if n % 3 == 0 { "#team" } else { "echo" };
        alice.send(to, &text(n));
        // Some moments later, which differ.
        for _ in 0..chance.below(3) {
            alice.say("PING");
            alice.until("OK PING");
        }
        if n % 7 == 6 {
            drop(bot);
            bot = start(&place);
        }
        if n % 20 == 10 {
            place.papod.kill();
            place.papod = Papod::start(&place.home.db());
            alice = place.papod.login("alice").0;
            bot = start(&place);
        }
    }
    alice.send("echo", &text(60));
    let answers = |place: &Place| {
        let mut client = place.papod.login_quietly("alice");
        let mut said = count(&mut client, "echo");
        said.extend(count(&mut client, "#team"));
        said
    };
    until("all is answered", || answers(&place).len() == 61);
    for (answer, count) in answers(&place) {
        assert_eq!(count, 1, "{answer}");
    }
    // And it goes on.
    alice.send("echo", &text(61));
    hears(&mut alice, "n61");
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
    let start = |place: &Place| {
        Running::start(place.command("python3", "echo").arg("-B").arg(contrib("papo.py")))
    };
    is_right(start, |n| format!("n{n}"));
}

#[test]
#[ignore = "needs bash"]
fn the_bot_for_bash_answers_each_message_once() {
    let start = |place: &Place| {
        let address = place.papod.address;
        let bot = bash_bot().replace("HOST/7276", &format!("{}/{}", address.ip(), address.port()));
        let script = format!("secret={}\n{bot}", crate::process::PASSWORD);
        fs::write(place.path("bot"), script).unwrap();
        Running::start(place.command("bash", "echo").arg("bot"))
    };
    is_right(start, |n| format!("!echo n{n}"));
}
