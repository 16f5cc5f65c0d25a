//! The body of a request: by its length, or in chunks.

use std::io;
use std::time::{Duration, Instant};

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
    let mut source = Body::new(head, stream, most)?;
    let mut body = Vec::new();
    match source.fill(&mut body, most).await? {
        BodyFill::End => Ok(body),
        BodyFill::Up | BodyFill::TooLarge => Err(too_large(most).into()),
    }
}

/// What [`Body::fill`] has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFill {
    /// There is as much as was asked for, and there may be more.
    Up,
    /// The body has ended.
    End,
    /// The rest would be more than the limit.
    TooLarge,
}

/// A body that is read a part at a time. Its bytes are dropped from the input for each read, and not
/// for each chunk, which may have a single one.
pub struct Body<'a> {
    stream: &'a mut HttpStream,
    /// The input is taken up to here.
    at: usize,
    deadline: Instant,
    /// The peer waits to be told to go on.
    is_waiting: bool,
    /// Bytes of the whole that may still come.
    room: usize,
    /// Bytes that are left, of the body or of the chunk.
    left: usize,
    /// Bytes since the deadline was set.
    since: usize,
    rest: Rest,
}

/// What comes after the bytes that are left.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rest {
    Nothing,
    /// The end of a chunk, then the next one.
    Chunk,
    FirstChunk,
    /// A chunk of that size, for which there was no room.
    Sized(usize),
}

impl Body<'_> {
    /// # Errors
    /// It says that it has more than `most` bytes.
    pub fn new<'a>(
        head: &Head,
        stream: &'a mut HttpStream,
        most: usize,
    ) -> Result<Body<'a>, Denial> {
        let (left, rest) = match head.framing {
            Framing::Length(length) if length > most => return Err(too_large(most)),
            Framing::Length(length) => (length, Rest::Nothing),
            Framing::Chunked => (0, Rest::FirstChunk),
        };
        Ok(Body {
            stream,
            at: 0,
            deadline: Instant::now() + limits::HTTP_BODY_TIME,
            is_waiting: head.is_waiting && head.framing != Framing::Length(0),
            room: most - left,
            left,
            since: 0,
            rest,
        })
    }

    /// Lets it have that many bytes more.
    pub fn extend(&mut self, by: usize) {
        self.room = self.room.saturating_add(by);
    }

    /// What has come of a body whose length is known, after a while at the latest.
    ///
    /// # Errors
    /// The connection is lost.
    pub async fn peek(&mut self, time: Duration) -> Result<&[u8], Fault> {
        self.go_on().await?;
        if self.stream.input.is_empty() {
            match self.stream.fill(self.deadline.min(Instant::now() + time)).await {
                Ok(0) => return Err(Fault::Gone),
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::TimedOut => {}
                Err(e) => return Err(e.into()),
            }
        }
        let input = &self.stream.input[self.at..];
        Ok(&input[..input.len().min(self.left)])
    }

    /// Tells a peer that waits for it to go on.
    async fn go_on(&mut self) -> Result<(), Fault> {
        if std::mem::take(&mut self.is_waiting) && self.stream.input.is_empty() {
            self.stream.push(b"HTTP/1.1 100 Continue\r\n\r\n");
            self.stream.flush().await?;
        }
        Ok(())
    }

    /// Adds bytes until `into` has `most`. At the end of the body, the next request may follow.
    ///
    /// # Errors
    /// It is malformed or late, or the connection is lost.
    pub async fn fill(&mut self, into: &mut Vec<u8>, most: usize) -> Result<BodyFill, Fault> {
        self.go_on().await?;
        let filled = self.advance(into, most).await;
        self.drop_taken();
        filled
    }

    async fn advance(&mut self, into: &mut Vec<u8>, most: usize) -> Result<BodyFill, Fault> {
        loop {
            if self.left == 0 {
                if self.rest == Rest::Nothing {
                    return Ok(BodyFill::End);
                }
                match self.next_chunk().await? {
                    Some(0) => {
                        self.rest = Rest::Nothing;
                        return Ok(BodyFill::End);
                    }
                    Some(size) => (self.left, self.room) = (size, self.room - size),
                    None => return Ok(BodyFill::TooLarge),
                }
            }
            let wanted = self.left.min(most.saturating_sub(into.len()));
            if wanted == 0 {
                return Ok(BodyFill::Up);
            }
            let there = wanted.min(self.stream.input.len() - self.at);
            into.extend_from_slice(&self.stream.input[self.at..self.at + there]);
            self.at += there;
            self.left -= there;
            if there == 0 {
                self.more().await?;
            }
            // Whatever is longer has more time.
            self.since += there;
            if self.since >= limits::HTTP_BODY {
                (self.since, self.deadline) = (0, Instant::now() + limits::HTTP_BODY_TIME);
            }
        }
    }

    /// Drops what was taken. What is left belongs to the rest of the body, or to the next request.
    fn drop_taken(&mut self) {
        self.stream.input = self.stream.input.split_off(self.at);
        self.at = 0;
    }

    async fn more(&mut self) -> Result<(), Fault> {
        self.drop_taken();
        match self.stream.fill(self.deadline).await? {
            0 => Err(Fault::Gone),
            _ => Ok(()),
        }
    }

    /// The size of the next chunk (RFC 9112, 7.1), 0 for the last, behind which all that follows is
    /// taken, too; `None` if there is no room for it.
    async fn next_chunk(&mut self) -> Result<Option<usize>, Fault> {
        if self.rest == Rest::Chunk && !self.line().await?.is_empty() {
            return Err(Denial::bad("a chunk ends with its size").into());
        }
        let size = match self.rest {
            Rest::Sized(size) => size,
            _ => size(&self.line().await?)?,
        };
        if size > self.room {
            self.rest = Rest::Sized(size);
            return Ok(None);
        }
        self.rest = Rest::Chunk;
        if size > 0 {
            return Ok(Some(size));
        }
        // Fields after the body, of which nothing is used.
        for _ in 0..limits::HTTP_HEADERS {
            if self.line().await?.is_empty() {
                return Ok(Some(0));
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
                if line.contains(&b'\r') {
                    return Err(Denial::bad("a carriage return ends no line").into());
                }
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
    let digits = line.split(|b| *b == b';').next().unwrap_or_default();
    let blanks = digits.iter().rev().take_while(|b| matches!(b, b' ' | b'\t')).count();
    let digits = &digits[..digits.len() - blanks];
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
        for bad in
            ["", "+5", "-1", "0x5", " 5", "5 5", "g", "00000000000000005", ";a", "5\x0c", "5\r"]
        {
            assert_eq!(size(bad.as_bytes()).unwrap_err().code, 40000, "{bad:?}");
        }
        assert_eq!(size(b"ffffffffffffffff"), Ok(usize::MAX));
    }
}
