//! The hub's queue: accounts take turns where more waits than fits in one batch, what one command asks
//! for is done in pieces, and what a session asked for stays in its order.

use std::sync::atomic::Ordering;
use std::thread;

use crate::house::House;
use crate::person::{Person, handle, register};
use papo::chat::{Act, Order};
use papo::entry::{AccountId, Cursor, EntryId, EntryKind, Key};
use papo::hub::Work;
use papo::limits;
use papo::name::{DisplayName, Target};
use papo::store::{Change, Maintenance, Member, Reader};
use papo::wire::refusal::Refusal;
use papo::wire::request::GroupChange;

fn send(to: &str, body: &str) -> Act {
    Act::Send { to: Target::Person(handle(to)), body: body.into(), once: None }
}

fn name(n: usize) -> Act {
    Act::Rename(DisplayName::new(&format!("Ana {n}")).unwrap())
}

fn read_all(who: &Person, ids: &[EntryId]) -> Act {
    Act::AdvanceAll {
        cursor: Cursor::Read,
        ids: ids.to_vec(),
        answer: ids.last().copied(),
        lost_moves: who.outbox.lost_moves(),
    }
}

fn count(batch: &[Change], what: impl Fn(&Change) -> bool) -> usize {
    batch.iter().filter(|change| what(change)).count()
}

fn is_member(change: &Change) -> bool {
    matches!(change, Change::Member { .. })
}

#[test]
fn a_flood_of_one_account_puts_no_batch_before_a_strangers_message() {
    let house = House::new();
    let ana = register(&house.hub, 1, "ana").unwrap();
    let bia = register(&house.hub, 2, "bia").unwrap();
    let more = (3..22).map(|n| Person::enter(&house.hub, n, AccountId(1), Key::Password));
    let sessions: Vec<Person> = more.chain([ana]).collect();
    house.written();
    let each = 100;
    house.at_once(|hub| {
        for session in &sessions {
            session.acts(hub, (0..each).map(name).collect());
        }
        bia.acts(hub, vec![send("ana", "hello")]);
    });
    assert!(house.lines(&bia, 1)[0].starts_with("OK MSG 1 "));
    let written = house.written();
    let is_entry = |change: &Change| matches!(change, Change::Entry(_));
    let is_name = |change: &Change| matches!(change, Change::Name { .. });
    assert_eq!(written.iter().position(|batch| count(batch, is_entry) > 0), Some(0));
    let share = limits::SHARE / name(0).weight();
    assert!(count(&written[0], is_name) <= share, "a share of the flood, no more");
    // The flood is done, too, and its sessions took turns: all of it is answered.
    for session in &sessions {
        let lines = house.lines(session, each);
        assert_eq!(lines.iter().filter(|line| *line == "OK NAME").count(), each);
    }
    house.stop();
}

#[test]
fn whoever_comes_after_a_rest_is_in_the_next_batch_however_many_wait() {
    let house = House::new();
    let people: Vec<Person> =
        (1..=40).map(|n| register(&house.hub, n, &format!("p{n}")).unwrap()).collect();
    let ana = register(&house.hub, 41, "ana").unwrap();
    house.written();
    let each = 100;
    let hub = house.hub.clone();
    let late = Work::Acts { session: ana.session, acts: vec![send("p1", "late")] };
    house.at_once(|hub_now| {
        for person in &people {
            person.acts(hub_now, (0..each).map(|_| send("p1", "flood")).collect());
        }
        *house.shared.meanwhile.lock().unwrap() = Some(Box::new(move || hub.ask(late)));
    });
    assert!(house.lines(&ana, 1)[0].starts_with("OK MSG "));
    for person in &people[1..] {
        house.lines(person, each);
    }
    let is_late = |change: &Change| matches!(change, Change::Entry(new) if &*new.body == "late");
    let written = house.written();
    assert!(written.len() > 4, "{}", written.len());
    assert_eq!(written.iter().position(|batch| count(batch, is_late) > 0), Some(1));
    house.stop();
}

