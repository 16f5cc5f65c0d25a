//! The actions of a notice, in ntfy's two forms: JSON, or `view, Open, https://…; http, …`. Those
//! that only show something are kept, the rest may carry secrets and orders.

use serde_json::Value;

use super::answer::Denial;
use super::json;
use crate::limits;

/// The kinds that there are.
const KINDS: [&str; 4] = ["view", "http", "broadcast", "copy"];

fn invalid(why: &str) -> Denial {
    Denial::new(40018, format!("invalid actions: {why}"))
}

/// What is looked at of an action; the rest is only checked.
#[derive(Default)]
struct NtfyAction {
    kind: String,
    label: String,
    url: String,
}

/// Label and address of each `view`, from a parameter.
///
/// # Errors
/// They have neither form.
pub fn parse(text: &str) -> Result<Vec<(String, String)>, Denial> {
    let text = text.trim();
    if text.starts_with('[') {
        let actions = serde_json::from_str(text).map_err(|_| invalid("not JSON"))?;
        return of_json(&actions);
    }
    let (mut actions, mut rest) = (Vec::new(), text);
    while !rest.is_empty() {
        let (mut action, mut at, mut is_last) = (NtfyAction::default(), 0, false);
        while !is_last {
            let (key, value);
            (key, value, is_last, rest) = field(rest)?;
            action.set(at, key, value)?;
            at += 1;
        }
        actions.push(action);
    }
    views(actions)
}

/// The same from the body of JSON.
///
/// # Errors
/// As for [`parse`].
pub fn of_json(actions: &Value) -> Result<Vec<(String, String)>, Denial> {
    let actions = actions.as_array().ok_or_else(|| invalid("not a list"))?.iter().map(|action| {
        let text = |key| json::field(action, key).and_then(Value::as_str).unwrap_or_default();
        let (kind, label, url) = (text("action"), text("label"), text("url"));
        NtfyAction { kind: kind.to_lowercase(), label: label.to_owned(), url: url.to_owned() }
    });
    views(actions.collect())
}

impl NtfyAction {
    /// Sets a field; without a key, it is known by its place.
    fn set(&mut self, at: usize, key: &str, value: String) -> Result<(), Denial> {
        let has_url = matches!(&*self.kind, "view" | "http");
        let key = match (key, at) {
            ("", 0) => "action",
            ("", 1) => "label",
            ("", 2) if has_url => "url",
            ("", 2) if self.kind == "copy" => "value",
            ("", _) => return Err(invalid("a field has no key")),
            (key, _) => key,
        };
        match &*key.to_ascii_lowercase() {
            "action" => self.kind = value.to_lowercase(),
            "label" => self.label = value,
            "url" => self.url = value,
            "clear" | "method" | "body" | "intent" | "value" => {}
            key if key.starts_with("headers.") || key.starts_with("extras.") => {}
            _ => return Err(invalid("the key of a field is unknown")),
        }
        Ok(())
    }
}

fn views(actions: Vec<NtfyAction>) -> Result<Vec<(String, String)>, Denial> {
    if actions.len() > limits::HTTP_ACTIONS {
        return Err(invalid(&format!("at most {} are allowed", limits::HTTP_ACTIONS)));
    }
    let mut views = Vec::new();
    for NtfyAction { kind, label, url } in actions {
        if !KINDS.contains(&&*kind) {
            return Err(invalid("an action is view, http, broadcast or copy"));
        }
        if kind == "view" {
            if label.is_empty() || url.is_empty() {
                return Err(invalid("a view has a label and an address"));
            }
            views.push((label, url));
        }
    }
    Ok(views)
}

/// The field that a text begins with: its key, if it has one, its value, whether it is the last of
/// its action, and what comes behind it.
fn field(text: &str) -> Result<(&str, String, bool, &str), Denial> {
    let text = text.trim_start();
    let (key, text) = key(text).unwrap_or(("", text));
    let (value, rest) = match text.chars().next() {
        Some(quote @ ('"' | '\'')) => quoted(&text[1..], quote)?,
        _ => {
            let (value, rest) = text.split_at(text.find([',', ';']).unwrap_or(text.len()));
            (value.trim().to_owned(), rest)
        }
    };
    match rest.chars().next() {
        None => Ok((key, value, true, "")),
        Some(end @ (',' | ';')) => Ok((key, value, end == ';', rest[1..].trim_start())),
        Some(_) => Err(invalid("something follows a quoted field")),
    }
}

/// `key =`
fn key(text: &str) -> Option<(&str, &str)> {
    let is_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    let (key, rest) = text.split_at(text.find(|c| !is_key(c)).unwrap_or(text.len()));
    let value = rest.trim_start().strip_prefix('=').filter(|_| !key.is_empty())?;
    Some((key, value.trim_start()))
}

/// A text up to its closing quote, which a backslash before it makes a part of the text, and what
/// comes behind it.
fn quoted(text: &str, quote: char) -> Result<(String, &str), Denial> {
    let (mut value, mut chars) = (String::new(), text.char_indices().peekable());
    while let Some((at, c)) = chars.next() {
        if c == '\\' && chars.next_if(|(_, next)| *next == quote).is_some() {
            value.push(quote);
        } else if c == quote {
            return Ok((value, text[at + 1..].trim_start()));
        } else {
            value.push(c);
        }
    }
    Err(invalid("a quote is not closed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read_and_only_views_are_kept() {
        let view = |label: &str, url: &str| (label.to_owned(), url.to_owned());
        assert_eq!(parse("view, Open, https://a/?b=c").unwrap(), [view("Open", "https://a/?b=c")]);
        let two =
            "http, Off, https://x/, body='a; b'; action=view, label=\"A, B\", url=https://b/;";
        assert_eq!(parse(two).unwrap(), [view("A, B", "https://b/")]);
        let json = r#"[{"action":"view","label":"L","url":"u"},{"action":"copy","value":"s"}]"#;
        assert_eq!(parse(json).unwrap(), [view("L", "u")]);
        let any_order = "action = View, clear=true, url = https://c/?d=e , label='x'";
        assert_eq!(parse(any_order).unwrap(), [view("x", "https://c/?d=e")]);
        let quoted = r#"view, "say \"a, b\"; c\d", 'https://it''s/'"#;
        assert_eq!(parse(quoted).unwrap_err().code, 40018);
        let quoted = r#"view, "say \"a, b\"; c\d", url='https://it\'s/'"#;
        assert_eq!(parse(quoted).unwrap(), [view(r#"say "a, b"; c\d"#, "https://it's/")]);
        let rest = "broadcast, L, intent=i, extras.cmd=a; copy, Code, 123; HTTP, L, u, method=PUT";
        assert_eq!(parse(rest).unwrap(), []);
        for bad in [
            "call, a, b",
            "view, a",
            "view, , u",
            "view, 'a, b",
            "view, a, b, c",
            "view, a, b, foo=c",
            "view, a, b;;view, a, b",
            ";",
            "[",
            "[1]",
            r#"[{"action":"view"}]"#,
            r#"[{"action":"view","url":"u"}]"#,
            "copy, a; copy, b; copy, c; copy, d",
        ] {
            assert_eq!(parse(bad).unwrap_err().code, 40018, "{bad}");
        }
        assert_eq!(parse("view, a, b; ").unwrap(), [view("a", "b")]);
        assert_eq!(of_json(&Value::Null).unwrap_err().code, 40018);
    }
}
