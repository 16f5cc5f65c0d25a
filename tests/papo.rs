//! The client, as a program: each command against a real papod, each exit status, and a server that
//! is killed while it is in use.

mod process;

#[path = "papo/accounts.rs"]
mod accounts;
#[path = "papo/bots.rs"]
mod bots;
#[path = "papo/fake.rs"]
mod fake;
#[path = "papo/histories.rs"]
mod histories;
#[path = "papo/place.rs"]
mod place;
#[path = "papo/reading.rs"]
mod reading;
#[path = "papo/sending.rs"]
mod sending;
#[path = "papo/tailing.rs"]
mod tailing;
