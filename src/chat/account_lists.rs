//! What the directory has of an account beside its row, as long as a batch needs it.

use crate::entry::DeviceNumber;
use crate::store::Device;

/// The numbers of an account's commands for later.
#[derive(Debug, Default)]
pub struct LaterNumbers {
    /// The highest one given.
    pub newest: u64,
    /// Those that wait.
    pub waiting: Vec<u64>,
}

/// The devices of an account.
#[derive(Debug)]
pub struct Devices {
    /// The highest number given.
    pub newest: DeviceNumber,
    pub list: Vec<Device>,
}
