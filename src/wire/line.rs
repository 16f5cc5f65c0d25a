//! Bytes to lines: LF, CRLF or telnet's CR NUL, the limit, UTF-8, no control characters.
//!
//! A line is cut at its end before anything else is looked at. So nothing that is said inside a line
//! (an unfinished telnet sequence, half a character) can reach into the next one, and how the bytes
//! were split on their way makes no difference.

use memchr::memchr2;

use super::refusal::Refusal;
use crate::limits;

/// The bytes of one client that are not carried out yet.
#[derive(Default)]
pub struct Lines {
    kept: Vec<u8>,
    /// `kept` before this has been given out.
    start: usize,
    /// `kept` from `start` to this has no line end, so a line that comes byte by byte is searched once.
    searched: usize,
    /// A line over the limit is being skipped to its end.
    skipping: bool,
    /// No line has been given out yet: only then can a TLS hello stand there.
    begun: bool,
    /// The input was cut off, so its last line counts only if it is whole.
    cut: bool,
}

/// What stands next in the bytes of a client.
#[derive(Debug, PartialEq, Eq)]
pub enum Next<'a> {
    /// A whole line without its end.
    Line(&'a [u8]),
    /// A line over the limit, of which these are the first [`limits::LINE`] bytes. It is skipped to
    /// its end.
    TooLong(&'a [u8]),
    /// The first bytes are a TLS hello: this client wants a different door.
    Tls,
    /// The next line is not complete yet.
    Partial,
}

impl Lines {
    /// Adds bytes as they came.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.start > 0 {
            self.kept.drain(..self.start);
            self.searched -= self.start;
            self.start = 0;
        }
        self.kept.extend_from_slice(bytes);
    }

    /// Bytes that are kept: less than a line once all that is whole has been given out.
    pub fn len(&self) -> usize {
        self.kept.len() - self.start
    }

    /// Whether nothing is kept. The buffer itself is given back then: an idle client has none.
    pub fn is_empty(&self) -> bool {
        self.start == self.kept.len()
    }

    /// What stands next. A line is given out once.
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
                    // No more than where its end has yet to come: what it is answered with must not
                    // depend on that.
                    Next::TooLong(&self.kept[start..start + limits::LINE])
                } else {
                    Next::Line(without_cr(&self.kept[start..end]))
                }
            }
            None if self.kept.len() - start >= limits::LINE => {
                self.begun = true;
                self.skipping = true;
                // Its last byte may be half of its end.
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

    /// Where the first line end at or behind a place is: its last byte, an LF, or the NUL of the
    /// telnet's CR NUL (RFC 854), of which no byte is before `start`.
    fn line_end(&self, from: usize) -> Option<usize> {
        let mut from = from;
        loop {
            let at = from + memchr2(b'\n', b'\0', &self.kept[from..])?;
            let is_end = match self.kept[at] {
                b'\n' => true,
                // Anywhere else it is a control character.
                _ => at > self.start && self.kept[at - 1] == b'\r',
            };
            if is_end {
                return Some(at);
            }
            from = at + 1;
        }
    }

    /// The last line, if the input ended without an LF after it. All whole lines must have been
    /// taken before. It is as long as it would be with its LF.
    pub fn rest(&mut self) -> Option<Vec<u8>> {
        let rest = self.kept.split_off(self.start);
        self.clear();
        let counts = !rest.is_empty() && !self.skipping && !self.cut;
        counts.then(|| without_cr(&rest).to_vec())
    }

    /// Notes that the input ended out of order: an unfinished last line may not be what its author
    /// was going to say.
    pub fn cut_off(&mut self) {
        self.cut = true;
    }

    /// Whether the input ended out of order.
    pub fn is_cut_off(&self) -> bool {
        self.cut
    }

    /// Forgets what is kept and gives the buffer back.
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
/// can begin a line of ours.
fn is_tls_hello(bytes: &[u8]) -> bool {
    matches!(bytes, [22, 3, ..])
}

/// The text of a line as it was typed, if it may stand in a terminal: UTF-8, no C0 control but TAB,
/// no DEL, no C1 control.
///
/// # Errors
/// [`Refusal::BadText`] with the byte, counted from 1, that is refused.
pub fn text(line: &[u8]) -> Result<&str, Refusal> {
    let bad = |at: usize, what| Refusal::BadText { byte: at + 1, what };
    let text = std::str::from_utf8(line).map_err(|e| bad(e.valid_up_to(), "not UTF-8"))?;
    // One pass that the compiler can vectorise tells whether a closer look is needed at all.
    let suspect = |b: u8| (b < 0x20 && b != b'\t') || b == 0x7f || b == 0xc2;
    if text.bytes().fold(false, |found, b| found | suspect(b)) {
        let control = |c: char| c.is_control() && c != '\t';
        if let Some((at, c)) = text.char_indices().find(|(_, c)| control(*c)) {
            let what = match c {
                // What an arrow key sends to a terminal that edits no lines.
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

    /// Everything `Lines` gives out for `chunks`, in a form that can be compared.
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

    /// A telnet sequence that ends beyond the limit hides what is before it or does not, and with it
    /// the verb that the answer names.
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
        // A line too long is skipped to it, too.
        let long = [&b"y".repeat(limits::LINE + 9)[..], b"\r\0PING\r\0"].concat();
        for at in limits::LINE - 2..long.len() {
            let given = all(&[&long[..at], &long[at..]]);
            assert_eq!(given, [('t', b"y".repeat(8)), line("PING")], "split at {at}");
        }
        // Of the limit both bytes are a part.
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
