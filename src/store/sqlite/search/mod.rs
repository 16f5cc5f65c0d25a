//! Searching: an index of the words of messages, in a file of its own beside the database.
//!
//! It is filled behind the log, by a thread of its own (`fill`), and read by the readers (`look`).
//! SQLite's own full-text index was not taken. It has one list of all messages for each word, so that
//! a look in one conversation reads what was said in all others. And what is deleted from it stays
//! until its parts are merged; here a part is dropped as a whole, and SQLite overwrites its pages.

mod file;
mod fill;
mod index;
mod look;

pub(super) use file::SearchFile;
pub use fill::SqliteIndexer;
pub(super) use look::SearchReader;
