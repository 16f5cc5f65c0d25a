//! Folds names into the words by which accounts are found, ignoring case and accents.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The form in which texts are compared: Unicode's NFKD without combining marks, case-folded.
pub fn folded(text: &str) -> String {
    text.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(case_folded).collect()
}

/// Full case folding with the standard library's case mappings, which are Unicode's full ones
/// (SpecialCasing.txt). Going through upper case merges lower-case letters that share it: ß becomes
/// ss, a final sigma a sigma. Lowering first covers capitals that no lower-case letter maps to (ẞ).
/// Unlike CaseFolding.txt this treats a dotless i as an i, so that ISIK finds ışık.
fn case_folded(c: char) -> impl Iterator<Item = char> {
    c.to_lowercase().flat_map(char::to_uppercase).flat_map(char::to_lowercase)
}

/// The words of a display name, the whole handle, and the handle from each later part on: `ana.m`
/// gives `ana.m` and `m`. Folded, sorted, without duplicates.
pub fn words(handle: &str, name: &str) -> Vec<String> {
    let parts = handle.match_indices(['.', '_', '-']).map(|(at, _)| &handle[at + 1..]);
    let words = name.split_whitespace().chain([handle]).chain(parts);
    let mut words: Vec<String> = words.map(folded).filter(|word| !word.is_empty()).collect();
    words.sort_unstable();
    words.dedup();
    words
}

/// The words of a text, by which messages are found: its runs of letters and digits, folded, sorted,
/// without duplicates.
pub fn runs(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    each_run(text, |run| words.push(run.to_owned()));
    words.sort_unstable();
    words.dedup();
    words
}

/// The same words one by one, as they come in the text.
pub fn each_run(text: &str, each: impl FnMut(&str)) {
    let folded = match text.is_ascii() {
        true => text.to_ascii_lowercase(),
        false => folded(text),
    };
    folded.split(|c: char| !c.is_alphanumeric()).filter(|run| !run.is_empty()).for_each(each);
}

/// Whether each of `words` begins one of `runs`; both are as [`runs`] returns them.
pub fn begin_all(words: &[String], runs: &[String]) -> bool {
    words.iter().all(|word| {
        let at = runs.partition_point(|run| run < word);
        runs.get(at).is_some_and(|run| run.starts_with(word.as_str()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_words() {
        for (text, words) in [
            ("The café's menu, 3rd try: a_b C++", "3rd a b c cafe menu s the try"),
            ("re\u{301}sume\u{301} x2", "resume x2"),
            ("ﬁn ½ 東京タワー привет-Мир", "1 2 fin мир привет 東京タワー"),
            ("no no NO", "no"),
            (" \u{1f44d} … -", ""),
        ] {
            assert_eq!(runs(text).join(" "), words, "{text}");
        }
        let found = |words: &str, text: &str| begin_all(&runs(words), &runs(text));
        assert!(found("MEN caf", "the café's menu"));
        assert!(found("", "x") && found("a ab", "ab"));
        assert!(!found("enu", "menu") && !found("ab abc", "ab") && !found("x", ""));
    }

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
        // Except for iota subscript, which is a mark in lower case and a letter in capitals.
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
