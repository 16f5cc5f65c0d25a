//! Checks the conversations, one after the other, each from its first entry to its last: the lists
//! of ids, the entries in them, and the places in the log that members and their stays refer to.
//!
//! One pass counts what is stored as arithmetic. For each member it knows how many entries it wrote
//! so far and how many it may not see, so the numbers in cursors, stays and entries are compared as
//! the pass gets to them. If an entry is missing, its author is unknown, and so are all counts.
//! Each is known again from the member's next entry on, so that one fault is one line and not a
//! thousand. Expired entries are treated likewise: the pass begins after them, with what the
//! conversation's row says about them.

use std::iter::Peekable;

use rusqlite::{CachedStatement, Connection, OptionalExtension, params};

use super::expired::Expired;
use super::person::Person;
use super::place::{LogMark, What, word};
use super::{Findings, strays};
use crate::entry::{AccountId, ConversationId, Cursor, EntryId, MoveNumber};
use crate::limits::ID_BLOCK;
use crate::store::ids::{Ids, encode};
use crate::store::sqlite::decode::member_at;
use crate::store::sqlite::expire::floor;
use crate::store::{Error, Stay};

/// Checks each conversation, and that each entry is in one.
pub(super) fn conversations(read: &Connection, found: &mut Findings) -> Result<(), Error> {
    let sql =
        "SELECT c.id, c.head, c.seq, c.moved, c.low, c.high, c.tail, r.conversation IS NOT NULL,
                c.gone_seq, c.gone_author, c.gone_author_seq, c.marked, c.ttl IS NOT NULL
               FROM conversation c LEFT JOIN group_info r ON r.conversation = c.id ORDER BY c.id";
    let mut conversations = read.prepare(sql)?;
    let mut entries = read.prepare_cached(
        "SELECT conversation, seq, author, author_seq, kind, body,
                coalesce(tags LIKE '%late=%', 0), changed FROM entry WHERE id = ?1",
    )?;
    let floor = floor(read)?;
    let mut expired = Expired::find(read, floor)?;
    let mut rows = conversations.query([])?;
    let mut listed = 0;
    while let Some(row) = rows.next()? {
        if found.are_enough() {
            return Ok(());
        }
        let id = ConversationId(row.get(0)?);
        let (head, seq, moved) = (EntryId(row.get(1)?), row.get(2)?, MoveNumber(row.get(3)?));
        let pair: (Option<i64>, Option<i64>) = (row.get(4)?, row.get(5)?);
        let mut log = Log::new(read, found, id, row.get(7)?)?;
        log.begin(floor, row.get(8)?, AccountId(row.get(9)?), row.get(10)?);
        log.whose(pair, moved);
        log.has_expiry = row.get(12)?;
        log.expired = expired.take(id);
        log.lists(read, row.get_ref(6)?.as_blob().unwrap_or_default(), &mut entries)?;
        log.end(read, head, seq, EntryId(row.get(11)?))?;
        listed += log.listed;
    }
    let sql = "SELECT count(*) FROM entry WHERE id > ?1 AND kind < 2
               AND NOT (kind = 1 AND changed)";
    let there: i64 = read.query_row(sql, [floor.0], |row| row.get(0))?;
    if there != listed { strays(read, found) } else { Ok(()) }
}

/// A conversation during the pass.
struct Log<'a> {
    id: ConversationId,
    found: &'a mut Findings,
    is_group: bool,
    /// Its members, sorted by account.
    people: Vec<Person>,
    /// Places to compare, the highest first.
    marks: Vec<LogMark>,
    /// Messages of it expire, or did; and those that have, in the order of their ids.
    has_expiry: bool,
    expired: Peekable<Ids>,
    /// Everything up to here has expired: `gone` entries of this conversation.
    floor: EntryId,
    gone: i64,
    /// The last entry passed, and its `seq`.
    at: EntryId,
    seq: i64,
    /// Number of entries that are listed and exist.
    listed: i64,
    /// How often the counts became unknown.
    lost: i64,
    /// Number of rows of `exempt_mark` that were compared.
    exempt_marks: i64,
}

