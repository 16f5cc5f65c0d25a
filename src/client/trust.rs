//! Which servers are believed to be who they say they are, over TLS; and in words why one is not.
//!
//! Trusted is whom the system trusts, or, where a file is named, whom that file vouches for, and
//! nobody else: the authorities in it, and the very certificates in it. The latter is what people have
//! who made a certificate by themselves; `openssl req -x509` marks it as an authority's, which a
//! server must not show, and often puts no host into it. Whoever has its key could vouch for any
//! server then, so to believe that it is this one adds nothing.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

use super::address::Host;

/// How a connection is made whose server is trusted by the certificates in a file, PEM, or as the
/// system has it.
///
/// # Errors
/// The file cannot be read, or has no certificates in it.
pub fn config(roots: Option<&Path>) -> io::Result<Arc<ClientConfig>> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    let Some(file) = roots else {
        // What does not parse is passed over: a system's store has all sorts of things in it, and
        // where nothing is left no server is trusted.
        let mut trusted = RootCertStore::empty();
        trusted.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        return Ok(Arc::new(builder.with_root_certificates(trusted).with_no_client_auth()));
    };
    let verifier = Arc::new(PinnedFile::load(file, provider)?);
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    Ok(Arc::new(builder.with_no_client_auth()))
}

/// Trusts what is in one file.
#[derive(Debug)]
struct PinnedFile {
    certificates: Vec<CertificateDer<'static>>,
    by_authority: Arc<WebPkiServerVerifier>,
}

impl PinnedFile {
    fn load(file: &Path, provider: Arc<CryptoProvider>) -> io::Result<PinnedFile> {
        let unfit =
            |why: &dyn std::fmt::Display| io::Error::other(format!("{}: {why}", file.display()));
        // The library's errors of reading files and of PEM are one type.
        std::fs::File::open(file).map_err(|e| unfit(&e))?;
        let read = CertificateDer::pem_file_iter(file).map_err(|e| unfit(&e))?;
        let certificates = read.collect::<Result<Vec<_>, _>>().map_err(|e| unfit(&e))?;
        if certificates.is_empty() {
            return Err(unfit(&"no certificate in PEM form is in it"));
        }
        let mut trusted = RootCertStore::empty();
        for certificate in &certificates {
            trusted.add(certificate.clone()).map_err(|e| unfit(&e))?;
        }
        let by_authority = WebPkiServerVerifier::builder_with_provider(trusted.into(), provider);
        let by_authority = by_authority.build().map_err(io::Error::other)?;
        Ok(PinnedFile { certificates, by_authority })
    }
}

