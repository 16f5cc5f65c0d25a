//! What is written is so: README.md, the operators' guide, the manual pages and completions, the
//! Debian packages, and what `src/ARCHITECTURE.md` says of the sources.

mod dependencies;
mod floors;
mod manual;
mod package;
#[path = "../process/mod.rs"]
mod process;
mod readme;
