//! The actions of a notice, in ntfy's two forms: JSON, or `view, Open, https://…; http, …`. Those
//! that only show something are kept, the rest may carry secrets and orders.

use serde_json::Value;

use super::answer::Denial;

/// The kinds that there are.
const KINDS: [&str; 4] = ["view", "http", "broadcast", "copy"];

fn invalid(why: &str) -> Denial {
    Denial::new(40018, format!("invalid actions: {why}"))
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
    let mut views = Vec::new();
    for action in fields(text)? {
        let [mut kind, mut label, mut url] = [const { String::new() }; 3];
        for (at, field) in action.iter().enumerate() {
            match (field.split_once('='), at) {
                (Some(("action", value)), _) => kind = value.into(),
                (Some(("label", value)), _) => label = value.into(),
                (Some(("url", value)), _) => url = value.into(),
                (_, 0) => kind.clone_from(field),
                (_, 1) => label.clone_from(field),
                (_, 2) => url.clone_from(field),
                (_, _) => {}
            }
        }
        view(&kind, &label, &url, &mut views)?;
    }
    Ok(views)
}

/// The same from the body of JSON.
///
/// # Errors
/// As for [`parse`].
pub fn of_json(actions: &Value) -> Result<Vec<(String, String)>, Denial> {
    let mut views = Vec::new();
    for action in actions.as_array().ok_or_else(|| invalid("not a list"))? {
        let text = |key| action.get(key).and_then(Value::as_str).unwrap_or_default();
        view(text("action"), text("label"), text("url"), &mut views)?;
    }
    Ok(views)
}

fn view(
    kind: &str,
    label: &str,
    url: &str,
    views: &mut Vec<(String, String)>,
) -> Result<(), Denial> {
    if !KINDS.contains(&kind) {
        return Err(invalid("an action is view, http, broadcast or copy"));
    }
    if kind == "view" {
        if label.is_empty() || url.is_empty() {
            return Err(invalid("a view has a label and an address"));
        }
        views.push((label.to_owned(), url.to_owned()));
    }
    Ok(())
}

/// The fields of each action: separated by commas, the actions by semicolons, and either may stand
/// between quotes.
fn fields(text: &str) -> Result<Vec<Vec<String>>, Denial> {
    let (mut actions, mut action, mut field) = (Vec::new(), Vec::new(), String::new());
    let mut quote = None;
    for c in text.chars().chain([';']) {
        match (c, quote) {
            (c, Some(open)) if c == open => quote = None,
            (c, Some(_)) => field.push(c),
            ('"' | '\'', None) if field.trim().is_empty() || field.ends_with('=') => {
                quote = Some(c)
            }
            (',' | ';', None) => {
                action.push(std::mem::take(&mut field).trim().to_owned());
                if c == ';' {
                    actions.push(std::mem::take(&mut action));
                }
            }
            (c, None) => field.push(c),
        }
    }
    if quote.is_some() {
        return Err(invalid("a quote is not closed"));
    }
    actions.retain(|action: &Vec<String>| action.iter().any(|field| !field.is_empty()));
    Ok(actions)
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
        for bad in ["call, a, b", "view, a", "view, 'a, b", "[", "[1]", r#"[{"action":"view"}]"#] {
            assert_eq!(parse(bad).unwrap_err().code, 40018, "{bad}");
        }
        assert_eq!(of_json(&Value::Null).unwrap_err().code, 40018);
    }
}
