//! Publishing: what the request says becomes one `MSG`.

use serde_json::Value;

use super::answer::{Denial, Response, object};
use super::attachment::Attachment;
use super::notice::{Notice, parse_priority};
use super::request::Head;
use super::sequence::Sequence;
use super::topics::Topic;
use super::{actions, delay, json};
use crate::entry::Millis;
use crate::limits;

/// The parameters of a publication: JSON first, if there is any, then header lines and the query.
pub struct Params<'a> {
    pub head: &'a Head,
    pub json: Option<&'a Value>,
}

impl Params<'_> {
    /// What JSON has under a key.
    fn field(&self, key: &str) -> Option<&Value> {
        json::field(self.json?, key)
    }

    /// A text under its name in JSON, or one of its other names.
    fn text(&self, key: &str, names: &[&str]) -> Result<Option<String>, Denial> {
        match self.field(key) {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) if text.is_empty() => {}
            Some(Value::String(text)) => return Ok(Some(text.clone())),
            Some(_) => {
                return Err(Denial::new(40024, format!("invalid JSON: {key} is not a text")));
            }
        }
        Ok(self.head.param(names))
    }

    fn priority(&self) -> Result<Option<u8>, Denial> {
        if let Some(priority) = self.field("priority") {
            match priority.as_u64() {
                Some(0) => {}
                Some(number) => return parse_priority(&number.to_string()).map(Some),
                None if priority.is_null() => {}
                None => return parse_priority("").map(Some),
            }
        }
        let said = self.head.param(&["x-priority", "priority", "prio", "p"]);
        said.map(|said| parse_priority(&said)).transpose()
    }

    fn tags(&self) -> Result<Vec<String>, Denial> {
        let invalid = || Denial::new(40024, "invalid JSON: tags are a list of texts");
        let said = match self.field("tags") {
            None | Some(Value::Null) => None,
            Some(Value::Array(tags)) => {
                let tags = tags.iter().map(|tag| tag.as_str().ok_or_else(invalid));
                Some(tags.collect::<Result<Vec<_>, _>>()?.join(","))
            }
            Some(_) => return Err(invalid()),
        };
        let said = said.or_else(|| self.head.param(&["x-tags", "tags", "tag", "ta"]));
        let tags = said.unwrap_or_default();
        let tags = tags.split(',').map(str::trim).filter(|tag| !tag.is_empty());
        Ok(tags.map(str::to_owned).collect())
    }

    fn views(&self) -> Result<Vec<(String, String)>, Denial> {
        match self.field("actions") {
            None | Some(Value::Null) => {
                let said = self.head.param(&["x-actions", "actions", "action"]);
                said.map_or(Ok(Vec::new()), |said| actions::parse(&said))
            }
            Some(said) => actions::of_json(said),
        }
    }

    /// Refuses what cannot be done, so that nobody takes it for done.
    fn refuse_the_rest(&self) -> Result<(), Denial> {
        let has = |key, names: &[&str]| self.text(key, names).map(|said| said.is_some());
        if has("email", &["x-email", "x-e-mail", "email", "e-mail", "mail", "e"])? {
            return Err(Denial::new(40001, "e-mail notifications are not supported"));
        }
        if has("call", &["x-call", "call"])? {
            return Err(Denial::new(40032, "phone calls are not supported"));
        }
        Ok(())
    }

    /// How the notice should be said. `of_path`: the sequence id in the address.
    ///
    /// # Errors
    /// A parameter is invalid, or two of them exclude each other.
    pub fn order(&self, of_path: Option<&str>, now: Millis) -> Result<PublishOptions<'_>, Denial> {
        let sequence = match of_path {
            Some(sequence) => Some(sequence.to_owned()),
            None => self.text("sequence_id", &["x-sequence-id", "sequence-id", "sid"])?,
        };
        let sequence = sequence.map(|said| Sequence::new(&said)).transpose()?;
        if sequence.as_ref().is_some_and(|sequence| sequence.later().is_some()) {
            let text = "invalid sequence id: at- and a number is the id of a delayed message";
            return Err(Denial::new(40049, text));
        }
        let due = self.text("delay", &["x-delay", "delay", "x-at", "at", "x-in", "in"])?;
        let due = due.map(|said| delay::parse(&said, now)).transpose()?;
        let wait = wait(self.head)?;
        if due.is_some() && (wait.is_some() || sequence.is_some()) {
            let text = "invalid delay: such a message has no sequence id and nothing to wait for";
            return Err(Denial::new(40004, text));
        }
        // A change of a message is read, but not answered.
        if sequence.is_some() && wait.as_ref().is_some_and(|wait| wait.starts_with("answered")) {
            return Err(Denial::bad("with a sequence id, wait is delivered or read"));
        }
        Ok(PublishOptions { key: key(self.head)?, wait, due, sequence })
    }

    /// The name of the file that the body is.
    ///
    /// # Errors
    /// It is no text.
    pub fn file_name(&self) -> Result<Option<String>, Denial> {
        self.text("filename", &["x-filename", "filename", "file", "f"])
    }

    /// The notice that comes with a file, if anything is said about it.
    ///
    /// # Errors
    /// As for [`Params::notice`].
    pub fn caption(&self, name: &str) -> Result<Option<Notice>, Denial> {
        let mut said = self.said(b"", None)?;
        if said.message.trim().is_empty() {
            if said.text().trim().is_empty() {
                return Ok(None);
            }
            said.message = name.to_owned();
        }
        Ok(Some(said.cleaned()))
    }

    /// The notice, of which `body` is the text if it has any.
    ///
    /// # Errors
    /// A parameter is invalid, or asks for what cannot be done.
    pub fn notice(&self, body: &[u8]) -> Result<Notice, Denial> {
        Ok(self.said(body, self.file_name()?)?.cleaned())
    }

    fn said(&self, body: &[u8], name: Option<String>) -> Result<Notice, Denial> {
        self.refuse_the_rest()?;
        let Ok(body) = str::from_utf8(body) else {
            return Err(Denial::no_attachment());
        };
        let mut title = self.text("title", &["x-title", "title", "t"])?.unwrap_or_default();
        let message = self.text("message", &["x-message", "message", "m"])?.unwrap_or_default();
        // A header line cannot have a line break.
        let message = if self.json.is_some() { message } else { message.replace("\\n", "\n") };
        let mut message = if body.trim().is_empty() { message } else { body.to_owned() };
        match name {
            Some(name) if title.is_empty() => title = name,
            Some(name) => message = format!("{name}\n{message}"),
            None => {}
        }
        Ok(Notice {
            title,
            message,
            priority: self.priority()?,
            tags: self.tags()?,
            click: self.text("click", &["x-click", "click"])?.unwrap_or_default(),
            attach: self.text("attach", &["x-attach", "attach", "a"])?.unwrap_or_default(),
            views: self.views()?,
        })
    }
}

