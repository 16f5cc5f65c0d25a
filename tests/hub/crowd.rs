//! A group that is too large for the hub to look at every member each time: what it remembers about
//! the members instead is what looking at all of them would show.

use std::sync::Arc;

use crate::person::{Person, handle, register};
use papo::chat::Act;
use papo::entry::{Clock, Cursor, EntryId, Millis};
use papo::hub::{Hub, Work};
use papo::name::Target;
use papo::store::sqlite::Database;
use papo::wire::request::GroupChange;
use proptest::prelude::*;

const PEOPLE: usize = 80;

struct Crowd {
    hub: Hub,
    people: Vec<Person>,
    _database: Database,
    _folder: tempfile::TempDir,
}

fn name(n: usize) -> String {
    format!("p{n}")
}

/// All are in the group of the first.
fn crowd() -> Crowd {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("papo.db")).unwrap();
    let writer = Box::new(database.writer().unwrap());
    let (hub, _) = Hub::start(writer, Clock::Still(Millis(0)), Arc::default()).unwrap();
    let people = (0..PEOPLE).map(|n| register(&hub, n as u64 + 1, &name(n)).unwrap()).collect();
    let crowd = Crowd { hub, people, _database: database, _folder: folder };
    let others = (1..PEOPLE).map(|n| handle(&name(n))).collect();
    crowd.acts(0, vec![change(GroupChange::New(others))]);
    crowd.heard();
    crowd
}

fn change(change: GroupChange) -> Act {
    Act::Group { name: handle("team"), change }
}

fn say(body: &str) -> Act {
    Act::Send { to: Target::Group(handle("team")), body: body.into(), once: None }
}

impl Crowd {
    fn acts(&self, who: usize, acts: Vec<Act>) {
        self.people[who].acts(&self.hub, acts);
    }

    /// What each has heard since, without times.
    fn heard(&self) -> Vec<Vec<String>> {
        let short = |line: &str| {
            let words: Vec<&str> = line.split(' ').collect();
            words.iter().filter(|word| !word.ends_with('Z')).copied().collect::<Vec<_>>().join(" ")
        };
        let heard = |person: &Person| person.heard(&self.hub).lines().map(short).collect();
        self.people.iter().map(heard).collect()
    }
}

#[test]
fn in_one_batch_each_message_goes_to_those_who_are_in() {
    let crowd = crowd();
    let (out, back) = (vec![handle("p7")], vec![handle("p7")]);
    crowd.acts(
        0,
        vec![
            say("one"),
            change(GroupChange::Remove(out[0].clone())),
            say("two"),
            change(GroupChange::Add(back)),
            say("three"),
        ],
    );
    let heard = crowd.heard();
    let (one, two, three) =
        ("MSG 2 p0 #team - one", "MSG 4 p0 #team - two", "MSG 6 p0 #team - three");
    let (remove, add) = ("GROUP 3 p0 #team - remove p7", "GROUP 5 p0 #team - add p7");
    for (n, heard) in heard.iter().enumerate().skip(1) {
        let expected: &[&str] =
            if n == 7 { &[one, remove, add, three] } else { &[one, remove, two, add, three] };
        assert_eq!(heard, expected, "p{n}");
    }
    crowd.hub.ask(Work::End);
}

/// The group as each of its members knows it.
struct Model {
    is_in: [bool; PEOPLE],
    last_own: [i64; PEOPLE],
    /// Up to where each has read; `None`: it has come back since.
    read: [Option<i64>; PEOPLE],
    newest: i64,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    #[test]
    fn receipts_go_to_those_who_wrote_since_and_are_in(
        steps in prop::collection::vec((0..8_u8, 0..12_usize), 1..120),
    ) {
        let crowd = crowd();
        let (is_in, last_own) = ([true; PEOPLE], [0; PEOPLE]);
        let mut model = Model { is_in, last_own, read: [Some(0); PEOPLE], newest: 1 };
        (model.last_own[0], model.read[0]) = (1, Some(1));
        for (what, who) in steps {
            // The first of them is the admin and stays.
            let (by, act) = match what {
                0..3 if model.is_in[who] => (who, say("x")),
                3 if who > 0 && model.is_in[who] => (who, change(GroupChange::Leave)),
                4 if !model.is_in[who] => (0, change(GroupChange::Add(vec![handle(&name(who))]))),
                5.. if model.is_in[who] => {
                    (who, Act::Advance { cursor: Cursor::Read, id: EntryId(model.newest) })
                }
                _ => continue,
            };
            let mut told = Some(Vec::new());
            if let Act::Advance { .. } = act {
                let wrote = |n: &usize, since| {
                    *n != who && model.is_in[*n] && model.last_own[*n] > since
                };
                let since = model.read[who].replace(model.newest);
                told = since.map(|since| (0..PEOPLE).filter(|n| wrote(n, since)).collect());
            } else {
                let before = model.newest;
                model.newest += 1;
                model.last_own[by] = model.newest;
                // An own entry takes the cursor along if nothing waits.
                if model.read[by] == Some(before) {
                    model.read[by] = Some(model.newest);
                }
                match what {
                    3 => model.is_in[who] = false,
                    4 => (model.is_in[who], model.read[who]) = (true, None),
                    _ => {}
                }
            }
            crowd.acts(by, vec![act]);
            let heard = crowd.heard();
            let is_told = |n: &usize| heard[*n].iter().any(|line| line.starts_with("READ "));
            let receivers: Vec<usize> = (0..PEOPLE).filter(is_told).collect();
            if let Some(told) = told {
                prop_assert_eq!(receivers, told, "{} by p{}", what, who);
            }
        }
        crowd.hub.ask(Work::End);
    }
}
