//! The benchmark: `cargo bench`, and nothing else to install.
//!
//! It starts papod, built as for the packages (profile `dist`), on a new database, pinned to one
//! core, loads it from another, and measures the limits of the machine in the same run; then again
//! on a large database. README.md beside this file says how to read the table. To add a scenario,
//! write a file in scenarios/ and name it in scenarios/mod.rs.
#![forbid(unsafe_code)]

mod bench;
mod child;
#[allow(dead_code)] // Servers that fail are the tests' matter.
#[path = "../../tests/postgres/cluster.rs"]
mod cluster;
mod crowd;
mod curves;
mod idle_sessions;
mod large;
mod limit;
mod machine;
mod mark_rows;
mod moments;
mod net;
mod options;
mod people;
#[cfg(feature = "postgres")]
mod pg_rows;
mod picture;
#[allow(dead_code)] // As above.
#[path = "../../tests/process/ports.rs"]
mod ports;
mod report;
mod rows;
mod scenarios;
mod sharing;
#[allow(dead_code)] // As above.
#[path = "../../tests/process/signals.rs"]
mod signals;
mod stats;
mod texts;
mod tls;
mod wire;

use std::fs::{self, File};
use std::path::Path;
use std::process::ExitCode;

use bench::Bench;
use options::{Options, USAGE};
use report::{Results, Subject};

/// Whatever ends a run is a sentence for who runs it.
type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// The password of every account.
const PASSWORD: &str = "secret";

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
        _ => Options::read(&arguments).and_then(|options| measure(&options)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("bench: {e}");
            ExitCode::FAILURE
        }
    }
}

fn measure(options: &Options) -> Outcome<()> {
    let (server_cores, load_core) = machine::cores(options.server_cores)?;
    let open_files = machine::raise_open_files()?;
    machine::pin(&[load_core])?;
    fs::create_dir_all(&options.folder)?;
    let folder = tempfile::tempdir_in(&options.folder)?;
    let file_system = machine::file_system(&fs::canonicalize(folder.path())?);
    if file_system == "tmpfs" {
        eprintln!("bench: the scratch folder is in memory, where a sync costs nothing; see --dir");
    }
    if server_cores == [load_core] {
        eprintln!("bench: one core only: server and load share it, so no figure means much");
    } else if server_cores.contains(&load_core) {
        eprintln!("bench: no core is left for the load alone, which costs papod some of its own");
    }
    let mut results = Results::new(&machine::description(), &file_system, options.runs);
    let papod = Path::new(env!("CARGO_BIN_EXE_papod"));
    let mut subjects = vec![(Subject::Papod, papod)];
    subjects.extend(options.against.as_deref().map(|other| (Subject::Other, other)));
    let (large, made) = (folder.path().join("large"), folder.path().join("large.db"));
    let crowd = folder.path().join("crowd.db");
    if options.large {
        fs::create_dir(&large)?;
        large::make(&made, &large::LARGE)?;
        subjects.push((Subject::Large, papod));
    }
    if options.tls {
        subjects.push((Subject::Tls, papod));
    }
    let mut starts = 0;
    for run in 1..=options.runs {
        if options.large {
            // Each run has it as it was made.
            let copy = large.join("papo.db");
            fs::copy(&made, &copy)?;
            File::open(&copy)?.sync_all()?;
        }
        // All scenarios in turn, then all again: what drifts on the machine drifts for all.
        for scenario in scenarios::ALL.iter().filter(|s| options.asks_for(s.name)) {
            // Whoever is second has a machine that is awake: each is first in every other run.
            let mut subjects: Vec<_> = subjects.iter().collect();
            if run % 2 == 0 && options.against.is_some() {
                subjects.reverse();
            }
            for (subject, program) in subjects {
                let is_large = *subject == Subject::Large;
                if (is_large || *subject == Subject::Tls) && !scenario.large {
                    continue;
                }
                let (name, about) = (subject.name(), scenario.about);
                eprintln!("run {run} of {}: {name}: {about}", options.runs);
                // A folder that goes with each, so that the leavings of one do not fill the disk
                // of the next.
                let folder = tempfile::tempdir_in(folder.path())?;
                let mut bench = Bench {
                    quick: options.quick,
                    is_named: options.names(scenario.name),
                    attack: &options.attack,
                    program,
                    subject: *subject,
                    server_cores: &server_cores,
                    load_core,
                    open_files,
                    folder: folder.path(),
                    large: is_large.then_some(&*large),
                    crowd: &crowd,
                    starts: &mut starts,
                    scenario: scenario.name,
                    results: &mut results,
                };
                (scenario.run)(&mut bench).map_err(|e| format!("{}: {e}", scenario.name))?;
            }
        }
    }
    print!("{}", results.table());
    for subject in Subject::ALL {
        if let Some(table) = scenarios::fair::table(&results, subject) {
            print!("\nfair: {}\n\n{table}", subject.name());
        }
    }
    if let Some(name) = options.keeps() {
        let to = Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib/bench");
        fs::write(to.join(format!("{name}.tsv")), results.tsv())?;
        fs::write(to.join(format!("{name}.svg")), picture::draw(&results))?;
        if !options.quick {
            fs::write(to.join("cost.svg"), curves::draw(&results))?;
        }
    }
    Ok(())
}
