//! Other programs than papo's own against a real papod: those that people have, and those of contrib/.

mod contrib;
mod http;
mod netcats;
#[path = "../process/mod.rs"]
mod process;
