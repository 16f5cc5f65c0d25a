//! The devices of accounts: a row each.

use rusqlite::{Connection, Row, params};

use crate::entry::{AccountId, DeviceNumber, EntryId, Millis, MoveNumber};
use crate::name::DeviceName;
use crate::store::{Device, DeviceChange, Error};

/// The devices of an account, by their names.
pub(super) fn of(read: &Connection, account: AccountId) -> Result<Vec<Device>, Error> {
    let sql =
        "SELECT number, name, place, shown, seen FROM device WHERE account = ?1 ORDER BY name";
    let mut query = read.prepare_cached(sql)?;
    let mut rows = query.query([account.0])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(device(row)?);
    }
    Ok(found)
}

fn device(row: &Row) -> Result<Device, Error> {
    let name: String = row.get(1)?;
    let known = DeviceName::new(&name);
    Ok(Device {
        number: DeviceNumber(row.get(0)?),
        name: known.ok_or_else(|| Error::damaged(format!("a device is called {name:?}")))?,
        place: EntryId(row.get(2)?),
        shown: MoveNumber(row.get(3)?),
        seen: row.get::<_, Option<i64>>(4)?.map(Millis),
    })
}

/// The highest number given to a device of an account.
pub(super) fn newest(read: &Connection, account: AccountId) -> Result<DeviceNumber, Error> {
    let mut query = read.prepare_cached("SELECT device FROM account WHERE id = ?1")?;
    Ok(DeviceNumber(query.query_row([account.0], |row| row.get(0))?))
}

pub(super) fn write(
    on: &Connection,
    account: AccountId,
    change: &DeviceChange,
) -> Result<(), Error> {
    match change {
        DeviceChange::New(Device { number, name, place, shown, seen }) => {
            on.prepare_cached("INSERT INTO device VALUES(?1, ?2, ?3, ?4, ?5, ?6)")?.execute(
                params![account.0, number.0, name.as_str(), place.0, shown.0, seen.map(|at| at.0),],
            )?;
            on.prepare_cached("UPDATE account SET device = max(device, ?2) WHERE id = ?1")?
                .execute([account.0, number.0])?
        }
        DeviceChange::Place(number, place) => on
            .prepare_cached(
                "UPDATE device SET place = ?3 WHERE account = ?1 AND number = ?2 AND place < ?3",
            )?
            .execute([account.0, number.0, place.0])?,
        DeviceChange::Shown(number, upto, seen) => on
            .prepare_cached(
                "UPDATE device SET shown = max(shown, ?3), seen = coalesce(?4, seen)
                 WHERE account = ?1 AND number = ?2",
            )?
            .execute(params![account.0, number.0, upto.0, seen.map(|at| at.0)])?,
        DeviceChange::Gone(number) => on
            .prepare_cached("DELETE FROM device WHERE account = ?1 AND number = ?2")?
            .execute([account.0, number.0])?,
    };
    Ok(())
}
