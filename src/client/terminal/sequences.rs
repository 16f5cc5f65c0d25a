//! Escape sequences in typed and pasted input: those of keys are passed on whole, all others are
//! dropped whole, so that no tail of one becomes text. What the terminal itself answers is among
//! these, and can be had.
//!
//! A sequence begins with Esc. `Esc [` goes on up to a byte from `@` to `~` (ECMA-48, CSI); `Esc ]`
//! and a few others, as for titles and links, up to BEL or `Esc \`; any other is Esc and a
//! character, which as a key is Alt with that character. Pasted text has no keys in it.

/// Most bytes of a sequence that are kept: more than any key has, and any answer.
const HELD: usize = 256;

/// Where in a sequence the last byte was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum SequenceState {
    /// Outside a sequence.
    #[default]
    Outside,
    /// At its Esc.
    Begun,
    /// At an Esc in the text of a sequence, which ends it if `\` follows.
    Ending,
    /// After `Esc [` or `Esc O`.
    Coded,
    /// In the text of a sequence, such as a title.
    Text,
    /// After `Esc` and a byte that announces more.
    Longer,
    /// This many bytes follow, whatever they are.
    Last(u8),
}

/// Filters sequences out of input that comes in pieces.
#[derive(Debug, Default)]
pub struct Sequences {
    state: SequenceState,
    /// The sequence, up to a bound.
    held: Vec<u8>,
    /// The text of one that is ending.
    text: Vec<u8>,
    /// Whole sequences that are no keys.
    others: Vec<Vec<u8>>,
    /// Inside a bracketed paste.
    is_pasted: bool,
}

impl Sequences {
    /// Returns the input without sequences that are no keys; an incomplete one is held back.
    pub fn take(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len());
        for byte in bytes {
            self.byte(*byte, &mut out);
        }
        out
    }

    /// Those sequences since the last call that were no keys and not pasted, without the `Esc \\` at
    /// their ends.
    pub fn others(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.others)
    }

    /// Whether what is incomplete may be an answer of the terminal. As keys they would be Alt and a
    /// character that nobody presses often.
    pub fn may_be_answer(&self) -> bool {
        let begins =
            matches!(&*self.held, [_, b'[', b'?' | b'>' | b'6', ..] | [_, b'P' | b'_' | b']', ..]);
        begins || self.state == SequenceState::Ending
    }

    /// Whether a typed sequence is incomplete: if its rest does not come soon, there is none. In a
    /// paste it comes, however long that takes.
    pub fn is_begun(&self) -> bool {
        self.state != SequenceState::Outside && !self.is_pasted
    }

    /// No rest came. Esc alone does nothing.
    pub fn expire(&mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.state = SequenceState::Outside;
        self.held.clear();
    }

    fn byte(&mut self, byte: u8, out: &mut Vec<u8>) {
        if byte == 0x1b {
            // Whatever came before is complete or broken off.
            let state = if self.state == SequenceState::Text {
                self.text = std::mem::take(&mut self.held);
                SequenceState::Ending
            } else {
                SequenceState::Begun
            };
            self.end();
            (self.state, self.held) = (state, vec![byte]);
            return;
        }
        if self.state == SequenceState::Outside {
            return out.push(byte);
        }
        if self.held.len() <= HELD {
            self.held.push(byte);
        }
        if (self.state, byte) == (SequenceState::Ending, b'\\') {
            self.held = std::mem::take(&mut self.text);
            return self.other();
        }
        if self.state == SequenceState::Ending {
            self.state = SequenceState::Begun;
        }
        match (self.state, byte) {
            (SequenceState::Begun, b'[' | b'O') => self.state = SequenceState::Coded,
            (SequenceState::Begun, b']' | b'P' | b'X' | b'^' | b'_') => {
                self.state = SequenceState::Text
            }
            (SequenceState::Begun, b' '..=b'/') if self.is_pasted => {
                self.state = SequenceState::Longer
            }
            (SequenceState::Begun, _) => self.alone(byte, out),
            (SequenceState::Coded, _) if self.held[1] == b'O' => self.key(out),
            (SequenceState::Coded, b'[') if self.held.len() == 3 => {
                self.state = SequenceState::Last(1)
            }
            // A mouse: its button, column and row. A paste has none.
            (SequenceState::Coded, b'M') if self.held.len() == 3 && !self.is_pasted => {
                self.state = SequenceState::Last(3);
            }
            // A key of rxvt's, with Shift.
            (SequenceState::Coded, b'$') if self.is_number() => self.key(out),
            (SequenceState::Coded, b' '..=b'?') | (SequenceState::Longer, b' '..=b'/') => {}
            (SequenceState::Coded, b'@'..=b'~') => self.key(out),
            (SequenceState::Text, 0x07) => {
                self.held.pop();
                self.other();
            }
            (SequenceState::Longer, b'0'..=b'~') => self.end(),
            // Titles and links have one line.
            (SequenceState::Text, b'\r' | b'\n')
            | (SequenceState::Coded | SequenceState::Longer, _) => {
                self.end();
                out.push(byte);
            }
            (SequenceState::Text, _) => {}
            (SequenceState::Last(1), _) => self.key(out),
            (SequenceState::Last(n), _) => self.state = SequenceState::Last(n - 1),
            (SequenceState::Outside | SequenceState::Ending, _) => {}
        }
    }

    /// Esc and a byte that begins no longer sequence: Alt and a character, which may have more bytes.
    fn alone(&mut self, byte: u8, out: &mut Vec<u8>) {
        let is_text = byte.is_ascii_control() || !byte.is_ascii();
        match self.is_pasted {
            // The editor takes Alt and a digit for a number of repetitions, whatever is bound to it.
            false if byte.is_ascii_digit() => {
                let digit = digit_key(usize::from(byte - b'0'));
                out.push(0x1b);
                out.extend(digit.encode_utf8(&mut [0; 4]).bytes());
            }
            false => out.extend([0x1b, byte]),
            true if is_text => out.push(byte),
            true => {}
        }
        self.end();
    }

    /// A sequence is complete; passes it on if it is one that the editor reads to its end.
    fn key(&mut self, out: &mut Vec<u8>) {
        let is_key = match &*self.held {
            b"\x1b[201~" => {
                self.is_pasted = false;
                true
            }
            _ if self.is_pasted => false,
            b"\x1b[200~" => {
                self.is_pasted = true;
                true
            }
            [_, b'O', _] | [_, b'[', b'[', _] => true,
            [_, b'[', rest @ ..] => is_key(rest),
            _ => false,
        };
        if !is_key {
            return self.other();
        }
        out.append(&mut self.held);
        self.end();
    }

    /// A sequence is complete that is no key.
    fn other(&mut self) {
        if !self.is_pasted && self.held.len() < HELD {
            self.others.push(std::mem::take(&mut self.held));
        }
        self.end();
    }

    /// Whether `Esc [` is followed by one digit and the current byte.
    fn is_number(&self) -> bool {
        matches!(&*self.held, [_, _, b'1'..=b'8', _])
    }
}

