//! The head of a request.
//!
//! httparse parses the lines, and strictly: no folded lines, no blank before a colon. The fields that
//! decide where a body ends are checked here. hyper would do all of this, but it accepts a request
//! with both kinds of length, or with one twice, and drops the evidence; here anything that another
//! program on the way might read differently is refused.

use httparse::{EMPTY_HEADER, Status};

use super::answer::Denial;
use super::escapes;
use crate::limits;

/// The head of a request.
#[derive(Debug, PartialEq, Eq)]
pub struct Head {
    pub method: String,
    /// The parts of the path, decoded.
    pub path: Vec<String>,
    query: Vec<(String, String)>,
    /// Names are in lower case.
    headers: Vec<(String, String)>,
    /// HTTP/1.1, and not 1.0.
    pub is_modern: bool,
    pub framing: Framing,
    /// The client waits for `100 Continue` before it sends the body.
    pub is_waiting: bool,
    /// The client may send further requests on the connection.
    pub keep: bool,
}

/// Where the body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    Length(usize),
    Chunked,
}

impl Head {
    /// Parses the head that `bytes` begin with, and returns it with its length; `None` if it has not
    /// come whole.
    ///
    /// # Errors
    /// It is none, or too long.
    pub fn parse(bytes: &[u8]) -> Result<Option<(Head, usize)>, Denial> {
        let too_long = || Denial::new(43100, "the head of the request is too long");
        let mut lines = [EMPTY_HEADER; limits::HTTP_HEADERS];
        let mut parsed = httparse::Request::new(&mut lines);
        let length = match parsed.parse(bytes) {
            Ok(Status::Complete(length)) if length <= limits::HTTP_HEAD => length,
            Ok(Status::Complete(_)) => return Err(too_long()),
            Ok(Status::Partial) if bytes.len() >= limits::HTTP_HEAD => return Err(too_long()),
            Ok(Status::Partial) => return Ok(None),
            Err(httparse::Error::TooManyHeaders) => return Err(too_long()),
            Err(_) => return Err(Denial::bad("this is not an HTTP/1.1 request")),
        };
        let (Some(method), Some(target), Some(version)) =
            (parsed.method, parsed.path, parsed.version)
        else {
            return Ok(None);
        };
        let headers = parsed.headers.iter().map(|line| {
            // Nothing but these is blank (RFC 9110, 5.6.3): `5` and a no-break space is no number.
            let value = String::from_utf8_lossy(line.value);
            (line.name.to_ascii_lowercase(), value.trim_matches([' ', '\t']).to_owned())
        });
        let headers: Vec<(String, String)> = headers.collect();
        let is_modern = version == 1;
        let all = |name| headers.iter().filter(move |(n, _)| n == name).map(|(_, value)| &**value);
        match all("host").count() {
            1 => {}
            0 if !is_modern => {}
            _ => return Err(Denial::bad("a request has one Host")),
        }
        if all("authorization").nth(1).is_some() {
            return Err(Denial::bad("a request has one Authorization"));
        }
        let (path, query) = target_of(target)?;
        let framing = framing(is_modern, all("content-length"), all("transfer-encoding"))?;
        let has = |name, word: &str| {
            all(name).flat_map(|v| v.split(',')).any(|one| one.trim().eq_ignore_ascii_case(word))
        };
        let keep = !has("connection", "close") && (is_modern || has("connection", "keep-alive"));
        let is_waiting = is_modern && has("expect", "100-continue");
        let method = method.to_owned();
        let head = Head { method, path, query, headers, is_modern, framing, is_waiting, keep };
        Ok(Some((head, length)))
    }

    /// The value of a header line; the first, if there are several.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| &**value)
    }

    /// The value of a key of the query.
    pub fn query(&self, name: &str) -> Option<&str> {
        let mut all = self.query.iter();
        all.find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| &**value)
    }

    /// A parameter under one of its names: first of the header lines, then of the query. An empty
    /// one counts as not given.
    pub fn param(&self, names: &[&str]) -> Option<String> {
        let is_own = |name: &str, value: &str| name == "priority" && is_http_priority(value);
        let mut lines = names.iter().filter_map(|name| {
            let value = self.header(name).filter(|value| !is_own(name, value))?;
            trimmed(&escapes::words(value))
        });
        let mut keys = names.iter().filter_map(|name| trimmed(self.query(name)?));
        lines.next().or_else(|| keys.next())
    }

    /// A parameter that says yes or no.
    pub fn flag(&self, names: &[&str]) -> bool {
        let value = self.param(names).unwrap_or_default().to_ascii_lowercase();
        matches!(&*value, "1" | "yes" | "true")
    }

    /// Whether a page of another site may be behind it, on behalf of somebody who knows nothing of it
    /// (Fetch Metadata).
    pub fn is_ambient(&self) -> bool {
        matches!(self.header("sec-fetch-mode"), Some("navigate" | "no-cors"))
    }
}

