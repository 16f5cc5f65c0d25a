//! The devices of an account: places in the log that the server keeps for those who log in as one.

use crate::entry::{DeviceNumber, EntryId, Millis, MoveNumber};
use crate::name::DeviceName;

/// A device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its number in its account.
    pub number: DeviceNumber,
    pub name: DeviceName,
    /// It has received everything up to this entry, over all conversations.
    pub place: EntryId,
    /// It has been shown the receipts up to this move.
    pub shown: MoveNumber,
    /// When a session of it last ended that had been sent `LIVE`, so not a quiet one.
    pub seen: Option<Millis>,
}

/// What changes about a device. Each is one row.
#[derive(Clone, Debug)]
pub enum DeviceChange {
    /// It is new. Its number is the highest given in its account.
    New(Device),
    /// It has received everything up to this entry; a lower one than before is passed over.
    Place(DeviceNumber, EntryId),
    /// It has been shown the receipts up to this move; `seen` as in
    /// [`Change::Shown`](super::Change::Shown).
    Shown(DeviceNumber, MoveNumber, Option<Millis>),
    /// It is deleted.
    Gone(DeviceNumber),
}
