//! Calls: whom a message in a group names, as `@bob`, so that clients can alert them. Only members
//! are called, and nobody calls themselves.

use super::Chat;
use super::stop::{Stop, all, both};
use crate::entry::{AccountId, Call};
use crate::limits;
use crate::store::{Conversation, Member};
use crate::wire::calls;

impl Chat {
    /// Whom a message of `me` in a group calls: `first`, whom it answers, then the members that its
    /// text names, in their order.
    ///
    /// # Errors
    /// What has to be looked up first.
    pub(super) fn calls(
        &self,
        me: AccountId,
        log: &Conversation,
        first: Option<AccountId>,
        text: &str,
    ) -> Result<Vec<Call>, Stop> {
        let named = named(text);
        let is_admin = log.member(me).is_some_and(|member| member.admin);
        let is_in = |id: AccountId| id != me && log.member(id).is_some_and(Member::is_in);
        let calls = named.into_iter().map(|call| match call {
            Call::All => Ok(is_admin.then_some(Call::All)),
            Call::Handle(handle) => {
                let known = self.directory.handle(&handle)?;
                Ok(known.is_some_and(is_in).then_some(Call::Handle(handle)))
            }
        });
        let first = first.map(|author| self.directory.account(author)).transpose();
        let (called, first) = both(all(limits::CALLS, calls), first)?;
        let first = first.map(|author| Call::Handle(author.handle.clone()));
        let mut calls: Vec<Call> = first.into_iter().collect();
        for call in called.into_iter().flatten() {
            if calls.len() < limits::CALLS && !calls.contains(&call) {
                calls.push(call);
            }
        }
        Ok(calls)
    }
}

/// What a text may call, each once and in order: at most [`limits::CALLS_READ`].
fn named(text: &str) -> Vec<Call> {
    let mut named = Vec::new();
    for call in calls::called(text) {
        if !named.contains(&call) {
            named.push(call);
            if named.len() == limits::CALLS_READ {
                break;
            }
        }
    }
    named
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_named_once_and_so_many_and_no_more() {
        assert_eq!(named("@bob @all @BOB @all, @bob").len(), 2);
        let many: String = (0..2 * limits::CALLS_READ).map(|n| format!("@u{n} ")).collect();
        assert_eq!(named(&many).len(), limits::CALLS_READ);
    }
}
