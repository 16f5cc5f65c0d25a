//! A relay in front of a papod: what papod answers to commands can be kept back there, while events
//! come through, since the client has a connection for either.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

#[derive(Default)]
struct Gate {
    is_shut: Mutex<bool>,
    moved: Condvar,
}

impl Gate {
    fn set(&self, is_shut: bool) {
        *self.is_shut.lock().unwrap() = is_shut;
        self.moved.notify_all();
    }

    fn pass(&self) {
        let is_shut = self.is_shut.lock().unwrap();
        drop(self.moved.wait_while(is_shut, |is_shut| *is_shut).unwrap());
    }
}

/// It ends with the test program.
pub struct Relay {
    pub address: SocketAddr,
    gate: Arc<Gate>,
}

impl Relay {
    pub fn start(papod: SocketAddr) -> Relay {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let gate = Arc::<Gate>::default();
        let theirs = gate.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                let (client, server) = (client.unwrap(), TcpStream::connect(papod).unwrap());
                let gate = theirs.clone();
                let is_quiet = Arc::<AtomicBool>::default();
                let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let found = is_quiet.clone();
                thread::spawn(move || {
                    let mut start = Vec::new();
                    carry(from, to, |bytes| {
                        // Its login is the first that it says.
                        if start.len() < 1_000 {
                            start.extend_from_slice(bytes);
                            found.store(start.windows(7).any(|some| some == b" quiet\n"), SeqCst);
                        }
                    });
                });
                thread::spawn(move || {
                    carry(server, client, |_| {
                        if is_quiet.load(SeqCst) {
                            gate.pass();
                        }
                    });
                });
            }
        });
        Relay { address, gate }
    }

    /// Keeps answers to commands back.
    pub fn hold(&self) {
        self.gate.set(true);
    }

    /// Lets them through.
    pub fn release(&self) {
        self.gate.set(false);
    }
}

/// Carries what comes, after a look at it, until either side has gone.
fn carry(mut from: TcpStream, mut to: TcpStream, mut look: impl FnMut(&[u8])) {
    let mut some = [0; 4096];
    while let Ok(n @ 1..) = from.read(&mut some) {
        look(&some[..n]);
        if to.write_all(&some[..n]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
