//! Proving to PostgreSQL who papod is: SCRAM-SHA-256, or MD5 and plain passwords for servers that
//! still ask for them.

use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};

use super::PgError;
use super::message::MessageStream;
use super::value::length;

/// Answers what the server asks, until it is satisfied.
///
/// # Errors
/// It is not, or wants something unknown, or a password that is not set.
pub(super) fn authenticate(
    stream: &mut MessageStream,
    user: &str,
    password: Option<&str>,
) -> Result<(), PgError> {
    let odd = || PgError::Odd("an unknown kind of authentication".into());
    let mut scram = None;
    loop {
        let (tag, body) = stream.next()?;
        if tag == b'E' {
            return Err(PgError::parse(&body));
        }
        let Some((kind, rest)) = body.split_first_chunk().filter(|_| tag == b'R') else {
            return Err(odd());
        };
        let kind = i32::from_be_bytes(*kind);
        if kind == 0 {
            return Ok(());
        }
        let Some(password) = password else { return Err(PgError::NoPassword) };
        match kind {
            3 => stream.message(b'p', |out| text(out, password)),
            5 => {
                let salt = *rest.first_chunk().ok_or_else(odd)?;
                let hash = md5_hash(user.as_bytes(), password.as_bytes(), salt);
                stream.message(b'p', |out| text(out, &hash));
            }
            10 => {
                let mut offered = rest.split(|byte| *byte == 0);
                if !offered.any(|name| name == SCRAM_SHA_256.as_bytes()) {
                    return Err(odd());
                }
                let binding = ChannelBinding::unsupported();
                let begun = scram.insert(ScramSha256::new(password.as_bytes(), binding));
                stream.message(b'p', |out| {
                    text(out, SCRAM_SHA_256);
                    out.extend(length(begun.message().len()));
                    out.extend_from_slice(begun.message());
                });
            }
            11 => {
                let scram = scram.as_mut().ok_or_else(odd)?;
                scram.update(rest).map_err(|e| PgError::Odd(e.to_string()))?;
                stream.message(b'p', |out| out.extend_from_slice(scram.message()));
            }
            12 => {
                let scram = scram.as_mut().ok_or_else(odd)?;
                // The server, too, knows the password.
                scram.finish(rest).map_err(|e| PgError::Odd(e.to_string()))?;
                continue;
            }
            _ => return Err(odd()),
        }
        stream.flush()?;
    }
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
    out.push(0);
}
