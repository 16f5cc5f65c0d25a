//! A hub, its database, and sessions on narrow connections: each takes a few kilobytes at a time, as
//! many a real one does. On the loopback address the kernel takes megabytes at once, and much goes
//! unnoticed.
#![allow(dead_code)] // Each test program uses a part of it.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use papo::config::{Limits, PasswordCost};
use papo::counters::Counters;
use papo::entry::{Clock, Millis};
use papo::file_workers::FileWorkers;
use papo::hub::Hub;
use papo::live_limits::LiveLimits;
use papo::password::Hasher;
use papo::rates::Rates;
use papo::readers::Readers;
use papo::session::{BusyLine, FileService, Roster, Services, Session, Socket, Stream};
use papo::store::folder;
use papo::store::sqlite::Database;
use papo::store::{Error, Reader};
use papo::wire::help::ListenerKind;
use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_send_buffer_size};
use smol::future::FutureExt;

/// Opens a reader.
pub type Opens = Box<dyn Fn() -> Result<Box<dyn Reader>, Error> + Send + Sync>;

pub struct Narrow {
    pub hub: Hub,
    pub counters: Arc<Counters>,
    pub database: Database,
    pub services: Arc<Services>,
    pub folder: tempfile::TempDir,
}

impl Narrow {
    pub fn new(clock: Clock) -> Narrow {
        Narrow::with_eyes(clock, |open| open)
    }

    /// With a reader that is opened in another way, made of the usual one.
    pub fn with_eyes<O>(clock: Clock, other: impl FnOnce(Opens) -> O) -> Narrow
    where
        O: Fn() -> Result<Box<dyn Reader>, Error> + Send + Sync + 'static,
    {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("papo.db")).unwrap();
        let counters = Arc::new(Counters::default());
        let writer = Box::new(database.writer().unwrap());
        let (hub, _) = Hub::start(writer, clock, counters.clone()).unwrap();
        let maintenance = database.maintenance();
        let open: Opens = Box::new(move || Ok(Box::new(maintenance.reader()?)));
        let (readers, _) = Readers::start(other(open), counters.clone()).unwrap();
        let cost = PasswordCost { kib: 8, passes: 1 };
        let (hasher, _) = Hasher::start(cost, 16, counters.clone()).unwrap();
        let contents = folder.path().join("papo.db-files");
        let contents = Arc::new(folder::open(&contents, 0).unwrap());
        let (workers, _) = FileWorkers::start(counters.clone()).unwrap();
        let limits = Arc::new(LiveLimits::new(&Limits::DEFAULT));
        let services = Arc::new(Services {
            hub: hub.clone(),
            readers,
            maintenance: Arc::new(database.maintenance()),
            hasher,
            files: FileService { contents, workers },
            counters: counters.clone(),
            clock,
            idle: None,
            registration: papo::config::Registration::Open,
            rates: Rates::new(&Limits::DEFAULT),
            roster: Roster::new(limits.clone()),
            limits,
            line: BusyLine::default(),
        });
        Narrow { hub, counters, database, services, folder }
    }

    /// A connection on which something is typed at once, and the session's thread.
    pub fn session(&mut self, typed: &str) -> (TcpStream, thread::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        set_socket_send_buffer_size(&listener, 4_096).unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        set_socket_recv_buffer_size(&client, 16_384).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let (socket, peer) = Socket::accept_tcp(&listener, None).unwrap().unwrap();
        let services = self.services.clone();
        let session = thread::spawn(move || {
            let stream = Stream::new(socket, None).unwrap();
            let entered = services.roster.enter(peer, ListenerKind::Network, Millis(0));
            let (number, outbox) = entered.unwrap();
            let session =
                Session::new(number, services.clone(), stream, ListenerKind::Network, outbox);
            smol::block_on(session.run().or(services.line.serve()));
        });
        let mut typing = client.try_clone().unwrap();
        let typed = typed.to_owned();
        thread::spawn(move || typing.write_all(typed.as_bytes()).unwrap());
        (client, session)
    }
}
