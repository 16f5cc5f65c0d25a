//! The scenarios. Each is a file with one function, and a line in [`ALL`].

mod burst;
mod drain;
mod group;
mod hist;
mod idle;
mod ping_pong;
mod send;
mod sessions;
mod spread;
mod sync;

use crate::{Bench, Outcome};

/// Something that is measured.
pub struct Scenario {
    /// What it is called on the command line and in the table.
    pub name: &'static str,
    /// What it does, for who waits.
    pub about: &'static str,
    pub run: fn(&mut Bench) -> Outcome<()>,
}

/// All of them, in the order of the table.
pub const ALL: &[Scenario] = &[
    send::SEND,
    send::PLAIN,
    ping_pong::SCENARIO,
    spread::SCENARIO,
    drain::SCENARIO,
    group::SCENARIO,
    hist::SCENARIO,
    sync::SCENARIO,
    sessions::SCENARIO,
    burst::SCENARIO,
    idle::SCENARIO,
];
