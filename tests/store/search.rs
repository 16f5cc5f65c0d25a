//! Searching: whatever happened, and whatever the index knows of it, a look finds the messages whose
//! text, as the reader is shown it, has the words.

use std::collections::BTreeMap;

use crate::bench::{ANA, BIA, Bench, CAIO, every_store, handle, person};
use crate::process::Dice;
use papo::chat::Act;
use papo::entry::{AccountId, ConversationId, Entry, EntryId, EntryKind};
use papo::fold;
use papo::name::Target;
use papo::store::{Pair, SearchQuery, SpanQuery, Walk};
use papo::wire::request::GroupChange;

const WORDS: [&str; 16] = [
    "lunch",
    "Lunchbox",
    "café",
    "CAFE",
    "cafeteria",
    "straße",
    "STRASSE",
    "πόλη",
    "ΠΌΛΗ",
    "мир",
    "7",
    "77",
    "777x",
    "東京",
    "o'clock",
    "a",
];
const QUERIES: [&str; 14] = [
    "lunch",
    "lunchb",
    "cafe",
    "café lunch",
    "caf a",
    "strass",
    "ПОЛ",
    "πολη",
    "МИР 7",
    "77",
    "東",
    "clock",
    "a",
    "nothing",
];

/// All looks that a query takes, and how many those were.
pub fn looks(store: &mut Bench, me: AccountId, query: &SearchQuery) -> (Vec<i64>, usize) {
    let (mut found, mut looks) = (Vec::new(), 0);
    let mut query = query.clone();
    let upwards = query.span.after.is_some() && query.span.before.is_none();
    let wanted = query.span.count;
    loop {
        let page = store.reader.search(me, &query).unwrap();
        looks += 1;
        let ids: Vec<i64> = page.found.iter().map(|(_, id)| id.0).collect();
        assert!(ids.is_sorted_by(|one, next| one < next), "{ids:?}");
        assert!(ids.len() <= query.span.count);
        match upwards {
            true => found.extend(ids),
            false => drop(found.splice(0..0, ids)),
        }
        let Some(upto) = page.upto.filter(|_| found.len() < wanted) else { break };
        match upwards {
            true => query.span.after = Some(upto),
            false => query.span.before = Some(upto),
        }
        query.span.count = wanted - found.len();
    }
    (found, looks)
}

/// The rows of a conversation, or of all, that the account is shown.
pub fn shown(store: &mut Bench, me: AccountId, of: Option<ConversationId>) -> Vec<Entry> {
    let mut rows = Vec::new();
    if let Some(of) = of {
        let query = SpanQuery { count: 100_000, before: None, after: None, re: None };
        let mut ids = store.reader.span(me, of, &query).unwrap().ids;
        while !ids.is_empty() {
            let page = store.reader.entries(me, of, &ids).unwrap();
            let Some(last) = page.last().map(|row| row.id) else { break };
            ids.retain(|id| *id > last);
            rows.extend(page);
        }
    } else {
        let mut walk = Walk::new(EntryId(0), store.chat.newest().entry, false);
        while !walk.done {
            let page;
            (page, walk) = store.reader.page(me, walk, 256).unwrap();
            rows.extend(page);
        }
    }
    rows.retain(|row| row.kind == EntryKind::Message && !row.is_gone());
    rows
}

/// What is to be found.
fn expected(rows: &[Entry], query: &SearchQuery) -> Vec<i64> {
    let SpanQuery { count, before, after, re } = query.span;
    let has = |text: &str| {
        let runs = fold::runs(text);
        query.words.iter().all(|word| runs.iter().any(|run| run.starts_with(word)))
    };
    let fits = |row: &&Entry| {
        before.is_none_or(|before| row.id < before)
            && after.is_none_or(|after| row.id > after)
            && re.is_none_or(|re| row.tags.as_ref().and_then(|tags| tags.re) == Some(re))
            && has(&row.body)
    };
    let all: Vec<i64> = rows.iter().filter(fits).map(|row| row.id.0).collect();
    match after.is_some() && before.is_none() {
        true => all.into_iter().take(count).collect(),
        false => all[all.len().saturating_sub(count)..].to_vec(),
    }
}

fn check(store: &mut Bench, dice: &mut Dice, queries: usize) {
    let newest = store.chat.newest();
    let (newest, floor) = (newest.entry.0 as u64, newest.floor);
    for me in [ANA, BIA, CAIO] {
        let mut of: Vec<Option<ConversationId>> = vec![None];
        for other in [ANA, BIA, CAIO] {
            let direct = store.reader.direct(Pair::of(me, other)).unwrap();
            of.extend(direct.map(|direct| Some(direct.id)));
        }
        let team = store.reader.membership(me, &handle("team")).unwrap();
        of.extend(team.map(|(id, _)| Some(id)));
        for conversation in of {
            let rows = shown(store, me, conversation);
            for _ in 0..queries {
                let said = QUERIES[dice.below(QUERIES.len() as u64) as usize];
                let mut bound =
                    || (dice.below(3) == 0).then(|| EntryId(dice.below(newest + 2) as i64));
                let (before, after) = (bound(), bound());
                let re = bound().filter(|re| dice.below(3) == 0 && *re > floor);
                let count = [1, 2, 5, 1_000][dice.below(4) as usize];
                let span = SpanQuery { count, before, after, re };
                let words = fold::runs(said);
                let query = SearchQuery { conversation, span, words };
                let (found, _) = looks(store, me, &query);
                assert_eq!(found, expected(&rows, &query), "{me:?} {query:?}");
            }
        }
    }
}

