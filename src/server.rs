//! Listening, accepting, and ending: the server as a whole, for the program and for the tests.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use smol::channel::{self, Receiver, Sender};
use smol::future::FutureExt;
use smol::{Executor, Timer};

use crate::config::Config;
use crate::entry::SessionId;
use crate::hub::{Hub, Work};
use crate::limits;
use crate::outbox::Outbox;
use crate::password::Hasher;
use crate::readers::Readers;
use crate::session::{Services, Session, Stream};
use crate::store::Recall;
use crate::store::sqlite::Database;
use crate::wire::reply::Bye;

/// A server that runs.
pub struct Server {
    addresses: Vec<SocketAddr>,
    hub: Hub,
    door: Arc<Door>,
    /// Closed when the executor's threads are to end.
    stop: Sender<()>,
    /// Disconnected when the hub's thread has ended.
    hub_lives: Receiver<()>,
    executors: Vec<JoinHandle<()>>,
    others: Vec<JoinHandle<()>>,
    /// Held until the last thread has ended.
    _database: Database,
}

/// What accepting needs, and who is in.
struct Door {
    executor: Executor<'static>,
    services: Arc<Services>,
    last: AtomicU64,
    sessions: Mutex<Sessions>,
    /// The last session has ended after the door was closed.
    emptied: Condvar,
}

#[derive(Default)]
struct Sessions {
    outboxes: HashMap<SessionId, Arc<Outbox>>,
    closed: bool,
}

impl Server {
    /// Opens the database, listens, and starts to serve.
    ///
    /// # Errors
    /// One line for the operator: what could not be opened or listened on, and why.
    pub fn start(config: &Config) -> Result<Server, String> {
        let listeners = config
            .listen
            .iter()
            .map(|address| listen(address, config.plain_anywhere))
            .collect::<Result<Vec<_>, _>>()?;
        let plain = |e: &dyn std::fmt::Display| e.to_string();
        let database = Database::open(&config.db).map_err(|e| plain(&e))?.limited(config.limit_db);
        let eyes = || database.eyes().map(|eyes| Box::new(eyes) as Box<dyn Recall>);
        let pen = Box::new(database.pen().map_err(|e| plain(&e))?);
        let readers = (0..limits::READERS).map(|_| eyes()).collect::<Result<_, _>>();
        let (readers, mut others) =
            Readers::start(readers.map_err(|e| plain(&e))?).map_err(|e| plain(&e))?;
        let (hasher, thread) = Hasher::start(config.password_cost).map_err(|e| plain(&e))?;
        others.push(thread);
        let (hub, hub_thread) = Hub::start(pen, config.clock).map_err(|e| plain(&e))?;
        let (alive, hub_lives) = channel::bounded(1);
        let watch = move || {
            let alive: Sender<()> = alive;
            if hub_thread.join().is_err() {
                log::error!("the hub has failed; nothing can be served without it");
            }
            drop(alive);
        };
        others
            .push(thread::Builder::new().name("watch".into()).spawn(watch).map_err(|e| plain(&e))?);
        let idle = config.idle.map(Duration::from_secs);
        let services =
            Arc::new(Services { hub: hub.clone(), readers, hasher, clock: config.clock, idle });
        let door = Arc::new(Door {
            executor: Executor::new(),
            services,
            last: AtomicU64::new(0),
            sessions: Mutex::default(),
            emptied: Condvar::new(),
        });
        let addresses = listeners.iter().map(TcpListener::local_addr).collect::<io::Result<_>>();
        let addresses = addresses.map_err(|e| plain(&e))?;
        for listener in listeners {
            let listener = async_net::TcpListener::try_from(listener).map_err(|e| plain(&e))?;
            door.executor.spawn(accept(Arc::downgrade(&door), listener)).detach();
        }
        let (stop, stopped) = channel::bounded::<()>(1);
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let executors = (0..threads)
            .map(|_| {
                let (door, stopped) = (door.clone(), stopped.clone());
                // `async_io::block_on` polls the reactor itself while it waits; another `block_on`
                // would leave that to a thread of its own, at more than half of the speed.
                let run = move || {
                    let _ = smol::block_on(door.executor.run(stopped.recv()));
                };
                thread::Builder::new().name("sessions".into()).spawn(run)
            })
            .collect::<io::Result<Vec<_>>>()
            .map_err(|e| plain(&e))?;
        Ok(Server { addresses, hub, door, stop, hub_lives, executors, others, _database: database })
    }

