//! Whether the terminal can draw pictures, and in which way: it is asked, once, and says so itself.
//!
//! The answers come among what is typed, so `sequences` takes them out of it, and nobody waits for
//! them. The last question is one that every terminal answers, so with its answer all are there.

use super::CellSize;

/// The picture that is asked about; no other is called so.
const ASKED: &str = "i=4294967295";

/// A way to draw pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GraphicsProtocol {
    /// kitty's.
    Kitty,
    /// iTerm2's.
    Iterm,
    Sixel,
}

/// What the terminal says that it can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Abilities {
    is_kitty: bool,
    is_iterm: bool,
    is_sixel: bool,
    /// The size of a cell.
    pub cell: Option<CellSize>,
}

impl Abilities {
    /// The way to draw pictures, if there is one: kitty's first, since it needs a picture only once.
    pub fn protocol(&self) -> Option<GraphicsProtocol> {
        match *self {
            Abilities { is_kitty: true, .. } => Some(GraphicsProtocol::Kitty),
            Abilities { is_iterm: true, .. } => Some(GraphicsProtocol::Iterm),
            Abilities { is_sixel: true, .. } => Some(GraphicsProtocol::Sixel),
            _ => None,
        }
    }
}

/// The questions to the terminal that these variables describe, if it may be asked.
///
/// Some print questions that they do not know. tmux and screen take that of kitty for a title.
pub fn questions(variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let set = |name| variable(name).filter(|value| !value.is_empty());
    let kind = set("TERM")?;
    let begins = |names: &[&str]| names.iter().any(|name| kind.starts_with(name));
    if begins(&["linux", "dumb", "vt52", "cons25", "eterm", "sun"])
        || set("TERM_PROGRAM").as_deref() == Some("Apple_Terminal")
    {
        return None;
    }
    let is_inside =
        begins(&["tmux", "screen"]) || ["TMUX", "STY"].iter().any(|name| set(name).is_some());
    let kitty = match is_inside {
        true => String::new(),
        false => format!("\x1b_G{ASKED},s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\"),
    };
    // Its name and version, kitty's pictures, the size of a cell, and what it is.
    Some(format!("\x1b[>0q{kitty}\x1b[16t\x1b[c"))
}

/// What the terminal has answered so far.
#[derive(Debug, Default)]
pub struct Answers(Abilities);

impl Answers {
    /// Takes an escape sequence without the `ESC \` at its end. With the last answer returns all.
    pub fn take(&mut self, sequence: &[u8]) -> Option<Abilities> {
        let text = std::str::from_utf8(sequence).ok()?;
        if let Some(rest) = text.strip_prefix("\x1b_G") {
            let about =
                rest.split_once(';').filter(|(about, _)| about.split(',').any(|it| it == ASKED));
            self.0.is_kitty |= about.is_some_and(|(_, answer)| answer == "OK");
        } else if let Some(name) = text.strip_prefix("\x1bP>|") {
            self.0.is_iterm |= ["iTerm2 ", "WezTerm "].iter().any(|it| name.starts_with(it));
        } else if let Some(size) = inner(text, "\x1b[6;", "t") {
            self.0.cell = size.split_once(';').and_then(|(height, width)| {
                CellSize::new(width.parse().ok()?, height.parse().ok()?)
            });
        } else if let Some(attributes) = inner(text, "\x1b[?", "c") {
            // The first number is its kind.
            self.0.is_sixel = attributes.split(';').skip(1).any(|it| it == "4");
            return Some(self.0);
        }
        None
    }
}

fn inner<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    text.strip_prefix(start)?.strip_suffix(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn protocol(answers: &[&str]) -> Option<GraphicsProtocol> {
        let mut awaited = Answers::default();
        let (last, first) = answers.split_last().unwrap();
        for answer in first {
            assert_eq!(awaited.take(answer.as_bytes()), None, "{answer:?}");
        }
        let found = awaited.take(last.as_bytes()).expect("it is the last");
        found.protocol()
    }

    #[test]
    fn a_terminal_says_what_it_can_draw() {
        let kitty = format!("\x1b_G{ASKED};OK");
        let no_kitty = format!("\x1b_G{ASKED};ENOTSUP:no");
        assert_eq!(protocol(&[&kitty, "\x1b[?62;c"]), Some(GraphicsProtocol::Kitty));
        assert_eq!(protocol(&["\x1b_Gi=1;OK", "\x1b[?62c"]), None);
        let iterm = "\x1bP>|iTerm2 3.5.1";
        assert_eq!(protocol(&[iterm, "\x1b[?64;1;2;4;6c"]), Some(GraphicsProtocol::Iterm));
        let foot = ["\x1bP>|foot(1.16.2)", &no_kitty, "\x1b[6;20;10t", "\x1b[?62;4;22c"];
        assert_eq!(protocol(&foot), Some(GraphicsProtocol::Sixel));
        // A VT132 without sixels, and a VT100.
        assert_eq!(protocol(&["\x1b[?4;6c"]), None);
        assert_eq!(protocol(&["\x1b[A", "\x1b[?1;2c"]), None);
    }

    #[test]
    fn the_size_of_a_cell_is_taken_if_it_is_one() {
        for (answer, size) in [
            ("\x1b[6;20;10t", CellSize::new(10, 20)),
            ("\x1b[6;0;0t", None),
            ("\x1b[6;20t", None),
            ("\x1b[6;99999999999;1t", None),
        ] {
            let mut answers = Answers::default();
            answers.take(answer.as_bytes());
            assert_eq!(answers.take(b"\x1b[?1c").unwrap().cell, size, "{answer:?}");
        }
    }

    #[test]
    fn terminals_that_would_print_the_questions_are_not_asked() {
        let asked = |variables: &[(&str, &str)]| {
            questions(|name| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            })
        };
        for variables in [
            &[][..],
            &[("TERM", "linux")],
            &[("TERM", "dumb")],
            &[("TERM", "xterm-256color"), ("TERM_PROGRAM", "Apple_Terminal")],
        ] {
            assert_eq!(asked(variables), None, "{variables:?}");
        }
        assert!(asked(&[("TERM", "xterm"), ("TMUX", "")]).unwrap().contains("a=q"));
        for inside in [&[("TERM", "xterm"), ("TMUX", "/tmp/tmux")][..], &[("TERM", "screen")]] {
            let questions = asked(inside).unwrap();
            assert!(!questions.contains("\x1b_") && questions.ends_with("\x1b[c"));
        }
    }
}
