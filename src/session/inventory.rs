//! Operators' lists: accounts, groups, files. Each command shows a page of at most
//! [`limits::ADMIN_ROWS`], read in parts, so its cost does not depend on how much there is.

use std::collections::HashMap;

use super::answer::Answer;
use super::nodes::session_line;
use super::{Session, tokens};
use crate::chat::Order;
use crate::entry::{EntryId, Millis};
use crate::limits;
use crate::name::{Handle, Target};
use crate::store::{self, AccountInvitation, AccountRow, FileRow, GroupRow, ListPage};
use crate::wire::refusal::Refusal;
use crate::wire::reply::{AdminList, List, Reply};
use crate::wire::rows::{
    AccountLine, AccountState, FileLine, GroupLine, InvitationLine, MemberLine, TokenLine, UidLine,
};

impl Session {
    /// `ADMIN USERS`
    pub(super) async fn list_users(&mut self, mut after: Option<Handle>) -> Answer {
        let mut rows = Vec::<AccountRow>::new();
        let more = loop {
            // One more than is shown tells whether there is more.
            let asked = (limits::ADMIN_ROWS - rows.len()).min(limits::PAGE_ROWS) + 1;
            let part = self.ask(move |reader| reader.account_rows(after.as_ref(), asked)).await?;
            let more = part.len() == asked;
            rows.extend(part.into_iter().take(asked - 1));
            if !more || rows.len() == limits::ADMIN_ROWS {
                break more;
            }
            after = rows.last().map(|row| row.handle.clone());
        };
        if let [first, ..] = &*rows
            && let [.., last] = &*rows
        {
            let (first, last) = (first.handle.clone(), last.handle.clone());
            let sessions = self.sessions_of_accounts(first, last).await?;
            for part in rows.chunks(limits::PAGE_ROWS) {
                self.say(|out| part.iter().for_each(|row| account_line(row, &sessions).write(out)));
                self.flush().await?;
            }
        }
        Ok(Some(self.listed(AdminList::Users, rows.len(), more)))
    }

    /// `ADMIN USER SHOW`: the account, its sessions, tokens, linked users and groups.
    pub(super) async fn show_user(&mut self, handle: Handle) -> Answer {
        let asked = handle.clone();
        let found = self.ask(move |reader| {
            let (row, known) = (reader.account_row(&asked)?, reader.account(&asked)?);
            let Some((row, known)) = row.zip(known) else { return Ok(None) };
            Ok(Some((row, known.id, reader.tokens(known.id)?, reader.links(known.id)?)))
        });
        let found = found.await?;
        let Some((row, id, tokens, users)) = found else {
            return Err(Refusal::NoSuchAccount(handle).into());
        };
        let mut sessions = self.all_sessions().await?;
        sessions.retain(|session| session.handle.as_ref() == Some(&handle));
        let count = 1 + sessions.len() + tokens.len() + users.len();
        self.say(|out| {
            let counts = HashMap::from([(handle.clone(), sessions.len())]);
            account_line(&row, &counts).write(out);
            for session in &sessions {
                session_line(session).write(out);
            }
            for token in &tokens {
                let (label, created) = (&*token.label, token.created);
                TokenLine { label, created, used: token.used, to: token.to.clone() }.write(out);
            }
            users.iter().for_each(|user| UidLine { user: *user }.write(out));
        });
        let count = count + self.groups_of(id).await?;
        self.event("admin-user-show", format_args!("handle={handle}"));
        Ok(Some(Reply::Counted { list: List::Account, count }))
    }

    /// `ADMIN GROUPS`
    pub(super) async fn list_groups(&mut self, mut after: Option<Handle>) -> Answer {
        let mut count = 0;
        loop {
            let from = after.clone();
            let most = (limits::ADMIN_ROWS - count).min(limits::PAGE_ROWS);
            let page = self.ask(move |reader| reader.all_groups(from.as_ref(), most)).await?;
            let ListPage { rows, next } = page;
            count += rows.len();
            self.say(|out| {
                for GroupRow { name, members, topic, .. } in &rows {
                    let topic = Some(topic.as_ref()).filter(|topic| !topic.is_empty());
                    let (group, topic) = (Target::Group(name.clone()), topic.map(Into::into));
                    GroupLine { group, role: None, members: *members, topic }.write(out);
                }
            });
            after = next;
            if after.is_none() || count == limits::ADMIN_ROWS {
                let more = after.is_some();
                return Ok(Some(self.listed(AdminList::Groups, count, more)));
            }
            self.flush().await?;
        }
    }

