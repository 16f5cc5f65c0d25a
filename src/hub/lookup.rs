//! What the rules need to know and do not: it is looked up in the store, and they are asked again.

use super::Desk;
use crate::chat::directory::Need;
use crate::chat::{Chat, Stop};
use crate::store::{Cause, Error};
use crate::wire::refusal::Refusal;

/// What a client is told of a failure of the store.
pub fn unkept(error: &Error) -> Refusal {
    match error.cause() {
        Cause::Disk => Refusal::Storage,
        Cause::Busy => Refusal::Held,
        Cause::Damaged | Cause::Gone => Refusal::Broken,
        Cause::Bug => Refusal::Bug,
    }
}

impl Desk {
    /// Asks the rules, and looks up what they need until they can decide.
    ///
    /// # Errors
    /// Why it was not done.
    pub(super) fn decide<T>(
        &mut self,
        mut ask: impl FnMut(&mut Chat) -> Result<T, Stop>,
    ) -> Result<T, Refusal> {
        loop {
            let needs = match ask(&mut self.chat) {
                Ok(decided) => return Ok(decided),
                Err(Stop::Refused(refusal)) => return Err(refusal),
                Err(Stop::Needs(needs)) => needs,
            };
            let found = needs.into_iter().try_for_each(|need| self.look_up(need));
            found.map_err(|e| self.unreadable(&e))?;
        }
    }

    /// What a client is told where the store cannot be read. It is logged once for as long as it
    /// lasts.
    pub(super) fn unreadable(&mut self, error: &Error) -> Refusal {
        if !std::mem::replace(&mut self.failing, true) {
            log::error!("cannot read the database, nothing is accepted: {error}");
        }
        unkept(error)
    }

    fn look_up(&mut self, need: Need) -> Result<(), Error> {
        self.looked_up += 1;
        let (recall, directory) = (self.record.recall()?, self.chat.directory());
        let found = match &need {
            Need::Handle(handle) => recall.account(handle)?.map(|a| directory.learn_account(a)),
            Need::Account(id) => recall.account_by_id(*id)?.map(|a| directory.learn_account(a)),
            Need::Direct(pair) => recall.direct(*pair)?.map(|c| directory.learn_conversation(c)),
            Need::Room(name) => recall.room(name)?.map(|_| directory.learn_room(name.clone())),
            Need::Membership(me, name) => {
                let found = recall.membership(*me, name)?;
                let group = found.and_then(|(id, is_in)| is_in.then_some(id));
                directory.learn_membership(*me, name.clone(), group);
                Some(())
            }
            Need::Member(me, id) => {
                let on = recall.is_member(*me, *id)?;
                directory.learn_member(*me, *id, on);
                Some(())
            }
            Need::Conversation(id) => {
                recall.conversation(*id)?.map(|c| directory.learn_conversation(c))
            }
            Need::Place(id) => recall.place(*id)?.map(|p| directory.learn_place(p)),
            Need::Blocked(by, whom) => {
                let on = recall.blocked(*by, *whom)?;
                directory.learn_blocked(*by, *whom, on);
                Some(())
            }
            Need::Once(account, key) => recall
                .once(*account, key)?
                .map(|once| directory.learn_once(*account, key.clone(), once)),
            Need::Skipped(id, account, seq) => recall
                .skipped(*id, *account, *seq)?
                .map(|count| directory.learn_skipped((*id, *account, *seq), count)),
            Need::Links(account) => {
                let users = recall.links(*account)?;
                directory.learn_links(*account, users);
                Some(())
            }
            Need::Secret(account) => {
                let secret = recall.secret(*account)?.unwrap_or_default();
                directory.learn_secret(*account, secret);
                Some(())
            }
            Need::Tokens(account) => {
                let tokens = recall.tokens(*account)?;
                directory.learn_tokens(*account, tokens);
                Some(())
            }
        };
        match (found, need) {
            (Some(()), _) => {}
            // These two are only asked for by number, and numbers come from the store.
            (None, Need::Account(_) | Need::Conversation(_)) => {
                return Err(Error::of(Cause::Damaged, "a row that others point to is missing"));
            }
            (None, need) => directory.learn_absence(need),
        }
        Ok(())
    }
}
