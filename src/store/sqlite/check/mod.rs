//! Checks the whole database for damage: first SQLite checks its pages and indexes, then the tables
//! are compared with each other. Every count that is kept by arithmetic and every reference by a
//! number is compared with a scan of what is there. It only reads, all of it in one transaction,
//! and holds no more than one conversation's members in memory.
//!
//! Its findings are for an operator: damage by a disk or by another program, or a bug of ours. It
//! repairs nothing. `log` checks the conversations, with a `person` for each member, `marks`
//! what is done to messages later, and `moves` the histories of cursors.

mod expired;
mod log;
mod marks;
mod moves;
mod person;
mod place;

use rusqlite::{Connection, OptionalExtension};

use super::id_block::{ListKind, above};
use super::schema::today;
use crate::entry::{ConversationId, EntryId};
use crate::fold;
use crate::limits;
use crate::name::{DisplayName, Handle};
use crate::store::Error;

/// The findings, a line each.
#[derive(Default)]
struct Findings(Vec<String>);

impl Findings {
    fn say(&mut self, line: impl Into<String>) {
        if !self.are_enough() {
            self.0.push(line.into());
        }
    }

    /// Whether there is no room for more, so that the check ends.
    fn are_enough(&self) -> bool {
        self.0.len() >= limits::FINDINGS
    }
}

/// One part of the check. If it cannot be read, that is a finding.
type Rule = fn(&Connection, &mut Findings) -> Result<(), Error>;

/// The parts of the check, with their names for when they cannot be read.
const RULES: [(&str, Rule); 10] = [
    ("the file", pages),
    ("the newest numbers", newest),
    ("the accounts", accounts),
    ("the words", words),
    ("the groups", groups),
    ("the conversations", log::conversations),
    ("the marks", marks::marks),
    ("the files", files),
    ("the moves of cursors", moves::moves),
    ("the rest", references),
];

/// Checks for damage. Returns a line for each finding, at most [`limits::FINDINGS`]; none if all is
/// well. Takes as long as reading the whole database several times.
///
/// # Errors
/// The database cannot be read at all, or the check was broken off.
pub(super) fn findings(read: &Connection) -> Result<Vec<String>, Error> {
    read.execute_batch("BEGIN")?;
    let mut found = Findings::default();
    // The tables of an older schema are not known, but its pages can be checked.
    let version: i32 = read.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let rules = if version == today() { RULES.len() } else { 1 };
    for (what, rule) in RULES.into_iter().take(rules) {
        if found.are_enough() {
            break;
        }
        if let Err(e) = rule(read, &mut found) {
            found.say(format!("{what} cannot be read to the end: {e}"));
        }
    }
    read.execute_batch("ROLLBACK")?;
    Ok(found.0)
}

/// Checks pages, b-trees and indexes, and the types of their values.
fn pages(read: &Connection, found: &mut Findings) -> Result<(), Error> {
    let mut check = read.prepare(&format!("PRAGMA integrity_check({})", limits::FINDINGS))?;
    let mut rows = check.query([])?;
    while let Some(row) = rows.next()? {
        let said: String = row.get(0)?;
        for line in said.lines().filter(|line| *line != "ok") {
            found.say(format!("SQLite says: {line}"));
        }
    }
    Ok(())
}

/// Runs a query, each of whose rows is a finding.
fn each(read: &Connection, found: &mut Findings, sql: &str) -> Result<(), Error> {
    let mut query = read.prepare(sql)?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        found.say(row.get::<_, String>(0)?);
        if found.are_enough() {
            break;
        }
    }
    Ok(())
}

/// Checks that no number was given above the newest: it would be given again.
fn newest(read: &Connection, found: &mut Findings) -> Result<(), Error> {
    for (column, of, given) in [
        ("entry", "entry", "SELECT max(id) FROM entry"),
        (
            "entry",
            "newest entry of a conversation",
            "SELECT max(max(head, marked)) FROM conversation",
        ),
        ("entry", "entry of a key", "SELECT max(entry) FROM once"),
        ("account", "account", "SELECT max(id) FROM account"),
        ("conversation", "conversation", "SELECT max(id) FROM conversation"),
        ("token", "token", "SELECT max(id) FROM token"),
        ("moved", "move of a conversation", "SELECT max(moved) FROM conversation"),
        ("moved", "move", "SELECT max(max(delivered_number, read_number)) FROM member"),
        ("moved", "move of a chat's rank", "SELECT max(moved) FROM member"),
        ("moved", "move that was shown", "SELECT max(shown) FROM account"),
        ("moved", "move that a device was shown", "SELECT max(shown) FROM device"),
        ("entry", "place of a device", "SELECT max(place) FROM device"),
    ] {
        let newest = read
            .query_row(&format!("SELECT {column} FROM newest"), [], |row| row.get::<_, i64>(0))
            .optional()?;
        let Some(newest) = newest else {
            found.say("the newest numbers are gone");
            return Ok(());
        };
        let given: i64 =
            read.query_row(given, [], |row| row.get::<_, Option<i64>>(0))?.unwrap_or(0);
        if given > newest {
            found.say(format!("{of} {given} is above the newest, which is said to be {newest}"));
        }
    }
    Ok(())
}

