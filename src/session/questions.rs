//! Questions about history, groups and people. The readers answer them from the log; who is online,
//! and what a `WAIT` waits for, only the hub knows.
//!
//! Rows are sent page by page. No event comes between them and their final line: pushes wait in the
//! outbox meanwhile.

use std::time::Duration;

use smol::{Timer, channel};

use super::End;
use super::answer::{Answer, Halt};
use super::commands::find;
use super::{Patience, Session};
use crate::chat::later::typed;
use crate::entry::{AccountId, Condition, ConversationId, Entry, EntryId, EntryKind};
use crate::fold;
use crate::hub::Work;
use crate::limits;
use crate::name::{Handle, Target};
use crate::outbox::Outgoing;
use crate::preferences::Circle;
use crate::store::{
    Account, ChatRow, Error, GroupRow, InfoRow, Later, ListPage, Listing, Pair, Reader, Span,
    SpanQuery, Walk,
};
use crate::wire::refusal::Refusal;
use crate::wire::reply::{List, Reply};
use crate::wire::request::{Hist, Which};
use crate::wire::rows::{
    AtLine, Availability, BlockedLine, ChatLine, EntryLine, FlagsLine, GroupLine, InfoLine,
    MemberLine, PrefLine, RuleLine, TypedCommand, UserLine,
};

/// Cost of a `WAIT`, in `ACK`s.
const WAIT: usize = 2;

impl Session {
    /// `HIST`
    pub(super) async fn hist(&mut self, hist: Hist) -> Answer {
        let me = self.me()?.account;
        let re = hist.re.map(|which| self.which(which)).transpose()?;
        let query = SpanQuery { count: hist.count, before: hist.before, after: hist.after, re };
        let is_all = hist.before.is_none() && hist.after.is_none();
        let to = hist.to.clone();
        let found = self.ask(move |reader| {
            let conversation = match find(reader, me, &to)? {
                Ok(Some(conversation)) => conversation,
                Ok(None) => return Ok(Ok(None)),
                Err(refusal) => return Ok(Err(refusal)),
            };
            let span = reader.span(me, conversation, &query)?;
            let rows = reader.entries(me, conversation, &span.ids)?;
            Ok(Ok(Some((conversation, span, rows))))
        });
        let found = found.await??;
        if is_all && found.as_ref().is_none_or(|(_, span, _)| span.ids.is_empty()) {
            self.may_be_answered(re).await?;
        }
        let sent = self.me()?.sent.get_or_insert_default();
        sent.begin_list();
        let Some((conversation, Span { mut ids, more }, mut rows)) = found else {
            return Ok(Some(Reply::Listed { count: 0, more: false }));
        };
        if let Some(id) = ids.last() {
            sent.note_row(hist.to, *id);
        }
        let mut count = 0;
        // An empty page: the remaining entries have expired meanwhile.
        while let Some(last) = rows.last().map(|row| row.id) {
            self.say_rows(&rows);
            count += rows.len();
            ids.retain(|id| *id > last);
            if ids.is_empty() {
                break;
            }
            self.flush().await?;
            let wanted = ids.clone();
            rows = self.ask(move |reader| reader.entries(me, conversation, &wanted)).await?;
        }
        Ok(Some(Reply::Listed { count, more }))
    }

