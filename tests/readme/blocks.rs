//! What is in README.md: its fenced blocks, its tables, its words in backticks.

pub const README: &str = include_str!("../../README.md");

/// A fenced block: the word behind its fence, and its lines.
pub struct Fenced {
    pub kind: &'static str,
    pub text: &'static str,
}

pub fn blocks() -> Vec<Fenced> {
    let parts: Vec<&str> = README.split("\n```").collect();
    assert_eq!(parts.len() % 2, 1, "a fence is not closed");
    let inside = parts.iter().skip(1).step_by(2);
    inside
        .map(|part| {
            let (kind, text) = part.split_once('\n').unwrap();
            Fenced { kind, text }
        })
        .collect()
}

pub fn of_kind(kind: &str) -> Vec<&'static str> {
    blocks().iter().filter(|block| block.kind == kind).map(|block| block.text).collect()
}

/// Everything between backticks outside the fenced blocks.
pub fn quoted() -> Vec<&'static str> {
    let text = README.split("\n```").step_by(2);
    text.flat_map(|text| text.split('`').skip(1).step_by(2)).collect()
}

/// The cells of the table whose first cell is headed so, without its head.
pub fn table(head: &str) -> Vec<Vec<&'static str>> {
    let start = format!("| {head} |");
    let lines = README.lines().skip_while(|line| !line.starts_with(&start));
    let rows = lines.skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect()).collect()
}
