//! A conversation in the list: what is known of it here.

use jiff::Timestamp;

use super::listed_flags::ListedFlags;
use super::said;
use super::style::Tick;
use crate::chat_flags::ChatFlag;
use crate::client::expire::{self, Lifetime};
use crate::client::lines::{is_message, is_own, text_of};
use crate::entry::{Entry, EntryKind, Millis};
use crate::name::Handle;

/// Characters kept of a text: no terminal has room for more in a line.
const KEPT: usize = 400;

/// An entry in the list.
#[derive(Clone, Debug, Default)]
pub struct ListedLine {
    /// 0 if there is none.
    pub id: u64,
    /// Its author and text in one line.
    pub text: String,
    /// When it vanishes.
    due: Option<Timestamp>,
}

/// A conversation in the list.
pub struct ListedChat {
    /// Its name in the protocol.
    pub name: String,
    /// Unread entries by others.
    pub unread: u64,
    /// The entry up to which they were counted.
    pub counted: u64,
    /// The newest known entry.
    pub newest: u64,
    /// Read up to this id, as far as known here.
    pub read: u64,
    /// The first unread entry, or a later one if that is not known; for the order.
    pub(super) since: u64,
    /// The last entry seen.
    pub(super) last: ListedLine,
    /// The last one by others.
    pub(super) last_of_others: ListedLine,
    /// When the newest entry was written, if known.
    pub time: Option<Timestamp>,
    /// Its number was on the screen; numbers change each time papo starts.
    pub(super) is_numbered: bool,
    /// Ids up to which the user's messages are known to be received, and read. The server sends no
    /// receipts while either side blocks the other.
    reached: (u64, u64),
    /// The newest entry that a receipt of somebody else named.
    pub receipt: u64,
    /// How long what is said there is kept, as far as known here, and the entry that says so.
    lifetime: (u64, Lifetime),
    pub flags: ListedFlags,
    /// Something unread calls the user.
    pub is_called: bool,
}

impl ListedChat {
    pub(super) fn new(name: &str) -> ListedChat {
        let (last, last_of_others) = Default::default();
        let (time, is_numbered) = (None, false);
        let name = name.to_owned();
        let (reached, lifetime) = ((0, 0), (0, Lifetime::Unlimited));
        let (unread, counted, newest, read, since, receipt) = (0, 0, 0, 0, 0, 0);
        let (flags, is_called) = (ListedFlags::default(), false);
        ListedChat {
            name,
            unread,
            counted,
            newest,
            read,
            since,
            last,
            last_of_others,
            time,
            is_numbered,
            reached,
            receipt,
            lifetime,
            flags,
            is_called,
        }
    }

    /// Records an entry, perhaps the newest.
    pub fn heard(&mut self, entry: &Entry, me: &Handle) {
        let id = entry.id.number();
        if let Some(lifetime) = lifetime_at(entry).filter(|_| id >= self.lifetime.0) {
            self.lifetime = (id, lifetime);
        }
        self.newest = self.newest.max(id);
        let line = || ListedLine {
            id,
            text: in_one_line(entry, me),
            due: expire::due(entry, Timestamp::now()),
        };
        if id >= self.last.id {
            self.last = line();
            self.time = Timestamp::from_millisecond(entry.time.0).ok();
        }
        if !is_own(entry, me) && id >= self.last_of_others.id {
            self.last_of_others = line();
        }
    }

    /// A message of this id says this now.
    pub(super) fn changed(&mut self, id: u64, text: &str) {
        for line in
            [&mut self.last, &mut self.last_of_others].into_iter().filter(|last| last.id == id)
        {
            let who = line.text.split_once(": ").map_or("", |(who, _)| who).to_owned();
            line.text = format!("{who}: {}", text.chars().take(KEPT).collect::<String>());
        }
    }

