//! The fields that the rules of the grammar are made of, and the labels that `ERR bad-syntax` shows
//! for them.

use base64::DecodeError;
use base64::prelude::{BASE64_STANDARD as STANDARD, Engine as _};
use nom::Parser;
use nom::branch::alt;
use nom::bytes::complete::{take_till1, take_while};
use nom::combinator::{eof, map, map_opt, rest, value};
use nom::error::{ContextError, ErrorKind, ParseError, context};
use nom::sequence::terminated;

use super::request::{INVITATION, INVITATION_DIGITS, Secret, blank, first_word};
use super::text;
use crate::entry::EntryId;
use crate::limits;
use crate::name::{DisplayName, FileName, Handle, NotAName, Target, is_spoofing};

/// A parse error: the innermost label at the furthest position.
#[derive(Debug, PartialEq)]
pub struct Expected<'a> {
    /// The input at that position.
    pub(super) rest: &'a str,
    /// What was expected instead.
    pub(super) label: &'static str,
    /// The byte offset in `rest` of a character that names may not contain.
    pub(super) hidden: Option<usize>,
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

/// The result of a rule: the remaining input and a value.
pub type ParseResult<'a, T> = nom::IResult<&'a str, T, Expected<'a>>;

/// `field = 1*(any but blank) *blank`, converted by `check`, or rejected if that returns `None`.
pub(super) fn field<'a, T>(
    label: &'static str,
    check: impl Fn(&'a str) -> Option<T>,
) -> impl Parser<&'a str, Output = T, Error = Expected<'a>> {
    terminated(context(label, map_opt(take_till1(blank), check)), take_while(blank))
}

/// A fixed word in any letter case.
pub(super) fn keyword<'a>(
    word: &'static str,
) -> impl Parser<&'a str, Output = (), Error = Expected<'a>> {
    field(word, move |said| said.eq_ignore_ascii_case(word).then_some(()))
}

pub(super) fn end(input: &str) -> ParseResult<'_, &str> {
    context("the end of the line", eof).parse(input)
}

/// `handle = ALPHA 1*31(ALPHA / DIGIT / "." / "_" / "-")`
pub(super) fn handle(input: &str) -> ParseResult<'_, Handle> {
    const LABEL: &str =
        "a handle of 2 to 32 characters: a letter a-z, then letters a-z, digits, . _ -";
    let is_group = is_name(first_word(input).strip_prefix(['#', '+']));
    let label = if is_group { Some("a handle, not a group") } else { aside(input) };
    field(label.unwrap_or(LABEL), Handle::new).parse(input)
}

fn is_name(word: Option<&str>) -> bool {
    word.and_then(Handle::new).is_some()
}

/// A more helpful label for a name with a sign before or after it, as other programs write it.
fn aside(input: &str) -> Option<&'static str> {
    let word = first_word(input);
    let bare = word.trim_start_matches(['@', '#']);
    match () {
        () if is_name(word.strip_prefix('@')) => Some("a handle without the @"),
        () if is_name(bare.strip_suffix(',')) => Some("a name without the comma after it"),
        () if is_name(bare.strip_suffix(':')) => Some("a name without the colon after it"),
        () => None,
    }
}

/// `target = handle / "#" handle`
pub(super) fn target(input: &str) -> ParseResult<'_, Target> {
    let is_group = is_name(first_word(input).strip_prefix('+'));
    let with_plus = is_group.then_some("a handle or #group; write # instead of +");
    let label = with_plus.or_else(|| aside(input)).unwrap_or("a handle or #group");
    field(label, Target::new).parse(input)
}

/// `password = 6*128(any but blank)`
pub(super) fn password(input: &str) -> ParseResult<'_, Secret> {
    field("a password of 6 to 128 characters without blanks", |word| {
        let long = (limits::PASSWORD_MIN..=limits::PASSWORD_MAX).contains(&word.chars().count());
        long.then(|| Secret(word.into()))
    })
    .parse(input)
}

/// The end of a line whose last field is a password: further words were perhaps meant as part of
/// it.
pub(super) fn password_end(input: &str) -> ParseResult<'_, &str> {
    context("the end of the line; a password has no blanks", eof).parse(input)
}

/// `invitation = "invite_" 32HEXDIG`
pub(super) fn account_invitation(input: &str) -> ParseResult<'_, Secret> {
    field("an invitation", |word| {
        let digits = word.strip_prefix(INVITATION)?;
        let is_one = digits.len() == INVITATION_DIGITS
            && digits.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase());
        is_one.then(|| Secret(word.into()))
    })
    .parse(input)
}

/// `secret = 1*(any but blank)`: a password or token at login, whatever the rules for new ones are.
pub(super) fn secret(input: &str) -> ParseResult<'_, Secret> {
    field("a password", |word| Some(Secret(word.into()))).parse(input)
}

/// `name = free text of 1*64 characters`
pub(super) fn display_name(input: &str) -> ParseResult<'_, DisplayName> {
    const LABEL: &str = "a display name of 1 to 64 characters";
    let plain = text::unescape(input);
    let hidden = match DisplayName::new(input) {
        Err(NotAName::Character(at)) => Some(at),
        _ => match DisplayName::new(&plain) {
            Ok(name) => return Ok(("", name)),
            Err(NotAName::Length) => None,
            // The text as typed is fine, so the character is a line break typed as `\n`.
            Err(NotAName::Character(at)) => input.find("\\n").or(Some(at)),
        },
    };
    Err(nom::Err::Failure(Expected { rest: input, label: LABEL, hidden }))
}

