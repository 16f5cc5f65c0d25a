//! Histories: thirty sessions of ten people on three nodes, while everything that they rest on fails
//! in turn: nodes, servers, clocks, and the ways between them. What is confirmed is there from then
//! on, once and unchanged, and whoever asks anywhere sees it; nothing goes backwards; and of those who
//! want the same name one gets it.
//!
//! `PAPO_SECONDS`: for how long, 30 if it is not set. `PAPO_SEED` as ever.

mod cuts;
mod events;
mod people;

use std::collections::{BTreeMap, HashMap};
use std::env;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use crate::machines::Machines;
use crate::process::{Client, Dice, Entry, Papod};
use crate::team::People;
use events::{EVENTS, Nemesis};
use people::{
    Attempt, GROUPS, LAST, PEOPLE, Read, World, WrittenMessage, conversation, handle, is_in,
};

/// Nothing takes longer than this, also where all this machine's cores are busy.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn nothing_is_lost_twice_or_backwards_whatever_fails() {
    let time = env::var("PAPO_SECONDS").map_or(30, |it| it.parse().expect("a number"));
    let (mut dice, seed) = Dice::from_environment();
    println!("PAPO_SEED={seed}");
    let machines = Machines::start();
    let people = &people_on(&machines.nodes);
    let world = &World::new(people);
    let mut nemesis = Nemesis { machines, people, happened: Default::default() };
    let until = Instant::now() + Duration::from_secs(time);
    // Everything in turn, from anywhere on: a short run has a part of it.
    let mut event = dice.below(EVENTS.len() as u64) as usize;
    let written = history(world, Dice::new(dice.below(u64::MAX)), || {
        while Instant::now() < until {
            nemesis.happen(event, &mut dice);
            event = (event + 1) % EVENTS.len();
        }
    });
    nemesis.machines.stop();
    let confirmed = written.iter().filter(|it| it.id.is_some()).count();
    println!("{confirmed} messages were confirmed, {} are not known", written.len() - confirmed);
    for (event, count) in EVENTS.iter().zip(nemesis.happened) {
        println!("{event}: {count} times");
    }
}

/// The accounts and groups of everybody, who have sessions on these nodes.
fn people_on(nodes: &[Papod]) -> People {
    nodes[0].until_logged("this node leads");
    let sessions: Vec<Client> = (0..PEOPLE).map(|n| nodes[n % 3].register(&handle(n))).collect();
    let mut founder = nodes[0].login_quietly(&handle(0));
    for (name, members) in GROUPS {
        let others: Vec<String> = (1..members).map(handle).collect();
        founder.say(&format!("GROUP NEW {name} {}", others.join(" ")));
        founder.expect(&format!("OK GROUP NEW {name}"));
    }
    drop((founder, sessions));
    let addresses = Mutex::new(nodes.iter().map(|node| node.address).collect());
    let (enough, confirmed) = Default::default();
    People { addresses, enough, confirmed, patience: PATIENCE }
}

/// Has everybody write, read and ask until `meanwhile` is over, and checks what has become of it.
/// Returns what was written.
fn history(world: &World, mut dice: Dice, meanwhile: impl FnOnce()) -> Vec<WrittenMessage> {
    let people = world.people;
    let (written, watched, asked) = thread::scope(|scope| {
        let _over = Over(world);
        let mut next = || Dice::new(dice.below(u64::MAX));
        let each = 0..PEOPLE;
        let begin = |(n, dice)| scope.spawn(move || people::write(world, n, dice));
        let writers: Vec<_> = each.clone().map(|n| (n, next())).map(begin).collect();
        let begin = |(n, dice)| scope.spawn(move || people::watch(world, n, dice));
        let watchers: Vec<_> = each.clone().map(|n| (n, next())).map(begin).collect();
        let begin = |(n, dice)| scope.spawn(move || people::ask(world, n, dice));
        let askers: Vec<_> = each.map(|n| (n, next())).map(begin).collect();
        people.progress(50);
        meanwhile();
        people.enough.store(true, Ordering::SeqCst);
        let written: Vec<_> = writers.into_iter().map(|it| it.join().unwrap()).collect();
        people.log_in(&mut 0, &handle(0), " quiet").send("#all", LAST);
        world.all_is_said.store(true, Ordering::SeqCst);
        let watched: Vec<_> = watchers.into_iter().map(|it| it.join().unwrap()).collect();
        let asked: Vec<_> = askers.into_iter().map(|it| it.join().unwrap()).collect();
        (written, watched, asked)
    });
    let (written, attempts): (Vec<_>, Vec<_>) = written.into_iter().unzip();
    let written: Vec<WrittenMessage> = written.into_iter().flatten().collect();
    let logs: Vec<_> = thread::scope(|scope| {
        let all: Vec<_> = (0..PEOPLE).map(|n| scope.spawn(move || log(world, n))).collect();
        all.into_iter().map(|log| log.join().unwrap()).collect()
    });
    check_log(&written, &logs);
    check_order(&written);
    world.check_times();
    check_winners(attempts.into_iter().flatten());
    for (n, shown) in asked.into_iter().enumerate() {
        assert_eq!(shown, logs[n], "what SYNC has shown to {}", handle(n));
    }
    check_receipts(world, watched, &logs);
    written
}

