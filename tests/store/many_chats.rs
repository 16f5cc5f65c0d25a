//! Somebody with hundreds of chats: what is found by the ranks of chats is what a look at every entry
//! and every move gives. Random histories against a model that keeps everything; a batch that could
//! not be written leaves nothing behind, and what happens between two pages loses nothing.

use std::collections::BTreeMap;

use crate::bench::{ANA, Bench, every_store, handle, person};
use papo::chat::Act;
use papo::entry::{AccountId, Cursor, EntryId, Millis, MoveNumber};
use papo::limits;
use papo::name::{DisplayName, Target};
use papo::store::{Listing, Walk};
use papo::wire::request::GroupChange;
use proptest::prelude::*;

/// More than two pages, so that the last are looked up late.
const CHATS: usize = 2 * limits::PAGE_ROWS + 40;
/// Members of the group, of those Ana chats with.
const TEAM: usize = 3;

/// A conversation: Ana's chat with a friend, her notes, or the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Talk {
    Friend(usize),
    Notes,
    Team,
}

/// A person: Ana, or a friend.
type Who = Option<usize>;

#[derive(Clone, Debug)]
struct Move {
    number: i64,
    told: i64,
    time: i64,
}

#[derive(Clone, Debug, Default)]
struct Line {
    at: i64,
    moves: Vec<Move>,
}

impl Line {
    /// The moves that are kept: of each second the last.
    fn kept(&self) -> impl Iterator<Item = &Move> {
        let of_a_second = self.moves.chunk_by(|a, b| a.time / 1000 == b.time / 1000);
        of_a_second.filter_map(<[Move]>::last)
    }
}

#[derive(Clone, Debug)]
struct Model {
    /// Of each entry: where, by whom and, of an edit, of which message.
    log: Vec<(Talk, Who, Option<i64>)>,
    lines: BTreeMap<(Talk, Who), [Line; 2]>,
    moved: i64,
    floor: i64,
}

impl Model {
    fn members(talk: Talk) -> Vec<Who> {
        match talk {
            Talk::Friend(n) => vec![None, Some(n)],
            Talk::Notes => vec![None],
            Talk::Team => [None].into_iter().chain((0..TEAM).map(Some)).collect(),
        }
    }

    fn say(&mut self, talk: Talk, who: Who, about: Option<i64>) {
        let newest = self.log.len() as i64 + 1;
        for line in self.lines.entry((talk, who)).or_default() {
            let waits = |(id, (t, by, _)): (usize, &(Talk, Who, Option<i64>))| {
                *t == talk && *by != who && id as i64 + 1 > line.at
            };
            if !self.log.iter().enumerate().any(waits) {
                line.at = newest;
            }
        }
        self.log.push((talk, who, about));
    }

    fn advance(&mut self, who: Who, cursor: Cursor, id: i64, now: i64) {
        let Some((talk, ..)) = usize::try_from(id - 1).ok().and_then(|at| self.log.get(at)) else {
            return;
        };
        if id <= self.floor || !Model::members(*talk).contains(&who) {
            return;
        }
        let lines = self.lines.entry((*talk, who)).or_default();
        let which = if cursor == Cursor::Read { 0..2 } else { 0..1 };
        if id <= lines[which.end - 1].at {
            return;
        }
        self.moved += 1;
        for line in &mut lines[which] {
            if id > line.at {
                line.at = id;
                line.moves.push(Move { number: self.moved, told: id, time: now });
            }
        }
    }

    /// The entries that someone sees, edits included, with their authors.
    fn seen(&self, who: Who) -> impl Iterator<Item = (i64, Talk, Who)> {
        let log = self.log.iter().zip(1..).skip(self.floor as usize);
        let log = log.filter(|((.., about), _)| about.is_none_or(|about| about > self.floor));
        let log = log.map(|((talk, by, _), id)| (id, *talk, *by));
        log.filter(move |(_, talk, _)| Model::members(*talk).contains(&who))
    }

