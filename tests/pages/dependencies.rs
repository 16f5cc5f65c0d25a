//! The crates that papo is built from: what Rust they need, and on which terms they may be passed
//! on.

use std::process::Command;

use serde_json::Value;

/// Licences that a program under MIT or Apache-2.0 can be built from, by their SPDX names.
const LICENCES: [&str; 7] =
    ["Apache-2.0", "BSD-3-Clause", "ISC", "MIT", "Unicode-3.0", "Unlicense", "Zlib"];

/// What cargo knows of the packages in Cargo.lock that this system needs. They are here, since the
/// test is built from them.
fn packages() -> Vec<Value> {
    let version = Command::new(env!("CARGO")).arg("-vV").output().expect("cargo runs");
    let version = String::from_utf8(version.stdout).expect("UTF-8");
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).expect("a host");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--format-version", "1", "--locked", "--offline"]);
    cargo.args(["--filter-platform", host]).current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = cargo.output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let known: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    known["packages"].as_array().expect("packages").clone()
}

/// `1.89` and `1.89.0` as numbers that compare.
fn version(text: &str) -> Vec<u32> {
    let mut parts: Vec<u32> = text.split('.').map(|part| part.parse().expect("a number")).collect();
    parts.resize(3, 0);
    parts
}

#[test]
fn no_dependency_needs_a_newer_rust() {
    let ours = env!("CARGO_PKG_RUST_VERSION");
    let readme = include_str!("../../README.md");
    assert!(readme.contains(&format!("Rust {ours} or newer")), "README does not name Rust {ours}");
    for package in packages() {
        let Some(theirs) = package["rust_version"].as_str() else { continue };
        assert!(version(theirs) <= version(ours), "{} needs Rust {theirs}", package["name"]);
    }
}

#[test]
fn every_dependency_may_be_passed_on() {
    for package in packages() {
        let licence = package["license"].as_str().unwrap_or_default();
        // Each part of an AND has to be free, and one of each OR.
        let licence = licence.replace('/', " OR ").replace(['(', ')'], "");
        let is_free = licence.split(" AND ").all(|part| {
            let mut choices = part.split(" OR ").map(|one| one.split(" WITH ").next().unwrap());
            choices.any(|one| LICENCES.contains(&one.trim()))
        });
        assert!(is_free, "{}: {licence:?}", package["name"]);
    }
}
