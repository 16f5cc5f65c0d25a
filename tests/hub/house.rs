//! A hub whose store notes what each batch writes, and holds it up or fails when it is told to.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use crate::person::{Person, handle, register};
use papo::chat::{Act, Order};
use papo::entry::{Clock, EntryId, Millis, SessionId};
use papo::hub::{Done, Hub, Work};
use papo::name::Target;
use papo::store::sqlite::{Database, SqliteWriter};
use papo::store::{Change, Error, Maintenance, Reader, Writer};
use smol::channel::{self, Receiver};

/// What the writer and the test share.
#[derive(Default)]
pub struct Shared {
    /// What each batch wrote.
    pub batches: Mutex<Vec<Vec<Change>>>,
    /// Whoever has it holds up the hub, which waits for it before it writes.
    pub gate: Mutex<()>,
    pub is_at_gate: AtomicBool,
    /// How often the store was asked something.
    pub asked: AtomicUsize,
    /// Batches that write something, up to and with the one that fails; 0 for none.
    pub fails_in: AtomicUsize,
    /// Done while the next batch is written that writes something.
    pub meanwhile: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

struct Noting {
    writer: SqliteWriter,
    pub shared: Arc<Shared>,
}

impl Writer for Noting {
    fn record(&mut self, changes: &[Change]) -> Result<(), Error> {
        let shared = &self.shared;
        shared.is_at_gate.store(true, Ordering::SeqCst);
        drop(shared.gate.lock().unwrap());
        shared.is_at_gate.store(false, Ordering::SeqCst);
        if !changes.is_empty() {
            if let Some(ask) = shared.meanwhile.lock().unwrap().take() {
                ask();
            }
            let left = shared.fails_in.load(Ordering::SeqCst);
            shared.fails_in.store(left.saturating_sub(1), Ordering::SeqCst);
            if left == 1 {
                self.writer.record(&[])?;
                return Err(Error::new("no space left on device"));
            }
            shared.batches.lock().unwrap().push(changes.to_vec());
        }
        self.writer.record(changes)
    }

    fn reader(&mut self) -> Result<&mut dyn Reader, Error> {
        self.shared.asked.fetch_add(1, Ordering::SeqCst);
        self.writer.reader()
    }
}

pub struct House {
    pub hub: Hub,
    pub thread: JoinHandle<()>,
    pub database: Database,
    pub shared: Arc<Shared>,
    pub folder: tempfile::TempDir,
}

impl House {
    pub fn new() -> House {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("papo.db")).unwrap();
        House::on(database, folder)
    }

    /// Another hub on the same database: it has nothing in memory.
    pub fn again(self) -> House {
        self.hub.ask(Work::End);
        self.thread.join().unwrap();
        House::on(self.database, self.folder)
    }

    pub fn on(database: Database, folder: tempfile::TempDir) -> House {
        let shared = Arc::new(Shared::default());
        let writer = Noting { writer: database.writer().unwrap(), shared: shared.clone() };
        let clock = Clock::Still(Millis(0));
        let (hub, thread) = Hub::start(Box::new(writer), clock, Arc::default()).unwrap();
        House { hub, thread, database, shared, folder }
    }

    /// Asks for all of this while the hub is held up, so that it finds all of it at once.
    pub fn at_once(&self, ask: impl FnOnce(&Hub)) {
        let held = self.shared.gate.lock().unwrap();
        // It may stand there already, with what was asked for before.
        self.hub.ask(Work::Unwatch { session: SessionId(0) });
        while !self.shared.is_at_gate.load(Ordering::SeqCst) {
            thread::yield_now();
        }
        ask(&self.hub);
        drop(held);
    }

    /// What each batch wrote since this was last asked.
    pub fn written(&self) -> Vec<Vec<Change>> {
        std::mem::take(&mut self.shared.batches.lock().unwrap())
    }

    /// The next lines that a session is sent, so many.
    pub fn lines(&self, person: &Person, count: usize) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        while lines.len() < count {
            lines.extend(person.heard(&self.hub).lines().map(str::to_owned));
        }
        lines
    }

    pub fn order(&self, order: Order) -> Receiver<Done> {
        let (answer, answered) = channel::bounded(1);
        self.hub.ask(Work::Order { order, answer: answer.into() });
        answered
    }

    /// Ana has a session and is written to by so many, whose entries are these.
    pub fn with_writers(&self, count: u64) -> (Person, Vec<EntryId>) {
        let ana = Person { session: SessionId(1), ..register(&self.hub, 1, "ana").unwrap() };
        for n in 0..count {
            let writer = register(&self.hub, 10 + n, &format!("writer{n}")).unwrap();
            writer.acts(
                &self.hub,
                vec![Act::Send {
                    to: Target::Person(handle("ana")),
                    body: "hello".into(),
                    once: None,
                }],
            );
            self.lines(&writer, 1);
        }
        ana.heard(&self.hub);
        self.written();
        (ana, (1..=count as i64).map(EntryId).collect())
    }

    pub fn stop(self) {
        self.hub.ask(Work::End);
        self.thread.join().unwrap();
        assert_eq!(self.database.maintenance().check().unwrap(), [""; 0]);
    }
}
