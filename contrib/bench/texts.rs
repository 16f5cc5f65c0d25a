//! Texts like people's: words of a vocabulary in which, as in any language, the nth is about n times
//! rarer than the first (Zipf).

use crate::large::Dice;

/// Words of a text, as a rule some 80 bytes.
const LENGTH: usize = 12;

/// A vocabulary.
pub struct Words(pub usize);

impl Words {
    /// The nth of them, from 0. No word is the beginning of another one.
    pub fn nth(&self, n: usize) -> String {
        const SYLLABLES: [&str; 16] = [
            "ba", "ce", "di", "fo", "gu", "ha", "je", "ki", "lo", "mu", "na", "pe", "ri", "so",
            "tu", "va",
        ];
        let mut word = String::new();
        let mut left = n;
        loop {
            word.push_str(SYLLABLES[left % SYLLABLES.len()]);
            left /= SYLLABLES.len();
            if left == 0 {
                break;
            }
        }
        word.push('x');
        word
    }

    /// A text.
    pub fn text(&self, dice: &mut Dice) -> String {
        const PARTS: usize = 1 << 20;
        let mut text = String::new();
        for _ in 0..LENGTH {
            // Of a logarithm that is evenly spread.
            let part = dice.below(PARTS) as f64 / PARTS as f64;
            let nth = (self.0 as f64).powf(part) as usize - 1;
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(&self.nth(nth));
        }
        text
    }
}