    /// `SYNC`
    pub(super) async fn sync(&mut self, after: EntryId) -> Answer {
        let me = self.me()?.account;
        let newest = self.ask(move |reader| reader.newest()).await?.entry;
        let known = self.me()?;
        known.sent.get_or_insert_default().begin_list();
        let begun = known.extras.as_mut().and_then(|extras| extras.sync.take());
        // A `SYNC` from where the last one ended continues its walk, without looking everything up
        // again.
        let mut walk = match begun {
            Some(walk) if walk.at == after => *walk,
            _ => Walk::new(after.min(newest), newest, false),
        };
        let mut rows = limits::SYNC_MAX;
        loop {
            let entries;
            let page = rows.min(limits::PAGE_ROWS);
            (entries, walk) = self.ask(move |reader| reader.page(me, walk, page)).await?;
            rows -= entries.len();
            self.say_rows(&entries);
            for entry in entries {
                let known = self.me()?;
                let peer = super::output::peer(&known.handle, &entry.from, &entry.to);
                known.sent.get_or_insert_default().note_row(peer, entry.id);
            }
            if walk.done && walk.upto < newest {
                // An earlier call began the walk, and there is more by now.
                walk = Walk::new(walk.at, newest, false);
            }
            if walk.done || rows == 0 {
                let (last, more) = (walk.at, !walk.done);
                if more {
                    walk.rest();
                    self.me()?.extras().sync = Some(Box::new(walk));
                }
                return Ok(Some(Reply::Synced { last, more }));
            }
            self.flush().await?;
        }
    }

    pub(super) fn say_rows(&mut self, rows: &[Entry]) {
        if let Some(me) = &mut self.me {
            me.may_move(rows.len());
        }
        let mut lines = Vec::new();
        for row in rows {
            EntryLine::row(row).write(&mut lines);
        }
        self.output.push(Outgoing::Replies(lines));
    }

    /// `CHATS`
    pub(super) async fn chats(&mut self) -> Answer {
        let me = self.me()?.account;
        let now = self.services.clock.now();
        let (mut list, mut count) = (Listing::default(), 0);
        while !list.done {
            self.flush().await?;
            let rows;
            (rows, list) = self.ask(move |reader| reader.chats(me, list)).await?;
            count += rows.len();
            self.say(|out| {
                for ChatRow { to, unread, last, time, flags } in rows {
                    let line = ChatLine { to, unread, last, time };
                    line.write(out);
                    for (flag, until) in flags.on(now) {
                        FlagsLine { to: line.to.clone(), flag, until }.write(out);
                    }
                }
            });
        }
        Ok(Some(Reply::Counted { list: List::Chats, count }))
    }

    /// Resolves `last` to the session's last message.
    pub(super) fn which(&self, which: Which) -> Result<EntryId, Refusal> {
        match which {
            Which::Id(id) => Ok(id),
            Which::Last => self.outbox.last_sent().ok_or(Refusal::NothingSentYet),
        }
    }

    /// `MARKS`
    pub(super) async fn marks(&mut self, which: Which, after: Option<EntryId>) -> Answer {
        let me = self.me()?.account;
        let id = self.which(which)?;
        let (mut after, mut count) = (after.unwrap_or(EntryId(0)), 0);
        loop {
            let page = self.ask(move |reader| reader.marks(me, id, after)).await?;
            let Some(ListPage { mut rows, next }) = page else {
                return Err(self.no_message(id).await?.into());
            };
            let room = limits::MARKS_MAX - count;
            let more = next.is_some() || rows.len() > room;
            rows.truncate(room);
            count += rows.len();
            self.say(|out| rows.iter().for_each(|row| EntryLine::mark(row).write(out)));
            match next {
                Some(next) if count < limits::MARKS_MAX => after = next,
                _ => return Ok(Some(Reply::Marked { count, more })),
            }
            self.flush().await?;
        }
    }

    /// `AT`: what waits, a page at a time.
    pub(super) async fn later(&mut self) -> Answer {
        let me = self.me()?.account;
        let (mut after, mut count) = (None, 0);
        loop {
            let rows = self.ask(move |reader| {
                let mut rows = reader.later(me)?;
                rows.retain(|row| Some((row.due, row.number)) > after);
                let mut bytes = 0;
                let page = rows.iter().take_while(|row| {
                    let fits = bytes < limits::PAGE_BYTES;
                    bytes += row.command.len();
                    fits
                });
                let page = page.count();
                rows.truncate(page);
                Ok(rows)
            });
            let rows = rows.await?;
            let Some(last) = rows.last() else {
                return Ok(Some(Reply::Counted { list: List::Later, count }));
            };
            after = Some((last.due, last.number));
            count += rows.len();
            self.say(|out| {
                for Later { number, due, unless, command } in &rows {
                    let (number, time) = (*number, *due);
                    let (about, unless) = unless.unzip();
                    let command = TypedCommand(typed(command).1.into());
                    AtLine { number, time, about, unless, command }.write(out);
                }
            });
            self.flush().await?;
        }
    }

