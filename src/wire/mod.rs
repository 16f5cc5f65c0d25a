//! Bytes to words and back: what a line is, what it says, how an answer looks.
//!
//! Nothing here decides, stores or waits. `line` cuts bytes into lines, `request` parses one line by
//! the `rules` of the grammar, which are made of `fields`; `reply` and `refusal` write the answers,
//! `text` is the only place that escapes, `help` is what `HELP` shows, by the tables in `verbs` and
//! `sent`, and `hints` what an unknown command was meant to be.

mod fields;
pub mod help;
pub mod hints;
pub mod line;
pub mod refusal;
pub mod reply;
pub mod request;
mod rules;
mod sent;
pub mod telnet;
pub mod text;
mod verbs;