    fn is_edit(&self, id: i64) -> bool {
        self.log[id as usize - 1].2.is_some()
    }

    /// The same without the edits.
    fn counted(&self, who: Who) -> impl Iterator<Item = (i64, Talk, Who)> {
        self.seen(who).filter(|(id, ..)| !self.is_edit(*id))
    }

    /// What waits, edits included.
    fn waiting(&self, who: Who, upto: i64) -> Vec<i64> {
        let at = |talk| self.lines.get(&(talk, who)).map_or(0, |[delivered, _]| delivered.at);
        let waits =
            |(id, talk, by): &(i64, Talk, Who)| *by != who && *id > at(*talk) && *id <= upto;
        self.seen(who).filter(waits).map(|(id, ..)| id).collect()
    }

    fn chats(&self, who: Who) -> Vec<i64> {
        let mut last = BTreeMap::new();
        last.extend(self.counted(who).map(|(id, talk, _)| (talk, id)));
        let mut last: Vec<i64> = last.into_values().collect();
        last.sort_unstable_by(|a, b| b.cmp(a));
        last
    }

    /// The receipts that someone is due since these moves, and after each whether it has to come. If
    /// an earlier move of the same second reached their last message, it is not kept, so the receipt
    /// may come again. It also may if all that it is about has been forgotten.
    fn receipts(&self, me: Who, after: i64, own: i64) -> Vec<((i64, Cursor, i64), bool)> {
        let mut due = Vec::new();
        for ((talk, who), [delivered, read]) in &self.lines {
            let newest = |line: &Line| line.moves.last().map_or((0, 0), |m| (m.number, m.told));
            if *who == me {
                let (number, told) = newest(read);
                due.extend((number > own).then_some(((number, Cursor::Read, told), true)));
                continue;
            }
            let mine = self.counted(me).filter(|(_, t, by)| t == talk && *by == me);
            let mine: Vec<i64> = mine.map(|(id, ..)| id).collect();
            let (Some(first), Some(last)) = (mine.first(), mine.last()) else { continue };
            let (d, r) = (newest(delivered), newest(read));
            let mut add = |line: &Line, cursor, (number, told): (i64, i64)| {
                let is_new = |crossed: Option<&Move>| crossed.map_or(number, |m| m.number) > after;
                if number > after && is_new(line.kept().find(|m| m.told >= *last)) {
                    let is_first = is_new(line.moves.iter().find(|m| m.told >= *last));
                    due.push(((number, cursor, told), is_first && told >= *first));
                }
            };
            add(read, Cursor::Read, r);
            if d.1 > r.1 {
                add(delivered, Cursor::Delivered, d);
            }
        }
        due.sort_unstable_by_key(|((number, cursor, _), _)| {
            (*number, *cursor == Cursor::Delivered)
        });
        due
    }

    /// When an entry came to each of those who see it and did not write it, to the second.
    fn info(&self, id: i64) -> Vec<(Who, [Option<i64>; 2])> {
        let (talk, by, _) = self.log[id as usize - 1];
        let others = Model::members(talk).into_iter().filter(|who| *who != by);
        let times = |who| {
            let lines = self.lines.get(&(talk, who)).cloned().unwrap_or_default();
            lines.map(|line| {
                let first = line.kept().find(|m| m.told >= id).or(line.moves.last());
                first.filter(|_| line.at >= id).map(|m| m.time / 1000 * 1000)
            })
        };
        others.map(|who| (who, times(who))).collect()
    }
}

