//! Plays transcripts: text files that say what people typed and what they got, line for line.
//!
//! `script` reads the format, `names` keeps its words that nobody knows beforehand, `client` is one
//! connection, `play` plays a script against a server of its own and compares, `rewrite` writes down
//! what was said instead, `cut` feeds what one client typed in other pieces, `abreast` plays several
//! at a time. Everything goes through real sockets; nothing here knows a verb but `PING`.

pub mod abreast;
pub mod client;
pub mod cut;
pub mod names;
pub mod play;
pub mod rewrite;
pub mod script;
