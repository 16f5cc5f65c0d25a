//! The end of a session: pending output is sent, then `BYE`, and the account is left.

use std::future::poll_fn;
use std::io;
use std::task::Poll;
use std::time::Instant;

use smol::Timer;
use smol::channel;
use smol::future::FutureExt;

use super::{SCRATCH, Session};
use crate::entry::{AccountId, DeviceNumber, MoveNumber};
use crate::hub::Work;
use crate::limits;
use crate::outbox::Outgoing;
use crate::wire::rows::Bye;

impl Session {
    /// Sends what is pending and `BYE`, and waits until the last lines have arrived.
    pub(super) async fn farewell(&mut self, bye: Bye) {
        self.lines.clear();
        self.held = None;
        self.deadline = None;
        // A `WAIT` under way will not be answered any more.
        if self.patience.take().is_some() {
            self.unanswered = self.unanswered.saturating_sub(1);
        }
        let is_reply = |item: &Outgoing| matches!(item, Outgoing::Replies(_));
        // If only replies are pending, they go out with `BYE`.
        let due =
            self.unanswered > 0 || self.outbox.has_changed() || !self.output.items().all(is_reply);
        let until = Instant::now() + limits::FAREWELL_TIME;
        let late = async |is_written| {
            Timer::at(until).await;
            is_written
        };
        // A stalled peer would not take it.
        if bye != Bye::Stalled && due {
            Box::pin(self.drain()).or(late(false)).await;
        }
        // The account is offline from here on: a client that has read `BYE` can rely on it.
        let left = self.leave(false);
        self.known_to_have_left(left.map(|(account, ..)| account)).await;
        self.unanswered = 0;
        self.say(|out| bye.write(out));
        let is_written = match bye {
            Bye::Stalled => {
                let _ = self.write_output();
                false
            }
            _ => Box::pin(self.drain()).or(late(false)).await,
        };
        if !is_written || self.stream.finish().is_err() {
            return;
        }
        let linger = async {
            while let Ok(()) = poll_fn(|cx| self.stream.poll_readable(cx)).await {
                match SCRATCH.with_borrow_mut(|scratch| self.stream.read(scratch)) {
                    Ok(Some(0)) => return true,
                    Ok(_) => {}
                    Err(_) => break,
                }
            }
            false
        };
        let late = async {
            Timer::after(limits::LINGER_TIME).await;
            false
        };
        // If the client closes its side in return, it has received everything.
        // What was proved before is recorded with its end.
        if linger.or(late).await
            && let Some((account, device, upto)) = left
            && upto > self.outbox.proved()
        {
            self.services.hub.ask(Work::Shown { account, device, upto, seen: None });
        }
    }

    /// Waits until an account that was left is offline on every node, if this one does not lead:
    /// what is asked over the same line is answered after that.
    pub(super) async fn known_to_have_left(&self, account: Option<AccountId>) {
        let Some(account) = account.filter(|_| self.services.hub.is_door()) else { return };
        let (answer, answered) = channel::bounded(1);
        self.services.hub.ask(Work::Online { accounts: vec![account], answer: answer.into() });
        let known = async {
            let _ = answered.recv().await;
        };
        let late = async {
            Timer::after(limits::FAREWELL_TIME).await;
        };
        known.or(late).await;
    }

    /// Writes all that is pending. Returns whether the connection accepted it.
    async fn drain(&mut self) -> bool {
        loop {
            if self.is_stale() && Box::pin(self.refresh()).await.is_err() {
                return false;
            }
            if self.write().is_err() {
                return false;
            }
            if self.unanswered == 0 && self.output.is_empty() {
                return true;
            }
            if self.wait_for_room().await.is_err() {
                return false;
            }
        }
    }

    /// Waits for answers, or for room to write those that have come.
    async fn wait_for_room(&mut self) -> io::Result<()> {
        poll_fn(|cx| {
            let changed = self.outbox.register(cx.waker());
            match (self.output.is_empty(), changed) {
                (true, true) => Poll::Ready(Ok(())),
                (true, false) => Poll::Pending,
                (false, _) => self.stream.poll_writable(cx),
            }
        })
        .await
    }

    /// Logs out. Unsent entries stay pending, and so do receipts that were written but not proved,
    /// unless the client ended its input properly (`in_order`). Returns the account,
    /// the device, and the move up to which receipts were written.
    pub(super) fn leave(
        &mut self,
        in_order: bool,
    ) -> Option<(AccountId, Option<DeviceNumber>, MoveNumber)> {
        if let Some(me) = &self.me {
            self.event("logout", format_args!("handle={}", me.handle));
        }
        self.give_up(in_order)
    }

    fn give_up(&mut self, in_order: bool) -> Option<(AccountId, Option<DeviceNumber>, MoveNumber)> {
        self.drop_put();
        let me = self.me.take()?;
        let left = self.outbox.close();
        let is_receipt = |item: &Outgoing| matches!(item, Outgoing::Receipts { .. });
        let unsent = self.output.items().chain(&left.items).any(is_receipt);
        let behind = me.behind.as_ref().map(|lag| lag.at.moves).or(left.behind.map(|at| at.moves));
        let shown = match in_order {
            true if unsent || me.proof.is_withheld() => Some(me.proof.upto()),
            true => behind,
            false => Some(self.outbox.proved()),
        };
        self.output.drop_events(self.stream.taken());
        self.services.hub.ask(Work::Leave { session: self.id, shown });
        Some((me.account, me.device(), me.proof.upto()))
    }

    /// Undoes a login that failed halfway and was not logged; the session goes on logged out.
    pub(super) fn log_out(&mut self) {
        self.give_up(false);
        self.outbox.reopen();
        // The roster may have passed it over while it was logged in.
        self.set_login_deadline();
    }
}
