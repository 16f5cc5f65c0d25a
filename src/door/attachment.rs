//! Files as attachments: how one is named and what programs are told about it.

use serde_json::{Map, Value};

use crate::entry::Millis;
use crate::limits;
use crate::name::is_spoofing;

/// What is said about a file.
pub struct Attachment {
    pub name: Box<str>,
    pub bytes: u64,
    /// Where it can be fetched without a login, and until when.
    pub link: Option<(String, Millis)>,
}

impl Attachment {
    /// In the form of ntfy.
    pub fn json(&self) -> Value {
        let mut fields = Map::new();
        fields.insert("name".into(), (&*self.name).into());
        fields.insert("type".into(), kind(&self.name).into());
        fields.insert("size".into(), self.bytes.into());
        if let Some((url, expires)) = &self.link {
            fields.insert("expires".into(), expires.0.div_euclid(1_000).into());
            fields.insert("url".into(), url.as_str().into());
        }
        Value::Object(fields)
    }
}

/// Types by the ends of names. Nothing here can run anything in a browser; everything else is bytes.
const KINDS: [(&str, &str); 22] = [
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("png", "image/png"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
    ("avif", "image/avif"),
    ("mp3", "audio/mpeg"),
    ("ogg", "audio/ogg"),
    ("opus", "audio/ogg"),
    ("flac", "audio/flac"),
    ("wav", "audio/wav"),
    ("m4a", "audio/mp4"),
    ("mp4", "video/mp4"),
    ("webm", "video/webm"),
    ("mov", "video/quicktime"),
    ("pdf", "application/pdf"),
    ("zip", "application/zip"),
    ("gz", "application/gzip"),
    ("json", "application/json"),
    ("csv", "text/plain; charset=utf-8"),
    ("txt", "text/plain; charset=utf-8"),
    ("log", "text/plain; charset=utf-8"),
];

/// The type of a file, by its name.
pub fn kind(name: &str) -> &'static str {
    let end = name.rsplit_once('.').map_or("", |(_, end)| end);
    let known = KINDS.iter().find(|(known, _)| end.eq_ignore_ascii_case(known));
    known.map_or("application/octet-stream", |(_, kind)| kind)
}

/// Beginnings of files whose senders gave no name, and the ends of theirs.
const BEGINNINGS: [(&[u8], &str); 8] = [
    (b"\xff\xd8\xff", "jpg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF8", "gif"),
    (b"%PDF-", "pdf"),
    (b"PK\x03\x04", "zip"),
    (b"\x1f\x8b", "gz"),
    (b"OggS", "ogg"),
    (b"ID3", "mp3"),
];

/// The name for a file without one, as ntfy's: by what it begins with.
pub fn usual_name(content: &[u8]) -> String {
    let known = BEGINNINGS.iter().find(|(begin, _)| content.starts_with(begin));
    let is_webp = content.get(..4) == Some(b"RIFF") && content.get(8..12) == Some(b"WEBP");
    let end = if is_webp { "webp" } else { known.map_or("bin", |(_, end)| end) };
    format!("attachment.{end}")
}

/// A name that papo takes for a file, made of one that a program gave: the last part of a path,
/// without what may not be seen, and not too long.
pub fn file_name(said: &str) -> String {
    let base = said.rsplit(['/', '\\']).next().unwrap_or_default();
    let seen: String = base.chars().filter(|c| !is_spoofing(*c)).collect();
    let name = seen.trim().trim_start_matches(['.', '-', ' ']);
    if name.is_empty() { "attachment".to_owned() } else { shortened(name).trim_end().to_owned() }
}

/// The same with at most [`limits::FILE_NAME_MAX`] bytes; the end that says what it is stays.
fn shortened(name: &str) -> String {
    if name.len() <= limits::FILE_NAME_MAX {
        return name.to_owned();
    }
    let (stem, end) = match name.rsplit_once('.') {
        Some((stem, end)) if end.len() <= 16 => (stem, format!(".{end}")),
        _ => (name, String::new()),
    };
    let room = limits::FILE_NAME_MAX - end.len();
    let ends = stem.char_indices().map(|(at, c)| at + c.len_utf8());
    let at = ends.take_while(|end| *end <= room).last().unwrap_or(0);
    format!("{}{end}", &stem[..at])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::name::FileName;

    proptest! {
        #[test]
        fn any_name_becomes_one(said in "(?s)(.|[./\\\\\u{202e}\n -]){0,300}") {
            let name = file_name(&said);
            prop_assert!(FileName::new(&name).is_ok() && name.trim() == name);
            prop_assert_eq!(file_name(&name), name);
        }
    }

    #[test]
    fn names_lead_nowhere_and_keep_what_they_end_with() {
        for (said, expected) in [
            ("holiday photo.jpg", "holiday photo.jpg"),
            ("../../etc/passwd", "passwd"),
            ("C:\\x\\a.txt", "a.txt"),
            ("-rf", "rf"),
            ("..", "attachment"),
            ("", "attachment"),
            ("a\u{202e}gpj.exe\n", "agpj.exe"),
        ] {
            assert_eq!(file_name(said), expected, "{said:?}");
        }
        let long = file_name(&format!("{}.jpeg", "é".repeat(200)));
        assert!(long.len() >= 254 && long.ends_with("é.jpeg"));
        assert_eq!(file_name(&"x".repeat(300)).len(), 255);
    }

    #[test]
    fn nothing_that_a_browser_runs_has_a_type() {
        assert_eq!(kind("a.JPG"), "image/jpeg");
        for name in ["a.html", "a.svg", "a.js", "a.xml", "a", "a.", ".html"] {
            assert_eq!(kind(name), "application/octet-stream", "{name}");
        }
        assert_eq!(usual_name(b"\xff\xd8\xff\xe0"), "attachment.jpg");
        assert_eq!(usual_name(b"RIFF\0\0\0\0WEBPVP8 "), "attachment.webp");
        assert_eq!(usual_name(b"\xff"), "attachment.bin");
    }
}
