//! Passwords: Argon2id on threads of their own, one for each core, each with a buffer that is kept.
//!
//! A hash takes a core for milliseconds and 19 MiB: a thousand log-ins at once then cost one buffer a
//! core, and the threads give way to all others, so messages go on. Addresses take turns (`turns`),
//! so that one with a thousand connections keeps nobody out. An unknown handle is hashed as well,
//! and a hash that was cheaper is made up for, so that the time says nothing about which handles
//! exist. The brake on guessing is asked when a secret's turn comes, so that many tries at once are
//! held up as those one after the other are.

mod argon;
mod command;

use std::num::NonZero;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use smol::channel::{self, Sender};

use crate::brake::{Brake, Guess};
use crate::config::PasswordCost;
use crate::counters::Counters;
use crate::limits;
use crate::origin::Origin;
use crate::turns::Turns;
use argon::{Argon, HashCost};
pub use command::AuthCommand;

/// The queue in front of the hashing threads, which end when the last clone of it is gone.
#[derive(Clone)]
pub struct Hasher {
    shared: Arc<HasherState>,
    /// Of new hashes.
    cost: PasswordCost,
    /// Rung once for each job that is let in.
    bell: Sender<()>,
    /// A program is asked in place of the hashes.
    has_command: bool,
    counters: Arc<Counters>,
}

/// What the threads share.
struct HasherState {
    turns: Mutex<Turns<Origin, HashJob>>,
    brake: Mutex<Brake>,
    /// The work of the most expensive hash that there is: that of a new one, unless an older one
    /// was met that took more. Every wrong password takes as much.
    dearest: AtomicU64,
}

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
    /// The program that knows the passwords cannot tell.
    Unknown,
}

struct HashJob {
    password: Box<str>,
    task: Task,
}

enum Task {
    Hash(Sender<Result<String, Failed>>),
    /// Against a PHC string, or against one that nothing matches.
    Verify(Option<String>, Guess, Sender<Result<bool, Failed>>),
}

impl HasherState {
    fn new(room: usize, dearest: HashCost) -> Arc<HasherState> {
        Arc::new(HasherState {
            turns: Mutex::new(Turns::new(room)),
            brake: Mutex::default(),
            dearest: AtomicU64::new(dearest),
        })
    }

    fn turns(&self) -> MutexGuard<'_, Turns<Origin, HashJob>> {
        // No code that holds the lock can panic half-way through a change; nor below.
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn brake(&self) -> MutexGuard<'_, Brake> {
        self.brake.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hasher {
    /// Starts the threads. This many secrets may wait for them.
    ///
    /// # Errors
    /// The system's, if it gives no thread.
    pub fn start(
        cost: PasswordCost,
        room: usize,
        counters: Arc<Counters>,
    ) -> std::io::Result<(Hasher, Vec<JoinHandle<()>>)> {
        Hasher::start_with(cost, room, counters, None)
    }

    /// The same, with a program that knows the passwords in place of their hashes.
    ///
    /// # Errors
    /// As for [`Hasher::start`].
    pub fn start_with(
        cost: PasswordCost,
        room: usize,
        counters: Arc<Counters>,
        command: Option<AuthCommand>,
    ) -> std::io::Result<(Hasher, Vec<JoinHandle<()>>)> {
        let shared = HasherState::new(room, argon::work(cost));
        let (bell, rung) = channel::unbounded();
        let has_command = command.is_some();
        // A program mostly waits, for another machine.
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let count = if has_command { limits::HASHERS } else { cores.min(limits::HASHERS) };
        let threads = (0..count).map(|_| {
            let (rung, counted) = (rung.clone(), counters.clone());
            let (shared, argon, command) = (shared.clone(), Argon::new(cost), command.clone());
            let mut worker = Worker { shared, argon, command, counters: counters.clone() };
            thread::Builder::new().name("hasher".into()).spawn(move || {
                // Of this thread alone, on Linux. Where it may not be, it goes on as it is.
                let _ = rustix::process::setpriority_process(None, limits::HASHER_NICE);
                while let Ok(()) = rung.recv_blocking() {
                    counted.secrets.dec();
                    let next = worker.shared.turns().pop();
                    if let Some((_, job)) = next {
                        worker.work(job);
                    }
                }
            })
        });
        let threads = threads.collect::<std::io::Result<_>>()?;
        Ok((Hasher { shared, cost, bell, has_command, counters }, threads))
    }

    /// Whether a program is asked in place of the hashes.
    pub fn has_command(&self) -> bool {
        self.has_command
    }

    /// Whether a PHC string was made at the cost that new ones are.
    pub fn is_current(&self, known: &str) -> bool {
        argon::cost_of(known) == Ok(self.cost)
    }

    /// The hash of a new password, as a PHC string.
    ///
    /// # Errors
    /// See [`Failed`].
    pub async fn hash(&self, origin: Origin, password: Box<str>) -> Result<String, Failed> {
        let (answer, answered) = channel::bounded(1);
        self.queue(origin, HashJob { password, task: Task::Hash(answer) })?;
        answered.recv().await.map_err(|_| Failed::Broken)?
    }

    /// Whether a password is the one of this PHC string; with `None` it is not. Where there is a
    /// program that knows the passwords, it is asked, and the string does not matter. One that is not takes
    /// as long whatever is known, and counts as a failure of `guess`; one that is ends their row.
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
        self.queue(guess.origin(), HashJob { password, task: Task::Verify(known, guess, answer) })?;
        answered.recv().await.map_err(|_| Failed::Broken)?
    }

