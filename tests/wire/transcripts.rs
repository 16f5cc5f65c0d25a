//! Transcripts: what people typed and what they got, played over real sockets against a real server
//! whose clock stands still. `transcript/script.rs` says how one is written.
//!
//! They stand in `tests/transcripts/*.txt`, one a file, and in the `transcript` blocks of PROTOCOL.md.
//! At the end of each, everyone's next line must be the answer to a last `PING`: nothing else was said.
//!
//! `PAPO_REWRITE=1 cargo test --test wire transcripts_hold` rewrites those that do not hold, so
//! that they say what the server says now. The diff is the review.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::transcript::abreast::abreast;
use crate::transcript::client::{Client, Heard};
use crate::transcript::cut::Stream;
use crate::transcript::play::{Stage, Typing, play};
use crate::transcript::rewrite::rewrite;
use crate::transcript::script::{Script, Step};
use papo::wire::help::{self, LINE_FORMS, ListenerKind, VERBS};

/// Error codes that no transcript can provoke, and why.
const NOT_PROVOKED: [(&str, &str); 4] = [
    ("bug", "the server would have to have one that is known"),
    ("too-fast", "seconds would have to be waited for; tests/server/limits/guessing.rs does"),
    ("too-late", "the servers of the transcripts set no --amend"),
    ("closed", "the servers of the transcripts make accounts"),
];

/// All transcripts, by the file in which they stand.
fn all() -> Vec<(PathBuf, Vec<Script>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = root.join("tests/transcripts").read_dir();
    let mut files: Vec<PathBuf> = folder
        .expect("the folder of the transcripts")
        .map(|entry| entry.expect("its entries").path())
        .filter(|file| file.extension().is_some_and(|e| e == "txt"))
        .collect();
    files.sort();
    let protocol = protocol();
    let mut all: Vec<_> =
        files.into_iter().map(|file| (file.clone(), vec![Script::open(&file)])).collect();
    all.push((protocol.clone(), Script::blocks(&protocol)));
    all
}

fn protocol() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("PROTOCOL.md")
}

/// Plays a transcript that must hold.
fn hold(script: &Script, typing: Typing) {
    if let Err(report) = play(script, typing) {
        panic!("\n{report}");
    }
}

#[test]
fn transcripts_hold() {
    let rewriting = std::env::var("PAPO_REWRITE").is_ok_and(|value| value == "1");
    let all = all();
    let scripts = all.iter().flat_map(|(file, scripts)| scripts.iter().map(move |it| (file, it)));
    let scripts: Vec<(&PathBuf, &Script)> = scripts.collect();
    let mut reports = abreast(&scripts, |(_, script)| play(script, Typing::Lines).err());
    if rewriting {
        let mut wrong: BTreeMap<&PathBuf, Vec<Script>> = BTreeMap::new();
        for ((file, script), _) in scripts.iter().zip(&reports).filter(|(_, why)| why.is_some()) {
            wrong.entry(file).or_default().push((*script).clone());
        }
        wrong.iter().for_each(|(file, scripts)| rewrite(file, scripts));
        reports.clear();
    }
    let reports: Vec<String> = reports.into_iter().flatten().collect();
    assert!(
        reports.is_empty(),
        "\n{}\nPAPO_REWRITE=1 cargo test --test wire transcripts_hold writes what the server says now",
        reports.join("\n")
    );
}

#[test]
fn every_byte_may_come_alone() {
    let scripts: Vec<Script> = all().into_iter().flat_map(|(_, scripts)| scripts).collect();
    abreast(&scripts, |script| hold(script, Typing::Bytes));
}

#[test]
fn transcripts_of_one_client_hold_when_all_comes_at_once() {
    let scripts = all().into_iter().flat_map(|(_, scripts)| scripts);
    let streams: Vec<Stream> = scripts.filter_map(|script| Stream::of(&script)).collect();
    assert!(streams.len() >= 10, "only {} transcripts have one client", streams.len());
    abreast(&streams, |stream| stream.feed(&[]));
}

/// The transcript `cut.txt` has one of each thing that could be cut in two.
#[test]
fn where_a_stream_is_cut_makes_no_difference() {
    let (_, scripts) = all()
        .into_iter()
        .find(|(file, _)| file.ends_with("cut.txt"))
        .expect("the transcript that is cut");
    let stream = Stream::of(&scripts[0]).expect("one client");
    assert!(stream.len() > 256, "it has become short: {}", stream.len());
    let everywhere = (1..stream.len()).collect();
    let cuts: Vec<Vec<usize>> = (1..stream.len()).map(|at| vec![at]).chain([everywhere]).collect();
    abreast(&cuts, |cuts| stream.feed(cuts));
}

