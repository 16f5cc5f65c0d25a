//! Keys under which a command is carried out at most once, whoever repeats it.

use sha2::{Digest, Sha256};

use super::stop::{Stop, both};
use super::{Act, Chat, Effect, Plan, Who};
use crate::entry::{AccountId, EntryId, Millis};
use crate::store::{Change, Once};
use crate::wire::refusal::Refusal;
use crate::wire::reply::Reply;

/// A key, and the digest of what is asked for under it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "postgres", derive(serde::Serialize, serde::Deserialize))]
pub struct OnceKey {
    pub(super) key: Box<str>,
    pub(super) digest: [u8; 32],
}

impl OnceKey {
    /// `what` is the command without its text.
    pub fn new(key: &str, what: &str, text: &str) -> OnceKey {
        let digest = Sha256::new().chain_update(what).chain_update([0]);
        OnceKey { key: key.into(), digest: digest.chain_update(text).finalize().into() }
    }
}

impl Chat {
    /// The answer to a command that was sent before under the same `ONCE` key; refused if another
    /// one was. `verb` is that of the command under the key.
    pub(super) fn first_sent(
        &self,
        me: AccountId,
        once: Option<&OnceKey>,
        verb: &'static str,
    ) -> Result<Option<Plan>, Stop> {
        let Some(OnceKey { key, digest }) = once else { return Ok(None) };
        match self.directory.once(me, key)? {
            None => Ok(None),
            Some(first) if first.digest == *digest => {
                let reply = Reply::Sent { verb, id: first.id, time: first.time };
                Ok(Some(Plan::Reply { verb: "ONCE", reply }))
            }
            Some(first) => {
                let (key, message) = (key.clone(), first.id);
                Err(Refusal::KeyReused { key, message }.into())
            }
        }
    }

    /// Plans an act that makes an entry or strikes a command for later, unless that was done under
    /// its key.
    pub(super) fn plan_once(
        &self,
        who: Who,
        once: &OnceKey,
        act: &Act,
        now: Millis,
    ) -> Result<Plan, Stop> {
        let verb = if act.verb() == "ONCE" { "MSG" } else { act.verb() };
        let is_new = match self.first_sent(who.account, Some(once), verb) {
            Ok(Some(plan)) => return Ok(plan),
            Err(Stop::Refused(refusal)) => return Err(refusal.into()),
            Err(needs) => Err(needs),
            Ok(None) => Ok(()),
        };
        let ((), plan) = both(is_new, self.plan(who, act, now))?;
        Ok(Plan::Once(Box::new((once.clone(), plan))))
    }

    /// Carries out a plan, and notes under its key which entry it made, or which says the same; 0
    /// if it makes none.
    pub(super) fn once(
        &mut self,
        who: Who,
        (once, plan): (OnceKey, Plan),
        text: Box<str>,
        now: Millis,
    ) {
        let before = self.batch.effects.len();
        self.apply(who, plan, text, now);
        let made = self.batch.effects[before..].iter().find_map(|(_, effect)| match effect {
            Effect::Answer { answer: Ok(Reply::Sent { id, time, .. }), .. } => Some((*id, *time)),
            Effect::Answer { answer: Ok(Reply::Unscheduled { .. }), .. } => Some((EntryId(0), now)),
            _ => None,
        });
        if let Some((id, time)) = made {
            let OnceKey { key, digest } = once;
            self.learn_once(who, key, Once { digest, file: None, id, time });
        }
    }

    /// Records what was done under a key.
    pub(super) fn learn_once(&mut self, who: Who, key: Box<str>, once: Once) {
        self.directory.learn_once(who.account, key.clone(), once.clone());
        self.batch.changes.push(Change::Once { account: who.account, key, once });
    }
}
