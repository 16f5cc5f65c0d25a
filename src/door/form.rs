//! Forms, which some senders fill in for a hook.

use serde_json::{Map, Value};

use super::escapes;
use super::request::Head;
use crate::limits;

/// The fields of a `multipart/form-data` (RFC 7578); `None` if the body is none.
pub fn multipart(head: &Head, body: &str) -> Option<Value> {
    let kind = head.header("content-type").unwrap_or_default();
    let (name, parameters) = kind.split_once(';')?;
    if !name.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let fields: Map<String, Value> = parts(&parameter(parameters, "boundary")?, body).collect();
    (!fields.is_empty()).then_some(Value::Object(fields))
}

/// A field of a form of the other kind, `a=b&c=d`, whatever its `Content-Type` says.
pub fn field(form: &str, name: &str) -> Option<String> {
    let mut pairs = form.trim().split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| escapes::percent(value, true))
}

/// The fields between the boundaries.
fn parts(boundary: &str, body: &str) -> impl Iterator<Item = (String, Value)> {
    let delimiter = format!("\n--{boundary}");
    // The first one stands at the beginning.
    let parts: Vec<String> = match body.strip_prefix(&delimiter[1..]) {
        Some(rest) => rest.split(&delimiter).map(str::to_owned).collect(),
        None => body.split(&delimiter).skip(1).map(str::to_owned).collect(),
    };
    let parts = parts.into_iter().take_while(|part| !part.starts_with("--"));
    parts.take(limits::HOOK_FIELDS).filter_map(|part| {
        let part = part.trim_start_matches([' ', '\t']);
        let part = part.strip_prefix("\r\n").or_else(|| part.strip_prefix('\n'))?;
        let (head, value) = part.split_once("\r\n\r\n").or_else(|| part.split_once("\n\n"))?;
        let mut lines = head.lines().filter_map(|line| line.split_once(':'));
        let (_, line) = lines.find(|(n, _)| n.eq_ignore_ascii_case("content-disposition"))?;
        let name = parameter(line, "name")?;
        Some((name, value.strip_suffix('\r').unwrap_or(value).into()))
    })
}

/// A parameter of a header line, with or without quotes.
fn parameter(line: &str, name: &str) -> Option<String> {
    let mut rest = line;
    loop {
        let (key, value) = rest.split_once('=')?;
        let key = key.rsplit(';').next().unwrap_or_default().trim();
        let value = value.trim_start();
        let (said, after) = match value.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => value.split_at(value.find(';').unwrap_or(value.len())),
        };
        if key.eq_ignore_ascii_case(name) {
            return Some(said.trim().to_owned()).filter(|said| !said.is_empty());
        }
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn head(kind: &str) -> Head {
        let text = format!("POST / HTTP/1.0\r\nContent-Type: {kind}\r\n\r\n");
        Head::parse(text.as_bytes()).unwrap().unwrap().0
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(
            body in "(--b|\r?\n|content-disposition:|form-data;| name=|\"|x|=|&|--|;|é){0,24}"
        ) {
            let _ = multipart(&head("multipart/form-data; boundary=b"), &body);
            let _ = field(&body, "x");
        }
    }

    #[test]
    fn so_many_fields_are_looked_at() {
        let field = |n| format!("--b\nContent-Disposition: form-data; name=f{n}\n\nx\n");
        let body: String = (0..=limits::HOOK_FIELDS).map(field).chain(["--b--".into()]).collect();
        let fields = multipart(&head("multipart/form-data; boundary=b"), &body).unwrap();
        assert_eq!(fields.as_object().unwrap().len(), limits::HOOK_FIELDS);
    }

    #[test]
    fn the_fields_of_parts_are_found() {
        let body = "--x y\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\na b\r\n\
                    --x y\r\nContent-Type: text/plain\r\nContent-Disposition: form-data; \
                    filename=\"name=no\"; name=message\r\n\r\none\r\n--x\r\n\r\n\r\n\
                    --x y--\r\nrest";
        let kind = "Multipart/Form-Data; charset=utf-8; boundary=\"x y\"";
        let fields = multipart(&head(kind), body).unwrap();
        assert_eq!(fields["title"], "a b");
        assert_eq!(fields["message"], "one\r\n--x\r\n\r\n");
        assert_eq!(fields.as_object().unwrap().len(), 2);
        for (kind, body) in [
            ("text/plain; boundary=b", "--b\nContent-Disposition: form-data; name=a\n\nb\n--b--"),
            ("multipart/form-data", "--\nContent-Disposition: form-data; name=a\n\nb\n----"),
            ("multipart/form-data; boundary=b", "no part"),
            ("multipart/form-data; boundary=b", "--b\r\nX: y\r\n\r\nz\r\n--b--"),
        ] {
            assert_eq!(multipart(&head(kind), body), None, "{kind} {body}");
        }
    }
}
