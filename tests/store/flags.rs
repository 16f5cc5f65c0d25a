//! Flags of conversations: random lives of three people, checked against a model; and someone with
//! hundreds of chats, many of which began with a flag.

use std::collections::BTreeMap;

use papo::chat::Act;
use papo::chat_flags::{ChatFlag, FlagValue};
use papo::entry::{AccountId, Cursor, EntryId, Millis};
use papo::limits;
use papo::name::{DisplayName, Target};
use papo::wire::request::FlagSetting;
use papo::wire::rows::flag_text;
use proptest::prelude::*;
use proptest::sample::select;

use crate::bench::{ANA, BIA, Bench, CAIO, every_store, handle, person};

const PEOPLE: [(AccountId, &str); 3] = [(ANA, "ana"), (BIA, "bia"), (CAIO, "caio")];

#[derive(Clone, Debug)]
enum Turn {
    Send(usize, usize),
    Flag(usize, usize, ChatFlag, FlagSetting),
    Read(usize, u8),
    Tick,
    Commit,
}

fn turn() -> impl Strategy<Value = Turn> {
    let who = || 0..PEOPLE.len();
    let set = prop_oneof![Just(FlagSetting::Off), Just(FlagSetting::On), Just(FlagSetting::For(2))];
    let flag = (who(), who(), select(ChatFlag::ALL.to_vec()), set);
    prop_oneof![
        3 => (who(), who()).prop_map(|(from, to)| Turn::Send(from, to)),
        4 => flag.prop_map(|(who, to, flag, set)| Turn::Flag(who, to, flag, set)),
        3 => (who(), any::<u8>()).prop_map(|(who, id)| Turn::Read(who, id)),
        1 => Just(Turn::Tick),
        2 => Just(Turn::Commit),
    ]
}

/// An entry: a message between two, or a flag.
struct Said {
    from: usize,
    to: usize,
    text: String,
    is_void: bool,
}

#[derive(Default)]
struct Model {
    /// Their ids are their places from 1.
    log: Vec<Said>,
    /// Of an account and someone else: each flag, and the entry that set it.
    flags: BTreeMap<(usize, usize), BTreeMap<ChatFlag, (FlagValue, usize)>>,
    /// Up to where somebody has read what is between the two.
    read: BTreeMap<(usize, usize), usize>,
}

impl Model {
    fn say(&mut self, from: usize, to: usize) {
        let read = self.read.entry((from, to)).or_default();
        let waits = |said: &Said| said.from == to && said.to == from;
        if from == to || !self.log[*read..].iter().any(waits) {
            *read = self.log.len() + 1;
        }
        self.log.push(Said { from, to, text: "x".into(), is_void: false });
    }

    fn flag(&mut self, who: usize, to: usize, flag: ChatFlag, value: FlagValue, now: Millis) {
        let known = self.flags.entry((who, to)).or_default().get(&flag).copied();
        let was = known.map_or(FlagValue::Off, |(value, _)| value);
        if was == value || (value == FlagValue::Off && !was.is_on(now)) {
            return;
        }
        if let Some((_, mark)) = known {
            self.log[mark - 1].is_void = true;
        }
        let text = flag_text(&person(PEOPLE[to].1), flag, value);
        self.log.push(Said { from: who, to: who, text, is_void: false });
        let mark = self.log.len();
        self.flags.entry((who, to)).or_default().insert(flag, (value, mark));
        self.read.insert((who, who), mark);
    }

    fn read(&mut self, who: usize, id: usize) {
        let Some(said) = id.checked_sub(1).and_then(|at| self.log.get(at)) else { return };
        if said.from != who && said.to != who {
            return;
        }
        let other = if said.from == who { said.to } else { said.from };
        let read = self.read.entry((who, other)).or_default();
        if id <= *read {
            return;
        }
        *read = id;
        let flags = self.flags.entry((who, other)).or_default();
        if let Some((value, mark)) = flags.get(&ChatFlag::Unread).copied()
            && value != FlagValue::Off
        {
            flags.remove(&ChatFlag::Unread);
            self.log[mark - 1].is_void = true;
        }
    }

