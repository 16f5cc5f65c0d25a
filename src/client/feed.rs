//! A feed: the events of an account, one after another, over as many connections as that takes.
//!
//! Only events come out of it: each entry once, in the order of the ids, and none is missed, whatever
//! other sessions of the account acknowledge meanwhile (see [`follow`](super::follow)). It
//! acknowledges nothing itself. `LIVE` comes after each connection, when what was missed has come.

use std::time::{Duration, Instant};

use smol::Timer;
use smol::channel::Receiver;
use smol::future::FutureExt;

use super::account::Credentials;
use super::connection::{ANSWER, Connection, REACH};
use super::failure::Failure;
use super::follow::{Followed, Follower};
use super::outage::{Notify, Outage};
use crate::wire::rows::ReceiptLine;

/// After how long without a line the server is asked whether it is still there; it has as long as for
/// any answer then. A machine that lost its power, or a router that forgot the connection, says
/// nothing.
const SILENCE: Duration = Duration::from_secs(60);

/// After how long without a line of ours a receipt is answered. A receipt counts as shown when its
/// session has sent a line after it; until then it comes again with the next log-in.
const SHOWN: Duration = Duration::from_secs(1);

/// For how long the server is waited for at the end.
const LEAVING: Duration = Duration::from_secs(1);

/// How what is told of a server begins whose log was put back.
pub const PUT_BACK: &str = "the server's log was put back";

/// The events of an account.
pub struct Feed<'a> {
    account: &'a Credentials,
    connection: Option<Connection>,
    follower: Follower,
    /// The server was asked and has not said anything since.
    is_asked: bool,
    silence: Duration,
    /// After how long a receipt is answered; `None` where receipts are shown to nobody.
    shown: Option<Duration>,
    /// When it will be, if one came and nothing was said since.
    due: Option<Instant>,
    outage: Outage,
    put_back: u64,
}

impl<'a> Feed<'a> {
    /// Connects for the first time. `since` is the newest id of the service as it was before.
    ///
    /// # Errors
    /// `Lost` where the server cannot be reached within 5 seconds; `Secret`, `Refused`.
    pub async fn open(account: &'a Credentials, since: u64) -> Result<Feed<'a>, Failure> {
        Feed::with(account, Some(since), Outage::new(Some(REACH))).await
    }

    /// The same, where it is told elsewhere than on standard error that the server is gone, and back.
    /// What comes before the first `LIVE` is no more than what waits at that moment. `wake` lets it try
    /// again at once.
    ///
    /// # Errors
    /// As [`Feed::open`].
    pub async fn open_telling(
        account: &'a Credentials,
        notify: Notify,
        wake: Receiver<()>,
    ) -> Result<Feed<'a>, Failure> {
        let outage = Outage::new(Some(REACH)).told(notify).woken(wake);
        let mut feed = Feed::with(account, None, outage).await?;
        feed.show_receipts();
        Ok(feed)
    }

