//! The hub, its readers and its sessions, in this process: what happens in which order, and who is
//! told.
//!
//! No program is started here: for a moment it would hold the locks of databases that are open, and
//! they could not be opened again.

mod counters;
mod crowd;
mod deleted;
mod expire;
mod house;
mod later;
mod narrow;
mod notices;
mod person;
mod readers;
mod revoked;
mod sessions;
mod storage;
mod turns;
mod waits;
