//! `/group`, `/invite`, `/join` and `/rules`: turns what is typed into a command of the protocol.
//! Without a group it is about the current one.

use std::fmt;

use super::jobs::Purpose;
use crate::client::{lines, when};
use crate::limits::{INVITATION_SECONDS, INVITATION_SECONDS_MAX, INVITATION_USES};

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
    ("rules", " [GROUP] [RULE VALUE]", "who may write, add and join: shown, or set"),
    ("topic", " [GROUP] TEXT", "set its topic"),
    ("who", " [GROUP]", "who is in it"),
    ("invite", " [GROUP] [USES] [8h]", "make an invitation; off voids all"),
    ("join", " GROUP [TOKEN]", "join an open group, or by an invitation"),
    ("leave", " [GROUP]", "leave it"),
    ("list", "", "the groups you are in"),
    ("open", "", "the groups that you can join"),
];

/// Those that are commands of their own as well.
const SHORT: &[&str] = &["invite", "join", "rules"];

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
    let usage = || format!("usage: {}{arguments}", typed_as(&verb));
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
    if verb == "invite" {
        let terms = InvitationTerms::parse(rest).ok_or_else(usage)?;
        return Ok(format!("GROUP INVITE {} {terms}", lines::escaped(group)));
    }
    // A rule without a value is neither shown nor set.
    if verb == "rules" && !rest.is_empty() && !rest.contains(char::is_whitespace) {
        return Err(usage());
    }
    // A token alone does not say which group it is of.
    if verb == "join" && lines::group(group).is_err() {
        return Err(usage());
    }
    let verb = if verb == "rules" { "RULE" } else { &verb.to_uppercase() };
    let command = format!("GROUP {verb} {} {}", lines::escaped(group), lines::escaped(rest));
    Ok(command.trim_end().to_owned())
}

/// What the answer to such a command is for.
pub fn purpose(command: &str) -> Purpose {
    let words: Vec<&str> = command.split(' ').collect();
    match words[1..] {
        ["NEW", _] => Purpose::Made,
        ["JOIN", ..] => Purpose::Joined,
        ["INVITE", _, uses, seconds] => Purpose::Invited(good_for(uses, seconds)),
        ["LIST", "open"] => Purpose::ShowOr("no group is open to everyone"),
        _ => Purpose::Show,
    }
}

/// For how many people and how long an invitation is good; or no earlier one is.
#[derive(Debug, PartialEq, Eq)]
enum InvitationTerms {
    Good { uses: u32, seconds: u64 },
    Void,
}

impl InvitationTerms {
    /// Parses `off`, or a number of people and a duration, of which either can be left out.
    fn parse(typed: &str) -> Option<InvitationTerms> {
        if typed == "-" || typed.eq_ignore_ascii_case("off") {
            return Some(InvitationTerms::Void);
        }
        let words: Vec<&str> = typed.split_whitespace().collect();
        let is_number = |word: &str| word.bytes().all(|b| b.is_ascii_digit());
        let (uses, seconds) = match words[..] {
            [] => (1, INVITATION_SECONDS),
            [uses] if is_number(uses) => (uses.parse().ok()?, INVITATION_SECONDS),
            [time] => (1, when::seconds(time).ok()?),
            [uses, time] => (uses.parse().ok()?, when::seconds(time).ok()?),
            _ => return None,
        };
        let is_possible = (1..=INVITATION_USES).contains(&uses)
            && (1..=INVITATION_SECONDS_MAX).contains(&seconds);
        is_possible.then_some(InvitationTerms::Good { uses, seconds })
    }
}

/// As the protocol writes them.
impl fmt::Display for InvitationTerms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InvitationTerms::Good { uses, seconds } => write!(f, "{uses} {seconds}"),
            InvitationTerms::Void => f.write_str("-"),
        }
    }
}

/// The terms of an invitation, for people.
fn good_for(uses: &str, seconds: &str) -> String {
    let people = if uses == "1" { "person" } else { "people" };
    let time = seconds.parse().map(when::duration).unwrap_or_default();
    format!("{uses} {people} within {time}")
}

/// How a subcommand is typed.
fn typed_as(verb: &str) -> String {
    if SHORT.contains(&verb) { format!("/{verb}") } else { format!("/group {verb}") }
}

fn first_word(text: &str) -> (&str, &str) {
    let (first, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (first, rest.trim_start())
}

/// The usage of all subcommands.
fn all() -> String {
    let lines = USAGE.iter().map(|(verb, arguments, what)| {
        let typed = format!("{}{arguments}", typed_as(verb));
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
        assert_eq!(typed("invite", "#team"), "GROUP INVITE team 1 86400");
        assert_eq!(typed("invite 5", "#team"), "GROUP INVITE team 5 86400");
        assert_eq!(typed("invite 5 3600", "#team"), "GROUP INVITE team 5 3600");
        assert_eq!(typed("invite ops 8h", "#team"), "GROUP INVITE ops 1 28800");
        assert_eq!(typed("invite +elsewhere 20 7d", "bob"), "GROUP INVITE elsewhere 20 604800");
        assert_eq!(typed("invite ops -", "#team"), "GROUP INVITE ops -");
        assert_eq!(typed("invite Off", "#team"), "GROUP INVITE team -");
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
        for rules in [("rules", "bob"), ("rules write", "#team"), ("rules ops join", "bob")] {
            assert_eq!(typed(rules.0, rules.1), "usage: /rules [GROUP] [RULE VALUE]");
        }
        let token = format!("papo_{}", "0".repeat(40));
        for join in ["join", &format!("join {token}")] {
            assert_eq!(typed(join, "bob"), "usage: /join GROUP [TOKEN]");
        }
        for odd in ["0", "5001", "many", "0h", "5 0", "5 5h 5", "366d", "5 5 off"] {
            let usage = "usage: /invite [GROUP] [USES] [8h]";
            assert_eq!(typed(&format!("invite {odd}"), "#team"), usage, "{odd}");
        }
        for other in ["", "ad hugo", "one\nQUIT"] {
            let all = typed(other, "#team");
            assert!(VERBS.iter().all(|verb| all.contains(&typed_as(verb))), "{all}");
            assert!(all.lines().all(|line| line.chars().count() < 80), "{all}");
        }
    }

    #[test]
    fn an_invitation_says_for_whom_and_how_long_it_is_good() {
        assert_eq!(good_for("1", "86400"), "1 person within 1 day");
        assert_eq!(good_for("5", "5400"), "5 people within 1 hour 30 minutes");
    }
}
