//! Single rows that the rules need before they can decide: many at a time, in one round trip.

use super::decode::{BY_HANDLE, BY_ID, account, conversation, place, token};
use super::files::file_at;
use super::log::TALLY;
use super::protocol::Statement;
use super::value::{Param, PgRow};
use super::{PgReader, about, devices, groups, inventory, later};
use crate::entry::{AccountId, ConversationId, DeviceNumber, EntryId, Millis};
use crate::limits;
use crate::store::{Cause, Conversation, Error, Fact, Member, Need, Once, Pair};

/// The columns of a conversation `c`, with its name and its rules as a group. Few have a row in
/// `marking`.
macro_rules! conversation_where {
    ($name: literal, $rules: literal, $rest: literal) => {
        concat!(
            "SELECT c.id, c.low, c.high, ",
            $name,
            ", c.head, c.seq, c.moved, c.marked,
                CASE WHEN c.marked > 0 THEN
                    (SELECT author FROM marking WHERE conversation = c.id) END,
                CASE WHEN c.marked > 0 THEN
                    (SELECT other FROM marking WHERE conversation = c.id) END, ",
            $rules,
            ", c.ttl FROM conversation c ",
            $rest
        )
    };
}

const DIRECT: &str = conversation_where!(
    "NULL",
    "NULL::boolean, NULL::boolean, NULL::boolean",
    "WHERE c.low = $1 AND c.high = $2"
);
const DIRECT_MEMBERS: &str = "SELECT * FROM member WHERE conversation =
         (SELECT id FROM conversation WHERE low = $1 AND high = $2) ORDER BY account";
const CONVERSATION: &str = conversation_where!(
    "r.name",
    "r.admins_write, r.all_add, r.open",
    "LEFT JOIN group_info r ON r.conversation = c.id WHERE c.id = $1"
);
const MEMBERS: &str = "SELECT * FROM member WHERE conversation = $1 ORDER BY account";
const STAYS: &str = "SELECT account, since, since_seq, until, until_seq, removed FROM stay
     WHERE conversation = $1 ORDER BY account, since";
/// Where an entry stands, and whether it has expired by `EXPIRE`.
pub(super) const POS: &str = "SELECT conversation, id, seq, author, author_seq,
         CASE WHEN kind > 1 THEN coalesce(re, 0) ELSE 0 END,
         kind = -2 OR (kind > 1 AND EXISTS(
             SELECT FROM entry m WHERE m.id = entry.re AND m.kind = -2))
     FROM entry WHERE id = $1 AND id > (SELECT floor FROM leader)";
const GROUP: &str = "SELECT FROM group_info WHERE name = $1";
/// Looked up even if there is no such group, so that both cases take the same time.
pub(super) const MEMBERSHIP: &str = "SELECT conversation, until_seq IS NULL FROM member
     WHERE conversation = coalesce((SELECT conversation FROM group_info WHERE name = $1), 0)
       AND account = $2";
const IS_MEMBER: &str = "SELECT FROM member WHERE conversation = $1 AND account = $2";
pub(super) const BLOCKED: &str = "SELECT FROM block WHERE account = $1 AND blocked = $2";
const ONCE: &str = "SELECT digest, entry, time, content, bytes FROM once
     WHERE account = $1 AND key = $2";
/// The count of a member's newest exempt mark up to a `seq`.
pub(super) const EXEMPT_MARK: &str = "SELECT count FROM exempt_mark
     WHERE conversation = $1 AND account = $2 AND seq <= $3 ORDER BY seq DESC LIMIT 1";
pub(super) const TOKENS: &str = "SELECT * FROM token WHERE account = $1 ORDER BY label";
pub(super) const LINKS: &str = "SELECT \"user\" FROM link WHERE account = $1 ORDER BY \"user\"";
pub(super) const SECRET: &str = "SELECT secret FROM account WHERE id = $1";
/// How many members each of these conversations has; `$2` if there are more.
const SIZES: &str = "SELECT (SELECT count(*) FROM (SELECT FROM member m
         WHERE m.conversation = n.id LIMIT $2) AS some)
     FROM unnest($1) WITH ORDINALITY AS n(id, at) ORDER BY n.at";

