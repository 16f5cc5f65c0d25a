//! The format of a transcript: text to steps. It opens no socket.
//!
//! | line | what it means |
//! |---|---|
//! | `# text`, a blank line | nothing |
//! | `ana> text` | ana types the text and LF |
//! | `ana>> text` | ana sends exactly these bytes, written with escapes |
//! | `ana< text` | the next line that ana gets, byte for byte |
//! | `ana<< text` | the same, written with escapes |
//! | `ana.` | ana ends her input |
//! | `ana!` | the server has ended ana's connection and said nothing before |
//!
//! In a line that is heard `<$name>` is any one word, as a token is; from then on it is that word,
//! in what is typed, too.
//!
//! The escapes are those of Rust, `\n \r \t \0 \\ \xNN`, and `\{5 x}` for five times `x`.

use std::path::{Path, PathBuf};

/// What one line of a transcript says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// These bytes are sent.
    Send(Vec<u8>),
    /// This is the next line, without its LF.
    Hear(Vec<u8>),
    /// The client ends its input.
    End,
    /// The server has ended the connection.
    Closed,
}

/// A step and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The number of the line in its script, from 0.
    pub at: usize,
    /// Whose step it is.
    pub client: String,
    /// What happens.
    pub step: Step,
}

/// One transcript.
#[derive(Clone, Debug)]
pub struct Script {
    /// The file in which it stands.
    pub file: PathBuf,
    /// How many lines of the file stand before it.
    pub above: usize,
    /// Its lines as they are written.
    pub text: Vec<String>,
    /// What they say.
    pub lines: Vec<Line>,
}

impl Script {
    /// The transcript that fills a whole file.
    pub fn open(file: &Path) -> Script {
        let text = read(file).lines().map(str::to_owned).collect();
        Script::new(file, 0, text)
    }

    /// The transcripts in the fenced blocks of a Markdown file whose info string is `transcript`.
    pub fn blocks(file: &Path) -> Vec<Script> {
        let text = read(file);
        let mut lines = text.lines().enumerate();
        let mut scripts = Vec::new();
        while let Some((at, line)) = lines.next() {
            let Some(info) = line.strip_prefix("```") else {
                continue;
            };
            let inside = lines.by_ref().take_while(|(_, line)| *line != "```");
            let inside = inside.map(|(_, line)| line.to_owned()).collect();
            if info == "transcript" {
                scripts.push(Script::new(file, at + 1, inside));
            }
        }
        scripts
    }

    /// The transcript that these lines of a file make.
    pub fn new(file: &Path, above: usize, text: Vec<String>) -> Script {
        let mut script = Script { file: file.to_owned(), above, text, lines: Vec::new() };
        for (at, line) in script.text.iter().enumerate() {
            match step(line) {
                Ok(None) => {}
                Ok(Some((client, step))) => script.lines.push(Line { at, client, step }),
                Err(why) => panic!("{}: {why}: {line}", script.place(at)),
            }
        }
        script
    }

    /// A line's place in its file, as compilers write it.
    pub fn place(&self, at: usize) -> String {
        format!("{}:{}", self.file.display(), self.above + at + 1)
    }

    /// The clients in the order in which they are first mentioned.
    pub fn clients(&self) -> Vec<&str> {
        let mut clients: Vec<&str> = Vec::new();
        for line in &self.lines {
            if !clients.contains(&&*line.client) {
                clients.push(&line.client);
            }
        }
        clients
    }

    /// Whether the first thing said of a client is what it hears: then that is the greeting.
    pub fn hears_greeting(&self, client: &str) -> bool {
        let first = self.lines.iter().find(|line| line.client == client);
        first.is_some_and(|line| matches!(line.step, Step::Hear(_)))
    }
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}

/// Reads one line; `None` where it is a comment or blank.
pub fn step(line: &str) -> Result<Option<(String, Step)>, &'static str> {
    if line.starts_with('#') || line.trim().is_empty() {
        return Ok(None);
    }
    let of_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let sign = line.find(|c| !of_name(c)).unwrap_or(line.len());
    let (client, rest) = line.split_at(sign);
    if client.is_empty() {
        return Err("a client's name was expected");
    }
    let text = |sign: &str| match rest.strip_prefix(sign) {
        Some("") => Some(""),
        Some(text) => text.strip_prefix(' '),
        None => None,
    };
    let step = if rest == "." {
        Step::End
    } else if rest == "!" {
        Step::Closed
    } else if let Some(text) = text(">>") {
        Step::Send(unescape(text)?)
    } else if let Some(text) = text("<<") {
        Step::Hear(unescape(text)?)
    } else if let Some(text) = text(">") {
        Step::Send([text.as_bytes(), b"\n"].concat())
    } else if let Some(text) = text("<") {
        Step::Hear(text.into())
    } else {
        return Err("one of > >> < << . ! was expected after the name");
    };
    Ok(Some((client.to_owned(), step)))
}

