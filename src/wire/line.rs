//! Splits bytes into lines (LF, CRLF or telnet's CR NUL; bounded) and checks their text (UTF-8, no
//! control characters).
//!
//! Lines are split before anything else is parsed. So nothing inside a line (an unfinished telnet
//! sequence, half a character) can reach into the next one, and how the bytes were split in transit
//! makes no difference.

use memchr::memchr2;

use super::refusal::Refusal;
use crate::limits;

/// The bytes of one client that have not been returned as lines.
#[derive(Default)]
pub struct Lines {
    kept: Vec<u8>,
    /// `kept` before this has been returned.
    start: usize,
    /// `kept` from `start` to this has no line end, so a line that arrives byte by byte is searched
    /// only once.
    searched: usize,
    /// A line over the limit is being skipped to its end.
    skipping: bool,
    /// A line has been returned: a TLS hello can only come before the first.
    begun: bool,
    /// See [`Lines::has_ended`].
    ended: bool,
    /// The input was cut off, so an unfinished last line is dropped.
    cut: bool,
}

/// The next item in the bytes of a client.
#[derive(Debug, PartialEq, Eq)]
pub enum Next<'a> {
    /// A complete line without its end.
    Line(&'a [u8]),
    /// The first [`limits::LINE`] bytes of a line over the limit; the rest is skipped.
    TooLong(&'a [u8]),
    /// The first bytes are a TLS hello, on a port without TLS.
    Tls,
    /// The next line is not complete yet.
    Partial,
}

impl Lines {
    /// Appends received bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.start > 0 {
            self.kept.drain(..self.start);
            self.searched -= self.start;
            self.start = 0;
        }
        self.kept.extend_from_slice(bytes);
    }

    /// Bytes kept: less than a line once all complete lines have been returned.
    pub fn len(&self) -> usize {
        self.kept.len() - self.start
    }

    /// Whether nothing is kept. [`Lines::next_line`] then frees the buffer, so an idle client has
    /// none.
    pub fn is_empty(&self) -> bool {
        self.start == self.kept.len()
    }

    /// The next item; each line is returned once.
    pub fn next_line(&mut self) -> Next<'_> {
        if self.skipping {
            match self.line_end(self.start) {
                Some(end) => {
                    self.skipping = false;
                    self.start = end + 1;
                    self.searched = self.start;
                }
                None => {
                    let is_half_an_end = self.kept.last() == Some(&b'\r');
                    self.clear();
                    self.kept.extend(is_half_an_end.then_some(b'\r'));
                    return Next::Partial;
                }
            }
        }
        if !self.begun && is_tls_hello(&self.kept[self.start..]) {
            return Next::Tls;
        }
        let start = self.start;
        match self.line_end(self.searched) {
            Some(end) => {
                self.begun = true;
                self.start = end + 1;
                self.searched = self.start;
                if end + 1 - start > limits::LINE {
                    // No more bytes than if its end had not arrived: the answer must not depend on
                    // that.
                    Next::TooLong(&self.kept[start..start + limits::LINE])
                } else {
                    Next::Line(without_cr(&self.kept[start..end]))
                }
            }
            None if self.kept.len() - start >= limits::LINE => {
                self.begun = true;
                self.skipping = true;
                // The last byte may be the first half of its end.
                self.start = self.kept.len() - 1;
                self.searched = self.start;
                Next::TooLong(&self.kept[start..start + limits::LINE])
            }
            None => {
                self.searched = self.kept.len();
                if self.is_empty() {
                    self.clear();
                }
                Next::Partial
            }
        }
    }

    /// The offset of the first line end from `from` on: of its last byte, an LF, or the NUL of
    /// telnet's CR NUL (RFC 854) unless that begins before `start`.
    fn line_end(&self, from: usize) -> Option<usize> {
        let mut from = from;
        loop {
            let at = from + memchr2(b'\n', b'\0', &self.kept[from..])?;
            let is_end = match self.kept[at] {
                b'\n' => true,
                // Any other NUL is a control character.
                _ => at > self.start && self.kept[at - 1] == b'\r',
            };
            if is_end {
                return Some(at);
            }
            from = at + 1;
        }
    }

    /// The last line, if the input ended without an LF after it. All complete lines must have been
    /// taken before. The limit applies as if the LF were there.
    pub fn rest(&mut self) -> Option<Vec<u8>> {
        let rest = self.kept.split_off(self.start);
        self.clear();
        let counts = !rest.is_empty() && !self.skipping && !self.cut;
        counts.then(|| without_cr(&rest).to_vec())
    }

    /// Records that the input has ended.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// Whether the input has ended: what is kept is all that comes.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Records that the input was cut off: an unfinished last line may not be what its author meant
    /// to send.
    pub fn cut_off(&mut self) {
        self.cut = true;
    }

    /// Whether the input was cut off.
    pub fn is_cut_off(&self) -> bool {
        self.cut
    }

    /// Drops what is kept and frees the buffer.
    pub fn clear(&mut self) {
        self.kept = Vec::new();
        self.start = 0;
        self.searched = 0;
    }
}

