//! TLS for tests: papods that speak it, and clients that trust one certificate.
#![allow(dead_code)] // Each test program uses a part of it.

use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::{Home, PATIENCE, Papod};

/// A file of the certificates that are made for these tests.
pub fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls").join(name)
}

/// A papod that speaks TLS, too, and where.
pub fn start(home: &Home, certificate: &Path, key: &Path) -> (Papod, SocketAddr) {
    let [certificate, key] = [certificate, key].map(|path| path.to_str().unwrap());
    let flags = ["--tls-listen", "127.0.0.1:0", "--tls-cert", certificate, "--tls-key", key];
    let papod = Papod::start_with(&home.db(), flags);
    let address = papod.way("tls:").parse().unwrap();
    (papod, address)
}

pub type Tls = StreamOwned<ClientConnection, TcpStream>;

/// A connection that trusts this certificate only.
pub fn connect(address: SocketAddr, certificate: &str) -> Tls {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(file(certificate)).unwrap()).unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let name = "localhost".try_into().unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    StreamOwned::new(connection, socket)
}
