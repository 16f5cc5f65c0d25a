//! The store suite: what any store must do, run against each of them.

use crate::bench::{ANA, BIA, Bench, CAIO, every_store, handle, person};
use papo::chat::Act;
use papo::entry::{AccountId, Cursor, EntryId, Millis, MoveNumber};
use papo::limits;
use papo::name::{DisplayName, Target};
use papo::store::{Cause, Change, Pair, SpanQuery, Walk};
use papo::wire::request::GroupChange;

#[test]
fn accounts_are_found_by_handle_and_number() {
    every_store(|store| {
        let ana = store.reader.account(&handle("ana")).unwrap().unwrap();
        assert_eq!((ana.id, ana.name.as_str()), (ANA, "ana"));
        assert_eq!(store.reader.account_by_id(BIA).unwrap().unwrap().handle, handle("bia"));
        assert_eq!(store.reader.secret(ANA).unwrap().unwrap(), "hash");
        assert!(store.reader.account(&handle("dora")).unwrap().is_none());
        store.act(ANA, Act::Rename(DisplayName::new("Ana Maria").unwrap()));
        store.act(ANA, Act::SetSecret { was: "hash".into(), secret: "other".into() });
        store.commit();
        let ana = store.reader.account(&handle("ana")).unwrap().unwrap();
        assert_eq!(ana.name.as_str(), "Ana Maria");
        assert_eq!(store.reader.secret(ANA).unwrap().unwrap(), "other");
    });
}

#[test]
fn a_batch_is_kept_whole_or_not_at_all() {
    every_store(|store| {
        store.act(ANA, Act::Send { to: person("bia"), body: "kept?".into(), once: None });
        let mut changes = store.chat.finish().changes;
        // A second account of one handle breaks the store's own rule.
        let name = DisplayName::new("x").unwrap();
        let (secret, time) = (String::new(), Millis(0));
        let id = AccountId(9);
        changes.push(Change::Account { id, handle: handle("ana"), name, secret, time });
        let broken = store.writer.record(&changes).unwrap_err();
        assert_eq!(broken.cause(), Cause::Bug, "{broken}");
        store.chat.rollback();
        assert_eq!(store.reader.newest().unwrap().entry, EntryId(0));
        assert!(store.reader.direct(Pair::of(ANA, BIA)).unwrap().is_none());
        // And the next one is kept, with the id that nobody saw.
        assert_eq!(store.send(ANA, "bia", "kept"), EntryId(1));
        assert_eq!(store.pages(BIA, true, EntryId(9)).0, [(1, "kept".into())]);
    });
}

#[test]
fn a_long_conversation_is_paged_whole_and_in_order() {
    every_store(|store| {
        // Three conversations of one account, woven together, far over a page and many blocks.
        for n in 0..700 {
            let (from, to) = [(BIA, "ana"), (CAIO, "ana"), (ANA, "ana"), (BIA, "caio")][n % 4];
            store.act(from, Act::Send { to: person(to), body: format!("{n}"), once: None });
        }
        store.commit();
        let all: Vec<_> =
            (0..700).filter(|n| n % 4 != 3).map(|n| (n + 1, format!("{n}"))).collect();
        let others: Vec<_> = all.iter().filter(|(id, _)| (id - 1) % 4 != 2).cloned().collect();
        let (seen, pages) = store.pages(ANA, true, EntryId(700));
        assert_eq!(seen, others);
        assert_eq!(pages, 2);
        assert_eq!(store.waiting(ANA), 350);
        assert_eq!(store.pages(ANA, false, EntryId(700)).0, all);
        let until = store.pages(ANA, false, EntryId(90)).0;
        assert_eq!(until, all.iter().filter(|(id, _)| *id <= 90).cloned().collect::<Vec<_>>());
        assert_eq!(store.reader.waiting(ANA, EntryId(90)).unwrap().count, 46);
        // A cursor in the middle of one conversation leaves the others alone.
        store.advance(ANA, Cursor::Delivered, EntryId(401));
        let bias = others.iter().filter(|(id, _)| id % 4 == 1 && *id > 401).count();
        assert_eq!(store.waiting(ANA), 175 + bias as u64);
        assert_eq!(store.pages(ANA, true, EntryId(700)).0.len(), 175 + bias);
    });
}

