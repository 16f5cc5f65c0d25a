//! A message with very many marks is deleted: they are erased in steps, and shown in none of them.

use papo::chat::Act;
use papo::entry::{AccountId, EntryId, EntryKind, Millis};
use papo::limits;
use papo::name::{DisplayName, Target};
use papo::store::{Expire, Fact, Need, Pair, SearchQuery, SpanQuery, Walk};
use papo::wire::request::GroupChange;

use crate::bench::{ANA, BIA, Bench, every_store, handle};

const TEAM: &str = "team";
/// More than are erased at once and in one step together.
const EDITS: usize = limits::ERASED + limits::EXPIRE + 100;
const REACTIONS: usize = 120;

/// A message with all those marks, between two others with an edit each; and the entry before it.
fn make(store: &mut Bench) -> (EntryId, EntryId) {
    let people: Vec<_> = (0..REACTIONS).map(|n| handle(&format!("p{n}"))).collect();
    for person in &people {
        let name = DisplayName::from(person);
        store.decide(|chat| chat.register(person, &name, "hash", Millis(0)));
    }
    store.commit();
    let mut all = vec![handle("bia")];
    all.extend(people);
    store.act(ANA, Act::Group { name: handle(TEAM), change: GroupChange::New(all) });
    let mut ids = Vec::new();
    for n in 0..3 {
        let to = Target::Group(handle(TEAM));
        store.act(ANA, Act::Send { to, body: format!("status {n}"), once: None });
        ids.push(store.chat.newest().entry);
    }
    for n in 0..EDITS {
        if n == 50 {
            for about in [ids[0], ids[2]] {
                store.act(ANA, Act::Edit { about, body: "edited word".into() });
            }
        }
        store.act(ANA, Act::Edit { about: ids[1], body: format!("status word{n}") });
    }
    store.commit();
    for n in 0..REACTIONS {
        let who = AccountId(4 + n as i64);
        for word in ["ok", "no"] {
            store.act(who, Act::React { about: ids[1], word: Some(word.into()) });
        }
        if n % 2 == 0 {
            store.act(who, Act::React { about: ids[1], word: None });
        }
    }
    store.commit();
    (ids[1], ids[0])
}

/// All marks that somebody is shown, and what they are about.
fn marks(store: &mut Bench, me: AccountId, waiting: bool) -> Vec<(EntryKind, EntryId)> {
    let mut walk = Walk::new(EntryId(0), store.chat.newest().entry, waiting);
    let mut all = Vec::new();
    while !walk.done {
        let rows;
        (rows, walk) = store.reader.page(me, walk, limits::PAGE_ROWS).unwrap();
        all.extend(rows.into_iter().filter(|row| row.kind.is_mark()).map(|row| {
            let re = row.tags.and_then(|tags| tags.re).unwrap_or_default();
            (row.kind, re)
        }));
    }
    all
}

/// Nobody is shown any of its marks, before and after each step. Returns how many steps there were.
fn steps(store: &mut Bench, gone: EntryId, now: Millis) -> usize {
    let mut count = 0;
    loop {
        let dora = AccountId(5);
        for me in [BIA, dora] {
            for waiting in [false, true] {
                let shown = marks(store, me, waiting);
                let about = shown.iter().filter(|(_, id)| *id == gone);
                assert!(about.clone().all(|(kind, _)| *kind == EntryKind::Del), "{about:?}");
                assert!(shown.len() - about.count() <= 3, "{shown:?}");
            }
            assert!(store.reader.marks(me, gone, EntryId(0)).unwrap().is_none());
            let (team, _) = store.reader.membership(me, &handle(TEAM)).unwrap().unwrap();
            let span = SpanQuery { count: 50, before: None, after: None, re: None };
            let ids = store.reader.span(me, team, &span).unwrap().ids;
            for row in store.reader.entries(me, team, &ids).unwrap() {
                assert!(!row.body.contains("status word"), "{}", row.body);
                let is_bare = row.tags.is_none_or(|tags| tags.react.is_empty());
                assert!(is_bare || row.id != gone);
            }
            store.index();
            let query = SearchQuery { conversation: None, span, words: vec!["status".into()] };
            let found = store.reader.search(me, &query).unwrap();
            assert!(found.found.iter().all(|(_, id)| *id != gone));
        }
        let message = store.reader.gather(&[Need::Message(gone)], 1).unwrap();
        if let [Fact::Message(state)] = &message[..] {
            assert!(state.gone.is_some() && state.body.is_empty() && state.tally.is_empty());
        }
        let Some(step) = store.reader.next_expired(now).unwrap() else { return count };
        assert_eq!(step, Expire::Marks);
        store.chat.expire(step);
        store.commit();
        count += 1;
    }
}

