//! The server as a whole, for `papod` and the tests: start, reload, stop.

mod door;
mod listen;
#[cfg(feature = "postgres")]
mod newcomers;
mod proxy;
mod store;

use std::future::{Future, poll_fn};
use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
#[cfg(feature = "postgres")]
use std::sync::{OnceLock, Weak};
use std::task::{Context, Waker};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use smol::Executor;
use smol::channel::{self, Receiver, Sender};

use crate::chat::FirstRules;
use crate::config::{Config, Standby};
use crate::counters::Counters;
use crate::door::HttpServices;
use crate::file_workers::FileWorkers;
#[cfg(feature = "postgres")]
use crate::hub::NodeHooks;
use crate::hub::{Hub, Retention, Work};
use crate::indexing;
use crate::limits;
use crate::live_limits::LiveLimits;
use crate::metrics;
use crate::password::{AuthCommand, Hasher};
use crate::preferences::Preferences;
use crate::rates::Rates;
use crate::readers::Readers;
use crate::session::{BusyLine, Certificates, FileService, Roster, Services};
use crate::store::{Maintenance, Survey};
use crate::wakeups;
use door::Door;
pub use listen::Inherited;
use listen::{ListeningSocket, SocketFile};
use store::{OpenStore, Pen, StoreLock};
pub use store::{import, postgres};

/// Checks everything that a server with this configuration would read and listen on, and changes
/// nothing.
pub fn check(config: &Config) -> Survey {
    let mut found = Survey::default();
    let tls = config.tls.as_ref();
    match tls.map(|tls| Certificates::load(&tls.certificate, &tls.key)) {
        Some(Ok(certificates)) => {
            let warnings = certificates.warnings(config.clock.now());
            found.remarks.extend(warnings.into_iter().map(|what| format!("warning: {what}")));
        }
        Some(Err(e)) => found.problems.push(e),
        None => {}
    }
    let auth = config.auth_command.as_deref().map(AuthCommand::new);
    found.problems.extend(auth.and_then(Result::err));
    found.problems.extend(listen::check(config));
    let Survey { problems, remarks } = store::survey(config);
    found.problems.extend(problems);
    found.remarks.extend(remarks);
    found
}

/// A running server.
pub struct Server {
    addresses: Vec<SocketAddr>,
    metrics: Vec<SocketAddr>,
    /// The names of the listeners, as logged.
    names: Vec<String>,
    /// The files of its Unix sockets, removed when dropped.
    files: Vec<SocketFile>,
    hub: Hub,
    door: Arc<Door>,
    /// Closed to end the executor's threads.
    stop: Sender<()>,
    /// Disconnected when the hub's thread has ended.
    hub_lives: Receiver<()>,
    /// Dropped to end the retention thread.
    retention: mpsc::Sender<()>,
    /// Dropped to end the thread that fills the index for searching.
    indexing: Option<mpsc::Sender<()>>,
    executors: Vec<JoinHandle<()>>,
    others: Vec<JoinHandle<()>>,
    /// Keeps the store ours until the last thread has ended.
    _held: StoreLock,
}

impl Server {
    /// Opens the database, listens, and starts serving.
    ///
    /// # Errors
    /// One line for the operator: what could not be opened or bound, and why.
    pub fn start(config: &Config) -> Result<Server, String> {
        Server::start_with(config, Inherited::default())
    }