/// One of the things that people do.
fn live(store: &mut Bench, dice: &mut Dice, is_in: &mut BTreeMap<AccountId, bool>) {
    let pick = |dice: &mut Dice| [ANA, BIA, CAIO][dice.below(3) as usize];
    let name = |who: AccountId| ["ana", "bia", "caio"][who.0 as usize - 1];
    let team = || Target::Group(handle("team"));
    let (who, other) = (pick(dice), pick(dice));
    let count = 1 + dice.below(5);
    let text: Vec<&str> =
        (0..count).map(|_| WORDS[dice.below(WORDS.len() as u64) as usize]).collect();
    let body: Box<str> = text.join([" ", ", ", "\n", "-"][dice.below(4) as usize]).into();
    let newest = store.chat.newest().entry.0 as u64;
    let about = EntryId(1 + dice.below(newest.max(1)) as i64);
    let to = if dice.below(2) == 0 && is_in[&who] { team() } else { person(name(other)) };
    let author = store.reader.info(who, about, AccountId(0)).unwrap().is_some();
    match dice.below(20) {
        0..9 => store.act(who, Act::Send { to, body: body.into(), once: None }),
        9..12 if author => store.act(who, Act::Answer { about, body: body.into(), once: None }),
        12..15 if author => store.act(who, Act::Edit { about, body: body.into() }),
        15 if author => store.act(who, Act::Delete { about }),
        16 if author => store.act(who, Act::React { about, word: Some("ok".into()) }),
        17 if author => store.act(who, Act::Forward { about, to, once: None }),
        18 if who != ANA => {
            let it = is_in.get_mut(&who).unwrap();
            let change = match *it {
                true => GroupChange::Remove(handle(name(who))),
                false => GroupChange::Add(vec![handle(name(who))]),
            };
            *it = !*it;
            store.act(ANA, Act::Group { name: handle("team"), change });
        }
        _ => {}
    }
    store.now += 1;
}

#[test]
fn looks_find_what_is_shown() {
    every_store(|store| {
        let (mut dice, seed) = Dice::from_environment();
        println!("PAPO_SEED={seed}");
        let change = GroupChange::New(vec![handle("bia"), handle("caio")]);
        store.act(ANA, Act::Group { name: handle("team"), change });
        let mut is_in = BTreeMap::from([(ANA, true), (BIA, true), (CAIO, true)]);
        for n in 0..2_500 {
            live(store, &mut dice, &mut is_in);
            if dice.below(4) == 0 {
                store.commit();
            }
            if dice.below(60) == 0 {
                store.commit();
                // One pass may leave much to be done.
                if let Some(indexer) = &mut store.indexer {
                    indexer.pass(&|_| true).unwrap();
                }
            }
            if dice.below(400) == 0 {
                let newest = store.chat.newest();
                let kept = newest.floor.0 + (newest.entry.0 - newest.floor.0) / 4;
                store.forget(EntryId(kept));
            }
            if n % 100 == 99 {
                store.commit();
                check(store, &mut dice, 3);
            }
        }
        store.index();
        check(store, &mut dice, 20);
    });
}

pub fn query(words: &str) -> SearchQuery {
    let span = SpanQuery { count: 1_000, before: None, after: None, re: None };
    SearchQuery { conversation: None, span, words: fold::runs(words) }
}

/// A look without an index, or in texts that the index cannot tell apart, is bounded too.
#[test]
fn a_look_ends() {
    every_store(|store| {
        for n in 0..6_000 {
            let words = if n % 1_000 == 17 { "needle" } else { "hay" };
            let body = format!("{}{words}", "x".repeat(100));
            store.act(ANA, Act::Send { to: person("bia"), body, once: None });
            if n % 1_000 == 999 {
                store.commit();
            }
        }
        let of = |words: &str| query(&format!("{}{words}", "x".repeat(100)));
        let want: Vec<i64> = (0..6).map(|n| n * 1_000 + 18).collect();
        for is_indexed in [false, true] {
            let (found, count) = looks(store, BIA, &of("needle"));
            assert_eq!(found, want);
            assert!((2..20).contains(&count), "{count} looks, {is_indexed}");
            let mut upwards = of("needle");
            upwards.span.after = Some(EntryId(0));
            assert_eq!(looks(store, BIA, &upwards).0, want);
            let (found, _) = looks(store, CAIO, &of("needle"));
            assert_eq!(found, [0; 0]);
            store.index();
        }
    });
}