#[test]
fn marks_of_a_deleted_message_are_erased_in_steps() {
    every_store(|store| {
        let (about, before) = make(store);
        assert_eq!(marks(store, BIA, false).len(), 2 + 1 + REACTIONS);
        store.act(ANA, Act::Delete { about });
        store.commit();
        // A mark that is made meanwhile about another message is shown.
        store.act(BIA, Act::React { about: before, word: Some("ok".into()) });
        store.act(BIA, Act::React { about: before, word: None });
        store.commit();
        let now = Millis(store.now);
        let left = EDITS + REACTIONS - limits::ERASED;
        assert_eq!(steps(store, about, now), left.div_ceil(limits::EXPIRE));
        assert_eq!(marks(store, ANA, false).iter().filter(|(_, id)| *id == about).count(), 1);
        assert_eq!(marks(store, ANA, false).len(), 4);
    });
}

#[test]
fn marks_of_a_message_that_expires_are_erased_in_steps() {
    every_store(|store| {
        let ttl = Act::Expire { to: Target::Group(handle(TEAM)), seconds: Some(60) };
        let change = GroupChange::New(vec![handle("bia")]);
        store.act(ANA, Act::Group { name: handle(TEAM), change });
        store.act(ANA, ttl);
        let to = Target::Group(handle(TEAM));
        store.act(ANA, Act::Send { to, body: "status".into(), once: None });
        let about = store.chat.newest().entry;
        for n in 0..EDITS {
            store.act(ANA, Act::Edit { about, body: format!("status word{n}") });
        }
        store.commit();
        let now = Millis(store.now + 60_000);
        let step = store.reader.next_expired(now).unwrap().unwrap();
        assert!(matches!(step, Expire::Messages(_)));
        store.chat.expire(step);
        store.commit();
        let newest = store.chat.newest().entry;
        for id in [about, newest] {
            let pos = store.reader.gather(&[Need::EntryPos(id)], 1).unwrap();
            assert!(matches!(&pos[..], [Fact::EntryPos(pos)] if pos.expired), "{pos:?}");
        }
        let mut count = 0;
        while let Some(step) = store.reader.next_expired(now).unwrap() {
            assert_eq!(marks(store, BIA, false), []);
            assert_eq!(marks(store, BIA, true), []);
            store.chat.expire(step);
            store.commit();
            count += 1;
        }
        assert_eq!(count, (EDITS - limits::ERASED).div_ceil(limits::EXPIRE));
    });
}

#[test]
fn marks_of_a_message_that_gets_too_old_are_erased_in_steps() {
    every_store(|store| {
        let (about, _) = make(store);
        let now = Millis(store.now);
        store.now += 1_000;
        store.act(BIA, Act::React { about: EntryId(about.0 + 1), word: Some("ok".into()) });
        store.commit();
        // One step takes the message, and its marks are too many to go with it.
        let mut seen = 0;
        while store.chat.newest().floor < about {
            let later = Millis(store.now);
            let before = Millis(now.0 + 1);
            let step = store.reader.next_expiry(before, later).unwrap().unwrap();
            let Expire::Entries { after, upto } = step else { panic!("{step:?}") };
            assert!(after < about || seen > 0);
            store.chat.expire(Expire::Entries { after, upto: upto.min(about) });
            store.commit();
            seen += 1;
        }
        let left = EDITS + REACTIONS - limits::ERASED;
        assert_eq!(steps(store, about, now), left.div_ceil(limits::EXPIRE));
        assert_eq!(store.reader.next_expired(now).unwrap(), None);
    });
}

#[test]
fn which_answer_a_message_that_gets_too_old_is_deleted_in_steps() {
    every_store(|store| {
        const REPLIES: usize = 2 * limits::EXPIRE_ROWS + 100;
        let about = store.send(BIA, "ana", "a question");
        for n in 0..REPLIES {
            let body = format!("answer {n}");
            store.act(ANA, Act::Answer { about, body, once: None });
        }
        store.commit();
        let span = SpanQuery { count: 5, before: None, after: None, re: Some(about) };
        let answers = |store: &mut Bench| {
            let conversation = store.reader.direct(Pair::of(ANA, BIA)).unwrap().unwrap().id;
            store.reader.span(BIA, conversation, &span).unwrap().ids.len()
        };
        assert_eq!(answers(store), 5);
        store.chat.expire(Expire::Entries { after: EntryId(0), upto: about });
        store.commit();
        let mut steps = 0;
        loop {
            assert_eq!(answers(store), 0);
            assert_eq!(store.reader.answered(BIA, about).unwrap(), None);
            let step = store.reader.next_expiry(Millis(i64::MIN), Millis(i64::MAX)).unwrap();
            let Some(step) = step else { break };
            assert_eq!(step, Expire::Rows);
            store.chat.expire(step);
            store.commit();
            steps += 1;
        }
        assert_eq!(steps, REPLIES.div_ceil(limits::EXPIRE_ROWS));
    });
}
