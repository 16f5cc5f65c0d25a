//! One line of a client to a [`Request`]: the verb is looked up once, then its own rule reads the
//! rest. Each rule's doc comment is its grammar; PROTOCOL.md has the same in full.
//!
//! Nothing here knows whether a request makes sense now, only whether it is well formed.

use std::borrow::Cow;

use nom::Parser;
use nom::branch::alt;
use nom::bytes::complete::{take_till1, take_while};
use nom::combinator::{cut, eof, map, map_opt, rest, value};
use nom::error::{ContextError, ErrorKind, ParseError, context};
use nom::sequence::{preceded, terminated};

use super::help::{self, Verb};
use super::refusal::Refusal;
use super::text;
use crate::entry::{Cursor, EntryId};
use crate::limits;
use crate::name::{DisplayName, Handle, NotAName, Target};

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// `REG`
    Register { handle: Handle, password: Secret, name: Option<DisplayName> },
    /// `LOGIN`; no secret where it was left out or said as `- quiet`.
    Login { handle: Handle, secret: Option<Secret>, quiet: bool },
    /// `QUIT`
    Quit,
    /// `PING`
    Ping { text: String },
    /// `HELP`, of one verb or of all.
    Help { verb: Option<&'static Verb> },
    /// `WHOAMI`
    Whoami,
    /// `NAME`
    Name(DisplayName),
    /// `PASSWD`
    Passwd { old: Secret, new: Secret },
    /// `MSG`
    Message { to: Target, body: String },
    /// `TALK`
    Talk { to: Target, raw: bool },
    /// `ACK` and `READ`
    Move { cursor: Cursor, upto: Upto },
    /// `SET`
    Set(Setting),
    /// `HIST`
    Hist(Hist),
}

/// How far a cursor is to be moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upto {
    /// Over all that this session was sent as events.
    Everything,
    /// Up to this entry, in its conversation.
    Id(EntryId),
    /// Up to the last entry of this conversation that this session was sent.
    Last(Target),
}

/// `SET`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// Whether an entry counts as delivered once it is written to the socket.
    AckAuto(bool),
    /// Whether this session gets receipts.
    Receipts(bool),
}

/// `HIST`: which part of which conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hist {
    /// Whose.
    pub to: Target,
    /// Rows at most, 1 to [`limits::HIST_MAX`].
    pub count: usize,
    /// Only entries below this.
    pub before: Option<EntryId>,
    /// Only entries above this.
    pub after: Option<EntryId>,
}

/// A password or token. It is not printed, whatever prints it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub Box<str>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// Reads a line whose first word is this verb.
///
/// # Errors
/// What the verb's rule expected, and where.
pub fn read(verb: &Verb, line: &str) -> Result<Request, Refusal> {
    let line = line.trim_end_matches(blank);
    // `first_word` is a part of `line`, so what stands after it is too.
    let blanks = line.len() - line.trim_start_matches(blank).len();
    let from = blanks + first_word(line).len();
    let fields = line[from..].trim_start_matches(blank);
    match terminated(verb.rule, end).parse(fields) {
        Ok((_, request)) => Ok(request),
        Err(nom::Err::Error(e) | nom::Err::Failure(e)) => {
            let byte = line.len() - e.rest.len();
            Err(match e.hidden {
                Some(at) => Refusal::BadText {
                    byte: byte + at + 1,
                    what: "a name takes no control, direction or zero-width characters",
                },
                None => Refusal::BadSyntax {
                    expected: e.label,
                    column: line[..byte].chars().count() + 1,
                },
            })
        }
        // Only the streaming parsers ask for more, and none is used.
        Err(nom::Err::Incomplete(_)) => Err(Refusal::Bug),
    }
}

/// The first word of a line: what it says it is.
pub fn first_word(line: &str) -> &str {
    line.trim_start_matches(blank).split(blank).next().unwrap_or("")
}