impl<'a> Log<'a> {
    fn new(
        read: &Connection,
        found: &'a mut Findings,
        id: ConversationId,
        is_group: bool,
    ) -> Result<Log<'a>, Error> {
        let sql = "SELECT * FROM member WHERE conversation = ?1 ORDER BY account";
        let mut members = read.prepare_cached(sql)?;
        let people =
            members.query_map([id.0], |row| Ok(Person::new(member_at(row, 0)?, row.get(17)?)))?;
        let people = people.collect::<Result<Vec<_>, _>>()?;
        let (at, marks) = (EntryId(0), Vec::new());
        let mut log = Log {
            id,
            found,
            is_group,
            people,
            marks,
            has_expiry: false,
            expired: Ids::default().peekable(),
            floor: EntryId(0),
            gone: 0,
            at,
            seq: 0,
            listed: 0,
            lost: 0,
            exempt_marks: 0,
        };
        log.add_stays(read)?;
        for (who, person) in log.people.iter().enumerate() {
            for cursor in [Cursor::Delivered, Cursor::Read] {
                let id = person.member.cursor(cursor).id;
                log.marks.push(LogMark { id, who, what: What::Cursor(cursor) });
            }
            for (n, stay) in person.member.stays.iter().enumerate() {
                log.marks.push(LogMark { id: stay.since.0, who, what: What::Since(n) });
                if let Some((id, _)) = stay.until {
                    log.marks.push(LogMark { id, who, what: What::Until(n) });
                }
            }
        }
        log.marks.sort_by_key(|mark| std::cmp::Reverse(mark.id));
        Ok(log)
    }

    /// Begins after the expired entries: `gone` of them, the last one by `author`, with this
    /// `author_seq`.
    fn begin(&mut self, floor: EntryId, gone: i64, author: AccountId, author_seq: i64) {
        (self.floor, self.gone, self.seq) = (floor, gone, gone);
        self.marks.retain(|mark| mark.id > floor);
        for person in &mut self.people {
            if self.is_group && gone > 0 {
                // Its count is known again from its next entry on.
                person.known_at = -1;
            } else {
                // In a direct chat, entries that are not the author's are the other member's.
                person.written =
                    if person.member.account == author { author_seq } else { gone - author_seq };
                person.last_own = person.member.last_own.min(floor);
            }
        }
        if !(0..=gone).contains(&author_seq) {
            self.say("what it says of its forgotten entries cannot be");
        }
    }

    fn add_stays(&mut self, read: &Connection) -> Result<(), Error> {
        let sql = "SELECT account, since, since_seq, until, until_seq, removed FROM stay
                   WHERE conversation = ?1 ORDER BY account, since";
        let mut stays = read.prepare_cached(sql)?;
        let mut rows = stays.query([self.id.0])?;
        while let Some(row) = rows.next()? {
            let account = AccountId(row.get(0)?);
            let until: (Option<i64>, Option<i64>) = (row.get(3)?, row.get(4)?);
            let until = until.0.map(EntryId).zip(until.1);
            let removed = row.get(5)?;
            let stay = Stay { since: (EntryId(row.get(1)?), row.get(2)?), until, removed };
            if let Some(who) = self.who(account) {
                self.people[who].member.stays.push(stay);
            }
        }
        Ok(())
    }

    fn who(&self, account: AccountId) -> Option<usize> {
        self.people.binary_search_by_key(&account, |person| person.member.account).ok()
    }

    fn say(&mut self, line: impl std::fmt::Display) {
        self.found.say(format!("conversation {}: {line}", self.id.0));
    }

    /// Checks what does not depend on the entries: who is in it, and the order of stays and
    /// cursors.
    fn whose(&mut self, pair: (Option<i64>, Option<i64>), moved: MoveNumber) {
        let mut faults: Vec<String> = Vec::new();
        let accounts: Vec<i64> = self.people.iter().map(|p| p.member.account.0).collect();
        let of_two = match pair {
            (Some(low), Some(high)) if low == high => accounts == [low],
            (Some(low), Some(high)) => accounts == [low, high],
            _ => false,
        };
        if self.is_group == of_two || (self.is_group && pair != (None, None)) {
            faults.push("it is neither of a group nor of its two members".into());
        }
        for person in &self.people {
            let account = person.member.account.0;
            let said = person.faults(self.is_group, moved).into_iter();
            faults.extend(said.map(|fault| format!("account {account} {fault}")));
        }
        let is_deserted = self.people.iter().all(|p| p.until_seq.is_some());
        if self.is_group && !is_deserted && !self.people.iter().any(|p| p.member.admin) {
            faults.push("nobody in the group is its admin".into());
        }
        faults.into_iter().for_each(|fault| self.say(fault));
    }

    /// Goes through the lists of ids, and with them through the entries.
    fn lists(
        &mut self,
        read: &Connection,
        tail: &[u8],
        entries: &mut CachedStatement,
    ) -> Result<(), Error> {
        let sql = "SELECT upto, ids FROM id_block WHERE conversation = ?1 ORDER BY upto";
        let mut id_blocks = read.prepare_cached(sql)?;
        let mut rows = id_blocks.query([self.id.0])?;
        loop {
            let row = rows.next()?;
            let (upto, list) = match row {
                Some(row) => (Some(EntryId(row.get(0)?)), row.get_ref(1)?.as_blob()),
                None => (None, Ok(tail)),
            };
            let list = list.unwrap_or_default();
            let ids: Vec<EntryId> = Ids::new(list).collect();
            // Expired ones leave their places in the list empty.
            let fits = |count| count == ID_BLOCK || (self.has_expiry && count > 0);
            let is_as_written = match upto {
                None if self.has_expiry => Ids::new(list).is_whole(),
                _ => encode(EntryId(0), &ids) == list,
            };
            let whole = is_as_written
                && ids.first().is_none_or(|first| *first > self.at)
                && match upto {
                    Some(upto) => {
                        ids.len() <= ID_BLOCK && fits(ids.len()) && ids.last() == Some(&upto)
                    }
                    None => ids.len() < ID_BLOCK,
                };
            match upto {
                _ if whole => {}
                Some(upto) => self.say(format_args!("its list of ids up to {} is damaged", upto.0)),
                None => self.say("the list of its newest ids is damaged"),
            }
            for id in ids {
                while let Some(expired) = self.expired.next_if(|expired| *expired < id) {
                    self.pass(read, expired, entries, true)?;
                }
                if id > self.at && id > self.floor {
                    self.pass(read, id, entries, false)?;
                }
                self.at = self.at.max(id);
                if self.found.are_enough() {
                    return Ok(());
                }
            }
            if upto.is_none() {
                while let Some(expired) = self.expired.next() {
                    self.pass(read, expired, entries, true)?;
                }
                return Ok(());
            }
        }
    }

    /// Goes on to the next entry. It is listed, unless it has `expired`.
    fn pass(
        &mut self,
        read: &Connection,
        id: EntryId,
        entries: &mut CachedStatement,
        expired: bool,
    ) -> Result<(), Error> {
        self.compare(read, EntryId(id.0 - 1))?;
        self.at = id;
        self.seq += 1;
        let mut rows = entries.query([id.0])?;
        let Some(row) = rows.next()? else {
            self.lost += 1;
            self.say(format_args!("entry {} is missing", id.0));
            return Ok(());
        };
        let conversation: i64 = row.get(0)?;
        if conversation != self.id.0 {
            self.lost += 1;
            self.say(format_args!("entry {} is said to be of conversation {conversation}", id.0));
            return Ok(());
        }
        self.listed += i64::from(!expired);
        let seq: i64 = row.get(1)?;
        if seq != self.seq {
            self.lost += 1;
            let counted = self.seq;
            self.say(format_args!("entry {} is number {counted}, not {seq}", id.0));
            self.seq = seq;
        }
        let kind: i64 = row.get(4)?;
        let is_known = matches!(kind, -1 | 0) || (kind == 1 && self.is_group);
        if !expired && (!is_known || (kind == 1 && row.get(7)?)) {
            self.say(format_args!("entry {} is of no kind that fits here", id.0));
        }
        if !expired && !row.get_ref(5)?.as_str().is_ok_and(|body| !body.is_empty()) {
            self.say(format_args!("entry {} has no text, or one that is not UTF-8", id.0));
        }
        // Notes that came late wait for their author.
        let is_notes = !self.is_group && self.people.len() == 1;
        let is_exempt = !(is_notes && row.get::<_, bool>(6)?);
        self.written_by(read, id, AccountId(row.get(2)?), row.get(3)?, is_exempt)
    }

    /// Counts the entry just passed for its author, and compares its `author_seq`.
    fn written_by(
        &mut self,
        read: &Connection,
        id: EntryId,
        account: AccountId,
        author_seq: i64,
        is_exempt: bool,
    ) -> Result<(), Error> {
        let (seq, lost) = (self.seq, self.lost);
        let who = self.who(account).filter(|who| self.people[*who].member.was_in(id));
        let Some(who) = who else {
            let author = account.0;
            self.say(format_args!("entry {} is by account {author}, who was not in", id.0));
            return Ok(());
        };
        let person = &mut self.people[who];
        person.last_own = id;
        person.written += i64::from(is_exempt);
        let counted = person.exempt(seq);
        person.written += author_seq - counted;
        let is_known = std::mem::replace(&mut person.known_at, lost) == lost;
        let behind = person.member.delivered.seq.min(person.member.read.seq) < seq;
        if is_known && counted != author_seq {
            let id = id.0;
            self.say(format_args!("entry {id} is its author's number {counted}, not {author_seq}"));
        }
        if self.is_group {
            return self.compare_exempt_mark(read, account, seq, author_seq, behind);
        }
        for other in self.people.iter_mut() {
            if (other.member.account != account || !is_exempt) && id > other.member.delivered.id {
                other.waits.get_or_insert(id);
            }
        }
        Ok(())
    }

    /// Compares the exempt mark of an account at `seq` with what was counted. It must exist if it
    /// is `needed`, that is, if a cursor of the account is below.
    fn compare_exempt_mark(
        &mut self,
        read: &Connection,
        account: AccountId,
        seq: i64,
        counted: i64,
        needed: bool,
    ) -> Result<(), Error> {
        let sql =
            "SELECT count FROM exempt_mark WHERE conversation = ?1 AND account = ?2 AND seq = ?3";
        let mut query = read.prepare_cached(sql)?;
        let row = query.query_row(params![self.id.0, account.0, seq], |row| row.get::<_, i64>(0));
        let kept = row.optional()?;
        self.exempt_marks += i64::from(kept.is_some());
        if kept.map_or(needed, |kept| kept != counted) {
            let (account, kept) = (account.0, kept.map_or("nothing".into(), |n| n.to_string()));
            self.say(format_args!(
                "account {account} skipped {counted} of the first {seq}, and {kept} is written down"
            ));
        }
        Ok(())
    }

    /// Compares what members say about places up to `upto`, all of whose entries were passed.
    fn compare(&mut self, read: &Connection, upto: EntryId) -> Result<(), Error> {
        while let Some(LogMark { id, who, what }) = self.marks.pop_if(|mark| mark.id <= upto) {
            let (at, seq, lost) = (self.at, self.seq, self.lost);
            let person = &mut self.people[who];
            let account = person.member.account;
            match what {
                What::Cursor(cursor) => {
                    let said = *person.member.cursor(cursor);
                    let exempt = person.exempt(seq);
                    let is_known = person.known_at == lost;
                    if said.seq != seq || (is_known && said.exempt != exempt) {
                        let (account, cursor) = (account.0, word(cursor));
                        self.say(format_args!(
                            "account {account} has {cursor} up to {}, where {seq} entries are, {exempt} \
                             that do not wait for it; it counted {} and {}",
                            id.0, said.seq, said.exempt
                        ));
                    }
                }
                What::Since(n) => {
                    let said = person.member.stays[n].since.1;
                    // Entries from while it was out are exempt, which has to be written down.
                    let before = n.checked_sub(1).and_then(|n| person.member.stays[n].until);
                    let was_out = before.is_some_and(|(_, left)| left < seq - 1);
                    // If it joined by itself, the entry is its own and counted already.
                    let exempt = person.exempt(seq) - i64::from(person.last_own == id);
                    let is_known = person.known_at == lost;
                    let behind = person.member.delivered.seq.min(person.member.read.seq) < seq - 1;
                    if (at, seq) != (id, said) {
                        let account = account.0;
                        self.say(format_args!("account {account} came in at {}, no entry", id.0));
                    } else if was_out && is_known {
                        self.compare_exempt_mark(read, account, seq - 1, exempt, behind)?;
                    }
                }
                What::Until(n) => {
                    let said = person.member.stays[n].until.map_or(0, |(_, seq)| seq);
                    if (at, seq) != (id, said) {
                        let account = account.0;
                        self.say(format_args!("account {account} left at {}, no entry", id.0));
                    }
                }
            }
        }
        Ok(())
    }

    /// Compares the totals after the last entry.
    fn end(
        &mut self,
        read: &Connection,
        head: EntryId,
        seq: i64,
        marked: EntryId,
    ) -> Result<(), Error> {
        if self.found.are_enough() {
            return Ok(());
        }
        // A cursor may stand at a mark, behind the last entry.
        self.compare(read, self.at.max(marked))?;
        // If all entries have expired, the list may be gone as well.
        let is_gone = head <= self.floor && self.at <= head && seq == self.gone;
        if (head, seq) != (self.at, self.seq) && !is_gone {
            let (at, counted, head) = (self.at.0, self.seq, head.0);
            self.say(format_args!("it ends with {at}, number {counted}, not with {head}, {seq}"));
        }
        while let Some(LogMark { id, who, .. }) = self.marks.pop() {
            let account = self.people[who].member.account.0;
            self.say(format_args!("account {account} speaks of {}, above its last", id.0));
        }
        let (seq, lost) = (self.seq, self.lost);
        let mut faults = Vec::new();
        for person in &mut self.people {
            let waits = person.member.waits;
            let is_wrong = person.waits.is_some_and(|first| waits == EntryId(0) || waits > first);
            if is_wrong && !self.is_group {
                let (account, first) = (person.member.account.0, person.waits.map_or(0, |id| id.0));
                faults.push(format!(
                    "what waits for account {account} begins with {first}, it is said with {}",
                    waits.0
                ));
            }
            let exempt = person.exempt(person.until_seq.unwrap_or(seq));
            let (said, last) = (person.member.exempt, person.member.last_own);
            let is_known = person.known_at == lost;
            if is_known && (said, last) != (exempt, person.last_own) {
                let (account, counted) = (person.member.account.0, person.last_own.0);
                faults.push(format!(
                    "account {account} has {exempt} that do not wait for it, its own last is {counted}; \
                     it counted {said} and {}",
                    last.0
                ));
            }
        }
        faults.into_iter().for_each(|fault| self.say(fault));
        let kept = read
            .prepare_cached(
                "SELECT count(*) FROM exempt_mark WHERE conversation = ?1 AND seq > ?2",
            )?
            .query_row([self.id.0, self.gone], |row| row.get::<_, i64>(0))?;
        // Marks of members whose counts were not known again have not been compared.
        let is_known = lost == 0 && !(self.is_group && self.gone > 0);
        if is_known && kept != self.exempt_marks {
            let (kept, exempt_mark) = (kept, self.exempt_marks);
            self.say(format_args!(
                "{kept} skips are written down, {exempt_mark} of them of an entry"
            ));
        }
        Ok(())
    }
}
