//! Devices: an account logs in as one, and each has a place of its own in the log, over all
//! conversations.

use super::stop::Stop;
use super::{Chat, Effect, Plan, Who};
use crate::entry::{AccountId, DeviceNumber, EntryId, EntryTags, Key, Millis, MoveNumber};
use crate::limits;
use crate::name::DeviceName;
use crate::store::{Change, Device, DeviceChange};
use crate::wire::refusal::Refusal;
use crate::wire::reply::Reply;

impl Chat {
    /// The number of the device of this name, and whether it is new: then it has received everything
    /// up to `place`.
    ///
    /// # Errors
    /// The account has as many devices as it may, or something has to be looked up first.
    pub fn device(
        &mut self,
        account: AccountId,
        name: &DeviceName,
        place: EntryId,
    ) -> Result<(DeviceNumber, bool), Stop> {
        let known = self.directory.devices(account)?;
        if let Some(device) = known.list.iter().find(|device| device.name == *name) {
            return Ok((device.number, false));
        }
        if known.list.len() >= limits::DEVICES {
            return Err(Refusal::DEVICES_FULL.into());
        }
        let number = DeviceNumber(known.newest.0 + 1);
        // At most what it has been shown, since the account may have been shown more by now. Then
        // the session knows.
        let shown = self.directory.account(account)?.shown;
        let device = Device { number, name: name.clone(), place, shown, seen: None };
        if let Some(known) = self.directory.devices_mut(account) {
            known.newest = number;
            known.list.push(device.clone());
        }
        let change = DeviceChange::New(device);
        self.batch.changes.push(Change::Device { account, change });
        Ok((number, true))
    }

    /// A session that was opened with a token may delete the device that it is and no other.
    pub(super) fn plan_drop_device(&self, who: Who, name: &DeviceName) -> Result<Plan, Stop> {
        let known = self.directory.devices(who.account)?;
        let found = known.list.iter().find(|device| device.name == *name);
        let number = found.map(|device| device.number);
        if matches!(who.key, Key::Token(_)) && (number.is_none() || number != who.device) {
            return Err(Refusal::NotThisDevice.into());
        }
        let number = number.ok_or_else(|| Refusal::NoSuchDevice(name.clone()))?;
        Ok(Plan::DropDevice(name.clone(), number))
    }

    pub(super) fn drop_device(&mut self, who: Who, name: DeviceName, number: DeviceNumber) {
        let account = who.account;
        if let Some(known) = self.directory.devices_mut(account) {
            known.list.retain(|device| device.number != number);
        }
        self.places.remove(&(account, number));
        let change = DeviceChange::Gone(number);
        self.batch.changes.push(Change::Device { account, change });
        self.answer(who, "DEVICES", Ok(Reply::DeviceDropped(name)));
        self.tell(who, Effect::DisconnectDevice(number));
    }

    /// The session's device, if it is one, has received everything up to an entry.
    pub(super) fn move_place(&mut self, who: Who, upto: EntryId) {
        if let Some(device) = who.device {
            let place = self.places.entry((who.account, device)).or_default();
            *place = upto.max(*place);
        }
    }

    /// Adds the places that devices have come to to the batch: one row each.
    pub(super) fn record_places(&mut self) {
        let mut places: Vec<_> = self.places.drain().collect();
        places.sort_unstable();
        let changes = places.into_iter().map(|((account, number), place)| {
            let change = DeviceChange::Place(number, place);
            Change::Device { account, change }
        });
        self.batch.changes.extend(changes);
    }

    /// Records that an account, or a device of it, has been shown the receipts up to a move. `seen`
    /// is when a session of it has ended, if one has.
    pub fn shown(
        &mut self,
        account: AccountId,
        device: Option<DeviceNumber>,
        upto: MoveNumber,
        seen: Option<Millis>,
    ) {
        let Some(number) = device else {
            self.batch.changes.push(Change::Shown { account, upto, seen });
            return;
        };
        let change = DeviceChange::Shown(number, upto, seen);
        self.batch.changes.push(Change::Device { account, change });
        if seen.is_some() {
            // The account was there, and was shown nothing.
            self.batch.changes.push(Change::Shown { account, upto: MoveNumber(0), seen });
        }
    }
}

/// The tags of an entry that a session makes: those that it has, and the session's device.
pub(super) fn tagged(who: Who, mut tags: Option<Box<EntryTags>>) -> Option<Box<EntryTags>> {
    if who.device.is_some() {
        tags.get_or_insert_default().device = who.device;
    }
    tags
}
