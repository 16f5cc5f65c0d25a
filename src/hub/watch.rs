//! `WAIT`: who waits until whose cursors have come where.
//!
//! What is still awaited is a list that only shrinks: a cursor that comes by, or a member who goes,
//! takes its account off it. So a receipt costs one look at who waits in its conversation.

use super::Desk;
use crate::chat::Who;
use crate::entry::{AccountId, ConversationId, Cursor, EntryId, SessionId};
use crate::wire::refusal::Refusal;
use crate::wire::reply::{self, Reply};

/// One session that waits.
pub(super) struct Watch {
    session: SessionId,
    author: AccountId,
    id: EntryId,
    cursor: Cursor,
    awaited: Vec<AccountId>,
}

impl Desk {
    /// Begins a watch. It is answered after the batch, when nobody is awaited any more.
    pub(super) fn watch(&mut self, session: SessionId, id: EntryId, cursor: Cursor) {
        let Some(seat) = self.seats.get(&session) else { return };
        let who = Who { session, account: seat.account, key: seat.key };
        match self.known(|chat| chat.awaited(who, cursor, id)) {
            Ok(Some((conversation, awaited))) => {
                self.fulfilled |= awaited.is_empty();
                self.new_watches.push(session);
                if let Some(seat) = self.seats.get_mut(&session) {
                    seat.watches = Some(conversation);
                }
                let author = who.account;
                let watch = Watch { session, author, id, cursor, awaited };
                self.watches.entry(conversation).or_default().push(watch);
            }
            Ok(None) => self.answer_watch(session, Err(Refusal::NoSuchMessage(id.0))),
            Err(e) => {
                log::error!("cannot read the database: {e}");
                self.answer_watch(session, Err(Refusal::Storage));
            }
        }
    }

    /// Ends a session's watch without success, if it has one.
    pub(super) fn end_watch(&mut self, session: SessionId, why: Refusal) {
        if let Some(conversation) = self.seats.get(&session).and_then(|seat| seat.watches) {
            self.drop_watch(session, conversation);
            self.answer_watch(session, Err(why));
        }
    }

    /// Forgets the watch of a session. It looks at those of one conversation only.
    pub(super) fn drop_watch(&mut self, session: SessionId, conversation: ConversationId) {
        if let Some(watches) = self.watches.get_mut(&conversation) {
            watches.retain(|watch| watch.session != session);
            if watches.is_empty() {
                self.watches.remove(&conversation);
            }
        }
    }

    /// A cursor has come to an entry, unseen by `hidden_from`.
    pub(super) fn came(
        &mut self,
        conversation: ConversationId,
        account: AccountId,
        cursor: Cursor,
        id: EntryId,
        hidden_from: Option<AccountId>,
    ) {
        for watch in self.watches.get_mut(&conversation).into_iter().flatten() {
            // What is read has been received.
            let covers = cursor == watch.cursor || cursor == Cursor::Read;
            if covers && id >= watch.id && hidden_from != Some(watch.author) {
                watch.awaited.retain(|awaited| *awaited != account);
                self.fulfilled |= watch.awaited.is_empty();
            }
        }
    }

    /// An account is gone for ever: nobody waits for it any more.
    pub(super) fn gone(&mut self, account: AccountId) {
        for watch in self.watches.values_mut().flatten() {
            watch.awaited.retain(|awaited| *awaited != account);
            self.fulfilled |= watch.awaited.is_empty();
        }
    }

    /// Answers those who wait for nobody any more.
    pub(super) fn answer_watches(&mut self, kept: bool) {
        // Those who began with a batch that was not kept may have counted on what never was.
        for session in std::mem::take(&mut self.new_watches) {
            if !kept {
                self.end_watch(session, Refusal::Storage);
            }
        }
        if !std::mem::take(&mut self.fulfilled) {
            return;
        }
        let mut done = Vec::new();
        self.watches.retain(|_, watches| {
            watches.retain(|watch| {
                let waits = !watch.awaited.is_empty();
                if !waits {
                    done.push((watch.session, watch.id, watch.cursor));
                }
                waits
            });
            !watches.is_empty()
        });
        for (session, id, cursor) in done {
            self.answer_watch(session, Ok(Reply::Waited { id, cursor }));
        }
    }

    fn answer_watch(&mut self, session: SessionId, answer: Result<Reply, Refusal>) {
        let Some(seat) = self.seats.get_mut(&session) else { return };
        seat.watches = None;
        if let Err(refusal) = &answer {
            self.tally.refused(refusal.code());
        }
        let wake = seat.outbox.answer(None, |out| match &answer {
            Ok(reply) => reply::ok(out, reply),
            Err(refusal) => reply::err(out, "WAIT", refusal),
        });
        if wake {
            self.stirred.push(seat.outbox.clone());
        }
    }
}
