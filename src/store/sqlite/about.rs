//! What holds about a message, as a reader sees it: the text of the last edit, that it was deleted,
//! the reactions. All of it is looked up only for rows that say there is something.
//!
//! Members see an edit if they were in the group by then, so a message may have one text for those
//! who are in and an older one for those who have left. A deletion holds for everyone.

use rusqlite::{Connection, OptionalExtension, params};

use super::decode::{LogRow, SqliteReader, entry_kind, entry_tags, log_row, log_rows};
use super::marking::{DELETION, EDIT, REACTION};
use super::statements::Statements;
use super::visible::windows;
use super::{erasing, expire};
use crate::entry::{
    AccountId, ConversationId, Entry, EntryId, EntryKind, EntryPos, EntryTags, Millis,
};
use crate::limits;
use crate::store::walk::Window;
use crate::store::{ConversationKind, Error, ListPage, MessageState, Tallied, WordCount};

/// What a deleted message has in place of its text.
const NO_TEXT: &str = "-";

/// What became of the text of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fate {
    /// The mark that deleted it.
    gone: Option<EntryId>,
    /// The last edit that the reader may see.
    edit: Option<EntryId>,
}

/// A reader in a conversation.
pub(super) struct View<'a> {
    pub(super) read: &'a Connection,
    /// The parts of the conversation that the reader may see, the oldest first.
    pub(super) windows: &'a [Window],
    /// Everything up to here has expired.
    pub(super) floor: EntryId,
}

