//! The certificate and its key: loaded from two files, reloaded while connections go on, and
//! checked for problems that an operator should learn of before clients do.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys, ServerConfig};

use super::x509;
use crate::entry::Millis;
use crate::limits;
use crate::owner;

const DAY: i64 = 24 * 60 * 60;

/// A certificate chain and its key; clones share what is loaded.
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
    /// One line for the operator, with the file and what to do.
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
            .map_err(|e| format!("cannot set up TLS: {e}"))?
            .with_no_client_auth()
            .with_cert_resolver(current.clone());
        Ok(Certificates { config: Arc::new(config), current })
    }

    /// The same certificates, for listeners that speak HTTP: the name of its version is agreed upon
    /// with clients that ask (ALPN, RFC 7301).
    pub fn for_http(&self) -> Certificates {
        let mut config = ServerConfig::clone(&self.config);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Certificates { config: Arc::new(config), current: self.current.clone() }
    }

    /// Reloads the files, for new connections.
    ///
    /// # Errors
    /// One line for the operator; the previous certificate stays in use. A certificate outside its
    /// validity dates is refused while the previous one is within its own.
    pub fn reload(&self, now: Millis) -> Result<(), String> {
        let Current { certificate, key, loaded } = &*self.current;
        let fresh = load(self.config.crypto_provider(), certificate, key)?;
        let seconds = now.0.div_euclid(1_000);
        if let Some(why) = outside_dates(&fresh.cert, seconds)
            && outside_dates(&self.current.loaded().cert, seconds).is_none()
        {
            return Err(say(certificate, &why));
        }
        *loaded.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(fresh);
        Ok(())
    }

    pub(super) fn config(&self) -> Arc<ServerConfig> {
        self.config.clone()
    }

    /// Problems of the certificates in use, one line each. They are served all the same: some
    /// clients do not mind.
    pub fn warnings(&self, now: Millis) -> Vec<String> {
        let chain = &self.current.loaded().cert;
        let found = warnings(chain, now.0.div_euclid(1_000));
        found.into_iter().map(|text| say(&self.current.certificate, &text)).collect()
    }

    /// Why clients will refuse the server's own certificate, if it is outside its validity dates.
    pub fn outside_dates(&self, now: Millis) -> Option<String> {
        let why = outside_dates(&self.current.loaded().cert, now.0.div_euclid(1_000))?;
        Some(say(&self.current.certificate, &why))
    }

    /// The earliest expiry in the chain, in seconds since 1970, if any certificate could be parsed.
    pub fn end(&self) -> Option<i64> {
        self.current
            .loaded()
            .cert
            .iter()
            .filter_map(|der| x509::read(der))
            .map(|one| one.ends)
            .min()
    }
}

impl Current {
    fn loaded(&self) -> Arc<CertifiedKey> {
        self.loaded.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.loaded())
    }
}

fn say(path: &Path, what: &dyn std::fmt::Display) -> String {
    format!("{}: {what}", path.display())
}

fn load(provider: &CryptoProvider, certificate: &Path, key: &Path) -> Result<CertifiedKey, String> {
    let read = |path: &Path| {
        fs::read(path).map_err(|e| match e.kind() {
            ErrorKind::PermissionDenied => say(path, &format!("{e}; {}", owner::denied(path))),
            _ => say(path, &e),
        })
    };
    let chain = read_chain(&read(certificate)?).map_err(|e| say(certificate, &e))?;
    let private = read_key(&read(key)?).map_err(|e| say(key, &e))?;
    let private = provider.key_provider.load_private_key(private).map_err(|_| {
        say(key, &"unsupported kind of key; use RSA, ECDSA on P-256 or P-384, or Ed25519")
    })?;
    let certified = CertifiedKey::new(chain, private);
    match certified.keys_match() {
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(certified),
        Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            let fits = |one: &CertificateDer<'static>| {
                let alone = CertifiedKey::new(vec![one.clone()], certified.key.clone());
                alone.keys_match().is_ok()
            };
            let at = certified.cert.iter().position(fits);
            let (key, certificate) = (key.display(), certificate.display());
            Err(match at {
                Some(at) => format!(
                    "{certificate}: {key} is the key of certificate {} in it; the server's own has to \
                     stand first, and each has to be followed by the one that signed it",
                    at + 1
                ),
                None => format!("{key} is not the key of the certificate in {certificate}"),
            })
        }
        Err(e) => Err(say(certificate, &e)),
    }
}

/// DER begins with the tag of a SEQUENCE; PEM has a `BEGIN` line.
fn is_der(bytes: &[u8]) -> bool {
    bytes.first() == Some(&0x30) && !contains(bytes, "-----BEGIN ")
}

fn contains(bytes: &[u8], text: &str) -> bool {
    memchr::memmem::find(bytes, text.as_bytes()).is_some()
}

fn read_chain(bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let chain = CertificateDer::pem_slice_iter(bytes).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|e| format!("is damaged: {e}"))?;
    if !chain.is_empty() {
        return Ok(chain);
    }
    Err(if is_der(bytes) {
        "is DER, and has to be PEM: openssl x509 -inform der -in OLD -out NEW"
    } else if contains(bytes, "PRIVATE KEY-----") {
        "has a key and no certificate in it; --tls-cert names the certificate, --tls-key the key"
    } else {
        "contains no PEM certificate"
    }
    .to_owned())
}

