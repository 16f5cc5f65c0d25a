//! Messages that expire by `EXPIRE`: random lives of a direct chat, of notes and of a group. Afterwards
//! they never were, for every question; and all is counted as in a twin in which nothing expires.

use std::collections::BTreeSet;
use std::ops::Range;

use papo::chat::{Act, Effect};
use papo::entry::{AccountId, Cursor, EntryId, EntryKind, Millis};
use papo::limits;
use papo::name::Target;
use papo::store::sqlite::Database;
use papo::store::{Expire, Fact, Need, SearchQuery, SpanQuery, Walk};
use papo::wire::request::GroupChange;
use proptest::prelude::*;

use crate::bench::{ANA, BIA, Bench, CAIO, every_store, handle, person};

#[derive(Clone, Debug)]
enum Turn {
    /// How long messages are kept in a conversation.
    Ttl(usize, Option<u32>),
    Send(usize, usize, usize),
    /// An answer to a message, a new text, an end, a reaction: by somebody, to one of the last.
    Answer(usize, u8),
    Edit(usize, u8),
    Delete(usize, u8),
    React(usize, u8),
    /// More new texts than are erased at once.
    EditOften(usize, u8),
    /// A bare `ACK` or `READ` of one who was sent everything up to one of the last.
    Move(usize, Cursor, u8),
    /// Caio leaves the group, or comes back.
    Come(bool),
    /// Seconds pass.
    Tick(u32),
    Expire,
    Commit,
}

fn turn() -> impl Strategy<Value = Turn> {
    let ttl = prop_oneof![Just(None), Just(Some(60)), Just(Some(100)), Just(Some(600))];
    let cursor = prop_oneof![Just(Cursor::Delivered), Just(Cursor::Read)];
    // Some make a block of ids, or more.
    let count = prop_oneof![12 => Just(1), 1 => 20..150usize];
    prop_oneof![
        2 => (0..3usize, ttl).prop_map(|(of, seconds)| Turn::Ttl(of, seconds)),
        9 => (0..3usize, 0..3usize, count).prop_map(|(who, of, count)| Turn::Send(who, of, count)),
        2 => (0..3usize, any::<u8>()).prop_map(|(who, which)| Turn::Answer(who, which)),
        2 => (0..3usize, any::<u8>()).prop_map(|(who, which)| Turn::Edit(who, which)),
        1 => (0..3usize, any::<u8>()).prop_map(|(who, which)| Turn::Delete(who, which)),
        2 => (0..3usize, any::<u8>()).prop_map(|(who, which)| Turn::React(who, which)),
        1 => (0..3usize, any::<u8>()).prop_map(|(who, which)| Turn::EditOften(who, which)),
        3 => (0..3usize, cursor, any::<u8>()).prop_map(|(who, c, id)| Turn::Move(who, c, id)),
        1 => any::<bool>().prop_map(Turn::Come),
        3 => (1..90u32).prop_map(Turn::Tick),
        4 => Just(Turn::Expire),
        2 => Just(Turn::Commit),
    ]
}

const PEOPLE: [AccountId; 3] = [ANA, BIA, CAIO];

/// Who writes into which conversation, as its author names it. Only Ana has notes.
fn target(who: AccountId, of: usize) -> (AccountId, Target) {
    match of {
        0 if who == ANA => (ANA, person("bia")),
        0 => (BIA, person("ana")),
        1 => (ANA, person("ana")),
        _ => (who, Target::Group(handle("team"))),
    }
}

/// What the model knows of a message.
#[derive(Clone, Debug)]
struct Message {
    id: EntryId,
    due: Option<i64>,
    has_expired: bool,
}

#[derive(Default)]
struct Model {
    messages: Vec<Message>,
    ttl: [Option<u32>; 3],
    /// In which conversation each message is.
    of: Vec<usize>,
    /// Marks of a message that has very many, but the first and the last one.
    many: Range<i64>,
}

impl Model {
    fn some(&self, which: u8) -> Option<&Message> {
        let back = usize::from(which) % self.messages.len().clamp(1, 12);
        self.messages.iter().rev().nth(back)
    }

