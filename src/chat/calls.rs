//! Calls: whom a message in a group names, as `@bob`, so that clients can alert them.
//!
//! A handle is called if `@` stands before it, and before that no character of a handle, no `@` and
//! no `/`, so that addresses and paths call nobody. Only members are called, and nobody calls
//! themselves.

use memchr::memchr_iter;

use super::Chat;
use super::stop::{Stop, all};
use crate::entry::{AccountId, Call};
use crate::limits;
use crate::name::Handle;
use crate::store::{Conversation, Member};

impl Chat {
    /// Whom a message of `me` in a group calls: `first`, if it answers somebody, then the members
    /// that its text names, in their order.
    ///
    /// # Errors
    /// What has to be looked up first.
    pub(super) fn calls(
        &self,
        me: AccountId,
        log: &Conversation,
        first: Option<Handle>,
        text: &str,
    ) -> Result<Vec<Call>, Stop> {
        let named = named(text);
        let is_admin = log.member(me).is_some_and(|member| member.admin);
        let is_in = |id: AccountId| id != me && log.member(id).is_some_and(Member::is_in);
        let calls = named.into_iter().map(|call| match call {
            Call::All => Ok(is_admin.then_some(Call::All)),
            Call::Handle(handle) => {
                let known = self.directory.handle(&handle)?;
                Ok(known.is_some_and(is_in).then_some(Call::Handle(handle)))
            }
        });
        let called = all(limits::CALLS, calls)?;
        let mut calls: Vec<Call> = first.into_iter().map(Call::Handle).collect();
        for call in called.into_iter().flatten() {
            if calls.len() < limits::CALLS && !calls.contains(&call) {
                calls.push(call);
            }
        }
        Ok(calls)
    }
}

/// What a text may call, each once and in order: as many as [`limits::CALLS_READ`].
fn named(text: &str) -> Vec<Call> {
    let bytes = text.as_bytes();
    let is_of_handle = |b: &u8| b.is_ascii_alphanumeric() || b"._-".contains(b);
    let mut named = Vec::new();
    for at in memchr_iter(b'@', bytes) {
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        if before.is_some_and(|b| is_of_handle(b) || b"@/".contains(b)) {
            continue;
        }
        let rest = text.get(at + 1..).unwrap_or_default();
        let end = rest.bytes().position(|b| !is_of_handle(&b)).unwrap_or(rest.len());
        let word = rest.get(..end).unwrap_or_default().trim_end_matches(['.', '_', '-']);
        let call = match Handle::new(word) {
            Some(handle) if handle.as_str() == "all" => Call::All,
            Some(handle) => Call::Handle(handle),
            None => continue,
        };
        if !named.contains(&call) {
            named.push(call);
            if named.len() == limits::CALLS_READ {
                break;
            }
        }
    }
    named
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> String {
        let name = |call: Call| match call {
            Call::All => "@all".to_owned(),
            Call::Handle(handle) => handle.to_string(),
        };
        named(text).into_iter().map(name).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_handle_is_called_at_the_beginning_of_a_word() {
        assert_eq!(said("@bob fish or pizza?"), "bob");
        assert_eq!(said("ask @Bob, (@cid), «@dan» and @eve."), "bob cid dan eve");
        assert_eq!(said("@bob @cid @BOB"), "bob cid");
        assert_eq!(said("@bob-@cid"), "bob");
        assert_eq!(said("@a.b-c_d._-!"), "a.b-c_d");
        assert_eq!(said("é@bob\n@cid"), "bob cid");
        assert_eq!(said("@ALL and @all.of.us"), "@all all.of.us");
    }

    #[test]
    fn addresses_paths_and_what_is_no_handle_call_nobody() {
        assert_eq!(said("ana@example.org a.@bob -@bob"), "");
        assert_eq!(said("@@bob /@bob x/@bob"), "");
        assert_eq!(said("@ @a @4x @"), "");
        assert_eq!(said(&format!("@{}", "x".repeat(33))), "");
    }

    #[test]
    fn so_many_are_read_and_no_more() {
        let many: String = (0..2 * limits::CALLS_READ).map(|n| format!("@u{n} ")).collect();
        assert_eq!(named(&many).len(), limits::CALLS_READ);
    }
}
