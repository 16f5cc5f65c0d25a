//! The store, and by what rules it is written to, in this process.
//!
//! No program is started here: for a moment it would hold the locks of databases that are open, and
//! they could not be opened again.

mod backup;
mod bench;
mod check;
mod counting;
mod erased;
mod erasing;
mod expiring;
mod files;
mod find;
mod flags;
mod forget;
mod holding;
mod invitations;
mod languages;
mod later;
mod lists;
mod many_chats;
mod marks;
mod private_reads;
#[path = "../process/mod.rs"]
mod process;
mod search;
mod search_file;
mod stores;
mod strangers;
mod suite;
