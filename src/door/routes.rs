//! What is where: the paths of ntfy's API, and what carries them out.

use super::account_link::AccountLink;
use super::answer::{Denial, Response, TEXT, object};
use super::commands::{self, Scheduled, written_id};
use super::events::{Event, Format};
use super::link::Link;
use super::notice::{Notice, cut};
use super::publish::{self, Params, PublishOptions};
use super::request::{Framing, Head};
use super::sequence::{self, Sequence};
use super::stream_request::StreamRequest;
use super::topics::{self, Scope, Topic};
use super::upload::{FileUpload, Received};
use super::who;
use super::{Fault, HttpConnection, Outcome, body, download, form, json, shapes, subscribe};
use crate::limits;
use crate::wire::columns::written_time;
use crate::wire::reply::Reply;

/// What `GET /` says.
const ABOUT: &str = "papo: curl -u HANDLE:TOKEN -d TEXT THIS-ADDRESS/HANDLE says something, \
                     curl -su HANDLE:TOKEN THIS-ADDRESS/HANDLE/json shows what is said\n";

/// Carries out a request.
pub(super) async fn carry_out(on: &mut HttpConnection, head: &Head) -> Result<Outcome, Fault> {
    let parts: Vec<&str> = head.path.iter().map(|part| &**part).collect();
    let parts = match &parts[..] {
        [before @ .., ""] if !before.is_empty() => before,
        all => all,
    };
    // Of what is answered whole, the head alone may be asked for.
    let method = match (&*head.method, parts) {
        ("HEAD", [""] | ["v1" | "file", ..]) => "GET",
        (method, _) => method,
    };
    if method == "OPTIONS" {
        return on.plain(head, Response::preflight()).await;
    }
    let publishes = matches!(parts, [_, "publish" | "send" | "trigger"]);
    if head.is_ambient() && (method != "GET" || publishes) {
        return Err(Denial::new(40301, "forbidden: a page of another site may not do this").into());
    }
    let writes = matches!(method, "PUT" | "POST");
    match (method, parts) {
        ("GET", [""]) => on.plain(head, Response::new(200, TEXT, ABOUT)).await,
        ("GET", ["v1", "health"]) => {
            on.plain(head, Response::json(&object([("healthy", true.into())]))).await
        }
        ("GET", ["v1", "stats"]) => {
            let zeros = [("messages", 0.into()), ("messages_rate", 0.0.into())];
            on.plain(head, Response::json(&object(zeros))).await
        }
        ("GET", ["v1", "account"]) => on.account(head).await,
        ("POST", ["v1", "account", "token"]) => on.new_token(head).await,
        ("POST" | "PUT", ["hook" | "hooks", token, ..]) => on.hook(head, token, Shape::Any).await,
        ("POST" | "PUT", ["message"]) => {
            let key = head.query("token").or(head.header("x-gotify-key")).unwrap_or_default();
            on.hook(head, key, Shape::Gotify).await
        }
        ("GET", ["file", id]) => download::run(on, head, id, "").await,
        ("GET", ["file", id, name]) => download::run(on, head, id, name).await,
        (_, [first, ..]) if topics::is_reserved(first) => Err(Denial::not_found().into()),
        (_, [""]) if writes => on.publish_json(head).await,
        (_, [token])
            if writes && head.header("authorization").is_none() && who::is_token(token) =>
        {
            on.hook(head, token, Shape::Ntfy).await
        }
        (_, [topic]) if writes => on.publish(head, topic, None).await,
        ("GET", [topic, "publish" | "send" | "trigger"]) => on.publish(head, topic, None).await,
        ("GET", [names, "auth"]) => on.may_subscribe(head, names).await,
        ("GET", [names, form]) if let Some(format) = Format::of(form) => {
            let asked = StreamRequest::of(on, head, names, format).await?;
            Ok(Outcome::Stream(Box::new(asked)))
        }
        ("DELETE", [topic, id]) => on.delete(head, topic, id).await,
        (_, [topic, id, "clear" | "read"]) if writes => on.clear(head, topic, id).await,
        (_, [topic, id]) if writes => on.publish(head, topic, Some(id)).await,
        _ => Err(Denial::not_found().into()),
    }
}

/// A path for the log: its first part, and no secret.
pub(super) fn shown(head: &Head) -> String {
    let first = head.path.first().map_or("", |part| part);
    let rest = if head.path.len() > 1 { "/…" } else { "" };
    if who::may_hold_token(first) {
        return "/hook/…".into();
    }
    let first: String = first.chars().filter(|c| !c.is_control()).take(40).collect();
    format!("/{first}{rest}")
}

