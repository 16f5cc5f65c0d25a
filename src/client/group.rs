//! `papo group`: groups and who is in them.

use super::account::Account;
use super::desk::Desk;
use super::failure::Failure;
use super::json::{self, Object};
use super::lines;
use super::look::show;
use super::progress::{SERVER, shown};
use crate::name::Handle;
use crate::wire::request::GroupChange;
use crate::wire::text;

/// Changes a group. It is said once: where the connection breaks before the answer, nobody knows.
///
/// # Errors
/// Any.
pub async fn change(
    account: &Account,
    group: &Handle,
    change: &GroupChange,
) -> Result<(), Failure> {
    let all = |handles: &[Handle]| handles.iter().map(|handle| format!(" {handle}")).collect();
    let (verb, rest): (_, String) = match change {
        GroupChange::New(handles) => ("NEW", all(handles)),
        GroupChange::Add(handles) => ("ADD", all(handles)),
        GroupChange::Remove(handle) => ("REMOVE", format!(" {handle}")),
        GroupChange::Admin(handle) => ("ADMIN", format!(" {handle}")),
        GroupChange::Topic(topic) => ("TOPIC", format!(" {}", lines::escaped(topic))),
        GroupChange::Leave => ("LEAVE", String::new()),
    };
    let mut desk = Desk::hasty(account);
    shown(SERVER, desk.ask_once(&format!("GROUP {verb} {group}{rest}"))).await.map(drop)
}

/// Shows the groups of this account.
///
/// # Errors
/// Any.
pub async fn list(account: &Account, as_json: bool) -> Result<(), Failure> {
    show(account, "GROUP LIST", "GROUPS", |row| {
        if !as_json {
            return one(row);
        }
        let columns: Vec<&str> = row.splitn(5, ' ').collect();
        let [_, group, role, members, topic] = columns[..] else { return None };
        let object = Object::new().text("group", group).text("role", role);
        let object = object.bare("members", json::number(members));
        Some(object.text_or_null("topic", &text::unescape(topic)).end())
    })
    .await
    .map(drop)
}

/// A row about a group, for a person.
pub fn one(row: &str) -> Option<String> {
    let columns: Vec<&str> = row.splitn(5, ' ').collect();
    let [_, group, role, members, topic] = columns[..] else { return None };
    let topic = if topic == "-" { String::new() } else { text::unescape(topic).replace('\n', " ") };
    Some(format!("{group:<20}  {role:<6}  {members:>5}  {topic}").trim_end().to_owned())
}

/// Shows who is in a group.
///
/// # Errors
/// Any.
pub async fn who(account: &Account, group: &Handle, as_json: bool) -> Result<(), Failure> {
    show(account, &format!("GROUP WHO {group}"), "MEMBER", |row| {
        if !as_json {
            return member(row);
        }
        let words: Vec<&str> = row.split(' ').collect();
        let [_, group, handle, role] = words[..] else { return None };
        Some(Object::new().text("group", group).text("handle", handle).text("role", role).end())
    })
    .await
    .map(drop)
}

/// A row about a member, for a person.
pub fn member(row: &str) -> Option<String> {
    let words: Vec<&str> = row.split(' ').collect();
    let [_, _, handle, role] = words[..] else { return None };
    Some(format!("{handle:<20}  {role}"))
}