impl View<'_> {
    /// Whether the reader may see an entry of this id.
    fn has(&self, id: EntryId) -> bool {
        self.windows.iter().any(|(above, upto)| *above < id && id <= *upto)
    }

    /// A row of the log as the reader sees it. `None` for an expired message, and for a mark that does not hold, or whose
    /// message the reader may not see.
    pub(super) fn shown(&self, mut row: LogRow) -> Result<Option<LogRow>, Error> {
        if row.is_expired() {
            return Ok(None);
        }
        if !row.kind.is_mark() {
            self.complete(&mut row)?;
            return Ok(Some(row));
        }
        if row.kind == EntryKind::Flag {
            return Ok((!row.is_changed).then_some(row));
        }
        let message = row.tags.as_ref().and_then(|tags| tags.re).unwrap_or_default();
        if message <= self.floor || !self.has(message) {
            return Ok(None);
        }
        if row.kind != EntryKind::Del && erasing::has(self.read, message)? {
            return Ok(None);
        }
        let holds = match row.kind {
            EntryKind::Edit => self.fate(message)? == Fate { gone: None, edit: Some(row.id) },
            _ => !row.is_changed,
        };
        Ok(holds.then_some(row))
    }

    /// Gives a message the text that holds.
    pub(super) fn complete(&self, row: &mut LogRow) -> Result<(), Error> {
        if !row.is_changed {
            return Ok(());
        }
        match self.fate(row.id)? {
            Fate { gone: Some(mark), .. } => {
                row.body = NO_TEXT.into();
                let device = row.tags.as_ref().and_then(|tags| tags.device);
                let tags = EntryTags { gone: Some(mark), device, ..EntryTags::default() };
                row.tags = Some(Box::new(tags));
            }
            Fate { edit: Some(mark), .. } => {
                row.body = body(self.read, mark)?;
                row.tags.get_or_insert_default().edit = Some(mark);
            }
            Fate { gone: None, edit: None } => {}
        }
        Ok(())
    }

    /// The text of a message that holds, where its row says `body` and that there is more; `None` if
    /// it was deleted.
    pub(super) fn text(&self, id: EntryId, body: Box<str>) -> Result<Option<Box<str>>, Error> {
        Ok(match self.fate(id)? {
            Fate { gone: Some(_), .. } => None,
            Fate { edit: Some(mark), .. } => Some(self::body(self.read, mark)?),
            Fate { gone: None, edit: None } => Some(body),
        })
    }

    /// Adds the reactions to a message, and that of `me` among them, unless the reader was not in
    /// since.
    pub(super) fn add_reactions(&self, me: AccountId, row: &mut LogRow) -> Result<(), Error> {
        let is_gone = row.tags.as_ref().is_some_and(|tags| tags.gone.is_some());
        let is_in = self
            .windows
            .last()
            .is_some_and(|(above, upto)| *above < row.id && *upto == EntryId(i64::MAX));
        if !row.is_changed || is_gone || !is_in {
            return Ok(());
        }
        let tally = tally(&Statements::of(self.read), row.id)?;
        let react: Vec<_> = tally.into_iter().map(|said| (said.by.count, said.word)).collect();
        if !react.is_empty() {
            let tags = row.tags.get_or_insert_default();
            tags.react = react;
            tags.mine = reaction(&Statements::of(self.read), row.id, me)?.map(|(_, _, word)| word);
        }
        Ok(())
    }

    fn fate(&self, message: EntryId) -> Result<Fate, Error> {
        let sql = "SELECT kind, mark FROM about WHERE message = ?1 AND kind <= 3
                   ORDER BY kind DESC, account DESC, mark DESC LIMIT 1";
        let mut query = self.read.prepare_cached(sql)?;
        let last = query.query_row([message.0], |row| Ok((row.get(0)?, EntryId(row.get(1)?))));
        match last.optional()? {
            Some((DELETION, mark)) => Ok(Fate { gone: Some(mark), edit: None }),
            Some((_, mark)) if self.has(mark) => Ok(Fate { gone: None, edit: Some(mark) }),
            // Of those who are out: the last one before they left, however many came since.
            Some(_) => Ok(Fate { gone: None, edit: self.last_edit(message)? }),
            None => Ok(Fate::default()),
        }
    }

    /// The last edit of a message that the reader may see.
    fn last_edit(&self, message: EntryId) -> Result<Option<EntryId>, Error> {
        let sql = "SELECT mark FROM about
                   WHERE message = ?1 AND kind = ?2 AND account = 0 AND mark > ?3 AND mark <= ?4
                   ORDER BY mark DESC LIMIT 1";
        let mut query = self.read.prepare_cached(sql)?;
        for (above, upto) in self.windows.iter().rev() {
            let keys = [message.0, EDIT, above.0, upto.0];
            let mark = query.query_row(keys, |row| Ok(EntryId(row.get(0)?))).optional()?;
            if mark.is_some() {
                return Ok(mark);
            }
        }
        Ok(None)
    }

    /// The edits and reactions of a message above `after` that the reader may see: the first ones
    /// in the order of ids, enough for a page and to tell whether more follow.
    fn marks(&self, message: EntryId, after: EntryId) -> Result<Vec<EntryId>, Error> {
        let mut found: Vec<EntryId> = Vec::new();
        // Of reactions there is one a member at most; of edits there may be any number.
        let sql = "SELECT mark FROM about WHERE message = ?1 AND kind = ?2 AND mark > ?3";
        let mut query = self.read.prepare_cached(sql)?;
        let reactions =
            query.query_map([message.0, REACTION, after.0], |row| Ok(EntryId(row.get(0)?)))?;
        for mark in reactions {
            found.extend(Some(mark?).filter(|mark| self.has(*mark)));
        }
        let sql = "SELECT mark FROM about
                   WHERE message = ?1 AND kind = ?2 AND account = 0 AND mark > ?3 AND mark <= ?4
                   ORDER BY mark LIMIT ?5";
        let mut query = self.read.prepare_cached(sql)?;
        let most = limits::PAGE_ROWS as i64 + 1;
        for (above, upto) in self.windows {
            let keys = [message.0, EDIT, after.max(*above).0, upto.0, most];
            let edits = query.query_map(keys, |row| Ok(EntryId(row.get(0)?)))?;
            for mark in edits {
                found.push(mark?);
            }
        }
        found.sort_unstable();
        found.truncate(limits::PAGE_ROWS + 1);
        Ok(found)
    }
}

/// The text of an entry.
fn body(read: &Connection, id: EntryId) -> Result<Box<str>, Error> {
    let mut query = read.prepare_cached("SELECT body FROM entry WHERE id = ?1")?;
    let body = query.query_row([id.0], |row| row.get(0)).optional()?;
    body.ok_or_else(|| Error::damaged(format!("entry {} is missing", id.0)))
}

/// The words of the reactions that hold, the most frequent first. Of those that are as frequent, the
/// one said first comes first.
fn tally(read: &Statements, message: EntryId) -> Result<Vec<Tallied>, Error> {
    let sql = "SELECT t.word, t.count, e.body FROM tally t CROSS JOIN entry e ON e.id = t.word
               WHERE t.message = ?1 ORDER BY t.word";
    let mut tally = read.rows(sql, [message.0], |row| {
        let count = row.get::<_, i64>(1)?.unsigned_abs();
        let by = WordCount { keeper: EntryId(row.get(0)?), count };
        Ok(Tallied { word: row.get(2)?, by })
    })?;
    tally.sort_by_key(|said| std::cmp::Reverse(said.by.count));
    Ok(tally)
}

