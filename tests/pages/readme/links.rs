//! Every link from one page to another leads to a file that is there and, if it names a heading, to
//! a heading of that page. Links to other sites are not followed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The pages: those at the top, the operators' guide, those of `.github` and of contrib/.
fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders: Vec<PathBuf> = ["", "src", "contrib", ".github"].map(|f| root.join(f)).into();
    let parts = fs::read_dir(root.join("contrib")).unwrap();
    folders.extend(parts.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()));
    let entries = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap());
    let files = entries.map(|entry| entry.unwrap().path());
    let mut pages: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|end| end == "md")).collect();
    pages.sort();
    pages
}

/// The lines of a page outside its fenced blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// Where the links of a page lead to.
fn links(text: &str) -> Vec<String> {
    // A link may be broken into two lines, and between backticks there is none.
    let prose: String = prose(text).map(|line| format!("{line}\n")).collect();
    let plain: String = prose.split('`').step_by(2).collect();
    plain.split("](").skip(1).map(|rest| rest.split(')').next().unwrap().to_owned()).collect()
}

/// The names under which the headings of a page can be linked to, as GitHub makes them: small
/// letters, blanks as hyphens, and no other punctuation. A second one of a name has a number.
fn headings(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for title in prose(text).filter(|line| line.starts_with('#')) {
        let title = title.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        let name: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
        let mut free = name.clone();
        let mut number = 0;
        while !names.insert(free.clone()) {
            number += 1;
            free = format!("{name}-{number}");
        }
    }
    names
}

#[test]
fn headings_have_the_names_that_links_use() {
    let text =
        "# The operators' socket\n## 8. For shells\n```\n# a comment\n```\n## 8. For shells\n";
    let names = ["8-for-shells", "8-for-shells-1", "the-operators-socket"];
    assert!(headings(text).iter().eq(names.iter()), "{:?}", headings(text));
    let text = "see [one](a.md) and `[none](b.md)`\n```\n[none](c.md)\n```\n![two\nlines](d.svg)";
    assert_eq!(links(text), ["a.md", "d.svg"]);
}

#[test]
fn every_link_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pages = pages();
    let mut wrong = Vec::new();
    let mut seen = 0;
    for page in &pages {
        let text = fs::read_to_string(page).unwrap();
        for link in links(&text).iter().filter(|link| !link.contains("://")) {
            seen += 1;
            let (path, heading) = link.split_once('#').unwrap_or((link, ""));
            let target =
                if path.is_empty() { page.clone() } else { page.parent().unwrap().join(path) };
            let there = if heading.is_empty() {
                target.exists()
            } else {
                fs::read_to_string(&target).is_ok_and(|text| headings(&text).contains(heading))
            };
            if !there {
                wrong.push(format!("{}: {link}", page.strip_prefix(root).unwrap().display()));
            }
        }
    }
    assert!(pages.len() > 7 && seen > 50, "{} pages, {seen} links", pages.len());
    assert!(wrong.is_empty(), "these lead nowhere:\n{}", wrong.join("\n"));
}