/// Checks that names obey the rules, and that the words of `FIND` are those of the names.
fn accounts(read: &Connection, found: &mut Findings) -> Result<(), Error> {
    let mut accounts = read.prepare("SELECT id, handle, name, gone FROM account ORDER BY id")?;
    let mut words = read.prepare("SELECT word FROM word WHERE account = ?1")?;
    let mut rows = accounts.query([])?;
    while let Some(row) = rows.next()? {
        if found.are_enough() {
            break;
        }
        let id: i64 = row.get(0)?;
        let text = |at| row.get_ref(at).ok().and_then(|value| value.as_str().ok());
        let handle = text(1).filter(|text| is_handle(text));
        let name = text(2).filter(|text| DisplayName::new(text).is_ok());
        let (Some(handle), Some(name)) = (handle, name) else {
            found.say(format!("account {id} has a name that breaks the rules"));
            continue;
        };
        let kept = words.query_map([id], |row| row.get(0))?;
        let mut kept = kept.collect::<Result<Vec<String>, _>>()?;
        kept.sort_unstable();
        let due = if row.get(3)? { Vec::new() } else { fold::words(handle, name) };
        if kept != due {
            found.say(format!("account {id}, {handle}, is found by other names than its own"));
        }
    }
    Ok(())
}

/// Whether a handle is as it is stored: valid, and in lower case.
fn is_handle(text: &str) -> bool {
    Handle::new(text).is_some_and(|handle| handle.as_str() == text)
}

fn words(read: &Connection, found: &mut Findings) -> Result<(), Error> {
    let sql = "SELECT format('account %d is gone, and is still found by a name', account)
               FROM word WHERE account NOT IN (SELECT id FROM account) GROUP BY account";
    each(read, found, sql)
}

fn groups(read: &Connection, found: &mut Findings) -> Result<(), Error> {
    let mut groups =
        read.prepare("SELECT conversation, name FROM group_info ORDER BY conversation")?;
    let mut rows = groups.query([])?;
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        if !row.get_ref(1)?.as_str().is_ok_and(is_handle) {
            found.say(format!("group {id} has a name that breaks the rules"));
        }
    }
    let sql = "SELECT format('group %d, #%s, has no conversation', conversation, name)
               FROM group_info WHERE conversation NOT IN (SELECT id FROM conversation)";
    each(read, found, sql)
}

/// Finds the entries that are in no list: a line for each run of them in one conversation.
fn strays(read: &Connection, found: &mut Findings) -> Result<(), Error> {
    let mut entries = read.prepare(
        "SELECT id, conversation FROM entry
         WHERE id > (SELECT floor FROM newest) AND NOT (kind = 1 AND changed) ORDER BY id",
    )?;
    let mut rows = entries.query([])?;
    // First and last entry of the run, how many it has, and the conversation that they name.
    let mut run: Option<(i64, i64, i64, ConversationId)> = None;
    let mut close = |run: Option<(i64, i64, i64, ConversationId)>| {
        if let Some((first, last, count, of)) = run {
            let count = if first == last { String::new() } else { format!(" to {last}, {count}") };
            found.say(format!("entry {first}{count}: conversation {} does not have it", of.0));
        }
        found.are_enough()
    };
    while let Some(row) = rows.next()? {
        let (id, conversation) = (EntryId(row.get(0)?), ConversationId(row.get(1)?));
        let below = EntryId(id.0 - 1);
        let is_listed = |of| {
            above(read, of, conversation, below)
                .is_ok_and(|(mut ids, _)| ids.seek(below) == Some(id))
        };
        if is_listed(ListKind::Entries) || is_listed(ListKind::Marks) {
            continue;
        }
        match &mut run {
            Some((_, last, count, of)) if *of == conversation => {
                *last = id.0;
                *count += 1;
            }
            _ => {
                if close(run.replace((id.0, id.0, 1, conversation))) {
                    return Ok(());
                }
            }
        }
    }
    close(run);
    Ok(())
}

