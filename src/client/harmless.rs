//! Text that a terminal may be shown, whoever wrote it.

use std::borrow::Cow;

use crate::name;

/// A text without what would change how a terminal shows other text around it: U+FFFD stands there.
/// The joiners of scripts and emoji stay.
pub fn harmless(text: &str) -> Cow<'_, str> {
    let harms = |c| name::is_spoofing(c) && !matches!(c, '\n' | '\t' | '\u{200c}' | '\u{200d}');
    if text.contains(harms) {
        Cow::Owned(text.replace(harms, "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_harms_a_terminal_is_taken_out() {
        assert_eq!(
            harmless("a\u{202e}b\x1b[m\u{9b}\r\u{2066}"),
            "a\u{fffd}b\u{fffd}[m\u{fffd}\u{fffd}\u{fffd}"
        );
        let fine = "\tna\u{200c}me\n👩\u{200d}👩 ✓ é";
        assert!(matches!(harmless(fine), Cow::Borrowed(same) if same == fine));
    }
}
