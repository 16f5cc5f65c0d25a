//! Words that nobody knows beforehand, as a token is: `<$name>` in a line that is heard stands for
//! any one word, which is typed later under the same name.

use std::collections::HashMap;

/// The words that were met, by their names.
#[derive(Default)]
pub struct Names(HashMap<Vec<u8>, Vec<u8>>);

/// The next place in a line at which a name stands: from where to where, and the name.
fn next(line: &[u8]) -> Option<(usize, usize, &[u8])> {
    let from = line.windows(2).position(|pair| pair == b"<$")?;
    let length = line[from..].iter().position(|b| *b == b'>')?;
    Some((from, from + length + 1, &line[from + 2..from + length]))
}

/// Whether a line has a name in it.
pub fn in_line(line: &[u8]) -> bool {
    next(line).is_some()
}

impl Names {
    /// A line with the words in place of their names.
    pub fn fill(&self, line: &[u8]) -> Vec<u8> {
        let (mut filled, mut rest) = (Vec::new(), line);
        while let Some((from, to, name)) = next(rest) {
            filled.extend_from_slice(&rest[..from]);
            filled.extend_from_slice(self.0.get(name).map_or(&rest[from..to], Vec::as_slice));
            rest = &rest[to..];
        }
        filled.extend_from_slice(rest);
        filled
    }

    /// Whether a line is what was expected. A name met for the first time takes the word.
    pub fn fits(&mut self, expected: &[u8], got: &[u8]) -> bool {
        let expected = self.fill(expected);
        let Some((from, to, name)) = next(&expected) else {
            return expected == got;
        };
        let (before, after) = (&expected[..from], &expected[to..]);
        let Some(word) = got.strip_prefix(before).and_then(|rest| rest.strip_suffix(after)) else {
            return false;
        };
        let is_word = !word.is_empty() && !word.contains(&b' ');
        if is_word {
            self.0.insert(name.to_vec(), word.to_vec());
        }
        is_word
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_word_and_stays_the_same() {
        let mut names = Names::default();
        assert!(names.fits(b"no name", b"no name"));
        assert!(!names.fits(b"OK <$t>", b"OK a b"));
        assert!(!names.fits(b"OK <$t>", b"OK "));
        assert_eq!(names.fill(b"LOGIN <$t> x"), b"LOGIN <$t> x");
        assert!(names.fits(b"OK <$t>", b"OK secret"));
        assert_eq!(names.fill(b"LOGIN <$t> x"), b"LOGIN secret x");
        assert!(!names.fits(b"OK <$t>", b"OK other"));
        assert!(in_line(b"<$t>") && !in_line(b"<t> $t"));
    }
}
