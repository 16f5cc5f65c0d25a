//! A feed: the events of an account, one after another, over as many connections as that takes.
//!
//! Only events come out of it. What was not acknowledged comes again with each new connection, so
//! whoever reads it keeps the highest id that it has dealt with. It acknowledges nothing itself.

use std::time::{Duration, Instant};

use smol::Timer;
use smol::future::FutureExt;

use super::account::Account;
use super::connection::{Connection, REACH};
use super::failure::Failure;
use super::lines;
use super::outage::Outage;

/// After how long without a line the server is asked whether it is still there. A machine that lost
/// its power, or a router that forgot the connection, says nothing.
const SILENCE: Duration = Duration::from_secs(60);

/// The events of an account.
pub struct Feed<'a> {
    account: &'a Account,
    connection: Option<Connection>,
    /// The server was asked and has not said anything since.
    is_asked: bool,
    outage: Outage,
}

impl<'a> Feed<'a> {
    /// Connects for the first time.
    ///
    /// # Errors
    /// `Lost` where the server cannot be reached within 5 seconds; `Secret`, `Refused`.
    pub async fn open(account: &'a Account) -> Result<Feed<'a>, Failure> {
        let outage = Outage::new(Some(REACH));
        let mut feed = Feed { account, connection: None, is_asked: false, outage };
        feed.connected().await?;
        // Whoever got in once is expected to get in again.
        feed.outage.be_patient();
        Ok(feed)
    }

    /// The next event, as the line that it is. It connects again where it has to; this may be given
    /// up on at any time.
    ///
    /// # Errors
    /// `Secret`, `Refused`: the account cannot be logged in to any more.
    pub async fn next(&mut self) -> Result<String, Failure> {
        loop {
            let is_asked = self.is_asked;
            let connection = self.connected().await?;
            let silence = async {
                Timer::after(SILENCE).await;
                Ok(None)
            };
            let came = async { connection.next_line().await.map(Some) }.or(silence).await;
            let came = match came {
                Ok(None) if is_asked => Err(Failure::Lost("the server is silent".to_owned())),
                Ok(None) => connection.say("PING").await.map(|()| None),
                other => other,
            };
            match came {
                Ok(line) => {
                    self.is_asked = line.is_none();
                    match line.as_deref().map(lines::first_word) {
                        // The answer to a PING.
                        None | Some("OK" | "ERR") => {}
                        Some(_) => return Ok(line.unwrap_or_default()),
                    }
                }
                Err(e) => {
                    (self.connection, self.is_asked) = (None, false);
                    self.outage.after(e, Instant::now()).await?;
                }
            }
        }
    }

    /// Whether the next event is here already.
    pub fn has_more(&self) -> bool {
        self.connection.as_ref().is_some_and(Connection::has_line)
    }

    async fn connected(&mut self) -> Result<&mut Connection, Failure> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => loop {
                let began = Instant::now();
                match self.account.connect(false).await {
                    Ok(connection) => {
                        self.outage.over();
                        break connection;
                    }
                    Err(e) => self.outage.after(e, began).await?,
                }
            },
        };
        Ok(self.connection.insert(connection))
    }
}
