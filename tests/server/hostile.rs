//! Whatever is typed, each line that is not blank gets exactly one final line, and nothing comes of
//! it but what an `OK` confirmed.
//!
//! For every verb a few hundred lines, most of them wrong, go to a real papod in one piece while
//! others are logged in. They differ each time; the seed of a run that failed is said, and
//! `PAPO_SEED` has it again.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::thread;

use crate::process::{Client, Dice, Entry, Home, PASSWORD, Papod, id};
use papo::limits::LINE;
use papo::wire::help::{VERBS, Verb};

/// Lines for each verb.
const LINES: u64 = 200;

/// Words that mean something somewhere.
const WORDS: &[&str] = &[
    "ana",
    "BIA",
    "bia",
    "caio",
    "nobody",
    "#team",
    "#TEAM",
    "team",
    "Team",
    "#none",
    "#",
    "##team",
    "a",
    "1st",
    "-",
    "0",
    "1",
    "7",
    "-1",
    "1.5",
    "1000",
    "1001",
    "9223372036854775807",
    "99999999999999999999",
    "last",
    "LAST",
    "Last",
    "before",
    "AFTER",
    "after",
    "raw",
    "RAW",
    "quiet",
    "ack",
    "auto",
    "Manual",
    "receipts",
    "ON",
    "off",
    "new",
    "NEW",
    "ADD",
    "Remove",
    "ADMIN",
    "topic",
    "LEAVE",
    "LIST",
    "who",
    "DEL",
    "MSG",
    "msg",
    "delivered",
    "READ",
    "read",
    "k1",
    "k2",
    "laptop",
    "mute",
    "Archive",
    "unread",
    "hello",
    "é",
    "ﬁ",
    "%",
    "_",
    "*",
    "'",
    "\"",
    ";",
    "\\n",
    "\\",
    "\\\\n",
    "/",
    "//",
    "/QUIT",
    "<handle>",
    "🦜",
    "\u{200b}",
    "\u{202e}",
    "\u{feff}",
    "\u{2028}",
];

/// Bytes that are no text, or none that a terminal should see.
const BAD: &[&[u8]] = &[
    b"\xff",
    b"\xff\xff",
    b"\xff\xf1",
    b"\xff\xfa",
    b"\xff\xfd\x06",
    b"\xfe",
    b"\xc3",
    b"\xc3\x28",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xc0\xaf",
    b"\xc2\x85",
    b"\0",
    b"\x1b[31m",
    b"\x7f",
    b"\r",
    b"\x08",
];

/// Makes lines that begin with a verb, or with a part of it.
struct Typist {
    dice: Dice,
    /// For what must not be said twice.
    next: u64,
}

