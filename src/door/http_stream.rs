//! A connection's bytes: what has come and was not taken, what waits to be sent.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use smol::Timer;
use smol::future::FutureExt;

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
    /// What has come and was not taken.
    pub input: Vec<u8>,
    /// What waits to be sent, and how much of it is.
    output: Vec<u8>,
    sent: usize,
}

impl HttpStream {
    pub fn new(stream: Stream, counters: Arc<Counters>) -> HttpStream {
        HttpStream { stream, counters, input: Vec::new(), output: Vec::new(), sent: 0 }
    }

    /// Adds what has come to the input; ready with the number of bytes, 0 at the end.
    ///
    /// # Errors
    /// The connection is lost.
    pub fn poll_fill(&mut self, cx: &mut Context) -> Poll<io::Result<usize>> {
        loop {
            let read = READ_BUFFER.with_borrow_mut(|buffer| {
                let read = self.stream.read(buffer)?;
                self.input.extend_from_slice(&buffer[..read.unwrap_or_default()]);
                io::Result::Ok(read)
            });
            if let Some(n) = read? {
                self.counters.received.add(n as u64);
                return Poll::Ready(Ok(n));
            }
            // TLS may have to write before it can read.
            if self.stream.is_owing() && self.stream.poll_writable(cx)?.is_ready() {
                self.stream.flush()?;
            }
            ready!(self.stream.poll_readable(cx))?;
        }
    }

    /// Waits for more input until `deadline`: the number of bytes, 0 at the end.
    ///
    /// # Errors
    /// `TimedOut`, or the connection is lost.
    pub async fn fill(&mut self, deadline: Instant) -> io::Result<usize> {
        poll_fn(|cx| self.poll_fill(cx)).or(late_at(deadline)).await
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
        while self.pending() > 0 {
            let late = late_at(Instant::now() + limits::STALLED_TIME);
            poll_fn(|cx| self.poll_send(cx)).or(late).await?;
        }
        Ok(())
    }

    /// The same for the last words to a peer, who is not waited for long.
    ///
    /// # Errors
    /// They were not all taken in time, or the connection is lost.
    pub async fn flush_last(&mut self) -> io::Result<()> {
        let deadline = Instant::now() + limits::FAREWELL_TIME;
        self.flush().or(late_at(deadline)).await
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

/// Fails with `TimedOut` then.
async fn late_at<T>(deadline: Instant) -> io::Result<T> {
    Timer::at(deadline).await;
    Err(io::ErrorKind::TimedOut.into())
}
