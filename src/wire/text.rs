//! Free text on the wire: a line break is `\n`, a backslash is `\\`. The only place that escapes.
//!
//! Text that is escaped here and unescaped here, or by `printf '%b'`, stays the same.

use std::borrow::Cow;

use memchr::{memchr2, memmem};

/// Removes spaces and tabs at both ends.
pub fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// Unescapes free text: `\n` is a line break, `\\` a backslash, any other backslash stands for
/// itself. U+2028 and U+2029 become line breaks.
pub fn unescape(text: &str) -> Cow<'_, str> {
    if memchr2(b'\\', 0xe2, text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let (known, length) = match rest.as_bytes().get(at + 1) {
            Some(b'n') => ('\n', 2),
            Some(b'\\') => ('\\', 2),
            _ => ('\\', 1),
        };
        out.push(known);
        rest = &rest[at + length..];
    }
    out.push_str(rest);
    match with_plain_breaks(&out) {
        Cow::Owned(changed) => Cow::Owned(changed),
        Cow::Borrowed(_) => Cow::Owned(out),
    }
}

/// Turns Unicode's line and paragraph separators into line breaks, so that no client splits a line
/// where the server does not.
pub fn with_plain_breaks(text: &str) -> Cow<'_, str> {
    if memmem::find(text.as_bytes(), b"\xe2\x80").is_none() {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace(['\u{2028}', '\u{2029}'], "\n"))
}

/// Appends free text, escaped so that it is one line.
pub fn escape(text: &str, out: &mut Vec<u8>) {
    let mut rest = text.as_bytes();
    while let Some(at) = memchr2(b'\n', b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(if rest[at] == b'\n' { b"\\n" } else { b"\\\\" });
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn escaped(text: &str) -> String {
        let mut out = Vec::new();
        escape(text, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn only_two_escapes_are_read() {
        assert_eq!(unescape(r"a\nb\\n\t\"), "a\nb\\n\\t\\");
        assert_eq!(unescape("a\u{2028}b\u{2029}c ☃"), "a\nb\nc ☃");
        assert_eq!(unescape(r"C:\new"), "C:\new");
        assert_eq!(escaped("a\nb\\"), r"a\nb\\");
        assert_eq!(trim(" \t a b\u{a0} \t"), "a b\u{a0}");
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(text in "(?s).*") {
            let plain = with_plain_breaks(&text).into_owned();
            let line = escaped(&plain);
            prop_assert!(!line.contains('\n'));
            prop_assert_eq!(unescape(&line), plain.as_str());
        }
    }
}
