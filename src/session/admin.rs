//! `ADMIN`: operators' commands, served only on the `--admin` socket.

use std::borrow::Cow;
use std::path::Path;

use smol::channel;

use super::Session;
use super::answer::{Answer, Halt};
use crate::chat::Order;
use crate::hub::Work;
use crate::name::DisplayName;
use crate::store::BackupError;
use crate::wire::refusal::Refusal;
use crate::wire::reply::{List, Reply};
use crate::wire::request::Admin;
use crate::wire::rows::ProblemLine;
use crate::wire::text;

impl Session {
    /// `ADMIN`
    pub(super) async fn administer(&mut self, asked: Admin) -> Answer {
        match asked {
            Admin::Sessions => self.list_sessions().await,
            Admin::Kick(handle) => {
                let count = self.order(Order::Kick(handle.clone())).await?;
                self.event("admin-kick", format_args!("handle={handle} sessions={count}"));
                Ok(Some(Reply::Kicked { sessions: count }))
            }
            Admin::NewUser { handle, password, name } => {
                let name = name.unwrap_or_else(|| DisplayName::from(&handle));
                let secret = self.hash(password).await?;
                self.order(Order::NewUser { handle: handle.clone(), name, secret }).await?;
                self.event("admin-user-new", format_args!("handle={handle}"));
                Ok(Some(Reply::Managed { words: "USER NEW", handle }))
            }
            Admin::SetPassword { handle, password } => {
                let secret = self.hash(password).await?;
                self.order(Order::SetSecret { handle: handle.clone(), secret }).await?;
                self.event("admin-user-passwd", format_args!("handle={handle}"));
                Ok(Some(Reply::Managed { words: "USER PASSWD", handle }))
            }
            Admin::Revoke(handle) => {
                self.order(Order::Revoke(handle.clone())).await?;
                self.event("admin-user-revoke", format_args!("handle={handle}"));
                Ok(Some(Reply::Managed { words: "USER REVOKE", handle }))
            }
            Admin::EnableUser { handle, on } => {
                self.order(Order::Enable { handle: handle.clone(), on }).await?;
                let (event, words) = match on {
                    true => ("admin-user-enable", "USER ENABLE"),
                    false => ("admin-user-disable", "USER DISABLE"),
                };
                self.event(event, format_args!("handle={handle}"));
                Ok(Some(Reply::Managed { words, handle }))
            }
            Admin::NameUser { handle, name } => {
                self.order(Order::Rename { handle: handle.clone(), name }).await?;
                self.event("admin-user-name", format_args!("handle={handle}"));
                Ok(Some(Reply::Managed { words: "USER NAME", handle }))
            }
            Admin::Invite { uses, seconds } => self.invite_account(uses, seconds).await,
            Admin::VoidInvitations => {
                self.order(Order::VoidInvitations).await?;
                self.event("admin-invite", format_args!("uses=0"));
                Ok(Some(Reply::AccountInvited(None)))
            }
            Admin::Invitations => self.list_invitations().await,
            Admin::Ban { net, seconds } => self.ban(net, seconds),
            Admin::Unban(net) => self.unban(net),
            Admin::Bans => self.list_bans(),
            Admin::ReadOnly(on) => self.set_read_only(on).await,
            Admin::Say(said) => {
                let sessions = self.order(Order::Say(said.clone())).await?;
                let mut shown = Vec::new();
                text::escape(&said, &mut shown);
                let shown = String::from_utf8_lossy(&shown);
                self.event("admin-say", format_args!("sessions={sessions} text={}", field(&shown)));
                Ok(Some(Reply::Said { sessions }))
            }
            Admin::Log(level) => self.log_level(level),
            Admin::Limits => self.list_limits(),
            Admin::SetLimit { limit, to } => self.set_limit(limit, to),
            Admin::Users { after } => self.list_users(after).await,
            Admin::ShowUser(handle) => self.show_user(handle).await,
            Admin::Groups { after } => self.list_groups(after).await,
            Admin::GroupWho(name) => self.list_members(name).await,
            Admin::Files { after } => self.list_files(after).await,
            Admin::DropUser(handle) => {
                self.order(Order::DropUser(handle.clone())).await?;
                self.event("admin-user-del", format_args!("handle={handle}"));
                Ok(Some(Reply::Managed { words: "USER DEL", handle }))
            }
            Admin::Stats => self.show_stats().await,
            Admin::DropMessage(id) => {
                self.order(Order::DropMessage(id)).await?;
                self.event("admin-del", format_args!("id={}", id.0));
                Ok(Some(Reply::MessageDropped(id)))
            }
            Admin::Backup(path) => self.backup(path).await,
            Admin::Check => {
                let maintenance = self.services.maintenance.clone();
                let found = self.or_end(smol::unblock(move || maintenance.check())).await??;
                for problem in &found {
                    log::error!("the database is damaged: {problem}");
                }
                self.event("admin-check", format_args!("problems={}", found.len()));
                self.say(|out| {
                    for problem in &found {
                        ProblemLine { text: problem.into() }.write(out);
                    }
                });
                Ok(Some(Reply::Counted { list: List::Problems, count: found.len() }))
            }
        }
    }

    async fn backup(&mut self, path: Box<Path>) -> Answer {
        let shown = path.display().to_string();
        let maintenance = self.services.maintenance.clone();
        let done = self.or_end(smol::unblock(move || maintenance.backup(&path))).await?;
        match done {
            Ok(bytes) => {
                self.event("admin-backup", format_args!("bytes={bytes} file={}", field(&shown)));
                Ok(Some(Reply::BackedUp { bytes }))
            }
            Err(BackupError::Exists) => Err(Refusal::FileTaken(shown.into()).into()),
            Err(BackupError::Failed(e)) => {
                log::error!("session {}: backup to {shown} failed: {e}", self.id.0);
                Err(Refusal::NoBackup(e.to_string().into()).into())
            }
        }
    }

    pub(super) async fn order(&self, order: Order) -> Result<usize, Halt> {
        let (answer, answered) = channel::bounded(1);
        self.services.hub.ask(Work::Order { order, answer: answer.into() });
        let done = self.answered(&answered).await?;
        Ok(done.map_err(|refusal| match refusal {
            Refusal::NoSuchUser(handle) => Refusal::NoSuchAccount(handle),
            other => other,
        })?)
    }
}

/// A value in a log line, quoted if it contains a space or quote; backslashes and quotes in it are
/// then escaped.
fn field(value: &str) -> Cow<'_, str> {
    if value.contains([' ', '"']) {
        return format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")).into();
    }
    value.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_one_word_or_in_quotes() {
        assert_eq!(field("/tmp/b.db"), "/tmp/b.db");
        assert_eq!(field("/tmp/a b.db"), r#""/tmp/a b.db""#);
        assert_eq!(field(r#"/a\b "c""#), r#""/a\\b \"c\"""#);
    }
}
