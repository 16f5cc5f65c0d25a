//! A connection within the process: two bounded rings of bytes. A session at one end takes it for a
//! socket; the other end is a program of papod's own, which so can do what a client can, and no
//! more.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use atomic_waker::AtomicWaker;

use crate::limits;

/// One end. Dropping it without [`PipeEnd::shutdown`] is a reset: what the other end has not read is
/// lost.
pub struct PipeEnd {
    /// What this end reads, and what it writes.
    input: Arc<Ring>,
    output: Arc<Ring>,
}

/// The bytes of one direction.
#[derive(Default)]
struct Ring {
    state: Mutex<RingState>,
    /// Wakes when there is something to read.
    reader: AtomicWaker,
    /// Wakes when there is room again.
    writer: AtomicWaker,
}

#[derive(Default)]
struct RingState {
    bytes: VecDeque<u8>,
    /// The writer has ended its side in order.
    is_finished: bool,
    /// The writer, or the reader, is gone.
    is_broken: bool,
}

/// Two ends that are connected.
pub fn pipe() -> (PipeEnd, PipeEnd) {
    let (there, back) = (Arc::new(Ring::default()), Arc::new(Ring::default()));
    let near = PipeEnd { input: there.clone(), output: back.clone() };
    (near, PipeEnd { input: back, output: there })
}

impl Ring {
    fn state(&self) -> MutexGuard<'_, RingState> {
        // No code that holds the lock can panic halfway through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PipeEnd {
    /// Ready once [`PipeEnd::read`] has something to return.
    pub fn poll_readable(&self, cx: &mut Context) -> Poll<io::Result<()>> {
        self.input.reader.register(cx.waker());
        let state = self.input.state();
        let is_ready = !state.bytes.is_empty() || state.is_finished || state.is_broken;
        if is_ready { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    /// Ready once [`PipeEnd::write`] takes something, or fails.
    pub fn poll_writable(&self, cx: &mut Context) -> Poll<io::Result<()>> {
        self.output.writer.register(cx.waker());
        let state = self.output.state();
        let is_ready = state.bytes.len() < limits::PIPE || state.is_broken;
        if is_ready { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    /// Reads what is there: 0 at the end.
    ///
    /// # Errors
    /// `WouldBlock`: there is nothing now. `ConnectionReset`: the other end is gone.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.input.state();
        let n = io::Read::read(&mut state.bytes, buffer)?;
        if n > 0 {
            if state.bytes.is_empty() {
                // An idle connection holds no buffer.
                state.bytes = VecDeque::new();
            }
            drop(state);
            self.input.writer.wake();
            return Ok(n);
        }
        match (state.is_finished, state.is_broken) {
            (true, _) => Ok(0),
            (false, true) => Err(io::ErrorKind::ConnectionReset.into()),
            (false, false) => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// Writes what fits.
    ///
    /// # Errors
    /// `WouldBlock`: nothing fits now. `BrokenPipe`: the other end is gone, or this one has ended.
    pub fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.output.state();
        if state.is_broken || state.is_finished {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let n = bytes.len().min(limits::PIPE.saturating_sub(state.bytes.len()));
        if n == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        state.bytes.extend(&bytes[..n]);
        drop(state);
        self.output.reader.wake();
        Ok(n)
    }

    /// Whether that many bytes fit now.
    pub fn has_room(&self, n: usize) -> bool {
        self.output.state().bytes.len() + n <= limits::PIPE
    }

    /// Ends the writing side: the other end reads what was written, then the end.
    pub fn shutdown(&self) {
        self.output.state().is_finished = true;
        self.output.reader.wake();
    }

    /// Whether nothing can be sent any more.
    pub fn is_gone(&self) -> bool {
        self.output.state().is_broken
    }

    /// Bytes that wait to be read.
    pub fn unread(&self) -> usize {
        self.input.state().bytes.len()
    }
}

impl Drop for PipeEnd {
    fn drop(&mut self) {
        let mut state = self.output.state();
        if !state.is_finished {
            // Half a line must not be taken for a whole one.
            (state.bytes, state.is_broken) = (VecDeque::new(), true);
        }
        drop(state);
        let mut state = self.input.state();
        (state.bytes, state.is_broken) = (VecDeque::new(), true);
        drop(state);
        self.output.reader.wake();
        self.input.writer.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Wake, Waker};

    use super::*;

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn kind<T: std::fmt::Debug>(done: io::Result<T>) -> io::ErrorKind {
        done.unwrap_err().kind()
    }

    #[test]
    fn it_is_bounded_and_both_ends_wait_for_each_other() {
        let (near, far) = pipe();
        let woken = Arc::new(Wakes::default());
        let waker = Waker::from(woken.clone());
        let mut cx = Context::from_waker(&waker);
        let mut buffer = vec![0; 2 * limits::PIPE];
        assert!(near.poll_readable(&mut cx).is_pending());
        assert_eq!(kind(near.read(&mut buffer)), io::ErrorKind::WouldBlock);
        let much = vec![b'x'; limits::PIPE + 1];
        assert_eq!(far.write(&much).unwrap(), limits::PIPE);
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        assert!(near.poll_readable(&mut cx).is_ready());
        assert!(far.poll_writable(&mut cx).is_pending());
        assert_eq!(kind(far.write(b"x")), io::ErrorKind::WouldBlock);
        assert_eq!(near.unread(), limits::PIPE);
        assert_eq!(near.read(&mut buffer[..10]).unwrap(), 10);
        assert_eq!(woken.0.load(Ordering::Relaxed), 2);
        assert!(far.poll_writable(&mut cx).is_ready());
        assert_eq!(near.read(&mut buffer).unwrap(), limits::PIPE - 10);
    }

    #[test]
    fn an_end_in_order_is_read_after_the_rest_and_a_lost_one_loses_it() {
        let (near, far) = pipe();
        far.write(b"PING\n").unwrap();
        far.shutdown();
        assert_eq!(kind(far.write(b"x")), io::ErrorKind::BrokenPipe);
        near.write(b"OK").unwrap();
        let mut buffer = [0; 9];
        assert_eq!(near.read(&mut buffer).unwrap(), 5);
        assert_eq!(near.read(&mut buffer).unwrap(), 0);
        assert!(!near.is_gone(), "it still listens");
        drop(far);
        assert!(near.is_gone());
        assert_eq!(kind(near.write(b"x")), io::ErrorKind::BrokenPipe);
        assert_eq!(near.read(&mut buffer).unwrap(), 0);

        let (near, far) = pipe();
        far.write(b"MSG ana half").unwrap();
        drop(far);
        assert_eq!(kind(near.read(&mut buffer)), io::ErrorKind::ConnectionReset);
    }
}
