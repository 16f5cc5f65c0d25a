//! Searching in the names of countries in all languages into which iso-codes translates them, some
//! hundred and fifty in more than twenty scripts: SQLite and PostgreSQL find the same, and what a
//! model without an index finds.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use papo::chat::Act;
use papo::entry::AccountId;
use papo::fold::{folded, runs};
use papo::store::sqlite::Database;
use papo::store::{SearchQuery, SpanQuery};

use crate::bench::{ANA, BIA, Bench, CAIO, every_store, person};
use crate::languages::{has, typed};
use crate::process::Dice;
use crate::search::{looks, shown};

/// Where Debian's iso-codes has its translations: a folder for each language.
const LOCALES: &str = "/usr/share/locale";
const NAMES: &str = "LC_MESSAGES/iso_3166-1.mo";

/// Messages of a language, and names in each of them.
const MESSAGES: usize = 15;
const NAMES_EACH: usize = 6;

/// About so many questions are asked.
const QUESTIONS: usize = 300;

/// The translations in a file of gettext's: two tables of lengths and places, of the texts and of
/// their translations, numbers with their lowest byte first.
fn translations(bytes: &[u8]) -> Vec<String> {
    let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    assert_eq!(number(0), 0x9504_12de, "no file of gettext's");
    let text = |table: usize, n: usize| {
        let (length, at) = (number(table + 8 * n), number(table + 8 * n + 4));
        std::str::from_utf8(&bytes[at..at + length]).unwrap()
    };
    let pairs = (0..number(8)).map(|n| (text(number(12), n), text(number(16), n)));
    // The first is a header. What is as in English says nothing about a language.
    let own = pairs.filter(|(original, own)| !original.is_empty() && own != original);
    own.map(|(_, own)| own.to_owned()).collect()
}

/// Messages in each language that has enough names of its own.
fn corpus(dice: &mut Dice) -> Vec<String> {
    let mut languages = BTreeMap::new();
    for folder in fs::read_dir(LOCALES).unwrap() {
        let path = folder.unwrap().path().join(Path::new(NAMES));
        if let Ok(bytes) = fs::read(&path) {
            languages.insert(path, translations(&bytes));
        }
    }
    languages.retain(|_, names| names.len() >= 100);
    assert!(languages.len() > 100, "needs iso-codes: {} languages", languages.len());
    let mut messages: Vec<String> = Vec::new();
    for names in languages.values() {
        for _ in 0..MESSAGES {
            let some = (0..NAMES_EACH).map(|_| &*names[dice.below(names.len() as u64) as usize]);
            messages.push(some.collect::<Vec<&str>>().join(", "));
        }
    }
    // So that a segment of the index has many languages.
    for n in (1..messages.len()).rev() {
        messages.swap(n, dice.below(n as u64 + 1) as usize);
    }
    messages
}

/// Who looks for what.
fn questions(dice: &mut Dice, messages: &[String]) -> Vec<(AccountId, String)> {
    let questions = messages.iter().step_by(messages.len() / QUESTIONS).map(|text| {
        let words: Vec<String> = (0..1 + dice.below(2)).map(|_| typed(dice, text)).collect();
        ([ANA, BIA, CAIO][dice.below(3) as usize], words.join(" "))
    });
    questions.filter(|(_, words)| !runs(words).is_empty()).collect()
}

/// What each account is shown, ids and texts; and who looks for what and finds these ids.
#[derive(PartialEq)]
struct Found {
    rows: BTreeMap<AccountId, Vec<(i64, String)>>,
    answers: Vec<(AccountId, String, Vec<i64>)>,
}

/// Has the messages said, a part of them edited and deleted, and asks.
fn play(store: &mut Bench, seed: u64, messages: &[String]) -> Found {
    let mut dice = Dice::new(seed);
    for (n, body) in messages.iter().enumerate() {
        let (from, to) = [(ANA, "bia"), (BIA, "ana"), (CAIO, "ana")][dice.below(3) as usize];
        store.act(from, Act::Send { to: person(to), body: body.clone(), once: None });
        let about = store.chat.newest().entry;
        match dice.below(20) {
            0 => store.act(from, Act::Delete { about }),
            1 => {
                let body = &messages[dice.below(messages.len() as u64) as usize];
                store.act(from, Act::Edit { about, body: body.clone() });
            }
            _ => {}
        }
        if n % 200 == 199 {
            store.commit();
        }
        // The last tenth is not in the index.
        if n == messages.len() / 10 * 9 {
            store.commit();
            store.index();
        }
    }
    store.commit();
    let rows = [ANA, BIA, CAIO].map(|me| {
        let rows = shown(store, me, None).into_iter();
        (me, rows.map(|row| (row.id.0, row.body.into_string())).collect())
    });
    let answers = questions(&mut dice, messages).into_iter().map(|(me, words)| {
        let span = SpanQuery { count: 10_000, before: None, after: None, re: None };
        let query = SearchQuery { conversation: None, span, words: runs(&words) };
        (me, words, looks(store, me, &query).0)
    });
    let answers = answers.collect();
    Found { rows: rows.into(), answers }
}

#[test]
fn both_stores_find_the_same_in_all_languages() {
    let (mut dice, seed) = Dice::from_environment();
    println!("PAPO_SEED={seed}");
    let messages = corpus(&mut dice);
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let database = Database::open(&folder.path().join("papo.db")).unwrap();
    let (writer, reader) = (database.writer().unwrap(), database.reader().unwrap());
    let mut sqlite = Bench::new(Box::new(writer), Box::new(reader));
    sqlite.indexer = Some(Box::new(database.maintenance().indexer().unwrap().eager(8)));
    let found = play(&mut sqlite, seed, &messages);
    every_store(|postgres| {
        let other = play(postgres, seed, &messages);
        assert!(found.rows == other.rows, "other rows are shown");
        assert_eq!(found.answers, other.answers);
    });

    let fold = |(id, text): &(i64, String)| (*id, folded(text).chars().collect());
    let texts: BTreeMap<AccountId, Vec<(i64, Vec<char>)>> =
        found.rows.iter().map(|(me, rows)| (*me, rows.iter().map(fold).collect())).collect();
    let mut some = 0;
    for (me, words, ids) in found.answers.iter().step_by(3) {
        let expected = texts[me].iter().filter(|(_, text)| has(text, words)).map(|(id, _)| *id);
        assert_eq!(*ids, expected.collect::<Vec<i64>>(), "{me:?} {words:?}");
        some += ids.len();
    }
    assert!(some > 100, "only {some} messages were looked for");
}
