//! The target `lines`: bytes become lines, and lines requests, whatever they are and however they
//! were split on their way.

use papo::limits;
use papo::name;
use papo::wire::help::ListenerKind;
use papo::wire::line::{self, Lines, Next};
use papo::wire::refusal::Refusal;
use papo::wire::request::{self, ActCommand, Command, GroupChange, Query, Request, SessionCommand};
use papo::wire::{help, suggestions, telnet, text};

use super::{Step, steps};

/// What [`Lines`] gave out.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Given {
    Line(Vec<u8>),
    TooLong(Vec<u8>),
    Tls,
    Rest(Vec<u8>),
}

/// Checks an input.
pub fn check(input: &[u8]) {
    let pieces: Vec<Vec<u8>> = steps(input)
        .into_iter()
        .filter_map(|step| match step {
            Step::Bytes(bytes) => Some(bytes),
            _ => None,
        })
        .collect();
    let whole = pieces.concat();
    let given = all([&*whole]);
    // Too long to be shown.
    assert!(all(pieces.iter().map(Vec::as_slice)) == given, "as the input is split");
    assert!(all(at_random(&whole)) == given, "split at random");
    assert!(whole.len() > 4_096 || all(whole.chunks(1)) == given, "byte by byte");
    for given in &given {
        match given {
            Given::Line(line) | Given::Rest(line) => {
                assert!(line.len() < limits::LINE, "over the limit");
                understand(line);
            }
            Given::TooLong(line) => {
                let _ = telnet::typed(line);
            }
            Given::Tls => {}
        }
    }
}

/// Everything that is given out where the bytes come in these pieces.
fn all<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Given> {
    let mut lines = Lines::default();
    let mut given = Vec::new();
    for piece in pieces {
        lines.push(piece);
        loop {
            match lines.next_line() {
                Next::Line(line) => given.push(Given::Line(line.to_vec())),
                Next::TooLong(line) => given.push(Given::TooLong(line.to_vec())),
                Next::Tls => {
                    given.push(Given::Tls);
                    return given;
                }
                Next::Partial => break,
            }
        }
        assert!(lines.len() < limits::LINE, "it keeps {} bytes of one line", lines.len());
    }
    given.extend(lines.rest().map(Given::Rest));
    assert!(lines.is_empty());
    given
}

/// Splits bytes in places that only depend on them.
fn at_random(bytes: &[u8]) -> Vec<&[u8]> {
    // FNV-1a, then xorshift64.
    let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
    let mut dice = bytes.iter().fold(0xcbf2_9ce4_8422_2325, mix) | 1;
    let mut pieces = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        // Mostly short, at times longer than a line may be.
        let most = [3, 40, 1_000, 70_000][(dice >> 8) as usize % 4];
        let (piece, after) = rest.split_at(rest.len().min(1 + (dice >> 16) as usize % most));
        pieces.push(piece);
        rest = after;
    }
    pieces
}

/// Reads a line as a session does.
fn understand(line: &[u8]) {
    let typed = telnet::typed(line);
    assert!(typed.len() <= line.len());
    let said = match line::text(&typed) {
        Ok(said) => said,
        Err(Refusal::BadText { byte, .. }) => {
            assert!((1..=typed.len()).contains(&byte), "byte {byte} of {}", typed.len());
            return;
        }
        Err(other) => panic!("{other:?}"),
    };
    assert!(!said.contains(|c: char| c.is_control() && c != '\t'));
    comes_back(&text::with_plain_breaks(text::trim(said)));
    comes_back(&text::unescape(said));
    let word = request::first_word(said);
    let shown = help::display_verb(word);
    assert!(!shown.is_empty() && !shown.contains(name::is_spoofing), "{shown:?}");
    let _ = (
        request::is_http(said),
        request::is_raw(said),
        suggestions::suggest(word, ListenerKind::Network),
    );
    let Some(verb) = help::verb(word) else { return };
    match help::read(verb, said) {
        Ok(request) => says_the_same_again(&request),
        Err(Refusal::BadText { byte, .. }) => assert!((1..=said.len()).contains(&byte)),
        Err(Refusal::BadSyntax { column, expected }) => {
            assert!((1..=said.chars().count() + 1).contains(&column), "column {column}");
            assert!(!expected.is_empty());
        }
        Err(other) => panic!("{other:?}"),
    }
}

/// A text that is written reads back as itself, on one line.
fn comes_back(said: &str) {
    let line = escaped(said);
    assert!(!line.contains('\n'));
    assert_eq!(text::unescape(&line), said);
}

fn escaped(said: &str) -> String {
    let mut line = Vec::new();
    text::escape(said, &mut line);
    String::from_utf8(line).expect("only ASCII is put in")
}

/// A request that holds a text, written as its author might, is the same request.
fn says_the_same_again(request: &Request) {
    let line = match &request.command {
        Command::Act(ActCommand::Send { to, body, once: None }) => {
            format!("MSG {to} {}", escaped(body))
        }
        Command::Act(ActCommand::Send { to, body, once: Some(key) }) => {
            format!("once {key}\tmsg {to} {}", escaped(body))
        }
        Command::Act(ActCommand::Rename(name)) => format!("NAME {}", escaped(name.as_str())),
        Command::Act(ActCommand::Group { name, change: GroupChange::Topic(topic) }) => {
            format!("GROUP topic #{name} {}", escaped(topic))
        }
        Command::Query(Query::Find { text }) => format!("FIND {}", escaped(text)),
        Command::Session(SessionCommand::Ping { text }) => format!(" ping  {}", escaped(text)),
        _ => return,
    };
    let verb = help::verb(request::first_word(&line)).expect("these are verbs");
    assert_eq!(help::read(verb, &line).as_ref(), Ok(request), "{line:?}");
}
