//! Hashing and verifying secrets: a session waits for the hashing threads, unless it must end.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use smol::Timer;

use super::answer::{Halt, whole_seconds};
use super::warnings::Obstacle;
use super::{End, Services, Session};
use crate::brake::Guess;
use crate::entry::SessionId;
use crate::limits;
use crate::name::Handle;
use crate::node_report::NodeEvent;
use crate::origin::Origin;
use crate::password::Failed;
use crate::wire::refusal::Refusal;
use crate::wire::request::Secret;

impl Session {
    /// Hashes a new password.
    pub(super) async fn hash(&mut self, password: Secret) -> Result<String, Halt> {
        let (services, origin) = (self.services.clone(), self.origin());
        let hashed = self.or_end(services.hasher.hash(origin, password.0)).await?;
        Ok(hashed.inspect_err(|e| self.note_failed(*e))?)
    }

    /// Whether `secret` matches the hash `known`. After too many failures this waits, or is
    /// refused: see [`crate::brake`].
    pub(super) async fn verify(
        &mut self,
        handle: &Handle,
        secret: Secret,
        known: Option<String>,
    ) -> Result<bool, Halt> {
        let services = self.services.clone();
        let guess = Guess::new(handle.clone(), self.origin());
        let mut patience = limits::GUESS_WAIT;
        loop {
            let asked = services.hasher.verify(guess.clone(), secret.0.clone(), known.clone());
            let wait = match self.or_end(asked).await? {
                Err(Failed::Braked(wait)) if wait <= patience => wait,
                Err(Failed::Braked(wait)) => {
                    // Logged without the handle: a user may have swapped handle and password.
                    self.note(Obstacle::Guesses);
                    return Err(Failed::Braked(wait).into());
                }
                verified => {
                    if let Ok(is_right) = verified {
                        services.hub.tell_nodes(NodeEvent::Guessed { guess, is_right });
                    }
                    return Ok(verified.inspect_err(|e| self.note_failed(*e))?);
                }
            };
            // Another session's attempt may come first; then this one waits again.
            patience -= wait;
            self.pause(wait).await?;
        }
    }

    fn note_failed(&self, failed: Failed) {
        if failed == Failed::Busy {
            self.note(Obstacle::Limit("--limit-secrets"));
        }
    }

    /// Waits for `time`, or until the session must end.
    pub(super) async fn pause(&mut self, time: Duration) -> Result<(), End> {
        self.or_end(Timer::after(time)).await?;
        Ok(())
    }

    /// Waits for something other than the connection, or until the session must end. `awaited` is
    /// then dropped, which cancels a question or hash that has not begun.
    pub(super) async fn or_end<T>(&mut self, awaited: impl Future<Output = T>) -> Result<T, End> {
        let mut awaited = pin!(awaited);
        poll_fn(|cx| match self.poll_over(cx) {
            Some(bye) => Poll::Ready(Err(End::Bye(bye))),
            None => awaited.as_mut().poll(cx).map(Ok),
        })
        .await
    }
}

impl Services {
    /// Counts and logs a wrong token that no `LOGIN` came with. Like a wrong password, it waits
    /// after too many before it, unless that would take too long.
    ///
    /// # Errors
    /// There were too many: [`Refusal::TooFast`].
    pub async fn wrong_token(&self, session: SessionId, origin: Origin) -> Result<(), Refusal> {
        let guess = Guess::at_token(origin);
        let mut patience = limits::GUESS_WAIT;
        while let Err(wait) = self.hasher.note_wrong(&guess) {
            if wait > patience {
                self.roster.note(Obstacle::Guesses, origin);
                return Err(Refusal::TooFast { seconds: whole_seconds(wait) });
            }
            // Another attempt may come first; then this one waits again.
            patience -= wait;
            Timer::after(wait).await;
        }
        self.hub.tell_nodes(NodeEvent::Guessed { guess, is_right: false });
        log::info!("wrong-secret session={} from={origin} handle=-", session.0);
        Ok(())
    }
}