/// Adds what holds about a message to what its row says.
fn complete_state(on: &Statements, state: &mut MessageState) -> Result<(), Error> {
    let id = state.pos.id;
    let sql = "SELECT e.kind, e.id, e.time, e.body,
                      EXISTS(SELECT 1 FROM tally WHERE message = ?1)
               FROM (SELECT 1) LEFT JOIN entry e ON e.id =
                   (SELECT mark FROM about WHERE message = ?1 AND kind <= 3
                    ORDER BY kind DESC, account DESC, mark DESC LIMIT 1)";
    let found = on.row(sql, [id.0], |row| {
        let is_tallied = row.get(4)?;
        let Some(kind) = row.get::<_, Option<i64>>(0)? else { return Ok((None, is_tallied)) };
        let mark = (EntryId(row.get(1)?), Millis(row.get(2)?));
        let text = if kind == DELETION { None } else { Some(row.get(3)?) };
        Ok((Some((mark, text)), is_tallied))
    })?;
    let (last, is_tallied) = found.unwrap_or_default();
    match last {
        Some((mark, None)) => {
            (state.gone, state.body, state.tags) = (Some(mark), Box::default(), None);
            return Ok(());
        }
        Some((mark, Some(text))) => (state.edit, state.body) = (Some(mark), text),
        None => {}
    }
    if is_tallied {
        state.tally = tally(on, id)?;
    }
    Ok(())
}

/// The reaction of an account to a message, if one holds.
pub(super) fn reaction(
    read: &Statements,
    message: EntryId,
    account: AccountId,
) -> Result<Option<(EntryId, Millis, Box<str>)>, Error> {
    let sql = "SELECT a.mark, e.time, e.body FROM about a JOIN entry e ON e.id = a.mark
               WHERE a.message = ?1 AND a.kind = ?2 AND a.account = ?3";
    read.row(sql, [message.0, REACTION, account.0], |row| {
        Ok((EntryId(row.get(0)?), Millis(row.get(1)?), row.get(2)?))
    })
}

impl SqliteReader {
    /// The parts of the conversation of `pos` that an account may see; `None` if it may not see the
    /// entry there.
    fn windows_of(&self, me: AccountId, pos: &EntryPos) -> Result<Option<Vec<Window>>, Error> {
        let read = &self.connection;
        let windows = match self.whose(pos.conversation)? {
            ConversationKind::Direct(pair) if pair.low != me && pair.high != me => return Ok(None),
            of => {
                let is_group = matches!(of, ConversationKind::Group(_));
                windows(read, me, pos.conversation, is_group)?
            }
        };
        let floor = EntryId(0);
        let is_seen = View { read, windows: &windows, floor }.has(pos.id);
        Ok(is_seen.then_some(windows))
    }

    /// An entry above `floor` with all that holds about it. Its row says whether there is more to
    /// look up: about most messages there is not.
    pub(super) fn message_state(
        &self,
        on: &Statements,
        floor: EntryId,
        id: EntryId,
    ) -> Result<Option<MessageState>, Error> {
        if id <= floor {
            return Ok(None);
        }
        let sql =
            "SELECT conversation, seq, author, author_seq, time, kind, body, re, tags, changed
                   FROM entry WHERE id = ?1";
        let found = on.row(sql, [id.0], |row| {
            let kind = entry_kind(row.get(5)?)?;
            let tags = entry_tags(row, 7)?;
            let re = tags.as_ref().and_then(|tags| tags.re);
            let pos = EntryPos {
                conversation: ConversationId(row.get(0)?),
                id,
                seq: row.get(1)?,
                author: AccountId(row.get(2)?),
                author_seq: row.get(3)?,
                about: re.filter(|_| kind.is_mark()).unwrap_or_default(),
                expired: false,
            };
            Ok(MessageState {
                pos,
                time: Millis(row.get(4)?),
                kind,
                gone: None,
                edit: None,
                body: row.get(6)?,
                tags,
                file: None,
                tally: Vec::new(),
                changed: row.get::<_, bool>(9)? && !kind.is_mark(),
            })
        })?;
        let Some(mut state) = found else { return Ok(None) };
        if state.changed {
            // It has expired.
            if state.kind == EntryKind::Group {
                return Ok(None);
            }
            complete_state(on, &mut state)?;
        }
        if state.tags.as_ref().is_some_and(|tags| tags.file.is_some()) {
            state.file = self.file_of(id)?;
        }
        Ok(Some(state))
    }