/// One thing that happens.
#[derive(Clone, Debug)]
enum Step {
    /// To or from a friend.
    Say(u16, bool),
    /// Where something was said last.
    Answer(u8, bool),
    Note,
    SayToTeam(u8),
    /// The author of a message changes it, once.
    Edit(u16),
    Move(bool, Cursor, u16),
    /// The newest is read by whom it is for.
    Read,
    Commit,
    /// The batch could not be written.
    Lose,
    Tick(u16),
    Forget(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let cursor = || prop_oneof![Just(Cursor::Delivered), Just(Cursor::Read)];
    prop_oneof![
        6 => (any::<u16>(), any::<bool>()).prop_map(|(n, mine)| Step::Say(n, mine)),
        6 => (any::<u8>(), any::<bool>()).prop_map(|(n, mine)| Step::Answer(n, mine)),
        1 => Just(Step::Note),
        2 => any::<u8>().prop_map(Step::SayToTeam),
        4 => any::<u16>().prop_map(Step::Edit),
        6 => (any::<bool>(), cursor(), any::<u16>()).prop_map(|(mine, c, id)| Step::Move(mine, c, id)),
        4 => Just(Step::Read),
        3 => Just(Step::Commit),
        1 => Just(Step::Lose),
        4 => any::<u16>().prop_map(|ms| Step::Tick(ms % 3_000)),
        1 => any::<u8>().prop_map(Step::Forget),
    ]
}

/// A store and its model, which go on together.
struct Both<'a> {
    store: &'a mut Bench,
    model: Model,
    /// As of the last commit.
    kept: Model,
}

