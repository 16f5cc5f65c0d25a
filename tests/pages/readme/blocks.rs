//! What is in a page: its fenced blocks, its tables, its words in backticks.

/// A page, which is part of this binary.
pub struct Page {
    pub text: &'static str,
}

pub const README: Page = Page { text: include_str!("../../../README.md") };
pub const OPERATING: Page = Page { text: include_str!("../../../contrib/OPERATING.md") };

/// A fenced block: the words behind its fence, and its lines.
pub struct Fenced {
    pub kind: &'static str,
    pub text: &'static str,
}

impl Page {
    pub fn blocks(&self) -> Vec<Fenced> {
        let parts: Vec<&str> = self.text.split("\n```").collect();
        assert_eq!(parts.len() % 2, 1, "a fence is not closed");
        let inside = parts.iter().skip(1).step_by(2);
        inside
            .map(|part| {
                let (kind, text) = part.split_once('\n').unwrap();
                Fenced { kind, text }
            })
            .collect()
    }

    pub fn of_kind(&self, kind: &str) -> Vec<&'static str> {
        self.blocks().iter().filter(|block| block.kind == kind).map(|block| block.text).collect()
    }

    /// Everything between backticks outside the fenced blocks.
    pub fn quoted(&self) -> Vec<&'static str> {
        let text = self.text.split("\n```").step_by(2);
        text.flat_map(|text| text.split('`').skip(1).step_by(2)).collect()
    }

    /// The cells of the table whose first cell is headed so, without its head.
    pub fn table(&self, head: &str) -> Vec<Vec<&'static str>> {
        let start = format!("| {head} |");
        let lines = self.text.lines().skip_while(|line| !line.starts_with(&start));
        let rows = lines.skip(2).take_while(|line| line.starts_with('|'));
        rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect()).collect()
    }
}
