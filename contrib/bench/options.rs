//! What the command line asks for.

use std::fs;
use std::path::PathBuf;

use crate::{Outcome, scenarios};

pub const USAGE: &str = "usage: cargo bench -- [--quick] [--large | --fresh] [--tls] [--runs N] \
                         [--server-cores N] [--dir FOLDER] [--against PAPOD] [--attack TEXT] \
                         [SCENARIO ...]";

pub struct Options {
    pub quick: bool,
    /// Everything again on a large database.
    pub large: bool,
    /// Everything again through TLS.
    pub tls: bool,
    pub runs: usize,
    /// Cores for papod, which starts as many threads for its sessions.
    pub server_cores: usize,
    /// Where the databases go.
    pub folder: PathBuf,
    /// Another build, to be measured in turn with the one of this build.
    pub against: Option<PathBuf>,
    /// Of `fair`, only attacks whose name contains this.
    pub attack: String,
    /// The scenarios; all of them if none is named.
    names: Vec<String>,
}

impl Options {
    pub fn read(arguments: &[String]) -> Outcome<Options> {
        let mut options = Options {
            quick: false,
            large: false,
            tls: false,
            runs: 0,
            server_cores: 1,
            // Beside the build, which is on a disk; the system's folder for temporary files often
            // is not, and in memory a sync costs nothing.
            folder: env!("CARGO_TARGET_TMPDIR").into(),
            against: None,
            attack: String::new(),
            names: Vec::new(),
        };
        let (mut large, mut runs) = (None, None);
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(USAGE);
            match argument.as_str() {
                "--bench" => {}
                "--quick" => options.quick = true,
                "--large" => large = Some(true),
                "--fresh" => large = Some(false),
                "--tls" => options.tls = true,
                "--runs" => runs = Some(value()?.parse().map_err(|_| USAGE)?),
                "--server-cores" => options.server_cores = value()?.parse().map_err(|_| USAGE)?,
                "--dir" => options.folder = value()?.into(),
                "--attack" => options.attack = value()?.clone(),
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
        options.large = large.unwrap_or(!options.quick && options.against.is_none());
        options.tls |= options.keeps() == Some("results");
        if options.large && options.against.is_some() {
            return Err("--large and --against: an older papod would refuse the database".into());
        }
        Ok(options)
    }

    pub fn asks_for(&self, name: &str) -> bool {
        self.names.is_empty() || self.names(name)
    }

    /// It was asked for by its name.
    pub fn names(&self, name: &str) -> bool {
        self.names.iter().any(|n| n == name)
    }

    /// Where the results are kept: those of a part of the scenarios, of two programs, or with more
    /// than one core for papod are not.
    pub fn keeps(&self) -> Option<&'static str> {
        let is_whole = self.names.is_empty() && self.against.is_none() && self.server_cores == 1;
        match (is_whole, self.quick, self.large) {
            (true, true, _) => Some("quick"),
            (true, false, true) => Some("results"),
            _ => None,
        }
    }
}
