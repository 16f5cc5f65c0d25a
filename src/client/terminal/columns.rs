//! Text in terminal columns: how wide it is, what of it is shown, and where it is broken.
//!
//! Terminals disagree on the width of some characters. Invisible ones are left out, since some
//! terminals give them a column, and of two widths the greater counts: a line may end early, but
//! never runs over the edge.

use std::sync::Arc;

use unicode_width::UnicodeWidthChar;

use super::picture::{Picture, PictureArea};
use crate::name::is_spoofing;

/// A variation selector that asks for an emoji, which takes two columns on some terminals.
const AS_EMOJI: char = '\u{fe0f}';

/// A line of text on the screen, or a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScreenLine {
    /// With its colours, without a line end.
    pub text: String,
    /// Its columns if the terminal has to break it; 0 if it fits.
    long: usize,
    /// What stands there instead of a text.
    pub picture: Option<(Arc<Picture>, PictureArea)>,
}

impl ScreenLine {
    /// A line that fits.
    pub fn new(text: String) -> ScreenLine {
        ScreenLine { text, long: 0, picture: None }
    }

    /// A picture that fits.
    pub fn picture(picture: Arc<Picture>, area: PictureArea) -> ScreenLine {
        ScreenLine { text: String::new(), long: 0, picture: Some((picture, area)) }
    }

    /// A link wider than a line. A terminal joins rows that it has broken itself, so the link can
    /// be opened and copied, unlike one broken here. It is ASCII, so its width is certain.
    fn link(link: &str) -> ScreenLine {
        ScreenLine { text: format!("\x1b[?7h{link}\x1b[?7l"), long: link.len(), picture: None }
    }

    /// Whether the terminal breaks it; it begins at the left edge then.
    pub fn is_link(&self) -> bool {
        self.long > 0
    }

    /// Rows it takes.
    pub fn rows(&self, columns: usize) -> usize {
        if let Some((_, area)) = &self.picture {
            return area.rows;
        }
        self.long.div_ceil(columns.max(1)).max(1)
    }
}

/// The most columns that a text takes.
pub fn width(text: &str) -> usize {
    widths(text).map(|(_, width)| width).sum()
}

fn widths(text: &str) -> impl Iterator<Item = (char, usize)> {
    text.chars().scan(0, |before, c| {
        let own = c.width().unwrap_or(0);
        let width = if c == AS_EMOJI && *before == 1 { 1 } else { own };
        *before = own;
        Some((c, width))
    })
}

/// Whether terminals disagree on its width, or let it change the text around it.
pub fn is_doubtful(c: char) -> bool {
    // Invisible fillers and vowels.
    let is_filler =
        matches!(c, '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{3164}' | '\u{ffa0}');
    is_spoofing(c) || is_filler || matches!(c, '\u{fe00}'..=AS_EMOJI | '\u{e0100}'..='\u{e01ef}')
}

/// A text as it is shown, with its line breaks.
fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            // A tab's width depends on its column.
            '\t' => out.push_str("    "),
            // Bidirectional controls could move text in front of the name.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => out.push('\u{fffd}'),
            // Needed in emoji, and in Persian and Indic words.
            '\n' | '\u{200c}' | '\u{200d}' | AS_EMOJI => out.push(c),
            _ if is_doubtful(c) => {}
            _ => out.push(c),
        }
    }
    out
}

/// A text cut to one line of this width.
pub fn cut(text: &str, width: usize) -> String {
    // Bounded, as there may be no end of characters without width.
    let text: String = text.chars().take(8 * width + 1).collect();
    let line = shown(&text).replace('\n', " ");
    if line.chars().count() <= 8 * width && self::width(&line) <= width {
        return line;
    }
    let (mut short, mut columns) = (String::new(), 0);
    for (c, own) in widths(&line).take(4 * width) {
        columns += own;
        if columns >= width {
            break;
        }
        short.push(c);
    }
    short.push('…');
    short
}

/// Breaks lines at blanks, and longer words anywhere, except links. A blank line stays a line.
pub fn wrap(text: &str, width: usize) -> Vec<ScreenLine> {
    let text = shown(text);
    let mut wrapped =
        Wrapped { width: width.max(1), lines: Vec::new(), row: String::new(), used: 0 };
    for line in text.split('\n') {
        wrapped.line(line);
    }
    wrapped.lines
}

struct Wrapped {
    width: usize,
    lines: Vec<ScreenLine>,
    /// The current line, and its columns.
    row: String,
    used: usize,
}

