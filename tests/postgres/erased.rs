//! Deleted texts and replaced reactions are in no row any more; the views show what holds.

use std::collections::{BTreeMap, BTreeSet};

use papo::chat::Act;
use papo::entry::{AccountId, EntryId};
use papo::store::Maintenance;
use papo::store::postgres::{PgDatabase, PgUrl};

use crate::bench::{ANA, BIA, Bench, CAIO, person};
use crate::cluster::{cluster, url};
use crate::marks::marked;
use crate::process::Dice;

/// The numbers of the texts in the rows of a database, whichever hold.
fn texts(db: &str) -> BTreeSet<i64> {
    let sql = "SELECT body FROM entry UNION ALL SELECT tags FROM entry WHERE tags IS NOT NULL";
    let all = cluster().ask(db, sql).unwrap();
    let all = all.split_whitespace().filter_map(|word| word.strip_prefix("mark"));
    all.map(|number| number.parse().unwrap()).collect()
}

/// What is left of a message: the numbers of its texts, and the one of each member's reaction.
struct Left {
    author: AccountId,
    other: AccountId,
    texts: BTreeSet<i64>,
    words: BTreeMap<AccountId, i64>,
}

#[test]
fn what_is_deleted_is_in_no_row() {
    let db = cluster().make_database();
    let at = PgUrl::parse(&url(&[cluster()], &db)).unwrap();
    let (database, writer) = PgDatabase::open(&at).unwrap();
    let mut store = Bench::new(Box::new(writer), Box::new(database.reader()));
    let (mut dice, seed) = Dice::from_environment();
    println!("PAPO_SEED={seed}");
    let mut left: BTreeMap<EntryId, Left> = BTreeMap::new();
    for n in 1..=1_500 {
        // Some texts do not fit in a page.
        let length = if dice.below(60) == 0 { dice.below(12_000) } else { dice.below(80) };
        let text = marked(n, length as usize);
        let count = left.len() as u64;
        let which = left.keys().nth(dice.below(count.max(1)) as usize).copied();
        match (dice.below(10), which) {
            (0..3, _) | (_, None) => {
                let (author, other, to) =
                    [(ANA, BIA, "bia"), (BIA, ANA, "ana"), (CAIO, ANA, "ana")]
                        [dice.below(3) as usize];
                store.act(author, Act::Send { to: person(to), body: text, once: None });
                let (texts, words) = (BTreeSet::from([n]), BTreeMap::new());
                left.insert(store.chat.newest().entry, Left { author, other, texts, words });
            }
            (3..6, Some(about)) => {
                let message = left.get_mut(&about).unwrap();
                store.act(message.author, Act::Edit { about, body: text });
                message.texts.insert(n);
            }
            (6..9, Some(about)) => {
                let message = left.get_mut(&about).unwrap();
                let who = [message.author, message.other][dice.below(2) as usize];
                let word = (dice.below(4) > 0).then(|| format!("mark{n:05}"));
                match word {
                    Some(_) => message.words.insert(who, n),
                    None => message.words.remove(&who),
                };
                store.act(who, Act::React { about, word: word.map(Into::into) });
            }
            (_, Some(about)) => {
                let message = left.remove(&about).unwrap();
                store.act(message.author, Act::Delete { about });
            }
        }
        if dice.below(20) == 0 {
            store.commit();
        }
        if n % 500 == 250 {
            // Marks of messages that expire are gone with them.
            let floor = left.keys().nth(left.len() / 5).copied().unwrap_or_default();
            store.forget(floor);
            left.retain(|id, _| *id > floor);
        }
        if n % 250 == 0 {
            store.commit();
            let all = left.values().flat_map(|one| one.texts.iter().chain(one.words.values()));
            assert_eq!(texts(&db), all.copied().collect(), "at {n}");
        }
    }
    assert_eq!(database.maintenance().check().unwrap(), [""; 0]);
}

#[test]
fn views_show_what_holds() {
    let db = cluster().make_database();
    let at = PgUrl::parse(&url(&[cluster()], &db)).unwrap();
    let (database, writer) = PgDatabase::open(&at).unwrap();
    let mut store = Bench::new(Box::new(writer), Box::new(database.reader()));
    let ids = [1, 2, 3].map(|n| store.send(ANA, "bia", &format!("text {n}")));
    let [first, second, third] = ids;
    let react = |about, word: &str| Act::React { about, word: Some(word.into()) };
    for (who, act) in [
        (ANA, Act::Edit { about: first, body: "text 4".into() }),
        (ANA, Act::Edit { about: first, body: "text 5".into() }),
        (BIA, react(first, "ok")),
        (ANA, react(first, "ok")),
        (BIA, Act::Answer { about: second, body: "text 8".into(), once: None }),
        (ANA, Act::Delete { about: third }),
    ] {
        store.act(who, act);
    }
    store.commit();
    for (sql, said) in [
        (
            "SELECT id, sender, recipient, body, re, edited, deleted FROM messages ORDER BY id",
            "1|ana|bia|text 5||5|\n2|ana|bia|text 2|||\n3|ana|bia||||9\n8|bia|ana|text 8|2||",
        ),
        (
            "SELECT id, sender, kind, message, body FROM marks ORDER BY id",
            "4|ana|edit|1|text 4\n5|ana|edit|1|text 5\n6|bia|react|1|ok\n7|ana|react|1|ok\n\
             9|ana|del|3|-",
        ),
        ("SELECT message, word, count FROM reactions", "1|ok|2"),
    ] {
        assert_eq!(cluster().ask(&db, sql).unwrap(), said);
    }
}
