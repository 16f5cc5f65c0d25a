//! README.md and contrib/OPERATING.md cannot lie: what can be run in them is run here, and their
//! tables are held against the programs; and no link from page to page leads nowhere.
//!
//! The `tour` blocks are typed into real sockets of a real papod and compared line for line; the
//! scripts run as they stand, but for the address. Nothing here sleeps: what has to be waited for
//! is a line or an end, for as long as patience lasts, so that a failure does not hang.

mod blocks;
mod client;
mod internet;
mod links;
mod operating;
mod papod;
mod program;
mod scripts;
mod tour;

use std::path::Path;

use blocks::README;

const CHANGELOG: &str = include_str!("../../CHANGELOG.md");
const LICENSE: &str = include_str!("../../LICENSE");

#[test]
fn every_block_is_of_a_kind_that_is_tried() {
    for block in README.blocks() {
        let tried = ["tour", "sh", "bash", "console", "text"].contains(&block.kind);
        assert!(tried, "nothing tries a block of the kind {:?}", block.kind);
    }
    // What `cargo run` starts cannot be tried from inside `cargo test`; that it is papod can.
    let commands: Vec<&str> = README
        .of_kind("console")
        .iter()
        .flat_map(|text| text.lines())
        .map(|line| line.split('#').next().unwrap().trim())
        .collect();
    assert_eq!(commands, ["$ cargo run --release", "$ cargo test"]);
    assert!(include_str!("../../Cargo.toml").contains("default-run = \"papod\""));
    assert!(README.text.contains(concat!("Rust ", env!("CARGO_PKG_RUST_VERSION"), " or newer")));
}

#[test]
fn what_readme_points_to_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let is_path = |word: &&str| {
        ["src/", "tests/", ".ci/"].iter().any(|folder| word.starts_with(folder))
            || (word.ends_with(".md") && !word.contains(' '))
    };
    for path in README.quoted().into_iter().filter(is_path) {
        assert!(root.join(path).exists(), "README.md points to {path}");
    }
}

/// Each file of the table of recipes is run or read by a test of contrib/, and each file there is in
/// the table, is part of one that is, or is spoken of elsewhere in README.md.
#[test]
fn every_recipe_is_tried() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &Path| std::fs::read_to_string(path).unwrap();
    let tests = std::fs::read_dir(root.join("tests/programs/contrib")).unwrap();
    let tests: String = tests.map(|entry| read(&entry.unwrap().path())).collect();
    let rows = README.table("what");
    let links = rows.iter().flat_map(|row| row[1].split("](").skip(1));
    let recipes: Vec<&str> = links.map(|link| link.split(')').next().unwrap()).collect();
    assert!(recipes.len() > 10, "{recipes:?}");
    for path in &recipes {
        let name = path.strip_prefix("contrib/").unwrap();
        // Every test of a shell uses papo.sh, by a function of theirs.
        let tried = *path == "contrib/papo.sh" || tests.contains(&format!("\"{name}\""));
        assert!(tried, "no test of contrib/ tries {path}");
    }
    let mut open = vec![root.join("contrib")];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_str().unwrap();
            // These have tests of their own, and a place in README.md or OPERATING.md.
            let own =
                ["backup", "bench", "cluster", "completions", "debian", "fuzz", "man", "systemd"];
            if own.iter().any(|own| name == format!("contrib/{own}")) {
            } else if path.is_dir() {
                open.push(path);
            } else if !name.ends_with(".dockerignore") && !name.ends_with(".awk") {
                assert!(README.text.contains(&format!("({name})")), "{name} is not in README.md");
            }
        }
    }
}

#[test]
fn license_has_the_choice_and_both_texts() {
    let choice = env!("CARGO_PKG_LICENSE");
    assert!(LICENSE.contains(choice) && README.text.contains(choice));
    for needed in [
        "the papo authors",
        "Permission is hereby granted, free of charge",
        "Version 2.0, January 2004",
        "END OF TERMS AND CONDITIONS",
    ] {
        assert!(LICENSE.contains(needed), "{needed}");
    }
}

#[test]
fn this_version_is_in_the_changelog() {
    let section = concat!("\n## [", env!("CARGO_PKG_VERSION"), "]");
    assert!(CHANGELOG.contains(section));
}