/// Which of its forms a hook has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// An address like `/hook/<token>`.
    Any,
    /// The topic of ntfy's API, with its parameters.
    Ntfy,
    /// The API of Gotify.
    Gotify,
}

impl HttpConnection {
    /// Answers a request whose body, if it has one, means nothing. Strangers may ask, so not much of
    /// it is read.
    async fn plain(&mut self, head: &Head, answer: Response) -> Result<Outcome, Fault> {
        body::read(head, &mut self.stream, limits::HTTP_HEAD).await?;
        Ok(Outcome::Answer(answer))
    }

    /// Publishing to a topic; `sequence` is the sequence id in the address.
    async fn publish(
        &mut self,
        head: &Head,
        name: &str,
        sequence: Option<&str>,
    ) -> Result<Outcome, Fault> {
        let mut account = self.log_in(head).await?;
        let topic = Topic::new(name)?;
        let params = Params { head, json: None };
        let order = params.order(sequence, self.now())?;
        let answer = match self.receive(&mut account.link, &params, &order).await? {
            Received::Text(body) => {
                let notice = params.notice(&body)?;
                self.say(&mut account, &topic, &notice, &order).await?
            }
            Received::File { name } => {
                let file = FileUpload { caption: params.caption(&name)?, name, head };
                self.say_file(&mut account, &topic, &file, &order).await?
            }
        };
        Ok(self.answer(account, answer))
    }

    /// Publishing to `/`, where JSON says to which topic.
    async fn publish_json(&mut self, head: &Head) -> Result<Outcome, Fault> {
        let account = match self.log_in(head).await {
            Ok(account) => Some(account),
            // The topic may be a hook. From a stranger not much is read.
            Err(denial) if denial == Denial::nobody() => match head.framing {
                Framing::Length(1..=limits::HTTP_HEAD) => None,
                _ => return Err(denial.into()),
            },
            Err(denial) => return Err(denial.into()),
        };
        let body = body::read(head, &mut self.stream, limits::HTTP_BODY).await?;
        let said = json::parse(&body, 40024);
        let name = said.as_ref().ok().and_then(|said| json::field(said, "topic")?.as_str());
        let name = name.unwrap_or_default().to_owned();
        if account.is_none() && !who::is_token(&name) {
            return Err(Denial::nobody().into());
        }
        let said = said?;
        if !said.is_object() {
            return Err(Denial::new(40024, "invalid JSON: not an object").into());
        }
        let params = Params { head, json: Some(&said) };
        let order = params.order(None, self.now())?;
        if let Some(mut account) = account {
            let topic = Topic::new(&name)?;
            let notice = params.notice(b"")?;
            let answer = self.say(&mut account, &topic, &notice, &order).await?;
            return Ok(self.answer(account, answer));
        }
        order.must_be_plain()?;
        let (mut account, target) = self.log_in_hook(&name).await?;
        let text = cut(&params.notice(b"")?.text(), limits::HOOK_TEXT);
        commands::say(&mut account.link, &target, &text, order.key).await?;
        Ok(self.answer(account, Response::text("ok")))
    }

    /// Says a notice, waits for its readers if that is asked for, and answers.
    async fn say(
        &mut self,
        account: &mut AccountLink,
        topic: &Topic,
        notice: &Notice,
        order: &PublishOptions<'_>,
    ) -> Result<Response, Fault> {
        let AccountLink { link, handle: me, .. } = account;
        let (target, text) = (topic.target()?, notice.text());
        let PublishOptions { key, wait, due, sequence } = order;
        if let Some(due) = due {
            let (id, time) = match commands::say_later(link, target, &text, *key, due).await? {
                Scheduled::Waiting(number, time) => (sequence::later_id(number), time),
                Scheduled::Said(said) => (written_id(said.id), said.time),
            };
            return Ok(publish::published(&id, time, None, topic, notice, None));
        }
        if wait.is_some() {
            // Or the message would be sent, and the wait refused.
            commands::must_be_whole(link).await?;
        }
        let said = match sequence {
            Some(sequence) => sequence.say(link, me, topic, &text, *key).await?,
            None => commands::say(link, target, &text, *key).await?,
        };
        if let Some(wait) = wait {
            link.send(format!("WAIT {} {wait}\n", said.id.0).as_bytes()).await?;
            self.reply_while_there(link).await?;
        }
        let (id, sequence) = (written_id(said.id), sequence.as_ref());
        Ok(publish::published(&id, said.time, sequence, topic, notice, None))
    }

    /// The answer to a request, whose session stays for the next one.
    fn answer(&mut self, account: AccountLink, answer: Response) -> Outcome {
        self.keep(account);
        Outcome::Answer(answer)
    }

