//! A few threads that read the log, each with its own reader. A question is a closure that runs on
//! one of them, so that no read delays a socket or the writer.
//!
//! No client can monopolise them. Addresses take turns, and within an address its accounts, so a
//! client that asks without end waits for one question of everyone else after each of its own.
//! Questions are short: long lists are read in parts. One thread answers logins only. Questions of
//! sessions that have ended are dropped unread, and so are all of them once papod ends.
//!
//! A login's few small reads need no thread: the session does them itself, with a reader that is
//! there for nothing else ([`Readers::answer_now`]). That saves it two switches of threads, and who
//! has nothing waiting never waits behind those who have.
//!
//! A panic ends only its question. The thread goes on with a new reader, since the old one may be
//! in an inconsistent state.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::{self, JoinHandle};

use smol::channel;

use crate::counters::Counters;
use crate::entry::AccountId;
use crate::limits;
use crate::origin::Origin;
use crate::store::{Effort, Error, Reader};
use crate::turns::NestedTurns;

/// Runs on a reader thread, with its reader, or with the error if none could be opened.
type Question = Box<dyn FnOnce(Result<&mut dyn Reader, Error>) + Send>;

/// The queues of the reader threads. The threads end when the last clone is dropped.
#[derive(Clone)]
pub struct Readers {
    shared: Arc<ReaderPool>,
    _open: Arc<Open>,
}

type OpenReader = dyn Fn() -> Result<Box<dyn Reader>, Error> + Send + Sync;

/// The session that asks, for fair queueing.
#[derive(Clone, Copy, Debug)]
pub struct Asker {
    pub origin: Origin,
    /// The account it belongs to, if it is logged in.
    pub account: Option<AccountId>,
    /// Part of a login, which has a reader of its own.
    pub logs_in: bool,
}

/// Why a question has no answer.
#[derive(Clone, Debug)]
pub enum Unanswered {
    /// The store failed.
    Store(Error),
    /// The question panicked, which is counted and logged, or papod is ending.
    Bug,
}

impl From<Error> for Unanswered {
    fn from(e: Error) -> Unanswered {
        Unanswered::Store(e)
    }
}

struct ReaderPool {
    waiting: Mutex<Waiting>,
    /// Wake the reader of logins, and the others.
    login_bell: Condvar,
    bell: Condvar,
    /// The reader that sessions borrow for small questions.
    small_reader: Mutex<OwnReader>,
    counters: Arc<Counters>,
}

#[derive(Default)]
struct Waiting {
    logins: QuestionQueue,
    others: QuestionQueue,
    /// The thread for logins is waiting for a question.
    login_idle: bool,
    /// The last clone of [`Readers`] was dropped.
    ended: bool,
}

/// Addresses take turns, and the accounts of each. A session asks one question at a time, so the
/// number of connections bounds the queue.
type QuestionQueue = NestedTurns<Origin, Option<AccountId>, Question>;

impl ReaderPool {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // No code that holds the lock can panic halfway through a change.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, asker: Asker, question: Question) {
        let origin = asker.origin.rate_key();
        let mut waiting = self.lock();
        self.counters.questions.add(1);
        if asker.logs_in {
            waiting.logins.push(origin, asker.account, question);
            if std::mem::take(&mut waiting.login_idle) {
                return self.login_bell.notify_one();
            }
        } else {
            waiting.others.push(origin, asker.account, question);
        }
        // The others answer logins when they have nothing else to do.
        self.bell.notify_one();
    }

    /// Blocks until there is a question; `None` when papod ends.
    fn next(&self, logins_only: bool) -> Option<Question> {
        let mut waiting = self.lock();
        loop {
            if waiting.ended {
                return None;
            }
            let other = if logins_only { None } else { waiting.others.pop() };
            if let Some(question) = other.or_else(|| waiting.logins.pop()) {
                self.counters.questions.dec();
                return Some(question);
            }
            waiting.login_idle |= logins_only;
            let bell = if logins_only { &self.login_bell } else { &self.bell };
            waiting = bell.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            // Also if nobody has rung, which a condition variable allows.
            waiting.login_idle &= !logins_only;
        }
    }
}

/// Held by every clone of [`Readers`] and by no thread.
struct Open(Arc<ReaderPool>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.lock().ended = true;
        self.0.login_bell.notify_all();
        self.0.bell.notify_all();
    }
}

/// A reader, and how to open another one.
struct OwnReader {
    /// `None` after a panic: opened again for the next question.
    reader: Option<Box<dyn Reader>>,
    open: Arc<OpenReader>,
}

impl OwnReader {
    fn open(open: Arc<OpenReader>) -> Result<OwnReader, Error> {
        Ok(OwnReader { reader: Some(open()?), open })
    }

    fn get(&mut self) -> Result<&mut dyn Reader, Error> {
        let reader = match &mut self.reader {
            Some(reader) => reader,
            none => none.insert((self.open)()?),
        };
        Ok(&mut **reader)
    }

    /// Has it get ready.
    fn prepare(&mut self, counters: &Counters) {
        self.safely(counters, |reader| reader.map(Reader::prepare).unwrap_or_default());
    }

    /// Answers a question on the thread of a reader.
    fn answer(&mut self, question: Question, counters: &Counters) {
        counters.answering.add(1);
        self.safely(counters, question);
        counters.answering.dec();
    }

