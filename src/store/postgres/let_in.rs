//! Whether sessions that come to another leader would still be let in: thousands at once, so a chunk
//! of them is one question, which only those are named in answer to that would not.

use super::PgReader;
use super::value::Param;
use crate::entry::Key;
use crate::store::{Error, OpenedBy};

/// How many sessions are asked about together.
const CHUNK: usize = 20_000;

/// The places, from 1 on, of those who would not be let in. `$1` to `$6`: their accounts, devices (0:
/// none), kinds of keys, the numbers of these, and for each two digests of 8 bytes, `$5` and `$6`.
const NOT_LET_IN: &str = "SELECT s.at
    FROM unnest($1, $2, $3, $4, $5, $6) WITH ORDINALITY
        AS s(account, device, kind, key, one, other, at)
    LEFT JOIN account a ON a.id = s.account AND a.gone = 0 AND NOT a.disabled
    WHERE a.id IS NULL
        OR s.kind = 0
            AND substr(sha256(convert_to(a.secret, 'UTF8')), 1, 8) NOT IN (s.one, s.other)
        OR s.kind = 1
            AND NOT EXISTS(SELECT FROM token t WHERE t.id = s.key AND t.account = s.account)
        OR s.kind = 2
            AND NOT EXISTS(SELECT FROM link l WHERE l.account = s.account AND l.\"user\" = s.key)
        OR s.device > 0
            AND NOT EXISTS(SELECT FROM device d WHERE d.account = s.account AND d.number = s.device)";

pub(super) fn let_in(reader: &mut PgReader, sessions: &[OpenedBy]) -> Result<Vec<bool>, Error> {
    let mut valid = vec![true; sessions.len()];
    for (chunk, valid) in sessions.chunks(CHUNK).zip(valid.chunks_mut(CHUNK)) {
        let ints = |of: fn(&OpenedBy) -> i64| chunk.iter().map(of).collect::<Vec<i64>>();
        let (accounts, kinds) = (ints(|it| it.account.0), ints(|it| key(it.key).0));
        let devices = ints(|it| it.device.map_or(0, |number| number.0));
        let keys = ints(|it| key(it.key).1);
        let digests = chunk.iter().map(|it| it.secrets.map(u64::to_be_bytes));
        let digests: Vec<[[u8; 8]; 2]> = digests.collect();
        let [one, other] = [0, 1].map(|n| digests.iter().map(|it| &it[n][..]).collect::<Vec<_>>());
        let params = [
            Param::Ints(&accounts),
            Param::Ints(&devices),
            Param::Ints(&kinds),
            Param::Ints(&keys),
            Param::Blobs(&one),
            Param::Blobs(&other),
        ];
        for row in reader.rows(NOT_LET_IN, &params)? {
            let at = usize::try_from(row.get::<i64>(0)?).unwrap_or_default();
            if let Some(valid) = at.checked_sub(1).and_then(|at| valid.get_mut(at)) {
                *valid = false;
            }
        }
    }
    Ok(valid)
}

/// The kind of a key, and its number.
fn key(key: Key) -> (i64, i64) {
    match key {
        Key::Password => (0, 0),
        Key::Token(id) => (1, id.0),
        Key::User(uid) => (2, uid.into()),
    }
}