/// Facts for the first `must` of these needs, and for as many of the others as fit in
/// [`limits::LOOKED_UP`] bytes.
pub(super) fn gather(
    reader: &mut PgReader,
    needs: &[Need],
    must: usize,
) -> Result<Vec<Fact>, Error> {
    let needs = &needs[..how_many(reader, needs, must)?];
    let mut asked: Vec<Statement> = Vec::with_capacity(needs.len());
    needs.iter().for_each(|need| statements(need, &mut asked));
    let mut answers = reader.many(&asked)?.into_iter();
    let mut facts = Vec::with_capacity(needs.len());
    for need in needs {
        let mut next = || answers.next().unwrap_or_default();
        let rows = next();
        let fact = match need {
            Need::Direct(_) => {
                let members = next();
                let row = rows.first().map(|row| conversation(row, &members, &[]));
                row.transpose()?.map(Fact::Conversation)
            }
            Need::Conversation(_) => {
                let (members, stays) = (next(), next());
                let row = rows.first().map(|row| conversation(row, &members, &stays));
                row.transpose()?.map(Fact::Conversation)
            }
            Need::Message(_) => {
                let tally = next();
                let state = rows.first().map(|row| about::state(row, &tally)).transpose()?;
                state.map(|state| Fact::Message(Box::new(state)))
            }
            Need::Later(account) => {
                let newest = rows.first().map_or(Ok(0), |row| row.get::<i64>(0))?;
                let waiting = next();
                let numbers = waiting.iter().map(|row| row.get(0).map(i64::unsigned_abs));
                Some(Fact::Later(
                    *account,
                    newest.unsigned_abs(),
                    numbers.collect::<Result<_, _>>()?,
                ))
            }
            Need::Devices(account) => {
                let newest = rows.first().map_or(Ok(0), |row| row.get(0))?;
                let list = next().iter().map(devices::device).collect::<Result<_, _>>()?;
                Some(Fact::Devices(*account, DeviceNumber(newest), list))
            }
            need => fact(need, &rows)?,
        };
        facts.push(match (fact, need) {
            (Some(fact), _) => fact,
            // These are only looked up by numbers that the store itself contains.
            (None, Need::Account(_) | Need::Conversation(_)) => {
                let why = "a row that others point to is missing";
                return Err(Error::of(Cause::Damaged, why));
            }
            (None, need) => Fact::Absent(need.clone()),
        });
    }
    Ok(facts)
}

/// How many of these needs fit, by the numbers of members of the conversations among them.
fn how_many(reader: &mut PgReader, needs: &[Need], must: usize) -> Result<usize, Error> {
    let most = i64::try_from(limits::LOOKED_UP / size_of::<Member>()).unwrap_or(i64::MAX);
    let id = |need: &Need| match need {
        Need::Conversation(id) => Some(id.0),
        _ => None,
    };
    let ids: Vec<i64> = needs.iter().filter_map(id).collect();
    // Nothing to choose from, or nothing large.
    if must >= needs.len() || ids.is_empty() {
        return Ok(needs.len());
    }
    let sizes = reader.rows(SIZES, &[Param::Ints(&ids), Param::Int(most)])?;
    let mut sizes = sizes.iter();
    let mut members = 0;
    for (at, need) in needs.iter().enumerate() {
        if id(need).is_some() {
            members += sizes.next().map_or(Ok(0), |row| row.get::<i64>(0))?;
        }
        if members >= most && at >= must {
            return Ok(at);
        }
    }
    Ok(needs.len())
}

/// Adds the statements that answer a need.
fn statements<'a>(need: &'a Need, to: &mut Vec<Statement<'a>>) {
    let int = |id: &AccountId| Param::Int(id.0);
    match need {
        Need::Handle(handle) => to.push((BY_HANDLE, vec![Param::Text(handle.as_str())])),
        Need::Account(id) => to.push((BY_ID, vec![int(id)])),
        Need::Direct(pair) => to.extend(direct_statements(*pair)),
        Need::Conversation(id) => {
            to.extend([CONVERSATION, MEMBERS, STAYS].map(|sql| (sql, vec![Param::Int(id.0)])));
        }
        Need::EntryPos(id) => to.push((POS, vec![Param::Int(id.0)])),
        Need::Message(EntryId(id)) => {
            to.push((about::STATE, vec![Param::Int(*id)]));
            to.push((TALLY, vec![Param::Ints(std::slice::from_ref(id))]));
        }
        Need::Reaction(id, account) => {
            to.push((about::REACTION, vec![Param::Int(id.0), int(account)]));
        }
        Need::TextFor(account, id) => {
            to.push((about::TEXT_FOR, vec![Param::Int(id.0), int(account)]));
        }
        Need::Later(account) => {
            to.extend([later::HIGHEST, later::NUMBERS].map(|sql| (sql, vec![int(account)])));
        }
        Need::Group(name) => to.push((GROUP, vec![Param::Text(name.as_str())])),
        Need::Membership(me, name) => {
            to.push((MEMBERSHIP, vec![Param::Text(name.as_str()), int(me)]));
        }
        Need::Entrance(me, name, hash) => {
            let hash = hash.as_ref().map_or(&[][..], |hash| hash);
            let params = vec![Param::Text(name.as_str()), int(me), Param::Bytes(hash)];
            to.push((groups::ENTRANCE, params));
        }
        Need::Invitations(id) => to.push((groups::INVITATIONS, vec![Param::Int(id.0)])),
        Need::Member(me, id) => to.push((IS_MEMBER, vec![Param::Int(id.0), int(me)])),
        Need::Blocked(by, whom) => to.push((BLOCKED, vec![int(by), int(whom)])),
        Need::Once(account, key) => to.push((ONCE, vec![int(account), Param::Text(key)])),
        Need::ExemptMark(id, account, seq) => {
            to.push((EXEMPT_MARK, vec![Param::Int(id.0), int(account), Param::Int(*seq)]));
        }
        Need::AccountInvitation(hash) => {
            to.push((inventory::INVITATION, vec![Param::Bytes(hash)]));
        }
        Need::Tokens(account) => to.push((TOKENS, vec![int(account)])),
        Need::Links(account) => to.push((LINKS, vec![int(account)])),
        Need::Secret(account) => to.push((SECRET, vec![int(account)])),
        Need::Devices(account) => {
            to.extend([devices::NEWEST, devices::DEVICES].map(|sql| (sql, vec![int(account)])));
        }
    }
}

