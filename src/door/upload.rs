//! A body that becomes a file: it is put a part at a time, as it comes.

use sha2::{Digest, Sha256};

use super::account_link::AccountLink;
use super::answer::Response;
use super::attachment::{Attachment, file_name, usual_name};
use super::body::{Body, BodyFill};
use super::commands::{self, written_id};
use super::link::Link;
use super::notice::Notice;
use super::publish::{self, Params, PublishOptions};
use super::request::{Framing, Head, too_large};
use super::topics::Topic;
use super::{Fault, HttpConnection, file_link};
use crate::limits;
use crate::live_limits::Limit;

/// What the body of a publication was.
pub(super) enum Received {
    /// The text, or something that is no text and may be no file.
    Text(Vec<u8>),
    /// It was put, and is to be sent under this name.
    File { name: String },
}

/// A file to be sent.
pub(super) struct FileUpload<'a> {
    pub name: String,
    /// What is said about it, in a message before it.
    pub caption: Option<Notice>,
    pub head: &'a Head,
}

/// Whether it may be the beginning of a text.
fn is_text(bytes: &[u8]) -> bool {
    let is_utf8 = |bytes| str::from_utf8(bytes).map_or_else(|e| e.error_len().is_none(), |_| true);
    !bytes.contains(&0) && is_utf8(bytes)
}

impl HttpConnection {
    /// Reads the body. It is a file if it has a name or is not UTF-8.
    pub(super) async fn receive(
        &mut self,
        link: &mut Link,
        params: &Params<'_>,
        order: &PublishOptions<'_>,
    ) -> Result<Received, Fault> {
        let may_be_file = order.due.is_none() && order.sequence.is_none();
        let name = params.file_name()?.filter(|_| may_be_file).map(|name| file_name(&name));
        let most = match self.shared.services.limits.get(Limit::File) {
            0 => usize::MAX,
            most => usize::try_from(most).unwrap_or(usize::MAX),
        };
        let is_long = match params.head.framing {
            Framing::Length(length) => length > limits::HTTP_BODY,
            Framing::Chunked => false,
        };
        let is_sure = name.is_some() || is_long;
        let room = if may_be_file && is_sure { most } else { limits::HTTP_BODY };
        let mut body = Body::new(params.head, &mut self.stream, room)?;
        let mut first = Vec::new();
        if is_sure {
            if name.is_none() && is_text(body.peek(limits::HTTP_PEEK).await?) {
                return Err(too_large(limits::HTTP_BODY).into());
            }
            let filled = body.fill(&mut first, limits::FILE_ROW).await?;
            if filled == BodyFill::TooLarge {
                return Err(too_large(room).into());
            }
            if first.is_empty() {
                return Ok(Received::Text(first));
            }
            let name = name.unwrap_or_else(|| usual_name(&first));
            put(link, &mut body, first, filled, most).await?;
            return Ok(Received::File { name });
        }
        let filled = body.fill(&mut first, limits::HTTP_BODY).await?;
        if filled == BodyFill::End && (str::from_utf8(&first).is_ok() || !may_be_file) {
            return Ok(Received::Text(first));
        }
        if filled == BodyFill::TooLarge {
            if !may_be_file || is_text(&first) {
                return Err(too_large(limits::HTTP_BODY).into());
            }
            body.extend(most.saturating_sub(limits::HTTP_BODY));
        }
        let name = usual_name(&first);
        put(link, &mut body, first, filled, most).await?;
        Ok(Received::File { name })
    }

    /// Sends what was put, and answers.
    pub(super) async fn say_file(
        &mut self,
        account: &mut AccountLink,
        topic: &Topic,
        file: &FileUpload<'_>,
        order: &PublishOptions<'_>,
    ) -> Result<Response, Fault> {
        let AccountLink { link, handle: me, .. } = account;
        let (target, FileUpload { name, caption, head }) = (topic.target()?, file);
        if let Some(caption) = caption {
            let key = order.key.map(caption_key);
            commands::say(link, target, &caption.text(), key.as_deref()).await?;
        }
        let (sent, bytes) = commands::send_file(link, target, name, order.key).await?;
        if let Some(wait) = &order.wait {
            link.send(format!("WAIT {} {wait}\n", sent.id.0).as_bytes()).await?;
            self.reply_while_there(link).await?;
        }
        let base = file_link::base(head, self.stream.is_tls());
        let link = self.file_link(&base, me, (sent.id, name), sent.time).await?;
        let attachment = Attachment { name: name.as_str().into(), bytes, link: Some(link) };
        let notice = Notice { message: name.clone(), ..Notice::default() };
        let notice = caption.as_ref().unwrap_or(&notice);
        let id = written_id(sent.id);
        Ok(publish::published(&id, sent.time, None, topic, notice, Some(&attachment)))
    }
}

/// Puts a body whose beginning has been read.
async fn put(
    link: &mut Link,
    body: &mut Body<'_>,
    mut bytes: Vec<u8>,
    mut filled: BodyFill,
    most: usize,
) -> Result<(), Fault> {
    loop {
        for part in bytes.chunks(limits::FILE_ROW) {
            commands::put(link, part).await?;
        }
        bytes.clear();
        if filled == BodyFill::End {
            return Ok(());
        }
        filled = body.fill(&mut bytes, limits::FILE_ROW).await?;
        if filled == BodyFill::TooLarge {
            return Err(too_large(most).into());
        }
    }
}

/// The key under which the message before a file is sent once, if the file is.
fn caption_key(key: &str) -> String {
    let mut out = String::from("caption-");
    for byte in &Sha256::digest(key)[..16] {
        out.push_str(&format!("{byte:02x}"));
    }
    out
}
