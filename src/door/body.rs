//! The body of a request: by its length, or in chunks.

use std::time::Instant;

use super::Fault;
use super::answer::Denial;
use super::http_stream::HttpStream;
use super::request::{Framing, Head, too_large};
use crate::limits;

/// Reads a body, with which the request ends. What is cut off is no body.
///
/// # Errors
/// It is malformed, too large or late, or the connection is lost.
pub async fn read(head: &Head, stream: &mut HttpStream) -> Result<Vec<u8>, Fault> {
    let deadline = Instant::now() + limits::HTTP_BODY_TIME;
    let is_empty = head.framing == Framing::Length(0);
    if head.is_waiting && !is_empty && stream.input.is_empty() {
        stream.push(b"HTTP/1.1 100 Continue\r\n\r\n");
        stream.flush().await?;
    }
    match head.framing {
        Framing::Length(length) => take(stream, length, deadline).await,
        Framing::Chunked => chunks(stream, deadline).await,
    }
}

/// Takes that many bytes.
async fn take(stream: &mut HttpStream, n: usize, deadline: Instant) -> Result<Vec<u8>, Fault> {
    while stream.input.len() < n {
        more(stream, deadline).await?;
    }
    let rest = stream.input.split_off(n);
    Ok(std::mem::replace(&mut stream.input, rest))
}

async fn more(stream: &mut HttpStream, deadline: Instant) -> Result<(), Fault> {
    match stream.fill(deadline).await? {
        0 => Err(Fault::Gone),
        _ => Ok(()),
    }
}

/// RFC 9112, 7.1.
async fn chunks(stream: &mut HttpStream, deadline: Instant) -> Result<Vec<u8>, Fault> {
    let mut body = Vec::new();
    loop {
        let size = size(&line(stream, deadline).await?)?;
        if size == 0 {
            break;
        }
        if body.len() + size > limits::HTTP_BODY {
            return Err(too_large().into());
        }
        body.extend(take(stream, size, deadline).await?);
        if !line(stream, deadline).await?.is_empty() {
            return Err(Denial::bad("a chunk ends with its size").into());
        }
    }
    // Fields after the body, of which nothing is used.
    for _ in 0..limits::HTTP_HEADERS {
        if line(stream, deadline).await?.is_empty() {
            return Ok(body);
        }
    }
    Err(Denial::bad("there are too many lines after the body").into())
}

/// Takes a line between the chunks, without its end.
async fn line(stream: &mut HttpStream, deadline: Instant) -> Result<Vec<u8>, Fault> {
    loop {
        if let Some(at) = memchr::memchr(b'\n', &stream.input) {
            let mut line = take(stream, at + 1, deadline).await?;
            line.truncate(at);
            line.pop_if(|last| *last == b'\r');
            return Ok(line);
        }
        if stream.input.len() > limits::HTTP_CHUNK_LINE {
            return Err(Denial::bad("a line between chunks is too long").into());
        }
        more(stream, deadline).await?;
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
    let size = usize::from_str_radix(digits, 16).map_err(|_| bad())?;
    if size > limits::HTTP_BODY { Err(too_large()) } else { Ok(size) }
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
        assert_eq!(size(b"40001").unwrap_err().code, 41301);
    }
}
