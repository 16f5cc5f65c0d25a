//! Reading from SQLite: each read covers at most a page, and each question is one transaction.

use std::sync::atomic::Ordering;

use rusqlite::{OptionalExtension, params};

use super::about::View;
use super::decode::{BY_HANDLE, BY_ID, log_row, log_rows, token};
use super::span::span;
use super::visible::windows;
use super::{
    about, chats, count, devices, erasing, expire, expired, gather, groups, invitations, later,
    lists, merge, receipts,
};
use crate::entry::{
    AccountId, ContentHash, ConversationId, Entry, EntryId, FileState, Millis, MoveNumber,
};
use crate::group_rules::GroupRules;
use crate::limits;
use crate::name::Handle;
use crate::store::find;
use crate::store::{
    Account, AccountInvitation, AccountRow, ChatRow, Conversation, ConversationKind, Device,
    Effort, Error, Expire, Fact, FileRow, Found, GroupRow, InfoRow, Later, ListPage, Listing, Need,
    Newest, Pair, Reader, Receipts, SearchPage, SearchQuery, Span, SpanQuery, Token, WaitingCount,
    Walk,
};

pub use super::decode::SqliteReader;

impl Reader for SqliteReader {
    fn begin(&mut self, effort: Effort) -> Result<(), Error> {
        self.steps.store(i64::MAX, Ordering::Relaxed);
        // The transaction of the last question could not be ended.
        if !self.connection.is_autocommit() {
            self.connection.execute_batch("ROLLBACK")?;
        }
        self.connection.prepare_cached("BEGIN")?.execute([])?;
        let steps = match effort {
            Effort::Small => limits::SMALL_STEPS,
            Effort::Full => limits::READ_STEPS,
        };
        self.steps.store(steps, Ordering::Relaxed);
        Ok(())
    }

    fn end(&mut self) {
        self.steps.store(i64::MAX, Ordering::Relaxed);
        let ended = self.connection.prepare_cached("COMMIT").and_then(|mut end| end.execute([]));
        if let Err(e) = ended.and(Ok(())) {
            log::warn!("could not end a read transaction: {e}");
        }
    }

    fn newest(&mut self) -> Result<Newest, Error> {
        let sql = "SELECT entry, moved, account, conversation, token, floor FROM newest";
        Ok(self.connection.prepare_cached(sql)?.query_row([], |row| {
            Ok(Newest {
                entry: EntryId(row.get(0)?),
                moved: MoveNumber(row.get(1)?),
                account: row.get(2)?,
                conversation: row.get(3)?,
                token: row.get(4)?,
                floor: EntryId(row.get(5)?),
            })
        })?)
    }

    fn gather(&mut self, needs: &[Need], must: usize) -> Result<Vec<Fact>, Error> {
        gather::gather(self, needs, must)
    }

    fn account(&mut self, handle: &Handle) -> Result<Option<Account>, Error> {
        self.find_account(BY_HANDLE, handle.as_str())
    }

    fn account_by_id(&mut self, id: AccountId) -> Result<Option<Account>, Error> {
        self.find_account(BY_ID, id.0)
    }

    fn secret(&mut self, id: AccountId) -> Result<Option<String>, Error> {
        self.secret_of(id)
    }

    fn direct(&mut self, pair: Pair) -> Result<Option<Conversation>, Error> {
        self.direct_of(pair)
    }

