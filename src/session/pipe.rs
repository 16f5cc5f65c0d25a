//! A connection within the process: two bounded rings of bytes. A session at one end takes it for a
//! socket; the other end is a program of papod's own, which so can do what a client can, and no
//! more.
//!
//! Both ends belong to one task, which runs the session whenever it has written or read, so neither
//! wakes the other.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use crate::chat::OnceKey;
use crate::limits;

/// One end. Dropping it without [`PipeEnd::shutdown`] is a reset: what the other end has not read is
/// lost.
pub struct PipeEnd {
    /// What the two ends have written.
    rings: Arc<[Mutex<Ring>; 2]>,
    /// Which of them this end writes.
    own: usize,
}

/// The bytes of one direction.
#[derive(Default)]
struct Ring {
    /// The key for what is asked for next.
    once: Option<Box<OnceKey>>,
    bytes: VecDeque<u8>,
    /// The writer has ended its side in order.
    is_finished: bool,
    /// The writer, or the reader, is gone.
    is_broken: bool,
}

impl Ring {
    /// What it means to the reader that there is nothing.
    fn nothing(&self) -> io::Result<usize> {
        match (self.is_finished, self.is_broken) {
            (true, _) => Ok(0),
            (false, true) => Err(io::ErrorKind::ConnectionReset.into()),
            (false, false) => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

/// Two ends that are connected.
pub fn pipe() -> (PipeEnd, PipeEnd) {
    let rings = Arc::<[Mutex<Ring>; 2]>::default();
    (PipeEnd { rings: rings.clone(), own: 0 }, PipeEnd { rings, own: 1 })
}

impl PipeEnd {
    /// What this end reads.
    fn input(&self) -> MutexGuard<'_, Ring> {
        self.ring(1 - self.own)
    }

    /// What this end writes.
    fn output(&self) -> MutexGuard<'_, Ring> {
        self.ring(self.own)
    }

    fn ring(&self, at: usize) -> MutexGuard<'_, Ring> {
        // No code that holds the lock can panic halfway through a change.
        self.rings[at].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ready if [`PipeEnd::read`] has something to return; wakes nobody.
    pub fn poll_readable(&self) -> Poll<io::Result<()>> {
        let ring = self.input();
        let is_ready = !ring.bytes.is_empty() || ring.is_finished || ring.is_broken;
        if is_ready { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    /// Ready if [`PipeEnd::write`] takes something, or fails; wakes nobody.
    pub fn poll_writable(&self) -> Poll<io::Result<()>> {
        let ring = self.output();
        let is_ready = ring.bytes.len() < limits::PIPE || ring.is_broken;
        if is_ready { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    /// Reads what is there: 0 at the end.
    ///
    /// # Errors
    /// `WouldBlock`: there is nothing now. `ConnectionReset`: the other end is gone.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut ring = self.input();
        let n = io::Read::read(&mut ring.bytes, buffer)?;
        if ring.bytes.is_empty() {
            // An idle connection holds no buffer.
            ring.bytes = VecDeque::new();
        }
        if n > 0 { Ok(n) } else { ring.nothing() }
    }

    /// Adds all that is there to `into`: 0 at the end.
    ///
    /// # Errors
    /// As for [`PipeEnd::read`].
    pub fn take(&self, into: &mut Vec<u8>) -> io::Result<usize> {
        let mut ring = self.input();
        let bytes = std::mem::take(&mut ring.bytes);
        if bytes.is_empty() {
            return ring.nothing();
        }
        into.extend(&bytes);
        Ok(bytes.len())
    }

    /// Writes what fits.
    ///
    /// # Errors
    /// `WouldBlock`: nothing fits now. `BrokenPipe`: the other end is gone, or this one has ended.
    pub fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut ring = self.output();
        if ring.is_broken || ring.is_finished {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let n = bytes.len().min(limits::PIPE.saturating_sub(ring.bytes.len()));
        if n == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        ring.bytes.extend(&bytes[..n]);
        Ok(n)
    }

    /// Whether that many bytes fit now.
    pub fn has_room(&self, n: usize) -> bool {
        self.output().bytes.len() + n <= limits::PIPE
    }

    /// Has the next act that is written be carried out at most once under this key, or no longer.
    pub fn set_once(&self, once: Option<OnceKey>) {
        self.output().once = once.map(Box::new);
    }

    /// The key for the act that was read.
    pub fn take_once(&self) -> Option<OnceKey> {
        self.input().once.take().map(|once| *once)
    }

    /// Ends the writing side: the other end reads what was written, then the end.
    pub fn shutdown(&self) {
        self.output().is_finished = true;
    }

    /// Whether nothing can be sent any more.
    pub fn is_gone(&self) -> bool {
        self.output().is_broken
    }

    /// Bytes that wait to be read.
    pub fn unread(&self) -> usize {
        self.input().bytes.len()
    }
}

impl Drop for PipeEnd {
    fn drop(&mut self) {
        let mut ring = self.output();
        if !ring.is_finished {
            // Half a line must not be taken for a whole one.
            (ring.bytes, ring.is_broken) = (VecDeque::new(), true);
        }
        drop(ring);
        let mut ring = self.input();
        (ring.bytes, ring.is_broken) = (VecDeque::new(), true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind<T: std::fmt::Debug>(done: io::Result<T>) -> io::ErrorKind {
        done.unwrap_err().kind()
    }

    #[test]
    fn it_is_bounded() {
        let (near, far) = pipe();
        let mut buffer = vec![0; 2 * limits::PIPE];
        assert!(near.poll_readable().is_pending());
        assert_eq!(kind(near.read(&mut buffer)), io::ErrorKind::WouldBlock);
        let much = vec![b'x'; limits::PIPE + 1];
        assert_eq!(far.write(&much).unwrap(), limits::PIPE);
        assert!(near.poll_readable().is_ready());
        assert!(far.poll_writable().is_pending());
        assert_eq!(kind(far.write(b"x")), io::ErrorKind::WouldBlock);
        assert_eq!(near.unread(), limits::PIPE);
        assert_eq!(near.read(&mut buffer[..10]).unwrap(), 10);
        assert!(far.poll_writable().is_ready());
        assert_eq!(near.read(&mut buffer).unwrap(), limits::PIPE - 10);
    }

    #[test]
    fn an_end_in_order_is_read_after_the_rest_and_a_lost_one_loses_it() {
        let (near, far) = pipe();
        far.write(b"PING\n").unwrap();
        far.shutdown();
        assert_eq!(kind(far.write(b"x")), io::ErrorKind::BrokenPipe);
        near.write(b"OK").unwrap();
        let mut taken = b"an ".to_vec();
        assert_eq!(far.take(&mut taken).unwrap(), 2);
        assert_eq!(taken, b"an OK");
        assert_eq!(kind(far.take(&mut taken)), io::ErrorKind::WouldBlock);
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
