//! The body of a request: by its length, or in chunks.

use std::time::Instant;

use super::Fault;
use super::answer::Denial;
use super::http_stream::HttpStream;
use super::request::{Framing, Head, too_large};
use crate::limits;

/// Reads a body of at most `most` bytes, with which the request ends. What is cut off is no body.
///
/// # Errors
/// It is malformed, too large or late, or the connection is lost.
pub async fn read(head: &Head, stream: &mut HttpStream, most: usize) -> Result<Vec<u8>, Fault> {
    let deadline = Instant::now() + limits::HTTP_BODY_TIME;
    if matches!(head.framing, Framing::Length(length) if length > most) {
        return Err(too_large(most).into());
    }
    let is_empty = head.framing == Framing::Length(0);
    if head.is_waiting && !is_empty && stream.input.is_empty() {
        stream.push(b"HTTP/1.1 100 Continue\r\n\r\n");
        stream.flush().await?;
    }
    let mut source = BodySource { stream, at: 0, deadline };
    let mut body = Vec::new();
    match head.framing {
        Framing::Length(length) => source.take(length, &mut body).await?,
        Framing::Chunked => source.chunks(most, &mut body).await?,
    }
    source.end();
    Ok(body)
}

/// The input from which a body is taken. Its bytes are dropped for each read, and not for each chunk,
/// which may have a single one.
struct BodySource<'a> {
    stream: &'a mut HttpStream,
    /// The input is taken up to here.
    at: usize,
    deadline: Instant,
}

impl BodySource<'_> {
    /// Drops what was taken. What is left belongs to the next request.
    fn end(&mut self) {
        self.stream.input = self.stream.input.split_off(self.at);
        self.at = 0;
    }

    async fn more(&mut self) -> Result<(), Fault> {
        self.end();
        match self.stream.fill(self.deadline).await? {
            0 => Err(Fault::Gone),
            _ => Ok(()),
        }
    }

    /// Takes that many bytes.
    async fn take(&mut self, n: usize, into: &mut Vec<u8>) -> Result<(), Fault> {
        let mut left = n;
        loop {
            let there = left.min(self.stream.input.len() - self.at);
            into.extend_from_slice(&self.stream.input[self.at..self.at + there]);
            self.at += there;
            left -= there;
            if left == 0 {
                return Ok(());
            }
            self.more().await?;
        }
    }

    /// RFC 9112, 7.1.
    async fn chunks(&mut self, most: usize, body: &mut Vec<u8>) -> Result<(), Fault> {
        loop {
            let size = size(&self.line().await?)?;
            if size == 0 {
                break;
            }
            if size > most - body.len() {
                return Err(too_large(most).into());
            }
            self.take(size, body).await?;
            if !self.line().await?.is_empty() {
                return Err(Denial::bad("a chunk ends with its size").into());
            }
        }
        // Fields after the body, of which nothing is used.
        for _ in 0..limits::HTTP_HEADERS {
            if self.line().await?.is_empty() {
                return Ok(());
            }
        }
        Err(Denial::bad("there are too many lines after the body").into())
    }

    /// Takes a line between the chunks, without its end.
    async fn line(&mut self) -> Result<Vec<u8>, Fault> {
        loop {
            let input = &self.stream.input[self.at..];
            let most = input.len().min(limits::HTTP_CHUNK_LINE + 1);
            if let Some(at) = memchr::memchr(b'\n', &input[..most]) {
                let line = input[..at].strip_suffix(b"\r").unwrap_or(&input[..at]).to_vec();
                self.at += at + 1;
                return Ok(line);
            }
            if input.len() > limits::HTTP_CHUNK_LINE {
                return Err(Denial::bad("a line between chunks is too long").into());
            }
            self.more().await?;
        }
    }
}

/// The size of a chunk; what follows a semicolon is an extension.
fn size(line: &[u8]) -> Result<usize, Denial> {
    let digits = line.split(|b| *b == b';').next().unwrap_or_default().trim_ascii_end();
    let bad = || Denial::bad("the size of a chunk is a hexadecimal number");
    if !(1..=16).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_hexdigit) {
        return Err(bad());
    }
    let digits = str::from_utf8(digits).map_err(|_| bad())?;
    usize::from_str_radix(digits, 16).map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_hexadecimal_and_nothing_else() {
        assert_eq!(size(b"1fF"), Ok(0x1ff));
        assert_eq!(size(b"0005 ;a=b"), Ok(5));
        for bad in ["", "+5", "-1", "0x5", " 5", "5 5", "g", "00000000000000005", ";a"] {
            assert_eq!(size(bad.as_bytes()).unwrap_err().code, 40000, "{bad:?}");
        }
        assert_eq!(size(b"ffffffffffffffff"), Ok(usize::MAX));
    }
}
