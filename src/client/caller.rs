//! A caller repeats a command until it is answered, across reconnections.
//!
//! Its sessions are quiet, so only answers come over them. If an answer is lost the command may be
//! carried out twice, so only commands for which that is harmless are repeated: queries,
//! acknowledgements, and those with a key (`ONCE`). The rest goes to [`Caller::ask_once`].

use std::time::{Duration, Instant};

use smol::channel::Receiver;

use super::account::Credentials;
use super::connection::{ANSWER, Connection, REACH, Success};
use super::failure::Failure;
use super::lines;
use super::outage::{Notify, Outage};
use crate::wire::request::Events;

/// A quiet session that reconnects by itself.
pub struct Caller<'a> {
    account: &'a Credentials,
    connection: Option<Connection>,
    outage: Outage,
    /// Whether to repeat a command refused as `too-fast`, when its time has come.
    waits: bool,
}

impl<'a> Caller<'a> {
    /// For a short command: gives up on an unreachable server after 5 seconds, and on one without
    /// room after 30.
    pub fn hasty(account: &'a Credentials) -> Caller<'a> {
        Caller { account, connection: None, outage: Outage::new(Some(REACH)), waits: true }
    }

    /// For a long-running command: never gives up on the server.
    pub fn patient(account: &'a Credentials) -> Caller<'a> {
        Caller { account, connection: None, outage: Outage::new(None), waits: true }
    }

    /// For a terminal: notices go to `notify`, every refusal is returned at once, and a message on
    /// `wake` makes it retry at once.
    pub fn patient_telling(
        account: &'a Credentials,
        notify: Notify,
        wake: Receiver<()>,
    ) -> Caller<'a> {
        let outage = Outage::new(None).told(notify).woken(wake);
        Caller { account, connection: None, outage, waits: false }
    }

    /// Never gives up on the server from now on.
    pub fn be_patient(&mut self) {
        self.outage.be_patient(false);
    }

    /// Repeats a command until it is answered.
    ///
    /// # Errors
    /// `Refused`, `Secret`; `Lost` from a hasty caller.
    pub async fn ask(&mut self, command: &str) -> Result<Success, Failure> {
        self.ask_for(command, ANSWER).await
    }

    /// The same for a command whose answer may take up to `time`.
    ///
    /// # Errors
    /// As [`Caller::ask`].
    pub async fn ask_for(&mut self, command: &str, time: Duration) -> Result<Success, Failure> {
        loop {
            if let Some(answered) = self.attempt(command, time).await? {
                return Ok(answered);
            }
        }
    }

    /// Sends a command once, and waits until another attempt makes sense if it gets no answer:
    /// `None`. It may have been carried out then.
    ///
    /// # Errors
    /// As [`Caller::ask`].
    pub async fn attempt(
        &mut self,
        command: &str,
        time: Duration,
    ) -> Result<Option<Success>, Failure> {
        // Kept only once it has answered: if this is cancelled, the late answer must not be taken
        // for the next command's.
        let mut connection = self.connected().await?;
        let began = Instant::now();
        match connection.ask(command, time).await {
            Err(lost @ (Failure::Lost(_) | Failure::Busy(_))) => {
                // How long one was silent says nothing of the others, and one that has closed the
                // connection was there until then.
                let has_others = self.account.server.addresses.iter().len() > 1;
                let has_closed = began.elapsed() < time;
                let began = if has_others || has_closed { Instant::now() } else { began };
                self.outage.after(lost, began).await?;
                Ok(None)
            }
            Err(Failure::Refused(line)) if self.waits && lines::code(&line) == "too-fast" => {
                self.connection = Some(connection);
                self.outage.after(Failure::Refused(line), began).await?;
                Ok(None)
            }
            answered => {
                self.connection = Some(connection);
                self.outage.over();
                answered.map(Some)
            }
        }
    }

    /// Sends a command once: if the connection breaks before the answer, the outcome is unknown.
    ///
    /// # Errors
    /// `Refused`, `Secret`, `Lost`.
    pub async fn ask_once(&mut self, command: &str) -> Result<Success, Failure> {
        let mut connection = self.connected().await?;
        let answered = connection.ask(command, ANSWER).await;
        if !matches!(answered, Err(Failure::Lost(_) | Failure::Busy(_))) {
            self.connection = Some(connection);
        }
        answered
    }

    /// The newest id of the service.
    ///
    /// # Errors
    /// As [`Caller::ask`].
    pub async fn newest(&mut self) -> Result<u64, Failure> {
        loop {
            let mut connection = self.connected().await?;
            match connection.newest().await {
                Ok(newest) => {
                    self.connection = Some(connection);
                    self.outage.over();
                    return Ok(newest);
                }
                Err(e) => self.outage.after(e, Instant::now()).await?,
            }
        }
    }

    /// Sends acknowledgements, as ids and commands, until all are answered; each attempt gets them
    /// anew from `due`. Returns those that were sent, or `None`, with nothing sent, if the server's
    /// log ends below one of the ids: it is not the log that they were seen in.
    ///
    /// # Errors
    /// As [`Caller::ask`].
    pub async fn acknowledge(
        &mut self,
        due: impl Fn() -> Vec<(u64, String)>,
    ) -> Result<Option<Vec<(u64, String)>>, Failure> {
        loop {
            let is_known = self.connection.is_some();
            let mut connection = self.connected().await?;
            let due = due();
            let (highest, commands): (u64, Vec<String>) =
                due.iter().fold((0, Vec::new()), |(highest, mut commands), (id, command)| {
                    commands.push(command.clone());
                    (highest.max(*id), commands)
                });
            let said = async {
                if !is_known && connection.newest().await? < highest {
                    return Ok(false);
                }
                connection.ask_all(&commands).await.map(|()| true)
            };
            match said.await {
                Ok(is_said) => {
                    self.connection = Some(connection);
                    self.outage.over();
                    return Ok(is_said.then_some(due));
                }
                Err(e) => self.outage.after(e, Instant::now()).await?,
            }
        }
    }

    async fn connected(&mut self) -> Result<Connection, Failure> {
        if let Some(connection) = self.connection.take() {
            return Ok(connection);
        }
        loop {
            let began = Instant::now();
            match self.account.connect(Events::Quiet).await {
                Ok(connection) => return Ok(connection),
                Err(e) => self.outage.after(e, began).await?,
            }
        }
    }
}
