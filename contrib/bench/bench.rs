//! What a scenario is given: servers on the servers' core, names for its people, and a table to
//! note values in.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Outcome;
use crate::child::{self, Server};
use crate::crowd;
use crate::large::{self, Shape};
use crate::machine::Spent;
use crate::report::{Results, Subject};
use crate::stats::Latencies;

/// The limits, and whether they sync.
const LIMITS: [(Subject, bool); 2] = [(Subject::LimitFsync, true), (Subject::Limit, false)];

/// What a hash costs is a choice, and would drown everything else.
pub const CHEAP_HASH: [&str; 2] = ["--password-cost", "8:1"];

pub struct Bench<'a> {
    /// Less time for each measurement.
    pub quick: bool,
    /// The scenario was asked for by its name.
    pub is_named: bool,
    /// Attacks that are measured have this in their names.
    pub attack: &'a str,
    /// The papod that is measured, and the column in which it stands.
    pub program: &'a Path,
    pub subject: Subject,
    pub server_cores: &'a [usize],
    pub load_core: usize,
    /// Open files that a process may have.
    pub open_files: usize,
    /// For new databases.
    pub folder: &'a Path,
    /// The folder of the large database, where papod is measured on that.
    pub large: Option<&'a Path>,
    /// Where the crowded database is kept once it was made.
    pub crowd: &'a Path,
    /// Times that papod was started by any scenario so far.
    pub starts: &'a mut usize,
    pub scenario: &'static str,
    pub results: &'a mut Results,
}

