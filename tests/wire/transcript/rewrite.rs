//! Writes into a transcript what the server says, in place of what was expected. The diff is then
//! for a person to review.
//!
//! Only here is silence measured, since nothing else tells that no more will come: whoever rewrites
//! looks at the result.

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::time::Duration;

use super::client::{Client, Heard};
use super::names::Names;
use super::play::{GREETING, Stage};
use super::script::{Script, Step, heard, step};

/// A server that has said nothing for so long has said all.
const SILENCE: Duration = Duration::from_millis(150);

/// Puts the new lines of some of a file's transcripts in their places.
pub fn rewrite(file: &Path, scripts: &[Script]) {
    let text = std::fs::read_to_string(file).expect("the file was read before");
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    // From the last to the first, so that the places of the others hold.
    for script in scripts.iter().rev() {
        let range = script.above..script.above + script.text.len();
        lines.splice(range, as_it_happens(script));
    }
    lines.push(String::new());
    std::fs::write(file, lines.join("\n")).expect("the file can be written");
}

/// The lines of a transcript with what each client really gets. What one client types without a
/// comment, a blank line or an expected line between is typed at once; then everyone listens.
fn as_it_happens(script: &Script) -> Vec<String> {
    let stage = Stage::open();
    let mut audience =
        Audience { clients: Vec::new(), heard: HashMap::new(), names: Names::default() };
    let mut out = Vec::new();
    let mut lines = script.text.iter().peekable();
    while lines.peek().is_some() {
        let mut typist = None;
        while let Some(line) = lines.next_if(|line| is_act(line, typist.as_deref())) {
            let Ok(Some((name, act))) = step(line) else {
                unreachable!("it was read before");
            };
            let typed = match &act {
                Step::Send(bytes) => audience.names.fill(bytes),
                _ => Vec::new(),
            };
            let client = audience.client(script, &name, &stage);
            match act {
                Step::Send(_) => client.send(&typed),
                _ => client.end(),
            }
            typist = Some(name);
            out.push(line.clone());
        }
        let mut tail = Vec::new();
        while let Some(line) = lines.next_if(|line| !is_act(line, None)) {
            if let Ok(Some((name, _))) = step(line) {
                audience.client(script, &name, &stage);
            }
            tail.push(line);
        }
        audience.listen();
        audience.write(typist.as_deref(), &tail, &mut out);
    }
    drop(audience);
    stage.close();
    out
}

/// Whether a line is something that a client does: this one, if there is one.
fn is_act(line: &str, client: Option<&str>) -> bool {
    match step(line) {
        Ok(Some((name, Step::Send(_) | Step::End))) => client.is_none_or(|client| client == name),
        _ => false,
    }
}

/// All clients, in the order in which they came, and what they got and is not written yet.
struct Audience {
    clients: Vec<(String, Option<Client>)>,
    heard: HashMap<String, VecDeque<String>>,
    /// A word that has a name keeps it.
    names: Names,
}

impl Audience {
    fn client(&mut self, script: &Script, name: &str, stage: &Stage) -> &mut Client {
        let known = self.clients.iter().position(|(known, _)| known == name);
        let at = known.unwrap_or_else(|| {
            let mut client = stage.connect(name);
            if !script.hears_greeting(name) {
                assert_eq!(client.hear(), Heard::Line(GREETING.into()));
            }
            self.clients.push((name.to_owned(), Some(client)));
            self.clients.len() - 1
        });
        let client = self.clients[at].1.as_mut();
        client.unwrap_or_else(|| panic!("{name} was sent away and is used again"))
    }

    /// Takes what everyone gets until all are silent. Only the first to be listened to is waited
    /// for: what the others get comes meanwhile.
    fn listen(&mut self) {
        let mut silent = false;
        while !silent {
            silent = true;
            let mut patience = SILENCE;
            for (name, place) in &mut self.clients {
                let lines = self.heard.entry(name.clone()).or_default();
                while let Some(client) = place {
                    client.set_patience(patience);
                    match client.hear() {
                        Heard::Line(line) => lines.push_back(heard(name, &line)),
                        Heard::Nothing(_) => break,
                        Heard::Closed(_) | Heard::Broken(_) => {
                            lines.push_back(format!("{name}!"));
                            *place = None;
                        }
                    }
                    silent = false;
                }
                if place.is_some() {
                    patience = Duration::from_millis(1);
                }
            }
        }
    }

    /// Puts what was heard where something was expected of the same client before. What those got
    /// of whom nothing was expected goes behind the first lines that were, the typist's first.
    fn write(&mut self, typist: Option<&str>, tail: &[&String], out: &mut Vec<String>) {
        let owner = |line: &str| step(line).ok().flatten().map(|(name, _)| name);
        let expected: Vec<Option<String>> = tail.iter().map(|line| owner(line)).collect();
        let is_for = |name: &str, from: usize| {
            let mut rest = expected[from..].iter().flatten();
            rest.any(|owner| owner == name)
        };
        let first = expected.iter().take_while(|owner| owner.is_some()).count();
        for (at, owner) in expected.iter().map(Some).chain([None]).enumerate() {
            if at == first {
                let others = self.clients.iter().map(|(name, _)| &**name);
                for name in typist.into_iter().chain(others) {
                    let lines = self.heard.entry(name.to_owned()).or_default();
                    if !is_for(name, at) {
                        out.extend(lines.drain(..));
                    }
                }
            }
            match owner {
                None => {}
                Some(None) => out.push(tail[at].clone()),
                Some(Some(name)) => {
                    let lines = self.heard.entry(name.clone()).or_default();
                    if let Some(line) = lines.front_mut()
                        && self.names.fits(tail[at].as_bytes(), line.as_bytes())
                    {
                        line.clone_from(tail[at]);
                    }
                    let is_last = !is_for(name, at + 1);
                    let many = if is_last { lines.len() } else { 1 };
                    out.extend(lines.drain(..many.min(lines.len())));
                }
            }
        }
    }
}
