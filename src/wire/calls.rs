//! Finds whom a text calls: the handles after `@`.
//!
//! Whether they are members, and whether the author may call everyone, is for the rules to say.

use memchr::memchr_iter;

use crate::entry::Call;
use crate::name::Handle;

/// Whom a text calls, in its order. The same one may come again.
///
/// A call is an `@` at the beginning of a word, then the longest run of characters that a handle
/// may have, in any letter case, without `.`, `_` and `-` at its end. A word begins where the text
/// does, or after a character that no handle has, other than `@` and `/`. So `(@bob)`, `@bob.` and
/// `@Bob's` call bob, and `a@bob` and `https://x/@bob` do not.
pub fn called(text: &str) -> impl Iterator<Item = Call> + '_ {
    let bytes = text.as_bytes();
    memchr_iter(b'@', bytes).filter_map(move |at| {
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        if before.is_some_and(|b| is_of_handles(*b) || matches!(b, b'@' | b'/')) {
            return None;
        }
        let after = text.get(at + 1..)?;
        let length = after.bytes().position(|b| !is_of_handles(b)).unwrap_or(after.len());
        let word = after.get(..length)?.trim_end_matches(['.', '_', '-']);
        if word.eq_ignore_ascii_case("all") {
            return Some(Call::All);
        }
        Handle::new(word).map(Call::Handle)
    })
}

/// Whether a handle may contain this byte. Those of a character beyond ASCII are not among them.
fn is_of_handles(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._-".contains(&byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(text: &str) -> Vec<String> {
        let word = |call| match call {
            Call::All => "@all".to_owned(),
            Call::Handle(handle) => handle.to_string(),
        };
        called(text).map(word).collect()
    }

    #[test]
    fn a_call_is_an_at_sign_at_the_beginning_of_a_word() {
        for text in [
            "@bob", "@BOB hi", "hi @bob", "(@bob)", "@bob.", "@bob...", "@bob_-.", "@bob's",
            "@bob,", "a,@bob", "\"@bob\"", "a\n@bob", "\t@bob", "é@bob", "@bobé", "#@bob",
            "*@bob*", "@bob@", "@bob/x", "@bob: hi", "\\@bob", "@ @bob",
        ] {
            assert_eq!(words(text), ["bob"], "{text:?}");
        }
        for text in [
            "",
            "@",
            "bob",
            "a@bob",
            "1@bob",
            "_@bob",
            ".@bob",
            "-@bob",
            "@@bob",
            "/@bob",
            "@ bob",
            "@b",
            "@1bob",
            "@.bob",
            "@_bob",
            "@b.",
            "@é",
            "https://x.example/@bob",
        ] {
            assert_eq!(words(text), Vec::<String>::new(), "{text:?}");
        }
    }

    #[test]
    fn the_longest_run_is_the_handle() {
        assert_eq!(words("@bob.smith."), ["bob.smith"]);
        assert_eq!(words("@bob-2 @b_c--"), ["bob-2", "b_c"]);
        let long = "x".repeat(32);
        assert_eq!(words(&format!("@{long}.")), [long.as_str()]);
        assert_eq!(words(&format!("@{long}x")), Vec::<String>::new());
    }

    #[test]
    fn all_are_called_by_one_word() {
        assert_eq!(words("@all: @ana, @All. @bob @ana"), ["@all", "ana", "@all", "bob", "ana"]);
        assert_eq!(words("@allen @all.x"), ["allen", "all.x"]);
        assert_eq!(words("@all@bob"), ["@all"]);
    }

    /// The same, a character at a time.
    fn called_slowly(text: &str) -> Vec<String> {
        let is_of_handles = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let text: Vec<char> = text.chars().collect();
        let mut found = Vec::new();
        for at in 0..text.len() {
            let begins = at == 0 || (!is_of_handles(text[at - 1]) && !"@/".contains(text[at - 1]));
            if text[at] != '@' || !begins {
                continue;
            }
            let run = text[at + 1..].iter().take_while(|c| is_of_handles(**c));
            let mut word: String = run.collect();
            while word.ends_with(['.', '_', '-']) {
                word.pop();
            }
            let word = word.to_ascii_lowercase();
            let is_name = word.starts_with(|c: char| c.is_ascii_alphabetic());
            match word.as_str() {
                "all" => found.push("@all".to_owned()),
                word if is_name && (2..=32).contains(&word.len()) => found.push(word.to_owned()),
                _ => {}
            }
        }
        found
    }

    proptest! {
        #[test]
        fn two_ways_find_the_same(text in "(@|@all|@Bob|[a-cA-C1é☃ \n/,(._-]){0,30}") {
            prop_assert_eq!(words(&text), called_slowly(&text));
        }

        #[test]
        fn no_text_makes_it_panic(text in "(?s).*") {
            prop_assert_eq!(words(&text), called_slowly(&text));
        }
    }
}
