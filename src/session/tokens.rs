//! Tokens, with which scripts log in instead of a password, and those that let people join a group.
//!
//! A token is random, so one round of SHA-256 protects it as well as many would: there is nothing
//! to guess. A login with it is thousands of times cheaper than one with a password.

use sha2::{Digest, Sha256};

use super::Session;
use super::answer::Answer;
use super::intake::CHANGE;
use crate::chat::Act;
use crate::name::{Handle, Target};
use crate::wire::refusal::Refusal;
use crate::wire::reply::{List, Reply};
use crate::wire::request::{INVITATION, INVITATION_DIGITS};
use crate::wire::rows::TokenLine;

/// The prefix of every token, by which papod and scanners of leaked files recognise it.
const PREFIX: &str = "papo_";
/// Random bytes of a token: 160 bits, 40 hexadecimal digits.
const RANDOM: usize = 20;

/// A new token, or another random secret; `None` if the system gives no random bytes.
pub(super) fn new() -> Option<Box<str>> {
    let mut random = [0; RANDOM];
    getrandom::fill(&mut random).ok()?;
    let digits = random.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    Some(format!("{PREFIX}{digits}").into())
}

/// The hash under which a token is stored; `None` if `secret` does not have the form of one.
pub fn hash(secret: &str) -> Option<[u8; 32]> {
    let is_token = secret.starts_with(PREFIX) && secret.len() == PREFIX.len() + 2 * RANDOM;
    is_token.then(|| Sha256::digest(secret).into())
}

/// A new invitation; `None` if the system gives no random bytes.
pub(super) fn new_invitation() -> Option<Box<str>> {
    let mut random = [0; INVITATION_DIGITS / 2];
    getrandom::fill(&mut random).ok()?;
    let digits = random.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    Some(format!("{INVITATION}{digits}").into())
}

/// The hash under which an invitation is stored.
pub(super) fn invitation_hash(invitation: &str) -> [u8; 32] {
    Sha256::digest(invitation).into()
}

/// What lists and the log call it: the beginning of its hash.
pub(super) fn invitation_id(hash: &[u8; 32]) -> String {
    hash[..6].iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Session {
    /// `TOKEN NEW`
    pub(super) async fn new_token(&mut self, label: Box<str>, to: Option<Target>) -> Answer {
        self.must_have_password()?;
        if let Some(to) = &to {
            self.may_write(to).await?;
        }
        self.charge(CHANGE)?;
        let token = new().ok_or(Refusal::Bug)?;
        let hash = hash(&token).ok_or(Refusal::Bug)?;
        self.hand_over(vec![Act::NewToken { label, token, hash, to }], 0);
        Ok(None)
    }

    /// `GROUP INVITE`
    pub(super) fn invite(&mut self, name: Handle, uses: u32, seconds: u64) -> Answer {
        self.charge(CHANGE)?;
        let token = new().ok_or(Refusal::Bug)?;
        let hash = hash(&token).ok_or(Refusal::Bug)?;
        self.hand_over(vec![Act::Invite { name, token, hash, uses, seconds }], 0);
        Ok(None)
    }

    /// `TOKEN LIST`
    pub(super) async fn tokens(&mut self) -> Answer {
        let me = self.me()?.account;
        let tokens = self.ask(move |reader| reader.tokens(me)).await?;
        self.say(|out| {
            for token in &tokens {
                let (label, created, used) = (&*token.label, token.created, token.used);
                TokenLine { label, created, used, to: token.to.clone() }.write(out);
            }
        });
        Ok(Some(Reply::Counted { list: List::Tokens, count: tokens.len() }))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn tokens_are_random_and_known_for_what_they_are() {
        let (one, other) = (super::new().unwrap(), super::new().unwrap());
        assert_ne!(one, other);
        assert_eq!(one.len(), 45);
        assert!(super::hash(&one).is_some());
        assert_ne!(super::hash(&one), super::hash(&other));
        assert_eq!(super::hash("secret-a"), None);
    }
}
