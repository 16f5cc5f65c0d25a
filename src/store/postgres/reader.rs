//! Reading from PostgreSQL: each read covers at most a page, and each question is one transaction.
//!
//! A question believes only what can not be lost any more: it reads in its own snapshot which batch
//! is the last, and waits until that is known to be confirmed. And it asks no server that lags
//! behind what was confirmed before it began.

use std::sync::Arc;
use std::thread;
use std::time::Instant;

use rustc_hash::FxHashMap;

use super::decode::{BY_HANDLE, BY_ID, token};
use super::leader::Leadership;
use super::merge::windows;
use super::protocol::{PgConnection, Statement};
use super::source::{PgPurpose, Source};
use super::span::span;
use super::value::{Param, PgRow};
use super::{
    PgError, about, chats, count, devices, entries, expire, expired, files, gather, groups, later,
    lists, merge, receipts, rehearsal, search,
};
use crate::entry::{
    AccountId, ContentHash, ConversationId, Entry, EntryId, FileState, Millis, MoveNumber,
};
use crate::group_rules::GroupRules;
use crate::limits;
use crate::name::Handle;
use crate::store::find;
use crate::store::{
    Account, AccountInvitation, AccountRow, BatchId, Cause, ChatRow, Conversation, Device, Effort,
    Error, Expire, Fact, FileRow, Found, GroupRow, InfoRow, Later, ListPage, Listing, Need, Newest,
    Pair, Reader, Receipts, SearchPage, SearchQuery, Span, SpanQuery, Token, WaitingCount, Walk,
};

/// A connection to read from, and a cache of handles, which never change.
pub struct PgReader {
    pub(super) source: Arc<Source>,
    connection: Option<PgConnection>,
    /// It is the writer's.
    leadership: Option<Leadership>,
    /// A question has begun: if the connection is lost, it has failed.
    in_question: bool,
    /// And nothing was read in it yet: then it can be begun anew.
    is_unread: bool,
    pub(super) handles: FxHashMap<AccountId, Handle>,
}

impl PgReader {
    /// A reader that connects when it is first asked.
    pub(super) fn new(source: Arc<Source>) -> PgReader {
        let handles = FxHashMap::default();
        PgReader {
            source,
            connection: None,
            leadership: None,
            in_question: false,
            is_unread: false,
            handles,
        }
    }

    /// The reader of the leader.
    pub(super) fn leading(
        source: Arc<Source>,
        connection: PgConnection,
        leadership: Leadership,
    ) -> PgReader {
        let (connection, leadership) = (Some(connection), Some(leadership));
        PgReader { connection, leadership, ..PgReader::new(source) }
    }

    /// Its connection, if there is one, and its leadership, if it is the leader's.
    pub(super) fn as_leader(&mut self) -> Option<(Option<&mut PgConnection>, &mut Leadership)> {
        Some((self.connection.as_mut(), self.leadership.as_mut()?))
    }

    pub(super) fn disconnect(&mut self) {
        self.connection = None;
    }

    /// Connects if it is not connected, however long that takes.
    ///
    /// # Errors
    /// A question was cut off, papod ends, or another papod leads.
    pub(super) fn connect(&mut self) -> Result<(), Error> {
        if self.connection.is_none() {
            if self.in_question {
                // It has failed, and is not asked again.
                self.source.note_answered();
                return Err(PgError::Lost("the connection was lost".into()).into());
            }
            self.connection = Some(match &mut self.leadership {
                Some(leadership) => leadership.resume(&self.source)?,
                None => self.source.connect_patiently(PgPurpose::Read)?,
            });
        }
        Ok(())
    }

    /// Asks, and asks again on another connection if that is lost.
    fn ask<T>(
        &mut self,
        mut ask: impl FnMut(&mut PgConnection) -> Result<T, PgError>,
    ) -> Result<T, Error> {
        let asked = Instant::now();
        loop {
            self.connect()?;
            let Some(connection) = &mut self.connection else { continue };
            match ask(connection) {
                Err(e) if e.is_lost() => {
                    log::debug!("lost a connection to the database: {e}");
                    self.disconnect();
                    self.source.still_wanted(&e)?;
                    if self.leadership.is_none() {
                        self.source.note_unanswered(asked);
                    }
                    if std::mem::take(&mut self.is_unread) {
                        self.in_question = false;
                        self.begin(Effort::Full)?;
                    }
                }
                done => {
                    self.is_unread = false;
                    self.source.note_answered();
                    return Ok(done?);
                }
            }
        }
    }

    pub(super) fn rows(
        &mut self,
        sql: &'static str,
        params: &[Param],
    ) -> Result<Vec<PgRow>, Error> {
        self.ask(|connection| connection.query(sql, params))
    }

