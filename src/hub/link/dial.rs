//! The door's end of a line to the leader.

use std::io;
use std::net::{TcpStream, ToSocketAddrs};

use super::line::LineEnd;
use super::{LinkWork, Node, keys};
use crate::hub::Work;
use crate::limits;
use crate::store::LeaderSeen;

/// Connects to the leader, and serves the line to it until it ends.
pub(super) fn converse(node: &Node, seen: &LeaderSeen, number: u64, end: LineEnd) -> io::Error {
    let connect = || {
        let time = limits::LINK_CONNECT;
        let mut failed = io::Error::other("the name has no address");
        for address in seen.address.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, time) {
                Ok(mut socket) => {
                    socket.set_nodelay(true)?;
                    socket.set_read_timeout(Some(time))?;
                    socket.set_write_timeout(Some(time))?;
                    let tls = keys::join(&mut socket, &seen.key, &node.secret, node.number)?;
                    return Ok((socket, tls));
                }
                Err(e) => failed = e,
            }
        }
        Err(failed)
    };
    match connect() {
        Ok((socket, tls)) => end.run(socket, tls, |packet| {
            let packet = packet.to_vec();
            node.inbox.send(Work::Link(LinkWork::Packet { line: number, packet }));
            true
        }),
        Err(e) => e,
    }
}