#[test]
fn what_waits_longer_than_a_batch_stays_in_the_order_of_its_session() {
    let house = House::new();
    let people: Vec<Person> =
        (1..=6).map(|n| register(&house.hub, n, &format!("p{n}")).unwrap()).collect();
    house.at_once(|hub| {
        for round in 0..4 {
            for person in &people {
                let acts = (0..120).map(|n| send("p1", &format!("{}", round * 120 + n)));
                person.acts(hub, acts.collect());
            }
        }
        // It ends with all that still waits, which is done before.
        hub.ask(Work::Leave { session: people[5].session, shown: None });
    });
    house.lines(&people[1], 480);
    house.lines(&people[4], 480);
    let mut next = [0; 6];
    while next != [480; 6] {
        for change in house.written().into_iter().flatten() {
            if let Change::Entry(entry) = change {
                let author = entry.pos.author.0 as usize - 1;
                assert_eq!(entry.body.parse(), Ok(next[author]));
                next[author] += 1;
            }
        }
        thread::yield_now();
    }
    house.stop();
}

#[test]
fn a_bare_read_is_done_in_pieces_and_answered_after_the_last() {
    let house = House::new();
    let (ana, ids) = house.with_writers(600);
    let caio = register(&house.hub, 2, "caio").unwrap();
    house.written();
    house.at_once(|hub| {
        ana.acts(hub, vec![read_all(&ana, &ids), send("ana", "after")]);
        caio.acts(hub, vec![send("caio", "meanwhile")]);
    });
    let answers = house.lines(&ana, 2);
    assert_eq!(answers[0], "OK READ 600");
    assert_eq!(answers[1].split_once("1970"), Some(("OK MSG 602 ", "-01-01T00:00:00.000Z")));
    let written = house.written();
    let moves: Vec<usize> = written.iter().map(|batch| count(batch, is_member)).collect();
    // Until what is left is no more than a batch.
    let (share, batch) = (limits::SHARE / Act::MOVE, limits::BATCH / Act::MOVE);
    let (last, before) = moves.split_last().unwrap();
    assert!(*last <= batch && before.iter().all(|moves| *moves <= share + 2), "{moves:?}");
    assert!(moves.iter().sum::<usize>() >= 600 && moves.len() >= 3, "{moves:?}");
    assert!(house.lines(&caio, 1)[0].starts_with("OK MSG 601 "), "the others came between");
    house.stop();
}

#[test]
fn what_fails_in_the_middle_is_not_gone_on_with_and_can_be_asked_for_again() {
    let house = House::new();
    let (ana, ids) = house.with_writers(600);
    house.shared.fails_in.store(2, Ordering::SeqCst);
    house.at_once(|hub| ana.acts(hub, vec![read_all(&ana, &ids), send("ana", "after")]));
    let answers = house.lines(&ana, 2);
    assert!(answers[0].starts_with("ERR READ storage "), "{answers:?}");
    assert!(answers[1].starts_with("OK MSG 601 "), "{answers:?}");
    let done = house.written().iter().map(|batch| count(batch, is_member)).sum::<usize>() - 1;
    let share = limits::SHARE / Act::MOVE;
    assert!((1..=share).contains(&done), "what was done before stays, nothing after is done");
    house.at_once(|hub| ana.acts(hub, vec![read_all(&ana, &ids)]));
    assert_eq!(house.lines(&ana, 1), ["OK READ 600"]);
    let moved = |change: &Change| matches!(change, Change::Member { member, .. } if member.read.number.0 > 0);
    let done = house.written().iter().map(|batch| count(batch, moved)).sum::<usize>() + done;
    assert_eq!(done, 600);
    house.stop();
}

