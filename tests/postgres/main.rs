//! The store on PostgreSQL: the store suite, the counting model and the transcripts, as they run on
//! SQLite, against a server of their own. Needs PostgreSQL to be installed.

#[path = "../store/bench.rs"]
mod bench;
mod cluster;
#[path = "../store/counting.rs"]
mod counting;
#[path = "../store/lists.rs"]
mod lists;
#[path = "../store/many_chats.rs"]
mod many_chats;
mod place;
mod played;
mod stores;
#[path = "../store/suite.rs"]
mod suite;
#[path = "../wire/transcript/mod.rs"]
mod transcript;