    /// `ADMIN GROUP WHO`
    pub(super) async fn list_members(&mut self, name: Handle) -> Answer {
        let asked = name.clone();
        let Some(id) = self.ask(move |reader| reader.group_named(&asked)).await? else {
            return Err(Refusal::NoGroupHasName(name).into());
        };
        let rows = self.members_of(id).await?;
        self.say(|out| {
            for (handle, admin) in &rows {
                let (group, handle) = (Target::Group(name.clone()), handle.clone());
                MemberLine { group, handle, role: (*admin).into() }.write(out);
            }
        });
        self.event("admin-group-who", format_args!("group={name}"));
        Ok(Some(Reply::Counted { list: List::GroupMembers, count: rows.len() }))
    }

    /// `ADMIN FILES`
    pub(super) async fn list_files(&mut self, mut after: EntryId) -> Answer {
        let mut count = 0;
        loop {
            let from = after;
            let asked = (limits::ADMIN_ROWS - count).min(limits::PAGE_ROWS) + 1;
            let rows = self.ask(move |reader| reader.file_rows(from, asked)).await?;
            let more = rows.len() == asked;
            let rows = &rows[..rows.len().min(asked - 1)];
            self.say(|out| {
                for FileRow { id, time, from, to, bytes, name } in rows {
                    let (from, to, name) = (from.clone(), to.clone(), (&**name).into());
                    FileLine { id: *id, time: *time, from, to, bytes: *bytes, name }.write(out);
                }
            });
            count += rows.len();
            after = rows.last().map_or(after, |row| row.id);
            if !more || count == limits::ADMIN_ROWS {
                return Ok(Some(self.listed(AdminList::Files, count, more)));
            }
            self.flush().await?;
        }
    }

    /// `ADMIN INVITE`
    pub(super) async fn invite_account(&mut self, uses: u32, seconds: u64) -> Answer {
        let created = self.services.clock.now();
        let known = self.ask(|reader| reader.invitations(limits::ACCOUNT_INVITATIONS)).await?;
        if known.iter().filter(|known| known.until > created).count() == limits::ACCOUNT_INVITATIONS
        {
            return Err(Refusal::TooManyOf("invitations; ADMIN INVITE - voids all").into());
        }
        let invitation = tokens::new_invitation().ok_or(Refusal::Bug)?;
        let hash = tokens::invitation_hash(&invitation);
        // At most a year, as the rule has checked.
        let until = Millis(created.0 + 1_000 * seconds.cast_signed());
        self.order(Order::Invite(AccountInvitation { hash, created, uses, until })).await?;
        let id = tokens::invitation_id(&hash);
        self.event("admin-invite", format_args!("uses={uses} seconds={seconds} invitation={id}"));
        Ok(Some(Reply::AccountInvited(Some(invitation))))
    }

    /// `ADMIN INVITES`
    pub(super) async fn list_invitations(&mut self) -> Answer {
        let mut rows = self.ask(|reader| reader.invitations(limits::ACCOUNT_INVITATIONS)).await?;
        let now = self.services.clock.now();
        rows.retain(|row| row.until > now);
        self.say(|out| {
            for AccountInvitation { hash, created, uses, until } in &rows {
                let id = &*tokens::invitation_id(hash);
                InvitationLine { id, created: *created, uses: *uses, until: *until }.write(out);
            }
        });
        self.event("admin-invites", format_args!("rows={}", rows.len()));
        Ok(Some(Reply::Counted { list: List::Invitations, count: rows.len() }))
    }

    /// The final line of a list, which is also logged.
    fn listed(&self, list: AdminList, count: usize, more: bool) -> Reply {
        self.event(&format!("admin-{}", list.word().to_lowercase()), format_args!("rows={count}"));
        Reply::AdminPage { list, count, more }
    }
}

fn account_line<'a>(row: &'a AccountRow, sessions: &HashMap<Handle, usize>) -> AccountLine<'a> {
    AccountLine {
        handle: row.handle.clone(),
        created: row.created,
        seen: row.seen,
        sessions: sessions.get(&row.handle).copied().unwrap_or(0),
        standing: match row.standing {
            store::AccountState::Enabled => AccountState::Enabled,
            store::AccountState::Disabled => AccountState::Disabled,
            store::AccountState::Deleted => AccountState::Deleted,
        },
        name: row.name.as_str().into(),
    }
}
