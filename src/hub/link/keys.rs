//! How nodes know each other: each makes a key when it starts, whose public half is in the database,
//! and all know a secret that is there. So a line is TLS 1.3 without certificates that anybody has
//! to handle, and whoever cannot read the database is no node.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::Ed25519KeyPair;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::{default_provider, sign::any_eddsa_type};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{
    CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime,
};
use rustls::server::AlwaysResolvesServerRawPublicKeys;
use rustls::sign::CertifiedKey;
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, ClientConnection, Connection, ConnectionCommon,
    DigitallySignedStruct, PeerIncompatible, ServerConfig, ServerConnection, SideData,
    SignatureScheme,
};

use super::frames;
use crate::store::Error;

/// The key of this node.
pub(super) struct NodeKey {
    config: Arc<ServerConfig>,
    /// Its public half, as in an X.509 certificate.
    pub(super) public: Vec<u8>,
}

/// What one end of a new line tells the other first: the version of its frames, and its number.
type Introduction = [u8; 12];

impl NodeKey {
    /// A new key.
    ///
    /// # Errors
    /// The system has no random bytes.
    pub(super) fn new() -> Result<NodeKey, Error> {
        let pair = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(Error::new)?;
        let key = any_eddsa_type(&PrivatePkcs8KeyDer::from(pair.as_ref())).map_err(Error::new)?;
        let public = key.public_key().ok_or_else(|| Error::new("a key has no public half"))?;
        let public = public.to_vec();
        let own = CertifiedKey::new(vec![CertificateDer::from(public.clone())], key);
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[&TLS13])
            .map_err(Error::new)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(Arc::new(own))));
        Ok(NodeKey { config: Arc::new(config), public })
    }

    /// Answers the node at the other end of a new connection. Returns its number.
    ///
    /// # Errors
    /// It is no node of this database, is of another version, or the connection failed.
    pub(super) fn accept(
        &self,
        socket: &mut TcpStream,
        secret: &[u8],
        own: u64,
    ) -> io::Result<(Connection, u64)> {
        let mut tls = ServerConnection::new(self.config.clone()).map_err(io::Error::other)?;
        let proof = prove(&mut tls, socket, secret)?;
        let mut said = (Introduction::default(), [0; 32]);
        let mut stream = rustls::Stream::new(&mut tls, socket);
        stream.read_exact(&mut said.0)?;
        stream.read_exact(&mut said.1)?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        if hmac::verify(&key, &proof.1, &said.1).is_err() {
            return Err(io::Error::other("it does not know the secret of this database"));
        }
        stream.write_all(&introduce(own))?;
        stream.flush()?;
        let number = known(&said.0)?;
        Ok((tls.into(), number))
    }
}

/// Introduces this node to the one of this public key at the other end of a new connection.
///
/// # Errors
/// It is another one, or of another version, or the connection failed.
pub(super) fn join(
    socket: &mut TcpStream,
    key: &[u8],
    secret: &[u8],
    own: u64,
) -> io::Result<Connection> {
    let provider = default_provider();
    let known_key =
        KnownKey { key: key.to_owned(), all: provider.signature_verification_algorithms };
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&TLS13])
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(known_key))
        .with_no_client_auth();
    // The name is not looked at.
    let name = ServerName::try_from("papod").map_err(io::Error::other)?;
    let mut tls = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    let (proof, _) = prove(&mut tls, socket, secret)?;
    let mut stream = rustls::Stream::new(&mut tls, socket);
    stream.write_all(&introduce(own))?;
    stream.write_all(&proof)?;
    stream.flush()?;
    let mut said = Introduction::default();
    stream.read_exact(&mut said)?;
    known(&said)?;
    Ok(tls.into())
}

fn introduce(number: u64) -> Introduction {
    let mut said = Introduction::default();
    said[..4].copy_from_slice(&frames::VERSION.to_be_bytes());
    said[4..].copy_from_slice(&number.to_be_bytes());
    said
}

/// The number of the node that introduced itself.
fn known(said: &Introduction) -> io::Result<u64> {
    let (version, number) = said.split_at(4);
    if *version != frames::VERSION.to_be_bytes() {
        return Err(io::Error::other("it is a papod of another version; all have to be of one"));
    }
    Ok(number.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
}

/// Completes the handshake. Returns the proof that this end knows the secret, and what it is made
/// from, which only the two ends of this connection know.
fn prove<S: SideData>(
    tls: &mut ConnectionCommon<S>,
    socket: &mut TcpStream,
    secret: &[u8],
) -> io::Result<([u8; 32], [u8; 32])> {
    while tls.is_handshaking() {
        tls.complete_io(socket)?;
    }
    let shared = tls.export_keying_material([0; 32], b"EXPORTER-papo-node", None);
    let shared = shared.map_err(io::Error::other)?;
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), &shared);
    let mut proof = [0; 32];
    proof.copy_from_slice(tag.as_ref());
    Ok((proof, shared))
}

/// Trusts one public key.
#[derive(Debug)]
struct KnownKey {
    key: Vec<u8>,
    all: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for KnownKey {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if **shown == *self.key {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let key = SubjectPublicKeyInfoDer::from(&**shown);
        verify_tls13_signature_with_raw_key(message, &key, signed, &self.all)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.all.supported_schemes()
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