    /// The ids of all messages that have expired.
    fn expired(&self) -> BTreeSet<i64> {
        self.messages.iter().filter(|m| m.has_expired).map(|m| m.id.0).collect()
    }
}

/// Whether the last act was carried out.
fn is_done(store: &Bench) -> bool {
    !matches!(store.chat.latest(), Some((_, Effect::Answer { answer: Err(_), .. })))
}

/// The same act in both, if the first is carried out. Returns the newest entry then.
fn act(both: &mut [&mut Bench; 2], who: AccountId, make: impl Fn() -> Act) -> Option<EntryId> {
    let [store, twin] = both;
    let before = store.chat.newest().entry;
    store.act(who, make());
    if !is_done(store) {
        return None;
    }
    twin.act(who, make());
    assert!(is_done(twin));
    let newest = store.chat.newest().entry;
    assert_eq!(newest, twin.chat.newest().entry);
    Some(newest).filter(|newest| *newest > before)
}

fn play(turns: &[Turn], store: &mut Bench, twin: &mut Bench) {
    let mut model = Model::default();
    let both = &mut [store, twin];
    let change = || GroupChange::New(vec![handle("bia"), handle("caio")]);
    act(both, ANA, || Act::Group { name: handle("team"), change: change() });
    let mut sent = 0;
    for turn in turns {
        match turn {
            Turn::Ttl(of, seconds) => {
                let (who, to) = target(ANA, *of);
                if act(both, who, || Act::Expire { to: to.clone(), seconds: *seconds }).is_some() {
                    model.ttl[*of] = *seconds;
                }
            }
            Turn::Send(who, of, count) => {
                let (who, to) = target(PEOPLE[*who], *of);
                for _ in 0..*count {
                    sent += 1;
                    let body = format!("word number{sent}");
                    let make = || Act::Send { to: to.clone(), body: body.clone(), once: None };
                    if let Some(id) = act(both, who, make) {
                        model.of.push(*of);
                        let due = model.ttl[*of].map(|ttl| both[0].now + i64::from(ttl) * 1000);
                        model.messages.push(Message { id, due, has_expired: false });
                    }
                }
            }
            Turn::Answer(who, which) => {
                let Some(about) = model.some(*which).cloned() else { continue };
                let make = || Act::Answer { about: about.id, body: "an answer".into(), once: None };
                if let Some(id) = act(both, PEOPLE[*who], make) {
                    assert!(!about.has_expired);
                    let at = model.messages.iter().position(|m| m.id == about.id).unwrap();
                    let of = model.of[at];
                    model.of.push(of);
                    let due = model.ttl[of].map(|ttl| both[0].now + i64::from(ttl) * 1000);
                    model.messages.push(Message { id, due, has_expired: false });
                }
            }
            Turn::Edit(who, which) | Turn::Delete(who, which) | Turn::React(who, which) => {
                let Some(about) = model.some(*which).cloned() else { continue };
                let text = format!("text {}", both[0].chat.newest().entry.0);
                let make = || match turn {
                    Turn::Edit(..) => Act::Edit { about: about.id, body: text.clone() },
                    Turn::Delete(..) => Act::Delete { about: about.id },
                    _ => Act::React { about: about.id, word: Some("ok".into()) },
                };
                let mark = act(both, PEOPLE[*who], make);
                assert!(mark.is_none() || !about.has_expired, "{about:?}");
            }
            Turn::EditOften(who, which) => {
                let Some(about) = model.some(*which).map(|m| m.id) else { continue };
                let first = both[0].chat.newest().entry.0 + 1;
                for n in 0..limits::ERASED + 9 {
                    let body = format!("text {n}");
                    if !model.many.is_empty()
                        || act(both, PEOPLE[*who], || Act::Edit { about, body: body.clone() })
                            .is_none()
                    {
                        break;
                    }
                }
                if both[0].chat.newest().entry.0 >= first + limits::ERASED as i64 {
                    model.many = first + 1..both[0].chat.newest().entry.0;
                }
            }
            Turn::Move(who, cursor, which) => {
                let Some(upto) = model.some(*which) else { continue };
                // As it does if that was sent before it expired.
                let id = upto.id;
                act(both, PEOPLE[*who], || Act::AdvanceAll {
                    cursor: *cursor,
                    ids: vec![id],
                    answer: Some(id),
                    lost_moves: 0,
                });
            }
            Turn::Come(comes) => {
                let (who, change) = match comes {
                    true => (ANA, GroupChange::Add(vec![handle("caio")])),
                    false => (CAIO, GroupChange::Leave),
                };
                act(both, who, || Act::Group { name: handle("team"), change: change.clone() });
            }
            Turn::Tick(seconds) => {
                both.iter_mut().for_each(|store| store.now += i64::from(*seconds) * 1000);
            }
            Turn::Expire => {
                let now = both[0].now;
                both[0].commit();
                both[1].commit();
                while let Some(step) = both[0].reader.next_expired(Millis(now)).unwrap() {
                    let due = match &step {
                        Expire::Messages(due) => &due[..],
                        Expire::Marks => {
                            compare(both, &model);
                            &[]
                        }
                        other => panic!("{other:?}"),
                    };
                    for message in model.messages.iter_mut() {
                        let due = due.iter().find(|(_, id)| *id == message.id);
                        assert!(due.is_none_or(|(due, _)| Some(due.0) == message.due));
                        message.has_expired |= due.is_some();
                    }
                    both[0].chat.expire(step);
                    // Whoever is about to do something with one of them finds it no more.
                    if let Some(gone) = model.messages.iter().rev().find(|m| m.has_expired) {
                        both[0].act(ANA, Act::React { about: gone.id, word: Some("ok".into()) });
                        assert!(!is_done(both[0]));
                    }
                    both[0].commit();
                }
                let is_due = |m: &Message| m.due.is_some_and(|due| due <= now);
                assert!(model.messages.iter().all(|m| m.has_expired || !is_due(m)));
                compare(both, &model);
            }
            Turn::Commit => {
                both.iter_mut().for_each(|store| store.commit());
            }
        }
    }
    both.iter_mut().for_each(|store| store.commit());
    compare(both, &model);
}

