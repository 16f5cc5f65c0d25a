//! What a subscriber is sent, in its four forms.

use super::answer::object;
use super::attachment::Attachment;
use super::commands::written_id;
use super::websocket::{self, Opcode};
use crate::entry::{EntryId, Millis};

/// The form of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Json,
    Sse,
    Raw,
    WebSocket,
}

impl Format {
    /// The form that the last part of a path names.
    pub fn of(part: &str) -> Option<Format> {
        Some(match part {
            "json" => Format::Json,
            "sse" => Format::Sse,
            "raw" => Format::Raw,
            "ws" => Format::WebSocket,
            _ => return None,
        })
    }

    /// The type of the stream.
    pub fn kind(self) -> &'static str {
        match self {
            Format::Json | Format::WebSocket => "application/x-ndjson; charset=utf-8",
            Format::Sse => "text/event-stream; charset=utf-8",
            Format::Raw => "text/plain; charset=utf-8",
        }
    }
}

/// One event.
pub struct Event {
    name: &'static str,
    json: String,
    /// The text of a message; empty for others.
    text: String,
}

/// A message on its way out.
pub struct ShownMessage<'a> {
    pub id: EntryId,
    pub time: Millis,
    pub topic: &'a str,
    pub title: &'a str,
    pub text: &'a str,
    /// 1 to 5
    pub priority: u8,
    /// The message whose new text this is, if it is not a message itself.
    pub sequence: Option<EntryId>,
    /// When it will be deleted, if ever.
    pub expires: Option<Millis>,
    /// The file that it is.
    pub attachment: Option<&'a Attachment>,
}

fn seconds(time: Millis) -> i64 {
    time.0.div_euclid(1_000)
}

impl Event {
    pub fn message(shown: &ShownMessage) -> Event {
        let mut fields =
            vec![("id", written_id(shown.id).into()), ("time", seconds(shown.time).into())];
        fields.extend(shown.expires.map(|time| ("expires", seconds(time).into())));
        fields.extend([("event", "message".into()), ("topic", shown.topic.into())]);
        fields.extend(shown.sequence.map(|id| ("sequence_id", written_id(id).into())));
        fields.extend([("title", shown.title.into()), ("message", shown.text.into())]);
        if shown.priority != 3 {
            fields.push(("priority", shown.priority.into()));
        }
        fields.extend(shown.attachment.map(|attachment| ("attachment", attachment.json())));
        Event { name: "message", json: object(fields), text: shown.text.to_owned() }
    }

    /// `open` or `keepalive`. `upto`: everything up to there has been sent.
    pub fn sign(name: &'static str, upto: EntryId, time: Millis, topics: &str) -> Event {
        let fields = [
            ("id", written_id(upto).into()),
            ("time", seconds(time).into()),
            ("event", name.into()),
            ("topic", topics.into()),
        ];
        Event { name, json: object(fields), text: String::new() }
    }

    /// A message was read on another device: its notice goes.
    pub fn clear(upto: EntryId, time: Millis, topic: &str, cleared: &str) -> Event {
        Event::about("message_clear", &written_id(upto), time, topic, cleared)
    }

    /// A message was deleted.
    pub fn delete(id: &str, time: Millis, topic: &str, deleted: &str) -> Event {
        Event::about("message_delete", id, time, topic, deleted)
    }

    fn about(name: &'static str, id: &str, time: Millis, topic: &str, sequence: &str) -> Event {
        let fields = [
            ("id", id.into()),
            ("time", seconds(time).into()),
            ("event", name.into()),
            ("topic", topic.into()),
            ("sequence_id", sequence.into()),
        ];
        Event { name, json: object(fields), text: String::new() }
    }

    pub fn json(&self) -> &str {
        &self.json
    }

    /// The bytes of the event; in a stream, of its chunk, unless the peer knows none.
    pub fn bytes(&self, format: Format, is_chunked: bool) -> Vec<u8> {
        let text = match format {
            Format::WebSocket => return websocket::frame(Opcode::Text, self.json.as_bytes()),
            Format::Json => format!("{}\n", self.json),
            Format::Sse if self.name == "message" => format!("data: {}\n\n", self.json),
            Format::Sse => format!("event: {}\ndata: {}\n\n", self.name, self.json),
            Format::Raw => format!("{}\n", self.text.replace('\n', " ")),
        };
        if is_chunked {
            format!("{:x}\r\n{text}\r\n", text.len()).into_bytes()
        } else {
            text.into_bytes()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_have_their_forms() {
        let shown = ShownMessage {
            id: EntryId(17),
            time: Millis(1_795_873_373_999),
            topic: "bob",
            title: "cron",
            text: "a\n\"b\"",
            priority: 4,
            sequence: None,
            expires: Some(Millis(1_795_873_374_000)),
            attachment: None,
        };
        let message = Event::message(&shown);
        let json = r#"{"id":"000000000017","time":1795873373,"expires":1795873374,"event":"message","topic":"bob","title":"cron","message":"a\n\"b\"","priority":4}"#;
        assert_eq!(message.json(), json);
        let said = |event: &Event, format| String::from_utf8(event.bytes(format, false)).unwrap();
        assert_eq!(said(&message, Format::Sse), format!("data: {json}\n\n"));
        assert_eq!(said(&message, Format::Raw), "a \"b\"\n");
        let usual = Event::message(&ShownMessage { priority: 3, expires: None, ..shown });
        assert!(!usual.json().contains("priority") && !usual.json().contains("expires"));
        let link = Some(("http://h/file/x".to_owned(), Millis(7_000)));
        let attachment = Attachment { name: "a.png".into(), bytes: 3, link };
        let file = Event::message(&ShownMessage { attachment: Some(&attachment), ..shown });
        let json = r#","priority":4,"attachment":{"expires":7,"name":"a.png","size":3,"type":"image/png","url":"http://h/file/x"}}"#;
        assert!(file.json().ends_with(json), "{}", file.json());
        let open = Event::sign("open", EntryId(11), Millis(5_000), "bob,_ops");
        let json = r#"{"id":"000000000011","time":5,"event":"open","topic":"bob,_ops"}"#;
        assert_eq!(said(&open, Format::Json), format!("{json}\n"));
        assert_eq!(said(&open, Format::Sse), format!("event: open\ndata: {json}\n\n"));
        assert_eq!(open.bytes(Format::Raw, true), b"1\r\n\n\r\n");
        let clear = Event::clear(EntryId(20), Millis(6_000), "bob", &written_id(EntryId(17)));
        let json = r#"{"id":"000000000020","time":6,"event":"message_clear","topic":"bob","sequence_id":"000000000017"}"#;
        assert_eq!(clear.json(), json);
        let changed = Event::message(&ShownMessage { sequence: Some(EntryId(9)), ..shown });
        assert!(changed.json().contains(r#""topic":"bob","sequence_id":"000000000009","title""#));
        let deleted = Event::delete("at-3", Millis(6_000), "bob", "at-3");
        let json =
            r#"{"id":"at-3","time":6,"event":"message_delete","topic":"bob","sequence_id":"at-3"}"#;
        assert_eq!(deleted.json(), json);
    }
}
