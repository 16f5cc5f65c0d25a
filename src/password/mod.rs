//! Passwords: Argon2id on one thread of its own, one at a time, with one buffer that is kept.
//!
//! One thread, because a hash takes a core for milliseconds and 19 MiB: a hundred log-ins at once
//! then cost one core and one buffer, and messages go on. Addresses take turns (`turns`), so that
//! one with a thousand connections keeps nobody out. An unknown handle is hashed as well, so that
//! the time says nothing about which handles exist. The brake on guessing is asked when a secret's
//! turn comes, so that many tries at once are held up as those one after the other are.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use smol::channel::{self, Sender};

use crate::brake::{Brake, Guess};
use crate::config::PasswordCost;
use crate::counters::Counters;
use crate::origin::Origin;
use crate::turns::Turns;

/// The queue in front of the hashing thread, which ends when the last clone of it is gone.
#[derive(Clone)]
pub struct Hasher {
    waiting: Arc<Waiting>,
    /// Rung once for each job that is let in.
    bell: mpsc::Sender<()>,
    counters: Arc<Counters>,
}

/// What waits for the thread.
struct Waiting(Mutex<Turns<Origin, Job>>);

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failed {
    /// Too many secrets wait already.
    Busy,
    /// Too many wrong ones were tried: this one has to wait for so long, and then be asked about
    /// again.
    Braked(Duration),
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
    Verify(Option<String>, Guess, Sender<Result<bool, Failed>>),
}

impl Waiting {
    fn turns(&self) -> MutexGuard<'_, Turns<Origin, Job>> {
        // No code that holds the lock can panic half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hasher {
    /// Starts the thread. So many secrets may wait for it.
    ///
    /// # Errors
    /// The system's, if it gives no thread.
    pub fn start(
        cost: PasswordCost,
        room: usize,
        counters: Arc<Counters>,
    ) -> std::io::Result<(Hasher, JoinHandle<()>)> {
        let waiting = Arc::new(Waiting(Mutex::new(Turns::new(room))));
        let (bell, rung) = mpsc::channel();
        let (queue, counted) = (waiting.clone(), counters.clone());
        let thread = thread::Builder::new().name("hasher".into()).spawn(move || {
            let mut worker = Worker::new(cost, counted.clone());
            while let Ok(()) = rung.recv() {
                counted.secrets.take();
                let next = queue.turns().pop();
                if let Some((_, job)) = next {
                    worker.work(job);
                }
            }
        })?;
        Ok((Hasher { waiting, bell, counters }, thread))
    }

    /// The hash of a new password, as a PHC string.
    ///
    /// # Errors
    /// See [`Failed`].
    pub async fn hash(&self, origin: Origin, password: Box<str>) -> Result<String, Failed> {
        let (answer, answered) = channel::bounded(1);
        self.queue(origin, Job { password, task: Task::Hash(answer) })?;
        answered.recv().await.map_err(|_| Failed::Broken)?
    }

    /// Whether a password is the one of this PHC string; with `None` it takes as long and is not.
    /// Each that is not counts as a failure of `guess`, and one that is ends their row.
    ///
    /// # Errors
    /// See [`Failed`].
    pub async fn verify(
        &self,
        guess: Guess,
        password: Box<str>,
        known: Option<String>,
    ) -> Result<bool, Failed> {
        let (answer, answered) = channel::bounded(1);
        self.queue(guess.origin(), Job { password, task: Task::Verify(known, guess, answer) })?;
        answered.recv().await.map_err(|_| Failed::Broken)?
    }

    fn queue(&self, origin: Origin, job: Job) -> Result<(), Failed> {
        // Where one has to go, as many wait as before.
        match self.waiting.turns().push(origin.counted(), job) {
            Some(gone) => gone.refuse(),
            None => {
                self.counters.secrets.add(1);
                self.bell.send(()).map_err(|_| Failed::Broken)?;
            }
        }
        Ok(())
    }
}

impl Job {
    /// Nobody waits for the answer any more.
    fn is_forsaken(&self) -> bool {
        match &self.task {
            Task::Hash(answer) => answer.is_closed(),
            Task::Verify(_, _, answer) => answer.is_closed(),
        }
    }

    fn refuse(self) {
        match self.task {
            Task::Hash(answer) => say(&answer, Err(Failed::Busy)),
            Task::Verify(_, _, answer) => say(&answer, Err(Failed::Busy)),
        }
    }
}

struct Worker {
    cost: PasswordCost,
    memory: Vec<Block>,
    brake: Brake,
    counters: Arc<Counters>,
}

impl Worker {
    fn new(cost: PasswordCost, counters: Arc<Counters>) -> Worker {
        Worker { cost, memory: Vec::new(), brake: Brake::default(), counters }
    }

    fn work(&mut self, job: Job) {
        if job.is_forsaken() {
            return;
        }
        let Job { password, task } = job;
        match task {
            Task::Hash(answer) => say(&answer, self.safely(|worker| worker.hash(&password))),
            Task::Verify(known, guess, answer) => {
                let attempt = |w: &mut Worker| w.attempt(guess, &password, known.as_deref());
                say(&answer, self.safely(attempt));
            }
        }
    }

    /// A bug in one hash ends that one, and not the thread that all others wait for.
    fn safely<T>(
        &mut self,
        hash: impl FnOnce(&mut Worker) -> Result<T, Failed>,
    ) -> Result<T, Failed> {
        let counters = self.counters.clone();
        counters.caught("a hash", || hash(self)).unwrap_or(Err(Failed::Broken))
    }

