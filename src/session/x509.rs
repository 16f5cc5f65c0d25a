//! Parses as much of a certificate (X.509, RFC 5280) as warnings to the operator need: its validity
//! dates, whether it is a CA's, its issuer and subject.
//!
//! rustls neither checks nor exposes this for a server's own certificates. Five fields in a fixed
//! order take a hundred lines of DER (ITU-T X.690), where an X.509 crate brings ten others. No
//! trust decision depends on it.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Facts<'a> {
    /// The encoded names.
    pub(super) issuer: &'a [u8],
    pub(super) subject: &'a [u8],
    /// The validity period, in seconds since 1970.
    pub(super) begins: i64,
    pub(super) ends: i64,
    /// It may sign others, so clients that follow RFC 5280 reject it as a server's certificate.
    pub(super) is_ca: bool,
}

const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const OID: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
/// The tags of the version and of the extensions.
const CONTEXT_0: u8 = 0xa0;
const CONTEXT_3: u8 = 0xa3;
/// `id-ce-basicConstraints`, 2.5.29.19.
const BASIC_CONSTRAINTS: [u8; 3] = [0x55, 0x1d, 0x13];

/// A sequence of DER elements.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The tag and contents of the next element; `None` at the end or if it is malformed.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (tag, rest) = self.0.split_first()?;
        let (first, mut rest) = rest.split_first()?;
        let mut length = usize::from(*first);
        if *first >= 0x80 {
            let (bytes, after) = rest.split_at_checked(usize::from(first & 0x7f))?;
            // No certificate is longer than 16 MiB.
            if bytes.len() > 3 {
                return None;
            }
            length = bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
            rest = after;
        }
        let contents;
        (contents, self.0) = rest.split_at_checked(length)?;
        Some((*tag, contents))
    }

    /// The contents of the next element, which must have this tag.
    fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|(found, _)| *found == tag).map(|(_, contents)| contents)
    }

    /// The same, but consumes nothing if the next element has another tag.
    fn optional(&mut self, tag: u8) -> Option<&'a [u8]> {
        if self.0.first() == Some(&tag) { self.expect(tag) } else { None }
    }
}

/// Parses a certificate; `None` if it is malformed.
pub(super) fn read(der: &[u8]) -> Option<Facts<'_>> {
    let mut certificate = Der(Der(der).expect(SEQUENCE)?);
    let mut signed = Der(certificate.expect(SEQUENCE)?);
    signed.optional(CONTEXT_0);
    // The serial number, and the algorithm of the signature.
    signed.expect(INTEGER)?;
    signed.expect(SEQUENCE)?;
    let issuer = signed.expect(SEQUENCE)?;
    let mut validity = Der(signed.expect(SEQUENCE)?);
    let (begins, ends) = (seconds(validity.next()?)?, seconds(validity.next()?)?);
    let subject = signed.expect(SEQUENCE)?;
    // The public key.
    signed.expect(SEQUENCE)?;
    let mut is_ca = false;
    while let Some((tag, contents)) = signed.next() {
        if tag == CONTEXT_3 {
            is_ca = has_ca(contents)?;
        }
    }
    Some(Facts { issuer, subject, begins, ends, is_ca })
}

/// Whether the extensions mark a CA's certificate (RFC 5280, 4.2.1.9).
fn has_ca(extensions: &[u8]) -> Option<bool> {
    let mut extensions = Der(Der(extensions).expect(SEQUENCE)?);
    while !extensions.0.is_empty() {
        let mut extension = Der(extensions.expect(SEQUENCE)?);
        let id = extension.expect(OID)?;
        // The critical flag.
        extension.optional(BOOLEAN);
        let value = extension.expect(OCTETS)?;
        if id == BASIC_CONSTRAINTS {
            let mut constraints = Der(Der(value).expect(SEQUENCE)?);
            return Some(constraints.optional(BOOLEAN).is_some_and(|ca| ca != [0]));
        }
    }
    Some(false)
}

/// A time, in seconds since 1970 (RFC 5280, 4.1.2.5: always UTC, always with seconds).
fn seconds((tag, text): (u8, &[u8])) -> Option<i64> {
    let text = str::from_utf8(text).ok()?.strip_suffix('Z')?;
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (year, rest) = match tag {
        UTC_TIME => {
            let (year, rest) = text.split_at_checked(2)?;
            let year: i16 = year.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = text.split_at_checked(4)?;
            (year.parse().ok()?, rest)
        }
        _ => return None,
    };
    let pair = |at: usize| rest.get(at..at + 2)?.parse::<i8>().ok();
    let time = DateTime::new(year, pair(0)?, pair(2)?, pair(4)?, pair(6)?, pair(8)?, 0).ok()?;
    let is_whole = rest.len() == 10;
    is_whole.then(|| TimeZone::UTC.to_timestamp(time).map(|t| t.as_second()).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;

    const ONE: &[u8] = include_bytes!("../../tests/tls/one.pem");
    const CA: &[u8] = include_bytes!("../../tests/tls/ca.pem");

    #[test]
    fn a_certificate_says_when_it_ends_and_whether_it_is_a_ca() {
        let one = CertificateDer::from_pem_slice(ONE).unwrap();
        let facts = read(&one).unwrap();
        // `openssl x509 -noout -dates`: Nov 24 22:12:15 2026, Oct 31 22:12:15 2126.
        assert_eq!((facts.begins, facts.ends), (1_795_558_335, 4_949_158_335));
        assert!(!facts.is_ca);
        assert_eq!(facts.issuer, facts.subject, "it has signed itself");
        assert!(read(&CertificateDer::from_pem_slice(CA).unwrap()).unwrap().is_ca);
    }

    #[test]
    fn what_is_no_certificate_is_read_as_none() {
        let one = CertificateDer::from_pem_slice(ONE).unwrap();
        for end in 0..one.len() {
            assert_eq!(read(&one[..end]), None);
        }
        // Whichever byte is wrong, nothing panics.
        for at in 0..one.len() {
            for wrong in [0x00, 0x7f, 0x80, 0x84, 0xff] {
                let mut bytes = one.to_vec();
                bytes[at] = wrong;
                let _ = read(&bytes);
            }
        }
    }

    #[test]
    fn both_forms_of_time() {
        assert_eq!(seconds((UTC_TIME, b"700101000000Z")), Some(0));
        assert_eq!(seconds((UTC_TIME, b"491231235959Z")), Some(2_524_607_999));
        assert_eq!(seconds((GENERALIZED_TIME, b"20500101000000Z")), Some(2_524_608_000));
        for wrong in ["7001010000Z", "701301000000Z", "700101000000", "7001010000000Z", "Z", "+1"] {
            assert_eq!(seconds((UTC_TIME, wrong.as_bytes())), None, "{wrong}");
        }
    }
}