/// That nothing waits any more is written down later, and not for ever later.
#[test]
fn where_nothing_waits_any_more_the_store_says_so_for_all_but_some() {
    let house = House::new();
    let (most, more) = (limits::UNSETTLED, 2 * limits::BATCH / Act::MOVE);
    let (ana, ids) = house.with_writers((most + more) as u64);
    ana.acts(&house.hub, vec![read_all(&ana, &ids)]);
    house.lines(&ana, 1);
    let rows = |sql: &str| -> i64 {
        let db = rusqlite::Connection::open(house.folder.path().join("papo.db")).unwrap();
        db.query_row(sql, [], |row| row.get(0)).unwrap()
    };
    let waits = "SELECT count(*) FROM member WHERE waits IS NOT NULL";
    // What the last batch made so is written down with the next.
    assert!(rows(waits) < (most + more) as i64, "{}", rows(waits));
    let mut reader = house.database.reader().unwrap();
    let newest = reader.newest().unwrap().entry;
    assert_eq!(reader.waiting(AccountId(1), newest).unwrap().count, 0);
    house.stop();
}

/// Ana is in groups of her own, and of Bia's.
fn with_groups(house: &House, count: usize) -> (Person, Person) {
    let ana = register(&house.hub, 1, "ana").unwrap();
    let bia = register(&house.hub, 2, "bia").unwrap();
    for n in 0..count {
        let (group, change) = (handle(&format!("g{n}")), GroupChange::New(vec![handle("ana")]));
        bia.acts(&house.hub, vec![Act::Group { name: group, change }]);
        house.lines(&bia, 1);
    }
    ana.heard(&house.hub);
    house.written();
    (ana, bia)
}

fn stays_ended(written: &[Vec<Change>]) -> Vec<usize> {
    let ends =
        |change: &Change| matches!(change, Change::Stay { stay, .. } if stay.until.is_some());
    written.iter().map(|batch| count(batch, ends)).collect()
}

#[test]
fn a_deleted_account_leaves_its_groups_in_pieces_and_can_do_nothing_from_the_first_on() {
    let house = House::new();
    let (ana, bia) = with_groups(&house, 150);
    let mut done = None;
    house.at_once(|hub| {
        done = Some(house.order(Order::DropUser(handle("ana"))));
        ana.acts(hub, vec![send("bia", "one more")]);
        let change = GroupChange::New(vec![handle("ana")]);
        bia.acts(hub, vec![Act::Group { name: handle("late"), change }]);
    });
    assert_eq!(done.unwrap().recv_blocking().unwrap(), Ok(1));
    assert!(ana.heard(&house.hub).starts_with("ERR MSG need-login "));
    let refused = house.lines(&bia, 151).into_iter().find(|line| line.starts_with("ERR "));
    assert!(refused.unwrap().starts_with("ERR GROUP no-such-user "));
    let left = stays_ended(&house.written());
    assert!(left[0] == 0 && left.len() >= 3, "{left:?}");
    assert!(left.iter().all(|left| *left <= limits::SHARE / Act::MOVE), "{left:?}");
    assert_eq!(left.iter().sum::<usize>(), 150);
    let again = house.order(Order::DropUser(handle("ana"))).recv_blocking().unwrap();
    assert_eq!(again, Err(Refusal::NoSuchUser(handle("ana"))));
    house.stop();
}

#[test]
fn a_deletion_that_failed_half_way_is_sound_and_is_finished_by_the_same_order() {
    let house = House::new();
    with_groups(&house, 150);
    house.shared.fails_in.store(3, Ordering::SeqCst);
    let delete = || house.order(Order::DropUser(handle("ana"))).recv_blocking().unwrap();
    assert_eq!(delete(), Err(Refusal::Storage));
    let half = stays_ended(&house.written()).iter().sum::<usize>();
    assert!(half > 0 && half < 150, "{half}");
    assert_eq!(house.database.maintenance().check().unwrap(), [""; 0]);
    assert!(delete().is_ok());
    assert_eq!(stays_ended(&house.written()).iter().sum::<usize>() + half, 150);
    house.stop();
}

