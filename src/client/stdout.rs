//! Standard output without a buffer: bytes that were written have been handed over.
//!
//! The standard library's writer loses count of written bytes on a non-blocking descriptor, which
//! another program may have passed on.

use std::io::{self, IsTerminal};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{FileType, fstat};
use rustix::io::Errno;

use super::failure::Failure;
use super::harmless::harmless;

/// Writes text, made harmless if standard output is a terminal.
///
/// # Errors
/// `Output`.
pub fn write_text(text: &str) -> Result<(), Failure> {
    if io::stdout().is_terminal() {
        return write_all(harmless(text).as_bytes());
    }
    write_all(text.as_bytes())
}

/// Writes everything, waiting for room where the descriptor would block.
///
/// # Errors
/// `Output`.
pub fn write_all(mut bytes: &[u8]) -> Result<(), Failure> {
    let out = io::stdout();
    while !bytes.is_empty() {
        match rustix::io::write(&out, bytes) {
            Ok(0) => return Err(Failure::Output(io::ErrorKind::WriteZero.into())),
            Ok(n) => bytes = &bytes[n..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                let mut room = [PollFd::new(&out, PollFlags::OUT)];
                match poll(&mut room, None) {
                    Ok(_) | Err(Errno::INTR) => {}
                    Err(e) => return Err(Failure::Output(e.into())),
                }
            }
            Err(e) => return Err(Failure::Output(e.into())),
        }
    }
    Ok(())
}

/// Writes a line, given without its end.
///
/// # Errors
/// `Output`.
pub fn print(line: &str) -> Result<(), Failure> {
    write_text(&format!("{line}\n"))
}

/// Whether it is a pipe, whose reader may take written bytes later, or never.
pub fn is_pipe() -> bool {
    fstat(io::stdout()).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Fifo)
}

/// Bytes in the pipe not read yet, those of other writers included; they still count after the
/// reader has gone.
pub fn unread() -> u64 {
    rustix::io::ioctl_fionread(io::stdout()).unwrap_or(0)
}
