//! What PostgreSQL, or the way to it, fails with.

use std::fmt;
use std::io;

use crate::store::{Cause, Error};

/// A failure of PostgreSQL or of the connection to it.
#[derive(Clone, Debug)]
pub(super) enum PgError {
    /// The connection is gone, or this server is not the primary any more. Nothing is known of what
    /// was asked last.
    Lost(String),
    /// The server refuses a statement, which therefore has done nothing. `code` is its SQLSTATE
    /// (postgresql.org, "PostgreSQL Error Codes").
    Refused { code: String, message: String },
    /// It wants a password, and none is set.
    NoPassword,
    /// An answer that is not understood.
    Odd(String),
}

impl PgError {
    /// The connection failed for this reason.
    pub(super) fn lost(e: io::Error) -> PgError {
        let is_late = matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut);
        PgError::Lost(if is_late { "no answer in time".into() } else { e.to_string() })
    }

    /// From the body of an error message or a notice.
    pub(super) fn parse(body: &[u8]) -> PgError {
        let (code, mut message) = (field(body, b'C'), field(body, b'M'));
        let detail = field(body, b'D');
        if !detail.is_empty() {
            message = format!("{message}: {detail}");
        }
        match &*code {
            // The server or this session is being shut down, or the server is only starting; or it
            // has become, or always was, a standby, which refuses to write.
            "57P01" | "57P02" | "57P03" | "57P05" | "25006" | "08006" | "08003" => {
                PgError::Lost(message)
            }
            _ => PgError::Refused { code, message },
        }
    }

    /// The same, of a commit: with what may have kept it from being answered.
    pub(super) fn at_commit(self) -> PgError {
        match self {
            PgError::Lost(why) => PgError::Lost(format!(
                "{why}; if synchronous_standby_names is set, a standby has to be there to confirm"
            )),
            e => e,
        }
    }

    pub(super) fn is_lost(&self) -> bool {
        matches!(self, PgError::Lost(_) | PgError::Odd(_))
    }

    /// Whether a server refuses with this SQLSTATE.
    pub(super) fn is(&self, state: &str) -> bool {
        matches!(self, PgError::Refused { code, .. } if code == state)
    }

    /// Whether no further attempt will do better: who papod is, or which database it wants, has to
    /// be set right first.
    pub(super) fn is_final(&self) -> bool {
        match self {
            PgError::NoPassword => true,
            PgError::Refused { code, .. } => code.starts_with("28") || code == "3D000",
            _ => false,
        }
    }
}

/// Whether a notice is a warning. One that comes with a commit says that it was not waited for a
/// standby. Its SQLSTATE may be that of an error.
pub(super) fn is_warning(notice: &[u8]) -> bool {
    field(notice, b'V') == "WARNING"
}

/// A field of an error message or a notice (postgresql.org, "Error and Notice Message Fields").
fn field(body: &[u8], tag: u8) -> String {
    let mut fields = body.split(|byte| *byte == 0);
    let found = fields.find(|field| field.first() == Some(&tag));
    found.map(|field| String::from_utf8_lossy(&field[1..]).into_owned()).unwrap_or_default()
}

impl fmt::Display for PgError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            PgError::Lost(why) | PgError::Odd(why) => f.write_str(why),
            PgError::Refused { code, message } => write!(f, "{message} (SQLSTATE {code})"),
            PgError::NoPassword => f.write_str(
                "it wants a password: set PGPASSWORD, or PGPASSFILE to a file as libpq reads it",
            ),
        }
    }
}

impl From<PgError> for Error {
    fn from(e: PgError) -> Error {
        let cause = match &e {
            PgError::Lost(_) | PgError::NoPassword => Cause::Disk,
            PgError::Odd(_) => Cause::Damaged,
            PgError::Refused { code, .. } => match code.get(..2).unwrap_or_default() {
                _ if code == "57014" => {
                    return Error::of(Cause::Disk, "a query took too long and was stopped");
                }
                // Insufficient resources, a system error, a limit, who papod is; and what it may do.
                "53" | "58" | "54" | "28" | "57" => Cause::Disk,
                _ if code == "42501" => Cause::Disk,
                "XX" => Cause::Damaged,
                "55" | "40" => Cause::Busy,
                _ => Cause::Bug,
            },
        };
        Error::of(cause, e)
    }
}
