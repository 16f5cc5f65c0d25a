//! `papo raw`: the protocol on standard input and output, in a session that has logged in.
//!
//! Standard output begins after the `OK` of the login, so the first final line answers the first
//! command. Nothing is interpreted, changed or repeated.

use std::cell::Cell;
use std::io;

use smol::Unblock;
use smol::future::FutureExt;
use smol::io::{AsyncReadExt, AsyncWriteExt};

use super::account::Credentials;
use super::connection::said_bye;
use super::failure::Failure;
use super::outage::persist;
use super::stdout;
use crate::wire::request::Events;

/// Copies bytes both ways until the server closes. The end of standard input is passed on; replies
/// that are due still arrive.
///
/// # Errors
/// `Lost` if the connection breaks, or the server closes it unasked.
pub async fn raw(account: &Credentials, quiet: bool) -> Result<(), Failure> {
    let events = if quiet { Events::Quiet } else { Events::All };
    let connected = persist(async || account.connect(events).await).await?;
    let (rest, stream) = connected.into_parts();
    let (mut from_server, mut to_server) = smol::io::split(stream);
    let lost = |e: io::Error| Failure::Lost(e.to_string());
    let is_over = Cell::new(false);
    let sending = async {
        let mut input = Unblock::new(io::stdin());
        smol::io::copy(&mut input, &mut to_server).await.map_err(lost)?;
        is_over.set(true);
        to_server.close().await.map_err(lost)?;
        // The other direction decides when all is over.
        std::future::pending().await
    };
    let receiving = async {
        let mut some = rest;
        // The last line tells a proper end from an accident.
        let mut last = Vec::new();
        loop {
            stdout::write_all(&some)?;
            follow(&mut last, &some);
            some.resize(65_536, 0);
            let n = from_server.read(&mut some).await.map_err(lost)?;
            some.truncate(n);
            if n == 0 {
                return match last.strip_prefix(b"BYE ") {
                    Some(b"quit\n") => Ok(()),
                    Some(reason) => {
                        Err(said_bye(&String::from_utf8_lossy(reason.trim_ascii_end())))
                    }
                    // After the end of input the server closes without `BYE`.
                    None if is_over.get() => Ok(()),
                    None => Err(Failure::Lost("the server has closed the connection".to_owned())),
                };
            }
        }
    };
    // If the server closes first, sending may fail; what the server said last is what counts.
    receiving.or(quietly(sending)).await
}

/// Runs `sending` and ignores its failure: that the server has gone is noticed by reading.
async fn quietly<T>(sending: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let _ = sending.await;
    std::future::pending().await
}

/// Updates the last line of a stream with the bytes that follow.
fn follow(last: &mut Vec<u8>, some: &[u8]) {
    let whole = some.strip_suffix(b"\n").unwrap_or(some);
    match whole.iter().rposition(|b| *b == b'\n') {
        Some(at) => *last = some[at + 1..].to_vec(),
        None if last.ends_with(b"\n") && !some.is_empty() => *last = some.to_vec(),
        None => last.extend_from_slice(some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_is_kept_however_the_stream_is_cut() {
        let all = b"OK QUIT\nMSG 1\nBYE quit\n";
        for at in 0..=all.len() {
            let mut last = Vec::new();
            follow(&mut last, &all[..at]);
            follow(&mut last, &all[at..]);
            follow(&mut last, b"");
            assert_eq!(last, b"BYE quit\n", "{at}");
        }
    }
}