#[test]
fn the_protocol_has_a_heading_and_a_transcript_for_every_verb() {
    let text = std::fs::read_to_string(protocol()).expect("PROTOCOL.md");
    let headings: Vec<&str> = text.lines().filter(|l| l.starts_with("### ")).collect();
    let (_, grammar) = text.split_once("\n## 5").expect("the grammar");
    let (grammar, _) = grammar.split_once("\n## 6").expect("its end");
    let typed: BTreeSet<String> = Script::blocks(&protocol()).iter().flat_map(verbs).collect();
    for verb in VERBS.iter().map(|verb| verb.word) {
        let named = |h: &str| h.contains(&format!("`{verb} ")) || h.contains(&format!("`{verb}`"));
        assert!(headings.iter().any(|h| named(h)), "no heading in PROTOCOL.md names {verb}");
        assert!(typed.contains(verb), "no transcript in PROTOCOL.md shows {verb}");
        let in_grammar = grammar.contains(&format!("\"{verb}\""));
        assert!(in_grammar, "chapter 5 of PROTOCOL.md has no rule for {verb}");
    }
}

/// The table of chapter 3 and the one that `HELP` is made from say the same.
#[test]
fn help_explains_every_first_word_that_the_server_sends() {
    let text = std::fs::read_to_string(protocol()).expect("PROTOCOL.md");
    let rows = text.lines().skip_while(|line| !line.starts_with("| first word |")).skip(2);
    let mut forms: Vec<(String, String)> = Vec::new();
    for row in rows.take_while(|line| line.starts_with("| `")) {
        let row = row.replace("\\|", "|").replace('…', "...");
        let words: Vec<&str> = row.split('`').collect();
        forms.push((words[1].to_owned(), words[words.len() - 2].to_owned()));
    }
    assert!(forms.len() > 20, "{forms:?}");
    let table = LINE_FORMS.iter().map(|sent| (sent.word.to_owned(), sent.form.to_owned()));
    assert_eq!(table.collect::<Vec<_>>(), forms);
    for (word, form) in forms {
        let places = [ListenerKind::Network, ListenerKind::Unix, ListenerKind::Admin];
        let help = places.iter().find_map(|place| help::of(&word, *place));
        let help = help.unwrap_or_else(|| panic!("HELP {word} explains nothing"));
        let help = help.join(" ").split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(help.contains(&form), "{help}");
    }
    let ended = help::of("bye", ListenerKind::Network).unwrap_or_default().concat();
    let reasons = text.lines().skip_while(|line| !line.starts_with("| reason |")).skip(2);
    for row in reasons.take_while(|line| line.starts_with("| `")) {
        let reason = row.split('`').nth(1).unwrap_or_default();
        assert!(ended.contains(reason), "HELP BYE does not explain {reason}");
    }
}

#[test]
fn the_protocol_explains_every_error_code_and_a_transcript_provokes_it() {
    let text = std::fs::read_to_string(protocol()).expect("PROTOCOL.md");
    let scripts = all().into_iter().flat_map(|(_, scripts)| scripts);
    let provoked: BTreeSet<String> = scripts.flat_map(|script| refusals(&script)).collect();
    let codes = codes();
    for code in &codes {
        assert!(text.contains(&format!("`{code}`")), "PROTOCOL.md does not explain {code}");
        let excused = NOT_PROVOKED.iter().find(|(known, _)| known == code);
        match (provoked.contains(*code), excused) {
            (true, Some(_)) => panic!("{code} can be provoked after all: it needs no excuse"),
            (false, None) => panic!("no transcript provokes {code}"),
            _ => {}
        }
    }
    for (code, why) in NOT_PROVOKED {
        assert!(codes.contains(&code), "{code} ({why}) is no error code any more");
    }
}

/// Every error code there is: the words in the function of `refusal.rs` that gives them.
fn codes() -> Vec<&'static str> {
    let source = include_str!("../../src/wire/refusal.rs");
    let (_, body) = source.split_once("pub fn code(").expect("the function of codes");
    let (body, _) = body.split_once("\n    }\n").expect("its end");
    let codes: Vec<&str> = body.split('"').skip(1).step_by(2).collect();
    assert!(codes.contains(&"bad-syntax"), "these are no codes: {codes:?}");
    codes
}

/// The first words of what is typed in a transcript, in capitals, without the slash of `TALK`.
fn verbs(script: &Script) -> Vec<String> {
    let typed = script.lines.iter().filter_map(|line| match &line.step {
        Step::Send(bytes) => Some(String::from_utf8_lossy(bytes).to_ascii_uppercase()),
        _ => None,
    });
    let first = |line: &str| line.split_whitespace().next().unwrap_or("").to_owned();
    let words = typed.flat_map(|text| text.lines().map(first).collect::<Vec<_>>());
    words.map(|word| word.trim_start_matches('/').to_owned()).collect()
}

/// The codes with which something is refused in a transcript.
fn refusals(script: &Script) -> Vec<String> {
    let heard = script.lines.iter().filter_map(|line| match &line.step {
        Step::Hear(bytes) => Some(String::from_utf8_lossy(bytes)),
        _ => None,
    });
    let code = |line: &str| line.strip_prefix("ERR ")?.split(' ').nth(1).map(str::to_owned);
    heard.filter_map(|line| code(&line)).collect()
}

