//! How papod shares its work: how many messages go into one commit, and how often its threads take
//! turns. CPU time says what a message costs; this says why.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use crate::child::Server;
use crate::machine::switches;
use crate::report::Subject;
use crate::{Bench, Outcome};

/// Counts from one moment on.
pub struct Sharing {
    start: Instant,
    before: Sums,
}

/// Sums since the server was started.
struct Sums {
    commits: f64,
    messages: f64,
    switches: f64,
}

impl Sharing {
    pub fn start(server: &Server) -> Outcome<Sharing> {
        Ok(Sharing { before: sums(server)?, start: Instant::now() })
    }

    /// Notes what there was since the start. The limits count no commits.
    pub fn note(&self, bench: &mut Bench, subject: Subject, server: &Server) -> Outcome<()> {
        let seconds = self.start.elapsed().as_secs_f64();
        let now = sums(server)?;
        let commits = now.commits - self.before.commits;
        if commits > 0.0 {
            let messages = now.messages - self.before.messages;
            bench.note(subject, "commits", "/s", commits / seconds);
            bench.note(subject, "messages per commit", "", messages / commits);
        }
        let switches = now.switches - self.before.switches;
        bench.note(subject, "context switches", "/s", switches / seconds);
        Ok(())
    }
}

fn sums(server: &Server) -> Outcome<Sums> {
    let text = server.metrics.map(metrics).transpose()?.unwrap_or_default();
    let value = |name| value(&text, name).unwrap_or_default();
    Ok(Sums {
        commits: value("papod_commit_duration_seconds_count"),
        messages: value("papod_messages_total"),
        switches: switches(server.pid())?,
    })
}

/// A metric of papod's.
pub fn metric(server: &Server, name: &str) -> Outcome<f64> {
    let text = metrics(server.metrics.ok_or("it serves no metrics")?)?;
    value(&text, name).ok_or_else(|| format!("there is no {name}").into())
}

/// Several metrics of papod's at one time.
pub fn together<const N: usize>(server: &Server, names: [&str; N]) -> Outcome<[f64; N]> {
    let text = metrics(server.metrics.ok_or("it serves no metrics")?)?;
    Ok(names.map(|name| value(&text, name).unwrap_or_default()))
}

fn value(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|value| value.parse().ok())
}

/// What papod says at `/metrics`.
fn metrics(address: SocketAddr) -> Outcome<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}
