//! papod on PostgreSQL: the store suite, the counting model and the transcripts, as they run on
//! SQLite; the real papod, and what it does when servers fail. Needs PostgreSQL to be installed, and
//! iso-codes for `corpus`.

#[path = "../store/bench.rs"]
mod bench;
mod clocks;
#[allow(dead_code)] // The benchmark has some of it for itself.
mod cluster;
mod corpus;
#[path = "../store/counting.rs"]
mod counting;
mod cut_off;
mod erased;
#[path = "../store/erasing.rs"]
mod erasing;
#[path = "../store/expiring.rs"]
mod expiring;
mod failover;
mod files;
#[path = "../store/flags.rs"]
mod flags;
mod frozen;
mod handed_on;
mod histories;
#[path = "../store/holding.rs"]
mod holding;
mod http;
mod index;
#[path = "../store/invitations.rs"]
mod invitations;
#[path = "../store/languages.rs"]
mod languages;
#[path = "../store/later.rs"]
mod later;
mod let_in;
#[path = "../store/lists.rs"]
mod lists;
#[path = "../faults/lives.rs"]
mod lives;
mod machines;
#[path = "../store/many_chats.rs"]
mod many_chats;
#[path = "../store/marks.rs"]
mod marks;
mod network;
mod node_files;
mod nodes;
mod patroni;
mod place;
mod plans;
mod played;
mod points;
#[path = "../store/private_reads.rs"]
mod private_reads;
#[path = "../process/mod.rs"]
mod process;
mod relay;
mod restored;
#[path = "../store/search.rs"]
mod search;
mod served;
mod server_pair;
mod stale;
mod standbys;
mod stores;
#[path = "../store/suite.rs"]
mod suite;
mod team;
#[allow(dead_code)] // Only whole lines are typed here, and nothing is rewritten.
#[path = "../wire/transcript/mod.rs"]
mod transcript;
mod trial;
mod watched;

use process::{ports, signals};