    /// Refuses an id that nothing answers because it names no message. One that the account may not
    /// see is refused only then: answers to it may be in its history.
    pub(super) async fn may_be_answered(&mut self, re: Option<EntryId>) -> Result<(), Halt> {
        let Some(id) = re else { return Ok(()) };
        match self.seen(id).await? {
            Some(row) if row.kind == EntryKind::Message => Ok(()),
            _ => Err(self.no_message(id).await?.into()),
        }
    }

    /// Why an id names no message: what `SYNC` shows at this id says so.
    pub(super) async fn no_message(&mut self, id: EntryId) -> Result<Refusal, Halt> {
        let Some(row) = self.seen(id).await? else {
            return Ok(Refusal::NoSuchMessage(id.0));
        };
        let about = row.tags.as_ref().and_then(|tags| tags.re).map(|about| about.0);
        Ok(match row.kind {
            EntryKind::Message if row.is_gone() => Refusal::Gone(id.0),
            EntryKind::Message => Refusal::NoSuchMessage(id.0),
            EntryKind::Group => Refusal::NotAMessage { id: id.0, about: None },
            EntryKind::Expire => Refusal::NotAMessageButExpire(id.0),
            _ => Refusal::NotAMessage { id: id.0, about },
        })
    }

    /// The entry that `SYNC` shows at this id.
    async fn seen(&mut self, id: EntryId) -> Result<Option<Entry>, Halt> {
        let me = self.me()?.account;
        let newest = self.ask(move |reader| reader.newest()).await?.entry;
        let before = EntryId(id.0.saturating_sub(1));
        let mut walk = Walk::new(before, id.min(newest), false);
        let mut rows = Vec::new();
        while id <= newest && rows.is_empty() && !walk.done {
            (rows, walk) = self.ask(move |reader| reader.page(me, walk, 1)).await?;
        }
        Ok(rows.pop().filter(|row| row.id == id))
    }

    /// `INFO`
    pub(super) async fn info(&mut self, which: Which) -> Answer {
        let me = self.me()?.account;
        let id = self.which(which)?;
        let ask = move |reader: &mut dyn Reader, after| reader.info(me, id, after);
        let mut rows = self.all(AccountId(0), ask).await?.ok_or(Refusal::NoSuchMessage(id.0))?;
        rows.sort_by(|a, b| a.handle.cmp(&b.handle));
        self.say(|out| {
            for InfoRow { handle, delivered, read, left } in &rows {
                InfoLine::new(id, handle.clone(), [*delivered, *read], *left).write(out);
            }
        });
        Ok(Some(Reply::Counted { list: List::Info, count: rows.len() }))
    }

    /// `WAIT`: the hub answers it when the condition holds, or with `timeout` when the session's timer
    /// expires.
    pub(super) fn wait_for(&mut self, which: Which, until: Condition, seconds: u64) -> Answer {
        let id = self.which(which)?;
        self.charge(WAIT)?;
        self.hand_over_work(Work::Watch { session: self.id, id, until }, 1, 0);
        let until = Timer::after(Duration::from_secs(seconds));
        let look = Timer::interval(limits::PEER_LOOK);
        self.patience = Some(Box::new(Patience { until, look }));
        Ok(None)
    }

