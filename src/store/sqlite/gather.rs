//! Single rows that the rules need before they can decide.

use rusqlite::{OptionalExtension, params};

use super::decode::{BY_HANDLE, BY_ID, SqliteReader, token};
use super::files::file_at;
use super::statements::Statements;
use super::{about, count, devices, expire, groups, invitations, later, lists};
use crate::entry::{AccountId, ConversationId, EntryId, EntryPos, Millis};
use crate::limits;
use crate::name::Handle;
use crate::store::{Cause, Conversation, Error, Fact, Member, Need, Once, Pair, Token};

/// Facts for the first `must` of these needs, and for as many of the others as fit in
/// [`limits::LOOKED_UP`] bytes.
pub(super) fn gather(
    reader: &SqliteReader,
    needs: &[Need],
    must: usize,
) -> Result<Vec<Fact>, Error> {
    let on = Statements::of(&reader.connection);
    let (mut facts, mut bytes) = (Vec::with_capacity(needs.len()), 0);
    let is_message = |need: &Need| matches!(need, Need::Message(_));
    let floor =
        if needs.iter().any(is_message) { expire::floor(&reader.connection)? } else { EntryId(0) };
    for (at, need) in needs.iter().enumerate() {
        let room = limits::LOOKED_UP.saturating_sub(bytes);
        let fits = at < must
            || match need {
                Need::Conversation(id) => reader.fits(*id, room)?,
                _ => room > 0,
            };
        if !fits {
            break;
        }
        let fact = match (need, facts.last()) {
            // Nobody reacts to it.
            (Need::Reaction(id, account), Some(Fact::Message(known)))
                if known.pos.id == *id && known.tally.is_empty() =>
            {
                Fact::Reaction(*id, *account, None)
            }
            _ => reader.fact(&on, floor, need)?,
        };
        if let Fact::Conversation(conversation) = &fact {
            bytes += conversation.bytes();
        }
        facts.push(fact);
    }
    Ok(facts)
}

impl SqliteReader {
    /// The answer to a need. Messages up to `floor` have expired.
    fn fact(&self, on: &Statements, floor: EntryId, need: &Need) -> Result<Fact, Error> {
        let found = match need {
            Need::Handle(handle) => {
                self.find_account(BY_HANDLE, handle.as_str())?.map(Fact::Account)
            }
            Need::Account(id) => self.find_account(BY_ID, id.0)?.map(Fact::Account),
            Need::Direct(pair) => self.direct_of(*pair)?.map(Fact::Conversation),
            Need::Conversation(id) => self.conversation(*id)?.map(Fact::Conversation),
            Need::EntryPos(id) => self.place(*id)?.map(Fact::EntryPos),
            Need::Message(id) => {
                self.message_state(on, floor, *id)?.map(|state| Fact::Message(Box::new(state)))
            }
            Need::Reaction(id, account) => {
                let found = about::reaction(on, *id, *account)?;
                Some(Fact::Reaction(*id, *account, found))
            }
            Need::TextFor(account, id) => {
                self.text_for(*account, *id)?.map(|text| Fact::TextFor(*account, *id, text))
            }
            Need::Group(name) => self.is_group(name)?.then(|| Fact::Group(name.clone())),
            Need::Membership(me, name) => {
                let found = lists::membership(self, *me, name)?;
                let group = found.and_then(|(id, is_in)| is_in.then_some(id));
                Some(Fact::Membership(*me, name.clone(), group))
            }
            Need::Entrance(me, name, hash) => {
                let group = groups::entrance(self, *me, name, hash.as_ref())?;
                Some(Fact::Entrance(*me, name.clone(), *hash, group))
            }
            Need::Invitations(id) => Some(Fact::Invitations(*id, groups::invitations(self, *id)?)),
            Need::Member(me, id) => Some(Fact::Member(*me, *id, self.is_member(*me, *id)?)),
            Need::Blocked(by, whom) => {
                Some(Fact::Blocked(*by, *whom, self.has_blocked(*by, *whom)?))
            }
            Need::Once(account, key) => {
                self.done_once(*account, key)?.map(|once| Fact::Once(*account, key.clone(), once))
            }
            Need::ExemptMark(id, account, seq) => {
                count::exempt_mark(&self.connection, *id, *account, *seq)?
                    .map(|count| Fact::ExemptMark(*id, *account, *seq, count))
            }
            Need::Tokens(account) => Some(Fact::Tokens(*account, self.tokens_of(*account)?)),
            Need::Links(account) => Some(Fact::Links(*account, self.links_of(*account)?)),
            Need::Devices(account) => {
                let read = &self.connection;
                let newest = devices::newest(read, *account)?;
                Some(Fact::Devices(*account, newest, devices::of(read, *account)?))
            }
            Need::Later(account) => {
                let (newest, list) = (
                    later::newest(&self.connection, *account)?,
                    later::numbers(&self.connection, *account)?,
                );
                Some(Fact::Later(*account, newest, list))
            }
            Need::AccountInvitation(hash) => {
                invitations::find(&self.connection, hash)?.map(Fact::AccountInvitation)
            }
            Need::Secret(account) => {
                Some(Fact::Secret(*account, self.secret_of(*account)?.unwrap_or_default()))
            }
        };
        match (found, need) {
            (Some(fact), _) => Ok(fact),
            // These are only looked up by numbers that the store itself contains.
            (None, Need::Account(_) | Need::Conversation(_)) => {
                Err(Error::of(Cause::Damaged, "a row that others point to is missing"))
            }
            (None, need) => Ok(Fact::Absent(need.clone())),
        }
    }

