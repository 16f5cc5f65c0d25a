//! Bytes to words and back: what a line is, what it says, how an answer looks.
//!
//! Nothing here decides, stores or waits. `line` cuts bytes into lines, `request` parses one line by
//! the `rules` of the grammar, which are made of `fields`. The lines that the server sends are
//! written and read by `reply` (`OK`), `events` (entries and receipts) and `rows` (all others), which
//! are made of `columns` and `tags`; `refusal` has the sentences of `ERR`. `text` is the only place
//! that escapes, `help` is what `HELP` shows, by the tables in `verbs` and `sent`, and `hints`
//! suggests what an unknown command was meant to be.

pub mod columns;
mod events;
mod fields;
pub mod help;
pub mod line;
mod line_forms;
pub mod refusal;
pub mod reply;
pub mod request;
pub mod rows;
mod rules;
pub mod suggestions;
pub mod tags;
pub mod telnet;
pub mod text;
mod verbs;