/// The verb as an `ERR` line says it: in capitals, `-` where there is none that could be said.
pub fn spoken(word: &str) -> Cow<'static, str> {
    if let Some(verb) = help::verb(word) {
        return Cow::Borrowed(verb.word);
    }
    match word.chars().take(limits::VERB_ECHO + 1).count() {
        1..=limits::VERB_ECHO => Cow::Owned(word.to_uppercase()),
        _ => Cow::Borrowed("-"),
    }
}

/// Whether a line whose first word is no verb is an HTTP request line (RFC 9112, section 3) or a `Host:` header: then a
/// browser was led here, and what it sends on was chosen by whoever led it.
pub fn is_http(line: &str) -> bool {
    let line = text::trim(line);
    let is_host = line.as_bytes().get(..5).is_some_and(|b| b.eq_ignore_ascii_case(b"host:"));
    let is_request = || {
        let version = line.rsplit(blank).next().unwrap_or("");
        let number = version.as_bytes().get(..5).filter(|b| b.eq_ignore_ascii_case(b"http/"));
        let digits = number.and_then(|_| version.get(5..)).unwrap_or("");
        let words = line.split(blank).filter(|word| !word.is_empty()).count();
        let dotted = |b: u8| b.is_ascii_digit() || b == b'.';
        words >= 3 && !digits.is_empty() && digits.bytes().all(dotted)
    };
    is_host || is_request()
}

/// What a rule could not read: the innermost label at the furthest place.
#[derive(Debug, PartialEq)]
pub struct Expected<'a> {
    rest: &'a str,
    label: &'static str,
    /// The offset in `rest` of a character that names may not have.
    hidden: Option<usize>,
}

impl<'a> ParseError<&'a str> for Expected<'a> {
    fn from_error_kind(rest: &'a str, _: ErrorKind) -> Self {
        Expected { rest, label: "", hidden: None }
    }
    fn append(_: &'a str, _: ErrorKind, other: Self) -> Self {
        other
    }
    fn or(self, other: Self) -> Self {
        if self.label.is_empty() || other.rest.len() < self.rest.len() { other } else { self }
    }
}

impl<'a> ContextError<&'a str> for Expected<'a> {
    fn add_context(_: &'a str, label: &'static str, mut other: Self) -> Self {
        if other.label.is_empty() {
            other.label = label;
        }
        other
    }
}

/// What a rule gives back.
pub type Parsed<'a, T> = nom::IResult<&'a str, T, Expected<'a>>;

fn blank(c: char) -> bool {
    c == ' ' || c == '\t'
}

/// `field = 1*(any but blank) *blank`, of a kind that `check` knows.
fn field<'a, T>(
    label: &'static str,
    check: impl Fn(&'a str) -> Option<T>,
) -> impl Parser<&'a str, Output = T, Error = Expected<'a>> {
    terminated(context(label, map_opt(take_till1(blank), check)), take_while(blank))
}

/// A word said in any letter case.
fn keyword<'a>(word: &'static str) -> impl Parser<&'a str, Output = (), Error = Expected<'a>> {
    field(word, move |said| said.eq_ignore_ascii_case(word).then_some(()))
}

fn end(input: &str) -> Parsed<'_, &str> {
    context("the end of the line", eof).parse(input)
}

/// `handle = ALPHA 1*31(ALPHA / DIGIT / "." / "_" / "-")`
fn handle(input: &str) -> Parsed<'_, Handle> {
    const LABEL: &str = "a handle: a letter, then letters, digits, . _ -, 2 to 32 in all";
    field(LABEL, Handle::new).parse(input)
}

/// `target = handle / "#" handle`
fn target(input: &str) -> Parsed<'_, Target> {
    field("a handle or #group", |word| match word.strip_prefix('#') {
        Some(name) => Handle::new(name).map(Target::Group),
        None => Handle::new(word).map(Target::Person),
    })
    .parse(input)
}