/// With a store over a network each question takes as long as a whole batch does here.
#[test]
fn what_many_lack_is_looked_up_together_in_a_few_rounds() {
    let mut house = House::new();
    let count = 40;
    for n in 1..=count {
        let person = register(&house.hub, n, &format!("p{n}")).unwrap();
        person.acts(&house.hub, vec![send("p1", "hello"), send(&format!("p{n}"), "note")]);
        house.lines(&person, 2);
    }
    house = house.again();
    let people: Vec<Person> = (1..=count)
        .map(|n| Person::enter(&house.hub, n, AccountId(n as i64), Key::Password))
        .collect();
    house.shared.asked.store(0, Ordering::SeqCst);
    house.at_once(|hub| {
        for person in &people {
            person.acts(hub, vec![send("p1", "hello again")]);
        }
    });
    for person in &people {
        house.lines(person, 1);
    }
    let asked = house.shared.asked.load(Ordering::SeqCst);
    assert!((2..=8).contains(&asked), "{asked} questions for {count} messages");
    house.stop();
}

/// A group of thousands takes milliseconds to read: who asks for many of them waits for itself.
#[test]
fn large_groups_are_read_one_in_a_batch_and_others_come_between() {
    let mut house = House::new();
    let ana = register(&house.hub, 1, "ana").unwrap();
    register(&house.hub, 2, "bia").unwrap();
    // One of these is as much as a batch looks up.
    let people = 3..(103 + limits::LOOKED_UP / size_of::<Member>()) as u64;
    let handles: Vec<_> = people.clone().map(|n| handle(&format!("u{n}"))).collect();
    for n in people {
        register(&house.hub, n, &format!("u{n}")).unwrap();
    }
    let groups = 4;
    for n in 0..groups {
        let group = |change| Act::Group { name: handle(&format!("g{n}")), change };
        let mut acts = vec![group(GroupChange::New(Vec::new()))];
        let pieces = handles.chunks(limits::GROUP_NAMES);
        acts.extend(pieces.map(|piece| group(GroupChange::Add(piece.to_vec()))));
        let count = acts.len();
        ana.acts(&house.hub, acts);
        house.lines(&ana, count);
    }
    house = house.again();
    let ana = Person::enter(&house.hub, 1, AccountId(1), Key::Password);
    let bia = Person::enter(&house.hub, 2, AccountId(2), Key::Password);
    house.written();
    let topic = |n: usize| {
        let change = GroupChange::Topic(format!("about {n}"));
        Act::Group { name: handle(&format!("g{n}")), change }
    };
    house.at_once(|hub| {
        ana.acts(hub, (0..groups).map(topic).collect());
        bia.acts(hub, vec![send("bia", "meanwhile")]);
    });
    assert!(house.lines(&bia, 1)[0].starts_with("OK MSG "));
    assert_eq!(house.lines(&ana, groups).len(), groups);
    let written = house.written();
    let is_topic = |change: &Change| matches!(change, Change::Topic { .. });
    let topics: Vec<usize> = written.iter().map(|batch| count(batch, is_topic)).collect();
    assert!(topics.iter().all(|topics| *topics <= 1), "{topics:?}");
    assert_eq!(topics.iter().sum::<usize>(), groups);
    let is_message =
        |change: &Change| matches!(change, Change::Entry(new) if new.kind == EntryKind::Message);
    let at = written.iter().position(|batch| count(batch, is_message) > 0).unwrap();
    assert!(topics[..at].iter().sum::<usize>() < groups, "{topics:?}, the message in {at}");
    house.stop();
}