    async fn with(
        account: &'a Credentials,
        since: Option<u64>,
        outage: Outage,
    ) -> Result<Feed<'a>, Failure> {
        let follower = Follower::new(account.handle.clone(), since);
        let mut feed = Feed {
            account,
            connection: None,
            follower,
            is_asked: false,
            silence: SILENCE,
            shown: None,
            due: None,
            outage,
            put_back: 0,
        };
        feed.connected().await?;
        // Whoever got in once is expected to get in again.
        feed.outage.be_patient(true);
        Ok(feed)
    }

    /// Receipts are shown to somebody, so those that came count as shown.
    pub fn show_receipts(&mut self) {
        self.shown = Some(SHOWN);
    }

    /// Leaves in good order, within a second, so that the last receipts count as shown.
    pub async fn leave(&mut self) {
        let (Some(connection), Some(_)) = (&mut self.connection, self.due) else { return };
        connection.queue("QUIT");
        let left = async {
            // What is not read when the connection is closed may undo what was said.
            while connection.flush().await.is_ok() && connection.next_line().await.is_ok() {}
        };
        let limit = async {
            Timer::after(LEAVING).await;
        };
        left.or(limit).await;
    }

    /// The next event, as the line that it is. It connects again where it has to; this may be given
    /// up on at any time.
    ///
    /// # Errors
    /// `Secret`, `Refused`: the account cannot be logged in to any more.
    pub async fn next(&mut self) -> Result<String, Failure> {
        loop {
            let is_asked = self.is_asked;
            let time = if is_asked { self.silence.min(ANSWER) } else { self.silence };
            let due = self.due.map(|due| due.saturating_duration_since(Instant::now()));
            let time = due.map_or(time, |due| due.min(time));
            let connection = self.connected().await?;
            let silence = async {
                Timer::after(time).await;
                Ok(None)
            };
            let line = async {
                connection.flush().await?;
                connection.next_line().await.map(Some)
            };
            let followed = match line.or(silence).await {
                Ok(None) if is_asked && due.is_none() => {
                    Err(Failure::Lost("the server is silent".to_owned()))
                }
                Ok(None) => {
                    connection.queue("PING");
                    (self.is_asked, self.due) = (true, None);
                    continue;
                }
                Ok(Some(line)) => {
                    self.is_asked = false;
                    let is_receipt = ReceiptLine::parse(&line).is_some();
                    if let (true, Some(shown)) = (is_receipt, self.shown) {
                        self.due.get_or_insert_with(|| Instant::now() + shown);
                    }
                    self.follower.take(line)
                }
                Err(e) => Err(e),
            };
            match followed {
                Ok(Followed::News(line)) => return Ok(line),
                Ok(Followed::Say(command)) => {
                    if let Some(connection) = &mut self.connection {
                        connection.queue(&command);
                        self.due = None;
                    }
                }
                Ok(Followed::Nothing) => {}
                Ok(Followed::PutBack(newest, seen)) => {
                    (self.connection, self.is_asked, self.due) = (None, false, None);
                    self.put_back += 1;
                    self.outage.tell(format!(
                        "{PUT_BACK}: it ends at {newest}, and {seen} was seen; beginning anew"
                    ));
                }
                Err(e) => {
                    (self.connection, self.is_asked, self.due) = (None, false, None);
                    self.follower.is_cut_off();
                    self.outage.after(e, Instant::now()).await?;
                }
            }
        }
    }

    /// How often the server's log was found to be another than before, so that ids of before mean
    /// nothing any more.
    pub fn put_back(&self) -> u64 {
        self.put_back
    }

    /// Whether the next line is here already.
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

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::thread;

    use super::super::account::Named;
    use super::*;
    use crate::name::Handle;

    #[test]
    fn a_server_that_falls_silent_is_asked_and_then_left_for_another_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap().to_string().parse().ok();
        let serving = thread::spawn(move || {
            let greeted = || {
                let (mut socket, _) = listener.accept().unwrap();
                socket.write_all(b"HELLO papo/1 fake type HELP\n").unwrap();
                let mut lines = BufReader::new(socket.try_clone().unwrap()).lines();
                assert_eq!(lines.next().unwrap().unwrap(), "LOGIN ana secret-a");
                (socket, lines)
            };
            let (mut silent, mut lines) = greeted();
            silent.write_all(b"OK LOGIN ana 0\n").unwrap();
            assert_eq!(lines.next().unwrap().unwrap(), "PING");
            assert!(lines.next().is_none(), "it is left");
            // Having no room is no reason to give up.
            let (mut full, mut lines) = greeted();
            full.write_all(b"ERR LOGIN too-many later\n").unwrap();
            assert!(lines.next().is_none());
            let (mut back, lines) = greeted();
            back.write_all(b"OK LOGIN ana 0\nLIVE 7\n").unwrap();
            (back, lines)
        });
        let account = account_at(server);
        smol::block_on(async {
            let mut feed = Feed::open(&account, 7).await.unwrap();
            feed.silence = Duration::from_millis(1);
            assert_eq!(feed.next().await.unwrap(), "LIVE 7");
        });
        serving.join().unwrap();
    }

    /// The account ana, whose password is secret-a.
    fn account_at(server: Option<super::super::address::Address>) -> Credentials {
        let mut secret = tempfile::NamedTempFile::new().unwrap();
        secret.write_all(b"secret-a\n").unwrap();
        let secret_file = Some(secret.path().to_owned());
        let named = Named { server, handle: Handle::new("ana"), secret_file, ..Named::default() };
        Credentials::find(&named).unwrap()
    }

    #[test]
    fn receipts_that_are_shown_are_answered_once_for_all_of_them() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap().to_string().parse().ok();
        let serving = thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            socket.write_all(b"HELLO papo/1 fake type HELP\n").unwrap();
            let mut lines = BufReader::new(socket.try_clone().unwrap()).lines();
            let mut says = || lines.next().map(Result::unwrap);
            assert_eq!(says().unwrap(), "LOGIN ana secret-a");
            let receipt = |id: u64| format!("READ {id} 2026-01-01T00:00:00.000Z bob ana\n");
            let begun = format!("OK LOGIN ana 0\nLIVE 7\n{}{}", receipt(5), receipt(6));
            socket.write_all(begun.as_bytes()).unwrap();
            assert_eq!(says().unwrap(), "PING");
            // Whoever leaves with one that was not answered says so.
            socket.write_all(format!("OK PING\n{}", receipt(7)).as_bytes()).unwrap();
            assert_eq!(says().unwrap(), "QUIT");
            socket.write_all(b"OK QUIT\nBYE quit\n").unwrap();
        });
        let account = account_at(server);
        smol::block_on(async {
            let mut feed = Feed::open(&account, 7).await.unwrap();
            feed.shown = Some(Duration::ZERO);
            let mut next =
                async || feed.next().await.unwrap().split(' ').nth(1).unwrap().to_owned();
            assert_eq!([next().await, next().await, next().await], ["7", "5", "6"]);
            // It is answered while the next event is waited for, and what comes then is not.
            assert_eq!(next().await, "7");
            feed.leave().await;
        });
        serving.join().unwrap();
    }
}