impl Typist {
    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.dice.below(n as u64)).expect("it is below a usize")
    }

    fn word(&mut self) -> Vec<u8> {
        let at = self.below(WORDS.len());
        WORDS[at].as_bytes().to_vec()
    }

    /// Letters from anywhere in Unicode, where there are any.
    fn letters(&mut self) -> Vec<u8> {
        let count = 1 + self.below(80);
        let mut text = String::new();
        for _ in 0..count {
            let scalar = u32::try_from(self.dice.below(0x11_0000)).unwrap_or(0);
            text.extend(char::from_u32(scalar).filter(|c| *c != '\n'));
        }
        text.into_bytes()
    }

    /// The next line for a verb, without its LF.
    fn line(&mut self, verb: &Verb, n: u64) -> Vec<u8> {
        let example = self.example(verb).into_bytes();
        let mut line = match n {
            0 => verb.example.as_bytes().to_vec(),
            // The longest there may be, one byte more, and many more.
            40 | 80 => self.long(verb, LINE - 1),
            120 => self.long(verb, LINE),
            160 => self.long(verb, LINE + 7_000),
            _ => match self.below(8) {
                0 => example[..=self.below(example.len())].to_vec(),
                1 => self.other_case(&example),
                2 => [verb.word.as_bytes(), b" ", &self.letters()].concat(),
                3 => verb.form.as_bytes().to_vec(),
                4 => {
                    let at = verb.word.len() + self.below(example.len() - verb.word.len() + 1);
                    let bad = BAD[self.below(BAD.len())];
                    [&example[..at], bad, &example[at..]].concat()
                }
                kind => self.words(verb, if kind == 5 { 40 } else { 5 }),
            },
        };
        if verb.word == "REG" || verb.word == "LOGIN" {
            line = self.as_somebody_new(&line);
        }
        self.harmless(verb, line)
    }

    /// A line that is right.
    fn example(&mut self, verb: &Verb) -> String {
        let others: &[&str] = match verb.word {
            "GROUP" => &[
                "GROUP NEW other",
                "GROUP ADD team dora",
                "GROUP ADD #Team bia caio dora",
                "GROUP REMOVE team caio",
                "GROUP ADMIN team bia",
                "GROUP TOPIC team fish\\nand chips",
                "GROUP LEAVE other",
                "GROUP LIST",
                "GROUP WHO team",
            ],
            "TOKEN" => &["TOKEN LIST", "TOKEN DEL laptop", "TOKEN NEW desk"],
            "HIST" => &["HIST ana", "HIST ana after 0", "HIST ana 3 before 9 after 1"],
            "MSG" | "TALK" => &["MSG ana a note", "MSG dora a\\nb"],
            _ => &[],
        };
        match others.get(self.below(others.len() + 1)) {
            Some(other) => (*other).to_owned(),
            None => verb.example.to_owned(),
        }
    }

    fn long(&mut self, verb: &Verb, length: usize) -> Vec<u8> {
        // What is right of it must not come back in every answer.
        let start = match verb.word {
            "ONCE" => format!("ONCE long-{} MSG dora ", self.below(99)),
            "GROUP" => "GROUP TOPIC nothing ".to_owned(),
            word => format!("{word} dora "),
        };
        let mut line = start.into_bytes();
        line.resize(length, b'x');
        line
    }

    fn other_case(&mut self, line: &[u8]) -> Vec<u8> {
        let flipped = |byte: &u8| match self.below(2) {
            0 => byte.to_ascii_uppercase(),
            _ => byte.to_ascii_lowercase(),
        };
        line.iter().map(flipped).collect()
    }

    fn words(&mut self, verb: &Verb, most: usize) -> Vec<u8> {
        let mut line = match self.below(6) {
            0 => b" \t ".to_vec(),
            1 => b"\xff\xf1".to_vec(),
            _ => Vec::new(),
        };
        line.extend(self.other_case(verb.word.as_bytes()));
        for _ in 0..self.below(most + 1) {
            line.extend_from_slice([&b" "[..], b"\t", b"  \t "][self.below(3)]);
            line.extend(self.word());
        }
        line
    }

    /// Nobody's handle is tried twice: there is a brake on guessing.
    fn as_somebody_new(&mut self, line: &[u8]) -> Vec<u8> {
        let mut words: Vec<Vec<u8>> = line.split(|b| *b == b' ').map(<[u8]>::to_vec).collect();
        self.next += 1;
        if words.len() > 1 {
            words[1] = format!("u-{}", self.next).into_bytes();
        }
        words.join(&b' ')
    }

    /// Nothing that ends the session, is guesswork or waits.
    fn harmless(&mut self, verb: &Verb, mut line: Vec<u8>) -> Vec<u8> {
        line.retain(|byte| *byte != b'\n');
        // Telnet's end of a line.
        while let Some(at) = line.windows(2).position(|two| two == b"\r\0") {
            line.remove(at);
        }
        match verb.word {
            // A telnet sequence that is cut off would swallow the word that makes it wrong.
            "QUIT" => {
                line.retain(|byte| *byte != b'\xff');
                line.extend(b" now");
            }
            "PASSWD" if line.len() > "PASSWD".len() => line.extend(b" a b c"),
            _ => {}
        }
        line
    }
}

/// What was confirmed to someone.
#[derive(Default)]
struct Confirmed {
    /// The ids of messages, and their times.
    messages: BTreeMap<u64, String>,
    /// Changes of groups, with the name of the group: how many.
    changes: BTreeMap<(String, String), usize>,
}

