//! The names people use: handles, groups, display names.
//!
//! A value of one of these types has been checked and need not be checked again. Nothing here knows
//! how a name is stored or sent.

use std::fmt;
use std::sync::Arc;

use crate::limits;

/// An account's name: a letter, then letters, digits, `.`, `_`, `-` (ASCII), 2 to 32 in all, kept
/// in lower case. Many entries hold the same handle, so a clone only counts a reference.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(
    feature = "postgres",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "String", into = "String")
)]
pub struct Handle(Arc<str>);

impl Handle {
    /// The handle spelled in `text` in any letter case, or `None` if it breaks the rule.
    pub fn new(text: &str) -> Option<Handle> {
        let bytes = text.as_bytes();
        let long_enough = (limits::HANDLE_MIN..=limits::HANDLE_MAX).contains(&bytes.len());
        let first = bytes.first().is_some_and(u8::is_ascii_alphabetic);
        let rest = bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(b));
        (long_enough && first && rest).then(|| {
            if bytes.iter().any(u8::is_ascii_uppercase) {
                Handle(text.to_ascii_lowercase().into())
            } else {
                Handle(text.into())
            }
        })
    }

    /// The handle as written on the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Handle {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Handle, &'static str> {
        Handle::new(&text).ok_or("not a handle")
    }
}

impl From<Handle> for String {
    fn from(handle: Handle) -> String {
        handle.as_str().to_owned()
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an account calls one of its devices: 1 to 32 of a handle's characters, kept in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "postgres", derive(serde::Serialize, serde::Deserialize))]
pub struct DeviceName(Box<str>);

impl DeviceName {
    /// The name spelled in `text` in any letter case, or `None` if it breaks the rule.
    pub fn new(text: &str) -> Option<DeviceName> {
        let fits = (1..=limits::HANDLE_MAX).contains(&text.len());
        let is_plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        (fits && is_plain).then(|| DeviceName(text.to_ascii_lowercase().into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The recipient of a message: a person, or a group by its name without `#`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "postgres", derive(serde::Serialize, serde::Deserialize))]
pub enum Target {
    /// An account; the author's own for notes.
    Person(Handle),
    /// A group, whose name follows the rule for handles.
    Group(Handle),
}

impl Target {
    /// The target spelled in `text`: a handle, or a group's name after `#`.
    pub fn new(text: &str) -> Option<Target> {
        match text.strip_prefix('#') {
            Some(name) => Handle::new(name).map(Target::Group),
            None => Handle::new(text).map(Target::Person),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Target::Person(handle) => write!(f, "{handle}"),
            Target::Group(name) => write!(f, "#{name}"),
        }
    }
}

/// A person's name on screen: 1 to 64 characters, no control, bidirectional or zero-width ones, so
/// that it cannot make a line read as something else.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "postgres", derive(serde::Serialize, serde::Deserialize))]
pub struct DisplayName(Box<str>);

/// Why a text is not a display name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAName {
    /// It has no character, or too many.
    Length,
    /// The character at this byte offset may not stand in a name.
    Character(usize),
}

impl DisplayName {
    /// Checks `text`, which the caller has trimmed.
    ///
    /// # Errors
    /// The rule that is broken, and where.
    pub fn new(text: &str) -> Result<DisplayName, NotAName> {
        if let Some((at, _)) = text.char_indices().find(|(_, c)| is_spoofing(*c)) {
            return Err(NotAName::Character(at));
        }
        match text.chars().count() {
            1..=limits::DISPLAY_NAME_MAX => Ok(DisplayName(text.into())),
            _ => Err(NotAName::Length),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&Handle> for DisplayName {
    /// The default display name is the handle.
    fn from(handle: &Handle) -> DisplayName {
        DisplayName(handle.as_str().into())
    }
}

/// The name of a file: 1 to 255 bytes, no `/`, no control, bidirectional or zero-width character, and
/// neither `.` nor `-` at its beginning, so that a program may use it as a name in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileName(Box<str>);

impl FileName {
    /// The rule, as errors name it.
    pub const EXPECTED: &str =
        "a file's name, without / and not beginning with . or -, of at most 255 bytes";

    /// Checks `text`, which the caller has trimmed.
    ///
    /// # Errors
    /// The rule that is broken, and where; [`NotAName::Length`] stands for all rules but that about
    /// hidden characters.
    pub fn new(text: &str) -> Result<FileName, NotAName> {
        if let Some((at, _)) = text.char_indices().find(|(_, c)| is_spoofing(*c)) {
            return Err(NotAName::Character(at));
        }
        let is_plain = !text.contains('/') && !text.starts_with(['.', '-']);
        let fits = (1..=limits::FILE_NAME_MAX).contains(&text.len());
        if fits && is_plain { Ok(FileName(text.into())) } else { Err(NotAName::Length) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Characters that change how a terminal shows those around them: controls, the line and paragraph
/// separators, and the bidirectional and zero-width ones of Unicode's `Cf` (UAX #9 and UTS #39
/// describe spoofing with them).
pub fn is_spoofing(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{061C}' | '\u{00AD}' | '\u{034F}' | '\u{180E}'
            | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}'
            | '\u{E0000}'..='\u{E007F}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_follow_the_rule() {
        for good in ["ana", "Ana", "a1", "a.b_c-d", &"x".repeat(32)] {
            assert_eq!(Handle::new(good).unwrap().as_str(), good.to_lowercase());
        }
        for bad in ["", "a", "1a", "-a", "a b", "a#", "ação", "a\n", &"x".repeat(33)] {
            assert_eq!(Handle::new(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn devices_follow_the_rule() {
        for good in ["a", "Phone", "1", "-", ".x", &"x".repeat(32)] {
            assert_eq!(DeviceName::new(good).unwrap().as_str(), good.to_lowercase());
        }
        for bad in ["", "a b", "a/b", "telefônica", "a\n", &"x".repeat(33)] {
            assert_eq!(DeviceName::new(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_files_name_leads_nowhere() {
        for good in ["a", "holiday photo.jpg", "a.tar.gz", "é", "a-b", &"x".repeat(255)] {
            assert_eq!(FileName::new(good).unwrap().as_str(), good);
        }
        for bad in ["", ".", "..", ".rc", "-rf", "a/b", "/a", "../a", &"x".repeat(256)] {
            assert_eq!(FileName::new(bad), Err(NotAName::Length), "{bad:?}");
        }
        for bad in ["x\u{202E}y", "x\u{200B}", "x\ny", "x\ty"] {
            assert_eq!(FileName::new(bad), Err(NotAName::Character(1)), "{bad:?}");
        }
    }

    #[test]
    fn display_names_cannot_hide_anything() {
        assert_eq!(DisplayName::new("Ana Maria").unwrap().as_str(), "Ana Maria");
        assert!(DisplayName::new(&"é".repeat(64)).is_ok());
        assert_eq!(DisplayName::new(&"é".repeat(65)), Err(NotAName::Length));
        assert_eq!(DisplayName::new(""), Err(NotAName::Length));
        for bad in ["x\u{202E}y", "x\u{200B}", "x\ny", "x\u{FEFF}", "x\ty"] {
            assert_eq!(DisplayName::new(bad), Err(NotAName::Character(1)), "{bad:?}");
        }
    }
}
