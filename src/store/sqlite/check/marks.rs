//! Checks what is done to messages later: the lists of marks, what holds about each message, and
//! that nothing is left of a deleted text.

use rusqlite::{Connection, OptionalExtension, params};

use super::{Findings, each, strays};
use crate::entry::{AccountId, ConversationId, EntryId};
use crate::limits::ID_BLOCK;
use crate::store::ids::{Ids, encode};
use crate::store::sqlite::expire::floor;
use crate::store::sqlite::id_block::{ListKind, above};
use crate::store::{Error, Marks};

/// Checks each list of marks, and then what holds about messages.
pub(super) fn marks(read: &Connection, found: &mut Findings) -> Result<(), Error> {
    let floor = floor(read)?;
    let mut lists = read.prepare(
        "SELECT c.id, c.marked, c.seq, c.low IS NULL, m.author, m.other, m.count, m.tail,
                coalesce(c.low = c.high, 0)
         FROM conversation c LEFT JOIN marking m ON m.conversation = c.id
         WHERE c.marked > 0 OR m.conversation IS NOT NULL ORDER BY c.id",
    )?;
    let mut rows = lists.query([])?;
    let mut listed = 0;
    while let Some(row) = rows.next()? {
        if found.are_enough() {
            return Ok(());
        }
        let id = ConversationId(row.get(0)?);
        let Some(author) = row.get::<_, Option<i64>>(4)? else {
            found.say(format!("conversation {}: the list of its marks is gone", id.0));
            continue;
        };
        let (newest, author) = (EntryId(row.get(1)?), AccountId(author));
        let said = Marks { newest, author, other: EntryId(row.get(5)?) };
        let (seq, is_group) = (row.get(2)?, row.get(3)?);
        let is_notes = row.get(8)?;
        let mut list = MarkList { read, found, floor, id, seq, is_group, is_notes };
        let tail = row.get_ref(7)?.as_blob().unwrap_or_default();
        listed += list.check(said, row.get(6)?, tail)?;
    }
    let sql = "SELECT count(*) FROM entry WHERE id > ?1 AND kind > 1";
    let there: i64 = read.query_row(sql, [floor.0], |row| row.get(0))?;
    if there != listed {
        strays(read, found)?;
    }
    for sql in HOLDS {
        if found.are_enough() {
            break;
        }
        each(read, found, sql)?;
    }
    Ok(())
}

/// The marks of a conversation.
struct MarkList<'a> {
    read: &'a Connection,
    found: &'a mut Findings,
    floor: EntryId,
    id: ConversationId,
    /// How many entries the conversation has had.
    seq: i64,
    is_group: bool,
    /// It is the direct chat of an account with itself.
    is_notes: bool,
}

