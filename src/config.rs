//! What papod was told to do, as plain data. How it is said on a command line is the program's
//! business; see `bin/papod.rs`.

use std::path::PathBuf;

use crate::entry::Clock;

/// Argon2id's memory and passes for new passwords.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordCost {
    /// Memory in KiB, 8 to 1,048,576.
    pub kib: u32,
    /// Passes over it, 1 to 100.
    pub passes: u32,
}

impl PasswordCost {
    /// OWASP's minimum for Argon2id (Password Storage Cheat Sheet): 19 MiB, two passes, one lane.
    pub const DEFAULT: PasswordCost = PasswordCost { kib: 19_456, passes: 2 };
}

/// All that a server needs to start.
#[derive(Clone, Debug)]
pub struct Config {
    /// Addresses to listen on, `HOST:PORT`; port 0 takes a free one.
    pub listen: Vec<String>,
    /// Lets `listen` name addresses other than loopback, where passwords cross the network readable.
    pub plain_anywhere: bool,
    /// The database file; made if it is not there.
    pub db: PathBuf,
    /// Cost of hashing a new password.
    pub password_cost: PasswordCost,
    /// Seconds without a byte from a logged-in client after which it is sent away; `None`: never.
    pub idle: Option<u64>,
    /// The most that the database file may grow to, in MiB; `None`: as far as its disk goes.
    pub limit_db: Option<u64>,
    /// Where the time comes from.
    pub clock: Clock,
}
