//! The scenarios. Each is a file with one function, and a line in [`ALL`].

mod burst;
mod chat;
mod cluster;
mod cost;
mod drain;
mod expire;
pub mod fair;
mod fan_out;
mod files;
mod group;
mod half_load;
mod hist;
mod hostile;
mod http;
mod idle;
mod marks;
mod ping_pong;
mod scale;
mod search;
pub mod send;
mod sessions;
mod start;
mod sync;
mod takeover;
mod uneven;

use crate::{Bench, Outcome};

/// Something that is measured.
pub struct Scenario {
    /// What it is called on the command line and in the table.
    pub name: &'static str,
    /// What it does, for who waits.
    pub about: &'static str,
    /// It is measured again on the large database.
    pub large: bool,
    pub run: fn(&mut Bench) -> Outcome<()>,
}

/// All of them, in the order of the table.
pub const ALL: &[Scenario] = &[
    send::SEND,
    send::PLAIN,
    uneven::SCENARIO,
    ping_pong::SCENARIO,
    chat::SCENARIO,
    half_load::SCENARIO,
    cost::SCENARIO,
    group::SCENARIO,
    fan_out::SCENARIO,
    drain::SCENARIO,
    hist::SCENARIO,
    sync::SCENARIO,
    search::SCENARIO,
    marks::SCENARIO,
    expire::SCENARIO,
    files::SCENARIO,
    sessions::SCENARIO,
    http::SCENARIO,
    burst::SCENARIO,
    hostile::SCENARIO,
    cluster::SCENARIO,
    idle::SCENARIO,
    start::SCENARIO,
    scale::SCENARIO,
    fair::SCENARIO,
];