/// More than one page of the log, and more commands than a session may have unconfirmed.
#[test]
fn a_long_conversation_holds() {
    const MESSAGES: usize = 1_500;
    const ROWS: usize = 1_000;
    const TIME: &str = "2026-01-01T00:00:00.000Z";
    let mut text = "bob> REG bob secret-b\nbob< OK REG bob\nbob< LIVE 0\nbob.\nbob!\n".to_owned();
    text += &format!("ana>> REG ana secret-a\\n\\{{{MESSAGES} MSG bob x\\n}}HIST bob {ROWS}\\n\n");
    text += "ana< OK REG ana\nana< LIVE 0\n";
    text.extend((1..=MESSAGES).map(|id| format!("ana< OK MSG {id} {TIME}\n")));
    let shown = MESSAGES - ROWS + 1..=MESSAGES;
    text.extend(shown.map(|id| format!("ana< HIST {id} {TIME} ana bob - x\n")));
    text += &format!("ana< OK HIST {ROWS} more\n");
    text += &format!("bob2>> LOGIN bob secret-b\\nACK\\n\nbob2< OK LOGIN bob {MESSAGES}\n");
    text.extend((1..=MESSAGES).map(|id| format!("bob2< MSG {id} {TIME} ana bob - x\n")));
    text += &format!("bob2< LIVE {MESSAGES}\nbob2< OK ACK {MESSAGES}\n");
    text += &format!("ana< ACK {MESSAGES} {TIME} bob ana\n");
    hold(&script(&text), Typing::Lines);
}

/// Events go between replies, never between the rows of one.
#[test]
fn the_rows_of_a_reply_stand_together_while_events_come() {
    let stage = Stage::open();
    let [mut ana, mut bob] = ["ana", "bob"].map(|name| stage.connect(name));
    ana.send(b"REG ana secret-a\nMSG ana wait for the reply\n");
    let until = |client: &mut Client, last: &str| {
        let mut lines = Vec::new();
        while lines.last().is_none_or(|line: &String| !line.starts_with(last)) {
            match client.hear() {
                Heard::Line(line) => lines.push(String::from_utf8_lossy(&line).into_owned()),
                other => panic!("{other:?} instead of {last}"),
            }
        }
        lines
    };
    until(&mut ana, "OK MSG 1 ");
    bob.send(b"REG bob secret-b\nMSG ana 2\nMSG ana 3\nMSG ana 4\n");
    until(&mut bob, "OK MSG 4 ");
    // Both sides are busy at once; how the lines mingle is chance, what is allowed is not.
    for _ in 0..100 {
        ana.send(b"MSG bob x\nMSG bob y\n");
        bob.send(b"HIST ana 3\nREAD\nHELP PING\n");
    }
    ana.send(b"MSG bob last\n");
    let mut lines = until(&mut bob, "MSG 205 ");
    bob.send(b"PING end\n");
    lines.extend(until(&mut bob, "OK PING end"));
    drop((ana, bob));
    stage.close();

    let word = |line: &String| line.split(' ').next().unwrap_or_default().to_owned();
    let words: Vec<String> = lines.iter().map(word).collect();
    for (at, pair) in words.windows(2).enumerate() {
        let split = ["HIST", "HELP"].contains(&&*pair[0]) && pair[1] != pair[0] && pair[1] != "OK";
        assert!(!split, "an event splits a reply: {:#?}", &lines[at..at + 2]);
    }
    let count = |what: &str| lines.iter().filter(|line| line.starts_with(what)).count();
    assert_eq!(count("OK HIST 3 "), 100);
    assert_eq!(count("OK HELP"), 100);
    assert_eq!(count("OK READ "), 100);
    let told = lines.iter().filter_map(|line| line.strip_prefix("MSG ")?.split(' ').next());
    let expected: Vec<String> = (5..=205).map(|id| id.to_string()).collect();
    assert_eq!(told.collect::<Vec<_>>(), expected);
}

/// A transcript that stands in no file.
fn script(text: &str) -> Script {
    let lines = text.lines().map(str::to_owned).collect();
    Script::new(Path::new("no file"), 0, lines)
}

/// A runner that notices nothing would let everything hold.
#[test]
fn the_runner_notices_what_does_not_hold() {
    let wrong = [
        ("another line", "ana> PING a\nana< OK PING b"),
        ("a line too many", "ana> PING a\nana> PING b\nana< OK PING a"),
        ("another greeting", "ana< HELLO papo/2 papod/0.1.0 type HELP"),
        ("a line before the end", "ana> QUIT\nana< OK QUIT\nana!"),
        ("an early end", "ana> QUIT\nana< OK QUIT\nana< BYE quit\nana< OK"),
        ("an end that is not said", "ana> QUIT\nana< OK QUIT\nana< BYE quit"),
        ("a client that has gone", "ana.\nana!\nana> PING"),
    ];
    for (what, text) in wrong {
        let report = play(&script(text), Typing::Lines).expect_err(what);
        assert!(report.starts_with("no file:"), "{report}");
    }
    let right = "ana> PING a\nana< OK PING a\nbob.\nbob!\ncid.";
    assert_eq!(play(&script(right), Typing::Lines), Ok(()));
}