#[test]
fn who_is_in_more_conversations_than_a_walk_holds_still_sees_them_in_order() {
    every_store(|store| {
        let others = limits::LANES * 5 / 2;
        for n in 0..others {
            let (handle, name) = (handle(&format!("p{n}")), DisplayName::new("p").unwrap());
            store.decide(|chat| chat.register(&handle, &name, "hash", Millis(0)));
        }
        store.commit();
        // Two rounds, the second backwards, so that what comes next is spread over all of them.
        for n in (0..others).chain((0..others).rev()) {
            let from = AccountId(i64::try_from(n).unwrap() + 4);
            store.act(from, Act::Send { to: person("ana"), body: format!("{n}"), once: None });
            if n % 500 == 0 {
                store.commit();
            }
        }
        store.commit();
        let ids = |store: &mut Bench, waiting| -> Vec<i64> {
            let seen = store.pages(ANA, waiting, EntryId(i64::MAX)).0;
            seen.into_iter().map(|(id, _)| id).collect()
        };
        let all: Vec<i64> = (1..=2 * i64::try_from(others).unwrap()).collect();
        assert_eq!(ids(store, false), all);
        assert_eq!(ids(store, true), all);
    });
}

#[test]
fn a_walk_shows_what_there_was_when_it_began_whatever_is_said_meanwhile() {
    every_store(|store| {
        // A chat that is not a block yet, one that is more, and a group that she leaves and comes
        // back to.
        let group = |change| Act::Group { name: handle("crew"), change };
        store.act(BIA, group(GroupChange::New(vec![handle("ana")])));
        let crew = Target::Group(handle("crew"));
        let say = |store: &mut Bench, n: usize| {
            for (from, to) in [(BIA, person("ana")), (CAIO, person("ana")), (BIA, crew.clone())] {
                if n.is_multiple_of(3) || from != CAIO {
                    store.act(from, Act::Send { to, body: format!("{n}"), once: None });
                }
            }
        };
        let removed = |store: &mut Bench| store.act(BIA, group(GroupChange::Remove(handle("ana"))));
        let added =
            |store: &mut Bench| store.act(BIA, group(GroupChange::Add(vec![handle("ana")])));
        for n in 0..150 {
            say(store, n);
            match n {
                40 | 110 => removed(store),
                70 | 111 => added(store),
                _ => {}
            }
        }
        store.commit();
        let upto = store.chat.newest().entry;
        for waiting in [false, true] {
            let at_once = store.pages(ANA, waiting, upto).0;
            let mut walk = Walk::new(EntryId(0), upto, waiting);
            let mut seen = Vec::new();
            while !walk.done {
                let entries;
                (entries, walk) = store.reader.page(ANA, walk, 7).unwrap();
                seen.extend(entries.into_iter().map(|e| (e.id.0, e.body.into_string())));
                say(store, 3);
                if seen.len().is_multiple_of(5) {
                    removed(store);
                    added(store);
                }
                store.commit();
            }
            assert_eq!(seen, at_once);
        }
    });
}

#[test]
fn a_page_is_bounded_in_bytes() {
    every_store(|store| {
        let body = "x".repeat(60_000);
        for _ in 0..10 {
            store.act(BIA, Act::Send { to: person("ana"), body: body.clone(), once: None });
        }
        store.commit();
        let walk = Walk::new(EntryId(0), EntryId(10), true);
        let (entries, walk) = store.reader.page(ANA, walk, limits::PAGE_ROWS).unwrap();
        assert_eq!((entries.len(), walk.at, walk.done), (2, EntryId(2), false));
        assert_eq!(store.pages(ANA, true, EntryId(10)).0.len(), 10);
        let ids: Vec<_> = (1..=10).map(EntryId).collect();
        let id = store.reader.direct(Pair::of(ANA, BIA)).unwrap().unwrap().id;
        assert_eq!(store.reader.entries(ANA, id, &ids).unwrap().len(), 2);
    });
}

/// A part of the conversation of Ana and Bia.
fn span(
    store: &mut Bench,
    count: usize,
    after: Option<i64>,
    before: Option<i64>,
) -> (Vec<i64>, bool) {
    let id = store.reader.direct(Pair::of(ANA, BIA)).unwrap().unwrap().id;
    let query =
        SpanQuery { count, before: before.map(EntryId), after: after.map(EntryId), re: None };
    let span = store.reader.span(ANA, id, &query).unwrap();
    (span.ids.into_iter().map(|id| id.0).collect(), span.more)
}