    /// `FIND`
    pub(super) async fn find_people(&mut self, text: &str) -> Answer {
        let mut words: Vec<String> = Vec::new();
        for word in text.split_whitespace().map(fold::folded) {
            if !word.is_empty() && !words.contains(&word) {
                words.push(word);
            }
        }
        let found = self.ask(move |reader| reader.find(&words, limits::FIND_MAX)).await?;
        let (answer, answered) = channel::bounded(1);
        let accounts = found.iter().map(|found| found.id).collect();
        self.services.hub.ask(Work::Online { accounts, answer: answer.into() });
        let me = self.me()?.account;
        let online = answered.recv().await.map_err(|_| End::hub_lost())?;
        // Read after the hub has said who is offline; otherwise a session that ends in between
        // would be missed.
        let ids: Vec<AccountId> = found.iter().map(|found| found.id).collect();
        let seen = self.ask(move |reader| {
            let Some(mine) = reader.account_by_id(me)? else { return Ok(Vec::new()) };
            let mut seen = |id| {
                let Some(account) = reader.account_by_id(id)? else { return Ok((false, None)) };
                let shows = id == me || see_each_other(reader, &mine, &account)?;
                Ok((shows, account.seen))
            };
            ids.into_iter().map(&mut seen).collect::<Result<Vec<_>, Error>>()
        });
        let seen = seen.await?;
        self.say(|out| {
            for ((found, online), (shows, seen)) in found.iter().zip(online).zip(seen) {
                let (state, seen) = match (shows, online) {
                    (true, true) => (Availability::Online, None),
                    (true, false) => (Availability::Offline, seen),
                    (false, _) => (Availability::Offline, None),
                };
                let (handle, name) = (found.handle.clone(), found.name.as_str().into());
                UserLine { handle, state, seen, name }.write(out);
            }
        });
        Ok(Some(Reply::Counted { list: List::Find, count: found.len() }))
    }

    /// `PREF` without a value
    pub(super) async fn preferences(&mut self) -> Answer {
        let preferences = self.account().await?.preferences.each();
        self.say(|out| {
            for preference in preferences {
                PrefLine { preference }.write(out);
            }
        });
        Ok(Some(Reply::Counted { list: List::Preferences, count: preferences.len() }))
    }

    /// `GROUP LIST`
    pub(super) async fn groups(&mut self) -> Answer {
        let me = self.me()?.account;
        let count = self.groups_of(me).await?;
        Ok(Some(Reply::Counted { list: List::Groups, count }))
    }

    /// Shows the groups of an account. Returns how many there are.
    pub(super) async fn groups_of(&mut self, me: AccountId) -> Result<usize, Halt> {
        let ask = move |reader: &mut dyn Reader, after| reader.group_names(me, after).map(Some);
        let mut names = self.all(ConversationId(0), ask).await?.unwrap_or_default();
        names.sort_unstable();
        let ids = names.into_iter().map(|(_, id)| id).collect();
        self.group_list(me, ids, |row| row.admin.is_some()).await
    }

    /// `GROUP LIST open`
    pub(super) async fn open_groups(&mut self) -> Answer {
        let me = self.me()?.account;
        let ids = self.ask(move |reader| reader.open_groups()).await?;
        let count = self.group_list(me, ids, |_| true).await?;
        Ok(Some(Reply::Counted { list: List::Groups, count }))
    }

    /// Says the rows of these groups as `me` sees them, a page at a time, but for those that are not
    /// `wanted` any more. Returns how many there are.
    async fn group_list(
        &mut self,
        me: AccountId,
        ids: Vec<ConversationId>,
        wanted: fn(&GroupRow) -> bool,
    ) -> Result<usize, Halt> {
        let (mut at, mut count) = (0, 0);
        while at < ids.len() {
            let page: Vec<_> = ids[at..].iter().take(limits::PAGE_ROWS).copied().collect();
            let asked = page.len();
            let ListPage { mut rows, next } =
                self.ask(move |reader| reader.group_rows(me, &page)).await?;
            at += next.unwrap_or(asked);
            rows.retain(wanted);
            count += rows.len();
            self.say(|out| {
                for row in &rows {
                    let (group, role) =
                        (Target::Group(row.name.clone()), row.admin.map(Into::into));
                    let topic = Some(row.topic.as_ref()).filter(|topic| !topic.is_empty());
                    let topic = topic.map(Into::into);
                    GroupLine { group, role, members: row.members, topic }.write(out);
                }
            });
            self.flush().await?;
        }
        Ok(count)
    }

