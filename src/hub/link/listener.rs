//! Where the other nodes reach this one.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};

use super::frames::{ToLeader, decode};
use super::keys::NodeKey;
use super::leading::{Given, Joining};
use super::line::line;
use super::{LinkWork, Node};
use crate::hub::Work;
use crate::limits;

/// Accepts lines until it is dropped.
pub(super) struct NodeListener {
    /// Its other end is closed when this is dropped, and the thread ends.
    _stop: UnixStream,
}

/// What the threads of the lines share.
struct NodeAcceptor {
    key: NodeKey,
    node: Arc<Node>,
    /// Connections that have not proved yet to come from a node.
    strangers: AtomicUsize,
    /// Numbers lines.
    lines: AtomicU64,
}

impl NodeListener {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system's reason.
    pub(super) fn start(
        socket: TcpListener,
        key: NodeKey,
        node: Arc<Node>,
    ) -> io::Result<NodeListener> {
        socket.set_nonblocking(true)?;
        let (stop, stopped) = UnixStream::pair()?;
        let (strangers, lines) = Default::default();
        let accepting = Arc::new(NodeAcceptor { key, node, strangers, lines });
        let run = move || {
            loop {
                let wait = |on| PollFd::from_borrowed_fd(on, PollFlags::IN);
                let mut waits =
                    [&socket as &dyn std::os::fd::AsFd, &stopped].map(|on| wait(on.as_fd()));
                if poll(&mut waits, None).is_err() {
                    continue;
                }
                if !waits[1].revents().is_empty() {
                    return;
                }
                // Whoever is gone again is nobody's loss; and a full table of files may have room
                // later.
                let Ok((connection, _)) = socket.accept() else { continue };
                accepting.clone().serve(connection);
            }
        };
        thread::Builder::new().name("nodes".into()).spawn(run)?;
        Ok(NodeListener { _stop: stop })
    }
}

impl NodeAcceptor {
    /// Serves a connection on a thread of its own.
    fn serve(self: Arc<NodeAcceptor>, connection: TcpStream) {
        if self.strangers.fetch_add(1, Ordering::Relaxed) >= limits::LINK_STRANGERS {
            self.strangers.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        let shared = self.clone();
        let run = move || {
            let from = connection.peer_addr();
            if let Err(e) = shared.converse(connection) {
                let from = from.map_or_else(|e| e.to_string(), |from| from.to_string());
                log::debug!("the line of a node at {from} has ended: {e}");
            }
        };
        if let Err(e) = thread::Builder::new().name("line".into()).spawn(run) {
            self.strangers.fetch_sub(1, Ordering::Relaxed);
            log::error!("no thread for the line of a node: {e}");
        }
    }

    fn converse(&self, mut connection: TcpStream) -> io::Result<()> {
        let time = Some(limits::LINK_CONNECT);
        connection.set_nodelay(true)?;
        connection.set_nonblocking(false)?;
        connection.set_read_timeout(time)?;
        connection.set_write_timeout(time)?;
        let Node { number: own, secret, inbox } = &*self.node;
        let accepted = self.key.accept(&mut connection, secret, *own);
        self.strangers.fetch_sub(1, Ordering::Relaxed);
        let (tls, node) = accepted?;
        let (line, end) = line()?;
        let number = self.lines.fetch_add(1, Ordering::Relaxed);
        let given = Arc::new(Mutex::new(Given::default()));
        let mut has_joined = false;
        let got = |packet: &[u8]| {
            let Some(frames) = decode::<Vec<ToLeader>>(packet) else { return false };
            inbox.pass(|| {
                for frame in frames {
                    let work = match frame {
                        ToLeader::Hello { sessions, told, heard } if !has_joined => {
                            has_joined = true;
                            let (line, given) = (line.clone(), given.clone());
                            let joining =
                                Joining { node, number, line, given, sessions, told, heard };
                            Work::Link(LinkWork::Join(Box::new(joining)))
                        }
                        frame => match Given::work(&given, node, frame) {
                            Some(work) if has_joined => work,
                            _ => return false,
                        },
                    };
                    inbox.send(work);
                }
                true
            })
        };
        let ended = end.run(connection, tls, got);
        inbox.send(Work::Link(LinkWork::Gone { node, line: number }));
        Err(ended)
    }
}
