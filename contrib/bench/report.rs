//! What was measured, as a table for people and as a file for programs.

use std::fmt::Write;

use crate::stats::median;

/// What a value is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    Papod,
    /// The relay that appends and syncs before it confirms.
    LimitFsync,
    /// The relay that keeps nothing.
    Limit,
    /// Bare SQLite with papod's rows.
    Sqlite,
}

impl Subject {
    /// The columns, in their order.
    pub const ALL: [Subject; 4] =
        [Subject::Papod, Subject::LimitFsync, Subject::Limit, Subject::Sqlite];

    pub fn name(self) -> &'static str {
        match self {
            Subject::Papod => "papod",
            Subject::LimitFsync => "limit-fsync",
            Subject::Limit => "limit",
            Subject::Sqlite => "sqlite",
        }
    }
}

/// One measure of one scenario: a line of the table.
pub struct Line {
    pub scenario: &'static str,
    pub measure: String,
    pub unit: &'static str,
    /// A value of each run, by the subjects' order.
    values: [Vec<f64>; 4],
}

impl Line {
    /// The median of the runs, where there is any.
    pub fn median(&self, subject: Subject) -> Option<f64> {
        let values = self.of(subject);
        (!values.is_empty()).then(|| median(values))
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

    /// The table: medians, and for papod how far its runs lie apart.
    pub fn table(&self) -> String {
        let mut rows = vec![
            ["", "", "unit", "papod", "spread", "limit-fsync", "limit", "sqlite"].map(String::from),
        ];
        let mut scenario = "";
        for line in &self.lines {
            let show = |subject| line.median(subject).map_or_else(String::new, number);
            let papod = line.of(Subject::Papod);
            let low = papod.iter().copied().fold(f64::INFINITY, f64::min);
            let high = papod.iter().copied().fold(0.0, f64::max);
            let spread = if papod.len() < 2 || high == 0.0 {
                String::new()
            } else {
                format!("{}-{}", number(low), number(high))
            };
            let name = if line.scenario == scenario { "" } else { line.scenario };
            scenario = line.scenario;
            rows.push([
                name.into(),
                line.measure.clone(),
                line.unit.into(),
                show(Subject::Papod),
                spread,
                show(Subject::LimitFsync),
                show(Subject::Limit),
                show(Subject::Sqlite),
            ]);
        }
        let widths: [usize; 8] =
            std::array::from_fn(|i| rows.iter().map(|r| r[i].chars().count()).max().unwrap_or(0));
        let mut out = format!("{}\nmedian of {} runs\n", self.machine, self.runs);
        for row in rows {
            let mut line = String::new();
            for (i, (cell, width)) in row.iter().zip(widths).enumerate() {
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

/// A number with as many digits as mean something, in groups of three.
pub fn number(value: f64) -> String {
    let places = match value.abs() {
        v if v >= 100.0 => 0,
        v if v >= 10.0 => 1,
        v if v.fract() == 0.0 => 0,
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
