//! Questions about the past and about others: they are answered from the log, by the readers.
//!
//! Rows go out page by page, and no event comes between them and their final line: what is pushed
//! meanwhile waits in the outbox.

use std::time::Duration;

use smol::{Timer, channel};

use super::Session;
use super::answer::{Answer, Stop};
use super::commands::find;
use crate::entry::{AccountId, Cursor, Entry, EntryId};
use crate::fold;
use crate::hub::Work;
use crate::limits;
use crate::name::Handle;
use crate::outbox::Item;
use crate::store::{Listing, Span, SpanQuery, Walk};
use crate::wire::refusal::Refusal;
use crate::wire::reply::{self, ChatLine, Reply};
use crate::wire::request::{Hist, Which};

impl Session {
    /// `HIST`
    pub(super) async fn hist(&mut self, hist: Hist) -> Answer {
        let me = self.me()?.account;
        let query = SpanQuery { count: hist.count, before: hist.before, after: hist.after };
        let to = hist.to.clone();
        let found = self.ask(move |recall| {
            let conversation = match find(recall, me, &to)? {
                Ok(Some(conversation)) => conversation,
                Ok(None) => return Ok(Ok(None)),
                Err(refusal) => return Ok(Err(refusal)),
            };
            let span = recall.span(me, conversation, &query)?;
            let rows = recall.entries(me, conversation, &span.ids)?;
            Ok(Ok(Some((conversation, span, rows))))
        });
        let found = found.await??;
        let seen = self.me()?.seen.get_or_insert_default();
        seen.begin_list();
        let Some((conversation, Span { mut ids, more }, mut rows)) = found else {
            return Ok(Some(Reply::Listed { count: 0, more: false }));
        };
        if let Some(id) = ids.last() {
            seen.note_row(hist.to, *id);
        }
        let mut count = 0;
        // Where no row comes, what is left was forgotten meanwhile.
        while let Some(last) = rows.last().map(|row| row.id) {
            self.say_rows(&rows);
            count += rows.len();
            ids.retain(|id| *id > last);
            if ids.is_empty() {
                break;
            }
            self.flush().await?;
            let wanted = ids.clone();
            rows = self.ask(move |recall| recall.entries(me, conversation, &wanted)).await?;
        }
        Ok(Some(Reply::Listed { count, more }))
    }

    /// `SYNC`
    pub(super) async fn sync(&mut self, after: EntryId) -> Answer {
        let me = self.me()?.account;
        let newest = self.ask(move |recall| recall.newest()).await?.entry;
        let known = self.me()?;
        known.seen.get_or_insert_default().begin_list();
        // Who goes on where the last one ended has nothing looked up again.
        let mut walk = match known.sync.take() {
            Some(walk) if walk.at == after => *walk,
            _ => Walk::new(after.min(newest), newest, false),
        };
        let mut rows = limits::SYNC_MAX;
        loop {
            let entries;
            let page = rows.min(limits::PAGE_ROWS);
            (entries, walk) = self.ask(move |recall| recall.page(me, walk, page)).await?;
            rows -= entries.len();
            self.say_rows(&entries);
            for entry in entries {
                let known = self.me()?;
                let peer = super::output::peer(&known.handle, &entry.from, &entry.to);
                known.seen.get_or_insert_default().note_row(peer, entry.id);
            }
            if walk.done && walk.upto < newest {
                // It was begun by an earlier call, and there is more by now.
                walk = Walk::new(walk.at, newest, false);
            }
            if walk.done || rows == 0 {
                let (last, more) = (walk.at, !walk.done);
                if more {
                    walk.rest();
                    self.me()?.sync = Some(Box::new(walk));
                }
                return Ok(Some(Reply::Synced { last, more }));
            }
            self.flush().await?;
        }
    }

    fn say_rows(&mut self, rows: &[Entry]) {
        let mut lines = Vec::new();
        for row in rows {
            reply::hist(&mut lines, row);
        }
        self.output.push(Item::Replies(lines));
    }