impl MarkList<'_> {
    fn say(&mut self, line: impl std::fmt::Display) {
        self.found.say(format!("conversation {}: {line}", self.id.0));
    }

    /// Goes through the blocks of ids and the tail, and with them through the marks. Compares with
    /// what is `said` about the newest ones, and how many there are said to be. Returns how many
    /// exist.
    fn check(&mut self, said: Marks, count: i64, tail: &[u8]) -> Result<i64, Error> {
        let sql = "SELECT upto, ids FROM mark_block WHERE conversation = ?1 ORDER BY upto";
        let mut blocks = self.read.prepare_cached(sql)?;
        let mut rows = blocks.query([self.id.0])?;
        let (mut at, mut marks, mut listed, mut is_known) = (EntryId(0), Marks::default(), 0, true);
        loop {
            let row = rows.next()?;
            let (upto, list) = match row {
                Some(row) => (Some(EntryId(row.get(0)?)), row.get_ref(1)?.as_blob()),
                None => (None, Ok(tail)),
            };
            let list = list.unwrap_or_default();
            let ids: Vec<EntryId> = Ids::new(list).collect();
            let is_full = match upto {
                Some(upto) => ids.len() == ID_BLOCK && ids.last() == Some(&upto),
                None => i64::try_from(ids.len()) == Ok(count % ID_BLOCK as i64),
            };
            let ascends = ids.first().is_none_or(|first| *first > at);
            if !is_full || !ascends || encode(EntryId(0), &ids) != list {
                self.say("a list of its marks is damaged");
                is_known = false;
            }
            for id in ids {
                if id > at && id > self.floor {
                    match self.pass(id)? {
                        Some(author) => marks.add(id, author),
                        None => is_known = false,
                    }
                    listed += i64::from(marks.newest == id);
                }
                at = at.max(id);
                if self.found.are_enough() {
                    return Ok(listed);
                }
            }
            if upto.is_none() {
                break;
            }
        }
        let is_same = match marks.newest {
            // All of them have expired.
            EntryId(0) => said.newest <= self.floor,
            _ if marks.other == EntryId(0) => {
                Marks { other: EntryId(0), ..said } == marks && said.other <= self.floor
            }
            _ => said == marks,
        };
        if is_known && !is_same {
            self.say(format_args!(
                "its marks end with {}, and before that by others {}; it is said with {} and {}",
                marks.newest.0, marks.other.0, said.newest.0, said.other.0
            ));
        }
        Ok(listed)
    }

    /// Checks a mark. Returns its author; `None` if there is no such mark.
    fn pass(&mut self, id: EntryId) -> Result<Option<AccountId>, Error> {
        let sql = "SELECT e.conversation, e.kind, e.seq, e.author, e.author_seq, e.body, e.re,
                          m.conversation, iif(m.kind = 1 AND m.changed, 0, m.kind), m.seq, m.author
                   FROM entry e LEFT JOIN entry m ON m.id = e.re WHERE e.id = ?1";
        let mut query = self.read.prepare_cached(sql)?;
        let mut rows = query.query([id.0])?;
        let Some(row) = rows.next()? else {
            self.say(format_args!("the mark {} is missing", id.0));
            return Ok(None);
        };
        let number = |at: usize| row.get::<_, i64>(at);
        let (conversation, kind, seq) = (number(0)?, number(1)?, number(2)?);
        if conversation != self.id.0 || !(2..=5).contains(&kind) {
            self.say(format_args!("entry {} is no mark of it", id.0));
            return Ok(None);
        }
        let (author, author_seq) = (AccountId(number(3)?), number(4)?);
        if !row.get_ref(5)?.as_str().is_ok_and(|body| !body.is_empty()) {
            self.say(format_args!("entry {} has no text, or one that is not UTF-8", id.0));
        }
        let about = EntryId(row.get::<_, Option<i64>>(6)?.unwrap_or(0));
        let message: Option<(i64, i64, i64, i64)> = match row.get::<_, Option<i64>>(7)? {
            Some(conversation) => Some((conversation, number(8)?, number(9)?, number(10)?)),
            None => None,
        };
        let is_about = match message {
            None if kind == 5 => about == EntryId(0) && self.is_notes,
            None => about > EntryId(0) && about <= self.floor,
            Some((of, what, its_seq, by)) => {
                let by_its_author = kind != 2 || by == author.0;
                about < id && by_its_author && (of, what) == (self.id.0, 0) && its_seq <= seq
            }
        };
        if !is_about {
            self.say(format_args!("the mark {} is about {}, no message for it", id.0, about.0));
        }
        // Expired entries are in no list, and cannot be counted here.
        let has_expiry = "SELECT ttl IS NOT NULL FROM conversation WHERE id = ?1";
        let mut has_expiry = self.read.prepare_cached(has_expiry)?;
        if has_expiry.query_row([self.id.0], |row| row.get(0))? {
            return Ok(Some(author));
        }
        let counted = self.counted(id, author)?;
        if counted.0 != seq || counted.1.is_some_and(|counted| counted != author_seq) {
            let (id, at) = (id.0, counted.0);
            self.say(format_args!("the mark {id} is said to be at {seq}, and is at {at}"));
        }
        Ok(Some(author))
    }

    /// How many entries there are up to a mark and, in a direct chat, how many of them are its
    /// author's.
    fn counted(&self, id: EntryId, author: AccountId) -> Result<(i64, Option<i64>), Error> {
        let next = above(self.read, ListKind::Entries, self.id, id)?.0.seek(id);
        let row = match next {
            Some(next) => self
                .read
                .prepare_cached(
                    "SELECT seq - 1, author, author_seq, coalesce(tags LIKE '%late=%', 0)
                     FROM entry WHERE id = ?1",
                )?
                .query_row([next.0], |row| {
                    let (seq, by, own) =
                        (row.get(0)?, AccountId(row.get(1)?), row.get::<_, i64>(2)?);
                    let is_exempt = !(self.is_notes && row.get::<_, bool>(3)?);
                    Ok((seq, if by == author { own - i64::from(is_exempt) } else { seq + 1 - own }))
                })
                .optional()?,
            None => self
                .read
                .prepare_cached(
                    "SELECT exempt FROM member WHERE conversation = ?1 AND account = ?2",
                )?
                .query_row(params![self.id.0, author.0], |row| Ok((self.seq, row.get(0)?)))
                .optional()?,
        };
        let (seq, own) = row.unwrap_or((self.seq, 0));
        Ok((seq, (!self.is_group).then_some(own)))
    }
}

