//! TLS for the load: the certificate that papod shows, and the client's side of a connection.
//!
//! Which server speaks it is known by its address, so that no scenario has to know.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use crate::Outcome;

/// Plaintext that one reading of the socket can add: so much room is left before each.
const MARGIN: usize = 2 * 16_384;

/// Where TLS is spoken, and how a client is set up for it.
static SPOKEN: Mutex<Vec<(SocketAddr, Arc<ClientConfig>)>> = Mutex::new(Vec::new());

/// The certificate and the key of the tests.
pub fn files() -> [PathBuf; 2] {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls");
    ["one.pem", "one.key"].map(|name| folder.join(name))
}

/// Notes that a server speaks TLS there.
pub fn is_spoken_at(address: SocketAddr) -> Outcome<()> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&files()[0])?)?;
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    // Each connection pays for a whole handshake, as that of a stranger does.
    config.resumption = Resumption::disabled();
    let mut spoken = SPOKEN.lock().unwrap_or_else(PoisonError::into_inner);
    // Ports are given again: what was said of one before is over.
    spoken.retain(|(known, _)| *known != address);
    spoken.push((address, Arc::new(config)));
    Ok(())
}

/// Notes that a server does not.
pub fn is_not_spoken_at(address: SocketAddr) {
    SPOKEN.lock().unwrap_or_else(PoisonError::into_inner).retain(|(known, _)| *known != address);
}

/// A client's side, where the server speaks TLS.
pub fn client(server: SocketAddr) -> io::Result<Option<Tls>> {
    let spoken = SPOKEN.lock().unwrap_or_else(PoisonError::into_inner);
    let Some((_, config)) = spoken.iter().find(|(known, _)| *known == server) else {
        return Ok(None);
    };
    let name = "localhost".try_into().map_err(io::Error::other)?;
    let connection = ClientConnection::new(config.clone(), name).map_err(io::Error::other)?;
    Ok(Some(Tls { connection: Box::new(connection), ended: false }))
}

/// One connection's TLS.
pub struct Tls {
    connection: Box<ClientConnection>,
    /// The server has ended the connection.
    ended: bool,
}

impl Tls {
    /// Reads what is there, as a socket does; writes what the handshake asks for.
    pub fn read(&mut self, socket: &mut TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while buffer.len() - filled > MARGIN {
            match self.connection.read_tls(socket) {
                Ok(0) => {
                    self.ended |= filled == 0;
                    break;
                }
                Ok(_) => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock && filled > 0 => break,
                Err(e) => return Err(e),
            }
            self.connection.process_new_packets().map_err(io::Error::other)?;
            self.flush(socket)?;
            loop {
                match self.connection.reader().read(&mut buffer[filled..]) {
                    Ok(0) => {
                        self.ended |= filled == 0;
                        return Ok(filled);
                    }
                    Ok(n) => filled += n,
                    Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                    Err(e) => return Err(e),
                }
            }
        }
        Ok(filled)
    }

    /// Takes what fits into its own buffer, and writes what it has.
    pub fn write(&mut self, socket: &mut TcpStream, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.connection.writer().write(bytes)?;
        self.flush(socket)?;
        Ok(taken)
    }

    /// Whether more may come.
    pub fn goes_on(&self) -> bool {
        !self.ended
    }

    /// Whether something waits for room.
    pub fn owes(&self) -> bool {
        self.connection.wants_write()
    }

    fn flush(&mut self, socket: &mut TcpStream) -> io::Result<()> {
        while self.connection.wants_write() {
            match self.connection.write_tls(socket) {
                Ok(_) => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}
