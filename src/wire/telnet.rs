//! Telnet sequences of clients (RFC 854, RFC 855): they are removed from lines, and answered if
//! they need an answer. Every option is refused, so that there is no option state to keep.
//!
//! Lines are parsed when their turn comes, but Telnet's answers are due at once: a client that was
//! interrupted (Ctrl-C) shows nothing until its `DO TIMING-MARK` is answered. So the two scan the
//! bytes separately.

use std::borrow::Cow;

use memchr::memchr;

/// End of file, the lowest command: RFC 1184 adds it with suspend and abort, and RFC 885 end of
/// record.
const EOF: u8 = 236;
const SE: u8 = 240;
const AYT: u8 = 246;
const SB: u8 = 250;
const WILL: u8 = 251;
const WONT: u8 = 252;
const DO: u8 = 253;
const DONT: u8 = 254;
const IAC: u8 = 255;

/// A line without its Telnet sequences.
pub fn typed(line: &[u8]) -> Cow<'_, [u8]> {
    match memchr(IAC, line) {
        None => Cow::Borrowed(line),
        Some(_) => Cow::Owned(without_sequences(line)),
    }
}

/// A sequence that the line's end cuts off is dropped. `IAC IAC` stands for the byte 255, and IAC
/// before a byte that is not a command is that byte: both stay, to be refused as not UTF-8, so that
/// no letter of another encoding is lost silently.
fn without_sequences(line: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(line.len());
    let mut rest = line;
    while let [byte, tail @ ..] = rest {
        rest = match (*byte, tail) {
            (IAC, [SB, within @ ..]) => {
                let end = within.windows(2).position(|pair| pair == [IAC, SE]);
                end.map_or(&[], |at| &within[at + 2..])
            }
            (IAC, [WILL..=DONT, _, after @ ..]) => after,
            (IAC, [WILL..=DONT] | []) => &[],
            (IAC, [EOF..SB, after @ ..]) => after,
            (IAC, [IAC, after @ ..]) => {
                kept.push(IAC);
                after
            }
            _ => {
                kept.push(*byte);
                tail
            }
        };
    }
    kept
}

/// Scans the input for sequences that need an answer.
#[derive(Default)]
pub struct Negotiation(TelnetState);

#[derive(Clone, Copy, Default)]
enum TelnetState {
    #[default]
    Text,
    /// After an IAC.
    Command,
    /// After `WILL`, `WONT`, `DO` or `DONT`.
    Option(u8),
    /// In a subnegotiation.
    Within,
    /// After an IAC in a subnegotiation.
    WithinCommand,
}

/// What needs an answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Refusals of options; altogether no more bytes than were read.
    pub refusals: Vec<u8>,
    /// Are You There (AYT) was received, once or more often.
    pub are_you_there: bool,
}