fn without_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// A TLS record of type handshake (22) and major version 3 (RFC 8446, section 5.1). Neither byte
/// can begin one of our lines.
fn is_tls_hello(bytes: &[u8]) -> bool {
    matches!(bytes, [22, 3, ..])
}

/// The text of a line, if it is safe to show on a terminal: UTF-8, no C0 control but TAB, no DEL,
/// no C1 control.
///
/// # Errors
/// [`Refusal::BadText`] with the offending byte, counted from 1.
pub fn text(line: &[u8]) -> Result<&str, Refusal> {
    let bad = |at: usize, what| Refusal::BadText { byte: at + 1, what };
    let text = std::str::from_utf8(line).map_err(|e| bad(e.valid_up_to(), "not UTF-8"))?;
    // One pass that the compiler can vectorise tells whether a closer look is needed at all.
    let suspect = |b: u8| (b < 0x20 && b != b'\t') || b == 0x7f || b == 0xc2;
    if text.bytes().fold(false, |found, b| found | suspect(b)) {
        let control = |c: char| c.is_control() && c != '\t';
        if let Some((at, c)) = text.char_indices().find(|(_, c)| control(*c)) {
            let what = match c {
                // What arrow keys send on a terminal without line editing.
                '\u{1b}' => "an escape sequence; use rlwrap nc for arrow keys, and strip colours",
                '\r' => "a carriage return",
                _ => "a control character",
            };
            return Err(bad(at, what));
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything `Lines` returns for `chunks`, in a form that can be compared.
    fn all(chunks: &[&[u8]]) -> Vec<(char, Vec<u8>)> {
        let mut lines = Lines::default();
        let mut out = Vec::new();
        for chunk in chunks {
            lines.push(chunk);
            loop {
                match lines.next_line() {
                    Next::Line(line) => out.push(('l', line.to_vec())),
                    Next::TooLong(line) => {
                        assert_eq!(line.len(), limits::LINE);
                        out.push(('t', line[..8].to_vec()));
                    }
                    Next::Tls => return vec![('s', Vec::new())],
                    Next::Partial => break,
                }
            }
        }
        out.extend(lines.rest().map(|line| ('r', line)));
        out
    }

    fn line(text: &str) -> (char, Vec<u8>) {
        ('l', text.into())
    }

    #[test]
    fn lf_and_crlf_end_a_line_and_the_end_of_input_ends_the_last() {
        assert_eq!(
            all(&[b"a\nb\r\n\nc\r"]),
            [line("a"), line("b"), line(""), ('r', b"c".to_vec())]
        );
        assert_eq!(all(&[b"a\r\r\n"]), [line("a\r")], "one CR belongs to the end of the line");
    }

    #[test]
    fn how_the_bytes_are_split_makes_no_difference() {
        let mut typed = b"PING a\r\nMSG bob \xe2\x80\xa8 \xff\xfb\x01x\n".to_vec();
        typed.extend(b"x".repeat(limits::LINE));
        typed.extend(b"\nPING b\nlast");
        let whole = all(&[&typed]);
        assert_eq!(whole.len(), 5);
        for at in (0..64).chain(typed.len() - 80..typed.len()) {
            assert_eq!(all(&[&typed[..at], &typed[at..]]), whole, "split at {at}");
        }
        let bytes: Vec<&[u8]> = typed.chunks(1).collect();
        assert_eq!(all(&bytes), whole);
    }

    #[test]
    fn the_limit_counts_the_lf_and_the_next_line_is_served() {
        let fits = [b"y".repeat(limits::LINE - 1), b"\nz\n".to_vec()].concat();
        let over = [b"y".repeat(limits::LINE), b"\nz\n".to_vec()].concat();
        assert_eq!(all(&[&fits])[0].0, 'l');
        assert_eq!(all(&[&over]), [('t', b"y".repeat(8)), line("z")]);
        let open = b"y".repeat(limits::LINE - 1);
        assert_eq!(all(&[&open])[0].0, 'r');
        assert_eq!(all(&[&b"y".repeat(limits::LINE)]), [('t', b"y".repeat(8))]);
        assert_eq!(all(&[&b"y".repeat(3 * limits::LINE)]), [('t', b"y".repeat(8))]);
    }

    /// A telnet sequence that ends past the limit may or may not hide the bytes before it, and with
    /// them the verb that the answer names.
    #[test]
    fn of_a_line_too_long_the_same_is_given_out_however_it_is_split() {
        let start = [&b"\xff\xfa"[..], &b"x".repeat(limits::LINE)].concat();
        let typed = [&start[..], b"\xff\xf0PING\n"].concat();
        for at in [1, limits::LINE - 1, limits::LINE, limits::LINE + 1, start.len(), typed.len()] {
            let mut lines = Lines::default();
            let mut given = Vec::new();
            for piece in [&typed[..at], &typed[at..]] {
                lines.push(piece);
                while let Next::TooLong(line) = lines.next_line() {
                    given.push(line.to_vec());
                }
            }
            assert!(given == [&start[..limits::LINE]], "split at {at}");
        }
    }

    #[test]
    fn an_empty_client_keeps_no_buffer() {
        let mut lines = Lines::default();
        lines.push(&b"PING\n".repeat(1000));
        while lines.next_line() != Next::Partial {}
        assert!(lines.is_empty());
        assert_eq!(lines.kept.capacity(), 0);
    }

    #[test]
    fn a_tls_hello_is_known_by_its_first_two_bytes_and_only_at_the_start() {
        assert_eq!(all(&[b"\x16", b"\x03\x01\x02"]), [('s', vec![])]);
        assert_eq!(all(&[b"PING\n\x16\x03\x01\n"]).len(), 2);
    }

    #[test]
    fn cr_nul_ends_a_line_however_it_is_split() {
        let typed = b"PING\r\0\r\0a\0b\n\0c\r\0d\r\n\0\r\0";
        let expected = ["PING", "", "a\0b", "\0c", "d", "\0"].map(line);
        assert_eq!(all(&[typed]), expected);
        for at in 0..typed.len() {
            assert_eq!(all(&[&typed[..at], &typed[at..]]), expected, "split at {at}");
        }
        // A line that is too long is skipped up to CR NUL as well.
        let long = [&b"y".repeat(limits::LINE + 9)[..], b"\r\0PING\r\0"].concat();
        for at in limits::LINE - 2..long.len() {
            let given = all(&[&long[..at], &long[at..]]);
            assert_eq!(given, [('t', b"y".repeat(8)), line("PING")], "split at {at}");
        }
        // Both bytes count towards the limit.
        let fits = [&b"x".repeat(limits::LINE - 2)[..], b"\r\0PING\n"].concat();
        assert_eq!(all(&[&fits])[0].1.len(), limits::LINE - 2);
        let over = [&b"y".repeat(limits::LINE - 1)[..], b"\r\0PING\n"].concat();
        for at in [limits::LINE - 1, limits::LINE, over.len()] {
            let given = all(&[&over[..at], &over[at..]]);
            assert_eq!(given, [('t', b"y".repeat(8)), line("PING")], "split at {at}");
        }
    }

    #[test]
    fn what_could_attack_a_terminal_is_refused_with_its_byte() {
        let byte = |line: &[u8]| match text(line) {
            Err(Refusal::BadText { byte, .. }) => byte,
            other => panic!("{other:?}"),
        };
        assert_eq!(byte(b"MSG bob \x1b[31m"), 9);
        assert_eq!(byte(b"a\x7f"), 2);
        assert_eq!(byte("é\u{9b}".as_bytes()), 3);
        assert_eq!(byte(b"ab\xe9"), 3);
        assert_eq!(byte(b"a\rb"), 2);
        assert_eq!(byte(b"\0"), 1);
        assert_eq!(text("a\té ☃ \u{2028}".as_bytes()).unwrap(), "a\té ☃ \u{2028}");
    }
}
