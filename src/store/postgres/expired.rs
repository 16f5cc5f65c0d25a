//! Messages that expire by `EXPIRE`: finding those that are due. How they are deleted is in expire.sql.

use super::PgReader;
use super::value::Param;
use crate::entry::{EntryId, Millis};
use crate::limits;
use crate::store::{Error, Expire};

/// What `entry.kind` says of a message that has expired. SQLite's rows keep their length, so there it
/// is 1 with `changed`.
pub(super) const EXPIRED: i64 = -2;

/// Marks of deleted messages that are still to be erased; else the messages that were due first.
pub(super) fn next(reader: &mut PgReader, now: Millis) -> Result<Option<Expire>, Error> {
    if reader.exists("SELECT FROM erasing LIMIT 1", &[])? {
        return Ok(Some(Expire::Marks));
    }
    let sql = "SELECT due, entry FROM expiring WHERE due <= $1 ORDER BY due, entry LIMIT $2";
    let rows = reader.rows(sql, &[Param::Int(now.0), Param::Int(limits::EXPIRED as i64)])?;
    let due = rows.iter().map(|row| Ok((Millis(row.get(0)?), EntryId(row.get(1)?))));
    let due = due.collect::<Result<Vec<_>, Error>>()?;
    Ok((!due.is_empty()).then(|| Expire::Messages(due.into())))
}
