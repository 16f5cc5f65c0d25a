//! Sessions that stay logged in from one request of a connection to the next.
//!
//! A login costs several times what a message does. So a connection keeps the session of its last
//! request, quiet and idle, for the next one that shows the same credentials.

use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::HttpConnection;
use super::answer::Denial;
use super::link::Link;
use super::request::Head;
use super::who::{self, Login};
use crate::limits;
use crate::name::{Handle, Target};

/// A session that is logged in for a request.
pub struct AccountLink {
    pub link: Link,
    pub handle: Handle,
    /// The target of a hook.
    hook: Option<Target>,
    /// What it showed to log in.
    shown: CredentialHash,
    /// When it logged in.
    since: Instant,
}

/// A hash of the credentials of a request, so that secrets are not kept in memory.
#[derive(Clone, Copy, PartialEq, Eq)]
struct CredentialHash([u8; 32]);

impl CredentialHash {
    fn new(form: &str, credentials: &str) -> CredentialHash {
        let hash = Sha256::new().chain_update(form).chain_update([0]).chain_update(credentials);
        CredentialHash(hash.finalize().into())
    }
}

/// After so long a session logs in anew, so that it is seen when a token was last used.
const KEPT: Duration = Duration::from_millis(limits::TOKEN_USED_MILLIS.unsigned_abs());

impl HttpConnection {
    /// Logs in with the credentials of a request.
    ///
    /// # Errors
    /// They are missing or wrong, or the login is refused.
    pub(super) async fn log_in(&mut self, head: &Head) -> Result<AccountLink, Denial> {
        let shown = CredentialHash::new("login", head.header("authorization").unwrap_or_default());
        if let Some(link) = self.take_kept(shown) {
            return Ok(link);
        }
        let login = who::login(head, false, self).await?;
        self.log_in_anew(login, None, shown).await
    }

    /// Logs in with the token of a hook. Returns its target, too.
    ///
    /// # Errors
    /// There is no such hook, or the login is refused.
    pub(super) async fn log_in_hook(
        &mut self,
        token: &str,
    ) -> Result<(AccountLink, Target), Denial> {
        let shown = CredentialHash::new("hook", token);
        if let Some(link) = self.take_kept(shown)
            && let Some(target) = link.hook.clone()
        {
            return Ok((link, target));
        }
        let (login, target) = who::hook(token, self).await?;
        let link = self.log_in_anew(login, Some(target.clone()), shown).await?;
        Ok((link, target))
    }

    async fn log_in_anew(
        &mut self,
        login: Login,
        hook: Option<Target>,
        shown: CredentialHash,
    ) -> Result<AccountLink, Denial> {
        let link = self.open_session(&login, "quiet").await?;
        Ok(AccountLink { link, handle: login.handle, hook, shown, since: Instant::now() })
    }

    /// Opens a session, which is then the only one of this connection; `word` is `quiet` or `watch`.
    ///
    /// # Errors
    /// The login is refused.
    pub(super) async fn open_session(&mut self, login: &Login, word: &str) -> Result<Link, Denial> {
        self.kept = None;
        Link::log_in(&mut self.admission, login, word).await
    }

    fn take_kept(&mut self, shown: CredentialHash) -> Option<AccountLink> {
        let kept = *self.kept.take()?;
        let is_usable = kept.shown == shown && kept.since.elapsed() < KEPT;
        Some(kept).filter(|_| is_usable && self.admission.bye().is_none())
    }

    /// Keeps a session, all of whose commands are answered, for the next request.
    pub(super) fn keep(&mut self, link: AccountLink) {
        self.kept = Some(Box::new(link));
    }
}