    /// When the next of its lines vanishes.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.last.due.into_iter().chain(self.last_of_others.due).min()
    }

    /// Drops lines that have vanished by now. The list fetches the last one that is left.
    pub fn vanish(&mut self, now: Timestamp) {
        for line in [&mut self.last, &mut self.last_of_others] {
            if line.due.is_some_and(|due| due <= now) {
                *line = ListedLine::default();
            }
        }
    }

    /// Records a confirmed message that was sent from here.
    pub fn sent(&mut self, id: u64, body: &str, due: Option<Timestamp>) {
        if id > self.last.id {
            let body: String = body.chars().take(KEPT).collect();
            self.last = ListedLine { id, text: format!("you: {body}"), due };
            self.time = Some(Timestamp::now());
        }
    }

    /// When a message of the user's vanishes that got this id at `time`. `Err` if it was sent before
    /// its conversation began to keep messages as long as it does now.
    pub fn due(&self, id: u64, time: Millis) -> Result<Option<Timestamp>, ()> {
        match self.lifetime {
            (since, _) if since > id => Err(()),
            (_, Lifetime::Unlimited) => Ok(None),
            (_, Lifetime::Seconds(seconds)) => {
                Ok(expire::due_after(seconds, time, Timestamp::now()))
            }
        }
    }

    /// How long what is said there is kept, as far as known here.
    pub fn lifetime(&self) -> Lifetime {
        self.lifetime.1
    }

    /// Records that the user's messages up to this id have come so far.
    pub fn reached(&mut self, upto: u64, tick: Tick) {
        let (delivered, read) = &mut self.reached;
        if tick >= Tick::Delivered {
            *delivered = upto.max(*delivered);
        }
        if tick >= Tick::Read {
            *read = upto.max(*read);
        }
    }

    /// How far a message of the user's has come, as far as known.
    pub fn tick(&self, id: u64) -> Tick {
        match self.reached {
            (_, read) if id <= read => Tick::Read,
            (delivered, _) if id <= delivered => Tick::Delivered,
            _ => Tick::Sent,
        }
    }

    /// Whether an entry is newer than the last one seen here.
    pub fn is_behind(&self) -> bool {
        self.last.id < self.newest
    }

    /// The newest entry, whoever wrote it.
    pub fn latest(&self) -> u64 {
        self.newest.max(self.last.id)
    }

    /// Sets the number of unread entries.
    pub fn set_unread(&mut self, unread: u64) {
        if self.unread == 0 {
            self.since = self.newest;
        }
        self.unread = unread;
        self.is_called &= unread > 0;
    }

    /// Whether something is unread, or the user has marked it so.
    pub(super) fn is_unread(&self) -> bool {
        self.unread > 0 || self.flags.has(ChatFlag::Unread)
    }

    /// Whether that is announced.
    pub(super) fn is_told(&self) -> bool {
        self.is_unread() && (self.is_called || !self.flags.are_silent())
    }

    /// Forgets all ids: the log was put back.
    pub fn put_back(&mut self) {
        let ListedChat { unread, is_numbered, flags, is_called, .. } = *self;
        *self = ListedChat { unread, is_numbered, flags, is_called, ..ListedChat::new(&self.name) };
    }
}

/// An entry with its author; it is cut when it is shown.
fn in_one_line(entry: &Entry, me: &Handle) -> String {
    let who = if entry.from == *me { "you" } else { entry.from.as_str() };
    if is_message(entry) || entry.is_gone() {
        let is_file = entry.tags.as_ref().is_some_and(|tags| tags.file.is_some());
        let sign = if is_file { said::FILE } else { "" };
        format!("{who}: {sign}{}", text_of(entry).chars().take(KEPT).collect::<String>())
    } else {
        format!("{who} {}", said::change(entry, me))
    }
}

/// How long entries of its conversation were kept when this one was written, if it says that.
fn lifetime_at(entry: &Entry) -> Option<Lifetime> {
    match entry.kind {
        EntryKind::Expire => Lifetime::of_entry(&entry.body),
        EntryKind::Message if !entry.is_gone() => {
            let seconds = entry.tags.as_ref().and_then(|tags| tags.exp);
            Some(seconds.map_or(Lifetime::Unlimited, Lifetime::Seconds))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::rows::EntryLine;

    #[test]
    fn a_line_vanishes_with_its_message() {
        let (mut chat, me) = (ListedChat::new("bob"), Handle::new("ana").unwrap());
        let line = "MSG 3 2026-01-01T00:00:00.000Z bob ana exp=30 a secret";
        chat.heard(&EntryLine::parse(line).unwrap().entry, &me);
        chat.sent(4, "mine", None);
        let due = chat.next_due().unwrap();
        chat.vanish(due);
        assert_eq!((&*chat.last_of_others.text, &*chat.last.text), ("", "you: mine"));
        assert_eq!(chat.next_due(), None);
        // Its lifetime is that of what is said later.
        let is_due = |id| chat.due(id, Millis(0)).map(|due| due.is_some());
        assert_eq!((is_due(5), is_due(2)), (Ok(true), Err(())));
    }

    #[test]
    fn the_newest_message_says_how_long_messages_are_kept() {
        let (mut chat, me) = (ListedChat::new("bob"), Handle::new("ana").unwrap());
        let mut heard = |line: &str| {
            chat.heard(&EntryLine::parse(line).unwrap().entry, &me);
            chat.lifetime()
        };
        let at = "2026-01-01T00:00:00.000Z bob ana";
        assert_eq!(heard(&format!("EXPIRE 3 {at} - 60")), Lifetime::Seconds(60));
        // A page of history comes later than an event.
        assert_eq!(heard(&format!("HIST 2 {at} - hi")), Lifetime::Seconds(60));
        assert_eq!(heard(&format!("MSG 4 {at} exp=90 hi")), Lifetime::Seconds(90));
        assert_eq!(heard(&format!("HIST 5 {at} kind=expire -")), Lifetime::Unlimited);
    }
}
