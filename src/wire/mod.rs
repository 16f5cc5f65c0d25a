//! The protocol: parsing and writing its lines.
//!
//! Nothing here decides, stores or waits. `line` splits bytes into lines, and `request` is what a
//! line is parsed into, by the rules of the grammar in `rules`, `mark_rules` and `admin`, which are
//! made of `fields`. The lines that the server sends are written and parsed by `reply` (`OK`), `events`
//! (entries and receipts) and `rows` (all others), which are made of `columns` and `tags`;
//! `refusal` has the sentences of `ERR`. `text` is the only place that escapes, `calls` finds whom
//! a text calls, `help` makes the text of `HELP` from the tables in `verb_table` and `line_forms`,
//! `suggestions` guesses what an unknown command was meant to be, and `withdrawal` takes a deleted
//! message out of lines that wait.

mod account_verbs;
mod admin;
pub mod calls;
pub mod columns;
mod events;
mod fields;
mod group_verb;
pub mod help;
pub mod line;
mod line_forms;
mod mark_rules;
pub mod refusal;
pub mod reply;
pub mod request;
pub mod rows;
mod rules;
pub mod suggestions;
pub mod tags;
pub mod telnet;
pub mod text;
mod verb_table;
mod verbs;
pub mod withdrawal;
