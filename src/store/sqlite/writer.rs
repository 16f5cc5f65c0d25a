//! Writing to SQLite: a batch is one transaction, synced before it is answered.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, ToSql, params};

use super::decode::{SqliteReader, kind_number};
use super::generation::{self, Sidecar};
use super::id_block::ListKind;
use super::lock::Lock;
use super::log_file::{LogFile, Salt};
use super::main_file::Generation;
use super::statements::Statements;
use super::write_back::{Backlog, WriteBack, keep_log};
use super::{
    PATIENCE, accounts, devices, expire, expired, files, groups, id_block, invitations, later,
    marking, run, tags,
};
use crate::entry::Cursor;
use crate::store::{Change, Error, NewEntry, Rank, Reader, Writer};

const RANK_WAITS: &str = "UPDATE member SET waits = nullif(?3, 0)
                           WHERE conversation = ?1 AND account = ?2";
const RANK_RECENT: &str = "UPDATE member SET recent = ?3 WHERE conversation = ?1 AND account = ?2";
const RANK_MOVED: &str = "UPDATE member SET moved = ?3 WHERE conversation = ?1 AND account = ?2";
const RANK_MARKED: &str = "UPDATE member SET marked = ?3 WHERE conversation = ?1 AND account = ?2";

/// The only connection that writes. The rules' lookups go through it as well, so the pages they
/// read are in its cache for the writing; another connection would lose its cache with each commit.
pub struct SqliteWriter {
    reader: SqliteReader,
    /// Why the transaction of this batch could not be begun. It is not tried again for each lookup:
    /// another process may hold the database, and each try waits for it.
    unable: Option<Error>,
    lock: Arc<Lock>,
    sidecar: Arc<Sidecar>,
    /// The write-ahead log that it writes into.
    log: Option<LogFile>,
    /// The salt of the write-ahead log in which the generation was last renewed.
    renewed: Option<Salt>,
    /// This batch may be our first transaction in a write-ahead log, so it renews the generation.
    is_first: bool,
    write_back: WriteBack,
    /// How much was in the log before this batch.
    backlog: Backlog,
}

impl SqliteWriter {
    pub(super) fn new(
        connection: Connection,
        lock: Arc<Lock>,
        sidecar: Arc<Sidecar>,
    ) -> SqliteWriter {
        let log = LogFile::open(&lock).ok();
        let reader = SqliteReader::new(connection);
        let write_back = WriteBack::start(lock.clone());
        let backlog = Backlog::default();
        SqliteWriter {
            reader,
            unable: None,
            lock,
            sidecar,
            log,
            renewed: None,
            is_first: false,
            write_back,
            backlog,
        }
    }

    /// Begins a transaction, unless there is one.
    fn begin(&mut self) -> Result<(), Error> {
        let on = &self.reader.connection;
        if !on.is_autocommit() {
            return Ok(());
        }
        self.lock.verify(self.log.as_ref().map(|log| log.id()))?;
        // Another program may have begun a new log as well, which shows in its salt.
        let salt = self.log.as_ref().and_then(LogFile::salt);
        let _gate = self.write_back.gate();
        self.backlog = Backlog::of(on)?;
        let is_written_back = self.backlog.log == self.backlog.written;
        if is_written_back {
            // While the log is there that the main file is compared with if its schema is new.
            self.lock.verify_main()?;
        }
        self.is_first = salt.is_none() || salt != self.renewed || is_written_back;
        run(on, "BEGIN IMMEDIATE")
    }

    /// Writes a batch and commits it. Returns the new generation, if it was renewed.
    fn write(&self, changes: &[Change]) -> Result<Option<Generation>, Error> {
        let on = &self.reader.connection;
        let renews = self.is_first && !changes.is_empty();
        let next = renews.then(|| generation::renew(on, &self.sidecar)).transpose()?;
        if let Some(log) = &self.log
            && !changes.is_empty()
        {
            log.make_room(self.backlog.log);
        }
        write_all(on, changes)?;
        run(on, "COMMIT")?;
        Ok(next)
    }
}