impl Both<'_> {
    fn account(who: Who) -> AccountId {
        who.map_or(ANA, |n| AccountId(n as i64 + 4))
    }

    fn say(&mut self, talk: Talk, who: Who) {
        let to = match (talk, who) {
            (Talk::Friend(n), None) => person(&format!("f{n}")),
            (Talk::Friend(_), Some(_)) | (Talk::Notes, _) => person("ana"),
            (Talk::Team, _) => Target::Group(handle("team")),
        };
        self.store.act(Both::account(who), Act::Send { to, body: "x".into(), once: None });
        self.model.say(talk, who, None);
    }

    fn advance(&mut self, who: Who, cursor: Cursor, id: i64) {
        self.store.act(Both::account(who), Act::Advance { cursor, id: EntryId(id) });
        self.model.advance(who, cursor, id, self.store.now);
    }

    fn commit(&mut self) {
        self.store.commit();
        self.kept = self.model.clone();
    }

    fn step(&mut self, step: &Step) {
        let newest = self.model.log.len();
        match *step {
            Step::Say(n, mine) => {
                let n = usize::from(n) % CHATS;
                self.say(Talk::Friend(n), if mine { None } else { Some(n) });
            }
            Step::Answer(n, mine) => {
                let at = newest - 1 - usize::from(n) % newest.min(6);
                if let Talk::Friend(n) = self.model.log[at].0 {
                    self.say(Talk::Friend(n), if mine { None } else { Some(n) });
                }
            }
            Step::Note => self.say(Talk::Notes, None),
            Step::SayToTeam(n) => {
                self.say(Talk::Team, usize::from(n).checked_sub(1).map(|n| n % TEAM));
            }
            Step::Edit(part) => {
                let id = (1 + usize::from(part) * newest / 65_536) as i64;
                let (talk, who, about) = self.model.log[id as usize - 1];
                let is_edited = self.model.log.iter().any(|(.., about)| *about == Some(id));
                // The first entry creates the group.
                if id > self.model.floor.max(1) && about.is_none() && !is_edited {
                    let act = Act::Edit { about: EntryId(id), body: "y".into() };
                    self.store.act(Both::account(who), act);
                    self.model.say(talk, who, Some(id));
                }
            }
            Step::Move(mine, cursor, part) => {
                let id = 1 + usize::from(part) * newest / 65_536;
                let who = match self.model.log[id - 1].0 {
                    Talk::Friend(n) if !mine => Some(n),
                    Talk::Team if !mine => Some(usize::from(part) % TEAM),
                    _ => None,
                };
                self.advance(who, cursor, id as i64);
            }
            Step::Read => {
                if let (Talk::Friend(n), by, _) = self.model.log[newest - 1] {
                    let who = if by.is_some() { None } else { Some(n) };
                    self.advance(who, Cursor::Read, newest as i64);
                }
            }
            Step::Commit => self.commit(),
            Step::Lose => {
                self.store.chat.finish();
                self.store.chat.rollback();
                self.store.writer.record(&[]).unwrap();
                self.model = self.kept.clone();
            }
            Step::Tick(ms) => self.store.now += i64::from(ms),
            Step::Forget(part) => {
                self.commit();
                let (floor, left) = (self.model.floor, newest as i64 - self.model.floor);
                // A little, seldom all.
                let part = i64::from(part) + 1;
                let upto = floor + left * part / if part > 250 { part } else { 2_560 };
                self.store.forget(EntryId(upto));
                self.model.floor = upto;
                self.commit();
            }
        }
    }

    /// All ids of a walk, while something else happens between its pages.
    fn walk(&mut self, me: Who, mut walk: Walk, between: &[Step]) -> Vec<i64> {
        let (mut found, mut between) = (Vec::new(), between.iter());
        while !walk.done {
            let entries;
            (entries, walk) = self.store.reader.page(Both::account(me), walk, 200).unwrap();
            found.extend(entries.into_iter().map(|entry| entry.id.0));
            walk.rest();
            between.by_ref().take(9).for_each(|step| self.step(step));
            self.commit();
        }
        found
    }

    fn chats(&mut self, me: Who, between: &[Step]) -> Vec<i64> {
        let (mut found, mut between) = (Vec::new(), between.iter());
        let mut list = Listing::default();
        while !list.done {
            let rows;
            (rows, list) = self.store.reader.chats(Both::account(me), list).unwrap();
            found.extend(rows.into_iter().map(|row| row.last.0));
            between.by_ref().take(9).for_each(|step| self.step(step));
            self.commit();
        }
        found
    }

    fn compare(&mut self, part: u16) {
        let newest = self.model.log.len() as i64;
        let share = |of: i64| i64::from(part) * of / 65_535;
        for me in [None, Some(0), Some(CHATS - 1)] {
            let account = Both::account(me);
            for upto in [newest, share(newest)] {
                let mut waiting = self.model.waiting(me, upto);
                waiting.retain(|id| !self.model.is_edit(*id));
                let counted = self.store.reader.waiting(account, EntryId(upto)).unwrap().count;
                assert_eq!(counted, waiting.len() as u64, "{me:?} up to {upto}");
            }
            let waiting = self.model.waiting(me, newest);
            assert_eq!(self.walk(me, Walk::new(EntryId(0), EntryId(newest), true), &[]), waiting);
            for from in [0, share(newest), newest - newest.min(9)] {
                let all = self.model.seen(me).map(|(id, ..)| id).filter(|id| *id > from);
                let all: Vec<i64> = all.collect();
                let walk = Walk::new(EntryId(from), EntryId(newest), false);
                assert_eq!(self.walk(me, walk, &[]), all, "{me:?} from {from}");
            }
            let chats = self.model.chats(me);
            assert_eq!(self.chats(me, &[]), chats);
            for after in [0, share(self.model.moved), self.model.moved] {
                for own in [0, share(self.model.moved)] {
                    let (from, since) = (MoveNumber(after), MoveNumber(own));
                    let found = self.store.reader.receipts(account, from, since).unwrap().list;
                    let found = found.into_iter().map(|(n, r)| (n.0, r.cursor, r.id.0));
                    let mut found: Vec<_> = found.collect();
                    found.sort_unstable_by_key(|(n, c, _)| (*n, *c == Cursor::Delivered));
                    let mut due = self.model.receipts(me, after, own);
                    due.retain(|(receipt, must_come)| *must_come || found.contains(receipt));
                    let due: Vec<_> = due.into_iter().map(|(receipt, _)| receipt).collect();
                    assert_eq!(found, due, "{me:?} {after} {own}");
                }
            }
        }
        for (id, talk, _) in self.model.seen(None).filter(|(id, ..)| id % 7 == 0) {
            let rows =
                self.store.reader.info(ANA, EntryId(id), AccountId(0)).unwrap().unwrap().rows;
            let mut found: Vec<_> = rows
                .into_iter()
                .map(|row| {
                    let who = row.handle.as_str().strip_prefix('f').and_then(|n| n.parse().ok());
                    (who, [row.delivered, row.read].map(|time| time.map(|time| time.0)))
                })
                .collect();
            found.sort_unstable();
            assert_eq!(found, self.model.info(id), "{id} in {talk:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    #[test]
    fn what_is_found_by_rank_is_what_a_scan_finds(
        steps in prop::collection::vec(step(), 1..900),
        meanwhile in prop::collection::vec(step(), 60),
        part in any::<u16>(),
    ) {
        every_store(|store| {
            for n in 0..CHATS {
                let name = handle(&format!("f{n}"));
                let known = DisplayName::from(&name);
                store.decide(|chat| chat.register(&name, &known, "hash", Millis(0)));
            }
            store.commit();
            let model = Model { log: Vec::new(), lines: BTreeMap::new(), moved: 0, floor: 0 };
            let mut both = Both { store, model: model.clone(), kept: model };
            let team = (0..TEAM).map(|n| handle(&format!("f{n}"))).collect();
            both.store.act(ANA, Act::Group { name: handle("team"), change: GroupChange::New(team) });
            both.model.say(Talk::Team, None, None);
            // What was said before does not wait for them.
            for n in 0..TEAM {
                both.model.lines.insert((Talk::Team, Some(n)), Default::default());
            }
            for n in 0..CHATS {
                let mine = n % 3 == 0;
                both.say(Talk::Friend(n), if mine { None } else { Some(n) });
                if n % 50 == 0 {
                    both.commit();
                }
            }
            both.commit();
            steps.iter().for_each(|step| both.step(step));
            both.commit();
            both.compare(part);
            // Between two pages whatever happens, but for forgetting, of which no page may speak.
            let mut meanwhile = meanwhile.clone();
            meanwhile.retain(|step| !matches!(step, Step::Forget(_)));
            let chats = both.model.chats(None);
            assert_eq!(both.chats(None, &meanwhile), chats);
            let (from, newest) = (both.model.floor, both.model.log.len() as i64);
            let all: Vec<i64> = both.model.seen(None).map(|(id, ..)| id).collect();
            let walk = Walk::new(EntryId(from), EntryId(newest), false);
            assert_eq!(both.walk(None, walk, &meanwhile), all);
            both.compare(part);
        });
    }
}

/// Where more chats go on than one question looks up, some change their rank between two questions and
/// are met again: each entry is shown once, in its order.
#[test]
fn a_chat_that_is_met_twice_is_shown_once() {
    every_store(|store| {
        let count = limits::OPENED + limits::PAGE_ROWS;
        for n in 0..count {
            let name = handle(&format!("f{n}"));
            let known = DisplayName::from(&name);
            store.decide(|chat| chat.register(&name, &known, "hash", Millis(0)));
        }
        store.commit();
        let say = |store: &mut Bench, n: usize| {
            let to = person(&format!("f{n}"));
            store.act(ANA, Act::Send { to, body: "x".into(), once: None });
        };
        for n in (0..count).chain((0..count).rev()) {
            say(store, n);
        }
        store.commit();
        let (from, upto) = (EntryId(count as i64), EntryId(2 * count as i64));
        let (mut walk, mut found, mut questions) = (Walk::new(from, upto, false), Vec::new(), 0);
        while !walk.done {
            let entries;
            (entries, walk) = store.reader.page(ANA, walk, limits::PAGE_ROWS).unwrap();
            found.extend(entries.iter().map(|entry| entry.id.0));
            questions += usize::from(found.is_empty());
            // Those whose ranks are the lowest, and were looked up first.
            (count - 9..count).for_each(|n| say(store, n));
            store.commit();
        }
        assert!(questions > 0, "all was looked up at once");
        assert_eq!(found, (from.0 + 1..=upto.0).collect::<Vec<_>>());
    });
}
