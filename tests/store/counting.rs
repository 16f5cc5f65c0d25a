//! Counting by arithmetic gives what a look at every entry would: random lives of a chat of two and
//! of a group, checked against a model that keeps everything.

use crate::bench::{ANA, BIA, Bench, CAIO, every_store, handle, person};
use papo::chat::Act;
use papo::entry::{AccountId, Cursor, EntryId, Millis};
use papo::group_rules::GroupRule;
use papo::name::Target;
use papo::store::SpanQuery;
use papo::wire::request::{DueTime, GroupChange};
use proptest::prelude::*;

/// One step of a random conversation of two.
#[derive(Clone, Debug)]
enum Step {
    Send(bool),
    Move(bool, Cursor, u8),
    Tick,
    Forget(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let cursor = prop_oneof![Just(Cursor::Delivered), Just(Cursor::Read)];
    prop_oneof![
        4 => any::<bool>().prop_map(Step::Send),
        3 => (any::<bool>(), cursor, any::<u8>()).prop_map(|(who, c, id)| Step::Move(who, c, id)),
        1 => Just(Step::Tick),
        1 => any::<u8>().prop_map(Step::Forget),
    ]
}

/// One step of a random life of a group of three, whose admin is Ana.
#[derive(Clone, Debug)]
enum Turn {
    Send(usize),
    Add(usize),
    Remove(usize),
    Leave(usize),
    Join(usize),
    Move(usize, Cursor, u8),
    Commit,
    Tick,
    Forget(u8),
}

fn turn() -> impl Strategy<Value = Turn> {
    let cursor = prop_oneof![Just(Cursor::Delivered), Just(Cursor::Read)];
    prop_oneof![
        6 => (0..3usize).prop_map(Turn::Send),
        2 => (1..3usize).prop_map(Turn::Add),
        2 => (1..3usize).prop_map(Turn::Remove),
        2 => (1..3usize).prop_map(Turn::Leave),
        2 => (1..3usize).prop_map(Turn::Join),
        4 => (0..3usize, cursor, any::<u8>()).prop_map(|(who, c, id)| Turn::Move(who, c, id)),
        2 => Just(Turn::Commit),
        1 => Just(Turn::Tick),
        1 => any::<u8>().prop_map(Turn::Forget),
    ]
}

/// An entry above the floor, or the floor itself.
fn above(floor: usize, newest: usize, part: u8) -> usize {
    floor + (newest - floor) * usize::from(part) / 255
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// In a group, too: whatever comes and goes, what is counted, paged and shown is what a look at
    /// every entry gives.
    #[test]
    fn a_group_counts_and_shows_what_a_scan_would(turns in prop::collection::vec(turn(), 1..400)) {
        every_store(|store| {
            let people = [(ANA, "ana"), (BIA, "bia"), (CAIO, "caio")];
            let group = || Target::Group(handle("team"));
            let change = |store: &mut Bench, change| {
                store.act(ANA, Act::Group { name: handle("team"), change });
            };
            change(store, GroupChange::New(Vec::new()));
            // Of each entry: its author, and who may see it.
            change(store, GroupChange::Rule(GroupRule::Open(true)));
            let mut log = vec![(0, [true, false, false]); 2];
            let mut is_in = [true, false, false];
            let mut is_removed = [false; 3];
            let mut delivered = [0usize; 3];
            let mut read = [0usize; 3];
            let mut floor = 0;
            for turn in &turns {
                match *turn {
                    Turn::Commit => store.commit(),
                    Turn::Tick => store.now += 1_500,
                    Turn::Forget(part) => {
                        floor = above(floor, log.len(), part);
                        store.forget(EntryId(floor as i64));
                    }
                    Turn::Send(who) => {
                        let (me, _) = people[who];
                        store.act(me, Act::Send { to: group(), body: "x".into(), once: None });
                        if is_in[who] {
                            log.push((who, is_in));
                        }
                    }
                    Turn::Add(who) => {
                        change(store, GroupChange::Add(vec![handle(people[who].1)]));
                        if !std::mem::replace(&mut is_in[who], true) {
                            log.push((0, is_in));
                        }
                        is_removed[who] = false;
                    }
                    Turn::Join(who) => {
                        let change = GroupChange::Join { token: None };
                        store.act(people[who].0, Act::Group { name: handle("team"), change });
                        if !is_removed[who] && !std::mem::replace(&mut is_in[who], true) {
                            log.push((who, is_in));
                        }
                    }
                    Turn::Leave(who) => {
                        let change = GroupChange::Leave;
                        store.act(people[who].0, Act::Group { name: handle("team"), change });
                        if is_in[who] {
                            log.push((who, is_in));
                            is_in[who] = false;
                        }
                    }
                    Turn::Remove(who) => {
                        change(store, GroupChange::Remove(handle(people[who].1)));
                        if is_in[who] {
                            log.push((0, is_in));
                            (is_in[who], is_removed[who]) = (false, true);
                        }
                    }
                    Turn::Move(who, cursor, id) => {
                        let id = usize::from(id) % (log.len() + 2);
                        store.act(people[who].0, Act::Advance { cursor, id: EntryId(id as i64) });
                        if id > floor && log.get(id - 1).is_some_and(|(_, seen)| seen[who]) {
                            delivered[who] = delivered[who].max(id);
                            if cursor == Cursor::Read {
                                read[who] = read[who].max(id);
                            }
                        }
                    }
                }
            }
            store.commit();
            assert_eq!(store.chat.newest().entry.0, log.len() as i64);
            for (who, (me, _)) in people.into_iter().enumerate() {
                let left = log.iter().zip(1..).skip(floor);
                let all = left.filter(|((_, seen), _)| seen[who]);
                let all: Vec<(usize, i64)> = all.map(|((author, _), id)| (*author, id)).collect();
                let above = |after: usize| -> Vec<i64> {
                    let after = after as i64;
                    let waits = |(author, id): &&(usize, i64)| *id > after && *author != who;
                    all.iter().filter(waits).map(|(_, id)| *id).collect()
                };
                let (waiting, unread) = (above(delivered[who]), above(read[who]));
                let ids = |pages: (Vec<(i64, String)>, usize)| -> Vec<i64> {
                    pages.0.into_iter().map(|(id, _)| id).collect()
                };
                let newest = EntryId(log.len() as i64);
                assert_eq!(store.waiting(me), waiting.len() as u64, "{who} waiting");
                assert_eq!(ids(store.pages(me, true, newest)), waiting, "{who} pages");
                let all: Vec<i64> = all.into_iter().map(|(_, id)| id).collect();
                assert_eq!(ids(store.pages(me, false, newest)), all, "{who} sees");
                let rows: Vec<_> = store.chats(me).into_iter().map(|r| (r.last.0, r.unread)).collect();
                let want = all.last().map(|last| (*last, unread.len() as i64));
                assert_eq!(rows, want.into_iter().collect::<Vec<_>>(), "{who} chats");
                if let Some((group, _)) = store.reader.membership(me, &handle("team")).unwrap() {
                    for (count, before, after) in
                        [(1000, None, None), (3, Some(9), None), (3, None, Some(4)), (2, Some(20), Some(3))]
                    {
                        let query = SpanQuery {
                            count,
                            before: before.map(EntryId),
                            after: after.map(EntryId),
                            re: None,
                        };
                        let span = store.reader.span(me, group, &query).unwrap();
                        let within = |id: &i64| {
                            before.is_none_or(|b| *id < b) && after.is_none_or(|a| *id > a)
                        };
                        let mut want: Vec<i64> = all.iter().copied().filter(within).collect();
                        assert_eq!(span.more, want.len() > count);
                        if after.is_none() || before.is_some() {
                            want = want.split_off(want.len().saturating_sub(count));
                        }
                        want.truncate(count);
                        assert_eq!(span.ids.iter().map(|id| id.0).collect::<Vec<_>>(), want);
                    }
                }
            }
            // What is forgotten changes nothing of what became of the others.
            let middle = above(floor, log.len(), 128) as i64;
            let infos = |store: &mut Bench| -> Vec<_> {
                let ids = (middle + 1..=log.len() as i64).step_by(7);
                ids.map(|id| store.reader.info(ANA, EntryId(id), AccountId(0)).unwrap().unwrap()).collect()
            };
            let before = infos(store);
            store.forget(EntryId(middle));
            assert_eq!(infos(store), before);
            assert!(store.reader.info(ANA, EntryId(middle), AccountId(0)).unwrap().is_none());
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Counting by arithmetic gives what counting by looking at every entry would.
    #[test]
    fn counts_are_what_a_scan_would_count(steps in prop::collection::vec(step(), 1..200)) {
        every_store(|store| {
            let mut authors = Vec::new();
            let (mut delivered, mut read) = ([0i64; 2], [0i64; 2]);
            let mut floor = 0;
            let index = |who: bool| usize::from(who);
            for step in &steps {
                match *step {
                    Step::Tick => store.now += 1_500,
                    Step::Forget(part) => {
                        floor = above(floor, authors.len(), part);
                        store.forget(EntryId(floor as i64));
                    }
                    Step::Send(who) => {
                        let (from, to) = if who { (BIA, "ana") } else { (ANA, "bia") };
                        store.act(from, Act::Send { to: person(to), body: "x".into(), once: None });
                        authors.push(who);
                    }
                    Step::Move(who, cursor, id) => {
                        let me = if who { BIA } else { ANA };
                        let id = i64::from(id) % (authors.len() as i64 + 1);
                        store.act(me, Act::Advance { cursor, id: EntryId(id) });
                        if id > floor as i64 {
                            delivered[index(who)] = delivered[index(who)].max(id);
                            if cursor == Cursor::Read {
                                read[index(who)] = read[index(who)].max(id);
                            }
                        }
                    }
                }
            }
            store.commit();
            for (who, me) in [(false, ANA), (true, BIA)] {
                let above = |after: i64| {
                    authors.iter().skip(floor.max(after as usize)).filter(|a| **a != who).count()
                };
                let count = above(delivered[index(who)]);
                assert_eq!(store.waiting(me), count as u64);
                assert_eq!(store.pages(me, true, EntryId(i64::MAX)).0.len(), count);
                let unread: Vec<_> = store.chats(me).into_iter().map(|row| row.unread).collect();
                let want = (authors.len() > floor).then_some(above(read[index(who)]) as i64);
                assert_eq!(unread, want.into_iter().collect::<Vec<_>>());
            }
        });
    }
}

/// One step of a random life of somebody's notes.
#[derive(Clone, Debug)]
enum Note {
    Own,
    Late,
    /// A reaction to a note, or its deletion.
    Mark(u8, bool),
    Move(Cursor, u8),
    Commit,
    Tick,
    Forget(u8),
}

fn note() -> impl Strategy<Value = Note> {
    let cursor = prop_oneof![Just(Cursor::Delivered), Just(Cursor::Read)];
    prop_oneof![
        4 => Just(Note::Own),
        4 => Just(Note::Late),
        3 => (any::<u8>(), any::<bool>()).prop_map(|(id, ends)| Note::Mark(id, ends)),
        3 => (cursor, any::<u8>()).prop_map(|(cursor, id)| Note::Move(cursor, id)),
        2 => Just(Note::Commit),
        1 => Just(Note::Tick),
        1 => any::<u8>().prop_map(Note::Forget),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Notes that come late wait for their author, deleted or not; all others do not, nor do marks.
    #[test]
    fn notes_that_come_late_wait_and_no_others(notes in prop::collection::vec(note(), 1..200)) {
        every_store(|store| {
            // Of each id: whether it waits until it is acknowledged; `None`: a mark.
            let mut log: Vec<Option<bool>> = Vec::new();
            let (mut delivered, mut read, mut floor) = (0, 0, 0);
            let mut words = 0;
            let message = |log: &[Option<bool>], part: u8| {
                let ids: Vec<usize> = (1..).zip(log).filter(|(_, note)| note.is_some()).map(|(id, _)| id).collect();
                ids.get(usize::from(part) % ids.len().max(1)).copied()
            };
            for note in &notes {
                match *note {
                    Note::Own => {
                        store.act(ANA, Act::Send { to: person("ana"), body: "x".into(), once: None });
                        log.push(Some(false));
                    }
                    Note::Late => {
                        let command = "MSG ana x";
                        let (due, act) = (DueTime::In(0), Box::new(Act::stored(command).unwrap()));
                        store.act(ANA, Act::Schedule { due, unless: None, act, command: command.into() });
                        let (account, later) = store.chat.take_at_once().unwrap();
                        let (mut act, now) = (Act::stored(command), Millis(store.now));
                        store.decide(|chat| chat.carry_out_later(account, &later, &mut act, now));
                        log.push(Some(true));
                    }
                    Note::Mark(part, ends) => {
                        let Some(id) = message(&log, part).filter(|id| *id > floor) else { continue };
                        let about = EntryId(id as i64);
                        words += 1;
                        let word = Some(format!("w{words}").into());
                        let act = if ends { Act::Delete { about } } else { Act::React { about, word } };
                        let before = store.chat.newest().entry;
                        store.act(ANA, act);
                        // A message that was deleted has no more marks.
                        log.extend((store.chat.newest().entry > before).then_some(None));
                    }
                    Note::Move(cursor, part) => {
                        let id = above(0, log.len(), part);
                        store.act(ANA, Act::Advance { cursor, id: EntryId(id as i64) });
                        if id > floor {
                            delivered = delivered.max(id);
                            if cursor == Cursor::Read {
                                read = read.max(id);
                            }
                        }
                    }
                    Note::Commit => store.commit(),
                    Note::Tick => store.now += 1_500,
                    Note::Forget(part) => {
                        floor = above(floor, log.len(), part);
                        store.forget(EntryId(floor as i64));
                    }
                }
            }
            store.commit();
            let above = |after: usize| -> Vec<i64> {
                let left = (1..).zip(&log).skip(floor.max(after));
                left.filter(|(_, note)| **note == Some(true)).map(|(id, _)| id).collect()
            };
            let waiting = above(delivered);
            assert_eq!(store.waiting(ANA), waiting.len() as u64);
            for upto in [log.len() / 2, log.len()] {
                let upto = EntryId(upto as i64);
                let want = waiting.iter().filter(|id| **id <= upto.0).count() as u64;
                assert_eq!(store.reader.waiting(ANA, upto).unwrap().count, want);
            }
            let pages = store.pages(ANA, true, EntryId(i64::MAX)).0;
            assert_eq!(pages.into_iter().map(|(id, _)| id).collect::<Vec<_>>(), waiting);
            let unread: Vec<_> = store.chats(ANA).into_iter().map(|row| row.unread).collect();
            let is_left = log.iter().skip(floor).any(Option::is_some);
            let want = is_left.then_some(above(read).len() as i64);
            assert_eq!(unread, want.into_iter().collect::<Vec<_>>());
        });
    }
}

#[test]
fn what_comes_after_all_was_forgotten_waits() {
    every_store(|store| {
        store.send(BIA, "ana", "one");
        store.send(BIA, "ana", "two");
        let newest = store.chat.newest().entry;
        store.act(ANA, Act::Advance { cursor: Cursor::Delivered, id: newest });
        store.commit();
        store.forget(newest);
        store.send(ANA, "bia", "three");
        store.send(BIA, "ana", "four");
        assert_eq!(store.waiting(ANA), 1);
        assert_eq!(store.pages(ANA, true, EntryId(i64::MAX)).0.len(), 1);
    });
}
