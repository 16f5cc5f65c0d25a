//! The floors of the house: a file uses only what stands below it, and is what its name says.
//!
//! Nothing is compiled here. The sources are read as text, without their comments and strings, and
//! every path in them that begins with `crate`, `super` or, in a program, `papo` is followed to
//! the file that it leads to.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Lines of a file at most: what one person reads in one go.
const LINES: usize = 500;

/// Where a module stands: its floor, and its room there. Two rooms of one floor have no door
/// between them; an empty name is a floor that is one room.
fn place(module: &str) -> Option<(u32, &'static str)> {
    Some(match module {
        "name" | "entry" | "node_report" | "group_rules" | "preferences" | "chat_flags"
        | "origin" | "owner" | "fold" | "limits" | "live_limits" | "config" | "rates"
        | "password" | "brake" | "counters" | "turns" => (0, ""),
        "wire" => (1, "wire"),
        "store" => (1, "store"),
        "chat" => (2, ""),
        "hub" | "outbox" | "readers" | "file_workers" | "indexing" | "wakeups" => (3, ""),
        "server" | "session" | "door" | "metrics" => (4, ""),
        "bin" | "client" | "flags" => (5, ""),
        _ => return None,
    })
}

/// A file of the program.
struct Source {
    /// Its path in the project.
    file: String,
    /// Its module, from the root of the crate on; a program's begins with `bin`.
    module: Vec<String>,
    text: String,
}

impl Source {
    fn is_program(&self) -> bool {
        self.module[0] == "bin"
    }