    /// Counts a wrong secret for which nothing has to be hashed.
    ///
    /// # Errors
    /// It has to wait for so long, and was not counted.
    pub fn note_wrong(&self, guess: &Guess) -> Result<(), Duration> {
        self.shared.brake().begin(guess, Instant::now())
    }

    /// A guess at another node of the same database was wrong, or ended the row of wrong ones.
    pub fn note_elsewhere(&self, guess: Guess, is_right: bool) {
        let mut brake = self.shared.brake();
        if is_right {
            brake.succeeded(&guess);
        } else {
            brake.failed(guess, Instant::now());
        }
    }

    fn queue(&self, origin: Origin, job: HashJob) -> Result<(), Failed> {
        // Where one has to go, as many wait as before.
        match self.shared.turns().push(origin.rate_key(), job) {
            Some(gone) => gone.refuse(),
            None => {
                self.counters.secrets.add(1);
                self.bell.try_send(()).map_err(|_| Failed::Broken)?;
            }
        }
        Ok(())
    }
}

impl HashJob {
    /// Nobody waits for the answer any more.
    fn is_cancelled(&self) -> bool {
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

/// One of the threads.
struct Worker {
    shared: Arc<HasherState>,
    argon: Argon,
    counters: Arc<Counters>,
    command: Option<AuthCommand>,
}

impl Worker {
    fn work(&mut self, job: HashJob) {
        if job.is_cancelled() {
            return;
        }
        let HashJob { password, task } = job;
        match task {
            Task::Hash(answer) => say(&answer, self.safely(|worker| worker.argon.hash(&password))),
            Task::Verify(known, guess, answer) => {
                let attempt = |w: &mut Worker| w.attempt(&guess, &password, known.as_deref());
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
        guess: &Guess,
        password: &str,
        known: Option<&str>,
    ) -> Result<bool, Failed> {
        // Counted as a failure until it is known to be none: else each thread could try one more.
        self.shared.brake().begin(guess, Instant::now()).map_err(Failed::Braked)?;
        let right = match (&self.command, guess.handle()) {
            (Some(command), Some(handle)) => command.lets_in(handle, password),
            _ => self.verify(password, known),
        };
        match right {
            Ok(true) => self.shared.brake().succeeded(guess),
            Ok(false) => {}
            // What nobody could tell was no guess.
            Err(_) => self.shared.brake().withdraw(guess),
        }
        right
    }

    fn verify(&mut self, password: &str, known: Option<&str>) -> Result<bool, Failed> {
        let before = self.argon.done();
        let right = known.map_or(Ok(false), |known| self.argon.is_right(password, known))?;
        if !right {
            let done = self.argon.done() - before;
            let dearest = self.shared.dearest.fetch_max(done, Ordering::Relaxed).max(done);
            self.argon.waste(password, dearest - done)?;
        }
        Ok(right)
    }
}

/// Answers. A session that has ended waits for no answer.
fn say<T>(answer: &Sender<T>, said: T) {
    let _ = answer.try_send(said);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::Handle;

    const CHEAP: PasswordCost = PasswordCost { kib: 8, passes: 1 };
    const HERE: Origin = Origin::User(0);

    fn anas() -> Guess {
        Guess::new(Handle::new("ana").unwrap(), HERE)
    }

    #[test]
    fn a_wrong_password_is_as_much_work_whatever_is_known() {
        let cost = |kib, passes| PasswordCost { kib, passes };
        let hash = |cost| Argon::new(cost).hash("secret-a").unwrap();
        let [cheap, now, dear] = [CHEAP, cost(64, 2), cost(100, 3)].map(hash);
        let shared = HasherState::new(limits::SECRETS, argon::work(cost(64, 2)));
        let (argon, command, counters) = (Argon::new(cost(64, 2)), None, Arc::default());
        let mut worker = Worker { shared, argon, command, counters };
        let mut work = |password: &str, known: Option<&str>| {
            let before = worker.argon.done();
            let right = worker.verify(password, known).unwrap();
            assert_eq!(right, password == "secret-a" && known.is_some());
            worker.argon.done() - before
        };
        for known in [None, Some(&*cheap), Some(&*now), None] {
            assert_eq!(work("secret-b", known), 128);
        }
        // Since one of them takes more, all do.
        for known in [Some(&*dear), None, Some(&*cheap), Some(&*now)] {
            assert_eq!(work("secret-b", known).div_euclid(10), 30);
        }
        assert_eq!(work("secret-a", Some(&cheap)), 8);
    }

    #[test]
    fn an_older_hash_is_known_for_one() {
        let (hasher, _threads) = Hasher::start(CHEAP, limits::SECRETS, Arc::default()).unwrap();
        assert!(hasher.is_current(&Argon::new(CHEAP).hash("secret-a").unwrap()));
        let other = PasswordCost { kib: 16, passes: 1 };
        assert!(!hasher.is_current(&Argon::new(other).hash("secret-a").unwrap()));
        assert!(!hasher.is_current("no hash at all"));
    }

    #[test]
    fn too_many_from_one_address_keep_nobody_else_out() {
        // Nobody hashes, so what is let in waits.
        let (bell, _rung) = channel::unbounded();
        let (shared, counters) = (HasherState::new(limits::SECRETS, 0), Arc::default());
        let hasher = Hasher { shared, cost: CHEAP, bell, has_command: false, counters };
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
        let (shared, argon, counters) = (HasherState::new(1, 0), Argon::new(CHEAP), Arc::default());
        let mut worker = Worker { shared, argon, command: None, counters };
        let (answer, answered) = channel::bounded(1);
        drop(answered);
        worker.work(HashJob { password: "secret-a".into(), task: Task::Hash(answer) });
        assert_eq!(worker.argon.done(), 0, "nothing was hashed");
        let (answer, answered) = channel::bounded(1);
        worker.work(HashJob { password: "secret-a".into(), task: Task::Hash(answer) });
        assert!(worker.argon.done() > 0 && answered.recv_blocking().is_ok());
    }

    #[test]
    fn many_tries_at_once_do_not_get_past_the_brake() {
        let (hasher, _threads) = Hasher::start(CHEAP, limits::SECRETS, Arc::default()).unwrap();
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