    /// The text of a message that an account may see; `None` if it may not, or if it was deleted.
    pub(super) fn text_for(&self, me: AccountId, id: EntryId) -> Result<Option<Box<str>>, Error> {
        Ok(self.seen_message(me, id)?.map(|(row, _)| row.body))
    }

    /// A message with the text that an account may see, and the parts of its conversation that the
    /// account may see; `None` if it may not see the message, or if it was deleted.
    pub(super) fn seen_message(
        &self,
        me: AccountId,
        id: EntryId,
    ) -> Result<Option<(LogRow, Vec<Window>)>, Error> {
        let Some(pos) = self.pos(id)? else { return Ok(None) };
        let Some(windows) = self.windows_of(me, &pos)? else { return Ok(None) };
        let read = &self.connection;
        let mut row = log_row(&mut log_rows(read)?, id, self.whose(pos.conversation)?)?;
        View { read, windows: &windows, floor: EntryId(0) }.complete(&mut row)?;
        let is_gone = row.tags.as_ref().is_some_and(|tags| tags.gone.is_some());
        Ok((row.kind == EntryKind::Message && !is_gone).then_some((row, windows)))
    }
}

/// Part of what holds about a message: see [`Reader::marks`](crate::store::Reader::marks).
pub(super) fn marks(
    reader: &mut SqliteReader,
    me: AccountId,
    id: EntryId,
    after: EntryId,
) -> Result<Option<ListPage<Entry, EntryId>>, Error> {
    let Some((message, windows)) = reader.seen_message(me, id)? else { return Ok(None) };
    let mut ids;
    let mut rows = Vec::new();
    {
        let read = &reader.connection;
        ids = View { read, windows: &windows, floor: expire::floor(read)? }.marks(id, after)?;
        let is_edited = message.tags.as_ref().is_some_and(|tags| tags.edit.is_some());
        if is_edited && after < id {
            ids.insert(0, id);
        }
        let mut log = log_rows(read)?;
        let mut bytes = 0;
        for mark in &ids {
            let mut row = log_row(&mut log, *mark, message.of.clone())?;
            if *mark == id {
                let tags = EntryTags { re: Some(id), ..EntryTags::default() };
                row.tags = Some(Box::new(tags));
            }
            bytes += row.body.len();
            rows.push(row);
            if rows.len() == limits::PAGE_ROWS || bytes >= limits::PAGE_BYTES {
                break;
            }
        }
    }
    let next = rows.last().map(|row| row.id).filter(|_| rows.len() < ids.len());
    let rows = rows.into_iter().map(|row| reader.named(me, row)).collect::<Result<_, _>>()?;
    Ok(Some(ListPage { rows, next }))
}

/// Whether anybody else has answered a message of `me`: see
/// [`Reader::answered`](crate::store::Reader::answered).
pub(super) fn answered(
    reader: &SqliteReader,
    me: AccountId,
    id: EntryId,
) -> Result<Option<bool>, Error> {
    let read = &reader.connection;
    let Some(pos) = reader.pos(id)?.filter(|pos| pos.author == me) else { return Ok(None) };
    if reader.seen_message(me, id)?.is_none() {
        return Ok(None);
    }
    // In a direct chat the other has said something since if not all entries since are mine.
    if let ConversationKind::Direct(_) = reader.whose(pos.conversation)? {
        let sql = "SELECT c.seq - ?3 > m.exempt - ?4
                   FROM member m JOIN conversation c ON c.id = m.conversation
                   WHERE m.conversation = ?1 AND m.account = ?2 AND c.low < c.high";
        let mut query = read.prepare_cached(sql)?;
        let keys = params![pos.conversation.0, me.0, pos.seq, pos.author_seq];
        if query.query_row(keys, |row| row.get(0)).optional()? == Some(true) {
            return Ok(Some(true));
        }
    }
    let sql = "SELECT EXISTS(SELECT 1 FROM reply WHERE message = ?1 AND author <> ?2)
                   OR EXISTS(SELECT 1 FROM about
                             WHERE message = ?1 AND kind = 4 AND account <> ?2)";
    let mut query = read.prepare_cached(sql)?;
    Ok(Some(query.query_row([id.0, me.0], |row| row.get(0))?))
}
