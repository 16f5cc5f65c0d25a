//! Where a session waits: for the world, for room to write, and for other sessions' turns.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use smol::Timer;

use super::{End, Session};
use crate::hub::Work;
use crate::limits;
use crate::wire::rows::Bye;

/// What a session waited for.
#[derive(Default)]
pub(super) struct Ready {
    pub readable: bool,
    pub deadline: Option<Bye>,
}

impl Session {
    /// Lets the other sessions have their turn, if this one has had its own. One that always finds
    /// something to do would never wait, and they for ever.
    pub(super) async fn give_way(&mut self) {
        if self.turn.elapsed() >= limits::SESSION_TURN {
            self.queue_up().await;
        }
    }

    /// Waits for a turn where others wait for theirs: whoever has something new is not before them.
    pub(super) async fn join_line(&mut self) {
        if self.services.line.is_empty() {
            self.turn = Instant::now();
        } else {
            self.queue_up().await;
        }
    }

    /// Waits for the next turn.
    pub(super) async fn queue_up(&mut self) {
        let account = self.me.as_ref().map(|me| me.account);
        self.services.line.wait(self.origin(), account).await;
        self.turn = Instant::now();
    }

    /// The one place where a session waits for the world.
    pub(super) async fn wait(&mut self, read: bool) -> io::Result<Ready> {
        let mut has_waited = false;
        let ready = poll_fn(|cx| {
            let mut ready = Ready::default();
            // What was put in matters once what was taken before is written, a goodbye at once.
            let changed = self.outbox.register(cx.waker());
            let mut woken = (changed && self.output.is_empty()) || self.outbox.bye().is_some();
            if read && self.stream.poll_readable(cx)?.is_ready() {
                ready.readable = true;
                woken = true;
            }
            let owes = !self.output.is_empty() || self.stream.is_owing();
            if owes && self.stream.poll_writable(cx)?.is_ready() {
                woken = true;
            }
            if let Some(deadline) = &mut self.deadline
                && Pin::new(&mut deadline.0).poll(cx).is_ready()
            {
                ready.deadline = Some(deadline.1);
                woken = true;
            }
            if let Some(brake) = &mut self.brake
                && Pin::new(&mut **brake).poll(cx).is_ready()
            {
                self.brake = None;
                woken = true;
            }
            if let Some(retry) = self.me.as_mut().and_then(|me| me.retry.as_mut())
                && Pin::new(&mut **retry).poll(cx).is_ready()
            {
                self.retry_automatically();
            }
            if let Some(patience) = self.patience.as_deref_mut() {
                if Pin::new(&mut patience.until).poll(cx).is_ready() {
                    // The answer comes through the outbox, as that of any other act.
                    self.services.hub.ask(Work::Unwatch { session: self.id });
                    patience.until = Timer::never();
                }
                while Pin::new(&mut patience.look).poll(cx).is_ready() {
                    if self.stream.is_gone()? {
                        return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
                    }
                }
            }
            has_waited |= !woken;
            if woken { Poll::Ready(Ok(ready)) } else { Poll::Pending }
        })
        .await;
        if has_waited {
            self.turn = Instant::now();
        }
        ready
    }

    /// Waits until the output is written, or the session is to end.
    pub(super) async fn flush(&mut self) -> Result<(), End> {
        loop {
            self.write_output()?;
            if self.output.is_empty() {
                return Ok(());
            }
            self.give_way().await;
            let ready = poll_fn(|cx| match self.poll_over(cx) {
                Some(bye) => Poll::Ready(Err(End::Bye(bye))),
                None => self.stream.poll_writable(cx).map(|ready| ready.map_err(End::Lost)),
            });
            ready.await?;
        }
    }

    /// Why the session is to end while it waits for one thing only, if it is. Wakes for that, too.
    pub(super) fn poll_over(&mut self, cx: &mut Context) -> Option<Bye> {
        self.outbox.register(cx.waker());
        let deadline = self.deadline.as_deref_mut();
        let late =
            |(timer, bye): &mut (Timer, Bye)| Pin::new(timer).poll(cx).is_ready().then_some(*bye);
        self.outbox.bye().or_else(|| deadline.and_then(late))
    }
}
