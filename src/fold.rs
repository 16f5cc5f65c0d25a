//! The words by which an account is found: letter case and accents do not matter.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// A text as it is compared: compatibility forms taken apart (Unicode's NFKD), marks left out,
/// letter case folded.
pub fn folded(text: &str) -> String {
    text.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(case_folded).collect()
}

/// Full case folding by the case mappings of the standard library, which are Unicode's full ones
/// (SpecialCasing.txt). Over the capital letters all small ones meet that have the same: ß is ss, a
/// final sigma is a sigma. A capital letter that no small one leads to (ẞ) is made small first. Unlike
/// CaseFolding.txt this takes a dotless i for an i, so that ISIK finds ışık.
fn case_folded(c: char) -> impl Iterator<Item = char> {
    c.to_lowercase().flat_map(char::to_uppercase).flat_map(char::to_lowercase)
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
        for spelling in ["Straße", "STRASSE", "strasse", "STRAẞE", "ſtraſſe"] {
            assert_eq!(folded(spelling), "strasse", "{spelling}");
        }
        for spelling in ["ΌΔΟΣ", "Όδος", "οδοσ"] {
            assert_eq!(folded(spelling), "οδοσ", "{spelling}");
        }
        for spelling in ["Işık", "IŞIK", "ışık", "isik", "İşİk"] {
            assert_eq!(folded(spelling), "isik", "{spelling}");
        }
        assert_eq!(folded("ﬃ ŉ Ǆ ᾳ և Å"), folded("FFI ʼN DŽ α ԵՒ å"));
        // But for an iota that stands under a letter: it is a mark, and none in capitals.
        let is_below = |c: &char| c.nfd().any(|part| part == '\u{345}');
        let changes = |c: &char| {
            let has_case = c.to_lowercase().ne([*c]) || c.to_uppercase().ne([*c]);
            has_case && !is_below(c)
        };
        for c in (char::MIN..=char::MAX).filter(changes) {
            let (small, capital): (String, String) =
                (c.to_lowercase().collect(), c.to_uppercase().collect());
            let folds = [c.to_string(), small, capital].map(|text| folded(&text));
            assert!(folds.iter().all(|fold| *fold == folds[0]), "{c}: {folds:?}");
            assert_eq!(folded(&folds[0]), folds[0], "{c}");
        }
        assert_eq!(words("ana.m", "Ána  María 100%"), ["100%", "ana", "ana.m", "m", "maria"]);
    }
}
