//! Idle sessions in a process of their own: one process may not have as many files as some scenarios
//! want sessions. It logs them in with tokens, says so, and waits on its input for what to do next.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::Instant;

use crate::Outcome;
use crate::child;
use crate::crowd::{actor, token};
use crate::net::{Net, Outputs, Peer};
use crate::people::{ask, connect};

/// What the process is told, and what it says.
const COUNT: &str = "count";
const IN: &str = "in";

/// A process with sessions, which end with this.
pub struct IdleSessions {
    child: Child,
    /// Dropped to have it end.
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl IdleSessions {
    /// Begins to log in `count` of the actors, from the one with this number on.
    pub fn start(
        server: SocketAddr,
        first: usize,
        count: usize,
        cores: &[usize],
    ) -> Outcome<IdleSessions> {
        let mut child = child::role("idle-sessions", cores)?
            .args([server.to_string(), first.to_string(), count.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("a process has an input and an output".into());
        };
        Ok(IdleSessions { child, input: Some(input), output: BufReader::new(output) })
    }

    /// Waits until all are logged in.
    pub fn until_in(&mut self) -> Outcome<()> {
        match self.line()?.as_str() {
            IN => Ok(()),
            other => Err(format!("idle sessions: {other:?}").into()),
        }
    }

    /// How many are still there and answer.
    pub fn count(&mut self) -> Outcome<usize> {
        let input = self.input.as_mut().ok_or("it has ended")?;
        writeln!(input, "{COUNT}")?;
        Ok(self.line()?.parse()?)
    }

    fn line(&mut self) -> Outcome<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }
}

impl Drop for IdleSessions {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}

/// What that process does.
pub fn run(server: SocketAddr, first: usize, count: usize) -> Outcome<()> {
    let mut net = Net::new()?;
    let slots = connect(&mut net, server, count)?;
    let login = |n: usize| {
        let handle = actor(first + n);
        format!("LOGIN {handle} {}\n", token(&handle))
    };
    ask(&mut net, &slots, login, "LIVE")?;
    println!("{IN}");
    for line in std::io::stdin().lines() {
        if line? == COUNT {
            let mut counting = Counting::default();
            slots.iter().for_each(|at| net.out.to(*at).extend_from_slice(b"PING\n"));
            net.wait_anew();
            net.until(&mut counting, |it| it.answered + it.closed == count)?;
            println!("{}", counting.answered);
        }
    }
    Ok(())
}

#[derive(Default)]
struct Counting {
    answered: usize,
    /// Sessions whose connections have ended.
    closed: usize,
}

impl Peer for Counting {
    fn line(&mut self, _: usize, _: Instant, line: &[u8], _: &mut Outputs) -> Outcome<()> {
        self.answered += usize::from(line.starts_with(b"OK PING"));
        Ok(())
    }

    fn closed(&mut self, _: usize) -> Outcome<()> {
        self.closed += 1;
        Ok(())
    }
}