impl Bench<'_> {
    /// For how long a rate is measured: not long on the large database, so that what is added to
    /// it stays small beside what it holds.
    pub fn time(&self) -> Duration {
        let is_short = self.quick || self.large.is_some();
        Duration::from_millis(if is_short { 1_500 } else { 4_000 })
    }

    /// For how long there is load before it is measured.
    pub fn warm_up(&self) -> Duration {
        Duration::from_millis(500)
    }

    /// papod on a new database, or on the large one.
    pub fn papod(&mut self) -> Outcome<Server> {
        *self.starts += 1;
        self.papod_again()
    }

    /// papod with these flags on a new database.
    pub fn papod_with(&mut self, flags: &[&str]) -> Outcome<Server> {
        *self.starts += 1;
        self.papod_on_last(flags)
    }

    /// papod on the same database as the last one, which must have ended.
    pub fn papod_again(&self) -> Outcome<Server> {
        self.papod_on_last(&[])
    }

    fn papod_on_last(&self, flags: &[&str]) -> Outcome<Server> {
        let new = self.folder.join(self.starts.to_string());
        let tls = self.subject == Subject::Tls;
        let folder = self.large.unwrap_or(&new);
        let flags = [&CHEAP_HASH, flags].concat();
        Server::papod(self.program, folder, self.server_cores, tls, &flags)
    }

    /// papod with these flags on the database in a folder that [`Bench::crowd`] has filled.
    pub fn papod_in(&self, folder: &Path, flags: &[&str]) -> Outcome<Server> {
        Server::papod(self.program, folder, self.server_cores, false, flags)
    }

    /// papod on a new database, or on the one at this URL, with these cores.
    pub fn papod_on(&mut self, url: Option<&str>, cores: &[usize]) -> Outcome<Server> {
        *self.starts += 1;
        let folder = self.folder.join(self.starts.to_string());
        match url {
            Some(url) => Server::papod_on(self.program, &folder, url, cores, &CHEAP_HASH),
            None => Server::papod(self.program, &folder, cores, false, &CHEAP_HASH),
        }
    }

    /// The servers' cores, and that of the load.
    pub fn all_cores(&self) -> Vec<usize> {
        let mut cores = self.server_cores.to_vec();
        if !cores.contains(&self.load_core) {
            cores.push(self.load_core);
        }
        cores
    }

    /// Ends a scenario that lacks something: with an error if it was asked for by its name.
    pub fn leave_out(&self, why: &str) -> Outcome<()> {
        if self.is_named {
            return Err(why.into());
        }
        eprintln!("bench: {} is left out: {why}", self.scenario);
        Ok(())
    }

    /// A folder with a copy of the crowded database, which is made when it is first asked for.
    pub fn crowd(&mut self) -> Outcome<PathBuf> {
        if !self.crowd.exists() {
            crowd::make(self.crowd)?;
        }
        *self.starts += 1;
        let folder = self.folder.join(self.starts.to_string());
        fs::create_dir(&folder)?;
        let copy = folder.join("papo.db");
        fs::copy(self.crowd, &copy)?;
        File::open(&copy)?.sync_all()?;
        Ok(folder)
    }

    /// The folder of the database of the next papod.
    pub fn next_folder(&self) -> PathBuf {
        self.folder.join((*self.starts + 1).to_string())
    }

    /// papod on a new database of this shape, or on the large one, which has the same people.
    pub fn papod_among(&mut self, shape: &Shape) -> Outcome<Server> {
        if self.large.is_none() {
            let folder = self.next_folder();
            large::make(&folder.join("papo.db"), shape)?;
        }
        self.papod()
    }

    /// So many connections, or as many as this process may have beside its other files.
    pub fn connections(&self, wanted: usize) -> usize {
        const OTHER_FILES: usize = 100;
        let count = wanted.min(self.open_files - OTHER_FILES);
        if count < wanted {
            eprintln!("bench: {count} connections only; see ulimit -n");
        }
        count
    }

    /// Handles that nobody has yet, also where one scenario after another comes to one database.
    pub fn handles(&self, beginning: &str, count: usize) -> Vec<String> {
        (0..count).map(|n| format!("{beginning}{n}.{}", self.starts)).collect()
    }

    /// The limits that are to be measured: once, beside papod on a new database.
    pub fn limits(&self) -> &'static [(Subject, bool)] {
        if self.subject == Subject::Papod { &LIMITS } else { &[] }
    }

    /// The bare relay, which syncs a journal or not.
    pub fn limit(&self, syncs: bool) -> Outcome<Server> {
        let journal = syncs.then(|| self.folder.join("journal"));
        Server::limit(journal.as_deref(), self.server_cores)
    }

    /// Puts this load on papod, and then on each of the limits.
    pub fn beside_limits(
        &mut self,
        load: impl Fn(&mut Bench, Subject, &Server) -> Outcome<()>,
    ) -> Outcome<()> {
        let server = self.papod()?;
        load(self, Subject::Papod, &server).map_err(|e| format!("{e}\n{}", server.said()))?;
        drop(server);
        for (subject, syncs) in self.limits() {
            let server = self.limit(*syncs)?;
            load(self, *subject, &server)?;
        }
        Ok(())
    }

    /// Rows per second, and CPU seconds per row, of bare SQLite with batches of this size.
    pub fn sqlite(&self, batch: usize) -> Outcome<(f64, f64)> {
        self.bare_sqlite("sqlite", batch)
    }

    /// The same of the rows that this role writes.
    pub fn bare_sqlite(&self, role: &str, batch: usize) -> Outcome<(f64, f64)> {
        let file = self.folder.join(format!("{role}-{batch}.db"));
        child::rows(role, file.as_os_str(), batch, self.time() / 2, self.server_cores)
    }

    /// The same of bare PostgreSQL, at this URL and with the client on these cores.
    pub fn postgres(&self, url: &str, batch: usize, cores: &[usize]) -> Outcome<(f64, f64)> {
        child::rows("postgres", url.as_ref(), batch, self.time(), cores)
    }

    /// Notes a value of this run.
    pub fn note(&mut self, subject: Subject, measure: &str, unit: &'static str, value: f64) {
        let subject = match subject {
            Subject::Papod => self.subject,
            limit => limit,
        };
        self.results.note(self.scenario, measure, unit, subject, value);
    }

    /// Notes how many there were per second, what each cost the server, and how busy the load was.
    pub fn rate(&mut self, subject: Subject, what: &str, count: f64, spent: Spent) {
        self.note(subject, what, "/s", count / spent.seconds);
        self.note(subject, &format!("{what}: server CPU each"), "µs", spent.server / count * 1e6);
        self.note(subject, &format!("{what}: load CPU"), "%", spent.load / spent.seconds * 100.0);
    }

    /// Notes three percentiles.
    pub fn latencies(&mut self, subject: Subject, what: &str, latencies: &Latencies) {
        for (name, part) in [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)] {
            self.note(subject, &format!("{what}, {name}"), "µs", latencies.micros(part));
        }
    }
}