impl Writer for SqliteWriter {
    fn record(&mut self, changes: &[Change]) -> Result<(), Error> {
        if let Some(e) = self.unable.take() {
            return Err(e);
        }
        if changes.is_empty() && self.reader.connection.is_autocommit() {
            return Ok(());
        }
        let done = self.begin().and_then(|()| self.write(changes));
        let done = done.map_err(|e| self.lock.explained(e));
        // Some failures end the transaction themselves.
        if done.is_err() && !self.reader.connection.is_autocommit() {
            run(&self.reader.connection, "ROLLBACK")?;
        }
        if let Some(next) = done? {
            // The batch is committed all the same. The sidecar still names both generations, which
            // is less exact but correct.
            if let Err(e) = self.sidecar.is_now(next) {
                log::warn!("cannot write the database's .generation file: {e}");
            }
            self.lock.renewed(next);
            self.renewed = self.log.as_ref().and_then(LogFile::salt);
        }
        if let Err(e) = self.write_back.go_on(&self.reader.connection, self.backlog) {
            log::warn!("the write-ahead log cannot be written back: {e}");
        }
        Ok(())
    }

    /// Writes the write-ahead log back, truncates it, and begins a new one.
    fn wipe(&mut self) -> Result<bool, Error> {
        let on = &self.reader.connection;
        let Some(_pause) = self.write_back.pause() else { return Ok(false) };
        self.lock.verify_main()?;
        on.busy_timeout(Duration::ZERO)?;
        let busy = on.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0));
        on.busy_timeout(PATIENCE)?;
        let is_done = !busy?;
        if is_done {
            self.lock.renewed(generation::renew_alone(on, &self.sidecar)?);
        }
        Ok(is_done)
    }

    fn reader(&mut self) -> Result<&mut dyn Reader, Error> {
        if let Some(e) = &self.unable {
            return Err(e.clone());
        }
        if let Err(e) = self.begin() {
            self.unable = Some(e.clone());
            return Err(e);
        }
        Ok(&mut self.reader)
    }
}

/// A write-ahead log that was removed can only be read through this connection, so this one writes
/// it back.
impl Drop for SqliteWriter {
    fn drop(&mut self) {
        self.write_back.stop();
        let on = &self.reader.connection;
        keep_log(&self.lock, on);
        let log = self.log.as_ref().map(|log| log.id());
        if self.lock.verify(None).is_ok() && self.lock.verify(log).is_err() {
            match on.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)) {
                Ok(false) => log::info!("the removed write-ahead log was written back"),
                Ok(true) => log::error!("the removed write-ahead log was not written back: in use"),
                Err(e) => log::error!("the removed write-ahead log was not written back: {e}"),
            }
        }
    }
}

fn write_all(on: &Connection, changes: &[Change]) -> Result<(), Error> {
    let on = Statements::of(on);
    changes.iter().try_for_each(|change| write(&on, change))
}

fn add_entry(on: &Statements, new: &NewEntry) -> Result<(), Error> {
    let NewEntry { pos, time, kind, body, tags } = new;
    let (id, conversation, seq) = (pos.id.0, pos.conversation.0, pos.seq);
    let (author, author_seq, kind) = (pos.author.0, pos.author_seq, kind_number(*kind));
    // Most entries have no tags, and what is not bound costs less.
    let Some(tags) = tags else {
        on.run(
            "INSERT INTO entry(id, conversation, seq, author, author_seq, time, kind, body)
             VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![id, conversation, seq, author, author_seq, time.0, kind, body],
        )?;
        return Ok(());
    };
    let (re, stored) = (tags.re.map(|re| re.0), tags::encode(tags));
    on.run(
        "INSERT INTO entry(id, conversation, seq, author, author_seq, time, kind, body, re, tags)
         VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![id, conversation, seq, author, author_seq, time.0, kind, body, re, stored],
    )?;
    tags.exp.map_or(Ok(()), |seconds| expired::add(on, pos.id, *time, seconds))
}

