//! Telling: the effects of a batch that is on disk go into the outboxes of those they concern.
//!
//! Replies keep the order of the acts. Entries go in blocks: consecutive entries of one session in
//! one conversation are encoded once, and shared by all who read them. Each reader still sees ids
//! in order, since a block ends where another session or conversation comes in between.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::watch::Passed;
use super::{HubState, Seat, Tally};
use crate::chat::{Batch, Effect, Who};
use crate::entry::{
    AccountId, ConversationId, Cursor, DeviceNumber, Entry, EntryId, EntryKind, EntryPos, Key,
    MoveNumber, SessionId,
};
use crate::limits;
use crate::name::Target;
use crate::outbox::{Block, Outbox, Pushed, Watermark, Withdrawal};
use crate::store::{Change, Newest};
use crate::wire::reply::Reply;
use crate::wire::request::Events;
use crate::wire::rows::{Bye, EntryLine, ErrLine, NoticeLine, ReceiptLine};

/// Consecutive entries of one session in one conversation, about to be told.
struct Run {
    who: Who,
    kind: EntryKind,
    /// Where the first stands.
    first: EntryPos,
    /// Number of entries.
    count: u64,
    block: Block,
}

/// Of large groups, the members who are online and may see what is written now. To look for them
/// among thousands for each message would take longer than to tell them. Good for one batch, until
/// the group changes.
#[derive(Default)]
struct Audiences(FxHashMap<ConversationId, Vec<AccountId>>);

/// Which sessions of an account are disconnected.
#[derive(Clone, Copy)]
enum Ended {
    /// Those opened with this key, which was revoked.
    By(Key),
    /// Those of this device, which was deleted.
    Device(DeviceNumber),
    All,
}

