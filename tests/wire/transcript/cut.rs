//! Feeds what one client types in other pieces than lines: how bytes are split on their way must
//! make no difference to what they mean.

use super::client::{Client, Heard};
use super::names;
use super::play::{GREETING, Stage, show};
use super::script::{Script, Step, heard};

/// All that the only client of a transcript types, and what it gets for it.
pub struct Stream {
    /// Where the transcript stands.
    place: String,
    client: String,
    typed: Vec<u8>,
    /// What is heard, and how many bytes have been typed by then.
    due: Vec<(usize, Step)>,
    /// It ends its input after that.
    ended: bool,
}

impl Stream {
    /// The stream of a transcript, if it has one client: with two, one's pieces would have to wait
    /// for the other's. None either where a word is typed that was heard before.
    pub fn of(script: &Script) -> Option<Stream> {
        let [client] = script.clients()[..] else {
            return None;
        };
        let mut bytes = script.lines.iter().filter_map(|line| match &line.step {
            Step::Send(bytes) | Step::Hear(bytes) => Some(bytes),
            _ => None,
        });
        if bytes.any(|bytes| names::in_line(bytes)) {
            return None;
        }
        let mut stream = Stream {
            place: script.place(0),
            client: client.to_owned(),
            typed: Vec::new(),
            due: Vec::new(),
            ended: false,
        };
        if !script.hears_greeting(client) {
            stream.due.push((0, Step::Hear(GREETING.into())));
        }
        for line in &script.lines {
            match &line.step {
                Step::Send(bytes) => stream.typed.extend(bytes),
                Step::End => stream.ended = true,
                heard => stream.due.push((stream.typed.len(), heard.clone())),
            }
        }
        Some(stream)
    }

    /// How many bytes it has.
    pub fn len(&self) -> usize {
        self.typed.len()
    }

    /// Feeds it to a server of its own in the pieces between `cuts`; all that comes must be the same.
    ///
    /// A piece is sent when all that the pieces before it are due has come: so the server has taken
    /// up those, a last unfinished line included, and the pieces do not melt into one on their way.
    pub fn feed(&self, cuts: &[usize]) {
        let stage = Stage::open();
        let mut client = stage.connect(&self.client);
        let fed = self.feed_to(&mut client, cuts);
        drop(client);
        stage.close();
        if let Err(why) = fed {
            panic!("{}: cut at {cuts:?}:{why}", self.place);
        }
    }

    fn feed_to(&self, client: &mut Client, cuts: &[usize]) -> Result<(), String> {
        let mut due = self.due.iter().peekable();
        let mut from = 0;
        for to in cuts.iter().copied().chain([self.typed.len()]) {
            while let Some((_, step)) = due.next_if(|(typed, _)| *typed <= from) {
                self.expect(client, step)?;
            }
            client.send(&self.typed[from..to]);
            from = to;
        }
        if self.ended {
            client.end();
        }
        for (_, step) in due {
            self.expect(client, step)?;
        }
        if !matches!(self.due.last(), Some((_, Step::Closed))) {
            client.send(b"PING end\n");
            self.expect(client, &Step::Hear(b"OK PING end".to_vec()))?;
        }
        Ok(())
    }

    fn expect(&self, client: &mut Client, step: &Step) -> Result<(), String> {
        let got = client.hear();
        let (right, expected) = match (step, &got) {
            (Step::Hear(line), got) => {
                let expected = heard(&self.client, line);
                (*got == Heard::Line(line.clone()), expected)
            }
            (_, got) => (*got == Heard::Closed(Vec::new()), format!("{}!", self.client)),
        };
        if right {
            return Ok(());
        }
        let got = show(&self.client, &got);
        Err(format!("\n  expected  {expected}\n  got       {got}"))
    }
}
