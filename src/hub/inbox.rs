//! The hub's inbox: sessions and other threads put work in, the hub's thread takes it out.
//!
//! The hub sleeps while the inbox is empty. To wake it costs a system call, and on a shared core it
//! then runs at once, with whatever little has been put in so far. So a thread that serves many
//! sessions wakes it once, when it has served all that were ready (a *pass*), and the hub finds the
//! work of all of them in one batch. The work itself is put in at once, so that the work of a
//! session stays in order whichever thread serves it next, and a hub that is awake has it at once.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::mpsc::RecvError;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use super::Work;
use crate::limits;

thread_local! {
    static PASS: Cell<Pass> = const { Cell::new(Pass::None) };
}

/// Whether a thread is in a pass. A thread puts work into one hub's inbox only.
#[derive(Clone, Copy)]
enum Pass {
    None,
    /// In a pass in which no work has been put in.
    Silent,
    /// Work has been put in, since then, and the hub still has to be woken.
    Owes(Instant),
}

#[derive(Default)]
struct Inbox {
    works: VecDeque<Work>,
    /// The hub's thread, while it sleeps or is about to.
    sleeper: Option<Thread>,
    /// Nobody is left who could put work in.
    closed: bool,
    /// The hub has ended: work that is put in is dropped.
    ended: bool,
}

/// Puts work in; the inbox is closed when it is dropped.
pub(super) struct InboxSender(Arc<Mutex<Inbox>>);

/// Takes work out; for the hub's thread.
pub(super) struct InboxReceiver(Arc<Mutex<Inbox>>);

/// An empty inbox.
pub(super) fn inbox() -> (InboxSender, InboxReceiver) {
    let inbox = Arc::<Mutex<Inbox>>::default();
    (InboxSender(inbox.clone()), InboxReceiver(inbox))
}

fn lock(inbox: &Mutex<Inbox>) -> MutexGuard<'_, Inbox> {
    // No code that holds the lock can panic halfway through a change.
    inbox.lock().unwrap_or_else(PoisonError::into_inner)
}

impl InboxSender {
    /// Puts work in. If the hub has ended, it is dropped.
    pub(super) fn send(&self, work: Work) {
        let mut inbox = lock(&self.0);
        if inbox.ended {
            // Without the lock: what is dropped with it may wake somebody.
            drop(inbox);
            return drop(work);
        }
        inbox.works.push_back(work);
        if inbox.sleeper.is_none() {
            return;
        }
        match PASS.get() {
            Pass::None => wake(inbox),
            Pass::Silent => PASS.set(Pass::Owes(Instant::now())),
            Pass::Owes(_) => {}
        }
    }

    /// Wakes the hub if it has waited long enough for the end of the current pass.
    pub(super) fn bound_pass(&self, now: Instant) {
        if let Pass::Owes(since) = PASS.get()
            && now.duration_since(since) >= limits::PASS
        {
            PASS.set(Pass::Silent);
            wake(lock(&self.0));
        }
    }

    /// Runs a pass: the hub is woken at its end, if work was put in.
    pub(super) fn pass<T>(&self, run: impl FnOnce() -> T) -> T {
        PASS.set(Pass::Silent);
        let done = run();
        if let Pass::Owes(_) = PASS.replace(Pass::None) {
            wake(lock(&self.0));
        }
        done
    }
}

impl Drop for InboxSender {
    fn drop(&mut self) {
        let mut inbox = lock(&self.0);
        inbox.closed = true;
        wake(inbox);
    }
}

fn wake(mut inbox: MutexGuard<'_, Inbox>) {
    let sleeper = inbox.sleeper.take();
    drop(inbox);
    if let Some(sleeper) = sleeper {
        sleeper.unpark();
    }
}

impl InboxReceiver {
    /// The next work; waits for some, for this time at most. `None`: none has come.
    ///
    /// # Errors
    /// There is none, and nobody is left who could put some in.
    pub(super) fn recv(&self, time: Option<Duration>) -> Result<Option<Work>, RecvError> {
        let until = time.map(|time| Instant::now() + time);
        loop {
            let mut inbox = lock(&self.0);
            inbox.sleeper = None;
            let work = inbox.works.pop_front();
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if work.is_none() && inbox.closed {
                return Err(RecvError);
            }
            if work.is_some() || left.is_some_and(|left| left.is_zero()) {
                return Ok(work);
            }
            inbox.sleeper = Some(thread::current());
            drop(inbox);
            left.map_or_else(thread::park, thread::park_timeout);
        }
    }

