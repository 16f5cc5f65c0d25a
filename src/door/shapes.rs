//! What a hook was told, by the shape of it: nobody is asked who they are.

use serde_json::Value;

use super::form;
use super::json;
use super::notice::{Notice, cut};
use super::request::Head;
use crate::limits;

/// Reads the body of a hook.
pub fn read(head: &Head, body: &[u8]) -> Notice {
    let text = String::from_utf8_lossy(body);
    let form = form::multipart(head, &text);
    let payload = match &form {
        Some(form) => first(form, &["/payload", "/payload_json"]).map(str::to_owned),
        None => form::field(&text, "payload").filter(|_| !text.trim_start().starts_with('{')),
    };
    let said = payload.as_deref().unwrap_or(&text);
    let Ok(value) = json::parse(said.as_bytes(), 40024) else {
        return form.as_ref().and_then(general).unwrap_or_else(|| plain(&text));
    };
    let event = ["x-github-event", "x-gitea-event", "x-gitlab-event"]
        .iter()
        .find_map(|name| head.header(name));
    let read = match (&value, event) {
        (Value::String(text), _) => Some(plain(text)),
        (Value::Object(_), Some(event)) => forge(&value, event),
        (Value::Object(_), None) => alerts(&value).or_else(|| general(&value)),
        _ => None,
    };
    read.unwrap_or_else(|| plain(&cut(said.trim(), limits::HOOK_JSON)))
}

fn plain(text: &str) -> Notice {
    Notice { message: text.to_owned(), ..Notice::default() }
}

/// The text at a path of keys, if there is one.
fn text<'a>(value: &'a Value, path: &str) -> Option<&'a str> {
    value.pointer(path).and_then(Value::as_str).filter(|text| !text.trim().is_empty())
}

fn first<'a>(value: &'a Value, paths: &[&str]) -> Option<&'a str> {
    paths.iter().find_map(|path| text(value, path))
}

/// An event of a forge: `owner/repo event action title (who)`, up to ten commits, a link.
fn forge(value: &Value, event: &str) -> Option<Notice> {
    let repo = first(value, &["/repository/full_name", "/project/path_with_namespace"])?;
    let subjects = [
        "issue",
        "pull_request",
        "release",
        "discussion",
        "workflow_run",
        "check_run",
        "object_attributes",
    ];
    let titles = subjects.iter().flat_map(|subject| {
        ["title", "name", "note"].map(|key| text(value, &format!("/{subject}/{key}")))
    });
    let branch = first(value, &["/ref", "/object_attributes/ref"])
        .map(|name| name.trim_start_matches("refs/heads/").trim_start_matches("refs/tags/"));
    let title = titles.flatten().next().or(branch);
    // How something ended says more than that it did.
    let actions = [
        "/workflow_run/conclusion",
        "/check_run/conclusion",
        "/action",
        "/object_attributes/action",
        "/object_attributes/status",
    ];
    let action = first(value, &actions);
    let who = first(value, &["/sender/login", "/user/username", "/user_username", "/user_name"]);
    // GitLab's events are `Push Hook` and so on.
    let event = event.trim_end_matches(" Hook").to_ascii_lowercase();
    let mut line = [Some(repo), Some(&*event), action, title]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" ");
    if let Some(who) = who {
        line.push_str(&format!(" ({who})"));
    }
    let commits = value.get("commits").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    for commit in commits.iter().take(limits::HOOK_COMMITS) {
        let id: String = text(commit, "/id").unwrap_or_default().chars().take(7).collect();
        let said = text(commit, "/message").unwrap_or_default().lines().next().unwrap_or_default();
        line.push_str(&format!("\n{id} {said}"));
    }
    let links = subjects.iter().flat_map(|subject| {
        ["html_url", "url"].map(|key| text(value, &format!("/{subject}/{key}")))
    });
    let more = ["/compare", "/compare_url", "/repository/html_url", "/project/web_url"];
    if let Some(link) = links.flatten().next().or_else(|| first(value, &more)) {
        line.push_str(&format!("\n{link}"));
    }
    Some(plain(&line))
}

/// Alertmanager's alerts, a line each. Grafana's come with a `message`, which says the same.
fn alerts(value: &Value) -> Option<Notice> {
    let alerts = value.get("alerts")?.as_array()?;
    if value.get("message").is_some() {
        return None;
    }
    let (mut lines, mut is_critical) = (Vec::new(), false);
    for alert in alerts {
        let fires = text(alert, "/status").or(text(value, "/status")) != Some("resolved");
        let severity = text(alert, "/labels/severity");
        is_critical |= fires && severity == Some("critical");
        let severity = severity.map(|severity| format!("[{severity}]"));
        let summary = first(
            alert,
            &["/annotations/summary", "/annotations/description", "/annotations/message"],
        );
        let parts = [
            Some(if fires { "🔥" } else { "✅" }),
            text(alert, "/labels/alertname"),
            text(alert, "/labels/instance"),
            severity.as_deref(),
            summary,
        ];
        lines.push(parts.into_iter().flatten().collect::<Vec<_>>().join(" "));
    }
    let priority = is_critical.then_some(5);
    (!lines.is_empty()).then(|| Notice { priority, ..plain(&lines.join("\n")) })
}