    /// Waits for a reply that may take long, as long as the peer is there.
    pub(super) async fn reply_while_there(&mut self, link: &mut Link) -> Result<Reply, Fault> {
        use smol::future::FutureExt;
        let stream = &self.stream;
        let gone = async {
            loop {
                smol::Timer::after(limits::PEER_LOOK).await;
                if stream.is_gone() {
                    return Err(Fault::Gone);
                }
            }
        };
        let reply = async { Ok(link.reply().await?) };
        reply.or(gone).await
    }

    async fn hook(&mut self, head: &Head, token: &str, shape: Shape) -> Result<Outcome, Fault> {
        let (mut account, target) = self.log_in_hook(token).await?;
        let body = body::read(head, &mut self.stream, limits::HTTP_BODY).await?;
        let mut notice = match shape {
            Shape::Gotify => gotify(head, &body),
            Shape::Any | Shape::Ntfy => shapes::read(head, &body),
        };
        if shape == Shape::Ntfy {
            if str::from_utf8(&body).is_err() {
                return Err(Denial::no_attachment().into());
            }
            let params = Params { head, json: None };
            params.order(None, self.now())?.must_be_plain()?;
            let said = params.notice(b"")?;
            let is_given = |text: String, other: String| if text.is_empty() { other } else { text };
            notice = Notice {
                title: is_given(said.title, notice.title),
                priority: said.priority.or(notice.priority),
                message: match body.is_empty() {
                    true => said.message,
                    false => notice.message,
                },
                ..said
            };
        }
        let notice = notice.cleaned();
        let text = cut(&notice.text(), limits::HOOK_TEXT);
        let said = commands::say(&mut account.link, &target, &text, publish::key(head)?).await?;
        if shape != Shape::Gotify {
            return Ok(self.answer(account, Response::text("ok")));
        }
        let fields = [
            ("id", said.id.0.into()),
            ("appid", 1.into()),
            ("message", notice.message.as_str().into()),
            ("title", notice.title.as_str().into()),
            ("priority", notice.priority.unwrap_or(3).into()),
            ("date", written_time(said.time).into()),
        ];
        Ok(self.answer(account, Response::json(&object(fields))))
    }

    /// `/auth`: whether these topics may be subscribed to.
    async fn may_subscribe(&mut self, head: &Head, names: &str) -> Result<Outcome, Fault> {
        let mut account = self.log_in(head).await?;
        for topic in Topic::list(names)? {
            let checked = subscribe::check(&mut account.link, &topic).await;
            // ntfy's apps know nothing else here than that they must not.
            checked.map_err(|denial| match denial.code {
                40401 => Denial { code: 40301, ..denial },
                _ => denial,
            })?;
        }
        self.keep(account);
        self.plain(head, Response::json(&object([("success", true.into())]))).await
    }

    /// `PUT /<topic>/<id>/clear`: it was read.
    async fn clear(&mut self, head: &Head, name: &str, id: &str) -> Result<Outcome, Fault> {
        let mut account = self.log_in(head).await?;
        let link = &mut account.link;
        body::read(head, &mut self.stream, limits::HTTP_HEAD).await?;
        let (topic, sequence) = (Topic::new(name)?, Sequence::new(id)?);
        let id = match &topic.scope {
            Scope::One(target) => sequence.message(link, target).await?,
            Scope::Everything => sequence.number()?,
        };
        link.send(format!("READ {}\n", id.0).as_bytes()).await?;
        link.reply().await?;
        let cleared = Event::clear(id, self.now(), &topic.spelled, &sequence.spelled);
        Ok(self.answer(account, Response::json(cleared.json())))
    }

    /// `DELETE /<topic>/<id>`: the message is gone for everyone, or will not be said.
    async fn delete(&mut self, head: &Head, name: &str, id: &str) -> Result<Outcome, Fault> {
        let mut account = self.log_in(head).await?;
        let AccountLink { link, handle: me, .. } = &mut account;
        body::read(head, &mut self.stream, limits::HTTP_HEAD).await?;
        let (topic, sequence) = (Topic::new(name)?, Sequence::new(id)?);
        let target = topic.target()?;
        let once = publish::key(head)?.map(|key| sequence.once(key, "DELETE", target, ""));
        let first = match &once {
            Some(once) => commands::made_once(link, once).await?,
            None => None,
        };
        let (id, time) = match (first, sequence.later()) {
            (Some(first), Some(_)) => (sequence.spelled.clone(), first.time),
            (Some(first), None) => (written_id(first.id), first.time),
            (None, Some(number)) => {
                let struck = commands::strike(link, number, target, once.as_ref()).await?;
                (sequence.spelled.clone(), struck.unwrap_or_else(|| self.now()))
            }
            (None, None) => {
                let id = sequence.message(link, target).await?;
                sequence::must_be_in(link, me, &topic, id).await?;
                let deleted = commands::delete(link, id, once.as_ref()).await?;
                (written_id(deleted.id), deleted.time)
            }
        };
        let deleted = Event::delete(&id, time, &topic.spelled, &sequence.spelled);
        Ok(self.answer(account, Response::json(deleted.json())))
    }

