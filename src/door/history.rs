//! Where in the log a subscription begins, and what papo learns from that.

use std::collections::{HashMap, VecDeque};

use super::answer::Denial;
use super::link::{Final, final_of};
use super::since::Since;
use super::subscribe::{Floors, Subscription};
use super::topics::{Scope, fitting};
use crate::entry::{EntryId, EntryKind, Millis};
use crate::limits;
use crate::name::Target;
use crate::wire::reply::Reply;
use crate::wire::rows::{ChatLine, EntryLine};

impl Subscription<'_> {
    /// Waits for the final line of a command before the stream has begun. Rows are dropped.
    pub(super) async fn early_reply(&mut self, verb: &str) -> Result<Final, Denial> {
        self.early_rows(verb, |_| ()).await
    }

    /// The same, with what to do with each row.
    async fn early_rows(&mut self, verb: &str, mut row: impl FnMut(&str)) -> Result<Final, Denial> {
        loop {
            let line = self.link.line().await?;
            match final_of(&line, verb) {
                Some(reply) => return Ok(reply),
                None if line.starts_with("HIST ") || line.starts_with("CHAT ") => row(&line),
                None => self.pass_over(&line),
            }
        }
    }

    /// Notes an event that the log will show.
    pub(super) fn pass_over(&mut self, line: &str) {
        if let Some(line) = EntryLine::parse(line) {
            self.passed_over = self.passed_over.max(line.entry.id);
        }
    }

    /// Finds where the log is to be read from, and tells papo what the subscriber has. `None`: not
    /// at all.
    pub(super) async fn look_up(&mut self, since: Since) -> Result<Option<EntryId>, Denial> {
        self.upto = self.newest;
        let floor = match since {
            Since::Now => return Ok(None),
            // Nobody can have seen it, so it says nothing.
            Since::Id(id) if id > self.newest => return Ok(None),
            Since::Id(id) => {
                self.acknowledge(id).await?;
                id
            }
            Since::Last(count) => {
                let mut floors = HashMap::new();
                for target in self.conversations(false).await? {
                    if let Some(id) = self.last(&target, count).await? {
                        floors.insert(target, id);
                    }
                }
                let least = floors.values().min().copied();
                self.floors = Some(Box::new(Floors::Ids(floors)));
                least.map_or(self.newest, |id| EntryId(id.0 - 1))
            }
            Since::Time(time) => {
                let mut least = None;
                for target in self.conversations(false).await? {
                    let first = self.first_since(&target, time).await?;
                    least = least.into_iter().chain(first).min();
                }
                self.floors = Some(Box::new(Floors::Time(time)));
                least.map_or(self.newest, |id| EntryId(id.0 - 1))
            }
        };
        self.upto = floor;
        Ok(Some(floor))
    }

    /// The conversations of the topics; of those that may be many, the newest, and with `unread`
    /// only the ones in which something is.
    async fn conversations(&mut self, unread: bool) -> Result<Vec<Target>, Denial> {
        let mut found: Vec<Target> = Vec::new();
        let (mut persons, mut all) = (false, false);
        for topic in &self.topics {
            match &topic.scope {
                Scope::Everything => all = true,
                Scope::One(Target::Person(handle)) if *handle == self.me => persons = true,
                Scope::One(target) => found.push(target.clone()),
            }
        }
        if persons || all {
            self.link.send(b"CHATS\n").await?;
            let mut chats = Vec::new();
            let rows = self.early_rows("CHATS", |line| {
                let Some(ChatLine { to, unread: waiting, .. }) = ChatLine::parse(line) else {
                    return;
                };
                let is_wanted = all || matches!(to, Target::Person(_));
                let has_room = chats.len() < limits::HTTP_CONVERSATIONS;
                if is_wanted && (!unread || waiting > 0) && has_room {
                    chats.push(to);
                }
            });
            rows.await??;
            found.extend(chats);
        }
        Ok(found)
    }

    /// The id of the `count`-th last message that the topics have of a conversation, or of the
    /// first.
    async fn last(&mut self, target: &Target, count: usize) -> Result<Option<EntryId>, Denial> {
        let me = self.me.clone();
        // What others say in a conversation of the topics always belongs to one.
        let has_own = fitting(&self.topics, &me, target, &me).is_some();
        let mut found = None;
        let mut missing = count;
        let mut before = String::new();
        // Some rows more, since changes of groups are rows too.
        let mut rows = (count + limits::HIST_DEFAULT).min(limits::HIST_MAX);
        for _ in 0..limits::HTTP_LAST_PAGES {
            self.link.send(format!("HIST {target} {rows}{before}\n").as_bytes()).await?;
            let mut first = None;
            let mut last = VecDeque::new();
            let read = self.early_rows("HIST", |line| {
                let Some(EntryLine { entry, .. }) = EntryLine::parse(line) else { return };
                first.get_or_insert(entry.id);
                let is_message = entry.kind == EntryKind::Message && !entry.is_gone();
                if is_message && (has_own || entry.from != me) {
                    last.push_back(entry.id);
                    if last.len() > missing {
                        last.pop_front();
                    }
                }
            });
            let reply = read.await??;
            found = last.front().copied().or(found);
            missing -= last.len();
            match (reply, first) {
                (Reply::Listed { more: true, .. }, Some(first)) if missing > 0 => {
                    before = format!(" before {}", first.0);
                    rows = limits::HIST_MAX;
                }
                _ => break,
            }
        }
        Ok(found)
    }

    /// The id of the first entry of a conversation from a time on.
    async fn first_since(
        &mut self,
        target: &Target,
        time: Millis,
    ) -> Result<Option<EntryId>, Denial> {
        let mut found = None;
        let mut before = String::new();
        loop {
            let command = format!("HIST {target} {}{before}\n", limits::HIST_MAX);
            self.link.send(command.as_bytes()).await?;
            let mut first = None;
            let mut since = None;
            let read = self.early_rows("HIST", |line| {
                let Some(line) = EntryLine::parse(line) else { return };
                let (id, at) = (line.entry.id, line.entry.time);
                first.get_or_insert((id, at));
                if since.is_none() && at >= time {
                    since = Some(id);
                }
            });
            let reply = read.await??;
            found = since.or(found);
            match (reply, first) {
                (Reply::Listed { more: true, .. }, Some((id, at))) if at >= time => {
                    before = format!(" before {}", id.0);
                }
                _ => return Ok(found),
            }
        }
    }

    /// Tells papo that the subscriber has everything up to an id.
    async fn acknowledge(&mut self, id: EntryId) -> Result<(), Denial> {
        for target in self.conversations(true).await? {
            let before = id.0.saturating_add(1);
            self.link.send(format!("HIST {target} 1 before {before}\n").as_bytes()).await?;
            let mut last = None;
            let read = self.early_rows("HIST", |line| {
                last = EntryLine::parse(line).map(|line| line.entry.id);
            });
            read.await??;
            if let Some(EntryId(last)) = last {
                self.link.send(format!("ACK {last}\n").as_bytes()).await?;
                // One that cannot be recorded now comes with the next `since=`.
                let _ = self.early_reply("ACK").await?;
            }
        }
        Ok(())
    }
}