    /// The first row.
    pub(super) fn row(
        &mut self,
        sql: &'static str,
        params: &[Param],
    ) -> Result<Option<PgRow>, Error> {
        Ok(self.rows(sql, params)?.into_iter().next())
    }

    /// The rows of several questions, asked at once.
    pub(super) fn many(&mut self, all: &[Statement]) -> Result<Vec<Vec<PgRow>>, Error> {
        self.ask(|connection| connection.queries(all))
    }

    /// Whether there is a row.
    pub(super) fn exists(&mut self, sql: &'static str, params: &[Param]) -> Result<bool, Error> {
        Ok(!self.rows(sql, params)?.is_empty())
    }
}

impl Reader for PgReader {
    fn prepare(&mut self) {
        if let Err(e) = rehearsal::rehearse(self) {
            log::debug!("a connection was not made ready for questions: {e}");
        }
    }

    /// Refuses [`Effort::Small`]: even the smallest question waits for the network, so it is asked
    /// on a thread of its own.
    fn begin(&mut self, effort: Effort) -> Result<(), Error> {
        if effort == Effort::Small {
            return Err(Error::of(Cause::Busy, "every question takes a round trip"));
        }
        if std::mem::take(&mut self.in_question) {
            // The last question was not ended.
            self.disconnect();
        }
        loop {
            let before = self.source.confirmed();
            let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
            let last = "SELECT term, batch FROM leader";
            let rows = self.many(&[(begin, Vec::new()), (last, Vec::new())])?;
            let row = rows.last().and_then(|rows| rows.first());
            let row = row.ok_or_else(|| Error::damaged("there is no row of leader"))?;
            let last = BatchId { term: row.get(0)?, number: row.get(1)? };
            if last >= before && self.source.is_confirmed(last) {
                (self.in_question, self.is_unread) = (true, true);
                return Ok(());
            }
            // It is not the primary any more, or its standby does not answer.
            self.connection.take().inspect(|connection| self.source.leave(connection.server));
            self.source.still_wanted(&PgError::Lost("nothing is confirmed".into()))?;
            thread::sleep(limits::PG_LOOK);
        }
    }

    fn end(&mut self) {
        self.in_question = false;
        // The next question does not have to wait for this, and will find out if it fails.
        if let Some(Err(e)) = self.connection.as_mut().map(|on| on.send("COMMIT")) {
            log::debug!("could not end a question: {e}");
            self.disconnect();
        }
    }

    fn newest(&mut self) -> Result<Newest, Error> {
        let sql = "SELECT entry, moved, account, conversation, token, floor FROM leader";
        let row = self.row(sql, &[])?.ok_or_else(|| Error::damaged("there is no row of leader"))?;
        Ok(Newest {
            entry: EntryId(row.get(0)?),
            moved: MoveNumber(row.get(1)?),
            account: row.get(2)?,
            conversation: row.get(3)?,
            token: row.get(4)?,
            floor: EntryId(row.get(5)?),
        })
    }

    fn gather(&mut self, needs: &[Need], must: usize) -> Result<Vec<Fact>, Error> {
        gather::gather(self, needs, must)
    }

    fn account(&mut self, handle: &Handle) -> Result<Option<Account>, Error> {
        self.find_account(BY_HANDLE, Param::Text(handle.as_str()))
    }

    fn account_by_id(&mut self, id: AccountId) -> Result<Option<Account>, Error> {
        self.find_account(BY_ID, Param::Int(id.0))
    }

    fn secret(&mut self, id: AccountId) -> Result<Option<String>, Error> {
        let row = self.row(gather::SECRET, &[Param::Int(id.0)])?;
        Ok(row.map(|row| row.get(0)).transpose()?)
    }

    fn direct(&mut self, pair: Pair) -> Result<Option<Conversation>, Error> {
        gather::direct(self, pair)
    }

    fn memberships(
        &mut self,
        me: AccountId,
        after: ConversationId,
        count: usize,
    ) -> Result<Vec<(ConversationId, bool)>, Error> {
        let sql = "SELECT m.conversation, c.low IS NULL AND m.until_seq IS NULL
                   FROM member m JOIN conversation c ON c.id = m.conversation
                   WHERE m.account = $1 AND m.recent = 0 AND m.conversation > $2
                   ORDER BY m.conversation LIMIT $3";
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let rows = self.rows(sql, &[Param::Int(me.0), Param::Int(after.0), Param::Int(count)])?;
        rows.iter().map(|row| Ok((ConversationId(row.get(0)?), row.get(1)?))).collect()
    }

    fn blocked(&mut self, by: AccountId, whom: AccountId) -> Result<bool, Error> {
        self.exists(gather::BLOCKED, &[Param::Int(by.0), Param::Int(whom.0)])
    }

