//! A feed: the events of an account in order, across reconnections.
//!
//! It yields only events: each entry once, in the order of ids, and none is missed, whatever other
//! sessions of the account acknowledge (see [`follow`](super::follow)). It acknowledges nothing
//! itself. On each connection `LIVE` follows the entries that were missed.

use std::time::{Duration, Instant};

use smol::Timer;
use smol::channel::Receiver;
use smol::future::FutureExt;

use super::account::Credentials;
use super::connection::{ANSWER, Connection, REACH};
use super::failure::Failure;
use super::follow::{Followed, Follower};
use super::outage::{Notify, Outage};
use crate::wire::request::Events;
use crate::wire::rows::ReceiptLine;

/// Silence after which the server is sent a `PING`, with the usual time to answer. A machine that
/// lost its power, or a router that forgot the connection, sends nothing.
const SILENCE: Duration = Duration::from_secs(60);

/// Delay before a receipt is answered with a line. The server counts a receipt as shown once its
/// session has sent a line after it, and until then repeats it at the next login.
const SHOWN: Duration = Duration::from_secs(1);

/// Time limit for the answer to `QUIT`.
const LEAVING: Duration = Duration::from_secs(1);

/// The beginning of the notice that the server's log was put back.
pub const PUT_BACK: &str = "the server's log was put back";

/// The events of an account.
pub struct Feed<'a> {
    account: &'a Credentials,
    connection: Option<Connection>,
    follower: Follower,
    events: Events,
    /// A `PING` was sent, and nothing has come since.
    is_asked: bool,
    silence: Duration,
    /// Delay before a receipt is answered; `None` if nobody is shown receipts.
    shown: Option<Duration>,
    /// When to answer receipts, if one has come since the last line was sent.
    due: Option<Instant>,
    outage: Outage,
    put_back: u64,
}

impl<'a> Feed<'a> {
    /// Connects for the first time. `since` is the newest id of the service from before.
    ///
    /// # Errors
    /// `Lost` if the server cannot be reached within 5 seconds; `Secret`, `Refused`.
    pub async fn open(account: &'a Credentials, since: u64) -> Result<Feed<'a>, Failure> {
        let follower = Follower::new(account.handle.clone(), Some(since));
        Feed::with(account, follower, Events::All, Outage::new(Some(REACH))).await
    }

    /// The same with sessions that only watch: of what was waiting nothing comes, the account does
    /// not appear online, and of receipts only its own `READ`s come.
    ///
    /// # Errors
    /// As [`Feed::open`].
    pub async fn open_watching(account: &'a Credentials, since: u64) -> Result<Feed<'a>, Failure> {
        let mut follower = Follower::new(account.handle.clone(), Some(since));
        // Entries between then and the login are not sent by it, so they are read from the log.
        follower.is_cut_off();
        Feed::with(account, follower, Events::Watch, Outage::new(Some(REACH))).await
    }

    /// The same, but notices of outages go to `notify`, only waiting entries come before the first
    /// `LIVE`, and a message on `wake` makes it retry at once.
    ///
    /// # Errors
    /// As [`Feed::open`].
    pub async fn open_telling(
        account: &'a Credentials,
        notify: Notify,
        wake: Receiver<()>,
    ) -> Result<Feed<'a>, Failure> {
        let outage = Outage::new(Some(REACH)).told(notify).woken(wake);
        let follower = Follower::new(account.handle.clone(), None);
        let mut feed = Feed::with(account, follower, Events::All, outage).await?;
        feed.show_receipts();
        Ok(feed)
    }

    async fn with(
        account: &'a Credentials,
        follower: Follower,
        events: Events,
        outage: Outage,
    ) -> Result<Feed<'a>, Failure> {
        let mut feed = Feed {
            account,
            connection: None,
            follower,
            events,
            is_asked: false,
            silence: SILENCE,
            shown: None,
            due: None,
            outage,
            put_back: 0,
        };
        feed.connected().await?;
        // An account that got in once is expected to get in again.
        feed.outage.be_patient(true);
        Ok(feed)
    }

    /// Receipts are shown to somebody from now on, so they are answered.
    pub fn show_receipts(&mut self) {
        self.shown = Some(SHOWN);
    }

    /// Leaves with `QUIT`, within a second, so that the last receipts count as shown.
    pub async fn leave(&mut self) {
        let (Some(connection), Some(_)) = (&mut self.connection, self.due) else { return };
        connection.queue("QUIT");
        let left = async {
            // Closing with unread input resets the connection, and what was sent may be lost.
            while connection.flush().await.is_ok() && connection.next_line().await.is_ok() {}
        };
        let limit = async {
            Timer::after(LEAVING).await;
        };
        left.or(limit).await;
    }