fn unescape(text: &str) -> Result<Vec<u8>, &'static str> {
    const BAD: &str = r"an escape is one of \n \r \t \0 \\ \xNN \{N c}";
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        let escape = rest[at + 1..].chars().next().ok_or(BAD)?;
        rest = &rest[at + 1 + escape.len_utf8()..];
        match escape {
            'n' => bytes.push(b'\n'),
            'r' => bytes.push(b'\r'),
            't' => bytes.push(b'\t'),
            '0' => bytes.push(0),
            '\\' => bytes.push(b'\\'),
            'x' => {
                let digits = rest.get(..2).ok_or(BAD)?;
                bytes.push(u8::from_str_radix(digits, 16).map_err(|_| BAD)?);
                rest = &rest[2..];
            }
            '{' => {
                let (inside, after) = rest.split_once('}').ok_or(BAD)?;
                let (count, what) = inside.split_once(' ').ok_or(BAD)?;
                let count = count.parse().map_err(|_| BAD)?;
                bytes.extend(unescape(what)?.repeat(count));
                rest = after;
            }
            _ => return Err(BAD),
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(bytes)
}

/// Whether a reviewer could overlook a character, or be misled by it: controls, blanks other than
/// the space, zero-width and bidirectional ones.
fn unseen(c: char) -> bool {
    c.is_control()
        || (c.is_whitespace() && c != ' ')
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Writes a line that a client got: as it is if it can be seen as it is, else with escapes.
pub fn heard(client: &str, line: &[u8]) -> String {
    const LONG_RUN: usize = 64;
    let plain = std::str::from_utf8(line)
        .ok()
        .filter(|line| !line.ends_with(' ') && !line.contains(unseen));
    let runs: Vec<&[u8]> = line.chunk_by(|a, b| a == b).collect();
    match plain.filter(|_| runs.iter().all(|run| run.len() < LONG_RUN)) {
        Some("") => format!("{client}<"),
        Some(plain) => format!("{client}< {plain}"),
        None => {
            let one = |byte: u8| byte.escape_ascii().to_string().replace("\\'", "'");
            let one = |byte: u8| one(byte).replace("\\\"", "\"");
            let written = runs.iter().map(|run| match run.len() {
                LONG_RUN.. => format!("\\{{{} {}}}", run.len(), one(run[0])),
                _ => one(run[0]).repeat(run.len()),
            });
            format!("{client}<< {}", written.collect::<String>())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_it_is_documented() {
        let ana = |step| Ok(Some(("ana".to_owned(), step)));
        assert_eq!(step("# ana> no"), Ok(None));
        assert_eq!(step("  "), Ok(None));
        assert_eq!(step("ana>"), ana(Step::Send(b"\n".to_vec())));
        assert_eq!(step(r"ana>  a\n"), ana(Step::Send(b" a\\n\n".to_vec())));
        assert_eq!(step(r"ana>> \{3 \xff}\r"), ana(Step::Send(b"\xff\xff\xff\r".to_vec())));
        assert_eq!(step("ana< OK"), ana(Step::Hear(b"OK".to_vec())));
        assert_eq!(step("ana."), ana(Step::End));
        assert_eq!(step("ana!"), ana(Step::Closed));
        for bad in ["ana", "> x", "ana>x", "ana. x", r"ana>> \q", r"ana>> \x1", "Ana> x"] {
            assert!(step(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_was_heard_is_written_so_that_it_reads_back() {
        for line in ["OK", "it's \\n", "ends ", "\u{1b}", "é", "\u{202e}", &"y".repeat(999)] {
            let written = heard("ana", line.as_bytes());
            let read = step(&written).unwrap().unwrap().1;
            assert_eq!(read, Step::Hear(line.into()), "{written}");
            assert!(written.len() < 80, "{written}");
        }
    }
}