    fn blocks(
        &mut self,
        by: AccountId,
        after: AccountId,
    ) -> Result<ListPage<Handle, AccountId>, Error> {
        lists::blocks(self, by, after)
    }

    fn token(&mut self, hash: &[u8; 32]) -> Result<Option<Token>, Error> {
        let row = self.row("SELECT * FROM token WHERE hash = $1", &[Param::Bytes(hash)])?;
        row.map(|row| token(&row)).transpose()
    }

    fn tokens(&mut self, account: AccountId) -> Result<Vec<Token>, Error> {
        self.rows(gather::TOKENS, &[Param::Int(account.0)])?.iter().map(token).collect()
    }

    fn links(&mut self, account: AccountId) -> Result<Vec<u32>, Error> {
        gather::users(&self.rows(gather::LINKS, &[Param::Int(account.0)])?)
    }

    fn devices(&mut self, account: AccountId) -> Result<Vec<Device>, Error> {
        let rows = self.rows(devices::DEVICES, &[Param::Int(account.0)])?;
        rows.iter().map(devices::device).collect()
    }

    fn waiting(&mut self, me: AccountId, upto: EntryId) -> Result<WaitingCount, Error> {
        count::all_waiting(self, me, upto)
    }

    fn page(
        &mut self,
        me: AccountId,
        mut walk: Walk,
        rows: usize,
    ) -> Result<(Vec<Entry>, Walk), Error> {
        let found = merge::page(self, me, &mut walk, rows)?;
        Ok((self.named(me, found)?, walk))
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
        let sql = "SELECT low IS NULL FROM conversation WHERE id = $1";
        let row = self.row(sql, &[Param::Int(id.0)])?;
        let row = row.ok_or_else(|| Error::damaged(format!("conversation {} is gone", id.0)))?;
        let windows = windows(self, me, id, row.get(0)?)?;
        span(self, id, &windows, query)
    }

    fn search(&mut self, me: AccountId, query: &SearchQuery) -> Result<SearchPage, Error> {
        search::search(self, me, query)
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
        let row = self.row(gather::MEMBERSHIP, &[Param::Text(name.as_str()), Param::Int(me.0)])?;
        gather::membership(row.as_ref())
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
        let of: Vec<_> = ids.iter().map(|id| (conversation, *id)).collect();
        entries::entries(self, me, &of)
    }

    fn entries_of(
        &mut self,
        me: AccountId,
        of: &[(ConversationId, EntryId)],
    ) -> Result<Vec<Entry>, Error> {
        entries::entries(self, me, of)
    }

    fn account_row(&mut self, handle: &Handle) -> Result<Option<AccountRow>, Error> {
        self.account_of(handle)
    }

    fn account_rows(
        &mut self,
        after: Option<&Handle>,
        count: usize,
    ) -> Result<Vec<AccountRow>, Error> {
        self.accounts_after(after, count)
    }

    fn group_named(&mut self, name: &Handle) -> Result<Option<ConversationId>, Error> {
        self.group_of_name(name)
    }

    fn all_groups(
        &mut self,
        after: Option<&Handle>,
        count: usize,
    ) -> Result<ListPage<GroupRow, Handle>, Error> {
        self.groups_after(after, count)
    }

    fn invitations(&mut self, count: usize) -> Result<Vec<AccountInvitation>, Error> {
        self.invitation_rows(count)
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
        about::file_state(self, me, id)
    }

    fn file_rows(&mut self, after: EntryId, count: usize) -> Result<Vec<FileRow>, Error> {
        files::rows(self, after, count)
    }

    fn is_used(&mut self, content: ContentHash) -> Result<bool, Error> {
        let sql = "SELECT FROM file WHERE content = $1 LIMIT 1";
        self.exists(sql, &[Param::Bytes(&content.0)])
    }

    fn dropped(&mut self) -> Result<Vec<(i64, ContentHash)>, Error> {
        files::dropped(self)
    }

    fn next_old_file(&mut self, before: Millis, now: Millis) -> Result<Option<EntryId>, Error> {
        files::next_old(self, before, now)
    }

    fn later(&mut self, account: AccountId) -> Result<Vec<Later>, Error> {
        later::all(&self.rows(later::OF, &[Param::Int(account.0)])?)
    }

    fn next_due(&mut self, count: usize) -> Result<Vec<(AccountId, Later)>, Error> {
        later::next_due(self, count)
    }

    fn next_expired(&mut self, now: Millis) -> Result<Option<Expire>, Error> {
        expired::next(self, now)
    }

    fn next_expiry(&mut self, before: Millis, now: Millis) -> Result<Option<Expire>, Error> {
        expire::next(self, before, now)
    }
}