    /// The addresses it listens on.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Waits until the hub has ended, which it does only by a failure or by [`Server::stop`].
    pub async fn failed(&self) {
        // It never sends; that it is gone is the message.
        let _ = self.hub_lives.recv().await;
    }

    /// Says `BYE shutdown` to everyone, finishes what is under way, and ends. What is confirmed is
    /// on disk; it takes a few seconds at most, however many there are that take no byte.
    pub fn stop(self) {
        self.door.close();
        self.door.wait_until_empty(limits::FAREWELL_TIME + limits::LINGER_TIME);
        self.hub.ask(Work::End);
        drop(self.stop);
        let Server { door, executors, others, hub, .. } = self;
        for thread in executors {
            let _ = thread.join();
        }
        // Sessions that took no byte are dropped here, and with them the last handles of the
        // queues, at which the other threads end.
        drop((door, hub));
        for thread in others {
            let _ = thread.join();
        }
    }
}

/// Listens on an address. Plain text outside this machine has to be asked for.
fn listen(address: &str, anywhere: bool) -> Result<TcpListener, String> {
    let say = |what: &dyn std::fmt::Display| format!("cannot listen on {address}: {what}");
    let has_port = |text: &str| {
        text.rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
    };
    if !has_port(address) {
        return Err(say(&"expected HOST:PORT"));
    }
    let found: Vec<SocketAddr> = address.to_socket_addrs().map_err(|e| say(&e))?.collect();
    if let Some(open) = found.iter().find(|a| !a.ip().is_loopback() && !anywhere) {
        return Err(say(&format!(
            "{} is not loopback, and passwords would cross the network readable; \
             --plain-anywhere allows it",
            open.ip()
        )));
    }
    let listener = TcpListener::bind(&*found).map_err(|e| say(&e))?;
    // The library asks for 128 only. Listening again changes the length of the queue.
    rustix::net::listen(&listener, limits::BACKLOG).map_err(|e| say(&e))?;
    Ok(listener)
}

/// Holds the door weakly: the door owns the executor that owns this task.
async fn accept(door: Weak<Door>, listener: async_net::TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => match door.upgrade() {
                Some(door) => door.admit(stream),
                None => return,
            },
            Err(e) => {
                // Out of file descriptors, or the peer has gone again: those who are in stay.
                log::warn!("cannot accept a connection: {e}");
                Timer::after(limits::ACCEPT_PAUSE).await;
            }
        }
    }
}

impl Door {
    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn admit(self: &Arc<Door>, stream: async_net::TcpStream) {
        let Ok(stream) = Stream::new(stream) else {
            return;
        };
        let id = SessionId(self.last.fetch_add(1, Ordering::Relaxed) + 1);
        if log::log_enabled!(log::Level::Debug)
            && let Ok(peer) = stream.peer()
        {
            log::debug!("session {}: from {peer}", id.0);
        }
        let outbox = Arc::new(Outbox::default());
        {
            let mut sessions = self.sessions();
            if sessions.closed {
                return;
            }
            sessions.outboxes.insert(id, outbox.clone());
        }
        let session = Session::new(id, self.services.clone(), stream, outbox);
        let door = Arc::downgrade(self);
        let task = async move {
            // A bug in one session ends that session.
            if AssertUnwindSafe(session.run()).catch_unwind().await.is_err() {
                log::error!("session {}: ended by a bug", id.0);
            }
            if let Some(door) = door.upgrade() {
                door.dismiss(id);
            }
        };
        self.executor.spawn(task).detach();
    }

    fn dismiss(&self, id: SessionId) {
        let mut sessions = self.sessions();
        sessions.outboxes.remove(&id);
        if sessions.closed && sessions.outboxes.is_empty() {
            self.emptied.notify_all();
        }
    }

    /// Lets nobody in any more and ends those who are.
    fn close(&self) {
        let mut sessions = self.sessions();
        sessions.closed = true;
        for outbox in sessions.outboxes.values() {
            outbox.hang_up(Bye::Shutdown);
        }
    }

    fn wait_until_empty(&self, time: Duration) {
        let any = |sessions: &mut Sessions| !sessions.outboxes.is_empty();
        // Whether it is empty or late, what follows is the same.
        let _ = self.emptied.wait_timeout_while(self.sessions(), time, any);
    }
}