/// `newcomer = handle password [name]`
pub(super) fn newcomer(input: &str) -> ParseResult<'_, (Handle, Secret, Option<DisplayName>)> {
    (handle, password, alt((value(None, eof), map(display_name, Some)))).parse(input)
}

/// `file-name = free text of 1*255 bytes`, see [`FileName`]
pub(super) fn file_name(input: &str) -> ParseResult<'_, FileName> {
    let hidden = match FileName::new(&text::unescape(input)) {
        Ok(name) => return Ok(("", name)),
        Err(NotAName::Length) => None,
        // As typed, or as a line break typed as `\n`.
        Err(NotAName::Character(at)) => {
            input.find(is_spoofing).or_else(|| input.find("\\n")).or(Some(at))
        }
    };
    Err(nom::Err::Failure(Expected { rest: input, label: FileName::EXPECTED, hidden }))
}

/// `base64 = 1*(4(ALPHA / DIGIT / "+" / "/" / "="))`, as in RFC 4648, section 4
pub(super) fn base64(input: &str) -> ParseResult<'_, Box<[u8]>> {
    let wrong = |at: usize| {
        let rest = input.get(at..).unwrap_or_default();
        nom::Err::Failure(Expected {
            rest,
            label: "Base64, whole groups of 4 characters",
            hidden: None,
        })
    };
    match STANDARD.decode(input) {
        Ok(bytes) if !bytes.is_empty() => Ok(("", bytes.into())),
        Ok(_) => Err(wrong(0)),
        Err(DecodeError::InvalidByte(at, _) | DecodeError::InvalidLastSymbol(at, _)) => {
            Err(wrong(at))
        }
        Err(DecodeError::InvalidLength(_) | DecodeError::InvalidPadding) => Err(wrong(input.len())),
    }
}

/// `text = 1*(any)`: the rest of the line.
pub(super) fn body(input: &str) -> ParseResult<'_, String> {
    let said = map_opt(rest, |text| (!str::is_empty(text)).then(|| unescaped(text)));
    context("the text of the message", said).parse(input)
}

pub(super) fn unescaped(said: &str) -> String {
    text::unescape(said).into_owned()
}

/// `id = 1*DIGIT`; a number that is too large becomes the largest id, which no entry has.
pub(super) fn id(input: &str) -> ParseResult<'_, EntryId> {
    field("the id of a message", |word| {
        let digits = word.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| EntryId(word.parse().unwrap_or(i64::MAX)))
    })
    .parse(input)
}

/// `group = ["#"] handle`
pub(super) fn group_name(input: &str) -> ParseResult<'_, Handle> {
    const LABEL: &str =
        "a group's name of 2 to 32 characters: a letter a-z, then letters a-z, digits, . _ -";
    let has_plus = is_name(first_word(input).strip_prefix('+'));
    let label = if has_plus { "a group's name without the +" } else { LABEL };
    field(label, |word| Handle::new(word.strip_prefix('#').unwrap_or(word))).parse(input)
}

/// A handle in a list: any other input is an error, and not the end of the list.
pub(super) fn some_handle(input: &str) -> ParseResult<'_, Handle> {
    match handle(input) {
        Err(nom::Err::Error(e)) if !input.is_empty() => Err(nom::Err::Failure(e)),
        other => other,
    }
}

/// `key = 1*64(any but blank)`
pub(super) fn key(input: &str) -> ParseResult<'_, Box<str>> {
    field("a key of 1 to 64 characters without blanks", short_word).parse(input)
}

/// `label = 1*64(any but blank)`
pub(super) fn label(input: &str) -> ParseResult<'_, Box<str>> {
    field("a label of 1 to 64 characters without blanks", short_word).parse(input)
}

fn short_word(word: &str) -> Option<Box<str>> {
    let long = word.chars().count();
    (1..=limits::KEY_MAX).contains(&long).then(|| word.into())
}

/// Replaces the labels of a rule's parts.
pub(super) fn labelled<'a, T>(
    label: &'static str,
    mut inner: impl Parser<&'a str, Output = T, Error = Expected<'a>>,
) -> impl Parser<&'a str, Output = T, Error = Expected<'a>> {
    move |input| {
        inner.parse(input).map_err(|e: nom::Err<Expected<'a>>| e.map(|e| Expected { label, ..e }))
    }
}

/// Replaces the label only if none of a rule's alternatives begins at the input.
pub(super) fn labelled_at_start<'a, T>(
    label: &'static str,
    mut inner: impl Parser<&'a str, Output = T, Error = Expected<'a>>,
) -> impl Parser<&'a str, Output = T, Error = Expected<'a>> {
    move |input| match inner.parse(input) {
        Err(nom::Err::Error(e)) => Err(nom::Err::Error(Expected { label, ..e })),
        other => other,
    }
}

/// An optional field, which must be valid if present.
pub(super) fn opt_field<'a, T>(
    inner: impl Parser<&'a str, Output = T, Error = Expected<'a>>,
) -> impl Parser<&'a str, Output = Option<T>, Error = Expected<'a>> {
    alt((map(eof, |_| None), map(inner, Some)))
}