    /// `CHATS`
    pub(super) async fn chats(&mut self) -> Answer {
        let me = self.me()?.account;
        let (mut list, mut count) = (Listing::default(), 0);
        while !list.done {
            self.flush().await?;
            let rows;
            (rows, list) = self.ask(move |recall| recall.chats(me, list)).await?;
            count += rows.len();
            self.say(|out| {
                for row in &rows {
                    let (to, unread) = (&row.to, row.unread);
                    reply::chat(out, &ChatLine { to, unread, last: row.last, time: row.time });
                }
            });
        }
        Ok(Some(Reply::Counted { verb: "CHATS", count }))
    }

    /// The message that is spoken of.
    fn which(&mut self, which: Which) -> Result<EntryId, Stop> {
        match which {
            Which::Id(id) => Ok(id),
            Which::Last => Ok(self.outbox.last_sent().ok_or(Refusal::NothingSentYet)?),
        }
    }

    /// `INFO`
    pub(super) async fn info(&mut self, which: Which) -> Answer {
        let me = self.me()?.account;
        let id = self.which(which)?;
        let found = self.ask(move |recall| recall.info(me, id)).await?;
        let rows = found.ok_or(Refusal::NoSuchMessage(id.0))?;
        self.say(|out| {
            for row in &rows {
                reply::info(out, id, &row.handle, row.delivered, row.read);
            }
        });
        Ok(Some(Reply::Counted { verb: "INFO", count: rows.len() }))
    }

    /// `WAIT`: the hub answers it, or this session's patience ends.
    pub(super) fn wait_for(&mut self, which: Which, cursor: Cursor, seconds: u64) -> Answer {
        let id = self.which(which)?;
        self.services.hub.ask(Work::Watch { session: self.id, id, cursor });
        self.unanswered += 1;
        self.patience = Some(Box::new(Timer::after(Duration::from_secs(seconds))));
        Ok(None)
    }

    /// `FIND`
    pub(super) async fn find_people(&mut self, text: &str) -> Answer {
        let words = text.split_whitespace().map(fold::folded).filter(|word| !word.is_empty());
        let words: Vec<String> = words.collect();
        let found = self.ask(move |recall| recall.find(&words, limits::FIND_MAX)).await?;
        let (answer, answered) = channel::bounded(1);
        let accounts = found.iter().map(|found| found.id).collect();
        self.services.hub.ask(Work::Online { accounts, answer });
        let online = answered.recv().await.map_err(|_| Refusal::Bug)?;
        // When they were last seen is read after it is known that they are not here.
        let ids: Vec<AccountId> = found.iter().map(|found| found.id).collect();
        let seen = self.ask(move |recall| {
            let seen = |id| Ok(recall.account_by_id(id)?.and_then(|account| account.seen));
            ids.into_iter().map(seen).collect::<Result<Vec<_>, _>>()
        });
        let seen = seen.await?;
        self.say(|out| {
            for ((found, online), seen) in found.iter().zip(online).zip(seen) {
                reply::user(out, &found.handle, online, seen, &found.name);
            }
        });
        Ok(Some(Reply::Counted { verb: "FIND", count: found.len() }))
    }

    /// `GROUP LIST`
    pub(super) async fn groups(&mut self) -> Answer {
        let me = self.me()?.account;
        let rows = self.ask(move |recall| recall.groups(me)).await?;
        self.say(|out| {
            for row in &rows {
                reply::group(out, &row.name, row.admin, row.members, &row.topic);
            }
        });
        Ok(Some(Reply::Counted { verb: "GROUP LIST", count: rows.len() }))
    }

    /// `GROUP WHO`
    pub(super) async fn members(&mut self, name: Handle) -> Answer {
        let me = self.me()?.account;
        let asked = name.clone();
        let found = self.ask(move |recall| recall.who(me, &asked)).await?;
        let rows = found.ok_or_else(|| Refusal::NoSuchGroup(name.clone()))?;
        self.say(|out| {
            for (handle, admin) in &rows {
                reply::member(out, &name, handle, *admin);
            }
        });
        Ok(Some(Reply::Counted { verb: "GROUP WHO", count: rows.len() }))
    }

    /// `BLOCK` of nobody
    pub(super) async fn blocks(&mut self) -> Answer {
        let me = self.me()?.account;
        let rows = self.ask(move |recall| recall.blocks(me)).await?;
        self.say(|out| rows.iter().for_each(|handle| reply::blocked(out, handle)));
        Ok(Some(Reply::Counted { verb: "BLOCK", count: rows.len() }))
    }
}