impl ServerCertVerifier for PinnedFile {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.by_authority.verify_server_cert(shown, between, name, ocsp, now);
        let Err(Error::InvalidCertificate(why)) = verified else { return verified };
        if !self.certificates.contains(shown) {
            return Err(why.into());
        }
        match why {
            // For an authority's; that it is valid at this time was looked at before.
            CertificateError::Other(_) => {
                let named = verify_server_name(&ParsedCertificate::try_from(shown)?, name);
                named.or_else(|e| if names_nobody(&e) { Ok(()) } else { Err(e) })?;
            }
            why => {
                let why = Error::from(why);
                if !names_nobody(&why) {
                    return Err(why);
                }
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.by_authority.verify_tls12_signature(message, shown, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.by_authority.verify_tls13_signature(message, shown, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.by_authority.supported_verify_schemes()
    }
}

/// Whether this is said of a certificate in which no host is named.
fn names_nobody(why: &Error) -> bool {
    use CertificateError::NotValidForNameContext;
    let Error::InvalidCertificate(NotValidForNameContext { presented, .. }) = why else {
        return false;
    };
    presented.is_empty()
}

/// A failure to agree on TLS with this host, so that it says what to do.
pub fn in_words(failure: io::Error, host: &Host) -> io::Error {
    let why = failure.get_ref().and_then(|e| e.downcast_ref::<Error>());
    let words = match why {
        Some(Error::InvalidCertificate(why)) => format!("its certificate {}", refused(why)),
        // What it says is no TLS: the greeting of a server in the clear, as a rule.
        Some(Error::InvalidMessage(_)) => {
            format!(
                "it does not speak TLS there; {host}, without tls:, connects without encryption"
            )
        }
        Some(other) => format!("TLS: {other}"),
        None => return failure,
    };
    io::Error::new(failure.kind(), words)
}

fn refused(why: &CertificateError) -> String {
    use CertificateError as E;
    match why {
        E::Expired | E::ExpiredContext { .. } => {
            let until = if let E::ExpiredContext { not_after, .. } = why { day(*not_after) } else { None };
            format!("has expired{}", until.map(|day| format!(", on {day}")).unwrap_or_default())
        }
        E::NotValidYet | E::NotValidYetContext { .. } => {
            let from = if let E::NotValidYetContext { not_before, .. } = why { day(*not_before) } else { None };
            let from = from.map(|day| format!(", but from {day} on")).unwrap_or_default();
            format!("is not yet valid{from}; is the clock of this machine right?")
        }
        E::NotValidForNameContext { expected, presented } => {
            // They come as `DnsName("localhost")`, `IpAddress(127.0.0.1)`.
            let bare = |name: &String| {
                let inner = name.split_once('(').map_or(&**name, |(_, rest)| rest);
                inner.trim_matches([')', '"']).to_owned()
            };
            let names: Vec<String> = presented.iter().map(bare).collect();
            let names = if names.is_empty() { "no host".to_owned() } else { names.join(", ") };
            format!("is not for {}: it names {names}", expected.to_str())
        }
        E::NotValidForName => "is for another host".to_owned(),
        E::UnknownIssuer => {
            "is from an unknown issuer; --ca FILE names a file with certificates to trust".to_owned()
        }
        E::BadSignature => "is not the trusted one of that name: another key has signed it".to_owned(),
        E::Revoked => "was revoked".to_owned(),
        E::InvalidPurpose | E::InvalidPurposeContext { .. } => "is not one for servers".to_owned(),
        E::Other(other) if format!("{:?}", other.0).contains("CaUsedAsEndEntity") => {
            "is that of an authority (CA:TRUE), as openssl req -x509 makes it; with --ca FILE, where \
             FILE is a copy of it, it is trusted"
                .to_owned()
        }
        other => format!("cannot be used: {}", Error::from(other.clone())),
    }
}

/// A day, in UTC.
fn day(time: UnixTime) -> Option<String> {
    let seconds = time.as_secs().try_into().ok()?;
    Some(jiff::Timestamp::from_second(seconds).ok()?.strftime("%Y-%m-%d").to_string())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::{Duration, SystemTime};

    use super::*;

    fn file(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls").join(name)
    }

    /// What is said of a server that shows the first of these, where the second is trusted, `years`
    /// from now.
    fn verdict(shown: &str, trusted: &str, name: &str, years: i64) -> Result<(), String> {
        let named = PinnedFile::load(&file(trusted), Arc::new(ring::default_provider())).unwrap();
        let shown = CertificateDer::from_pem_file(file(shown)).unwrap();
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
        let year = 365 * 86_400;
        let now = now.saturating_add_signed(years * year);
        let now = UnixTime::since_unix_epoch(Duration::from_secs(now));
        let name = ServerName::try_from(name).unwrap();
        match named.verify_server_cert(&shown, &[], &name, &[], now) {
            Ok(_) => Ok(()),
            Err(why) => {
                let host = Host { name: "h".to_owned(), port: 1 };
                Err(in_words(io::Error::other(why), &host).to_string())
            }
        }
    }

    #[test]
    fn the_very_certificate_of_the_file_is_trusted() {
        // As openssl req -x509 makes them: an authority's, with and without a name.
        for shown in ["made.pem", "bare.pem", "one.pem"] {
            assert_eq!(verdict(shown, shown, "localhost", 0), Ok(()), "{shown}");
        }
        let refused = |shown, trusted, name, years, why: &str| {
            let said = verdict(shown, trusted, name, years).unwrap_err();
            assert!(said.starts_with("its certificate ") && said.contains(why), "{said}");
        };
        refused(
            "made.pem",
            "made.pem",
            "chat.example.org",
            0,
            "is not for chat.example.org: it names localhost",
        );
        refused(
            "one.pem",
            "one.pem",
            "chat.example.org",
            0,
            "is not for chat.example.org: it names localhost, 127.0.0.1",
        );
        for shown in ["made.pem", "bare.pem", "one.pem"] {
            refused(shown, shown, "localhost", 200, "has expired, on 21");
            refused(shown, shown, "localhost", -50, "is not yet valid, but from 20");
        }
        refused("bare.pem", "made.pem", "localhost", 0, "CA:TRUE");
        refused("one.pem", "other.pem", "localhost", 0, "is not the trusted one of that name");
    }

    #[test]
    fn a_file_without_certificates_is_refused() {
        let load = |name| PinnedFile::load(&file(name), Arc::new(ring::default_provider()));
        let why = load("made.key").unwrap_err().to_string();
        assert!(why.ends_with("made.key: no certificate in PEM form is in it"), "{why}");
        let why = load("nowhere.pem").unwrap_err().to_string();
        assert!(why.ends_with("nowhere.pem: No such file or directory (os error 2)"), "{why}");
    }
}
