//! What fails: kill -9, power cuts, full disks, commits, descriptors that run out, readers that stop.
//! What was confirmed is there afterwards, and who has no part in it notices nothing.

mod devices;
mod exhausted;
mod full;
mod kills;
mod later;
mod lives;
mod marks;
mod power;
#[path = "../process/mod.rs"]
mod process;
mod receipts;
mod soak;
mod stalls;
mod unkept;
mod uploads;
mod written_back;
