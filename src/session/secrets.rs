//! Secrets on their way to the hashing thread: a session waits for them, unless it is to end.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use super::answer::Stop;
use super::{End, Session};
use crate::wire::request::Secret;

impl Session {
    /// The hash of a new password.
    pub(super) async fn hash(&mut self, password: Secret) -> Result<String, Stop> {
        let (services, origin) = (self.services.clone(), self.origin);
        Ok(self.unless_over(services.hasher.hash(origin, password.0)).await??)
    }

    /// Whether a secret is the password that this is the hash of.
    pub(super) async fn verify(
        &mut self,
        secret: Secret,
        known: Option<String>,
    ) -> Result<bool, Stop> {
        let (services, origin) = (self.services.clone(), self.origin);
        Ok(self.unless_over(services.hasher.verify(origin, secret.0, known)).await??)
    }

    /// Waits for something that is not the connection, or until the session is to end. What was
    /// asked for then has nobody who waits for it, and is not done.
    async fn unless_over<T>(&mut self, awaited: impl Future<Output = T>) -> Result<T, End> {
        let mut awaited = pin!(awaited);
        poll_fn(|cx| match self.poll_over(cx) {
            Some(bye) => Poll::Ready(Err(End::Bye(bye))),
            None => awaited.as_mut().poll(cx).map(Ok),
        })
        .await
    }
}