/// How a notice should be said.
pub struct PublishOptions<'a> {
    /// Under this key of a `ONCE`.
    pub key: Option<&'a str>,
    /// Until when the answer waits, with the words of a `WAIT` behind its id.
    pub wait: Option<String>,
    /// Not before this time, which is one of an `AT`.
    pub due: Option<String>,
    /// As this message.
    pub sequence: Option<Sequence>,
}

impl PublishOptions<'_> {
    /// Refuses what a hook may not do: its token is for `MSG` only.
    ///
    /// # Errors
    /// It asks for such a thing.
    pub fn must_be_plain(&self) -> Result<(), Denial> {
        if self.due.is_some() || self.sequence.is_some() || self.wait.is_some() {
            return Err(Denial::new(40301, "not-allowed: a hook only says something now"));
        }
        Ok(())
    }
}

/// `Idempotency-Key`
///
/// # Errors
/// It is not a key.
pub fn key(head: &Head) -> Result<Option<&str>, Denial> {
    let Some(key) = head.header("idempotency-key") else { return Ok(None) };
    let key = key.trim_matches('"');
    let is_key = (1..=limits::KEY_MAX).contains(&key.chars().count())
        && !key.contains(|c: char| c.is_whitespace() || c.is_control());
    if is_key {
        return Ok(Some(key));
    }
    Err(Denial::bad("an Idempotency-Key has 1 to 64 characters without blanks"))
}

/// What `?wait=` asks for, as the words of a `WAIT` behind its id.
///
/// # Errors
/// It is invalid.
pub fn wait(head: &Head) -> Result<Option<String>, Denial> {
    let Some(state) = head.query("wait") else { return Ok(None) };
    let seconds = match head.query("timeout") {
        None => Some(limits::HTTP_WAIT),
        Some(said) => {
            let is_number = said.bytes().all(|b| b.is_ascii_digit());
            said.parse().ok().filter(|n| is_number && (1..=limits::WAIT_MAX).contains(n))
        }
    };
    match (state.to_ascii_lowercase().as_str(), seconds) {
        (state @ ("delivered" | "read" | "answered"), Some(seconds)) => {
            Ok(Some(format!("{state} {seconds}")))
        }
        _ => Err(Denial::bad("wait is delivered, read or answered, timeout 1 to 86400 seconds")),
    }
}

/// The answer to a publication: what was understood of it. `sequence`: the sequence id that it was
/// given.
pub fn published(
    id: &str,
    time: Millis,
    sequence: Option<&Sequence>,
    topic: &Topic,
    notice: &Notice,
    attachment: Option<&Attachment>,
) -> Response {
    let mut fields = vec![
        ("id", id.into()),
        ("time", time.0.div_euclid(1_000).into()),
        ("event", "message".into()),
        ("topic", (&*topic.spelled).into()),
    ];
    fields.extend(sequence.map(|sequence| ("sequence_id", sequence.spelled.as_str().into())));
    if !notice.title.is_empty() {
        fields.push(("title", notice.title.as_str().into()));
    }
    fields.push(("message", notice.message.as_str().into()));
    if let Some(priority) = notice.priority.filter(|priority| *priority != 3) {
        fields.push(("priority", priority.into()));
    }
    if !notice.tags.is_empty() {
        fields.push(("tags", notice.tags.clone().into()));
    }
    if !notice.click.is_empty() {
        fields.push(("click", notice.click.as_str().into()));
    }
    fields.extend(attachment.map(|attachment| ("attachment", attachment.json())));
    Response::json(&object(fields))
}