    /// The line of the next event. Reconnects if necessary. Cancel-safe.
    ///
    /// # Errors
    /// `Secret`, `Refused`: the account can no longer log in.
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
                    connection.leave();
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
                        "{PUT_BACK}: it ends at {newest}, but {seen} was seen; starting over"
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

    /// How often the server's log was found to have been put back, which makes earlier ids
    /// meaningless.
    pub fn put_back(&self) -> u64 {
        self.put_back
    }

    /// Whether another line is already buffered.
    pub fn has_more(&self) -> bool {
        self.connection.as_ref().is_some_and(Connection::has_line)
    }

    async fn connected(&mut self) -> Result<&mut Connection, Failure> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => loop {
                let began = Instant::now();
                match self.account.connect(self.events).await {
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
    use std::io::{BufRead, BufReader, Lines, Write};
    use std::net::{TcpListener, TcpStream};
    use std::thread;

    use super::super::account::Named;
    use super::*;
    use crate::name::Handle;

    #[test]
    fn a_server_that_falls_silent_is_asked_and_then_left_for_another_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap().to_string().parse().ok();
        let serving = thread::spawn(move || {
            let (mut silent, mut lines) = greeted(&listener);
            silent.write_all(b"OK LOGIN ana 0\n").unwrap();
            assert_eq!(lines.next().unwrap().unwrap(), "PING");
            assert!(lines.next().is_none(), "it is left");
            // Having no room is no reason to give up.
            let (mut full, mut lines) = greeted(&listener);
            full.write_all(b"ERR LOGIN too-many later\n").unwrap();
            assert!(lines.next().is_none());
            let (mut back, lines) = greeted(&listener);
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

    #[test]
    fn the_next_address_is_used_where_one_gives_no_answers() {
        let listeners = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let all = listeners.each_ref().map(|it| it.local_addr().unwrap().to_string());
        let turned_away = |at: usize| {
            let (mut socket, _) = listeners[at].accept().unwrap();
            socket.write_all(b"BYE unavailable\n").unwrap();
        };
        let account = account_at(all.join(",").parse().ok());
        thread::scope(|scope| {
            let serving = scope.spawn(|| {
                // Turned away at the greeting, and while it waits.
                turned_away(0);
                let (mut second, _) = greeted(&listeners[1]);
                second.write_all(b"BYE unavailable\n").unwrap();
                let (mut silent, mut lines) = greeted(&listeners[2]);
                silent.write_all(b"OK LOGIN ana 0\n").unwrap();
                assert_eq!(lines.next().unwrap().unwrap(), "PING");
                assert!(lines.next().is_none(), "it is left");
                turned_away(0);
                let (mut back, lines) = greeted(&listeners[1]);
                back.write_all(b"OK LOGIN ana 0\nLIVE 7\n").unwrap();
                (back, lines)
            });
            smol::block_on(async {
                let mut feed = Feed::open(&account, 7).await.unwrap();
                feed.silence = Duration::from_millis(1);
                assert_eq!(feed.next().await.unwrap(), "LIVE 7");
            });
            serving.join().unwrap();
        });
    }

    #[test]
    fn where_all_turn_it_away_it_says_why() {
        let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let all = listeners.each_ref().map(|it| it.local_addr().unwrap().to_string());
        let account = account_at(all.join(",").parse().ok());
        let failed = thread::scope(|scope| {
            for listener in &listeners {
                scope.spawn(|| {
                    let (mut socket, _) = listener.accept().unwrap();
                    socket.write_all(b"BYE unavailable\n").unwrap();
                });
            }
            smol::block_on(account.connect(Events::All)).err().unwrap()
        });
        let why = "the server says BYE unavailable: it does not reach its database";
        assert_eq!(failed.to_string(), format!("papo: {}: {why}; {}: {why}", all[0], all[1]));
        assert!(matches!(failed, Failure::Busy(_)) && failed.status() == 3);
    }

    /// The next connection, greeted, once ana has logged in.
    fn greeted(listener: &TcpListener) -> (TcpStream, Lines<BufReader<TcpStream>>) {
        let (mut socket, _) = listener.accept().unwrap();
        socket.write_all(b"HELLO papo/1 fake type HELP\n").unwrap();
        let mut lines = BufReader::new(socket.try_clone().unwrap()).lines();
        assert_eq!(lines.next().unwrap().unwrap(), "LOGIN ana secret-a");
        (socket, lines)
    }

    /// The account ana, whose password is secret-a.
    fn account_at(server: Option<super::super::address::Addresses>) -> Credentials {
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
            // Leaving with an unanswered receipt sends `QUIT`.
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
            // They are answered while the next event is awaited; the one that comes then is not.
            assert_eq!(next().await, "7");
            feed.leave().await;
        });
        serving.join().unwrap();
    }
}
