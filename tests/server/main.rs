//! papod as a program that somebody runs: what it is told, who comes in and how, what it refuses,
//! what it says of itself, and how it ends.

mod accounts;
mod auth_command;
mod certificates;
mod door;
mod drill;
mod exits;
mod files;
mod held;
mod hostile;
mod invitations;
mod keep;
mod limits;
mod listening;
mod logs;
#[path = "../store/marks.rs"]
mod marks;
mod metrics;
#[path = "../hub/narrow.rs"]
mod narrow;
mod operator_events;
mod operators;
mod overwritten;
#[path = "../process/mod.rs"]
mod process;
mod processes;
mod restore;
mod running;
mod settings;
mod stalled;
mod started;
mod uploads;
mod views;
mod ways;
