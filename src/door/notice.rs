//! A notice: what a program publishes, as a text that people read, and back.

use super::answer::Denial;
use super::signs::sign;
use crate::limits;

/// What was published, cleaned.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Notice {
    pub title: String,
    pub message: String,
    /// 1 to 5; `None`: not given, which is 3.
    pub priority: Option<u8>,
    pub tags: Vec<String>,
    pub click: String,
    pub attach: String,
    /// Label and address of each action that only shows something.
    pub views: Vec<(String, String)>,
}

/// The text of a notice that has none, as ntfy's.
const EMPTY: &str = "triggered";

impl Notice {
    /// The same without what no message may have.
    pub fn cleaned(self) -> Notice {
        let line = |text: &str| clean(text).replace('\n', " ");
        let mut message = clean(&self.message);
        if message.is_empty() {
            message = EMPTY.into();
        }
        let tags = self.tags.iter().map(|tag| line(tag)).filter(|tag| !tag.is_empty());
        let views = self.views.iter().map(|(label, url)| (line(label), line(url)));
        Notice {
            title: line(&self.title),
            message,
            tags: tags.collect(),
            click: line(&self.click),
            attach: line(&self.attach),
            views: views.collect(),
            ..self
        }
    }

    /// The text as it is said in papo.
    pub fn text(&self) -> String {
        let mut text = match self.priority {
            Some(5) => "!!! ".to_owned(),
            Some(4) => "!! ".to_owned(),
            _ => String::new(),
        };
        for sign in self.tags.iter().filter_map(|tag| sign(tag)) {
            text.push_str(sign);
            text.push(' ');
        }
        if !self.title.is_empty() {
            text.push_str(&self.title);
            text.push('\n');
        }
        text.push_str(&self.message);
        let words: Vec<&str> =
            self.tags.iter().filter(|tag| sign(tag).is_none()).map(|tag| &**tag).collect();
        let views = self.views.iter().map(|(label, url)| format!("{label}: {url}"));
        let more = [words.join(", "), self.click.clone(), self.attach.clone()];
        for line in more.into_iter().chain(views).filter(|line| !line.is_empty()) {
            text.push('\n');
            text.push_str(&line);
        }
        text
    }
}

/// The priority that a text begins with, and the rest.
pub fn read_priority(text: &str) -> (u8, &str) {
    match (text.strip_prefix("!!! "), text.strip_prefix("!! ")) {
        (Some(rest), _) => (5, rest),
        (_, Some(rest)) => (4, rest),
        _ => (3, text),
    }
}

/// Parses a priority: a number from 1 to 5, or one of ntfy's words.
///
/// # Errors
/// It is neither.
pub fn parse_priority(text: &str) -> Result<u8, Denial> {
    match &*text.trim().to_ascii_lowercase() {
        "1" | "min" => Ok(1),
        "2" | "low" => Ok(2),
        "3" | "default" => Ok(3),
        "4" | "high" => Ok(4),
        "5" | "max" | "urgent" => Ok(5),
        _ => Err(Denial::new(40007, "invalid priority: 1 to 5, min, low, default, high or max")),
    }
}

/// Checks that a text fits into a line.
///
/// # Errors
/// It does not.
pub fn must_fit(text: &str) -> Result<(), Denial> {
    let escapes = text.bytes().filter(|b| matches!(b, b'\n' | b'\\')).count();
    if text.len() + escapes <= limits::HTTP_TEXT {
        return Ok(());
    }
    Err(Denial::new(41301, format!("too-long: a text has at most {} bytes", limits::HTTP_TEXT)))
}

/// Cuts a text after that many characters, and says so.
pub fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}… (cut, {} characters)", &text[..at], text.chars().count()),
        None => text.to_owned(),
    }
}

/// A text without what no message may have, and without blanks at its ends: sequences for terminals
/// are taken out whole, other control characters one by one, and CR becomes a line break.
fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' => {
                chars.next_if_eq(&'\n');
                out.push('\n');
            }
            '\n' | '\t' => out.push(c),
            '\u{1b}' | '\u{9b}' | '\u{9d}' | '\u{90}' => skip_sequence(c, &mut chars),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out.trim().to_owned()
}

