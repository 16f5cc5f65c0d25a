//! A look at the whole database for what should never be: first by SQLite at its pages and indexes,
//! then at what the tables mean to each other. Everything that is counted by arithmetic, or led to
//! by a number, is held against a scan of what is there. It only reads, all of it in one
//! transaction, and keeps of the log no more than one conversation's members.
//!
//! What it finds is for an operator: damage by a disk or by another program's hand, or a bug of
//! ours. It mends nothing. `log` looks at the conversations, with a `person` for each member.

mod log;
mod moves;
mod person;

use rusqlite::{Connection, OptionalExtension};

use super::id_block::above;
use super::schema::today;
use crate::entry::{ConversationId, EntryId};
use crate::fold;
use crate::limits;
use crate::name::{DisplayName, Handle};
use crate::store::Error;

/// What was found.
#[derive(Default)]
struct Findings(Vec<String>);

impl Findings {
    fn say(&mut self, line: impl Into<String>) {
        if !self.are_enough() {
            self.0.push(line.into());
        }
    }

    /// There is no room for more, so nothing further is looked for.
    fn are_enough(&self) -> bool {
        self.0.len() >= limits::FINDINGS
    }
}

/// One thing to look at. What cannot be read is a finding, too.
type Rule = fn(&Connection, &mut Findings) -> Result<(), Error>;

/// What is looked at, and how it is called where it cannot be read.
const RULES: [(&str, Rule); 8] = [
    ("the file", pages),
    ("the newest numbers", newest),
    ("the accounts", accounts),
    ("the words", words),
    ("the groups", groups),
    ("the conversations", log::conversations),
    ("the moves of cursors", moves::moves),
    ("the rest", references),
];

/// Looks for damage. Returns what was found, a line for each, a hundred at most; no line where all
/// is well. It takes as long as reading the whole database several times does.
///
/// # Errors
/// The database cannot be read at all, or the look was broken off.
pub(super) fn findings(read: &Connection) -> Result<Vec<String>, Error> {
    read.execute_batch("BEGIN")?;
    let mut found = Findings::default();
    // The rules of an older schema are not known; its pages can be looked at.
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

/// The pages, the trees and the indexes, and the types of what is in them.
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

/// Says what a question says: each of its rows is a finding.
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

/// No number was given that is above the newest: the next one would be given twice.
fn newest(read: &Connection, found: &mut Findings) -> Result<(), Error> {
    for (column, of, given) in [
        ("entry", "entry", "SELECT max(id) FROM entry"),
        ("entry", "newest entry of a conversation", "SELECT max(head) FROM conversation"),
        ("entry", "entry of a key", "SELECT max(entry) FROM once"),
        ("account", "account", "SELECT max(id) FROM account"),
        ("conversation", "conversation", "SELECT max(id) FROM conversation"),
        ("token", "token", "SELECT max(id) FROM token"),
        ("moved", "move of a conversation", "SELECT max(moved) FROM conversation"),
        ("moved", "move", "SELECT max(max(delivered_number, read_number)) FROM member"),
        ("moved", "move of a chat's rank", "SELECT max(moved) FROM member"),
        ("moved", "move that was shown", "SELECT max(shown) FROM account"),
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

/// Names obey their rules, and the words of `FIND` are those of the names.
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

/// Whether a name is as it is kept: by the rule, and in lower case.
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
        "SELECT id, conversation FROM entry WHERE id > (SELECT floor FROM newest) ORDER BY id",
    )?;
    let mut rows = entries.query([])?;
    // Where the run begins and ends, how many it has, and of which conversation they say to be.
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
        if above(read, conversation, below).is_ok_and(|(mut ids, _)| ids.seek(below) == Some(id)) {
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

/// Rows that belong to others which have to be there.
fn references(read: &Connection, found: &mut Findings) -> Result<(), Error> {
    for sql in [
        "SELECT format('the token %d is of account %d, which is gone', id, account)
         FROM token WHERE account NOT IN (SELECT id FROM account)",
        "SELECT format('the token %d has no hash of 32 bytes', id)
         FROM token WHERE length(hash) <> 32",
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
         WHERE e.author <> o.account OR e.time <> o.time OR e.kind <> 0",
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
         WHERE (c.low IS NULL) <> (m.recent = 0) OR (c.low IS NULL AND coalesce(m.waits, m.moved) NOT NULL)",
        "SELECT format('account %d has conversation %d not in its place among its chats',
                       account, conversation)
         FROM (SELECT m.account, m.conversation, m.recent, c.head,
                      lag(m.recent) OVER (PARTITION BY m.account ORDER BY m.recent DESC) AS before
               FROM member m JOIN conversation c ON c.id = m.conversation WHERE m.recent > 0)
         WHERE recent > head OR head >= before",
    ] {
        if found.are_enough() {
            break;
        }
        each(read, found, sql)?;
    }
    Ok(())
}
