//! A node that is cut off together with a former primary: it has confirmed nothing since the standby was
//! promoted, and answers no question with what has become old meanwhile.

use std::thread;
use std::time::{Duration, Instant};

use crate::machines::Machines;
use crate::process::PATIENCE;
use crate::relay::Relay;

#[test]
fn what_is_confirmed_elsewhere_is_not_missing_from_an_answer() {
    let mut machines = Machines::start();
    let mut bob = machines.nodes[1].register("bob");
    let mut ana = machines.nodes[0].register("ana");
    ana.send("bob", "before");
    let leader = machines.leader();
    assert_eq!(leader, 0);
    bob.until("MSG ");
    // The leader reaches the primary, and the others reach its standby.
    machines.links[leader].cut();
    machines.pair.ways[leader][1].cut();
    (1..3).for_each(|at| machines.pair.ways[at][0].cut());
    machines.pair.other().detach();
    machines.pair.promote();
    let _next = machines.pair.primary().standby();
    let began = Instant::now();
    while machines.leader() == leader {
        assert!(began.elapsed() < PATIENCE, "nobody takes over");
        thread::sleep(Duration::from_millis(1));
    }
    let after = bob.send("ana", "after");
    ana.say("HIST bob 1");
    machines.links[leader].mend();
    machines.pair.ways.iter().flatten().for_each(Relay::mend);
    let shown = ana.until("OK HIST ");
    assert!(shown.iter().any(|line| line.starts_with(&format!("HIST {after} "))), "{shown:?}");
    machines.stop();
}
