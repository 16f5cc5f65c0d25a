//! Dialling: an address becomes a stream of bytes, in the clear or through TLS.
//!
//! TLS trusts what the system trusts, or, where a file is named, that file alone. Nothing here
//! reads or writes a line.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_rustls::TlsConnector;
use rustix::net::sockopt;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use smol::io::{AsyncRead, AsyncWrite};
use smol::net::TcpStream;
use smol::net::unix::UnixStream;

use super::address::{Address, Host};

/// What a connection is made of.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Connects. `roots` is a file of certificates, PEM, that are trusted in place of the system's.
pub async fn dial(address: &Address, roots: Option<&Path>) -> io::Result<Box<dyn Stream>> {
    match address {
        Address::Tcp(host) => Ok(Box::new(connect(host).await?)),
        Address::Unix(path) => Ok(Box::new(UnixStream::connect(path).await?)),
        Address::Tls(host) => {
            let name = ServerName::try_from(host.name.clone()).map_err(io::Error::other)?;
            let tls = TlsConnector::from(Arc::new(config(roots)?));
            Ok(Box::new(tls.connect(name, connect(host).await?).await?))
        }
    }
}

async fn connect(host: &Host) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((host.name.as_str(), host.port)).await?;
    // A command is one small write whose answer is waited for.
    stream.set_nodelay(true)?;
    keep_alive(&stream)?;
    Ok(stream)
}

/// After how long without a byte the system asks the other side whether it is there, and how long it
/// waits between that and each further time.
const QUIET: Duration = Duration::from_secs(60);
const BETWEEN: Duration = Duration::from_secs(10);
/// Times that it asks.
const TIMES: u32 = 5;

/// Has a peer noticed that has gone without a word: after `QUIET` and `TIMES` times `BETWEEN`, which
/// is 110 seconds, whatever is being waited for; and as long after a byte that it does not confirm.
fn keep_alive(stream: &TcpStream) -> io::Result<()> {
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, QUIET)?;
    sockopt::set_tcp_keepintvl(stream, BETWEEN)?;
    sockopt::set_tcp_keepcnt(stream, TIMES)?;
    #[cfg(target_os = "linux")]
    sockopt::set_tcp_user_timeout(stream, (QUIET + BETWEEN * TIMES).as_millis() as u32)?;
    Ok(())
}

fn config(roots: Option<&Path>) -> io::Result<ClientConfig> {
    let mut trusted = RootCertStore::empty();
    match roots {
        Some(file) => {
            let unfit = |e| io::Error::other(format!("{}: {e}", file.display()));
            for certificate in CertificateDer::pem_file_iter(file).map_err(unfit)? {
                trusted.add(certificate.map_err(unfit)?).map_err(io::Error::other)?;
            }
        }
        // What does not parse is passed over: a system's store has all sorts of things in it, and
        // where nothing is left no server is trusted.
        None => {
            let found = rustls_native_certs::load_native_certs();
            trusted.add_parsable_certificates(found.certs);
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(trusted)
        .with_no_client_auth();
    Ok(config)
}