/// The keys under which a text stands, the likeliest first.
const TEXTS: [&str; 7] =
    ["/text", "/message", "/content", "/body", "/msg", "/summary", "/description"];

/// What most others send: a title, a text, and attachments or embeds with their fields.
fn general(value: &Value) -> Option<Notice> {
    let title = first(value, &["/title", "/subject"]).map(unmarked).unwrap_or_default();
    let mut lines: Vec<String> = first(value, &TEXTS).map(unmarked).into_iter().collect();
    for key in ["attachments", "embeds"] {
        let parts = value.get(key).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        for part in parts {
            let text = first(part, &TEXTS).or_else(|| text(part, "/fallback"));
            let link = first(part, &["/title_link", "/url"]);
            let lines_of = [text_of(part, "/pretext"), text_of(part, "/title"), text.map(unmarked)];
            lines.extend(lines_of.into_iter().flatten());
            let fields = part.get("fields").and_then(Value::as_array);
            for field in fields.map_or(&[][..], Vec::as_slice) {
                let name = first(field, &["/title", "/name"]).map(unmarked).unwrap_or_default();
                let said = text_of(field, "/value").unwrap_or_default();
                lines.push(format!("{name}: {said}"));
            }
            lines.extend(link.map(str::to_owned));
        }
    }
    lines.dedup();
    if title.is_empty() && lines.is_empty() {
        return None;
    }
    Some(Notice { title, ..plain(&lines.join("\n")) })
}

fn text_of(value: &Value, path: &str) -> Option<String> {
    text(value, path).map(unmarked)
}

/// Undoes the markup of Slack: `<url|name>`, `&lt;`.
fn unmarked(text: &str) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once('<') {
        out.push_str(before);
        let marked = after.split_once('>').filter(|(inside, _)| is_marked(inside));
        let Some((inside, after)) = marked else {
            out.push('<');
            rest = after;
            continue;
        };
        match inside.split_once('|') {
            Some((url, name)) if url.starts_with(['!', '@', '#']) => out.push_str(name),
            Some((url, name)) if url == name => out.push_str(url),
            Some((url, name)) => out.push_str(&format!("{name} ({url})")),
            None => out.push_str(&inside.replacen('!', "@", 1)),
        }
        rest = after;
    }
    out.push_str(rest);
    out.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

