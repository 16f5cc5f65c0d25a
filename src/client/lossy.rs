//! Turns any bytes, such as the output of a failing program, into text that can be sent.

use std::collections::VecDeque;

use super::lines::escaped;

/// Bytes to add at a time: all of them are buffered before any are dropped.
pub const MORE: usize = 65_536;

/// Sent in place of a blank text.
const EMPTY: &str = "(empty)";

/// Bytes reserved for the line that says how much was left out.
const GAP: usize = 64;

/// Keeps the beginning and the end of a text of any length.
pub struct Lossy {
    /// Bytes that the text may take, escaped.
    room: usize,
    head: Vec<u8>,
    tail: VecDeque<u8>,
    /// Bytes dropped between the two.
    gap: u64,
}

impl Lossy {
    /// Empty. The text will take at most `room` bytes, escaped; 100 or more.
    pub fn new(room: usize) -> Lossy {
        Lossy { room, head: Vec::new(), tail: VecDeque::new(), gap: 0 }
    }

    pub fn add(&mut self, bytes: &[u8]) {
        // Keep more of each end than fits, since cleaning may remove some of it.
        let most = self.room * 2;
        let (head, rest) = bytes.split_at(bytes.len().min(most - self.head.len()));
        self.head.extend_from_slice(head);
        self.tail.extend(rest);
        let over = self.tail.len().saturating_sub(most);
        self.tail.drain(..over);
        self.gap += over as u64;
    }

    /// The text, which is never blank.
    pub fn text(mut self) -> String {
        if self.gap == 0 {
            self.head.extend(self.tail.drain(..));
        }
        let (head, tail) = (clean(&self.head), clean(self.tail.make_contiguous()));
        let all = if self.gap == 0 { head.trim_end_matches('\n') } else { &head };
        if self.gap == 0 && escaped(all).len() <= self.room {
            return if all.trim().is_empty() { EMPTY.to_owned() } else { all.to_owned() };
        }
        let end = if self.gap == 0 { all } else { tail.trim_end_matches('\n') };
        let half = (self.room - GAP) / 2;
        let (first, last) = (beginning(all, half), ending(end, half));
        let dropped = match self.gap {
            0 => (all.len() - first.len() - last.len()) as u64,
            gap => gap + (head.len() - first.len() + end.len() - last.len()) as u64,
        };
        format!("{first}\n[... {dropped} bytes left out ...]\n{last}")
    }
}

/// The longest beginning that takes at most `most` bytes, escaped.
fn beginning(text: &str, most: usize) -> &str {
    let mut left = most;
    let end =
        text.char_indices().find(|(_, c)| !takes(*c, &mut left)).map_or(text.len(), |(at, _)| at);
    &text[..end]
}

/// The longest end, likewise.
fn ending(text: &str, most: usize) -> &str {
    let mut left = most;
    let start = text.char_indices().rev().find(|(_, c)| !takes(*c, &mut left));
    &text[start.map_or(0, |(at, c)| at + c.len_utf8())..]
}

/// Whether `left` has room for a character, escaped; takes that room from it.
fn takes(c: char, left: &mut usize) -> bool {
    let rest = left.checked_sub(escaped(c.encode_utf8(&mut [0; 4])).len());
    *left = rest.unwrap_or(0);
    rest.is_some()
}

/// Removes colours, turns CRLF and CR into line breaks, and replaces everything else that cannot be
/// sent by U+FFFD.
fn clean(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\x1b' if rest.next_if_eq(&'[').is_some() => {
                // A control sequence (ECMA-48): parameters, and a final character.
                while rest.next_if(|c| (' '..='?').contains(c)).is_some() {}
                rest.next_if(|c| ('@'..='~').contains(c));
            }
            '\r' if rest.peek() == Some(&'\n') => {}
            '\r' => out.push('\n'),
            '\n' | '\t' => out.push(c),
            c if c.is_control() => out.push(char::REPLACEMENT_CHARACTER),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(room: usize, bytes: &[u8]) -> String {
        let mut lossy = Lossy::new(room);
        bytes.chunks(7).for_each(|some| lossy.add(some));
        lossy.text()
    }

    #[test]
    fn what_cannot_be_sent_is_replaced() {
        assert_eq!(
            text(200, b"caf\xe9 \x07 \x1b[1;31mred\x1b[0m\r\n50%\r100%\n\n"),
            "caf\u{fffd} \u{fffd} red\n50%\n100%"
        );
        assert_eq!(text(200, b"\tfine \\ as it is"), "\tfine \\ as it is");
        for blank in [&b""[..], b"\n\n", b" \r\n", b"\x1b[0m"] {
            assert_eq!(text(200, blank), EMPTY);
        }
    }

    #[test]
    fn of_what_is_too_long_both_ends_are_kept() {
        for length in [300, 3_000, 300_000] {
            let all = format!("begin {}\n end", "x".repeat(length));
            let kept = text(200, all.as_bytes());
            assert!(kept.starts_with("begin xxx") && kept.ends_with("xxx\n end"), "{kept}");
            let left_out: usize = kept.split(' ').find_map(|word| word.parse().ok()).unwrap();
            let note = format!("\n[... {left_out} bytes left out ...]\n");
            assert_eq!(kept.len() - note.len() + left_out, all.len());
        }
    }

    proptest! {
        #[test]
        fn whatever_it_is_it_can_be_sent(bytes in proptest::collection::vec(any::<u8>(), 0..2_000), room in 100_usize..1_000) {
            let text = text(room, &bytes);
            prop_assert!(escaped(&text).len() <= room);
            prop_assert!(!text.trim().is_empty());
            prop_assert!(!text.contains(|c: char| c.is_control() && c != '\n' && c != '\t'));
        }
    }
}
