//! Messages that are changed or deleted later, by ntfy's sequence ids.
//!
//! A sequence id is the id of the first message, or any name that its sender chose. Nothing about
//! names is kept here: a named message is sent under a `ONCE` key that is made of its conversation
//! and its name, and papo says which message was sent under a key. Once such a message is deleted,
//! the next one under its name has another key.

use sha2::{Digest, Sha256};

use super::answer::Denial;
use super::commands::{self, Published, written_id};
use super::link::Link;
use super::notice::must_fit;
use super::topics::{Scope, Topic};
use crate::chat::OnceKey;
use crate::entry::EntryId;
use crate::limits;
use crate::name::{Handle, Target};
use crate::wire::reply::Reply;

/// A sequence id as it was given.
pub struct Sequence {
    pub spelled: String,
    /// Its number, if it is one.
    id: Option<EntryId>,
    /// It may be a name. It is none if it begins with 0 and has 12 digits, as the ids of messages do
    /// that are not very high.
    is_name: bool,
}

/// Digits of a written id, at least.
const ID_DIGITS: usize = 12;

/// What stands before the number of a command that was put off.
const LATER: &str = "at-";

/// What a publication that was put off has in place of an id.
pub fn later_id(number: u64) -> String {
    format!("{LATER}{number}")
}

impl Sequence {
    /// # Errors
    /// It has no form of one.
    pub fn new(spelled: &str) -> Result<Sequence, Denial> {
        let is_valid = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        if !(1..=limits::KEY_MAX).contains(&spelled.len()) || !spelled.bytes().all(is_valid) {
            return Err(Denial::new(40049, "invalid sequence id: up to 64 of A-Z a-z 0-9 _ -"));
        }
        let is_number = spelled.bytes().all(|b| b.is_ascii_digit());
        let id = spelled.parse().ok().filter(|_| is_number).map(EntryId);
        let is_id = id.is_some_and(|id| spelled.starts_with('0') && written_id(id) == spelled);
        Ok(Sequence { spelled: spelled.to_owned(), id, is_name: !is_id })
    }

    /// The number of a command that was put off, if it is one's.
    pub fn later(&self) -> Option<u64> {
        self.spelled.strip_prefix(LATER)?.parse().ok()
    }

    /// The last message under its name, if there is one, and the key for the next; `None` if the
    /// keys are used up.
    async fn named(
        &self,
        link: &mut Link,
        target: &Target,
    ) -> Result<(Option<EntryId>, Option<String>), Denial> {
        let mut last = None;
        for generation in 0..limits::HTTP_GENERATIONS {
            let key = key(target, &self.spelled, generation);
            match commands::first_under(link, &key).await? {
                Some(id) => last = Some(id),
                None => return Ok((last, Some(key))),
            }
        }
        Ok((last, None))
    }

    /// Its number.
    ///
    /// # Errors
    /// It is none.
    pub fn number(&self) -> Result<EntryId, Denial> {
        self.id.ok_or_else(|| no_such_message(&self.spelled))
    }

    /// Which message it means.
    ///
    /// # Errors
    /// There is no message of that name, and it is no number.
    pub async fn message(&self, link: &mut Link, target: &Target) -> Result<EntryId, Denial> {
        let named = match self.is_name {
            true => self.named(link, target).await?.0,
            false => None,
        };
        named.map_or_else(|| self.number(), Ok)
    }

