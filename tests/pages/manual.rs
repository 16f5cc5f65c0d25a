//! The manual pages and completions of contrib/ are those of the command lines, and work.
//!
//! clap makes them; what it cannot know (files, signals, examples) stands in `manual/`, a file for
//! each program, and one for each command with notes.
//!
//! `PAPO_REWRITE=1 cargo test --test pages contrib_holds` makes those anew that do not hold, and
//! takes away what is no page any more. The diff is the review.

mod pages;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{self, run};
use clap::CommandFactory;
use clap_complete::{Generator, Shell};

fn folder(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The command lines of the programs.
fn programs() -> [clap::Command; 2] {
    [papo::client::flags::CommandLine::command(), papo::flags::Flags::command()]
}

/// All that has to stand in contrib/, by its path there.
fn made() -> BTreeMap<String, String> {
    let mut made = pages::all();
    for shell in [Shell::Bash, Shell::Fish, Shell::Zsh] {
        for mut program in programs() {
            let name = program.get_name().to_owned();
            let mut bytes = Vec::new();
            clap_complete::generate(shell, &mut program, &name, &mut bytes);
            let file = format!("completions/{}", shell.file_name(&name));
            made.insert(file, String::from_utf8(bytes).unwrap());
        }
    }
    made
}

/// All that does stand there.
fn kept() -> BTreeMap<String, String> {
    let mut kept = BTreeMap::new();
    for part in ["man", "completions"] {
        for entry in fs::read_dir(folder("contrib").join(part)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            kept.insert(format!("{part}/{name}"), fs::read_to_string(&path).unwrap());
        }
    }
    kept
}

#[test]
fn contrib_holds() {
    let (made, kept) = (made(), kept());
    let all: BTreeSet<&String> = made.keys().chain(kept.keys()).collect();
    let wrong: Vec<&String> =
        all.into_iter().filter(|file| made.get(*file) != kept.get(*file)).collect();
    if std::env::var("PAPO_REWRITE").is_ok_and(|value| value == "1") {
        for file in wrong {
            let path = folder("contrib").join(file);
            match made.get(file) {
                Some(text) => fs::write(path, text).unwrap(),
                None => fs::remove_file(path).unwrap(),
            }
        }
        return;
    }
    assert!(
        wrong.is_empty(),
        "not what the command lines say: {wrong:?}\n\
         PAPO_REWRITE=1 cargo test --test pages contrib_holds makes them anew"
    );
}

/// What was written by hand speaks of flags that there are, and of pages that there are.
#[test]
fn what_is_added_to_a_page_is_true() {
    let made = pages::all();
    for (name, text) in pages::added() {
        let page = if name == "papod" { "man/papod.8" } else { "man/papo.1" };
        let (there, last) = (&made[page], text.lines().last().unwrap());
        assert!(there.contains(last), "{name}: no page has this");
        let plain = text.replace("\\-", "-");
        for flag in plain.split(|c: char| !c.is_ascii_lowercase() && c != '-') {
            let shown = format!("\\fB{}\\fR", flag.replace('-', "\\-"));
            let is_flag = flag.len() > 2 && flag.starts_with("--");
            assert!(!is_flag || there.contains(&shown), "{name}: there is no {flag}");
        }
        for line in plain.lines().filter_map(|line| line.strip_prefix(".BR papo")) {
            let (other, section) = line.split_once(" (").expect("a page and its section");
            let other = format!("man/papo{other}.{}", section.split(')').next().unwrap());
            assert!(made.contains_key(&other), "{name}: there is no {other}");
        }
    }
}

/// The page of papo has a part for each of its commands, in the order of `--help`.
#[test]
fn every_command_has_its_part() {
    let page = &pages::all()["man/papo.1"];
    let [mut papo, _] = programs();
    papo.build();
    let mut parts = page.lines().filter_map(|line| line.strip_prefix(".SS \"\\fB"));
    for command in pages::commands(&papo) {
        let named = format!("{}\\fR", command.get_bin_name().unwrap());
        assert!(parts.next().is_some_and(|part| part.starts_with(&named)), "{named}");
    }
    assert_eq!(parts.next(), None);
}

/// What a command prints; it must succeed and complain of nothing.
fn printed(command: &mut Command) -> String {
    let output = run(command.env("LC_ALL", "C.UTF-8").env("MANWIDTH", "80"));
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(output.status.success() && err.is_empty(), "{command:?}\n{out}\n{err}");
    out
}

#[test]
#[ignore = "needs man"]
fn man_shows_every_page_without_a_warning() {
    for file in made().keys().filter(|file| file.starts_with("man/")) {
        let page = folder("contrib").join(file);
        let text = printed(Command::new("man").args(["--warnings", "-l"]).arg(&page));
        for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "SEE ALSO"] {
            assert!(text.contains(&format!("\n{section}\n")), "{file} lacks {section}:\n{text}");
        }
    }
    let sections = ["FILES", "EXIT STATUS", "ENVIRONMENT", "EXAMPLES"];
    for (page, more) in [("papo.1", "COMMANDS"), ("papod.8", "SIGNALS")] {
        let text = printed(Command::new("man").arg("-l").arg(folder("contrib/man").join(page)));
        for section in sections.into_iter().chain([more]) {
            assert!(text.contains(&format!("\n{section}\n")), "{page} lacks {section}:\n{text}");
        }
    }
}