/// Whether what stands between `<` and `>` is markup, and not just a part of the text.
fn is_marked(inside: &str) -> bool {
    let schemes = ["http://", "https://", "mailto:", "tel:", "!", "@", "#"];
    !inside.contains(['<', '\n']) && schemes.iter().any(|scheme| inside.starts_with(scheme))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text in "(?s)[{}\\[\\]:,\"a-e<>|!&;=% .]{0,60}") {
            for line in ["", "X-GitHub-Event: push\r\n"] {
                let notice = read(&head(line), text.as_bytes()).cleaned();
                prop_assert!(!notice.text().is_empty());
            }
        }
    }

    fn head(lines: &str) -> Head {
        let text = format!("POST / HTTP/1.0\r\n{lines}\r\n");
        Head::parse(text.as_bytes()).unwrap().unwrap().0
    }

    fn said(body: &str) -> String {
        read(&head(""), body.as_bytes()).cleaned().text()
    }

    #[test]
    fn what_is_no_json_is_the_text() {
        assert_eq!(said("hello = {"), "hello = {");
        assert_eq!(said("payload=%7B%22text%22%3A%22a+b%22%7D"), "a b");
        assert_eq!(said("text=a+b&c=d"), "text=a+b&c=d");
        let parts = |name: &str, value: &str| {
            let kind = head("Content-Type: multipart/form-data; boundary=b\r\n");
            let line = format!("Content-Disposition: form-data; name=\"{name}\"");
            let body = format!("--b\r\n{line}\r\n\r\n{value}\r\n--b--\r\n");
            read(&kind, body.as_bytes()).cleaned().text()
        };
        assert_eq!(parts("payload", r#"{"text":"a b"}"#), "a b");
        assert_eq!(parts("payload_json", r#"{"content":"c"}"#), "c");
        assert_eq!(parts("message", "a text"), "a text");
        assert_eq!(parts("payload", "no JSON").lines().count(), 5);
        assert_eq!(said("\"quoted\""), "quoted");
        assert_eq!(said(r#"{"text":"cut \ud83d"}"#), "cut \u{fffd}");
        assert_eq!(said("[1, 2]"), "[1, 2]");
        assert_eq!(said("{\"a\": 1}"), "{\"a\": 1}");
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(3_000));
        assert!(said(&long).ends_with("xxx… (cut, 3008 characters)"));
    }

    #[test]
    fn forges_are_known_by_their_headers() {
        let push = r#"{"ref":"refs/heads/main","repository":{"full_name":"ana/lab","html_url":"u"},
            "sender":{"login":"ana"},"compare":"https://c/",
            "commits":[{"id":"0123456789","message":"one\n\nmore"},{"id":"abcdef012","message":"two"}]}"#;
        let read_as = |line: &str, body: &str| read(&head(line), body.as_bytes()).cleaned().text();
        assert_eq!(
            read_as("X-GitHub-Event: push\r\n", push),
            "ana/lab push main (ana)\n0123456 one\nabcdef0 two\nhttps://c/"
        );
        let push_of = |commits: &str| {
            format!(
                r#"{{"ref":"refs/heads/main","repository":{{"full_name":"l"}},"commits":[{commits}]}}"#
            )
        };
        let many = [r#"{"id":"0","message":"m"}"#; 11].join(",");
        let many = read_as("X-GitHub-Event: push\r\n", &push_of(&many));
        assert_eq!(many.matches("\n0 m").count(), limits::HOOK_COMMITS);
        let issue = r#"{"action":"opened","issue":{"title":"It burns","html_url":"https://i/"},
            "repository":{"full_name":"ana/lab"},"sender":{"login":"bob"}}"#;
        assert_eq!(
            read_as("X-Gitea-Event: issues\r\n", issue),
            "ana/lab issues opened It burns (bob)\nhttps://i/"
        );
        let merge = r#"{"project":{"path_with_namespace":"g/p","web_url":"w"},"user":{"username":"eve"},
            "object_attributes":{"title":"T","action":"merge","url":"https://m/"}}"#;
        assert_eq!(
            read_as("X-Gitlab-Event: Merge Request Hook\r\n", merge),
            "g/p merge request merge T (eve)\nhttps://m/"
        );
    }

    #[test]
    fn what_became_of_a_run_is_said() {
        let read_as = |line: &str, body: &str| read(&head(line), body.as_bytes()).cleaned().text();
        let run = r#"{"action":"completed","workflow_run":{"name":"CI","conclusion":"failure",
            "html_url":"https://w/"},"repository":{"full_name":"ana/lab"},"sender":{"login":"bob"}}"#;
        assert_eq!(
            read_as("X-GitHub-Event: workflow_run\r\n", run),
            "ana/lab workflow_run failure CI (bob)\nhttps://w/"
        );
        let begun = run.replace("\"failure\"", "null").replace("completed", "requested");
        assert!(read_as("X-GitHub-Event: workflow_run\r\n", &begun).contains(" requested CI "));
        let pipeline = r#"{"project":{"path_with_namespace":"g/p"},"user":{"username":"eve"},
            "object_attributes":{"ref":"main","status":"failed","url":"https://p/"}}"#;
        assert_eq!(
            read_as("X-Gitlab-Event: Pipeline Hook\r\n", pipeline),
            "g/p pipeline failed main (eve)\nhttps://p/"
        );
    }

    #[test]
    fn alerts_are_a_line_each() {
        let body = r#"{"status":"firing","alerts":[
            {"status":"firing","labels":{"alertname":"Down","instance":"a:9","severity":"critical"},
             "annotations":{"summary":"a is down"}},
            {"status":"resolved","labels":{"alertname":"Slow"},"annotations":{}}]}"#;
        assert_eq!(said(body), "!!! 🔥 Down a:9 [critical] a is down\n✅ Slow");
        let grafana = r#"{"title":"[FIRING:1]","message":"m","alerts":[{"status":"firing"}]}"#;
        assert_eq!(said(grafana), "[FIRING:1]\nm");
    }

    #[test]
    fn the_others_have_a_title_and_a_text_somewhere() {
        assert_eq!(
            said(r#"{"text":"see <https://a/|the page> &amp; <b>, <!here>"}"#),
            "see the page (https://a/) & <b>, @here"
        );
        assert_eq!(said(r#"{"title":"T","body":"b","msg":"m"}"#), "T\nb");
        let discord = r#"{"content":"c","embeds":[{"title":"E","description":"d","url":"https://e/",
            "fields":[{"name":"n","value":"v"}]}]}"#;
        assert_eq!(said(discord), "c\nE\nd\nn: v\nhttps://e/");
        let slack = r#"{"attachments":[{"fallback":"f","fields":[{"title":"t","value":"v"}]}]}"#;
        assert_eq!(said(slack), "f\nt: v");
    }
}
