//! Lists that are read in parts: all of them is what one question would say, and no part is long.

use crate::bench::{ANA, BIA, Bench, CAIO, every_store, handle};
use papo::chat::Act;
use papo::entry::{AccountId, ConversationId, Cursor, Millis};
use papo::limits;
use papo::name::{DisplayName, Handle, Target};
use papo::store::{Error, ListPage, Reader};
use papo::wire::request::GroupChange;

/// Accounts beside ana, bia and caio: three parts of a list, the last one short.
const CROWD: i64 = 2 * limits::LIST_ROWS + 10;

fn name(n: i64) -> Handle {
    // In another order than the numbers.
    handle(&format!("user-{}", (n * 7_919) % 10_007))
}

/// Registers a crowd, and makes a group of ana, bia and all of them.
fn team(store: &mut Bench) {
    for n in 0..CROWD {
        let (handle, name) = (name(n), DisplayName::new("One of many").unwrap());
        store.decide(|chat| chat.register(&handle, &name, "hash", Millis(0)));
    }
    store.commit();
    let mut members: Vec<Handle> = (0..CROWD).map(name).collect();
    members.push(handle("bia"));
    store.group(ANA, "team", &members);
}

/// All parts of a list, and how many there were.
fn parts<T, N>(
    store: &mut Bench,
    least: N,
    ask: impl Fn(&mut dyn Reader, N) -> Result<ListPage<T, N>, Error>,
) -> (Vec<T>, usize) {
    let (mut all, mut after, mut count) = (Vec::new(), Some(least), 0);
    while let Some(number) = after {
        let page = ask(&mut *store.reader, number).unwrap();
        assert!(page.rows.len() as i64 <= limits::LIST_ROWS);
        all.extend(page.rows);
        after = page.next;
        count += 1;
    }
    (all, count)
}

#[test]
fn who_is_in_a_large_group_is_read_in_parts() {
    every_store(|store| {
        team(store);
        // Every second one of the crowd goes.
        let gone = (0..CROWD).step_by(2);
        for n in gone.clone() {
            let change = GroupChange::Remove(name(n));
            store.act(ANA, Act::Group { name: handle("team"), change });
        }
        store.commit();
        let (id, is_in) = store.reader.membership(BIA, &handle("team")).unwrap().unwrap();
        assert!(is_in);
        let (mut who, count) = parts(store, AccountId(0), |reader, after| reader.who(id, after));
        assert_eq!(count, 3);
        let mut expected: Vec<_> = (1..CROWD).step_by(2).map(|n| (name(n), false)).collect();
        expected.extend([(handle("ana"), true), (handle("bia"), false)]);
        who.sort_unstable();
        expected.sort_unstable();
        assert_eq!(who, expected);
        let known = |store: &mut Bench, who, group: &str| {
            store.reader.membership(who, &handle(group)).unwrap()
        };
        assert_eq!(known(store, AccountId(4), "team"), Some((id, false)), "was in it");
        assert_eq!(known(store, CAIO, "team"), None, "never was");
        assert_eq!(known(store, ANA, "nobodys"), None);
    });
}

#[test]
fn what_became_of_an_entry_is_read_in_parts_and_says_who_has_left() {
    every_store(|store| {
        team(store);
        let act = Act::Send { to: Target::Group(handle("team")), body: "hi".into(), once: None };
        store.act(ANA, act);
        store.commit();
        let id = store.chat.newest().entry;
        let (first, second) = (AccountId(4), AccountId(5));
        store.advance(first, Cursor::Read, id);
        store.advance(second, Cursor::Delivered, id);
        for who in [first, second] {
            store.act(who, Act::Group { name: handle("team"), change: GroupChange::Leave });
        }
        store.commit();
        let (rows, count) =
            parts(store, AccountId(0), |reader, after| Ok(reader.info(BIA, id, after)?.unwrap()));
        assert_eq!((rows.len() as i64, count), (CROWD + 1, 3));
        let row = |n: i64| rows.iter().find(|row| row.handle == name(n)).unwrap();
        let said = |n| (row(n).delivered.is_some(), row(n).read.is_some(), row(n).left);
        assert_eq!(said(0), (true, true, true));
        assert_eq!(said(1), (true, false, true));
        assert_eq!(said(2), (false, false, false));
        assert!(store.reader.info(CAIO, id, AccountId(0)).unwrap().is_none());
    });
}

#[test]
fn whom_one_has_blocked_is_read_in_parts() {
    every_store(|store| {
        team(store);
        for n in 0..CROWD {
            store.act(BIA, Act::Block { whom: name(n), on: true });
        }
        store.commit();
        let (mut blocked, count) =
            parts(store, AccountId(0), |reader, after| reader.blocks(BIA, after));
        assert_eq!(count, 3);
        let mut expected: Vec<_> = (0..CROWD).map(name).collect();
        blocked.sort_unstable();
        expected.sort_unstable();
        assert_eq!(blocked, expected);
    });
}

#[test]
fn the_groups_one_is_in_are_read_in_parts() {
    every_store(|store| {
        team(store);
        // Each counts as many members, so a part has few of them.
        let most = limits::LIST_COUNTED / CROWD + 1;
        let groups = 2 * most + 1;
        let crowd: Vec<Handle> = (0..CROWD).map(name).collect();
        for n in 0..groups {
            store.group(BIA, &format!("group-{n:03}"), &crowd);
        }
        store.act(BIA, Act::Group { name: handle("group-001"), change: GroupChange::Leave });
        store.send(BIA, "ana", "no group");
        let (mut names, count) =
            parts(store, ConversationId(0), |reader, after| reader.group_names(BIA, after));
        assert_eq!((names.len() as i64, count), (groups, 1), "one was left, one is ana's");
        names.sort_unstable();
        let ids: Vec<_> = names.into_iter().map(|(_, id)| id).collect();
        let (rows, count) = parts(store, 0, |reader, at| {
            let page = reader.group_rows(BIA, &ids[at..])?;
            Ok(ListPage { next: page.next.map(|next| at + next), ..page })
        });
        assert_eq!((rows.len() as i64, count), (groups, 3));
        for (row, n) in rows.iter().zip((0..groups).filter(|n| *n != 1)) {
            assert_eq!((row.name.as_str(), row.members), (&*format!("group-{n:03}"), CROWD + 1));
        }
    });
}