    /// The same, also with inherited sockets.
    ///
    /// # Errors
    /// As for [`Server::start`].
    pub fn start_with(config: &Config, inherited: Inherited) -> Result<Server, String> {
        let tls = config.tls.as_ref();
        let certificates = tls.map(|tls| Certificates::load(&tls.certificate, &tls.key));
        let certificates = certificates.transpose()?;
        let auth = config.auth_command.as_deref().map(AuthCommand::new).transpose()?;
        let mut listeners = listen::open(config, inherited)?;
        if tls.is_some() && !listeners.iter().any(|listener| listener.speech.tls) {
            log::warn!(
                "a certificate is set, and nothing listens with TLS: set --tls-listen, or enable \
                 papod-tls.socket"
            );
        }
        // Only numbers are served there, so any address will do.
        let metrics = config.metrics.as_ref().map(|address| listen::bind(address, true));
        let metrics = metrics.transpose()?.unwrap_or_default();
        let plain = |e: &dyn std::fmt::Display| e.to_string();
        let OpenStore { pen, reader, maintenance, file, contents, indexer, beat, held } =
            store::open(config).map_err(|e| plain(&e))?;
        let counters = Arc::new(Counters::default());
        let open = {
            let reader = reader.clone();
            move || reader()
        };
        let (readers, mut others) =
            Readers::start(open, counters.clone()).map_err(|e| plain(&e))?;
        let (hasher, threads) =
            Hasher::start_with(config.password_cost, config.limits.secrets, counters.clone(), auth)
                .map_err(|e| plain(&e))?;
        others.extend(threads);
        let clock = config.clock;
        let preferences = Preferences { seen: config.seen, ..Preferences::default() };
        let first = FirstRules { amend: config.amend, preferences };
        // They need the hub.
        #[cfg(feature = "postgres")]
        let services_later: Arc<OnceLock<Weak<Services>>> = Arc::default();
        let started = match pen {
            Pen::Writer(writer) => Hub::start_with(writer, clock, counters.clone(), first),
            #[cfg(feature = "postgres")]
            Pen::Candidate(node) => {
                let hooks = node_hooks(&services_later);
                let at = config.node.as_deref();
                Hub::start_node(node, at, clock, counters.clone(), first, hooks)
            }
        };
        let (hub, hub_thread) = started.map_err(|e| plain(&e))?;
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
        let keep = reader().map_err(|e| plain(&e))?;
        let keep = Retention::new(hub.clone(), keep, config.clock, config.keep)
            .with_files(Some(contents.clone()), config.keep_files);
        let (retention, thread) = keep.start(counters.clone()).map_err(|e| plain(&e))?;
        others.push(thread);
        let indexing = indexer.map(|indexer| indexing::start(indexer, counters.clone()));
        let indexing = indexing.transpose().map_err(|e| plain(&e))?;
        let indexing = indexing.map(|(end, thread)| {
            others.push(thread);
            end
        });
        let (workers, threads) = FileWorkers::start(counters.clone()).map_err(|e| plain(&e))?;
        others.extend(threads);
        let files = FileService { contents, workers };
        let limits = Arc::new(LiveLimits::new(&config.limits));
        let idle = config.idle.map(Duration::from_secs);
        let services = Arc::new(Services {
            hub: hub.clone(),
            readers,
            maintenance,
            hasher,
            files,
            counters: counters.clone(),
            clock: config.clock,
            idle,
            registration: config.registration,
            rates: Rates::new(&config.limits),
            roster: Roster::new(limits.clone()),
            limits,
            line: BusyLine::default(),
        });
        #[cfg(feature = "postgres")]
        let _ = services_later.set(Arc::downgrade(&services));
        let proxies = config.proxy_from.clone();
        let http = Arc::new(HttpServices {
            services: services.clone(),
            keepalive: config.http_keepalive,
            keep: config.keep,
        });
        let http_certificates = certificates.as_ref().map(Certificates::for_http);
        let door = Arc::new(Door {
            executor: Executor::new(),
            services,
            http,
            certificates,
            http_certificates,
            proxies,
            keepalive: config.keepalive,
            accepting: Mutex::default(),
            introduced: 0.into(),
            warned: None.into(),
        });
        door.watch_certificates();
        door.watch_logins();
        let mut addresses = Vec::new();
        for listener in &listeners {
            if let ListeningSocket::Tcp(socket) = &listener.socket {
                addresses.push(socket.local_addr().map_err(|e| plain(&e))?);
            }
        }
        let names = listeners.iter().map(|listener| listener.name.clone()).collect();
        let files = listeners.iter_mut().filter_map(|listener| listener.file.take()).collect();
        for listener in listeners {
            door.open(listener).map_err(|e| plain(&e))?;
        }
        let metrics_addresses = metrics.iter().map(TcpListener::local_addr);
        let metrics_addresses =
            metrics_addresses.collect::<Result<_, _>>().map_err(|e| plain(&e))?;
        for listener in metrics {
            let listener = async_net::TcpListener::try_from(listener).map_err(|e| plain(&e))?;
            let task = metrics::serve(listener, counters.clone(), file.clone());
            door.executor.spawn(task).detach();
        }
        if let Some(pause) = beat {
            door.executor.spawn(beats(hub.clone(), pause)).detach();
            let maintenance = door.services.maintenance.clone();
            #[cfg(feature = "postgres")]
            door.executor.spawn(newcomers::watch(door.services.clone())).detach();
            let look = look_at_standbys(maintenance, counters.clone(), config.standby);
            door.executor.spawn(look).detach();
        }
        let (stop, stopped) = channel::bounded::<()>(1);
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let executors = (0..threads)
            .map(|_| {
                let services = door.services.clone();
                door.executor.spawn(async move { services.line.serve().await }).detach();
                let (door, stopped) = (door.clone(), stopped.clone());
                let run = move || serve(&door, &stopped);
                thread::Builder::new().name("sessions".into()).spawn(run)
            })
            .collect::<std::io::Result<Vec<_>>>()
            .map_err(|e| plain(&e))?;
        Ok(Server {
            addresses,
            metrics: metrics_addresses,
            names,
            files,
            hub,
            door,
            stop,
            hub_lives,
            retention,
            indexing,
            executors,
            others,
            _held: held,
        })
    }