    fn is_tests(&self) -> bool {
        self.module.last().is_some_and(|name| name == "tests" || name.ends_with("_tests"))
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files below a folder of the project, by their paths in it.
fn files_below(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![root().join(folder)];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.push(path.strip_prefix(root()).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// The files of the program, but for the root of the library, which only lists them.
fn sources() -> Vec<Source> {
    let files = files_below("src");
    let files = files.iter().filter(|file| file.extension().is_some_and(|e| e == "rs"));
    files
        .filter(|file| !file.ends_with("src/lib.rs"))
        .map(|file| {
            let module = file.strip_prefix("src").unwrap().with_extension("");
            let mut module: Vec<String> =
                module.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
            module.pop_if(|last| last == "mod");
            let text = fs::read_to_string(root().join(file)).unwrap();
            Source { file: file.display().to_string(), module, text }
        })
        .collect()
}

/// Rust without comments, strings and characters; lines stay lines.
fn bare(text: &str) -> String {
    let mut bare = String::new();
    let mut rest = text;
    let mut last = ' ';
    while let Some(c) = rest.chars().next() {
        let in_a_word = last.is_alphanumeric() || last == '_';
        let length = match c {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => block_comment(rest),
            '"' => string(rest),
            'r' if !in_a_word => raw_string(rest),
            '\'' => character(rest),
            _ => 0,
        };
        if length == 0 {
            bare.push(c);
            last = c;
            rest = &rest[c.len_utf8()..];
        } else {
            let (skipped, after) = rest.split_at(length);
            // Something stands there, so that what is around it does not grow together.
            bare.push(' ');
            bare.extend(skipped.chars().filter(|c| *c == '\n'));
            (last, rest) = (' ', after);
        }
    }
    bare
}

fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while let Some(next) = text[at..].find("*/").map(|n| at + n) {
        depth += text[at..next].matches("/*").count();
        depth -= 1;
        at = next + 2;
        if depth == 0 {
            break;
        }
    }
    at
}

fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

fn raw_string(text: &str) -> usize {
    let fence = text[1..].chars().take_while(|c| *c == '#').count();
    let start = 1 + fence + 1;
    if !text[1 + fence..].starts_with('"') {
        return 0;
    }
    let end = format!("\"{}", "#".repeat(fence));
    text[start..].find(&end).map_or(text.len(), |n| start + n + end.len())
}

/// A character; a lifetime is none.
fn character(text: &str) -> usize {
    let mut inside = text.char_indices().skip(1);
    match inside.next() {
        Some((_, '\\')) => text[3..].find('\'').map_or(0, |n| 3 + n + 1),
        Some((at, c)) if text[at + c.len_utf8()..].starts_with('\'') => at + c.len_utf8() + 1,
        _ => 0,
    }
}

/// A word or a sign of bare Rust, and its line.
type Token<'a> = (&'a str, usize);

fn tokens(bare: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    for (line, text) in (1..).zip(bare.lines()) {
        let mut rest = text.trim_start();
        while let Some(first) = rest.chars().next() {
            let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            let length = match word {
                0 if rest.starts_with("::") => 2,
                0 => first.len_utf8(),
                word => word,
            };
            found.push((&rest[..length], line));
            rest = rest[length..].trim_start();
        }
    }
    found
}

/// A path in a file.
struct Found {
    path: Vec<String>,
    line: usize,
    /// The modules within the file in which it stands, as tests do.
    inside: Vec<String>,
}

/// The paths of bare Rust that begin with one of these words, groups in braces spelled out.
fn paths(bare: &str, first: &[&str]) -> Vec<Found> {
    let tokens = tokens(bare);
    let sign = |at: usize| tokens.get(at).map_or("", |token| token.0);
    let mut found = Vec::new();
    // For each brace that is open, the module that it opened, if it did.
    let mut open: Vec<Option<&str>> = Vec::new();
    for (at, (word, line)) in tokens.iter().enumerate() {
        match *word {
            "{" if at >= 2 && sign(at - 2) == "mod" => open.push(Some(sign(at - 1))),
            "{" => open.push(None),
            "}" => drop(open.pop()),
            // In `pub(super)` it is no path, and in the middle of one no beginning.
            word if first.contains(&word) && sign(at + 1) == "::" => {
                if at > 0 && sign(at - 1) == "::" {
                    continue;
                }
                let inside: Vec<String> = open.iter().flatten().map(|m| m.to_string()).collect();
                let mut branches = Vec::new();
                branch(&tokens, at, Vec::new(), &mut branches);
                let line = *line;
                let all = branches.into_iter();
                found.extend(all.map(|path| Found { path, line, inside: inside.clone() }));
            }
            _ => {}
        }
    }
    found
}

/// Follows one path from its next word on; gives back where it ends.
fn branch(
    tokens: &[Token],
    mut at: usize,
    mut path: Vec<String>,
    found: &mut Vec<Vec<String>>,
) -> usize {
    let sign = |at: usize| tokens.get(at).map_or("", |token| token.0);
    loop {
        match sign(at) {
            "{" => {
                at += 1;
                while !matches!(sign(at), "}" | "") {
                    at = branch(tokens, at, path.clone(), found);
                    // What it is called here does not matter.
                    while !matches!(sign(at), "," | "}" | "") {
                        at += 1;
                    }
                    at += usize::from(sign(at) == ",");
                }
                return at + 1;
            }
            // The group's own name: what is meant is what the braces stand behind.
            "self" if !path.is_empty() => at += 1,
            word if word.starts_with(|c: char| c.is_alphabetic() || c == '_') => {
                path.push(word.to_owned());
                at += 1;
            }
            _ => {}
        }
        if sign(at) != "::" {
            found.push(path);
            return at;
        }
        at += 1;
    }
}

/// Which file uses which others, and in which line.
struct Uses {
    sources: Vec<Source>,
    /// By the places of both in `sources`.
    uses: Vec<(usize, usize, usize)>,
    /// Paths that lead to no file.
    astray: Vec<String>,
}

fn uses() -> Uses {
    let sources = sources();
    let by_module: BTreeMap<&[String], usize> =
        sources.iter().enumerate().map(|(n, source)| (&source.module[..], n)).collect();
    let (mut uses, mut astray) = (Vec::new(), Vec::new());
    for (from, source) in sources.iter().enumerate() {
        let first: &[_] = if source.is_program() { &["papo"] } else { &["crate", "super"] };
        for Found { path, line, inside } in paths(&bare(&source.text), first) {
            let full = resolve(&[&source.module[..], &inside].concat(), &path);
            let to = (1..=full.len()).rev().find_map(|n| by_module.get(&full[..n]));
            match to {
                Some(to) => uses.push((from, *to, line)),
                None => astray.push(format!("{}:{line}: {}", source.file, path.join("::"))),
            }
        }
    }
    Uses { sources, uses, astray }
}

/// What a path in a module means, from the root of the crate on.
fn resolve(module: &[String], path: &[String]) -> Vec<String> {
    let up = path.iter().take_while(|word| *word == "super").count();
    if up == 0 {
        return path[1..].to_vec();
    }
    [&module[..module.len().saturating_sub(up)], &path[up..]].concat()
}

fn nothing(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn every_file_uses_only_the_floors_below() {
    let Uses { sources, uses, astray } = uses();
    let mut faults = Vec::new();
    for source in &sources {
        if place(&source.module[0]).is_none() {
            faults.push(format!("{}: on which floor is it?", source.file));
        }
    }
    for (from, to, line) in uses {
        let (from, to) = (&sources[from], &sources[to]);
        let places = (place(&from.module[0]), place(&to.module[0]));
        let (Some((floor, room)), Some((its_floor, its_room))) = places else {
            continue;
        };
        let why = if its_floor > floor {
            format!("on floor {its_floor}, above floor {floor}")
        } else if its_floor == floor && its_room != room {
            "in the other room of its floor".into()
        } else {
            continue;
        };
        faults.push(format!("{}:{line}: uses {}, {why}", from.file, to.file));
    }
    faults.extend(astray.iter().map(|path| format!("{path} leads to no file below src")));
    nothing(&faults);
}

/// Circles that are meant, each with its reason. There is none.
const MEANT: [[&str; 2]; 0] = [];

/// For each name the names it uses, and where.
type Graph = BTreeMap<String, BTreeMap<String, String>>;

/// A parent speaks of its children, and they of it; anybody else is used one way. That holds for
/// files and, since a family is one thing to those outside, for families.
#[test]
fn none_use_each_other_in_a_circle() {
    let Uses { sources, uses, .. } = uses();
    let (mut files, mut families) = (Graph::new(), Graph::new());
    for (from, to, line) in uses {
        let (from, to) = (&sources[from], &sources[to]);
        let place = format!("{}:{line}", from.file);
        let (one, other) = (&from.module, &to.module);
        if !one.starts_with(other) && !other.starts_with(one) {
            let used = files.entry(from.file.clone()).or_default();
            used.insert(to.file.clone(), place.clone());
        }
        if one[0] != other[0] {
            families.entry(one[0].clone()).or_default().insert(other[0].clone(), place);
        }
    }
    let (mut faults, mut met) = (Vec::new(), BTreeSet::new());
    for graph in [files, families] {
        let mut done = BTreeSet::new();
        for start in graph.keys() {
            walk(&graph, start, &mut Vec::new(), &mut done, &mut |circle| {
                let mut names = circle.to_vec();
                names.sort_unstable();
                if let Some(meant) = MEANT.iter().position(|meant| *meant == *names) {
                    met.insert(meant);
                    return;
                }
                let next = circle.iter().cycle().skip(1);
                let steps: Vec<_> = circle.iter().zip(next).map(|(a, b)| &*graph[*a][*b]).collect();
                faults.push(format!("a circle: {}", steps.join(" -> ")));
            });
        }
    }
    let gone = (0..MEANT.len()).filter(|n| !met.contains(n));
    faults.extend(gone.map(|n| format!("no circle any more: {}", MEANT[n].join(", "))));
    nothing(&faults);
}

/// Depth first; what is met again while it is still open closes a circle.
fn walk<'a>(
    graph: &'a Graph,
    at: &'a str,
    open: &mut Vec<&'a str>,
    done: &mut BTreeSet<&'a str>,
    circle: &mut impl FnMut(&[&'a str]),
) {
    if let Some(first) = open.iter().position(|name| *name == at) {
        return circle(&open[first..]);
    }
    if done.contains(at) {
        return;
    }
    open.push(at);
    for next in graph.get(at).into_iter().flat_map(|next| next.keys()) {
        walk(graph, next, open, done, circle);
    }
    open.pop();
    done.insert(at);
}

#[test]
fn no_file_is_too_long_or_named_for_nothing() {
    let mut faults = Vec::new();
    for file in files_below("src").into_iter().chain(files_below("tests")) {
        let lines = fs::read(root().join(&file)).unwrap().split(|b| *b == b'\n').count() - 1;
        if lines > LINES {
            faults.push(format!("{}: {lines} lines, {LINES} are enough", file.display()));
        }
        for part in file.iter() {
            let name = Path::new(part).file_stem().unwrap().to_str().unwrap();
            let name = name.trim_end_matches('s');
            if ["util", "utilitie", "helper", "common", "manager", "misc"].contains(&name) {
                faults.push(format!("{}: a name that says nothing", file.display()));
            }
        }
    }
    nothing(&faults);
}

#[test]
fn every_file_says_what_it_is_and_no_program_is_unsafe() {
    let mut faults = Vec::new();
    for source in sources() {
        if !source.is_tests() && !source.text.starts_with("//! ") {
            faults.push(format!("{}:1: opens without saying what it is", source.file));
        }
        if source.is_program() && source.module.len() == 2 {
            check_forbids_unsafe(&source.file, &source.text, &mut faults);
        }
    }
    let text = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    check_forbids_unsafe("src/lib.rs", &text, &mut faults);
    nothing(&faults);
}

fn check_forbids_unsafe(file: &str, text: &str, faults: &mut Vec<String>) {
    if !text.lines().any(|line| line == "#![forbid(unsafe_code)]") {
        faults.push(format!("{file}: does not forbid unsafe code"));
    }
}

/// A check that overlooks things is worse than none.
#[test]
fn paths_are_found_where_they_are() {
    let text = r##"
        use crate::wire::{self, line::{Lines, Next as Other}, reply::*};
        // use crate::no::Comment; /* crate::no */
        /* crate::no /* crate::no */ crate::no */ pub(super) use super::outbox::Block;
        fn f<'a>(x: &'a str) { let q = '"'; crate::hub::go(q, "crate::no", '\'', r#"crate::no""#) }
        let y = super::super::Z; other::crate_::x; <crate::name::Handle as T>::f();
        use crate::entry::{
            Entry,
            EntryId,
        };
        mod tests { fn f() {} use super::*; }"##;
    let found = paths(&bare(text), &["crate", "super"]);
    let found: Vec<String> =
        found.iter().map(|f| format!("{} {}", f.line, f.path.join("::"))).collect();
    let expected = [
        "2 crate::wire",
        "2 crate::wire::line::Lines",
        "2 crate::wire::line::Next",
        "2 crate::wire::reply",
        "4 super::outbox::Block",
        "5 crate::hub::go",
        "6 super::super::Z",
        "6 crate::name::Handle",
        "7 crate::entry::Entry",
        "7 crate::entry::EntryId",
        "11 super",
    ];
    assert_eq!(found, expected);
    let inside = paths(&bare(text), &["super"]).pop().map(|found| found.inside);
    assert_eq!(inside, Some(vec!["tests".to_owned()]));
    let module = ["session".to_owned(), "output".to_owned()];
    let path = |text: &str| text.split("::").map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(resolve(&module, &path("super::Lag")), ["session", "Lag"]);
    assert_eq!(resolve(&module, &path("super::super::hub::Hub")), ["hub", "Hub"]);
    assert_eq!(resolve(&module, &path("crate::hub::Hub")), ["hub", "Hub"]);
}
