//! Lists for operators: a page of all accounts, of all groups. Each page costs what is in it, however
//! much there is.

use super::PgReader;
use super::value::{Param, PgRow};
use crate::entry::{ConversationId, Millis};
use crate::limits;
use crate::name::{DisplayName, Handle};
use crate::store::rows::known_handle;
use crate::store::{AccountInvitation, AccountRow, AccountState, Error, GroupRow, ListPage};

const ACCOUNT: &str = "SELECT handle, name, created, seen, disabled, gone FROM account
                       WHERE handle = $1";
const ACCOUNTS: &str = "SELECT handle, name, created, seen, disabled, gone FROM account
                        WHERE handle > $1 ORDER BY handle LIMIT $2";

fn account(row: &PgRow) -> Result<AccountRow, Error> {
    let (handle, name): (String, String) = (row.get(0)?, row.get(1)?);
    Ok(AccountRow {
        handle: known_handle(&handle)?,
        name: DisplayName::new(&name)
            .map_err(|_| Error::damaged(format!("{handle} has a name that breaks the rules")))?,
        created: Millis(row.get(2)?),
        seen: row.get::<Option<i64>>(3)?.map(Millis),
        standing: match (row.get(4)?, row.get::<i64>(5)?) {
            (false, 0) => AccountState::Enabled,
            (true, 0) => AccountState::Disabled,
            _ => AccountState::Deleted,
        },
    })
}

pub(super) const INVITATION: &str =
    "SELECT hash, created, uses, until FROM account_invitation WHERE hash = $1";
const INVITATIONS: &str =
    "SELECT hash, created, uses, until FROM account_invitation ORDER BY until, hash LIMIT $1";

pub(super) fn invitation(row: &PgRow) -> Result<AccountInvitation, Error> {
    let hash: Vec<u8> = row.get(0)?;
    let hash = hash.try_into().map_err(|_| Error::damaged("the hash of an invitation is short"))?;
    let uses = u32::try_from(row.get::<i64>(2)?).unwrap_or(0);
    Ok(AccountInvitation { hash, created: Millis(row.get(1)?), uses, until: Millis(row.get(3)?) })
}

impl PgReader {
    pub(super) fn invitation_rows(
        &mut self,
        count: usize,
    ) -> Result<Vec<AccountInvitation>, Error> {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.rows(INVITATIONS, &[Param::Int(count)])?.iter().map(invitation).collect()
    }

    pub(super) fn account_of(&mut self, handle: &Handle) -> Result<Option<AccountRow>, Error> {
        self.row(ACCOUNT, &[Param::Text(handle.as_str())])?.map(|row| account(&row)).transpose()
    }

    pub(super) fn accounts_after(
        &mut self,
        after: Option<&Handle>,
        count: usize,
    ) -> Result<Vec<AccountRow>, Error> {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let after = after.map_or("", Handle::as_str);
        self.rows(ACCOUNTS, &[Param::Text(after), Param::Int(count)])?.iter().map(account).collect()
    }

    pub(super) fn group_of_name(&mut self, name: &Handle) -> Result<Option<ConversationId>, Error> {
        let sql = "SELECT conversation FROM group_info WHERE name = $1";
        let row = self.row(sql, &[Param::Text(name.as_str())])?;
        Ok(row.map(|row| row.get(0)).transpose()?.map(ConversationId))
    }

    pub(super) fn groups_after(
        &mut self,
        after: Option<&Handle>,
        count: usize,
    ) -> Result<ListPage<GroupRow, Handle>, Error> {
        let sql = "SELECT name, topic, conversation FROM group_info WHERE name > $1
                   ORDER BY name LIMIT $2";
        let limit = i64::try_from(count).unwrap_or(i64::MAX);
        let after = after.map_or("", Handle::as_str);
        let rows = self.rows(sql, &[Param::Text(after), Param::Int(limit)])?;
        let size = "SELECT count(*), count(*) FILTER (WHERE until_seq IS NULL)
                    FROM member WHERE conversation = $1";
        let mut page = ListPage { rows: Vec::new(), next: None };
        let (mut counted, mut bytes) = (0, 0);
        for row in &rows {
            let name = known_handle(&row.get::<String>(0)?)?;
            let topic: Box<str> = row.get(1)?;
            let size = self.row(size, &[Param::Int(row.get(2)?)])?;
            let size = size.ok_or_else(|| Error::damaged("a count has no row"))?;
            counted += size.get::<i64>(0)? + 1;
            bytes += topic.len();
            let members = size.get(1)?;
            page.rows.push(GroupRow { name: name.clone(), admin: None, members, topic });
            let is_full = counted >= limits::LIST_COUNTED || bytes >= limits::PAGE_BYTES;
            if is_full || page.rows.len() == count {
                page.next = Some(name);
                break;
            }
        }
        Ok(page)
    }
}
