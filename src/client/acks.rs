//! Acknowledging what was dealt with, behind the back of whoever deals with the next.
//!
//! It goes over a session of its own, since the server carries nothing out behind a log-in before all
//! that waited was sent. Of each conversation only the last id is said, and many of them at once, so
//! that a flood of messages costs few round trips.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use smol::Timer;
use smol::channel::{Receiver, Sender, bounded};
use smol::future::FutureExt;
use smol::lock::Mutex;

use super::account::Credentials;
use super::caller::Caller;
use super::failure::{self, Failure};
use super::lines;
use crate::name::Target;

/// Conversations whose acknowledgements are sent at once.
const AT_ONCE: usize = 256;

/// For how long acknowledgements are waited for at the end.
const SETTLE: Duration = Duration::from_secs(5);

/// What is to be acknowledged.
pub struct Acks<'a> {
    caller: Mutex<Caller<'a>>,
    /// The last id of each conversation. It stays until the server has confirmed it.
    due: RefCell<BTreeMap<String, u64>>,
    wake: Sender<()>,
    woken: Receiver<()>,
}

impl<'a> Acks<'a> {
    /// Connects, and finds out the newest id of the service. A server that is there once is never
    /// given up.
    ///
    /// # Errors
    /// `Lost` where the server cannot be reached within 5 seconds; `Secret`, `Refused`.
    pub async fn open(account: &'a Credentials) -> Result<(Acks<'a>, u64), Failure> {
        let mut caller = Caller::hasty(account);
        let newest = caller.newest().await?;
        caller.be_patient();
        let (wake, woken) = bounded(1);
        let due = RefCell::new(BTreeMap::new());
        Ok((Acks { caller: Mutex::new(caller), due, wake, woken }, newest))
    }

    /// Refuses conversations with accounts that do not exist. A group may be one to which this account
    /// has yet to be added.
    ///
    /// # Errors
    /// `Unfit` for the first of them; as [`Acks::open`].
    pub async fn know(&self, conversations: &[Target]) -> Result<(), Failure> {
        for person in conversations.iter().filter(|it| matches!(it, Target::Person(_))) {
            match self.caller.lock().await.ask(&format!("HIST {person} 1")).await {
                Err(Failure::Refused(line)) if lines::code(&line) == "no-such-user" => {
                    return Err(Failure::Unfit(lines::why(&failure::in_shell(&line)).into_owned()));
                }
                known => drop(known?),
            }
        }
        Ok(())
    }

    /// An entry was dealt with, and all before it in its conversation.
    pub fn add(&self, conversation: &str, id: u64) {
        let mut due = self.due.borrow_mut();
        let upto = due.entry(conversation.to_owned()).or_default();
        *upto = id.max(*upto);
        // Where it is awake already, it looks once more.
        let _ = self.wake.try_send(());
    }

    /// What is due belongs to a log that is no more.
    pub fn forget(&self) {
        self.due.borrow_mut().clear();
    }

    /// Acknowledges for as long as this is polled. What was not confirmed then is still due.
    ///
    /// # Errors
    /// `Secret`, `Refused`: the account cannot be logged in to any more.
    pub async fn run<T>(&self) -> Result<T, Failure> {
        loop {
            self.acknowledge().await?;
            // The other end is kept here.
            let _ = self.woken.recv().await;
        }
    }

    /// Acknowledges what is due, within 5 seconds.
    ///
    /// # Errors
    /// As [`Acks::run`]; `Lost` where it took longer: it comes again.
    pub async fn settle(&self) -> Result<(), Failure> {
        let limit = async {
            Timer::after(SETTLE).await;
            Err(Failure::Lost("the server does not confirm acknowledgements".to_owned()))
        };
        self.acknowledge().or(limit).await
    }

    async fn acknowledge(&self) -> Result<(), Failure> {
        let mut caller = self.caller.lock().await;
        let due = || {
            let due = self.due.borrow();
            due.values().take(AT_ONCE).map(|id| (*id, format!("ACK {id}"))).collect()
        };
        while !self.due.borrow().is_empty() {
            match caller.acknowledge(due).await? {
                Some(said) => {
                    let said: BTreeSet<u64> = said.into_iter().map(|(id, _)| id).collect();
                    self.due.borrow_mut().retain(|_, id| !said.contains(id));
                }
                None => self.forget(),
            }
        }
        Ok(())
    }
}
