//! The words by which an account is found: letter case and accents do not matter.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// A text as it is compared: compatibility forms taken apart (Unicode's NFKD), marks left out,
/// lower case.
pub fn folded(text: &str) -> String {
    text.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase).collect()
}

/// The words of a display name, and of a handle whole and from each of its parts on.
pub fn words(handle: &str, name: &str) -> Vec<String> {
    let parts = handle.match_indices(['.', '_', '-']).map(|(at, _)| &handle[at + 1..]);
    let words = name.split_whitespace().chain([handle]).chain(parts);
    let mut words: Vec<String> = words.map(folded).filter(|word| !word.is_empty()).collect();
    words.sort_unstable();
    words.dedup();
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_whatever_their_case_and_accents() {
        assert_eq!(folded("ÁNA Łé ﬁ"), "ana łe fi");
        assert_eq!(words("ana.m", "Ána  María 100%"), ["100%", "ana", "ana.m", "m", "maria"]);
    }
}
