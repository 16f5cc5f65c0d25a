//! `FLAG`: what an account notes about a conversation, for all its clients.
//!
//! The flags that hold are kept with the member. Each change of one is a mark in the account's own
//! notes, about no message, so it reaches the other sessions and devices as marks do. A flag that is
//! replaced is void, and so is `unread` once something is read there; one whose time is over simply
//! does not hold any more.

use super::devices::tagged;
use super::messages::Destination;
use super::stop::{Stop, both};
use super::{Chat, Effect, Plan, Who};
use crate::chat_flags::{ChatFlag, FlagValue};
use crate::entry::{AccountId, EntryId, EntryKind, Millis};
use crate::name::{Handle, Target};
use crate::store::{Change, Pair};
use crate::wire::refusal::Refusal;
use crate::wire::reply::Reply;
use crate::wire::rows::flag_text;

/// A change of a flag that may be made.
pub(super) struct FlagPlan {
    me: Handle,
    to: Target,
    flagged: Destination,
    /// The account's own notes; the same conversation if they are what is flagged.
    notes: Destination,
    flag: ChatFlag,
    value: FlagValue,
}

impl Chat {
    /// Plans to set a flag of a conversation, or to take it away. What holds already changes
    /// nothing.
    pub(super) fn plan_flag(
        &self,
        who: Who,
        to: &Target,
        flag: ChatFlag,
        value: FlagValue,
        now: Millis,
    ) -> Result<Plan, Stop> {
        let me = who.account;
        let notes = self.directory.direct(Pair::of(me, me)).map_err(Stop::from);
        let flagged = both(self.flagged(me, to), notes);
        let (account, (flagged, notes)) = both(self.directory.account(me), flagged)?;
        let was = match flagged {
            Destination::Known(id) => {
                let log = self.directory.conversation(id)?;
                log.member(me).map_or(FlagValue::Off, |member| member.flags.value(flag))
            }
            Destination::New(_) => FlagValue::Off,
        };
        if was == value || (value == FlagValue::Off && !was.is_on(now)) {
            let reply = Reply::Flagged { to: to.clone(), flag };
            return Ok(Plan::Reply { verb: "FLAG", reply });
        }
        let me = (me, account.handle.clone());
        let notes = notes.map_or(Destination::New(Pair::of(me.0, me.0)), Destination::Known);
        let (me, to) = (me.1, to.clone());
        Ok(Plan::Flag(Box::new(FlagPlan { me, to, flagged, notes, flag, value })))
    }

    /// The conversation that `me` calls so: also one with a deleted account, or a group that `me` has
    /// left, since both stay in its list.
    fn flagged(&self, me: AccountId, to: &Target) -> Result<Destination, Stop> {
        match to {
            Target::Group(name) => {
                let no_group = || Refusal::NoSuchGroup(name.clone());
                let (id, _) = self.directory.entrance(me, name, None)?.ok_or_else(no_group)?;
                let known = self.directory.conversation_of(me, id)?;
                known.map(|_| Destination::Known(id)).ok_or_else(|| no_group().into())
            }
            Target::Person(handle) => {
                let no_user = || Refusal::NoSuchUser(handle.clone());
                let other = self.directory.handle(handle)?.ok_or_else(no_user)?;
                let pair = Pair::of(me, other);
                let known = both(self.directory.account(other), self.directory.direct(pair))?;
                match known {
                    (_, Some(id)) => Ok(Destination::Known(id)),
                    (account, None) if account.gone => Err(no_user().into()),
                    (_, None) => Ok(Destination::New(pair)),
                }
            }
        }
    }

    pub(super) fn flag(&mut self, who: Who, plan: FlagPlan, now: Millis) {
        let FlagPlan { me, to, flagged, notes, flag, value } = plan;
        let mut open = |destination| match destination {
            Destination::Known(id) => id,
            Destination::New(pair) => self.open_direct(pair),
        };
        let are_notes =
            matches!((&flagged, &notes), (Destination::New(a), Destination::New(b)) if a == b);
        let flagged = open(flagged);
        let notes = if are_notes { flagged } else { open(notes) };
        let text = flag_text(&to, flag, value);
        let (kind, tags) = ((EntryKind::Flag, text.into()), tagged(who, None));
        let (id, at) = self.append_mark(notes, EntryId(0), who.account, kind, tags, now);
        let log = self.directory.conversation_mut(flagged);
        let member = log.and_then(|log| log.member_mut(who.account));
        let replaced = member.and_then(|member| member.flags.set(flag, value, id));
        self.batch.changes.extend(replaced.map(|mark| Change::Voided { mark }));
        self.touched.push((flagged, who.account));
        self.answer(who, "FLAG", Ok(Reply::Flagged { to, flag }));
        let to = Target::Person(me.clone());
        self.tell(who, Effect::Entry { at, from: me, to });
    }
}