#[test]
fn what_an_act_about_hundreds_lacks_is_looked_up_in_pieces() {
    let mut house = House::new();
    let count = limits::PIECE + 200;
    let people = 10..10 + count as u64;
    for (n, name) in (1..).zip(["ana", "bia", "cid"]) {
        register(&house.hub, n, name).unwrap();
    }
    let known: Vec<_> = people.clone().map(|n| handle(&format!("u{n}"))).collect();
    let unknown = people.clone().map(|n| handle(&format!("nobody{n}"))).collect();
    for n in people {
        register(&house.hub, n, &format!("u{n}")).unwrap();
    }
    house = house.again();
    let [ana, bia, cid] =
        [1, 2, 3].map(|n| Person::enter(&house.hub, n, AccountId(n as i64), Key::Password));
    let found = |name: &str, handles: Vec<_>| Act::Group {
        name: handle(name),
        change: GroupChange::New(handles),
    };
    let asked = || house.shared.asked.load(Ordering::SeqCst);
    let before = asked();
    house.at_once(|hub| {
        let (first, then) = (send("ana", "first"), send("ana", "then"));
        ana.acts(hub, vec![first, found("anas", known.clone()), then]);
        bia.acts(hub, vec![found("bias", known)]);
    });
    let said = house.lines(&ana, 3);
    let starts = ["OK MSG 1 ", "OK GROUP NEW #anas", "OK MSG "];
    for (line, start) in said.iter().zip(starts) {
        assert!(line.starts_with(start), "{said:?}");
    }
    assert_eq!(house.lines(&bia, 1), ["OK GROUP NEW #bias"]);
    // In each batch, whether there is such a group, and a piece of the rest: of each account, who it
    // is, and whether it has blocked who founds the group.
    let took = asked() - before;
    assert!((2 * 3 * count / limits::PIECE..20).contains(&took), "{took}");
    let members = |batch: &Vec<Change>| {
        let joined = |change: &Change| match change {
            Change::Joined { accounts, .. } => accounts.len(),
            _ => 0,
        };
        batch.iter().map(joined).sum::<usize>()
    };
    let written = house.written();
    let groups: Vec<usize> = written.iter().map(members).filter(|joined| *joined > 0).collect();
    assert_eq!(groups, [count, count], "each whole, in a batch of its own");

    // That somebody does not exist is not remembered from batch to batch, so the pieces are not
    // enough; there is an end to them.
    let before = asked();
    cid.acts(&house.hub, vec![found("cids", unknown)]);
    let said = house.lines(&cid, 1);
    assert!(said[0].starts_with("ERR GROUP no-such-user "), "{said:?}");
    let took = asked() - before;
    assert!((2 * limits::PIECES..2 * limits::PIECES + 10).contains(&took), "{took}");
    house.stop();
}

/// To tell a thousand people is most of what a reaction costs, so few are in one batch, and others
/// come between; what one session says in a row is told at once.
#[test]
fn what_hundreds_are_told_is_a_few_entries_in_a_batch() {
    let house = House::new();
    let count = 600;
    let people: Vec<Person> =
        (1..=count).map(|n| register(&house.hub, n, &format!("u{n}")).unwrap()).collect();
    let others = (2..=count).map(|n| handle(&format!("u{n}"))).collect();
    let team = handle("team");
    let group = Act::Group { name: team.clone(), change: GroupChange::New(others) };
    people[0].acts(&house.hub, vec![group]);
    house.lines(&people[0], 1);
    let say = |body: &str| {
        let (to, body) = (Target::Group(team.clone()), body.into());
        Act::Send { to, body, once: None }
    };
    house.written();
    let entries = |batch: &Vec<Change>| {
        batch.iter().filter(|change| matches!(change, Change::Entry(_))).count()
    };
    let in_a_row = 100;
    people[0].acts(&house.hub, (0..in_a_row).map(|_| say("hello")).collect());
    house.lines(&people[0], in_a_row);
    let said: Vec<usize> = house.written().iter().map(entries).filter(|n| *n > 0).collect();
    assert_eq!(said, [in_a_row]);
    let react = |n: usize| Act::React { about: EntryId(2 + n as i64), word: Some("ok".into()) };
    let most = limits::BATCH / (count as usize / limits::TOLD) + 1;
    // By one who asks for all of it at once, and by many who ask for one each.
    house.at_once(|hub| people[1].acts(hub, (0..in_a_row).map(react).collect()));
    house.lines(&people[1], in_a_row);
    house.at_once(|hub| {
        for person in &people[2..2 + in_a_row] {
            person.acts(hub, vec![react(0)]);
        }
    });
    for person in &people[2..2 + in_a_row] {
        while !person.heard(&house.hub).contains("OK REACT ") {}
    }
    let marked: Vec<usize> = house.written().iter().map(entries).filter(|n| *n > 0).collect();
    assert_eq!(marked.iter().sum::<usize>(), 2 * in_a_row);
    assert!(marked.iter().all(|marks| *marks <= most), "{marked:?}");
    house.stop();
}
