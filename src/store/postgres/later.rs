//! Commands to carry out later: what waits in each account, and what is due next.

use super::PgReader;
use super::value::{Param, PgRow};
use crate::entry::{AccountId, Millis};
use crate::limits;
use crate::store::sqlite::later::unless;
use crate::store::{Error, Later};

/// The commands of an account, the soonest first.
pub(super) const OF: &str = "SELECT number, due, message, condition, command, account FROM later
     WHERE account = $1 ORDER BY due, number";
/// The numbers of the commands of an account.
pub(super) const NUMBERS: &str = "SELECT number FROM later WHERE account = $1";
/// The highest number given in an account.
pub(super) const HIGHEST: &str = "SELECT later FROM account WHERE id = $1";

/// The commands of all accounts that are due next, up to `$2` bytes of them and the one with which
/// they reach that.
const NEXT: &str = "SELECT number, due, message, condition, command, account
     FROM (SELECT l.*, sum(octet_length(command)) OVER (ORDER BY due, account, number
                           ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
           FROM (SELECT * FROM later ORDER BY due, account, number LIMIT $1) AS l) AS l
     WHERE coalesce(before, 0) < $2 ORDER BY due, account, number";

/// The commands that are due next.
pub(super) fn next_due(
    reader: &mut PgReader,
    count: usize,
) -> Result<Vec<(AccountId, Later)>, Error> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let params = [count, limits::PAGE_BYTES as i64].map(Param::Int);
    let rows = reader.rows(NEXT, &params)?;
    rows.iter().map(|row| Ok((AccountId(row.get(5)?), later(row)?))).collect()
}

/// Rows of [`OF`].
pub(super) fn all(rows: &[PgRow]) -> Result<Vec<Later>, Error> {
    rows.iter().map(later).collect()
}

fn later(row: &PgRow) -> Result<Later, Error> {
    Ok(Later {
        number: row.get::<i64>(0)?.unsigned_abs(),
        due: Millis(row.get(1)?),
        unless: unless(row.get(2)?, row.get(3)?)?,
        command: row.get(4)?,
    })
}
