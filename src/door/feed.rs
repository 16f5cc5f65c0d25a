//! What a subscriber is sent of the entries and receipts that its session shows.

use std::collections::VecDeque;

use super::attachment::Attachment;
use super::commands::written_id;
use super::events::{Event, Format, ShownMessage};
use super::notice::read_priority;
use super::subscribe::{FileShown, Floors, SentNotice, Subscription};
use super::topics::{Scope, fitting};
use super::websocket::{self, Opcode};
use crate::entry::{Cursor, Entry, EntryId, EntryKind, Millis};
use crate::limits;
use crate::name::Target;
use crate::session::peer;
use crate::wire::rows::ReceiptLine;

impl Subscription<'_> {
    /// Sends an entry, if it is wanted; one about a file with what is returned.
    pub(super) fn entry(&mut self, entry: Entry) -> Option<FileShown<'_>> {
        match self.file_of(&entry) {
            Some(file) => Some(Box::pin(self.file_entry(entry, file))),
            None => {
                self.show(&entry, None);
                None
            }
        }
    }

    /// Sends an entry about the file of the message `id`. `bytes`: its size, if that is known.
    async fn file_entry(&mut self, entry: Entry, (id, bytes): (EntryId, Option<u64>)) {
        let bytes = match bytes {
            Some(bytes) => Some(bytes),
            None => self.on.file_bytes(&self.me, id).await.ok().flatten(),
        };
        let attachment = match bytes {
            Some(bytes) => Some(self.attachment(&entry, id, bytes).await),
            None => None,
        };
        self.show(&entry, attachment.as_ref());
    }

    /// The message whose file an entry is about, and the size of that, if the entry says so. It may
    /// be that it has none.
    fn file_of(&self, entry: &Entry) -> Option<(EntryId, Option<u64>)> {
        let tags = entry.tags.as_ref()?;
        let file = match entry.kind {
            EntryKind::Message if !entry.is_gone() => (entry.id, Some(tags.file?)),
            EntryKind::Edit => (tags.re.filter(|about| self.may_be_file(*about))?, None),
            _ => return None,
        };
        self.place(entry).map(|_| file)
    }

    /// Whether a message may be a file; of those that were sent here it is known.
    fn may_be_file(&self, id: EntryId) -> bool {
        self.sent.iter().find(|sent| sent.id == id).is_none_or(|sent| sent.is_file)
    }

    /// The conversation of an entry, and the topic under which it is sent; `None` if it is not
    /// wanted.
    fn place(&self, entry: &Entry) -> Option<(Target, usize)> {
        let with = peer(&self.me, &entry.from, &entry.to);
        let is_wanted = entry.id > self.newest
            || match self.floors.as_deref() {
                None => true,
                // Messages come with the text that holds, so the marks say nothing more.
                Some(Floors::Ids(_)) if entry.kind.is_mark() => false,
                Some(Floors::Ids(ids)) => ids.get(&with).is_some_and(|floor| entry.id >= *floor),
                Some(Floors::Time(time)) => entry.time >= *time,
            };
        if entry.id <= self.upto || !is_wanted {
            return None;
        }
        let at = fitting(&self.topics, &self.me, &with, &entry.from)?;
        Some((with, at))
    }

    fn show(&mut self, entry: &Entry, attachment: Option<&Attachment>) {
        let place = self.place(entry);
        self.upto = self.upto.max(entry.id);
        let Some((with, at)) = place else { return };
        let is_mark = entry.kind.is_mark();
        let about = entry.tags.as_ref().and_then(|tags| tags.re).filter(|_| is_mark);
        match (entry.kind, about) {
            (EntryKind::Message, _) if !entry.is_gone() => {
                self.message(entry, with, at, None, attachment);
            }
            (EntryKind::Edit, Some(about)) => {
                self.message(entry, with, at, Some(about), attachment);
            }
            (EntryKind::Del, Some(about)) => {
                self.sent.retain(|sent| sent.id != about);
                let topic = self.topics[at].spelled.clone();
                let (id, deleted) = (written_id(entry.id), written_id(about));
                self.push(&Event::delete(&id, entry.time, &topic, &deleted));
                self.ask_for_pong(entry.id);
            }
            _ => {}
        }
    }

    /// What is said about a file: that of the message `id`, with the name that `entry` says. Without
    /// a link it is fetched with a login.
    async fn attachment(&mut self, entry: &Entry, id: EntryId, bytes: u64) -> Attachment {
        const HOUR: i64 = 3_600_000;
        // Within an hour it is the same for everyone who asks, and at first as its sender was told.
        let hour = Millis(self.on.now().0.div_euclid(HOUR) * HOUR);
        let (file, from) = ((id, &*entry.body), entry.time.max(hour));
        let link = self.on.file_link(&self.base, &self.me, file, from).await;
        Attachment { name: entry.body.clone(), bytes, link: link.ok() }
    }

    /// Sends a message, or the new text of the message `about`.
    fn message(
        &mut self,
        entry: &Entry,
        with: Target,
        at: usize,
        about: Option<EntryId>,
        attachment: Option<&Attachment>,
    ) {
        let has_come = |about| {
            let is_it = |sent: &SentNotice| sent.id == about && sent.edit >= Some(entry.id);
            self.sent.iter().any(is_it)
        };
        if about.is_some_and(has_come) {
            return;
        }
        let topic = &self.topics[at];
        let (priority, text) = read_priority(&entry.body);
        // What I said myself makes no sound, unless it is a note.
        let is_own = entry.from == self.me && with != Target::Person(self.me.clone());
        let priority = if is_own { 1 } else { priority };
        let title = match (&topic.scope, &entry.to) {
            (Scope::Everything, Target::Group(name)) => format!("#{name}: {}", entry.from),
            _ => entry.from.to_string(),
        };
        if let Some(filter) = &self.filter
            && !filter.wants(&written_id(entry.id), &title, text, priority)
        {
            return;
        }
        let keep = i64::try_from(self.on.shared.keep).unwrap_or_default();
        let forgotten = (keep > 0).then(|| entry.time.0 + keep * 86_400_000);
        let tags = entry.tags.as_ref();
        let deleted =
            tags.and_then(|tags| tags.exp).map(|exp| entry.time.0 + i64::from(exp) * 1_000);
        let expires = forgotten.into_iter().chain(deleted).min().map(Millis);
        let (id, time) = (entry.id, entry.time);
        let topic = &*topic.spelled;
        let shown = ShownMessage {
            id,
            time,
            topic,
            title: &title,
            text,
            priority,
            sequence: about,
            expires,
            attachment,
        };
        self.push(&Event::message(&shown));
        self.ask_for_pong(id);
        let edit = about.map(|_| id).or(entry.tags.as_ref().and_then(|tags| tags.edit));
        if let Some(about) = about {
            self.sent.retain(|sent| sent.id != about);
        }
        let id = about.unwrap_or(id);
        let is_file = attachment.is_some();
        self.sent.push_back(SentNotice { id, with, topic: at, edit, is_file });
        if self.sent.len() > limits::HTTP_CLEARABLE {
            self.sent.pop_front();
        }
    }

    /// Puts a Ping behind an event, so that the Pong says that it has arrived.
    fn ask_for_pong(&mut self, id: EntryId) {
        if self.format == Format::WebSocket {
            let payload = written_id(id);
            self.on.stream.push(&websocket::frame(Opcode::Ping, payload.as_bytes()));
        }
    }

    /// Clears the notices of what was read on another device.
    pub(super) fn read(&mut self, line: &str) {
        let Some(ReceiptLine(receipt)) = ReceiptLine::parse(line) else { return };
        if receipt.from != self.me || receipt.cursor != Cursor::Read {
            return;
        }
        let is_read = |sent: &SentNotice| sent.with == receipt.to && sent.id <= receipt.id;
        let (read, rest): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut self.sent).into_iter().partition(is_read);
        self.sent = rest;
        for SentNotice { id, topic, .. } in read {
            let topic = self.topics[topic].spelled.clone();
            self.push(&Event::clear(self.upto, receipt.time, &topic, &written_id(id)));
        }
    }
}
