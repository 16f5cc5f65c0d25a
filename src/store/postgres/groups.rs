//! What groups have besides their members: a name, a topic, rules, invitations.

use super::PgReader;
use super::decode::rules_at;
use super::value::{Param, PgRow};
use crate::entry::{AccountId, ConversationId, Millis};
use crate::group_rules::GroupRules;
use crate::limits;
use crate::store::rows::known_handle;
use crate::store::{Error, GroupRow, Invitation, ListPage};

/// The group of a name that is open, that an account is or was in, or that has an invitation of a
/// hash.
pub(super) const ENTRANCE: &str = "SELECT g.conversation FROM group_info g
     WHERE g.name = $1
       AND (g.open
            OR EXISTS(SELECT FROM member m
                      WHERE m.conversation = g.conversation AND m.account = $2)
            OR EXISTS(SELECT FROM invitation i
                      WHERE i.hash = $3 AND i.conversation = g.conversation))";
/// The invitations to a group.
pub(super) const INVITATIONS: &str =
    "SELECT hash, uses, expires FROM invitation WHERE conversation = $1";

/// A row of [`INVITATIONS`].
pub(super) fn invitation(row: &PgRow) -> Result<Invitation, Error> {
    let uses = u32::try_from(row.get::<i64>(1)?)
        .map_err(|_| Error::damaged("an invitation has an odd number of uses"))?;
    Ok(Invitation { hash: row.get(0)?, uses, expires: Millis(row.get(2)?) })
}

/// The rules of a group.
pub(super) fn rules(reader: &mut PgReader, id: ConversationId) -> Result<GroupRules, Error> {
    let sql = "SELECT admins_write, all_add, open FROM group_info WHERE conversation = $1";
    let row = reader.row(sql, &[Param::Int(id.0)])?;
    row.map_or_else(
        || Err(Error::damaged(format!("group {} is gone", id.0))),
        |row| rules_at(&row, 0),
    )
}

/// The open groups, by name.
pub(super) fn open_groups(reader: &mut PgReader) -> Result<Vec<ConversationId>, Error> {
    let sql = "SELECT conversation FROM group_info WHERE open ORDER BY name LIMIT $1";
    let rows = reader.rows(sql, &[Param::Int(limits::OPEN_GROUPS)])?;
    rows.iter().map(|row| Ok(ConversationId(row.get(0)?))).collect()
}

pub(super) fn group_rows(
    reader: &mut PgReader,
    me: AccountId,
    which: &[ConversationId],
) -> Result<ListPage<GroupRow, usize>, Error> {
    let sql = "SELECT r.name, m.admin, r.topic FROM group_info r
               LEFT JOIN member m ON m.conversation = r.conversation AND m.account = $2
                   AND m.until_seq IS NULL
               WHERE r.conversation = $1 AND (r.open OR m.account IS NOT NULL)";
    let count = "SELECT count(*), count(*) FILTER (WHERE until_seq IS NULL)
                 FROM member WHERE conversation = $1";
    let mut page = ListPage { rows: Vec::new(), next: None };
    let (mut counted, mut bytes) = (0, 0);
    for (at, id) in which.iter().enumerate() {
        if counted >= limits::LIST_COUNTED || bytes >= limits::PAGE_BYTES {
            page.next = Some(at);
            break;
        }
        let both =
            [(sql, vec![Param::Int(id.0), Param::Int(me.0)]), (count, vec![Param::Int(id.0)])];
        let rows = reader.many(&both)?;
        let [row, count] = rows.as_slice() else { continue };
        // It may have been left, or closed, since it was listed.
        let (Some(row), Some(count)) = (row.first(), count.first()) else { continue };
        let (admin, topic): (Option<bool>, Box<str>) = (row.get(1)?, row.get(2)?);
        let members = count.get(1)?;
        counted += count.get::<i64>(0)? + 1;
        bytes += topic.len();
        let name = known_handle(&row.get::<String>(0)?)?;
        page.rows.push(GroupRow { name, admin, members, topic });
    }
    Ok(page)
}
