//! What was measured, as a table for people and as a file for programs.

use std::fmt::Write;

use crate::scenarios::fair;
use crate::stats::median;

/// What a value is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    Papod,
    /// Another papod, for comparison.
    Other,
    /// papod on the large database.
    Large,
    /// papod without limits on accounts and addresses, where they hold otherwise.
    Unlimited,
    /// papod through TLS.
    Tls,
    /// The relay that appends and syncs before it confirms.
    LimitFsync,
    /// The relay that keeps nothing.
    Limit,
    /// Bare SQLite with papod's rows.
    Sqlite,
    /// Bare PostgreSQL with papod's batches.
    Postgres,
}

const COLUMNS: usize = 9;

impl Subject {
    /// The columns, in their order.
    pub const ALL: [Subject; COLUMNS] = [
        Subject::Papod,
        Subject::Other,
        Subject::Large,
        Subject::Unlimited,
        Subject::Tls,
        Subject::LimitFsync,
        Subject::Limit,
        Subject::Sqlite,
        Subject::Postgres,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Subject::Papod => "papod",
            Subject::Other => "other",
            Subject::Large => "large",
            Subject::Unlimited => "unlimited",
            Subject::Tls => "tls",
            Subject::LimitFsync => "limit-fsync",
            Subject::Limit => "limit",
            Subject::Sqlite => "sqlite",
            Subject::Postgres => "postgres",
        }
    }
}

/// One measure of one scenario: a line of the table.
pub struct Line {
    pub scenario: &'static str,
    pub measure: String,
    pub unit: &'static str,
    /// A value of each run, by the subjects' order.
    values: [Vec<f64>; COLUMNS],
}

impl Line {
    /// The median of the runs, where there is any.
    pub fn median(&self, subject: Subject) -> Option<f64> {
        let values = self.of(subject);
        (!values.is_empty()).then(|| median(values))
    }

    /// What stands on the large database for one on the new one.
    fn ratio(&self) -> Option<f64> {
        let (large, new) = (self.median(Subject::Large)?, self.median(Subject::Papod)?);
        (new != 0.0).then(|| large / new)
    }

    fn of(&self, subject: Subject) -> &[f64] {
        &self.values[subject as usize]
    }
}

/// All measures, in the order in which they were first taken.
pub struct Results {
    pub machine: String,
    runs: usize,
    pub lines: Vec<Line>,
}

impl Results {
    pub fn new(machine: &str, file_system: &str, runs: usize) -> Results {
        Results { machine: format!("{machine}, {file_system}"), runs, lines: Vec::new() }
    }

    pub fn note(
        &mut self,
        scenario: &'static str,
        measure: &str,
        unit: &'static str,
        subject: Subject,
        value: f64,
    ) {
        let same = |line: &Line| line.scenario == scenario && line.measure == measure;
        let at = self.lines.iter().position(same).unwrap_or_else(|| {
            self.lines.push(Line {
                scenario,
                measure: measure.into(),
                unit,
                values: Default::default(),
            });
            self.lines.len() - 1
        });
        self.lines[at].values[subject as usize].push(value);
    }

    /// The table: medians, and for papod how far its runs lie apart. What was not measured has no
    /// column, and `fair` has tables of its own.
    pub fn table(&self) -> String {
        let measured = |s: &Subject| self.lines.iter().any(|line| !line.of(*s).is_empty());
        let others = Subject::ALL.into_iter().skip(1).filter(measured);
        let others: Vec<Subject> = others.collect();
        let mut heads = vec!["", "", "unit", "papod", "spread"];
        for subject in &others {
            heads.push(subject.name());
            heads.extend((*subject == Subject::Large).then_some("large/papod"));
        }
        let mut rows = vec![heads.into_iter().map(String::from).collect::<Vec<_>>()];
        let mut scenario = "";
        for line in self.lines.iter().filter(|line| line.scenario != fair::SCENARIO.name) {
            let show = |value: Option<f64>| value.map_or_else(String::new, number);
            let is_same = std::mem::replace(&mut scenario, line.scenario) == line.scenario;
            let mut row = vec![
                if is_same { "" } else { line.scenario }.into(),
                line.measure.clone(),
                line.unit.into(),
                show(line.median(Subject::Papod)),
                spread(line.of(Subject::Papod)),
            ];
            for subject in &others {
                row.push(show(line.median(*subject)));
                row.extend((*subject == Subject::Large).then(|| show(line.ratio())));
            }
            rows.push(row);
        }
        let width = |i: usize| rows.iter().map(|row| row[i].chars().count()).max();
        let widths: Vec<usize> = (0..rows[0].len()).filter_map(width).collect();
        let mut out = format!("{}\nmedian of {} runs\n", self.machine, self.runs);
        for row in &rows {
            let mut line = String::new();
            for (i, (cell, width)) in row.iter().zip(&widths).enumerate() {
                // Words stand to the left, numbers to the right.
                let _ = if i < 3 {
                    write!(line, "{cell:<width$}  ")
                } else {
                    write!(line, "{cell:>width$}  ")
                };
            }
            let _ = writeln!(out, "{}", line.trim_end());
        }
        out
    }

    /// Every value of every run, separated by tabs, after a header.
    pub fn tsv(&self) -> String {
        let mut out = format!("# {}\n", self.machine);
        out.push_str("scenario\tmeasure\tunit\tsubject\tmedian\truns\n");
        for line in &self.lines {
            for subject in Subject::ALL {
                let Some(median) = line.median(subject) else {
                    continue;
                };
                let runs: Vec<String> =
                    line.of(subject).iter().map(|v| format!("{v:.4}")).collect();
                let _ = writeln!(
                    out,
                    "{}\t{}\t{}\t{}\t{median:.4}\t{}",
                    line.scenario,
                    line.measure,
                    line.unit,
                    subject.name(),
                    runs.join(" ")
                );
            }
        }
        out
    }
}

/// The lowest and the highest value.
fn spread(values: &[f64]) -> String {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(0.0, f64::max);
    if values.len() < 2 || high == 0.0 {
        return String::new();
    }
    format!("{}-{}", number(low), number(high))
}

/// A number with as many digits as mean something, in groups of three.
pub fn number(value: f64) -> String {
    let places = match value.abs() {
        v if v >= 100.0 || v.fract() == 0.0 => 0,
        v if v >= 10.0 => 1,
        _ => 2,
    };
    let text = format!("{value:.places$}");
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut grouped = String::new();
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i) % 3 == 0 && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + rest
}