/// A value without blanks around it, if anything is left.
fn trimmed(value: &str) -> Option<String> {
    Some(value.trim()).filter(|value| !value.is_empty()).map(str::to_owned)
}

/// Whether a `Priority` line is HTTP's own (RFC 9218), such as `u=3, i`.
fn is_http_priority(value: &str) -> bool {
    value.split(',').any(|one| {
        let one = one.trim();
        one == "i" || one.starts_with("i=") || one.starts_with("u=")
    })
}

type PathAndQuery = (Vec<String>, Vec<(String, String)>);

/// The path and the query of a target, of which the absolute form means the same as the usual one.
fn target_of(target: &str) -> Result<PathAndQuery, Denial> {
    let rest = ["http://", "https://"].iter().find_map(|scheme| {
        let begin = target.get(..scheme.len())?;
        begin.eq_ignore_ascii_case(scheme).then(|| &target[scheme.len()..])
    });
    let target = match rest {
        Some(rest) => rest.find(['/', '?']).map_or("/", |at| &rest[at..]),
        None => target,
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    if !(path.is_empty() || path.starts_with('/') || path == "*") {
        return Err(Denial::bad("the target of a request begins with /"));
    }
    let path = path.trim_start_matches('/');
    let parts = path.split('/').map(|part| escapes::percent(part, false));
    let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (escapes::percent(name, true), escapes::percent(value, true))
    });
    Ok((parts.collect(), pairs.collect()))
}

/// Where the body ends. Anything that two programs could understand in two ways is refused.
fn framing<'a>(
    is_modern: bool,
    lengths: impl Iterator<Item = &'a str>,
    codings: impl Iterator<Item = &'a str>,
) -> Result<Framing, Denial> {
    let (lengths, codings): (Vec<_>, Vec<_>) = (lengths.collect(), codings.collect());
    match (&lengths[..], &codings[..]) {
        ([], []) => Ok(Framing::Length(0)),
        ([length], []) => {
            if length.is_empty() || !length.bytes().all(|b| b.is_ascii_digit()) {
                return Err(Denial::bad("Content-Length is a number"));
            }
            // One that is too large for the type is too large for anything.
            Ok(Framing::Length(length.parse().unwrap_or(usize::MAX)))
        }
        ([], [coding]) if !is_modern => Err(Denial::bad(if coding.is_empty() {
            "an empty coding"
        } else {
            "HTTP/1.0 has no codings"
        })),
        ([], [coding]) if coding.eq_ignore_ascii_case("chunked") => Ok(Framing::Chunked),
        ([], [_]) => Err(Denial::new(50100, "the only Transfer-Encoding is chunked")),
        _ => Err(Denial::bad("a request has one length")),
    }
}