/// What is typed, and the one thing that it can be completed to.
const TYPED: [(&str, &str); 4] = [
    ("papo sen", "send"),
    ("papo group le", "leave"),
    ("papo send --wa", "--wait"),
    ("papod --plain", "--plain-anywhere"),
];

/// Asks a shell what it would complete, with a script that gets the file and the line.
fn completes(shell: &[&str], script: &str, file: fn(&str) -> String) {
    for (line, expected) in TYPED {
        let program = line.split(' ').next().unwrap();
        let file = folder("contrib/completions").join(file(program));
        let mut command = Command::new(shell[0]);
        command.args(&shell[1..]).args(["-c", script]).env("FILE", file).env("LINE", line);
        let said = printed(&mut command);
        // fish tells what it is behind a tab.
        let candidates: Vec<&str> =
            said.lines().map(|line| line.split('\t').next().unwrap()).collect();
        assert_eq!(candidates, [expected], "{} completes {line:?}", shell[0]);
    }
}

#[test]
#[ignore = "needs bash"]
fn bash_completes() {
    // What bash does when Tab is pressed, but for the keyboard.
    let script = r#"
        . "$FILE"
        read -ra COMP_WORDS <<< "$LINE"
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        how=$(complete -p "${COMP_WORDS[0]}")
        [[ $how =~ -F\ ([^ ]+) ]]
        "${BASH_REMATCH[1]}" "${COMP_WORDS[0]}" "${COMP_WORDS[-1]}" "${COMP_WORDS[-2]}"
        printf '%s\n' "${COMPREPLY[@]}""#;
    completes(&["bash", "--norc", "--noprofile"], script, |program| format!("{program}.bash"));
}

#[test]
#[ignore = "needs fish"]
fn fish_completes() {
    let script = r#"source $FILE; complete -C "$LINE""#;
    let home = process::Home::new();
    let config = format!("set -gx HOME {}; {script}", home.path().display());
    completes(&["fish", "--no-config"], &config, |program| format!("{program}.fish"));
}

#[test]
#[ignore = "needs zsh"]
fn zsh_completes() {
    let script = include_str!("manual/complete.zsh");
    completes(&["zsh", "-f"], script, |program| format!("_{program}"));
    for program in ["papo", "papod"] {
        let file = folder("contrib/completions").join(format!("_{program}"));
        assert_eq!(printed(Command::new("zsh").arg("-n").arg(file)), "");
    }
}