    /// The network addresses it listens on, those without TLS first.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The addresses on which it serves metrics; empty without `--metrics`.
    pub fn metrics(&self) -> &[SocketAddr] {
        &self.metrics
    }

    /// The names of all listeners, as logged.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Reloads the certificates. `None`: there are none.
    ///
    /// # Errors
    /// One line for the operator; the previous ones stay in use.
    pub fn reload(&self) -> Option<Result<(), String>> {
        let now = self.door.services.clock.now();
        let done = self.door.certificates.as_ref().map(|loaded| loaded.reload(now));
        self.door.look_at_certificates();
        done
    }

    /// Waits until the hub has ended, which happens only on a failure or by [`Server::stop`].
    pub async fn failed(&self) {
        // It never sends; that it is gone is the message.
        let _ = self.hub_lives.recv().await;
    }

    /// Sends `BYE shutdown` to everyone, finishes commands under way, and ends all threads. Takes a
    /// few seconds at most, however many clients accept no bytes.
    pub fn stop(self) {
        self.door.close();
        drop(self.files);
        let roster = &self.door.services.roster;
        roster.close();
        // An unfinished backup is aborted and leaves no file.
        self.door.services.maintenance.end();
        roster.wait_until_empty(limits::FAREWELL_TIME + limits::LINGER_TIME);
        self.hub.ask(Work::End);
        drop(self.stop);
        let Server { door, executors, others, hub, retention, indexing, .. } = self;
        for thread in executors {
            let _ = thread.join();
        }
        // Drops the sessions that accepted no bytes, and with them the last handles of the queues,
        // which ends the other threads.
        drop((door, hub, retention, indexing));
        for thread in others {
            let _ = thread.join();
        }
    }
}

/// Has the hub record something now and then, also when nobody asks for anything.
async fn beats(hub: Hub, pause: Duration) {
    loop {
        smol::Timer::after(pause).await;
        // A question about nobody is a batch without changes.
        let (answer, answered) = channel::bounded(1);
        hub.ask(Work::Online { accounts: Vec::new(), answer: answer.into() });
        if answered.recv().await.is_err() {
            return;
        }
    }
}

/// Looks now and then whether commits wait for a standby, and says when that changes.
async fn look_at_standbys(
    maintenance: Arc<dyn Maintenance>,
    counters: Arc<Counters>,
    standby: Standby,
) {
    // At the start, whoever leads has said how it is.
    let mut had = None;
    loop {
        let store = maintenance.clone();
        let now = smol::unblock(move || store.replication()).await;
        *counters.replication.lock().unwrap_or_else(PoisonError::into_inner) = now;
        if let Some(has) = now.map(|now| now.has_standby) {
            match had.replace(has) {
                Some(true) if !has && standby == Standby::Required => {
                    log::error!("PostgreSQL waits for no standby any more; nothing is written");
                }
                Some(true) if !has && standby == Standby::Warn => log::warn!(
                    "PostgreSQL waits for no standby any more: OK means the disk of one machine"
                ),
                Some(false) if has => log::info!("PostgreSQL waits for a standby again"),
                _ => {}
            }
        }
        smol::Timer::after(limits::STANDBY_LOOK).await;
    }
}

/// Runs the executor until `stopped` is closed. One of the threads that serve sessions.
fn serve(door: &Door, stopped: &Receiver<()>) {
    let hub = &door.services.hub;
    let mut run = pin!(door.executor.run(stopped.recv()));
    let mut wakers: Option<(Waker, Waker)> = None;
    // One poll is one pass: it runs the tasks that are ready, until none is left or it has run 200.
    let passes = poll_fn(|cx| {
        wakers.take_if(|(own, _)| !own.will_wake(cx.waker()));
        let (_, waker) = wakers
            .get_or_insert_with(|| (cx.waker().clone(), wakeups::gathered(cx.waker().clone())));
        hub.pass(|| run.as_mut().poll(&mut Context::from_waker(waker)))
    });
    // `async_io::block_on` polls the reactor itself while it waits; another `block_on` would leave
    // that to a separate thread, at little more than half the speed.
    let _ = smol::block_on(passes);
}

/// What other nodes want of this one, which says and does nothing as long as it starts.
#[cfg(feature = "postgres")]
fn node_hooks(services_later: &Arc<OnceLock<Weak<Services>>>) -> NodeHooks {
    let services = || {
        let later = services_later.clone();
        move || later.get().and_then(Weak::upgrade)
    };
    let (of, known, hearing) = (services(), services(), services());
    NodeHooks {
        report: Box::new(move |question| {
            of().map(|services| services.report(question)).unwrap_or_default()
        }),
        known: Box::new(move || {
            known().map(|services| services.known_to_nodes()).unwrap_or_default()
        }),
        on_event: Box::new(move |event| {
            if let Some(services) = hearing() {
                services.note_elsewhere(event);
            }
        }),
    }
}
