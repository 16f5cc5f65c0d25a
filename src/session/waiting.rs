//! Where a session waits: for events, for room to write, and for its turn.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use smol::Timer;

use super::catchup::end_of;
use super::{End, Session};
use crate::hub::Work;
use crate::limits;
use crate::wire::rows::Bye;

/// When a session's turn began, by a clock of microseconds that wraps after an hour: each connection
/// has one, and turns are short.
#[derive(Clone, Copy)]
pub(super) struct TurnStart(u32);

impl TurnStart {
    pub(super) fn at(now: Instant) -> TurnStart {
        static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);
        TurnStart(now.saturating_duration_since(*EPOCH).as_micros() as u32)
    }

    fn elapsed(self) -> Duration {
        let now = TurnStart::at(Instant::now());
        Duration::from_micros(now.0.wrapping_sub(self.0).into())
    }
}

/// What woke a session.
#[derive(Default)]
pub(super) struct Ready {
    pub readable: bool,
    pub deadline: Option<Bye>,
}

impl Session {
    /// Yields to other sessions if this one's turn is over. A session that always has something to
    /// do would otherwise never wait, and starve the others.
    ///
    /// Like all of what an idle connection's task goes through, no async fn: that holds its arguments
    /// twice.
    pub(super) fn give_way(&mut self) -> impl Future<Output = ()> {
        let mut has_joined = false;
        poll_fn(move |cx| {
            if !has_joined && self.turn.elapsed() < limits::SESSION_TURN {
                return Poll::Ready(());
            }
            self.poll_turn(&mut has_joined, cx)
        })
    }

    /// Waits for a turn if others are waiting for theirs: new input does not go before them.
    pub(super) fn join_line(&mut self) -> impl Future<Output = ()> {
        let mut has_joined = false;
        poll_fn(move |cx| {
            if !has_joined && self.services.line.is_empty() {
                self.begin_turn();
                return Poll::Ready(());
            }
            self.poll_turn(&mut has_joined, cx)
        })
    }

    pub(super) fn queue_up(&mut self) -> impl Future<Output = ()> {
        let mut has_joined = false;
        poll_fn(move |cx| self.poll_turn(&mut has_joined, cx))
    }

    fn poll_turn(&mut self, has_joined: &mut bool, cx: &Context) -> Poll<()> {
        let account = self.me.as_ref().map(|me| me.account);
        ready!(self.services.line.poll_turn(has_joined, self.origin(), account, cx));
        self.begin_turn();
        Poll::Ready(())
    }

    fn begin_turn(&mut self) {
        let now = Instant::now();
        self.turn = TurnStart::at(now);
        self.services.hub.bound_pass(now);
    }

    /// Waits for the outbox, the socket or a timer.
    pub(super) fn wait(&mut self, read: bool) -> impl Future<Output = io::Result<Ready>> {
        let mut has_waited = false;
        poll_fn(move |cx| {
            let polled = self.poll_woken(read, cx);
            if polled.is_ready() && has_waited {
                self.begin_turn();
            }
            has_waited = true;
            polled
        })
    }

    fn poll_woken(&mut self, read: bool, cx: &mut Context) -> Poll<io::Result<Ready>> {
        let mut ready = Ready::default();
        // New items matter once the earlier ones are written, a `BYE` at once.
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
        if let Some(retry) = self.me.as_mut().and_then(|me| me.retry())
            && Pin::new(retry).poll(cx).is_ready()
        {
            self.retry_automatically();
        }
        if let Some(patience) = self.patience.as_deref_mut() {
            if Pin::new(&mut patience.until).poll(cx).is_ready() {
                // The answer comes through the outbox, like that to any act.
                self.services.hub.ask(Work::Unwatch { session: self.id });
                patience.until = Timer::never();
            }
            while Pin::new(&mut patience.look).poll(cx).is_ready() {
                if self.stream.is_gone()? {
                    return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
                }
            }
        }
        if woken { Poll::Ready(Ok(ready)) } else { Poll::Pending }
    }

    /// Waits until the output is written, or the session must end.
    pub(super) async fn flush(&mut self) -> Result<(), End> {
        loop {
            if self.is_stale() {
                Box::pin(self.refresh()).await.map_err(end_of)?;
            }
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

    /// Why the session must end, if it must, for places that wait for one thing only; registers the
    /// task to be woken when that changes.
    pub(super) fn poll_over(&mut self, cx: &mut Context) -> Option<Bye> {
        self.outbox.register(cx.waker());
        let deadline = self.deadline.as_deref_mut();
        let late =
            |(timer, bye): &mut (Timer, Bye)| Pin::new(timer).poll(cx).is_ready().then_some(*bye);
        self.outbox.bye().or_else(|| deadline.and_then(late))
    }
}