impl Confirmed {
    fn note(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["OK", "MSG" | "RE" | "FWD", id, time] => {
                let id = id.parse().expect("an id is a number");
                self.messages.insert(id, time.to_owned());
            }
            ["OK", "GROUP", word, name] if name.starts_with('#') => {
                let key = (word.to_ascii_lowercase(), name.to_owned());
                *self.changes.entry(key).or_default() += 1;
            }
            _ => {}
        }
    }
}

/// Types all lines for a verb at once, and reads what comes: as many final lines as were typed.
fn type_all(client: &mut Client, verb: &Verb, lines: &[Vec<u8>], confirmed: &mut Confirmed) {
    let mut socket = client.socket().try_clone().expect("a second handle of a socket");
    thread::scope(|scope| {
        scope.spawn(move || {
            let all = lines.join(&b'\n');
            // Where papod does not read on, what it has not said tells more than this error.
            let _ = socket.write_all(&[&all[..], b"\n"].concat());
        });
        let mut rows = false;
        let mut typed = lines.iter();
        while let Some(line) = typed.as_slice().first() {
            let said = client.next_line().unwrap_or_else(|| {
                panic!("{}: the session was lost, {} lines unanswered", verb.word, typed.len())
            });
            let words: Vec<&str> = said.split(' ').collect();
            let at = || format!("{said:?} answers {}", show(line));
            match words[0] {
                "OK" | "ERR" => {
                    rows = false;
                    assert_ne!(words[2..].first(), Some(&"bug"), "{}", at());
                    assert_ne!(words[2..].first(), Some(&"storage"), "{}", at());
                    if let Some(expected) = answered_as(verb, line, words[0]) {
                        assert_eq!(words[1], expected, "{}", at());
                    }
                    confirmed.note(&said);
                    typed.next();
                }
                "HIST" | "HELP" | "CHAT" | "FLAGS" | "INFO" | "USER" | "GROUPS" | "MEMBER"
                | "RULE" | "PREF" | "BLOCKED" | "TOKEN" | "DEVICE" | "MARK" | "DATA" | "AT" => {
                    rows = true
                }
                "MSG" | "GROUP" | "EXPIRE" | "EDIT" | "DEL" | "REACT" | "FLAG" | "GONE" | "ACK"
                | "READ" | "LIVE" => {
                    assert!(!rows, "an event splits a reply: {}", at());
                }
                _ => panic!("{}", at()),
            }
            assert!(!said.contains(|c: char| c.is_control() && c != '\t'), "{}", at());
        }
    });
}

/// The second word of the final line for a line that begins with a whole verb. In `TALK` a line may
/// be a text, so nothing is expected there.
fn answered_as(verb: &Verb, line: &[u8], word: &str) -> Option<&'static str> {
    let line = line.strip_prefix(b"\xff\xf1").unwrap_or(line).trim_ascii_start();
    let (start, rest) = line.split_at_checked(verb.word.len())?;
    let whole = start.eq_ignore_ascii_case(verb.word.as_bytes())
        && rest.first().is_none_or(|byte| matches!(byte, b' ' | b'\t'));
    match verb.word {
        _ if !whole => None,
        "TALK" => None,
        "ONCE" if word == "OK" => Some("MSG"),
        word => Some(word),
    }
}

fn show(line: &[u8]) -> String {
    line[..line.len().min(200)].escape_ascii().to_string()
}

/// Everything that an account may see.
fn all_of(papod: &Papod, handle: &str) -> Vec<String> {
    let mut client = papod.login_quietly(handle);
    let (mut rows, mut last) = (Vec::new(), 0);
    loop {
        client.say(&format!("SYNC {last}"));
        let mut read = client.until("OK SYNC ");
        let end = read.pop().expect("there is that line");
        last = id(&end);
        rows.extend(read);
        if end.ends_with(" end") {
            return rows;
        }
    }
}