impl Negotiation {
    /// Scans bytes as they arrive. A sequence ends at the end of its line at the latest.
    pub fn read(&mut self, bytes: &[u8]) -> Asked {
        let mut asked = Asked::default();
        let mut rest = bytes;
        loop {
            if let TelnetState::Text = self.0 {
                let Some(at) = memchr(IAC, rest) else { return asked };
                (self.0, rest) = (TelnetState::Command, &rest[at + 1..]);
            }
            let [byte, after @ ..] = rest else { return asked };
            rest = after;
            self.0 = match (self.0, *byte) {
                (_, b'\n') => TelnetState::Text,
                (TelnetState::Command, SB) => TelnetState::Within,
                (TelnetState::Command, verb @ WILL..=DONT) => TelnetState::Option(verb),
                (TelnetState::Command, AYT) => {
                    asked.are_you_there = true;
                    TelnetState::Text
                }
                (TelnetState::Option(DO), option) => {
                    asked.refusals.extend([IAC, WONT, option]);
                    TelnetState::Text
                }
                (TelnetState::Option(WILL), option) => {
                    asked.refusals.extend([IAC, DONT, option]);
                    TelnetState::Text
                }
                (TelnetState::Within | TelnetState::WithinCommand, IAC) => {
                    TelnetState::WithinCommand
                }
                (TelnetState::WithinCommand, SE) => TelnetState::Text,
                (TelnetState::Within | TelnetState::WithinCommand, _) => TelnetState::Within,
                (TelnetState::Text | TelnetState::Command | TelnetState::Option(_), _) => {
                    TelnetState::Text
                }
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::line::text;

    #[test]
    fn telnet_is_skipped_and_cannot_reach_past_its_line() {
        let cases: [(&[u8], &str); 9] = [
            (b"\xff\xfd\x03\xff\xfb\x18PING", "PING"),
            (b"PI\xff\xf1NG", "PING"),
            (b"\xff\xf4\xff\xfd\x06PING", "PING"),
            (b"PING\xff\xfa\x18\x00xterm\xff\xf0 x", "PING x"),
            (b"PING\xff\xfa\x18 never ended", "PING"),
            (b"PING\xff\xfd", "PING"),
            (b"PING\xff", "PING"),
            (b"\xff\xf0PING", "PING"),
            // Ctrl-Z of GNU telnet, and the rest of RFC 1184's and RFC 885's.
            (b"\xff\xed\xff\xec\xff\xee\xff\xefPING", "PING"),
        ];
        for (bytes, said) in cases {
            assert_eq!(text(&typed(bytes)).unwrap(), said, "{bytes:?}");
        }
        assert!(text(&typed(b"PING \xff\xff")).is_err(), "an escaped byte 255 is not UTF-8");
        assert!(
            text(&typed(b"\xff\xe9t\xe9")).is_err(),
            "a letter in Latin-1 is not a telnet command"
        );
    }

    /// The answers to `bytes`, which must not depend on where they are cut.
    fn answers(bytes: &[u8]) -> Asked {
        let whole = Negotiation::default().read(bytes);
        for at in 0..=bytes.len() {
            let mut pieces = Negotiation::default();
            let (mut first, second) = (pieces.read(&bytes[..at]), pieces.read(&bytes[at..]));
            first.refusals.extend(second.refusals);
            first.are_you_there |= second.are_you_there;
            assert_eq!(first, whole, "cut at {at}");
        }
        whole
    }

    #[test]
    fn every_option_is_refused_however_the_bytes_are_cut() {
        let cases: [(&[u8], &[u8]); 9] = [
            (b"PING\n", b""),
            // Ctrl-C of GNU telnet.
            (b"\xff\xf4\xff\xfd\x06", b"\xff\xfc\x06"),
            (b"\xff\xfb\x18a\xff\xfd\x01", b"\xff\xfe\x18\xff\xfc\x01"),
            // `WONT` and `DONT` need no answer, nor does a byte that is not a command.
            (b"\xff\xfc\x18\xff\xfe\x01\xff\xff\xfd\x06\xff\xe9\xfd\x06", b""),
            (b"\xff\xfa\x1f\xff\xfd\x06\x00\xff\xff\xff\xf0\xff\xfd\x06", b"\xff\xfc\x06"),
            // The end of a line ends a sequence.
            (b"\xff\xfd\n\x06", b""),
            (b"\xff\xfa\x18x\n\xff\xfd\x06", b"\xff\xfc\x06"),
            (b"\xff\n\xfd\x06", b""),
            (b"\xff\xfd\xff\xff\xfb\xff", b"\xff\xfc\xff\xff\xfe\xff"),
        ];
        for (bytes, refusals) in cases {
            assert_eq!(answers(bytes), Asked { refusals: refusals.into(), are_you_there: false });
        }
        assert!(answers(b"\xff\xf6").are_you_there);
        assert!(!answers(b"\xff\xfa\x18\xff\xf6\xf6\xff\xf0\xf6").are_you_there);
    }
}
