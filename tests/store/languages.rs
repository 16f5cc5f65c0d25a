//! Searching in texts of thirteen languages: a look finds what a model finds that has no index and
//! no list of words, but reads every text letter by letter.

use papo::chat::Act;
use papo::entry::{AccountId, ConversationId};
use papo::fold::{folded, runs};
use papo::store::{Pair, SearchQuery, SpanQuery};
use unicode_normalization::UnicodeNormalization;

use crate::bench::{ANA, BIA, Bench, CAIO, every_store, person};
use crate::process::Dice;
use crate::search::{looks, shown};

const RIGHTS: &str = include_str!("rights.txt");

/// The languages, each with its paragraphs.
fn languages() -> Vec<(&'static str, Vec<&'static str>)> {
    let mut all: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in RIGHTS.lines().filter(|line| !line.starts_with('#')) {
        match line.strip_prefix("= ") {
            Some(name) => all.push((name, Vec::new())),
            None => all.last_mut().unwrap().1.push(line),
        }
    }
    assert!(all.len() == 13 && all.iter().all(|(_, lines)| lines.len() == 26));
    all
}

/// Whether a folded text has all words of a query, each at the beginning of a run of letters and
/// digits.
pub fn has(text: &[char], query: &str) -> bool {
    let is_there = |word: &str| {
        let word: Vec<char> = word.chars().collect();
        (0..text.len()).any(|at| {
            let begins = at == 0 || !text[at - 1].is_alphanumeric();
            begins && text[at..].starts_with(&word)
        })
    };
    let query = folded(query);
    query.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).all(is_there)
}

/// A word as somebody types it who looks for one of this text.
pub fn typed(dice: &mut Dice, text: &str) -> String {
    let words: Vec<&str> = text.split(' ').collect();
    let word = words[dice.below(words.len() as u64) as usize];
    match dice.below(5) {
        0 => word.to_uppercase(),
        1 => word.to_lowercase().nfd().collect(),
        2 => folded(word),
        3 => word.chars().take(1 + dice.below(4) as usize).collect(),
        _ => word.to_owned(),
    }
}

fn expected(texts: &[(i64, Vec<char>)], query: &str) -> Vec<i64> {
    texts.iter().filter(|(_, text)| has(text, query)).map(|(id, _)| *id).collect()
}

fn search(
    store: &mut Bench,
    me: AccountId,
    conversation: Option<ConversationId>,
    query: &str,
) -> Vec<i64> {
    let span = SpanQuery { count: 10_000, before: None, after: None, re: None };
    looks(store, me, &SearchQuery { conversation, span, words: runs(query) }).0
}

#[test]
fn looks_find_words_of_any_language() {
    every_store(|store| {
        let (mut dice, seed) = Dice::from_environment();
        println!("PAPO_SEED={seed}");
        let languages = languages();
        let lines: Vec<&str> = languages.iter().flat_map(|(_, lines)| lines).copied().collect();
        let pick = |dice: &mut Dice| lines[dice.below(lines.len() as u64) as usize];
        for n in 0..800 {
            let (from, to) =
                [(ANA, "bia"), (BIA, "ana"), (ANA, "ana"), (CAIO, "ana")][dice.below(4) as usize];
            let body = pick(&mut dice).to_owned();
            store.act(from, Act::Send { to: person(to), body, once: None });
            let about = store.chat.newest().entry;
            match dice.below(10) {
                0 => store.act(from, Act::Delete { about }),
                1 | 2 => store.act(from, Act::Edit { about, body: pick(&mut dice).into() }),
                _ => {}
            }
            if n % 200 == 199 {
                store.commit();
                store.index();
            }
        }
        for n in 0..200 {
            let body = pick(&mut dice).to_owned();
            store.act(ANA, Act::Send { to: person("bia"), body, once: None });
            store.now += n;
        }
        store.commit();
        for me in [ANA, BIA, CAIO] {
            let direct = store.reader.direct(Pair::of(me, ANA)).unwrap().unwrap().id;
            for conversation in [None, Some(direct)] {
                let rows = shown(store, me, conversation).into_iter();
                let texts: Vec<_> =
                    rows.map(|row| (row.id.0, folded(&row.body).chars().collect())).collect();
                for _ in 0..50 {
                    let line = pick(&mut dice);
                    let count = 1 + dice.below(3);
                    let words: Vec<String> = (0..count).map(|_| typed(&mut dice, line)).collect();
                    let query = words.join(" ");
                    if runs(&query).is_empty() {
                        continue;
                    }
                    let found = search(store, me, conversation, &query);
                    assert_eq!(found, expected(&texts, &query), "{me:?} {query:?}");
                }
            }
        }
    });
}

/// Words of each language, in letters that are not those of the text, find it and no other one.
#[test]
fn a_language_is_found_by_its_words() {
    every_store(|store| {
        let mut ids = Vec::new();
        for (name, lines) in languages() {
            for line in lines {
                store.act(ANA, Act::Send { to: person("bia"), body: line.into(), once: None });
                ids.push((store.chat.newest().entry.0, name));
            }
            store.commit();
            store.index();
        }
        for (query, name) in [
            ("HUMAN BEINGS", "eng"),
            ("êtres HUMAINS EGAUX", "fra"),
            ("WÜRDE", "deu"),
            ("WU\u{308}rde", "deu"),
            ("consciencia seres", "por"),
            ("godnosci", "pol"),
            ("insanlar HAYSIYET", "tur"),
            ("BINH đang", "vie"),
            ("ДОСТОИНСТВЕ", "rus"),
            ("ΕΛΕΥΘΕΡΟΙ ανθρωποι", "ell"),
            ("الكرامة", "arb"),
            ("अधिकारों", "hin"),
            ("인간은", "kor"),
            ("すべて", "jpn"),
        ] {
            let found = search(store, BIA, None, query);
            assert!(!found.is_empty(), "{query}");
            for id in found {
                let of = ids.iter().find(|(one, _)| *one == id).map(|(_, name)| *name);
                assert_eq!(of, Some(name), "{query}");
            }
        }
    });
}
