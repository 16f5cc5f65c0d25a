//! A caller says a command until it is answered, over as many connections as that takes.
//!
//! Its sessions are quiet, so nothing but answers comes over them. A command may be carried out more
//! than once if its answer was lost, so only those are said here of which that does no harm: what
//! asks, what acknowledges, and what has a key (`ONCE`). The rest goes to [`Caller::ask_once`].

use std::time::{Duration, Instant};

use smol::channel::Receiver;

use super::account::Credentials;
use super::connection::{ANSWER, Connection, REACH, Success};
use super::failure::Failure;
use super::lines;
use super::outage::{Notify, Outage};

/// A quiet session that comes back by itself.
pub struct Caller<'a> {
    account: &'a Credentials,
    connection: Option<Connection>,
    outage: Outage,
    /// A command that is said too fast is said again when its time has come.
    waits: bool,
}

impl<'a> Caller<'a> {
    /// For a command that is over soon: a server that is not there for 5 seconds is given up, and
    /// one that has no room after 30.
    pub fn hasty(account: &'a Credentials) -> Caller<'a> {
        Caller { account, connection: None, outage: Outage::new(Some(REACH)), waits: true }
    }

    /// For one that stays: a server is never given up.
    pub fn patient(account: &'a Credentials) -> Caller<'a> {
        Caller { account, connection: None, outage: Outage::new(None), waits: true }
    }

    /// For a person, who is told elsewhere than on standard error that the server has no room, and
    /// of each refusal at once. `wake` lets it try again at once.
    pub fn patient_telling(
        account: &'a Credentials,
        notify: Notify,
        wake: Receiver<()>,
    ) -> Caller<'a> {
        let outage = Outage::new(None).told(notify).woken(wake);
        Caller { account, connection: None, outage, waits: false }
    }

    /// The server is never given up any more.
    pub fn be_patient(&mut self) {
        self.outage.be_patient(false);
    }

    /// Says a command until it is answered.
    ///
    /// # Errors
    /// `Refused`, `Secret`; `Lost` from one that is hasty.
    pub async fn ask(&mut self, command: &str) -> Result<Success, Failure> {
        self.ask_for(command, ANSWER).await
    }

    /// The same, for a command whose answer takes up to so long.
    ///
    /// # Errors
    /// As [`Caller::ask`].
    pub async fn ask_for(&mut self, command: &str, time: Duration) -> Result<Success, Failure> {
        loop {
            // It is put back when it has answered: where this is given up on half-way, the answer
            // that still comes is not taken for that of the next command.
            let mut connection = self.connected().await?;
            let began = Instant::now();
            match connection.ask(command, time).await {
                Err(lost @ (Failure::Lost(_) | Failure::Busy(_))) => {
                    self.outage.after(lost, began).await?;
                }
                Err(Failure::Refused(line)) if self.waits && lines::code(&line) == "too-fast" => {
                    self.connection = Some(connection);
                    self.outage.after(Failure::Refused(line), began).await?;
                }
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

    /// Says commands that acknowledge, each with the id up to which it does, until all are answered.
    /// Each try asks `due` for them anew. Returns those that were said; `None` where the server's log
    /// ends below one of the ids: it is not the log that they were seen in, so nothing is said.
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
            match self.account.connect(true).await {
                Ok(connection) => return Ok(connection),
                Err(e) => self.outage.after(e, began).await?,
            }
        }
    }
}
