//! A database that is put back to an older state while papods use it: none of them goes on as if
//! nothing were missing.

use std::path::PathBuf;

use rustix::process::Signal;

use crate::cluster::{Cluster, url};
use crate::machines::start_nodes;
use crate::process::{Client, Papod};

const HAS_LOST: &str = "it has lost messages that were confirmed";

/// Whoever was told more than is there has to be connected anew.
#[test]
fn nodes_whose_database_is_put_back_end() {
    let mut server = Cluster::start();
    let name = server.make_database();
    let db = PathBuf::from(url(&[&server], &name));
    let mut nodes = start_nodes::<3>(|_| Papod::start(&db));
    let mut ana = nodes[1].register("ana");
    ana.send("ana", "is kept");
    server.kill();
    server.copy();
    server.start_again();
    // The next leader is one that the copy does not know as such.
    nodes[0].signal(Signal::TERM);
    assert_eq!(nodes[0].wait().code(), Some(0), "{}", nodes[0].log());
    nodes[0] = Papod::start(&db);
    let mut told: Vec<Client> = nodes.iter().map(|node| node.login("ana").0).collect();
    let lost = told[0].send("ana", "is lost");
    for ana in &mut told[1..] {
        ana.until(&format!("MSG {lost} "));
    }
    let leads = |node: &Papod| node.log().contains("this node leads");
    let leader = nodes.iter().position(leads).expect("one of them leads");
    let others = [1, 2].map(|n| (leader + n) % 3);
    // They come back when another leads.
    others.iter().for_each(|at| nodes[*at].signal(Signal::STOP));
    let newest = server.ask(&name, "SELECT term || '|' || batch FROM leader").unwrap();
    server.kill();
    server.put_back();
    server.start_again();
    told[leader].say("MSG ana never confirmed");
    assert_eq!(nodes[leader].wait().code(), Some(1));
    assert!(nodes[leader].log().contains(HAS_LOST), "{}", nodes[leader].log());
    let again = Papod::start(&db);
    let mut ana = again.login("ana").0;
    assert!(ana.send("ana", "after") > lost);
    // By then it has as many batches, in a term of the same number or, if the one that ended had
    // begun that again, of the next.
    let (term, batch) = newest.split_once('|').unwrap();
    server.until(&name, &format!("SELECT term >= {term} AND batch > {batch} FROM leader"));
    for at in others {
        nodes[at].signal(Signal::CONT);
        assert_eq!(nodes[at].wait().code(), Some(1), "{}", nodes[at].log());
        assert!(nodes[at].log().contains(HAS_LOST), "{}", nodes[at].log());
    }
    for mut ana in told {
        assert_eq!(ana.rest(), [""; 0]);
    }
    let next = Papod::start(&db);
    let bodies: Vec<String> =
        next.login("ana").0.history("ana", 0).into_iter().map(|entry| entry.body).collect();
    assert_eq!(bodies, ["is kept", "after"]);
    drop(ana);
    next.stop();
    again.stop();
}
