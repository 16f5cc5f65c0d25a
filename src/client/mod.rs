//! The client `papo`: the other end of the wire, for scripts and for people.
//!
//! [`flags`] is the command line; the other files carry out its commands. Nothing here knows the
//! server's insides: of the rest of the crate it uses only the words ([`crate::name`],
//! [`crate::entry`], [`crate::limits`]) and the wire format ([`crate::wire`]).
//!
//! From the bottom up: an [`address`] is dialled ([`dial`]; [`trust`] checks the certificate) and
//! becomes a [`connection`] of lines. An [`account`], put together from flags, [`settings`] and a
//! [`secret`], logs in over it. On top of these, two things reconnect by themselves: a [`caller`],
//! which repeats a command until it is answered, and a [`feed`] of events, which uses [`follow`] to
//! miss none; [`acks`] acknowledges what was handled. Each group of commands has its own file.

pub mod account;
pub mod acks;
pub mod address;
pub mod ask;
pub mod byte_count;
pub mod caller;
pub mod connection;
pub mod dial;
pub mod download;
pub mod expire;
pub mod failure;
pub mod feed;
pub mod files;
pub mod flags;
pub mod follow;
pub mod group;
pub mod group_flags;
pub mod harmless;
pub mod input;
pub mod json;
pub mod later;
pub mod lines;
pub mod login;
pub mod lossy;
pub mod marks;
pub mod message_flags;
pub mod numbers;
pub mod on;
pub mod outage;
pub mod outlet;
pub mod own;
pub mod own_flags;
pub mod progress;
pub mod queries;
pub mod raw;
pub mod search;
pub mod secret;
pub mod send;
pub mod settings;
pub mod sharing;
pub mod signals;
pub mod stdout;
pub mod tail;
pub mod terminal;
pub mod text_arguments;
#[cfg(test)]
mod text_arguments_tests;
pub mod token;
pub mod token_flags;
pub mod trust;
mod waiting_entries;
pub mod when;