impl HubState {
    /// Tells the effects of a batch. If it could not be recorded, only its commands are answered,
    /// with a refusal.
    pub(super) fn tell(&mut self, mut batch: Batch, committed: bool) {
        let mut run: Option<Run> = None;
        let (mut line, mut audiences) = (Vec::new(), Audiences::default());
        for (at, (who, effect)) in batch.effects.into_iter().enumerate() {
            if run.as_ref().is_some_and(|run| run.who.session != who.session) {
                self.close(run.take(), &mut audiences);
            }
            match effect {
                Effect::Answer { verb, answer } => {
                    // A refusal may also rest on changes that were not recorded.
                    let answer = if committed { answer } else { Err(self.lost.clone()) };
                    let Some(seat) = self.seats.get(&who.session) else {
                        continue;
                    };
                    match &answer {
                        Ok(reply) => log_key_change(who, &seat.outbox, reply),
                        Err(refusal) => self.tally.refused(refusal.code()),
                    }
                    let sent = match &answer {
                        Ok(
                            Reply::Sent { verb: "MSG" | "RE" | "FWD", id, .. }
                            | Reply::FileSent { id, .. },
                        ) => Some(*id),
                        _ => None,
                    };
                    let wake = seat.outbox.answer(sent, |out| match &answer {
                        Ok(reply) => reply.write(out),
                        Err(refusal) => ErrLine::write_refusal(out, verb, refusal),
                    });
                    if wake {
                        self.to_wake.push(seat.outbox.clone());
                    }
                }
                _ if !committed => {}
                Effect::Placed(put) => {
                    put.take();
                    #[cfg(feature = "postgres")]
                    self.tell_taken(who.session);
                }
                Effect::Entry { at, from, to } => {
                    let Some(Change::Entry(new)) = batch.changes.get_mut(at) else {
                        continue;
                    };
                    let (pos, time, kind) = (new.pos, new.time, new.kind);
                    let (id, body, tags) = (pos.id, std::mem::take(&mut new.body), new.tags.take());
                    if let Some(seat) = self.seats.get(&who.session)
                        && seat.notes_own(who.session)
                    {
                        seat.outbox.authored(id);
                        if who.session.node() > 0 {
                            self.to_wake.push(seat.outbox.clone());
                        }
                    }
                    if tags.as_ref().is_some_and(|tags| tags.fwd > 0)
                        && let Some(seat) = self.seats.get(&who.session)
                    {
                        seat.outbox.forwarded(body.len() as u64);
                    }
                    // A change of a group may change who its readers are, so it gets a block of its
                    // own. Marks are for those who may see their message: in a direct chat for
                    // both.
                    let fits = |run: &Run| {
                        let alike = match (run.kind, kind) {
                            (EntryKind::Message, EntryKind::Message) => true,
                            (before, kind) if before.is_mark() && kind.is_mark() => {
                                run.first.about == pos.about
                                    || matches!(to, Target::Person(_))
                                        && run.first.author == pos.author
                            }
                            _ => false,
                        };
                        alike
                            && run.first.conversation == pos.conversation
                            && self.lines.len() < limits::BLOCK
                    };
                    // A new text in the same run as its deletion would still be sent.
                    if kind == EntryKind::Del || !run.as_ref().is_some_and(fits) {
                        self.close(run.take(), &mut audiences);
                    }
                    let entry = Entry { id, time, from, to, kind, tags, body };
                    let open = run.get_or_insert_with(|| Run::open(who, &pos, &entry));
                    open.block.last = id;
                    open.count += 1;
                    self.tally.messages += u64::from(kind == EntryKind::Message);
                    self.tally.marks += u64::from(kind.is_mark());
                    if kind == EntryKind::Del {
                        self.needs_wipe = true;
                        self.withdraw(&pos);
                    }
                    EntryLine::event(&entry).write(&mut self.lines);
                    if !self.watches.is_empty() {
                        self.answers(&pos, &entry);
                    }
                }
                Effect::Receipt { receipt, conversation, number, readers, was, hidden_from } => {
                    self.close(run.take(), &mut audiences);
                    self.tally.receipts += 1;
                    line.clear();
                    ReceiptLine::event(&receipt).write(&mut line);
                    self.tell_receipt(who, &line, number, &readers);
                    let account = who.account;
                    if let Some([delivered, read]) = was {
                        let id = receipt.id;
                        // An entry that is read counts as received.
                        let upto = if receipt.cursor == Cursor::Read { id } else { read };
                        let between = [(delivered, id), (read, upto)];
                        let again = false;
                        self.passed(&Passed {
                            at,
                            conversation,
                            account,
                            between,
                            again,
                            hidden_from,
                        });
                    }
                }
                Effect::Present { conversation, account, was, on: again } => {
                    let (between, hidden_from) = (was.map(|was| (was, EntryId(i64::MAX))), None);
                    self.passed(&Passed { at, conversation, account, between, again, hidden_from });
                }
                Effect::Disconnect { key } => self.disconnect(who, Ended::By(key)),
                Effect::DisconnectDevice(number) => self.disconnect(who, Ended::Device(number)),
                Effect::DisconnectAll { gone } => {
                    self.disconnect(who, Ended::All);
                    if gone {
                        self.gone(who.account);
                    }
                }
            }
        }
        self.close(run, &mut audiences);
        let Newest { entry, moved, .. } = self.chat.newest();
        self.told = Watermark { entries: entry, moves: moved };
        self.chat.committed();
    }

    /// Takes the text of a deleted message out of what waits for the sessions of all who may have
    /// seen it, those who have left its group since included.
    fn withdraw(&mut self, mark: &EntryPos) {
        let message = EntryPos { id: mark.about, about: EntryId(0), ..*mark };
        let mut withdrawal = Withdrawal::new(message.id, mark.id);
        for account in self.chat.readers(message) {
            let sessions = self.online.get(&account).map_or(&[][..], |p| &p.sessions);
            for seat in sessions.iter().filter_map(|session| self.seats.get(session)) {
                if seat.outbox.withdraw(&mut withdrawal) {
                    self.to_wake.push(seat.outbox.clone());
                }
            }
        }
    }

