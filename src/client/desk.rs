//! A desk: where a command is said until it is answered, over as many connections as that takes.
//!
//! Its sessions are quiet, so nothing but answers comes over them. A command may be carried out more
//! than once if its answer was lost, so only those are said here of which that does no harm: what
//! asks, what acknowledges, and what has a key (`ONCE`). The rest goes to [`Desk::ask_once`].

use std::time::{Duration, Instant};

use super::account::Account;
use super::connection::{ANSWER, Connection, REACH, Reply};
use super::failure::Failure;
use super::outage::{Outage, Tell};

/// A quiet session that comes back by itself.
pub struct Desk<'a> {
    account: &'a Account,
    connection: Option<Connection>,
    outage: Outage,
}

impl<'a> Desk<'a> {
    /// For a command that is over soon: a server that is not there for 5 seconds is given up.
    pub fn hasty(account: &'a Account) -> Desk<'a> {
        Desk { account, connection: None, outage: Outage::new(Some(REACH)) }
    }

    /// For one that stays: a server is never given up.
    pub fn patient(account: &'a Account) -> Desk<'a> {
        Desk { account, connection: None, outage: Outage::new(None) }
    }

    /// The same, where it is told elsewhere than on standard error that the server has no room.
    pub fn patient_telling(account: &'a Account, tell: Tell) -> Desk<'a> {
        Desk { account, connection: None, outage: Outage::new(None).told(tell) }
    }

    /// Says a command until it is answered.
    ///
    /// # Errors
    /// `Refused`, `Secret`; `Lost` from one that is hasty.
    pub async fn ask(&mut self, command: &str) -> Result<Reply, Failure> {
        self.ask_for(command, ANSWER).await
    }

    /// The same, for a command whose answer takes up to so long.
    ///
    /// # Errors
    /// As [`Desk::ask`].
    pub async fn ask_for(&mut self, command: &str, time: Duration) -> Result<Reply, Failure> {
        loop {
            // It is put back when it has answered: where this is given up on half-way, the answer
            // that still comes is not taken for that of the next command.
            let mut connection = self.connected().await?;
            match connection.ask(command, time).await {
                Err(lost @ Failure::Lost(_)) => self.outage.after(lost, Instant::now()).await?,
                answered => {
                    self.connection = Some(connection);
                    self.outage.over();
                    return answered;
                }
            }
        }
    }

    /// Says a command once: where the connection breaks before its answer, nobody knows whether it
    /// was carried out.
    ///
    /// # Errors
    /// `Refused`, `Secret`, `Lost`.
    pub async fn ask_once(&mut self, command: &str) -> Result<Reply, Failure> {
        let mut connection = self.connected().await?;
        let answered = connection.ask(command, ANSWER).await;
        if !matches!(answered, Err(Failure::Lost(_))) {
            self.connection = Some(connection);
        }
        answered
    }

    async fn connected(&mut self) -> Result<Connection, Failure> {
        if let Some(connection) = self.connection.take() {
            return Ok(connection);
        }
        loop {
            let began = Instant::now();
            match self.account.connect(true).await {
                Ok(connection) => return Ok(connection),
                Err(e) => self.outage.after(e, began).await?,
            }
        }
    }
}
