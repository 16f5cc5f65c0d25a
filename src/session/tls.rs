//! TLS (1.2 and 1.3, by rustls on ring): the certificates, and one connection's state.
//!
//! rustls is used without an asynchronous wrapper: it holds bytes and no socket, which is what a
//! session wants that waits in one place for readiness and then reads and writes without waiting.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context, Poll, ready};

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, ServerConnection};

use super::socket::{Socket, now};

/// Plaintext that one reading of the socket can add: less than this is left free before each, so
/// that nothing stays behind in rustls that no readiness would tell of. A record has 16 KiB, and
/// one that was incomplete before may become whole.
const MARGIN: usize = 2 * 16_384;

/// A certificate and its key, from two files, which can be loaded again while connections go on.
#[derive(Clone)]
pub struct Certificates {
    config: Arc<ServerConfig>,
    current: Arc<Current>,
}

#[derive(Debug)]
struct Current {
    certificate: PathBuf,
    key: PathBuf,
    loaded: RwLock<Arc<CertifiedKey>>,
}

impl Certificates {
    /// Loads a chain of certificates, the server's own first, and its key, both PEM.
    ///
    /// # Errors
    /// One line for the operator that names the file.
    pub fn load(certificate: &Path, key: &Path) -> Result<Certificates, String> {
        let provider = Arc::new(ring::default_provider());
        let loaded = load(&provider, certificate, key)?;
        let current = Arc::new(Current {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            loaded: RwLock::new(Arc::new(loaded)),
        });
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| format!("TLS cannot be set up: {e}"))?
            .with_no_client_auth()
            .with_cert_resolver(current.clone());
        Ok(Certificates { config: Arc::new(config), current })
    }

    /// Loads the files again, for connections that are made from now on.
    ///
    /// # Errors
    /// One line for the operator; what was loaded before stays in use.
    pub fn reload(&self) -> Result<(), String> {
        let Current { certificate, key, loaded } = &*self.current;
        let fresh = load(self.config.crypto_provider(), certificate, key)?;
        *loaded.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(fresh);
        Ok(())
    }

    /// The beginning of a connection.
    pub(super) fn accept(&self) -> io::Result<Tls> {
        let connection = ServerConnection::new(self.config.clone()).map_err(io::Error::other)?;
        Ok(Tls { connection, taken: 0, has_unread: false })
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.loaded.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

fn load(provider: &CryptoProvider, certificate: &Path, key: &Path) -> Result<CertifiedKey, String> {
    let say = |path: &Path, what: &dyn std::fmt::Display| format!("{}: {what}", path.display());
    let open = |path: &Path| File::open(path).map(BufReader::new).map_err(|e| say(path, &e));
    let chain = CertificateDer::pem_reader_iter(open(certificate)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| say(certificate, &e))?;
    if chain.is_empty() {
        return Err(say(certificate, &"has no certificate in PEM form"));
    }
    let private = PrivateKeyDer::from_pem_reader(open(key)?)
        .map_err(|_| say(key, &"has no private key in PEM form"))?;
    CertifiedKey::from_der(chain, private, provider)
        .map_err(|e| format!("{} and {}: {e}", certificate.display(), key.display()))
}

/// One connection's TLS.
pub(super) struct Tls {
    connection: ServerConnection,
    /// Bytes that were handed over to be written and not yet reported as written.
    taken: usize,
    /// Something was read from the socket that has not been read from here.
    has_unread: bool,
}

impl Tls {
    pub(super) fn has_unread(&self) -> bool {
        self.has_unread
    }

    /// How many bytes were read from the socket and not from here, at most.
    pub(super) fn unread(&self) -> usize {
        if self.has_unread { MARGIN } else { 0 }
    }

    pub(super) fn taken(&self) -> usize {
        self.taken
    }

    pub(super) fn is_owing(&self) -> bool {
        self.connection.wants_write()
    }

    /// Takes in what the socket has; 0 where it is at its end, `None` where nothing is there.
    fn take_in(&mut self, mut socket: &Socket) -> io::Result<Option<usize>> {
        let read = now(self.connection.read_tls(&mut socket))?;
        match self.connection.process_new_packets() {
            Ok(state) => {
                self.has_unread |= state.plaintext_bytes_to_read() > 0 || state.peer_has_closed();
                Ok(read)
            }
            Err(e) => {
                // Says what is wrong in TLS's own way, if there is room.
                let _ = self.flush(socket);
                Err(io::Error::new(io::ErrorKind::InvalidData, e))
            }
        }
    }

    /// As `Stream::read`. The buffer has room for more than [`MARGIN`].
    pub(super) fn read(&mut self, socket: &Socket, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let mut filled = 0;
        loop {
            let more = self.take_in(socket);
            loop {
                match self.connection.reader().read(&mut buffer[filled..]) {
                    // Closed in order. What came before is given out first.
                    Ok(0) if filled == 0 => return Ok(Some(0)),
                    Ok(0) => return Ok(Some(filled)),
                    Ok(n) => filled += n,
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                    Err(_) if filled > 0 => return Ok(Some(filled)),
                    Err(e) => return Err(e),
                }
            }
            self.has_unread = false;
            let more = match more {
                // What came before it is whole and counts; the error comes again.
                Err(_) if filled > 0 => {
                    self.has_unread = true;
                    return Ok(Some(filled));
                }
                more => more?,
            };
            match more {
                Some(0) if filled == 0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                Some(1..) if buffer.len() - filled > MARGIN => {}
                _ => break,
            }
        }
        self.flush(socket)?;
        Ok((filled > 0).then_some(filled))
    }

    /// As `Stream::write`: what is reported as written has left for the socket.
    pub(super) fn write(&mut self, socket: &Socket, bytes: &[u8]) -> io::Result<Option<usize>> {
        if self.connection.is_handshaking() {
            self.flush(socket)?;
            return Ok(None);
        }
        if self.taken == 0 {
            self.taken = self.connection.writer().write(bytes)?;
        }
        let is_out = self.flush(socket)?;
        Ok(is_out.then(|| std::mem::take(&mut self.taken)))
    }

    /// Writes what is encrypted; gives back whether that was all.
    pub(super) fn flush(&mut self, mut socket: &Socket) -> io::Result<bool> {
        while self.connection.wants_write() {
            if now(self.connection.write_tls(&mut socket))?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Ready once something can be written, for which the handshake has to be over.
    pub(super) fn poll_writable(
        &mut self,
        socket: &Socket,
        cx: &mut Context,
    ) -> Poll<io::Result<()>> {
        while self.connection.is_handshaking() {
            if !self.flush(socket)? {
                return socket.poll_writable(cx);
            }
            ready!(socket.poll_readable(cx))?;
            if self.take_in(socket)? == Some(0) {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
        }
        socket.poll_writable(cx)
    }

    /// Says that nothing more will be written.
    pub(super) fn close(&mut self, socket: &Socket) -> io::Result<()> {
        self.connection.send_close_notify();
        self.flush(socket).map(drop)
    }
}
