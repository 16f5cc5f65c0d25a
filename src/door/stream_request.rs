//! What a request to subscribe asks for, and how.

use super::answer::Denial;
use super::events::Format;
use super::request::Head;
use super::since::{Filter, Since};
use super::topics::Topic;
use super::who::{self, Login};
use super::{HttpConnection, file_link, websocket};

/// What a request to subscribe asks for.
pub struct StreamRequest {
    pub topics: Box<[Topic]>,
    /// The topics, as they were asked for.
    pub names: Box<str>,
    /// What the addresses of files begin with.
    pub base: Box<str>,
    pub login: Login,
    pub since: Since,
    /// `None`: everything is wanted.
    pub filter: Option<Box<Filter>>,
    pub format: Format,
    pub is_poll: bool,
    pub is_chunked: bool,
    /// The header lines that accept a WebSocket.
    pub accepted: Option<String>,
}

impl StreamRequest {
    /// # Errors
    /// It is invalid, or shows no credentials that could be right.
    pub(super) async fn of(
        on: &mut HttpConnection,
        head: &Head,
        names: &str,
        format: Format,
    ) -> Result<StreamRequest, Denial> {
        let topics = Topic::list(names)?;
        let may_be_asked = matches!(format, Format::Sse | Format::WebSocket);
        let login = who::login(head, may_be_asked, on).await?;
        let accepted = match format {
            Format::WebSocket => Some(websocket::accept(head)?),
            _ => None,
        };
        let is_poll = head.flag(&["x-poll", "poll", "po"]);
        let filter = Filter::of(head)?;
        Ok(StreamRequest {
            topics: topics.into(),
            names: names.into(),
            base: file_link::base(head, on.stream.is_tls()).into(),
            login,
            since: Since::of(head, is_poll, on.now())?,
            filter: (!filter.is_empty()).then(|| Box::new(filter)),
            format,
            is_poll,
            is_chunked: head.is_modern,
            accepted,
        })
    }
}