/// The character that stands for Alt and this digit: none that a keyboard has, ⓪ to ⑨.
pub fn digit_key(digit: usize) -> char {
    ['\u{24ea}', '①', '②', '③', '④', '⑤', '⑥', '⑦', '⑧', '⑨'][digit % 10]
}

/// Whether this follows `Esc [` in a key: the arrows and the like, numbered keys, and both with
/// Shift, Alt or Ctrl. The editor knows others as well, but does not read them to their end.
fn is_key(rest: &[u8]) -> bool {
    matches!(
        rest,
        [b'A'..=b'F' | b'H' | b'Z' | b'a'..=b'd']
            | [b'1'..=b'8', b'~' | b'$' | b'^' | b'@']
            | [b'5', b'A'..=b'D']
            | [b'1'..=b'8', b'0'..=b'9', b'~']
            | [b'1', b';', b'1'..=b'9', b'A'..=b'Z' | b'a'..=b'z']
            | [b'1'..=b'8', b';', b'1'..=b'9', b'~']
            | [b'1'..=b'8', b'0'..=b'9', b';', b'1'..=b'9', b'~']
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is passed on, wherever the input is cut.
    fn passed(typed: &str) -> String {
        let whole = Sequences::default().take(typed.as_bytes());
        for cut in 0..=typed.len() {
            let (one, other) = typed.as_bytes().split_at(cut);
            let mut sequences = Sequences::default();
            let mut parts = sequences.take(one);
            parts.extend(sequences.take(other));
            assert_eq!(parts, whole, "{typed:?} at {cut}");
        }
        String::from_utf8(whole).unwrap()
    }

    #[test]
    fn keys_are_passed_on_whole() {
        for key in [
            "\x1b[A",
            "\x1bOA",
            "\x1bOM",
            "\x1b[1;5C",
            "\x1b[3~",
            "\x1b[3;5~",
            "\x1b[15~",
            "\x1b[24;2~",
            "\x1b[[A",
            "\x1b[5$",
            "\x1b[5^",
            "\x1b[Z",
            "\x1bn",
            "\x1b\r",
            "\x1b\x7f",
            "\x1bé",
            "\x1b.",
        ] {
            assert_eq!(passed(&format!("a{key}b")), format!("a{key}b"));
        }
    }

    #[test]
    fn alt_and_a_digit_is_a_key_of_its_own() {
        assert_eq!(passed("a\x1b1\x1b9b"), "a\x1b①\x1b⑨b");
        assert_eq!(passed("\x1b[200~\x1b1\x1b[201~"), "\x1b[200~\x1b[201~");
    }

    #[test]
    fn of_what_is_no_key_nothing_is_left() {
        for other in [
            "\x1b[0m",
            "\x1b[0;1m",
            "\x1b[38;5;196m",
            "\x1b[27;2;13~",
            "\x1b[97;5u",
            "\x1b[<0;12;7M",
            "\x1b[<0;12;7m",
            "\x1b[M !!",
            "\x1b[?2026;2$y",
            "\x1b[12;40R",
            "\x1b[?1;2c",
            "\x1b]0;a title\x07",
            "\x1b]8;;https://a.example\x1b\\",
            "\x1bPq#0\x1b\\",
            "\x1b[1;2;3;4;5;6;7;8;9;10;11;12m",
        ] {
            assert_eq!(passed(&format!("a{other}b")), "ab", "{other:?}");
        }
    }

    #[test]
    fn what_the_terminal_answers_can_be_had_wherever_it_is_cut() {
        let long = format!("\x1b]0;{}\x07", "x".repeat(300));
        let typed = format!(
            "a\x1bP>|iTerm2 3.5\x1b\\b\x1b_Gi=1;OK\x1b\\{long}\x1b[6;2;1t\x1b[A\x1b]1;x\x07c\x1b[?62;4c"
        );
        let pasted = "\x1b[200~\x1b_Gi=1;OK\x1b\\\x1b[?62;4c\x1b[201~";
        let expected =
            ["\x1bP>|iTerm2 3.5", "\x1b_Gi=1;OK", "\x1b[6;2;1t", "\x1b]1;x", "\x1b[?62;4c"];
        for cut in 0..=typed.len() {
            let (one, other) = typed.as_bytes().split_at(cut);
            let mut sequences = Sequences::default();
            let mut keys = sequences.take(one);
            let mut others = sequences.others();
            keys.extend(sequences.take(other));
            keys.extend(sequences.take(pasted.as_bytes()));
            others.extend(sequences.others());
            assert_eq!(keys, b"ab\x1b[Ac\x1b[200~\x1b[201~", "{cut}");
            assert_eq!(others, expected.map(|it| it.as_bytes().to_vec()), "{cut}");
        }
    }

    #[test]
    fn the_rest_of_an_answer_is_told_from_that_of_a_key() {
        let may_be = |begun: &str| {
            let mut sequences = Sequences::default();
            sequences.take(begun.as_bytes());
            assert!(sequences.is_begun(), "{begun:?}");
            sequences.may_be_answer()
        };
        for begun in ["\x1bP", "\x1bP>|iT", "\x1b_Gi", "\x1b[?6", "\x1b[6;", "\x1b_G;OK\x1b"] {
            assert!(may_be(begun), "{begun:?}");
        }
        for begun in ["\x1b", "\x1b[", "\x1b[1;", "\x1bO"] {
            assert!(!may_be(begun), "{begun:?}");
        }
    }

    #[test]
    fn what_is_pasted_has_no_sequences_in_it() {
        let pasted = |text: &str| {
            let all = passed(&format!("\x1b[200~{text}\x1b[201~\x1b[A"));
            let inner =
                all.strip_prefix("\x1b[200~").and_then(|it| it.strip_suffix("\x1b[201~\x1b[A"));
            inner.unwrap_or_else(|| panic!("{all:?}")).to_owned()
        };
        assert_eq!(pasted("a\x1b[0mb\x1b[0;1mc\x1b[Ad\x1b[Me"), "abcde");
        assert_eq!(pasted("\x1b]8;;https://a.example\x1b\\link\x1b]8;;\x1b\\s"), "links");
        assert_eq!(pasted("\x1b(Ba\x1bcb\x1b\nc\x1bé\x1b[200~d"), "ab\ncéd");
        // A sequence without an end does not swallow the rest.
        assert_eq!(pasted("\x1b]0;title\ntext\x1b]0;end"), "\ntext");
        assert_eq!(pasted("\x1b[1;2\ntext\x1b["), "\ntext");
    }

    #[test]
    fn esc_alone_does_nothing_and_the_next_key_is_one_of_its_own() {
        let mut sequences = Sequences::default();
        for begun in ["\x1b", "\x1b[", "\x1b[1;", "\x1b]", "\x1bO"] {
            assert_eq!(sequences.take(begun.as_bytes()), b"", "{begun:?}");
            assert!(sequences.is_begun());
            sequences.expire();
            assert!(!sequences.is_begun());
            assert_eq!(sequences.take(b"new"), b"new");
        }
        // A paste may take its time.
        sequences.take(b"\x1b[200~a\x1b[");
        assert!(!sequences.is_begun());
        assert_eq!(sequences.take(b"0mb"), b"b");
    }
}