fn direct_statements(pair: Pair) -> [Statement<'static>; 2] {
    [DIRECT, DIRECT_MEMBERS].map(|sql| (sql, vec![Param::Int(pair.low.0), Param::Int(pair.high.0)]))
}

/// The conversation of two accounts.
pub(super) fn direct(reader: &mut PgReader, pair: Pair) -> Result<Option<Conversation>, Error> {
    let rows = reader.many(&direct_statements(pair))?;
    let [row, members] = rows.as_slice() else { return Ok(None) };
    row.first().map(|row| conversation(row, members, &[])).transpose()
}

/// The fact for a need that one statement answers.
fn fact(need: &Need, rows: &[PgRow]) -> Result<Option<Fact>, Error> {
    let row = rows.first();
    let is_there = row.is_some();
    Ok(match need {
        Need::Handle(_) | Need::Account(_) => row.map(account).transpose()?.map(Fact::Account),
        Need::EntryPos(_) => row.map(place).transpose()?.map(Fact::EntryPos),
        Need::Reaction(id, account) => {
            let found = row.map(|row| {
                let (mark, time) = (EntryId(row.get(0)?), Millis(row.get(1)?));
                Ok::<_, Error>((mark, time, row.get(2)?))
            });
            Some(Fact::Reaction(*id, *account, found.transpose()?))
        }
        Need::TextFor(account, id) => {
            let text = row.map(|row| row.get(0)).transpose()?;
            text.map(|text| Fact::TextFor(*account, *id, text))
        }
        Need::Group(name) => is_there.then(|| Fact::Group(name.clone())),
        Need::Membership(me, name) => {
            let group = membership(row)?.and_then(|(id, is_in)| is_in.then_some(id));
            Some(Fact::Membership(*me, name.clone(), group))
        }
        Need::Entrance(me, name, hash) => {
            let group = row.map(|row| row.get(0).map(ConversationId)).transpose()?;
            Some(Fact::Entrance(*me, name.clone(), *hash, group))
        }
        Need::Invitations(id) => {
            let list = rows.iter().map(groups::invitation).collect::<Result<_, _>>()?;
            Some(Fact::Invitations(*id, list))
        }
        Need::Member(me, id) => Some(Fact::Member(*me, *id, is_there)),
        Need::Blocked(by, whom) => Some(Fact::Blocked(*by, *whom, is_there)),
        Need::Once(account, key) => {
            let once = row.map(|row| {
                let (id, time) = (EntryId(row.get(1)?), Millis(row.get(2)?));
                Ok::<_, Error>(Once { digest: row.get(0)?, file: file_at(row, 3)?, id, time })
            });
            once.transpose()?.map(|once| Fact::Once(*account, key.clone(), once))
        }
        Need::ExemptMark(id, account, seq) => {
            let count = row.map(|row| row.get(0)).transpose()?;
            count.map(|count| Fact::ExemptMark(*id, *account, *seq, count))
        }
        Need::AccountInvitation(_) => {
            rows.first().map(inventory::invitation).transpose()?.map(Fact::AccountInvitation)
        }
        Need::Tokens(account) => {
            let tokens = rows.iter().map(token).collect::<Result<_, _>>()?;
            Some(Fact::Tokens(*account, tokens))
        }
        Need::Links(account) => Some(Fact::Links(*account, users(rows)?)),
        Need::Secret(account) => {
            let secret = row.map(|row| row.get(0)).transpose()?;
            Some(Fact::Secret(*account, secret.unwrap_or_default()))
        }
        // Several statements answer these.
        Need::Direct(_)
        | Need::Conversation(_)
        | Need::Message(_)
        | Need::Later(_)
        | Need::Devices(_) => None,
    })
}

/// A row of [`MEMBERSHIP`].
pub(super) fn membership(row: Option<&PgRow>) -> Result<Option<(ConversationId, bool)>, Error> {
    row.map(|row| Ok((ConversationId(row.get(0)?), row.get(1)?))).transpose()
}

/// Rows of [`LINKS`].
pub(super) fn users(rows: &[PgRow]) -> Result<Vec<u32>, Error> {
    let user = |row: &PgRow| {
        u32::try_from(row.get::<i64>(0)?).map_err(|_| Error::damaged("a user has an odd number"))
    };
    rows.iter().map(user).collect()
}