/// All that somebody is shown: ids, whether they are marks, and what those are about.
fn shown(store: &mut Bench, me: AccountId, waiting: bool) -> Vec<(EntryId, EntryKind, i64)> {
    let mut walk = Walk::new(EntryId(0), store.chat.newest().entry, waiting);
    let mut all = Vec::new();
    while !walk.done {
        let rows;
        (rows, walk) = store.reader.page(me, walk, 7).unwrap();
        all.extend(rows.into_iter().map(|row| {
            let re = row.tags.and_then(|tags| tags.re).unwrap_or_default();
            (row.id, row.kind, re.0)
        }));
    }
    all
}

fn compare(both: &mut [&mut Bench; 2], model: &Model) {
    let [store, twin] = both;
    let expired = model.expired();
    let newest = store.chat.newest().entry;
    for me in PEOPLE {
        // What waits, and how much is unread.
        assert_eq!(store.waiting(me), twin.waiting(me), "{me:?}");
        for waiting in [false, true] {
            let mut left = shown(twin, me, waiting);
            left.retain(|(id, kind, about)| match kind.is_mark() {
                true => !expired.contains(about),
                false => !expired.contains(&id.0),
            });
            assert_eq!(shown(store, me, waiting), left, "{me:?} {waiting}");
        }
        let chats: Vec<_> = store.chats(me).into_iter().map(|row| (row.to, row.unread)).collect();
        let was = twin.chats(me);
        for (to, unread) in &chats {
            assert!(was.iter().any(|row| row.to == *to && row.unread == *unread), "{to:?}");
        }
        let lasts: Vec<i64> = store.chats(me).iter().map(|row| row.last.0).collect();
        assert!(lasts.is_sorted_by(|a, b| a > b), "{lasts:?}");
        assert!(lasts.iter().all(|last| !expired.contains(last)), "{lasts:?}");
        // Nobody is left out who has anything left: of a conversation with `EXPIRE` that stays.
        assert_eq!(chats.len(), was.len());
        let query = SearchQuery {
            conversation: None,
            span: SpanQuery { count: 1_000, before: None, after: None, re: None },
            words: vec!["word".into()],
        };
        store.index();
        let found = store.reader.search(me, &query).unwrap();
        assert!(found.found.iter().all(|(_, id)| !expired.contains(&id.0)));
        for id in &expired {
            let id = EntryId(*id);
            assert!(store.reader.info(me, id, AccountId(0)).unwrap().is_none());
            assert!(store.reader.marks(me, id, EntryId(0)).unwrap().is_none());
            assert!(store.reader.file(me, id).unwrap().is_none());
            assert!(store.reader.answered(me, id).unwrap().is_none());
        }
    }
    for id in (1..=newest.0).filter(|id| !model.many.contains(id)) {
        let is_expired = expired.contains(&id);
        let needs = [Need::EntryPos(EntryId(id)), Need::Message(EntryId(id))];
        let facts = store.reader.gather(&needs, 2).unwrap();
        let [Fact::EntryPos(pos), message] = &facts[..] else { panic!("{facts:?}") };
        let about = expired.contains(&pos.about.0);
        assert_eq!(pos.expired, is_expired || about, "{id}");
        assert_eq!(matches!(message, Fact::Absent(_)), is_expired, "{id}");
    }
    let next = store.reader.next_expired(Millis(0)).unwrap();
    assert!(matches!(next, None | Some(Expire::Marks)), "{next:?}");
}

