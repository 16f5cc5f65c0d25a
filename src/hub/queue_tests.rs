//! Tests of `queue`.

use super::*;
use crate::entry::{AccountId, Condition};
use crate::hub::inbox::inbox;
use crate::name::{Handle, Target};
use crate::origin::Origin;
use crate::wire::request::GroupChange;

fn handle(name: &str) -> Handle {
    Handle::new(name).unwrap()
}

fn long(session: u64) -> Work {
    let name = handle(&format!("g{session}"));
    let handles = (0..limits::BATCH).map(|n| handle(&format!("p{n}"))).collect();
    let act = Act::Group { name, change: GroupChange::New(handles) };
    Work::Acts { session: SessionId(session), acts: vec![act] }
}

/// Each session is one of an account of its own; those of a hundred come from one address.
fn party(session: SessionId) -> Option<Party> {
    let origin = Origin::User((session.0 / 100) as u32);
    Some(Party { origin, account: AccountId(session.0 as i64) })
}

/// The sessions whose acts are in the next batch.
fn batch(queue: &mut Queue) -> Vec<u64> {
    queue.begin(false, None, party).unwrap();
    let mut served = Vec::new();
    let mut weight = 0;
    while weight < queue.most().0
        && let Some(work) = queue.next()
    {
        weight += work.size().0;
        if let Work::Acts { session, .. } = work {
            served.push(session.0);
        }
    }
    served
}

#[test]
fn after_a_long_act_everything_else_comes_before_the_next() {
    let (ask, waiting) = inbox();
    let mut queue = Queue::new(waiting);
    for session in [1, 2] {
        ask.send(long(session));
    }
    assert_eq!(batch(&mut queue), [1]);
    queue.took(limits::CALM, limits::CALM, limits::BATCH);
    let to = Target::Person(handle("p1"));
    let act = Act::Send { to, body: "hello".into(), once: None };
    ask.send(Work::Acts { session: SessionId(3), acts: vec![act] });
    assert_eq!(batch(&mut queue), [3], "without the other long one");
    queue.end();
    assert_eq!(batch(&mut queue), [2], "at the end nothing is waited for");
    assert!(queue.is_empty());
}

/// A `WAIT` is a command like others: it costs its account, and waits for its turn.
#[test]
fn waiting_for_readers_takes_turns_with_messages() {
    let (ask, waiting) = inbox();
    let mut queue = Queue::new(waiting);
    let watch = |session| {
        let (session, id, until) = (SessionId(session), EntryId(1), Condition::Answered);
        Work::Watch { session, id, until }
    };
    let to = Target::Person(handle("p1"));
    let say = || Act::Send { to: to.clone(), body: "hello".into(), once: None };
    ask.send(Work::Acts { session: SessionId(1), acts: vec![say()] });
    ask.send(Work::Acts {
        session: SessionId(2),
        acts: (0..limits::BATCH).map(|_| say()).collect(),
    });
    for session in 3..10 {
        ask.send(watch(session));
    }
    queue.begin(false, None, party).unwrap();
    let first = queue.next();
    assert!(matches!(first, Some(Work::Acts { session: SessionId(1), .. })));
    assert!(matches!(queue.next(), Some(Work::Acts { session: SessionId(2), .. })));
    for session in 3..10 {
        let next = queue.next();
        queue.charge(limits::BATCH);
        let Some(Work::Watch { session: whose, .. }) = next else { panic!("a WAIT") };
        assert_eq!(whose, SessionId(session));
    }
}

/// However many accounts ask for something from one address, one at another waits for one turn of
/// them, and not for one of each.
#[test]
fn addresses_take_turns_before_accounts() {
    let (ask, waiting) = inbox();
    let mut queue = Queue::new(waiting);
    let to = Target::Person(handle("p1"));
    let say = |session, count| {
        let say = || Act::Send { to: to.clone(), body: "hello".into(), once: None };
        ask.send(Work::Acts {
            session: SessionId(session),
            acts: (0..count).map(|_| say()).collect(),
        });
    };
    (100..200).for_each(|session| say(session, limits::TURN));
    say(200, limits::TURN);
    let served = batch(&mut queue);
    assert_eq!(served[..4], [100, 200, 101, 200]);
    let shares = served.iter().filter(|session| **session == 200).count();
    assert_eq!(shares, limits::TURN / limits::FIRST_TURN, "all of it, in small turns");
    // Those of the first address go on where they were, and one that comes is next all the same.
    say(300, 1);
    let served = batch(&mut queue);
    assert!(served[..2].contains(&300), "{served:?}");
    // Within an address, its accounts take turns.
    let mut rest = Vec::new();
    while !queue.is_empty() {
        rest.extend(batch(&mut queue));
    }
    assert!(rest.iter().all(|session| (100..200).contains(session)), "{rest:?}");
}

#[test]
fn after_a_batch_that_took_long_the_next_ones_are_smaller() {
    let (ask, waiting) = inbox();
    let mut queue = Queue::new(waiting);
    let to = Target::Person(handle("p1"));
    let acts = |count| {
        let say = || Act::Send { to: to.clone(), body: "hello".into(), once: None };
        (0..count).map(|_| say()).collect()
    };
    for session in 1..=8 {
        ask.send(Work::Acts { session: SessionId(session), acts: acts(2 * limits::BATCH) });
    }
    let most = |queue: &mut Queue| {
        batch(queue);
        queue.most().0
    };
    let (slow, quick) = (2 * limits::BATCH_TIME, limits::BATCH_TIME / 4);
    let full = most(&mut queue);
    assert_eq!(full, limits::BATCH / 2);
    queue.took(slow, slow, full);
    assert_eq!(most(&mut queue), full / 2);
    queue.took(slow, quick, full / 4);
    assert_eq!(most(&mut queue), full / 2, "it was quick because there was little in it");
    (0..10).for_each(|_| queue.took(slow, slow, full));
    assert_eq!(most(&mut queue), limits::LEAST_BATCH / 2);
    (0..10).for_each(|_| queue.took(slow, quick, full));
    assert_eq!(most(&mut queue), full);
}

/// A leader that is replaced while papod ends goes on as a door, and ends as one.
#[cfg(feature = "postgres")]
#[test]
fn the_end_of_papod_is_handed_on() {
    let (ask, waiting) = inbox();
    let mut queue = Queue::new(waiting);
    ask.send(Work::End);
    queue.begin(false, None, party).unwrap();
    assert!(matches!(queue.next(), Some(Work::End)));
    queue.end();
    ask.send(long(1));
    assert!(matches!(queue.into_parts().1[..], [Work::End]));
}
