//! The way from a papod to PostgreSQL, which can be cut.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use crate::cluster::Cluster;

/// Passes on what comes, both ways, between a port of this machine and a server's socket.
pub struct Relay {
    address: SocketAddr,
    way: Arc<Way>,
}

#[derive(Default)]
struct Way {
    is_cut: Mutex<bool>,
    changed: Condvar,
    has_ended: AtomicBool,
    connections: Mutex<Vec<(TcpStream, UnixStream)>>,
}

impl Way {
    /// Waits while it is cut.
    fn pass(&self) {
        let is_cut = self.is_cut.lock().unwrap();
        drop(self.changed.wait_while(is_cut, |is_cut| *is_cut).unwrap());
    }
}

impl Relay {
    /// A way to this server.
    pub fn to(server: &Cluster) -> Relay {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let way = Arc::<Way>::default();
        let (shared, server): (_, PathBuf) = (way.clone(), server.socket());
        thread::spawn(move || {
            for client in socket.incoming() {
                shared.pass();
                if shared.has_ended.load(Ordering::SeqCst) {
                    return;
                }
                let (Ok(client), Ok(server)) = (client, UnixStream::connect(&server)) else {
                    continue;
                };
                let both = || (client.try_clone().unwrap(), server.try_clone().unwrap());
                shared.connections.lock().unwrap().push(both());
                let ((from, to), (back, forth)) = (both(), both());
                let (there, here) = (shared.clone(), shared.clone());
                thread::spawn(move || {
                    copy(&there, from, &to);
                    let _ = to.shutdown(Shutdown::Both);
                });
                thread::spawn(move || {
                    copy(&here, forth, &back);
                    let _ = back.shutdown(Shutdown::Both);
                });
            }
        });
        Relay { address, way }
    }

    /// The URL of a database over this way.
    pub fn url(&self, database: &str) -> PathBuf {
        format!("postgres://papo@{}/{database}", self.address).into()
    }

    /// From now on nothing comes through, and no end knows.
    pub fn cut(&self) {
        *self.way.is_cut.lock().unwrap() = true;
    }

    /// Everything comes through again, what was on the way as well.
    pub fn mend(&self) {
        *self.way.is_cut.lock().unwrap() = false;
        self.way.changed.notify_all();
    }

    /// Ends all connections.
    pub fn reset(&self) {
        for (client, server) in self.way.connections.lock().unwrap().drain(..) {
            let _ = client.shutdown(Shutdown::Both);
            let _ = server.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.way.has_ended.store(true, Ordering::SeqCst);
        self.mend();
        self.reset();
        let _ = TcpStream::connect(self.address);
    }
}

fn copy(way: &Way, mut from: impl Read, mut to: impl Write) {
    let mut bytes = [0; 16 * 1024];
    loop {
        match from.read(&mut bytes) {
            Ok(0) | Err(_) => return,
            Ok(n) => {
                way.pass();
                if to.write_all(&bytes[..n]).is_err() {
                    return;
                }
            }
        }
    }
}
