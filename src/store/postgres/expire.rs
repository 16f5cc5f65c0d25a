//! Expiry, in small steps: finding the next step. What a step does is in expire.sql.

use super::PgReader;
use super::value::{Param, PgRow};
use crate::entry::{EntryId, Millis};
use crate::limits;
use crate::store::{Error, Expire};

/// The question for [`floor`].
pub(super) const FLOOR: &str = "SELECT floor FROM leader";

/// Everything up to this entry has expired.
pub(super) fn floor(reader: &mut PgReader) -> Result<EntryId, Error> {
    floor_in(&reader.rows(FLOOR, &[])?)
}

/// The same, from the answer to [`FLOOR`].
pub(super) fn floor_in(rows: &[PgRow]) -> Result<EntryId, Error> {
    let row = rows.first().ok_or_else(|| Error::damaged("there is no row of leader"))?;
    Ok(EntryId(row.get(0)?))
}

/// The next step, if there is one. Rows about expired entries go before further entries, so that
/// they never pile up.
pub(super) fn next(
    reader: &mut PgReader,
    before: Millis,
    now: Millis,
) -> Result<Option<Expire>, Error> {
    let after = floor(reader)?;
    if reader.exists("SELECT FROM stale LIMIT 1", &[])?
        || reader.exists("SELECT FROM reply WHERE message <= $1 LIMIT 1", &[Param::Int(after.0)])?
    {
        return Ok(Some(Expire::Rows));
    }
    let upto = old_enough(reader, after, before, now)?;
    Ok(upto.map(|upto| Expire::Entries { after, upto }))
}

/// The last of the next entries that are old enough, as far as one step may go.
///
/// Ids grow with time, so entries before an old one are older. But the clock may have been wrong.
/// An entry with a time in the future says nothing, and counts as old only if an old one follows. A
/// recent entry ends the search: one after it that seems old was written while the clock was
/// behind, and must not take the recent one along.
fn old_enough(
    reader: &mut PgReader,
    floor: EntryId,
    before: Millis,
    now: Millis,
) -> Result<Option<EntryId>, Error> {
    let sql = "SELECT id, time, octet_length(body),
                      CASE WHEN changed THEN
                          (SELECT count(*) FROM (SELECT FROM about WHERE message = entry.id
                                                 LIMIT $3) AS marks) ELSE 0 END
               FROM entry WHERE id > $1 ORDER BY id LIMIT $2";
    let keys = [floor.0, limits::EXPIRE as i64, limits::ERASED as i64].map(Param::Int);
    let (mut old, mut last, mut bytes, mut marks) = (None, floor.0, 0_usize, 0_i64);
    for row in reader.rows(sql, &keys)? {
        let (id, time): (i64, i64) = (row.get(0)?, row.get(1)?);
        if time < before.0 {
            old = Some(id);
        } else if time <= now.0 {
            return Ok(old.map(EntryId));
        }
        last = id;
        bytes += usize::try_from(row.get::<i64>(2)?).unwrap_or(0);
        marks += row.get::<i64>(3)?;
        if bytes >= limits::BATCH_BYTES || marks >= limits::EXPIRE as i64 {
            break;
        }
    }
    if old.is_some() || last == floor.0 {
        return Ok(old.map(EntryId));
    }
    // All of them have times in the future. Looks for an old one after them, in growing strides.
    let sql = "SELECT id, time FROM entry WHERE id >= $1 ORDER BY id LIMIT 1";
    let (mut at, mut stride) = (last, 1);
    while let Some(row) = reader.row(sql, &[Param::Int(at.saturating_add(stride))])? {
        if row.get::<i64>(1)? < before.0 {
            return Ok(Some(EntryId(last)));
        }
        (at, stride) = (row.get(0)?, stride * 2);
    }
    Ok(None)
}