    /// Says a text: as the new one of its message, or in a message of its own; at most once under
    /// the key of an `Idempotency-Key`.
    ///
    /// # Errors
    /// papo refuses it.
    pub async fn say(
        &self,
        link: &mut Link,
        me: &Handle,
        topic: &Topic,
        said: &str,
        idempotency: Option<&str>,
    ) -> Result<Published, Denial> {
        let target = topic.target()?;
        must_fit(said)?;
        let once = idempotency.map(|key| self.once(key, "PUT", target, said));
        if let Some(once) = &once {
            match commands::made_once(link, once).await {
                Ok(Some(first)) => return Ok(first),
                Ok(None) => {}
                // It may be that of the same message without a sequence id.
                Err(denial) if denial.code == 40905 => {
                    return commands::say(link, target, said, idempotency).await;
                }
                Err(denial) => return Err(denial),
            }
        }
        let once = once.as_ref();
        let (mut last, mut key) = (None, None);
        if self.is_name {
            (last, key) = self.named(link, target).await?;
        }
        // A message under a name is of this conversation.
        if let (None, Some(id)) = (last, self.id.filter(|_| self.spelled.len() >= ID_DIGITS)) {
            match must_be_in(link, me, topic, id).await {
                Ok(()) => last = Some(id),
                // A long number without a message, such as a time, is a name after all.
                Err(denial) if denial.code == 40401 && self.is_name => {}
                Err(denial) => return Err(denial),
            }
        }
        if let Some(id) = last {
            match commands::edit(link, id, said, once).await {
                // It was deleted meanwhile, or is so old that it was forgotten or that it may not be
                // changed any more (`--amend`).
                Err(denial)
                    if self.is_name
                        && (denial.code == 40401 || denial.text.starts_with("too-late:")) => {}
                edited => return edited,
            }
        }
        commands::say_once(link, target, said, key.as_deref(), once).await
    }

    /// What an `Idempotency-Key` is for: one request with one text.
    pub fn once(&self, key: &str, method: &str, target: &Target, said: &str) -> OnceKey {
        OnceKey::new(key, &format!("{method} {target} {}", self.spelled), said)
    }
}

/// The key of the message of this name in a conversation; `generation` counts those before it.
fn key(target: &Target, name: &str, generation: usize) -> String {
    let digest = Sha256::digest(format!("{target} {name} {generation}"));
    let mut key = String::from("sequence-");
    for byte in &digest[..16] {
        key.push_str(&format!("{byte:02x}"));
    }
    key
}

/// Makes sure that a message is of the conversation of a topic. The topic of my own handle has
/// those of many.
///
/// # Errors
/// It is not.
pub async fn must_be_in(
    link: &mut Link,
    me: &Handle,
    topic: &Topic,
    id: EntryId,
) -> Result<(), Denial> {
    let Scope::One(target) = &topic.scope else { return Ok(()) };
    if *target == Target::Person(me.clone()) {
        return Ok(());
    }
    let (after, before) = (id.0.saturating_sub(1).max(0), id.0.saturating_add(1));
    link.send(format!("HIST {target} 1 after {after} before {before}\n").as_bytes()).await?;
    match link.reply().await? {
        Reply::Listed { count: 1.., .. } => Ok(()),
        _ => Err(no_such_message(&id.0.to_string())),
    }
}

fn no_such_message(named: &str) -> Denial {
    Denial::new(40401, format!("no-such-message: {named}: there is no such message here"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_names_are_told_apart() {
        let of = |spelled: &str| Sequence::new(spelled).map(|s| (s.id.map(|id| id.0), s.is_name));
        assert_eq!(of("000000000017"), Ok((Some(17), false)));
        assert_eq!(of("17"), Ok((Some(17), true)));
        assert_eq!(of("1795873373123"), Ok((Some(1_795_873_373_123), true)));
        assert_eq!(of("backup_2-b"), Ok((None, true)));
        assert_eq!(of(&"9".repeat(64)), Ok((None, true)));
        for bad in ["", "a b", "a/b", "é", "a\nQUIT", &"x".repeat(65)] {
            assert_eq!(of(bad).unwrap_err().code, 40049, "{bad:?}");
        }
        assert_eq!(Sequence::new(&later_id(3)).unwrap().later(), Some(3));
        assert_eq!(Sequence::new("at-").unwrap().later(), None);
    }

    #[test]
    fn each_name_has_its_keys_in_each_conversation() {
        let target = |text: &str| Target::new(text).unwrap();
        let one = key(&target("bob"), "a", 0);
        assert!(one.len() <= limits::KEY_MAX);
        for other in [("#bob", "a", 0), ("bob", "b", 0), ("bob", "a", 1)] {
            assert_ne!(key(&target(other.0), other.1, other.2), one, "{other:?}");
        }
    }
}
