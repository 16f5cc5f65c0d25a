//! The stream to a server: TCP, with TLS or without, or a Unix socket.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::url::{PgHost, PgTls};

/// A stream.
pub(super) enum PgSocket {
    Tcp(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
    Unix(UnixStream),
}

impl PgSocket {
    /// Connects to a server; each step takes at most `time`.
    ///
    /// # Errors
    /// The system's reason, or why its certificate is not trusted.
    pub(super) fn open(to: &PgHost, tls: &PgTls, time: Duration) -> io::Result<PgSocket> {
        let (name, port) = match to {
            PgHost::Folder(folder, port) => {
                let stream = UnixStream::connect(folder.join(format!(".s.PGSQL.{port}")))?;
                stream.set_read_timeout(Some(time))?;
                stream.set_write_timeout(Some(time))?;
                return Ok(PgSocket::Unix(stream));
            }
            PgHost::Name(name, port) => (name, *port),
        };
        let mut failed = io::Error::other("the name has no address");
        for address in (name.as_str(), port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, time) {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    stream.set_read_timeout(Some(time))?;
                    stream.set_write_timeout(Some(time))?;
                    return match tls {
                        PgTls::Off => Ok(PgSocket::Tcp(stream)),
                        PgTls::Verified { roots } => secured(stream, name, roots.as_deref()),
                    };
                }
                Err(e) => failed = e,
            }
        }
        Err(failed)
    }

    /// This end's address; of a Unix socket, that of this machine.
    pub(super) fn local_address(&self) -> IpAddr {
        let socket = match self {
            PgSocket::Tcp(stream) => stream,
            PgSocket::Tls(stream) => &stream.sock,
            PgSocket::Unix(_) => return Ipv4Addr::LOCALHOST.into(),
        };
        socket.local_addr().map_or(Ipv4Addr::LOCALHOST.into(), |address| address.ip())
    }

    /// Fails a read or a write that takes longer than this.
    pub(super) fn patience(&mut self, time: Duration) -> io::Result<()> {
        let time = Some(time);
        match self {
            PgSocket::Tcp(stream) => {
                stream.set_read_timeout(time).and_then(|()| stream.set_write_timeout(time))
            }
            PgSocket::Tls(stream) => stream
                .sock
                .set_read_timeout(time)
                .and_then(|()| stream.sock.set_write_timeout(time)),
            PgSocket::Unix(stream) => {
                stream.set_read_timeout(time).and_then(|()| stream.set_write_timeout(time))
            }
        }
    }
}

/// Begins TLS, which the server has to be asked for, and checks its certificate for this name.
fn secured(mut stream: TcpStream, name: &str, roots: Option<&Path>) -> io::Result<PgSocket> {
    stream.write_all(&[0, 0, 0, 8, 4, 210, 22, 47])?;
    let mut answer = [0];
    stream.read_exact(&mut answer)?;
    if answer != *b"S" {
        let why = "the server has no TLS; sslmode=disable does without, on a network that is safe";
        return Err(io::Error::other(why));
    }
    let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
    let tls = ClientConnection::new(trusting(roots)?, name).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(tls, stream);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(PgSocket::Tls(Box::new(stream)))
}

/// Trusts the authorities in this file, or those of the system.
fn trusting(roots: Option<&Path>) -> io::Result<Arc<ClientConfig>> {
    let mut trusted = RootCertStore::empty();
    match roots {
        Some(file) => {
            let unfit = |e: &dyn std::fmt::Display| {
                io::Error::other(format!("sslrootcert {}: {e}", file.display()))
            };
            File::open(file).map_err(|e| unfit(&e))?;
            for certificate in CertificateDer::pem_file_iter(file).map_err(|e| unfit(&e))? {
                let certificate = certificate.map_err(|e| unfit(&e))?;
                trusted.add(certificate).map_err(|e| unfit(&e))?;
            }
        }
        None => {
            trusted.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    Ok(Arc::new(config.with_root_certificates(trusted).with_no_client_auth()))
}

impl Read for PgSocket {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            PgSocket::Tcp(stream) => stream.read(into),
            PgSocket::Tls(stream) => stream.read(into),
            PgSocket::Unix(stream) => stream.read(into),
        }
    }
}

impl Write for PgSocket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            PgSocket::Tcp(stream) => stream.write(bytes),
            PgSocket::Tls(stream) => stream.write(bytes),
            PgSocket::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            PgSocket::Tcp(stream) => stream.flush(),
            PgSocket::Tls(stream) => stream.flush(),
            PgSocket::Unix(stream) => stream.flush(),
        }
    }
}
