//! Passwords: Argon2id on one thread of its own, one at a time, with one buffer that is kept.
//!
//! One thread, because a hash takes a core for milliseconds and 19 MiB: a hundred log-ins at once
//! then cost one core and one buffer, and messages go on. An unknown handle is hashed as well, so
//! that the time says nothing about which handles exist.

use std::thread::{self, JoinHandle};

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use smol::channel::{self, Sender, TrySendError};

use crate::config::PasswordCost;
use crate::limits;

/// The queue in front of the hashing thread, which ends when the last clone of it is gone.
#[derive(Clone)]
pub struct Hasher {
    jobs: Sender<Job>,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failed {
    /// Too many secrets wait already.
    Busy,
    /// The hashing itself failed: a bug, or no memory.
    Broken,
}

struct Job {
    password: Box<str>,
    task: Task,
}

enum Task {
    Hash(Sender<Result<String, Failed>>),
    /// Against a PHC string, or against one that nothing matches.
    Verify(Option<String>, Sender<Result<bool, Failed>>),
}

impl Hasher {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system's, if it gives no thread.
    pub fn start(cost: PasswordCost) -> std::io::Result<(Hasher, JoinHandle<()>)> {
        let (jobs, waiting) = channel::bounded::<Job>(limits::SECRETS);
        let thread = thread::Builder::new().name("hasher".into()).spawn(move || {
            let mut worker = Worker { cost, memory: Vec::new() };
            while let Ok(Job { password, task }) = waiting.recv_blocking() {
                // A session that has ended waits for no answer.
                match task {
                    Task::Hash(answer) => {
                        let _ = answer.try_send(worker.hash(&password));
                    }
                    Task::Verify(known, answer) => {
                        let _ = answer.try_send(worker.verify(&password, known.as_deref()));
                    }
                }
            }
        })?;
        Ok((Hasher { jobs }, thread))
    }

    /// The hash of a new password, as a PHC string.
    ///
    /// # Errors
    /// See [`Failed`].
    pub async fn hash(&self, password: Box<str>) -> Result<String, Failed> {
        let (answer, answered) = channel::bounded(1);
        self.queue(Job { password, task: Task::Hash(answer) })?;
        answered.recv().await.map_err(|_| Failed::Broken)?
    }

    /// Whether a password is the one of this PHC string; with `None` it takes as long and is not.
    ///
    /// # Errors
    /// See [`Failed`].
    pub async fn verify(&self, password: Box<str>, known: Option<String>) -> Result<bool, Failed> {
        let (answer, answered) = channel::bounded(1);
        self.queue(Job { password, task: Task::Verify(known, answer) })?;
        answered.recv().await.map_err(|_| Failed::Broken)?
    }

    fn queue(&self, job: Job) -> Result<(), Failed> {
        self.jobs.try_send(job).map_err(|e| match e {
            TrySendError::Full(_) => Failed::Busy,
            TrySendError::Closed(_) => Failed::Broken,
        })
    }
}

struct Worker {
    cost: PasswordCost,
    memory: Vec<Block>,
}

impl Worker {
    fn hash(&mut self, password: &str) -> Result<String, Failed> {
        let params = self.params()?;
        let salt = Salt::generate();
        let hash = self.derive(password, &salt, &params)?;
        let broken = |_| Failed::Broken;
        let phc = PasswordHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(&params).map_err(|_| Failed::Broken)?,
            salt: Some(salt),
            hash: Some(Output::new(&hash).map_err(broken)?),
        };
        Ok(phc.to_string())
    }

    fn verify(&mut self, password: &str, known: Option<&str>) -> Result<bool, Failed> {
        let known = known.map(PasswordHash::new).transpose().map_err(|_| Failed::Broken)?;
        let parts = known.as_ref().and_then(|known| Some((known, known.salt?, known.hash?)));
        let Some((known, salt, right)) = parts else {
            let params = self.params()?;
            self.derive(password, &Salt::generate(), &params)?;
            return Ok(false);
        };
        let params = Params::try_from(known).map_err(|_| Failed::Broken)?;
        let hash = self.derive(password, &salt, &params)?;
        // `Output` compares in constant time.
        Ok(Output::new(&hash).map_err(|_| Failed::Broken)? == right)
    }

    fn params(&self) -> Result<Params, Failed> {
        Params::new(self.cost.kib, self.cost.passes, 1, Some(HASH)).map_err(|_| Failed::Broken)
    }

    fn derive(
        &mut self,
        password: &str,
        salt: &Salt,
        params: &Params,
    ) -> Result<[u8; HASH], Failed> {
        if self.memory.len() < params.block_count() {
            self.memory = vec![Block::default(); params.block_count()];
        }
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
        let mut hash = [0; HASH];
        argon2
            .hash_password_into_with_memory(
                password.as_bytes(),
                salt.as_ref(),
                &mut hash,
                &mut self.memory[..params.block_count()],
            )
            .map_err(|_| Failed::Broken)?;
        Ok(hash)
    }
}

/// Bytes of a hash: 256 bits.
const HASH: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_fits_its_hash_and_no_other() {
        let cost = PasswordCost { kib: 8, passes: 1 };
        let (hasher, _thread) = Hasher::start(cost).unwrap();
        smol::block_on(async {
            let known = hasher.hash("secret-a".into()).await.unwrap();
            assert!(known.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{known}");
            let ask = |password: &str, known| hasher.verify(password.into(), known);
            assert_eq!(ask("secret-a", Some(known.clone())).await, Ok(true));
            assert_eq!(ask("secret-b", Some(known.clone())).await, Ok(false));
            assert_eq!(ask("secret-a", None).await, Ok(false));
            // Known answer from the reference implementation's test vectors (phc-winner-argon2).
            let vector = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ\
                          $CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
            assert_eq!(ask("password", Some(vector.into())).await, Ok(true));
            assert_ne!(hasher.hash("secret-a".into()).await.unwrap(), known, "each has its salt");
        });
    }
}
