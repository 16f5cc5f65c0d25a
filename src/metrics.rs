//! `GET /metrics`: the counters for Prometheus, over as much of HTTP/1.1 (RFC 9112) as that needs.
//!
//! It has a listener of its own, and each connection serves one request. It exposes only numbers,
//! no names, to anyone who can connect, and no input here reaches the rest of papod.

use std::future::{Future, poll_fn};
use std::io;
use std::net::Shutdown;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_net::{TcpListener, TcpStream};
use smol::Timer;
use smol::future::FutureExt;
use smol::io::{AsyncReadExt, AsyncWriteExt};

use crate::counters::{self, Counters};
use crate::limits;
use crate::store::sqlite;

/// Serves all connections, for as long as papod runs. When there are
/// [`limits::METRICS_CONNECTIONS`], a new one replaces the oldest that has not sent a request, so
/// silent ones do not delay a scrape. `db` is the database's file, if it is one.
pub async fn serve(listener: TcpListener, counters: Arc<Counters>, db: Option<PathBuf>) {
    let mut open: Vec<Scraper> = Vec::new();
    loop {
        let mut next = pin!(accept(&listener));
        let stream = poll_fn(|cx| {
            open.retain_mut(|one| one.answered.as_mut().poll(cx).is_pending());
            next.as_mut().poll(cx)
        });
        let stream = stream.await;
        if open.len() >= limits::METRICS_CONNECTIONS {
            let silent = open.iter().position(|one| !one.asked.load(Ordering::Relaxed));
            open.remove(silent.unwrap_or(0));
        }
        let asked = Arc::new(AtomicBool::new(false));
        let answered = connection(stream, asked.clone(), counters.clone(), db.clone());
        let caught = counters.clone();
        let answered = async move {
            if AssertUnwindSafe(answered).catch_unwind().await.is_err() {
                caught.panicked("a request for metrics");
            }
        };
        open.push(Scraper { asked, answered: Box::pin(answered) });
    }
}