/// Each row is a finding.
const HOLDS: [&str; 13] = [
    "SELECT format('the flag of entry %d holds, and is not known to', e.id) FROM entry e
     WHERE e.kind = 5 AND NOT e.changed AND e.id > (SELECT floor FROM newest) AND NOT EXISTS(
         SELECT 1 FROM member m WHERE m.account = e.author
             AND ' ' || m.flags || ' ' LIKE '%:' || e.id || ' %')",
    "SELECT format('what holds about entry %d is said of no message', a.message)
     FROM about a LEFT JOIN entry e ON e.id = a.message
     WHERE (e.kind IS NOT 0 OR e.changed = 0 OR a.message <= (SELECT floor FROM newest))
       AND (a.kind = 3 OR a.message NOT IN (SELECT message FROM erasing))
     GROUP BY a.message",
    "SELECT format('the marks about entry %d are being erased, and it was not deleted', x.message)
     FROM erasing x JOIN entry e ON e.id = x.message
     WHERE x.message > (SELECT floor FROM newest) AND NOT (e.kind = 1 AND e.changed)
       AND NOT EXISTS(SELECT 1 FROM about WHERE message = x.message AND kind = 3)",
    "SELECT format('what holds about entry %d is no mark: %d', a.message, a.mark)
     FROM about a LEFT JOIN entry e ON e.id = a.mark
     WHERE (e.kind IS NOT min(a.kind, 4) OR e.re IS NOT a.message
            OR a.account <> iif(a.kind < 4, 0, e.author)
            OR (a.kind = 5) <> (a.kind > 3 AND e.body = '-') OR (a.kind > 2 AND e.changed))
       AND (a.kind = 3 OR a.message NOT IN (SELECT message FROM erasing))",
    "SELECT format('entry %d has marks, and nothing holds about it', id) FROM entry
     WHERE kind = 0 AND changed AND id > (SELECT floor FROM newest)
       AND NOT EXISTS(SELECT 1 FROM about WHERE message = entry.id)",
    "SELECT format('the mark %d holds, and is not known to', e.id) FROM entry e
     WHERE e.kind > 1 AND NOT e.changed AND e.re > (SELECT floor FROM newest)
       AND NOT EXISTS(SELECT 1 FROM about WHERE message = e.re AND mark = e.id)",
    "SELECT format('entry %d was deleted, and more holds about it', message) FROM about
     WHERE message IN (SELECT message FROM about WHERE kind = 3
                       EXCEPT SELECT message FROM erasing)
     GROUP BY message HAVING count(*) > 1",
    "SELECT format('entry %d was deleted, and has a text', e.id)
     FROM about a JOIN entry e ON e.id = a.message
     WHERE a.kind = 3 AND CAST(e.body AS BLOB) <> zeroblob(octet_length(e.body))",
    "SELECT format('entry %d was deleted, and its mark %d has a text', e.re, e.id)
     FROM entry e CROSS JOIN about a ON a.message = e.re AND a.kind = 3
     WHERE e.kind IN (2, 4) AND CAST(e.body AS BLOB) <> zeroblob(octet_length(e.body))
       AND a.message NOT IN (SELECT message FROM erasing)",
    "SELECT format('account %d has more than one reaction to entry %d', account, message)
     FROM about WHERE kind > 3 GROUP BY message, account HAVING count(*) > 1",
    "SELECT format('the reactions to entry %d are counted wrong', message) FROM (
         SELECT a.message, e.body, count(*) AS count FROM about a JOIN entry e ON e.id = a.mark
         WHERE a.kind = 4 AND a.message NOT IN (SELECT message FROM erasing)
         GROUP BY a.message, e.body
         UNION ALL
         SELECT t.message, e.body, -t.count FROM tally t
         LEFT JOIN entry e ON e.id = t.word AND e.kind = 4 AND e.re = t.message)
     GROUP BY message, body HAVING sum(count) <> 0 OR count(*) <> 2",
    "SELECT format('entry %d answers %d, and is not known to', e.id, e.re) FROM entry e
     WHERE e.kind = 0 AND e.re > (SELECT floor FROM newest) AND NOT EXISTS(
         SELECT 1 FROM reply WHERE message = e.re AND reply = e.id AND author = e.author)",
    "SELECT format('entry %d is said to answer %d', r.reply, r.message)
     FROM reply r LEFT JOIN entry e ON e.id = r.reply
     WHERE (e.kind IS NOT 0 OR e.re IS NOT r.message) AND r.message > (SELECT floor FROM newest)",
];
