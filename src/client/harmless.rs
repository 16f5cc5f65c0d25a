//! Makes text by others safe to show on a terminal.

use std::borrow::Cow;

use crate::name;

/// Replaces every character that would change how a terminal shows the text around it by U+FFFD.
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