/// A connection; lists hold them in the order in which they were accepted.
struct Scraper {
    /// Its request has arrived.
    asked: Arc<AtomicBool>,
    answered: Pin<Box<dyn Future<Output = ()> + Send>>,
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(e) => {
                log::debug!("metrics: cannot accept a connection: {e}");
                Timer::after(limits::ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(
    stream: TcpStream,
    asked: Arc<AtomicBool>,
    counters: Arc<Counters>,
    db: Option<PathBuf>,
) {
    let late = async {
        Timer::after(limits::METRICS_TIME).await;
        Err(io::ErrorKind::TimedOut.into())
    };
    let text = || {
        asked.store(true, Ordering::Relaxed);
        text(&counters, db.as_deref())
    };
    if let Err(e) = answer(stream, text).or(late).await {
        log::debug!("metrics: a connection was lost: {e}");
    }
}

/// The body of a response.
fn text(counters: &Counters, db: Option<&std::path::Path>) -> String {
    let mut text = String::new();
    counters.prometheus(&mut text);
    // PostgreSQL has metrics of its own.
    if let Some(db) = db {
        let (database, log) = sqlite::sizes(db);
        let about = "Size of the database file.";
        counters::gauge(&mut text, "database_bytes", about, database);
        let about = "Size of the database's write-ahead log.";
        counters::gauge(&mut text, "database_log_bytes", about, log);
    }
    counters::process(&mut text, memory());
    text
}

/// Resident memory in bytes (proc_pid_statm(5): the second number, in pages).
fn memory() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or_default() * rustix::param::page_size() as u64
}

/// Reads a request, answers it, and waits until the peer has closed or [`limits::LINGER_TIME`] is
/// over.
async fn answer(mut stream: TcpStream, text: impl FnOnce() -> String) -> io::Result<()> {
    let mut request = Vec::new();
    let mut buffer = [0; 1_024];
    let answer = loop {
        if let Some(answer) = decide(&request) {
            break answer;
        }
        if request.len() >= limits::METRICS_REQUEST {
            break HttpResponse { status: "431 Request Header Fields Too Large", head: false };
        }
        match stream.read(&mut buffer).await? {
            0 if request.is_empty() => return Ok(()),
            // Cut off before its end, it is not a request.
            0 => break BAD,
            n => request.extend_from_slice(&buffer[..n]),
        }
    };
    stream.write_all(&answer.bytes(text)).await?;
    stream.shutdown(Shutdown::Write)?;
    // Further input is read and dropped: left unread, it could cause a reset that loses the answer.
    let linger = async {
        while stream.read(&mut buffer).await? > 0 {}
        Ok(())
    };
    let late = async {
        Timer::after(limits::LINGER_TIME).await;
        Ok(())
    };
    linger.or(late).await
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct HttpResponse {
    status: &'static str,
    /// Without the body: the request was `HEAD`.
    head: bool,
}

const OK: &str = "200 OK";
const BAD: HttpResponse = HttpResponse { status: "400 Bad Request", head: false };

/// The answer to the bytes received so far, or `None` if more are needed. Bytes that cannot become
/// a request are answered without waiting for the end.
fn decide(came: &[u8]) -> Option<HttpResponse> {
    let mut lines = came.split_inclusive(|b| *b == b'\n').filter(|line| line.ends_with(b"\n"));
    let Some((answer, needs_host)) = read_request(lines.next()?) else {
        return Some(BAD);
    };
    let mut has_host = false;
    for line in lines {
        let line = line.trim_ascii_end();
        if line.is_empty() {
            return Some(if has_host || !needs_host { answer } else { BAD });
        }
        match line.iter().position(|b| *b == b':') {
            // RFC 9112, 5: a field name without blanks, and no line folding.
            Some(at) if at > 0 && !line[..at].iter().any(u8::is_ascii_whitespace) => {
                has_host |= line[..at].eq_ignore_ascii_case(b"host");
            }
            _ => return Some(BAD),
        }
    }
    None
}

/// The answer to a request line, and whether its version requires a `Host` field; `None` if it is
/// not a request line.
fn read_request(line: &[u8]) -> Option<(HttpResponse, bool)> {
    let line = str::from_utf8(line).ok()?.trim_end_matches(['\r', '\n']);
    let [method, target, version] = line.split(' ').collect::<Vec<_>>()[..] else {
        return None;
    };
    let is_token = !method.is_empty() && method.bytes().all(|b| b.is_ascii_graphic());
    let needs_host = match version {
        "HTTP/1.0" => false,
        "HTTP/1.1" => true,
        _ => return None,
    };
    // The absolute form, as sent to proxies, means the same.
    let path = match target.strip_prefix("http://") {
        Some(rest) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => target,
    };
    let status = match path.split('?').next() {
        Some("/metrics") if matches!(method, "GET" | "HEAD") => OK,
        Some("/metrics") => "405 Method Not Allowed",
        _ => "404 Not Found",
    };
    (is_token && !target.is_empty())
        .then_some((HttpResponse { status, head: method == "HEAD" }, needs_host))
}

impl HttpResponse {
    /// The response as sent; `text` is called only for 200.
    fn bytes(self, text: impl FnOnce() -> String) -> Vec<u8> {
        let status = self.status;
        let (kind, text) = match status {
            OK => ("text/plain; version=0.0.4; charset=utf-8", text()),
            _ => ("text/plain; charset=utf-8", format!("{status}; try GET /metrics\n")),
        };
        let length = text.len();
        let body = if self.head { "" } else { &text };
        // RFC 9110, 15.5.6: a 405 must have `Allow`, and other responses may.
        format!(
            "HTTP/1.1 {status}\r\n\
             Content-Type: {kind}\r\n\
             Content-Length: {length}\r\n\
             Allow: GET, HEAD\r\n\
             Connection: close\r\n\r\n\
             {body}"
        )
        .into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(request: &str) -> Option<&'static str> {
        decide(request.as_bytes()).map(|answer| &answer.status[..3])
    }

    #[test]
    fn a_request_is_answered_when_it_is_whole_or_cannot_become_one() {
        let whole = "GET /metrics HTTP/1.1\r\nHost: localhost:9\r\nAccept: */*\r\n\r\n";
        for end in 0..whole.len() {
            assert_eq!(status(&whole[..end]), None, "{:?}", &whole[..end]);
        }
        assert_eq!(status(whole), Some("200"));
        // Lines may end in LF alone (RFC 9112, 2.2).
        assert_eq!(status(&whole.replace('\r', "")), Some("200"));
        for (request, expected) in [
            ("GET /metrics?a=b HTTP/1.0\r\n\r\n", "200"),
            ("GET http://localhost:9/metrics HTTP/1.1\r\nhost:localhost\r\n\r\n", "200"),
            ("HEAD /metrics HTTP/1.0\r\n\r\n", "200"),
            ("POST /metrics HTTP/1.0\r\n\r\n", "405"),
            ("get /metrics HTTP/1.0\r\n\r\n", "405"),
            ("GET / HTTP/1.0\r\n\r\n", "404"),
            ("GET /metrics/ HTTP/1.0\r\n\r\n", "404"),
            ("GET /metricsx HTTP/1.0\r\n\r\n", "404"),
            ("GET http://metrics HTTP/1.0\r\n\r\n", "404"),
            ("OPTIONS * HTTP/1.0\r\n\r\n", "404"),
            // The required host is missing.
            ("GET /metrics HTTP/1.1\r\n\r\n", "400"),
            ("GET /metrics HTTP/1.1\r\nNot-Host: a\r\n\r\n", "400"),
            // Bad in the first line.
            ("GET /metrics\r\n", "400"),
            ("GET  /metrics HTTP/1.1\r\n", "400"),
            ("GET /metrics HTTP/2.0\r\n", "400"),
            ("GET /metrics HTTP/1.1 \r\n", "400"),
            (" /metrics HTTP/1.1\r\n", "400"),
            ("LOGIN ana secret-a\n", "400"),
            ("\r\n", "400"),
            ("\u{16}\u{3}\u{1}\n", "400"),
            // Or in a later one.
            ("GET /metrics HTTP/1.1\r\nHost\r\n", "400"),
            ("GET /metrics HTTP/1.1\r\nHost : a\r\n", "400"),
            ("GET /metrics HTTP/1.1\r\n Host: a\r\n", "400"),
            ("GET /metrics HTTP/1.1\r\n: a\r\n", "400"),
        ] {
            assert_eq!(status(request), Some(expected), "{request:?}");
        }
        assert_eq!(decide(b"GET /\xff HTTP/1.1\r\n"), Some(BAD));
    }
}