/// Checks that files are those of messages. Whether their contents are there, `missing` looks.
fn files(read: &Connection, found: &mut Findings) -> Result<(), Error> {
    for sql in [
        "SELECT format('the file of entry %d is that of no message', f.entry)
         FROM file f LEFT JOIN entry e ON e.id = f.entry
         WHERE e.kind IS NOT 0 OR f.entry <= (SELECT floor FROM newest)",
        "SELECT format('entry %d is said to have %d bytes', f.entry, f.bytes)
         FROM file f JOIN entry e ON e.id = f.entry
         WHERE e.kind = 0 AND instr(' ' || coalesce(e.tags, '') || ' ', format(' file=%d ', f.bytes)) = 0",
        "SELECT format('the file of entry %d has no hash of 32 bytes', entry)
         FROM file WHERE length(content) <> 32",
        "SELECT format('the content %s has %d and %d bytes', lower(hex(content)), min(bytes), max(bytes))
         FROM file GROUP BY content HAVING min(bytes) <> max(bytes)",
    ] {
        each(read, found, sql)?;
    }
    Ok(())
}

/// Checks rows that refer to others, which have to exist.
fn references(read: &Connection, found: &mut Findings) -> Result<(), Error> {
    for sql in [
        "SELECT format('the token %d is of account %d, which is gone', id, account)
         FROM token WHERE account NOT IN (SELECT id FROM account)",
        "SELECT format('the token %d has no hash of 32 bytes', id)
         FROM token WHERE length(hash) <> 32",
        "SELECT format('an invitation to conversation %d cannot be used', i.conversation)
         FROM invitation i LEFT JOIN group_info g ON g.conversation = i.conversation
         WHERE g.conversation IS NULL OR i.uses < 1 OR length(i.hash) <> 32",
        "SELECT format('account %d blocks %d, and one of them is gone', account, blocked)
         FROM block WHERE account NOT IN (SELECT id FROM account)
                       OR blocked NOT IN (SELECT id FROM account)",
        "SELECT format('account %d was ended, and is still in conversation %d', m.account, m.conversation)
         FROM member m JOIN account a ON a.id = m.account
         JOIN group_info r ON r.conversation = m.conversation
         WHERE a.gone = 1 AND m.until_seq IS NULL",
        "SELECT format('a key is of account %d, which is gone', account)
         FROM once WHERE account NOT IN (SELECT id FROM account)",
        "SELECT format('a key of account %d has no digest of 32 bytes', account)
         FROM once WHERE length(digest) <> 32",
        "SELECT format('a key of account %d stands for entry %d, which is gone', o.account, o.entry)
         FROM once o LEFT JOIN entry e ON e.id = o.entry
         WHERE e.id IS NULL AND o.entry > (SELECT floor FROM newest)",
        "SELECT format('a key of account %d stands for entry %d, which is not what it says',
                       o.account, o.entry)
         FROM once o JOIN entry e ON e.id = o.entry
         WHERE e.author <> o.account OR e.time <> o.time
            OR (e.kind <> 0 AND NOT (e.kind = 1 AND e.changed))",
        "SELECT format('account %d is gone, and still a member of conversation %d',
                       account, conversation)
         FROM member WHERE account NOT IN (SELECT id FROM account)",
        "SELECT format('conversation %d is gone, and still has members', conversation)
         FROM member WHERE conversation NOT IN (SELECT id FROM conversation)
         GROUP BY conversation",
        "SELECT format('conversation %d is gone, and still has a list of ids', conversation)
         FROM id_block WHERE conversation NOT IN (SELECT id FROM conversation)
         GROUP BY conversation",
        "SELECT format('account %d was in conversation %d, and is no member', s.account, s.conversation)
         FROM stay s LEFT JOIN member m USING(conversation, account) WHERE m.account IS NULL",
        "SELECT format('what account %d skipped in conversation %d has no member',
                       s.account, s.conversation)
         FROM exempt_mark s LEFT JOIN member m USING(conversation, account) WHERE m.account IS NULL
         GROUP BY s.conversation, s.account",
        "SELECT format('the moves of account %d in conversation %d have no member',
                       p.account, p.conversation)
         FROM cursor_history p LEFT JOIN member m USING(conversation, account)
         WHERE m.account IS NULL OR p.cursor NOT IN (0, 1) GROUP BY p.conversation, p.account",
        "SELECT format('account %d has a group as a chat, or a chat as a group: conversation %d',
                       m.account, m.conversation)
         FROM member m JOIN conversation c ON c.id = m.conversation
         WHERE (c.low IS NULL OR c.head = 0) <> (m.recent = 0) OR (c.low IS NULL) = m.direct
            OR (c.low IS NULL AND coalesce(m.waits, m.moved, m.marked) NOT NULL)",
        "SELECT format('account %d has conversation %d not in its place among its chats',
                       account, conversation)
         FROM (SELECT m.account, m.conversation, m.recent, c.head,
                      lag(m.recent) OVER (PARTITION BY m.account ORDER BY m.recent DESC) AS before
               FROM member m JOIN conversation c ON c.id = m.conversation WHERE m.recent > 0)
         WHERE recent > head OR head >= before",
        "SELECT format('account %d has conversation %d not in its place by its marks',
                       account, conversation)
         FROM (SELECT m.account, m.conversation, m.marked, c.marked AS newest,
                      lag(m.marked) OVER (PARTITION BY m.account ORDER BY m.marked DESC) AS before
               FROM member m JOIN conversation c ON c.id = m.conversation WHERE m.direct)
         WHERE marked > newest OR (marked IS NULL) <> (newest = 0)
            OR (marked IS NOT NULL AND newest >= before)",
        "SELECT format('the mark %d waits for account %d in conversation %d, it is said with %d',
                       min(e.id), m.account, m.conversation, coalesce(m.waits, 0))
         FROM entry e CROSS JOIN conversation c ON c.id = e.conversation
         CROSS JOIN member m ON m.conversation = c.id
         WHERE c.marked > m.delivered AND m.direct AND e.kind > 1 AND NOT e.changed
           AND e.author <> m.account AND e.id > m.delivered AND e.re > (SELECT floor FROM newest)
         GROUP BY m.conversation, m.account HAVING m.waits IS NULL OR m.waits > min(e.id)",
        "SELECT format('the command %d of account %d cannot be carried out', l.number, l.account)
         FROM later l LEFT JOIN account a ON a.id = l.account
         WHERE NOT l.done AND (a.gone IS NOT 0 OR l.number NOT BETWEEN 1 AND a.later
             OR (l.message IS NULL) <> (l.condition IS NULL)
             OR l.condition NOT IN (0, 1, 2) OR l.command = '')",
        "SELECT format('the device %d of account %d is not its own', d.number, d.account)
         FROM device d LEFT JOIN account a ON a.id = d.account
         WHERE a.gone IS NOT 0 OR d.number NOT BETWEEN 1 AND a.device OR d.name <> lower(d.name)
            OR d.name GLOB '*[^a-z0-9._-]*' OR length(d.name) NOT BETWEEN 1 AND 32",
        "SELECT format('entry %d is of the device %d of account %d, which there never was',
                       e.id, CAST(substr(e.tags, 5) AS INTEGER), e.author)
         FROM entry e JOIN account a ON a.id = e.author
         WHERE e.tags LIKE 'dev=%' AND CAST(substr(e.tags, 5) AS INTEGER) NOT BETWEEN 1 AND a.device",
        "SELECT format('entry %d is said to expire, and is no message that does', x.entry)
         FROM expiring x LEFT JOIN entry e ON e.id = x.entry
         WHERE e.kind IS NOT 0 AND x.entry > (SELECT floor FROM newest)",
        "SELECT format('entry %d should expire, and is not known to', e.id) FROM entry e
         WHERE e.kind = 0 AND e.tags LIKE '%exp=%' AND e.id > (SELECT floor FROM newest)
           AND NOT EXISTS(SELECT 1 FROM expiring WHERE entry = e.id AND due =
               e.time + 1000 * CAST(substr(e.tags, instr(e.tags, 'exp=') + 4) AS INTEGER))",
        "SELECT format('entry %d has expired, and has a text', id) FROM entry
         WHERE kind = 1 AND changed AND CAST(body AS BLOB) <> zeroblob(octet_length(body))",
        "SELECT format('conversation %d is gone, and still has marks', conversation)
         FROM marking WHERE conversation NOT IN (SELECT id FROM conversation)",
        "SELECT format('conversation %d has no marks, and a list of them', conversation)
         FROM mark_block WHERE conversation NOT IN (SELECT conversation FROM marking)
         GROUP BY conversation",
    ] {
        if found.are_enough() {
            break;
        }
        each(read, found, sql)?;
    }
    Ok(())
}
