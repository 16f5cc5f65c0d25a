//! Reading JSON of strangers: parsed by serde_json, after a look at how deep it goes, and as ntfy
//! does it: what is no character becomes one that says so, and keys may have any letter case.

use std::borrow::Cow;

use serde_json::{Deserializer, Value};

use super::answer::Denial;
use crate::limits;

/// Parses a body; `code` is that of the refusal.
///
/// # Errors
/// It is no JSON, or deeper than [`limits::JSON_DEPTH`].
pub fn parse(body: &[u8], code: u32) -> Result<Value, Denial> {
    if depth(body) > limits::JSON_DEPTH {
        let text = format!("invalid JSON: more than {} levels", limits::JSON_DEPTH);
        return Err(Denial::new(40017, text));
    }
    let value = strict(body).or_else(|| strict(mended(&String::from_utf8_lossy(body)).as_bytes()));
    value.ok_or_else(|| Denial::new(code, "invalid JSON"))
}

/// The value of a key in any letter case; of one in this case, if there are several.
pub fn field<'a>(object: &'a Value, key: &str) -> Option<&'a Value> {
    let any_case = || {
        let mut fields = object.as_object()?.iter();
        fields.find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value)
    };
    object.get(key).or_else(any_case)
}

fn strict(body: &[u8]) -> Option<Value> {
    let mut parser = Deserializer::from_slice(body);
    // Its own limit is one level less.
    parser.disable_recursion_limit();
    let mut values = parser.into_iter::<Value>();
    let value = values.next().and_then(Result::ok);
    // Nothing but blanks may follow.
    value.filter(|_| values.next().is_none())
}

/// JSON without halves of surrogate pairs, which programs leave when they cut a text in the middle of
/// a sign.
fn mended(json: &str) -> Cow<'_, str> {
    if !json.contains("\\u") {
        return Cow::Borrowed(json);
    }
    let (mut out, mut rest) = (String::with_capacity(json.len()), json);
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let length = match (surrogate(escape), surrogate(escape.get(6..).unwrap_or_default())) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => 12,
            (Some(_), _) => {
                out.push('\u{fffd}');
                rest = &escape[6..];
                continue;
            }
            // The backslash and what it escapes.
            (None, _) => escape.char_indices().nth(2).map_or(escape.len(), |(at, _)| at),
        };
        out.push_str(&escape[..length]);
        rest = &escape[length..];
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The half of a surrogate pair that a text begins with, as an escape.
fn surrogate(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u16::from_str_radix(digits, 16).ok().filter(|code| (0xD800..=0xDFFF).contains(code))
}

/// How many objects and arrays lie within each other at most.
fn depth(body: &[u8]) -> usize {
    let (mut depth, mut most, mut in_string, mut is_escaped) = (0_usize, 0, false, false);
    for byte in body {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_string => is_escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                most = most.max(depth);
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_has_a_limit() {
        let nested = |n: usize| [vec![b'['; n], vec![b']'; n]].concat();
        assert!(parse(&nested(128), 40024).is_ok());
        assert_eq!(parse(&nested(129), 40024).unwrap_err().code, 40017);
        assert_eq!(parse(&vec![b'['; 200_000], 40024).unwrap_err().code, 40017);
        assert_eq!(parse(b"{\"a\":\"[[[\\\"{{{\"}", 40024).unwrap()["a"], "[[[\"{{{");
        for bad in ["", "{", "{} x", "\u{feff}{}", "\"\\ud83\"", "\"\\u+123\""] {
            assert_eq!(parse(bad.as_bytes(), 40024).unwrap_err().code, 40024, "{bad:?}");
        }
    }

    #[test]
    fn what_is_no_character_is_shown_as_such() {
        let text = |json: &[u8]| parse(json, 40024).unwrap().as_str().map(str::to_owned).unwrap();
        assert_eq!(text(br#""a\ud83d\ude00""#), "a\u{1f600}");
        assert_eq!(text(br#""\ude00a\ud83db\\ud83d\n""#), "\u{fffd}a\u{fffd}b\\ud83d\n");
        assert_eq!(text(br#""\ud83d\ud83d\uDE00\ud83d""#), "\u{fffd}\u{1f600}\u{fffd}");
        assert_eq!(text(b"\"a\xffb \xe2\x98\""), "a\u{fffd}b \u{fffd}");
    }

    #[test]
    fn keys_have_any_letter_case() {
        let said = parse(br#"{"Topic":"a","TITLE":"b","title":"c"}"#, 40024).unwrap();
        assert_eq!(field(&said, "topic").unwrap(), "a");
        assert_eq!(field(&said, "title").unwrap(), "c");
        assert_eq!(field(&said, "message"), None);
    }

    proptest::proptest! {
        #[test]
        fn no_json_makes_it_panic(said in r#""(\\u?[d8eéc0-9]{0,4}|.){0,20}"?"#) {
            let _ = parse(said.as_bytes(), 40024);
        }
    }
}
