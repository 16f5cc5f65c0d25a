//! Folds names into the words by which accounts are found, ignoring case and accents.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The form in which texts are compared: Unicode's NFKD without combining marks, case-folded, and
/// without the strokes that letters have in Unicode instead of marks.
pub fn folded(text: &str) -> String {
    let plain = text.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(case_folded);
    let mut folded = String::with_capacity(text.len());
    for c in plain {
        match without_stroke(c) {
            Some(letters) => folded.push_str(letters),
            None => folded.push(c),
        }
    }
    folded
}

/// What somebody types for a letter that is not on their keyboard and has no decomposition: lukasz
/// for Łukasz, soren for Søren.
fn without_stroke(c: char) -> Option<&'static str> {
    Some(match c {
        'ł' => "l",
        'ø' => "o",
        'đ' | 'ð' => "d",
        'ħ' => "h",
        'ŧ' => "t",
        'æ' => "ae",
        'œ' => "oe",
        'þ' => "th",
        _ => return None,
    })
}

/// Full case folding with the standard library's case mappings, which are Unicode's full ones
/// (SpecialCasing.txt). Going through upper case merges lower-case letters that share it: ß becomes
/// ss, a final sigma a sigma. Lowering first covers capitals that no lower-case letter maps to (ẞ).
/// Unlike CaseFolding.txt this treats a dotless i as an i, so that ISIK finds ışık.
fn case_folded(c: char) -> impl Iterator<Item = char> {
    c.to_lowercase().flat_map(char::to_uppercase).flat_map(char::to_lowercase)
}

/// The words of a display name and the handle, each from every place on where a run of letters and
/// digits begins: `ana.m` gives `ana.m` and `m`. Folded, sorted, without duplicates.
pub fn words(handle: &str, name: &str) -> Vec<String> {
    let mut words = Vec::new();
    for word in name.split_whitespace().chain([handle]).map(folded) {
        let mut in_run = true;
        for (at, c) in word.char_indices() {
            let begins = !in_run && c.is_alphanumeric();
            if begins || at == 0 {
                words.push(word[at..].to_owned());
            }
            in_run = c.is_alphanumeric();
        }
    }
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
        assert_eq!(folded("ÁNA Łé ﬁ"), "ana le fi");
        assert_eq!(folded("SØREN Ðorđe Þór Æsa œuvre Ħal Ŧ"), "soren dorde thor aesa oeuvre hal t");
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
        let all = ["(al)", "al)", "brien-smith", "bob", "o'brien-smith", "smith"];
        let mut all = all.map(str::to_owned);
        all.sort();
        assert_eq!(words("bob", "O'Brien-Smith (Al)"), all);
        // A mark is a part of its letter, and no word begins after it.
        assert_eq!(words("jose", "Jose\u{301}s"), ["jose", "joses"]);
    }
}
