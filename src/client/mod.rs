//! The client `papo`: the other end of the wire, for scripts and for people.
//!
//! Here are the command line, in [`flags`], and what a command does once it is understood. Nothing in
//! here knows the server's insides: of the rest of the house it uses the words ([`crate::name`],
//! [`crate::limits`]) and the escapes ([`crate::wire::text`]) only.
//!
//! From below: an [`address`] is dialled ([`dial`], over TLS by who is in [`trust`]) and becomes a
//! [`connection`] of lines; who logs in over it is an [`account`], made of flags, [`settings`] and a [`secret`]. On top of these stand two
//! things that come back by themselves when the server was away: a [`caller`], where a command is
//! said again until it is answered, and a [`feed`] of events, which `follow`s the server's log so that
//! nothing is missed; [`acks`] says what was dealt with. The commands are one file for each group of
//! them.

pub mod account;
pub mod acks;
pub mod address;
pub mod caller;
pub mod connection;
pub mod dial;
pub mod failure;
pub mod feed;
pub mod flags;
pub mod follow;
pub mod group;
pub mod harmless;
pub mod json;
pub mod lines;
pub mod login;
pub mod lossy;
pub mod on;
pub mod outage;
pub mod outlet;
pub mod progress;
pub mod queries;
pub mod raw;
pub mod secret;
pub mod send;
pub mod settings;
pub mod signals;
pub mod stdout;
pub mod tail;
pub mod terminal;
pub mod token;
pub mod trust;
