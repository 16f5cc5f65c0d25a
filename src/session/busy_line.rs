//! The line of busy sessions: those that have had their turn and have more to do.
//!
//! The executor runs tasks first come, first served, so a client that sends one line would wait
//! behind everyone who sends thousands. So busy sessions wait here instead. Addresses take turns,
//! and within an address its accounts. As many sessions are woken at a time as there are threads,
//! so one that was idle finds the executor's own queue short.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use smol::channel::{self, Receiver, Sender};
use smol::future::yield_now;

use crate::entry::AccountId;
use crate::origin::Origin;
use crate::turns::NestedTurns;

pub struct BusyLine {
    waiting: Mutex<NestedTurns<Origin, Option<AccountId>, Waker>>,
    /// One message for each session that joins.
    ring: Sender<()>,
    rung: Receiver<()>,
}

impl Default for BusyLine {
    fn default() -> BusyLine {
        let (ring, rung) = channel::unbounded();
        BusyLine { waiting: Mutex::default(), ring, rung }
    }
}

impl BusyLine {
    /// Waits for a session's next turn; ready early if the session is woken for another reason.
    /// `has_joined` is false before the first call.
    pub fn poll_turn(
        &self,
        has_joined: &mut bool,
        origin: Origin,
        account: Option<AccountId>,
        cx: &Context,
    ) -> Poll<()> {
        if std::mem::replace(has_joined, true) {
            return Poll::Ready(());
        }
        self.waiting().push(origin.rate_key(), account, cx.waker().clone());
        // The channel is unbounded and never closed.
        let _ = self.ring.try_send(());
        Poll::Pending
    }

    /// Hands out turns forever; one task per executor thread runs this.
    pub async fn serve(&self) {
        while self.rung.recv().await.is_ok() {
            let next = self.waiting().pop();
            if let Some(next) = next {
                next.wake();
                // Goes to the back of the executor's queue, behind the session just woken.
                yield_now().await;
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        self.waiting().is_empty()
    }

    fn waiting(&self) -> MutexGuard<'_, NestedTurns<Origin, Option<AccountId>, Waker>> {
        // No code that holds the lock can panic halfway through a change.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use smol::LocalExecutor;

    use super::*;

    #[test]
    fn whoever_comes_from_elsewhere_waits_for_one_turn() {
        let (line, said) = (BusyLine::default(), Mutex::new(Vec::new()));
        let tasks = LocalExecutor::new();
        let join = |address: &str, account, name: &'static str, turns: usize| {
            let origin = Origin::of(address.parse().unwrap());
            let (line, said) = (&line, &said);
            async move {
                for _ in 0..turns {
                    let (account, mut has_joined) = (Some(AccountId(account)), false);
                    poll_fn(|cx| line.poll_turn(&mut has_joined, origin, account, cx)).await;
                    said.lock().unwrap().push(name);
                }
            }
        };
        for account in 1..=3 {
            tasks.spawn(join("192.0.2.1", account, "busy", 100)).detach();
        }
        let other = tasks.spawn(join("192.0.2.2", 4, "other", 2));
        let all = async {
            other.await;
            said.lock().unwrap().clone()
        };
        let served = smol::future::or(all, async {
            line.serve().await;
            Vec::new()
        });
        let said = smol::block_on(tasks.run(served));
        let first = said.iter().position(|name| *name == "other").unwrap();
        let second = said.iter().rposition(|name| *name == "other").unwrap();
        assert!(first <= 3 && second - first <= 3, "{said:?}");
    }
}