/// The refusal of a body of more than `most` bytes.
pub fn too_large(most: usize) -> Denial {
    Denial::new(41301, format!("too-long: a body has at most {most} bytes here"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Head::parse(&bytes);
        }

        #[test]
        fn nor_does_anything_that_looks_like_a_request(
            text in "(GET|PUT) /?[a-z%/?=&+,#]{0,20} HTTP/1\\.[01]\r?\n(\
                     (Host|Content-Length|Transfer-Encoding|Title): ?[ -~]{0,9}\r?\n){0,4}\r?\n"
        ) {
            if let Ok(Some((head, length))) = Head::parse(text.as_bytes()) {
                prop_assert!(length <= text.len());
                let _ = head.param(&["title"]);
            }
        }
    }

    fn parsed(text: &str) -> Result<Head, u32> {
        match Head::parse(text.as_bytes()) {
            Ok(Some((head, length))) => {
                assert_eq!(length, text.len());
                Ok(head)
            }
            Ok(None) => panic!("{text:?} is not whole"),
            Err(denial) => Err(denial.code),
        }
    }

    #[test]
    fn a_head_is_taken_apart() {
        let text = "PUT http://h/B%20b/x+y?Title=a+b%3D&&c HTTP/1.1\r\nHOST: h\r\nX-Tags:  a,b \r\n\
                    Transfer-Encoding: Chunked\r\nExpect: 100-continue\r\n\r\n";
        for end in 0..text.len() {
            assert_eq!(Head::parse(&text.as_bytes()[..end]), Ok(None));
        }
        let head = parsed(text).unwrap();
        assert_eq!((&*head.method, &head.path[..]), ("PUT", &["B b".to_owned(), "x+y".into()][..]));
        assert_eq!(head.param(&["x-title", "title"]).unwrap(), "a b=");
        assert_eq!(head.param(&["c"]), None);
        let blank = parsed("GET /?a=+&b=+x+ HTTP/1.0\r\nT: =?utf-8?q?__y_?=\r\n\r\n").unwrap();
        assert_eq!(blank.param(&["a", "b"]).unwrap(), "x");
        assert_eq!(blank.param(&["t"]).unwrap(), "y");
        assert_eq!(head.header("x-tags"), Some("a,b"));
        assert_eq!(head.framing, Framing::Chunked);
        assert!(head.keep && head.is_waiting && head.is_modern);
        let lf = text.replace("\r\n", "\n");
        assert_eq!(parsed(&lf).unwrap(), head, "LF alone ends a line");
        assert!(!parsed("GET / HTTP/1.0\r\n\r\n").unwrap().keep);
        assert!(parsed("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").unwrap().keep);
    }

    #[test]
    fn what_could_be_understood_in_two_ways_is_refused() {
        for (lines, code) in [
            ("", 40000),
            ("Host: a\r\nHost: a\r\n", 40000),
            ("Host : a\r\n", 40000),
            ("Host: a\r\n b\r\n", 40000),
            ("Host: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n", 40000),
            ("Host: a\r\nContent-Length: +5\r\n", 40000),
            ("Host: a\r\nContent-Length: -5\r\n", 40000),
            ("Host: a\r\nContent-Length: 5, 5\r\n", 40000),
            ("Host: a\r\nContent-Length: \r\n", 40000),
            ("Host: a\r\nContent-Length: 5\u{a0}\r\n", 40000),
            ("Host: a\r\nContent-Length: 5\r\r\n", 40000),
            ("Host: a\r\nContent-Length: 5\0\r\n", 40000),
            ("Host: a\r\nContent-Length: 0x5\r\n", 40000),
            ("Host: a\r\nTransfer-Encoding: chunked\u{a0}\r\n", 50100),
            ("Host: a\r\nTransfer-Encoding: \u{2028}chunked\r\n", 50100),
            ("Host: a\r\nTransfer-Encoding: chunked, chunked\r\n", 50100),
            ("Host: a\r\nTransfer-Encoding:\x0bchunked\r\n", 40000),
            ("Host: a\r\nTransfer-Encoding: \r\nContent-Length: 5\r\n", 40000),
            ("Host: a\r\nAuthorization: Bearer a:b\r\nAuthorization: Bearer c:d\r\n", 40000),
            ("Host: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n", 40000),
            ("Host: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n", 40000),
            ("Host: a\r\nTransfer-Encoding: gzip, chunked\r\n", 50100),
            ("Host: a\r\nTransfer-Encoding: identity\r\n", 50100),
            ("Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 40000),
        ] {
            assert_eq!(parsed(&format!("PUT /a HTTP/1.1\r\n{lines}\r\n")), Err(code), "{lines:?}");
        }
        assert_eq!(parsed("PUT /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), Err(40000));
        for line in ["LOGIN ana secret-a\n", "PRI * HTTP/2.0\r\n\r\n", "GET / HTTP/1.1 \r\n\r\n"] {
            assert_eq!(parsed(line), Err(40000), "{line:?}");
        }
        let many = "a: b\r\n".repeat(limits::HTTP_HEADERS - 1);
        assert!(parsed(&format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n")).is_ok());
        assert_eq!(parsed(&format!("GET / HTTP/1.1\r\nHost: a\r\n{many}a: b\r\n\r\n")), Err(43100));
        let long = "x".repeat(limits::HTTP_HEAD);
        assert_eq!(parsed(&format!("GET /{long}")), Err(43100));
    }

    #[test]
    fn no_length_is_too_long_to_be_read() {
        let length = |digits: &str| {
            parsed(&format!("PUT / HTTP/1.0\r\nContent-Length: {digits}\r\n\r\n")).unwrap().framing
        };
        assert_eq!(length("00262145"), Framing::Length(262_145));
        assert_eq!(length("99999999999999999999999"), Framing::Length(usize::MAX));
    }

    #[test]
    fn the_priority_of_http_is_none() {
        let with = |lines: &str| parsed(&format!("GET /?p=2 HTTP/1.0\r\n{lines}\r\n")).unwrap();
        let names = ["x-priority", "priority", "prio", "p"];
        let priority = |lines| with(lines).param(&names).unwrap();
        assert_eq!(priority("Priority: u=3, i\r\n"), "2");
        assert_eq!(priority("Priority: urgent\r\n"), "urgent");
        assert_eq!(priority("Prio: 5\r\nPriority: u=1\r\n"), "5");
        assert_eq!(priority("X-Priority: \r\n"), "2");
    }
}