    fn compare(&self, store: &mut Bench) {
        let now = Millis(store.now);
        for (me, (account, _)) in PEOPLE.into_iter().enumerate() {
            let rows = store.chats(account);
            for (other, (_, name)) in PEOPLE.into_iter().enumerate() {
                let row = rows.iter().find(|row| row.to == person(name));
                let is_said = |said: &Said| {
                    said.text == "x" && [(me, other), (other, me)].contains(&(said.from, said.to))
                };
                assert_eq!(row.is_some(), self.log.iter().any(is_said), "CHATS of {me}: {name}");
                let Some(row) = row else { continue };
                let known = self.flags.get(&(me, other)).into_iter().flatten();
                let on = known.filter_map(|(flag, (value, _))| match value {
                    FlagValue::On => Some((*flag, None)),
                    FlagValue::Until(end) if *end > now => Some((*flag, Some(*end))),
                    _ => None,
                });
                assert_eq!(row.flags.on(now).collect::<Vec<_>>(), on.collect::<Vec<_>>());
            }
            let newest = EntryId(self.log.len() as i64);
            let seen = |said: &&Said| said.from == me || said.to == me;
            let all = self.log.iter().zip(1..).filter(|(said, _)| seen(said) && !said.is_void);
            let all: Vec<(i64, String)> = all.map(|(said, id)| (id, said.text.clone())).collect();
            assert_eq!(store.pages(account, false, newest).0, all, "SYNC of {me}");
            // A flag never waits for the one who set it, nor for anybody else.
            let waits = store.reader.waiting(account, newest).unwrap();
            assert!(!waits.marks, "a flag waits for {me}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn flags_are_what_a_model_says(turns in prop::collection::vec(turn(), 1..120)) {
        every_store(|store| {
            let mut model = Model::default();
            for turn in &turns {
                match *turn {
                    Turn::Send(from, to) => {
                        let to_whom = person(PEOPLE[to].1);
                        let act = Act::Send { to: to_whom, body: "x".into(), once: None };
                        store.act(PEOPLE[from].0, act);
                        model.say(from, to);
                    }
                    Turn::Flag(who, to, flag, set) => {
                        let now = Millis(store.now);
                        let act = Act::Flag { to: person(PEOPLE[to].1), flag, set };
                        store.act(PEOPLE[who].0, act);
                        model.flag(who, to, flag, set.from(now), now);
                    }
                    Turn::Read(who, id) => {
                        let id = usize::from(id) % (model.log.len() + 2);
                        let id_of = EntryId(id as i64);
                        let act = Act::Advance { cursor: Cursor::Read, id: id_of };
                        store.act(PEOPLE[who].0, act);
                        model.read(who, id);
                    }
                    Turn::Tick => store.now += 1_500,
                    Turn::Commit => {
                        store.commit();
                        model.compare(store);
                    }
                }
            }
            store.commit();
            model.compare(store);
        });
    }
}

#[test]
fn chats_that_began_with_a_flag_are_walked_in_the_order_of_their_entries() {
    every_store(|store| {
        const CHATS: usize = 2 * limits::PAGE_ROWS + 40;
        let name = |n: usize| format!("friend{n}");
        for n in 0..CHATS {
            let name = name(n);
            let (handle, name) = (handle(&name), DisplayName::new(&name).unwrap());
            store.decide(|chat| chat.register(&handle, &name, "hash", Millis(0)));
        }
        store.commit();
        // So that most chats were begun after an entry of Ana's.
        store.send(ANA, "bia", "x");
        let first = store.chat.newest().entry;
        let flag = |store: &mut Bench, to: Target| {
            store.act(ANA, Act::Flag { to, flag: ChatFlag::Pin, set: FlagSetting::On });
        };
        for n in 0..CHATS {
            if n % 3 == 0 {
                flag(store, person(&name(n)));
            } else {
                let to = person(&name(n));
                store.act(ANA, Act::Send { to, body: "x".into(), once: None });
            }
        }
        // The chats with only a flag get their first entries the other way round.
        for n in (0..CHATS).rev().filter(|n| n % 6 == 0) {
            store.act(ANA, Act::Send { to: person(&name(n)), body: "x".into(), once: None });
        }
        store.commit();
        let newest = store.chat.newest().entry;
        let (all, pages) = store.pages(ANA, false, newest);
        let ids: Vec<i64> = all.iter().map(|(id, _)| *id).collect();
        assert_eq!(ids, (1..=newest.0).collect::<Vec<_>>());
        assert!(pages > 2);
        for from in [first.0, first.0 + 1, newest.0 / 2, newest.0 - 1] {
            let mut walk = papo::store::Walk::new(EntryId(from), newest, false);
            let mut seen = Vec::new();
            while !walk.done {
                let rows;
                (rows, walk) = store.reader.page(ANA, walk, limits::PAGE_ROWS).unwrap();
                seen.extend(rows.into_iter().map(|row| row.id.0));
            }
            assert_eq!(seen, (from + 1..=newest.0).collect::<Vec<_>>(), "from {from}");
        }
        assert_eq!(store.chats(ANA).len(), CHATS + 1 - (0..CHATS).filter(|n| n % 6 == 3).count());
    });
}

#[test]
fn flags_hold_when_the_entries_that_set_them_have_expired() {
    every_store(|store| {
        let flag = |store: &mut Bench, to, flag, set| {
            store.act(ANA, Act::Flag { to: person(to), flag, set });
            store.commit();
        };
        let on = |store: &mut Bench, to| {
            let row = store.chats(ANA).into_iter().find(|row| row.to == person(to)).unwrap();
            row.flags.on(Millis(store.now)).collect::<Vec<_>>()
        };
        store.send(BIA, "ana", "x");
        flag(store, "bia", ChatFlag::Mute, FlagSetting::On);
        // With nothing else in her notes, nor with him.
        flag(store, "caio", ChatFlag::Pin, FlagSetting::On);
        let upto = store.chat.newest().entry;
        store.forget(upto);
        assert!(store.chats(ANA).is_empty());
        assert_eq!(store.pages(ANA, false, upto).0, []);
        let id = store.send(BIA, "ana", "y").0;
        assert_eq!(on(store, "bia"), [(ChatFlag::Mute, None)]);
        flag(store, "bia", ChatFlag::Mute, FlagSetting::Off);
        assert_eq!(on(store, "bia"), []);
        store.send(CAIO, "ana", "z");
        assert_eq!(on(store, "caio"), [(ChatFlag::Pin, None)]);
        let all = store.pages(ANA, false, store.chat.newest().entry).0;
        let texts = ["y", "bia mute off", "z"].map(String::from);
        assert_eq!(all, (id..).zip(texts).collect::<Vec<_>>());
    });
}
