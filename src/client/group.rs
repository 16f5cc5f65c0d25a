//! `papo group`: groups and who is in them.

use super::account::Credentials;
use super::caller::Caller;
use super::failure::Failure;
use super::json::Object;
use super::lines;
use super::progress::{SERVER, shown};
use super::queries::show;
use super::stdout::print;
use crate::name::Handle;
use crate::wire::reply::Reply;
use crate::wire::request::GroupChange;
use crate::wire::rows::{GroupLine, MemberLine, RuleLine, ServerLine};

/// Changes a group. Sent once: if the connection breaks before the answer, the outcome is unknown.
pub async fn change(
    account: &Credentials,
    group: &Handle,
    change: &GroupChange,
) -> Result<(), Failure> {
    let all = |handles: &[Handle]| handles.iter().map(|handle| format!(" {handle}")).collect();
    let (verb, rest): (_, String) = match change {
        GroupChange::New(handles) => ("NEW", all(handles)),
        GroupChange::Add(handles) => ("ADD", all(handles)),
        GroupChange::Remove(handle) => ("REMOVE", format!(" {handle}")),
        GroupChange::Admin(handle) => ("ADMIN", format!(" {handle}")),
        GroupChange::Member(handle) => ("MEMBER", format!(" {handle}")),
        GroupChange::Rule(rule) => ("RULE", format!(" {} {}", rule.name(), rule.value())),
        GroupChange::Join { token } => {
            ("JOIN", token.as_ref().map_or(String::new(), |token| format!(" {}", token.0)))
        }
        GroupChange::VoidInvitations => ("INVITE", " -".to_owned()),
        GroupChange::Topic(topic) => ("TOPIC", format!(" {}", lines::escaped(topic))),
        GroupChange::Leave => ("LEAVE", String::new()),
    };
    let mut caller = Caller::hasty(account);
    shown(SERVER, caller.ask_once(&format!("GROUP {verb} {group}{rest}"))).await.map(drop)
}

/// Makes an invitation and prints its token, which is never shown again.
pub async fn invite(
    account: &Credentials,
    group: &Handle,
    uses: u32,
    seconds: u64,
) -> Result<(), Failure> {
    let command = format!("GROUP INVITE {group} {uses} {seconds}");
    let mut caller = Caller::hasty(account);
    let made = shown(SERVER, caller.ask_once(&command)).await?;
    match made.done()? {
        Reply::Invited { token: Some(token), .. } => print(&token),
        _ => Err(Failure::Wrong("the server did not send an invitation".to_owned())),
    }
}

/// Shows the groups of this account, or the open ones.
pub async fn list(account: &Credentials, open: bool, as_json: bool) -> Result<(), Failure> {
    show(account, if open { "GROUP LIST open" } else { "GROUP LIST" }, |row| {
        let ServerLine::Groups(row) = row else { return None };
        if !as_json {
            return Some(one(&row));
        }
        let GroupLine { group, role, members, topic } = row;
        let object = Object::new().text("group", &group.to_string());
        let object = object.text_or_null("role", role.map(|role| role.as_str()));
        Some(object.bare("members", members).text_or_null("topic", topic.as_deref()).end())
    })
    .await
    .map(drop)
}

/// Formats a group for people.
pub fn one(row: &GroupLine) -> String {
    let (group, role, members) =
        (row.group.to_string(), row.role.map_or("-", |role| role.as_str()), row.members);
    let topic = row.topic.as_deref().unwrap_or_default().replace('\n', " ");
    format!("{group:<20}  {role:<6}  {members:>5}  {topic}").trim_end().to_owned()
}

/// Shows the rules of a group.
pub async fn rules(account: &Credentials, group: &Handle, as_json: bool) -> Result<(), Failure> {
    show(account, &format!("GROUP RULE {group}"), |row| {
        let ServerLine::Rule(row) = row else { return None };
        if !as_json {
            return Some(rule(&row));
        }
        let object = Object::new().text("group", &row.group.to_string());
        Some(object.text("rule", row.rule.name()).text("value", row.rule.value()).end())
    })
    .await
    .map(drop)
}

/// Formats a rule for people.
pub fn rule(row: &RuleLine) -> String {
    format!("{:<6}  {}", row.rule.name(), row.rule.value())
}

/// Shows the members of a group.
pub async fn who(account: &Credentials, group: &Handle, as_json: bool) -> Result<(), Failure> {
    show(account, &format!("GROUP WHO {group}"), |row| {
        let ServerLine::Member(row) = row else { return None };
        if !as_json {
            return Some(member(&row));
        }
        let object = Object::new().text("group", &row.group.to_string());
        Some(object.text("handle", row.handle.as_str()).text("role", row.role.as_str()).end())
    })
    .await
    .map(drop)
}

/// Formats a member for people.
pub fn member(row: &MemberLine) -> String {
    format!("{:<20}  {}", row.handle.as_str(), row.role.as_str())
}