#[test]
fn every_line_gets_one_answer_and_does_what_it_says_and_no_more() {
    let (dice, seed) = Dice::from_environment();
    println!("PAPO_SEED={seed}");
    let mut typist = Typist { dice, next: 0 };
    let home = Home::new();
    let papod = home.start();
    let mut live: Vec<(&str, Client)> =
        ["ana", "bia", "caio", "dora"].map(|handle| (handle, papod.register(handle))).into();
    let mut confirmed: BTreeMap<&str, Confirmed> = BTreeMap::new();
    for verb in &VERBS {
        // Those who ask have little to be shown, and who waits has nobody to wait for.
        let (handle, mut client) = match verb.word {
            "REG" | "LOGIN" => ("nobody", papod.connect()),
            "ACK" | "READ" | "INFO" | "HIST" | "SYNC" | "CHATS" => ("bia", papod.login("bia").0),
            "WAIT" => ("caio", papod.login("caio").0),
            _ => ("ana", papod.login("ana").0),
        };
        let lines: Vec<Vec<u8>> = (0..LINES).map(|n| typist.line(verb, n)).collect();
        type_all(&mut client, verb, &lines, confirmed.entry(handle).or_default());
        // Nothing was left to say, and the session was ready for more.
        client.finish();
        for line in client.rest() {
            let event = [
                "MSG ", "GROUP ", "EXPIRE ", "EDIT ", "DEL ", "REACT ", "GONE ", "FLAG ", "ACK ",
                "READ ", "LIVE ",
            ];
            assert!(event.iter().any(|event| line.starts_with(event)), "{}: {line}", verb.word);
        }
    }
    // Those who were there all the time have missed nothing and been told nothing else.
    let nothing = Confirmed::default();
    for (handle, client) in &mut live {
        let rows = all_of(&papod, handle);
        // They may have fallen behind, and then events come after the answer to a PING.
        let end = papod.login_quietly(handle).send(handle, "that is all");
        let told = client.until(&format!("MSG {end} "));
        // What was deleted before it was read is a GONE.
        let said = ["MSG ", "GONE ", "GROUP ", "EXPIRE "];
        let events = told.iter().filter(|line| said.iter().any(|word| line.starts_with(word)));
        let events: BTreeSet<u64> = events.map(|line| id(line)).collect();
        let mut messages = 0;
        let mut changes: BTreeMap<(&str, String, String), usize> = BTreeMap::new();
        for row in rows.into_iter().filter(|row| row.starts_with("HIST ")) {
            let entry = Entry::parse(&row);
            assert!(events.contains(&entry.id), "{handle} was not sent {row}");
            // Its OK does not name it.
            if row.split(' ').nth(5) == Some("kind=expire") {
                continue;
            }
            let author = confirmed.get(&*entry.from).unwrap_or(&nothing);
            let time = row.split(' ').nth(2);
            if row.split(' ').nth(5) == Some("kind=group") {
                let word = entry.body.split(' ').next().unwrap_or_default().to_owned();
                let from = confirmed.keys().find(|known| **known == entry.from);
                let from = from.unwrap_or_else(|| panic!("nobody has confirmed {row}"));
                let key = (word.clone(), entry.to.clone());
                let count = changes.entry((from, word, entry.to)).or_default();
                *count += 1;
                assert!(author.changes.get(&key) >= Some(count), "nobody was told OK of {row}");
            } else if !row.split(' ').nth(5).is_some_and(|tags| tags.contains("late=")) {
                // What AT sends gets its OK before it has an id.
                let known = author.messages.get(&entry.id).map(String::as_str);
                if known.is_none() && row.contains(" kind=gone,") {
                    continue;
                }
                assert_eq!(known, time, "nobody was told OK of {row}");
                messages += usize::from(entry.from == *handle);
            }
        }
        let own = confirmed.get(handle).map_or(0, |confirmed| confirmed.messages.len());
        assert_eq!(messages, own, "{handle} was told OK of a message that is not there");
    }
    let ana = &confirmed["ana"];
    let changes: usize = ana.changes.values().sum();
    let right = ana.messages.len() > 50 && changes > 5;
    assert!(right, "{} messages and {changes} changes tell too little", ana.messages.len());
    let log = papod.log();
    assert!(!log.contains("panicked") && !log.contains("ERROR"), "{log}");
    let mut client = papod.connect();
    client.say(&format!("LOGIN ana {PASSWORD}"));
    client.until("LIVE ");
}
