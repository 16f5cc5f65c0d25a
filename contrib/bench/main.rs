//! The benchmark: `cargo bench`, and nothing else to install.
//!
//! It starts the release papod on a new database, pinned to one core, loads it from another, and
//! measures the limits of the machine in the same run. README.md beside this file says how to read
//! the table. To add a scenario, write a file in scenarios/ and name it in scenarios/mod.rs.
#![forbid(unsafe_code)]

mod child;
mod limit;
mod machine;
mod net;
mod people;
mod picture;
mod report;
mod rows;
mod scenarios;
mod stats;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use child::Server;
use report::{Results, Subject};

/// Whatever ends a run is a sentence for who runs it.
type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// The password of every account.
const PASSWORD: &str = "secret";

const USAGE: &str = "usage: cargo bench --bench bench -- [--quick] [--save] [--runs N] \
                     [--dir FOLDER] [--against PAPOD] [SCENARIO ...]";

/// What the command line asks for.
struct Options {
    quick: bool,
    save: bool,
    runs: usize,
    folder: PathBuf,
    /// Another build, to be measured in turn with the one of this build.
    against: Option<PathBuf>,
    names: Vec<String>,
}

/// What a scenario is given.
pub struct Bench<'a> {
    /// Less time for each measurement.
    pub quick: bool,
    /// The papod that is measured, and the column in which it stands.
    program: &'a Path,
    subject: Subject,
    server_core: usize,
    /// Open files that a process may have.
    pub open_files: usize,
    folder: &'a Path,
    /// Databases made so far.
    made: usize,
    scenario: &'static str,
    results: &'a mut Results,
}

impl Bench<'_> {
    /// For how long a rate is measured.
    pub fn time(&self) -> Duration {
        Duration::from_millis(if self.quick { 2_000 } else { 4_000 })
    }

    /// For how long there is load before it is measured.
    pub fn warm_up(&self) -> Duration {
        Duration::from_millis(500)
    }

    /// papod on a new database.
    pub fn papod(&mut self) -> Outcome<Server> {
        self.made += 1;
        self.papod_again()
    }

    /// papod on the same database as the last one, which must have ended.
    pub fn papod_again(&self) -> Outcome<Server> {
        let folder = self.folder.join(self.made.to_string());
        Server::papod(self.program, &folder, self.server_core)
    }

    /// The bare relay, which syncs a journal or not.
    pub fn limit(&self, syncs: bool) -> Outcome<Server> {
        let journal = syncs.then(|| self.folder.join("journal"));
        Server::limit(journal.as_deref(), self.server_core)
    }

    /// Rows per second, and CPU seconds per row, of bare SQLite with batches of this size.
    pub fn sqlite(&mut self, batch: usize) -> Outcome<(f64, f64)> {
        self.made += 1;
        let file = self.folder.join(format!("{}.db", self.made));
        child::sqlite(&file, batch, self.time() / 2, self.server_core)
    }

    /// Notes a value of this run.
    pub fn note(&mut self, subject: Subject, measure: &str, unit: &'static str, value: f64) {
        let subject = match subject {
            Subject::Papod => self.subject,
            limit => limit,
        };
        self.results.note(self.scenario, measure, unit, subject, value);
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.split_first() {
        Some((first, rest)) if first == child::ROLE => child::play(rest),
        // Cargo says `--bench` for `cargo bench` and not for `cargo test --all-targets`, which is
        // no time for it.
        _ if !arguments.iter().any(|a| a == "--bench") => {
            println!("nothing is measured without --bench; {USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => options(&arguments).and_then(|options| measure(&options)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("bench: {e}");
            ExitCode::FAILURE
        }
    }
}

fn options(arguments: &[String]) -> Outcome<Options> {
    let mut options = Options {
        quick: false,
        save: false,
        runs: 5,
        // Beside the build, which is on a disk; the system's folder for temporary files often is
        // not, and in memory a sync costs nothing.
        folder: env!("CARGO_TARGET_TMPDIR").into(),
        against: None,
        names: Vec::new(),
    };
    let mut runs = None;
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(USAGE);
        match argument.as_str() {
            "--bench" => {}
            "--quick" => options.quick = true,
            "--save" => options.save = true,
            "--runs" => runs = Some(value()?.parse().map_err(|_| USAGE)?),
            "--dir" => options.folder = value()?.into(),
            // Cargo starts this in the package's folder, not in the caller's.
            "--against" => options.against = Some(fs::canonicalize(value()?)?),
            name if scenarios::ALL.iter().any(|s| s.name == name) => {
                options.names.push(name.into());
            }
            _ => {
                let known: Vec<_> = scenarios::ALL.iter().map(|s| s.name).collect();
                return Err(format!("{USAGE}\nscenarios: {}", known.join(" ")).into());
            }
        }
    }
    options.runs = runs.unwrap_or(if options.quick { 1 } else { 5 }).max(1);
    Ok(options)
}

fn measure(options: &Options) -> Outcome<()> {
    let (server_core, load_core) = machine::cores()?;
    let open_files = machine::raise_open_files()?;
    machine::pin(load_core)?;
    fs::create_dir_all(&options.folder)?;
    let folder = tempfile::tempdir_in(&options.folder)?;
    let file_system = machine::file_system(&fs::canonicalize(folder.path())?);
    if file_system == "tmpfs" {
        eprintln!("bench: the scratch folder is in memory, where a sync costs nothing; see --dir");
    }
    if server_core == load_core {
        eprintln!("bench: one core only: server and load share it, so no figure means much");
    }
    let mut results = Results::new(&machine::description(), &file_system, options.runs);
    let asked = |name: &str| options.names.is_empty() || options.names.iter().any(|n| n == name);
    let mut programs = vec![(Subject::Papod, Path::new(env!("CARGO_BIN_EXE_papod")))];
    programs.extend(options.against.as_deref().map(|other| (Subject::Other, other)));
    for run in 1..=options.runs {
        // All scenarios in turn, then all again: what drifts on the machine drifts for all.
        for scenario in scenarios::ALL.iter().filter(|s| asked(s.name)) {
            for (subject, program) in &programs {
                let (name, about) = (subject.name(), scenario.about);
                eprintln!("run {run} of {}: {name}: {about}", options.runs);
                // A folder that goes with each, so that the leavings of one do not fill the disk
                // of the next.
                let folder = tempfile::tempdir_in(folder.path())?;
                let mut bench = Bench {
                    quick: options.quick,
                    program,
                    subject: *subject,
                    server_core,
                    open_files,
                    folder: folder.path(),
                    made: 0,
                    scenario: scenario.name,
                    results: &mut results,
                };
                (scenario.run)(&mut bench).map_err(|e| format!("{}: {e}", scenario.name))?;
            }
        }
    }
    print!("{}", results.table());
    if options.save {
        let to = Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib/bench");
        fs::write(to.join("results.tsv"), results.tsv())?;
        fs::write(to.join("results.svg"), picture::draw(&results))?;
    }
    Ok(())
}