/// Plays the same lives on a store and on its twin.
fn never_was(turns: &[Turn]) {
    every_store(|store| {
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let database = Database::open(&folder.path().join("papo.db")).unwrap();
        let (writer, reader) = (database.writer().unwrap(), database.reader().unwrap());
        let mut twin = Bench::new(Box::new(writer), Box::new(reader));
        play(turns, store, &mut twin);
    });
}

// Half of the lives each, side by side: on PostgreSQL no other test takes as long.
proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]
    #[test]
    fn what_has_expired_never_was(turns in proptest::collection::vec(turn(), 1..160)) {
        never_was(&turns);
    }

    #[test]
    fn what_has_expired_in_other_lives_never_was(
        turns in proptest::collection::vec(turn(), 1..160),
    ) {
        never_was(&turns);
    }
}

/// A step is bounded, and begins with what was due first, whichever conversation it is in.
#[test]
fn a_step_takes_what_was_due_first() {
    every_store(|store| {
        for (to, seconds) in [("bia", 600), ("caio", 60)] {
            store.act(ANA, Act::Expire { to: person(to), seconds: Some(seconds) });
        }
        // In each conversation more than a step takes.
        let half = limits::EXPIRED + 5;
        for n in 0..2 * half {
            let to = if n % 2 == 0 { "bia" } else { "caio" };
            store.act(ANA, Act::Send { to: person(to), body: "x".into(), once: None });
        }
        store.commit();
        let mut all = Vec::new();
        for (seconds, count) in [(59, 0), (60, half), (599, 0), (600, half)] {
            let now = Millis(store.now + seconds * 1000);
            let mut here = 0;
            while let Some(step) = store.reader.next_expired(now).unwrap() {
                let Expire::Messages(due) = &step else { panic!("{step:?}") };
                assert!(due.len() <= limits::EXPIRED);
                here += due.len();
                all.extend(due.iter().map(|(_, id)| *id));
                store.chat.expire(step.clone());
                store.commit();
            }
            assert_eq!(here, count, "after {seconds} seconds");
        }
        let ids: BTreeSet<EntryId> = all.iter().copied().collect();
        assert_eq!(ids.len(), 2 * half);
        // The first two entries said how long the others are kept, and stay.
        assert_eq!(shown(store, ANA, false).len(), 2);
        assert_eq!(store.waiting(BIA), half as u64 + 1);
        let next = store.send(BIA, "ana", "on");
        assert_eq!(shown(store, ANA, false).last().map(|(id, ..)| *id), Some(next));
    });
}