/// `password = 6*128(any but blank)`
fn password(input: &str) -> Parsed<'_, Secret> {
    field("a password of 6 to 128 characters without blanks", |word| {
        let long = (limits::PASSWORD_MIN..=limits::PASSWORD_MAX).contains(&word.chars().count());
        long.then(|| Secret(word.into()))
    })
    .parse(input)
}

/// `secret = 1*(any but blank)`: what an account is opened with; its rules may have been others.
fn secret(input: &str) -> Parsed<'_, Secret> {
    field("a password", |word| Some(Secret(word.into()))).parse(input)
}

/// `name = free text of 1*64 characters`
fn display_name(input: &str) -> Parsed<'_, DisplayName> {
    const LABEL: &str = "a display name of 1 to 64 characters";
    let plain = text::unescape(input);
    let hidden = match DisplayName::new(input) {
        Err(NotAName::Character(at)) => Some(at),
        _ => match DisplayName::new(&plain) {
            Ok(name) => return Ok(("", name)),
            Err(NotAName::Length) => None,
            // Not hidden as it was typed, so it is a line break that was typed as `\n`.
            Err(NotAName::Character(at)) => input.find("\\n").or(Some(at)),
        },
    };
    Err(nom::Err::Failure(Expected { rest: input, label: LABEL, hidden }))
}

/// `text = 1*(any)`: the rest of the line.
fn body(input: &str) -> Parsed<'_, String> {
    let said = map_opt(rest, |text| (!str::is_empty(text)).then(|| unescaped(text)));
    context("the text of the message", said).parse(input)
}

fn unescaped(said: &str) -> String {
    text::unescape(said).into_owned()
}

/// `id = 1*DIGIT`; one that is too large for an id is one that nobody has.
fn id(input: &str) -> Parsed<'_, EntryId> {
    field("the id of a message", |word| {
        let digits = word.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| EntryId(word.parse().unwrap_or(i64::MAX)))
    })
    .parse(input)
}

/// `REG = handle password [name]`
pub(super) fn register(input: &str) -> Parsed<'_, Request> {
    let name = alt((value(None, eof), map(display_name, Some)));
    map((handle, password, name), |(handle, password, name)| Request::Register {
        handle,
        password,
        name,
    })
    .parse(input)
}

/// `LOGIN = handle [secret ["quiet"]]`, where `- quiet` says that there is no secret.
pub(super) fn login(input: &str) -> Parsed<'_, Request> {
    map((handle, opt_field((secret, opt_field(keyword("quiet"))))), |(handle, rest)| {
        let (secret, quiet) = match rest {
            None => (None, false),
            Some((secret, None)) => (Some(secret), false),
            Some((secret, Some(()))) => (Some(secret).filter(|s| &*s.0 != "-"), true),
        };
        Request::Login { handle, secret, quiet }
    })
    .parse(input)
}

/// `QUIT =`
pub(super) fn quit(input: &str) -> Parsed<'_, Request> {
    Ok((input, Request::Quit))
}

/// `PING = [text]`
pub(super) fn ping(input: &str) -> Parsed<'_, Request> {
    map(rest, |said| Request::Ping { text: unescaped(said) }).parse(input)
}

/// `HELP = [verb]`
pub(super) fn help(input: &str) -> Parsed<'_, Request> {
    let verb = field("one of the verbs that HELP lists", help::verb);
    map(opt_field(verb), |verb| Request::Help { verb }).parse(input)
}

/// `WHOAMI =`
pub(super) fn whoami(input: &str) -> Parsed<'_, Request> {
    Ok((input, Request::Whoami))
}

/// `NAME = name`
pub(super) fn name(input: &str) -> Parsed<'_, Request> {
    map(display_name, Request::Name).parse(input)
}

/// `PASSWD = secret password`
pub(super) fn passwd(input: &str) -> Parsed<'_, Request> {
    map((secret, password), |(old, new)| Request::Passwd { old, new }).parse(input)
}

