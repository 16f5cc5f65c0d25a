//! What HTTP writes differently: `%20` in addresses, and the encoded words of header lines.

use base64ct::{Base64, Encoding};

/// Undoes percent-encoding (RFC 3986, 2.1). What is no encoded byte stands for itself. In a query
/// (`is_form`), a plus is a blank.
pub fn percent(text: &str, is_form: bool) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match (first, hex(after)) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            (b'+', _) if is_form => bytes.push(b' '),
            (other, _) => bytes.push(*other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Percent-encodes a part of a path.
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// The byte that two hexadecimal digits stand for.
fn hex(digits: &[u8]) -> Option<u8> {
    let digit = |at: usize| char::from(*digits.get(at)?).to_digit(16);
    u8::try_from(digit(0)? * 16 + digit(1)?).ok()
}

/// Decodes the words `=?charset?b-or-q?text?=` of a header line (RFC 2047). Blanks between two of
/// them are dropped; what cannot be decoded stays as it is.
pub fn words(line: &str) -> String {
    let (mut out, mut rest, mut after_word) = (String::new(), line, false);
    while let Some(at) = rest.find("=?") {
        let (before, word) = rest.split_at(at);
        match word_at(word) {
            Some((text, length)) => {
                if !(after_word && before.trim().is_empty()) {
                    out.push_str(before);
                }
                out.push_str(&text);
                (rest, after_word) = (&word[length..], true);
            }
            None => {
                out.push_str(before);
                out.push_str("=?");
                (rest, after_word) = (&word[2..], false);
            }
        }
    }
    out.push_str(rest);
    out
}

/// The encoded word that `text` begins with, decoded, and its length.
fn word_at(text: &str) -> Option<(String, usize)> {
    let mut parts = text.strip_prefix("=?")?.splitn(3, '?');
    let (charset, encoding, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let end = rest.find("?=")?;
    let (said, length) = (&rest[..end], text.len() - rest.len() + end + 2);
    let bytes = match encoding {
        "B" | "b" => Base64::decode_vec(said).ok()?,
        "Q" | "q" => quoted(said)?,
        _ => return None,
    };
    // The language may follow the charset (RFC 2231).
    let charset = charset.split('*').next().unwrap_or_default().to_ascii_lowercase();
    let text = match &*charset {
        "utf-8" | "us-ascii" => String::from_utf8(bytes).ok()?,
        "iso-8859-1" => bytes.into_iter().map(char::from).collect(),
        _ => return None,
    };
    Some((text, length))
}

/// The Q encoding: an underscore is a blank, `=20` a byte.
fn quoted(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'_' => bytes.push(b' '),
            b'=' => {
                bytes.push(hex(after)?);
                rest = &after[2..];
            }
            b' ' | b'\t' => return None,
            other => bytes.push(*other),
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_decoded() {
        assert_eq!(percent("a+b%20c%2Bd%E2%98%83", false), "a+b c+d☃");
        assert_eq!(percent("a+b%", true), "a b%");
        assert_eq!(percent("%4%zz%41", true), "%4%zzA");
        assert_eq!(percent("%0d%0a", false), "\r\n");
        assert_eq!(encode("a b/é?.jpg"), "a%20b%2F%C3%A9%3F.jpg");
        assert_eq!(percent(&encode("100 % & \r\n"), false), "100 % & \r\n");
    }

    #[test]
    fn encoded_words_are_decoded() {
        assert_eq!(words("=?UTF-8?B?4pqg77iPIHfDpHJt?="), "⚠️ wärm");
        assert_eq!(words("a =?utf-8?q?b_=E2=98=83?= c"), "a b ☃ c");
        assert_eq!(words("=?utf-8?q?a?= \t =?iso-8859-1?Q?=E9?="), "aé");
        for plain in ["a =? b", "=?utf-8?x?a?=", "=?utf-8?q?a", "=?koi8-r?q?a?=", "é =?utf-8?b?*?="]
        {
            assert_eq!(words(plain), plain);
        }
    }
}