    /// Pushes a run of entries to everyone who may read it.
    fn close(&mut self, run: Option<Run>, audiences: &mut Audiences) {
        let Some(Run { who, kind, first, count, mut block }) = run else {
            return;
        };
        // An exact copy without spare capacity, since outboxes are bounded by the bytes of their
        // lines.
        block.lines = self.lines.to_vec();
        self.lines.clear();
        let at = Watermark { entries: EntryId(first.id.0 - 1), ..self.told };
        let block = Arc::new(block);
        let group = first.conversation;
        if kind == EntryKind::Group {
            audiences.0.remove(&group);
        }
        let is_large =
            kind == EntryKind::Message && self.chat.member_count(group) > limits::LARGE_GROUP;
        #[cfg(feature = "postgres")]
        self.note_readers(first, is_large);
        let audience =
            is_large.then(|| &*audiences.0.entry(group).or_insert_with(|| self.audience(first)));
        let (chat, online) = (&self.chat, &mut self.online);
        let (seats, to_wake, tally) = (&mut self.seats, &mut self.to_wake, &mut self.tally);
        let mut tell = |account| {
            let Some(presence) = online.get_mut(&account) else { return };
            presence.newest = block.last;
            for session in presence.sessions.iter().filter(|s| **s != who.session) {
                let is_in = push(seats, *session, to_wake, tally, |o| o.push(&block, at));
                tally.deliveries += if is_in { count } else { 0 };
            }
        };
        match audience {
            Some(audience) => audience.iter().copied().for_each(&mut tell),
            None => chat.readers(first).for_each(&mut tell),
        }
        self.told.entries = block.last;
    }

    /// The accounts that are online and may see an entry.
    fn audience(&self, pos: EntryPos) -> Vec<AccountId> {
        self.chat.readers(pos).filter(|account| self.online.contains_key(account)).collect()
    }

    fn tell_receipt(&mut self, who: Who, line: &[u8], number: MoveNumber, readers: &[AccountId]) {
        let at = Watermark { moves: MoveNumber(number.0 - 1), ..self.told };
        if readers.contains(&who.account)
            && let Some(seat) = self.seats.get(&who.session)
            && seat.notes_own(who.session)
        {
            seat.outbox.moved(number);
            if who.session.node() > 0 {
                self.to_wake.push(seat.outbox.clone());
            }
        }
        #[cfg(feature = "postgres")]
        self.note_receipt(readers);
        for account in readers {
            let Some(presence) = self.online.get_mut(account) else {
                continue;
            };
            presence.moved = number;
            if *account != who.account {
                presence.due = number;
            }
            // Those that only watch are told what their own account has read, and nothing else.
            let is_told = |seat: &Seat| *account == who.account || seat.events != Events::Watch;
            for session in presence.sessions.iter().filter(|s| **s != who.session) {
                if let Some(seat) = self.seats.get_mut(session).filter(|seat| is_told(seat)) {
                    if let Some(device) = &mut seat.device {
                        device.due = number;
                    }
                    push(&mut self.seats, *session, &mut self.to_wake, &mut self.tally, |o| {
                        o.push_receipt(line, number, at)
                    });
                }
            }
        }
        self.told.moves = number;
    }

    /// Tells every session that gets events; those that still read the log once they are done with
    /// that. Returns how many those are. Who is away never learns of it.
    pub(super) fn announce(&mut self, text: &str) -> usize {
        let mut line = Vec::new();
        NoticeLine { time: self.now, text: text.into() }.write(&mut line);
        let with_events = self.seats.iter().filter(|(_, seat)| seat.events != Events::Quiet);
        let sessions: Vec<SessionId> = with_events.map(|(session, _)| *session).collect();
        let at = self.told;
        for session in &sessions {
            let (seats, to_wake) = (&mut self.seats, &mut self.to_wake);
            let push_line = |outbox: &Outbox| outbox.push_notices(&line, at);
            if !push(seats, *session, to_wake, &mut self.tally, push_line) {
                let notices = self.notices.entry(*session).or_default();
                if notices.len() < limits::LINE {
                    notices.extend_from_slice(&line);
                }
            }
        }
        sessions.len()
    }