    /// A try at a secret, if the brake lets it be one.
    fn attempt(
        &mut self,
        guess: Guess,
        password: &str,
        known: Option<&str>,
    ) -> Result<bool, Failed> {
        let wait = self.brake.wait(&guess, Instant::now());
        if !wait.is_zero() {
            return Err(Failed::Braked(wait));
        }
        let right = self.verify(password, known)?;
        if right {
            self.brake.succeeded(&guess);
        } else {
            self.brake.failed(guess, Instant::now());
        }
        Ok(right)
    }

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

/// Answers. A session that has ended waits for no answer.
fn say<T>(answer: &Sender<T>, said: T) {
    let _ = answer.try_send(said);
}

/// Bytes of a hash: 256 bits.
const HASH: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits;
    use crate::name::Handle;

    const CHEAP: PasswordCost = PasswordCost { kib: 8, passes: 1 };
    const HERE: Origin = Origin::User(0);

    fn anas() -> Guess {
        Guess::new(Handle::new("ana").unwrap(), HERE)
    }

    #[test]
    fn a_password_fits_its_hash_and_no_other() {
        let (hasher, _thread) = Hasher::start(CHEAP, limits::SECRETS, Arc::default()).unwrap();
        smol::block_on(async {
            let known = hasher.hash(HERE, "secret-a".into()).await.unwrap();
            assert!(known.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{known}");
            let ask = |password: &str, known| hasher.verify(anas(), password.into(), known);
            assert_eq!(ask("secret-a", Some(known.clone())).await, Ok(true));
            assert_eq!(ask("secret-b", Some(known.clone())).await, Ok(false));
            assert_eq!(ask("secret-a", None).await, Ok(false));
            // Known answer from the reference implementation's test vectors (phc-winner-argon2).
            let vector = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ\
                          $CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
            assert_eq!(ask("password", Some(vector.into())).await, Ok(true));
            let other = hasher.hash(HERE, "secret-a".into()).await.unwrap();
            assert_ne!(other, known, "each has its salt");
        });
    }

    #[test]
    fn too_many_from_one_address_keep_nobody_else_out() {
        // Nobody hashes, so what is let in waits.
        let waiting = Arc::new(Waiting(Mutex::new(Turns::new(limits::SECRETS))));
        let (bell, _rung) = mpsc::channel();
        let hasher = Hasher { waiting, bell, counters: Arc::default() };
        let ask = |user| Box::pin(hasher.hash(Origin::User(user), "secret-a".into()));
        smol::block_on(async {
            let mut crowd: Vec<_> = (0..limits::SECRETS).map(|_| ask(1)).collect();
            for one in &mut crowd {
                assert_eq!(smol::future::poll_once(one).await, None);
            }
            assert_eq!(ask(1).await, Err(Failed::Busy));
            let mut other = ask(2);
            assert_eq!(smol::future::poll_once(&mut other).await, None);
            // The newest of the crowd has made room.
            assert_eq!(crowd.pop().unwrap().await, Err(Failed::Busy));
            let last = crowd.last_mut().unwrap();
            assert_eq!(smol::future::poll_once(last).await, None);
            assert_eq!(hasher.counters.secrets.get(), limits::SECRETS as u64);
        });
    }

    #[test]
    fn who_has_gone_is_passed_over() {
        let mut worker = Worker::new(CHEAP, Arc::default());
        let (answer, answered) = channel::bounded(1);
        drop(answered);
        worker.work(Job { password: "secret-a".into(), task: Task::Hash(answer) });
        assert!(worker.memory.is_empty(), "nothing was hashed");
        let (answer, answered) = channel::bounded(1);
        worker.work(Job { password: "secret-a".into(), task: Task::Hash(answer) });
        assert!(!worker.memory.is_empty() && answered.recv_blocking().is_ok());
    }

    #[test]
    fn many_tries_at_once_do_not_get_past_the_brake() {
        let (hasher, _thread) = Hasher::start(CHEAP, limits::SECRETS, Arc::default()).unwrap();
        smol::block_on(async {
            let known = hasher.hash(HERE, "secret-a".into()).await.unwrap();
            let ask = |password: &str| {
                let mut asked =
                    Box::pin(hasher.verify(anas(), password.into(), Some(known.clone())));
                async move {
                    // Queued, if it is not answered already.
                    let now = smol::future::poll_once(&mut asked).await;
                    (now, asked)
                }
            };
            // What is right ends the row.
            for round in 0..20 {
                let password = if round % 6 == 5 { "secret-a" } else { "secret-b" };
                let (now, asked) = ask(password).await;
                let right = if let Some(now) = now { now } else { asked.await };
                assert_eq!(right, Ok(round % 6 == 5));
            }
            let mut crowd = Vec::new();
            for _ in 0..40 {
                crowd.push(ask("secret-b").await);
            }
            let (mut wrong, mut braked) = (0, 0);
            for (now, asked) in crowd {
                match if let Some(now) = now { now } else { asked.await } {
                    Ok(false) => wrong += 1,
                    Err(Failed::Braked(_)) => braked += 1,
                    other => panic!("{other:?}"),
                }
            }
            // Two are left of the rounds before. One more than ten would take half a minute.
            assert!((4..=10).contains(&wrong), "{wrong} were wrong, {braked} were held up");
            assert_eq!(wrong + braked, 40);
        });
    }
}
