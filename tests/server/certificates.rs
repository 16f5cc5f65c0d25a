//! Certificates and keys that are not as they should be: papod says what is wrong, and what to do.

use std::fs;
use std::path::{Path, PathBuf};

use crate::process::unix::over;
use crate::process::{self, Home, USUAL, papod, run, tls};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// When ended.pem ended, in seconds since 1970.
const ENDED: i64 = 1_795_881_502;

/// A folder with files that are made of those in tests/tls.
struct Files(Home);

impl Files {
    fn made(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// Why papod does not start with these.
    fn refused(&self, certificate: &Path, key: &Path) -> String {
        let mut command = papod();
        command.args(USUAL).arg("--db").arg(self.0.db()).args(["--tls-listen", "127.0.0.1:0"]);
        let output = run(command.arg("--tls-cert").arg(certificate).arg("--tls-key").arg(key));
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        said
    }
}

#[test]
fn without_a_certificate_and_its_key_it_does_not_start() {
    let files = Files(Home::new());
    let [one, key, other] = ["one.pem", "one.key", "other.key"].map(tls::file);
    let leaf = tls::file("leaf.key");
    let der = CertificateDer::from_pem_file(&one).unwrap();
    let der = files.made("one.der", &der);
    let key_der = PrivateKeyDer::from_pem_file(&key).unwrap();
    let key_der = files.made("key.der", key_der.secret_der());
    let both = ["ca.pem", "leaf.pem"].map(|name| fs::read(tls::file(name)).unwrap()).concat();
    let reversed = files.made("reversed.pem", &both);
    let empty = files.made("empty.pem", b"");
    let old = files.made("old.key", b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n");
    let missing = files.0.path().join("missing.pem");
    for (certificate, key, reason) in [
        (&missing, &key, "missing.pem: No such file"),
        (&key, &one, "one.key: has a key and no certificate in it"),
        (&empty, &key, "empty.pem: contains no PEM certificate"),
        (&der, &key, "one.der: is DER, and has to be PEM: openssl x509 -inform der"),
        (&one, &one, "one.pem: has a certificate and no private key in it"),
        (&one, &empty, "empty.pem: contains no PEM private key"),
        (&one, &key_der, "key.der: is DER, and has to be PEM: openssl pkey -inform der"),
        (&one, &tls::file("encrypted.key"), "encrypted.key: is encrypted, and papod cannot ask"),
        (&one, &old, "old.key: is encrypted, and papod cannot ask"),
        (&one, &other, "other.key is not the key of the certificate in"),
        (
            &reversed,
            &leaf,
            "leaf.key is the key of certificate 2 in it; the server's own has to stand",
        ),
    ] {
        let said = files.refused(certificate, key);
        assert!(said.contains(reason), "{said}");
    }
    let mut alone = papod();
    alone.args(["--tls-listen", "127.0.0.1:0"]);
    assert_eq!(run(&mut alone).status.code(), Some(2), "a certificate has to be named");
}

#[test]
fn a_certificate_that_has_ended_is_served_and_warned_of() {
    let home = Home::new();
    let admin = home.path().join("admin.sock");
    let flags = |certificate: &str, key: &str| {
        let paths = [certificate, key].map(|name| tls::file(name).display().to_string());
        let [certificate, key] = paths;
        let admin = admin.display().to_string();
        [
            "--tls-listen",
            "127.0.0.1:0",
            "--tls-cert",
            &certificate,
            "--tls-key",
            &key,
            "--admin",
            &admin,
        ]
        .map(str::to_owned)
    };
    let ends = || {
        let rows = over(&admin, "ADMIN STATS");
        let row = rows.iter().find_map(|row| row.strip_prefix("STAT certificate_expires_seconds "));
        row.map(|ends| ends.parse::<i64>().unwrap())
    };
    let papod = process::Papod::start_with(&home.db(), flags("ended.pem", "leaf.key"));
    papod.until_logged("ended.pem: the certificate expired ");
    assert_eq!(ends(), Some(ENDED));
    papod.stop();
    let papod = process::Papod::start_with(&home.db(), flags("leaf.pem", "leaf.key"));
    assert!(!papod.log().contains("leaf.pem: "), "{}", papod.log());
    assert!(ends() > Some(ENDED));
    papod.stop();
    let papod = process::Papod::start_with(&home.db(), ["--admin", admin.to_str().unwrap()]);
    assert_eq!(ends(), None, "there is none");
    papod.stop();
}

/// A renewal that went wrong does not take the place of a certificate that is good.
#[test]
fn a_certificate_that_has_ended_is_not_loaded_in_place_of_a_good_one() {
    let files = Files(Home::new());
    let certificate = files.made("cert.pem", &fs::read(tls::file("leaf.pem")).unwrap());
    let key = tls::file("leaf.key");
    let (papod, _) = tls::start(&files.0, &certificate, &key);
    let signals = || {
        let mut command = process::papod();
        command.env("PAPOD_TLS_CERT", &certificate).env("PAPOD_TLS_KEY", &key);
        let output = run(command.args(["--reload", &papod.id().to_string()]));
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(signals(), (Some(0), String::new()));
    papod.until_logged("certificate reloaded");
    fs::copy(tls::file("ended.pem"), &certificate).unwrap();
    let (status, said) = signals();
    assert_eq!(status, Some(1));
    assert!(said.contains("cert.pem: the certificate expired "), "{said}");
    papod.signal(rustix::process::Signal::HUP);
    papod.until_logged("the certificate stays as it is: ");
    papod.stop();
    // A check says so, too, and that papod would start.
    let mut command = process::papod();
    command.args(["--check", "--db"]).arg(files.0.db()).arg("--tls-cert").arg(&certificate);
    let output = run(command.arg("--tls-key").arg(&key));
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(said.contains("warning: ") && said.contains("the certificate expired "), "{said}");
}

#[test]
fn a_certificate_that_nobody_is_shown_is_warned_of() {
    let home = Home::new();
    let [one, key] = ["one.pem", "one.key"].map(|name| tls::file(name).display().to_string());
    let papod = process::Papod::start_with(&home.db(), ["--tls-cert", &one, "--tls-key", &key]);
    papod.until_logged("a certificate is set, and nothing listens with TLS");
    papod.stop();
    let (papod, _) = tls::start(&home, &tls::file("one.pem"), &tls::file("one.key"));
    assert!(!papod.log().contains("nothing listens with TLS"), "{}", papod.log());
    papod.stop();
}