    /// Disconnects sessions of an account.
    fn disconnect(&self, who: Who, which: Ended) {
        for session in self.ended(who, which) {
            if let Some(seat) = self.seats.get(&session) {
                seat.outbox.hang_up(Bye::Kicked);
            }
        }
    }

    /// The sessions to disconnect. The session that changed the password stays.
    fn ended(&self, who: Who, which: Ended) -> SmallVec<[SessionId; 2]> {
        let sessions = self.online.get(&who.account).map_or(&[][..], |p| &p.sessions);
        let is_ended = |session: &SessionId| {
            self.seats.get(session).is_some_and(|seat| match which {
                Ended::By(Key::Password) => seat.key == Key::Password && *session != who.session,
                Ended::By(key) => seat.key == key,
                Ended::Device(number) => seat.device() == Some(number),
                Ended::All => true,
            })
        };
        sessions.iter().copied().filter(is_ended).collect()
    }

    /// If the last decision disconnects sessions, refuses their acts from now on, and not only once
    /// that is on disk: whoever holds a revoked key must not use the time in between to create
    /// another.
    pub(super) fn revoke(&mut self) {
        let (who, which) = match self.chat.latest() {
            Some((who, Effect::Disconnect { key })) => (*who, Ended::By(*key)),
            Some((who, Effect::DisconnectDevice(number))) => (*who, Ended::Device(*number)),
            Some((who, Effect::DisconnectAll { .. })) => (*who, Ended::All),
            _ => return,
        };
        #[cfg(feature = "postgres")]
        self.note_revoked();
        for session in self.ended(who, which) {
            if let Some(seat) = self.seats.get_mut(&session)
                && !std::mem::replace(&mut seat.revoked, true)
            {
                self.revoked.push(session);
            }
        }
    }
}

/// Logs a change of what opens an account, in the form that contrib/OPERATING.md promises (*Logs*).
fn log_key_change(who: Who, outbox: &Outbox, reply: &Reply) {
    let (event, field) = match reply {
        Reply::PasswordChanged => ("passwd", String::new()),
        Reply::TokenMade { label, .. } => ("token-new", format!(" label={label}")),
        Reply::TokenDropped(label) => ("token-del", format!(" label={label}")),
        Reply::DeviceDropped(device) => ("device-del", format!(" device={device}")),
        Reply::Linked { user, on: true } => ("uid-link", format!(" uid={user}")),
        Reply::Linked { user, on: false } => ("uid-unlink", format!(" uid={user}")),
        _ => return,
    };
    let (session, from) = (who.session.0, outbox.origin());
    let handle = outbox.owner().map_or_else(String::new, |handle| format!(" handle={handle}"));
    log::info!("{event} session={session} from={from}{handle}{field}");
}

impl Run {
    fn open(who: Who, pos: &EntryPos, entry: &Entry) -> Run {
        let (from, to) = (entry.from.clone(), entry.to.clone());
        let block = Block { lines: Vec::new(), last: entry.id, from, to };
        Run { who, kind: entry.kind, first: *pos, count: 0, block }
    }
}

/// Pushes to a session if it is live. If there is no room for that, the session falls behind.
/// Returns whether the push is in its outbox.
fn push(
    seats: &mut FxHashMap<SessionId, Box<Seat>>,
    session: SessionId,
    to_wake: &mut Vec<Arc<Outbox>>,
    tally: &mut Tally,
    push: impl FnOnce(&Outbox) -> Pushed,
) -> bool {
    let Some(seat) = seats.get_mut(&session).filter(|seat| seat.pushes) else {
        return false;
    };
    match push(&seat.outbox) {
        Pushed::In { wake: false } => true,
        Pushed::In { wake: true } => {
            to_wake.push(seat.outbox.clone());
            true
        }
        Pushed::Behind => {
            seat.pushes = false;
            tally.behind += 1;
            to_wake.push(seat.outbox.clone());
            false
        }
    }
}
