//! Answers: their heads, and those that say no, which have the codes of ntfy and the sentences of
//! papo.

use std::fmt::Write;

use serde_json::Value;

use crate::entry::EntryId;
use crate::limits;
use crate::wire::refusal::Refusal;
use crate::wire::rows::{Bye, ErrLine};

/// A whole answer.
pub struct Response {
    pub status: u16,
    pub kind: &'static str,
    pub body: String,
    /// Further header lines.
    pub headers: String,
}

pub const JSON: &str = "application/json";
pub const TEXT: &str = "text/plain; charset=utf-8";

/// Why a request is not carried out. The first three digits of its code are the status.
#[derive(Debug, PartialEq, Eq)]
pub struct Denial {
    pub code: u32,
    pub text: String,
    /// After how many seconds a further try makes sense.
    pub retry: Option<u64>,
    /// The message that was sent under the key of a `ONCE` before.
    pub first: Option<EntryId>,
}

impl Denial {
    pub fn new(code: u32, text: impl Into<String>) -> Denial {
        Denial { code, text: text.into(), retry: None, first: None }
    }

    pub fn status(&self) -> u16 {
        u16::try_from(self.code / 100).unwrap_or(500)
    }

    /// Nobody has logged in.
    pub fn nobody() -> Denial {
        Denial::new(40301, "forbidden: log in with Authorization: Basic or Bearer")
    }

    /// The credentials have no form that an account could have.
    pub fn wrong_secret() -> Denial {
        Denial::new(40101, "wrong-secret: wrong handle or password")
    }

    pub fn not_found() -> Denial {
        Denial::new(40401, "page not found")
    }

    /// There is no message of this id, or it has no file.
    pub fn no_message(id: EntryId) -> Denial {
        Denial::new(40401, format!("no-such-message: {}: there is no such file here", id.0))
    }

    /// A body that is no text came where no file can be.
    pub fn no_attachment() -> Denial {
        let text = "an attachment is sent at once, by a login, and as a message of its own";
        Denial::new(40014, text)
    }

    /// The store failed.
    pub fn unreadable() -> Denial {
        Denial::new(50702, "storage: the server cannot read its database")
    }

    /// A request that cannot be understood.
    pub fn bad(text: &'static str) -> Denial {
        Denial::new(40000, text)
    }

    /// The session ended instead of answering.
    pub fn ended(bye: Option<Bye>) -> Denial {
        match bye {
            Some(Bye::TooMany) => Denial {
                retry: Some(limits::RETRY_AFTER),
                ..Denial::new(50301, "too-many: there are too many connections")
            },
            Some(Bye::Unavailable) => Denial {
                retry: Some(limits::RETRY_AFTER),
                ..Denial::new(50301, "unavailable: the server does not reach its database")
            },
            Some(Bye::Shutdown) | None => Denial {
                retry: Some(limits::RETRY_AFTER),
                ..Denial::new(50301, "shutdown: the server is stopping")
            },
            Some(Bye::Kicked) => Denial::wrong_secret(),
            Some(bye) => Denial::new(50301, format!("{}: the session has ended", bye.as_str())),
        }
    }

    /// There were too many wrong tokens.
    pub fn too_fast(refusal: &Refusal) -> Denial {
        let retry = match refusal {
            Refusal::TooFast { seconds } => *seconds,
            _ => limits::RETRY_AFTER,
        };
        let text = format!("{}: {refusal}", refusal.code());
        Denial { retry: Some(retry), ..Denial::new(42901, text) }
    }

    /// What a session refused.
    pub fn refused(line: &ErrLine) -> Denial {
        let code = match line.code {
            "no-such-user" | "no-such-group" | "no-such-message" | "no-such-token" | "no-file" => {
                40401
            }
            "blocked" | "not-allowed" | "not-admin" | "not-yours" | "too-late" | "need-login"
            | "closed" => 40301,
            "wrong-secret" => 40101,
            "key-reused" => 40905,
            "taken" => 40901,
            "timeout" => 40801,
            "too-long" => 41301,
            "too-fast" => 42901,
            "too-many" => 42903,
            "storage" => 50702,
            "bug" => 50001,
            _ => 40000,
        };
        let retry = match line.code {
            "too-fast" => line.seconds().or(Some(limits::RETRY_AFTER)),
            "too-many" => Some(limits::RETRY_AFTER),
            _ => None,
        };
        let first = line.first_sent();
        Denial { code, text: format!("{}: {}", line.code, line.text), retry, first }
    }
}

impl From<Denial> for Response {
    fn from(denial: Denial) -> Response {
        let status = denial.status();
        let body = object([
            ("code", denial.code.into()),
            ("http", status.into()),
            ("error", denial.text.into()),
        ]);
        let mut headers = String::new();
        if let Some(seconds) = denial.retry {
            headers = format!("Retry-After: {seconds}\r\n");
        }
        Response { headers, ..Response::new(status, JSON, format!("{body}\n")) }
    }
}

impl Response {
    pub fn new(status: u16, kind: &'static str, body: impl Into<String>) -> Response {
        Response { status, kind, body: body.into(), headers: String::new() }
    }

    pub fn json(body: &str) -> Response {
        Response::new(200, JSON, format!("{body}\n"))
    }

    pub fn text(body: impl Into<String>) -> Response {
        Response::new(200, TEXT, body)
    }

    /// The answer to `OPTIONS`: any page may ask for anything, since there is nothing that a browser
    /// would send along by itself.
    pub fn preflight() -> Response {
        let headers = "Access-Control-Allow-Methods: GET, PUT, POST, DELETE\r\n\
                       Access-Control-Allow-Headers: *\r\n\
                       Access-Control-Max-Age: 86400\r\n";
        Response { headers: headers.into(), ..Response::text("") }
    }

    /// The bytes to send. `keep`: further requests may follow on the connection.
    pub fn bytes(&self, keep: bool, is_head: bool) -> Vec<u8> {
        let length = format!("Content-Length: {}\r\n{}", self.body.len(), self.headers);
        let mut out = head(self.status, self.kind, keep, &length);
        out.push_str(if is_head { "" } else { &self.body });
        out.into_bytes()
    }
}

/// An object of JSON with its fields in this order, which people read. Their names are plain words.
pub fn object<'a>(fields: impl IntoIterator<Item = (&'a str, Value)>) -> String {
    let mut out = String::from("{");
    for (key, value) in fields {
        let comma = if out.len() > 1 { "," } else { "" };
        let _ = write!(out, "{comma}\"{key}\":{value}");
    }
    out.push('}');
    out
}

/// The head of an answer, with `more` as further header lines.
pub fn head(status: u16, kind: &str, keep: bool, more: &str) -> String {
    let mut out = String::new();
    let connection = if keep { "keep-alive" } else { "close" };
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        "HTTP/1.1 {status} {}\r\n\
         Content-Type: {kind}\r\n\
         Access-Control-Allow-Origin: *\r\n\
         Cache-Control: no-store\r\n\
         X-Content-Type-Options: nosniff\r\n\
         Connection: {connection}\r\n\
         {more}\r\n",
        reason(status)
    );
    out
}

/// The phrase of a status, for people (RFC 9110, 15).
fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        206 => "Partial Content",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        408 => "Request Timeout",
        409 => "Conflict",
        413 => "Content Too Large",
        416 => "Range Not Satisfiable",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        507 => "Insufficient Storage",
        _ => "Internal Server Error",
    }
}
