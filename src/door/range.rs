//! Parts of a file (RFC 9110, 14): what `Range` asks for, so that a download that broke off goes on,
//! and a player can skip.

use super::answer::Denial;
use super::request::Head;

/// A part of a file: `from` its first byte up to `end`, which is none of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteRange {
    pub from: u64,
    pub end: u64,
}

impl ByteRange {
    /// The part of a file of `bytes` bytes that is asked for, if it is one, of this file: `tag` is its
    /// `ETag`. Of several parts, or of what cannot be understood, the whole is served.
    ///
    /// # Errors
    /// The file ends before it.
    pub fn of(head: &Head, bytes: u64, tag: &str) -> Result<Option<ByteRange>, Denial> {
        let is_of_another = head.header("if-range").is_some_and(|known| known != tag);
        let Some(said) = head.header("range").filter(|_| head.method == "GET" && !is_of_another)
        else {
            return Ok(None);
        };
        match ByteRange::parse(said, bytes) {
            Some(range) if range.from < range.end => Ok(Some(range)),
            Some(_) => Err(Denial::new(41600, format!("the file has {bytes} bytes"))),
            None => Ok(None),
        }
    }

    /// An empty one is none of the file.
    fn parse(said: &str, bytes: u64) -> Option<ByteRange> {
        let (unit, part) = said.split_once('=')?;
        let (first, last) = part.trim().split_once('-')?;
        if !unit.trim().eq_ignore_ascii_case("bytes") {
            return None;
        }
        let number = |digits: &str| -> Option<u64> {
            let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
            // One that is too large for the type is behind every end.
            is_number.then(|| digits.parse().unwrap_or(u64::MAX))
        };
        match (number(first), number(last)) {
            (Some(from), Some(last)) if last < from => None,
            (Some(from), Some(last)) => {
                Some(ByteRange { from, end: last.saturating_add(1).min(bytes) })
            }
            (Some(from), None) if last.is_empty() => Some(ByteRange { from, end: bytes }),
            (None, Some(count)) if first.is_empty() => {
                Some(ByteRange { from: bytes.saturating_sub(count), end: bytes })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_lies_within_the_file(said in "bytes=[0-9]{0,21}-[0-9]{0,21}", bytes in 0..40_u64) {
            if let Some(range) = ByteRange::parse(&said, bytes) {
                prop_assert!(range.end <= bytes);
            }
        }
    }

    #[test]
    fn one_part_is_served_and_anything_else_is_the_whole() {
        let of = |lines: &str| {
            let text = format!("GET / HTTP/1.0\r\n{lines}\r\n");
            let (head, _) = Head::parse(text.as_bytes()).unwrap().unwrap();
            ByteRange::of(&head, 10, "\"t\"").map_err(|denial| denial.code)
        };
        let part = |from, end| Ok(Some(ByteRange { from, end }));
        assert_eq!(of("Range: bytes=0-0\r\n"), part(0, 1));
        assert_eq!(of("Range: Bytes = 3-5\r\n"), part(3, 6));
        assert_eq!(of("Range: bytes=3-\r\n"), part(3, 10));
        assert_eq!(of("Range: bytes=9-99999999999999999999999\r\n"), part(9, 10));
        assert_eq!(of("Range: bytes=-4\r\n"), part(6, 10));
        assert_eq!(of("Range: bytes=-40\r\nIf-Range: \"t\"\r\n"), part(0, 10));
        for behind in ["bytes=10-", "bytes=10-11", "bytes=99999999999999999999-", "bytes=-0"] {
            assert_eq!(of(&format!("Range: {behind}\r\n")), Err(41600), "{behind}");
        }
        for whole in
            ["bytes=5-3", "bytes=0-1,3-4", "bytes=-", "bytes=a-b", "bytes=+1-2", "lines=0-1", "0-1"]
        {
            assert_eq!(of(&format!("Range: {whole}\r\n")), Ok(None), "{whole}");
        }
        assert_eq!(of(""), Ok(None));
        assert_eq!(of("Range: bytes=0-1\r\nIf-Range: \"other\"\r\n"), Ok(None));
    }
}
