//! Standard output, written to without a buffer of its own: what is written has been handed over.
//!
//! The standard library's own writer loses count of what was written where the file it writes to
//! does not block, as one that was inherited from another program may not.

use std::io::{self, IsTerminal};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{FileType, fstat};
use rustix::io::Errno;

use super::failure::Failure;
use super::harmless::harmless;

/// Writes text; where it is a terminal, made harmless to it.
///
/// # Errors
/// `Output`.
pub fn write_text(text: &str) -> Result<(), Failure> {
    if io::stdout().is_terminal() {
        return write_all(harmless(text).as_bytes());
    }
    write_all(text.as_bytes())
}

/// Writes all of it, and waits for room where there is none.
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

/// Whether it is a pipe, whose reader may take what is written later, or never.
pub fn is_pipe() -> bool {
    fstat(io::stdout()).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Fifo)
}

/// Bytes in the pipe that its reader has not taken, those of other writers included. They are still
/// counted when the reader has gone.
pub fn unread() -> u64 {
    rustix::io::ioctl_fionread(io::stdout()).unwrap_or(0)
}
