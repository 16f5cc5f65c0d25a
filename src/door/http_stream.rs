//! A connection's bytes: what has come and was not taken, what waits to be sent.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use smol::Timer;

use crate::counters::Counters;
use crate::limits;
use crate::session::Stream;

thread_local! {
    /// The buffer of one read. Nothing stays in it.
    static READ_BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; limits::READ]);
}

pub struct HttpStream {
    stream: Stream,
    counters: Arc<Counters>,
    /// There may be something to read. Short reads take all there is, and to find nothing takes a
    /// system call.
    is_readable: bool,
    /// What has come and was not taken.
    pub input: Vec<u8>,
    /// What waits to be sent, and how much of it is.
    output: Vec<u8>,
    sent: usize,
    /// Set for the first of the deadlines since it last rang. Those after it are later, mostly, and
    /// to set a timer takes a system call.
    alarm: Option<Box<(Instant, Timer)>>,
}

impl HttpStream {
    pub fn new(stream: Stream, counters: Arc<Counters>) -> HttpStream {
        let (input, output) = (Vec::new(), Vec::new());
        HttpStream { stream, counters, is_readable: true, input, output, sent: 0, alarm: None }
    }

    /// Adds what has come to the input; ready with the number of bytes, 0 at the end.
    ///
    /// # Errors
    /// The connection is lost.
    pub fn poll_fill(&mut self, cx: &mut Context) -> Poll<io::Result<usize>> {
        loop {
            if !self.is_readable {
                // TLS may have to write before it can read.
                if self.stream.is_owing() && self.stream.poll_writable(cx)?.is_ready() {
                    self.stream.flush()?;
                }
                ready!(self.stream.poll_readable(cx))?;
                self.is_readable = true;
            }
            let read = READ_BUFFER.with_borrow_mut(|buffer| {
                let read = self.stream.read(buffer)?;
                self.input.extend_from_slice(&buffer[..read.unwrap_or_default()]);
                io::Result::Ok(read)
            });
            let read = read?;
            self.is_readable = read == Some(limits::READ);
            if let Some(n) = read {
                self.counters.received.add(n as u64);
                return Poll::Ready(Ok(n));
            }
        }
    }

    /// Waits for more input until `deadline`: the number of bytes, 0 at the end.
    ///
    /// # Errors
    /// `TimedOut`, or the connection is lost.
    pub async fn fill(&mut self, deadline: Instant) -> io::Result<usize> {
        poll_fn(|cx| self.poll_fill_by(deadline, cx)).await
    }

    /// The same, to be polled with the same deadline each time.
    ///
    /// # Errors
    /// As for [`HttpStream::fill`].
    pub fn poll_fill_by(&mut self, deadline: Instant, cx: &mut Context) -> Poll<io::Result<usize>> {
        match self.poll_fill(cx) {
            Poll::Pending => self.poll_late(deadline, cx),
            filled => filled,
        }
    }

    /// Fails with `TimedOut` at a deadline.
    fn poll_late<T>(&mut self, deadline: Instant, cx: &mut Context) -> Poll<io::Result<T>> {
        loop {
            let alarm = match &mut self.alarm {
                Some(alarm) if alarm.0 <= deadline => alarm,
                other => other.insert(Box::new((deadline, Timer::at(deadline)))),
            };
            let now = ready!(Pin::new(&mut alarm.1).poll(cx));
            self.alarm = None;
            if now >= deadline {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
    }

    /// Forgets the deadlines: what follows has its own.
    pub fn disarm(&mut self) {
        self.alarm = None;
    }

    /// Puts bytes behind those that wait to be sent.
    pub fn push(&mut self, bytes: &[u8]) {
        self.output.extend_from_slice(bytes);
    }

    /// Bytes that wait to be sent.
    pub fn pending(&self) -> usize {
        self.output.len() - self.sent
    }

    /// Sends what waits. Ready when some of it, or all, was taken.
    ///
    /// # Errors
    /// The connection is lost.
    pub fn poll_send(&mut self, cx: &mut Context) -> Poll<io::Result<()>> {
        while self.pending() > 0 {
            match self.stream.write(&self.output[self.sent..])? {
                Some(n) => {
                    self.counters.sent.add(n as u64);
                    self.sent += n;
                    if self.pending() == 0 {
                        // An idle connection holds no buffer.
                        (self.output, self.sent) = (Vec::new(), 0);
                    }
                    return Poll::Ready(Ok(()));
                }
                None => ready!(self.stream.poll_writable(cx))?,
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Sends all that waits.
    ///
    /// # Errors
    /// `TimedOut`: the peer took no byte for [`limits::STALLED_TIME`]. Or the connection is lost.
    pub async fn flush(&mut self) -> io::Result<()> {
        self.flush_by(|| Instant::now() + limits::STALLED_TIME).await
    }

    /// The same for the last words to a peer, who is not waited for long.
    ///
    /// # Errors
    /// They were not all taken in time, or the connection is lost.
    pub async fn flush_last(&mut self) -> io::Result<()> {
        let deadline = Instant::now() + limits::FAREWELL_TIME;
        self.flush_by(|| deadline).await
    }

    async fn flush_by(&mut self, deadline: impl Fn() -> Instant) -> io::Result<()> {
        while self.pending() > 0 {
            let deadline = deadline();
            let sent = poll_fn(|cx| match self.poll_send(cx) {
                Poll::Pending => self.poll_late(deadline, cx),
                sent => sent,
            });
            sent.await?;
        }
        Ok(())
    }

    pub fn is_tls(&self) -> bool {
        self.stream.is_tls()
    }

    /// Whether nothing can be sent any more.
    pub fn is_gone(&self) -> bool {
        self.stream.is_gone().unwrap_or(true)
    }

    /// Ends the connection, after a while in which what still comes is read and dropped: left
    /// unread, it could cause a reset that loses the answer.
    pub async fn close(mut self) {
        if self.stream.finish().is_err() {
            return;
        }
        let until = Instant::now() + limits::LINGER_TIME;
        while self.fill(until).await.is_ok_and(|n| n > 0) {
            self.input = Vec::new();
        }
    }
}
