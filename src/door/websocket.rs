//! As much of WebSocket (RFC 6455) as a subscription needs: texts out, small control frames in.
//!
//! A client has nothing to send here but Pong and Close, so a frame that is longer than a control
//! frame may be, fragmented or unmasked ends the connection. A library would accept and buffer all
//! of these.

use base64ct::{Base64, Encoding};
use ring::digest;

use super::answer::Denial;
use super::request::Head;
use crate::limits;

/// What a client sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame {
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close,
    /// A text or bytes, which mean nothing here.
    Data,
}

/// What the server sends; the numbers are those of section 5.2.
#[derive(Clone, Copy, Debug)]
pub enum Opcode {
    Text = 1,
    Close = 8,
    Ping = 9,
    Pong = 10,
}

/// The client broke the rules (section 7.4.1).
pub const BROKEN: u16 = 1002;
/// The server is going away.
pub const AWAY: u16 = 1001;

/// The header lines that accept an upgrade.
///
/// # Errors
/// The request is none.
pub fn accept(head: &Head) -> Result<String, Denial> {
    let is = |name: &str, value: &str| {
        let said = head.header(name).unwrap_or_default();
        said.split(',').any(|one| one.trim().eq_ignore_ascii_case(value))
    };
    let key = head
        .header("sec-websocket-key")
        .filter(|key| Base64::decode_vec(key).is_ok_and(|bytes| bytes.len() == 16));
    let is_upgrade = is("upgrade", "websocket")
        && is("connection", "upgrade")
        && is("sec-websocket-version", "13")
        && head.is_modern;
    let Some(key) = key.filter(|_| is_upgrade) else {
        return Err(Denial::new(40016, "this address is for WebSocket"));
    };
    let digest = digest::digest(
        &digest::SHA1_FOR_LEGACY_USE_ONLY,
        format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11").as_bytes(),
    );
    let accept = Base64::encode_string(digest.as_ref());
    Ok(format!(
        "HTTP/1.1 101 Switching Protocols\r\n\
         Upgrade: websocket\r\n\
         Connection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\
         Access-Control-Allow-Origin: *\r\n\
         Cache-Control: no-store\r\n\
         X-Content-Type-Options: nosniff\r\n\r\n"
    ))
}

/// A frame from the server: whole, and not masked.
pub fn frame(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0x80 | opcode as u8];
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length), _) if usize::from(length) <= limits::WEBSOCKET_FRAME => out.push(length),
        (_, Ok(length)) => {
            out.push(126);
            out.extend(length.to_be_bytes());
        }
        _ => {
            out.push(127);
            out.extend((payload.len() as u64).to_be_bytes());
        }
    }
    out.extend(payload);
    out
}

/// The Close frame with a code.
pub fn close(code: u16) -> Vec<u8> {
    frame(Opcode::Close, &code.to_be_bytes())
}

/// The frame that `input` begins with, and its length; `None` if it has not come whole.
///
/// # Errors
/// It is not one that a client may send here.
pub fn parse(input: &[u8]) -> Result<Option<(Frame, usize)>, ()> {
    let [first, second, ..] = *input else {
        // A first byte alone can be wrong, too.
        return if input.first().is_some_and(|b| b & 0xf0 != 0x80) { Err(()) } else { Ok(None) };
    };
    let length = usize::from(second & 0x7f);
    // FIN and no extension; masked; short.
    if first & 0xf0 != 0x80 || second & 0x80 == 0 || length > limits::WEBSOCKET_FRAME {
        return Err(());
    }
    let Some(frame) = input.get(..6 + length) else { return Ok(None) };
    let mask = frame[2..6].iter().cycle();
    let payload = frame[6..].iter().zip(mask).map(|(byte, mask)| byte ^ mask).collect();
    let parsed = match first & 0x0f {
        1 | 2 => Frame::Data,
        8 => Frame::Close,
        9 => Frame::Ping(payload),
        10 => Frame::Pong(payload),
        _ => return Err(()),
    };
    Ok(Some((parsed, frame.len())))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn frames_are_the_same_however_they_arrive(
            bytes in proptest::collection::vec(any::<u8>(), 0..40),
            payload in proptest::collection::vec(any::<u8>(), 0..=125),
            mask in any::<[u8; 4]>(),
        ) {
            let _ = parse(&bytes);
            let mut input = vec![0x8a, 0x80 | u8::try_from(payload.len()).unwrap()];
            input.extend(mask);
            input.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
            let whole = input.clone();
            for end in 0..whole.len() {
                prop_assert_eq!(parse(&whole[..end]), Ok(None));
            }
            input.extend(&bytes);
            prop_assert_eq!(parse(&input), Ok(Some((Frame::Pong(payload), whole.len()))));
        }
    }

    #[test]
    fn the_example_of_the_standard_is_accepted() {
        let head = |lines: &str| {
            let text = format!("GET /a/ws HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
            Head::parse(text.as_bytes()).unwrap().unwrap().0
        };
        let lines = "Upgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n\
                     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
        let accepted = accept(&head(lines)).unwrap();
        assert!(accepted.contains("Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{accepted}");
        for line in lines.split_inclusive("\r\n") {
            assert_eq!(accept(&head(&lines.replace(line, ""))).unwrap_err().code, 40016, "{line}");
        }
    }

    #[test]
    fn a_client_may_send_small_whole_masked_frames() {
        let masked = [0x8a, 0x83, 1, 2, 3, 4, b'a' ^ 1, b'b' ^ 2, b'c' ^ 3, 0x88];
        for end in 0..9 {
            assert_eq!(parse(&masked[..end]), Ok(None));
        }
        assert_eq!(parse(&masked), Ok(Some((Frame::Pong(b"abc".to_vec()), 9))));
        assert_eq!(parse(&[0x88, 0x80, 0, 0, 0, 0]), Ok(Some((Frame::Close, 6))));
        // Not masked, too long, a part, an extension, reserved.
        for bad in [[0x8a, 0x00], [0x8a, 0xfe], [0x01, 0x80], [0xc1, 0x80]] {
            assert_eq!(parse(&bad), Err(()));
        }
        assert_eq!(parse(&[0x83, 0x80, 0, 0, 0, 0]), Err(()));
        assert_eq!(parse(&[0x01]), Err(()));
    }

    #[test]
    fn lengths_are_written_in_their_three_forms() {
        assert_eq!(frame(Opcode::Text, b"hi"), [0x81, 2, b'h', b'i']);
        assert_eq!(frame(Opcode::Text, &[0; 126])[..4], [0x81, 126, 0, 126]);
        assert_eq!(frame(Opcode::Text, &[0; 65_536])[..10], [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
        assert_eq!(close(BROKEN), [0x88, 2, 3, 0xea]);
    }
}