fn read_key(bytes: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    // PKCS #8, and the older format of openssl.
    if contains(bytes, "BEGIN ENCRYPTED PRIVATE KEY") || contains(bytes, "Proc-Type: 4,ENCRYPTED") {
        return Err("is encrypted, and papod cannot ask for a passphrase: \
                    openssl pkey -in OLD -out NEW decrypts it"
            .to_owned());
    }
    PrivateKeyDer::from_pem_slice(bytes).map_err(|_| {
        if is_der(bytes) {
            "is DER, and has to be PEM: openssl pkey -inform der -in OLD -out NEW"
        } else if contains(bytes, "BEGIN CERTIFICATE") {
            "has a certificate and no private key in it; --tls-key names the key"
        } else {
            "contains no PEM private key"
        }
        .to_owned()
    })
}

/// See [`Certificates::outside_dates`]; `now` in seconds since 1970.
fn outside_dates(chain: &[CertificateDer<'_>], now: i64) -> Option<String> {
    let own = x509::read(chain.first()?)?;
    if own.ends <= now {
        return Some(expired("the certificate", now - own.ends));
    }
    (own.begins > now).then(|| not_yet("the certificate", own.begins - now))
}

fn expired(which: &str, seconds: i64) -> String {
    format!("{which} expired {} ago; clients refuse it", in_days(seconds / DAY))
}

fn not_yet(which: &str, seconds: i64) -> String {
    let days = in_days(seconds.div_euclid(DAY) + 1);
    format!("{which} becomes valid only in {days}; is the clock right?")
}

fn in_days(days: i64) -> String {
    format!("{days} day{}", if days == 1 { "" } else { "s" })
}

/// See [`Certificates::warnings`]; `now` in seconds since 1970.
fn warnings(chain: &[CertificateDer<'_>], now: i64) -> Vec<String> {
    let mut found = Vec::new();
    let facts: Vec<_> = chain.iter().filter_map(|der| x509::read(der)).collect();
    for (number, one) in (1..).zip(&facts) {
        let which = match number {
            1 => "the certificate".to_owned(),
            _ => format!("certificate {number} of the chain"),
        };
        let left = one.ends - now;
        if left <= 0 {
            found.push(expired(&which, -left));
        } else if left <= limits::CERTIFICATE_WARNING {
            let days = in_days(left / DAY);
            found.push(format!("{which} expires in {days}; after renewing it, send SIGHUP"));
        }
        if one.begins > now {
            found.push(not_yet(&which, one.begins - now));
        }
    }
    if facts.first().is_some_and(|own| own.is_ca) {
        found.push(
            "the server's certificate is a CA's, which papo and other clients reject; \
             openssl req -x509 -addext basicConstraints=critical,CA:FALSE makes one that is not"
                .to_owned(),
        );
    }
    for (number, pair) in (1..).zip(facts.windows(2)) {
        if pair[0].issuer != pair[1].subject {
            let next = number + 1;
            found.push(format!(
                "certificate {next} of the chain did not sign certificate {number}; each has to \
                 be followed by the one that signed it"
            ));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(names: &[&str]) -> Vec<CertificateDer<'static>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls");
        let file = |name: &&str| CertificateDer::from_pem_file(folder.join(name)).unwrap();
        names.iter().map(file).collect()
    }

    #[test]
    fn an_end_is_announced_two_weeks_before() {
        let one = chain(&["one.pem"]);
        let end = x509::read(&one[0]).unwrap().ends;
        assert!(warnings(&one, end - 14 * DAY - 1).is_empty());
        let said = |now| warnings(&one, now).join(" ");
        assert!(
            said(end - 14 * DAY).starts_with("the certificate expires in 14 days; after renewing")
        );
        assert!(said(end - 1).starts_with("the certificate expires in 0 days"));
        assert!(said(end + 2 * DAY).starts_with("the certificate expired 2 days ago; clients"));
        let begin = x509::read(&one[0]).unwrap().begins;
        assert!(said(begin - 1).contains("becomes valid only in 1 day; is the clock right?"));
        assert_eq!(outside_dates(&one, end - 1), None);
        assert!(outside_dates(&one, end).is_some() && outside_dates(&one, begin - 1).is_some());
    }

    #[test]
    fn a_chain_is_told_that_is_out_of_order() {
        let now = x509::read(&chain(&["leaf.pem"])[0]).unwrap().begins;
        assert!(warnings(&chain(&["leaf.pem", "ca.pem"]), now).is_empty());
        let [said] = &warnings(&chain(&["leaf.pem", "one.pem"]), now)[..] else { panic!() };
        assert!(said.starts_with("certificate 2 of the chain did not sign certificate 1"));
        let [said] = &warnings(&chain(&["ca.pem"]), now)[..] else { panic!() };
        assert!(said.contains("is a CA's"), "{said}");
    }
}
