//! Lists for operators: a page of all accounts, of all groups, of all files. Each page costs what
//! is in it, however much there is.

use rusqlite::{OptionalExtension, Row, params};

use super::about::View;
use super::decode::{SqliteReader, log_row, log_rows};
use super::expire;
use crate::entry::{ConversationId, EntryId, Millis};
use crate::limits;
use crate::name::{DisplayName, Handle, Target};
use crate::store::rows::known_handle;
use crate::store::{
    AccountRow, AccountState, ConversationKind, Error, FileRow, GroupRow, ListPage,
};

const ACCOUNT: &str = "SELECT handle, name, created, seen, disabled, gone FROM account
                       WHERE handle = ?1";
const ACCOUNTS: &str = "SELECT handle, name, created, seen, disabled, gone FROM account
                        WHERE handle > ?1 ORDER BY handle LIMIT ?2";

fn account(row: &Row) -> Result<AccountRow, Error> {
    let (handle, name): (String, String) = (row.get(0)?, row.get(1)?);
    let seen: Option<i64> = row.get(3)?;
    Ok(AccountRow {
        handle: known_handle(&handle)?,
        name: DisplayName::new(&name)
            .map_err(|_| Error::damaged(format!("{handle} has a name that breaks the rules")))?,
        created: Millis(row.get(2)?),
        seen: seen.map(Millis),
        standing: match (row.get(4)?, row.get::<_, i64>(5)?) {
            (false, 0) => AccountState::Enabled,
            (true, 0) => AccountState::Disabled,
            _ => AccountState::Deleted,
        },
    })
}

impl SqliteReader {
    pub(super) fn account_row(&self, handle: &Handle) -> Result<Option<AccountRow>, Error> {
        let mut query = self.connection.prepare_cached(ACCOUNT)?;
        let mut rows = query.query([handle.as_str()])?;
        rows.next()?.map(account).transpose()
    }

    pub(super) fn account_rows(
        &self,
        after: Option<&Handle>,
        count: usize,
    ) -> Result<Vec<AccountRow>, Error> {
        let mut query = self.connection.prepare_cached(ACCOUNTS)?;
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let mut rows = query.query(params![after.map_or("", Handle::as_str), count])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(account(row)?);
        }
        Ok(found)
    }

    pub(super) fn group_named(&self, name: &Handle) -> Result<Option<ConversationId>, Error> {
        let sql = "SELECT conversation FROM group_info WHERE name = ?1";
        let mut query = self.connection.prepare_cached(sql)?;
        let row = query.query_row([name.as_str()], |row| row.get(0).map(ConversationId));
        Ok(row.optional()?)
    }

    pub(super) fn all_groups(
        &self,
        after: Option<&Handle>,
        count: usize,
    ) -> Result<ListPage<GroupRow, Handle>, Error> {
        let sql = "SELECT name, topic, conversation FROM group_info WHERE name > ?1
                   ORDER BY name LIMIT ?2";
        let mut query = self.connection.prepare_cached(sql)?;
        let sql = "SELECT count(*), coalesce(sum(until_seq IS NULL), 0)
                   FROM member WHERE conversation = ?1";
        let mut size = self.connection.prepare_cached(sql)?;
        let limit = i64::try_from(count).unwrap_or(i64::MAX);
        let mut rows = query.query(params![after.map_or("", Handle::as_str), limit])?;
        let mut page = ListPage { rows: Vec::new(), next: None };
        let (mut counted, mut bytes) = (0, 0);
        while let Some(row) = rows.next()? {
            let (name, topic): (String, Box<str>) = (row.get(0)?, row.get(1)?);
            let name = known_handle(&name)?;
            let id: i64 = row.get(2)?;
            let (all, members) =
                size.query_row([id], |row| Ok((row.get::<_, i64>(0)?, row.get(1)?)))?;
            counted += all + 1;
            bytes += topic.len();
            page.rows.push(GroupRow { name: name.clone(), admin: None, members, topic });
            let is_full = counted >= limits::LIST_COUNTED || bytes >= limits::PAGE_BYTES;
            if is_full || page.rows.len() == count {
                page.next = Some(name);
                break;
            }
        }
        Ok(page)
    }

    pub(super) fn file_rows(
        &mut self,
        after: EntryId,
        count: usize,
    ) -> Result<Vec<FileRow>, Error> {
        let mut found = Vec::new();
        let floor = expire::floor(&self.connection)?;
        for (id, bytes, conversation) in self.files_after(after.max(floor), count)? {
            let of = self.whose(conversation)?;
            let row = {
                let read = &self.connection;
                let mut row = log_row(&mut log_rows(read)?, id, of.clone())?;
                let windows = &[(EntryId(0), EntryId(i64::MAX))];
                View { read, windows, floor }.complete(&mut row)?;
                row
            };
            let to = match of {
                ConversationKind::Group(name) => Target::Group(name),
                ConversationKind::Direct(pair) => {
                    Target::Person(self.handle(pair.other(row.author))?)
                }
            };
            let from = self.handle(row.author)?;
            found.push(FileRow { id, time: row.time, from, to, bytes, name: row.body });
        }
        Ok(found)
    }

    /// The next entries with files: their ids, the bytes of the files, and their conversations.
    fn files_after(
        &self,
        after: EntryId,
        count: usize,
    ) -> Result<Vec<(EntryId, u64, ConversationId)>, Error> {
        let sql =
            "SELECT f.entry, f.bytes, e.conversation FROM file f JOIN entry e ON e.id = f.entry
                   WHERE f.entry > ?1 ORDER BY f.entry LIMIT ?2";
        let mut query = self.connection.prepare_cached(sql)?;
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let rows = query.query_map([after.0, count], |row| {
            let bytes: i64 = row.get(1)?;
            Ok((EntryId(row.get(0)?), bytes.cast_unsigned(), ConversationId(row.get(2)?)))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