    async fn account(&mut self, head: &Head) -> Result<Outcome, Fault> {
        let name = match self.log_in(head).await {
            Ok(mut account) => {
                // An address that may only write does not show whose it is.
                commands::must_be_whole(&mut account.link).await?;
                let name = account.handle.to_string();
                self.keep(account);
                name
            }
            Err(denial) if denial == Denial::nobody() => "*".to_owned(),
            Err(denial) => return Err(denial.into()),
        };
        let role = if name == "*" { "anonymous" } else { "user" };
        let zeros =
            |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), 0.into())).collect();
        let stats = zeros(&[
            "messages",
            "messages_remaining",
            "emails",
            "emails_remaining",
            "calls",
            "calls_remaining",
            "reservations",
            "reservations_remaining",
            "attachment_total_size",
            "attachment_total_size_remaining",
        ]);
        let limits = zeros(&[
            "messages",
            "messages_expiry_duration",
            "emails",
            "calls",
            "reservations",
            "attachment_total_size",
            "attachment_file_size",
            "attachment_expiry_duration",
            "attachment_bandwidth",
        ]);
        let fields = [
            ("username", name.into()),
            ("role", role.into()),
            ("stats", serde_json::Value::Object(stats)),
            ("limits", serde_json::Value::Object(limits)),
        ];
        self.plain(head, Response::json(&object(fields))).await
    }

    /// `POST /v1/account/token`: a token for the program that asks, under its label.
    async fn new_token(&mut self, head: &Head) -> Result<Outcome, Fault> {
        let mut account = self.log_in(head).await?;
        let link = &mut account.link;
        let body = body::read(head, &mut self.stream, limits::HTTP_BODY).await?;
        let said = if body.is_empty() { b"{}" } else { &body[..] };
        let said = json::parse(said, 40017)?;
        let label = said.get("label").and_then(|label| label.as_str()).unwrap_or("");
        let label = label_of(label);
        // `-2` and so on, where it is taken.
        for n in 1..=limits::TOKENS {
            let suffix = if n == 1 { String::new() } else { format!("-{n}") };
            let most = limits::KEY_MAX - suffix.len();
            let label: String = label.chars().take(most).chain(suffix.chars()).collect();
            link.send(format!("TOKEN NEW {label}\n").as_bytes()).await?;
            match link.reply().await {
                Ok(Reply::TokenMade { label, token }) => {
                    let fields = [("token", (&*token).into()), ("label", (&*label).into())];
                    return Ok(self.answer(account, Response::json(&object(fields))));
                }
                Err(denial) if denial.code == 40901 => {}
                Ok(_) => return Err(Denial::new(50001, "bug: this is not a token").into()),
                Err(denial) => return Err(denial.into()),
            }
        }
        Err(Denial::new(40901, "taken: there are tokens with all these labels").into())
    }
}

/// A label without blanks.
fn label_of(said: &str) -> String {
    let words = said.split(|c: char| c.is_whitespace() || c.is_control());
    let label = words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-");
    if label.is_empty() { "ntfy".to_owned() } else { label }
}

/// What Gotify's API was sent: JSON, or a form of either kind.
fn gotify(head: &Head, body: &[u8]) -> Notice {
    let text = String::from_utf8_lossy(body);
    let (mut notice, level) = match json::parse(body, 40024) {
        Ok(said) => (shapes::read(head, body), said.get("priority").and_then(|p| p.as_u64())),
        Err(_) => {
            let parts = form::multipart(head, &text);
            let field = |name| match &parts {
                Some(parts) => parts.get(name)?.as_str().map(str::to_owned),
                None => form::field(&text, name),
            };
            let message = field("message").unwrap_or_else(|| text.clone().into_owned());
            let title = field("title").unwrap_or_default();
            let level = field("priority").and_then(|level| level.parse().ok());
            (Notice { title, message, ..Notice::default() }, level)
        }
    };
    notice.priority = match level {
        Some(8..) => Some(5),
        Some(6 | 7) => Some(4),
        _ => None,
    };
    notice
}