    /// Uses it; `None` if that panicked, which is counted and logged.
    fn safely<T>(
        &mut self,
        counters: &Counters,
        work: impl FnOnce(Result<&mut dyn Reader, Error>) -> T,
    ) -> Option<T> {
        let done = counters.caught("a question to the database", || work(self.get()));
        if done.is_none() {
            self.reader = None;
        }
        done
    }
}

impl Readers {
    /// Starts [`limits::READERS`] threads, and one that answers logins only, each with a reader
    /// from `open`.
    ///
    /// # Errors
    /// A reader cannot be opened, or a thread cannot be started.
    pub fn start(
        open: impl Fn() -> Result<Box<dyn Reader>, Error> + Send + Sync + 'static,
        counters: Arc<Counters>,
    ) -> Result<(Readers, Vec<JoinHandle<()>>), Error> {
        let open: Arc<OpenReader> = Arc::new(open);
        let shared = Arc::new(ReaderPool {
            waiting: Mutex::default(),
            login_bell: Condvar::new(),
            bell: Condvar::new(),
            small_reader: Mutex::new(OwnReader::open(open.clone())?),
            counters: counters.clone(),
        });
        let readers = Readers { shared: shared.clone(), _open: Arc::new(Open(shared.clone())) };
        let start = |run: Box<dyn FnOnce() + Send>| {
            thread::Builder::new().name("reader".into()).spawn(run).map_err(Error::new)
        };
        let (logins, mut reader) = (shared.clone(), OwnReader::open(open.clone())?);
        let mut threads = vec![start(Box::new(move || {
            reader.prepare(&logins.counters);
            while let Some(question) = logins.next(true) {
                reader.answer(question, &logins.counters);
            }
        }))?];
        for _ in 0..limits::READERS {
            let (shared, mut reader) = (shared.clone(), OwnReader::open(open.clone())?);
            threads.push(start(Box::new(move || {
                // On Linux this affects only the calling thread. If it fails, things are only
                // slower.
                let _ = rustix::process::nice(limits::READER_NICE);
                reader.prepare(&shared.counters);
                while let Some(question) = shared.next(false) {
                    reader.answer(question, &shared.counters);
                }
            }))?);
        }
        Ok((readers, threads))
    }

    /// Answers a small question of a login at once, on the caller's thread, with a reader for such
    /// questions. `None` if another session uses that one, or if the question fails or turns out to
    /// take more than [`limits::SMALL_STEPS`]: then it has to be asked with [`Readers::ask`].
    ///
    /// # Errors
    /// Only [`Unanswered::Bug`].
    pub fn answer_now<T>(
        &self,
        question: impl FnOnce(&mut dyn Reader) -> Result<T, Error>,
    ) -> Option<Result<T, Unanswered>> {
        let mut reader = match self.shared.small_reader.try_lock() {
            Ok(reader) => reader,
            Err(TryLockError::Poisoned(reader)) => reader.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        let answer = reader.safely(&self.shared.counters, |reader| {
            let reader = reader?;
            reader.begin(Effort::Small)?;
            let known = question(reader);
            reader.end();
            known
        });
        answer.map_or(Some(Err(Unanswered::Bug)), |known| known.ok().map(Ok))
    }

    /// Asks a question and waits for its answer. If the future is dropped before a reader takes up
    /// the question, the question is not run.
    ///
    /// # Errors
    /// See [`Unanswered`].
    pub async fn ask<T: Send + 'static>(
        &self,
        asker: Asker,
        question: impl FnOnce(&mut dyn Reader) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Unanswered> {
        let (answer, answered) = channel::bounded(1);
        let question: Question = Box::new(move |reader| {
            if answer.is_closed() {
                return;
            }
            let known = reader.and_then(|reader| {
                reader.begin(Effort::Full)?;
                let known = question(reader);
                reader.end();
                known
            });
            // Fails if the session has ended and nobody is waiting any more.
            let _ = answer.try_send(known);
        });
        self.shared.push(asker, question);
        Ok(answered.recv().await.map_err(|_| Unanswered::Bug)??)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_take_turns_and_their_accounts() {
        let said: Arc<Mutex<Vec<&str>>> = Arc::default();
        let mut queue = QuestionQueue::default();
        let push =
            |queue: &mut QuestionQueue, address: &str, account: Option<i64>, name: &'static str| {
                let origin = Origin::of(address.parse().unwrap()).rate_key();
                let said = said.clone();
                let question = Box::new(move |_: Result<&mut dyn Reader, Error>| {
                    said.lock().unwrap().push(name);
                });
                queue.push(origin, account.map(AccountId), question);
            };
        let (one, other) = ("192.0.2.1", "2001:db8::1");
        for name in ["ana 1", "ana 2", "ana 3"] {
            push(&mut queue, one, Some(1), name);
        }
        push(&mut queue, one, Some(2), "bob 1");
        push(&mut queue, other, Some(3), "cid 1");
        push(&mut queue, other, Some(3), "cid 2");
        // The same /64 network, and not logged in.
        push(&mut queue, "2001:db8::2", None, "nobody");
        let mut turns = 0;
        while let Some(question) = queue.pop() {
            question(Err(Error::new("nobody looks")));
            turns += 1;
            if turns == 2 {
                // A session that asks again at once.
                push(&mut queue, one, Some(1), "ana 1 again");
            }
        }
        let expected = ["ana 1", "cid 1", "bob 1", "nobody", "ana 2", "cid 2", "ana 3"];
        assert_eq!(said.lock().unwrap()[..7], expected);
        assert_eq!(said.lock().unwrap()[7..], ["ana 1 again"]);
        assert!(queue.is_empty());
    }
}