/// `MSG = target text`
pub(super) fn message(input: &str) -> Parsed<'_, Request> {
    map((target, body), |(to, body)| Request::Message { to, body }).parse(input)
}

/// `TALK = target ["raw"]`
pub(super) fn talk(input: &str) -> Parsed<'_, Request> {
    map((target, opt_field(keyword("raw"))), |(to, raw)| Request::Talk { to, raw: raw.is_some() })
        .parse(input)
}

/// `ACK = [id / target]`
pub(super) fn ack(input: &str) -> Parsed<'_, Request> {
    moved(Cursor::Delivered, input)
}

/// `READ = [id / target]`
pub(super) fn read_upto(input: &str) -> Parsed<'_, Request> {
    moved(Cursor::Read, input)
}

fn moved(cursor: Cursor, input: &str) -> Parsed<'_, Request> {
    let which = context(
        "the id of a message, a handle or #group, or nothing",
        alt((map(id, Upto::Id), map(target, Upto::Last))),
    );
    map(opt_field(which), |upto| Request::Move { cursor, upto: upto.unwrap_or(Upto::Everything) })
        .parse(input)
}

/// `SET = "ack" ("auto" / "manual") / "receipts" ("on" / "off")`
pub(super) fn set(input: &str) -> Parsed<'_, Request> {
    let choice = |yes: &'static str, no: &'static str| {
        move |said: &str| match said {
            _ if said.eq_ignore_ascii_case(yes) => Some(true),
            _ if said.eq_ignore_ascii_case(no) => Some(false),
            _ => None,
        }
    };
    let ack = preceded(keyword("ack"), cut(field("auto or manual", choice("auto", "manual"))));
    let receipts = preceded(keyword("receipts"), cut(field("on or off", choice("on", "off"))));
    match alt((map(ack, Setting::AckAuto), map(receipts, Setting::Receipts))).parse(input) {
        Err(nom::Err::Error(mut e)) => {
            e.label = "ack auto, ack manual, receipts on or receipts off";
            Err(nom::Err::Error(e))
        }
        other => other.map(|(rest, setting)| (rest, Request::Set(setting))),
    }
}

/// `HIST = target [n] ["before" id] ["after" id]`, the bounds in any order.
pub(super) fn hist(input: &str) -> Parsed<'_, Request> {
    let (mut input, to) = target(input)?;
    let mut hist = Hist { to, count: limits::HIST_DEFAULT, before: None, after: None };
    if input.starts_with(|c: char| c.is_ascii_digit()) {
        (input, hist.count) = count(input)?;
    }
    while !input.is_empty() {
        let which = alt((value(true, keyword("before")), value(false, keyword("after"))));
        let label = "a number of rows from 1 to 1000, before <id> or after <id>";
        let (then, before) = match context(label, which).parse(input) {
            Err(nom::Err::Error(e)) => return Err(nom::Err::Error(Expected { label, ..e })),
            other => other?,
        };
        let bound = if before { &mut hist.before } else { &mut hist.after };
        if bound.is_some() {
            let label = "each bound once";
            return Err(nom::Err::Error(Expected { rest: input, label, hidden: None }));
        }
        let (then, id) = id(then)?;
        *bound = Some(id);
        input = then;
    }
    Ok((input, Request::Hist(hist)))
}

/// `n = 1*DIGIT`, from 1 to 1,000
fn count(input: &str) -> Parsed<'_, usize> {
    field("a number of rows from 1 to 1000", |word| {
        word.parse().ok().filter(|n| (1..=limits::HIST_MAX).contains(n))
    })
    .parse(input)
}

/// A field that may be missing; one that is there must be right.
fn opt_field<'a, T>(
    inner: impl Parser<&'a str, Output = T, Error = Expected<'a>>,
) -> impl Parser<&'a str, Output = Option<T>, Error = Expected<'a>> {
    alt((map(eof, |_| None), map(inner, Some)))
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
