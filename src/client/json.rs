//! Writes JSON, one object per line. Reads none.

use std::fmt;

use crate::entry::{EntryKind, Millis};
use crate::wire::columns::written_time;
use crate::wire::rows::EntryLine;

/// An object being written.
pub struct Object(String);

impl Object {
    pub fn new() -> Object {
        Object(String::from("{"))
    }

    /// Adds a string.
    pub fn text(mut self, key: &str, value: &str) -> Object {
        self.key(key);
        string(value, &mut self.0);
        self
    }

    /// Adds a string, or `null` for the protocol's `-`.
    pub fn text_or_null(self, key: &str, value: Option<&str>) -> Object {
        match value {
            Some(value) => self.text(key, value),
            None => self.bare(key, "null"),
        }
    }

    pub fn time(self, key: &str, value: Millis) -> Object {
        self.text(key, &written_time(value))
    }

    /// Adds a time, or `null` for the protocol's `-`.
    pub fn time_or_null(self, key: &str, value: Option<Millis>) -> Object {
        self.text_or_null(key, value.map(written_time).as_deref())
    }

    /// Adds a value that is JSON already: a number, `true`, another object.
    pub fn bare(mut self, key: &str, value: impl fmt::Display) -> Object {
        self.key(key);
        self.0.push_str(&value.to_string());
        self
    }

    /// The finished object.
    pub fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }

    fn key(&mut self, key: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        string(key, &mut self.0);
        self.0.push(':');
    }
}

impl Default for Object {
    fn default() -> Object {
        Object::new()
    }
}

/// An entry: `{"id":17,"time":"…","from":"…","to":"…","tags":{},"body":"…"}`, with `"event"` in
/// front if one is given. There is no body, `null`, where a message was deleted, a reaction taken back,
/// or `EXPIRE` ended.
pub fn entry(line: &EntryLine, event: Option<&str>) -> String {
    let entry = &line.entry;
    let is_taken_back = entry.kind == EntryKind::React && &*entry.body == "-";
    let is_unset = entry.kind == EntryKind::Expire && &*entry.body == "-";
    let is_gone = entry.is_gone() || entry.kind == EntryKind::Del || is_taken_back || is_unset;
    let body = Some(&*entry.body).filter(|_| !is_gone);
    let object = Object::new();
    let object = match event {
        Some(event) => object.text("event", event),
        None => object,
    };
    object
        .bare("id", entry.id.number())
        .time("time", entry.time)
        .text("from", entry.from.as_str())
        .text("to", &entry.to.to_string())
        .bare("tags", tags(line))
        .text_or_null("body", body)
        .end()
}

/// The tags: ids, counts and seconds as numbers, `at` as a list, `react` as the count of each word, all others
/// as strings.
fn tags(line: &EntryLine) -> String {
    let known = line.entry.tags.as_deref();
    line.tags()
        .into_iter()
        .fold(Object::new(), |tags, (key, value)| match (&*key, known) {
            ("re" | "edit" | "del" | "file" | "fwd" | "late" | "exp", _) => {
                match value.parse::<u64>() {
                    Ok(number) => tags.bare(&key, number.to_string()),
                    Err(_) => tags.text(&key, &value),
                }
            }
            ("at", Some(known)) if !known.calls.is_empty() => {
                let mut list = String::from("[");
                for (n, called) in value.split('/').enumerate() {
                    list.push_str(if n > 0 { "," } else { "" });
                    string(called, &mut list);
                }
                tags.bare(&key, list + "]")
            }
            ("react", Some(known)) if !known.react.is_empty() => {
                let counts = known.react.iter();
                let counts = counts.fold(Object::new(), |all, (count, word)| all.bare(word, count));
                tags.bare(&key, counts.end())
            }
            _ => tags.text(&key, &value),
        })
        .end()
}

fn string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_entry_is_the_object_that_is_promised() {
        let line = r"MSG 17 2026-01-01T00:00:00.000Z ana bob a=1,b=2 say \\no\nto drugs";
        let parsed = EntryLine::parse(line).unwrap();
        let written = entry(&parsed, None);
        let start = r#"{"id":17,"time":"2026-01-01T00:00:00.000Z","from":"ana","to":"bob","#;
        assert_eq!(
            written,
            format!("{start}{}", r#""tags":{"a":"1","b":"2"},"body":"say \\no\nto drugs"}"#)
        );
    }

    #[test]
    fn tags_are_numbers_lists_and_counts() {
        let tags = |line: &str| {
            let entry = entry(&EntryLine::parse(line).unwrap(), None);
            let read: serde_json::Value = serde_json::from_str(&entry).unwrap();
            (read["tags"].clone(), read["body"].clone())
        };
        let at = "2026-01-01T00:00:00.000Z";
        let all = "re=1,edit=4,fwd=2,at=@all/bob,late=7,react=3*2/1*\"x,mine=2";
        let expected = serde_json::json!({
            "re": 1, "edit": 4, "fwd": 2, "at": ["@all", "bob"], "late": 7,
            "react": {"2": 3, "\"x": 1}, "mine": "2",
        });
        assert_eq!(tags(&format!("HIST 17 {at} ana #team {all} hi")), (expected, "hi".into()));
        let null = serde_json::Value::Null;
        let gone = serde_json::json!({"kind": "gone", "del": 9});
        assert_eq!(tags(&format!("HIST 1 {at} ana bob kind=gone,del=9 -")), (gone, null.clone()));
        let about = serde_json::json!({"re": 1});
        for verb in ["DEL", "REACT"] {
            assert_eq!(
                tags(&format!("{verb} 2 {at} ana bob re=1 -")),
                (about.clone(), null.clone())
            );
        }
        assert_eq!(tags(&format!("REACT 2 {at} ana bob re=1 ok")), (about, "ok".into()));
        assert_eq!(
            tags(&format!("HIST 2 {at} ana bob kind=expire -")),
            (serde_json::json!({"kind": "expire"}), null)
        );
        // What is not of the form that is known stays what it was.
        let odd = serde_json::json!({"re": "x", "at": "a", "react": "2", "exp": 6});
        let line = format!("MSG 2 {at} ana bob re=x,at=a,react=2,exp=6 -");
        assert_eq!(tags(&line), (odd, "-".into()));
    }

    proptest! {
        #[test]
        fn another_program_reads_what_was_written(key in ".*", value in "(?s).*") {
            let written = Object::new().text(&key, &value).bare("x", "1").end();
            prop_assert!(!written.contains('\n'));
            let read: serde_json::Value = serde_json::from_str(&written).unwrap();
            if key != "x" {
                prop_assert_eq!(read[&key].as_str(), Some(value.as_str()));
            }
        }
    }
}