    /// `GROUP RULE` without a rule
    pub(super) async fn group_rules(&mut self, name: Handle) -> Answer {
        let me = self.me()?.account;
        let asked = name.clone();
        let rules = self.ask(move |reader| match reader.membership(me, &asked)? {
            Some((id, true)) => reader.group_rules(id).map(Some),
            _ => Ok(None),
        });
        let rules = rules.await?.ok_or_else(|| Refusal::NoSuchGroup(name.clone()))?.each();
        self.say(|out| {
            for rule in rules {
                RuleLine { group: Target::Group(name.clone()), rule }.write(out);
            }
        });
        Ok(Some(Reply::Counted { list: List::Rules, count: rules.len() }))
    }

    /// `GROUP WHO`
    pub(super) async fn members(&mut self, name: Handle) -> Answer {
        let me = self.me()?.account;
        let asked = name.clone();
        let known = self.ask(move |reader| reader.membership(me, &asked)).await?;
        let Some((id, true)) = known else {
            return Err(Refusal::NoSuchGroup(name).into());
        };
        let rows = self.members_of(id).await?;
        self.say(|out| {
            for (handle, admin) in &rows {
                let (group, handle) = (Target::Group(name.clone()), handle.clone());
                MemberLine { group, handle, role: (*admin).into() }.write(out);
            }
        });
        Ok(Some(Reply::Counted { list: List::Members, count: rows.len() }))
    }

    /// The members of a group, ordered by handle, each with whether it is an admin.
    pub(super) async fn members_of(
        &mut self,
        id: ConversationId,
    ) -> Result<Vec<(Handle, bool)>, Halt> {
        let ask = move |reader: &mut dyn Reader, after| reader.who(id, after).map(Some);
        let mut rows = self.all(AccountId(0), ask).await?.unwrap_or_default();
        rows.sort_unstable();
        Ok(rows)
    }

    /// `BLOCK` without a handle
    pub(super) async fn blocks(&mut self) -> Answer {
        let me = self.me()?.account;
        let ask = move |reader: &mut dyn Reader, after| reader.blocks(me, after).map(Some);
        let mut rows = self.all(AccountId(0), ask).await?.unwrap_or_default();
        rows.sort_unstable();
        let count = rows.len();
        self.say(|out| rows.into_iter().for_each(|handle| BlockedLine { handle }.write(out)));
        Ok(Some(Reply::Counted { list: List::Blocks, count }))
    }

    /// All rows of a list with numbers above `least`, read page by page; `None` if `question`
    /// returns `None`. The list may change between pages, so rows added or removed meanwhile may be
    /// missing or present.
    async fn all<T, N, Q>(&mut self, least: N, question: Q) -> Result<Option<Vec<T>>, Halt>
    where
        T: Send + 'static,
        N: Send + 'static,
        Q: Fn(&mut dyn Reader, N) -> Result<Option<ListPage<T, N>>, Error> + Copy + Send + 'static,
    {
        let (mut all, mut after) = (Vec::new(), Some(least));
        while let Some(number) = after {
            let Some(page) = self.ask(move |reader| question(reader, number)).await? else {
                return Ok(None);
            };
            all.extend(page.rows);
            after = page.next;
        }
        Ok(Some(all))
    }
}

/// Whether two accounts see when the other is online: whoever hides it from the other does not see
/// it either.
fn see_each_other(reader: &mut dyn Reader, a: &Account, b: &Account) -> Result<bool, Error> {
    let circles = [a, b].map(|account| account.preferences.seen);
    if circles.contains(&Circle::None) {
        return Ok(false);
    }
    if circles == [Circle::All; 2] {
        return Ok(true);
    }
    let log = reader.direct(Pair::of(a.id, b.id))?;
    let has_written = |account: &Account| {
        let member = log.as_ref().and_then(|log| log.member(account.id));
        member.is_some_and(|member| member.last_own > EntryId(0))
    };
    Ok([a, b].into_iter().all(|one| one.preferences.seen == Circle::All || has_written(one)))
}