    /// The next work, if there is any.
    pub(super) fn try_recv(&self) -> Option<Work> {
        lock(&self.0).works.pop_front()
    }

    /// All work that there is.
    pub(super) fn take(&self) -> VecDeque<Work> {
        std::mem::take(&mut lock(&self.0).works)
    }
}

impl Drop for InboxReceiver {
    fn drop(&mut self) {
        lock(&self.0).ended = true;
        // Dropped without the lock: whoever waits for an answer learns that none will come.
        drop(self.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::SessionId;
    use crate::store::Expire;

    fn work(session: u64) -> Work {
        Work::Unwatch { session: SessionId(session) }
    }

    fn session(work: &Work) -> u64 {
        match work {
            Work::Unwatch { session } => session.0,
            _ => unreachable!("only that is put in"),
        }
    }

    fn sleeps(sender: &InboxSender) -> bool {
        lock(&sender.0).sleeper.is_some()
    }

    /// Calls `then` once a thread waits for work, and returns what that finds: the sessions of all
    /// work that there is when it wakes.
    fn found(then: impl FnOnce(&InboxSender)) -> Vec<u64> {
        let (sender, receiver) = inbox();
        thread::scope(|scope| {
            let hub = scope.spawn(move || {
                let first = receiver.recv(None).unwrap().unwrap();
                receiver.take().iter().fold(vec![session(&first)], |mut all, work| {
                    all.push(session(work));
                    all
                })
            });
            while !sleeps(&sender) {
                thread::yield_now();
            }
            then(&sender);
            hub.join().unwrap()
        })
    }

    #[test]
    fn the_hub_finds_the_work_of_a_whole_pass() {
        let found = found(|sender| {
            sender.pass(|| {
                for session in 1..=3 {
                    sender.send(work(session));
                    assert!(sleeps(sender), "it is woken only at the end");
                }
            });
        });
        assert_eq!(found, [1, 2, 3]);
    }

    #[test]
    fn the_hub_does_not_wait_for_the_end_of_a_long_pass() {
        found(|sender| {
            sender.pass(|| {
                sender.send(work(1));
                sender.bound_pass(Instant::now());
                assert!(sleeps(sender), "it has only begun");
                sender.bound_pass(Instant::now() + limits::PASS);
                assert!(!sleeps(sender), "whether or not more work is put in");
            });
        });
    }

    #[test]
    fn outside_of_a_pass_the_hub_is_woken_at_once() {
        found(|sender| {
            sender.pass(|| {});
            sender.send(work(1));
            assert!(!sleeps(sender));
        });
    }

    #[test]
    fn without_senders_the_work_that_is_left_is_the_last() {
        let (sender, receiver) = inbox();
        sender.pass(|| sender.send(work(1)));
        drop(sender);
        assert_eq!(receiver.recv(None).map(|work| session(&work.unwrap())), Ok(1));
        assert!(receiver.recv(None).is_err());
        assert!(receiver.recv(Some(Duration::ZERO)).is_err());
    }

    #[test]
    fn without_work_the_hub_does_not_wait_longer_than_it_has_time() {
        let (sender, receiver) = inbox();
        assert!(receiver.recv(Some(Duration::ZERO)).unwrap().is_none());
        sender.send(work(1));
        assert!(receiver.recv(Some(Duration::ZERO)).unwrap().is_some());
    }

    #[test]
    fn work_for_a_hub_that_has_ended_is_dropped() {
        let (sender, receiver) = inbox();
        let (answer, answered) = smol::channel::bounded(1);
        let ask =
            || sender.send(Work::Expire { step: Expire::Pages, answer: answer.clone().into() });
        ask();
        drop(receiver);
        ask();
        drop(answer);
        assert!(answered.is_closed(), "whoever waits for the answer goes on");
    }
}
