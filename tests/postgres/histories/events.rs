//! All that happens to the machines of the histories.

use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::machines::{Machines, NODES};
use crate::process::{Dice, Papod};
use crate::relay::{Relay, Toward};
use crate::team::People;

/// Everything that happens, in turn.
pub const EVENTS: [&str; 17] = [
    "a node killed",
    "the leader killed",
    "the leader ended",
    "a node frozen",
    "the leader frozen",
    "a node cut off its database",
    "a node cut off its database one way",
    "the leader cut off the others",
    "the leader cut off the others one way",
    "the leader cut off everything",
    "the leader cut off everything one way",
    "everything slow",
    "a node's clock set",
    "the leader's clock set",
    "the primary killed",
    "the primary frozen, and there again beside the next one",
    "the standby killed",
];

/// Machines to which things happen.
pub struct Nemesis<'a> {
    pub machines: Machines,
    pub people: &'a People,
    /// How often each of the events has happened.
    pub happened: [usize; EVENTS.len()],
}

impl Nemesis<'_> {
    /// Has something happen, and everything is as it should be after it.
    pub fn happen(&mut self, event: usize, dice: &mut Dice) {
        let machines = &mut self.machines;
        let leader = machines.leader();
        let some = dice.below(NODES as u64) as usize;
        let time = Duration::from_millis(300 + dice.below(3_000));
        eprintln!("{}, {time:?}", EVENTS[event]);
        self.happened[event] += 1;
        match EVENTS[event] {
            "a node killed" => self.kill(some),
            "the leader killed" => self.kill(leader),
            "the leader ended" => {
                machines.nodes[leader].signal(Signal::TERM);
                let status = machines.nodes[leader].wait();
                assert_eq!(status.code(), Some(0), "{}", machines.nodes[leader].log());
                self.replace(leader);
            }
            "a node frozen" => freeze(&machines.nodes[some], time),
            "the leader frozen" => freeze(&machines.nodes[leader], time),
            "a node cut off its database" => {
                let ways = &machines.pair.ways[some];
                ways.iter().for_each(Relay::cut);
                lasts(time);
                mend(ways, dice);
            }
            "a node cut off its database one way" => {
                let (ways, toward) = (&machines.pair.ways[some], one_of(dice));
                ways.iter().for_each(|way| way.cut_toward(toward));
                lasts(time);
                mend(ways, dice);
            }
            "the leader cut off the others" => {
                let link = &machines.links[leader];
                link.cut();
                lasts(time);
                mend([link], dice);
            }
            "the leader cut off the others one way" => {
                let link = &machines.links[leader];
                link.cut_toward(one_of(dice));
                lasts(time);
                mend([link], dice);
            }
            "the leader cut off everything" => {
                let ways = machines.ways_of(leader);
                ways.clone().for_each(Relay::cut);
                lasts(time);
                mend(ways, dice);
            }
            "the leader cut off everything one way" => {
                let (of_nodes, of_servers) = match one_of(dice) {
                    // It hears nothing.
                    Toward::Server => (Toward::Server, Toward::Client),
                    // Nobody hears it.
                    Toward::Client => (Toward::Client, Toward::Server),
                };
                machines.links[leader].cut_toward(of_nodes);
                machines.pair.ways[leader].iter().for_each(|way| way.cut_toward(of_servers));
                lasts(time);
                mend(machines.ways_of(leader), dice);
            }
            "everything slow" => {
                let delay = Duration::from_millis(1 + dice.below(30));
                let all = || machines.pair.ways.iter().flatten().chain(&machines.links);
                all().for_each(|way| way.delay(delay));
                lasts(time);
                all().for_each(Relay::mend);
            }
            // It stays so until it is set again.
            "a node's clock set" => {
                machines.set_clock(some, hours(dice));
                lasts(time);
            }
            "the leader's clock set" => {
                machines.set_clock(leader, hours(dice));
                lasts(time);
                machines.set_clock(leader, hours(dice));
            }
            "the primary killed" => {
                machines.pair.primary_mut().kill();
                machines.pair.promote();
                machines.pair.new_standby();
            }
            "the primary frozen, and there again beside the next one" => {
                machines.pair.primary().signal(Signal::STOP);
                machines.pair.promote();
                machines.pair.other().signal(Signal::CONT);
                lasts(time);
                machines.pair.other_mut().kill();
                machines.pair.new_standby();
            }
            "the standby killed" => {
                machines.pair.other_mut().kill();
                lasts(time);
                machines.pair.new_standby();
            }
            other => unreachable!("{other}"),
        }
        self.people.progress(20);
        for node in &mut self.machines.nodes {
            assert!(node.runs(), "{}", node.log());
        }
    }

    fn kill(&mut self, at: usize) {
        self.machines.nodes[at].kill();
        self.replace(at);
    }

    fn replace(&mut self, at: usize) {
        let node = self.machines.papod(at);
        self.people.addresses.lock().unwrap()[at] = node.address;
        self.machines.nodes[at] = node;
    }
}

fn freeze(node: &Papod, time: Duration) {
    node.signal(Signal::STOP);
    lasts(time);
    node.signal(Signal::CONT);
}

/// A number of seconds, hours ahead or behind.
fn hours(dice: &mut Dice) -> i64 {
    let hours = i64::try_from(dice.below(25)).unwrap() - 12;
    hours * 3_600
}

fn mend<'a>(ways: impl IntoIterator<Item = &'a Relay>, dice: &mut Dice) {
    for way in ways {
        if dice.below(2) == 0 {
            way.reset();
        }
        way.mend();
    }
}

fn one_of(dice: &mut Dice) -> Toward {
    if dice.below(2) == 0 { Toward::Server } else { Toward::Client }
}

/// What happens lasts for a while.
pub fn lasts(time: Duration) {
    thread::sleep(time);
}
