//! papo: a chat server that people use with netcat.
//!
//! A conversation is an append-only log of entries; a member is two cursors in it, delivered and
//! read. One thread, the [`hub`], owns the rules and the writer: it decides, records, and only then
//! notifies. A session is live, and entries are pushed to it, or behind, and pages them from the
//! log.
//!
//! The path of `MSG bob hi`:
//!
//! ```text
//! socket -> wire::line -> wire::request -> session -> hub -> chat (pure rules) -> Change
//!   -> store::Writer: one transaction for all that waited, synced
//!   -> "OK MSG 17 …" to its author's outbox, "MSG 17 …" encoded once into the others'
//!   -> each session: all that waits in one write -> socket
//! ```
//!
//! The layers, called floors; a module uses only those below it, which `tests/pages/floors.rs` checks:
//!
//! ```text
//! 5 bin/  flags    client         flags, logging, exit statuses; the other end of the wire
//! 4 server  session  door  metrics sockets and tasks; the only floor that knows them
//! 3 hub  outbox  readers          threads and their queues
//!   wakeups  file_workers
//! 2 chat                          the rules; no I/O, no clock, no waiting
//! 1 wire          store           bytes <-> words        words <-> disk
//! 0 name  entry  origin  owner  fold  limits  config  rates  password    the words everyone uses
//!   group_rules  preferences  chat_flags  brake  counters  turns     guessing; counting; fair queues
//! ```
#![forbid(unsafe_code)]

pub mod brake;
pub mod chat;
pub mod chat_flags;
pub mod client;
pub mod config;
pub mod counters;
pub mod door;
pub mod entry;
pub mod file_workers;
pub mod flags;
pub mod fold;
pub mod group_rules;
pub mod hub;
pub mod indexing;
pub mod limits;
pub mod live_limits;
pub mod metrics;
pub mod name;
pub mod node_report;
pub mod origin;
pub mod outbox;
pub mod owner;
pub mod password;
pub mod preferences;
pub mod rates;
pub mod readers;
pub mod server;
pub mod session;
pub mod store;
pub mod turns;
pub mod wakeups;
pub mod wire;