    pub(super) fn direct_of(&self, pair: Pair) -> Result<Option<Conversation>, Error> {
        let sql = "SELECT id, low, high, NULL, head, seq, moved, marked, NULL, NULL, NULL, ttl
                   FROM conversation
                   WHERE low = ?1 AND high = ?2";
        self.find_conversation(sql, params![pair.low.0, pair.high.0])
    }

    /// Whether a conversation takes less than about `bytes` in memory, by its number of members.
    fn fits(&self, id: ConversationId, bytes: usize) -> Result<bool, Error> {
        let most = bytes / size_of::<Member>();
        let sql = "SELECT count(*) FROM (SELECT 1 FROM member WHERE conversation = ?1 LIMIT ?2)";
        let limit = i64::try_from(most).unwrap_or(i64::MAX);
        let mut query = self.connection.prepare_cached(sql)?;
        Ok(query.query_row([id.0, limit], |row| row.get::<_, i64>(0))? < limit)
    }

    fn conversation(&self, id: ConversationId) -> Result<Option<Conversation>, Error> {
        let sql = "SELECT c.id, c.low, c.high, r.name, c.head, c.seq, c.moved, c.marked,
                          r.admins_write, r.all_add, r.open, c.ttl
                   FROM conversation c
                   LEFT JOIN group_info r ON r.conversation = c.id WHERE c.id = ?1";
        self.find_conversation(sql, [id.0])
    }

    /// Where an entry stands, unless it has expired.
    pub(super) fn pos(&self, id: EntryId) -> Result<Option<EntryPos>, Error> {
        Ok(self.place(id)?.filter(|pos| !pos.expired))
    }

    /// The same, also of one that has expired by `EXPIRE`.
    fn place(&self, id: EntryId) -> Result<Option<EntryPos>, Error> {
        let sql = "SELECT conversation, seq, author, author_seq, iif(kind > 1, coalesce(re, 0), 0),
                          CASE WHEN kind < 2 THEN changed AND kind = 1
                               ELSE coalesce((SELECT m.kind = 1 AND m.changed FROM entry m
                                              WHERE m.id = entry.re), 0) END
                   FROM entry WHERE id = ?1 AND id > (SELECT floor FROM newest)";
        let mut query = self.connection.prepare_cached(sql)?;
        let row = query.query_row([id.0], |row| {
            Ok(EntryPos {
                conversation: ConversationId(row.get(0)?),
                id,
                seq: row.get(1)?,
                author: AccountId(row.get(2)?),
                author_seq: row.get(3)?,
                about: EntryId(row.get(4)?),
                expired: row.get(5)?,
            })
        });
        Ok(row.optional()?)
    }

    fn is_group(&self, name: &Handle) -> Result<bool, Error> {
        let sql = "SELECT 1 FROM group_info WHERE name = ?1";
        Ok(self.connection.prepare_cached(sql)?.exists([name.as_str()])?)
    }

    fn is_member(&self, me: AccountId, id: ConversationId) -> Result<bool, Error> {
        let sql = "SELECT 1 FROM member WHERE conversation = ?1 AND account = ?2";
        Ok(self.connection.prepare_cached(sql)?.exists([id.0, me.0])?)
    }

    pub(super) fn has_blocked(&self, by: AccountId, whom: AccountId) -> Result<bool, Error> {
        let sql = "SELECT 1 FROM block WHERE account = ?1 AND blocked = ?2";
        Ok(self.connection.prepare_cached(sql)?.exists([by.0, whom.0])?)
    }

    fn done_once(&self, account: AccountId, key: &str) -> Result<Option<Once>, Error> {
        let sql =
            "SELECT digest, entry, time, content, bytes FROM once WHERE account = ?1 AND key = ?2";
        let mut query = self.connection.prepare_cached(sql)?;
        let row = query.query_row(params![account.0, key], |row| {
            let (id, time) = (EntryId(row.get(1)?), Millis(row.get(2)?));
            Ok(Once { digest: row.get(0)?, file: file_at(row, 3)?, id, time })
        });
        Ok(row.optional()?)
    }

    pub(super) fn tokens_of(&self, account: AccountId) -> Result<Vec<Token>, Error> {
        let sql = "SELECT * FROM token WHERE account = ?1 ORDER BY label";
        let mut query = self.connection.prepare_cached(sql)?;
        let rows = query.query_map([account.0], token)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    pub(super) fn links_of(&self, account: AccountId) -> Result<Vec<u32>, Error> {
        let sql = "SELECT user FROM link WHERE account = ?1 ORDER BY user";
        let mut query = self.connection.prepare_cached(sql)?;
        let rows = query.query_map([account.0], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    pub(super) fn secret_of(&self, id: AccountId) -> Result<Option<String>, Error> {
        let mut query =
            self.connection.prepare_cached("SELECT secret FROM account WHERE id = ?1")?;
        Ok(query.query_row([id.0], |row| row.get(0)).optional()?)
    }
}
