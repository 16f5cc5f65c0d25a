//! How long messages are kept: `EXPIRE`, which sets that for a conversation, and what it means that
//! messages have expired, by it or by age.
//!
//! A message remembers how long it is kept, in its tag `exp`. When its time has come the store says
//! so, and the hub has it deleted in a step that shares a batch with other work. Its place in the
//! conversation stays: every count is arithmetic with those, and a cursor may be moved to it.

use super::devices::tagged;
use super::messages::Destination;
use super::stop::{Stop, both};
use super::{Chat, Effect, Plan, Who};
use crate::entry::{EntryKind, EntryPos, Millis};
use crate::name::{Handle, Target};
use crate::store::{Change, Expire};
use crate::wire::refusal::Refusal;
use crate::wire::reply::Reply;

const VERB: &str = "EXPIRE";

/// A permitted `EXPIRE`.
pub(super) struct ExpirePlan {
    from: Handle,
    to: Target,
    destination: Destination,
    seconds: Option<u32>,
}

impl Chat {
    /// Plans how long what is said in a conversation is kept from now on. In a group its admins say
    /// that, in a direct chat either.
    pub(super) fn plan_expire(
        &self,
        who: Who,
        to: &Target,
        seconds: Option<u32>,
    ) -> Result<Plan, Stop> {
        let me = who.account;
        let destination = match to {
            Target::Person(_) => self.conversation_for(me, to),
            Target::Group(name) => {
                self.directory.group_of(me, name).map_err(Stop::from).and_then(|group| {
                    let group = group.ok_or_else(|| Refusal::NoSuchGroup(name.clone()))?;
                    let log = self.directory.conversation(group)?;
                    match log.member(me) {
                        Some(member) if member.admin => Ok(Destination::Known(group)),
                        _ => Err(Refusal::NotAdmin(name.clone()).into()),
                    }
                })
            }
        };
        let (from, destination) = both(self.directory.account(me), destination)?;
        let (from, to) = (from.handle.clone(), to.clone());
        Ok(Plan::Expire(ExpirePlan { from, to, destination, seconds }))
    }

    pub(super) fn set_ttl(&mut self, who: Who, plan: ExpirePlan, now: Millis) {
        let ExpirePlan { from, to, destination, seconds } = plan;
        let conversation = match destination {
            Destination::Known(conversation) => conversation,
            Destination::New(pair) => self.open_direct(pair),
        };
        if let Some(log) = self.directory.conversation_mut(conversation) {
            log.ttl = seconds;
        }
        let said = seconds.map_or_else(|| "-".into(), |seconds| seconds.to_string().into());
        let (kind, tags) = (EntryKind::Expire, tagged(who, None));
        let (pos, at) = self.append(conversation, who.account, kind, tags, said, now);
        self.batch.changes.push(Change::Ttl { conversation, seconds });
        self.answer(who, VERB, Ok(Reply::Sent { verb: VERB, id: pos.id, time: now }));
        self.tell(who, Effect::Entry { at, from, to });
    }

    /// Records a step of expiry, unless it was planned for another state of the log.
    pub fn expire(&mut self, step: Expire) {
        match &step {
            Expire::Entries { after, upto } => {
                if *after != self.newest.floor || upto <= after || *upto > self.newest.entry {
                    return;
                }
                self.newest.floor = *upto;
            }
            Expire::Messages(due) => {
                self.expired.extend(due.iter().map(|(_, id)| *id));
                self.directory.expire(&self.expired);
            }
            Expire::Files { .. }
            | Expire::Swept { .. }
            | Expire::Marks
            | Expire::Rows
            | Expire::Pages => {}
        }
        self.batch.changes.push(Change::Expire(step));
    }

    /// Whether an entry, or the message that it is about, has expired by `EXPIRE`. The store has
    /// those of this batch still.
    pub(super) fn has_expired(&self, pos: &EntryPos) -> bool {
        pos.expired || self.expired.contains(&pos.id) || self.expired.contains(&pos.about)
    }
}
