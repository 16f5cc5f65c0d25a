//! The devices of accounts: a row each. They are written by steps of a batch, see record.sql.

use super::value::PgRow;
use crate::entry::{DeviceNumber, EntryId, Millis, MoveNumber};
use crate::name::DeviceName;
use crate::store::{Device, Error};

/// The devices of an account, by their names.
pub(super) const DEVICES: &str = "SELECT number, name, place, shown, seen FROM device
     WHERE account = $1 ORDER BY name";
/// The highest number given to a device of an account.
pub(super) const NEWEST: &str = "SELECT device FROM account WHERE id = $1";

/// A row of [`DEVICES`].
pub(super) fn device(row: &PgRow) -> Result<Device, Error> {
    let name: String = row.get(1)?;
    let known = DeviceName::new(&name);
    Ok(Device {
        number: DeviceNumber(row.get(0)?),
        name: known.ok_or_else(|| Error::damaged(format!("a device is called {name:?}")))?,
        place: EntryId(row.get(2)?),
        shown: MoveNumber(row.get(3)?),
        seen: row.get::<Option<i64>>(4)?.map(Millis),
    })
}
