//! Acknowledges handled entries, in the background.
//!
//! It has its own session, since after a login the server runs no command before all waiting
//! entries are sent. Only the last id of each conversation is sent, and many conversations at once,
//! so a flood of messages costs few round trips.

use std::cell::{Cell, RefCell};
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

/// Conversations acknowledged in one batch.
const AT_ONCE: usize = 256;

/// Time limit for acknowledgements at the end.
const SETTLE: Duration = Duration::from_secs(5);

/// Acknowledgements to send.
pub struct Acks<'a> {
    caller: Mutex<Caller<'a>>,
    /// The last id of each conversation, until the server has confirmed it.
    due: RefCell<BTreeMap<String, u64>>,
    /// Of a device: what has begun, and what of it is dealt with, with its conversation. An
    /// acknowledgement of a device says something about all conversations, so they go in this order.
    begun: Option<RefCell<BTreeMap<u64, Option<String>>>>,
    /// How many logs came before the one that all of these belong to.
    log: Cell<u64>,
    wake: Sender<()>,
    woken: Receiver<()>,
}

impl<'a> Acks<'a> {
    /// Connects, and returns the newest id of the service as well. Never gives up on the server
    /// afterwards.
    ///
    /// # Errors
    /// `Lost` if the server cannot be reached within 5 seconds; `Secret`, `Refused`.
    pub async fn open(account: &'a Credentials) -> Result<(Acks<'a>, u64), Failure> {
        let mut caller = Caller::hasty(account);
        let newest = caller.newest().await?;
        caller.be_patient();
        let (wake, woken) = bounded(1);
        let due = RefCell::new(BTreeMap::new());
        let begun = account.device.is_some().then(RefCell::default);
        let (caller, log) = (Mutex::new(caller), Cell::new(0));
        Ok((Acks { caller, due, begun, log, wake, woken }, newest))
    }

    /// Checks that the accounts among `conversations` exist. This account may yet be added to a
    /// group.
    ///
    /// # Errors
    /// `Unfit` for the first that does not; as [`Acks::open`].
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

    /// An entry has come, which is handled while others are. A device acknowledges those after it
    /// only when it is.
    pub fn begin(&self, id: u64) {
        if let Some(begun) = &self.begun {
            begun.borrow_mut().insert(id, None);
        }
    }

    /// Whether it is a device that acknowledges: then the account's own entries from elsewhere are
    /// acknowledged as well, else they come again.
    pub fn is_device(&self) -> bool {
        self.begun.is_some()
    }

    /// An entry was handled, and so were all before it in its conversation.
    pub fn add(&self, conversation: &str, id: u64) {
        let Some(begun) = &self.begun else { return self.is_due(conversation, id) };
        let mut begun = begun.borrow_mut();
        begun.insert(id, Some(conversation.to_owned()));
        while let Some(first) = begun.first_entry()
            && let Some(conversation) = first.get()
        {
            self.is_due(conversation, *first.key());
            first.remove();
        }
    }

    fn is_due(&self, conversation: &str, id: u64) {
        let mut due = self.due.borrow_mut();
        let upto = due.entry(conversation.to_owned()).or_default();
        *upto = id.max(*upto);
        // If the channel is full, `run` will look once more anyway.
        let _ = self.wake.try_send(());
    }

    /// Drops what is due: it belongs to a log that no longer exists.
    pub fn forget(&self) {
        self.log.set(self.log.get() + 1);
        self.due.borrow_mut().clear();
        if let Some(begun) = &self.begun {
            begun.borrow_mut().clear();
        }
    }

    /// Acknowledges while polled. What was not confirmed then is still due.
    ///
    /// # Errors
    /// `Secret`, `Refused`: the account can no longer log in.
    pub async fn run<T>(&self) -> Result<T, Failure> {
        loop {
            self.acknowledge().await?;
            // The sender is kept in `self`.
            let _ = self.woken.recv().await;
        }
    }

    /// Acknowledges what is due, within 5 seconds.
    ///
    /// # Errors
    /// As [`Acks::run`]; `Lost` if it took longer: the entries come again.
    pub async fn settle(&self) -> Result<(), Failure> {
        let limit = async {
            Timer::after(SETTLE).await;
            Err(Failure::Lost("the server does not confirm acknowledgements".to_owned()))
        };
        self.acknowledge().or(limit).await
    }

    async fn acknowledge(&self) -> Result<(), Failure> {
        let mut caller = self.caller.lock().await;
        let log = Cell::new(0);
        let due = || {
            log.set(self.log.get());
            let due = self.due.borrow();
            due.values().take(AT_ONCE).map(|id| (*id, format!("ACK {id}"))).collect()
        };
        while !self.due.borrow().is_empty() {
            match caller.acknowledge(due).await? {
                // What is due now belongs to another log than what was asked about.
                _ if log.get() != self.log.get() => {}
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
