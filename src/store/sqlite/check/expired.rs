//! Messages that have expired by `EXPIRE`, for the check: they are in no list of ids, and keep their places.

use std::iter::Peekable;

use rusqlite::Connection;
use rustc_hash::FxHashMap;

use crate::entry::{ConversationId, EntryId};
use crate::store::Error;
use crate::store::ids::{Ids, encode};

/// The messages that have expired: which ids of each conversation. They are in no other list.
pub(super) struct Expired(FxHashMap<ConversationId, (EntryId, Vec<u8>)>);

impl Expired {
    pub(super) fn find(read: &Connection, floor: EntryId) -> Result<Expired, Error> {
        let mut lists: FxHashMap<_, (EntryId, Vec<u8>)> = FxHashMap::default();
        let mut some = read.prepare("SELECT 1 FROM conversation WHERE ttl IS NOT NULL")?;
        if !some.exists([])? {
            return Ok(Expired(lists));
        }
        let sql = "SELECT id, conversation FROM entry
                   WHERE id > ?1 AND kind = 1 AND changed ORDER BY id";
        let mut query = read.prepare(sql)?;
        let mut rows = query.query([floor.0])?;
        while let Some(row) = rows.next()? {
            let (id, of) = (EntryId(row.get(0)?), ConversationId(row.get(1)?));
            let (last, list) = lists.entry(of).or_default();
            list.extend(encode(*last, &[id]));
            *last = id;
        }
        Ok(Expired(lists))
    }

    pub(super) fn take(&mut self, of: ConversationId) -> Peekable<Ids> {
        let (_, list) = self.0.remove(&of).unwrap_or_default();
        Ids::new(list).peekable()
    }
}
