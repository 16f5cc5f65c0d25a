//! System users who need no secret: over a Unix socket the kernel identifies the peer.

use std::fs;
use std::sync::OnceLock;

use super::Session;
use super::answer::Answer;
use super::intake::CHANGE;
use crate::chat::Act;
use crate::origin::Origin;
use crate::wire::refusal::Refusal;
use crate::wire::reply::{List, Reply};
use crate::wire::rows::UidLine;

impl Session {
    /// The peer's uid, over a Unix socket. `None` for the overflow uid, which stands for everyone
    /// not mapped into papod's user namespace.
    pub(super) fn user(&self) -> Option<u32> {
        match self.origin() {
            Origin::User(user) => Some(user).filter(|user| !is_anyone(*user)),
            Origin::Address(_) => None,
        }
    }

    /// `UID LINK`
    pub(super) fn link(&mut self) -> Answer {
        let user = self.user().ok_or(Refusal::UserUnknown)?;
        self.charge(CHANGE)?;
        self.hand_over(vec![Act::Link { user, on: true }], 0);
        Ok(None)
    }

    /// `UID LIST`
    pub(super) async fn links(&mut self) -> Answer {
        let me = self.me()?.account;
        let users = self.ask(move |reader| reader.links(me)).await?;
        self.say(|out| users.iter().for_each(|user| UidLine { user: *user }.write(out)));
        Ok(Some(Reply::Counted { list: List::Links, count: users.len() }))
    }
}

/// Whether a uid stands for many users (user_namespaces(7), "Unmapped user and group IDs").
fn is_anyone(user: u32) -> bool {
    static OVERFLOW: OnceLock<u32> = OnceLock::new();
    let overflow = OVERFLOW.get_or_init(|| {
        let known = fs::read_to_string("/proc/sys/kernel/overflowuid").ok();
        known.and_then(|number| number.trim().parse().ok()).unwrap_or(65_534)
    });
    user == *overflow || user == u32::MAX
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_number_of_many_users_is_nobodys() {
        let overflow = std::fs::read_to_string("/proc/sys/kernel/overflowuid");
        let overflow = overflow.map_or(65_534, |number| number.trim().parse().unwrap());
        assert!(super::is_anyone(overflow) && super::is_anyone(u32::MAX));
        assert!(!super::is_anyone(0) && !super::is_anyone(1_000));
    }
}