impl Wrapped {
    fn line(&mut self, line: &str) {
        let before = self.lines.len();
        let mut blanks = 0;
        for (n, word) in line.split(' ').enumerate() {
            blanks += usize::from(n > 0);
            if word.is_empty() {
                continue;
            }
            if self.used == 0 && self.lines.len() > before {
                // The blanks at which a line is broken are not shown.
                blanks = 0;
            }
            let columns = width(word);
            if self.used + blanks + columns <= self.width {
                self.row.extend(std::iter::repeat_n(' ', blanks));
                self.row.push_str(word);
                self.used += blanks + columns;
            } else {
                self.end();
                self.word(word, columns);
            }
            blanks = 0;
        }
        if self.used > 0 || self.lines.len() == before {
            self.lines.push(ScreenLine::new(std::mem::take(&mut self.row)));
            self.used = 0;
        }
    }

    /// Adds a word at the beginning of a line.
    fn word(&mut self, word: &str, columns: usize) {
        if columns > self.width && is_link(word) {
            return self.lines.push(ScreenLine::link(word));
        }
        for (c, own) in widths(word) {
            if self.used + own > self.width {
                self.end();
            }
            self.row.push(c);
            self.used += own;
        }
    }

    /// Ends the current line, unless it is empty.
    fn end(&mut self) {
        if self.used > 0 {
            self.lines.push(ScreenLine::new(std::mem::take(&mut self.row)));
            self.used = 0;
        }
    }
}

/// Whether a word is a URL that terminals open.
fn is_link(word: &str) -> bool {
    let is_scheme = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'+' | b'-' | b'.');
    word.split_once("://").is_some_and(|(scheme, rest)| {
        !scheme.is_empty() && scheme.bytes().all(is_scheme) && !rest.is_empty()
    }) && word.bytes().all(|c| c.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str, width: usize) -> Vec<String> {
        wrap(text, width).into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn lines_are_broken_at_blanks_and_longer_words_anywhere() {
        assert_eq!(texts("one two  three", 8), ["one two", "three"]);
        assert_eq!(texts("one a-very-long-word to", 10), ["one", "a-very-lon", "g-word to"]);
        assert_eq!(texts("  set in\n\n   \nlast ", 20), ["  set in", "", "", "last"]);
        assert_eq!(texts("漢字漢字", 5), ["漢字", "漢字"]);
        assert_eq!(texts("漢", 1), ["漢"]);
    }

    #[test]
    fn a_link_that_is_wider_than_a_line_is_left_whole() {
        let link = format!("https://a.example/{}", "x".repeat(40));
        let lines = wrap(&format!("see {link} now"), 20);
        let rows: Vec<usize> = lines.iter().map(|line| line.rows(29)).collect();
        assert_eq!(rows, [1, 2, 1]);
        assert_eq!(lines[1].text, format!("\x1b[?7h{link}\x1b[?7l"));
        assert_eq!((&*lines[0].text, &*lines[2].text), ("see", "now"));
        // Exactly two rows; and one that fits is a word like any other.
        assert_eq!(ScreenLine::link(&"x".repeat(58)).rows(29), 2);
        assert_eq!(texts("see http://a.example", 16), ["see", "http://a.example"]);
        // What only looks like one has no certain width.
        assert_eq!(texts("http://é.example/abc", 16), ["http://é.example", "/abc"]);
    }

    #[test]
    fn of_two_widths_the_greater_one_counts() {
        // A heart is one column wide, or two as an emoji; a family is two, or three people.
        assert_eq!((width("\u{2764}"), width("\u{2764}\u{fe0f}")), (1, 2));
        assert_eq!(width("👩\u{200d}👩\u{200d}👧"), 6);
        assert_eq!(width("e\u{301}"), 1);
    }

    #[test]
    fn what_is_invisible_takes_no_column_since_it_is_not_shown() {
        let doubtful = "a\u{ad}\u{200b}\u{2060}\u{feff}\u{3164}\u{115f}\u{fe0e}\u{200e}\u{7}b";
        assert_eq!(texts(doubtful, 20), ["ab"]);
        assert_eq!(cut(doubtful, 20), "ab");
    }

    #[test]
    fn no_text_hides_behind_what_has_no_width_or_turns_around() {
        let marks = "\u{300}".repeat(30_000);
        assert!(cut(&format!("a{marks}b"), 20).len() < 200);
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("abcd", 4), "abcd");
        assert_eq!(texts("a\u{202e}b", 60), ["a\u{fffd}b"]);
    }
}
