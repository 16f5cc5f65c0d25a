//! What has to hold whatever is typed. The fuzzer looks for bytes for which it does not;
//! `tests/wire/corpus.rs` plays those that are kept. Nothing here needs the fuzzer.

pub mod http;
pub mod lines;
pub mod session;

/// What an input says is to be done. Bytes stand for themselves, but for the byte 1, after which
/// the next one says something: so that an input of a few bytes can hold a line over the limit, and
/// speak for several people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// These bytes come, in one piece.
    Bytes(Vec<u8>),
    /// What follows is of the session of this number, below [`PEOPLE`].
    Turn(usize),
    /// It is waited for the answers to what this session has said.
    Settle,
    /// This session ends its input.
    Finish,
    /// This session is gone with a reset.
    Reset,
}

/// Sessions of an input.
pub const PEOPLE: usize = 4;

/// Reads an input.
pub fn steps(input: &[u8]) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut bytes = Vec::new();
    let mut input = input.iter().copied();
    while let Some(byte) = input.next() {
        if byte != 1 {
            bytes.push(byte);
            continue;
        }
        let said = match input.next() {
            None => break,
            // So many kilobytes of a letter.
            Some(n @ 0x80..) => {
                bytes.resize(bytes.len() + usize::from(n - 0x80) * 1_024, b'x');
                continue;
            }
            Some(1) => {
                bytes.push(1);
                continue;
            }
            Some(b'w') => Some(Step::Settle),
            Some(b'f') => Some(Step::Finish),
            Some(b'r') => Some(Step::Reset),
            Some(n @ b'0'..=b'3') => Some(Step::Turn(usize::from(n - b'0'))),
            // The bytes so far come alone.
            Some(_) => None,
        };
        if !bytes.is_empty() {
            steps.push(Step::Bytes(std::mem::take(&mut bytes)));
        }
        steps.extend(said);
    }
    if !bytes.is_empty() {
        steps.push(Step::Bytes(bytes));
    }
    steps
}
