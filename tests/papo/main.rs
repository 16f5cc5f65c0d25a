//! The client, as a program: each command against a real papod, each exit status, and a server that
//! is killed while it is in use; and the conversation at a terminal.

mod accounts;
mod bots;
mod devices;
mod expire;
mod fake;
mod files;
mod flags;
mod histories;
mod later;
mod marks;
mod pictures;
mod place;
#[path = "../process/mod.rs"]
mod process;
mod reading;
mod searching;
mod sending;
mod tailing;
mod terminal;