fn write(on: &Statements, change: &Change) -> Result<(), Error> {
    match change {
        Change::Entry(new) => return add_entry(on, new),
        Change::Edited { message, mark, first } => {
            return marking::edited(on, *message, *mark, *first);
        }
        Change::Deleted { message, mark, first, file } => {
            return marking::deleted(on, *message, *mark, *first, *file);
        }
        Change::Reacted(new) => return marking::reacted(on, new),
        Change::AccountInvitation(new) => return invitations::add(on, new),
        Change::AccountInvitationUsed { hash } => return invitations::used(on, hash),
        Change::NoAccountInvitations => return invitations::void(on),
        Change::Later { account, later } => return later::add(on, *account, later),
        Change::LaterDone { account, number } => return later::done(on, *account, Some(*number)),
        Change::File { entry, file } => return files::add(on, *entry, *file),
        Change::Voided { mark } => return marking::set_changed(on, *mark),
        Change::Replied { message, reply, author } => {
            on.run("INSERT INTO reply VALUES(?1, ?2, ?3)", [message.0, reply.0, author.0])?
        }
        Change::Marked { conversation, marks, added } => {
            return marking::marked(on, *conversation, marks, added);
        }
        Change::Account { id, handle, name, secret, time } => {
            return accounts::add(on, *id, handle, name, secret, *time);
        }
        Change::Name { account, handle, name } => {
            return accounts::rename(on, *account, handle, name);
        }
        Change::Disabled { account, on: disabled } => {
            return accounts::disable(on, *account, *disabled);
        }
        Change::Preferences { account, preferences } => {
            return accounts::prefer(on, *account, *preferences);
        }
        Change::Secret { account, secret } => on
            .prepare_cached("UPDATE account SET secret = ?2 WHERE id = ?1")?
            .execute(params![account.0, secret])?,
        Change::Shown { account, upto, seen } => on
            .prepare_cached(
                "UPDATE account SET shown = max(shown, ?2), seen = coalesce(?3, seen)
                 WHERE id = ?1",
            )?
            .execute(params![account.0, upto.0, seen.map(|at| at.0)])?,
        Change::Group { id, name } => return groups::add(on, *id, name),
        Change::Topic { id, topic } => return groups::set_topic(on, *id, topic),
        Change::Rules { id, rules } => return groups::set_rules(on, *id, *rules),
        Change::Invitation { id, invitation } => return groups::invitation(on, *id, invitation),
        Change::Joined { conversation, accounts, since } => {
            return groups::joined(on, *conversation, accounts, *since);
        }
        Change::Stay { conversation, account, stay } => {
            return groups::stay(on, *conversation, *account, stay);
        }
        Change::ExemptMark { conversation, account, seq, count } => on
            .prepare_cached("INSERT OR REPLACE INTO exempt_mark VALUES(?1, ?2, ?3, ?4)")?
            .execute(params![conversation.0, account.0, seq, count])?,
        Change::Once { account, key, once } => on
            .prepare_cached("INSERT INTO once VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
            .execute(params![
                account.0,
                key,
                once.digest,
                once.id.0,
                once.time.0,
                once.file.map(|file| file.hash.0),
                once.file.map(|file| file.bytes.cast_signed()),
            ])?,
        Change::Block { by, whom, on: true } => on
            .prepare_cached("INSERT OR IGNORE INTO block VALUES(?1, ?2)")?
            .execute([by.0, whom.0])?,
        Change::Block { by, whom, on: false } => on
            .prepare_cached("DELETE FROM block WHERE account = ?1 AND blocked = ?2")?
            .execute([by.0, whom.0])?,
        Change::Token { account, token } => on
            .prepare_cached("INSERT INTO token VALUES(?1, ?2, ?3, ?4, ?5, NULL, ?6)")?
            .execute(params![
                token.id.0,
                account.0,
                token.label,
                token.hash,
                token.created.0,
                token.to.as_ref().map(ToString::to_string),
            ])?,
        Change::NoToken { id } => {
            on.prepare_cached("DELETE FROM token WHERE id = ?1")?.execute([id.0])?
        }
        Change::Link { account, user, on: true } => on
            .prepare_cached("INSERT OR IGNORE INTO link VALUES(?1, ?2)")?
            .execute(params![account.0, user])?,
        Change::Link { account, user, on: false } => on
            .prepare_cached("DELETE FROM link WHERE account = ?1 AND user = ?2")?
            .execute(params![account.0, user])?,
        Change::Gone { account, leaving } => return accounts::gone(on, *account, *leaving),
        Change::Device { account, change } => return devices::write(on, *account, change),
        Change::TokenUsed { id, time } => on
            .prepare_cached("UPDATE token SET used = ?2 WHERE id = ?1")?
            .execute([id.0, time.0])?,
        Change::Direct { id, pair, begun } => on
            .prepare_cached(
                "INSERT INTO conversation(id, low, high, head, seq, moved, begun)
                 VALUES(?1, ?2, ?3, 0, 0, 0, ?4)",
            )?
            .execute(params![id.0, pair.low.0, pair.high.0, begun.0])?,
        Change::CursorHistory { conversation, account, cursor, upto, moves } => {
            on.prepare_cached("INSERT INTO cursor_history VALUES(?1, ?2, ?3, ?4, ?5)")?.execute(
                params![conversation.0, account.0, cursor_number(*cursor), upto.0, moves.bytes(),],
            )?
        }
        Change::Rank { conversation, account, rank } => {
            // One statement for each rank: one that names a column also writes its index.
            let (sql, to) = match rank {
                Rank::Waits(first) => (RANK_WAITS, first.0),
                Rank::Recent(entry) => (RANK_RECENT, entry.0),
                Rank::Moved(number) => (RANK_MOVED, number.0),
                Rank::Marked(mark) => (RANK_MARKED, mark.0),
            };
            on.run(sql, [conversation.0, account.0, to])?
        }
        Change::Member { conversation, member } => {
            let (d, r, shown) = (&member.delivered, &member.read, member.shown_read);
            let until = member.stays.last().and_then(|stay| stay.until).map(|(_, seq)| seq);
            let now = params![
                conversation.0,
                member.account.0,
                member.exempt,
                member.last_own.0,
                d.id.0,
                d.seq,
                d.exempt,
                d.told.0,
                d.time.0,
                d.number.0,
                r.id.0,
                r.seq,
                r.exempt,
                r.told.0,
                r.time.0,
                r.number.0,
                member.admin,
                until,
                member.history(Cursor::Delivered).bytes(),
                member.history(Cursor::Read).bytes(),
                shown.map(|shown| shown.id.0),
                shown.map(|shown| shown.time.0),
                shown.map(|shown| shown.number.0),
                member.flags.encode(),
            ];
            // The row nearly always exists. The update names no indexed column, so it leaves the
            // indexes alone.
            let changed = on.run(
                "UPDATE member SET exempt = ?3, last_own = ?4,
                         delivered = ?5, delivered_seq = ?6, delivered_exempt = ?7,
                         delivered_told = ?8, delivered_time = ?9, delivered_number = ?10,
                         read = ?11, read_seq = ?12, read_exempt = ?13,
                         read_told = ?14, read_time = ?15, read_number = ?16,
                         admin = ?17, until_seq = ?18,
                         delivered_history = ?19, read_history = ?20, shown_read = ?21,
                         shown_read_time = ?22, shown_read_number = ?23, flags = ?24
                     WHERE conversation = ?1 AND account = ?2",
                now,
            )?;
            if changed > 0 {
                return Ok(());
            }
            let ranks = [member.waits.0, member.recent.0, member.moved.0, member.marked.0];
            let ranks = ranks.iter().map(|rank| rank as &dyn ToSql);
            let now: Vec<&dyn ToSql> = now.iter().copied().chain(ranks).collect();
            on.prepare_cached(
                "INSERT INTO member VALUES
                 (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16,
                  ?17, ?18, nullif(?25, 0), ?26, nullif(?27, 0), nullif(?28, 0), ?19, ?20,
                  (SELECT low IS NOT NULL FROM conversation WHERE id = ?1), ?21, ?22, ?23, ?24)",
            )?
            .execute(&*now)?
        }
        Change::Head { conversation, head, seq, moved, added } => {
            let (tail, instead) =
                id_block::append(on, ListKind::Entries, *conversation, *seq, added)?;
            let sql = if instead {
                "UPDATE conversation SET head = ?2, seq = ?3, moved = ?4, tail = ?5 WHERE id = ?1"
            } else {
                // SQLite makes two joined blobs a text of the same bytes, hence the CAST.
                "UPDATE conversation SET head = ?2, seq = ?3, moved = ?4,
                     tail = CAST(tail || ?5 AS BLOB) WHERE id = ?1"
            };
            on.run(sql, params![conversation.0, head.0, seq, moved.0, tail])?
        }
        Change::Newest(newest) => on
            .prepare_cached(
                "UPDATE newest SET entry = ?1, moved = ?2, account = ?3, conversation = ?4,
                     token = ?5, floor = ?6",
            )?
            .execute(params![
                newest.entry.0,
                newest.moved.0,
                newest.account,
                newest.conversation,
                newest.token,
                newest.floor.0,
            ])?,
        Change::Ttl { conversation, seconds } => {
            return expired::set_ttl(on, *conversation, *seconds);
        }
        Change::Expire(step) => return expire::step(on, step),
    };
    Ok(())
}

/// The number of a cursor in `cursor_history`.
pub(super) fn cursor_number(cursor: Cursor) -> i64 {
    match cursor {
        Cursor::Delivered => 0,
        Cursor::Read => 1,
    }
}
