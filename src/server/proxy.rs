//! The PROXY protocol, version 2: the header with which a proxy reports its client's address before
//! the client's first byte (haproxy.org, "The PROXY protocol", section 2.2).

use std::future::poll_fn;
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::limits;
use crate::session::Socket;

const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// Reads the header and not one byte more. `None`: a LOCAL connection, the proxy's own health
/// check.
///
/// # Errors
/// There is no valid header, it names no TCP client, or the connection is lost.
pub async fn read(socket: &Socket) -> io::Result<Option<SocketAddr>> {
    let mut fixed = [0; 16];
    fill(socket, &mut fixed).await?;
    let length = length(&fixed).map_err(bad)?;
    let mut rest = vec![0; length];
    fill(socket, &mut rest).await?;
    source(&fixed, &rest).map_err(bad)
}

fn bad(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

async fn fill(mut socket: &Socket, buffer: &mut [u8]) -> io::Result<()> {
    let mut filled = 0;
    while filled < buffer.len() {
        poll_fn(|cx| socket.poll_readable(cx)).await?;
        match socket.read(&mut buffer[filled..]) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => filled += n,
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// The number of bytes after the first 16.
fn length(fixed: &[u8; 16]) -> Result<usize, &'static str> {
    if fixed[..12] != SIGNATURE || fixed[12] >> 4 != 2 {
        return Err("no PROXY header of version 2");
    }
    let length = usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
    if length > limits::PROXY_BYTES { Err("the PROXY header is too long") } else { Ok(length) }
}

/// The address of the client; `None` for LOCAL.
fn source(fixed: &[u8; 16], rest: &[u8]) -> Result<Option<SocketAddr>, &'static str> {
    let short = "the PROXY header is too short";
    let port = |at: usize| -> Result<u16, &'static str> {
        let bytes = rest.get(at..at + 2).ok_or(short)?;
        Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
    };
    match (fixed[12] & 0x0f, fixed[13]) {
        // LOCAL; the rest of the header is ignored.
        (0, _) => Ok(None),
        // PROXY, TCP over IPv4: two addresses, then two ports.
        (1, 0x11) => {
            let address: [u8; 4] = rest.get(..4).and_then(|b| b.try_into().ok()).ok_or(short)?;
            Ok(Some(SocketAddr::new(IpAddr::from(Ipv4Addr::from(address)), port(8)?)))
        }
        // PROXY, TCP over IPv6.
        (1, 0x21) => {
            let address: [u8; 16] = rest.get(..16).and_then(|b| b.try_into().ok()).ok_or(short)?;
            Ok(Some(SocketAddr::new(IpAddr::from(Ipv6Addr::from(address)), port(32)?)))
        }
        // The standard lets the receiver choose whether to accept clients of an unknown or
        // unsupported address family. Limits could not count them, and they must not count as the
        // proxy.
        (1, _) => Err("the PROXY header names no TCP client"),
        _ => Err("the PROXY header has an unknown command"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(command: u8, family: u8, rest: &[u8]) -> Result<Option<SocketAddr>, &'static str> {
        let mut fixed = [0; 16];
        fixed[..12].copy_from_slice(&SIGNATURE);
        (fixed[12], fixed[13]) = (command, family);
        fixed[14..].copy_from_slice(&u16::try_from(rest.len()).unwrap().to_be_bytes());
        assert_eq!(length(&fixed), Ok(rest.len()));
        source(&fixed, rest)
    }

    #[test]
    fn the_source_is_read_and_what_follows_it_passed_over() {
        let rest = [192, 0, 2, 7, 127, 0, 0, 1, 0x30, 0x39, 0x1c, 0x6c, 3, 0, 1, 0];
        assert_eq!(header(0x21, 0x11, &rest), Ok(Some("192.0.2.7:12345".parse().unwrap())));
        let mut rest = [0; 36];
        rest[..4].copy_from_slice(&[0x20, 1, 0x0d, 0xb8]);
        rest[15] = 1;
        rest[32..34].copy_from_slice(&[0, 80]);
        assert_eq!(header(0x21, 0x21, &rest), Ok(Some("[2001:db8::1]:80".parse().unwrap())));
    }

    #[test]
    fn a_proxy_may_speak_for_itself_but_not_for_whom_it_does_not_know() {
        for family in [0x00, 0x11, 0x21, 0x31, 0xff] {
            assert_eq!(header(0x20, family, &[0; 12]), Ok(None));
        }
        // Unspecified; Unix sockets; datagrams; undefined.
        for family in [0x00, 0x01, 0x10, 0x12, 0x22, 0x31, 0x32, 0x41, 0xff] {
            assert!(header(0x21, family, &[0; 216]).is_err(), "{family:x}");
        }
    }

    #[test]
    fn what_is_no_header_is_refused() {
        assert!(header(0x21, 0x11, &[0; 9]).is_err());
        assert!(header(0x21, 0x21, &[0; 33]).is_err());
        assert!(header(0x22, 0x11, &[0; 12]).is_err());
        assert!(length(b"PROXY TCP4 192.0").is_err());
        assert!(length(b"\r\n\r\n\0\r\nQUIT\n\x11\x11\0\x0c").is_err(), "version 1");
        assert!(length(b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff").is_err());
    }
}
