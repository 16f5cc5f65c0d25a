//! `/group`: turns what is typed into a command of the protocol. Without a group it is about the
//! current one.

use crate::client::lines;

/// The subcommands, for completion.
pub const VERBS: &[&str] = &[
    "add", "admin", "invite", "join", "leave", "list", "member", "new", "open", "remove", "rules",
    "topic", "who",
];

/// Each subcommand with its arguments and its purpose.
const USAGE: &[(&str, &str, &str)] = &[
    ("new", " NAME [HANDLE …]", "create a group"),
    ("add", " [GROUP] HANDLE …", "add people"),
    ("remove", " [GROUP] HANDLE", "remove somebody"),
    ("admin", " [GROUP] HANDLE", "make somebody an admin"),
    ("member", " [GROUP] HANDLE", "make an admin a plain member"),
    ("rules", " [GROUP] [RULE VALUE]", "who may write and add, who may join"),
    ("topic", " [GROUP] TEXT", "set its topic"),
    ("who", " [GROUP]", "who is in it"),
    ("invite", " [GROUP] [USES [SECONDS]]", "make an invitation; - voids all"),
    ("join", " GROUP [TOKEN]", "join an open group, or with a token"),
    ("leave", " [GROUP]", "leave it"),
    ("list", "", "the groups you are in"),
    ("open", "", "the groups that you can join"),
];

/// The command for what is typed after `/group` in the conversation `current`. `is_mine` says
/// whether there is a conversation with a group.
///
/// # Errors
/// The usage, if it cannot be understood.
pub fn command(
    typed: &str,
    current: Option<&str>,
    is_mine: impl Fn(&str) -> bool,
) -> Result<String, String> {
    let (verb, rest) = first_word(typed);
    let verb = verb.to_lowercase();
    let Some((_, arguments, _)) = USAGE.iter().find(|(name, ..)| *name == verb) else {
        return Err(all());
    };
    let usage = || format!("usage: /group {verb}{arguments}");
    let current = current.filter(|name| name.starts_with('#'));
    let (first, others) = first_word(rest);
    let named = first.trim_start_matches(['#', '+']);
    let is_named = first.starts_with(['#', '+']) || is_mine(&format!("#{}", named.to_lowercase()));
    let (group, rest) = match (&*verb, current) {
        ("list", _) => return Ok("GROUP LIST".to_owned()),
        ("open", _) => return Ok("GROUP LIST open".to_owned()),
        ("new" | "join", _) => (named, others),
        (_, Some(current)) if !is_named => (current, rest),
        _ => (named, others),
    };
    let needs_more = !["new", "who", "invite", "join", "leave", "rules"].contains(&&*verb);
    if group.is_empty() || (needs_more && rest.is_empty()) {
        return Err(usage());
    }
    let group = group.trim_start_matches('#');
    let verb = if verb == "rules" { "RULE" } else { &verb.to_uppercase() };
    let command = format!("GROUP {verb} {} {}", lines::escaped(group), lines::escaped(rest));
    Ok(command.trim_end().to_owned())
}

fn first_word(text: &str) -> (&str, &str) {
    let (first, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (first, rest.trim_start())
}

/// The usage of all subcommands.
fn all() -> String {
    let lines = USAGE.iter().map(|(verb, arguments, what)| {
        let typed = format!("/group {verb}{arguments}");
        format!("      {typed:<28}  {what}")
    });
    let lines: Vec<String> = lines.collect();
    format!("{}\nWithout GROUP, it is the one you are in.", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(typed: &str, current: &str) -> String {
        command(typed, Some(current), |name| ["#team", "#ops"].contains(&name))
            .unwrap_or_else(|why| why)
    }

    #[test]
    fn a_group_that_is_not_named_is_the_one_that_is_turned_to() {
        assert_eq!(typed("add hugo", "#team"), "GROUP ADD team hugo");
        assert_eq!(typed("add ops hugo ida", "#team"), "GROUP ADD ops hugo ida");
        assert_eq!(typed("add +elsewhere hugo", "#team"), "GROUP ADD elsewhere hugo");
        assert_eq!(typed("topic Friday:  soup", "#team"), "GROUP TOPIC team Friday:  soup");
        assert_eq!(typed("topic OPS what we do", "#team"), "GROUP TOPIC OPS what we do");
        assert_eq!(
            (&*typed("leave", "#team"), &*typed("who", "#ops")),
            ("GROUP LEAVE team", "GROUP WHO ops")
        );
        assert_eq!(typed("new ops-2 bob", "#team"), "GROUP NEW ops-2 bob");
        assert_eq!(typed("join lunch", "#team"), "GROUP JOIN lunch");
        assert_eq!(typed("join lunch papo_12ab", "#team"), "GROUP JOIN lunch papo_12ab");
        assert_eq!(typed("invite", "#team"), "GROUP INVITE team");
        assert_eq!(typed("invite 5 3600", "#team"), "GROUP INVITE team 5 3600");
        assert_eq!(typed("invite ops -", "#team"), "GROUP INVITE ops -");
        assert_eq!(typed("rules", "#team"), "GROUP RULE team");
        assert_eq!(typed("rules write admins", "#team"), "GROUP RULE team write admins");
        assert_eq!(typed("rules ops join open", "#team"), "GROUP RULE ops join open");
        assert_eq!(typed("open", "#team"), "GROUP LIST open");
        assert_eq!(typed("topic one\nQUIT", "#team"), r"GROUP TOPIC team one\nQUIT");
    }

    #[test]
    fn what_is_not_understood_is_answered_with_how_it_is_typed() {
        assert_eq!(typed("topic", "#team"), "usage: /group topic [GROUP] TEXT");
        assert_eq!(typed("topic ops", "#team"), "usage: /group topic [GROUP] TEXT");
        assert_eq!(typed("add hugo", "bob"), "usage: /group add [GROUP] HANDLE …");
        assert_eq!(typed("leave", "bob"), "usage: /group leave [GROUP]");
        assert_eq!(typed("new", "#team"), "usage: /group new NAME [HANDLE …]");
        for other in ["", "ad hugo", "one\nQUIT"] {
            let all = typed(other, "#team");
            assert!(VERBS.iter().all(|verb| all.contains(&format!("/group {verb}"))), "{all}");
        }
    }
}
