//! What is looked up when somebody who is not in a group does something there: single rows, never the
//! group with its members. So a refusal costs the same whatever group it is, and whether there is one.

use crate::bench::{ANA, Bench, CAIO, every_store, handle};
use papo::chat::{Act, Chat, Who};
use papo::entry::{Cursor, EntryId, Key, Millis, SessionId};
use papo::name::{Handle, Target};
use papo::store::Need;
use papo::wire::request::GroupChange;

/// What an act of Caio's looks up on a server that has just started, and that is refused.
fn looked_up(store: &mut Bench, mut act: Act) -> Vec<Need> {
    let mut chat = Chat::new(store.reader.newest().unwrap());
    let who = Who { session: SessionId(1), account: CAIO, key: Key::Password, device: None };
    let mut all = Vec::new();
    while let Err(needs) = chat.decide(who, &mut act, Millis(store.now)) {
        for fact in store.reader.gather(&needs, needs.len()).unwrap() {
            chat.directory().learn(fact);
        }
        all.extend(needs);
    }
    assert!(chat.finish().changes.is_empty(), "{act:?} is not refused");
    assert!(!all.is_empty(), "{act:?} asks for something");
    let whole = all.iter().find(|need| matches!(need, Need::Conversation(_)));
    assert_eq!(whole, None, "{act:?} asks for all of a group");
    all
}

#[test]
fn whoever_is_not_in_a_group_has_single_rows_looked_up() {
    every_store(|store| {
        store.group(ANA, "team", &[handle("bia")]);
        let say = |to: Handle| Act::Send { to: Target::Group(to), body: "hi".into(), once: None };
        store.act(ANA, say(handle("team")));
        store.commit();
        let id = store.chat.newest().entry;

        for id in [id, EntryId(id.0 - 1)] {
            let text = || String::from("hi");
            let notes = || Target::Person(handle("caio"));
            for act in [
                Act::Advance { cursor: Cursor::Delivered, id },
                Act::AdvanceIn { cursor: Cursor::Read, id },
                Act::Answer { about: id, body: text(), once: None },
                Act::Forward { about: id, to: notes(), once: None },
                Act::Edit { about: id, body: text() },
                Act::Delete { about: id },
                Act::React { about: id, word: Some("ok".into()) },
            ] {
                looked_up(store, act);
            }
        }

        type MakeAct = fn(Handle) -> Act;
        let acts: [MakeAct; 8] = [
            |name| Act::Send { to: Target::Group(name), body: "hi".into(), once: None },
            |name| Act::Expire { to: Target::Group(name), seconds: Some(60) },
            |name| change(name, GroupChange::Add(vec![handle("bia")])),
            |name| change(name, GroupChange::Remove(handle("bia"))),
            |name| change(name, GroupChange::Admin(handle("bia"))),
            |name| change(name, GroupChange::Topic("hi".into())),
            |name| change(name, GroupChange::Join { token: None }),
            |name| change(name, GroupChange::Leave),
        ];
        for act in acts {
            let [there, nowhere] = ["team", "nosuch"].map(|name| {
                let needs = looked_up(store, act(handle(name)));
                format!("{needs:?}").replace(name, "name")
            });
            assert_eq!(there, nowhere);
        }
    });
}

fn change(name: Handle, change: GroupChange) -> Act {
    Act::Group { name, change }
}