    fn memberships(
        &mut self,
        me: AccountId,
        after: ConversationId,
        count: usize,
    ) -> Result<Vec<(ConversationId, bool)>, Error> {
        let sql = "SELECT m.conversation, c.low IS NULL AND m.until_seq IS NULL
                   FROM member m JOIN conversation c ON c.id = m.conversation
                   WHERE m.account = ?1 AND m.recent = 0 AND m.conversation > ?2
                   ORDER BY m.conversation LIMIT ?3";
        let mut query = self.connection.prepare_cached(sql)?;
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let rows = query.query_map(params![me.0, after.0, count], |row| {
            Ok((ConversationId(row.get(0)?), row.get(1)?))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn blocked(&mut self, by: AccountId, whom: AccountId) -> Result<bool, Error> {
        self.has_blocked(by, whom)
    }

    fn blocks(
        &mut self,
        by: AccountId,
        after: AccountId,
    ) -> Result<ListPage<Handle, AccountId>, Error> {
        lists::blocks(self, by, after)
    }

    fn token(&mut self, hash: &[u8; 32]) -> Result<Option<Token>, Error> {
        let mut query = self.connection.prepare_cached("SELECT * FROM token WHERE hash = ?1")?;
        Ok(query.query_row([hash], token).optional()?)
    }

    fn tokens(&mut self, account: AccountId) -> Result<Vec<Token>, Error> {
        self.tokens_of(account)
    }

    fn links(&mut self, account: AccountId) -> Result<Vec<u32>, Error> {
        self.links_of(account)
    }

    fn devices(&mut self, account: AccountId) -> Result<Vec<Device>, Error> {
        devices::of(&self.connection, account)
    }

    fn waiting(&mut self, me: AccountId, upto: EntryId) -> Result<WaitingCount, Error> {
        count::all_waiting(&self.connection, me, upto)
    }

    fn page(
        &mut self,
        me: AccountId,
        mut walk: Walk,
        rows: usize,
    ) -> Result<(Vec<Entry>, Walk), Error> {
        let found = merge::page(&self.connection, me, &mut walk, rows)?;
        let entries = found.into_iter().map(|row| self.named(me, row)).collect::<Result<_, _>>()?;
        Ok((entries, walk))
    }

    fn receipts(
        &mut self,
        me: AccountId,
        after: MoveNumber,
        own: MoveNumber,
    ) -> Result<Receipts, Error> {
        receipts::receipts(self, me, after, own)
    }

    fn span(
        &mut self,
        me: AccountId,
        id: ConversationId,
        query: &SpanQuery,
    ) -> Result<Span, Error> {
        let read = &self.connection;
        let is_group = read
            .prepare_cached("SELECT low IS NULL FROM conversation WHERE id = ?1")?
            .query_row([id.0], |row| row.get(0))?;
        let windows = windows(read, me, id, is_group)?;
        span(read, id, &windows, query)
    }

    fn search(&mut self, me: AccountId, query: &SearchQuery) -> Result<SearchPage, Error> {
        self.look(me, query)
    }

    fn chats(&mut self, me: AccountId, list: Listing) -> Result<(Vec<ChatRow>, Listing), Error> {
        chats::page(self, me, list)
    }

    fn group_names(
        &mut self,
        me: AccountId,
        after: ConversationId,
    ) -> Result<ListPage<(Handle, ConversationId), ConversationId>, Error> {
        lists::group_names(self, me, after)
    }

    fn group_rows(
        &mut self,
        me: AccountId,
        which: &[ConversationId],
    ) -> Result<ListPage<GroupRow, usize>, Error> {
        groups::group_rows(self, me, which)
    }

    fn open_groups(&mut self) -> Result<Vec<ConversationId>, Error> {
        groups::open_groups(self)
    }

    fn group_rules(&mut self, id: ConversationId) -> Result<GroupRules, Error> {
        groups::rules(self, id)
    }

    fn membership(
        &mut self,
        me: AccountId,
        name: &Handle,
    ) -> Result<Option<(ConversationId, bool)>, Error> {
        lists::membership(self, me, name)
    }

    fn who(
        &mut self,
        id: ConversationId,
        after: AccountId,
    ) -> Result<ListPage<(Handle, bool), AccountId>, Error> {
        lists::who(self, id, after)
    }

    fn info(
        &mut self,
        me: AccountId,
        id: EntryId,
        after: AccountId,
    ) -> Result<Option<ListPage<InfoRow, AccountId>>, Error> {
        lists::info(self, me, id, after)
    }

    fn find(&mut self, words: &[String], count: usize) -> Result<Vec<Found>, Error> {
        find::find(self, words, count)
    }

    fn entries(
        &mut self,
        me: AccountId,
        conversation: ConversationId,
        ids: &[EntryId],
    ) -> Result<Vec<Entry>, Error> {
        let read = &self.connection;
        let of = self.whose(conversation)?;
        let floor = expire::floor(read)?;
        let mut log = log_rows(read)?;
        let mut rows = Vec::new();
        let mut bytes = 0;
        let mut seen = None;
        for id in ids.iter().filter(|id| **id > floor) {
            let mut row = log_row(&mut log, *id, of.clone())?;
            if row.is_expired() {
                continue;
            }
            if row.is_changed {
                let windows = match seen.take() {
                    Some(windows) => windows,
                    None => {
                        let is_group = matches!(of, ConversationKind::Group(_));
                        windows(read, me, conversation, is_group)?
                    }
                };
                let view = View { read, windows: &windows, floor };
                view.complete(&mut row)?;
                view.add_reactions(me, &mut row)?;
                seen = Some(windows);
            }
            bytes += row.body.len();
            rows.push(row);
            if rows.len() == limits::PAGE_ROWS || bytes >= limits::PAGE_BYTES {
                break;
            }
        }
        drop(log);
        rows.into_iter().map(|row| self.named(me, row)).collect()
    }

    fn entries_of(
        &mut self,
        me: AccountId,
        of: &[(ConversationId, EntryId)],
    ) -> Result<Vec<Entry>, Error> {
        let (mut rows, mut bytes) = (Vec::<Entry>::new(), 0);
        for some in of.chunk_by(|one, next| one.0 == next.0) {
            let ids: Vec<EntryId> = some.iter().map(|(_, id)| *id).collect();
            let next = self.entries(me, some[0].0, &ids)?;
            // All of them may have expired meanwhile.
            let is_whole = next.is_empty() || next.last().map(|row| row.id) == ids.last().copied();
            bytes += next.iter().map(|row| row.body.len()).sum::<usize>();
            rows.extend(next);
            if !is_whole || rows.len() >= limits::PAGE_ROWS || bytes >= limits::PAGE_BYTES {
                break;
            }
        }
        Ok(rows)
    }

    fn account_row(&mut self, handle: &Handle) -> Result<Option<AccountRow>, Error> {
        SqliteReader::account_row(self, handle)
    }

    fn account_rows(
        &mut self,
        after: Option<&Handle>,
        count: usize,
    ) -> Result<Vec<AccountRow>, Error> {
        SqliteReader::account_rows(self, after, count)
    }

    fn group_named(&mut self, name: &Handle) -> Result<Option<ConversationId>, Error> {
        SqliteReader::group_named(self, name)
    }

    fn all_groups(
        &mut self,
        after: Option<&Handle>,
        count: usize,
    ) -> Result<ListPage<GroupRow, Handle>, Error> {
        SqliteReader::all_groups(self, after, count)
    }

    fn invitations(&mut self, count: usize) -> Result<Vec<AccountInvitation>, Error> {
        invitations::list(&self.connection, count)
    }

    fn file_rows(&mut self, after: EntryId, count: usize) -> Result<Vec<FileRow>, Error> {
        SqliteReader::file_rows(self, after, count)
    }

    fn marks(
        &mut self,
        me: AccountId,
        id: EntryId,
        after: EntryId,
    ) -> Result<Option<ListPage<Entry, EntryId>>, Error> {
        about::marks(self, me, id, after)
    }

    fn answered(&mut self, me: AccountId, id: EntryId) -> Result<Option<bool>, Error> {
        about::answered(self, me, id)
    }

    fn file(&mut self, me: AccountId, id: EntryId) -> Result<Option<FileState>, Error> {
        self.file_state(me, id)
    }

    fn is_used(&mut self, content: ContentHash) -> Result<bool, Error> {
        self.is_content_used(content)
    }

    fn dropped(&mut self) -> Result<Vec<(i64, ContentHash)>, Error> {
        self.dropped_contents()
    }

    fn next_old_file(&mut self, before: Millis, now: Millis) -> Result<Option<EntryId>, Error> {
        self.old_file(before, now)
    }

    fn later(&mut self, account: AccountId) -> Result<Vec<Later>, Error> {
        later::of(&self.connection, account)
    }

    fn next_due(&mut self, count: usize) -> Result<Vec<(AccountId, Later)>, Error> {
        later::next_due(&self.connection, count)
    }

    fn next_expired(&mut self, now: Millis) -> Result<Option<Expire>, Error> {
        match erasing::next(&self.connection)? {
            None => expired::next(&self.connection, now),
            erase => Ok(erase),
        }
    }

    fn next_expiry(&mut self, before: Millis, now: Millis) -> Result<Option<Expire>, Error> {
        expire::next(&self.connection, before, now)
    }
}