/// Lets all threads end if this one fails.
struct Over<'a>(&'a World<'a>);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.people.enough.store(true, Ordering::SeqCst);
        self.0.all_is_said.store(true, Ordering::SeqCst);
    }
}

/// All messages in the conversations of somebody.
fn log(world: &World, n: usize) -> BTreeMap<u64, Entry> {
    let mut client = world.people.log_in(&mut n.clone(), &handle(n), " quiet");
    let groups = GROUPS.iter().map(|(name, _)| (*name).to_owned()).filter(|it| is_in(n, it));
    let mut all = BTreeMap::new();
    for with in groups.chain((0..PEOPLE).map(handle)) {
        let entries = client.history(&with, 0).into_iter();
        all.extend(
            entries
                .filter(|it| it.body.contains(" says ") || it.body == LAST)
                .map(|it| (it.id, it)),
        );
    }
    all
}

/// Everything that was confirmed is there, and everything that is there was written, once.
fn check_log(written: &[WrittenMessage], logs: &[BTreeMap<u64, Entry>]) {
    let mut all: BTreeMap<u64, &Entry> = logs.iter().flatten().map(|(id, it)| (*id, it)).collect();
    all.retain(|_, entry| entry.body != LAST);
    let mut by_body = HashMap::new();
    for (id, entry) in all {
        let twice = by_body.insert((&*entry.from, &*entry.to, &*entry.body), id);
        assert!(twice.is_none(), "{id} and {twice:?} are the same: {entry:?}");
    }
    for it in written {
        let there = by_body.remove(&(&*it.from, &*it.to, &*it.body));
        assert!(it.id.is_none() || it.id == there, "{:?} {} is at {there:?}", it.id, it.body);
    }
    assert!(by_body.is_empty(), "nobody has written {by_body:?}");
}

/// What was confirmed before something was said has a smaller id.
fn check_order(written: &[WrittenMessage]) {
    let confirmed = || written.iter().filter_map(|it| Some((it.called, it.returned, it.id?)));
    let (mut calls, mut returns): (Vec<_>, Vec<_>) =
        confirmed().map(|(called, returned, id)| ((called, id), (returned, id))).unzip();
    calls.sort_unstable();
    returns.sort_unstable();
    let (mut newest, mut returns) = (0, returns.into_iter().peekable());
    for (called, id) in calls {
        while let Some((_, before)) = returns.next_if(|(returned, _)| *returned < called) {
            newest = before.max(newest);
        }
        assert!(id > newest, "{id} was said after {newest} was confirmed");
    }
}

/// One of those who want a name gets it.
fn check_winners(attempts: impl Iterator<Item = Attempt>) {
    let mut names = HashMap::<String, (usize, usize)>::new();
    for Attempt { name, won } in attempts {
        let (winners, unknown) = names.entry(name).or_default();
        *winners += usize::from(won == Some(true));
        *unknown += usize::from(won.is_none());
    }
    for (name, (winners, unknown)) in names {
        assert!(winners <= 1 && winners + unknown >= 1, "{name}: {winners} winners, {unknown}");
    }
}

/// All read everything, and each is told so of the others.
fn check_receipts(world: &World, watched: Vec<(Client, Read)>, logs: &[BTreeMap<u64, Entry>]) {
    for (n, log) in logs.iter().enumerate() {
        let mut client = world.people.log_in(&mut n.clone(), &handle(n), " quiet");
        let others = log.values().filter(|entry| entry.from != handle(n));
        let last = others.map(|entry| (conversation(&entry.from, &entry.to), entry.id));
        for id in last.collect::<HashMap<_, _>>().into_values() {
            client.say(&format!("READ {id}"));
            client.expect(&format!("OK READ {id}"));
        }
    }
    for (n, (mut client, mut read)) in watched.into_iter().enumerate() {
        let me = handle(n);
        // The last message in each conversation that is mine, and who reads it.
        let mut last = HashMap::new();
        for entry in logs[n].values().filter(|entry| entry.from == me) {
            last.insert(conversation(&me, &entry.to), entry);
        }
        let mut missing = Vec::new();
        for entry in last.into_values() {
            let reads = |other: &usize| {
                *other != n && (handle(*other) == entry.to || is_in(*other, &entry.to))
            };
            for other in (0..PEOPLE).filter(reads).map(handle) {
                let place = if entry.to.starts_with('#') { &entry.to } else { &me };
                missing.push(((other, place.clone()), entry.id));
            }
        }
        let began = Instant::now();
        loop {
            missing.retain(|(who, id)| read.get(who).is_none_or(|read| read < id));
            if missing.is_empty() {
                break;
            }
            assert!(
                began.elapsed() < PATIENCE,
                "{me} was not told of {missing:?}, but of {read:?}"
            );
            client.say("FIND p0");
            for line in client.until("OK FIND ") {
                people::note_receipt(&mut read, &line, &me);
            }
        }
    }
}
