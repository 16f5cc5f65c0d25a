//! What is read while `read` is off stays unknown to the other, for ever: random lives of a chat of
//! two, checked against a model.

use crate::bench::{ANA, BIA, Bench, every_store, person};
use papo::chat::Act;
use papo::entry::{AccountId, Cursor, EntryId, MoveNumber};
use papo::preferences::Preference;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Turn {
    Send(usize),
    Move(usize, Cursor, u8),
    Prefer(usize, bool),
    Tick,
    Commit,
}

fn turn() -> impl Strategy<Value = Turn> {
    let cursor = prop_oneof![Just(Cursor::Delivered), Just(Cursor::Read)];
    prop_oneof![
        4 => (0..2usize).prop_map(Turn::Send),
        5 => (0..2usize, cursor, any::<u8>()).prop_map(|(who, c, id)| Turn::Move(who, c, id)),
        2 => (0..2usize, any::<bool>()).prop_map(|(who, on)| Turn::Prefer(who, on)),
        1 => Just(Turn::Tick),
        2 => Just(Turn::Commit),
    ]
}

/// One of the two, as the model knows it.
#[derive(Clone, Copy, Default)]
struct Person {
    /// Where its two cursors stand.
    stands: [usize; 2],
    /// The last entry that a move of the delivered one named.
    delivered: usize,
    /// Up to where the other may know that it has read.
    shown: usize,
    /// Its last own entry.
    last_own: usize,
    is_off: bool,
}

const PEOPLE: [(AccountId, &str); 2] = [(ANA, "ana"), (BIA, "bia")];

/// Compares what each may know of the other.
fn compare(store: &mut Bench, people: &[Person; 2], entries: usize) {
    for (me, (account, _)) in PEOPLE.into_iter().enumerate() {
        let (mine, theirs) = (people[me], people[1 - me]);
        let learned = if mine.is_off { 0 } else { theirs.shown };
        for id in 1..=entries {
            let page = store.reader.info(account, EntryId(id as i64), AccountId(0)).unwrap();
            for row in page.unwrap().rows {
                if row.handle.as_str() != PEOPLE[me].1 {
                    assert_eq!(row.delivered.is_some(), theirs.delivered >= id, "INFO {id}");
                    assert_eq!(row.read.is_some(), learned >= id, "INFO {id}");
                }
            }
        }
        let missed = store.reader.receipts(account, MoveNumber(0), MoveNumber(i64::MAX)).unwrap();
        let of = |cursor| {
            let all = missed.list.iter().filter(|(_, receipt)| receipt.cursor == cursor);
            all.map(|(_, receipt)| receipt.id.0 as usize).next()
        };
        let due = |upto| Some(upto).filter(|upto| *upto > 0 && mine.last_own > 0);
        assert_eq!(of(Cursor::Read), due(learned), "a receipt of what was read");
        let delivered = Some(theirs.delivered).filter(|upto| *upto > learned);
        assert_eq!(of(Cursor::Delivered), delivered.and_then(due), "a receipt of what came");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn what_is_read_privately_is_never_shown(turns in prop::collection::vec(turn(), 1..120)) {
        every_store(|store| {
            let mut people = [Person::default(); 2];
            // Of each entry its author.
            let mut log: Vec<usize> = Vec::new();
            for turn in &turns {
                match *turn {
                    Turn::Send(who) => {
                        let (account, _) = PEOPLE[who];
                        let to = person(PEOPLE[1 - who].1);
                        store.act(account, Act::Send { to, body: "x".into(), once: None });
                        // A cursor goes along where nothing waits above it.
                        for at in &mut people[who].stands {
                            if !log[*at..].contains(&(1 - who)) {
                                *at = log.len() + 1;
                            }
                        }
                        log.push(who);
                        people[who].last_own = log.len();
                    }
                    Turn::Prefer(who, on) => {
                        store.act(PEOPLE[who].0, Act::Prefer(Preference::Read(on)));
                        people[who].is_off = !on;
                    }
                    Turn::Tick => store.now += 1_500,
                    Turn::Commit => {
                        store.commit();
                        compare(store, &people, log.len());
                    }
                    Turn::Move(who, cursor, id) => {
                        let id = usize::from(id) % (log.len() + 2);
                        let (account, _) = PEOPLE[who];
                        store.act(account, Act::Advance { cursor, id: EntryId(id as i64) });
                        if id == 0 || id > log.len() {
                            continue;
                        }
                        let them = &mut people[who];
                        let [delivered, read] = &mut them.stands;
                        if cursor == Cursor::Read {
                            if id <= *read {
                                continue;
                            }
                            *read = id;
                            if !them.is_off {
                                them.shown = id;
                            }
                        }
                        if id > *delivered {
                            (*delivered, them.delivered) = (id, id);
                        }
                    }
                }
            }
            store.commit();
            compare(store, &people, log.len());
        });
    }
}
