//! Searching: an index of the words of messages, in tables beside the log.
//!
//! The leader fills it behind the log, by a thread of its own (`fill`), and the readers of every node
//! use it (`look`). search.sql has its tables and the functions that write them.

mod fill;
mod look;

pub use fill::PgIndexer;
pub(super) use look::search;