/// Skips the rest of a sequence for terminals that began with `first` (ECMA-48, 5.4 and 8.3.89).
fn skip_sequence(first: char, chars: &mut std::iter::Peekable<std::str::Chars>) {
    let kind = match first {
        '\u{1b}' => match chars.next_if(|c| !c.is_control()) {
            Some(kind) => kind,
            None => return,
        },
        '\u{9b}' => '[',
        _ => ']',
    };
    match kind {
        // Up to its final byte; anything else ends it unfinished.
        '[' => {
            while chars.next_if(|c| matches!(c, ' '..='?')).is_some() {}
            chars.next_if(|c| matches!(c, '@'..='~'));
        }
        // A string: up to BEL or ST, at the latest to the end of the line.
        ']' | 'P' | 'X' | '^' | '_' => {
            while let Some(c) = chars.next_if(|c| *c != '\n') {
                match c {
                    '\u{7}' | '\u{9c}' => return,
                    '\u{1b}' => {
                        chars.next_if_eq(&'\\');
                        return;
                    }
                    _ => {}
                }
            }
        }
        ' '..='/' => {
            while chars.next_if(|c| matches!(c, ' '..='/')).is_some() {}
            chars.next_if(|c| matches!(c, '0'..='~'));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_cleaned_may_be_said(text in "(?s)(.|\u{1b}|\u{9b}|\\[|[0-9;]|m|\r|\n){0,60}") {
            let cleaned = clean(&text);
            prop_assert!(!cleaned.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\t')));
            prop_assert_eq!(clean(&cleaned), cleaned.clone());
            // Nothing is lost of a text without controls.
            if !text.contains(char::is_control) {
                prop_assert_eq!(cleaned, text.trim());
            }
        }
    }

    fn notice(title: &str, message: &str, tags: &[&str]) -> Notice {
        let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
        Notice { title: title.into(), message: message.into(), tags, ..Notice::default() }
    }

    fn text(notice: Notice) -> String {
        notice.cleaned().text()
    }

    #[test]
    fn it_reads_like_a_message() {
        let full = Notice {
            priority: Some(4),
            click: "https://a/".into(),
            attach: "https://b/c.png".into(),
            views: vec![("Open".into(), "https://d/".into())],
            ..notice("Low disk", "97 % of / is used", &["warning", "host1", "fire", "disk"])
        };
        let expected = "!! ⚠️ 🔥 Low disk\n97 % of / is used\nhost1, disk\nhttps://a/\n\
                        https://b/c.png\nOpen: https://d/";
        assert_eq!(text(full), expected);
        assert_eq!(text(notice("", "done", &["tada"])), "🎉 done");
        assert_eq!(text(notice("", " \r\n", &[])), "triggered");
        assert_eq!(text(notice("a\nb", "", &[])), "a b\ntriggered");
        for (priority, expected) in [(1, "x"), (2, "x"), (3, "x"), (4, "!! x"), (5, "!!! x")] {
            let said = Notice { priority: Some(priority), ..notice("", "x", &[]) };
            assert_eq!(text(said), expected);
        }
    }

    #[test]
    fn no_alert_is_lost_for_a_colour() {
        let cleaned = |text: &str| clean(text);
        assert_eq!(cleaned("\u{1b}[1;31mred\u{1b}[0m\r\nnext\rlast"), "red\nnext\nlast");
        assert_eq!(cleaned("a\u{1b}]8;;https://x\u{1b}\\b\u{1b}]0;t\u{7}c"), "abc");
        assert_eq!(cleaned("a\u{1b}(Bb\u{1b}cd\u{1b}"), "abd");
        assert_eq!(cleaned("a\u{9b}31mb\u{0}\u{8}c\u{7f}d\u{85}e\tf"), "abcde\tf");
        assert_eq!(cleaned("\u{1b}[31\nkept"), "kept");
        assert_eq!(cleaned("\u{1b}]unfinished\nkept"), "kept");
    }

    #[test]
    fn a_priority_is_read_back() {
        assert_eq!(read_priority("!!! a"), (5, "a"));
        assert_eq!(read_priority("!! a"), (4, "a"));
        assert_eq!(read_priority("! a"), (3, "! a"));
        assert_eq!(read_priority("!!!a"), (3, "!!!a"));
        assert_eq!(parse_priority(" Urgent "), Ok(5));
        assert_eq!(parse_priority("0").unwrap_err().code, 40007);
    }

    #[test]
    fn what_is_long_is_refused_or_cut() {
        assert_eq!(must_fit(&"x".repeat(limits::HTTP_TEXT)), Ok(()));
        assert_eq!(must_fit(&"\n".repeat(limits::HTTP_TEXT / 2 + 1)).unwrap_err().code, 41301);
        assert_eq!(cut("äbc", 3), "äbc");
        assert_eq!(cut("äbcd", 2), "äb… (cut, 4 characters)");
    }
}