#[test]
fn spans_keep_their_bounds() {
    every_store(|store| {
        // Odd ids are of the conversation that is asked about.
        for n in 0..400 {
            let to = if n % 2 == 0 { "bia" } else { "caio" };
            store.act(ANA, Act::Send { to: person(to), body: "x".into(), once: None });
        }
        store.commit();
        let all: Vec<i64> = (1..400).step_by(2).collect();
        let (after, before) = (Some(100), Some(300));
        assert_eq!(span(store, 1000, None, None), (all.clone(), false));
        assert_eq!(span(store, 3, None, None), (vec![395, 397, 399], true));
        assert_eq!(span(store, 3, after, None), (vec![101, 103, 105], true));
        assert_eq!(span(store, 3, None, before), (vec![295, 297, 299], true));
        assert_eq!(span(store, 3, after, before), (vec![295, 297, 299], true));
        assert_eq!(span(store, 1000, after, before), (all[50..150].to_vec(), false));
        assert_eq!(span(store, 3, Some(395), None), (vec![397, 399], false));
        assert_eq!(span(store, 3, None, Some(4)), (vec![1, 3], false));
        assert_eq!(span(store, 3, None, Some(1)), (vec![], false));
        assert_eq!(span(store, 3, Some(399), None), (vec![], false));
        assert_eq!(span(store, 3, None, Some(i64::MAX)), (vec![395, 397, 399], true));
        assert_eq!(span(store, 3, Some(i64::MAX), None), (vec![], false));
        assert_eq!(span(store, 3, Some(i64::MAX), Some(0)), (vec![], false));
    });
}

#[test]
fn receipts_are_found_by_whom_they_concern() {
    every_store(|store| {
        let receipts = |store: &mut Bench, me, after| -> Vec<(Cursor, i64)> {
            let found = store.reader.receipts(me, after, MoveNumber(i64::MAX)).unwrap();
            assert_eq!(found.through, store.chat.newest().moved);
            found.list.into_iter().map(|(_, r)| (r.cursor, r.id.0)).collect()
        };
        let start = MoveNumber(0);
        store.send(ANA, "bia", "1");
        store.send(ANA, "bia", "2");
        store.advance(BIA, Cursor::Delivered, EntryId(1));
        assert_eq!(receipts(store, ANA, start), [(Cursor::Delivered, 1)]);
        assert_eq!(receipts(store, BIA, start), [], "one's own moves are no receipts");
        assert_eq!(receipts(store, CAIO, start), []);
        store.now += 5_000;
        store.advance(BIA, Cursor::Read, EntryId(1));
        assert_eq!(receipts(store, ANA, start), [(Cursor::Read, 1)], "a READ says ACK too");
        store.advance(BIA, Cursor::Delivered, EntryId(2));
        let both = [(Cursor::Read, 1), (Cursor::Delivered, 2)];
        assert_eq!(receipts(store, ANA, start), both);
        let shown = store.chat.newest().moved;
        assert_eq!(receipts(store, ANA, shown), []);
        // What bia writes takes her cursors along, and names no other entry than her move did.
        store.advance(BIA, Cursor::Read, EntryId(2));
        store.send(BIA, "ana", "3");
        assert_eq!(receipts(store, ANA, shown), [(Cursor::Read, 2)]);
        // Bia's own entry is the only one she passes: nobody is concerned.
        let shown = store.chat.newest().moved;
        store.now += 5_000;
        store.send(ANA, "bia", "4");
        store.send(BIA, "ana", "5");
        store.advance(BIA, Cursor::Read, EntryId(4));
        let crossed = store.chat.newest().moved;
        store.now += 5_000;
        store.advance(BIA, Cursor::Read, EntryId(5));
        assert_eq!(receipts(store, ANA, shown), [(Cursor::Read, 5)]);
        assert_eq!(receipts(store, ANA, crossed), [], "no entry of ana's was passed after that");
    });
}

/// Somebody who has left before most edits of a message sees the last one before, and the others page
/// through all.
#[test]
fn a_message_may_be_edited_for_ever() {
    every_store(|store| {
        let change = GroupChange::New(vec![handle("bia")]);
        store.act(ANA, Act::Group { name: handle("team"), change });
        let to = Target::Group(handle("team"));
        store.act(ANA, Act::Send { to, body: "0".into(), once: None });
        let about = store.chat.newest().entry;
        let edits = 2 * limits::PAGE_ROWS + 2;
        for n in 1..=edits {
            if n == 3 {
                let change = GroupChange::Remove(handle("bia"));
                store.act(ANA, Act::Group { name: handle("team"), change });
            }
            store.act(ANA, Act::Edit { about, body: n.to_string() });
        }
        store.commit();
        let (team, _) = store.reader.membership(ANA, &handle("team")).unwrap().unwrap();
        for (me, last) in [(ANA, edits), (BIA, 2)] {
            let rows = store.reader.entries(me, team, &[about]).unwrap();
            assert_eq!(&*rows[0].body, last.to_string());
            let (mut found, mut after) = (Vec::new(), Some(EntryId(0)));
            while let Some(from) = after {
                let page = store.reader.marks(me, about, from).unwrap().unwrap();
                found.extend(page.rows.into_iter().map(|row| row.body.into_string()));
                after = page.next;
            }
            assert_eq!(found, (0..=last).map(|n| n.to_string()).collect::<Vec<_>>());
        }
    });
}
